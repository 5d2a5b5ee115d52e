"""The doctor for losses: first what the loss computes, then whether its gradient is that loss's.

A gradient check does not see a wrong loss whose gradient belongs to it, such as a softmax over the wrong axis. So the
value of a cross-entropy is compared with the right one (loss_values.py). Then dy is measured. A wrong dy is compared
with the classic wrong gradients (loss_slips.py), and gets a name for an exact match only.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from ...checks import Array
from . import measure
from .finite import not_finite
from .layer_gradients import FULL
from .loss_gradient import OF_BITS, wrong_gradient
from .loss_values import eps_inside, extremes, is_classification, wrong_form
from .measure import same
from .report import PACKAGE, STABILITY, Finding, Row, place_of, raised, worst_of
from .under_test import LossUnderTest


def examine_loss(
    tested: LossUnderTest, y: Array, t: Array, rng: np.random.Generator
) -> tuple[Row | None, Finding | None, bool]:
    """(the row of dy, what is wrong or None, whether the complex step was used) at predictions y and targets t."""
    kept = y.copy(), t.copy()
    try:
        value, dy = tested.both(y.copy(), t)
        number = np.ndim(value) == 0 and np.isreal(value)
    except Exception as error:
        return None, raised(tested.where, _method(error), error), True
    if dy is None and number and getattr(tested.loss, "backward", None) and hasattr(tested.loss, "raw"):
        return None, wrong_form(tested, y, t, rng) or _value_alone(tested), True
    if not number:
        why = f"the loss must be one number, not {checks.describe(value)}"
        return None, Finding("raises", tested.where, why, "average over the rows"), True
    found = not_finite(tested.where, {"the loss": value, "dy": dy}, lambda: tested.computed(y.copy(), t), {})
    if found:
        return None, found, True
    found = _impure(tested, y, t, value, kept)
    if found:
        return None, found, True
    if np.shape(dy) != y.shape:
        form = wrong_form(tested, y, t, rng)
        why = f"dy must have y's shape {y.shape}, not {np.shape(dy)}"
        return None, form or Finding("raises", tested.where, why, "one gradient for each prediction"), True
    dy = np.array(dy, float)
    exact = measure.complex_works(lambda a: tested.value(a, t), y, np.random.default_rng(1))
    n, wrong = _measured(tested, y, t, dy, exact, rng)
    if wrong and exact and _central_agrees(tested, y, t, dy, n):
        exact = False
        n, wrong = _measured(tested, y, t, dy, exact, rng)
    row = _row(tested.where, dy, n, wrong)
    found = wrong_form(tested, y, t, rng)
    if wrong and (found is None or found.code in ("sum-not-mean", "mean-over-classes")):
        gradient = wrong_gradient(tested, y, t, dy, n, exact, rng)
        found = found if found and gradient.code == "factor" else gradient
    if not wrong and (found is None or found.code in STABILITY):  # these may be no more than a warning
        row, other = _elsewhere(tested, y, t, row, rng)
        found = other or found
    eps = getattr(tested.loss, "eps", None)
    if found is None and isinstance(eps, float) and not tested.loss.on_probabilities and is_classification(y, t):
        found = eps_inside("eps-in-log", tested.where, eps)
    if found is None and is_classification(y, t):
        found = extremes(tested, t, y.shape[1])
    return row, found, exact


def _elsewhere(
    tested: LossUnderTest, y: Array, t: Array, row: Row, rng: np.random.Generator
) -> tuple[Row, Finding | None]:
    """The same at predictions of size 4, where a tail or a margin is seen that the given ones do not reach."""
    if getattr(tested.loss, "on_probabilities", False) or y.size > FULL:
        return row, None
    far = 4 * measure.normal(rng, y)
    try:
        value, dy = tested.both(far.copy(), t)
        dy = np.array(dy, float)
        exact = measure.complex_works(lambda a: tested.value(a, t), far, np.random.default_rng(1))
        n, wrong = _measured(tested, far, t, dy, exact, rng)
        if not wrong or not np.isfinite([float(value), float(np.abs(dy).sum()), float(np.abs(n).sum())]).all():
            return row, None
        if exact and _central_agrees(tested, far, t, dy, n):
            return row, None
        found = wrong_gradient(tested, far, t, dy, n, exact, rng)
    except Exception:  # a loss that takes no such numbers
        return row, None
    found.why = f"At other predictions, of size 4 or so: {found.why}"
    return _row(tested.where, dy, n, True), found


def _value_alone(tested: LossUnderTest) -> Finding:
    """A function that gives no gradient."""
    gradient = tested.loss.functions()[1]
    if gradient is not None:
        why = f"{getattr(gradient, '__name__', 'its gradient')} returns None: there is no gradient to look at"
        return Finding("not-judged", tested.where, why, "return dy")
    why = "it returns the loss alone: there is no gradient to look at"
    return Finding("not-judged", tested.where, why, "give both, such as check_loss((mse, mse_prime), y, t)")


def _method(error: Exception) -> str:
    """The function of the learner's that raised: the last one of the way that is in no package."""
    frame, name = error.__traceback__, "forward"
    while frame is not None:
        file = frame.tb_frame.f_code.co_filename
        if "site-packages" not in file and not file.startswith(PACKAGE):
            name = frame.tb_frame.f_code.co_name
        frame = frame.tb_next
    return name


