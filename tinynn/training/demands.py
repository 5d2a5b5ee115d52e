"""What `fit` and `evaluate` demand of their arguments, before the first step, and of what metrics give."""

from __future__ import annotations

import contextlib
import math
import numbers
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .. import backends, checks, elsewhere
from ..checks import Array
from ..layers.layer import Layer
from ..metrics import accuracy
from ..nesting import assembly

Metrics = Mapping[str, Callable[[Array, Array], float]]
METHODS = {
    "model": ("forward", "backward"),
    "loss": ("forward", "backward", "__call__", "follow", "check_values"),
    "optimizer": ("step",),
}
EXAMPLES = {
    "model": "a model such as a Sequential",
    "loss": "a loss such as MSE()",
    "optimizer": "an optimizer such as Adam(model)",
}
ATTRIBUTES = {"model": ("params", "grads"), "loss": ("classifies",), "optimizer": ()}


def quiet() -> np.errstate:
    """What overflows ends as infinity or NaN in the loss, and `fit` says so in one sentence."""
    return np.errstate(over="ignore", under="ignore", invalid="ignore")


# --- the parts of a training -----------------------------------------------------------------------------------------


def parts(**parts: Any) -> None:
    """Raise where model, loss or optimizer is not what it is called, or the optimizer is another model's."""
    for thing, value in parts.items():
        methods = all(callable(getattr(value, name, None)) for name in METHODS[thing])
        if isinstance(value, type) or not methods or not all(hasattr(value, name) for name in ATTRIBUTES[thing]):
            hint = checks.class_hint(value) or elsewhere.hint(value)
            if thing == "model":
                alone = isinstance(value, Layer) and not hasattr(value, "assemble")
                hint = hint or (f": Sequential({value!r}, seed=0) is one" if alone else assembly(value))
            raise TypeError(f"{thing} must be {EXAMPLES[thing]}, not {checks.describe(value)}{hint}")
    if "optimizer" in parts and getattr(parts["optimizer"], "model", parts["model"]) is not parts["model"]:
        raise ValueError("optimizer must be one of this model, not one made for another: it would train that")


def callbacks(callbacks: Any) -> None:
    """Raise TypeError where one is no function of the run."""
    if not isinstance(callbacks, Sequence):
        hint = ": give it in a list, callbacks=[...]" if callable(callbacks) else ""
        raise TypeError(f"callbacks must be a list of functions of the run, not {checks.describe(callbacks)}{hint}")
    for callback in callbacks:
        hooks = (getattr(callback, name, callback) for name in ("start", "step", "end"))
        if isinstance(callback, type) or not callable(callback) or not all(map(callable, hooks)):
            hint = checks.class_hint(callback)
            raise TypeError(f"callbacks must be functions of the run, not {checks.describe(callback)}{hint}")


def transform(transform: Any) -> Callable[[Array], Array]:
    """The transform, or the one that does nothing. It gets arrays that it may change in place. Raises TypeError."""
    if transform is None:
        return as_it_is
    if not callable(transform):
        raise TypeError(f"transform must be a function of a batch's x, not {checks.describe(transform)}")
    return lambda x: transform(x.copy() if isinstance(x, np.ndarray) and x.base is not None else x)  # the caller's own


def as_it_is(x: Array) -> Array:
    """The transform of who names none."""
    return x


# --- data ------------------------------------------------------------------------------------------------------------


def data(model: Any, x: Any, t: Any, loss: Any, prepare: Callable[[Array], Array], prefix: str = "") -> int:
    """Raise where x, t, loss and model do not go together: by their types and shapes, every target's value, one row.

    One row goes through the model. Messages say the shapes of all rows, as they were given. Returns y's width.
    """
    ops = backends.of(model)
    backends.float_array("model.params", model.params, ops, ndim=1)
    x_name, t_name, dtype = f"{prefix}x", f"{prefix}t", model.params.dtype
    for name, a, as_model in ((x_name, x, prepare is as_it_is), (t_name, t, not loss.classifies)):
        if type(a) is not np.ndarray:
            labels = name == t_name and loss.classifies
            hint = checks.as_labels("t", a) if labels else checks.as_array(name[-1], a, dtype if as_model else None)
            raise TypeError(f"{name} must be a numpy array, not {checks.describe(a)}{hint}")
    if x.ndim == 0 or len(x) == 0:
        raise ValueError(f"{x_name} must have at least one row, not shape {x.shape}")
    if t.ndim == 0 or len(t) != len(x):
        raise ValueError(f"{t_name} must have as many rows as {x_name}, {len(x)}, not shape {t.shape}")
    N = len(x)
    with quiet():
        row, t_row = prepare(ops.asarray(x[:1])), ops.asarray(t[:1])
        if prepare is not as_it_is:
            if isinstance(row, ops.xp.ndarray) and len(row.shape) > 1 and len(row) != 1:
                expected = f"a row for each row of {x_name}"
                raise ValueError(f"what transform makes of {x_name} must have {expected}, not {len(row)} for one")
            x_name = f"what transform makes of {x_name}"
        checks.float_array(x_name, _like_all(row, N, ops.xp), ops.xp)
        if row.dtype != dtype:
            raise TypeError(f"{x_name} must be {dtype} like the model, not {row.dtype}: {x_name}.astype('{dtype}')")
        with _as_given(row.shape, N, prefix):
            y = call(model, row)
            whole = _like_all(y, N, ops.xp)
            backends.float_array("what model gives", whole, ops)
            if hasattr(loss, "check"):
                loss.check(whole, _like_all(t_row, N, ops.xp))
            loss.check_values(t, y.shape[-1])
            figure(f"what {loss!r} gives", loss(y, t_row))
    return int(y.shape[-1])


