"""Identities that hold for every right layer, whatever its numbers are: no formula of a derivative, no difference.

Each follows from one sentence about forward, such as "linear", "a shift of x shifts y" or "twice x gives twice y".
"""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import draw_layer, forward_again, loss_cases

from tinynn import (
    GELU,
    MAE,
    MSE,
    Affine,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dropout,
    Flatten,
    GELUTanh,
    GlobalAvgPool,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    SiLU,
    SoftmaxCrossEntropy,
    Softplus,
    Tanh,
)
from tinynn.backends import load

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=settings.default.max_examples // 4)  # of each of many tests


def drawn(cls, cpu, seed):
    """A built layer of that class with random parameters, a batch x that it takes, and the generator.

    In float32 and float64; narrow or as wide as kernels that work on 16 or 32 numbers at a time need.
    """
    rng = np.random.default_rng(seed)
    dtype = rng.choice(["float32", "float64"])
    layer, shape = draw_layer(cls, rng, rng.choice([4, 40]))
    layer.build(np.random.default_rng(seed), np.dtype(dtype), load(cpu))  # whose masks are its own
    for name in layer.parameters:
        layer.arrays[name][...] = rng.normal(size=layer.arrays[name].shape)
    return layer, rng.normal(size=(rng.integers(2, 6), *shape)).astype(dtype), rng


def step(layer, x, rng):
    """y, a random dy, and dx."""
    y = layer.forward(x)
    dy = rng.normal(size=y.shape).astype(y.dtype)
    return y, dy, layer.backward(dy)


def by_feature(a):
    """Sums over all axes but the last."""
    return a.reshape(-1, a.shape[-1]).sum(axis=0)


def assert_same(a, b, *products):
    """Equal but for the round-off of sums of such products: pairs of arrays whose lengths bound them."""
    bound = sum(np.linalg.norm(u) * np.linalg.norm(v) for u, v in products)
    assert np.abs(a - b).max() <= 500 * np.finfo(products[0][0].dtype).eps * bound


# --- linear layers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [Affine, Conv2D, AvgPool2D, GlobalAvgPool, Flatten, Dropout])
@few
@given(seed=seeds)
def test_backward_of_a_linear_layer_is_its_adjoint(cls, cpu, seed):
    """f(x) = A x + b and dx = A^T dy: so <f(x) - f(0), dy> = <x, dx>, wherever the forward before it was."""
    layer, x, rng = drawn(cls, cpu, seed)
    start = copy.deepcopy(layer)  # the same mask for each forward
    _, dy, dx = step(layer, rng.normal(size=x.shape).astype(x.dtype), rng)
    y = forward_again(start, x) - forward_again(start, np.zeros_like(x))
    assert_same(np.vdot(y, dy), np.vdot(x, dx), (y, dy), (x, dx))


@pytest.mark.parametrize("cls", [Affine, Conv2D, BatchNorm])
@few
@given(seed=seeds)
def test_layers_are_linear_in_their_parameters(cls, cpu, seed):
    """y - b is linear in W: sum dW W = sum dy (y - b), for each feature by itself; and db is the sum of dy."""
    layer, x, rng = drawn(cls, cpu, seed)
    y, dy, _ = step(layer, x, rng)
    W, dW = (layer.arrays[kind + ("g" if cls is BatchNorm else "W")] for kind in ("", "d"))
    if "b" in layer.parameters:
        y = y - layer.b
        assert_same(layer.db, by_feature(dy), (dy, np.ones_like(dy)))
    assert_same(by_feature(dW * W), by_feature(dy * y), (dW, W), (dy, y))


# --- shifts and stretches ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [MaxPool2D, AvgPool2D, GlobalAvgPool])
@few
@given(seed=seeds)
def test_pools_shift_with_x(cls, cpu, seed):
    """f(x + c) = f(x) + c in each channel: what comes back is all that came, sum dx = sum dy."""
    layer, x, rng = drawn(cls, cpu, seed)
    _, dy, dx = step(layer, x, rng)
    assert_same(by_feature(dx), by_feature(dy), (dy, np.ones_like(dy)))


@few
@given(seed=seeds)
def test_batch_norm_sees_no_shift_and_hardly_a_stretch(cpu, seed):
    """f(x + c) = f(x): dx sums to 0. With z = (x - mean) / sigma, f(a x) = f(x) but for eps:

    sum dx z = g / sigma  eps / (var + eps)  sum dy z.
    """
    layer, x, rng = drawn(BatchNorm, cpu, seed)
    layer.eps = rng.uniform(1e-6, 1)
    x *= x.dtype.type(rng.uniform(0.1, 3))
    y, dy, dx = step(layer, x, rng)
    var = x.reshape(-1, layer.n).var(axis=0)
    z, slope = (y - layer.b) / layer.g, layer.g / np.sqrt(var + layer.eps)
    assert_same(by_feature(dx), 0, (dy * slope, np.ones_like(dy)))
    assert_same(by_feature(dx * z), slope * layer.eps / (var + layer.eps) * by_feature(dy * z), (dy * slope, z))


HOMOGENEOUS = [Affine, Conv2D, AvgPool2D, GlobalAvgPool, Flatten, Dropout, ReLU, LeakyReLU, MaxPool2D]


