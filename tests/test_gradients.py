"""Every layer, every loss and whole networks against finite differences and the complex step, in float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from oracles import (
    LAYERS,
    LOSSES,
    away_from_kinks,
    check_layer,
    check_loss,
    check_model,
    draw_layer,
    loss_cases,
    make_layer,
    relative_error,
)

import tinynn
from tinynn import Affine, BatchNorm, MaxPool2D, ReLU, Residual, Sequential, Sigmoid, SoftmaxCrossEntropy, Tanh
from tinynn.backends import load
from tinynn.backends import numpy as numpy_ops
from tinynn.layers import Activation, Dropout
from tinynn.nesting import walk

sizes = st.integers(1, 5)
seeds = st.integers(0, 2**32 - 1)


def arrays(shape):
    """Any numbers in [-3, 3]: beyond, the slopes of sigmoid and tanh drown in the round-off of a difference."""
    return hnp.arrays(np.float64, shape, elements=st.floats(-3, 3, allow_subnormal=False))


def test_every_layer_is_here():
    assert {c.__name__ for c in LAYERS} >= {"Affine", "ReLU", "Sigmoid", "Tanh"}


def test_every_loss_has_a_case():
    assert {case[1] for case in loss_cases()} == set(LOSSES)


@pytest.mark.parametrize("cls", LAYERS)
@settings(max_examples=settings().max_examples // 5)
@given(data=st.data(), N=sizes, seed=seeds)
def test_layer(cls, cpu, data, N, seed):
    """Tables, sequences and images; kernels, strides and paddings of every kind; random scales and shifts."""
    rng = np.random.default_rng(seed)
    layer, shape = draw_layer(cls, rng)
    layer.build(rng, np.dtype(np.float64), load(cpu))
    for _, one in [("", layer), *walk(layer)]:
        for name in one.parameters:
            one.arrays[name][...] += rng.normal(0, 0.5, one.arrays[name].shape)
    if cls in SPREAD:  # their slopes are as large as the rows are near one another
        x = rng.normal(size=(8, *shape))
    else:
        x = away_from_kinks(data.draw(arrays((N, *shape))))
    if cls is MaxPool2D:  # no two numbers of a window may change their order
        x = rng.permutation(x.size).reshape(x.shape) / 10
    check_layer(layer, x, rng, 1e-5 if cls in SPREAD else 1e-7)  # a small W before a norm is curved


@pytest.mark.parametrize("cls", [c for c in LAYERS if issubclass(c, Activation)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_largest_numbers_have_slopes(cls, dtype, any_backend):
    """Where x is finite, y and dx are: what overflows on the way there is not needed."""
    layer, ops, largest = make_layer(cls, 1, 1), load(any_backend), np.finfo(dtype).max
    layer.build(dtype=np.dtype(dtype), ops=ops)
    x = ops.asarray(
        np.array([[s * a] for s in (-1, 1) for a in (1, 1e3, largest**0.4, largest**0.6, largest / 2, largest)], dtype)
    )
    with np.errstate(all="ignore"):
        y = layer.forward(x)
        dx = layer.backward(ops.asarray(np.ones(y.shape, dtype)))
    assert np.isfinite(ops.to_numpy(dx)).all()
    assert np.isfinite(ops.to_numpy(y)).all() or cls is Dropout  # which divides by 1 - rate


SPREAD = (BatchNorm, Residual)


@pytest.mark.parametrize("name, cls, options, draw", loss_cases())
@given(N=sizes, C=sizes, seed=seeds)
def test_loss(name, cls, options, draw, cpu, N, C, seed):
    y, t = draw(np.random.default_rng(seed), N, C)
    check_loss(cls(backend=cpu, **options), y, t)


@given(N=sizes, widths=st.lists(st.integers(1, 6), min_size=2, max_size=4), seed=seeds, data=st.data())
def test_network(cpu, N, widths, seed, data):
    """Random networks with a random loss; where a hidden sum stands near a ReLU's kink, another one is drawn."""
    rng = np.random.default_rng(seed)
    layers = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [Affine(n_in, n_out, bias_init="normal"), data.draw(st.sampled_from([ReLU, Sigmoid, Tanh]))()]
    _, cls, options, draw = data.draw(st.sampled_from(loss_cases()))
    y, t = draw(rng, N, widths[-1])
    layers.append(Affine(widths[-1], y.shape[1], bias_init="normal"))
    model = Sequential(*layers, backend=cpu, dtype="float64", seed=rng)
    x = rng.normal(size=(N, widths[0]))
    model.forward(x)
    assume(all(np.abs(layer.x).min() > 1e-3 for layer in model if isinstance(layer, ReLU)))
    check_model(model, cls(backend=cpu, **options), x, t)


