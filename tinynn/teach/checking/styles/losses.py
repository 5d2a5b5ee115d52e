"""Which loss the gradients of a network are those of, where it does not compute one: found by measuring."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ....checks import Array
from ....process import same_chance
from ..copies import deep_copy
from ..leaves import RETURNED, Leaf, at, leaves
from ..pairing import movers, pair
from ..under_test import private, quiet
from .lines import Lines
from .networks import Whole
from .view import Unknown

Rule = Callable[[Array, Array], Any]


def squares(y: Array, t: Array) -> Array:
    """A row's squares, (N, K)."""
    return (y - t) ** 2


def cross_entropy(p: Array, t: Array) -> Array:
    """-t log p."""
    return -t * np.log(p)


def softmax_cross_entropy(z: Array, t: Array) -> Array:
    """-t log softmax(z)."""
    z = z - z.real.max(axis=1, keepdims=True)
    return -t * (z - np.log(np.exp(z).sum(axis=1, keepdims=True)))


def binary_cross_entropy(p: Array, t: Array) -> Array:
    """-t log p - (1 - t) log(1 - p)."""
    return -t * np.log(p) - (1 - t) * np.log(1 - p)


def sigmoid_cross_entropy(z: Array, t: Array) -> Array:
    """The same of p = sigmoid(z)."""
    return np.log(1 + np.exp(z)) - t * z


OF_ENTRIES: dict[str, Rule] = {
    "cross-entropy": cross_entropy,
    "cross-entropy of softmax(output)": softmax_cross_entropy,
    "binary cross-entropy": binary_cross_entropy,
    "binary cross-entropy of sigmoid(output)": sigmoid_cross_entropy,
    "the squared error": squares,
    "half of the squared error": lambda y, t: squares(y, t) / 2,
}
OVER: dict[str, Callable[[Array], Any]] = {
    "summed over a row, mean over the rows": lambda a: a.sum() / len(a),
    "mean over all entries": lambda a: a.mean(),
    "summed over everything": lambda a: a.sum(),
}


def _rule(of_entries: Rule, over: Callable[[Array], Any]) -> Rule:
    return lambda y, t: over(of_entries(y, t))


RULES = {f"{name}, {how}": _rule(f, over) for name, f in OF_ENTRIES.items() for how, over in OVER.items()}


def targets_like(y: Array, t: Array) -> Array:
    """Targets in the shape of the outputs y: labels one-hot, (N,) as (N, 1)."""
    if t.ndim == 1 and y.ndim == 2 and y.shape[1] > 1 and t.dtype.kind in "iu":
        return np.eye(y.shape[1])[t]
    return np.reshape(t, y.shape)


def find_rule(whole: Whole, x: Array) -> None:
    """Give a network its loss; where what its update takes, as that of Adam, is no gradient, by the gradients' names.

    Raises Unknown where there is none.
    """
    try:
        find_loss(whole, x)
    except Unknown:
        named = not isinstance(whole, Lines) or whole.named.keys() == whole.thing.values.keys()
        if not whole.keeps or not named:
            raise
        whole.by_name = True
        whole.notes = [
            re.sub(r"what is taken from (.*) the gradients", r"the gradients of \1 by name", note)
            for note in whole.notes
        ]
        find_loss(whole, x)


