"""The checks, in the order of cause: data, model, algorithm. Each is a function of the Case and returns a Line.

None in place of a Line: the check does not apply.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..checks import Array
from ..layers import Affine, ReLU, Sigmoid, Tanh
from ..optimizers import Adam
from .case import SWEEP_BATCH, Case, copies, dead, rms, saturated, spread, step
from .report import LeftOut, Line

# Where healthy ends. Measured on 1320 healthy set-ups (1 to 5 layers; ReLU, sigmoid, tanh; MNIST, XOR, Norris, a sine,
# two moons; SGD, Adam; 20 seeds) and on broken ones: "a | b" is the worst of the healthy, the mildest of the broken.
LARGE_INPUT = 10.0  # root mean square of a column: 2 | 535. About 1 is best (LeCun et al. 1998, section 4.3)
SMALL_INPUT = 0.05  # the greatest |x|: 1 | 0.004, pixels divided by 255 twice
COLUMN_RATIO = 1e3  # widest to narrowest column: 255 | 2e6. The loss's curvatures differ by its square
CONSTANT_SHARE = 0.9  # of the columns: 0.2 | 1. MNIST has 67 of 784, all 0
IMBALANCE = 100.0  # rows of the most frequent class for one of the rarest; "extreme" in Google's ML course is < 1 %
ROWS_PER_CLASS = 10  # from so many on, a class without a row is no accident: (1 - 1/C)^(10 C) < 5e-5
SMALL_TARGET, LARGE_TARGET = 1e-3, 10.0  # root mean square: 1 | 535. Outputs start at about 1
DEAD_SHARE = 0.9  # of a layer's ReLUs: 0.6 (XOR) | 1
SATURATED_SHARE = 0.5  # of a layer's outputs: 0.16 | 0.63 (Glorot & Bengio 2010, figures 2 and 3)
GAIN = 100.0  # spread of y over that of x: 15 (trained) | 270
LARGE_BIAS = 10.0  # biases over the spread of x W: 0.03 (trained) | 27
CHANCE_RATIO = 5.0  # loss at the start over that of chance, for classes: 2.9 | 7.7
CHANCE_RATIO_OF_NUMBERS = 500.0  # the same, for numbers: 70 | 3e5
TRAINED = 0.1  # the same: with less, this is no new model, and need not learn any more
NEW = 0.9  # the same: with more, it knows nothing yet
GRADIENT_RATIO = 1e-5  # least to greatest among the layers: 2e-4 (five layers of sigmoids) | 9e-7 (ten)
FEW_ROWS, FEW_STEPS, FEW_RATES = 8, 200, (1e-3, 1e-2, 1e-1)  # to learn by heart with Adam
FEW_LEFT = 0.1  # of the loss at the start or of chance
PEAK = 3.0  # rise of the loss on the way, over the same: 1.4 | 4.3
SLOW = 3e-3  # fall of the loss over that at the best rate: 0.09 | 3e-4
NOTHING = 0.01  # fall of the loss at the best rate over the loss at the start or of chance
SMALL_UPDATE, LARGE_UPDATE = 1e-5, 3.0  # |change of W| / |W|: 9e-4 | 2e-6; 0.9 | 7. About 1e-3 is best (CS231n)


# --- the data --------------------------------------------------------------------------------------------------------


def numbers(case: Case) -> Line:
    """NaN or infinity in x: a single one, and after one step every weight is NaN."""
    bad = np.flatnonzero(~case.columns.finite)
    if not bad.size:
        return Line("x has no NaN and no infinity", 0)
    text = f"{bad.size:,} of {case.columns.finite.size:,} rows of x hold NaN or infinity, first row {bad[0]}"
    return Line(text, bad.size, "x-not-finite", "leave them out or fill the gaps; below, they are left out")


def input_scale(case: Case) -> Line:
    """The size of x. dW = x^T dy: the steps that suit a weight go with the square of its input."""
    case.demand_rows()
    c = case.columns
    low, high, size = float(c.low.min()), float(c.high.max()), float(c.rms.max())
    widths = (c.high - c.low)[c.high > c.low]
    ratio = float(widths.max() / widths.min()) if widths.size else 1.0
    text = f"x in {low:.3g} .. {high:.3g}, root mean square of a column up to {size:.3g}"
    fix = "x = (x - mean) / std, with the mean and std of each column of the training rows"
    if c.whole and low >= 0 and 100 <= high <= 255:
        return Line(f"{text}: pixels as bytes", high, "pixels-0-255", "x = x / 255")
    if ratio > COLUMN_RATIO:
        text += f"; the widest column is {ratio:.1g} times as wide as the narrowest"
        return Line(text, ratio, "columns-differ", fix)
    if size > LARGE_INPUT:
        return Line(f"{text}; about 1 is healthy", size, "large-input", fix)
    if max(-low, high) < SMALL_INPUT:
        return Line(f"{text}; about 1 is healthy", size, "small-input", f"has x been divided twice? {fix}")
    return Line(text, size)


def constant_columns(case: Case) -> Line:
    """Columns that are equal in all rows say nothing. A few do no harm: 0 moves no weight, 1 is a bias."""
    case.demand_rows()
    same = case.columns.low >= case.columns.high
    text = f"{same.sum()} of {same.size} columns of x are constant"
    if same.mean() > CONSTANT_SHARE:
        return Line(text, same.mean(), "constant-columns", "look at some rows of x: are they what you mean?")
    return Line(text, same.mean())


def targets(case: Case) -> Line:
    """Whether the loss can take the targets, and how large they are."""
    t, C = case.all_t, case.y.shape[1]
    labels = case.loss.classifies and t.dtype.kind in "iu"
    if case.problem:
        if labels and t.shape == (len(t), 1):
            return Line(f"labels t of shape {t.shape}, not ({len(t)},)", 1, "labels-column", "t = t.ravel()")
        if labels and t.ndim == 1:
            low, high = int(t.min()), int(t.max())
            text = f"labels {low} .. {high}; {C} scores a row stand for labels 0 .. {C - 1}"
            if (low, high) == (1, C):
                return Line(text, low, "labels-from-1", "t = t - 1")
            fix = f"number the classes 0, 1, 2, ...; the last layer gives a score for each: {C} now"
            return Line(text, high, "labels-out-of-range", fix)
        if t.dtype.kind == "f" and not np.isfinite(t).all():
            bad = int((~np.isfinite(t)).sum())
            return Line(f"{bad:,} of t are NaN or infinite", bad, "targets-not-finite", "leave those rows out, x and t")
        return Line(case.problem, math.nan, "targets-do-not-fit", "targets as the loss asks for them")
    if labels:
        return Line(f"labels {t.min()} .. {t.max()} for {C} scores a row", float(t.max()))
    size = rms(t)
    text = f"t in {t.min():.3g} .. {t.max():.3g}, root mean square {size:.3g}"
    if case.loss.classifies:
        return Line(text, size)
    if not np.ptp(t, axis=0).any():
        return Line(f"{text}: equal in all rows", size, "constant-targets", "look at t: there is nothing to learn")
    if not SMALL_TARGET < size < LARGE_TARGET:
        fix = "t = (t - mean) / std while training; predictions are y * std + mean"
        return Line(f"{text}; outputs start at about 1", size, "target-scale", fix)
    return Line(text, size)


def classes(case: Case) -> Line | None:
    """How many rows each class has."""
    if not case.loss.classifies:
        return None
    case.demand_targets()
    labels, C = labels_of(case.all_t), case.y.shape[1]
    counts = np.bincount(
        labels.astype(np.int64)
    )  # a model may have scores to spare: classes after the last label do not count
    most, least = int(counts.argmax()), int(np.where(counts > 0, counts, len(labels)).argmin())
    ratio = float(counts[most] / counts[least])
    shares = 100 * counts / len(labels)
    text = f"{shares[least]:.2g} % of the rows are of class {least}, {shares[most]:.2g} % of class {most}"
    if counts[most] == len(labels):
        return Line(f"all rows are of class {most}", 1, "one-class", "look at t: there is nothing to tell apart")
    if not counts.all() and len(labels) >= ROWS_PER_CLASS * C:
        missing = int(counts.argmin())
        fix = "are the labels counted from 0, and are these all the rows?"
        return Line(f"{text}; none of class {missing}", missing, "missing-class", fix)
    if ratio > IMBALANCE:
        fix = "fit(..., class_weight={label: weight}); accuracy says little here"
        return Line(text, ratio, "unbalanced-classes", fix)
    return Line(text, ratio)


# --- the model -------------------------------------------------------------------------------------------------------


def output(case: Case) -> Line:
    """Whether the last layer can say what the loss asks for: scores of any size; numbers as large as the targets."""
    y, t, last, C = case.y, case.all_t, case.layers[-1], case.y.shape[1]
    text = f"y in {y.min():.3g} .. {y.max():.3g} at the start"
    if case.loss.classifies:
        fix = "leave that layer out: the loss takes scores of any size, and makes the probabilities itself"
        if C > 1 and y.min() >= 0 and np.allclose(y.sum(axis=1), 1, atol=1e-3):
            least = math.log1p((C - 1) / math.e)  # a 1 among zeros is the best that there is
            text += f": probabilities. The loss makes softmax of them once more, and stays above {least:.2g}"
            return Line(text, least, "softmax-before-loss", fix, last.place)
        if isinstance(last, Sigmoid | Tanh):
            least = math.log1p((C - 1) * math.exp(-1 if isinstance(last, Sigmoid) else -2))
            text += f": {last!r} bounds the scores, so that the loss stays above {least:.2g}"
            return Line(text, least, "bounded-scores", fix, last.place)
        if isinstance(last, ReLU):
            return Line(f"{text}: {last!r} cuts off scores below 0", 0, "relu-scores", fix, last.place)
    elif not case.problem and y.shape[1:] == t.shape[1:]:
        low, high = REACH.get(type(last), (-math.inf, math.inf))
        if t.min() < low or t.max() > high:
            text += f": {last!r} gives {low:g} .. {high:g}, the targets lie in {t.min():.3g} .. {t.max():.3g}"
            fix = "leave that layer out, or bring the targets into its range"
            return Line(text, float(max(low - t.min(), t.max() - high)), "out-of-reach", fix, last.place)
    return Line(text, float(y.max()))


REACH: dict[type, tuple[float, float]] = {Sigmoid: (0.0, 1.0), Tanh: (-1.0, 1.0), ReLU: (0.0, math.inf)}


def order_of_layers(case: Case) -> Line:
    """Two of a kind in a row: a sigmoid makes (0.5, 0.73) of (0, 1); two affine maps are one."""
    for a, b in zip(case.layers, case.layers[1:]):
        if isinstance(a, Sigmoid | Tanh) and isinstance(b, Sigmoid | Tanh):
            text = f"{b.where}, right after {a!r}, gives no more than {b.y.min():.2g} .. {b.y.max():.2g}"
            return Line(text, float(np.ptp(b.y)), "squashed-twice", "leave one of the two out", b.place)
        if isinstance(a, Affine) and isinstance(b, Affine) and a.n_out >= min(a.n_in, b.n_out):
            text = f"{b.where}, right after {a!r}: together they are one affine map"
            return Line(text, 2, "affine-twice", "an activation such as ReLU() between the two", b.place)
    return Line(f"{len(case.layers)}, none undoes the one before it", len(case.layers))


def first_weights(case: Case) -> Line:
    """Units that start equal have equal gradients and stay equal: such a layer is a single unit."""
    params = case.model.params
    bad = int((~np.isfinite(params)).sum())
    if bad:
        return Line(f"{bad:,} of {params.size:,} are NaN or infinite", bad, "weights-not-finite", "make the model anew")
    for layer in case.affine[:-1]:  # the last one may: what comes to its units differs
        if layer.n_out > 1 and not np.ptp(layer.W, axis=1).any():
            text = f"{layer.where}: its {layer.n_out} units are all equal, with weights such as {layer.W[0, 0]:.3g}"
            fix = 'weights drawn at random: weight_init="kaiming_normal"'
            return Line(text, float(layer.W[0, 0]), "equal-weights", fix, layer.place)
    return Line(f"{params.size:,} numbers, root mean square {rms(params):.2g}", rms(params))


def dead_relus(case: Case) -> Line | None:
    """Units that are 0 in every row: no gradient comes through, so they stay so."""
    shares = {layer: dead(layer.y) for layer in case.layers if isinstance(layer, ReLU)}
    return worst(case, shares, DEAD_SHARE, "dead-relus", "units are 0 in every row")


def saturation(case: Case) -> Line | None:
    """Outputs at the flat ends of sigmoid or tanh: hardly any gradient comes through."""
    shares = {layer: saturated(layer, layer.y) for layer in case.layers[:-1] if isinstance(layer, Sigmoid | Tanh)}
    return worst(case, shares, SATURATED_SHARE, "saturated", "outputs are at a flat end")


def worst(case: Case, shares: dict[Any, float], limit: float, code: str, what: str) -> Line | None:
    """The first layer whose share is above the limit, else the layer with the greatest."""
    if not shares:
        return None
    layer = next((layer for layer in shares if shares[layer] > limit), max(shares, key=shares.__getitem__))
    text = f"{layer.where}: {100 * shares[layer]:.3g} % of {layer.y.shape[1]} {what}"
    if shares[layer] <= limit:
        return Line(text, shares[layer], place=layer.place)
    for a in case.affine:
        if a.place is not None and a.place + 1 == layer.place:
            text += f"; {a!r} before it has biases of {a.b.mean():.2g} and weights of {rms(a.W):.2g}"
    fix = 'biases that start at 0, weights as "kaiming_normal" draws them, x of about 1'
    return Line(text, shares[layer], code, fix, layer.place)


def signal(case: Case) -> Line:
    """How much y varies from row to row beside x: a factor per layer, to the power of the depth."""
    layers = case.layers
    across = spread(case.x)
    if not across:
        raise LeftOut("all rows of x are equal")
    gains = {layer: spread(layer.y) / across for layer in layers}
    text = f"y varies {min(gains.values()):.2g} to {max(gains.values()):.2g} times as much as x"
    for layer, gain in gains.items():
        if not gain < GAIN:
            text += f", {gain:.2g} times in {layer.where}"
            fix = 'smaller weights: variance 2 / n_in before ReLU ("kaiming_normal"), 1 / n_in before tanh'
            return Line(text, gain, "exploding-signal", fix, layer.place)
    return Line(text, max(gains.values()))


def biases(case: Case) -> Line | None:
    """Hidden units whose biases outweigh all that x W does: they are on, or off, for good."""
    ratios = {layer: rms(layer.b) / spread(layer.y) for layer in case.affine[:-1] if spread(layer.y)}
    if not ratios:
        return None
    layer = max(ratios, key=ratios.__getitem__)
    text = f"{layer.where}: b is {ratios[layer]:.2g} times as large as x W varies"
    if ratios[layer] > LARGE_BIAS:
        return Line(text, ratios[layer], "large-bias", 'biases that start at 0: bias_init="zeros"', layer.place)
    return Line(text, ratios[layer], place=layer.place)


def first_loss(case: Case) -> Line:
    """The loss of the first weights beside that of chance: log C for C classes, the variance of t for numbers."""
    text, (chance, _) = f"{case.value:.3g}", case.levels
    if not math.isfinite(case.value):
        fix = "see above: numbers that are too large; or, in a loss of your own, log 0 or 0 / 0"
        return Line(text, case.value, "loss-not-finite", fix)
    if math.isfinite(chance):
        name = f"log {case.y.shape[1]}" if case.loss.classifies else "that of the mean"
        text += f"; chance gives {chance:.3g}, {name}"
    limit = CHANCE_RATIO if case.loss.classifies else CHANCE_RATIO_OF_NUMBERS
    if case.of_chance > limit:
        fix = "x of about 1; smaller weights, in the last layer first"
        return Line(text, case.of_chance, "loss-at-start", fix)
    return Line(text, case.of_chance)


def gradients(case: Case) -> Line | None:
    """The gradient's size from layer to layer: the chain rule multiplies a factor per layer."""
    untrained = not case.of_chance < TRAINED
    learning = [layer for layer in case.layers if layer.parameters]
    sizes = {a: rms(np.concatenate([a.arrays["d" + name].ravel() for name in a.parameters])) for a in learning}
    if not sizes:
        return None
    low, high = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    ratio = sizes[low] / sizes[high] if sizes[high] else 0.0
    text = f"root mean square {sizes[high]:.2g} in {high.where}"
    if low is not high:
        text += f", {sizes[low]:.2g} in {low.where}"
    if not math.isfinite(sum(sizes.values())):
        return Line(text, math.nan, "gradient-not-finite", "see above", high.place)
    behind_zeros = any(not a.arrays[a.parameters[0]].any() for a in learning[1:])  # from the second step on, it comes
    if not untrained or behind_zeros or ratio >= GRADIENT_RATIO:
        return Line(text, ratio)
    if not sizes[low]:
        return Line(text, 0.0, "zero-gradient", "what this layer does does not reach the loss: see above", low.place)
    code = "vanishing-gradient" if low.place < high.place else "exploding-gradient"
    fix = 'ReLU for sigmoid or tanh, weights as "kaiming_normal" draws them, or fewer layers'
    return Line(text, ratio, code, fix, low.place)


