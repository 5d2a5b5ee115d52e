"""One real training step of a model under check, with what went into every layer and came out of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import checks
from ...checks import Array
from ...nesting import walk, with_inner
from .adapted import Adapted, run
from .chance import same_start
from .finite import not_finite, of_a_layer
from .layer_doctor import examine
from .measure import same
from .pairing import constant, movers
from .report import Finding, raised
from .under_test import LayerUnderTest, ModelUnderTest, quiet


class RecordedStep:
    """One real step, forward and backward, with what went into every layer and came out of it."""

    def __init__(self, network: ModelUnderTest, untouched: list[Any], x: Array, t: Array) -> None:
        self.network, self.untouched, self.t = network, untouched, t
        self.value: Any = 0.0
        self.failed: Finding | None = None
        self.error: tuple[str, Exception] | None = None
        self.dy: Array | None = None
        self.grads = np.zeros(0)
        self.calls: list[tuple[str, Any, Array, Any]] = []  # ("forward" or "backward", layer, given, returned)
        self.before = network.params.copy()
        for layer in network.layers:
            self._listen(layer)
        try:
            self._run(x.copy(), t)
        finally:
            for layer in network.layers:
                del layer.forward, layer.backward  # the listeners: the class's own again
        if self.error is not None:
            self.failed = self._raised(*self.error)

    def _run(self, given: Array, t: Array) -> None:
        network, x = self.network, given.copy()
        try:
            with quiet(), same_start(network.model):
                self.y = network.model.forward(given)
        except Exception as error:
            self.error = "forward", error
            return
        if not np.array_equal(given, x):
            why = "forward changes x in place: the caller's data are others after it"
            self.failed = Finding("writes-into-x", "the model", why, "x = x - ... in place of x -= ...")
        try:
            self.value, dy = network.loss.both(self.y.copy(), t)
            if np.shape(dy) != self.y.shape:
                raise checks.ShapeError(f"dy must have y's shape {self.y.shape}, not {np.shape(dy)}", "dy", dy)
        except Exception:
            self.dy = np.zeros(self.y.shape)  # the loss's own examination says what is wrong
            return
        self.dy = np.array(dy, float)
        try:
            with quiet():
                network.model.backward(self.dy.copy())
        except Exception as error:
            self.error = "backward", error
        self.grads = network.grads.copy()

    def _raised(self, method: str, error: Exception) -> Finding | None:
        """An error inside a layer is that layer's: its own examination names it."""
        layers = self.of("forward")
        for layer in reversed(layers):
            found = examine(self.alone(layer), self.given(layer), np.random.default_rng(0))
            if found and (method == "backward" or found.code == "raises"):
                return found
        if method == "backward" and self.out_of_order():
            return wrong_order(self.of("backward"))
        broken = [layer for layer in self.network.layers if all(layer is not other for other in layers)]
        where = broken[0].where if broken and method == "forward" else "the model"
        return raised(where, method, error)

    def out_of_order(self) -> bool:
        """Whether a layer went back before one that had taken its output."""
        order = [layer.place for layer in self.of("backward")]
        forward = [(layer.place, given, y) for method, layer, given, y in self.calls if method == "forward"]
        return any(
            giver in order and (taker not in order or order.index(giver) < order.index(taker))
            for giver, _, y in forward
            for taker, given, _ in forward
            if giver != taker and same(y, given)
        )

    def alone(self, layer: Any) -> LayerUnderTest:
        """The layer by itself, as it was before the step, and with the dx that a first layer saves."""
        index = next(k for k, other in enumerate(self.network.layers) if other is layer)
        tested = LayerUnderTest(self.untouched[index], layer.where)
        returned = [dx for method, other, _, dx in self.calls if method == "backward" and other is layer]
        if isinstance(layer, Adapted) and not layer.needs_dx and returned and returned[0] is None:
            tested.without_dx()
        return tested

    def _listen(self, layer: Any) -> None:
        forward, backward = layer.forward, layer.backward

        def listening_forward(x: Array) -> Array:
            given = np.array(x)
            y = forward(x)
            self.calls.append(("forward", layer, given, y))
            return y

        def listening_backward(dy: Array) -> Array:
            given = np.array(dy)
            self.calls.append(("backward", layer, given, None))
            dx = backward(dy)
            self.calls[-1] = "backward", layer, given, dx
            return dx

        layer.forward, layer.backward = listening_forward, listening_backward

    def of(self, method: str) -> list[Any]:
        """The layers in the order in which `method` was called."""
        return [layer for name, layer, _, _ in self.calls if name == method]

    def unpaired(self) -> Finding | None:
        """What moves y and has no gradient: in the layers, and in the model around them."""
        for layer in self.of("forward"):
            found = unpaired(self.alone(layer), self.given(layer))
            if found:
                return found
        model, x = self.network.model, self.given(self.of("forward")[0])
        known = known_arrays(model) | {id(self.network.params), id(self.network.grads)}
        moving = movers(model, lambda copy: run(copy, x), lambda leaf: id(leaf.value) in known or in_layer(leaf))
        return _no_gradient("the model", [leaf for leaf in moving if not constant(leaf, model)])

    def given(self, layer: Any, method: str = "forward") -> Array:
        """What went into a layer, the first time."""
        return next(given for name, other, given, _ in self.calls if name == method and other is layer)


