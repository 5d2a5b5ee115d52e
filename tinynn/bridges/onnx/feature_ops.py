"""Ops that work number by number as layers: activations, a number for each feature, the sum of two branches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...checks import Array
from ...layers import (
    ELU,
    GELU,
    Affine,
    BatchNorm,
    Conv2D,
    GELUTanh,
    LeakyReLU,
    ReLU,
    Residual,
    Sigmoid,
    SiLU,
    Softplus,
    Tanh,
)
from ...layers.layer import Layer
from ...model import Sequential
from ...saving.torch_names import channels_last_order
from .node import Node, Pattern, Value
from .reader import Reader


def _add(reader: Reader, node: Node) -> Value:
    if any(isinstance(one, np.ndarray) for one in node.inputs):
        return _each_feature(reader, node, lambda s, t, c: (s, t + c))
    return _residual(reader, node, node.value(0), node.value(1))


def _sub(reader: Reader, node: Node) -> Any:
    if isinstance(node.inputs[0], np.ndarray):  # 1 - p, of two classes
        p = node.value(1)
        node.demand(node.inputs[0].size == 1 and node.inputs[0].item() == 1, "be x - b, or 1 - p for two classes")
        return Pattern("1 -", p)
    return _each_feature(reader, node, lambda s, t, c: (s, t - c))


def _mul(reader: Reader, node: Node) -> Value:
    if any(isinstance(one, np.ndarray) for one in node.inputs):
        return _each_feature(reader, node, lambda s, t, c: (s * c, t * c))
    x, gate = sorted((node.value(0), node.value(1)), key=lambda one: len(one.layers))
    node.demand(_behind(gate, x, Sigmoid), "be by a number for each feature, or x sigmoid(x)")
    return reader.put(x, SiLU())


def _behind(y: Value, x: Value, kind: type[Layer]) -> bool:
    """Whether y is x behind one layer of that kind."""
    return bool(y.layers) and isinstance(y.layers[-1], kind) and y._replace(layers=y.layers[:-1]) == x


def _div(reader: Reader, node: Node) -> Value:
    return _each_feature(reader, node, lambda s, t, c: (s / c, t / c))


def _each_feature(reader: Reader, node: Node, change: Callable[[Array, Array, Array], tuple[Array, Array]]) -> Value:
    """y = s x + t with a number for each feature: within the layer before it where that is linear, else a BatchNorm."""
    index = 1 if len(node) > 1 and isinstance(node.inputs[1], np.ndarray) else 0
    node.demand(len(node) == 2 and (index == 1 or node.op in ("Add", "Mul")), "have two inputs, x the first")
    x, c = node.value(1 - index), np.asarray(node.inputs[index])
    node.demand(node.op != "Div" or bool(c.all()), "not divide by 0")
    c = reader.floats("the numbers", c, c.ndim)
    node.demand(c.ndim <= x.ndim and not x.ones, "have a number for each feature")
    sizes = [1] * (x.ndim - c.ndim) + [*c.shape]
    many = [axis for axis, size in enumerate(sizes) if size > 1]
    n, axis = x.shape[-1], 1 if x.first else x.ndim - 1
    node.demand(n is not None and many in ([], [axis]) and c.size in (1, n), "have a number for each feature")
    c = np.broadcast_to(c.ravel(), (n,))  # type: ignore[arg-type]
    c = c if x.order is None or c.size != math.prod(x.order) else c[channels_last_order(x.order)]  # type: ignore
    *before, last = x.layers or (None,)
    one, zero = np.ones_like(c), np.zeros_like(c)
    new: Any
    if isinstance(last, Affine):
        s, t = change(one, last.b, c)
        new = Affine(last.n_in, last.n_out)
        new.W, new.b = last.W * s, t
    elif isinstance(last, Conv2D):
        s, t = change(one, last.b if last.bias else zero, c)
        new = Conv2D(
            last.n_in, last.n_out, last.kernel, last.stride, last.padding, last.bias or node.op in ("Add", "Sub")
        )
        new.W = last.W * s
        if new.bias:
            new.b = t
    else:
        old: Any = last if isinstance(last, BatchNorm) else None
        before = before if old else [*x.layers]
        new = BatchNorm(len(c), *((old.momentum, old.eps) if old else ()))
        new.g, new.b = change(old.g if old else one, old.b if old else zero, c)
        new.mean, new.var = (old.mean, old.var) if old else (zero, one - c.dtype.type(new.eps))
    return x._replace(layers=(*before, new))


def _residual(reader: Reader, node: Node, a: Value, b: Value) -> Value:
    """The sum of two branches: the layers that both have come through stay before it."""
    alike = (a.shape, a.ones, a.order) == (b.shape, b.ones, b.order) and (a.first == b.first or a.ndim == 2)
    node.demand(alike, "add up branches of one shape")
    same = next((n for n, (one, two) in enumerate(zip(a.layers, b.layers)) if one is not two), None)
    same = min(len(a.layers), len(b.layers)) if same is None else same
    f, around = sorted((a.layers[same:], b.layers[same:]), key=len, reverse=True)
    inner = [id(layer) for layer in (*f, *around)]
    node.demand(bool(f), "add up two values, not one and itself")
    node.demand(reader.inner.isdisjoint(inner), "add up branches that have no layers in common with others")
    reader.inner.update(inner)
    shortcut: Layer | None = Sequential.unbuilt(*around) if len(around) > 1 else around[0] if around else None
    return a._replace(layers=(*a.layers[:same], Residual(*f, shortcut=shortcut)))


def _activation(make: Callable[[Node], Layer]) -> Callable[[Reader, Node], Value]:
    return lambda reader, node: reader.put(node.value(), make(node))


def _gelu(node: Node) -> Layer:
    approximate = node.attribute("approximate", "s", "none")
    node.demand(approximate in ("none", "tanh"), "have approximate none or tanh")
    return GELU() if approximate == "none" else GELUTanh()


def _same(reader: Reader, node: Node) -> Any:
    """What does nothing in use: Identity, Dropout, and ZipMap at the end."""
    for name, kind in (("seed", "i"), ("ratio", "f")):
        node.attribute(name, kind, None)
    if node.op == "ZipMap":
        node.attributes.clear()  # the names of the classes
        return node.value(ended=True)._replace(ended=True)
    training = node.inputs[2] if len(node) > 2 else None
    node.demand(training is None or (isinstance(training, np.ndarray) and not training.any()), "be in use")
    return node.inputs[0] if node.inputs and isinstance(node.inputs[0], np.ndarray) else node.value(ended=True)


def _cast(reader: Reader, node: Node) -> Any:
    node.attribute("saturate", "i", 1)
    types = {1: np.dtype("float32"), 11: np.dtype("float64"), 7: np.dtype("int64"), 6: np.dtype("int32")}
    dtype: Any = types.get(node.attribute("to", "i", 0))
    array = node.inputs[0] if node.inputs and isinstance(node.inputs[0], np.ndarray) else None
    kind = "f" if array is None else array.dtype.kind
    node.demand(dtype is not None and dtype.kind == kind, "cast floats to float32 or float64")
    if array is not None:
        return array.astype(dtype)
    reader.casts.append((node.where, dtype))
    return node.value(ended=True)


def _softmax(reader: Reader, node: Node) -> Value:
    x = node.value()
    axis = node.attribute("axis", "i", -1 if reader.opset >= 13 else 1)
    right = not x.ones and axis in (-1, x.ndim - 1) and (x.ndim == 2 or not x.first)
    node.demand(right, "be over the features, on the last axis")
    return x._replace(ended=True)


def _greater(reader: Reader, node: Node) -> Any:
    limit = node.inputs[1] if len(node) > 1 else None
    right = isinstance(limit, np.ndarray) and limit.size == 1 and limit.item() >= 20
    node.demand(right, "be part of PyTorch's Softplus")
    return Pattern("large", node.value())


def _where(reader: Reader, node: Node) -> Value:
    """PyTorch's Softplus is x itself from 20 on, where the two differ by less than e^-20."""
    x, y = node.value(1), node.value(2)
    right = node.inputs[0] == Pattern("large", x) and _behind(y, x, Softplus)
    node.demand(right, "be part of PyTorch's Softplus")
    return y


READ: dict[str, Callable[[Reader, Node], Any]] = {
    "Add": _add,
    "Sub": _sub,
    "Mul": _mul,
    "Div": _div,
    "Relu": _activation(lambda node: ReLU()),
    "Sigmoid": _activation(lambda node: Sigmoid()),
    "Tanh": _activation(lambda node: Tanh()),
    "LeakyRelu": _activation(lambda node: LeakyReLU(node.attribute("alpha", "f", 0.01))),
    "Elu": _activation(lambda node: ELU(node.attribute("alpha", "f", 1.0))),
    "Gelu": _activation(_gelu),
    "Softplus": _activation(lambda node: Softplus()),
    "Identity": _same,
    "Dropout": _same,
    "ZipMap": _same,
    "Cast": _cast,
    "Softmax": _softmax,
    "Greater": _greater,
    "Where": _where,
}
