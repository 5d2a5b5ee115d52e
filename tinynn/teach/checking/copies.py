"""What is under check, as private copies that compute in double precision.

Nothing here touches the caller's objects: a layer, loss or model is copied, its copy moved to the textbook's ops, and
its numbers made float64, for its own backward, or complex128, for the complex step.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ... import checks
from ...backends import numpy as numpy_ops
from ...checks import Array
from ...layers.layer import Layer
from ...losses import Loss
from ...model.sequential import bind
from ...process import in_main_thread
from .pairing import leaves

REAL, COMPLEX = np.dtype("float64"), np.dtype("complex128")


def private(name: str, thing: Any) -> Any:
    """A deep copy, in which arrays that are read-only still are. Raises TypeError where none can be made."""
    try:
        copied = copy.deepcopy(thing)
    except Exception as error:
        raise TypeError(f"{name} must be something that copy.deepcopy copies, not {checks.describe(thing)}") from error
    for old, new in zip(leaves(thing), leaves(copied)):
        if isinstance(old.value, np.ndarray) and isinstance(new.value, np.ndarray):
            new.value.flags.writeable = old.value.flags.writeable
    return copied


# --- layers ----------------------------------------------------------------------------------------------------------


def precise(layer: Layer, dtype: np.dtype[Any]) -> None:
    """Move a private copy of a layer, with the layers that it holds, to the textbook's ops and numbers of `dtype`."""
    for held in layers_in(getattr(layer, "thing", layer)):
        precise(held, dtype)
    if layer.ops is None:
        layer.build(np.random.default_rng(0), dtype, numpy_ops)
    to_numpy = layer.ops.to_numpy
    layer.arrays = {name: to_numpy(a).astype(dtype) for name, a in layer.arrays.items()}
    layer.ops, layer.dtype = numpy_ops, dtype if layer.arrays else None
    layer.x = layer.y = layer._forward = None


class Part:
    """One layer under check, alone."""

    def __init__(self, layer: Layer, where: str) -> None:
        self.original, self.where = private("layer", layer), where
        precise(self.original, REAL)
        self.twin = copy.deepcopy(self.original)
        precise(self.twin, COMPLEX)
        self.names = self.original.parameters
        self.tensors = (*self.names, "x")  # whose gradients are to be looked at

    def without_dx(self) -> None:
        """A network of other courses whose backward returns no dx: nothing stands before it that needs one."""
        self.tensors = self.names
        self.original.returns_dx = self.twin.returns_dx = False

    def fresh(self) -> Layer:
        """A copy that has seen nothing yet."""
        return copy.deepcopy(self.original)

    def value(self, name: str) -> Array:
        """A parameter, as it was at the start."""
        return self.original.arrays[name]

    def forward(self, x: Array, changed: Mapping[str, Array] | None = None) -> Array:
        """y with some parameters `changed`; complex where x is."""
        layer = self.twin if x.dtype == COMPLEX else self.fresh()
        kept = layer.arrays
        layer.arrays = {**kept, **{name: a.astype(x.dtype) for name, a in (changed or {}).items()}}
        try:
            with quiet():
                return np.array(layer.forward(x.copy()))
        finally:
            layer.arrays = kept

    def gradients(self, x: Array, dy: Array, layer: Layer | None = None) -> tuple[dict[str, Array], Array]:
        """The layer's own gradients: of its parameters by name, and dx."""
        layer = layer or self.fresh()
        with quiet():
            layer.forward(x.copy())
            dx = layer.backward(dy.copy())
        return {name: layer.arrays["d" + name].copy() for name in self.names}, np.array(dx)


class quiet:
    """No warnings from NumPy, but an error where a complex number would lose its imaginary part in silence.

    NumPy's errors are set for this thread. Python's warning filters are the process's: two threads that change them and
    put them back leave them changed for good. So they are changed only in the main thread; in another, a loss of the
    imaginary part is found by its wrong derivative (measure.complex_works).
    """

    def __enter__(self) -> None:
        self.state = np.errstate(all="ignore")
        self.state.__enter__()
        self.caught = warnings.catch_warnings() if in_main_thread() else None
        if self.caught is not None:
            self.caught.__enter__()
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", np.exceptions.ComplexWarning)

    def __exit__(self, *error: Any) -> None:
        if self.caught is not None:
            self.caught.__exit__(*error)
        self.state.__exit__(*error)


# --- losses ----------------------------------------------------------------------------------------------------------


