"""A node of an ONNX graph that is read, and what nodes give each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...layers.layer import Layer, Shape
from ...saving.files import CheckpointError, short

FOLDED = 8  # numbers in a shape that nodes compute
KINDS = {"i": "INT", "f": "FLOAT", "s": "STRING", "t": "TENSOR", "ints": "INTS"}


class Value(NamedTuple):
    """What a node gives: the layers that lead to it, and how its tensor lies beside tinynn's."""

    layers: tuple[Layer, ...]
    shape: Shape  # of one example, features last
    first: bool = False  # whether the tensor has the features on axis 1
    ones: bool = False  # whether it has axes of size 1 that a global pooling has left, and tinynn's has not
    order: Shape | None = None  # (H, V, C) where it is a row of (C, H, V), which tinynn has as (H, V, C)
    ended: bool = False  # whether nothing may follow: behind a softmax

    @property
    def ndim(self) -> int:
        """How many axes tinynn's array has, the examples' included."""
        return 1 + len(self.shape)


class Pattern(NamedTuple):
    """What a node gives that has a meaning only for the next one."""

    op: str
    value: Value


def label(proto: Any) -> str:
    """The node for an error message: its name, or else that of what it gives, and its op."""
    return f"node {short(proto.name or proto.output[0])!r} ({short(proto.op_type)})"


class Node:
    """A node, which is asked for what it must have. Anything else in it is an error in the end."""

    def __init__(self, proto: Any, find: Callable[[str, str], Any]) -> None:
        self.op, self.gives = proto.op_type, proto.output[0]
        self.where = label(proto)
        self.attributes = {one.name: one for one in proto.attribute}
        self.inputs = [find(self.where, name) if name else None for name in proto.input]
        while self.inputs and self.inputs[-1] is None:
            self.inputs.pop()

    def demand_all_read(self) -> None:
        """Raise where the node has an attribute that was not asked for."""
        if self.attributes:
            raise CheckpointError(f"{self.where}: attribute {min(self.attributes)!r} must not be set: it is not known")

    def __len__(self) -> int:
        return len(self.inputs)

    def value(self, index: int = 0, ended: bool = False) -> Value:
        """An input that is computed from x."""
        value = self.inputs[index] if index < len(self) else None
        if not isinstance(value, Value):
            raise CheckpointError(f"{self.where}: input {index + 1} must be computed from the graph's input")
        if value.ended and not ended:
            raise CheckpointError(f"{self.where} must not follow a softmax, which must be the last")
        return value

    def ints(self, index: int) -> list[int]:
        """An input that is a constant list of whole numbers."""
        array = self.inputs[index] if index < len(self) else None
        if not isinstance(array, np.ndarray) or array.dtype.kind != "i" or array.ndim > 1 or array.size > FOLDED:
            raise CheckpointError(f"{self.where}: input {index + 1} must be a constant list of whole numbers")
        return [int(n) for n in array.ravel()]

    def attribute(self, name: str, kind: str, default: Any) -> Any:
        """An attribute of a kind: "i", "f", "s", "t" or "ints"."""
        one = self.attributes.pop(name, None)
        if one is None:
            return default
        if one.ref_attr_name or one.type != getattr(one, KINDS[kind]):
            raise CheckpointError(f"{self.where}: attribute {name!r} must be of type {KINDS[kind]}, not another")
        found = getattr(one, kind)
        if kind == "ints":
            return [int(n) for n in found]
        if kind == "s":
            return found.decode("utf-8", "replace")
        return float(str(np.float32(found))) if kind == "f" else found  # float32(0.1) is meant as 0.1

    def demand(self, condition: bool, expected: str) -> None:
        """Raise with what is expected of the node unless the condition holds."""
        if not condition:
            raise CheckpointError(f"{self.where} must {expected}")
