"""Deep copies of what learners write."""

from __future__ import annotations

import copy
import sys
from typing import TypeVar

Thing = TypeVar("Thing")


def deep_copy(thing: Thing) -> Thing:
    """copy.deepcopy, also of an object that holds a module, such as xp = numpy: its copy holds the same module."""
    try:
        return copy.deepcopy(thing)
    except TypeError as error:
        if "module" not in str(error):
            raise
        return copy.deepcopy(thing, {id(module): module for module in list(sys.modules.values())})
