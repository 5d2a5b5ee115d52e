"""Rows x and targets that a file does not define: drawn, and tried until forward and backward run."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from ....checks import Array
from ....losses import MSE
from ....model.sequential import Sequential
from ....nesting import with_inner
from ....process import same_chance
from .. import intake
from ..leaves import Unpaired, leaves
from ..report import in_words
from ..styles import Lines, Whole, layout, recognised, roles
from ..styles.valued import is_valued
from ..styles.view import Unknown
from ..under_test import REAL, ModelUnderTest, private, quiet
from .arguments import IMAGES, WAYS, arguments, x_shape

MOST = 16  # of a width that is tried for images and sequences
Sample = tuple[Array, Array | None]  # x, and t where there are targets


def functions_with_arguments(
    functions: tuple[Any, ...], defined: dict[str, Any], rng: np.random.Generator
) -> tuple[tuple[Any, ...], Array, Array | None]:
    """Functions with arguments with which they run, x, and t where they take targets. Raises Unknown."""
    if is_valued(functions[0]):
        return (*functions, *own_arguments(functions[0], defined)), np.zeros((1, 1)), np.zeros((1, 1))
    half: tuple[tuple[Any, ...], Array, Array | None] | None = None  # forward runs, and backward does not
    undrawn: list[Unknown] = []
    failed: Exception | None = None
    for way, given in _with_arguments(functions, defined, rng, undrawn):
        sample, back, error = _tried(given, way, defined, rng)
        if sample and back and not _gives_numbers(given, *sample):
            return given, *sample
        half = half or ((given, *sample) if sample else None)
        failed = error or failed
    held = {name for f in functions for name in f.__code__.co_names if isinstance(f.__globals__.get(name), np.ndarray)}
    if half is not None and (not held or own(defined, "x") is not None):  # else x is not drawn for these numbers
        return half
    drawn_too = {name: value for name, value in defined.items() if callable(value)}
    if drawn_too != defined:
        with contextlib.suppress(Unknown):  # what the file defines may be meant for another function
            return functions_with_arguments(functions, drawn_too, rng)
    ends = f" (the last try raised {in_words(failed)})" if failed else ""
    what = f"{functions[0].__name__} does not run with any arguments that were drawn for it{ends}"
    raise undrawn[-1] if undrawn else Unknown(what, "define its arguments, and x, in the file")


def _with_arguments(
    functions: tuple[Any, ...], defined: dict[str, Any], rng: np.random.Generator, undrawn: list[Unknown]
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Functions with arguments, each way; where none can be drawn, `undrawn` gets why."""
    for way in WAYS:
        try:
            drawn = list(arguments(functions[0], defined, way, rng))
        except Unknown as error:
            undrawn.append(error)
            continue
        for values in drawn:
            yield way, (*functions, *values)


def _gives_numbers(given: tuple[Any, ...], x: Array, t: Array | None) -> bool:
    """Whether every gradient is one number, and the parameters are arrays: it is meant for numbers w and b."""
    whole = recognised(given)
    if not isinstance(whole, Whole) or t is None or not whole.functions or not whole.thing:
        return False
    if any(map(layout.is_number, whole.thing.values())):
        return False
    with quiet(), same_chance():
        rows, t = layout.settle_network(whole, x, t)
        whole.aim(t)
        whole.backward(np.ones_like(whole.forward(rows)))
    return bool(whole.grads) and all(map(layout.is_number, whole.grads.values()))


def _tried(
    given: tuple[Any, ...], way: str, defined: dict[str, Any], rng: np.random.Generator
) -> tuple[Sample | None, bool, Exception | None]:
    """(x and t with which forward runs, whether backward does, what forward raises)."""
    view = recognised(given)
    x = own(defined, "x", rng.normal(size=x_shape(way)))
    named = defined.get(getattr(view, "name_of_x", "x"))
    x = named if isinstance(named, np.ndarray) and named.dtype.kind == "f" else x
    if isinstance(view, Whole):
        x = x.T if way.startswith("columns") and own(defined, "x") is None else x  # a row for each target
        ran = targets_for(view, x, defined, rng)
        return (ran[:2], ran[2], None) if ran else (None, False, None)
    if view is None or way == "numbers":
        return None, False, None
    ahead, failed = view_runs(view, x)
    return ((x, None), failed is None, None) if ahead else (None, False, failed)


