"""diagnose: each broken set-up has its own diagnosis, healthy ones have none; its figures, by hand."""

from __future__ import annotations

import functools
import itertools
import math
import pickle
import random
import warnings

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from conftest import posing_as_cupy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinynn
from tinynn import MSE, SGD, Adam, Affine, GaussianNLL, Layer, ReLU, Sequential, Sigmoid, SoftmaxCrossEntropy, Tanh
from tinynn.datasets import load_mnist, load_norris
from tinynn.diagnosis import LearningRateSweep, diagnose

XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32"), np.array([[0], [1], [1], [0]], "float32")


@functools.cache
def mnist(rows=500):
    (x, t), _ = load_mnist()
    return x[:rows], t[:rows]


def norris():
    x, y = load_norris()
    return (x - x.mean()) / x.std(), (y - y.mean()) / y.std()


def moons(n=300):
    rng = np.random.default_rng(0)
    a, t = rng.uniform(0, np.pi, n), np.arange(n) % 2
    x = np.c_[np.where(t, 1 - np.cos(a), np.cos(a)), np.where(t, 0.5 - np.sin(a), np.sin(a))]
    return (x + rng.normal(0, 0.1, (n, 2))).astype("float32"), t


def sine(n=200):
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, (n, 1))
    return x.astype("float32"), (np.sin(x) + rng.normal(0, 0.1, x.shape)).astype("float32")


def mlp(*widths, activation=ReLU, last=(), seed=0, dtype="float32", **init):
    layers = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [Affine(n_in, n_out, **init), activation()]
    return Sequential(*layers[:-1], *last, backend="numpy", dtype=dtype, seed=seed)


class Softmax(Layer):
    """What many put behind the scores, though the loss does it."""

    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def backward(self, dy):
        return self.y * (dy - (dy * self.y).sum(axis=1, keepdims=True))


class Scale(Layer):
    """A layer of one's own with a parameter."""

    parameters = ("g",)

    def __init__(self, n):
        self.g = np.ones(n)

    def forward(self, x):
        return x * self.g

    def backward(self, dy):
        self.dg = (dy * self.x).sum(axis=0)
        return dy * self.g


class Own:
    """A model class of one's own, as in examples/own_model.py; the activation stands in a list."""

    def __init__(self, n_in=2, n_hidden=8, n_out=1, seed=0):
        self.last, self.hidden, self.first = Affine(n_hidden, n_out), [ReLU(), Scale(n_hidden)], Affine(n_in, n_hidden)
        self.params, self.grads = tinynn.flatten(self.first, *self.hidden, self.last, backend="numpy", seed=seed)

    def forward(self, x):
        return self.last.forward(self.hidden[1].forward(self.hidden[0].forward(self.first.forward(x))))

    def backward(self, dy):
        self.first.backward(self.hidden[0].backward(self.hidden[1].backward(self.last.backward(dy))))


class Rows(tinynn.Loss):
    """A slip: a loss for each row."""

    def compute(self, y, t):
        return ((y - t) ** 2).mean(axis=1), 2 * (y - t)


def constant(value):
    return functools.partial(tinynn.constant, value=value)


def spoiled(a, *where, value=np.nan):
    a = a.copy()
    a[where] = value
    return a


def of_mnist(model=None, optimizer=Adam, x=lambda x: x, t=lambda t: t, loss=None, **lr):
    """A set-up on MNIST: 784-16-10 as in the lecture, but for what is changed."""
    model = model or mlp(784, 16, 10)
    data = mnist()
    return model, loss or SoftmaxCrossEntropy(), x(data[0]), t(data[1]), optimizer(model, **lr)


def with_nan(model):
    model.params[7] = math.nan
    return model


def numbers(data, model, optimizer=SGD, **lr):
    """A set-up with numbers for targets."""
    return model, MSE(), *data, optimizer(model, **lr)


def classes(x, t, model=None):
    """A set-up with two classes in the plane."""
    model = model or mlp(2, 16, 2)
    return model, SoftmaxCrossEntropy(), x, t, Adam(model, lr=1e-2)


