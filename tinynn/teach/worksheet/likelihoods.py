"""The formulas of the losses that are negative logarithms of probabilities."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from ...checks import Array
from .errors import error, given, mean, over_all
from .formula import Formula, Number, Tokens, total
from .lines import Index, Quantity, at, bracket, place, shape, wide
from .record import Record

LOG_2_PI = math.log(2 * math.pi)

# --- yes or no -------------------------------------------------------------------------------------------------------


def yes_or_no(loss: Any, record: Record) -> Formula:
    """The mean of log(1 + e^y) - t y: what -t log p - (1 - t) log(1 - p) is, with p = sigmoid(y)."""
    y, t = given(record.y), record.t
    scores = wide(y).ravel()
    terms = np.logaddexp(0, scores) - wide(t).ravel() * scores

    def token(k: int) -> Tokens:
        score, target = at("y", y, *place(k, y)), at("t", t, *place(k, y))
        return ["log(1 + e^(", score, ")) - ", target, " * ", score]

    found = mean(terms, token)
    return dataclasses.replace(found, scale=found.scale + float(np.abs(scores).max()))


def yes_or_no_slope(loss: Any, record: Record, index: Index) -> Formula:
    """(p - t) / (N D)"""
    y, t = at("y", given(record.y), *index), at("t", record.t, *index)
    p = float(1 / (1 + np.exp(-y.value)))
    minus_y = Number("-" + y.symbol, -y.value)
    return over_all(["(1 / (1 + e^(", minus_y, ")) - ", t, ")"], p - t.value, given(record.y), p + t.value)


# --- softmax and cross-entropy ---------------------------------------------------------------------------------------


def softmax(record: Record, index: Index) -> Formula:
    """e^y[n,c] over the sum of all e^y[n,k]."""
    y, (*n, c) = given(record.y), index
    scores = wide(y[tuple(n)])
    top = float(scores.max())
    e = np.exp(scores - top)
    result = float(e[c] / e.sum())
    # With e^(y - top) written as e^y / e^top: what is left out cancels.
    below = total(e, lambda k: ["e^(", at("y", y, *n, k), ")"])
    factor = math.exp(min(top, 700.0))
    tokens: list[str | Number] = [
        Number(t.symbol, t.value * factor, t.more) if isinstance(t, Number) and t.more else t for t in below.tokens
    ]
    return Formula(["e^(", at("y", y, *index), ") / (", *tokens, ")"], result, scale=1.0)


def rows_of(a: Array) -> Array:
    """One number of each row, of which the index says where the row is."""
    return a[..., 0]


def targets(loss: Any, record: Record) -> tuple[str, Array | None]:
    """Probabilities, under their name: t, or what label_smoothing has made of t; None where there are labels alone."""
    t, C, e = record.t, given(record.p).shape[-1], float(loss.label_smoothing)
    if not e:
        return "t", t if t.ndim == given(record.p).ndim else None
    return "t'", one_hot(record) * (1 - e) + e / C


def one_hot(record: Record) -> Array:
    """t as rows of probabilities."""
    t, p = record.t, given(record.p)
    return wide(t) if t.ndim == p.ndim else np.eye(p.shape[-1])[t]


def smoothed(loss: Any, record: Record) -> list[Quantity]:
    """t', where labels are smoothed."""
    e, C = Number("label_smoothing", float(loss.label_smoothing)), Number("C", given(record.p).shape[-1])
    if not e.value:
        return []
    old, new = one_hot(record), given(targets(loss, record)[1])

    def entry(index: Index) -> Formula:
        return Formula(["(1 - ", e, ") * ", at("t", old, *index), " + ", e, " / ", C], float(new[index]), scale=1.0)

    law = "t' = (1 - label_smoothing) t + label_smoothing / C, with t as one-hot rows"
    new = new.astype(given(record.p).dtype)
    return [Quantity("t'{} of the loss", "t'", new, law, shape(new), entry)]