def own_arguments(function: Any, defined: dict[str, Any]) -> list[Any]:
    """What a file defines under the names of a function's arguments. Raises Unknown where one is missing."""
    missing = [name for name in roles.required(function) if name not in defined]
    if missing:
        what = f"{function.__name__} takes {', '.join(missing)}, for which no value could be drawn"
        raise Unknown(what, f"define {', '.join(missing)} in the file")
    return [defined[name] for name in roles.required(function)]


def view_runs(view: Any, x: Array) -> tuple[bool, Exception | None]:
    """Whether forward runs with x as it is, and how it or backward ends."""
    tried = private("functions", view)
    try:
        with quiet(), same_chance():
            y = tried.forward(x.copy())
    except Unknown:
        raise
    except Exception as error:
        return False, error
    try:
        with quiet(), same_chance():
            tried.backward(np.ones_like(y))
    except Exception as error:
        return True, error
    return True, None


def own(defined: dict[str, Any], role: str, otherwise: Any = None) -> Any:
    """What a file calls x, X, X_train, xt, or t, y, Y, y_train; else `otherwise`."""
    names = ("x", "X", "x_train", "X_train", "xt") if role == "x" else ("t", "y", "Y", "T", "t_train", "y_train")
    return next((defined[name] for name in names if isinstance(defined.get(name), np.ndarray)), otherwise)


def targets_for(
    whole: Whole, x: Array, defined: dict[str, Any], rng: np.random.Generator
) -> tuple[Array, Array, bool] | None:
    """x and targets with which a network with its loss runs, one-hot, labels or numbers, and whether backward does.

    None where forward runs with none.
    """
    if isinstance(whole, Lines):  # it has its own
        return whole.data.names["x"], whole.data.names["t"], True
    sizes = [(n,) for n in whole.thing.values() if type(n) is int and n <= MOST] if whole.functions else []
    sizes += [(1,), (3,)] * any(np.ndim(leaf.value) == 1 and np.size(leaf.value) > MOST for leaf in leaves(whole))
    widths = dict.fromkeys(
        [*widths_of_output(whole, x), *sizes[::-1], *(np.shape(leaf.value)[-1:] or (1,) for leaf in leaves(whole))]
    )
    half: tuple[Array, Array, bool] | None = None
    for width in widths:
        for t in [own(defined, "t")] if own(defined, "t") is not None else likely_targets(len(x), width[0], rng):
            ahead, back = runs_with(whole, x, t)
            if back:
                return x, t, True
            half = half or ((x, t, False) if ahead else None)
    return half


def widths_of_output(whole: Whole, x: Array) -> list[tuple[int, ...]]:
    """The number of outputs, where a network gives them."""
    if whole.forward_alone is None:
        return []
    tried = private("network", whole)
    tried.shows_output = True
    try:
        with quiet():
            tried.aim(np.zeros((len(x), 1)))
            rows, _ = layout.settle_network(tried, x, tried.memory.t)
            return [np.shape(tried.forward(rows))[1:]]
    except Exception:
        return []


def likely_targets(n: int, width: int, rng: np.random.Generator) -> list[Array]:
    """Targets of n rows that a network with so many outputs may take."""
    if width == 1:
        ones = (np.arange(n) % 2).astype(float)
        return [ones[:, None], ones, ones.astype(int)]
    labels = rng.permutation(np.arange(n) % width)  # each class is there
    return [np.eye(width)[labels], labels]


def runs_with(whole: Whole, x: Array, t: Array) -> tuple[bool, bool]:
    """Whether a network with its loss runs forward and back with these targets, to one finite loss."""
    tried = private("network", whole)
    try:
        with quiet(), same_chance():
            rows, t = layout.settle_network(tried, x, t)
            tried.aim(t)
            y = tried.forward(rows)
    except Unknown:
        raise
    except Exception:
        return False, False
    if not np.isfinite(y).all() or (tried.has_loss and y.shape != (len(rows), 1)) or not np.any(y):
        return False, False
    try:
        with quiet(), same_chance():
            tried.backward(np.ones_like(y))
    except Exception:
        return True, False
    return True, True