def without(keep):
    """MNIST's rows whose labels are such."""
    x, t = mnist()
    return {"x": lambda _: x[keep(t)], "t": lambda _: t[keep(t)]}


norris_model = functools.partial(mlp, 1, 1, dtype="float64")
std_1 = {"weight_init": functools.partial(tinynn.normal, std=1.0)}
deep = (784, *[16] * 10, 10)

# What people do: the code that the first finding must have, and how to do it.
BROKEN = [
    ("model-too-small", lambda: numbers(XOR, mlp(2, 1), Adam, lr=0.05)),  # XOR without a hidden layer
    ("model-too-small", lambda: (lambda m: (m, SoftmaxCrossEntropy(), XOR[0], XOR[1].ravel().astype(int), Adam(m)))(mlp(2, 2))),
    ("labels-shuffled", lambda: of_mnist(t=np.random.default_rng(0).permutation)),  # rows apart from labels
    ("labels-shuffled", lambda: numbers((sine()[0], sine()[1][::-1].copy()), mlp(1, 32, 1), Adam, lr=0.01)),
    ("pixels-0-255", lambda: of_mnist(x=lambda x: (x * 255).round())),
    ("pixels-normalized-twice", lambda: of_mnist(x=lambda x: x / 255)),
    ("small-input", lambda: numbers((sine()[0] / 100, sine()[1]), mlp(1, 8, 1), lr=0.01)),
    ("columns-differ", lambda: classes(moons()[0] * np.array([1e6, 1], "f"), moons()[1])),
    ("large-input", lambda: numbers((load_norris()[0], norris()[1]), norris_model(), lr=0.1)),
    ("constant-columns", lambda: of_mnist(x=lambda x: np.repeat(x[:1], len(x), axis=0))),
    ("x-not-finite", lambda: of_mnist(x=lambda x: spoiled(x, 37, 100))),
    ("x-not-finite", lambda: of_mnist(x=lambda x: spoiled(x, 37, value=-np.inf))),
    ("x-not-finite", lambda: of_mnist(x=lambda x: x * np.float32("nan"))),
    ("labels-from-1", lambda: of_mnist(t=lambda t: t + 1)),
    ("labels-column", lambda: of_mnist(t=lambda t: t[:, None])),
    ("labels-out-of-range", lambda: of_mnist(mlp(784, 16, 9))),
    ("labels-out-of-range", lambda: of_mnist(t=lambda t: t.astype(int) - 1)),
    ("targets-do-not-fit", lambda: of_mnist(t=lambda t: t.astype("f"))),
    ("targets-do-not-fit", lambda: of_mnist(t=lambda t: 2 * np.eye(10, dtype="f")[t])),
    ("targets-do-not-fit", lambda: numbers((sine()[0], sine()[1][:, 0]), mlp(1, 8, 1), lr=0.01)),
    ("targets-not-finite", lambda: numbers((sine()[0], spoiled(sine()[1], 3)), mlp(1, 8, 1), lr=0.01)),
    ("targets-not-finite", lambda: numbers((sine()[0], spoiled(sine()[1], 3, value=np.inf)), mlp(1, 8, 1), lr=0.01)),
    ("target-scale", lambda: numbers((norris()[0], load_norris()[1]), norris_model(), lr=0.1)),
    ("constant-targets", lambda: numbers((sine()[0], np.ones_like(sine()[1])), mlp(1, 8, 1), lr=0.01)),
    ("one-class", lambda: of_mnist(t=lambda t: np.full_like(t, 3))),
    ("missing-class", lambda: of_mnist(**without(lambda t: t != 3))),
    ("unbalanced-classes", lambda: classes(moons()[0], (np.arange(300) == 7).astype(int))),
    ("softmax-before-loss", lambda: of_mnist(mlp(784, 16, 10, last=[Softmax()]))),
    ("bounded-scores", lambda: of_mnist(mlp(784, 16, 10, last=[Sigmoid()]))),
    ("bounded-scores", lambda: of_mnist(mlp(784, 16, 10, last=[Tanh()]))),
    ("relu-scores", lambda: of_mnist(mlp(784, 16, 10, last=[ReLU()]))),
    ("out-of-reach", lambda: numbers(sine(), mlp(1, 16, 1, last=[Sigmoid()]), Adam)),
    ("squashed-twice", lambda: numbers(XOR, mlp(2, 8, 1, activation=Tanh, last=[Sigmoid(), Sigmoid()]), Adam, lr=0.05)),
    ("affine-twice", lambda: of_mnist(Sequential(Affine(784, 16), Affine(16, 10), backend="numpy", seed=0))),
    ("weights-not-finite", lambda: of_mnist(with_nan(mlp(784, 16, 10)))),
    ("equal-weights", lambda: of_mnist(mlp(784, 16, 10, weight_init="zeros"))),
    ("equal-weights", lambda: of_mnist(mlp(784, 16, 10, weight_init=constant(0.1)))),
    ("dead-relus", lambda: of_mnist(mlp(784, 16, 10, bias_init=constant(-10.0)))),
    ("large-bias", lambda: of_mnist(mlp(784, 16, 10, bias_init=constant(100.0)))),
    ("saturated", lambda: of_mnist(mlp(784, 16, 10, activation=Tanh, bias_init=constant(100.0)))),
    ("saturated", lambda: of_mnist(mlp(784, 32, 32, 10, activation=Tanh, **std_1))),
    ("saturated", lambda: of_mnist(mlp(784, 32, 32, 10, activation=Sigmoid, **std_1))),
    ("exploding-signal", lambda: of_mnist(mlp(784, *[64] * 5, 10, **std_1))),
    ("vanishing-gradient", lambda: of_mnist(mlp(*deep, activation=Sigmoid))),
    ("vanishing-gradient", lambda: of_mnist(mlp(*deep, activation=Sigmoid, weight_init="xavier_normal"))),
    ("vanishing-gradient", lambda: of_mnist(mlp(*deep, activation=Tanh, weight_init="normal"))),
    ("lr-too-high", lambda: of_mnist(lr=10.0)),
    ("lr-too-high", lambda: of_mnist(mlp(784, 64, 10), SGD, lr=10.0)),
    ("lr-too-high", lambda: numbers(XOR, mlp(2, 8, 1), lr=10.0)),
    ("lr-too-high", lambda: numbers(norris(), norris_model(), lr=10.0)),
    ("lr-too-high", lambda: numbers(norris(), norris_model(), Adam, lr=10.0)),
    ("lr-too-low", lambda: of_mnist(lr=1e-7)),
    ("lr-too-low", lambda: of_mnist(optimizer=SGD, lr=1e-7)),
    ("lr-too-low", lambda: of_mnist(lr=0.0)),
    ("lr-too-low", lambda: numbers(XOR, mlp(2, 8, 1), Adam, lr=1e-7)),
    ("lr-too-low", lambda: numbers(norris(), norris_model(), lr=1e-7)),
]  # fmt: skip


