"""The slips in a loss's gradient. One entry is one slip: its name, the kind of loss, both formulas, a sentence.

A dy that is a constant times what it should be is explained in loss_ratios.py. Else the entries are tried in this
order, each with any constant in front. To add a slip, add an entry here, and an example to the zoo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ...checks import Array
from .loss_kinds import Kind, kind_of
from .loss_ratios import named_ratio
from .loss_values import both_gradients, is_classification, one_hot, softmax, value_of
from .measure import close, ratio, same
from .report import Finding, worked
from .under_test import LossUnderTest


@dataclass(frozen=True)
class LossCase:
    """What a candidate is computed from: y, t as rows, e = y - t, p = softmax or sigmoid of y, Huber's delta."""

    y: Array
    t: Array
    p: Array
    delta: float = 1.0

    @property
    def e(self) -> Array:
        return self.y - self.t


@dataclass(frozen=True)
class LossSlip:
    """One slip: `dy` is what it gives, but for a constant; `wrong` and `right` are the formulas."""

    code: str
    kind: str
    dy: Callable[[LossCase], Array]
    wrong: str
    right: str
    said: str  # one sentence, which the first entry of a code says for all


def _shifted(shift: int) -> Callable[[LossCase], Array]:
    """p - t with labels that are `shift` too high; none where that is once around."""
    return lambda c: c.p - np.roll(c.t, shift, axis=1) if shift < c.t.shape[1] else np.full_like(c.p, np.nan)


def _far(c: LossCase) -> Array:
    return np.abs(c.e) > c.delta


def _too_near(c: LossCase) -> Array:
    """The classes whose score is less than 1 below the label's."""
    near = c.y - (c.y * c.t).sum(axis=1, keepdims=True) + 1 > 0
    return near * (1 - c.t)


