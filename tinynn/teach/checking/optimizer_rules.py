"""The rules of optimizers, each as a path: the right ones, and those with one of the classic slips."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ...checks import Array
from .optimizer_under_test import LR, OptimizerUnderTest


def descent(start: Array, gradients: Array, lr: float, sign: float = -1.0) -> list[Array]:
    """w <- w - lr g."""
    return list(start + np.cumsum(sign * lr * gradients, axis=0))


def momentum(
    start: Array, gradients: Array, lr: float, mu: float, look: bool = False, share: float = 1.0, after: bool = False
) -> list[Array]:
    """v <- mu v - share lr g;  w <- w + v, or, with a look ahead, w + mu v - lr g. `after`: lr multiplies v instead."""
    w, v, path = start.copy(), np.zeros_like(start), []
    for g in gradients:
        v = mu * v - share * (g if after else lr * g)
        w = w + (lr if after else 1) * (mu * v - share * (g if after else lr * g) if look else v)
        path.append(w)
    return path


def adam(
    start: Array,
    gradients: Array,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    *,
    corrected: bool = True,
    clock: Callable[[int], int] = lambda t: t,
    inside: bool = False,
    square: Callable[[Array], Array] = np.square,
    root: Callable[[Array], Array] = np.sqrt,
    kept: bool = True,
    hat: bool = False,
) -> list[Array]:
    """w <- w - lr m' / (sqrt(v') + eps); the options are its variants and its slips."""
    w, m, v, path = start.copy(), np.zeros_like(start), np.zeros_like(start), []
    for t, g in enumerate(gradients, 1):
        if not kept:
            m, v = np.zeros_like(start), np.zeros_like(start)
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * square(g)
        one, two = (1 - beta1 ** clock(t), 1 - beta2 ** clock(t)) if corrected else (1.0, 1.0)
        if hat:  # Kingma & Ba 2015, end of section 2: eps beside the uncorrected root
            w = w - lr * np.sqrt(two) / one * m / (root(v) + eps)
        else:
            w = w - lr * (m / one) / (root(v / two + eps) if inside else root(v / two) + eps)
        path.append(w)
    return path


def right_paths(
    family: str, tested: OptimizerUnderTest, start: Array, gradients: Array
) -> Iterator[tuple[str, list[Array]]]:
    lr = tested.get("lr", LR)
    if family == "Adam":
        given = lr, tested.get("beta1", 0.9), tested.get("beta2", 0.999), tested.get("eps", 1e-8)
        yield "Adam", adam(start, gradients, *given)
        yield "Adam with eps beside the uncorrected root", adam(start, gradients, *given, hat=True)
    elif family == "momentum":
        mu = tested.get("momentum", 0.9)
        look = bool(tested.get("nesterov", "nesterov" in type(tested.optimizer).__name__.lower()))
        kind = "Nesterov's momentum" if look else "momentum"
        yield kind, momentum(start, gradients, lr, mu, look)
        yield f"{kind}, lr times a sum of gradients", momentum(start, gradients, lr, mu, look, after=True)
        yield f"{kind}, of a mean of gradients", momentum(start, gradients, lr, mu, look, share=1 - mu)
    else:
        yield "plain gradient descent", descent(start, gradients, lr)
        yield from _of_squares(tested, start, gradients, np.sqrt)


def _of_squares(
    tested: OptimizerUnderTest, start: Array, gradients: Array, root: Callable[[Array], Array]
) -> Iterator[tuple[str, list[Array]]]:
    """w <- w - lr g / (sqrt(h) + eps), with h the sum of squares (AdaGrad) or their running mean (RMSprop)."""
    lr, given = tested.get("lr", LR), tested.get("eps", None)
    rho = next(
        (getattr(tested.optimizer, n) for n in ("rho", "decay_rate", "gamma") if hasattr(tested.optimizer, n)), None
    )
    squares = np.cumsum(gradients**2, axis=0)
    if rho is not None:
        h, squares = np.zeros_like(start), np.zeros_like(gradients)
        for k, g in enumerate(gradients):
            h = rho * h + (1 - rho) * g * g
            squares[k] = h
    for eps in [given] if given is not None else [1e-7, 1e-8, 1e-10, 1e-6, 1e-5]:
        name = "AdaGrad" if rho is None else "RMSprop"
        yield name, list(start - lr * np.cumsum(gradients / (root(squares) + eps), axis=0))


def wrong_paths(
    family: str, tested: OptimizerUnderTest, start: Array, gradients: Array
) -> Iterator[tuple[str, list[Array], str, str]]:
    lr = tested.get("lr", LR)
    if family == "Adam":
        b1, b2, eps = tested.get("beta1", 0.9), tested.get("beta2", 0.999), tested.get("eps", 1e-8)
        given = start, gradients, lr, b1, b2, eps
        fix = "m / (1 - beta1**t), v / (1 - beta2**t)"
        yield "no-bias-correction", adam(*given, corrected=False), "m and v are not corrected for their start at 0", fix
        for clock in (lambda t: 1, lambda t: 0, lambda t: t - 1, lambda t: t + 1):
            why = f"t does not count the steps 1, 2, 3, ...: here it is {clock(1)}, {clock(2)}, {clock(3)}, ..."
            yield "t-not-advanced", adam(*given, clock=clock), why, "self.t += 1 at the start of every step"
        yield "eps-inside-root", adam(*given, inside=True), "eps stands inside the root", "sqrt(v) + eps"
        yield "betas-swapped", adam(start, gradients, lr, b2, b1, eps), "beta1 and beta2 are exchanged", "m has beta1"
        for square in (lambda g: g, np.abs):
            why = "v is a mean of the gradient, not of its square"
            yield "v-not-squared", adam(*given, square=square), why, "v = beta2 * v + (1 - beta2) * g**2"
        yield "no-root", adam(*given, root=lambda v: v), "the root of v is missing", "np.sqrt(v)"
        for clock in (lambda t: t, lambda t: 1):
            why = "m and v start at 0 in every step: they are forgotten"
            yield "state-not-kept", adam(*given, kept=False, clock=clock), why, "self.m, self.v"
        yield "state-not-kept", adam(*given, kept=False, corrected=False), "m and v are forgotten", "self.m, self.v"
    if family == "momentum":
        mu = tested.get("momentum", 0.9)
        for look in (False, True):
            flipped = momentum(start, gradients, lr, -mu, look)
            yield "momentum-sign", flipped, "the velocity is taken with the wrong sign", "v = momentum * v - lr * g"
        forgotten = "the velocity is not kept from step to step: this is plain descent"
        for scale in (1.0, 1 - mu, 1 + mu):
            yield "state-not-kept", descent(start, gradients, lr * scale), forgotten, "self.v = ..."
        wrong = list(
            start + np.cumsum(lr * np.diff(momentum(start, gradients, lr, mu), axis=0, prepend=start[None]), 0)
        )
        yield "lr-twice", wrong, "the learning rate is in the velocity and in the step", "lr once"
    if family == "descent":
        for name, wrong in _of_squares(tested, start, gradients, lambda h: h):
            yield "no-root", wrong, f"{name} without the root of the squares", "np.sqrt(h) + eps"
    for scale, text in ((2.0, "twice"), (0.5, "half")):
        code = "factor-2" if scale == 2 else "factor-half"
        right = next(path for _, path in right_paths(family, tested, start, gradients))
        wrong = list(start + scale * (np.array(right) - start))
        yield code, wrong, f"every step is {text} as long as it should be", ""
