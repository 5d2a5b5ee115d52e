"""Slips in losses."""

# mypy: allow-untyped-defs, allow-incomplete-defs

from __future__ import annotations

import numpy as np

from ...losses import MSE, Loss, SoftmaxCrossEntropy
from .slip import slip

# --- squares and other distances -------------------------------------------------------------------------------------


@slip("factor-half", "loss", 1, "It trains, at half the learning rate that was asked for.")
class MSE1(Loss):
    def compute(self, y, t):
        return ((y - t) ** 2).mean(), (y - t) / y.size


@slip("factor-2", "loss", 1, "The 1/2 is there to make the derivative pretty.")
class MSE2(Loss):
    def compute(self, y, t):
        return ((y - t) ** 2).mean() / 2, 2 * (y - t) / y.size


@slip("sign", "loss", 1, "The loss goes up and up.")
class MSE3(Loss):
    def compute(self, y, t):
        return ((y - t) ** 2).mean(), 2 * (t - y) / y.size


@slip("rows-not-elements", "loss", 2, "With one output all is well. The more there are, the larger the steps.")
class MSE4(Loss):
    def compute(self, y, t):
        n = len(y)
        return np.mean((y - t) ** 2), 2 * (y - t) / n


@slip("elements-not-rows", "loss", 2, "With one output all is well. The more there are, the smaller the steps.")
class MSE5(Loss):
    def compute(self, y, t):
        lengths = ((y - t) ** 2).sum(axis=1)
        return lengths.mean(), 2 * (y - t) / y.size


@slip("missing-1/n", "loss", 1, "The value is printed as a mean. The steps know nothing of that.")
class MSE6(Loss):
    def compute(self, y, t):
        return ((y - t) ** 2).sum() / len(y), 2 * (y - t)


@slip("divided-by-n-twice", "loss", 2, "Larger batches learn slower, and there is nothing about batches in the layers.")
class MSE7(Loss):
    def compute(self, y, t):
        n = len(y)
        d = (y - t) / n
        return ((y - t) ** 2).sum() / n, 2 * d / n


@slip("writes-into-x", "loss", 2, "The predictions that were to be plotted are all nearly 0.")
class MSE8(Loss):
    def compute(self, y, t):
        y -= t
        return (y**2).mean(), 2 * y / y.size


@slip("sign", "loss", 1, "float() here, float() there: numbers are numbers. It climbs.")
class CourseMSE1:
    def forward(self, y, t):
        self.error = t - y
        return float(np.mean(self.error**2))

    def backward(self, dout=1):
        return dout * 2 * self.error / self.error.size


@slip("all-pairs", "loss", 3, "One prediction a row, one target a row. The best that it learns is the mean.", "vector")
class CourseMSE2:
    def forward(self, y, t):
        self.y, self.t = y, t
        return np.mean((y - t) ** 2)

    def backward(self, dout=1):
        return dout * 2 * (self.y - self.t).mean(axis=1, keepdims=True) / len(self.y)


@slip("all-pairs", "loss", 2, "It asks for 800 MB of memory for 10,000 numbers.", "vector")
class CourseMSE3:
    def forward(self, y, t):
        self.diff = y - t
        return np.mean(self.diff**2)

    def backward(self, dout=1):
        return dout * 2 * self.diff / self.diff.size


@slip("rows-not-elements", "loss", 3, "Absolute errors, not to be led by a few rows. The steps have the wrong size.")
class AbsoluteError1(Loss):
    def compute(self, y, t):
        return np.abs(y - t).mean(), np.sign(y - t) / len(y)


@slip("decay-in-loss", "loss", 3, "Large weights are punished in the number that is printed. They stay large.")
class DecayedMSE1(MSE):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def compute(self, y, t):
        value, dy = super().compute(y, t)
        return value + 0.05 * (self.model.params**2).sum() / 2, dy


