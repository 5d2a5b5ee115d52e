"""Oracles that know nothing of tinynn's backward passes: central differences and the complex step."""

from __future__ import annotations

import inspect

import numpy as np

import tinynn
from tinynn import Layer, Loss

H = 1e-5  # float64: truncation h^2 and round-off eps / h are both near 1e-10 there


def defined_in(module, base):
    """The classes of a module that derive from `base` and can be used: a new one is tested without being listed."""
    classes = [c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, base)]
    method = "forward" if base is Layer else "compute"
    return [c for c in classes if getattr(c, method) is not getattr(base, method)]


LAYERS = defined_in(tinynn.layers, Layer)
LOSSES = defined_in(tinynn.losses, Loss)


def make_layer(cls, n_in, n_out):
    """A layer of that class; sizes are given to those that ask for them."""
    asked = inspect.signature(cls.__init__).parameters
    return cls(**{name: size for name, size in (("n_in", n_in), ("n_out", n_out)) if name in asked})


def loss_cases():
    """Every loss with every kind of target: (name, loss, draw) with draw(rng, N, C) -> y, t in float64."""

    def scores(rng, N, C):
        return rng.normal(0, 2, (N, C))

    def probabilities(rng, N, C):
        t = rng.random((N, C)) + 0.01
        return t / t.sum(axis=1, keepdims=True)

    return [
        ("MSE", tinynn.MSE, {}, lambda rng, N, C: (scores(rng, N, C), rng.normal(size=(N, C)))),
        ("labels", tinynn.SoftmaxCrossEntropy, {}, lambda rng, N, C: (scores(rng, N, C), rng.integers(0, C, N))),
        ("soft", tinynn.SoftmaxCrossEntropy, {}, lambda rng, N, C: (scores(rng, N, C), probabilities(rng, N, C))),
        ("fixed", tinynn.GaussianNLL, {"variance": 0.3}, lambda rng, N, C: (scores(rng, N, C), scores(rng, N, C))),
        ("learned", tinynn.GaussianNLL, {}, lambda rng, N, C: (scores(rng, N, 2 * C), scores(rng, N, C))),
    ]


def central_differences(f, a, h=H):
    """df/da entry by entry, (f(a + h) - f(a - h)) / 2h; `a` is changed in place and put back."""
    gradient = np.zeros(a.shape)
    for i in np.ndindex(a.shape):
        kept = a[i]
        a[i] = kept + h
        above = f()
        a[i] = kept - h
        below = f()
        a[i] = kept
        gradient[i] = (above - below) / (2 * h)
    return gradient


def relative_error(a, n):
    """|a - n| / (|a| + |n|) of two arrays of the same shape; 0 for two zeros."""
    assert a.shape == n.shape, f"shapes {a.shape} and {n.shape}"
    size = np.linalg.norm(a) + np.linalg.norm(n)
    return np.linalg.norm(a - n) / size if size else 0.0


def away_from_kinks(x, least=1e-3):
    """x with its entries moved at least that far from 0, so that a difference never steps over a ReLU's kink."""
    return np.where(np.abs(x) < least, np.copysign(least, x), x)


def check_layer(layer, x, rng, tolerance=1e-7):
    """dx and the gradient of each parameter against central differences of L = sum(c y), with random c = dy."""
    y = layer.forward(x)
    c = rng.normal(size=y.shape)
    kept = x.copy(), c.copy()
    dx = layer.backward(c)
    assert np.array_equal(x, kept[0]) and np.array_equal(c, kept[1]), "x or dy was written to"

    def L():
        return np.sum(layer(x) * c)

    assert relative_error(dx, central_differences(L, x)) < tolerance, "dx"
    for name in layer.parameters:
        numeric = central_differences(L, getattr(layer, name))
        assert relative_error(getattr(layer, "d" + name), numeric) < tolerance, "d" + name


def check_loss(loss, y, t, tolerance=1e-7):
    """dy against central differences of the loss."""
    loss.forward(y, t)
    kept = y.copy()
    dy = loss.backward()
    assert np.array_equal(y, kept), "y was written to"
    assert relative_error(dy, central_differences(lambda: loss(y, t), y)) < tolerance, "dy"


def check_model(model, loss, x, t, tolerance=1e-7):
    """The whole flat gradient of a model and a loss against central differences."""
    loss.forward(model.forward(x), t)
    model.backward(loss.backward())
    numeric = central_differences(lambda: loss(model(x), t), model.params)
    assert relative_error(model.grads, numeric) < tolerance, "grads"