def cross_entropy(loss: Any, record: Record) -> Formula:
    """The mean over rows of -log p at the label; with soft targets of -sum_c t log p."""
    p = given(record.p)
    name, t = targets(loss, record)
    rows = rows_of(p)
    N: Tokens = [") / ", Number("N", rows.size)]
    with np.errstate(divide="ignore", invalid="ignore"):
        if t is None:
            labels = record.t.ravel()
            logs = np.log(wide(p.reshape(-1, p.shape[-1])[np.arange(len(labels)), labels]))
            found = total(
                logs, lambda n: ["log(", at("p", p, *place(n, rows), int(labels[n])), ")"], "-(", N, -1 / len(logs)
            )
        else:
            logs = np.where(t == 0, 0, wide(t) * np.log(wide(p))).ravel()
            found = total(logs, lambda k: soft_term(p, name, t, place(k, p)), "-(", N, -1 / rows.size)
    return dataclasses.replace(found, scale=found.scale + 1)  # log p of a rounded p is that far off


def soft_term(p: Array, name: str, t: Array, index: Index) -> Tokens:
    """t log p"""
    return [at(name, t, *index), " * log(", at("p", p, *index), ")"]


def cross_entropy_slope(loss: Any, record: Record, index: Index) -> Formula:
    """(p - t) / N, with the label as a one-hot row."""
    p, N = at("p", given(record.p), *index), rows_of(given(record.p)).size
    name, t = targets(loss, record)
    target = at(name, one_hot(record) if t is None else t, *index)
    tokens: list[str | Number] = ["(", p, " - ", target, ") / ", Number("N", N)]
    return Formula(tokens, (p.value - target.value) / N, scale=(p.value + target.value) / N)


# --- Gaussian negative log-likelihood --------------------------------------------------------------------------------


def nll(loss: Any, record: Record) -> Formula:
    """The mean over targets of (log(2 pi v) + (t - m)^2 / v) / 2."""
    y, t = given(record.y), record.t
    if loss.variance is not None:
        errors = (wide(y) - wide(t)).ravel() ** 2
        share = Number("(2 variance N D)", 2 * loss.variance * t.size)
        constant = Number("log(2 pi variance) / 2", (LOG_2_PI + math.log(loss.variance)) / 2)
        return total(errors, lambda k: error(y, t, place(k, y)), "(", [") / ", share], 1 / share.value, constant)
    D = t.shape[-1]
    m, s = wide(y[..., :D]), wide(y[..., D:])
    terms = (LOG_2_PI + s + (m - wide(t)) ** 2 * np.exp(-s)).ravel()
    return total(
        terms, lambda k: nll_term(y, t, place(k, t)), "(", [") / ", Number("(2 N D)", 2 * t.size)], 0.5 / t.size
    )


def nll_term(y: Array, t: Array, index: Index) -> Tokens:
    """log(2 pi) + log v + (m - t)^2 / v"""
    *n, d = index
    v = Number(f"v{bracket(index)}", exp(y[tuple(n)][t.shape[-1] + d]))
    return ["log(2 * pi * ", v, ") + ", *error(y, t, index), " / ", v]


def exp(s: float) -> float:
    """e^s, infinity where that is too large."""
    return float(np.exp(np.float64(s)))


def nll_slope(loss: Any, record: Record, index: Index) -> Formula:
    """By the mean (m - t) / v / (N D), by the log variance (1 - (m - t)^2 / v) / 2 / (N D)."""
    y, t = given(record.y), record.t
    *n, column = index
    D, ND = t.shape[-1], Number("(N D)", t.size)
    d = column % D
    m, target = at("y", y, *n, d), at("t", t, *n, d)
    if loss.variance is not None:
        v = Number("variance", loss.variance)
    else:
        v = Number(f"v{bracket((*n, d))}", exp(y[tuple(n)][D + d]))
    off, size = np.float64(m.value - target.value), np.float64(abs(m.value) + abs(target.value))
    if column < D:
        tokens: list[str | Number] = ["(", m, " - ", target, ") / ", v, " / ", ND]
        return Formula(tokens, off / v.value / ND.value, scale=size / v.value / ND.value)
    tokens = ["(1 - (", m, " - ", target, ")^2 / ", v, ") / (2 * ", ND, ")"]
    result, scale = (1 - off**2 / v.value) / 2 / ND.value, (1 + size**2 / v.value) / 2 / ND.value
    return Formula(tokens, result, scale=scale)
