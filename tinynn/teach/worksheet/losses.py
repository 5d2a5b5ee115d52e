"""The formulas of the losses and of their gradients, written for the recorded numbers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...checks import Array
from ...losses import MSE, GaussianNLL, SoftmaxCrossEntropy
from .formula import Formula, Number, Tokens, total
from .layers import at, wide
from .lines import Index, Quantity, shape
from .record import Record

LOG_2_PI = math.log(2 * math.pi)


def value(loss: Any, record: Record) -> list[Quantity]:
    """What the loss's forward computes: L, and for scores the probabilities before it."""
    y, t, L = given(record.y), record.t, np.array(record.value)
    law, entry = LAWS.get(type(loss), ("", None))[:2] or ("", None)
    shapes = f"one number from y {shape(y)} and t {shape(t)}"
    own = f"{type(loss).__name__}.compute(y, t)"
    found = []
    if record.p is not None:
        key = "p{} of the loss"
        found.append(
            Quantity(key, "p", record.p, "p = softmax(y)", f"{shape(y)}", lambda index: softmax(record, *index), own)
        )
    if entry is None:
        known = Formula([own])
        return [*found, Quantity("L{}", "L", L, f"L = {own}", shapes, lambda index: known, own, dtype=y.dtype)]
    return [*found, Quantity("L{}", "L", L, law, shapes, lambda index: entry(loss, record), own, dtype=y.dtype)]


def slope(loss: Any, record: Record, place: str) -> Quantity:
    """What the loss's backward gives: dL/dy, where the chain rule starts."""
    y, dy = given(record.y), given(record.dy)
    own = f"{type(loss).__name__}.backward()"
    key, shapes = f"dL/dy{{}} of {place}", f"{shape(dy)} from y {shape(y)} and t {shape(record.t)}"
    if type(loss) not in LAWS:
        known = Formula([own])
        return Quantity(key, "dL/dy", dy, f"dL/dy = {own}", shapes, lambda index: known, own)
    law, entry = LAWS[type(loss)][2:]
    return Quantity(key, "dL/dy", dy, law, shapes, lambda index: entry(loss, record, index), own)


def given(a: Array | None) -> Array:
    """An array that has been computed."""
    assert a is not None
    return a


# --- mean squared error ----------------------------------------------------------------------------------------------


def error(y: Array, t: Array, index: Index) -> Tokens:
    """(y - t)^2 of an element"""
    return ["(", at("y", y, *index), " - ", at("t", t, *index), ")^2"]


def mse(loss: Any, record: Record) -> Formula:
    """The mean of (y - t)^2 over all elements."""
    y, t = given(record.y), record.t
    errors = (wide(y) - wide(t)).ravel() ** 2
    mean: Tokens = [") / ", Number("(N D)", y.size)]
    return total(errors, lambda k: error(y, t, place(k, y)), "(", mean, 1 / y.size)


def mse_slope(loss: Any, record: Record, index: Index) -> Formula:
    """2 (y - t) / (N D)"""
    y, t = at("y", given(record.y), *index), at("t", record.t, *index)
    ND = given(record.y).size
    tokens: list[str | Number] = ["2 * (", y, " - ", t, ") / ", Number("(N D)", ND)]
    return Formula(tokens, 2 * (y.value - t.value) / ND, scale=2 * (abs(y.value) + abs(t.value)) / ND)


def place(k: int, a: Array) -> Index:
    """The index of the k-th element, row by row."""
    return tuple(int(i) for i in np.unravel_index(k, a.shape))


# --- softmax and cross-entropy ---------------------------------------------------------------------------------------


def softmax(record: Record, n: int, c: int) -> Formula:
    """e^y[n,c] over the sum of all e^y[n,k]."""
    y = given(record.y)
    scores = wide(y[n])
    top = float(scores.max())
    e = np.exp(scores - top)
    result = float(e[c] / e.sum())
    # With e^(y - top) written as e^y / e^top: what is left out cancels.
    below = total(e, lambda k: ["e^(", at("y", y, n, k), ")"])
    factor = math.exp(min(top, 700.0))
    tokens: list[str | Number] = [
        Number(t.symbol, t.value * factor, t.more) if isinstance(t, Number) and t.more else t for t in below.tokens
    ]
    return Formula(["e^(", at("y", y, n, c), ") / (", *tokens, ")"], result, scale=1.0)