class LossPart:
    """A loss under check: tinynn's, a function (y, t) -> (value, dy), or an object with forward(y, t) and backward."""

    def __init__(self, loss: Any, copied: bool = False) -> None:
        works = isinstance(loss, Loss) or callable(loss) or (hasattr(loss, "forward") and hasattr(loss, "backward"))
        if isinstance(loss, type) or not works:
            hint = " (a class: make one of it)" if isinstance(loss, type) else ""
            expected = "one such as tinynn's, or a function (y, t) -> (value, dy)"
            raise TypeError(f"loss must be {expected}, not {checks.describe(loss)}{hint}")
        self.loss, self.where = loss if copied else private("loss", loss), f"loss {_name_of(loss)}"
        if isinstance(loss, Loss):
            self.loss.ops = numpy_ops

    def value(self, y: Array, t: Array) -> Any:
        """The loss, complex where y is."""
        return self.both(y, t, backward=False)[0]

    def both(self, y: Array, t: Array, backward: bool = True) -> tuple[Any, Any]:
        """The loss and its gradient dy. Targets that are no labels get y's dtype."""
        with quiet():
            return self.computed(y, t, backward)

    def computed(self, y: Array, t: Array, backward: bool = True) -> tuple[Any, Any]:
        """The same, with the warnings of NumPy as they are set."""
        t = t if t.dtype.kind in "iub" else t.astype(y.dtype)
        loss = self.loss
        if isinstance(loss, Loss):
            value = loss.forward(y, t)
            return value, loss.backward()
        if not hasattr(loss, "forward"):
            return loss(y, t)
        value = loss.forward(y, t)
        if not backward:
            return value, y
        needed = [
            p for p in inspect.signature(loss.backward).parameters.values()
            if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
        ]  # fmt: skip
        dy = loss.backward(*([], [1.0], [y, t])[min(len(needed), 2)])
        return value, getattr(loss, "dinputs", dy) if dy is None else dy


def _name_of(thing: Any) -> str:
    if isinstance(thing, Loss):
        return repr(thing)
    return getattr(thing, "__name__", f"{type(thing).__name__}()")


# --- models ----------------------------------------------------------------------------------------------------------


class Network:
    """A model and its loss under check, copied together: a loss may hold the model, for a term in its weights."""

    def __init__(self, model: Any, loss: Any, dtype: np.dtype[Any]) -> None:
        self.model, self.loss = private("model and loss", (model, loss))
        places = [layer.place or 0 for layer in layers_in(model)]  # a copy has none
        self.layers = [layer for _, layer in sorted(zip(places, layers_in(self.model)), key=lambda pair: pair[0])]
        old = {name: value for name, value in vars(self.model).items() if isinstance(value, np.ndarray)}
        for layer in self.layers:
            precise(layer, dtype)
        size = sum(layer.arrays[name].size for layer in self.layers for name in layer.parameters)
        self.params, self.grads = np.zeros(size, dtype), np.zeros(size, dtype)
        start = 0
        self.slices: list[tuple[Layer, str, slice]] = []
        for layer in self.layers:
            for name in layer.parameters:
                end = start + layer.arrays[name].size
                self.params[start:end] = layer.arrays[name].ravel()
                self.slices.append((layer, name, slice(start, end)))
                start = end
        bind(tuple(self.layers), self.params, self.grads)
        for name in old:  # the model's own names for its vectors
            if name.strip("_") in ("params", "grads"):
                setattr(self.model, name, self.params if "params" in name else self.grads)
        if hasattr(self.model, "ops"):
            self.model.ops = numpy_ops
        if hasattr(self.model, "dtype"):
            self.model.dtype = dtype
        self.loss = LossPart(self.loss, copied=True)
        self.dtype = dtype

    def value(self, x: Array, t: Array) -> Any:
        """The loss of the whole."""
        with quiet():
            return self.loss.value(self.model.forward(x.astype(self.dtype)), t)


def layers_in(model: Any) -> Iterator[Layer]:
    """The layers that a model holds, in attributes, lists and dicts, each once."""
    seen: set[int] = set()
    waiting = [getattr(model, "layers", None), *getattr(model, "__dict__", {}).values()]
    while waiting:
        thing = waiting.pop(0)
        if isinstance(thing, Layer):
            if id(thing) not in seen:
                seen.add(id(thing))
                yield thing
        elif isinstance(thing, list | tuple):
            waiting = [*thing, *waiting]
        elif isinstance(thing, dict):
            waiting = [*thing.values(), *waiting]
