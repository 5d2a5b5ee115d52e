"""The names around the lines of a training loop: what they use, and how functions of the file see them."""

from __future__ import annotations

import ast
import inspect
import types
from typing import Any

import numpy as np

FEW = 53  # rows that are taken of very many; no usual width


class Around:
    """The names that the lines find around them: no copy has others."""

    paired = True  # pairing.py does not look into it

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names

    def __deepcopy__(self, memo: dict[int, Any]) -> Around:
        return self


def names_in(body: list[ast.stmt], names: dict[str, Any]) -> set[str]:
    """The names that lines use, and that functions of the file use which they call."""
    found: set[str] = set()
    waiting = [node.id for part in body for node in ast.walk(part) if isinstance(node, ast.Name)]
    while waiting:
        name = waiting.pop()
        if name not in found and inspect.isfunction(names.get(name)) and _is_of_file(names[name]):
            waiting += names[name].__code__.co_names
        found.add(name)
    return found


def rebind(names: dict[str, Any]) -> None:
    """Let the functions of the file see these names as their globals: forward(X) that reads W1, `global h`."""
    for name, f in names.items():
        if inspect.isfunction(f) and _is_of_file(f):
            own = types.FunctionType(f.__code__, names, f.__name__, f.__defaults__, f.__closure__)
            own.__kwdefaults__ = f.__kwdefaults__
            names[name] = own


def _is_of_file(function: Any) -> bool:
    return str(function.__module__).split(".")[-1] == "checked" and not hasattr(function, "__wrapped__")


def cut(names: dict[str, Any], n: int, parameters: Any, constants: set[Any]) -> dict[str, Any] | None:
    """The names with FEW rows of n in each array that has them, and in the count m; None where n may be elsewhere."""
    floats = [value for value in names.values() if isinstance(value, float) and value * n in (0.5, 1, 2)]
    wide = any(n in np.shape(names[name]) for name in parameters if name in names)
    if floats or wide or n in constants:
        return None
    rows = np.sort(np.random.default_rng(n).choice(n, FEW, replace=False))

    def fewer(value: Any) -> Any:
        if isinstance(value, np.ndarray) and n in value.shape:
            return value.take(rows, axis=value.shape.index(n))
        counts = isinstance(value, int | float | np.integer) and not isinstance(value, bool) and value == n
        return type(value)(FEW) if counts else value

    return {name: fewer(value) for name, value in names.items()}
