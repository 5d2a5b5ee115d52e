"""The network of a worksheet as boxes and arrows, in SVG.

A column for each layer, between the input and the loss: a box for each unit, or one box for a layer of many. Boxes hold
their values above and their gradients below; both stay blank until the page's cursor has come to them. What goes past
other layers, as around a block, is an arrow above them.
"""

from __future__ import annotations

import html
import itertools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...layers import Activation, Affine, Residual
from . import blocks
from .formula import fmt
from .lines import Index, Line, Quantity
from .text import statistics

MOST_UNITS = 6  # of a layer that are drawn one by one
MOST_ARROWS = 300  # from which on every layer is one box
BOX, HIGH, ACROSS, APART = 142, 48, 58, 14  # a box's size; the gaps to the right of it and below
WHOLE = 88  # the height of a box that stands for many units
ALL = -1  # in place of a box: an arrow for all boxes of a column
DIGITS = 4  # significant ones in a box
TOP = 70  # room for the names of the columns
LANE = 16  # and for each arrow above the boxes


@dataclass
class Column:
    """The boxes of one layer: their values are entries of one array, their gradients of another."""

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
        return WHOLE if self.whole else HIGH


class Drawing:
    """The network of a sheet. `at` says when a number is known: (key, index) -> the cursor's place."""

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
        columns.append(Column("loss", type(loss).__name__, find("L"), None, 1, False, "loss"))
        return columns

    def column(
        self, title: str, name: str, value: Quantity | None, gradient: Quantity | None, most: int, kind: str = "layer"
    ) -> Column:
        """A column with a box for each unit, if they are few."""
        array = None if value is None else value.array
        width = 0 if array is None or array.ndim != 2 else array.shape[1]
        whole = not 1 <= width <= most
        return Column(title, name, value, gradient, 1 if whole else width, whole, kind)

    # --- what the page needs to fill it ---

    def cells(self) -> dict[str, dict[str, dict[int, list[Any]]]]:
        """For each box the texts of its value "v" and gradient "g", for each row of the batch: [text, when known]."""
        found = {}
        for number, column in enumerate(self.columns):
            for unit in range(column.units):
                both = {"v": column.value, "g": column.gradient}
                found[f"c{number}-{unit}"] = {name: self.texts(column, unit, q) for name, q in both.items()}
        return found

    def texts(self, column: Column, unit: int, quantity: Quantity | None) -> dict[int, list[Any]]:
        """One box's value or gradient, row by row."""
        if quantity is None or quantity.array is None:
            return {}
        a, key = quantity.array, quantity.key
        if a.ndim == 0:
            return {0: [fmt(a.item(), DIGITS), self.when(key, ())]}
        if column.whole:
            low, high = fmt(float(a.min()), 2), fmt(float(a.max()), 2)
            return {0: [f"{low} to {high}", self.when(key, (-1,))]}
        return {row: [fmt(float(a[row, unit]), DIGITS), self.when(key, (row, unit))] for row in self.rows}

    def when(self, key: str, index: Index) -> int:
        """When an entry is known; one without a line of its own, with its array's first."""
        if key in ("x{}", "t{}"):
            return 0
        found = self.at.get((key, index))
        return min(place for (other, _), place in self.at.items() if other == key) if found is None else found

    def weights(self) -> dict[str, list[Any]]:
        """For each arrow that has a weight: its text before the step, after it, and when that is known."""
        found: dict[str, list[Any]] = {}
        for number, call in enumerate(self.calls, 1):
            if not self.is_dense(number):
                continue
            W, new = call.params["W"], self.quantities.get(f"new W of {call.place}")
            for index in np.ndindex(W.shape):
                after = [] if new is None else [fmt(float(new.array[index]), DIGITS), self.when(new.key, index)]  # type: ignore[index]
                found[f"e{number}-{index[0]}-{index[1]}"] = [fmt(float(W[index]), DIGITS), *after]
        return found

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

    def marks(self, line: Line, key: str, index: Index) -> dict[str, Any]:
        """What lights up for a number: its own box or arrow, the arrows that lead to it, and the row it belongs to."""
        symbol, _, place = key.partition(" of ")
        symbol = symbol.replace("{}", "")
        if symbol in ("m", "v", "m'", "v'", "velocity"):  # "m of W{} of layer 2"
            parameter, _, place = place.partition(" of ")
            symbol = "new " + parameter.replace("{}", "")
        symbol = symbol.removeprefix("clipped ")
        last = len(self.columns) - 1
        if key.startswith("L"):
            return {"on": [f"c{last}-0"], "edges": self.into(last, 0)}
        if symbol in ("p", "t'") or (symbol == "dL/dy" and self.numbers.get(place, last - 1) == last - 1):
            unit = self.unit(last - 1, index)
            edges = [] if symbol in ("p", "t'") else self.out_of(last - 1, unit)
            return {"on": [f"c{last - 1}-{unit}"], "edges": edges, "row": index[0] if index else 0}
        number = self.numbers.get(place, 1)
        if symbol == "y":
            unit = self.unit(number, index)
            return {"on": [f"c{number}-{unit}"], "edges": self.into(number, unit), "row": index[0]}
        if symbol == "dL/dx":
            call = self.calls[number - 1] if self.calls else None
            source = self.numbers.get(call.source, number - 1) if call else 0
            unit, row = self.unit(source, index), index[0] if index else 0
            edges = self.out_of(source, unit, None if call and call.within else number)
            return {"on": [f"c{source}-{unit}"], "edges": edges, "row": row}
        if symbol.endswith("W") and self.is_dense(number) and len(index) == 2:
            return {"on": [], "edges": [f"e{number}-{index[0]}-{index[1]}"], "target": "edge"}
        return {"on": [f"c{number}-{self.unit(number, index)}"], "edges": []}

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

    # --- the drawing itself ---

    def svg(self) -> str:
        """The picture, with empty texts that the page's script fills."""
        parts = [f'<svg id="net" width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}"']
        parts[0] += ' role="img" aria-label="the network: boxes are units, arrows lead from input to loss">'
        parts.append(ARROWS)
        for number in range(1, len(self.columns)):
            for name, (source, i, j) in self.edges(number).items():
                before, column = self.columns[source], self.columns[number]
                if i == ALL:
                    parts.append(self.arrow_past(name, source, number))
                    continue
                (x, y), (to_x, to_y) = before.places[i], column.places[j]
                start, end = (x + BOX + 3, y + before.high / 2), (to_x - 3, to_y + column.high / 2)
                ends = f'x1="{start[0]:g}" y1="{start[1]:g}" x2="{end[0]:g}" y2="{end[1]:g}"'
                parts.append(f'<line id="{name}" class="edge" {ends}/>')
        for number, column in enumerate(self.columns):
            parts += self.boxes(number, column)
        parts.append('<g id="labels"></g></svg>')
        return "\n".join(parts)

    def arrow_past(self, name: str, source: int, number: int) -> str:
        """The arrow from one column over others to another one."""
        (x, y), (to_x, to_y) = self.columns[source].places[0], self.columns[number].places[0]
        lane = TOP + LANE * (max(self.lanes.values()) - self.lanes[source, number]) - 4
        start, end = x + 0.7 * BOX, to_x + 0.3 * BOX  # so that one that ends here and one that starts here lie apart
        return f'<path id="{name}" class="edge" d="M{start:g} {y - 3:g} V{lane:g} H{end:g} V{to_y - 3:g}"/>'

    def boxes(self, number: int, column: Column) -> list[str]:
        """A column's heading and its boxes."""
        x = column.places[0][0]
        parts = [
            f'<g class="column" id="column{number}">',
            f'<text class="title" x="{x + BOX / 2:g}" y="20">{html.escape(column.title)}</text>',
            *(
                f'<text class="kind" x="{x + BOX / 2:g}" y="{37 + 16 * line}">{html.escape(short(text))}</text>'
                for line, text in enumerate(column.name.split("\n"))
            ),
        ]
        for unit, (left, top) in enumerate(column.places):
            name = {"input": "x", "layer": "y", "loss": "L"}[column.kind]
            label = name if column.kind == "loss" or column.whole else f"{name}[<tspan class='row'>0</tspan>,{unit}]"
            box = f'id="c{number}-{unit}" class="box {column.kind}{" whole" * column.whole}"'
            parts.append(f'<g {box}><rect x="{left:g}" y="{top:g}" width="{BOX}" height="{column.high}" rx="8"/>')
            rows = (18, 36, 56, 74) if column.whole else (19, 19, 38, 38)  # label, value, label, gradient
            texts = [("label", 8, label), ("v", BOX - 8, ""), ("label", 8, f"dL/d{name}"), ("g", BOX - 8, "")]
            for row, (kind, right, text) in zip(rows, texts[: 2 if column.kind == "loss" else 4]):
                parts.append(f'<text class="{kind}" x="{left + right:g}" y="{top + row:g}">{text}</text>')
            parts.append("</g>")
        return [*parts, "</g>"]


def short(text: str) -> str:
    """What fits above a box."""
    return text if len(text) <= 20 else text[:17] + "..."


def summary(quantity: Quantity) -> str:
    """Shape and statistics of an array that is not shown number by number."""
    return "" if quantity.array is None or quantity.complete else statistics(quantity.array)


TIP = (
    '<marker id="tip{0}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9"'
    ' markerUnits="userSpaceOnUse" orient="auto-start-reverse"><path class="tip{0}" d="M0 0 L8 4 L0 8 z"/></marker>'
)
ARROWS = f"<defs>{TIP.format('')}{TIP.format('-v')}{TIP.format('-g')}</defs>"
