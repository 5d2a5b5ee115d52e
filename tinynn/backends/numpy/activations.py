"""Activations, y = f(x), element by element."""

from __future__ import annotations

import math

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
    is the usual choice. y = relu(x) is above 0 just where x is.
    """
    shapes.demand("relu_backward: y (...), dy (...)", y, dy)
    return dy * (y > 0)


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


def leaky_relu(x: Array, slope: float) -> Array:
    """y = x where x > 0, else slope x (Maas et al. 2013): a unit that is off still learns a little."""
    return np.where(x.real > 0, x, slope * x)


def leaky_relu_backward(dy: Array, x: Array, slope: float) -> Array:
    """dx = dy where x > 0, else slope dy; at 0, where there is no derivative, slope.

    It is x that tells the side: with a negative slope y is positive on both.
    """
    shapes.demand("leaky_relu_backward: x (...), dy (...)", x, dy)
    return np.where(x.real > 0, dy, slope * dy)


def elu(x: Array, alpha: float) -> Array:
    """y = x where x > 0, else alpha (e^x - 1), in (-alpha, inf) (Clevert et al. 2016)."""
    return np.where(x.real > 0, x, alpha * np.expm1(np.where(x.real > 0, 0, x)))


def elu_backward(dy: Array, x: Array, alpha: float) -> Array:
    """dx = dy where x > 0, else dy alpha e^x: the derivative of alpha (e^x - 1)."""
    shapes.demand("elu_backward: x (...), dy (...)", x, dy)
    return dy * np.where(x.real > 0, 1, alpha * np.exp(np.where(x.real > 0, 0, x)))


def gelu(x: Array) -> Array:
    """y = x Phi(x): x times the probability that a normal number lies below it (Hendrycks & Gimpel 2016)."""
    return x * _normal_cdf(x)


def gelu_backward(dy: Array, x: Array) -> Array:
    """dx = dy (Phi(x) + x phi(x)), by the product rule: Phi's derivative is phi = e^(-x^2 / 2) / sqrt(2 pi)."""
    shapes.demand("gelu_backward: x (...), dy (...)", x, dy)
    return dy * (_normal_cdf(x) + x * _normal_density(x))


def _normal_density(x: Array) -> Array:
    """phi(x) = e^(-x^2 / 2) / sqrt(2 pi)."""
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _normal_cdf(x: Array) -> Array:
    """Phi(x) = erfc(-x / sqrt 2) / 2: 1 + erf would have no digit left far on the left of 0.

    NumPy has no erfc, Python has. On complex numbers, which are here only as real ones with an imaginary part so small
    that its square vanishes, Phi(x + ih) = Phi(x) + ih phi(x).
    """
    p = (np.vectorize(math.erfc, otypes=[float])(x.real / -math.sqrt(2)) / 2).astype(x.real.dtype)
    return p + 1j * x.imag * _normal_density(x.real) if np.iscomplexobj(x) else p


_GELU_SCALE, _GELU_CUBE = math.sqrt(2 / math.pi), 0.044715


def gelu_tanh(x: Array) -> Array:
    """y = x (1 + tanh u) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), at most 0.00047 from gelu (same source)."""
    x_near = np.clip(x, -20, 20)  # tanh u is -1 or 1 to the last digit from there on, and no x^3 overflows
    return x * ((1 + np.tanh(_GELU_SCALE * (x_near + _GELU_CUBE * x_near**3))) / 2)


def gelu_tanh_backward(dy: Array, x: Array) -> Array:
    """dx = dy ((1 + tanh u) + x (1 - tanh^2 u) du/dx) / 2, with du/dx = sqrt(2 / pi) (1 + 3 0.044715 x^2)."""
    shapes.demand("gelu_tanh_backward: x (...), dy (...)", x, dy)
    x = np.clip(x, -20, 20)  # the slope is 0 or 1 to the last digit from there on
    tanh = np.tanh(_GELU_SCALE * (x + _GELU_CUBE * x**3))
    return dy * ((1 + tanh) + x * (1 - tanh * tanh) * _GELU_SCALE * (1 + 3 * _GELU_CUBE * x * x)) / 2


def silu(x: Array) -> Array:
    """y = x sigmoid(x) (Elfwing et al. 2018; swish in Ramachandran et al. 2017)."""
    return x * sigmoid(x)


def silu_backward(dy: Array, x: Array) -> Array:
    """dx = dy s (1 + x (1 - s)), s = sigmoid(x): the product rule with s' = s (1 - s)."""
    shapes.demand("silu_backward: x (...), dy (...)", x, dy)
    s = sigmoid(x)
    return dy * (s * (1 + x * (1 - s)))


def softplus(x: Array) -> Array:
    """y = log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), in (0, inf): a smooth ReLU (Dugas et al. 2001)."""
    right = x.real > 0
    return np.where(right, x, 0) + np.log1p(np.exp(np.where(right, -x, x)))


def softplus_backward(dy: Array, x: Array) -> Array:
    """dx = dy sigmoid(x): e^x / (1 + e^x)."""
    shapes.demand("softplus_backward: x (...), dy (...)", x, dy)
    return dy * sigmoid(x)