def run(model, loss, x, t, optimizer):
    return diagnose(model, loss, x, t, optimizer=optimizer)


def fits(text):
    return max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(("code", "make"), BROKEN, ids=[f"{code} {n}" for n, (code, _) in enumerate(BROKEN)])
def test_a_broken_set_up_has_its_own_diagnosis(code, make):
    report = run(*make())
    assert not report
    first = report.findings[0]
    assert first.code == code and first.text and first.fix
    assert f"[{code}]" in repr(report) and "WRONG" in repr(report) and fits(repr(report))
    if code.startswith("lr-"):
        assert {f.code for f in report.findings} <= {code, "large-update", "small-update"}


def test_the_layer_is_named():
    report = run(*of_mnist(mlp(784, 32, 32, 10, activation=Tanh, **std_1)))
    assert report.findings[0].place == 2 and "layer 2, Tanh()" in report.findings[0].text
    model = Sequential(
        Affine(784, 16), ReLU(), Affine(16, 16, bias_init=constant(-99.0)), ReLU(), Affine(16, 10), seed=0
    )
    report = run(*of_mnist(model))
    assert report.findings[0].code == "dead-relus" and report.findings[0].place == 4


ACTIVATIONS = [ReLU, Sigmoid, Tanh]


def healthy(seed):
    """Set-ups that learn, by name."""
    draw = {ReLU: "kaiming_normal", Sigmoid: "xavier_normal", Tanh: "xavier_normal"}
    activation = ACTIVATIONS[seed % 3]
    init = {"activation": activation, "weight_init": draw[activation], "seed": seed}
    depth = 1 + seed % (5 if activation is not Sigmoid else 4)
    yield "mnist", of_mnist(mlp(784, *[32] * depth, 10, **init))
    yield "xor", numbers(XOR, mlp(2, 8, 1, seed=seed), Adam, lr=0.05)
    yield "norris", numbers(norris(), norris_model(seed=seed), lr=0.1)
    if seed % 2:
        yield "sine", numbers(sine(), mlp(1, 32, 1, **init), Adam, lr=1e-2)
    else:
        yield "moons", classes(*moons(), mlp(2, 16, 2, **init))


