"""No alarm for what is right, a finding for NaN and infinity, one set of numbers, other threads left alone."""

from __future__ import annotations

import concurrent.futures
import itertools
import random
import re
import warnings

import numpy as np
import pytest

from tinynn import (
    MSE,
    SGD,
    Adam,
    Affine,
    Layer,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    check,
    check_layer,
    check_loss,
    check_optimizer,
)


def test_a_saturated_unit():
    """1 - y^2 of y near 1 is a difference of large numbers: what is left of them has lost its last digits."""
    for seed in (708, 988):
        rng = np.random.default_rng(seed)
        x, t = rng.normal(size=(1, 4)), rng.normal(size=(1, 3))
        assert check(Sequential(Affine(4, 1), Tanh(), Affine(1, 3), seed=seed), x, t, MSE(), seed=seed)


SETTINGS = {
    SGD: {"momentum": (0.0, 0.5, 0.9), "nesterov": (False, True), "weight_decay": (0.0, 0.1), "decay_biases": (True, False), "clip_norm": (None, 0.3, 1.0, 100.0)},
    Adam: {"beta1": (0.0, 0.9), "beta2": (0.9, 0.999), "eps": (1e-8, 1e-3), "weight_decay": (0.0, 0.1), "decay_biases": (True, False), "clip_norm": (None, 0.3, 1.0, 100.0)},
}  # fmt: skip


@pytest.mark.parametrize("cls", SETTINGS)
def test_right_optimizers(cls):
    """Every argument alone and with every other one."""
    table, tried = SETTINGS[cls], 0
    for first, second in itertools.combinations(table, 2):
        for a, b in itertools.product(table[first], table[second]):
            options = {first: a, second: b}
            if options.get("nesterov") and not options.get("momentum"):
                options["momentum"] = 0.9
            report = check_optimizer(cls, **options)
            assert report, f"{options}\n{report}"
            tried += 1
    assert tried > 60


def test_clipping_and_decay_that_are_wrong():
    """The check of these options sees a slip in them."""

    class Clips(SGD):
        def step(self):
            self.clip_norm, kept = 0.5 * self.clip_norm, self.clip_norm
            super().step()
            self.clip_norm = kept

    class DecaysAll(SGD):
        def prepare(self):
            self.decay_biases = True
            return super().prepare()

    assert check_optimizer(SGD, clip_norm=0.3) and not check_optimizer(Clips, clip_norm=0.3)
    assert check_optimizer(SGD, decay_biases=False) and not check_optimizer(DecaysAll, decay_biases=False)


# --- NaN and infinity are named by their place and the operation ------------------------------------------------------


def losses_that_are_not_finite():
    def shifted(y, t, shift):
        z = y - shift * y.max(axis=1, keepdims=True)
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        dy, rows = p.copy(), np.arange(len(y))
        dy[rows, t] -= 1
        return -np.log(p[rows, t]).mean(), dy / len(y)

    return {
        "exp": (lambda y, t: shifted(y, t, 0), "the loss is NaN: exp overflows, beyond 709"),
        "log": (lambda y, t: shifted(y, t, 1), "the loss is infinity: the logarithm of 0"),
        "dy": (lambda y, t: (float((y**2).mean()), y / np.zeros(y.shape)), "dy[0, 0] is infinity (no number is finite): a division by 0"),
        "always": (lambda y, t: (np.nan, y), "the loss is NaN: no operation of NumPy's makes it, so the code writes it"),
    }  # fmt: skip


@pytest.mark.parametrize("name", losses_that_are_not_finite())
def test_losses_that_are_not_finite(name):
    loss, said = losses_that_are_not_finite()[name]
    y, t = 2000 * np.random.default_rng(0).normal(size=(6, 4)), np.array([0, 1, 2, 3, 0, 1])
    report = check_loss(loss, y, t)
    assert report.code == "not-finite" and said in report.why, report
    model = Sequential(Affine(4, 4, weight_init="normal"), dtype="float64", seed=0)
    model[0].W = np.eye(4)
    report = check(model, y, t, loss)
    assert report.code == "not-finite" and said in report.why and report.where.startswith("loss"), report


