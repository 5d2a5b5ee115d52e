"""Slips in the backward pass of a norm: batch, layer, group, instance and RMS.

    y = g xh + b,  xh = (x - mean) / s,  q = dy g
    dx = (q - mean(q) - xh mean(q xh)) / s        dg = sum(dy xh)        db = sum(dy)

The means are those of the norm's own statistics. q - mean(q) is what comes back through the mean, xh mean(q xh) what
comes back through the variance. Of an RMS norm, x / s, there is no mean to come back through. In a batch norm g is the
same for all numbers of a statistic and can stand before the means; in a layer norm it cannot.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....checks import Array
from ..forwards.norms import Norm, plain, recognized
from ..forwards.probed import Probed
from ..measure import same
from .entry import Entry, Facts

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients

Means = Callable[[Array], Array]


@dataclass
class NormFacts(Facts):
    """What a norm's backward has at hand: d = dy, and x, xh, s, g in x's shape."""

    norm: Norm = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        norm, layer = self.norm, self.layer
        self.x, self.y, self.d, self.m = layer.x, layer.y, layer.dy, norm.count(layer.x.shape)
        self.s = norm.divisor(self.x)
        self.top = self.x - norm.mean(self.x) if norm.centred else self.x
        self.xh = self.top / self.s
        self.root = np.sqrt(self.s**2 - norm.eps)  # without eps
        self.k = self.m / (self.m - 1) if norm.of == "var, n - 1" else 1.0
        shifts = {name: 0 * layer.at(name) for name, part in self.parts.items() if part == "db"}
        self.g = (layer.tested.forward(self.x, shifts) - norm.around * self.x) / self.xh
        self.q = self.d * self.g

    def mean(self, a: Array) -> Array:
        """The mean over a statistic, in a's shape."""
        return self.norm.mean(a)

    def dx(self, q: Array | None = None, mean: Means | None = None, a: float = 1, k: float | None = None) -> Array:
        """The right dx, with another q, other means, a times the mean path or k times the variance path."""
        q, mean, k = self.q if q is None else q, mean or self.mean, self.k if k is None else k
        a = a if self.norm.centred else 0
        return np.asarray((q - a * mean(q) - k * self.xh * mean(q * self.xh)) / self.s)

    def own(self, part: str, a: Array) -> Array:
        """dx with what comes past the norm; of dg and db, the sum that makes the right one of its terms."""
        if part == "dx":
            return a + self.norm.around * self.d
        name = next(name for name, its in self.parts.items() if its == part)
        return total(a, self.d * self.xh if part == "dg" else self.d, self.layer.numeric(name))


def recognise(layer: LayerGradients, name: str) -> NormFacts | None:
    """A norm by its forward, to 1e-9, over whatever axes."""
    try:
        probed = Probed(layer.tested, layer.x, np.random.default_rng(5))
        norm = recognized(probed)
    except Exception:  # a layer that takes only certain numbers
        return None
    if norm is None or norm.root != "sqrt(v + eps)":
        return None
    changed = plain(probed, layer.x) or {}
    parts = {own: "dg" if value.any() else "db" for own, value in changed.items()}
    around = " + dy" if norm.around else ""
    s = norm.formula.split(" / ", 1)[1]
    bracket = "q - mean(q) - xh * mean(q * xh)" if norm.centred else "q - xh * mean(q * xh)"
    right = {
        "dx": f"({bracket}) / s{around}, q = dy * g, s = {s}, means over {norm.over}",
        "dg": "the sum of dy * xh",
        "db": "the sum of dy",
    }
    return NormFacts(layer, {**parts, "x": "dx"}, right, kind="centred" if norm.centred else "rms", norm=norm)


def total(a: Array, right: Array, numeric: Array) -> Array:
    """The sum of a over the axes over which that of `right` is `numeric`."""
    for count in range(a.ndim + 1):
        for axes in itertools.combinations(range(a.ndim), count):
            if same(right.sum(axis=axes).ravel(), numeric.ravel(), 1e-6):
                return np.asarray(a.sum(axis=axes).reshape(numeric.shape))
    return a


