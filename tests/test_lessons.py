"""Every lesson runs, as a script and as a notebook, fits 80 columns and 150 lines, and ends in a check."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "examples" / "lessons"
LESSONS = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
QUICK = {**os.environ, "TINYNN_QUICK": "1", "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}


def test_each_number_stands_for_one_lesson():
    numbers = [lesson.name[:2] for lesson in LESSONS]
    assert numbers and len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs(lesson, tmp_path):
    source = lesson.read_text(encoding="utf-8")
    assert len(source.splitlines()) < 150 and source.startswith("# %% [markdown]\n# # Lesson ")
    command = [sys.executable, "-W", "error", str(lesson), "--quick", "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=QUICK, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    story = [line for line in done.stdout.splitlines() if not line.startswith("picture ")]
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
    done = subprocess.run(command, capture_output=True, text=True, env=QUICK, cwd=tmp_path, check=False)
    assert done.returncode == 2 and "cannot make the directory" in done.stderr and "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory):
    """The folder with all notebooks, as the script writes them."""
    for package in ("jupytext", "nbclient", "ipykernel"):
        pytest.importorskip(package, reason=f'notebooks need {package}: pip install -e ".[lessons]"')
    folder = tmp_path_factory.mktemp("notebooks")
    command = [sys.executable, str(FOLDER / "notebooks.py"), str(folder)]
    subprocess.run(command, capture_output=True, text=True, check=True, env=QUICK)
    return folder


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")  # Jupyter's own
def test_a_lesson_runs_as_a_notebook(lesson, notebooks, monkeypatch):
    import nbclient
    import nbformat

    for name in ("TINYNN_QUICK", "PYTHONPATH"):
        monkeypatch.setenv(name, QUICK[name])
    notebook = nbformat.read(notebooks / f"{lesson.stem}.ipynb", as_version=4)
    resources = {"metadata": {"path": str(notebooks)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == len(shown(lesson.read_text(encoding="utf-8")))
