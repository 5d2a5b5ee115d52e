"""Reader of layers: objects, by the names of their methods and of what these take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..loss_styles import of_two_sides
from . import roles
from .view import ZEROING, View

FORWARD = (
    "forward", "fprop", "forwardpass", "forwardpropagation", "forwardpropagate", "forwardprop", "propagateforward",
    "forwards", "feedforward", "predict", "activate", "think", "fn", "query",
)  # fmt: skip
BACKWARD = (
    "backward", "bprop", "backwardpass", "backwardpropagation", "backwardpropagate", "backwardprop", "backprop",
    "backpropagation", "backpropagate", "backwards", "propagatebackward", "gradients", "gradient", "computegradients",
    "calculategradients", "computegradient", "grad", "grads",
)  # fmt: skip


def method(thing: Any, names: tuple[str, ...]) -> Callable[..., Any] | None:
    """The method whose name, without underscores, comes first in `names`."""
    found = {roles.plain(name): name for name in reversed(dir(type(thing))) if not name.startswith("__")}
    called = [getattr(thing, found[name], None) for name in names if name in found]
    return next((m for m in called if callable(m)), None)


def forward_of(thing: Any) -> Callable[..., Any] | None:
    """forward, under its name; `layer(x)` where it has none."""
    return method(thing, FORWARD) or (thing if callable(thing) else None)


def read_object(thing: Any) -> Any:
    """A layer as it is, where it has forward(x) and backward(dy); as a View where it differs; else None."""
    forward, backward = forward_of(thing), method(thing, BACKWARD)
    if forward is None or backward is None:
        return None
    asked = roles.roles(backward, "dy")
    targets = "t" in asked.values() or any(roles.role_of(name) == "t" for name in roles.required(forward)[1:])
    if "dy" not in asked.values() or targets:
        return None  # a network with its loss
    if is_plain(thing, asked) and "training" not in roles.roles(forward, "x").values():
        return thing
    return View(thing, forward, backward)


def is_plain(thing: Any, asked: dict[str, str | None]) -> bool:
    """Whether it has tinynn's own methods, forward(x) and backward(dy), perhaps with a cache between them."""
    named = all(callable(getattr(thing, name, None)) for name in ("forward", "backward"))
    adds_up = any(hasattr(thing, name) for name in ZEROING)
    return named and not adds_up and set(asked.values()) <= {"dy", "cache"} and len(roles.required(thing.forward)) < 2


def goes_back(cls: type) -> bool:
    """Whether objects of a class may be layers or networks: they have a method that goes back, or a loss with one."""
    if of_two_sides(cls):  # a loss that is called, with its gradient
        return False
    methods = {roles.plain(name) for name in dir(cls) if not name.startswith("__")}
    return bool(methods & {*BACKWARD, "loss", "derivative", "prime"}) or {"train", "query"} <= methods
