"""A cross-entropy with a small number in its logarithm, log(p + 1e-8), whose gradient leaves that number out.

The gradient, -t / p or p - t, is that of log p: right but for the number. So the loss is then measured without it. The
eps is found by the loss's value alone: that which explains one batch must explain another one to the last digits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...checks import Array
from ...process import same_chance
from . import measure
from .styles import Whole
from .styles.losses import OVER, targets_like
from .under_test import LossUnderTest, private, quiet

SMALLEST, LARGEST = 1e-16, 1e-4  # that is taken for an eps: a larger one changes the gradient of every row
Formula = Callable[[Array, Array, Any], Any]  # the loss of y, t and eps


def softmax(y: Array) -> Array:
    """Of each row, also of complex numbers."""
    e = np.exp(y - y.real.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(y: Array) -> Array:
    return 1 / (1 + np.exp(-y))


PROBABILITIES: tuple[Callable[[Array], Array], ...] = (lambda y: y, softmax, sigmoid)
LOGARITHMS: tuple[Formula, ...] = (
    lambda p, t, e: -t * np.log(p + e),
    lambda p, t, e: -t * np.log(p + e) - (1 - t) * np.log(1 - p + e),
    lambda p, t, e: -t * np.log(p + e) - (1 - t) * np.log(1 - p),
    lambda p, t, e: -t * np.log(p) - (1 - t) * np.log(1 - p + e),
)


def formulas(probabilities: tuple[Callable[[Array], Array], ...]) -> Iterator[Formula]:
    """Each cross-entropy, of bits or classes, with each mean."""
    for of, each, over in itertools.product(probabilities, LOGARITHMS, OVER.values()):
        yield lambda y, t, e, of=of, each=each, over=over: over(each(of(y), targets_like(y, t), e))  # type: ignore[misc]


class WithoutEps:
    """A loss as it is without its eps, with the gradient that it gives."""

    def __init__(self, loss: Any, formula: Formula, eps: float) -> None:
        self.loss, self.formula, self.eps, self.__name__ = loss, formula, eps, LossUnderTest(loss).where[5:]
        self.on_probabilities = getattr(loss, "on_probabilities", False)

    def forward(self, y: Array, t: Array) -> Any:
        """The value; the loss itself sees real numbers alone."""
        self.dy = None if np.iscomplexobj(y) else LossUnderTest(self.loss, copied=True).computed(y, t)[1]
        return self.formula(y, t, 0.0)

    def backward(self) -> Any:
        """dy of the last forward."""
        return self.dy


def leave_eps_out(loss: Any, y: Array, t: Array) -> tuple[Any, list[str]]:
    """A loss without the eps that its gradient leaves out, and a note on it; any other loss as it is."""
    try:
        tested = LossUnderTest(loss)
        on_probabilities = getattr(tested.loss, "on_probabilities", False)
        far = np.sqrt(y) if on_probabilities else 4 * measure.normal(np.random.default_rng(6), y)
        if all(is_own(tested, a, t) for a in (y, far)):
            return loss, []
        two = (y, far) if on_probabilities else (far, y)  # where p is least, eps can be told best
        pairs = [(a, float(tested.both(a.copy(), t)[0])) for a in two]
        found = formula_of(pairs, t, formulas(PROBABILITIES[:1] if on_probabilities else PROBABILITIES[1:]))
    except Exception:  # its examination says more of it
        found = None
    return (WithoutEps(loss, *found), [said(found[1])]) if found else (loss, [])


def leave_eps_out_of(whole: Whole, x: Array) -> str:
    """The same of a network that is its own loss; what is said of it, or nothing."""
    if not (whole.has_loss and whole.has_output):
        return ""
    tried, t = private("network", whole), whole.memory.t[: len(x)]
    pairs = []
    try:
        for rows in (2 * x, x):
            with quiet(), same_chance():
                tried.shows_output = False
                value = float(tried.forward(rows)[0, 0])
                tried.shows_output = True
                pairs.append((tried.forward(rows), value))
        found = formula_of(pairs, t, formulas(PROBABILITIES))
    except Exception:
        found = None
    if found is None:
        return ""
    formula, eps = found
    whole.rule = "its loss without eps", lambda y, t: formula(y, t, 0.0)
    return said(eps)


def is_own(tested: LossUnderTest, y: Array, t: Array) -> bool:
    """Whether dy is the loss's gradient, along a direction."""
    dy, u = tested.both(y.copy(), t)[1], measure.normal(np.random.default_rng(7), y)
    slope = measure.along(lambda a: tested.value(a, t), y, u, True)
    return not measure.differs(float((u * dy).sum()), slope, float(np.linalg.norm(dy)), True)


def formula_of(pairs: list[tuple[Array, float]], t: Array, among: Iterator[Formula]) -> tuple[Formula, float] | None:
    """The cross-entropy, and the eps in it, that gives the values of the loss at the first and the second y."""
    (first, value), (second, there) = pairs
    with np.errstate(all="ignore"):
        for formula in among:
            eps = solved(lambda e: formula(first, t, e), value)  # noqa: B023 (used at once)
            rounding = 1e-14 * (1 + abs(there))
            without = abs(there - formula(second, t, 0.0)) if eps else 0.0
            if 10 * rounding < without < np.inf and abs(there - formula(second, t, eps)) <= 1e-5 * without + rounding:
                return formula, eps
    return None


def solved(f: Callable[[Any], Any], value: float) -> float:
    """The eps for which a formula gives this value, by Newton's method; 0 where there is no small one."""
    eps = 0.0
    for _ in range(8):
        found = f(eps + 1e-30j)
        eps += float((value - found.real) / (found.imag / 1e-30))
        if not abs(eps) <= LARGEST:
            return 0.0
    return eps if eps >= SMALLEST and abs(f(eps) - value) <= 1e-6 * abs(f(0.0) - value) + 1e-14 * abs(value) else 0.0


def said(eps: float) -> str:
    """What there is to know."""
    inside = f"log(p + {eps:.2g})"
    return (
        f"the loss has {inside}, and its gradient leaves that number out, as most do: measured is the loss without it"
    )