@contextlib.contextmanager
def _as_given(row: tuple[int, ...], N: int, prefix: str) -> Iterator[None]:
    """Errors inside name the shape of all N rows, not of the one that was cut out, and tell validation's x and t."""
    try:
        yield
    except (TypeError, ValueError) as error:
        text = str(error).replace(f"shape {row}", f"shape {(N, *row[1:])}")
        text = re.sub(r"\b(x|t|labels) must\b", rf"{prefix}\1 must", text)
        if text == str(error):
            raise
        raise (TypeError if isinstance(error, TypeError) else ValueError)(text) from error


def _like_all(row: Any, N: int, xp: Any) -> Any:
    """N rows like the one, in no memory of their own."""
    return xp.broadcast_to(row, (N, *row.shape[1:])) if type(row) is xp.ndarray and row.shape[:1] == (1,) else row


def call(model: Any, x: Array) -> Array:
    """y without a trace, where the model can do that."""
    y: Array = model(x) if callable(model) else model.forward(x)
    return y


def validation(
    x: Array, t: Array, share: float, given: Any, classifies: bool
) -> tuple[int, tuple[Array, Array] | None]:
    """How many of the first rows train, and what validates: the last rows, what was given, or None."""
    share = checks.number("validation_split", share, 0, below=1)
    if given is not None:
        if share:
            raise ValueError("validation_split must be 0 where validation_data is given, not both at once")
        if not isinstance(given, tuple | list) or len(given) != 2:
            several = isinstance(given, tuple | list)
            got = f"a {type(given).__name__} of {len(given)}" if several else checks.describe(given)
            raise TypeError(f"validation_data must be a pair (x, t), not {got}")
        return len(x), tuple(given)
    kept = len(x) - round(share * len(x))
    if not share:
        return len(x), None
    if not 0 < kept < len(x):
        raise ValueError(f"validation_split must leave rows on both sides, not {share} of {len(x)}")
    if classifies:
        labels = t if t.ndim == 1 else t.argmax(axis=1)
        missing = np.setdiff1d(labels[kept:], labels[:kept])
        if len(missing):
            text = f"validation_split={share:g} leaves no row of class {missing[0]} to train with: all come last"
            warnings.warn(f"{text}. Shuffle the rows before", UserWarning, stacklevel=4)
    return kept, (x[kept:], t[kept:])


def weights(t: Array, sample_weight: Any, class_weight: Any) -> Array | None:
    """The weight of each row, in double precision, or None where all count alike. Raises TypeError, ValueError."""
    if sample_weight is None and class_weight is None:
        return None
    weight = np.ones(len(t))
    if sample_weight is not None:
        right = type(sample_weight) is np.ndarray and sample_weight.dtype.kind in "fiu"
        if not right or sample_weight.shape != (len(t),):
            expected = f"a numpy array with a number for each of the {len(t)} rows"
            hint = checks.as_array("sample_weight", sample_weight)
            raise TypeError(f"sample_weight must be {expected}, not {checks.describe(sample_weight)}{hint}")
        weight = sample_weight.astype(np.float64)
        if not (weight.min() >= 0 and weight.max() < math.inf):
            raise ValueError("sample_weight must hold numbers of 0 or more, and no NaN or infinity")
        weight = _from_0_to_1(weight)
    if class_weight is not None:
        if not isinstance(class_weight, Mapping) or t.ndim != 1:
            got = checks.describe(class_weight) + ("" if t.ndim == 1 else f" for t of shape {t.shape}")
            raise TypeError(f"class_weight must be a dict label -> number for labels t, not {got}")
        by_class = np.ones(len(t))
        for label, number in class_weight.items():
            if isinstance(label, checks.NOT_NUMBERS) or not isinstance(label, numbers.Integral):
                raise TypeError(f"class_weight must name labels, whole numbers, not {checks.describe(label)}")
            if label not in t:
                raise ValueError(f"class_weight must name labels of t, not {checks.describe(label)}, which no row has")
            by_class[t == label] = checks.number(f"class_weight[{label!r}]", number, 0)
        weight = weight * _from_0_to_1(by_class)
    return weight


