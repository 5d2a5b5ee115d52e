"""The network of a worksheet as columns of boxes: where they stand, and which arrows lead from one to another."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from ...layers import Activation, Affine, Residual
from . import blocks
from .lines import Index, Quantity

MOST_UNITS = 6  # of a layer that are drawn one by one
MOST_ARROWS = 300  # from which on every layer is one box
BOX, HIGH, ACROSS, APART = 142, 48, 58, 14  # a box's size; the gaps to the right of it and below
LARGEST = 64  # pixels, high or wide, of an image that is drawn
WHOLE = 88  # the height of a box that stands for many units
ALL = -1  # in place of a box: an arrow for all boxes of a column
TOP = 70  # room for the names of the columns
LANE = 16  # and for each arrow above the boxes


@dataclass
class Column:
    """The boxes of one layer: their values are entries of one array, their gradients of another.

    That of the loss has no gradient: in its place stands the loss after the step.
    """

    title: str
    name: str
    value: Quantity | None
    gradient: Quantity | None
    units: int  # boxes that are drawn; 1 where the layer is one box
    whole: bool  # one box for all units
    kind: str = "layer"
    places: list[tuple[float, float]] = field(default_factory=list)

    @property
    def high(self) -> int:
        """The height of its boxes."""
        return (WHOLE + 48 * self.images) if self.whole else HIGH

    @property
    def images(self) -> bool:
        """Whether its values are images, small enough to be drawn."""
        a = None if self.value is None else self.value.array
        return a is not None and a.ndim == 4 and 1 < max(a.shape[1:3]) <= LARGEST


class Network:
    """The columns of a sheet's network. `at` says when a number is known: (key, index) -> the cursor's place."""

    def __init__(self, sheet: Any, at: dict[tuple[str, Index], int]) -> None:
        self.sheet, self.at = sheet, at
        self.quantities: dict[str, Quantity] = sheet.quantities
        by_row = {index[0] for (key, index) in at if len(index) == 2 and key.startswith(("y", "p", "dL/dx", "dL/dy"))}
        self.rows = sorted(by_row | {0})  # of the batch: those that have lines
        self.calls = sheet.record.calls
        self.numbers = {call.place: number for number, call in enumerate(self.calls, 1)} | {"x": 0}  # place -> column
        self.columns = self.make_columns(MOST_UNITS)
        if sum(a.units * b.units for a, b in itertools.pairwise(self.columns)) > MOST_ARROWS:
            self.columns = self.make_columns(0)
        tallest = max(column.units * (column.high + APART) for column in self.columns)
        self.lanes = self.make_lanes()
        top_of_boxes = TOP + LANE * (max(self.lanes.values(), default=-1) + 1)
        self.height = top_of_boxes + tallest + 2
        self.width = len(self.columns) * (BOX + ACROSS) - ACROSS + 20
        middle = top_of_boxes + tallest / 2
        for number, column in enumerate(self.columns):
            x = 10 + number * (BOX + ACROSS)
            top = middle - column.units * (column.high + APART) / 2
            column.places = [(x, top + unit * (column.high + APART)) for unit in range(column.units)]

    def make_columns(self, most: int) -> list[Column]:
        """The input, a column for each call of a layer, the loss; up to `most` units of each one by one."""
        record, find, calls = self.sheet.record, self.quantities.get, self.calls
        of_x = [call for call in calls if call.source == "x" or call is calls[0]]
        whole = all(call in of_x[-1].within for call in of_x[:-1])  # else what comes back to x is a sum that nobody has
        gradient = find(f"dL/dx of {of_x[-1].place}") if of_x and whole else None
        columns = [self.column("x", f"{record.x.shape}", find("x"), gradient, most, "input")]
        for call in calls:
            name = f"{type(call.layer).__name__}\n{call.y.shape}"
            value, gradient = find(f"y of {call.place}"), find(f"dL/dy of {call.place}")
            columns.append(self.column(call.place, name, value, gradient, most))
        loss = self.sheet.case.parts[1]
        after = find("L after the step")
        columns.append(Column("loss", type(loss).__name__, find("L"), after, 1, False, "loss"))
        return columns

    def column(
        self, title: str, name: str, value: Quantity | None, gradient: Quantity | None, most: int, kind: str = "layer"
    ) -> Column:
        """A column with a box for each unit, if they are few."""
        array = None if value is None else value.array
        width = 0 if array is None or array.ndim != 2 else array.shape[1]
        whole = not 1 <= width <= most
        return Column(title, name, value, gradient, 1 if whole else width, whole, kind)

    def is_dense(self, number: int) -> bool:
        """Whether a column is that of an Affine with an arrow for each weight."""
        if not 1 <= number <= len(self.calls) or self.sources(number) != [number - 1]:
            return False
        layer = self.calls[number - 1].layer
        return isinstance(layer, Affine) and not (self.columns[number].whole or self.columns[number - 1].whole)

    def sources(self, number: int) -> list[int]:
        """The columns that a column's values come from; where nobody knows, the one before it."""
        if number > len(self.calls):
            return [number - 1]
        call = self.calls[number - 1]
        if isinstance(call.layer, Residual) and blocks.known(call):
            ends = [way.place for way in blocks.ways(call, last=True)]  # type: ignore[union-attr]
            return [self.numbers.get(place, number - 1) for place in (ends if len(ends) == 2 else [*ends, call.source])]
        return [number - 1 if call.within else self.numbers.get(call.source, number - 1)]

    def make_lanes(self) -> dict[tuple[int, int], int]:
        """Each arrow that goes past columns, (from, to) -> its lane above the boxes: a wider one above a narrower."""
        pairs = [(start, number) for number in range(1, len(self.columns)) for start in self.sources(number)]
        lanes: dict[tuple[int, int], int] = {}
        for start, end in sorted(
            {pair for pair in pairs if pair[0] != pair[1] - 1}, key=lambda pair: pair[1] - pair[0]
        ):
            taken = {lane for (a, b), lane in lanes.items() if a < end and start < b}
            lanes[start, end] = next(lane for lane in range(len(lanes) + 1) if lane not in taken)
        return lanes

    def unit(self, number: int, index: Index) -> int:
        """The box that an index belongs to."""
        return index[-1] if index and index[-1] < self.columns[number].units and not self.columns[number].whole else 0

    def into(self, number: int, unit: int) -> list[str]:
        """The arrows that lead to a box."""
        return [name for name, (_, _, to) in self.edges(number).items() if to in (unit, ALL)]

    def out_of(self, number: int, unit: int, to: int | None = None) -> list[str]:
        """The arrows that leave a box; those to one column, if it is said."""
        columns = range(number + 1, len(self.columns)) if to is None else [to]
        found = [(name, edge) for column in columns for name, edge in self.edges(column).items()]
        return [name for name, (source, start, _) in found if source == number and start in (unit, ALL)]

    def edges(self, number: int) -> dict[str, tuple[int, int, int]]:
        """The arrows into a column: name -> (from which column, which box of it, to which box)."""
        if not 1 <= number < len(self.columns):
            return {}
        before, column = self.columns[number - 1], self.columns[number]
        past = {f"e{number}-from{source}": (source, ALL, ALL) for source in self.sources(number) if source < number - 1}
        if number - 1 not in self.sources(number):
            return past
        pairs = [(i, j) for i in range(before.units) for j in range(column.units)]
        layer = None if column.kind == "loss" or not self.calls else self.calls[number - 1].layer
        if isinstance(layer, Activation | Residual) and before.units == column.units:
            pairs = [(i, i) for i in range(before.units)]
        elif column.kind != "loss" and not isinstance(layer, Affine):
            pairs = pairs if len(pairs) <= MOST_UNITS else [(i, min(i, column.units - 1)) for i in range(before.units)]
        return past | {f"e{number}-{i}-{j}": (number - 1, i, j) for i, j in pairs}
