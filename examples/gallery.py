"""All pictures that tinynn draws, on a page that says what to look for in each.

    python examples/gallery.py
    python examples/gallery.py --output pictures
    python examples/gallery.py --quick               (trains less, to see that it works)

Everything is computed here and now: networks are trained, slopes measured, steps taken. The page, index.html, holds its
pictures itself and needs no network; the same pictures lie beside it as PNG files. The words and
the page are in gallery_page.py, points and small networks in gallery_networks.py.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import make_directory, parser, stoppable
from gallery_networks import layered, moons, spiral, trained, xor
from gallery_page import Page
from matplotlib.figure import Figure

import tinynn
from tinynn import (
    MSE,
    SGD,
    Adam,
    Affine,
    BatchNorm,
    Conv2D,
    Flatten,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    plots,
)

# --- networks of two inputs ------------------------------------------------------------------------------------------


def plane(page: Page, quick: bool) -> None:
    """Networks drawn, their decision boundaries, and how their hidden layers fold the plane."""
    rng = np.random.default_rng(0)
    corners, two_moons, arms = xor(), moons(100, rng), spiral(150, rng)
    flat = trained(Sequential(Affine(2, 1), backend="numpy", seed=0), *corners, 400)
    small = trained(layered(2, 2, 1, activation=Tanh, seed=6), *corners, 400)
    bent = trained(layered(2, 8, 2, 2, activation=Tanh), *two_moons, 100 if quick else 300)
    wound = trained(layered(2, 24, 24, 2, 2, activation=Tanh), *arms, 200 if quick else 800)

    page.add("network", plots.network(small))
    figure = Figure(figsize=(7, 6.4), layout="constrained")
    cases = {
        "XOR, no hidden layer": (flat, *corners),
        "XOR, 2 hidden units": (small, *corners),
        "moons, 8 and 2 hidden units": (bent, *two_moons),
        "spiral, 24, 24 and 2 hidden units": (wound, *arms),
    }
    for (title, case), axes in zip(cases.items(), figure.subplots(2, 2).flat):
        plots.decision_boundary(*case, axes)
        axes.set_title(title, pad=24, fontsize=11)
    page.add("boundaries", axes)
    page.add("folds_xor", plots.folds(small, *corners)[0])
    page.add("folds_moons", plots.folds(bent, *two_moons, after=(0, 2, 4))[0])
    page.add("folds_spiral", plots.folds(wound, *arms, after=(0, 2, 4, 6))[0])


# --- digits ----------------------------------------------------------------------------------------------------------


def digits(page: Page, quick: bool) -> None:
    """The lecture's network on MNIST; two deep stacks on a part of it."""
    (x, t), (x_test, t_test) = tinynn.datasets.load_mnist()
    deep(page, x[:2000], t[:2000], hidden=3 if quick else 5, epochs=3 if quick else 12)
    if quick:
        x, t, x_test, t_test = x[:3000], t[:3000], x_test[:1000], t_test[:1000]
    model = layered(784, 256, 10, activation=ReLU, backend="numpy" if quick else None)
    model[0].W *= 0.1  # from small weights, so that what is learned stands out
    start = model[0].W.copy()
    history = model.fit(
        x, t, loss=SoftmaxCrossEntropy(), optimizer=Adam(model, lr=1e-3), epochs=3 if quick else 5, seed=0,
        batch_size=50 if quick else 256, validation_data=(x_test, t_test), progress=False,
    )  # fmt: skip
    predicted = model.predict(x_test).argmax(axis=1)
    wrong = np.flatnonzero(predicted != t_test)

    ink = np.flatnonzero(x.mean(axis=0) > 0.35)  # the pixels that most digits cross
    page.add("digits_network", plots.network(model, inputs=ink[np.linspace(0, len(ink) - 1, 10).astype(int)].tolist()))
    page.add("learning_curves", plots.learning_curves(history, names=("training", "test"))[0])
    changed = np.linalg.norm(model[0].W - start, axis=0).argsort()[::-1][:64]
    most = Affine(784, 64)
    most.W = model[0].W[:, changed]
    most.build()
    axes = plots.first_layer_weights(most)
    axes.set_title("Weights into the 64 of 256 hidden units that changed most")
    page.add("first_layer_weights", axes)
    convolutions(page, x[:1500], t[:1500], x_test[0])
    page.add("confusion_matrix", plots.confusion_matrix(predicted, t_test))
    rows = wrong[:32]
    axes = plots.predictions(x_test[rows], predicted[rows], t_test[rows])
    axes.set_title(f"The first {len(rows)} of {len(wrong):,} mistakes with {len(t_test):,} test images")
    page.add("mistakes", axes)


def convolutions(page: Page, x: np.ndarray, t: np.ndarray, image: np.ndarray) -> None:
    """A small residual network on a part of MNIST, and a digit that it has not seen."""

    def block() -> Residual:
        return Residual(Conv2D(8, 8, 3, padding=1), BatchNorm(8), ReLU(), Conv2D(8, 8, 3, padding=1), BatchNorm(8))

    model = Sequential(
        Conv2D(1, 8, 5, padding=2), BatchNorm(8), ReLU(), block(), ReLU(), MaxPool2D(2), block(), ReLU(), MaxPool2D(2),
        Flatten(), Affine(392, 10), shape=(28, 28, 1), seed=0,
    )  # fmt: skip
    model.fit(
        x.reshape(-1, 28, 28, 1), t, loss=SoftmaxCrossEntropy(), optimizer=Adam(model, lr=3e-3), epochs=2,
        batch_size=32, seed=0, progress=False,
    )  # fmt: skip
    page.add("filters", plots.filters(model))
    page.add("feature_maps", plots.feature_maps(model, image.reshape(28, 28, 1))[0])


