"""Activations, y = f(x) element by element: dx = dy f'(x)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ....backends.numpy import gelu_backward, gelu_tanh_backward, sigmoid
from ....checks import Array
from .entry import Entry, Facts
from .known_functions import constant, known

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients


@dataclass
class ActivationFacts(Facts):
    """z the input, y the output, d = dy, slope = f'(z). The kind is the name of f, where it is known."""

    slope: Array = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.z, self.y, self.d = self.layer.x, self.layer.y, self.layer.dy

    def sides(self, right: Any, left: Any) -> Array:
        """dy times one slope where x > 0, and another elsewhere."""
        with np.errstate(all="ignore"):
            return self.d * np.where(self.z > 0, right, left)

    @property
    def slope_on_the_left(self) -> float | None:
        """The number that backward multiplies dy by where x < 0, if it is one."""
        left = (self.z < 0) & (self.d != 0)
        return constant(self.a[left], self.d[left]) if left.any() else None

    @property
    def a(self) -> Array:
        """What backward gave."""
        return self.layer.analytic["x"]

    @property
    def slope_at_y(self) -> Array | None:
        """f'(y), with the output in place of the input."""
        return self.layer.slope(self.y)


RIGHT = {
    "sigmoid": "dy * y * (1 - y)",
    "tanh": "dy * (1 - y**2)",
    "relu": "dy * (x > 0)",
    "leaky": "dy where x > 0, else {s:.6g} * dy",
    "elu": "dy where x > 0, else dy * {alpha:.6g} * exp(x)",
    "gelu": "dy * (Phi(x) + x * phi(x))",
    "gelu_tanh": "dy * ((1 + t) + x * (1 - t**2) * u') / 2, with t = tanh(u), u' = c * (1 + 3 * 0.044715 * x**2)",
    "silu": "dy * s * (1 + x * (1 - s)), with s = sigmoid(x)",
    "softplus": "dy * sigmoid(x)",
    "dropout": "dy * mask * {c:.6g}, the mask and scale of forward",
}


def recognise(layer: LayerGradients, name: str) -> ActivationFacts | None:
    """A layer whose y at one place depends on x at this place alone."""
    slope = layer.slope(layer.x) if name == "x" else None
    if slope is None:
        return None
    kind, numbers = known(layer.x, layer.y, slope)
    right = {"dx": RIGHT.get(kind, "dy * f'(x)")}
    return ActivationFacts(layer, {"x": "dx"}, right, dict(numbers), kind=kind, slope=slope)


def with_slope(a: ActivationFacts, slope: Array | None) -> Array | None:
    """dy times the slope, where it is known."""
    return None if slope is None else a.d * slope


def inner(x: Array) -> Array:
    """What GELU's tanh form takes the tanh of."""
    return np.asarray(C * (x + CUBE * x**3))


def Phi(x: Array) -> Array:
    """The normal distribution's probability below x."""
    return np.asarray(np.vectorize(math.erfc, otypes=[float])(-x / math.sqrt(2)) / 2)


C, CUBE, ROOT = math.sqrt(2 / math.pi), 0.044715, math.sqrt(2 * math.pi)
ALPHA: dict[str, Callable[..., Array]] = {  # wrong slopes on the left of ELU; what they are for alpha = 1 is right
    "(y + 1)": lambda y, x, alpha: y + 1,
    "exp(x)": lambda y, x, alpha: np.exp(x),
    "alpha * (y + 1)": lambda y, x, alpha: alpha * (y + 1),
    "y": lambda y, x, alpha: y,
}
GELU: dict[str, Callable[..., Array]] = {
    "(Phi(x) + x * exp(-x**2) / sqrt(2 pi))": lambda x: Phi(x) + x * np.exp(-x * x) / ROOT,
    "(Phi(x) + x * exp(-x**2 / 2))": lambda x: Phi(x) + x * np.exp(-x * x / 2),
    "(Phi(x) + x * exp(-x**2 / 2) * 2 / sqrt(pi))": lambda x: Phi(x) + x * np.exp(-x * x / 2) * 2 / math.sqrt(math.pi),
    "(Phi(x) + phi(x))": lambda x: Phi(x) + np.exp(-x * x / 2) / ROOT,
}
GELU_TANH: dict[str, Callable[..., Array]] = {
    "(1 + t + x * (1 - t**2)) / 2": lambda x, t: (1 + t + x * (1 - t * t)) / 2,
    "(1 + t + x * (1 - t**2) * c) / 2": lambda x, t: (1 + t + x * (1 - t * t) * C) / 2,
    "(1 + t + x * (1 - t**2) * c * (1 + 0.044715 * x**2)) / 2, where the cube's 3 is missing":
        lambda x, t: (1 + t + x * (1 - t * t) * C * (1 + CUBE * x * x)) / 2,
    "(1 + t + (1 - t**2) * u') / 2, where x is missing":
        lambda x, t: (1 + t + (1 - t * t) * C * (1 + 3 * CUBE * x * x)) / 2,
    "(1 + t + x * (1 - u**2) * u') / 2, with u for its tanh":
        lambda x, t: (1 + t + x * (1 - inner(x) ** 2) * C * (1 + 3 * CUBE * x * x)) / 2,
}  # fmt: skip
SILU: dict[str, Callable[..., Array]] = {
    "s * (1 - s)": lambda x, y, s: s * (1 - s),
    "(s + x * (1 - s)), where a factor s is missing": lambda x, y, s: s + x * (1 - s),
    "s * (1 + y * (1 - s)), with y for x": lambda x, y, s: s * (1 + y * (1 - s)),
    "(y + s * (1 - s))": lambda x, y, s: y + s * (1 - s),
    "(s + y * (1 - y)), with y for s": lambda x, y, s: s + y * (1 - y),
}
SOFTPLUS: dict[str, Callable[..., Array]] = {
    "s * (1 - s), with s = sigmoid(x): the derivative is taken twice": lambda x, s: s * (1 - s),
    "(1 - sigmoid(x))": lambda x, s: 1 - s,
    "exp(x), not divided by 1 + exp(x)": lambda x, s: np.exp(x),
}

