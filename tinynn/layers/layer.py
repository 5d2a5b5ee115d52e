"""What every layer is: the contract of forward and backward, parameters as views, and checks that name the layer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from .. import backends, checks
from ..checks import Array


class Parameter:
    """A layer's array as an attribute, such as `layer.W` or `layer.dW`.

    Reading gives the array. Assigning copies values *into* it: the optimizer holds the same memory (a model keeps all
    its parameters in one vector), so a new array in its place would be lost to it. Shapes must be equal.
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
            layer.arrays = {**layer.arrays, self.name: _numbers(layer, self.name, value)}
            return
        array = layer.arrays[self.name]
        if value is array:  # `layer.dW += ...` assigns what it has changed in place
            return
        if type(value) is not layer.ops.xp.ndarray:
            value = layer.ops.asarray(_numbers(layer, self.name, value))
        if value.shape != array.shape:
            message = f"{layer.where}: {self.name} must have shape {array.shape}, not {value.shape}"
            raise checks.ShapeError(message, self.name, value)
        array[...] = value if value.dtype == array.dtype else _cast(layer, self.name, value, array.dtype)


class Layer(backends.ByName):
    """One step of a network. A layer of your own takes two methods:

        class Square(Layer):
            def forward(self, x):
                return x * x
            def backward(self, dy):
                return dy * 2 * self.x

    x and y, of shape (N, D), are kept from forward to backward as `self.x` and `self.y`, by reference. A layer with
    parameters names them, sets their first values, and writes their gradients under the names with a d before:

        class Scale(Layer):
            parameters = ("g",)
            def __init__(self, n):
                self.g = np.ones(n)
            def forward(self, x):
                return x * self.g
            def backward(self, dy):
                self.dg = (dy * self.x).sum(axis=0)
                return dy * self.g

    `self.ops` is the backend's module, `self.ops.xp` its array module. A layer that says `n_in` and `n_out` has its
    width checked when a model is built.
    """

    parameters: tuple[str, ...] = ()  # names of the arrays that are learned
    n_in: int | None = None  # width of x; None: any
    n_out: int | None = None  # width of y; None: not known before a row has gone through
    needs_dx = True  # False in a model's first layer, whose dx nobody reads
    place: int | None = None  # 1 for the first layer of a model, 2, 3, ...; None for a layer alone
    ops: Any = None  # the backend; None until the layer is built
    dtype: Any = None
    arrays: dict[str, Array] = {}  # parameters and gradients by name  # noqa: RUF012 (replaced, never written to)
    x: Any = None
    y: Any = None
    _forward: Any = None  # (type, dtype, x's shape, y's shape) of the last forward, if there was one
    _inside = False  # while a forward or backward runs that may call that of its base class
    _of_bases: dict[type, tuple[Array, Array]] = {}  # x and y of super().forward(x)  # noqa: RUF012 (as arrays)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give the parameters their attributes, and put the checks that layers share around forward and backward."""
        super().__init_subclass__(**kwargs)
        names = cls.parameters
        if not isinstance(names, tuple | list) or not all(isinstance(n, str) and not hasattr(Layer, n) for n in names):
            expected = f'{cls.__name__}: parameters must be a tuple of new names, such as ("g",)'
            raise TypeError(f"{expected}, not {checks.describe(names)}")
        for name in names:
            for attribute in (name, "d" + name):
                if not isinstance(getattr(cls, attribute, None), Parameter):
                    setattr(cls, attribute, Parameter())
                    cls.__dict__[attribute].__set_name__(cls, attribute)
        if "forward" in cls.__dict__:
            cls.forward = _remember(cls, cls.__dict__["forward"])  # type: ignore[method-assign]
        if "backward" in cls.__dict__:
            cls.backward = _recall(cls, cls.__dict__["backward"])  # type: ignore[method-assign]

    def forward(self, x: Array) -> Array:
        """y = f(x), (N, n_in) -> (N, n_out); remembers x and y."""
        raise NotImplementedError(f"{self.where}: a layer must define forward(self, x)")

    def backward(self, dy: Array) -> Array | None:
        """dx = dL/dx from dy = dL/dy at the last forward's x; writes the gradients of the parameters."""
        raise NotImplementedError(f"{self.where}: a layer must define backward(self, dy)")

    def __call__(self, x: Array) -> Array:
        """y = f(x) without a trace: forward runs on a shallow copy, so a pending backward is undisturbed."""
        if self.ops is None:
            _check_x(self, x)  # and build
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        return copy.forward(x)

    def output_size(self, n_in: int | None) -> int | None:
        """The width of y for rows of width `n_in`; None where it is not known."""
        return self.n_out

    def initial_values(self, rng: np.random.Generator) -> dict[str, Array]:
        """First values for parameters that have been given none."""
        return {}

    def build(self, rng: np.random.Generator | None = None, dtype: Any = None, ops: ModuleType | None = None) -> None:
        """Fix backend and dtype and give every parameter its array and its gradient's.

        A model builds its layers; a layer alone is built by its first use, with the default backend and the dtype of
        its first x.
        """
        ops = backends.load() if ops is None else ops
        if not isinstance(ops, ModuleType) or not hasattr(ops, "xp"):
            raise TypeError(f"{self.where}: ops must be a backend's module, not {checks.describe(ops)}")
        dtype = backends.float_type(f"{self.where}: dtype", np.float32 if dtype is None else dtype, ops)
        drawn = self.initial_values(checks.generator(f"{self.where}: rng", rng)) if self.parameters else {}
        arrays = {}
        for name in self.parameters:
            value = self.arrays.get(name, drawn.get(name))
            if value is None:
                raise ValueError(f"{self.where}: the first value of {name} must be an array of numbers, not nothing")
            if not hasattr(value, "astype"):
                value = _numbers(self, name, value)
            if name in drawn and value.shape != np.shape(drawn[name]):
                raise ValueError(f"{self.where}: {name} must have shape {np.shape(drawn[name])}, not {value.shape}")
            arrays[name] = ops.asarray(_cast(self, name, value, dtype))
            arrays["d" + name] = ops.asarray(np.zeros(value.shape, dtype))
        self.arrays, self.dtype, self.ops = arrays, dtype if arrays else None, ops

    @property
    def where(self) -> str:
        """The layer for an error message: its place in the model and its repr."""
        return repr(self) if self.place is None else f"layer {self.place}, {self!r}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __getstate__(self) -> dict[str, Any]:
        """What is copied and pickled: a layer alone, with its own parameters and without the last batch."""
        of_a_model = ("place", "needs_dx", "x", "y", "_forward", "_of_bases")
        return {name: value for name, value in super().__getstate__().items() if name not in of_a_model}


