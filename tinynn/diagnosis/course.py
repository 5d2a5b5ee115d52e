"""How a training is run: its learning rates, its batches, and what is done with the model between the steps.

Watch keeps a Course. Its checks, below, give a Result where something is wrong, else None.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backends
from ..layers import BatchNorm, Dropout
from ..layers.layer import Layer
from ..training.callbacks import Run
from .blocks import SMALL_BATCH
from .report import Result

DECAYED = 1e-4  # rate of an epoch over the greatest: 2.5e-4 (the last of 100 along a cosine) | 1e-5
OF_THE_EPOCHS = 0.1  # that may be so: 0.02 (one cycle of 100) | 0.3
OF_THE_STEPS = 0.5  # that may have small batches: 0.1 (what is left at an epoch's end) | 1


class Course:
    """What the checks look at, step by step. (`seen` is the x that the last step went forward with.)"""

    def __init__(self, model: Any, layers: tuple[Layer, ...]) -> None:
        self.layers, self.ops = layers, backends.of(model)
        self.norms = [layer for layer in layers if isinstance(layer, BatchNorm)]
        self.rates: list[float] = []  # the mean of each epoch
        self.of_steps: list[float] = []  # those since the last epoch's end
        self.steps, self.small = 0, 0  # all, and those with one or two rows
        self.seen: Any = None
        self.between = ""  # what was done with the model between the steps
        self.means = self.running_means()

    @property
    def x(self) -> Any:
        """The x of the model's last forward."""
        return next((layer.x for layer in self.layers if layer.x is not None), None)

    def step(self, run: Run) -> None:
        """Keep rate and batch of the step, and look whether the running means have moved by it alone."""
        self.steps += 1
        self.of_steps.append(float(getattr(run.optimizer, "lr", math.nan)))
        self.seen = self.x
        self.small += self.seen is not None and len(self.seen) <= SMALL_BATCH
        for layer, mean in self.means.items():
            if hasattr(layer, "batch") and not self.between:  # one that the model does not use has none
                expected = self.ops.to_numpy(layer.momentum * mean + (1 - layer.momentum) * layer.batch[0])
                off = np.abs(self.ops.to_numpy(layer.mean) - expected).max()
                if off > 1e-3 * np.abs(expected).max():  # rounding: 1e-7
                    self.between = (
                        f"before step {self.steps}, something else has moved the running mean of {layer.where}"
                    )
        self.means = self.running_means()

    def running_means(self) -> dict[BatchNorm, Any]:
        """Of each batch normalization, as they are now."""
        return {layer: layer.mean.copy() for layer in self.norms}

    def look(self) -> None:
        """Look whether the last forward was that of the last step."""
        differs = any(isinstance(layer, BatchNorm | Dropout) for layer in self.layers)
        if differs and self.seen is not None and self.x is not self.seen and not self.between:
            self.between = f"after step {self.steps}, forward was called with {len(self.x):,} other rows"

    def epoch(self) -> None:
        """An epoch is done."""
        self.look()
        self.rates.append(float(np.mean(self.of_steps)))
        self.of_steps = []

    @property
    def findings(self) -> list[Result]:
        """What is wrong."""
        return [found for found in (check(self) for check in CHECKS) if found is not None]


def decayed_rate(course: Course) -> Result | None:
    """Whether a schedule has brought the learning rate down to nothing long before the end."""
    rates, top = course.rates, max(course.rates, default=0.0)
    low = [rate for rate in rates if rate < DECAYED * top]
    if len(low) <= OF_THE_EPOCHS * len(rates):
        return None
    text = f"in {len(low)} of {len(rates)} epochs the learning rate was below {DECAYED:g} of its greatest, {top:.3g}"
    fix = "use a schedule over as many epochs as there are, or one that ends at a rate above 0"
    return Result(f"{text}, in the last {rates[-1]:.2g}", rates[-1] / top, "lr-decayed", fix)


def small_batches(course: Course) -> Result | None:
    """Whether batch normalization has its mean and variance from one or two rows."""
    if not course.norms or course.small <= OF_THE_STEPS * course.steps:
        return None
    layer = course.norms[0]
    text = f"{course.small:,} of {course.steps:,} batches have {SMALL_BATCH} rows or fewer"
    fix = "use batch_size=32 or more, or no batch normalization"
    share = course.small / course.steps
    return Result(
        f"{text}, and {layer.where} computes mean and variance from these", share, "small-batches", fix, layer.place
    )


def evaluation(course: Course) -> Result | None:
    """Whether the model goes forward between the steps: that is training, moves running means and drops units."""
    if not course.between:
        return None
    fix = "evaluate with model(x), model.predict(x) or model.evaluate(x, t, loss=loss)"
    text = f"{course.between}: forward is training, with dropout and the batch's mean and variance"
    return Result(text, 1, "evaluation-in-training-mode", fix)


CHECKS: tuple[Callable[[Course], Result | None], ...] = (decayed_rate, small_batches, evaluation)
