"""The formulas of Affine: sums of products. Of sequences and images, each position is a row."""

from __future__ import annotations

from typing import Any

from ...checks import Array
from ...layers import Affine
from .formula import Formula, Number, total
from .lines import Index, at, place, wide
from .record import Call


def products(a: Array, b: Array, first: Any, second: Any, add: Number | None = None) -> Formula:
    """The sum of a[k] b[k]; first(k) and second(k) are the factors' Numbers."""
    return total(wide(a) * wide(b), lambda k: [first(k), " * ", second(k)], add=add)


def y(call: Call, index: Index) -> Formula:
    """y[n,j] = sum_i x[n,i] W[i,j] + b[j]: a path from each input."""
    (*n, j), x, W, b = index, call.x, call.params["W"], call.params["b"]
    return products(x[tuple(n)], W[:, j], lambda i: at("x", x, *n, i), lambda i: at("W", W, i, j), at("b", b, j))


def dW(call: Call, index: Index) -> Formula:
    """dL/dW[i,j] = sum_n x[n,i] dL/dy[n,j]: a part from each row."""
    (i, j), x, dy = index, call.x, call.gradient
    rows = x[..., i]
    return products(
        rows.ravel(), dy[..., j].ravel(),
        lambda n: at("x", x, *place(n, rows), i), lambda n: at("dL/dy", dy, *place(n, rows), j),
    )  # fmt: skip


def db(call: Call, index: Index) -> Formula:
    """dL/db[j] = sum_n dL/dy[n,j]: of every row, and of every position."""
    dy = call.gradient
    rows = dy[..., index[0]]
    return total(wide(rows.ravel()), lambda n: [at("dL/dy", dy, *place(n, rows), *index)])


def dx(call: Call, index: Index) -> Formula:
    """dL/dx[n,i] = sum_j dL/dy[n,j] W[i,j]: a path through each output."""
    (*n, i), dy, W = index, call.gradient, call.params["W"]
    return products(dy[tuple(n)], W[i], lambda j: at("dL/dy", dy, *n, j), lambda j: at("W", W, i, j))


FORWARD: dict[type, Any] = {Affine: ("y = x W + b", y)}
BACKWARD: dict[type, Any] = {
    Affine: {
        "W": ("dL/dW = x^T dL/dy", dW),
        "b": ("dL/db = the sum of dL/dy over the rows", db),
        "x": ("dL/dx = dL/dy W^T", dx),
    }
}