def find_loss(whole: Whole, x: Array) -> None:
    """Give a network the loss that its gradients are those of. Raises Unknown where there is none.

    Each loss that is known here is measured along a random direction of each parameter. The one that agrees with most
    gradients is the network's: a wrong gradient is one that does not fit the others. Of several that agree with equally
    many, it is the one for which the last parameter is right: the way back begins there.
    """
    try:
        measured = _Measured(whole, x)
    except Unknown:
        raise
    except Exception as error:
        if isinstance(whole, Lines):
            raise Unknown(f"{whole.name} stops: {type(error).__name__}: {error}", "see that its lines run") from error
        return  # the examination says where backward fails
    whole.keeps = measured.keeps
    if measured.keeps and whole.adapts and not whole.by_name:
        raise Unknown("its update is no gradient", "give each gradient the name of its parameter, such as dW of W")
    ratios = {name: [measured.ratio(name, leaf) for leaf in measured.moving] for name in RULES}
    best = max(RULES, key=lambda name: (share(ratios[name], 1.0), share(ratios[name][-1:], 1.0)))
    if isinstance(whole, Lines) and whole.loss_name and measured.of_its_own() > share(ratios[best], 1.0):
        whole.is_own, whole.rule = True, (f"{whole.loss_name}, as the lines compute it", RULES[best])
        return
    if not share(ratios[best], 1.0):
        tried = [(name, _round(c)) for name, found in ratios.items() for c in found if c is not None]
        best, c = max(tried, key=lambda pair: _rank(ratios[pair[0]], pair[1]), default=(best, 1.0))
        fitting = share(ratios[best], c)
        alone = measured.of_the_last(ratios) if fitting < 2 and measured.updates else None
        if alone:
            (best, c), fitting = alone, 2
        if fitting < 2 or not measured.updates or c != _round(c, 2):
            raise Unknown(why_not(best, c, fitting), "give check its loss, or write a network with loss(x, t)")
        whole.scale = (
            1.0 if measured.rate_is_known and not measured.keeps else abs(c)
        )  # where c < 0, it climbs: that is what is found then
    rule = RULES[best]
    said = best if whole.scale == 1 else f"{best}, times {whole.scale:.6g}, which may be the learning rate"
    if whole.by_name:
        whole.notes.append(f"the update is not judged, only its gradients: it keeps {', '.join(measured.keeps)}")
    elif measured.updates and measured.keeps:
        kept = ", ".join(measured.keeps)
        whole.notes.append(
            f"the update is not judged beyond its first step: there {kept} are 0, and it is the gradient"
        )
    lines = isinstance(whole, Lines)  # which call them by their own names
    said += _also_fits(ratios, best, [str(leaf.paths[0][-1][1]) if lines else leaf.name for leaf in measured.moving])
    whole.rule = said, lambda y, t: rule(y, targets_like(y, t))


def _also_fits(ratios: dict[str, list[float | None]], best: str, names: list[str]) -> str:
    """Another loss that equally many gradients are those of, and not the same ones: in words."""
    right = {name: [share([c], 1.0) for c in found] for name, found in ratios.items()}
    for name, other in right.items():
        if sum(right[best]) and sum(other) == sum(right[best]) and other != right[best]:
            wrong = ", ".join(f"d{leaf}" for leaf, fits in zip(names, other) if not fits)
            return f"; equally many gradients are those of {name}: if that is meant, {wrong} would be wrong"
    return ""


def _round(c: float, digits: int = 6) -> float:
    return float(f"{c:.{digits}g}")


def _rank(ratios: list[float | None], c: float) -> tuple[int, bool, bool]:
    """Most gradients first, then a factor such as -1, then one that a learning rate may be: 0.01, 0.5."""
    return share(ratios, c), abs(c) == 1, c == _round(c, 2) and abs(c) < 1


def why_not(best: str, c: float, fitting: int) -> str:
    """What can be said of gradients that are those of no known loss."""
    if fitting >= 2 and abs(c + 1) < 1e-5:
        return (
            f"its gradients are -1 times those of the {best}: right where they are added to the parameters, "
            "W += lr * dW, wrong where they are subtracted"
        )
    but = f"; {fitting} of them are {c:.6g} times those of the {best}" if fitting >= 2 else ""
    return f"its gradients are those of none of {len(RULES)} losses, squared error, cross-entropy and their kin{but}"


def share(ratios: list[float | None], scale: float) -> int:
    """How many gradients are `scale` times those of a loss."""
    return sum(c is not None and abs(c - scale) <= 1e-5 * abs(scale) for c in ratios)


