"""The CPU hot path: the textbook's ops (numpy_ops.py), same names and arguments, with jitted kernels where those win.

Matrix products go to BLAS, or past their zeros (numba_product.py). Everything around them is a loop over memory: there
a kernel does in one pass, without temporaries, what NumPy does in several. An op is a plain function, which allocates
its result, above the kernel, which fills it. How kernels are compiled, and why so: numba_kernel.py.

A kernel checks no bounds: it would read, and write, beyond arrays that are too short. So an op looks first whether its
arguments fit one another and the kernel, and gives those that do not to the textbook, which says what is wrong.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import float32, float64, int64, types
from numba.extending import overload

from .. import checks
from ..checks import REALS, Array
from . import numpy_ops
from .numba_kernel import OPTIONS, kernel, read, report, write
from .numba_product import product
from .numpy_ops import (
    TINY_MEAN,
    TINY_SQUARE,
    asarray,
    gaussian_nll,
    mse,
    sigmoid_backward,
    softmax,
    tanh_backward,
    to_numpy,
    xp,
)  # fmt: skip

__all__ = [
    "adam_step", "affine", "affine_backward", "asarray", "gaussian_nll", "mse", "relu",
    "relu_backward", "sgd_step", "sigmoid", "sigmoid_backward", "softmax", "softmax_cross_entropy", "tanh",
    "tanh_backward", "to_numpy", "xp",
]  # fmt: skip


# --- affine map ------------------------------------------------------------------------------------------------------


def affine(x: Array, W: Array, b: Array) -> Array:
    fit = x.ndim == 2 and b.ndim == 1 and W.shape == (x.shape[1], b.size)
    if not (fit and x.dtype == W.dtype == b.dtype and x.dtype in REALS):
        return numpy_ops.affine(x, W, b)
    y = np.empty((x.shape[0], b.size), x.dtype)
    product(x, W, y)
    add_to_rows(y, np.ascontiguousarray(b))
    return y


def affine_backward(dy: Array, x: Array, W: Array, dW: Array, db: Array, need_dx: bool = True) -> Array | None:
    fit = dy.ndim == x.ndim == 2 and len(dy) == len(x) and W.shape == dW.shape == (x.shape[1], dy.shape[1])
    fit = fit and db.shape == dy.shape[1:] and x.dtype == dy.dtype == W.dtype == dW.dtype == db.dtype
    if not (fit and x.dtype in REALS):
        return numpy_ops.affine_backward(dy, x, W, dW, db, need_dx)
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


# --- exp and tanh inside kernels --------------------------------------------------------------------------------------
#
# A call of libm's exp keeps a loop from being vectorised (7 times slower). In float32 a short polynomial does it:
# e^x = 2^n e^r with n the integer nearest to x / log 2 and |r| <= log(2) / 2. The coefficients are those of the Cephes
# library (Moshier 1989, expf and tanhf). In float64, which only checks gradients, libm it is. Over the whole range of
# float32 the error is at most 1.01 units in the last place for exp, 1.5 for sigmoid and 1.51 for tanh; results below
# the smallest normal number (1e-38) may be 0.

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


# --- activations -----------------------------------------------------------------------------------------------------


def relu(x: Array) -> Array:
    return _map(relu_kernel, x) if x.dtype in REALS else numpy_ops.relu(x)


def relu_backward(dy: Array, y: Array) -> Array:
    if not (dy.shape == y.shape and dy.dtype == y.dtype and y.dtype in REALS):
        return numpy_ops.relu_backward(dy, y)
    dx = np.empty(y.shape, y.dtype)
    relu_backward_kernel(dy.ravel(), y.ravel(), dx.ravel())
    return dx


def sigmoid(x: Array) -> Array:
    return _map(sigmoid_kernel, x) if x.dtype in REALS else numpy_ops.sigmoid(x)


def tanh(x: Array) -> Array:
    return _map(tanh_kernel, x) if x.dtype in REALS else numpy_ops.tanh(x)


def _map(kernel: Any, x: Array) -> Array:
    """y = kernel(x) element by element; ravel copies what is not contiguous, and only that."""
    y = np.empty(x.shape, x.dtype)
    kernel(x.ravel(), y.ravel())
    return y


@kernel(lambda T: (read(T), write(T)))
def relu_kernel(x, y):
    for i in range(x.size):
        y[i] = 0 if x[i] <= 0 else x[i]  # not `x[i] if x[i] > 0 else 0`, which turns NaN into 0


@kernel(lambda T: (read(T), read(T), write(T)))
def relu_backward_kernel(dy, y, dx):
    for i in range(y.size):
        dx[i] = dy[i] if y[i] > 0 else dy[i] * y[i]  # y is 0 or NaN there


@kernel(lambda T: (read(T), write(T)))
def sigmoid_kernel(x, y):
    for i in range(x.size):
        e = exp_neg(-abs(x[i]))
        y[i] = (1 if x[i] >= 0 else e) / (1 + e)


@kernel(lambda T: (read(T), write(T)))
def tanh_kernel(x, y):
    for i in range(x.size):
        y[i] = tanh_scalar(x[i])


# --- losses ----------------------------------------------------------------------------------------------------------


def softmax_cross_entropy(y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
    labels = t.dtype.kind in "iu" and t.shape == y.shape[:1]
    if (
        not (labels and y.ndim == 2 and y.dtype in REALS) or weight is not None
    ):  # soft targets and weights are rare: not worth compiling a kernel
        return numpy_ops.softmax_cross_entropy(y, t, weight)
    N, C = y.shape
    dy = np.empty((N, C), y.dtype)
    total, bad = cross_entropy_kernel(np.ascontiguousarray(y), np.ascontiguousarray(t, dtype=np.int64), dy)
    if bad:
        checks.labels(t, C)
    return (total / N if N else math.nan), dy


@kernel(lambda T: (read(T, 2), read(int64), write(T, 2)))
def cross_entropy_kernel(y, t, dy):
    """The sum of the rows' losses, and whether a label was out of range (then dy is unfinished)."""
    N, C = y.shape
    total = 0.0
    for n in range(N):
        label = t[n]
        if label < 0 or label >= C:
            return total, True
        peak = y[n, 0]
        for c in range(1, C):
            if y[n, c] > peak:
                peak = y[n, c]
        s = y.dtype.type(0)
        for c in range(C):
            dy[n, c] = exp_neg(y[n, c] - peak)
        for c in range(C):
            s += dy[n, c]
        total += math.log(s) - float64(y[n, label] - peak)
        for c in range(C):
            dy[n, c] /= s
        dy[n, label] -= 1
        for c in range(C):
            dy[n, c] /= N
    return total, False


