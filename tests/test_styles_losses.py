"""Losses in the styles of courses and small frameworks: each right one is right, each planted slip is named.

A style is a piece of code and a table of changes to it: (name, kind of targets, what is replaced, by what, the code).
"""

import inspect

import numpy as np
import pytest

import tinynn
from tinynn import Affine, Layer, Sequential, Tanh, check, check_loss
from tinynn.__main__ import main
from tinynn.teach.zoo import cases

OK = "ok"
FUNCTIONS_OF_X = """
def softmax_loss(x, y):
    shifted = x - np.max(x, axis=1, keepdims=True)
    log_probs = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    N = x.shape[0]
    loss = -np.sum(log_probs[np.arange(N), y]) / N
    dx = np.exp(log_probs)
    dx[np.arange(N), y] -= 1
    dx /= N
    return loss, dx

def svm_loss(x, y):
    N = x.shape[0]
    correct = x[np.arange(N), y]
    margins = np.maximum(0, x - correct[:, None] + 1.0)
    margins[np.arange(N), y] = 0
    loss = np.sum(margins) / N
    dx = np.zeros_like(x)
    dx[margins > 0] = 1
    dx[np.arange(N), y] -= np.sum(margins > 0, axis=1)
    dx /= N
    return loss, dx
"""
OBJECTS_OF_T_Y = """
class SquareLoss:
    def loss(self, y, y_pred):
        return 0.5 * np.power((y - y_pred), 2)
    def gradient(self, y, y_pred):
        return -(y - y_pred)

class CrossEntropy:
    def loss(self, y, p):
        p = np.clip(p, 1e-15, 1 - 1e-15)
        return -y * np.log(p) - (1 - y) * np.log(1 - p)
    def gradient(self, y, p):
        p = np.clip(p, 1e-15, 1 - 1e-15)
        return -(y / p) + (1 - y) / (1 - p)
"""
LAYERS = """
class Loss:
    def calculate(self, output, y):
        return np.mean(self.forward(output, y))

class Loss_MeanSquaredError(Loss):
    def forward(self, y_pred, y_true):
        return np.mean((y_true - y_pred) ** 2, axis=-1)
    def backward(self, dvalues, y_true):
        samples, outputs = len(dvalues), len(dvalues[0])
        self.dinputs = -2 * (y_true - dvalues) / outputs
        self.dinputs = self.dinputs / samples

class Loss_MeanAbsoluteError(Loss):
    def forward(self, y_pred, y_true):
        return np.mean(np.abs(y_true - y_pred), axis=-1)
    def backward(self, dvalues, y_true):
        samples, outputs = len(dvalues), len(dvalues[0])
        self.dinputs = -np.sign(y_true - dvalues) / outputs
        self.dinputs = self.dinputs / samples

class Loss_CategoricalCrossentropy(Loss):
    def forward(self, y_pred, y_true):
        samples = len(y_pred)
        y_pred_clipped = np.clip(y_pred, 1e-7, 1 - 1e-7)
        if len(y_true.shape) == 1:
            correct_confidences = y_pred_clipped[range(samples), y_true]
        else:
            correct_confidences = np.sum(y_pred_clipped * y_true, axis=1)
        return -np.log(correct_confidences)
    def backward(self, dvalues, y_true):
        samples, labels = len(dvalues), len(dvalues[0])
        if len(y_true.shape) == 1:
            y_true = np.eye(labels)[y_true]
        self.dinputs = -y_true / dvalues
        self.dinputs = self.dinputs / samples

class Loss_BinaryCrossentropy(Loss):
    def forward(self, y_pred, y_true):
        p = np.clip(y_pred, 1e-7, 1 - 1e-7)
        losses = -(y_true * np.log(p) + (1 - y_true) * np.log(1 - p))
        return np.mean(losses, axis=-1)
    def backward(self, dvalues, y_true):
        samples, outputs = len(dvalues), len(dvalues[0])
        p = np.clip(dvalues, 1e-7, 1 - 1e-7)
        self.dinputs = -(y_true / p - (1 - y_true) / (1 - p)) / outputs
        self.dinputs = self.dinputs / samples

class Softmax_CategoricalCrossentropy:
    def forward(self, inputs, y_true):
        e = np.exp(inputs - np.max(inputs, axis=1, keepdims=True))
        self.output = e / np.sum(e, axis=1, keepdims=True)
        return np.mean(-np.log(self.output[range(len(inputs)), y_true]))
    def backward(self, dvalues, y_true):
        samples = len(dvalues)
        self.dinputs = dvalues.copy()
        self.dinputs[range(samples), y_true] -= 1
        self.dinputs = self.dinputs / samples
"""
PAIRS = """
def mse(y_true, y_pred):
    return np.mean(np.power(y_true - y_pred, 2))
def mse_prime(y_true, y_pred):
    return 2 * (y_pred - y_true) / y_true.size

def half(a, b):
    return 0.5 * np.sum((a - b) ** 2)
def half_prime(a, b):
    return b - a

def binary_cross_entropy(y_true, y_pred):
    return np.mean(-y_true * np.log(y_pred) - (1 - y_true) * np.log(1 - y_pred))
def binary_cross_entropy_prime(y_true, y_pred):
    return ((1 - y_true) / (1 - y_pred) - y_true / y_pred) / np.size(y_true)
"""
PREDICTED_ACTUAL = """
class MSE:
    def loss(self, predicted, actual):
        return np.sum((predicted - actual) ** 2)
    def grad(self, predicted, actual):
        return 2 * (predicted - actual)

class TotalHuber:
    def __init__(self, delta=2.5):
        self.delta = delta
    def loss(self, predicted, actual):
        dist = np.abs(predicted - actual)
        near = dist < self.delta
        return np.sum(np.where(near, 0.5 * dist**2, self.delta * (dist - 0.5 * self.delta))) / len(predicted)
    def grad(self, predicted, actual):
        err = predicted - actual
        near = np.abs(err) < self.delta
        return np.where(near, err, self.delta * np.sign(err)) / len(predicted)

class SoftmaxCrossEntropy:
    def __init__(self, T=1.0):
        self._T = T
    def loss(self, logits, labels):
        z = logits / self._T
        z = z - np.max(z, axis=1, keepdims=True)
        log_p = z - np.log(np.sum(np.exp(z), axis=1, keepdims=True))
        return -np.sum(log_p * labels) / logits.shape[0]
    def grad(self, logits, labels):
        z = logits / self._T
        e = np.exp(z - np.max(z, axis=1, keepdims=True))
        p = e / np.sum(e, axis=1, keepdims=True)
        return (p - labels) / logits.shape[0]

class SquaredHinge:
    def loss(self, predicted, actual):
        return np.mean(np.maximum(0, 1 - actual * predicted) ** 2)
    def grad(self, predicted, actual):
        return -2 * actual * np.maximum(0, 1 - actual * predicted) / predicted.size

class Hinge:
    def loss(self, predicted, actual):
        return np.mean(np.maximum(0, 1 - actual * predicted))
    def grad(self, predicted, actual):
        return -actual * (actual * predicted < 1) / predicted.size
"""
COSTS = """
class QuadraticCost(object):
    @staticmethod
    def fn(a, y):
        return 0.5 * np.linalg.norm(a - y) ** 2
    @staticmethod
    def delta(a, y):
        return a - y

class SigmoidQuadraticCost(object):
    @staticmethod
    def fn(a, y):
        return 0.5 * np.sum((a - y) ** 2)
    @staticmethod
    def delta(z, a, y):
        return (a - y) * np.exp(-z) / (1 + np.exp(-z)) ** 2

class CrossEntropyCost(object):
    @staticmethod
    def fn(a, y):
        return np.sum(np.nan_to_num(-y * np.log(a) - (1 - y) * np.log(1 - a)))
    @staticmethod
    def delta(z, a, y):
        return a - y
"""
CALLED = """
class CrossEntropyOfProbabilities:
    def __call__(self, y, y_pred):
        return self.loss(y, y_pred)
    @staticmethod
    def loss(y, y_pred):
        return -np.sum(y * np.log(y_pred + np.finfo(float).eps))
    @staticmethod
    def grad(y, y_pred):
        return y_pred - y

class SquaredError:
    def __call__(self, y, y_pred):
        return self.loss(y, y_pred)
    @staticmethod
    def loss(y, y_pred):
        return 0.5 * np.linalg.norm(y_pred - y) ** 2
    @staticmethod
    def grad(y, y_pred, z, act_fn):
        return (y_pred - y) * act_fn.grad(z)
"""
ROWS = """
def squared_loss(y_hat, y):
    return (y_hat - y.reshape(y_hat.shape)) ** 2 / 2
def squared_loss_grad(y_hat, y):
    return (y_hat - y.reshape(y_hat.shape)) / len(y_hat)

class LogitsBCE:
    def __init__(self, w=3.0):
        self.w = w
    def value(self, z, t):
        p = 1 / (1 + np.exp(-z))
        return -(self.w * t * np.log(p) + (1 - t) * np.log(1 - p)).mean(axis=1)
    def derivative(self, z, t):
        p = 1 / (1 + np.exp(-z))
        return ((1 + (self.w - 1) * t) * p - self.w * t) / z.size

class Weighted:
    def forward(self, scores, labels):
        self.w = np.array([1.0, 2.0, 0.5])[labels]
        z = scores - scores.max(axis=1, keepdims=True)
        self.log_p, self.labels = z - np.log(np.exp(z).sum(axis=1, keepdims=True)), labels
        return -(self.w * self.log_p[np.arange(len(labels)), labels]).mean()
    def backward(self):
        d = np.exp(self.log_p)
        d[np.arange(len(self.labels)), self.labels] -= 1
        return d * self.w[:, None] / len(d)

class Smoothed:
    def forward(self, scores, labels):
        C = scores.shape[1]
        z = scores - scores.max(axis=1, keepdims=True)
        self.log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        self.T = np.eye(C)[labels] * 0.9 + 0.1 / C
        self.labels = np.eye(C)[labels]
        return -(self.T * self.log_p).sum() / len(labels)
    def backward(self):
        return (np.exp(self.log_p) - self.T) / len(self.T)

class Masked:
    def forward(self, scores, labels):
        self.mask = (np.arange(len(labels)) % 3 != 1).astype(float)
        z = scores - scores.max(axis=1, keepdims=True)
        self.log_p, self.labels = z - np.log(np.exp(z).sum(axis=1, keepdims=True)), labels
        return -(self.mask * self.log_p[np.arange(len(labels)), labels]).sum() / self.mask.sum()
    def backward(self):
        d = np.exp(self.log_p)
        d[np.arange(len(self.labels)), self.labels] -= 1
        return d * self.mask[:, None] / self.mask.sum()
"""

