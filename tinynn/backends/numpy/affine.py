"""The affine map y = x W + b."""

from __future__ import annotations

import numpy as np

from ...checks import Array
from .. import shapes


def affine(x: Array, W: Array, b: Array) -> Array:
    """y = x W + b, that is y[n, j] = sum_i x[n, i] W[i, j] + b[j].

    x (N, D), W (D, H), b (H,) -> y (N, H).
    """
    shapes.demand("affine: x (N, D), W (D, H), b (H,)", x, W, b)
    y = np.dot(x, W)
    y += b
    return y


def affine_backward(dy: Array, x: Array, W: Array, dW: Array, db: Array, need_dx: bool = True) -> Array | None:
    """dW = x^T dy, db = sum of dy's rows, and dx = dy W^T (None unless `need_dx`).

    W[i, j] reaches L only through y[n, j] = ... + x[n, i] W[i, j], once in every row n. So its gradient is the sum over
    rows dW[i, j] = sum_n x[n, i] dy[n, j]; b[j] is a weight whose input is always 1; and x[n, i] reaches every y[n, j]
    with the weight W[i, j], so dx[n, i] = sum_j dy[n, j] W[i, j].

    dy (N, H), x (N, D), W (D, H) -> dx (N, D). Writes: dW (D, H), db (H,).
    """
    shapes.demand("affine_backward: x (N, D), W (D, H), dy (N, H), dW (D, H), db (H,)", x, W, dy, dW, db)
    np.dot(x.T, dy, out=dW)
    np.sum(dy, axis=0, out=db)
    return np.dot(dy, W.T) if need_dx else None
