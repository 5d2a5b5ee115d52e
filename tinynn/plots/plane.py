"""What a model makes of inputs of one and two numbers: lines, boundaries, and how hidden layers fold the plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, to_rgb
from matplotlib.transforms import ScaledTranslation

from .. import backends, checks
from ..checks import Array
from .inputs import layers_of, matrix, named, numbers, points
from .style import BLUE, COLOURS, GREY, LINES, MARKERS, bare, figure_of, one_axes, plain, some_axes


def decision_boundary(model: Any, x: Array, t: Array, axes: Axes | None = None) -> Axes:
    """What the model says all over the plane, under the points x (N, 2) with their classes t, (N,) or (N, 1).

    A model with one output shows it from 0 to 1; one with a score for each class shows which class wins. Black lines
    are where it is undecided: one output is 1/2, or the two best scores are equal. Every class has its own marker.
    """
    labels = points(x, t)
    _scores(model, x)
    axes = one_axes(axes, (4.6, 3.8))
    columns, rows = (np.linspace(a, b, 200) for a, b in zip(*_box(x, 0.25)))
    scores = _scores(model, _lattice(columns, rows).astype(x.dtype))
    n_classes = max(scores.shape[1], int(labels.max()) + 1)
    colours = [COLOURS[c % len(COLOURS)] for c in range(n_classes)]
    if scores.shape[1] == 1:
        field = scores.reshape(len(rows), len(columns))
        image = axes.pcolormesh(columns, rows, field, cmap="RdBu_r", vmin=0, vmax=1, rasterized=True)
        figure_of(axes).colorbar(image, ax=axes, label="output y")
    else:
        field = scores.argmax(axis=1).reshape(len(rows), len(columns))
        light = ListedColormap([[0.6 + 0.4 * part for part in to_rgb(colour)] for colour in colours])
        axes.pcolormesh(columns, rows, field, cmap=light, vmin=-0.5, vmax=n_classes - 0.5, rasterized=True)
    _draw_undecided(axes, columns, rows, scores)
    _draw_points(axes, x, labels, colours)
    axes.set(xlabel="$x_1$", ylabel="$x_2$")
    _name_classes(axes, loc="lower center", bbox_to_anchor=(0.5, 1))
    return axes


def folds(
    model: Any, x: Array, t: Array, after: Sequence[int] | None = None, axes: Sequence[Axes] | None = None
) -> list[Axes]:
    """How the layers bend and fold the plane: its grid and the points x (N, 2), with classes t, after each layer.

    `after` numbers the layers, from 1, and 0 is the plane itself (None: 0 and all layers before the last matrix).
    What comes out of two units is a plane again. There the black line is where the rest of the model is undecided: one
    output is 1/2, or the two best scores are equal. Of more units, the picture shows the plane in which the grid and
    the points are spread most, their first two principal directions, and the share of the variance that each has.
    """
    labels = points(x, t)
    layers = layers_of(model)
    weighty = [k for k, layer in enumerate(layers) if matrix(layer) is not None]
    ops = backends.of(model if hasattr(model, "ops") else layers[0])
    grid = _grid(x)
    outputs = [ops.asarray(np.concatenate([grid.reshape(-1, 2).astype(x.dtype), x]))]
    for layer in layers:
        outputs.append(layer(outputs[-1]))
    allowed = [k for k, y in enumerate(outputs) if y.shape[1] > 1]
    if after is None:
        after = [k for k in allowed if k <= max(weighty, default=0)]
    if not isinstance(after, Sequence) or not after or not all(type(k) is int and k in allowed for k in after):
        expected = f"some of {', '.join(map(str, allowed))}, where there are two units or more"
        raise ValueError(f"after must be {expected}, not {checks.describe(after)}")

    columns = 2 if len(after) in (2, 4) else 3
    panels = some_axes(axes, len(after), "the layers", (6.9 / columns, 3.0), columns)
    for panel, k in zip(panels, after):
        y = numbers(f"after layer {k}, y", ops.to_numpy(outputs[k]), 2)
        plane, names = (y, [f"$x_{i}$" if k == 0 else f"$y_{i}$" for i in (1, 2)]) if y.shape[1] == 2 else _principal(y)
        low, high = _box(plane, 0.05)
        panel.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel=names[0], ylabel=names[1])
        panel.set_title("the plane" if k == 0 else f"after layer {k}, {type(layers[k - 1]).__name__}", fontsize=10)
        lines = plane[: -len(x)].reshape(grid.shape)
        panel.add_collection(LineCollection(list(lines), colors=GREY, linewidths=0.6, alpha=0.7))
        if y.shape[1] == 2:
            across, up = np.linspace(*panel.get_xlim(), 200), np.linspace(*panel.get_ylim(), 200)
            scores = ops.asarray(_lattice(across, up).astype(x.dtype))
            for layer in layers[k:]:
                scores = layer(scores)
            _draw_undecided(panel, across, up, ops.to_numpy(scores))
        _draw_points(panel, plane[-len(x) :], labels, COLOURS)
    below = panels[0].transAxes + ScaledTranslation(0, -0.5, figure_of(panels[0]).dpi_scale_trans)  # inches
    _name_classes(panels[0], loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below)
    return panels


def _grid(x: Array, lines: int = 17, along: int = 101) -> Array:
    """The lines of a grid around the points, upright ones first: (2 lines, along, 2)."""
    low, high = _box(x, 0.15)
    many, few = (np.linspace(low, high, count) for count in (along, lines))
    upright = np.stack(np.broadcast_arrays(few[:, None, 0], many[None, :, 1]), axis=-1)
    level = np.stack(np.broadcast_arrays(many[None, :, 0], few[:, None, 1]), axis=-1)
    return np.concatenate([upright, level])


def _principal(y: Array) -> tuple[Array, list[str]]:
    """The rows of y in the plane where they are spread most, and the names of its axes."""
    centred = y.astype(float) - y.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    shares = sizes**2 / max((sizes**2).sum(), np.finfo(float).tiny)
    names = [f"{place} principal\ndirection, {100 * share:.0f} %" for place, share in zip(("1st", "2nd"), shares)]
    return centred @ directions[:2].T, names


def line_fit(x: Array, t: Array, lines: Mapping[str, Array], axes: Sequence[Axes] | None = None) -> list[Axes]:
    """Points (x, t) with one or more lines through them, name -> y at every x; below it, what the first line misses.

    The residuals t - y have axes of their own: on the scale of the data good fits all look the same.
    """
    curves = named("lines", lines, "y")
    if numbers("x", x, 1, 2).shape not in ((len(x),), (len(x), 1)):
        raise ValueError(f"x must be (N,) or (N, 1), not {x.shape}")
    for thing, a in {"t": t, **{f"lines[{name!r}]": y for name, y in curves.items()}}.items():
        if numbers(thing, a, 1, 2).shape != x.shape:
            raise ValueError(f"{thing} must have the shape of x, {x.shape}, not {a.shape}")
    options = {"sharex": True, "height_ratios": [2, 1]}
    above, below = some_axes(axes, 2, "the lines and the residuals", (5.6, 2.6), 1, **options)
    order = np.argsort(x, axis=0).ravel()
    above.plot(x.ravel(), t.ravel(), "o", color=GREY, markerfacecolor="none", label="data")
    for (name, y), colour, style in zip(curves.items(), COLOURS, LINES):
        above.plot(x.ravel()[order], y.ravel()[order], linestyle=style, color=colour, label=plain(name))
    above.set(ylabel="y")
    above.legend(frameon=False)
    first, y = next(iter(curves.items()))
    below.axhline(0, color=BLUE)
    below.plot(x.ravel(), t.ravel().astype(float) - y.ravel(), "o", color=GREY, markerfacecolor="none")
    below.set(xlabel="x", ylabel=f"data minus\n{plain(first)}")
    for panel in (above, below):
        panel.grid(alpha=0.3)
        bare(panel)
    return [above, below]


# --- helpers ---------------------------------------------------------------------------------------------------------


def _scores(model: Any, x: Array) -> Array:
    """What the model says to the points x, (N, C)."""
    if isinstance(model, type) or not callable(getattr(model, "predict", None)):
        raise TypeError(f"model must have predict(x), as a Sequential has, not {checks.describe(model)}")
    with np.errstate(all="ignore"):  # weights that have diverged
        y: Any = model.predict(x)
    if type(y) is not np.ndarray or y.ndim != 2 or len(y) != len(x) or y.size == 0:
        expected = f"an output for each of the {len(x)} points, (N, 1), or a score for each class, (N, C)"
        raise ValueError(f"model.predict must return {expected}, not {checks.describe(y)}")
    return y


def _box(x: Array, share: float) -> tuple[Array, Array]:
    """The least and the largest of each of the two coordinates, with a margin of that share of their distance."""
    low, high = x.min(axis=0).astype(float), x.max(axis=0).astype(float)
    margin = np.where(high > low, share * (high - low), 1.0)
    return low - margin, high + margin


def _lattice(columns: Array, rows: Array) -> Array:
    """All points of a lattice, row by row, (n, 2)."""
    return np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)


def _draw_undecided(axes: Axes, columns: Array, rows: Array, scores: Array) -> None:
    """A line where the scores (points of the lattice, C) are undecided: one is 1/2, or the two best are equal."""
    fields, flat = [scores[:, 0] - 0.5], 1e-3  # a field that is flat crosses 0 only by rounding
    if scores.shape[1] > 1:
        others = [np.delete(scores, c, axis=1).max(axis=1) for c in range(scores.shape[1])]
        fields, flat = [scores[:, c] - other for c, other in enumerate(others)], 1e-6 * abs(scores).max()
    for field in fields[1:] or fields:  # the line of class 0 is part of the others'
        if field.min() < -flat and field.max() > flat:
            field = field.reshape(len(rows), len(columns))
            axes.contour(columns, rows, field, levels=[0], colors="black", linewidths=1.5)


def _draw_points(axes: Axes, x: Array, labels: Array, colours: Sequence[str]) -> None:
    """Points with a colour and a marker for each class."""
    size = 60 if len(x) <= 50 else 20
    for label in np.unique(labels):
        rows, colour, marker = labels == label, colours[label % len(colours)], MARKERS[label % len(MARKERS)]
        axes.scatter(
            x[rows, 0], x[rows, 1], s=size, color=colour, marker=marker, edgecolors="white", linewidths=size / 50,
            label=f"class {label}", zorder=3,
        )  # fmt: skip


def _name_classes(axes: Axes, **place: Any) -> None:
    """The legend of the points, four classes to a line."""
    count = min(4, len(axes.get_legend_handles_labels()[1]))
    axes.legend(ncols=count, frameon=False, handletextpad=0.1, columnspacing=0.8, borderpad=0, **place)
