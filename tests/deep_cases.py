"""Set-ups for diagnose of images, sequences and blocks: BROKEN, with faults planted deep inside, and HEALTHY of every kind.

Each is a function of a seed, and gives what `told` passes on: model, loss, x, t and options.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from test_diagnose import Softmax, mlp, moons, sine

from tinynn import (
    ELU,
    GELU,
    MAE,
    MSE,
    SGD,
    Adam,
    Affine,
    AvgPool2D,
    BatchNorm,
    BinaryCrossEntropy,
    Conv2D,
    Dropout,
    Flatten,
    GaussianNLL,
    GlobalAvgPool,
    Huber,
    Layer,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Residual,
    RMSProp,
    Sequential,
    Sigmoid,
    SiLU,
    SoftmaxCrossEntropy,
    Softplus,
    Tanh,
    flatten,
)
from tinynn.datasets import load_mnist
from tinynn.diagnosis import diagnose


@functools.cache
def digits(rows=450, size=14):
    """MNIST's images (N, 14, 14, 1), or smaller ones, each pixel the mean of some."""
    (x, t), _ = load_mnist(flatten=False)
    k = 28 // size
    return x[:rows].reshape(rows, size, k, size, k).mean(axis=(2, 4), dtype="f")[..., None], t[:rows]


def block(n_in, n_out, stride=1, middle=(), end=()):
    """As in examples/mnist_resnet.py."""
    shortcut = (
        None
        if (n_in, stride) == (n_out, 1)
        else Sequential(Conv2D(n_in, n_out, 1, stride, bias=False), BatchNorm(n_out))
    )
    return Residual(
        Conv2D(n_in, n_out, 3, stride, padding=1, bias=False), BatchNorm(n_out), *(middle or [ReLU()]),
        Conv2D(n_out, n_out, 3, padding=1, bias=False), BatchNorm(n_out), *end,
        shortcut=shortcut,
    )  # fmt: skip


def resnet(seed=0, shape=(7, 7, 1), widths=(4, 8, 16), middle=(), end=(), last=(), **options):
    """The network of examples/mnist_resnet.py, with fewer channels: Residual blocks at 4, 6 and 8."""
    a, b, c = widths
    return Sequential(
        Conv2D(shape[-1], a, 3, padding=1, bias=False), BatchNorm(a), ReLU(),
        block(a, a), ReLU(), block(a, b, 2, middle, end), ReLU(), block(b, c, 2), ReLU(),
        GlobalAvgPool(), Affine(c, 10), *last, shape=shape, seed=seed, backend="numba", **options,
    )  # fmt: skip


def lenet(seed=0, activation=ReLU, pool=MaxPool2D, middle=(), last=(), **options):
    """Convolutions in a block of their own (1.1 to 1.6), and an MLP behind them (3.1 to 3.3)."""
    return Sequential(
        Sequential(
            Conv2D(1, 6, 5, padding=2), activation(), pool(2), Conv2D(6, 16, 3), activation(), *middle, pool(2),
        ),
        Flatten(), Sequential(Affine(64, 32), activation(), Affine(32, 10), *last),
        shape=(14, 14, 1), seed=seed, backend="numba", **options,
    )  # fmt: skip


def by_path(model, path):
    """The layer at "6.2" or "6.shortcut.1"."""
    from tinynn.nesting import walk

    return dict(walk(model))[path]


def changed(model, path, name, change):
    """The model with an array of the layer at that path changed."""
    layer = by_path(model, path)
    layer.arrays[name][...] = change(layer.arrays[name])
    return model


def of(model, x=lambda x: x, t=lambda t: t, optimizer=Adam, loss=None, lr=3e-3, **options):
    """A set-up on small digits, but for what is changed."""
    data = digits(size=model.shape[0] if model.shape and model.shape[0] > 1 else 14)
    return model, loss or SoftmaxCrossEntropy(), x(data[0]), t(data[1]), {"optimizer": optimizer(model, lr), **options}


class Stops(Layer):
    """y = x, and no gradient comes back."""

    def forward(self, x):
        return 1 * x

    def backward(self, dy):
        return 0 * dy