def widths_of(thing: Any, rng: np.random.Generator) -> Iterator[Any]:
    """Rows of each width that its matrices have, then images and sequences, also of other widths.

    Seven rows, or more where seven is a width, too: rows are not to be taken for columns.
    """
    axes = [n for leaf in leaves(thing) for n in np.shape(leaf.value)]
    without_bias = [np.shape(leaf.value)[1] - 1 for leaf in leaves(thing) if np.ndim(leaf.value) == 2]
    extra = [n for n in without_bias if n > 1]  # of a matrix whose last column are the biases
    widths = sorted(dict.fromkeys([*axes, 5, *extra]), key=lambda width: width == 1)  # one column fits by accident
    many = next(n for n in itertools.count(7) if n not in axes)
    sizes = [n for n in getattr(thing, "__dict__", {}).values() if type(n) is int and 1 < n <= MOST]
    flat = [n * m for n, m in itertools.combinations(sizes, 2) if n * m not in widths]  # images that come as rows
    for width in widths:
        yield rng.normal(size=(many, width))
    for width in flat:
        yield from (rng.normal(size=(many, width)), rng.normal(size=(width, many)))
    for shape in (*IMAGES.values(), (4, 6, 8)):  # and images without channels
        yield rng.normal(size=shape)
    grouped = [n * axis for n in sizes for axis in axes if n * axis <= MOST]  # heads, and groups of channels
    for width in dict.fromkeys([*widths, *sizes, *grouped]):
        yield rng.normal(size=(3, 4, width))
        yield rng.normal(size=(2, width, 6, 7))
        yield rng.normal(size=(2, 6, 7, width))


def rows_for(thing: Any, names: dict[str, Any], rng: np.random.Generator, any_x: bool) -> Any:
    """x of the file, or seven rows of the first width with which forward and backward run, or forward does.

    Where `any_x`, x of the file may not be meant for it. None where nothing runs.
    """
    given = own(names, "x")
    if given is not None and not any_x:
        return given
    first = next(iter(thing)) if isinstance(thing, Sequential | list | tuple) else thing
    widths: list[Any] = [layer.n_in for layer in [first, *with_inner(thing)] if getattr(layer, "n_in", None)][:1]
    known = [given] * (given is not None) + [rng.normal(size=(7, width)) for width in widths]
    half, ids = None, rng.integers(0, 3, (7, 2)).astype(float)  # of words, each several times
    for x in [*known, *widths_of(first, rng), ids]:
        ahead, back = runs(thing, x)
        if back:
            return x
        half = x if ahead and half is None else half
    return half


def runs(thing: Any, x: Any) -> tuple[bool, bool]:
    """Whether forward runs with x, and backward after it."""
    try:
        y, network = outputs(thing, x, network=True)
    except Unpaired:  # the check says what is not known
        return True, True
    except Exception:
        return False, False
    if y.size == 0:
        return False, False
    try:
        dx = network.model.backward(np.ones_like(y))
    except Exception:
        return True, False
    first = network.layers[0] if network.layers else None
    return True, dx is None or first is None or np.shape(dx) == first.x.shape


def error_with_rows(thing: Any, rng: np.random.Generator) -> tuple[tuple[int, ...], Exception] | None:
    """The shape of the first x that is drawn, and the error that forward raises with it; None where it raises none."""
    x = next(widths_of(thing, rng))
    try:
        outputs(thing, x)
    except Exception as error:
        return x.shape, error
    return None


def outputs(model: Any, x: Any, network: bool = False) -> Any:
    """y for x, from a copy; with the copy where `network`."""
    x = np.array(x, float)
    model, rows = intake.as_model(model, x)
    tested = ModelUnderTest(model, MSE(), REAL)
    y = tested.model.forward(rows)
    return (y, tested) if network else y


def targets(y: Any, classifies: bool | None, rng: np.random.Generator) -> list[Any]:
    """Targets for predictions y, to be tried one after another: labels, or numbers; all kinds if None says which."""
    labels = rng.integers(0, y.shape[1], len(y))
    tried = [rng.normal(size=y.shape), labels, np.eye(y.shape[1])[labels]]
    return tried if classifies is None else tried[1:2] if classifies else tried[:1]
