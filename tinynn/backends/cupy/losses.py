"""Losses: the value stays on the GPU, an array without dimensions."""

from __future__ import annotations

from ...checks import Array
from .. import shapes
from .device import xp

mse_kernel = xp.ElementwiseKernel(
    "T y, T t, T scale", "T square, T dy", "T error = y - t; square = error * error; dy = error * scale", "mse"
)
cross_entropy_labels = xp.ElementwiseKernel(
    "T z, T e, T total, S label, int64 c, int64 C, T N, T nan",
    "T loss, T dy",
    """bool bad = label < 0 || label >= C;
    loss = bad ? nan : (c == label ? log(total) - z : T(0));
    dy = bad ? nan : (e / total - (c == label ? T(1) : T(0))) / N""",
    "cross_entropy_labels",
)
cross_entropy_rows = xp.ElementwiseKernel(
    "T z, T e, T total, T t, T N",
    "T loss, T dy",
    "loss = t == 0 ? T(0) : t * (log(total) - z); dy = (e / total - t) / N",
    "cross_entropy_rows",
)
gaussian_kernel = xp.ElementwiseKernel(
    "T m, T s, T t, T log_2pi, T N",
    "T loss, T dm, T ds",
    """T error = m - t;
    T per_sigma = error == T(0) ? T(1) : exp(-s / T(2));
    error = error * per_sigma;
    T square = error * error;
    loss = (log_2pi + s + square) / T(2);
    dm = error * per_sigma / N;
    ds = (T(1) - square) / T(2) / N""",
    "gaussian_nll",
)
LOG_2PI = 1.8378770664093453


def mse(y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
    shapes.demand("mse: y (N, D), t (N, D), weight? (N,)", y, t, weight)
    square, dy = mse_kernel(y, t, 2 / max(y.size, 1))
    return _average(square, dy, y.size, weight)


def softmax(y: Array) -> Array:
    shapes.demand("softmax: y (N, C)", y)
    _, e, total = _softmax_parts(y)
    return e / total


def softmax_cross_entropy(y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
    if t.ndim == 1:
        shapes.demand("softmax_cross_entropy: y (N, C), labels t (N,), weight? (N,)", y, t, weight)
    else:
        shapes.demand("softmax_cross_entropy: y (N, C), t (N, C), weight? (N,)", y, t, weight)
    N, C = y.shape
    z, e, total = _softmax_parts(y)
    if t.ndim == 1:
        losses, dy = cross_entropy_labels(z, e, total, t[:, None], xp.arange(C), C, max(N, 1), float("nan"))
    else:
        losses, dy = cross_entropy_rows(z, e, total, t, max(N, 1))
    return _average(losses, dy, N, weight)


def gaussian_nll(y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
    shapes.demand("gaussian_nll: t (N, D), y (N, 2 D), weight? (N,)", t, y, weight)
    D = t.shape[1]
    losses, dm, ds = gaussian_kernel(y[:, :D], y[:, D:], t, LOG_2PI, max(t.size, 1))
    return _average(losses, xp.concatenate([dm, ds], axis=1), t.size, weight)


def _softmax_parts(y: Array) -> tuple[Array, Array, Array]:
    """y less its row's maximum, e to that, and the sum of its row."""
    z = y - y.max(axis=1, keepdims=True)
    e = xp.exp(z)
    return z, e, e.sum(axis=1, keepdims=True)


def average_of_all(losses: Array, dy: Array, weight: Array | None) -> tuple[float, Array]:
    """The mean of all numbers, for the losses that are the textbook's."""
    return _average(losses, dy, losses.size, weight)


def _average(losses: Array, dy: Array, count: int, weight: Array | None) -> tuple[float, Array]:
    """sum(losses) / count in double precision, still on the GPU, NaN for count 0; and its gradient."""
    if weight is not None:
        share = weight / weight.max()
        share = (share / share.mean())[:, None]
        losses, dy = losses * share, dy * share
    return losses.sum(dtype=xp.float64) / (count or float("nan")), dy
