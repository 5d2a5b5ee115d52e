"""Training: the four-line step in a loop over shuffled batches, with its record.

    y = model.forward(x)
    value = loss.forward(y, t)
    model.backward(loss.backward())
    optimizer.step()

`fit` runs exactly these. Its `model` is a Sequential or anything else with forward, backward, params and grads.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .. import backends, checks, elsewhere
from ..checks import Array
from ..nesting import walk
from . import demands
from . import processes as many
from .batches import leaves_one, minibatches, shared_out
from .callbacks import Run
from .demands import Metrics
from .history import History, heading, line, running_cell, text
from .snapshot import Snapshot


@elsewhere.called_as("model.fit(x, t, loss=loss, optimizer=optimizer)")
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

    Each epoch goes through the rows in a new order, drawn from `seed`, in batches of `batch_size` (the last batch takes
    the rows that are left). A second call with the same optimizer goes on where the first stopped: twice five epochs
    give the same bits as ten. The loss and metrics of an epoch are means over its batches, while the parameters change;
    those of `validation_data` are computed at the epoch's end. `validation_split`, such as 0.1, takes this share of the
    rows for validation, from the end (shuffle sorted rows first). The arrays are NumPy's; they are moved to the model's
    backend once, as a whole. `metrics`, a dict name -> function (y, t) -> number, is {"accuracy": accuracy} where
    classes are learned, else {}. `sample_weight` has a number of 0 or more for each row of x, its weight in the loss;
    `class_weight`, a dict label -> number, has the weight of all rows of a label (1 for labels that it leaves out). The
    two are multiplied. In validation all rows have the same weight. `transform` computes from a batch's x what the
    model takes: with `transform=lambda x: x / np.float32(255)`, images can stay bytes, in a quarter of the memory.
    `callbacks` are called after each epoch (tinynn.callbacks). `progress` shows a bar on a terminal and a line for each
    epoch. When the loss is no longer a number, there is one warning. Layers keep only what their backward reads, which
    takes a quarter less memory, unless a callback may look at their x and y: Watch, Histograms, and any callback of
    your own whose class does not have `looks_inside = False`.

    Ctrl-C ends the training: the epoch that it interrupts is undone, and the history so far is returned; its `stopped`
    says why. If you then call `fit` for the epochs that are left, the result is the same to the last bit as without the
    stop. Where an error ends the training, the epoch is undone, too. With Parallel(optimizer), all processes of an MPI
    job train one model together.

    Raises TypeError or ValueError, before the first step, where data, loss and model do not fit each other.
    """
    epochs = checks.integer("epochs", epochs, 1)
    batch_size = checks.integer("batch_size", batch_size, 1)
    progress = checks.flag("progress", progress)
    demands.parts(model=model, loss=loss, optimizer=optimizer)
    demands.callbacks(callbacks)
    processes, optimizer = many.behind(optimizer)
    ops = backends.of(model)
    loss.follow(ops)
    backends.prepare(loss, model.params.dtype, ops)
    prepare = demands.transform(transform)
    outputs = demands.data(model, x, t, loss, prepare)
    metrics = demands.metrics(metrics, loss, outputs)
    weight = demands.weights(t, sample_weight, class_weight)
    trained, validation = demands.validation(x, t, validation_split, validation_data, loss.classifies)
    if validation_data is not None and validation is not None:
        demands.data(model, *validation, loss, prepare, "validation ")
    x, t = x[:trained], t[:trained]
    arrays = [x, t]
    if weight is not None:
        weight = demands.to_train_with(weight[:trained], model.params.dtype)
        arrays = [a[weight > 0] for a in (x, t, weight)]  # a batch of nothing but zeros would have no mean
    arrays, rows = [ops.asarray(a) for a in arrays], len(arrays[0])
    keeps = any(layer.buffers for _, layer in walk(model))  # as what needs a mean over the batch does
    if keeps and leaves_one(rows, batch_size):
        _try_one_row(model, optimizer, prepare(arrays[0][:1]))
    if seed is None:
        seed = getattr(optimizer, "seed", None)
    seed = int(np.random.default_rng().integers(2**63)) if seed is None else checks.integer("seed", seed, 0)
    seed = processes.from_first(seed)
    first, optimizer.seed = checks.integer("optimizer.epochs", getattr(optimizer, "epochs", 0), 0), seed
    some = x[:: max(1, rows // 1000)]  # to compare all x of a large set would take long
    checked = {"x": some, "t": t, "sample_weight": weight, "validation t": validation and validation[1]}
    processes.demand_same(epochs=epochs, batch_size=batch_size, **checked)
    last = first + epochs
    history = History(first)
    columns = ["loss", *metrics, "seconds"]
    columns += [f"val_{name}" for name in ("loss", *metrics)] if validation else []
    run = Run(model, loss, optimizer, history, columns, last)
    run.rank = processes.rank
    progress = progress and run.rank == 0
    before: tuple[int, Snapshot] | None = None  # so many epochs, and what they left
    with contextlib.ExitStack() as ends:
        ends.enter_context(processes)
        if isinstance(getattr(model, "keeps_all", None), bool):
            ends.callback(model.keep_all, model.keeps_all)
            model.keep_all(any(vars(type(callback)).get("looks_inside", True) for callback in callbacks))
        try:
            for callback in callbacks:
                getattr(callback, "start", _nothing)(run)
                ends.callback(getattr(callback, "end", _nothing), run)
            if getattr(optimizer, "lr", None) == 0 and run.rank == 0:
                warnings.warn(demands.no_rate(callbacks, run), UserWarning, stacklevel=3)
            for epoch in range(first, last):
                if history.stopped is not None:
                    break
                before = epoch, Snapshot(model, optimizer)
                if isinstance(getattr(model, "rng", None), np.random.Generator):
                    stream = [seed, epoch, 1] + [run.rank] * (run.rank > 0)  # each process draws masks of its own
                    model.share_rng(np.random.default_rng(stream))
                # One generator an epoch: the order depends on seed and epoch alone, not on what was drawn before.
                order = np.random.default_rng([seed, epoch]).permutation(rows)
                batches = shared_out(arrays, batch_size, order, ops, processes)
                bar = _bar(batches, rows, batch_size, epoch + 1, last) if progress else batches
                after_step = [c.step for c in callbacks if hasattr(c, "step")]
                row = _train(run, metrics, prepare, bar, after_step, processes)
                if history.stopped is not None:  # in the midst of the epoch
                    break
                processes.end_epoch(model)
                if validation is not None:
                    scores = _evaluate(model, *validation, loss, metrics, prepare, processes=processes)
                    row |= {f"val_{name}": value for name, value in scores.items()}
                row = processes.from_first(row)
                history.append(row)  # with this line the epoch is done
                optimizer.epochs = epoch + 1
                if run.rank == 0:
                    _warn_of_nan(history, optimizer, x, weight, validation)
                if progress:
                    if epoch == first:
                        _print(heading(row))
                    _print(line(epoch + 1, row))
                for callback in callbacks:
                    callback(run)
                    history.stopped = processes.agree(history.stopped)
        except BaseException as error:
            processes.failed(error)
            if before is not None:
                if run.epoch == before[0]:
                    before[1].restore()
                optimizer.epochs = run.epoch
            if not isinstance(error, KeyboardInterrupt):
                raise
            run.stop("Ctrl-C")
    if progress:
        history.printed_in = running_cell()
        if history.stopped is not None:
            _print(f"stopped: {history.stopped}")
    return history


def _try_one_row(model: Any, optimizer: Any, row: Array) -> None:
    """Raise before the first step, not at an epoch's end, where a layer cannot train with a batch of one row."""
    before = Snapshot(model, optimizer)
    try:
        with demands.quiet():
            model.forward(row)
    finally:
        before.restore()


def _train(
    run: Run,
    metrics: Metrics,
    prepare: Callable[[Array], Array],
    batches: Iterable[tuple[tuple[Array, ...], int, Any, Any]],
    after_step: Sequence[Callable[[Run], None]],
    processes: many.Alone,
) -> dict[str, float]:
    """One epoch, a step for each batch: the row of the history."""
    model, loss, optimizer = run.model, run.loss, run.optimizer
    start, rows, shares, total = time.perf_counter(), 0, 0.0, 0.0
    sums = dict.fromkeys(metrics, 0.0)
    shown = start
    bar: Any = batches if hasattr(batches, "set_postfix_str") else None
    with demands.quiet():
        for (x_batch, t_batch, *weight), N, share, whole in batches:
            y = model.forward(prepare(x_batch))
            value = loss.forward(y, t_batch, *weight)
            model.backward(loss.backward())
            processes.sum_grads(model, share / whole)  # of one process, all
            optimizer.step()
            own = [demands.figure("what loss gives", value) * (share / whole), N]
            if metrics:
                own += [figure * N for figure in demands.measured(metrics, y, t_batch).values()]
            run.value, N, *of_metrics = processes.sum(own)
            total += run.value * whole
            shares += whole
            rows += N
            for name, figure in zip(sums, of_metrics):
                sums[name] += figure
            run.steps += 1
            for look in after_step:
                look(run)
                run.history.stopped = processes.agree(run.history.stopped)
            if run.history.stopped is not None:
                break
            if bar is not None and time.perf_counter() > shown + 0.2:  # on the GPU, reading a value waits
                shown = time.perf_counter()
                means = {"loss": total / shares} | {name: sums[name] / rows for name in sums}
                bar.set_postfix_str(", ".join(f"{name} {text(name, float(v))}" for name, v in means.items()))
    row = {"loss": float(total) / float(shares)} | {name: float(sums[name]) / rows for name in sums}
    row["seconds"] = time.perf_counter() - start
    return row


def _warn_of_nan(history: History, optimizer: Any, x: Array, weight: Array | None, validation: Any) -> None:
    """One sentence, at the first epoch whose loss is no number, in place of a hundred from within."""
    for name, x_name in (("loss", "x"), ("val_loss", "validation x")):
        value = history.rows[-1].get(name, 0.0)
        if math.isfinite(value):
            continue
        if all(map(math.isfinite, history[name][:-1])):
            found = demands.not_finite(x, weight) if name == "loss" else demands.not_finite(validation[0], None)
            if found:
                why = f"{x_name} holds {found}: no learning rate helps, that row must be mended or left out"
            else:
                why = (
                    f"with lr={getattr(optimizer, 'lr', None)}: a smaller one or clip_norm may help; "
                    "diagnose(model, loss, x, t) before, or Watch() among the callbacks, names the cause"
                )
            text = f"the {name} is {value} since epoch {history.first + len(history)}, {why}"
            warnings.warn(text, RuntimeWarning, stacklevel=4)
        return  # after NaN in the loss, one in val_loss is no news


def _nothing(run: Run) -> None:
    """The start and end of a callback that has none."""


@elsewhere.called_as("model.evaluate(x, t, loss=loss)")
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

    It works on `batch_size` rows at a time, so that for all rows together only y needs memory. `metrics` and
    `transform` are as in `fit`; the metrics are of all rows at once, not means over batches.
    """
    batch_size = checks.integer("batch_size", batch_size, 1)
    demands.parts(model=model, loss=loss)
    loss.follow(backends.of(model))
    prepare = demands.transform(transform)
    metrics = demands.metrics(metrics, loss, demands.data(model, x, t, loss, prepare))
    return _evaluate(model, x, t, loss, metrics, prepare, batch_size)


def _evaluate(
    model: Any,
    x: Array,
    t: Array,
    loss: Any,
    metrics: Metrics,
    prepare: Callable[[Array], Array],
    batch_size: int = 1000,
    processes: many.Alone = many.ALONE,
) -> dict[str, float]:
    """`evaluate` of what has been checked before: `fit` does so once, not in every epoch."""
    ops = backends.of(model)
    own = []
    with demands.quiet():
        for number, (x_batch, t_batch) in enumerate(minibatches(x, t, batch_size, shuffle=False)):
            if number % processes.size == processes.rank:
                y = demands.call(model, prepare(ops.asarray(x_batch)))
                own.append((float(loss(y, ops.asarray(t_batch))) * len(x_batch), y))
        values, ys = zip(*processes.collect(own))
        figures = demands.measured(metrics, ops.xp.concatenate(ys), ops.asarray(t))
    return {"loss": sum(values) / len(x)} | {name: float(figure) for name, figure in figures.items()}


def _bar(batches: Iterator[Any], N: int, batch_size: int, epoch: int, last: int) -> Iterable[Any]:
    """The batches, behind a progress bar where standard error is a terminal and tqdm is installed."""
    if sys.stderr is None or not sys.stderr.isatty():
        return batches
    try:
        from tqdm import tqdm
    except ImportError:  # the lines, one for each epoch, need no more than Python
        return batches
    form = "{desc} |{bar:10}| step {n_fmt}/{total_fmt}, {rate_noinv_fmt}{postfix}"  # fits 80 columns
    title = f"epoch {epoch}/{last}"
    return tqdm(batches, title, -(-N // batch_size), leave=False, unit="", bar_format=form)


def _print(text: str) -> None:
    """A line on standard output, above the bar. Programs without a console have no standard output."""
    if sys.stdout is None:
        return
    bars = sys.modules.get("tqdm")  # not loaded: there is no bar, the caller's own included
    (bars.tqdm.write if bars else print)(text, file=sys.stdout)
