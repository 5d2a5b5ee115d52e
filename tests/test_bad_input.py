"""Nonsense for every argument of every public function: a right result, or a sentence that names the argument.

Each entry of the table below is a call that is right. In its place hypothesis puts arguments that may not be: one of
them, at times two, becomes another array, number or thing. Then the call must either

- raise ValueError, TypeError or an error that is the entry's own, from a line of tinynn's, with a message that names
  the argument and says what it must be; or
- return what the textbook, in double precision, makes of the same arguments. The entry's `right` computes that, and
  `Nonsense` is what it raises for arguments of which nothing can be right.

And whatever happens: no argument and no global random state is changed, no warning escapes, and it does not take long.

    pytest tests/test_bad_input.py -s                              counts the cases
    pytest tests/test_bad_input.py --hypothesis-profile=many       tries forty times as many
"""

from __future__ import annotations

import ast
import collections
import contextlib
import copy
import fractions
import functools
import inspect
import io
import itertools
import math
import operator
import os
import random
import re
import signal
import sys
import tempfile
import traceback
import types
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nonsense import Own, nonsense, raising

import tinynn
from tinynn import checks, metrics
from tinynn.backends import load
from tinynn.backends import numpy as numpy_ops
from tinynn.training import callbacks

PACKAGE = str(Path(tinynn.__file__).parent)
CASES = 25 * hypothesis.settings().max_examples // 100  # of each entry
SECONDS = 5  # of the processor's time: the longest that a case may take
tried: collections.Counter[tuple[str, str]] = collections.Counter()


class TooLong(Exception):
    """A case has not come to an end."""


class Nonsense(Exception):
    """Nothing that could be returned for such arguments would be right."""


# --- what is right ---------------------------------------------------------------------------------------------------


def demand(condition):
    if not condition:
        raise Nonsense


def whole(value, least):
    """The whole number that an argument is."""
    demand(isinstance(value, int | np.integer) and not isinstance(value, bool | np.timedelta64) and value >= least)
    return int(value)


def real(value, least=-math.inf, below=math.inf):
    """The finite number that an argument is."""
    demand(isinstance(value, int | float | np.integer | np.floating | fractions.Fraction))
    demand(not isinstance(value, bool | np.timedelta64))
    demand(least <= value < below and abs(value) <= sys.float_info.max)
    return float(value)


def flag(value):
    """The truth that an argument is."""
    demand(isinstance(value, bool | np.bool_))
    return bool(value)


def text(value):
    demand(isinstance(value, str))
    return value


def floats(a, dtype, *shape, more=False):
    """The numbers of an array (None: any length there), in double precision; `more`: there may be axes between."""
    demand(type(a) is np.ndarray and a.dtype == dtype and a.dtype.isnative)
    demand(a.ndim == len(shape) or (more and a.ndim > len(shape)))
    demand(all(n in (None, m) for n, m in zip(shape, (a.shape[0], *a.shape[a.ndim - len(shape) + 1 :]))))
    return a.astype(np.float64)


def targets(t, y):
    """Labels, or rows of probabilities, for scores y."""
    N, C = y.shape
    demand(type(t) is np.ndarray)
    if t.ndim == 1:
        demand(t.dtype.kind in "iu" and len(t) == N and all(0 <= label < C for label in t.tolist()))
        return t.astype(np.int64)
    p = floats(t, y.dtype, N, C)
    demand(np.all(p >= 0) and np.all(abs(p.sum(axis=1) - 1) < 1e-3))
    return p


def weights(weight, y):
    """A weight for each row of y."""
    if weight is None:
        return None
    w = floats(weight, y.dtype, len(y))
    demand(np.all(w >= 0) and 0 < w.sum() < np.inf)
    return w


def function(value):
    demand(callable(value))
    return value


def alike(got, expected, dtype, size=None):
    """Raise AssertionError where a result is not the expected one, to rounding in `dtype`.

    `size` is that of the terms that were added up. What overflows in `dtype` need not be a number.
    """
    if expected is ...:
        return
    if isinstance(expected, dict):
        assert list(got) == list(expected), (got, expected)
        got, expected = list(got.values()), list(expected.values())
    if isinstance(expected, tuple | list):
        assert len(got) == len(expected), (got, expected)
        for one, other in zip(got, expected):
            alike(one, other, dtype, size)
        return
    if not isinstance(expected, float | np.ndarray):
        assert got == expected and type(got) is type(expected), (got, expected)
        return
    got, expected = np.asarray(got), np.asarray(expected)
    limits = np.finfo("float32" if got.dtype == np.float32 else dtype)
    assert got.shape == expected.shape, (got.shape, expected.shape)
    assert got.dtype.kind == "f"
    got = got.astype(np.float64)
    size = np.maximum(1, np.abs(expected)) if size is None else np.broadcast_to(size, expected.shape)
    with np.errstate(all="ignore"):
        near = np.abs(got - expected) <= 200 * float(limits.eps) * size + 4 * float(limits.tiny)
        same = (got == expected) | (np.isnan(got) & np.isnan(expected))
        overflow = ~np.isnan(expected) & ~(size < float(limits.max) / 8) & ~(np.abs(got) < float(limits.max) / 1e9)
    assert np.all(near | same | overflow), f"{got} is not {expected}"


class World(NamedTuple):
    """What the cases of an entry differ in beside their arguments."""

    backend: str
    dtype: str

    def array(self, *shape, seed=7):
        return np.random.default_rng(seed).normal(size=shape).astype(self.dtype)

    def model(self, *layers):
        layers = layers or (tinynn.Affine(3, 4), tinynn.Tanh(), tinynn.Affine(4, 2))
        return tinynn.Sequential(*layers, backend=self.backend, dtype=self.dtype, seed=5)

    def built(self, layer):
        layer.build(np.random.default_rng(5), np.dtype(self.dtype), load(self.backend))
        return layer


TEXTBOOK = World("numpy", "float64")


class Try(NamedTuple):
    """One call, its right arguments, and what is right for others."""

    call: Any
    arguments: dict[str, Any]
    right: Any
    size: Any = None  # of the terms of a sum, by the same arguments: rounding is relative to it
    also: tuple[type[BaseException], ...] = ()  # errors that this function may raise beside ValueError and TypeError
    named: dict[str, str] = {}  # what messages call an argument, where it is not its name  # noqa: RUF012
    own: tuple[str, ...] = ()  # arguments that are functions: what they raise is passed on
    keep: tuple[str, ...] = ()  # arguments that may be changed: that is what the call is for


TABLE: dict[str, Any] = {}
NEW_LAYERS = "|".join(sorted(set(tinynn.layers.__all__) - {"Activation", "Affine", "Layer", "ReLU", "Sigmoid", "Tanh"}))
EXEMPT = {  # of the public names; and why
    r"(Activation|Layer|Loss|Optimizer)(\..*)?": "bases: tried by the classes of theirs",
    r"(ReLU|Sigmoid|Tanh|datasets.load_norris|backends.default)": "takes no argument",
    r".*\.(where|x_shape|grads|backend|epoch|summary|keys|to_dict)": "takes no argument",
    r"(MSE|SoftmaxCrossEntropy|GaussianNLL)\.backward": "takes no argument",
    r"\w+\.(build|unbuilt|lay_out|placed|rebind|output_shape|sizes|around|initial_values|demand_dx|undraw|share_rng)": "a model calls it",
    r"\w+\.keep_all": "a flag; test_layers.py",
    rf"({NEW_LAYERS})(\.(forward|backward|__call__))?": "the checks of Affine and ReLU (checked.py); test_layers.py",
    r"(BinaryCrossEntropy|MAE|Huber)(\.(forward|backward|__call__))?": "the checks of MSE; test_losses.py",
    r"Model(\..*)?|Sequential\.(assemble|copy|flat_buffers)": "the base of Sequential; test_blocks.py",
    r"RMSProp(\.step)?": "the checks of SGD and Adam; test_optimizers.py",
    r"SoftmaxCrossEntropy\.smoothed": "inner works: compute calls it",
    r"callbacks\.OneCycle(\..*)?": "test_callbacks.py",
    r"Parallel(\..*)?": "test_mpi.py",
    r"\w+\.(compute|check|check_values|follow|prepare|decay)": "inner works: forward, step or fit call it",
    r"(callbacks\.)?(EarlyStopping|LearningRate|Checkpoint|Watch)\.(start|step|end|__call__)": "inner works: fit calls it",
    r"Watch\.(forward|backward|fault|describe|findings)": "inner works, or without arguments",
    r"callbacks\.Run": "inner works: fit makes it",
    r"\w+\.(probabilities|classes)": "inner works: predict_proba and predict_classes call it; test_losses.py",
    r"Sequential\.predict_classes": "predict, and then as predict_proba; test_losses.py",
    r"(\w+\.)+use": "inner works: what has a backend is told it by its model",
    r"\w+\.parameters": "names; a call is refused, test_elsewhere.py",
    r"metrics\.both_labels": "inner works: confusion_matrix and pictures call it",
    r"metrics\.ClassReport": "inner works: class_report makes it",
    r"backends\.(ByName|preferred|float_array|float_type|name_of|of)": "inner works: models, layers and losses use it",
    r"initializers\.(demand_room|draw|ends|find|written)": "inner works: layers use it",
    r"Sequential\.__getitem__": "a tuple's",
    r"(History|Watch)\.plot": "a picture's: tried with the pictures",
    r"CheckpointError": "an error",
}


