"""Affine maps, y = x W + b: dW = x^T dy, db = the sum of dy over rows, dx = dy W^T."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....checks import Array
from .entry import Entry, Facts

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients


@dataclass
class AffineFacts(Facts):
    """x, y, dy as rows, also of sequences (N, T, D); W as (in, out), and whether it is stored as (out, in)."""

    W: Array = None  # type: ignore[assignment]
    transposed: bool = False

    def __post_init__(self) -> None:
        (D, K), self.shape, self.n = self.W.shape, self.layer.x.shape, self.layer.n
        self.x, self.y, self.dy = (a.reshape(-1, a.shape[-1]) for a in (self.layer.x, self.layer.y, self.layer.dy))
        self.examples = self.dy.reshape(self.n, -1, K)  # dy by examples, with their positions
        self.square = D == K

    @property
    def dW(self) -> Array:
        """The right one."""
        return self.x.T @ self.dy

    def x_of(self, example: int) -> Array:
        """x of one example: a row, or as many as it has positions."""
        return self.x.reshape(self.n, -1, self.W.shape[0])[example]

    @property
    def positions(self) -> Iterable[int]:
        """Those of a sequence, the last one first."""
        T = self.examples.shape[1]
        return (T - 1, *range(T - 1)) if T > 1 else ()

    def of_position(self, k: int) -> Array:
        """dW of one position of all examples."""
        return self.x.reshape(*self.examples.shape[:2], -1)[:, k].T @ self.examples[:, k]

    def own(self, part: str, a: Array) -> Array:
        if part == "dx":
            return a.reshape(self.shape)
        return a.T if part == "dW" and self.transposed else a

    def gradient(self, part: str) -> Array | None:
        if part == "db":
            return self.dy.sum(axis=0)
        return self.own(part, self.dW if part == "dW" else self.dy @ self.W.T)


def recognise(layer: LayerGradients, name: str = "x") -> AffineFacts | None:
    """A parameter W of which y is x W, but for a row that is always the same."""
    D, K = layer.x.shape[-1], layer.y.shape[-1]
    if layer.x.shape[:-1] != layer.y.shape[:-1]:
        return None
    x = np.random.default_rng(2).normal(size=(3, *layer.x.shape[1:]))
    for own in layer.tested.names:
        value = layer.tested.value(own)
        for transposed in (False, True):
            W = value.T if transposed else value
            if W.shape != (D, K):
                continue
            try:
                shift = layer.tested.forward(x) - x @ W
            except Exception:  # a layer that takes only certain rows
                return None
            if np.allclose(shift, shift[0], rtol=1e-10, atol=1e-10 * np.abs(x @ W).max(initial=1)):
                b = bias(layer, own)
                parts = {own: "dW", "x": "dx", **({b: "db"} if b else {})}
                words = {"W": own} | (SEQUENCES if layer.x.ndim > 2 else ROWS)
                return AffineFacts(layer, parts, RIGHT[transposed], words, W=W, transposed=transposed)
    return None


def bias(layer: LayerGradients, W: str) -> str | None:
    """The parameter that is added to x W: when it moves by 1, so does y."""
    for b in layer.tested.names:
        value = layer.tested.value(b)
        if b != W and value.size == layer.y.shape[-1]:
            moved = layer.tested.forward(layer.x, {b: value + 1})
            if np.allclose(moved, layer.y + 1):
                return b
    return None


def rows(a: AffineFacts) -> Iterable[int]:
    """All rows, the last one first: that is the one that a loop with = leaves."""
    return (a.n - 1, *range(a.n - 1))


ROWS = {"x": "x", "dy": "dy"}
SEQUENCES = {"x": "x.reshape(-1, D)", "dy": "dy.reshape(-1, K)"}  # each position of an example is a row
RIGHT = {
    False: {"dW": "{x}.T @ {dy}", "db": "{dy}.sum(axis=0)", "dx": "dy @ {W}.T"},
    True: {"dW": "{dy}.T @ {x}", "db": "{dy}.sum(axis=0)", "dx": "dy @ {W}"},
}

SLIPS = (
    Entry("dW-transposed", "dW", lambda a: a.dW.T, "the transpose of it", "dW is the transpose of what it should be"),
    Entry("dW-from-y", "dW", lambda a: a.y.T @ a.dy, "y.T @ dy, with the output",
         "dW is computed from the output in place of the input"),
    Entry("one-sample", "dW", lambda a, k: a.x_of(k).T @ a.examples[k],
         "the product of sample {k} alone (= where += belongs)", "only one row counts in a gradient: = in place of +=",
         each=rows),
    Entry("one-position", "dW", lambda a, k: a.of_position(k), "if position {k} of the sequences were the only one",
         "only one position of each sequence counts in a gradient: = in place of +=", each=lambda a: a.positions),
    Entry("dx-not-transposed", "dx", lambda a: a.dy @ a.W if a.square else None,
         "dy @ {W}", "dx is computed with W in place of its transpose"),
)  # fmt: skip

SHAPES = (
    Entry("dW-from-y", "dW", lambda a: a.y.T @ a.dy, "y.T @ dy, the output in place of the input"),
)  # fmt: skip
