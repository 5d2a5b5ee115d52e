"""The base of all models: layers over flat vectors, with fit, predict, copies, and moves between backends."""

from __future__ import annotations

import copy
import zlib
from types import ModuleType
from typing import Any

import numpy as np

from .. import backends, checks, training
from ..checks import Array
from ..layers.layer import Layer, Shape
from ..losses import Loss
from ..nesting import assembly, held, walk, with_inner
from .flat_vectors import FlatVectors, bind, lay_out, placed

ROWS = 1000  # of a table that `predict` works on at once: what a layer makes of them takes 4 KB a unit, and stays in
EXAMPLES = 100  # the cache; of images and sequences, fewer


class Model(Layer):
    """A model of your own: layers in attributes, forward and backward by hand, and one line that assembles it.

        class Network(Model):
            def __init__(self):
                self.hidden, self.relu, self.out = Affine(784, 256), ReLU(), Affine(256, 10)
                self.assemble(seed=0)
            def forward(self, x):
                return self.out.forward(self.relu.forward(self.hidden.forward(x)))
            def backward(self, dy):
                return self.hidden.backward(self.relu.backward(self.out.backward(dy)))

    `params`, `grads` and `flat_buffers` are flat vectors, in the order of the attributes. `fit`, `evaluate`, `predict`,
    `save`, `to`, `copy` and the checks work as with a Sequential. A model is a layer, too: it can stand in another one.
    """

    fit = training.fit  # model.fit(x, t, ...) is training.fit(model, x, t, ...)
    evaluate = training.evaluate
    checked = False  # its layers check what they get
    seed: Any = None
    _vectors: FlatVectors | None = None
    _checksum: int | None = None  # of weights that were drawn without a seed: whether they still are what they were

    def assemble(
        self, *, backend: str | None = None, dtype: str = "float32", seed: int | np.random.Generator | None = None
    ) -> None:
        """Build the layers: draw their weights from `seed`, and put all arrays into the three vectors.

        backend "numpy", "numba" or "cupy" (None: what TINYNN_BACKEND says, else "numba", or "numpy" where numba is
        missing); dtype "float32" to train, "float64" to check gradients. Raises ValueError for a layer that belongs to
        another model.
        """
        ops = backends.load(backend)
        float_type = backends.float_type("dtype", dtype, ops)
        for name, layer in held(self):
            if layer.place is not None:
                raise ValueError(
                    f"{name}, {layer!r}, must be a new layer, not one of another model (copy.deepcopy makes one)"
                )
        rng = checks.generator("seed", seed)
        self.build(rng, float_type, ops)
        self.seed, self._checksum = seed, self._sum_of_all() if seed is None else None
        self.share_rng(np.random.default_rng([seed, 1]) if isinstance(seed, int) else rng.spawn(1)[0])

    def build(self, rng: np.random.Generator | None = None, dtype: Any = None, ops: ModuleType | None = None) -> None:
        """Build it as a layer of another model: weights drawn without a seed are drawn again, with the other's seed."""
        if self._vectors is not None and self.seed is None and self._untouched():
            self.undraw()
        super().build(rng, dtype, ops)
        self.dtype = np.dtype(np.float32 if dtype is None else dtype)
        self.lay_out()

    def lay_out(self) -> None:
        """Lay the layers' arrays, as they are now, into new vectors."""
        self._vectors = lay_out(self.placed(), self.dtype, self.ops)
        self._settle()

    def placed(self) -> list[tuple[int | str, Layer]]:
        """Place and layer of every layer that has a part of the vectors, in their order."""
        own: list[tuple[int | str, Layer]] = [("", self)] if self.parameters or self.buffers else []
        return [*own, *placed(self)]

    def _settle(self) -> None:
        """Tell models within their parts of the vectors."""
        start = kept = 0
        for _, layer in walk(self):
            if isinstance(layer, Model) and layer._vectors is not None:
                params, _, buffers = layer._vectors
                end, kept_end = start + params.size, kept + buffers.size
                mine = self._vectors
                assert mine is not None
                layer._vectors = mine[0][start:end], mine[1][start:end], mine[2][kept:kept_end]
            start += sum(layer.arrays[name].size for name in layer.parameters)
            kept += sum(layer.arrays[name].size for name in layer.buffers)

    def share_rng(self, rng: np.random.Generator) -> None:
        """One generator for all that layers draw: dropout's masks, say."""
        for layer in with_inner(self):
            layer.rng = rng

    # --- parameters ---

    def _vector(self, index: int) -> Array:
        if self._vectors is None:
            raise AttributeError(f"{type(self).__name__}{assembly(self)}")
        return self._vectors[index]

    @property
    def params(self) -> Array:
        """All parameters, one flat vector (P,). Assigning copies values into it."""
        return self._vector(0)

    @params.setter
    def params(self, values: Array) -> None:
        self._assign("params", self._vector(0), values)

    @property
    def grads(self) -> Array:
        """The gradient of every parameter, in the same order, (P,)."""
        return self._vector(1)

    @property
    def flat_buffers(self) -> Array:
        """All buffers, one flat vector. Assigning copies values into it."""
        return self._vector(2)

    @flat_buffers.setter
    def flat_buffers(self, values: Array) -> None:
        self._assign("flat_buffers", self._vector(2), values)

    def _assign(self, name: str, vector: Array, values: Array) -> None:
        if values is vector:  # `model.params -= ...` assigns what it has changed in place
            return
        checks.float_array(name, values, self.ops.xp, ndim=1)
        if values.shape != vector.shape or values.dtype != self.dtype:
            expected = f"a {self.dtype} vector of {vector.size} numbers"
            raise ValueError(f"{name} must be {expected}, not {checks.describe(values)}")
        vector[...] = values

    # --- computing ---

    def predict(self, x: Array) -> Array:
        """y from x, NumPy arrays in and out whatever the backend; leaves no trace.

        It works on 1000 rows at a time, as `evaluate` does, or on 100 images or sequences, so that for all rows
        together only y needs memory. (Apart from rounding, the numbers are those of all rows at once: BLAS may add in
        another order.)
        """
        self._vector(0)  # it must be assembled
        checks.float_array("x", x, np)
        size = ROWS if x.ndim == 2 else EXAMPLES
        batches = [x] if len(x) <= size else [x[n : n + size] for n in range(0, len(x), size)]
        try:
            y = [self.ops.to_numpy(self(self.ops.asarray(batch))) for batch in batches]
        except FloatingPointError:  # the program has told NumPy to raise; exp(-200) is 0 all the same
            with np.errstate(all="ignore"):
                y = [self.ops.to_numpy(self(self.ops.asarray(batch))) for batch in batches]
        return y[0] if len(y) == 1 else np.concatenate(y)

    def predict_proba(self, x: Array, *, loss: Loss) -> Array:
        """The probabilities that y stands for, of y's shape, as the loss that the model was trained with means it.

        SoftmaxCrossEntropy: softmax(y), one for each class; BinaryCrossEntropy: sigmoid(y), that of yes.

        Raises TypeError for a loss that is none of classes.
        """
        return self._loss(loss).probabilities(self.predict(x))

    def predict_classes(self, x: Array, *, loss: Loss) -> Array:
        """The labels that y stands for: the largest score's, (N,); with BinaryCrossEntropy 1 or 0 for each output."""
        return self._loss(loss).classes(self.predict(x))

    def _loss(self, loss: Any) -> Loss:
        if not isinstance(loss, Loss):
            expected = "the one that the model was trained with, such as SoftmaxCrossEntropy()"
            raise TypeError(f"loss must be {expected}, not {checks.describe(loss)}{checks.class_hint(loss)}")
        return loss

    # --- copies ---

    def to(self, backend: str) -> Any:
        """The same model with its arrays moved to another backend; returns itself."""
        vectors = [self._vector(i) for i in range(3)]
        old, ops = self.ops, backends.load(backend)
        for layer in with_inner(self):
            layer.ops, layer.x, layer.y, layer._forward = ops, None, None, None
        params, grads, buffers = (ops.asarray(old.to_numpy(vector)) for vector in vectors)
        self.rebind((params, grads, buffers))
        return self

    def copy(self, *, backend: str | None = None, dtype: str | None = None) -> Any:
        """Another model with the same numbers, on another backend or in another dtype where these are named."""
        twin = copy.deepcopy(self)
        if dtype is not None:
            ops = self.ops if backend is None else backends.load(backend)
            wanted = backends.float_type("dtype", dtype, ops)
            twin.dtype = wanted
            for layer in with_inner(twin):
                layer.dtype = wanted if layer.arrays or isinstance(layer, Model) else None
            twin.rebind(tuple(twin._vector(i).astype(wanted) for i in range(3)))  # type: ignore[arg-type]
        return twin if backend is None else twin.to(backend)

    def rebind(self, vectors: FlatVectors) -> None:
        """Make the layers' arrays views into these vectors."""
        self._vectors = vectors
        bind(self.placed(), *vectors)
        self._settle()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copied or unpickled model: its layers' arrays are views into its own vectors again."""
        super().__setstate__(state)
        if self._vectors is not None:
            self.rebind(self._vectors)

    @property
    def backend(self) -> str:
        """The name of the backend."""
        return backends.name_of(self.ops)

    # --- looking at it ---

    def summary(self) -> Text:
        """A table of the layers: what comes out of each, where that is known, and how many parameters it has."""
        shapes, rows, size = self._shapes(), [], self.params.size
        for path, layer in walk(self):
            inner, known = any(True for _ in held(layer)), shapes.get(path)
            name = type(layer).__name__ if inner else repr(layer)
            shape = "" if path not in shapes else checks.shape_text(("N", *(known or (None,))))
            count = sum(layer.arrays[n].size for n in layer.parameters)
            rows.append((f"{path}  {name}", shape, f"{count:,}"))
        out = max(12, *(len(row[1]) for row in rows))
        first = min(max(len(row[0]) for row in [*rows, ("total", "")]), 80 - out - 14)  # a terminal's width
        lines = [f"{'   layer':<{first}}  {'output':>{out}}  {'parameters':>10}"]
        cut = [(name if len(name) <= first else name[: first - 3] + "...", *rest) for name, *rest in rows]
        lines += [f"{name:<{first}}  {shape:>{out}}  {count:>10}" for name, shape, count in cut]
        lines.insert(1, "-" * len(lines[0]))
        lines += [lines[1], f"{'   total':<{first}}  {'':>{out}}  {size:>10,}"]
        lines.append(f"   {size * self.dtype.itemsize / 1e6:,.2f} MB as {self.dtype}, backend {self.backend}")
        return Text("\n".join(lines))

    def _shapes(self) -> dict[str, Shape | None]:
        """What comes out of each layer, by its path, where the model can say so."""
        return {}

    # --- weights that were drawn ---

    def _sum_of_all(self) -> int:
        return zlib.crc32(self.ops.to_numpy(self.params).tobytes())

    def _untouched(self) -> bool:
        return self._checksum == self._sum_of_all()


class Text(str):
    """A text that shows itself as it is at the prompt, with its line breaks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)
