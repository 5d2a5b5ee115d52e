"""The formulas of activations and Dropout, which work element by element.

They are texts, which are printed, with the numbers in the names' places, and worked out. The names are those of
`names`, and the constants of the layer.
"""

from __future__ import annotations

import functools
import math
import re
from typing import Any, NamedTuple

import numpy as np

from ...layers import ELU, GELU, Dropout, GELUTanh, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh
from .formula import Formula, Number
from .lines import Index, Quantity, at, bracket, shape
from .record import Call


class Law(NamedTuple):
    """y and its slope dy/dx: as a law, and as what is worked out, on the right of 0 and (if other) on its left."""

    law: str
    right: str
    slope_law: str
    slope: str
    left: str | None = None
    slope_left: str | None = None


LAWS = {
    ReLU: Law("max(x, 0)", "max(x, 0)", "[y > 0]", "[y > 0]"),
    Sigmoid: Law("1 / (1 + e^(-x))", "1 / (1 + e^(-x))", "y (1 - y)", "y * (1 - y)"),
    Tanh: Law("tanh(x)", "tanh(x)", "(1 - y^2)", "(1 - y^2)"),
    LeakyReLU: Law("x where x > 0, else slope x", "x", "where x > 0, else dL/dy slope", "1", "slope * x", "slope"),
    ELU: Law(
        "x where x > 0, else alpha (e^x - 1)", "x",
        "where x > 0, else dL/dy alpha e^x", "1", "alpha * (e^(x) - 1)", "alpha * e^(x)",
    ),
    GELU: Law(
        "x Phi(x), Phi(x) = (1 + erf(x / sqrt(2))) / 2", "x * Phi",
        "(Phi(x) + x phi(x)), phi(x) = Phi'(x) = e^(-x^2 / 2) / sqrt(2 pi)", "(Phi + x * phi)",
    ),
    GELUTanh: Law(
        "x (1 + tanh(u)) / 2, u = sqrt(2 / pi) (x + 0.044715 x^3)", "x * (1 + tanh(u)) / 2",
        "(1 + tanh(u) + x (1 - tanh(u)^2) u') / 2, u' = du/dx = sqrt(2 / pi) (1 + 3 0.044715 x^2)",
        "(1 + tanh(u) + x * (1 - tanh(u)^2) * u') / 2",
    ),
    SiLU: Law(
        "x s, s = 1 / (1 + e^(-x))", "x / (1 + e^(-x))", "s (1 + x (1 - s)), s = 1 / (1 + e^(-x))",
        "s * (1 + x * (1 - s))",
    ),
    Softplus: Law(
        "log(1 + e^x)", "x + log(1 + e^(-x))", "/ (1 + e^(-x))", "1 / (1 + e^(-x))", "log(1 + e^(x))"
    ),
    Dropout: Law("x mask", "x * mask", "mask", "mask"),
}  # fmt: skip


def names(call: Call, index: Index) -> dict[str, Number]:
    """What the names in a text stand for, at one entry."""
    x, y = float(call.x[index]), float(call.y[index])
    inside = bracket(index)
    u, slope_of_u = (
        math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x),
        math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x),
    )
    found = {
        "x": Number(f"x{inside}", x),
        "-x": Number(f"-x{inside}", -x),
        "y": Number(f"y{inside}", y),
        "[y > 0]": Number(f"[y{inside} > 0]", float(np.sign(y))),
        "Phi": Number(f"Phi(x{inside})", math.erfc(-x / math.sqrt(2)) / 2),
        "phi": Number(f"phi(x{inside})", math.exp(-x * x / 2) / math.sqrt(2 * math.pi)),
        "s": Number(f"s{inside}", float(1 / (1 + np.exp(-x)))),
        "u": Number(f"u{inside}", u),
        "u'": Number(f"u'{inside}", slope_of_u),
    }
    constants = {name: Number(name, float(getattr(call.layer, name, 0))) for name in ("slope", "alpha")}
    mask = {"mask": at("mask", call.kept["mask"], *index)} if "mask" in call.kept else {}
    return found | constants | mask


FUNCTIONS: dict[str, Any] = {
    "e": np.float64(math.e),
    "log": np.log,
    "tanh": np.tanh,
    "max": max,
    "inf": np.inf,
    "nan": np.nan,
}
NAME = re.compile(r"(\[y > 0\]|-x\b|\b(?:x|y|Phi|phi|s|u'|u|slope|alpha|mask)(?![\w']))")


def worked_out(text: str, call: Call, index: Index) -> tuple[list[str | Number], float]:
    """A text as tokens, with a Number for each name in it, and what it gives."""
    known = names(call, index)
    tokens = [known.get(piece, piece) for piece in NAME.split(text) if piece]
    plain = "".join(piece if isinstance(piece, str) else f"({piece.value!r})" for piece in tokens)
    return tokens, float(eval(plain.replace("^", "**"), {"__builtins__": {}}, FUNCTIONS))


def y(law: Law, call: Call, index: Index) -> Formula:
    """f(x)"""
    left = law.left is not None and not call.x[index] > 0
    tokens, value = worked_out(law.left or "" if left else law.right, call, index)
    return Formula(tokens, value, scale=1 + abs(float(call.x[index])))


def dx(law: Law, call: Call, index: Index) -> Formula:
    """dL/dy times the slope at x."""
    left = law.slope_left is not None and not call.x[index] > 0
    text = law.slope_left or "" if left else law.slope
    dy = at("dL/dy", call.gradient, *index)
    scale = abs(dy.value) * (1 + abs(float(call.x[index])))
    if text == "1":
        return Formula([dy], dy.value, scale=scale)
    tokens, slope = worked_out(text, call, index)
    middle: list[str | Number] = [dy, " * ", Number("slope", slope)] if len(tokens) > 1 else []
    over = text.startswith("1 / ")  # dL/dy / (1 + e^(-x)), and not dL/dy 1 / (1 + e^(-x))
    product = [dy, str(tokens[0])[1:], *tokens[1:]] if over else [dy, " * ", *tokens]
    return Formula(product, dy.value * slope, middle=middle, scale=scale)


def mask(call: Call) -> tuple[list[Quantity], list[Quantity]]:
    """What was drawn, before y."""
    a, rate = call.kept["mask"], call.layer.rate
    law = f"mask = 0 with the probability {rate:g}, else 1 / (1 - {rate:g}), drawn anew in each forward"
    scale = Formula(["1 / (1 - ", Number("rate", rate), ")"], 1 / (1 - rate))
    dropped = Formula(["0, for it was dropped"], 0.0)
    entry = lambda index: scale if a[index] else dropped  # noqa: E731
    return [Quantity(f"mask{{}} of {call.place}", "mask", a, law, shape(a), entry, "what was drawn")], []


FORWARD: dict[type, Any] = {kind: (f"y = {law.law}", functools.partial(y, law)) for kind, law in LAWS.items()}
BACKWARD: dict[type, Any] = {
    kind: {"x": (f"dL/dx = dL/dy {law.slope_law}", functools.partial(dx, law))} for kind, law in LAWS.items()
}
BESIDE: dict[type, Any] = {Dropout: mask}
NEEDS: dict[type, Any] = {Dropout: lambda call: "mask" in call.kept}
