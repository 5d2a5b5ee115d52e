"""NaN and infinity: in which number they stand, and which operation has made them. No gradient says anything before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...checks import Array
from .report import Finding, learners_frames, place_of
from .under_test import gradient_name

CAUSES = (  # what NumPy says, what that means, and what helps
    ("divide by zero encountered in log", "the logarithm of 0", "log p = z - log(sum(exp(z))), with z = y - max(y)"),
    ("overflow encountered in exp", "exp overflows, beyond 709 in float64", "exp(z - max(z))"),
    ("invalid value encountered in divide", "0 / 0, or infinity / infinity", "keep the divisor away from 0"),
    ("divide by zero", "a division by 0", "keep the divisor away from 0"),
    ("in log", "the logarithm of a negative number", "look at how it becomes negative"),
    ("in sqrt", "the root of a negative number", "look at how it becomes negative"),
    ("overflow", "a number beyond 1.8e308, the largest in float64", "scale the numbers before"),
)  # fmt: skip


def not_finite(where: str, parts: dict[str, Any], again: Callable[[], Any], given: dict[str, Any]) -> Finding | None:
    """The first of `parts`, name -> numbers, that holds NaN or infinity, or None.

    `again` computes them once more: NumPy says which operation makes them. If none does, one of `given` held them.
    """
    for name, value in parts.items():
        a = np.asarray(value)
        if a.dtype.kind not in "fc" or np.isfinite(a).all():
            continue
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(a))[0])
        place = name + place_of(index)
        bad = int((~np.isfinite(a)).sum())
        what = (
            "no number is finite"
            if bad == a.size
            else f"{bad} of {a.size} numbers {'is' if bad == 1 else 'are'} not finite"
        )
        kind = "NaN" if np.isnan(a[index]) else "infinity"
        count = "" if a.size == 1 else f" ({what})"
        why, fix = _operation(again, given)
        return Finding("not-finite", where, f"{place} is {kind}{count}: {why}", fix)
    return None


def _operation(again: Callable[[], Any], given: dict[str, Any]) -> tuple[str, str]:
    """What makes a number that is not finite, and what helps."""
    try:
        with np.errstate(divide="raise", over="raise", invalid="raise", under="ignore"):
            again()
    except FloatingPointError as error:
        said = str(error)
        frames = [f for f in learners_frames(error) if f.line]
        line = f", at `{frames[-1].line}`" if frames else ""
        meaning, fix = next(((m, f) for key, m, f in CAUSES if key in said), (said, ""))
        return meaning + line, fix
    except Exception:
        pass
    for name, value in given.items():
        if not np.isfinite(value).all():
            return f"{name} holds it before the first step", f"give {name} numbers"
    return "no operation of NumPy's makes it, so the code writes it", ""


def of_a_layer(tested: Any, x: Array, y: Array, dy: Array) -> Finding | None:
    """NaN or infinity that a layer makes: in y, then in its gradients."""

    def forward() -> Any:
        layer = tested.fresh()
        layer.forward(x.copy())
        return layer

    given = {name: tested.value(name) for name in tested.names}
    found = not_finite(tested.where, {"y": y}, forward, given)
    if found:
        return found
    try:
        gradients, dx = tested.gradients(x, dy)
    except Exception:  # judged elsewhere
        return None

    def backward() -> None:
        with np.errstate(all="ignore"):
            layer = forward()
        layer.backward(dy.copy())

    computed = {"dx": dx, **{gradient_name(name): a for name, a in gradients.items()}}
    return not_finite(tested.where, computed, backward, given)
