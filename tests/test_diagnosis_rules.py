"""Each rule of diagnose on both sides of its limit; its figures, from the raw arrays."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from test_diagnose import Softmax, constant, mlp

from tinynn import (
    MSE,
    SGD,
    Affine,
    GaussianNLL,
    Layer,
    Loss,
    ReLU,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    flatten,
)
from tinynn.diagnosis import CHECKS, diagnose
from tinynn.diagnosis.chance import different
from tinynn.diagnosis.evidence import RATES, Evidence
from tinynn.diagnosis.figures import Columns
from tinynn.diagnosis.report import Diagnosis, LearningRateSweep, LeftOut, Result, wrapped

SIGNS = np.array([[1.0], [-1.0]] * 6)  # mean 0, variance 1


def net(*layers, **W):
    """A float64 network; W, a dict place -> (W, b), sets what its layers start with."""
    model = Sequential(*layers, backend="numpy", dtype="float64", seed=0)
    for place, (weights, biases) in W.items():
        model[int(place[1:])].W, model[int(place[1:])].b = np.array(weights, float), np.array(biases, float)
    return model


def case_of(model, loss, x, t, optimizer=None):
    case = Evidence(model, loss, optimizer, x, t, lambda x: x)
    return case


def line_of(check, *args):
    with np.errstate(all="ignore"):
        return CHECKS[check](case_of(*args))


def of_x(check, x):
    x = np.asarray(x, float)
    return line_of(check, net(Affine(x.shape[1], 1)), MSE(), x, SIGNS[: len(x)])


def of_t(t, check="targets"):
    t = np.asarray(t, float)
    return line_of(check, net(Affine(1, t.shape[1])), MSE(), SIGNS[: len(t)], t)


def of_labels(t, C, check="classes"):
    t = np.asarray(t)
    return line_of(check, net(Affine(1, C)), SoftmaxCrossEntropy(), np.linspace(-1, 1, len(t))[:, None], t)


# --- the data --------------------------------------------------------------------------------------------------------


def test_rows_with_nan_are_counted():
    x = np.ones((5, 2))
    assert of_x("numbers", x).figure == 0 and of_x("numbers", x).code is None
    x[3, 1], x[1, 0] = np.nan, np.inf
    line = of_x("numbers", x)
    assert line.figure == 2 and "2 of 5 rows" in line.text and line.text.endswith("first row 1")


@pytest.mark.parametrize(
    ("x", "code"),
    [
        ([[0], [100]], "pixels-0-255"),
        ([[0], [255]], "pixels-0-255"),
        ([[0], [99]], "large-input"),
        ([[0], [256]], "large-input"),
        ([[-1], [200]], "large-input"),
        ([[0.5], [200]], "large-input"),
        ([[0, 0], [1 / 1024, 1000 / 1024]], None),  # 1000 times as wide
        ([[0, 0], [1 / 1024, 1001 / 1024]], "columns-differ"),
        ([[3, 0], [3, 5.0]], None),  # a constant column has no width
        ([[10.0], [-10.0]], None),
        ([[10.5], [-10.5]], "large-input"),
        ([[0.05], [0]], None),
        ([[-0.05], [0]], None),
        ([[0.049], [-0.049]], "small-input"),
    ],
)
def test_the_scale_of_x(x, code):
    line = of_x("input scale", x)
    x = np.array(x, float)
    assert line.code == code
    assert f"x in {x.min():.3g} .. {x.max():.3g}, root mean square of a column up to " in line.text
    size = np.sqrt((x**2).mean(axis=0)).max()
    assert f"up to {size:.3g}" in line.text
    widths = np.ptp(x, axis=0)
    figures = {"pixels-0-255": x.max(), "columns-differ": widths.max() / widths[widths > 0].min()}
    assert line.figure == pytest.approx(figures.get(code, size))
    advice = {"pixels-0-255": "x = x / 255", "small-input": "divided twice", None: ""}
    assert advice.get(code, "x = (x - mean) / std") in line.fix
    assert code != "columns-differ" or "1e+03 times as wide" in line.text


@pytest.mark.parametrize(("same", "columns", "code"), [(0, 3, None), (9, 10, None), (19, 20, "constant-columns")])
def test_constant_columns(same, columns, code):
    x = np.random.default_rng(0).normal(size=(6, columns))
    x[:, :same] = 1
    line = of_x("columns", x)
    assert (line.figure, line.code) == (same / columns, code) and f"{same} of {columns} columns" in line.text


@pytest.mark.parametrize(
    ("size", "code"), [(1e-3, "target-scale"), (1.01e-3, None), (1, None), (9.9, None), (10, "target-scale")]
)
def test_the_scale_of_t(size, code):
    line = of_t(size * SIGNS)
    assert line.code == code and line.figure == pytest.approx(size)
    assert f"t in {-size:.3g} .. {size:.3g}, root mean square {size:.3g}" in line.text


def test_targets_of_every_kind():
    assert of_t(np.full((4, 1), 2.0)).code == "constant-targets"
    assert of_t(np.c_[SIGNS, np.ones(12)]).code is None  # one column of two says something
    t = SIGNS.copy()
    t[2], t[5] = np.inf, np.nan
    line = of_t(t)
    assert (line.code, line.figure) == ("targets-not-finite", 2) and line.text.startswith("2 of t are")
    for labels, code, figure in (
        ([0, 1, 2], None, 2),
        ([1, 2, 3], "labels-from-1", 1),
        ([1, 2, 4], "labels-out-of-range", 4),
        ([0, 1, 3], "labels-out-of-range", 3),
        ([-1, 1, 2], "labels-out-of-range", 2),
        ([[0], [1], [2]], "labels-column", 1),
        ([[0, 1], [1, 0], [1, 0]], "targets-do-not-fit", math.nan),
        ([0.0, 1.0, 2.0], "targets-do-not-fit", math.nan),
    ):
        line = of_labels(labels, 3, "targets")
        assert line.code == code and line.figure == pytest.approx(figure, nan_ok=True), labels
        if np.ndim(labels) == 1 and code != "targets-do-not-fit":
            assert f"labels {min(labels)} .. {max(labels)}" in line.text
    assert "stand for labels 0 .. 2" in of_labels([0, 3], 3, "targets").text
    soft = of_labels(np.full((4, 3), 1 / 3), 3, "targets")
    assert soft.code is None and soft.figure == pytest.approx(1 / 3)


def test_labels_that_no_row_of_the_sample_has():
    """A message names the shape of all t, not of the sample; a wrong label counts wherever it stands."""
    x, t = np.linspace(-1, 1, 3000)[:, None], np.arange(3000) % 3
    t[1234] = 3
    assert line_of("targets", net(Affine(1, 3)), SoftmaxCrossEntropy(), x, t).code == "labels-out-of-range"
    assert "(3000, 1)" in line_of("targets", net(Affine(1, 3)), SoftmaxCrossEntropy(), x, t[:, None] * 1.0).text
    assert line_of("targets", net(Affine(1, 2)), MSE(), x, np.ones((3000, 1))).text.endswith("(3000, 2), not (3000, 1)")


@pytest.mark.parametrize(
    ("counts", "C", "code", "figure"),
    [
        ((100, 1), 2, None, 100),
        ((101, 1), 2, "unbalanced-classes", 101),
        ((5, 5), 2, None, 1),
        ((14, 0, 15), 3, None, 15 / 14),  # 29 rows: too few to say
        ((15, 0, 15), 3, "missing-class", 1),
        ((15, 15), 3, None, 1),  # a score to spare
        ((0, 7), 2, "one-class", 1),
        ((20, 60, 30), 3, None, 3),
    ],
)
def test_classes(counts, C, code, figure):
    t = np.repeat(np.arange(len(counts)), counts)
    for labels in (t, np.eye(C)[t]):
        line = of_labels(labels, C)
        assert (line.code, line.figure) == (code, pytest.approx(figure))
    present = [c for c in counts if c]
    if code == "one-class":
        assert line.text == "all rows are of class 1"
    elif len(set(present)) == 1:
        assert line.text.startswith(f"each of {len(present)} classes has {100 * present[0] / len(t):.2g} % of the rows")
    else:
        least, most = counts.index(min(present)), counts.index(max(present))
        shares = [100 * c / len(t) for c in counts]
        text = (
            f"{shares[least]:.2g} % of the rows are of class {least}, the rarest, {shares[most]:.2g} % of class {most}"
        )
        assert line.text.startswith(text)
    assert code != "missing-class" or line.text.endswith("none of class 1")
    assert of_t(SIGNS, "classes") is None


# --- the model -------------------------------------------------------------------------------------------------------


class Zero(Layer):
    """No influence of x, and none on it."""

    def forward(self, x):
        return 0 * x

    def backward(self, dy):
        return 0 * dy


def scores(last, W=((1, -1, 0.5),)):
    return (
        net(Affine(1, 3), *([last()] if last else []), l0=(W, [0, 0, 0])),
        SoftmaxCrossEntropy(),
        SIGNS,
        np.arange(12) % 3,
    )


@pytest.mark.parametrize(
    ("last", "code", "figure"),
    [
        (None, None, 1),
        (Softmax, "softmax-before-loss", math.log(1 + 2 / math.e)),
        (Sigmoid, "bounded-scores", math.log(1 + 2 / math.e)),
        (Tanh, "bounded-scores", math.log(1 + 2 / math.e**2)),
        (ReLU, "relu-scores", 0),
    ],
)
def test_scores(last, code, figure):
    line = line_of("output", *scores(last))
    assert line.code == code and line.figure == pytest.approx(figure)
    assert line.place == (2 if code else None) and (code != "bounded-scores" or f"above {figure:.2g}" in line.text)
    y = scores(last)[0](SIGNS)
    assert line.text.startswith(f"y in {y.min():.3g} .. {y.max():.3g} at the start")


def test_what_is_no_probabilities():
    """A sum of 1 with numbers below 0; a sum that is not 1; a single score of 1."""
    for W, b in (([[1, -1, 0]], [0.5, 0.5, 0]), ([[0, 0, 0]], [0.5, 0.5, 0.5])):
        model = net(Affine(1, 3), l0=(W, b))
        assert line_of("output", model, SoftmaxCrossEntropy(), SIGNS, np.arange(12) % 3).code is None
    model = net(Affine(1, 1), l0=([[0]], [1]))
    assert line_of("output", model, SoftmaxCrossEntropy(), SIGNS, np.zeros(12, int)).code is None
    model = net(Affine(1, 2), l0=([[0.0, 0.0]], [0.0, 1.0]))  # least y is 0
    assert line_of("output", model, SoftmaxCrossEntropy(), SIGNS, np.arange(12) % 2).code == "softmax-before-loss"


@pytest.mark.parametrize(
    ("last", "low", "high", "figure"),
    [
        (Sigmoid, 0, 1, None),
        (Sigmoid, -0.25, 1, 0.25),
        (Sigmoid, 0, 1.5, 0.5),
        (Tanh, -1, 1, None),
        (Tanh, -1.25, 1, 0.25),
        (Tanh, -1, 2, 1),
        (ReLU, 0, 9, None),
        (ReLU, -0.5, 3, 0.5),
        (Zero, -5, 5, None),
    ],
)
def test_targets_out_of_reach(last, low, high, figure):
    t = np.where(SIGNS > 0, float(high), float(low))
    line = line_of("output", net(Affine(1, 1), last()), MSE(), SIGNS, t)
    assert line.code == ("out-of-reach" if figure else None) and line.place == (2 if figure else None)
    if figure:
        assert line.figure == figure and f"the targets lie in {low:.3g} .. {high:.3g}" in line.text


@pytest.mark.parametrize(
    ("layers", "code"),
    [
        ((Affine(4, 2), Affine(2, 4)), None),  # a bottleneck: less than one affine map
        ((Affine(4, 3), Affine(3, 3)), "affine-twice"),
        ((Affine(4, 4), Affine(4, 5)), "affine-twice"),
        ((Affine(4, 4), Tanh(), Affine(4, 5)), None),
        ((Affine(4, 4), Tanh(), ReLU(), Affine(4, 5)), None),
        ((Affine(4, 4), ReLU(), Sigmoid(), Affine(4, 5)), None),
        ((Affine(4, 4), Tanh(), Sigmoid(), Affine(4, 5)), "squashed-twice"),
        ((Affine(4, 4), Sigmoid(), Sigmoid()), "squashed-twice"),
    ],
)
def test_two_layers_in_a_row(layers, code):
    model, x = net(*layers), np.random.default_rng(0).normal(size=(9, 4))
    line = line_of("layers", model, MSE(), x, x)
    assert line.code == code and line.place == ({"affine-twice": 2, "squashed-twice": 3}.get(code))
    model.forward(x)
    y = model[2].y if code == "squashed-twice" else None
    assert line.figure == (pytest.approx(np.ptp(y)) if code == "squashed-twice" else 2 if code else len(layers))
    assert y is None or f"no more than {y.min():.2g} .. {y.max():.2g}" in line.text


def test_first_weights():
    same = [[0.5, 0.5], [2, 2]]
    x = np.c_[SIGNS, np.roll(SIGNS, 1)]
    for model, code in (
        (net(Affine(2, 2), ReLU(), Affine(2, 1), l0=(same, [0, 0])), "equal-weights"),
        (net(Affine(2, 2), ReLU(), Affine(2, 1), l0=([[0.5, 0.5], [2, 3]], [0, 0])), None),
        (net(Affine(2, 2), l0=(same, [0, 0])), None),  # what comes to the last layer's units differs
        (net(Affine(2, 1), ReLU(), Affine(1, 1)), None),  # a single unit
    ):
        line = line_of("first weights", model, MSE(), x, np.zeros((12, model[-1].n_out)))
        assert line.code == code
        if code:
            assert (line.figure, line.place) == (0.5, 1) and "weights such as 0.5" in line.text
        else:
            assert line.figure == pytest.approx(np.sqrt((model.params**2).mean()))
            assert line.text.startswith(f"{model.params.size:,} numbers, root mean square {line.figure:.2g}")


def units(values, activation=ReLU, after=1):
    """A hidden layer whose units have these inputs, whatever x is."""
    n = len(values)
    model = net(Affine(1, n), activation(), Affine(n, after), l0=(np.full((1, n), 1e-3), values))
    return model, MSE(), SIGNS, SIGNS


def test_dead_relus():
    for dead, alive, code in ((9, 1, None), (10, 1, "dead-relus"), (3, 0, "dead-relus"), (0, 2, None)):
        line = line_of("dead ReLUs", *units([-1.0] * dead + [1.0] * alive))
        share = dead / (dead + alive)
        assert (line.code, line.figure, line.place) == (code, pytest.approx(share), 2)
        assert f"{100 * share:.3g} % of {dead + alive} units" in line.text
        if code:
            b = (alive - dead) / (dead + alive)
            assert f"Affine(1, {dead + alive}) before it has biases of {b:.2g} and weights of 0.001" in line.text
        else:
            assert "before it" not in line.text
    assert line_of("dead ReLUs", *units([1.0], Tanh)) is None


def test_the_first_layer_beyond_the_limit_is_named_else_the_worst():
    def model(*shares):
        layers = [Affine(1, 20)]
        for _ in shares:
            layers += [ReLU(), Affine(20, 20)]
        model = net(*layers)
        for n, share in enumerate(shares):
            model[2 * n].W = 1e-3 * np.abs(model[2 * n].W)
            model[2 * n].b = np.where(np.arange(20) < 20 * share, -1, 1)
        return model, MSE(), SIGNS, np.tile(SIGNS, 20)

    for shares, place in (((0.5, 0.7), 4), ((0.95, 1.0), 2), ((0.2, 0.95, 1.0), 4), ((0.6, 0.3), 2)):
        line = line_of("dead ReLUs", *model(*shares))
        assert line.place == place and line.figure == pytest.approx(shares[place // 2 - 1])


@pytest.mark.parametrize("activation", [Sigmoid, Tanh])
def test_saturation(activation):
    """Where the slope is less than 5 % of its greatest: beyond 2.18 for tanh, 4.36 for the sigmoid."""
    edge = math.atanh(math.sqrt(0.95)) * (2 if activation is Sigmoid else 1)
    for flat, steep, code in ((2, 2, None), (3, 2, "saturated"), (1, 0, "saturated"), (0, 1, None)):
        values = [edge + 0.01, -edge - 0.01, edge + 5][:flat] + [edge - 0.01, 0.0][:steep]
        line = line_of("saturation", *units(values, activation))
        assert (line.code, line.figure, line.place) == (code, pytest.approx(flat / len(values)), 2)
        assert f"{100 * line.figure:.3g} % of the outputs of {len(values)} units" in line.text
    last = net(Affine(1, 1), activation(), l0=([[0]], [99]))
    assert line_of("saturation", last, MSE(), SIGNS, SIGNS) is None  # the last layer may


@pytest.mark.parametrize(("W", "code"), [(99, None), (101, "exploding-signal"), (1e-3, None)])
def test_signal(W, code):
    model = net(Affine(1, 1), Affine(1, 1), l0=([[W]], [3]), l1=([[0.5]], [0]))
    line = line_of("signal", model, MSE(), SIGNS, SIGNS)
    assert line.code == code and line.figure == pytest.approx(W) and line.place == (1 if code else None)
    assert f"vary {W / 2:.2g} to {W:.2g} times as much as x" in line.text
    with pytest.raises(LeftOut, match="all rows of x are equal"):
        line_of("signal", model, MSE(), np.ones((12, 1)), SIGNS)


@pytest.mark.parametrize(("b", "code"), [(0, None), (19.8, None), (20.2, "large-bias"), (-20.2, "large-bias")])
def test_biases(b, code):
    model = net(Affine(1, 1), ReLU(), Affine(1, 1), ReLU(), Affine(1, 1), l0=([[2]], [b]), l2=([[1]], [0]))
    line = line_of("biases", model, MSE(), SIGNS, SIGNS)
    assert line.code == code and line.figure == pytest.approx(abs(b) / 2) and line.place == 1
    assert (f"are {abs(b) / 2:.2g} of the spread of x W" if b else "0 in all hidden layers") in line.text
    assert line_of("biases", net(Affine(1, 1), l0=([[1]], [99])), MSE(), SIGNS, SIGNS) is None  # t's mean may be large


def cross_entropy(y, t):
    p = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(t)), t]).mean()


@pytest.mark.parametrize(("W", "code"), [(0, None), (3.4, None), (3.6, "loss-at-start")])
def test_the_first_loss_of_classes(W, code):
    """Half of the rows are wrong by 2 W: a loss of about W, and chance's is log 2."""
    model, t = net(Affine(1, 2), l0=([[W, -W]], [0, 0])), np.arange(12) // 6
    line = line_of("loss at start", model, SoftmaxCrossEntropy(), SIGNS, t)
    value = cross_entropy(SIGNS @ [[W, -W]], t)
    assert line.code == code and line.figure == pytest.approx(value / math.log(2))
    assert line.text == f"{value:.3g}; equal scores give 0.693, log 2"


