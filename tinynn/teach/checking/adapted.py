"""Objects in the style of other courses as layers: forward(x), backward(dout), gradients wherever they keep them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ... import checks
from ...checks import Array
from ...layers.layer import Layer
from ...model.sequential import Sequential
from ...nesting import walk
from ...process import same_chance
from .ids import taking_ids
from .pairing import Leaf, Unpaired, at, constant, idle, leaves, movers, names_gradient, own_class_values, pair, usual
from .under_test import REAL, precise, private, quiet

HOW = (
    'name its gradient after it (W and dW, params["W"] and grads["W"]), or, where it is not learned, make the array '
    "read-only or name what is in `parameters`"
)


class Adapted(Layer):
    """An object with forward(x) and backward(dout) as a tinynn layer; it can stand in a Sequential and be trained.

    Its parameters are the numbers in it that move y. With a batch x they are found by trying (pairing.py). Without,
    they are those with a usual name (W, b, weights) or a gradient beside them, and the first backward tries.
    """

    paired = True  # pairing.py does not look into it again
    returns_dx = True

    @property
    def takes_ids(self) -> bool:
        """Whether x is ids, which have no gradient: see ids.py."""
        return getattr(type(self.thing), "ids", None) is True

    def __init__(self, thing: Any, x: Array | None = None) -> None:
        self.thing, self.constants, self.tried = thing, [], x is not None  # type: ignore[var-annotated]
        self.found = likely(thing) if x is None else self._try(x)
        self.parameters = tuple(leaf.name for leaf in self.found)
        for leaf in self.found:
            self.arrays = {**self.arrays, leaf.name: np.array(leaf.read(self.thing))}

    def build(self, rng: Any = None, dtype: Any = None, ops: Any = None) -> None:
        super().build(rng, dtype, ops)
        for _, layer in walk(self.thing):  # tinynn's own, which take x of one dtype
            precise(layer, np.dtype(dtype or np.float32))

    def _try(self, x: Array) -> list[Leaf]:
        """The parameters with their gradients, by one forward and one backward. Raises Unpaired."""
        first = private("layer", self.thing)
        try:
            run(first, x)
        except Exception:  # the examination says what is wrong with forward
            return likely(self.thing)
        if not np.array_equal(again(copy.deepcopy(first), x), again(copy.deepcopy(first), x), equal_nan=True):
            return likely(self.thing)  # there is randomness inside: everything seems to move y
        moving = movers(first, lambda thing: again(thing, x))
        if {leaf.name for leaf in moving} - {leaf.name for leaf in leaves(self.thing)}:
            self.thing = first  # its weights are drawn at its first forward
        after = private("layer", self.thing)
        with quiet(), same_chance():
            y, cache = outputs(after, after.forward(x.copy()))
            dy = np.random.default_rng(6).normal(size=np.shape(y)).astype(x.dtype)
            try:
                returned = after.backward(dy.copy(), *cache)
            except Exception:
                return likely(self.thing)

        def slope(leaf: Leaf, u: Array) -> float:
            values = []
            for h in (1e-6, -1e-6):
                nudged = copy.deepcopy(self.thing)
                leaf.write(nudged, np.asarray(leaf.value, float) + h * u)
                values.append((dy * again(nudged, x)).sum())
            return float(values[0] - values[1]) / 2e-6

        fixed = [leaf for leaf in moving if constant(leaf, self.thing)]
        missing = pair(moving, after, returned, slope)
        still = pair(idle(self.thing, moving), after, returned)
        if still and not missing:
            raise Unpaired(f"{self!r}: {still[0]} does not move y at this x, and no gradient of it was found: {HOW}")
        self.constants = [leaf.name for leaf in fixed if leaf.name in missing or declared(self.thing)]
        missing = [name for name in missing if name not in self.constants]
        if missing:
            raise Unpaired(f"{self!r}: {missing[0]} moves y, and no gradient of it was found: {HOW}")
        return [leaf for leaf in moving if leaf.name not in self.constants]

    def forward(self, x: Array) -> Any:
        for leaf in self.found:
            leaf.write(self.thing, self.arrays[leaf.name])
        y, self.cache = outputs(self.thing, self.thing.forward(x))
        return y

    def backward(self, dy: Array) -> Any:
        if not self.tried:
            self._look_again()
        returned = self.thing.backward(dy, *self.cache)
        missing = pair(
            [leaf for leaf in self.found if leaf.gradient is None], self.thing, returned, lambda leaf, u: np.nan
        )
        if missing:
            raise Unpaired(f"{self!r}: {missing[0]} has no gradient after backward: {HOW}")
        for leaf in self.found:
            now, array = np.asarray(leaf.read(self.thing)), self.arrays[leaf.name]
            if now is not array and now.shape == array.shape:
                array[...] = now  # a backward that assigns new parameters: seen, not lost
            value = at(self.thing, leaf.gradient or (), returned)
            if np.shape(value) != array.shape:
                message = f"{self.where}: d{leaf.name} must have shape {array.shape}, not {np.shape(value)}"
                raise checks.ShapeError(message, "d" + leaf.name, value)
            self.arrays["d" + leaf.name][...] = value
        if not self.returns_dx:
            return np.zeros_like(self.x)
        if isinstance(returned, tuple | list):
            return next((a for a in returned if np.shape(a) == self.x.shape), returned[0])
        return getattr(self.thing, "dinputs", returned) if returned is None else returned

    def _look_again(self) -> None:
        """Whether the parameters that were taken by their names are all that move y. Raises Unpaired."""
        self.tried = True
        tried = Adapted(private("layer", self.thing), self.x)
        forgotten = set(tried.parameters) - set(self.parameters)
        if forgotten:
            expected = "adapt(thing, x), with a batch x of its rows, finds it"
            raise Unpaired(f"{self!r}: {min(forgotten)} moves y and would not be trained: {expected}")
        gradients = {leaf.name: leaf.gradient for leaf in tried.found}
        for leaf in self.found:
            leaf.gradient = gradients.get(leaf.name)

    def __repr__(self) -> str:
        return f"{type(self.thing).__name__}()"


def declared(thing: Any) -> bool:
    """Whether an object says what its parameters are."""
    return bool(getattr(thing, "parameters", None)) and isinstance(thing.parameters, list | tuple)


def likely(thing: Any) -> list[Leaf]:
    """The numbers of an object that seem to be its parameters: by their names, or a gradient beside them."""
    found = [leaf for leaf in leaves(thing) if np.ndim(leaf.value) and not (declared(thing) and constant(leaf, thing))]
    found = [leaf for leaf in found if not any(names_gradient(other, leaf) for other in found)]  # grads["W"]
    found = [leaf for leaf in found if usual(leaf) or not pair([leaf], thing, None)]
    for leaf in found:
        leaf.gradient = None  # where it stands after backward may be another place
    return found


def outputs(thing: Any, y: Any) -> tuple[Any, tuple[Any, ...]]:
    """y, and what a forward that returns (y, cache) wants backward to get."""
    y, cache = (y[0], y[1:]) if isinstance(y, tuple) else (y, ())
    return (getattr(thing, "output", y) if y is None else y), cache


def run(thing: Any, x: Array) -> Array:
    """y of an object that may be changed by it."""
    with quiet():
        return np.array(outputs(thing, thing.forward(x.copy()))[0])


def again(thing: Any, x: Array) -> Array:
    """y, with the same random numbers each time."""
    with same_chance():
        return run(thing, x)


def adapt(thing: Any, x: Array | None = None) -> Layer:
    """`thing`, with forward(x) and backward(dout), as a layer: a Layer is itself.

    x is a batch of rows that it takes. With it, one forward and one backward show which of its numbers move y, and
    where their gradients are.

    Raises TypeError where it has no forward and backward, and where a number moves y and has no gradient.
    """
    if isinstance(thing, Layer):
        return thing
    methods = [getattr(thing, name, None) for name in ("forward", "backward")]
    if isinstance(thing, type) or not all(map(callable, methods)):
        hint = " (a class: make one of it)" if isinstance(thing, type) else ""
        raise TypeError(
            f"layer must be one such as tinynn's, with forward and backward, not {checks.describe(thing)}{hint}"
        )
    thing = private("layer", thing)
    own_class_values(thing)
    if x is not None:
        checks.float_array("x", x, np)
        thing = taking_ids(thing, x)
        for _, layer in walk(thing):
            precise(layer, x.dtype)
    return Adapted(thing, x)


def as_model(model: Any, x: Array) -> Any:
    """A model as it is; a layer or a list of layers as a Sequential for rows x. Raises TypeError."""
    if isinstance(model, type):
        raise TypeError(f"model must be one such as tinynn's, not {checks.describe(model)} (a class: make one of it)")
    if is_model(model):
        return model
    if hasattr(model, "gradient") and not hasattr(model, "backward"):
        raise Unpaired(
            f"{type(model).__name__}() has gradient(x, t), which the check cannot look into: give it forward(x), as "
            "its predict, and backward(dy), which is its gradient without the loss"
        )
    rows: Array | None = x
    layers = []
    for thing in model if isinstance(model, list | tuple) else [model]:
        layers.append(private("layer", adapt(thing, rows)))
        rows = _behind(layers[-1], rows)
    return Sequential(*layers, backend="numpy", dtype="float64", seed=0)


def is_model(thing: Any) -> bool:
    """Whether it is a Sequential, or of a class over `flatten`: layers of tinynn's, and params and grads as vectors.

    (Objects of other courses have dicts or lists of these names.)
    """
    has_all = all(hasattr(thing, name) for name in ("params", "grads", "forward", "backward"))
    return has_all and not isinstance(thing.params, dict | list | tuple) and next(walk(thing), None) is not None


def _behind(layer: Layer, x: Array | None) -> Array | None:
    """What comes out of a layer; None where that fails, which the check will say."""
    try:
        layer = private("layer", layer)
        precise(layer, REAL)
        return run(layer, x)  # type: ignore[arg-type]
    except Exception:
        return None


def integers_in(thing: Any) -> list[str]:
    """The names of an object's parameters that are whole numbers: 3 + 1e-5 is stored as 3 there."""
    if isinstance(thing, Layer) and not isinstance(thing, Adapted):
        return []
    held = thing.thing if isinstance(thing, Adapted) else thing
    return [leaf.name for leaf in likely(held) if np.asarray(leaf.value).dtype.kind in "iu"]
