"""Verdicts as the command prints them: reports with a table of them, a table of files, JSON."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import Any

from ..report import WIDTH, wrapped
from .verdicts import OPEN, RIGHT, WRONG, Judged, Verdict

SCHEMA = 1
COLOURS = {RIGHT: "32", WRONG: "31", OPEN: "33"}
NARROW = 80
Columns = dict[str, list[tuple[str, str]]]


def width() -> int:
    """The columns of the terminal, 80 to 100; 100 where it is none."""
    return max(NARROW, min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))


def coloured(text: str, verdict: str) -> str:
    """A text in the colour of a verdict, on a terminal, unless NO_COLOR is set."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty()
    return text if plain else f"\033[{COLOURS[verdict]}m{text}\033[0m"


def as_json(files: list[Judged]) -> str:
    """All files with all verdicts."""
    from .... import __version__

    found = {"schema": SCHEMA, "tinynn": __version__, "status": status_of(files)}
    return json.dumps({**found, "files": [one.as_dict() for one in files]}, indent=2)


def status_of(files: list[Judged]) -> int:
    """1 where one is wrong, else 2 where one is not judged, else 0."""
    found = [one.status for one in files]
    return 1 if 1 in found else max(found, default=2)


def as_reports(file: Judged) -> str:
    """The report on each thing, then a table of them."""
    said = []
    for one in file.verdicts:
        head, _, rest = one.report.partition("\n")
        said.append(f"{coloured(head, one.verdict)}\n{rest}\n")
    if len(file.verdicts) > 1 or any(file.columns()[1]):
        said.append("\n".join(table([row_of(one) for one in file.verdicts], [one.verdict for one in file.verdicts])))
        total = total_of(file)
        said[-1] += f"\n\npoints: {total}" if total else ""
    aside = [line for sentence in file.aside for line in wrapped("note  ", sentence, width())]
    return "\n".join(said + ([""] * bool(said[1:]) + aside if aside else [])).rstrip("\n")


def row_of(one: Verdict) -> list[str]:
    """A line of the table of a file."""
    points = "" if one.possible is None else f"{'?' if one.points is None else f'{one.points:g}'} of {one.possible:g}"
    code = one.warning["code"] if one.warning else one.code
    line = f"line {one.line}" if one.line else ""
    return [one.name, line, one.verdict, points, "" if code in ("ok", "not-judged") else code]


def total_of(file: Judged) -> str:
    """The points of a file, "4 of 8, 2 open"; "" where none are given."""
    if not any(file.columns()[1]):
        return ""
    given = sum(one.points or 0 for one in file.verdicts)
    possible = sum(one.possible or 0 for one in file.verdicts)
    left = sum(one.possible or 0 for one in file.verdicts if one.points is None)
    return f"{given:g} of {possible:g}" + (f", {left:g} open" if left else "")


def table(rows: list[list[str]], verdicts: list[str], at: int = 2) -> list[str]:
    """Rows with their cells below each other, the cell `at` in the colour of the row's verdict; no empty columns."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for row, verdict in zip(rows, verdicts):
        cells = [f"{cell:<{n}}" for cell, n in zip(row, widths)]
        cells[at] = coloured(cells[at], verdict)
        lines.append("  ".join(cell for cell, n in zip(cells, widths) if n).rstrip())
    return lines


def as_table(folder: str, files: list[Judged], names: list[str], others: list[str]) -> str:
    """A row for each file, a column for each name; then why it is so where it is not right."""
    shown = [os.path.relpath(file.file, folder) for file in files]
    names = names or list(dict.fromkeys(one.name for file in files for one in file.verdicts if one.name))
    columns = {name: [cell_of(file, name) for file in files] for name in names or ["verdict"]}
    if any(total_of(file) for file in files):
        columns["points"] = [(total_of(file), "") for file in files]
    lines: list[str] = []
    while columns:
        part, columns = fitting(columns, max(map(len, shown)))
        lines += [*([""] if lines else []), *block(shown, part)]
    for name, file in zip(shown, files):
        lines += why_lines(name, file)
    counts = [f"{n} {verdict}" for verdict in COLOURS if (n := sum(file.verdict == verdict for file in files))]
    lines += ["", f"{len(files)} file{'s' * (len(files) != 1)}: {', '.join(counts)}"]
    if others:
        lines += wrapped("", f"not looked at, as they are no Python files: {', '.join(others)}", width())
    return "\n".join(lines)


def fitting(columns: Columns, used: int) -> tuple[Columns, Columns]:
    """The first columns, as many as fit beside what is used of a line, and the others."""
    part: Columns = {}
    for name, cells in columns.items():
        used += 2 + max(len(name), *(len(text) for text, _ in cells))
        if part and used > width():
            break
        part[name] = cells
    return part, {name: cells for name, cells in columns.items() if name not in part}


def block(heads: list[str], columns: Columns) -> list[str]:
    """The lines of a table with its heads; a cell is a text and the verdict that colours it, or ""."""
    first = max(len("file"), *map(len, heads))
    widths = {name: max(len(name), *(len(text) for text, _ in cells)) for name, cells in columns.items()}
    lines = ["  ".join([f"{'file':<{first}}", *(f"{name:<{n}}" for name, n in widths.items())]).rstrip()]
    lines.append("-" * (first + sum(2 + n for n in widths.values())))
    for k, head in enumerate(heads):
        cells = [(f"{columns[name][k][0]:<{n}}", columns[name][k][1]) for name, n in widths.items()]
        shown = [coloured(text, verdict) if verdict else text for text, verdict in cells]
        lines.append("  ".join([f"{head:<{first}}", *shown]).rstrip())
    return lines


def cell_of(file: Judged, name: str) -> tuple[str, str]:
    """The verdict of a file on a name, as it is shown and as it is coloured."""
    if [one.name for one in file.verdicts] == [""]:
        return OPEN, OPEN
    found = next((one for one in file.verdicts if one.name == name), None)
    if found is None:
        return "-", ""
    return ("missing" if found.code == "missing" else found.verdict + "*" * bool(found.warning)), found.verdict


def why_lines(shown: str, file: Judged) -> list[str]:
    """What is not right in a file, and warnings, a paragraph each."""
    seen: dict[str, Any] = {}
    for one in file.verdicts:
        said = one.warning or {"code": one.code, "sentence": one.sentence}
        if one.verdict != RIGHT or one.warning:
            seen.setdefault(said["sentence"], (one, said["code"]))
    lines: list[str] = []
    for sentence, (one, code) in seen.items():
        whole = len(seen) == 1 and len(file.verdicts) > 1 and all(other.sentence == sentence for other in file.verdicts)
        name = f", {one.name}" if one.name and not whole else ""
        line = f", line {one.line}" if one.line else ""
        star = "* " if one.warning else ""
        lines += ["", *wrapped("", f"{star}{shown}{name}{line}: {code}", width())]
        lines += wrapped("    ", sentence, width())
    return lines
