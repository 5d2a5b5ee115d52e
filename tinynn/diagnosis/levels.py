"""What the loss of a model is compared with: that of chance, of the best constant y, and the least that is possible."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..checks import Array
from ..losses import MAE, MSE, BinaryCrossEntropy, GaussianNLL, SoftmaxCrossEntropy
from .figures import entropy

UNKNOWN = (math.nan, math.nan)


def of_chance(loss: Any, t: Array, C: int) -> tuple[float, float]:
    """The loss of chance, which knows nothing of x, and the least that is possible; NaN where not known here.

    Chance gives C equal scores, or the mean of t.
    """
    if isinstance(loss, SoftmaxCrossEntropy):
        return math.log(C), float(entropy(probabilities(loss, t, C)).mean())
    if isinstance(loss, BinaryCrossEntropy):
        return math.log(2), float(yes_or_no(t).mean())
    t = t.reshape(-1, t.shape[-1])
    if isinstance(loss, MSE):
        return float(t.var(axis=0).mean()), 0.0
    if isinstance(loss, MAE):
        return float(np.abs(t - np.median(t, axis=0)).mean()), 0.0
    if isinstance(loss, GaussianNLL) and loss.variance is not None:
        least = math.log(2 * math.pi * loss.variance) / 2
        return least + float(t.var(axis=0).mean()) / (2 * loss.variance), least
    return UNKNOWN


def of_constant(loss: Any, t: Array, C: int) -> tuple[float, float]:
    """The loss of the best y that is equal in all rows, and how far one can get below it; NaN where not known.

    That y is the class frequencies, or the mean of t (its median for MAE), and its variance where the loss takes one.
    """
    if isinstance(loss, SoftmaxCrossEntropy):
        p = probabilities(loss, t, C)
        best = float(entropy(p.mean(axis=0)))
        return best, best - float(entropy(p).mean())
    t = t.reshape(-1, t.shape[-1])
    if isinstance(loss, BinaryCrossEntropy):
        best = float(yes_or_no(t.mean(axis=0)).mean())
        return best, best - float(yes_or_no(t).mean())
    if isinstance(loss, MSE | MAE):
        best = of_chance(loss, t, C)[0]
        return best, best
    if isinstance(loss, GaussianNLL):
        variance = t.var(axis=0)
        v = variance if loss.variance is None else loss.variance
        scale = float((variance / v).mean()) / 2
        return float(np.log(2 * math.pi * v).mean()) / 2 + scale, scale
    return UNKNOWN


def probabilities(loss: Any, t: Array, C: int) -> Array:
    """A row of probabilities for each label, or those that t holds, smoothed as the loss smooths them."""
    p = np.eye(C)[t.ravel()] if t.dtype.kind in "iu" else t.reshape(-1, C).astype(np.float64)
    return p * (1 - loss.label_smoothing) + loss.label_smoothing / C


def yes_or_no(p: Array) -> Array:
    """The entropy of each probability of yes."""
    return entropy(np.stack([p, 1 - p], axis=-1).astype(np.float64))
