"""A graph that is read without trusting it: from the names in it to the layers that they stand for.

The nodes that y depends on are read in their order. The output of each is a Value: the layers that have led to it.
Where two branches are added, the layers that both have in common come before a Residual, and the other layers are
inside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...checks import Array, describe, shape_text
from ...layers.layer import Layer
from ...saving.files import CheckpointError, listed, short
from .node import Node, Value, label

MOST_NODES = 10_000
MOST_LAYERS = 1000  # Sequential compares each layer with each other
DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
CHANNELS_FIRST = {"Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "BatchNormalization"}
BY_NUMBER = {"Add", "Sub", "Mul", "Div", "Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "Gelu", "Softplus"}
BY_NUMBER |= {"Identity", "Dropout", "Cast", "Greater", "Where"}
OLDEST = 7  # opset: before it Add and Gemm broadcast by other rules


class Reader:
    """A graph that is read: what the names in it stand for."""

    def __init__(self, onnx: Any, model: Any) -> None:
        self.onnx, self.graph = onnx, model.graph
        self.dtype: Any = None  # of the weights
        self.opset = self._opset(model)
        self.arrays = self._by_name("initializer", self.graph.initializer)
        if any(one.domain in DOMAINS for one in model.functions):
            raise CheckpointError("the file must not define functions of its own under the names of ONNX's ops")
        if self.graph.sparse_initializer:
            raise CheckpointError("initializers must be dense, not sparse")
        self.known: dict[str, Any] = {}  # name -> Value, array, or what a pattern of nodes has given so far
        self.nodes = self._needed(self._output())
        self._input()
        self.inner: set[int] = set()  # the ids of layers that stand in a Residual
        self.casts: list[tuple[str, Any]] = []

    def _opset(self, model: Any) -> int:
        versions = [one.version for one in model.opset_import if one.domain in ("", "ai.onnx")]
        newest = self.onnx.defs.onnx_opset_version()
        if len(versions) != 1 or not OLDEST <= versions[0] <= newest:
            hint = "is it an ONNX file? (a newer package onnx may know newer ones)"
            raise CheckpointError(f"opset must be one of {OLDEST} to {newest}, not {listed(versions)}: {hint}")
        return int(versions[0])

    def _by_name(self, thing: str, items: Any) -> dict[str, Any]:
        named = {item.name: item for item in items}
        if len(named) < len(items):
            raise CheckpointError(f"each {thing} must have a name of its own, not one that is there twice")
        return named

    def _input(self) -> None:
        """Look at x, the graph's input."""
        inputs = [one for one in self.graph.input if one.name not in self.arrays]
        if len(inputs) != 1:
            raise CheckpointError(f"the graph must have one input, not {listed(one.name for one in inputs)}")
        name, tensor = short(inputs[0].name), inputs[0].type.tensor_type
        floats = {1: np.dtype("float32"), 11: np.dtype("float64")}
        if tensor.elem_type not in floats:
            raise CheckpointError(f"input {name!r} must be float32 or float64, not type {tensor.elem_type}")
        self.input_dtype = floats[tensor.elem_type]
        dims = [d.dim_value if d.WhichOneof("value") == "dim_value" else None for d in tensor.shape.dim]
        if len(dims) < 2 or any(n is not None and n < 1 for n in dims[1:]):
            raise CheckpointError(f"input {name!r} must have a shape (N, ...), not {short(dims)}")
        self.batch, self.x = dims[0], self.start(inputs[0].name, dims[1:])
        self.known[inputs[0].name] = self.x

    def start(self, name: str, sizes: list[Any]) -> Value:
        """x, with the sizes of one example as they lie; which axis has the features, the first op that cares tells."""
        same, first = {name}, False  # what is computed number by number
        for node in self.nodes if len(sizes) > 1 else ():
            if same.isdisjoint(node.input) or node.op_type == "Shape":
                continue
            if node.op_type not in BY_NUMBER:
                turned = any(one.name == "perm" and [*one.ints] == [0, 2, 3, 1] for one in node.attribute)
                first = node.op_type in CHANNELS_FIRST or (node.op_type == "Transpose" and turned)
                break
            same.update(node.output)
        self.x = Value((), (*sizes[1:], sizes[0]) if first else tuple(sizes), first)
        return self.x

    # --- the walk ---

    def follow(self, ops: Mapping[str, Callable[[Reader, Any], Any]]) -> Value:
        """What the graph's output is, by the layers that lead to it; `ops` has a function for each op."""
        name = self._output()
        for proto in self.nodes:
            if proto.domain not in DOMAINS or proto.op_type not in ops:
                raise CheckpointError(f"{label(proto)} must be one of {', '.join(sorted(ops))}, not another op")
            node = Node(proto, self._find)
            try:
                result = ops[proto.op_type](self, node)
            except CheckpointError:
                raise
            except IndexError:
                raise CheckpointError(f"{node.where} must have all inputs that it needs, not {len(node)}") from None
            except (TypeError, ValueError) as error:  # of a layer that takes no such arguments
                raise CheckpointError(f"{node.where}: {short(error)}") from error
            node.demand_all_read()
            self.known[proto.output[0]] = result
        y = self.known.get(name)
        if not isinstance(y, Value):
            raise CheckpointError(f"output {name!r} must be what the network computes, not a constant")
        self._demand_whole(name, y)
        return y

    def _find(self, where: str, name: str) -> Any:
        """What a node's input stands for."""
        if name in self.arrays and name not in self.known:
            self.known[name] = self.array(f"initializer {short(name)!r}", self.arrays[name])
        if name not in self.known:
            raise CheckpointError(f"{where}: input {short(name)!r} must come from a node before it, not from none")
        return self.known[name]

    def _output(self) -> str:
        """The name of the output that is numbers. (scikit-learn's classifiers give labels, too.)"""
        words = {self.onnx.TensorProto.INT64, self.onnx.TensorProto.INT32, self.onnx.TensorProto.STRING}
        names = [one.name for one in self.graph.output if one.type.tensor_type.elem_type not in words]
        if len(names) != 1:
            raise CheckpointError(f"the graph must have one output of floats, not {listed(names)}")
        return str(names[0])

    def _needed(self, name: str) -> list[Any]:
        """The nodes that a value depends on, in their order."""
        if len(self.graph.node) > MOST_NODES:
            raise CheckpointError(f"the graph must have at most {MOST_NODES} nodes, not {len(self.graph.node)}")
        given = {*self.arrays, *(one.name for one in self.graph.input)}
        makers: dict[str, int] = {}
        for number, node in enumerate(self.graph.node):
            for output in filter(None, node.output):
                if output in makers or output in given:
                    raise CheckpointError(f"value {short(output)!r} must be given once, not by several nodes")
                makers[output] = number
        needed: set[int] = set()
        open_names = [name]
        while open_names:
            number = makers.get(open_names.pop(), -1)
            if number >= 0 and number not in needed:
                needed.add(number)
                open_names += self.graph.node[number].input
        return [self.graph.node[number] for number in sorted(needed)]

    def _demand_whole(self, name: str, y: Value) -> None:
        if y.order is not None:
            raise CheckpointError(
                f"output {name!r} must not be a Flatten of channels-first images: their order is lost"
            )
        self.dtype = self.input_dtype if self.dtype is None else self.dtype
        for where, dtype in self.casts:
            if dtype != self.dtype:
                raise CheckpointError(f"{where} must cast to the dtype of the weights, {self.dtype}, not {dtype}")
        for layer in y.layers:
            if id(layer) in self.inner:
                raise CheckpointError(f"{layer!r}: its output must go one way, or two that are added up, not others")
        if not 0 < len(y.layers) <= MOST_LAYERS:
            raise CheckpointError(f"the network must have 1 to {MOST_LAYERS} layers, not {len(y.layers)}")

    # --- what the ops need ---

    def put(self, value: Value, layer: Layer, **changes: Any) -> Value:
        """The value behind one more layer."""
        if len(value.layers) >= MOST_LAYERS:
            raise CheckpointError(f"the network must have at most {MOST_LAYERS} layers, not more")
        try:
            shape = layer.output_shape(value.shape)
        except ValueError as error:
            raise ValueError(f"{layer!r} {error}, not {shape_text(value.shape)}") from None
        return value._replace(**{"layers": (*value.layers, layer), "shape": shape, **changes})

    def floats(self, thing: str, array: Any, ndim: int) -> Array:
        """An array of weights, of the dtype that all have, with so many axes."""
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or array.ndim != ndim or not array.size:
            raise ValueError(f"{thing} must be an initializer of floats with {ndim} axes, not {_got(array)}")
        if self.dtype is None:
            self.dtype = array.dtype
        if array.dtype != self.dtype:
            raise ValueError(f"{thing} must be {self.dtype} as other weights are, not {array.dtype}")
        return array

    def array(self, thing: str, tensor: Any) -> Array:
        """The array in a tensor, when its type, its shape and the numbers that are there agree."""
        if tensor.data_location == self.onnx.TensorProto.EXTERNAL or tensor.external_data:
            hint = "torch.onnx.export(..., external_data=False), or onnx.save(onnx.load(path), new_path)"
            raise CheckpointError(f"{thing} must be in this file, not in another: {hint}")
        types = {1: ("<f4", tensor.float_data), 11: ("<f8", tensor.double_data)}
        types |= {6: ("<i4", tensor.int32_data), 7: ("<i8", tensor.int64_data)}
        if tensor.data_type not in types:
            raise CheckpointError(f"{thing} must be of float32, float64 or whole numbers, not type {tensor.data_type}")
        dtype, numbers = types[tensor.data_type]
        count = math.prod(tensor.dims) if len(tensor.dims) <= 8 and all(0 <= n < 2**31 for n in tensor.dims) else -1
        found = len(tensor.raw_data) / np.dtype(dtype).itemsize if tensor.HasField("raw_data") else len(numbers)
        if count != found:
            raise CheckpointError(f"{thing} must have as many numbers as its shape says, not {found:g}")
        data = np.frombuffer(tensor.raw_data, dtype) if tensor.HasField("raw_data") else np.array(numbers, dtype)
        return data.astype(data.dtype.newbyteorder("=")).reshape(tuple(tensor.dims))


def _got(thing: Any) -> str:
    return "what a node gives" if isinstance(thing, Value) else describe(thing)
