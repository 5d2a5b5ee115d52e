"""An optimizer under check, on six numbers, in whichever style it is written."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ...backends import numpy as numpy_ops
from ...checks import Array
from ...layers import Affine
from ...model.flat_vectors import bind

LR = 0.1  # where the caller gives none
NAMES = {
    "lr": ("lr", "learning_rate", "eta", "alpha", "current_learning_rate"),
    "momentum": ("momentum", "mu"),
    "beta1": ("beta1", "beta_1", "b1"),
    "beta2": ("beta2", "beta_2", "b2"),
    "eps": ("eps", "epsilon"),
    "nesterov": ("nesterov",),
}
DECAY = ("weight_decay", "wd", "l2")


class SmallModel:
    """What an optimizer sees of a model: flat vectors, in them a matrix W (2, 2) and a vector b (2,)."""

    def __init__(self, params: Array) -> None:
        self.params, self.grads, self.ops = params.copy(), np.zeros_like(params), numpy_ops
        layer = Affine(2, 2)
        layer.build(np.random.default_rng(0), params.dtype, numpy_ops)
        bind([(1, layer)], self.params, self.grads, self.params[:0])
        self.layers = (layer,)


class OptimizerUnderTest:
    """One optimizer on six numbers, in whichever style it is written; `lr` times its learning rate."""

    def __init__(self, cls: type, options: dict[str, Any], start: Array, lr: float = 1.0) -> None:
        self.model = SmallModel(start)
        asked = inspect.signature(cls).parameters
        name = next((n for n in NAMES["lr"] if n in asked), None)
        rate = {name: lr * options.get(name, LR)} if name else {}
        decay = {n: 0.0 for n in DECAY if n in asked}
        self.takes_lr = any(rate.values())
        self.own_style = hasattr(cls, "step") and not hasattr(cls, "update")
        first = [self.model] if self.own_style else []
        self.optimizer = cls(*first, **{**decay, **options, **rate})
        self.params, self.grads = {"W": self.model.params}, {"W": self.model.grads}

    def step(self, gradient: Array) -> Array:
        """The numbers after a step with that gradient."""
        if self.own_style:
            self.model.grads[...] = gradient
            self.optimizer.step()
            return self.model.params.copy()
        self.grads["W"][...] = gradient
        self.optimizer.update(self.params, self.grads)
        return self.params["W"].copy()

    def get(self, kind: str, default: Any) -> Any:
        """A hyperparameter by any of its names."""
        return next((getattr(self.optimizer, n) for n in NAMES[kind] if hasattr(self.optimizer, n)), default)


def clipped(gradient: Array, tested: OptimizerUnderTest) -> Array:
    """The gradient as an optimizer with `clip_norm` uses it: no longer than that."""
    norm, length = getattr(tested.optimizer, "clip_norm", None), float(np.linalg.norm(gradient))
    return gradient if norm is None or length <= norm else gradient * (norm / length)


def state_of(tested: OptimizerUnderTest) -> list[Any]:
    """What the optimizer holds beside the model."""
    return [
        value for value in vars(tested.optimizer).values() if not isinstance(value, SmallModel) and value is not None
    ]


def family_of(tested: OptimizerUnderTest) -> str:
    """Which rule it should follow, by what it holds."""
    name = type(tested.optimizer).__name__.lower()
    if tested.get("beta2", None) is not None or "adam" in name:
        return "Adam"
    return "momentum" if tested.get("momentum", 0) else "descent"