def drawn(seed):
    """A healthy set-up at random: a smooth function of normal columns, any loss, optimizer and size."""
    rng = np.random.default_rng(seed)
    N, D, H, K = (
        int(rng.choice(c)) for c in ([12, 30, 60, 150, 250, 400, 600, 1500], [1, 2, 3, 8, 20], [16, 64], [2, 3])
    )
    kind, activation, dtype = rng.integers(5), ACTIVATIONS[rng.integers(3)], rng.choice(["float32", "float64"])
    depth = int(rng.integers(1, 4)) if activation is not Sigmoid and kind < 4 else 1
    x = rng.normal(size=(N, D)) * (1 if kind == 4 else rng.choice([0.5, 1, 1.5]))
    f = np.tanh(1.5 * x @ rng.normal(size=(D, 4)) / math.sqrt(D) + rng.normal(size=4) / 3) @ rng.normal(size=(4, K))
    f = f - f.mean(axis=1, keepdims=True) if kind < 2 else f
    f = (f - f.mean(axis=0)) / f.std(axis=0) + rng.choice([0, 0.1, 0.3]) * rng.normal(size=f.shape)
    p = np.exp(2 * f)
    t = [f.argmax(axis=1), (p / p.sum(axis=1, keepdims=True)).astype(dtype)]
    t = t[kind] if kind < 2 else (f * (1 if kind == 4 else rng.choice([0.3, 1, 3]))).astype(dtype)
    loss = [SoftmaxCrossEntropy(), SoftmaxCrossEntropy(), MSE(), GaussianNLL(0.5), GaussianNLL()][kind]
    init = {"weight_init": "kaiming_normal" if activation is ReLU else "xavier_normal", "dtype": dtype, "seed": seed}
    model = mlp(D, *[H] * depth, 2 * K if kind == 4 else K, activation=activation, **init)
    optimizers = [
        lambda: Adam(model, float(rng.choice([1e-3, 1e-2]))),
        lambda: Adam(model, 3e-3, weight_decay=1e-3, clip_norm=1.0),
        lambda: SGD(model, float(rng.choice([0.01, 0.03]))),
        lambda: SGD(model, 0.01, momentum=0.9, nesterov=bool(rng.integers(2))),
    ]
    return model, loss, x.astype(dtype), t, optimizers[rng.integers(2 if kind == 4 else 4)]()


@pytest.mark.parametrize("seed", range(30))
def test_a_healthy_set_up_at_random_has_none(seed):
    report = run(*drawn(seed))
    assert report, report
    assert "WRONG" not in repr(report) and fits(repr(report))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_healthy_set_up_has_none(seed):
    for name, setup in healthy(seed):
        report = run(*setup)
        assert report, f"{name}\n{report}"
        assert not report.findings and "WRONG" not in repr(report) and fits(repr(report))
        assert all(math.isfinite(line.figure) for line in report.lines.values()), name


def test_the_lecture_network_is_healthy():
    """784-256-10 with Adam's default rate, as in examples/mnist_mlp.py: bytes that `transform` makes numbers of."""
    (x, t), _ = load_mnist(normalize=False)
    model, scale = Sequential(Affine(784, 256), ReLU(), Affine(256, 10), seed=0), np.float32(255)
    report = diagnose(model, SoftmaxCrossEntropy(), x, t, optimizer=Adam(model), transform=lambda x: x / scale)
    assert report, report
    assert "67 of 784 columns" in report.lines["columns"].text and "60,000 rows" in repr(report)


