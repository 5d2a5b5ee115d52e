"""All pictures that tinynn draws, on a page that says what to look for in each.

    python examples/gallery.py
    python examples/gallery.py --output pictures
    python examples/gallery.py --quick               (trains less, to see that it works)

Everything is computed here and now: networks are trained, slopes measured, steps taken. The page, index.html, holds its
pictures itself and needs no network; the same pictures lie beside it as PNG files. The words come first in this file.
"""

from __future__ import annotations

import base64
import html
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import make_directory, parser, save, stoppable
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

# --- words: name -> (title, what to look for, what is to be seen) ----------------------------------------------------

WORDS = {
    "activations": (
        "Activations and their derivatives",
        "On the way back, each layer multiplies the gradient by the dashed line. The sigmoid's slope is never above "
        "1/4, and both curved ones are flat far from 0; ReLU's is 1 where the unit is on and 0 elsewhere.",
        "Three panels, Sigmoid, Tanh and ReLU: a solid line for the value, a dashed one for the slope, on one scale.",
    ),
    "network": (
        "A network: two inputs, two hidden units, one output",
        "The wider a line, the larger the weight; solid lines excite, dashed ones inhibit. This network has learned "
        "XOR: its hidden units look for the two edges of one strip, and the output adds them up.",
        "Circles in three columns: 2 inputs, 2 units marked Tanh, 1 output. The lines between them have different "
        "widths, are solid or dashed by the weight's sign, and carry its value.",
    ),
    "boundaries": (
        "Decision boundaries: XOR, moons, spiral",
        "Without a hidden layer the answer to XOR is one half everywhere: no straight line separates the two classes. "
        "Each hidden unit adds a bend; enough of them follow a spiral. Away from the points the boundary is a "
        "guess.",
        "Four planes with points of two classes, circles and squares. The first has one pale colour all over. In "
        "the second a band between two lines holds the circles. In the third a boundary runs between two half "
        "moons; in the fourth one winds between the arms of a spiral.",
    ),
    "folds_xor": (
        "How two hidden units fold the plane: XOR",
        "Follow the four points from left to right. The affine layer only stretches and slants the grid; Tanh bends "
        "it. The black line is where the network is undecided. On the left it takes two lines to separate circles from "
        "squares; once the grid is bent, a straight one is enough.",
        "Three panels with a grid and four points. On the left the grid is square, and two black lines separate "
        "circles from squares. In the middle it is a slanted parallelogram. On the right it is bent round a corner, "
        "and one straight line separates circles from squares.",
    ),
    "folds_moons": (
        "How hidden layers fold the plane: moons",
        "Eight units cannot be drawn: the middle panel shows the plane in which they differ most, and the share of "
        "the variance in each of its directions. In the two units of the last hidden layer a straight line separates "
        "the moons.",
        "Three panels with a grid and two half moons of points. On the left a curve runs between them. In the "
        "middle the grid is warped. On the right a straight line runs between the two classes.",
    ),
    "folds_spiral": (
        "How hidden layers fold the plane: spiral",
        "Layer by layer the arms are pulled apart, until a straight line separates them. Where lines of the grid lie "
        "far apart, neighbouring points have been moved far apart.",
        "Four panels with a grid and a spiral of two arms. At the top left a black line winds between the arms. In "
        "the next two the grid is warped more and more. At the bottom right the classes lie in different corners, "
        "with a straight line between them.",
    ),
    "digits_network": (
        "The lecture's network: 784 inputs, 256 hidden units, 10 outputs",
        "Of large layers only some units are shown: of the 784 pixels, ten in the middle of the image, where digits "
        "have ink. Wide lines are where the network has learned that a pixel, or a hidden unit, says much.",
        "Circles in three columns, with dots in the middle of the first two for the units left out: 784 inputs, 256 "
        "units marked ReLU, 10 outputs. Very many lines of different widths between them.",
    ),
    "learning_curves": (
        "Learning curves",
        "Fast at first, then slowly. Where the training curve goes on but the test curve has stopped, the network "
        "learns its training images by heart.",
        "Two panels, loss and accuracy by epoch, each with a solid curve for training and a dashed one for test "
        "images. The losses fall, the accuracies rise.",
    ),
    "first_layer_weights": (
        "What the first hidden units look for",
        "Each tile holds the weights of one hidden unit, laid out like the image: ink on light pixels excites the "
        "unit, ink on dark ones inhibits it. These are the 64 units whose weights have changed most. The even rim is "
        "where no digit has ink, so that nothing was learned.",
        "64 tiles in a square, each grey with light and dark strokes in its middle.",
    ),
    "filters": (
        "What convolutions look for",
        "Each tile is one kernel of 5 x 5 weights, which slides over the whole image. Look for edges: a light side "
        "and a dark side, in one direction or another.",
        "Eight small squares of 5 x 5 patches in grey, light and dark, with a colour bar for the weight.",
    ),
    "feature_maps": (
        "A digit on its way through a ResNet",
        "Each row is what one layer of a ResNet makes of the digit, channel by channel. The convolution finds edges, "
        "which BatchNorm brings to one scale, and ReLU drops what is negative. Each residual block adds something to "
        "what it was given, so the digit can still be seen after it; pooling halves the image.",
        "Rows of small grey images of a 7: the digit itself, its edges in eight channels, the same with a black "
        "background, and coarser ones below, in which the strokes of the 7 stay visible.",
    ),
    "confusion_matrix": (
        "Which digits are taken for which",
        "Rows are what the digits are, columns what the network says; the diagonal is right. Look for the largest "
        "numbers beside it: which digits look alike?",
        "A table of ten by ten counts with a dark diagonal, and small numbers on pale cells beside it.",
    ),
    "mistakes": (
        "Wrong predictions",
        "Above each image stands what the network has read, and what the digit is. Would you have known?",
        "Handwritten digits in frames, each with words above it, such as: read 5, is 6.",
    ),
    "gradients": (
        "Vanishing gradients: the size of dW, layer by layer",
        "Panels are layers, from the first to the last; columns are epochs. In the upper row, of sigmoids, "
        "gradients shrink in each layer on the way back from right to left: the first layers hardly learn. In the "
        "lower row, of ReLUs with Kaiming weights, all layers get gradients of much the same size.",
        "Two rows of panels with bands that show the size of the gradients on a logarithmic scale. In the upper "
        "row they climb from left to right like stairs, by several powers of ten; in the lower row they are nearly "
        "level.",
    ),
    "outputs": (
        "What the activations give, layer by layer",
        "Deep in the stack of sigmoids the bands fall into stripes: each unit gives nearly the same whatever the "
        "image is. The ReLUs' outputs keep telling images apart; many are 0, the dark line at the bottom.",
        "Two rows of panels with bands that show the outputs by epoch. In the upper row, around 1/2, they are "
        "smooth in the first panel and level stripes in the last; in the lower row they reach up from a dark line "
        "at 0.",
    ),
    "paths": (
        "Three optimizers on one loss",
        "The loss of a single unit, a narrow valley. SGD jumps from side to side and creeps along the valley's "
        "floor; momentum swings, and adds up what the steps agree on; Adam goes about as far in both directions at "
        "each step.",
        "Contours of a long narrow valley, and three paths from one start to its floor: one zigzags across the "
        "valley, one swings along it in wide curves, one begins with even steps at a slant.",
    ),
    "check_sweep": (
        "When to believe a gradient check",
        "A right gradient makes a V: right of its point the step is too long for a slope, left of it rounding takes "
        "over. A bug is a plateau: no step gets below it. A cliff is no bug: there the step is long enough to cross "
        "a kink, and shorter steps agree.",
        "The error of a gradient check against the step size, on logarithmic scales. One curve is a V with its "
        "point near 1e-5, one comes down to a plateau at 1e-4, one falls down a cliff as the step gets shorter.",
    ),
    "line": (
        "A line through points",
        "Above, all good lines look perfect. Below is what the line misses, on a scale of its own: it should have "
        "no pattern.",
        "Above, circles on a straight line. Below, how far each is from the line, scattered around 0.",
    ),
}

