"""The gradient check: right networks pass, one wrong number among 200,000 does not, and nothing is changed by looking."""

from __future__ import annotations

import concurrent.futures
import copy
import inspect
import itertools
import math
import pickle
import random
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import IMAGES, LAYERS, loss_cases, make_layer

import tinynn
from tinynn import (
    MSE,
    SGD,
    Activation,
    Adam,
    Affine,
    GaussianNLL,
    Layer,
    ReLU,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    check,
    check_layer,
    check_loss,
    check_optimizer,
)
from tinynn.teach import adapt
from tinynn.teach.checking import measure
from tinynn.teach.checking.report import WIDTH, Finding, Report, Row


def batch(D, C, N=7, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, D)), rng.integers(0, C, N)


def lecture(*middle, backend=None, **options):
    return Sequential(Affine(784, 256), *(middle or (ReLU(),)), Affine(256, 10), backend=backend, seed=0, **options)


def state(model, loss):
    """Everything that a check could have changed, as bytes."""
    rng = np.random.get_state()
    arrays = [(layer.x, layer.y, sorted(layer.arrays)) for layer in model]
    return pickle.dumps((model.params, model.grads, arrays, loss.dy, rng[1].tobytes(), rng[2], model.seed))


# --- what is right ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", LAYERS)
@pytest.mark.parametrize("N", [1, 2, 7])
def test_every_layer_is_right(cls, N):
    if N < 3 and cls in (tinynn.BatchNorm, tinynn.Residual):
        return  # of one row there is no variance, and of two, y is the same whatever they are
    x = batch(20 * 5, 3, N)[0].reshape(N, 4, 5, 5) if cls in IMAGES else batch(5, 3, N)[0]
    report = check_layer(make_layer(cls, 5, 3), x)
    assert report, report
    assert report.code == "ok" and report.why == report.fix == report.where == ""
    assert report.method == "the complex step"
    assert max(row.error for row in report.rows) < 1e-13  # no difference is taken: only round-off is left


@pytest.mark.parametrize(("name", "cls", "options", "draw"), loss_cases())
@pytest.mark.parametrize("N", [1, 2, 7])
def test_every_loss_is_right(name, cls, options, draw, N):
    y, t = draw(np.random.default_rng(1), N, 3)
    report = check_loss(cls(**options), y, t)
    assert report, report
    assert len(report.rows) == 1 and report.rows[0].error < 1e-13


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_lectures_network_is_right_and_unchanged(backend, dtype):
    x, t = batch(784, 10)
    x = x.astype(dtype)
    model, loss = lecture(backend=backend, dtype=dtype), SoftmaxCrossEntropy()
    loss.forward(model.forward(x), t)  # a pending backward
    model.backward(loss.backward())
    before = state(model, loss)
    kept = x.copy(), t.copy()
    report = check(model, x, t, loss)
    assert report, report
    assert state(model, loss) == before
    assert np.array_equal(x, kept[0]) and np.array_equal(t, kept[1])
    assert [(row.where.split(",")[0], row.tensor) for row in report.rows[1:]] == [
        ("layer 3", "db"), ("layer 3", "dW"), ("layer 1", "db"), ("layer 1", "dW"),
    ]  # fmt: skip


def test_a_trained_network_is_right():
    """Where all is learned, p - t is round-off to its last digits: that is no bug."""
    x, t = batch(2, 2, 20)
    x[:, 0] += 8 * t
    model, loss = Sequential(Affine(2, 16), Tanh(), Affine(16, 2), dtype="float64", seed=0), SoftmaxCrossEntropy()
    model.fit(x, t, loss=loss, optimizer=Adam(model, 0.1), epochs=200, seed=0, progress=False)
    model[2].W = 30 * model[2].W
    assert loss(model(x), t) < 1e-12
    report = check(model, x, t, loss)
    assert report, report


def test_a_gradient_that_cancels_is_right():
    """The mean over the batch is taken off: the bias before it has the gradient 0, up to round-off."""

    class Centre(Layer):
        def forward(self, x):
            return x - x.mean(axis=0)

        def backward(self, dy):
            return dy - dy.mean(axis=0)

    x, t = batch(5, 3)
    report = check(Sequential(Affine(5, 4), Centre(), Tanh(), Affine(4, 3)), x, t, SoftmaxCrossEntropy())
    assert report, report


def test_own_models_and_lists_of_layers(monkeypatch):
    monkeypatch.syspath_prepend("examples")
    import own_model

    x, t = batch(784, 10)
    model = own_model.MultiLayerPerceptron(hdim=16)
    before = model.params.copy(), model.grads.copy()
    assert check(model, x, t, SoftmaxCrossEntropy())
    assert np.array_equal(model.params, before[0]) and np.array_equal(model.grads, before[1])
    assert check(own_model.MultiLayerPerceptron(hdim=16, activation=own_model.LeakyReLU), x, t, SoftmaxCrossEntropy())
    assert check([Affine(784, 8), Tanh(), Affine(8, 10)], x, t, SoftmaxCrossEntropy())
    assert check(Affine(784, 10), x, t, SoftmaxCrossEntropy())


def test_rows_and_notes():
    x, t = batch(5, 3, 100)
    report = check(Sequential(Affine(5, 3)), (10 * x).astype(int), t, SoftmaxCrossEntropy())
    assert report
    assert [note.split()[0] for note in report.notes] == ["x", "the"] and "32 of 100" in report.notes[1]


