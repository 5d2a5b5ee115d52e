"""Activations: functions that work element by element."""

from __future__ import annotations

from ..checks import Array
from .layer import Layer


class Activation(Layer):
    """A layer that works element by element, y = f(x): any width, the same out as in."""

    def output_size(self, n_in: int | None) -> int | None:
        return n_in


class ReLU(Activation):
    """y = max(x, 0). Slope 1 for x > 0, else 0: gradients pass undiminished through the units that are on."""

    def forward(self, x: Array) -> Array:
        return self.ops.relu(x)

    def backward(self, dy: Array) -> Array:
        return self.ops.relu_backward(dy, self.y)


class Sigmoid(Activation):
    """y = 1 / (1 + e^-x), in (0, 1). Slope y (1 - y), at most 1/4: a deep stack of them starves its first layers."""

    def forward(self, x: Array) -> Array:
        return self.ops.sigmoid(x)

    def backward(self, dy: Array) -> Array:
        return self.ops.sigmoid_backward(dy, self.y)


class Tanh(Activation):
    """y = tanh x, in (-1, 1). Slope 1 - y^2: at most 1, near 0 where |x| is large."""

    def forward(self, x: Array) -> Array:
        return self.ops.tanh(x)

    def backward(self, dy: Array) -> Array:
        return self.ops.tanh_backward(dy, self.y)