def test_more_that_is_healthy():
    """Outputs to spare; zeros in the last layer; one-hot targets; other losses; a rate of SGD; a trained model."""
    last = mlp(784, 16, 10)
    last[2].W = np.zeros((16, 10))
    for setup in (
        of_mnist(mlp(784, 16, 11)),
        of_mnist(last),
        of_mnist(mlp(784, 10, weight_init="zeros")),
        of_mnist(t=lambda t: np.eye(10, dtype="f")[t]),
        of_mnist(optimizer=SGD, lr=0.1),
        of_mnist(mlp(784, *[32] * 20, 10)),
        of_mnist(x=lambda x: (x - x.mean()) / x.std()),
        classes(moons()[0] * np.array([1, 0.004], "f"), moons()[1]),
        of_mnist(x=lambda x: np.c_[x, np.ones(len(x), "f")][:, 1:]),  # a column of ones
    ):
        assert run(*setup), run(*setup)
    for loss, width in ((GaussianNLL(0.01), 1), (GaussianNLL(), 2)):
        model = mlp(1, 32, width, activation=Tanh)
        assert diagnose(model, loss, *sine(), optimizer=Adam(model, 1e-2))
    for model, loss, x, t, optimizer in (of_mnist(), numbers(norris(), norris_model(), lr=0.1)):
        model.fit(x, t, loss=loss, optimizer=optimizer, epochs=100, batch_size=50, seed=0, progress=False)
        assert diagnose(model, loss, x, t, optimizer=optimizer)


def test_without_an_optimizer_adam_shows_which_rates_work():
    model = mlp(2, 8, 1)
    report = diagnose(model, MSE(), *XOR)
    assert report and "update" not in report.lines and "Adam learns with" in report.lines["learning rate"].text
    assert report.sweep.own is None and len(report.sweep.losses) == 17


# --- the figures, by hand --------------------------------------------------------------------------------------------


def test_dead_saturated_and_symmetric_shares():
    """Three of four units dead; half of the outputs at the ends of tanh."""
    x = np.random.default_rng(0).uniform(0.1, 1, (50, 2)).astype("f")
    relu = Sequential(Affine(2, 4), ReLU(), Affine(4, 1), backend="numpy", seed=0)
    relu[0].W = [[1, -1, -2, -1], [1, -1, -1, -3]]
    tanh = Sequential(Affine(2, 4), Tanh(), Affine(4, 1), backend="numpy", seed=0)
    tanh[0].W = [[0.1, -0.1, 99, -99], [0.1, -0.2, 99, -99]]
    t = x[:, :1]
    assert diagnose(relu, MSE(), x, t).lines["dead ReLUs"].figure == 0.75
    line = diagnose(tanh, MSE(), x, t).lines["saturation"]
    assert line.figure == 0.5 and line.code is None  # not more than half


def test_the_loss_of_chance():
    x, t = mnist()
    zero = mlp(784, 10, weight_init="zeros")
    line = diagnose(zero, SoftmaxCrossEntropy(), x, t).lines["loss at start"]
    assert line.figure == pytest.approx(1, abs=1e-6) and "2.3, log 10" in line.text
    u, v = norris()
    model = norris_model(weight_init="zeros")
    assert diagnose(model, MSE(), u, v).lines["loss at start"].figure == pytest.approx(1)
    # A Gaussian of the variance 4, at the mean: (log(8 pi) + 1/4) / 2, which is chance; its least is log(8 pi) / 2.
    line = diagnose(model, GaussianNLL(4.0), u, v).lines["loss at start"]
    assert line.figure == pytest.approx(1) and line.text.startswith(f"{(math.log(8 * math.pi) + 0.25) / 2:.3g};")