# --- what is wrong ----------------------------------------------------------------------------------------------------


def one_weight(dW):
    dW[400, 100] *= 1.1


def one_row(dW):
    dW[300] *= 1.01


def all_of_it(dW):
    dW *= 1.0001


@pytest.mark.parametrize("slip", [one_weight, one_row, all_of_it])
@pytest.mark.parametrize("seed", range(5))
def test_a_single_wrong_number_among_200_000_is_seen(slip, seed):
    class Slipped(Affine):
        def backward(self, dy):
            dx = super().backward(dy)
            slip(self.dW)
            return dx

    x, t = batch(784, 10, seed=seed)
    model = Sequential(Slipped(784, 256), ReLU(), Affine(256, 10), seed=seed)
    report = check(model, x, t, SoftmaxCrossEntropy(), seed=seed)
    assert not report
    assert (report.where.split(",")[0], report.rows[-1].tensor) == ("layer 1", "dW")
    assert [row.verdict for row in report.rows] == ["ok"] * 4 + ["wrong"]
    if slip is one_weight:
        assert report.rows[-1].entry == "[400, 100]" and report.code == "unknown"
        assert "At dW[400, 100]" in report.why
    if slip is one_row:
        assert report.rows[-1].entry.startswith("[300, ")


@pytest.mark.parametrize("size", [1e-3, 1e-9, 1e-15])
def test_a_sign_in_a_tiny_gradient_is_found(size):
    """Thresholds are relative to the tensor's own scale: an absolute 1e-5, as elsewhere, would let these pass."""

    class Uphill(Affine):
        def backward(self, dy):
            dx = super().backward(dy)
            self.dW = -self.dW
            return dx

    def scaled(rng_scale):
        return lambda shape, rng: rng.normal(0, rng_scale, shape)

    x, t = batch(5, 3)
    model = Sequential(Uphill(5, 4), Tanh(), Affine(4, 3, weight_init=scaled(size)), seed=0)
    report = check(model, x, t, SoftmaxCrossEntropy())
    assert report.code == "sign" and report.where.startswith("layer 1")
    assert abs(report.rows[-1].analytic) < size
    right = Sequential(Affine(5, 4), Tanh(), Affine(4, 3, weight_init=scaled(size)), seed=0)
    assert check(right, x, t, SoftmaxCrossEntropy())


def test_the_first_broken_place_is_named():
    """From the loss towards the input; what lies behind it is not judged."""

    class NoSlope(Tanh):
        def backward(self, dy):
            return dy

    class Mean(Affine):
        def backward(self, dy):
            dx = super().backward(dy)
            self.db = dy.mean(axis=0)
            return dx

    class HalfLoss(MSE):
        def compute(self, y, t):
            return ((y - t) ** 2).mean(), (y - t) / y.size

    x, t = batch(5, 3)[0], batch(3, 2, seed=1)[0]
    layers = {"tanh": NoSlope(), "affine": Mean(4, 3)}
    model = Sequential(Affine(5, 4), layers["tanh"], layers["affine"])
    report = check(model, x, t, HalfLoss())
    assert report.code == "factor-half" and report.where == "loss HalfLoss()"
    assert "not judged" in report.notes[-1]
    report = check(model, x, t, MSE())
    assert report.code == "bias-mean" and report.where == "layer 3, Mean(4, 3)"
    report = check(Sequential(Affine(5, 4), NoSlope(), Affine(4, 3)), x, t, MSE())
    assert report.code == "missing-derivative" and report.where == "layer 2, NoSlope()"


@pytest.mark.parametrize("seed", range(4))
def test_the_checks_numbers_are_not_the_learners(seed):
    """With dy = x, by the same seed, x^T dy would be its own transpose."""

    class Transposed(Affine):
        def backward(self, dy):
            self.dW = dy.T @ self.x
            self.db = dy.sum(axis=0)
            return dy @ self.W.T

    x = np.random.default_rng(seed).normal(size=(4, 3))
    assert check_layer(Transposed(3, 3), x, seed=seed).code == "dW-transposed"


@pytest.mark.parametrize("seed", range(3))
def test_the_table_and_the_sentence_show_the_same_numbers(seed):
    class Slipped(Affine):
        def backward(self, dy):
            dx = super().backward(dy)
            self.dW[2, 1] *= 1.5
            return dx

    class OddLoss(MSE):
        def compute(self, y, t):
            value, dy = super().compute(y, t)
            return value, dy + 0.1 * (y > 1)

    x, t = batch(5, 3, seed=seed)
    reports = [
        check_layer(Slipped(5, 3), x, seed=seed),
        check_layer(Slipped(50, 30), batch(50, 3)[0], seed=seed),  # too large to be measured entry by entry
        check([Affine(5, 4), Tanh(), Slipped(4, 3)], x, t, SoftmaxCrossEntropy(), seed=seed),
        check([Slipped(5, 60), Tanh(), Affine(60, 3)], x, t, SoftmaxCrossEntropy(), seed=seed),
        check_loss(OddLoss(), x, x[::-1].copy(), seed=seed),
    ]
    for report in reports:
        (row,) = (row for row in report.rows if row.verdict == "wrong" and row.where == report.where)
        said = f"At {row.tensor}{row.entry} the code gives {row.analytic:.6g}, measured is {row.numeric:.6g}."
        assert not report and said in report.why, report


