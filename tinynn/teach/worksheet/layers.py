"""The formulas of the layers, forward and backward, written for the recorded numbers.

They are what the sheet *says*; the values are those that the layers gave. Where the two differ, as in a layer of one's
own that inherits from Affine, the formula is not shown (Quantity.line). Of a layer without a formula the sheet gives
the numbers alone, and says whose they are.
"""

from __future__ import annotations

import functools
from typing import Any

from ...checks import Array
from ...layers import Activation
from . import affine, blocks, elementwise, images, normalization, pictures, windows
from .formula import Formula, Number
from .lines import Index, Quantity, at, bracket, shape
from .record import Call

CHAPTERS = (affine, elementwise, images, normalization, blocks)
FORWARD = {kind: law for chapter in CHAPTERS for kind, law in chapter.FORWARD.items()}  # of y
BACKWARD = {kind: laws for chapter in CHAPTERS for kind, laws in chapter.BACKWARD.items()}  # by name: "W", "x"
BESIDE: dict[type, Any] = elementwise.BESIDE | normalization.BESIDE  # of arrays that come before y, and after it
PICTURES: dict[type, dict[str, Any]] = pictures.PICTURES | windows.PICTURES  # by name: "y", "dL/dx"
NEEDS: dict[type, Any] = elementwise.NEEDS | blocks.NEEDS  # whether a call has what its formulas are made of


def law_of(table: dict[type, Any], call: Call) -> Any:
    """What a table has for a layer's class, or for one that it inherits from; else None."""
    kind = next((kind for kind in type(call.layer).__mro__ if kind in table), None)
    return None if kind is None or (kind in NEEDS and not NEEDS[kind](call)) else table[kind]


def quantity(call: Call, left: str, array: Array, law: Any, shapes: str, own: str) -> Quantity:
    """One array by its law: a text, or what makes one for the call; and the formula of an entry."""
    text, entry = law
    text = text if isinstance(text, str) else text(call)
    found = Quantity(f"{left}{{}} of {call.place}", left, array, text, shapes, lambda index: entry(call, index), own)
    return drawn(call, found)


def drawn(call: Call, quantity: Quantity) -> Quantity:
    """The quantity, with a picture if its layer has one."""
    draw = (law_of(PICTURES, call) or {}).get(quantity.left)
    if draw is not None:
        quantity.draw = functools.partial(draw, call)
    return quantity


def forward(call: Call) -> list[Quantity]:
    """What a layer's forward computes: y, and what belongs to it."""
    own = f"{type(call.layer).__name__}.forward(x)"
    law, beside = law_of(FORWARD, call), law_of(BESIDE, call)
    shapes = f"{shape(call.y)} from " + ", ".join(
        f"{name} {shape(a)}" for name, a in {"x": call.x, **call.params}.items()
    )
    if law is affine.FORWARD[affine.Affine]:
        W, b = call.params["W"], call.params["b"]
        shapes = f"{shape(call.y)} = {shape(call.x)} @ {shape(W)} + {shape(b)}"
    if law is None and isinstance(call.layer, Activation):
        law = said_by(type(call.layer)) or f"y = {own}", unknown_value
    law = law or (said_by(type(call.layer)) or f"y = {own}", said(own))
    before, after = beside(call) if beside else ([], [])
    before = [drawn(call, one) for one in before]
    return [*before, quantity(call, "y", call.y, law, shapes, own), *after, *buffers(call, after)]


def backward(call: Call) -> list[Quantity]:
    """What a layer's backward computes: the gradients of its parameters, and dx."""
    own = f"{type(call.layer).__name__}.backward(dL/dy)"
    laws, found = law_of(BACKWARD, call) or {}, []
    law: Any
    products = {}
    if laws is affine.BACKWARD[affine.Affine] and call.x.ndim == 2:
        dy = shape(call.dy)
        products = {"W": f"{shape(call.x.T)} @ {dy}", "x": f"{dy} @ {shape(call.params['W'].T)}"}
    for name, grad in [*call.grads.items(), ("x", call.dx)]:
        left = f"dL/d{name}"
        if grad is None:
            law = "dL/dx: not needed, for nothing before this layer learns"
            found.append(
                Quantity(f"dL/dx{{}} of {call.place}", left, None, law, shape(call.x), lambda index: Formula([]))
            )
            continue
        law = laws.get(name)
        if law is None and name == "x" and isinstance(call.layer, Activation):
            law = "dL/dx = dL/dy f'(x)", unknown_slope
        law = law or (f"{left} = {own}" if name == "x" else f"{left} = as {own} has it", said(own))
        shapes = (
            f"{shape(grad)} = {products[name]}" if name in products else f"{shape(grad)} from dL/dy {shape(call.dy)}"
        )
        found.append(quantity(call, left, grad, law, shapes, own))
    return found


# --- layers of one's own: what is known ------------------------------------------------------------------------------


def said(own: str) -> Any:
    """The formula of what is known to come from a method, and no more."""
    return lambda call, index: Formula([own + bracket(index)])


def said_by(kind: type) -> str:
    """What a layer's docstring says first, if that is a formula: "y = x where x > 0, else x / 100"."""
    first = (kind.__dict__.get("__doc__") or "").strip().partition("\n")[0]
    formula = first.partition(": ")[0].partition(". ")[0].rstrip(".")
    return formula if formula.startswith("y = ") else ""


def unknown_value(call: Call, index: Index) -> Formula:
    """f(x) of an entry: an activation works element by element."""
    return Formula(["f(", at("x", call.x, *index), ")"])


def unknown_slope(call: Call, index: Index) -> Formula:
    """The slope that an activation's backward has used, where there is one: dx / dy."""
    dy, dx = call.gradient, call.dx
    if dx is None or dy[index] == 0:
        return Formula([f"{type(call.layer).__name__}.backward(dL/dy){bracket(index)}"])
    slope = float(dx[index]) / float(dy[index])
    return Formula([at("dL/dy", dy, *index), " * ", Number(f"f'(x{bracket(index)})", slope)])


def buffers(call: Call, known: list[Quantity]) -> list[Quantity]:
    """What a layer of one's own keeps from step to step."""
    own = f"{type(call.layer).__name__}.forward(x)"
    return [
        quantity(call, name, after, (f"{name} <- as {own} has it", said(own)), shape(after), own)
        for name, (_, after) in ({} if known else call.buffers).items()
    ]