def test_the_sweep_falls_as_the_gradient_says():
    """At a tiny rate, 20 steps of gradient descent on all rows bring the loss down by 20 lr |g|^2."""
    model, loss = norris_model(seed=3), MSE()
    u, v = norris()
    loss.forward(model.forward(u), v)
    model.backward(loss.backward())
    sweep = diagnose(model, loss, u, v, optimizer=SGD(model, 1e-6)).sweep
    assert sweep.start == pytest.approx(loss(model(u), v))
    assert sweep.fall(1e-6) == pytest.approx(20 * 1e-6 * (model.grads**2).sum(), rel=1e-3)
    assert (
        sweep.own == 1e-6 in sweep.losses and 1e-2 < sweep.best < 1 and sweep.learns[0] <= sweep.best <= sweep.learns[1]
    )


def test_the_rates_that_learn():
    """From the least to the greatest with which the loss falls nearly as far as with the best; none else between."""
    losses = {1e-3: 0.99, 1e-2: 0.3, 1e-1: 0.2, 1.0: 0.25, 10.0: 7.0, 100.0: math.nan}
    sweep = LearningRateSweep("SGD", 20, losses, losses, 1.0, None)
    assert sweep.best == 1e-1 and sweep.learns == (1e-2, 1.0)
    assert sweep.fall(10.0) == -6 and sweep.fall(100.0) == -math.inf and sweep.fall(0.0) == 0


def test_the_update_in_units_of_the_weights():
    """w = 4, x = t = 1: dL/dw = 2 (4 - 1), so that lr 0.1 moves w by 0.6, which is 0.15 of it."""
    model = Sequential(Affine(1, 1, weight_init=constant(4.0)), backend="numpy", dtype="float64")
    x = np.ones((9, 1))
    line = diagnose(model, MSE(), x, x, optimizer=SGD(model, 0.1)).lines["update"]
    assert line.figure == pytest.approx(0.15)


def test_the_bounds_of_softmax_twice_and_of_bounded_scores():
    """The loss that probabilities as scores cannot get below, found by trying: 1 for the right class, 0 elsewhere."""
    best = SoftmaxCrossEntropy()(np.eye(2), np.arange(2))
    for last in (Softmax(), Sigmoid()):
        assert run(*classes(*moons(), mlp(2, 8, 2, last=[last]))).findings[0].figure == pytest.approx(best)
    best = SoftmaxCrossEntropy()(2 * np.eye(2) - 1, np.arange(2))
    assert run(*classes(*moons(), mlp(2, 8, 2, last=[Tanh()]))).findings[0].figure == pytest.approx(best)


# --- what it leaves alone, and what it takes -------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [functools.partial(SGD, lr=0.1, momentum=0.9), Adam])
def test_all_stays_as_it_was(optimizer):
    model, loss = mlp(2, 8, 2), SoftmaxCrossEntropy()
    optimizer, (x, t) = optimizer(model), moons()
    model.fit(x, t, loss=loss, optimizer=optimizer, epochs=1, seed=0, progress=False)
    loss.forward(model.forward(x[:5]), t[:5])  # a pending backward

    def state():
        layers = [(layer.x, layer.y, layer.place, layer.needs_dx) for layer in model]
        return pickle.dumps((model, optimizer, loss.dy, layers, x, t, np.random.get_state(), model.params, model.grads))

    before = state()
    for wrong in (t, t + 1):
        diagnose(model, loss, x, wrong, optimizer=optimizer)
    assert state() == before
    model.backward(loss.backward())
    assert optimizer.model is model and model[0].W.base is not None


def test_numbers_drawn_by_a_layer_stay_in_order():
    class Noise(Layer):
        def forward(self, x):
            return x + np.random.normal(size=x.shape).astype(x.dtype) * np.float32(random.random())

        def backward(self, dy):
            return dy

    first, filters = (random.getstate(), pickle.dumps(np.random.get_state())), list(warnings.filters)
    diagnose(mlp(2, 8, 1, last=[Noise()]), MSE(), *XOR)
    assert (random.getstate(), pickle.dumps(np.random.get_state())) == first and warnings.filters == filters


def test_a_second_call_says_the_same():
    one, two = (run(*classes(*moons())) for _ in range(2))
    assert repr(one) == repr(two) and one.sweep == two.sweep


