"""The order of the lines in a training loop: it is run, and the calls of its first steps are recorded.

    report = check_loop(train, model, loss, optimizer, x, t)

Calls of objects are seen: forward and backward of layers and networks, the loss and its gradient, the optimizer's step,
zero_grad. From one step to the next their order must be forward, loss, gradient, backward; other lines may stand
between them. A loop without such calls is not judged.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from ... import checks
from ...layers.layer import Layer
from ...losses import Loss
from ...optimizers import Optimizer
from .leaves import leaves
from .loss_styles import GRADIENTS, VALUES, is_loss_like, sides
from .names import ZEROING, plain
from .optimizer_styles import METHODS
from .report import Finding, Report

STEPS = 4  # that are looked at
CALLS = 5_000  # after which a loop without steps is left alone
PACKAGE = str(Path(__file__).parents[2])
SAID = {"F": "forward", "L": "loss", "G": "gradient of the loss", "B": "backward", "S": "step", "Z": "zero_grad"}
KNOWN = (
    "a loop over objects: y = model.forward(x); loss.forward(y, t); model.backward(loss.backward()); optimizer.step()"
)


@dataclass
class LoopCall:
    """One call: F forward, L loss, G its gradient, B backward, S step, Z zero_grad; on which object, with what."""

    kind: str
    thing: Any
    given: list[Any]
    key: str = ""  # of what a forward was given
    moved: bool = True  # whether a step has changed a number


class Observer:
    """Writes down the calls of a loop until it has seen STEPS steps: with Observer() as seen: train()."""

    def __init__(self) -> None:
        self.calls: list[LoopCall] = []
        self.inside: tuple[FrameType, LoopCall | None] | None = None  # the outermost call that is running
        self.before: str = ""
        self.seen = 0

    def __enter__(self) -> Observer:
        self.old = sys.getprofile()
        sys.setprofile(self._event)
        return self

    def __exit__(self, *error: Any) -> None:
        sys.setprofile(self.old)

    def _event(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and self.inside is None:
            kind = kind_of(frame)
            if kind is None:
                return
            call = None
            if kind:
                names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
                given = [frame.f_locals.get(name) for name in names]
                call = LoopCall(kind, given[0], given[1:])
                call.key = _key(given[1:2]) if kind == "F" else ""
                self.before = self._numbers() if kind == "S" else ""
            self.inside = frame, call
        elif event == "return" and self.inside is not None and frame is self.inside[0]:
            _, call = self.inside
            self.inside = None
            self.seen += 1
            if call is not None:
                call.moved = call.kind != "S" or self._numbers() != self.before
                self.calls.append(call)
            if sum(call.kind == "S" for call in self.calls) >= STEPS * 8 or self.seen > CALLS or self._enough():
                sys.setprofile(self.old)

    def _enough(self) -> bool:
        return "".join(token for token, *_ in passes(self.calls)).count("S") > STEPS

    def _numbers(self) -> str:
        """All numbers of the layers and networks that were seen."""
        things = {id(call.thing): call.thing for call in self.calls if call.kind in "FB"}
        return _key([leaf.value for thing in things.values() for leaf in leaves(thing)])


def _key(values: list[Any]) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    for value in values:
        if isinstance(value, np.ndarray | float | int):
            digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def kind_of(frame: FrameType) -> str | None:
    """What a call is in a loop: one of SAID; "" for one of tinynn's that is none of these; None for any other."""
    code = frame.f_code
    own = code.co_filename.startswith(PACKAGE)
    name = code.co_name
    if own and name == "checked":  # what layers share around their forward and backward
        name = "forward" if code.co_varnames[1] == "x" else "backward"
    thing = frame.f_locals.get("self") if code.co_argcount else None
    if thing is None or isinstance(thing, type):
        return "" if own else None
    if isinstance(thing, Loss) or (not isinstance(thing, Layer) and is_loss_like(thing) and _takes_pairs(thing)):
        return "L" if name in VALUES[1:-1] else "G" if name in GRADIENTS else "" if own else None
    if plain(name) in ZEROING:
        return "Z"
    if isinstance(thing, Layer) or all(callable(getattr(thing, n, None)) for n in ("forward", "backward")):
        return {"forward": "F", "backward": "B"}.get(name, "" if own else None)
    if isinstance(thing, Optimizer) or (name in METHODS and not own):
        return "S" if name in METHODS else ""
    return "" if own else None


def _takes_pairs(thing: Any) -> bool:
    """Whether the value is one of predictions and targets."""
    function = next(getattr(thing, name) for name in VALUES if callable(getattr(thing, name, None)))
    return len(sides(function)) == 2


def passes(calls: list[LoopCall]) -> list[tuple[str, str, Any]]:
    """(kind, key, object): the calls, with those of a list of layers, or of steps for each layer, as one."""
    found: list[tuple[str, str, Any]] = []
    seen: set[int] = set()
    for call in calls:
        together = bool(found) and found[-1][0] == call.kind and call.kind in "FBSZ"
        if together and (call.kind in "SZ" or id(call.thing) not in seen):
            seen.add(id(call.thing))
            continue
        seen = {id(call.thing)}
        found.append((call.kind, call.key, call.thing))
    return found


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
    if report.finding is None:
        order = ", ".join(SAID[kind] for kind in cycles[0])
        report.notes.append(f"from one step to the next: {order}")
    return report


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
