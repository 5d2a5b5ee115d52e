"""A layer's arrays as attributes: views that are written into, never replaced."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import checks, elsewhere
from ..checks import Array

Layer = Any  # layer.py is above this file


class Names(tuple[str, ...]):
    """The names of a layer's arrays. (In PyTorch `parameters` is a method.)"""

    __slots__ = ()

    def __call__(self) -> Any:
        raise TypeError(f"parameters is a tuple of names, not a method{elsewhere.hint('parameters')}")


class Parameter:
    """A layer's array as an attribute, such as `layer.W` or `layer.dW`.

    Reading gives the array. Assigning copies values *into* it. The optimizer works on the same memory, as a model keeps
    all its parameters in one vector: it would not see a new array. Shapes must be equal.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        if layer is None:
            return self
        try:
            return layer.arrays[self.name]
        except KeyError:
            expected = "a model draws it, as in Sequential(layer, seed=0), or else the first forward or layer.build()"
            raise AttributeError(f"{layer.where}: {self.name} has no numbers yet: {expected}") from None

    def __set__(self, layer: Any, value: Any) -> None:
        if layer.ops is None:  # before the layer is built: what it shall start with
            layer.arrays = {**layer.arrays, self.name: as_numbers(layer, self.name, value)}
            return
        array = layer.arrays[self.name]
        if value is array:  # `layer.dW += ...` assigns what it has changed in place
            return
        if type(value) is not layer.ops.xp.ndarray:
            value = layer.ops.asarray(as_numbers(layer, self.name, value))
        if value.shape != array.shape:
            message = f"{layer.where}: {self.name} must have shape {array.shape}, not {value.shape}"
            raise checks.ShapeError(message, self.name, value)
        array[...] = value if value.dtype == array.dtype else cast(layer, self.name, value, array.dtype)


def as_numbers(layer: Layer, name: str, value: Any) -> Array:
    """What a parameter is set to, as a new array. Raises TypeError."""
    try:
        array = None if isinstance(value, np.ma.MaskedArray) else np.array(value)  # it would lose its mask
    except Exception:  # lists of different lengths, and objects that fail to say what they are
        array = None
    if array is None or array.dtype.kind not in "fiuc":
        raise TypeError(f"{layer.where}: {name} must be set to real numbers, not {checks.describe(value)}")
    return array


def cast(layer: Layer, name: str, array: Array, dtype: np.dtype[Any]) -> Array:
    """The numbers of a parameter in the layer's dtype. Raises TypeError, ValueError where that cannot hold them."""
    if array.dtype.kind not in "fiu" and array.dtype.kind != dtype.kind:
        raise TypeError(f"{layer.where}: {name} must be set to real numbers, not {checks.describe(array)}")
    try:
        with np.errstate(over="raise"):
            return array.astype(dtype)
    except FloatingPointError:
        raise ValueError(f"{layer.where}: {name} must hold numbers that {dtype} can hold, not larger ones") from None
