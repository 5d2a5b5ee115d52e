"""Every lesson runs as a script, fits 80 columns and 150 lines, and ends in a check; test_notebooks.py has the rest."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "examples" / "lessons"
LESSONS = sorted(FOLDER.glob("[0-9][0-9]_*.py"))


def test_each_number_stands_for_one_lesson():
    numbers = [lesson.name[:2] for lesson in LESSONS]
    assert numbers and len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs(lesson, tmp_path, monkeypatch, capsys):
    source = lesson.read_text(encoding="utf-8")
    assert len(source.splitlines()) < 150 and source.startswith("# %% [markdown]\n# # Lesson ")
    monkeypatch.setattr(sys, "argv", [str(lesson), "--quick", "--output", str(tmp_path)])
    monkeypatch.syspath_prepend(FOLDER)
    with np.errstate():  # a lesson may change it
        runpy.run_path(str(lesson), run_name="__main__")  # in this process: twelve new ones are slow to start
    story = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("picture ")]
    assert max(map(len, story)) <= 80, max(story, key=len)
    assert story[0].startswith(f"Lesson {int(lesson.name[:2])}: ")
    assert any(line.startswith("check of ") for line in story[-12:]), "ends in a check"
    pictures = [path.name for path in tmp_path.iterdir()]
    assert sorted(pictures) == sorted(f"{name}.png" for name in shown(source)), pictures


def shown(source):
    """The names that a lesson gives to its pictures."""
    return [line.rpartition(', "')[2].rstrip('")') for line in source.splitlines() if "lesson.show(" in line]


def test_a_wrong_output_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    command = [sys.executable, str(LESSONS[0]), "--output", str(tmp_path / "file")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2 and "cannot make the directory" in done.stderr and "Traceback" not in done.stderr
