"""Checks of the algorithm: a few rows learned by heart, the learning rate, the first step."""

from __future__ import annotations

import math

import numpy as np

from ..checks import Array
from ..losses import GaussianNLL
from ..model.any_model import copies, in_order_of_use
from ..optimizers import Adam
from .evidence import SWEEP_BATCH, TRAINED, Evidence, step
from .figures import labels_of, rms
from .report import Result

NEW = 0.9  # the same: with more, it knows nothing yet
FEW_ROWS, FEW_STEPS, FEW_RATES = 8, 200, (1e-2, 1e-1, 1e-3)  # to learn by heart with Adam
FEW_LEFT = 0.1  # of the loss at the start or of chance
NEW_ROWS = 400  # from so many on (twice, for a variance to learn), chance is measured on rows not trained with
BETTER = 0.05  # fall of the loss below that of the best constant y, over the greatest possible: 0.1 | 0.044
LOOK = 10  # steps from one look at the loss to the next
PEAK = 3.0  # rise of the loss on the way, over the same: 1.4 | 4.3
SLOW = 3e-3  # fall of the loss over that at the best rate: 0.09 | 3e-4
NOTHING = 0.01  # fall of the loss at the best rate over the loss at the start or of chance
SMALL_UPDATE, LARGE_UPDATE = 1e-5, 3.0  # |change of W| / |W|: 9e-4 | 2e-6; 0.9 | 7. About 1e-3 is best (CS231n)


def few_rows(evidence: Evidence) -> Result:
    """What cannot learn a few rows by heart will learn nothing from many (Karpathy 2019)."""
    evidence.demand_targets()
    rows = different(evidence)
    x, t = evidence.x[rows], evidence.t[rows]
    chance, least = evidence.levels[0], evidence.levels_of(t)[1]
    first = best = float(evidence.loss(evidence.y[rows], t))
    goal = first - FEW_LEFT * abs(first)  # for a loss that is not known here, to fall is enough
    if math.isfinite(chance):
        goal = least + FEW_LEFT * (max(chance, first) - least)
    for lr in FEW_RATES:
        model, loss = copies(evidence.model, evidence.loss)
        optimizer, steps = Adam(model, lr), 0
        while steps < FEW_STEPS and not best <= goal:
            value, steps = step(model, loss, optimizer, x, t), steps + 1
            best = value if not value >= best else best
    text = f"Adam brings the loss of {len(rows)} rows from {first:.3g} to {best:.2g}"
    if not best <= goal:
        text += f" in {FEW_STEPS} steps"
        fix = "look for what the model cannot express; tinynn.check(model, x, t, loss) looks for a wrong backward"
        return Result(text, best, "few-rows-not-learned", fix)
    return Result(text, best)


def different(evidence: Evidence) -> Array:
    """Rows that any model can learn: all different, of different classes, one more than x has columns at most."""
    _, rows = np.unique(evidence.x[:100].reshape(min(100, len(evidence.x)), -1), axis=0, return_index=True)
    rows.sort()
    if evidence.loss.classifies:
        _, first = np.unique(labels_of(evidence.t[rows]), return_index=True)
        rows = np.concatenate([rows[first], np.delete(rows, first)])
    return rows[: min(FEW_ROWS, evidence.x[0].size + 1)]


