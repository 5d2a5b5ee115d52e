"""Where weights start. An initializer is a function (shape, rng) -> float64 array; a layer takes it or its name.

Why it matters: each unit sums n_in products, so the variance of its sum is n_in var(W) times the mean square of its
inputs. With var(W) far from 1 / n_in, signals grow or die by a factor in every layer. A weight matrix has the shape
(n_in, n_out). For a spread or value of your own: `functools.partial(normal, std=0.1)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from . import elsewhere
from .checks import Array, describe, integer, number

Initializer = Callable[..., Array]
LARGEST = 2**48  # numbers in an array: no memory holds more


def ends(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[int, int]:
    """How many numbers a unit takes, and how many units one goes to: n_in and n_out of W (n_in, n_out), times the
    pixels of the kernel of a convolution (KH, KW, n_in, n_out).

    Raises TypeError or ValueError where the arguments of the initializer `name` are not what they are called.
    """
    if not isinstance(shape, tuple | list) or not shape:
        raise TypeError(f"{name}: shape must be a tuple of sizes, such as (784, 256), not {describe(shape)}")
    sizes = [integer(f"{name}: each size in shape", size, 1) for size in shape]
    if math.prod(sizes) > LARGEST:
        raise ValueError(f"{name}: shape must be one that fits into memory, not {describe(shape)}")
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"{name}: rng must be a numpy.random.Generator, not {describe(rng)}")
    pixels = math.prod(sizes[:-2])
    return pixels * sizes[-2 if len(sizes) > 1 else 0], pixels * sizes[-1]


def kaiming_normal(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """N(0, 2 / n_in): keeps the mean square of signals; ReLUs let half of it pass (He et al. 2015, eq. 10)."""
    n_in, _ = ends("kaiming_normal", shape, rng)
    return rng.normal(0, math.sqrt(2 / n_in), shape)


def kaiming_uniform(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """U(-a, a) with a = sqrt(6 / n_in): the variance a^2 / 3 = 2 / n_in of kaiming_normal (He et al. 2015)."""
    n_in, _ = ends("kaiming_uniform", shape, rng)
    bound = math.sqrt(6 / n_in)
    return rng.uniform(-bound, bound, shape)


def xavier_normal(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """N(0, 2 / (n_in + n_out)): for tanh and sigmoid; half-way between keeping y's variance and keeping dx's.

    Source: Glorot & Bengio 2010, equation 12.
    """
    n_in, n_out = ends("xavier_normal", shape, rng)
    return rng.normal(0, math.sqrt(2 / (n_in + n_out)), shape)


def xavier_uniform(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """U(-a, a) with a = sqrt(6 / (n_in + n_out)): xavier_normal's variance (Glorot & Bengio 2010, equation 16)."""
    n_in, n_out = ends("xavier_uniform", shape, rng)
    bound = math.sqrt(6 / (n_in + n_out))
    return rng.uniform(-bound, bound, shape)


def normal(shape: tuple[int, ...], rng: np.random.Generator, std: float = 0.01) -> Array:
    """N(0, std^2), std >= 0."""
    ends("normal", shape, rng)
    return rng.normal(0, number("normal: std", std, 0), shape)


def uniform(shape: tuple[int, ...], rng: np.random.Generator, bound: float = 0.01) -> Array:
    """U(-bound, bound), bound >= 0."""
    ends("uniform", shape, rng)
    bound = number("uniform: bound", bound, 0, 8e307)  # 2 bound must be a float, too
    return rng.uniform(-bound, bound, shape)


def zeros(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """All 0: for biases. For weights it is a trap: units that start equal stay equal."""
    ends("zeros", shape, rng)
    return np.zeros(shape)


def constant(shape: tuple[int, ...], rng: np.random.Generator, value: float = 1.0) -> Array:
    """All `value`."""
    ends("constant", shape, rng)
    return np.full(shape, number("constant: value", value), np.float64)


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
        raise ValueError(f"{expected}, not {describe(initializer)}{elsewhere.hint(initializer)}")
    return BY_NAME[initializer]


def demand_room(thing: str, shape: tuple[int, ...]) -> None:
    """Raise ValueError where no memory holds a W of that shape, which the sizes called `thing` make."""
    if math.prod(shape) > LARGEST:
        raise ValueError(f"{thing} must be sizes of a W that fits into memory, not {describe(shape)}")


def written(initializer: str | Initializer) -> str:
    """The initializer as code names it."""
    return str(getattr(initializer, "__name__", repr(initializer)))


def draw(thing: str, initializer: str | Initializer, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """What the initializer gives for `shape`, checked. Raises ValueError, TypeError."""
    try:
        values = find(thing, initializer)(shape, rng)
    except MemoryError as error:
        raise ValueError(f"{thing} must draw numbers that fit into memory, not an array of shape {shape}") from error
    if type(values) is not np.ndarray or values.shape != shape or values.dtype.kind != "f":
        raise ValueError(f"{thing} must return floats of shape {shape}, not {describe(values)}")
    if not np.isfinite(values).all():
        raise ValueError(f"{thing} must return numbers, not NaN or infinity")
    return values


if not TYPE_CHECKING:  # else any name would be one
    __getattr__ = elsewhere.asked(__name__)
