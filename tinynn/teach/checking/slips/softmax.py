"""Softmax as a layer, and its logarithm.

p = exp(x) / sum(exp(x))          dx = p (dy - sum(dy p))
log p                             dx = dy - p sum(dy)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....checks import Array
from ..measure import same
from .entry import Entry, Facts

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients


@dataclass
class SoftmaxFacts(Facts):
    """d = dy, p, and the axis over which p sums to 1."""

    p: Array = None  # type: ignore[assignment]
    axis: int = -1

    def __post_init__(self) -> None:
        self.d = self.layer.dy

    def total(self, a: Array, axis: int | None = None) -> Array:
        """The sum over the axis, kept."""
        return np.asarray(a.sum(axis=self.axis if axis is None else axis, keepdims=True))


def recognise(layer: LayerGradients, name: str) -> SoftmaxFacts | None:
    """y is the softmax of x, or its logarithm, over one axis."""
    x, y = layer.x, layer.y
    if name != "x" or x.shape != y.shape:
        return None
    for axis in range(x.ndim)[::-1]:
        e = np.exp(x - x.max(axis=axis, keepdims=True))
        p = e / e.sum(axis=axis, keepdims=True)
        kind = "softmax" if same(y, p) else "log" if same(y, np.log(p)) else ""
        if kind:
            formula = "y * (dy - sum(dy * y))" if kind == "softmax" else "dy - exp(y) * sum(dy)"
            return SoftmaxFacts(layer, {"x": "dx"}, {"dx": f"{formula}, the sum over axis {axis}"}, {}, kind, p, axis)
    return None


def other_axes(s: SoftmaxFacts) -> Iterable[int]:
    """All axes but that of the softmax."""
    return (axis for axis in range(s.p.ndim) if axis != s.axis)


SLIPS = (
    Entry("diagonal-only", "dx", lambda s: s.d * s.p * (1 - s.p),
         "dy * y * (1 - y), the Jacobian's diagonal alone", of="softmax"),
    Entry("softmax-sum-missing", "dx", lambda s: s.d * s.p, "dy * y, without the sum", of="softmax"),
    Entry("softmax-sum-axis", "dx", lambda s, k: s.p * (s.d - s.total(s.d * s.p, k)),
         "y * (dy - sum(dy * y)), the sum over axis {k}", of="softmax", each=other_axes),
    Entry("softmax-sum-axis", "dx", lambda s: s.p * (s.d - (s.d * s.p).mean(axis=s.axis, keepdims=True)),
         "y * (dy - mean(dy * y)), a mean for the sum", of="softmax"),
    Entry("softmax-without-p", "dx", lambda s: s.d - s.total(s.d * s.p), "dy - sum(dy * y), without y in front",
         "the softmax's gradient lacks the p in front", of="softmax"),
    Entry("softmax-skipped", "dx", lambda s: s.d, "dy itself, which is right where a loss has the softmax in it"),
    Entry("other-softmax", "dx", lambda s: s.d - s.p * s.total(s.d),
         "dy - y * sum(dy), which is right for the logarithm",
         "backward is that of the softmax, and forward takes its logarithm; or the reverse", of="softmax"),
    Entry("other-softmax", "dx", lambda s: s.p * (s.d - s.total(s.d * s.p)),
         "p * (dy - sum(dy * p)), which is right for p, not log p", of="log"),
    Entry("diagonal-only", "dx", lambda s: s.d * (1 - s.p), "dy * (1 - p), the Jacobian's diagonal alone", of="log"),
    Entry("softmax-sum-missing", "dx", lambda s: s.d + s.p,
         "dy + p, which is right behind the negative log-likelihood alone, whose dy is -1 in one place", of="log"),
    Entry("softmax-sum-missing", "dx", lambda s: s.d - s.p, "dy - p, without sum(dy)", of="log"),
    Entry("softmax-without-p", "dx", lambda s: s.d - s.total(s.d), "dy - sum(dy), without p", of="log"),
)  # fmt: skip