def chance(evidence: Evidence) -> Result | None:
    """Whether any training gets below the loss of the best constant y, which knows nothing of x.

    With many rows, half of them are trained with and the others looked at: rows apart from their labels can be learned
    by heart, and say nothing about new rows. Few rows are looked at themselves.
    """
    evidence.demand_targets()
    learns_variance = isinstance(evidence.loss, GaussianNLL) and evidence.loss.variance is None  # at first too small
    half = len(evidence.x) // 2 if len(evidence.x) >= NEW_ROWS * (1 + learns_variance) else 0
    rows = slice(0, half or None)
    constant, scale = evidence.constant(rows)
    if not scale > 0:
        return None
    x, t = evidence.x[rows], evidence.t[rows]
    known_x, known_t = evidence.x[half:], evidence.t[half:]
    goal, best, rng = constant - BETTER * scale, float(evidence.loss(evidence.y[rows], t)), np.random.default_rng(2)
    for lr in FEW_RATES:
        model, loss = copies(evidence.model, evidence.loss)
        optimizer, steps = Adam(model, lr), 0
        while steps < FEW_STEPS and not best <= goal:
            for _ in range(LOOK):
                batch = rng.permutation(len(known_x))[:SWEEP_BATCH]
                step(model, loss, optimizer, known_x[batch], known_t[batch])
            steps += LOOK
            value = float(loss(model.forward(x), t))
            best = value if not value >= best else best
    new = "new rows" if half else "rows that it is trained with"
    of = "the class frequencies alone give" if evidence.loss.classifies else "the mean of t alone gives"
    alone = f"{of} {constant:.3g}"
    if best <= goal:
        return Result(f"Adam brings the loss of {len(x)} {new} to {best:.3g}; {alone}", best)
    text = f"no learning rate brings the loss of {len(x)} {new} clearly below chance: {alone}, the best is {best:.3g}"
    fix = "Are the rows of x and t in the same order? Has the model a hidden layer with a non-linearity, as ReLU()?"
    return Result(text, best, "no-better-than-chance", fix)


def learning_rate(evidence: Evidence) -> Result:
    """The rate beside others, by how far the loss falls in a few steps (Smith 2017)."""
    s, start = evidence.sweep, evidence.start
    low, high = s.learns
    fall = s.fall(s.best)
    text = f"{s.optimizer} learns with {low:.1g} .. {high:.1g}, fastest with {s.best:.1g}"
    share = math.nan if s.own is None else s.fall(s.own) / fall if s.own and fall > 0 else 0.0
    if s.own is not None:
        text = f"{s.own:g}; {text}"
    if evidence.of_chance < TRAINED:
        return Result(f"{text}; the loss is small already", share)
    nothing = not fall > NOTHING * evidence.scale
    if nothing and evidence.of_chance > NEW:
        text = f"none of {min(s.losses):g} .. {max(s.losses):g} brings the loss below {start - max(fall, 0):.3g}"
        return Result(text, share, "no-rate-learns", "look for the cause in the data or in the model")
    if nothing or s.own is None:
        return Result(text, share)
    peak = s.peaks.get(s.own, start)
    if share < 0.5 and s.own > s.best and peak - start > PEAK * evidence.scale:
        text += f"; the loss goes up from {start:.3g} to {peak:.2g}"
        return Result(text, share, "lr-too-high", f"lr={s.best:.1g}")
    if share < SLOW and s.own < s.best:
        text += f"; the loss falls by {100 * share:.1g} % of what it could"
        return Result(text, share, "lr-too-low", f"lr={s.best:.1g}")
    return Result(text, share)


def update(evidence: Evidence) -> Result | None:
    """How far the first step moves the weights, in units of their size."""
    if evidence.optimizer is None:
        return None
    untrained = not evidence.of_chance < TRAINED
    model, loss, optimizer = copies(evidence.model, evidence.loss, evidence.optimizer)
    layers = in_order_of_use(model)
    before = {layer: layer.arrays[layer.parameters[0]].copy() for layer in layers if layer.parameters}
    if not before:
        return None
    step(model, loss, optimizer, evidence.x[:SWEEP_BATCH], evidence.t[:SWEEP_BATCH])
    ratios = []
    for layer, W in before.items():
        size = max(rms(W), math.sqrt(layer.y.shape[-1] / W.size))  # at least 1 / sqrt(n_in): weights may start at 0
        ratios.append(rms(layer.arrays[layer.parameters[0]] - W) / size)
    text = f"a step changes weights by {min(ratios):.1g} to {max(ratios):.1g} of their size; about 1e-3 is healthy"
    if not max(ratios) < LARGE_UPDATE:
        return Result(text, max(ratios), "large-update", "choose a smaller lr")
    if max(ratios) < SMALL_UPDATE and untrained:
        return Result(text, max(ratios), "small-update", "choose a larger lr, unless the gradients are too small")
    return Result(text, max(ratios))
