"""Slips in the backward pass of norms, and one that a published notebook has in its forward."""

# mypy: allow-untyped-defs, allow-incomplete-defs

from __future__ import annotations

import numpy as np

from ...layers.layer import Layer
from .slip import slip


class Norm(Layer):
    """y = g xh + b over the axes of a subclass: the right forward, and the right backward."""

    parameters: tuple[str, ...] = ("g", "b")
    axes: tuple[int, ...] = (1,)
    eps = 1e-2

    def __init__(self, n, seed=0):
        rng = np.random.default_rng(seed)
        self.g, self.b = rng.normal(1, 0.5, n), rng.normal(size=n)

    def mean(self, a):
        return a.mean(axis=self.axes, keepdims=True)

    def forward(self, x):
        self.c = x - self.mean(x)
        self.s = np.sqrt(self.mean(self.c**2) + self.eps)
        self.xh = self.c / self.s
        return self.g * self.xh + self.b

    def of_parameters(self, dy):
        rows = tuple(range(dy.ndim - 1))
        self.dg, self.db = (dy * self.xh).sum(axis=rows), dy.sum(axis=rows)

    def backward(self, dy):
        self.of_parameters(dy)
        q = dy * self.g
        return (q - self.mean(q) - self.xh * self.mean(q * self.xh)) / self.s


# --- batch -----------------------------------------------------------------------------------------------------------


@slip("statistics-constant", "layer", 1, "Mean and deviation are numbers like any other, or are they?")
class BatchNorm3(Norm):
    axes = (0,)

    def backward(self, dy):
        self.of_parameters(dy)
        return dy * self.g / self.s


@slip("mean-path-missing", "layer", 2, "The gradients of all rows together should be 0. They are not.")
class BatchNorm4(Norm):
    axes = (0,)

    def backward(self, dy):
        self.of_parameters(dy)
        return self.g / self.s * (dy - self.xh * self.mean(dy * self.xh))


@slip("variance-path-missing", "layer", 2, "Centring has come back. Scaling has not.")
class BatchNorm5(Norm):
    axes = (0,)

    def backward(self, dy):
        self.of_parameters(dy)
        return self.g / self.s * (dy - self.mean(dy))


@slip("scale-missing", "layer", 1, "Right on the first step of training, and a little less on every other.")
class BatchNorm6(Norm):
    axes = (0,)

    def backward(self, dy):
        self.of_parameters(dy)
        return (dy - self.mean(dy) - self.xh * self.mean(dy * self.xh)) / self.s


@slip("sums-for-means", "layer", 2, "The larger the batch, the larger the steps below this layer.")
class BatchNorm7(Norm):
    axes = (0,)

    def backward(self, dy):
        self.of_parameters(dy)
        q = dy * self.g
        return (len(q) * q - q.sum(axis=0) - self.xh * (q * self.xh).sum(axis=0)) / self.s


@slip("path-factor", "layer", 3, "A derivative of a square, with a two that went its own way.")
class BatchNorm8(Norm):
    axes = (0,)

    def backward(self, dy):
        self.of_parameters(dy)
        q = dy * self.g
        dvar = -0.5 * (q * self.c).sum(axis=0) / self.s**3
        return q / self.s - self.mean(q) / self.s + dvar * self.c / len(q)


@slip("path-sign", "layer", 2, "Three terms. Two of them are subtracted, on paper.")
class BatchNorm9(Norm):
    axes = (0,)

    def backward(self, dy):
        self.of_parameters(dy)
        return self.g / self.s * (dy - self.mean(dy) + self.xh * self.mean(dy * self.xh))


@slip("divisor-of-path", "layer", 3, "An unbiased thought, on the way back alone.")
class BatchNorm10(Norm):
    axes = (0,)

    def backward(self, dy):
        self.of_parameters(dy)
        q = dy * self.g
        return (q - self.mean(q) - self.xh * (q * self.xh).sum(axis=0) / (len(q) - 1)) / self.s


