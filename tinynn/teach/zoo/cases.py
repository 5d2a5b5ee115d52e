"""The company a slip is put into: right layers before and after it, a loss, numbers."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import checks, teach
from ...checks import Array
from ...layers import Affine, Conv2D, Flatten, GlobalAvgPool, ReLU, Sigmoid, Tanh
from ...layers.layer import Layer
from ...losses import MSE, GaussianNLL, Loss, SoftmaxCrossEntropy
from ...model.sequential import Sequential

if TYPE_CHECKING:
    from ..checking.report import Report
    from .slip import Slip

CheckCall = tuple[str, tuple[Any, ...]]  # the name of a check of tinynn.teach, and its arguments

ONLY_DX = ("dx-not-transposed", "updated-too-early")  # right in a network's first layer, whose dx nobody reads


def run(check: str, arguments: tuple[Any, ...]) -> Report:
    """What the check of that name says."""
    report: Report = getattr(teach, check)(*arguments)
    return report


def case(slip: Slip, rng: np.random.Generator, n: int, sizes: tuple[int, ...]) -> CheckCall:
    """See Slip.case."""
    if len(sizes) < 3:
        raise ValueError(f"sizes must be the widths of a network, 3 or more, not {checks.describe(sizes)}")
    dtype = rng.choice(["float32", "float64"])
    seed = int(rng.integers(2**31))
    if slip.kind == "optimizer":
        return "check_optimizer", (slip.cls,)
    if slip.kind == "loss":
        return _loss_case(slip, rng, n, sizes, dtype)
    if slip.targets == "own":  # a network that is its own loss
        t = normal(rng, n, sizes[-1], "float64")
        model = slip.make(sizes[0], sizes[-1], n_hidden=sizes[1], seed=seed)
        return "check", (model, normal(rng, n, sizes[0], "float64"), t)
    if slip.kind == "network":
        loss, t, width = any_loss(rng, n, sizes[-1], "float32")
        model = slip.make(sizes[0], width, n_hidden=sizes[1], seed=seed)
        return "check", (model, normal(rng, n, sizes[0], "float32"), t, loss)
    if slip.kind == "image":
        return _image_case(slip, rng, n, sizes, dtype)
    return _layer_case(slip, rng, n, sizes, dtype)


def _image_case(slip: Slip, rng: np.random.Generator, n: int, sizes: tuple[int, ...], dtype: str) -> CheckCall:
    """A layer of images by itself, or behind a right convolution."""
    H, V = (int(size) for size in rng.choice([5, 6, 7, 8], 2, replace=False))
    C, K = sizes[:2]
    layer, takes = slip.make(C, K, int(rng.integers(2**31))), getattr(slip.cls, "takes", "NHVC")
    if rng.random() < 0.5 or takes != "NHVC":
        layer.build(rng, np.dtype(dtype))
        x = rng.normal(size=[{"N": n, "H": H, "V": V, "C": C, "T": H, "D": C}[axis] for axis in takes])
        return "check_layer", (layer, x.astype(dtype))
    loss, t, width = any_loss(rng, n, sizes[-1], dtype)
    behind = [] if slip.code.startswith("flatten") else [GlobalAvgPool()]
    images, x = (H, V, 2), rng.normal(size=(n, H, V, 2)).astype(dtype)
    made = K if "n_out" in slip.asks else C if behind else H * V * C
    layers = [Conv2D(2, C, 3, padding=1), layer, *behind, Affine(made, width)]
    return "check", (Sequential(*layers, shape=images, dtype=dtype, seed=rng), x, t, loss)


def _loss_case(slip: Slip, rng: np.random.Generator, n: int, sizes: tuple[int, ...], dtype: str) -> CheckCall:
    """A loss by itself, or at the end of a network."""
    width = 1 if slip.targets == "vector" else sizes[-1]
    t = targets(rng, slip.targets, n, width, dtype)
    if slip.targets in ("probabilities", "chances"):  # behind a layer that makes them
        last = Softmax() if slip.targets == "probabilities" else Sigmoid()
        model = Sequential(*right_layers(rng, sizes), last, dtype="float64", seed=rng)
        return "check", (model, normal(rng, n, sizes[0], "float64"), t, slip.make())
    if rng.random() < 0.5 and "model" not in slip.asks:
        return "check_loss", (slip.make(), 2 * normal(rng, n, width, dtype), t)
    model = Sequential(*right_layers(rng, (*sizes[:-1], width)), dtype=dtype, seed=rng)
    return "check", (model, normal(rng, n, sizes[0], dtype), t, slip.make(model=model))


class Softmax(Layer):
    """y = softmax of each row, with a derivative of its own: dx = y (dy - sum of dy y)."""

    def forward(self, x: Array) -> Any:
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def backward(self, dy: Array) -> Any:
        return self.y * (dy - (dy * self.y).sum(axis=1, keepdims=True))


def _layer_case(slip: Slip, rng: np.random.Generator, n: int, sizes: tuple[int, ...], dtype: str) -> CheckCall:
    """A layer by itself, or in the place of a right one in a network."""
    foreign = not issubclass(slip.cls, Layer)  # a plain object: its arrays are float64
    dtype = "float64" if foreign else dtype
    seed = int(rng.integers(2**31))
    if slip.takes != "rows":
        return _shaped_case(slip, rng, n, sizes, dtype)
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


def _shaped_case(slip: Slip, rng: np.random.Generator, n: int, sizes: tuple[int, ...], dtype: str) -> CheckCall:
    """The same of a layer that takes sequences or images: by itself, or behind an affine map of each place."""
    shape, alone = shape_of(slip, sizes), rng.random() < 0.5
    width = 2 * sizes[1] if slip.takes == "ids" else shape[-1]
    x = rng.integers(width, size=(n, *shape)) if slip.takes == "ids" else rng.normal(size=(n, *shape)).astype(dtype)
    layer = slip.make(width, width, int(rng.integers(2**31)))
    if alone:
        if isinstance(layer, Layer):
            layer.build(rng, np.dtype(dtype))
        return "check_layer", (layer, x)
    loss, t, width = any_loss(rng, n, sizes[-1], dtype)
    if slip.takes == "ids":  # three features of each
        layers = [layer, Flatten(), Affine(3 * shape[0], width)]
    else:
        layers = [Affine(shape[-1], shape[-1]), layer, Flatten(), Affine(int(np.prod(shape)), width)]
    return "check", (network(layers, rng, dtype), x, t, loss)


def shape_of(slip: Slip, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one example of x, for a layer: (D,), (T,), (T, D) or (H, W, C); D and C of the last two are even."""
    a, b, c = sizes[:3]
    return {"rows": (sizes[-2],), "ids": (a,), "tokens": (a, 2 * b), "images": (a, b, 2 * c)}[slip.takes]


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
        "signs": rng.choice([-1.0, 1.0], size=(n, width)).astype(dtype),
        "probabilities": np.eye(width)[labels],
        "chances": rng.integers(2, size=(n, width)).astype(float),
    }[kind]
