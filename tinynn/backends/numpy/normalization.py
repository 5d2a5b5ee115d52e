"""Normalization: features shifted and scaled to mean 0 and variance 1.

An image is rows of features, too, one for each pixel: (N, H, V, C) is reshape(-1, C).
"""

from __future__ import annotations

import numpy as np

from ...checks import Array
from .. import shapes


def batch_statistics(x: Array) -> tuple[Array, Array]:
    """Mean and variance of each feature over the rows, (x - mean)^2 averaged: never the mean of x^2 minus mean^2.

    Where the mean is much larger than the deviation, the difference of two large numbers would lose all its digits.

    x (M, C) -> mean, var (C,).
    """
    shapes.demand("batch_statistics: x (M, C)", x)
    ones = np.ones(len(x), x.dtype)  # BLAS adds rows in blocks: more digits than one by one, and faster
    mean = np.dot(ones, x) / len(x)
    error = x - mean
    return mean, np.dot(ones, error * error) / len(x)


def batch_norm(x: Array, g: Array, b: Array, mean: Array, var: Array, eps: float) -> Array:
    """y = g (x - mean) / sqrt(var + eps) + b; eps keeps a feature that never changes from being divided by 0.

    x (M, C), all others (C,) -> y (M, C). In training mean and var are the batch's own.
    Source: Ioffe & Szegedy 2015, algorithm 1.
    """
    shapes.demand("batch_norm: x (M, C), g (C,), b (C,), mean (C,), var (C,)", x, g, b, mean, var)
    y = x - mean
    y *= g / np.sqrt(var + eps)
    y += b
    return y


def batch_norm_backward(
    dy: Array, x: Array, g: Array, mean: Array, var: Array, dg: Array, db: Array, eps: float
) -> Array:
    """dx = g / sigma (dy - mean(dy) - z mean(dy z)), with z = (x - mean) / sigma, sigma = sqrt(var + eps).

    x reaches y in three ways: directly, through the mean, and through the variance. If all rows are shifted alike, the
    mean shifts with them, and y does not change: that part of dy, mean(dy), drops out. If all rows are stretched, y
    does not change either (apart from eps): the part of dy along z drops out. y = g z + b gives dg = sum dy z and db =
    sum dy.

    dy, x (M, C), all others (C,) -> dx (M, C). Writes: dg, db.
    """
    line = "batch_norm_backward: dy (M, C), x (M, C), g (C,), mean (C,), var (C,), dg (C,), db (C,)"
    shapes.demand(line, dy, x, g, mean, var, dg, db)
    ones, sigma = np.ones(len(x), x.dtype), np.sqrt(var + eps)
    z = (x - mean) / sigma
    dg[...] = np.dot(ones, dy * z)
    db[...] = np.dot(ones, dy)
    z *= dg / len(x)
    dx = dy - db / len(x)
    dx -= z
    dx *= g / sigma
    return dx
