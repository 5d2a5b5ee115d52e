"""Callbacks: what `fit` calls after each epoch. `model.fit(..., callbacks=[EarlyStopping(patience=3), my_function])`.

A callback is a function of the Run: it looks at `run.history`, may change `run.optimizer.lr` or call `run.stop(why)`.

    def say(run):
        print(run.epoch, run.history["loss"][-1])

A class may also have `start(run)`, called before the first epoch, `step(run)`, called after each step, and `end(run)`,
called once at the end, whether the last epoch, a callback, Ctrl-C or an error has ended the training. A class that
never looks at the x and y of layers may have `looks_inside = False`: then training takes less memory.

Where several processes train one model (Parallel), each of them calls the callbacks. Write `if run.rank == 0` before
everything that only one process should print or write.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .. import checks, elsewhere
from .snapshot import Snapshot


class Run:
    """One call of `fit` as callbacks see it: its model, loss, optimizer and history; the names that the history's rows
    will have, `columns`; the number of its last epoch, `last`; the steps done, and the last one's loss as `value`."""

    def __init__(
        self,
        model: Any,
        loss: Any,
        optimizer: Any,
        history: Any,
        columns: Sequence[str] = ("loss",),
        last: float = math.inf,
    ) -> None:
        self.model, self.loss, self.optimizer, self.history = model, loss, optimizer, history
        self.columns, self.last = columns, last
        self.steps, self.value = 0, math.nan
        self.rank = 0  # of this process among those that train together (Parallel): files and lines are for 0 to write

    @property
    def epoch(self) -> int:
        """How many epochs are done, those of earlier calls with the same optimizer included."""
        return self.history.first + len(self.history)

    def stop(self, reason: str) -> None:
        """End the training after this epoch, or within it after this step; the history keeps the reason.

        Within an epoch, model and optimizer stay as the step left them, so that you can look at them. The epoch is not
        in the history, and the next `fit` begins it again, from these parameters.
        """
        self.history.stopped = checks.text("run.stop: reason", reason)


LESS = ("loss", "error", "seconds")  # what the names end in of which less is better
MORE = ("accuracy", "r2", "f1", "precision", "recall", "top_k")


def _better(name: str) -> str | None:
    """ "min" where less is better of a column of the history, "max" where more is, None where the name does not say."""
    for mode, words in (("min", LESS), ("max", MORE)):
        if any(f"_{name}".endswith(f"_{word}") for word in words):
            return mode
    return None


class EarlyStopping:
    """Stop when a figure has not improved for `patience` epochs, and restore the best epoch.

    `monitor` is a column of the history. Without a name it is val_loss, or loss where nothing was validated. An
    improvement is a decrease with mode="min" and an increase with "max", by at least `min_delta`. mode="auto" uses
    "min" for losses, errors and seconds, and "max" for accuracy, top_k, r2, f1, precision and recall; it looks at the
    end of the name (val_my_loss). For other names you must give `mode`.

    However the training ends, model and optimizer are afterwards as they were after the best epoch, as if they had been
    loaded from a checkpoint of it: the next `fit` goes on from there.

    Raises TypeError or ValueError for other arguments, and, before the first step, where the history will have no such
    column.
    """

    looks_inside = False

    def __init__(self, patience: int, min_delta: float = 0.0, monitor: str | None = None, mode: str = "auto") -> None:
        self.patience = checks.integer("EarlyStopping: patience", patience, 1)
        self.min_delta = checks.number("EarlyStopping: min_delta", min_delta, 0)
        if checks.text("EarlyStopping: mode", mode) not in ("auto", "min", "max"):
            raise ValueError(f"EarlyStopping: mode must be 'auto', 'min' or 'max', not {mode!r}")
        self.monitor = monitor if monitor is None else checks.text("EarlyStopping: monitor", monitor)
        self.mode = mode
        known = _better("loss" if monitor is None else monitor)
        if mode == "auto" and known is None:
            expected = f"'min' or 'max' for monitor={monitor!r}, whose name does not say which is better"
            raise ValueError(f"EarlyStopping: mode must be {expected}, not 'auto'")
        if mode == "max" and monitor in (None, "loss", "val_loss"):
            raise ValueError("EarlyStopping: mode must be 'min' for a loss, not 'max'")
        self.sign = -1 if (known if mode == "auto" else mode) == "max" else 1
        self.best, self.best_epoch = math.inf, 0
        self.kept: Snapshot | None = None

    def start(self, run: Run) -> None:
        """Forget what was before, and look for the column."""
        self.best, self.best_epoch, self.kept = math.inf, run.epoch, None
        self.name = self.monitor if self.monitor is not None else "val_loss" if "val_loss" in run.columns else "loss"
        if self.name not in run.columns:
            hint = " (val_... needs validation data)" if self.name.startswith("val_") else ""
            raise ValueError(f"EarlyStopping: monitor must be one of {', '.join(run.columns)}, not {self.name!r}{hint}")

    def __call__(self, run: Run) -> None:
        value = self.sign * run.history.rows[-1][self.name]
        if value < self.best - self.min_delta or self.kept is None:
            self.best = math.inf if math.isnan(value) else value  # all that comes is better than NaN
            self.best_epoch, self.kept = run.epoch, Snapshot(run.model, run.optimizer)
        elif run.epoch - self.best_epoch >= self.patience:
            run.stop(f"{self.name} has not got better since epoch {self.best_epoch}")

    def end(self, run: Run) -> None:
        """The best epoch again."""
        if self.kept is not None:
            self.kept.restore()
            self.kept = None


