"""NaN and infinity are judged first: where do they begin, and which operation makes them?

All that comes after is NaN as well, and no slip can be told from another there.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..checks import Array
from .report import Finding

ADVICE = {
    "log": "the logarithm needs more than 0: log-sum-exp, or log1p, has no log of a rounded 0",
    "exp": "exp(x) overflows from x = 710 on: take the largest off first, or use exp(-|x|)",
    "divide": "look at what can be 0 below the line",
    "sqrt": "the root needs 0 or more",
    "power": "look at the base: 0 with a negative exponent, a negative one with a broken exponent, or too large a one",
}


def not_finite(where: str, values: Mapping[str, Any], again: Callable[[], Any]) -> Finding | None:
    """What is wrong with the first of the `values` that holds NaN or infinity, or None. `again` computes them anew."""
    for name, value in values.items():
        a = np.asarray(value)
        wrong = ~np.isfinite(a) if a.dtype.kind in "fc" else np.zeros(a.shape, bool)
        if wrong.any():
            index = tuple(int(i) for i in np.argwhere(wrong)[0])
            place = f"{name}[{', '.join(map(str, index))}]" if index else name
            count = f", one of {wrong.sum()} such numbers in it" if wrong.sum() > 1 else ""
            operation, line = first_operation(again)
            because = f": {operation}{f', at `{line}`' if line else ''}" if operation else ""
            advice = next((said for word, said in ADVICE.items() if operation.endswith(word)), "")
            return Finding("not-finite", where, f"{place} is {a[index]}{count}{because}", advice)
    return None


def first_operation(again: Callable[[], Any]) -> tuple[str, str]:
    """The first operation that makes NaN or infinity of numbers, in NumPy's words, and its line; or two empty texts."""
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise", under="ignore"):
            again()
    except FloatingPointError as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return str(error).replace(" encountered in ", " in "), frame.line or ""
    except Exception:  # an error of another kind is judged elsewhere
        return "", ""
    return "", ""


def of_a_layer(part: Any, x: Array, y: Array, dy: Array) -> Finding | None:
    """NaN or infinity that a layer makes: in y, then in its gradients."""

    def forward() -> Any:
        layer = part.fresh()
        layer.forward(x.copy())
        return layer

    found = not_finite(part.where, {"y": y}, forward)
    if found:
        return found
    try:
        gradients, dx = part.gradients(x, dy)
    except Exception:  # judged elsewhere
        return None

    def backward() -> None:
        with np.errstate(all="ignore"):
            layer = forward()
        layer.backward(dy.copy())

    return not_finite(part.where, {"dx": dx, **{f"d{name}": a for name, a in gradients.items()}}, backward)
