"""Whether code takes samples as rows, (N, D), as columns, (D, N), or one at a time: found by trying."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ....checks import Array
from ....process import same_chance
from ..leaves import at, leaves
from ..pairing import pair
from ..under_test import private, quiet
from .lines import Lines
from .networks import Whole
from .view import Unknown, View

ONE = ("row", "column", "one")  # these take one sample at a time
ROWS = 32  # samples that are tried
SAID = {
    "columns": "samples are columns, (D, N), and are measured as such; the formulas here are for rows: "
    "x.T @ dy stands for dy @ x.T",
    "column": "it takes one sample at a time, a column (D, 1); the first ones are looked at, each alone",
    "row": "it takes one sample at a time, a row (1, D); the first ones are looked at, each alone",
    "one": "it takes one sample at a time, without an axis for samples; the first ones are looked at, each alone",
}


def settle(view: View, x: Array, hint: str = "rows") -> Array:
    """Find how a view takes samples, and set it; x as rows, of which one is left where it takes one.

    The first way in which forward and backward run is its way; else the first in which forward does. Where rows and
    columns are alike, as for an activation, `hint` decides.
    """
    first: tuple[str, Array] | None = None
    for shapes, rows in _ways(view, x, hint):
        view.shapes = shapes
        first = first or (shapes, rows)
        if _goes_back(view, rows[:ROWS]):
            return rows
    view.shapes, rows = first or ("rows", x)  # where it fails, the examination says how
    return rows


def _ways(view: View, x: Array, hint: str) -> Iterator[tuple[str, Array]]:
    """The ways in which forward runs, with x as rows."""
    view.shapes = "rows"
    alone = _tried(view, x[0])
    few, y = x[:ROWS], _tried(view, x[:ROWS])
    if x.ndim != 2:
        if y is not None and len(y) == len(few):
            yield "rows", x
    else:
        ahead = _tried(view, x[:ROWS].T), _tried(view, x[:1].T)
        if y is None and len(x) > ROWS:
            few = x[:, :ROWS]
            y = _tried(view, few)
        if y is not None:
            by_columns = y.ndim == 2 and _by_columns(view, few, y, hint)
            if y.ndim == 2 and len(y) != len(few) and not by_columns and _comes_back(view, x):
                yield "one", x[None]  # a signal (length, channels), which becomes shorter
            yield ("columns", x.T) if by_columns else ("rows", x)
            if not by_columns:
                yield "row", x[:1]
        elif _ends(ahead[0], len(x[:ROWS])):
            yield "columns", x
        if _ends(ahead[1], 1):
            yield "column", x[:1]
    if alone is not None and alone.ndim:
        yield "one", x[:1]


def is_number(a: object) -> bool:
    """Whether it is one number, also as an array."""
    return not isinstance(a, list | tuple | dict | str) and np.ndim(a) == 0  # type: ignore[arg-type]


def settle_network(whole: Whole, x: Array, t: Array) -> tuple[Array, Array]:
    """The same of a network with its loss: x and t as rows."""
    if isinstance(whole, Lines):  # it has settled that itself
        return x, t
    given = x
    numbers = whole.functions and whole.thing and all(map(is_number, whole.thing.values()))
    if numbers and x.shape[1:] == (1,):
        whole.shapes = "numbers"  # w * x + b of points
        return x, t
    if whole.forward_alone is not None:
        alone = View(whole.thing, whole.forward_alone, whole.forward_alone)
        x = settle(alone, x)
        whole.shapes = alone.shapes
        transposed = x.shape[1:] != given.shape[1:] or not np.array_equal(x, given[: len(x)])
        if t.ndim == 2 and (transposed or (whole.shapes == "columns" and len(t) != len(x))):
            t = t.T
    else:
        ways = [("rows", x, t), ("columns", x.T, t.T), ("columns", x, t)] if x.ndim == 2 else []
        for shapes, rows, targets in ways:
            whole.shapes = shapes
            if _gradients(whole, rows, targets) is not None:
                x, t = rows, targets
                break
        else:
            whole.shapes = "rows"
    if whole.forward_alone is not None and _gradients(whole, x, t) is None:
        for shapes in ONE:  # forward runs with many, and backward with one alone
            found, whole.shapes = whole.shapes, shapes
            y = _tried(View(whole.thing, whole.forward_alone, whole.forward_alone), x[0] if shapes == "one" else x[:1])
            if y is not None and y.size == np.size(t[0]) and _gradients(whole, x[:1], t[:1]) is not None:
                break
            whole.shapes = found
    if whole.shapes == "columns" and _one_at_a_time(whole, x[:1], t[:1]):
        whole.shapes = "column"
    n = 1 if whole.shapes in ONE else len(x)
    return x[:n], t[:n]


def _one_at_a_time(whole: Whole, x: Array, t: Array) -> bool:
    """Whether one sample has gradients of the parameters' shapes, and the same sample twice others.

    Such code with a mean over the samples has forgotten a sum, of a bias; where the others are summed, too, and nothing
    is divided by N, it is meant for one.
    """
    one = _gradients(whole, x, t)
    two = _gradients(whole, np.concatenate([x, x]), np.concatenate([t, t]))
    if one is None or two is None:
        return one is not None
    alike = [name for name in one if name in two and one[name].shape == two[name].shape]
    return len(alike) < len(one) and all(np.allclose(two[name], 2 * one[name]) for name in alike)


def _gradients(whole: Whole, x: Array, t: Array) -> dict[str, Array] | None:
    """The gradients of a step, by the names of the parameters; None where it fails."""
    tried = private("network", whole)
    tried.aim(t)
    found = {}
    try:
        with quiet(), same_chance():
            tried.forward(x)
            parameters = leaves(tried)
            returned = tried.backward(np.ones((len(x), 1)))
            pair(parameters, tried, returned)
        for leaf in parameters:
            if leaf.gradient is not None:
                found[leaf.name] = np.asarray(at(tried, leaf.gradient, returned), float)
    except Exception:
        return None
    return found


def _tried(view: View, x: Array) -> Array | None:
    """What forward gives for x as it is; None where it fails."""
    try:
        with quiet(), same_chance():
            return np.array(private("layer", view).forward(x.copy()))
    except Unknown:
        raise
    except Exception:
        return None


def _ends(y: Array | None, N: int) -> bool:
    return y is not None and y.ndim == 2 and y.shape[1] == N


def _by_columns(view: View, x: Array, y: Array, hint: str) -> bool:
    """Whether the samples of x are its columns, by the shapes, or by what of y moves with one of them."""
    if x.shape[0] != y.shape[0] or x.shape[1] != y.shape[1]:
        return x.shape[1] == y.shape[1]
    row, column = x.copy(), x.copy()
    row[0] += 1
    column[:, 0] += 1
    moved_row, moved_column = (_tried(view, a) for a in (row, column))
    if moved_row is None or moved_column is None:
        return False
    rows_apart = np.array_equal(moved_row[1:], y[1:])
    columns_apart = np.array_equal(moved_column[:, 1:], y[:, 1:])
    if rows_apart != columns_apart:
        shapes = [np.shape(leaf.value) for leaf in leaves(view)]
        learned = any(shape in ((len(x), 1), (len(x), len(x))) for shape in shapes)
        return columns_apart and (learned or hint == "columns")  # BatchNorm by rows keeps columns apart, too
    return rows_apart and hint == "columns"


def _comes_back(view: View, x: Array) -> bool:
    """Whether backward returns a dx of x's shape, where x is one sample."""
    tried = private("layer", view)
    tried.shapes = "one"
    try:
        with quiet(), same_chance():
            dx = tried.backward(np.ones_like(tried.forward(x[None].copy())))
    except Exception:
        return False
    dx = dx[0] if isinstance(dx, tuple) else dx
    return np.shape(dx) == (1, *x.shape)


def _goes_back(view: View, x: Array) -> bool:
    """Whether backward takes what forward has given."""
    try:
        with quiet(), same_chance():
            tried = private("layer", view)
            tried.backward(np.ones_like(tried.forward(x.copy())))
    except Exception:
        return False
    return True
