"""Which norm a layer computes, from its forward alone: the axes, the groups, mean square or variance, where eps is.

    y = g (x - mean) / sqrt(var + eps) + b

With g = 1 and b = 0 what is left is x - mean (or x) over a divisor s that all numbers of one statistic share. So
s = (x - mean) / y is known, and s^2 - var is eps, to all digits, where it is the same everywhere. x is the doctor's
own, of another size in each row and channel: no two norms then agree.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ....checks import Array
from ..measure import same
from .probed import Probed


@dataclass
class Norm:
    """What a layer divides by, and over which numbers it is taken."""

    axes: tuple[int, ...]  # of x
    groups: int  # of the channels; 1 for none
    channels: int  # the axis of x that is in groups
    centred: bool  # x - mean is divided, not x
    of: str  # "var", "var, n - 1", "mean square" or "sum of squares"
    root: str  # "sqrt(v + eps)", "sqrt(v) + eps", "v + eps" or "sqrt(sqrt(v) + eps)"
    eps: float
    around: bool = False  # y = x + norm(x)

    def mean(self, a: Array) -> Array:
        """The mean over the numbers of a statistic, in a's shape."""
        shape, axes = a.shape, self.axes
        if self.groups > 1:
            k = self.channels
            shape = (*shape[:k], self.groups, shape[k] // self.groups, *shape[k + 1 :])
            axes = tuple(axis if axis < k else axis + 1 for axis in axes)
        means = a.reshape(shape).mean(axis=axes, keepdims=True)
        return np.asarray(np.broadcast_to(means, shape).reshape(a.shape))

    def divisor(self, x: Array) -> Array:
        """What each number is divided by, in x's shape."""
        v = self.mean((x - self.mean(x)) ** 2 if self.of.startswith("var") else x**2)
        m = self.count(x.shape)
        v = v * {"var, n - 1": m / (m - 1), "sum of squares": m}.get(self.of, 1)
        return np.asarray(ROOTS[self.root](v, self.eps))

    def count(self, shape: tuple[int, ...]) -> int:
        """How many numbers a statistic has."""
        m = int(np.prod([shape[axis] for axis in self.axes]))
        return m // self.groups if self.channels in self.axes else m

    @property
    def formula(self) -> str:
        """As it is written."""
        divisor = self.root.replace("v", {"var": "var", "var, n - 1": "var_1"}.get(self.of, f"({self.of})"))
        divisor = divisor.replace("eps", f"{self.eps:.4g}") if self.eps else divisor.replace(" + eps", "")
        divisor = divisor if "(" in divisor and divisor.endswith(")") else f"({divisor})"
        return f"{'(x - mean)' if self.centred else 'x'} / {divisor}"

    @property
    def over(self) -> str:
        """The axes in words."""
        axes = [str(axis) for axis in self.axes]
        said = f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(axes[:-1])} and {axes[-1]}"
        return f"{said} of x" + (f", axis {self.channels} in {self.groups} groups" if self.groups > 1 else "")


def recognized(probed: Probed) -> Norm | None:
    """The norm that the layer's forward is, to 1e-9; None for another layer, or where x has too few numbers."""
    if probed.x.shape != probed.y.shape or probed.x.ndim > 4 or probed.x.size > 20_000:
        return None
    xs = [_generic(probed.rng, probed.x.shape) for _ in range(3)]
    changed = plain(probed, xs[0])
    if changed is None:
        return None
    pairs = [(x, probed.tested.forward(x, changed)) for x in xs]
    if any(np.abs(y).max() > 1e3 or not np.isfinite(y).all() for _, y in pairs):
        return None
    for view, centred, around in itertools.product(_views(probed.x.shape), (True, False), (False, True)):
        found = _fits([(x, y - x) for x, y in pairs] if around else pairs, *view, centred)
        if found:
            found.around = around
            return found
    return None


def channels_mixed(probed: Probed) -> Norm | None:
    """A norm over the rows of x.reshape(-1, C), where C is the length of axis 1 and not of the last."""
    shape = probed.x.shape
    if len(shape) < 3 or shape[1] in (1, shape[-1]) or shape != probed.y.shape:
        return None
    xs = [_generic(probed.rng, shape) for _ in range(3)]
    changed = plain(probed, xs[0])
    if changed is None:
        return None
    rows = [(x.reshape(-1, shape[1]), probed.tested.forward(x, changed).reshape(-1, shape[1])) for x in xs]
    return _fits(rows, rows[0][0].shape, (0,), 1, 1, True)


