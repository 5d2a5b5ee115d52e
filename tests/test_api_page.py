"""The API as web pages: every public name is on one, with its source, and the pages lose nothing of the docstrings."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import LIMIT

from tinynn.backends import numpy as textbook

for package in ("pdoc", "sklearn"):
    pytest.importorskip(package)
SCRIPT = Path(__file__).resolve().parent.parent / ".ci" / "docs.py"
ROOMS = ["", "datasets", "diagnosis", "initializers", "metrics", "plots", "sklearn", "teach", "training.callbacks"]


class Text(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.parts = []
        self.feed(page)

    def handle_data(self, data):
        self.parts.append(data)


def plain(text):
    """Without spaces and the signs of Markdown, which a page does not show."""
    return re.sub(r"^ *- |-{3,}|[\s`*]", "", text, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    subprocess.run([sys.executable, str(SCRIPT), str(folder)], check=True, timeout=LIMIT)
    return folder


def of_module(folder, module):
    """The page of a module, as it is and as a reader sees it."""
    page = (folder / f"{module.__name__.replace('.', '/')}.html").read_text(encoding="utf-8")
    return page, plain("".join(Text(page).parts))


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_with_its_docstring(folder, room):
    module = importlib.import_module(f"tinynn.{room}".rstrip("."))
    page, text = of_module(folder, module)
    assert "ndarray[typing.Any" not in text and plain(module.__doc__) in text
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    for name in getattr(module, "__all__", [name for name in own if not name.startswith("_")]):
        value = getattr(module, name)
        if not callable(value):
            continue
        assert f'id="{name}"' in page and f'id="{name}-view-source"' in page, name
        parts = (
            [value, *(part for key, part in vars(value).items() if not key.startswith("_"))]
            if inspect.isclass(value)
            else [value]
        )
        for part in parts:
            if inspect.isclass(part) or inspect.isfunction(part):
                assert plain(inspect.getdoc(part) or "") in text, (name, part)


def test_the_textbook(folder):
    _, text = of_module(folder, textbook)
    assert "d<name>isthegradientofthelossLwithrespectto<name>" in text
    _, text = of_module(folder, textbook.losses)
    assert plain(textbook.softmax_cross_entropy.__doc__) in text
