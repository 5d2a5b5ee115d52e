"""Checks of what can be learned: whether x says anything about t, a few rows by heart, better than chance from many."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..checks import Array
from ..layers import BatchNorm
from ..losses import GaussianNLL
from ..model.any_model import copies
from ..optimizers import Adam
from ..training import demands
from . import levels
from .evidence import SWEEP_BATCH, Evidence, step
from .figures import labels_of
from .report import LeftOut, Result

FEW_ROWS, FEW_STEPS, FEW_RATES = 8, 200, (1e-2, 3e-3, 1e-1, 1e-3)  # to learn by heart with Adam
FEW_LEFT = 0.2  # of the loss at the start or of chance: 0.13 (a bottleneck of 8 units) | 1
NEW_ROWS = 400  # from so many on (twice, for a variance to learn), chance is measured on rows not trained with
BETTER = 0.05  # fall of the loss below that of the best constant y, over the greatest possible: 0.1 | 0.044
MANY_STEPS = 800  # of tables, at each rate: 450 (a narrow autoencoder) | never
LONGER = 3  # times as many, while the loss still falls
FALLS = (
    0.01  # of the way to the goal, in the last quarter of the steps: 0.015 (an autoencoder leaves its plateau) | 0.005
)
SHARES = (1.0, 0.1, 0.01)  # of scores: those of a large x are too sure, and tell of t all the same
LOOK = 10  # steps from one look at the loss to the next
ORDERS = 100  # of t, at random, beside its own
OWN_ORDER = 5.0  # by so many standard deviations t fits x better in its own order: 7 | 3.6, of 60 rows or more
FEWEST, MOST = 60, 500  # rows to tell that by: of 12 rows it is 1.6 | 2.0


def few_rows(evidence: Evidence) -> Result:
    """A model that cannot learn a few rows by heart will learn nothing from many (Karpathy 2019)."""
    evidence.demand_targets()
    rows = different(evidence)
    if len(rows) < 2 and evidence.has(BatchNorm):
        raise LeftOut("batch normalization needs two rows, and all are equal")
    x, t = evidence.x[rows], evidence.t[rows]
    chance, least = evidence.levels[0], levels.of_chance(evidence.loss, t, evidence.width)[1]
    first = best = float(evidence.loss(evidence.y[rows], t))
    goal = first - FEW_LEFT * abs(first)  # for a loss that is not known here, to fall is enough
    if math.isfinite(chance):
        goal = least + FEW_LEFT * (max(chance, first) - least)
    for lr in FEW_RATES:
        model, loss = copies(evidence.model, evidence.loss)
        optimizer, steps = Adam(model, lr), 0
        while steps < FEW_STEPS and not best <= goal:
            value, steps = step(model, loss, optimizer, x, t), steps + 1
            if steps % LOOK == 0 and evidence.differs_in_use:  # without dropout: that is no fault of the model
                value = min(value, float(loss(demands.call(model, x), t)))
            best = value if not value >= best else best
    text = f"with Adam, the loss on {len(rows)} rows goes from {first:.3g} to {best:.2g}"
    evidence.learns_few = best <= goal
    if not evidence.learns_few:
        text += f" in {FEW_STEPS} steps"
        fix = "look for what the model cannot express; tinynn.check(model, x, t, loss) looks for a wrong backward"
        return Result(text, best, "few-rows-not-learned", fix)
    return Result(text, best)


def different(evidence: Evidence) -> Array:
    """Rows that any model can learn: all different, of different classes, as many as x has columns at most."""
    _, rows = np.unique(evidence.x[:100].reshape(min(100, len(evidence.x)), -1), axis=0, return_index=True)
    rows.sort()
    if evidence.loss.classifies:
        labels = labels_of(evidence.t[rows]).reshape(len(rows), -1)[:, 0]
        _, first = np.unique(labels, return_index=True)
        rows = np.concatenate([rows[first], np.delete(rows, first)])
    return rows[: min(FEW_ROWS, max(2, evidence.x[0].size))]


def order_of_rows(evidence: Evidence) -> Result | None:
    """Whether x says anything about t: if x and t were shuffled separately, rows are learned by heart at best.

    Either rows with similar x have similar t, or what the model learns from half of the rows also fits the others.
    """
    evidence.demand_targets()
    half = len(evidence.x) // 2
    if len(evidence.x) < FEWEST or not evidence.constant(slice(None))[1] > 0:
        return None
    if tell(evidence.x, evidence.t):
        return Result("rows with similar x have similar t", 1)
    if learned(evidence, half, -math.inf)[3]:
        return Result(f"what the model learns from {half} rows also fits others", 1)
    evidence.belong = False
    text = f"neither similar rows of x nor what the model learns from {half} of them say anything about t: "
    return Result(f"{text}any other order of t fits as well", 0, "labels-shuffled", "are x and t in the same order?")


def chance(evidence: Evidence) -> Result | None:
    """Whether any training gets below the loss of the best constant y, which does not use x.

    With many rows, the model is trained with half of them and tested with the others; with few, it is tested with the
    same rows. A model that learns eight rows but fails with many is too small for what x says about t.
    """
    evidence.demand_targets()
    if not evidence.belong:
        raise LeftOut("x says nothing about t")
    learns_variance = isinstance(evidence.loss, GaussianNLL) and evidence.loss.variance is None  # at first too small
    half = len(evidence.x) // 2 if len(evidence.x) >= NEW_ROWS * (1 + learns_variance) else 0
    constant, scale = evidence.constant(slice(0, half or None))
    if not scale > 0:
        return None
    goal = constant - BETTER * scale
    best, share, known, _ = learned(evidence, half, goal)
    rows = f"{half} new rows" if half else f"{len(evidence.x)} rows that it is trained with"
    alone = "the class frequencies alone give" if evidence.loss.classifies else "the mean of t alone gives"
    if best <= goal:
        shrunk = "" if share == 1 else f" (scores divided by {1 / share:g})"
        return Result(f"with Adam, the loss on {rows} falls to {best:.3g}{shrunk}; {alone} {constant:.3g}", best)
    text = f"no learning rate brings the loss on {rows} clearly below chance: {alone} {constant:.3g}, "
    text += f"the best is {best:.3g}"
    fix = "does the model have a hidden layer with a non-linearity, such as ReLU(), and enough units?"
    if evidence.learns_few and known > goal:
        return Result(text, best, "model-too-small", fix)
    return Result(text, best, "no-better-than-chance", f"{fix} Do the rows of x say anything about t?")


def learned(evidence: Evidence, half: int, goal: float) -> tuple[float, float, float, bool]:
    """The least loss of the first half, training with the second until the goal is reached, and of which share of the
    scores; that of the rows trained with; and whether what was learned fits the first half in its own order alone.
    Half 0: all rows are both."""
    x, t = evidence.x[: half or None], evidence.t[: half or None]
    known_x, known_t = evidence.x[half:], evidence.t[half:]
    best = known = float(evidence.loss(evidence.y[: half or None], t))
    share = 1.0
    rng, tells, most = np.random.default_rng(2), False, MANY_STEPS if x.ndim == 2 else FEW_STEPS
    for lr in FEW_RATES:
        model, loss = copies(evidence.model, evidence.loss)
        optimizer, steps = Adam(model, lr), 0
        seen: list[float] = []  # the least loss at each look
        while not best <= goal and (steps < most or (steps < LONGER * most and falls(seen, goal))):
            for _ in range(LOOK):
                batch = rng.permutation(len(known_x))[:SWEEP_BATCH]
                step(model, loss, optimizer, known_x[batch], known_t[batch])
            steps += LOOK
            y = demands.call(model, x)
            for c in SHARES if evidence.loss.classifies else SHARES[:1]:
                value = float(loss(y * y.dtype.type(c), t))
                best, share = (value, c) if not value >= best else (best, share)
                if best <= goal:
                    break
            seen.append(min([float(loss(y, t)), *seen[-1:]]))
            if evidence.differs_in_use and not best <= goal:  # running means may not have come so far
                value = float(loss(model.forward(x), t))
                best, share = (value, 1.0) if not value >= best else (best, share)
        if half and not best <= goal:
            y = demands.call(model, x[:MOST])
            known = min(known, float(loss(demands.call(model, known_x), known_t)))
            tells = tells or in_own_order(fit_of(loss, y, t), len(y))
    return best, share, known if half else best, tells


def falls(seen: list[float], goal: float) -> bool:
    """Whether a loss that has not reached the goal goes on towards it: the rest of the way is not far for it."""
    before, now = seen[-(len(seen) // 4) - 1], seen[-1]
    return before - now > FALLS * (before - goal)


def tell(x: Array, t: Array) -> bool:
    """Whether rows with similar x have similar t: by all their distances (Szekely, Rizzo & Bakirov 2007, distance
    covariance) or by those of the nearest three."""
    x, t = x[:MOST].reshape(len(x[:MOST]), -1), t[:MOST].reshape(len(t[:MOST]), -1)
    apart, of_t = distances(x), distances(t) if t.dtype.kind == "f" else (t[:, None] != t).mean(axis=-1)
    np.fill_diagonal(apart, math.inf)
    rows, near = np.arange(len(x))[:, None], np.argsort(apart, axis=1)[:, :3]
    np.fill_diagonal(apart, 0)
    centred = apart - apart.mean(axis=0) - apart.mean(axis=1, keepdims=True)

    def fit(order: Array) -> list[float]:
        return [float((centred * of_t[np.ix_(order, order)]).sum()), -float(of_t[order[rows], order[near]].mean())]

    return in_own_order(fit, len(x))


def fit_of(loss: Any, y: Array, t: Array) -> Callable[[Array], list[float]]:
    """How well t fits y in some order."""
    return lambda order: [-float(loss(y, t[order]))]


def in_own_order(fit: Callable[[Array], list[float]], rows: int) -> bool:
    """Whether one of the figures of fit is clearly greater for rows in their own order than for others at random."""
    rng = np.random.default_rng(3)
    own = np.array(fit(np.arange(rows)))
    others = np.array([fit(rng.permutation(rows)) for _ in range(ORDERS)])
    return bool((own > others.mean(axis=0) + OWN_ORDER * others.std(axis=0)).any())


def distances(a: Array) -> Array:
    """Of each row from each, (N, N)."""
    a = a.astype(np.float64)
    squares = (a * a).sum(axis=1)
    return np.sqrt(np.maximum(squares[:, None] + squares - 2 * a @ a.T, 0))
