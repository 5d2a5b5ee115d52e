"""Callbacks: what `fit` calls after each epoch. `model.fit(..., callbacks=[EarlyStopping(patience=3), my_function])`.

A callback is a function of the Run: it looks at `run.history`, may change `run.optimizer.lr` or call `run.stop(why)`.

    def say(run):
        print(run.epoch, run.history["loss"][-1])

A class may also have `start(run)`, called before the first epoch, `step(run)`, called after each step, and `end(run)`,
called once at the end, whatever has ended the training: the last epoch, a callback, Ctrl-C or an error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from . import checks
from .checks import Array


class Run:
    """One call of `fit` as callbacks see it: its model, loss, optimizer and history; the steps done, and the last
    one's loss as `value`."""

    def __init__(self, model: Any, loss: Any, optimizer: Any, history: Any) -> None:
        self.model, self.loss, self.optimizer, self.history = model, loss, optimizer, history
        self.steps, self.value = 0, math.nan

    @property
    def epoch(self) -> int:
        """How many epochs are done, those of earlier calls with the same optimizer included."""
        return self.history.first + len(self.history)

    def stop(self, reason: str) -> None:
        """End the training after this epoch, or within it after this step; the history keeps the reason."""
        self.history.stopped = checks.text("run.stop: reason", reason)


class EarlyStopping:
    """Stop when a figure has not got better for `patience` epochs, and give the model its best parameters back.

    `monitor` is a column of the history. Without a name it is val_loss, or loss where nothing was validated. Better is
    less with mode="min", more with "max", by at least `min_delta`; "auto" takes an accuracy for "max", all else for
    "min". The best parameters come back whatever ends the training.
    """

    def __init__(self, patience: int, min_delta: float = 0.0, monitor: str | None = None, mode: str = "auto") -> None:
        self.patience = checks.integer("EarlyStopping: patience", patience, 1)
        self.min_delta = checks.number("EarlyStopping: min_delta", min_delta, 0)
        if checks.text("EarlyStopping: mode", mode) not in ("auto", "min", "max"):
            raise ValueError(f"EarlyStopping: mode must be 'auto', 'min' or 'max', not {mode!r}")
        self.monitor = monitor if monitor is None else checks.text("EarlyStopping: monitor", monitor)
        self.mode = mode
        self.best, self.best_epoch = math.inf, 0
        self.params: Array | None = None

    def start(self, run: Run) -> None:
        """Forget what was before."""
        self.best, self.best_epoch, self.params = math.inf, run.epoch, None

    def __call__(self, run: Run) -> None:
        name = self.monitor
        if name is None:
            name = "val_loss" if "val_loss" in run.history else "loss"
        if name not in run.history:
            raise ValueError(f"EarlyStopping: monitor must be one of {', '.join(run.history.keys())}, not {name!r}")
        value = run.history[name][-1]
        if self.mode == "max" or (self.mode == "auto" and name.endswith("accuracy")):
            value = -value
        if value < self.best - self.min_delta or self.params is None:
            self.best = math.inf if math.isnan(value) else value  # all that comes is better than NaN
            self.best_epoch, self.params = run.epoch, run.model.params.copy()
        elif run.epoch - self.best_epoch >= self.patience:
            run.stop(f"{name} has not got better since epoch {self.best_epoch}")

    def end(self, run: Run) -> None:
        """The best parameters again."""
        if self.params is not None:
            run.model.params[...] = self.params


class LearningRate:
    """Set the learning rate of each epoch: lr = schedule(epoch), epoch = 0, 1, 2, ..., counted by the optimizer.

    So a second `fit` goes on in the schedule where the first stopped. Schedules: constant, steps, exponential, cosine,
    warm_up, or a function of one's own.
    """

    def __init__(self, schedule: Callable[[int], float]) -> None:
        if not callable(schedule):
            raise TypeError(f"LearningRate: schedule must be a function of the epoch, not {checks.describe(schedule)}")
        self.schedule = schedule

    def start(self, run: Run) -> None:
        """The rate of the first epoch."""
        self(run)

    def __call__(self, run: Run) -> None:
        run.optimizer.lr = checks.number(f"LearningRate: schedule({run.epoch})", self.schedule(run.epoch), 0)


def constant(lr: float) -> Callable[[int], float]:
    """The same lr in each epoch."""
    lr = checks.number("constant: lr", lr, 0)
    return lambda epoch: lr


def steps(lr: float, every: int, factor: float = 0.1) -> Callable[[int], float]:
    """lr, times `factor` after each `every` epochs (He et al. 2016 divide by 10)."""
    lr, factor = checks.number("steps: lr", lr, 0), checks.number("steps: factor", factor, 0)
    every = checks.integer("steps: every", every, 1)
    return lambda epoch: lr * factor ** (epoch // every)


def exponential(lr: float, factor: float) -> Callable[[int], float]:
    """lr factor^epoch."""
    lr, factor = checks.number("exponential: lr", lr, 0), checks.number("exponential: factor", factor, 0)
    return lambda epoch: lr * factor**epoch


def cosine(lr: float, epochs: int, least: float = 0.0) -> Callable[[int], float]:
    """Half a wave of the cosine from lr down to `least` in so many epochs, and `least` after them.

    Source: Loshchilov & Hutter 2017 (SGDR), equation 5, without restarts.
    """
    lr, least = checks.number("cosine: lr", lr, 0), checks.number("cosine: least", least, 0)
    epochs = checks.integer("cosine: epochs", epochs, 1)
    return lambda epoch: least + (lr - least) * (1 + math.cos(math.pi * min(epoch / epochs, 1))) / 2


def warm_up(schedule: Callable[[int], float], epochs: int) -> Callable[[int], float]:
    """`schedule` with its first `epochs` rates shortened to 1/(epochs + 1), 2/(epochs + 1), ... of themselves."""
    if not callable(schedule):
        raise TypeError(f"warm_up: schedule must be a function of the epoch, not {checks.describe(schedule)}")
    epochs = checks.integer("warm_up: epochs", epochs, 1)
    return lambda epoch: schedule(epoch) * min((epoch + 1) / (epochs + 1), 1)
