"""The doctor for optimizers: `check_optimizer(Adam)` runs a few steps on given gradients and compares the path.

The rule is known by what an optimizer holds: two betas are Adam's, a momentum is momentum's, else it is plain descent.
A path that is none of the right ones is compared with those of the classic slips, and named if it is the same to 1e-9.
What an optimizer does with another rule of its own cannot be judged: then the report is "not-judged".
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ... import checks
from ...backends import numpy as numpy_ops
from ...checks import Array
from ...layers import Affine
from ...model.flat_vectors import bind
from .copies import quiet
from .finite import not_finite
from .layer_doctor import raised
from .report import Finding, Report, Row
from .side_effects import same

STEPS, LR = 6, 0.1
NAMES = {
    "lr": ("lr", "learning_rate", "eta", "alpha", "current_learning_rate"),
    "momentum": ("momentum", "mu"),
    "beta1": ("beta1", "beta_1", "b1"),
    "beta2": ("beta2", "beta_2", "b2"),
    "eps": ("eps", "epsilon"),
    "nesterov": ("nesterov",),
}
DECAY = ("weight_decay", "wd", "l2")
Path = Callable[..., list[Array]]


class SmallModel:
    """What an optimizer sees of a model: flat vectors, in them a matrix W (2, 2) and a vector b (2,)."""

    def __init__(self, params: Array) -> None:
        self.params, self.grads, self.ops = params.copy(), np.zeros_like(params), numpy_ops
        layer = Affine(2, 2)
        layer.build(np.random.default_rng(0), params.dtype, numpy_ops)
        bind([(1, layer)], self.params, self.grads, self.params[:0])
        self.layers = (layer,)


def check_optimizer(optimizer: Any, **options: Any) -> Report:
    """Check an optimizer class: SGD, momentum, Nesterov or Adam, tinynn's or your own.

    One in tinynn's style is made as optimizer(model, lr=..., **options) and has step(); one in the style of other
    courses as optimizer(lr=..., **options) and has update(params, grads), with dicts or arrays.
    """
    if not isinstance(optimizer, type):
        hint = f": {type(optimizer).__name__}, without parentheses" if hasattr(optimizer, "__dict__") else ""
        raise TypeError(f"optimizer must be a class, not {checks.describe(optimizer)}{hint}")
    where = optimizer.__name__
    report = Report(f"check of {where}", f"{STEPS} steps on given gradients", columns=("got", "right"))
    options = {name: value for name, value in options.items() if name not in DECAY}  # looked at by itself
    try:
        with quiet():
            for more in _variants(optimizer, options):
                if report.finding is None:
                    _examine(optimizer, {**options, **more}, report)
    except Exception as error:
        method = "step" if hasattr(optimizer, "step") else "update" if hasattr(optimizer, "update") else "__init__"
        report.finding = raised(where, method, error)
    return report


def _variants(cls: type, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """As it comes, and with the momentum that it offers (which a look ahead needs)."""
    asked = inspect.signature(cls).parameters
    if not (options.get("nesterov") and "momentum" in asked and "momentum" not in options):
        yield {}
    if "momentum" in asked and "momentum" not in options and not asked["momentum"].default:
        yield {"momentum": 0.9}
        if "nesterov" in asked and "nesterov" not in options:
            yield {"momentum": 0.9, "nesterov": True}


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


def _examine(cls: type, options: dict[str, Any], report: Report) -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(size=6)
    gradients = rng.normal(size=(STEPS, 6)) * 10.0 ** -np.arange(6)  # small ones show where eps stands
    tested = OptimizerUnderTest(cls, options, start)
    where = cls.__name__
    path = []
    for gradient in gradients:
        buffer = tested.model.params
        path.append(tested.step(gradient))
        held = tested.model.grads if tested.own_style else tested.grads["W"]
        shortened = clipped(gradient, tested)
        if not np.array_equal(held, gradient) and not same(held, shortened):
            why = "a step changes the gradients, which are not its own: a second look at them is wrong"
            report.finding = Finding(
                "changes-grads", where, why, "compute with g = grads.copy(), or without in-place ops"
            )
            return
        replaced = tested.model.params is not buffer or (not tested.own_style and tested.params["W"] is not buffer)
        moves = tested.get("lr", LR) != 0 and np.any(gradient)
        if replaced or (tested.own_style and np.array_equal(buffer, start) and len(path) == 1 and moves):
            why = "a step makes a new array of parameters; the layers still hold the old one and never see the change"
            report.finding = Finding("params-replaced", where, why, "params -= ...  in place of  params = params - ...")
            return
    family = _family(tested)
    given, gradients = gradients, np.array([clipped(gradient, tested) for gradient in gradients])
    right = list(_right(family, tested, start, gradients))
    expected = right[0][1]
    best, wanted = next(((n, w) for n, w in right if same(np.array(path), np.array(w))), (None, expected))
    report.rows = _rows(where, path, wanted)
    if report.plotter is None or best is None:
        report.plotter = functools.partial(_plot, where, np.array([start, *path]), np.array([start, *wanted]))
    other = OptimizerUnderTest(cls, options, start)
    if not np.allclose(other.step(given[0]), path[0], rtol=1e-9, atol=0, equal_nan=True):
        why = "a second optimizer does not start like the first: they share what should be each one's own"
        report.finding = Finding("state-shared", where, why, "make the state in __init__, not in the class")
        return
    if tested.takes_lr:
        slow = OptimizerUnderTest(cls, options, start, lr=1 / 8)
        slow_path = [slow.step(gradient) for gradient in given]
        if same(np.array(slow_path), np.array(path)):
            why = "with an eighth of the learning rate the path is the same: lr is not used"
            report.finding = Finding("lr-ignored", where, why, "the step is lr times ...")
            return
    if best:
        report.notes.append(f"the path is that of {best}")
        _decay(cls, options, family, start, given, report)
        return
    if np.vdot(path[0] - start, gradients[0]) > 0:
        why = "the first step goes along the gradient, uphill"
        report.finding = Finding("ascent", where, why, "params -= lr * ...")
        return
    for code, wrong, why, fix in _wrong(family, tested, start, gradients):
        if same(np.array(path), np.array(wrong)) or _both_nan(path, wrong):
            report.finding = Finding(code, where, f"{why}. {_worked(path, expected)}", fix)
            return
    if not np.isfinite(path).all():
        k = int(np.flatnonzero(~np.isfinite(path).all(axis=1))[0])

        def again() -> None:
            one = OptimizerUnderTest(cls, options, start)
            for gradient in given[: k + 1]:
                one.step(gradient)

        report.finding = not_finite(where, {f"after step {k + 1} parameter": path[k]}, again, {})
        return
    if family == "descent" and not all(type(v) in (int, float, bool) for v in _state(tested)):
        report.rows, why = [], "its rule is none that is known here: only its manners were looked at, and nothing found"
        report.finding = Finding("not-judged", where, why)
        return
    why = f"this is not the path of {right[0][0]}, nor that of a known slip. {_worked(path, expected)}"
    report.finding = Finding("unknown", where, why)


def clipped(gradient: Array, tested: OptimizerUnderTest) -> Array:
    """The gradient as an optimizer with `clip_norm` uses it: no longer than that."""
    norm, length = getattr(tested.optimizer, "clip_norm", None), float(np.linalg.norm(gradient))
    return gradient if norm is None or length <= norm else gradient * (norm / length)


def _plot(name: str, path: Array, expected: Array, axes: Any = None) -> Any:
    """The way of the first three numbers, step by step, and the right one; returns the axes."""
    from ...plots import style

    axes = style.one_axes(axes, (5.6, 4.0))
    for k, colour in zip(range(3), style.COLOURS):
        axes.plot(expected[:, k], "-", color=colour, label=f"parameter {k}, right")
        axes.plot(path[:, k], "o", color=colour, markerfacecolor="none", label=f"parameter {k}, {name}")
    axes.set(xlabel="step", ylabel="parameter")
    axes.legend(frameon=False, fontsize=8)
    style.bare(axes)
    return axes


def _state(tested: OptimizerUnderTest) -> list[Any]:
    """What the optimizer holds beside the model."""
    return [
        value for value in vars(tested.optimizer).values() if not isinstance(value, SmallModel) and value is not None
    ]


def _family(tested: OptimizerUnderTest) -> str:
    name = type(tested.optimizer).__name__.lower()
    if tested.get("beta2", None) is not None or "adam" in name:
        return "Adam"
    return "momentum" if tested.get("momentum", 0) else "descent"


def _both_nan(path: list[Array], wrong: list[Array]) -> bool:
    """Two paths that are lost in the same way."""
    a, b = np.array(path), np.array(wrong)
    return bool(not np.isfinite(a).all() and np.array_equal(np.isfinite(a), np.isfinite(b)))


def _rows(where: str, path: list[Array], expected: list[Array]) -> list[Row]:
    rows = []
    for k, (got, wanted) in enumerate(zip(path, expected), 1):
        index = int(np.argmax(np.abs(got - wanted)))
        error = abs(float(got[index] - wanted[index])) / (float(np.abs(wanted).max()) or 1.0)
        verdict = "ok" if error < 1e-9 else "wrong"
        rows.append(Row(where, f"step {k}", f"[{index}]", float(got[index]), float(wanted[index]), error, verdict))
    return rows


def _worked(path: list[Array], expected: list[Array]) -> str:
    for k, (got, wanted) in enumerate(zip(path, expected), 1):
        if not same(wanted, got):
            index = int(np.argmax(np.abs(got - wanted)))
            return f"After step {k} parameter {index} is {got[index]:.8g}; it should be {wanted[index]:.8g}."
    return ""


# --- the rules, each as a path ---------------------------------------------------------------------------------------


def descent(start: Array, gradients: Array, lr: float, sign: float = -1.0) -> list[Array]:
    """w <- w - lr g."""
    return list(start + np.cumsum(sign * lr * gradients, axis=0))


def momentum(
    start: Array, gradients: Array, lr: float, mu: float, look: bool = False, share: float = 1.0, after: bool = False
) -> list[Array]:
    """v <- mu v - share lr g;  w <- w + v, or, with a look ahead, w + mu v - lr g. `after`: lr multiplies v instead."""
    w, v, path = start.copy(), np.zeros_like(start), []
    for g in gradients:
        v = mu * v - share * (g if after else lr * g)
        w = w + (lr if after else 1) * (mu * v - share * (g if after else lr * g) if look else v)
        path.append(w)
    return path


def adam(
    start: Array,
    gradients: Array,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    *,
    corrected: bool = True,
    clock: Callable[[int], int] = lambda t: t,
    inside: bool = False,
    square: Callable[[Array], Array] = np.square,
    root: Callable[[Array], Array] = np.sqrt,
    kept: bool = True,
    hat: bool = False,
) -> list[Array]:
    """w <- w - lr m' / (sqrt(v') + eps); the options are its variants and its slips."""
    w, m, v, path = start.copy(), np.zeros_like(start), np.zeros_like(start), []
    for t, g in enumerate(gradients, 1):
        if not kept:
            m, v = np.zeros_like(start), np.zeros_like(start)
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * square(g)
        one, two = (1 - beta1 ** clock(t), 1 - beta2 ** clock(t)) if corrected else (1.0, 1.0)
        if hat:  # Kingma & Ba 2015, end of section 2: eps beside the uncorrected root
            w = w - lr * np.sqrt(two) / one * m / (root(v) + eps)
        else:
            w = w - lr * (m / one) / (root(v / two + eps) if inside else root(v / two) + eps)
        path.append(w)
    return path


def _right(
    family: str, tested: OptimizerUnderTest, start: Array, gradients: Array
) -> Iterator[tuple[str, list[Array]]]:
    lr = tested.get("lr", LR)
    if family == "Adam":
        given = lr, tested.get("beta1", 0.9), tested.get("beta2", 0.999), tested.get("eps", 1e-8)
        yield "Adam", adam(start, gradients, *given)
        yield "Adam with eps beside the uncorrected root", adam(start, gradients, *given, hat=True)
    elif family == "momentum":
        mu = tested.get("momentum", 0.9)
        look = bool(tested.get("nesterov", "nesterov" in type(tested.optimizer).__name__.lower()))
        kind = "Nesterov's momentum" if look else "momentum"
        yield kind, momentum(start, gradients, lr, mu, look)
        yield f"{kind}, lr times a sum of gradients", momentum(start, gradients, lr, mu, look, after=True)
        yield f"{kind}, of a mean of gradients", momentum(start, gradients, lr, mu, look, share=1 - mu)
    else:
        yield "plain gradient descent", descent(start, gradients, lr)
        yield from _of_squares(tested, start, gradients, np.sqrt)


def _of_squares(
    tested: OptimizerUnderTest, start: Array, gradients: Array, root: Callable[[Array], Array]
) -> Iterator[tuple[str, list[Array]]]:
    """w <- w - lr g / (sqrt(h) + eps), with h the sum of squares (AdaGrad) or their running mean (RMSprop)."""
    lr, given = tested.get("lr", LR), tested.get("eps", None)
    rho = next(
        (getattr(tested.optimizer, n) for n in ("rho", "decay_rate", "gamma") if hasattr(tested.optimizer, n)), None
    )
    squares = np.cumsum(gradients**2, axis=0)
    if rho is not None:
        h, squares = np.zeros_like(start), np.zeros_like(gradients)
        for k, g in enumerate(gradients):
            h = rho * h + (1 - rho) * g * g
            squares[k] = h
    for eps in [given] if given is not None else [1e-7, 1e-8, 1e-10, 1e-6, 1e-5]:
        name = "AdaGrad" if rho is None else "RMSprop"
        yield name, list(start - lr * np.cumsum(gradients / (root(squares) + eps), axis=0))


def _wrong(
    family: str, tested: OptimizerUnderTest, start: Array, gradients: Array
) -> Iterator[tuple[str, list[Array], str, str]]:
    lr = tested.get("lr", LR)
    if family == "Adam":
        b1, b2, eps = tested.get("beta1", 0.9), tested.get("beta2", 0.999), tested.get("eps", 1e-8)
        given = start, gradients, lr, b1, b2, eps
        fix = "m / (1 - beta1**t), v / (1 - beta2**t)"
        yield "no-bias-correction", adam(*given, corrected=False), "m and v are not corrected for their start at 0", fix
        for clock in (lambda t: 1, lambda t: 0, lambda t: t - 1, lambda t: t + 1):
            why = f"t does not count the steps 1, 2, 3, ...: here it is {clock(1)}, {clock(2)}, {clock(3)}, ..."
            yield "t-not-advanced", adam(*given, clock=clock), why, "self.t += 1 at the start of every step"
        yield "eps-inside-root", adam(*given, inside=True), "eps stands inside the root", "sqrt(v) + eps"
        yield "betas-swapped", adam(start, gradients, lr, b2, b1, eps), "beta1 and beta2 are exchanged", "m has beta1"
        for square in (lambda g: g, np.abs):
            why = "v is a mean of the gradient, not of its square"
            yield "v-not-squared", adam(*given, square=square), why, "v = beta2 * v + (1 - beta2) * g**2"
        yield "no-root", adam(*given, root=lambda v: v), "the root of v is missing", "np.sqrt(v)"
        for clock in (lambda t: t, lambda t: 1):
            why = "m and v start at 0 in every step: they are forgotten"
            yield "state-not-kept", adam(*given, kept=False, clock=clock), why, "self.m, self.v"
        yield "state-not-kept", adam(*given, kept=False, corrected=False), "m and v are forgotten", "self.m, self.v"
    if family == "momentum":
        mu = tested.get("momentum", 0.9)
        for look in (False, True):
            flipped = momentum(start, gradients, lr, -mu, look)
            yield "momentum-sign", flipped, "the velocity is taken with the wrong sign", "v = momentum * v - lr * g"
        forgotten = "the velocity is not kept from step to step: this is plain descent"
        for scale in (1.0, 1 - mu, 1 + mu):
            yield "state-not-kept", descent(start, gradients, lr * scale), forgotten, "self.v = ..."
        wrong = list(
            start + np.cumsum(lr * np.diff(momentum(start, gradients, lr, mu), axis=0, prepend=start[None]), 0)
        )
        yield "lr-twice", wrong, "the learning rate is in the velocity and in the step", "lr once"
    if family == "descent":
        for name, wrong in _of_squares(tested, start, gradients, lambda h: h):
            yield "no-root", wrong, f"{name} without the root of the squares", "np.sqrt(h) + eps"
    for scale, text in ((2.0, "twice"), (0.5, "half")):
        code = "factor-2" if scale == 2 else "factor-half"
        right = next(path for _, path in _right(family, tested, start, gradients))
        wrong = list(start + scale * (np.array(right) - start))
        yield code, wrong, f"every step is {text} as long as it should be", ""


def _decay(cls: type, options: dict[str, Any], family: str, start: Array, gradients: Array, report: Report) -> None:
    """With weight decay, where the class has it: decoupled, or a term in the gradient; but downwards."""
    name = next((n for n in DECAY if n in inspect.signature(cls).parameters), None)
    if name is None:
        return
    rate = 0.01
    tested = OptimizerUnderTest(cls, {**options, name: rate}, start)
    decayed = np.ones(6)  # 0 for what is not decayed: b, the last two
    decayed[4:] = getattr(tested.optimizer, "decay_biases", True)
    path = [tested.step(gradient) for gradient in gradients]
    gradients = np.array([clipped(gradient, tested) for gradient in gradients])  # first, then comes the decay
    unclipped = {name: value for name, value in options.items() if name != "clip_norm"}
    lr = tested.get("lr", LR)
    for sign in (1, -1):
        coupled, decoupled = [OptimizerUnderTest(cls, unclipped, start) for _ in range(2)]
        one, two = [], []
        for gradient in gradients:
            here = coupled.model.params if coupled.own_style else coupled.params["W"]
            one.append(coupled.step(gradient + sign * rate * decayed * here))
            w = decoupled.model.params if decoupled.own_style else decoupled.params["W"]
            w *= 1 - sign * lr * rate * decayed
            two.append(decoupled.step(gradient))
        for kind, wanted in (("coupled", one), ("decoupled", two)):
            if same(np.array(path), np.array(wanted)):
                if sign < 0:
                    why = "weight decay makes the weights grow: its sign is wrong"
                    report.finding = Finding("decay-sign", cls.__name__, why, "w -= lr * weight_decay * w")
                elif kind == "coupled" and family == "Adam":
                    report.notes.append(
                        "weight decay is part of the gradient (L2): in Adam that decays large gradients less; AdamW "
                        "takes it beside the step"
                    )
                return
    report.finding = Finding(
        "unknown", cls.__name__, f"with {name}={rate} this is neither decay beside the step nor in the gradient"
    )
