"""Parameters with one number for each unit: a bias, whose gradient is the sum of dy over rows, or a scale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....checks import Array
from .. import measure
from .entry import Entry, Facts

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients


@dataclass
class VectorFacts(Facts):
    """dy, and for a scale its layer: there the sum over rows is of other terms."""

    def __post_init__(self) -> None:
        self.dy, self.n = self.layer.dy, self.layer.n
        self.square = self.dy.shape[0] == self.dy.shape[1]
        self.scale = next((name for name, part in self.parts.items() if part == "dg"), "")

    def own(self, part: str, a: Array) -> Array:
        return a.reshape(self.words["shape"])

    @property
    def total(self) -> Array:
        """The sum over all numbers, for each unit."""
        n = self.layer.numeric(self.scale)
        return np.full(n.shape, n.sum())

    def of_one_row(self, row: int) -> Array:
        """What one row of dy alone would give for a scale, measured."""
        masked = np.zeros(self.dy.shape)
        masked[row] = self.dy[row]
        scalar, at = self.layer.scalar(self.scale, dy=masked), self.layer.at(self.scale)
        return measure.gradient(scalar, at, self.layer.exact)


def recognise(layer: LayerGradients, name: str) -> VectorFacts | None:
    """As many numbers as y has units; a bias where the gradient is the sum of dy over rows."""
    if name == "x" or layer.tested.value(name).size != layer.y.shape[1]:
        return None
    n = layer.numeric(name)
    if not np.isfinite(n).all():
        return None
    is_bias = measure.same(n.ravel(), layer.dy.sum(axis=0))
    right = {"db": "dy.sum(axis=0)", "dg": "the sum over the rows"}
    return VectorFacts(layer, {name: "db" if is_bias else "dg"}, right, {"shape": n.shape})


def rows(v: VectorFacts) -> Iterable[int]:
    """All rows, the last one first."""
    return (v.n - 1, *range(v.n - 1))


SLIPS = (
    Entry("bias-mean", "db", lambda v: v.dy.mean(axis=0) if v.n > 1 else None,
         "dy.mean(axis=0), though the loss has averaged", "db is the mean of dy's rows in place of their sum"),
    Entry("bias-total", "db", lambda v: np.full(v.dy.shape[1], v.dy.sum()), "dy.sum(), one number for all units",
         "db is the sum of all of dy, the same for each unit"),
    Entry("bias-wrong-axis", "db", lambda v: v.dy.sum(axis=1) if v.square else None, "dy.sum(axis=1), over the units",
         "db is summed over the units in place of the rows"),
    Entry("one-sample", "db", lambda v, k: v.dy[k], "dy[{k}], one sample alone", each=rows),
    Entry("bias-total", "dg", lambda v: v.total, "the sum over everything"),
    Entry("one-sample", "dg", lambda v, k: v.of_one_row(k), "sample {k}'s part alone (= where += belongs)", each=rows),
)  # fmt: skip