def _generic(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Numbers of another size and another mean in each row and in each place of every axis."""
    x = rng.normal(size=shape)
    for axis in range(len(shape)):
        along = [1] * len(shape)
        along[axis] = shape[axis]
        x = x * np.exp(rng.normal(0, 0.4, along)) + rng.normal(0, 0.5, along)
    return np.asarray(x)


def plain(probed: Probed, x: Array) -> dict[str, Array] | None:
    """Values of the parameters with which nothing is scaled or shifted; None where one of them does something else."""
    tested, y = probed.tested, probed.tested.forward(x)
    changed: dict[str, Array] = {}
    for name in tested.names:
        if same(tested.forward(x, {name: tested.value(name) + 1}) - y, np.ones(y.shape), 1e-8):
            changed[name] = np.zeros(tested.value(name).shape)
    y = tested.forward(x, changed)
    for name in tested.names:
        if name not in changed:
            value = tested.value(name)
            off, three = (tested.forward(x, {**changed, name: k * value}) for k in (0, 3))
            if not same(three - off, 3 * (y - off), 1e-8):
                return None
            changed[name] = np.ones(value.shape)
    return changed


def scale_and_shift(probed: Probed) -> tuple[str, str]:
    """The names of the parameters that multiply and that are added; empty for none."""
    changed = plain(probed, _generic(probed.rng, probed.x.shape)) or {}
    names = [[name for name, value in changed.items() if bool(value.any()) is scale] for scale in (True, False)]
    return names[0][0] if names[0] else "", names[1][0] if names[1] else ""


def _views(shape: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], int, int]]:
    """(x's shape with the groups as an axis, the axes of a statistic in it, groups, the axis that is split)."""
    for count in range(1, len(shape) + 1):
        for axes in itertools.combinations(range(len(shape)), count):
            yield shape, axes, 1, len(shape) - 1
    for split in {1, len(shape) - 1}:
        for groups in range(2, shape[split]):
            if shape[split] % groups == 0:
                inner = (*shape[:split], groups, shape[split] // groups, *shape[split + 1 :])
                others = [axis for axis in range(len(inner)) if axis not in (split, split + 1)]
                for count in range(len(others) + 1):
                    for some in itertools.combinations(others, count):
                        yield inner, (*some, split + 1), groups, split


def _fits(
    pairs: list[tuple[Array, Array]],
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    groups: int,
    split: int,
    centred: bool,
) -> Norm | None:
    """The norm over these axes, if y is one."""
    m = int(np.prod([shape[axis] for axis in axes]))
    if m < 2:
        return None
    divisors, variances, squares = [], [], []
    for x, y in pairs:
        x, y = x.reshape(shape), y.reshape(shape)
        centre = x - x.mean(axis=axes, keepdims=True)
        top = centre if centred else x
        largest = np.abs(top) == np.abs(top).max(axis=axes, keepdims=True)
        with np.errstate(all="ignore"):
            s = np.where(largest, top / y, -np.inf).max(axis=axes, keepdims=True)
        if not (np.isfinite(s).all() and same(y, top / s)):
            return None
        divisors.append(s.ravel())
        variances.append((centre**2).mean(axis=axes).ravel())
        squares.append((x**2).mean(axis=axes).ravel())
    s, var, square = map(np.concatenate, (divisors, variances, squares))
    of_what = {"var": var, "var, n - 1": var * m / (m - 1), "mean square": square, "sum of squares": m * square}
    for (of, v), root in itertools.product(of_what.items(), ROOTS):
        eps = float(np.median(UNDONE[root](s, v)))
        eps = 0.0 if abs(eps) < 1e-13 * float(v.max()) else eps
        if 0 <= eps < 0.2 and same(s, ROOTS[root](v, eps)):
            axes_of_x = tuple(sorted(axis if axis <= split or groups == 1 else axis - 1 for axis in axes))
            return Norm(axes_of_x, groups, split, centred, of, root, eps)
    return None


ROOTS = {
    "sqrt(v + eps)": lambda v, eps: np.sqrt(v + eps),
    "sqrt(v) + eps": lambda v, eps: np.sqrt(v) + eps,
    "v + eps": lambda v, eps: v + eps,
    "sqrt(sqrt(v) + eps)": lambda v, eps: np.sqrt(np.sqrt(v) + eps),
}
UNDONE = {  # eps of s and v
    "sqrt(v + eps)": lambda s, v: s**2 - v,
    "sqrt(v) + eps": lambda s, v: s - np.sqrt(v),
    "v + eps": lambda s, v: s - v,
    "sqrt(sqrt(v) + eps)": lambda s, v: s**2 - np.sqrt(v),
}
