"""Derivatives measured from the forward pass alone: the complex step where it can be used, else central differences.

    complex step          f'(x) = Im f(x + ih) / h        no difference is taken, so h = 1e-30 and all digits are right
    central differences   f'(x) = [f(x + h) - f(x - h)] / 2h    truncation h^2 against round-off eps / h: h = 1e-5

The first needs a forward that works with complex numbers as with real ones (no abs, no float(), decisions by the real
part). This is tested: both are computed along one direction, and the second is used if they differ.
Sources: Squire & Trapp 1998; Martins, Sturdza & Alonso 2003.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...checks import Array

H_COMPLEX = 1e-30
H_CENTRAL = 1e-5
STEPS = 1e-4, 1e-5, 1e-6  # of central differences, where one may be spoiled by a kink, round-off or a sharp bend
ROUNDING = 1e-13  # some 500 eps: what sums, products and powers of numbers near 1 may be wrong by
TOLERANCE = {True: 1e-10, False: 1e-6}  # of a tensor's own length; measured: below 1e-13 and 1e-7 where all is right
EXACT = 1e-9  # relative: what counts as equal
Function = Callable[[Array], complex]  # of one array, real or complex


def normal(rng: np.random.Generator, like: Array) -> Array:
    """Normal random numbers in the shape of `like`."""
    return np.asarray(rng.normal(size=like.shape))


def complex_works(f: Function, at: Array, rng: np.random.Generator, where: Any = ...) -> bool:
    """Whether the complex step can be trusted for f: it agrees with differences at one of three points to the side.

    (At a kink they disagree, and both are right. At `at` itself |x| may be too small to be seen, and yet too large to
    be left out.) With `where`, along these numbers of a vector alone.
    """
    direction = np.zeros(at.shape)
    direction[where] = normal(rng, at)[where]
    direction /= np.linalg.norm(direction) or 1
    for _ in range(3):
        point = at + 1e-3 * (1 + np.abs(at)) * normal(rng, at)
        try:
            value = f(point + 1j * H_COMPLEX * direction)
        except Exception:  # whatever a learner's forward does with complex numbers, the other way is there
            return False
        if not isinstance(value, complex | np.complexfloating):
            return False
        exact = value.imag / H_COMPLEX
        if not np.isfinite(exact):
            if np.isfinite(f(point).real):  # as of 1 / (1 + exp(-x)) where exp is infinite
                return False
            continue
        for h in (1e-5, 1e-6, 1e-4, 1e-7):  # a kink or round-off may spoil one, not all
            central = (f(point + h * direction).real - f(point - h * direction).real) / (2 * h)
            unsure = 1e-8 * abs(value) + (ROUNDING / h if h == 1e-4 else 0)
            if abs(central - exact) <= 1e-6 * max(abs(central), abs(exact)) + unsure:
                return True
    return False


def along(f: Function, at: Array, direction: Array, exact: bool, h: float | None = None) -> float:
    """The derivative of f at `at` along `direction`."""
    if exact:
        return float(f(at + 1j * H_COMPLEX * direction).imag / H_COMPLEX)
    length = np.linalg.norm(direction) or 1.0
    h = (h or H_CENTRAL) / length
    return float((f(at + h * direction).real - f(at - h * direction).real) / (2 * h))


def measured(f: Function, at: Array, direction: Array, exact: bool, expected: float) -> tuple[float, float]:
    """The derivative along `direction`, and how far it may be off.

    Central differences are taken with three steps, and the one nearest to what is expected counts. Where neighbours
    differ, by truncation, round-off or a kink, none can be trusted further than that. Beside it, f itself is right only
    to its round-off, which a difference divides by its step.
    """
    if exact:
        return along(f, at, direction, True), 0.0
    with np.errstate(all="ignore"):
        found = [along(f, at, direction, False, h) for h in STEPS]
        spread = min(abs(found[0] - found[1]), abs(found[1] - found[2]))
        rounding = ROUNDING * (0.1 + abs(f(at))) * float(np.linalg.norm(direction)) / STEPS[0]  # a 1 may be inside of f
    return min(found, key=lambda n: abs(n - expected)), 10 * spread + rounding


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


# --- comparisons ------------------------------------------------------------------------------------------------------


def same(a: Any, b: Any, tolerance: float = EXACT) -> bool:
    """|a - b| <= tolerance |a|, as arrays; of one shape, and finite."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return False
    return bool(np.linalg.norm(a - b) <= tolerance * np.linalg.norm(a))


def ratio(a: Array, n: Array) -> float | None:
    """c where a = c n, everywhere; None where there is no such number."""
    known = np.isfinite(n)
    a, n = a[known], n[known]
    c = float(np.vdot(n, a) / (np.vdot(n, n) or 1))
    return c if c and same(a, c * n, 1e-8) else None


def close(a: float, b: float) -> bool:
    """Equal to what a measured ratio can tell."""
    return abs(a - b) <= 1e-6 * abs(b)