def entry(*keys):
    """Put a function (World, key) -> Try into the table, under each of the keys: the public name, and perhaps a case."""

    def put(function):
        TABLE.update(dict.fromkeys(keys, function))
        return function

    return put


# --- layers ----------------------------------------------------------------------------------------------------------

ACTIVATIONS = {"ReLU": lambda x: np.maximum(x, 0), "Sigmoid": lambda x: 1 / (1 + np.exp(-x)), "Tanh": np.tanh}


def affine(x, W, b):
    """y, and the size of what is added up."""
    return x @ W + b, np.abs(x) @ np.abs(W) + np.abs(b)


def by_the_book(layer, x):
    """y of a layer, or of the layers of a model, and its size."""
    if isinstance(layer, tinynn.Sequential):
        size = np.abs(x)
        for one in layer:
            grown = affine(size, np.abs(one.W), np.abs(one.b))[0] if one.parameters else size
            x, size = by_the_book(one, x)[0], np.maximum(grown, 1)
        return x, size
    if isinstance(layer, tinynn.Affine):
        return affine(x, layer.W.astype(np.float64), layer.b.astype(np.float64))
    demand(type(layer).__name__ in ACTIVATIONS)
    return ACTIVATIONS[type(layer).__name__](x), np.maximum(1, np.abs(x))


@entry("Affine")
def _(w, key):
    """The constructor: the weights are those that the initializers draw."""

    def call(**arguments):
        layer = tinynn.Affine(**arguments)
        if layer.n_in * layer.n_out > 10**6:
            return layer.n_in, layer.n_out
        w.built(layer)
        return layer.W, layer.b

    def initial(init, shape, rng):
        values = init(shape, rng) if callable(init) else getattr(tinynn, init)(shape, rng)
        demand(type(values) is np.ndarray and values.shape == shape and values.dtype.kind == "f")
        return values

    def right(n_in, n_out, weight_init, bias_init):
        n_in, n_out, rng = whole(n_in, 1), whole(n_out, 1), np.random.default_rng(5)
        if n_in * n_out > 10**6:
            return n_in, n_out
        return initial(weight_init, (n_in, n_out), rng), initial(bias_init, (n_out,), rng)

    arguments = {"n_in": 3, "n_out": 4, "weight_init": "xavier_normal", "bias_init": "normal"}
    return Try(call, arguments, right, own=("weight_init", "bias_init"))


@entry("Affine.build")
def _(w, key):
    """Sizes beyond every memory are found when the model is built."""

    def right(n_in, n_out):
        n_in, n_out = whole(n_in, 1), whole(n_out, 1)
        demand(n_in * n_out < 10**9)
        return (n_in + 1) * n_out

    def call(n_in, n_out):
        return w.model(tinynn.Affine(n_in, n_out)).params.size

    named = dict.fromkeys(["n_in", "n_out"], "n_in|n_out|fit into memory")
    return Try(call, {"n_in": 3, "n_out": 4}, right, named=named)


@contextlib.contextmanager
def default_backend(name):
    """Meanwhile a layer alone works with this backend."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYNN_BACKEND", name)
        yield


def layers_under(*methods):
    return [f"{name}.{method}" for name in ["Affine", *ACTIVATIONS] for method in methods]


@entry(*layers_under("forward", "forward again", "forward alone", "__call__", "__call__ alone"))
def _(w, key):
    name, _, method = key.partition(".")
    layer = tinynn.Affine(3, 4) if name == "Affine" else getattr(tinynn, name)()
    if "alone" not in method:
        w.built(layer)
    if "again" in method:  # the checks of what came before are not done again
        layer.forward(w.array(5, 3))

    def call(x):
        with default_backend(w.backend if "alone" in method else "numpy"):
            return getattr(layer, method.split()[0])(x)

    def right(x):
        dtype = w.dtype
        if layer.dtype is None or "alone" in method:  # any float
            demand(type(x) is np.ndarray and x.dtype in tinynn.checks.FLOATS)
            if x.dtype.kind == "c":
                demand(w.backend == "numpy")
                return ...  # the textbook's own, for the complex-step derivative
            dtype = x.dtype
        return by_the_book(layer, floats(x, dtype, None, 3 if name == "Affine" else None, more=True))[0]

    return Try(call, {"x": w.array(5, 3)}, right, lambda x: by_the_book(layer, x.real.astype(np.float64))[1])


@entry(*layers_under("backward"))
def _(w, key):
    name = key.partition(".")[0]
    layer = w.built(tinynn.Affine(3, 4) if name == "Affine" else getattr(tinynn, name)())
    x = w.array(5, 3)
    y = layer.forward(x)

    def call(dy):
        dx = layer.backward(dy)
        return [dx, *(getattr(layer, "d" + parameter).copy() for parameter in layer.parameters)]

    def right(dy):
        dy = floats(dy, w.dtype, *y.shape)
        if name == "Affine":
            dW, db = np.empty((3, 4)), np.empty(4)
            dx = numpy_ops.affine_backward(dy, x.astype(np.float64), layer.W.astype(np.float64), dW, db)
            return [dx, dW, db]
        return [getattr(numpy_ops, f"{name.lower()}_backward")(dy, by_the_book(layer, x.astype(np.float64))[0])]

    return Try(call, {"dy": w.array(*y.shape, seed=8)}, right, lambda dy: 9 * largest(dy))


def largest(*arrays):
    """The largest number in some arrays, infinite ones and NaN aside; at least 1."""
    return max([1.0, *(float(np.abs(a[np.isfinite(a)]).max(initial=0)) for a in arrays)])


@entry("Affine.W", "Affine.b", "Affine.W first", "Affine.b first", "Affine.dW", "Affine.db")
def _(w, key):
    """Assigning parameters, of a layer that is built and of one that is not."""
    name, first = key.split(".")[1].split()[0], "first" in key
    layer = tinynn.Affine(3, 4)
    if not first:
        w.built(layer)
    x = w.array(5, 3)
    good = w.array(*((3, 4) if name.endswith("W") else (4,)), seed=9)

    def call(value):
        setattr(layer, name, value)
        if first:
            w.built(layer)
        return getattr(layer, name), layer(x)

    def right(value):
        demand(not isinstance(value, np.ma.MaskedArray))
        try:
            a = np.asarray(value)
        except Exception:
            raise Nonsense from None
        demand(a.shape == good.shape and a.dtype.kind in "fiu")
        with np.errstate(all="ignore"):
            demand(np.array_equal(np.isinf(a), np.isinf(a.astype(w.dtype))))
        a = a.astype(np.float64)
        parameters = {"W": layer.W.astype(np.float64), "b": layer.b.astype(np.float64)}
        if name in parameters:
            parameters[name] = a
        return a, affine(x.astype(np.float64), **parameters)[0]

    def size(value):
        return 20 * largest(np.asarray(value, np.float64))

    return Try(call, {"value": good}, right, size, named={"value": name})


@entry("Layer")
def _(w, key):
    """A layer of one's own whose class says what its parameters are, and whose methods return something."""
    good = w.array(5, 3)

    def call(parameters, y, dx):
        Mine = type("Mine", (tinynn.Layer,), {
            "parameters": parameters, "forward": lambda self, x: y, "backward": lambda self, dy: dx,
        })  # fmt: skip
        layer = Mine()
        layer.g = np.ones(3)
        w.built(layer)
        return layer.forward(good), layer.backward(good), layer.g

    def right(parameters, y, dx):
        demand(isinstance(parameters, tuple | list) and list(parameters) in (["g"], []))
        y = floats(y, w.dtype, 5, None)
        demand(y.shape == (5, 3))  # as dy
        return y, floats(dx, w.dtype, 5, 3), np.ones(3)

    named = {"y": "forward must return|dy must be", "dx": "backward must return"}
    return Try(call, {"parameters": ("g",), "y": w.array(5, 3), "dx": w.array(5, 3)}, right, named=named)


# --- models ----------------------------------------------------------------------------------------------------------


