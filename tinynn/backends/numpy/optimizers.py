"""Updates: one op over the flat parameter vector."""

from __future__ import annotations

import numpy as np

from ...checks import Array
from .. import shapes

# Running means of gradients that have become 0, as those of a dead ReLU unit do, shrink by a factor in each step. Below
# the smallest normal number (1e-38 in float32) they would be denormal numbers, and processors are slow with them: steps
# of a long training would take longer and longer. So a mean below these limits is 0. That changes nothing that matters:
# an m or velocity of 1e-30 is far below the last digit of a weight, the root of a v of 1e-37 far below eps.
TINY_MEAN, TINY_SQUARE = 1e-30, 1e-37


def sgd_step(
    params: Array,
    grads: Array,
    velocity: Array,
    lr: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> None:
    """v <- momentum v - lr g;  w <- w + v, or, with Nesterov's look ahead, w <- w + momentum v - lr g.

    g is the gradient plus weight_decay w: that of the loss plus weight_decay |w|^2 / 2.
    All arrays (P,). A velocity below 1e-30 is 0. Writes: params, velocity.
    Source: Sutskever et al. 2013, equations 1 to 4.
    """
    shapes.demand("sgd_step: params (P,), grads (P,), velocity (P,)", params, grads, velocity)
    step = lr * (grads + weight_decay * params)
    velocity *= momentum
    velocity -= step
    velocity[np.abs(velocity) < TINY_MEAN] = 0
    params += momentum * velocity - step if nesterov else velocity


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
    """w <- w - lr m' / (sqrt(v') + eps), after m <- beta1 m + (1 - beta1) g and v <- beta2 v + (1 - beta2) g^2.

    m and v are running means of the gradient and of its square. They start at 0, so after t steps they hold only the
    share 1 - beta^t of a full mean: m' = m / (1 - beta1^t) and v' = v / (1 - beta2^t) correct for that.
    Weight decay is decoupled: w <- w - lr weight_decay w beside the step, not through m and v.
    An m below 1e-30 and a v below 1e-37 are 0.

    All arrays (P,); t = 1, 2, ... Writes: params, m, v.
    Source: Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2 (without its schedule factor).
    """
    shapes.demand("adam_step: params (P,), grads (P,), m (P,), v (P,)", params, grads, m, v)
    m *= beta1
    m += (1 - beta1) * grads
    v *= beta2
    v += (1 - beta2) * grads * grads
    m[np.abs(m) < TINY_MEAN] = 0
    v[np.abs(v) < TINY_SQUARE] = 0
    step = lr / (1 - beta1**t) * m
    step /= np.sqrt(v / (1 - beta2**t)) + eps
    params *= 1 - lr * weight_decay
    params -= step


def rmsprop_step(params: Array, grads: Array, v: Array, lr: float, rho: float, eps: float, weight_decay: float) -> None:
    """v <- rho v + (1 - rho) g^2;  w <- w - lr g / (sqrt(v) + eps): g is divided by its usual size.

    g is the gradient plus weight_decay w. v starts at 0, so the first steps are long: lr / sqrt(1 - rho) at first.
    All arrays (P,). A v below 1e-37 is 0. Writes: params, v. Source: Hinton 2012, lecture 6e; eps as in PyTorch.
    """
    shapes.demand("rmsprop_step: params (P,), grads (P,), v (P,)", params, grads, v)
    g = grads + weight_decay * params
    v *= rho
    v += (1 - rho) * g * g
    v[np.abs(v) < TINY_SQUARE] = 0
    params -= lr * g / (np.sqrt(v) + eps)
