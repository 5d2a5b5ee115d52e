"""python -m tinynn check FILE.py[:NAME], python -m tinynn lessons

The first checks the gradients of a model, layer, loss or optimizer that a file defines, or of all that it defines. The
exit status is 0 where all are right, 1 where one is wrong, 2 where one, or a class beside them, could not be judged.
The second says where the lessons are, and how they are run.
"""

from __future__ import annotations

import argparse
import inspect
import os
import sys
from typing import Any

import numpy as np

import tinynn
from tinynn import teach
from tinynn.teach import lessons
from tinynn.teach.checking import kinds, styles
from tinynn.teach.checking.files import arguments, samples
from tinynn.teach.checking.files.loading import Slip, it_has, kind_of, load, why_unknown
from tinynn.teach.checking.files.together import groups

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


def check(names: dict[str, Any], name: str, seed: int, asked_for: bool = True) -> teach.Report:
    """The report on what a file calls `name`; its x may not be meant for what nobody `asked_for`. Raises Slip."""
    rng = np.random.default_rng(seed)
    try:
        if name in groups(names):
            return of_functions(name, names, rng)
        thing = names[name]
        kind = kind_of(thing)
        if kind is None and isinstance(thing, type):
            raise Slip(why_unknown(thing))
        if kind is None:
            what = tinynn.checks.describe(thing)
            raise Slip(f"{name} must be a layer, loss, model or optimizer, not {what}")
        found = kinds.examined(thing, names, rng) if inspect.isfunction(thing) or kind == "optimizer" else None
        if found is not None:
            return found
        drawn_too, first = isinstance(thing, type), None
        for one in arguments.objects_of(thing, rng) if drawn_too else [thing]:
            report = of_an_object(one, names, rng, drawn_too or not asked_for)
            if report is not None and not (drawn_too and fails(report)):
                return report
            first = first or report
    except Slip:
        raise
    except Exception as error:
        raise Slip(f"{name} cannot be checked: {error}") from error
    if first is not None:
        return with_what_was_drawn(first)
    ends = "" if kind_of(one) == "network" else samples.error_with_rows(one, rng)
    write = f"define one, such as layer = {name}(...), and x in the file" if drawn_too else "define x in the file"
    raise Slip(f"{name} is not judged: its forward does not run with any x that was drawn for it{ends}; {write}")


def fails(report: teach.Report) -> bool:
    """Whether the code has raised."""
    return report.code == "raises" and " raises " in report.why


def with_what_was_drawn(report: teach.Report) -> teach.Report:
    """A report on an object that was made with drawn arguments, and fails: others may be needed."""
    assert report.finding is not None
    report.finding.code = "not-judged"
    report.finding.why += ". Its arguments and x were drawn; if it is made for others, define them in the file"
    return report


def of_an_object(thing: Any, names: dict[str, Any], rng: np.random.Generator, any_x: bool) -> teach.Report | None:
    """The report on a layer, loss or model; None where its forward runs with nothing that is samples."""
    kind = kind_of(thing)
    may_be_a_loss = kind == "loss" or (kind is None and not styles.goes_back(type(thing)))
    found = kinds.examined(thing, names, rng) if may_be_a_loss else None
    if found is not None:
        return found
    if kind is None:
        raise styles.Unknown(
            f"{type(thing).__name__}() has no forward(x) and backward(dy), nor loss(x, t){it_has(type(thing))}"
        )
    if kind == "loss":
        return kinds.of_a_loss(thing, names, rng)
    if kind == "network":
        return of_a_network(thing, names, rng)
    x = samples.rows_for(thing, names, rng, any_x)
    if x is None or kind == "layer":
        return None if x is None else teach.check_layer(thing, x)
    loss = names.get("loss", tinynn.MSE())
    loss = loss() if isinstance(loss, type) else loss
    t = samples.own(names, "t")
    t = samples.targets(samples.outputs(thing, x), getattr(loss, "classifies", False), rng) if t is None else t
    return teach.check(thing, x, t, loss)


def of_functions(name: str, names: dict[str, Any], rng: np.random.Generator) -> teach.Report:
    """Functions that belong together, as a layer or a network."""
    given, x, t = samples.functions_with_arguments(groups(names)[name], names, rng)
    return teach.check_layer(given, x) if t is None else teach.check(given, x, t)


def of_a_network(thing: Any, names: dict[str, Any], rng: np.random.Generator) -> teach.Report | None:
    """A network that is its loss, too, with x and targets of the file, or such as it takes."""
    x, whole = samples.own(names, "x"), styles.recognised(thing)
    for rows in samples.widths_of(thing, rng) if x is None else [x]:
        ran = samples.targets_for(whole, rows, names, rng)
        if ran is not None:
            return teach.check(thing, *ran[:2])
    return None


if __name__ == "__main__":
    sys.exit(main())