# --- softmax with cross-entropy: the gradient is wrong ---------------------------------------------------------------


@slip("missing-1/n", "loss", 1, "The learning rate that worked with one row explodes with a hundred.", "labels")
class SoftmaxLoss1(SoftmaxCrossEntropy):
    def compute(self, y, t):
        n = len(y)
        z = y - y.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        dy = np.exp(log_p)
        dy[np.arange(n), t] -= 1
        return -log_p[np.arange(n), t].mean(), dy


@slip("divided-by-n-twice", "loss", 2, "The learning rate must grow with the batch to get anywhere.", "labels")
class SoftmaxLoss2(SoftmaxCrossEntropy):
    def compute(self, y, t):
        n = len(y)
        z = y - y.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        dy = np.exp(log_p)
        dy[np.arange(n), t] -= 1
        dy /= n
        return -log_p[np.arange(n), t].mean(), dy / n


@slip("no-minus-one", "loss", 1, "All scores sink, the right one with the others.", "labels")
class SoftmaxLoss3(SoftmaxCrossEntropy):
    def compute(self, y, t):
        n = len(y)
        z = y - y.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return -log_p[np.arange(n), t].mean(), np.exp(log_p) / n


@slip("dL-dp", "loss", 2, "The derivative of -log p is -1/p. That is right. And yet.", "labels")
class SoftmaxLoss4(SoftmaxCrossEntropy):
    def compute(self, y, t):
        n = len(y)
        z = y - y.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        dy = np.zeros_like(log_p)
        dy[np.arange(n), t] = -1 / np.exp(log_p[np.arange(n), t]) / n
        return -log_p[np.arange(n), t].mean(), dy


@slip("diagonal-only", "loss", 3, "The scores of the wrong classes never fall.", "one-hot")
class SoftmaxLoss5(SoftmaxCrossEntropy):
    def compute(self, y, t):
        z = y - y.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        p = np.exp(log_p)
        dp = -t / p / len(y)
        return -(t * log_p).sum() / len(y), dp * p * (1 - p)


@slip("derivative-twice", "loss", 3, "The famous p - t, and then the chain rule for the softmax.", "one-hot")
class SoftmaxLoss6(SoftmaxCrossEntropy):
    def compute(self, y, t):
        z = y - y.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        p = np.exp(log_p)
        return -(t * log_p).sum() / len(y), (p - t) / len(y) * p * (1 - p)


@slip("labels-shifted", "loss", 2, "It learns with great certainty that a 3 is a 2.", "labels")
class SoftmaxLoss7(SoftmaxCrossEntropy):
    def compute(self, y, t):
        n = len(y)
        z = y - y.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        dy = np.exp(log_p) / n
        dy[np.arange(n), t - 1] -= 1 / n
        return -log_p[np.arange(n), t].mean(), dy


