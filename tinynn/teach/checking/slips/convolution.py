"""Convolutions of images: dW from the windows of x and dy, dx from dy and W, window by window.

Formulas are for channels last, x (N, H, V, C), and W (KH, KW, C, O); Facts.own turns the axes. A layer is recognised by
what it computes (geometry.py): with which order of axes, stride and padding do the textbook and the layer give one y?
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ....backends.numpy import windows
from ....backends.numpy.convolution import conv2d_backward
from ....checks import Array
from .entry import Entry, Facts
from .geometry import Geometry, Padding, geometry

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients


@dataclass
class ConvolutionFacts(Facts):
    """x, dy, K, with channels last."""

    lay: Geometry = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        layer, (name, *_) = self.layer, [own for own, part in self.parts.items() if part == "dW"]
        self.x, self.dy, self.n = self.lay.image(layer.x), self.lay.image(layer.dy), layer.n
        self.K = self.lay.kernel(layer.tested.value(name))
        self.stride, self.padding, self.size = self.lay.stride, self.lay.padding, self.K.shape[:2]
        self.positions = int(np.prod(self.dy.shape[1:3]))

    def own(self, part: str, a: Array) -> Array:
        if part == "dx":
            return self.lay.own_image(a)
        return self.lay.own_kernel(a)

    def gradient(self, part: str) -> Array | None:
        return self.own(part, self.dx() if part == "dx" else self.dW())

    def dW(self, x: Array | None = None, dy: Array | None = None, padding: Padding | None = None) -> Array:
        """The right dW, or that of other x, dy or padding."""
        x, dy, padding = (self._or(given, name) for given, name in ((x, "x"), (dy, "dy"), (padding, "padding")))
        dW = np.zeros(self.K.shape)
        conv2d_backward(dy, x, self.K, dW, None, self.stride, padding, need_dx=False)
        return dW

    def dx(self, K: Array | None = None, dy: Array | None = None) -> Array:
        """The right dx, or that of another kernel or dy."""
        K, dy = self._or(K, "K"), self._or(dy, "dy")
        dx: Any = conv2d_backward(dy, self.x, K, np.zeros(K.shape), None, self.stride, self.padding)
        return np.asarray(dx)

    def _or(self, given: Any, name: str) -> Any:
        return getattr(self, name) if given is None else given

    def padded(self) -> Array:
        """dx with the padding's part."""
        wide = windows.pad(np.zeros(self.x.shape), self.padding)
        for i, j, part in windows.taps(wide, self.size, self.stride):
            part += self.dy @ self.K[i, j].T
        return wide

    def unpadded(self, wide: Array) -> Array:
        return windows.unpad(wide, self.padding)

    # --- what slips give ---

    def undilated_dx(self) -> Array:
        """dx as if the stride were 1."""
        wide, (PH, PV) = windows.pad(np.zeros(self.x.shape), self.padding), self.dy.shape[1:3]
        for i, j in np.ndindex(*self.size):
            wide[:, i : i + PH, j : j + PV] += self.dy @ self.K[i, j].T
        return self.unpadded(wide)

    def undilated_dW(self) -> Array:
        """dW as if the stride were 1."""
        wide, (PH, PV) = windows.pad(self.x, self.padding), self.dy.shape[1:3]
        dW = np.zeros(self.K.shape)
        for i, j in np.ndindex(*self.size):
            dW[i, j] = np.einsum("npqc,npqo->co", wide[:, i : i + PH, j : j + PV], self.dy)
        return dW

    def overwritten_dx(self, order: str) -> Array:
        """dx with = for +=: what the last window, place of the kernel or filter leaves."""
        wide = windows.pad(np.zeros(self.x.shape), self.padding)
        if order == "place of the kernel":
            for i, j, part in windows.taps(wide, self.size, self.stride):
                part[...] = self.dy @ self.K[i, j].T
            return self.unpadded(wide)
        K, dy = (self.K[..., -1:], self.dy[..., -1:]) if order == "filter in the last window" else (self.K, self.dy)
        (KH, KW), (SH, SW) = self.size, self.stride
        for p, q in np.ndindex(*self.dy.shape[1:3]):
            part = np.einsum("no,ijco->nijc", dy[:, p, q], K)
            wide[:, p * SH : p * SH + KH, q * SW : q * SW + KW] = part
        return self.unpadded(wide)

    def one_filter_dx(self) -> Array:
        return self.dx(self.K[..., -1:], self.dy[..., -1:])

    def last_dy(self, rows: Any) -> Array:
        """dy at the last position alone, of some rows."""
        only = np.zeros(self.dy.shape)
        only[rows, -1, -1] = self.dy[rows, -1, -1]
        return only

    def averaged_dx(self) -> Array:
        """dx with each pixel divided by the number of windows it stands in."""
        count = windows.pad(np.zeros((1, *self.x.shape[1:3], 1)), self.padding)
        for _, _, part in windows.taps(count, self.size, self.stride):
            part += 1
        return self.dx() / np.maximum(self.unpadded(count), 1)

    def without_padding(self) -> Array | None:
        """dW from windows of x itself, which begin at the corner of x, not of its padding."""
        (above, below), (left, right) = self.padding
        moved: Padding = ((0, above + below), (0, left + right))
        return self.dW(padding=moved) if above or left else None

    def misread_dy(self) -> Array | None:
        """dy (N, O, PH, PV) as reshape(-1, O) reads it, without transpose: numbers of other positions and filters."""
        return self.layer.dy.reshape(self.dy.shape) if self.lay.first else None

    def reshaped_dW(self, axes: tuple[int, ...]) -> Array | None:
        """dW's numbers in another order of axes, in W's shape: reshape where transpose belongs."""
        right = self.own("dW", self.dW())
        return self.lay.kernel(right.transpose(axes).reshape(right.shape))


