"""The rules of optimizers, each as a path: where the numbers are after every step, from given gradients.

The options of a rule are its conventions and, for optimizer_slips.py, its slips. All arrays are of one row per step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...checks import Array

USUAL_MU = (0.9, 0.99, 0.95, 0.5)  # what is tried where an optimizer does not say what it uses
USUAL_RHO = (0.9, 0.99, 0.95, 0.999)
USUAL_BETAS = ((0.9, 0.999), (0.9, 0.99), (0.9, 0.98), (0.95, 0.999), (0.8, 0.999), (0.5, 0.999))
USUAL_EPS = (1e-8, 1e-7, 1e-10, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-12, 1e-16, 0.0)


@dataclass(frozen=True)
class Given:
    """Where the steps start, their gradients, and the numbers of the rule; `lr` has one for each step."""

    start: Array
    gradients: Array
    lr: Array
    mu: float | None = None
    rho: float | None = None
    beta1: float | None = None
    beta2: float | None = None
    eps: float | None = None
    tensor: Array | None = None  # of which tensor each number is one: 0, 1, ...


def settings(family: str, given: Given) -> Iterator[Given]:
    """The same with all numbers that the family's rule needs: as given, else the usual ones in turn."""
    some = [given]
    if family in ("momentum", "nesterov") and given.mu is None:
        some = [replace(one, mu=mu) for one in some for mu in USUAL_MU]
    if family in ("rmsprop", "adadelta") and given.rho is None:
        some = [replace(one, rho=rho) for one in some for rho in USUAL_RHO]
    if family in ("adam", "adamax", "nadam") and None in (given.beta1, given.beta2):
        some = [
            replace(one, beta1=given.beta1 or b1, beta2=given.beta2 or b2)
            for one in some for b1, b2 in USUAL_BETAS
        ]  # fmt: skip
    if family not in ("descent", "momentum", "nesterov") and given.eps is None:
        some = [replace(one, eps=eps) for one in some for eps in USUAL_EPS]
    yield from some


def steps(given: Given, step: Callable[[Array, Array, int], Array]) -> Array:
    """The path of w <- w + step(w, g, t), t = 1, 2, ..."""
    w, path = given.start.copy(), []
    for t, g in enumerate(given.gradients, 1):
        w = w + step(w, g, t)
        path.append(w)
    return np.array(path)


def descent(given: Given) -> Array:
    """w <- w - lr g."""
    return given.start - np.cumsum(given.lr[:, None] * given.gradients, axis=0)


def momentum(
    given: Given, look: bool = False, share: float = 1.0, after: bool = False, keep: float | None = None
) -> Array:
    """v <- mu v - share lr g;  w <- w + v, or, with a look ahead, w + mu v - share lr g.

    `after`: lr multiplies v in place of g. `keep`: what of v is kept, where that is not mu.
    """
    v, mu = np.zeros_like(given.start), given.mu or 0.0

    def step(w: Array, g: Array, t: int) -> Array:
        nonlocal v
        first, last = (1.0, given.lr[t - 1]) if after else (given.lr[t - 1], 1.0)
        v = (mu if keep is None else keep) * v - share * first * g
        return last * (mu * v - share * first * g if look else v)

    return steps(given, step)


def of_squares(
    given: Given,
    *,
    sums: bool = False,
    old: float | None = None,
    new: float | None = None,
    square: Callable[[Array], Array] = np.square,
    root: Callable[[Array], Array] = np.sqrt,
    inside: bool = False,
    kept: bool = True,
    late: bool = False,
) -> Array:
    """w <- w - lr g / (sqrt(h) + eps), with h the sum of squares (AdaGrad) or their running mean (RMSProp).

    `old` and `new` are the weights of h and of g^2; `late`: h as it was before this gradient.
    """
    rho, eps = given.rho or 0.0, given.eps or 0.0
    old = old if old is not None else 1.0 if sums else rho
    new = new if new is not None else 1.0 if sums else 1 - rho
    h = np.zeros_like(given.start)

    def step(w: Array, g: Array, t: int) -> Array:
        nonlocal h
        before = h
        h = old * (h if kept else 0) + new * square(g)
        used = before if late else h
        return -given.lr[t - 1] * g / (root(used + eps) if inside else root(used) + eps)

    return steps(given, step)


def adadelta(given: Given, scaled: bool = True) -> Array:
    """w <- w - sqrt(s + eps) / sqrt(h + eps) g, h and s running means of the squares of g and of the steps."""
    rho, eps = given.rho or 0.0, given.eps or 0.0
    h, s = np.zeros_like(given.start), np.zeros_like(given.start)

    def step(w: Array, g: Array, t: int) -> Array:
        nonlocal h, s
        h = rho * h + (1 - rho) * g**2
        d = np.sqrt(s + eps) / np.sqrt(h + eps) * g
        s = rho * s + (1 - rho) * d**2
        return -(given.lr[t - 1] if scaled else 1.0) * d

    return steps(given, step)