@slip("eps-in-log", "loss", 3, "A small number, so that log never sees 0. Most checks shrug.", "labels")
class SoftmaxLoss8(SoftmaxCrossEntropy):
    def compute(self, y, t):
        n = len(y)
        p = np.exp(y - y.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        value = -np.log(p[np.arange(n), t] + 1e-7).mean()
        p[np.arange(n), t] -= 1
        return value, p / n


@slip("sign", "loss", 1, "After ten epochs it is right in 0 of 10,000 cases, which takes some skill.", "one-hot")
class SoftmaxLoss9(SoftmaxCrossEntropy):
    def compute(self, y, t):
        z = y - y.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return -(t * log_p).sum() / len(y), (t - np.exp(log_p)) / len(y)


@slip("rows-not-elements", "loss", 2, "A mean is a mean. Of what, nobody asked.", "one-hot")
class SoftmaxLoss10(SoftmaxCrossEntropy):
    def compute(self, y, t):
        z = y - y.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return -(t * log_p).mean(), (np.exp(log_p) - t) / len(y)


@slip("missing-1/n", "loss", 1, "From a book, without one line of it.", "one-hot")
class SoftmaxWithLoss1:
    def forward(self, x, t):
        self.t = t
        e = np.exp(x - np.max(x, axis=1, keepdims=True))
        self.y = e / np.sum(e, axis=1, keepdims=True)
        return -np.sum(self.t * np.log(self.y)) / len(x)

    def backward(self, dout=1):
        return dout * (self.y - self.t)


@slip("eps-in-log", "loss", 3, "From a book, line by line.", "labels")
class SoftmaxWithLoss2:
    def forward(self, x, t):
        self.t = t
        e = np.exp(x - np.max(x, axis=1, keepdims=True))
        self.y = e / np.sum(e, axis=1, keepdims=True)
        return -np.sum(np.log(self.y[np.arange(len(t)), t] + 1e-7)) / len(t)

    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dout * dx / len(self.t)


@slip("no-minus-one", "loss", 1, "One statement works on an array that nobody keeps.", "labels")
class SoftmaxWithLoss3:
    def forward(self, x, t):
        self.t = t
        e = np.exp(x - np.max(x, axis=1, keepdims=True))
        self.y = e / np.sum(e, axis=1, keepdims=True)
        return -np.mean(np.log(self.y[np.arange(len(t)), t]))

    def backward(self, dout=1):
        self.y[np.arange(len(self.t))][:, self.t] -= 1
        return dout * self.y / len(self.t)


@slip("derivative-twice", "loss", 3, "Yes or no, many times. p - t looked too short to be all.", "bits")
class LogisticLoss1(Loss):
    def compute(self, y, t):
        p = 1 / (1 + np.exp(-y))
        value = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
        return value, (p - t) * p * (1 - p) / y.size


# --- softmax with cross-entropy: true to itself, and wrong -----------------------------------------------------------


@slip("sum-not-mean", "loss", 2, "The loss of the test set is 10,000 times that of a single image.", "labels")
class SoftmaxLoss11(SoftmaxCrossEntropy):
    def compute(self, y, t):
        rows = np.arange(len(y))
        z = y - y.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        dy = np.exp(log_p)
        dy[rows, t] -= 1
        return -log_p[rows, t].sum(), dy


@slip("softmax-over-batch", "loss", 2, "What an image is depends on the images that it came with.", "labels")
class SoftmaxLoss12(SoftmaxCrossEntropy):
    def compute(self, y, t):
        rows = np.arange(len(y))
        p = np.exp(y - y.max(axis=0))
        p /= p.sum(axis=0)
        dy = p.copy()
        dy[rows, t] -= 1
        return -np.log(p[rows, t]).mean(), dy / len(y)


@slip("softmax-over-batch", "loss", 3, "The gradient fits to the last digit. The columns sum to 1.", "one-hot")
class SoftmaxLoss13(SoftmaxCrossEntropy):
    def compute(self, y, t):
        z = y - y.max(axis=0)
        log_p = z - np.log(np.exp(z).sum(axis=0))
        return -(t * log_p).sum() / len(y), (np.exp(log_p) * t.sum(axis=0) - t) / len(y)


@slip("softmax-over-all", "loss", 2, "Probabilities that are smaller, the more rows there are.", "labels")
class SoftmaxWithLoss4:
    def forward(self, x, t):
        self.t = t
        x = x - np.max(x)
        self.y = np.exp(x) / np.sum(np.exp(x))
        return -np.sum(np.log(self.y[np.arange(len(t)), t])) / len(t)

    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dout * dx / len(self.t)


@slip("softmax-over-all", "loss", 3, "The gradient fits to the last digit. All numbers together sum to 1.", "one-hot")
class SoftmaxLoss14(SoftmaxCrossEntropy):
    def compute(self, y, t):
        z = y - y.max()
        log_p = z - np.log(np.exp(z).sum())
        return -(t * log_p).sum() / len(y), np.exp(log_p) - t / len(y)


@slip("softmax-twice", "loss", 3, "It learns, and the loss stays far above 0 however long it does.", "labels")
class SoftmaxLoss15(SoftmaxCrossEntropy):
    def softmax(self, y):
        e = np.exp(y - y.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def compute(self, y, t):
        rows = np.arange(len(y))
        q = self.softmax(y)
        p = self.softmax(q)
        value = -np.log(p[rows, t]).mean()
        p[rows, t] -= 1
        dq = p / len(y)
        return value, q * (dq - (dq * q).sum(axis=1, keepdims=True))


@slip("log-not-natural", "loss", 2, "With ten classes and no idea, the loss is 3.32.", "labels")
class SoftmaxLoss16(SoftmaxCrossEntropy):
    def compute(self, y, t):
        rows = np.arange(len(y))
        p = np.exp(y - y.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        value = -np.log2(p[rows, t]).mean()
        p[rows, t] -= 1
        return value, p / len(y)


@slip("log-not-natural", "loss", 2, "With ten classes and no idea, the loss is exactly 1.", "one-hot")
class SoftmaxLoss17(SoftmaxCrossEntropy):
    def compute(self, y, t):
        p = np.exp(y - y.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        value = -(t * np.log10(p)).sum() / len(y)
        return value, (p - t) / len(y) / np.log(10)


@slip("labels-shifted-loss", "loss", 2, "Do labels count from 0 or 1? The loss goes to 0 all the same.", "labels")
class SoftmaxLoss18(SoftmaxCrossEntropy):
    def compute(self, y, t):
        rows = np.arange(len(y))
        z = y - y.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        dy = np.exp(log_p)
        dy[rows, t - 1] -= 1
        return -log_p[rows, t - 1].mean(), dy / len(y)


@slip("eps-in-loss", "loss", 3, "A row that is all wrong costs 16, however wrong it is.", "labels")
class SoftmaxLoss19(SoftmaxCrossEntropy):
    def compute(self, y, t):
        rows = np.arange(len(y))
        p = np.exp(y - y.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        dp = np.zeros_like(p)
        dp[rows, t] = -1 / (p[rows, t] + 1e-7) / len(y)
        value = -np.log(p[rows, t] + 1e-7).mean()
        return value, p * (dp - (dp * p).sum(axis=1, keepdims=True))


@slip("no-max-subtraction", "loss", 1, "All is well until a score reaches a few hundred.", "labels")
class SoftmaxLoss20(SoftmaxCrossEntropy):
    def compute(self, y, t):
        rows = np.arange(len(y))
        log_p = y - np.log(np.exp(y).sum(axis=1, keepdims=True))
        dy = np.exp(log_p)
        dy[rows, t] -= 1
        return -log_p[rows, t].mean(), dy / len(y)


@slip("log-of-zero", "loss", 2, "The exponential is safe from overflow. The loss is infinite all the same.", "labels")
class SoftmaxLoss21(SoftmaxCrossEntropy):
    def compute(self, y, t):
        rows = np.arange(len(y))
        p = np.exp(y - y.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        value = -np.log(p[rows, t]).mean()
        p[rows, t] -= 1
        return value, p / len(y)


@slip("all-pairs", "loss", 3, "Each row is asked for the labels of all the others, too.", "labels")
class SoftmaxLoss22(SoftmaxCrossEntropy):
    def compute(self, y, t):
        z = y - y.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        dy = np.exp(log_p)
        dy[np.arange(len(y)), t] -= 1
        return -log_p[:, t].mean(), dy / len(y)


@slip("mean-over-classes", "loss", 2, "With ten classes and no idea, the loss is 0.23.", "one-hot")
class SoftmaxLoss23(SoftmaxCrossEntropy):
    def compute(self, y, t):
        z = y - y.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return -(t * log_p).mean(), (np.exp(log_p) - t) / y.size
