"""The gallery's words, and the page that shows them below their pictures."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any

from common import save

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
