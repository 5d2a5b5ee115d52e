"""The zoo as an exercise: python -m tinynn.teach.zoo lists the slips, and with a name plays one."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import os
import random
import sys
import textwrap
import zlib

from . import CAUSES, KINDS, Slip, find, slips

WIDTH = 80


def listing(some: list[Slip]) -> str:
    """Name, difficulty and story of each, by kind; fits 80 columns."""
    lines = [f"{len(some)} slips. Play one: python -m tinynn.teach.zoo NAME"]
    column = max(len(slip.name) for slip in some) + 2
    for kind in KINDS:
        of_kind = [slip for slip in some if slip.kind == kind]
        lines += ["", "losses" if kind == "loss" else f"{kind}s"] if of_kind else []
        for slip in of_kind:
            head = f"  {slip.name:<{column}}{'*' * slip.difficulty:<5}"
            lines += textwrap.wrap(slip.story, WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
    return "\n".join(lines)


def choices(slip: Slip) -> list[str]:
    """Five causes to choose from, the right one among them: always the same for a slip."""
    draw = random.Random(zlib.crc32(slip.name.encode()))
    kinds = (slip.kind, "layer") if slip.kind == "network" else (slip.kind,)  # networks alone have too few
    others = sorted({other.code for other in slips if other.kind in kinds} - {slip.code})
    return sorted([slip.code, *draw.sample(others, 4)], key=list(CAUSES).index)


def play(slip: Slip) -> None:
    """Show the code and what the check measures, take an answer, tell."""
    report = slip.report()
    five = choices(slip)
    print(f"{slip.name}, {slip.kind}, {'*' * slip.difficulty}: {slip.story}\n")
    if slip.bases:
        print(textwrap.indent(slip.bases, "    ") + "\n\nThat is right. And this?\n")
    print(textwrap.indent(slip.source, "    ") + "\n")
    print(dataclasses.replace(report, notes=[]).text(cause=False).rstrip() + "\n")  # a note can tell
    if not report.rows:
        print("There are no numbers to compare: it stops before, or a shape is wrong.\n")
    print("What is wrong with it?\n")
    for number, code in enumerate(five, 1):
        print(f"  {number}  {CAUSES[code]}")
    answer = ask(five)
    print()
    print("Right." if answer == slip.code else f"No. You said: {CAUSES[answer]}.")
    told = report.code == slip.code and report.why
    print("\n".join(textwrap.wrap(f"{slip.code}: {report.why if told else CAUSES[slip.code]}", WIDTH)))
    if told and report.fix:
        print("\n".join(textwrap.wrap(f"The correction: {report.fix}", WIDTH)))


def ask(five: list[str]) -> str:
    """The code that is answered, by its number or its name."""
    while True:
        answer = input(f"\nNumber (1 to {len(five)}), or a cause by its name: ").strip()
        if answer in CAUSES:
            return answer
        if answer.isdecimal() and 1 <= int(answer) <= len(five):
            return five[int(answer) - 1]
        print(f"The answer must be a number from 1 to {len(five)}, or a name such as {five[0]}, not {answer!r}.")


def main(argv: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(
        prog="python -m tinynn.teach.zoo",
        description="Layers, losses, optimizers and networks with one mistake each. Without a name they are listed.",
    )
    options.add_argument("name", nargs="?", metavar="NAME", help="the slip to play, such as affine-1")
    options.add_argument("--random", action="store_true", help="play any of them")
    options.add_argument("--difficulty", type=int, choices=[1, 2, 3], help="only those with so many stars")
    args = options.parse_args(argv)
    if args.name and (args.random or args.difficulty):
        options.error("NAME must stand alone, without --random and --difficulty")
    some = [slip for slip in slips if args.difficulty in (None, slip.difficulty)]
    if args.name is None and not args.random:
        try:
            print(listing(some), flush=True)
        except BrokenPipeError:  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    try:
        slip = random.choice(some) if args.random else find(args.name)
    except ValueError as error:
        near = difflib.get_close_matches(args.name, [slip.name for slip in slips], 1)
        options.error(f"{error}{f'; did you mean {near[0]}?' if near else ''}")
    try:
        play(slip)
    except EOFError:
        print("\nNo answer was given, so the solution is not shown.")
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130  # what shells expect after Ctrl-C
    return 0


if __name__ == "__main__":
    sys.exit(main())