def test_a_model_class_of_ones_own():
    model = Own()
    optimizer, before = Adam(model, 0.05), model.params.copy()
    report = diagnose(model, MSE(), *XOR, optimizer=optimizer)
    assert report, report
    assert np.array_equal(model.params, before) and "Own" in repr(report)
    assert diagnose(model, MSE(), XOR[0], XOR[1], optimizer=SGD(model, 50.0)).findings[0].code == "lr-too-high"
    model.first.b = np.full(8, -9)
    finding = diagnose(model, MSE(), *XOR).findings[0]
    assert finding.code == "dead-relus" and finding.place == 2


def test_a_loss_of_ones_own():
    class Absolute(tinynn.Loss):
        def compute(self, y, t):
            return float(abs(y - t).mean()), np.sign(y - t) / y.size

    class Undefined(Absolute):
        def compute(self, y, t):
            return math.nan, y

    model = mlp(1, 32, 1)
    assert diagnose(model, Absolute(), *sine(), optimizer=Adam(model, 1e-2))
    assert diagnose(model, Undefined(), *sine()).findings[0].code == "loss-not-finite"


def test_a_backward_that_is_wrong_learns_no_rows():
    class Wrong(Affine):
        def backward(self, dy):
            return super().backward(-dy)

    model = Sequential(Affine(784, 16), ReLU(), Wrong(16, 10), backend="numpy", seed=0)
    assert "few-rows-not-learned" in {f.code for f in run(*of_mnist(model)).findings}


def test_on_the_gpu():
    with posing_as_cupy():
        model = Sequential(Affine(2, 8), Tanh(), Affine(8, 1), backend="cupy", seed=0)
        report = diagnose(model, MSE(), *XOR, optimizer=Adam(model, 0.05))
        assert report and model.backend == "cupy"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": ReLU()}, TypeError, r"model must be a model such as a Sequential, not ReLU\(\) \(ReLU\): Sequential"),
        ({"model": [Affine(2, 1)]}, TypeError, "model must be a model such as a Sequential, not \\[Affine"),
        ({"loss": len}, TypeError, r"loss must be a loss such as MSE\(\), not <built-in function len>"),
        ({"optimizer": range(3)}, TypeError, r"optimizer must be an optimizer such as Adam\(model\), not range\(0, 3\)"),
        ({"model": Sequential}, TypeError, "model must be a model such as a Sequential, not <class"),
        ({"loss": MSE}, TypeError, r"loss must be a loss such as MSE\(\), not <class .*give an object of that class"),
        ({"optimizer": 3}, TypeError, r"optimizer must be an optimizer such as Adam\(model\), not 3"),
        ({"optimizer": Adam(mlp(2, 2))}, ValueError, "optimizer must be one of this model"),
        ({"x": [[1.0, 2.0]]}, TypeError, "x must be a numpy array with a row for each example, not \\[\\[1.0"),
        ({"t": [1]}, TypeError, "t must be a numpy array"),
        ({"x": XOR[0].astype("u1")}, TypeError, "x must be of dtype float32 or float64, not uint8"),
        ({"x": XOR[0].astype("f8")}, TypeError, "x must be float32 like the model, not float64"),
        ({"x": XOR[0][0]}, ValueError, "t must have as many rows as x, 2, not 4"),
        ({"x": XOR[0][:, :1].copy()}, ValueError, "x must have rows of 2, not shape"),
        ({"x": XOR[0][:, :, None].repeat(3, 2)}, ValueError, "x must have rows of 2"),
        ({"t": XOR[1][:2]}, ValueError, "t must have as many rows as x, 4, not 2"),
        ({"x": XOR[0][:0], "t": XOR[1][:0]}, ValueError, "x must have at least one row"),
        ({"x": np.ma.masked_array(XOR[0])}, TypeError, r"x must be a numpy array, not a numpy.MaskedArray of shape \(4, 2"),
        ({"x": XOR[0].astype(complex)}, TypeError, "x must be float32 like the model, not complex128"),
        ({"transform": lambda x: None}, TypeError, "what transform makes of x must be a numpy array, not None"),
        ({"transform": lambda x: x[:1]}, ValueError, r"what transform makes of x must have as many rows as x, 4, not shape"),
        ({"transform": lambda x: x.astype("f8")}, TypeError, "what transform makes of x must be float32 like the model"),
        ({"loss": Rows()}, TypeError, r"Rows\(\): the loss must be one number, not an array of shape \(4,\)"),
        ({"transform": 2}, TypeError, "transform must be a function"),
    ],
)  # fmt: skip
def test_what_is_of_the_wrong_kind_raises(change, error, message):
    arguments = {"model": mlp(2, 8, 1), "loss": MSE(), "x": XOR[0], "t": XOR[1], **change}
    with pytest.raises(error, match=message):
        diagnose(**arguments)