# --- the algorithm ---------------------------------------------------------------------------------------------------


def few_rows(case: Case) -> Line:
    """What cannot learn a few rows by heart will learn nothing from many (Karpathy 2019)."""
    case.demand_targets()
    chance, least = case.levels
    rows = different(case)
    x, t = case.x[rows], case.t[rows]
    first = best = float(case.loss(case.y[rows], t))
    goal = first - FEW_LEFT * abs(first)  # for a loss that is not known here, to fall is enough
    if math.isfinite(chance):
        goal = least + FEW_LEFT * (max(chance, first) - least)
    for lr in FEW_RATES:
        (model, loss), _ = copies(case.model, case.loss)
        optimizer, steps = Adam(model, lr), 0
        while steps < FEW_STEPS and not best <= goal:
            value, steps = step(model, loss, optimizer, x, t), steps + 1
            best = value if not value >= best else best
    text = f"the loss of {len(rows)} rows comes from {first:.3g} to {best:.2g} with Adam"
    if not best <= goal:
        text += f" in {FEW_STEPS} steps"
        fix = "see above; else look for what the model cannot say, or for a backward that is wrong"
        return Line(text, best, "few-rows-not-learned", fix)
    return Line(text, best)


def different(case: Case) -> Array:
    """Rows that any model can learn: all different, of different classes, one more than x has columns at most."""
    _, rows = np.unique(case.x[:100], axis=0, return_index=True)
    rows.sort()
    if case.loss.classifies:
        _, first = np.unique(labels_of(case.t[rows]), return_index=True)
        rows = np.concatenate([rows[first], np.delete(rows, first)])
    return rows[: min(FEW_ROWS, case.x.shape[1] + 1)]


