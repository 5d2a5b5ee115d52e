"""How an optimizer is called: what its arguments mean, by their names, and in which form it takes tensors.

A role is what an argument is: the parameters, their gradients, both in pairs, a layer, a network, a state that is
passed in and out, a configuration, the number of the step, or one of the rule's numbers (NUMBERS).
"""

from __future__ import annotations

import inspect
from typing import Any

from .small_network import own_name

NUMBERS = {
    "lr": ("lr", "learning_rate", "eta", "current_learning_rate", "step_size", "alpha", "learningrate", "lrate"),
    "mu": ("momentum", "mu", "beta", "gamma"),
    "rho": ("rho", "decay_rate", "gamma", "beta", "decay", "alpha"),
    "beta1": ("beta1", "beta_1", "b1", "decay1", "rho1"),
    "beta2": ("beta2", "beta_2", "b2", "decay2", "rho2"),
    "eps": ("eps", "epsilon"),
    "nesterov": ("nesterov", "use_nesterov"),
}
WEIGHT_DECAY = ("weight_decay", "wd", "l2", "weight_decay_rate")
RATE_DECAY = ("decay", "lr_decay", "learning_rate_decay", "decay_rate")
STATES = (
    "v", "s", "m", "h", "velocity", "velocities", "cache", "state", "states", "moments", "moment", "squares",
    "past_velocity", "prev_velocity", "old_velocity", "last_velocity", "past_v", "prev_v", "v_prev", "velocity_prev",
)  # fmt: skip
METHODS = (
    "step",
    "update_params",
    "update",
    "apply_gradients",
    "apply_grads",
    "apply",
    "optimize",
    "update_weights",
    "update_layer",
    "update_parameters",
)
WRITE = (
    "a class with update(params, grads), both dicts of arrays, or a function update(w, g, ...) that returns the new w"
)


class UnknownStyle(Exception):
    """How it is to be called is not known."""


def role_of(name: str) -> str | None:
    """The role of an argument, by its name."""
    low = name.lower().strip("_")
    gradient = "grad" in low or low in ("g", "gs", "dw", "dws", "dx", "dtheta", "dparams", "derivatives")
    params = "param" in low or "var" in low.split("_") or low in ("w", "ws", "x", "theta", "weights", "weight")
    params = params or low in ("values", "variables", "vars", "p", "ps", "parameters")
    if low in ("params_grads", "pairs") or ("_and_" in low and gradient):
        return "pairs"
    if low.endswith("name") or low == "key":
        return "name"
    if gradient:
        return "grads"
    if "hyper" in low:
        return "hyper"
    if low in ("config", "cfg", "conf", "optim_config"):
        return "config"
    if params:
        return "params"
    if low in ("layer", "layers", "model", "net", "network", "nn"):
        return "layer" if low.startswith("layer") else "model"
    if low in STATES:
        return "state"
    if low in ("t", "step", "iteration", "iter", "epoch", "counter", "timestep"):
        return "t"
    return "batch" if low in ("batch_size", "n", "batchsize") else None


def number_of(name: str) -> str | None:
    """Which of the rule's numbers an argument is; those with two meanings are looked at elsewhere."""
    return next((kind for kind, names in NUMBERS.items() if name.lower() in names), None)


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
    return {role for name in arguments_of(function) if (role := role_of(name))}


def forms_of(thing: Any) -> list[str]:
    """The forms of tensors to try, the likeliest first. Raises UnknownStyle."""
    function = getattr(thing, method_of(thing)) if isinstance(thing, type) else thing
    asked = arguments_of(function)
    names = {role: name.lower().strip("_") for name in reversed(asked) if (role := role_of(name))}
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
