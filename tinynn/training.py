"""Training: the four-line step in a loop over shuffled batches, with its record.

    y = model.forward(x)
    value = loss.forward(y, t)
    model.backward(loss.backward())
    optimizer.step()

`fit` runs exactly these. Its `model` is a Sequential or anything else with forward, backward, params and grads.
"""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from . import backends, checks, demands
from .batches import in_batches, minibatches
from .callbacks import Run
from .checks import Array
from .demands import Metrics
from .history import History, heading, line, text


def fit(
    model: Any,
    x: Array,
    t: Array,
    *,
    loss: Any,
    optimizer: Any,
    epochs: int = 1,
    batch_size: int = 32,
    validation_data: tuple[Array, Array] | None = None,
    validation_split: float = 0.0,
    sample_weight: Array | None = None,
    class_weight: Mapping[int, float] | None = None,
    metrics: Metrics | None = None,
    transform: Callable[[Array], Array] | None = None,
    callbacks: Sequence[Callable[[Run], None]] = (),
    seed: int | None = None,
    progress: bool = True,
) -> History:
    """Train `model` on rows x (N, D) with targets t, `epochs` times over all of them, and return the History.

    An epoch goes through the rows in an order of its own, drawn from `seed`, in batches of `batch_size` (the last one
    takes what is left). A second call with the same optimizer goes on where the first stopped: twice five epochs are
    ten, to the last bit. The epoch's loss and metrics are means over its batches, while the parameters move; those on
    `validation_data` are of the epoch's end; `validation_split` sets the last rows aside for that, such as 0.1 of all
    (shuffle rows that are sorted before). The arrays are NumPy's; they are moved to the model's backend once, whole.
    `metrics`, a dict name -> function (y, t) -> number, is {"accuracy": accuracy} where classes are learned, else {}.
    `sample_weight`, a number of 0 or more for each row of x, lets rows count more or less in the loss; `class_weight`,
    a dict label -> number, all rows of a label (1 where it names none); both multiply. Validation weighs all alike.
    `transform` makes of a batch's x what the model takes: images can stay bytes, a quarter of the memory, with
    `transform=lambda x: x / np.float32(255)`. `callbacks` are called after each epoch (tinynn.callbacks). `progress`
    shows a bar on a terminal and a line for each epoch. Ctrl-C ends the training: the history so far is returned, and
    its `stopped` says why. A loss that is no longer a number warns once.

    Raises TypeError or ValueError, before the first step, where data, loss and model do not fit each other.
    """
    epochs = checks.integer("epochs", epochs, 1)
    batch_size = checks.integer("batch_size", batch_size, 1)
    progress = checks.flag("progress", progress)
    demands.parts(model=model, loss=loss, optimizer=optimizer)
    ops = backends.of(model)
    loss.follow(ops)
    prepare = demands.transform(transform)
    demands.data(model, x, t, loss, prepare, "x", "t")
    weight = demands.weights(t, sample_weight, class_weight, model.params.dtype)
    if checks.number("validation_split", validation_split, 0, below=1):
        x, t, validation_data = demands.split(x, t, validation_split, validation_data)
        weight = None if weight is None else weight[: len(x)]
    if validation_data is not None:
        if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
            raise TypeError(f"validation_data must be a pair (x, t), not {checks.describe(validation_data)}")
        x_val, t_val = validation_data
        demands.data(model, x_val, t_val, loss, prepare, "validation x", "validation t")
    metrics = demands.metrics(metrics, loss)
    demands.callbacks(callbacks)
    if weight is not None and not weight.all():
        x, t, weight = (a[weight > 0] for a in (x, t, weight))  # a batch of nothing but zeros would have no mean
    arrays = [ops.asarray(a) for a in (x, t, weight) if a is not None]
    if seed is None:
        seed = getattr(optimizer, "seed", None)
    seed = int(np.random.default_rng().integers(2**63)) if seed is None else checks.integer("seed", seed, 0)
    first, optimizer.seed = getattr(optimizer, "epochs", 0), seed
    last = first + epochs
    history = History(first)
    run = Run(model, loss, optimizer, history)
    try:
        for callback in callbacks:
            getattr(callback, "start", _nothing)(run)
        for epoch in range(first, last):
            # One generator an epoch: the order depends on seed and epoch alone, not on what was drawn before.
            order = np.random.default_rng([seed, epoch]).permutation(len(x))
            batches = in_batches(arrays, batch_size, order, ops)
            bar = _bar(batches, len(x), batch_size, f"epoch {epoch + 1}/{last}", progress)
            row = _train(run, metrics, prepare, bar, [c.step for c in callbacks if hasattr(c, "step")])
            if history.stopped is not None:  # in the midst of the epoch
                break
            if validation_data is not None:
                scores = _evaluate(model, x_val, t_val, loss, metrics, prepare)
                row |= {f"val_{name}": value for name, value in scores.items()}
            history.append(row)
            optimizer.epochs = epoch + 1
            _warn_of_nan(history, optimizer)
            if progress:
                if epoch == first:
                    tqdm.write(heading(row), file=sys.stdout)
                tqdm.write(line(epoch + 1, row), file=sys.stdout)
            for callback in callbacks:
                callback(run)
            if history.stopped is not None:
                break
    except KeyboardInterrupt:
        run.stop("Ctrl-C")
    finally:
        for callback in callbacks:
            getattr(callback, "end", _nothing)(run)
    if progress and history.stopped is not None:
        tqdm.write(f"stopped: {history.stopped}", file=sys.stdout)
    return history


