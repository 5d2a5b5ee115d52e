"""The same random numbers for each forward, so that a dropout can be measured: the same units are dropped each time.

They come from the global generators, from those that an object holds, or from one beside it in the learner's file.
"""

from __future__ import annotations

import random
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...nesting import with_inner
from ...process import chance_left_alone, in_main_thread

GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
NOTHING = (np.ndarray, np.generic, str, bytes, int, float, complex, type(None), type, types.ModuleType)
LARGEST = 10_000  # objects that are looked into
NOTE = (
    "forward draws random numbers: each forward here drew the same ones, so that it could be measured. In training "
    "the draws differ, and so should they"
)
NOTE_FOR_A_LAYER = ". A Layer that draws from self.rng repeats them with the model's seed, and they are saved with it"


class same_draws:
    """What is in it leaves no trace in the generators that `thing` draws from: each forward draws the same.

    In a thread beside the main one, the generators of the process stay as they are.
    """

    def __init__(self, thing: Any) -> None:
        self.restore = [_restorer(generator) for generator in generators(thing)]

    def __enter__(self) -> same_draws:
        self.alone = chance_left_alone()
        self.alone.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.alone.__exit__(None, None, None)
        for restore in self.restore:
            restore()


class same_start(same_draws):
    """The same for a layer or a model, whose buffers are also as they were: each forward starts alike."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        layers = with_inner(model)
        self.buffers = [(layer.arrays[name], layer.arrays[name].copy()) for layer in layers for name in layer.buffers]

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for array, kept in self.buffers:
            array[...] = kept


class own_draws_same:
    """The same for the `rng` of tinynn's layers alone."""

    def __init__(self, model: Any) -> None:
        self.restore = [_restorer(layer.rng) for layer in with_inner(model) if layer.rng is not None]

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: Any) -> None:
        for restore in self.restore:
            restore()


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


def generators(thing: Any) -> Iterator[Any]:
    """The generators that an object holds at any depth, and those of the file that its functions use."""
    waiting: list[Any] = [thing]
    seen: set[int] = set()
    while waiting and len(seen) < LARGEST:
        held = waiting.pop()
        if id(held) in seen:
            continue
        seen.add(id(held))
        try:
            waiting += inside(held)
        except Exception:  # an object that fails to say what it is
            continue
        if isinstance(held, GENERATORS):
            yield held


def inside(held: Any) -> list[Any]:
    """What an object holds, and what its functions use, as far as it may be or hold a generator."""
    if isinstance(held, (*NOTHING, *GENERATORS)):
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
