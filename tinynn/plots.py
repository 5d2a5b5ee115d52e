"""Pictures of a training and of what was learned, with matplotlib.

    from tinynn import plots
    axes = plots.confusion_matrix(t, predicted)
    axes.figure.savefig("confusion_matrix.png", dpi=150)

Every function returns the axes that it drew into: those given as `axes`, or new ones on a figure of their own. None
opens a window or writes a file. To see a picture in a window or a notebook, draw it into pyplot's axes:

    _, axes = plt.subplots()
    plots.decision_boundary(model, x, t, axes)

Colours can be told apart by colour-blind readers (Okabe & Ito 2008; matplotlib's RdBu), and nothing is said by colour
alone. Not imported by `import tinynn`, which so does without matplotlib.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, PowerNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from . import checks
from .checks import Array
from .layers import Layer
from .training import History

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW, GREY = "#E69F00", "#56B4E9", "#F0E442", "#777777"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, YELLOW, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


# --- the training ----------------------------------------------------------------------------------------------------


def learning_curves(
    history: History, axes: Sequence[Axes] | None = None, names: tuple[str, str] = ("training", "validation")
) -> list[Axes]:
    """The loss, and for classifiers the accuracy, epoch by epoch: an axes for each, in a list.

    The training curve is a mean over the epoch, while the parameters move; the validation curve is of its end. So
    validation may look better in the first epochs.
    """
    if len(history) == 0:
        raise ValueError("history must have at least one epoch, not none")
    quantities = [name for name in ("loss", "accuracy") if name in history]
    panels = _axes_for(len(quantities), (3.6 * len(quantities), 3.2)) if axes is None else list(axes)
    if len(panels) != len(quantities):
        raise ValueError(f"axes must be {len(quantities)}, for {' and '.join(quantities)}, not {len(panels)}")
    epochs = range(1, len(history) + 1)
    for panel, quantity in zip(panels, quantities):
        panel.plot(epochs, history[quantity], "o-", color=BLUE, markersize=4, label=f"{names[0]}, epoch's mean")
        if f"val_{quantity}" in history:
            label = f"{names[1]}, epoch's end"
            panel.plot(epochs, history[f"val_{quantity}"], "s--", color=VERMILLION, markersize=4, label=label)
        panel.set(xlabel="epoch", ylabel=quantity)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
        panel.grid(alpha=0.3)
        panel.legend(frameon=False)
        _bare(panel)
        if quantity == "accuracy":
            panel.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    return panels


# --- classifiers -----------------------------------------------------------------------------------------------------


def first_layer_weights(
    model: Any, shape: tuple[int, int] = (28, 28), count: int = 64, axes: Axes | None = None
) -> Axes:
    """The incoming weights of the first `count` hidden units, each as an image: what input the unit looks for.

    `model` is a Sequential, or a first layer itself. Red pixels excite a unit, blue ones inhibit it, on one scale.
    Pixels that are 0 in all training images have no gradient: there the weights still are as they were drawn.
    """
    count = checks.integer("count", count, 1)
    layer: Any = model if isinstance(model, Layer) else model[0]
    if "W" not in layer.parameters:
        raise ValueError(f"{layer.where}: the first layer must have weights W, and this one has none")
    W = layer.W  # this builds a layer alone that has not been used yet, so that it has its ops
    W = layer.ops.to_numpy(W)
    if math.prod(shape) != len(W):
        raise ValueError(f"shape must be one of {len(W)} pixels, as many as the first layer has inputs, not {shape}")
    tiles = W.T[:count].reshape(-1, *shape)
    n_columns = math.ceil(math.sqrt(len(tiles)))
    n_rows = math.ceil(len(tiles) / n_columns)
    if axes is None:
        axes = _new_axes((6.4, 0.7 + 5.2 * n_rows * shape[0] / (n_columns * shape[1])))
    limit = float(abs(tiles).max()) or 1.0
    image = axes.imshow(_mosaic(tiles, n_columns), cmap="RdBu_r", vmin=-limit, vmax=limit)
    _figure(axes).colorbar(image, ax=axes, label="weight", shrink=0.8)
    axes.set_title(f"Weights into {len(tiles)} of {W.shape[1]} hidden units")
    axes.set_axis_off()
    return axes


def confusion_matrix(t: Array, predicted: Array, axes: Axes | None = None, labels: Sequence[Any] | None = None) -> Axes:
    """How often each class (row) was taken for each (column): counts, coloured by their share of the row.

    t and predicted are labels (N,), counted from 0; `labels` are names for them. A cell without a number is 0. The
    colour scale is stretched at its lower end, where the mistakes are.
    """
    _check_labels(t, predicted)
    classes = int(max(t.max(), predicted.max())) + 1 if labels is None else len(labels)
    checks.labels(np.concatenate([t, predicted]), classes)
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (t, predicted), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(4.5, 0.52 * classes)
    axes = axes or _new_axes((side + 1.2, side))
    image = axes.imshow(share, cmap="Blues", norm=PowerNorm(0.4, 0, 1))
    colorbar = _figure(axes).colorbar(image, ax=axes, label="share of the row", shrink=0.8)
    colorbar.set_ticks([0, 0.01, 0.05, 0.2, 0.5, 1], labels=["0", "1 %", "5 %", "20 %", "50 %", "100 %"])
    for row, column in np.argwhere(counts):
        colour = "white" if share[row, column] > 0.43 else "black"  # Blues is dark above
        text = str(counts[row, column])
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9 if len(text) < 5 else 7)
    names = range(classes) if labels is None else labels
    axes.set_xticks(range(classes), labels=[str(name) for name in names])
    axes.set_yticks(range(classes), labels=[str(name) for name in names])
    axes.set(xlabel="predicted", ylabel="true")
    return axes


def predictions(
    images: Array,
    t: Array,
    predicted: Array,
    count: int = 40,
    axes: Axes | None = None,
    shape: tuple[int, int] | None = None,
) -> Axes:
    """The first `count` images with what was predicted; the wrong ones framed, with what they are.

    images (N, height, width), or rows (N, D) with the `shape` that they have (None: square).
    """
    count = checks.integer("count", count, 1)
    _check_labels(t, predicted)
    if len(images) != len(t):
        raise ValueError(f"images must be as many as the labels t, {len(t)}, not {len(images)}")
    if images.ndim == 2:
        side = math.isqrt(images.shape[1])
        shape = shape or (side, side)
        if math.prod(shape) != images.shape[1]:
            raise ValueError(f"shape must be one of {images.shape[1]} pixels, like the images, not {shape}")
        images = images.reshape(-1, *shape)
    images = images[:count]
    height, width = images.shape[1:]
    n_columns = min(8, len(images))
    gap, gap_above = max(2, round(0.15 * width)), round(0.4 * height)  # above, there is a line of text
    mosaic = _mosaic(images, n_columns, gap, gap_above)
    if axes is None:
        axes = _new_axes((0.95 * n_columns, 0.95 * n_columns * mosaic.shape[0] / mosaic.shape[1]))
    axes.imshow(mosaic, cmap="gray_r")
    axes.set(xlim=(-2, mosaic.shape[1] + 1), ylim=(mosaic.shape[0] + 1, 0))  # with room for the frames at the edge
    for number in range(len(images)):
        row, column = divmod(number, n_columns)
        left, top = column * (width + gap), row * (height + gap_above) + gap_above
        middle, above = left + (width - 1) / 2, top - 0.06 * height
        if t[number] == predicted[number]:
            axes.text(middle, above, str(predicted[number]), ha="center", va="bottom")
        else:
            text = f"{predicted[number]}, is {t[number]}"
            axes.text(middle, above, text, ha="center", va="bottom", color=VERMILLION, weight="bold")
            axes.add_patch(Rectangle((left - 0.5, top - 0.5), width, height, fill=False, ec=VERMILLION, lw=2.5))
    axes.set_axis_off()
    return axes


# --- inputs of one and two numbers -----------------------------------------------------------------------------------


def decision_boundary(model: Any, x: Array, t: Array, axes: Axes | None = None) -> Axes:
    """What the model says all over the plane, under the points x (N, 2) with their classes t, (N,) or (N, 1).

    A model with one output shows it from 0 to 1, with the line where it is 1/2; one with a score for each class shows
    which class wins. Every class has a marker of its own.
    """
    if x.ndim != 2 or x.shape[1] != 2 or len(x) != len(t):
        raise ValueError(f"x and t must be N points in the plane and their classes, not {x.shape} and {t.shape}")
    labels = t.reshape(len(t)).astype(int)
    axes = axes or _new_axes((4.6, 3.8))
    low, high = x.min(axis=0), x.max(axis=0)
    margin = 0.25 * np.maximum(high - low, 1e-3)
    columns, rows = (np.linspace(a, b, 300) for a, b in zip(low - margin, high + margin))
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2).astype(x.dtype)
    scores = model.predict(grid)
    n_classes = max(scores.shape[1], int(labels.max()) + 1)
    colours = [COLOURS[c % len(COLOURS)] for c in range(n_classes)]
    if scores.shape[1] == 1:
        field = scores.reshape(len(rows), len(columns))
        image = axes.pcolormesh(columns, rows, field, cmap="RdBu_r", vmin=0, vmax=1, rasterized=True)
        _figure(axes).colorbar(image, ax=axes, label="output y")
        colours[:2] = BLUE, VERMILLION  # the field's ends
        # A field that is flat at 1/2 crosses it only by rounding.
        if field.min() < 0.499 and field.max() > 0.501:
            axes.contour(columns, rows, field, levels=[0.5], colors="black", linewidths=1.5)
    else:
        field = scores.argmax(axis=1).reshape(len(rows), len(columns))
        light = ListedColormap([[0.6 + 0.4 * part for part in to_rgb(colour)] for colour in colours])
        axes.pcolormesh(columns, rows, field, cmap=light, vmin=-0.5, vmax=n_classes - 0.5, rasterized=True)
    for label in np.unique(labels):
        points, marker = x[labels == label], MARKERS[label % len(MARKERS)]
        axes.scatter(
            points[:, 0], points[:, 1], s=60, color=colours[label], marker=marker, edgecolors="white", linewidths=1.2,
            label=f"class {label}", zorder=3,
        )  # fmt: skip
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.13), ncols=len(np.unique(labels)), frameon=False)
    return axes


def line_fit(x: Array, t: Array, lines: Mapping[str, Array], axes: Sequence[Axes] | None = None) -> list[Axes]:
    """Points (x, t) with one or more lines through them, name -> y at every x; below it, what the first line misses.

    The residuals t - y have axes of their own: on the scale of the data good fits all look the same.
    """
    panels = _axes_for(2, (5.6, 5.2), upright=True) if axes is None else list(axes)
    if len(panels) != 2:
        raise ValueError(f"axes must be 2, for the lines and the residuals, not {len(panels)}")
    above, below = panels
    order = np.argsort(x, axis=0).ravel()
    above.plot(x.ravel(), t.ravel(), "o", color=GREY, markerfacecolor="none", label="data")
    for (name, y), colour, style in zip(lines.items(), COLOURS, ("-", "--", ":", "-.", *"----")):
        above.plot(x.ravel()[order], y.ravel()[order], style, color=colour, label=name)
    above.set(ylabel="y")
    above.legend(frameon=False)
    first, y = next(iter(lines.items()))
    below.axhline(0, color=BLUE)
    below.plot(x.ravel(), (t - y).ravel(), "o", color=GREY, markerfacecolor="none")
    below.set(xlabel="x", ylabel=f"data minus\n{first}")
    for panel in panels:
        panel.grid(alpha=0.3)
        _bare(panel)
    return panels


# --- helpers ---------------------------------------------------------------------------------------------------------


def _axes_for(count: int, size: tuple[float, float], upright: bool = False) -> list[Axes]:
    """New axes, side by side or `upright` with the first twice as high, on a figure that is not one of pyplot's."""
    figure = Figure(figsize=size, layout="constrained")
    if upright:
        return list(figure.subplots(count, 1, sharex=True, height_ratios=[2, *[1] * (count - 1)], squeeze=False).flat)
    return list(figure.subplots(1, count, squeeze=False).flat)


def _new_axes(size: tuple[float, float]) -> Axes:
    return _axes_for(1, size)[0]


def _figure(axes: Axes) -> Any:
    """The figure (or subfigure) of the axes."""
    return axes.figure


def _bare(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)


def _mosaic(tiles: Array, n_columns: int, gap: int = 2, gap_above: int | None = None) -> Array:
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


def _check_labels(t: Array, predicted: Array) -> None:
    if t.ndim != 1 or t.shape != predicted.shape or len(t) == 0 or t.dtype.kind + predicted.dtype.kind != "ii":
        got = f"{checks.describe(t)} and {checks.describe(predicted)}"
        raise ValueError(
            f"t and predicted must be labels (N,), whole numbers, as many of one as of the other, not {got}"
        )
