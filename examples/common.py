"""What the examples share and what is not their lesson: options and files."""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def whole(least: int) -> Callable[[str], int]:
    """The argparse type of whole numbers of `least` or more."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"must be a whole number, {least} or more, not {text!r}")
        return value

    return parse


def positive(text: str) -> float:
    """The argparse type of finite numbers above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return value


def parser(description: str) -> argparse.ArgumentParser:
    """A parser with what the examples with pictures have in common."""
    result = argparse.ArgumentParser(
        description=description, usage="%(prog)s [options]", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    result.add_argument("--output", type=Path, default=Path("output"), metavar="DIR", help="where pictures go")
    result.add_argument("--no-plot", action="store_true", help="make no pictures")
    return result


def parse(options: argparse.ArgumentParser, argv: list[str] | None) -> argparse.Namespace:
    """The options; leaves with a sentence where one is wrong, or where pictures could not be written later."""
    args = options.parse_args(argv)
    if not args.no_plot:
        try:
            args.output.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=args.output).close()
        except (FileExistsError, NotADirectoryError):
            options.error(f"argument --output: must be a directory, but {args.output} is, or lies below, a file")
        except OSError as error:
            options.error(f"argument --output: cannot write to {args.output}: {error.strerror}")
    return args


def save(directory: Path, name: str, axes: Any) -> None:
    """Write the picture that the axes are in, and say where."""
    path = directory / f"{name}.png"
    axes.figure.savefig(path, dpi=150)
    print(f"saved {path}")


def run(main: Callable[[], int]) -> None:
    """Call main and leave with its exit status; Ctrl-C ends it with a sentence, and a closed pipe without one."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nStopped by Ctrl-C; nothing was saved.", file=sys.stderr)
        sys.exit(130)
