"""The doctor for losses: first what the loss computes, then whether its gradient is that loss's.

A gradient check is blind to a loss that is wrong and true to itself, such as a softmax over the wrong axis. So a
cross-entropy's value is compared with the right one, and where it differs with what the classic slips give. Then dy is
measured, and where it is wrong compared with the classic wrong gradients. As for layers: a name for an exact match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ... import checks
from ...checks import Array
from . import measure
from .copies import LossUnderTest
from .finite import not_finite
from .layer_doctor import FULL, close, raised, ratio
from .report import Finding, Row
from .side_effects import EXACT, same


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
        form = _wrong_form(tested, y, t, rng)
        why = f"dy must have y's shape {y.shape}, not {np.shape(dy)}"
        return None, form or Finding("raises", tested.where, why, "one gradient for each prediction"), True
    dy = np.array(dy, float)
    exact = measure.complex_works(lambda a: tested.value(a, t), y, np.random.default_rng(1))
    n, wrong = _measured(tested, y, t, dy, exact, rng)
    if wrong and exact and _central_agrees(tested, y, t, dy, n):
        exact = False
        n, wrong = _measured(tested, y, t, dy, exact, rng)
    row = _row(tested.where, dy, n, wrong)
    found = _wrong_form(tested, y, t, rng)
    if wrong and (found is None or found.code in ("sum-not-mean", "mean-over-classes")):
        gradient = _wrong_gradient(tested, y, t, dy, n, exact, rng)
        found = found if found and gradient.code == "factor" else gradient
    if found is None and is_classification(y, t):
        found = _extremes(tested, t, y.shape[1])
    return row, found, exact


def _method(error: Exception) -> str:
    """The method of the learner's that raised."""
    frame, name = error.__traceback__, "forward"
    while frame is not None:
        if frame.tb_frame.f_code.co_name in ("compute", "forward", "backward"):
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
    index = tuple(int(i) for i in np.unravel_index(int(np.nanargmax(np.abs(dy - n))), dy.shape))
    central = measure.entry(lambda a: tested.value(a, t), y, index, False)
    return bool(10 * abs(central - dy[index]) < abs(n[index] - dy[index]))


def _row(where: str, dy: Array, n: Array, wrong: bool) -> Row:
    index = np.unravel_index(int(np.nanargmax(np.abs(dy - n))), dy.shape) if np.isfinite(dy - n).any() else (0, 0)
    scale = max(float(np.nanmax(np.abs(n), initial=0)), float(np.abs(dy).max(initial=0))) or 1.0
    place = "[" + ", ".join(str(int(i)) for i in index) + "]"
    error = abs(float(dy[index] - n[index])) / scale
    return Row(where, "dy", place, float(dy[index]), float(n[index]), error, "wrong" if wrong else "ok")


# --- what the loss computes -------------------------------------------------------------------------------------------