@pytest.mark.parametrize(("square", "code"), [(0, None), (498, None), (500, "loss-at-start")])
def test_the_first_loss_of_numbers(square, code):
    model = net(Affine(1, 1), l0=([[0]], [math.sqrt(square)]))
    line = line_of("loss at start", model, MSE(), SIGNS, SIGNS)
    assert line.code == code and line.figure == pytest.approx(1 + square)
    assert line.text == f"{1 + square:.3g}; the mean of t as y gives 1"


def test_soft_targets_that_leave_no_range():
    """Rows of about (1/2, 1/2): the loss lies between 0.69 and 0.75, whatever is done; that is not far from chance."""
    t = np.full((12, 2), 0.5) + 0.01 * np.c_[SIGNS, -SIGNS]
    model = net(Affine(1, 2), l0=([[0.3, -0.3]], [0, 0]))
    assert line_of("loss at start", model, SoftmaxCrossEntropy(), SIGNS, t).code is None


def test_a_first_loss_that_is_no_number():
    model = net(Affine(1, 1), l0=([[1e200]], [0]))
    line = line_of("loss at start", model, MSE(), SIGNS, SIGNS)
    assert line.code == "loss-not-finite" and line.figure == math.inf
    with pytest.raises(LeftOut, match="the loss at the start is inf"):
        line_of("learning rate", model, MSE(), SIGNS, SIGNS)


