"""Which function an activation is, by its values: its name, and the numbers in it (slope, alpha, scale), recovered."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ....backends.numpy import activations as textbook
from ....checks import Array
from ..measure import same

SMOOTH: dict[str, Callable[[Array], Array]] = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "gelu": textbook.gelu,
    "gelu_tanh": textbook.gelu_tanh,
    "silu": textbook.silu,
    "softplus": textbook.softplus,
}
NAMES = {
    "sigmoid": "sigmoid(x)", "tanh": "tanh(x)", "gelu": "GELU, x Phi(x)", "gelu_tanh": "GELU's tanh form",
    "silu": "SiLU, x sigmoid(x)", "softplus": "softplus, log(1 + e^x)",
}  # fmt: skip


def known(x: Array, y: Array, slope: Array) -> tuple[str, dict[str, float]]:
    """("leaky", {"s": 0.1}): the name of f and its numbers where y = f(x); ("", {}) where it is none of these."""
    with np.errstate(all="ignore"):
        for name, f in SMOOTH.items():
            if same(y, f(x)):
                return name, {}
    left, right = x < 0, x > 0
    if np.array_equal(y, np.where(right, x, 0)):
        return "relu", {}
    if not (left.any() and right.any()):
        return "", {}
    dropped = slope == 0
    kept = slope[~dropped]
    if dropped.any() and kept.size and same(kept, np.full(kept.shape, kept[0])) and same(y, slope * x):
        return "dropout", {"c": float(kept[0])}
    if not same(y[right], x[right]):
        return "", {}
    s = constant(y[left], x[left])
    if s is not None:
        return ("", {}) if abs(s) == 1 else ("leaky", {"s": s})  # |x|, whose sides exchanged are a sign
    alpha = constant(y[left], np.expm1(x[left]))
    return ("", {}) if alpha is None else ("elu", {"alpha": alpha})


def constant(a: Array, b: Array) -> float | None:
    """The number c with a = c b, or None."""
    c = float(np.vdot(b, a) / (np.vdot(b, b) or 1))
    return c if same(a, c * b) else None


def resembles(x: Array, y: Array) -> tuple[str, bool]:
    """The smooth function of the textbook that y is nearest to, and whether y is exactly that.

    ("", False) where no function is within 10 % of all of y.
    """
    size = float(np.linalg.norm(y))
    with np.errstate(all="ignore"):
        values = {name: f(x) for name, f in SMOOTH.items()}
        off = {name: float(np.linalg.norm(a - y)) for name, a in values.items()}
    best = min(off, key=lambda name: off[name] if np.isfinite(off[name]) else np.inf)
    return (NAMES[best], same(y, values[best])) if off[best] < 0.1 * size else ("", False)
