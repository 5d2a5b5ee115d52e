"""The network and the optimizer that an estimator's parameters describe, and what these must be."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import checks, layers
from ..layers import Affine, BatchNorm, Dropout, Layer
from ..model import Model, Sequential
from ..nesting import walk
from ..optimizers import SGD, Adam, Optimizer, RMSProp
from ..training.batches import leaves_one

ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "relu": layers.ReLU,
    "leaky_relu": layers.LeakyReLU,
    "elu": layers.ELU,
    "gelu": layers.GELU,
    "silu": layers.SiLU,
    "softplus": layers.Softplus,
    "sigmoid": layers.Sigmoid,
    "tanh": layers.Tanh,
}
OPTIMIZERS: dict[str, Callable[..., Any]] = {"adam": Adam, "sgd": SGD, "rmsprop": RMSProp}

START = "xavier_uniform"  # smaller than Affine's own; a little more accurate on small tables, which are usual here


def network(estimator: Any, n_in: int, n_out: int, dtype: str, seed: int) -> Sequential:
    """n_in columns -> n_out numbers: the layers that `hidden` and its companions name, or what `build` makes.

    The model that `build` makes is put into another Sequential, which draws the weights again with its own seed and
    sets dtype and backend. Raises TypeError, ValueError.
    """
    name = type(estimator).__name__
    hidden = widths(name, estimator.hidden)
    activation = named(f"{name}: activation", estimator.activation, ACTIVATIONS, "GELU")
    dropout = checks.number(f"{name}: dropout", estimator.dropout, 0, 1)
    batch_norm = checks.flag(f"{name}: batch_norm", estimator.batch_norm)
    shape = input_shape(name, estimator.shape, estimator.build, n_in)
    made: list[Layer] = []
    if estimator.build is not None:
        made.append(built(name, estimator.build, shape, n_out))
    else:
        for n in hidden:
            made += [Affine(n_in, n, START), *([BatchNorm(n)] if batch_norm else []), one(name, activation)]
            made += [Dropout(dropout)] if dropout else []
            n_in = n
        made.append(Affine(n_in, n_out, START))
    return Sequential(*made, shape=shape, dtype=dtype, backend=estimator.backend, seed=seed)


def widths(name: str, hidden: Any) -> tuple[int, ...]:
    """The units of each hidden layer. Raises TypeError, ValueError."""
    if not isinstance(hidden, tuple | list):
        hint = f": ({hidden},) is one layer" if isinstance(hidden, int) and not isinstance(hidden, bool) else ""
        expected = "a tuple with the units of each hidden layer, such as (100,) or (64, 32)"
        raise TypeError(f"{name}: hidden must be {expected}, not {checks.describe(hidden)}{hint}")
    return tuple(checks.integer(f"{name}: hidden, layer {i},", n, 1) for i, n in enumerate(hidden, 1))


def named(thing: str, value: Any, known: Mapping[str, Callable[..., Any]], example: str) -> Callable[..., Any]:
    """What a name stands for, or the class or function itself. Raises ValueError."""
    if isinstance(value, str) and value in known:
        return known[value]
    if isinstance(value, str) or not callable(value) or isinstance(value, Layer):
        names = ", ".join(map(repr, known))
        raise ValueError(f"{thing} must be {names}, or a class such as tinynn.{example}, not {checks.describe(value)}")
    return value


def one(name: str, activation: Callable[[], Any]) -> Layer:
    """A layer of its own for each place. Raises TypeError."""
    layer = activation()
    if not isinstance(layer, Layer):
        raise TypeError(f"{name}: activation must make a tinynn layer, not {checks.describe(layer)}")
    return layer


def input_shape(name: str, shape: Any, build: Any, n_in: int) -> tuple[int, ...]:
    """The shape that a row of X is given. Raises TypeError, ValueError."""
    if shape is None:
        return (n_in,)
    if build is None:
        raise ValueError(f"{name}: shape must be None without build, not {shape!r}: hidden layers take rows")
    shape = checks.sizes(f"{name}: shape", shape)
    if math.prod(shape) != n_in:
        numbers = f"{' x '.join(map(str, shape))} = {math.prod(shape)}"
        raise ValueError(f"{name}: shape must hold the {n_in} columns of X, not {shape}, which holds {numbers}")
    return shape


def built(name: str, build: Any, shape: tuple[int, ...], n_out: int) -> Model:
    """What the user's function makes. Raises TypeError."""
    call = f"build({shape}, {n_out})"
    if isinstance(build, Layer) or not callable(build):
        hint = ": a function makes a new one for each fit" if isinstance(build, Layer) else ""
        expected = "a function (shape, n_out) -> model"
        raise TypeError(f"{name}: build must be {expected}, not {checks.describe(build)}{hint}")
    demand_call(f"{name}: build", build, shape, n_out)
    model = build(shape, n_out)
    if not isinstance(model, Model):
        hint = f": Sequential({model!r}) is one" if isinstance(model, Layer) else ""
        raise TypeError(f"{name}: {call} must return a tinynn model, not {checks.describe(model)}{hint}")
    try:
        model.output_shape(shape)
    except ValueError as error:
        raise ValueError(f"{name}: {call} must return a model for rows of shape {shape}: {error}") from None
    y = model.predict(np.zeros((1, *shape), model.dtype))
    if y.shape != (1, n_out):
        raise ValueError(f"{name}: {call} must return a model with {n_out} numbers a row, not shape {y.shape} of one")
    return model


def demand_call(thing: str, function: Callable[..., Any], *args: Any, **options: Any) -> None:
    """Raise TypeError where the function does not take these arguments."""
    with contextlib.suppress(ValueError):  # it does not say what it takes
        signature = inspect.signature(function)
        try:
            signature.bind(*args, **options)
        except TypeError as error:
            words = [*map(str, args), *(f"{key}={value}" for key, value in options.items())]
            expected = f"a function that can be called with ({', '.join(words)})"
            raise TypeError(f"{thing} must be {expected}, not one that takes {signature}: {error}") from None


def optimizer_of(estimator: Any, model: Model) -> Optimizer:
    """The optimizer of the model, new. Raises TypeError, ValueError."""
    name = type(estimator).__name__
    make = named(f"{name}: optimizer", estimator.optimizer, OPTIMIZERS, "SGD")
    lr = checks.number(f"{name}: lr", estimator.lr, 0)
    weight_decay = checks.number(f"{name}: weight_decay", estimator.weight_decay, 0)
    demand_call(f"{name}: optimizer", make, "model", lr=lr, weight_decay=weight_decay)
    optimizer = make(model, lr=lr, weight_decay=weight_decay)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{name}: optimizer must make a tinynn optimizer, not {checks.describe(optimizer)}")
    return optimizer


def batch_of(model: Model, size: int, rows: int) -> int:
    """`size`, or the next number of rows that leaves no batch of one, for which BatchNorm has no variance."""
    if rows > 1 and any(isinstance(layer, BatchNorm) for _, layer in walk(model)):
        while leaves_one(rows, size):
            size += 1
    return size


def like_model(X: np.ndarray[Any, Any], model: Model) -> np.ndarray[Any, Any]:
    """The rows in the model's dtype and the shape of its examples: images out of columns."""
    assert isinstance(model, Sequential) and model.shape is not None
    return X.reshape(-1, *model.shape).astype(model.dtype, copy=False)
