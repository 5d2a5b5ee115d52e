"""The affine map: products (product.py), and what is around them in one pass."""

from __future__ import annotations

import numpy as np

from ...checks import REALS, Array
from .. import numpy as textbook
from .compile import kernel, read, write
from .product import product


def affine(x: Array, W: Array, b: Array) -> Array:
    fit = x.ndim == 2 and b.ndim == 1 and W.shape == (x.shape[1], b.size)
    if not (fit and x.dtype == W.dtype == b.dtype and x.dtype in REALS):
        return textbook.affine(x, W, b)
    y = np.empty((x.shape[0], b.size), x.dtype)
    product(x, W, y)
    add_to_rows(y, np.ascontiguousarray(b))
    return y


def affine_backward(dy: Array, x: Array, W: Array, dW: Array, db: Array, need_dx: bool = True) -> Array | None:
    fit = dy.ndim == x.ndim == 2 and len(dy) == len(x) and W.shape == dW.shape == (x.shape[1], dy.shape[1])
    fit = fit and db.shape == dy.shape[1:] and x.dtype == dy.dtype == W.dtype == dW.dtype == db.dtype
    if not (fit and x.dtype in REALS):
        return textbook.affine_backward(dy, x, W, dW, db, need_dx)
    product(x.T, dy, dW)
    sum_of_rows(np.ascontiguousarray(dy), db)
    return np.dot(dy, W.T) if need_dx else None


@kernel(lambda T: (write(T, 2), read(T)))
def add_to_rows(y, b):
    N, H = y.shape
    for n in range(N):
        for j in range(H):
            y[n, j] += b[j]


@kernel(lambda T: (read(T, 2), write(T)))
def sum_of_rows(dy, db):
    N, H = dy.shape
    db[:] = 0
    for n in range(N):  # rows outside: the inner loop runs along memory
        for j in range(H):
            db[j] += dy[n, j]
