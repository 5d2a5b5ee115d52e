"""Sequential: layers one after the other, over one flat vector of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .. import backends, checks
from ..checks import Array
from ..layers.layer import Layer
from ..training import loop as training

ROWS = 1000  # that `predict` works on at once: what a layer makes of them takes 4 KB a unit, and stays in the cache


def flatten(
    *layers: Layer, backend: str | None = None, dtype: str = "float32", seed: int | np.random.Generator | None = None
) -> tuple[Array, Array]:
    """Build the layers; lay their parameters into one vector, the gradients into another: (params, grads), each (P,).

    `layer.W`, `layer.dW` and so on become views into the two, so that an optimizer's step, clipping or a checkpoint is
    one op on one array. Sequential does this; a model class of your own does it too, and can then be given to an
    optimizer. Weights are drawn layer by layer from `seed`, so the same seed gives the same weights.

    Raises ValueError for a layer that is used twice or belongs to another model.
    """
    ops = backends.load(backend)
    float_type = backends.float_type("dtype", dtype, ops)
    demand_new(layers)
    rng = checks.generator("seed", seed)
    for layer in layers:
        layer.build(rng, float_type, ops)
    size = sum(layer.arrays[name].size for layer in layers for name in layer.parameters)
    params, grads = ops.asarray(np.zeros(size, float_type)), ops.asarray(np.zeros(size, float_type))
    for view, name, layer in views(layers, params, grads):
        view[...] = layer.arrays[name]
    bind(layers, params, grads)
    return params, grads


def demand_new(layers: tuple[Layer, ...]) -> None:
    """Raise where one of the layers is not a layer, stands there twice, or belongs to another model."""
    if len(layers) == 1 and isinstance(layers[0], Iterable) and not isinstance(layers[0], Layer | str | bytes):
        raise TypeError(f"layers must be given one by one, Sequential(*layers), not as {checks.describe(layers[0])}")
    for number, layer in enumerate(layers, 1):
        if not isinstance(layer, Layer):
            hint = " (a class: add parentheses)" if isinstance(layer, type) else ""
            raise TypeError(f"layer {number} must be a Layer, not {checks.describe(layer)}{hint}")
        if any(layer is other for other in layers[: number - 1]):
            raise ValueError(
                f"layer {number}, {layer!r}, must be a layer of its own, not one used before in this model"
            )
        if layer.place is not None:
            raise ValueError(
                f"layer {number}, {layer!r}, must be a new layer, not one of another model (copy.deepcopy makes one)"
            )


def demand_fitting(layers: tuple[Layer, ...]) -> None:
    """Raise where a layer takes rows of another width than those that come to it, as far as widths are known."""
    width: int | None = None
    giver = ""
    for number, layer in enumerate(layers, 1):
        if layer.n_in is not None and width is not None and layer.n_in != width:
            raise ValueError(
                f"layer {number}, {layer!r}: takes rows of {layer.n_in}, but {giver}, gives rows of {width}"
            )
        if layer.n_out is not None:
            giver = f"layer {number}, {layer!r}"
        width = layer.output_size(width)


def views(layers: tuple[Layer, ...], params: Array, grads: Array) -> Iterator[tuple[Array, str, Layer]]:
    """The piece of the flat vectors that belongs to each array of each layer, in the shape of that array."""
    start = 0
    for layer in layers:
        for name in layer.parameters:
            shape, end = layer.arrays[name].shape, start + layer.arrays[name].size
            yield params[start:end].reshape(shape), name, layer
            yield grads[start:end].reshape(shape), "d" + name, layer
            start = end


def bind(layers: tuple[Layer, ...], params: Array, grads: Array) -> None:
    """Make the layers those of one model: their arrays views into its vectors, their places 1, 2, 3, ..."""
    for view, name, layer in list(views(layers, params, grads)):
        layer.arrays[name] = view
    for place, layer in enumerate(layers, 1):
        layer.place = place


class Sequential(backends.ByName):
    """Layers one after the other: y = f_k(... f_2(f_1(x))).

    backend "numpy", "numba" or "cupy" (None: what TINYNN_BACKEND says, else "numba"); dtype "float32" to train,
    "float64" to check gradients; `seed` fixes the weights that are drawn. Messages count the layers from 1: layer 1 is
    model[0].

    Raises ValueError where a layer does not fit the one before it.
    """

    fit = training.fit  # model.fit(x, t, ...) is training.fit(model, x, t, ...)
    evaluate = training.evaluate

    def __init__(
        self,
        *layers: Layer,
        backend: str | None = None,
        dtype: str = "float32",
        seed: int | np.random.Generator | None = None,
    ) -> None:
        if not layers:
            raise ValueError("Sequential must have at least one layer, not none")
        demand_new(layers)
        demand_fitting(layers)
        self._params, self._grads = flatten(*layers, backend=backend, dtype=dtype, seed=seed)
        layers[0].needs_dx = False
        self.layers = layers
        self.ops = layers[0].ops
        self.dtype = self._params.dtype
        self.seed = seed

    # --- computing ---

    def forward(self, x: Array) -> Array:
        """y (N, n_out) from x (N, n_in), layer by layer; remembers what backward needs."""
        self._check_x(x)
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy: Array) -> None:
        """The gradient of every parameter, into `grads`, from dy = dL/dy: the chain rule, last layer first.

        Gradients are overwritten, not added to. dL/dx of the first layer is not computed: nobody reads it, and it would
        be a quarter to a third of the work of a step.
        """
        for layer in reversed(self.layers):
            dy = layer.backward(dy)  # type: ignore[assignment]  # None after the first layer only

    def __call__(self, x: Array) -> Array:
        """y from x, without a trace: nothing is remembered, a pending backward is undisturbed."""
        self._check_x(x)
        for layer in self.layers:
            x = layer(x)
        return x

    def predict(self, x: Array) -> Array:
        """y from x, NumPy arrays in and out whatever the backend; leaves no trace.

        Works through 1000 rows at a time, as `evaluate` does, so that of all rows only y is held. (The same numbers as
        of all rows at once, but for rounding: BLAS may add in another order.)
        """
        checks.float_array("x", x, np)
        batches = [x] if len(x) <= ROWS else [x[n : n + ROWS] for n in range(0, len(x), ROWS)]
        try:
            y = [self.ops.to_numpy(self(self.ops.asarray(batch))) for batch in batches]
        except FloatingPointError:  # the program has told NumPy to raise; exp(-200) is 0 all the same
            with np.errstate(all="ignore"):
                y = [self.ops.to_numpy(self(self.ops.asarray(batch))) for batch in batches]
        return y[0] if len(y) == 1 else np.concatenate(y)

    def _check_x(self, x: Any) -> None:
        """A layer without parameters takes any float; the model takes its own."""
        if type(x) is not self.ops.xp.ndarray or x.dtype != self.dtype:
            checks.float_array("x", x, self.ops.xp)
            raise TypeError(f"x must be {self.dtype} like the model, not {x.dtype}: x.astype('{self.dtype}')")

    # --- parameters ---

    @property
    def params(self) -> Array:
        """All parameters, one flat vector (P,). Assigning copies values into it."""
        return self._params

    @params.setter
    def params(self, values: Array) -> None:
        if values is not self._params:  # `model.params -= ...` assigns what it has changed in place
            checks.float_array("params", values, self.ops.xp, ndim=1)
            if values.shape != self._params.shape or values.dtype != self.dtype:
                expected = f"a {self.dtype} vector of {self._params.size} numbers"
                raise ValueError(f"params must be {expected}, not {checks.describe(values)}")
            self._params[...] = values

    @property
    def grads(self) -> Array:
        """The gradient of every parameter, in the same order, (P,)."""
        return self._grads

    def to(self, backend: str) -> Sequential:
        """The same model with its parameters moved to another backend; returns itself."""
        old, self.ops = self.ops, backends.load(backend)
        self._params, self._grads = (self.ops.asarray(old.to_numpy(a)) for a in (self._params, self._grads))
        for layer in self.layers:
            layer.ops, layer.x, layer.y, layer._forward = self.ops, None, None, None
        bind(self.layers, self._params, self._grads)
        return self

    @property
    def backend(self) -> str:
        """The name of the backend."""
        return backends.name_of(self.ops)

    # --- looking at it ---

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> Layer:
        return self.layers[index]

    def __repr__(self) -> str:
        words = [repr(layer) for layer in self.layers]
        if self.backend != backends.default():
            words.append(f"backend={self.backend!r}")
        if self.dtype != np.float32:
            words.append(f"dtype={str(self.dtype)!r}")
        if self.seed is not None:
            words.append(f"seed={self.seed!r}")
        line = f"Sequential({', '.join(words)})"
        return line if len(line) <= 100 else "Sequential(\n    " + ",\n    ".join(words) + ",\n)"

    def summary(self) -> Text:
        """A table of the layers: what comes out of each, and how many parameters it has."""
        rows, width = [], self.layers[0].n_in
        for number, layer in enumerate(self.layers, 1):
            width = layer.output_size(width)
            count = sum(layer.arrays[name].size for name in layer.parameters)
            rows.append((f"{number}  {layer!r}", f"(N, {'?' if width is None else width})", f"{count:,}"))
        first = max(len(row[0]) for row in [*rows, ("total",)])
        lines = [f"{'   layer':<{first}}  {'output':>12}  {'parameters':>12}"]
        lines += [f"{name:<{first}}  {shape:>12}  {count:>12}" for name, shape, count in rows]
        lines.insert(1, "-" * len(lines[0]))
        size = self._params.size
        lines += [lines[1], f"{'   total':<{first}}  {'':>12}  {size:>12,}"]
        lines.append(f"   {size * self.dtype.itemsize / 1e6:,.2f} MB as {self.dtype}, backend {self.backend}")
        return Text("\n".join(lines))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copied or unpickled model: its layers' arrays are views into its own vectors again."""
        super().__setstate__(state)
        bind(self.layers, self._params, self._grads)
        self.layers[0].needs_dx = False


class Text(str):
    """A text that shows itself as it is at the prompt, with its line breaks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
