"""The company a slip is put into: right layers before and after it, a loss, numbers; and networks that are right."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import checks, teach
from ...checks import Array
from ...layers import Affine, ReLU, Sigmoid, Tanh
from ...layers.layer import Layer
from ...losses import MSE, GaussianNLL, Loss, SoftmaxCrossEntropy
from ...model.sequential import Sequential
from . import rights

if TYPE_CHECKING:
    from ..checking.report import Report
    from .slip import Slip

Case = tuple[str, tuple[Any, ...]]  # the name of a check of tinynn.teach, and its arguments

ONLY_DX = ("dx-not-transposed", "updated-too-early")  # right in a network's first layer, whose dx nobody reads


def run(check: str, arguments: tuple[Any, ...]) -> Report:
    """What the check of that name says."""
    report: Report = getattr(teach, check)(*arguments)
    return report


def case(slip: Slip, rng: np.random.Generator, n: int, sizes: tuple[int, ...]) -> Case:
    """See Slip.case."""
    if len(sizes) < 3:
        raise ValueError(f"sizes must be the widths of a network, 3 or more, not {checks.describe(sizes)}")
    dtype = rng.choice(["float32", "float64"])
    seed = int(rng.integers(2**31))
    if slip.kind == "optimizer":
        return "check_optimizer", (slip.cls,)
    if slip.kind == "loss":
        return _loss_case(slip, rng, n, sizes, dtype)
    if slip.kind == "network":
        loss, t, width = any_loss(rng, n, sizes[-1], "float32")
        model = slip.make(sizes[0], width, n_hidden=sizes[1], seed=seed)
        return "check", (model, normal(rng, n, sizes[0], "float32"), t, loss)
    return _layer_case(slip, rng, n, sizes, dtype)


def _loss_case(slip: Slip, rng: np.random.Generator, n: int, sizes: tuple[int, ...], dtype: str) -> Case:
    """A loss by itself, or at the end of a network."""
    width = 1 if slip.targets == "vector" else sizes[-1]
    t = targets(rng, slip.targets, n, width, dtype)
    if rng.random() < 0.5 and "model" not in slip.asks:
        return "check_loss", (slip.make(), 2 * normal(rng, n, width, dtype), t)
    model = Sequential(*right_layers(rng, (*sizes[:-1], width)), dtype=dtype, seed=rng)
    return "check", (model, normal(rng, n, sizes[0], dtype), t, slip.make(model=model))


def _layer_case(slip: Slip, rng: np.random.Generator, n: int, sizes: tuple[int, ...], dtype: str) -> Case:
    """A layer by itself, or in the place of a right one in a network."""
    foreign = not issubclass(slip.cls, Layer)  # a plain object: its arrays are float64
    dtype = "float64" if foreign else dtype
    seed = int(rng.integers(2**31))
    if rng.random() < 0.5:
        layer = slip.make(sizes[-2], sizes[-1], seed)
        if not foreign:
            layer.build(rng, np.dtype(dtype))
        return "check_layer", (layer, normal(rng, n, sizes[-2], dtype))

    loss, t, width = any_loss(rng, n, sizes[-1], dtype)
    sizes = (*sizes[:-1], width)
    layers = right_layers(rng, sizes)
    k = int(rng.integers(len(sizes) - 2))
    if {"W", "n_out"} & set(slip.asks):  # in the place of an Affine, which are layers 0, 2, 4, ...
        k += slip.code in ONLY_DX
        layers[2 * k] = slip.make(sizes[k], sizes[k + 1], seed)
    else:
        layers[2 * k + 1] = slip.make(sizes[k + 1], sizes[k + 1], seed)
    return "check", (network(layers, rng, dtype), normal(rng, n, sizes[0], dtype), t, loss)


def network(layers: list[Any], rng: np.random.Generator, dtype: str) -> Any:
    """The layers as a Sequential; as a list, built, where one of them is a plain object."""
    if all(isinstance(layer, Layer) for layer in layers):
        return Sequential(*layers, dtype=dtype, seed=rng)
    for layer in layers:
        if isinstance(layer, Layer):
            layer.build(rng, np.dtype(dtype))
    return layers


def right_layers(rng: np.random.Generator, sizes: tuple[int, ...]) -> list[Any]:
    """Affine, activation, Affine, ..., Affine."""
    layers: list[Any] = []
    for n_in, n_out in itertools.pairwise(sizes):
        activation = (ReLU, Sigmoid, Tanh)[rng.integers(3)]
        layers += [Affine(n_in, n_out, bias_init=str(rng.choice(["zeros", "normal"]))), activation()]
    return layers[:-1]


def normal(rng: np.random.Generator, n: int, width: int, dtype: str) -> Array:
    """Inputs."""
    return rng.normal(size=(n, width)).astype(dtype)


def any_loss(rng: np.random.Generator, n: int, width: int, dtype: str) -> tuple[Loss, Array, int]:
    """One of tinynn's losses, targets for it, and how wide y must be."""
    kind = rng.integers(5)
    if kind == 0:
        return MSE(), targets(rng, "values", n, width, dtype), width
    if kind == 1:
        return GaussianNLL(variance=0.3), targets(rng, "values", n, width, dtype), width
    if kind == 2:
        return GaussianNLL(), targets(rng, "values", n, width, dtype), 2 * width
    return SoftmaxCrossEntropy(), targets(rng, "labels" if kind == 3 else "soft", n, width, dtype), width