def gradient_sizes(w1, w2, x, t):
    """y = w1 w2 x: the root mean squares of (dW, db) of both layers, by hand."""
    dy = 2 * (w1 * w2 * x - t) / len(x)
    first = (x * dy * w2).sum(), (dy * w2).sum()
    second = (w1 * x * dy).sum(), dy.sum()
    return [math.sqrt((a * a + b * b) / 2) for a, b in (first, second)]


@pytest.mark.parametrize(
    ("w1", "w2", "code", "place"),
    [
        (1, 1, None, None),
        (1, 1.1e-5, None, None),
        (1, 0.9e-5, "vanishing-gradient", 1),
        (1.1e-5, 1, None, None),
        (0.9e-5, 1, "exploding-gradient", 2),
    ],
)
def test_gradients(w1, w2, code, place):
    model = net(Affine(1, 1), Affine(1, 1), l0=([[w1]], [0]), l1=([[w2]], [0]))
    line = line_of("gradients", model, MSE(), SIGNS, 2 * SIGNS)
    sizes = gradient_sizes(w1, w2, SIGNS, 2 * SIGNS)
    assert (line.code, line.place) == (code, place)
    assert line.figure == pytest.approx(min(sizes) / max(sizes))
    assert f"root mean square {max(sizes):.2g} in layer" in line.text
    assert w1 == w2 or f"{min(sizes):.2g} in layer {1 + int(np.argmin(sizes))}" in line.text