SLIPS = (
    Entry("missing-derivative", "dx", lambda a: a.d, "dy itself: the slope f'(x) is missing",
         "dx is dy: the slope is missing"),
    Entry("missing-dy", "dx", lambda a: a.slope, "f'(x): dy is missing (chain rule)", "dx is the slope: dy is missing"),
    # sigmoid
    Entry("derivative-of-input", "dx", lambda a: a.d * a.z * (1 - a.z), "dy * x * (1 - x), with the input for y",
         "the slope's formula in terms of the output is given the input", of="sigmoid"),
    Entry("derivative-incomplete", "dx", lambda a: a.d * a.y, "dy * y: the factor 1 - y is missing",
         "the slope lacks one of its factors", of="sigmoid"),
    Entry("derivative-incomplete", "dx", lambda a: a.d * (1 - a.y), "dy * (1 - y): the factor y is missing",
         of="sigmoid"),
    Entry("derivative-sign", "dx", lambda a: a.d * a.y * (1 + a.y), "dy * y * (1 + y): a sign",
         "the slope has a plus where a minus belongs", of="sigmoid"),
    # tanh
    Entry("derivative-of-input", "dx", lambda a: a.d * (1 - a.z * a.z), "dy * (1 - x**2), with the input for y",
         of="tanh"),
    Entry("derivative-incomplete", "dx", lambda a: a.d * (1 - a.y), "dy * (1 - y): y must be squared", of="tanh"),
    Entry("derivative-incomplete", "dx", lambda a: a.d * a.y * a.y, "dy * y**2: the 1 - is missing", of="tanh"),
    Entry("derivative-sign", "dx", lambda a: a.d * (1 + a.y * a.y), "dy * (1 + y**2): a sign", of="tanh"),
    # ReLU
    Entry("mask-from-dy", "dx", lambda a: a.d * (a.d > 0), "dy * (dy > 0): the mask is dy's",
         "the mask is made from dy in place of x", of="relu"),
    Entry("mask-inverted", "dx", lambda a: a.d * (a.z <= 0), "dy * (x <= 0): the mask is upside down",
         "the mask lets through what it should stop", of="relu"),
    Entry("mask-times-y", "dx", lambda a: a.d * a.y, "dy * y: the output in place of its mask",
         "dy is multiplied by the output in place of a mask", of="relu"),
    Entry("mask-from-dy", "dx", lambda a: a.d * (a.d > 0) * (a.z > 0),
         "dy * (dy > 0) * (x > 0): dy has a mask, too", of="relu"),
    # LeakyReLU, ELU
    Entry("mask-inverted", "dx", lambda a: a.sides(a.words["s"], 1), "dy where x <= 0, else {s:.6g} * dy: upside down",
          of="leaky"),
    Entry("derivative-sign", "dx", lambda a: a.sides(1, -a.words["s"]), "-{s:.6g} * dy where x <= 0: a sign",
          of="leaky"),
    Entry("derivative-of-input", "dx", lambda a: a.sides(1, a.words["s"] * a.z),
          "{s:.6g} * x * dy where x <= 0, with x that the derivative does not have", of="leaky"),
    Entry("derivative-of-input", "dx", lambda a: a.sides(1, a.z + a.words["alpha"]),
          "dy * (x + alpha) where x <= 0, with the input for y", of="elu"),
    Entry("alpha-misplaced", "dx", lambda a, k: a.sides(1, ALPHA[k](a.y, a.z, a.words["alpha"])),
          "dy * {k} where x <= 0, and alpha is {alpha:.6g}",
          "the slope on the left has alpha in the wrong place, or not at all", of="elu", each=lambda a: ALPHA),
    # GELU
    Entry("derivative-incomplete", "dx", lambda a, k: a.d * GELU[k](a.z), "dy * {k}: a factor of phi is wrong",
          of="gelu", each=lambda a: GELU),
    Entry("gelu-forms-mixed", "dx", lambda a: gelu_tanh_backward(a.d, a.z), "dy * the derivative of the tanh form",
          "forward is one form of GELU, backward the derivative of the other", of="gelu"),
    Entry("gelu-forms-mixed", "dx", lambda a: gelu_backward(a.d, a.z),
          "dy * the derivative of the exact form, x Phi(x)",
          of="gelu_tanh"),
    Entry("derivative-incomplete", "dx", lambda a, k: a.d * GELU_TANH[k](a.z, np.tanh(inner(a.z))), "dy * {k}",
          of="gelu_tanh", each=lambda a: GELU_TANH),
    # SiLU, softplus
    Entry("derivative-incomplete", "dx", lambda a, k: a.d * SILU[k](a.z, a.y, sigmoid(a.z)), "dy * {k}",
          of="silu", each=lambda a: SILU),
    Entry("derivative-incomplete", "dx", lambda a, k: a.d * SOFTPLUS[k](a.z, sigmoid(a.z)), "dy * {k}",
          of="softplus", each=lambda a: SOFTPLUS),
    # dropout
    Entry("mask-not-scaled", "dx", lambda a: a.d * (a.slope != 0), "dy * mask, and forward divides by the share kept",
          "of dropout, forward scales what is kept and backward does not", of="dropout"),
    Entry("mask-inverted", "dx", lambda a, k: a.d * (a.slope == 0) * k, "dy * (1 - mask) * {k:.6g}: upside down",
          of="dropout", each=lambda a: (1.0, a.words["c"])),
    Entry("mask-inverted", "dx", lambda a: a.d - a.d * a.slope, "dy - dy * mask, which is dy where x was dropped",
          of="dropout"),
    Entry("mask-missing", "dx", lambda a: a.d * a.words["c"], "dy * {c:.6g}, without the mask",
          "of dropout, backward has the scale and not the mask", of="dropout"),
    Entry("mask-of-one-column", "dx", lambda a, k: a.d * a.slope[..., k : k + 1],
          "dy * column {k} of the mask, for all columns",
          "of dropout, backward uses one number of the mask for the whole row", of="dropout",
          each=lambda a: range(a.z.shape[-1])),
    Entry("mask-from-y", "dx", lambda a: a.d * a.words["c"] * (a.y != 0), "dy * (y != 0) * {c:.6g}: where x is 0 and "
          "kept, y is 0, too", "of dropout, the mask is read off the output, which is 0 where x is", of="dropout"),
    Entry("mask-redrawn", "dx", lambda a: a.d * a.words["c"] * (a.a != 0) if not a.a.all() else None,
          "dy * another mask * {c:.6g}: drawn anew", "of dropout, backward draws a mask of its own", of="dropout"),
    # any
    Entry("derivative-of-output", "dx", lambda a: with_slope(a, a.slope_at_y), "dy * f'(y), the slope at the output",
         "the slope is computed at the output in place of the input"),
    Entry("derivative-incomplete", "dx", lambda a: a.d * a.y, "dy * f(x): the function itself in place of its slope"),
    Entry("mask-of-relu", "dx", lambda a: a.d * (a.z > 0) if a.kind != "relu" else None,
          "dy * (x > 0), the mask of ReLU", "the mask of ReLU is used for another activation"),
    Entry("derivative-twice", "dx", lambda a: a.d * a.slope**2, "dy * f'(x)**2: the slope is in it twice",
         "the slope is multiplied twice"),
    Entry("slope-differs", "dx", lambda a, k: a.sides(1, k),
          "dy where x > 0, else {k:.6g} * dy, with another slope than forward's",
          "forward and backward have other slopes on the left", of="leaky",
          each=lambda a: [k for k in (a.slope_on_the_left,) if k is not None]),
)  # fmt: skip
