"""What a worksheet is made of: steps, the quantities that each computes, a line for each number."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...checks import Array
from .formula import Formula, Number, Tokens, adding_up, fmt, joined, numbers

Index = tuple[int, ...]
DIGITS = {"float32": 6, "float64": 8}  # significant digits that are printed; a float32 holds no more in all cases
NOT_NEEDED = "not needed"
ROUND_OFF = {"float32": 1e-4, "float64": 1e-9}  # relative: what counts as equal


@dataclass(frozen=True)
class Line:
    """One number of the worksheet.

    `name` is unique in it, such as "dL/dW[0,1] of layer 2"; `left` and `formula` are the equation; `shapes` those of
    the arrays in it. `value` is the real layers' number, None where nobody needs it; it was computed in `precision`.
    """

    name: str
    left: str
    formula: Formula
    value: float | None
    shapes: str
    precision: str = "float64"

    @property
    def digits(self) -> int:
        """How many significant digits its numbers have in print."""
        return DIGITS.get(self.precision, 8)

    @property
    def symbols(self) -> str:
        """The formula in symbols."""
        return f"{self.left} = {self.formula.symbols}"

    @property
    def numbers(self) -> str:
        """The formula with the numbers in it; empty where it has none."""
        return numbers(self.tokens, self.digits)

    @property
    def tokens(self) -> Tokens:
        """The formula with the numbers in it; of a sum of numbers, in digits in which they add up."""
        tokens, parts = self.formula.tokens, self.formula.parts
        if all(isinstance(token, str) for token in tokens):
            return ()
        terms = [token for token in tokens if isinstance(token, Number)]
        if len(parts) < 2 or tokens != joined([term] for term in terms):
            return tokens
        return joined([replace(term, text=part.text)] for term, part in zip(terms, self.adding[0]))

    @property
    def middle(self) -> str:
        """A step between: the paths' parts, `0.055399425 + -0.019049119`, or a factor worked out."""
        text = numbers(self.step_between, self.digits)
        return "" if text == self.numbers else text

    @property
    def step_between(self) -> Tokens:
        """The same as tokens."""
        if self.formula.middle:
            return self.formula.middle
        return joined([part] for part in self.adding[0]) if len(self.formula.parts) > 1 else ()

    @functools.cached_property
    def adding(self) -> tuple[list[Number], str]:
        """The parts, in digits in which they add up; what they add up to, where the layer has rounded on the way."""
        return adding_up(self.formula.parts, self.value or 0.0, self.digits)

    @property
    def parts(self) -> tuple[float, ...]:
        """The terms of the sum; they add up to the value, but for round-off. Empty where it is none."""
        return tuple(part.value for part in self.formula.parts)

    @property
    def text(self) -> str:
        """The value."""
        return NOT_NEEDED if self.value is None else fmt(self.value, self.digits)

    @property
    def rounded(self) -> str:
        """What the parts add up to, where that is not the value: it was computed in numbers of fewer digits."""
        return self.adding[1] if len(self.formula.parts) > 1 and self.value is not None else ""

    @property
    def chain(self) -> list[str]:
        """What follows the symbols: with the numbers, a step between, the value; each if it says something new."""
        end = f"{self.rounded}, in {self.precision} {self.text}" if self.rounded else self.text
        pieces = [self.numbers, self.middle, end]
        return [piece for number, piece in enumerate(pieces) if piece and piece not in pieces[number + 1 :]]

    def __str__(self) -> str:
        return f"{self.name}: " + " = ".join([self.symbols, *self.chain])


