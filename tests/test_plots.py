"""The pictures: each draws what it is given into axes, opens no window, refuses what it cannot show."""

from __future__ import annotations

import io

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from tinynn import Affine, History, ReLU, Sequential, plots


def history(*names):
    record = History()
    for epoch in range(3):
        record.append(dict.fromkeys(names, 1 / (epoch + 1)))
    return record


def network(n_in=2, n_out=3):
    return Sequential(Affine(n_in, 9), ReLU(), Affine(9, n_out), seed=0)


def points(classes):
    rng = np.random.default_rng(0)
    return rng.normal(size=(30, 2)).astype("f4"), rng.integers(0, classes, 30)


labels = np.array([0, 1, 2, 2, 1, 0]), np.array([0, 1, 2, 1, 1, 0])
images = np.random.default_rng(0).random((6, 8, 8))
line = np.arange(5.0)[:, None]

PICTURES = {
    "learning curves": lambda axes: plots.learning_curves(
        history("loss", "accuracy", "val_loss", "val_accuracy"), axes
    ),
    "learning curve": lambda axes: plots.learning_curves(history("loss"), axes),
    "weights": lambda axes: plots.first_layer_weights(network(16), (4, 4), axes=axes),
    "confusion": lambda axes: plots.confusion_matrix(*labels, axes),
    "confusion with names": lambda axes: plots.confusion_matrix(*labels, axes, labels=["cat", "dog", "cow", "hen"]),
    "predictions": lambda axes: plots.predictions(images, *labels, axes=axes),
    "predictions of rows": lambda axes: plots.predictions(images.reshape(6, 64), *labels, 4, axes),
    "three classes": lambda axes: plots.decision_boundary(network(), *points(3), axes),
    "one output": lambda axes: plots.decision_boundary(network(2, 1), *points(2), axes),
    "line": lambda axes: plots.line_fit(line, 2 * line, {"a": 2 * line, "b": line}, axes),
}
PANELS = {"learning curves": 2, "learning curve": 1, "line": 2}


@pytest.mark.parametrize("name", PICTURES)
def test_picture(name):
    """Drawn into new axes, and into given ones, which come back; not blank."""
    drawn = PICTURES[name](None)
    first = drawn[0] if name in PANELS else drawn
    file = io.BytesIO()
    first.figure.savefig(file, format="png")
    file.seek(0)
    assert matplotlib.image.imread(file)[..., :3].std() > 0.01
    if name in PANELS:
        given = list(Figure().subplots(1, PANELS[name], squeeze=False).flat)
        assert all(a is b for a, b in zip(PICTURES[name](given), given, strict=True))
    else:
        given = Figure().subplots()
        assert PICTURES[name](given) is given


def test_confusion_counts():
    axes = plots.confusion_matrix(*labels)
    texts = {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts}
    assert texts == {(0, 0): "2", (1, 1): "2", (2, 2): "1", (2, 1): "1"}
    assert axes.get_xlabel() == "predicted" and axes.get_ylabel() == "true"


def test_wrong_predictions_are_marked_in_words():
    texts = [text.get_text() for text in plots.predictions(images, *labels).texts]
    assert texts == ["0", "1", "2", "1, is 2", "1", "0"]


def test_no_window():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    for picture in PICTURES.values():
        picture(None)
    assert plt.get_fignums() == before


@pytest.mark.parametrize(
    "draw, text",
    [
        (lambda: plots.learning_curves(History()), "history must have at least one epoch"),
        (lambda: plots.learning_curves(history("loss"), [None, None]), "axes must be 1, for loss, not 2"),
        (lambda: plots.first_layer_weights(network(16), (3, 4)), "shape must be one of 16 pixels"),
        (lambda: plots.confusion_matrix(labels[0], labels[1][:2]), "t and predicted must be labels"),
        (lambda: plots.confusion_matrix(labels[0] / 1, labels[1]), "t and predicted must be labels"),
        (lambda: plots.predictions(images[:2], *labels), "images must be as many as the labels t, 6, not 2"),
        (
            lambda: plots.decision_boundary(network(3), np.ones((4, 3)), np.ones(4)),
            "x and t must be N points in the plane",
        ),
    ],
)
def test_what_cannot_be_shown(draw, text):
    with pytest.raises(ValueError, match=text):
        draw()
