"""The pictures show what they were given, fit on their figures, and leave pyplot alone."""

from __future__ import annotations

import copy
import functools
import itertools
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from conftest import LIMIT, STRICT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.colors import to_hex, to_rgba
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.text import Text
from nonsense import Own, nonsense

import tinynn
from tinynn import SGD, Adam, Affine, Conv2D, ReLU, Sequential, Sigmoid, Tanh, plots


def assert_fits(axes):
    """Nothing touches the edges of the saved picture, as a cut label would; letters are of 8 points or more."""
    texts = [text for text in axes.figure.findobj(Text) if text.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 8
    canvas = FigureCanvasAgg(axes.figure)
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[..., :3] / 255
    assert picture.min() < 0.5  # there is something
    for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]):
        assert (edge == 1).all()


def some_history(*names, epochs=3):
    history = tinynn.History()
    for epoch in range(epochs):
        history.append({name: 1 / (2 + epoch + len(name)) for name in names})
    return history


def test_no_global_state(tmp_path):
    code = """
import os, sys, tinynn
assert "matplotlib" not in sys.modules
import numpy as np
from tinynn import plots
t = np.arange(3)
plots.confusion_matrix(t, t)
plots.predictions(np.zeros((3, 4)), t, t)
model = tinynn.Sequential(tinynn.Affine(2, 3), backend="numpy")
plots.first_layer_weights(model, (1, 2))
plots.decision_boundary(model, np.eye(3, 2, dtype="float32"), t)
plots.line_fit(t, t, {"line": t})
plots.network(model)
plots.activations([tinynn.ReLU()])
x, points = np.arange(3.0), np.eye(3, 2, dtype="float32")
plots.folds(model, points, t, after=[0, 1])
recorder = plots.Histograms()
model.fit(points, t, loss=tinynn.SoftmaxCrossEntropy(), optimizer=tinynn.SGD(model, 0.1), callbacks=[recorder])
plots.histograms(recorder)
plots.paths(lambda w: (float(w @ w), 2 * w), {"SGD": lambda m: tinynn.SGD(m, 0.1)}, x[1:], 2)
plots.check_sweep({"error": (x + 1, x)})
images = tinynn.Sequential(tinynn.Conv2D(1, 2, 1), backend="numpy")
plots.filters(images)
plots.feature_maps(images, np.ones((3, 3, 1), "float32"))
assert "matplotlib.pyplot" not in sys.modules
assert os.listdir() == []
"""
    paths = [os.path.dirname(os.path.dirname(tinynn.__file__)), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *STRICT, "-c", code], check=True, cwd=tmp_path, env=environment, timeout=LIMIT)


# --- learning curves -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "epochs"), [(0, 1), (3, 100)])
@pytest.mark.parametrize(
    ("names", "quantities"),
    [
        (("loss", "seconds"), ["loss"]),
        (("accuracy", "seconds", "loss", "val_loss"), ["loss", "accuracy"]),
        (
            ("loss", "mae", "rank", "seconds", "val_loss", "val_mae", "val_rank", "val_late"),
            ["loss", "mae", "rank", "late"],
        ),
        (tuple("abcdef"), list("abcdef")),
    ],
)
def test_learning_curves(names, quantities, first, epochs):
    history = some_history(*names, epochs=epochs)
    history.first = first
    panels = plots.learning_curves(history)
    assert [panel.get_ylabel() for panel in panels] == quantities
    for panel, quantity in zip(panels, quantities):
        curves = [name for name in (quantity, "val_" + quantity) if name in names]
        assert [list(line.get_ydata()) for line in panel.lines] == [history[name] for name in curves]
        assert all(list(line.get_xdata()) == list(range(first + 1, first + epochs + 1)) for line in panel.lines)
        assert len(panel.get_legend().get_texts()) == len(curves)
        assert panel.get_xlabel() == "epoch" and panel.get_ylabel() == quantity
        assert all(tick == int(tick) for tick in panel.get_xticks())
    if first:
        assert_fits(panels[0])


def test_learning_curves_names():
    (panel,) = plots.learning_curves(some_history("loss", "val_loss"), names=("old", "new"))
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["old, epoch's mean", "new, epoch's end"]


def test_learning_curves_of_a_second_run():
    """Drawn into the axes of the first, they go on where it stopped, under the same names."""
    first, second = (some_history("loss", "val_loss", epochs=n) for n in (3, 2))
    second.first = 3
    (panel,) = plots.learning_curves(second, plots.learning_curves(first))
    assert [list(line.get_xdata()) for line in panel.lines] == [[1, 2, 3]] * 2 + [[4, 5]] * 2
    assert len(panel.get_legend().get_texts()) == 2


def test_learning_curves_that_diverge():
    history = tinynn.History()
    for value in (1.0, np.inf, np.nan):
        history.append({"loss": value})
    assert_fits(plots.learning_curves(history)[0])


def test_learning_curves_refuse():
    with pytest.raises(ValueError, match=r"^history must have at least one epoch, not none$"):
        plots.learning_curves(tinynn.History())
    with pytest.raises(ValueError, match=r"^axes must be 2, for loss and accuracy, not 1$"):
        plots.learning_curves(some_history("loss", "accuracy"), [Figure().subplots()])
    with pytest.raises(ValueError, match=r"^history must have a loss or another quantity, not seconds alone$"):
        plots.learning_curves(some_history("seconds"))