def unpaired(tested: LayerUnderTest, x: Array) -> Finding | None:
    """What moves a layer's y and is not among its parameters."""
    layer = tested.original
    known = known_arrays(layer)
    moving = movers(layer, lambda copy: run(copy, x), lambda leaf: id(leaf.value) in known)
    return _no_gradient(tested.where, [leaf for leaf in moving if in_layer(leaf) or not constant(leaf, layer)])


def known_arrays(model: Any) -> set[int]:
    """The arrays that are parameters, gradients and buffers, and the vectors that they are views of."""
    things = with_inner(model)
    arrays = [a for thing in things for a in thing.arrays.values()]
    return {id(a) for a in arrays} | {id(a) for thing in things for a in getattr(thing, "_vectors", None) or ()}


def in_layer(leaf: Any) -> bool:
    """Whether a number is a held layer's."""
    return any(step == ("attribute", "arrays") for path in leaf.paths for step in path)


def _no_gradient(where: str, moving: list[Any]) -> Finding | None:
    if not moving:
        return None
    why = f"{moving[0].name.replace('.arrays[', '[')} moves y, and no gradient of it is known: it would not be trained"
    fix = 'name it in `parameters`, such as parameters = ("W", "b"); what is not learned can be read-only'
    return Finding("not-judged", where, why, fix)


def first_not_finite(step: RecordedStep) -> Finding | None:
    """The first value of a step that is NaN or infinite, in the order in which it computes them."""
    for method, layer, given, returned in step.calls:
        if method == "forward":
            given_x, y = given, returned

            def again(layer: Any = layer, x: Array = given_x) -> None:
                step.alone(layer).fresh().forward(x)

            found = not_finite(
                layer.where, {"y": y}, again, {name: step.alone(layer).value(name) for name in layer.parameters}
            )
            if found:
                return found
    loss, y, t = step.network.loss, step.y, step.t
    found = not_finite(loss.where, {"the loss": step.value, "dy": step.dy}, lambda: loss.computed(y.copy(), t), {})
    if found:
        return found
    for method, layer, dy, _ in step.calls:
        if method == "backward":
            tested, x = step.alone(layer), step.given(layer)
            found = of_a_layer(tested, x, tested.forward(x), dy)
            if found:
                return found
    return None


def first_broken_layer(step: RecordedStep, rng: np.random.Generator) -> Finding | None:
    """The layer nearest to the loss whose backward is wrong by itself; of one that holds others, first those."""
    seen: list[Any] = []
    used = step.of("forward")[::-1]
    for layer in [one for outer in used for one in (*_within(outer, used), outer)]:
        if any(layer is other for other in seen):
            continue
        seen.append(layer)
        found = examine(step.alone(layer), step.given(layer), rng)
        if found:
            return found
    return None


def _within(layer: Any, used: list[Any]) -> list[Any]:
    inner = [one for _, one in walk(layer)]
    return [one for one in used if any(one is other for other in inner)]


def wrong_order(backward: list[Any]) -> Finding:
    """The layers' backward in the order of forward, or any other."""
    order = ", ".join(str(layer.place) for layer in backward)
    said = f"goes through the layers in the order {order}" if len(backward) > 1 else f"begins with layer {order}"
    why = f"backward {said}; it must be the reverse of forward's order"
    return Finding("wrong-order", "the model", why, "for layer in reversed(layers): dy = layer.backward(dy)")
