"""The affine map y = x W + b."""

from __future__ import annotations

from ...checks import Array
from .. import shapes
from .device import xp


def affine(x: Array, W: Array, b: Array) -> Array:
    shapes.demand("affine: x (N, D), W (D, H), b (H,)", x, W, b)
    y = xp.dot(x, W)
    y += b
    return y


def affine_backward(dy: Array, x: Array, W: Array, dW: Array, db: Array, need_dx: bool = True) -> Array | None:
    shapes.demand("affine_backward: x (N, D), W (D, H), dy (N, H), dW (D, H), db (H,)", x, W, dy, dW, db)
    xp.dot(x.T, dy, out=dW)
    xp.sum(dy, axis=0, out=db)
    return xp.dot(dy, W.T) if need_dx else None
