"""Every lesson runs as a notebook, made from the script, from top to bottom, and shows its pictures."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from conftest import LIMIT
from test_lessons import FOLDER, LESSONS, ROOT, shown

QUICK = {**os.environ, "TINYNN_QUICK": "1", "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}


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
    nbclient.NotebookClient(notebook, timeout=LIMIT, kernel_name="python3", resources=resources).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == len(shown(lesson.read_text(encoding="utf-8")))
