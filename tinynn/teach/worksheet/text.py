"""A worksheet as a text that fits its width."""

from __future__ import annotations

import itertools
import textwrap
from typing import Any

import numpy as np

from ...checks import Array
from .formula import fmt
from .lines import NOT_NEEDED, Line, Quantity, Step

WIDTH = 100
LONGEST = 1200  # lines of a sheet; of a longer one, the steps in the middle of each phase are left out
ROWS, COLUMNS = 3, 4  # of a corner


def sheet_text(sheet: Any, width: int = WIDTH) -> str:
    """The whole sheet."""
    lines = wrapped(sheet.title, width)
    for line in sheet.intro:
        lines += wrapped(line, width)
    texts = {step.number: step_text(step, width) for step in sheet}
    steps, left_out = shortened([*sheet], {k: text.count("\n") + 2 for k, text in texts.items()}, LONGEST)
    phase = ""
    for step in steps:
        if step.phase != phase:
            phase = step.phase
            lines += ["", f"---- {phase} ".ljust(min(width, WIDTH) - 2, "-")]
        lines += ["", texts[step.number]]
        if step.number in left_out:
            lines += ["", *wrapped(left_out[step.number], width)]
    return "\n".join(lines)


def shortened(steps: list[Step], sizes: dict[int, int], most: int) -> tuple[list[Step], dict[int, str]]:
    """The steps that are shown, of `most` size together, and what is said of the others after which of these.

    Those left out are in the middle of their phases, of the largest phase first.
    """
    phases: dict[str, list[Step]] = {}
    for step in steps:
        phases.setdefault(step.phase, []).append(step)
    out: dict[int, Step] = {}

    def size(phase: str) -> int:
        return sum(sizes[step.number] for step in phases[phase])

    while sum(map(size, phases)) > most and any(len(group) > 2 for group in phases.values()):
        group = phases[max((phase for phase in phases if len(phases[phase]) > 2), key=size)]
        step = group.pop(len(group) // 2)
        out[step.number] = step
    words, last = {}, 0
    for left_out, run in itertools.groupby(steps, key=lambda step: step.number in out):
        numbers = [step.number for step in run]
        if left_out:
            where = f"{len(numbers)} more, steps {numbers[0]} to {numbers[-1]}"
            words[last] = f"... ({where}: sheet.step({numbers[0]}) shows the first of them)"
        last = numbers[-1]
    return [step for step in steps if step.number not in out], words


def step_text(step: Step, width: int = WIDTH) -> str:
    """One step: its quantities, each with its law and the lines of its numbers."""
    lines = wrapped(step.heading, width)
    if step.note:
        lines += wrapped(f'"{step.note}"', width, "  ")
    for quantity in step.quantities:
        if step.number == 0:
            lines += array_lines(quantity, width, "  ", f"{quantity.key.format('')} = ")
        else:
            lines += quantity_lines(quantity, width)
    return "\n".join(lines)


def quantity_lines(quantity: Quantity, width: int) -> list[str]:
    """The law with its shapes, statistics where not every number is shown, and the numbers."""
    entries = quantity.lines
    law = quantity.heading(entries)
    head = f"  {law}"
    if quantity.shapes and len(head) + 4 + len(quantity.shapes) <= width:
        lines = [f"{head}    {quantity.shapes}"]
    else:
        lines = wrapped(law, width, "  ") + (wrapped(quantity.shapes, width, "      ") if quantity.shapes else [])
    if quantity.array is None:
        return [*lines, f"    {quantity.left} = {NOT_NEEDED}"]
    if not quantity.complete:
        lines += wrapped(f"{quantity.left}: {statistics(quantity.array)}", width, "    ")
        if quantity.array.ndim < 4:  # of images and kernels the corner says little
            lines += [f"      {row}" for row in corner(quantity.array, width - 6)]
    for index, line in zip(quantity.indices, entries):
        lines += line_lines(line, width, "    ")
        if index == quantity.main:
            lines += picture_lines(quantity.picture(index), width, "      ")
    return lines


def picture_lines(picture: Any, width: int, indent: str) -> list[str]:
    """The grids of a picture, side by side as far as they fit, and its sentence."""
    if picture is None or not picture.grids:
        return []
    rows: list[list[str]] = [[]]
    for grid in picture.grids:
        block = grid_lines(grid)
        if rows[-1] and len(indent) + len(rows[-1][0]) + len(block[0]) > width:
            rows.append([])
        high = max(len(block), len(rows[-1]))
        before = rows[-1] + [" " * len(rows[-1][0] if rows[-1] else "")] * (high - len(rows[-1]))
        rows[-1] = [a + b for a, b in zip(before, block + [" " * len(block[0])] * (high - len(block)))]
    lines = [(indent + line).rstrip() for row in rows for line in row]
    return lines + (wrapped(picture.caption, width, indent) if picture.caption else [])


def grid_lines(grid: Any) -> list[str]:
    """A grid under its title, all lines equally long; what it is about stands in brackets."""
    cells = [
        [f"[{cell}]" if (i, j) in grid.marks else f"{cell} " for j, cell in enumerate(row)]
        for i, row in enumerate(grid.rows)
    ]
    wide = max((len(cell) for row in cells for cell in row), default=0) + 1
    lines = ["".join(cell.rjust(wide) for cell in row) for row in cells]
    longest = max(map(len, [*lines, grid.title]))
    sign = grid.sign.center(4) if grid.sign else ""
    blank = " " * len(sign)
    lines = [(sign if number == len(lines) // 2 else blank) + line.ljust(longest) for number, line in enumerate(lines)]
    return [blank + grid.title.ljust(longest), *lines]


def line_lines(line: Line, width: int, indent: str) -> list[str]:
    """left = symbols, and below it = numbers = parts = value, in as few lines as it fits."""
    pad = " " * len(line.left)
    if line.symbols == f"{line.left} = ":
        return wrapped(f"{line.left} = {line.text}", width, indent)
    lines = terms(line.symbols, width, indent, indent + pad + "   ")
    current = ""
    for piece in line.chain:
        longer = f"{current} = {piece}" if current else f"{indent}{pad} = {piece}"
        if current and len(longer) > width:
            lines += terms(current.strip(), width, indent + pad + " ", indent + pad + "   ")
            longer = f"{indent}{pad} = {piece}"
        current = longer
    lines += terms(current.strip(), width, indent + pad + " ", indent + pad + "   ") if current else []
    if line.formula.note:
        lines += wrapped(f"({line.formula.note})", width, indent + "  ")
    return lines


def terms(text: str, width: int, indent: str, after: str) -> list[str]:
    """A formula in lines that break before a +; where terms are too long for that, before a -, or anywhere."""
    for signs in ("+", "+-"):
        kept = text.replace(" ", "\xa0")
        for sign in signs:
            kept = kept.replace(f"\xa0{sign}\xa0", f" {sign}\xa0")
        if max(map(len, kept.split(" "))) <= width - max(len(indent), len(after)):
            return [line.replace("\xa0", " ") for line in wrapped(kept, width, indent, after)]
    return wrapped(text, width, indent, after)


def array_lines(quantity: Quantity, width: int, indent: str, head: str) -> list[str]:
    """A whole array: in one line where it fits, else its statistics and its corner."""
    a = quantity.array
    if a is None:
        return [f"{indent}{head}"]
    if a.size <= 12 or a.ndim == 0:
        return wrapped(f"{head}{inline(a)}    {quantity.shapes}", width, indent)
    return [*wrapped(f"{head}{statistics(a)}", width, indent), *[f"{indent}  {row}" for row in corner(a, width - 4)]]


def inline(a: Array) -> str:
    """A small array on one line."""
    if a.ndim:
        return "[" + ", ".join(inline(row) for row in a) + "]"
    return fmt(a.item(), 6) if a.dtype.kind == "f" else str(a.item())


def statistics(a: Array) -> str:
    """Shape, range, mean and the share of zeros."""
    if a.dtype.kind != "f":
        return f"{np.shape(a)}, from {a.min()} to {a.max()}"
    with np.errstate(all="ignore"):
        low, mean, high = (fmt(float(f(a)), 4) for f in (np.min, np.mean, np.max))
    zeros = f"{100 * float(np.mean(a == 0)):.0f} % zeros"
    return f"{np.shape(a)}, min {low}, mean {mean}, max {high}, {zeros}"


def corner(a: Array, width: int) -> list[str]:
    """The first rows and columns, in columns."""
    table = a.reshape(-1, a.shape[-1])  # of images and sequences, each position is a row
    columns = max(1, min(COLUMNS, (width - 4) // 12))
    cells = [[fmt(float(value), 4) for value in row[:columns]] for row in table[:ROWS]]
    more = " ..." if table.shape[1] > columns else ""
    lines = ["".join(f"{cell:>12}" for cell in row) + more for row in cells]
    return [*lines, f"{'...':>12}"] if len(table) > ROWS else lines


def wrapped(text: str, width: int, indent: str = "", after: str | None = None) -> list[str]:
    """The text in lines of at most `width`."""
    after = indent if after is None else after
    options: dict[str, Any] = {"break_on_hyphens": False, "initial_indent": indent, "subsequent_indent": after}
    return textwrap.wrap(text, width, **options) or [indent]
