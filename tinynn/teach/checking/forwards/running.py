"""Running statistics of a batch norm: what is kept in training, and what use makes of it.

    in training   r <- a r + c s         s: the batch's mean, or its variance
    in use        y = g (x - r_mean) / sqrt(r_var + eps) + b

The kept arrays are filled with random numbers, so that a and c are two unknowns of many equations. (From a start of 0
and 1, half of the slips look right.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....checks import Array
from ..measure import same
from ..report import Finding
from ..under_test import quiet
from .norm_names import family_of
from .norms import Norm, recognized, scale_and_shift
from .probed import Probed

WORDS = {"var": "variance", "std": "deviation", "var n / (n - 1)": "variance", "1 / std": "inverse of the deviation"}


@dataclass
class Kept:
    """One array that training keeps: r <- old r + new s."""

    name: str
    of: str  # what s is: "mean", "var", "var, n - 1", "std", ...
    old: float
    new: float

    def __str__(self) -> str:
        return f"{self.name} = {self.old:.6g} {self.name} + {self.new:.6g} of the batch's {self.word}"

    @property
    def word(self) -> str:
        """What is kept, in words."""
        return WORDS.get(self.of, self.of)


def running_statistics(probed: Probed) -> Finding | None:
    """Slips in the running statistics of a batch norm whose y in training is right.

    Said only of a layer that keeps arrays in `buffers` and is a norm over the batch, by its numbers or its name. The
    momentum's convention, whose share it is, and the divisor n or n - 1 differ from framework to framework: no slip.
    """
    layer = probed.tested.original
    if not layer.buffers or probed.n < 2 or probed.x.ndim < 2:
        return None
    norm = recognized(probed)
    if norm is None:
        return _not_of_the_batch(probed) if family_of(probed) == "batchnorm" else None
    if 0 not in norm.axes or norm.groups > 1:
        return None
    updates = [kept for kept in (_update(probed, norm, name) for name in layer.buffers) if kept is not None]
    return _in_training(probed, updates) or _in_use(probed, norm, updates)


def _filled(probed: Probed, rng: np.random.Generator) -> Any:
    """A copy whose buffers hold random positive numbers."""
    layer = probed.tested.fresh()
    for name in layer.buffers:
        layer.arrays[name][...] = rng.uniform(0.5, 2, layer.arrays[name].shape)
    return layer


def _not_of_the_batch(probed: Probed) -> Finding | None:
    """Training that normalises by the kept statistics: the batch's own never count."""
    if "frozen" in probed.name:
        return None
    x = probed.x
    changed = probed.mixed(probed.y, probed.tested.forward(probed.other))
    with quiet():
        before, after = (_filled(probed, np.random.default_rng(seed)).forward(x.copy()) for seed in (0, 1))
    if changed or same(before, after):
        return None
    why = (
        f"in training y depends on {' and '.join(probed.tested.original.buffers)}, and row 0 of y does not change when "
        "another row of x is changed: the running statistics are used in place of the batch's"
    )
    return Finding("running-in-training", probed.where, why, "in training, mean and var of x over the batch")