def softmax(y: Array, axis: int | None = 1) -> Array:
    """e^y / sum e^y along `axis`; None: over everything."""
    e = np.exp(y - y.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def is_classification(y: Array, t: Array) -> bool:
    """Labels, or rows of probabilities."""
    if t.ndim == 1 and t.dtype.kind in "iu":
        return True
    return t.shape == y.shape and bool(np.allclose(t.sum(axis=1), 1) and (t >= 0).all()) and y.shape[1] > 1


def one_hot(t: Array, C: int) -> Array:
    """Labels as rows; rows of probabilities are themselves."""
    return np.eye(C)[t] if t.ndim == 1 else t


def _probe(t: Array, n: int, C: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Scores and targets of the kind of t, of other sizes."""
    y = rng.normal(0, 2, (n, C))
    if t.ndim == 1:
        return y, np.concatenate([np.arange(min(n, C)), rng.integers(0, C, max(n - C, 0))])[:n].astype(t.dtype)
    if np.isin(t, (0.0, 1.0)).all():
        return y, np.eye(C)[np.arange(n) % C]
    soft = rng.random((n, C)) + 0.01
    return y, soft / soft.sum(axis=1, keepdims=True)


def _wrong_form(tested: LossUnderTest, y: Array, t: Array, rng: np.random.Generator) -> Finding | None:
    """A loss whose value is that of a classic slip; None for a right one, and for one that is not known."""
    if is_classification(y, t):
        return _wrong_cross_entropy(tested, y, t, rng)
    pairs = (y.shape[1] == 1) and t.size == y.size
    if pairs and len(y) > 1:
        value = _value(tested, y, t)
        squares = (y.reshape(-1, 1) - t.reshape(1, -1)) ** 2
        if value is not None and not close(squares.mean(), ((y.ravel() - t.ravel()) ** 2).mean()):
            for c in (1, 0.5, len(y), len(y) / 2, len(y) ** 2, len(y) ** 2 / 2):
                if close(value, c * squares.mean()):
                    why = (
                        f"y - t has been broadcast to all {len(y)} x {len(y)} pairs: y is {y.shape} and t {t.shape}; "
                        f"the loss compares every prediction with every target. Here {value:.6g}."
                    )
                    return Finding("all-pairs", tested.where, why, "t = t.reshape(y.shape)")
    return None


def _value(tested: LossUnderTest, y: Array, t: Array) -> float | None:
    """The loss where it can be had."""
    try:
        value = tested.both(y.copy(), t)[0]
        return float(value)
    except Exception:
        return None


def _wrong_cross_entropy(tested: LossUnderTest, y: Array, t: Array, rng: np.random.Generator) -> Finding | None:
    n, C = 7, y.shape[1]
    y1, t1 = _probe(t, n, C, rng)
    value = _value(tested, y1, t1)
    if value is None:  # a loss of a fixed batch: the given one must do
        y1, t1, n = y, t, len(y)
        value = _value(tested, y1, t1)
        if value is None:
            return None
    Y = one_hot(t1, C)
    right = float((np.log(np.exp(y1 - y1.max(1, keepdims=True)).sum(1)) + y1.max(1) - (Y * y1).sum(1)).mean())
    eps = _eps_inside(tested, t, C)
    if eps is not None and _is_log_of(value, eps, y1, Y):
        tail = np.zeros((1, C))  # where eps is most of p + eps, the two gradients are far apart
        tail[0, 0], label = -np.log(eps) + 5, np.array([1]) if t.ndim == 1 else np.eye(C)[[1]]
        dy, measured = _both_gradients(tested, tail, label.astype(t.dtype))
        own = dy is not None and measured is not None and same(dy, measured, 1e-3)
        code = "eps-in-loss" if own else "eps-in-log"
        where = "the logarithm, but not in the gradient" if code == "eps-in-log" else "the logarithm"
        why = (
            f"{eps:.3g} stands inside {where}: -log p of a row with p = 4e-18 is {-np.log(eps + 4.2e-18):.4g} and "
            "should be 40: a confident mistake costs too little."
        )
        return Finding(code, tested.where, why, "log-sum-exp: log(sum(exp(y - max))) + max - y[t] needs no eps")
    if close(value, right) or abs(value - right) < 1e-12:
        return None
    for code, wrong, why, fix in _wrong_values(y1, t1, Y, n, C, right):
        if abs(value - wrong) <= EXACT * abs(value):
            return Finding(
                code, tested.where, f"{why}. On a batch of {n} it gives {value:.6g}, right is {right:.6g}", fix
            )
    return None


def _wrong_values(y: Array, t: Array, Y: Array, n: int, C: int, right: float) -> Iterator[tuple[str, float, str, str]]:
    """What a cross-entropy with one of the classic slips would give."""
    with np.errstate(all="ignore"):
        yield "sum-not-mean", right * n, "the loss sums over the rows: its gradient grows with the batch", "mean()"
        yield "mean-over-classes", right / C, f"it averages over the {C} classes, too (np.mean of all)", "sum / n"
        for base, name in ((2, "log2"), (10, "log10")):
            yield "log-not-natural", right / np.log(base), f"the logarithm is {name}", "np.log"
        log_p = np.log(softmax(y))
        for axis, code, said in (
            (0, "softmax-over-batch", "softmax runs down the batch (axis 0), not along each row"),
            (None, "softmax-over-all", "softmax divides by the sum over the whole batch"),
        ):
            wrong = -(Y * np.log(softmax(y, axis))).sum(1)
            yield code, wrong.mean(), said, "softmax with axis=1, keepdims=True"
            yield code, wrong.sum(), said, "softmax with axis=1, keepdims=True"
        twice = -(Y * np.log(softmax(softmax(y)))).sum(1)
        yield "softmax-twice", twice.mean(), "softmax is taken of what is softmax already", "take it once"
        yield "softmax-twice", twice.sum(), "softmax is taken of what is softmax already", "take it once"
        for shift in range(1, C):
            shifted = -(np.roll(Y, shift, axis=1) * log_p).sum(1).mean()
            said = f"the labels are shifted by {shift if shift <= C // 2 else shift - C}: it scores another class"
            yield "labels-shifted-loss", shifted, said, "labels count from 0"
        if t.ndim == 1:
            pairs = -log_p[:, t]
            said = "p[:, t] picks every label for every row, n x n numbers, not one for each row"
            for wrong in (pairs.mean(), pairs.sum() / n, pairs.sum()):
                yield "all-pairs", wrong, said, "p[np.arange(n), t]"


def _eps_inside(tested: LossUnderTest, t: Array, C: int) -> float | None:
    """The eps in log(p + eps), or the clip of p, from rows that are 30 to 40 below the best; None for none."""
    if C < 2:
        return None
    found = []
    for tail in (30.0, 35.0, 40.0):
        y = np.zeros((1, C))
        y[0, 2:] = -60.0
        y[0, 0] = tail
        label = np.array([1]) if t.ndim == 1 else np.eye(C)[[1]]
        value = _value(tested, y, label.astype(t.dtype))
        if value is None or not np.isfinite(value):
            return None
        p = np.exp(-tail) / (1 + np.exp(-tail))
        found.append((float(np.exp(-value)), p))
    plus = [q - p for q, p in found]
    if min(plus) > 1e-17 and max(plus) - min(plus) <= 1e-3 * max(plus):
        return plus[-1]
    clipped = [q for q, _ in found]
    if clipped[-1] > 1e-16 and close(clipped[-1], clipped[-2]):
        return clipped[-1]
    return None


def _is_log_of(value: float, eps: float, y: Array, Y: Array) -> bool:
    """Whether eps explains an ordinary batch's value, too."""
    p = softmax(y)
    for inside in (p + eps, np.clip(p, eps, 1), np.clip(p, eps, 1 - eps)):
        with np.errstate(all="ignore"):
            loss = -(Y * np.log(inside)).sum(1)
        if any(abs(value - wrong) <= 1e-8 * abs(value) for wrong in (loss.mean(), loss.sum())):
            return True
    return False


def _both_gradients(tested: LossUnderTest, y: Array, t: Array) -> tuple[Array | None, Array | None]:
    try:
        dy = np.array(tested.both(y.copy(), t)[1], float)
        exact = measure.complex_works(lambda a: tested.value(a, t), y, np.random.default_rng(1))
        return dy, measure.gradient(lambda a: tested.value(a, t), y, exact)
    except Exception:
        return None, None


def _extremes(tested: LossUnderTest, t: Array, C: int) -> Finding | None:
    """A cross-entropy that is right for small scores and not finite for large ones."""
    y, label = np.zeros((1, C)), (np.array([0]) if t.ndim == 1 else np.eye(C)[[0]]).astype(t.dtype)
    if C < 2 or not close(_value(tested, y, label) or 0, np.log(C)):
        return None
    fix = "log-sum-exp: m = y.max(axis=1); log(sum(exp(y - m))) + m - y[t]"
    y = np.full((1, C), 1000.0)
    y[0, 0] = 1001.0
    label = (np.array([0]) if t.ndim == 1 else np.eye(C)[[0]]).astype(t.dtype)
    value = _value(tested, y, label)
    if value is None or not np.isfinite(value):
        why = f"exp(1001) overflows: for scores of 1000 the loss is {value}. The row's maximum must be taken off first"
        return Finding("no-max-subtraction", tested.where, why, fix)
    y[0] = -2000.0
    y[0, 1] = 0.0
    value = _value(tested, y, label)
    if value is None or not np.isfinite(value):
        why = f"p rounds to 0 for a score 2000 below the best, and log(0) makes the loss {value}, where 2000 is right"
        return Finding("log-of-zero", tested.where, why, fix)
    return None


# --- its gradient -----------------------------------------------------------------------------------------------------


def _wrong_gradient(
    tested: LossUnderTest, y: Array, t: Array, dy: Array, n: Array, exact: bool, rng: np.random.Generator
) -> Finding:
    """The name of a wrong dy."""
    index = np.unravel_index(int(np.nanargmax(np.abs(dy - n))), dy.shape)
    place = ", ".join(str(int(i)) for i in index)
    worked = f"At dy[{place}] the code gives {dy[index]:.6g}, measured is {n[index]:.6g}."
    known = np.isfinite(n)
    if not dy.any() and n[known].any():
        return Finding("never-written", tested.where, f"dy is 0 everywhere. {worked}", "return the gradient")
    c = ratio(dy, n)
    if c is not None:
        return _named_ratio(tested, y, t, c, worked, rng)
    if is_classification(y, t):
        N, C = y.shape
        p, Y = softmax(y), one_hot(t, y.shape[1])
        for code, wrong, used in _wrong_cross_entropy_gradients(p, Y, C):
            scale = float(np.vdot(wrong, dy) / (np.vdot(wrong, wrong) or 1))
            if scale and same(dy, scale * wrong):
                times = "" if close(scale, 1 / N) else f", times {scale * N:.4g}" if not close(scale, 1) else ""
                why = f"dy is computed as {used}{times}, and should be (p - t) / n, t one-hot. {worked}"
                return Finding(code, tested.where, why, "dy = p; dy[rows, t] -= 1; dy /= n")
    elif t.shape == y.shape and np.isin(t, (0, 1)).all():
        p = 1 / (1 + np.exp(-y))
        for code, wrong, used in (
            ("derivative-twice", (p - t) * p * (1 - p), "(p - t) p (1 - p): the sigmoid's derivative twice"),
            ("dL-dp", (p - t) / (p * (1 - p)), "dL/dp: the sigmoid's own derivative is missing"),
            ("no-minus-one", p, "p: t is not subtracted"),
        ):
            scale = float(np.vdot(wrong, dy) / (np.vdot(wrong, wrong) or 1))
            if scale and same(dy, scale * wrong):
                why = f"dy is computed as {used}, and should be p - t, p the sigmoid of y. {worked}"
                return Finding(code, tested.where, why, "dy = (p - t) / y.size")
    wrong_rows = np.flatnonzero((known & (np.abs(dy - n) > 1e-6 * np.nanmax(np.abs(n)))).any(axis=1))
    pattern = f"Wrong rows: {', '.join(map(str, wrong_rows[:8]))}{' ...' if len(wrong_rows) > 8 else ''}."
    why = f"dy is not the gradient of the loss, and none of the known slips gives these numbers. {pattern} {worked}"
    return Finding("unknown", tested.where, why)


def _wrong_cross_entropy_gradients(p: Array, Y: Array, C: int) -> Iterator[tuple[str, Array, str]]:
    with np.errstate(all="ignore"):
        yield "no-minus-one", p, "p / n: the 1 at the label is not subtracted"
        yield "dL-dp", np.where(Y > 0, -Y / p, 0), "-t / p / n: that is dL/dp, the softmax's own derivative is missing"
        yield "diagonal-only", -(1 - p) * Y, "-(1 - p) t / n: only the diagonal of the softmax's derivative"
        yield "derivative-twice", (p - Y) * p * (1 - p), "(p - t) p (1 - p) / n: the softmax's derivative twice"
        for shift in range(1, C):
            yield "labels-shifted", p - np.roll(Y, shift, axis=1), f"p - t with the labels shifted by {shift}"


def _named_ratio(tested: LossUnderTest, y: Array, t: Array, c: float, worked: str, rng: np.random.Generator) -> Finding:
    """Where a constant factor comes from: measured again with other numbers of rows and columns."""
    factors: dict[tuple[int, int], float] = {}
    C = y.shape[1]
    for n, width in ((7, C), (5, C), (7, C + 1), (7, C + 2)):
        found = _ratio_at(tested, y, t, n, width, rng)
        if found is not None:
            factors[n, width] = found

    def follows(law: Callable[[int, int], float]) -> bool:
        sizes = {(len(y), C): c, **factors}
        return all(close(value, law(*size)) for size, value in sizes.items())

    named: list[tuple[str, Callable[[int, int], float], str, str]] = [
        ("sign", lambda n, D: -1, "dy has the wrong sign: it points uphill", "y - t, not t - y"),
        ("factor-2", lambda n, D: 2, "dy is twice what it should be", "take the 2 out, or the 1/2 out of the loss"),
        (
            "factor-half",
            lambda n, D: 0.5,
            "dy is half of what it should be",
            "the derivative of (y - t)^2 is 2 (y - t)",
        ),
        ("missing-1/n", lambda n, D: n, "the loss is a mean over the n rows, dy is not divided by n", "dy /= n"),
        ("divided-by-n-twice", lambda n, D: 1 / n, "dy is divided by n once too often", "divide once"),
        (
            "rows-not-elements",
            lambda n, D: D,
            "the loss averages over all n x D elements, dy over the n rows",
            "/ y.size",
        ),
        (
            "elements-not-rows",
            lambda n, D: 1 / D,
            "the loss averages over the n rows, dy over all elements",
            "/ len(y)",
        ),
        (
            "missing-1/n",
            lambda n, D: n * D,
            "the loss is a mean over n x D elements, dy is not divided",
            "dy /= y.size",
        ),
    ]
    for code, law, said, fix in named:
        if follows(law):
            return Finding(code, tested.where, f"{said}: a factor of {c:.6g} here. {worked}", fix)
    origin = ""
    for number, text in ((1, ""), (2, "2 "), (0.5, "1/2 "), (-1, "-1 "), (-2, "-2 "), (-0.5, "-1/2 ")):
        for p, q in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)):
            if follows(lambda n, D: number * float(n) ** p * float(D) ** q):  # noqa: B023 (used at once)
                powers = "".join(f"{name}^{power} " for name, power in (("n", p), ("D", q)) if power)
                origin = f" That is {text}{powers}with n rows and D columns.".replace("^1 ", " ")
    why = f"dy is {c:.6g} times the gradient of the loss, everywhere.{origin} {worked}"
    return Finding("factor", tested.where, why, "look for that factor in dy")


def _ratio_at(tested: LossUnderTest, y: Array, t: Array, n: int, C: int, rng: np.random.Generator) -> float | None:
    """dy against its measured value on a probe of other sizes, where the loss takes it."""
    if is_classification(y, t):
        y1, t1 = _probe(t, n, C, rng)
    else:
        per_target = y.shape[1] // max(t.shape[1], 1) if t.ndim == 2 else 0
        if t.ndim != 2 or t.shape[1] * per_target != y.shape[1]:
            return None
        y1, t1 = rng.normal(size=(n, C * per_target)), rng.normal(size=(n, C))
    dy, measured = _both_gradients(tested, y1, t1)
    if dy is None or measured is None or dy.shape != measured.shape:
        return None
    return ratio(dy, measured)
