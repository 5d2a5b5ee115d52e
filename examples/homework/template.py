"""Homework: three layers and a loss, with backward by hand. Fill in what is marked, and try it yourself:

python -m tinynn check homework.py
"""

import numpy as np


class Affine:
    """y = x W + b."""

    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out) / np.sqrt(n_in)
        self.b = np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        """Return dx, dW, db for the gradient dy of the output."""
        raise NotImplementedError  # write it


class ReLU:
    """y = max(x, 0)."""

    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, dy):
        """Return dx."""
        raise NotImplementedError  # write it


class Sigmoid:
    """y = 1 / (1 + exp(-x))."""

    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, dy):
        """Return dx."""
        raise NotImplementedError  # write it


class CrossEntropy:
    """The mean over the rows of -log p, where p is the softmax of scores y at the label t."""

    def forward(self, y, t):
        raise NotImplementedError  # write it

    def backward(self):
        """Return dy."""
        raise NotImplementedError  # write it
