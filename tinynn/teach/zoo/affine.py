"""Slips in layers with weights: x W + b and its relatives."""

# ruff: noqa: F841
# mypy: allow-untyped-defs, allow-incomplete-defs

from __future__ import annotations

import numpy as np

from ...layers import Affine
from ...layers.layer import Layer
from .slip import slip

# --- y = x W + b, as a layer of tinynn -------------------------------------------------------------------------------


@slip("dW-transposed", "layer", 1, "Runs only where a layer is as wide as the one before it, and learns nothing there.")
class Affine1(Affine):
    def forward(self, x):
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = dy.T @ self.x
        self.db = dy.sum(axis=0)
        return dy @ self.W.T


@slip("dx-not-transposed", "layer", 1, "The last layer learns, the layers before it wander about.")
class Affine2(Affine):
    def forward(self, x):
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy
        self.db = dy.sum(axis=0)
        return dy @ self.W


@slip("dW-from-y", "layer", 2, "The shapes fit wherever the layer is square. The weights have other plans.")
class Affine3(Affine):
    def forward(self, x):
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.y.T @ dy
        self.db = dy.sum(axis=0)
        return dy @ self.W.T


@slip("bias-not-summed", "layer", 1, "The very first backward stops with a message about a shape.")
class Affine4(Affine):
    def forward(self, x):
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy
        self.db = dy
        return dy @ self.W.T


@slip("bias-mean", "layer", 1, "The weights learn as they should. The larger the batch, the less the biases do.")
class Affine5(Affine):
    def forward(self, x):
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy
        self.db = dy.mean(axis=0)
        return dy @ self.W.T


@slip("bias-total", "layer", 2, "All biases of the layer stay equal for ever.")
class Affine6(Affine):
    def forward(self, x):
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy
        self.db[:] = dy.sum()
        return dy @ self.W.T


@slip("bias-wrong-axis", "layer", 1, "It ran with 10 rows and 10 units, and stops for any other number.")
class Affine7(Affine):
    def forward(self, x):
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy
        self.db = dy.sum(axis=1)
        return dy @ self.W.T


@slip("one-sample", "layer", 2, "It learns as if the batch had one row, whatever its size.")
class Affine8(Affine):
    def forward(self, x):
        return x @ self.W + self.b

    def backward(self, dy):
        for x_i, dy_i in zip(self.x, dy):
            self.dW = np.outer(x_i, dy_i)
        self.db = dy.sum(axis=0)
        return dy @ self.W.T


@slip("divided-by-n", "layer", 2, "It needs a learning rate that grows with the batch.")
class Affine9(Affine):
    def forward(self, x):
        return x @ self.W + self.b

    def backward(self, dy):
        n = len(self.x)
        self.dW = self.x.T @ dy / n
        self.db = dy.sum(axis=0) / n
        return dy @ self.W.T


@slip("never-written", "layer", 1, "After a thousand steps the biases are what they were at the start.")
class Affine10(Affine):
    def forward(self, x):
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy
        db = dy.sum(axis=0)
        return dy @ self.W.T


@slip("unused-parameter", "layer", 1, "The biases move with every step, and no prediction ever changes by it.")
class Affine11(Affine):
    def forward(self, x):
        return x @ self.W

    def backward(self, dy):
        self.dW = self.x.T @ dy
        self.db = dy.sum(axis=0)
        return dy @ self.W.T


@slip("decay-in-gradient", "layer", 2, "The weights shrink, and the loss that is printed does not say why.")
class Affine12(Affine):
    def forward(self, x):
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy + 0.01 * self.W
        self.db = dy.sum(axis=0)
        return dy @ self.W.T


@slip("updated-too-early", "layer", 3, "Without an optimizer, it trains a little worse than with one.")
class Affine13(Affine):
    def forward(self, x):
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy
        self.db = dy.sum(axis=0)
        self.W -= 0.1 * self.dW
        self.b -= 0.1 * self.db
        return dy @ self.W.T


@slip("update-in-backward", "layer", 2, "With lr=0 the network still learns. With an optimizer it learns twice.")
class Affine14(Affine):
    def forward(self, x):
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy
        self.db = dy.sum(axis=0)
        dx = dy @ self.W.T
        self.W -= 0.1 * self.dW
        self.b -= 0.1 * self.db
        return dx


@slip("accumulates", "layer", 2, "The first step is right. Later ones are longer and longer, until the loss is NaN.")
class Affine15(Affine):
    def forward(self, x):
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW += self.x.T @ dy
        self.db += dy.sum(axis=0)
        return dy @ self.W.T


