"""The network of a worksheet as boxes and arrows, in SVG.

A column for each layer, between the input and the loss: a box for each unit, or one box for a layer of many. Boxes hold
their values above and their gradients below; both stay blank until the page's cursor has come to them. What goes past
other layers, as around a block, is an arrow above them.
"""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from ...checks import Array
from .columns import ALL, BOX, LANE, TOP, WHOLE, Column, Network
from .formula import fmt
from .lines import NOT_NEEDED, Index, Line, Quantity
from .text import statistics

DIGITS = 4  # significant ones in a box


class Drawing(Network):
    """What the boxes and arrows show, and when. `maps` are images, [width, height, a hexadecimal digit a pixel]."""

    def __init__(self, sheet: Any, at: dict[tuple[str, Index], int]) -> None:
        super().__init__(sheet, at)
        self.maps: list[list[Any]] = []

    def map_of(self, pixels: Array) -> int:
        """Where among the maps an image is: in 16 steps from its least to its largest, each image once."""
        low, high = (float(f(pixels, initial=0.0, where=np.isfinite(pixels))) for f in (np.min, np.max))
        steps = np.nan_to_num(15 * (np.asarray(pixels, float) - low) / ((high - low) or 1.0)).clip(0, 15)
        found = [pixels.shape[1], pixels.shape[0], "".join(f"{int(step):x}" for step in np.rint(steps).flat)]
        if found not in self.maps:
            self.maps.append(found)
        return self.maps.index(found)

    # --- what the page needs to fill it ---

    def cells(self) -> dict[str, dict[str, dict[int, list[Any]]]]:
        """For each box the texts of its value "v" and gradient "g", for each row of the batch: [text, when known]."""
        found = {}
        for number, column in enumerate(self.columns):
            for unit in range(column.units):
                second = "after" if column.kind == "loss" else "g"
                both = {"v": column.value, second: column.gradient}
                found[f"c{number}-{unit}"] = {name: self.texts(column, unit, q) for name, q in both.items()}
        return found

    def texts(self, column: Column, unit: int, quantity: Quantity | None) -> dict[int, list[Any]]:
        """One box's value or gradient, row by row."""
        if quantity is None:
            return {}
        a, key = quantity.array, quantity.key
        if a is None:
            return {0: [NOT_NEEDED, self.when(key, (-1,))]}
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
            if column.kind == "loss":
                texts[2:] = [("label", 8, "L after"), ("after", BOX - 8, "")] if column.gradient else []
            for row, (kind, right, text) in zip(rows, texts):
                parts.append(f'<text class="{kind}" x="{left + right:g}" y="{top + row:g}">{text}</text>')
            parts += [*(self.thumbnails(number, column) if column.images else []), "</g>"]
        return [*parts, "</g>"]

    def thumbnails(self, number: int, column: Column) -> list[str]:
        """The first channels of the first example as small images, which the page's script fills."""
        (left, top), a = column.places[0], column.value.array  # type: ignore[union-attr]
        return [
            f'<image class="thumb" data-box="c{number}-0" data-map="{self.map_of(a[0, :, :, channel])}" '  # type: ignore[index]
            f'x="{left + 8 + 43 * channel:g}" y="{top + WHOLE:g}" width="40" height="40"/>'
            for channel in range(min(a.shape[-1], 3))  # type: ignore[union-attr]
        ]


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