class Faulty(Layer):
    """A layer whose forward and backward are given."""

    def __init__(self, forward, backward=lambda layer, dy: dy, a=0.0):
        self.functions, self.a = (forward, backward), np.full(3, a)

    parameters = ("a",)

    def forward(self, x):
        return self.functions[0](self, x) + 0 * self.a

    def backward(self, dy):
        self.da = 0 * dy.sum(axis=0)
        return self.functions[1](self, dy)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (Faulty(lambda layer, x: x * np.nan), "y[0, 0] is NaN (no number is finite): no operation of NumPy's makes it"),
        (Faulty(lambda layer, x: x / (0 * x)), "y[0, 0] is infinity (no number is finite): a division by 0"),
        (Faulty(lambda layer, x: 0 * x / (0 * x)), "y[0, 0] is NaN (no number is finite): 0 / 0, or infinity / inf"),
        (Faulty(lambda layer, x: np.sqrt(x)), "numbers are not finite): the root of a negative number"),
        (Faulty(lambda layer, x: np.log(x)), "numbers are not finite): the logarithm of a negative number"),
        (Faulty(lambda layer, x: np.exp(1e4 * x)), "numbers are not finite): exp overflows"),
        (Faulty(lambda layer, x: x, a=np.nan), "y[0, 0] is NaN (no number is finite): a holds it before the first step"),
        (Faulty(lambda layer, x: x, lambda layer, dy: dy / np.maximum(layer.x, 0)), "numbers are not finite): a division by 0"),
        (Faulty(lambda layer, x: x, lambda layer, dy: dy * 1e200 * 1e200), "dx[0, 0] is infinity"),
    ],
)  # fmt: skip
def test_layers_that_are_not_finite(layer, said):
    x = np.random.default_rng(1).normal(size=(6, 3))
    report = check_layer(layer, x)
    assert report.code == "not-finite" and said in report.why, report
    model = Sequential(Affine(3, 3), layer, Affine(3, 2), dtype="float64", seed=0)
    report = check(model, x, np.zeros((6, 2)), MSE())
    assert report.code == "not-finite" and report.where.startswith("layer 2"), report


def test_checks_in_threads_leave_the_process_as_it_is():
    """Warning filters and both global generators, whichever thread ends first."""

    class Draws(Tanh):
        def forward(self, x):
            np.random.normal(size=3)
            random.random()
            return super().forward(x)

    x, t = np.random.default_rng(1).normal(size=(6, 3)), np.array([0, 1, 2, 0, 1, 2])

    class Doubles:  # of another course: it is tried with random numbers
        def __init__(self):
            self.W = np.ones((3, 3))

        def forward(self, x):
            self.x = x
            return x @ self.W

        def backward(self, dy):
            self.dW = self.x.T @ dy
            return dy @ self.W.T

    def work(_):
        model = Sequential(Affine(3, 3), seed=0)
        return all([check(model, x, t, SoftmaxCrossEntropy()), check_layer(Tanh(), x), check_layer(Doubles(), x)])

    before = list(warnings.filters), np.random.get_state()[1].tobytes(), random.getstate()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(24))) == {True}
    assert (list(warnings.filters), np.random.get_state()[1].tobytes(), random.getstate()) == before
    assert check_layer(Draws(), x)  # alone, what the learner's own code draws is put back
    assert (np.random.get_state()[1].tobytes(), random.getstate()) == before[1:]


def test_a_program_in_which_numpy_raises():
    """np.seterr(all="raise") is no reason for a check to end in an error, whatever it finds."""
    x, t = np.random.default_rng(1).normal(size=(6, 3)), np.array([0, 1, 2, 0, 1, 2])
    with np.errstate(all="raise"):
        assert check(Sequential(Affine(3, 3), seed=0), x, t, SoftmaxCrossEntropy()) and check_layer(Sigmoid(), 900 * x)
        assert check_layer(Faulty(lambda layer, x: x / (0 * x)), x).code == "not-finite"
        assert check_optimizer(Adam) and check_optimizer(SGD, momentum=0.9)


# --- the sentence and the table are of one piece ----------------------------------------------------------------------


class Slip(Affine):
    def backward(self, dy):
        dx = super().backward(dy)
        self.db = 1.5 * self.db
        self.dW = self.dW + 0.25 * self.x.T @ dy**2
        return dx


@pytest.mark.parametrize("N", [1, 7])
def test_the_sentence_shows_the_numbers_of_the_table(N):
    x, t = np.random.default_rng(3).normal(size=(N, 4)), np.random.default_rng(4).integers(0, 3, N)
    model = Sequential(Affine(4, 5), Tanh(), Slip(5, 6), Sigmoid(), Affine(6, 3), seed=0)
    layer = Slip(4, 3)
    reports = (
        check_layer(layer, x),
        check(model, x, t, SoftmaxCrossEntropy()),
        check(Slip(4, 3), x, t, SoftmaxCrossEntropy()),
    )
    for report in reports:
        said = re.search(r"At (d\w+)(\[[\d, ]+\]) the code gives (\S+), measured is (\S+)\.", report.why)
        tensor, entry, got, measured = said.groups()
        (row,) = [row for row in report.rows if row.tensor == tensor and row.where == report.where]
        assert (row.entry, f"{row.analytic:.6g}", f"{row.numeric:.6g}") == (entry, got, measured), report