@slip("eps-not-in-backward", "layer", 3, "Exact where the data are loud. Quiet units tell another story.")
class BatchNorm11(Norm):
    axes = (0,)

    def backward(self, dy):
        self.of_parameters(dy)
        q = dy * self.g
        return (q - self.mean(q) - self.xh * self.mean(q * self.xh)) / np.sqrt(self.mean(self.c**2))


@slip("var-in-backward", "layer", 2, "Forward divides by s. Backward should divide by the same s.")
class BatchNorm12(Norm):
    axes = (0,)

    def backward(self, dy):
        self.of_parameters(dy)
        q = dy * self.g
        return (q - self.mean(q) - self.xh * self.mean(q * self.xh)) / self.s**2


@slip("s-not-in-backward", "layer", 1, "It is right for data of deviation 1, which is what comes out.")
class BatchNorm20(Norm):
    axes = (0,)

    def backward(self, dy):
        self.of_parameters(dy)
        q = dy * self.g
        return q - self.mean(q) - self.xh * self.mean(q * self.xh)


@slip("x-for-xhat", "layer", 2, "It is right for data that have been centred, as the data set has been.")
class BatchNorm13(Norm):
    axes = (0,)

    def backward(self, dy):
        self.of_parameters(dy)
        q = dy * self.g
        return (q - self.mean(q) - self.x * self.mean(q * self.x) / self.s**2) / self.s


@slip("dg-from-x", "layer", 1, "The scale multiplies something. What was it?")
class BatchNorm14(Norm):
    axes = (0,)

    def of_parameters(self, dy):
        self.dg, self.db = (dy * self.x).sum(axis=0), dy.sum(axis=0)


@slip("dg-from-y", "layer", 2, "What leaves the layer is used in place of what was scaled.")
class BatchNorm15(Norm):
    axes = (0,)

    def of_parameters(self, dy):
        self.dg, self.db = (dy * self.y).sum(axis=0), dy.sum(axis=0)


@slip("dg-from-dy", "layer", 1, "Two parameters, two lines, one of them copied.")
class BatchNorm16(Norm):
    axes = (0,)

    def of_parameters(self, dy):
        self.dg, self.db = dy.sum(axis=0), dy.sum(axis=0)


@slip("db-from-xhat", "layer", 1, "Two parameters, two lines, and each stands for the other.")
class BatchNorm17(Norm):
    axes = (0,)

    def of_parameters(self, dy):
        self.dg, self.db = (dy * self.xh).sum(axis=0), (dy * self.xh).sum(axis=0)


@slip(
    "paths-wrong-axes",
    "layer",
    2,
    "Images are normalised as a whole; what comes back is, picture by picture.",
    takes="images",
)
class BatchNorm18(Norm):
    axes = (0, 1, 2)

    def backward(self, dy):
        self.of_parameters(dy)
        q = dy * self.g
        return (q - q.mean(axis=0) - self.xh * (q * self.xh).mean(axis=0)) / self.s


@slip(
    "paths-wrong-axes",
    "layer",
    3,
    "The sums run over all pixels, their divisor over something else.",
    takes="images",
)
class BatchNorm19(Norm):
    axes = (0, 1, 2)

    def backward(self, dy):
        self.of_parameters(dy)
        q, n = dy * self.g, len(dy)
        return (q - q.sum(axis=self.axes) / n - self.xh * (q * self.xh).sum(axis=self.axes) / n) / self.s


# --- layer -----------------------------------------------------------------------------------------------------------


@slip("scale-outside", "layer", 3, "Copied from a batch norm, and the axis was changed everywhere.")
class LayerNorm5(Norm):
    def backward(self, dy):
        self.of_parameters(dy)
        return self.g / self.s * (dy - self.mean(dy) - self.xh * self.mean(dy * self.xh))


@slip("scale-missing", "layer", 2, "It took days to find in a library that was read by thousands.", takes="tokens")
class LayerNorm6(Norm):
    axes = (2,)

    def backward(self, dy):
        self.of_parameters(dy)
        return (dy - self.mean(dy) - self.xh * self.mean(dy * self.xh)) / self.s


