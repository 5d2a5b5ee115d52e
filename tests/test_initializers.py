"""The initializers: the distributions that their papers give."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from tinynn import Affine, Sequential, initializers

SHAPE = (400, 300)
VARIANCE = {
    "kaiming_normal": 2 / 400,
    "kaiming_uniform": 2 / 400,
    "xavier_normal": 2 / 700,
    "xavier_uniform": 2 / 700,
    "normal": 0.01**2,
    "uniform": 0.01**2 / 3,
    "zeros": 0.0,
    "constant": 0.0,
}


def test_all_are_here():
    assert set(initializers.BY_NAME) == set(VARIANCE)


@pytest.mark.parametrize("name", VARIANCE)
def test_moments(name, rng):
    """Mean and variance within six of their own standard errors (n = 120,000 draws)."""
    W = initializers.BY_NAME[name](SHAPE, rng)
    n, variance = W.size, VARIANCE[name]
    assert W.shape == SHAPE and W.dtype == np.float64
    assert abs(W.mean() - (name == "constant")) <= 6 * math.sqrt(variance / n)
    assert abs(W.var() - variance) <= 6 * variance * math.sqrt(2 / n)
    if name.endswith("uniform"):
        assert np.abs(W).max() <= math.sqrt(3 * variance)


@pytest.mark.parametrize("name", VARIANCE)
@pytest.mark.parametrize(
    "shape, text",
    [
        (5, r"shape must be a tuple of sizes, such as \(784, 256\), not 5"),
        ((), "shape must be a tuple of sizes"),
        ((3, 0), "each size in shape must be a whole number, 1 or more, not 0"),
        ((3, -1), "each size in shape must be a whole number, 1 or more, not -1"),
        ((3.0, 2), "each size in shape must be a whole number, 1 or more, not 3.0"),
        ((10**12, 10**12), "shape must be one that fits into memory"),
    ],
)
def test_bad_shapes(name, shape, text):
    with pytest.raises((TypeError, ValueError), match=f"{name}: {text}"):
        initializers.BY_NAME[name](shape, np.random.default_rng(0))


@pytest.mark.parametrize("name", VARIANCE)
@pytest.mark.parametrize("rng", [None, 0, np.random, np.random.RandomState(0)])
def test_bad_generators(name, rng):
    """np.random would draw from the global state, and change it."""
    with pytest.raises(TypeError, match=f"{name}: rng must be a numpy.random.Generator, not "):
        initializers.BY_NAME[name]((3, 2), rng)


@pytest.mark.parametrize("name, spread", [("normal", "std"), ("uniform", "bound"), ("constant", "value")])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "1", None, True, 10**400, np.ones(2)])
def test_bad_spreads(name, spread, value):
    with pytest.raises((TypeError, ValueError), match=f"{name}: {spread} must be a number, .*, not "):
        initializers.BY_NAME[name]((3, 2), np.random.default_rng(0), **{spread: value})


def test_a_spread_of_minus_zero_is_zero():
    assert not initializers.normal((3, 2), np.random.default_rng(0), std=-0.0).any()
    assert not initializers.uniform((3, 2), np.random.default_rng(0), bound=-0.0).any()


def test_by_name_and_by_function_are_the_same():
    a = Sequential(Affine(5, 4, "xavier_uniform"), seed=1)
    b = Sequential(Affine(5, 4, initializers.xavier_uniform), seed=1)
    assert np.array_equal(a.params, b.params)


def test_with_a_value_of_ones_own():
    bias = functools.partial(initializers.constant, value=0.25)
    model = Sequential(Affine(2, 3, bias_init=bias))
    assert model[0].b.tolist() == [0.25] * 3


@pytest.mark.parametrize("std, depth", [("kaiming_normal", 20), ("kaiming_uniform", 20)])
def test_kaiming_keeps_signals_alive_through_relus(std, depth, rng):
    """After 20 layers of ReLUs the mean square is still of the order of 1; with std 0.01 it would be 1e-30."""
    from tinynn import ReLU

    layers = [layer for _ in range(depth) for layer in (Affine(256, 256, std), ReLU())]
    x = rng.normal(size=(64, 256)).astype("float32")
    y = Sequential(*layers, seed=rng)(x)
    assert 0.1 < np.mean(y**2) < 5
