"""The readers, in the order in which they are tried."""

from __future__ import annotations

from typing import Any

from ....checks import Array
from . import layout
from .cells import read_cell, read_slots
from .functions import read_functions
from .lines import read_lines
from .networks import Whole, read_network
from .objects import read_object
from .slopes import read_slope
from .tuples import read_tuples
from .valued import read_valued
from .view import View

READERS = (
    read_lines, read_tuples, read_slots, read_cell, read_object, read_slope, read_functions, read_network, read_valued,
)  # fmt: skip


def recognised(thing: Any) -> Any:
    """A layer as it is, a View of it, or the Whole of a network and its loss; None where no reader knows it."""
    return next((seen for reader in READERS if (seen := reader(thing)) is not None), None)


def read(thing: Any, x: Array | None, hint: str = "rows") -> tuple[Any, Array | None]:
    """A layer as tinynn calls it, or a View of it, with x as rows; (None, x) where no reader knows it as a layer."""
    found = recognised(thing)
    if found is None or isinstance(found, Whole):
        return None, x
    if x is None:
        return found, x
    view = found if isinstance(found, View) else View(thing, thing.forward, thing.backward)
    rows = layout.settle(view, x, hint)
    return (found if view.shapes == "rows" else view), rows
