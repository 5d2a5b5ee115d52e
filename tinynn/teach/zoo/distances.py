"""Slips in losses of numbers, of yes and no, of margins, and of probabilities: most in the style of courses."""

# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from .slip import slip

# --- absolute errors, and Huber's ------------------------------------------------------------------------------------


@slip("error-for-sign", "loss", 2, "Absolute errors, so that no row leads all the others. One does.")
class CourseL1:
    def loss(self, y, t):
        return np.abs(y - t).mean()

    def grad(self, y, t):
        return (y - t) / y.size


@slip("one-side-only", "loss", 2, "What is too large becomes smaller. What is too small stays so.")
class CourseL2:
    def loss(self, y, t):
        return np.abs(y - t).mean()

    def grad(self, y, t):
        return np.where(y > t, 1.0, 0.0) / y.size


def huber(e, delta):
    return np.where(np.abs(e) <= delta, e**2 / 2, delta * (np.abs(e) - delta / 2))


@slip("not-clipped", "loss", 1, "A parabola that goes on as a line. The steps know of the parabola alone.")
class CourseHuber1:
    def value(self, y, t):
        return huber(y - t, 2.5).mean()

    def gradient(self, y, t):
        return (y - t) / y.size


@slip("clipped-at-1", "loss", 2, "It should bend at 2.5. The value does.")
class CourseHuber2:
    def value(self, y, t):
        return huber(y - t, 2.5).mean()

    def gradient(self, y, t):
        return np.clip(y - t, -1, 1) / y.size


@slip("tail-without-delta", "loss", 2, "With delta = 1, which is how it was tested, all is well.")
class CourseHuber3:
    def value(self, y, t):
        return huber(y - t, 2.5).mean()

    def gradient(self, y, t):
        e = y - t
        return np.where(np.abs(e) <= 2.5, e, np.sign(e)) / y.size


@slip("tail-times-delta", "loss", 2, "The larger an error is, the larger is its step. That was not the plan.")
class CourseHuber4:
    def value(self, y, t):
        return huber(y - t, 2.5).mean()

    def gradient(self, y, t):
        e = y - t
        return np.where(np.abs(e) <= 2.5, e, 2.5 * e) / y.size


@slip("no-tail", "loss", 2, "Rows that are far off stay far off.")
class CourseHuber5:
    def value(self, y, t):
        return huber(y - t, 2.5).mean()

    def gradient(self, y, t):
        e = y - t
        return e * (np.abs(e) <= 2.5) / y.size


@slip("negative-tail", "loss", 3, "It is robust against large targets only from one side.")
class CourseHuber6:
    def value(self, y, t):
        return huber(y - t, 2.5).mean()

    def gradient(self, y, t):
        return np.minimum(y - t, 2.5) / y.size


@slip("near-not-divided", "loss", 3, "Near 0 it is a parabola, of another width for the steps than for the value.")
class CourseSmoothL1:
    def value(self, y, t):
        return (huber(y - t, 0.5) / 0.5).mean()

    def gradient(self, y, t):
        e = y - t
        return np.where(np.abs(e) < 0.5, e, np.sign(e)) / y.size


# --- margins ---------------------------------------------------------------------------------------------------------


@slip("label-lost", "loss", 1, "All scores go up, those of the negative class, too.", "signs")
class CourseHinge1:
    def value(self, y, t):
        return np.maximum(0, 1 - t * y).mean()

    def gradient(self, y, t):
        return -1.0 * (t * y < 1) / y.size


@slip("margin-0", "loss", 2, "As soon as a row is right, nothing pulls at it any more.", "signs")
class CourseHinge2:
    def value(self, y, t):
        return np.maximum(0, 1 - t * y).mean()

    def gradient(self, y, t):
        return -t * (t * y < 0) / y.size


@slip("no-margin-mask", "loss", 2, "Scores grow and grow, long after all rows are right.", "signs")
class CourseHinge3:
    def value(self, y, t):
        return np.maximum(0, 1 - t * y).mean()

    def gradient(self, y, t):
        return -t / y.size


@slip("not-squared", "loss", 2, "The value counts a bad row many times. Its step does not.", "signs")
class CourseHinge4:
    def value(self, y, t):
        return (np.maximum(0, 1 - t * y) ** 2).mean()

    def gradient(self, y, t):
        return -2 * t * (t * y < 1) / y.size


@slip("label-not-pushed", "loss", 3, "The wrong classes sink. The right one waits until they have.", "labels")
class CourseMargins1:
    def forward(self, y, t):
        rows = np.arange(len(y))
        self.margins = np.maximum(0, y - y[rows, t][:, None] + 1)
        self.margins[rows, t] = 0
        return self.margins.sum() / len(y)

    def backward(self):
        return (self.margins > 0) / len(self.margins)


