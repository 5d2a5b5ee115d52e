"""An ONNX graph while it is being written: nodes, arrays, and the layout of images.

Images are (N, H, V, C) in tinynn and (N, C, H, V) in ONNX. A Tensor says which one its tensor has, and the graph
transposes where a node needs the other one: at the border of a row of image layers, not between them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ... import checks
from ...layers.layer import Layer, Shape
from ...model import Model
from ...saving.files import short

OPSET = 20  # of ONNX 1.15, the first with Gelu; the newest would shut out older readers


class Tensor(NamedTuple):
    """A tensor of the graph: its name, and the shape of one example of it, features last, as in tinynn."""

    name: str
    shape: Shape
    first: bool = False  # whether the tensor itself has the features on axis 1


class Graph:
    """The nodes that were written so far, and the arrays that they use."""

    def __init__(self, onnx: Any, model: Model, ops: Mapping[type, Callable[[Any, Graph, Tensor], Tensor]]) -> None:
        self.ops = ops  # class of a layer -> the function that writes it
        self.onnx, self.dtype, self.to_numpy = onnx, model.dtype, model.ops.to_numpy
        self.nodes: list[Any] = []
        self.arrays: list[Any] = []
        self.place = ""  # of the layer that is being written
        self.names = {"x", "y"}
        self.turned: dict[str, Tensor] = {}  # name of a value -> the same in the other layout

    def add(self, op: str, *inputs: Any, shape: Shape | None = None, **attributes: Any) -> Tensor:
        """Write one node; its output has the layout and, unless it is said, the shape of the first value.

        Inputs are values, which all get the layout of the first one, arrays or numbers, and names of `constant`. In the
        `to_onnx` of a layer of your own, the features are on the last axis.
        """
        like = next(value for value in inputs if isinstance(value, Tensor))
        turn = self.channels_first if like.first else self.channels_last
        names = [turn(one).name if isinstance(one, Tensor) else self.constant(one) for one in inputs]
        name = self._new(op)
        self.nodes.append(self.onnx.helper.make_node(op, names, [name], name=name, **attributes))
        return Tensor(name, like.shape if shape is None else shape, like.first)

    def constant(self, array: Any, name: str = "constant") -> str:
        """The name of an array in the file, such as "1.W" for "W" of layer 1; floats are in the model's dtype."""
        if isinstance(array, str):  # it has one already
            return array
        array = np.asarray(self.to_numpy(array) if hasattr(array, "shape") else array)
        array = array.astype(self.dtype) if array.dtype.kind == "f" or array.ndim == 0 else array  # (axes are whole)
        name = self._new(name)
        self.arrays.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def layer(self, layer: Layer, x: Tensor) -> Tensor:
        """Write one layer: y from x."""
        write = getattr(layer, "to_onnx", None)
        if write is None:
            defined = next(cls for cls in type(layer).__mro__ if "forward" in vars(cls))
            if defined not in self.ops:
                expected = "one of tinynn's or have a method to_onnx(self, graph, x) that says what it is in ONNX's ops"
                hint = 'return graph.add("Mul", x, x)'
                raise TypeError(f"{layer.where} must be {expected}, such as: {hint}")
            write = functools.partial(self.ops[defined], layer)
        else:
            x = self.channels_last(x)
        outer, self.place = self.place, "" if layer.place is None else f"{layer.place}."
        y = write(self, x)
        self.place = outer
        if not isinstance(y, Tensor):
            raise TypeError(f"{layer.where}: to_onnx must return what graph.add gives, not {checks.describe(y)}")
        return y._replace(shape=layer.output_shape(x.shape) or y.shape)

    def channels_first(self, value: Tensor) -> Tensor:
        """The same with the features on axis 1, where ONNX's image ops expect them."""
        return self._laid_out(value, True)

    def channels_last(self, value: Tensor) -> Tensor:
        """The same with the features on the last axis, as everywhere in tinynn."""
        return self._laid_out(value, False)

    def _laid_out(self, value: Tensor, first: bool) -> Tensor:
        ndim = 1 + len(value.shape)
        if value.first == first or ndim == 2:  # a table is the same in both
            return value._replace(first=first)
        if value.name not in self.turned:
            order = [0, ndim - 1, *range(1, ndim - 1)] if first else [0, *range(2, ndim), 1]
            turned = self.add("Transpose", value, perm=order)._replace(first=first)
            self.turned |= {value.name: turned, turned.name: value}
        return self.turned[value.name]

    def _new(self, word: str) -> str:
        """A name that no other thing in the graph has, by the layer's place."""
        name, count = f"{self.place}{word}", 1
        while name in self.names:
            count += 1
            name = f"{self.place}{word}_{count}"
        self.names.add(name)
        return name

    def whole(self, shape: Shape, y: Tensor) -> Any:
        """The file's content, with x and y as the graph's ends; checked by ONNX's own checker."""
        helper = self.onnx.helper
        if y.name == "x":  # a model of Dropout alone
            y = self.add("Identity", y)
        for node in self.nodes:
            for names in (node.input, node.output):
                names[:] = ["y" if name == y.name else name for name in names]
        kind = helper.np_dtype_to_tensor_dtype(self.dtype)
        ends = [
            helper.make_tensor_value_info(name, kind, ["N", *(n or f"{name}{axis}" for axis, n in enumerate(sizes, 1))])
            for name, sizes in (("x", shape), ("y", y.shape))
        ]
        graph = helper.make_graph(self.nodes, "tinynn", ends[:1], ends[1:], self.arrays)
        imports = [helper.make_opsetid("", OPSET)]
        version = helper.find_min_ir_version_for(imports)
        model = helper.make_model(graph, producer_name="tinynn", opset_imports=imports, ir_version=version)
        try:
            self.onnx.checker.check_model(model, full_check=True)
        except Exception as error:  # ONNX has several kinds of its own
            expected = "model must consist of ops that ONNX defines, with the inputs and attributes that it defines"
            found = short(" ".join(str(error).split()))
            raise ValueError(f"{expected} (look at to_onnx of your own layers); onnx says: {found}") from error
        return model
