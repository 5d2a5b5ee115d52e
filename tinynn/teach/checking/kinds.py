"""What a learner's class or function is, where it is none of tinynn's: an optimizer, a loss, a training loop."""

from __future__ import annotations

import inspect
import re
from typing import Any

from ...layers.layer import Layer
from ...losses import Loss
from . import optimizer_styles as styles
from .loss_styles import method_names, partner_of, sides

NETWORK = ("forward", "predict", "fit", "train", "feedforward", "backprop", "forward_pass", "fprop", "backward")
LOSS = re.compile(r"loss|cost|entropy|mse|mae|error|hinge|huber|squared|nll|bce", re.IGNORECASE)
LOOP = re.compile(r"train|fit|loop|main|learn|run|descent|epoch", re.IGNORECASE)
RULE = re.compile(r"sgd|adam|momentum|rmsprop|adagrad|adadelta|nesterov|descent|update|step|optimi[sz]e", re.IGNORECASE)


def other_kind(thing: Any, names: dict[str, Any] | None = None) -> str | None:
    """ "optimizer", "loss" or "loop"; None for everything else, and for what is tinynn's."""
    if inspect.isfunction(thing):
        if _is_rule(thing):
            return "optimizer"
        if _takes_pair(thing) and (LOSS.search(thing.__name__) or partner_of(thing.__name__, names or {})):
            return "loss"
        return "loop" if LOOP.search(thing.__name__) else None
    if isinstance(thing, tuple) and len(thing) == 2 and all(map(inspect.isfunction, thing)):
        return "loss" if _takes_pair(thing[0]) else None
    cls = thing if isinstance(thing, type) else type(thing)
    if issubclass(cls, Layer | Loss) or cls.__module__ == "builtins":
        return None
    if isinstance(thing, type) and _is_optimizer(cls):
        return "optimizer"
    value, gradient = method_names(cls)
    return "loss" if value and gradient and _takes_pair(getattr(cls, value)) else None


def _is_rule(function: Any) -> bool:
    """A function that makes a step of an optimizer: of parameters and gradients, by their names."""
    roles = styles.roles_of(function)
    if "params" not in roles or not RULE.search(function.__name__):
        return False
    return "grads" in roles or bool({"state", "hyper", "batch"} & roles)


def _is_optimizer(cls: type) -> bool:
    """A class with a step of parameters, gradients or layers, and none of a network's methods."""
    if any(callable(getattr(cls, name, None)) for name in NETWORK):
        return False
    try:
        if styles.method_of(cls) == "__call__" and not RULE.search(cls.__name__):
            return False
        return bool(styles.forms_of(cls))
    except styles.UnknownStyle:
        return False


def _takes_pair(function: Any) -> bool:
    """Whether a function takes predictions and targets, by its arguments' names, and nothing else that is needed."""
    try:
        asked = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = [p.name for p in asked if p.default is p.empty and p.name != "self" and p.kind is p.POSITIONAL_OR_KEYWORD]
    found = [side for name, side in sides(function).items() if name in needed]
    return len(needed) == 2 and ("t" in found or found == ["", ""])