def cross_entropy(loss: Any, record: Record) -> Formula:
    """The mean over rows of -log p at the label; with soft targets of -sum_c t log p."""
    p, t = given(record.p), record.t
    N: Tokens = [") / ", Number("N", len(p))]
    with np.errstate(divide="ignore", invalid="ignore"):
        if t.ndim == 1:
            logs = np.log(wide(p[np.arange(len(p)), t]))
            found = total(logs, lambda n: ["log(", at("p", p, n, int(t[n])), ")"], "-(", N, -1 / len(p))
        else:
            logs = np.where(t == 0, 0, wide(t) * np.log(wide(p))).ravel()
            found = total(logs, lambda k: soft_term(p, t, place(k, p)), "-(", N, -1 / len(p))
    return dataclasses.replace(found, scale=found.scale + 1)  # log p of a rounded p is that far off


def soft_term(p: Array, t: Array, index: Index) -> Tokens:
    """t log p"""
    return [at("t", t, *index), " * log(", at("p", p, *index), ")"]


def cross_entropy_slope(loss: Any, record: Record, index: Index) -> Formula:
    """(p - t) / N, with the label as a one-hot row."""
    n, c = index
    p, N = at("p", given(record.p), n, c), len(given(record.p))
    t = float(record.t[n] == c) if record.t.ndim == 1 else float(record.t[n, c])
    tokens: list[str | Number] = ["(", p, " - ", Number(f"t[{n},{c}]", t), ") / ", Number("N", N)]
    return Formula(tokens, (p.value - t) / N, scale=(p.value + t) / N)


# --- Gaussian negative log-likelihood --------------------------------------------------------------------------------


def nll(loss: Any, record: Record) -> Formula:
    """The mean over targets of (log(2 pi v) + (t - m)^2 / v) / 2."""
    y, t = given(record.y), record.t
    if loss.variance is not None:
        errors = (wide(y) - wide(t)).ravel() ** 2
        share = Number("(2 variance N D)", 2 * loss.variance * t.size)
        constant = Number("log(2 pi variance) / 2", (LOG_2_PI + math.log(loss.variance)) / 2)
        return total(errors, lambda k: error(y, t, place(k, y)), "(", [") / ", share], 1 / share.value, constant)
    D = t.shape[1]
    m, s = wide(y[:, :D]), wide(y[:, D:])
    terms = (LOG_2_PI + s + (m - wide(t)) ** 2 * np.exp(-s)).ravel()
    return total(
        terms, lambda k: nll_term(y, t, *place(k, t)), "(", [") / ", Number("(2 N D)", 2 * t.size)], 0.5 / t.size
    )


def nll_term(y: Array, t: Array, n: int, d: int) -> Tokens:
    """log(2 pi) + log v + (m - t)^2 / v"""
    v = Number(f"v[{n},{d}]", exp(y[n, t.shape[1] + d]))
    return ["log(2 * pi * ", v, ") + ", *error(y, t, (n, d)), " / ", v]


def exp(s: float) -> float:
    """e^s, infinity where that is too large."""
    return float(np.exp(np.float64(s)))


def nll_slope(loss: Any, record: Record, index: Index) -> Formula:
    """By the mean (m - t) / v / (N D), by the log variance (1 - (m - t)^2 / v) / 2 / (N D)."""
    y, t = given(record.y), record.t
    n, column = index
    D, ND = t.shape[1], Number("(N D)", t.size)
    d = column % D
    m, target = at("y", y, n, d), at("t", t, n, d)
    if loss.variance is not None:
        v = Number("variance", loss.variance)
    else:
        v = Number(f"v[{n},{d}]", exp(y[n, D + d]))
    off, size = np.float64(m.value - target.value), np.float64(abs(m.value) + abs(target.value))
    if column < D:
        tokens: list[str | Number] = ["(", m, " - ", target, ") / ", v, " / ", ND]
        return Formula(tokens, off / v.value / ND.value, scale=size / v.value / ND.value)
    tokens = ["(1 - (", m, " - ", target, ")^2 / ", v, ") / (2 * ", ND, ")"]
    result, scale = (1 - off**2 / v.value) / 2 / ND.value, (1 + size**2 / v.value) / 2 / ND.value
    return Formula(tokens, result, scale=scale)


Entry = Callable[..., Formula]
LAWS: dict[type, tuple[str, Entry, str, Entry]] = {
    MSE: ("L = the mean of (y - t)^2 over all elements", mse, "dL/dy = 2 (y - t) / (N D)", mse_slope),
    SoftmaxCrossEntropy: (
        "L = the mean over rows of -log p[n,t_n] (soft targets: of -sum_c t log p)",
        cross_entropy,
        "dL/dy = (p - t) / N, with t as one-hot rows",
        cross_entropy_slope,
    ),
    GaussianNLL: (
        "L = the mean of (log(2 pi v) + (m - t)^2 / v) / 2, with y = m, or y = [m | log v]",
        nll,
        "dL/dm = (m - t) / v / (N D), dL/d(log v) = (1 - (m - t)^2 / v) / (2 N D)",
        nll_slope,
    ),
}
