"""Training: the four-line step in a loop over shuffled batches, with its record.

    y = model.forward(x)
    value = loss.forward(y, t)
    model.backward(loss.backward())
    optimizer.step()

`fit` runs exactly these. Its `model` is a Sequential or anything else with forward, backward, params and grads.
"""

from __future__ import annotations

import math
import numbers
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from tqdm import tqdm

from . import backends, checks
from .backends import numpy_ops
from .callbacks import Run
from .checks import Array
from .metrics import accuracy

Metrics = Mapping[str, Callable[[Array, Array], float]]


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
    _check_parts(model=model, loss=loss, optimizer=optimizer)
    ops = backends.of(model)
    loss.follow(ops)
    prepare = _transform(transform)
    _check_data(model, x, t, loss, prepare, "x", "t")
    weight = _weights(t, sample_weight, class_weight, model.params.dtype)
    if checks.number("validation_split", validation_split, 0, below=1):
        x, t, validation_data = _split(x, t, validation_split, validation_data)
        weight = None if weight is None else weight[: len(x)]
    if validation_data is not None:
        if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
            raise TypeError(f"validation_data must be a pair (x, t), not {checks.describe(validation_data)}")
        x_val, t_val = validation_data
        _check_data(model, x_val, t_val, loss, prepare, "validation x", "validation t")
    metrics = _metrics(metrics, loss)
    _check_callbacks(callbacks)
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
            batches = _batches(arrays, batch_size, order, ops)
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
                    tqdm.write(_heading(row), file=sys.stdout)
                tqdm.write(_line(epoch + 1, row), file=sys.stdout)
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
                batches.set_postfix_str(", ".join(f"{name} {_text(name, float(v))}" for name, v in means.items()))
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


def _split(x: Array, t: Array, share: float, validation_data: Any) -> tuple[Array, Array, tuple[Array, Array]]:
    """The rows to train with, and the last ones for validation. Raises ValueError where one of the two is empty."""
    if validation_data is not None:
        raise ValueError("validation_split must be 0 where validation_data is given, not both at once")
    kept = len(x) - round(share * len(x))
    if not 0 < kept < len(x):
        raise ValueError(f"validation_split must leave rows on both sides, not {share} of {len(x)}")
    return x[:kept], t[:kept], (x[kept:], t[kept:])


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
    _check_parts(model=model, loss=loss)
    loss.follow(backends.of(model))
    prepare = _transform(transform)
    _check_data(model, x, t, loss, prepare, "x", "t")
    return _evaluate(model, x, t, loss, _metrics(metrics, loss), prepare, batch_size)


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
            y = _call(model, prepare(ops.asarray(x_batch)))
            total += float(loss(y, ops.asarray(t_batch))) * len(x_batch)
            ys.append(y)
    y, t = ops.xp.concatenate(ys), ops.asarray(t)
    return {"loss": total / len(x)} | {name: float(metric(y, t)) for name, metric in metrics.items()}


def minibatches(
    x: Array,
    t: Array,
    batch_size: int,
    *,
    shuffle: bool = True,
    seed: int | np.random.Generator | None = None,
    ops: ModuleType = numpy_ops,
) -> Iterator[tuple[Array, Array]]:
    """All rows of x and t once, as pairs of batches: shuffled copies, or with shuffle=False views in order.

    The last batch takes what is left. `ops` is the backend that x and t belong to.
    """
    batch_size = checks.integer("batch_size", batch_size, 1)
    if not isinstance(ops, ModuleType) or not hasattr(ops, "xp"):
        raise TypeError(f"ops must be the module of a backend, such as model.ops, not {checks.describe(ops)}")
    for thing, a in (("x", x), ("t", t)):
        if not isinstance(a, ops.xp.ndarray) or a.ndim == 0:
            expected = f"a {ops.xp.__name__} array with a row for each example"
            raise TypeError(f"{thing} must be {expected}, not {checks.describe(a)}")
    if len(x) != len(t):
        raise ValueError(f"t must have as many rows as x, {len(x)}, not {len(t)}")
    order = checks.generator("seed", seed).permutation(len(x)) if checks.flag("shuffle", shuffle) else None
    return _batches((x, t), batch_size, order, ops)


