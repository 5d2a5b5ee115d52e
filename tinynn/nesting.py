"""The layers that a layer, a model or any other object holds: one search for all that looks for them.

    for path, layer in walk(model): ...        "1", "2", "3", "3.inner.1", ...

A layer is held by an attribute, alone or in lists, tuples and dicts. Each comes once, before those that it holds
itself, in the order of the attributes: the order of the flat vectors, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .layers.layer import Layer

OF_A_STEP = {"arrays", "x", "y", "_of_bases"}  # of a layer, in which no layer is


def walk(thing: Any) -> Iterator[tuple[str, Layer]]:
    """Path and layer of all layers in `thing`, at any depth."""
    return _walk(thing, "", set())


def _walk(thing: Any, prefix: str, seen: set[int]) -> Iterator[tuple[str, Layer]]:
    for name, layer in held(thing):
        if id(layer) not in seen:
            seen.add(id(layer))
            yield prefix + name, layer
            yield from _walk(layer, f"{prefix}{name}.", seen)


def held(thing: Any) -> Iterator[tuple[str, Layer]]:
    """Name and layer of those that `thing` holds itself. Those in `layers` have numbers as names, 1, 2, 3, ..."""
    attributes = getattr(thing, "__dict__", {})
    for name, value in attributes.items():
        if name in OF_A_STEP:
            continue
        if name == "layers" and isinstance(value, list | tuple):
            for number, inner in enumerate(value, 1):
                yield from _within(str(number), inner)
        else:
            yield from _within(name, value)


def _within(name: str, value: Any) -> Iterator[tuple[str, Layer]]:
    if getattr(value, "is_layer", False) is True and not isinstance(value, type):
        yield name, value
    elif type(value) in (list, tuple):
        for index, inner in enumerate(value):
            yield from _within(f"{name}[{index}]", inner)
    elif type(value) is dict:
        for key, inner in value.items():
            yield from _within(f"{name}[{key!r}]", inner)


def containers(layer: Layer) -> tuple[str, ...]:
    """The names of the attributes that a copy for use must not share: layers, and lists and dicts of anything."""
    names = []
    for name, value in vars(layer).items():
        if name not in OF_A_STEP and (type(value) in (list, dict) or any(True for _ in _within(name, value))):
            names.append(name)
    return (*names, "arrays") if layer.buffers else tuple(names)


def used(layer: Layer) -> Layer:
    """A copy for use: it shares the arrays, but not what forward remembers, at any depth; `training` is False in it."""
    copy: Layer = object.__new__(type(layer))
    attributes = copy.__dict__
    attributes.update(layer.__dict__)
    attributes["training"] = False
    if layer._containers:
        take_apart(copy, layer)
    return copy


def take_apart(copy: Layer, layer: Layer) -> None:
    """Give a shallow copy layers, lists, dicts and buffers of its own."""
    attributes = copy.__dict__
    for name in layer._containers:
        attributes[name] = _used(attributes[name])
    if layer.buffers:  # a forward that updates them whatever `training` says leaves no trace, either
        attributes["arrays"] = {**layer.arrays, **{name: layer.arrays[name].copy() for name in layer.buffers}}


def _used(value: Any) -> Any:
    if getattr(value, "is_layer", False) is True:
        return used(value)
    if type(value) in (list, tuple):
        return type(value)(map(_used, value))
    if type(value) is dict:
        return {key: _used(inner) for key, inner in value.items()}
    return value
