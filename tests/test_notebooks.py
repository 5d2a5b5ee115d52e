"""The lessons as notebooks, and as a book: two chapters are executed, and looked at in a browser; .ci/run makes all."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from test_explain_page import browser, needs_chromium  # noqa: F401
from test_lessons import FOLDER, LESSON, LESSONS, ROOT, helpers, shown  # noqa: F401

BY_HAND = FOLDER / "08_by_hand.py"  # it has all there is: formulas, pictures, a worksheet, questions


@pytest.fixture(scope="module", autouse=True)
def packages():
    for package in ("jupytext", "nbclient", "nbconvert", "ipykernel", "latex2mathml"):
        pytest.importorskip(package, reason=f'the book needs {package}: pip install -e ".[lessons]"')


@pytest.fixture(scope="module")
def chapters(tmp_path_factory):
    """The folder of a book with two chapters."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "07_test.py").write_text(LESSON)
    code = f"""
import sys, warnings
from pathlib import Path
sys.path.insert(0, {str(FOLDER)!r})
import book
book.write(Path({str(folder)!r}), [Path({str(folder / "07_test.py")!r}), Path({str(BY_HAND)!r})])
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(FOLDER)]), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Lesson 7: A test\nLesson 8: One step by hand\n"
    return folder


def test_the_notebooks(tmp_path, capsys):
    """All lessons can be opened: titles have numbers, and the code of questions, which has the answers, is folded."""
    import nbformat
    import notebooks

    assert notebooks.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith(f"To open them: jupyter lab {tmp_path}\n")
    for helper in FOLDER.iterdir():
        beside = helper.suffix in (".py", ".js") and helper not in LESSONS and helper.stem not in ("book", "notebooks")
        assert (tmp_path / helper.name).exists() == beside, helper
    for lesson in LESSONS:
        notebook = nbformat.read(tmp_path / f"{lesson.stem}.ipynb", as_version=4)
        nbformat.validate(notebook)
        assert notebook.cells[0].source.startswith(f"# Lesson {int(lesson.name[:2])}: ")
        folded = [cell for cell in notebook.cells if cell.metadata.get("jupyter") == {"source_hidden": True}]
        asking = [cell for cell in notebook.cells if re.match(r"lesson\.(ask|choose)\(", cell.source)]
        assert folded == asking and folded
        assert not any("fmt: skip" in cell.source for cell in notebook.cells)


def test_every_formula_has_mathml_and_fits_a_telephone():
    """A formula in the text cannot be broken, so it must be short; one of its own can be scrolled."""
    import formulas
    import story

    for lesson in LESSONS:
        for _, told, text in story.cells(lesson):
            for formula in story.FORMULA.findall(text) if told else ():
                latex = formula.strip("$")
                assert "<mtext>\\" not in formulas.mathml(latex)
                assert formula.startswith("$$") or len(formulas.plain(latex)) <= 40, formula


def test_the_pages(chapters):
    """Pictures with a text for those who do not see them, formulas, a worksheet; and nothing that is loaded."""
    assert {path.name for path in chapters.iterdir()} == {"07_test.py", "07_test.html", "08_by_hand.html", "index.html"}
    short, long = ((chapters / name).read_text(encoding="utf-8") for name in ("07_test.html", "08_by_hand.html"))
    assert long.count('<img alt="') == len(shown(BY_HAND.read_text(encoding="utf-8"))) and 'alt="No desc' not in long
    assert long.count("<iframe srcdoc=") == 1 and long.count('<form class="question"') == 6
    assert 'display="block"' in short and "<em>stress</em>" in short and "<code>code</code>" in short
    assert "the end" in short and "lesson.ask" not in short + long
    for text in (short, long, (chapters / "index.html").read_text(encoding="utf-8")):
        story = re.sub(r"<(script|pre|iframe|style)\b.*?</\1>|data-question='[^']*'", "", text, flags=re.DOTALL)
        assert "$" not in story and "\\" not in story and "Warning" not in text and "Error" not in story
        assert not re.search(r'\b(src|href)="(https?:)?//|@import|url\((?!#)', text)
        assert set(re.findall(r"https?://[^\"'&<\\]*", text)) <= {
            "http://www.w3.org/1998/Math/MathML",
            "http://www.w3.org/2000/svg",
        }
    assert 'rel="next" href="08_by_hand.html"' in short and 'rel="prev" href="07_test.html"' in long


@needs_chromium
def test_the_book_in_a_browser(chapters, browser):  # noqa: F811
    """Nothing is asked of the network, nothing is wider than a telephone, and dark is dark."""
    grounds = set()
    for name in ("index.html", "07_test.html", "08_by_hand.html"):
        for width, scheme in ((1280, "light"), (390, "dark")):
            browser.open(chapters / name, width=width, scheme=scheme)
            assert browser.complaints() == []
            assert browser.ask("document.documentElement.scrollWidth") <= width
            grounds.add((scheme, browser.ask("getComputedStyle(document.body).backgroundColor")))
    assert len(grounds) == 2


@needs_chromium
def test_questions_are_graded_in_the_page(chapters, browser):  # noqa: F811
    browser.open(chapters / "07_test.html")
    assert "Question 1. What is 1/4 + 1/4?" in browser.text("form")
    for typed, said in (
        ("0,25", "Not so. That is one of them."),
        ("half", "That is not a number; write one such as 0.25, 1/4 or 2.5e-1."),
        (" 2/4 ", "Right. Two quarters."),
        ("2/2^2", "Right. Two quarters."),
        ("1,000", "Not so."),
        ("", "That is not a number; write one such as 0.25, 1/4 or 2.5e-1."),
    ):
        browser.ask(f"document.querySelector('input').value = {typed!r}; document.querySelector('form button').click()")
        assert browser.text("form output").strip() == said
    for number, said in ((2, "Not so. It is not."), (1, "Right. It is,")):
        browser.ask(f"document.querySelectorAll('form')[1].querySelector('[value=\"{number}\"]').click()")
        assert browser.ask("document.querySelectorAll('output')[1].innerText").startswith(said)
    browser.ask("document.querySelector('summary').click()")
    assert "0.5. Two quarters." in browser.text("details")
    assert browser.complaints() == []


def test_slips_of_the_book_are_sentences(capsys, monkeypatch, tmp_path):
    import book

    with pytest.raises(SystemExit):
        book.main([str(tmp_path), "--only", "99"])
    assert "lesson must be one of 01, 02, " in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        book.main([str(tmp_path / "file"), "--only", "2"])
    assert "argument DIR: cannot write to" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "jupytext", None)
    with pytest.raises(SystemExit):
        book.main([str(tmp_path), "--only", "2"])
    assert 'jupytext is not installed: pip install -e ".[lessons]"' in capsys.readouterr().err
