"""Ops that move numbers to other places; and shapes that nodes compute."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...checks import Array
from ...layers import Flatten
from .node import FOLDED, Node, Pattern, Value
from .reader import Reader

EXAMPLES = -(2**30)  # stands for the number of examples in a shape that nodes compute


def _flatten(reader: Reader, node: Node) -> Value:
    x = node.value()
    node.demand(node.attribute("axis", "i", 1) in (1, 1 - x.ndim), "have axis 1")
    return _as_rows(reader, node, x)


def _as_rows(reader: Reader, node: Node, x: Value) -> Value:
    if x.ones or x.ndim == 2:
        return x._replace(ones=False, first=False)
    node.demand(not x.ended, "not follow a softmax, which must be the last")
    turned = x.first and x.shape[-1] != 1 and any(n != 1 for n in x.shape[:-1])
    node.demand(not turned or None not in x.shape, "have images of a fixed size, for the order of their numbers")
    return reader.put(x, Flatten(), first=False, order=x.shape if turned else None)


def _reshape(reader: Reader, node: Node) -> Value:
    x = node.value(ended=True)
    sizes = node.ints(1)
    copied = node.attribute("allowzero", "i", 0) == 0
    lies = (x.shape[-1], *x.shape[:-1]) if x.first else x.shape
    lies = (*lies, 1, 1) if x.ones else lies  # (of images)
    rest: list[Any] = [lies[k] if n == 0 and copied and k < len(lies) else n for k, n in enumerate(sizes[1:])]
    node.demand(
        bool(sizes) and sizes[0] in (0 if copied else -1, -1, EXAMPLES, reader.batch), "keep the axis of the examples"
    )
    if rest == [*lies]:
        return x
    total = None if None in x.shape else math.prod(x.shape)  # type: ignore[arg-type]
    if len(rest) == 1 and rest[0] in (-1, total):
        return _as_rows(reader, node, x)
    if not rest and x.shape == (1,):  # y (N,), which is (N, 1) in tinynn
        return x._replace(ended=True)
    at_start = x == reader.x and total == math.prod(n or 0 for n in rest) and min(rest, default=0) > 0
    node.demand(at_start, f"make rows of all numbers of an example, or stand at one of the ends, not give {sizes}")
    return reader.start(node.gives, rest)


def _transpose(reader: Reader, node: Node) -> Any:
    order = node.attribute("perm", "ints", [])
    if node.inputs and isinstance(node.inputs[0], np.ndarray):
        return node.inputs[0].transpose(order or None)
    x = node.value()
    to_first, to_last = [0, x.ndim - 1, *range(1, x.ndim - 1)], [0, *range(2, x.ndim), 1]
    if not x.ones and order == [*range(x.ndim)]:
        return x
    right = not x.ones and x.ndim > 2 and order == (to_last if x.first else to_first)
    node.demand(right, "put the features of x first or last")
    return x._replace(first=not x.first)


def _shape(node: Node, sizes: Any) -> Array:
    node.demand(np.ndim(sizes) <= 1 and np.size(sizes) <= FOLDED, "compute a shape")
    return np.asarray(sizes, np.int64)


def _shape_of(reader: Reader, node: Node) -> Array:
    x = node.value()
    node.demand(None not in x.shape and not x.ones, "be of an x whose sizes are known")
    return _shape(node, [EXAMPLES, *((x.shape[-1], *x.shape[:-1]) if x.first else x.shape)])


def _gather(reader: Reader, node: Node) -> Array:
    node.demand(node.attribute("axis", "i", 0) == 0 and len(node) == 2, "be of a shape")
    sizes, index = node.ints(0), np.array(node.inputs[1])
    node.demand(all(-len(sizes) <= n < len(sizes) for n in node.ints(1)), "be of a shape")
    return _shape(node, np.array(sizes)[index])


def _unsqueeze(reader: Reader, node: Node) -> Array:
    axes = node.ints(1) if len(node) > 1 else node.attribute("axes", "ints", [])
    sizes = node.ints(0)
    node.demand(axes == [0] and len(sizes) == 1, "be of a shape")
    return _shape(node, sizes)


def _constant(reader: Reader, node: Node) -> Array:
    tensor = node.attribute("value", "t", None)
    node.demand(tensor is not None, "have a tensor as its value")
    return reader.array(node.where, tensor)


def _concat(reader: Reader, node: Node) -> Any:
    """A shape that nodes compute; or 1 - p and p, scikit-learn's probabilities of two classes, of which p is taken."""
    axis = node.attribute("axis", "i", 0)
    if all(isinstance(one, np.ndarray) for one in node.inputs):
        node.demand(axis == 0, "be of a shape")
        return _shape(node, np.concatenate([np.array(node.ints(k), np.int64) for k in range(len(node))][:FOLDED]))
    p: Any = node.inputs[1] if len(node) == 2 else None
    right = axis in (1, -1) and isinstance(node.inputs[0], Pattern) and isinstance(p, Value) and p.shape == (1,)
    node.demand(right and node.inputs[0] == Pattern("1 -", p), "be 1 - p and p for two classes")
    return node.value(1)._replace(ended=True)


READ: dict[str, Callable[[Reader, Node], Any]] = {
    "Concat": _concat,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Shape": _shape_of,
    "Gather": _gather,
    "Unsqueeze": _unsqueeze,
    "Constant": _constant,
}
