"""The layers of any model, and copies of it: one that derives from Model, or a class of its own over `flatten`."""

from __future__ import annotations

import copy
from types import ModuleType
from typing import Any

from ..layers import Layer
from ..nesting import held, walk
from .flat_vectors import bind
from .model import Model


def all_layers(model: Any) -> list[Layer]:
    """All layers of a model, at any depth, in the order of its vectors. (A layer given as a model is its own.)"""
    found = [layer for _, layer in walk(model)]
    if all(layer.place is not None for layer in found) and not isinstance(model, Model):
        found.sort(key=lambda layer: int(str(layer.place).partition(".")[0]))  # as `flatten` was given them
    return found


def in_order_of_use(model: Any) -> list[Layer]:
    """The same in the order in which their y are computed, each after those in it; no models, which keep no y."""
    found = all_layers(model)
    nested = any(next(walk(layer), None) for layer in found)
    return _inner_first(model) if nested else [layer for layer in found if layer.checked]


def by_place(model: Any) -> dict[int | str, Layer]:
    """The same by their places, 2 or "3.1"; counted from 1 where they have none."""
    layers = in_order_of_use(model)
    return {number if layer.place is None else layer.place: layer for number, layer in enumerate(layers, 1)}


def _inner_first(thing: Any) -> list[Layer]:
    found: list[Layer] = []
    for _, layer in held(thing):
        found += [one for one in [*_inner_first(layer), layer] if one.checked and one not in found]
    return found


def copies(model: Any, *others: Any) -> tuple[Any, ...]:
    """Deep copies of a model and of what belongs to it, such as its optimizer; they belong together as these do."""
    held_by = [thing for part in (model, *others) for thing in getattr(part, "__dict__", {}).values()]
    memo: dict[int, Any] = {id(thing): thing for thing in held_by if isinstance(thing, ModuleType)}
    result = copy.deepcopy((model, *others), memo)
    layers = all_layers(model)
    twins = [memo[id(layer)] for layer in layers]
    if not isinstance(model, Model):  # a class over `flatten`: its layers live in its vectors, as before
        params, grads = (getattr(result[0], name, None) for name in ("params", "grads"))
        size = sum(layer.arrays[name].size for layer in twins for name in layer.parameters)
        if twins and params is not None and grads is not None and params.size == grads.size == size:
            bind([(layer.place or 0, twin) for layer, twin in zip(layers, twins)], params, grads, params[:0])
    for layer, twin in zip(layers, twins):
        twin.place, twin.needs_dx = layer.place, layer.needs_dx
    return result
