"""The numbers in an object: every array, float or list of floats that can be reached from it, and where it stands."""

from __future__ import annotations

import collections
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...checks import Array
from .copies import deep_copy
from .names import plain, unmangled

Path = tuple[tuple[str, Any], ...]  # steps such as ("attribute", "W"), ("item", "W1") or ("item", 0)
RETURNED = ("returned", None)  # the first step to what backward has returned
HELD = ("attribute", "thing")  # the first step to what a View holds
USUAL = ("w", "b", "weight", "weights", "bias", "biases", "gamma", "beta", "kernel", "theta")
NOT_LOOKED_INTO = (type, types.ModuleType, types.FunctionType, types.MethodType, np.random.Generator)
NO_NUMBERS = (str, bytes, int, type(None))
LARGEST = 10_000  # objects, lists and dicts in an object that are looked into


class Unpaired(TypeError):
    """Arrays move y, and no gradient of theirs was found."""


@dataclass
class Leaf:
    """Numbers in an object: an array, a float, or nested lists of floats; with all places that hold the same array."""

    paths: list[Path]
    value: Any
    gradient: Path | None = None
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = written(self.paths[0])

    def read(self, thing: Any) -> Any:
        return at(thing, self.paths[0])

    def write(self, thing: Any, array: Array) -> None:
        """Put numbers in its place, in the form that it has there: array, float or lists."""
        value = array if isinstance(self.value, np.ndarray) else array.tolist()
        for path in self.paths:
            holder, (kind, key) = at(thing, path[:-1]), path[-1]
            if kind == "attribute":
                setattr(holder, key, value)
            elif isinstance(holder, tuple):  # cannot be given another member: its numbers are changed
                holder[key][...] = value
            else:
                holder[key] = value


def written(path: Path) -> str:
    """A path as in Python: layers[0].W."""
    text = ""
    for kind, key in path[1:] if path[:1] == (HELD,) else path:
        steps = {"attribute": f".{unmangled(str(key))}", "item": f"[{key!r}]", "returned": "what backward returns"}
        text += steps[kind]
    return text.removeprefix(".")


def at(thing: Any, path: Path, returned: Any = None) -> Any:
    """What stands at a path."""
    for kind, key in path:
        thing = returned if kind == "returned" else getattr(thing, key) if kind == "attribute" else thing[key]
    return thing


def leaves(thing: Any, start: Path = ()) -> list[Leaf]:
    """All numbers in an object, each array once."""
    found: list[Leaf] = []
    arrays: dict[int, Leaf] = {}
    for path, value in _walk(thing, start):
        if isinstance(value, np.ndarray) and id(value) in arrays:
            arrays[id(value)].paths.append(path)
            continue
        found.append(Leaf([path], value))
        arrays[id(value)] = found[-1]
    return found


def _walk(thing: Any, start: Path) -> Iterator[tuple[Path, Any]]:
    seen: set[int] = set()
    waiting = collections.deque([(start, thing)])
    while waiting:
        path, value = waiting.popleft()
        if is_leaf(value):
            yield path, value
            continue
        held = [] if id(value) in seen else held_by(value)
        if held:
            seen.add(id(value))
        if len(seen) > LARGEST:
            raise Unpaired(
                f"{type(thing).__name__}() must hold {LARGEST:,} things at most, not more: too many to look at"
            )
        waiting.extendleft(((*path, step), inner) for step, inner in reversed(held))


def is_leaf(value: Any) -> bool:
    if isinstance(value, np.ndarray | np.floating):
        return value.dtype.kind in "fiuc" and value.size > 0
    if isinstance(value, list | tuple) and value and isinstance(value[0], float | list | tuple):
        try:
            return np.asarray(value).dtype.kind == "f"  # else a list of arrays, of layers, or of sizes
        except ValueError:
            return False
    return isinstance(value, float) or type(value) is int  # of whole numbers, held_by gives those such as b = 0 alone


def held_by(value: Any) -> list[tuple[tuple[str, Any], Any]]:
    kind, items = "item", ()  # type: tuple[str, Any]
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    elif not isinstance(value, NOT_LOOKED_INTO) and not getattr(value, "paired", False):
        kind, items = "attribute", {**_in_slots(value), **getattr(value, "__dict__", {})}.items()
    return [((kind, key), held) for key, held in items if not isinstance(held, NO_NUMBERS) or _whole(key, held)]


def _whole(key: Any, held: Any) -> bool:
    """b = 0: a whole number by the name of a parameter, and no size or count."""
    return type(held) is int and plain(key).rstrip("0123456789") in USUAL


def _in_slots(thing: Any) -> dict[str, Any]:
    """The attributes of an object whose class names them in __slots__."""
    names = [name for cls in type(thing).__mro__ for name in np.atleast_1d(vars(cls).get("__slots__", ())).tolist()]
    return {name: getattr(thing, name) for name in names if name != "__dict__" and hasattr(thing, name)}


def own_class_values(thing: Any) -> None:
    """Give a private copy, and all objects in it, arrays, floats, lists and dicts of their own that their class holds.

    A copy shares its class with the original: what is written into such an array would be written there, too.
    """
    for held in objects_in(thing):
        for cls in type(held).__mro__ if hasattr(held, "__dict__") and not getattr(held, "paired", False) else ():
            for name, value in vars(cls).items():
                if isinstance(value, np.ndarray | float | list | dict) and not name.startswith("__"):
                    held.__dict__.setdefault(name, deep_copy(value))


def objects_in(thing: Any) -> Iterator[Any]:
    """A thing, and all that it holds which is no number; what one holds is looked at after it was yielded."""
    waiting, seen = [thing], {id(thing)}
    while waiting:
        held = waiting.pop()
        yield held
        inner = [value for _, value in held_by(held) if not is_leaf(value) and id(value) not in seen]
        seen.update(map(id, inner))
        waiting += inner[: LARGEST - len(seen)]
