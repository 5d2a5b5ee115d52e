"""A worksheet as one page: the network drawn, and a cursor that walks through forward, loss, backward and update.

Everything that the page shows is written here, in Python, as text; page.css has its looks, and page.js the few lines of
script that move the cursor. The page loads nothing.
"""

from __future__ import annotations

import html
import json
import math
import re
from dataclasses import replace
from importlib import resources
from typing import Any

from .drawing import Drawing, summary
from .formula import Number, Tokens, fmt, written
from .grade import UNITS, causes
from .lines import Index, Line, Quantity, Step
from .nudge import nudge
from .pictures import Bars, Dots, Grid, Map
from .quiz import is_small, quiz
from .text import corner, shortened

MOST_BYTES = 400_000  # of what is said of the steps; of a deeper network, those in the middle are left out
MOST_NUDGES = 60  # gradients that are measured, too
MOST_WORK = 10_000_000  # numbers that layers compute for that; a call itself takes as long as some of them
PER_CALL = 30_000
MOST_CALLS = 20  # of layers in a step: of a deeper network, the quiz does not say what slip gives a wrong answer
LONG = 400  # a title of so many signs is shown whole
LARGE = 20_000  # parameters from which on only the largest gradient of each array is
# In place of <span class="v"> and </span>, which the script puts back: they are most of what a page says.
OPEN, CLOSE = {"v": "\ue001", "g": "\ue002", "t": "\ue003"}, "\ue000"


def page(sheet: Any) -> str:
    """The page as a text."""
    measured = nudges(sheet)
    first = Drawing(sheet, {(quantity.key, (-1,)): 0 for step in sheet.all_steps for quantity in step.quantities})
    sizes = {step.number: size_of(first, step, measured) for step in sheet.all_steps}
    steps, left_out = shortened(sheet.all_steps, sizes, MOST_BYTES)
    shown = {step.number for step in steps}
    at, count = {}, 0  # where the cursor is when a number gets known; one of a step that is left out, with the next one
    for step in sheet.all_steps[1:]:
        for quantity in step.quantities:
            known = step.number in shown
            for index in quantity.indices if quantity.array is not None and known else [(-1,)]:
                count += known
                at[quantity.key, index] = count if known else count + 1
    drawing = Drawing(sheet, at)
    lines = [line for place, step in enumerate(steps) for line in step_lines(drawing, step, place, measured)]
    data = {
        "steps": [step_data(step) for step in steps],
        "all": len(sheet.all_steps) - 1,
        "lines": lines,
        "cells": drawing.cells(),
        "weights": drawing.weights(),
        "maps": drawing.maps,
        "small": is_small(sheet),
        "quiz": quiz_data(sheet, [line["name"] for line in lines]),
        "rows": 1 if all(column.whole for column in drawing.columns[:-1]) else len(sheet.record.x),
    }
    parts = {
        "style": template("page.css"),
        "script": "".join(template(f"{name}.js") for name in ("pictures", "page", "quiz", "moves")),
        "cut": f"<p class='soft'>Left out here: {html.escape('; '.join(left_out.values()))}</p>" if left_out else "",
        "title": headline(sheet.title.removeprefix("One training step of ")),
        "svg": drawing.svg(),
        "data": json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        "text": html.escape(sheet.text()),
    }
    return re.sub(r"<!--(\w+)-->", lambda match: parts[match[1]], template("page.html"))


def headline(title: str) -> str:
    """What is explained; of a deep network, the beginning, and all of it on demand."""
    text = f'<p class="model">{html.escape(title)}</p>'
    if len(title) <= LONG:
        return text
    return f'<details><summary class="model">{html.escape(title[: LONG // 2])} ...</summary>{text}</details>'


def template(name: str) -> str:
    """The text of a file that lies beside this one."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def size_of(drawing: Drawing, step: Step, measured: dict[str, str]) -> int:
    """How long what the page says of a step is."""
    return len(json.dumps([step_data(step), *step_lines(drawing, step, step.number, measured)], ensure_ascii=False))


def step_lines(drawing: Drawing, step: Step, place: int, measured: dict[str, str]) -> list[dict[str, Any]]:
    """What the page says of a step's numbers; of those that are given, the step itself has them."""
    return [
        line_data(drawing, step, place, quantity, index, measured)
        for quantity in (step.quantities if step.number else [])
        for index in (quantity.indices if quantity.array is not None else [()])
    ]


def frame(sheet: Any) -> str:
    """The page inside another one, where its script and its looks stay its own."""
    style = "width:100%;height:860px;border:1px solid #8888;border-radius:8px"
    return f'<iframe title="one training step" style="{style}" srcdoc="{html.escape(page(sheet))}"></iframe>'


def step_data(step: Step) -> dict[str, Any]:
    """What the page says of a step."""
    return {
        "number": step.number,
        "phase": step.phase,
        "head": step.heading,
        "note": step.note,
        "laws": [
            {
                "law": quantity.heading(quantity.lines) if step.number else f"{quantity.key.format('')}",
                "shapes": quantity.shapes,
                "sum": summary(quantity),
                "corner": "\n".join(corner(quantity.array, 42)) if has_corner(quantity) else "",  # type: ignore[arg-type]
                "all": [] if step.number else given(quantity),
            }
            for quantity in step.quantities
        ],
    }


def has_corner(quantity: Quantity) -> bool:
    """Whether the corner of an array is shown: of images it says little."""
    return bool(summary(quantity)) and quantity.array is not None and quantity.array.ndim < 4


def picture_data(drawing: Drawing, quantity: Quantity, index: Index) -> list[Any]:
    """What the page draws of a number: a list for each part of its picture, and the sentence."""
    picture = quantity.picture(index)
    return [] if picture is None else [*(part_data(drawing, part) for part in picture.parts), picture.caption]