def learning_rate(case: Case) -> Line:
    """The rate beside others, by how far the loss falls in a few steps (Smith 2017)."""
    s, start = case.sweep, case.start
    low, high = s.learns
    fall = s.fall(s.best)
    text = f"{s.optimizer} learns with {low:.1g} .. {high:.1g}, fastest with {s.best:.1g}"
    share = math.nan if s.own is None else s.fall(s.own) / fall if s.own and fall > 0 else 0.0
    if s.own is not None:
        text = f"{s.own:g}; {text}"
    if case.of_chance < TRAINED:
        return Line(f"{text}; the loss is small already", share)
    nothing = not fall > NOTHING * case.scale
    if nothing and case.of_chance > NEW:
        text = f"none of {min(s.losses):g} .. {max(s.losses):g} brings the loss below {start - max(fall, 0):.3g}"
        return Line(text, share, "no-rate-learns", "see above: the cause lies in the data or in the model")
    if nothing or s.own is None:
        return Line(text, share)
    peak = s.peaks.get(s.own, start)
    if share < 0.5 and s.own > s.best and peak - start > PEAK * case.scale:
        text += f"; the loss goes up from {start:.3g} to {peak:.2g}"
        return Line(text, share, "lr-too-high", f"lr={s.best:.1g}")
    if share < SLOW and s.own < s.best:
        text += f"; the loss falls by {100 * share:.1g} % of what it could"
        return Line(text, share, "lr-too-low", f"lr={s.best:.1g}")
    return Line(text, share)


