"""Updates: one kernel over the flat parameter vector."""

from __future__ import annotations

from ...checks import Array
from .. import shapes
from .device import xp

sgd_kernel = xp.ElementwiseKernel(
    "T g, T lr, T momentum, bool nesterov, T weight_decay",
    "T w, T v",
    """T step = lr * (g + weight_decay * w);
    v = momentum * v - step;
    v = abs(v) < T(1e-30) ? T(0) : v;
    w += nesterov ? momentum * v - step : v""",
    "sgd",
)
adam_kernel = xp.ElementwiseKernel(
    "T g, T beta1, T rest1, T beta2, T rest2, T rate, T full2, T eps, T shrink",
    "T w, T m, T v",
    """m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * g * g;
    m = abs(m) < T(1e-30) ? T(0) : m;
    v = abs(v) < T(1e-37) ? T(0) : v;
    w = shrink * w - rate * m / (sqrt(v * full2) + eps)""",
    "adam",
)


def sgd_step(
    params: Array,
    grads: Array,
    velocity: Array,
    lr: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> None:
    shapes.demand("sgd_step: params (P,), grads (P,), velocity (P,)", params, grads, velocity)
    sgd_kernel(grads, lr, momentum, nesterov, weight_decay, params, velocity)


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
    shapes.demand("adam_step: params (P,), grads (P,), m (P,), v (P,)", params, grads, m, v)
    adam_kernel(grads, beta1, 1 - beta1, beta2, 1 - beta2, lr / (1 - beta1**t), 1 / (1 - beta2**t), eps,
                1 - lr * weight_decay, params, m, v)  # fmt: skip
