"""The same random numbers for each forward, so that a dropout can be measured: the same units are dropped each time.

They come from the global generators, from those that an object holds, or from one beside it in the learner's file.
"""

from __future__ import annotations

import contextlib
import copy
import random
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...layers.layer import Layer
from ...nesting import with_inner
from ...process import chance_left_alone, in_main_thread

GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
NOTHING = (np.ndarray, np.generic, str, bytes, int, float, complex, type(None), type, types.ModuleType)
LARGEST = 10_000  # objects that are looked into
KEPT = "its generators"  # where a private copy of a layer has what was found
NOTE = (
    "forward draws random numbers: each forward here drew the same ones, so that it could be measured. In training "
    "the draws differ, and so should they"
)
NOTE_FOR_A_LAYER = ". A Layer that draws from self.rng repeats them with the model's seed, and they are saved with it"


class Found:
    """The generators that a thing holds, and those of the file that its functions use, as those of its copies do."""

    def __init__(self, held: list[Any], shared: list[Any]) -> None:
        self.held, self.shared = held, shared

    def __deepcopy__(self, memo: dict[int, Any]) -> Found:
        return Found(copy.deepcopy(self.held, memo), self.shared)


@contextlib.contextmanager
def same_draws(thing: Any) -> Iterator[None]:
    """What is in it leaves no trace in the generators that `thing` draws from: each forward draws the same.

    In a thread beside the main one, the generators of the process stay as they are.
    """
    found = vars(thing).get(KEPT) if issubclass(type(thing), Layer) else None
    found = found or generators(thing)
    with chance_left_alone(), put_back([*found.held, *found.shared]):
        yield


@contextlib.contextmanager
def same_start(model: Any) -> Iterator[None]:
    """The same for a layer or a model, whose buffers are also as they were: each forward starts alike."""
    buffers = [(layer.arrays[name], layer.arrays[name].copy()) for layer in with_inner(model) for name in layer.buffers]
    try:
        with same_draws(model):
            yield
    finally:
        for array, kept in buffers:
            array[...] = kept


def own_draws_same(model: Any) -> contextlib.AbstractContextManager[None]:
    """The same draws for the `rng` of tinynn's layers alone."""
    return put_back([layer.rng for layer in with_inner(model) if layer.rng is not None])


@contextlib.contextmanager
def put_back(found: list[Any]) -> Iterator[None]:
    """Generators are afterwards as they were."""
    restore = [_restorer(generator) for generator in found]
    try:
        yield
    finally:
        for one in restore:
            one()


def _restorer(generator: Any) -> Callable[[], None]:
    """What puts a generator back to where it is now."""
    if isinstance(generator, np.random.Generator):
        bits = generator.bit_generator
        state = bits.state
        return lambda: setattr(bits, "state", state)
    if isinstance(generator, np.random.RandomState):
        numpy_state = generator.get_state()
        return lambda: generator.set_state(numpy_state)
    python_state = generator.getstate()
    return lambda: generator.setstate(python_state)


def generators(thing: Any) -> Found:
    """The generators that an object draws from, at any depth."""
    held: list[Any] = []
    shared: list[Any] = []
    waiting = [(thing, held)]
    seen: set[tuple[int, bool]] = set()
    while waiting and len(seen) < LARGEST:
        one, found = waiting.pop()
        if (id(one), found is shared) in seen:
            continue
        seen.add((id(one), found is shared))
        if issubclass(type(one), GENERATORS):  # an object may fail at isinstance
            found.append(one)
            continue
        found = shared if type(one) is types.FunctionType else found
        try:
            waiting += [(inner, found) for inner in inside(one)]
        except Exception:  # an object that fails to say what it is
            continue
    return Found(held, shared)


def look_once(layer: Layer) -> None:
    """Keep the generators of a private copy in it, for all its forwards and copies: looking for them takes time."""
    vars(layer)[KEPT] = generators(layer)


def inside(held: Any) -> list[Any]:
    """What an object holds, and what its functions use, as far as it may be or hold a generator."""
    if isinstance(held, NOTHING):
        return []
    if isinstance(held, dict):
        return list(held.values())
    if isinstance(held, list | tuple):
        return [] if len(held) > 100 and isinstance(held[0], NOTHING) else list(held)
    if isinstance(held, types.MethodType):
        return [held.__self__, held.__func__]
    if isinstance(held, types.FunctionType):
        return used_by(held)
    of_classes = [value for cls in type(held).__mro__ for value in vars(cls).values()]
    functions = [value for value in of_classes if isinstance(value, types.FunctionType)]
    return [*getattr(held, "__dict__", {}).values(), *functions]


def used_by(function: types.FunctionType) -> list[Any]:
    """The generators and functions of the learner's that a function finds around it."""
    if not in_main_thread() or str(function.__module__).startswith(("tinynn.", "numpy.")):
        return []
    found = [function.__globals__.get(name) for name in function.__code__.co_names]
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # not yet filled
            continue
    return [value for value in found if isinstance(value, (*GENERATORS, types.FunctionType))]
