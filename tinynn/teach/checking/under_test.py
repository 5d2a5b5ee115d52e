"""What is under check, as private copies that compute in double precision.

Nothing here touches the caller's objects: a layer, loss or model is copied, its copy moved to the textbook's ops, and
its numbers made float64, for its own backward, or complex128, for the complex step.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ... import checks
from ...backends import numpy as numpy_ops
from ...checks import Array
from ...layers.layer import Layer
from ...losses import Loss
from ...model import Model, Sequential
from ...model.any_model import all_layers
from ...model.flat_vectors import lay_out
from ...nesting import walk, with_inner
from ...process import in_main_thread
from .chance import copied, look_once, same_start
from .copies import deep_copy
from .leaves import leaves

REAL, COMPLEX = np.dtype("float64"), np.dtype("complex128")


def private(name: str, thing: Any) -> Any:
    """A deep copy, in which arrays that are read-only still are. Raises TypeError where none can be made."""
    try:
        own = deep_copy(thing)
    except Exception as error:
        raise TypeError(f"{name} must be something that copy.deepcopy copies, not {checks.describe(thing)}") from error
    for old, new in zip(leaves(thing), leaves(own)):
        if isinstance(old.value, np.ndarray) and isinstance(new.value, np.ndarray):
            new.value.flags.writeable = old.value.flags.writeable
    return own


# --- layers ----------------------------------------------------------------------------------------------------------


def precise(layer: Layer, dtype: np.dtype[Any]) -> None:
    """Move a private copy of a layer, with the layers that it holds, to the textbook's ops and numbers of `dtype`."""
    if layer.ops is None:
        layer.build(np.random.default_rng(0), dtype, numpy_ops)
    within = with_inner(layer)
    for one in (*within, *with_inner(getattr(layer, "thing", None))):
        if one.ops is None:
            one.build(np.random.default_rng(0), dtype, numpy_ops)
        to_numpy = one.ops.to_numpy
        one.arrays = {name: to_numpy(a).astype(dtype) for name, a in one.arrays.items()}
        one.ops, one.dtype = numpy_ops, dtype if one.arrays or isinstance(one, Model) else None
        one.x = one.y = one._forward = None
    for one in reversed(within):  # the outer one last: its vectors are those that count
        if isinstance(one, Model):
            one.lay_out()


def arrays_of(layer: Layer) -> dict[str, tuple[Layer, str]]:
    """Where the parameters of a layer, and of those within it, are: "W" or "inner.1.W" -> (the layer, "W")."""
    found = {name: (layer, name) for name in layer.parameters}
    found.update({f"{path}.{name}": (inner, name) for path, inner in walk(layer) for name in inner.parameters})
    return found


def gradient_name(name: str) -> str:
    """dW for W, and inner.1.dW for inner.1.W."""
    within, dot, last = name.rpartition(".")
    return f"{within}{dot}d{last}"


