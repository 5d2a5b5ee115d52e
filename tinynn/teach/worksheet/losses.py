"""What the losses and their gradients are computed by: the laws, with the formulas in errors.py and likelihoods.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...losses import MAE, MSE, BinaryCrossEntropy, GaussianNLL, Huber, SoftmaxCrossEntropy
from . import errors, likelihoods
from .errors import given
from .formula import Formula
from .lines import Quantity, shape
from .record import Record


def value(loss: Any, record: Record) -> list[Quantity]:
    """What the loss's forward computes: L, and for scores the probabilities before it."""
    y, t, L = given(record.y), record.t, np.array(record.value)
    law, entry = LAWS[type(loss)][:2] if type(loss) in LAWS else ("", None)
    shapes = f"one number from y {shape(y)} and t {shape(t)}"
    own = f"{type(loss).__name__}.compute(y, t)"
    found = []
    if record.p is not None:
        key = "p{} of the loss"
        found.append(
            Quantity(
                key,
                "p",
                record.p,
                "p = softmax(y)",
                f"{shape(y)}",
                lambda index: likelihoods.softmax(record, index),
                own,
            )
        )
        found += likelihoods.smoothed(loss, record)
    if entry is None:
        known = Formula([own])
        return [*found, Quantity("L{}", "L", L, f"L = {own}", shapes, lambda index: known, own, dtype=y.dtype)]
    return [*found, Quantity("L{}", "L", L, law, shapes, lambda index: entry(loss, record), own, dtype=y.dtype)]


def slope(loss: Any, record: Record, of: str) -> Quantity:
    """What the loss's backward gives: dL/dy, where the chain rule starts."""
    y, dy = given(record.y), given(record.dy)
    own = f"{type(loss).__name__}.backward()"
    key, shapes = f"dL/dy{{}} of {of}", f"{shape(dy)} from y {shape(y)} and t {shape(record.t)}"
    if type(loss) not in LAWS:
        known = Formula([own])
        return Quantity(key, "dL/dy", dy, f"dL/dy = {own}", shapes, lambda index: known, own)
    law, entry = LAWS[type(loss)][2:]
    return Quantity(key, "dL/dy", dy, law, shapes, lambda index: entry(loss, record, index), own)


Entry = Callable[..., Formula]
LAWS: dict[type, tuple[str, Entry, str, Entry]] = {
    MSE: ("L = the mean of (y - t)^2 over all elements", errors.mse, "dL/dy = 2 (y - t) / (N D)", errors.mse_slope),
    MAE: ("L = the mean of |y - t| over all elements", errors.mae, "dL/dy = sign(y - t) / (N D)", errors.mae_slope),
    Huber: (
        "L = the mean of (y - t)^2 / 2 where |y - t| <= delta, else of delta (|y - t| - delta / 2)",
        errors.huber,
        "dL/dy = (y - t) / (N D), with y - t clipped to -delta .. delta",
        errors.huber_slope,
    ),
    BinaryCrossEntropy: (
        "L = the mean of -t log p - (1 - t) log(1 - p) = log(1 + e^y) - t y, with p = 1 / (1 + e^(-y))",
        likelihoods.yes_or_no,
        "dL/dy = (p - t) / (N D)",
        likelihoods.yes_or_no_slope,
    ),
    SoftmaxCrossEntropy: (
        "L = the mean over rows of -log p[n,t_n] (soft targets: of -sum_c t log p)",
        likelihoods.cross_entropy,
        "dL/dy = (p - t) / N, with t as one-hot rows",
        likelihoods.cross_entropy_slope,
    ),
    GaussianNLL: (
        "L = the mean of (log(2 pi v) + (m - t)^2 / v) / 2, with y = m, or y = [m | log v]",
        likelihoods.nll,
        "dL/dm = (m - t) / v / (N D), dL/d(log v) = (1 - (m - t)^2 / v) / (2 N D)",
        likelihoods.nll_slope,
    ),
}