S, M, B, P, Q, H, L, G, G2 = (
    "softmax", "margins", "logistic", "probabilities", "bits", "huber", "absolute", "hinge", "squared-hinge",
)  # fmt: skip
P_T = "(p - t) / n, t one-hot"
SLIPS: tuple[LossSlip, ...] = (
    # --- softmax with cross-entropy, from scores ---
    LossSlip("no-minus-one", S, lambda c: c.p, "p / n", P_T, "the 1 at the label is not subtracted"),
    LossSlip("dL-dp", S, lambda c: np.where(c.t > 0, -c.t / c.p, 0), "-t / p / n", P_T,
             "that is dL/dp, the softmax's own derivative is missing"),
    LossSlip("diagonal-only", S, lambda c: -(1 - c.p) * c.t, "-(1 - p) t / n", P_T,
             "only the diagonal of the softmax's derivative is used"),
    LossSlip("derivative-twice", S, lambda c: (c.p - c.t) * c.p * (1 - c.p), "(p - t) p (1 - p) / n", P_T,
             "the softmax's derivative is there twice"),
    *(LossSlip("labels-shifted", S, _shifted(k), f"p - t with the labels shifted by {k}", P_T,
               "the gradient belongs to other labels than the loss") for k in range(1, 12)),
    LossSlip("scores-for-p", S, lambda c: c.y - c.t, "(y - t) / n", P_T, "the scores stand where p belongs"),
    LossSlip("thresholded", S, lambda c: (c.p == c.p.max(axis=1, keepdims=True)) - c.t, "(best - t) / n", P_T,
             "the class that was chosen stands where p belongs"),
    # --- the hinge of several classes: sum of max(0, y - y[label] + 1) ---
    LossSlip("label-not-pushed", M, _too_near, "1 for each class too near", "that, and -(their number) at the label",
             "the score of the label has no gradient"),
    LossSlip("label-not-pushed", M, lambda c: _too_near(c) - c.t, "-1 at the label", "-(number of classes too near)",
             "the label counts once, however many classes are too near"),
    LossSlip("label-not-pushed", M, lambda c: _too_near(c) - c.t * _too_near(c).any(axis=1, keepdims=True),
             "-1 at the label", "-(number of classes too near)",
             "the label counts once, however many classes are too near"),
    # --- cross-entropy of bits, from scores ---
    LossSlip("derivative-twice", B, lambda c: (c.p - c.t) * c.p * (1 - c.p), "(p - t) p (1 - p)",
             "p - t, p the sigmoid of y", "the sigmoid's derivative is there twice"),
    LossSlip("dL-dp", B, lambda c: (c.p - c.t) / (c.p * (1 - c.p)), "(p - t) / (p (1 - p))",
             "p - t, p the sigmoid of y", "that is dL/dp, the sigmoid's own derivative is missing"),
    LossSlip("no-minus-one", B, lambda c: c.p, "p", "p - t, p the sigmoid of y", "t is not subtracted"),
    LossSlip("thresholded", B, lambda c: (c.p > 0.5) - c.t, "(p > 0.5) - t", "p - t, p the sigmoid of y",
             "a yes or no stands where p belongs"),
    LossSlip("scores-for-p", B, lambda c: c.y - c.t, "y - t", "p - t, p the sigmoid of y",
             "the scores stand where p belongs"),
    LossSlip("positives-only", B, lambda c: -c.t * (1 - c.p), "-t (1 - p)", "p - t, p the sigmoid of y",
             "only the positives have a gradient"),
    LossSlip("weight-in-loss-only", B, lambda c: np.where(c.delta == 1, np.nan, c.p - c.t), "p - t",
             "(1 + (w - 1) t) p - w t", "the loss weighs the positives, its gradient does not"),
    LossSlip("weight-on-t", B, lambda c: c.p - c.delta * c.t, "p - w t", "(1 + (w - 1) t) p - w t",
             "the weight of the positives stands at t alone"),
    # --- cross-entropy of probabilities ---
    LossSlip("softmax-gradient-twice", P, lambda c: c.y - c.t, "p - t", "-t / p",
             "p - t is the gradient for the scores before the softmax, not for p"),
    LossSlip("softmax-gradient-twice", Q, lambda c: c.y - c.t, "p - t", "(p - t) / (p (1 - p))",
             "p - t is the gradient for the score before the sigmoid, not for p"),
    LossSlip("positives-only", Q, lambda c: -c.t / c.y, "-t / p", "-t / p + (1 - t) / (1 - p)",
             "the term of the zeros is missing"),
    LossSlip("term-sign", Q, lambda c: -c.t / c.y - (1 - c.t) / (1 - c.y), "-t / p - (1 - t) / (1 - p)",
             "-t / p + (1 - t) / (1 - p)", "the derivative of log(1 - p) is -1 / (1 - p)"),
    LossSlip("eps-in-log", P, lambda c: -c.t / c.y, "-t / p", "-t / (p + eps)",
             "the loss has a small number in the log, its gradient has not"),
    LossSlip("not-at-label", P, lambda c: -1 / c.y, "-1 / p", "-t / p",
             "every class has a gradient, not only the label"),
    # --- Huber: e where |e| <= delta, else delta sign(e) ---
    LossSlip("not-clipped", H, lambda c: c.e, "e", "clip(e, -delta, delta)",
             "the loss is linear for large errors, its gradient grows on"),
    LossSlip("tail-without-delta", H, lambda c: np.where(_far(c), np.sign(c.e), c.e), "sign(e) for |e| > delta",
             "delta sign(e)", "delta is missing in the gradient of large errors"),
    LossSlip("clipped-at-1", H, lambda c: np.clip(c.e, -1, 1), "clip(e, -1, 1)", "clip(e, -delta, delta)",
             "the gradient bends at 1, the loss at delta"),
    LossSlip("tail-times-delta", H, lambda c: np.where(_far(c), c.delta * c.e, c.e), "delta e for |e| > delta",
             "delta sign(e)", "the sign is missing in the gradient of large errors"),
    LossSlip("no-tail", H, lambda c: np.where(_far(c), 0, c.e), "0 for |e| > delta", "delta sign(e)",
             "large errors have no gradient"),
    LossSlip("negative-tail", H, lambda c: np.where(c.e > c.delta, c.delta, c.e), "e for e < -delta", "-delta",
             "e is compared with delta, not |e|: large negative errors are not clipped"),
    LossSlip("negative-tail", H, lambda c: np.where(c.e > c.delta, c.delta, np.where(c.e < -c.delta, 0, c.e)),
             "0 for e < -delta", "-delta", "large negative errors have no gradient"),
    LossSlip("negative-tail", H, lambda c: np.where(_far(c), c.delta, c.e), "delta for e < -delta", "-delta",
             "large negative errors are pushed the wrong way"),
    LossSlip("near-not-divided", H, lambda c: np.where(_far(c), np.sign(c.e), c.e), "e for |e| < beta", "e / beta",
             "small errors are not divided by beta in the gradient"),
    # --- absolute errors ---
    LossSlip("error-for-sign", L, lambda c: c.e, "e", "sign(e)", "the gradient is that of the squares"),
    LossSlip("one-side-only", L, lambda c: (c.e > 0).astype(float), "1 for e > 0, else 0", "sign(e)",
             "negative errors have no gradient"),
    LossSlip("one-side-only", L, lambda c: np.ones_like(c.e), "1", "sign(e)",
             "negative errors are pushed the wrong way"),
    # --- hinge: -t where t y < 1 ---
    LossSlip("label-lost", G, lambda c: -(c.t * c.y < 1).astype(float), "-1 where t y < 1", "-t where t y < 1",
             "the factor t is missing"),
    LossSlip("margin-0", G, lambda c: -c.t * (c.t * c.y < 0), "-t where t y < 0", "-t where t y < 1",
             "the gradient has the margin 0, the loss the margin 1"),
    LossSlip("no-margin-mask", G, lambda c: -c.t, "-t", "-t where t y < 1",
             "rows beyond the margin have a gradient, too"),
    LossSlip("mask-inverted", G, lambda c: -c.t * (c.t * c.y >= 1), "-t where t y >= 1", "-t where t y < 1",
             "the mask lets through what it should stop"),
    LossSlip("not-squared", G2, lambda c: -c.t * (c.t * c.y < 1), "-t where t y < 1", "-2 t (1 - t y) where t y < 1",
             "the gradient is that of the hinge, the loss its square"),
    LossSlip("no-margin-mask", G2, lambda c: -c.t * (1 - c.t * c.y), "-2 t (1 - t y)", "-2 t (1 - t y) where t y < 1",
             "rows beyond the margin have a gradient, too"),
)  # fmt: skip