def test_an_entry_of_a_single_number_has_no_brackets():
    """A gain that is one number: its worst entry is the gain itself."""

    class Gain(tinynn.Layer):
        parameters = ("g",)

        def __init__(self):
            self.g = np.array(1.5)

        def forward(self, x):
            return x * self.g

        def backward(self, dy):
            self.dg = -(dy * self.x).sum()
            return dy * self.g

    report = check_layer(Gain(), batch(4, 2)[0])
    (row,) = [row for row in report.rows if row.tensor == "dg"]
    assert report.code == "sign" and row.entry == ""
    assert f"At dg the code gives {row.analytic:.6g}, measured is {row.numeric:.6g}." in report.why


def test_a_slip_that_is_on_no_list_is_unknown():
    class Odd(Sigmoid):
        def backward(self, dy):
            return dy * self.y * (1 - self.y) ** 1.1

    x, _ = batch(5, 3)
    report = check_layer(Odd(), x)
    assert report.code == "unknown" and "none of the known slips" in report.why and "At dx[" in report.why


# --- how it measures --------------------------------------------------------------------------------------------------


class Absolute(Activation):
    """np.abs makes a real number of a complex one, so that the complex step cannot be used."""

    def forward(self, x):
        return np.abs(x)

    def backward(self, dy):
        return dy * np.sign(self.x)


class Buffered(Activation):
    """A float buffer that would lose imaginary parts, with only a warning."""

    def forward(self, x):
        y = np.zeros(x.shape)
        y[:] = x * x
        return y

    def backward(self, dy):
        return 2 * self.x * dy


class Product(Activation):
    """x |x|: complex in, complex out, and wrong by the complex step."""

    def forward(self, x):
        return x * np.abs(x)

    def backward(self, dy):
        return 2 * np.abs(self.x) * dy


@pytest.mark.parametrize("cls", [Absolute, Buffered, Product])
def test_central_differences_where_the_complex_step_cannot_be_used(cls):
    x, t = batch(5, 3)
    report = check_layer(cls(), x)
    assert report and report.method.startswith("central differences")
    report = check(Sequential(Affine(5, 4), cls(), Affine(4, 3)), x, t, SoftmaxCrossEntropy())
    assert report and report.method.startswith("central differences"), report
    wrong = type("Wrong", (cls,), {"backward": lambda self, dy: -cls.backward(self, dy)})
    assert check_layer(wrong(), x).code == "sign"
    assert check(Sequential(Affine(5, 4), wrong(), Affine(4, 3)), x, t, SoftmaxCrossEntropy()).code == "sign"


def test_a_kink_is_no_bug():
    x = np.array([[0.3, -0.2, 4e-6], [0.1, 1.0, 2.0]])  # within a step of |x|'s kink
    report = check_layer(Absolute(), x)
    assert report, report
    assert report.rows[-1].verdict == "kink" and report.rows[-1].entry == "[0, 2]"
    assert report.notes == ["not a bug: unit 2 of sample 0 (x[0, 2] = 4e-06) sits at a kink"]


def test_relu_at_zero():
    """At 0 itself each side has its slope; 0 and 1 are both right, 2 is not."""

    class OneAtZero(Activation):
        def __init__(self, slope):
            self.slope = slope

        def forward(self, x):
            return np.where(x.real <= 0, 0, x)

        def backward(self, dy):
            return np.where(self.x > 0, dy, np.where(self.x == 0, self.slope * dy, 0))

    x = np.array([[0.0, 1.0, -1.0]])
    assert check_layer(ReLU(), x)
    assert check_layer(OneAtZero(0.0), x) and check_layer(OneAtZero(1.0), x) and check_layer(OneAtZero(0.5), x)
    assert not check_layer(OneAtZero(2.0), x)


def test_measured_derivatives_of_known_functions():
    x = np.array([0.7, -1.3, 2.0])
    for f, slope in ((np.exp, np.exp), (np.sin, np.cos), (lambda x: x**3, lambda x: 3 * x**2)):

        def total(a, f=f):
            return np.sum(f(a))

        assert np.allclose(measure.gradient(total, x, True), slope(x), rtol=1e-15)
        assert np.allclose(measure.gradient(total, x, False), slope(x), rtol=1e-8)


def test_the_sweep_tells_a_bug_from_a_kink():
    x, t = batch(5, 3)

    class Slightly(Tanh):
        def backward(self, dy):
            return 1.0001 * super().backward(dy)

    def network(activation):
        return Sequential(Affine(5, 4), activation, Affine(4, 3), seed=0)

    right = check(network(Tanh()), x, t, SoftmaxCrossEntropy()).sweep()
    assert right.shape == "V" and right.error.min() < 1e-8
    wrong = check(network(Slightly()), x, t, SoftmaxCrossEntropy())
    assert not wrong and wrong.sweep().shape == "plateau"
    assert 1e-6 < wrong.sweep().error.min() < 1e-3
    model = network(ReLU())  # a unit 2e-4 above its kink
    model[0].b[0] = -(x @ model[0].W)[0, 0] + 2e-4
    kinked = check(model, x, t, SoftmaxCrossEntropy())
    assert kinked and kinked.sweep().shape == "cliff", kinked.sweep()
    assert "unit 0 of sample 0 in layer 2, ReLU() sits 0.0002 from its kink" in " ".join(str(kinked.sweep()).split())
    for sweep in (right, wrong.sweep(), kinked.sweep()):
        assert max(map(len, str(sweep).splitlines())) <= WIDTH
        axes = sweep.plot()
        assert any(set(line.get_xdata()) == set(sweep.h) for line in axes.lines)