class LayerUnderTest:
    """One layer under check, alone."""

    def __init__(self, layer: Layer, where: str) -> None:
        self.original, self.where = private("layer", layer), where
        precise(self.original, REAL)
        look_once(self.original)
        self.twin = copied(self.original)
        precise(self.twin, COMPLEX)
        self.original.demand_dx(True)
        self.twin.demand_dx(True)
        self.names = tuple(arrays_of(self.original))
        self.tensors = (*self.names, "x")  # whose gradients are to be looked at
        self.notes: list[str] = []  # what an examination says beside its finding

    def without_dx(self) -> None:
        """A network of other courses whose backward returns no dx: nothing stands before it that needs one."""
        self.tensors = self.names
        self.original.returns_dx = self.twin.returns_dx = False

    def fresh(self) -> Layer:
        """A copy that has seen nothing yet."""
        layer = copied(self.original)
        layer.demand_dx(True)
        return layer

    def value(self, name: str) -> Array:
        """A parameter, as it was at the start."""
        layer, own = arrays_of(self.original)[name]
        return layer.arrays[own]

    def twin_value(self, name: str) -> Array:
        """The same of the copy for the complex step."""
        layer, own = arrays_of(self.twin)[name]
        return layer.arrays[own]

    def forward(self, x: Array, changed: Mapping[str, Array] | None = None) -> Array:
        """y with some parameters `changed`; complex where x is."""
        layer = self.twin if x.dtype == COMPLEX else self.fresh()
        places, kept = arrays_of(layer) if changed else {}, []
        for name, a in (changed or {}).items():
            held, own = places[name]
            kept.append((held, held.arrays))
            held.arrays = {**held.arrays, own: a.astype(x.dtype)}
        try:
            with quiet(), same_start(layer):
                return np.array(layer.forward(x.copy()))
        finally:
            for held, arrays in kept:
                held.arrays = arrays

    def gradients(self, x: Array, dy: Array, layer: Layer | None = None) -> tuple[dict[str, Array], Array]:
        """The layer's own gradients: of its parameters by name, and dx."""
        layer = layer or self.fresh()
        with quiet(), same_start(layer):
            layer.forward(x.copy())
            dx = layer.backward(dy.copy())
        return {name: held.arrays["d" + own].copy() for name, (held, own) in arrays_of(layer).items()}, np.array(dx)


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


class LossUnderTest:
    """A loss under check: tinynn's, a function (y, t) -> (value, dy), or an object with forward(y, t) and backward."""

    def __init__(self, loss: Any, copied: bool = False) -> None:
        works = isinstance(loss, Loss) or callable(loss) or (hasattr(loss, "forward") and hasattr(loss, "backward"))
        if isinstance(loss, type) or not works:
            hint = checks.class_hint(loss)
            expected = "a loss such as MSE(), a pair of functions, or a function (y, t) -> (value, dy)"
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


class ModelUnderTest:
    """A model and its loss under check, copied together: a loss may hold the model, for a term in its weights."""

    def __init__(self, model: Any, loss: Any, dtype: np.dtype[Any]) -> None:
        self.model, self.loss = private("model and loss", (model, loss))
        twins = {id(layer): twin for (_, layer), (_, twin) in zip(walk(model), walk(self.model))}
        originals = all_layers(model)
        everything = [twins[id(layer)] for layer in originals]
        self.layers = [layer for layer in everything if not isinstance(layer, Sequential)]  # that of tinynn is right
        old = {name: value for name, value in vars(self.model).items() if isinstance(value, np.ndarray)}
        for layer in everything:
            precise(layer, dtype)
        placed = [(layer.place or 0, twin) for layer, twin in zip(originals, everything)]
        if isinstance(self.model, Model):
            placed = self.model.placed()
        self.params, self.grads, buffers = lay_out(placed, dtype, numpy_ops)
        start = 0
        self.slices: list[tuple[Layer, str, slice]] = []
        for _, layer in placed:
            for name in layer.parameters:
                end = start + layer.arrays[name].size
                self.slices.append((layer, name, slice(start, end)))
                start = end
        if isinstance(self.model, Model):
            self.model.rebind((self.params, self.grads, buffers))
        for name in old:  # the model's own names for its vectors
            if name.strip("_") in ("params", "grads"):
                setattr(self.model, name, self.params if "params" in name else self.grads)
        if hasattr(self.model, "ops"):
            self.model.ops = numpy_ops
        if hasattr(self.model, "dtype"):
            self.model.dtype = dtype
        if isinstance(self.model, Layer):
            look_once(self.model, self.loss)
        self.loss = LossUnderTest(self.loss, copied=True)
        self.dtype = dtype

    def value(self, x: Array, t: Array) -> Any:
        """The loss of the whole."""
        with quiet(), same_start(self.model):
            return self.loss.value(self.model.forward(x.astype(self.dtype)), t)
