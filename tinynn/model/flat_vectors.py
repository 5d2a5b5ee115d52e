"""The flat vectors of a model: one for all parameters, one for their gradients, one for the buffers.

`layer.W`, `layer.dW` and so on are views into them, so that an optimizer's step, clipping, a checkpoint or the mean
over processes is one op on one array.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from .. import backends, checks, elsewhere
from ..checks import Array
from ..layers import Layer
from ..nesting import walk


def flatten(
    *layers: Layer, backend: str | None = None, dtype: str = "float32", seed: int | np.random.Generator | None = None
) -> tuple[Array, Array]:
    """Build the layers; put their parameters into one vector, the gradients into another: (params, grads), each (P,).

    This is for a model class without a base class: with the two as attributes it can be given to an optimizer. (`Model`
    does this and more.) Weights are drawn layer by layer from `seed`, so the same seed gives the same weights.

    Raises ValueError for a layer that is used twice or belongs to another model.
    """
    ops = backends.load(backend)
    float_type = backends.float_type("dtype", dtype, ops)
    demand_new(layers)
    rng = checks.generator("seed", seed)
    for layer in layers:
        layer.build(rng, float_type, ops)
    everything = placed(SimpleNamespace(layers=layers))
    vectors = lay_out(everything, float_type, ops)
    if vectors[2].size:
        inner = next(layer for _, layer in everything if layer.buffers)
        raise TypeError(f"{inner.where}: a layer with buffers must be in a Model or a Sequential, not given to flatten")
    return vectors[:2]


def placed(thing: Any) -> list[tuple[int | str, Layer]]:
    """Place and layer of all layers in a thing: 1, 2, 3, ... for those in `layers`, paths for others."""
    return [(int(path) if path.isdigit() else path, layer) for path, layer in walk(thing)]


def demand_new(layers: tuple[Layer, ...]) -> None:
    """Raise where one of the layers is not a layer, stands there twice, or belongs to another model."""
    if len(layers) == 1 and isinstance(layers[0], Iterable) and not isinstance(layers[0], Layer | str | bytes):
        raise TypeError(f"layers must be given one by one, Sequential(*layers), not as {checks.describe(layers[0])}")
    for number, layer in enumerate(layers, 1):
        if not isinstance(layer, Layer):
            hint = " (a class: add parentheses)" if isinstance(layer, type) else elsewhere.hint(layer)
            raise TypeError(f"layer {number} must be a Layer, not {checks.describe(layer)}{hint}")
        if any(layer is other for other in layers[: number - 1]):
            raise ValueError(
                f"layer {number}, {layer!r}, must be a layer of its own, not one used before in this model"
            )
        if layer.place is not None:
            raise ValueError(
                f"layer {number}, {layer!r}, must be a new layer, not one of another model (copy.deepcopy makes one)"
            )


FlatVectors = tuple[Array, Array, Array]  # params, grads, buffers


def lay_out(layers: list[tuple[int | str, Layer]], dtype: np.dtype[Any], ops: ModuleType) -> FlatVectors:
    """The three vectors with the layers' arrays in them, in their order; the arrays become views into the vectors."""
    learned = sum(layer.arrays[name].size for _, layer in layers for name in layer.parameters)
    kept = sum(layer.arrays[name].size for _, layer in layers for name in layer.buffers)
    params, grads, buffers = (ops.asarray(np.zeros(size, dtype)) for size in (learned, learned, kept))
    for view, name, layer in views([layer for _, layer in layers], params, grads, buffers):
        view[...] = layer.arrays[name]
    bind(layers, params, grads, buffers)
    return params, grads, buffers


def views(
    layers: Iterable[Layer], params: Array, grads: Array, buffers: Array | None = None
) -> Iterator[tuple[Array, str, Layer]]:
    """The piece of the flat vectors that belongs to each array of each layer, in the shape of that array."""
    start = kept = 0
    for layer in layers:
        for name in layer.parameters:
            shape, end = layer.arrays[name].shape, start + layer.arrays[name].size
            yield params[start:end].reshape(shape), name, layer
            yield grads[start:end].reshape(shape), "d" + name, layer
            start = end
        if buffers is None:
            continue
        for name in layer.buffers:
            shape, end = layer.arrays[name].shape, kept + layer.arrays[name].size
            yield buffers[kept:end].reshape(shape), name, layer
            kept = end


def bind(layers: list[tuple[int | str, Layer]], params: Array, grads: Array, buffers: Array) -> None:
    """Make the layers those of one model: their arrays views into its vectors, their places its paths."""
    for view, name, layer in list(views([layer for _, layer in layers], params, grads, buffers)):
        layer.arrays[name] = view
    for path, layer in layers:
        layer.place = path
