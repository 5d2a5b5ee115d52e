"""Activations: functions that work element by element."""

from __future__ import annotations

from .. import checks
from ..checks import Array
from .layer import Layer, Shape

__all__ = ["ELU", "GELU", "Activation", "GELUTanh", "LeakyReLU", "ReLU", "SiLU", "Sigmoid", "Softplus", "Tanh"]


class Activation(Layer):
    """A layer that works element by element, y = f(x): any width, the same out as in."""

    def output_shape(self, shape: Shape | None) -> Shape | None:
        return shape


class ReLU(Activation):
    """y = max(x, 0). Slope 1 for x > 0, else 0: gradients pass undiminished through the units that are on."""

    keeps = ("y",)
    only_reads = True

    def forward(self, x: Array) -> Array:
        return self.ops.relu(x)

    def backward(self, dy: Array) -> Array:
        return self.ops.relu_backward(dy, self.y)


class Sigmoid(Activation):
    """y = 1 / (1 + e^-x), in (0, 1). Slope y (1 - y), at most 1/4: a deep stack of them starves its first layers."""

    keeps = ("y",)
    only_reads = True

    def forward(self, x: Array) -> Array:
        return self.ops.sigmoid(x)

    def backward(self, dy: Array) -> Array:
        return self.ops.sigmoid_backward(dy, self.y)


class Tanh(Activation):
    """y = tanh x, in (-1, 1). Slope 1 - y^2: at most 1, near 0 where |x| is large."""

    keeps = ("y",)
    only_reads = True

    def forward(self, x: Array) -> Array:
        return self.ops.tanh(x)

    def backward(self, dy: Array) -> Array:
        return self.ops.tanh_backward(dy, self.y)


class LeakyReLU(Activation):
    """y = x where x > 0, else slope x: a unit that is off still learns a little (Maas et al. 2013). 0 <= slope."""

    keeps = ("x",)

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = checks.number("LeakyReLU: slope", slope, 0)

    def forward(self, x: Array) -> Array:
        return self.ops.leaky_relu(x, self.slope)

    def backward(self, dy: Array) -> Array:
        return self.ops.leaky_relu_backward(dy, self.x, self.slope)

    def __repr__(self) -> str:
        return f"LeakyReLU({'' if self.slope == 0.01 else f'slope={self.slope!r}'})"


class ELU(Activation):
    """y = x where x > 0, else alpha (e^x - 1), in (-alpha, inf) (Clevert et al. 2016). 0 <= alpha."""

    keeps = ("x",)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = checks.number("ELU: alpha", alpha, 0)

    def forward(self, x: Array) -> Array:
        return self.ops.elu(x, self.alpha)

    def backward(self, dy: Array) -> Array:
        return self.ops.elu_backward(dy, self.x, self.alpha)

    def __repr__(self) -> str:
        return f"ELU({'' if self.alpha == 1 else f'alpha={self.alpha!r}'})"


class GELU(Activation):
    """y = x Phi(x), Phi(x) = P(normal number <= x): a smooth ReLU with a dip below 0 (Hendrycks & Gimpel 2016)."""

    keeps = ("x",)

    def forward(self, x: Array) -> Array:
        return self.ops.gelu(x)

    def backward(self, dy: Array) -> Array:
        return self.ops.gelu_backward(dy, self.x)


class GELUTanh(Activation):
    """GELU with Phi by a tanh, as in GPT-2: another function, off by up to 0.00047. y = x (1 + tanh u) / 2.

    u = sqrt(2 / pi) (x + 0.044715 x^3).
    """

    keeps = ("x",)

    def forward(self, x: Array) -> Array:
        return self.ops.gelu_tanh(x)

    def backward(self, dy: Array) -> Array:
        return self.ops.gelu_tanh_backward(dy, self.x)


class SiLU(Activation):
    """y = x sigmoid(x), also called swish (Elfwing et al. 2018)."""

    keeps = ("x",)

    def forward(self, x: Array) -> Array:
        return self.ops.silu(x)

    def backward(self, dy: Array) -> Array:
        return self.ops.silu_backward(dy, self.x)


class Softplus(Activation):
    """y = log(1 + e^x), in (0, inf): a smooth ReLU; its slope is sigmoid(x) (Dugas et al. 2001)."""

    keeps = ("x",)

    def forward(self, x: Array) -> Array:
        return self.ops.softplus(x)

    def backward(self, dy: Array) -> Array:
        return self.ops.softplus_backward(dy, self.x)
