"""Batch normalization, in as few passes over memory as there can be: two forward, two backward.

Sums are taken of BLOCK rows at a time, in the array's own precision, and added up in double precision: one by one, a
hundred thousand float32 would lose three digits.
"""

from __future__ import annotations

import numpy as np
from numba import float64

from ...checks import REALS, Array
from .. import numpy as textbook
from .compile import kernel, read, write

BLOCK = 64  # rows


def batch_statistics(x: Array) -> tuple[Array, Array]:
    if x.ndim != 2 or x.dtype not in REALS or x.size == 0:
        return textbook.batch_statistics(x)
    mean, var = np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
    statistics_kernel(np.ascontiguousarray(x), mean, var, np.zeros((2, x.shape[1]), x.dtype), np.zeros((2, x.shape[1])))
    return mean, var


def batch_norm(x: Array, g: Array, b: Array, mean: Array, var: Array, eps: float) -> Array:
    if not _fit(x, g, b, mean, var):
        return textbook.batch_norm(x, g, b, mean, var, eps)
    y = np.empty(x.shape, x.dtype)
    scale = np.asarray(g / np.sqrt(var + eps), x.dtype)
    normalize_kernel(np.ascontiguousarray(x), np.ascontiguousarray(mean), scale, np.ascontiguousarray(b), y)
    return y


def batch_norm_backward(
    dy: Array, x: Array, g: Array, mean: Array, var: Array, dg: Array, db: Array, eps: float
) -> Array:
    if not (dy.shape == x.shape and dy.dtype == x.dtype and _fit(x, g, mean, var, dg, db)):
        return textbook.batch_norm_backward(dy, x, g, mean, var, dg, db, eps)
    dx, sums = np.empty(x.shape, x.dtype), np.zeros((2, len(g)))
    dy, x, mean = np.ascontiguousarray(dy), np.ascontiguousarray(x), np.ascontiguousarray(mean)
    one_over_sigma = 1 / np.sqrt(var + eps)
    sums_kernel(dy, x, mean, one_over_sigma, np.empty((2, len(g)), x.dtype), sums)
    dg[...], db[...] = sums
    along, scale = one_over_sigma * dg / len(x), g * one_over_sigma
    gradient_kernel(dy, x, mean, (db / len(x)).astype(x.dtype), along.astype(x.dtype), scale.astype(x.dtype), dx)
    return dx


def _fit(x: Array, *features: Array) -> bool:
    """Whether x (M, C) and all (C,) fit one another and the kernels."""
    fit = x.ndim == 2 and x.size > 0 and x.dtype in REALS
    return fit and all(a.shape == x.shape[1:] and a.dtype == x.dtype for a in features)


@kernel(lambda T: (read(T, 2), write(T), write(T), write(T, 2), write(float64, 2)))
def statistics_kernel(x, mean, var, block, total):
    """Mean and variance of each block, which stays in cache, put together (Chan, Golub & LeVeque 1983).

    Two sets of n and m numbers, whose means lie d apart: their squared errors add up, and d^2 n m / (n + m) more.
    """
    M, C = x.shape
    for first in range(0, M, BLOCK):
        m = min(BLOCK, M - first)
        block[:] = 0
        for r in range(first, first + m):
            for c in range(C):
                block[0, c] += x[r, c]
        for c in range(C):
            block[0, c] /= m
        for r in range(first, first + m):
            for c in range(C):
                error = x[r, c] - block[0, c]
                block[1, c] += error * error
        for c in range(C):
            d = block[0, c] - total[0, c]
            total[0, c] += d * m / (first + m)
            total[1, c] += block[1, c] + d * d * first * m / (first + m)
    for c in range(C):
        mean[c], var[c] = total[0, c], total[1, c] / M


@kernel(lambda T: (read(T, 2), read(T), read(T), read(T), write(T, 2)))
def normalize_kernel(x, mean, scale, b, y):
    M, C = x.shape
    for r in range(M):
        for c in range(C):
            y[r, c] = (x[r, c] - mean[c]) * scale[c] + b[c]


@kernel(lambda T: (read(T, 2), read(T, 2), read(T), read(T), write(T, 2), write(float64, 2)))
def sums_kernel(dy, x, mean, one_over_sigma, block, total):
    """total = sums of dy z and of dy, z = (x - mean) / sigma."""
    M, C = x.shape
    for first in range(0, M, BLOCK):
        block[:] = 0
        for r in range(first, min(first + BLOCK, M)):
            for c in range(C):
                block[0, c] += dy[r, c] * (x[r, c] - mean[c])
                block[1, c] += dy[r, c]
        for c in range(C):
            total[0, c] += block[0, c] * one_over_sigma[c]
            total[1, c] += block[1, c]


@kernel(lambda T: (read(T, 2), read(T, 2), read(T), read(T), read(T), read(T), write(T, 2)))
def gradient_kernel(dy, x, mean, shift, along, scale, dx):
    M, C = x.shape
    for r in range(M):
        for c in range(C):
            dx[r, c] = scale[c] * (dy[r, c] - shift[c] - (x[r, c] - mean[c]) * along[c])
