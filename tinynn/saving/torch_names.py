"""How PyTorch names the arrays of layers, and how they lie there:

    Affine      W (n_in, n_out), b             weight (n_out, n_in), bias
    Conv2D      W (KH, KW, n_in, n_out), b     weight (n_out, n_in, KH, KW), bias
    BatchNorm   g, b, mean, var                weight, bias, running_mean, running_var, num_batches_tracked

Arrays of other layers have the same name and layout in both. PyTorch counts places from 0: "1.W" is "0.weight". A row
that Flatten makes of an image has the order (H, V, C) here and (C, H, V) in PyTorch, so the layer after it has its
inputs in another order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import checks
from ..checks import Array
from ..layers import Affine, BatchNorm, Conv2D, Flatten, Residual
from ..layers.layer import Layer, Shape
from ..model import Model, Sequential
from ..model.any_model import all_layers
from ..nesting import walk

NAMES: dict[type[Layer], dict[str, str]] = {
    Affine: {"W": "weight", "b": "bias"},
    Conv2D: {"W": "weight", "b": "bias"},
    BatchNorm: {"g": "weight", "b": "bias", "mean": "running_mean", "var": "running_var"},
}
AXES = {Affine: (1, 0), Conv2D: (3, 2, 0, 1)}  # those of W in PyTorch's order
COUNTER = "num_batches_tracked"  # of BatchNorm: how many batches its running means have seen. tinynn does not count


class NamedArray(NamedTuple):
    """An array of a model, and PyTorch's name of it."""

    layer: Layer
    name: str  # "W"
    torch: str  # "weight"
    order: Array | None  # of each of its features, on the axis of the inputs, the place in PyTorch

    @property
    def here(self) -> str:
        return f"{self.layer.place}.{self.name}"

    @property
    def axes(self) -> tuple[int, ...]:
        """Which axis of the array each axis of PyTorch's is."""
        ndim = self.layer.arrays[self.name].ndim
        known = AXES.get(_kind(self.layer)) if self.name == "W" else None  # type: ignore[arg-type]
        return known or tuple(range(ndim))

    @property
    def torch_shape(self) -> tuple[int, ...]:
        shape = self.layer.arrays[self.name].shape
        return tuple(shape[axis] for axis in self.axes)

    def to_torch(self, array: Array) -> Array:
        if self.order is not None:
            array = array[np.argsort(self.order)]
        return array.transpose(self.axes)

    def from_torch(self, array: Array) -> Array:
        array = array.transpose(np.argsort(self.axes))
        return array if self.order is None else array[self.order]


def entries(model: Model) -> list[NamedArray]:
    """All arrays of a model, layer by layer, as PyTorch's state_dict has them.

    Raises ValueError for a Flatten of images whose sizes are not known.
    """
    orders = _orders(model)
    found = []
    for layer in all_layers(model):
        names = NAMES.get(_kind(layer), {})  # type: ignore[arg-type]
        for name in (*layer.parameters, *layer.buffers):
            ordered = None if isinstance(layer, Affine) and name == "b" else orders.get(id(layer))
            found.append(NamedArray(layer, name, names.get(name, name), ordered))
    return found


def torch_names(found: Sequence[NamedArray]) -> list[str]:
    """PyTorch's name of each entry, where the modules stand in the same places."""
    return [f"{_place(str(one.layer.place))}.{one.torch}" for one in found]


def counters(found: Sequence[NamedArray], names: Sequence[str]) -> list[str]:
    """The names of BatchNorm's counters."""
    means = [name for one, name in zip(found, names) if one.torch == "running_mean"]
    return [name.removesuffix("running_mean") + COUNTER for name in means]


def given_names(found: Sequence[NamedArray], names: Any) -> list[str]:
    """Names that the caller gives, list(net.state_dict()), one for each entry. Raises TypeError, ValueError."""
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        expected = 'names must be "tinynn", "torch" or a list of names, list(net.state_dict())'
        raise TypeError(f"{expected}, not {checks.describe(names)}")
    names = [name for name in names if name.rpartition(".")[2] != COUNTER]
    for index in range(max(len(names), len(found))):
        one = found[index] if index < len(found) else None
        name = names[index] if index < len(names) else None
        if one is None or name is None or name.rpartition(".")[2] != one.torch:
            order = "names must be in the order of the model's arrays, one for each"
            if one is None:
                raise ValueError(f"{order}, but there is no array for {name!r}")
            here = f"{one.here} of {one.layer.where} must be one that ends in {one.torch!r}"
            raise ValueError(f"{order}: the name of {here}, not {'missing' if name is None else repr(name)}")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"names must all be different, but {twice!r} is there {names.count(twice)} times")
    return names


def _kind(layer: Layer) -> type[Layer] | None:
    """Which layer of tinynn's it is, or is derived from."""
    return next((kind for kind in NAMES if isinstance(layer, kind)), None)


def _place(place: str) -> str:
    """A place as PyTorch counts it: "4.inner[0].1" is "3.inner.0.0"."""
    parts = [str(int(part) - 1) if part.isdigit() else part for part in place.split(".")]
    return re.sub(r"\['?([^'\]]*)'?\]", r".\1", ".".join(parts))


def channels_last_order(shape: Any) -> Array:
    """For each number of a row (H, V, C), its place in the row (C, H, V)."""
    *positions, C = shape
    places = np.arange(math.prod(shape)).reshape(C, *positions)
    return np.moveaxis(places, 0, -1).ravel()


def _orders(model: Model) -> dict[int, Array]:
    """For each layer behind a Flatten of images, by its id, the order of its inputs."""
    orders: dict[int, Array] = {}
    met: set[int] = set()

    def through(layer: Any, shape: Shape | None, order: Any) -> tuple[Shape | None, Any]:
        """The shape behind a layer, and the order of the row that is there: None, or an array."""
        if isinstance(layer, Sequential | Residual):
            if isinstance(layer, Residual) and layer.shortcut is not None:
                through(layer.shortcut, shape, order)
            for inner in layer.layers:
                shape, order = through(inner, shape, order)
            return shape, order
        if order is not None and (layer.parameters or layer.buffers):
            if _kind(layer) not in (Affine, BatchNorm):
                raise ValueError(f"{layer.where} must not stand between Flatten and Affine for PyTorch's order")
            if layer.n_in == len(order):  # (else an Affine over the last axis of something else)
                orders[id(layer)] = order
            order = None if isinstance(layer, Affine) else order
        if isinstance(layer, Flatten):
            met.add(id(layer))
            if shape is None or None in shape:
                _unknown(layer)
            order = channels_last_order(shape) if len(shape) > 1 else order  # type: ignore[arg-type]
        return layer.output_shape(shape), order

    if isinstance(model, Sequential):
        through(model, model.shape, None)
    for _, layer in walk(model):
        if isinstance(layer, Flatten) and id(layer) not in met:
            _unknown(layer)
    return orders


def _unknown(layer: Layer) -> None:
    expected = "be in a Sequential(..., shape=(28, 28, 1)) for PyTorch's order of numbers"
    raise ValueError(f"{layer.where} must {expected}, not behind a layer of unknown shape")