def other_means(v: NormFacts) -> Iterable[tuple[int, ...]]:
    """The axes that the statistics are not over."""
    some = range(v.x.ndim)
    all_axes = (axes for count in some for axes in itertools.combinations(some, count + 1))
    return (axes for axes in all_axes if v.norm.groups > 1 or axes != v.norm.axes)


def divisors(v: NormFacts) -> Iterable[int]:
    """The lengths of axes that are only a part of all numbers of a statistic."""
    return (n for n in {v.x.shape[axis] for axis in v.norm.axes} if 1 < n < v.m)


def over(v: NormFacts, axes: tuple[int, ...]) -> Array:
    """dx with means over other axes."""
    return v.dx(mean=lambda a: np.broadcast_to(a.mean(axis=axes, keepdims=True), a.shape))


def turned(a: Array) -> Array | None:
    """As many rows as columns, exchanged: a sum over the one is then that over the other."""
    return a.T if a.ndim == 2 and a.shape[0] == a.shape[1] else None


SLIPS = (
    Entry("mean-path-missing", "dx", lambda v: v.dx(a=0),
         "(q - xh * mean(q * xh)) / s", "what comes back through the mean is missing", of="centred"),
    Entry("variance-path-missing", "dx", lambda v: v.dx(k=0),
         "(q - mean(q)) / s", "what comes back through the variance is missing", of="centred"),
    Entry("statistics-constant", "dx", lambda v: v.q / v.s,
         "q / s, as if mean and variance were constants",
         "mean and variance are taken as constants: nothing comes back through them", of="centred"),
    Entry("scale-missing", "dx", lambda v: v.dx(v.d),
         "(dy - mean(dy) - xh * mean(dy * xh)) / s, without g", "the scale g is missing in dx", of="centred"),
    Entry("scale-twice", "dx", lambda v: v.g * v.dx(),
         "g * (q - mean(q) - xh * mean(q * xh)) / s, with g twice", "the scale g is in dx twice", of="centred"),
    Entry("scale-outside", "dx", lambda v: v.g * v.dx(v.d),
         "g * (dy - mean(dy) - xh * mean(dy * xh)) / s, as in a batch norm",
         "the scale g stands before the means, and is not the same within them", of="centred"),
    Entry("sums-for-means", "dx", lambda v: v.dx(a=v.m, k=v.m * v.k),
         "(q - sum(q) - xh * sum(q * xh)) / s", "sums stand where means belong", of="centred"),
    Entry("sums-for-means", "dx", lambda v: v.m * v.dx(),
         "(m * q - sum(q) - xh * sum(q * xh)) / s, not divided by m", of="centred"),
    Entry("path-factor", "dx", lambda v: v.dx(k=v.k / 2),
         "(q - mean(q) - xh * mean(q * xh) / 2) / s", "what comes back through the variance is halved, or doubled",
         of="centred"),
    Entry("path-factor", "dx", lambda v: v.dx(k=v.k * 2),
         "(q - mean(q) - 2 * xh * mean(q * xh)) / s", of="centred"),
    Entry("path-sign", "dx", lambda v: v.dx(k=-v.k),
         "(q - mean(q) + xh * mean(q * xh)) / s", "one of the terms of dx has the wrong sign", of="centred"),
    Entry("path-sign", "dx", lambda v: v.dx(a=-1), "(q + mean(q) - xh * mean(q * xh)) / s", of="centred"),
    Entry("divisor-of-path", "dx", lambda v: v.dx(k=v.m / (v.m - 1)),
         "xh * sum(q * xh) / (m - 1), and forward divides by m",
         "backward divides by another number of values than forward, n - 1 for n", of="centred"),
    Entry("divisor-of-path", "dx", lambda v: v.dx(k=1),
         "xh * sum(q * xh) / m, and forward divides by m - 1", of="centred"),
    Entry("eps-not-in-backward", "dx", lambda v: v.dx() * v.s / v.root,
         "(...) / sqrt(var), without the eps of forward", "the eps of forward is not in backward", of="centred"),
    Entry("var-in-backward", "dx", lambda v: v.dx() / v.s,
         "(...) / s**2, the variance in place of its root",
         "backward divides by the variance in place of its root", of="centred"),
    Entry("s-not-in-backward", "dx", lambda v: v.dx() * v.s,
         "q - mean(q) - xh * mean(q * xh), not divided by s", "dx is not divided by the deviation", of="centred"),
    Entry("x-for-xhat", "dx", lambda v: (v.q - v.mean(v.q) - v.x * v.mean(v.q * v.x) / v.s**2) / v.s,
         "(q - mean(q) - x * mean(q * x) / s**2) / s, with x for x - mean", "x stands for x - mean in dx",
         of="centred"),
    Entry("variance-path-missing", "dx", lambda v: v.q / v.s, "q / s, as if s were a constant", of="rms"),
    Entry("mean-path-added", "dx", lambda v: v.dx() - v.mean(v.q) / v.s,
         "(q - mean(q) - xh * mean(q * xh)) / s, as in a layer norm",
         "a mean comes back that forward does not subtract", of="rms"),
    Entry("scale-missing", "dx", lambda v: v.dx(v.d), "(dy - xh * mean(dy * xh)) / s, without g", of="rms"),
    Entry("scale-twice", "dx", lambda v: (v.q - v.g * v.xh * v.mean(v.q * v.xh)) / v.s,
         "(q - g * xh * mean(q * xh)) / s, with g twice in the second term", of="rms"),
    Entry("scale-twice", "dx", lambda v: v.g * v.dx(), "g * (q - xh * mean(q * xh)) / s, with g twice", of="rms"),
    Entry("scale-outside", "dx", lambda v: v.g * v.dx(v.d),
         "g * (dy - xh * mean(dy * xh)) / s, with g before the mean", of="rms"),
    Entry("sums-for-means", "dx", lambda v: v.dx(k=v.m), "(q - xh * sum(q * xh)) / s", of="rms"),
    Entry("path-factor", "dx", lambda v: v.dx(k=0.5), "(q - xh * mean(q * xh) / 2) / s", of="rms"),
    Entry("path-factor", "dx", lambda v: v.dx(k=2), "(q - 2 * xh * mean(q * xh)) / s", of="rms"),
    Entry("path-sign", "dx", lambda v: v.dx(k=-1), "(q + xh * mean(q * xh)) / s", of="rms"),
    Entry("eps-not-in-backward", "dx", lambda v: v.dx() * v.s / v.root,
         "(...) / sqrt(mean(x**2)), without the eps", of="rms"),
    Entry("var-in-backward", "dx", lambda v: v.dx() / v.s,
         "(...) / s**2, the mean square in place of its root", of="rms"),
    Entry("dg-from-x", "dg", lambda v: v.d * v.x,
         "sum(dy * x), with x for xh", "the gradient of the scale is computed from x, before it was normalised"),
    Entry("dg-from-y", "dg", lambda v: v.d * v.y,
         "sum(dy * y), with y for xh", "the gradient of the scale is computed from the output"),
    Entry("dg-from-x", "dg", lambda v: v.d * v.top, "sum(dy * (x - mean)), with x - mean for xh"),
    Entry("dg-from-dy", "dg", lambda v: v.d, "sum(dy), which is db", "the gradient of the scale is that of the shift"),
    Entry("scale-wrong-axis", "dg", lambda v: turned(v.d * v.xh), "the sum of dy * xh over axis 1",
          "the gradient of the scale is summed over the features in place of the samples"),
    Entry("bias-wrong-axis", "db", lambda v: turned(v.d), "dy.sum(axis=1)"),
    Entry("scale-twice", "dg", lambda v: v.q * v.xh, "g * sum(dy * xh)"),
    Entry("scale-twice", "db", lambda v: v.q, "g * sum(dy)"),
    Entry("db-from-xhat", "db", lambda v: v.d * v.xh,
         "sum(dy * xh), which is dg", "the gradient of the shift is that of the scale"),
    Entry("paths-wrong-axes", "dx", over, "the same with means over the axes {k}",
         "the means of backward are over other axes than those of forward", each=other_means),
    Entry("paths-wrong-axes", "dx", lambda v, axes: v.dx(mean=lambda a: a.sum(axis=axes, keepdims=True) / v.m),
         "the same with sums over the axes {k}, divided by the number of values in one mean", each=other_means),
    Entry("paths-wrong-axes", "dx", lambda v, n: v.dx(mean=lambda a: v.mean(a) * v.m / n),
         "the same with sums over all, divided by {k}", each=divisors),
)  # fmt: skip