def _train(
    run: Run,
    metrics: Metrics,
    prepare: Callable[[Array], Array],
    batches: Iterable[tuple[Array, ...]],
    after_step: Sequence[Callable[[Run], None]],
) -> dict[str, float]:
    """One epoch, a step for each batch: the row of the history."""
    model, loss, optimizer = run.model, run.loss, run.optimizer
    start, rows, shares, total = time.perf_counter(), 0, 0.0, 0.0
    sums = dict.fromkeys(metrics, 0.0)
    shown = start
    # What overflows ends as infinity or NaN in the loss, and `fit` says so in one sentence.
    with np.errstate(over="ignore", invalid="ignore"):
        for x_batch, t_batch, *weight in batches:
            y = model.forward(prepare(x_batch))
            value = loss.forward(y, t_batch, *weight)
            model.backward(loss.backward())
            optimizer.step()
            share = weight[0].sum() if weight else len(x_batch)
            rows += len(x_batch)
            shares += share
            total += value * share
            for name, metric in metrics.items():
                sums[name] += metric(y, t_batch) * len(x_batch)
            run.steps += 1
            run.value = value
            for look in after_step:
                look(run)
            if run.history.stopped is not None:
                break
            if isinstance(batches, tqdm) and time.perf_counter() > shown + 0.2:  # on the GPU, reading a value waits
                shown = time.perf_counter()
                means = {"loss": total / shares} | {name: sums[name] / rows for name in sums}
                batches.set_postfix_str(", ".join(f"{name} {text(name, float(v))}" for name, v in means.items()))
    row = {"loss": float(total) / float(shares)} | {name: float(sums[name]) / rows for name in sums}
    row["seconds"] = time.perf_counter() - start
    return row


def _warn_of_nan(history: History, optimizer: Any) -> None:
    """One sentence, at the first epoch whose loss is no number, in place of a hundred from within."""
    losses = history["loss"]
    if not math.isfinite(losses[-1]) and all(map(math.isfinite, losses[:-1])):
        epoch, lr = history.first + len(losses), getattr(optimizer, "lr", None)
        tips = "a smaller one or clip_norm may help; diagnose(model, loss, x, t) before, or Watch() among the callbacks"
        text = f"the loss is {losses[-1]} since epoch {epoch}, with lr={lr}: {tips}, names the cause"
        warnings.warn(text, RuntimeWarning, stacklevel=3)


def _nothing(run: Run) -> None:
    """The start and end of a callback that has none."""


def evaluate(
    model: Any,
    x: Array,
    t: Array,
    *,
    loss: Any,
    batch_size: int = 1000,
    metrics: Metrics | None = None,
    transform: Callable[[Array], Array] | None = None,
) -> dict[str, float]:
    """{"loss": ...} of the model on rows x and targets t, with {"accuracy": ...} for classifiers. Changes nothing.

    Works through `batch_size` rows at a time, so that of all rows only y is held. `metrics` and `transform` as in
    `fit`; the metrics are of all rows at once, not means over batches.
    """
    batch_size = checks.integer("batch_size", batch_size, 1)
    demands.parts(model=model, loss=loss)
    loss.follow(backends.of(model))
    prepare = demands.transform(transform)
    demands.data(model, x, t, loss, prepare, "x", "t")
    return _evaluate(model, x, t, loss, demands.metrics(metrics, loss), prepare, batch_size)


def _evaluate(
    model: Any,
    x: Array,
    t: Array,
    loss: Any,
    metrics: Metrics,
    prepare: Callable[[Array], Array],
    batch_size: int = 1000,
) -> dict[str, float]:
    """`evaluate` of what has been checked before: `fit` does so once, not in every epoch."""
    ops = backends.of(model)
    total, ys = 0.0, []
    with np.errstate(over="ignore", invalid="ignore"):
        for x_batch, t_batch in minibatches(x, t, batch_size, shuffle=False):
            y = demands.call(model, prepare(ops.asarray(x_batch)))
            total += float(loss(y, ops.asarray(t_batch))) * len(x_batch)
            ys.append(y)
    y, t = ops.xp.concatenate(ys), ops.asarray(t)
    return {"loss": total / len(x)} | {name: float(metric(y, t)) for name, metric in metrics.items()}


def _bar(batches: Iterator[Any], N: int, batch_size: int, title: str, progress: bool) -> Iterable[Any]:
    """The batches, behind a progress bar where standard error is a terminal."""
    if not (progress and sys.stderr.isatty()):
        return batches
    form = "{desc} |{bar:10}| step {n_fmt}/{total_fmt}, {rate_noinv_fmt}{postfix}"  # fits 80 columns
    return tqdm(batches, title, -(-N // batch_size), leave=False, unit="", bar_format=form)
