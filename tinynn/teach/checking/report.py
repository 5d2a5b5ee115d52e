"""What a check found: a Report is true or false, and prints as a text that fits 100 columns."""

from __future__ import annotations

import html
import os
import textwrap
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...checks import Array

if TYPE_CHECKING:
    from .sweep import StepSizeSweep

WIDTH = 100
STABILITY = (
    "no-max-subtraction",
    "log-of-zero",
    "eps-in-loss",
    "eps-in-log",
)  # right but for scores of 1,000: see `lenient`
PACKAGE = str(Path(__file__).parents[2]) + os.sep


@dataclass
class Row:
    """One tensor: what the code's backward gives at its worst entry, and what was measured there."""

    where: str
    tensor: str
    entry: str
    analytic: float
    numeric: float
    error: float
    verdict: str  # "ok", "wrong", "kink", "raises" or "open" (not judged)


@dataclass
class Finding:
    """The cause of what is wrong: a code for programs, sentences for people."""

    code: str
    where: str
    why: str
    fix: str = ""
    tensor: str = ""  # whose worst entry `why` names, in the words of `example`
    example: str = ""
    line: int | None = None  # of the learner's file, where it is known
    place: str = ""  # the lines that write the gradient, with their text

    def agree_with(self, rows: list[Row]) -> None:
        """Say in `why` what the table says of that tensor: an examination of a layer alone has a dy of its own."""
        for row in rows:
            if self.example and (row.where, row.tensor, row.verdict) == (self.where, self.tensor, "wrong"):
                said = _entry(row.tensor, row.entry, row.analytic, row.numeric)
                self.why, self.example = self.why.replace(self.example, said), said


def raised(where: str, method: str, error: Exception) -> Finding:
    """A learner's code has raised: the line where it did."""
    frames = learners_frames(error)
    if not frames and isinstance(error, TypeError) and "argument" in str(error):
        why = f"this style is not known: {method} cannot be called as forward(x) or backward(dy) is: {error}"
        return Finding("not-judged", where, why)
    return Finding("raises", where, f"{method} raises {in_words(error)}", line=line_of(error)[0])


def in_words(error: BaseException) -> str:
    """An error with the learner's line that raised it, and what it says."""
    number, text = line_of(error)
    line = f" in line {number}, `{text}`" if text else ""
    said = f": {error}" if str(error) else ""
    return f"{type(error).__name__}{line}{said}"


def line_of(error: BaseException) -> tuple[int | None, str]:
    """The line of the learner's that raised an error, and its number, in the file where the learner's code begins."""
    frames = learners_frames(error)
    own = [frame for frame in frames if frame.filename == frames[0].filename]
    return (own[-1].lineno, own[-1].line or "") if own else (None, "")


def learners_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The lines of a traceback that are the learner's, not of tinynn or of an installed package."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f for f in frames if not f.filename.startswith((PACKAGE, "<frozen")) and "site-packages" not in f.filename]


def place_of(index: Any) -> str:
    """An entry as it is written, [0, 1]; nothing for that of a single number."""
    return f"[{', '.join(str(int(i)) for i in index)}]" if len(index) else ""


def worst_of(analytic: Array, numeric: Array) -> tuple[Any, ...]:
    """The entry in which they differ most, of those that were measured."""
    return np.unravel_index(int(np.nanargmax(np.abs(analytic - numeric))), analytic.shape)


def worked(tensor: str, analytic: Array, numeric: Array) -> str:
    """The worst entry with its two numbers."""
    index = worst_of(analytic, numeric)
    return _entry(tensor, place_of(index), analytic[index], numeric[index])


def _entry(tensor: str, entry: str, analytic: float, numeric: float) -> str:
    return f"At {tensor}{entry} the code gives {analytic:.6g}, measured is {numeric:.6g}."


