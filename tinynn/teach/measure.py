"""Derivatives measured from the forward pass alone: the complex step where it can be used, else central differences.

    complex step          f'(x) = Im f(x + ih) / h        no difference is taken, so h = 1e-30 and all digits are right
    central differences   f'(x) = [f(x + h) - f(x - h)] / 2h    truncation h^2 against round-off eps / h: h = 1e-5

The first needs a forward that computes with complex numbers as with real ones (no abs, no float(), decisions by the
real part). Whether it does is tried: both are taken along one direction, and where they differ the second is used.
Sources: Squire & Trapp 1998; Martins, Sturdza & Alonso 2003.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..checks import Array

H_COMPLEX = 1e-30
H_CENTRAL = 1e-5
TOLERANCE = {True: 1e-10, False: 1e-6}  # of a tensor's own length; measured: below 1e-13 and 1e-7 where all is right
Function = Callable[[Array], complex]  # of one array, real or complex


def normal(rng: np.random.Generator, like: Array) -> Array:
    """Normal random numbers in the shape of `like`."""
    return np.asarray(rng.normal(size=like.shape))


def complex_works(f: Function, at: Array, rng: np.random.Generator) -> bool:
    """Whether the complex step can be trusted for f: it agrees with differences, here or a little to the side.

    (At a kink they disagree, and both are right.)
    """
    direction = normal(rng, at)
    direction /= np.linalg.norm(direction) or 1
    for point in (at, at + 1e-3 * (1 + np.abs(at)) * normal(rng, at)):
        try:
            value = f(point + 1j * H_COMPLEX * direction)
        except Exception:  # whatever a learner's forward does with complex numbers, the other way is there
            return False
        if not isinstance(value, complex | np.complexfloating):
            return False
        exact = value.imag / H_COMPLEX
        if not np.isfinite(exact):
            return True
        moved = abs(f(point * (1 + 1e-15 * normal(rng, at))).real - f(point).real)
        noise = max(moved, float(np.finfo(float).eps))  # what round-off makes of f, and of a 1 inside of it
        for h in (1e-5, 1e-6, 1e-4, 1e-7):  # a kink or round-off may spoil one, not all
            central = (f(point + h * direction).real - f(point - h * direction).real) / (2 * h)
            unsure = 1e-8 * abs(value) + (10 * noise / h if h == 1e-4 else 0)
            if abs(central - exact) <= 1e-4 * max(abs(central), abs(exact)) + unsure:
                return True
    return False


def along(f: Function, at: Array, direction: Array, exact: bool, h: float | None = None) -> float:
    """The derivative of f at `at` along `direction`."""
    if exact:
        return float(f(at + 1j * H_COMPLEX * direction).imag / H_COMPLEX)
    length = np.linalg.norm(direction) or 1.0
    h = (h or H_CENTRAL) / length
    return float((f(at + h * direction).real - f(at - h * direction).real) / (2 * h))


def entry(f: Function, at: Array, index: tuple[int, ...], exact: bool) -> float:
    """The derivative with respect to one number of `at`."""
    direction = np.zeros(at.shape)
    direction[index] = 1
    return along(f, at, direction, exact, H_CENTRAL * max(1.0, abs(float(at[index]))))


def gradient(f: Function, at: Array, exact: bool) -> Array:
    """The whole gradient, entry by entry."""
    out = np.zeros(at.shape)
    for index in np.ndindex(at.shape):
        out[index] = entry(f, at, index, exact)
    return out


def differs(a: float, n: float, scale: float, exact: bool) -> bool:
    """Whether two derivatives differ by more than measuring them can explain; `scale` is the tensor's."""
    return not abs(a - n) <= TOLERANCE[exact] * scale


def worst_entry(f: Function, at: Array, analytic: Array, exact: bool, rng: np.random.Generator) -> tuple[int, ...]:
    """An entry with a wrong gradient, found by halving: which half disagrees more along a random direction?"""
    low, high = 0, at.size
    direction = rng.choice([-1.0, 1.0], at.size) * rng.uniform(0.5, 1.5, at.size)
    while high - low > 1:
        middle = (low + high) // 2
        missed = []
        for part in (slice(low, middle), slice(middle, high)):
            u = np.zeros(at.size)
            u[part] = direction[part]
            u = u.reshape(at.shape)
            missed.append(abs(along(f, at, u, exact) - float((u * analytic).sum())))
        low, high = (low, middle) if missed[0] >= missed[1] else (middle, high)
    return tuple(int(i) for i in np.unravel_index(low, at.shape))


def sample(a: Array, limit: int, rng: np.random.Generator) -> Iterator[tuple[int, ...]]:
    """All entries of `a`, or the largest and some at random."""
    if a.size <= limit:
        yield from np.ndindex(a.shape)
        return
    largest = np.argsort(-np.abs(a), axis=None)[: limit // 2]
    for flat in {*largest.tolist(), *rng.integers(0, a.size, limit // 2).tolist()}:
        yield tuple(int(i) for i in np.unravel_index(flat, a.shape))


def slope(analytic: Array) -> float:
    """The derivative along `direction` by the code's gradient."""
    return float((direction(analytic) * analytic).sum())


def direction(at: Array) -> Array:
    """A direction of length 1, always the same."""
    u = normal(np.random.default_rng(3), at)
    return u / (np.linalg.norm(u) or 1.0)


def sweep(f: Function, at: Array, a: float) -> tuple[Array, Array]:
    """(h, relative error) of central differences along `direction`, h = 1e-1 ... 1e-12; `a` is what backward says."""
    u = direction(at)
    h = 10.0 ** -np.arange(1, 12.5, 0.5)
    n = np.array([along(f, at, u, False, step) for step in h])
    scale = np.maximum(abs(a), np.abs(n)) + 1e-300
    return h, np.maximum(np.abs(n - a) / scale, 1e-17)
