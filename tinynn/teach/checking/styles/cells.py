"""Readers of layers with other inputs than x: cells, forward(x, h_prev, c_prev); forward(a, b); attributes alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....checks import Array
from ....process import same_chance
from ..copies import deep_copy
from ..leaves import leaves
from ..names import is_state, plain
from ..under_test import quiet
from . import roles
from .objects import BACKWARD, FORWARD
from .view import View


class Inputs:
    """The learner's object, and beside it the inputs that follow x: numbers whose gradients backward returns."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer


class Cell(View):
    """A layer with further inputs. They are drawn at its first forward, in a size with which that runs."""

    def __init__(self, layer: Any, forward: Any, backward: Any, inputs: list[str]) -> None:
        super().__init__(Inputs(layer), forward, backward)
        self.inputs, self.name = inputs, f"{type(layer).__name__}()"

    def forward(self, x: Array) -> Any:
        """y for rows x."""
        if not all(hasattr(self.thing, name) for name in self.inputs):
            self._draw(x)
        return super().forward(x)

    def further(self) -> dict[str, Any]:
        """The further inputs, as the code takes samples."""
        return {name: self.given(np.array(getattr(self.thing, name))) for name in self.inputs}  # no cache is one

    def _draw(self, x: Array) -> None:
        """Rows for the further inputs: of the first width with which forward runs, else of that of x."""
        widths = [n for leaf in leaves(self.thing.layer) for n in np.shape(leaf.value)]
        rng = np.random.default_rng(9)
        shapes = [x.shape, *((*x.shape[:-1][:1], width) for width in dict.fromkeys(widths))]  # of a vector, a vector
        for shape in shapes if self.inputs and is_state(self.inputs[0]) else shapes[:1]:
            for name in self.inputs:
                setattr(self.thing, name, rng.normal(size=shape))
            try:
                with quiet(), same_chance():
                    View.forward(deep_copy(self), x.copy())
                return
            except Exception:  # of another width, or its own error, which the check says
                continue
        for name in self.inputs:
            setattr(self.thing, name, rng.normal(size=x.shape))

    def read(self, returned: Any) -> Any:
        """dx of (dx, dh_prev, ...), in the order of the arguments."""
        if not isinstance(returned, tuple | list) or len(returned) < 1 + len(self.inputs):
            return super().read(returned)
        dx, *others = returned
        self.grads = {name: self.taken(a) for name, a in zip(self.inputs, others)}
        return (dx, *others[len(self.inputs) :])


def read_cell(thing: Any) -> Cell | None:
    """A layer with more inputs than x; None where it has one, or a target among them."""
    if isinstance(thing, tuple):
        return None
    forward, backward = roles.method(thing, FORWARD), roles.method(thing, BACKWARD)
    if forward is None or backward is None or "dy" not in roles.roles(backward, "dy").values():
        return None
    asked = roles.roles(forward, "x")
    others = [name for name in roles.required(forward) if asked[name] != "x"]
    states = bool(others) and all(map(is_state, others))
    two = len(others) == 1 and len(roles.required(forward)) == 2 and len(roles.returned_names(backward)) == 2
    targets = "t" in roles.roles(backward, "dy").values()
    return Cell(thing, forward, backward, others) if not targets and (states or two) else None


class Slots(View):
    """A layer whose forward() and backward() take nothing: x, y, dy and dx stand in its attributes X, Y, dY and dX."""

    def __init__(self, layer: Any, forward: Any, backward: Any, slots: dict[str, str]) -> None:
        super().__init__(layer, forward, backward)
        self.slots = slots

    def forward(self, x: Array) -> Any:
        """y for rows x."""
        self.zero()
        self.memory.x = x
        self.memory.values = {"x": self.given(x)}
        setattr(self.thing, self.slots["x"], self.given(x))
        self._forward()
        return self.taken(getattr(self.thing, self.slots["y"]))

    def backward(self, dy: Array) -> Any:
        """dx for rows dy."""
        setattr(self.thing, self.slots["dy"], self.given(dy))
        self._backward()
        return self.taken(getattr(self.thing, self.slots["dx"]))


SLOTS = {
    "x": ("x", "input", "inputs"), "y": ("y", "output", "out", "outputs"),
    "dy": ("dy", "dout", "doutput", "doutputs", "outputgrad", "gradoutput"),
    "dx": ("dx", "dinput", "dinputs", "inputgrad", "gradinput"),
}  # fmt: skip


def read_slots(thing: Any) -> Slots | None:
    """A layer over its attributes; None where forward or backward takes something, or an attribute is missing."""
    forward, backward = roles.method(thing, ("forward",)), roles.method(thing, ("backward",))
    if forward is None or backward is None or roles.arguments(forward) or roles.arguments(backward):
        return None
    own = {plain(name): name for name in getattr(thing, "__dict__", {})}
    slots = {key: own[name] for key, names in SLOTS.items() for name in reversed(names) if name in own}
    return Slots(thing, forward, backward, slots) if len(slots) == len(SLOTS) else None
