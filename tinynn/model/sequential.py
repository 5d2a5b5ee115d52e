"""Sequential: layers one after the other, over flat vectors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import backends, checks, elsewhere
from ..checks import Array
from ..layers.checked import reshaped
from ..layers.layer import Layer, Shape
from .flat_vectors import demand_new
from .model import Model


class Sequential(Model):
    """Layers one after the other: y = f_k(... f_2(f_1(x))).

    backend "numpy", "numba" or "cupy" (None: what TINYNN_BACKEND says, else "numba", or "numpy" where numba is
    missing); dtype "float32" to train, "float64" to check gradients; `seed` fixes the weights that are drawn. `shape`
    is that of one example, such as (28, 28, 1) for images: with it, the shapes of all layers are checked now, and not
    only at the first batch. Messages count the layers from 1: layer 1 is model[0]. A Sequential is a layer, too, and
    can be part of another model; if its weights were drawn without a seed, they are drawn again with the other's seed.

    Raises ValueError where a layer does not fit the one before it.
    """

    keeps = ()

    def __init__(
        self,
        *layers: Layer,
        backend: str | None = None,
        dtype: str = "float32",
        seed: int | np.random.Generator | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        if not layers:
            raise ValueError("Sequential must have at least one layer, not none: all of them are given at once")
        demand_new(layers)
        self.layers, self.shape = layers, None if shape is None else checks.sizes("shape", shape)
        list(self._fitting(self.shape))
        self.assemble(backend=backend, dtype=dtype, seed=seed)
        self.demand_dx(False)

    @classmethod
    def unbuilt(cls, *layers: Layer, shape: Any = None) -> Sequential:
        """A Sequential without arrays yet, for a model that will hold it and build it."""
        made = object.__new__(cls)
        made.layers, made.shape = layers, None if shape is None else checks.sizes("shape", shape)
        return made

    def _fitting(self, shape: Shape | None, giver: str = "shape") -> Iterator[Shape | None]:
        """The output shape of each layer. Raises ValueError where a layer does not fit its input."""
        for number, layer in enumerate(self.layers, 1):
            try:
                out = layer.output_shape(shape)
            except ValueError as error:
                if not giver:
                    raise
                given = f"rows of {shape[0]}" if shape and len(shape) == 1 else checks.shape_text(shape)
                hint = reshaped(layer, (None, *shape)) if shape else ""
                raise ValueError(f"layer {number}, {layer!r}: {error}, not {given} as {giver} gives{hint}") from None
            if out is not None and out != shape:
                giver = f"layer {number}, {layer!r},"
            shape = out
            yield out

    def output_shape(self, shape: Shape | None) -> Shape | None:
        return [*self._fitting(shape, giver="")][-1]  # who gives it, the model around knows

    def demand_dx(self, needed: bool) -> None:
        self.needs_dx = needed
        for layer in self.layers:
            layer.demand_dx(needed or layer is not self.layers[0])

    # --- computing ---

    def forward(self, x: Array) -> Array:
        """y (N, ..., n_out) from x (N, ..., n_in), layer by layer; remembers what backward needs."""
        self._check_x(x)
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy: Array) -> Array | None:
        """The gradient of every parameter, into `grads`, from dy = dL/dy: the chain rule, last layer first.

        Gradients are overwritten, not added to. dL/dx of the first layer is computed only in a Sequential that is part
        of another model: elsewhere it is not needed, and it would be a quarter to a third of the work of a step.
        """
        for layer in reversed(self.layers):
            dx = layer.backward(dy)
            if dx is None:
                return None
            dy = dx
        return dy

    @elsewhere.called_as("y = model(x), and loss(y, t) compares it with t")
    def __call__(self, x: Array) -> Array:
        """y from x, without a trace: nothing is remembered, a pending backward is undisturbed."""
        self._check_x(x)
        for layer in self.layers:
            x = layer(x)
        return x

    def _check_x(self, x: Any) -> None:
        """A layer without parameters takes any float; the model takes its own."""
        if type(x) is not self.ops.xp.ndarray or x.dtype != self.dtype:
            checks.float_array("x", x, self.ops.xp)
            raise TypeError(f"x must be {self.dtype} like the model, not {x.dtype}: x.astype('{self.dtype}')")

    # --- looking at it ---

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> Layer:
        try:
            return self.layers[index]
        except (IndexError, TypeError) as error:
            expected = f"a whole number from 0 to {len(self) - 1}, as the model has {len(self)} layers"
            raise type(error)(f"index of a layer must be {expected}, not {checks.describe(index)}") from None

    def __repr__(self) -> str:
        words = [repr(layer) for layer in self.layers]
        if self.place is None and self.ops is not None:
            if self.backend != backends.preferred():
                words.append(f"backend={self.backend!r}")
            if self.dtype != np.float32:
                words.append(f"dtype={str(self.dtype)!r}")
        if self.seed is not None:
            words.append(f"seed={self.seed!r}")
        if self.shape is not None:
            words.append(f"shape={self.shape!r}")
        line = f"Sequential({', '.join(words)})"
        return line if len(line) <= 100 or self.place else "Sequential(\n    " + ",\n    ".join(words) + ",\n)"

    def _shapes(self) -> dict[str, Shape | None]:
        return dict(zip(map(str, range(1, len(self) + 1)), self._fitting(self.shape)))

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.demand_dx(False)
