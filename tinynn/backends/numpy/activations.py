"""Activations, y = f(x), element by element."""

from __future__ import annotations

import numpy as np

from ...checks import Array
from .. import shapes


def relu(x: Array) -> Array:
    """y = max(x, 0); NaN stays NaN (Nair & Hinton 2010).

    Any shape -> the same shape.
    """
    return np.where(x.real <= 0, 0, x)


def relu_backward(dy: Array, y: Array) -> Array:
    """dx = dy where y > 0, else 0 dy.

    relu(x) is x itself on the right of 0 (slope 1) and constant on its left (slope 0). At 0 there is no derivative; 0
    is the usual choice. y = relu(x) is never negative, so its sign *is* the slope, and is NaN where y is.
    """
    shapes.demand("relu_backward: y (...), dy (...)", y, dy)
    return dy * np.sign(y.real)


def sigmoid(x: Array) -> Array:
    """y = 1 / (1 + e^-x), in (0, 1).

    For x < 0 computed as e^x / (1 + e^x), the same number: so the exponent is never positive and e never overflows.
    """
    right = x.real >= 0
    e = np.exp(np.where(right, -x, x))
    return np.where(right, 1, e) / (1 + e)


def sigmoid_backward(dy: Array, y: Array) -> Array:
    """dx = dy y (1 - y).

    With y = 1/(1 + e^-x): dy/dx = e^-x / (1 + e^-x)^2 = y (1 - y), since 1 - y = e^-x / (1 + e^-x).
    """
    shapes.demand("sigmoid_backward: y (...), dy (...)", y, dy)
    return dy * (y * (1 - y))


def tanh(x: Array) -> Array:
    """y = tanh x = (e^x - e^-x) / (e^x + e^-x), in (-1, 1)."""
    return np.tanh(x)


def tanh_backward(dy: Array, y: Array) -> Array:
    """dx = dy (1 - y^2).

    tanh = sinh / cosh, so its derivative is (cosh^2 - sinh^2) / cosh^2 = 1 - tanh^2.
    """
    shapes.demand("tanh_backward: y (...), dy (...)", y, dy)
    return dy * (1 - y * y)