COLUMNS = """
class ColumnMSE:
    def loss(self, predictions, y):
        return np.sum((y - predictions) ** 2) / y.shape[1]
    def loss_gradient(self, predictions, y):
        return -2 * (y - predictions) / y.shape[1]

def cross_entropy_cost(AL, Y):
    m = Y.shape[1]
    return -np.sum(Y * np.log(AL)) / m
def cross_entropy_cost_backward(AL, Y):
    return -(Y / AL) / Y.shape[1]
"""

STYLES = {
    "functions of x": (FUNCTIONS_OF_X, [
        ("softmax_loss", "labels", "", "", OK), ("svm_loss", "labels", "", "", OK),
        ("softmax_loss", "labels", "    dx /= N\n", "", "missing-1/n"),
        ("softmax_loss", "labels", "    dx[np.arange(N), y] -= 1\n", "", "no-minus-one"),
        ("softmax_loss", "labels", "/ N\n    dx", "\n    dx", "divided-by-n-twice"),
        ("softmax_loss", "labels", "axis=1", "axis=0", "softmax-over-batch"),
        ("svm_loss", "labels", "    dx[np.arange(N), y] -= np.sum(margins > 0, axis=1)\n", "", "label-not-pushed"),
        ("svm_loss", "labels", "dx[margins > 0] = 1", "dx[margins < 0] = 1", "unknown"),
    ]),
    "objects of (t, y)": (OBJECTS_OF_T_Y, [
        ("SquareLoss", "values", "", "", OK), ("CrossEntropy", "bits", "", "", OK),
        ("SquareLoss", "values", "return -(y", "return (y", "sign"),
        ("SquareLoss", "values", "return -(y - y_pred)", "return -2 * (y - y_pred)", "factor-2"),
        ("CrossEntropy", "bits", "-(y / p) + (1", "-(y / p) - (1", "term-sign"),
        ("CrossEntropy", "bits", "-(y / p) + (1 - y) / (1 - p)", "-(y / p)", "positives-only"),
        ("CrossEntropy", "bits", "-(y / p) + (1 - y) / (1 - p)", "p - y", "not-judged"),
    ]),
    "layers": (LAYERS, [
        *((name, kind, "", "", OK) for name, kind in (
            ("Loss_MeanSquaredError", "values"), ("Loss_MeanAbsoluteError", "values"),
            ("Loss_CategoricalCrossentropy", "labels"), ("Loss_CategoricalCrossentropy", "one-hot"),
            ("Loss_BinaryCrossentropy", "bits"))),
        ("Loss_MeanSquaredError", "values", "/ outputs", "", "rows-not-elements"),
        ("Loss_MeanSquaredError", "values", "/ samples", "", "missing-1/n"),
        ("Loss_MeanAbsoluteError", "values", "np.sign(y_true - dvalues)", "(y_true - dvalues)", "error-for-sign"),
        ("Loss_MeanAbsoluteError", "values", "-np.sign(y_true - dvalues)", "(dvalues > y_true)", "one-side-only"),
        ("Loss_CategoricalCrossentropy", "labels", "-y_true / dvalues", "dvalues - y_true", "not-judged"),
        ("Loss_CategoricalCrossentropy", "labels", "-y_true / dvalues", "y_true / dvalues", "sign"),
        ("Loss_CategoricalCrossentropy", "labels", "-y_true / dvalues", "-1 / dvalues", "not-at-label"),
        ("Loss_CategoricalCrossentropy", "labels", "np.log(correct", "np.log(1e-6 + correct", OK),
        ("Loss_BinaryCrossentropy", "bits", "- (1 - y_true)", "+ (1 - y_true)", "term-sign"),
        ("Softmax_CategoricalCrossentropy", "labels", "-np.log(", "-np.log(1e-7 + ", "eps-in-log"),
    ]),
    "pairs": (PAIRS, [
        ("mse", "values", "", "", OK), ("half", "values", "", "", OK), ("binary_cross_entropy", "bits", "", "", OK),
        ("mse", "values", "2 * (y_pred", "(y_pred", "factor-half"),
        ("mse", "values", "(y_pred - y_true)", "(y_true - y_pred)", "sign"),
        ("mse", "values", "/ y_true.size", "/ len(y_true)", "rows-not-elements"),
        ("binary_cross_entropy", "bits", "((1 - y_true) / (1 - y_pred) - y_true / y_pred)", "(y_pred - y_true)",
         "not-judged"),
    ]),
    "predicted and actual": (PREDICTED_ACTUAL, [
        ("MSE", "values", "", "", OK), ("TotalHuber", "values", "", "", OK), ("SoftmaxCrossEntropy", "one-hot", "", "", OK),
        ("SquaredHinge", "signs", "", "", OK), ("Hinge", "signs", "", "", OK),
        ("MSE", "values", "2 * (predicted - actual)", "2 * (actual - predicted)", "sign"),
        ("TotalHuber", "values", "self.delta * np.sign(err)", "np.sign(err)", "tail-without-delta"),
        ("TotalHuber", "values", "self.delta * np.sign(err)", "self.delta * err", "tail-times-delta"),
        ("TotalHuber", "values", "self.delta * np.sign(err)", "0", "no-tail"),
        ("TotalHuber", "values", "near = np.abs(err)", "near = err", "negative-tail"),
        ("TotalHuber", "values", "np.where(near, err, self.delta * np.sign(err))", "err", "not-clipped"),
        ("TotalHuber", "values", "np.where(near, err, self.delta * np.sign(err))", "np.clip(err, -1, 1)", "clipped-at-1"),
        ("SoftmaxCrossEntropy", "one-hot", "(p - labels)", "(p - labels) * p * (1 - p)", "derivative-twice"),
        ("SoftmaxCrossEntropy", "one-hot", "(p - labels)", "(logits - labels)", "scores-for-p"),
        ("SquaredHinge", "signs", "np.maximum(0, 1 - actual * predicted) / predicted.size",
         "(actual * predicted < 1) / predicted.size", "not-squared"),
        ("Hinge", "signs", "-actual * (", "-1.0 * (", "label-lost"),
        ("Hinge", "signs", "-actual * (actual * predicted < 1)", "-actual * (actual * predicted < 0)", "margin-0"),
        ("Hinge", "signs", "-actual * (actual * predicted < 1)", "-actual", "no-margin-mask"),
        ("Hinge", "signs", "-actual * (actual * predicted < 1)", "-actual * (actual * predicted > 1)", "mask-inverted"),
    ]),
    "costs": (COSTS, [
        ("QuadraticCost", "values", "", "", OK), ("QuadraticCost", "values", "return a - y", "return y - a", "sign"),
        ("QuadraticCost", "values", "return a - y", "return 2 * (a - y)", "factor-2"),
        ("SigmoidQuadraticCost", "values", "", "", OK), ("CrossEntropyCost", "bits", "", "", OK),
        ("SigmoidQuadraticCost", "values", "(a - y) * np", "(y - a) * np", "sign"),
        ("CrossEntropyCost", "bits", "return a - y", "return a", "no-minus-one"),
        ("CrossEntropyCost", "bits", "return a - y", "return (a - y) * a * (1 - a)", "derivative-twice"),
        ("CrossEntropyCost", "bits", "return a - y", "return z - y", "scores-for-p"),
    ]),
    "columns": (COLUMNS, [
        ("ColumnMSE", "values", "", "", OK), ("cross_entropy_cost", "one-hot", "", "", OK),
        ("ColumnMSE", "values", "return -2", "return 2", "sign"),
        ("ColumnMSE", "values", "return -2", "return -1", "factor-half"),
        ("cross_entropy_cost", "one-hot", "-(Y / AL)", "(Y / AL)", "sign"),
    ]),
    "called": (CALLED, [
        ("SquaredError", "values", "", "", OK),
        ("SquaredError", "values", "(y_pred - y) * act_fn", "(y - y_pred) * act_fn", "sign"),
        ("CrossEntropyOfProbabilities", "one-hot", "", "", "not-judged"),
    ]),
    "rows": (ROWS, [
        ("squared_loss", "values", "", "", OK), ("LogitsBCE", "bits", "", "", OK), ("Weighted", "labels", "", "", OK),
        ("Smoothed", "labels", "", "", OK), ("Masked", "labels", "", "", OK),
        ("LogitsBCE", "bits", "((1 + (self.w - 1) * t) * p - self.w * t)", "(p - t)", "weight-in-loss-only"),
        ("LogitsBCE", "bits", "((1 + (self.w - 1) * t) * p - self.w * t)", "(p - self.w * t)", "weight-on-t"),
        ("LogitsBCE", "bits", "((1 + (self.w - 1) * t) * p - self.w * t)", "-t * (1 - p)", "positives-only"),
        ("Weighted", "labels", "d * self.w[:, None]", "d", "weight-in-loss-only"),
        ("Smoothed", "labels", "(np.exp(self.log_p) - self.T)", "(np.exp(self.log_p) - self.labels)",
         "smoothing-in-loss-only"),
        ("Smoothed", "labels", "(np.exp(self.log_p) - self.T)", "(np.exp(self.log_p) - 0.9 * self.labels)",
         "other-smoothing"),
        ("Masked", "labels", "d * self.mask[:, None]", "d", "mask-in-loss-only"),
    ]),
}  # fmt: skip
CASES = [pytest.param(code, case[0], *case[2:], case[1], id=f"{style}: {case[0]} {case[4]} {k}")
         for style, (code, cases) in STYLES.items() for k, case in enumerate(cases)]  # fmt: skip


