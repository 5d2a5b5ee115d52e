"""The rules of diagnose for images, blocks, batches and the order of rows, on both sides of their limits."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from deep_cases import AlwaysBatch, AlwaysDropout, Stops, Times
from test_diagnosis_rules import SIGNS, case_of, line_of, net

from tinynn import (
    MAE,
    MSE,
    SGD,
    Affine,
    AvgPool2D,
    BatchNorm,
    BinaryCrossEntropy,
    Conv2D,
    Dropout,
    Flatten,
    GlobalAvgPool,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    diagnose,
)
from tinynn.diagnosis import CHECKS, levels
from tinynn.diagnosis.blocks import better
from tinynn.diagnosis.chance import distances, tell
from tinynn.diagnosis.data import range_of_pixels, roughness
from tinynn.diagnosis.evidence import Evidence
from tinynn.diagnosis.report import LearningRateSweep

ROWS = np.arange(12) % 2


def line_with(check, model, loss, x, t, **options):
    return CHECKS[check](Evidence(model, loss, None, x, t, lambda x: x, **options))


# --- data ------------------------------------------------------------------------------------------------------------


def waves(*shape):
    """Images (N, 1 or 3, H, W) whose neighbouring pixels are alike."""
    phase = np.random.default_rng(0).uniform(0, 6, (shape[0], shape[1], 1, 1))
    return np.sin(np.arange(shape[2])[:, None] / 3 + phase) + np.sin(np.arange(shape[3]) / 3 + phase)


@pytest.mark.parametrize(
    ("x", "code"),
    [
        (waves(12, 3, 8, 8), "channels-first"),
        (waves(12, 1, 8, 8), "channels-first"),
        (waves(12, 2, 8, 8), None),  # not one of the usual numbers
        (waves(12, 3, 8, 9), None),  # no square: a spectrum, say
        (waves(12, 3, 4, 4), None),
        (np.random.default_rng(0).normal(size=(12, 3, 8, 8)), None),  # no order in the last axis
        (np.moveaxis(waves(12, 3, 8, 8), 1, -1), None),
    ],
)
def test_layout(x, code):
    model = net(Conv2D(x.shape[-1], 2, 3, padding=1), GlobalAvgPool())
    line = line_of("layout", model, SoftmaxCrossEntropy(), x, ROWS)
    assert line.code == code and f"(N, {', '.join(map(str, x.shape[1:]))})" in line.text
    assert line.figure == pytest.approx(max(roughness(x, 2), roughness(x, 3)))
    model = net(Flatten(), Affine(x[0].size, 2))  # all the same to it
    assert line_of("layout", model, SoftmaxCrossEntropy(), x, ROWS).code is None
    assert line_of("layout", net(Affine(1, 1)), MSE(), SIGNS, SIGNS) is None


def test_channels_that_the_model_does_not_take():
    model = net(Conv2D(3, 2, 3), ReLU(), GlobalAvgPool(), Affine(2, 2))
    report = diagnose(model, SoftmaxCrossEntropy(), waves(12, 3, 8, 9), ROWS)
    assert [f.code for f in report.findings] == ["channels-first"]
    assert report.lines["signal"].text == "left out: x does not fit the model"
    with pytest.raises(ValueError, match=r"x must be images \(H, W, 3\), not shape \(12, 2, 8, 9\)"):
        diagnose(model, SoftmaxCrossEntropy(), waves(12, 2, 8, 9), ROWS)


def test_roughness():
    """0.5 n of a ramp would be much: neighbours differ by 1, any two by more; of no order, by the same."""
    ramp = np.tile(np.arange(5.0), (3, 1, 1))[..., None]
    assert roughness(ramp, 2) == pytest.approx(1 / (2 * np.arange(5).var(ddof=1)))
    assert roughness(np.ones((3, 4, 4, 1)), 2) == roughness(ramp, 3) == 1
    assert roughness(np.random.default_rng(0).normal(size=(99, 30, 30, 1)), 1) == pytest.approx(1, abs=0.02)


SHADES = np.random.default_rng(0).permutation(np.tile(np.arange(256.0), 3))[:700].reshape(7, 100)
SHADES[0, :2] = 0, 255


@pytest.mark.parametrize(
    ("scale", "shift", "code"),
    [
        (1 / 255, 0, None),
        (7.9 / 255, -1, None),
        (8.1 / 255, -1, "pixels-normalized-twice"),
        (0.051 / 255, 0, None),
        (0.049 / 255, 0, "pixels-normalized-twice"),
        (0.049 / 255, 5, "pixels-normalized-twice"),
        (1, 0, "pixels-0-255"),
    ],
)
def test_pixels_normalized_twice(scale, shift, code):
    x = SHADES * scale + shift
    line = line_of("input scale", net(Affine(100, 1)), MSE(), x, SIGNS[:7])
    assert line.code == code and range_of_pixels(x) == pytest.approx(255 * scale)
    assert code != "pixels-normalized-twice" or f"it is {255 * scale:.2g}; 1 to 5 is healthy" in line.text


def test_what_holds_no_shades_of_pixels():
    rng = np.random.default_rng(0)
    assert range_of_pixels(rng.normal(size=(90, 50))) == 0
    assert range_of_pixels(rng.integers(0, 20, (90, 50)) / 7) == 0  # counts, scaled
    assert range_of_pixels(np.cumsum(rng.uniform(1, 2, 200))[rng.integers(0, 200, (90, 50))]) == 0
    image = np.stack([SHADES.reshape(7, 10, 10) / 255, rng.normal(size=(7, 10, 10))], axis=-1)
    assert range_of_pixels(image) == pytest.approx(1)  # of the first channel
    assert range_of_pixels((image[..., :1] * 255).clip(20, 235) / 255) == pytest.approx(1)


@pytest.mark.parametrize(
    ("t", "factor", "code", "figure"),
    [
        ([0, 1, 2] * 4, 1, None, 1),
        ([0, 1, 2] * 4, 4.9, None, 4.9),
        ([0, 1, 2] * 4, 5.1, "validation-scale", 5.1),
        ([0, 1, 2] * 4, 1 / 5.1, "validation-scale", 1 / 5.1),
        ([0, 1, 3], 1, "class-not-trained", 3),
        ([0, 1] * 15, 1, "class-not-validated", 2),
        ([0, 1] * 14, 1, None, 1),  # of 28 rows, it may be an accident
    ],
)
def test_validation(t, factor, code, figure):
    x, labels = np.ones((30, 1)), np.arange(30) % 3
    given = factor * np.ones((len(t), 1)), np.array(t)
    line = line_with("validation", net(Affine(1, 4)), SoftmaxCrossEntropy(), x, labels, validation=given)
    assert (line.code, line.figure) == (code, pytest.approx(figure))
    assert line_of("validation", net(Affine(1, 4)), SoftmaxCrossEntropy(), x, labels) is None


def test_what_fit_does_not_take():
    model, x = net(Affine(1, 1)), np.ones((12, 1))
    for options, error, message in (
        ({"batch_size": 0}, ValueError, "batch_size must be a whole number, 1 or more, not 0"),
        ({"validation_split": 1.0}, ValueError, "validation_split must be"),
        ({"validation_data": x}, TypeError, r"validation_data must be a pair \(x, t\), not"),
        ({"validation_data": (x, x[:3])}, ValueError, "validation t must have as many rows as x, 12, not 3"),
        ({"validation_data": (x[:, [0, 0]], x)}, ValueError, r"validation x must have rows like x \(12, 1\), not shape \(12, 2\)"),
        ({"validation_data": (x, x), "validation_split": 0.5}, ValueError, "validation_split must be 0 where"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            diagnose(model, MSE(), x, SIGNS, **options)
    report = diagnose(model, MSE(), SIGNS, SIGNS, validation_split=0.25)
    assert repr(report).startswith("Sequential, MSE(), 9 rows") and "3 rows;" in report.lines["validation"].text


def test_scores_for_each_position():
    x = np.random.default_rng(0).normal(size=(12, 5, 4, 1))
    line = line_of("targets", net(Conv2D(1, 3, 2)), SoftmaxCrossEntropy(), x, ROWS)
    assert line.code == "scores-for-each-position" and "each of its 12 positions" in line.text


# --- blocks and batches ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "code"), [(0.89, None), (0.9, "dropout-too-high")])
def test_dropout(rate, code):
    model = net(Affine(1, 8), Residual(Affine(8, 8), Dropout(rate)), Dropout(0.5), Affine(8, 1))
    line = line_of("dropout", model, MSE(), SIGNS, SIGNS)
    assert (line.code, line.figure, line.place) == (code, rate, "2.2")
    assert line.text.startswith(f"layer 2.2, Dropout({rate}) drops {100 * rate:g} % of 8 numbers")
    assert line_of("dropout", net(Affine(1, 1)), MSE(), SIGNS, SIGNS) is None


@pytest.mark.parametrize(
    ("rows", "size", "code", "figure"),
    [
        (12, 1, "small-batches", 1),
        (12, 2, "small-batches", 2),
        (12, 3, None, 3),
        (12, 11, "batch-of-one", 1),
        (12, 32, None, 12),
        (2, 32, "small-batches", 2),
    ],
)
def test_batches(rows, size, code, figure):
    x = np.random.default_rng(0).normal(size=(rows, 2))
    line = line_with("batches", net(Affine(2, 2), BatchNorm(2)), MSE(), x, x, batch_size=size)
    assert (line.code, line.figure, line.place) == (code, figure, 2)
    assert code != "batch-of-one" or line.fix == "batch_size=12, or one row less"
    assert line_with("batches", net(Affine(2, 2), BatchNorm(2)), MSE(), x, x) is None
    assert line_with("batches", net(Affine(2, 2)), MSE(), x, x, batch_size=size) is None
    images = np.random.default_rng(0).normal(size=(rows, 4, 4, 2))  # of one image, there are 16 rows of pixels
    line = line_with("batches", net(Conv2D(2, 2, 3), BatchNorm(2)), MSE(), images, images[:, :2, :2], batch_size=size)
    assert line.code == (code if code != "batch-of-one" else None)


def test_a_better_batch_size():
    assert [better(rows, size) for rows, size in ((13, 4), (13, 6), (7, 2), (33, 32))] == [5, 7, 4, 33]


def test_use():
    x = np.random.default_rng(0).normal(size=(12, 3)).astype("f")
    for layer, said in ((AlwaysDropout(0.5), "each time"), (AlwaysBatch(3), "among other rows")):
        model = Sequential(Affine(3, 3), Residual(Affine(3, 3), layer), seed=0, backend="numpy")
        line = line_of("in use", model, MSE(), x, x)
        assert (line.code, line.place) == ("evaluation-in-training-mode", "2.2") and said in line.text
        assert "layer 2.2, " in line.text and "self.training" in line.fix
    model = Sequential(Affine(3, 3), Dropout(0.5), BatchNorm(3), seed=0, backend="numpy")
    line = line_of("in use", model, MSE(), x, x)
    assert line.code is None and line.figure < 1e-6


@pytest.mark.parametrize(
    ("factor", "code"), [(2e-3, None), (5e-4, "branch-without-effect"), (0, "branch-without-effect")]
)
def test_branches(factor, code):
    """f(x) = factor a x beside x: so much of y, and of the gradient."""
    model = net(Affine(1, 1), Residual(Affine(1, 1), Times(1)), l0=([[1]], [0]))
    model[1].layers[0].W, model[1].layers[1].a = np.array([[1.0]]), factor
    line = line_of("branches", model, MSE(), SIGNS, 3 * SIGNS)
    assert (line.code, line.place) == (code, 2) and line.figure == pytest.approx(factor / (1 + factor), abs=1e-12)
    assert line_of("gradients", model, MSE(), SIGNS, 3 * SIGNS).code is None  # one finding is enough
    model[1].layers[0].W, model[1].layers[1].a = np.array([[1e-5]]), 1.0  # that grows
    assert line_of("branches", model, MSE(), SIGNS, 3 * SIGNS).code is None
    assert line_of("branches", net(Affine(1, 1)), MSE(), SIGNS, SIGNS) is None


@pytest.mark.parametrize(
    ("layers", "place"),
    [
        ([Conv2D(1, 4, 3), Conv2D(4, 4, 3)], 2),
        ([Conv2D(1, 4, 3), BatchNorm(4), Dropout(0.1), AvgPool2D(2), Conv2D(4, 4, 1)], 5),
        ([Conv2D(1, 4, 3), Flatten(), Affine(144, 4)], 3),
        ([Conv2D(1, 4, 3), MaxPool2D(2), Conv2D(4, 4, 1)], None),
        ([Conv2D(1, 4, 3), GlobalAvgPool(), Affine(4, 4)], None),
        ([Conv2D(1, 4, (1, 3)), Conv2D(4, 4, (3, 1))], None),
        ([Conv2D(1, 4, 3), ReLU(), Conv2D(4, 2, 1), Conv2D(2, 4, 1)], None),
        ([Conv2D(1, 4, 3), Residual(Conv2D(4, 4, 1))], None),
        ([Conv2D(1, 4, 3), ReLU(), Residual(Conv2D(4, 4, 1), shortcut=Conv2D(4, 4, 1))], None),
        ([Conv2D(1, 4, 3), ReLU(), Residual(Conv2D(4, 4, 1), BatchNorm(4), Conv2D(4, 4, 1))], "3.3"),
        ([Conv2D(1, 4, 3), Sequential(Sequential(Conv2D(4, 4, 1)))], "2.1.1"),
    ],
)
def test_maps_in_a_row(layers, place):
    x = np.random.default_rng(0).normal(size=(12, 8, 8, 1))
    model = net(*layers)
    line = line_of("layers", model, MSE(), x, model(x))
    assert (line.code, line.place) == ("affine-twice" if place else None, place)


def test_the_layer_before_a_dead_one():
    x = np.random.default_rng(0).normal(size=(12, 6, 6, 1))
    model = net(Conv2D(1, 4, 3, bias=False), BatchNorm(4), ReLU(), GlobalAvgPool(), Affine(4, 1))
    model[1].b = np.full(4, -9.0)
    text = line_of("dead ReLUs", model, MSE(), x, SIGNS).text
    assert text.startswith(
        "layer 3, ReLU(): 100 % of 4 channels are 0 in every row; BatchNorm(4) before it has biases of -9"
    )
    model = net(Conv2D(1, 4, 3, bias=False), ReLU(), GlobalAvgPool(), Affine(4, 1))
    model[0].W, x = -np.abs(model[0].W), np.abs(x)
    assert "bias=False) before it has weights of " in line_of("dead ReLUs", model, MSE(), x, SIGNS).text


def test_a_spread_that_a_batch_normalization_makes():
    """Of an x that hardly varies, it is 1, and no explosion."""
    x = SIGNS / 1000
    assert line_of("signal", net(Affine(1, 1), BatchNorm(1)), MSE(), x, SIGNS).code is None
    model = net(Affine(1, 1), BatchNorm(1))
    model[1].g = np.array([101.0])
    line = line_of("signal", model, MSE(), SIGNS, SIGNS)
    assert line.code == "exploding-signal" and line.place == 2 and line.figure == pytest.approx(101, rel=1e-3)


def test_a_gradient_that_stops_in_a_branch_is_not_the_branch():
    model = net(Affine(1, 2), Residual(Affine(2, 2), Stops()), Affine(2, 1))
    assert line_of("branches", model, MSE(), SIGNS, SIGNS).code is None  # it adds something
    assert line_of("gradients", model, MSE(), SIGNS, SIGNS).code == "zero-gradient"


# --- losses and rates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["smoothed", "soft and smoothed", "sequence of labels", "yes or no", "MAE", "sequence"]
)
def test_the_loss_of_the_best_constant(kind, rng):
    """No y that is equal in all rows has a smaller loss, and no y at all is so far below it: found by descent."""
    loss, t = MSE(), rng.normal(size=(20, 4, 2)) * [1, 3]
    if kind == "smoothed":
        loss, t = SoftmaxCrossEntropy(label_smoothing=0.2), np.arange(40) % 2 * (np.arange(40) % 3 > 0)
    elif kind == "soft and smoothed":
        loss, t = SoftmaxCrossEntropy(label_smoothing=0.1), np.repeat([[0.9, 0.1], [0.4, 0.6]], 20, axis=0)
    elif kind == "sequence of labels":
        loss, t = SoftmaxCrossEntropy(), np.arange(60).reshape(20, 3) % 5 // 4
    elif kind == "yes or no":
        loss, t = BinaryCrossEntropy(), rng.integers(0, 2, (20, 2)) * 0.8 + 0.1
    elif kind == "MAE":
        loss, t = MAE(), rng.normal(size=(21, 2)) * [1, 3]
    best, scale = levels.of_constant(loss, t, 2)
    shape = t.shape if t.dtype.kind == "f" else (*t.shape, 2)
    y, free = np.zeros(2), np.zeros(shape)
    for _ in range(4000):
        loss.forward(np.broadcast_to(y, shape).copy(), t)
        y = y - 0.3 * loss.backward().reshape(-1, 2).sum(axis=0)
        if scale != best:  # else the least loss is 0
            loss.forward(free, t)
            free = free - 20 * loss.backward()
    if kind == "MAE":  # its least value is at one of the targets
        y = np.array([min(column, key=lambda value: np.abs(column - value).mean()) for column in t.T])
    assert best == pytest.approx(loss(np.broadcast_to(y, shape).copy(), t), abs=1e-6)
    if scale != best:
        assert scale == pytest.approx(best - loss(free, t), abs=1e-3)
    else:
        assert loss(t, t) == 0 if t.dtype.kind == "f" else loss(60.0 * np.eye(2)[t], t) < 1e-9


def test_bounded_scores_of_yes_or_no():
    """With a sigmoid in the model, p lies between sigmoid(0) and sigmoid(1)."""
    t = np.arange(12)[:, None] % 3 / 2 // 1  # a third is 1
    line = line_of("output", net(Affine(1, 1), Sigmoid()), BinaryCrossEntropy(), SIGNS, t)
    best = t.mean() * math.log1p(math.exp(-1)) + (1 - t.mean()) * math.log(2)
    assert line.code == "bounded-scores" and line.figure == pytest.approx(best) and "layer 2, Sigmoid()" in line.text
    assert line_of("output", net(Affine(1, 1), ReLU()), BinaryCrossEntropy(), SIGNS, t).code == "relu-scores"
    start = line_of("loss at start", net(Affine(1, 1)), BinaryCrossEntropy(), SIGNS, t).text
    assert start.endswith("; equal scores give 0.693, log 2")


def test_a_rate_that_a_schedule_has_left():
    """The same fall as of a rate that is too low; epochs have been trained with it."""
    s = LearningRateSweep("SGD", 20, {0.1: 1 - 0.8 * 2.9e-3, 1.0: 0.2}, {0.1: 1.0, 1.0: 1.0}, 1.0, 0.1)
    for epochs, code in ((0, "lr-too-low"), (4, "lr-decayed")):
        optimizer = SimpleNamespace(epochs=epochs)
        evidence = SimpleNamespace(sweep=s, start=1.0, scale=1.0, of_chance=1.0, optimizer=optimizer)
        line = CHECKS["learning rate"](evidence)
        assert line.code == code and ("after 4 epochs" in line.text) == (epochs == 4)


# --- whether x tells of t ----------------------------------------------------------------------------------------------


def test_rows_tell_of_targets():
    """Whatever the relation; and of 150 draws without one, none does."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3))
    circle = (x[:, :1] ** 2 + x[:, 1:2] ** 2 > 1.4).astype(int)
    for t in (x[:, :1], np.sin(3 * x[:, :1]), circle.ravel(), np.repeat(circle[:, None], 2, axis=1)[..., 0], np.abs(x)):
        assert tell(x, t)
    for seed in range(150):
        rng = np.random.default_rng(seed)
        x, rows = rng.normal(size=(60 + seed, 1 + seed % 7)), 60 + seed
        assert not tell(x, rng.normal(size=(rows, 1)) if seed % 2 else rng.integers(0, 3, rows)), seed


