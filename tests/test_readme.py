"""README's programs run as they stand there, one after the other, and print what stands below them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import STRICT
from PIL import Image
from test_explain_page import needs_chromium

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
HOMEWORK = re.search(r"tinynn check examples/homework/submissions (.*)\n```\n```text\n(.*?)```", README, re.S)
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def without_numbers(text):
    """Other processors round differently, in the last digits."""
    return " ".join(re.sub(r"--+|-?\d[\d.,]*(e[-+]\d+)?", "#", text).split())


def assert_shown(shown, printed):
    """Each part of what is shown, between lines "...", is printed, in this order."""
    printed = without_numbers(printed)
    for part in re.split(r"\.\.\.\n", shown):
        place = printed.find(without_numbers(part))
        assert place >= 0, part
        printed = printed[place + len(without_numbers(part)) :]


def test_programs_print_what_stands_below_them(tmp_path):
    """In one process, as a reader who goes on in the same session; the program with one epoch in place of three."""
    found = re.findall(r"```python\n(.*?)```\n```text\n(.*?)```", README, re.S)
    assert len(found) == 4 and len([line for line in found[0][0].splitlines() if line]) <= 15
    programs = "\nprint('(next)')\n".join(program for program, _ in found).replace("range(3)", "range(1)")
    command = [sys.executable, *STRICT, "-c", programs]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=ENVIRONMENT)
    printed = run.stdout.split("(next)\n")
    assert float(re.search(r"'accuracy': ([\d.]+)", printed[0])[1]) > 0.93
    assert without_numbers(printed[0]) == without_numbers(found[0][1].splitlines()[0])
    for (_, shown), text in zip(found[1:], printed[1:], strict=True):
        assert_shown(shown, text)


def test_homework(tmp_path):
    """Of three of the five files; the others are those with an endless loop and with nothing to run."""
    for name in ("ada.py", "ben.py", "cleo.py"):
        shutil.copy(ROOT / "examples" / "homework" / "submissions" / name, tmp_path)
    command = [sys.executable, "-m", "tinynn", "check", str(tmp_path), *HOMEWORK[1].split()]
    run = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    assert run.returncode == 1
    assert_shown(HOMEWORK[2], run.stdout)


def test_tables_of_measured_numbers_are_printed():
    spec = importlib.util.spec_from_file_location("short_tables", ROOT / "benchmarks" / "short_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        module.main()
    tables = printed.getvalue().strip().split("\n\n")
    assert len(tables) == 3 and all(table in README for table in tables)


def test_the_files_that_it_names():
    for path in re.findall(r"\]\(([\w./]+)\)", README):
        assert (ROOT / path).exists(), path
    pictures = [*(ROOT / "examples" / "pictures").iterdir()]
    assert all(f"examples/pictures/{path.name}" in README for path in pictures)
    assert sum(path.stat().st_size for path in pictures) < 600_000


@needs_chromium
def test_its_pictures_can_be_made_again(tmp_path):
    command = [sys.executable, str(ROOT / "examples" / "readme_pictures.py"), "--quick", "--output", str(tmp_path)]
    subprocess.run(command, check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    with Image.open(tmp_path / "walk.gif") as walk, Image.open(tmp_path / "digits.png") as digits:
        assert walk.n_frames == 3 and walk.size == (1020, 680)
        assert digits.height == 420


def test_it_is_read_in_minutes():
    assert len(README.splitlines()) < 200


def test_warnings_are_errors_where_they_are_ours():
    """The test command must not fail when the next version of a library deprecates something."""
    with pytest.raises(RuntimeWarning):
        np.log(np.zeros(1))
    for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning, UserWarning):
        with warnings.catch_warnings(record=True) as caught:
            warnings.warn("from now on it has another name", category, stacklevel=1)
        assert [w.category for w in caught] == [category]
