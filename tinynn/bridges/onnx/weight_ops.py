"""Ops with windows and weights as layers: affine maps, convolution, pooling, batch normalization."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...checks import Array
from ...layers import Affine, AvgPool2D, BatchNorm, Conv2D, GlobalAvgPool, MaxPool2D
from ...saving.torch_names import channels_last_order
from .node import Node, Value
from .reader import Reader


def _gemm(reader: Reader, node: Node) -> Value:
    """alpha x W + beta b."""
    x = node.value()
    alpha, beta = node.attribute("alpha", "f", 1.0), node.attribute("beta", "f", 1.0)
    node.demand(node.attribute("transA", "i", 0) == 0, "not have its x transposed")
    W = reader.floats("W", node.inputs[1] if len(node) > 1 else None, 2)
    W = W.T if node.attribute("transB", "i", 0) else W
    b = np.zeros(W.shape[1], W.dtype)
    if len(node) > 2:
        given = node.inputs[2]
        given = reader.floats("b", given, given.ndim if isinstance(given, np.ndarray) else 1)
        node.demand(given.size == given.shape[-1] if given.ndim else True, "have a b of one row")
        b = np.broadcast_to(given.ravel(), b.shape)
    node.demand(x.ndim == 2 and not x.ones, "take a table (N, D)")
    return _affine(reader, x, W * W.dtype.type(alpha), b * b.dtype.type(beta))


def _matmul(reader: Reader, node: Node) -> Value:
    x = node.value()
    W = reader.floats("W", node.inputs[1] if len(node) > 1 else None, 2)
    node.demand(not x.ones and (x.ndim == 2 or not x.first), "take x with the features on the last axis")
    return _affine(reader, x, W, np.zeros(W.shape[1], W.dtype))


def _affine(reader: Reader, x: Value, W: Array, b: Array) -> Value:
    layer = Affine(*W.shape)
    if x.order is not None and len(W) == math.prod(x.order):  # type: ignore[arg-type]
        W = W[channels_last_order(x.order)]
    layer.W, layer.b = W, b
    return reader.put(x, layer, order=None)


def _images(reader: Reader, node: Node) -> Value:
    x = node.value()
    node.demand(x.ndim == 4 and x.first and not x.ones, "take images (N, C, H, V)")
    return x


def _windows(node: Node, x: Value, kernel: list[int]) -> tuple[Any, Any, Any]:
    """Kernel, stride and padding as tinynn's layers take them."""
    strides, pads = node.attribute("strides", "ints", [1, 1]), node.attribute("pads", "ints", [0] * 4)
    node.demand(node.attribute("dilations", "ints", [1, 1]) == [1, 1], "have dilations of 1")
    auto = node.attribute("auto_pad", "s", "NOTSET")
    node.demand(len(kernel) == len(strides) == 2 and len(pads) == 4, "have a window of height and width")
    above, left, below, right = pads if auto == "NOTSET" else [0] * 4
    node.demand(min(pads) >= 0 and max(above, below) <= kernel[0] and max(left, right) <= kernel[1], "have small pads")
    window: tuple[Any, Any] = tuple(kernel), tuple(strides)
    same = () if None in x.shape else MaxPool2D(*window, "same").around(x.shape)  # type: ignore
    even = bool(same) and all(one == two for one, two in same)  # "same" is the same on both sides, too
    if auto == "SAME_UPPER" or (auto == "SAME_LOWER" and even):
        return *window, "same"
    node.demand(auto in ("NOTSET", "VALID"), "have auto_pad SAME_UPPER: an odd pixel comes below and on the right")
    if (above, left) == (below, right):
        return *window, (above, left)
    sides = ((above, below), (left, right))
    node.demand(sides == same, f"have pads that are the same on both sides or TensorFlow's 'same', not {sides}")
    return *window, "same"


