"""Grading what was computed by hand: what is right, and what gives the numbers that are not."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from ... import checks
from ...optimizers import Adam
from .lines import Index, Quantity, bracket
from .slips import slips

LOOSEST = 5e-3  # relative: an answer of few digits is right only if it is this near
UNITS = {"float32": 1e-7, "float64": 1e-8}  # relative: how far numbers go that are right to all digits
CLOSE = 1e-2  # relative: what looks like rounding on the way


@dataclass(frozen=True)
class Mark:
    """One answer: "right", "close", "wrong" or "blank" (there is nothing to compute), and why."""

    name: str
    given: float
    verdict: str
    why: str = ""


class Grade:
    """The marks of some answers; true where all are right."""

    def __init__(self, marks: list[Mark]) -> None:
        self.marks = marks

    @property
    def right(self) -> list[str]:
        """The names of the answers that are right."""
        return [mark.name for mark in self.marks if mark.verdict == "right"]

    @property
    def wrong(self) -> dict[str, str]:
        """The names of the others, with the reasons as far as they are known."""
        return {mark.name: mark.why for mark in self.marks if mark.verdict != "right"}

    def __bool__(self) -> bool:
        return not self.wrong

    def __str__(self) -> str:
        lines = [f"{len(self.right)} of {len(self.marks)} right"]
        for mark in self.marks:
            lines.append(f"  {mark.verdict:<6} {mark.name} = {mark.given:.9g}")
            lines += textwrap.wrap(mark.why, 98, initial_indent="         ", subsequent_indent="         ")
        return "\n".join(lines)

    __repr__ = __str__


def grade(sheet: Any, answers: Mapping[str, float]) -> Grade:
    """The Grade of answers, name -> number. Raises TypeError, ValueError for what is no name or no number."""
    if not isinstance(answers, Mapping):
        raise TypeError(f"answers must be a dict name -> number, not {checks.describe(answers)}")
    marks = []
    for name, given in answers.items():
        try:
            quantity, index = sheet.find(name)
        except KeyError as error:
            raise ValueError(f"answers must have names of the sheet, not {name!r}: {error.args[0]}") from None
        checks.number(f"answers[{name!r}]", given)
        marks.append(mark(sheet, name, quantity, index, given))
    return Grade(marks)


def mark(sheet: Any, name: str, quantity: Quantity, index: Index, given: Any) -> Mark:
    """One answer's mark."""
    number = float(str(given))  # of a float32 the digits that it has
    if quantity.array is None:
        return Mark(name, number, "blank", "this is not needed, and so it is not computed")
    value, unit = float(quantity.array[index]), UNITS.get(quantity.precision, 1e-7)
    if abs(number - value) <= tolerance(given, value, unit):
        return Mark(name, number, "right")
    for other, why in [*published(sheet, given), *causes(sheet, quantity, index)]:
        near = tolerance(given, other, 4 * unit)
        if number and abs(number - other) <= near and abs(other - value) > max(near, 3 * unit * abs(value)):
            return Mark(name, number, "wrong", why)
    if abs(number - value) <= 100 * unit * abs(value):
        return Mark(name, number, "right")
    off = abs(number - value) / abs(value) if value else math.inf
    if off <= CLOSE:
        return Mark(name, number, "close", f"off by {100 * off:.2g} %: rounded on the way? Keep more digits")
    return Mark(name, number, "wrong", "no slip that is known here gives this number")


def tolerance(given: Any, value: float, unit: float) -> float:
    """How far off an answer may be: half a unit in its last digit, as far as it was written out."""
    exponent = Decimal(str(given)).as_tuple().exponent
    half = 0.5000001 * 10.0 ** float(exponent) if isinstance(exponent, int) else 0.0
    return max(min(half, LOOSEST * abs(value)), unit * abs(value))


# --- what else gives the number --------------------------------------------------------------------------------------


def causes(sheet: Any, quantity: Quantity, index: Index) -> Iterator[tuple[float, str]]:
    """Numbers that a slip gives here, with the slip: first what one sees in the line itself."""
    array, line = quantity.array, quantity.line(index)
    assert array is not None
    value = float(array[index])
    yield from of_update(sheet, quantity, index)
    if len(line.formula.parts) > 1 and "new" not in quantity.left:
        for part in line.formula.parts:
            if not part.more:
                yield part.value, f"that is one part of the sum alone, {part.symbol}: all paths add up"
    if array.ndim == 2 and index[::-1] != index and all(i < n for i, n in zip(index[::-1], array.shape)):
        other = quantity.left + bracket(index[::-1])
        yield float(array[index[::-1]]), f"that is {other}: row and column are swapped"
    for why, record in wrong_steps(sheet):
        other_array = record.get(quantity.key)
        if other_array is not None and other_array.shape == array.shape:
            yield float(other_array[index]), why
    yield -value, "the sign is the other one"


