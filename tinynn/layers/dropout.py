"""Dropout."""

from __future__ import annotations

from .. import checks
from ..checks import Array
from .activations import Activation

__all__ = ["Dropout"]


class Dropout(Activation):
    """Each number of x is dropped, set to 0, with the probability `rate`; the others are divided by 1 - rate.

    So no unit can rely on another one, and the mean of y is x. `layer(x)` drops nothing: y = x. A new mask is drawn in
    each forward, from the model's generator, `self.rng`. 0 <= rate < 1: the share that is *dropped*.
    Source: Srivastava et al. 2014.
    """

    keeps = ()

    def __init__(self, rate: float) -> None:
        self.rate = checks.number("Dropout: rate", rate, 0, 1)

    def forward(self, x: Array) -> Array:
        if not self.training:
            return x.copy()
        self.mask = self.ops.dropout_mask(self.rng, x.shape, self.rate, x.dtype)
        return x * self.mask

    def backward(self, dy: Array) -> Array:
        return dy * self.mask

    def __repr__(self) -> str:
        return f"Dropout({self.rate!r})"