def _impure(tested: LossUnderTest, y: Array, t: Array, value: float, kept: tuple[Array, Array]) -> Finding | None:
    """A loss that is not the same twice, or writes into what it was given."""
    given, targets = y.copy(), t.copy()
    again, dy = tested.both(given, targets)
    if again != value:
        why = f"two calls on the same y and t give {value:.6g} and {again:.6g}: something is kept, or drawn, inside"
        return Finding("random-forward", tested.where, why, "a loss depends on y and t alone")
    for name, after, before in (("y", given, kept[0]), ("t", targets, kept[1])):
        if not np.array_equal(after, before, equal_nan=True):
            code = "writes-into-x" if name == "y" else "writes-into-t"
            return Finding(code, tested.where, f"the loss changes {name} in place", f"{name} = {name}.copy() first")
    if len(y) > 1 and np.shape(dy) == y.shape:
        dy = np.array(dy)
        tested.both(y[::-1] * 0.9, t[::-1])
        late = np.array(tested.both(y.copy(), t)[1])
        if np.shape(late) == dy.shape and not same(late, dy) and not same(dy, late):
            if same(late, 2 * dy):
                return Finding("accumulates", tested.where, "dy adds up from call to call", "dy = ..., not dy += ...")
            return Finding("stale-cache", tested.where, "backward uses what it remembered from an earlier batch", "")
    return None


def _measured(
    tested: LossUnderTest, y: Array, t: Array, dy: Array, exact: bool, rng: np.random.Generator
) -> tuple[Array, bool]:
    """The measured dy (NaN where a large one was not looked at), and whether the code's differs."""

    def f(a: Array) -> complex:
        return tested.value(a, t)

    # p - t is exact only to the round-off of p: where all is learned and dy is tiny, that is what is left of it.
    floor = 1e-13 * max(1.0, float(np.abs(y).max())) / len(y)
    if y.size <= FULL:
        n = measure.gradient(f, y, exact)
        scale = max(np.abs(dy).max(), np.abs(n).max())
        return n, not bool((np.abs(dy - n) <= measure.TOLERANCE[exact] * 10 * scale + floor).all())
    n, wrong = np.full(y.shape, np.nan), False
    for _ in range(2):
        u = measure.normal(rng, y)
        a, m = float((u * dy).sum()), measure.along(f, y, u, exact)
        scale = max(float(np.linalg.norm(dy)), abs(m)) + floor * np.sqrt(y.size) / measure.TOLERANCE[exact]
        wrong |= measure.differs(a, m, scale, exact)
    looked = {measure.worst_entry(f, y, dy, exact, rng)} if wrong else set()
    for index in {*looked, *measure.sample(dy, 24, rng)}:
        n[index] = measure.entry(f, y, index, exact)
    return n, wrong


def _central_agrees(tested: LossUnderTest, y: Array, t: Array, dy: Array, n: Array) -> bool:
    """Whether a difference is ten times nearer to the code's dy than the complex step is, where that is worst.

    Then the complex step is wrong, by an np.abs in the loss that is of little weight along a random direction. Of a
    wrong dy both are equally far.
    """
    index = worst_of(dy, n)
    central = measure.entry(lambda a: tested.value(a, t), y, index, False)
    return bool(10 * abs(central - dy[index]) < abs(n[index] - dy[index]))


def _row(where: str, dy: Array, n: Array, wrong: bool) -> Row:
    index = worst_of(dy, n) if np.isfinite(dy - n).any() else (0, 0)
    scale = max(float(np.nanmax(np.abs(n), initial=0)), float(np.abs(dy).max(initial=0))) or 1.0
    error = abs(float(dy[index] - n[index])) / scale
    return Row(where, "dy", place_of(index), float(dy[index]), float(n[index]), error, "wrong" if wrong else "ok")


TOGETHER = (
    "the loss gives the gradient before the softmax, p - t, and the layer before it passes that on: together they are "
    "right, each by itself is not"
)


def together(finding: Finding | None, rows: list[Row]) -> bool:
    """Whether p - t of a loss on probabilities comes out right for all parameters of the network before it."""
    twice = finding is not None and finding.code == "softmax-gradient-twice"
    return twice and bool(rows) and all(row.verdict != "wrong" for row in rows)


def alone(finding: Finding | None, row: Row | None) -> Finding | None:
    """Of a loss by itself, p - t for probabilities cannot be judged: it depends on the layer before it."""
    if finding is None or finding.code != "softmax-gradient-twice":
        return finding
    if row is not None:
        row.verdict = "open"
    before, right = ("sigmoid", OF_BITS) if OF_BITS in finding.why else ("softmax", "-t / p")
    why = (
        f"the loss is given probabilities p, and dy is p - t: the gradient before the {before}, where that for p is "
        f"{right}. It is right if the layer before passes it on unchanged, and wrong (softmax-gradient-twice) if that "
        f"multiplies by the derivative of the {before}"
    )
    return Finding("not-judged", finding.where, why, "check the model with it: check(model, x, t, loss)")
