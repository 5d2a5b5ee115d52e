"""The order of the lines in a training loop: it is run, and the calls of its first steps are recorded.

    report = check_loop(train, model, loss, optimizer, x, t)

Calls of objects are seen: forward and backward of layers and networks, the loss and its gradient, the optimizer's step,
zero_grad. From one step to the next their order must be forward, loss, gradient, backward; other lines may stand
between them. A loop without such calls is not judged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import checks
from ...layers.layer import Layer
from . import measure
from .loop_calls import STEPS, LoopCall, Observer, passes
from .report import Finding, Report
from .styles.losses import RULES, targets_like

SAID = {"F": "forward", "L": "loss", "G": "gradient of the loss", "B": "backward", "S": "step", "Z": "zero_grad"}
KNOWN = (
    "a loop over objects: y = model.forward(x); loss.forward(y, t); model.backward(loss.backward()); optimizer.step()"
)


def judged(calls: list[LoopCall], where: str) -> Report:
    """The report on the order of the calls."""
    report = Report(f"check of the loop in {where}", f"{STEPS} steps, as they ran")
    tokens = passes(calls)
    text = "".join(kind for kind, *_ in tokens)
    if text.count("S") < 2 or "B" not in text or "F" not in text:
        seen = ", ".join(SAID[kind] for kind in dict.fromkeys(text)) or "none of them"
        why = f"how this loop trains is not known: it needs two steps with calls of forward and backward; seen: {seen}"
        report.finding, report.method = Finding("not-judged", where, why, f"write {KNOWN}"), ""
        return report
    first, *cycles = text.split("S")
    cycles = cycles[: text.count("S") - 1]
    report.finding = _order(first, cycles, tokens, where)
    if report.finding is None and not any(call.moved for call in calls if call.kind == "S"):
        why = "the steps change none of the numbers of the layers that were called"
        report.finding = Finding("nothing-moves", where, why, "give the optimizer the layers' own arrays")
    if report.finding is None and "G" not in text:
        given_gradient(calls, report, where)
    if report.finding is None:
        order = ", ".join(SAID[kind] for kind in cycles[0])
        report.notes.append(f"from one step to the next: {order}")
    return report


def given_gradient(calls: list[LoopCall], report: Report, where: str) -> None:
    """Say of what backward is given, where the lines of the loop compute it, which loss it is the gradient of."""
    k = next(k for k, call in enumerate(calls) if call.kind == "B")
    y = next((call.y for call in calls[:k][::-1] if call.kind == "F"), None)
    dy = next(iter(calls[k].given), None)
    if y is None or dy is None or y.dtype.kind != "f" or dy.shape != y.shape:
        return
    ratios: dict[str, float | None] = {}
    for name, rule in RULES.items():
        for t in calls[k].targets:
            try:
                n = measure.gradient(lambda a: rule(a, targets_like(y, t)), y, True)  # noqa: B023 (used at once)
                ratios[name] = measure.ratio(np.asarray(dy, float), n) or ratios.get(name)
            except Exception:  # targets of another shape
                continue
    right = next((name for name, c in ratios.items() if c and measure.close(c, 1)), "")
    if right:
        report.notes.append(f"backward is given the gradient of this loss: {right}")
        return
    why = "backward is given a gradient that the loop computes itself, and that is the gradient of no loss known here"
    c, name = next(((c, name) for name, c in ratios.items() if c), (0.0, ""))
    why += f"; it is {c:.6g} times that of this one: {name}" if c else ""
    report.finding = Finding("not-judged", where, why, "call a loss, dy = loss.backward(), which can be checked")


def _order(first: str, cycles: list[str], tokens: list[tuple[str, str, Any]], where: str) -> Finding | None:
    """What is wrong with the order of the lines, the same in each cycle; None where nothing is."""
    cycle, text = cycles[0], "S".join([first, *cycles])
    if any("S" in text[text.rfind("F", 0, k) : k] for k, kind in enumerate(text) if kind == "B" and "F" in text[:k]):
        why = (
            "a step stands between forward and backward: backward uses weights that are no longer those of forward, "
            "and that step the gradients of the batch before"
        )
        return Finding("updated-too-early", where, why, "forward, loss, backward, and then the step")
    if "B" not in cycle:
        why = "there are steps without a backward pass between them: the second is made with gradients of the first"
        return Finding("step-without-backward", where, why, "one backward pass for each step")
    last = cycle.rindex("B")
    if "Z" in cycle[last:]:
        why = "the gradients are set to 0 after backward, before the step: it is made with zeros"
        return Finding("zeroed-before-step", where, why, "zero_grad first, then forward, backward, step")
    before = cycle[: cycle.index("B")]
    if "G" in before and "L" in cycle and "L" not in before[: before.index("G")]:
        why = "the gradient of the loss is taken before the loss of this batch: it is that of the batch before"
        return Finding("loss-too-late", where, why, "loss.forward(y, t) first, then loss.backward()")
    if before.count("F") > 1 and "L" in before:
        why = (
            f"{before.count('F')} forward passes come before one backward pass, which knows only the last of them: "
            "the other batches give no gradient"
        )
        return Finding("last-batch-only", where, why, "backward after every forward")
    own = all(isinstance(thing, Layer) for kind, _, thing in tokens if kind == "B")
    if cycle.count("B") > 1 and own:
        why = (
            f"{cycle.count('B')} backward passes come before one step, and each overwrites the gradients of the one "
            "before: only the last batch counts"
        )
        return Finding("last-batch-only", where, why, "add up copies of grads, or take a step after each")
    if "B" not in first:
        why = "the step comes before the gradients of its batch: the first is made with none, the last batch is lost"
        return Finding("step-before-backward", where, why, "forward, loss, backward, and then the step")
    return None


def check_loop(train: Callable[..., Any], *arguments: Any, **named: Any) -> Report:
    """Run train(*arguments, **named) and check the order of the calls in its loop, and its network and loss.

    The loop runs to its end, and changes its arguments as it always does. Raises TypeError where `train` is not a
    function, and every error that the loop itself raises.
    """
    if not callable(train):
        hint = "" if train is not None else ": give the function, train, not what it returns, train(...)"
        raise TypeError(f"train must be a function that runs a training loop, not {checks.describe(train)}{hint}")
    with Observer() as seen:
        train(*arguments, **named)
    return report_on(seen, getattr(train, "__name__", "train"))


def report_on(seen: Observer, where: str) -> Report:
    """The report on what was seen: the gradients of network and loss, where they are objects, then the order."""
    from .gradcheck import check  # which imports what is here

    report = judged(seen.calls, where)
    nets = {id(call.thing): call for call in seen.calls if call.kind == "B"}
    forwards = [call for call in seen.calls if call.kind == "F" and id(call.thing) in nets]
    losses = [call for call in seen.calls if call.kind == "L" and len(call.given) >= 2]
    if len(nets) != 1 or not forwards or not losses:
        return report
    x, t = forwards[0].given[0], losses[0].given[1]
    try:
        found = check(forwards[0].thing, np.asarray(x), np.asarray(t), losses[0].thing)
    except (TypeError, ValueError):
        return report
    if found.code not in ("ok", "not-judged"):
        return found
    if found:
        report.notes.append("its network and its loss are right: every gradient was measured")
    return report
