"""How a convolution lies over its images: order of axes, stride, padding, found by comparing y with the textbook's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....backends.numpy import windows
from ....backends.numpy.convolution import conv2d
from ....checks import Array

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients

Padding = tuple[windows.Pair, windows.Pair]
KERNELS = ((0, 1, 2, 3), (2, 3, 1, 0), (1, 2, 3, 0), (0, 1, 3, 2), (2, 3, 0, 1))  # W's axes that are KH, KW, C, O


@dataclass(frozen=True)
class Geometry:
    """How a layer stores images and W, and how its windows lie."""

    first: bool  # channels first, (N, C, H, V)
    axes: tuple[int, ...]  # W's axes that are KH, KW, C, O
    turned: bool  # forward turns the kernel round: a convolution as mathematics has it
    stride: windows.Pair
    padding: Padding

    def image(self, a: Array) -> Array:
        """x or y with channels last."""
        return a.transpose(0, 2, 3, 1) if self.first else a

    def own_image(self, a: Array) -> Array:
        return a.transpose(0, 3, 1, 2) if self.first else a

    def kernel(self, W: Array) -> Array:
        """W as (KH, KW, C, O), not turned."""
        K = W.transpose(self.axes)
        return K[::-1, ::-1] if self.turned else K

    def own_kernel(self, K: Array) -> Array:
        return (K[::-1, ::-1] if self.turned else K).transpose(np.argsort(self.axes))


def geometry(layer: LayerGradients, name: str) -> Geometry | None:
    """The first geometry with which the layer computes a convolution, but for a bias that is the same for all x."""
    if name in layer.known:
        found: Geometry | None = layer.known[name]
        return found
    W = layer.tested.value(name)
    x = np.random.default_rng(2).normal(size=(2, *layer.x.shape[1:]))
    try:
        y = layer.tested.forward(x)
    except Exception:
        y = None
    layer.known[name] = None if y is None else next(fitting(x, y, W), None)
    return layer.known[name]


def fitting(x: Array, y: Array, W: Array) -> Iterator[Geometry]:
    """All geometries that fit the shapes, and then the numbers."""
    for first, axes, turned in itertools.product((False, True), KERNELS, (False, True)):
        lay = Geometry(first, axes, turned, (1, 1), ((0, 0), (0, 0)))
        image, made, K = lay.image(x), lay.image(y), lay.kernel(W)
        if (image.shape[3], made.shape[3]) != K.shape[2:]:
            continue
        for (SH, down), (SV, across) in itertools.product(
            *(list(steps(image.shape[axis], made.shape[axis], K.shape[axis - 1])) for axis in (1, 2))
        ):
            tried = Geometry(first, axes, turned, (SH, SV), (down, across))
            rest = made - conv2d(image, K, None, tried.stride, tried.padding)
            if np.ptp(rest, axis=0).max() <= 1e-10 * np.abs(made).max():  # a bias stays, whatever x is
                yield tried


def steps(size: int, out: int, kernel: int) -> Iterator[tuple[int, windows.Pair]]:
    """The strides and paddings with which a size becomes `out`: as many pixels on both sides first."""
    for total in sorted(range(2 * kernel), key=lambda total: total % 2):
        for stride in range(1, size + 1):
            if size + total >= kernel and (size + total - kernel) // stride + 1 == out:
                yield stride, (total // 2, total - total // 2)
                if total % 2:
                    yield stride, (total - total // 2, total // 2)
                if stride > 1 and out == 1:
                    break
