"""What every layer is: the contract of forward and backward, and parameters and buffers as views."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from .. import backends, checks
from ..checks import Array
from ..nesting import containers, held, used
from .checked import check_x, noting, recalling, remembering
from .parameter import Names, Parameter, as_numbers, cast

__all__ = ["Layer"]

Shape = tuple[int | None, ...]  # of one example; None: a size that is not known yet


class Layer(backends.ByName):
    """One step of a network. A layer of your own takes two methods:

        class Square(Layer):
            def forward(self, x):
                return x * x
            def backward(self, dy):
                return dy * 2 * self.x

    x and y are kept from forward to backward as `self.x` and `self.y`, by reference. Their axis 0 is the examples, the
    last axis the features: a table (N, D), a sequence (N, T, D), images (N, H, W, C). A layer with parameters names
    them, sets their first values, and writes their gradients, whose names have a d in front:

        class Scale(Layer):
            parameters = ("g",)
            def __init__(self, n):
                self.g = np.ones(n)
            def forward(self, x):
                return x * self.g
            def backward(self, dy):
                self.dg = (dy * self.x).sum(axis=0)
                return dy * self.g

    A layer may hold layers, in attributes, lists and dicts. They are trained, saved and checked with it:

        class Residual(Layer):
            def __init__(self, *layers):
                self.inner = Sequential(*layers)
            def forward(self, x):
                return x + self.inner.forward(x)
            def backward(self, dy):
                return dy + self.inner.backward(dy)

    forward is training; `layer(x)` is use: it computes and leaves no trace, at any depth. `self.training` is False in
    it, for layers such as Dropout. `buffers` names arrays that are kept but not learned, such as running means.
    `self.ops` is the backend's module, `self.ops.xp` its array module, `self.rng` the model's random numbers. A layer
    that has `n_in` and `n_out`, or an `output_shape`, has its shapes checked when a model is built. A layer whose
    `backward` reads only x may have `keeps = ("x",)`: `fit` then saves the memory of y. A layer that has a method
    `to_onnx(self, graph, x)` can be written by `tinynn.to_onnx`.
    """

    parameters: tuple[str, ...] = Names()  # names of the arrays that are learned
    buffers: tuple[str, ...] = ()  # names of the arrays that are kept: saved, moved, not learned
    n_in: int | None = None  # features of x; None: any
    n_out: int | None = None  # features of y; None: not known before an example has gone through
    needs_dx = True  # False in a model's first layer, whose dx nobody reads
    training = True  # False in the copy that layer(x) computes with
    place: int | str | None = None  # in its model: 1, 2, 3, ... or "3.inner.1"; None for a layer alone
    dtype: Any = None
    rng: Any = None  # the generator of its model; a layer alone has one of its own
    arrays: dict[str, Array] = {}  # by name: parameters, gradients, buffers  # noqa: RUF012 (replaced, never written to)
    x: Any = None
    y: Any = None
    keeps: tuple[str, ...] = ("x", "y")  # what backward, as this class defines it, reads of the last forward
    keeps_all = True  # whether x and y stay there after forward all the same, to be looked at
    only_reads = False  # whether forward, as this class defines it, changes nothing in self: then use needs no copy
    is_layer = True
    checked = True  # whether what layers share is around forward and backward
    _forward: Any = None  # (type, dtype, x's shape, y's shape) of the last forward, if there was one
    _inside = False  # while a forward or backward runs that may call that of its base class
    _of_bases: dict[type, tuple[Array, Array]] = {}  # x and y of super().forward(x)  # noqa: RUF012 (as arrays)
    _drawn: tuple[str, ...] = ()  # the parameters whose first values were drawn
    _given: tuple[tuple[Any, ...], dict[str, Any]] | None = None  # the constructor's numbers and texts, to be saved
    _containers: tuple[str, ...] = ()  # the attributes that hold layers, lists or dicts

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Give the arrays their attributes, and put the checks that layers share around forward and backward."""
        super().__init_subclass__(**kwargs)
        for kind in ("parameters", "buffers"):
            names = getattr(cls, kind)
            if not isinstance(names, tuple | list) or not all(
                isinstance(n, str) and not hasattr(Layer, n) for n in names
            ):
                expected = f'{cls.__name__}: {kind} must be a tuple of new names, such as ("g",)'
                raise TypeError(f"{expected}, not {checks.describe(names)}")
        for attribute in [*cls.parameters, *(f"d{name}" for name in cls.parameters), *cls.buffers]:
            if not isinstance(getattr(cls, attribute, None), Parameter):
                setattr(cls, attribute, Parameter())
                cls.__dict__[attribute].__set_name__(cls, attribute)
        if "__init__" in cls.__dict__:
            cls.__init__ = noting(cls.__init__)  # type: ignore[method-assign]
        if "forward" in cls.__dict__:
            cls.only_reads = cls.__dict__.get("only_reads", False)
        if "forward" in cls.__dict__ or "backward" in cls.__dict__:
            cls.keeps = cls.__dict__.get("keeps", Layer.keeps)
        for name, around in (("forward", remembering), ("backward", recalling)):
            if cls.checked and name in cls.__dict__:
                derived = getattr(super(cls, cls), name) is not getattr(Layer, name)  # and may call super's
                setattr(cls, name, around(cls, cls.__dict__[name], derived))

    def forward(self, x: Array) -> Array:
        """y = f(x), (N, ..., n_in) -> (N, ..., n_out); remembers x and y."""
        raise NotImplementedError(f"{self.where}: a layer must define forward(self, x)")

    def backward(self, dy: Array) -> Array | None:
        """dx = dL/dx from dy = dL/dy at the last forward's x; writes the gradients of the parameters."""
        raise NotImplementedError(f"{self.where}: a layer must define backward(self, dy)")

    def __call__(self, x: Array) -> Array:
        """y = f(x) without a trace: a pending backward is undisturbed. Unless forward only reads, it runs on a copy."""
        reads = self.only_reads and "forward" not in self.__dict__  # where there is one, somebody listens
        if reads or self.ops is None:
            check_x(self, x)  # and build
        y: Array = self.forward.__wrapped__(self, x) if reads else used(self).forward(x)  # type: ignore[attr-defined]
        return y

    def output_shape(self, shape: Shape | None) -> Shape | None:
        """The shape of one example of y for one of x; None where it is not known.

        Raises ValueError for a shape that the layer does not take, with what it takes as the message.
        """
        if shape is not None and self.n_in is not None and shape[-1] not in (None, self.n_in):
            raise ValueError(f"takes rows of {self.n_in}")
        if self.n_out is None:
            return None
        return (self.n_out,) if shape is None else (*shape[:-1], self.n_out)

    def initial_values(self, rng: np.random.Generator) -> dict[str, Array]:
        """First values for parameters and buffers that have been given none."""
        return {}

    def sizes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter and buffer. (A layer that may be large gives them without making the arrays.)"""
        values: dict[str, Any] = dict(self.arrays)
        if any(name not in values for name in (*self.parameters, *self.buffers)):
            values = {**self.initial_values(np.random.default_rng(0)), **values}
        return {name: np.shape(values[name]) for name in (*self.parameters, *self.buffers)}

    def build(self, rng: np.random.Generator | None = None, dtype: Any = None, ops: ModuleType | None = None) -> None:
        """Fix backend and dtype and give every parameter and buffer its array, here and in the layers that it holds.

        A model builds its layers; a layer alone is built by its first use, with the default backend and the dtype of
        its first x.
        """
        ops = backends.load() if ops is None else ops
        if not isinstance(ops, ModuleType) or not hasattr(ops, "xp"):
            raise TypeError(f"{self.where}: ops must be a backend's module, not {checks.describe(ops)}")
        dtype = backends.float_type(f"{self.where}: dtype", np.float32 if dtype is None else dtype, ops)
        rng = checks.generator(f"{self.where}: rng", rng)
        drawn = self.initial_values(rng) if self.parameters or self.buffers else {}
        arrays, given = {}, self.arrays
        for name in (*self.parameters, *self.buffers):
            value = given.get(name, drawn.get(name))
            if value is None:
                raise ValueError(f"{self.where}: the first value of {name} must be an array of numbers, not nothing")
            if not hasattr(value, "astype"):
                value = as_numbers(self, name, value)
            if name in drawn and value.shape != np.shape(drawn[name]):
                raise ValueError(f"{self.where}: {name} must have shape {np.shape(drawn[name])}, not {value.shape}")
            arrays[name] = ops.asarray(cast(self, name, value, dtype))
            if name in self.parameters:
                arrays["d" + name] = ops.asarray(np.zeros(value.shape, dtype))
        if drawn:
            self._drawn = (*self._drawn, *(name for name in arrays if name in drawn and name not in given))
        self.arrays, self.dtype = arrays, dtype if arrays else None
        self.use(ops)
        self.rng = rng if self.rng is None else self.rng
        backends.prepare(self, dtype, ops)
        found = containers(self)
        if found:
            self._containers = found
        for _, layer in held(self) if found else ():
            layer.build(rng, dtype, ops)
            layer.demand_dx(True)

    def demand_dx(self, needed: bool) -> None:
        """Keep whether dx is needed, which the model knows. A layer that holds others may spare them work."""
        if self.needs_dx != needed:
            self.needs_dx = needed

    def keep_all(self, everything: bool) -> None:
        """Whether x and y stay after forward, to be looked at; else only what backward reads: what the class `keeps`.

        A class that does not say so may read whatever its inner layers keep: these keep all.
        """
        self.keeps_all = checks.flag(f"{self.where}: keep_all", everything)
        for _, layer in held(self):
            layer.keep_all(everything or self.keeps == Layer.keeps)

    @property
    def x_shape(self) -> tuple[int, ...]:
        """The shape of the last forward's x, known also where x is not kept."""
        shape: tuple[int, ...] = self._forward[2] if self.x is None else self.x.shape
        return shape

    def undraw(self) -> None:
        """Forget the first values that were drawn, here and in the layers within: `build` draws others."""
        self.arrays = {name: array for name, array in self.arrays.items() if name not in self._drawn}
        self._drawn = ()
        for _, layer in held(self):
            layer.undraw()

    @property
    def where(self) -> str:
        """The layer for an error message: its place in the model and its repr."""
        return repr(self) if self.place is None else f"layer {self.place}, {self!r}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __getstate__(self) -> dict[str, Any]:
        """What is copied and pickled: a layer alone, with its own parameters and without the last batch."""
        of_a_model = ("place", "needs_dx", "keeps_all", "x", "y", "_forward", "_of_bases")
        return {name: value for name, value in super().__getstate__().items() if name not in of_a_model}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for _, layer in held(self) if self._containers else ():
            layer.demand_dx(True)
