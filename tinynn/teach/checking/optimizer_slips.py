"""The slips of optimizers. One entry is one slip: its name, the family, where it leads, both formulas, a sentence.

`wrong_paths` tries them in this order. To add a slip, add an entry here, and an example to the zoo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...checks import Array
from .optimizer_rules import Given, adam, descent, momentum, of_squares, right_paths, settings


@dataclass(frozen=True)
class OptimizerSlip:
    """One slip: `path` is where it leads, `wrong` what the code computes, `right` what it should."""

    code: str
    family: str
    path: Callable[[Given], Array | tuple[Array, ...]]  # several where the rule has several conventions
    wrong: str
    right: str
    said: str  # one sentence, which the first entry of a code says for all
    more: str = ""


def per_tensor(given: Given) -> Callable[[int], Array]:
    """t where it is advanced once for each tensor: 1, 2 in the first step, 3, 4 in the second."""
    tensor = np.zeros(len(given.start), int) if given.tensor is None else given.tensor
    K = int(tensor.max()) + 1
    return lambda t: (t - 1) * K + tensor + 1


def one_for_all(rule: Callable[[Given], Array], given: Given) -> Array:
    """Where a rule leads whose state is one for all tensors: each step works on what the tensor before has left."""
    tensor = np.zeros(len(given.start), int) if given.tensor is None else given.tensor
    K, T = int(tensor.max()) + 1, len(given.gradients)
    size = len(tensor) // K
    if K * size != len(tensor) or K == 1:
        return np.full((T, len(tensor)), np.nan)
    lined = given.gradients.reshape(T * K, size)  # one tensor after the other, as the state sees them
    alone = replace(given, start=np.zeros(size), gradients=lined, lr=np.repeat(given.lr, K))
    moved = np.diff(rule(alone), axis=0, prepend=0).reshape(T, K * size)
    return given.start + np.cumsum(moved, axis=0)


def _velocity_twice(given: Given) -> Array:
    """w + v_new + mu v_old, and the like: the velocity is taken twice in a look ahead."""
    return given.start + 2 * (momentum(given, look=True) - given.start)


def _from_new(given: Given) -> Array:
    """w + mu^2 v - (1 + mu) lr g with the v that has the new gradient in it already."""
    v, mu = np.zeros_like(given.start), given.mu or 0.0
    w, path = given.start.copy(), []
    for lr, g in zip(given.lr, given.gradients):
        v = mu * v - lr * g
        w = w + mu * mu * v - (1 + mu) * lr * g
        path.append(w)
    return np.array(path)


def _look(given: Given, old: float, new: float) -> Array:
    """w + old v_old + new v_new."""
    v, mu = np.zeros_like(given.start), given.mu or 0.0
    w, path = given.start.copy(), []
    for lr, g in zip(given.lr, given.gradients):
        before, v = v, mu * v - lr * g
        w = w + old * before + new * v
        path.append(w)
    return np.array(path)


def _climbing(given: Given) -> Array:
    """v = mu v + lr g;  w <- w + mu v - lr g: the velocity goes uphill."""
    downhill = momentum(given) - given.start  # v = mu v - lr g, added up
    return given.start - _mu(given) * downhill + descent(given) - given.start


def _lr_twice(given: Given) -> Array:
    moved = np.diff(momentum(given), axis=0, prepend=given.start[None])
    return given.start + np.cumsum(given.lr[:, None] * moved, axis=0)


def _scaled(given: Given, factor: Callable[[Given], float]) -> Array:
    return given.start + factor(given) * (descent(given) - given.start)


def _mu(given: Given) -> float:
    return given.mu or 0.0


def _swapped(given: Given) -> Given:
    """With beta2 in place of beta1."""
    return replace(given, beta1=given.beta2, beta2=given.beta1)


def _others(given: Given) -> Given:
    """With 1 - beta in place of beta."""
    return replace(given, beta1=1 - (given.beta1 or 0.0), beta2=1 - (given.beta2 or 0.0))


def _minus(given: Given, look: bool) -> Array:
    """With -mu in place of mu."""
    return momentum(replace(given, mu=-_mu(given)), look=look)


def _hats(given: Given, **slip: Any) -> tuple[Array, Array]:
    """Adam with a slip, in both of its conventions."""
    return adam(given, **slip), adam(given, hat=True, **slip)


def _roots(given: Given, **slip: Any) -> tuple[Array, Array]:
    """RMSProp and AdaGrad with a slip, eps beside the root and inside."""
    return of_squares(given, **slip), of_squares(given, inside=True, **slip)


M, N_, R, A, D = "momentum", "nesterov", "rmsprop", "adam", "adagrad"
CLIMBS, LOOKS = "v = mu * v + lr * g;  w + mu * v - lr * g", "v = mu * v - lr * g;  w + mu * v - lr * g"
TWICE = "the state is added to itself: += where = belongs"
CORRECT = "m / (1 - beta1**t), v / (1 - beta2**t)"
SLIPS: tuple[OptimizerSlip, ...] = (
    # --- Adam ---
    OptimizerSlip("no-bias-correction", A, lambda g: adam(g, corrected=(False, False)), "m, v", CORRECT,
                  "m and v are not corrected for their start at 0"),
    OptimizerSlip("half-corrected", A, lambda g: adam(g, corrected=(True, False)), "m / (1 - beta1**t), v", CORRECT,
                  "m is corrected for its start at 0, v is not"),
    OptimizerSlip("half-corrected", A, lambda g: adam(g, corrected=(False, True)), "m, v / (1 - beta2**t)", CORRECT,
                  "v is corrected for its start at 0, m is not"),
    OptimizerSlip("correction-multiplied", A, lambda g: adam(g, multiplied=True), "m * (1 - beta1**t)", CORRECT,
                  "the means are multiplied by the correction in place of divided"),
    OptimizerSlip("corrected-twice", A, lambda g: adam(g, twice=True), "lr * sqrt(1 - beta2**t) / (1 - beta1**t), too",
                  CORRECT, "the correction is in the means and in the learning rate"),
    OptimizerSlip("t-per-tensor", A, lambda g: _hats(g, clock=per_tensor(g)), "self.t += 1 for each tensor",
                  "self.t += 1 once, before the loop over the tensors",
                  "t is advanced for each tensor, not once for each step",
                  ": 1, 2 in the first step, 3, 4 in the next"),
    OptimizerSlip("t-not-advanced", A, lambda g: _hats(g, clock=lambda t: 1), "1 - beta1, 1 - beta2",
                  "self.t += 1 at the start of every step",
                  "t does not count the steps 1, 2, 3, ...",
                  ": here it is 1, 1, 1, ..., or the betas stand without **t"),
    OptimizerSlip("t-not-advanced", A, lambda g: _hats(g, clock=lambda t: 0), "1 - beta1**0 = 0",
                  "self.t += 1 at the start of every step",
                  "t does not count the steps 1, 2, 3, ...", ": here it is 0, 0, 0, ..., a division by 0"),
    OptimizerSlip("t-not-advanced", A, lambda g: _hats(g, clock=lambda t: t - 1), "t = 0, 1, 2, ...",
                  "self.t += 1 at the start of every step",
                  "t does not count the steps 1, 2, 3, ...",
                  ": here it is 0, 1, 2, ..., and the first a division by 0"),
    OptimizerSlip("t-not-advanced", A, lambda g: _hats(g, clock=lambda t: t + 1), "t = 2, 3, 4, ...",
                  "self.t += 1 at the start of every step",
                  "t does not count the steps 1, 2, 3, ...", ": here it is 2, 3, 4, ..."),
    OptimizerSlip("eps-inside-root", A, lambda g: adam(g, inside=True), "sqrt(v + eps)", "sqrt(v) + eps",
                  "eps stands inside the root"),
    OptimizerSlip("betas-swapped", A, lambda g: _hats(_swapped(g)), "m with beta2, v with beta1",
                  "m with beta1, v with beta2", "beta1 and beta2 are exchanged"),
    OptimizerSlip("weights-swapped", A, lambda g: _hats(_others(g)), "(1 - beta) * m + beta * g",
                  "beta * m + (1 - beta) * g", "the weights of the old and of the new are exchanged in m and v"),
    OptimizerSlip("v-not-squared", A, lambda g: _hats(g, square=lambda a: a), "beta2 * v + (1 - beta2) * g",
                  "beta2 * v + (1 - beta2) * g**2", "v is a mean of the gradient, not of its square"),
    OptimizerSlip("v-not-squared", A, lambda g: _hats(g, square=np.abs), "beta2 * v + (1 - beta2) * abs(g)",
                  "beta2 * v + (1 - beta2) * g**2", "v is a mean of the gradient's size, not of its square"),
    OptimizerSlip("no-root", A, lambda g: _hats(g, root=lambda v: v), "v + eps", "np.sqrt(v) + eps",
                  "the root of v is missing"),
    OptimizerSlip("corrected-stored", A, lambda g: adam(g, stored=True), "self.m = self.m / (1 - beta1**t)",
                  "m = self.m / (1 - beta1**t), and self.m stays", "the corrected means are kept in place of m and v"),
    OptimizerSlip("gradient-not-weighted", A, lambda g: _hats(g, weights=(1.0, 1.0)), "beta * m + g",
                  "beta * m + (1 - beta) * g", "the new gradient has the weight 1 in m and v, not 1 - beta"),
    OptimizerSlip("state-not-kept", A, lambda g: _hats(g, kept=False), "m = v = 0 in every step", "self.m, self.v",
                  "what should be kept from step to step is not", ": m and v start at 0 in every step"),
    OptimizerSlip("state-not-kept", A, lambda g: _hats(g, kept=False, clock=lambda t: 1), "m = v = 0 in every step",
                  "self.m, self.v", "m, v and t start anew in every step: they are forgotten"),
    OptimizerSlip("state-not-kept", A, lambda g: adam(g, kept=False, corrected=(False, False)),
                  "m = v = 0 in every step", "self.m, self.v", "m and v are forgotten"),
    OptimizerSlip("beta1-decays", A, lambda g: adam(g, fading=1 - 1e-8), "beta1 * (1 - 1e-8)**(t - 1)", "beta1",
                  "beta1 becomes smaller with every step, as in the paper's first version",
                  ": the one that is in use has no such decay. Goldens of the two differ in the eighth digit"),
    OptimizerSlip("one-state-for-all", A, lambda g: one_for_all(lambda one: adam(one), g), "self.m, self.v",
                  "self.m[key], self.v[key]", "all tensors share one m and one v"),
    # --- momentum ---
    OptimizerSlip("momentum-sign", M, lambda g: _minus(g, False), "-momentum * v", "v = momentum * v - lr * g",
                  "the velocity is taken with the wrong sign"),
    OptimizerSlip("momentum-sign", M, lambda g: _minus(g, True), "-momentum * v", "v = momentum * v - lr * g",
                  "the velocity is taken with the wrong sign"),
    OptimizerSlip("state-not-kept", M, descent, "v = -lr * g", "self.v = momentum * self.v - lr * g",
                  "the velocity is not kept from step to step", ": this is plain descent"),
    OptimizerSlip("state-not-kept", M, lambda g: _scaled(g, lambda h: 1 - _mu(h)), "v = (1 - momentum) * g",
                  "self.v = ...", "the velocity is not kept from step to step", ": this is plain descent"),
    OptimizerSlip("state-not-kept", M, lambda g: _scaled(g, lambda h: 1 + _mu(h)), "v = (1 + momentum) * g",
                  "self.v = ...", "the velocity is not kept from step to step", ": this is plain descent"),
    OptimizerSlip("lr-twice", M, _lr_twice, "v = mu * v - lr * g;  w += lr * v", "lr once",
                  "the learning rate is in the velocity and in the step"),
    OptimizerSlip("velocity-never-fades", M, lambda g: momentum(g, share=_mu(g), keep=1.0, after=True),
                  "v + momentum * g", "momentum * v + g", "momentum multiplies the gradient; the velocity never fades"),
    OptimizerSlip("velocity-never-fades", M, lambda g: momentum(g, keep=1.0), "v - lr * g", "momentum * v - lr * g",
                  "the velocity is kept whole: it never fades"),
    OptimizerSlip("velocity-never-fades", M, lambda g: momentum(g, share=1 - _mu(g), keep=1.0),
                  "v - (1 - momentum) * g", "momentum * v + (1 - momentum) * g",
                  "the velocity is kept whole: it never fades"),
    OptimizerSlip("weights-swapped", M, lambda g: momentum(g, share=_mu(g), keep=1 - _mu(g)),
                  "(1 - momentum) * v + momentum * g", "momentum * v + (1 - momentum) * g",
                  "the weights of the old velocity and of the gradient are exchanged"),
    OptimizerSlip("velocity-sign", M, _climbing, CLIMBS, LOOKS, "the velocity is made with + lr * g: it goes uphill"),
    OptimizerSlip("state-added-twice", M, lambda g: momentum(g, keep=1 + _mu(g)), "v += momentum * v - lr * g",
                  "v = momentum * v - lr * g", TWICE),
    OptimizerSlip("one-state-for-all", M, lambda g: one_for_all(momentum, g), "self.v", "self.v[key]",
                  "all tensors share one velocity"),
    OptimizerSlip("one-state-for-all", M, lambda g: one_for_all(lambda one: momentum(one, after=True), g), "self.v",
                  "self.v[key]", "all tensors share one velocity"),
    # --- Nesterov: v <- mu v - lr g;  w <- w + mu v - lr g ---
    OptimizerSlip("nesterov-is-momentum", N_, momentum, "w + v", "w + mu * v - lr * g, v the new one",
                  "this is plain momentum: there is no look ahead"),
    OptimizerSlip("nesterov-is-momentum", N_, lambda g: momentum(g, after=True), "w - lr * v",
                  "w - lr * (g + mu * v), v the new one", "this is plain momentum: there is no look ahead"),
    OptimizerSlip("nesterov-from-new", N_, _from_new, "w + mu**2 * v - (1 + mu) * lr * g, v the new one",
                  "the same with the old v, or w + mu * v - lr * g with the new one",
                  "the step is written for the old velocity, and is given the new one"),
    OptimizerSlip("nesterov-sign", N_, lambda g: _look(g, _mu(g), 1 + _mu(g)), "w + mu * v_old + (1 + mu) * v",
                  "w - mu * v_old + (1 + mu) * v", "the old velocity is added, and should be subtracted"),
    OptimizerSlip("nesterov-sign", N_, lambda g: _look(g, -2 * _mu(g), 1.0), "w - mu * v_old - lr * g",
                  "w + mu * v - lr * g", "mu v has the wrong sign"),
    OptimizerSlip("velocity-sign", N_, _climbing, CLIMBS, LOOKS, "the velocity is made with + lr * g: it goes uphill"),
    OptimizerSlip("velocity-twice", N_, _velocity_twice, "2 * (mu * v - lr * g)", "mu * v - lr * g",
                  "the step is taken twice"),
    OptimizerSlip("velocity-twice", N_, lambda g: _look(g, 0.0, 1 + _mu(g)), "w + mu * v + v", "w + mu * v - lr * g",
                  "the new velocity is added once whole and once times mu"),
    OptimizerSlip("state-not-kept", N_, descent, "v = -lr * g", "self.v = ...",
                  "the velocity is not kept from step to step", ": this is plain descent"),
    OptimizerSlip("state-not-kept", N_, lambda g: _scaled(g, lambda h: 1 + _mu(h)), "v = -lr * g", "self.v = ...",
                  "the velocity is not kept from step to step", ": this is plain descent"),
    # --- RMSProp and AdaGrad: w <- w - lr g / (sqrt(h) + eps) ---
    OptimizerSlip("no-root", R, lambda g: of_squares(g, root=lambda h: h), "h + eps", "np.sqrt(h) + eps",
                  "the root of the squares is missing"),
    OptimizerSlip("weights-swapped", R, lambda g: _roots(g, old=1 - (g.rho or 0), new=g.rho or 0),
                  "(1 - rho) * h + rho * g**2", "rho * h + (1 - rho) * g**2",
                  "the weights of the old mean and of the new square are exchanged"),
    OptimizerSlip("v-not-squared", R, lambda g: _roots(g, square=np.abs), "rho * h + (1 - rho) * abs(g)",
                  "rho * h + (1 - rho) * g**2", "h is a mean of the gradient's size, not of its square"),
    OptimizerSlip("v-not-squared", R, lambda g: _roots(g, square=lambda a: a), "rho * h + (1 - rho) * g",
                  "rho * h + (1 - rho) * g**2", "h is a mean of the gradient, not of its square"),
    OptimizerSlip("gradient-not-weighted", R, lambda g: _roots(g, new=1.0), "rho * h + g**2",
                  "rho * h + (1 - rho) * g**2", "the new square has the weight 1, not 1 - rho"),
    OptimizerSlip("state-added-twice", R, lambda g: _roots(g, old=1 + (g.rho or 0)), "h += rho * h + (1 - rho) * g**2",
                  "h = rho * h + (1 - rho) * g**2", TWICE),
    OptimizerSlip("state-not-kept", R, lambda g: _roots(g, kept=False), "(1 - rho) * g**2",
                  "self.h = rho * self.h + (1 - rho) * g**2", "h starts at 0 in every step: it is forgotten"),
    OptimizerSlip("old-squares", R, lambda g: _roots(g, late=True), "sqrt(h) + eps, h without this g",
                  "first h = ..., then the step", "the step divides by h as it was before this gradient"),
    OptimizerSlip("one-state-for-all", R, lambda g: one_for_all(of_squares, g), "self.h", "self.h[key]",
                  "all tensors share one h"),
    OptimizerSlip("no-root", D, lambda g: of_squares(g, sums=True, root=lambda h: h), "h + eps", "np.sqrt(h) + eps",
                  "the root of the sum of squares is missing"),
    OptimizerSlip("v-not-squared", D, lambda g: _roots(g, sums=True, square=np.abs), "h + abs(g)", "h + g**2",
                  "h is a sum of the gradient's size, not of its square"),
    OptimizerSlip("state-not-kept", D, lambda g: _roots(g, sums=True, kept=False), "h = g**2", "h += g**2",
                  "the squares are not added up from step to step"),
    OptimizerSlip("old-squares", D, lambda g: _roots(g, sums=True, late=True), "sqrt(h) + eps, h without this g",
                  "first h += g**2, then the step", "the step divides by h as it was before this gradient"),
    OptimizerSlip("one-state-for-all", D, lambda g: one_for_all(lambda one: of_squares(one, sums=True), g), "self.h",
                  "self.h[key]", "all tensors share one h"),
)  # fmt: skip


def sentences() -> dict[str, str]:
    """What each slip is, by its code."""
    return {slip.code: slip.said for slip in reversed(SLIPS)}


def wrong_paths(family: str, given: Given) -> Iterator[tuple[str, Array, str, str]]:
    """(code, path, why, fix) of every slip of a family; last, a step that is twice or half as long."""
    for slip in SLIPS:
        if slip.family == family:
            why = f"{slip.said}{slip.more}. The code computes {slip.wrong}; right is {slip.right}"
            for one in settings(family, given):
                paths = slip.path(one)
                for path in paths if isinstance(paths, tuple) else (paths,):
                    yield slip.code, path, why, slip.right
    for scale, code, text in ((2.0, "factor-2", "twice"), (0.5, "factor-half", "half")):
        for name, path, _ in right_paths(family, given):
            yield code, given.start + scale * (path - given.start), f"every step is {text} that of {name}", ""
