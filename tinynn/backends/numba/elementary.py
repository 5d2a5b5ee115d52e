"""exp and tanh inside kernels.

A call of libm's exp keeps a loop from being vectorised (7 times slower). In float32 a short polynomial does it:
e^x = 2^n e^r with n the integer nearest to x / log 2 and |r| <= log(2) / 2. The coefficients are those of the Cephes
library (Moshier 1989, expf and tanhf). In float64, which only checks gradients, libm it is. Over the whole range of
float32 the error is at most 1.01 units in the last place for exp, 1.5 for sigmoid and 1.51 for tanh; results below
the smallest normal number (1e-38) may be 0.
"""

from __future__ import annotations

import math

import numpy as np
from numba import float32
from numba.extending import overload

from .compile import OPTIONS

_f = np.float32
LOG2_E = _f(1.44269504088896341)
LOG_2_HIGH, LOG_2_LOW = _f(0.693359375), _f(-2.12194440e-4)  # log 2 as a short number plus the rest: r loses no digits
E0, E1, E2 = _f(1.9875691500e-4), _f(1.3981999507e-3), _f(8.3334519073e-3)
E3, E4, E5 = _f(4.1665795894e-2), _f(1.6666665459e-1), _f(5.0000001201e-1)
T0, T1, T2 = _f(-5.70498872745e-3), _f(2.06390887954e-2), _f(-5.37397155531e-2)
T3, T4 = _f(1.33314422036e-1), _f(-3.33332819422e-1)
LOWEST = _f(-87.33654)  # e^x is the smallest normal number here; below, 0
HALF, ONE, TWO, SMALL = _f(0.5), _f(1), _f(2), _f(0.625)


def exp_neg(x):
    """e^x for x <= 0. NaN gives NaN. In float32 below -87.3 exactly 0."""
    return math.exp(x)


def tanh_scalar(x):
    """tanh x: a polynomial in x^2 near 0 (where 1 - e^-2x would cancel), (1 - e^-2x) / (1 + e^-2x) beyond."""
    return math.tanh(x)


def _exp_neg_float32(x):
    clipped = max(x, LOWEST)
    n = np.floor(clipped * LOG2_E + HALF)
    r = clipped - n * LOG_2_HIGH
    r = r - n * LOG_2_LOW
    p = ((((E0 * r + E1) * r + E2) * r + E3) * r + E4) * r + E5
    two_to_n = np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)  # n as the exponent's bits
    y = (p * r * r + r + ONE) * two_to_n
    return y if x > LOWEST else (_f(0) if x <= LOWEST else x)


def _tanh_float32(x):
    size = abs(x)
    s = x * x
    near = ((((T0 * s + T1) * s + T2) * s + T3) * s + T4) * s * x + x
    e = exp_neg(-TWO * size)
    far = (ONE - e) / (ONE + e)
    return near if size < SMALL else (far if x > 0 else -far)


@overload(exp_neg, jit_options=OPTIONS)
def _compile_exp_neg(x):
    return _exp_neg_float32 if x == float32 else lambda x: math.exp(x)


@overload(tanh_scalar, jit_options=OPTIONS)
def _compile_tanh(x):
    return _tanh_float32 if x == float32 else lambda x: math.tanh(x)