class Times(Layer):
    """y = a x, with a factor that is not learned."""

    def __init__(self, a):
        self.a = np.float32(a)

    def forward(self, x):
        return self.a * x

    def backward(self, dy):
        return self.a * dy


class Factors(Layer):
    """y = a x, with a factor for each channel that is learned (LayerScale)."""

    parameters = ("a",)

    def __init__(self, n):
        self.a = np.ones(n)

    def forward(self, x):
        return self.a * x

    def backward(self, dy):
        self.da = (dy * self.x).sum(axis=(0, 1, 2))
        return self.a * dy


class AlwaysDropout(Dropout):
    """A slip: it drops in use, too."""

    def forward(self, x):
        self.mask = self.ops.dropout_mask(np.random.default_rng(), x.shape, self.rate, x.dtype)
        return x * self.mask


class AlwaysBatch(BatchNorm):
    """A slip: in use, it takes mean and variance of the rows that are there."""

    def forward(self, x):
        rows = x.reshape(-1, self.n)
        mean, var = self.batch = self.ops.batch_statistics(rows)
        return self.ops.batch_norm(rows, self.g, self.b, mean, var, self.eps).reshape(x.shape)


class OwnBlock(Layer):
    """y = x + a f(x), as learners write it."""

    def __init__(self, a, *layers):
        self.inner, self.a = Sequential(*layers), np.float32(a)

    def forward(self, x):
        return x + self.a * self.inner.forward(x)

    def backward(self, dy):
        return dy + self.inner.backward(self.a * dy)


class WithoutCall:
    """A model class of one's own: fit has nothing but its forward to evaluate with."""

    def __init__(self, seed):
        self.layers = [Affine(2, 16), ReLU(), Dropout(0.5), Affine(16, 2)]
        self.params, self.grads = flatten(*self.layers, backend="numpy", seed=seed)

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)


def standardized(x, mean=0.1307, std=0.3081):
    return ((x - np.float32(mean)) / np.float32(std)).astype("f")


def bytes_of(x):
    """Pixels that are whole numbers again, since means of some are not."""
    return (x * 255).round().astype("f")


def of_table(model, loss=None, lr=1e-2, rows=300, **options):
    x, t = moons(rows)
    return model, loss or SoftmaxCrossEntropy(), x, t, {"optimizer": Adam(model, lr), **options}


def with_norm(seed, n=2):
    return Sequential(Affine(n, 16), BatchNorm(16), ReLU(), Affine(16, 2), seed=seed, backend="numpy")


def without(keep):
    """Of the digits to validate with, those whose labels are such."""
    (x, t) = digits(size=7)
    return {"validation_data": (x[keep(t)], t[keep(t)])}


def crosswise(rows, seed):
    """Four clouds of two classes: no line parts them."""
    x = np.random.default_rng(seed).normal(size=(rows, 2)).astype("f")
    return x, (x[:, 0] * x[:, 1] > 0).astype(int)


def sequences(seed, rows=120, T=7):
    """Numbers in a row of steps, and of each step the class: which of three is largest."""
    x = np.random.default_rng(seed).normal(size=(rows, T, 3)).astype("f")
    return x, x.argmax(axis=-1)


def of_sequences(seed, x=lambda x: x, t=lambda t: t, model=None):
    model = model or mlp(3, 16, 3, seed=seed)
    data = sequences(seed)
    return model, SoftmaxCrossEntropy(), x(data[0]), t(data[1]), {"optimizer": Adam(model, 1e-2)}


def decayed(seed):
    """After four epochs of a tenth each, the rate is 0 for all that it does."""
    from tinynn.callbacks import LearningRate, steps

    model, loss, x, t, _ = of_table(mlp(2, 16, 2, seed=seed))
    optimizer = SGD(model, 1e-3)
    model.fit(
        x, t, loss=loss, optimizer=optimizer, epochs=6, seed=0, progress=False,
        callbacks=[LearningRate(steps(1e-3, every=1))],
    )  # fmt: skip
    return model, loss, x, t, {"optimizer": optimizer}


