"""What an optimizer under check is given: two small tensors, W (2, 2) and b (2,), in every form that optimizers take.

They are a model's flat vectors, a layer with attributes, dictionaries, lists, pairs, objects with a gradient. All of a
form's arrays are the same memory, so that a step in place is seen wherever it is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...backends import numpy as numpy_ops
from ...checks import Array
from ...layers import Affine
from ...model.flat_vectors import bind

SHAPES = ((2, 2), (2,))  # of W and b: two shapes, so that what is meant for one tensor does not fit the other
ALIKE = ((3,), (3,))  # two of one shape: what one tensor leaves in a state that both share is seen


def split(flat: Array, shapes: tuple[tuple[int, ...], ...]) -> list[Array]:
    """A vector as tensors, one after the other: views of it."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes)]


class SmallModel:
    """What an optimizer sees of a model: flat vectors, and a layer whose arrays are parts of them."""

    def __init__(self, params: Array) -> None:
        self.params, self.grads, self.ops = params, np.zeros_like(params), numpy_ops
        layer = Affine(2, 2)
        layer.build(np.random.default_rng(0), params.dtype, numpy_ops)
        bind([(1, layer)], self.params, self.grads, self.params[:0])
        self.layers = (layer,)


class SmallLayer:
    """A layer under the names of several courses: W, weights; b, biases; dW, dweights, grad_W, ...; params, grads."""

    def __init__(self, W: Array, b: Array, dW: Array, db: Array) -> None:
        self.__dict__.update(W=W, b=b, dW=dW, db=db)

    def __getattr__(self, name: str) -> Any:
        own = own_name(name)
        if own is None:
            if name == "params":
                return {"W": self.W, "b": self.b}
            if name == "grads":
                return {"W": self.dW, "b": self.db}
            raise AttributeError(f"the small layer of this check has no {name!r}")
        return self.__dict__[own]

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[own_name(name) or name] = value


def own_name(name: str) -> str | None:
    """W, b, dW or db for what a course calls it."""
    low = name.lower().strip("_")
    for gradient in ("grad_", "d_", "d"):
        if low.startswith(gradient) and low[len(gradient) :] in ("w", "weight", "weights", "b", "bias", "biases"):
            return "dW" if low[len(gradient)] == "w" else "db"
    for gradient in ("_grad", "_gradient"):
        if low.endswith(gradient):
            low = low.removesuffix(gradient)
            return "dW" if low in ("w", "weight", "weights") else "db" if low in ("b", "bias", "biases") else None
    return "W" if low in ("w", "weight", "weights") else "b" if low in ("b", "bias", "biases") else None


class SmallNet:
    """A network under the names of several courses: layers, params_and_grads(), parameters()."""

    def __init__(self, layer: SmallLayer) -> None:
        self.layers = [layer]

    def params_and_grads(self) -> Iterator[tuple[Array, Array]]:
        (layer,) = self.layers
        yield layer.W, layer.dW
        yield layer.b, layer.db

    get_params_and_grads = params_and_grads

    def parameters(self) -> list[Array]:
        (layer,) = self.layers
        return [with_gradient(layer.W, layer.dW), with_gradient(layer.b, layer.db)]


class WithGradient(np.ndarray):
    """An array with its gradient in `grad`, as a parameter of an automatic framework."""

    grad: Array

    @property
    def data(self) -> Any:
        return self.view(np.ndarray)

    @data.setter
    def data(self, value: Array) -> None:
        self.view(np.ndarray)[...] = value


def with_gradient(w: Array, g: Array) -> WithGradient:
    """w, the same memory, with its gradient."""
    found = w.view(WithGradient)
    found.grad = g
    return found
