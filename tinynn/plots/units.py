"""What a network is made of: its units and weights, its activations, the images that its first weights are."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from .. import checks
from ..backends import numpy as numpy_ops
from ..checks import Array
from ..layers import Activation
from ..layers.layer import Layer
from .columns import UnitColumns
from .inputs import image_shape, layers_of, matrix
from .style import BLUE, GREY, VERMILLION, bare, figure_of, mosaic, one_axes, some_axes

RADIUS = 0.28  # of a unit; neighbours are 1 apart
WIDEST = 5.0  # line, in points; among many lines less


def network(model: Any, axes: Axes | None = None, most: int = 10, inputs: Sequence[int] | None = None) -> Axes:
    """The units as circles, a column for each layer, from the inputs on the left; the weights as lines between them.

    A line is as wide as |weight|, on one scale: solid and red above 0, dashed and blue below. `model` is a Sequential
    or a list of layers. Columns of more than `most` units show their first and last ones; of the inputs those that
    `inputs` names, counted from 0: pixels that carry ink, say. Up to 9 weights are written
    at their lines. Layers that have no matrix W are named below the column that they work on; biases are not drawn.
    The layers of a block stand one after the other, below an arrow: "+ x" is what Residual adds; of other blocks it has
    the name, since what they do with their layers is not known.
    """
    most = checks.integer("most", most, 2)
    columns = UnitColumns(layers_of(model))
    widths, links, names = columns.widths, columns.links, columns.names
    step = max(2.4, 0.35 * max(min(width, most + 1) for width in widths))
    places = [_places(width, most, _chosen(inputs, width) if k == 0 else None) for k, width in enumerate(widths)]
    top = max(y.max() for _, y in places) + RADIUS
    inches = min(1.0, 6.8 / (step * len(widths)), 4.2 / (2 * top))
    lanes = [
        sum(a >= start and b <= end for a, b, _ in columns.ways[:k]) for k, (start, end, _) in enumerate(columns.ways)
    ]
    above = 0.4 * (max(lanes, default=-1) + 1)  # inches
    axes = one_axes(axes, (max(4.0, inches * step * len(widths)), inches * 2 * top + 1.45 + above))

    shown = [None if W is None else W[np.ix_(a[0], b[0])] for W, a, b in zip(links, places, places[1:])]
    largest = max([float(abs(W).max()) for W in shown if W is not None], default=0.0)
    many = sum(W.size for W in shown if W is not None)
    scale = (WIDEST if many < 60 else 0.6 * WIDEST) / (largest or 1.0)
    for column, W in enumerate(shown):
        if W is not None:
            ends = step * column, step * (column + 1), places[column][1], places[column + 1][1]
            _draw_weights(axes, W, *ends, scale)
            if many <= 9 and inches > 0.7:  # else they would lie on each other
                _write_weights(axes, W, *ends)
    for column, (width, (units, heights)) in enumerate(zip(widths, places)):
        x = step * column
        for height in heights:
            axes.add_patch(Circle((x, height), RADIUS, facecolor="white", edgecolor="black", linewidth=1, zorder=3))
        if len(units) < width:
            axes.plot([x] * 3, [-0.22, 0, 0.22], "o", color="black", markersize=2.5, zorder=3)
        kind = "input" if column == 0 else "output" if column == len(widths) - 1 else "unit"
        axes.text(x, top + 0.15, f"{width:,}\n{kind}{'s' * (width > 1)}", ha="center", va="bottom")
        if names[column]:
            axes.text(x, -top - 0.2, "\n".join(names[column]), ha="center", va="top", color="black", style="italic")
    for lane, (start, end, name) in zip(lanes, columns.ways):
        _draw_way(
            axes, step * (start + 0.07), step * (end - 0.07), top + (0.5 + 0.4 * lane) / inches, 0.2 / inches, name
        )
    lines = [
        Line2D([], [], color=VERMILLION, linewidth=2.5, label="weight above 0"),
        Line2D([], [], color=BLUE, linewidth=2.5, linestyle=(0, (2, 1)), label="weight below 0"),
    ]
    title = f"the widest line: a weight of size {largest:.3g}"
    axes.legend(handles=lines, title=title, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2, frameon=False)
    depth = max(len(labels) for labels in names)
    axes.set(
        xlim=(-0.5 * step, (len(widths) - 0.5) * step),
        ylim=(-top - 0.2 - 0.22 * depth / inches, top + (0.45 + above) / inches),
    )
    axes.set_aspect("equal")
    axes.set_axis_off()
    return axes


def _chosen(inputs: Sequence[int] | None, width: int) -> Sequence[int] | None:
    """The inputs to show, if some are named."""
    if inputs is None:
        return None
    if not isinstance(inputs, Sequence) or not inputs:
        raise TypeError(f"inputs must be a list of numbers of inputs, not {checks.describe(inputs)}")
    found = [checks.integer("inputs: each", unit, 0) for unit in inputs]
    if max(found) >= width or len(set(found)) < len(found):
        raise ValueError(f"inputs must be some of 0 to {width - 1}, each once, not {checks.describe(inputs)}")
    return found


def _places(width: int, most: int, units: Sequence[int] | None = None) -> tuple[Array, Array]:
    """Which of a column's units are shown, and how high each stands: where some are not, dots stand at 0."""
    half = most // 2
    if units is None:
        units = range(width) if width <= most else [*range(half), *range(width - half, width)]
    shown, numbers = np.array(units, int), np.arange(len(units))
    if len(shown) == width:
        return shown, (width - 1) / 2 - numbers
    above = (len(shown) + 1) // 2
    return shown, above - numbers - (numbers >= above)