# --- the page --------------------------------------------------------------------------------------------------------

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pictures of neural networks</title>
<style>
:root {{ color-scheme: light dark; --ink: #1a1a1a; --paper: #ffffff; --link: #005a8f; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6e6e6; --paper: #16181b; --link: #7cc4f0; }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; padding: 1rem; max-width: 46rem; font: 1rem/1.5 system-ui, sans-serif;
       color: var(--ink); background: var(--paper); }}
h1 {{ font-size: 1.6rem; line-height: 1.2; }}
h2 {{ font-size: 1.2rem; line-height: 1.3; margin: 2.5rem 0 0.5rem; }}
a {{ color: var(--link); }}
ol {{ columns: 2 15rem; column-gap: 2rem; padding-left: 1.5rem; }}
figure {{ margin: 0; }}
img {{ display: block; max-width: 100%; height: auto; background: white; border-radius: 4px; }}
figcaption {{ margin-top: 0.5rem; }}
</style>
</head>
<body>
<h1>Pictures of neural networks</h1>
<p>All computed by tinynn's own layers, losses and optimizers. Below each picture stands what to look for; a click shows
it alone. Where colours say something, line styles, markers or numbers say it, too.</p>
<nav><ol>
{contents}
</ol></nav>
<main>
{sections}
</main>
</body>
</html>
"""
SECTION = """<section id="{name}">
<h2>{title}</h2>
<figure>
<a href="{name}.png"><img src="data:image/png;base64,{data}" width="{width}" alt="{alt}"></a>
<figcaption>{look}</figcaption>
</figure>
</section>"""


class Page:
    """A directory of pictures, and the page that shows them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sections: dict[str, str] = {}

    def add(self, name: str, axes: Any) -> None:
        """Save the picture that the axes are in, and put it on the page with its words."""
        save(self.directory, name, axes)
        data = base64.b64encode((self.directory / f"{name}.png").read_bytes()).decode()
        title, look, alt = map(html.escape, WORDS[name])
        width = round(96 * axes.figure.get_figwidth())  # CSS's pixels, of which an inch has 96
        self.sections[name] = SECTION.format(name=name, title=title, data=data, width=width, alt=alt, look=look)

    def write(self) -> None:
        """Write index.html, with the pictures in the order of their words."""
        names = [name for name in WORDS if name in self.sections]
        contents = "\n".join(f'<li><a href="#{name}">{html.escape(WORDS[name][0])}</a></li>' for name in names)
        text = PAGE.format(contents=contents, sections="\n".join(self.sections[name] for name in names))
        path = self.directory / "index.html"
        path.write_text(text, encoding="utf-8")
        print(f"saved {path}")


