"""What the lessons share: a script's options, sentences, pictures and checks, in a notebook as well.

quick = lesson.start("Lesson 1: data, model, loss, algorithm")
lesson.say(f"After {steps} steps the loss is {value:.3f}.")    a paragraph, 80 columns wide
lesson.show(axes, "descent")                                   saved by a script, shown in a notebook
lesson.verdict(tinynn.check(model, x, t, loss))                printed, a line for each gradient
"""

import argparse
import io
import os
import sys
import textwrap
from pathlib import Path

IN_NOTEBOOK = "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None
directory = Path()  # of the pictures; set by start


def start(title):
    """Read a script's options, print its title. Whether the lesson shall train less: --quick, or TINYNN_QUICK=1."""
    global directory
    quick = os.environ.get("TINYNN_QUICK", "0") not in ("", "0")
    if IN_NOTEBOOK:
        return quick
    options = argparse.ArgumentParser(description=title)
    directory = Path("output", "lessons", Path(sys.argv[0]).name[:2])
    options.add_argument("--output", type=Path, default=directory, metavar="DIR", help="of the pictures (%(default)s)")
    options.add_argument("--quick", action="store_true", help="train less, to see that it works")
    args = options.parse_args()
    directory = args.output
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        options.error(f"argument --output: cannot make the directory {directory}: {error.strerror}")
    print(f"{title}\n{'=' * len(title)}")
    return quick or args.quick


def say(text):
    print("\n" + textwrap.fill(" ".join(text.split()), 80))


def show(axes, name):
    if not IN_NOTEBOOK:
        axes.figure.savefig(directory / f"{name}.png", dpi=150)
        print(f"\npicture {directory / name}.png")
        return
    from IPython.display import Image, display

    png = io.BytesIO()
    axes.figure.savefig(png, format="png", dpi=100)
    display(Image(png.getvalue()))


def pause(text):
    """Say this, and wait for Enter where a person sits at the terminal."""
    waits = not IN_NOTEBOOK and sys.stdin.isatty()
    say(text + " (Enter goes on.)" * waits)
    if waits:
        sys.stdin.readline()


def verdict(report):
    title = report.title if len(report.title) < 73 else report.title[:69] + "..."
    say(f"{title}: {'right' if report else 'wrong'}")
    for row in report.rows:
        print(f"  {row.where[:43]:<43}  {row.tensor:<4} {row.verdict:<6} relative error {row.error:.0e}")
