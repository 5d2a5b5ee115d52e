"""Which attention a layer computes, from its forward alone: the scale, the mask, the softmax's axis, the heads.

    S = c Q K^T + mask,  P = softmax(S) over the keys,  O = P V         each head by itself, c = 1 / sqrt(dh)

All weights are set to 1 on the diagonal and 0 elsewhere, and biases to 0, so that Q = K = V = x, whatever their names
are. What is left is compared with the textbook's attention with one slip at a time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ....checks import Array
from ..measure import normal, same
from .probed import Probed


@dataclass(frozen=True)
class Attention:
    """One way to compute it; the first values are the right ones."""

    heads: int
    scale: str = "1 / sqrt(dh)"
    causal: bool = False
    softmax: str = "keys"  # or "queries", "heads", "batch"
    split: str = "right"  # or "reshape": x.reshape(B, H, T, dh) in place of reshape(B, T, H, dh) and transpose
    merge: str = "right"  # or "reshape": heads.reshape(B, T, D) without the transpose back
    mask: str = "-inf"  # or "after", "reversed", "diagonal", "ahead", "= m", "+ m"
    m: float = 0.0

    def of(self, x: Array) -> Array:
        """O for Q = K = V = x (B, T, D)."""
        B, T, D = x.shape
        H, dh = self.heads, D // self.heads
        if self.split == "right":
            q = x.reshape(B, T, H, dh).transpose(0, 2, 1, 3)
        else:
            q = x.reshape(B, H, T, dh)
        S = SCALES[self.scale](T, D, dh) * q @ q.transpose(0, 1, 3, 2)
        P = self._weights(S, T)
        o = P @ q
        if self.merge == "reshape" or self.split == "reshape":
            return np.asarray(o.reshape(B, T, D))
        return np.asarray(o.transpose(0, 2, 1, 3).reshape(B, T, D))

    def _weights(self, S: Array, T: int) -> Array:
        axis = {"keys": -1, "queries": -2, "heads": 1, "batch": 0}[self.softmax]
        seen = np.tri(T, dtype=bool)
        if self.causal and self.mask in ("reversed", "diagonal", "ahead"):
            seen = {"reversed": seen.T, "diagonal": np.tri(T, k=-1, dtype=bool), "ahead": np.tri(T, k=1, dtype=bool)}[
                self.mask
            ]
        if self.causal and self.mask == "+ m":
            S = np.where(seen, S, S + self.m)
        elif self.causal and self.mask == "= m":
            S = np.where(seen, S, self.m)
        elif self.causal and self.mask != "after":
            S = np.where(seen, S, -1e9)
        P = np.exp(S - S.max(axis=axis, keepdims=True))
        P /= P.sum(axis=axis, keepdims=True)
        return np.asarray(P * seen) if self.causal and self.mask == "after" else np.asarray(P)


SCALES = {  # of T tokens, a width D, and dh of each head
    "1 / sqrt(dh)": lambda T, D, dh: dh**-0.5,
    "1": lambda T, D, dh: 1.0,
    "1 / dh": lambda T, D, dh: 1 / dh,
    "1 / sqrt(D)": lambda T, D, dh: D**-0.5,
    "1 / sqrt(T)": lambda T, D, dh: T**-0.5,
    "sqrt(dh)": lambda T, D, dh: dh**0.5,
}


def right_ones(heads: Iterator[int]) -> Iterator[Attention]:
    """What textbooks have: with or without a mask; with each scale that somebody means."""
    for H, causal, scale in itertools.product(heads, (False, True), SCALES):
        yield Attention(H, scale, causal)


def with_one_slip(right: Attention, batch: int) -> Iterator[Attention]:
    """The same with one slip."""
    yield replace(right, softmax="queries")
    if batch > 1:
        yield replace(right, softmax="batch")
    if right.heads > 1:
        yield replace(right, softmax="heads")
        yield replace(right, split="reshape")
        yield replace(right, merge="reshape")
    if right.causal:
        for mask in ("after", "reversed", "diagonal", "ahead"):
            yield replace(right, mask=mask)
        for m in (0.0, -1.0, -5.0, -10.0, -15.0):
            yield replace(right, mask="= m", m=m)
            yield replace(right, mask="+ m", m=m)


def attention_of(probed: Probed) -> Attention | None:
    """The attention that the layer's forward is, to 1e-9; None for another layer."""
    x, tested = probed.x, probed.tested
    if x.shape[:-1] != probed.y.shape[:-1] or x.ndim not in (2, 3) or not 2 < x.size <= 5000 or x.shape[-2] < 2:
        return None
    width = _width(probed, x.shape[-1])
    x = normal(probed.rng, x)
    y = tested.forward(x, {name: _ones(tested.value(name), x.shape[-1], width) for name in tested.names})
    if x.ndim == 2:
        x, y = x[None], y[None]
    around = y - x if y.shape == x.shape else y  # y = x + attention(x), too
    x = x @ np.eye(x.shape[-1], width)
    out = np.eye(width, y.shape[-1])
    if same(y[:, 0], x[:, 0] @ out) and same(y[:, -1], x[:, -1] @ out):
        return None
    rights = list(right_ones(_heads(probed, width)))
    for one in itertools.chain(rights, *(with_one_slip(right, len(x)) for right in rights)):
        o = one.of(x) @ out
        if same(y, o) or same(around, o):
            return one
    return None


def _ones(value: Array, D: int, width: int) -> Array:
    """A weight with 1 on its diagonal, or on that of each of several side by side; a bias of 0."""
    if value.ndim < 2:
        return np.zeros(value.shape)
    if value.shape == (D, width) or value.size % (D * D):
        return np.eye(*value.shape[:2])
    many = value.size // (D * D)
    return (np.tile(np.eye(D), many) if value.shape[0] == D else np.tile(np.eye(D), (many, 1))).reshape(value.shape)


def _width(probed: Probed, D: int) -> int:
    """The width of queries, keys and values: that of three weights (D, width), else D."""
    shapes = [probed.tested.value(name).shape for name in probed.tested.names]
    widths = [shape[1] for shape in shapes if len(shape) == 2 and shape[0] == D]
    return next((width for width in widths if widths.count(width) >= 3), D)


def _heads(probed: Probed, D: int) -> Iterator[int]:
    """The numbers of heads that are possible: that which the layer says, first."""
    said = [
        value
        for name, value in probed.attributes.items()
        if isinstance(value, int) and ("head" in name.lower() or name.lower() in ("h", "nh"))
    ]
    fitting = [H for H in said if H > 0 and D % H == 0]
    yield from fitting or [H for H in range(1, D + 1) if D % H == 0]