def test_a_model_that_hides_its_layers():
    class Hidden(Own):
        def __init__(self):
            super().__init__()
            parts = self.first, self.hidden, self.last
            self.parts = lambda: parts
            del self.first, self.hidden, self.last

    with pytest.raises(
        TypeError, match="model must have its layers as attributes, those that `flatten` was given, not"
    ):
        diagnose(Hidden(), MSE(), *XOR)


values = st.floats(width=32) | st.sampled_from([0.0, 255.0, 1e30, -1e30, math.nan, math.inf])


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(
    x=hnp.arrays("float32", st.tuples(st.integers(1, 6), st.just(3)), elements=values),
    data=st.data(),
    widths=st.lists(st.integers(1, 5), max_size=4),
    activation=st.sampled_from([*ACTIVATIONS, Softmax]),
    lr=st.sampled_from([0.0, 1e-30, 1e-3, 1e30]),
)
def test_no_values_raise(x, data, widths, activation, lr):
    """Whatever x and t hold, there is a report, and it fits 100 columns."""
    model = mlp(3, *widths, 2, activation=activation)
    loss = data.draw(st.sampled_from([MSE(), SoftmaxCrossEntropy()]))
    if loss.classifies and data.draw(st.booleans()):
        t = data.draw(hnp.arrays("int64", len(x), elements=st.integers(-(2**63), 2**63 - 1) | st.integers(0, 2)))
    else:
        t = data.draw(hnp.arrays("float32", (len(x), 2), elements=values))
    report = diagnose(model, loss, x, t, optimizer=Adam(model, lr))
    assert fits(repr(report)) and bool(report) == (not report.findings)


def test_a_model_without_parameters():
    model = Sequential(Tanh(), backend="numpy")
    report = diagnose(model, MSE(), XOR[0], -XOR[0], optimizer=Adam(model))
    assert [f.code for f in report.findings] == ["few-rows-not-learned", "no-better-than-chance", "no-rate-learns"]
    assert "update" not in report.lines and "gradients" not in report.lines


def test_long_names_fit():
    class Named(Tanh):
        def __repr__(self):
            return "A" * 150 + "()"

    report = diagnose(mlp(2, 8, 1, activation=Named), MSE(), *XOR)
    assert fits(repr(report)) and fits(repr(run(*of_mnist(mlp(*deep)))))


def test_plot():
    from matplotlib.figure import Figure

    report = run(*numbers(XOR, mlp(2, 8, 1), Adam, lr=10.0))
    axes = report.plot()
    assert axes.get_xscale() == "log" and axes.get_xlabel() == "learning rate of Adam"
    labels = axes.get_legend_handles_labels()[1]
    assert "the optimizer's rate, 10" in labels and any(label.startswith("learns, ") for label in labels)
    axes.figure.canvas.draw()
    own = Figure().subplots()
    assert diagnose(mlp(2, 8, 1), MSE(), *XOR).plot(own) is own
    with pytest.raises(ValueError, match="there must be a sweep to draw; it was left out: the targets do not fit"):
        run(*of_mnist(t=lambda t: t + 1)).plot()


def test_one_row_is_in_the_singular():
    x, t = np.ones((2, 3), "f4"), np.ones((2, 1), "f4")
    model = Sequential(Affine(3, 1), seed=0, backend="numpy")
    said = [str(tinynn.diagnose(model, MSE(), x[:n], t[:n])).splitlines()[0] for n in (1, 2)]
    assert said == ["Sequential, MSE(), 1 row", "Sequential, MSE(), 2 rows"]
