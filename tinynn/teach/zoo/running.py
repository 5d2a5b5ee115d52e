"""Slips in what a batch norm keeps for use: every gradient is right, and predictions are not."""

# mypy: allow-untyped-defs, allow-incomplete-defs

from __future__ import annotations

import numpy as np

from ...layers.layer import Layer
from .slip import slip


class RunningNorm(Layer):
    """(x - mean) / sqrt(var + eps), in use by running means: the right forward, and the right backward."""

    buffers = ("mean", "var")
    momentum = 0.9

    def __init__(self, n):
        self.mean, self.var = np.zeros(n), np.ones(n)

    def update(self, mean, var):
        self.mean = self.momentum * self.mean + (1 - self.momentum) * mean
        self.var = self.momentum * self.var + (1 - self.momentum) * var

    def used(self, x):
        return (x - self.mean) / np.sqrt(self.var + 1e-5)

    def forward(self, x):
        if not self.training:
            return self.used(x)
        mean = x.mean(axis=0)
        var = ((x - mean) ** 2).mean(axis=0)
        self.update(mean.real, var.real)
        self.s = np.sqrt(var + 1e-5)
        return (x - mean) / self.s

    def backward(self, dy):
        return (dy - dy.mean(axis=0) - self.y * (dy * self.y).mean(axis=0)) / self.s


@slip("running-shares", "layer", 2, "What is kept grows, and what is predicted shrinks.")
class RunningNorm1(RunningNorm):
    def update(self, mean, var):
        self.mean = self.momentum * self.mean + (1 - self.momentum) * mean
        self.var = self.var + (1 - self.momentum) * var


@slip("running-last-batch", "layer", 1, "It has a memory of one batch.")
class RunningNorm2(RunningNorm):
    def __init__(self, n):
        super().__init__(n)
        self.momentum = 0.9

    def update(self, mean, var):
        self.mean, self.var = mean, var


@slip("momentum-exchanged", "layer", 2, "Two averages, of which one is in a hurry.")
class RunningNorm3(RunningNorm):
    def update(self, mean, var):
        self.mean = self.momentum * self.mean + (1 - self.momentum) * mean
        self.var = (1 - self.momentum) * self.var + self.momentum * var


@slip("std-kept-as-var", "layer", 3, "One of the two lines says what is kept, the other what it is taken for.")
class RunningNorm4(RunningNorm):
    def update(self, mean, var):
        super().update(mean, np.sqrt(var))


@slip("var-for-std", "layer", 2, "Training is as it should be. In use, wide columns come out narrow.")
class RunningNorm5(RunningNorm):
    def used(self, x):
        return (x - self.mean) / (self.var + 1e-5)


@slip("batch-at-use", "layer", 1, "A photograph is a cat among dogs, and a dog alone.")
class RunningNorm6(RunningNorm):
    def used(self, x):
        mean = x.mean(axis=0)
        return (x - mean) / np.sqrt(((x - mean) ** 2).mean(axis=0) + 1e-5)


@slip("running-in-training", "layer", 2, "Training and use are alike, at last.")
class BatchNorm21(RunningNorm):
    def forward(self, x):
        self.s = np.sqrt(self.var + 1e-5)
        y = (x - self.mean) / self.s
        if self.training:
            self.update(x.mean(axis=0).real, ((x - x.mean(axis=0)) ** 2).mean(axis=0).real)
        return y

    def backward(self, dy):
        return dy / self.s