def _update(probed: Probed, norm: Norm, name: str) -> Kept | None:
    """What a forward in training does to one of the kept arrays, to 1e-9; None where it is something else."""
    old, new, batches = [], [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        layer = _filled(probed, rng)
        x = rng.normal(size=probed.x.shape) * rng.uniform(0.5, 2, probed.x.shape[-1:]) + rng.normal()
        before = layer.arrays[name].copy()
        with quiet():
            layer.forward(x.copy())
        if before.size != probed.x.size // int(np.prod([probed.x.shape[axis] for axis in norm.axes])):
            return None
        old.append(before.ravel())
        new.append(layer.arrays[name].ravel().copy())
        batches.append(x)
    r0, r1 = np.concatenate(old), np.concatenate(new)
    for of, s in _statistics(batches, norm).items():
        both = np.stack([r0, s], axis=1)
        (a, c), *_ = np.linalg.lstsq(both, r1, rcond=None)
        if abs(c) > 1e-9 and same(r1, both @ [a, c]):
            return Kept(name, of, float(a), float(c))
    return Kept(name, "", 1.0, 0.0) if same(r1, r0) else None


def _statistics(batches: list[Array], norm: Norm) -> dict[str, Array]:
    """What may be kept of a batch, one number for each feature."""
    axes = norm.axes
    m = int(np.prod([batches[0].shape[axis] for axis in axes]))
    mean = np.concatenate([x.mean(axis=axes).ravel() for x in batches])
    var = np.concatenate([((x - x.mean(axis=axes, keepdims=True)) ** 2).mean(axis=axes).ravel() for x in batches])
    kept = {"mean": mean, "var": var, "std": np.sqrt(var), "1 / std": 1 / np.sqrt(var)}
    kept |= {"var + eps": var + norm.eps, "sqrt(var + eps)": np.sqrt(var + norm.eps)}
    return kept | {"1 / sqrt(var + eps)": 1 / kept["sqrt(var + eps)"], "var n / (n - 1)": var * m / (m - 1)}


def _in_training(probed: Probed, updates: list[Kept]) -> Finding | None:
    """An average that is none: its shares do not add up to 1, or are exchanged in one of two, or leave out the old."""
    momenta = [value for name, value in probed.attributes.items() if "mom" in name.lower()]
    for kept in updates:
        fix = f"{kept.name} = momentum * {kept.name} + (1 - momentum) * {kept.of}"
        if kept.new and abs(kept.old + kept.new - 1) > 1e-6:
            why = f"in training {kept}. The two shares must add up to 1, as those of an average do"
            return Finding("running-shares", probed.where, why, fix)
        if abs(kept.old) < 1e-9 and any(isinstance(m, float) and 0 < m < 1 for m in momenta):
            why = f"in training {kept.name} becomes the {kept.word} of the last batch alone: the momentum is not used"
            return Finding("running-last-batch", probed.where, why, fix)
    if len(updates) == 2 and abs(updates[0].old - updates[1].new) < 1e-6 < abs(updates[0].old - updates[1].old):
        why = f"in training {updates[0]}, and {updates[1]}: in one of them old and new are exchanged"
        return Finding("momentum-exchanged", probed.where, why, "the same momentum in both lines")
    return None


def _in_use(probed: Probed, norm: Norm, updates: list[Kept]) -> Finding | None:
    """What use makes of what is kept: of one mean and one spread, each updated in training."""
    mean, spread = (
        [kept for kept in updates if kept.new and (kept.of == "mean") is is_mean] for is_mean in (True, False)
    )
    if not (len(mean) == len(spread) == 1 and len(updates) == 2):
        return None
    kept, read = spread[0], _read_in_use(probed, norm, spread[0].name)
    if read == "":
        used, alone = probed.tested.fresh()(probed.x.copy())[0], probed.tested.fresh()(probed.x[:1].copy())[0]
        why = (
            f"in use y does not depend on {mean[0].name} and {kept.name}, which training keeps: the statistics are the "
            f"batch's own. layer(x[:1]) is {np.abs(alone - used).max():.3g} away from layer(x)[:1]"
        )
        fix = f"in use: g * (x - {mean[0].name}) / sqrt({kept.name} + eps) + b"
        return Finding("batch-at-use", probed.where, why, fix)
    keeps = "1 / std" if kept.of.startswith("1 /") else "var" if kept.of.startswith("var") else "std"
    if read is None or READS[read] == keeps:
        return None
    divisor = read.replace("r", kept.name) if "sqrt" not in read else read.replace("(r", f"({kept.name}")
    word = WORDS[READS[read]]
    why = f"training keeps the {kept.word} in {kept.name}, and use divides by {divisor}, as is right for the {word}"
    fix = f"keep the variance in {kept.name}, and divide by sqrt({kept.name} + eps)"
    return Finding("std-kept-as-var" if keeps == "std" else "var-for-std", probed.where, why, fix)


READS = {
    "sqrt(r + eps)": "var",
    "sqrt(r) + eps": "var",
    "sqrt(r)": "var",
    "r": "std",
    "r + eps": "std",
    "1 / r": "1 / std",
}


def _read_in_use(probed: Probed, norm: Norm, name: str) -> str | None:
    """What use divides by, r the kept spread: a key of READS; "" where it reads nothing kept, None where unknown."""
    x, (first, second) = probed.x, (_filled(probed, np.random.default_rng(seed)) for seed in (0, 1))
    g, b = scale_and_shift(probed)
    for layer in (first, second):
        for parameter, value in ((g, 1.0), (b, 0.0)):
            if parameter:
                layer.arrays[parameter][...] = value
    with quiet():
        y, other, shifted = (np.array(a) for a in (first(x.copy()), second(x.copy()), first(x + 1)))
    if same(y, other):
        return ""
    r = first.arrays[name].reshape([1 if axis in norm.axes else size for axis, size in enumerate(x.shape)])
    eps = norm.eps
    divisors = np.sqrt(r + eps), np.sqrt(r) + eps, np.sqrt(r), r, r + eps, 1 / r
    slope = shifted - y  # y = (x - r_mean) / divisor
    fits = (read for read, s in zip(READS, divisors) if same(slope, np.broadcast_to(1 / s, x.shape), 1e-8))
    return next(fits, None)