def test_every_report_has_its_picture():
    x, _ = batch(5, 3)
    for report in (check_layer(Tanh(), x), check_loss(MSE(), x, 2 * x)):
        assert report.sweep().shape == "V"
        assert report.plot().get_xscale() == "log"
    axes = check_optimizer(Adam).plot()
    assert len(axes.lines) == 6 and np.allclose(axes.lines[0].get_ydata(), axes.lines[1].get_ydata())


def test_chance_is_left_alone():
    class Noisy(Activation):
        def forward(self, x):
            self.scale = np.random.rand(*x.shape) + random.random()
            return x * self.scale

        def backward(self, dy):
            return dy * self.scale

    before = np.random.get_state()[1].tobytes(), random.getstate()
    x, t = batch(5, 3)
    report = check_layer(Noisy(), x)
    assert report and any("draws random numbers" in note and "self.rng" in note for note in report.notes), report
    report = check(Sequential(Affine(5, 4), Noisy(), Affine(4, 3)), x, t, SoftmaxCrossEntropy())
    assert report and any("layer 2, Noisy(): forward draws" in note for note in report.notes), report
    assert (np.random.get_state()[1].tobytes(), random.getstate()) == before


BESIDE = np.random.default_rng(7)  # a generator of the file


class Dropping:
    """Dropout, as a learner writes it; `draw` makes numbers of a shape between 0 and 1."""

    def __init__(self, draw, slip=""):
        self.p, self.draw, self.slip = 0.4, draw, slip

    def forward(self, x):
        self.kept = (self.draw(x.shape) > self.p) * 1.0
        self.mask = self.kept / (1 - self.p)
        return x * self.mask

    def backward(self, dout):
        return {"": dout * self.mask, "scale": dout * self.kept, "rest": dout - dout * self.mask}[self.slip]


class HeldDropping(Dropping):
    def __init__(self, held, slip=""):
        super().__init__(None, slip)
        self.held = held

    def draw_of(self, shape):
        return (self.held.random if isinstance(self.held, np.random.Generator) else self.held.random_sample)(shape)

    def forward(self, x):
        self.draw = self.draw_of
        return super().forward(x)


DRAWS = {
    "rand": lambda shape: np.random.rand(*shape),
    "binomial": lambda shape: np.random.binomial(1, 0.6, size=shape),
    "random": lambda shape: np.array([random.random() for _ in range(math.prod(shape))]).reshape(shape),
    "beside": lambda shape: BESIDE.random(shape),
}
HELD = {"Generator": np.random.default_rng(1), "RandomState": np.random.RandomState(1)}


@pytest.mark.parametrize("slip, code", [("", "ok"), ("scale", "mask-not-scaled"), ("rest", "mask-inverted")])
@pytest.mark.parametrize("source", [*DRAWS, *HELD])
def test_dropout_is_measured_with_the_same_draws(source, slip, code):
    layer = Dropping(DRAWS[source], slip) if source in DRAWS else HeldDropping(HELD[source], slip)
    before = np.random.get_state()[2], random.getstate(), BESIDE.bit_generator.state
    x = np.random.default_rng(0).normal(size=(6, 5))
    report = check_layer(layer, x)
    assert report.code == code, report
    assert any("forward draws random numbers" in note for note in report.notes), report
    assert "kink" not in str(report) and "rows are mixed" not in str(report)
    assert (np.random.get_state()[2], random.getstate(), BESIDE.bit_generator.state) == before


def test_a_forward_that_cannot_be_repeated():
    """Its generator is made anew, without a seed: no two forwards are alike, and nothing can be measured."""
    x = np.random.default_rng(0).normal(size=(6, 5))
    report = check_layer(Dropping(lambda shape: np.random.default_rng().random(shape)), x)
    assert report.code == "random-forward" and "without a seed" in report.why
    assert "kink" not in str(report) and not report.rows
    layers = [Affine(5, 4), Dropping(lambda shape: np.random.default_rng().random(shape)), Affine(4, 3)]
    report = check(layers, *batch(5, 3), SoftmaxCrossEntropy())
    assert report.code == "random-forward" and not report.rows, report
    with concurrent.futures.ThreadPoolExecutor(1) as pool:  # where the global generator cannot be set back
        report = pool.submit(check_layer, Dropping(DRAWS["rand"]), x).result()
    assert report.code == "not-judged" and "main thread" in report.fix and not report.rows, report


def test_checks_in_threads_leave_filters_and_chance_alone():
    """Each thread's check would put back what another has set, and draw again what another has drawn."""
    x, t = batch(5, 3)

    def work(_):
        assert check(Sequential(Affine(5, 4), Tanh(), Affine(4, 3)), x, t, SoftmaxCrossEntropy())
        assert check_layer(ReLU(), x) and check_optimizer(SGD)
        assert check_layer(Product(), x).method.startswith("central")

    states = list(warnings.filters), np.random.get_state()[1].tobytes(), random.getstate()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))
        assert (list(warnings.filters), np.random.get_state()[1].tobytes(), random.getstate()) == states
    assert (list(warnings.filters), np.random.get_state()[1].tobytes(), random.getstate()) == states


