"""Reader of a training loop that is written line by line: its lines are run once, on its own data, as a network.

    for epoch in range(1000):
        h = np.tanh(X @ W1)
        y_hat = h @ W2                      forward ends where the output meets the targets
        d = y_hat - y
        dW2, dW1 = h.T @ d, X.T @ (d @ W2.T * (1 - h**2))
        W1 -= lr * dW1                      what is taken from W1, at a learning rate of 1, is its gradient
        W2 -= lr * dW2

What must be in it: numbers that are updated, targets, and an output from which the targets are subtracted, or which
has the name of one. Else it is `Unknown`.
"""

from __future__ import annotations

import ast
import contextlib
import io
from typing import Any

import numpy as np

from ....checks import Array
from ..copies import deep_copy
from ..names import is_kept, role_of
from ..pairing import means
from .around import FEW, Around, cut, names_in, rebind
from .networks import Whole
from .updates import WRITE, ends_in, is_code, loss_in, nonzero, once, put, rates_of, shows, target_of, texts_in, valued
from .view import Memory, Unknown

MOST = 500  # rows


class Numbers:
    """What the lines update, by its name."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values


class Lines(Whole):
    """The lines of a training loop as a network: forward up to the output, backward up to the last update."""

    is_own = False  # whether its loss is the one that the lines compute

    def __init__(self, loop: ast.For | ast.While, names: dict[str, Any], where: str) -> None:
        self.name, self.functions, self.line = where, False, loop.body[0].lineno
        self.memory, self.notes, self.grads, self.taken_back = Memory(), [], {}, {}
        self._loss: Any = None
        self._forward: Any = None
        changed = [node for node in loop.body if target_of(node)]
        body = [node for node in loop.body[: loop.body.index(changed[-1]) + 1] if not shows(node)]
        self.rates = rates_of(changed, names)
        self.output, target, until = ends_in(body, names)
        used = names_in(body, names)
        self.copied = [name for name in used if name in names and not is_code(names[name])]
        self.around = Around(dict(names))
        self.numbers = {node.value for part in body for node in ast.walk(part) if isinstance(node, ast.Constant)}
        self.codes = Around({"forward": once(body[:until]), "step": once(body)})
        self.loss_name, end = loss_in(body)
        self.codes.names["loss"] = once(body[:end])
        used_first = [text for part in body[:until] for text in texts_in(part, ast.Load)]  # from input to output
        updated = sorted(map(target_of, changed), key=lambda text: [*used_first, text].index(text))
        self.texts = {text.removeprefix("self."): text for text in updated}
        values = {name: valued(text, names) for name, text in self.texts.items() if role_of(name) != "dy"}
        floats = {name: nonzero(np.array(a, float)) for name, a in values.items() if a is not None}
        self.thing = Numbers({name: a if a.ndim else float(a) for name, a in floats.items()})
        stored = [text for part in body for text in texts_in(part, ast.Store)]
        kept = [
            text for text in dict.fromkeys(stored) if is_kept([text.removeprefix("self.")], list(self.thing.values))
        ]
        self.keeps = sorted(text for text in kept if valued(text, names) is not None and text not in updated)
        for text in self.keeps:
            put(self.around.names, text, 0 * valued(text, names))
        self.adapts = any("sqrt" in ast.unparse(node) for node in changed)
        self.named = {name: g for name in self.thing.values for g in stored if role_of(g) == "dy" and means(g, name)}
        self.data = Around(self._settled(target))
        still = [name for name in self.thing.values if not self._moves(name)]
        self.thing.values = {name: a for name, a in self.thing.values.items() if name not in still}
        matrices = [name for name in still if np.ndim(values[name]) == 2]
        if self.thing.values and matrices:
            raise self.unknown(f"{matrices[0]} is updated, and does not move {self.output}, as far as the lines tell")
        self.notes.append(
            f"read are the lines of the loop, run once: {self.output} is the output, {target} the targets, and what is "
            f"taken from {', '.join(self.thing.values)} the gradients"
        )

    # --- running the lines ---

    def run(self, code: str, rate: float | None = None) -> dict[str, Any]:
        """All names after the lines, which print nothing and change nothing around them."""
        names = {**self.around.names, **{name: deep_copy(self.around.names[name]) for name in self.copied}}
        rebind(names)
        for name, a in self.thing.values.items():
            put(names, self.texts[name], a.copy() if isinstance(a, np.ndarray) else a)
        for text in self.rates if rate is not None else ():
            put(names, text, rate)
        with contextlib.redirect_stdout(io.StringIO()):
            exec(self.codes.names[code], names)
        return names

    def _settled(self, target: str) -> dict[str, Any]:
        """x and t for the check, and how the output takes samples. Raises Unknown."""
        names = self.run("forward")
        y, t = np.asarray(eval(self.output, names), float), np.asarray(eval(target, names))
        labels = t.ndim == 1 and t.dtype.kind in "iu" and y.ndim == 2 and len(t) in y.shape
        fits = y.shape == t.shape or (y.size == t.size and t.ndim == 1) or labels
        if y.size == 0 or not 0 < y.ndim <= 2 or t.dtype.kind not in "fiub" or not fits:
            raise self.unknown(f"{self.output} has shape {y.shape} and {target} has shape {t.shape}")
        inputs = [np.asarray(names[name]) for name in self.copied if role_of(name) == "x"]
        if y.ndim == 2 and any(x.shape[1:] == y.shape[1:] and len(x) != len(y) for x in inputs):
            self.shapes, t = "columns", t.T if t.ndim == 2 else t
        elif y.ndim == 1 and t.shape == y.shape and any(len(y) in np.shape(a) for a in self.thing.values.values()):
            self.shapes, t = "one", t[None]  # a matrix is as wide as the output
        if len(t) > MOST:
            fewer = cut(self.around.names, len(t), self.thing.values, self.numbers)
            if fewer is None:
                raise self.unknown(f"it takes {len(t):,} rows", f"take few of them before it, such as X = X[:{MOST}]")
            self.notes.append(f"of its {len(t):,} rows, {FEW} are looked at")
            self.around = Around(fewer)
            return self._settled(target)
        return {"x": np.zeros((len(t), 1)), "t": t}

    def result(self) -> Array:
        """The output."""
        return np.asarray(eval(self.output, self.run("forward")))

    def own_loss(self) -> Any:
        """The loss that the lines compute, with its weight decay; None where they compute none."""
        return self.run("loss").get(self.loss_name) if self.loss_name else None

    def _moves(self, name: str) -> bool:
        """Whether the output is another one where a number is."""
        old, y = self.thing.values[name], self.result()
        self.thing.values[name] = old + 0.1 + 0.1 * np.abs(old)
        try:
            moved = not np.array_equal(self.result(), y, equal_nan=True)
        except Exception:  # a count, such as an index
            moved = False
        self.thing.values[name] = old
        return moved

    def unknown(self, what: str, write: str = WRITE) -> Unknown:
        """It cannot be taken."""
        return Unknown(f"{self.name}: {what}", write)

    # --- as a network ---

    @property
    def has_loss(self) -> bool:
        return self.is_own

    @property
    def has_output(self) -> bool:
        return not self.is_own

    @property
    def rate_is_known(self) -> bool:
        return bool(self.rates)

    def zero(self) -> None:
        """There is nothing that adds up."""

    def forward(self, x: Array) -> Array:
        """The loss, once in each row, or the output."""
        self.memory.x = x
        if self.is_own and not self.shows_output:
            self.memory.values = {"x": x}
            return np.full((len(x), 1), np.reshape(self.own_loss(), ()))
        y = self.result()
        y = y[None] if self.shapes == "one" else y.T if self.shapes == "columns" else y
        y = y[:, None] if y.ndim == 1 else y
        self.memory.values = {"x": x, "output": y}
        if self.shows_output or self.rule is None:
            return y
        return np.full((len(x), 1), np.reshape(self.rule[1](y, self.memory.t), ()))

    def backward(self, dy: Array) -> None:
        """What the lines take from each number, at a learning rate of `pace`."""
        after = self.run("step", self.pace)
        self.taken_back = {}
        for name, old in self.thing.values.items():
            new = np.asarray(valued(self.texts[name], after), float)
            if self.by_name:
                self.taken_back[f"values[{name!r}]"] = np.asarray(valued(self.named[name], after), float)
                continue
            if new.shape != np.shape(old):
                raise ValueError(f"the update makes of {name}, of shape {np.shape(old)}, one of shape {new.shape}")
            self.taken_back[f"values[{name!r}]"] = (np.asarray(old, float) - new) / (self.scale * self.pace)


class Unread:
    """A loop whose lines cannot be taken, and why."""

    def __init__(self, why: Unknown, line: int) -> None:
        self.why, self.line = why, line


def read_lines(thing: Any) -> Lines | None:
    """The lines of a loop as they are; None for anything else. Raises Unknown."""
    if isinstance(thing, Unread):
        raise thing.why
    return thing if isinstance(thing, Lines) else None
