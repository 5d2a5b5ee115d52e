"""The affine map."""

from __future__ import annotations

import numpy as np

from .. import checks, initializers
from ..checks import Array
from .layer import Layer

__all__ = ["Affine"]


class Affine(Layer):
    """y = x W + b: each of the n_out units weighs all n_in inputs and adds a bias.

    x (N, ..., n_in) -> y (N, ..., n_out): each position of a sequence or an image is a row.
    W (n_in, n_out) and b (n_out,) start as `weight_init` and `bias_init` say: a name from tinynn.initializers or a
    function (shape, rng) -> array. dW and db are their gradients, of the same shapes.

    Raises TypeError or ValueError for sizes below 1 or an unknown initializer, and later for x that is not (N, n_in).
    """

    parameters = ("W", "b")
    keeps = ("x",)
    only_reads = True
    n_in: int
    n_out: int
    W: Array
    b: Array
    dW: Array
    db: Array

    def __init__(
        self,
        n_in: int,
        n_out: int,
        weight_init: str | initializers.Initializer = "kaiming_normal",
        bias_init: str | initializers.Initializer = "zeros",
    ) -> None:
        self.n_in = checks.integer("Affine: n_in", n_in, 1)
        self.n_out = checks.integer("Affine: n_out", n_out, 1)
        initializers.demand_room("Affine: n_in and n_out", (self.n_in, self.n_out))
        self.weight_init, self.bias_init = weight_init, bias_init
        initializers.find("Affine: weight_init", weight_init)
        initializers.find("Affine: bias_init", bias_init)

    def forward(self, x: Array) -> Array:
        if x.ndim == 2:
            return self.ops.affine(x, self.W, self.b)
        return self.ops.affine(x.reshape(-1, self.n_in), self.W, self.b).reshape(*x.shape[:-1], self.n_out)

    def backward(self, dy: Array) -> Array | None:
        x = self.x
        if x.ndim == 2:
            return self.ops.affine_backward(dy, x, self.W, self.dW, self.db, self.needs_dx)
        x, dy = x.reshape(-1, self.n_in), dy.reshape(-1, self.n_out)  # each position is a row
        dx = self.ops.affine_backward(dy, x, self.W, self.dW, self.db, self.needs_dx)
        return None if dx is None else dx.reshape(self.x.shape)

    def sizes(self) -> dict[str, tuple[int, ...]]:
        return {"W": (self.n_in, self.n_out), "b": (self.n_out,)}

    def initial_values(self, rng: np.random.Generator) -> dict[str, Array]:
        W = initializers.draw(f"{self.where}: weight_init", self.weight_init, (self.n_in, self.n_out), rng)
        b = initializers.draw(f"{self.where}: bias_init", self.bias_init, (self.n_out,), rng)
        return {"W": W, "b": b}

    def __repr__(self) -> str:
        text = f"{type(self).__name__}({self.n_in}, {self.n_out}"
        for name, default in (("weight_init", "kaiming_normal"), ("bias_init", "zeros")):
            value = getattr(self, name)
            if value != default:
                text += f", {name}={initializers.written(value)}"
        return text + ")"
