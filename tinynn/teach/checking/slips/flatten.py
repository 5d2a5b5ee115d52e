"""Flatten and its like, which set numbers in another order and change none: dx has dy's numbers, set back."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....checks import Array
from .entry import Entry, Facts

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients


@dataclass
class FlattenFacts(Facts):
    """dy, and the shape that dx must have."""

    def __post_init__(self) -> None:
        self.dy, self.shape = self.layer.dy, self.layer.x.shape

    def unpacked(self, axes: tuple[int, ...]) -> Array:
        """dy read as an array with x's axes in another order, and turned back."""
        return self.dy.reshape([self.shape[k] for k in axes]).transpose(np.argsort(axes))


def recognise(layer: LayerGradients, name: str) -> FlattenFacts | None:
    """A layer without parameters whose y holds the numbers of x, each once, in another shape."""
    x, y = layer.x, layer.y
    if (
        name != "x"
        or layer.tested.names
        or x.shape == y.shape
        or not np.array_equal(np.sort(x, None), np.sort(y, None))
    ):
        return None
    return FlattenFacts(layer, {"x": "dx"}, {"dx": "dy.reshape(x.shape), in the order in which forward has read x"})


def orders(f: FlattenFacts) -> Iterable[tuple[int, ...]]:
    """All orders of x's axes."""
    return itertools.permutations(range(len(f.shape)))


SLIPS = (
    Entry("flatten-order", "dx", lambda f, k: f.unpacked(k), "dy's numbers read with x's axes in the order {k}",
          "numbers are set back in another order than forward has taken them", each=orders),
    Entry("flatten-order", "dx", lambda f: f.dy.reshape(f.shape, order="F"),
          "dy's numbers in Fortran's order, order='F'"),
    Entry("flatten-order", "dx", lambda f: f.dy.T.reshape(f.shape), "dy.T.reshape(x.shape), which mixes the rows"),
)  # fmt: skip

SHAPES = (
    Entry("flatten-not-undone", "dx", lambda f: f.dy, "dy itself", "dx has the flat shape of y, not that of x"),
)  # fmt: skip