def _conv(reader: Reader, node: Node) -> Value:
    x = _images(reader, node)
    W = reader.floats("W", node.inputs[1] if len(node) > 1 else None, 4)
    node.demand(node.attribute("group", "i", 1) == 1, "have one group")
    n_out, n_in, *kernel = W.shape
    node.demand(node.attribute("kernel_shape", "ints", kernel) == kernel, "have the kernel_shape of its W")
    layer = Conv2D(n_in, n_out, *_windows(node, x, kernel), bias=len(node) > 2)
    layer.W = W.transpose(2, 3, 1, 0)
    if len(node) > 2:
        layer.b = reader.floats("b", node.inputs[2], 1)
        node.demand(layer.b.shape == (n_out,), f"have a b of {n_out} numbers")
    return reader.put(x, layer)


def _pool(layer: type[MaxPool2D] | type[AvgPool2D]) -> Callable[[Reader, Node], Value]:
    def read(reader: Reader, node: Node) -> Value:
        x = _images(reader, node)
        node.demand(node.attribute("ceil_mode", "i", 0) == 0, "have ceil_mode 0")
        node.attribute("storage_order", "i", 0)  # of an output that is not read
        counted = node.attribute("count_include_pad", "i", 0)
        pooling = layer(*_windows(node, x, node.attribute("kernel_shape", "ints", [])))
        node.demand(
            not counted or pooling.padding == (0, 0), "have count_include_pad=0: padding is no part of the mean"
        )
        return reader.put(x, pooling)

    return read


def _global_average_pool(reader: Reader, node: Node) -> Value:
    x = node.value()
    node.demand(x.ndim > 2 and x.first and not x.ones, "take images (N, C, H, V)")
    return reader.put(x, GlobalAvgPool(), ones=True)


def _reduce_mean(reader: Reader, node: Node) -> Value:
    x = node.value()
    axes = node.ints(1) if len(node) > 1 else node.attribute("axes", "ints", [])
    kept = bool(node.attribute("keepdims", "i", 1))
    node.attribute("noop_with_empty_axes", "i", 0)  # there are axes
    axes = sorted(axis % x.ndim for axis in axes if -x.ndim <= axis < x.ndim)
    positions = [*range(2, x.ndim)] if x.first else [*range(1, x.ndim - 1)]
    node.demand(x.ndim > 2 and not x.ones and axes == positions, "be over all positions of images or sequences")
    return reader.put(x, GlobalAvgPool(), ones=kept, first=x.first and kept)


def _batch_normalization(reader: Reader, node: Node) -> Value:
    x = node.value()
    node.demand(len(node) == 5 and not x.ones and (x.ndim == 2 or x.first), "take x and four arrays")
    node.demand(node.attribute("training_mode", "i", 0) == 0, "be in use, training_mode 0")
    g, b, mean, var = (reader.floats(n, a, 1) for n, a in zip(("scale", "B", "mean", "var"), node.inputs[1:]))
    node.demand(g.shape == b.shape == mean.shape == var.shape, "have four arrays of one size")
    given = node.attributes.get("epsilon")
    eps = node.attribute("epsilon", "f", 1e-5)
    exact = float(np.float32(eps)) if given is None else given.f
    layer = BatchNorm(len(g), node.attribute("momentum", "f", 0.9), eps)
    if x.order is not None and len(g) == math.prod(x.order):  # type: ignore[arg-type]
        g, b, mean, var = (a[channels_last_order(x.order)] for a in (g, b, mean, var))
    layer.g, layer.b, layer.mean, layer.var = g, b, mean, var + var.dtype.type(exact - eps)
    return reader.put(x, layer)


READ: dict[str, Callable[[Reader, Node], Any]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Conv": _conv,
    "MaxPool": _pool(MaxPool2D),
    "AveragePool": _pool(AvgPool2D),
    "GlobalAveragePool": _global_average_pool,
    "ReduceMean": _reduce_mean,
    "BatchNormalization": _batch_normalization,
}
