"""Updates, in one pass over the flat parameter vector."""

from __future__ import annotations

import numpy as np
from numba import types

from ...checks import REALS, Array
from .. import numpy as textbook
from ..numpy.optimizers import TINY_MEAN, TINY_SQUARE
from .compile import kernel, read, write


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
        return textbook.sgd_step(params, grads, velocity, lr, momentum, nesterov, weight_decay)
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
        return textbook.adam_step(params, grads, m, v, t, lr, beta1, beta2, eps, weight_decay)
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