def targets(rng: np.random.Generator, kind: str, n: int, width: int, dtype: str) -> Array:
    """Targets of a kind (see Slip.targets; or "soft", rows of probabilities)."""
    labels = rng.integers(width, size=n)
    return {
        "labels": labels,
        "one-hot": np.eye(width, dtype=dtype)[labels],
        "soft": rng.dirichlet(np.ones(width), n).astype(dtype),
        "values": normal(rng, n, width, dtype),
        "vector": normal(rng, n, 1, dtype)[:, 0],
        "bits": rng.integers(2, size=(n, width)).astype(dtype),
    }[kind]


# --- networks that are right -----------------------------------------------------------------------------------------


def right(seed: int) -> Case:
    """A check that must find nothing: of a random network without a slip, or of a right layer or loss by itself.

    1 to 4 layers with weights, of 1 to 12 units, 1 to 9 rows; layers and losses are tinynn's and a learner's own.
    """
    rng = checks.generator("seed", seed)
    n, dtype = int(rng.integers(1, 10)), str(rng.choice(["float32", "float64"]))
    sizes = tuple(int(size) for size in rng.integers(1, 13, rng.integers(2, 6)))
    form = rng.choice(["sequential", "list", "class", "layer", "loss"], p=[0.6, 0.15, 0.1, 0.08, 0.07])

    loss: Any
    loss, t, width = any_loss(rng, n, sizes[-1], dtype)
    if form != "class" and rng.random() < 0.2:
        own, kind = rights.LOSSES[rng.integers(len(rights.LOSSES))]
        loss, t, width = own(), targets(rng, kind, n, sizes[-1], dtype), sizes[-1]
    if form == "loss":
        return "check_loss", (loss, 2 * normal(rng, n, width, dtype), t)
    if form == "class":
        sizes = (*sizes, width)[-3:]
        model = rights.Shortcut(sizes[0], sizes[1], width, dtype=dtype, seed=int(rng.integers(2**31)))
        return "check", (model, normal(rng, n, sizes[0], dtype), t, loss)

    dtype = "float64" if form in ("list", "layer") else dtype  # plain objects have float64 arrays
    t = t.astype(dtype) if t.dtype.kind == "f" else t
    if form == "layer":
        layer = rights.OBJECTS[rng.integers(len(rights.OBJECTS))](sizes[0], sizes[1], rng)
        return "check_layer", (layer, normal(rng, n, sizes[0], dtype))
    sizes = (*sizes[:-1], width)
    layers = right_layers(rng, sizes)
    for k, n_out in enumerate(sizes[1:-1]):
        if rng.random() < 0.3:
            layers[2 * k + 1] = rights.LAYERS[rng.integers(len(rights.LAYERS))](n_out)
    if form == "list":
        k = int(rng.integers(len(sizes) - 1))
        layers[2 * k] = rights.Dense(sizes[k], sizes[k + 1], rng)
    return "check", (network(layers, rng, dtype), normal(rng, n, sizes[0], dtype), t, loss)
