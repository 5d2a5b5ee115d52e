"""The figures of arrays that the checks and Watch give: sizes, spreads, shares; the columns of x."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..checks import Array
from ..layers import Sigmoid
from ..layers.layer import Layer

FLAT = 0.05  # saturated is where the slope is less than so much of its greatest


def entropy(p: Array) -> Array:
    """-sum p log p of each row of probabilities, with 0 log 0 = 0."""
    return -(p * np.log(p + (p == 0))).sum(axis=-1)


def rms(a: Array) -> float:
    """Root mean square."""
    return math.sqrt(np.square(a, dtype=np.float64).mean()) if a.size else 0.0


def spread(a: Array) -> float:
    """How much the rows differ: the root of the columns' mean variance."""
    return math.sqrt(a.var(axis=0, dtype=np.float64).mean())


def dead(y: Array) -> float:
    """The share of units, or channels of images, that are 0 in every row."""
    return float((y.reshape(-1, y.shape[-1]) == 0).all(axis=0).mean())


def saturated(layer: Layer, y: Array) -> float:
    """The share of a Sigmoid's or Tanh's outputs where its slope is next to 0."""
    slope = 4 * y * (1 - y) if isinstance(layer, Sigmoid) else 1 - y * y  # over the greatest, 1/4 and 1
    return float((slope < FLAT).mean())


def labels_of(t: Array) -> Array:
    """All labels, one after the other; those of rows of probabilities are the likeliest."""
    return t.ravel() if t.dtype.kind in "iu" else t.argmax(axis=-1).ravel()


class Columns:
    """Least, greatest and root mean square of each column over the rows without NaN or infinity; which those are."""

    def __init__(self, chunks: Iterable[Array]) -> None:
        lows, highs, squares, finite, whole = [], [], [], [], []
        for chunk in chunks:
            chunk = chunk.reshape(len(chunk), -1)  # each pixel of an image is a column
            finite.append(np.isfinite(chunk).all(axis=1))
            chunk = chunk if finite[-1].all() else chunk[finite[-1]]
            lows.append(chunk.min(axis=0, initial=math.inf))
            highs.append(chunk.max(axis=0, initial=-math.inf))
            squares.append((chunk * chunk).sum(axis=0, dtype=np.float64))
            whole.append((chunk == np.rint(chunk)).all())
        self.finite = np.concatenate(finite)
        self.low, self.high, self.whole = np.min(lows, axis=0), np.max(highs, axis=0), all(whole)
        self.rms = np.sqrt(np.sum(squares, axis=0) / max(self.finite.sum(), 1))