def test_a_check_does_not_take_back_what_another_thread_draws():
    class Draws(Activation):
        def forward(self, x):
            with concurrent.futures.ThreadPoolExecutor(1) as other:
                drawn.append(other.submit(np.random.random).result())
            return x + 0

        def backward(self, dy):
            return dy + 0

    drawn = []
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            pool.submit(check_layer, Draws(), batch(5, 3)[0]).result()
    assert len(set(drawn)) == len(drawn) > 2


# --- objects in the style of other courses ----------------------------------------------------------------------------


class CourseAffine:
    """As in "Deep Learning from Scratch": parameters and gradients in attributes."""

    def __init__(self, W, b):
        self.W, self.b = W, b
        self.x = self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return np.dot(dout, self.W.T)


class CourseRelu:
    """The same book's, which writes into dout."""

    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dout[self.mask] = 0
        return dout


class Lists:
    """As in its second volume: params and grads are lists."""

    def __init__(self, W):
        self.params, self.grads = [W], [np.zeros_like(W)]

    def forward(self, x):
        (W,) = self.params
        self.x = x
        return x @ W

    def backward(self, dout):
        (W,) = self.params
        self.grads[0][...] = self.x.T @ dout
        return dout @ W.T


class Dense:
    """As in "Neural Networks from Scratch": weights and dweights, output and dinputs, nothing returned."""

    def __init__(self, n_in, n_out):
        self.weights, self.biases = 0.1 * np.ones((n_in, n_out)), np.zeros((1, n_out))

    def forward(self, inputs):
        self.inputs = inputs
        self.output = inputs @ self.weights + self.biases

    def backward(self, dvalues):
        self.dweights = self.inputs.T @ dvalues
        self.dbiases = dvalues.sum(axis=0, keepdims=True)
        self.dinputs = dvalues @ self.weights.T


class SoftmaxWithLoss:
    def forward(self, x, t):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.p, self.t = e / e.sum(axis=1, keepdims=True), t
        return -np.log(self.p[np.arange(len(x)), t]).mean()

    def backward(self, dout=1):
        dx = self.p.copy()
        dx[np.arange(len(dx)), self.t] -= 1
        return dx / len(dx) * dout


def course_layers(rng):
    W, b = rng.normal(size=(5, 4)), rng.normal(size=4)
    return [CourseAffine(W, b), Lists(W), Dense(5, 4)]


def test_course_layers_alone_and_in_a_network():
    x, t = batch(5, 3)
    for layer in course_layers(np.random.default_rng(0)):
        kept = pickle.dumps(vars(layer))
        report = check_layer(layer, x)
        assert report, report
        assert len(report.rows) == {"CourseAffine": 3, "Lists": 2, "Dense": 3}[type(layer).__name__]
        assert pickle.dumps(vars(layer)) == kept
        model = Sequential(adapt(layer), Tanh(), Affine(4, 3), seed=0)
        assert check(model, x, t, SoftmaxCrossEntropy())
        assert check([layer, Tanh(), Affine(4, 3)], x, t, SoftmaxCrossEntropy())


def test_a_course_layer_can_be_trained():
    x, t = batch(5, 3, 60)
    model, loss = Sequential(adapt(Dense(5, 8)), Tanh(), Affine(8, 3), dtype="float64", seed=0), SoftmaxCrossEntropy()
    history = model.fit(x, t, loss=loss, optimizer=Adam(model, 0.05), epochs=100, seed=0, progress=False)
    assert history["loss"][-1] < 0.5 * history["loss"][0]


def test_course_slips_are_named():
    x, t = batch(5, 3)
    assert check_layer(CourseRelu(), x).code == "writes-into-dy"
    y = np.random.default_rng(0).normal(size=(7, 3))
    assert check_loss(SoftmaxWithLoss(), y, t).code == "log-of-zero"  # the book adds 1e-7 there, for this reason

    class PlusEps(SoftmaxWithLoss):
        def forward(self, x, t):
            super().forward(x, t)
            return -np.log(self.p[np.arange(len(x)), t] + 1e-7).mean()

    report = check_loss(PlusEps(), y, t)
    assert report.code == "eps-in-log" and "1e-07" in report.why
    whole = CourseAffine(np.arange(20).reshape(5, 4), np.zeros(4))
    assert check_layer(whole, x).code == "integer-arrays"


def test_functions_as_losses():
    def squares(y, t):
        return ((y - t) ** 2).sum() / 2, y - t

    def uphill(y, t):
        return ((y - t) ** 2).sum() / 2, t - y

    y = np.random.default_rng(0).normal(size=(7, 3))
    report = check_loss(squares, y, 2 * y[::-1])
    assert report and report.notes == ["the loss is a sum over the rows: its gradient grows with the batch"]
    assert not check_loss(MSE(), y, 2 * y[::-1]).notes
    assert check_loss(uphill, y, 2 * y[::-1]).code == "sign"


# --- optimizers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [SGD, Adam])
def test_the_optimizers_are_right(cls):
    assert check_optimizer(cls)
    assert check_optimizer(cls, weight_decay=0.1)
    with pytest.raises(TypeError, match="must be a class"):
        check_optimizer(SGD(Sequential(Affine(1, 1)), 0.1))


SETTINGS = {  # every public argument, with values at and between its ends
    "lr": [0.0, 0.001, 2.0], "momentum": [0.5, 0.99], "nesterov": [True], "weight_decay": [0.1], "eps": [0.0, 0.001],
    "decay_biases": [False], "clip_norm": [0.1, 1.0, 100.0], "beta1": [0.0, 0.5], "beta2": [0.0, 0.99],
}  # fmt: skip