def data(kind):
    rng = np.random.default_rng(5)
    y, labels = 3 * rng.normal(size=(7, 3)), np.array([0, 1, 2, 1, 0, 2, 1])
    return y, {
        "labels": labels,
        "one-hot": np.eye(3)[labels],
        "bits": (rng.random((7, 3)) < 0.4).astype(float),
        "signs": np.sign(rng.normal(size=(7, 3))),
        "values": rng.normal(size=(7, 3)),
    }[kind]


def run(names, name, kind):
    loss = names[name]
    partner = next((names[name + end] for end in ("_prime", "_grad", "_backward") if name + end in names), None)
    loss = (loss, partner) if partner else loss() if isinstance(loss, type) else loss
    return check_loss(loss, *data(kind))


@pytest.mark.parametrize("code, name, old, new, expected, kind", CASES)
def test_a_style(code, name, old, new, expected, kind):
    start = next(code.index(f" {name}{end}") for end in "(:" if f" {name}{end}" in code)
    assert old in code[start:], "the change must be one"
    changed = code[:start] + code[start:].replace(old, new) if old else code
    names = {"np": np}
    exec(compile(changed, "learner.py", "exec"), names)
    report = run(names, name, kind)
    assert report.code == expected, f"{inspect.cleandoc(changed)}\n{report}"
    assert all(len(line) <= 100 for line in str(report).splitlines())