def deep(page: Page, x: np.ndarray, t: np.ndarray, hidden: int, epochs: int) -> None:
    """Two deep stacks: sigmoids, whose gradients vanish, and ReLUs."""
    recorders = {}
    for name, activation, init in (("Sigmoid", Sigmoid, "xavier_normal"), ("ReLU", ReLU, "kaiming_normal")):
        model = layered(784, *[40] * hidden, 10, activation=activation, weight_init=init)
        recorders[name] = plots.Histograms()
        model.fit(
            x, t, loss=SoftmaxCrossEntropy(), optimizer=SGD(model, lr=0.05), epochs=epochs, batch_size=100,
            callbacks=[recorders[name]], seed=0, progress=False,
        )  # fmt: skip
    page.add("gradients", spreads(recorders, "dW", range(1, 2 * hidden + 2, 2)))
    page.add("outputs", spreads(recorders, "y", range(2, 2 * hidden + 1, 2)))


def spreads(recorders: dict[str, plots.Histograms], what: str, layers: Sequence[int]) -> Any:
    """Histograms of the stacks, one above the other; those of gradients on one scale."""
    figure = Figure(figsize=(7, 5.6), layout="constrained")
    rows = figure.subplots(2, len(layers), sharex=True, sharey=True if what == "dW" else "row")
    limits: list[float] = []
    for row, (name, recorder) in zip(rows, recorders.items()):
        panels = plots.histograms(recorder, what, layers, row)
        panels[0].set_ylabel(f"{name}\n{panels[0].get_ylabel()}")
        limits += panels[0].get_ylim()
    for axes in rows[0]:
        axes.set_xlabel("")
    if what == "dW":
        axes.set_ylim(min(limits), max(limits))
    return axes


# --- slopes, steps, checks, lines ------------------------------------------------------------------------------------


def steps(page: Page) -> None:
    """Three optimizers on the loss of one unit, of one weight and one bias."""
    rng = np.random.default_rng(1)
    x = rng.uniform(1, 3, (30, 1))
    t = 1.5 * x - 1 + rng.normal(0, 0.1, x.shape)
    unit, loss = Sequential(Affine(1, 1), dtype="float64", backend="numpy"), MSE()

    def surface(w: np.ndarray) -> tuple[float, np.ndarray]:
        unit.params = w
        value = loss.forward(unit.forward(x), t)
        unit.backward(loss.backward())
        return value, unit.grads

    optimizers = {
        "SGD": lambda model: SGD(model, lr=0.16),
        "SGD, momentum 0.9": lambda model: SGD(model, lr=0.02, momentum=0.9),
        "Adam": lambda model: Adam(model, lr=0.2),
    }
    axes = plots.paths(surface, optimizers, np.array([-0.5, 1.0]), steps=100)
    axes.set(xlabel="weight W", ylabel="bias b")
    page.add("paths", axes)


def sweep(page: Page) -> None:
    """A gradient check at many step sizes: of a right gradient, of a wrong one, and beside a kink."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
    loss, h = MSE(), 10 ** np.arange(-12, -0.5, 0.5)
    smooth = layered(3, 5, 2, activation=Tanh, dtype="float64")
    kinked = layered(3, 5, 2, activation=ReLU, dtype="float64")
    kinked[0].b[0] += 1e-4 - kinked[0](x)[0, 0]  # now this unit is 1e-4 from its kink in the first row

    def errors(model: Sequential, factor: float = 1.0) -> np.ndarray:
        """How far the slope in a random direction, by central differences, is from the gradient's times a factor."""
        start, direction = model.params.copy(), rng.normal(size=model.params.shape)
        direction /= np.linalg.norm(direction)
        loss.forward(model.forward(x), t)
        model.backward(loss.backward())
        slope = factor * (direction @ model.grads)
        measured = []
        for step in h:
            model.params = start + step * direction
            above = loss(model(x), t)
            model.params = start - step * direction
            measured.append((above - loss(model(x), t)) / (2 * step))
        model.params = start
        return abs(np.array(measured) - slope) / abs(slope)

    curves = {
        "right gradient": (h, errors(smooth)),
        "wrong by a factor of 1 + 1e-4": (h, errors(smooth, 1 + 1e-4)),
        "right, beside a kink of ReLU": (h, errors(kinked)),
    }
    page.add("check_sweep", plots.check_sweep(curves))


def line(page: Page) -> None:
    """The least squares through NIST's Norris data."""
    x, t = tinynn.datasets.load_norris()
    design = np.hstack([x, np.ones_like(x)])
    best, *_ = np.linalg.lstsq(design, t)
    page.add("line", plots.line_fit(x, t, {"least squares": design @ best})[0])


@stoppable
def main(argv: list[str] | None = None) -> int:
    options = parser("Draw all pictures, with a page that shows them.", pictures=False)
    add, default = options.add_argument, Path("output/gallery")
    add("--output", type=Path, default=default, metavar="DIR", help="where page and pictures go (%(default)s)")
    add("--quick", action="store_true", help="train less, to see that it works")
    args = options.parse_args(argv)
    make_directory(options, args.output)

    page = Page(args.output)
    page.add("activations", plots.activations([Sigmoid(), Tanh(), ReLU()])[0])
    plane(page, args.quick)
    digits(page, args.quick)
    steps(page)
    sweep(page)
    line(page)
    page.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
