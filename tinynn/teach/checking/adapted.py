"""Objects in the style of other courses as layers: forward(x), backward(dout), gradients wherever they keep them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import checks
from ...checks import Array
from ...layers.layer import Layer
from ...nesting import walk
from ...process import same_chance
from .chance import same_draws
from .copies import deep_copy
from .leaves import Leaf, Unpaired, at, leaves
from .names import unmangled
from .pairing import constant, idle, movers, names_gradient, pair, usual
from .styles import View, Whole
from .under_test import precise, private, quiet

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
        return getattr(type(self.own), "ids", None) is True

    @property
    def own(self) -> Any:
        """The learner's own object."""
        return self.thing.thing if isinstance(self.thing, View) else self.thing

    def __init__(self, thing: Any, x: Array | None = None) -> None:
        self.thing, self.constants, self.tried = thing, [], x is not None  # type: ignore[var-annotated]
        self.found = likely(thing) if x is None else self._try(x)
        shorten(self.found, thing)
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
        except Unpaired:
            raise
        except Exception:  # the examination says what is wrong with forward
            return likely(self.thing)
        if not np.array_equal(again(deep_copy(first), x), again(deep_copy(first), x), equal_nan=True):
            return likely(self.thing)  # there is randomness inside: everything seems to move y
        moving = movers(first, lambda thing: again(thing, x))
        if {leaf.name for leaf in moving} - {leaf.name for leaf in leaves(self.thing)}:
            self.thing = first  # its weights are drawn at its first forward
        after = private("layer", self.thing)
        with quiet(), same_chance():
            y, cache = outputs(after, after.forward(x.copy()))
            dy = np.random.default_rng(6).normal(size=np.shape(y)).astype(x.dtype)
            dy = np.eye(len(x))[:, :1] if isinstance(after, Whole) else dy  # the loss, once
            try:
                returned = after.backward(dy.copy(), *cache)
            except Unpaired:
                raise
            except Exception:
                return likely(self.thing)

        def slope(leaf: Leaf, u: Array) -> float:
            values = []
            for h in (1e-6, -1e-6):
                nudged = deep_copy(self.thing)
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
            if isinstance(self.thing, Whole):
                value = value * dy.sum()
            elif isinstance(self.thing, View) and self.thing.averages:
                value = value * len(dy)
            if np.shape(value) != array.shape and fits(np.shape(value), array.shape):
                value = np.reshape(value, array.shape)
            if np.shape(value) != array.shape:
                message = f"{self.where}: d{leaf.name} must have shape {array.shape}, not {np.shape(value)}"
                raise checks.ShapeError(message, "d" + leaf.name, value)
            self.arrays["d" + leaf.name][...] = value
        if not self.returns_dx:
            return np.zeros_like(self.x)
        if isinstance(self.thing, Whole):
            return None
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
        return self.thing.name if isinstance(self.thing, View) else f"{type(self.thing).__name__}()"


def is_network(layer: Any) -> bool:
    """Whether a layer is a whole network with its loss, which is its y, once in each row."""
    return isinstance(getattr(layer, "thing", None), Whole)


def fits(shape: tuple[int, ...], of: tuple[int, ...]) -> bool:
    """Whether an update b - db leaves b its shape, as of (1, H) with (H,), and each number has its own."""
    try:
        return np.broadcast_shapes(shape, of) == of and np.prod(shape) == np.prod(of) and shape != ()
    except ValueError:
        return False


def shorten(found: list[Leaf], thing: Any) -> None:
    """W1 for params["W1"], _W1 and __W1, and for params[0] that is unpacked so, where no other has that name."""
    own = {leaf.name: thing.own_name(leaf.paths[0]) if isinstance(thing, View) else None for leaf in found}
    keys = {leaf.name: own[leaf.name] or unmangled(str(leaf.paths[0][-1][1])).lstrip("_") for leaf in found}
    for leaf in found:
        key = keys[leaf.name]
        if key.isidentifier() and list(keys.values()).count(key) == 1:
            leaf.name = key


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
    """y of an object that may be changed by it, but for its generators."""
    with quiet(), same_draws(thing):
        return np.array(outputs(thing, thing.forward(x.copy()))[0])


def again(thing: Any, x: Array) -> Array:
    """y, with the same random numbers each time."""
    with same_chance():
        return run(thing, x)


def integers_in(thing: Any) -> list[str]:
    """The names of an object's parameters that are whole numbers: 3 + 1e-5 is stored as 3 there."""
    if isinstance(thing, Layer) and not isinstance(thing, Adapted):
        return []
    held = thing.thing if isinstance(thing, Adapted) else thing
    return [leaf.name for leaf in likely(held) if np.asarray(leaf.value).dtype.kind in "iu"]
