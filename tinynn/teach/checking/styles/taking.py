"""What a backward that updates its parameters takes from them: at a learning rate of 1 that is their gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....checks import Array
from ....process import same_chance
from ..leaves import Leaf, leaves
from ..names import is_kept, plain
from ..pairing import moving
from ..under_test import quiet
from . import roles

RATES = ("lr", "learningrate", "learnrate")  # as attributes; alpha may be a slope, and rate that of a dropout


class Plain:
    """Gradient descent, in the place of an optimizer that a layer holds."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def update(self, w: Array, gradient: Array) -> Array:
        """w - rate * gradient."""
        return w - self.rate * gradient


class Taking:
    """The part of a View that calls backward, and gives the parameters back what it took from them."""

    always_updates = False  # whether its backward may do so with no learning rate in sight
    by_name = False  # whether its gradients are read by their names, not by what the update takes: that is no gradient
    adapts = False  # whether lines update by a root of squares, as Adam does
    keeps: Sequence[str] = ()  # momentum and the like, of its update
    scale = 1.0  # of what is taken back
    pace = 1.0  # the learning rate at which it is
    thing: Any
    functions: bool
    memory: Any
    taken_back: dict[str, Array]
    _backward: Callable[..., Any]
    called: Callable[..., Any]
    forward: Callable[[Array], Any]

    def rate(self) -> str | None:
        """The attribute that is a learning rate."""
        return next((n for n, v in self._held().items() if plain(n) in RATES and isinstance(v, float)), None)

    def rules(self) -> dict[str, Any]:
        """The attributes that are optimizers, with update(w, gradient)."""
        return {n: v for n, v in self._held().items() if len(roles.arguments(getattr(v, "update", len))) == 2}

    def _held(self) -> dict[str, Any]:
        return {} if self.functions else getattr(self.thing, "__dict__", {})

    @property
    def updates(self) -> bool:
        """Whether backward may update parameters on the way."""
        return not self.functions and bool(self.always_updates or self.rate_is_known)

    @property
    def rate_is_known(self) -> bool:
        """Whether the learning rate of such an update can be set: an argument, an attribute, or an optimizer's."""
        asks = "rate" in roles.roles(self._backward, "dy").values()
        return bool(asks or self.rate() or self.rules())

    def step(self, values: dict[str, Any]) -> Any:
        """Call backward; what it has changed in the parameters on the way is noted and taken back."""
        self.taken_back = {}
        if not self.updates:
            return self.called(self._backward, "dy", values)
        rate, rules = self.rate(), self.rules()
        before = [(leaf, np.array(leaf.value, float)) for leaf in leaves(self) if leaf.paths[0][-1][1] != rate]
        kept = [(leaf, 0 * old) for leaf, old in before if self._is_kept(leaf, [other for other, _ in before])]
        for leaf, zeros in kept:
            leaf.write(self, zeros)
        for name in [rate] if rate else []:
            setattr(self.thing, name, self.pace)
        for name in rules:
            setattr(self.thing, name, Plain(self.pace))
        returned = self.called(self._backward, "dy", {**values, "rate": self.pace})
        for name, rule in rules.items():
            setattr(self.thing, name, rule)
        for leaf, old in before:
            new = np.array(leaf.read(self), float)
            changed = new.shape == old.shape and not np.array_equal(new, old, equal_nan=True)
            if changed and self.moves_y(leaf):
                self.taken_back[leaf.name] = (old - new) / (self.scale * self.pace)
                leaf.write(self, old)
        for leaf, zeros in kept if self.taken_back else ():
            leaf.write(self, zeros)
        self.keeps = [leaf.name for leaf, _ in kept]
        if self.by_name:
            self.taken_back = {}
        return returned

    def _is_kept(self, leaf: Leaf, among: list[Leaf]) -> bool:
        """Whether a number is a momentum: it is 0 before each step, so that what is taken is the gradient alone."""
        keys = [str(key) for _, key in leaf.paths[0] if key != "thing"]
        others = [one for one in among if one is not leaf and np.shape(one.value) == np.shape(leaf.value)]
        return bool(others) and is_kept(keys, [str(one.paths[0][-1][1]) for one in others])

    def moves_y(self, leaf: Leaf) -> bool:
        """Whether a number is a parameter, not something that is kept: y is another one when it is nudged."""
        if leaf.name not in self.memory.moving:

            def run(view: Taking) -> Array:
                with quiet(), same_chance():
                    return np.array(view.forward(self.memory.x))

            self.memory.moving[leaf.name] = bool(moving(self, [leaf], run))
        return self.memory.moving[leaf.name]
