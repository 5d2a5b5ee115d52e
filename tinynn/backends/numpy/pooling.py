"""Pooling: one number for each window of an image, channel by channel. Images are (N, H, V, C)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...checks import Array
from .. import shapes
from . import windows


def max_pool2d(
    x: Array, size: windows.Pair, stride: windows.Pair, padding: tuple[windows.Pair, windows.Pair]
) -> tuple[Array, Array]:
    """y = the largest value of each window, and its place in the window: 0, 1, ..., row by row.

    Among equal values the first one counts, and NaN counts as the largest. The padding is -inf: it is found only where
    a window has nothing else.

    x (N, H, V, C) -> y, place (N, PH, PV, C); sizes as in conv2d.
    """
    shapes.demand("max_pool2d: x (N, H, V, C)", x)
    y: Any = None
    place: Any = None
    for k, (_, _, tap) in enumerate(windows.taps(windows.pad(x, padding, -np.inf), size, stride)):
        if y is None:
            y, place = tap.copy(), np.zeros(tap.shape, np.int16)
        larger = ~(tap.real <= y.real) & (y.real == y.real)  # NaN, once found, stays
        y, place = np.where(larger, tap, y), np.where(larger, np.int16(k), place)
    return y, place


def max_pool2d_backward(
    dy: Array,
    place: Array,
    shape: tuple[int, ...],
    size: windows.Pair,
    stride: windows.Pair,
    padding: tuple[windows.Pair, windows.Pair],
) -> Array:
    """dx = dy at the place of each window's maximum, 0 elsewhere; where windows overlap, their dy add up.

    y is a copy of that one value: its slope is 1. All others can change a little without any effect on y: slope 0.

    dy, place (N, PH, PV, C), shape that of x -> dx.
    """
    shapes.demand("max_pool2d_backward: dy (N, PH, PV, C), labels place (N, PH, PV, C)", dy, place)
    dx = windows.pad(np.zeros(shape, dy.dtype), padding)
    for k, (_, _, dtap) in enumerate(windows.taps(dx, size, stride)):
        dtap += np.where(place == k, dy, 0)
    return np.ascontiguousarray(windows.unpad(dx, padding))


def avg_pool2d(x: Array, size: windows.Pair, stride: windows.Pair, padding: tuple[windows.Pair, windows.Pair]) -> Array:
    """y = the mean over each window's pixels, those of the padding not counted.

    x (N, H, V, C) -> y (N, PH, PV, C); sizes as in conv2d.
    """
    shapes.demand("avg_pool2d: x (N, H, V, C)", x)
    y: Any = 0
    for _, _, tap in windows.taps(windows.pad(x, padding), size, stride):
        y = y + tap
    return y / _pixels(x, size, stride, padding)


def avg_pool2d_backward(
    dy: Array,
    shape: tuple[int, ...],
    size: windows.Pair,
    stride: windows.Pair,
    padding: tuple[windows.Pair, windows.Pair],
) -> Array:
    """Each pixel of a window gets the same share dy / (number of its pixels): the slope of a mean.

    dy (N, PH, PV, C), shape that of x -> dx.
    """
    shapes.demand("avg_pool2d_backward: dy (N, PH, PV, C)", dy)
    dx = np.zeros(shape, dy.dtype)
    share = dy / _pixels(dx, size, stride, padding)
    dx = windows.pad(dx, padding)
    for _, _, dtap in windows.taps(dx, size, stride):
        dtap += share
    return np.ascontiguousarray(windows.unpad(dx, padding))


def _pixels(x: Array, size: windows.Pair, stride: windows.Pair, padding: tuple[windows.Pair, windows.Pair]) -> Array:
    """How many pixels of the image each window holds, (1, PH, PV, 1)."""
    ones = windows.pad(np.ones((1, *x.shape[1:3], 1), x.real.dtype), padding)
    total: Any = 0
    for _, _, tap in windows.taps(ones, size, stride):
        total = total + tap
    return total


def global_avg_pool(x: Array) -> Array:
    """y = the mean over all positions of an image or a sequence, feature by feature.

    x (N, ..., C) -> y (N, C).
    """
    positions = math.prod(x.shape[1:-1])
    return x.reshape(len(x), positions, x.shape[-1]).sum(axis=1) / max(positions, 1)


def global_avg_pool_backward(dy: Array, shape: tuple[int, ...]) -> Array:
    """Each of the M positions gets dy / M: the slope of a mean.

    dy (N, C), shape that of x -> dx.
    """
    shapes.demand("global_avg_pool_backward: dy (N, C)", dy)
    N, C = dy.shape
    positions = math.prod(shape[1:-1])
    share = dy / max(positions, 1)
    return np.ascontiguousarray(np.broadcast_to(share[:, None], (N, positions, C))).reshape(shape)
