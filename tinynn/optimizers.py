"""The optimizers: how parameters change, given their gradients. A step is one op over the model's flat vectors."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np

from . import backends, checks, elsewhere
from .checks import Array
from .nesting import assembly, walk


def _above_0_or_none(thing: str, value: Any) -> float | None:
    """None, or a number of more than 0. Raises TypeError, ValueError."""
    return None if value is None else checks.above_0(thing, value)


def _whole_or_none(thing: str, value: Any) -> int | None:
    """None, or a whole number of 0 or more. Raises TypeError, ValueError."""
    return None if value is None else checks.integer(thing, value, 0)


def clip(grads: Array, norm: float, xp: Any) -> None:
    """Shorten the vector `grads` to the length `norm`, in place, where it is longer (Pascanu et al. 2013, algorithm 1).

    Squares overflow in float32 for gradients of 1e20, and are 0 for those of 1e-30. So the length is measured in units
    of the largest number: |g| = max |g_i| |g / max |g_i||. A NaN or an infinity makes all of them NaN.
    """
    with np.errstate(all="ignore"):
        if xp is np:  # on the GPU, looking would wait
            square = float(grads.dot(grads))
            if 1e-20 < square < math.inf:  # so it is nearly always, and then it is right
                if math.sqrt(square) > norm:
                    grads *= norm / math.sqrt(square)
                return
        if grads.size:
            largest = xp.maximum(xp.abs(grads).max(), float(np.finfo(grads.dtype).tiny))  # not 0, which is no unit
            unit = grads / largest
            length = xp.sqrt(unit.dot(unit))
            grads[...] = xp.where(length <= norm / largest, grads, unit * (norm / length))


class Optimizer(backends.ByName):
    """What the optimizers share. `model` is anything with flat vectors `params` and `grads` (see tinynn.flatten).

    The steps are done by the model's backend: its `ops`, where it has that, else its layers', else the default.
    An optimizer names the vectors that it keeps for itself, of the parameters' size and all 0 at the start, in `state`.

    clip_norm: where the gradient of all parameters together is longer, it is shortened to that length (Pascanu et al.
    2013, algorithm 1). decay_biases=False: weight decay is applied to weight matrices and kernels only.

    A setting that is changed later, as in `optimizer.lr = 0.01`, is checked as in the constructor.
    """

    settings: dict[str, tuple[Any, ...]] = {  # name -> the check that a value must pass, and its limits  # noqa: RUF012
        "lr": (checks.number, 0),
        "weight_decay": (checks.number, 0),
        "decay_biases": (checks.flag,),
        "clip_norm": (_above_0_or_none,),
        "epochs": (checks.integer, 0),
        "seed": (_whole_or_none,),
    }
    state: tuple[str, ...] = ()
    epochs = 0  # that `fit` has gone through with it, and the seed of their order: a second `fit` goes on from there
    seed: int | None = None

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in cls.__dict__:
            cls.__init__ = elsewhere.with_hints(cls.__init__)  # type: ignore[method-assign]

    def __init__(
        self, model: Any, lr: float, weight_decay: float, decay_biases: bool = True, clip_norm: float | None = None
    ) -> None:
        name = type(self).__name__
        if isinstance(model, type) or not hasattr(model, "params") or not hasattr(model, "grads"):
            hint = checks.class_hint(model) or assembly(model) or f": give the model itself, {name}(model, ...)"
            raise TypeError(f"{name}: model must have the vectors params and grads, not {checks.describe(model)}{hint}")
        self.model = model
        self.lr, self.weight_decay, self.decay_biases, self.clip_norm = lr, weight_decay, decay_biases, clip_norm
        self.use(backends.of(model))
        self._look(model)
        backends.prepare(self, model.params.dtype, self.ops)
        for attribute in self.state:
            setattr(self, attribute, self.ops.asarray(np.zeros(model.params.shape, model.params.dtype)))

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute, a setting only to what it may be. Raises TypeError, ValueError."""
        if name in self.settings:
            check, *limits = self.settings[name]
            value = check(f"{type(self).__name__}: {name}", value, *limits)
            self._demand_together({**vars(self), name: value})
        elif name == "learning_rate":  # else nothing would read it
            elsewhere.demand_keywords(type(self), [name])
        super().__setattr__(name, value)

    def _demand_together(self, settings: dict[str, Any]) -> None:
        """Raise where settings, each of them right, are wrong together."""
        if not settings.get("decay_biases", True) and next(walk(settings["model"]), None) is None:
            thing, model = type(self).__name__, checks.describe(settings["model"])
            raise TypeError(f"{thing}: model must have layers with decay_biases=False, not {model}")

    def step(self) -> None:
        """Change `model.params` by one step against `model.grads`."""
        raise NotImplementedError(f"{type(self).__name__}: an optimizer must define step(self)")

    def prepare(self) -> float:
        """What comes before every step; the weight decay that is left for the step itself."""
        model, (params, grads) = self.model, self.vectors
        self.follow(getattr(model, "ops", self.ops))
        if model.params is not params or model.grads is not grads:
            self._look(model, params.shape, params.dtype)
            params, grads = self.vectors
        if self.clip_norm is not None:
            clip(grads, self.clip_norm, self.ops.xp)
        if self.decay_biases or not self.weight_decay:
            return self.weight_decay
        for _, layer in walk(self.model):
            for name in layer.parameters:
                if layer.arrays[name].ndim > 1:
                    self.decay(layer.arrays[name], layer.arrays["d" + name])
        return 0.0

    def _look(self, model: Any, shape: Any = None, dtype: Any = None) -> None:
        """Raise where the model's vectors are not what a step takes; those that are become `vectors`."""
        name, params, grads = type(self).__name__, model.params, model.grads
        backends.float_array(f"{name}: model.params", params, self.ops, ndim=1)
        shape, dtype = shape or params.shape, dtype or params.dtype
        for thing, a in (("params", params), ("grads", grads)):
            if type(a) is not type(params) or a.shape != shape or a.dtype != dtype:
                expected = f"like model.params, a {dtype} vector of {shape[0]} numbers"
                raise ValueError(f"{name}: model.{thing} must be {expected}, not {checks.describe(a)}")
            if not a.flags.c_contiguous or not getattr(a.flags, "writeable", True):  # CuPy's flags do not say so
                raise ValueError(f"{name}: model.{thing} must be contiguous and writable, not a view that is neither")
        self.vectors = params, grads

    def decay(self, W: Array, dW: Array) -> None:
        """The weight decay of one matrix, as the step would do it."""
        raise NotImplementedError(f"{type(self).__name__}: an optimizer must define decay(self, W, dW)")

    def follow(self, ops: Any) -> None:
        """Move the state to the model's backend, where `model.to(...)` has changed it."""
        if ops is not self.ops:
            for attribute in self.state:
                setattr(self, attribute, ops.asarray(self.ops.to_numpy(getattr(self, attribute))))
            self.use(ops)

    def __repr__(self) -> str:
        options = inspect.signature(type(self)).parameters
        words = ["model"] + [
            f"{name}={getattr(self, name)!r}"
            for name, option in options.items()
            if name == "lr" or (name != "model" and getattr(self, name) != option.default)
        ]
        return f"{type(self).__name__}({', '.join(words)})"


