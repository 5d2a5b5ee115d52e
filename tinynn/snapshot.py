"""What training changes, kept so that it can be put back: for an epoch that was interrupted, and for the best epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .layer import Layer

OF_A_BATCH = ("x", "y", "_forward", "arrays")  # what the next step makes anew, and views of params and grads


class Snapshot:
    """Model and optimizer as they are now: the parameters, and what layers and optimizer keep beside them.

    That is every array, number, text and NumPy generator among their attributes, also in lists, tuples and dicts: the
    optimizer's means of gradients, its counts and settings, running means in a layer of one's own.
    """

    def __init__(self, model: Any, optimizer: Any) -> None:
        known = {id(model.grads)}  # each thing is kept once, gradients not at all: the next step makes them anew
        attributes = (getattr(thing, "__dict__", {}) for thing in (model, optimizer))
        self._parts = [_kept(thing, known) for thing in (model.params, *attributes)]

    def restore(self) -> None:
        """Put all of it back, numbers into the arrays that they came from."""
        for put_back in self._parts:
            put_back()


def _kept(value: Any, known: set[int], leave: Iterable[str] = ()) -> Callable[[], Any]:
    """A function that gives `value` again with what it holds now."""

    def put_back() -> Any:
        return value

    if id(value) in known:
        return put_back
    known.add(id(value))
    if type(value).__name__ == "ndarray" and getattr(value.flags, "writeable", True):
        numbers = value.copy()

        def put_back() -> Any:
            value[...] = numbers
            return value

    elif isinstance(value, np.random.Generator):
        state = value.bit_generator.state

        def put_back() -> Any:
            value.bit_generator.state = state
            return value

    elif isinstance(value, Layer):
        attributes = _kept(vars(value), known, OF_A_BATCH)

        def put_back() -> Any:
            attributes()
            return value

    elif isinstance(value, dict):
        items = {name: _kept(item, known) for name, item in value.items() if name not in leave}

        def put_back() -> Any:
            for name in value.keys() - items.keys() - set(leave):  # what has come since
                del value[name]
            value.update({name: item() for name, item in items.items()})
            return value

    elif isinstance(value, list):
        members = [_kept(item, known) for item in value]

        def put_back() -> Any:
            value[:] = [item() for item in members]
            return value

    elif isinstance(value, tuple):
        members = [_kept(item, known) for item in value]

        def put_back() -> Any:
            for item in members:
                item()
            return value

    return put_back
