"""What the examples share and what is not their lesson: options, files, Ctrl-C."""

from __future__ import annotations

import argparse
import functools
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def whole(least: int) -> Callable[[str], int]:
    """The argparse type of whole numbers of `least` or more."""

    def parse_whole(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"must be a whole number, {least} or more, not {text!r}")
        return value

    return parse_whole


def positive(text: str) -> float:
    """The argparse type of finite numbers above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return value


def parser(description: str, pictures: bool = True) -> argparse.ArgumentParser:
    """A parser, with the options that the examples with pictures have in common."""
    options = argparse.ArgumentParser(description=description, usage="%(prog)s [options]")
    if pictures:
        options.add_argument(
            "--output", type=Path, default=Path("output"), metavar="DIR", help="where the pictures go (%(default)s)"
        )
        options.add_argument("--no-plot", action="store_true", help="make no pictures")
    return options


def make_directory(options: argparse.ArgumentParser, directory: Path) -> None:
    """The directory, made where it is not there; ends with a sentence where no picture could be written to it."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except (FileExistsError, NotADirectoryError):
        options.error(f"argument --output: must be a directory, but a file is in the way of {directory}")
    except OSError as error:
        options.error(f"argument --output: cannot write to {directory}: {error.strerror}")


def save(directory: Path, name: str, axes: Any) -> None:
    """Write the picture that the axes are in, and say where."""
    path = directory / f"{name}.png"
    axes.figure.savefig(path, dpi=150)
    print(f"saved {path}")


def stoppable(main: Callable[..., int]) -> Callable[..., int]:
    """`main`, but Ctrl-C ends it with a sentence in place of a traceback."""

    @functools.wraps(main)
    def stopping(argv: list[str] | None = None) -> int:
        try:
            return main(argv)
        except KeyboardInterrupt:
            print("\nStopped.", file=sys.stderr)
            return 130  # what shells expect after Ctrl-C

    return stopping