def to_train_with(weight: Array, dtype: Any) -> Array:
    """The weights of the rows to train with, as the model's floats. Raises ValueError where none is left."""
    if not weight.any():
        raise ValueError("sample_weight and class_weight must leave a row to train with, not give all of them 0")
    weight = _from_0_to_1(weight)
    return np.where(weight < np.finfo(dtype).tiny, 0, weight).astype(dtype)


def _from_0_to_1(weight: Array) -> Array:
    """Weights of which the largest is in 0.5 .. 1. Only their ratios count, and halving or doubling rounds nothing."""
    with np.errstate(under="ignore"):
        return np.ldexp(weight, -np.frexp(weight.max())[1])


def no_rate(callbacks: Sequence[Any], run: Any) -> str:
    """What a learning rate of 0 means, and what to write."""
    line = "optimizer.lr = 1e-3 sets another"
    if any(hasattr(callback, "schedule") for callback in callbacks):
        other = (
            f"one over more epochs, such as callbacks.cosine(1e-3, {run.last})" if run.epoch else "callbacks.warm_up"
        )
        line = f"its schedule gives 0 for epoch {run.epoch}; write {other}"
    return f"the optimizer's learning rate is 0, so that its steps change nothing; {line}"


# --- what metrics and losses give ------------------------------------------------------------------------------------


def metrics(metrics: Any, loss: Any, outputs: int) -> Metrics:
    """The metrics, or those of who names none, for so many numbers y a row. Raises TypeError, ValueError."""
    if metrics is None:
        if loss.classifies and outputs == 1:
            expected = f"give two scores a row or more to {loss!r}, where metrics are not named"
            raise ValueError(f"model must {expected}, not one: of one score, none is the largest")
        return {"accuracy": accuracy} if loss.classifies else {}
    if not isinstance(metrics, Mapping):
        first = next(iter(metrics), None) if isinstance(metrics, list | tuple) else metrics
        hint = elsewhere.hint(first) or ': metrics={"accuracy": tinynn.accuracy}'
        raise TypeError(f"metrics must be a dict name -> function of y and t, not {checks.describe(metrics)}{hint}")
    for name, metric in metrics.items():
        if not isinstance(name, str) or not callable(metric) or isinstance(metric, type):
            raise TypeError(f"metrics[{name!r}] must be a function of y and t, not {checks.describe(metric)}")
        if name in ("", "loss", "seconds") or name.startswith("val_"):
            expected = "a name that the history has no other use for (it has for loss, seconds and val_...)"
            raise ValueError(f"metrics must have {expected}, not {name!r}")
    return dict(metrics)


def measured(metrics: Metrics, y: Array, t: Array) -> dict[str, Any]:
    """The figure that each metric gives: name -> number, on the GPU not yet read. y and t are theirs to read only."""
    y, t = _read_only(y), _read_only(t)
    return {name: figure(f"what metrics[{name!r}] gives", metric(y, t)) for name, metric in metrics.items()}


def _read_only(a: Array) -> Array:
    """The same array, which cannot be written to (on the GPU it can: there it is a copy)."""
    if isinstance(a, np.ndarray):
        a = a.view()
        a.flags.writeable = False
    return a


def figure(thing: str, value: Any) -> Any:
    """A number in double precision; an array without dimensions stays where it is. Raises TypeError, ValueError."""
    if isinstance(value, float):
        return value
    if type(value).__name__ == "ndarray" and value.shape == () and value.dtype.kind in "fiu":
        return value.astype("float64")
    return checks.real(thing, value)


def not_finite(x: Array, counts: Array | None) -> str:
    """What of x is no number, and where, in words: "NaN (the first in row 3)". Empty where all are, or do not count."""
    if x.dtype.kind != "f":
        return ""
    bad = ~np.isfinite(x).reshape(len(x), -1).all(axis=1)
    if counts is not None:
        bad &= counts > 0
    if not bad.any():
        return ""
    row = int(bad.argmax())
    return f"{'NaN' if np.isnan(x[row]).any() else 'infinity'} (the first in row {row})"