def test_gradients_that_are_0():
    for last, code in ((Zero(), "zero-gradient"), (None, None)):
        layers = [Affine(1, 1), *([last] if last else []), Affine(1, 1)]
        assert line_of("gradients", net(*layers), MSE(), SIGNS, SIGNS + 1).code == code
    zeros = net(Affine(1, 1), Affine(1, 1), l1=([[0]], [0]))  # comes from the second step on
    assert line_of("gradients", zeros, MSE(), SIGNS, SIGNS).code is None
    trained = net(Affine(1, 1), Affine(1, 1), l0=([[1e-6]], [0]), l1=([[1e6 - 1]], [0]))
    assert line_of("gradients", trained, MSE(), SIGNS, SIGNS).code is None
    assert line_of("gradients", net(Tanh()), MSE(), SIGNS, SIGNS) is None
    one = line_of("gradients", net(Affine(1, 1), l0=([[0]], [0])), MSE(), SIGNS, SIGNS)
    assert one.figure == 1 and one.text == f"root mean square {2 / math.sqrt(2):.2g} in layer 1, Affine(1, 1)"


# --- the algorithm ---------------------------------------------------------------------------------------------------


def test_rows_that_any_model_can_learn():
    """Different ones, of different classes first, as many as x has columns at most (but two), and 8."""
    x = np.array([[1.0, 2], [1, 2], [3, 4], [5, 6], [7, 8], [9, 9]])
    t = np.array([0, 0, 0, 0, 1, 2])
    rows = different(SimpleNamespace(x=x, t=t, loss=SoftmaxCrossEntropy()))
    assert len(rows) == 2 and sorted(t[rows]) == [0, 1]
    rows = different(SimpleNamespace(x=np.c_[x, x], t=t, loss=SoftmaxCrossEntropy()))
    assert len(rows) == 4 and sorted(t[rows]) == [0, 0, 1, 2]
    rows = different(SimpleNamespace(x=x, t=x, loss=MSE()))
    assert len(np.unique(x[rows], axis=0)) == 2
    assert len(different(SimpleNamespace(x=x[:, :1], t=x, loss=MSE()))) == 2
    x = np.random.default_rng(0).normal(size=(50, 20))
    assert len(different(SimpleNamespace(x=x, t=x, loss=MSE()))) == 8


def test_few_rows():
    line = line_of("few rows", net(Affine(1, 1), l0=([[0]], [0])), MSE(), SIGNS, 3 * SIGNS)
    assert line.code is None and line.figure <= 1.8
    assert line.text.startswith("with Adam, the loss on 2 rows goes from 9 to ")
    line = line_of("few rows", net(Affine(1, 1), Zero()), MSE(), SIGNS, 3 * SIGNS)
    assert line.code == "few-rows-not-learned" and line.figure == 9
    assert line.text == "with Adam, the loss on 2 rows goes from 9 to 9 in 200 steps"
    soft = np.array([[0.6, 0.4], [0.4, 0.6]] * 6)  # the least loss of these rows is their own entropy
    line = line_of("few rows", net(Affine(1, 2)), SoftmaxCrossEntropy(), SIGNS, soft)
    assert line.code is None and line.figure >= -(0.6 * math.log(0.6) + 0.4 * math.log(0.4))


class Nothing(Affine):
    """An affine map that never learns."""

    def backward(self, dy):
        dx = super().backward(dy)
        self.dW, self.db = 0 * self.dW, 0 * self.db
        return dx


