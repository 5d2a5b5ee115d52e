"""What training changes, kept so that it can be put back: for an epoch that was interrupted, and for the best epoch."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from ..layers.layer import Layer

CONSTANT = {int, float, bool, str, type(None), ModuleType}  # nothing changes within these
OF_A_BATCH = {"x", "y", "_forward", "_of_bases", "arrays"}  # in a layer: what a step makes anew, views of the vectors


class Snapshot:
    """Model and optimizer as they are now: the parameters, and what layers and optimizer keep beside them.

    That is every array, number, text and NumPy generator among their attributes, also in lists, tuples and dicts: the
    optimizer's means of gradients, its counts and settings, running means in a layer of one's own.
    """

    def __init__(self, model: Any, optimizer: Any) -> None:
        self._held: list[tuple[Any, Any]] = []  # each thing that can change, and what it holds now
        todo = [model.params, *(getattr(thing, "__dict__", None) for thing in (model, optimizer))]
        seen = {id(model.grads)}  # gradients are not kept: the next step makes them anew
        while todo:
            thing = todo.pop()
            if type(thing) in CONSTANT or id(thing) in seen:
                continue
            seen.add(id(thing))
            held: Any
            if _is_array(thing):
                held = thing.copy()
            elif isinstance(thing, dict):
                held = thing.copy()
                todo += held.values()
            elif isinstance(thing, Layer):
                held = {name: value for name, value in vars(thing).items() if name not in OF_A_BATCH}
                todo += held.values()
            elif isinstance(thing, list | tuple):
                held = tuple(thing)
                todo += held
            elif isinstance(thing, np.random.Generator):
                held = thing.bit_generator.state
            else:
                continue
            self._held.append((thing, held))

    def restore(self) -> None:
        """Put all of it back, numbers into the arrays that they came from."""
        for thing, held in self._held:
            if _is_array(thing):
                thing[...] = held
            elif isinstance(thing, dict):
                _put_back(thing, held, set())
            elif isinstance(thing, Layer):
                _put_back(vars(thing), held, OF_A_BATCH)
            elif isinstance(thing, list):
                thing[:] = held
            elif isinstance(thing, np.random.Generator):
                thing.bit_generator.state = held


def _is_array(thing: Any) -> bool:
    """Whether it is an array, NumPy's or CuPy's, that can be written to (CuPy's flags do not say so)."""
    return type(thing).__name__ == "ndarray" and getattr(thing.flags, "writeable", True)


def _put_back(thing: dict[Any, Any], held: dict[Any, Any], leave: set[str]) -> None:
    for name in thing.keys() - held.keys() - leave:  # what has come since
        del thing[name]
    thing.update(held)
