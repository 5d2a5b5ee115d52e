"""What an optimizer does beside its rule: weight decay, and a learning rate that falls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...checks import Array
from .names import RATE_DECAY, is_decay, plain
from .optimizer_styles import arguments_of
from .optimizer_under_test import OptimizerUnderTest
from .report import Finding
from .small_network import split

RATE = 0.01  # of the weight decay that is tried
LAWS: tuple[tuple[str, Callable[[Array, float], Array]], ...] = (  # of a rate that falls by d; t = 0, 1, 2, ...
    ("lr / (1 + d t), t = 0, 1, 2, ...", lambda t, d: 1 / (1 + d * t)),
    ("lr / (1 + d t), t = 1, 2, 3, ...", lambda t, d: 1 / (1 + d * (t + 1))),
    ("lr d^t, t = 0, 1, 2, ...", lambda t, d: d**t),
    ("lr d^t, t = 1, 2, 3, ...", lambda t, d: d ** (t + 1)),
    ("lr (1 - d)^t, t = 0, 1, 2, ...", lambda t, d: (1 - d) ** t),
    ("lr (1 - d)^t, t = 1, 2, 3, ...", lambda t, d: (1 - d) ** (t + 1)),
    ("lr exp(-d t), t = 0, 1, 2, ...", lambda t, d: np.exp(-d * t)),
    ("lr exp(-d t), t = 1, 2, 3, ...", lambda t, d: np.exp(-d * (t + 1))),
)


def rate_decay_of(thing: Any) -> str | None:
    """The argument by which the learning rate falls: 0 or none where it is not asked for."""
    asked = arguments_of(thing)
    return next((name for name, p in asked.items() if plain(name) in RATE_DECAY and p.default in (0, None)), None)


def rates(tested: OptimizerUnderTest, lr: float, steps: int) -> Iterator[tuple[str, Array]]:
    """(what to say of it, the learning rate of each step): constant, or by one of LAWS where a decay is given."""
    d = next((value for name, value in tested.given.items() if plain(name) in RATE_DECAY and value), None)
    if d is not None and 0 < float(d) < 1:
        for law, factor in LAWS:
            yield f"the learning rate falls: {law}", lr * factor(np.arange(steps), float(d))
    yield "", np.full(steps, lr)


def weight_decay(
    make: Callable[..., OptimizerUnderTest], options: dict[str, Any], family: str | None, gradients: Array, where: str
) -> tuple[Finding | None, str]:
    """With weight decay, where there is one: decoupled, or a term in the gradient; but downwards. And a note."""
    first = make(options)
    name = next(filter(is_decay, arguments_of(first.thing)), None)
    if name is None:
        return None, ""
    tested = make({**options, name: RATE})
    decayed = np.ones(6)  # 0 for what is not decayed: b, the last two
    decayed[4:] = getattr(tested.optimizers[0], "decay_biases", True)
    path = np.array([tested.step(gradient) for gradient in gradients])
    without = make(options)
    if first.get("lr") != 0 and np.array_equal(path, [without.step(gradient) for gradient in gradients]):
        why = f"with {name}={RATE:g} the path is the same as without: weight decay is not used"
        return Finding("decay-ignored", where, why, "w -= lr * weight_decay * w"), ""
    gradients = np.array([clipped(gradient, tested) for gradient in gradients])  # first, then comes the decay
    unclipped = {key: value for key, value in options.items() if key != "clip_norm"}
    lr = float(first.get("lr", 0) or 0)
    for sign in (1, -1):
        for kind, wanted in _decayed(make, unclipped, gradients, sign * RATE * decayed, lr):
            if np.linalg.norm(path - wanted) > 1e-9 * np.linalg.norm(wanted):
                continue
            if sign < 0:
                why = "weight decay makes the weights grow: its sign is wrong"
                return Finding("decay-sign", where, why, "w -= lr * weight_decay * w"), ""
            if kind == "without lr":
                said = f"weight decay is not multiplied by lr: with {name}={RATE:g} all weights lose 1 % in every step"
                return None, said + ", whatever lr is. The AdamW paper writes it so; PyTorch takes lr * weight_decay"
            if kind == "after":
                return None, "weight decay comes after the step: it differs from AdamW's by lr^2 weight_decay u"
            if kind == "coupled" and family in ("adam", "nadam", "adamax"):
                said = "weight decay is part of the gradient (L2): in Adam that decays large gradients less; AdamW "
                return None, said + "takes it beside the step"
            return None, ""
    why = f"with {name}={RATE:g} this is neither decay beside the step nor in the gradient"
    return Finding("unknown", where, why), ""


def _decayed(
    make: Callable[..., OptimizerUnderTest], options: dict[str, Any], gradients: Array, rate: Array, lr: float
) -> Iterator[tuple[str, Array]]:
    """(which, path) of the ways to decay weights, made with the optimizer itself."""

    def shrink(one: OptimizerUnderTest, by: Array) -> None:
        for w, part in zip(one.tensors, split(by, one.shapes)):
            w *= part

    one = make(options)
    yield "coupled", np.array([one.step(gradient + rate * flat(one)) for gradient in gradients])
    for kind, scale in (("decoupled", lr), ("without lr", 1.0)):
        one, path = make(options), []
        for gradient in gradients:
            shrink(one, 1 - scale * rate)
            path.append(one.step(gradient))
        yield kind, np.array(path)
    for kind, scale in (("after", lr), ("without lr", 1.0)):
        one, path = make(options), []
        for gradient in gradients:
            one.step(gradient)
            shrink(one, 1 - scale * rate)
            path.append(flat(one))
        yield kind, np.array(path)


def flat(tested: OptimizerUnderTest) -> Array:
    """All its numbers, as they are."""
    return np.concatenate([np.asarray(w).ravel() for w in tested.tensors])


def clipped(gradient: Array, tested: OptimizerUnderTest) -> Array:
    """The gradient as an optimizer with `clip_norm` uses it: no longer than that."""
    norm, length = getattr(tested.optimizers[0], "clip_norm", None), float(np.linalg.norm(gradient))
    return gradient if norm is None or length <= norm else gradient * (norm / length)
