"""Reader of networks that are their loss, too: loss(x, t) with gradients, backward(x, t), gradient(x, t).

Such a network is seen as a layer whose output is the loss, once in each row, (N, 1).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ....checks import Array
from ..names import SCORES, plain, role_of
from . import roles
from .objects import BACKWARD, FORWARD
from .view import Unknown, View, the_last

LOSS = (
    "loss", "cost", "computeloss", "computecost", "calculateloss", "calculatecost", "calcloss", "getloss",
    "lossfunction", "costfunction", "lossfunc", "objective", "crossentropyloss", "crossentropy", "forward",
)  # fmt: skip

SQUASHES = ("softmax", "sigmoid", "logistic")
TRAIN = ("train", "trainstep", "trainonbatch")  # where one call is one step


class Whole(View):
    """A network with its loss. `rule` is the loss as a function of output and targets, where it has none itself."""

    always_updates = True
    shows_output = False  # whether forward gives the output, not the loss
    rule: tuple[str, Callable[[Array, Array], Any]] | None = None
    squash: Callable[[Array], Array] | None = None  # what stands between forward, which returns z, and its loss

    def __init__(self, thing: Any, forward: Any, loss: Any, backward: Any) -> None:
        super().__init__(thing, forward, backward)
        self._loss = loss

    @property
    def forward_alone(self) -> Any:
        """The function of x that gives the output; None where the loss is computed from x at once."""
        return None if self._loss is not None and takes(self._loss, "x") else self._forward

    @property
    def has_output(self) -> bool:
        """Whether its output can be had, beside its loss."""
        return self._forward is not None and not takes(self._forward, "t")

    @property
    def has_loss(self) -> bool:
        """Whether it computes its loss itself."""
        return self._loss is not None

    def aim(self, t: Array) -> None:
        """Set the targets, a row for each row of x."""
        self.memory.t = t

    def targets(self, n: int) -> Array:
        """The targets of the first n rows, as the code takes samples."""
        t = self.memory.t
        if n > len(t):
            raise ValueError(f"there are {len(t)} targets, not {n}")
        return self.given(t[:n]) if t.ndim > 1 or self.shapes == "one" else t[:n].copy()

    def forward(self, x: Array) -> Array:
        """The loss of rows x, in each row, (N, 1)."""
        self.zero()
        self.memory.x = x
        decay = 0.1 if takes(self._loss, "decay") else 0.0
        values = {"x": self.given(x), "t": self.targets(len(x)), "training": True, "decay": decay, "count": len(x)}
        values |= self.thing if self.functions else {}
        self.memory.values = values
        if self.forward_alone is not None or self.shows_output or self.rule is not None:
            result = self.called(self._forward, "x", values)
            values |= self._returned(result)
        value = self._own_loss(values)
        if self.shows_output or (value is None and self.rule is None):
            return self.taken(values["output"])
        if self.rule is not None:
            value = self.rule[1](self.taken(values["output"]), self.memory.t[: len(x)])
        return np.full((len(x), 1), np.reshape(value, ()))

    def _returned(self, result: Any) -> dict[str, Any]:
        """What forward has returned: the output, the cache, and all by the names that it has for them.

        Of Z1, A1, Z2, A2 the output is the last with the name of one, or the last; of two, it is the first.
        """
        if not isinstance(result, tuple):
            y = getattr(self.thing, "output", None) if result is None else the_last(result)
            y = y if self.squash is None or y is None else self.squash(y)
            return {"output": y, "a": y}
        names = roles.returned_names(self._forward)
        named = dict(zip(names, result)) if len(names) == len(result) else {}
        outputs = [a for name, a in named.items() if role_of(name) == "output"]
        y, *cache = result
        y = outputs[-1] if outputs else result[-1] if len(result) > 2 else y
        if self.squash is not None:
            y = self.squash([a for name, a in named.items() if SCORES.fullmatch(name)][-1])
        return named | {"output": y, "a": y, "cache": cache[0] if len(cache) == 1 else tuple(cache)}

    def _own_loss(self, values: dict[str, Any]) -> Any:
        """The loss as the network computes it; None where it has none."""
        if self._loss is None:
            return None
        returned = self.called(self._loss, "", values)
        parts = returned if isinstance(returned, tuple | list) else (returned,)
        return next(a for a in parts if np.size(a) == 1 and np.asarray(a).dtype.kind in "fc")

    def backward(self, dy: Array) -> Any:
        """The gradients of the loss; dy is 1."""
        if self._loss is not None and takes(self._backward, "output") and "output" not in self.memory.values:
            self.memory.values |= self._returned(self.called(self._forward, "x", self.memory.values))
        return self.read(self.step(self.memory.values))

    def read(self, returned: Any) -> Any:
        """Gradients that backward has returned, by name where they have one."""
        if isinstance(returned, dict):
            self.grads = returned
        if isinstance(returned, np.ndarray) and self.functions:  # the gradient of the one argument of its shape
            alike = [name for name, a in self.thing.items() if np.shape(a) == returned.shape]
            self.grads = {f"d{alike[0]}": returned} if len(alike) == 1 else {}
        if not isinstance(returned, tuple | list):
            return None
        dicts = [part for part in returned if isinstance(part, dict)]
        if dicts:
            self.grads = dicts[0]
            return None
        names = roles.returned_names(self._backward)
        if len(names) == len(returned):
            self.grads = dict(zip(names, returned))
        for part in returned:
            for name, value in getattr(self.thing, "__dict__", {}).items():
                if isinstance(part, list) and isinstance(value, list) and value and shapes(part) == shapes(value):
                    self.grads[name] = part  # nabla_b, in the order of biases
        return tuple(returned)


def shapes(arrays: list[Any]) -> list[Any]:
    """The shapes of arrays in a list."""
    return [np.shape(a) for a in arrays]


def takes(function: Any, role: str) -> bool:
    """Whether an argument of a function has this role."""
    return function is not None and role in roles.roles(function, "").values()


def read_network(thing: Any) -> Whole | None:
    """A network that is its loss, too; None where it is none."""
    if isinstance(thing, tuple):
        return _of_functions(thing)
    backward, forward, loss = (roles.method(thing, names) for names in (BACKWARD, FORWARD, LOSS))
    if takes(forward, "t"):
        forward = roles.method(thing, FORWARD[1:])  # predict, where forward gives the loss
    if loss is not None and not takes(loss, "t"):
        loss = None
    train = roles.method(thing, TRAIN)
    if backward is None and train is not None and set(roles.roles(train, "").values()) <= {"x", "t", "rate"}:
        backward = train  # one step
    if backward is None and loss is not None and takes(loss, "x"):
        backward = loss  # it returns the loss and the gradients
    ends = takes(backward, "t") or (loss is not None and loss == roles.method(thing, ("forward",)))
    if backward is None or not ends or (forward is None and not takes(loss, "x")):
        return None
    return Whole(thing, forward, loss, backward)


def is_loss(thing: Any) -> bool:
    """Whether an object without parameters is a loss: of outputs and targets, with a backward that needs no dy."""
    loss, backward = roles.method(thing, LOSS), roles.method(thing, BACKWARD)
    if loss is None or backward is None or not takes(loss, "t"):
        return False
    return "dy" not in map(role_of, roles.required(backward)) or takes(backward, "t")


def _of_functions(thing: tuple[Any, ...]) -> Whole | None:
    functions = [f for f in thing if inspect.isfunction(f)]
    if not functions or not inspect.isfunction(thing[0]) or not takes(functions[-1], "t"):
        return None
    given = ("x", "t", "training", "decay")
    names = [name for name, role in roles.roles(functions[0], "x").items() if role not in given]
    values = thing[len(functions) :]
    if len(names) < len(values) or (names and not values):
        raise Unknown(f"{functions[0].__name__} takes {', '.join(names)} beside x, not {len(values)} arguments")
    squash = functions.pop(1) if len(functions) > 2 and is_squash(functions[1]) else None
    loss = functions[1] if len(functions) > 2 else functions[0] if takes(functions[0], "t") else None
    missing = output_between(functions[0], *functions[1:])
    if missing and squash is None:
        z, name, asks = missing
        write = f"{name} = softmax({z}), or what it is, in {functions[0].__name__}, which then returns it"
        raise Unknown(f"{functions[0].__name__} returns {z}, and {asks} takes {name}", write)
    whole = Whole(dict(zip(names, values)), functions[0], loss, functions[-1])
    whole.squash = squash
    if squash is not None:
        whole.notes.append(f"between forward and the loss stands {squash.__name__}")
    return whole


def is_squash(function: Any) -> bool:
    """Whether a function is a softmax or a sigmoid, by its name and its one argument."""
    return plain(function.__name__).endswith(SQUASHES) and len(roles.required(function)) == 1


def output_between(forward: Any, *others: Any) -> tuple[str, str, str] | None:
    """(z, yhat, who takes it) where forward returns scores z, and cost and backward take an output that is none of
    what it returns, nor compute it from z themselves. None elsewhere."""
    returned = roles.returned_names(forward)
    scores = [name for name in returned if SCORES.fullmatch(name)]
    if not scores or any(role_of(name) == "output" and name not in scores for name in returned):
        return None
    for function in others:
        for name, role in roles.roles(function, "").items():
            if role == "output" and name not in returned and not SCORES.fullmatch(name):
                return None if _squashes(function) else (scores[-1], name, function.__name__)
    return None


def _squashes(function: Any) -> bool:
    """Whether a softmax or a sigmoid, or an exp, is in a function's own text."""
    try:
        return any(word in inspect.getsource(function).lower() for word in (*SQUASHES, "exp("))
    except (OSError, TypeError):
        return True
