"""Batch normalization."""

from __future__ import annotations

import numpy as np

from .. import checks
from ..checks import Array
from .layer import Layer, Shape

__all__ = ["BatchNorm"]


class BatchNorm(Layer):
    """y = g (x - mean) / sqrt(var + eps) + b: each of n features with mean 0 and variance 1 over the batch.

    x (N, ..., n): a table, or images, each pixel of which is a row. In training, mean and var are those of the batch.
    Running means of them are kept: mean <- momentum mean + (1 - momentum) batch's mean, and var in the same way, with
    the unbiased variance M / (M - 1) var of M rows. `layer(x)` uses the running means. (`momentum` is the share of the
    old value, as in Keras; in PyTorch it is the share of the new one.) g and b are learned and start at 1 and 0.
    Source: Ioffe & Szegedy 2015.

    0 <= momentum < 1; eps > 0. Raises ValueError in training for a batch of one row: its variance is 0.
    """

    parameters = ("g", "b")
    buffers = ("mean", "var")
    keeps = ("x",)
    n_in: int
    n_out: int
    g: Array
    b: Array
    dg: Array
    db: Array
    mean: Array
    var: Array

    def __init__(self, n: int, momentum: float = 0.9, eps: float = 1e-5) -> None:
        self.n = self.n_in = self.n_out = checks.integer("BatchNorm: n", n, 1)
        self.momentum = checks.number("BatchNorm: momentum", momentum, 0, 1)
        self.eps = checks.number("BatchNorm: eps", eps, 0)
        if self.eps == 0:
            raise ValueError("BatchNorm: eps must be more than 0, not 0: a feature that is constant has variance 0")

    def forward(self, x: Array) -> Array:
        rows = x.reshape(-1, self.n)
        if not self.training:
            return self.ops.batch_norm(rows, self.g, self.b, self.mean, self.var, self.eps).reshape(x.shape)
        M = len(rows)
        if M < 2:
            why = "of one the variance is 0 (in fit: another batch_size leaves no batch of one)"
            raise ValueError(f"{self.where}: x must have two rows or more in training, not {M}: {why}")
        mean, var = self.batch = self.ops.batch_statistics(rows)
        self.mean = self.momentum * self.mean + (1 - self.momentum) * mean
        self.var = self.momentum * self.var + (1 - self.momentum) * M / (M - 1) * var
        return self.ops.batch_norm(rows, self.g, self.b, mean, var, self.eps).reshape(x.shape)

    def backward(self, dy: Array) -> Array:
        rows, drows = self.x.reshape(-1, self.n), dy.reshape(-1, self.n)
        dx = self.ops.batch_norm_backward(drows, rows, self.g, *self.batch, self.dg, self.db, self.eps)
        return dx.reshape(self.x.shape)

    def output_shape(self, shape: Shape | None) -> Shape | None:
        super().output_shape(shape)
        return shape

    def sizes(self) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("g", "b", "mean", "var"), (self.n,))

    def initial_values(self, rng: np.random.Generator) -> dict[str, Array]:
        return {"g": np.ones(self.n), "b": np.zeros(self.n), "mean": np.zeros(self.n), "var": np.ones(self.n)}

    def __repr__(self) -> str:
        words = [str(self.n)]
        words += [] if self.momentum == 0.9 else [f"momentum={self.momentum!r}"]
        words += [] if self.eps == 1e-5 else [f"eps={self.eps!r}"]
        return f"BatchNorm({', '.join(words)})"
