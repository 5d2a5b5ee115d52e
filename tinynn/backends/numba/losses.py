"""The loss of classification, in one pass over memory."""

from __future__ import annotations

import math

import numpy as np
from numba import float64, int64

from ... import checks
from ...checks import REALS, Array
from .. import numpy as textbook
from . import elementary
from .compile import kernel, read, write
from .elementary import exp_neg


def softmax_cross_entropy(y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
    labels = t.dtype.kind in "iu" and t.shape == y.shape[:1]
    if (
        not (labels and y.ndim == 2 and y.dtype in REALS) or weight is not None
    ):  # soft targets and weights are rare: not worth compiling a kernel
        return textbook.softmax_cross_entropy(y, t, weight)
    N, C = y.shape
    dy = np.empty((N, C), y.dtype)
    total, bad = cross_entropy_kernel(np.ascontiguousarray(y), np.ascontiguousarray(t, dtype=np.int64), dy)
    if bad:
        checks.labels(t, C)
    return (total / N if N else math.nan), dy


@kernel(lambda T: (read(T, 2), read(int64), write(T, 2)), helpers=elementary)
def cross_entropy_kernel(y, t, dy):
    """The sum of the rows' losses, and whether a label was out of range (then dy is unfinished)."""
    N, C = y.shape
    total = 0.0
    for n in range(N):
        label = t[n]
        if label < 0 or label >= C:
            return total, True
        peak = y[n, 0]
        for c in range(1, C):
            if y[n, c] > peak:
                peak = y[n, c]
        s = y.dtype.type(0)
        for c in range(C):
            dy[n, c] = exp_neg(y[n, c] - peak)
        for c in range(C):
            s += dy[n, c]
        total += math.log(s) - float64(y[n, label] - peak)
        for c in range(C):
            dy[n, c] /= s
        dy[n, label] -= 1
        for c in range(C):
            dy[n, c] /= N
    return total, False
