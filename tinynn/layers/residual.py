"""Blocks of layers with a shortcut around them."""

from __future__ import annotations

from .. import checks
from ..checks import Array
from .layer import Layer, Shape

__all__ = ["Residual"]


class Residual(Layer):
    """y = f(x) + x: the layers f learn what is to be added to x, and the gradient has a way around them.

    x goes two ways, so its gradient is the sum of the two that come back. Where f changes the shape, `shortcut` is a
    layer for the other way, such as a 1 x 1 convolution: y = f(x) + shortcut(x). Source: He et al. 2016.
    """

    keeps = ()

    def __init__(self, *layers: Layer, shortcut: Layer | None = None) -> None:
        if not layers:
            raise ValueError("Residual must have at least one layer, not none")
        for number, layer in enumerate(layers, 1):
            if not isinstance(layer, Layer):
                raise TypeError(f"Residual: layer {number} must be a Layer, not {checks.describe(layer)}")
        if not isinstance(shortcut, Layer | None):
            raise TypeError(f"Residual: shortcut must be a Layer or None, not {checks.describe(shortcut)}")
        self.layers, self.shortcut = layers, shortcut

    def forward(self, x: Array) -> Array:
        y = x
        for layer in self.layers:
            y = layer.forward(y)
        around = x if self.shortcut is None else self.shortcut.forward(x)
        if y.shape != around.shape:
            expected = f"the shape {around.shape} of what goes past it"
            raise ValueError(f"{self.where}: f(x) must have {expected}, not {y.shape}")
        return y + around

    def backward(self, dy: Array) -> Array:
        dx = dy
        for layer in reversed(self.layers):
            dx = layer.backward(dx)  # type: ignore[assignment]  # layers within a layer always give dx
        return dx + (dy if self.shortcut is None else self.shortcut.backward(dy))

    def output_shape(self, shape: Shape | None) -> Shape | None:
        y = shape
        for layer in self.layers:
            y = layer.output_shape(y)
        around = shape if self.shortcut is None else self.shortcut.output_shape(shape)
        known = y is not None and around is not None and None not in (*y, *around)
        if known and y != around:
            raise ValueError(f"takes x that f(x) fits (f gives {y}, and past it comes {around})")
        return around if y is None or (around is not None and None in y) else y

    def __repr__(self) -> str:
        words = [*map(repr, self.layers), *([] if self.shortcut is None else [f"shortcut={self.shortcut!r}"])]
        return f"Residual({', '.join(words)})"
