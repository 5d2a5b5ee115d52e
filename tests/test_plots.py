"""The pictures show what they were given, fit on their figures, and leave pyplot alone."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgba
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.image import imread

import tinynn
from tinynn import plots


def assert_fits(axes):
    """Nothing touches the edges of the saved picture, as a cut label would."""
    file = io.BytesIO()
    axes.figure.savefig(file, dpi=150)
    file.seek(0)
    picture = imread(file)[..., :3]
    assert picture.min() < 0.5  # there is something
    for edge in (picture[:2], picture[-2:], picture[:, :2], picture[:, -2:]):
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
assert "matplotlib.pyplot" not in sys.modules
assert os.listdir() == []
"""
    paths = [os.path.dirname(os.path.dirname(tinynn.__file__)), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=tmp_path, env=environment, timeout=60)


# --- learning curves -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [1, 2, 10, 57, 1000])
@pytest.mark.parametrize(
    ("names", "count"),
    [
        (("loss", "seconds"), 1),
        (("loss", "val_loss"), 1),
        (("loss", "accuracy"), 2),
        (("loss", "accuracy", "seconds", "val_loss", "val_accuracy"), 2),
    ],
)
def test_learning_curves(names, count, epochs):
    history = some_history(*names, epochs=epochs)
    panels = plots.learning_curves(history)
    assert len(panels) == count
    for panel, quantity in zip(panels, ("loss", "accuracy")):
        curves = [name for name in (quantity, "val_" + quantity) if name in names]
        assert [list(line.get_ydata()) for line in panel.lines] == [history[name] for name in curves]
        assert all(list(line.get_xdata()) == list(range(1, epochs + 1)) for line in panel.lines)
        assert len(panel.get_legend().get_texts()) == len(curves)
        assert panel.get_xlabel() == "epoch" and panel.get_ylabel() == quantity
        assert all(tick == int(tick) for tick in panel.get_xticks())
    assert_fits(panels[0])


def test_learning_curves_names():
    (panel,) = plots.learning_curves(some_history("loss", "val_loss"), names=("old", "new"))
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["old, epoch's mean", "new, epoch's end"]


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


@pytest.mark.parametrize("classes", [2, 10, 27])
def test_confusion_matrix(rng, classes):
    t, predicted = rng.integers(0, classes, (2, 3000))
    t[0] = classes - 1
    axes = plots.confusion_matrix(t, predicted)
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


@pytest.mark.parametrize("percent", range(0, 101, 5))
def test_counts_are_readable_on_their_cells(percent):
    t = np.zeros(100, int)
    axes = plots.confusion_matrix(t, np.where(np.arange(100) < percent, 1, 0))
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


@pytest.mark.parametrize(
    ("t", "predicted"),
    [
        (np.zeros(3, int), np.zeros(4, int)),
        (np.zeros((3, 1), int), np.zeros((3, 1), int)),
        (np.zeros(3), np.zeros(3, int)),
        (np.zeros(0, int), np.zeros(0, int)),
    ],
)
def test_labels_that_are_none(t, predicted):
    with pytest.raises(ValueError, match=r"^t and predicted must be labels \(N,\), whole numbers, as many of one as"):
        plots.confusion_matrix(t, predicted)
    with pytest.raises(ValueError, match=r"^t and predicted must be labels"):
        plots.predictions(np.zeros((3, 4)), t, predicted)


def test_confusion_matrix_refuses():
    with pytest.raises(ValueError, match=r"^labels must be in 0\.\.1 for"):
        plots.confusion_matrix(np.array([0, 2]), np.array([0, 1]), labels=["cat", "dog"])
    with pytest.raises(ValueError, match=r"^labels must be in 0\.\.1 for .*, not -1"):
        plots.confusion_matrix(np.array([0, 1]), np.array([0, -1]))


# --- predictions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "count"), [(1, 40), (5, 40), (30, 20), (50, 40)])
def test_predictions(rng, n, count):
    images = rng.random((n, 28, 28))
    t, predicted = rng.integers(0, 3, (2, n))
    axes = plots.predictions(images, t, predicted, count)
    shown = min(n, count)
    words = [f"{p}, is {k}" if k != p else f"{p}" for k, p in zip(t[:shown], predicted[:shown])]
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
    mesh, *points = axes.collections
    assert isinstance(mesh, QuadMesh)
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


def test_given_axes_are_used():
    figure = Figure()
    panels = list(figure.subplots(4, 2).flat)
    t = np.arange(2)
    model = affine_model([[1], [0]], [0])
    used = [
        *plots.learning_curves(some_history("loss", "accuracy"), panels[:2]),
        plots.first_layer_weights(model, (1, 2), axes=panels[2]),
        plots.confusion_matrix(t, t, panels[3]),
        plots.predictions(np.zeros((2, 2, 2)), t, t, axes=panels[4]),
        plots.decision_boundary(model, SQUARE[:2], t, panels[5]),
        *plots.line_fit(t, t, {"line": t}, panels[6:]),
    ]
    assert used == panels
