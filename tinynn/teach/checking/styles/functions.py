"""Reader of functions: (forward, backward, arguments...), and (forward, arguments...) that returns its backward."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ....checks import Array
from ..names import is_state
from . import roles
from .view import Unknown, View


def read_functions(thing: Any) -> View | None:
    """Functions in a tuple, forward first, with the arguments that follow x; None where it is no such tuple."""
    if isinstance(thing, tuple) and thing and closes(thing[0]) and not any(map(inspect.isfunction, thing[1:])):
        return Closing(arguments_of(thing[0], thing[1:]), thing[0], thing[0])
    if not isinstance(thing, tuple) or len(thing) < 2 or not all(map(inspect.isfunction, thing[:2])):
        return None
    functions = [f for f in thing if inspect.isfunction(f)]
    forward, backward = functions[0], functions[-1]
    if "dy" not in roles.roles(backward, "dy").values() or "t" in roles.roles(backward, "dy").values():
        return None  # a network with its loss
    held = arguments_of(forward, thing[len(functions) :])
    view = View(held, forward, backward)
    view.inputs = list(filter(is_state, held))
    return view


def arguments_of(forward: Any, values: tuple[Any, ...]) -> dict[str, Any]:
    """The arguments of a forward function beside x, by name. Raises Unknown where they are not as many."""
    asked = roles.roles(forward, "x")
    names = [name for name, role in asked.items() if role not in ("x", "training")]
    needed = [name for name in names if name in roles.required(forward)]
    if not len(needed) <= len(values) <= len(names):
        write = f"give ({forward.__name__}, its backward, {', '.join(needed) or 'nothing else'}), with arrays for them"
        raise Unknown(f"{forward.__name__} takes {len(needed)} arguments beside x, not {len(values)}", write)
    return {name: np.array(v) if isinstance(v, np.ndarray) else v for name, v in zip(names, values)}


class Closing(View):
    """y, backprop = forward(x, ...): the way back is a function that forward makes, and that remembers all."""

    def forward(self, x: Array) -> Any:
        y = super().forward(x)
        self._backward = self.memory.values["cache"]
        return y


def closes(function: Any) -> bool:
    """Whether a function returns (y, function), and makes the second one, or a lambda, itself."""
    if not inspect.isfunction(function):
        return False
    inner = {code.co_name for code in function.__code__.co_consts if inspect.iscode(code)}
    returned = roles.returned_names(function)
    return len(returned) == 2 and (returned[1] in inner or (returned[1] == "part_1" and "<lambda>" in inner))
