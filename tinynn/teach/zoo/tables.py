"""Slips in softmax layers and embeddings: a row of weights for each row of a table."""

# mypy: allow-untyped-defs, allow-incomplete-defs

from __future__ import annotations

import numpy as np

from ...layers.layer import Layer
from .slip import slip

# --- softmax ---------------------------------------------------------------------------------------------------------


class RowSoftmax(Layer):
    """p of each row: the right forward, and the right backward."""

    def forward(self, x):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def backward(self, dy):
        return self.y * (dy - (dy * self.y).sum(axis=-1, keepdims=True))


@slip("diagonal-only", "activation", 2, "The slope of a sigmoid, for something that sums to 1.")
class Softmax3(RowSoftmax):
    def backward(self, dy):
        return dy * self.y * (1 - self.y)


@slip("softmax-sum-missing", "activation", 2, "Each share has its gradient, and no share knows of the others.")
class Softmax4(RowSoftmax):
    def backward(self, dy):
        return dy * self.y


@slip("softmax-sum-axis", "activation", 2, "A sum, over an axis that forward did not take.")
class Softmax5(RowSoftmax):
    def backward(self, dy):
        return self.y * (dy - (dy * self.y).sum(axis=0))


@slip("softmax-without-p", "activation", 2, "The bracket is right.")
class Softmax6(RowSoftmax):
    def backward(self, dy):
        return dy - (dy * self.y).sum(axis=-1, keepdims=True)


@slip("softmax-skipped", "activation", 2, "The loss has done it already, says the book; but of another loss.")
class Softmax7(RowSoftmax):
    def backward(self, dy):
        return dy


@slip("other-softmax", "activation", 3, "A logarithm was taken, and the old backward kept.")
class LogSoftmax1(RowSoftmax):
    def forward(self, x):
        self.p = super().forward(x)
        return np.log(self.p)

    def backward(self, dy):
        return self.p * (dy - (dy * self.p).sum(axis=-1, keepdims=True))


# --- embeddings ------------------------------------------------------------------------------------------------------


class Table:
    """y = W[ids]: the right forward, and the right backward."""

    def __init__(self, n, seed=0):
        self.W = np.random.default_rng(seed).normal(size=(n, 3))

    def forward(self, ids):
        self.ids = ids
        return self.W[ids]

    def backward(self, dout):
        self.dW = np.zeros(self.W.shape)
        np.add.at(self.dW, self.ids, dout)


@slip("ids-not-summed", "layer", 1, "A word that comes twice in a sentence is heard once.", takes="ids")
class Embedding1(Table):
    def backward(self, dout):
        self.dW = np.zeros(self.W.shape)
        self.dW[self.ids] = dout


@slip("ids-not-summed", "layer", 2, "It adds, or so it says. NumPy reads, adds and writes, in this order.", takes="ids")
class Embedding2(Table):
    def backward(self, dout):
        self.dW = np.zeros(self.W.shape)
        self.dW[self.ids] += dout


@slip("ids-averaged", "layer", 2, "Frequent words learn no faster than rare ones.", takes="ids")
class Embedding3(Table):
    def backward(self, dout):
        super().backward(dout)
        count = np.bincount(self.ids.ravel(), minlength=len(self.W))
        self.dW /= np.maximum(count, 1)[:, None]


@slip("ids-shifted", "layer", 2, "One list begins with 1, the other with 0.", takes="ids")
class Embedding4(Table):
    def backward(self, dout):
        self.dW = np.zeros(self.W.shape)
        np.add.at(self.dW, (self.ids + 1) % len(self.W), dout)


@slip("ids-ignored", "layer", 1, "All words learn the same.", takes="ids")
class Embedding5(Table):
    def backward(self, dout):
        self.dW = np.zeros(self.W.shape) + dout.sum(axis=(0, 1))
