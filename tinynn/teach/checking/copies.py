"""Deep copies of what learners write."""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from typing import Any, TypeVar

Thing = TypeVar("Thing")


def deep_copy(thing: Thing, known: Mapping[int, Any] | None = None) -> Thing:
    """copy.deepcopy, also of an object that holds a module, such as xp = numpy: its copy holds the same module.

    `known` has, by their ids, copies of parts that were made before.
    """
    try:
        return copy.deepcopy(thing, {**(known or {})})
    except TypeError as error:
        if "module" not in str(error):
            raise
        return copy.deepcopy(thing, {**{id(module): module for module in list(sys.modules.values())}, **(known or {})})
