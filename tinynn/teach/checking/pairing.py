"""Which numbers of an object its output depends on, and where their gradients are.

Nothing is taken for right that was not looked at. So every array that can be reached from the object is nudged: does y
change? What moves y must have a gradient: one that is named after it (W and dW, params["W1"] and grads["W1"],
weights[0] and dweights[0], layers[0].W and layers[0].dW), one that backward returns, or one whose numbers prove it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...checks import Array
from .copies import deep_copy
from .leaves import HELD, RETURNED, USUAL, Leaf, Path, leaves, written
from .names import is_kept, plain

BEFORE = ("d", "g", "grad", "grads", "gradient", "delta", "dl", "dld", "dj", "djd", "de", "ded", "nabla", "deriv")
BEHIND = ("grad", "grads", "gradient", "gradients", "delta", "deriv")
OF_ALL = ("grads", "grad", "gradients", "gradient", "dparams", "deltas")  # a container of gradients, or a .grad
VALUES = ("data", "value", "val")  # an array that has its gradient beside it as .grad


def movers(thing: Any, run: Callable[[Any], Array], known: Callable[[Leaf], bool] = lambda leaf: False) -> list[Leaf]:
    """The leaves that y depends on: y = run(a copy) is another one when they are nudged. Those `known` are left out."""
    return moving(thing, [leaf for leaf in leaves(thing) if not known(leaf)], run)


def moving(thing: Any, waiting: list[Leaf], run: Callable[[Any], Array]) -> list[Leaf]:
    """Those of some leaves that y depends on."""
    y = run(deep_copy(thing)) if waiting else np.zeros(0)
    return [leaf for leaf in waiting if any(_moves(thing, leaf, run, y, seed) for seed in (1, 2))]


def _moves(thing: Any, leaf: Leaf, run: Callable[[Any], Array], y: Array, seed: int) -> bool:
    nudged, value = deep_copy(thing), np.asarray(leaf.value)
    size = 1 + np.abs(value)
    try:
        leaf.write(nudged, (value + size * np.random.default_rng(seed).normal(size=value.shape)).astype(float))
        other = run(nudged)
    except Exception:  # numbers that cannot be others, such as sizes: they are not learned
        return False
    return np.shape(other) != y.shape or not np.array_equal(other, y, equal_nan=True)


def constant(leaf: Leaf, thing: Any) -> bool:
    """Whether a leaf that moves y is not learned: it is read-only, not among `parameters`, or an unusual number."""
    declared = getattr(thing, "parameters", None)
    if isinstance(declared, list | tuple) and declared and all(isinstance(name, str) for name in declared):
        return leaf.paths[0][0][1] not in declared and leaf.name not in declared
    if isinstance(leaf.value, np.ndarray) and leaf.value.ndim:
        return not leaf.value.flags.writeable or (leaf.value.dtype.kind in "iu" and not usual(leaf))
    return not usual(leaf)


def usual(leaf: Leaf) -> bool:
    """Whether a name is one that parameters mostly have: W, b, W1, weights, gamma, also as params["W1"]."""
    names = [str(key) for kind, key in leaf.paths[0] if isinstance(key, str)]
    return bool(names) and plain(names[-1]).rstrip("0123456789") in USUAL


def idle(thing: Any, moving: list[Leaf]) -> list[Leaf]:
    """Arrays with the name of a parameter that do not move y: this x, or dead units, may hide that they should."""
    names, arrays = {leaf.name for leaf in moving}, [leaf for leaf in leaves(thing) if np.ndim(leaf.value)]
    found = [leaf for leaf in arrays if usual(leaf) and leaf.name not in names and not constant(leaf, thing)]
    found = [leaf for leaf in found if not any(names_gradient(other, leaf) for other in arrays)]  # grads["W"]
    own = [str(leaf.paths[0][-1][1]) for leaf in moving]
    return [leaf for leaf in found if not is_kept([str(key) for _, key in leaf.paths[0] if key != "thing"], own)]


def pair(
    parameters: list[Leaf], after: Any, returned: Any, slope: Callable[[Leaf, Array], float] | None = None
) -> list[str]:
    """Give each parameter the path of its gradient; the names of those for which none was found.

    `after` is the object and `returned` what backward gave, after one step; slope(leaf, u) measures the derivative of L
    along u. A gradient that has the right name is the gradient, right or wrong. Others must be proved by their numbers.
    """
    own = {path for leaf in parameters for path in leaf.paths}
    candidates = [leaf for leaf in leaves(after) if leaf.paths[0] not in own]
    taken_back = getattr(after, "taken_back", {})
    if returned is not None:
        candidates += leaves(returned, (RETURNED,))
    missing = []
    for leaf in parameters:
        if written(leaf.paths[0]) in taken_back:
            leaf.gradient = (("attribute", "taken_back"), ("item", written(leaf.paths[0])))
            continue
        shape = np.shape(leaf.value)
        named = [c for c in candidates if names_gradient(leaf, c)]
        if hasattr(after, "taken_back"):  # a View: what backward returns is what the learner goes on with
            named = [c for c in named if any(path[0] == ("attribute", "grads") for path in c.paths)] or named
        named.sort(key=lambda c: np.shape(c.value) != shape)
        if not named and isinstance(returned, tuple | list):
            alike = [c for c in candidates if c.paths[0][0] == RETURNED and np.shape(c.value) == shape]
            named = alike if len(alike) == sum(np.shape(other.value) == shape for other in parameters) == 1 else []
        proved = [c for c in named or candidates if slope and np.shape(c.value) == shape and _proved(leaf, c, slope)]
        for choice in (proved, named):
            if choice and leaf.gradient is None:
                leaf.gradient = choice[0].paths[0]
        if leaf.gradient is None:
            missing.append(leaf.name)
    left = [c for c in candidates if c.paths[0][0] == RETURNED and np.ndim(c.value) == 0]
    for leaf in [leaf for leaf in parameters if leaf.name in missing and np.ndim(leaf.value) and slope]:
        found = next((c for c in left if slope and is_total(leaf, c, slope)), None)
        if found is not None:
            leaf.gradient = found.paths[0]
            missing.remove(leaf.name)
    return missing


def is_total(leaf: Leaf, number: Leaf, slope: Callable[[Leaf, Array], float]) -> bool:
    """Whether a number is the sum of a parameter's whole gradient: a bias whose sum has no axis=0."""
    shape = np.shape(leaf.value)
    total, other = slope(leaf, np.ones(shape)), slope(leaf, np.random.default_rng(5).normal(size=shape))
    size = max(abs(total), abs(other))  # of softmax and cross-entropy, the total is 0
    return bool(abs(total - float(number.value)) <= 1e-5 * size)