@slip("factor", "layer", 2, "The wider the input, the slower the weights. The biases do not mind.")
class Affine16(Affine):
    def forward(self, x):
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy / self.x.shape[1]
        self.db = dy.sum(axis=0)
        return dy @ self.W.T


@slip("sign", "layer", 2, "A unit fires when its sum is above its threshold. The thresholds run away.")
class Threshold1(Affine):
    def forward(self, x):
        return x @ self.W - self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy
        self.db = dy.sum(axis=0)
        return dy @ self.W.T


@slip("stale-cache", "layer", 3, "x was transposed once and for all, to save time. The first step is right.")
class Affine17(Affine):
    def forward(self, x):
        if not hasattr(self, "columns"):
            self.columns = x.T
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.columns @ dy
        self.db = dy.sum(axis=0)
        return dy @ self.W.T


@slip("fork-overwritten", "layer", 3, "A block with a shortcut, for deep stacks. A deep stack of it does not learn.")
class Block1(Layer):
    parameters = ("W",)

    def __init__(self, n):
        self.W = np.eye(n) / 2

    def forward(self, x):
        self.h = np.tanh(x @ self.W)
        return x + self.h

    def backward(self, dy):
        dh = dy * (1 - self.h**2)
        self.dW = self.x.T @ dh
        return dh @ self.W.T


@slip("never-written", "layer", 1, "A factor for each column, to be learned. All of them are still 1.")
class Scale1(Layer):
    parameters = ("g",)

    def __init__(self, n):
        self.g = np.ones(n)

    def forward(self, x):
        return x * self.g

    def backward(self, dy):
        dg = (dy * self.x).sum(axis=0)
        return dy * self.g


# --- the same as plain objects, as courses write them ----------------------------------------------------------------


@slip("bias-total", "layer", 2, "NumPy never complained. All biases of the layer move alike.")
class Dense1:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.x = self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout)
        return np.dot(dout, self.W.T)


@slip("one-sample", "layer", 2, "All with loops, as in the formula. It learns, slowly and restlessly.")
class Dense2:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        out = np.zeros((len(x), len(self.b)))
        for i in range(len(x)):
            out[i] = x[i] @ self.W + self.b
        return out

    def backward(self, dout):
        dx = np.zeros(self.x.shape)
        for i in range(len(dout)):
            self.dW = np.outer(self.x[i], dout[i])
            self.db = dout[i]
            dx[i] = self.W @ dout[i]
        return dx


@slip("dW-transposed", "layer", 1, "W has a row for each output, as in the lecture. The update stops with a message.")
class Dense3:
    def __init__(self, n_in, n_out, seed=0):
        self.W = np.random.default_rng(seed).normal(0, 0.5, (n_out, n_in))
        self.b = np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W.T + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W


@slip("dx-not-transposed", "layer", 2, "W has a row for each output, as in the lecture. The layer before it disagrees.")
class Dense4:
    def __init__(self, n_in, n_out, seed=0):
        self.W = np.random.default_rng(seed).normal(0, 0.5, (n_out, n_in))
        self.b = np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W.T + self.b

    def backward(self, dout):
        self.dW = dout.T @ self.x
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


@slip("integer-arrays", "layer", 2, "Small whole numbers, to be followed on paper. No step changes them.")
class Dense5:
    def __init__(self, n_in, n_out):
        self.W = np.arange(n_in * n_out).reshape(n_in, n_out) % 3 - 1
        self.b = np.arange(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


@slip("accumulates", "layer", 2, "Written after a framework that adds. That framework has a line more in its loop.")
class Dense6:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW, self.db = np.zeros_like(W), np.zeros_like(b)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW += self.x.T @ dout
        self.db += dout.sum(axis=0)
        return dout @ self.W.T


@slip("bias-not-summed", "layer", 1, "After the first step, b is no vector any more. Nothing stopped.")
class Dense7:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout
        return dout @ self.W.T


@slip("updated-too-early", "layer", 3, "An example was followed number by number, in the order of its pages.")
class Dense8:
    def __init__(self, W, b, lr=0.5):
        self.W, self.b, self.lr = W, b, lr

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        self.W -= self.lr * self.dW
        self.b -= self.lr * self.db
        return dout @ self.W.T


@slip("stale-cache", "layer", 3, "The first step is right. The others stop with a message, or are strange.")
class Dense9:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.x = None

    def forward(self, x):
        if self.x is None:
            self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


@slip("divided-by-n", "layer", 2, "The formula of the lecture has 1/m in it. So has the loss.")
class Dense10:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        m = self.x.shape[0]
        self.dW = 1 / m * self.x.T @ dout
        self.db = 1 / m * np.sum(dout, axis=0)
        return dout @ self.W.T
