"""Parameters with one number for each unit: a bias, whose gradient is the sum of dy over rows, or a scale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....checks import Array
from .. import measure
from ..adapted import is_network
from .entry import Entry, Facts

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients


@dataclass
class VectorFacts(Facts):
    """dy, and for a scale its layer: there the sum over rows is of other terms."""

    def __post_init__(self) -> None:
        self.all, self.n = np.moveaxis(self.layer.dy, self.words["axis"], -1), self.layer.n
        self.dy = self.all.reshape(-1, self.all.shape[-1])  # the rows of a table, the positions of sequences and images
        self.square = self.layer.dy.shape == 2 * self.layer.dy.shape[:1]
        self.scale = next((name for name, part in self.parts.items() if part == "dg"), "")

    def own(self, part: str, a: Array) -> Array:
        return a.reshape(self.words["shape"])

    @property
    def total(self) -> Array:
        """The sum over all numbers, for each unit."""
        n = self.layer.numeric(self.scale)
        return np.full(n.shape, n.sum())

    def of_example(self, k: int) -> Array:
        """db of one row, sequence or image."""
        return self.all[k].reshape(-1, self.dy.shape[1]).sum(axis=0)

    def of_one_row(self, row: int) -> Array:
        """What one row of dy alone would give for a scale, measured."""
        masked = np.zeros(self.dy.shape)
        masked[row] = self.dy[row]
        scalar, at = self.layer.scalar(self.scale, dy=masked), self.layer.at(self.scale)
        return measure.gradient(scalar, at, self.layer.exact)


def recognise(layer: LayerGradients, name: str) -> VectorFacts | None:
    """As many numbers as y has units or channels; a bias where the gradient is the sum of dy over all else."""
    if is_network(layer.tested.original):  # its y is the loss, the same in each row
        return None
    dy = layer.dy
    axes = [axis for axis in (dy.ndim - 1, 1) if name != "x" and layer.tested.value(name).size == dy.shape[axis]]
    n = layer.numeric(name) if axes else np.full(1, np.nan)
    if not np.isfinite(n).all():
        return None
    for axis in axes:
        others = tuple(k for k in range(dy.ndim) if k != axis)
        if measure.same(n.ravel(), dy.sum(axis=others), 1e-8 if layer.exact else 1e-5):
            over = others[0] if len(others) == 1 else others
            right = {"db": f"dy.sum(axis={over})"}
            return VectorFacts(layer, {name: "db"}, right, {"shape": n.shape, "axis": axis, "over": over})
    words = {"shape": n.shape, "axis": axes[0]}
    return VectorFacts(layer, {name: "dg"}, {"dg": "the sum over the rows"}, words)


def rows(v: VectorFacts) -> Iterable[int]:
    """All rows, the last one first."""
    return (v.n - 1, *range(v.n - 1))


SLIPS = (
    Entry("bias-mean", "db", lambda v: v.dy.mean(axis=0) if len(v.dy) > 1 else None,
         "dy.mean(axis={over}), though the loss has averaged", "db is the mean of dy's rows in place of their sum"),
    Entry("bias-total", "db", lambda v: np.full(v.dy.shape[1], v.dy.sum()), "dy.sum(), one number for all units",
         "db is the sum of all of dy, the same for each unit"),
    Entry("bias-wrong-axis", "db", lambda v: v.dy.sum(axis=1) if v.square else None, "dy.sum(axis=1), over the units",
         "db is summed over the units in place of the rows"),
    Entry("one-sample", "db", lambda v, k: v.of_example(k), "dy[{k}], one sample alone", each=rows),
    Entry("one-window", "db", lambda v: v.dy[-1] if len(v.dy) > v.n else None,
          "dy of the last position of the last example alone",
          "only the last window counts in a gradient: = in place of +="),
    Entry("one-window", "db", lambda v: v.all[:, -1].reshape(v.n, -1, v.dy.shape[1])[:, -1].sum(axis=0)
          if v.all.ndim > 2 else None, "dy of the last position alone"),
    Entry("bias-total", "dg", lambda v: v.total, "the sum over everything"),
    Entry("one-sample", "dg", lambda v, k: v.of_one_row(k), "sample {k}'s part alone (= where += belongs)", each=rows),
)  # fmt: skip
