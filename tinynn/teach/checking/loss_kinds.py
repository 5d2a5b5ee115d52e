"""Which loss it is: found by what it gives for one number, where no mean and no sum can hide it.

`kind_of` looks at the value at y = [[e]], t = [[0]] and [[1]]; `takes_probabilities` at rows that are probabilities.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...backends.numpy import sigmoid, softmax
from ...checks import Array

Value = Callable[[Array, Array], Any]
TINY = 1e-300


@dataclass(frozen=True)
class Kind:
    """A loss of single numbers: its name, where it bends (Huber's delta), and what it is multiplied by."""

    name: str
    delta: float = 0.0
    scale: float = 1.0


def _at(value: Value, y: float, t: float) -> float:
    """The loss of one number; NaN where it cannot be had."""
    try:
        found = value(np.array([[y]]), np.array([[t]]))
        return float(np.sum(found))
    except Exception:
        return float("nan")


def kind_of(value: Value) -> Kind | None:
    """Squares, absolute, Huber, hinge, squared hinge or logistic; None for another loss."""
    errors = np.array([0.01, 0.3, -0.3, 3.0, -3.0, 50.0, -50.0, 1e4])
    got = np.array([_at(value, e, 0.0) for e in errors])
    return (_of_errors(errors, got) if np.isfinite(got).all() else None) or _of_scores(value)


def _of_errors(errors: Array, got: Array) -> Kind | None:
    """Squares, absolute errors or Huber's."""
    size = np.abs(errors)
    for name, shape in (("squares", size**2), ("absolute", size)):
        scale = got[1] / shape[1]
        if scale > 0 and np.allclose(got, scale * shape, rtol=1e-9, atol=0):
            return Kind(name, scale=scale)
    slope = (got[7] - got[5]) / (1e4 - 50)
    scale = 2 * got[0] / size[0] ** 2
    if slope > 0 and scale > 0:
        delta = slope / scale
        huber = scale * np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))
        if 0.01 < delta < 50 and np.allclose(got, huber, rtol=1e-9, atol=0):
            return Kind("huber", delta, scale)
    return None


def _of_scores(value: Value) -> Kind | None:
    """Hinge, its square, or the logistic loss with a weight for the positives."""
    scores = np.array([-7.0, -0.4, 0.0, 0.3, 0.9, 1.5, 4.0])
    for low, name in ((-1.0, "hinge"), (0.0, "logistic")):
        one = np.array([_at(value, z, 1.0) for z in scores])
        other = np.array([_at(value, z, low) for z in scores])
        if not (np.isfinite(one).all() and np.isfinite(other).all()):
            continue
        if name == "logistic":
            right = np.log1p(np.exp(-scores))
            if np.allclose(other, np.log1p(np.exp(scores)), rtol=1e-6) and one[2] > 0:
                ratio = one / right
                if np.allclose(ratio, ratio[2], rtol=1e-6):
                    return Kind("logistic", delta=float(ratio[2]))  # the weight of the positives
            continue
        for power, called in ((1, "hinge"), (2, "squared-hinge")):
            right = np.maximum(0, 1 - scores) ** power
            if np.allclose(one, right, atol=1e-12) and np.allclose(
                other, np.maximum(0, 1 + scores) ** power, atol=1e-12
            ):
                return Kind(called)
    return None


def probabilities(y: Array, t: Array) -> Array:
    """Scores as probabilities: the softmax of each row, of a single score or of bits the sigmoid."""
    bits = t.shape == y.shape and np.isin(t, (0, 1)).all() and not np.allclose(t.sum(axis=1), 1)
    if y.shape[-1] == 1 or bits:
        return sigmoid(y)
    return softmax(y)


def takes_probabilities(value: Value, y: Array, t: Array) -> bool:
    """Whether the loss is -log p at the label, or that of bits, of the numbers that it is given; or fails below 0."""
    labels = t.ndim == 1 and t.dtype.kind in "iu"
    if not labels and not (t.shape == y.shape and np.isin(t, (0, 1)).all()):
        return False
    n, C = 5, y.shape[1]
    rng = np.random.default_rng(8)
    if labels:
        target: Array = rng.integers(0, C, n).astype(t.dtype)
        hot = np.eye(C)[target]
    else:
        one_hot = bool(np.allclose(t.sum(axis=1), 1)) and C > 1
        target = hot = np.eye(C)[rng.integers(0, C, n)] if one_hot else rng.integers(0, 2, (n, C)).astype(float)
    scores = rng.normal(0, 1, (n, C))
    p = probabilities(scores, hot)
    try:
        got = np.asarray(value(p, target), float)
        if np.isfinite(got).all() and not np.isfinite(np.asarray(value(scores, target), float)).all():
            return True  # it takes the logarithm, or another power, of what it is given
    except Exception:
        return False
    each = -(hot * np.log(p))
    both = each - (1 - hot) * np.log(1 - p)
    for losses in (each, both):
        for wanted in losses.sum() / np.array([1, n, C, n * C, n * n * C]):
            if abs(float(np.sum(got)) - wanted) <= 1e-5 * abs(wanted):
                return True
    return False
