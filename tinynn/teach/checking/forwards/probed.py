"""A layer that is probed: it is asked for y of other x, in training and in use."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ....checks import Array
from ..adapted import Adapted
from ..chance import same_draws
from ..report import place_of
from ..under_test import LayerUnderTest, quiet


class Probed:
    """A layer with one x and its y, and the ways to ask it for more."""

    def __init__(self, tested: LayerUnderTest, x: Array, rng: np.random.Generator) -> None:
        self.tested, self.x, self.rng, self.n = tested, x, rng, len(x)
        self.where, self.y = tested.where, tested.forward(x)
        self.other = np.array(x)  # x with its last row changed
        self.other[-1] = rng.normal(size=x.shape[1:]) * (np.abs(x).max() or 1.0)
        layer = tested.fresh()
        with quiet(), same_draws(layer):
            first, second = (np.array(layer.forward(x.copy())) for _ in range(2))
        self.draws = not np.array_equal(first, second)  # random numbers in training

    @property
    def name(self) -> str:
        """The name of the class, which says what is intended: "groupnorm" for GroupNorm2."""
        return re.sub("[^a-z]", "", type(self.thing).__name__.lower())

    @property
    def thing(self) -> Any:
        """The learner's own object."""
        layer = self.tested.original
        return layer.own if isinstance(layer, Adapted) else layer

    @property
    def attributes(self) -> dict[str, Any]:
        """What it holds, by name."""
        return dict(getattr(self.thing, "__dict__", {}))

    @property
    def rows_first(self) -> bool:
        """Whether axis 0 is surely the examples: in a tinynn Layer, and in a network whose loss has a row for each."""
        return not isinstance(self.tested.original, Adapted) or self.tested.where.startswith("layer ")

    def use(self, x: Array, times: int = 1) -> list[Array] | None:
        """layer(x), several times; None for an object that knows no difference between training and use."""
        if isinstance(self.tested.original, Adapted):
            return None
        layer = self.tested.fresh()
        with quiet(), same_draws(layer):
            return [np.array(layer(x.copy())) for _ in range(times)]

    def mixed(self, y: Array, other: Array) -> str:
        """The entry of the first rows that changes most when the last row of x is another one; empty for none."""
        change = np.abs(other - y)[:-1]
        if self.n < 2 or not change.max() > 1e-9 * (np.abs(y).max() or 1.0):
            return ""
        at = np.unravel_index(int(change.argmax()), change.shape)
        return f"y{place_of(at)} changes by {change[at]:.3g} when row {self.n - 1} of x is changed"


def of_tinynn(tested: LayerUnderTest) -> bool:
    """Whether the layer is one of tinynn's own: tests hold those to what they should be."""
    return type(tested.original).__module__.startswith(("tinynn.layers.", "tinynn.model."))
