"""Planted faults: each classic slip is put into a backend, and the gradient checks must see it.

A check that never fails proves nothing. Every fault here replaces one op by a wrong one, on each CPU backend.
"""

from __future__ import annotations

import numpy as np
import pytest
from oracles import check_layer, check_loss, check_model

from tinynn import MSE, Affine, GaussianNLL, ReLU, Sequential, Sigmoid, SoftmaxCrossEntropy, Tanh
from tinynn.backends import load

# Square and batched with different primes: a transpose fits the shapes, and each wrong factor is another number.
N, D = 7, 5


def affine_fault(change):
    """affine_backward with its (dx, dW, db) changed by `change(dx, dW, db, dy, x, W)`."""

    def plant(op):
        def affine_backward(dy, x, W, dW, db, need_dx=True):
            dx = op(dy, x, W, dW, db)
            dx, dW[...], db[...] = change(dx, dW.copy(), db.copy(), dy, x, W)
            return dx

        return affine_backward

    return plant


def last_row_only(dx, dW, db, dy, x, W):
    """`=` for `+=` in a loop over the rows."""
    return dx, np.outer(x[-1], dy[-1]), db


def overwrite(op):
    """Work in the caller's dy, in place."""

    def backward(dy, y):
        dy *= np.sign(y)
        return dy

    return backward


def changed(change):
    """An op y -> f(y) whose result is changed by `change(result, *arguments)`."""

    def plant(op):
        return lambda *arguments: change(op(*arguments), *arguments)

    return plant


LAYER_FAULTS = {
    "affine: sign of dW": (Affine, "affine_backward", affine_fault(lambda dx, dW, db, *_: (dx, -dW, db))),
    "affine: sign of dx": (Affine, "affine_backward", affine_fault(lambda dx, dW, db, *_: (-dx, dW, db))),
    "affine: dW transposed": (Affine, "affine_backward", affine_fault(lambda dx, dW, db, *_: (dx, dW.T, db))),
    "affine: dx with W for W^T": (Affine, "affine_backward", affine_fault(lambda dx, dW, db, dy, x, W: (dy @ W, dW, db))),
    "affine: db the mean": (Affine, "affine_backward", affine_fault(lambda dx, dW, db, *_: (dx, dW, db / N))),
    "affine: db of one row": (Affine, "affine_backward", affine_fault(lambda dx, dW, db, dy, *_: (dx, dW, dy[0]))),
    "affine: db never written": (Affine, "affine_backward", affine_fault(lambda dx, dW, db, *_: (dx, dW, 0 * db))),
    "affine: dW of the last row": (Affine, "affine_backward", affine_fault(last_row_only)),
    "affine: dW divided by N again": (Affine, "affine_backward", affine_fault(lambda dx, dW, db, *_: (dx, dW / N, db))),
    "affine: one weight of all": (Affine, "affine_backward", affine_fault(
        lambda dx, dW, db, *_: (dx, dW + 1e-5 * np.eye(D)[0] * np.abs(dW).max(), db))),
    "relu: no mask": (ReLU, "relu_backward", changed(lambda dx, dy, y: dy + 0)),
    "relu: mask of dy": (ReLU, "relu_backward", changed(lambda dx, dy, y: dy * (dy > 0))),
    "relu: mask inverted": (ReLU, "relu_backward", changed(lambda dx, dy, y: dy * (y <= 0))),
    "relu: times y": (ReLU, "relu_backward", changed(lambda dx, dy, y: dy * y)),
    "relu: dy overwritten": (ReLU, "relu_backward", overwrite),
    "sigmoid: no derivative": (Sigmoid, "sigmoid_backward", changed(lambda dx, dy, y: dy + 0)),
    "sigmoid: 1 - y": (Sigmoid, "sigmoid_backward", changed(lambda dx, dy, y: dy * (1 - y))),
    "sigmoid: derivative at y": (Sigmoid, "sigmoid_backward", changed(
        lambda dx, dy, y: dy * np.exp(-y) / (1 + np.exp(-y)) ** 2)),
    "tanh: 1 - y": (Tanh, "tanh_backward", changed(lambda dx, dy, y: dy * (1 - y))),
    "tanh: the sigmoid's": (Tanh, "tanh_backward", changed(lambda dx, dy, y: dy * y * (1 - y))),
}  # fmt: skip


def dy_fault(change):
    """A loss op whose dy is changed by `change(dy, y, t)`."""
    return changed(lambda result, y, t, weight: (result[0], change(result[1], y, t)))