@pytest.mark.parametrize("name, cls, options, draw", loss_cases())
def test_network_by_the_complex_step(name, cls, options, draw, rng):
    """The textbook runs on complex numbers, so that each derivative is exact to the last digits: Im L(w + ih) / h."""
    y, t = draw(rng, 7, 3)
    layers = [Affine(5, 11), ReLU(), Affine(11, 13), Tanh(), Affine(13, 4), Sigmoid(), Affine(4, y.shape[1])]
    model = Sequential(*layers, backend="numpy", dtype="float64", seed=rng)
    x, loss, h = rng.normal(size=(7, 5)), cls(backend="numpy", **options), 1e-30
    loss.forward(model.forward(x), t)
    model.backward(loss.backward())
    twin = Sequential(*(make_like(layer) for layer in layers), backend="numpy", dtype="complex128")
    exact = np.zeros(model.params.size)
    t = t if t.ndim == 1 else t.astype(complex)
    for i in range(exact.size):
        twin.params = model.params.astype(complex)
        twin.params[i] += 1j * h
        exact[i] = loss(twin(x.astype(complex)), t).imag / h
    assert relative_error(model.grads, exact) < 1e-14  # round-off of a few hundred operations


def make_like(layer):
    return make_layer(type(layer), layer.n_in, layer.n_out)


def test_a_single_gradient_by_hand():
    """y = x W + b with L = y: dW = x^T, db = 1, dx = W^T, read off."""
    layer = Affine(2, 1)
    layer.W, layer.b = [[3.0], [4.0]], [5.0]
    assert layer.forward(np.array([[1.0, 2.0]])) == [[16]]
    dx = layer.backward(np.array([[1.0]]))
    assert dx.tolist() == [[3, 4]] and layer.dW.tolist() == [[1], [2]] and layer.db.tolist() == [1]


@given(seed=seeds, N=sizes, C=st.integers(2, 5))
def test_rows_of_the_cross_entropy_gradient_sum_to_zero(seed, N, C, cpu):
    """Softmax does not see a constant added to a row, so the gradient has no part along it."""
    rng = np.random.default_rng(seed)
    y, t = rng.normal(size=(N, C)), rng.integers(0, C, N)
    _, dy = load(cpu).softmax_cross_entropy(y, t)
    assert np.abs(dy.sum(axis=1)).max() < 1e-15 * C


@given(seed=seeds, N=sizes, D=sizes)
def test_fixed_variance_is_least_squares(seed, N, D, cpu):
    """L = MSE / (2 v) + log(2 pi v) / 2, and the gradients are proportional."""
    rng = np.random.default_rng(seed)
    y, t, v = rng.normal(size=(N, D)), rng.normal(size=(N, D)), rng.random() + 0.1
    nll, mse = tinynn.GaussianNLL(variance=v, backend=cpu), tinynn.MSE(backend=cpu)
    assert np.isclose(nll.forward(y, t), mse.forward(y, t) / (2 * v) + np.log(2 * np.pi * v) / 2, rtol=1e-14)
    assert np.allclose(nll.backward(), mse.backward() / (2 * v), rtol=1e-14)
    both = np.concatenate([y, np.full_like(y, np.log(v))], axis=1)  # the other op, told the same variance
    value, dy = numpy_ops.gaussian_nll(both, t)
    assert np.isclose(nll(y, t), value, rtol=1e-12) and np.allclose(nll.backward(), dy[:, :D], rtol=1e-12)


def test_soft_targets_contain_labels(cpu, rng):
    """One-hot rows give what the labels give."""
    y, t = rng.normal(size=(6, 4)), rng.integers(0, 4, 6)
    a, b = SoftmaxCrossEntropy(backend=cpu), SoftmaxCrossEntropy(backend=cpu)
    assert np.isclose(a.forward(y, t), b.forward(y, np.eye(4)[t]), rtol=1e-15)
    assert np.allclose(a.backward(), b.backward(), rtol=0, atol=1e-16)
