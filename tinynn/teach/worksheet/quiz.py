"""The worksheet with holes, to be filled in by hand."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ... import checks
from .formula import Number
from .grade import Grade
from .lines import Line, Step
from .text import WIDTH, array_lines, wrapped

BLANK = "________"
ORDER = ("backward", "forward", "backward", "forward", "update", "backward", "forward", "backward")  # and again


class Quiz:
    """Some of a sheet's numbers, hidden: `names` are theirs. Prints what is known; `grade({...})` takes the answers."""

    def __init__(self, sheet: Any, names: list[str]) -> None:
        self.sheet, self.names = sheet, names

    def grade(self, answers: Mapping[str, float]) -> Grade:
        """As the sheet's: which answers are right, and what gives the others."""
        grade: Grade = self.sheet.grade(answers)
        return grade

    def text(self, width: int = WIDTH) -> str:
        """What is known, with a blank for each hidden number; formulas are in symbols where all numbers are there."""
        head = wrapped(f"{self.sheet.title}: {len(self.names)} numbers to fill in", width)
        lines: list[str] = []
        constants: dict[str, float] = {}
        small = is_small(self.sheet)
        for step in self.sheet:
            if step.number == 0:
                for quantity in step.quantities if small else ():
                    lines += array_lines(quantity, width, "  ", f"{quantity.key.format('')} = ")
                continue
            shown = [*printed(step, self.names, small)]
            lines += ["", *wrapped(step.heading, width)] if shown else []
            for line, value in shown:
                parts = [line.symbols, *([line.numbers] if not small else []), *([value] if value else [])]
                lines += wrapped(" = ".join(parts), width, "  ", "      ")
                constants |= {token.symbol: token.value for token in constants_of(line)}
        given = ", ".join(f"{name} = {value:.8g}" for name, value in constants.items())
        answers = ["", "fill in, and then: sheet.grade({", *(f'    "{name}": ,' for name in self.names), "})"]
        return "\n".join([*head, *(wrapped(given, width, "  ") if given else []), *lines, *answers])

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__


def is_small(sheet: Any) -> bool:
    """Whether everything that a blank could be computed from can be printed."""
    return all(quantity.complete for step in sheet.all_steps if step.phase != "update" for quantity in step.quantities)


def printed(step: Step, names: list[str], small: bool) -> Iterator[tuple[Line, str]]:
    """The lines of a step that are printed, each with its value, a blank, or nothing.

    Of a small network these are all, but of its update the blanks alone, with the way to them in symbols: m' of Adam's
    first step *is* the gradient.
    """
    for quantity in step.quantities:
        for line in quantity.lines:
            if line.name in names:
                for before in step.quantities if step.phase == "update" and small else ():
                    way = before.key.partition(" of ")[2]  # "W{} of layer 1", of "m of W{} of layer 1"
                    if way and f"new {way}" == quantity.key:
                        yield before.line(index_of(quantity, line)), ""
                yield line, BLANK
            elif small and step.phase != "update" and line.value is not None:
                yield line, line.text


def index_of(quantity: Any, line: Line) -> Any:
    """The index of a line."""
    return next(index for index in quantity.indices if quantity.line(index).name == line.name)


def constants_of(line: Line) -> list[Number]:
    """The numbers in its formula that no line has: the learning rate, say, or what the optimizer has kept."""
    found = [token for token in line.formula.tokens if isinstance(token, Number) and not token.more]
    return [n for n in found if n.symbol.startswith("old ") or (n.kind == "constant" and n.symbol != "change")]


def quiz(sheet: Any, count: int = 8, seed: int | None = None) -> Quiz:
    """A Quiz of up to `count` lines, most of forward and backward, whose numbers no other line shows."""
    count = checks.integer("count", count, 1)
    rng = checks.generator("seed", seed)
    lines = [(step, line) for step in sheet for line in step.lines if step.number and worth_asking(step, line)]
    drawn: dict[str, list[Line]] = {"forward": [], "backward": [], "update": []}
    for k in rng.permutation(len(lines)):
        step, line = lines[k]
        drawn["forward" if step.phase == "loss" else step.phase].append(line)
    chosen: list[Line] = []
    updates = 0
    known = [*numbers_of(sheet)] if is_small(sheet) else None
    for phase in itertools.cycle(ORDER):
        if len(chosen) == count or not any(drawn.values()):
            break
        while drawn[phase]:
            line = drawn[phase].pop()
            own = phase != "update"  # it is one of those that are known
            if not any(gives_away(line, other) for other in chosen) if known is None else alike(line, known) <= own:
                chosen.append(line)
                updates += not own
                break
        if updates >= max(1, count // 4):
            drawn["update"] = []
    order = {line.name: place for place, (_, line) in enumerate(lines)}
    return Quiz(sheet, sorted((line.name for line in chosen), key=order.__getitem__))


def worth_asking(step: Step, line: Line) -> bool:
    """Whether there is something to compute: not 0, no bookkeeping, and no number that its own formula shows."""
    if not line.value or not math.isfinite(line.value) or not line.numbers or line.name.startswith("L after"):
        return False
    return (step.phase != "update" or line.name.startswith("new ")) and not alike(line, tokens_of(line))


def numbers_of(sheet: Any) -> Iterator[float]:
    """All numbers of a small network that stand in a quiz, or would."""
    for step in sheet.all_steps:
        for quantity in step.quantities:
            if step.number == 0 and quantity.array is not None:
                yield from np.ravel(quantity.array).tolist()
            elif step.phase != "update":
                yield from (line.value for line in quantity.lines if line.value is not None)
            for line in quantity.lines:
                yield from {number.value for number in constants_of(line)}
                words = " ".join(token for token in line.formula.tokens if isinstance(token, str))
                yield from {float(number) for number in re.findall(r"(?<![\w.])\d+\.?\d*", words)}  # 1 of 1 + exp(-x)


def tokens_of(line: Line) -> list[float]:
    """The numbers that a line's value is computed from."""
    return [token.value for token in line.formula.tokens if isinstance(token, Number)]


def gives_away(one: Line, other: Line) -> bool:
    """Whether one line's numbers show the other's value."""
    return alike(other, tokens_of(one)) > 0 or alike(one, tokens_of(other)) > 0


def alike(line: Line, numbers: list[float]) -> int:
    """How many of the numbers show a line's value: its first five digits. A tenth of a number shows them, too.

    Two numbers have the same digits where their log10 differ by a whole number; 5e-5 is half a unit of the fifth.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.log10(np.abs(np.array([*numbers, line.value])))
        return int((np.abs((apart[:-1] - apart[-1] + 0.5) % 1 - 0.5) < 5e-5).sum())
