"""A value that goes two ways, y = x + g(x) or y = x g(x): what comes back on both ways adds up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....checks import Array
from .entry import Entry, Facts

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients


@dataclass
class ForkFacts(Facts):
    """dy, and the right dx as it was measured."""

    def __post_init__(self) -> None:
        self.dy, self.dx = self.layer.dy, self.layer.numeric("x")

    @property
    def of_x(self) -> Array:
        """What comes back to x as the first factor of y = x g(x): dy g(x)."""
        with np.errstate(all="ignore"):
            return self.dy * self.layer.y / self.layer.x


def recognise(layer: LayerGradients, name: str) -> ForkFacts | None:
    """Any layer whose y is as large as x: only a match can say whether x goes straight through."""
    if name != "x" or layer.x.shape != layer.y.shape or not np.isfinite(layer.numeric("x")).all():
        return None
    kind = "elementwise" if layer.slope(layer.x) is not None else ""
    return ForkFacts(layer, {"x": "dx"}, {"dx": "dy + dy g'(x), the sum of both ways"}, kind=kind)


BOTH = "dy * (g(x) + x g'(x))"
PRODUCT = "one term of two: y is a product, x g(x), and x is in both factors"

SLIPS = (
    Entry("fork-overwritten", "dx", lambda f: f.dx - f.dy,
         "what comes back on one way; x also goes straight through, y = x + g(x)",
         "a value that is used twice gets the gradient of one use only"),
    Entry("fork-doubled", "dx", lambda f: f.dx + f.dy, "the right gradient with dy added once more",
          "what comes straight back, past a layer, is added twice"),
    Entry("fork-multiplied", "dx", lambda f: (f.dx - f.dy) * f.dy, "what comes back on two ways, multiplied",
          "what comes back on two ways is multiplied in place of added"),
    Entry("missing-derivative", "dx", lambda f: f.dy, "dy itself: what the layer does with x is missing",
          right="dy times the derivative of what the layer does with x"),
    Entry("fork-overwritten", "dx", lambda f: f.of_x, f"dy * g(x), {PRODUCT}", right=BOTH, of="elementwise"),
    Entry("fork-overwritten", "dx", lambda f: f.dx - f.of_x, f"dy * x * g'(x), {PRODUCT}", right=BOTH,
         of="elementwise"),
)  # fmt: skip