def recognise(layer: LayerGradients, name: str) -> ConvolutionFacts | None:
    """Images in and out, and a kernel W with which y is a convolution of x."""
    if layer.x.ndim != 4 or layer.y.ndim != 4:
        return None
    for own in layer.tested.names:
        W = layer.tested.value(own)
        if W.ndim == 4:
            lay = geometry(layer, own)
            if lay:
                return ConvolutionFacts(layer, {own: "dW", "x": "dx"}, RIGHT, {"W": own, "s": lay.stride}, lay=lay)
    return None


def rows(c: ConvolutionFacts) -> Iterable[int]:
    """All rows, the last one first."""
    return (c.n - 1, *range(c.n - 1))


def other_orders(c: ConvolutionFacts) -> Iterable[tuple[int, ...]]:
    """All orders of W's axes but the right one."""
    return [axes for axes in itertools.permutations(range(4)) if axes != (0, 1, 2, 3)]


RIGHT = {
    "dW": "the sum over windows (p, q) of x[window].T @ dy[p, q]",
    "dx": "the sum over windows (p, q), {s} apart, of dy[p, q] @ {W}.T, each added to its window of dx",
}

SLIPS = (
    # dW
    Entry("kernel-turned", "dW", lambda c: c.dW()[::-1, ::-1], "the right one, turned by 180 degrees",
          "the kernel is turned by 180 degrees where it should not be, or not where it should"),
    Entry("kernel-axes-swapped", "dW", lambda c: c.dW().swapaxes(0, 1) if c.size[0] == c.size[1] else None,
          "the right one with rows and columns of the kernel exchanged",
          "height and width of the kernel are exchanged"),
    Entry("stride-ignored", "dW", lambda c: c.undilated_dW(), "if the stride were 1, not {s}",
          "a gradient is computed as if the stride were 1"),
    Entry("padding-ignored", "dW", lambda c: c.without_padding(), "if x had no padding: windows of x itself",
          "a gradient is computed without the padding of forward"),
    Entry("one-sample", "dW", lambda c, k: c.dW(c.x[k : k + 1], c.dy[k : k + 1]), "if image {k} were the only one",
          each=rows),
    Entry("one-window", "dW", lambda c: c.dW(dy=c.last_dy(slice(None))), "if the last window were the only one",
          "only the last window counts in a gradient: = in place of +="),
    Entry("one-window", "dW", lambda c: c.dW(dy=c.last_dy(-1)),
          "if the last window of the last image were the only one"),
    Entry("dy-misread", "dW", lambda c: None if c.misread_dy() is None else c.dW(dy=c.misread_dy()),
          "if dy.reshape(-1, O) were its rows: before it belongs transpose(0, 2, 3, 1)",
          "dy is reshaped to rows without a transpose, which mixes filters and positions"),
    Entry("dW-reshaped", "dW", lambda c, k: c.reshaped_dW(k), "the right one with its axes in the order {k}, reshaped",
          "dW is reshaped where it must be transposed", each=other_orders),
    # dx
    Entry("kernel-turned", "dx", lambda c: c.dx(c.K[::-1, ::-1]), "if the kernel needed no turning round"),
    Entry("kernel-axes-swapped", "dx", lambda c: c.dx(c.K.swapaxes(0, 1)) if c.size[0] == c.size[1] else None,
          "if rows and columns of the kernel were exchanged"),
    Entry("channels-swapped", "dx", lambda c: c.dx(c.K.swapaxes(2, 3)) if c.K.shape[2] == c.K.shape[3] else None,
          "if channels and filters of {W} were exchanged", "channels and filters of the kernel are exchanged"),
    Entry("stride-ignored", "dx", lambda c: c.undilated_dx(), "if the stride were 1, not {s}"),
    Entry("padding-cut-wrong", "dx", lambda c: c.padded()[:, : c.x.shape[1], : c.x.shape[2]],
          "dx with its padding, cut at the wrong end: [:H, :W]", "the padding of dx is cut off at the wrong end"),
    Entry("window-overwritten", "dx", lambda c, k: c.overwritten_dx(k), "what the last {k} leaves (= where += belongs)",
          "where windows overlap, the last one overwrites the others: = in place of +=",
          each=lambda c: ("window", "place of the kernel", "filter in the last window")),
    Entry("one-filter", "dx", lambda c: c.one_filter_dx() if c.K.shape[3] > 1 else None,
          "if the last filter were the only one",
          "only the last filter counts in dx: = in place of +="),
    Entry("overlaps-averaged", "dx", lambda c: c.averaged_dx(), "dx divided by the number of windows over each pixel",
          "where windows overlap, their gradients are averaged in place of added"),
    Entry("dy-misread", "dx", lambda c: None if c.misread_dy() is None else c.dx(dy=c.misread_dy()),
          "if dy.reshape(-1, O) were its rows: before it belongs transpose(0, 2, 3, 1)"),
)  # fmt: skip

SHAPES = (
    Entry("padding-not-cut", "dx", lambda c: c.padded(), "dx with the padding still around it",
          "dx still has the padding of forward around it", right="dx without its padding: dx[:, p : p + H, q : q + V]"),
    Entry("padding-cut-wrong", "dx", lambda c: c.padded()[:, :0, :0], "dx[:, p:-p, p:-p] with p = 0, which is empty",
          right="dx[:, p : p + H, q : q + V]"),
)  # fmt: skip
