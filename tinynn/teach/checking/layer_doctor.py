"""The doctor for layers: what is wrong in a backward pass, by name.

First what no gradient shows (a forward that is not the same twice, arrays written into, stale caches, gradients that
add up), then each gradient against a measured one. Where it is wrong, it is compared with what the classic slips would
give, formula by formula. A name is given only for an exact match, |A - candidate| < 1e-9 |A|; else it is "unknown".

In formulas: x the layer's input, y its output, dy = dL/dy; n rows. The dy of an examination is random: with the real
one, which may be 0 in many places, too little can be seen.
"""

from __future__ import annotations

import copy
import traceback
from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import checks
from ...checks import Array
from . import measure
from .adapted import integers_in
from .copies import COMPLEX, LayerUnderTest, gradient_name
from .finite import of_a_layer
from .report import Finding
from .side_effects import impure, same

FULL = 400  # entries up to which a tensor is measured entry by entry
Candidate = tuple[str, Array, str, str]  # code, what the slip gives, its formula, the right formula


def examine(tested: LayerUnderTest, x: Array, rng: np.random.Generator) -> Finding | None:
    """What is wrong with a layer at input x, or None. The first cause in the order of this function is named."""
    found = whole_numbers(tested.original)
    if found:
        return found
    try:
        y = tested.forward(x)
    except Exception as error:
        return raised(tested.where, "forward", error)
    dy = measure.normal(rng, y)
    found = of_a_layer(tested, x, y, dy)
    if found:
        return found
    try:
        found = impure(tested, x, y, dy)
        if found:
            return found
        analytic, dx = tested.gradients(x, dy)
    except checks.ShapeError as error:
        return LayerGradients(tested, x, y, dy, {}, rng).wrong_shape(error)
    except Exception as error:
        return squared(tested, x, y, rng) or raised(tested.where, "backward", error)
    gradients = LayerGradients(tested, x, y, dy, {**analytic, "x": dx}, rng)
    for name in tested.tensors:
        if gradients.is_wrong(name) and not gradients.right_nearby(name):
            found = gradients.name_it(name)
            found.tensor, found.example = gradient_name(name), gradients.worked(name)
            return found
    return None


def whole_numbers(layer: Any) -> Finding | None:
    """Parameters that are whole numbers."""
    for name in integers_in(layer):
        why = f"{name} holds whole numbers: a small step is lost in it (3 + 1e-5 is stored as 3), and so is training"
        where = layer.where if hasattr(layer, "where") else f"{type(layer).__name__}()"
        return Finding("integer-arrays", where, why, f"{name} = {name}.astype(float)")
    return None


