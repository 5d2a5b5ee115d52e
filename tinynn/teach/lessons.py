"""Where the lessons are: in a checkout examples/lessons, and beside an installed package share/tinynn/lessons."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

FIRST = "01_line.py"


def folder() -> Path:
    """The folder of the lessons; FileNotFoundError where there is none."""
    checkout = Path(__file__).resolve().parents[2] / "examples" / "lessons"
    if (checkout / FIRST).exists():
        return checkout
    try:
        installed = importlib.metadata.files("tinynn") or []
    except importlib.metadata.PackageNotFoundError:
        installed = []
    for file in installed:
        path = Path(str(file.locate()))
        if path.name == FIRST and path.exists():
            return path.resolve().parent
    raise FileNotFoundError("the lessons are not installed here; they are in tinynn's source, in examples/lessons")


def contents() -> str:
    """The lessons with their titles, and how they are run."""
    where = folder()
    titles = []
    for script in sorted(where.glob("[0-9][0-9]_*.py")):
        first = re.search(r"^# # (.+)$", script.read_text(encoding="utf-8"), re.MULTILINE)
        titles.append(f"  {script.name:<28}{first[1] if first else ''}")
    return "\n".join([
        f"The lessons are in {where}", *titles, "",
        "Run one:                  python " + str(where / FIRST),
        "All as a web book:        python " + str(where / "book.py"),
        "As notebooks in FOLDER:   python " + str(where / "notebooks.py") + " FOLDER",
    ])  # fmt: skip
