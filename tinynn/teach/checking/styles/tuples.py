"""Reader of functions of tuples: forward(inputs) gives (y,), and backward(inputs, grad_outputs) gives (gx, gW, gb)."""

from __future__ import annotations

import ast
import itertools
import re
from typing import Any

import numpy as np

from ....checks import Array
from ..copies import deep_copy
from ..names import role_of
from ..under_test import quiet
from . import roles
from .cells import Cell

WIDTH = 4


class Tuples(Cell):
    """Such an object as a layer: its first input is x, and the others are numbers with a gradient each."""

    first = "x"  # what the code calls x

    def forward(self, x: Array) -> Any:
        """y for rows x."""
        if not all(hasattr(self.thing, name) for name in self.inputs):
            self._draw(x)
        self.memory.x, self.memory.values = x, {"x": x}
        (y,) = self.thing.layer.forward(self._inputs())
        return self.taken(y)

    def _inputs(self) -> tuple[Any, ...]:
        return self.given(self.memory.x), *self.further().values()

    def _draw(self, x: Array) -> None:
        """The first shapes with which it runs: those of weights by the names of weights, else that of x."""
        n, rng = x.shape[-1], np.random.default_rng(9)
        weights = ((WIDTH, n), (n, WIDTH), (WIDTH,), (n,))
        learned = "" if self.first == "a" else "(?i)w|b|gamma"  # of a, b both are inputs
        ways = [weights if learned and re.match(learned, name) else (x.shape,) for name in self.inputs]
        for shapes in itertools.product(*ways):
            for name, shape in zip(self.inputs, shapes):
                setattr(self.thing, name, rng.normal(size=shape))
            tried = deep_copy(self)
            try:
                with quiet():
                    tried.backward(np.ones_like(tried.forward(x)))
                return
            except Exception:  # of another shape, or its own error, which the check says
                continue

    def backward(self, dy: Array) -> Any:
        """dx for rows dy."""
        dx, *others = self.thing.layer.backward(self._inputs(), (self.given(dy),))
        if len(others) != len(self.inputs):
            raise ValueError(f"backward must return {1 + len(self.inputs)} gradients, not {1 + len(others)}")
        self.grads = dict(zip(self.inputs, others))
        return self.taken(dx)


def read_tuples(thing: Any) -> Tuples | None:
    """An object whose forward takes and returns a tuple; None for any other."""
    forward, backward = getattr(thing, "forward", None), getattr(thing, "backward", None)
    if isinstance(thing, type) or forward is None or backward is None or len(roles.required(forward)) != 1:
        return None
    asked = [role_of(name) for name in roles.required(backward)]
    (given,) = roles.required(forward)
    if asked != ["x", "dy"] or len(roles.returned_names(forward)) != 1 or not roles.returned_names(backward):
        return None
    names = list(roles.unpacked(forward).get(given, _by_number(forward)))
    if not names:
        return None
    made = Tuples(thing, forward, backward, names[1:])
    made.first = names[0]
    return made


def _by_number(forward: Any) -> list[str]:
    """Names for the inputs that forward takes as inputs[0], inputs[1]."""
    parts = [node for node in ast.walk(roles.tree_of(forward)) if isinstance(node, ast.Subscript)]
    constants = [part.slice for part in parts if roles.asked_of(forward, part.value)]
    places = [c.value for c in constants if isinstance(c, ast.Constant) and isinstance(c.value, int)]
    return [f"input{k}" for k in range(1 + max(places, default=-1))]