LOSS_FAULTS = {
    "mse: sign": (MSE, "mse", dy_fault(lambda dy, y, t: -dy)),
    "mse: lost the 2": (MSE, "mse", dy_fault(lambda dy, y, t: dy / 2)),
    "mse: missing 1/N": (MSE, "mse", dy_fault(lambda dy, y, t: dy * N)),
    "mse: mean over rows alone": (MSE, "mse", dy_fault(lambda dy, y, t: dy * D)),
    "mse: a sum, not a mean": (MSE, "mse", changed(lambda result, y, t, weight: (result[0] * y.size, result[1]))),
    "cross-entropy: sign": (SoftmaxCrossEntropy, "softmax_cross_entropy", dy_fault(lambda dy, y, t: -dy)),
    "cross-entropy: missing 1/N": (SoftmaxCrossEntropy, "softmax_cross_entropy", dy_fault(lambda dy, y, t: dy * N)),
    "cross-entropy: divided twice": (SoftmaxCrossEntropy, "softmax_cross_entropy", dy_fault(lambda dy, y, t: dy / N)),
    "cross-entropy: p without - t": (SoftmaxCrossEntropy, "softmax_cross_entropy", dy_fault(
        lambda dy, y, t: dy + np.eye(D)[t] / N)),
    "cross-entropy: labels shifted": (SoftmaxCrossEntropy, "softmax_cross_entropy", dy_fault(
        lambda dy, y, t: dy + (np.eye(D)[t] - np.eye(D)[(t + 1) % D]) / N)),
    "cross-entropy: softmax twice": (SoftmaxCrossEntropy, "softmax_cross_entropy", dy_fault(
        lambda dy, y, t: dy * (dy * N + np.eye(D)[t]) * (1 - dy * N - np.eye(D)[t]))),
    "gaussian: no gradient for the variance": (GaussianNLL, "gaussian_nll", dy_fault(
        lambda dy, y, t: np.concatenate([dy[:, :D], 0 * dy[:, D:]], axis=1))),
    "gaussian: mean's gradient without 1/v": (GaussianNLL, "gaussian_nll", dy_fault(
        lambda dy, y, t: np.concatenate([dy[:, :D] * np.exp(y[:, D:]), dy[:, D:]], axis=1))),
}  # fmt: skip


@pytest.mark.parametrize("fault", LAYER_FAULTS)
def test_layer_fault_is_seen(fault, cpu, monkeypatch):
    cls, op, plant = LAYER_FAULTS[fault]
    ops, rng = load(cpu), np.random.default_rng(0)
    layer = Affine(D, D, bias_init="normal") if cls is Affine else cls()
    layer.build(rng, np.dtype(np.float64), ops)
    x = rng.normal(size=(N, D))
    check_layer(layer, x, rng)  # right before
    monkeypatch.setattr(ops, op, plant(getattr(ops, op)))
    with pytest.raises(AssertionError):
        check_layer(layer, x, rng)


@pytest.mark.parametrize("fault", LOSS_FAULTS)
def test_loss_fault_is_seen(fault, cpu, monkeypatch):
    cls, op, plant = LOSS_FAULTS[fault]
    ops, rng = load(cpu), np.random.default_rng(0)
    loss = cls(backend=cpu)
    y = rng.normal(size=(N, 2 * D if cls is GaussianNLL else D))
    t = rng.integers(0, D, N) if loss.classifies else rng.normal(size=(N, D))
    check_loss(loss, y, t)
    monkeypatch.setattr(ops, op, plant(getattr(ops, op)))
    with pytest.raises(AssertionError):
        check_loss(loss, y, t)


@pytest.mark.parametrize("fault", [name for name in LAYER_FAULTS if "overwritten" not in name])
def test_a_whole_network_shows_the_fault(fault, cpu, monkeypatch):
    """The flat gradient of a network is wrong too, wherever in it the fault sits."""
    _, op, plant = LAYER_FAULTS[fault]
    ops, rng = load(cpu), np.random.default_rng(0)
    model = Sequential(
        Affine(D, D), Sigmoid(), Affine(D, D), ReLU(), Affine(D, D), Tanh(), Affine(D, D),
        backend=cpu, dtype="float64", seed=3,
    )  # fmt: skip
    x, t, loss = rng.normal(size=(N, D)), rng.integers(0, D, N), SoftmaxCrossEntropy(backend=cpu)
    check_model(model, loss, x, t)
    monkeypatch.setattr(ops, op, plant(getattr(ops, op)))
    with pytest.raises(AssertionError):
        check_model(model, loss, x, t)
