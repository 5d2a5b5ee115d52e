"""The slips in a loss's gradient. One entry is one slip: its name, the kind of loss, both formulas, a sentence.

loss_gradient.py tries them in this order, each with any constant in front. To add a slip, add an entry here, and an
example to the zoo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...checks import Array


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


def far(c: LossCase) -> Array:
    return np.abs(c.e) > c.delta


def too_near(c: LossCase) -> Array:
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
    LossSlip("label-not-pushed", M, too_near, "1 for each class too near", "that, and -(their number) at the label",
             "the score of the label has no gradient"),
    LossSlip("label-not-pushed", M, lambda c: too_near(c) - c.t, "-1 at the label", "-(number of classes too near)",
             "the label counts once, however many classes are too near"),
    LossSlip("label-not-pushed", M, lambda c: too_near(c) - c.t * too_near(c).any(axis=1, keepdims=True),
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
    LossSlip("tail-without-delta", H, lambda c: np.where(far(c), np.sign(c.e), c.e), "sign(e) for |e| > delta",
             "delta sign(e)", "delta is missing in the gradient of large errors"),
    LossSlip("clipped-at-1", H, lambda c: np.clip(c.e, -1, 1), "clip(e, -1, 1)", "clip(e, -delta, delta)",
             "the gradient bends at 1, the loss at delta"),
    LossSlip("tail-times-delta", H, lambda c: np.where(far(c), c.delta * c.e, c.e), "delta e for |e| > delta",
             "delta sign(e)", "the sign is missing in the gradient of large errors"),
    LossSlip("no-tail", H, lambda c: np.where(far(c), 0, c.e), "0 for |e| > delta", "delta sign(e)",
             "large errors have no gradient"),
    LossSlip("negative-tail", H, lambda c: np.where(c.e > c.delta, c.delta, c.e), "e for e < -delta", "-delta",
             "e is compared with delta, not |e|: large negative errors are not clipped"),
    LossSlip("negative-tail", H, lambda c: np.where(c.e > c.delta, c.delta, np.where(c.e < -c.delta, 0, c.e)),
             "0 for e < -delta", "-delta", "large negative errors have no gradient"),
    LossSlip("negative-tail", H, lambda c: np.where(far(c), c.delta, c.e), "delta for e < -delta", "-delta",
             "large negative errors are pushed the wrong way"),
    LossSlip("near-not-divided", H, lambda c: np.where(far(c), np.sign(c.e), c.e), "e for |e| < beta", "e / beta",
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
