"""Write the lessons as notebooks, for Jupyter and all that reads its files.

    python examples/lessons/notebooks.py DIR

The scripts are what is kept; jupytext makes the notebooks of them (`pip install -e ".[lessons]"`). lesson.py, which
they import, comes to lie beside them.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def write(directory: Path, lessons: Path = HERE) -> list[Path]:
    """Every lesson as a notebook in the directory; gives their paths."""
    import jupytext

    directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "lesson.py", directory)
    paths = []
    for script in sorted(lessons.glob("[0-9][0-9]_*.py")):
        notebook = jupytext.read(script)
        notebook.metadata = {"kernelspec": KERNEL}
        paths.append(directory / f"{script.stem}.ipynb")
        jupytext.write(notebook, paths[-1])
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