@pytest.mark.parametrize(("gain", "code"), [(0.049, "model-too-small"), (0.051, None)])
def test_better_than_chance(gain, code):
    """y = w x with t = x: the loss is (1 - w)^2, that of the mean 1."""
    model = net(Nothing(1, 1), l0=([[1 - math.sqrt(1 - gain)]], [0]))
    line = line_of("chance", model, MSE(), SIGNS, SIGNS)
    assert line.code == code and line.figure == pytest.approx(1 - gain)
    word = (
        f"with Adam, the loss on 12 rows that it is trained with falls to {1 - gain:.3g}; the mean of t alone gives 1"
    )
    worse = "no learning rate brings the loss on 12 rows that it is trained with clearly below chance: the mean of t alone gives 1, the best is 0.951"
    assert line.text == (worse if code else word)
    assert not code or "hidden layer" in line.fix


def test_new_rows_count_from_400_on():
    """Noise of many columns is learned by heart, and says nothing of new rows; of 60 rows or more, that is seen."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(400, 300)), rng.normal(size=(400, 1))
    lines = [line_of("chance", net(Affine(300, 1)), MSE(), x[:n], t[:n]) for n in (399, 400)]
    assert [line.code for line in lines] == [None, "no-better-than-chance"]
    assert " 399 rows that it is trained with falls to " in lines[0].text and " 200 new rows " in lines[1].text
    lines = [line_of("order of rows", net(Affine(300, 1)), MSE(), x[:n], t[:n]) for n in (59, 60, 400)]
    assert lines[0] is None and [line.code for line in lines[1:]] == 2 * ["labels-shuffled"]
    assert "the model learns from 30 of them say anything about t: any other order of t fits as well" in lines[1].text


def test_labels_apart_from_rows_and_a_model_too_small_are_told_apart():
    """Four clouds, of two classes crosswise: no line parts them."""
    for seed in range(2):
        for rows in (60, 400):
            rng = np.random.default_rng(seed)
            x = rng.normal(size=(rows, 2))
            t = (x[:, 0] * x[:, 1] > 0).astype(int)
            for labels, code in ((t, "model-too-small"), (rng.permutation(t), "labels-shuffled")):
                report = diagnose(net(Affine(2, 2)), SoftmaxCrossEntropy(), x, labels)
                assert [f.code for f in report.findings][:1] == [code], (seed, rows, report)
            model = Sequential(Affine(2, 32), ReLU(), Affine(32, 2), backend="numpy", dtype="float64", seed=seed)
            assert diagnose(model, SoftmaxCrossEntropy(), x, t), (seed, rows)


def test_chance_is_left_out():
    case = line_of("chance", net(Affine(1, 1)), MSE(), SIGNS, np.ones((12, 1)))
    assert case is None  # constant targets have a line of their own


@pytest.mark.parametrize("kind", ["labels", "soft", "numbers", "variance", "own variance"])
def test_the_loss_of_the_best_constant(kind, rng):
    """No y that is equal in all rows has a smaller loss: found by descent."""
    t, y = rng.normal(size=(40, 2)) * [1, 3], np.zeros(2)
    loss = {"numbers": MSE(), "variance": GaussianNLL(0.5), "own variance": GaussianNLL()}.get(kind)
    loss = loss or SoftmaxCrossEntropy()
    if loss.classifies:
        t = rng.integers(0, 2, 40) if kind == "labels" else np.eye(2)[rng.integers(0, 2, 40)] * 0.8 + 0.1
        t[:2] = [0, 1] if kind == "labels" else [[0.9, 0.1], [0.1, 0.9]]
    y = np.zeros(4 if kind == "own variance" else 2)
    model = net(Affine(1, len(y)))
    case = case_of(model, loss, np.ones((40, 1)), t)
    for _ in range(1500):
        loss.forward(np.tile(y, (40, 1)), t)
        y = y - 0.2 * loss.backward().sum(axis=0)
    best, scale = case.constant(slice(None))
    assert best == pytest.approx(loss(np.tile(y, (40, 1)), t), abs=1e-6)
    if kind == "own variance":
        assert scale == pytest.approx(0.5)
    else:
        perfect = loss(np.log(t + 1e-300), t) if kind == "soft" else loss(t, t) if t.ndim == 2 else 0
        assert scale == pytest.approx(best - perfect, abs=1e-6)


def sweep(own, losses, peak=1.0, start=1.0, of_chance=1.0, scale=1.0):
    s = LearningRateSweep("SGD", 20, losses, dict.fromkeys(losses, peak), start, own)
    return CHECKS["learning rate"](
        SimpleNamespace(sweep=s, start=start, scale=scale, of_chance=of_chance, optimizer=None)
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (sweep(0.1, {0.01: 0.5, 0.1: 0.2}), None),
        (sweep(1.0, {0.1: 0.2, 1.0: 0.7}, peak=4.1), "lr-too-high"),  # falls by 0.3 of 0.8, and went up by 3.1
        (sweep(1.0, {0.1: 0.2, 1.0: 0.7}, peak=4.0), None),
        (sweep(1.0, {0.1: 0.2, 1.0: 0.6}, peak=9.0), None),  # half of the fall
        (sweep(0.1, {0.1: 0.7, 1.0: 0.2}, peak=9.0), None),
        (sweep(1.0, {0.1: 0.2, 1.0: 0.7}, peak=4.1, scale=2.0), None),
        (sweep(0.1, {0.1: 1 - 0.8 * 2.9e-3, 1.0: 0.2}), "lr-too-low"),
        (sweep(0.1, {0.1: 1 - 0.8 * 3.1e-3, 1.0: 0.2}), None),
        (sweep(1.0, {0.1: 0.2, 1.0: 1.0}), None),
        (sweep(0.0, {0.1: 0.2, 1.0: 0.3}), "lr-too-low"),
        (sweep(0.1, {0.1: 0.991}), "no-rate-learns"),
        (sweep(0.1, {0.1: 0.989}), None),
        (sweep(0.1, {0.1: 0.985}, scale=2.0), "no-rate-learns"),
        (sweep(0.1, {0.1: 0.991}, of_chance=0.9), None),
        (sweep(0.1, {0.1: 0.991}, of_chance=0.91), "no-rate-learns"),
        (sweep(0.1, {0.1: 1.1}), "no-rate-learns"),
        (sweep(0.1, {0.1: 0.5, 1e-3: 0.99}, of_chance=0.09, peak=9.0), None),
        (sweep(1.0, {0.1: 0.2, 1.0: math.inf}, peak=9.0, of_chance=0.09), None),
        (sweep(1.0, {0.1: 0.2, 1.0: math.nan}, peak=math.inf), "lr-too-high"),
        (sweep(None, {0.1: 0.2, 1.0: 0.7}, peak=9.0), None),
    ],
)  # fmt: skip
def test_the_learning_rate(line, code):
    assert line.code == code
    assert code not in ("lr-too-high", "lr-too-low") or line.fix in ("lr=0.1", "lr=1")


def test_what_is_said_of_the_learning_rate():
    line = sweep(1.0, {1e-3: 0.99, 0.01: 0.91, 0.1: 0.2, 1.0: 0.7}, peak=4.1)
    assert line.text == "1; SGD learns with 0.01 .. 1, fastest with 0.1; the loss goes up from 1 to 4.1"
    assert line.figure == pytest.approx(0.3 / 0.8) and line.fix == "lr=0.1"
    low = sweep(0.1, {0.1: 0.9992, 1.0: 0.2})
    assert low.text.endswith("the loss falls by 0.1 % of its fall at the best rate") and low.figure == pytest.approx(
        1e-3
    )
    assert sweep(0.1, {0.1: 0.5}, of_chance=0.09).text.endswith("; the loss is small already")
    assert sweep(0.1, {0.1: 0.995}).text == "none of 0.1 .. 0.1 brings the loss below 0.995"
    assert sweep(0.1, {0.1: 1.1, 0.2: 3.0}).text == "none of 0.1 .. 0.2 brings the loss below 1"
    assert sweep(0.0, {0.1: 0.2}).figure == 0 and math.isnan(sweep(None, {0.1: 0.2}).figure)


def test_the_sweep_itself():
    s = LearningRateSweep("SGD", 20, {1e-3: 19.1, 1e-2: 19.0, 0.1: 10.0, 1.0: math.nan}, {}, 20.0, None)
    assert s.fall(0.1) == 10 and s.fall(1.0) == -math.inf and s.fall(7.0) == 0
    assert s.best == 0.1 and s.learns == (1e-2, 0.1)  # a tenth of the fall
    worse = LearningRateSweep("SGD", 20, {0.1: 1.5, 1.0: 9.0}, {}, 1.0, None)
    assert worse.best == 0.1 and worse.learns == (0.1, 0.1)
    assert len(RATES) == 17 and RATES[0] == pytest.approx(1e-7) and RATES[-1] == pytest.approx(10)


def test_the_sweep_by_hand():
    """12 rows are one batch: 20 steps of w -= lr 2 (w - 1), from w = 0."""
    model = net(Affine(1, 1), l0=([[0]], [0]))
    case = case_of(model, MSE(), SIGNS, SIGNS, SGD(model, 0.02))
    s = case.sweep
    assert s.start == 1 and s.own == 0.02 and len(s.losses) == 18 and s.steps == 20 and s.optimizer == "SGD"
    for lr in (0.02, RATES[10], RATES[-1]):
        path = (1 - 2 * lr) ** (2 * np.arange(21.0))
        assert s.losses[lr] == pytest.approx(path[-1]) and s.peaks[lr] == pytest.approx(path.max())
    own = SimpleNamespace(step=lambda: None, model=model)
    with pytest.raises(LeftOut, match="no learning rate `lr`"):
        assert case_of(model, MSE(), SIGNS, SIGNS, own).sweep
    own.lr = [0.1]
    with pytest.raises(TypeError, match=r"SimpleNamespace: lr must be a number, 0 or more, not \[0.1\]"):
        assert case_of(model, MSE(), SIGNS, SIGNS, own).sweep


@pytest.mark.parametrize(
    ("change", "code"), [(1.1e-5, None), (0.9e-5, "small-update"), (2.9, None), (3.1, "large-update")]
)
def test_the_update(change, code):
    """w = 2, and t = 0: dL/dw = 4, so that the first step changes w by 4 lr, which is 2 lr of it."""
    model = net(Affine(1, 1), l0=([[2]], [0]))
    line = line_of("update", model, MSE(), SIGNS, 0.5 * SIGNS, SGD(model, change * 2 / 3))
    assert line.code == code and line.figure == pytest.approx(change)
    assert f"by {change:.1g} to {change:.1g} of their size" in line.text
    small = net(Affine(1, 1), l0=([[1e-9]], [0]))  # in units of 1 / sqrt(n_in) at least
    line = line_of("update", small, MSE(), SIGNS, SIGNS, SGD(small, 0.05))
    assert line.figure == pytest.approx(0.1)
    assert line_of("update", small, MSE(), SIGNS, SIGNS) is None
    done = net(Affine(1, 1), l0=([[1]], [0]))
    assert line_of("update", done, MSE(), SIGNS, SIGNS, SGD(done, 0.1)).code is None  # trained: nothing to move
    wide = net(Affine(4, 1), l0=(np.zeros((4, 1)), [0]))
    x = np.c_[SIGNS, 0 * SIGNS, 0 * SIGNS, 0 * SIGNS]
    line = line_of("update", wide, MSE(), x, SIGNS, SGD(wide, 0.05))
    assert line.figure == pytest.approx(math.sqrt(0.1**2 / 4) / 0.5)


# --- the case --------------------------------------------------------------------------------------------------------


def test_columns():
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=(50, 3)) * 9)
    x[7, 1], x[20, 2] = np.nan, -np.inf
    c, kept = Columns([x[:10], x[10:30], x[30:]]), np.delete(x, [7, 20], axis=0)
    assert np.array_equal(np.flatnonzero(~c.finite), [7, 20]) and c.whole
    assert np.array_equal(c.low, kept.min(axis=0)) and np.array_equal(c.high, kept.max(axis=0))
    assert np.allclose(c.rms, np.sqrt((kept**2).mean(axis=0)), rtol=1e-14)
    assert not Columns([x[:10], x[10:] + 0.5]).whole


def test_the_sample():
    """All rows where there are 1000 or fewer, else 1000 of them, each once, and never one with NaN."""
    x = np.arange(2500.0)[:, None] / 2500
    x[5] = np.nan
    case = case_of(net(Affine(1, 1)), MSE(), x, np.nan_to_num(x))
    assert case.x.shape == (1000, 1) and len(np.unique(case.x)) == 1000 and np.array_equal(case.x, case.t)
    case = case_of(net(Affine(1, 1)), MSE(), x[:900], np.nan_to_num(x[:900]))
    assert np.array_equal(np.sort(case.x, axis=0), np.delete(x[:900], 5, axis=0)) and len(case.columns.finite) == 900


def test_levels():
    """What chance gives, and the least loss, from the losses themselves."""
    t = np.c_[SIGNS, 2 * SIGNS]
    chance, least = case_of(net(Affine(1, 2)), MSE(), SIGNS, t).levels
    assert chance == pytest.approx(2.5) and least == 0
    case = case_of(net(Affine(1, 2)), GaussianNLL(0.5), SIGNS, t)
    loss = GaussianNLL(0.5)
    assert case.levels == pytest.approx((loss(0 * t, t), loss(t, t)))
    assert np.isnan(case_of(net(Affine(1, 4)), GaussianNLL(), SIGNS, t).levels).all()
    p = np.array([[0.7, 0.2, 0.1], [1, 0, 0]] * 6)
    chance, least = case_of(net(Affine(1, 3)), SoftmaxCrossEntropy(), SIGNS, p).levels
    assert chance == pytest.approx(math.log(3))
    assert least == pytest.approx(-(0.7 * math.log(0.7) + 0.2 * math.log(0.2) + 0.1 * math.log(0.1)) / 2)
    zero = net(Affine(1, 2), l0=([[0, 0]], [0, 2]))
    case = case_of(zero, MSE(), SIGNS, t)
    assert case.of_chance == pytest.approx((2.5 + 2) / 2.5) and case.scale == pytest.approx(4.5)
    assert case_of(net(Affine(1, 2), l0=([[1, 2]], [0, 0])), MSE(), SIGNS, t).scale == pytest.approx(2.5)
    case = case_of(net(Affine(1, 4), l0=([[0] * 4], [0] * 4)), GaussianNLL(), SIGNS, t)
    assert math.isnan(case.of_chance) and case.scale == pytest.approx(GaussianNLL()(np.zeros((12, 4)), t))
    assert math.isnan(case_of(net(Affine(1, 1)), MSE(), SIGNS, 0 * SIGNS).of_chance)


# --- the report ------------------------------------------------------------------------------------------------------


def test_the_report_in_words():
    good, bad, out = (
        Result("all is well"),
        Result("it is not", 1, "bad-thing", "do it better"),
        Result("left out: no rows"),
    )
    text = repr(Diagnosis("a title", {"one": good, "two": out, "three": bad}, None)).splitlines()
    assert text == [
        "a title",
        " ok   one              all is well",
        " -    two              left out: no rows",
        "WRONG three            it is not",
        "                       [bad-thing] do it better",
        "One thing is wrong. Correct it, then call diagnose again.",
    ]
    assert repr(Diagnosis("", {"one": good}, None)).splitlines()[-1] == "Nothing is wrong."
    many = Diagnosis("", {"one": bad, "two": bad, "three": good}, None)
    assert many.findings == [bad, bad] and not many and Diagnosis("", {"one": good, "two": out}, None)
    several = "2 things are wrong. Correct the first, then call diagnose again: it may cause the others."
    assert repr(many).splitlines()[-1] == several
    lines = wrapped("head ", "word " * 50).splitlines()
    assert len(wrapped("", "a" * 50 + " " + "b" * 49).splitlines()) == 1  # 100 columns
    assert len(wrapped("", "a" * 50 + " " + "b" * 50).splitlines()) == 2
    assert max(map(len, lines)) == 99 and lines[0].startswith("head word") and lines[1].startswith("     word")


def test_what_is_left_out_says_why():
    x = np.full((12, 1), np.nan)
    report = diagnose(net(Affine(1, 1)), MSE(), x, SIGNS)
    assert report.lines["signal"].text == "left out: every row of x holds NaN or infinity"
    model = net(Affine(1, 1), l0=([[np.nan]], [0]))
    report = diagnose(model, MSE(), SIGNS, SIGNS)
    assert [f.code for f in report.findings] == ["weights-not-finite"] and report.findings[0].figure == 1
    assert report.lines["signal"].text == "left out: the model has weights that are NaN or infinite"
    report = diagnose(net(Affine(1, 1)), MSE(), SIGNS, np.ones((12, 2)))
    assert report.lines["chance"].text == "left out: the targets do not fit" and report.sweep is None
    title = repr(diagnose(mlp(1, 1, dtype="float64", weight_init=constant(0.5)), MSE(), SIGNS, SIGNS)).splitlines()[0]
    assert title == "Sequential, MSE(), 12 rows"


def test_a_bounded_output_of_means_and_variances():
    """Its columns are no predictions of t's: they are not held against t's range."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(60, 3)).astype("float32"), 5 * rng.normal(size=(60, 1)).astype("float32")
    model = Sequential(Affine(3, 8), ReLU(), Affine(8, 2), Sigmoid(), seed=0)
    line = diagnose(model, GaussianNLL(), x, t).lines["output"]
    assert line.code is None and "the targets lie" not in line.text
    line = diagnose(model, MSE(), x, np.repeat(t, 2, axis=1)).lines["output"]
    assert "the targets lie in" in line.text