def _remember(cls: type[Layer], forward: Callable[..., Any]) -> Callable[..., Any]:
    """The `forward` of a class with its x and y checked and kept.

    Training repeats itself: what is as it was in the last forward is right. (All checks, each time, took 5 % of a step
    of a small network.)
    """
    run = _with_bases(forward, Layer.forward is not getattr(super(cls, cls), "forward", None))

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
            _check_x(self, x)
        self.x, self.y = x, None
        y = run(self, x)
        if not (same and type(y) is last[0] and y.dtype is last[1] and y.shape == last[3]):
            self._forward = _check_y(self, x, y)
        if self.y is None:  # a layer may keep a y of its own
            self.y = y
        return y

    return checked


def _recall(cls: type[Layer], backward: Callable[..., Any]) -> Callable[..., Any]:
    """The `backward` of a class with its dy and dx checked against the last forward's y and x."""
    run = _with_bases(backward, Layer.backward is not getattr(super(cls, cls), "backward", None))

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
            raise ValueError(f"{self.where}: dy must be an array of y's shape {y_shape}, not {checks.describe(dy)}")
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
    """`method`, during which a call of the base class's is known to come from within."""
    if not derived:
        return method

    def run(self: Layer, a: Array) -> Any:
        self._inside = True
        try:
            return method(self, a)
        finally:
            self._inside = False

    return run


def _check_x(layer: Layer, x: Any) -> None:
    """Raise where x is not what the layer takes; build the layer by its first x."""
    layer._forward = None
    ops = layer.ops or backends.load()
    right = type(x) is ops.xp.ndarray and x.ndim == 2 and layer.n_in in (None, x.shape[1])
    if not (right and (x.dtype == layer.dtype or (layer.dtype is None and x.dtype in checks.REALS))):
        backends.float_array(f"{layer.where}: x", x, ops)  # only now: a message costs time to make
        if layer.n_in is not None and x.shape[1] != layer.n_in:
            raise ValueError(f"{layer.where}: x must have rows of {layer.n_in}, not shape {x.shape}")
        if layer.dtype is not None and x.dtype != layer.dtype:
            hint = f"x.astype('{layer.dtype}')"
            raise TypeError(f"{layer.where}: x must be {layer.dtype} like the layer, not {x.dtype}: {hint}")
    if layer.ops is None:
        layer.build(dtype=x.dtype)


def _numbers(layer: Layer, name: str, value: Any) -> Array:
    """What a parameter is set to, as a new array. Raises TypeError."""
    try:
        array = None if isinstance(value, np.ma.MaskedArray) else np.array(value)  # it would lose its mask
    except Exception:  # lists of different lengths, and objects that fail to say what they are
        array = None
    if array is None or array.dtype.kind not in "fiuc":
        raise TypeError(f"{layer.where}: {name} must be set to real numbers, not {checks.describe(value)}")
    return array


def _cast(layer: Layer, name: str, array: Array, dtype: np.dtype[Any]) -> Array:
    """The numbers of a parameter in the layer's dtype. Raises TypeError, ValueError where that cannot hold them."""
    if array.dtype.kind not in "fiu" and array.dtype.kind != dtype.kind:
        raise TypeError(f"{layer.where}: {name} must be set to real numbers, not {checks.describe(array)}")
    try:
        with np.errstate(over="raise"):
            return array.astype(dtype)
    except FloatingPointError:
        raise ValueError(f"{layer.where}: {name} must hold numbers that {dtype} can hold, not larger ones") from None


def _check_y(layer: Layer, x: Array, y: Any) -> tuple[Any, ...]:
    """Raise where y is not what forward must return; else what `_forward` keeps."""
    if type(y) is not type(x) or y.ndim != 2 or y.shape[0] != x.shape[0] or y.dtype != x.dtype:
        expected = f"a {x.dtype} array with a row for each of the {x.shape[0]} rows of x"
        raise ValueError(f"{layer.where}: forward must return {expected}, not {checks.describe(y)}")
    return type(x), x.dtype, x.shape, y.shape
