"""What a classifier gets wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.patches import Rectangle

from .. import checks, metrics
from ..checks import Array
from .inputs import image_shape, numbers
from .style import VERMILLION, figure_of, mosaic, one_axes, plain

MOST = 100  # classes in a matrix


def confusion_matrix(y: Array, t: Array, axes: Axes | None = None, labels: Sequence[Any] | None = None) -> Axes:
    """How often each class t (row) was taken for each y (column): counts, coloured by their share of the row.

    y and t as in metrics.confusion_matrix, y first: predicted labels (N,) or scores (N, C), and labels from 0. `labels`
    are names for the classes. A cell without a number is 0. The colour scale is stretched at its lower end, where the
    mistakes are.
    """
    if labels is not None and (not isinstance(labels, tuple | list | range) or not labels):
        raise TypeError(f"labels must be a list of names, not {checks.describe(labels)}")
    counts = metrics.confusion_matrix(y, t, None if labels is None else len(labels))
    classes = len(counts)
    if classes > MOST:
        thing = "y and t must be labels of" if labels is None else "labels must be names of"
        raise ValueError(f"{thing} 1 to {MOST} classes, not {classes}")
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(4.5, 0.52 * classes)
    axes = one_axes(axes, (side + 1.2, side))
    image = axes.imshow(share, cmap="Blues", norm=PowerNorm(0.4, 0, 1))
    colorbar = figure_of(axes).colorbar(image, ax=axes, label="share of the row", shrink=0.8)
    colorbar.set_ticks([0, 0.01, 0.05, 0.2, 0.5, 1], labels=["0", "1 %", "5 %", "20 %", "50 %", "100 %"])
    for row, column in np.argwhere(counts):
        colour = "white" if share[row, column] > 0.43 else "black"  # Blues is dark above
        text = str(counts[row, column])
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9 if len(text) < 5 else 8)
    names = [plain(name, 24) for name in (range(classes) if labels is None else labels)]
    axes.set_xticks(range(classes), labels=names, rotation=90 if max(map(len, names)) > 5 else 0)
    axes.set_yticks(range(classes), labels=names)
    axes.set(xlabel="predicted", ylabel="true")
    return axes


def predictions(
    images: Array,
    y: Array,
    t: Array,
    count: int = 40,
    axes: Axes | None = None,
    shape: tuple[int, int] | None = None,
) -> Axes:
    """The first `count` images with what was predicted; the wrong ones framed, with what they are: "read 5, is 6".

    images (N, height, width), or rows (N, D) with the `shape` that they have (None: square). y and t as in
    metrics.confusion_matrix, y first: predicted labels (N,) or scores (N, C), and labels from 0.
    """
    count = checks.integer("count", count, 1)
    y, t = metrics.both_labels(y, t)
    numbers("images", images, 2, 3)
    if len(images) != len(t):
        raise ValueError(f"images must be as many as the labels t, {len(t)}, not {len(images)}")
    if images.ndim == 2:
        side = math.isqrt(images.shape[1])
        shape = (side, side) if shape is None else image_shape(shape)
        if math.prod(shape) != images.shape[1]:
            raise ValueError(f"shape must be one of {images.shape[1]} pixels, like the images, not {shape}")
        images = images.reshape(-1, *shape)
    elif shape is not None and image_shape(shape) != images.shape[1:]:
        raise ValueError(f"shape must be that of the images, {images.shape[1:]}, not {shape}")
    images = images[:count]
    height, width = images.shape[1:]
    n_columns = min(8, len(images))
    gap, gap_above = max(2, round(0.15 * width)), round(0.4 * height)  # above, there is a line of text
    canvas = mosaic(images, n_columns, gap, gap_above)
    axes = one_axes(axes, (0.88 * n_columns, min(9.0, 0.88 * n_columns * canvas.shape[0] / canvas.shape[1])))
    axes.imshow(canvas, cmap="gray_r")
    axes.set(xlim=(-2, canvas.shape[1] + 1), ylim=(canvas.shape[0] + 1, 0))  # with room for the frames at the edge
    for number in range(len(images)):
        row, column = divmod(number, n_columns)
        left, top = column * (width + gap), row * (height + gap_above) + gap_above
        middle, above = left + (width - 1) / 2, top - 0.06 * height
        if t[number] == y[number]:
            axes.text(middle, above, str(y[number]), ha="center", va="bottom")
        else:
            text = f"read {y[number]}, is {t[number]}"
            axes.text(middle, above, text, ha="center", va="bottom", color=VERMILLION, weight="bold", fontsize=8)
            axes.add_patch(Rectangle((left - 0.5, top - 0.5), width, height, fill=False, ec=VERMILLION, lw=2.5))
    axes.set_axis_off()
    return axes
