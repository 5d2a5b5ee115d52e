"""The name of a dy that is not the loss's: a ratio, an entry of loss_slips.py, other targets, rows that are weighed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...checks import Array
from .loss_kinds import Kind, kind_of
from .loss_ratios import named_ratio
from .loss_slips import SLIPS, B, H, LossCase, LossSlip, M, P, Q, S, far, too_near
from .loss_values import both_gradients, is_classification, one_hot, softmax, value_of
from .measure import close, ratio, same
from .report import Finding, worked
from .under_test import LossUnderTest


def wrong_gradient(
    tested: LossUnderTest, y: Array, t: Array, dy: Array, n: Array, exact: bool, rng: np.random.Generator
) -> Finding:
    """The name of a wrong dy."""
    example = worked("dy", dy, n)
    known = np.isfinite(n)
    if not dy.any() and n[known].any():
        return Finding("never-written", tested.where, f"dy is 0 everywhere. {example}", "return the gradient")
    if known.all() and not n.any():
        why = f"the loss does not change with y at all, and dy is not 0. {example}"
        return Finding("unknown", tested.where, why, "compute the loss from y")
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
    place = far(case) if slip.code == "near-not-divided" else ~far(case)
    return same(n[place], dy[place], 1e-5) or not place.any()


OF_BITS = "(p - t) / (p (1 - p))"


def _of_probabilities(tested: LossUnderTest, y: Array, t: Array, dy: Array, example: str) -> Finding | None:
    """p - t where dL/dp belongs: looked at before a ratio, which it is where each row has one class."""
    if not getattr(tested.loss, "on_probabilities", False) or not (t.ndim == 1 or t.shape == y.shape):
        return None
    wrong = y - one_hot(t, y.shape[1])
    scale = float(np.vdot(wrong, dy) / (np.vdot(wrong, wrong) or 1))
    if not any(close(scale, c) for c in (1, 1 / len(y), 1 / y.size)) or not same(dy, scale * wrong):
        return None
    of_bits = next(_cases(tested, y, t))[0] == Q
    before, right = ("sigmoid", OF_BITS) if of_bits else ("softmax (or sigmoid)", "-t / p")
    why = (
        f"dy is p - t, the gradient for the scores before the {before}, and the loss is given p itself: "
        f"there it is {right}. A layer before it multiplies by its own derivative a second time. {example}"
    )
    fix = f"take the {before[:7]} into the loss, or leave out its derivative in the layer, or return {right} / n"
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
        margins = float((too_near(case) * (y - (y * case.t).sum(axis=1, keepdims=True) + 1)).sum())
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
