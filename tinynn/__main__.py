"""python -m tinynn check FILE.py[:NAME], python -m tinynn lessons

The first checks the gradients of a model, layer, loss or optimizer that a file defines, or of all that it defines. The
exit status is 0 where all are right, 1 where one is wrong, 2 where one, or a class beside them, could not be judged.
The second says where the lessons are, and how they are run.
"""

from __future__ import annotations

import argparse
import os
import sys

from tinynn.teach import lessons
from tinynn.teach.checking.files.loading import Slip, load
from tinynn.teach.checking.files.reports import check

USAGE = """NAME is a layer, loss, model or optimizer, or a class of one, or a function: affine_forward, to which
affine_backward belongs, or forward_propagation over a dict of parameters. Without NAME, all of these in the file are
checked. A class is made with no arguments, or with the sizes 5, 4 and 3. What the file calls x, t, y, loss and as the
arguments of its functions is used; what it does not define is drawn: 7 rows of normal numbers, and targets."""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser("python -m tinynn", description="tinynn from the command line")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("check", help="check the gradients of what a file defines", epilog=USAGE)
    command.add_argument("target", metavar="FILE.py[:NAME]")
    command.add_argument("--seed", type=seed_of, default=0, help="of the numbers that are drawn, 0 or more (0)")
    commands.add_parser("lessons", help="say where the lessons are, and how they are run")
    options = parser.parse_args(argv)
    if options.command == "lessons":
        return show_lessons()
    statuses = []
    try:
        names, chosen = load(options.target)
        for name in chosen:
            try:
                report = check(names, name, options.seed, len(chosen) == 1)
            except Slip as slip:
                print(slip, file=sys.stderr)
                statuses.append(2)
                continue
            print(*[""] * bool(statuses), report, sep="\n", flush=True)
            statuses.append(0 if report else 2 if report.code == "not-judged" else 1)
    except Slip as slip:
        print(slip, file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader has had enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1 if 1 in statuses else max(statuses, default=0)


def show_lessons() -> int:
    """Print where the lessons are."""
    try:
        print(lessons.contents())
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def seed_of(text: str) -> int:
    """A seed, from its text. Raises ArgumentTypeError."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"seed must be a whole number, 0 or more, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
