"""What `fit` and `evaluate` demand of their arguments, before the first step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import backends, checks
from .checks import Array
from .metrics import accuracy

Metrics = Mapping[str, Callable[[Array, Array], float]]


def parts(**parts: Any) -> None:
    """Raise where model, loss or optimizer is not what it is called, or the optimizer is another model's."""
    methods = {"model": ("forward", "backward"), "loss": ("backward", "follow"), "optimizer": ("step",)}
    for thing, value in parts.items():
        if isinstance(value, type) or not all(hasattr(value, method) for method in methods[thing]):
            hint = " (a class: make one of it)" if isinstance(value, type) else ""
            raise TypeError(f"{thing} must be one such as tinynn's, not {checks.describe(value)}{hint}")
    if "optimizer" in parts and getattr(parts["optimizer"], "model", parts["model"]) is not parts["model"]:
        raise ValueError("optimizer must be one of this model, not one made for another: it would train that")


def callbacks(callbacks: Any) -> None:
    """Raise TypeError where one is no function of the run."""
    if not isinstance(callbacks, Sequence):
        raise TypeError(f"callbacks must be a list of functions of the run, not {checks.describe(callbacks)}")
    for callback in callbacks:
        if isinstance(callback, type) or not callable(callback):
            hint = " (a class: make one of it)" if isinstance(callback, type) else ""
            raise TypeError(f"callbacks must be functions of the run, not {checks.describe(callback)}{hint}")


def metrics(metrics: Any, loss: Any) -> Metrics:
    """The metrics, or those of who names none. Raises TypeError."""
    if metrics is None:
        return {"accuracy": accuracy} if loss.classifies else {}
    if not isinstance(metrics, Mapping):
        raise TypeError(f"metrics must be a dict name -> function of y and t, not {checks.describe(metrics)}")
    for name, metric in metrics.items():
        if not isinstance(name, str) or not callable(metric):
            raise TypeError(f"metrics[{name!r}] must be a function of y and t, not {checks.describe(metric)}")
    return metrics


def transform(transform: Any) -> Callable[[Array], Array]:
    """The transform, or the one that does nothing. Raises TypeError."""
    if transform is not None and not callable(transform):
        raise TypeError(f"transform must be a function of a batch's x, not {checks.describe(transform)}")
    return transform or as_it_is


def as_it_is(x: Array) -> Array:
    """The transform of who names none."""
    return x


def weights(t: Array, sample_weight: Any, class_weight: Any, dtype: Any) -> Array | None:
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


def data(model: Any, x: Any, t: Any, loss: Any, prepare: Callable[[Array], Array], x_name: str, t_name: str) -> None:
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
    if prepare is not as_it_is:
        x_name = f"what transform makes of {x_name}"
    checks.float_array(x_name, row, ops.xp)
    dtype = model.params.dtype
    if row.dtype != dtype:
        raise TypeError(f"{x_name} must be {dtype} like the model, not {row.dtype}: {x_name}.astype('{dtype}')")
    y = call(model, row)
    loss(y, ops.asarray(t[:1]))
    loss.check_values(t, y.shape[1])


def split(x: Array, t: Array, share: float, validation_data: Any) -> tuple[Array, Array, tuple[Array, Array]]:
    """The rows to train with, and the last ones for validation. Raises ValueError where one of the two is empty."""
    if validation_data is not None:
        raise ValueError("validation_split must be 0 where validation_data is given, not both at once")
    kept = len(x) - round(share * len(x))
    if not 0 < kept < len(x):
        raise ValueError(f"validation_split must leave rows on both sides, not {share} of {len(x)}")
    return x[:kept], t[:kept], (x[kept:], t[kept:])


def call(model: Any, x: Array) -> Array:
    """y without a trace, where the model can do that."""
    return model(x) if callable(model) else model.forward(x)
