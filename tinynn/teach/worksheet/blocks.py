"""The formulas of Residual: x goes two ways, and so the gradient comes back on two."""

from __future__ import annotations

from typing import Any

from ...layers import Residual
from ...model import Sequential
from .formula import Formula, Number
from .lines import Index, at, bracket
from .record import Call


def call_of(call: Call, layer: Any, last: bool) -> Call | None:
    """The call of a layer in a block; of a Sequential, that of its last or of its first layer."""
    while isinstance(layer, Sequential):
        layer = layer.layers[-1 if last else 0]
    return next((inner for inner in call.within if inner.layer is layer), None)


def ways(call: Call, last: bool) -> list[Call | None]:
    """Where f and the shortcut end, or begin; without a shortcut, x itself goes the second way."""
    block = call.layer
    ends = [call_of(call, block.layers[-1 if last else 0], last)]
    return ends if block.shortcut is None else [*ends, call_of(call, block.shortcut, last)]


def forward_law(call: Call) -> str:
    """With the layers' paths."""
    f, *around = ways(call, last=True)
    past = "x" if not around else "s(x)"
    what = f"f(x) is y of {f.place}" + "".join(f", s(x) y of {s.place}" for s in around)  # type: ignore[union-attr]
    return f"y = f(x) + {past}: {what}"


def y(call: Call, index: Index) -> Formula:
    """f(x) + x"""
    f, *around = ways(call, last=True)
    parts = at("f(x)", f.y, *index), (at("s(x)", around[0].y, *index) if around else at("x", call.x, *index))  # type: ignore[union-attr]
    return both(*parts)


def backward_law(call: Call) -> str:
    """Two ways back."""
    f, *around = ways(call, last=False)
    past = f"that of {around[0].place}" if around else "dL/dy"  # type: ignore[union-attr]
    return f"dL/dx = dL/dx of {f.place} + {past}: x went two ways, and what comes back on them adds up"  # type: ignore[union-attr]


def dx(call: Call, index: Index) -> Formula:
    """dL/dx of f and dL/dy, or dL/dx of the shortcut."""
    parts = []
    for way in ways(call, last=False):
        parts.append(Number(f"dL/dx{bracket(index)} of {way.place}", float(way.dx[index])))  # type: ignore[union-attr,index]
    if len(parts) == 1:
        parts.append(at("dL/dy", call.gradient, *index))
    return both(*parts)


def both(one: Number, other: Number) -> Formula:
    """The sum of two ways."""
    size = abs(one.value) + abs(other.value)
    return Formula([one, " + ", other], one.value + other.value, (one, other), scale=size)


def known(call: Call) -> bool:
    """Whether all that goes both ways has been seen."""
    return None not in ways(call, True) and all(way is not None and way.dx is not None for way in ways(call, False))


FORWARD: dict[type, Any] = {Residual: (forward_law, y)}
BACKWARD: dict[type, Any] = {Residual: {"x": (backward_law, dx)}}
NEEDS: dict[type, Any] = {Residual: known}