class PassesOn(Layer):
    """A softmax that leaves its derivative to the loss."""

    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def backward(self, dy):
        return dy


@pytest.mark.parametrize("last, expected", [(PassesOn, "ok"), (cases.Softmax, "softmax-gradient-twice")])
def test_p_minus_t_of_probabilities_depends_on_the_layer_before(last, expected):
    names = {"np": np}
    exec(compile(CALLED.replace("return y_pred - y", "return (y_pred - y)"), "learner.py", "exec"), names)
    rng = np.random.default_rng(0)
    model = Sequential(Affine(5, 4), Tanh(), Affine(4, 3), last(), backend="numpy", dtype="float64", seed=0)
    t = np.eye(3)[rng.integers(0, 3, 7)]
    report = check(model, rng.normal(size=(7, 5)), t, names["CrossEntropyOfProbabilities"]())
    assert report.code == expected, report
    if expected == "ok":
        assert any("together they are right" in note for note in report.notes)
    else:
        assert report.where == "loss CrossEntropyOfProbabilities()"


FILE = "import numpy as np\n" + PAIRS.replace("np.log(y_pred)", "np.log10(y_pred)") + COSTS + FUNCTIONS_OF_X
LOOPS = """
class Called:
    def __call__(self, y_true, y_pred):
        return -np.sum(y_true * np.log(y_pred) + (1 - y_true) * np.log(1 - y_pred)) / len(y_true)

    def grad(self, y_true, y_pred):
        return (y_pred - y_true) / (y_pred * (1 - y_pred)) / len(y_true)

class CalledWithoutSlope(Called):
    def grad(self, y_true, y_pred):
        return (y_pred - y_true) / len(y_true)

import tinynn
inputs, labels = np.random.default_rng(0).normal(size=(8, 3)), np.arange(8) % 2
model = tinynn.Sequential(tinynn.Affine(3, 2), dtype="float64", backend="numpy", seed=0)

def train(model, inputs, labels, epochs=4):
    loss, optimizer = tinynn.SoftmaxCrossEntropy(), tinynn.SGD(model, 0.1)
    for _ in range(epochs):
        y = model.forward(inputs)
        loss.forward(y, labels)
        model.backward(loss.backward())
        optimizer.step()

def train_early(model, inputs, labels):
    loss, optimizer = tinynn.SoftmaxCrossEntropy(), tinynn.SGD(model, 0.1)
    for _ in range(6):
        loss.forward(model.forward(inputs), labels)
        optimizer.step()
        model.backward(loss.backward())

def train_by_hand(W=np.ones(3)):
    for _ in range(3):
        W -= 0.1 * W

def train_what(data):
    pass

def sgd(w, dw, config=None):
    return w - config["learning_rate"] * dw, config

def update(weights, n_things, dw):
    weights -= dw / n_things
"""


