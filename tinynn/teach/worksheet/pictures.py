"""What a layer does with one of its numbers, as a picture: grids of numbers with signs between them.

The picture of a convolution's y is its window on x, the kernel, and their products; that of a maximum, the window with
the largest marked. A text shows the grids side by side, and the page draws the whole image around the window, too.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from ...checks import Array
from ...layers import BatchNorm, Dropout, Residual
from . import blocks
from .formula import GUARD, Number, adding_up, adds_up, exponent, fmt, round_to, to_decimals
from .lines import Index
from .normalization import batch_of, dx
from .record import Call

DIGITS = 4  # significant ones in a grid
MOST = 5  # rows and columns of a grid; of a larger one, those around the number that it is about
MOST_DOTS = 40  # on a line of numbers
OUTSIDE = "."  # where there is nothing: around the image


@dataclass(frozen=True)
class Grid:
    """Numbers in rows, under a title; `sign` stands before it. `marks` are (row, column) of what it is about."""

    title: str
    rows: list[list[str]]
    sign: str = ""
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Map:
    """One channel of one image, as an image, with a frame (top, left, height, width) around some pixels."""

    title: str
    pixels: Array
    frame: tuple[int, int, int, int]
    sign: str = ""


@dataclass(frozen=True)
class Dots:
    """Numbers as dots on a line, with their mean and one standard deviation on either side; one of them is marked."""

    title: str
    values: list[float]
    mean: float
    deviation: float
    mark: float
    sign: str = ""


@dataclass(frozen=True)
class Bars:
    """Parts of a sum as bars, and their sum as the last one: (name, value)."""

    title: str
    bars: list[tuple[str, float]]


@dataclass(frozen=True)
class Picture:
    """What is drawn, from left to right, and a sentence with its numbers."""

    parts: Sequence[Grid | Map | Dots | Bars]
    caption: str = ""

    @property
    def grids(self) -> list[Grid]:
        """What a text can show of it."""
        return [part for part in self.parts if isinstance(part, Grid)]


def grid(title: str, a: Array, sign: str = "", marks: Any = (), known: Array | None = None) -> Grid:
    """A Grid of these numbers; where they are not `known`, there is nothing."""
    there = np.ones(a.shape, bool) if known is None else known
    rows = [
        [fmt(float(v), DIGITS) if yes else OUTSIDE for v, yes in zip(*both)] for both in zip(np.atleast_2d(a), there)
    ]
    return Grid(title, rows, sign, tuple(marks))


def around(size: int, middle: int, most: int = MOST) -> slice:
    """Up to `most` indices of so many, with the middle one among them."""
    start = min(max(middle - most // 2, 0), max(size - most, 0))
    return slice(start, min(start + most, size))


def multiplied(
    a: tuple[str, Array], b: tuple[str, Array], known: Array, value: float, others: Sequence[Number] = ()
) -> tuple[list[Grid], str]:
    """Grids of a, b and a b, and what the products add up to; with others, to `value`. Where not known is nothing.

    The products that are shown add up to what the sentence says, in the digits that are shown.
    """
    products = np.where(known, np.asarray(a[1], np.float64) * b[1], 0.0)
    row, column = np.unravel_index(int(np.abs(products).argmax()), products.shape)
    cut = around(known.shape[0], int(row)), around(known.shape[1], int(column))
    shown, there = products[cut], known[cut]
    left_out = int(known.sum() - there.sum())
    if left_out:
        others = [Number(f"{left_out} more products", float(products.sum() - shown.sum())), *others]
    printed, _ = adding_up([*(Number("", float(p)) for p in shown[there]), *others], value, DIGITS)
    texts, rest = [term.text or fmt(term.value, DIGITS) for term in printed], len(printed) - len(others)
    cells = np.full(there.shape, OUTSIDE, object)
    cells[there] = texts[:rest]
    own = as_part(sum(map(float, texts[:rest])), texts[rest:], value)
    found = [grid(a[0], a[1][cut], known=there), grid(b[0], b[1][cut], "*", known=there)]
    found.append(Grid("the products", cells.tolist(), "="))
    said = "; ".join(f"{other.symbol}: {text}" for other, text in zip(others, texts[rest:]))
    return found, f"the products add up to {own}" + (f"; {said}; in all {fmt(value, DIGITS)}" if said else "")


def as_part(own: float, others: Sequence[str], value: float) -> str:
    """A part of a sum in as few digits as it takes to give, with the others in print, the value in its digits."""
    if not np.isfinite([own, value]).all():
        return fmt(own, DIGITS)
    decimals = DIGITS - 1 - exponent(value)
    texts = [to_decimals(own, decimals + more) for more in range(GUARD + 1)]
    whole = round_to(Decimal(value), decimals)
    return next((text for text in texts if adds_up([text, *others], whole, decimals)), texts[0])


# --- layers that work number by number: the numbers around one -------------------------------------------------------


def plane(a: Array, index: Index) -> tuple[Array, tuple[int, int]]:
    """The numbers that an index stands among, as rows and columns (of images, a channel), and where it stands there."""
    if a.ndim == 4:
        return a[index[0], :, :, index[3]], (index[1], index[2])
    if a.ndim == 2:
        return a[index[:1]][None], (0, index[1])
    flat = a.reshape(-1, a.shape[-1])
    return flat, (int(np.ravel_multi_index(index[:-1], a.shape[:-1])), index[-1])


def cut_out(a: Array, index: Index, most: int) -> tuple[Array, tuple[int, int]]:
    """The plane around an index, and where it stands in that."""
    whole, (row, column) = plane(a, index)
    rows, columns = (around(size, middle, most) for size, middle in zip(whole.shape, (row, column)))
    return whole[rows, columns], (row - rows.start, column - columns.start)


def side_by_side(index: Index, *arrays: tuple[str, str, Array]) -> list[Grid]:
    """(sign, title, array): grids of the same place in each."""
    found = []
    for sign, title, a in arrays:
        part, mark = cut_out(a, index, MOST if a.ndim == 2 else 3)
        found.append(grid(title, part, sign, [mark]))
    return found


def dropped(call: Call, index: Index) -> Picture:
    """The mask"""
    mask, rate = call.kept["mask"], call.layer.rate
    kept = int(np.count_nonzero(mask[index[0]]))
    said = f"of {mask[index[0]].size} numbers {kept} are kept, and divided by 1 - {rate:g}; the others are 0"
    return Picture(side_by_side(index, ("", "mask", mask)), said)


def dropout(call: Call, index: Index) -> Picture:
    """x, mask, y"""
    return Picture(side_by_side(index, ("", "x", call.x), ("*", "mask", call.kept["mask"]), ("=", "y", call.y)))


def dropout_dx(call: Call, index: Index) -> Picture:
    """dL/dy, mask, dL/dx"""
    arrays = ("", "dL/dy", call.gradient), ("*", "mask", call.kept["mask"]), ("=", "dL/dx", call.dx)
    return Picture(side_by_side(index, *arrays), "the same mask: what was dropped gets no gradient")  # type: ignore[arg-type]


def residual(call: Call, index: Index) -> Picture:
    """f(x) + x = y"""
    f, *rest = blocks.ways(call, last=True)
    past = ("+", "s(x)", rest[0].y) if rest else ("+", "x", call.x)  # type: ignore[union-attr]
    return Picture(side_by_side(index, ("", "f(x)", f.y), past, ("=", "y", call.y)))  # type: ignore[union-attr]


def residual_dx(call: Call, index: Index) -> Picture:
    """What comes back through f, and past it."""
    f, *rest = blocks.ways(call, last=False)
    past = ("+", "back past it", rest[0].dx if rest else call.gradient)  # type: ignore[union-attr]
    arrays = ("", "back through f", f.dx), past, ("=", "dL/dx", call.dx)  # type: ignore[union-attr]
    return Picture(side_by_side(index, *arrays))  # type: ignore[arg-type]


def batch_norm(known: str, call: Call, index: Index) -> Picture | None:
    """All x of a feature as dots, with their mean and deviation; and all z: as far as they are `known`."""
    batch, c = batch_of(call), index[-1]
    x, z = (np.asarray(a[..., c], np.float64).ravel() for a in (call.x, batch.z))
    if not (np.isfinite(x).all() and np.isfinite(z).all()):
        return None
    shown = np.linspace(0, len(x) - 1, min(len(x), MOST_DOTS)).astype(int)
    at = (float(call.x[index]), float(batch.z[index])) if len(index) > 1 else (float("nan"), float("nan"))
    sigma = 0.0 if known == "mean" else batch.sigma(c)
    before = Dots(f"x, feature {c}", x[shown].tolist(), float(batch.mean[c]), sigma, at[0])
    said = f"{len(x)} numbers" + f", of which {len(shown)} are drawn" * (len(shown) < len(x))
    said += f"; the line is their mean, {fmt(before.mean, DIGITS)}"
    said += f", the band one sqrt(var + eps), {fmt(sigma, DIGITS)}, on either side" if sigma else ""
    after = Dots("z", z[shown].tolist(), 0.0, 1.0, at[1], "->")
    return Picture([before, after] if known == "z" else [before], said)


def batch_norm_dx(call: Call, index: Index) -> Picture | None:
    """The three paths."""
    bars = [*((part.symbol, part.value) for part in dx(call, index).parts), ("dL/dx", float(call.dx[index]))]  # type: ignore[index]
    if not np.isfinite([value for _, value in bars]).all():
        return None
    return Picture([Bars("the paths that the gradient comes back on", bars)])


PICTURES: dict[type, dict[str, Any]] = {
    Dropout: {"mask": dropped, "y": dropout, "dL/dx": dropout_dx},
    Residual: {"y": residual, "dL/dx": residual_dx},
    BatchNorm: {
        **{name: functools.partial(batch_norm, name) for name in ("mean", "var", "z")},
        "y": functools.partial(batch_norm, "z"),
        "dL/dx": batch_norm_dx,
    },
}
