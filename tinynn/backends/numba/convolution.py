"""Convolution without a matrix of windows: a window's rows lie side by side in memory already, and meet W there.

In an image (H, V, C) the KW pixels of a window's row are KW C neighbouring numbers. So y = x W is a product whose rows
begin where the windows' rows begin in the image: `start` lists these places, and the tiles of tiles.py do the rest. dx
is a convolution too, of dy with W turned round, one for each way in which a pixel can lie to the stride. One image at a
time is copied into a frame of zeros, the padding, and stays in the processor's cache until all is done with it.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numba
import numpy as np
from numba import float32, int64

from ...checks import Array
from .. import numpy as textbook
from ..numpy import windows
from ..numpy.windows import Pair
from . import threads, tiles
from .affine import sum_of_rows
from .compile import OPTIONS, kernel, read, write
from .normalization import side_by_side
from .tiles import PLACES, ROWS, STRIP, STRIPS, copy_strip

tile, wide_tile = tiles.rows_times_W(1), tiles.rows_times_W(STRIPS)
dW_tile, wide_dW_tile = tiles.xT_times_rows(PLACES, 1), tiles.xT_times_rows(PLACES // STRIPS, STRIPS)
low_dW_tile = tiles.xT_times_rows(PLACES // 2, 1)
WIDE = STRIP * STRIPS
WIDE_PLACES = PLACES // STRIPS
IN_CACHE = 4096  # numbers of dy that pass by the tiles of dW together, and so stay in the first cache
SHORT = 12  # numbers: a shorter row of a window is not worth a loop of its own


class Windows(NamedTuple):
    """Where the windows of an image are, once it lies in its frame. All numbers count numbers, not pixels."""

    frame: int  # size of the frame
    down: int  # from one row of the frame to the next
    corner: int  # where the image begins
    start: Array  # where each window begins, and once more the last one until there are ROWS


@functools.lru_cache(500)
def windows_at(shape: tuple[int, ...], kernel: Pair, first: Pair, step: Pair, count: Pair) -> Windows:
    """Windows of images (H, V, C): `count` of them down and across, `step` pixels apart, the first one at `first`."""
    (H, V, C), (top, left) = shape, (max(0, -f) for f in first)
    below, right = (max(0, f + (n - 1) * s + k - size) for f, n, s, k, size in zip(first, count, step, kernel, shape))
    width = left + V + right
    rows, columns = (f + side + np.arange(n) * s for f, side, n, s in zip(first, (top, left), count, step))
    start = at_least_a_tile((rows[:, None] * width + columns).ravel() * C)
    return Windows((top + H + below) * width * C, width * C, (top * width + left) * C, start)


@functools.lru_cache(500)
def places(count: Pair, down: int, right: int, first: int = 0) -> Array:
    """Where each pixel begins that is written: `down` numbers from row to row, `right` from pixel to pixel."""
    return at_least_a_tile((first + np.arange(count[0])[:, None] * down + np.arange(count[1]) * right).ravel())


def at_least_a_tile(numbers: Array) -> Array:
    return np.pad(numbers, (0, max(0, ROWS - len(numbers))), "edge")


def abreast(n_out: int, KW: int, step: int, count: Pair) -> int:
    """How many neighbours of y are made as one pixel with so many times the channels: few would leave a strip empty.

    Their windows, `step` pixels apart, are one wider window, whose other pixels each channel meets with zeros.
    """
    fitting = [g for g in (1, 2, 4) if count[1] % g == 0]
    return min(fitting, key=lambda g: -(-g * n_out // STRIP) * (KW + (g - 1) * step) / g)


def for_neighbours(W: Array, g: int, step: int) -> Array:
    """W (KH, KW, C, n_out) for g neighbours at once: (KH, KW + (g - 1) step, C, g n_out)."""
    KH, KW, C, n_out = W.shape
    wider = np.zeros((KH, KW + (g - 1) * step, C, g, n_out), W.dtype)
    for k in range(g):
        wider[:, k * step : k * step + KW, :, k] = W
    return wider.reshape(*wider.shape[:3], -1)


def slide(
    x: Array, W: Array, b: Array | None, first: Pair, step: Pair, count: Pair, y: Array, place: tuple[int, int, int]
) -> None:
    """y = b + x W at each window of x (N, H, V, C); W (KH, KW, C, n_out).

    `count` windows down and across, `step` pixels apart, the first one at `first`. `place`: where they are written in
    an image, so many numbers from row to row and from pixel to pixel, and the first one's.
    """
    KH, KW, C, n_out = W.shape
    down, right, corner = place
    g = abreast(n_out, KW, step[1], count) if right == n_out else 1
    if g > 1 and np.isfinite(x).all():  # else 0 x would be NaN
        W, b = for_neighbours(W, g, step[1]), None if b is None else np.tile(b, g)
        KW, n_out, right = W.shape[1], g * n_out, g * right
        step, count = (step[0], g * step[1]), (count[0], count[1] // g)
    where, to = windows_at(x.shape[1:], (KH, KW), first, step, count), places(count, down, right, corner)
    wide = -(-n_out // STRIP) * STRIP
    lines, bias = np.zeros((KH * KW * C, wide), x.dtype), np.zeros(wide, x.dtype)
    lines[:, :n_out] = W.reshape(-1, n_out)
    if b is not None:
        bias[:n_out] = b
    x, y = np.ascontiguousarray(x).reshape(len(x), x.shape[1], -1), y.reshape(len(y), -1)

    def run(n: int, end: int) -> None:
        frame, (patches, begin) = np.zeros(where.frame + STRIP, x.dtype), room_for_patches(KH, KW * C, where)
        slide_kernel(
            x[n:end], frame, where.corner, where.down, where.start, KH, KW * C, patches, begin, lines, bias, y[n:end],
            to, n_out,
        )  # fmt: skip

    threads.on_all(run, threads.shares(len(x), len(x) * math.prod(count) * lines.size))


def room_for_patches(KH: int, K: int, where: Windows) -> tuple[Array, Array]:
    """Room for all windows of an image as rows, if their own rows are too short for the tiles; their places."""
    if K >= SHORT:
        return np.empty((0, 0), np.float32), where.start
    past_the_end = -(-max(PLACES, STRIP) // (KH * K))  # tiles and strips may reach there
    patches = np.zeros((len(where.start) + past_the_end, KH * K), np.float32)
    return patches, np.arange(len(where.start)) * KH * K


def conv2d(x: Array, W: Array, b: Array | None, stride: Pair, padding: tuple[Pair, Pair]) -> Array:
    count = _count(x, W, stride, padding)
    if count is None or not (b is None or (b.shape == W.shape[3:] and b.dtype == x.dtype)):
        return textbook.conv2d(x, W, b, stride, padding)
    n_out = W.shape[3]
    y = np.empty((len(x), *count, n_out), x.dtype)
    slide(x, W, b, (-padding[0][0], -padding[1][0]), stride, count, y, (count[1] * n_out, n_out, 0))
    return y


def _count(x: Array, W: Array, stride: Pair, padding: tuple[Pair, Pair]) -> Pair | None:
    """How many windows meet W; None where the arguments do not fit one another or the kernels."""
    fit = (
        x.ndim == W.ndim == 4 and x.shape[3] == W.shape[2] and x.dtype == W.dtype == np.float32 and x.size * W.size > 0
    )
    if not fit or min(count := windows.count(x.shape, W.shape[:2], stride, padding)) < 1:
        return None
    return count


def conv2d_backward(
    dy: Array,
    x: Array,
    W: Array,
    dW: Array,
    db: Array | None,
    stride: Pair,
    padding: tuple[Pair, Pair],
    need_dx: bool = True,
) -> Array | None:
    count = _count(x, W, stride, padding)
    fit = count is not None and dy.shape == (len(x), *count, W.shape[3])
    fit = fit and dW.shape == W.shape and (db is None or db.shape == W.shape[3:]) and dy.dtype == dW.dtype == x.dtype
    if count is None or not fit or (need_dx and not np.isfinite(W).all()):  # there 0 W, the frame's part, would be NaN
        return textbook.conv2d_backward(dy, x, W, dW, db, stride, padding, need_dx)
    dy = np.ascontiguousarray(dy)
    if db is not None:
        (rows,) = side_by_side(dy.reshape(-1, len(db)))
        total = np.empty(rows.shape[1], x.dtype)
        sum_of_rows(rows, total)
        total.reshape(-1, len(db)).sum(axis=0, out=db)
    gradient_of_W(dy, x, (-padding[0][0], -padding[1][0]), stride, count, dW)
    return gradient_of_x(dy, x.shape, W, stride, padding) if need_dx else None


def gradient_of_W(dy: Array, x: Array, first: Pair, step: Pair, count: Pair, dW: Array) -> None:
    KH, width, C, channels = dW.shape
    g = abreast(channels, width, step[1], count)
    KW, n_out, count = width + (g - 1) * step[1], g * channels, (count[0], count[1] // g)
    where = windows_at(x.shape[1:], (KH, KW), first, (step[0], g * step[1]), count)
    wide, P = -(-n_out // STRIP) * STRIP, math.prod(count)
    x, dy = np.ascontiguousarray(x).reshape(len(x), x.shape[1], -1), dy.reshape(len(dy), -1)

    def run(n: int, end: int) -> Array:
        patches, begin = room_for_patches(KH, KW * C, where)
        rows, numbers = (1, patches.shape[1]) if patches.size else (KH, KW * C)
        total = np.zeros((rows, numbers + PLACES, wide), x.dtype)  # a tile may reach past the end
        last = np.zeros(P * n_out + WIDE, x.dtype)  # the last image of dy: strips may reach past its end
        last[: P * n_out] = dy[end - 1]
        frame = np.zeros(where.frame + PLACES + STRIP, x.dtype)
        dW_kernel(
            x[n:end], frame, where.corner, where.down, where.start, KH, KW * C, patches, begin, dy[n:end], P, last,
            n_out, total,
        )  # fmt: skip
        return total[:, :numbers, :n_out].reshape(KH, KW, C, g, channels)

    total = functools.reduce(np.add, threads.on_all(run, threads.shares(len(x), dy.size * KH * KW * C)))
    dW[...] = sum(total[:, k * step[1] : k * step[1] + width, :, k] for k in range(g))


def gradient_of_x(dy: Array, shape: tuple[int, ...], W: Array, stride: Pair, padding: tuple[Pair, Pair]) -> Array:
    """dx[h, v] = sum of dy[p, q] W[i, j]^T over all places with h = p SH + i - above, v = q SV + j - left.

    Pixels with the same rest h mod SH, v mod SV meet the same places of the kernel, every SH-th and SV-th, in the
    opposite order: for them it is a convolution of dy in steps of 1.
    """
    missed = W.shape[0] < stride[0] or W.shape[1] < stride[1]  # pixels that no window meets
    dx = np.zeros(shape, dy.dtype) if missed else np.empty(shape, dy.dtype)
    _, H, V, C = shape
    for h in range(min(stride[0], H)):
        for v in range(min(stride[1], V)):
            # i0, j0: the first place of the kernel that these pixels meet; p, q: the pixel of y that it stands at
            (p, i0), (q, j0) = (divmod(a + pad[0], s) for a, pad, s in zip((h, v), padding, stride))
            turned = W[i0 :: stride[0], j0 :: stride[1]][::-1, ::-1].transpose(0, 1, 3, 2)
            if turned.size == 0:
                continue
            JH, JV = turned.shape[:2]
            count = -(-(H - h) // stride[0]), -(-(V - v) // stride[1])
            place = stride[0] * V * C, stride[1] * C, (h * V + v) * C
            slide(dy, turned, None, (p - JH + 1, q - JV + 1), (1, 1), count, dx, place)
    return dx


@numba.njit(**OPTIONS)
def frame_image(image, frame, corner, down, patches, start, KH, K):
    """Copy an image (H, V C) into its frame; if there are patches, each window into a row of them.

    Of a window's row a strip too much is copied, which the next one overwrites.
    """
    for h in range(image.shape[0]):
        row = frame[corner + h * down :]  # an index that is never negative: 16 numbers at a time, not one
        for k in range(image.shape[1]):
            row[k] = image[h, k]
    flat, numbers = patches.reshape(-1), KH * K
    for t in range(start.size if patches.size > 0 else 0):
        for i in range(KH):
            for k in range(0, K, STRIP):
                copy_strip(frame, start[t] + i * down + k, flat, t * numbers + i * K + k)


@kernel(
    lambda T: (
        read(T, 3), write(T), int64, int64, read(int64), int64, int64, write(T, 2), read(int64), read(T, 2), read(T),
        write(T, 2), read(int64), int64,
    ),
    floats=(float32,), helpers=tiles,
)  # fmt: skip
def slide_kernel(x, frame, corner, down, start, KH, K, patches, begin, W, b, y, place, n_out):
    """y = b + x W, image by image: a tile of ROWS windows meets all of a strip or two of W."""
    wide, source, flat_y, flat_W = W.shape[1], frame, y.reshape(-1), W.reshape(-1)
    rows, numbers = KH, K
    if patches.size > 0:
        source, rows, numbers = patches.reshape(-1), 1, patches.shape[1]
    for n in range(len(x)):
        frame_image(x[n], frame, corner, down, patches, start, KH, K)
        j = 0
        while j < wide:
            for t in range(0, start.size, ROWS):
                t = min(t, start.size - ROWS)  # the last tile overlaps the one before, and makes the same numbers again
                i = n * y.shape[1] + j
                if j + WIDE <= wide:
                    wide_tile(source, begin, t, rows, down, numbers, flat_W, j, wide, b, flat_y, place, i, n_out - j)
                else:
                    tile(source, begin, t, rows, down, numbers, flat_W, j, wide, b, flat_y, place, i, n_out - j)
            j += WIDE if j + WIDE <= wide else STRIP


@kernel(
    lambda T: (
        read(T, 3), write(T), int64, int64, read(int64), int64, int64, write(T, 2), read(int64), read(T, 2), int64,
        read(T), int64, write(T, 3),
    ),
    floats=(float32,), helpers=tiles,
)  # fmt: skip
def dW_kernel(x, frame, corner, down, start, KH, K, patches, begin, dy, P, last, n_out, dW):
    """dW = x^T dy, image by image: a tile of dW stays in registers while all pixels of an image pass by."""
    rows, size, wide = dW.shape
    source, flat_dW, numbers, chunk = frame, dW.reshape(-1), K, max(1, IN_CACHE // n_out)
    if patches.size > 0:
        source, numbers = patches.reshape(-1), patches.shape[1]
    for n in range(len(x)):
        frame_image(x[n], frame, corner, down, patches, start, KH, K)
        pixels = dy[n] if n < len(x) - 1 else last
        for t in range(0, P, chunk):
            for i in range(rows):
                j = 0
                while j < wide:
                    first, d, count, w = i * down, t * n_out + j, min(chunk, P - t), i * size * wide + j
                    if j + WIDE <= wide:
                        for k in range(0, numbers, WIDE_PLACES):
                            v = w + k * wide
                            wide_dW_tile(source, begin, t, first + k, count, pixels, d, n_out, flat_dW, v, wide)
                        j += WIDE
                    else:
                        for k in range(0, numbers, PLACES):
                            v = w + k * wide
                            if numbers - k > PLACES // 2:
                                dW_tile(source, begin, t, first + k, count, pixels, d, n_out, flat_dW, v, wide)
                            else:
                                low_dW_tile(source, begin, t, first + k, count, pixels, d, n_out, flat_dW, v, wide)
                        j += STRIP
