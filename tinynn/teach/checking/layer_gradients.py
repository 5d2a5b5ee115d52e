"""The gradients of one layer: those of its backward, those that are measured, and what they show.

In formulas: x the layer's input, y its output, dy = dL/dy; n rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...checks import Array
from . import measure, slips
from .copies import deep_copy
from .ids import padding_row
from .measure import ratio, same
from .report import worked
from .under_test import COMPLEX, LayerUnderTest, gradient_name

FULL = 400  # entries up to which a tensor is measured entry by entry


class LayerGradients:
    """One layer with its analytic gradients A; the measured ones N are taken as they are asked for."""

    def __init__(
        self,
        tested: LayerUnderTest,
        x: Array,
        y: Array,
        dy: Array,
        analytic: dict[str, Array],
        rng: np.random.Generator,
    ) -> None:
        self.tested, self.x, self.y, self.dy, self.analytic, self.rng = tested, x, y, dy, analytic, rng
        self.n, self.moved = len(x), False
        self.exact = all(
            measure.complex_works(self.scalar(name), self.at(name), np.random.default_rng(1))
            for name in ("x", *(analytic.keys() - {"x"}))
        )
        # A gradient that is 0 because large terms cancel, or a slope like 1 - y^2 does, is 0 only to round-off.
        self.floor = measure.ROUNDING * np.linalg.norm(dy) * max(1.0, float(np.abs(x).max(initial=0)))
        self._numeric: dict[str, Array] = {}
        self.known: dict[str, Any] = {}  # what a chapter of slips has found out, and need not do again

    def scalar(self, name: str, dy: Array | None = None, x: Array | None = None) -> measure.Function:
        """L = sum of dy y, as a function of x or of one parameter."""
        x = self.x if x is None else x
        dy = self.dy if dy is None else dy
        if name == "x":
            return lambda value: (dy * self.tested.forward(value)).sum()

        def of_parameter(value: Array) -> complex:
            inputs = x.astype(COMPLEX) if value.dtype == COMPLEX else x
            return (dy * self.tested.forward(inputs, {name: value})).sum()

        return of_parameter

    def at(self, name: str) -> Array:
        return self.x if name == "x" else self.tested.value(name)

    def is_wrong(self, name: str) -> bool:
        """Along two random directions; where all is well, no entry needs to be looked at."""
        a, f, at = self.analytic[name], self.scalar(name), self.at(name)
        padding = padding_row(self.tested.original, a) if name != "x" else None
        for _ in range(2):
            u = measure.normal(self.rng, at)
            if padding is not None:
                u[padding] = 0
            n, doubt = measure.measured(f, at, u, self.exact, float((u * a).sum()))
            scale = max(float(np.linalg.norm(a)), abs(n)) + (self.floor + doubt) / measure.TOLERANCE[self.exact]
            if measure.differs(float((u * a).sum()), n, scale, self.exact):
                return not self.beside_a_kink(name) and not self._many_at_kinks(name)
        return False

    def _many_at_kinks(self, name: str) -> bool:
        """The same of a large x, as one of 0s behind a ReLU: a little to the side, all is right."""
        return name == "x" and self.exact and self.x.size > FULL and not self.moved and not self._nearby().is_wrong("x")

    def beside_a_kink(self, name: str) -> bool:
        """Whether all that differs are entries of x where the slopes on the two sides do, and A is one of them."""
        if name != "x" or self.x.size > FULL:
            return False
        f, a, n = self.scalar("x"), self.analytic["x"], self.numeric("x")
        scale = max(np.linalg.norm(a), np.linalg.norm(n))
        for index in zip(*np.nonzero(np.abs(a - n) > max(measure.TOLERANCE[self.exact], 1e-9) * scale)):
            slopes = [self._slopes_beside(f, index, h) for h in (2e-5, 2e-6)]
            widths = [right - left for left, right in slopes]
            left, right = slopes[0]
            if 0.05 * widths[0] < widths[1] < 0.5 * widths[0]:  # a bend: a tenth of the step has a tenth of it
                return False
            if not left - 1e-3 * widths[0] <= a[index] <= right + 1e-3 * widths[0]:
                return False
        return True

    def _slopes_beside(self, f: measure.Function, index: Any, h: float) -> list[float]:
        """The slopes of f on the two sides of an entry of x, the smaller one first."""
        u = np.zeros(self.x.shape)
        u[index] = h
        left, middle, right = (f(self.x + k * u).real for k in (-1, 0, 1))
        return sorted([(middle - left) / h, (right - middle) / h])

    def right_nearby(self, name: str) -> bool:
        """Whether central differences agree at a point a little to the side: then this one is at a kink."""
        return not self.exact and not self._nearby().is_wrong(name)

    def _nearby(self) -> LayerGradients:
        """The same layer with other numbers, a little to the side."""
        tested = deep_copy(self.tested)
        for key in tested.names:
            a = tested.value(key)
            a += 1e-3 * (1 + np.abs(a)) * measure.normal(self.rng, a)
            tested.twin_value(key)[...] = a
        x = self.x + 1e-3 * (1 + np.abs(self.x)) * measure.normal(self.rng, self.x)
        grads, dx = tested.gradients(x, self.dy)
        nearby = LayerGradients(tested, x, tested.forward(x), self.dy, {**grads, "x": dx}, self.rng)
        nearby.moved = True
        return nearby

    def numeric(self, name: str) -> Array:
        """The measured gradient; NaN at entries of a large tensor that were not measured."""
        if name not in self._numeric:
            f, at = self.scalar(name), self.at(name)
            if at.size <= FULL:
                self._numeric[name] = measure.gradient(f, at, self.exact)
            else:
                full = self.by_formula(name)
                known = np.full(at.shape, np.nan)
                worst = measure.worst_entry(f, at, self.analytic[name], self.exact, self.rng)
                for index in {worst, *measure.sample(self.analytic[name], 24, self.rng)}:
                    known[index] = measure.entry(f, at, index, self.exact)
                there = np.isfinite(known)
                right = full is not None and same(full[there], known[there], 1e-8 if self.exact else 1e-4)
                self._numeric[name] = full if right and full is not None else known
            if name != "x" and name in self.analytic:
                padding = padding_row(self.tested.original, self.analytic[name])
                if padding is not None:
                    self._numeric[name][padding] = np.nan
        return self._numeric[name]

    def by_formula(self, name: str) -> Array | None:
        """The gradient by its formula, for a large tensor of a layer that a chapter of slips knows."""
        return slips.gradient(self, name)

    def whole(self, name: str) -> Array | None:
        """The right gradient, all of it; None where that would take long."""
        return self.numeric(name) if self.at(name).size <= FULL else self.by_formula(name)

    def slope(self, at: Array) -> Array | None:
        """f'(at) where y = f(x) element by element, else None."""
        if self.y.shape != self.x.shape:
            return None
        try:
            if self.exact:
                ones = np.ones(at.shape)
                slope = self.tested.forward(at + 1j * measure.H_COMPLEX * ones).imag / measure.H_COMPLEX
            else:
                h = measure.H_CENTRAL
                slope = (self.tested.forward(at + h) - self.tested.forward(at - h)) / (2 * h)
            kept = np.array(self.x)
            chosen = self.rng.random(self.x.shape) < 0.5
            kept[chosen] *= 0.5
            alone = np.array_equal(self.tested.forward(kept)[~chosen], self.y[~chosen])  # nothing else moves y there
        except Exception:
            return None
        return slope if alone else None

    def ratio_of_other_rows(self, name: str) -> float | None:
        """The factor with one row less (or more), to see whether it depends on n."""
        rows = self.x[:-1] if self.n > 2 else np.concatenate([self.x, 0.9 * self.x[:1]])
        try:
            y = self.tested.forward(rows)
            dy = measure.normal(self.rng, y)
            grads, dx = self.tested.gradients(rows, dy)
            other = LayerGradients(self.tested, rows, y, dy, {**grads, "x": dx}, self.rng)
            return ratio(other.analytic[name], other.numeric(name))
        except Exception:
            return None

    def worked(self, name: str) -> str:
        """The worst entry with its two numbers."""
        return worked(gradient_name(name), self.analytic[name], self.numeric(name))
