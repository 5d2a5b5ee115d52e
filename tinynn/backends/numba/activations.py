"""Activations, in one pass over memory each."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...checks import REALS, Array
from .. import numpy as textbook
from . import elementary
from .compile import kernel, read, write
from .elementary import exp_neg, tanh_scalar
from .threads import element_by_element


def relu(x: Array) -> Array:
    return _map(relu_kernel, x) if x.dtype in REALS else textbook.relu(x)


def relu_backward(dy: Array, y: Array) -> Array:
    if not (dy.shape == y.shape and dy.dtype == y.dtype and y.dtype in REALS):
        return textbook.relu_backward(dy, y)
    dx = np.empty(y.shape, y.dtype)
    element_by_element(relu_backward_kernel, dy.ravel(), y.ravel(), dx.ravel())
    return dx


def sigmoid(x: Array) -> Array:
    return _map(sigmoid_kernel, x) if x.dtype in REALS else textbook.sigmoid(x)


def tanh(x: Array) -> Array:
    return _map(tanh_kernel, x) if x.dtype in REALS else textbook.tanh(x)


def _map(kernel: Any, x: Array) -> Array:
    """y = kernel(x) element by element; ravel copies what is not contiguous, and only that."""
    y = np.empty(x.shape, x.dtype)
    element_by_element(kernel, x.ravel(), y.ravel())
    return y


@kernel(lambda T: (read(T), write(T)))
def relu_kernel(x, y):
    for i in range(x.size):
        y[i] = 0 if x[i] <= 0 else x[i]  # not `x[i] if x[i] > 0 else 0`, which turns NaN into 0


@kernel(lambda T: (read(T), read(T), write(T)))
def relu_backward_kernel(dy, y, dx):
    for i in range(y.size):
        dx[i] = dy[i] if y[i] > 0 else 0 * dy[i]


@kernel(lambda T: (read(T), write(T)), helpers=elementary)
def sigmoid_kernel(x, y):
    for i in range(x.size):
        e = exp_neg(-abs(x[i]))
        y[i] = (1 if x[i] >= 0 else e) / (1 + e)


@kernel(lambda T: (read(T), write(T)), helpers=elementary)
def tanh_kernel(x, y):
    for i in range(x.size):
        y[i] = tanh_scalar(x[i])