def float_type(dtype, backend):
    """The dtype of a model."""
    demand(isinstance(dtype, str | type | np.dtype))
    for name in ("float32", "float64", "complex128"):
        if np.dtype(dtype) == np.dtype(name):
            demand(name != "complex128" or backend == "numpy")
            return name
    raise Nonsense


def backend_name(name):
    demand(name is None or (isinstance(name, str) and name in tinynn.backends.NAMES))
    return str(name or tinynn.backends.default())


@entry("Sequential", "flatten")
def _(w, key):
    x = np.random.default_rng(3).normal(size=(5, 3))

    def call(layer, backend, dtype, seed):
        layers = tinynn.Affine(3, 4), layer, tinynn.Affine(4, 2)
        if key == "Sequential":
            model = tinynn.Sequential(*layers, backend=backend, dtype=dtype, seed=seed)
            return model.params, model.grads, model(x.astype(dtype))
        params, grads = tinynn.flatten(*layers, backend=backend, dtype=dtype, seed=seed)
        drawn = params.copy()
        params[...] = 3
        return drawn, grads, layers[2].W

    def right(layer, backend, dtype, seed):
        backend = backend_name(backend)
        dtype = float_type(dtype, backend)
        if key == "flatten" and isinstance(layer, tinynn.Layer) and type(layer).__name__ not in ACTIVATIONS:
            return ...  # any layers, beside each other
        demand(dtype != "complex128" and type(layer).__name__ in ACTIVATIONS)
        params = y = ...  # nobody knows
        if seed is not None and not isinstance(seed, np.random.Generator):
            rng = np.random.default_rng(whole(seed, 0))
            W1, W2 = rng.normal(0, math.sqrt(2 / 3), (3, 4)), rng.normal(0, math.sqrt(2 / 4), (4, 2))
            params = np.concatenate([W1.ravel(), np.zeros(4), W2.ravel(), np.zeros(2)])
            y = by_the_book(layer, x @ W1)[0] @ W2
        return params, np.zeros(26), y if key == "Sequential" else np.full((4, 2), 3.0)

    arguments = {"layer": tinynn.Tanh(), "backend": w.backend, "dtype": w.dtype, "seed": 3}
    also = (ImportError, NotImplementedError)  # no CuPy; a layer without forward
    return Try(call, arguments, right, lambda **_: 20, also, {"layer": "layer 2|layer 3"})


@entry("Sequential.forward", "Sequential.__call__", "Sequential.predict")
def _(w, key):
    model = w.model()

    def right(x):
        return by_the_book(model, floats(x, w.dtype, None, 3, more=True))[0]

    def size(x):
        return by_the_book(model, np.asarray(x, np.float64))[1]

    return Try(getattr(model, key.partition(".")[2]), {"x": w.array(5, 3)}, right, size)


@entry("Sequential.predict_proba")
def _(w, key):
    model, loss = w.model(), tinynn.SoftmaxCrossEntropy()

    def right(x):
        y = by_the_book(model, floats(x, w.dtype, None, 3, more=True))[0]
        return numpy_ops.softmax(y.reshape(-1, 2)).reshape(y.shape)

    return Try(lambda x: model.predict_proba(x, loss=loss), {"x": w.array(5, 3)}, right, lambda x: 1)


@entry("Sequential.backward")
def _(w, key):
    model = w.model()
    x = w.array(5, 3)
    y = model.forward(x)

    def call(dy):
        model.backward(dy)
        return model.grads.copy()

    def right(dy):
        dy = floats(dy, w.dtype, *y.shape)
        twin = TEXTBOOK.model()
        twin.params = model.params.astype(np.float64)
        twin.forward(x.astype(np.float64))
        twin.backward(dy)
        return twin.grads

    return Try(call, {"dy": w.array(5, 2)}, right, lambda dy: 50 * largest(dy))


@entry("Sequential.params")
def _(w, key):
    model = w.model()

    def call(params):
        model.params = params
        return model.params.copy()

    return Try(call, {"params": w.array(26)}, lambda params: floats(params, w.dtype, 26))


@entry("Sequential.to")
def _(w, key):
    model, x = w.model(), w.array(5, 3)

    def call(backend):
        moved = model.to(backend)
        return moved is model, model.backend, model(x)

    def right(backend):
        demand(isinstance(backend, str) or backend is None)
        return True, backend_name(backend), by_the_book(model, x.astype(np.float64))[0]

    return Try(call, {"backend": w.backend}, right, also=(ImportError,))


# --- losses ----------------------------------------------------------------------------------------------------------

LOSSES = {
    "MSE": {}, "SoftmaxCrossEntropy": {}, "SoftmaxCrossEntropy soft": {}, "GaussianNLL": {}, "GaussianNLL fixed": {"variance": 0.3},
}  # fmt: skip


@entry(*(f"{cls.split()[0]}.{method} {cls} {weighted}".strip()
         for cls in LOSSES for method in ("forward", "__call__") for weighted in ("weighted", "")))  # fmt: skip
def _(w, key):
    method, _, case = key.partition(".")[2].partition(" ")
    name, weighted = case.removesuffix(" weighted"), case.endswith("weighted")
    loss = getattr(tinynn, name.split()[0])(backend=w.backend, **LOSSES[name])
    y, t = w.array(5, 4), w.array(5, 2 if name == "GaussianNLL" else 4, seed=8)
    if name == "SoftmaxCrossEntropy":
        t = np.array([0, 3, 1, 2, 2])
    if name.endswith("soft"):
        t = numpy_ops.softmax(t)

    def call(y, t, weight=None):
        value = getattr(loss, method)(y, t, weight)
        return (value, loss.backward().copy()) if method == "forward" else (value,)

    def right(y, t, weight=None):
        demand(type(y) is np.ndarray and y.dtype in tinynn.checks.FLOATS)
        if y.dtype.kind == "c":
            demand(w.backend == "numpy")
            return ...  # the textbook's own
        demand(y.dtype in ("float32", "float64") and y.ndim >= 2)
        if y.ndim > 2:
            return ...  # a loss for each position: tried in test_losses.py
        y64, weight = floats(y, y.dtype, None, None), weights(weight, y)
        demand(len(y) > 0)
        if loss.classifies:
            value, dy = numpy_ops.softmax_cross_entropy(y64, targets(t, y), weight)
        elif name == "GaussianNLL":
            t = floats(t, y.dtype, len(y), None)
            demand(y.shape[1] == 2 * t.shape[1] and not np.isnan(t).any())
            value, dy = numpy_ops.gaussian_nll(y64, t, weight)
        else:
            t = floats(t, y.dtype, *y.shape)
            demand(not np.isnan(t).any())
            value, dy = numpy_ops.mse(y64, t, weight)
            if name.endswith("fixed"):
                value, dy = value / 0.6 + math.log(2 * math.pi * 0.3) / 2, dy / 0.6
        return (value, dy) if method == "forward" else (value,)

    def size(y, t, weight=None):
        size = np.float64(largest(y, t)) ** (1 if loss.classifies else 2)
        if name == "GaussianNLL":
            m, s = y[:, : t.shape[1]], y[:, t.shape[1] :]
            size = max(size, largest(s)) * largest(np.exp(-s.astype(np.float64))) * largest(m)
        return 10 * size

    arguments = {"y": y, "t": t, **({"weight": np.array([1, 2, 0, 0.5, 1], w.dtype)} if weighted else {})}
    return Try(call, arguments, right, size, named={"t": "t|labels", "y": "y|scores"})


@entry("MSE", "SoftmaxCrossEntropy", "GaussianNLL", "GaussianNLL fixed")
def _(w, key):
    name = key.split()[0]
    y, t = w.array(5, 4), w.array(5, 4 if key != "GaussianNLL" else 2, seed=8)
    if name == "SoftmaxCrossEntropy":
        t = np.array([0, 3, 1, 2, 2])

    def call(**arguments):
        loss = getattr(tinynn, name)(**arguments)
        return loss.backend, loss(y, t)

    def right(backend, variance=None):
        backend_name(backend)
        op = {"MSE": "mse", "SoftmaxCrossEntropy": "softmax_cross_entropy", "GaussianNLL": "gaussian_nll"}[name]
        y64, t64 = y.astype(np.float64), t if t.ndim == 1 else t.astype(np.float64)
        if key != "GaussianNLL fixed":
            return backend, getattr(numpy_ops, op)(y64, t64)[0]
        v = real(variance, 0)
        demand(v > 0)
        return backend, ((y64 - t64) ** 2).mean() / (2 * v) + math.log(2 * math.pi * v) / 2

    arguments = {"backend": w.backend, **({"variance": 0.3} if key == "GaussianNLL fixed" else {})}
    return Try(call, arguments, right, also=(ImportError,), named={"variance": "variance|y"})  # None: another loss


# --- optimizers ------------------------------------------------------------------------------------------------------


