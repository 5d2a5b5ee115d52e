"""The classic slips in a layer's backward, formula by formula: what each would give in place of the right gradient.

A name is given only for an exact match, |A - candidate| < 1e-9 |A|; else it is "unknown". In formulas: x the layer's
input, y its output, dy = dL/dy; n rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ... import checks
from ...checks import Array
from . import measure
from .layer_gradients import FULL, LayerGradients
from .measure import close, ratio, same
from .report import Finding
from .under_test import gradient_name

Candidate = tuple[str, Array, str, str]  # code, what the slip gives, its formula, the right formula


def name_it(layer: LayerGradients, name: str) -> Finding:
    """The cause of a wrong gradient, by an exact match, or "unknown" with what can be seen."""
    a, n = layer.analytic[name], layer.numeric(name)
    label = gradient_name(name)
    known = np.isfinite(n)
    if not np.any(a) and np.any(n[known]):
        why = f"{label} is 0 everywhere: backward never writes it. {layer.worked(name)}"
        return Finding("never-written", layer.tested.where, why, f"self.{label} = ...  in backward")
    if np.abs(n[known]).max(initial=0) <= layer.floor and np.any(a):
        why = f"forward does not use {name}: whatever it is, y stays. Yet backward gives {label} = {a.ravel()[0]:.4g}"
        return Finding("unused-parameter", layer.tested.where, why, f"use {name} in forward")
    for code, candidate, used, right in candidates(layer, name):
        if same(a, candidate) and not same(candidate[known], n[known]):
            why = f"{label} is computed as {used}, and should be {right}. {layer.worked(name)}"
            return Finding(code, layer.tested.where, why, f"{label} = {right}")
    found = by_ratio(layer, name)
    if found:
        return found
    for code, candidate, used, right in one_way_of_two(layer) if name == "x" else ():
        if same(a, candidate):
            why = f"{label} is {used}. Where x goes two ways, gradients add up. {layer.worked(name)}"
            return Finding(code, layer.tested.where, why, f"{label} = {right}")
    if name != "x":
        parameter = layer.tested.value(name)
        rest = (a - n)[known]
        rate = float(np.vdot(parameter[known], rest) / (np.vdot(parameter[known], parameter[known]) or 1))
        if rate and same(rest, rate * parameter[known]):
            why = f"{label} has {rate:.6g} {name} added to it, a weight decay that the loss does not have"
            fix = "leave it to the optimizer's weight_decay, or add its square to the loss"
            return Finding("decay-in-gradient", layer.tested.where, why, fix)
    pattern = layer.pattern(a, n)
    why = f"{label} is wrong, and none of the known slips gives these numbers. {pattern} {layer.worked(name)}"
    return Finding("unknown", layer.tested.where, why)


def candidates(layer: LayerGradients, name: str) -> Iterator[Candidate]:
    """What the classic slips would give for this tensor."""
    x, y, dy = layer.x, layer.y, layer.dy
    weights = layer.weights()
    if weights is not None:
        W, transposed, _ = weights
        value = layer.tested.value(W)
        if name == W:
            right = "dy.T @ x" if transposed else "x.T @ dy"
            full = dy.T @ x if transposed else x.T @ dy
            yield "dW-transposed", full.T, "the transpose of it", right
            yield "dW-from-y", (y.T @ dy).T if transposed else y.T @ dy, "y.T @ dy, with the output", right
            for row in (layer.n - 1, *range(layer.n - 1)):
                one = np.outer(dy[row], x[row]) if transposed else np.outer(x[row], dy[row])
                yield "one-sample", one, f"the product of sample {row} alone (= where += belongs)", right
        elif name == "x":
            right = f"dy @ {W}" if transposed else f"dy @ {W}.T"
            if value.shape[0] == value.shape[1]:
                yield "dx-not-transposed", dy @ (value.T if transposed else value), f"dy @ {W}", right
    if name != "x":
        yield from of_a_vector(layer, name)
    slope = layer.slope(x) if name == "x" else None
    if slope is not None:
        yield from of_an_activation(layer, slope)


def one_way_of_two(layer: LayerGradients) -> Iterator[Candidate]:
    """dx where x goes two ways, y = x + g(x) or y = x g(x), and only one of them has come back."""
    x, y, dy, n = layer.x, layer.y, layer.dy, layer.numeric("x")
    if x.shape != y.shape or not np.isfinite(n).all():
        return
    used = "what comes back on one way; x also goes straight through, y = x + g(x)"
    yield "fork-overwritten", n - dy, used, "dy + dy g'(x), the sum of both ways"
    if layer.slope(x) is not None:
        with np.errstate(all="ignore"):
            one = dy * y / x
        for part, term in ((one, "dy * g(x)"), (n - one, "dy * x * g'(x)")):
            used = f"{term}, one term of two: y is a product, x g(x), and x is in both factors"
            yield "fork-overwritten", part, used, "dy * (g(x) + x g'(x))"


def of_a_vector(layer: LayerGradients, name: str) -> Iterator[Candidate]:
    """Slips in the sum over rows that every bias has."""
    n = layer.numeric(name)
    if layer.tested.value(name).size != layer.y.shape[1] or not np.isfinite(n).all():
        return
    dy, shape = layer.dy, n.shape
    right = "dy.sum(axis=0)"
    if not same(n.ravel(), dy.sum(axis=0)):  # no bias, such as a scale: its own sum over rows
        yield "bias-total", np.full(shape, n.sum()), "the sum over everything", "the sum over the rows"
        for row in (layer.n - 1, *range(layer.n - 1)):
            masked = np.zeros(dy.shape)
            masked[row] = dy[row]
            one = measure.gradient(layer.scalar(name, dy=masked), layer.at(name), layer.exact)
            yield "one-sample", one, f"sample {row}'s part alone (= where += belongs)", "the sum over the rows"
        return
    if layer.n > 1:
        yield "bias-mean", dy.mean(axis=0).reshape(shape), "dy.mean(axis=0), though the loss has averaged", right
    yield "bias-total", np.full(shape, dy.sum()), "dy.sum(), one number for all units", right
    if dy.shape[0] == dy.shape[1]:
        yield "bias-wrong-axis", dy.sum(axis=1).reshape(shape), "dy.sum(axis=1), over the units", right
    for row in (layer.n - 1, *range(layer.n - 1)):
        yield "one-sample", dy[row].reshape(shape), f"dy[{row}], one sample alone", right


def of_an_activation(layer: LayerGradients, slope: Array) -> Iterator[Candidate]:
    """Slips in dx = dy f'(x)."""
    z, a, d = layer.x, layer.y, layer.dy
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
    at_output = layer.slope(a)
    if at_output is not None:
        yield "derivative-of-output", d * at_output, "dy * f'(y), the slope at the output", right
    yield "derivative-twice", d * slope**2, "dy * f'(x)**2: the slope is in it twice", right