@pytest.mark.parametrize("cls", HOMOGENEOUS)
@few
@given(seed=seeds)
def test_euler(cls, cpu, seed):
    """f(a x) = a f(x) for a > 0: so sum dx x = sum dy y (Euler's identity, its derivative in a at 1)."""
    layer, x, rng = drawn(cls, cpu, seed)
    if "b" in layer.parameters:
        layer.b[...] = 0
    y, dy, dx = step(layer, x, rng)
    assert_same(np.vdot(dx, x), np.vdot(dy, y), (dx, x), (dy, y))


@few
@given(seed=seeds, H=st.integers(4, 9), V=st.integers(4, 9), N=st.integers(1, 4))
def test_euler_at_any_depth(cpu, seed, H, V, N):
    """A network without shifts is homogeneous in x, and in the weights of each layer that all of y comes through."""
    rng, dtype = np.random.default_rng(seed), ["float32", "float64"][seed % 2]
    model = Sequential(
        Conv2D(2, 3, 3, padding="same", bias=False), LeakyReLU(0.2), MaxPool2D(2, padding=1),
        Residual(Conv2D(3, 17, 3, padding=1, bias=False), ReLU(), Conv2D(17, 4, 1, bias=False), Dropout(0.3),
                 shortcut=Conv2D(3, 4, 1, bias=False)),
        AvgPool2D(2, stride=1), Conv2D(4, 5, (1, 2), stride=(2, 1), padding="same", bias=False), ReLU(),
        Residual(Residual(Conv2D(5, 5, 2, padding="same", bias=False), Dropout(0.5)), ReLU()),
        Flatten(), Affine(5 * ((H // 2 + 1) // 2) * (V // 2), 3),
        shape=(H, V, 2), seed=rng, dtype=dtype, backend=cpu,
    )  # fmt: skip
    x = rng.normal(size=(N, H, V, 2)).astype(dtype)
    model.demand_dx(True)
    y, dy, dx = step(model, x, rng)
    assert_same(np.vdot(dx, x), np.vdot(dy, y), (dx, x), (dy, y))
    for layer in (model[0], model[5], model[-1]):
        assert_same(np.vdot(layer.dW, layer.W), np.vdot(dy, y), (layer.dW, layer.W), (dy, y))


@few
@given(seed=seeds)
def test_what_a_batch_norm_takes_off_has_no_gradient(cpu, seed):
    """A bias in front of it is shifted away: db = 0. So is the size of the weights: sum dW W = 0, but for eps."""
    rng = np.random.default_rng(seed)
    norm = BatchNorm(3, eps=1e-300)
    model = Sequential(Conv2D(2, 3, 2), norm, Tanh(), shape=(4, 5, 2), seed=rng, dtype="float64", backend=cpu)
    _, dy, _ = step(model, rng.normal(size=(3, 4, 5, 2)), rng)
    conv = model[0]
    slope = dy / np.sqrt(norm.batch[1])
    assert_same(conv.db, 0, (slope, np.ones_like(dy)))
    assert_same(np.vdot(conv.dW, conv.W), 0, (slope, norm.x))


# --- reflections ------------------------------------------------------------------------------------------------------

REFLECTED = {ReLU: 1, LeakyReLU: 1.3, GELU: 1, GELUTanh: 1, SiLU: 1, Softplus: 1, Sigmoid: None, Tanh: None}


@pytest.mark.parametrize("cls", REFLECTED)
@few
@given(seed=seeds)
def test_slopes_at_x_and_at_minus_x(cls, cpu, seed):
    """f(x) - f(-x) = c x gives f'(x) + f'(-x) = c; f(x) + f(-x) = c gives f'(x) = f'(-x)."""
    layer, x, rng = drawn(cls, cpu, seed)
    dy = rng.normal(size=x.shape).astype(x.dtype)
    dx = []
    for sign in (1, -1):
        layer.forward(sign * 3 * x)
        dx.append(layer.backward(dy))
    c = REFLECTED[cls]
    assert np.allclose(dx[0], dx[1] if c is None else c * dy - dx[1], rtol=0, atol=500 * np.finfo(x.dtype).eps)


# --- losses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, cls, options, draw", [case for case in loss_cases() if case[1] is SoftmaxCrossEntropy])
@few
@given(N=st.integers(1, 5), C=st.integers(1, 5), seed=seeds)
def test_scores_are_seen_but_for_a_shift(name, cls, options, draw, cpu, N, C, seed):
    """Scores y + c give the probabilities of y: each row of dy sums to 0."""
    y, t = draw(np.random.default_rng(seed), N, C)
    loss = cls(backend=cpu, **options)
    loss.forward(y, t)
    assert np.allclose(loss.backward().sum(axis=1), 0, rtol=0, atol=1e-14)


@pytest.mark.parametrize("cls, degree", [(MAE, 1), (MSE, 2)])
@few
@given(N=st.integers(1, 5), C=st.integers(1, 5), seed=seeds)
def test_losses_are_homogeneous_in_the_error(cls, degree, cpu, N, C, seed):
    """An error a times as large costs a^degree times as much: sum dy (y - t) = degree L."""
    y, t = np.random.default_rng(seed).normal(size=(2, N, C))
    loss = cls(backend=cpu)
    value = loss.forward(y, t)
    assert math.isclose(np.vdot(loss.backward(), y - t), degree * value, rel_tol=1e-13)