# --- yes and no ------------------------------------------------------------------------------------------------------


def logistic(y, t, w=1.0):
    p = 1 / (1 + np.exp(-y))
    return -(w * t * np.log(p) + (1 - t) * np.log(1 - p))


@slip("thresholded", "loss", 2, "Right answers get no step, wrong ones a whole one. Like 1958.", "bits")
class CourseLogistic1:
    def value(self, y, t):
        return logistic(y, t).mean()

    def gradient(self, y, t):
        return ((y > 0) - t) / y.size


@slip("scores-for-p", "loss", 2, "A line is fitted through zeros and ones.", "bits")
class CourseLogistic2:
    def value(self, y, t):
        return logistic(y, t).mean()

    def gradient(self, y, t):
        return (y - t) / y.size


@slip("positives-only", "loss", 2, "In the end it says yes to everything.", "bits")
class CourseLogistic3:
    def value(self, y, t):
        return logistic(y, t).mean()

    def gradient(self, y, t):
        return -t / (1 + np.exp(y)) / y.size


@slip("weight-in-loss-only", "loss", 2, "The rare class counts three times. It does not look like it.", "bits")
class CourseLogistic4:
    def value(self, y, t):
        return logistic(y, t, 3.0).mean()

    def gradient(self, y, t):
        return (1 / (1 + np.exp(-y)) - t) / y.size


@slip("weight-on-t", "loss", 3, "The rare class counts three times. Where it is sure, it goes on all the same.", "bits")
class CourseLogistic5:
    def value(self, y, t):
        return logistic(y, t, 3.0).mean()

    def gradient(self, y, t):
        return (1 / (1 + np.exp(-y)) - 3 * t) / y.size


@slip("sigmoid-twice", "loss", 3, "It learns, and the loss of a sure yes stays at 0.31.", "bits")
class CourseLogistic6:
    def value(self, y, t):
        self.q = 1 / (1 + np.exp(-y))
        return logistic(self.q, t).mean()

    def gradient(self, y, t):
        p = 1 / (1 + np.exp(-self.q))
        return (p - t) * self.q * (1 - self.q) / y.size


# --- targets and weights ---------------------------------------------------------------------------------------------


def log_softmax(y):
    z = y - y.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


@slip("smoothing-in-loss-only", "loss", 3, "It should not be too sure of itself. The value says so.", "one-hot")
class CourseSmoothed1:
    def loss(self, y, t):
        smooth = 0.9 * t + 0.1 / t.shape[1]
        return -(smooth * log_softmax(y)).sum() / len(y)

    def grad(self, y, t):
        return (np.exp(log_softmax(y)) - t) / len(y)


@slip(
    "other-smoothing",
    "loss",
    3,
    "A tenth is taken from the label. Two lines differ on who gets it.",
    "one-hot",
)
class CourseSmoothed2:
    def loss(self, y, t):
        smooth = 0.9 * t + 0.1 / t.shape[1]
        return -(smooth * log_softmax(y)).sum() / len(y)

    def grad(self, y, t):
        smooth = 0.9 * t + 0.1 * (1 - t) / (t.shape[1] - 1)
        return (np.exp(log_softmax(y)) - smooth) / len(y)


@slip("mask-in-loss-only", "loss", 2, "Empty rows, put there to fill the batch, teach it something.", "one-hot")
class CourseMasked1:
    def loss(self, y, t):
        mask = np.arange(len(y)) % 3 != 1
        return -(mask[:, None] * t * log_softmax(y)).sum() / mask.sum()

    def grad(self, y, t):
        mask = np.arange(len(y)) % 3 != 1
        return (np.exp(log_softmax(y)) - t) / mask.sum()


# --- of probabilities ------------------------------------------------------------------------------------------------


@slip("softmax-gradient-twice", "loss", 3, "The famous p - t. It was meant for another place.", "probabilities")
class CourseCrossEntropy1:
    def loss(self, p, t):
        return -(t * np.log(p)).sum() / len(p)

    def gradient(self, p, t):
        return (p - t) / len(p)


@slip("not-at-label", "loss", 2, "All probabilities should grow. They sum to 1.", "probabilities")
class CourseCrossEntropy2:
    def loss(self, p, t):
        return -(t * np.log(p)).sum() / len(p)

    def gradient(self, p, t):
        return -1 / p / len(p)


@slip("term-sign", "loss", 2, "One minus sign for two logarithms.", "chances")
class CourseBinary1:
    def loss(self, p, t):
        return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()

    def gradient(self, p, t):
        return -(t / p + (1 - t) / (1 - p)) / p.size
