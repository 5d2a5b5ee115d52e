"""The pictures in README: the worksheet's page walking through a step, and a network that reads digits.

    python examples/readme_pictures.py
    python examples/readme_pictures.py --output pictures --quick    (few frames and images, to see that it works)

walk.gif shows the real page, photographed in Chromium after each number; digits.png shows a training like that of
examples/mnist_mlp.py.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import make_directory, parser, stoppable
from PIL import Image  # matplotlib needs it, too

import tinynn
from tinynn import MSE, SGD, Adam, Affine, ReLU, Sequential, SoftmaxCrossEntropy, Tanh, plots

HERE = Path(__file__).parent / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIZE = (1020, 680)  # of the page, in pixels
COLOURS = 48


def walk(path: Path, browser: str, quick: bool) -> None:
    """The page of one step of a network for XOR, number by number, as an animation."""
    model = Sequential(Affine(2, 2), Tanh(), Affine(2, 1), seed=1, dtype="float64", backend="numpy")
    sheet = tinynn.explain(model, np.array([[1.0, 0.0]]), np.array([[1.0]]), MSE(), SGD(model, lr=0.1))
    places, count = [0], 0
    for step in sheet.steps[1:]:  # each number, but of the update only the first one of each array
        lengths = [len(quantity.lines) for quantity in step.quantities]
        for length in lengths:
            places += [count + 1] if step.phase == "update" else range(count + 1, count + length + 1)
            count += length
    frames = photographs(sheet, places[:3] if quick else places, browser)
    milliseconds = [1500, *[1000] * (len(frames) - 2), 3000]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0)
    print(f"saved {path}")


def photographs(sheet: Any, places: Sequence[int], browser: str) -> list[Image.Image]:
    """The page after its first so many numbers, for each of the places: all in one picture, which is cut."""
    width, height = SIZE
    frame = (
        f'<iframe style="display:block;border:0;width:{width}px;height:{height}px" src="page.html#number-%d"></iframe>'
    )
    with tempfile.TemporaryDirectory() as directory:
        sheet.to_html(Path(directory) / "page.html")
        whole, picture = Path(directory) / "whole.html", Path(directory) / "whole.png"
        whole.write_text('<body style="margin:0">' + "".join(frame % place for place in places), encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={directory}"]
        size = f"--window-size={width},{height * len(places)}"
        subprocess.run(
            [browser, *options, size, f"--screenshot={picture}", whole.as_uri()], check=True, capture_output=True
        )
        strip = Image.open(picture).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    return [strip.crop((0, k * height, width, (k + 1) * height)) for k in range(len(places))]


def digits(path: Path, quick: bool) -> None:
    """Learning curves of the network in README on MNIST, and some test images with what it reads."""
    (x, t), (x_test, t_test) = tinynn.datasets.load_mnist()
    if quick:
        x, t, x_test, t_test = x[:2000], t[:2000], x_test[:500], t_test[:500]
    model = Sequential(Affine(784, 256), ReLU(), Affine(256, 10), seed=0, backend="numpy" if quick else None)
    history = model.fit(
        x, t, loss=SoftmaxCrossEntropy(), optimizer=Adam(model, lr=1e-3), epochs=2 if quick else 10, batch_size=256,
        validation_data=(x_test, t_test), seed=0, progress=False,
    )  # fmt: skip
    read = model.predict(x_test).argmax(axis=1)
    mistakes = np.flatnonzero(read != t_test)
    rows = np.concatenate([np.arange(16), mistakes[mistakes >= 16][:8]])
    axes = plots.predictions(x_test[rows], read[rows], t_test[rows], count=len(rows))
    axes.set_title(f"The first test images, and 8 of the {len(mistakes):,} mistakes with {len(x_test):,}")
    beside(path, [plots.learning_curves(history, names=("training", "test"))[0], axes])


def beside(path: Path, all_axes: Sequence, height: int = 420) -> None:
    """Pictures in one, side by side."""
    pictures = []
    for axes in all_axes:
        buffer = io.BytesIO()
        axes.figure.savefig(buffer, dpi=150)
        picture = Image.open(buffer).convert("RGB")
        pictures.append(picture.resize((round(picture.width * height / picture.height), height)))
    strip = Image.new("RGB", (sum(picture.width for picture in pictures), height), "white")
    left = 0
    for picture in pictures:
        strip.paste(picture, (left, 0))
        left += picture.width
    strip.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"saved {path}")


@stoppable
def main(argv: list[str] | None = None) -> int:
    options = parser("Make the pictures that README shows.", pictures=False)
    add = options.add_argument
    add("--output", type=Path, default=HERE, metavar="DIR", help="where the pictures go (%(default)s)")
    add("--quick", action="store_true", help="few frames and images, to see that it works")
    args = options.parse_args(argv)
    make_directory(options, args.output)
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        options.error(f"this needs one of {', '.join(BROWSERS)} (Debian: apt install chromium)")
    digits(args.output / "digits.png", args.quick)
    walk(args.output / "walk.gif", browser, args.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
