"""The same random numbers for each forward, so that a dropout can be measured: the same units are dropped each time.

They come from the global generators, from those that an object holds, or from one beside it in the learner's file.
"""

from __future__ import annotations

import contextlib
import copy
import random
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...layers.layer import Layer
from ...nesting import with_inner
from ...process import chance_left_alone, in_main_thread
from .copies import deep_copy

GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)
NOTHING = (np.ndarray, np.generic, str, bytes, int, float, complex, type(None), types.ModuleType)
LARGEST = 10_000  # objects that are looked into
# Packages that draw nothing from the generators of the process, apart from numpy.random
QUIET = {
    "tinynn", "numpy", "numba", "math", "cmath", "builtins", "itertools", "functools", "collections", "copy", "typing",
}  # fmt: skip
KEPT = "its generators"  # where a private copy of a layer has what was found
NOTE = (
    "forward draws random numbers: each forward here drew the same ones, so that it could be measured. In training "
    "the draws differ, and so should they"
)
NOTE_FOR_A_LAYER = ". A Layer that draws from self.rng repeats them with the model's seed, and they are saved with it"


class Found:
    """What a thing draws from: generators that it holds, and those of the file, which its copies share.

    `of_process`: it may draw from NumPy's or Python's own, whose states take ten times as long to put back as a small
    layer's forward. `buffered`: the layers within it that have buffers, where these have been looked for.
    """

    def __init__(self, held: list[Any], shared: list[Any], of_process: bool, buffered: Any = None) -> None:
        self.held, self.shared, self.of_process, self.buffered = held, shared, of_process, buffered

    def __deepcopy__(self, memo: dict[int, Any]) -> Found:
        held, buffered = copy.deepcopy((self.held, self.buffered), memo)
        return Found(held, self.shared, self.of_process, buffered)


def copied(layer: Any) -> Any:
    """A deep copy of a private copy, with the same generators: each forward puts them back, copying is slow."""
    found = known(layer)
    return deep_copy(layer, {id(generator): generator for generator in found.held} if found else {})


@contextlib.contextmanager
def same_draws(thing: Any) -> Iterator[None]:
    """What is in it leaves no trace in the generators that `thing` draws from: each forward draws the same.

    In a thread beside the main one, the generators of the process stay as they are.
    """
    found = known(thing) or generators(thing)
    of_process = chance_left_alone() if found.of_process else contextlib.nullcontext()
    with of_process, put_back([*found.held, *found.shared]):
        yield


@contextlib.contextmanager
def same_start(model: Any) -> Iterator[None]:
    """The same for a layer or a model, whose buffers are also as they were: each forward starts alike."""
    found = known(model)
    buffered = with_inner(model) if found is None else found.buffered
    buffers = [(layer.arrays[name], layer.arrays[name].copy()) for layer in buffered for name in layer.buffers]
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


def known(thing: Any) -> Found | None:
    """What `look_once` has found."""
    return vars(thing).get(KEPT) if issubclass(type(thing), Layer) else None


def generators(*things: Any) -> Found:
    """What objects draw from, at any depth."""
    held: list[Any] = []
    shared: list[Any] = []
    waiting = [(thing, held) for thing in things]
    seen: set[tuple[int, bool]] = set()
    of_process = False
    while waiting and len(seen) < LARGEST:
        one, found = waiting.pop()
        if (id(one), found is shared) in seen:
            continue
        seen.add((id(one), found is shared))
        if issubclass(type(one), GENERATORS):  # an object may fail at isinstance
            found.append(one)
            continue
        try:
            if is_unknown(one):
                of_process = True
                continue
            found = shared if type(one) is types.FunctionType else found
            waiting += [(inner, found) for inner in inside(one)]
        except Exception:  # an object that fails to say what it is
            of_process = True
    return Found(held, shared, of_process or bool(waiting))


def look_once(layer: Layer, *used: Any) -> None:
    """Keep what a private copy draws from in it, for all its forwards and copies: looking for it takes time.

    `used` is what is called beside it, such as a loss.
    """
    vars(layer).pop(KEPT, None)
    found = generators(layer, *used)
    found.buffered = [one for one in with_inner(layer) if one.buffers]
    vars(layer)[KEPT] = found


def is_unknown(one: Any) -> bool:
    """Whether it is a part of a package, or a function in C, that may draw from the generators of the process."""
    if isinstance(one, types.ModuleType):
        return one.__name__.partition(".")[0] not in QUIET or one.__name__.startswith("numpy.random")
    if isinstance(one, types.BuiltinFunctionType):  # np.random.rand is a method of a generator
        return getattr(one.__self__, "__name__", "") not in QUIET
    package = package_of(one)
    return package not in QUIET and "site-packages" in str(getattr(sys.modules.get(package), "__file__", ""))


def package_of(thing: Any) -> str:
    """The package that a class, a function or an object's class stands in."""
    return str(getattr(thing, "__module__", None)).partition(".")[0]


def inside(held: Any) -> list[Any]:
    """What an object holds, and what its functions use, as far as it may be or hold a generator, or draw."""
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
    own = [] if isinstance(held, type) else list(getattr(held, "__dict__", {}).values())
    classes = [cls for cls in (held if isinstance(held, type) else type(held)).__mro__ if package_of(cls) not in QUIET]
    made = not isinstance(held, type)  # what __init__ draws is drawn
    values = [value for cls in classes for name, value in vars(cls).items() if not (made and name == "__init__")]
    return [*own, *(function for value in values for function in functions_of(value))]


def functions_of(value: Any) -> list[Any]:
    """The functions behind what stands in a class."""
    if isinstance(value, property):
        return [function for function in (value.fget, value.fset) if function is not None]
    value = getattr(value, "__func__", value)  # of a static method or a method of the class
    return [value] if isinstance(value, types.FunctionType) else []


def used_by(function: types.FunctionType) -> list[Any]:
    """What a function of the learner's finds around it."""
    if not in_main_thread() or package_of(function) in QUIET:
        return []
    names = names_in(function.__code__)
    found = [function.__globals__.get(name) for name in names]
    if any("random" in name.split(".") for name in names):  # np.random.rand(...), or imported within
        found.append(np.random)
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # not yet filled
            found.append(cell.cell_contents)
    return found


def names_in(code: types.CodeType) -> set[str]:
    """The names that a function's code uses, that of functions within it too."""
    return set(code.co_names).union(*(names_in(inner) for inner in code.co_consts if isinstance(inner, types.CodeType)))