class LearningRate:
    """Set the learning rate of each epoch: lr = schedule(epoch), epoch = 0, 1, 2, ..., counted by the optimizer.

    So a second `fit` goes on in the schedule where the first stopped. Schedules: constant, steps, exponential, cosine,
    warm_up, or a function of one's own.
    """

    looks_inside = False

    def __init__(self, schedule: Callable[[int], float]) -> None:
        if not callable(schedule):
            hint = ": optimizer.lr is one that stays" if isinstance(schedule, float | int) else ""
            expected = "LearningRate: schedule must be a function of the epoch, such as callbacks.cosine(1e-3, 10)"
            raise TypeError(f"{expected}, not {checks.describe(schedule)}{hint}")
        self.schedule = schedule

    def start(self, run: Run) -> None:
        """The rate of the first epoch."""
        self(run)

    def __call__(self, run: Run) -> None:
        if run.epoch < run.last and run.history.stopped is None:  # else there is no epoch to come
            run.optimizer.lr = checks.number(f"LearningRate: schedule({run.epoch})", self.schedule(run.epoch), 0)


class OneCycle:
    """Up and down once, step by step: lr rises to `peak` over the first 30 % of all steps, then falls to almost 0.

    Up from peak / 25, down to peak / 250,000, both along half a wave of the cosine. `epochs` is how many there will be
    in all, and `steps` how many steps an epoch has. A `fit` that goes on, goes on in the cycle; after its end the rate
    stays. Source: Smith & Topin 2018; the shape is that of PyTorch's OneCycleLR.
    """

    looks_inside = False

    def __init__(self, peak: float, epochs: int, steps: int) -> None:
        self.peak = checks.number("OneCycle: peak", peak, 0)
        self.epochs = checks.integer("OneCycle: epochs", epochs, 1)
        self.steps = checks.integer("OneCycle: steps", steps, 1)

    def rate(self, done: int) -> float:
        """The learning rate of the step after so many."""
        last = max(self.epochs * self.steps - 1, 1)
        top = max(0.3 * last, 1e-9)
        if done <= top:
            return _half_wave(self.peak / 25, self.peak, done / top)
        return _half_wave(self.peak, self.peak / 25 / 1e4, min((done - top) / (last - top), 1))

    def start(self, run: Run) -> None:
        """The rate of the first step."""
        self.first = run.epoch * self.steps - run.steps
        self.step(run)

    def step(self, run: Run) -> None:
        """The rate of the next step."""
        run.optimizer.lr = self.rate(self.first + run.steps)

    def __call__(self, run: Run) -> None:
        """The epoch's end asks for nothing: the step before it has set the rate."""


def _half_wave(start: float, end: float, share: float) -> float:
    """From start to end along half a wave of the cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def constant(lr: float) -> Callable[[int], float]:
    """The same lr in each epoch."""
    lr = checks.number("constant: lr", lr, 0)
    return lambda epoch: lr


def steps(lr: float, every: int, factor: float = 0.1) -> Callable[[int], float]:
    """lr, times `factor` after each `every` epochs (He et al. 2016 divide by 10)."""
    lr, factor = checks.number("steps: lr", lr, 0), checks.number("steps: factor", factor, 0)
    every = checks.integer("steps: every", every, 1)
    return lambda epoch: _times_power(lr, factor, epoch // every)


def exponential(lr: float, factor: float) -> Callable[[int], float]:
    """lr factor^epoch."""
    lr, factor = checks.number("exponential: lr", lr, 0), checks.number("exponential: factor", factor, 0)
    return lambda epoch: _times_power(lr, factor, epoch)


def _times_power(lr: float, factor: float, n: int) -> float:
    """lr factor^n; the largest float where the power is beyond all of them."""
    try:
        return min(lr * factor**n, sys.float_info.max)
    except OverflowError:
        return sys.float_info.max if lr else 0.0


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
    epochs = checks.integer("warm_up: epochs", epochs, 0)
    return lambda epoch: schedule(epoch) * min((epoch + 1) / (epochs + 1), 1)


if not TYPE_CHECKING:  # else any name would be one
    __getattr__ = elsewhere.asked(__name__)