def steps_by_the_book(name, params, gradients, matrix=slice(0), *, lr, weight_decay=0.0, decay_biases=True, clip_norm=None,
                      momentum=0.0, nesterov=False, beta1=0.9, beta2=0.999, eps=1e-8):  # fmt: skip
    """The parameters after a step for each gradient; `matrix` is where decay acts with decay_biases=False."""
    decay = np.full(params.size, float(weight_decay))
    if not decay_biases:
        decay[:] = 0
        decay[matrix] = weight_decay
    w, v, m = params.astype(np.float64), np.zeros(params.size), np.zeros(params.size)
    for t, g in enumerate(gradients, 1):
        g = g.astype(np.float64)
        if clip_norm is not None:
            g = g * (clip_norm / max(np.linalg.norm(g), clip_norm))
        if name == "SGD":
            g = g + decay * w
            v = momentum * v - lr * g
            w = w + momentum * v - lr * g if nesterov else w + v
        else:
            m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
            w = w * (1 - lr * decay) - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
    return w


@entry("SGD", "Adam")
def _(w, key):
    """The constructor, and two steps."""
    model = w.model()
    start, gradients = model.params.copy(), [w.array(26, seed=1), w.array(26, seed=2)]
    matrix = np.r_[0:12, 16:24]

    def call(**arguments):
        optimizer = getattr(tinynn, key)(**arguments)
        model = arguments["model"]
        for g in gradients:
            model.grads[...] = np.resize(g, model.grads.shape)
            optimizer.step()
        return model.params.copy()

    def right(model, lr, weight_decay, decay_biases, clip_norm, **own):
        options = {"lr": real(lr, 0), "weight_decay": real(weight_decay, 0), "decay_biases": flag(decay_biases)}
        options["clip_norm"] = None if clip_norm is None else real(clip_norm, 0)
        demand(clip_norm is None or clip_norm > 0)
        for name, value in own.items():
            options[name] = flag(value) if name == "nesterov" else real(value, 0, 1 if name != "eps" else math.inf)
        demand(not options.get("nesterov") or options["momentum"] > 0)
        demand(isinstance(model, tinynn.Sequential))
        if model.params.size != 26:
            return ...  # another model
        return steps_by_the_book(key, start, gradients, matrix, **options)

    def size(lr, weight_decay, **_):
        return 20 * (1 + np.float64(lr) * (1 + np.float64(weight_decay))) ** 2

    arguments = {"model": model, "lr": 0.1, "weight_decay": 0.01, "decay_biases": True, "clip_norm": 3.0}
    arguments |= {"momentum": 0.9, "nesterov": True} if key == "SGD" else {"beta1": 0.9, "beta2": 0.99, "eps": 1e-6}
    return Try(call, arguments, right, size, keep=("model",))


@entry("SGD.step", "Adam.step", "SGD.step later", "Adam.step later")
def _(w, key):
    """A model of one's own, whose vectors may be anything, from the start or only later."""
    name = key.split(".")[0]
    model = types.SimpleNamespace(params=w.array(6), grads=w.array(6, seed=8), ops=load(w.backend))
    optimizer = getattr(tinynn, name)(model, 0.1) if "later" in key else None

    def call(params, grads):
        model.params, model.grads = params, grads
        (optimizer or getattr(tinynn, name)(model, 0.1)).step()
        return np.array(params)

    def right(params, grads):
        demand(type(params) is np.ndarray and params.dtype in (("float32", "float64") if not optimizer else (w.dtype,)))
        dtype, params = params.dtype, floats(params, params.dtype, 6 if optimizer else None)
        return steps_by_the_book(name, params, [floats(grads, dtype, *params.shape)], lr=0.1)

    def size(params, grads):
        return largest(params, grads)

    return Try(call, {"params": w.array(6), "grads": w.array(6, seed=8)}, right, size, keep=("params",))


# --- initializers ----------------------------------------------------------------------------------------------------

INITIALIZERS = [
    "kaiming_normal",
    "kaiming_uniform",
    "xavier_normal",
    "xavier_uniform",
    "normal",
    "uniform",
    "zeros",
    "constant",
]
SPREAD = {"normal": "std", "uniform": "bound", "constant": "value"}


@entry(*INITIALIZERS)
def _(w, key):
    def right(shape, rng, **spread):
        demand(isinstance(shape, tuple | list) and len(shape) > 0)
        shape = tuple(whole(n, 1) for n in shape)
        demand(math.prod(shape) < 10**9)
        demand(isinstance(rng, np.random.Generator))
        rng = np.random.default_rng(1)
        if key in SPREAD:
            (size,) = spread.values()
            size = real(size, -math.inf if key == "constant" else 0, 8e307 if key == "uniform" else math.inf)
            return {"normal": lambda: size * rng.standard_normal(shape), "constant": lambda: np.full(shape, size),
                    "uniform": lambda: size * (2 * rng.random(shape) - 1)}[key]()  # fmt: skip
        if key == "zeros":
            return np.zeros(shape)
        pixels = math.prod(shape[:-2])
        n_in, n_out = (shape[0], shape[0]) if len(shape) == 1 else (pixels * shape[-2], pixels * shape[-1])
        variance = 2 / n_in if "kaiming" in key else 2 / (n_in + n_out)
        if key.endswith("normal"):
            return rng.normal(0, math.sqrt(variance), shape)
        return rng.uniform(-math.sqrt(3 * variance), math.sqrt(3 * variance), shape)

    arguments = {"shape": (3, 4), "rng": np.random.default_rng(1), **({SPREAD[key]: 0.5} if key in SPREAD else {})}
    return Try(getattr(tinynn, key), arguments, right)


# --- callbacks -------------------------------------------------------------------------------------------------------


def fake_run(w, losses=()):
    """A run with these losses behind it."""
    model, history = w.model(), tinynn.History()
    for value in losses:
        history.append({"loss": value, "accuracy": 0.5})
    return callbacks.Run(model, tinynn.MSE(), tinynn.SGD(model, 0.1), history, ("loss", "accuracy"))


@entry("EarlyStopping")
def _(w, key):
    """When it stops: after epochs 2, 3, ... that are not better."""
    losses = [1.0, 0.5, 0.75, 0.49, 0.75, 0.8, 0.9]

    def stops(patience, min_delta, values):
        best, at = values[0], 1
        for epoch, value in enumerate(values[1:], 2):
            if value < best - min_delta:
                best, at = value, epoch
            elif epoch - at >= patience:
                return epoch
        return 0

    def call(**arguments):
        run, callback = fake_run(w), tinynn.EarlyStopping(**arguments)
        callback.start(run)
        for value in losses:
            run.history.append({"loss": value, "accuracy": -2 * value})
            callback(run)
            if run.history.stopped:
                return run.epoch
        return 0

    def right(patience, min_delta, monitor, mode):
        demand(monitor in (None, "loss", "accuracy") if monitor is None or isinstance(monitor, str) else False)
        scale = 2 if monitor == "accuracy" else 1
        demand(text(mode) == "auto")
        return stops(whole(patience, 1), real(min_delta, 0), [scale * value for value in losses])

    return Try(call, {"patience": 2, "min_delta": 0.02, "monitor": "loss", "mode": "auto"}, right)


def power(lr, factor, n):
    """lr factor^n, the largest float where that is beyond all of them."""
    try:
        return min(lr * float(factor) ** n, sys.float_info.max)
    except OverflowError:
        return sys.float_info.max if lr else 0.0


def rates(schedule):
    return [schedule(epoch) for epoch in range(6)]


@entry("LearningRate")
def _(w, key):
    def call(schedule):
        run, callback, found = fake_run(w), tinynn.LearningRate(schedule), []
        callback.start(run)
        for _ in range(3):
            found.append(run.optimizer.lr)
            run.history.append({"loss": 1.0})
            callback(run)
        return found

    def right(schedule):
        return [real(function(schedule)(epoch), 0) for epoch in range(3)]

    return Try(call, {"schedule": lambda epoch: 0.1 / (epoch + 1)}, right, own=("schedule",))