def update(case: Case) -> Line | None:
    """How far the first step moves the weights, in units of their size."""
    if case.optimizer is None:
        return None
    untrained = not case.of_chance < TRAINED
    (model, loss, optimizer), layers = copies(case.model, case.loss, case.optimizer)
    before = {layer: layer.arrays[layer.parameters[0]].copy() for layer in layers if layer.parameters}
    if not before:
        return None
    step(model, loss, optimizer, case.x[:SWEEP_BATCH], case.t[:SWEEP_BATCH])
    ratios = []
    for layer, W in before.items():
        size = max(rms(W), math.sqrt(layer.y.shape[1] / W.size))  # at least 1 / sqrt(n_in): weights may start at 0
        ratios.append(rms(layer.arrays[layer.parameters[0]] - W) / size)
    text = f"a step changes weights by {min(ratios):.1g} to {max(ratios):.1g} of their size; about 1e-3 is healthy"
    if not max(ratios) < LARGE_UPDATE:
        return Line(text, max(ratios), "large-update", "a smaller lr")
    if max(ratios) < SMALL_UPDATE and untrained:
        return Line(text, max(ratios), "small-update", "a larger lr, unless the gradient is at fault: see above")
    return Line(text, max(ratios))


def labels_of(t: Array) -> Array:
    """Labels (N,), also of rows of probabilities (N, C)."""
    return t if t.ndim == 1 else t.argmax(axis=1)


CHECKS: dict[str, Callable[[Case], Line | None]] = {
    "numbers": numbers,
    "input scale": input_scale,
    "columns": constant_columns,
    "targets": targets,
    "classes": classes,
    "output": output,
    "layers": order_of_layers,
    "first weights": first_weights,
    "dead ReLUs": dead_relus,
    "saturation": saturation,
    "signal": signal,
    "biases": biases,
    "loss at start": first_loss,
    "gradients": gradients,
    "few rows": few_rows,
    "learning rate": learning_rate,
    "update": update,
}