def sentences() -> dict[str, str]:
    """What each slip is, by its code."""
    return {slip.code: slip.said for slip in reversed(SLIPS)}


def wrong_gradient(
    tested: LossUnderTest, y: Array, t: Array, dy: Array, n: Array, exact: bool, rng: np.random.Generator
) -> Finding:
    """The name of a wrong dy."""
    example = worked("dy", dy, n)
    known = np.isfinite(n)
    if not dy.any() and n[known].any():
        return Finding("never-written", tested.where, f"dy is 0 everywhere. {example}", "return the gradient")
    found = _of_probabilities(tested, y, t, dy, example)
    if found:
        return found
    c = ratio(dy, n)
    if c is not None:
        return named_ratio(tested, y, t, c, example, rng)
    matches = _matching(tested, y, t, dy, n)
    if len({slip.code for slip, *_ in matches}) > 1:  # here they are one: at larger numbers they are not
        far = 4 * np.asarray(rng.normal(size=y.shape))
        there, right = both_gradients(tested, far, t)
        if there is not None and right is not None and there.shape == y.shape:
            still = [slip for slip, *_ in _matching(tested, far, t, there, right)]
            matches = [one for one in matches if one[0] in still] or matches
    if matches:
        slip, case, scale = matches[0]
        times = "" if close(scale, 1 / len(y)) else f", times {scale * len(y):.4g}" if not close(scale, 1) else ""
        delta = f" Here delta = {case.delta:.6g}." if slip.kind == H else ""
        why = f"dy is computed as {slip.wrong}{times}, and should be {slip.right}: {slip.said}.{delta} {example}"
        fix = "dy = p; dy[rows, t] -= 1; dy /= n" if slip.kind == S else f"dy = {slip.right}, over n"
        return Finding(slip.code, tested.where, why, fix)
    return _other_targets(tested, y, t, dy, n, example) or _by_rows(tested, y, t, dy, n, example) or Finding(
        "unknown", tested.where, _unknown(y, t, dy, n, example)
    )  # fmt: skip