@entry("callbacks.constant", "callbacks.steps", "callbacks.exponential", "callbacks.cosine", "callbacks.warm_up")
def _(w, key):
    name = key.split(".")[1]
    good = {"constant": {"lr": 0.1}, "steps": {"lr": 0.1, "every": 2, "factor": 0.5}, "exponential": {"lr": 0.1, "factor": 0.5},
            "cosine": {"lr": 0.1, "epochs": 3, "least": 0.01}, "warm_up": {"schedule": lambda epoch: 0.1, "epochs": 2}}[name]  # fmt: skip

    def right(lr=0.1, every=1, factor=1.0, epochs=1, least=0.0, schedule=None):
        lr, every, factor, epochs, least = (
            real(lr, 0),
            whole(every, 1),
            real(factor, 0),
            whole(epochs, 0 if name == "warm_up" else 1),
            real(least, 0),
        )
        try:
            return rates({
                "constant": lambda epoch: lr, "steps": lambda epoch: power(lr, factor, epoch // every), "exponential": lambda epoch: power(lr, factor, epoch),
                "cosine": lambda epoch: least + (lr - least) * (1 + math.cos(math.pi * min(fractions.Fraction(epoch, epochs), 1))) / 2,
                "warm_up": lambda epoch: function(schedule)(epoch) * min((epoch + 1) / (epochs + 1), 1),
            }[name])  # fmt: skip
        except OverflowError:
            raise Nonsense from None

    return Try(lambda **a: rates(getattr(callbacks, name)(**a)), good, right, also=(OverflowError,), own=("schedule",))


@entry("callbacks.Run.stop")
def _(w, key):
    run = fake_run(w)

    def call(reason):
        run.stop(reason)
        return run.history.stopped

    return Try(call, {"reason": "enough"}, lambda reason: text(reason))


# --- training --------------------------------------------------------------------------------------------------------


class Exactly:
    """A result that must be this one to the last bit, of the same kinds."""

    def __init__(self, value):
        self.value = value

    def key(self, a):
        if isinstance(a, tuple | list):
            return [self.key(one) for one in a]
        if isinstance(a, np.ndarray):
            return type(a), a.dtype, a.shape, a.tolist() if a.dtype.hasobject else a.tobytes()
        return type(a), a


@entry("minibatches")
def _(w, key):
    def right(x, t, batch_size, shuffle, seed, ops):
        demand(ops in (numpy_ops, load("numba")))
        for a in (x, t):
            demand(isinstance(a, np.ndarray) and a.ndim > 0)
        demand(len(x) == len(t))
        batch_size = whole(batch_size, 1)
        if shuffle and not isinstance(seed, np.random.Generator) and seed is not None:
            seed = whole(seed, 0)
        order = np.arange(len(x))
        if flag(shuffle):
            if not isinstance(seed, int):
                return ...  # nobody knows the order
            order = np.random.default_rng(seed).permutation(len(x))
        return Exactly(
            [(x[order[i : i + batch_size]], t[order[i : i + batch_size]]) for i in range(0, len(x), batch_size)]
        )

    def call(**arguments):
        return list(
            tinynn.minibatches(arguments.pop("x"), arguments.pop("t"), arguments.pop("batch_size"), **arguments)
        )

    arguments = {
        "x": w.array(5, 3),
        "t": np.arange(5),
        "batch_size": 2,
        "shuffle": True,
        "seed": 3,
        "ops": load(w.backend),
    }
    return Try(call, arguments, right)


def data(w, N=7):
    return w.array(N, 3, seed=1), np.arange(N) % 2


def scores_by_the_book(model, x, t, dtype, transform=None):
    """What evaluate gives."""
    x = floats(np.asarray(transform(x)) if transform else x, dtype, None, 3)
    y = by_the_book(model, x)[0]
    t = targets(t, y.astype(dtype))
    value = numpy_ops.softmax_cross_entropy(y, t)[0]
    return [value, float((y.argmax(axis=1) == (t if t.ndim == 1 else t.argmax(axis=1))).mean())]


def model_of(thing):
    demand(isinstance(thing, tinynn.Sequential))
    return thing


@entry("evaluate", "Sequential.evaluate")
def _(w, key):
    model, (x, t) = w.model(), data(w)

    def call(**arguments):
        own = arguments.pop("model", model)
        function = own.evaluate if key.startswith("Seq") else functools.partial(tinynn.evaluate, own)
        return list(function(arguments.pop("x"), arguments.pop("t"), **arguments).values())

    def right(x, t, loss, batch_size, transform, metrics, model=model):
        demand(type(loss) is tinynn.SoftmaxCrossEntropy and len(x) > 0 and (metrics is None or metrics == {}))
        whole(batch_size, 1)
        demand(transform is None or callable(transform))
        scores = scores_by_the_book(model_of(model), x, t, model.dtype, transform)
        return scores if metrics is None else scores[:1]

    arguments = {
        "x": x,
        "t": t,
        "loss": tinynn.SoftmaxCrossEntropy(),
        "batch_size": 3,
        "transform": lambda x: x,
        "metrics": None,
    }
    arguments |= {} if key.startswith("Seq") else {"model": model}
    named = {"t": "t|labels", "loss": "loss|MSE|Loss"}
    return Try(call, arguments, right, lambda x, **_: 100 * largest(x), (NotImplementedError,), named, ("transform",))


class StopAfter:
    """A callback: so many epochs and no more, however many were asked for."""

    def __init__(self, epochs):
        self.epochs = epochs

    def __call__(self, run):
        if run.epoch >= self.epochs:
            run.stop("enough")


@entry("fit", "Sequential.fit")
def _(w, key):
    model, (x, t) = w.model(), data(w)
    start = model.params.copy()

    def call(**arguments):
        own = arguments.pop("model", model)
        function = own.fit if key.startswith("Seq") else functools.partial(tinynn.fit, own)
        if key.startswith("Seq"):  # the other half of the arguments' ways
            arguments |= {"validation_data": None, "validation_split": arguments["validation_split"]}
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            history = function(arguments.pop("x"), arguments.pop("t"), **arguments)
        names = [name for name in history.to_dict() if name != "seconds"]
        return [own.params.copy(), names, *(np.array(history[name]) for name in names)]

    def right(x, t, loss, optimizer, epochs, batch_size, sample_weight, class_weight, transform, callbacks, seed, progress,
              metrics, validation_data=None, validation_split=0.0, model=model):  # fmt: skip
        demand(model_of(model) is optimizer.model and type(loss) is tinynn.SoftmaxCrossEntropy)
        demand(type(x) is np.ndarray and type(t) is np.ndarray and len(x) == len(t) > 0)
        if seed is None:
            return ...  # nobody knows the order
        epochs, batch_size, seed = min(whole(epochs, 1), 2), whole(batch_size, 1), whole(seed, 0)
        flag(progress)
        demand(
            isinstance(callbacks, Sequence) and all(callable(one) and not isinstance(one, type) for one in callbacks)
        )
        demand((transform is None or callable(transform)) and (metrics is None or metrics == {}))
        weight, by_class = np.ones(len(t)), np.ones(len(t))
        if sample_weight is not None:
            demand(type(sample_weight) is np.ndarray and sample_weight.dtype.kind in "fiu")
            demand(sample_weight.shape == (len(t),))
            weight = sample_weight.astype(float)
        for label, number in (class_weight or {}).items():
            demand(t.ndim == 1 and whole(label, 0) in t.tolist())
            by_class[t == label] = real(number, 0)
        demand(np.all(weight >= 0) and np.isfinite(weight).all())
        weight = ratios(weight) * ratios(by_class)
        held = round(real(validation_split, 0, 1) * len(x))
        demand(held < len(x) and (held > 0) == (validation_split != 0) and not (held and validation_data))
        if held:
            x, t, weight, validation_data = x[:-held], t[:-held], weight[:-held], (x[-held:], t[-held:])
        weight = ratios(weight)
        weight[weight < np.finfo(w.dtype).tiny] = 0
        demand(weight.any())
        twin = TEXTBOOK.model()
        twin.params = start.astype(np.float64)
        prepare = transform or (lambda x: x)
        targets(t, np.zeros((len(t), 2), w.dtype))
        columns = []
        kept = weight > 0
        x, t, weight = x[kept], t[kept], weight[kept]
        for epoch in range(epochs):
            order, sums = np.random.default_rng([seed, epoch]).permutation(len(x)), np.zeros(3)
            for i in range(0, len(x), batch_size):
                rows = order[i : i + batch_size]
                y = twin.forward(floats(np.asarray(prepare(x[rows])), w.dtype, len(rows), 3))
                label = targets(t[rows], y.astype(w.dtype))
                value, dy = numpy_ops.softmax_cross_entropy(y, label, weight[rows])
                twin.backward(dy)
                twin.params -= 0.1 * twin.grads
                hits = (y.argmax(axis=1) == (label if label.ndim == 1 else label.argmax(axis=1))).sum()
                sums += value * weight[rows].sum(), weight[rows].sum(), hits
            columns.append([sums[0] / sums[1], sums[2] / len(x)])
            if validation_data is not None:
                demand(
                    isinstance(validation_data, tuple | list)
                    and len(validation_data) == 2
                    and len(validation_data[0]) > 0
                )
                columns[-1] += scores_by_the_book(twin, *validation_data, w.dtype, transform)
        table = dict(zip(["loss", "accuracy", "val_loss", "val_accuracy"], np.array(columns).T))
        if metrics is not None:
            table = {name: column for name, column in table.items() if "accuracy" not in name}
        return [twin.params, list(table), *table.values()]

    def size(x, sample_weight=None, class_weight=None, **_):
        return 1000 if largest(x) < 100 else math.inf

    arguments = {
        "x": x, "t": t, "loss": tinynn.SoftmaxCrossEntropy(), "optimizer": tinynn.SGD(model, 0.1), "epochs": 2, "batch_size": 3,
        "sample_weight": np.ones(7), "class_weight": {0: 2.0}, "metrics": None, "transform": lambda x: x, "callbacks": [StopAfter(2)],
        "seed": 3, "progress": False,
    }  # fmt: skip
    arguments |= {"validation_split": 0.3} if key.startswith("Seq") else {"validation_data": data(w, 4), "model": model}
    named = {
        "t": "t|labels",
        "loss": "loss|MSE|Loss",
        "validation_data": "validation(_data)?|labels",
        "class_weight": "class_weight|sample_weight",
    }
    return Try(call, arguments, right, size, (NotImplementedError,), named, ("transform", "callbacks"), ("model",))


def ratios(weight):
    """Weights of which the largest is 1: only what they are to each other counts."""
    return weight / max(weight.max(), np.finfo(float).tiny)


@entry("History", "History.append", "History.__getitem__", "History.__contains__")
def _(w, key):
    history = tinynn.History()
    rows = [{"loss": 1.0, "accuracy": 0.5}, {"loss": 0.5, "accuracy": 0.75}]
    for row in rows:
        history.append(row)
    if key == "History":
        return Try(lambda first: tinynn.History(first).first, {"first": 3}, lambda first: whole(first, 0))
    if key == "History.append":

        def call(row):
            history.append(row)
            return history["loss"], len(repr(history)) > 20

        def right(row):
            demand(isinstance(row, dict) and list(row) == ["loss", "accuracy"])
            return [1.0, 0.5, float(row["loss"])], True

        return Try(call, {"row": {"loss": 0.25, "accuracy": 1.0}}, right)

    def column(name):
        demand(name in ("loss", "accuracy") if isinstance(name, str) else False)
        return [row[name] for row in rows]

    if key.endswith("getitem__"):
        return Try(history.__getitem__, {"name": "loss"}, column, also=(KeyError,), named={"name": "history has"})
    return Try(
        history.__contains__, {"name": "loss"}, lambda name: isinstance(name, str) and name in ("loss", "accuracy")
    )


# --- metrics ---------------------------------------------------------------------------------------------------------

METRICS = ["accuracy", "top_k_accuracy", "confusion_matrix", "class_report"]


def labels_of(a):
    """The label of each row, of scores or of labels themselves."""
    demand(type(a) is np.ndarray and a.size > 0)
    if a.ndim == 1:
        demand(a.dtype.kind in "iu")
        return a.tolist()
    demand(a.ndim == 2 and a.shape[1] > 1 and a.dtype.kind in "fiub")
    return [row.index(next((one for one in row if one != one), max(row))) for row in a.astype(np.longdouble).tolist()]


@entry(*(f"metrics.{name}{kind}" for name in METRICS for kind in ("", " rows", " labels")))
def _(w, key):
    name = key.split()[0].removeprefix("metrics.")
    function = getattr(metrics, name)
    y, t = w.array(6, 4), np.array([0, 3, 1, 2, 2, 0])
    if key.endswith("rows"):
        t = numpy_ops.softmax(w.array(6, 4, seed=8))
    elif key.endswith("labels") and name != "top_k_accuracy":
        y = np.array([0, 1, 1, 2, 3, 0])

    def call(y, t, **option):
        result = function(y, t, **option)
        if name != "class_report":
            return result if name == "confusion_matrix" else float(result)
        assert len(repr(result)) > 20
        return result.precision, result.recall, result.f1, result.support / 1

    def right(y, t, k=None, classes=None, names=None):
        given, truth = labels_of(y), labels_of(t)
        demand(len(given) == len(truth) and (y.ndim == 1 or t.ndim == 1 or y.shape == t.shape))
        if name == "accuracy":
            return sum(a == b for a, b in zip(given, truth)) / len(truth)
        if t.ndim == 2:  # not scores, with which y and t would be swapped
            hot = ((t == 0) | (t == 1)).all() and (t.sum(axis=1) == 1).all()
            demand(hot or (y.ndim == 2 and (t >= 0).all() and (abs(t.sum(axis=1) - 1) < 1e-3).all()))
        columns = [a.shape[1] for a in (y, t) if a.ndim == 2]
        if name == "top_k_accuracy":
            demand(y.ndim == 2 and all(0 <= label < y.shape[1] for label in truth) and whole(k, 1) <= y.shape[1])
            ranks = [sorted(range(len(row)), key=lambda c: (row[c] != row[c], -row[c])) for row in y.tolist()]
            return sum(label in rank[:k] for label, rank in zip(truth, ranks)) / len(truth)
        C = columns[0] if columns else max(*given, *truth) + 1
        if names is not None:
            demand(isinstance(names, Sequence) and not isinstance(names, str | bytes) and len(names) > 0)
            demand(not columns or len(names) == C)
            C = len(names)
        if classes is not None:
            C = whole(classes, 1)
        demand(C <= 10_000 and all(0 <= label < C for label in given + truth))
        counts = np.zeros((C, C), int)
        for a, b in zip(given, truth):
            counts[b, a] += 1
        if name == "confusion_matrix":
            return Exactly(counts)
        hits, found, real = counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1)
        return hits / np.maximum(found, 1), hits / np.maximum(real, 1), 2 * hits / np.maximum(found + real, 1), real / 1

    option = {
        "top_k_accuracy": {"k": 2},
        "confusion_matrix": {"classes": 4},
        "class_report": {"names": ["a", "b", "c", "d"]},
    }
    named = {
        "t": "t|labels",
        "y": "y|labels|classes|names",
        "names": "names|labels|y|classes",
        "classes": "classes|labels",
        "k": "k",
    }
    return Try(call, {"y": y, "t": t, **option.get(name, {})}, right, named=named)


