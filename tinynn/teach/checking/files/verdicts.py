"""The verdict on each thing of a file, with points: what the command prints, as text and as JSON."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from ..kinds import other_kind
from ..report import Finding, Report, cause_of, wrapped
from .choosing import Contents, key_of, load
from .loading import Slip, kind_of
from .places import tell
from .reports import check
from .together import groups

RIGHT, WRONG, OPEN = "right", "wrong", "not judged"


@dataclass
class Verdict:
    """What is said of one name of a file. `line` is that of the mistake where it is known, else of the definition."""

    name: str
    kind: str = ""
    verdict: str = OPEN
    code: str = "not-judged"  # "ok", or the name of what is wrong or in the way
    sentence: str = ""
    fix: str = ""
    line: int | None = None
    warning: dict[str, str] | None = None  # code, sentence, fix: what is no mistake unless --strict
    points: float | None = None  # None where nothing is judged, or no points are given
    possible: float | None = None
    report: str = ""  # the whole, as text

    def worth(self, possible: float) -> None:
        """Give it points: all where it is right, none where it is wrong, and a person decides where it is open."""
        self.possible, self.points = possible, {RIGHT: possible, WRONG: 0.0}.get(self.verdict)


@dataclass
class Judged:
    """A file with the verdicts on what it holds; one without a name where the file does not run."""

    file: str
    verdicts: list[Verdict] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)  # what was left out with good reason: sentences

    @property
    def verdict(self) -> str:
        """ "wrong" where one is, else "not judged" where one is or none was looked at, else "right"."""
        found = [one.verdict for one in self.verdicts]
        return WRONG if WRONG in found else OPEN if OPEN in found or not found else RIGHT

    @property
    def status(self) -> int:
        """The exit status: 0 right, 1 wrong, 2 not judged."""
        return {RIGHT: 0, WRONG: 1, OPEN: 2}[self.verdict]

    def fill(self, points: dict[str, float]) -> None:
        """Give each asked name its verdict, that of the file where this does not run, and its points."""
        if len(self.verdicts) == 1 and not self.verdicts[0].name:
            whole = asdict(self.verdicts[0])
            self.verdicts = [Verdict(**{**whole, "name": name}) for name in points]
        for one in self.verdicts:
            one.worth(points[one.name])

    def as_dict(self) -> dict[str, Any]:
        """For JSON: schema 1."""
        given, possible = ([v for v in column if v is not None] for column in self.columns())
        return {
            "file": self.file, "verdict": self.verdict, "status": self.status,
            "points": sum(given, 0.0) if possible else None, "possible": sum(possible, 0.0) if possible else None,
            "checked": [asdict(one) for one in self.verdicts], "aside": self.aside,
        }  # fmt: skip

    def columns(self) -> tuple[list[float | None], list[float | None]]:
        """Points, and possible points."""
        return [one.points for one in self.verdicts], [one.possible for one in self.verdicts]


def verdicts_on(
    path: str, asked: list[str], start: int = 0, seed: int = 0, strict: bool = False, width: int = 100
) -> Iterator[tuple[list[str], list[str]] | Verdict]:
    """First the names to be checked and what is left aside, then a Verdict for each from `start` on."""
    try:
        found = load(path, asked)
    except Slip as slip:
        yield [""], []
        yield of_a_slip("", slip, width)
        return
    names = found.chosen + [name for name, *_ in found.unseen]
    yield names, found.aside
    for name in found.chosen[start:]:
        yield verdict_on(name, found, path, len(found.chosen) == 1 or bool(asked), seed, strict, width)
    for name, line, why in found.unseen[max(0, start - len(found.chosen)) :]:
        where = f" (line {line})" if line else ""
        yield of_a_slip(name, Slip(f"{name} was not looked at{where}: {why}", "not-looked-at", line), width)


def verdict_on(name: str, found: Contents, path: str, asked_for: bool, seed: int, strict: bool, width: int) -> Verdict:
    """The verdict on what a file calls `name`."""
    source, thing, line = found.source, None, found.source.lines.get(name)
    try:
        key = key_of(name, found.names, path)
        thing = groups(found.names).get(key) or found.names[key]
        report = check(found.names, key, seed, asked_for)
        tell(report, thing, found)
    except Slip as slip:
        one = of_a_slip(name, slip, width)
    else:
        one = of_a_report(name, report if strict else report.lenient(), width)
    one.kind = kind_in_words(thing, one.report)
    better = None
    if thing is not None and (one.verdict == OPEN or (one.code == "raises" and source.not_written(thing))):
        better = source.plain_cause(thing)
    if better is not None:
        one = said_of(name, better[0], WRONG if better[1] else OPEN, one, width)
    one.line = one.line or line
    return one


def of_a_report(name: str, report: Report, width: int) -> Verdict:
    """A report as a verdict."""
    verdict = RIGHT if report else OPEN if report.code == "not-judged" else WRONG
    warning = report.warning
    return Verdict(
        name, verdict=verdict, code=report.code, sentence=report.why, fix=report.fix,
        line=report.finding.line if report.finding else None, report=report.text(width=width),
        warning={"code": warning.code, "sentence": warning.why, "fix": warning.fix} if warning else None,
    )  # fmt: skip


def of_a_slip(name: str, slip: Slip, width: int) -> Verdict:
    """A thing, or a file, that cannot be checked."""
    return said_of(name, Finding(slip.code, "", str(slip)), OPEN, Verdict(name, line=slip.line), width)


def said_of(name: str, finding: Finding, verdict: str, before: Verdict, width: int) -> Verdict:
    """A verdict in words, in place of one that says less."""
    title = f"check of {name}: {verdict}" if name else f"the file: {verdict}"
    text = "\n".join([*wrapped("", title, width), "", *cause_of("what  ", finding, width)])
    line = finding.line or before.line
    return Verdict(name, before.kind, verdict, finding.code, finding.why, finding.fix, line, report=text)


def kind_in_words(thing: Any, report: str) -> str:
    """layer, loss, model, network, optimizer, training loop, functions; "" where it is not known."""
    if isinstance(thing, tuple) and all(inspect.isfunction(part) for part in thing):
        return "functions"
    if report.startswith("check of loss "):
        return "loss"
    kind = other_kind(thing) if inspect.isfunction(thing) else kind_of(thing)
    return {"loop": "training loop", None: ""}.get(kind, kind or "")
