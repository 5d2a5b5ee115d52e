"""Where an unknown mistake shows: for which x, in which row, channel or border, by which factor; and on which side.

Each sentence is about numbers that were measured: a pattern is said only where every wrong entry fits it and right ones
do not.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...checks import Array
from . import measure
from .layer_gradients import LayerGradients
from .measure import close, same
from .slips.known_functions import NAMES, SMOOTH, resembles

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
    if name == "x":
        said += [only_the_first(layer, a, n), side(layer)]
    return " ".join(part for part in said if part)


def where(layer: LayerGradients, name: str, wrong: Array, known: Array) -> Iterator[str]:
    """What all wrong entries have in common, and no right one."""
    if wrong.all() or not wrong.any() or not known.any():
        return
    if name == "x":
        x = layer.x
        for text, chosen in (("x < 0", x < 0), ("x <= 0", x <= 0), ("x > 0", x > 0), ("x = 0", x == 0)):
            if chosen[wrong].all() and not chosen[known & ~wrong].any():
                yield f"where {text}"
    for axis in range(wrong.ndim):
        lines = np.flatnonzero(wrong.any(axis=tuple(k for k in range(wrong.ndim) if k != axis)))
        if len(lines) == 1 and wrong.shape[axis] > 1:
            yield f"in {axis_name(layer, name, axis)} {lines[0]}"
    if name == "x" and wrong.ndim == 4:
        for axes in ((1, 2), (2, 3)):
            border = np.ones(wrong.shape, bool)
            inner = tuple(slice(1, -1) if axis in axes else slice(None) for axis in range(4))
            border[inner] = False
            if border[wrong].all() and (known & ~border).any():
                yield "at the border of the images"
                return


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
    near = resembles(x, layer.y)
    return f"Forward is within 10 % of {near}, and not that: look at its numbers, too." if near else ""
