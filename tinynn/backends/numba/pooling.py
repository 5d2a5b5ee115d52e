"""Pooling, window by window, with a pixel's channels side by side."""

from __future__ import annotations

import numba
import numpy as np
from numba import int16, int64

from ...checks import REALS, Array
from .. import numpy as textbook
from ..numpy import windows
from ..numpy.windows import Pair
from .compile import OPTIONS, kernel, read, write

Padding = tuple[Pair, Pair]


def max_pool2d(x: Array, size: Pair, stride: Pair, padding: Padding) -> tuple[Array, Array]:
    shape = _shape(x, x.shape, size, stride, padding)
    if shape is None:
        return textbook.max_pool2d(x, size, stride, padding)
    y, place = np.empty(shape, x.dtype), np.empty(shape, np.int16)
    max_kernel(np.ascontiguousarray(x), *size, *stride, padding[0][0], padding[1][0], y, place)
    return y, place


def max_pool2d_backward(
    dy: Array, place: Array, shape: tuple[int, ...], size: Pair, stride: Pair, padding: Padding
) -> Array:
    if place.dtype != np.int16 or not place.shape == dy.shape == _shape(dy, shape, size, stride, padding):
        return textbook.max_pool2d_backward(dy, place, shape, size, stride, padding)
    dx, corner = np.zeros(shape, dy.dtype), (padding[0][0], padding[1][0])
    down, right = np.divmod(np.arange(size[0] * size[1]), size[1])  # where a place lies; dividing is slow
    max_backward_kernel(np.ascontiguousarray(dy), np.ascontiguousarray(place), down, right, *stride, *corner, dx)
    return dx


def avg_pool2d(x: Array, size: Pair, stride: Pair, padding: Padding) -> Array:
    shape = _shape(x, x.shape, size, stride, padding)
    if shape is None:
        return textbook.avg_pool2d(x, size, stride, padding)
    y = np.zeros(shape, x.dtype)
    avg_kernel(np.ascontiguousarray(x), *size, *stride, padding[0][0], padding[1][0], y)
    return y


def avg_pool2d_backward(dy: Array, shape: tuple[int, ...], size: Pair, stride: Pair, padding: Padding) -> Array:
    if dy.shape != _shape(dy, shape, size, stride, padding):
        return textbook.avg_pool2d_backward(dy, shape, size, stride, padding)
    dx = np.zeros(shape, dy.dtype)
    avg_backward_kernel(np.ascontiguousarray(dy), *size, *stride, padding[0][0], padding[1][0], dx)
    return dx


def _shape(
    numbers: Array, images: tuple[int, ...], size: Pair, stride: Pair, padding: Padding
) -> tuple[int, ...] | None:
    """Shape of y for x of shape `images`; None where they are none, or the kernels have no such numbers."""
    if len(images) != 4 or numbers.dtype not in REALS or max(size) > 100:
        return None
    count = windows.count(images, size, stride, padding)
    return (images[0], *count, images[3]) if min(count) > 0 else None


@numba.njit(**OPTIONS)
def inside(first, size, pixels):
    """Where the part of a window begins and ends that lies in the image."""
    begin = max(first, 0)
    return begin, max(min(first + size, pixels), begin)


@kernel(lambda T: (read(T, 4), *[int64] * 6, write(T, 4), write(int16, 4)))
def max_kernel(x, KH, KW, SH, SW, above, left, y, place):
    """A row of y at a time: the j-th pixels of all its windows are laid side by side, and meet the largest so far.

    So the comparisons are of 16 numbers at a time, for few channels too: 3 to 5 times as fast as window by window.
    """
    (N, H, V, C), (_, P, Q, _) = x.shape, y.shape
    lowest = x.dtype.type(-np.inf)
    frame, line, largest = np.empty(V * C + 1, x.dtype), np.empty(Q * C, x.dtype), np.empty(Q * C, x.dtype)
    k = np.empty(Q * C, np.int32)
    pixel = np.empty((KW, Q * C), np.uint32)  # where the j-th pixel of a window stands in a row; outside: behind it
    for j in range(KW):
        for m in range(Q * C):
            v = m // C * SW - left + j
            pixel[j, m] = v * C + m % C if 0 <= v < V else V * C
    frame[V * C] = lowest
    for n in range(N):
        for p in range(P):
            top = p * SH - above
            h0, h1 = inside(top, KH, H)
            largest[:] = lowest
            k[:] = 0
            for h in range(h0, h1):
                row = x[n, h].reshape(-1)
                for m in range(V * C):
                    frame[m] = row[m]
                for j in range(KW):
                    t = np.int32((h - top) * KW + j)
                    for m in range(Q * C):
                        line[m] = frame[pixel[j, m]]
                    for m in range(Q * C):
                        a = line[m]
                        larger = (not a <= largest[m]) & (largest[m] == largest[m])  # a NaN is taken, and then stays
                        largest[m], k[m] = a if larger else largest[m], t if larger else k[m]
            to, place_of = y[n, p].reshape(-1), place[n, p].reshape(-1)
            for m in range(Q * C):
                to[m], place_of[m] = largest[m], k[m]


@kernel(lambda T: (read(T, 4), read(int16, 4), read(int64), read(int64), *[int64] * 4, write(T, 4)))
def max_backward_kernel(dy, place, down, right, SH, SW, above, left, dx):
    (N, P, Q, C), H, V = dy.shape, dx.shape[1], dx.shape[2]
    flat_dy, flat_place, flat_dx, o = dy.reshape(-1), place.reshape(-1), dx.reshape(-1), np.uint64(0)
    for n in range(N):
        for p in range(P):
            for q in range(Q):
                for c in range(C):
                    k = np.int64(flat_place[o])
                    if not 0 <= k < down.size:
                        h = v = -1
                    else:
                        h, v = p * SH - above + down[np.uint64(k)], q * SW - left + right[np.uint64(k)]
                    if 0 <= h < H and 0 <= v < V:
                        flat_dx[np.uint64(((n * H + h) * V + v) * C + c)] += flat_dy[o]
                    o += np.uint64(1)


@kernel(lambda T: (read(T, 4), *[int64] * 6, write(T, 4)))
def avg_kernel(x, KH, KW, SH, SW, above, left, y):
    _, H, V, C = x.shape
    for n in range(len(y)):
        for p in range(y.shape[1]):
            for q in range(y.shape[2]):
                (h0, h1), (v0, v1) = inside(p * SH - above, KH, H), inside(q * SW - left, KW, V)
                for h in range(h0, h1):
                    for v in range(v0, v1):
                        for c in range(C):
                            y[n, p, q, c] += x[n, h, v, c]
                for c in range(C):
                    y[n, p, q, c] /= x.dtype.type((h1 - h0) * (v1 - v0))


@kernel(lambda T: (read(T, 4), *[int64] * 6, write(T, 4)))
def avg_backward_kernel(dy, KH, KW, SH, SW, above, left, dx):
    _, H, V, C = dx.shape
    for n in range(len(dy)):
        for p in range(dy.shape[1]):
            for q in range(dy.shape[2]):
                (h0, h1), (v0, v1) = inside(p * SH - above, KH, H), inside(q * SW - left, KW, V)
                pixels = dy.dtype.type((h1 - h0) * (v1 - v0))
                for h in range(h0, h1):
                    for v in range(v0, v1):
                        for c in range(C):
                            dx[n, h, v, c] += dy[n, p, q, c] / pixels