class _Measured:
    """One step of a network, and its outputs a little to the sides along a direction of each parameter."""

    def __init__(self, whole: Whole, x: Array) -> None:
        self.t = whole.memory.t[: len(x)]
        whole = private("network", whole)
        whole.shows_output = True

        def run(network: Any) -> Array:
            with quiet(), same_chance():
                return np.array(network.forward(x.copy()))

        self.moving = movers(whole, run)
        after = deep_copy(whole)
        with quiet(), same_chance():
            y = after.forward(x.copy())
            returned = after.backward(np.ones((1, 1)))
        self.t = targets_like(y, self.t)
        pair(self.moving, after, returned)
        self.keeps = after.keeps
        self.updates, self.rate_is_known = bool(after.taken_back) and not after.by_name, after.rate_is_known
        anything = [np.asarray(leaf.value) for leaf in [*leaves(after), *leaves(returned, (RETURNED,))]]
        self.gradients = {
            leaf.name: [np.asarray(at(after, leaf.gradient, returned))] if leaf.gradient else anything
            for leaf in self.moving
        }
        self.whole, self.run = whole, run
        self.look(np.random.default_rng(8))

    def look(self, rng: np.random.Generator) -> None:
        """Outputs to the two sides, along new directions."""
        self.directions: dict[str, Array] = {}
        self.sides: dict[str, list[Array]] = {}
        self.values: dict[str, list[Any]] = {}  # of the loss that lines compute
        for leaf in self.moving:
            value = np.asarray(leaf.value, float)
            u = self.directions[leaf.name] = rng.normal(size=value.shape)
            self.sides[leaf.name], self.values[leaf.name] = [], []
            for h in (1e-6, -1e-6):
                nudged = deep_copy(self.whole)
                leaf.write(nudged, value + h * u)
                self.sides[leaf.name].append(self.run(nudged))
                self.values[leaf.name].append(nudged.own_loss() if isinstance(nudged, Lines) else None)

    def of_the_last(self, ratios: dict[str, list[float | None]]) -> tuple[str, float] | None:
        """The loss that the last matrix alone shows: its gradient is c times that one along three directions."""
        leaf = next((leaf for leaf in self.moving[::-1] if np.ndim(leaf.value) == 2), None)
        last = {name: found[self.moving.index(leaf)] for name, found in ratios.items()} if leaf else {}
        kept = {name: _round(c) for name, c in last.items() if c and _round(c) == _round(c, 2)}
        for seed in (9, 10):
            self.look(np.random.default_rng(seed))
            kept = {name: c for name, c in kept.items() if leaf and share([self.ratio(name, leaf)], c)}
        return max(kept.items(), key=lambda pair: _rank([pair[1]], pair[1]), default=None)

    def slope(self, rule: str, leaf: Leaf) -> float:
        with np.errstate(all="ignore"):
            above, below = (RULES[rule](y, self.t) for y in self.sides[leaf.name])
        return float(above - below) / 2e-6

    def ratio(self, rule: str, leaf: Leaf) -> float | None:
        """What the gradient is in proportion to that of this loss, along one direction; None where it is not known."""
        return self._to(self.slope(rule, leaf), leaf)

    def of_its_own(self) -> int:
        """How many gradients are those of the loss that the lines compute themselves, as with a weight decay in it."""
        sides = {name: pair for name, pair in self.values.items() if all(map(np.isscalar, pair))}
        slopes = {name: float(np.real(above - below)) / 2e-6 for name, (above, below) in sides.items()}
        return share([self._to(slopes[leaf.name], leaf) for leaf in self.moving if leaf.name in slopes], 1.0)

    def _to(self, slope: float, leaf: Leaf) -> float | None:
        u = self.directions[leaf.name]
        like = [a for a in self.gradients[leaf.name] if a.shape == u.shape and np.any(a)]
        found = [float((u * a).sum() / slope) for a in like if slope]
        return min(found, key=lambda c: abs(c - 1), default=None)
