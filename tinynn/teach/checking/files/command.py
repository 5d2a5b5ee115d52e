"""The command `python -m tinynn check`: its options, files and folders, and the exit status."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from . import printing
from .loading import Slip, path_and_name
from .processes import judged
from .verdicts import Judged, Verdict

USAGE = """
This runs the code of the files, each in a process of its own, with your
rights: do not give it code that may be malicious. What a file prints goes to
stderr, and nowhere in a folder; it has no keyboard and opens no window.

NAME is a layer, loss, model or optimizer, or a class of one, or a function:
affine_forward, to which affine_backward belongs, or forward_propagation over
a dict of parameters. Without NAME all of these in the file are checked, and
of training loops the order of their lines: each makes a few steps.
A class is made with no arguments, or with the sizes 5, 4 and 3. What the file
calls x, t, y, loss and as the arguments of its functions is used; what it
does not define is drawn: 7 rows of normal numbers, and targets.

exit status
  0  right: all that was to be checked was looked at, and is right
  1  wrong: at least one thing is
  2  not judged: nothing is wrong, and at least one thing could not be judged,
     ran too long, is missing, or was not looked at; also wrong options

points
  --points Affine=4,ReLU=2 checks these names and no others. What is right,
  also with a warning, has all its points, what is wrong has none. What is not
  judged has "?": its points are open, and a person decides.

json
  {"schema": 1, "tinynn": version, "status", "files": [{"file", "verdict",
  "status", "points", "possible", "checked": [{"name", "kind", "verdict",
  "code", "sentence", "fix", "line", "warning", "points", "possible",
  "report"}], "aside"}]}
  verdict is "right", "wrong" or "not judged"; code is "ok" or the name of
  what is wrong; line is that of the mistake where it is known, else that of
  the definition; aside has sentences on what needs no check. What is not
  known is null. Of a file that does not run, and of which no names are asked
  for, the one entry has the name "".
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `check` to the command line."""
    command = commands.add_parser(
        "check", help="check the gradients of what a file defines, or the files of a folder", epilog=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    command.add_argument("target", metavar="FILE.py[:NAME] | FOLDER", help="what to check")
    command.add_argument(
        "--points", type=points_of, default={}, help="NAME=4,NAME=2: what is asked for, and its points"
    )
    command.add_argument(
        "--timeout", type=seconds, default=60.0, metavar="S",
        help="seconds for each thing that is checked, and for loading the file (60); 0: no limit, and no process "
        "of its own, so that breakpoint() works",
    )  # fmt: skip
    command.add_argument("--strict", action="store_true", help="a loss that fails for scores of 1,000 is wrong")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument("--seed", type=seed_of, default=0, help="of the numbers that are drawn, 0 or more (0)")


def seed_of(text: str) -> int:
    """A seed, from its text. Raises ArgumentTypeError."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"seed must be a whole number, 0 or more, not {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """A time limit, from its text. Raises ArgumentTypeError."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1e6:
        raise argparse.ArgumentTypeError(f"timeout must be a number of seconds, 0 or more, not {text!r}")
    return found


def points_of(text: str) -> dict[str, float]:
    """Names with their points, from "Affine=4,ReLU"; 1 where none are given. Raises ArgumentTypeError."""
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        try:
            value = float(number or 1)
        except ValueError:
            value = -1.0
        if not name.isidentifier() or not 0 <= value < 1e6 or name in found:
            raise argparse.ArgumentTypeError(f"points must be NAME=NUMBER,NAME=NUMBER, each name once, not {text!r}")
        found[name] = value
    return found


def run(options: argparse.Namespace) -> int:
    """Check a file, or each file of a folder; the exit status."""
    folder = os.path.isdir(options.target) and not options.target.endswith(".py")
    try:
        files, name, others = files_in(options.target) if folder else one_file(options.target, bool(options.points))
    except Slip as slip:
        print(slip, file=sys.stderr)
        return 2
    asked = list(options.points) or ([name] if name else [])
    aside = sys.stderr if options.json else sys.stdout  # of a file that runs in this process
    with contextlib.redirect_stdout(aside):
        found = [one(path, asked, options, folder) for path in (behind_a_bar(files) if folder else files)]
    try:
        if options.json:
            print(printing.as_json(found))
        elif folder:
            print(printing.as_table(options.target, found, asked, others))
        else:
            print(printing.as_reports(found[0]))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has had enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return printing.status_of(found)


def behind_a_bar(files: list[str]) -> Iterator[str]:
    """The files, with a progress bar at a terminal where tqdm is installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        yield from files
        return
    with tqdm(files, disable=None, leave=False) as bar:
        for path in bar:
            bar.set_postfix_str(os.path.basename(path))
            yield path


def one(path: str, asked: list[str], options: argparse.Namespace, folder: bool) -> Judged:
    """The verdicts on one file."""
    if path.endswith(".ipynb"):
        why = "it is a notebook: `jupyter nbconvert --to script` makes a Python file of it"
        file = Judged(path, [Verdict("", code="notebook", sentence=why)])
    else:
        settings = {"seed": options.seed, "strict": options.strict, "width": printing.width()}
        file = judged(path, asked, options.timeout, quiet=folder, **settings)
    if options.points:
        file.fill(options.points)
    return file


def one_file(target: str, with_points: bool) -> tuple[list[str], str, list[str]]:
    """FILE.py or FILE.py:NAME. Raises Slip."""
    path, name = path_and_name(target)
    if name and with_points:
        raise Slip(f"--points must have the names to check, and {target} one more: write {path} --points {name}=1")
    return [path], name, []


def files_in(folder: str) -> tuple[list[str], str, list[str]]:
    """The Python files and notebooks of a folder, at any depth, and the other files in it. Raises Slip."""
    seen = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    shown = [path for path in seen if not any(p.startswith((".", "__")) for p in path.relative_to(folder).parts)]
    files = [str(path) for path in shown if path.suffix in (".py", ".ipynb")]
    if not files:
        raise Slip(f"{folder} must have Python files in it, but there is none")
    return files, "", [str(path.relative_to(folder)) for path in shown if str(path) not in files]
