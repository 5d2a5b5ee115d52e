"""Gradients of any parameter in another shape than its own: a sum that is missing, or one that went too far.

What was returned is known here: an entry looks at it, and gives it back where it is the slip's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....checks import Array
from ..measure import H_CENTRAL as H
from ..measure import same
from .entry import Entry, Facts

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients


@dataclass
class ShapeFacts(Facts):
    """A parameter's name, its right gradient n, and the value of another shape that backward gave."""

    name: str = ""
    value: Array = None  # type: ignore[assignment]
    n: Array = None  # type: ignore[assignment]

    def has_rows(self, axis: int) -> bool:
        """Whether the sum over this axis, which has an entry for each sample, is all that is missing."""
        one = self.value.ndim == 2 and self.value.shape[axis] == self.layer.n
        return one and same(self.value.sum(axis=axis), self.n.ravel())

    def has_positions(self) -> bool:
        """Whether the sum over all axes but one is missing."""
        if self.value.ndim <= self.n.ndim or self.value.size <= self.n.size:
            return False
        others = [tuple(k for k in range(self.value.ndim) if k != own) for own in range(self.value.ndim)]
        return any(same(self.value.sum(axis=axes), self.n.ravel()) for axes in others)

    def over_units(self) -> bool:
        """Whether it is a bias's, summed over axis 1."""
        return self.value.size == self.layer.n and same(self.value.ravel(), self.layer.dy.sum(axis=1))

    def over_features(self) -> bool:
        """Whether it is a scale's, a number for each column of y, whose terms dy xhat are summed over axis 1."""
        layer, at = self.layer, self.layer.at(self.name)
        if self.value.size != layer.n or layer.dy.ndim != 2:
            return False
        above, below = (layer.tested.forward(layer.x, {self.name: at + h}) for h in (H, -H))
        return same(self.value.ravel(), (layer.dy * (above - below) / (2 * H)).sum(axis=1), 1e-6)

    def is_total(self) -> bool:
        """Whether it is one number, the sum of the right ones, which may itself be 0."""
        return self.value.ndim == 0 and abs(self.value - self.n.sum()) <= 1e-9 * np.abs(self.n).sum()


def recognise(layer: LayerGradients, name: str, value: Array, n: Array) -> ShapeFacts | None:
    """Numbers of another shape than n, the right gradient of `name`."""
    if value.dtype.kind not in "fiu":
        return None
    return ShapeFacts(layer, {name: "any"}, {}, {"name": name, "shape": n.shape}, name=name, value=value, n=n)


SHAPES = (
    Entry("dW-transposed", "any", lambda s: s.n.T if s.n.ndim == 2 else None, "the transpose of the right one",
          right="d{name}.T"),
    Entry("bias-not-summed", "any", lambda s: s.value if s.has_rows(0) else None,
          "not summed over the rows: it still has one for each sample", "db has a row for each example: the sum over "
          "rows is missing", right="dy.sum(axis=0)"),
    Entry("bias-not-summed", "any", lambda s: s.value if s.has_rows(1) else None,
          "not summed over the samples: it still has a column for each sample", right="dy.sum(axis=1, keepdims=True)"),
    Entry("bias-not-summed", "any", lambda s: s.value if s.has_positions() else None,
          "not summed over everything but its own axis", right="dy.sum(axis=(0, ...))"),
    Entry("bias-wrong-axis", "any", lambda s: s.value if s.over_units() else None,
          "summed over the units (axis=1), not over the rows", right="dy.sum(axis=0)"),
    Entry("scale-wrong-axis", "any", lambda s: s.value if s.over_features() else None,
          "summed over the features (axis=1), not over the samples", right="(dy * xhat).sum(axis=0)"),
    Entry("bias-total", "any", lambda s: s.value if s.is_total() else None,
          "one number, the sum over everything, where each unit needs its own", right="dy.sum(axis=0)"),
    Entry("wrong-shape", "any", lambda s: s.value if s.value.size == s.n.size and same(s.value.ravel(), s.n.ravel())
          else None, "right in its numbers, but an update with it would change the shape of {name}",
          right="d{name}.reshape({name}.shape)"),
)  # fmt: skip
