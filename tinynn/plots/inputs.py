"""Checks of what is to be drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import checks
from ..checks import Array
from ..layers.layer import Layer
from .style import COLOURS

LARGEST = 1e30  # matplotlib's own arithmetic overflows far above


def real_array(thing: str, a: Any, *ndim: int) -> Array:
    """Demand a NumPy array of real numbers, not empty, with one of these numbers of dimensions."""
    if type(a) is not np.ndarray or a.dtype.kind not in "fiub":
        raise TypeError(
            f"{thing} must be a numpy array of real numbers, not {checks.describe(a)}{checks.as_array(thing, a)}"
        )
    if a.ndim not in ndim or a.size == 0:
        dimensions = " or ".join(map(str, ndim))
        raise ValueError(f"{thing} must have {dimensions} dimensions and at least one number, not shape {a.shape}")
    return a


def numbers(thing: str, a: Any, *ndim: int) -> Array:
    """Demand such an array of numbers that can be drawn: not NaN, not infinite, not nearly so."""
    size = abs(real_array(thing, a, *ndim).astype(float))
    if not (size < LARGEST).all():
        raise ValueError(f"{thing} must hold numbers below {LARGEST:g} in size, not {a[~(size < LARGEST)][0]}")
    return a


def points(x: Any, t: Any) -> Array:
    """The labels (N,) of the points x (N, 2), from t (N,) or (N, 1): whole numbers from 0."""
    for thing, a in (("x", x), ("t", t)):
        if type(a) is not np.ndarray:
            raise TypeError(
                f"{thing} must be a numpy array of real numbers, not {checks.describe(a)}{checks.as_array(thing, a)}"
            )
    if x.ndim != 2 or x.shape[1] != 2 or t.shape not in ((len(x),), (len(x), 1)):
        raise ValueError(f"x and t must be N points in the plane and their classes, not {x.shape} and {t.shape}")
    numbers("x", x, 2)
    numbers("t", t, 1, 2)
    labels = t.reshape(len(t)).astype(int)
    if not (labels == t.ravel()).all() or labels.min() < 0 or labels.max() > 99:
        wrong = t.ravel()[(labels != t.ravel()) | (labels < 0) | (labels > 99)][0]
        raise ValueError(f"t must hold classes, whole numbers from 0 to 99, not {wrong}")
    return labels


def image_shape(shape: Any) -> tuple[int, int]:
    """Demand a pair (height, width)."""
    if not isinstance(shape, tuple | list) or len(shape) != 2:
        raise TypeError(f"shape must be a pair (height, width), not {checks.describe(shape)}")
    return checks.integer("shape's height", shape[0], 1), checks.integer("shape's width", shape[1], 1)


def named(thing: str, values: Any, value: str) -> dict[Any, Any]:
    """Demand a dict name -> `value`, with a name for each line, as many as there are colours."""
    if not isinstance(values, Mapping):
        raise TypeError(f"{thing} must be a dict name -> {value}, not {checks.describe(values)}")
    if not 1 <= len(values) <= len(COLOURS):
        raise ValueError(f"{thing} must have 1 to {len(COLOURS)} names, not {len(values)}")
    return dict(values)


def layers_of(model: Any) -> list[Layer]:
    """The layers of a model, of a list of layers, or the one layer that it is. Raises TypeError."""
    layers = getattr(model, "layers", [model] if isinstance(model, Layer) else model)
    if not isinstance(layers, tuple | list) or not layers or not all(isinstance(layer, Layer) for layer in layers):
        raise TypeError(f"model must be a Sequential or a list of layers, not {checks.describe(model)}")
    return list(layers)


def matrix(layer: Layer) -> Array | None:
    """The layer's weights W (n_in, n_out), where it has such."""
    if "W" not in layer.parameters:
        return None
    if layer.ops is None:
        raise ValueError(f"{layer.where}: must have its weights before it is drawn, not none: layer.build() draws them")
    W: Any = layer.W  # type: ignore[attr-defined]
    W = layer.ops.to_numpy(W)
    return numbers(f"{layer.where}: W", W, 2) if W.ndim == 2 else None
