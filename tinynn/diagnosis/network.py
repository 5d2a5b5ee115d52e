"""Checks of the model at its first weights: layer by layer, forward and backward."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..layers import (
    Affine,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dropout,
    Flatten,
    ReLU,
    Residual,
    Sigmoid,
    Tanh,
)
from ..losses import MAE, BinaryCrossEntropy
from ..nesting import with_inner
from .blocks import NO_EFFECT, added, layers_of_branch
from .evidence import TRAINED, Evidence
from .figures import dead, rms, saturated, spread
from .report import LeftOut, Result

DEAD_SHARE = 0.9  # of a layer's ReLUs: 0.6 (XOR) | 1
SATURATED_SHARE = 0.5  # of a layer's outputs: 0.28 | 0.63 (Glorot & Bengio 2010, figures 2 and 3)
GAIN = 100.0  # spread of y over that of x: 16 (trained) | 270
LARGE_BIAS = 10.0  # biases over the spread of x W: 0.14 (trained) | 27
CHANCE_RATIO = 5.0  # loss at the start over that of chance, for classes: 2.9 | 7.7
CHANCE_RATIO_OF_NUMBERS = 500.0  # the same, for numbers: 70 | 3e5
GRADIENT_RATIO = 1e-5  # least to greatest among the layers: 2e-4 (five layers of sigmoids) | 9e-7 (ten)


def output(evidence: Evidence) -> Result:
    """Whether the last layer can give what the loss needs: scores of any size, or numbers as large as the targets."""
    y, t, last, loss = evidence.y, evidence.all_t, evidence.layers[-1], evidence.loss
    text = f"y in {y.min():.3g} .. {y.max():.3g} at the start"
    low, high = REACH.get(type(last), (-math.inf, math.inf))
    if takes_scores(loss):
        fix = "leave that layer out: the loss takes scores of any size, and makes the probabilities itself"
        if loss.classifies and y.shape[-1] > 1 and y.min() >= 0 and np.allclose(y.sum(axis=-1), 1, atol=1e-3):
            least = math.log1p((y.shape[-1] - 1) / math.e)  # a 1 among zeros is the best that there is
            text += f": probabilities, from {last.where}. The loss makes softmax of them once more"
            text += f", and stays above {least:.2g}"
            return Result(text, least, "softmax-before-loss", fix, last.place)
        if isinstance(last, Sigmoid | Tanh):
            least = math.log1p((y.shape[-1] - 1) * math.exp(low - high))
            if not loss.classifies:  # each yes with the greatest score, each no with the least
                least = 0.0 if evidence.problem else float(loss(np.where(t > 0.5, high, low).astype(y.dtype), t))
            text += f": {last.where} bounds the scores, so that the loss stays above {least:.2g}"
            return Result(text, least, "bounded-scores", fix, last.place)
        if isinstance(last, ReLU):
            return Result(f"{text}: {last.where} cuts off scores below 0", 0, "relu-scores", fix, last.place)
    elif not evidence.problem and y.shape[1:] == t.shape[1:] and (t.min() < low or t.max() > high):
        text += f": {last.where} gives {low:g} .. {high:g}, the targets lie in {t.min():.3g} .. {t.max():.3g}"
        fix = "leave that layer out, or bring the targets into its range"
        return Result(text, float(max(low - t.min(), t.max() - high)), "out-of-reach", fix, last.place)
    return Result(text, float(y.max()))


REACH: dict[type, tuple[float, float]] = {Sigmoid: (0.0, 1.0), Tanh: (-1.0, 1.0), ReLU: (0.0, math.inf)}
AFFINE_TOO = BatchNorm | Dropout | Flatten | AvgPool2D  # nothing in them bends


def takes_scores(loss: Any) -> bool:
    """Whether the loss makes probabilities of y itself."""
    return bool(loss.classifies) or isinstance(loss, BinaryCrossEntropy)


def order_of_layers(evidence: Evidence) -> Result:
    """Two of a kind in a row: a sigmoid maps (0, 1) to (0.5, 0.73); two affine maps are one.

    Two convolutions with kernels such as 1 x 3 and 3 x 1 are meant to be one. A map to fewer features than there are on
    both of its sides (a bottleneck) is useful, too.
    """
    for b in evidence.layers:
        a = evidence.before(b)
        if isinstance(a, Sigmoid | Tanh) and isinstance(b, Sigmoid | Tanh):
            text = f"{b.where}, right after {a!r}, gives no more than {b.y.min():.2g} .. {b.y.max():.2g}"
            return Result(text, float(np.ptp(b.y)), "squashed-twice", "leave one of the two out", b.place)
        if not isinstance(b, Affine | Conv2D):
            continue
        while isinstance(a, AFFINE_TOO):
            a = evidence.before(a)
        if isinstance(a, Affine | Conv2D) and a.n_out >= min(a.n_in, b.n_out) and square(a) and square(b):
            text = f"{b.where}, comes after {a.where}, without an activation between: together they are one affine map"
            return Result(text, 2, "affine-twice", "an activation such as ReLU() between the two", b.place)
    return Result(f"{len(evidence.layers)}, and none of them undoes the one before it", len(evidence.layers))


def square(layer: Affine | Conv2D) -> bool:
    """Whether its windows, if it has some, are as wide as they are high."""
    return isinstance(layer, Affine) or layer.kernel[0] == layer.kernel[1]


def first_weights(evidence: Evidence) -> Result:
    """Units that start equal have equal gradients and stay equal: such a layer is a single unit."""
    params = evidence.model.params
    bad = int((~np.isfinite(params)).sum())
    if bad:
        where, place = "", None
        for layer in evidence.built:
            for name in layer.parameters:
                if not (where or np.isfinite(layer.arrays[name]).all()):
                    where, place = f", the first in {name} of {layer.where}", layer.place
        text = f"{bad:,} of {params.size:,} are NaN or infinite{where}"
        return Result(text, bad, "weights-not-finite", "create the model again", place)
    for layer in evidence.affine[:-1]:  # the last one may: what comes to its units differs
        if layer.n_out > 1 and not np.ptp(layer.W, axis=-1).any() and layer not in ends_of_branches(evidence):
            W = float(layer.W.flat[0])
            text = f"{layer.where}: its {layer.n_out} {units(layer)} are all equal, with weights such as {W:.3g}"
            fix = 'draw the weights at random: weight_init="kaiming_normal"'
            return Result(text, W, "equal-weights", fix, layer.place)
    return Result(f"{params.size:,} numbers, root mean square {rms(params):.2g}", rms(params))


def ends_of_branches(evidence: Evidence) -> list[Any]:
    """The last maps of residual blocks: many start with zeros, so that each block does nothing at first."""
    blocks = [layer for layer in evidence.layers if isinstance(layer, Residual)]
    within = [
        [layer for layer in with_inner(SimpleNamespace(layers=b.layers)) if layer in evidence.affine] for b in blocks
    ]
    return [maps[-1] for maps in within if maps]


def dead_relus(evidence: Evidence) -> Result | None:
    """Units that are 0 in every row: no gradient comes through, so they stay so. Of images, channels that are 0."""
    shares = {layer: dead(layer.y) for layer in evidence.layers if isinstance(layer, ReLU)}
    return worst(evidence, shares, DEAD_SHARE, "dead-relus", "of {} are 0 in every row")


def saturation(evidence: Evidence) -> Result | None:
    """Outputs at the flat ends of sigmoid or tanh: hardly any gradient comes through."""
    shares = {layer: saturated(layer, layer.y) for layer in evidence.layers[:-1] if isinstance(layer, Sigmoid | Tanh)}
    return worst(evidence, shares, SATURATED_SHARE, "saturated", "of the outputs of {} are at a flat end")


def worst(evidence: Evidence, shares: dict[Any, float], limit: float, code: str, what: str) -> Result | None:
    """The first layer whose share is above the limit, else the layer with the greatest."""
    if not shares:
        return None
    layer = next((layer for layer in shares if shares[layer] > limit), max(shares, key=shares.__getitem__))
    text = f"{layer.where}: {100 * shares[layer]:.3g} % {what.format(f'{layer.y.shape[-1]} {units(layer)}')}"
    if shares[layer] <= limit:
        return Result(text, shares[layer], place=layer.place)
    a = evidence.before(layer)
    if isinstance(a, Affine | Conv2D | BatchNorm):
        scale = ("g", "scales") if isinstance(a, BatchNorm) else ("W", "weights")
        said = f"biases of {a.b.mean():.2g} and " if "b" in a.parameters else ""
        text += f"; {a!r} before it has {said}{scale[1]} of {rms(a.arrays[scale[0]]):.2g}"
    fix = 'start with biases of 0 and weights from "kaiming_normal", and scale x to about 1'
    fix = "start with b of 0 and g of 1" if isinstance(a, BatchNorm) else fix
    return Result(text, shares[layer], code, fix, layer.place)


def units(layer: Any) -> str:
    """What the last axis of its y is."""
    return "channels" if layer.y.ndim > 2 else "units"


def signal(evidence: Evidence) -> Result:
    """How much y varies from row to row, compared with x: a factor for each layer, to the power of the depth.

    After a BatchNorm the spread is 1: there it is compared with 1, unless x varies more.
    """
    layers = evidence.layers
    across = spread(evidence.x)
    if not across:
        raise LeftOut("all rows of x are equal")
    gains = {}
    for layer in layers:
        across = max(across, 1.0) if isinstance(layer, BatchNorm) else across
        gains[layer] = spread(layer.y) / across
    text = f"the outputs of layers vary {min(gains.values()):.2g} to {max(gains.values()):.2g} times as much as x"
    for layer, gain in gains.items():
        if not gain < GAIN:
            text += f", {gain:.2g} times in {layer.where}"
            fix = 'draw smaller weights: variance 2 / n_in before ReLU ("kaiming_normal"), 1 / n_in before tanh'
            fix = "let its g start at 1" if isinstance(layer, BatchNorm) else fix
            return Result(text, gain, "exploding-signal", fix, layer.place)
    return Result(text, max(gains.values()))


def biases(evidence: Evidence) -> Result | None:
    """Hidden units whose biases are larger than x W ever is: they are always on, or always off."""
    hidden = [a for a in evidence.layers if isinstance(a, Affine | Conv2D | BatchNorm) and a is not evidence.affine[-1]]
    ratios = {a: rms(a.b) / spread(a.y) for a in hidden if "b" in a.parameters and spread(a.y)}
    if not ratios:
        return None
    layer = max(ratios, key=ratios.__getitem__)
    what = "the normalized x" if isinstance(layer, BatchNorm) else "x W"
    text = f"the largest ones, in {layer.where}, are {ratios[layer]:.2g} of the spread of {what}"
    text = text if ratios[layer] else "0 in all hidden layers"
    if ratios[layer] > LARGE_BIAS:
        fix = "let the biases start at 0" + (': bias_init="zeros"' if isinstance(layer, Affine) else "")
        return Result(text, ratios[layer], "large-bias", fix, layer.place)
    return Result(text, ratios[layer], place=layer.place)


def first_loss(evidence: Evidence) -> Result:
    """The loss of the first weights beside that of chance: log C for C classes, the variance of t for numbers."""
    text, (chance, _), loss = f"{evidence.value:.3g}", evidence.levels, evidence.loss
    if not math.isfinite(evidence.value):
        fix = "make x, t or the weights smaller; in a loss of your own, look for log 0 and 0 / 0"
        return Result(text, evidence.value, "loss-not-finite", fix)
    if math.isfinite(chance):
        C = evidence.width if loss.classifies else 2
        middle = "median" if isinstance(loss, MAE) else "mean"
        equal = f"equal scores give {chance:.3g}, log {C}"
        text += f"; {equal if takes_scores(loss) else f'the {middle} of t as y gives {chance:.3g}'}"
    ratio, limit = evidence.of_chance, CHANCE_RATIO_OF_NUMBERS
    if takes_scores(loss):  # not counted from the least loss: targets that are all of about 1/C leave no range
        ratio, limit = evidence.value / chance if chance else math.nan, CHANCE_RATIO
    if ratio > limit:
        fix = "scale x to about 1; draw smaller weights, in the last layer first"
        return Result(text, ratio, "loss-at-start", fix)
    return Result(text, ratio)


def gradients(evidence: Evidence) -> Result | None:
    """The gradient's size from layer to layer: the chain rule multiplies by a factor for each layer.

    Branches that add nothing (yet) are left to `branches`.
    """
    untrained = not evidence.of_chance < TRAINED
    silent = [a for block, share in added(evidence).items() if share < NO_EFFECT for a in layers_of_branch(block)]
    learning = [layer for layer in evidence.layers if layer.parameters and layer not in silent]
    sizes = {a: rms(np.concatenate([a.arrays["d" + name].ravel() for name in a.parameters])) for a in learning}
    if not sizes:
        return None
    low, high = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    ratio = sizes[low] / sizes[high] if sizes[high] else 0.0
    text = f"root mean square {sizes[high]:.2g} in {high.where}"
    if low is not high:
        text += f", {sizes[low]:.2g} in {low.where}"
    if not math.isfinite(sum(sizes.values())):
        return Result(text, math.nan, "gradient-not-finite", "make x, t or the weights smaller", high.place)
    if not untrained or evidence.behind_zeros or ratio >= GRADIENT_RATIO:
        return Result(text, ratio)
    if not sizes[low]:
        return Result(
            text,
            0.0,
            "zero-gradient",
            "this layer has no influence on the loss: look at the layers behind it",
            low.place,
        )
    code = "vanishing-gradient" if evidence.layers.index(low) < evidence.layers.index(high) else "exploding-gradient"
    fix = 'use ReLU in place of sigmoid or tanh, weights from "kaiming_normal", or fewer layers'
    return Result(text, ratio, code, fix, low.place)
