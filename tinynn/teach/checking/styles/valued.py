"""Reader of functions that return their value and its gradients: loss, gradA, gradB = f(a, b, ...).

Which argument a gradient belongs to is known by its name, or by its shape where no other argument has that. Arguments
without a gradient are data.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ....checks import Array
from ..names import VALUE, role_of
from ..pairing import means
from . import roles
from .networks import Whole


class Valued(Whole):
    """One call gives both, from the same random numbers: backward reads what forward has got."""

    def _own_loss(self, values: dict[str, Any]) -> Any:
        self.memory.returned = self.called(self._backward, "", values)
        return self.memory.returned[0]

    def backward(self, dy: Array) -> Any:
        return self.read(self.memory.returned)


def read_valued(thing: Any) -> Whole | None:
    """(function, its arguments...) as a network that is its loss; None where it is something else."""
    if isinstance(thing, Valued):
        return thing
    if not isinstance(thing, tuple) or not thing or not is_valued(thing[0]):
        return None
    names = roles.required(thing[0])
    if len(thing) != 1 + len(names):
        return None
    given = {name: np.array(a) if isinstance(a, np.ndarray) else a for name, a in zip(names, thing[1:])}
    learned = with_gradients(thing[0], given)
    for name, a in given.items():
        if isinstance(a, np.ndarray) and name not in learned:
            a.flags.writeable = False  # which says that it is not learned
    return Valued(given, None, thing[0], thing[0]) if learned else None


def is_valued(function: Any) -> bool:
    """Whether a function returns a loss and gradients, by their names, and takes no x with targets, as a network."""
    if not inspect.isfunction(function):
        return False
    value, *gradients = roles.returned_names(function) or [""]
    asked = set(roles.roles(function, "").values())
    known = all(role_of(name) == "dy" for name in gradients)
    return bool(VALUE.search(value) and gradients and known) and not {"x", "t"} <= asked


def with_gradients(function: Callable[..., Any], given: dict[str, Any]) -> set[str]:
    """The arguments that a gradient is returned for."""
    arrays = {name: a for name, a in given.items() if isinstance(a, np.ndarray) and a.dtype.kind == "f"}
    returned = function(**{name: a.copy() if name in arrays else a for name, a in given.items()})[1:]
    names = roles.returned_names(function)[1:]
    found = {name for name in arrays for gradient in names if means(gradient, name)}
    for a in returned:
        alike = [name for name, own in arrays.items() if own.shape == np.shape(a)]
        found |= set(alike) if len(alike) == 1 else set()
    return found
