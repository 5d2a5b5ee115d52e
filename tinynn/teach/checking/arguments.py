"""What the checks are given: rows, targets, a seed; what of it is looked at."""

from __future__ import annotations

import types
from typing import Any

import numpy as np

from ... import checks
from ...checks import Array
from .under_test import REAL

ROWS = 32  # of x and t that are looked at: more cost time and show nothing new


def numbers(name: str, a: Any) -> tuple[Array, list[str]]:
    """x or y as float64. Raises TypeError, ValueError."""
    if not isinstance(a, np.ndarray) or a.ndim < 2 or a.dtype.kind not in "fiu" or a.size == 0:
        expected = "a numpy array of numbers, (N, D) or (N, ..., D), and not empty"
        raise TypeError(f"{name} must be {expected}, not {checks.describe(a)}{checks.as_array(name, a, REAL)}")
    if not np.isfinite(a).all():
        raise ValueError(f"{name} must hold numbers, not NaN or infinity")
    notes = []
    if a.dtype.kind in "iu":
        notes.append(f"{name} is {a.dtype}: whole numbers lose small steps (3 + 1e-5 is 3); it is checked as float64")
    return a.astype(REAL), notes


def rows_of(name: str, a: Any) -> tuple[Array, list[str]]:
    """At most ROWS rows of x or y, as float64."""
    a, notes = numbers(name, a)
    if len(a) > ROWS:
        notes.append(f"the first {ROWS} of {len(a):,} rows are looked at")
    return a[:ROWS], notes


def pair_of(name: str, a: Any, t: Any) -> tuple[Array, Array, list[str]]:
    """The same of x or y with its targets."""
    N = len(a) if isinstance(a, np.ndarray) and a.ndim else 0
    a, notes = rows_of(name, a)
    if not isinstance(t, np.ndarray) or t.ndim == 0 or t.dtype.kind not in "fiub":
        hint = checks.as_array("t", t)
        raise TypeError(f"t must be a numpy array with a row for each of {name}, not {checks.describe(t)}{hint}")
    if len(t) != N:
        raise ValueError(f"t must have as many rows as {name}, {N}, not {len(t)}")
    t = t[:ROWS]
    if t.dtype.kind == "f":
        t = t.astype(REAL)
        if t.ndim == 2 and np.allclose(t.sum(axis=1), 1, rtol=0, atol=1e-3) and (t >= 0).all():
            t /= t.sum(axis=1, keepdims=True)  # probabilities from float32 sum to 1 again
    return a, t, notes


def targets_of(x: Array, rows: Array, t: Any) -> Any:
    """The targets of x for the same numbers as rows: x may have had samples as columns, and one may be left."""
    if not isinstance(t, np.ndarray) or t.ndim == 0 or rows is x:
        return t
    transposed = not np.array_equal(rows, x[: len(rows)])
    if transposed and t.ndim == 2:
        t = t.T
    return t[:1] if len(rows) == 1 else t


def generator(seed: Any) -> np.random.Generator:
    """The numbers that a check draws: not those of default_rng(seed), which may be the learner's x itself."""
    if isinstance(seed, np.random.Generator):
        return seed
    return np.random.default_rng([checks.integer("seed", seed, 0), 2])


def short_name(thing: Any) -> str:
    """What a report calls a thing: its repr if it has one of its own, else its class; 70 characters at most."""
    if type(thing) is types.FunctionType:  # isinstance would ask a thing that may raise
        return str(thing.__name__)
    if type(thing) in (list, tuple) and thing and type(thing[0]) is types.FunctionType:
        return str(thing[0].__name__)
    own_repr = type(thing).__repr__ is not object.__repr__ and not isinstance(thing, list | tuple)
    try:
        text = " ".join(repr(thing).split()) if own_repr else type(thing).__name__
    except Exception:
        text = type(thing).__name__
    return text if len(text) <= 70 else text[:67] + "..."