@pytest.mark.parametrize("cls", [SGD, Adam])
def test_the_optimizers_are_right_with_every_setting_and_every_two(cls):
    names = [name for name in inspect.signature(cls).parameters if name != "model"]
    for pair in [*itertools.combinations(names, 1), *itertools.combinations(names, 2)]:
        for values in itertools.product(*(SETTINGS[name] for name in pair)):
            report = check_optimizer(cls, **dict(zip(pair, values)))
            assert report, (pair, values, report)


@pytest.mark.parametrize("options", [{}, {"clip_norm": 1.0}, {"clip_norm": 1.0, "momentum": 0.9}])
def test_slips_beside_clipping_and_decay_are_found(options):
    class Halves(SGD):
        def step(self):
            self.model.grads /= 2
            super().step()

    class DecaysBiases(SGD):
        def prepare(self):
            kept, self.decay_biases = self.decay_biases, True
            try:
                return super().prepare()
            finally:
                self.decay_biases = kept

    class Uphill(SGD):
        def decay(self, W, dW):
            dW -= self.weight_decay * W

    assert not check_optimizer(Halves, **options)
    assert check_optimizer(DecaysBiases, **options)
    assert check_optimizer(DecaysBiases, decay_biases=False, **options).code == "unknown"
    assert check_optimizer(Uphill, **options)
    assert check_optimizer(Uphill, decay_biases=False, **options).code == "decay-sign"


def test_course_optimizers():
    class Momentum:
        def __init__(self, lr=0.01, momentum=0.9):
            self.lr, self.momentum, self.v = lr, momentum, None

        def update(self, params, grads):
            if self.v is None:
                self.v = {key: np.zeros_like(value) for key, value in params.items()}
            for key in params:
                self.v[key] = self.momentum * self.v[key] - self.lr * grads[key]
                params[key] += self.v[key]

    class Forgets(Momentum):
        def update(self, params, grads):
            self.v = None
            super().update(params, grads)

    assert check_optimizer(Momentum)
    assert check_optimizer(Forgets).code == "state-not-kept"


# --- the report -------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=12)
@given(
    depth=st.integers(0, 3), width=st.integers(1, 9), N=st.integers(1, 9), seed=st.integers(0, 999), wrong=st.booleans()
)
def test_reports_fit_100_columns(depth, width, N, seed, wrong):
    class ALayerWithAVeryLongNameThatDoesNotFitIntoAnyTableAnywhere(Affine):
        def backward(self, dy):
            dx = super().backward(dy)
            if wrong:
                self.dW = 1e-7 * self.dW
            return dx

    x, t = batch(4, 3, N, seed)
    hidden = [ALayerWithAVeryLongNameThatDoesNotFitIntoAnyTableAnywhere(4, 4) for _ in range(depth)]
    model = Sequential(*hidden, Affine(4, width), Tanh(), Affine(width, 3), seed=seed)
    report = check(model, x, t, SoftmaxCrossEntropy(), seed=seed)
    assert bool(report) == (not wrong or depth == 0), report
    assert max(map(len, str(report).splitlines())) <= WIDTH == 100
    assert report.code not in report.text(cause=False) or report
    assert "<table>" in report._repr_html_() and "<script" not in report._repr_html_()


def test_a_report_in_every_form():
    rows = [Row("layer 1, Affine(2, 1)", "dW", "[0, 1]", 1.0, 2.0, 0.5, "wrong")]
    wrong = Report("check of it", "eye", rows, Finding("factor", "layer 1", "A & B.", ""), ["look"])
    right, unknown = Report("check of it"), Report("check of it", finding=Finding("not-judged", "it", "hidden"))
    table = """\
place                           tensor   worst entry       analytic      numeric rel. error
--------------------------------------------------------------------------------------------------
layer 1, Affine(2, 1)           dW       [0, 1]                   1            2      5e-01  wrong

measured by eye
note  look"""
    assert str(wrong) == f"check of it: wrong in layer 1\n\n{table}\n\nwhat  factor\nwhy   A & B."
    assert wrong.text(cause=False) == f"check of it: wrong\n\n{table}"  # where, and why, is the riddle
    assert str(right).strip() == right.text(cause=False).strip() == "check of it: right"
    assert str(unknown) == "check of it: not judged\n\nwhat  not-judged\nwhy   hidden"
    assert unknown.text(cause=False).strip() == "check of it: not judged"
    page = wrong._repr_html_()
    assert page.endswith("</table><p><b>why</b> A &amp; B.</p><p><b>note</b> look</p>")  # and no empty "fix"
    assert "<td>[0, 1]</td><td>1</td><td>2</td><td>5e-01</td><td>wrong</td>" in page
    assert "<table>" not in right._repr_html_()


@pytest.mark.parametrize(("length", "shown"), [(32, "a" * 32 + "dW"), (33, "a" * 29 + "...dW")], ids=["fits", "is cut"])
def test_a_long_place_is_cut(length, shown):
    row = Row("a" * length, "dW", "[0]", 1.0, 1.0, 0.0, "ok")
    assert shown in str(Report("check of it", rows=[row]))