def test_dead_units_tell_of_the_affine_before_them():
    """Of that one, with its numbers, and of no other."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(60, 3)).astype("float32"), rng.integers(0, 2, 60)
    model = Sequential(Affine(3, 8), ReLU(), Affine(8, 6), ReLU(), Affine(6, 2), seed=0)
    model[2].b = np.full(6, -100.0)
    text = diagnose(model, SoftmaxCrossEntropy(), x, t).lines["dead ReLUs"].text
    assert text.count("before it has biases of") == 1 and "Affine(8, 6) before it has biases of -1e+02" in text


def test_equal_weights_are_shown():
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(60, 3)).astype("float32"), rng.integers(0, 2, 60)
    model = Sequential(Affine(3, 8, weight_init="normal"), ReLU(), Affine(8, 2), seed=0)
    model[0].W = np.array([[0.25] * 8, [0.5] * 8, [0.75] * 8])
    line = diagnose(model, SoftmaxCrossEntropy(), x, t).lines["first weights"]
    assert line.code == "equal-weights" and line.figure == 0.25 and "with weights such as 0.25" in line.text


def test_what_is_found_stays_as_it_is():
    s = LearningRateSweep("SGD", 20, {0.1: 1.0}, {}, 1.0, None)
    for frozen, name in ((Result("text"), "code"), (s, "own"), (Diagnosis("", {}, s), "lines")):
        with pytest.raises(AttributeError, match="cannot assign"):
            setattr(frozen, name, None)
    assert (
        max(map(len, wrapped("", "a" * 50 + " " + "b" * 49).splitlines())) == 100
    )  # is one line, and the next is not:
    assert len(wrapped("", "a" * 50 + " " + "b" * 50).splitlines()) == 2


@pytest.mark.parametrize(
    ("losses", "top", "over"),
    [
        ({0.01: 4.0, 0.1: 2.0, 1.0: 3.5}, 8.0, []),  # half of the fall above the start, which is 6
        ({0.01: 4.0, 0.1: 5.0, 1.0: 7.0}, 7.0, []),
        ({0.01: 4.0, 0.1: 8.0, 1.0: math.nan}, 7.0, [0.1, 1.0]),
        ({0.01: 6.0, 0.1: 11.0}, 12.0, []),  # no fall: twice the start
        ({0.01: 7.0, 0.1: 12.5}, 12.0, [0.1]),
    ],
)
@pytest.mark.parametrize("own", [None, 0.0, 0.1])
def test_the_plot_shows_the_sweep(losses, top, over, own):
    s = LearningRateSweep("SGD", 20, losses, {}, 6.0, own)
    axes = Diagnosis("", {}, s).plot()
    drawn = {line.get_label(): line.get_xydata() for line in axes.lines}
    assert drawn["after 20 steps"].tolist() == [[rate, losses[rate]] for rate in losses if rate not in over]
    assert drawn["at the start"][:, 1].tolist() == [6, 6] and axes.get_ylim()[1] == pytest.approx(top)
    if over:
        assert drawn["above, or no number"].tolist() == [[rate, top] for rate in over]
    assert ("the optimizer's rate, 0.1" in drawn) == (own == 0.1) and len(drawn) == 2 + bool(over) + (own == 0.1)


def test_figures_of_several_columns_and_layers():
    """Where one column, one layer or a spread of 1 would not tell the mean from the sum."""
    rng = np.random.default_rng(0)
    x = 3 * rng.normal(size=(50, 4))
    model = net(Affine(4, 2), Tanh(), Affine(2, 1))
    line = line_of("signal", model, MSE(), x, x[:, :1])
    model.forward(x)
    spreads = [np.sqrt(layer.y.var(axis=0).mean()) for layer in model]
    gains = np.array(spreads) / np.sqrt(x.var(axis=0).mean())
    assert line.figure == pytest.approx(gains.max())
    assert f"vary {gains.min():.2g} to {gains.max():.2g} times" in line.text
    two = net(Affine(1, 1), Affine(1, 1), l0=([[1]], [0]), l1=([[4]], [0]))
    dy = 2 * (4 * SIGNS - SIGNS) / 12
    first, second = 0.02 * (4 * SIGNS * dy).sum(), 0.02 * (SIGNS * dy).sum() / 4  # changes of weights of 1 and 4
    line = line_of("update", two, MSE(), SIGNS, SIGNS, SGD(two, 0.02))
    assert line.figure == pytest.approx(first)
    assert f"by {second:.1g} to {first:.1g} of" in line.text
    zeros = net(Affine(1, 1), Affine(1, 1), Affine(1, 1), l1=([[0]], [0]), l2=([[1]], [0]))
    assert line_of("gradients", zeros, MSE(), SIGNS, SIGNS).code is None  # one layer of zeros of the two is enough


@pytest.mark.parametrize(("off", "code"), [(0.9e-3, "softmax-before-loss"), (1.4e-3, None)])
def test_sums_that_are_nearly_1(off, code):
    model = net(Affine(1, 2), l0=([[0, 0]], [0.5, 0.5 + off]))
    line = line_of("output", model, SoftmaxCrossEntropy(), SIGNS, np.arange(12) % 2)
    assert line.code == code


def test_a_variance_to_learn_takes_twice_the_rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 2))
    few, many = (line_of("chance", net(Affine(2, 2)), GaussianNLL(), x[:n], x[:n, :1].copy()) for n in (799, 800))
    assert " 799 rows " in few.text and " 400 new rows " in many.text


def test_the_exact_limit_is_healthy():
    """Nine of ten units dead are at the limit: then the worst layer is named, and nothing is wrong."""
    model = net(Affine(1, 10), ReLU(), Affine(10, 10), ReLU(), Affine(10, 1))
    for place in (0, 2):
        model[place].W, model[place].b = 0 * model[place].W, np.array([-1.0] * 9 + [1.0])
    line = line_of("dead ReLUs", model, MSE(), SIGNS, SIGNS)
    assert (line.figure, line.code, line.place) == (0.9, None, 2)


def test_a_model_that_makes_its_layers_in_another_order():
    class Own:
        def __init__(self):
            self.last, self.first = Affine(2, 1), Affine(1, 2)
            self.params, self.grads = flatten(self.first, self.last, backend="numpy", seed=0)

        def forward(self, x):
            return self.last.forward(self.first.forward(x))

        def backward(self, dy):
            self.first.backward(self.last.backward(dy))

    model = Own()
    case = case_of(model, MSE(), SIGNS.astype("f"), SIGNS.astype("f"))
    assert [repr(layer) for layer in case.layers] == ["Affine(1, 2)", "Affine(2, 1)"]


def test_a_gradient_that_is_no_number():
    class Steep(Loss):
        def compute(self, y, t):
            return 1.0, np.full_like(y, np.inf)

    line = line_of("gradients", net(Affine(1, 1), Affine(1, 1)), Steep(), SIGNS, SIGNS)
    assert line.code == "gradient-not-finite" and line.place in (1, 2) and math.isnan(line.figure)


def test_x_without_columns():
    with pytest.raises(ValueError, match=r"x must have at least one column, not shape \(12, 0\)"):
        diagnose(net(Affine(1, 1)), MSE(), np.ones((12, 0)), SIGNS)


def test_a_loss_whose_chance_is_not_known():
    """Nothing is said of chance for a variance that is learned."""
    y = net(Affine(1, 2), l0=([[0, 0]], [0, 0]))
    line = line_of("loss at start", y, GaussianNLL(), SIGNS, SIGNS)
    assert line.text == f"{(math.log(2 * math.pi) + 1) / 2:.3g}" and line.code is None


def test_where_nothing_is_learned_the_rate_is_not_to_blame():
    assert sweep(1.0, {0.1: 0.991, 1.0: 0.999}, peak=9.0, of_chance=0.5).code is None
