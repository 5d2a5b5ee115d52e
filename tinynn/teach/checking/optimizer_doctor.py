"""The doctor for optimizers: `check_optimizer(Adam)` runs a few steps on given gradients and compares the path.

The rule is known by what an optimizer holds: two betas are Adam's, a momentum is momentum's, else it is plain descent.
A path that is none of the right ones is compared with those of the classic slips, and named if it is the same to 1e-9.
What an optimizer does with another rule of its own cannot be judged: then the report is "not-judged".
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import checks
from ...checks import Array
from .finite import not_finite
from .measure import same
from .optimizer_rules import right_paths, wrong_paths
from .optimizer_under_test import DECAY, LR, OptimizerUnderTest, clipped, family_of, state_of
from .report import Finding, Report, Row, raised
from .under_test import quiet

STEPS = 6


def check_optimizer(optimizer: Any, **options: Any) -> Report:
    """Check an optimizer class: SGD, momentum, Nesterov or Adam, tinynn's or your own.

    One in tinynn's style is made as optimizer(model, lr=..., **options) and has step(); one in the style of other
    courses as optimizer(lr=..., **options) and has update(params, grads), with dicts or arrays.
    """
    if not isinstance(optimizer, type):
        hint = f": {type(optimizer).__name__}, without parentheses" if hasattr(optimizer, "__dict__") else ""
        raise TypeError(f"optimizer must be a class, not {checks.describe(optimizer)}{hint}")
    where = optimizer.__name__
    report = Report(f"check of {where}", f"{STEPS} steps on given gradients", columns=("got", "right"))
    options = {name: value for name, value in options.items() if name not in DECAY}  # looked at by itself
    try:
        with quiet():
            for more in _variants(optimizer, options):
                if report.finding is None:
                    _examine(optimizer, {**options, **more}, report)
    except Exception as error:
        method = "step" if hasattr(optimizer, "step") else "update" if hasattr(optimizer, "update") else "__init__"
        report.finding = raised(where, method, error)
    return report


def _variants(cls: type, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """As it comes, and with the momentum that it offers (which a look ahead needs)."""
    asked = inspect.signature(cls).parameters
    if not (options.get("nesterov") and "momentum" in asked and "momentum" not in options):
        yield {}
    if "momentum" in asked and "momentum" not in options and not asked["momentum"].default:
        yield {"momentum": 0.9}
        if "nesterov" in asked and "nesterov" not in options:
            yield {"momentum": 0.9, "nesterov": True}


def _examine(cls: type, options: dict[str, Any], report: Report) -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(size=6)
    gradients = rng.normal(size=(STEPS, 6)) * 10.0 ** -np.arange(6)  # small ones show where eps stands
    tested = OptimizerUnderTest(cls, options, start)
    where = cls.__name__
    path = []
    for gradient in gradients:
        buffer = tested.model.params
        path.append(tested.step(gradient))
        held = tested.model.grads if tested.own_style else tested.grads["W"]
        shortened = clipped(gradient, tested)
        if not np.array_equal(held, gradient) and not same(held, shortened):
            why = "a step changes the gradients, which are not its own: a second look at them is wrong"
            report.finding = Finding(
                "changes-grads", where, why, "compute with g = grads.copy(), or without in-place ops"
            )
            return
        replaced = tested.model.params is not buffer or (not tested.own_style and tested.params["W"] is not buffer)
        moves = tested.get("lr", LR) != 0 and np.any(gradient)
        if replaced or (tested.own_style and np.array_equal(buffer, start) and len(path) == 1 and moves):
            why = "a step makes a new array of parameters; the layers still hold the old one and never see the change"
            report.finding = Finding("params-replaced", where, why, "params -= ...  in place of  params = params - ...")
            return
    family = family_of(tested)
    given, gradients = gradients, np.array([clipped(gradient, tested) for gradient in gradients])
    right = list(right_paths(family, tested, start, gradients))
    expected = right[0][1]
    best, wanted = next(((n, w) for n, w in right if same(np.array(path), np.array(w))), (None, expected))
    report.rows = _rows(where, path, wanted)
    if report.plotter is None or best is None:
        report.plotter = functools.partial(_plot, where, np.array([start, *path]), np.array([start, *wanted]))
    other = OptimizerUnderTest(cls, options, start)
    if not np.allclose(other.step(given[0]), path[0], rtol=1e-9, atol=0, equal_nan=True):
        why = "a second optimizer does not start like the first: they share what should be each one's own"
        report.finding = Finding("state-shared", where, why, "make the state in __init__, not in the class")
        return
    if tested.takes_lr:
        slow = OptimizerUnderTest(cls, options, start, lr=1 / 8)
        slow_path = [slow.step(gradient) for gradient in given]
        if same(np.array(slow_path), np.array(path)):
            why = "with an eighth of the learning rate the path is the same: lr is not used"
            report.finding = Finding("lr-ignored", where, why, "the step is lr times ...")
            return
    if best:
        report.notes.append(f"the path is that of {best}")
        _decay(cls, options, family, start, given, report)
        return
    if np.vdot(path[0] - start, gradients[0]) > 0:
        why = "the first step goes along the gradient, uphill"
        report.finding = Finding("ascent", where, why, "params -= lr * ...")
        return
    for code, wrong, why, fix in wrong_paths(family, tested, start, gradients):
        if same(np.array(path), np.array(wrong)) or _both_nan(path, wrong):
            report.finding = Finding(code, where, f"{why}. {_worked(path, expected)}", fix)
            return
    if not np.isfinite(path).all():
        k = int(np.flatnonzero(~np.isfinite(path).all(axis=1))[0])

        def again() -> None:
            one = OptimizerUnderTest(cls, options, start)
            for gradient in given[: k + 1]:
                one.step(gradient)

        report.finding = not_finite(where, {f"after step {k + 1} parameter": path[k]}, again, {})
        return
    if family == "descent" and not all(type(v) in (int, float, bool) for v in state_of(tested)):
        report.rows, why = [], "its rule is none that is known here: only its manners were looked at, and nothing found"
        report.finding = Finding("not-judged", where, why)
        return
    why = f"this is not the path of {right[0][0]}, nor that of a known slip. {_worked(path, expected)}"
    report.finding = Finding("unknown", where, why)


def _plot(name: str, path: Array, expected: Array, axes: Any = None) -> Any:
    """The way of the first three numbers, step by step, and the right one; returns the axes."""
    from ...plots import style

    axes = style.one_axes(axes, (5.6, 4.0))
    for k, colour in zip(range(3), style.COLOURS):
        axes.plot(expected[:, k], "-", color=colour, label=f"parameter {k}, right")
        axes.plot(path[:, k], "o", color=colour, markerfacecolor="none", label=f"parameter {k}, {name}")
    axes.set(xlabel="step", ylabel="parameter")
    axes.legend(frameon=False, fontsize=8)
    style.bare(axes)
    return axes


def _both_nan(path: list[Array], wrong: list[Array]) -> bool:
    """Two paths that are lost in the same way."""
    a, b = np.array(path), np.array(wrong)
    return bool(not np.isfinite(a).all() and np.array_equal(np.isfinite(a), np.isfinite(b)))


def _rows(where: str, path: list[Array], expected: list[Array]) -> list[Row]:
    rows = []
    for k, (got, wanted) in enumerate(zip(path, expected), 1):
        index = int(np.argmax(np.abs(got - wanted)))
        error = abs(float(got[index] - wanted[index])) / (float(np.abs(wanted).max()) or 1.0)
        verdict = "ok" if error < 1e-9 else "wrong"
        rows.append(Row(where, f"step {k}", f"[{index}]", float(got[index]), float(wanted[index]), error, verdict))
    return rows


def _worked(path: list[Array], expected: list[Array]) -> str:
    for k, (got, wanted) in enumerate(zip(path, expected), 1):
        if not same(wanted, got):
            index = int(np.argmax(np.abs(got - wanted)))
            return f"After step {k} parameter {index} is {got[index]:.8g}; it should be {wanted[index]:.8g}."
    return ""


def _decay(cls: type, options: dict[str, Any], family: str, start: Array, gradients: Array, report: Report) -> None:
    """With weight decay, where the class has it: decoupled, or a term in the gradient; but downwards."""
    name = next((n for n in DECAY if n in inspect.signature(cls).parameters), None)
    if name is None:
        return
    rate = 0.01
    tested = OptimizerUnderTest(cls, {**options, name: rate}, start)
    decayed = np.ones(6)  # 0 for what is not decayed: b, the last two
    decayed[4:] = getattr(tested.optimizer, "decay_biases", True)
    path = [tested.step(gradient) for gradient in gradients]
    gradients = np.array([clipped(gradient, tested) for gradient in gradients])  # first, then comes the decay
    unclipped = {name: value for name, value in options.items() if name != "clip_norm"}
    lr = tested.get("lr", LR)
    for sign in (1, -1):
        coupled, decoupled = [OptimizerUnderTest(cls, unclipped, start) for _ in range(2)]
        one, two = [], []
        for gradient in gradients:
            here = coupled.model.params if coupled.own_style else coupled.params["W"]
            one.append(coupled.step(gradient + sign * rate * decayed * here))
            w = decoupled.model.params if decoupled.own_style else decoupled.params["W"]
            w *= 1 - sign * lr * rate * decayed
            two.append(decoupled.step(gradient))
        for kind, wanted in (("coupled", one), ("decoupled", two)):
            if same(np.array(path), np.array(wanted)):
                if sign < 0:
                    why = "weight decay makes the weights grow: its sign is wrong"
                    report.finding = Finding("decay-sign", cls.__name__, why, "w -= lr * weight_decay * w")
                elif kind == "coupled" and family == "Adam":
                    report.notes.append(
                        "weight decay is part of the gradient (L2): in Adam that decays large gradients less; AdamW "
                        "takes it beside the step"
                    )
                return
    report.finding = Finding(
        "unknown", cls.__name__, f"with {name}={rate} this is neither decay beside the step nor in the gradient"
    )
