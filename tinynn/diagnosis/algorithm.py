"""Checks of the algorithm: the learning rate, the first step."""

from __future__ import annotations

import math

from ..model.any_model import copies, in_order_of_use
from .evidence import SWEEP_BATCH, TRAINED, Evidence, step
from .figures import rms
from .report import Result

NEW = 0.9  # the same: with more, it knows nothing yet
PEAK = 3.0  # rise of the loss on the way, over the same: 1.4 | 4.3
SLOW = 3e-3  # fall of the loss over that at the best rate: 0.09 | 3e-4
NOTHING = 0.01  # fall of the loss at the best rate over the loss at the start or of chance
SMALL_UPDATE, LARGE_UPDATE = 1e-5, 3.0  # |change of W| / |W|: 9e-4 | 2e-6; 0.9 | 7. About 1e-3 is best (CS231n)


def learning_rate(evidence: Evidence) -> Result:
    """The rate beside others, by how far the loss falls in a few steps (Smith 2017)."""
    s = evidence.sweep
    start = s.start
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
        text += f"; the loss falls by {100 * share:.1g} % of its fall at the best rate"
        epochs = getattr(evidence.optimizer, "epochs", 0)
        if epochs:
            fix = f"a schedule that ends later, or higher; to go on from here, lr={s.best:.1g}"
            return Result(f"{text}; that is the rate after {epochs} epochs", share, "lr-decayed", fix)
        return Result(text, share, "lr-too-low", f"lr={s.best:.1g}")
    return Result(text, share)


def update(evidence: Evidence) -> Result | None:
    """How far the first step moves the weights, divided by their size."""
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