def _draw_weights(axes: Axes, W: Array, x: float, to: float, left: Array, right: Array, scale: float) -> None:
    """A line for each weight."""
    ends = [[(x, a), (to, b)] for a in left for b in right]
    weights = W.ravel()
    widths = scale * abs(weights)
    # matplotlib's dashes grow with the line: here they are as long in thin lines as in wide ones.
    styles = [(0, None) if w >= 0 else (0, (6 / max(p, 0.1), 3 / max(p, 0.1))) for w, p in zip(weights, widths)]
    colours = [VERMILLION if w >= 0 else BLUE for w in weights]
    axes.add_collection(LineCollection(ends, linewidths=widths, colors=colours, linestyles=styles, zorder=1))


def _write_weights(axes: Axes, W: Array, x: float, to: float, left: Array, right: Array) -> None:
    """The weights as numbers near the left ends of their lines, where few lines cross."""
    for i, j in np.ndindex(W.shape):
        y = left[i] + 0.24 * (right[j] - left[i])
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        axes.text(x + 0.24 * (to - x), y, f"{W[i, j]:.2g}", ha="center", va="center", fontsize=9, bbox=box, zorder=2)


def _draw_way(axes: Axes, x: float, to: float, y: float, high: float, name: str) -> None:
    """An arrow from one column over others to another one, and its name."""
    axes.plot([x, x, to], [y, y + high, y + high], color="black", linewidth=1, solid_joinstyle="miter")
    axes.annotate("", (to, y), (to, y + high), arrowprops={"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0})
    axes.text((x + to) / 2, y + high, name, ha="center", va="bottom", style="italic")


def activations(
    layers: Sequence[Layer], axes: Sequence[Axes] | None = None, low: float = -4.0, high: float = 4.0
) -> list[Axes]:
    """Each activation y = f(x) and its derivative dy/dx, from `low` to `high`: an axes for each, in a list.

    Both come from the layer itself, one of tinynn's or one's own: y from its forward, dy/dx from its backward with
    dy = 1. All axes have the same scale, so that slopes can be compared.
    """
    if not isinstance(layers, Sequence) or not layers or not all(isinstance(layer, Activation) for layer in layers):
        raise TypeError(f"layers must be a list of activations, such as [ReLU()], not {checks.describe(layers)}")
    low, high = checks.number("low", low, -1e6, 1e6), checks.number("high", high, -1e6, 1e6)
    if not low < high:
        raise ValueError(f"high must be more than low, {low:g}, not {high:g}")
    panels = some_axes(axes, len(layers), "the activations", (2.3, 2.4), 3, sharex=True, sharey=True)
    x = np.linspace(low, high, 1001)
    for panel, layer in zip(panels, layers):
        y, slope = _value_and_slope(layer, x)
        panel.axhline(0, color=GREY, linewidth=0.8)
        panel.axvline(0, color=GREY, linewidth=0.8)
        panel.plot(x, y, "-", color=BLUE, linewidth=2, label="y")
        panel.plot(x, slope, "--", color=VERMILLION, linewidth=2, label="dy/dx")
        panel.set(xlabel="x", title=repr(layer).removesuffix("()"), xlim=(low, high))
        panel.legend(frameon=False, loc="upper left")
        bare(panel)
    bottom, top = min(panel.get_ylim()[0] for panel in panels), max(panel.get_ylim()[1] for panel in panels)
    for panel in panels:
        panel.set_ylim(bottom, top)
    return panels


def _value_and_slope(layer: Layer, x: Array) -> tuple[Array, Array]:
    """f(x) and f'(x), both of x's shape (n,)."""
    layer = copy.deepcopy(layer)  # not the model's own, which may wait for its backward
    if layer.ops is None:
        layer.build(dtype=x.dtype, ops=numpy_ops)
    rows = np.repeat(x[:, None], layer.n_in or 1, axis=1).astype(layer.dtype or x.dtype)
    y = layer.forward(layer.ops.asarray(rows))
    slope = layer.backward(layer.ops.asarray(np.ones(y.shape, y.dtype)))
    return layer.ops.to_numpy(y)[:, 0], layer.ops.to_numpy(slope)[:, 0]


def first_layer_weights(
    model: Any, shape: tuple[int, int] = (28, 28), count: int = 64, axes: Axes | None = None
) -> Axes:
    """The incoming weights of the first `count` hidden units, each as an image: what input the unit looks for.

    `model` is a Sequential, or a first layer itself. Light pixels (yellow) excite a unit, dark ones (blue) inhibit it,
    on one scale. Pixels that are 0 in all training images have no gradient: there the weights still are as drawn.
    """
    count, shape = checks.integer("count", count, 1), image_shape(shape)
    layer = layers_of(model)[0]
    W = matrix(layer)
    if W is None:
        raise ValueError(f"{layer.where}: the first layer must have weights W, and this one has none")
    if math.prod(shape) != len(W):
        raise ValueError(f"shape must be one of {len(W)} pixels, as many as the first layer has inputs, not {shape}")
    tiles = W.T[:count].reshape(-1, *shape)
    n_columns = math.ceil(math.sqrt(len(tiles)))
    n_rows = math.ceil(len(tiles) / n_columns)
    axes = one_axes(axes, (6.4, min(9.0, 0.7 + 5.2 * n_rows * shape[0] / (n_columns * shape[1]))))
    limit = float(abs(tiles).max()) or 1.0
    image = axes.imshow(mosaic(tiles, n_columns), cmap="cividis", vmin=-limit, vmax=limit)
    figure_of(axes).colorbar(image, ax=axes, label="weight", shrink=0.8)
    axes.set_title(f"Weights into {len(tiles)} of {W.shape[1]} hidden units")
    axes.set_axis_off()
    return axes