# --- weights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("units", "count", "shown"), [(9, 64, 9), (9, 4, 4), (5, 5, 5), (1, 1, 1)])
def test_first_layer_weights(units, count, shown):
    model = tinynn.Sequential(tinynn.Affine(3 * 4, units), tinynn.ReLU(), tinynn.Affine(units, 2), seed=0)
    axes = plots.first_layer_weights(model, (3, 4), count)
    (image,) = axes.images
    drawn = image.get_array().filled(np.nan)
    W = model[0].W[:, :shown]
    columns = -(-drawn.shape[1] // (4 + 2))
    for unit in range(shown):
        top, left = 5 * (unit // columns), 6 * (unit % columns)
        np.testing.assert_array_equal(drawn[top : top + 3, left : left + 4], W[:, unit].reshape(3, 4))
    assert np.isfinite(drawn).sum() == W.size  # and else nothing
    assert image.norm.vmax == -image.norm.vmin == abs(W).max()
    assert_fits(axes)


def test_first_layer_weights_of_a_layer_alone():
    layer = tinynn.Affine(4, 2)
    with pytest.raises(ValueError, match=r"^Affine\(4, 2\): must have its weights before it is drawn, not none"):
        plots.first_layer_weights(layer, (2, 2))
    layer.build()
    axes = plots.first_layer_weights(layer, (2, 2))
    assert axes.images[0].norm.vmax == abs(layer.W).max()
    layer.W = np.zeros((4, 2), "float32")
    assert_fits(plots.first_layer_weights(layer, (2, 2)))


def test_first_layer_weights_refuse():
    model = tinynn.Sequential(tinynn.ReLU(), tinynn.Affine(784, 2))
    with pytest.raises(ValueError, match=r"^layer 1, ReLU\(\): the first layer must have weights W, and this one has"):
        plots.first_layer_weights(model)
    with pytest.raises(ValueError, match=r"^shape must be one of 784 pixels, .*, not \(27, 29\)$"):
        plots.first_layer_weights(model[1], (27, 29))
    with pytest.raises(ValueError, match=r"^count must be a whole number, 1 or more, not 0$"):
        plots.first_layer_weights(model[1], count=0)


# --- confusion matrix ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 10, 14])
def test_confusion_matrix(rng, classes):
    t, predicted = rng.integers(0, classes, (2, 3000))
    t[0] = classes - 1
    axes = plots.confusion_matrix(predicted, t)
    assert np.array_equal(
        plots.confusion_matrix(np.eye(classes)[predicted], t).images[0].get_array(), axes.images[0].get_array()
    )
    expected: dict[tuple[int, int], int] = {}
    for row, column in zip(t.tolist(), predicted.tolist()):
        expected[column, row] = expected.get((column, row), 0) + 1
    assert {text.get_position(): int(text.get_text()) for text in axes.texts} == expected
    share = axes.images[0].get_array()
    np.testing.assert_allclose(share.sum(axis=1), 1)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert_fits(axes)


def contrast(a, b):
    """The contrast ratio of two colours (WCAG 2.1)."""
    light = [np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722] for c in (a, b)]
    return (max(light) + 0.05) / (min(light) + 0.05)


@pytest.mark.parametrize("percent", [0, 5, 20, 40, 45, 60])
def test_counts_are_readable_on_their_cells(percent):
    t = np.zeros(100, int)
    axes = plots.confusion_matrix(np.where(np.arange(100) < percent, 1, 0), t)
    image = axes.images[0]
    for text in axes.texts:
        column, row = text.get_position()
        cell = np.array(image.to_rgba(image.get_array())[row, column, :3])
        assert contrast(np.array(to_rgba(text.get_color())[:3]), cell) >= 4.2


def test_confusion_matrix_labels():
    t = np.array([0, 1, 1])
    axes = plots.confusion_matrix(t, t, labels=["cat", "dog", "a long-tailed tit"])  # of a class that is not there
    axes.figure.canvas.draw()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog", "a long-tailed tit"]
    assert axes.images[0].get_array().shape == (3, 3)
    assert_fits(axes)
    long = plots.confusion_matrix(t, t, labels=["of $5\nor so", "x" * 100, "z"])
    assert [label.get_text() for label in long.get_yticklabels()] == [r"of \$5 or so", "x" * 21 + "...", "z"]
    assert_fits(long)


@pytest.mark.parametrize(
    ("y", "t", "message"),
    [
        (
            np.zeros(3, int),
            np.zeros(4, int),
            r"t must be labels or rows of probabilities for labels y \(3,\), not of shape \(4,\)",
        ),
        (np.zeros((3, 1), int), np.zeros((3, 1), int), "y must have a score for each of two classes or more"),
        (np.zeros(3), np.zeros(3, int), r"y \(N,\) must be labels, whole numbers, not of dtype float64"),
        (np.zeros(0, int), np.zeros(0, int), "y must have a row for each example"),
        (np.arange(3), np.eye(3) - 0.5, r"not scores \(3, 3\): y comes first, then t$"),
    ],
)
def test_labels_that_are_none(y, t, message):
    for draw in (plots.confusion_matrix, lambda y, t: plots.predictions(np.zeros((3, 4)), y, t)):
        with pytest.raises((TypeError, ValueError), match=message):
            draw(y, t)


def test_confusion_matrix_refuses():
    with pytest.raises(ValueError, match=r"^y must have labels in 0\.\.1, not 2"):
        plots.confusion_matrix(np.array([0, 2]), np.array([0, 1]), labels=["cat", "dog"])
    with pytest.raises(ValueError, match=r"^t must have labels in 0\.\.1, not -1"):
        plots.confusion_matrix(np.array([0, 1]), np.array([0, -1]))


# --- predictions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "count"), [(1, 40), (5, 40), (30, 20), (50, 40)])
def test_predictions(rng, n, count):
    images = rng.random((n, 28, 28))
    t, predicted = rng.integers(0, 3, (2, n))
    axes = plots.predictions(images, predicted, t, count)
    shown = min(n, count)
    words = [f"read {p}, is {k}" if k != p else f"{p}" for k, p in zip(t[:shown], predicted[:shown])]
    assert [text.get_text() for text in axes.texts] == words
    drawn = axes.images[0].get_array().filled(np.nan)
    assert np.isfinite(drawn).sum() == shown * 28 * 28
    frames = [rectangle for rectangle in axes.patches if not rectangle.get_fill()]
    assert len(frames) == (t[:shown] != predicted[:shown]).sum()
    for frame, number in zip(frames, np.flatnonzero(t != predicted)):  # each around its image
        left, top = int(frame.get_x() + 0.5), int(frame.get_y() + 0.5)
        np.testing.assert_array_equal(drawn[top : top + 28, left : left + 28], images[number])
    assert_fits(axes)


def test_predictions_of_rows(rng):
    t, rows = np.arange(3), rng.random((3, 20))
    axes = plots.predictions(rows, t, t, shape=(4, 5))
    drawn = axes.images[0].get_array().compressed()
    assert sorted(drawn) == sorted(rows.ravel())
    with pytest.raises(ValueError, match=r"^shape must be one of 20 pixels, like the images, not \(4, 4\)$"):
        plots.predictions(rows, t, t)  # 20 is no square
    with pytest.raises(ValueError, match=r"^images must be as many as the labels t, 3, not 2$"):
        plots.predictions(rows[:2], t, t)


# --- the plane and the line ------------------------------------------------------------------------------------------

SQUARE = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")


def affine_model(W, b):
    model = tinynn.Sequential(tinynn.Affine(2, len(b)), seed=0)
    model[0].W, model[0].b = np.array(W, "float32"), np.array(b, "float32")
    return model


@pytest.mark.parametrize(("bias", "lines"), [(0.0, 1), (2.0, 0)])  # y = x_1 + bias: crosses 1/2 in the picture or not
def test_decision_boundary_of_one_output(bias, lines):
    t = np.array([[0], [0], [1], [1]], "float32")
    axes = plots.decision_boundary(affine_model([[1], [0]], [bias]), SQUARE, t)
    contours = [c for c in axes.collections if isinstance(c, ContourSet)]
    assert len(contours) == lines
    for contour in contours:
        np.testing.assert_allclose(contour.get_paths()[0].vertices[:, 0], 0.5, atol=1e-6)
    assert len(axes.get_legend().get_texts()) == 2
    assert_fits(axes)


def test_flat_field_has_no_boundary():
    """1/2 everywhere, but for rounding: the answer of a linear model to XOR."""
    axes = plots.decision_boundary(affine_model([[1e-7], [0]], [0.5]), SQUARE, np.array([0, 1, 1, 0]))
    assert not any(isinstance(c, ContourSet) for c in axes.collections)


@pytest.mark.parametrize("classes", [2, 3, 9])
def test_decision_boundary_of_scores(rng, classes):
    W, b = rng.normal(size=(2, classes)), rng.normal(size=classes)
    x, t = rng.normal(size=(50, 2)).astype("float32"), np.arange(50) % classes
    model = affine_model(W, b)
    axes = plots.decision_boundary(model, x, t)
    (mesh,) = (c for c in axes.collections if isinstance(c, QuadMesh))
    points = [c for c in axes.collections if isinstance(c, PathCollection)]
    assert set(np.unique(mesh.get_array())) <= set(range(classes))
    assert sum(len(p.get_offsets()) for p in points) == 50
    looks = {(str(p.get_paths()[0].vertices), tuple(p.get_facecolor()[0])) for p in points}
    assert len(looks) == min(classes, 8)


def test_decision_boundary_refuses():
    with pytest.raises(ValueError, match=r"^x and t must be N points in the plane and their classes, not \(4, 3\)"):
        plots.decision_boundary(None, np.zeros((4, 3)), np.zeros(4, int))


def test_line_fit():
    x, t = tinynn.datasets.load_norris()
    lines = {"one": x + 1, "other": x - 1}
    above, below = plots.line_fit(x, t, lines)
    assert [text.get_text() for text in above.get_legend().get_texts()] == ["data", "one", "other"]
    assert (np.diff(above.lines[1].get_xdata()) >= 0).all()
    np.testing.assert_array_equal(above.lines[1].get_ydata(), np.sort(x.ravel()) + 1)
    np.testing.assert_array_equal(below.lines[1].get_ydata(), (t - (x + 1)).ravel())
    assert_fits(above)
    with pytest.raises(ValueError, match=r"^axes must be 2, for the lines and the residuals, not 1$"):
        plots.line_fit(x, t, lines, [above])


def test_line_fit_refuses():
    x = np.arange(3.0)
    with pytest.raises(ValueError, match=r"^lines\['y'\] must have the shape of x, \(3,\), not \(3, 1\)$"):
        plots.line_fit(x, x, {"y": x[:, None]})  # t - y would be (3, 3)
    with pytest.raises(ValueError, match=r"^lines must have 1 to 8 names, not 9$"):
        plots.line_fit(x, x, dict.fromkeys("abcdefghi", x))


def test_boundaries_between_scores():
    """Two scores y = (0, x_1 - 1/4) part the plane at x_1 = 1/4: a black line, told without colours."""
    axes = plots.decision_boundary(affine_model([[0, 1], [0, 0]], [0, -0.25]), SQUARE, np.array([0, 0, 1, 1]))
    (contour,) = (c for c in axes.collections if isinstance(c, ContourSet))
    np.testing.assert_allclose(contour.get_paths()[0].vertices[:, 0], 0.25, atol=1e-6)


@pytest.mark.parametrize("C", [3, 5])
def test_boundaries_between_many_scores(rng, C):
    """On each black line the two best scores are equal."""
    W, b = rng.normal(size=(2, C)), rng.normal(0, 0.1, C)
    axes = plots.decision_boundary(affine_model(W, b), SQUARE, np.arange(4) % C)
    ends = [c.get_paths()[0].vertices for c in axes.collections if isinstance(c, ContourSet)]
    assert ends or len(np.unique((SQUARE @ W + b).argmax(axis=1))) == 1
    if ends:
        scores = np.sort(np.concatenate(ends) @ W + b, axis=1)
        assert np.median(scores[:, -1] - scores[:, -2]) < 1e-4  # where three lines meet, they are cut short


# --- folds -----------------------------------------------------------------------------------------------------------


def through(layers, a):
    """The textbook: what comes out of Affine, Tanh and ReLU layers."""
    for layer in layers:
        if isinstance(layer, Affine):
            a = a @ layer.W + layer.b
        else:
            a = np.tanh(a) if isinstance(layer, Tanh) else np.maximum(a, 0)
    return a


def offsets(panel):
    return np.concatenate([c.get_offsets() for c in panel.collections if isinstance(c, PathCollection)])


def test_folds(rng):
    model = Sequential(
        Affine(2, 2), Tanh(), Affine(2, 2), ReLU(), Affine(2, 1), seed=int(rng.integers(100)), dtype="float64"
    )
    x, t = rng.normal(size=(7, 2)), np.array([0, 0, 0, 1, 1, 1, 1])
    panels = plots.folds(model, x, t)
    titles = [
        "the plane",
        "after layer 1, Affine",
        "after layer 2, Tanh",
        "after layer 3, Affine",
        "after layer 4, ReLU",
    ]
    assert [panel.get_title() for panel in panels] == titles
    (grid,) = (c for c in panels[0].collections if isinstance(c, LineCollection))
    lines, low, high = np.array(grid.get_segments()), x.min(axis=0), x.max(axis=0)
    half = len(lines) // 2
    for coordinate, along in ((0, lines[:half]), (1, lines[half:])):  # upright lines, level lines, all over the points
        assert (np.ptp(along[..., coordinate], axis=1) == 0).all() and len(np.unique(along[..., coordinate])) == half
        assert (along.min(axis=(0, 1)) < low).all() and (along.max(axis=(0, 1)) > high).all()
    for k, panel in enumerate(panels):
        np.testing.assert_allclose(offsets(panel), through(model.layers[:k], x), atol=1e-12)
        (plane,), (grid,) = ([c for c in p.collections if isinstance(c, LineCollection)] for p in (panels[0], panel))
        for line, image in zip(plane.get_segments(), grid.get_segments(), strict=True):
            np.testing.assert_allclose(image, through(model.layers[:k], line), atol=1e-12)
        for contour in (c for c in panel.collections if isinstance(c, ContourSet)):  # there the model says 1/2
            for path in contour.get_paths():
                y = through(model.layers[k:], path.vertices)
                assert np.median(abs(y - 0.5)) < 1e-2 * max(1, abs(y).max())
    assert_fits(panels[0])


def test_folds_end_with_a_straight_line():
    """In the last hidden layer the model is undecided where W y + b = 1/2, and nothing else."""
    model = Sequential(Affine(2, 2), Tanh(), Affine(2, 1), seed=0)
    model[2].W, model[2].b = [[1.0], [2.0]], [0.3]
    panel = plots.folds(model, SQUARE, np.array([0, 1, 1, 0]))[-1]
    (contour,) = (c for c in panel.collections if isinstance(c, ContourSet))
    np.testing.assert_allclose(contour.get_paths()[0].vertices @ [1, 2], 0.2, atol=1e-6)


def test_folds_of_many_units(rng):
    """Of more than two units: the plane that leaves out least, found here from the covariance."""
    model = Sequential(Affine(2, 9), Tanh(), Affine(9, 3), seed=0, dtype="float64")
    x, t = rng.normal(size=(30, 2)), np.arange(30) % 3
    plane, panel = plots.folds(model, x, t, after=(0, 2))
    (grid,) = (c for c in plane.collections if isinstance(c, LineCollection))
    y = through(model.layers[:2], np.concatenate([*grid.get_segments(), x]))
    values, vectors = np.linalg.eigh(np.cov(y.T))
    expected = ((y - y.mean(axis=0)) @ vectors[:, [-1, -2]])[-30:]
    drawn = offsets(panel)
    order = np.argsort(t, kind="stable")  # class by class
    np.testing.assert_allclose(abs(drawn), abs(expected[order]), rtol=1e-6, atol=1e-9)  # directions have no sign
    shares = 100 * values[[-1, -2]] / values.sum()
    assert panel.get_xlabel() == f"1st principal\ndirection, {shares[0]:.0f} %"
    assert panel.get_ylabel() == f"2nd principal\ndirection, {shares[1]:.0f} %"
    assert_fits(panel)


def test_folds_leave_no_trace():
    model = Sequential(Affine(2, 2), ReLU(), Affine(2, 2), seed=0)
    y = model.forward(SQUARE)
    kept = y.copy()
    plots.folds(model, SQUARE, np.arange(4) % 2)
    assert model[2].y is y and (y == kept).all()


def test_folds_refuse():
    model = Sequential(Affine(2, 3), ReLU(), Affine(3, 1), seed=0)
    with pytest.raises(
        ValueError, match=r"^after must be some of 0, 1, 2, where there are two units or more, not \(3,\) "
    ):
        plots.folds(model, SQUARE, np.zeros(4, int), after=(3,))
    with pytest.raises(ValueError, match=r"^t must hold classes, whole numbers from 0 to 99, not 0.5$"):
        plots.folds(model, SQUARE, np.full(4, 0.5))
    model[0].W[0, 0] = np.inf
    with pytest.raises(
        ValueError, match=r"^layer 1, Affine\(2, 3\): W must hold numbers below 1e\+30 in size, not inf$"
    ):
        plots.folds(model, SQUARE, np.zeros(4, int))


# --- networks --------------------------------------------------------------------------------------------------------


def lines_of(axes):
    """(from, to, width, colour, dashed) of each weight."""
    found = []
    for c in axes.collections:
        looks = zip(c.get_segments(), c.get_linewidths(), c.get_colors(), c.get_linestyles(), strict=True)
        found += [
            (*map(tuple, ends), width, to_hex(colour).upper(), dashes[1] is not None)
            for ends, width, colour, dashes in looks
        ]
    return found


@pytest.mark.parametrize("widths", [(2, 2, 1), (2, 2, 2), (3, 5, 1, 4)])
def test_network(widths):
    layers = [layer for n_in, n_out in itertools.pairwise(widths) for layer in (Affine(n_in, n_out), ReLU())]
    model = Sequential(*layers, seed=0)
    axes = plots.network(model)
    circles = {tuple(c.center) for c in axes.patches if isinstance(c, Circle)}
    columns = sorted({x for x, _ in circles})
    heights = [sorted((y for x, y in circles if x == column), reverse=True) for column in columns]
    assert tuple(map(len, heights)) == widths
    expected = []
    largest = max(abs(layer.W).max() for layer in layers[::2])
    for k, layer in enumerate(layers[::2]):
        for i, j in np.ndindex(layer.W.shape):
            w, ends = layer.W[i, j], ((columns[k], heights[k][i]), (columns[k + 1], heights[k + 1][j]))
            expected.append((*ends, abs(w) / largest, plots.VERMILLION if w > 0 else plots.BLUE, w < 0))
    found = lines_of(axes)
    widest = max(width for _, _, width, _, _ in found)
    assert widest == 5
    for line, right in zip(found, expected, strict=True):
        assert line[:2] == right[:2] and line[3:] == right[3:]
        assert line[2] / widest == pytest.approx(right[2], rel=1e-5)
    words = [text.get_text() for text in axes.texts]
    assert words.count("ReLU") == len(layers) // 2
    written = [f"{w:.2g}" for layer in layers[::2] for w in layer.W.ravel()]
    assert [word for word in words if re.fullmatch(r"[-.\de]+", word)] == (written if len(written) <= 9 else [])
    assert_fits(axes)


def test_network_of_large_layers():
    """784-256-10: the first and last five units of the large layers, ten each; the weights are those between them."""
    model = Sequential(Affine(784, 256), ReLU(), Affine(256, 10), seed=0)
    axes = plots.network(model)
    assert sum(isinstance(c, Circle) for c in axes.patches) == 30
    assert {"784\ninputs", "256\nunits", "10\noutputs", "ReLU"} == {text.get_text() for text in axes.texts}
    assert len(axes.lines) == 2  # of three dots
    first, last = [*range(5), *range(779, 784)], [*range(5), *range(251, 256)]
    shown = np.concatenate([model[0].W[np.ix_(first, last)].ravel(), model[2].W[last].ravel()])
    widths = np.array([width for _, _, width, _, _ in lines_of(axes)])
    np.testing.assert_allclose(widths, 3 * abs(shown) / abs(shown).max(), rtol=1e-5)
    assert_fits(axes)
    assert sum(isinstance(c, Circle) for c in plots.network(model, most=4).patches) == 12


def test_network_with_some_inputs():
    """Those that are named, each at its own height, with its own weights."""
    model = Sequential(Affine(100, 3), ReLU(), seed=0)
    axes = plots.network(model, inputs=[40, 7, 99])
    found = {start: [] for start in [(0, 2), (0, 1), (0, -1)]}  # dots are at 0
    for start, _, width, *_ in lines_of(axes):
        found[start].append(width)
    for rows, input in zip(found.values(), [40, 7, 99], strict=True):
        np.testing.assert_allclose(
            np.array(rows) / max(map(max, found.values())),
            abs(model[0].W[input]) / abs(model[0].W[[40, 7, 99]]).max(),
            rtol=1e-5,
        )
    assert "100\ninputs" in {text.get_text() for text in axes.texts} and len(axes.lines) == 1
    for error, inputs in (
        (TypeError, 3),
        (TypeError, []),
        (TypeError, [0.5]),
        (ValueError, [100]),
        (ValueError, [-1]),
        (ValueError, [2, 2]),
    ):
        with pytest.raises(error, match="^inputs"):
            plots.network(model, inputs=inputs)


class Halves(tinynn.Layer):
    """Every second number of a row: a layer that changes the width."""

    def forward(self, x):
        return x[:, ::2]

    def output_shape(self, shape):
        return None if shape is None else (*shape[:-1], (shape[-1] + 1) // 2)


class Silent(Halves):
    """The same, but does not say so."""

    def output_shape(self, shape):
        return None


@pytest.mark.parametrize(
    ("layers", "counts", "weights"),
    [
        ([ReLU(), Affine(2, 3)], [2, 3], 6),
        ([Affine(2, 4), Tanh(), Halves(), Affine(2, 1)], [2, 4, 2, 1], 10),
        ([Affine(2, 4), Silent(), Affine(2, 1)], [2, 4, 2, 1], 10),
        ([Affine(2, 4), Halves()], [2, 4, 2], 8),
        ([Affine(3, 2)], [3, 2], 6),
    ],
)
def test_network_of_other_layers(layers, counts, weights):
    """What has no matrix is named below its units; where it changes their number, there are no lines."""
    for layer in layers:
        layer.build()
    axes = plots.network(layers)
    centers = [c.center[0] for c in axes.patches if isinstance(c, Circle)]
    assert [centers.count(x) for x in sorted(set(centers))] == counts
    assert len(lines_of(axes)) == weights
    assert_fits(axes)


class Around(tinynn.Layer):
    """A block of a reader's own."""

    def __init__(self, *layers):
        self.inner = Sequential(*layers)

    def forward(self, x):
        return x + self.inner.forward(x)

    def backward(self, dy):
        return dy + self.inner.backward(dy)


def test_network_with_blocks():
    """Layers within blocks are drawn with their weights; an arrow above them says what goes past."""
    inner = [Affine(4, 5), Affine(5, 4), Affine(4, 4), Affine(4, 4)]
    block = tinynn.Residual(inner[0], ReLU(), inner[1], tinynn.Residual(inner[2]), shortcut=Affine(4, 4))
    model = Sequential(Affine(3, 4), block, Around(inner[3], Tanh()), Affine(4, 2), tinynn.Residual(ReLU()), seed=0)
    axes = plots.network(model)
    centers = [c.center[0] for c in axes.patches if isinstance(c, Circle)]
    places = sorted(set(centers))
    assert [centers.count(x) for x in places] == [3, 4, 5, 4, 4, 4, 2]
    drawn = [layer.W for layer in (model[0], *inner, model[3])]
    found = lines_of(axes)
    widths = np.array([width for _, _, width, _, _ in found])
    sizes = np.abs(np.concatenate([W.ravel() for W in drawn]))
    np.testing.assert_allclose(widths / widths.max(), sizes / sizes.max(), rtol=1e-5)
    ways = {}
    for text in axes.texts:
        name, (middle, height) = text.get_text(), text.get_position()
        for line in axes.lines if name in ("+ x", "+ Affine(x)", "Around") else []:
            if line.get_ydata()[-1] == height and np.mean(line.get_xdata()[1:]) == pytest.approx(middle):
                start, end = (int(np.argmin(abs(np.array(places) - x))) for x in line.get_xdata()[1:])
                ways[name, start, end] = height
    assert set(ways) == {("+ Affine(x)", 1, 4), ("+ x", 3, 4), ("Around", 4, 5)}
    assert ways["+ Affine(x)", 1, 4] > ways["+ x", 3, 4]
    words = [text.get_text() for text in axes.texts]
    assert "ReLU\n+ x" in words  # the last block, which leads to no other units
    assert_fits(axes)


def test_network_with_images():
    """Of what works on images, the channels are the units; a kernel's weights are not drawn."""
    layers = [Affine(1, 3), tinynn.MaxPool2D(2), tinynn.Conv2D(3, 4, 3), tinynn.GlobalAvgPool(), Affine(4, 2)]
    for layer in layers:
        layer.build()
    axes = plots.network(layers)
    assert {"MaxPool2D\nConv2D", "GlobalAvgPool", "4\nunits"} <= {text.get_text() for text in axes.texts}
    assert len(lines_of(axes)) == 3 + 8


def test_network_refuses():
    with pytest.raises(ValueError, match=r"^model must have a layer with a matrix of weights W \(n_in, n_out\), and"):
        plots.network([ReLU()])
    with pytest.raises(TypeError, match=r"^model must be a Sequential or a list of layers, not 3 \(int\)$"):
        plots.network(3)
    model = affine_model([[np.nan], [0]], [0])
    with pytest.raises(
        ValueError, match=r"^layer 1, Affine\(2, 1\): W must hold numbers below 1e\+30 in size, not nan$"
    ):
        plots.network(model)


# --- activations -----------------------------------------------------------------------------------------------------


class Bent(tinynn.Activation):
    """One of a reader's own, with a parameter: y = g x where x < 0, else x^2."""

    parameters = ("g",)

    def __init__(self):
        self.g = np.array([0.25])

    def forward(self, x):
        return np.where(x < 0, self.g * x, x * x)

    def backward(self, dy):
        self.dg = np.array([0.0])
        return dy * np.where(self.x < 0, self.g, 2 * self.x)


FORMULAS = [  # values and slopes, said again
    (Sigmoid(), lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
    (Tanh(), np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    (ReLU(), lambda x: np.where(x > 0, x, 0), lambda x: np.where(x > 0, 1, 0)),
    (Bent(), lambda x: np.where(x < 0, x / 4, x**2), lambda x: np.where(x < 0, 1 / 4, 2 * x)),
]


def test_activations():
    panels = plots.activations([layer for layer, _, _ in FORMULAS], low=-3, high=2)
    assert [panel.get_title() for panel in panels] == ["Sigmoid", "Tanh", "ReLU", "Bent"]
    for panel, (_, f, slope) in zip(panels, FORMULAS):
        value, derivative = panel.lines[-2:]
        x = value.get_xdata()
        assert (x[0], x[-1]) == (-3, 2)
        np.testing.assert_allclose(value.get_ydata(), f(x), atol=1e-12)
        np.testing.assert_allclose(derivative.get_ydata(), slope(x), atol=1e-12)
        assert value.get_linestyle() != derivative.get_linestyle()
    given = plots.activations([Tanh(), ReLU()], Figure().subplots(1, 2))
    assert all(len({panel.get_ylim() for panel in row}) == 1 for row in (panels, given))  # slopes can be compared
    assert_fits(panels[0])


def test_activations_leave_no_trace():
    model = Sequential(Tanh(), Affine(2, 2), ReLU(), seed=0)
    y = model.forward(SQUARE)
    plots.activations([model[0], model[2]])  # the first one of a model computes no dx; its copy must
    assert model[2].y is y
    model.backward(np.ones_like(y))


def test_activations_refuse():
    with pytest.raises(TypeError, match=r"^layers must be a list of activations, such as \[ReLU\(\)\], not \[Affine"):
        plots.activations([Affine(2, 2)])
    with pytest.raises(ValueError, match=r"^high must be more than low, 2, not 1$"):
        plots.activations([ReLU()], low=2, high=1)


# --- histograms ------------------------------------------------------------------------------------------------------


def recorded(model, epochs=3, recorder=None, optimizer=None, n=20):
    recorder = recorder or plots.Histograms(bins=10)
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(n, 4)).astype(model.dtype), rng.integers(0, 3, n)
    optimizer = optimizer or SGD(model, lr=0.1)
    tinynn.fit(
        model, x, t, loss=tinynn.SoftmaxCrossEntropy(), optimizer=optimizer, epochs=epochs, batch_size=8, seed=0,
        callbacks=[recorder], progress=False, validation_data=(x, t),
    )  # fmt: skip
    return recorder


def small(**options):
    return Sequential(Affine(4, 6), ReLU(), Affine(6, 3), seed=0, **options)


def test_recorder(cpu):
    """The last batch's y and dW, not those of the validation after it."""
    model, seen = small(backend=cpu), []
    recorder = plots.Histograms(bins=7)

    def keep(run):
        seen.append([(layer.y.copy(), layer.arrays.get("dW", np.zeros(0)).copy()) for layer in run.model])

    class Both:
        start = recorder.start

        def __call__(self, run):
            recorder(run)
            keep(run)

    recorded(model, recorder=Both())
    assert recorder.epochs == [1, 2, 3] and recorder.names == {1: "Affine", 2: "ReLU", 3: "Affine"}
    assert list(recorder.y) == [1, 2, 3] and list(recorder.dW) == [1, 3]
    for epoch, layers in enumerate(seen):
        for number, (y, dW) in enumerate(layers, 1):
            assert len(y) == 4  # 20 rows in batches of 8
            drawn = [(recorder.y[number][epoch], y, y)]
            if dW.size:
                drawn.append((recorder.dW[number][epoch], dW, np.log10(abs(dW[dW != 0]).astype(float))))
            for spread, values, shown in drawn:
                counts, edges = np.histogram(shown.astype(float), 7)
                np.testing.assert_array_equal(spread.counts, counts)
                np.testing.assert_allclose(spread.edges, edges, rtol=1e-12)
                assert spread.n == values.size
                np.testing.assert_allclose(
                    (spread.mean, spread.std), (values.mean(), values.std()), rtol=1e-4, atol=1e-7
                )


def test_recorder_goes_on_or_begins_anew():
    model = small()
    optimizer = SGD(model, lr=0.1)
    recorder = recorded(model, epochs=2, optimizer=optimizer)
    first = copy.deepcopy(recorder.y)
    recorded(model, epochs=2, optimizer=optimizer, recorder=recorder)
    assert recorder.epochs == [1, 2, 3, 4]
    np.testing.assert_array_equal(recorder.y[1][1].counts, first[1][1].counts)
    recorded(small(), epochs=1, recorder=recorder)
    assert recorder.epochs == [1] and len(recorder.y[1]) == 1


def test_recorder_sees_layers_at_any_depth():
    """In a block, each by its path; and in a model class whose layers are attributes."""
    block = tinynn.Residual(Affine(6, 6), Sequential(ReLU(), Affine(6, 6)), shortcut=Affine(6, 6))
    model = Sequential(Affine(4, 6), block, Affine(6, 3), seed=0)
    recorder = recorded(model)
    assert list(recorder.dW) == [1, "2.1", "2.2.2", "2.shortcut", 3]
    assert list(recorder.y) == [1, "2.1", "2.2.1", "2.2.2", "2.shortcut", 2, 3]
    assert recorder.names["2.2.2"] == "Affine" and recorder.names[2] == "Residual"
    inner = block.layers[1].layers[1]
    counts = np.histogram(np.log10(abs(inner.dW)), 10)[0]
    np.testing.assert_array_equal(recorder.dW["2.2.2"][-1].counts, counts)
    panels = plots.histograms(recorder, "dW", ["2.1", "2.2.2", 3])
    assert [panel.get_title() for panel in panels] == ["2.1 Affine", "2.2.2 Affine", "3 Affine"]
    with pytest.raises(ValueError, match=r"^layers must be some of 1, 2\.1, 2\.2\.2, 2\.shortcut, 3, not \['2\.9'\]"):
        plots.histograms(recorder, "dW", ["2.9"])

    class Attributes(tinynn.Model):
        def __init__(self):
            self.hidden, self.out = Affine(4, 5), Affine(5, 3)
            self.assemble(seed=0)

        def forward(self, x):
            return self.out.forward(self.hidden.forward(x))

        def backward(self, dy):
            self.hidden.backward(self.out.backward(dy))

    assert list(recorded(Attributes()).dW) == ["hidden", "out"]


def test_recorder_wants_layers():
    class NoLayers:
        def __init__(self):
            self.params, self.grads = np.zeros(12, "float32"), np.zeros(12, "float32")
            self.dtype = self.params.dtype

        def forward(self, x):
            self.x = x
            return x @ self.params.reshape(4, 3)

        def backward(self, dy):
            self.grads[:] = (self.x.T @ dy).ravel()

    model = NoLayers()
    with pytest.raises(TypeError, match=r"^model must have layers, not be "):
        recorded(model)
    assert not model.params.any()


@pytest.mark.parametrize("what", ["y", "dW"])
def test_histograms(what):
    recorder = recorded(small())
    panels = plots.histograms(recorder, what)
    record = getattr(recorder, what)
    assert [panel.get_title() for panel in panels] == [f"{k} {recorder.names[k]}" for k in record]
    for panel, k in zip(panels, record):
        (mesh,) = panel.collections
        shares, corners = mesh.get_array(), mesh.get_coordinates()
        np.testing.assert_array_equal(corners[0, :, 0], [0.5, 1.5, 2.5, 3.5])
        for epoch, spread in enumerate(record[k]):  # the part of the numbers that is drawn, bin by bin
            edges = corners[:, epoch, 1]
            inside = sum(
                count * max(0, min(b, edges[-1]) - max(a, edges[0])) / (b - a)
                for count, a, b in zip(spread.counts, spread.edges, spread.edges[1:])
            )
            assert shares[:, epoch].sum() == pytest.approx(inside / spread.n)
            assert shares[:, epoch].sum() > 0.9 * spread.counts.sum() / spread.n
        means, stds = (np.array([getattr(spread, name) for spread in record[k]]) for name in ("mean", "std"))
        rms = np.sqrt(means**2 + stds**2)
        right = [np.log10(rms)] if what == "dW" else [means, means - stds, means + stds]
        np.testing.assert_allclose([line.get_ydata() for line in panel.lines], right)
    assert len({panel.get_ylim() for panel in panels}) == 1
    assert_fits(panels[0])


def test_histograms_put_numbers_where_they_are():
    """All y are 2 in the first epoch and 5 in the second: the darkest cells are there."""
    recorder = plots.Histograms(bins=30)
    recorder.epochs, recorder.names = [1, 2], {1: "Affine"}
    recorder.y = {1: [plots.curves._spread(np.full((3, 3), value), 30) for value in (2.0, 5.0)]}
    (panel,) = plots.histograms(recorder, "y")
    (mesh,) = panel.collections
    middles = (mesh.get_coordinates()[1:, 0, 1] + mesh.get_coordinates()[:-1, 0, 1]) / 2
    np.testing.assert_allclose(middles[mesh.get_array().argmax(axis=0)], [2, 5], atol=0.15)


def test_histograms_of_a_training_that_diverged():
    model = small()
    recorder = recorded(model)
    model.params[...] = np.nan
    with np.errstate(all="ignore"):
        model.forward(np.ones((4, 4), "float32"))
    model.grads[...] = [np.inf, 0] * (model.grads.size // 2) + [1] * (model.grads.size % 2)
    recorder(tinynn.callbacks.Run(model, None, None, tinynn.History(3)))
    assert recorder.y[1][-1].n == 0
    for what in ("y", "dW"):
        assert_fits(plots.histograms(recorder, what)[0])


def test_vanishing_gradients():
    """What the picture is for: in sigmoids dW falls from the last layer to the first; with ReLU and Kaiming it does not."""
    sizes = {}
    for activation in (Sigmoid, ReLU):
        layers = [layer for _ in range(5) for layer in (Affine(4, 4), activation())]
        model = Sequential(*layers, Affine(4, 3), seed=3)
        recorder = recorded(model, epochs=1, n=64)
        panels = plots.histograms(recorder, "dW")
        sizes[activation] = np.array([panel.lines[0].get_ydata()[0] for panel in panels])
    assert (np.diff(sizes[Sigmoid]) > 0.2).all() and np.ptp(sizes[Sigmoid]) > 2  # powers of ten
    assert np.ptp(sizes[ReLU]) < 1


def test_histograms_refuse():
    with pytest.raises(ValueError, match=r"^recorder must have seen an epoch: model\.fit"):
        plots.histograms(plots.Histograms())
    recorder = recorded(small(), epochs=1)
    with pytest.raises(ValueError, match=r"^what must be 'y' or 'dW', not 'db'$"):
        plots.histograms(recorder, "db")
    with pytest.raises(ValueError, match=r"^layers must be some of 1, 3, not \[2\] \(list\)$"):
        plots.histograms(recorder, "dW", [2])


# --- paths -----------------------------------------------------------------------------------------------------------


def bowl(w):
    """L = (w_1^2 + 10 w_2^2) / 2."""
    return float(w @ (w * [1, 10])) / 2, w * [1, 10]


def track(axes, name):
    (line,) = (line for line in axes.lines if str(line.get_label()).startswith(f"{name}: "))
    return line.get_xydata()


def test_paths():
    """The optimizers' own steps, against the formulas of their docstrings."""
    optimizers = {
        "SGD": lambda model: SGD(model, lr=0.05),
        "momentum": lambda model: SGD(model, lr=0.02, momentum=0.9),
        "Adam": functools.partial(Adam, lr=0.1),
    }
    start = np.array([-2.0, 1.0])
    axes = plots.paths(bowl, optimizers, start, steps=12)
    np.testing.assert_allclose(track(axes, "SGD"), start * [[0.95**k, 0.5**k] for k in range(13)], rtol=1e-12)
    w, v, points = start.copy(), np.zeros(2), [start]
    for _ in range(12):
        v = 0.9 * v - 0.02 * w * [1, 10]
        w = w + v
        points.append(w)
    np.testing.assert_allclose(track(axes, "momentum"), points, rtol=1e-12)
    w, m, s, points = start.copy(), 0.0, 0.0, [start]
    for k in range(1, 13):
        g = w * [1, 10]
        m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g * g
        w = w - 0.1 * (m / (1 - 0.9**k)) / (np.sqrt(s / (1 - 0.999**k)) + 1e-8)
        points.append(w)
    np.testing.assert_allclose(track(axes, "Adam"), points, rtol=1e-9)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [*(f"{name}: loss {bowl(track(axes, name)[-1])[0]:.2g}" for name in optimizers), "start"]
    assert len({line.get_marker() for line in axes.lines if len(line.get_xdata()) > 1}) == 3
    assert (start == [-2, 1]).all()
    assert_fits(axes)


def test_paths_lie_on_the_contours_of_their_loss():
    axes = plots.paths(bowl, {"SGD": lambda model: SGD(model, lr=0.05)}, np.array([-2.0, 1.0]), steps=5)
    filled, lines = (c for c in axes.collections if isinstance(c, ContourSet))
    for level, path in zip(lines.levels[1:-1], lines.get_paths()[1:-1]):
        np.testing.assert_allclose([bowl(w)[0] for w in path.vertices], level, rtol=0.05)
    greys = filled.cmap(np.linspace(0, 1, 5))[:, 0]
    assert (np.diff(greys) < 0).all()  # the darker, the higher


def test_paths_that_diverge():
    """They leave the picture, which keeps to where the loss is no higher than at the start."""
    optimizers = {"too fast": lambda model: SGD(model, lr=3.0), "right": lambda model: SGD(model, lr=0.05)}
    axes = plots.paths(bowl, optimizers, np.array([-2.0, 1.0]), steps=200)
    assert abs(track(axes, "too fast")).max() > 1e20
    assert -3 < axes.get_xlim()[0] < axes.get_xlim()[1] < 1
    assert_fits(axes)


def test_paths_of_a_real_model():
    """Any function of two parameters will do: the loss of one unit, by its layer and loss."""
    unit, loss, x = Sequential(Affine(1, 1), dtype="float64"), tinynn.MSE(), np.array([[0.0], [1.0], [2.0]])

    def surface(w):
        unit.params = w
        value = loss.forward(unit.forward(x), 3 * x + 1)
        unit.backward(loss.backward())
        return value, unit.grads

    axes = plots.paths(surface, {"SGD": lambda model: SGD(model, lr=0.2)}, np.zeros(2), steps=300)
    np.testing.assert_allclose(track(axes, "SGD")[-1], [3, 1], atol=1e-6)


def test_paths_refuse():
    start, sgd = np.zeros(2), {"SGD": lambda model: SGD(model, lr=0.1)}
    with pytest.raises(
        TypeError, match=r"^surface must return \(loss, gradient\), a number and an array \(2,\), not 1.0"
    ):
        plots.paths(lambda w: 1.0, sgd, start)
    with pytest.raises(
        TypeError, match=r"^optimizers\['a'\] must be a function that makes an optimizer, not <function"
    ):
        plots.paths(bowl, {"a": lambda model: model}, start)
    with pytest.raises(ValueError, match=r"^start must be two numbers, not of shape \(3,\)$"):
        plots.paths(bowl, sgd, np.zeros(3))
    with pytest.raises(ValueError, match=r"^start must be where the loss is a number, not \[0. 0.\]$"):
        plots.paths(lambda w: (np.nan, w), sgd, start)


# --- the check's sweep -----------------------------------------------------------------------------------------------


def test_check_sweep():
    h = np.array([1e-2, 1e-8, 1e-5])
    curves = {"V": (h, np.array([1e-4, 1e-8, 0.0])), "plateau": (h, np.array([1e-3, 1e-4, np.inf]))}
    axes = plots.check_sweep(curves)
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["V", "plateau"]
    np.testing.assert_array_equal([line.get_xdata() for line in axes.lines], [[1e-8, 1e-5, 1e-2]] * 2)
    np.testing.assert_array_equal(
        [line.get_ydata() for line in axes.lines], [[1e-8, np.nan, 1e-4], [1e-4, np.nan, 1e-3]]
    )
    assert len({(line.get_marker(), line.get_linestyle(), line.get_color()) for line in axes.lines}) == 2
    axes.figure.canvas.draw()
    assert {"1e-8", "1e-4"} <= {label.get_text() for label in axes.get_xticklabels()}
    assert_fits(axes)


def test_check_sweep_refuses():
    h = np.array([1e-2, 1e-3])
    for wrong in ((h, h[:1]), (-h, h), (h, -h), (h, 0 * h)):
        with pytest.raises(
            ValueError, match=r"^errors\['a'\] must be step sizes above 0 and as many errors, none below 0"
        ):
            plots.check_sweep({"a": wrong})
    with pytest.raises(TypeError, match=r"^errors\['a'\] must be a pair \(h, error\), not an array"):
        plots.check_sweep({"a": h})


# --- all of them -----------------------------------------------------------------------------------------------------


@functools.cache
def right_calls():
    """Each function with arguments that are right, small and quick to draw."""
    x, t, model = (
        SQUARE,
        np.array([0, 1, 1, 0]),
        Sequential(Affine(2, 2), Tanh(), Affine(2, 2), backend="numpy", seed=0),
    )
    h, line = np.array([1e-3, 1e-2]), np.arange(3.0)
    return {
        "network": {"model": model, "most": 3},
        "activations": {"layers": [ReLU(), Tanh()], "low": -2.0, "high": 2.0},
        "first_layer_weights": {"model": model, "shape": (1, 2), "count": 2},
        "learning_curves": {"history": some_history("loss", "accuracy"), "names": ("one", "other")},
        "histograms": {"recorder": recorded(small(backend="numpy"), epochs=1), "what": "dW", "layers": [1, 3]},
        "paths": {"surface": bowl, "optimizers": {"SGD": lambda m: SGD(m, lr=0.05)}, "start": np.ones(2), "steps": 2},
        "check_sweep": {"errors": {"V": (h, h)}},
        "decision_boundary": {"model": model, "x": x, "t": t},
        "folds": {"model": model, "x": x, "t": t, "after": [0, 2]},
        "line_fit": {"x": line, "t": line, "lines": {"y": line}},
        "confusion_matrix": {"y": t, "t": t, "labels": ["a", "b"]},
        "filters": {"layer": Sequential(Conv2D(1, 3, 2), backend="numpy", seed=0), "columns": 2},
        "feature_maps": {"model": Sequential(Conv2D(1, 3, 2), backend="numpy"), "image": np.ones((3, 4, 1), "float32"), "most": 2},
        "predictions": {"images": np.ones((4, 6)), "y": t[::-1].copy(), "t": t, "count": 3, "shape": (2, 3)},
    }  # fmt: skip


def test_all_functions_are_tried():
    functions = {name for name in plots.__all__ if name.islower()}
    assert functions == set(right_calls())


@pytest.mark.parametrize("name", sorted(right_calls()))
def test_axes(name):
    """Given axes are drawn into and returned; without any there is a figure of its own, no wider than a page."""
    draw, arguments = getattr(plots, name), right_calls()[name]
    new = draw(**arguments)
    count = len(new) if isinstance(new, list) else 1
    first = new[0] if isinstance(new, list) else new
    assert first.figure.get_figwidth() <= 7.2
    figure = Figure()
    panels = list(figure.subplots(1, count, squeeze=False).flat)
    given = panels if isinstance(new, list) else panels[0]
    assert draw(**arguments, axes=given) == given
    assert all(panel.has_data() for panel in panels)
    if isinstance(new, list):
        assert draw(**arguments, axes=np.array(panels)) == panels  # what plt.subplots gives
    wrong = [*panels, figure.add_subplot()]
    with pytest.raises(ValueError, match=rf"^axes must be {count}, for .*, not {count + 1}$"):
        draw(**arguments, axes=wrong)
    with pytest.raises(TypeError, match=r"^axes must be matplotlib's Axes, not 3 \(int\)$"):
        draw(**arguments, axes=3)


NEAR = {  # what is nearly right, beside the nonsense that fits everywhere
    "labels": [[], ["a"], ["$x", "b"], [None, 1.5], list("abc"), ("a", "b"), range(2)],
    "names": [("a",), ("$", "$$"), ("a", 1), ("", "_")],
    "layers": [[1], [3, 3], [2], (1,), [1.0], [True], [Affine(2, 2)], [Sigmoid(), Bent()]],
    "after": [[0], [1, 2, 3], [4], [-1], [True], [0.0], ()],
    "optimizers": [{"$": Adam}, {1: lambda m: SGD(m, lr=1e9)}, {"a": None}],
    "errors": [{"a": (np.ones(1), np.ones(1))}, {"$^": [np.ones(2), np.full(2, 1e-300)]}, {"a": (np.ones(2), np.full(2, np.nan))}],
    "lines": [{"$_": np.arange(3)}, {"a": np.ones((3, 1))}, {"a": np.array([1.0, np.nan, 1])}, {i: np.ones(3) for i in range(9)}],
    "shape": [[1, 2], (2, 1), (2,), (2.0, 1), (-1, -2), (3, 2)],
    "model": [[Affine(2, 2), ReLU()], Affine(2, 1), [ReLU()], Sequential(Affine(2, 1), seed=0), Sequential(Affine(3, 1), seed=0)],
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(right_calls()))
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nonsense(name, data):
    """In the place of one argument: a picture, or a sentence that names it."""
    arguments = dict(right_calls()[name])
    wrong = data.draw(st.sampled_from([*arguments, "axes"]))
    near = st.sampled_from(range(len(NEAR[wrong]))).map(NEAR[wrong].__getitem__) if wrong in NEAR else st.nothing()
    arguments[wrong] = data.draw(st.one_of(nonsense(arguments.get(wrong)), near))
    if wrong == "surface" and callable(arguments[wrong]):
        return  # a function of the caller's may raise what it likes
    try:
        drawn = getattr(plots, name)(**arguments)
    except (TypeError, ValueError) as error:
        names = "|".join([*right_calls()[name], "axes", r"layer \d", r"[A-Z]\w+\("])  # such as Affine(2, 3): x must ...
        assert re.search(rf"^({names}).* must .*(, not |none|: )", str(error), re.S), repr(error)
    except Own:  # what a function of the caller's raises is passed on
        assert wrong in ("optimizers", "model")
    else:
        axes = drawn[0] if isinstance(drawn, list) else drawn
        assert isinstance(axes, Axes)
        axes.figure.draw_without_rendering()