def adam(
    given: Given,
    *,
    corrected: tuple[bool, bool] = (True, True),
    clock: Callable[[int], int | Array] = lambda t: t,
    inside: bool = False,
    square: Callable[[Array], Array] = np.square,
    root: Callable[[Array], Array] = np.sqrt,
    kept: bool = True,
    hat: bool = False,
    weights: tuple[float, float] | None = None,
    stored: bool = False,
    fading: float = 1.0,
    multiplied: bool = False,
    twice: bool = False,
) -> Array:
    """w <- w - lr m' / (sqrt(v') + eps), m' = m / (1 - beta1^t), v' = v / (1 - beta2^t).

    `hat`: eps beside the uncorrected root (Kingma & Ba 2015, end of section 2). `weights`: of the new gradient in m and
    v. `stored`: m' and v' are kept in place of m and v. `fading`: beta1 is multiplied by it in every step.
    `multiplied`: m' = m (1 - beta1^t). `twice`: lr is corrected, too.
    """
    b1, b2, eps = given.beta1 or 0.0, given.beta2 or 0.0, given.eps or 0.0
    new1, new2 = weights or (1 - b1, 1 - b2)
    m, v = np.zeros_like(given.start), np.zeros_like(given.start)

    def step(w: Array, g: Array, t: int) -> Array:
        nonlocal m, v
        if not kept:
            m, v = np.zeros_like(m), np.zeros_like(v)
        b = b1 * fading ** (t - 1)
        m = b * m + (1 - b if fading != 1 else new1) * g
        v = b2 * v + new2 * square(g)
        c1 = 1 - b1 ** clock(t) if corrected[0] else 1.0
        c2 = 1 - b2 ** clock(t) if corrected[1] else 1.0
        lr = given.lr[t - 1] * (np.sqrt(c2) / c1 if twice else 1.0)
        if hat:
            return -lr * np.sqrt(c2) / c1 * m / (root(v) + eps)
        first, second = (m * c1, v * c2) if multiplied else (m / c1, v / c2)
        if stored:
            m, v = first, second
        return -lr * first / (root(second + eps) if inside else root(second) + eps)

    return steps(given, step)


def adamax(given: Given, added: bool = True) -> Array:
    """w <- w - lr m / (1 - beta1^t) / (u + eps), u <- max(beta2 u, |g|)."""
    b1, b2, eps = given.beta1 or 0.0, given.beta2 or 0.0, given.eps or 0.0
    m, u = np.zeros_like(given.start), np.zeros_like(given.start)

    def step(w: Array, g: Array, t: int) -> Array:
        nonlocal m, u
        m, u = b1 * m + (1 - b1) * g, np.maximum(b2 * u, np.abs(g))
        return -given.lr[t - 1] * m / (1 - b1**t) / (u + (eps if added else 0.0))

    return steps(given, step)


def nadam(given: Given) -> Array:
    """Adam with Nesterov's look ahead: m' = beta1 m / (1 - beta1^t) + (1 - beta1) g / (1 - beta1^t)."""
    b1, b2, eps = given.beta1 or 0.0, given.beta2 or 0.0, given.eps or 0.0
    m, v = np.zeros_like(given.start), np.zeros_like(given.start)

    def step(w: Array, g: Array, t: int) -> Array:
        nonlocal m, v
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        ahead = (b1 * m + (1 - b1) * g) / (1 - b1**t)
        return -given.lr[t - 1] * ahead / (np.sqrt(v / (1 - b2**t)) + eps)

    return steps(given, step)


RIGHT: tuple[tuple[str, str, Callable[[Given], Array]], ...] = (  # family, what a report calls it, the path
    ("descent", "plain gradient descent", descent),
    ("momentum", "momentum", momentum),
    ("momentum", "momentum, lr times a sum of gradients", lambda g: momentum(g, after=True)),
    ("momentum", "momentum, of a mean of gradients", lambda g: momentum(g, share=1 - (g.mu or 0))),
    ("momentum", "momentum, lr times a mean of gradients", lambda g: momentum(g, share=1 - (g.mu or 0), after=True)),
    ("nesterov", "Nesterov's momentum", lambda g: momentum(g, look=True)),
    ("nesterov", "Nesterov's momentum, lr times a sum of gradients", lambda g: momentum(g, look=True, after=True)),
    ("nesterov", "Nesterov's momentum, of a mean", lambda g: momentum(g, look=True, share=1 - (g.mu or 0))),
    ("adagrad", "AdaGrad", lambda g: of_squares(g, sums=True)),
    ("adagrad", "AdaGrad with eps inside the root", lambda g: of_squares(g, sums=True, inside=True)),
    ("rmsprop", "RMSProp", of_squares),
    ("rmsprop", "RMSProp with eps inside the root", lambda g: of_squares(g, inside=True)),
    ("adam", "Adam", adam),
    ("adam", "Adam with eps beside the uncorrected root", lambda g: adam(g, hat=True)),
    ("adadelta", "AdaDelta", lambda g: adadelta(g, scaled=False)),
    ("adadelta", "AdaDelta, times lr", adadelta),
    ("adamax", "AdaMax", adamax),
    ("adamax", "AdaMax without eps", lambda g: adamax(g, added=False)),
    ("nadam", "Nadam", nadam),
)
FAMILIES = tuple(dict.fromkeys(family for family, *_ in RIGHT))
NAMES = {family: name for family, name, _ in reversed(RIGHT)}  # of each, what it is called first


def right_paths(family: str, given: Given) -> Iterator[tuple[str, Array, Given]]:
    """(name, path, the numbers used) of every convention of a family's rule."""
    some = list(settings(family, given))
    for (_, name, rule), one in itertools.product([entry for entry in RIGHT if entry[0] == family], some):
        yield name, rule(one), one