def _batches(arrays: Sequence[Array], size: int, order: Array | None, ops: ModuleType) -> Iterator[Any]:
    """The same rows of each of the arrays, `size` at a time."""
    if order is not None:
        order = ops.asarray(order)  # the host draws it; to the GPU it goes once an epoch
    for start in range(0, len(arrays[0]), size):
        rows = slice(start, start + size) if order is None else order[start : start + size]
        yield tuple(a[rows] for a in arrays)


class History:
    """The record of a training: `history["loss"]` is a list with a number for each epoch; so are the metrics, such as
    accuracy, and the seconds, and with val_ before them those of the validation. Its repr is a table, `plot` draws the
    curves. `first` epochs had been before."""

    def __init__(self, first: int = 0) -> None:
        self.first = checks.integer("History: first", first, 0)
        self.stopped: str | None = None  # why the training ended before its last epoch
        self.rows: list[dict[str, float]] = []

    def append(self, row: dict[str, float]) -> None:
        """Add an epoch: name -> number."""
        if not isinstance(row, Mapping) or not all(
            isinstance(name, str) and isinstance(value, numbers.Real) for name, value in row.items()
        ):
            raise TypeError(f"History: row must be a dict name -> number, not {checks.describe(row)}")
        self.rows.append(dict(row))

    def __getitem__(self, name: str) -> list[float]:
        if name not in self:
            raise KeyError(f"history has {', '.join(self.keys()) or 'no epochs'}, not {checks.describe(name)}")
        return [row[name] for row in self.rows]

    def __contains__(self, name: str) -> bool:
        return isinstance(name, str) and name in self.keys()

    def __len__(self) -> int:
        """The number of epochs."""
        return len(self.rows)

    def keys(self) -> list[str]:
        """The names of what was recorded."""
        return list(self.rows[0]) if self.rows else []

    def to_dict(self) -> dict[str, list[float]]:
        """Name -> list with a number for each epoch."""
        return {name: self[name] for name in self.keys()}

    def plot(self, axes: Any = None) -> Any:
        """The learning curves, an axes for each quantity (plots.learning_curves)."""
        from . import plots  # matplotlib takes longer to load than all of tinynn

        return plots.learning_curves(self, axes)

    def __repr__(self) -> str:
        lines = [_line(epoch, row) for epoch, row in enumerate(self.rows, self.first + 1)]
        stopped = [] if self.stopped is None else [f"stopped: {self.stopped}"]
        return "\n".join([_heading(self.keys()), *lines, *stopped])


def _heading(names: Iterable[str]) -> str:
    return "epoch" + "".join(f"{name:>{_width(name)}}" for name in names)


def _line(epoch: int, row: dict[str, float]) -> str:
    return f"{epoch:>5}" + "".join(f"{_text(name, value):>{_width(name)}}" for name, value in row.items())


def _width(name: str) -> int:
    return max(len(name), 8) + 3


def _text(name: str, value: float) -> str:
    if name.endswith("accuracy"):
        return f"{100 * value:.2f} %"
    if name == "seconds":
        return f"{value:.1f}"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e5 or value == 0 else f"{value:.3g}"


def _check_parts(**parts: Any) -> None:
    """Raise where model, loss or optimizer is not what it is called, or the optimizer is another model's."""
    methods = {"model": ("forward", "backward"), "loss": ("backward", "follow"), "optimizer": ("step",)}
    for thing, value in parts.items():
        if isinstance(value, type) or not all(hasattr(value, method) for method in methods[thing]):
            hint = " (a class: make one of it)" if isinstance(value, type) else ""
            raise TypeError(f"{thing} must be one such as tinynn's, not {checks.describe(value)}{hint}")
    if "optimizer" in parts and getattr(parts["optimizer"], "model", parts["model"]) is not parts["model"]:
        raise ValueError("optimizer must be one of this model, not one made for another: it would train that")


def _check_callbacks(callbacks: Any) -> None:
    """Raise TypeError where one is no function of the run."""
    if not isinstance(callbacks, Sequence):
        raise TypeError(f"callbacks must be a list of functions of the run, not {checks.describe(callbacks)}")
    for callback in callbacks:
        if isinstance(callback, type) or not callable(callback):
            hint = " (a class: make one of it)" if isinstance(callback, type) else ""
            raise TypeError(f"callbacks must be functions of the run, not {checks.describe(callback)}{hint}")


