"""A learner's code as a layer: forward(x) and backward(dy), with rows x and dy, whatever it is called and takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....checks import Array
from ..leaves import Path, Unpaired, leaves
from ..names import ZEROING, plain
from ..pairing import means
from . import roles
from .taking import Taking

KNOWN = (
    "layers with forward(x) and backward(dy); a network with forward(x) and backward(x, t), or with loss(x, t) that "
    "returns the loss and the gradients; functions in pairs, layer_forward(x, w, b) and layer_backward(dy, cache); a "
    "training loop of such lines as error = y_hat - y and W -= lr * dW"
)
DX = ("dx", "dxt", "daprev", "da0", "dinput", "dinputs")


class Unknown(Unpaired):
    """Code in a style that no reader knows."""

    def __init__(self, what: str, write: str = "") -> None:
        advice = f"To have it checked, {write}" if write else f"What can be checked: {KNOWN}"
        super().__init__(f"this style is not known: {what}. {advice}")


class Memory:
    """What goes from forward to backward; it is no place for parameters."""

    paired = True  # pairing.py does not look into it

    def __init__(self) -> None:
        self.moving: dict[str, bool] = {}
        self.parts: Any = None  # (axis, ends, shapes) of several outputs that are one y

    values: dict[str, Any]
    x: Array
    t: Array  # of a network that is its loss, too
    returned: Any  # of a function that gives a value and its gradients


def the_last(y: Any) -> Any:
    """y, or the last of the outputs of all layers in a list, which differ in shape."""
    arrays = isinstance(y, list) and all(isinstance(a, np.ndarray) for a in y)
    return y[-1] if arrays and len({a.shape for a in y}) > 1 else y


class View(Taking):
    """forward and backward, called by the roles of their arguments.

    `thing` holds the numbers: the learner's object, or a dict of the arguments of functions. After backward, `grads`
    are gradients that it returned, by the names of their parameters, and `taken_back` what it took from parameters, at
    a learning rate of 1, and they got back.
    """

    inputs: Sequence[str] = ()  # beside x, each with a gradient
    averages = False  # whether its gradients are means over the samples, where those of a layer are sums
    shapes = "rows"  # how it takes samples: "rows", "columns", "numbers", (N,), or one: "row", "column", "one"

    def __init__(self, thing: Any, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
        self.thing, self._forward, self._backward = thing, forward, backward
        self.functions = isinstance(thing, dict)
        self.grads: dict[str, Any] = {}
        self.taken_back: dict[str, Array] = {}
        self.notes: list[str] = []
        self.memory = Memory()
        asked = roles.roles(backward, "dy")
        given = {p.name for p in roles.arguments(forward)}  # a scale g of forward's is no gradient
        self.upstream = [name for name in roles.required(backward) if asked[name] == "dy" and name not in given]
        names, k = roles.returned_names(forward), max(1, len(self.upstream))
        ends_in_a_cache = bool(names) and re.match("part_|.*(cache|memory)", names[-1])
        if len(names) > k + 1 and ends_in_a_cache and [*asked.values()].count("cache") == 1:
            whose = ", ".join(names[:k])
            self.notes.append(f"forward is looked at by {whose}: backward takes no gradient of what else it returns")
        self.name = f"{type(thing).__name__}()" if not self.functions else getattr(backward, "__name__", "backward")

    def __repr__(self) -> str:
        return self.name

    @property
    def parameters(self) -> Any:
        """What the learner says that is learned."""
        return getattr(self.thing, "parameters", None)

    def own_name(self, path: Path) -> str | None:
        """What the code calls a parameter of a list of them: W1 after W1, b1 = params; None for any other."""
        found = roles.unpacked(self._backward).get(path[1][1]) if self.functions and len(path) > 1 else None
        for _, key in path[2:]:
            found = found[key] if isinstance(found, tuple) and key < len(found) else None
        return found if isinstance(found, str) else None

    def forward(self, x: Array) -> Any:
        """y for rows x."""
        self.zero()
        self.memory.x = x
        values = {"x": self.given(x), "training": True, **(self.thing if self.functions else self.further())}
        result = self.called(self._forward, "x", values)
        y, *cache = self._outputs(result, values["x"]) if isinstance(result, tuple) else (result,)
        y = getattr(self.thing, "output", y) if y is None else the_last(y)
        names = roles.returned_names(self._forward)
        known = dict(zip(names, result)) if isinstance(result, tuple) and len(names) == len(result) else {}
        known |= {self.name_of_x: values["x"], **values, "output": y}
        self.memory.values = {**known, "cache": cache[0] if len(cache) == 1 else tuple(cache)}
        return self.taken(y)

    @property
    def name_of_x(self) -> str:
        """What forward calls x."""
        return next((name for name, role in roles.roles(self._forward, "x").items() if role == "x"), "x")

    def further(self) -> dict[str, Any]:
        """What an object's forward takes beside x."""
        return {}

    def _outputs(self, result: tuple[Any, ...], x: Array) -> tuple[Any, ...]:
        """y and the cache of what forward returns. Of as many outputs as backward takes gradients, y is all in one."""
        k = max(1, len(self.upstream))
        outputs, rest = result[:k], result[k:]
        containers = [a for a in rest if isinstance(a, tuple | list | dict)]
        if len(rest) > 1 and containers == [rest[-1]]:  # a, y, cache of a cell whose backward takes da alone
            rest = rest[-1:]
        self.memory.parts = None
        if k == 1 or len(outputs) < k or not all(np.ndim(a) for a in outputs):
            return *outputs, *rest
        arrays = [np.asarray(a) for a in outputs]
        axis = 1 if all(len(a) == len(x) for a in arrays) else 0  # of the features
        flat = [a.reshape(len(a), -1) if axis else a for a in arrays]
        ends = np.cumsum([a.shape[axis] for a in flat])[:-1]
        self.memory.parts = axis, ends, {name: a.shape for name, a in zip(self.upstream, arrays)}
        return np.concatenate(flat, axis), *rest

    def _upstream(self, dy: Array) -> dict[str, Any]:
        """dy by the names of backward's arguments, where there are several."""
        if self.memory.parts is None:
            return {"dy": dy}
        axis, ends, shapes = self.memory.parts
        return {name: a.reshape(shape) for (name, shape), a in zip(shapes.items(), np.split(dy, ends, axis))}

    def backward(self, dy: Array) -> Any:
        """dx for rows dy, or None."""
        returned = self.read(self.step({**self._upstream(self.given(dy)), **self.memory.values}))
        if isinstance(returned, tuple):
            return (self.taken(returned[0]), *returned[1:])
        return None if returned is None else self.taken(returned)

    def zero(self) -> None:
        """What adds up starts from 0, as before each step of training."""
        zero = roles.method(self.thing, ZEROING)
        if zero is not None:
            zero()

    def read(self, returned: Any) -> Any:
        """dx of what backward has returned, or a tuple that begins with it; gradients with names go to `grads`."""
        if isinstance(returned, dict):
            self.grads = returned
            return next((a for key, a in returned.items() if plain(key) in DX), None)
        if not isinstance(returned, tuple | list):
            if returned is None:
                return getattr(self.thing, "dinputs", None)
            return None if self.is_of_a_parameter(returned) else returned
        if self.functions:
            self.demand_all(returned)
        like_x = [k for k, a in enumerate(returned) if np.shape(a) == np.shape(self.memory.values["x"])]
        first = like_x[0] if len(like_x) == 1 else 0
        dx, others = returned[first], [a for k, a in enumerate(returned) if k != first]
        if not self.functions:
            return (dx, *others)
        named = self.gradients_by_name(returned)
        if named:
            self.grads = dict(zip(named.values(), (returned[k] for k in named)))
            return next(a for k, a in enumerate(returned) if k not in named)
        names = [name for name, value in self.thing.items() if np.ndim(value) or isinstance(value, float)]
        if len(others) == 1 and isinstance(others[0], dict):
            self.grads = others[0]
        elif len(others) == len(names):  # gradients come in the order of the arguments
            self.grads = dict(zip(names, others))
        else:
            return (dx, *others)
        return dx

    def is_of_a_parameter(self, returned: Any) -> bool:
        """Whether backward has returned the gradient of a parameter, as that of a first layer may, and no dx."""
        shape = np.shape(returned)
        if shape == np.shape(self.memory.values["x"]):
            return False
        return any(isinstance(leaf.value, np.ndarray) and leaf.value.shape == shape for leaf in leaves(self.thing))

    def demand_all(self, returned: Any) -> None:
        """Raise Unknown where a gradient is None, as that of an argument that may be left out."""
        names = roles.returned_names(self._backward)
        missing = [name for name, a in zip(names, returned) if a is None and not name.startswith("part_")]
        if missing and len(names) == len(returned):
            asked = roles.roles(self._backward, "dy")
            left_out = [
                p.name for p in roles.arguments(self._backward) if p.default is None and asked[p.name] != "cache"
            ]
            what = f"{self.name} gives no {missing[0]} where it is called without {' and '.join(left_out) or 'more'}"
            raise Unknown(what, "give it with its arguments, as a tuple (forward, backward, arguments...)")

    def gradients_by_name(self, returned: Any) -> dict[int, str]:
        """{place: parameter} of what backward returns, where the names there tell all but dx; else empty."""
        names = roles.returned_names(self._backward)
        found = {k: p for k, name in enumerate(names) for p in self.thing if means(name, p)}
        return found if len(names) == len(returned) == len(found) + 1 else {}

    def called(self, function: Callable[..., Any], first: str, values: dict[str, Any]) -> Any:
        """function(...) by roles. Raises Unknown where nothing is known for an argument."""
        try:
            return roles.call(function, first, values)
        except LookupError as error:
            if not (error.args and isinstance(error.args[0], str) and type(error) is LookupError):
                raise
            name = getattr(function, "__name__", "it")
            what = f"{name} takes {error.args[0]!r}, a name whose meaning is not known"
            usual = "give arguments the usual names: x, dy or dout, cache, and those of parameters, such as w and b"
            raise Unknown(what, usual) from None

    def given(self, a: Array) -> Array:
        """Rows, as the code takes samples."""
        if self.shapes == "one":
            return a[0].copy()
        if self.shapes == "numbers":
            return a[:, 0].copy() if a.ndim == 2 else a
        return a.T.copy() if self.shapes.startswith("column") and a.ndim == 2 else a

    def taken(self, a: Any) -> Any:
        """What the code gives, as rows."""
        if self.shapes == "one":
            return np.asarray(a)[None]
        if self.shapes == "numbers":
            return np.asarray(a)[:, None] if np.ndim(a) == 1 else a
        return np.asarray(a).T if self.shapes.startswith("column") and np.ndim(a) == 2 else a