# The code that the first finding must have, the path that it must name, and how to do it, with a seed.
BROKEN = [
    # What people do with images, batches and schedules
    ("channels-first", None, lambda s: of(resnet(s, shape=(14, 14, 1)), x=lambda x: np.moveaxis(x, -1, 1).copy())),
    ("channels-first", None, lambda s: of(resnet(s, shape=(1, 14, 14)), x=lambda x: np.moveaxis(x, -1, 1).copy())),
    ("pixels-0-255", None, lambda s: of(resnet(s), x=bytes_of)),
    ("pixels-normalized-twice", None, lambda s: of(resnet(s), x=lambda x: bytes_of(x) / np.float32(255 * 255))),
    ("pixels-normalized-twice", None, lambda s: of(lenet(s), x=lambda x: standardized(standardized(bytes_of(x) / 255)))),
    ("pixels-normalized-twice", None, lambda s: of(lenet(s), x=lambda x: standardized(bytes_of(x) / np.float32(255 * 255)))),
    ("dropout-too-high", "1.6", lambda s: of(lenet(s, middle=[Dropout(0.99)]))),
    ("dropout-too-high", "3", lambda s: of_table(Sequential(Affine(2, 16), ReLU(), Dropout(0.99), Affine(16, 2), seed=s))),
    ("small-batches", "2", lambda s: of(resnet(s), batch_size=1)),
    ("small-batches", "2", lambda s: of_table(with_norm(s), batch_size=2)),
    ("batch-of-one", "2", lambda s: of_table(with_norm(s), rows=301, batch_size=30)),
    ("evaluation-in-training-mode", "1.6", lambda s: of(lenet(s, middle=[AlwaysDropout(0.5)]))),
    ("evaluation-in-training-mode", "6.4", lambda s: of(resnet(s, middle=[ReLU(), AlwaysBatch(8)]))),
    ("evaluation-in-training-mode", None, lambda s: of_table(WithoutCall(s))),
    ("branch-without-effect", "6", lambda s: of(resnet(s, end=[Times(1e-6)]))),
    ("branch-without-effect", "6", lambda s: of(resnet(s, end=[Times(0)]))),
    ("branch-without-effect", "2", lambda s: of_table(Sequential(Affine(2, 16), OwnBlock(1e-7, Affine(16, 16), ReLU(), Affine(16, 16)), ReLU(), Affine(16, 2), seed=s))),
    ("dead-relus", "2.inner.2", lambda s: of_table(changed(Sequential(Affine(2, 16), OwnBlock(1, Affine(16, 16), ReLU(), Affine(16, 16)), ReLU(), Affine(16, 2), seed=s), "2.inner.1", "b", lambda b: b - 50))),
    ("class-not-validated", None, lambda s: of(resnet(s), **without(lambda t: t != 3))),
    ("class-not-validated", None, lambda s: (lambda m, o: (m, SoftmaxCrossEntropy(), o[0], o[1], {"validation_split": 0.3, "optimizer": None}))(mlp(2, 8, 2, seed=s), [a[np.argsort(moons()[1])[::-1]] for a in moons()])),
    ("class-not-trained", None, lambda s: of_table(mlp(2, 8, 2, seed=s), validation_data=(moons(50)[0], np.arange(50) % 3))),
    ("validation-scale", None, lambda s: of(resnet(s), validation_data=(bytes_of(half[0]), half[1]))),
    ("lr-decayed", None, decayed),
    ("labels-shuffled", None, lambda s: of(resnet(s), t=np.random.default_rng(s).permutation)),
    ("labels-shuffled", None, lambda s: of(lenet(s), x=lambda x: x[:100], t=lambda t: np.random.default_rng(s).permutation(t[:100]))),
    ("model-too-small", None, lambda s: (lambda m: (m, SoftmaxCrossEntropy(), *crosswise(300, s), {"optimizer": Adam(m)}))(mlp(2, 2, seed=s))),
    ("model-too-small", None, lambda s: (lambda m: (m, SoftmaxCrossEntropy(), *crosswise(900, s), {"optimizer": Adam(m)}))(mlp(2, 2, seed=s))),
    ("scores-for-each-position", None, lambda s: of(Sequential(Conv2D(1, 4, 3), ReLU(), Affine(4, 10), seed=s, shape=(14, 14, 1)))),
    # Every rule, deep inside
    ("dead-relus", "6.3", lambda s: of(changed(resnet(s), "6.2", "b", lambda b: b - 10))),
    ("dead-relus", "1.5", lambda s: of(changed(lenet(s), "1.4", "b", lambda b: b - 100))),
    ("dead-relus", "3.2", lambda s: of(changed(lenet(s), "3.1", "W", lambda W: -np.abs(W)))),
    ("saturated", "1.5", lambda s: of(changed(lenet(s, Tanh), "1.4", "W", lambda W: 60 * W))),
    ("saturated", "3.2", lambda s: of(changed(lenet(s, Sigmoid), "3.1", "b", lambda b: b + 20))),
    ("exploding-signal", "1.4", lambda s: of(changed(lenet(s), "1.4", "W", lambda W: 300 * W))),
    ("exploding-signal", "6.5", lambda s: of(changed(resnet(s), "6.5", "g", lambda g: 300 * g))),
    ("large-bias", "1.4", lambda s: of(changed(lenet(s), "1.4", "b", lambda b: b + 50))),
    ("large-bias", "6.2", lambda s: of(changed(resnet(s), "6.2", "b", lambda b: b + 50))),
    ("equal-weights", "6.1", lambda s: of(changed(resnet(s), "6.1", "W", lambda W: 0 * W + 0.1))),
    ("equal-weights", "1.4", lambda s: of(changed(lenet(s), "1.4", "W", lambda W: 0 * W))),
    ("weights-not-finite", "8.shortcut.1", lambda s: of(changed(resnet(s), "8.shortcut.1", "W", lambda W: np.nan * W))),
    ("affine-twice", "6.4", lambda s: of(resnet(s, middle=[Dropout(0.1)]))),
    ("affine-twice", "1.7", lambda s: of(lenet(s, middle=[Conv2D(16, 16, 1), Conv2D(16, 16, 3, padding=1), ReLU()])) ),
    ("squashed-twice", "6.4", lambda s: of(resnet(s, middle=[Tanh(), Sigmoid()]))),
    ("softmax-before-loss", "12", lambda s: of(resnet(s, last=[Softmax()]))),
    ("bounded-scores", "3.4", lambda s: of(lenet(s, last=[Tanh()]))),
    ("relu-scores", "3.4", lambda s: of(lenet(s, last=[ReLU()]))),
    ("bounded-scores", "3.4", lambda s: of(lenet(s, last=[Sigmoid()]), loss=BinaryCrossEntropy(), t=lambda t: np.eye(10, dtype="f")[t])),
    ("zero-gradient", "1.1", lambda s: of(lenet(s, middle=[Stops()]))),
    ("lr-too-high", None, lambda s: of(resnet(s), lr=30.0)),
    ("lr-too-high", None, lambda s: of(lenet(s), optimizer=SGD, lr=30.0)),
    ("lr-too-low", None, lambda s: of(resnet(s), lr=1e-8)),
    ("labels-from-1", None, lambda s: of(resnet(s), t=lambda t: t + 1)),
    ("one-class", None, lambda s: of(resnet(s), t=lambda t: 0 * t)),
    ("constant-columns", None, lambda s: of(resnet(s), x=lambda x: np.repeat(x[:1], len(x), axis=0))),
    ("x-not-finite", None, lambda s: of(resnet(s), x=lambda x: np.where(x == x[3, 3, 3], np.float32("nan"), x))),
    # Sequences
    ("labels-from-1", None, lambda s: of_sequences(s, t=lambda t: t + 1)),
    ("labels-shuffled", None, lambda s: of_sequences(s, t=np.random.default_rng(s).permutation)),
    ("large-input", None, lambda s: of_sequences(s, x=lambda x: 50 * x)),
    ("dead-relus", "2", lambda s: of_sequences(s, model=changed(mlp(3, 16, 3, seed=s), "1", "b", lambda b: b - 50))),
    ("one-class", None, lambda s: of_sequences(s, t=lambda t: 0 * t)),
]  # fmt: skip


