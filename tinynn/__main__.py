"""python -m tinynn check FILE.py[:NAME], python -m tinynn check FOLDER, python -m tinynn lessons

The first two check the gradients of what a file, or each file of a folder, defines. The exit status is 0 where all is
right, 1 where one thing is wrong, 2 where one could not be judged. The last says where the lessons are, and how they
are run.
"""

from __future__ import annotations

import argparse
import sys

from tinynn.teach import lessons
from tinynn.teach.checking.files import command


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser("python -m tinynn", description="tinynn from the command line")
    commands = parser.add_subparsers(dest="command", required=True)
    command.add_to(commands)
    commands.add_parser("lessons", help="say where the lessons are, and how they are run")
    options, more = parser.parse_known_args(argv)
    if more:
        hint = ": check takes one file, or the folder that they are in" if more[0].endswith(".py") else ""
        parser.error(f"unrecognized arguments: {' '.join(more)}{hint}")
    try:
        return show_lessons() if options.command == "lessons" else command.run(options)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def show_lessons() -> int:
    """Print where the lessons are."""
    try:
        print(lessons.contents())
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