# --- networks of two inputs ------------------------------------------------------------------------------------------


def xor() -> tuple[np.ndarray, np.ndarray]:
    """The four corners of a square, (4, 2), and whether their coordinates differ, (4, 1)."""
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float32")
    return x, np.array([[0], [1], [1], [0]], dtype="float32")


def moons(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles that reach into each other, with some noise: x (2n, 2), labels (2n,)."""
    angle = rng.uniform(0, np.pi, (2, n))
    upper = np.stack([np.cos(angle[0]), np.sin(angle[0])], axis=1)
    lower = np.stack([1 - np.cos(angle[1]), 0.5 - np.sin(angle[1])], axis=1)
    x = np.concatenate([upper, lower]) + rng.normal(0, 0.12, (2 * n, 2))
    return x.astype("float32"), np.repeat([0, 1], n)


def spiral(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two arms that wind around each other, one and a half turns: x (2n, 2), labels (2n,)."""
    radius = 2 * np.sqrt(rng.uniform(0.02, 1, (2, n)))
    angle = 1.5 * np.pi * radius + np.array([[0], [np.pi]])
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(2 * n, 2)
    return (x + rng.normal(0, 0.04, x.shape)).astype("float32"), np.repeat([0, 1], n)


def layered(*widths: int, activation: Any, weight_init: str = "kaiming_normal", **options: Any) -> Sequential:
    """Affine maps with activations between them."""
    layers: list[tinynn.Layer] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [Affine(n_in, n_out, weight_init), activation()]
    return Sequential(*layers[:-1], **{"backend": "numpy", "seed": 0, **options})


def trained(model: Sequential, x: np.ndarray, t: np.ndarray, epochs: int) -> Sequential:
    """The model after so many epochs of Adam: for labels with their scores, else with the square error."""
    loss, lr = (SoftmaxCrossEntropy(), 0.01) if t.ndim == 1 else (MSE(), 0.05)
    model.fit(x, t, loss=loss, optimizer=Adam(model, lr=lr), epochs=epochs, batch_size=50, seed=0, progress=False)
    return model


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