def test_what_is_no_array_or_does_not_fit_is_said():
    x, t = batch(5, 3)
    model, loss = Sequential(Affine(5, 3)), SoftmaxCrossEntropy()
    for args, message in (
        ((model, x.tolist(), t, loss), "x must be a numpy array"),
        ((model, x[:0], t[:0], loss), "x must be a numpy array of numbers"),
        ((model, x * np.nan, t, loss), "x must hold numbers"),
        ((model, x, t[:3], loss), "t must have as many rows as x, 7, not 3"),
        ((model, np.tile(x, (20, 1)), np.tile(t, 10), loss), "t must have as many rows as x, 140, not 70"),
        ((Sequential, x, t, loss), "model must be a model such as a Sequential"),
        ((model, x, t, SoftmaxCrossEntropy), r"loss must be a loss such as MSE\(\)"),
        ((model, x, t, None), r"loss must be a loss such as MSE\(\)"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            check(*args)


def test_code_that_raises_gets_a_sentence():
    class Crashes(Affine):
        def backward(self, dy):
            return dy @ self.W  # (7, 3) times (5, 3)

    x, t = batch(5, 3)
    for report in (check_layer(Crashes(5, 3), x), check([Affine(5, 5), Crashes(5, 3)], x, t, SoftmaxCrossEntropy())):
        assert report.code == "raises" and "return dy @ self.W" in report.why and "ValueError" in report.why
    report = check([Affine(5, 4), Affine(4, 3)], x, t, MSE())
    assert report.code == "raises" and report.where == "loss MSE()"


# --- the command line -------------------------------------------------------------------------------------------------

SOURCE = """
import numpy as np
import tinynn

class Leaky(tinynn.Activation):
    def forward(self, x):
        return np.where(x > 0, x, x / 100)
    def backward(self, dy):
        return np.where(self.x > 0, dy, dy / 100)

class Wrong(Leaky):
    def backward(self, dy):
        return dy

class Mine:
    def __init__(self, lr=0.1):
        self.lr = lr
    def update(self, params, grads):
        for k in params:
            params[k] += self.lr * grads[k]

model = tinynn.Sequential(tinynn.Affine(4, 3), Leaky(), tinynn.Affine(3, 2))
loss = tinynn.SoftmaxCrossEntropy

def squares(y, t):
    return ((y - t) ** 2).mean(), 2 * (y - t) / y.size

number = 3
"""


def run(*args, cwd=None):
    done = subprocess.run([sys.executable, "-m", "tinynn", *args], capture_output=True, text=True, cwd=cwd, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_command_line(tmp_path):
    (tmp_path / "mine.py").write_text(SOURCE)
    status, out, err = run("check", "mine.py:model", cwd=tmp_path)
    assert status == 0 and ": right" in out and not err
    status, out, err = run("check", "mine.py:Wrong", cwd=tmp_path)
    assert status == 1 and "missing-derivative" in out and not err


@pytest.mark.parametrize(
    ("source", "name", "status", "said"),
    [
        (SOURCE, "Leaky", 0, ": right"),
        (SOURCE, "loss", 0, ": right"),
        (SOURCE, "squares", 0, ": right"),
        (SOURCE, "Mine", 1, "ascent"),
        (SOURCE, "number", 2, "number must be a layer, loss, model or optimizer, not 3"),
        (SOURCE, "other", 2, "defines no 'other'; it has Leaky, Wrong, Mine, model, loss, squares"),
        ("x = (1,", "model", 2, "is not a Python program in line 1, `x = (1,`"),
        ("import tinynn\n1 / 0\n", "model", 2, "stops in line 2, `1 / 0`: ZeroDivisionError"),
        ("raise SystemExit(3)", "model", 2, "stops in line 1, `raise SystemExit(3)`: SystemExit: 3"),
        ("import nosuchpackage", "model", 2, "stops in line 1, `import nosuchpackage`: ModuleNotFoundError"),
    ],
)
def test_the_command_line_on(source, name, status, said, tmp_path, capsys):
    from tinynn.__main__ import main

    path = tmp_path / "mine.py"
    path.write_text(source)
    assert main(["check", "--timeout=0", f"{path}:{name}"]) == status
    out, err = capsys.readouterr()
    assert said in " ".join((out + err).split()) and "Traceback" not in out + err
    assert main(["check", "--timeout=0", f"{tmp_path}/none.py:{name}"]) == 2
    assert "must be a Python file" in capsys.readouterr().err


RIGHT_BESIDE = """
import numpy as np

def tanh(x):
    return np.tanh(x)

def tanh_prime(y):
    return 1 - y**2

class Helper:
    def scaled(self, x):
        return 0.5 * x

class Perceptron:
    def learn(self, example, answer):
        self.w = Helper().scaled(example)
"""


def test_what_was_not_looked_at_is_told(tmp_path, capsys):
    """A right function beside a class of no known style: the file is not right as a whole."""
    from tinynn.__main__ import main

    path = tmp_path / "mine.py"
    path.write_text(RIGHT_BESIDE)
    assert main(["check", "--timeout=0", str(path)]) == 2
    out, err = capsys.readouterr()
    assert "check of tanh_prime: right" in out
    said = " ".join(out.split())  # in a worker of pytest's, a line has 80 columns
    assert not err and "Perceptron is not judged: this style is not known: it has learn(example, answer)" in said
    assert main(["check", "--timeout=0", f"{path}:Perceptron"]) == 2
    assert "none goes back as backward(dy)" in " ".join(capsys.readouterr().out.split())
    path.write_text(
        "class Half(__import__('tinynn').Activation):\n"
        "    def forward(self, x):\n        return Helper().half(x)\n"
        "    def backward(self, dy):\n        return Helper().half(dy)\n"
        "class Helper:\n    def half(self, x):\n        return x / 2\n"
    )
    assert main(["check", "--timeout=0", str(path)]) == 0  # what it uses was looked at with it
    assert not capsys.readouterr().err


def test_an_object_that_holds_a_module(tmp_path, capsys):
    from tinynn.__main__ import main

    path = tmp_path / "mine.py"
    path.write_text(
        "import numpy as np\nclass Scale:\n    def __init__(self, layer_size, device=np):\n"
        "        self.device = device\n        self.gamma = device.ones((1, layer_size))\n"
        "    def forward(self, x):\n        self.x = x\n        return self.gamma * self.device.tanh(x)\n"
        "    def backward(self, dout):\n"
        "        self.dgamma = self.device.sum(dout * np.tanh(self.x), axis=0, keepdims=True)\n"
        "        return dout * self.gamma * (1 - self.device.tanh(self.x) ** 2)\n"
    )
    assert main(["check", "--timeout=0", str(path)]) == 0
    out = capsys.readouterr().out
    assert ": right" in out and "dgamma" in out


def test_nothing_on_the_way_of_training_imports_teach():
    """The check is a tool beside the framework: no module of it is needed by another."""
    loaded = "[m for m in sys.modules if 'matplotlib' in m or m.startswith('tinynn.teach')]"
    code = f"import sys, tinynn.training, tinynn.saving; print({loaded})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    package = Path(tinynn.__file__).parent
    rooms = [package, *(package / name for name in ("backends", "layers", "model", "training", "saving"))]
    for path in {path for room in rooms for path in (room.glob("*.py") if room is package else room.rglob("*.py"))}:
        if path.parent != package or path.name not in ("__init__.py", "__main__.py"):
            assert "teach" not in path.read_text(), path.name


def test_copies_of_reports_and_adapted_layers():
    report = check_layer(Affine(5, 3), batch(5, 3)[0])
    assert copy.deepcopy(report).text() == report.text()
    assert GaussianNLL(0.3) is not None


# --- NaN and infinity -------------------------------------------------------------------------------------------------


class Computes(Activation):
    """y = f(x), with a slope that does not matter here."""

    def __init__(self, f, slope=np.ones_like):
        self.f, self.slope = f, slope

    def forward(self, x):
        return self.f(x)

    def backward(self, dy):
        return dy * self.slope(self.x)


BREAKS = {
    "the logarithm of 0": lambda x: np.log(x * 0),
    "the logarithm of a negative": lambda x: np.log(-1 - x * x),
    "0 / 0": lambda x: (0 * x) / (0 * x),
    "a division by 0": lambda x: 1 / (0 * x),
    "exp overflows": lambda x: np.exp(1000 + x * x),
    "the root of a negative": lambda x: np.sqrt(-1 - x * x),
}


@pytest.mark.parametrize("operation", BREAKS)
def test_nan_and_infinity_are_judged_first(operation):
    x, t = batch(5, 3)
    f = BREAKS[operation]
    report = check_layer(Computes(f), x)
    assert report.code == "not-finite" and operation in report.why and report.why.startswith("y[0, 0] is ")
    report = check_layer(Computes(np.sin, f), x)
    assert report.code == "not-finite" and operation in report.why and report.why.startswith("dx[0, 0] is ")
    for middle, where in ((Computes(f), "y[0, 0]"), (Computes(np.sin, f), "dx[0, 0]")):
        report = check([Affine(5, 4), middle, Affine(4, 3)], x, t, SoftmaxCrossEntropy())
        assert report.code == "not-finite" and report.where == "layer 2, Computes()"
        assert operation in report.why and report.why.startswith(where)

    for loss, where in (
        (lambda y, t: (f(y).mean(), y), "the loss is "),
        (lambda y, t: ((y * y).mean(), f(y)), "dy[0, 0] is "),
    ):
        report = check_loss(loss, x, x)
        assert report.code == "not-finite" and operation in report.why and report.why.startswith(where)

    class Steps(SGD):
        def step(self):
            self.model.params -= self.lr * f(self.model.grads)

    report = check_optimizer(Steps)
    assert report.code == "not-finite" and operation in report.why and "after step 1 parameter[0]" in report.why


def test_all_nan_without_an_operation_is_a_finding():
    x, t = batch(5, 3)
    report = check_layer(Computes(lambda x: x * np.nan), x)
    assert report.code == "not-finite" and report.why.startswith("y[0, 0] is NaN (no number is finite)")
    model = Sequential(Affine(5, 3), dtype="float64", seed=0)
    model[0].W[2, 1] = np.nan
    report = check(model, x, t, SoftmaxCrossEntropy())
    assert report.code == "not-finite" and report.where == "layer 1, Affine(5, 3)" and report.why.startswith("y[0, 1]")


def test_a_naive_softmax_on_large_scores_overflows():
    def loss(y, t):
        p = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
        dy = p.copy()
        dy[np.arange(len(y)), t] -= 1
        return -np.log(p[np.arange(len(y)), t]).mean(), dy / len(y)

    y, t = batch(3, 3)
    report = check_loss(loss, 1000 + y, t)
    assert report.code == "not-finite" and "exp overflows" in report.why
