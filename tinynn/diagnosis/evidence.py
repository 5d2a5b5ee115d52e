"""What the checks look at: copies of a model and its parts, a sample of the rows, a sweep of learning rates."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from .. import backends, checks
from ..checks import Array
from ..layers import Affine, Conv2D
from ..model.any_model import all_layers, copies, in_order_of_use
from ..optimizers import Adam
from ..training import demands
from . import levels
from .figures import Columns
from .report import LearningRateSweep, LeftOut

ROWS = 1000  # of x, drawn at random, for all that goes through the model
RATES = np.logspace(-7, 1, 17).tolist()  # of the sweep
SWEEP_STEPS, SWEEP_BATCH, SWEEP_IMAGES = 20, 64, 200
TRAINED = 0.1  # loss at the start over that of chance: with less, this is no new model, and need not learn any more


class Evidence:
    """What the checks look at: copies of model, loss and optimizer, the columns of all x, and a sample of rows."""

    belong, learns_few = True, True  # t to x, and the model by heart, unless a check finds otherwise

    def __init__(
        self,
        model: Any,
        loss: Any,
        optimizer: Any,
        x: Array,
        t: Array,
        prepare: Callable[[Array], Array],
        batch_size: int | None = None,
        validation: tuple[Array, Array] | None = None,
    ) -> None:
        ops, dtype = backends.of(model), model.params.dtype
        name = "x" if prepare is demands.as_it_is else "what transform makes of x"

        def prepared(rows: Array) -> Array:
            made = prepare(ops.asarray(rows))
            _demand_x(name, made, dtype, ops.xp)
            if len(made) != len(rows):
                raise ValueError(f"{name} must have as many rows as x, {len(rows)}, not shape {made.shape}")
            return ops.to_numpy(made)

        self.model, self.loss, self.optimizer = copied(model, loss, optimizer)
        self.built = in_order_of_use(self.model)
        if ops.xp is not np:
            self.model.to("numpy")
        self.loss.ops = backends.of(self.model)
        if prepare is demands.as_it_is:  # the message names the shape of all x
            _demand_x(name, x, dtype)
        self.columns = Columns(prepared(x[i : i + 8192]) for i in range(0, len(x), 8192))
        rows = np.random.default_rng(0).permutation(np.flatnonzero(self.columns.finite))[:ROWS]
        self.x, self.t, self.all_t = prepared(x[rows]), t[rows], t
        self.batch_size, self.validation = batch_size, None
        if validation is not None:
            if validation[0].shape[1:] != x.shape[1:]:
                raise ValueError(f"validation x must have rows like x {x.shape}, not shape {validation[0].shape}")
            rows = np.random.default_rng(0).permutation(len(validation[0]))[:ROWS]
            self.validation = prepared(validation[0][rows]), validation[1]

    @cached_property
    def y(self) -> Array:
        """What the model makes of the sample."""
        self.demand_rows()
        if not np.isfinite(self.model.params).all():
            raise LeftOut("the model has weights that are NaN or infinite")
        if self.channels_first:
            raise LeftOut("x does not fit the model")
        return self.model.forward(self.x)

    @cached_property
    def channels_first(self) -> bool:
        """Whether the model takes no images such as these, but would with the channels behind."""
        return self.x.ndim == 4 and not self.takes(self.x[:1]) and self.takes(np.moveaxis(self.x[:1], 1, -1).copy())

    def takes(self, x: Array) -> bool:
        """Whether the model takes such x."""
        try:
            demands.call(self.model, x)
        except ValueError:
            return False
        return True

    @property
    def layers(self) -> list[Any]:
        """The layers, after the sample has gone through them: each keeps its x and y."""
        return self.built if len(self.y) else []

    @property
    def affine(self) -> list[Affine | Conv2D]:
        """Those that multiply by W: a convolution is an affine map of each window."""
        return [layer for layer in self.layers if isinstance(layer, Affine | Conv2D)]

    def has(self, kind: Any) -> bool:
        """Whether the model has a layer of this kind, at any depth."""
        return any(isinstance(layer, kind) for layer in self.built)

    @cached_property
    def differs_in_use(self) -> bool:
        """Whether the model computes in training what it does not in use, as dropout and batch normalization do."""
        (model,) = copies(self.model)
        return not np.array_equal(model.forward(self.x[:8]), demands.call(model, self.x[:8]))

    def before(self, layer: Any) -> Any:
        """The layer whose y this one takes, and no other; None where none is, as behind a sum or at a block's start."""
        readers = [one for one in self.layers if one.x is layer.x]
        return next((a for a in self.layers if a.y is layer.x), None) if readers == [layer] else None

    @property
    def behind_zeros(self) -> bool:
        """Whether a layer, but the first, starts with zeros: the gradient comes through from the second step on."""
        learning = [layer for layer in self.layers if layer.parameters]
        return any(not a.arrays[a.parameters[0]].any() for a in learning[1:])

    @cached_property
    def problem(self) -> str:
        """What the loss has against the targets; empty where it has nothing."""
        try:
            y = np.broadcast_to(self.y[:1], (len(self.all_t), *self.y.shape[1:]))  # so that messages name t's own shape
            self.loss.check(y, self.all_t)
            self.loss.check_values(self.all_t, self.width)
        except (TypeError, ValueError) as error:
            return str(error)
        return "" if np.isfinite(self.all_t).all() else f"{self.loss!r}: t must hold numbers, not infinity"

    @cached_property
    def value(self) -> float:
        """The loss of the sample at the start. After it, the layers hold the gradients."""
        self.demand_targets()
        value = self.loss.forward(self.y, self.t)
        if np.ndim(value) or not isinstance(value, numbers.Real | np.ndarray):
            raise TypeError(f"{self.loss!r}: the loss must be one number, not {checks.describe(value)}")
        self.model.backward(self.loss.backward())
        return float(value)

    @property
    def start(self) -> float:
        """The same, for what makes sense only where it is a number."""
        if not math.isfinite(self.value):
            raise LeftOut(f"the loss at the start is {self.value}")
        return self.value

    def demand_rows(self) -> None:
        """Leave a check out that needs rows, where there are none."""
        if len(self.x) == 0:
            raise LeftOut("every row of x holds NaN or infinity")

    def demand_targets(self) -> None:
        """Leave a check out that needs targets, where they are wrong."""
        if self.problem:
            raise LeftOut("the targets do not fit")

    @cached_property
    def levels(self) -> tuple[float, float]:
        """The loss of chance for the sample, and the least that is possible; NaN where not known."""
        return levels.of_chance(self.loss, self.t, self.width)

    def constant(self, rows: slice) -> tuple[float, float]:
        """The loss of the best y that is equal in these rows, and how far one can get below it; NaN where not known."""
        return levels.of_constant(self.loss, self.t[rows], self.width)

    @property
    def width(self) -> int:
        """How many numbers y holds for each row, or each position of one."""
        return int(self.y.shape[-1])

    @property
    def of_chance(self) -> float:
        """The loss at the start as a multiple of that of chance, both counted from the least one; NaN if unknown."""
        start, (chance, least) = self.start, self.levels
        return (start - least) / (chance - least) if chance > least else math.nan

    @property
    def scale(self) -> float:
        """The size of losses: that at the start or that of chance, the larger one, counted from the least."""
        chance, least = self.levels
        return max(self.start, chance) - least if math.isfinite(chance) else abs(self.start)

    @cached_property
    def sweep(self) -> LearningRateSweep:
        """The loss of the sample after a few steps at each learning rate, from the same start."""
        start, own = self.start, getattr(self.optimizer, "lr", None)
        x, t, size = self.x, self.t, SWEEP_BATCH
        if x.ndim > 2:  # of images and sequences, each row is some work
            x, t, size = x[:SWEEP_IMAGES], t[:SWEEP_IMAGES], SWEEP_BATCH // 2
            start = float(self.loss(copies(self.model)[0].forward(x), t))
        if self.optimizer is not None and own is None:
            raise LeftOut("the optimizer has no learning rate `lr`")
        own = None if own is None else checks.number(f"{type(self.optimizer).__name__}: lr", own, 0)
        rng = np.random.default_rng(1)
        batches = [rng.permutation(len(self.x))[:size] for _ in range(SWEEP_STEPS)]
        losses, peaks = {}, {}
        for lr in sorted({*RATES, own or RATES[0]}):
            model, loss, optimizer = copies(self.model, self.loss, self.optimizer)
            optimizer = optimizer or Adam(model)
            optimizer.lr = lr
            values = [step(model, loss, optimizer, self.x[rows], self.t[rows]) for rows in batches]
            losses[lr] = float(loss(model.forward(x), t))
            values.append(losses[lr])
            peaks[lr] = max(values) if np.isfinite(values).all() else math.inf
        return LearningRateSweep(type(optimizer).__name__, SWEEP_STEPS, losses, peaks, start, own)


# --- helpers ---------------------------------------------------------------------------------------------------------


def _demand_x(thing: str, x: Any, dtype: Any, xp: Any = np) -> None:
    """Raise TypeError or ValueError where x is no array (N, D) of the model's dtype."""
    checks.float_array(thing, x, xp)
    if x.dtype != dtype:
        raise TypeError(f"{thing} must be {dtype} like the model, not {x.dtype}: x.astype('{dtype}')")


def step(model: Any, loss: Any, optimizer: Any, x: Array, t: Array) -> float:
    """One step of training; the loss before it."""
    value = float(loss.forward(model.forward(x), t))
    model.backward(loss.backward())
    optimizer.step()
    return value


def copied(model: Any, *others: Any) -> tuple[Any, ...]:
    """Copies of a model and of what belongs to it. Raises TypeError where its layers are not among its attributes."""
    if sum(layer.arrays[name].size for layer in all_layers(model) for name in layer.parameters) != model.params.size:
        expected = "its layers as attributes, those that `flatten` was given"
        raise TypeError(f"model must have {expected}, not {checks.describe(model)}")
    return copies(model, *others)
