"""Pooling: images and sequences made smaller, channel by channel; and Flatten, which makes rows of them."""

from __future__ import annotations

import math
from typing import Any

from ..checks import Array
from .convolution import Pair, Windowed
from .layer import Layer, Shape

__all__ = ["AvgPool2D", "Flatten", "GlobalAvgPool", "MaxPool2D"]


class Pool(Windowed):
    """A window of `size` pixels. Where no stride is given, it is the size."""

    def __init__(self, size: int | Pair = 2, stride: int | Pair | None = None, padding: int | Pair | str = 0) -> None:
        self._say_windows(size, size if stride is None else stride, padding, "size")
        self.size = self.kernel
        if self.padding != "same" and any(2 * p > k for p, k in zip(self.padding, self.kernel)):
            thing = type(self).__name__
            raise ValueError(f"{thing}: padding must be at most half of size {self.size}, not {self.padding}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._words('', self.kernel))})"


class MaxPool2D(Pool):
    """y = the largest value of each window. The gradient goes back to that value, or to the first of equal ones.

    x (N, H, V, C) -> (N, PH, PV, C). The padding is never the largest.
    """

    keeps = ()
    places: Any  # of the windows at which the maxima stand

    def forward(self, x: Array) -> Array:
        y, self.places = self.ops.max_pool2d(x, self.kernel, self.stride, self.around(x.shape[1:]))
        return y

    def backward(self, dy: Array) -> Array:
        around = self.around(self.x_shape[1:])
        return self.ops.max_pool2d_backward(dy, self.places, self.x_shape, self.kernel, self.stride, around)


class AvgPool2D(Pool):
    """y = the mean of each window; the padding is not counted. Each of its pixels gets the same share of dy back.

    x (N, H, V, C) -> (N, PH, PV, C).
    """

    keeps = ()

    def forward(self, x: Array) -> Array:
        return self.ops.avg_pool2d(x, self.kernel, self.stride, self.around(x.shape[1:]))

    def backward(self, dy: Array) -> Array:
        around = self.around(self.x_shape[1:])
        return self.ops.avg_pool2d_backward(dy, self.x_shape, self.kernel, self.stride, around)


class GlobalAvgPool(Layer):
    """y = the mean over all positions: (N, H, V, C) or (N, T, C) -> (N, C). It takes images of any size."""

    keeps = ()

    def forward(self, x: Array) -> Array:
        return self.ops.global_avg_pool(x)

    def backward(self, dy: Array) -> Array:
        return self.ops.global_avg_pool_backward(dy, self.x_shape)

    def output_shape(self, shape: Shape | None) -> Shape | None:
        if shape is not None and len(shape) < 2:
            raise ValueError("takes images (H, W, C) or sequences (T, C)")
        return None if shape is None else shape[-1:]


class Flatten(Layer):
    """Rows of all numbers of an example: (N, H, V, C) -> (N, H V C). A view, no copy."""

    keeps = ()

    def forward(self, x: Array) -> Array:
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def backward(self, dy: Array) -> Array:
        return dy.reshape(self.x_shape)

    def output_shape(self, shape: Shape | None) -> Shape | None:
        if shape is None or None in shape:
            return None if shape is None else (None,)
        return (math.prod(shape),)  # type: ignore[arg-type]
