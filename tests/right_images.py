"""Layers for images and sequences as learners write them, and right: in either order of axes, with any convention.

They are written with loops and arrays of their own, without tinynn's windows; test_zoo.py measures each one.
"""

from __future__ import annotations

import numpy as np

from tinynn import (
    ELU,
    GELU,
    Affine,
    AvgPool2D,
    Conv2D,
    Dropout,
    Flatten,
    GELUTanh,
    GlobalAvgPool,
    LeakyReLU,
    MaxPool2D,
    Sequential,
    SiLU,
    Softplus,
)  # fmt: skip
from tinynn.teach.zoo import cases


class Slides:
    """Windows of k x k pixels, s apart, over images with channels first and p pixels of padding."""

    def __init__(self, C, K, k, s, p, rng):
        self.k, self.s, self.p = k, s, p

    def pad(self, x, value=0):
        return np.pad(x, ((0, 0), (0, 0), (self.p, self.p), (self.p, self.p)), constant_values=value)

    def sizes(self, x):
        return [(n + 2 * self.p - self.k) // self.s + 1 for n in x.shape[2:]]

    def corners(self, x):
        for a, b in np.ndindex(*self.sizes(x)):
            yield a, b, np.s_[:, :, a * self.s : a * self.s + self.k, b * self.s : b * self.s + self.k]

    def cut(self, wide):
        return wide[:, :, self.p : wide.shape[2] - self.p, self.p : wide.shape[3] - self.p]


class ConvLoops(Slides):
    """W (K, C, k, k), as in PyTorch."""

    def __init__(self, C, K, k, s, p, rng):
        super().__init__(C, K, k, s, p, rng)
        self.W, self.b = rng.normal(size=(K, C, k, k)), rng.normal(size=K)

    def forward(self, x):
        self.x, wide = x, self.pad(x)
        out = np.zeros((len(x), len(self.W), *self.sizes(x)))
        for a, b, w in self.corners(x):
            out[:, :, a, b] = np.tensordot(wide[w], self.W, ([1, 2, 3], [1, 2, 3])) + self.b
        return out

    def backward(self, dout):
        wide = self.pad(self.x)
        dwide = np.zeros_like(wide)
        self.dW, self.db = np.zeros_like(self.W), dout.sum(axis=(0, 2, 3))
        for a, b, w in self.corners(self.x):
            self.dW += np.tensordot(dout[:, :, a, b], wide[w], ([0], [0]))
            dwide[w] += np.tensordot(dout[:, :, a, b], self.W, 1)
        return self.cut(dwide)


class TrueConv(ConvLoops):
    """The kernel turned round, as in mathematics."""

    def forward(self, x):
        self.W = self.W[:, :, ::-1, ::-1]
        out = super().forward(x)
        self.W = self.W[:, :, ::-1, ::-1]
        return out

    def backward(self, dout):
        self.W = self.W[:, :, ::-1, ::-1]
        dx = super().backward(dout)
        self.W, self.dW = self.W[:, :, ::-1, ::-1], self.dW[:, :, ::-1, ::-1].copy()
        return dx


class MaxLoops(Slides):
    """The maximum; of equal ones the last gets the gradient, or each a share."""

    shared = False

    def forward(self, x):
        self.x, wide = x, self.pad(x, -np.inf)
        out = np.zeros((*x.shape[:2], *self.sizes(x)))
        for a, b, w in self.corners(x):
            out[:, :, a, b] = wide[w].max(axis=(2, 3))
        return out

    def backward(self, dout):
        wide = self.pad(self.x, -np.inf)
        dwide = np.zeros_like(wide)
        for a, b, w in self.corners(self.x):
            mask = (wide[w] == wide[w].max(axis=(2, 3), keepdims=True)).reshape(*dout.shape[:2], -1).astype(float)
            if self.shared:
                mask /= mask.sum(axis=2, keepdims=True)
            else:
                last = mask.shape[2] - 1 - mask[:, :, ::-1].argmax(axis=2)
                mask = (np.arange(mask.shape[2]) == last[:, :, None]).astype(float)
            dwide[w] += mask.reshape(wide[w].shape) * dout[:, :, a, b, None, None]
        return self.cut(dwide)


class MaxShared(MaxLoops):
    shared = True


class MaxOfZeros(MaxLoops):
    """With a 0 around the image, which may be the largest, and then nothing comes back."""

    def pad(self, x, value=0):
        return super().pad(x, 0)


class MeanLoops(Slides):
    """The mean of k k numbers, those of the padding, too."""

    def forward(self, x):
        self.x, wide = x, self.pad(x)
        out = np.zeros((*x.shape[:2], *self.sizes(x)), x.dtype)
        for a, b, w in self.corners(x):
            out[:, :, a, b] = wide[w].mean(axis=(2, 3))
        return out

    def backward(self, dout):
        dwide = np.zeros_like(self.pad(self.x))
        for a, b, w in self.corners(self.x):
            dwide[w] += dout[:, :, a, b, None, None] / self.k**2
        return self.cut(dwide)


class Unroll(Slides):
    """Flatten, the last axis first."""

    def forward(self, x):
        self.shape = x.shape
        return x.transpose(0, 3, 2, 1).reshape(len(x), -1)

    def backward(self, dout):
        N, C, H, V = self.shape
        return dout.reshape(N, V, H, C).transpose(0, 3, 2, 1)


OBJECTS = (ConvLoops, TrueConv, MaxLoops, MaxShared, MaxOfZeros, MeanLoops, Unroll)  # of C, K, k, s, p, rng


def images(rng, n, C):
    """Images of all kinds: numbers, drawings of a few values, and ones; with channels first."""
    shape = (n, C, *(int(size) for size in rng.integers(3, 8, 2)))
    kind = rng.integers(5)
    if kind == 0:
        return rng.integers(-1, 2, size=shape).astype(float)
    if kind == 1:
        return np.ones(shape)
    return rng.normal(size=shape) * (1 if kind == 2 else 10.0 ** rng.uniform(-4, 3))


def right(rng):
    """A right layer for images, by itself, and its x."""
    C, n, k = int(rng.integers(1, 4)), int(rng.choice([1, 2, 4, 7])), int(rng.integers(1, 4))
    s, p = int(rng.integers(1, 4)), int(rng.integers(0, k // 2 + 1))
    x, K = images(rng, n, C), int(rng.integers(1, 4))
    if rng.random() < 0.5:
        return OBJECTS[rng.integers(len(OBJECTS))](C, K, k, s, p, rng), x
    window = {"stride": s, "padding": "same" if rng.random() < 0.3 else p}
    layers = [
        Conv2D(C, K, k, **window), MaxPool2D(k, **window), AvgPool2D(k, **window), GlobalAvgPool(), Flatten(),
        LeakyReLU(float(rng.uniform(0, 1.5))), ELU(float(rng.uniform(0.1, 3))), GELU(), GELUTanh(), SiLU(),
        Softplus(), Dropout(float(rng.uniform(0, 0.9))),
    ]  # fmt: skip
    layer = layers[rng.integers(len(layers))]
    layer.build(rng, np.dtype("float64"))
    return layer, x.transpose(0, 2, 3, 1)


def network(rng):
    """A right network of images."""
    loss, t, width = cases.any_loss(rng, 4, 3, "float64")
    C, k = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    pool = [MaxPool2D(2, 2, padding="same"), AvgPool2D(3, 2, padding=1), MaxPool2D(3, 1)][rng.integers(3)]
    middle = [ELU(0.5), LeakyReLU(0.1), GELU(), SiLU(), Dropout(0.3)][rng.integers(5)]
    before = [Conv2D(C, 4, k, padding=1), middle, pool, [GlobalAvgPool(), Flatten()][rng.integers(2)]]
    shape = (int(rng.integers(4, 8)), int(rng.integers(4, 8)), C)
    made = shape
    for layer in before:
        made = layer.output_shape(made)
    model = Sequential(*before, Affine(made[0], width), shape=shape, backend="numpy", dtype="float64", seed=rng)
    return model, 10.0 ** rng.uniform(-3, 2) * rng.normal(size=(4, *shape)), t, loss