def of_update(sheet: Any, quantity: Quantity, index: Index) -> Iterator[tuple[float, str]]:
    """What is done wrongly in an update."""
    key = quantity.key.format("")
    if not key.startswith("new "):
        return
    name, _, place = key.removeprefix("new ").partition(" of ")
    everything, optimizer = sheet.quantities, sheet.case.parts[2]
    W, g = everything[f"{name} of {place}"].array, everything[f"dL/d{name} of {place}"].array
    w, new, slope = (float(a[index]) for a in (W, quantity.array, g))  # type: ignore[index]
    yield w, "that is the parameter before the step"
    yield new - w, "that is the step alone: it is added to the parameter"
    yield w - new, "that is the step alone: it is taken from the parameter"
    yield w - slope, "the learning rate is forgotten"
    yield 2 * w - new, "the update goes up the gradient, + in place of -"
    if isinstance(optimizer, Adam):
        m, v = (float(everything[f"{s} of {name} of {place}"].array[index]) for s in "mv")
        with np.errstate(all="ignore"):
            raw = w - optimizer.lr * m / (math.sqrt(v) + optimizer.eps) if v > 0 else math.nan
        yield raw, "m and v are not corrected for their start at 0: m' = m / (1 - beta1^t), v' = v / (1 - beta2^t)"


def wrong_steps(sheet: Any) -> list[tuple[str, dict[str, Any]]]:
    """Every slip of the whole step, with the arrays that it gives, by key; computed once for a sheet."""
    from .steps import steps_of

    if not hasattr(sheet, "wrong_steps"):
        sheet.wrong_steps = []
        for why, slip in slips(sheet.case):
            steps = steps_of(sheet.case, sheet.case.run(slip))
            arrays = {quantity.key: quantity.array for step in steps for quantity in step.quantities}
            sheet.wrong_steps.append((why, arrays))
    found: list[tuple[str, dict[str, Any]]] = sheet.wrong_steps
    return found


# --- the well-known worked example -----------------------------------------------------------------------------------

# Mazur 2015, "A Step by Step Backpropagation Example": the numbers at the end of the text come from a program that
# updated the output weights before it used them for the hidden layer's gradients, and one of them from another program.
TOO_EARLY = (
    "printed in Mazur 2015, and not what his gradients give: the program behind it updated the output layer's weights "
    "too early, before it used them for the hidden layer's gradients (the biases stay as they are in it)"
)
PUBLISHED = {
    0.291027924: f"the error after one step {TOO_EARLY}. His gradients, with all updates at the end, give 0.291027774",
    0.015912196: f"the first output after 10,000 steps {TOO_EARLY}. His gradients give 0.01591362",
    0.984065734: f"the second output after 10,000 steps {TOO_EARLY}. His gradients give 0.984064274",
    3.51085e-05: (
        "the error after 10,000 steps as printed in Mazur 2015: it belongs to another program than the outputs beside "
        "it. With all updates at the end it is the error after 9,999 steps; after 10,000 it is 3.51019e-05"
    ),
}
MAZUR = {
    "x": [[0.05, 0.1]],
    "t": [[0.01, 0.99]],
    "W of layer 1": [[0.15, 0.25], [0.2, 0.3]],
    "W of layer 3": [[0.4, 0.5], [0.45, 0.55]],
}


def published(sheet: Any, given: Any) -> Iterator[tuple[float, str]]:
    """The numbers at the end of the text, where the sheet is that example."""
    known = sheet.known(0)
    for name, values in MAZUR.items():
        a = known.get(name)
        if a is None or np.shape(a) != np.shape(values) or not np.allclose(a, values, rtol=0, atol=1e-6):
            return
    for number, why in PUBLISHED.items():
        if abs(float(given) - number) <= 2e-6 * number:  # it is also given as 0.291027924 and as 0.29102792
            yield float(given), "that is " + why
