"""Wrong forwards whose backward is theirs: every gradient is right, and the layer is not."""

# mypy: allow-untyped-defs, allow-incomplete-defs

from __future__ import annotations

import numpy as np

from ...layers.layer import Layer
from .slip import slip

# --- rows ------------------------------------------------------------------------------------------------------------


@slip("bias-per-sample", "layer", 2, "The training loss is as low as one wishes. Then comes a batch of another size.")
class Linear1:
    def __init__(self, W, seed):
        self.W, self.b, self.seed = W, None, seed

    def forward(self, x):
        if self.b is None:
            self.b = np.random.default_rng(self.seed).normal(size=(len(x), self.W.shape[1]))
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = dout
        return np.dot(dout, self.W.T)


@slip("softmax-over-batch", "activation", 1, "Shares of a whole. It depends on what else is in the batch.")
class Softmax1(Layer):
    def forward(self, x):
        e = np.exp(x - x.max(axis=0))
        return e / e.sum(axis=0)

    def backward(self, dy):
        return self.y * (dy - (dy * self.y).sum(axis=0))


@slip("softmax-over-all", "activation", 1, "Shares of a whole, and the whole is too large.")
class Softmax2(Layer):
    def forward(self, x):
        e = np.exp(x - x.max())
        return e / e.sum()

    def backward(self, dy):
        return self.y * (dy - (dy * self.y).sum())


# --- dropout ---------------------------------------------------------------------------------------------------------


@slip("dropout-unscaled", "layer", 2, "A published notebook: its loss is right to three digits, its gradients too.")
class Dropout11(Layer):
    def __init__(self, p=0.25):
        self.p = p

    def forward(self, x):
        if not self.training:
            return x
        self.mask = self.rng.binomial(1, 1 - self.p, x.shape)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask.astype(dy.dtype)


@slip("dropout-scale", "layer", 2, "Right at a rate of one half, which everybody tries first.")
class Dropout12(Layer):
    def __init__(self, p=0.2):
        self.p = p

    def forward(self, x):
        if not self.training:
            return x
        kept = self.rng.random(x.shape) > self.p
        self.mask = kept.astype(x.real.dtype) / self.p
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


@slip("dropout-scale", "layer", 2, "Training is scaled, use is scaled. One of the two is enough.")
class Dropout13(Layer):
    def __init__(self, p=0.3):
        self.p = p

    def forward(self, x):
        if not self.training:
            return x * (1 - self.p)
        kept = self.rng.random(x.shape) > self.p
        self.mask = kept.astype(x.real.dtype) / (1 - self.p)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


@slip("dropout-at-use", "layer", 1, "The same image is a 3 today and an 8 tomorrow.")
class Dropout14(Layer):
    def __init__(self, p=0.5):
        self.p = p

    def forward(self, x):
        kept = self.rng.random(x.shape) > self.p
        self.mask = kept.astype(x.real.dtype) / (1 - self.p)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


# --- norms -----------------------------------------------------------------------------------------------------------


@slip("norm-wrong-axes", "layer", 1, "Each column has mean 0 and deviation 1. The name says something else.")
class LayerNorm1(Layer):
    def forward(self, x):
        c = x - x.mean(axis=0)
        self.s = np.sqrt((c**2).mean(axis=0) + 1e-5)
        return c / self.s

    def backward(self, dy):
        return (dy - dy.mean(axis=0) - self.y * (dy * self.y).mean(axis=0)) / self.s


@slip("norm-wrong-axes", "layer", 1, "With a batch of one it works as well as ever, which it should not.")
class BatchNorm2(Layer):
    def forward(self, x):
        c = x - x.mean(axis=1, keepdims=True)
        self.s = np.sqrt((c**2).mean(axis=1, keepdims=True) + 1e-3)
        return c / self.s

    def backward(self, dy):
        mean = dy.mean(axis=1, keepdims=True)
        return (dy - mean - self.y * (dy * self.y).mean(axis=1, keepdims=True)) / self.s


@slip("var-for-std", "layer", 2, "Wide rows come out narrow, narrow ones wide.")
class LayerNorm2(Layer):
    def forward(self, x):
        self.c = x - x.mean(axis=1, keepdims=True)
        self.v = (self.c**2).mean(axis=1, keepdims=True) + 1e-2
        return self.c / self.v

    def backward(self, dy):
        dc = dy / self.v - 2 * self.c * (dy * self.c / self.v**2).mean(axis=1, keepdims=True)
        return dc - dc.mean(axis=1, keepdims=True)


@slip("root-twice", "layer", 3, "The function was called std. It was called within a root.")
class LayerNorm3(Layer):
    def forward(self, x):
        self.c = x - x.mean(axis=1, keepdims=True)
        self.std = np.sqrt((self.c**2).mean(axis=1, keepdims=True))
        self.s = np.sqrt(self.std + 1e-5)
        return self.c / self.s

    def backward(self, dy):
        ds = -(dy * self.c).sum(axis=1, keepdims=True) / self.s**2
        dc = dy / self.s + ds / (2 * self.s) * self.c / self.std / dy.shape[1]
        return dc - dc.mean(axis=1, keepdims=True)


@slip("not-centred", "layer", 2, "The deviation is right. The mean is what it was.")
class LayerNorm4(Layer):
    def forward(self, x):
        self.c = x - x.mean(axis=1, keepdims=True)
        self.s = np.sqrt((self.c**2).mean(axis=1, keepdims=True) + 1e-3)
        return x / self.s

    def backward(self, dy):
        shared = (dy * self.x).mean(axis=1, keepdims=True)
        return (dy - self.c * shared / self.s**2) / self.s


@slip("sum-for-mean", "layer", 2, "The wider the layer, the smaller its numbers.")
class RMSNorm1(Layer):
    def forward(self, x):
        self.r = np.sqrt((x**2).sum(axis=1, keepdims=True) + 1e-5)
        return x / self.r

    def backward(self, dy):
        return (dy - self.y * (dy * self.y).sum(axis=1, keepdims=True)) / self.r


@slip("not-mean-square", "layer", 2, "What it was meant to leave out is still there.")
class RMSNorm2(Layer):
    def forward(self, x):
        c = x - x.mean(axis=1, keepdims=True)
        self.s = np.sqrt((c**2).mean(axis=1, keepdims=True) + 1e-5)
        return c / self.s

    def backward(self, dy):
        mean = dy.mean(axis=1, keepdims=True)
        return (dy - mean - self.y * (dy * self.y).mean(axis=1, keepdims=True)) / self.s


@slip(
    "channels-mixed",
    "layer",
    3,
    "Images with the channels first, and a line for images with the channels last.",
    takes="images",
)
class BatchNorm22(Layer):
    def forward(self, x):
        rows = x.reshape(-1, x.shape[1])
        c = rows - rows.mean(axis=0)
        self.s = np.sqrt((c**2).mean(axis=0) + 1e-5)
        self.z = c / self.s
        return self.z.reshape(x.shape)

    def backward(self, dy):
        d, z = dy.reshape(self.z.shape), self.z
        return ((d - d.mean(axis=0) - z * (d * z).mean(axis=0)) / self.s).reshape(dy.shape)