@dataclass
class Quantity:
    """One array that a step computes, and how.

    `key` is its name with a hole for the index, "dL/dW{} of layer 2"; `law` is the formula of the whole array and
    `shapes` the same with shapes for arrays; `entry(index)` is the formula of one number.
    """

    key: str
    left: str
    array: Array | None
    law: str
    shapes: str
    entry: Callable[[Index], Formula]
    own: str = ""  # how an entry is called where `entry` does not give the recorded value: "MyLayer.backward(dL/dy)"
    indices: tuple[Index, ...] = ()  # of the entries that have a line
    dtype: Any = None  # of what went in, where that is not the array's: the loss is a float64 whatever the model is
    listens_to: Array | None = None  # choose the entries by the largest of this array, in place of its own
    draw: Callable[[Index], Any] | None = None  # a Picture of how an entry comes about, where there is one
    main: Index = ()  # the entry that a text shows a picture of: the largest

    def line(self, index: Index) -> Line:
        """The line of an entry. A formula that does not give the recorded value is not shown as if it did."""
        name, left = self.key.format(bracket(index)), self.left + bracket(index)
        if self.array is None:
            return Line(name, left, Formula([self.law]), None, self.shapes)
        value = self.array[index].item()
        with np.errstate(all="ignore"):  # infinity and NaN are shown as they are
            formula = self.entry(index)
        if not formula.agrees(value, ROUND_OFF.get(self.precision, 1e-4)):
            usual = (
                f"{formula.symbols} would be {fmt(formula.result or 0.0, 6)}: this {self.left} is computed otherwise"
            )
            formula = Formula([f"{self.own}{bracket(index)}"], note=usual)
        return Line(name, left, formula, value, self.shapes, self.precision)

    def heading(self, lines: list[Line]) -> str:
        """The law; where it does not give the numbers of these lines, whose they are."""
        holds = not any(line.formula.note for line in lines)
        return self.law if holds else f"{self.left} = {self.own}, and not {self.law}"

    @property
    def precision(self) -> str:
        """The name of the dtype that its numbers are computed in."""
        return str(self.dtype if self.dtype is not None or self.array is None else self.array.dtype)

    @property
    def lines(self) -> list[Line]:
        """The lines of the entries that were chosen; where nothing was computed, one without a value."""
        if self.array is None:
            return [Line(self.key.format(""), self.left, Formula([]), None, self.shapes)]
        return [self.line(index) for index in self.indices]

    @property
    def complete(self) -> bool:
        """Whether every entry has a line."""
        return self.array is None or len(self.indices) == self.array.size

    def choose(self, most: int, few: int) -> None:
        """Lines for all entries of arrays up to `most`; else for `few`: the largest and the corner, or beside it."""
        if self.array is None or not self.array.size:
            self.indices = ()
            return
        source = self.array if self.listens_to is None else self.listens_to
        size = np.where(np.isnan(source), np.inf, np.abs(source))
        self.main = largest = tuple(int(i) for i in np.unravel_index(int(size.argmax()), source.shape))
        if self.array.size <= most:
            self.indices = tuple(np.ndindex(self.array.shape))
            return
        corner = [(0, 0), (0, 1), (1, 0)] if source.ndim == 2 else [(*largest[:-1], i) for i in range(3)]
        chosen = [index for index in corner if all(i < n for i, n in zip(index, source.shape))][: few - 1]
        self.indices = tuple(sorted({*chosen, largest}))

    def picture(self, index: Index) -> Any:
        """The Picture of an entry, if there is one and its formula holds."""
        if self.draw is None or self.array is None or self.line(index).formula.note:
            return None
        with np.errstate(all="ignore"):
            return self.draw(index)


@dataclass
class Step:
    """What is computed at one go: one layer's forward, say. `number` counts from 1; 0 is what is given."""

    number: int
    phase: str  # "given", "forward", "loss", "backward", "update"
    title: str  # "layer 2, Sigmoid()"
    layer: int | str | None  # its path, 2 or "3.1"
    quantities: list[Quantity]
    note: str = ""

    @property
    def lines(self) -> list[Line]:
        """A line for each number."""
        return [line for quantity in self.quantities for line in quantity.lines]

    @property
    def heading(self) -> str:
        """ "step 3: forward, layer 3, Affine(2, 2)" """
        return f"step {self.number}: {self.phase}, {self.title}" if self.number else f"{self.phase}: {self.title}"

    def __iter__(self) -> Iterator[Line]:
        return iter(self.lines)

    def __str__(self) -> str:
        from .text import step_text

        return step_text(self)

    __repr__ = __str__


def at(name: str, a: Array, *index: Any) -> Number:
    """The Number a[index] under its name."""
    return Number(name + bracket(index), float(a[index]))


def wide(a: Array) -> Array:
    """In double precision, so that the terms of a sum are not rounded once more."""
    return np.asarray(a, np.float64)


def place(k: int, a: Array) -> Index:
    """The index of the k-th element, row by row."""
    return tuple(int(i) for i in np.unravel_index(k, a.shape))


def bracket(index: Index) -> str:
    """(0, 1) -> "[0,1]"; () -> "" for a number alone."""
    return f"[{','.join(map(str, index))}]" if index else ""


def shape(a: Any) -> str:
    """An array's shape; that of a number is nothing."""
    return str(np.shape(a)) if np.ndim(a) else ""
