"""What the pictures share: colours, axes, letters."""

from __future__ import annotations

import math
import sys
import warnings
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from .. import checks
from ..checks import Array

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW, GREY = "#E69F00", "#56B4E9", "#F0E442", "#777777"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, YELLOW, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", ":", "-.", (0, (8, 2)), (0, (1, 4)), (0, (4, 2, 1, 2, 1, 2)), (0, (2, 2)))


def one_axes(axes: Axes | None, size: tuple[float, float]) -> Axes:
    """The axes given, or new ones on a figure of `size` inches. Raises TypeError."""
    return some_axes(axes, 1, "the picture", size)[0]


def some_axes(
    axes: Any, count: int, what: str, size: tuple[float, float], columns: int | None = None, **options: Any
) -> list[Axes]:
    """The `count` axes given, or new ones of `size` inches each, in rows of `columns`; `options` as for subplots.

    Raises TypeError, ValueError.
    """
    if axes is None:
        columns = min(count, columns or count)
        rows = math.ceil(count / columns)
        layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08)  # inches
        figure = _new_figure(figsize=(size[0] * columns, size[1] * rows), layout=layout)
        new = list(figure.subplots(rows, columns, squeeze=False, **options).flat)
        for unused in new[count:]:
            unused.remove()
        return new[:count]
    given = [axes]
    if isinstance(axes, tuple | list) or type(axes) is np.ndarray:
        given = list(axes.flat if type(axes) is np.ndarray else axes)  # plt.subplots gives an array
    for a in given:
        if not isinstance(a, Axes):
            hint = f": axes.figure.savefig({a!r}) on what is returned writes a file" if isinstance(a, str) else ""
            raise TypeError(f"axes must be matplotlib's Axes, not {checks.describe(a)}{hint}")
    if len(given) != count:
        raise ValueError(f"axes must be {count}, for {what}, not {len(given)}")
    return given


def _new_figure(**options: Any) -> Any:
    """A figure of pyplot's where that is in use, so that it shows itself; else one that goes when its axes go.

    It is in use where it is loaded, in a notebook, and at a prompt, where `plt.show()` may come later.
    """
    if "matplotlib.pyplot" in sys.modules or hasattr(sys, "ps1") or sys.flags.interactive:
        from matplotlib import get_backend, pyplot

        with warnings.catch_warnings():
            if "inline" in get_backend():  # a notebook shows and closes its figures after each cell
                warnings.filterwarnings("ignore", "More than .* figures have been opened")
            return pyplot.figure(**options)
    return Figure(**options)


def figure_of(axes: Axes) -> Any:
    """The figure (or subfigure) of the axes."""
    return axes.figure


def bare(axes: Axes) -> None:
    """Lines and points need no frame above and to the right."""
    axes.spines[["top", "right"]].set_visible(False)


def plain(name: Any, longest: int = 40) -> str:
    """The name as it is, in one line, cut where it is too long. To matplotlib, a $ would begin a formula."""
    text = " ".join(str(name).split())
    text = text if len(text) <= longest else text[: longest - 3] + "..."
    return text.replace("$", r"\$")


def mosaic(tiles: Array, n_columns: int, gap: int = 2, gap_above: int | None = None) -> Array:
    """Tiles (n, height, width) as one image, row by row, NaN (which imshow leaves white) between them.

    `gap` pixels lie between columns; `gap_above` (None: as many) between rows, and if given above the first, too.
    """
    n, height, width = tiles.shape
    step_down, step_right, start = height + (gap if gap_above is None else gap_above), width + gap, gap_above or 0
    n_rows = math.ceil(n / n_columns)
    canvas = np.full((start + n_rows * step_down, n_columns * step_right), np.nan)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, n_columns)
        top, left = start + row * step_down, column * step_right
        canvas[top : top + height, left : left + width] = tile
    return canvas[: start + (n_rows - 1) * step_down + height, : (n_columns - 1) * step_right + width]
