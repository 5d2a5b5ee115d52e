"""What a convolutional network looks for, and what it makes of an image: its kernels, and what each layer gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from .. import backends, checks
from ..checks import Array
from ..layers import Conv2D
from ..layers.layer import Layer
from ..nesting import walk
from .inputs import layers_of, numbers
from .style import GREY, figure_of, mosaic, one_axes, plain, some_axes

GAP = 0.1  # between feature maps, as a share of the largest one


def filters(layer: Any, axes: Axes | None = None, columns: int = 8) -> Axes:
    """The kernels W (KH, KW, C, O) of a Conv2D, a small image for each of its O output channels, `columns` in a row.

    `layer` is a Conv2D, or a model, whose first Conv2D it then is. What is drawn of output channel o, counted from 0:

        C = 1    W[:, :, 0, o]: light pixels (yellow) excite, dark ones (blue) inhibit, on one scale, grey is 0
        C = 3    1/2 + W[:, :, :, o] / (2 max|W|) as red, green and blue, grey is 0
        else     the mean of W[:, :, c, o] over the input channels c, in the colours of C = 1

    Raises TypeError where there is no Conv2D, ValueError where it has no weights yet.
    """
    columns = checks.integer("columns", columns, 1)
    found = layer if isinstance(layer, Conv2D) else _first(layer)
    if found is None:
        raise TypeError(f"layer must be a Conv2D or a model that has one, not {checks.describe(layer)}")
    if found.ops is None:
        raise ValueError(f"{found.where}: must have its weights before it is drawn, not none: layer.build() draws them")
    W = numbers(f"{found.where}: W", found.ops.to_numpy(found.W), 4)
    height, width, n_in, n_out = W.shape
    tiles = W.transpose(3, 2, 0, 1)  # (O, C, KH, KW)
    columns, gap = min(columns, n_out), max(1, round(0.07 * width))
    rows = math.ceil(n_out / columns)
    across, down = columns * (width + gap) - gap, rows * (height + gap) - gap

    inches = min(0.62 * columns, 5.2)  # of the kernels alone
    axes = one_axes(axes, (max(4.8, inches + 1.7), min(9.0, max(1.6, inches * down / across) + 0.75)))
    size = f"{n_out} kernel{'s' * (n_out > 1)} of {height} x {width}"
    if n_in == 3:
        limit = float(abs(W).max()) or 1.0
        colours = [mosaic(0.5 + tiles[:, c] / (2 * limit), columns, gap) for c in range(3)]
        picture = np.stack(colours, axis=-1)
        axes.imshow(np.where(np.isnan(picture), 1.0, picture), interpolation="nearest")
        axes.set_title(f"{size}, as red, green and blue\ngrey: 0; white: {limit:.2g} in all three; black: -{limit:.2g}")
    else:
        tiles = tiles.mean(axis=1)
        limit = float(abs(tiles).max()) or 1.0
        canvas = mosaic(tiles, columns, gap)
        image = axes.imshow(canvas, cmap="cividis", vmin=-limit, vmax=limit, interpolation="nearest")
        label = "weight" if n_in == 1 else "mean weight"
        figure_of(axes).colorbar(image, ax=axes, label=label, shrink=0.8)
        axes.set_title(size if n_in == 1 else f"{size}:\nthe mean over {n_in} input channels")
    firsts = range(0, n_out, columns)
    middles = [row * (height + gap) + (height - 1) / 2 for row in range(rows)]
    axes.set_yticks(middles, [_span(first, min(first + columns, n_out) - 1) for first in firsts])
    axes.set(xticks=[], ylabel="output channels")
    axes.tick_params(left=False)
    axes.spines[:].set_visible(False)
    return axes


def _first(model: Any) -> Conv2D | None:
    """The first Conv2D within a model or another layer, at any depth."""
    within = walk(model) if isinstance(model, Layer) else ()
    return next((layer for _, layer in within if isinstance(layer, Conv2D)), None)


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def feature_maps(model: Any, image: Array, most: int = 8, axes: Sequence[Axes] | None = None) -> list[Axes]:
    """One image (H, W, C) on its way through a Sequential: an axes for each row of small images, in a list.

    The first row is the image; then there is one for each layer whose y is an image, too, (1, H, W, C). It shows the
    first `most` channels side by side, y[0, :, :, c] with c counted from 0: black is the smallest number in the row,
    white the largest, and both are written at the left, below the layer's place, its class and the shape of y[0]. The
    model is in use, not in training, and is left without a trace; of a BatchNorm, that means its running means.

    Raises TypeError for an image that is not of floats, like the model, ValueError for one that is not (H, W, C), that
    the model does not take, or that no layer makes an image of.
    """
    most = checks.integer("most", most, 1)
    layers = layers_of(model)
    _check_image(image, getattr(model, "dtype", None))
    rows = [("input", image)]
    ops = backends.of(model if hasattr(model, "ops") else layers[0])
    y = ops.asarray(image[None].copy())
    for number, layer in enumerate(layers, 1):
        y = layer(y)
        if y.ndim == 4:
            maps = numbers(f"{layer.where}: y", ops.to_numpy(y)[0], 3).copy()
            rows.append((f"{number}  {plain(type(layer).__name__, 18)}", maps))
    if len(rows) == 1:
        raise ValueError("model must have a layer whose y are images (N, H, W, C), and this one has none")

    most = min(most, max(maps.shape[2] for _, maps in rows))
    sizes = [np.array(maps.shape[:2]) / max(maps.shape[:2]) for _, maps in rows]  # height, width
    tall, wide = np.max(sizes, axis=0)
    inches = min(0.64, 5.6 / (most * (wide + GAP)))  # of the longer side
    size = max(4.4, inches * most * (wide + GAP) + 1.3), max(0.64, inches * tall + 0.17)
    size = size[0], size[1] + 0.6 / len(rows)  # for the title, and the numbers of the channels
    panels = some_axes(axes, len(rows), "the image and the layers", size, 1)
    for panel, (name, maps), (height, width) in zip(panels, rows, sizes):
        shown = maps[:, :, :most]
        low, high = float(shown.min()), float(shown.max())
        for channel in range(shown.shape[2]):
            left, top = channel * (wide + GAP) + (wide - width) / 2, (tall - height) / 2
            panel.imshow(
                shown[:, :, channel], cmap="gray", vmin=low, vmax=high, interpolation="nearest",
                extent=(left, left + width, top + height, top),
            )  # fmt: skip
            panel.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=GREY, linewidth=0.6))
        label = f"{name}\n{checks.shape_text(maps.shape)}\n{low:.2g} to {high:.2g}"
        panel.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8)
        panel.set(xlim=(-0.02, most * (wide + GAP)), ylim=(tall + 0.02, -0.02), xticks=[], yticks=[], anchor="W")
        panel.spines[:].set_visible(False)
    step = math.ceil(0.25 / (inches * (wide + GAP)))  # else the numbers would lie on each other
    for channel in range(0, min(most, rows[1][1].shape[2]), step):
        middle = channel * (wide + GAP) + wide / 2
        panels[1].text(middle, -0.08, str(channel), ha="center", va="bottom", fontsize=8)
    channels = f"first {most} channels" if most > 1 else "first channel"
    title = f"The {channels} of each layer's output\nblack: least in the row; white: most"
    panels[0].set_title(title, loc="left", fontsize=9)
    return panels


def _check_image(image: Any, dtype: Any) -> None:
    """Demand one image (H, W, C) of finite floats, of the model's dtype where it has one."""
    checks.float_array("image", image, np, ndim=None)
    if image.ndim != 3:
        hint = ": of a batch x the first one is x[0]" if image.ndim == 4 else ""
        hint = ": image[:, :, None] has one channel" if image.ndim == 2 else hint
        raise ValueError(f"image must be one image (H, W, C), not of shape {image.shape}{hint}")
    numbers("image", image, 3)
    if dtype is not None and image.dtype != dtype:
        raise TypeError(f"image must be {dtype} like the model, not {image.dtype}: image.astype('{dtype}')")