@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("mse", 0, "check of loss mse with mse_prime: right"),
        ("half", 0, "as f(y, t) its gradient would have the wrong sign"),
        ("binary_cross_entropy", 1, "wrong in loss binary_cross_entropy"),
        ("QuadraticCost", 0, ": right"),
        ("softmax_loss", 0, ": right"),
        ("Called", 0, "check of loss Called(): right"),
        ("CalledWithoutSlope", 2, "where that for p is (p - t) / (p (1 - p))"),
        ("train", 0, "forward, loss, gradient of the loss, backward"),
        ("train_early", 1, "updated-too-early"),
        ("train_by_hand", 2, "how this loop trains is not known"),
        ("train_what", 2, "how this loop trains is not known"),
        ("sgd", 0, "the path is that of plain gradient descent"),
        ("update", 2, "it is not known how to call it"),
    ],
)
def test_the_command_line(name, status, said, tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(FILE + LOOPS)
    assert main(["check", "--timeout=0", f"{path}:{name}"]) == status
    out, err = capsys.readouterr()
    assert said in " ".join((out + err).split()) and "Traceback" not in out + err


class Plain:
    def __init__(self, lr=0.1):
        self.lr = lr

    def update(self, params, grads):
        for name in params:
            params[name] -= self.lr * grads[name]


@pytest.mark.parametrize(
    ("optimizer", "options", "error", "says"),
    [
        (Plain, {"momentum": 0.9}, TypeError, r"options must be arguments of Plain \(lr\), not 'momentum'"),
        (tinynn.SGD, {"momentun": 0.9}, TypeError, "options must be arguments of SGD .*momentum.*, not 'momentun'"),
        (Plain, {"lr": "a"}, TypeError, "lr must be a number, 0 or more, not 'a'"),
        (Plain, {"lr": -1}, ValueError, "lr must be a number, 0 or more, not -1"),
        (Plain(), {}, TypeError, r"not .*\(Plain\): give the class, Plain, not an object of it"),
        (tinynn.ReLU(), {}, TypeError, r"optimizer must be a class or a function, not ReLU\(\) \(ReLU\)$"),
    ],
)
def test_slips_of_the_caller_of_check_optimizer(optimizer, options, error, says):
    with pytest.raises(error, match=says):
        tinynn.check_optimizer(optimizer, **options)
    assert tinynn.check_optimizer(Plain, lr=0.3)


def test_what_has_no_gradient_and_what_does_not_change_is_said():
    y, t = np.random.default_rng(0).normal(size=(2, 7, 3))

    def mse(y, t):
        return np.mean((y - t) ** 2)

    def nothing(y, t):
        return None

    def constant(y, t):
        return 3.0

    def mse_prime(y, t):
        return 2 * (y - t) / y.size

    report = tinynn.check_loss((mse, nothing), y, t)
    assert report.code == "not-judged" and report.why == "nothing returns None: there is no gradient to look at"
    assert "measured by" not in str(report) and "measured by" in str(tinynn.check_loss((mse, mse_prime), y, t))
    report = tinynn.check_loss((constant, mse_prime), y, t)
    assert report.code == "unknown" and "the loss does not change with y at all, and dy is not 0" in report.why
    with pytest.raises(TypeError, match=r"loss must be .* give an object of that class, MSE\(...\)$"):
        tinynn.check_loss(tinynn.MSE, y, t)


EPS = """
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
class OfP:
    def forward(self, p, t):
        self.p, self.t = p, t
        return -np.sum(t * np.log(p + EPS)) / len(p)
    def backward(self):
        return -self.t / self.p / len(self.p)
class OfScores:
    def forward(self, z, t):
        self.p, self.t = softmax(z), t
        return -np.mean(np.sum(t * np.log(self.p + EPS), axis=1))
    def backward(self):
        return (self.p - self.t) / len(self.t)
class OfBits:
    def forward(self, z, t):
        self.p, self.t = 1 / (1 + np.exp(-z)), t
        return -np.mean(t * np.log(self.p + EPS) + (1 - t) * np.log(1 - self.p + EPS))
    def backward(self):
        return (self.p - self.t) / self.t.size
class Net:
    def __init__(self):
        self.W = np.random.default_rng(0).normal(size=(4, 3))
    def forward(self, x):
        return softmax(x @ self.W)
    def loss(self, x, t):
        return -np.mean(np.sum(t * np.log(self.forward(x) + EPS), axis=1))
    def backward(self, x, t):
        self.dW = x.T @ (self.forward(x) - t) / len(x)
"""


@pytest.mark.parametrize("eps", ["1e-12", "1e-8", "1e-5"])
@pytest.mark.parametrize("name", ["OfP", "OfScores", "OfBits", "Net"])
def test_an_eps_that_the_gradient_leaves_out_is_no_mistake(name, eps):
    """It is noted, where it can be seen at all; a mistake beside it has its name; a gradient with eps is right, too."""
    y, t = data("bits" if name == "OfBits" else "one-hot")

    def judged(*changes, of=name):
        code = EPS
        for old, new in changes:
            code = code.replace(old, new)
        names = {"np": np}
        exec(compile(code.replace("EPS", eps), "learner.py", "exec"), names)
        x = np.random.default_rng(1).normal(size=(7, 4))
        return (check(names[of](), x, t) if of == "Net" else check_loss(names[of](), y, t)).lenient()

    right = judged()
    assert right and (f"log(p + {float(eps):.2g})" in " ".join(right.notes) or eps == "1e-12"), right
    changes = {
        "-self.t /": "self.t /",
        "(self.p - self.t)": "(self.t - self.p)",
        "self.forward(x) - t": "t - self.forward(x)",
    }
    assert judged(*changes.items()).code == "sign"
    own = judged(("-self.t / self.p", "-self.t / (self.p + EPS)"), of="OfP")
    assert own and not any("leaves" in note for note in own.notes), own