def told(setup):
    model, loss, x, t, options = setup
    return diagnose(model, loss, x, t, **options)


# --- healthy -----------------------------------------------------------------------------------------------------------


class Attention(Layer):
    """y_i = sum over j of softmax(x_i x_j) x_j, with a gradient by hand; a layer of one's own over sequences."""

    def forward(self, x):
        s = x @ x.transpose(0, 2, 1) / np.float32(math.sqrt(x.shape[-1]))
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        self.a = e / e.sum(axis=-1, keepdims=True)
        return self.a @ x

    def backward(self, dy):
        x, a = self.x, self.a
        da = dy @ x.transpose(0, 2, 1)
        ds = a * (da - (da * a).sum(axis=-1, keepdims=True)) / np.float32(math.sqrt(x.shape[-1]))
        return a.transpose(0, 2, 1) @ dy + ds @ x + ds.transpose(0, 2, 1) @ x


def zeros_at(model, *names):
    """The model with some arrays of 0, such as "4.5 g"."""
    for name in names:
        changed(model, *name.split(), lambda a: 0 * a)
    return model


def motif(rows, seed):
    """Images with noise; in half of them, somewhere, a small cross."""
    rng = np.random.default_rng(seed)
    x, t = rng.normal(size=(rows, 12, 12, 1)).astype("f") / 5, np.arange(rows) % 2
    for n in np.flatnonzero(t):
        i, j = rng.integers(1, 11, 2)
        x[n, i - 1 : i + 2, j, 0], x[n, i, j - 1 : j + 2, 0] = 1, 1
    return x, t


