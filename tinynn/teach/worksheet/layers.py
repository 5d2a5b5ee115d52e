"""The formulas of the layers, forward and backward, written for the recorded numbers.

They are what the sheet *says*; the values are those that the layers gave. Where the two differ, as in a layer of one's
own that inherits from Affine, the formula is not shown (Quantity.line).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...checks import Array
from ...layers import Activation, Affine, ReLU, Sigmoid, Tanh
from .formula import Formula, Number, Tokens, joined, total
from .lines import Index, Quantity, bracket, shape
from .record import Call


def at(name: str, a: Array, *index: int) -> Number:
    """The Number a[index] under its name."""
    return Number(name + bracket(index), float(a[index]))


def wide(a: Array) -> Array:
    """In double precision, so that the terms of a sum are not rounded once more."""
    return np.asarray(a, np.float64)


def is_table(call: Call) -> bool:
    """Whether it is an affine map of rows, whose sums are written out."""
    return isinstance(call.layer, Affine) and call.x.ndim == 2


def forward(call: Call) -> list[Quantity]:
    """What a layer's forward computes: y."""
    kind, key, own = type(call.layer), f"y{{}} of {call.place}", f"{type(call.layer).__name__}.forward(x)"
    if is_table(call):
        W, b = call.params["W"], call.params["b"]
        law, shapes = "y = x W + b", f"{shape(call.y)} = {shape(call.x)} @ {shape(W)} + {shape(b)}"
        return [Quantity(key, "y", call.y, law, shapes, lambda index: affine(call, *index), own)]
    shapes = f"{shape(call.y)} from x {shape(call.x)}"
    for known, (law, entry) in FORWARD.items():
        if isinstance(call.layer, known):
            return [Quantity(key, "y", call.y, law, shapes, lambda index, f=entry: f(call, index), own)]  # type: ignore[misc]
    law = said_by(kind) or f"y = {own}"
    return [Quantity(key, "y", call.y, law, shapes, lambda index: own_forward(call, index), own)]


def backward(call: Call) -> list[Quantity]:
    """What a layer's backward computes: the gradients of its parameters, and dx."""
    place, x, dy = call.place, call.x, call.dy
    own = f"{type(call.layer).__name__}.backward(dL/dy)"
    found = []
    is_affine = is_table(call)
    for name, grad in call.grads.items():
        key, left = f"dL/d{name}{{}} of {place}", f"dL/d{name}"
        if is_affine and name == "W":
            law, shapes = "dL/dW = x^T dL/dy", f"{shape(grad)} = {shape(x.T)} @ {shape(dy)}"
            found.append(Quantity(key, left, grad, law, shapes, lambda index: affine_dW(call, *index), own))
        elif is_affine and name == "b":
            law, shapes = "dL/db = the sum of dL/dy over the rows", f"{shape(grad)} from {shape(dy)}"
            found.append(Quantity(key, left, grad, law, shapes, lambda index: affine_db(call, *index), own))
        else:
            law, shapes = f"{left} = as {own} has it", f"{shape(grad)} from dL/dy {shape(dy)}"
            found.append(Quantity(key, left, grad, law, shapes, lambda index: Formula([own + bracket(index)]), own))
    return [*found, input_gradient(call, own)]


def input_gradient(call: Call, own: str) -> Quantity:
    """dx, or the blank where the first layer has not computed it."""
    key, left, shapes = f"dL/dx{{}} of {call.place}", "dL/dx", f"{shape(call.x)} from dL/dy {shape(call.dy)}"
    if call.dx is None:
        law = "dL/dx: not computed, for nobody reads it"
        return Quantity(key, left, None, law, shape(call.x), lambda index: Formula([law]))
    if is_table(call):
        W = call.params["W"]
        law, shapes = "dL/dx = dL/dy W^T", f"{shape(call.dx)} = {shape(call.dy)} @ {shape(W.T)}"
        return Quantity(key, left, call.dx, law, shapes, lambda index: affine_dx(call, *index), own)
    for known, (law, entry) in BACKWARD.items():
        if isinstance(call.layer, known):
            return Quantity(key, left, call.dx, law, shapes, lambda index, f=entry: f(call, index), own)  # type: ignore[misc]
    elementwise = isinstance(call.layer, Activation)
    law = "dL/dx = dL/dy f'(x)" if elementwise else f"dL/dx = {own}"
    return Quantity(key, left, call.dx, law, shapes, lambda index: own_backward(call, index, own), own)


# --- Affine: sums of products ----------------------------------------------------------------------------------------


def products(a: Array, b: Array, first: Any, second: Any, add: Number | None = None) -> Formula:
    """The sum of a[k] b[k]; first(k) and second(k) are the factors' Numbers."""
    return total(wide(a) * wide(b), lambda k: [first(k), " * ", second(k)], add=add)


def affine(call: Call, n: int, j: int) -> Formula:
    """y[n,j] = sum_i x[n,i] W[i,j] + b[j]: a path from each input."""
    x, W, b = call.x, call.params["W"], call.params["b"]
    return products(x[n], W[:, j], lambda i: at("x", x, n, i), lambda i: at("W", W, i, j), at("b", b, j))


