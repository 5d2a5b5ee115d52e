"""The formulas of the losses that are made of errors y - t, and what those of all losses share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...checks import Array
from .formula import Formula, Number, Tokens, total
from .lines import Index, at, place, wide
from .record import Record


def given(a: Array | None) -> Array:
    """An array that has been computed."""
    assert a is not None
    return a


def mean(terms: Array, token: Callable[[int], Tokens]) -> Formula:
    """(term + ... + term) / (N D)"""
    return total(terms, token, "(", [") / ", Number("(N D)", terms.size)], 1 / terms.size)


def over_all(tokens: Tokens, value: float, y: Array, scale: float = 0.0) -> Formula:
    """value / (N D)"""
    return Formula([*tokens, " / ", Number("(N D)", y.size)], value / y.size, scale=max(scale, abs(value)) / y.size)


def error(y: Array, t: Array, index: Index) -> Tokens:
    """(y - t)^2 of an element"""
    return ["(", at("y", y, *index), " - ", at("t", t, *index), ")^2"]


def mse(loss: Any, record: Record) -> Formula:
    """The mean of (y - t)^2 over all elements."""
    y, t = given(record.y), record.t
    return mean((wide(y) - wide(t)).ravel() ** 2, lambda k: error(y, t, place(k, y)))


def mse_slope(loss: Any, record: Record, index: Index) -> Formula:
    """2 (y - t) / (N D)"""
    y, t = at("y", given(record.y), *index), at("t", record.t, *index)
    tokens: Tokens = ["2 * (", y, " - ", t, ")"]
    return over_all(tokens, 2 * (y.value - t.value), given(record.y), 2 * (abs(y.value) + abs(t.value)))


def mae(loss: Any, record: Record) -> Formula:
    """The mean of |y - t| over all elements."""
    y, t = given(record.y), record.t
    terms = np.abs(wide(y) - wide(t)).ravel()
    return mean(terms, lambda k: ["|", at("y", y, *place(k, y)), " - ", at("t", t, *place(k, y)), "|"])


def mae_slope(loss: Any, record: Record, index: Index) -> Formula:
    """sign(y - t) / (N D)"""
    return over_all([sign(record, index)], sign(record, index).value, given(record.y))


def sign(record: Record, index: Index) -> Number:
    """sign(y - t)"""
    y, t = at("y", given(record.y), *index), at("t", record.t, *index)
    return Number(f"sign({y.symbol} - {t.symbol})", float(np.sign(y.value - t.value)))


def huber(loss: Any, record: Record) -> Formula:
    """The mean of e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2)."""
    y, t, delta = given(record.y), record.t, Number("delta", float(loss.delta))
    size = np.abs(wide(y) - wide(t)).ravel()
    terms = np.where(size <= delta.value, size**2 / 2, delta.value * (size - delta.value / 2))

    def token(k: int) -> Tokens:
        index = place(k, y)
        if size[k] <= delta.value:
            return [*error(y, t, index), " / 2"]
        return [delta, " * (|", at("y", y, *index), " - ", at("t", t, *index), "| - ", delta, " / 2)"]

    return mean(terms, token)


def huber_slope(loss: Any, record: Record, index: Index) -> Formula:
    """(y - t) / (N D), or delta sign(y - t) / (N D)"""
    y, t, delta = at("y", given(record.y), *index), at("t", record.t, *index), Number("delta", float(loss.delta))
    if abs(y.value - t.value) <= delta.value:
        return over_all(["(", y, " - ", t, ")"], y.value - t.value, given(record.y), abs(y.value) + abs(t.value))
    return over_all([delta, " * ", sign(record, index)], delta.value * sign(record, index).value, given(record.y))