@entry("metrics.r2", "metrics.mean_absolute_error")
def _(w, key):
    def right(y, t):
        for a in (y, t):
            demand(type(a) is np.ndarray and a.dtype.name in ("float32", "float64") and a.ndim in (1, 2) and a.size > 0)
        demand(y.shape == t.shape)
        y, t = (a.reshape(len(a), -1).astype(np.float64) for a in (y, t))
        if key.endswith("error"):
            return float(np.abs(y - t).mean())
        if not np.isfinite(y).all() or not np.isfinite(t).all():
            return ...
        scores = []
        for a, b in zip(y.T, t.T):
            missed, spread = ((a - b) ** 2).sum(), ((b - b.mean()) ** 2).sum()
            scores.append(float(missed == 0) if (b == b[0]).all() or spread == 0 else 1 - missed / spread)
        return float(np.mean(scores))

    name = key.partition(".")[2]
    return Try(getattr(metrics, name), {"y": w.array(6, 2), "t": w.array(6, 2, seed=8)}, right)


# --- checks ----------------------------------------------------------------------------------------------------------


@entry("Watch")
def _(w, key):
    return Try(lambda every: tinynn.Watch(every).every, {"every": 2}, lambda every: whole(every, 1))


@entry("check", "check_layer", "check_loss", "check_optimizer", "diagnose", "explain")
def _(w, key):
    """What these say is for tests of their own; here they must say something, and change nothing."""
    loss, (x, t) = tinynn.SoftmaxCrossEntropy(), data(w, 4)
    model = tinynn.Sequential(tinynn.Affine(3, 2), backend=w.backend, dtype=w.dtype, seed=1)
    params = model.params.copy()
    arguments = {
        "check": {"model": model, "x": x, "t": t, "loss": loss, "seed": 1},
        "check_layer": {"layer": tinynn.Affine(3, 2), "x": x, "seed": 1},
        "check_loss": {"loss": loss, "y": x, "t": t, "seed": 1},
        "check_optimizer": {"optimizer": tinynn.SGD},
        "diagnose": {"model": model, "loss": loss, "x": x, "t": t, "optimizer": None, "transform": None},
        "explain": {"model": model, "x": x, "t": t, "loss": loss, "optimizer": None},
    }[key]

    def call(**arguments):
        report = getattr(tinynn, key)(**arguments)
        return isinstance(bool(report), bool) and len(repr(report)) > 20 and np.array_equal(model.params, params)

    named = {"t": "t|labels", "layer": "layer|class", "model": "model|layer", "loss": "loss|MSE|Loss|GaussianNLL"}
    also = () if arguments.get("layer") is None else (NotImplementedError,)
    return Try(call, arguments, lambda **_: True, None, also, named, ("transform", "layer", "model", "loss"))


