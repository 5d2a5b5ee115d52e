"""Convolution: one small affine map, slid over an image.

Images are (N, H, V, C). A kernel of KH x KW pixels is W (KH, KW, C, O): for each of its places (i, j) an affine map
W[i, j] (C, O) from the channels of one pixel to those of the result.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...checks import Array
from .. import shapes
from . import windows


def conv2d(
    x: Array, W: Array, b: Array | None, stride: windows.Pair, padding: tuple[windows.Pair, windows.Pair]
) -> Array:
    """y[n, p, q] = sum_ij x[n, p SH + i, q SW + j] W[i, j] + b: at each pixel the affine map of its window.

    This is the correlation of image and kernel, which all frameworks call convolution: the kernel is not turned round.

    x (N, H, V, C), W (KH, KW, C, O), b (O,) or None -> y (N, PH, PV, O), PH = (H + above + below - KH) // SH + 1 and
    PV alike.
    """
    shapes.demand("conv2d: x (N, H, V, C), W (KH, KW, C, O), b? (O,)", x, W, b)
    rows: Any = 0
    for i, j, tap in windows.taps(windows.pad(x, padding), W.shape[:2], stride):
        rows += np.dot(tap.reshape(-1, W.shape[2]), W[i, j])  # each pixel is a row
        size = tap.shape[:3]
    y: Array = rows.reshape(*size, W.shape[3])
    return y if b is None else y + b


def conv2d_backward(
    dy: Array,
    x: Array,
    W: Array,
    dW: Array,
    db: Array | None,
    stride: windows.Pair,
    padding: tuple[windows.Pair, windows.Pair],
    need_dx: bool = True,
) -> Array | None:
    """For each place (i, j): dW[i, j] = tap^T dy and dtap += dy W[i, j]^T, as in an affine map; db = sum of dy.

    y is a sum over places of affine maps y = tap W[i, j] + ..., so each gets dy whole, and its gradients are those of
    `affine`, with pixels as rows. A pixel of x stands in several taps: what comes back to it from each adds up. What
    comes back to the padding is dropped.

    dy (N, PH, PV, O), others as in conv2d -> dx (N, H, V, C), None unless `need_dx`. Writes: dW, db.
    """
    line = "conv2d_backward: x (N, H, V, C), W (KH, KW, C, O), dy (N, PH, PV, O), dW (KH, KW, C, O), db? (O,)"
    shapes.demand(line, x, W, dy, dW, db)
    rows = dy.reshape(-1, W.shape[3])
    if db is not None:
        np.sum(rows, axis=0, out=db)
    for i, j, tap in windows.taps(windows.pad(x, padding), W.shape[:2], stride):
        dW[i, j] = np.dot(tap.reshape(-1, W.shape[2]).T, rows)
    if not need_dx:
        return None
    dx = windows.pad(np.zeros_like(x), padding)
    for i, j, dtap in windows.taps(dx, W.shape[:2], stride):
        dtap += np.dot(rows, W[i, j].T).reshape(dtap.shape)
    return np.ascontiguousarray(windows.unpad(dx, padding))