def affine_dW(call: Call, i: int, j: int) -> Formula:
    """dL/dW[i,j] = sum_n x[n,i] dL/dy[n,j]: a part from each row."""
    x, dy = call.x, gradient(call)
    return products(x[:, i], dy[:, j], lambda n: at("x", x, n, i), lambda n: at("dL/dy", dy, n, j))


def affine_db(call: Call, j: int) -> Formula:
    """dL/db[j] = sum_n dL/dy[n,j]."""
    dy = gradient(call)
    return total(wide(dy[:, j]), lambda n: [at("dL/dy", dy, n, j)])


def affine_dx(call: Call, n: int, i: int) -> Formula:
    """dL/dx[n,i] = sum_j dL/dy[n,j] W[i,j]: a path through each output."""
    dy, W = gradient(call), call.params["W"]
    return products(dy[n], W[i], lambda j: at("dL/dy", dy, n, j), lambda j: at("W", W, i, j))


def gradient(call: Call) -> Array:
    """dy of a call whose backward was run."""
    assert call.dy is not None
    return call.dy


# --- activations: element by element ---------------------------------------------------------------------------------


def relu(call: Call, index: Index) -> Formula:
    """max(x, 0)"""
    x = float(call.x[index])
    return Formula(["max(", at("x", call.x, *index), ", 0)"], x if math.isnan(x) else max(x, 0.0), scale=abs(x))


def sigmoid(call: Call, index: Index) -> Formula:
    """1 / (1 + e^-x)"""
    x = float(call.x[index])
    exponent = Number("-x" + bracket(index), -x)
    with np.errstate(over="ignore"):
        result = float(1 / (1 + np.exp(-x)))
    return Formula(["1 / (1 + e^(", exponent, "))"], result, scale=1.0)


def tanh(call: Call, index: Index) -> Formula:
    """tanh(x)"""
    return Formula(["tanh(", at("x", call.x, *index), ")"], math.tanh(float(call.x[index])), scale=1.0)


def sloped(call: Call, index: Index, slope: float, tokens: Tokens) -> Formula:
    """dL/dy times the slope, which `tokens` write."""
    dy = at("dL/dy", gradient(call), *index)
    middle: Tokens = [dy, " * ", Number("slope", slope)] if len(tokens) > 1 else []
    return Formula([dy, " * ", *tokens], dy.value * slope, middle=middle, scale=abs(dy.value))


def relu_backward(call: Call, index: Index) -> Formula:
    """dL/dy [y > 0]"""
    slope = float(np.sign(call.y[index]))
    return sloped(call, index, slope, [Number(f"[y{bracket(index)} > 0]", slope)])


def sigmoid_backward(call: Call, index: Index) -> Formula:
    """dL/dy y (1 - y)"""
    y = at("y", call.y, *index)
    return sloped(call, index, y.value * (1 - y.value), [y, " * (1 - ", y, ")"])


def tanh_backward(call: Call, index: Index) -> Formula:
    """dL/dy (1 - y^2)"""
    y = at("y", call.y, *index)
    return sloped(call, index, 1 - y.value * y.value, ["(1 - ", y, "^2)"])


FORWARD = {
    ReLU: ("y = max(x, 0)", relu),
    Sigmoid: ("y = 1 / (1 + e^(-x))", sigmoid),
    Tanh: ("y = tanh(x)", tanh),
}
BACKWARD = {
    ReLU: ("dL/dx = dL/dy [y > 0]", relu_backward),
    Sigmoid: ("dL/dx = dL/dy y (1 - y)", sigmoid_backward),
    Tanh: ("dL/dx = dL/dy (1 - y^2)", tanh_backward),
}


# --- layers of one's own: what is known ------------------------------------------------------------------------------


def said_by(kind: type) -> str:
    """What a layer's docstring says first, if that is a formula: "y = x where x > 0, else x / 100"."""
    first = (kind.__dict__.get("__doc__") or "").strip().partition("\n")[0]
    formula = first.partition(": ")[0].partition(". ")[0].rstrip(".")
    return formula if formula.startswith("y = ") else ""


def own_forward(call: Call, index: Index) -> Formula:
    """f(x) of an entry where the layer says that it works element by element; else the row that went in, if short."""
    if isinstance(call.layer, Activation):
        return Formula(["f(", at("x", call.x, *index), ")"])
    row = index[0]
    if call.x.ndim > 2 or call.x.shape[1] > 4:
        return Formula([f"f(x[{row},{':' if call.x.ndim == 2 else '...'}])"])
    inputs = joined([[at("x", call.x, row, i)] for i in range(call.x.shape[1])], ", ")
    return Formula(["f(", *inputs, f")[{index[1]}]"])


def own_backward(call: Call, index: Index, own: str) -> Formula:
    """The slope that backward has used, where there is one: dx / dy."""
    dy, dx = gradient(call), call.dx
    if isinstance(call.layer, Activation) and dx is not None and dy[index] != 0:
        slope = float(dx[index]) / float(dy[index])
        return Formula([at("dL/dy", dy, *index), " * ", Number(f"f'(x{bracket(index)})", slope)])
    return Formula([own + bracket(index)])
