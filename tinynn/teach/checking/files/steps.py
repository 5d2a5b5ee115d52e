"""A script that computes a loss and its gradients step by step, all at module level: W1, ..., loss, ..., dW1.

It is run again for each number that is nudged: after the last line that sets W1 before the loss, W1 gets its new value.
So each dW1 is compared with what the loss does, and the gradients of what lies between, dh of h, as well.
"""

from __future__ import annotations

import ast
import contextlib
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ....checks import Array
from ....process import same_chance
from ..names import VALUE
from ..styles.valued import Valued
from ..under_test import quiet
from .written import Source

LONGEST = 0.5  # seconds that a script may take: it is run some hundred times


class NamesOfARun:
    """The names of a script after a run: nothing that is copied, or looked into for parameters and generators."""

    __slots__ = ("names",)
    paired = True

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names

    def __deepcopy__(self, memo: Any) -> NamesOfARun:
        return self


class Script(Valued):
    """A script up to its loss as forward, and the rest as backward. `places`: {W: (its last line, dW)}."""

    def __init__(self, path: str, body: list[ast.stmt], end: int, places: dict[str, tuple[int, str]]) -> None:
        steps = body[: end + 1]
        for name, (place, _) in reversed(places.items()):
            steps.insert(place + 1, ast.parse(f"{name} = _given({name!r}, {name})").body[0])
        self.ahead, self.back = (compile(ast.Module(part, []), path, "exec") for part in (steps, body[end + 1 :]))
        self.path, self.places = path, places
        super().__init__({}, None, self._own_loss, self._own_loss)
        self.own = self.run({})
        self.thing = {name: np.array(a) for name, a in self.own.names["_first"].items()}
        self.name = Path(path).name

    def run(self, values: dict[str, Any]) -> NamesOfARun:
        """The script up to its loss, with those of these values that are others than its own."""

        def given(name: str, array: Array) -> Any:
            first[name] = array
            changed = name in values and not np.array_equal(values[name], self.own.names["_first"][name])
            return values[name] if changed else array

        first: dict[str, Array] = {}
        names = {"__name__": "checked", "__file__": self.path, "_given": given, "_first": first}
        with contextlib.redirect_stdout(io.StringIO()), same_chance():
            exec(self.ahead, names)
        return NamesOfARun(names)

    def _own_loss(self, values: dict[str, Any]) -> Any:
        self.memory.returned = self.run(values)
        is_complex = any(np.iscomplexobj(values[name]) for name in self.places)
        return self.memory.returned.names[self.loss] + (0j if is_complex else 0.0)

    def backward(self, dy: Array) -> Any:
        names = dict(self.memory.returned.names)
        with contextlib.redirect_stdout(io.StringIO()), same_chance():
            exec(self.back, names)
        self.grads = {name: names[gradient] for name, (_, gradient) in self.places.items()}

    loss = "loss"


def read_script(source: Source, names: dict[str, Any]) -> Script | None:
    """A script that computes a loss and gradients of arrays; None where it is none, is slow, or draws anew."""
    path, body = source.path, source.tree.body
    losses = [name for name, value in names.items() if VALUE.search(name) and np.ndim(value) == 0 and is_real(value)]
    lines = {name: k for name in losses for k, line in enumerate(body) if name in bound_in(line)}
    if not lines:
        return None
    loss, end = max(lines.items(), key=lambda pair: pair[1])
    places = {}
    for name, value in names.items():
        before = [k for k, line in enumerate(body[:end]) if name in bound_in(line)]
        gradient = next((g for g in (f"d{name}", f"d_{name}", f"grad_{name}", f"{name}_grad") if g in names), "")
        alike = gradient and np.ndim(value) and np.shape(value) == np.shape(names[gradient])
        if before and alike and is_real(value) and not any(gradient in bound_in(line) for line in body[:end]):
            places[name] = before[-1], gradient
    if not places or any(isinstance(line, ast.For | ast.While) and bound_in(line) & {*places} for line in body):
        return None  # a loop that trains
    start = time.perf_counter()
    with quiet():
        script = Script(path, body, end, dict(sorted(places.items(), key=lambda item: item[1][0])))
        script.loss = loss
        same = script.run({}).names[loss] == script.run({}).names[loss]
    return script if same and time.perf_counter() - start < 3 * LONGEST else None


def is_of_its_loss(script: Script) -> bool:
    """Whether one of the gradients at least is that of the loss: then that is what they are meant to be."""
    script.aim(np.zeros((1, 1)))
    with quiet():
        script.forward(np.zeros((1, 1)))
        script.backward(np.ones((1, 1)))
        for name, g in script.grads.items():
            u, at = np.random.default_rng(0).normal(size=np.shape(g)), script.thing[name]
            ahead, back = (script.run({name: at + h * u}).names[script.loss] for h in (1e-6, -1e-6))
            if abs((ahead - back) / 2e-6 - (u * g).sum()) <= 1e-5 * np.linalg.norm(g):
                return True
    return False


def is_real(value: Any) -> bool:
    """Whether it is a float, or an array of floats."""
    return isinstance(value, float | np.ndarray | np.floating) and np.asarray(value).dtype.kind == "f"


def bound_in(line: ast.stmt) -> set[str]:
    """The names that a line sets, also in part, as in W[0] = 1."""
    if isinstance(line, ast.FunctionDef | ast.ClassDef):
        return {line.name}
    found = set()
    for node in ast.walk(line):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets if isinstance(node, ast.stmt) else []:
            found |= set(set_by(target)) if isinstance(target, ast.expr) else set()
    return found


def set_by(target: ast.expr) -> Iterator[str]:
    """The names in the left side of an assignment."""
    while isinstance(target, ast.Subscript | ast.Attribute | ast.Starred):
        target = target.value
    if isinstance(target, ast.Name):
        yield target.id
    for part in getattr(target, "elts", []):
        yield from set_by(part)
