"""What a loss computes, and what it would with one of the classic slips in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...checks import Array
from . import measure
from .measure import EXACT, close
from .report import Finding
from .under_test import LossUnderTest


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


def probe(t: Array, n: int, C: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Scores and targets of the kind of t, of other sizes."""
    y = rng.normal(0, 2, (n, C))
    if t.ndim == 1:
        return y, np.concatenate([np.arange(min(n, C)), rng.integers(0, C, max(n - C, 0))])[:n].astype(t.dtype)
    if np.isin(t, (0.0, 1.0)).all():
        return y, np.eye(C)[np.arange(n) % C]
    soft = rng.random((n, C)) + 0.01
    return y, soft / soft.sum(axis=1, keepdims=True)


def wrong_form(tested: LossUnderTest, y: Array, t: Array, rng: np.random.Generator) -> Finding | None:
    """A loss whose value is that of a classic slip; None for a right one, and for one that is not known."""
    if getattr(tested.loss, "on_probabilities", False):
        return None
    if is_classification(y, t):
        return _wrong_cross_entropy(tested, y, t, rng)
    if t.shape == y.shape and np.isin(t, (0, 1)).all():
        found = _sigmoid_twice(tested, y, t)
        if found:
            return found
    pairs = (y.shape[1] == 1) and t.size == y.size
    if pairs and len(y) > 1:
        value = value_of(tested, y, t)
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


def _sigmoid_twice(tested: LossUnderTest, y: Array, t: Array) -> Finding | None:
    """A cross-entropy of bits that takes the sigmoid of what is a sigmoid's already, or would be if y were."""
    value = value_of(tested, y, t)
    p = 1 / (1 + np.exp(-1 / (1 + np.exp(-y))))
    wrong = -(t * np.log(p) + (1 - t) * np.log(1 - p))
    if value is None or not any(close(value, v) for v in (wrong.mean(), wrong.sum(), wrong.sum() / len(y))):
        return None
    why = "the sigmoid is taken of what is a sigmoid already: p lies between 0.5 and 0.73, whatever the score is"
    return Finding("sigmoid-twice", tested.where, why, "take it once")


def value_of(tested: LossUnderTest, y: Array, t: Array) -> float | None:
    """The loss where it can be had."""
    try:
        value = tested.both(y.copy(), t)[0]
        return float(value)
    except Exception:
        return None


def _wrong_cross_entropy(tested: LossUnderTest, y: Array, t: Array, rng: np.random.Generator) -> Finding | None:
    n, C = 7, y.shape[1]
    y1, t1 = probe(t, n, C, rng)
    value = value_of(tested, y1, t1)
    if value is None:  # a loss of a fixed batch: the given one must do
        y1, t1, n = y, t, len(y)
        value = value_of(tested, y1, t1)
        if value is None:
            return None
    Y = one_hot(t1, C)
    right = float((np.log(np.exp(y1 - y1.max(1, keepdims=True)).sum(1)) + y1.max(1) - (Y * y1).sum(1)).mean())
    eps = _eps_inside(tested, t, C)
    if eps is not None and _is_log_of(value, eps, y1, Y):
        return eps_inside("eps-in-loss", tested.where, eps)
    if close(value, right) or abs(value - right) < 1e-12:
        return None
    for code, wrong, why, fix in _wrong_values(y1, t1, Y, n, C, right):
        if abs(value - wrong) <= EXACT * abs(value):
            return Finding(
                code, tested.where, f"{why}. On a batch of {n} it gives {value:.6g}, right is {right:.6g}", fix
            )
    return None


def eps_inside(code: str, where: str, eps: float) -> Finding:
    """A logarithm with a small number in it, "eps-in-log" where the gradient leaves that out."""
    but = ", but not in the gradient" if code == "eps-in-log" else ""
    why = (
        f"{eps:.3g} stands inside the logarithm{but}: -log p of a row with p = 4e-18 is {-np.log(eps + 4.2e-18):.4g} "
        "and should be 40: a confident mistake costs too little."
    )
    return Finding(code, where, why, "log-sum-exp: log(sum(exp(y - max))) + max - y[t] needs no eps")


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
        value = value_of(tested, y, label.astype(t.dtype))
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


def both_gradients(tested: LossUnderTest, y: Array, t: Array) -> tuple[Array | None, Array | None]:
    try:
        dy = np.array(tested.both(y.copy(), t)[1], float)
        exact = measure.complex_works(lambda a: tested.value(a, t), y, np.random.default_rng(1))
        return dy, measure.gradient(lambda a: tested.value(a, t), y, exact)
    except Exception:
        return None, None


def extremes(tested: LossUnderTest, t: Array, C: int) -> Finding | None:
    """A cross-entropy that is right for small scores and not finite for large ones."""
    y, label = np.zeros((1, C)), (np.array([0]) if t.ndim == 1 else np.eye(C)[[0]]).astype(t.dtype)
    if (
        C < 2
        or getattr(tested.loss, "on_probabilities", False)
        or not close(value_of(tested, y, label) or 0, np.log(C))
    ):
        return None
    fix = "log-sum-exp: m = y.max(axis=1); log(sum(exp(y - m))) + m - y[t]"
    y = np.full((1, C), 1000.0)
    y[0, 0] = 1001.0
    label = (np.array([0]) if t.ndim == 1 else np.eye(C)[[0]]).astype(t.dtype)
    value = value_of(tested, y, label)
    if value is None or not np.isfinite(value):
        why = f"exp(1001) overflows: for scores of 1000 the loss is {value}. Subtract the row's maximum first"
        return Finding("no-max-subtraction", tested.where, why, fix)
    y[0] = -2000.0
    y[0, 1] = 0.0
    value = value_of(tested, y, label)
    if value is None or not np.isfinite(value):
        why = f"p rounds to 0 for a score 2000 below the best, and log(0) makes the loss {value}, where 2000 is right"
        return Finding("log-of-zero", tested.where, why, fix)
    return None
