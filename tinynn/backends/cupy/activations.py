"""Activations, one kernel each."""

from __future__ import annotations

import math

from ...checks import Array
from .. import shapes
from .device import xp

relu_kernel = xp.ElementwiseKernel("T x", "T y", "y = x <= 0 ? T(0) : x", "relu")  # not max(x, 0): it drops NaN
relu_backward_kernel = xp.ElementwiseKernel("T dy, T y", "T dx", "dx = y > 0 ? dy : T(0) * dy", "relu_backward")
sigmoid_kernel = xp.ElementwiseKernel(
    "T x", "T y", "T e = exp(x >= 0 ? -x : x); y = (x >= 0 ? T(1) : e) / (T(1) + e)", "sigmoid"
)
sigmoid_backward_kernel = xp.ElementwiseKernel("T dy, T y", "T dx", "dx = dy * (y * (T(1) - y))", "sigmoid_backward")
tanh_backward_kernel = xp.ElementwiseKernel("T dy, T y", "T dx", "dx = dy * (T(1) - y * y)", "tanh_backward")


def relu(x: Array) -> Array:
    return relu_kernel(x)


def relu_backward(dy: Array, y: Array) -> Array:
    shapes.demand("relu_backward: y (...), dy (...)", y, dy)
    return relu_backward_kernel(dy, y)


def sigmoid(x: Array) -> Array:
    return sigmoid_kernel(x)


def sigmoid_backward(dy: Array, y: Array) -> Array:
    shapes.demand("sigmoid_backward: y (...), dy (...)", y, dy)
    return sigmoid_backward_kernel(dy, y)


def tanh(x: Array) -> Array:
    return xp.tanh(x)


def tanh_backward(dy: Array, y: Array) -> Array:
    shapes.demand("tanh_backward: y (...), dy (...)", y, dy)
    return tanh_backward_kernel(dy, y)


# erfc is C's; the textbook's way to it, Python's function for each number, is none for a GPU.
gelu_kernel = xp.ElementwiseKernel("T x, T root_2", "T y", "T p = T(erfc(-x / root_2)) / T(2); y = x * p", "gelu")
gelu_backward_kernel = xp.ElementwiseKernel(
    "T dy, T x, T root_2, T root_2_pi",
    "T dx",
    "T p = T(erfc(-x / root_2)) / T(2); dx = dy * (p + x * exp(-x * x / T(2)) / root_2_pi)",
    "gelu_backward",
)


def gelu(x: Array) -> Array:
    return gelu_kernel(x, math.sqrt(2))


def gelu_backward(dy: Array, x: Array) -> Array:
    shapes.demand("gelu_backward: x (...), dy (...)", x, dy)
    return gelu_backward_kernel(dy, x, math.sqrt(2), math.sqrt(2 * math.pi))
