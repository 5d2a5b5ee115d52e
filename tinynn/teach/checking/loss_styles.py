"""Losses as people write them, made to look alike: forward(y, t) is one number, backward() is dy.

Taken are an object with two methods (forward and backward, loss and gradient, value and grad, fn and delta, ...), a
pair of functions, a function that returns (value, dy). Which argument is the prediction is known by its name, else
tried; a loss that gives one value for each row is that of their mean or sum, whichever its gradient belongs to; and one
that takes probabilities gets them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ...checks import Array
from .names import LOSSES, SCORES, plain, role_of

VALUES = (
    "calculate", "forward", "loss", "value", "compute", "calc", "fn", "cost", "compute_loss", "calc_loss",
    "calculate_loss", "get_loss", "compute_cost", "function", "error", "__call__",
)  # fmt: skip
GRADIENTS = (
    "backward", "gradient", "grad", "derivative", "prime", "delta", "backprop", "deriv", "dloss", "d_loss", "bprop",
    "loss_gradient", "loss_grad", "loss_derivative", "calc_gradient", "calculate_gradient", "compute_gradient",
    "compute_grad", "calc_grad", "calc_derivative", "cost_derivative", "compute_derivative", "loss_prime", "calc_dloss",
    "get_gradient", "get_grad", "backward_pass", "derivate",
)  # fmt: skip
PARTNERS = (  # what the derivative of a function `mse` is called
    "{}_prime", "{}_derivative", "{}_grad", "{}_gradient", "d_{}", "d{}", "grad_{}", "{}_backward", "{}_deriv",
    "{}_der", "{}_delta", "{}_d", "{}_dash", "{}_bwd", "gradient_{}", "derivative_{}",
)  # fmt: skip
ACTIVATIONS = ("act_fn", "activation_fn", "activation", "act")


def sides(function: Callable[..., Any]) -> dict[str, str | None]:
    """What each argument is: "output", "t" or None. A y is what its partner is not."""
    asked = inspect.signature(function).parameters.values()
    names = [p.name for p in asked if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"]
    found = {name: role_of(name, LOSSES) for name in names}
    others = {role for role in found.values() if role}
    for name in names:
        if plain(name) == "y" and others != {"output", "t"}:
            found[name] = "t" if "output" in others else "output" if others else None
    return found


class AdaptedLoss:
    """A loss of another style with forward(y, t) and backward()."""

    def __init__(self, thing: Any) -> None:
        self.thing, self.swapped, self.reduction, self.on_probabilities = thing, False, "", False
        self.columns = False  # whether samples are its columns
        self.activation: Callable[[Array], Array] | None = None  # between z and a, for a gradient that is one for z
        self.__name__ = _name(thing)
        self.kept: tuple[Any, ...] = ()

    # --- the two functions -------------------------------------------------------------------------------------------

    def functions(self) -> tuple[Any, Any]:
        """(the value's, the gradient's, None where one call gives both)."""
        if isinstance(self.thing, tuple | list):
            return self.thing[0], self.thing[1]
        if inspect.isfunction(self.thing) or inspect.ismethod(self.thing):
            return self.thing, None
        value, gradient = method_names(self.thing)
        return getattr(self.thing, value), getattr(self.thing, gradient) if gradient else None

    def forward(self, y: Array, t: Array) -> Any:
        """The loss, one number."""
        value, gradient = self.functions()
        if self.columns:
            y, t = y.T, t.T
        a = self.activation(y) if self.activation else y
        found = value(**self._arguments(value, a, t))
        dy = None
        if isinstance(found, tuple) and len(found) > 1:
            found, dy = found[0], found[1]
        self.raw = found
        self.kept = gradient, y, t, dy
        return self._reduced(found)

    def backward(self) -> Any:
        """dy of the last forward."""
        gradient, y, t, dy = self.kept
        if gradient is None:
            return dy.T if self.columns and dy is not None else dy
        a = self.activation(y) if self.activation else getattr(self.thing, "output", y)
        given = self._arguments(gradient, a, t)
        dy = gradient(**{**given, **{name: y for name in given if self.activation and SCORES.fullmatch(name)}})
        dy = getattr(self.thing, "dinputs", None) if dy is None else dy
        turned = self.columns and isinstance(dy, np.ndarray) and dy.shape == y.shape
        return dy.T if turned and dy is not None else dy

    def _reduced(self, value: Any) -> Any:
        if np.ndim(value) == 0:
            return value
        value = np.asarray(value)
        if self.reduction == "sum":
            return value.sum()
        return value.mean() if self.reduction == "mean" else value.sum() / len(value)

    def _arguments(self, function: Any, y: Array, t: Array) -> dict[str, Any]:
        """y and t where the function wants them, 1 for the gradient from above, what it has a default for left out."""
        asked = inspect.signature(function).parameters
        given: dict[str, Any] = {}
        named, order = sides(function), [t, y] if self.swapped else [y, t]
        needed = [n for n in named if asked[n].default is inspect.Parameter.empty]
        known = {side for side in named.values() if side}
        for name in needed:
            side = named[name]
            if name.lower() in ACTIVATIONS:
                given[name] = Identity()
            elif role_of(name) == "dy" and len(needed) - len(given) != 2:
                given[name] = 1.0  # the gradient from above
            elif len(known) == 2 and side and not self.neutral(named):
                given[name] = y if side == "output" else t
            elif order:
                given[name] = order.pop(0)
        return given

    def neutral(self, named: dict[str, str | None]) -> bool:
        """Whether the names say nothing of the order, so that it is the caller's."""
        return not {"output", "t"} <= set(named.values())


class Identity:
    """The activation that a loss's gradient may ask for: none."""

    def __call__(self, z: Array) -> Array:
        return z

    def grad(self, z: Array) -> Array:
        return np.ones_like(z)

    def __getattr__(self, name: str) -> Any:
        if name in ("gradient", "derivative", "prime"):
            return self.grad
        if name in ("fn", "forward"):
            return self
        raise AttributeError(name)


def method_names(thing: Any) -> tuple[str, str]:
    """The names of an object's two methods; "" where it has none."""
    value = next(
        (n for n in VALUES if callable(getattr(thing, n, None)) and (n != "__call__" or hasattr(type(thing), n))), ""
    )
    return value, next((n for n in GRADIENTS if callable(getattr(thing, n, None))), "")


def of_two_sides(cls: Any) -> bool:
    """Whether a class has __call__(prediction, target), by the names of the two, and a gradient beside it."""
    value, gradient = method_names(cls)
    return value == "__call__" and bool(gradient) and set(sides(cls.__call__).values()) == {"output", "t"}


def is_loss_like(thing: Any) -> bool:
    """Whether it is an object with two methods of a loss, or a pair of functions."""
    if isinstance(thing, tuple | list):
        return len(thing) == 2 and all(inspect.isfunction(f) for f in thing)
    return all(method_names(thing)) and not inspect.isfunction(thing)


def partner_of(name: str, names: dict[str, Any]) -> Any:
    """The derivative of the function of that name, among those that a file defines."""
    own = (names.get(pattern.format(name)) for pattern in PARTNERS)
    return next((f for f in own if inspect.isfunction(f)), None)


def _name(thing: Any) -> str:
    if isinstance(thing, tuple | list):
        return f"{thing[0].__name__} with {thing[1].__name__}"
    return getattr(thing, "__name__", f"{type(thing).__name__}()")
