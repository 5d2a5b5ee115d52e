"""Checks of layers that compute differently in training and in use, and of blocks with a shortcut around them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..checks import Array
from ..layers import BatchNorm, Dropout, Residual
from ..layers.layer import Layer
from ..nesting import with_inner
from ..training import demands
from .evidence import Evidence
from .figures import rms, spread
from .report import Result

DROPPED = 0.9  # the rate of a dropout: 0.8 | 0.9, a rate that was meant to be kept
SMALL_BATCH = 2  # rows: of two, a normalized feature is -1 and 1 whatever x is (Ioffe 2017 begins with this)
OTHER = 1e-3  # difference of y in use over its size: 1e-6 (rounding) | 0.1
NO_EFFECT = 1e-3  # of a branch: spread over that of its block's y, gradient over the model's greatest: 0.1 | 1e-4


def use(evidence: Evidence) -> Result:
    """Whether the model, in use, gives a row the same y each time, alone and among other rows."""
    model, x = evidence.model, evidence.x[:8]
    size = rms(evidence.y) or 1.0

    def off(f: Any, x: Array) -> tuple[float, float]:
        y = f(x)
        return float(np.abs(f(x) - y).max()) / size, float(np.abs(f(x[:1]) - y[:1]).max()) / size

    again, alone = off(lambda x: demands.call(model, x), x)
    if not max(again, alone) > OTHER:
        return Result("y of a row is the same each time, alone and among other rows", max(again, alone))
    what = (
        "the same row has a different y each time"
        if again > OTHER
        else "y of a row alone differs from its y among other rows"
    )
    text, where = f"in use, {what}", None
    fix = "evaluate with layer(x), not layer.forward(x): forward is training"
    for layer in evidence.layers:
        if max(off(layer, layer.x[:8])) > OTHER:
            where, fix = layer, "let its forward ask self.training, which is False in use: then drop nothing, "
            fix += "and take running means in place of the batch's"
            text += f": {layer.where} computes as in training"
            break
    return Result(text, max(again, alone), "evaluation-in-training-mode", fix, where and where.place)


def dropout(evidence: Evidence) -> Result | None:
    """The share that is dropped. Half is usual; of a hundred numbers, one says little (Srivastava et al. 2014, 7.3)."""
    layers = [layer for layer in evidence.layers if isinstance(layer, Dropout)]
    if not layers:
        return None
    layer = max(layers, key=lambda layer: layer.rate)
    text = f"{layer.where} drops {100 * layer.rate:.3g} % of {layer.y.shape[-1]} numbers"
    if layer.rate >= DROPPED:
        text += f", and multiplies the others by {1 / (1 - layer.rate):.3g}"
        fix = "rate is the share that is dropped, not kept: 0.1 to 0.5 is usual"
        return Result(text, layer.rate, "dropout-too-high", fix, layer.place)
    return Result(text, layer.rate, place=layer.place)


def batches(evidence: Evidence) -> Result | None:
    """How many rows a batch normalization has its mean and variance from. Only where batch_size is said."""
    size, rows = evidence.batch_size, len(evidence.all_t)
    layers = [layer for layer in evidence.layers if isinstance(layer, BatchNorm)]
    if size is None or not layers:
        return None
    layer, size = layers[0], min(size, rows)
    text = f"batches of {size} of {rows:,} rows"
    if size <= SMALL_BATCH:
        text += f", of which {layer.where} takes mean and variance"
        return Result(text, size, "small-batches", "batch_size=32 or more, or no batch normalization", layer.place)
    table = next((layer for layer in layers if layer.x.ndim == 2), None)  # of images, each pixel is a row
    if table and rows % size == 1:
        fix = f"batch_size={better(rows, size)}, or one row less"
        return Result(
            f"{text}: the last has one row, of which {table.where} has no variance", 1, "batch-of-one", fix, table.place
        )
    return Result(text, size, place=layer.place)


def better(rows: int, size: int) -> int:
    """The next batch size that leaves no batch of one row."""
    return next(size for size in range(size + 1, rows + 2) if rows % size != 1)


def branches(evidence: Evidence) -> Result | None:
    """How much residual blocks add to their x.

    Many start with a branch that gives 0 (Goyal et al. 2017, section 5.1). This is fine as long as a gradient lets the
    branch grow. A branch that adds nothing and has no gradient is useless.
    """
    found = added(evidence)
    if not found or not math.isfinite(evidence.value):  # which writes the gradients
        return None
    greatest = max(greatest_gradient([layer]) for layer in evidence.layers)
    for block, share in found.items() if not evidence.behind_zeros else ():
        gradient = greatest_gradient(layers_of_branch(block))
        if share < NO_EFFECT and gradient < NO_EFFECT * greatest:
            text = f"layer {block.place}, {type(block).__name__}: f(x) is {share:.1g} of y = f(x) + x"
            text += f", and its gradients are {gradient / greatest:.1g} of the model's greatest"
            fix = "let f(x) stand without a factor, or with one that is learned"
            return Result(text, share, "branch-without-effect", fix, block.place)
    block = min(found, key=found.__getitem__)
    text = f"f(x) is {min(found.values()):.2g} to {max(found.values()):.2g} of y = f(x) + x"
    return Result(text, found[block], place=block.place)


def added(evidence: Evidence) -> dict[Layer, float]:
    """How much f(x) varies beside y = f(x) + x, for each residual block; for any other block, how much y - x does."""
    found: dict[Layer, float] = {}
    for block in evidence.layers:
        f = None
        if isinstance(block, Residual):
            f = result_of(block.layers[-1])
        elif len(with_inner(block)) > 1 and block.x.shape == block.y.shape:
            f = block.y - block.x
        if f is not None and spread(block.y):
            found[block] = spread(f) / spread(block.y)
    return found


def layers_of_branch(block: Layer) -> list[Layer]:
    """The layers of f, without those of a shortcut."""
    way_past = with_inner(block.shortcut) if isinstance(block, Residual) else []
    return [layer for layer in with_inner(block)[1:] if layer not in way_past]


def result_of(layer: Any) -> Array | None:
    """The last y of a layer; of a Sequential, which keeps none, that of its last layer."""
    while not layer.checked and getattr(layer, "layers", None):
        layer = layer.layers[-1]
    return layer.y if layer.checked else None


def greatest_gradient(layers: list[Any]) -> float:
    """The greatest root mean square among the gradients of their parameters."""
    return max((rms(a.arrays["d" + name]) for a in layers for name in a.parameters), default=0.0)