def _matching(tested: LossUnderTest, y: Array, t: Array, dy: Array, n: Array) -> list[tuple[LossSlip, LossCase, float]]:
    """The slips that give this dy, each with the constant in front of it."""
    found = []
    for kind, case in _cases(tested, y, t):
        for slip in SLIPS:
            if slip.kind == kind:
                with np.errstate(all="ignore"):
                    wrong = np.asarray(slip.dy(case), float)
                scale = float(np.vdot(wrong, dy) / (np.vdot(wrong, wrong) or 1))
                if (
                    scale
                    and np.isfinite(wrong).all()
                    and same(dy, scale * wrong)
                    and _elsewhere_right(slip, case, dy, n)
                ):
                    found += [(slip, case, scale)] if _elsewhere_right(slip, case, dy, n) else []
    return found


def _elsewhere_right(slip: LossSlip, case: LossCase, dy: Array, n: Array) -> bool:
    """Of a slip in one part of Huber's loss, whether the other part is right: the constant in front is free."""
    if slip.kind != H or slip.code in ("not-clipped", "clipped-at-1"):
        return True
    place = _far(case) if slip.code == "near-not-divided" else ~_far(case)
    return same(n[place], dy[place], 1e-5) or not place.any()


def _of_probabilities(tested: LossUnderTest, y: Array, t: Array, dy: Array, example: str) -> Finding | None:
    """p - t where dL/dp belongs: looked at before a ratio, which it is where each row has one class."""
    if not getattr(tested.loss, "on_probabilities", False) or not (t.ndim == 1 or t.shape == y.shape):
        return None
    wrong = y - one_hot(t, y.shape[1])
    scale = float(np.vdot(wrong, dy) / (np.vdot(wrong, wrong) or 1))
    if not any(close(scale, c) for c in (1, 1 / len(y), 1 / y.size)) or not same(dy, scale * wrong):
        return None
    why = (
        "dy is p - t, the gradient for the scores before the softmax (or sigmoid), and the loss is given p itself: "
        f"there it is -t / p. A layer before it multiplies by its own derivative a second time. {example}"
    )
    fix = "take the softmax into the loss, or leave out its derivative in the layer, or return -t / p / n"
    return Finding("softmax-gradient-twice", tested.where, why, fix)


def _cases(tested: LossUnderTest, y: Array, t: Array) -> Iterator[tuple[str, LossCase]]:
    """The kinds that the loss may be, with what their candidates need."""
    if getattr(tested.loss, "on_probabilities", False):
        T = one_hot(t, y.shape[1]) if t.ndim == 1 else t
        one = -float((T * np.log(y)).sum())
        both = one - float(((1 - T) * np.log(1 - y)).sum())
        value = value_of(tested, y, t) or 0.0
        near = [min(abs(value * k / whole - 1) for k in (1, len(y), y.size)) for whole in (one, both)]
        yield (P if is_classification(y, t) and near[0] < near[1] else Q), LossCase(y, T, y)
        return
    if is_classification(y, t):
        case = LossCase(y, one_hot(t, y.shape[1]), softmax(y))
        margins = float((_too_near(case) * (y - (y * case.t).sum(axis=1, keepdims=True) + 1)).sum())
        value = value_of(tested, y, t) or 0.0
        yield (M if close(value, margins / len(y)) or close(value, margins) else S), case
        if t.ndim == 1:
            return
    if t.shape != y.shape:
        if t.size != y.size:
            return
        t = t.reshape(y.shape)
    sigmoid = 1 / (1 + np.exp(-y))
    kind = kind_of(lambda a, b: tested.both(a, b)[0]) or kind_of(lambda a, b: tested.both(a, b.ravel())[0])
    if kind is None:
        kind = Kind(B) if np.isin(t, (0, 1)).all() else None
    if kind is not None:
        yield kind.name, LossCase(y, t.astype(float), sigmoid, kind.delta or 1.0)


def _other_targets(tested: LossUnderTest, y: Array, t: Array, dy: Array, n: Array, example: str) -> Finding | None:
    """p - T with one target in the loss and another in the gradient: label smoothing. Both are recovered."""
    if not is_classification(y, t) or getattr(tested.loss, "on_probabilities", False) or not np.isfinite(n).all():
        return None
    p, Y, N = softmax(y), one_hot(t, y.shape[1]), len(y)
    if not np.isin(Y, (0, 1)).all() or y.shape[1] < 2:
        return None
    for scale in (1.0, N):
        pair = []
        for gradient in (n, dy):
            T = p - scale * gradient
            on, off = T[Y == 1], T[Y == 0]
            pair.append((float(on.mean()), float(off.mean())))
            if np.ptp(on) > 1e-6 or np.ptp(off) > 1e-6:
                break
        else:
            (on, off), (on_dy, off_dy) = pair
            if off <= 1e-9:
                continue
            code = "smoothing-in-loss-only" if abs(off_dy) < 1e-9 and abs(on_dy - 1) < 1e-9 else "other-smoothing"
            why = (
                f"the loss has smoothed targets, {on:.6g} at the label and {off:.6g} elsewhere; dy is p - t with "
                f"{on_dy:.6g} and {off_dy:.6g}. {example}"
            )
            return Finding(code, tested.where, why, "dy = (p - T) / n with the T of the loss")
    return None


