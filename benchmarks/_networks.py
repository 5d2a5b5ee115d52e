"""Networks as data, from which _peers.py builds the same network in each framework.

A network is a list of layers. A layer is its kind and the arguments of tinynn's layer of that name, as far as they are
said:

    [["Conv2D", 1, 6, 5, 1, 2], ["ReLU"], ["MaxPool2D", 2], ["Flatten"], ["Affine", 1176, 10]]

A residual block holds two networks, f and the shortcut (None: x itself): ["Residual", f, shortcut].
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Layers = list[list[Any]]
Shape = tuple[int, ...]


def dense(widths: list[int]) -> Layers:
    """Affine layers of these widths, with ReLU between them."""
    return [layer for ends in itertools.pairwise(widths) for layer in (["Affine", *ends], ["ReLU"])][:-1]


def block(n_in: int, n_out: int, stride: int) -> list[Any]:
    """The residual block of examples/mnist_resnet.py."""
    f = [["Conv2D", n_in, n_out, 3, stride, 1, False], ["BatchNorm", n_out], ["ReLU"],
         ["Conv2D", n_out, n_out, 3, 1, 1, False], ["BatchNorm", n_out]]  # fmt: skip
    around = [["Conv2D", n_in, n_out, 1, stride, 0, False], ["BatchNorm", n_out]]
    return ["Residual", f, None if (n_in, stride) == (n_out, 1) else around]


def resnet(channels: int, blocks: int) -> Layers:
    """Stages of 16, 32 and 64 channels with so many blocks each; with one, the network of examples/mnist_resnet.py."""
    layers: Layers = [["Conv2D", channels, 16, 3, 1, 1, False], ["BatchNorm", 16], ["ReLU"]]
    for n_in, n_out, stride in [(16, 16, 1), (16, 32, 2), (32, 64, 2)]:
        for number in range(blocks):
            layers += [block(n_in, n_out, stride) if number == 0 else block(n_out, n_out, 1), ["ReLU"]]
    return [*layers, ["GlobalAvgPool"], ["Affine", 64, 10]]


LENET: Layers = [
    ["Conv2D", 1, 6, 5, 1, 2], ["ReLU"], ["MaxPool2D", 2],
    ["Conv2D", 6, 16, 5], ["ReLU"], ["MaxPool2D", 2],
    ["Flatten"], ["Affine", 400, 120], ["ReLU"], ["Affine", 120, 84], ["ReLU"], ["Affine", 84, 10],
]  # fmt: skip


class Place(NamedTuple):
    """A layer with parameters, where it stands in its network."""

    kind: str
    arguments: list[Any]
    shapes: list[Shape]  # of its arrays, as tinynn has them: W, b or g, b
    y: Shape  # of an example
    multiplications: int  # of one example's forward
    image: Shape | None  # of what Flatten made x from, if it did


def places(layers: Layers, shape: Shape) -> list[Place]:
    """All layers with parameters, in the order of tinynn's flat vector, for examples of this shape."""
    return _places(layers, shape)[0]


def _places(layers: Layers, shape: Shape) -> tuple[list[Place], Shape]:
    """The places, and the shape of an example of y."""
    found: list[Place] = []
    image = None
    for kind, *arguments in layers:
        shapes: list[Shape] = []
        multiplications = 0
        if kind == "Residual":
            f, shortcut = arguments
            inner, y = _places(f, shape)
            found += inner + _places(shortcut or [], shape)[0]
            shape = y
        elif kind == "Affine":
            shapes = [(arguments[0], arguments[1]), (arguments[1],)]
            shape, multiplications = (arguments[1],), math.prod(arguments)
        elif kind == "Conv2D":
            n_in, n_out, size, stride, padding, bias = conv(arguments)
            shapes = [(size, size, n_in, n_out), *([(n_out,)] if bias else [])]
            shape = (*((n + 2 * padding - size) // stride + 1 for n in shape[:2]), n_out)
            multiplications = math.prod(shape) * size * size * n_in
        elif kind == "BatchNorm":
            shapes = [(arguments[0],), (arguments[0],)]
        elif kind == "MaxPool2D":
            shape = (shape[0] // arguments[0], shape[1] // arguments[0], shape[2])
        elif kind == "GlobalAvgPool":
            shape = shape[-1:]
        elif kind == "Flatten":
            image, shape = shape, (math.prod(shape),)
        if shapes:
            found.append(Place(kind, arguments, shapes, shape, multiplications, image))
            image = None
    return found, shape


def conv(arguments: list[Any]) -> list[Any]:
    """All of Conv2D's arguments: n_in, n_out, kernel, stride, padding, bias."""
    return [*arguments, *[1, 0, True][len(arguments) - 3 :]]


def multiplications(layers: Layers, shape: Shape) -> int:
    """Of one example in a training step: x W, x^T dy and dy W^T for each layer, but no dx for the first."""
    each = [place.multiplications for place in places(layers, shape)]
    return 3 * sum(each) - each[0]


def unpack(params: Array, layers: Layers, shape: Shape) -> list[list[Array]]:
    """The arrays of each layer that has some, from tinynn's flat vector."""
    arrays, start = [], 0
    for place in places(layers, shape):
        arrays.append([])
        for size in place.shapes:
            arrays[-1].append(params[start : start + math.prod(size)].reshape(size))
            start += math.prod(size)
    return arrays


def pack(arrays: list[list[Any]]) -> Array:
    """The flat vector of these arrays."""
    return np.concatenate([np.asarray(a).ravel() for layer in arrays for a in layer])


def tinynn_layers(layers: Layers) -> list[Any]:
    """tinynn's layers."""
    import tinynn

    made = []
    for kind, *arguments in layers:
        if kind == "Residual":
            f, shortcut = arguments
            around = None if shortcut is None else tinynn.Sequential(*tinynn_layers(shortcut))
            made.append(tinynn.Residual(*tinynn_layers(f), shortcut=around))
        else:
            made.append(getattr(tinynn, kind)(*arguments))
    return made


def first_weights(layers: Layers, shape: Shape) -> Array:
    """A flat vector of weights as tinynn draws them."""
    from tinynn import Sequential

    params: Array = Sequential(*tinynn_layers(layers), shape=shape, backend="numpy", seed=0).params
    return params
