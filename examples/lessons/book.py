"""Write the lessons as one web book, executed, with their pictures: pages that need no network and no server.

    python examples/lessons/book.py [DIR] [--quick] [--only NN]      then open DIR/index.html (output/book)

jupytext makes notebooks of the scripts, nbclient runs them, nbconvert makes HTML of them, and latex2mathml makes the
formulas MathML, which every browser shows by itself (`pip install -e ".[lessons]"`). book.html is the page around.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import notebooks
import story

LIMIT = 1800  # seconds for a cell


def write(directory: Path, scripts: list[Path], quick: bool = False, say: Any = print) -> None:
    """The book of these lessons; what it says meanwhile goes to `say`."""
    from jinja2 import Template

    directory.mkdir(parents=True, exist_ok=True)
    template = Template(notebooks.HERE.joinpath("book.html").read_text(encoding="utf-8"))
    chapters = [{"file": f"{script.stem}.html", "title": story.title(script)} for script in scripts]
    for number, (script, chapter) in enumerate(zip(scripts, chapters)):
        say(chapter["title"])
        made = executed(notebooks.notebook(script), script.parent, quick)
        chapter["sections"] = sections(made)
        before = chapters[number - 1] if number else None
        behind = chapters[number + 1] if number + 1 < len(chapters) else None
        page = template.render(chapter=chapter, body=as_html(made), before=before, behind=behind, css=colours())
        directory.joinpath(chapter["file"]).write_text(page, encoding="utf-8")
    page = template.render(chapters=chapters, css="")
    directory.joinpath("index.html").write_text(page, encoding="utf-8")


def executed(notebook: Any, lessons: Path, quick: bool) -> Any:
    """The notebook after all its cells have run, in a folder of their own, with the lessons' helpers."""
    import nbclient

    import tinynn

    paths = [str(lessons), str(Path(tinynn.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "TINYNN_QUICK": "1" if quick else "0"}
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        arguments = ["--log-level=ERROR"]
        options = {"timeout": LIMIT, "resources": resources, "extra_arguments": arguments, "coalesce_streams": True}
        client = nbclient.NotebookClient(notebook, **options)
        client.execute(env=env)
    return notebook


def sections(notebook: Any) -> list[str]:
    """The headings of a lesson."""
    told = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return [story.plain(heading) for heading in re.findall(r"^## (.+)$", told, re.MULTILINE)]


def as_html(notebook: Any) -> str:
    """A notebook as HTML, its formulas as MathML, without the code of questions."""
    from nbconvert import HTMLExporter

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = story.with_mathml(cell.source)
    exporter = HTMLExporter(
        template_name="basic",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    exporter.register_preprocessor(hidden(), enabled=True)
    return exporter.from_notebook_node(notebook)[0]


def hidden() -> Any:
    """Takes away the code of questions, which has their answers."""
    from nbconvert.preprocessors import TagRemovePreprocessor

    return TagRemovePreprocessor(remove_input_tags={"question"})


def colours() -> str:
    """Pygments' colours of code, on light and on dark."""
    from pygments.formatters import HtmlFormatter

    light, dark = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in ("default", "github-dark"))
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}"


def main(argv: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description="Write the lessons as one web book.")
    options.add_argument("directory", type=Path, nargs="?", default=Path("output", "book"), metavar="DIR")
    options.add_argument("--quick", action="store_true", help="train less, to see that it works")
    options.add_argument("--only", metavar="NN", help="the lesson of this number alone")
    args = options.parse_args(argv)
    scripts = sorted(notebooks.HERE.glob(notebooks.NUMBERED))
    if args.only is not None:
        chosen = [script for script in scripts if script.name[:2] == args.only.zfill(2)]
        numbers = ", ".join(script.name[:2] for script in scripts)
        scripts = chosen or options.error(f"argument --only: lesson must be one of {numbers}, not {args.only!r}")
    try:
        write(args.directory, scripts, args.quick, lambda text: print(text, flush=True))
    except ModuleNotFoundError as error:
        options.error(f'{error.name} is not installed: pip install -e ".[lessons]"')
    except OSError as error:
        options.error(f"argument DIR: cannot write to {args.directory}: {error.strerror}")
    print(f"open {args.directory / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