# --- data ------------------------------------------------------------------------------------------------------------


@entry("datasets.read_idx")
def _(w, key):
    fresh()
    Path("values-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 6, 7]))

    def right(path):
        demand(os.fsdecode(path) == "values-idx1-ubyte")
        return Exactly(np.array([5, 6, 7], np.uint8))

    return Try(tinynn.datasets.read_idx, {"path": "values-idx1-ubyte"}, right, also=(OSError,))


@entry("datasets.load_mnist")
def _(w, key):
    fresh()
    images, labels = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4), np.array([7, 1])
    for name in ("train", "t10k"):
        Path(f"{name}-images-idx3-ubyte").write_bytes(
            bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]) + images.tobytes()
        )
        Path(f"{name}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 1]))

    def right(flatten, normalize, directory):
        x = images.reshape(2, 12) if flag(flatten) else images
        x = (x / np.float32(255)).astype(np.float32) if flag(normalize) else x
        if directory is None:
            return ...  # MNIST itself
        demand(os.path.samefile(os.fsdecode(directory) or ".", "."))
        return Exactly(((x, labels), (x, labels)))

    arguments = {"flatten": True, "normalize": True, "directory": "."}
    return Try(tinynn.datasets.load_mnist, arguments, right, also=(OSError,))


# --- files -----------------------------------------------------------------------------------------------------------


def part(w):
    """A model, its optimizer and history, and a folder."""
    fresh()
    model = w.model()
    optimizer, history = tinynn.SGD(model, 0.1, momentum=0.5), tinynn.History()
    history.append({"loss": 1.0})
    return model, optimizer, history


def fresh():
    """Go to a new folder, which has no file of another case's in it."""
    os.chdir(tempfile.mkdtemp())


def state(model, optimizer=None, history=None):
    return [model.params.copy(), repr(optimizer), repr(history), [type(layer).__name__ for layer in model]]


def demand_part(model, optimizer, history):
    demand(isinstance(model, tinynn.Sequential))
    demand(optimizer is None or (type(optimizer) in (tinynn.SGD, tinynn.Adam) and optimizer.model is model))
    demand(history is None or isinstance(history, tinynn.History))


def file_name(path):
    """Any name of a file that can be written, or the name of the one that is there."""
    demand(isinstance(path, str | bytes | os.PathLike))
    return os.fsdecode(path)


@entry("save")
def _(w, key):
    model, optimizer, history = part(w)

    def call(path, model, optimizer, history):
        tinynn.save(path, model, optimizer, history)
        return state(*tinynn.load(path, w.backend))

    def right(path, model, optimizer, history):
        file_name(path)
        demand_part(model, optimizer, history)
        return state(model, optimizer, history)

    arguments = {"path": "run.npz", "model": model, "optimizer": optimizer, "history": history}
    return Try(call, arguments, right, also=(OSError, NotImplementedError))


@entry("load", "load_into")
def _(w, key):
    model, optimizer, history = part(w)
    tinynn.save("run.npz", model, optimizer, history)
    saved = state(model, optimizer, history)
    model.params[...] = 0

    def right_load(path, backend, layers):
        demand(file_name(path) == "run.npz")
        backend_name(backend)
        values = list(layers.values()) if isinstance(layers, dict) else list(layers)
        demand(all(isinstance(one, type) and issubclass(one, tinynn.Layer) for one in values))
        return saved

    def right_into(path, model, optimizer):
        demand(file_name(path) == "run.npz")
        demand_part(model, optimizer, None)
        return [saved[0], repr(optimizer), *saved[2:]]

    if key == "load":
        call, right, arguments = tinynn.load, right_load, {"backend": w.backend, "layers": [tinynn.Affine]}
    else:
        call, right, arguments = tinynn.load_into, right_into, {"model": model, "optimizer": optimizer}
    named = {"model": "model|layer [123]|dtype"}
    arguments["path"] = "run.npz"
    return Try(lambda **a: state(*call(**a)), arguments, right, None, (OSError, ImportError), named, keep=("model",))


@entry("save_weights", "load_weights")
def _(w, key):
    pytest.importorskip("safetensors")
    fresh()
    model = w.model()
    tinynn.save_weights("weights", model)
    expected = model.params.copy()

    def call(path, model, names):
        if key == "save_weights":
            tinynn.save_weights(path, model, names)
        if isinstance(model, tinynn.Sequential):
            model.params[...] = 0
        tinynn.load_weights(path, model, names)
        return model.params.copy()

    def right(path, model, names):
        demand(isinstance(model, tinynn.Sequential) and (key == "save_weights" or file_name(path) == "weights"))
        demand((isinstance(names, str) and names in ("tinynn", "torch")) or (names is None and key == "load_weights"))
        file_name(path)
        if key == "save_weights" and model.params.size != expected.size:
            return ...  # another model
        demand(model.params.size == expected.size)
        return expected.astype(np.float64)

    named = {"model": "model|arrays|[123].[Wb]|Flatten"}
    arguments = {"path": "weights", "model": model, "names": "tinynn"}
    return Try(call, arguments, right, also=(OSError,), named=named, keep=("model",))


@entry("to_onnx", "from_onnx")
def _(w, key):
    pytest.importorskip("onnx")
    fresh()
    model = w.model()
    tinynn.to_onnx(model, "network.onnx")

    def call(**arguments):
        path = arguments["path"] if key == "from_onnx" else "network.onnx"
        if key == "to_onnx":
            tinynn.to_onnx(**arguments)
            path = arguments["path"]
        return tinynn.from_onnx(path, arguments.get("backend", "numpy")).params

    def right_to(path, model, softmax):
        file_name(path)
        flag(softmax)
        demand(isinstance(model, tinynn.Sequential))
        return model.params.astype(np.float64)

    def right_from(path, backend):
        demand(file_name(path) == "network.onnx")
        backend_name(backend)
        return model.params.astype(np.float64)

    if key == "to_onnx":
        arguments = {"path": "network.onnx", "model": model, "softmax": True}
        return Try(call, arguments, right_to, also=(OSError,), keep=("model",))
    return Try(call, {"path": "network.onnx", "backend": w.backend}, right_from, also=(OSError, ImportError))


@entry("Checkpoint")
def _(w, key):
    fresh()

    def call(path, every):
        callback, run, written = tinynn.Checkpoint(path, every), fake_run(w), 0
        for _ in range(3):
            run.history.append({"loss": 1.0})
            for file in os.listdir():
                os.unlink(file)
            callback(run)
            written += len(os.listdir())
        return written

    def right(path, every):
        file_name(path)
        return 3 // whole(every, 1)

    return Try(call, {"path": "run.npz", "every": 2}, right, also=(OSError,))


@entry("backends.load")
def _(w, key):
    def right(name):
        return f"tinynn.backends.{backend_name(name)}"

    return Try(
        lambda name: load(name).__name__, {"name": w.backend}, right, also=(ImportError,), named={"name": "backend"}
    )


# --- the verdict -----------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """A call with nonsense in the place of the arguments of these names."""

    key: str
    world: World
    attempt: Try
    names: list[str]

    def __repr__(self):  # the arguments' own may fail
        words = [f"{name}={tinynn.checks.describe(self.attempt.arguments[name])}" for name in self.names]
        return f"{self.key} on {self.world.backend} in {self.world.dtype}: {', '.join(words)}"


@st.composite
def cases(draw, key):
    world = World(draw(st.sampled_from(["numba", "numpy"])), draw(st.sampled_from(["float32", "float64"])))
    attempt = TABLE[key](world, key)
    most = 2 if draw(st.integers(0, 7)) == 0 else 1
    names = draw(st.lists(st.sampled_from(sorted(attempt.arguments)), min_size=1, max_size=most, unique=True))
    for name in names:
        bad = draw(nonsense(attempt.arguments[name]))
        if name in ("n_in", "n_out", "shape"):  # no sizes that a machine may just have the memory for
            sizes = bad if isinstance(bad, tuple) else (bad,)
            hypothesis.assume(
                not any(
                    isinstance(n, int | np.integer) and not isinstance(n, np.timedelta64) and 1000 < n < 10**12
                    for n in sizes
                )
            )
        attempt.arguments[name] = bad
    return Case(key, world, attempt, names)


@functools.cache
def raise_lines(file):
    """The lines of a file's raise statements."""
    statements = [node for node in ast.walk(ast.parse(Path(file).read_text())) if isinstance(node, ast.Raise)]
    return {line for node in statements for line in range(node.lineno, node.end_lineno + 1)}


def check_error(case, error):
    """Whether an error is a sentence of tinynn's about one of the arguments."""
    attempt = case.attempt
    if isinstance(error, Own) or any(name in attempt.own and callable(attempt.arguments[name]) for name in case.names):
        return  # of the caller's own function
    if isinstance(error, attempt.also):
        return
    assert isinstance(error, ValueError | TypeError), "another error"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    inside = frame.filename.startswith(PACKAGE) and frame.lineno in raise_lines(frame.filename)
    assert inside, "an error from the depths"
    assert re.search(r"\b(must|not)\b", str(error)), "a message that does not say what must be"
    named = "|".join(attempt.named.get(name, name) for name in case.names)
    assert re.search(rf"\b({named})\b", str(error)), f"a message that does not name {named}"


def snapshot(a):
    """What must be the same after the call."""
    if isinstance(a, np.ndarray):
        a = a.view(np.ndarray)
        return a.shape, a.dtype, a.tolist() if a.dtype.hasobject else a.tobytes()
    if isinstance(a, tinynn.Sequential):
        return a.params.tobytes()
    return copy.copy(a) if type(a) in (list, dict) else None


def same(a, b):
    """Whether two snapshots are; NaN is not equal to itself, nor are the arrays in a list."""
    try:
        return bool(a == b) or repr(a) == repr(b)
    except ValueError:
        return repr(a) == repr(b)


def drawn_so_far():
    """The state of the global random numbers, NumPy's and Python's."""
    _, key, place, *_ = np.random.get_state()
    return key.tobytes(), place, random.getstate()


@contextlib.contextmanager
def time_limit(seconds):
    """Raise TooLong in what takes longer (where signals can do that)."""

    def stop(*_):
        raise TooLong(f"this takes longer than {seconds} s")

    if not hasattr(signal, "SIGPROF"):
        yield
        return
    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def judge(case):
    """Do what the case says; raise AssertionError where what comes of it is not right."""
    attempt, arguments = case.attempt, case.attempt.arguments
    originals = {name: a.copy() if isinstance(a, np.ndarray) else a for name, a in arguments.items()}
    before, random_state = {name: snapshot(a) for name, a in arguments.items()}, drawn_so_far()
    try:
        with time_limit(SECONDS), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            warnings.filterwarnings("ignore", "the (val_)?loss is (nan|inf|-inf) since epoch")  # so it is
            got = attempt.call(**arguments)
    except Exception as error:
        check_error(case, error)
        outcome = "refused"
    else:
        outcome = "right"
        with np.errstate(all="ignore"):
            try:
                expected = attempt.right(**originals)
            except Nonsense:
                raise AssertionError(f"accepted, with the result {got}") from None
            if isinstance(expected, Exactly):
                assert expected.key(got) == expected.key(expected.value), f"{got} is not {expected.value}"
            else:
                size = attempt.size(**originals) if attempt.size and expected is not ... else None
                single = any(isinstance(a, np.ndarray) and a.dtype == np.float32 for a in originals.values())
                alike(got, expected, "float32" if single else case.world.dtype, size)
    finally:
        tried[case.key, "all"] += 1
    assert drawn_so_far() == random_state, "the global random state was used"
    for name, a in arguments.items():
        if name not in attempt.keep:
            assert same(snapshot(a), before[name]), f"{name} was changed"
    tried[case.key, outcome] += 1


@pytest.fixture(autouse=True, scope="module")
def somewhere(tmp_path_factory):
    """Files are written in folders of the tests' own, and the default backend is the same in each case."""
    load("numba")  # compiled, perhaps, and that takes longer than a case may
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("files")
        patch.chdir(folder)
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setenv("TINYNN_BACKEND", "numpy")
        yield


@pytest.mark.parametrize("key", TABLE)
def test_what_is_right_is_done(key):
    """With the right arguments each call of the table gives what its textbook says: the verdicts mean something."""
    for world in itertools.starmap(World, itertools.product(["numba", "numpy"], ["float32", "float64"])):
        before = tried[key, "right"]
        judge(Case(key, world, TABLE[key](world, key), []))
        assert tried[key, "right"] == before + 1


@pytest.mark.parametrize("key", TABLE)
@settings(max_examples=CASES, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nonsense_is_refused_or_right(key, data):
    judge(data.draw(cases(key)))


FOUND = [  # by the sweep: what each said, or did, came from the depths
    (
        lambda: tinynn.EarlyStopping(np.timedelta64(3, "s")),
        TypeError,
        "patience must be a whole number, 1 or more, not np.timed",
    ),
    (lambda: tinynn.EarlyStopping(-(10**5000)), ValueError, r"patience must be .*, not an object \(int\)"),
    (lambda: tinynn.EarlyStopping(1, 10**400), ValueError, "min_delta must be a number, 0 or more, not 1000000"),
    (
        lambda: tinynn.EarlyStopping(1, fractions.Fraction(10**400)),
        ValueError,
        r"min_delta must be .*, not Fraction\(100",
    ),
    (
        lambda: tinynn.EarlyStopping(1, np.timedelta64(1, "s")),
        TypeError,
        "min_delta must be a number, 0 or more, not np.timed",
    ),
    (
        lambda: tinynn.check(raising("__getattribute__"), np.ones((3, 2)), np.zeros(3, int), tinynn.MSE()),
        TypeError,
        r"model must be a model such as a Sequential, not an object \(Raising\)",
    ),
    (lambda: tinynn.MSE(raising("__repr__")), ValueError, r"backend must be .*, not an object \(Raising\)"),
    (lambda: tinynn.ReLU()(raising("shape", "dtype")), TypeError, r"x must be a numpy array, not "),
    (lambda: tinynn.Sequential(np), TypeError, "layer 1 must be a Layer, not <module 'numpy'"),
    (
        lambda: tinynn.Affine(2, 3, np.zeros((2, 3))),
        TypeError,
        r"Affine: weight_init must be a function .*, not an array",
    ),
    (lambda: load(np.zeros(2)), ValueError, "backend must be one of 'numpy', 'numba', 'cupy', not an array of shape"),
]


@pytest.mark.parametrize("call, error, text", FOUND)
def test_what_was_found(call, error, text):
    with pytest.raises(error, match=text):
        call()


SPECIAL = ("__call__", "__getitem__", "__contains__")


def public_names():
    """All that can be called: functions, classes, and the classes' methods and properties."""
    names = set()
    for name in set(tinynn.__all__) - {"plots", "teach"}:  # test_plots.py and test_check.py try theirs
        thing = getattr(tinynn, name)
        if inspect.ismodule(thing):
            own = [n for n, a in vars(thing).items() if getattr(a, "__module__", "") == thing.__name__ and n[0] != "_"]
            names |= {f"{name}.{n}" for n in getattr(thing, "__all__", own) if callable(getattr(thing, n))}
        else:
            names.add(name)
    for name in sorted(names):
        thing = operator.attrgetter(name)(tinynn)
        for cls in thing.__mro__ if inspect.isclass(thing) else ():
            if cls.__module__.startswith("tinynn"):
                own = {n for n, a in vars(cls).items() if callable(a) or isinstance(a, property)}
                names |= {f"{name}.{n}" for n in own if n[0] != "_" or n in SPECIAL}
    return names


def test_every_public_function_is_tried():
    """What is public and neither in the table nor exempt has been forgotten; what is exempt for nothing is out of date."""
    tried_here = {key.split()[0] for key in TABLE} | {f"initializers.{name}" for name in INITIALIZERS}
    tried_here |= {"callbacks.EarlyStopping", "callbacks.LearningRate", "accuracy"}
    rest = public_names() - tried_here
    missing = {name for name in rest if not any(re.fullmatch(pattern, name) for pattern in EXEMPT)}
    assert not missing, f"neither in the table nor exempt: {sorted(missing)}"
    assert all(any(re.fullmatch(pattern, name) for name in rest) for pattern in EXEMPT)


def test_count():
    """Last: how many cases were tried, and that each entry was both refused and, by its right arguments, done."""
    keys = sorted({key for key, _ in tried})
    for key in keys:
        counts = [tried[key, outcome] for outcome in ("all", "refused", "right")]
        print(f"{key:<65}" + "{:>8} cases, {:>8} refused, {:>8} done right".format(*counts))
    total = sum(tried[key, "all"] for key in keys)
    print(f"{'together':<65}{total:>8} cases")
    if len(keys) == len(TABLE):  # not where only some were asked for
        assert total >= len(TABLE) * CASES / 2
        assert all(tried[key, "refused"] for key in keys if key != "History.__contains__")


@pytest.mark.parametrize("value", [np.float32("nan"), np.float32("-inf"), np.float16("inf")])
def test_small_floats_that_are_out_of_range_are_written(value):
    """Comparing a float32 with 1e60 would make infinity of 1e60, with a warning."""
    with pytest.raises(ValueError, match=rf"lr must be a number, 0 or more, not {value}$"):
        checks.number("lr", value, 0)