def colours(rows, seed):
    """Bytes (N, 16, 16, 3) as images: a gradient of some colour, and noise; the class is its direction."""
    rng = np.random.default_rng(seed)
    t, ramp = np.arange(rows) % 4, np.linspace(0, 1, 16)
    ramps = np.stack(
        [np.tile(ramp, (16, 1)), np.tile(ramp[::-1], (16, 1)), np.tile(ramp, (16, 1)).T, np.tile(ramp[::-1], (16, 1)).T]
    )
    x = ramps[t][..., None] * rng.uniform(0.3, 1, (rows, 1, 1, 3)) + rng.normal(size=(rows, 16, 16, 3)) / 10
    return (255 * np.clip(x, 0, 1)).round().astype("f"), t


def spectra(rows, seed):
    """(N, 1, 24, 6): six channels along a line, as images of one row of pixels."""
    rng = np.random.default_rng(seed)
    t, i = np.arange(rows) % 3, np.arange(24)[:, None]
    wave = np.sin(i * (1 + t[:, None, None]) / 3 + rng.uniform(0, 6, (rows, 1, 6)))
    return (wave + rng.normal(size=wave.shape) / 3)[:, None].astype("f"), t


def trained(model, loss, x, t, epochs=6, **options):
    """The same after a training with one cycle of the rate, with a new optimizer."""
    from tinynn.callbacks import OneCycle

    optimizer = Adam(model)
    cycle = OneCycle(1e-2, epochs, -(-len(x) // 32))
    model.fit(x, t, loss=loss, optimizer=optimizer, epochs=epochs, callbacks=[cycle], seed=0, progress=False)
    return model, loss, x, t, {"optimizer": Adam(model), **options}


def with_data(model, data, loss=None, lr=3e-3, optimizer=Adam, **options):
    return model, loss or SoftmaxCrossEntropy(), *data, {"optimizer": optimizer(model, lr), **options}


def conv(*middle, n=1, size=14, out=10, seed=0, **options):
    return Sequential(
        Conv2D(n, 8, 3, padding=1), *middle, ReLU(), MaxPool2D(2), Conv2D(8, 16, 3, padding=1), ReLU(), GlobalAvgPool(),
        Affine(16, out), shape=(size, size, n), seed=seed, backend="numba", **options,
    )  # fmt: skip


def stack(*layers, seed):
    return Sequential(*layers, shape=(7, 7, 1), seed=seed, backend="numba")


def row_of(count, make):
    """The layers that make gives for one channel, then for eight."""
    return [layer for number in range(count) for layer in make(8 if number else 1)]


def before_norm(n=8):
    """A block whose activations stand before its convolutions (He et al. 2016b)."""
    layers = [layer for _ in range(2) for layer in (BatchNorm(n), ReLU(), Conv2D(n, n, 3, padding=1, bias=False))]
    return Residual(*layers)


def bottleneck(n=8):
    """A block that works on half of the channels."""
    h = n // 2
    return Residual(
        Conv2D(n, h, 1, bias=False), BatchNorm(h), ReLU(), Conv2D(h, h, 3, padding=1, bias=False), BatchNorm(h), ReLU(),
        Conv2D(h, n, 1, bias=False), BatchNorm(n),
    )  # fmt: skip


smooth = functools.partial(SoftmaxCrossEntropy, label_smoothing=0.1)
half = tuple(a[:300] for a in digits(size=7))
rest = {"validation_data": tuple(a[300:] for a in digits(size=7))}
HEALTHY = {
    "resnet": lambda s: of(resnet(s)),
    "resnet, smoothed labels, all options": lambda s: with_data(resnet(s), half, smooth(), batch_size=32, **rest),
    "resnet, wide": lambda s: of(resnet(s, widths=(16, 32, 64)), loss=smooth()),
    "resnet, SGD with momentum": lambda s: of(resnet(s), optimizer=functools.partial(SGD, momentum=0.9), lr=0.05),
    "resnet, RMSProp": lambda s: of(resnet(s), optimizer=RMSProp, lr=1e-3),
    "resnet, last g of branches 0": lambda s: of(zeros_at(resnet(s), "4.5 g", "6.5 g", "8.5 g")),
    "resnet, last convolutions 0": lambda s: of(zeros_at(resnet(s), "4.4 W", "6.4 W", "8.4 W", "11 W")),
    "resnet, a learned factor of 1e-5": lambda s: of(changed(resnet(s, end=[Factors(8)]), "6.6", "a", lambda g: 1e-5 * g)),
    "resnet, dropout in a block": lambda s: of(resnet(s, middle=[ReLU(), Dropout(0.3)])),
    "resnet, standardized": lambda s: of(resnet(s), x=lambda x: standardized(bytes_of(x) / 255)),
    "resnet, trained with one cycle": lambda s: trained(*of(resnet(s), loss=smooth())[:4]),
    "resnet, few rows": lambda s: with_data(resnet(s), (half[0][:40], half[1][:40]), batch_size=10),
    "resnet, 64 bits": lambda s: of(resnet(s, dtype="float64"), x=lambda x: x.astype("f8")),
    "lenet": lambda s: of(lenet(s)),
    "lenet, tanh, mean pooling": lambda s: of(lenet(s, Tanh, AvgPool2D)),
    "lenet, dropout 0.5": lambda s: of(lenet(s, middle=[Dropout(0.5)]), batch_size=16),
    "lenet, trained with one cycle": lambda s: trained(*of(lenet(s))[:4], batch_size=32),
    "lenet, validated": lambda s: with_data(lenet(s), digits(), validation_split=0.3),
    "lenet, one-hot": lambda s: of(lenet(s), t=lambda t: np.eye(10, dtype="f")[t], loss=smooth()),
    "lenet, yes or no": lambda s: of(lenet(s), t=lambda t: np.eye(10, dtype="f")[t], loss=BinaryCrossEntropy()),
    "convolutions, BatchNorm of long memory": lambda s: of(conv(BatchNorm(8, momentum=0.99), seed=s)),
    "convolutions, dropout 0.8": lambda s: of(conv(Dropout(0.8), seed=s), lr=1e-2),
    "a motif somewhere, few images": lambda s: with_data(conv(n=1, size=12, out=2, seed=s), motif(160, s), lr=1e-2),
    "a motif somewhere": lambda s: with_data(conv(n=1, size=12, out=2, seed=s), motif(600, s), lr=1e-2),
    "colours": lambda s: with_data(conv(n=3, size=16, out=4, seed=s), colours(300, s), transform=lambda x: x / np.float32(255)),
    "colours, standardized": lambda s: with_data(conv(n=3, size=16, out=4, seed=s), colours(300, s), transform=lambda x: standardized(x / np.float32(255), 0.45, 0.225)),
    "lines of six channels": lambda s: with_data(Sequential(Conv2D(6, 16, (1, 5), padding="same"), ReLU(), GlobalAvgPool(), Affine(16, 3), seed=s), spectra(150, s), lr=1e-2),
    "a line on the whole spectrum": lambda s: with_data(Sequential(Conv2D(6, 16, (1, 3)), Conv2D(16, 16, (1, 3)), ReLU(), Flatten(), Affine(320, 3), seed=s), spectra(150, s)),
    "without an activation before a block": lambda s: of(Sequential(Conv2D(1, 8, 3), Residual(Conv2D(8, 8, 3, padding=1), ReLU(), Conv2D(8, 8, 3, padding=1)), ReLU(), GlobalAvgPool(), Affine(8, 10), seed=s, shape=(14, 14, 1)), lr=1e-2),
    "table, BatchNorm, dropout 0.5": lambda s: of_table(Sequential(Affine(2, 32), BatchNorm(32), ReLU(), Dropout(0.5), Affine(32, 2), seed=s), batch_size=32),
    "table, dropout 0.5 twice, few rows": lambda s: of_table(Sequential(Affine(2, 64), ReLU(), Dropout(0.5), Affine(64, 64), ReLU(), Dropout(0.5), Affine(64, 2), seed=s), rows=60),
    "table, a block with a shortcut": lambda s: of_table(Sequential(Affine(2, 8), ReLU(), Residual(Affine(8, 16), ReLU(), Affine(16, 16), shortcut=Affine(8, 16)), ReLU(), Affine(16, 2), seed=s)),
    "table, a block of one's own": lambda s: of_table(Sequential(Affine(2, 16), OwnBlock(1, Affine(16, 16), ReLU(), Affine(16, 16)), ReLU(), Affine(16, 2), seed=s)),
    "table, BatchNorm, trained": lambda s: trained(*of_table(with_norm(s), rows=301)[:4], batch_size=33),
    "table, few rows": lambda s: of_table(with_norm(s), rows=20, batch_size=10),
    "crosswise": lambda s: with_data(mlp(2, 32, 2, seed=s), crosswise(400, s), lr=1e-2),
    "sine, MAE": lambda s: with_data(mlp(1, 32, 1, activation=Tanh, seed=s), sine(), MAE(), lr=1e-2),
    "sine, Huber": lambda s: with_data(mlp(1, 32, 1, seed=s), sine(), Huber(0.5), lr=1e-2),
    "sine, BatchNorm": lambda s: with_data(Sequential(Affine(1, 32), BatchNorm(32), Tanh(), Affine(32, 1), seed=s), sine(), MSE(), lr=1e-2, batch_size=16),
    "moons, yes or no": lambda s: with_data(mlp(2, 16, 1, seed=s), (moons()[0], moons()[1][:, None].astype("f")), BinaryCrossEntropy(), lr=1e-2),
    "sequences": lambda s: of_sequences(s),
    "sequences, attention in a block": lambda s: of_sequences(s, model=Sequential(Affine(3, 16), Residual(Attention()), ReLU(), Affine(16, 3), shape=(7, 3), seed=s)),
    "sequences, the mean": lambda s: with_data(Sequential(Affine(3, 16), ReLU(), GlobalAvgPool(), Affine(16, 3), shape=(7, 3), seed=s), (sequences(s)[0], sequences(s)[0].mean(axis=1).argmax(axis=1)), lr=1e-2),
    "sequences of numbers": lambda s: with_data(mlp(3, 16, 2, seed=s), (sequences(s)[0], np.tanh(sequences(s)[0][..., :2])), MSE(), lr=1e-2),
    "blocks that begin with BatchNorm": lambda s: of(stack(Conv2D(1, 8, 3, padding=1), before_norm(), before_norm(), before_norm(), BatchNorm(8), ReLU(), GlobalAvgPool(), Affine(8, 10), seed=s)),
    "twelve blocks": lambda s: of(stack(Conv2D(1, 4, 3, padding=1), *[layer for _ in range(12) for layer in (block(4, 4), ReLU())], GlobalAvgPool(), Affine(4, 10), seed=s)),
    "bottlenecks": lambda s: of(stack(Conv2D(1, 8, 3, padding=1), ReLU(), bottleneck(), ReLU(), bottleneck(), ReLU(), GlobalAvgPool(), Affine(8, 10), seed=s)),
    "a linear bottleneck": lambda s: of(stack(Conv2D(1, 8, 3), ReLU(), Conv2D(8, 4, 1, bias=False), BatchNorm(4), Conv2D(4, 24, 1), ReLU(), GlobalAvgPool(), Affine(24, 10), seed=s)),
    "eight convolutions": lambda s: of(stack(*row_of(8, lambda n: (Conv2D(n, 8, 3, padding=1), ReLU())), Flatten(), Affine(392, 10), seed=s)),
    "twelve convolutions, BatchNorm": lambda s: of(stack(*row_of(12, lambda n: (Conv2D(n, 8, 3, padding=1, bias=False), BatchNorm(8), ReLU())), GlobalAvgPool(), Affine(8, 10), seed=s)),
    "five convolutions, tanh": lambda s: of(stack(*row_of(5, lambda n: (Conv2D(n, 8, 3, padding=1, weight_init="xavier_normal"), Tanh())), Flatten(), Affine(392, 10), seed=s)),
    **{f"lenet, {cls.__name__}": functools.partial(lambda cls, s: of(lenet(s, cls)), cls) for cls in (LeakyReLU, ELU, GELU, SiLU, Softplus, Sigmoid)},
    "pixels that are small before BatchNorm": lambda s: of(stack(Conv2D(1, 8, 3), BatchNorm(8), ReLU(), GlobalAvgPool(), Affine(8, 10), seed=s), x=lambda x: x / 15, lr=1e-2),
    "five images": lambda s: with_data(lenet(s), tuple(a[:5] for a in digits())),
    "three images, BatchNorm": lambda s: with_data(resnet(s), tuple(a[:3] for a in half)),
    "70 images, BatchNorm": lambda s: with_data(resnet(s), tuple(a[:70] for a in half), smooth()),
    "rows of pixels, dropout": lambda s: of(Sequential(Flatten(), Dropout(0.2), Affine(196, 32), ReLU(), Dropout(0.5), Affine(32, 10), seed=s)),
    "rows of pixels, dropout three times": lambda s: of(Sequential(Flatten(), *row_of(3, lambda n: (Affine(196 if n == 1 else 64, 64), ReLU(), Dropout(0.5))), Affine(64, 10), seed=s)),
    "rows of pixels, BatchNorm, dropout": lambda s: of(Sequential(Flatten(), Affine(196, 64), BatchNorm(64), ReLU(), Dropout(0.5), Affine(64, 10), seed=s), loss=smooth()),
    "four of ten labels wrong": lambda s: of(lenet(s), t=lambda t: np.where(np.random.default_rng(s).random(len(t)) < 0.4, np.random.default_rng(s + 1).integers(0, 10, len(t)), t)),
    "a number for each image": lambda s: with_data(stack(Conv2D(1, 8, 3), ReLU(), GlobalAvgPool(), Affine(8, 1), seed=s), (half[0], (half[1][:, None] / 4.5 - 1).astype("f")), MSE()),
    "an autoencoder": lambda s: with_data(Sequential(Affine(49, 8), ReLU(), Affine(8, 49), seed=s), 2 * (half[0].reshape(-1, 49),), MSE()),
    "a label for each pixel": lambda s: with_data(stack(Conv2D(1, 8, 3, padding=1), BatchNorm(8), ReLU(), Conv2D(8, 2, 1), seed=s), (half[0], (half[0][..., 0] > 0.3).astype(int))),
    "yes or no for each pixel": lambda s: with_data(stack(Conv2D(1, 8, 3, padding=1), ReLU(), Conv2D(8, 1, 1), seed=s), (half[0], (half[0] > 0.3).astype("f")), BinaryCrossEntropy()),
    "sine, a variance to learn": lambda s: with_data(mlp(1, 32, 2, activation=Tanh, seed=s), sine(), GaussianNLL(), lr=1e-2),
}  # fmt: skip
