"""A worksheet as one page: the network drawn, and a cursor that walks through forward, loss, backward and update.

Everything that the page shows is written here, in Python, as text; page.html has its looks and the few lines of script
that move the cursor. The page loads nothing.
"""

from __future__ import annotations

import html
import json
import re
from importlib import resources
from typing import Any

from .drawing import Drawing, summary
from .formula import Number, Tokens, written
from .lines import Index, Line, Quantity, Step
from .nudge import nudge
from .text import corner

MOST_NUDGES = 60  # gradients that are measured, too
LARGE = 20_000  # parameters from which on only the largest gradient of each array is


def page(sheet: Any) -> str:
    """The page as a text."""
    at: dict[tuple[str, Index], int] = {}  # where the cursor is when a number gets known
    for step in sheet.all_steps[1:]:
        for quantity in step.quantities:
            for index in quantity.indices if quantity.array is not None else [(-1,)]:
                at[quantity.key, index] = len(at) + 1
    drawing = Drawing(sheet, at)
    measured = nudges(sheet)
    lines = [
        line_data(drawing, step, quantity, index, measured)
        for step in sheet.all_steps[1:]
        for quantity in step.quantities
        for index in (quantity.indices if quantity.array is not None else [()])
    ]
    data = {
        "steps": [step_data(step) for step in sheet.all_steps],
        "lines": lines,
        "cells": drawing.cells(),
        "weights": drawing.weights(),
        "rows": 1 if all(column.whole for column in drawing.columns[:-1]) else len(sheet.record.x),
    }
    parts = {
        "title": html.escape(sheet.title.removeprefix("One training step of ")),
        "svg": drawing.svg(),
        "data": json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"),
        "text": html.escape(sheet.text()),
    }
    template = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    return re.sub(r"<!--(\w+)-->", lambda match: parts[match[1]], template)


def frame(sheet: Any) -> str:
    """The page inside another one, where its script and its looks stay its own."""
    style = "width:100%;height:860px;border:1px solid #8888;border-radius:8px"
    return f'<iframe title="one training step" style="{style}" srcdoc="{html.escape(page(sheet))}"></iframe>'


def step_data(step: Step) -> dict[str, Any]:
    """What the page says of a step."""
    return {
        "phase": step.phase,
        "head": step.heading,
        "note": step.note,
        "laws": [
            {
                "law": quantity.law if step.number else f"{quantity.key.format('')}",
                "shapes": quantity.shapes,
                "sum": summary(quantity),
                "corner": "\n".join(corner(quantity.array, 42)) if summary(quantity) else "",  # type: ignore[arg-type]
                "all": [] if step.number else given(quantity),
            }
            for quantity in step.quantities
        ],
    }


def given(quantity: Quantity) -> list[list[str]]:
    """The numbers of a small array that is given: name and value."""
    return [[line.left, line.text] for line in quantity.lines] if quantity.complete else []


def line_data(
    drawing: Drawing, step: Step, quantity: Quantity, index: Index, measured: dict[str, str]
) -> dict[str, Any]:
    """What the page says of a number."""
    line = quantity.line(index)
    blank = line.value is None
    name = quantity.key.format("") if blank else line.name
    data = {
        "step": step.number,
        "law": step.quantities.index(quantity),
        "name": name,
        "left": line.left,
        "sym": "" if blank else coloured(line.formula.tokens, None),
        "num": coloured(line.formula.tokens, line.digits) if line.numbers in line.chain else "",
        "mid": coloured(middle(line), line.digits) if line.middle else "",
        "val": line.text,
        "kind": "g" if quantity.left.startswith(("dL/", "clipped")) else "v",
        "note": line.formula.note,
        "nudge": measured.get(name, ""),
        **drawing.marks(line, quantity.key, index),
    }
    return {key: value for key, value in data.items() if value not in ("", [])}


def middle(line: Line) -> Tokens:
    """The parts of a sum as tokens, in the colour of what they add up to."""
    if line.formula.middle:
        return line.formula.middle
    kind = "dL/[" if line.left.startswith("dL/") else "["
    tokens: list[str | Number] = []
    for part in line.formula.parts:
        tokens += [*([" + "] if tokens else []), Number(kind, part.value, part.more)]
    return tokens


def coloured(tokens: Tokens, digits: int | None) -> str:
    """The tokens in HTML: in symbols, or with the numbers; values and gradients marked as such."""
    texts = ['<span class="t">']
    for place, token in enumerate(tokens):
        if isinstance(token, str):
            text = html.escape(token.replace(" * ", " " if digits is None else " · "))
            texts.append(text.replace(" + ", '</span> <span class="t">+ '))  # lines break between terms alone
            continue
        text = token.symbol if digits is None else written(token, digits)
        follows = tokens[place + 1] if place + 1 < len(tokens) else ""
        if digits is not None and text.startswith("-") and isinstance(follows, str) and follows.startswith("^"):
            text = f"({text})"
        kind = {"gradient": "g", "value": "v", "constant": "c"}[token.kind]
        texts.append(f'<span class="{kind}">{html.escape(text)}</span>')
    return "".join([*texts, "</span>"])


def nudges(sheet: Any) -> dict[str, str]:
    """The measured gradients of parameters, by the names of their lines."""
    given = sheet.step(0).quantities[2:]
    large = sum(quantity.array.size for quantity in given) > LARGE
    found: dict[str, str] = {}
    for step in sheet.all_steps:
        for quantity in step.quantities:
            parameter = quantity.key.removeprefix("dL/d")
            if quantity.key == parameter or parameter not in {other.key for other in given} or quantity.array is None:
                continue
            for index in quantity.indices[-1:] if large else quantity.indices:
                if len(found) < MOST_NUDGES:
                    n = nudge(sheet, parameter.format(index_text(index)))
                    losses = f"L = {n.less:.10g} with it {n.h:g} less, {n.more:.10g} with it {n.h:g} more"
                    found[quantity.key.format(index_text(index))] = f"{losses}: slope {n.measured:.7g}"
    return found


def index_text(index: Index) -> str:
    """(0, 1) -> "[0,1]" """
    return f"[{','.join(map(str, index))}]"
