"""Where weights start. An initializer is a function (shape, rng) -> float64 array; a layer takes it or its name.

Why it matters: each unit sums n_in products, so the variance of its sum is n_in var(W) times the mean square of its
inputs. With var(W) far from 1 / n_in, signals grow or die by a factor in every layer. A weight matrix has the shape
(n_in, n_out). For a spread or value of your own: `functools.partial(normal, std=0.1)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .checks import Array, describe

Initializer = Callable[..., Array]


def kaiming_normal(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """N(0, 2 / n_in): keeps the mean square of signals through ReLUs, half of it passes (He et al. 2015, eq. 10)."""
    return rng.normal(0, math.sqrt(2 / shape[0]), shape)


def kaiming_uniform(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """U(-a, a) with a = sqrt(6 / n_in): the variance a^2 / 3 = 2 / n_in of kaiming_normal (He et al. 2015)."""
    bound = math.sqrt(6 / shape[0])
    return rng.uniform(-bound, bound, shape)


def xavier_normal(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """N(0, 2 / (n_in + n_out)): for tanh and sigmoid; half-way between keeping y's variance and keeping dx's.

    Source: Glorot & Bengio 2010, equation 12.
    """
    return rng.normal(0, math.sqrt(2 / (shape[0] + shape[-1])), shape)


def xavier_uniform(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """U(-a, a) with a = sqrt(6 / (n_in + n_out)): xavier_normal's variance (Glorot & Bengio 2010, equation 16)."""
    bound = math.sqrt(6 / (shape[0] + shape[-1]))
    return rng.uniform(-bound, bound, shape)


def normal(shape: tuple[int, ...], rng: np.random.Generator, std: float = 0.01) -> Array:
    """N(0, std^2)."""
    return rng.normal(0, std, shape)


def uniform(shape: tuple[int, ...], rng: np.random.Generator, bound: float = 0.01) -> Array:
    """U(-bound, bound)."""
    return rng.uniform(-bound, bound, shape)


def zeros(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """All 0: for biases. For weights it is a trap: units that start equal stay equal."""
    return np.zeros(shape)


def constant(shape: tuple[int, ...], rng: np.random.Generator, value: float = 1.0) -> Array:
    """All `value`."""
    return np.full(shape, value, np.float64)


BY_NAME: dict[str, Initializer] = {
    f.__name__: f
    for f in (kaiming_normal, kaiming_uniform, xavier_normal, xavier_uniform, normal, uniform, zeros, constant)
}


def find(thing: str, initializer: str | Initializer) -> Initializer:
    """The initializer of that name, or `initializer` itself where it can be called. Raises ValueError, TypeError."""
    if callable(initializer):
        return initializer
    expected = f"{thing} must be a function (shape, rng) -> array or one of {', '.join(BY_NAME)}"
    if not isinstance(initializer, str):
        raise TypeError(f"{expected}, not {describe(initializer)}")
    if initializer not in BY_NAME:
        raise ValueError(f"{expected}, not {initializer!r}")
    return BY_NAME[initializer]


def draw(thing: str, initializer: str | Initializer, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """What the initializer gives for `shape`, checked. Raises ValueError, TypeError."""
    values = find(thing, initializer)(shape, rng)
    if not isinstance(values, np.ndarray) or values.shape != shape or values.dtype.kind != "f":
        raise ValueError(f"{thing} must return floats of shape {shape}, not {describe(values)}")
    return values