# --- updates ---------------------------------------------------------------------------------------------------------


def sgd_step(
    params: Array,
    grads: Array,
    velocity: Array,
    lr: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> None:
    fit = params.ndim == 1 and params.shape == grads.shape == velocity.shape
    if not (fit and params.dtype == grads.dtype == velocity.dtype and params.dtype in REALS):
        return numpy_ops.sgd_step(params, grads, velocity, lr, momentum, nesterov, weight_decay)
    sgd_kernel(params, np.ascontiguousarray(grads), velocity, lr, momentum, nesterov, weight_decay, TINY_MEAN)


@kernel(lambda T: (write(T), read(T), write(T), T, T, types.boolean, T, T))
def sgd_kernel(params, grads, velocity, lr, momentum, nesterov, weight_decay, tiny):
    zero = params.dtype.type(0)  # with a plain 0, an integer, the loop would go on in double precision
    for i in range(params.size):
        step = lr * (grads[i] + weight_decay * params[i])
        v = momentum * velocity[i] - step
        velocity[i] = v = zero if abs(v) < tiny else v
        params[i] += momentum * v - step if nesterov else v


def adam_step(
    params: Array,
    grads: Array,
    m: Array,
    v: Array,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    fit = params.ndim == 1 and params.shape == grads.shape == m.shape == v.shape
    if not (fit and params.dtype == grads.dtype == m.dtype == v.dtype and params.dtype in REALS):
        return numpy_ops.adam_step(params, grads, m, v, t, lr, beta1, beta2, eps, weight_decay)
    adam_kernel(
        params, np.ascontiguousarray(grads), m, v, beta1, 1 - beta1, beta2, 1 - beta2, lr / (1 - beta1**t),
        1 / (1 - beta2**t), eps, 1 - lr * weight_decay, TINY_MEAN, TINY_SQUARE,
    )  # fmt: skip


@kernel(lambda T: (write(T), read(T), write(T), write(T), T, T, T, T, T, T, T, T, T, T))
def adam_kernel(params, grads, m, v, beta1, rest1, beta2, rest2, rate, full2, eps, shrink, tiny_mean, tiny_square):
    """rest = 1 - beta; rate = lr / (1 - beta1^t); full2 = 1 / (1 - beta2^t); shrink = 1 - lr weight_decay."""
    zero = params.dtype.type(0)
    for i in range(params.size):
        g = grads[i]
        mean = beta1 * m[i] + rest1 * g
        square = beta2 * v[i] + rest2 * g * g
        m[i] = mean = zero if abs(mean) < tiny_mean else mean  # this way round, NaN stays NaN
        v[i] = square = zero if square < tiny_square else square
        params[i] = shrink * params[i] - rate * mean / (np.sqrt(square * full2) + eps)


report()
