"""Batch normalization, in as few passes over memory as there can be: two forward, two backward.

Sums are taken of BLOCK rows at a time, in the array's own precision, and added up in double precision: one by one, a
hundred thousand float32 would lose three digits.
"""

from __future__ import annotations

import numpy as np
from numba import float64

from ...checks import REALS, Array
from .. import numpy as textbook
from . import threads
from .compile import kernel, read, write

BLOCK = 64  # rows
ABREAST = 128  # numbers


def batch_statistics(x: Array) -> tuple[Array, Array]:
    if x.ndim != 2 or x.dtype not in REALS or x.size == 0:
        return textbook.batch_statistics(x)
    x = np.ascontiguousarray(x)
    rows = _shares(x)

    def run(r: int, end: int) -> Array:
        (part,) = side_by_side(x[r:end])
        total = np.zeros((2, part.shape[1]))
        statistics_kernel(part, np.empty(total.shape, x.dtype), total)
        return total.reshape(2, -1, x.shape[1])

    totals = threads.on_all(run, rows)
    # One mean and variance for the rows of each share and of each place side by side, put together as in the kernel.
    means, variances = np.concatenate(totals, axis=1)
    parts = [total.shape[1] for total in totals]
    share_of = np.concatenate([np.full((n, 1), (end - r) / (n * len(x))) for n, (r, end) in zip(parts, rows)])
    mean = (share_of * means).sum(axis=0)
    var = (share_of * (variances + (means - mean) ** 2)).sum(axis=0)
    return mean.astype(x.dtype), var.astype(x.dtype)


def batch_norm(x: Array, g: Array, b: Array, mean: Array, var: Array, eps: float) -> Array:
    if not _fit(x, g, b, mean, var):
        return textbook.batch_norm(x, g, b, mean, var, eps)
    y = np.empty(x.shape, x.dtype)
    x, scale = np.ascontiguousarray(x), g / np.sqrt(var + eps)
    threads.on_all(lambda r, end: normalize_kernel(*side_by_side(x[r:end], y[r:end], mean, scale, b)), _shares(x))
    return y


def batch_norm_backward(
    dy: Array, x: Array, g: Array, mean: Array, var: Array, dg: Array, db: Array, eps: float
) -> Array:
    if not (dy.shape == x.shape and dy.dtype == x.dtype and _fit(x, g, mean, var, dg, db)):
        return textbook.batch_norm_backward(dy, x, g, mean, var, dg, db, eps)
    dx, sigma = np.empty(x.shape, x.dtype), np.sqrt(var + eps)
    dy, x = np.ascontiguousarray(dy), np.ascontiguousarray(x)
    rows = _shares(x)

    def add(r: int, end: int) -> Array:
        part = side_by_side(dy[r:end], x[r:end], mean, 1 / sigma)
        total = np.zeros((2, part[0].shape[1]))
        sums_kernel(*part, np.empty(total.shape, x.dtype), total)
        return total.reshape(2, -1, len(g)).sum(axis=1)

    dg[...], db[...] = np.sum(threads.on_all(add, rows), axis=0)
    vectors = mean, db / len(x), dg / (sigma * len(x)), g / sigma
    threads.on_all(lambda r, end: gradient_kernel(*side_by_side(dy[r:end], x[r:end], dx[r:end], *vectors)), rows)
    return dx


def _shares(x: Array) -> list[tuple[int, int]]:
    return threads.shares(len(x), x.size * threads.PASS, BLOCK)


def side_by_side(*arrays: Array) -> list[Array]:
    """Some rows (M, C) as one, up to ABREAST numbers, and vectors (C,) repeated alike: loops over 16 are short."""
    M, C = arrays[0].shape
    parts = next(k for k in (8, 4, 2, 1) if k == 1 or (M % k == 0 and k * C <= ABREAST))
    dtype = arrays[0].dtype
    return [
        np.ascontiguousarray(a).reshape(M // parts, parts * C)
        if a.ndim == 2
        else np.concatenate((a,) * parts, dtype=dtype)
        for a in arrays
    ]


def _fit(x: Array, *features: Array) -> bool:
    """Whether x (M, C) and all (C,) fit one another and the kernels."""
    fit = x.ndim == 2 and x.size > 0 and x.dtype in REALS
    return fit and all(a.shape == x.shape[1:] and a.dtype == x.dtype for a in features)


@kernel(lambda T: (read(T, 2), write(T, 2), write(float64, 2)))
def statistics_kernel(x, block, total):
    """total = mean and variance: those of each block, which stays in cache, put together (Chan, Golub & LeVeque 1983).

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
        total[1, c] /= M


@kernel(lambda T: (read(T, 2), write(T, 2), read(T), read(T), read(T)))
def normalize_kernel(x, y, mean, scale, b):
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


@kernel(lambda T: (read(T, 2), read(T, 2), write(T, 2), read(T), read(T), read(T), read(T)))
def gradient_kernel(dy, x, dx, mean, shift, along, scale):
    M, C = x.shape
    for r in range(M):
        for c in range(C):
            dx[r, c] = scale[c] * (dy[r, c] - shift[c] - (x[r, c] - mean[c]) * along[c])