class SGD(Optimizer):
    """Stochastic gradient descent: v <- momentum v - lr g;  w <- w + v.

    nesterov=True looks ahead, w <- w + momentum v - lr g. Weight decay adds weight_decay w to the gradient g (a term
    weight_decay |w|^2 / 2 in the loss). Source: Sutskever et al. 2013.

    lr >= 0; 0 <= momentum < 1; weight_decay >= 0.
    """

    settings = Optimizer.settings | {"momentum": (checks.number, 0, 1), "nesterov": (checks.flag,)}
    state = ("velocity",)
    velocity: Array

    def __init__(
        self,
        model: Any,
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        decay_biases: bool = True,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(model, lr, weight_decay, decay_biases, clip_norm)
        self.momentum, self.nesterov = momentum, nesterov

    def _demand_together(self, settings: dict[str, Any]) -> None:
        super()._demand_together(settings)
        if settings.get("nesterov") and not settings["momentum"]:
            raise ValueError(f"{type(self).__name__}: momentum must be more than 0 with nesterov=True, not 0")

    def step(self) -> None:
        decay, (params, grads) = self.prepare(), self.vectors
        self.ops.sgd_step(params, grads, self.velocity, self.lr, self.momentum, self.nesterov, decay)

    def decay(self, W: Array, dW: Array) -> None:
        dW += self.weight_decay * W


class Adam(Optimizer):
    """Steps of about lr in every direction, whatever the gradient's size: w <- w - lr m' / (sqrt(v') + eps).

    m and v are running means of the gradient and its square (with the shares 1 - beta1, 1 - beta2 of each new one), m'
    and v' the same corrected for their start at 0. Weight decay is decoupled, w <- w - lr weight_decay w (AdamW).
    Source: Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2.

    lr >= 0; 0 <= beta1, beta2 < 1; eps >= 0; weight_decay >= 0. `t` counts the steps.
    """

    settings = Optimizer.settings | {
        "beta1": (checks.number, 0, 1),
        "beta2": (checks.number, 0, 1),
        "eps": (checks.number, 0),
    }
    state = ("m", "v")
    m: Array
    v: Array

    def __init__(
        self,
        model: Any,
        lr: float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decay_biases: bool = True,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(model, lr, weight_decay, decay_biases, clip_norm)
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        self.t = 0

    def step(self) -> None:
        decay, (params, grads) = self.prepare(), self.vectors
        self.t += 1
        self.ops.adam_step(params, grads, self.m, self.v, self.t, self.lr, self.beta1, self.beta2, self.eps, decay)

    def decay(self, W: Array, dW: Array) -> None:
        W *= 1 - self.lr * self.weight_decay


class RMSProp(Optimizer):
    """Each number's step is divided by the usual size of its gradient: w <- w - lr g / (sqrt(v) + eps).

    v is a running mean of g^2, v <- rho v + (1 - rho) g^2, from 0 on; so the first steps are long, lr / sqrt(1 - rho).
    Weight decay adds weight_decay w to the gradient g. (eps stands outside the root, as in PyTorch; in Keras inside.)
    Source: Hinton 2012, lecture 6e.

    lr >= 0; 0 <= rho < 1; eps >= 0; weight_decay >= 0.
    """

    settings = Optimizer.settings | {"rho": (checks.number, 0, 1), "eps": (checks.number, 0)}
    state = ("v",)
    v: Array

    def __init__(
        self,
        model: Any,
        lr: float = 1e-3,
        rho: float = 0.9,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decay_biases: bool = True,
        clip_norm: float | None = None,
    ) -> None:
        super().__init__(model, lr, weight_decay, decay_biases, clip_norm)
        self.rho, self.eps = rho, eps

    def step(self) -> None:
        decay, (params, grads) = self.prepare(), self.vectors
        self.ops.rmsprop_step(params, grads, self.v, self.lr, self.rho, self.eps, decay)

    decay = SGD.decay  # weight_decay W is added to the gradient, too
