"""The worksheet with holes, to be filled in by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ... import checks
from .formula import Number
from .grade import Grade
from .lines import Line
from .text import WIDTH, array_lines, wrapped

BLANK = "________"


class Quiz:
    """Some of a sheet's numbers, hidden: `names` are theirs. Prints what is known; `grade({...})` takes the answers."""

    def __init__(self, sheet: Any, names: list[str]) -> None:
        self.sheet, self.names = sheet, names

    def grade(self, answers: Mapping[str, float]) -> Grade:
        """As the sheet's: which answers are right, and what gives the others."""
        grade: Grade = self.sheet.grade(answers)
        return grade

    @property
    def small(self) -> bool:
        """Whether the whole network can be printed."""
        return all(quantity.complete for quantity in self.sheet.step(0).quantities)

    def text(self, width: int = WIDTH) -> str:
        """What is known, with a blank for each hidden number. Formulas are in symbols: the numbers would give away."""
        lines = wrapped(f"{self.sheet.title}: {len(self.names)} numbers to fill in", width)
        constants: dict[str, float] = {}
        body: list[str] = []
        for step in self.sheet:
            lines_here = [line for line in step.lines if step.number and line.value is not None]
            chosen = [line for line in lines_here if self.small or line.name in self.names]
            if step.number == 0 and self.small:
                for quantity in step.quantities:
                    body += array_lines(quantity, width, "  ", f"{quantity.key.format('')} = ")
            elif chosen:
                body += ["", *wrapped(step.heading, width)]
            for line in chosen:
                value = BLANK if line.name in self.names else line.text
                numbers = "" if self.small else f"{line.numbers} = "
                body += wrapped(f"{line.symbols} = {numbers}{value}", width, "  ", "      ")
                constants |= {
                    token.symbol: token.value
                    for token in line.formula.tokens
                    if isinstance(token, Number) and token.kind == "constant" and not token.more
                }
        constants = {name: value for name, value in constants.items() if name != "change"}
        if constants:
            lines += wrapped(", ".join(f"{name} = {value:.8g}" for name, value in constants.items()), width, "  ")
        lines += body
        lines += ["", "fill in, and then: sheet.grade({"]
        lines += [f'    "{name}": ,' for name in self.names]
        return "\n".join([*lines, "})"])

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__


def quiz(sheet: Any, count: int = 8, seed: int | None = None) -> Quiz:
    """A Quiz of up to `count` lines drawn from `seed`."""
    count = checks.integer("count", count, 1)
    rng = checks.generator("seed", seed)
    lines = [line for step in sheet for line in step.lines if step.number and worth_asking(line)]
    small = Quiz(sheet, []).small
    chosen: list[Line] = []
    for k in rng.permutation(len(lines)):
        if len(chosen) < count and (small or not any(gives_away(lines[k], line) for line in chosen)):
            chosen.append(lines[k])
    order = {line.name: place for place, line in enumerate(lines)}
    return Quiz(sheet, sorted((line.name for line in chosen), key=order.__getitem__))


def worth_asking(line: Line) -> bool:
    """Whether there is something to compute: not 0, and none of the numbers that it is computed from."""
    given = [token.value for token in line.formula.tokens if isinstance(token, Number)]
    return bool(line.value and math.isfinite(line.value) and line.numbers) and line.value not in given


def gives_away(one: Line, other: Line) -> bool:
    """Whether one line's numbers show the other's value."""

    def shown(line: Line) -> set[str]:
        return {f"{abs(token.value):.6g}" for token in line.formula.tokens if isinstance(token, Number)}

    return f"{abs(other.value or 0):.6g}" in shown(one) or f"{abs(one.value or 0):.6g}" in shown(other)