def part_data(drawing: Drawing, part: Grid | Map | Dots | Bars) -> list[Any]:
    """Its kind, sign and title, and what is in it."""
    if isinstance(part, Grid):
        return ["grid", part.sign, part.title, "|".join(" ".join(row) for row in part.rows), part.marks]
    if isinstance(part, Map):
        return ["map", part.sign, part.title, drawing.map_of(part.pixels), part.frame]
    if isinstance(part, Bars):
        return ["bars", "", part.title, [[name, fmt(value, 4)] for name, value in part.bars]]
    numbers = [float(fmt(value, 4)) for value in (part.mean, part.deviation, *part.values)]
    mark = None if math.isnan(part.mark) else float(fmt(part.mark, 4))
    return ["dots", part.sign, part.title, numbers, mark]


def given(quantity: Quantity) -> list[list[str]]:
    """The numbers of a small array that is given: name and value."""
    return [[line.left, line.text] for line in quantity.lines] if quantity.complete else []


def line_data(
    drawing: Drawing, step: Step, place: int, quantity: Quantity, index: Index, measured: dict[str, str]
) -> dict[str, Any]:
    """What the page says of a number."""
    line = quantity.line(index)
    blank = line.value is None
    name = quantity.key.format("") if blank else line.name
    data = {
        "step": place,
        "law": step.quantities.index(quantity),
        "name": name,
        "left": line.left,
        "sym": "" if blank else coloured(line.formula.tokens, None),
        "num": coloured(line.tokens, line.digits) if line.numbers in line.chain else "",
        "mid": coloured(middle(line), line.digits) if line.middle or line.rounded else "",
        "val": line.text,
        "kind": "g" if quantity.left.startswith(("dL/", "clipped")) else "v",
        "note": f"{line.precision} rounds at each step" if line.rounded else line.formula.note,
        "nudge": measured.get(name, ""),
        "pic": picture_data(drawing, quantity, index),
        **drawing.marks(line, quantity.key, index),
    }
    return {key: value for key, value in data.items() if value not in ("", [])}


def middle(line: Line) -> Tokens:
    """The parts of a sum as tokens, in the colour of what they add up to."""
    if line.formula.middle:
        return line.formula.middle
    kind = "dL/[" if line.left.startswith("dL/") else "["
    tokens = [replace(token, symbol=kind) if isinstance(token, Number) else token for token in line.step_between]
    return [*tokens, " = ", Number(kind, 0.0, text=line.rounded)] if line.rounded else tokens


def coloured(tokens: Tokens, digits: int | None) -> str:
    """The tokens in HTML: in symbols, or with the numbers; values and gradients marked as such, by one sign each."""
    texts, in_root = [OPEN["t"]], False
    for place, token in enumerate(tokens):
        if isinstance(token, str):
            text = html.escape(token.replace(" * ", " " if digits is None else " · "))
            # Lines break between terms alone, and not within sqrt(var + eps).
            text = text.replace(" - ", " -\u00a0")  # a sign stays with its term
            texts.append(text if in_root else text.replace(" + ", f"{CLOSE} {OPEN['t']}+ "))
            in_root = "sqrt(" in token or (in_root and ")" not in token)
            continue
        text = token.symbol if digits is None else written(token, digits)
        follows = tokens[place + 1] if place + 1 < len(tokens) else ""
        if digits is not None and text.startswith("-") and isinstance(follows, str) and follows.startswith("^"):
            text = f"({text})"
        kind = {"gradient": "g", "value": "v", "constant": "c"}[token.kind]
        texts.append(f"{OPEN[kind]}{html.escape(text)}{CLOSE}" if kind != "c" else html.escape(text))
    return "".join([*texts, CLOSE])


def quiz_data(sheet: Any, names: list[str]) -> list[dict[str, Any]]:
    """The blanks of a quiz, in the page's order: each one's place, value and round-off, and what slips give there."""
    found = []
    few = len(sheet.record.calls) <= MOST_CALLS
    for name in quiz(sheet, seed=0).names:
        if name in names:
            quantity, index = sheet.find(name)
            value, unit = float(quantity.array[index]), UNITS.get(quantity.precision, 1e-7)
            wrong = causes(sheet, quantity, index) if few else ()
            slips = [(other, why) for other, why in wrong if 3 * unit * abs(value) < abs(other - value) < math.inf]
            found.append({"place": names.index(name) + 1, "value": value, "unit": unit, "slips": slips})
    return found


def nudges(sheet: Any) -> dict[str, str]:
    """The measured gradients of parameters, by the names of their lines."""
    given = sheet.step(0).quantities[2:]
    large = sum(quantity.array.size for quantity in given) > LARGE
    work = sum(call.y.size + PER_CALL for call in sheet.record.calls)
    most = min(MOST_NUDGES, MOST_WORK // work)
    found: dict[str, str] = {}
    for step in sheet.all_steps:
        for quantity in step.quantities:
            parameter = quantity.key.removeprefix("dL/d")
            if quantity.key == parameter or parameter not in {other.key for other in given} or quantity.array is None:
                continue
            for index in quantity.indices[-1:] if large else quantity.indices:
                if len(found) < most:
                    n = nudge(sheet, parameter.format(index_text(index)))
                    losses = f"L = {n.less:.10g} with it {n.h:g} less, {n.more:.10g} with it {n.h:g} more"
                    found[quantity.key.format(index_text(index))] = f"{losses}: slope {n.measured:.7g}"
    return found


def index_text(index: Index) -> str:
    """(0, 1) -> "[0,1]" """
    return f"[{','.join(map(str, index))}]"