def test_distances(rng):
    a = rng.normal(size=(9, 4))
    assert np.allclose(distances(a), np.linalg.norm(a[:, None] - a, axis=-1), atol=1e-7)


def test_what_the_model_learns_counts_as_well():
    """The sign of a product of ten numbers: neighbours say nothing, a model that multiplies does."""

    rng = np.random.default_rng(0)
    x = rng.choice([-1.0, 1.0], (200, 10)) * rng.uniform(0.5, 1.5, (200, 10))
    t = np.sign(x.prod(axis=1, keepdims=True))
    assert not tell(x, t)
    line = line_of("order of rows", net(Affine(10, 1)), MSE(), x, t)
    assert line.code == "labels-shuffled"  # for all that it and its neighbours show
    case = case_of(net(Signs(), Affine(1, 1)), MSE(), x, t)
    line = CHECKS["order of rows"](case)
    assert line.code is None and "what the model learns from 100 rows also fits others" in line.text


class Signs(Tanh):
    """The product of the signs."""

    needs_dx = False

    def forward(self, x):
        return np.sign(x).prod(axis=1, keepdims=True)

    def backward(self, dy):
        return np.zeros_like(self.x)


def test_sgd_is_left_alone():
    """All of it works on copies: buffers, random numbers and the optimizer's epochs stay."""
    x = np.random.default_rng(0).normal(size=(80, 3)).astype("f")
    model = Sequential(Affine(3, 4), BatchNorm(4), Dropout(0.5), Residual(Affine(4, 4)), Affine(4, 1), seed=0)
    optimizer, t = SGD(model, 0.1), x[:, :1].copy()
    model.fit(x, t, loss=MSE(), optimizer=optimizer, seed=0, progress=False)
    before = model.flat_buffers.copy(), model.params.copy(), str(model.rng.bit_generator.state), model[3].layers[0].x
    report = diagnose(model, MSE(), x, t, optimizer=optimizer, batch_size=8, validation_split=0.2)
    assert report, report
    after = model.flat_buffers, model.params, str(model.rng.bit_generator.state), model[3].layers[0].x
    assert all(np.array_equal(a, b) for a, b in zip(before, after)) and before[3] is after[3] and optimizer.epochs == 1