def _by_rows(tested: LossUnderTest, y: Array, t: Array, dy: Array, n: Array, example: str) -> Finding | None:
    """Each row a multiple of what it should be: weights or a mask that are in the loss alone, or in the gradient."""
    if not np.isfinite(n).all() or len(y) < 2:
        return None
    factors = np.full(len(y), np.nan)
    masked = []
    for k, (a, m) in enumerate(zip(dy, n)):
        if not m.any():
            masked += [k] if a.any() else []
            continue
        factors[k] = np.vdot(m, a) / np.vdot(m, m)
        if not np.allclose(a, factors[k] * m, rtol=0, atol=1e-8 * float(np.abs(m).max())):
            return None
    seen = factors[np.isfinite(factors)]
    if masked and (not len(seen) or np.ptp(seen) < 1e-6 * abs(seen[0])):
        rows = ", ".join(map(str, masked[:8]))
        why = f"rows {rows} do not count in the loss, and have a gradient: the mask is missing there. {example}"
        return Finding("mask-in-loss-only", tested.where, why, "dy *= mask[:, None]")
    if masked or len(seen) < 2 or not (seen > 0).all():
        return None
    hot = one_hot(t, int(t.max()) + 1) if t.ndim == 1 and t.dtype.kind in "iu" else np.atleast_2d(t)
    if len(hot) != len(seen) or hot.shape[1] < 2:
        return None
    labels = hot.argmax(axis=1)
    classes = np.unique(labels)
    if any(np.ptp(seen[labels == k]) > 1e-6 * seen[0] for k in classes):
        return None
    told = ", ".join(f"{1 / float(seen[labels == k][0]):.6g} for class {k}" for k in classes)
    why = f"the loss weighs each row by its class and dy does not: it lacks the factors {told}. {example}"
    return Finding("weight-in-loss-only", tested.where, why, "dy *= weights[t][:, None]")


def _unknown(y: Array, t: Array, dy: Array, n: Array, example: str) -> str:
    """What can be said of a dy that no slip explains: which rows, which entries."""
    known = np.isfinite(n)
    wrong = known & (np.abs(dy - n) > 1e-6 * np.nanmax(np.abs(n)))
    rows = np.flatnonzero(wrong.any(axis=1))
    shown = ", ".join(map(str, rows[:8])) + (" ..." if len(rows) > 8 else "")
    pattern = f"Wrong rows: {shown}."
    columns = np.flatnonzero(wrong.any(axis=0))
    if dy.ndim == 2 and 0 < len(columns) < dy.shape[1]:
        pattern += f" All in column {', '.join(map(str, columns[:8]))}."
    own = t.reshape(y.shape) if t.size == y.size else None
    places = {"y > 0": y > 0, "y < 0": y < 0}
    if own is not None:
        places |= {"y > t": y > own, "y < t": y < own, "t is 0": own == 0, "t is not 0": own != 0}
    only = [name for name, place in places.items() if not (wrong & ~place).any() and (known & ~place).any()]
    pattern += f" It is wrong where {only[0]}, and nowhere else." if only else ""
    lengths = [float(np.vdot(m, a) / np.vdot(m, m)) if m.any() else 0.0 for a, m in zip(dy, n)]
    if known.all() and len(y) > 1 and all(same(a, c * m, 1e-8) for a, m, c in zip(dy, n, lengths)):
        told = ", ".join(f"{c:.4g}" for c in lengths[:8])
        pattern += f" Each row has the right direction, and is {told} times as long as it should be."
    return f"dy is not the gradient of the loss, and none of the known slips gives these numbers. {pattern} {example}"
