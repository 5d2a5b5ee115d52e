"""Slips in layers for images (N, H, V, C): convolution and pooling, whose windows overlap, and flatten.

The right parts, forward and the way through the windows, stand in Filters and Pooling; each slip is a backward.
"""

# mypy: allow-untyped-defs, allow-incomplete-defs

from __future__ import annotations

import numpy as np

from ...layers.layer import Layer
from .slip import slip


class Windows(Layer):
    """A window of 3 x 3 pixels, 2 apart, over images with one pixel of padding."""

    size, stride, edge = 3, 2, 1
    value = 0.0  # of the padding

    def padded(self, a):
        e = self.edge
        return np.pad(a, ((0, 0), (e, e), (e, e), (0, 0)), constant_values=self.value)

    def cut(self, wide):
        H, V = self.x.shape[1:3]
        return wide[:, self.edge :, self.edge :][:, :H, :V]

    def corners(self, x):
        """(p, q, the slices of its window) for each pixel of y."""
        k, s = self.size, self.stride
        P, Q = ((n + 2 * self.edge - k) // s + 1 for n in x.shape[1:3])
        for p, q in np.ndindex(P, Q):
            yield p, q, (slice(None), slice(s * p, s * p + k), slice(s * q, s * q + k))

    def slide(self, x, row):
        """y from one row (N, C) for each window."""
        P, Q = ((n + 2 * self.edge - self.size) // self.stride + 1 for n in x.shape[1:3])
        wide = self.padded(x)
        return np.array([row(wide[w]) for _, _, w in self.corners(x)]).swapaxes(0, 1).reshape(len(x), P, Q, -1)

    def start(self):
        """The padded x, and zeros to add dx to."""
        return self.padded(self.x), np.zeros(self.padded(self.x).shape)


class Filters(Windows):
    """A convolution."""

    parameters = ("W", "b")

    def __init__(self, n_in, n_out, seed=0):
        k = self.size
        rng = np.random.default_rng(seed)
        self.W, self.b = rng.normal(size=(k, k, n_in, n_out)) / k, rng.normal(size=n_out)

    def forward(self, x):
        return self.slide(x, lambda window: np.tensordot(window, self.W, 3) + self.b)


@slip("kernel-turned", "image", 2, "dx looks like a picture of what it should be, in a mirror at every edge.")
class Conv1(Filters):
    def backward(self, dy):
        wide, dwide = self.start()
        self.dW, self.db = np.zeros(self.W.shape), dy.sum(axis=(0, 1, 2))
        for p, q, w in self.corners(self.x):
            self.dW += np.einsum("nijc,no->ijco", wide[w], dy[:, p, q])
            dwide[w] += np.einsum("no,ijco->nijc", dy[:, p, q], self.W[::-1, ::-1])
        return self.cut(dwide)


@slip("kernel-turned", "image", 2, "The filters learn to look the other way.")
class Conv2(Filters):
    def backward(self, dy):
        wide, dwide = self.start()
        self.dW, self.db = np.zeros(self.W.shape), dy.sum(axis=(0, 1, 2))
        for p, q, w in self.corners(self.x):
            self.dW[::-1, ::-1] += np.einsum("nijc,no->ijco", wide[w], dy[:, p, q])
            dwide[w] += np.einsum("no,ijco->nijc", dy[:, p, q], self.W)
        return self.cut(dwide)


@slip("kernel-axes-swapped", "image", 2, "A filter for upright lines learns from lying ones.")
class Conv3(Filters):
    def backward(self, dy):
        wide, dwide = self.start()
        self.dW, self.db = np.zeros(self.W.shape), dy.sum(axis=(0, 1, 2))
        for p, q, w in self.corners(self.x):
            self.dW += np.einsum("nijc,no->jico", wide[w], dy[:, p, q])
            dwide[w] += np.einsum("no,ijco->nijc", dy[:, p, q], self.W)
        return self.cut(dwide)


@slip("stride-ignored", "image", 2, "With the stride of the first exercise, 1, it was right.")
class Conv4(Filters):
    def backward(self, dy):
        wide, dwide = self.start()
        self.dW, self.db = np.zeros(self.W.shape), dy.sum(axis=(0, 1, 2))
        for p, q, w in self.corners(self.x):
            self.dW += np.einsum("nijc,no->ijco", wide[w], dy[:, p, q])
            dwide[:, p : p + 3, q : q + 3] += np.einsum("no,ijco->nijc", dy[:, p, q], self.W)
        return self.cut(dwide)


@slip("stride-ignored", "image", 2, "dx is right; what the filters see while they learn is another part of the image.")
class Conv5(Filters):
    def backward(self, dy):
        wide, dwide = self.start()
        self.dW, self.db = np.zeros(self.W.shape), dy.sum(axis=(0, 1, 2))
        for p, q, w in self.corners(self.x):
            self.dW += np.einsum("nijc,no->ijco", wide[:, p : p + 3, q : q + 3], dy[:, p, q])
            dwide[w] += np.einsum("no,ijco->nijc", dy[:, p, q], self.W)
        return self.cut(dwide)


@slip("window-overwritten", "image", 1, "In the middle of each window dx is right. Where two meet, it is not.")
class Conv6(Filters):
    def backward(self, dy):
        wide, dwide = self.start()
        self.dW, self.db = np.zeros(self.W.shape), dy.sum(axis=(0, 1, 2))
        for p, q, w in self.corners(self.x):
            self.dW += np.einsum("nijc,no->ijco", wide[w], dy[:, p, q])
            dwide[w] = np.einsum("no,ijco->nijc", dy[:, p, q], self.W)
        return self.cut(dwide)


@slip("one-filter", "image", 2, "The layers below work for one filter, whatever the others need.")
class Conv7(Filters):
    def backward(self, dy):
        wide, dwide = self.start()
        self.dW, self.db = np.zeros(self.W.shape), dy.sum(axis=(0, 1, 2))
        for p, q, w in self.corners(self.x):
            self.dW += np.einsum("nijc,no->ijco", wide[w], dy[:, p, q])
            for o in range(dy.shape[3]):
                part = np.einsum("n,ijc->nijc", dy[:, p, q, o], self.W[..., o])
            dwide[w] += part
        return self.cut(dwide)


@slip("padding-cut-wrong", "image", 2, "The shape of dx is right, and its whole picture lies one pixel off.")
class Conv8(Filters):
    def backward(self, dy):
        wide, dwide = self.start()
        self.dW, self.db = np.zeros(self.W.shape), dy.sum(axis=(0, 1, 2))
        for p, q, w in self.corners(self.x):
            self.dW += np.einsum("nijc,no->ijco", wide[w], dy[:, p, q])
            dwide[w] += np.einsum("no,ijco->nijc", dy[:, p, q], self.W)
        H, V = self.x.shape[1:3]
        return dwide[:, :H, :V]


@slip("padding-not-cut", "image", 1, "Backward stops: dx is larger than x, on all sides.")
class Conv9(Filters):
    def backward(self, dy):
        wide, dwide = self.start()
        self.dW, self.db = np.zeros(self.W.shape), dy.sum(axis=(0, 1, 2))
        for p, q, w in self.corners(self.x):
            self.dW += np.einsum("nijc,no->ijco", wide[w], dy[:, p, q])
            dwide[w] += np.einsum("no,ijco->nijc", dy[:, p, q], self.W)
        return dwide


@slip("padding-ignored", "image", 3, "The filters learn from windows that forward never looked at.")
class Conv10(Filters):
    def backward(self, dy):
        _, dwide = self.start()
        self.dW, self.db = np.zeros(self.W.shape), dy.sum(axis=(0, 1, 2))
        seen = np.pad(self.x, ((0, 0), (0, 2), (0, 2), (0, 0)))
        for p, q, w in self.corners(self.x):
            self.dW += np.einsum("nijc,no->ijco", seen[w], dy[:, p, q])
            dwide[w] += np.einsum("no,ijco->nijc", dy[:, p, q], self.W)
        return self.cut(dwide)


@slip("one-window", "image", 1, "All filters learn from the lower right corner of the images alone.")
class Conv11(Filters):
    def backward(self, dy):
        wide, dwide = self.start()
        self.db = dy.sum(axis=(0, 1, 2))
        for p, q, w in self.corners(self.x):
            self.dW = np.einsum("nijc,no->ijco", wide[w], dy[:, p, q])
            dwide[w] += np.einsum("no,ijco->nijc", dy[:, p, q], self.W)
        return self.cut(dwide)


@slip("one-window", "image", 2, "The filters learn well; what is added to them hears of one corner only.")
class Conv12(Filters):
    def backward(self, dy):
        wide, dwide = self.start()
        self.dW = np.zeros(self.W.shape)
        for p, q, w in self.corners(self.x):
            self.dW += np.einsum("nijc,no->ijco", wide[w], dy[:, p, q])
            self.db = dy[:, p, q].sum(axis=0)
            dwide[w] += np.einsum("no,ijco->nijc", dy[:, p, q], self.W)
        return self.cut(dwide)


@slip("one-sample", "image", 2, "Image by image, as in the lecture. The filters know the last one by heart.")
class Conv13(Filters):
    def backward(self, dy):
        wide, dwide = self.start()
        self.db = dy.sum(axis=(0, 1, 2))
        for n in range(len(dy)):
            self.dW = np.zeros(self.W.shape)
            for p, q, w in self.corners(self.x):
                self.dW += np.einsum("ijc,o->ijco", wide[w][n], dy[n, p, q])
                dwide[w][n] += np.einsum("o,ijco->ijc", dy[n, p, q], self.W)
        return self.cut(dwide)


@slip("overlaps-averaged", "image", 3, "Where windows meet, everyone is heard, and all speak half as loud.")
class Conv14(Filters):
    def backward(self, dy):
        wide, dwide = self.start()
        self.dW, self.db = np.zeros(self.W.shape), dy.sum(axis=(0, 1, 2))
        count = np.zeros(dwide.shape)
        for p, q, w in self.corners(self.x):
            self.dW += np.einsum("nijc,no->ijco", wide[w], dy[:, p, q])
            dwide[w] += np.einsum("no,ijco->nijc", dy[:, p, q], self.W)
            count[w] += 1
        return self.cut(dwide / count.clip(1))


@slip("bias-mean", "image", 1, "The larger the images, the less the biases learn.")
class Conv15(Filters):
    def backward(self, dy):
        wide, dwide = self.start()
        self.dW, self.db = np.zeros(self.W.shape), dy.mean(axis=(0, 1, 2))
        for p, q, w in self.corners(self.x):
            self.dW += np.einsum("nijc,no->ijco", wide[w], dy[:, p, q])
            dwide[w] += np.einsum("no,ijco->nijc", dy[:, p, q], self.W)
        return self.cut(dwide)


@slip("dW-reshaped", "image", 3, "The numbers of dW are all there, and hardly one in its place.")
class Conv16(Filters):
    def backward(self, dy):
        wide, dwide = self.start()
        dW, self.db = np.zeros(self.W.T.shape), dy.sum(axis=(0, 1, 2))
        for p, q, w in self.corners(self.x):
            dW += np.einsum("nijc,no->ocji", wide[w], dy[:, p, q])
            dwide[w] += np.einsum("no,ijco->nijc", dy[:, p, q], self.W)
        self.dW = dW.reshape(self.W.shape)
        return self.cut(dwide)


@slip("channels-swapped", "image", 2, "As many channels come out as went in. The way back has not noticed.")
class Conv17(Filters):
    def __init__(self, n_in, seed=0):
        super().__init__(n_in, n_in, seed)

    def backward(self, dy):
        wide, dwide = self.start()
        self.dW, self.db = np.zeros(self.W.shape), dy.sum(axis=(0, 1, 2))
        for p, q, w in self.corners(self.x):
            self.dW += np.einsum("nijc,no->ijco", wide[w], dy[:, p, q])
            dwide[w] += np.einsum("no,ijoc->nijc", dy[:, p, q], self.W)
        return self.cut(dwide)


class FiltersFirst(Filters):
    """The same for images with the channels first."""

    takes = "NCHV"

    def forward(self, x):
        self.images = x.transpose(0, 2, 3, 1)
        return super().forward(self.images).transpose(0, 3, 1, 2)

    def columns(self):
        """All windows as rows, (N P Q, 9 C)."""
        wide = self.padded(self.images)
        rows = np.array([wide[w] for _, _, w in self.corners(self.images)])
        return rows.swapaxes(0, 1).reshape(-1, self.W[..., 0].size)


@slip("dy-misread", "image", 3, "The columns of im2col are right, and so are the products. What is multiplied?")
class ConvFirst1(FiltersFirst):
    def backward(self, dy):
        rows = dy.reshape(-1, dy.shape[1])
        self.db = dy.sum(axis=(0, 2, 3))
        self.dW = (self.columns().T @ rows).reshape(self.W.shape)
        dwide = np.zeros(self.padded(self.images).shape)
        for p, q, w in self.corners(self.images):
            dwide[w] += np.einsum("no,ijco->nijc", dy[:, :, p, q], self.W)
        H, V = self.x.shape[2:]
        return dwide[:, 1 : H + 1, 1 : V + 1].transpose(0, 3, 1, 2)


@slip("kernel-turned", "image", 3, "Channels first, as in the other library; the kernel has two sides all the same.")
class ConvFirst2(FiltersFirst):
    def backward(self, dy):
        rows = dy.transpose(0, 2, 3, 1).reshape(-1, dy.shape[1])
        self.db = dy.sum(axis=(0, 2, 3))
        self.dW = (self.columns().T @ rows).reshape(self.W.shape)
        dwide = np.zeros(self.padded(self.images).shape)
        for p, q, w in self.corners(self.images):
            dwide[w] += np.einsum("no,ijco->nijc", dy[:, :, p, q], self.W[::-1, ::-1])
        H, V = self.x.shape[2:]
        return dwide[:, 1 : H + 1, 1 : V + 1].transpose(0, 3, 1, 2)


# --- pooling ---------------------------------------------------------------------------------------------------------


class MaxPooling(Windows):
    """The largest number of each window."""

    value = -np.inf

    def __init__(self):
        pass

    def forward(self, x):
        return self.slide(x, lambda window: window.max(axis=(1, 2)))

    def mask(self, window, largest):
        """Where the first of the largest stands."""
        rows = (window == largest[:, None, None]).reshape(len(window), 9, -1)
        return (rows & (rows.cumsum(axis=1) == 1)).reshape(window.shape)


@slip("ties-all", "image", 3, "On photographs it is right. On drawings, white on white, it is too large.")
class MaxPool1(MaxPooling):
    def backward(self, dy):
        wide, dwide = self.start()
        for p, q, w in self.corners(self.x):
            y = wide[w].max(axis=(1, 2), keepdims=True)
            dwide[w] += (wide[w] == y) * dy[:, p, None, q, None]
        return self.cut(dwide)


@slip("window-overwritten", "image", 2, "A pixel that wins in two windows is paid for one.")
class MaxPool2(MaxPooling):
    def backward(self, dy):
        wide, dwide = self.start()
        for p, q, w in self.corners(self.x):
            mask = self.mask(wide[w], self.y[:, p, q])
            dwide[w] = np.where(mask, dy[:, p, None, q, None], dwide[w])
        return self.cut(dwide)


@slip("window-spread", "image", 1, "Nobody knows any more who was the largest: all get the prize.")
class MaxPool3(MaxPooling):
    def backward(self, dy):
        _, dwide = self.start()
        for p, q, w in self.corners(self.x):
            dwide[w] += dy[:, p, None, q, None]
        return self.cut(dwide)


@slip("window-corner", "image", 1, "The gradient comes back to one pixel of each window, always the same.")
class MaxPool4(MaxPooling):
    def backward(self, dy):
        _, dwide = self.start()
        dwide[:, : 2 * dy.shape[1] : 2, : 2 * dy.shape[2] : 2] = dy
        return self.cut(dwide)


@slip("window-axes-swapped", "image", 3, "Row 2, column 0: or was it the other way round?")
class MaxPool5(MaxPooling):
    def backward(self, dy):
        wide, dwide = self.start()
        for p, q, w in self.corners(self.x):
            mask = self.mask(wide[w], self.y[:, p, q])
            dwide[w] += mask.swapaxes(1, 2) * dy[:, p, None, q, None]
        return self.cut(dwide)


@slip("mask-times-y", "image", 2, "The right pixel gets a gradient. The brighter it is, the more.")
class MaxPool6(MaxPooling):
    def backward(self, dy):
        wide, dwide = self.start()
        for p, q, w in self.corners(self.x):
            mask = self.mask(wide[w], self.y[:, p, q])
            dwide[w] += mask * (dy * self.y)[:, p, None, q, None]
        return self.cut(dwide)


@slip("window-minimum", "image", 2, "Forward takes the largest, backward rewards somebody else.")
class MaxPool7(MaxPooling):
    def backward(self, dy):
        wide, dwide = self.start()
        wide[wide == -np.inf] = np.inf
        for p, q, w in self.corners(self.x):
            mask = self.mask(-wide[w], -wide[w].min(axis=(1, 2)))
            dwide[w] += mask * dy[:, p, None, q, None]
        return self.cut(dwide)


@slip("window-step", "image", 2, "With windows side by side it worked. Now they overlap.")
class MaxPool8(MaxPooling):
    def backward(self, dy):
        wide, _ = self.start()
        dwide = np.zeros((len(dy), 3 * dy.shape[1], 3 * dy.shape[2], dy.shape[3]))
        for p, q, w in self.corners(self.x):
            mask = self.mask(wide[w], self.y[:, p, q])
            dwide[:, 3 * p : 3 * p + 3, 3 * q : 3 * q + 3] += mask * dy[:, p, None, q, None]
        return self.cut(dwide)


@slip("window-place-global", "image", 2, "The upper left corner gets all of it, the rest of the image nothing.")
class MaxPool9(MaxPooling):
    def backward(self, dy):
        wide, dwide = self.start()
        for p, q, w in self.corners(self.x):
            mask = self.mask(wide[w], self.y[:, p, q])
            dwide[:, :3, :3] += mask * dy[:, p, None, q, None]
        return self.cut(dwide)


@slip("max-padding-differs", "image", 3, "Around the image there is 0, which in a dark corner is bright.")
class MaxPool10(MaxPooling):
    value = 0

    def backward(self, dy):
        self.value = -np.inf
        wide, dwide = self.start()
        for p, q, w in self.corners(self.x):
            mask = self.mask(wide[w], wide[w].max(axis=(1, 2)))
            dwide[w] += mask * dy[:, p, None, q, None]
        self.value = 0
        return self.cut(dwide)


class AvgPooling(Windows):
    """The mean of each window, the padding not counted."""

    def __init__(self):
        pass

    def forward(self, x):
        self.count = self.slide(np.ones_like(x.real), lambda window: window.sum(axis=(1, 2)))
        return self.slide(x, lambda window: window.sum(axis=(1, 2))) / self.count


@slip("window-not-divided", "image", 1, "A mean in forward, a sum on the way back.")
class AvgPool1(AvgPooling):
    def backward(self, dy):
        _, dwide = self.start()
        for p, q, w in self.corners(self.x):
            dwide[w] += dy[:, p, None, q, None]
        return self.cut(dwide)


@slip("divisor-differs", "image", 3, "In the middle of the image it is right; along two of its edges it is too small.")
class AvgPool2(AvgPooling):
    def backward(self, dy):
        _, dwide = self.start()
        for p, q, w in self.corners(self.x):
            dwide[w] += dy[:, p, None, q, None] / 9
        return self.cut(dwide)


@slip("window-overwritten", "image", 1, "Each pixel hears from the last window alone that it stands in.")
class AvgPool3(AvgPooling):
    def backward(self, dy):
        _, dwide = self.start()
        for p, q, w in self.corners(self.x):
            dwide[w] = (dy / self.count)[:, p, None, q, None]
        return self.cut(dwide)


@slip("window-corner", "image", 1, "The mean of nine, and one of them gets it all.")
class AvgPool4(AvgPooling):
    def backward(self, dy):
        _, dwide = self.start()
        dwide[:, : 2 * dy.shape[1] : 2, : 2 * dy.shape[2] : 2] = dy
        return self.cut(dwide)


# --- flatten ---------------------------------------------------------------------------------------------------------


class Rows(Layer):
    """Each image as one row."""

    def __init__(self):
        pass

    def forward(self, x):
        return x.reshape(len(x), -1)


@slip("flatten-order", "image", 2, "The shape is right. Somebody who reads columns has unpacked it.")
class Flatten1(Rows):
    def backward(self, dy):
        return dy.reshape(self.x.shape, order="F")


@slip("flatten-order", "image", 2, "Packed with the channels last, unpacked with the channels first.")
class Flatten2(Rows):
    def backward(self, dy):
        N, H, V, C = self.x.shape
        return dy.reshape(N, C, H, V).transpose(0, 2, 3, 1)


@slip("flatten-not-undone", "image", 1, "Backward stops: dx is a row where an image belongs.")
class Flatten3(Rows):
    def backward(self, dy):
        return dy


# --- sequences -------------------------------------------------------------------------------------------------------


class PerPosition(Layer):
    """x W + b at each position of a sequence (N, T, D)."""

    parameters = ("W", "b")
    takes = "NTD"

    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        return x @ self.W + self.b


@slip("one-position", "image", 2, "Sentences are read to the end. Of what was read, the last word is learned.")
class Sequence1(PerPosition):
    def backward(self, dy):
        self.db = dy.sum(axis=(0, 1))
        for t in range(dy.shape[1]):
            self.dW = self.x[:, t].T @ dy[:, t]
        return dy @ self.W.T


@slip("bias-not-summed", "image", 1, "Backward stops: one sum too few for a table, and two for a sequence.")
class Sequence2(PerPosition):
    def backward(self, dy):
        self.db = dy.sum(axis=0)
        self.dW = np.einsum("ntd,ntk->dk", self.x, dy)
        return dy @ self.W.T


@slip("bias-mean", "image", 1, "The longer the sentences and the larger the batch, the less the biases learn.")
class Sequence3(PerPosition):
    def backward(self, dy):
        self.db = dy.mean(axis=(0, 1))
        self.dW = np.einsum("ntd,ntk->dk", self.x, dy)
        return dy @ self.W.T
