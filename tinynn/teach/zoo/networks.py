"""Slips in models: every layer is right, and the way through them is not."""

# mypy: allow-untyped-defs, allow-incomplete-defs

from __future__ import annotations

import numpy as np

from ...layers import Affine, ReLU, Sigmoid, Tanh
from ...model import flatten
from .slip import slip


@slip("skipped-layer", "network", 1, "What bends the line on the way up is forgotten on the way down.")
class Network1:
    def __init__(self, n_in, n_hidden, n_out, seed=None):
        self.lin_1 = Affine(n_in, n_hidden)
        self.relu = ReLU()
        self.lin_2 = Affine(n_hidden, n_out)
        self.params, self.grads = flatten(self.lin_1, self.relu, self.lin_2, seed=seed)

    def forward(self, x):
        return self.lin_2.forward(self.relu.forward(self.lin_1.forward(x)))

    def backward(self, dy):
        dh = self.lin_2.backward(dy)
        self.lin_1.backward(dh)


@slip("skipped-layer", "network", 2, "A list of layers, a loop over it, and an end that is not the end.")
class Network2:
    def __init__(self, n_in, n_hidden, n_out, seed=None):
        self.layers = [Affine(n_in, n_hidden), Tanh(), Affine(n_hidden, n_out), Sigmoid()]
        self.params, self.grads = flatten(*self.layers, seed=seed)

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers[:-1]):
            dy = layer.backward(dy)


@slip("skipped-layer", "network", 2, "Two hidden layers. One of the lines below was copied from the other.")
class Network3:
    def __init__(self, n_in, n_hidden, n_out, seed=None):
        self.a, self.b, self.c = Affine(n_in, n_hidden), Affine(n_hidden, n_hidden), Affine(n_hidden, n_out)
        self.tanh_1, self.tanh_2 = Tanh(), Tanh()
        self.params, self.grads = flatten(self.a, self.tanh_1, self.b, self.tanh_2, self.c, seed=seed)

    def forward(self, x):
        h = self.tanh_1.forward(self.a.forward(x))
        h = self.tanh_2.forward(self.b.forward(h))
        return self.c.forward(h)

    def backward(self, dy):
        dh = self.tanh_2.backward(self.c.backward(dy))
        dh = self.b.backward(dh)
        self.a.backward(dh)


@slip("wrong-order", "network", 1, "The same loop twice: once for forward, once for backward.")
class Network4:
    def __init__(self, n_in, n_hidden, n_out, seed=None):
        self.layers = [Affine(n_in, n_hidden), Tanh(), Affine(n_hidden, n_out)]
        self.params, self.grads = flatten(*self.layers, seed=seed)

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in self.layers:
            dy = layer.backward(dy)


@slip("fork-overwritten", "network", 3, "A shortcut around the second layer, for one of the two directions.")
class Network5:
    def __init__(self, n_in, n_hidden, n_out, seed=None):
        self.a, self.b, self.c = Affine(n_in, n_hidden), Affine(n_hidden, n_hidden), Affine(n_hidden, n_out)
        self.relu, self.tanh = ReLU(), Tanh()
        self.params, self.grads = flatten(self.a, self.relu, self.b, self.tanh, self.c, seed=seed)

    def forward(self, x):
        h = self.relu.forward(self.a.forward(x))
        return self.c.forward(h + self.tanh.forward(self.b.forward(h)))

    def backward(self, dy):
        dh = self.c.backward(dy)
        dh = self.b.backward(self.tanh.backward(dh))
        self.a.backward(self.relu.backward(dh))


@slip("fork-overwritten", "network", 2, "One hidden layer, two experts who add up what they think. One teaches it.")
class Network6:
    def __init__(self, n_in, n_hidden, n_out, seed=None):
        self.shared, self.relu = Affine(n_in, n_hidden), ReLU()
        self.left, self.right = Affine(n_hidden, n_out), Affine(n_hidden, n_out)
        self.params, self.grads = flatten(self.shared, self.relu, self.left, self.right, seed=seed)

    def forward(self, x):
        h = self.relu.forward(self.shared.forward(x))
        return self.left.forward(h) + self.right.forward(h)

    def backward(self, dy):
        dh = self.left.backward(dy)
        dh = self.right.backward(dy)
        self.shared.backward(self.relu.backward(dh))


@slip("writes-into-x", "network", 2, "The second epoch is not like the first, and evaluation is not like either.")
class Network7:
    def __init__(self, n_in, n_hidden, n_out, seed=None):
        self.layers = [Affine(n_in, n_hidden), ReLU(), Affine(n_hidden, n_out)]
        self.params, self.grads = flatten(*self.layers, seed=seed)

    def forward(self, x):
        x -= 0.5
        x *= 2
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)


class TwoLayers:
    def __init__(self, n_in, n_hidden, n_out, seed=None):
        rng = np.random.default_rng(seed)
        self.W1, self.b1 = rng.normal(size=(n_in, n_hidden)), rng.normal(size=n_hidden)
        self.W2, self.b2 = rng.normal(size=(n_hidden, n_out)), rng.normal(size=n_out)

    def forward(self, x):
        self.h = np.tanh(x @ self.W1 + self.b1)
        return self.h @ self.W2 + self.b2

    def loss(self, y, t):
        return 0.5 * np.sum((y - t) ** 2)


@slip("bias-from-dW", "network", 2, "Four lines, two of them copied from the other two.", "own")
class Network8(TwoLayers):
    def backward(self, x, y, t):
        d2 = y - t
        d1 = d2 @ self.W2.T * (1 - self.h**2)
        self.dW2, self.db2 = self.h.T @ d2, np.sum(self.h.T @ d2, axis=0)
        self.dW1, self.db1 = x.T @ d1, np.sum(x.T @ d1, axis=0)


@slip("bias-before-slope", "network", 3, "The weights learn as they should. Some biases go their own way.", "own")
class Network9(TwoLayers):
    def backward(self, x, y, t):
        d2 = y - t
        dh = d2 @ self.W2.T
        dz = dh * (1 - self.h**2)
        self.dW2, self.db2 = self.h.T @ d2, d2.sum(axis=0)
        self.dW1, self.db1 = x.T @ dz, dh.sum(axis=0)
