"""Write the lessons as notebooks, for Jupyter and other programs that read its files.

    python examples/lessons/notebooks.py DIR

The scripts are what is kept; jupytext makes the notebooks of them (`pip install -e ".[lessons]"`, which brings
JupyterLab to open them: `jupyter lab DIR`). lesson.py and its helpers, which they import, come to lie beside them.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import story

HERE = Path(__file__).resolve().parent
HELPERS = ("lesson.py", "story.py", "formulas.py", "questions.py", "questions.js")
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
NUMBERED = "[0-9][0-9]_*.py"


def notebook(script: Path) -> Any:
    """A lesson as a notebook; the code of its questions, which has the answers, is folded."""
    import jupytext

    made = jupytext.read(script)
    made.metadata = {"kernelspec": KERNEL}
    made.cells[0].source = f"# {story.title(script)}\n" + made.cells[0].source.partition("\n")[2]
    for cell in made.cells:
        cell.source = cell.source.replace("  # fmt: skip", "")
        if cell.cell_type == "code" and cell.source.startswith(("lesson.ask(", "lesson.choose(")):
            cell.metadata = {"tags": ["question"], "jupyter": {"source_hidden": True}}
    return made


def write(directory: Path, lessons: Path = HERE) -> list[Path]:
    """Every lesson as a notebook in the directory; gives their paths."""
    import jupytext

    directory.mkdir(parents=True, exist_ok=True)
    for helper in HELPERS:
        shutil.copy(HERE / helper, directory)
    paths = []
    for script in sorted(lessons.glob(NUMBERED)):
        paths.append(directory / f"{script.stem}.ipynb")
        jupytext.write(notebook(script), paths[-1])
    return paths


def main(argv: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description="Write the lessons as notebooks.")
    options.add_argument("directory", type=Path, metavar="DIR", help="where they go")
    args = options.parse_args(argv)
    try:
        paths = write(args.directory)
    except ModuleNotFoundError as error:
        options.error(f'{error.name} is not installed: pip install -e ".[lessons]"')
    except OSError as error:
        options.error(f"argument DIR: cannot write to {args.directory}: {error.strerror}")
    for path in paths:
        print(path)
    print(f"To open them: jupyter lab {args.directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
