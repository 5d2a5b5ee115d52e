"""An embedding, y = W[ids]: a row of dW is the sum of dy where its id is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....checks import Array
from ..ids import padding_row, whole
from .entry import Entry, Facts

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients


@dataclass
class EmbeddingFacts(Facts):
    """ids and d = dy as lists of rows; dW, the right one; how often each id comes."""

    W: Array = None  # type: ignore[assignment]
    padding: int | None = None

    def __post_init__(self) -> None:
        self.ids, self.d = whole(self.layer.x).ravel(), self.layer.dy.reshape(-1, self.W.shape[1])
        self.dW = np.zeros(self.W.shape)
        np.add.at(self.dW, self.ids, self.d)
        self.count = np.maximum(np.bincount(self.ids, minlength=len(self.W)), 1)[:, None]

    def assigned(self, ids: Array, d: Array) -> Array:
        """dW[ids] = d: the last of several counts."""
        out = np.zeros(self.W.shape)
        out[ids] = d
        return out

    def by_place(self) -> Array | None:
        """The first rows of dW are dy, as it comes."""
        fits = len(self.d) <= len(self.W)
        return self.assigned(np.arange(len(self.d)), self.d) if fits else None

    def own(self, part: str, a: Array) -> Array:
        if self.padding is not None:
            a = np.array(a)
            a[self.padding] = 0
        return a


def recognise(layer: LayerGradients, name: str) -> EmbeddingFacts | None:
    """y is rows of W, taken by x."""
    if name == "x":
        return None
    W, ids = layer.at(name), whole(layer.x)
    if W.ndim != 2 or layer.y.shape != (*ids.shape, W.shape[1]) or ids.min() < 0 or ids.max() >= len(W):
        return None
    if not np.array_equal(layer.y, W[ids]):
        return None
    right = {"dW": "from np.add.at(dW, ids, dy), which sums dy where the id is"}
    padding = padding_row(layer.tested.original, layer.analytic[name])
    return EmbeddingFacts(layer, {name: "dW"}, right, W=W, padding=padding)


SLIPS = (
    Entry("ids-not-summed", "dW", lambda e: e.assigned(e.ids, e.d),
         "from the last dy of each id: dW[ids] = dy, and dW[ids] += dy as well, keep one of several",
         "of an id that comes several times, one gradient counts"),
    Entry("ids-not-summed", "dW", lambda e: e.assigned(e.ids[::-1], e.d[::-1]), "from the first dy of each id alone"),
    Entry("ids-averaged", "dW", lambda e: e.dW / e.count,
         "from the mean of dy where the id is: divided by how often it comes",
         "the gradients of an id are averaged in place of summed"),
    Entry("ids-shifted", "dW", lambda e: np.roll(e.dW, 1, axis=0), "from the id before: each row is one too far down",
         "gradients are written to the row of another id"),
    Entry("ids-shifted", "dW", lambda e: np.roll(e.dW, -1, axis=0), "from the id after: each row is one too far up"),
    Entry("ids-ignored", "dW", lambda e: np.array(np.broadcast_to(e.d.sum(axis=0), e.W.shape)),
         "from all dy, whatever their ids are", "gradients do not depend on the ids"),
    Entry("ids-ignored", "dW", lambda e: e.by_place(), "from dy in the order of the batch, whatever the ids are"),
)  # fmt: skip
