"""The layers that a layer, a model or any other object holds: one search for all the code that needs them.

    for path, layer in walk(model): ...        "1", "2", "3", "3.inner.1", ...

A layer is held by an attribute, alone or in lists, tuples and dicts. Each comes once, before those that it holds
itself, in the order of the attributes: the order of the flat vectors, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Layer = Any  # this file is below the layers, and knows them by `is_layer`
OF_A_STEP = {"arrays", "x", "y", "_of_bases"}  # of a layer, in which no layer is


def walk(thing: Any) -> Iterator[tuple[str, Layer]]:
    """Path and layer of all layers in `thing`, at any depth."""
    return _walk(thing, "", set())


def assembly(thing: Any) -> str:
    """The end of a message about a model that has no vectors yet: what its class has to say. Empty without layers."""
    if hasattr(thing, "assemble"):
        return ": a model must end its __init__ with self.assemble(seed=0)"
    if isinstance(thing, list | tuple) and thing and all(map(_is_layer, thing)):
        return ": Sequential(*layers, seed=0) is one"
    if isinstance(thing, type) or not any(True for _ in held(thing)):
        return ""
    name = type(thing).__name__
    return f": derive the class, class {name}(tinynn.Model), and end its __init__ with self.assemble(seed=0)"


def with_inner(thing: Any) -> list[Layer]:
    """A layer or a model, and all layers in it. (Any other object: those in it.)"""
    own = [thing] if _is_layer(thing) else []
    return [*own, *(layer for _, layer in walk(thing))]


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
    if _is_layer(value):
        yield name, value
    elif type(value) in (list, tuple):
        for index, inner in enumerate(value):
            yield from _within(f"{name}[{index}]", inner)
    elif type(value) is dict:
        for key, inner in value.items():
            yield from _within(f"{name}[{key!r}]", inner)


def _is_layer(value: Any) -> bool:
    return getattr(value, "is_layer", False) is True and not isinstance(value, type)


def containers(layer: Layer) -> tuple[str, ...]:
    """The names of the attributes that a copy for use must not share: layers, and lists and dicts of anything."""
    names = []
    for name, value in vars(layer).items():
        if name not in OF_A_STEP and (type(value) in (list, dict) or any(True for _ in _within(name, value))):
            names.append(name)
    return tuple(names)


def used(layer: Layer) -> Layer:
    """A copy for use: it shares the arrays, but not what forward remembers, at any depth; `training` is False in it."""
    copy = object.__new__(type(layer))
    attributes = layer.__dict__.copy()
    attributes["training"] = False
    for name in layer._containers:
        attributes[name] = _used(attributes[name])
    if layer.buffers:  # a forward that updates them whatever `training` says leaves no trace, either
        attributes["arrays"] = {**layer.arrays, **{name: layer.arrays[name].copy() for name in layer.buffers}}
    copy.__dict__ = attributes  # a quarter faster than copying into the new one's
    return copy


def _used(value: Any) -> Any:
    if _is_layer(value):
        return used(value)
    if type(value) in (list, tuple):
        return type(value)(map(_used, value))
    if type(value) is dict:
        return {key: _used(inner) for key, inner in value.items()}
    return value
