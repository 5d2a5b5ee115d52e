"""Losses: (y, t) -> (value, dy).

Each returns the loss and its gradient together, as they share most of the computing. Sums over a batch are computed in
double precision, and the loss of an empty batch is NaN: there is nothing to average. With a weight (N,), 0 or more for
each row, the mean over rows is the weighted mean: a row of weight 2 counts like two equal rows.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...checks import Array
from .. import shapes
from . import activations


def mse(y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
    """L = mean over all N D elements of (y - t)^2;  dy = 2 (y - t) / (N D).

    y, t (N, D) -> the value, dy (N, D).
    """
    shapes.demand("mse: y (N, D), t (N, D), weight? (N,)", y, t, weight)
    error = y - t
    return _average(error * error, error * (2 / max(y.size, 1)), weight)


def softmax(y: Array) -> Array:
    """p[n, c] = e^y[n, c] / sum_k e^y[n, k]: scores (logits) to probabilities, row by row.

    Subtracting a row's maximum first changes nothing (it cancels) and keeps e^y from overflowing.
    y (N, C) -> p (N, C).
    """
    shapes.demand("softmax: y (N, C)", y)
    e = np.exp(y - _row_max(y))
    return e / e.sum(axis=1, keepdims=True)


def softmax_cross_entropy(y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
    """L = mean over rows of -log p[n, t_n], where p = softmax(y);  dy = (p - t) / N, t as one-hot rows.

    Softmax and logarithm are one op because together they are simple: -log p_t = log(sum_k e^y_k) - y_t, which never
    takes the log of a rounded 0; and since d log(sum_k e^y_k) / dy_c = e^y_c / sum_k e^y_k = p_c, the gradient is
    p_c - 1 at the label and p_c elsewhere. With rows of probabilities (soft targets, which sum to 1) in place of
    labels, L = -sum_c t_c log p_c has the gradient p - t.

    y (N, C) scores; t (N,) integer labels in 0..C-1, or (N, C) probabilities -> the value, dy (N, C).
    Raises ValueError for a label out of range.
    """
    if np.ndim(t) == 1:
        shapes.demand("softmax_cross_entropy: y (N, C), labels t (N,), weight? (N,)", y, t, weight)
    else:
        shapes.demand("softmax_cross_entropy: y (N, C), t (N, C), weight? (N,)", y, t, weight)
    N, C = y.shape
    z = y - _row_max(y)
    e = np.exp(z)
    total = e.sum(axis=1, keepdims=True)
    p = e / total
    log_p = z - np.log(total)
    if t.ndim == 1:
        checks.labels(t, C)
        rows = np.arange(N)
        losses = -log_p[rows, t]
        p[rows, t] -= 1
    else:
        losses = (-t * np.where(t == 0, 0, log_p)).sum(axis=1)  # probability 0 adds nothing, even where log p is -inf
        p -= t
    p /= max(N, 1)
    return _average(losses, p, weight)


def gaussian_nll(y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
    """L = mean over all N D targets of -log N(t; m, v) = (log(2 pi) + s + (t - m)^2 / v) / 2, with s = log v.

    The network gives mean and *log* variance of each target: y = [m | s], so v = e^s is positive whatever y is.
    dm = (m - t) / v / (N D);  ds = (1 - (t - m)^2 / v) / 2 / (N D), zero where v is the squared error itself.

    y (N, 2 D), t (N, D) -> the value, dy (N, 2 D). Source: Nix & Weigend 1994.
    """
    shapes.demand("gaussian_nll: t (N, D), y (N, 2 D), weight? (N,)", t, y, weight)
    D = t.shape[1]
    m, s = y[:, :D], y[:, D:]
    error = m - t
    # 1 / sqrt(v) is in range where 1 / v is not, as for v = 1e-40 in float32; without an error, none is needed.
    per_sigma = np.exp(np.where(error == 0, 0, -s / 2))
    error = error * per_sigma  # in standard deviations
    square = error * error
    dy = np.concatenate([error * per_sigma, (1 - square) / 2], axis=1)
    dy /= max(t.size, 1)
    return _average((np.log(2 * np.pi) + s + square) / 2, dy, weight)


def mae(y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
    """L = mean over all N D elements of |y - t|;  dy = sign(y - t) / (N D), 0 where y = t, which has no derivative.

    y, t (N, D) -> the value, dy (N, D).
    """
    shapes.demand("mae: y (N, D), t (N, D), weight? (N,)", y, t, weight)
    error = y - t
    sign = np.sign(error.real)
    return _average(error * sign, sign / max(y.size, 1), weight)


def huber(y: Array, t: Array, delta: float, weight: Array | None = None) -> tuple[float, Array]:
    """L = mean of e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2), with e = y - t.

    dy = clip(e, -delta, delta) / (N D).

    A parabola, continued by its tangents at -delta and delta: so the gradient of an outlier is at most delta / (N D).
    y, t (N, D) -> the value, dy (N, D). Source: Huber 1964.
    """
    shapes.demand("huber: y (N, D), t (N, D), weight? (N,)", y, t, weight)
    error = y - t
    inner = np.where(np.abs(error.real) <= delta, error, delta * np.sign(error.real))  # clipped
    return _average(inner * (error - inner / 2), inner / max(y.size, 1), weight)


def binary_cross_entropy(y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
    """L = mean of -t log p - (1 - t) log(1 - p), p = sigmoid(y);  dy = (p - t) / (N D).

    With log p = y - softplus(y) and log(1 - p) = -softplus(y) this is softplus(y) - t y: no logarithm of a rounded 0
    (1 - p *is* 0 from y = 17 on in float32). And softplus' is sigmoid, so dy is p - t.
    softplus(y) = max(y, 0) + log(1 + e^-|y|) comes in two parts, the larger one first: for t = 1 and a large y it goes
    against t y, and what remains is the small loss, with all its digits.

    y scores (logits), t probabilities, (N, D) -> the value, dy (N, D).
    """
    shapes.demand("binary_cross_entropy: y (N, D), t (N, D), weight? (N,)", y, t, weight)
    right = y.real > 0
    losses = np.where(right, y, 0) - t * y + np.log1p(np.exp(np.where(right, -y, y)))
    return _average(losses, (activations.sigmoid(y) - t) / max(y.size, 1), weight)


def _row_max(y: Array) -> Array:
    """The largest real part in each row, (N, 1); NaN in a row of NaN."""
    return y.real.max(axis=1, keepdims=True, initial=-np.inf)


def _average(losses: Array, dy: Array, weight: Array | None) -> tuple[float, Array]:
    """The mean of `losses`, (N,) or (N, D), in double precision, NaN where there is none; and its gradient.

    sum_n w_n l_n / sum_n w_n is the mean of (w_n / mean(w)) l_n: so rows and their gradients are only scaled.
    """
    if weight is not None:
        share = weight / weight.max()  # so that no sum of large weights overflows
        share = (share / share.mean())[:, None]
        losses, dy = losses.reshape(len(share), -1) * share, dy * share
    wide = np.result_type(losses.dtype, np.float64)
    return losses.sum(dtype=wide).item() / losses.size if losses.size else float("nan"), dy