@dataclass
class Report:
    """True where every gradient was looked at and is right.

    `code` is "ok", the name of the slip, "unknown", or "not-judged" where something could not be looked at.
    """

    title: str
    method: str = ""
    rows: list[Row] = field(default_factory=list)
    finding: Finding | None = None
    notes: list[str] = field(default_factory=list)
    sweeper: Callable[[], StepSizeSweep] | None = field(default=None, repr=False)
    plotter: Callable[[Any], Any] | None = field(default=None, repr=False)
    columns: tuple[str, str] = ("analytic", "numeric")
    warning: Finding | None = None

    def __bool__(self) -> bool:
        return self.finding is None

    @property
    def code(self) -> str:
        """ "ok", or the name of what is wrong."""
        return self.finding.code if self.finding else "ok"

    @property
    def where(self) -> str:
        """The layer or loss that is wrong; empty where none is."""
        return self.finding.where if self.finding else ""

    @property
    def why(self) -> str:
        """What the code does, and what it should; empty where nothing is wrong."""
        return self.finding.why if self.finding else ""

    @property
    def fix(self) -> str:
        """The change to make."""
        return self.finding.fix if self.finding else ""

    @property
    def verdict(self) -> str:
        """ "right", "wrong in ..." or "not judged"."""
        if self:
            return "right, with a warning" if self.warning else "right"
        return "not judged" if self.code == "not-judged" else f"wrong in {self.where}"

    def lenient(self) -> Report:
        """The same, where a loss whose gradient is right and that fails for scores of 1,000 gets a warning instead."""
        if self.code not in STABILITY or any(row.verdict != "ok" for row in self.rows):
            return self
        return replace(self, finding=None, warning=self.finding)

    def text(self, cause: bool = True, width: int = WIDTH) -> str:
        """The report; without the cause it is a riddle. Below 100 columns the table has no relative errors."""
        verdict = self.verdict if cause or self.code == "not-judged" else self.verdict.split(" in ")[0]
        lines = [*wrapped("", f"{self.title}: {verdict}", width), ""]
        if self.rows:
            name = min(max([9, *(len(row.tensor) + 1 for row in self.rows)]), 24)
            cells = [("place", "tensor", "worst entry", *self.columns, "rel. error", "")]
            for row in self.rows:
                numbers = f"{row.analytic:.6g}", f"{row.numeric:.6g}", f"{row.error:.0e}"
                cells.append((row.where, row.tensor, row.entry, *numbers, row.verdict))
            table = [_line(name, width, *row) for row in cells]
            lines += [table[0], "-" * min(width - 2, WIDTH - 2), *table[1:], ""]
        if self.method and (self.rows or self):  # where code raises, nothing was measured
            lines += wrapped("", f"measured by {self.method}", width)
        for note in self.notes:
            lines += wrapped("note  ", note, width)
        said = self.finding or self.warning
        if said and cause:
            lines += [] if not lines[-1] else [""]  # one empty line, with a table above or without
            lines += cause_of("warn  " if self.warning else "what  ", said, width)
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """For notebooks: the same as a table."""
        cells = "".join(
            "<tr>"
            + "".join(
                f"<td>{html.escape(text)}</td>"
                for text in (
                    row.where, row.tensor, row.entry, f"{row.analytic:.6g}", f"{row.numeric:.6g}",
                    f"{row.error:.0e}", row.verdict,
                )
            )
            + "</tr>"
            for row in self.rows
        )  # fmt: skip
        names = ("place", "tensor", "worst entry", *self.columns, "rel. error", "verdict")
        head = "".join(f"<th>{name}</th>" for name in names)
        said = [f"<p><b>{html.escape(self.title)}: {html.escape(self.verdict)}</b></p>"]
        said.append(f"<table><thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table>" if self.rows else "")
        cause = self.finding or self.warning or Finding("", "", "")
        for name, text in (("why", cause.why), ("fix", cause.fix), *(("note", note) for note in self.notes)):
            if text:
                said.append(f"<p><b>{name}</b> {html.escape(text)}</p>")
        return "".join(said)

    def sweep(self) -> StepSizeSweep:
        """The error of central differences against their step: a V, a plateau or a cliff."""
        if self.sweeper is None:
            raise ValueError(f"{self.title}: sweep needs a check that has computed gradients, and this one has not")
        return self.sweeper()

    def plot(self, axes: Any = None) -> Any:
        """The sweep as a picture, of an optimizer the path; returns the axes."""
        return self.sweep().plot(axes) if self.plotter is None else self.plotter(axes)


def _line(name: int, width: int, *cells: str) -> str:
    """A line of the table; `name` is the width for a tensor's name."""
    whole = width >= WIDTH
    widths = (41 if whole else 31) - name, name, 13, 13, 13, *([11] if whole else [])
    cut = [cell if len(cell) <= width else cell[: width - 3] + "..." for cell, width in zip(cells, widths)]
    left = [f"{cell:<{width}}" for cell, width in zip(cut[:3], widths)]
    right = [f" {cell:>{width - 1}}" for cell, width in zip(cut[3:], widths[3:])]
    return ("".join(left) + "".join(right) + "  " + cells[-1]).rstrip()


def cause_of(head: str, finding: Finding, width: int = WIDTH) -> list[str]:
    """A finding as lines: what, why and fix."""
    lines = [*wrapped(head, finding.code, width), *wrapped("why   ", finding.why, width)]
    lines += wrapped("at    ", finding.place, width) if finding.place else []
    return lines + (wrapped("fix   ", finding.fix, width) if finding.fix else [])


def wrapped(head: str, text: str, width: int = WIDTH) -> list[str]:
    """A text as lines, with a head before the first and as much space before the others."""
    options: dict[str, Any] = {"initial_indent": head, "subsequent_indent": " " * len(head), "break_on_hyphens": False}
    return textwrap.wrap(text, width - 2, **options) or [head]
