"""Reader of layers: objects, by the names of their methods and of what these take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..loss_styles import of_two_sides
from ..names import ZEROING, plain, role_of
from . import roles
from .view import View

FORWARD = (
    "forward", "fprop", "forwardpass", "forwardpropagation", "forwardpropagate", "forwardprop", "propagateforward",
    "forwards", "feedforward", "predict", "activate", "think", "fn", "query",
)  # fmt: skip
BACKWARD = (
    "backward", "bprop", "backwardpass", "backwardpropagation", "backwardpropagate", "backwardprop", "backprop",
    "backpropagation", "backpropagate", "backwards", "propagatebackward", "gradients", "gradient", "computegradients",
    "calculategradients", "computegradient", "grad", "grads",
)  # fmt: skip


def forward_of(thing: Any) -> Callable[..., Any] | None:
    """forward, under its name; `layer(x)` where it has none."""
    return roles.method(thing, FORWARD) or (thing if callable(thing) else None)


def read_object(thing: Any) -> Any:
    """A layer as it is, where it has forward(x) and backward(dy); as a View where it differs; else None."""
    forward, backward = forward_of(thing), roles.method(thing, BACKWARD)
    if forward is None or backward is None:
        return None
    asked = roles.roles(backward, "dy")
    targets = "t" in asked.values() or any(role_of(name) == "t" for name in roles.required(forward)[1:])
    if "dy" not in asked.values() or targets:
        return None  # a network with its loss
    if is_plain(thing, asked) and "training" not in roles.roles(forward, "x").values():
        return thing
    return View(thing, forward, backward)


def is_plain(thing: Any, asked: dict[str, str | None]) -> bool:
    """Whether it has tinynn's own methods, forward(x) and backward(dy), perhaps with a cache between them."""
    named = all(callable(getattr(thing, name, None)) for name in ("forward", "backward"))
    if not named or roles.method(thing, ZEROING):
        return False
    return set(asked.values()) <= {"dy", "cache"} and len(roles.required(thing.forward)) < 2


def goes_back(cls: type) -> bool:
    """Whether objects of a class may be layers or networks: they have a method that goes back, or a loss with one."""
    if of_two_sides(cls):  # a loss that is called, with its gradient
        return False
    methods = {plain(name) for name in dir(cls) if not name.startswith("__")}
    return bool(methods & {*BACKWARD, "loss", "derivative", "prime"}) or {"train", "query"} <= methods
