"""Where an unknown mistake shows: for which x, in which row, channel or border, by which factor; and on which side.

Each sentence is about numbers that were measured: a pattern is said only where every wrong entry fits it and right ones
do not.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from ...checks import Array
from . import measure
from .layer_gradients import LayerGradients
from .measure import close, same
from .slips.known_functions import NAMES, SMOOTH, resembles

SMALL = 1e-3  # of a gradient's length: what an eps, and hardly another mistake, makes
FEW = 12  # entries, below which a pattern may be chance


def described(layer: LayerGradients, name: str) -> str:
    """What can be seen of a gradient that is wrong in an unknown way, in sentences."""
    a, n = layer.analytic[name], layer.numeric(name)
    known = np.isfinite(n)
    wrong = known & (np.abs(a - n) > 1e-6 * np.abs(n[known]).max(initial=0))
    said = [f"{wrong.sum()} of the {known.sum()} entries looked at are wrong"]
    places = list(where(layer, name, wrong, known)) if known.sum() >= FEW else []
    said[0] += f", all {places[0]}." if places else "."
    c = measure.ratio(a[wrong], n[wrong]) if wrong.sum() > 1 else None
    if c is not None and not wrong.all():
        said.append(f"There the code gives {c:.6g} times what it should{reading(layer, c)}.")
    size = float(np.linalg.norm((a - n)[known]) / (np.linalg.norm(n[known]) or 1))
    if size < SMALL:
        said.append(f"All in all it is off by {size:.0e} of its length alone: is an eps in one of the two passes only?")
    if wrong.sum() > 1 and not n[wrong].any() and n[known].any():
        said.append("Measured is 0 in all of these: is the slope of a ReLU missing, which is 0 for a unit that is off?")
    if known.all():
        said += [added_once(a, n, wrong), misplaced(a, n)]
    if name == "x" and wrong.sum() >= FEW:
        given = {"0": 0 * a, "dy itself": layer.dy, "x itself, in place of what comes from dy": layer.x}
        said += [f"There the code gives {text}." for text, b in given.items() if _alike(a, b, wrong)]
    if name == "x":
        said += [only_the_first(layer, a, n), side(layer)]
    return " ".join(part for part in said if part)


def where(layer: LayerGradients, name: str, wrong: Array, known: Array) -> Iterator[str]:
    """What all wrong entries have in common, and no right one."""
    if wrong.all() or not wrong.any() or not known.any():
        return
    if name == "x":
        x = layer.x
        signs = {"x < 0": x < 0, "x <= 0": x <= 0, "x > 0": x > 0, "x = 0": x == 0, "x is not 0": x != 0}
        for text, chosen in signs.items():
            if chosen[wrong].all() and not chosen[known & ~wrong].any():
                yield f"where {text}"
    for axis in range(wrong.ndim):
        lines = np.flatnonzero(wrong.any(axis=tuple(k for k in range(wrong.ndim) if k != axis)))
        if len(lines) == 1 and wrong.shape[axis] > 1:
            yield f"in {axis_name(layer, name, axis)} {lines[0]}"
        elif lines[-1] - lines[0] + 1 == len(lines) < wrong.shape[axis] and wrong.take(lines, axis).all():
            yield f"in {_several(layer, name, axis)} {lines[0]} to {lines[-1]}"
        elif len(lines) < min(wrong.shape[axis], 6) and wrong.take(lines, axis).all():
            yield f"in {_several(layer, name, axis)} {', '.join(map(str, lines[:-1]))} and {lines[-1]}"
    if name == "x" and wrong.ndim == 4:
        for axes in ((1, 2), (2, 3)):
            border = np.ones(wrong.shape, bool)
            inner = tuple(slice(1, -1) if axis in axes else slice(None) for axis in range(4))
            border[inner] = False
            if border[wrong].all() and (known & ~border).any():
                yield "at the border of the images"
                return


def _alike(a: Array, b: Array, there: Array) -> bool:
    return a.shape == b.shape and np.array_equal(a[there], b[there])


def added_once(a: Array, n: Array, wrong: Array) -> str:
    """Where each wrong row is a half, a third, ... of the right one, and not all by the same factor."""
    rows = np.flatnonzero(wrong.any(axis=tuple(range(1, wrong.ndim))))
    shares = [measure.ratio(a[row], n[row]) for row in rows] if wrong.ndim > 1 and wrong.shape[1] > 1 else []
    times = [1 / c if c else np.nan for c in shares]
    if len(set(np.round(times, 6))) < 2 or not all(k > 1.5 and close(k, round(k)) for k in np.nan_to_num(times)):
        return ""
    text = ", ".join(f"{row} by {k:.0f}" for row, k in zip(rows, times))
    return (
        f"Rows are divided ({text}): an index that comes several times is added once. a[ids] += b does that; "
        "np.add.at(a, ids, b) adds all."
    )


def misplaced(a: Array, n: Array) -> str:
    """Where all numbers of a gradient, or their sums, are right, and their places are not."""
    axes = [k for k in range(n.ndim) if n.shape[k] > 1]
    if n.size < FEW:
        return ""
    for many in range(1, len(axes) + 1):
        for chosen in itertools.combinations(axes, many):
            if same(a, np.flip(n, chosen)):
                return f"It is the right one in reverse order along {_axes(chosen)}: is there a flip, [::-1], too many?"
    for order in itertools.permutations(range(n.ndim)):
        if n.transpose(order).shape == a.shape and same(a, n.transpose(order)):
            return f"It is the right one with its axes in another order, {order}: look at the transposes and reshapes."
    if same(np.sort(a, axis=None), np.sort(n, axis=None)):
        return "Its numbers are the right ones in other places: look at the reshapes and indices."
    for k in axes:
        total = n.sum(axis=k)
        if np.linalg.norm(total) > 1e-6 * np.linalg.norm(n) and same(a.sum(axis=k), total):
            return f"Summed over axis {k} it is right: terms are added at other places of this axis. Look at its index."
    return ""


def _axes(chosen: tuple[int, ...]) -> str:
    return f"ax{'i' if len(chosen) == 1 else 'e'}s {' and '.join(map(str, chosen))}"


def only_the_first(layer: LayerGradients, a: Array, n: Array) -> str:
    """Where dx is right in the corner that a loop begins with, and 0 everywhere else."""
    known = np.isfinite(n) & (n != 0)
    got = known & (a != 0)
    if not got.any() or got.sum() > known.sum() / 2 or not same(a[got], n[got]):
        return ""
    corner = tuple(slice(0, last + 1) for last in np.argwhere(got).max(axis=0))
    if known[corner].sum() != got.sum():
        return ""
    return "Only the first window (or entry) gets a gradient, and that is right: is there a return inside the loop?"


def axis_name(layer: LayerGradients, name: str, axis: int) -> str:
    """What an index along an axis of a gradient is called."""
    ndim = layer.at(name).ndim
    if ndim == 2:
        return ("row", "column")[axis]
    if name == "x" and ndim > 2:
        return "example" if axis == 0 else f"index {axis} of the axes, at"
    return f"axis {axis}, at index"


def _several(layer: LayerGradients, name: str, axis: int) -> str:
    return axis_name(layer, name, axis).replace("row", "rows").replace("column", "columns")


def in_common(tensors: dict[str, bool]) -> str:
    """What the names of all wrong gradients of parameters have, and no right one: the letter of a gate, a number.

    `tensors` says of each gradient whether it is wrong; dx and those of other inputs are not among them.
    """
    wrong, right = (
        [name.removeprefix("d") for name, is_wrong in tensors.items() if is_wrong is k] for k in (True, False)
    )
    if len(wrong) < 2 or not right:
        return ""
    first = min(wrong, key=len)
    parts = (first[i : i + k] for k in range(len(first), 0, -1) for i in range(len(first) - k + 1))
    shared = next((part for part in parts if all(part in a for a in wrong) and not any(part in a for a in right)), "")
    names = ", ".join("d" + name for name in wrong)
    return (
        f" Wrong are those with {shared!r}, {names}, and no others: look at the delta that they share."
        if shared
        else ""
    )


def sizes(layer: LayerGradients) -> dict[str, float]:
    """The numbers that a forgotten or additional factor may be."""
    x, y = layer.x, layer.y
    name = "the width" if x.ndim == 2 else "the last axis"
    found: dict[str, float] = {f"{name} of x": x.shape[-1], f"{name} of y": y.shape[-1]}
    if y.ndim == 4:
        found |= {"the second axis of x": x.shape[1], "the second axis of y": y.shape[1]}
        for text, positions in (("last", y.shape[1] * y.shape[2]), ("first", y.shape[2] * y.shape[3])):
            found[f"the number of y's positions (channels {text})"] = positions
            found[f"rows times positions of y (channels {text})"] = layer.n * positions
    if x.ndim == 4 and y.ndim == 2:
        found |= {"the number of x's pixels": x.size / layer.n / y.shape[-1], "the height of x": x.shape[1]}
    if y.ndim == 3:
        found |= {"the length of the sequences": y.shape[1], "rows times length": layer.n * y.shape[1]}
    return {text: size for text, size in found.items() if size > 2}


def reading(layer: LayerGradients, c: float) -> str:
    """What a factor may come from: ", which is 1 / the width of x", or nothing."""
    for text, size in sizes(layer).items():
        for power, form in ((1, "{}"), (-1, "1 / ({})"), (0.5, "the root of {}"), (-0.5, "1 / the root of {}")):
            if close(abs(c), size**power):
                return f", which is {form.format(text)}"
    return next(
        (f", which is {text}" for value, text in ((2, "2"), (0.5, "1/2"), (-1, "a sign")) if close(c, value)), ""
    )


def side(layer: LayerGradients) -> str:
    """Whether forward or backward is likelier the odd one, for functions that work element by element."""
    if layer.slope(layer.x) is None:
        return ""
    x, a, dy = layer.x, layer.analytic["x"], layer.dy
    with np.errstate(all="ignore"):
        for function, f in SMOOTH.items():
            slope = np.imag(f(x + 1e-30j)) / 1e-30
            if same(a, dy * slope):
                return f"Backward is exactly that of {NAMES[function]}; it is forward that is something else."
    near, exact = resembles(x, layer.y)
    if exact:
        return f"Forward is exactly {near}: look at backward alone."
    return f"Forward is within 10 % of {near}, and not that: look at its numbers, too." if near else ""