def raised(where: str, method: str, error: Exception) -> Finding:
    """A learner's code has raised: the line where it did."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name == method]
    line = f", at `{frames[-1].line}`" if frames and frames[-1].line else ""
    why = f"{method} raises {type(error).__name__}{line}: {error}"
    return Finding("raises", where, why)


def squared(tested: LayerUnderTest, x: Array, y: Array, rng: np.random.Generator) -> Finding | None:
    """A layer x W + b whose backward raises, as a square one: then a product with the wrong matrix has a result."""
    gradients = LayerGradients(tested, x, y, np.zeros(y.shape), {}, rng)
    weights = gradients.weights()
    D, K = x.shape[1], y.shape[1]
    if weights is None or D == K:
        return None
    square = LayerUnderTest(tested.original, tested.where)
    for layer in (square.original, square.twin):
        for name, a in layer.arrays.items():
            if name.removeprefix("d") == weights[0] and a.ndim == 2:
                layer.arrays[name] = measure.normal(np.random.default_rng(4), np.empty((K, K))).astype(a.dtype)
        for size in ("n_in", "n_out"):
            if getattr(layer, size, None) is not None:
                setattr(layer, size, K)
    try:
        found = examine(square, measure.normal(rng, np.empty((len(x), K))), rng)
    except Exception:
        return None
    return found if found and found.code in ("dx-not-transposed", "dW-from-y", "dW-transposed") else None


# --- what the gradients show ------------------------------------------------------------------------------------------


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
        self.n = len(x)
        self.exact = all(
            measure.complex_works(self.scalar(name), self.at(name), np.random.default_rng(1))
            for name in ("x", *(analytic.keys() - {"x"}))
        )
        # A gradient that is 0 because large terms cancel, or a slope like 1 - y^2 does, is 0 only to round-off.
        self.floor = measure.ROUNDING * np.linalg.norm(dy) * max(1.0, float(np.abs(x).max(initial=0)))
        self._numeric: dict[str, Array] = {}

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
        for _ in range(2):
            u = measure.normal(self.rng, at)
            n, doubt = measure.measured(f, at, u, self.exact, float((u * a).sum()))
            scale = max(float(np.linalg.norm(a)), abs(n)) + (self.floor + doubt) / measure.TOLERANCE[self.exact]
            if measure.differs(float((u * a).sum()), n, scale, self.exact):
                return not self.beside_a_kink(name)
        return False

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
        if self.exact:
            return False
        tested = copy.deepcopy(self.tested)
        for key in tested.names:
            a = tested.value(key)
            a += 1e-3 * (1 + np.abs(a)) * measure.normal(self.rng, a)
            tested.twin_value(key)[...] = a
        x = self.x + 1e-3 * (1 + np.abs(self.x)) * measure.normal(self.rng, self.x)
        grads, dx = tested.gradients(x, self.dy)
        return not LayerGradients(tested, x, tested.forward(x), self.dy, {**grads, "x": dx}, self.rng).is_wrong(name)

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
        return self._numeric[name]

    def by_formula(self, name: str) -> Array | None:
        """The gradient by the formula of x W + b, for a large tensor of such a layer."""
        weights = self.weights()
        if weights is None:
            return None
        W, transposed, b = weights
        value = self.tested.value(W)
        if name == "x":
            return self.dy @ (value if transposed else value.T)
        if name == b:
            return self.dy.sum(axis=0)
        return (self.dy.T @ self.x if transposed else self.x.T @ self.dy) if name == W else None

    def weights(self) -> tuple[str, bool, str | None] | None:
        """(name of W, whether it is stored as (out, in), name of b or None) where y = x W + b, else None."""
        D, K = self.x.shape[1], self.y.shape[1]
        x = np.random.default_rng(2).normal(size=(3, D))
        for W in self.tested.names:
            value = self.tested.value(W)
            for transposed in (False, True):
                M = value.T if transposed else value
                if M.shape == (D, K):
                    try:
                        shift = self.tested.forward(x) - x @ M
                    except Exception:  # a layer that takes only certain rows
                        return None
                    if np.allclose(shift, shift[0], rtol=1e-10, atol=1e-10 * np.abs(x @ M).max(initial=1)):
                        return W, transposed, self._bias(W)
        return None

    def _bias(self, W: str) -> str | None:
        """The parameter that is added to x W: when it moves by 1, so does y."""
        for b in self.tested.names:
            value = self.tested.value(b)
            if b != W and value.size == self.y.shape[1]:
                moved = self.tested.forward(self.x, {b: value + 1})
                if np.allclose(moved, self.y + 1):
                    return b
        return None

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
            alone = np.array_equal(self.tested.forward(kept)[~chosen], self.y[~chosen])
        except Exception:
            return None
        return slope if alone else None

    # --- naming -------------------------------------------------------------------------------------------------------

    def name_it(self, name: str) -> Finding:
        """The cause of a wrong gradient, by an exact match, or "unknown" with what can be seen."""
        a, n = self.analytic[name], self.numeric(name)
        label = gradient_name(name)
        known = np.isfinite(n)
        if not np.any(a) and np.any(n[known]):
            why = f"{label} is 0 everywhere: backward never writes it. {self.worked(name)}"
            return Finding("never-written", self.tested.where, why, f"self.{label} = ...  in backward")
        if np.abs(n[known]).max(initial=0) <= self.floor and np.any(a):
            why = (
                f"forward does not use {name}: whatever it is, y stays. Yet backward gives {label} = {a.ravel()[0]:.4g}"
            )
            return Finding("unused-parameter", self.tested.where, why, f"use {name} in forward")
        for code, candidate, used, right in self.candidates(name):
            if same(a, candidate) and not same(candidate[known], n[known]):
                why = f"{label} is computed as {used}, and should be {right}. {self.worked(name)}"
                return Finding(code, self.tested.where, why, f"{label} = {right}")
        found = self.by_ratio(name)
        if found:
            return found
        for code, candidate, used, right in self.one_way_of_two() if name == "x" else ():
            if same(a, candidate):
                why = f"{label} is {used}. Where x goes two ways, gradients add up. {self.worked(name)}"
                return Finding(code, self.tested.where, why, f"{label} = {right}")
        if name != "x":
            parameter = self.tested.value(name)
            rest = (a - n)[known]
            rate = float(np.vdot(parameter[known], rest) / (np.vdot(parameter[known], parameter[known]) or 1))
            if rate and same(rest, rate * parameter[known]):
                why = f"{label} has {rate:.6g} {name} added to it, a weight decay that the loss does not have"
                fix = "leave it to the optimizer's weight_decay, or add its square to the loss"
                return Finding("decay-in-gradient", self.tested.where, why, fix)
        pattern = self.pattern(a, n)
        why = f"{label} is wrong, and none of the known slips gives these numbers. {pattern} {self.worked(name)}"
        return Finding("unknown", self.tested.where, why)

    def candidates(self, name: str) -> Iterator[Candidate]:
        """What the classic slips would give for this tensor."""
        x, y, dy = self.x, self.y, self.dy
        weights = self.weights()
        if weights is not None:
            W, transposed, _ = weights
            value = self.tested.value(W)
            if name == W:
                right = "dy.T @ x" if transposed else "x.T @ dy"
                full = dy.T @ x if transposed else x.T @ dy
                yield "dW-transposed", full.T, "the transpose of it", right
                yield "dW-from-y", (y.T @ dy).T if transposed else y.T @ dy, "y.T @ dy, with the output", right
                for row in (self.n - 1, *range(self.n - 1)):
                    one = np.outer(dy[row], x[row]) if transposed else np.outer(x[row], dy[row])
                    yield "one-sample", one, f"the product of sample {row} alone (= where += belongs)", right
            elif name == "x":
                right = f"dy @ {W}" if transposed else f"dy @ {W}.T"
                if value.shape[0] == value.shape[1]:
                    yield "dx-not-transposed", dy @ (value.T if transposed else value), f"dy @ {W}", right
        if name != "x":
            yield from self.of_a_vector(name)
        slope = self.slope(x) if name == "x" else None
        if slope is not None:
            yield from self.of_an_activation(slope)

    def one_way_of_two(self) -> Iterator[Candidate]:
        """dx where x goes two ways, y = x + g(x) or y = x g(x), and only one of them has come back."""
        x, y, dy, n = self.x, self.y, self.dy, self.numeric("x")
        if x.shape != y.shape or not np.isfinite(n).all():
            return
        used = "what comes back on one way; x also goes straight through, y = x + g(x)"
        yield "fork-overwritten", n - dy, used, "dy + dy g'(x), the sum of both ways"
        if self.slope(x) is not None:
            with np.errstate(all="ignore"):
                one = dy * y / x
            for part, term in ((one, "dy * g(x)"), (n - one, "dy * x * g'(x)")):
                used = f"{term}, one term of two: y is a product, x g(x), and x is in both factors"
                yield "fork-overwritten", part, used, "dy * (g(x) + x g'(x))"

    def of_a_vector(self, name: str) -> Iterator[Candidate]:
        """Slips in the sum over rows that every bias has."""
        n = self.numeric(name)
        if self.tested.value(name).size != self.y.shape[1] or not np.isfinite(n).all():
            return
        dy, shape = self.dy, n.shape
        right = "dy.sum(axis=0)"
        if not same(n.ravel(), dy.sum(axis=0)):  # no bias, such as a scale: its own sum over rows
            yield "bias-total", np.full(shape, n.sum()), "the sum over everything", "the sum over the rows"
            for row in (self.n - 1, *range(self.n - 1)):
                masked = np.zeros(dy.shape)
                masked[row] = dy[row]
                one = measure.gradient(self.scalar(name, dy=masked), self.at(name), self.exact)
                yield "one-sample", one, f"sample {row}'s part alone (= where += belongs)", "the sum over the rows"
            return
        if self.n > 1:
            yield "bias-mean", dy.mean(axis=0).reshape(shape), "dy.mean(axis=0), though the loss has averaged", right
        yield "bias-total", np.full(shape, dy.sum()), "dy.sum(), one number for all units", right
        if dy.shape[0] == dy.shape[1]:
            yield "bias-wrong-axis", dy.sum(axis=1).reshape(shape), "dy.sum(axis=1), over the units", right
        for row in (self.n - 1, *range(self.n - 1)):
            yield "one-sample", dy[row].reshape(shape), f"dy[{row}], one sample alone", right

    def of_an_activation(self, slope: Array) -> Iterator[Candidate]:
        """Slips in dx = dy f'(x)."""
        z, a, d = self.x, self.y, self.dy
        right = "dy * f'(x)"
        kind = None
        if same(a, 1 / (1 + np.exp(-z))):
            kind, right = "sigmoid", "dy * y * (1 - y)"
        elif same(a, np.tanh(z)):
            kind, right = "tanh", "dy * (1 - y**2)"
        elif np.array_equal(a, np.where(z > 0, z, 0)):
            kind, right = "relu", "dy * (x > 0)"
        yield "missing-derivative", d, "dy itself: the slope f'(x) is missing", right
        yield "missing-dy", slope, "f'(x): dy is missing (chain rule)", right
        if kind == "sigmoid":
            yield "derivative-of-input", d * z * (1 - z), "dy * x * (1 - x), with the input for y", right
            yield "derivative-incomplete", d * a, "dy * y: the factor 1 - y is missing", right
            yield "derivative-incomplete", d * (1 - a), "dy * (1 - y): the factor y is missing", right
            yield "derivative-sign", d * a * (1 + a), "dy * y * (1 + y): a sign", right
        if kind == "tanh":
            yield "derivative-of-input", d * (1 - z * z), "dy * (1 - x**2), with the input for y", right
            yield "derivative-incomplete", d * (1 - a), "dy * (1 - y): y must be squared", right
            yield "derivative-incomplete", d * a * a, "dy * y**2: the 1 - is missing", right
            yield "derivative-sign", d * (1 + a * a), "dy * (1 + y**2): a sign", right
        if kind == "relu":
            yield "mask-from-dy", d * (d > 0), "dy * (dy > 0): the mask is dy's", right
            yield "mask-inverted", d * (z <= 0), "dy * (x <= 0): the mask is upside down", right
            yield "mask-times-y", d * a, "dy * y: the output in place of its mask", right
            yield "mask-from-dy", d * (d > 0) * (z > 0), "dy * (dy > 0) * (x > 0): dy has a mask, too", right
        at_output = self.slope(a)
        if at_output is not None:
            yield "derivative-of-output", d * at_output, "dy * f'(y), the slope at the output", right
        yield "derivative-twice", d * slope**2, "dy * f'(x)**2: the slope is in it twice", right

    def by_ratio(self, name: str) -> Finding | None:
        """A constant factor, and where it comes from: the same layer with other rows tells whether n is in it."""
        c = ratio(self.analytic[name], self.numeric(name))
        if c is None:
            return None
        label = gradient_name(name)
        worked = self.worked(name)
        c2, n2 = self.ratio_of_other_rows(name), max(self.n - 1, 1) if self.n > 2 else self.n + 1
        D, K = self.x.shape[1], self.y.shape[1]
        power = None if c2 is None or c * c2 <= 0 else np.log(c2 / c) / np.log(n2 / self.n)
        if close(c, -1):
            return Finding("sign", self.tested.where, f"{label} has the wrong sign. {worked}", f"{label} = -{label}")
        if power is not None and close(power, -1) and close(c * self.n, 1):
            why = f"{label} is divided by the number of rows, n = {self.n}; the loss has averaged already. {worked}"
            return Finding("divided-by-n", self.tested.where, why, f"leave / n out of {label}")
        named: list[tuple[str, float, str]] = [("factor-2", 2, "2"), ("factor-half", 0.5, "1/2")]
        for code, factor, text in named:
            if close(c, factor) and (power is None or close(power + 1, 1)):
                return Finding(code, self.tested.where, f"{label} is {text} of what it should be. {worked}", "")
        origin = ""
        if power is not None and close(power, 1) and close(c, self.n):
            origin = f" That is n, the number of rows: {label} is multiplied by it."
        else:
            sizes = (("the width of x", D), ("the width of y", K))
            origin = next((f" That is {text}." for text, size in sizes if size > 2 and close(c, size)), "")
            origin = origin or next(
                (f" That is 1 / {text}." for text, size in sizes if size > 2 and close(c * size, 1)), ""
            )
        why = f"{label} is {c:.6g} times what it should be, everywhere.{origin} {worked}"
        return Finding("factor", self.tested.where, why, f"look for that factor in the line of {label}")

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
        a, n = self.analytic[name], self.numeric(name)
        index = np.unravel_index(int(np.nanargmax(np.abs(a - n))), a.shape)
        label = gradient_name(name)
        place = ", ".join(str(int(i)) for i in index)
        return f"At {label}[{place}] the code gives {a[index]:.6g}, measured is {n[index]:.6g}."

    def pattern(self, a: Array, n: Array) -> str:
        """Where it is wrong: one row, one column, one entry?"""
        known = np.isfinite(n)
        wrong = known & (np.abs(a - n) > 1e-6 * np.abs(n[known]).max(initial=0))
        share = f"{wrong.sum()} of the {known.sum()} entries looked at are wrong"
        if a.ndim == 2 and known.all() and not wrong.all():
            for axis, word in ((1, "row"), (0, "column")):
                lines = np.flatnonzero(wrong.any(axis=axis))
                if len(lines) == 1:
                    return f"{share}, all in {word} {lines[0]}."
        return f"{share}."

    def wrong_shape(self, error: checks.ShapeError) -> Finding:
        """A gradient of the wrong shape, and which slip makes that."""
        name, value = error.name, np.asarray(error.value)
        right = f"{error}"
        if name == "dx":
            return Finding("raises", self.tested.where, right, "dx must have x's shape: for x W + b it is dy @ W.T")
        n = self.numeric(name[1:]) if self.at(name[1:]).size <= FULL else self.by_formula(name[1:])
        if n is not None and value.dtype.kind in "fiu":
            if value.T.shape == n.shape and same(value.T, n):
                why = f"{name} is the transpose of what it should be: shape {value.shape}, not {n.shape}"
                return Finding("dW-transposed", self.tested.where, why, f"{name} = x.T @ dy")
            if value.ndim == 2 and same(value, self.y.T @ self.dy):
                why = f"{name} is y.T @ dy, of shape {value.shape}: the output in place of the input"
                return Finding("dW-from-y", self.tested.where, why, f"{name} = x.T @ dy")
            if value.ndim == 2 and value.shape[0] == self.n and same(value.sum(axis=0), n.ravel()):
                why = f"{name} still has a row for each sample, shape {value.shape}: the sum over rows is missing"
                return Finding("bias-not-summed", self.tested.where, why, f"{name} = dy.sum(axis=0)")
            if value.size == self.n and same(value.ravel(), self.dy.sum(axis=1)):
                why = f"{name} is summed over the units (axis=1), not over the rows: shape {value.shape}"
                return Finding("bias-wrong-axis", self.tested.where, why, f"{name} = dy.sum(axis=0)")
            if value.ndim == 0 and same(value, self.dy.sum()):
                why = f"{name} is one number, the sum over everything; each unit needs the sum over its rows"
                return Finding("bias-total", self.tested.where, why, f"{name} = dy.sum(axis=0)")
            if value.size == n.size and same(value.ravel(), n.ravel()):
                why = f"{right}. Its numbers are right, but an update with it would give {name[1:]} another shape"
                return Finding("wrong-shape", self.tested.where, why, f"{name} = {name}.reshape({name[1:]}.shape)")
        return Finding("raises", self.tested.where, right)


def ratio(a: Array, n: Array) -> float | None:
    """c where a = c n, everywhere; None where there is no such number."""
    known = np.isfinite(n)
    a, n = a[known], n[known]
    c = float(np.vdot(n, a) / (np.vdot(n, n) or 1))
    return c if c and same(a, c * n, 1e-8) else None


def close(a: float, b: float) -> bool:
    """Equal to what a measured ratio can tell."""
    return abs(a - b) <= 1e-6 * abs(b)
