"""A model as an ONNX file: a graph of standard ops that onnxruntime, browsers and phones compute.

WRITE has a function for each kind of layer. Most are one node. The layout of images differs: it is (N, H, V, C) here
and (N, C, H, V) in ONNX. A Tensor says which layout it has, and the graph transposes it where a node needs the other
one: at both ends of a row of image layers, not between them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ... import checks
from ...layers import activations, affine, convolution, dropout, normalization, pooling, residual
from ...layers.layer import Shape
from ...model import Model, Sequential
from ...nesting import walk
from ...saving.arguments import demand_parts
from ...saving.files import replace
from .graph import Graph, Tensor
from .package import onnx_package

LARGEST = 2**31 - 2**24  # bytes of numbers: a file of ONNX's format has less than 2 GiB


def to_onnx(model: Model, path: Any, softmax: bool = False) -> None:
    """Write `model`, as it is in use, to `path`: input "x" as `predict` takes it, (N, ...) for any N; output "y".

    softmax=True adds the softmax that SoftmaxCrossEntropy would apply: y are then probabilities. The numbers are those
    of `predict`, apart from rounding, in the dtype of the model. (onnxruntime has no convolutions, mean pooling and
    GELU in float64; onnx.reference has them.) Images stay (N, H, V, C). A model without a `shape` takes tables, or
    images where its layers need them.

    A layer of your own describes itself in ONNX's ops; `graph.add` takes values and arrays:

        class Square(Layer):
            ...
            def to_onnx(self, graph, x):
                return graph.add("Mul", x, x)

    x has its features on the last axis; `graph.channels_first(x)` is x as ONNX's image ops need it. `graph.layer(layer,
    x)` writes a layer inside yours. A Model of your own needs such a method, too.

    Raises TypeError for a layer that tinynn does not know and that has no such method, ValueError where the shape of x
    must be known and is not, ImportError without the package onnx, OSError where the file cannot be written.
    """
    onnx = onnx_package()
    demand_parts(model, order="the model comes first, to_onnx(model, path)")
    softmax = checks.flag("softmax", softmax)
    size = model.params.nbytes + model.flat_buffers.nbytes
    if size > LARGEST:
        raise ValueError(f"model must have less than 2 GiB of numbers to fit into an ONNX file, not {size / 2**30:.1f}")
    shape = _input_shape(model)
    graph = Graph(onnx, model, WRITE)
    y = graph.channels_last(graph.layer(model, Tensor("x", shape)))
    if softmax:
        y = graph.add("Softmax", y, axis=-1)
    data = graph.whole(shape, y).SerializeToString()
    replace(path, lambda file: file.write(data))


def _input_shape(model: Model) -> Shape:
    """The shape of one example of x; None for a size that is free. Raises ValueError where the layers do not say it."""
    given: Shape | None = getattr(model, "shape", None)
    if given is not None:
        return given
    for _, layer in walk(model):
        if isinstance(layer, pooling.Flatten | pooling.GlobalAvgPool):
            break
        if layer.n_in is not None:
            for shape in ((layer.n_in,), (None, None, layer.n_in)):
                try:
                    model.output_shape(shape)
                except ValueError:
                    continue
                return shape
    raise ValueError("model must say the shape of one example, Sequential(..., shape=(28, 28, 1)), not leave it open")


# --- what each layer is in ONNX's ops ---------------------------------------------------------------------------------


def _sequential(model: Any, graph: Graph, x: Tensor) -> Tensor:
    for layer in model.layers:
        x = graph.layer(layer, x)
    return x


def _residual(layer: Any, graph: Graph, x: Tensor) -> Tensor:
    around = x if layer.shortcut is None else graph.layer(layer.shortcut, x)
    return graph.add("Add", _sequential(layer, graph, x), around)


def _affine(layer: Any, graph: Graph, x: Tensor) -> Tensor:
    x, shape = graph.channels_last(x), (*x.shape[:-1], layer.n_out)
    W, b = graph.constant(layer.W, "W"), graph.constant(layer.b, "b")
    if len(shape) == 1:
        return graph.add("Gemm", x, W, b, shape=shape)
    return graph.add("Add", graph.add("MatMul", x, W, shape=shape), b)


def _windows(layer: Any, x: Tensor) -> dict[str, Any]:
    """Kernel, strides and padding as attributes; "same" is by ONNX's rule where the size of the images is free."""
    sizes: dict[str, Any] = {"kernel_shape": layer.kernel, "strides": layer.stride}
    if layer.padding == "same" and None in x.shape[:2]:
        return {**sizes, "auto_pad": "SAME_UPPER"}
    (above, below), (left, right) = layer.around(x.shape)
    return {**sizes, "pads": [above, left, below, right]}


def _conv2d(layer: Any, graph: Graph, x: Tensor) -> Tensor:
    arrays = [graph.constant(graph.to_numpy(layer.W).transpose(3, 2, 0, 1), "W")]  # (n_out, n_in, KH, KW)
    arrays += [graph.constant(layer.b, "b")] if layer.bias else []
    return graph.add("Conv", graph.channels_first(x), *arrays, **_windows(layer, x))


def _pool(op: str, layer: Any, graph: Graph, x: Tensor) -> Tensor:
    return graph.add(op, graph.channels_first(x), **_windows(layer, x))


def _global_avg_pool(layer: Any, graph: Graph, x: Tensor) -> Tensor:
    pooled = graph.add("GlobalAveragePool", graph.channels_first(x))  # (N, C, 1, 1)
    return graph.add("Flatten", pooled, axis=1, shape=x.shape[-1:])


def _flatten(layer: Any, graph: Graph, x: Tensor) -> Tensor:
    if len(x.shape) == 1:
        return x
    size = None if None in x.shape else math.prod(x.shape)  # type: ignore[arg-type]
    return graph.add("Flatten", graph.channels_last(x), axis=1, shape=(size,))


def _batch_norm(layer: Any, graph: Graph, x: Tensor) -> Tensor:
    """ONNX keeps epsilon in float32: what that loses is added to the variance."""
    eps = float(np.float32(layer.eps))
    var = layer.var + graph.dtype.type(layer.eps - eps)
    arrays = {"g": layer.g, "b": layer.b, "mean": layer.mean, "var": var}
    names = [graph.constant(array, name) for name, array in arrays.items()]
    return graph.add("BatchNormalization", graph.channels_first(x), *names, epsilon=eps)


def _as_it_is(layer: Any, graph: Graph, x: Tensor) -> Tensor:
    return x


def _op(op: str, **attributes: Any) -> Callable[[Any, Graph, Tensor], Tensor]:
    """An activation that is one op."""
    return lambda layer, graph, x: graph.add(op, x, **attributes)


def _silu(layer: Any, graph: Graph, x: Tensor) -> Tensor:
    return graph.add("Mul", x, graph.add("Sigmoid", x))


# In float64 these are written in elementary ops: ONNX's attributes, and its constants in Gelu, have float32's digits.


def _leaky_relu(layer: Any, graph: Graph, x: Tensor) -> Tensor:
    if graph.dtype == np.float32:
        return graph.add("LeakyRelu", x, alpha=layer.slope)
    return graph.add("Where", graph.add("Greater", x, 0.0), x, graph.add("Mul", x, layer.slope))


def _elu(layer: Any, graph: Graph, x: Tensor) -> Tensor:
    if graph.dtype == np.float32:
        return graph.add("Elu", x, alpha=layer.alpha)
    left = graph.add("Sub", graph.add("Exp", graph.add("Min", x, 0.0)), 1.0)
    return graph.add("Add", graph.add("Relu", x), graph.add("Mul", left, layer.alpha))


def _softplus(layer: Any, graph: Graph, x: Tensor) -> Tensor:
    if graph.dtype == np.float32:
        return graph.add("Softplus", x)
    e = graph.add("Exp", graph.add("Neg", graph.add("Abs", x)))
    return graph.add("Add", graph.add("Relu", x), graph.add("Log", graph.add("Add", e, 1.0)))


def _gelu(layer: Any, graph: Graph, x: Tensor) -> Tensor:
    if graph.dtype == np.float32:
        return graph.add("Gelu", x)
    erf = graph.add("Erf", graph.add("Mul", x, math.sqrt(0.5)))
    return graph.add("Mul", graph.add("Mul", x, 0.5), graph.add("Add", erf, 1.0))


def _gelu_tanh(layer: Any, graph: Graph, x: Tensor) -> Tensor:
    if graph.dtype == np.float32:
        return graph.add("Gelu", x, approximate="tanh")
    cube = graph.add("Mul", graph.add("Mul", x, x), graph.add("Mul", x, 0.044715))
    tanh = graph.add("Tanh", graph.add("Mul", graph.add("Add", x, cube), math.sqrt(2 / math.pi)))
    return graph.add("Mul", graph.add("Mul", x, 0.5), graph.add("Add", tanh, 1.0))


WRITE: dict[type, Callable[[Any, Graph, Tensor], Tensor]] = {
    Sequential: _sequential,
    residual.Residual: _residual,
    affine.Affine: _affine,
    convolution.Conv2D: _conv2d,
    normalization.BatchNorm: _batch_norm,
    pooling.MaxPool2D: functools.partial(_pool, "MaxPool"),
    pooling.AvgPool2D: functools.partial(_pool, "AveragePool"),
    pooling.GlobalAvgPool: _global_avg_pool,
    pooling.Flatten: _flatten,
    dropout.Dropout: _as_it_is,
    activations.ReLU: _op("Relu"),
    activations.Sigmoid: _op("Sigmoid"),
    activations.Tanh: _op("Tanh"),
    activations.LeakyReLU: _leaky_relu,
    activations.ELU: _elu,
    activations.GELU: _gelu,
    activations.GELUTanh: _gelu_tanh,
    activations.SiLU: _silu,
    activations.Softplus: _softplus,
}
