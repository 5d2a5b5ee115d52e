"""Which functions of a file belong together: forward, its backward, and the cost between them."""

from __future__ import annotations

import inspect
import re
from typing import Any

from ..names import plain, role_of
from ..styles import roles
from ..styles.functions import closes
from ..styles.networks import LOSS, is_squash, output_between, takes
from ..styles.valued import is_valued
from .arguments import can_be_drawn

BACK = {  # how backward is called, and how forward is then
    "backward_propagation": ("forward_propagation",), "backward_prop": ("forward_prop",),
    "back_propagation": ("forward_propagation", "feed_forward", "feedforward"),
    "backpropagation": ("forwardpropagation", "forward_propagation", "feedforward", "feed_forward", "forward"),
    "backprop": ("forwardprop", "forward_prop", "feedforward", "feed_forward", "forward"),
    "back_prop": ("forward_prop", "forward"), "backward_pass": ("forward_pass",), "backward": ("forward",),
    "bprop": ("fprop",), "bwd": ("fwd",), "_back": ("_forward",), "_bp": ("_fp",), "_bw": ("_fw",), "_vjp": (),
}  # fmt: skip


def groups(names: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """The functions of a file that are one layer or network, by the name of the forward one."""
    functions = {name: f for name, f in names.items() if inspect.isfunction(f)}
    found: dict[str, tuple[Any, ...]] = {}
    for name, backward in functions.items():
        forward = forward_name(name, functions)
        if forward is None:
            continue
        key = forward if forward not in found else name
        if takes(backward, "t"):
            rest = (*cost_for(name, forward, functions), backward)
            found[key] = (functions[forward], *squash_for(functions[forward], rest, functions), *rest)
        else:
            found[key] = (functions[forward], backward)
    for name, slope in functions.items():  # sigmoid with sigmoid_prime, d_sigmoid
        other = re.sub("_?(prime|derivative|deriv|gradient|grad|slope)$|^(d|grad|deriv)_", "", name)
        if other != name and other in functions and (len(roles.required(slope)) == 1 or takes(slope, "dy")):
            found.setdefault(other, (functions[other], slope))
    taken = {f for group in found.values() for f in group}
    for name, gradient in functions.items():  # cost(theta, X, y) with gradient(theta, X, y)
        if re.search("grad", name) and takes(gradient, "t") and takes(gradient, "x") and gradient not in taken:
            alike = [f for f in functions.values() if f is not gradient and same_arguments(f, gradient)]
            cost = next((f for f in alike if plain(f.__name__).startswith(LOSS[:-1]) and f not in taken), None)
            heads = [f for n, f in functions.items() if f not in taken and n in ("forward", "predict", "model")]
            heads = [f for f in heads if {*roles.required(f)} <= {*roles.required(gradient)}]
            if cost is not None:
                found[cost.__name__] = (cost, gradient)
            elif heads:
                found[heads[0].__name__] = (heads[0], *cost_for(name, heads[0].__name__, functions), gradient)
            taken |= {f for group in found.values() for f in group}
    ways = (is_alone, closes, is_valued)
    return found | {name: (f,) for name, f in functions.items() if f not in taken and any(way(f) for way in ways)}


def forward_name(name: str, functions: dict[str, Any]) -> str | None:
    """The name of the forward function that belongs to a backward one."""
    lower = name.lower().replace("propog", "propag")
    for back, forwards in BACK.items():
        if back in lower:
            start = lower.index(back)
            head, tail = name[:start], name[start + len(back) :]
            alike = [head + forward + tail for forward in forwards] + [head + forward for forward in forwards]
            alike += [head.rstrip("_") + tail]  # relu and relu_backward
            return next((other for other in alike if other in functions), None)
    return None


def cost_for(backward: str, forward: str, functions: dict[str, Any]) -> tuple[Any, ...]:
    """The function that computes the loss: that with the same end as backward's name, such as _with_regularization."""
    costs = {n: f for n, f in functions.items() if plain(n).startswith(LOSS[:-1]) and takes(f, "t")}
    costs = {n: f for n, f in costs.items() if n not in (backward, forward)}
    ends = sorted(costs, key=lambda n: (len(_common_end(n, backward)), -len(n)), reverse=True)
    return (costs[ends[0]],) if ends else ()


def squash_for(forward: Any, rest: tuple[Any, ...], functions: dict[str, Any]) -> tuple[Any, ...]:
    """The one softmax or sigmoid of a file, where forward returns z, and the others take yhat."""
    squashes = [f for f in functions.values() if is_squash(f)]
    softmax = [f for f in squashes if "softmax" in f.__name__.lower()] or squashes
    return (softmax[0],) if output_between(forward, *rest) and len(softmax) == 1 else ()


def _common_end(a: str, b: str) -> str:
    n = next((k for k in range(1, min(len(a), len(b)) + 1) if a[-k] != b[-k]), 1) - 1
    return a[len(a) - n :]


def same_arguments(f: Any, g: Any) -> bool:
    """Whether two functions take arguments of the same names, in any order."""
    return sorted(roles.required(f)) == sorted(roles.required(g))


def is_alone(function: Any) -> bool:
    """Whether one function gives loss and gradients of parameters, as loss(W, x, t): it takes x, targets and others."""
    returned = roles.returned_names(function)
    if len(returned) < 2 or all(role_of(name) == "dy" for name in returned):
        return False
    found = {name: role for name, role in roles.roles(function, "").items() if name in roles.required(function)}
    others = [name for name, role in found.items() if role in (None, "parameters")]
    are_parameters = all(found[name] or can_be_drawn(function, name) for name in others)
    return "x" in found.values() and "t" in found.values() and bool(others) and are_parameters
