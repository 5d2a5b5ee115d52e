"""What all layers share around their forward and backward: x and y are checked, and kept for backward."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from .. import backends, checks, elsewhere
from ..checks import Array

Layer = Any  # layer.py is above this file


def noting(init: Callable[..., None]) -> Callable[..., None]:
    """The `__init__` of a class that notes what it was called with, where that is numbers and texts: to be saved."""

    @functools.wraps(init)
    def noted(self: Layer, *args: Any, **options: Any) -> None:
        if "_given" not in vars(self):  # else it is the __init__ of a base class
            elsewhere.demand_arguments(init, self, args, options)
            plain = all(value is None or isinstance(value, int | float | str) for value in (*args, *options.values()))
            self._given = (args, options) if plain else None
        init(self, *args, **options)

    return noted


def remembering(cls: type, forward: Callable[..., Any], derived: bool) -> Callable[..., Any]:
    """The `forward` of a class with its x and y checked and kept.

    An x of the same type, dtype and shape as in the last forward is not checked again. (All checks in each forward took
    5 % of the step of a small network.)
    """
    run = _with_bases(forward, derived)

    @functools.wraps(forward)
    def checked(self: Layer, x: Array) -> Array:
        if self._inside:  # super().forward(x): what it keeps is for super().backward(dy)
            outer, self.x, self.y = (self.x, self.y), x, None
            y = forward(self, x)
            self._of_bases = {**self._of_bases, cls: (x, y if self.y is None else self.y)}
            self.x, self.y = outer
            return y
        last = self._forward
        same = last is not None and type(x) is last[0] and x.dtype is last[1] and x.shape == last[2]
        if not same:
            self._forward = None
            check_x(self, x)
        self.x, self.y = x, None
        y = run(self, x)
        if not (same and type(y) is last[0] and y.dtype is last[1] and y.shape == last[3]):
            self._forward = _check_y(self, x, y)
        if self.y is None:  # a layer may keep a y of its own
            self.y = y
        if not self.keeps_all:
            if "x" not in self.keeps:
                self.x = None
            if "y" not in self.keeps:
                self.y = None
        return y

    return checked


def recalling(cls: type, backward: Callable[..., Any], derived: bool) -> Callable[..., Any]:
    """The `backward` of a class with its dy and dx checked against the last forward's y and x."""
    run = _with_bases(backward, derived)

    @functools.wraps(backward)
    def checked(self: Layer, dy: Array) -> Array | None:
        if self._inside:
            outer = self.x, self.y
            self.x, self.y = self._of_bases.get(cls, outer)
            dx = backward(self, dy)
            self.x, self.y = outer
            return dx
        if self._forward is None:
            raise RuntimeError(f"{self.where}: backward needs a forward before it, and there was none")
        kind, dtype, x_shape, y_shape = self._forward
        if type(dy) is not kind or dy.shape != y_shape:
            hint = elsewhere.hint("backward") if isinstance(dy, float) else ""
            expected = f"an array of y's shape {y_shape}"
            raise ValueError(f"{self.where}: dy must be {expected}, not {checks.describe(dy)}{hint}")
        if dy.dtype != dtype:
            raise TypeError(f"{self.where}: dy must be {dtype} like y, not {dy.dtype}")
        dx = run(self, dy)
        if self.needs_dx and (type(dx) is not kind or dx.shape != x_shape or dx.dtype != dtype):
            expected = f"dx, a {dtype} array of x's shape {x_shape}"
            message = f"{self.where}: backward must return {expected}, not {checks.describe(dx)}"
            raise checks.ShapeError(message, "dx", dx)
        return dx

    return checked


def _with_bases(method: Callable[..., Any], derived: bool) -> Callable[..., Any]:
    """`method`; while it runs, `_inside` is set, so that the base class knows that it is called by it."""
    if not derived:
        return method

    @functools.wraps(method)
    def run(self: Layer, a: Array) -> Any:
        self._inside = True
        try:
            return method(self, a)
        finally:
            self._inside = False

    return run


def check_x(layer: Layer, x: Any) -> None:
    """Raise where x is not what the layer takes; build the layer by its first x."""
    ops = layer.ops or backends.load()
    right = type(x) is ops.xp.ndarray and x.ndim >= 2
    if not (right and (x.dtype == layer.dtype or (layer.dtype is None and x.dtype in checks.REALS))):
        backends.float_array(f"{layer.where}: x", x, ops)  # only now: a message costs time to make
        if layer.dtype is not None and x.dtype != layer.dtype:
            hint = f"x.astype('{layer.dtype}')"
            raise TypeError(f"{layer.where}: x must be {layer.dtype} like the layer, not {x.dtype}: {hint}")
    try:
        layer.output_shape(x.shape[1:])
    except ValueError as error:
        expected = (
            f"{error}".replace("takes rows of", "have rows of", 1)
            .replace("takes x that", "be such that", 1)
            .replace("takes", "be", 1)
        )
        raise ValueError(f"{layer.where}: x must {expected}, not shape {x.shape}{reshaped(layer, x.shape)}") from None
    if layer.ops is None:
        layer.build(dtype=x.dtype)


def reshaped(layer: Layer, shape: tuple[int | None, ...]) -> str:
    """The end of a message about a shape (N, ...): what makes what the layer takes of it, where that is known."""
    n, of_one = layer.n_in, shape[1:]
    if n is None or None in of_one:
        return ""
    if len(of_one) == 2 and n == 1:
        return ": x[..., None] has one channel"
    if len(of_one) == 3 and of_one[0] == n:
        return ": channels come last, x.transpose(0, 2, 3, 1)"
    flat = len(of_one) > 1 and math.prod(size or 0 for size in of_one) == n
    return ": Flatten() before it makes rows of them" if flat else ""


def _check_y(layer: Layer, x: Array, y: Any) -> tuple[Any, ...]:
    """Raise where y is not what forward must return; else what `_forward` keeps."""
    if type(y) is not type(x) or y.ndim < 2 or y.shape[0] != x.shape[0] or y.dtype != x.dtype:
        expected = f"a {x.dtype} array with a row for each of the {x.shape[0]} rows of x"
        raise ValueError(f"{layer.where}: forward must return {expected}, not {checks.describe(y)}")
    return type(x), x.dtype, x.shape, y.shape