def by_ratio(layer: LayerGradients, name: str) -> Finding | None:
    """A constant factor, and where it comes from: the same layer with other rows tells whether n is in it."""
    c = ratio(layer.analytic[name], layer.numeric(name))
    if c is None:
        return None
    label = gradient_name(name)
    worked = layer.worked(name)
    c2, n2 = layer.ratio_of_other_rows(name), max(layer.n - 1, 1) if layer.n > 2 else layer.n + 1
    D, K = layer.x.shape[1], layer.y.shape[1]
    power = None if c2 is None or c * c2 <= 0 else np.log(c2 / c) / np.log(n2 / layer.n)
    if close(c, -1):
        return Finding("sign", layer.tested.where, f"{label} has the wrong sign. {worked}", f"{label} = -{label}")
    if power is not None and close(power, -1) and close(c * layer.n, 1):
        why = f"{label} is divided by the number of rows, n = {layer.n}; the loss has averaged already. {worked}"
        return Finding("divided-by-n", layer.tested.where, why, f"leave / n out of {label}")
    named: list[tuple[str, float, str]] = [("factor-2", 2, "2"), ("factor-half", 0.5, "1/2")]
    for code, factor, text in named:
        if close(c, factor) and (power is None or close(power + 1, 1)):
            return Finding(code, layer.tested.where, f"{label} is {text} of what it should be. {worked}", "")
    origin = ""
    if power is not None and close(power, 1) and close(c, layer.n):
        origin = f" That is n, the number of rows: {label} is multiplied by it."
    else:
        sizes = (("the width of x", D), ("the width of y", K))
        origin = next((f" That is {text}." for text, size in sizes if size > 2 and close(c, size)), "")
        origin = origin or next(
            (f" That is 1 / {text}." for text, size in sizes if size > 2 and close(c * size, 1)), ""
        )
    why = f"{label} is {c:.6g} times what it should be, everywhere.{origin} {worked}"
    return Finding("factor", layer.tested.where, why, f"look for that factor in the line of {label}")


def wrong_shape(layer: LayerGradients, error: checks.ShapeError) -> Finding:
    """A gradient of the wrong shape, and which slip makes that."""
    name, value = error.name, np.asarray(error.value)
    right = f"{error}"
    if name == "dx":
        return Finding("raises", layer.tested.where, right, "dx must have x's shape: for x W + b it is dy @ W.T")
    n = layer.numeric(name[1:]) if layer.at(name[1:]).size <= FULL else layer.by_formula(name[1:])
    if n is not None and value.dtype.kind in "fiu":
        if value.T.shape == n.shape and same(value.T, n):
            why = f"{name} is the transpose of what it should be: shape {value.shape}, not {n.shape}"
            return Finding("dW-transposed", layer.tested.where, why, f"{name} = x.T @ dy")
        if value.ndim == 2 and same(value, layer.y.T @ layer.dy):
            why = f"{name} is y.T @ dy, of shape {value.shape}: the output in place of the input"
            return Finding("dW-from-y", layer.tested.where, why, f"{name} = x.T @ dy")
        if value.ndim == 2 and value.shape[0] == layer.n and same(value.sum(axis=0), n.ravel()):
            why = f"{name} still has a row for each sample, shape {value.shape}: the sum over rows is missing"
            return Finding("bias-not-summed", layer.tested.where, why, f"{name} = dy.sum(axis=0)")
        if value.size == layer.n and same(value.ravel(), layer.dy.sum(axis=1)):
            why = f"{name} is summed over the units (axis=1), not over the rows: shape {value.shape}"
            return Finding("bias-wrong-axis", layer.tested.where, why, f"{name} = dy.sum(axis=0)")
        if value.ndim == 0 and same(value, layer.dy.sum()):
            why = f"{name} is one number, the sum over everything; each unit needs the sum over its rows"
            return Finding("bias-total", layer.tested.where, why, f"{name} = dy.sum(axis=0)")
        if value.size == n.size and same(value.ravel(), n.ravel()):
            why = f"{right}. Its numbers are right, but an update with it would give {name[1:]} another shape"
            return Finding("wrong-shape", layer.tested.where, why, f"{name} = {name}.reshape({name[1:]}.shape)")
    return Finding("raises", layer.tested.where, right)
