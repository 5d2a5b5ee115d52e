"""Activations, y = f(x) element by element: dx = dy f'(x)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....checks import Array
from ..measure import same
from .entry import Entry, Facts

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients


@dataclass
class ActivationFacts(Facts):
    """z the input, y the output, d = dy, slope = f'(z). The kind is the name of f, where it is known."""

    slope: Array = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.z, self.y, self.d = self.layer.x, self.layer.y, self.layer.dy

    @property
    def slope_at_y(self) -> Array | None:
        """f'(y), with the output in place of the input."""
        return self.layer.slope(self.y)


RIGHT = {"sigmoid": "dy * y * (1 - y)", "tanh": "dy * (1 - y**2)", "relu": "dy * (x > 0)"}


def recognise(layer: LayerGradients, name: str) -> ActivationFacts | None:
    """A layer whose y at one place depends on x at this place alone."""
    slope = layer.slope(layer.x) if name == "x" else None
    if slope is None:
        return None
    z, y = layer.x, layer.y
    kind = ""
    if same(y, 1 / (1 + np.exp(-z))):
        kind = "sigmoid"
    elif same(y, np.tanh(z)):
        kind = "tanh"
    elif np.array_equal(y, np.where(z > 0, z, 0)):
        kind = "relu"
    return ActivationFacts(layer, {"x": "dx"}, {"dx": RIGHT.get(kind, "dy * f'(x)")}, kind=kind, slope=slope)


def with_slope(a: ActivationFacts, slope: Array | None) -> Array | None:
    """dy times the slope, where it is known."""
    return None if slope is None else a.d * slope


SLIPS = (
    Entry("missing-derivative", "dx", lambda a: a.d, "dy itself: the slope f'(x) is missing",
         "dx is dy: the slope is missing"),
    Entry("missing-dy", "dx", lambda a: a.slope, "f'(x): dy is missing (chain rule)", "dx is the slope: dy is missing"),
    # sigmoid
    Entry("derivative-of-input", "dx", lambda a: a.d * a.z * (1 - a.z), "dy * x * (1 - x), with the input for y",
         "the slope's formula in terms of the output is given the input", of="sigmoid"),
    Entry("derivative-incomplete", "dx", lambda a: a.d * a.y, "dy * y: the factor 1 - y is missing",
         "the slope lacks one of its factors", of="sigmoid"),
    Entry("derivative-incomplete", "dx", lambda a: a.d * (1 - a.y), "dy * (1 - y): the factor y is missing",
         of="sigmoid"),
    Entry("derivative-sign", "dx", lambda a: a.d * a.y * (1 + a.y), "dy * y * (1 + y): a sign",
         "the slope has a plus where a minus belongs", of="sigmoid"),
    # tanh
    Entry("derivative-of-input", "dx", lambda a: a.d * (1 - a.z * a.z), "dy * (1 - x**2), with the input for y",
         of="tanh"),
    Entry("derivative-incomplete", "dx", lambda a: a.d * (1 - a.y), "dy * (1 - y): y must be squared", of="tanh"),
    Entry("derivative-incomplete", "dx", lambda a: a.d * a.y * a.y, "dy * y**2: the 1 - is missing", of="tanh"),
    Entry("derivative-sign", "dx", lambda a: a.d * (1 + a.y * a.y), "dy * (1 + y**2): a sign", of="tanh"),
    # ReLU
    Entry("mask-from-dy", "dx", lambda a: a.d * (a.d > 0), "dy * (dy > 0): the mask is dy's",
         "the mask is made from dy in place of x", of="relu"),
    Entry("mask-inverted", "dx", lambda a: a.d * (a.z <= 0), "dy * (x <= 0): the mask is upside down",
         "the mask lets through what it should stop", of="relu"),
    Entry("mask-times-y", "dx", lambda a: a.d * a.y, "dy * y: the output in place of its mask",
         "dy is multiplied by the output in place of a mask", of="relu"),
    Entry("mask-from-dy", "dx", lambda a: a.d * (a.d > 0) * (a.z > 0),
         "dy * (dy > 0) * (x > 0): dy has a mask, too", of="relu"),
    # any
    Entry("derivative-of-output", "dx", lambda a: with_slope(a, a.slope_at_y), "dy * f'(y), the slope at the output",
         "the slope is computed at the output in place of the input"),
    Entry("derivative-twice", "dx", lambda a: a.d * a.slope**2, "dy * f'(x)**2: the slope is in it twice",
         "the slope is multiplied twice"),
)  # fmt: skip