@slip("paths-wrong-axes", "layer", 2, "Borrowed from a batch norm, and one axis was forgotten.")
class LayerNorm7(Norm):
    def backward(self, dy):
        self.of_parameters(dy)
        q = dy * self.g
        return (q - q.mean(axis=0) - self.xh * (q * self.xh).mean(axis=0)) / self.s


@slip(
    "mean-path-missing",
    "layer",
    2,
    "A row of gradients that should sum to nothing sums to something.",
    takes="tokens",
)
class LayerNorm8(Norm):
    axes = (2,)

    def backward(self, dy):
        self.of_parameters(dy)
        q = dy * self.g
        return (q - self.xh * self.mean(q * self.xh)) / self.s


@slip("scale-wrong-axis", "layer", 2, "What is averaged on the way up is summed on the way down, where it should not.")
class LayerNorm9(Norm):
    def of_parameters(self, dy):
        self.dg, self.db = (dy * self.xh).sum(axis=1), dy.sum(axis=0)


@slip("fork-overwritten", "layer", 2, "What goes past the norm does not come back.")
class NormBlock1(Norm):
    def forward(self, x):
        return x + super().forward(x)

    def backward(self, dy):
        return super().backward(dy)


# --- RMS -------------------------------------------------------------------------------------------------------------


class RMS(Norm):
    """y = g x / r: the right forward, and the right backward."""

    parameters = ("g",)

    def __init__(self, n, seed=0):
        self.g = np.random.default_rng(seed).normal(1, 0.5, n)

    def forward(self, x):
        self.r = np.sqrt(self.mean(x**2) + self.eps)
        return self.g * x / self.r

    def of_parameters(self, dy):
        self.dg = (dy * self.x / self.r).sum(axis=tuple(range(dy.ndim - 1)))


@slip("variance-path-missing", "layer", 1, "A row is divided by its own length, which is taken for granted.")
class RMSNorm3(RMS):
    def backward(self, dy):
        self.of_parameters(dy)
        return dy * self.g / self.r


@slip("mean-path-added", "layer", 2, "Copied from a layer norm, whose forward was made simpler.", takes="tokens")
class RMSNorm4(RMS):
    axes = (2,)

    def backward(self, dy):
        self.of_parameters(dy)
        q = dy * self.g
        return (q - self.mean(q) - self.x * self.mean(q * self.x) / self.r**2) / self.r


@slip("scale-twice", "layer", 3, "It was in a large training program for a while. Nothing fell over.")
class RMSNorm5(RMS):
    def backward(self, dy):
        self.of_parameters(dy)
        q = dy * self.g
        return (q - self.g * self.x * self.mean(q * self.x) / self.r**2) / self.r


@slip("scale-outside", "layer", 3, "A factor may be taken out of a mean if it is the same for all.")
class RMSNorm6(RMS):
    def backward(self, dy):
        self.of_parameters(dy)
        return self.g * (dy - self.x * self.mean(dy * self.x) / self.r**2) / self.r


# --- group -----------------------------------------------------------------------------------------------------------


@slip(
    "norm-wrong-axes",
    "layer",
    3,
    "A published notebook: mean 0 and deviation 1 in each group, as asked.",
    takes="images",
)
class GroupNorm1(Layer):
    def __init__(self, groups=2):
        self.groups = groups

    def forward(self, x):
        z = x.reshape(*x.shape[:3], self.groups, -1)
        c = z - z.mean(axis=4, keepdims=True)
        self.s = np.sqrt((c**2).mean(axis=4, keepdims=True) + 1e-5)
        self.z = c / self.s
        return self.z.reshape(x.shape)

    def backward(self, dy):
        d = dy.reshape(self.z.shape)
        mean, along = d.mean(axis=4, keepdims=True), (d * self.z).mean(axis=4, keepdims=True)
        return ((d - mean - self.z * along) / self.s).reshape(dy.shape)


@slip("norm-wrong-axes", "layer", 2, "Groups there are, and yet each channel is alone.", takes="images")
class GroupNorm2(Norm):
    axes, groups = (1, 2), 2
