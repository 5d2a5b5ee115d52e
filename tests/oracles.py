"""Oracles that know nothing of tinynn's backward passes: central differences and the complex step."""

from __future__ import annotations

import copy
import inspect

import numpy as np

import tinynn
from tinynn import Layer, Loss
from tinynn.nesting import walk

H = 1e-5  # float64: truncation h^2 and round-off eps / h are both near 1e-10 there


def defined_in(module, base):
    """The classes of a module that derive from `base` and can be used: a new one is tested without being listed."""
    classes = [c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, base)]
    method = "forward" if base is Layer else "compute"
    return [c for c in classes if getattr(c, method) is not getattr(base, method)]


LAYERS = defined_in(tinynn.layers, Layer)
LOSSES = defined_in(tinynn.losses, Loss)


IMAGES = (tinynn.Conv2D, tinynn.MaxPool2D, tinynn.AvgPool2D, tinynn.GlobalAvgPool)  # layers that take no tables


def make_layer(cls, n_in, n_out):
    """A layer of that class; sizes are given to those that ask for them."""
    if cls is tinynn.Residual:
        return cls(tinynn.Affine(n_in, n_in), tinynn.Tanh(), tinynn.Dropout(0.4), tinynn.BatchNorm(n_in))
    sizes = {"n_in": n_in, "n_out": n_out, "n": n_in, "kernel": (2, 3), "rate": 0.4}
    return cls(**{name: size for name, size in sizes.items() if name in inspect.signature(cls.__init__).parameters})


def example_shape(cls, n_in):
    """The shape of one example that such a layer takes."""
    return (4, 5, n_in) if cls in IMAGES else (n_in,)


def draw_layer(cls, rng, widest=4):
    """A layer of that class with sizes of every kind, and the shape of an example that it takes."""
    n_in, n_out = (int(n) for n in rng.integers(1, widest + 1, 2))
    shape = [*rng.integers(3, 7, rng.integers(0, 3)), n_in]
    if cls in IMAGES:
        shape = [*rng.integers(3, 7, 2), n_in]
    if cls is tinynn.Residual:  # all that it holds has been tried by itself
        shape = [n_in]
    kernel, stride = tuple(rng.integers(1, 4, 2)), tuple(rng.integers(1, 4, 2))
    padding = "same" if rng.random() < 0.3 else tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
    window = {"stride": tuple(map(int, stride)), "padding": padding}
    kernel, shape = tuple(map(int, kernel)), tuple(map(int, shape))
    if cls is tinynn.Conv2D:
        return cls(n_in, n_out, kernel, bias=bool(rng.integers(2)), **window), shape
    if cls in (tinynn.MaxPool2D, tinynn.AvgPool2D):
        return cls(kernel, **window), shape
    if cls is tinynn.LeakyReLU:
        return cls(slope=0.3), shape
    if cls is tinynn.ELU:
        return cls(alpha=0.7), shape
    return make_layer(cls, n_in, n_out), shape


def forward_again(start, x):
    """What the training forward of a layer gives at x, from the same generator state and buffers each time."""
    return copy.deepcopy(start).forward(x)


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
        (
            "smooth",
            tinynn.SoftmaxCrossEntropy,
            {"label_smoothing": 0.1},
            lambda rng, N, C: (scores(rng, N, C), rng.integers(0, C, N)),
        ),
        (
            "smooth soft",
            tinynn.SoftmaxCrossEntropy,
            {"label_smoothing": 0.2},
            lambda rng, N, C: (scores(rng, N, C), probabilities(rng, N, C)),
        ),
        ("yes or no", tinynn.BinaryCrossEntropy, {}, lambda rng, N, C: (scores(rng, N, C), rng.random((N, C)))),
        ("MAE", tinynn.MAE, {}, lambda rng, N, C: (scores(rng, N, C), 100 + scores(rng, N, C))),
        ("Huber", tinynn.Huber, {"delta": 0.7}, lambda rng, N, C: (scores(rng, N, C), scores(rng, N, C))),
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
    start = copy.deepcopy(layer)
    y = layer.forward(x)
    c = rng.normal(size=y.shape)
    kept = x.copy(), c.copy()
    dx = layer.backward(c)
    assert np.array_equal(x, kept[0]) and np.array_equal(c, kept[1]), "x or dy was written to"

    def L():
        return np.sum(forward_again(start, x) * c)

    floor = 1e-9 * np.linalg.norm(c) * max(1, np.abs(x).max(initial=0))  # a sum in which all cancels is 0 to round-off
    assert close(dx, central_differences(L, x), tolerance, floor), "dx"
    for (path, held), (_, first) in zip([("", layer), *walk(layer)], [("", start), *walk(start)]):
        for name in held.parameters:
            numeric = central_differences(L, first.arrays[name])
            assert close(held.arrays["d" + name], numeric, tolerance, floor), f"d{name} of {path}"


def close(a, n, tolerance, floor):
    """Whether two gradients are the same, relative to their size, or both are next to nothing."""
    return relative_error(a, n) < tolerance or max(np.abs(a).max(initial=0), np.abs(n).max(initial=0)) < floor


def check_loss(loss, y, t, tolerance=1e-7):
    """dy against central differences of the loss."""
    loss.forward(y, t)
    kept = y.copy()
    dy = loss.backward()
    assert np.array_equal(y, kept), "y was written to"
    assert relative_error(dy, central_differences(lambda: loss(y, t), y)) < tolerance, "dy"


def check_model(model, loss, x, t, tolerance=1e-7):
    """The whole flat gradient of a model and a loss against central differences."""
    value = loss.forward(model.forward(x), t)
    model.backward(loss.backward())
    numeric = central_differences(lambda: loss(model(x), t), model.params)
    assert close(model.grads, numeric, tolerance, 1e-10 * max(1, abs(value))), "grads"  # 0 where all units are off