def _proved(leaf: Leaf, candidate: Leaf, slope: Callable[[Leaf, Array], float]) -> bool:
    """Whether a candidate agrees with the measured derivative along two random directions."""
    gradient, rng = np.asarray(candidate.value, float), np.random.default_rng(5)
    length = np.linalg.norm(gradient)
    if not length or not np.isfinite(length):
        return False
    for _ in range(2):
        u = rng.normal(size=gradient.shape)
        if not abs((u * gradient).sum() - slope(leaf, u)) <= 1e-5 * length:
            return False
    return True


def names_gradient(parameter: Leaf, gradient: Leaf) -> bool:
    """Whether the second has the name of the gradient of the first."""
    return any(_named(p, g) for p in parameter.paths for g in gradient.paths)


def _named(parameter: Path, gradient: Path) -> bool:
    """Whether the second path is the name of the gradient of what stands at the first."""
    p, g = ([key for _, key in path[path[0] == HELD :]] for path in (parameter, gradient))
    if gradient[0] == RETURNED:
        g = ["grads", *(key for kind, key in gradient[1:] if isinstance(key, str))]  # a place in a tuple is no name
    if len(g) == len(p) + 1 and plain(g[0]) in OF_ALL:  # W and grads["W"] or grads["dW"]
        return all(a == b or means(b, a) for a, b in zip(p, g[1:]))
    if len(g) != len(p) or g == p:
        return False
    last = len(p) - 1
    return all(
        a == b or means(b, a) or (plain(b) in OF_ALL and (k < last or plain(a) in VALUES))
        for k, (a, b) in enumerate(zip(p, g))
    )


def means(gradient: Any, parameter: Any) -> bool:
    """dW, grad_W, W_grad and the like, for W; weight_gradients for weights."""
    if not isinstance(gradient, str) or not isinstance(parameter, str):
        return False
    g, p = plain(gradient), plain(parameter)
    forms = {p, p.removesuffix("s"), p.removesuffix("es")}  # weights, biases
    forms |= {p[0]} if p in ("weight", "weights", "bias", "biases") else set()  # dw, db of them
    return g in {word + form for word in BEFORE for form in forms} | {form + word for word in BEHIND for form in forms}
