"""How an optimizer is called: by which method, and in which form it takes tensors."""

from __future__ import annotations

import inspect
from typing import Any

from .names import OPTIMIZERS, number_of, plain, role_of
from .small_network import own_name

METHODS = (
    "step", "update_params", "update", "apply_gradients", "apply_grads", "apply", "optimize", "update_weights",
    "update_layer", "update_parameters",
)  # fmt: skip
WRITE = (
    "a class with update(params, grads), both dicts of arrays, or a function update(w, g, ...) that returns the new w"
)


class UnknownStyle(Exception):
    """How it is to be called is not known."""


def arguments_of(function: Any) -> dict[str, inspect.Parameter]:
    """What a function, method or class takes by name. Raises UnknownStyle."""
    try:
        asked = inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise UnknownStyle(f"{function!r} does not say what it takes") from error
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name: p for name, p in asked.items() if p.kind in named and name != "self"}


def method_of(cls: type) -> str:
    """The method that makes a step. Raises UnknownStyle."""
    own = [name for name in METHODS if callable(getattr(cls, name, None))]
    if "step" in own and "update" in own and roles_of(cls.update) & {"params", "grads"}:  # type: ignore[attr-defined]
        own.remove("step")  # numpy-ml's step() counts, its update() moves
    if not own and "__call__" in vars(cls):
        own = ["__call__"]
    if not own:
        raise UnknownStyle(f"{cls.__name__} has no step(), update(...) or update_params(...)")
    return own[0]


def roles_of(function: Any) -> set[str]:
    """The roles of a function's arguments."""
    return {role for name in arguments_of(function) if (role := role_of(name, OPTIMIZERS))}


def forms_of(thing: Any) -> list[str]:
    """The forms of tensors to try, the likeliest first. Raises UnknownStyle."""
    function = getattr(thing, method_of(thing)) if isinstance(thing, type) else thing
    asked = arguments_of(function)
    names = {role: plain(name) for name in reversed(asked) if (role := role_of(name, OPTIMIZERS))}
    made = roles_of(thing) if isinstance(thing, type) else set()
    if {own_name(name) for name in asked} >= {"W", "b", "dW", "db"}:
        return ["w and b"]
    if "model" in made:
        return ["flat", "net"]
    if "layer" in made | set(names):
        return ["layer", "layer list"]
    if "model" in names:
        return ["net", "flat"]
    if "pairs" in names:
        return ["pairs"]
    if "grads" not in names:
        if "params" in made | set(names):
            return ["objects", "net"]
        unnamed = [name for name, p in asked.items() if p.default is p.empty and number_of(name) is None]
        if len(unnamed) == 1 and isinstance(thing, type):
            return ["layer", "net", "objects"]
        raise UnknownStyle(
            f"{function.__qualname__} has no argument whose name is one for gradients, such as grads or dw"
        )
    if "config" in names or names.get("params") in ("w", "x", "theta", "p", "weight", "param", None):
        return ["array", "own array", "dict", "d-dict", "list"]
    return ["dict", "d-dict", "list", "layer dicts", "array", "own array"]