def _metrics(metrics: Any, loss: Any) -> Metrics:
    """The metrics, or those of who names none. Raises TypeError."""
    if metrics is None:
        return {"accuracy": accuracy} if loss.classifies else {}
    if not isinstance(metrics, Mapping):
        raise TypeError(f"metrics must be a dict name -> function of y and t, not {checks.describe(metrics)}")
    for name, metric in metrics.items():
        if not isinstance(name, str) or not callable(metric):
            raise TypeError(f"metrics[{name!r}] must be a function of y and t, not {checks.describe(metric)}")
    return metrics


def _transform(transform: Any) -> Callable[[Array], Array]:
    """The transform, or the one that does nothing. Raises TypeError."""
    if transform is not None and not callable(transform):
        raise TypeError(f"transform must be a function of a batch's x, not {checks.describe(transform)}")
    return transform or _as_it_is


def _as_it_is(x: Array) -> Array:
    """The transform of who names none."""
    return x


def _weights(t: Array, sample_weight: Any, class_weight: Any, dtype: Any) -> Array | None:
    """The weight of each row, or None where all count alike. Raises TypeError, ValueError."""
    if sample_weight is None and class_weight is None:
        return None
    weight = np.ones(len(t))
    if sample_weight is not None:
        numbers = type(sample_weight) is np.ndarray and sample_weight.dtype.kind in "fiu"
        if not numbers or sample_weight.shape != (len(t),):
            expected = f"a numpy array with a number for each of the {len(t)} rows"
            raise TypeError(f"sample_weight must be {expected}, not {checks.describe(sample_weight)}")
        weight = weight * sample_weight
    if class_weight is not None:
        if not isinstance(class_weight, Mapping) or t.ndim != 1:
            got = checks.describe(class_weight) + ("" if t.ndim == 1 else f" for t of shape {t.shape}")
            raise TypeError(f"class_weight must be a dict label -> number for labels t, not {got}")
        strange = [label for label in class_weight if label not in t]
        if strange:
            raise ValueError(f"class_weight must name labels of t, not {strange[0]!r}, which no row has")
        for label, number in class_weight.items():
            weight[t == label] *= checks.number(f"class_weight[{label!r}]", number, 0)
    if not (weight.min() >= 0 and 0 < weight.sum() < np.inf):
        raise ValueError("sample_weight must hold numbers of 0 or more, not all 0, and no NaN or infinity")
    return weight.astype(dtype)


def _check_data(
    model: Any, x: Any, t: Any, loss: Any, prepare: Callable[[Array], Array], x_name: str, t_name: str
) -> None:
    """Raise where x, t, loss and model do not go together: by their types and shapes, every target's value, one row."""
    for name, a in ((x_name, x), (t_name, t)):
        if type(a) is not np.ndarray:
            hint = ": np.asarray makes one of it" if isinstance(a, np.memmap) else ""
            raise TypeError(f"{name} must be a numpy array, not {checks.describe(a)}{hint}")
    if x.ndim == 0 or len(x) == 0:
        raise ValueError(f"{x_name} must have at least one row, not shape {x.shape}")
    if t.ndim == 0 or len(t) != len(x):
        raise ValueError(f"{t_name} must have as many rows as {x_name}, {len(x)}, not shape {t.shape}")
    ops = backends.of(model)
    row = prepare(ops.asarray(x[:1]))
    if prepare is not _as_it_is:
        x_name = f"what transform makes of {x_name}"
    checks.float_array(x_name, row, ops.xp)
    dtype = model.params.dtype
    if row.dtype != dtype:
        raise TypeError(f"{x_name} must be {dtype} like the model, not {row.dtype}: {x_name}.astype('{dtype}')")
    y = _call(model, row)
    loss(y, ops.asarray(t[:1]))
    loss.check_values(t, y.shape[1])


def _call(model: Any, x: Array) -> Array:
    """y without a trace, where the model can do that."""
    return model(x) if callable(model) else model.forward(x)


def _bar(batches: Iterator[Any], N: int, batch_size: int, title: str, progress: bool) -> Iterable[Any]:
    """The batches, behind a progress bar where standard error is a terminal."""
    if not (progress and sys.stderr.isatty()):
        return batches
    form = "{desc} |{bar:10}| step {n_fmt}/{total_fmt}, {rate_noinv_fmt}{postfix}"  # fits 80 columns
    return tqdm(batches, title, -(-N // batch_size), leave=False, unit="", bar_format=form)
