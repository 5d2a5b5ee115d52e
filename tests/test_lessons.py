"""Every lesson runs as a script, prints its whole story, asks, and ends in a check; test_notebooks.py has the rest."""

from __future__ import annotations

import ast
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "examples" / "lessons"
LESSONS = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
SHORT = FOLDER / "02_affine.py"


@pytest.fixture(autouse=True)
def helpers(monkeypatch):
    """The lessons' helpers can be imported, as beside them."""
    monkeypatch.syspath_prepend(FOLDER)


def run(script, monkeypatch, capsys, *options, columns=80):
    """What a lesson prints, run in this process: nineteen new ones are slow to start."""
    monkeypatch.setattr(sys, "argv", [str(script), "--quick", *map(str, options)])
    monkeypatch.setenv("COLUMNS", str(columns))
    with np.errstate(), pytest.raises(SystemExit) as ended:  # a lesson may change how NumPy warns
        runpy.run_path(str(script), run_name="__main__")
    assert not ended.value.code
    return capsys.readouterr().out


def shown(source, what="show"):
    """The names that a lesson gives to its pictures, or pages."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [call.args[1].value for call in calls if ast.unparse(call.func) == f"lesson.{what}"]


def words(text):
    return " ".join(text.split())


def test_each_number_stands_for_one_lesson():
    numbers = [lesson.name[:2] for lesson in LESSONS]
    assert numbers and len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_and_tells_and_asks(lesson, tmp_path, monkeypatch, capsys):
    import lesson as shared
    import story

    source = lesson.read_text(encoding="utf-8")
    assert len(source.splitlines()) < 250 and not re.search(r"\bLesson \d|\blesson \d", source)
    output = run(lesson, monkeypatch, capsys, "--output", tmp_path)
    lines = [line for line in output.splitlines() if str(tmp_path) not in line]
    assert max(map(len, lines)) <= 80, max(lines, key=len)
    assert lines[0].startswith(f"Lesson {int(lesson.name[:2])}: ")
    for _, told, text in story.cells(lesson):
        for paragraph in re.split(r"\n\s*\n", text) if told else ():
            assert words(story.block(paragraph).replace("# ", "")) in words(output) or paragraph.startswith("# ")
    assert not re.search(r"\\[a-z,]|\$", output), "a formula is printed as LaTeX"
    assert any(line.startswith("check of ") for line in lines[-14:]), "ends in a check"
    files = [f"{name}.png" for name in shown(source)] + [f"{name}.html" for name in shown(source, "page")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)
    assert len(shared.asked) >= 3
    for number, question in enumerate(shared.asked, 1):
        assert words(story.plain(f"Question {number}: {question.text}")) in words(output)
        check(question)


def check(question):
    """Its answer is right, its slips are wrong and have a sentence each, and something else is wrong, too."""
    if hasattr(question, "choices"):
        graded = [question.grade(f" {number}) ") for number in range(1, len(question.choices) + 1)]
        assert [right for right, _ in graded].count(True) == 1 and graded[question.right - 1][0]
        assert all(len(said) > 10 for _, said in graded) and len({said for _, said in graded}) == len(graded)
        return
    assert question.grade(repr(float(question.answer))) == (True, question.why) and question.why
    assert question.grade(question.shown)[0], "the answer, as it is shown, is right"
    for slip, said in question.slips.items():
        assert question.grade(repr(float(slip))) == (False, said) and said
    assert not question.grade(repr(float(question.answer) + 1000))[0]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_questions_have_cells_of_their_own(lesson):
    """Their code is hidden in notebooks and book: it has the answer."""
    import story

    for first, told, text in story.cells(lesson):
        if not told:
            calls = [ast.unparse(getattr(getattr(line, "value", line), "func", line)) for line in ast.parse(text).body]
            asks = [call in ("lesson.ask", "lesson.choose") for call in calls]
            assert all(asks) or not any(asks), f"line {first}: {calls}"


def test_quiet_leaves_the_story_out(tmp_path, monkeypatch, capsys):
    output = run(SHORT, monkeypatch, capsys, "--quiet", "--output", tmp_path)
    assert output.startswith("Lesson 2: Affine maps and shapes\n====")
    assert "Question" not in output and "Nearly all mistakes" not in output and "How many numbers" not in output
    assert "  y[0,1] = (1) (0.5) + (2) (-1) + (-1) (3) + 0.2 = -4.3\n" in output and "Picture: " in output


def test_a_wider_terminal_is_used(tmp_path, monkeypatch, capsys):
    for columns, widest in ((60, 60), (100, 100), (200, 100)):
        lines = run(SHORT, monkeypatch, capsys, "--output", tmp_path, columns=columns).splitlines()
        told = [line for line in lines if line and line[0] not in " 0123456789" and str(tmp_path) not in line]
        assert widest - 12 < max(map(len, told)) <= widest


def test_a_wrong_output_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    command = [sys.executable, str(LESSONS[0]), "--output", str(tmp_path / "file")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2 and "cannot make the directory" in done.stderr and "Traceback" not in done.stderr


LESSON = """# %% [markdown]
# # A test
#
# It has $x^2$, *stress* and `code`.
#
# - one thing,
# - another, that is so long that it does not fit on a line of eighty characters, as it goes on and on.
#
# $$\\\\frac{1}{N} \\\\sum_n y_n$$

# %%
import lesson

quick = lesson.start()

# %%
lesson.ask("What is 1/4 + 1/4?", 0.5, "Two quarters.", slips={0.25: "That is one of them."})
lesson.choose("Is it?", {"yes": "It is, $x_1$.", "no": "It is not."}, right="yes")

# %%
1 / 0 if quick else print("the end")
""".replace("\\\\", "\\")


@pytest.fixture
def script(tmp_path, monkeypatch):
    """A lesson of a few lines, with the number 7."""
    path = tmp_path / "07_test.py"
    path.write_text(LESSON)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FOLDER), str(ROOT)]))
    monkeypatch.setenv("COLUMNS", "80")
    return path


def test_the_story_in_a_terminal(script):
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=script.parent, check=True)
    assert done.stdout == (
        "Lesson 7: A test\n================\n\nIt has x², stress and `code`.\n\n- one thing,\n"
        "- another, that is so long that it does not fit on a line of eighty characters,\n  as it goes on and on.\n\n"
        "    1/N Σₙ yₙ\n\nQuestion 1: What is 1/4 + 1/4?\n  Answer: 0.5. Two quarters.\n\n"
        "Question 2: Is it?\n  1) yes\n  2) no\n  Answer: 1) yes. It is, x₁.\nthe end\n"
    )


def test_a_poor_terminal_and_an_error(script):
    """What the encoding lacks becomes a ?; a traceback names the lesson's own line."""
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, script, "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=script.parent, env=env, check=False)
    assert "It has x?, stress" in done.stdout and done.returncode == 1
    assert f'07_test.py", line {LESSON.splitlines().index(LESSON.splitlines()[-1]) + 1}' in done.stderr
    assert "1 / 0 if quick" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of POSIX")
def test_at_a_terminal_it_waits_and_grades(script):
    import pty

    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, script], stdin=theirs, stdout=subprocess.PIPE, text=True, cwd=script.parent
    )
    os.write(ours, b"0,25\nhalf\n 2/4\n3\n2\n\n")
    said = words(done.communicate()[0])
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0
    assert "What is 1/4 + 1/4? (a number, such as 0.25, 1/4 or 2.5e-1; Enter alone shows the answer)" in said
    assert "> Not so. That is one of them. > 'half' is not a number; write a number" in said
    assert "> Right. Two quarters. Question 2: Is it? 1) yes 2) no (1 to 2; Enter" in said
    assert "> '3' is none of them; write 1 to 2 > Not so. It is not. > Answer: 1) yes. It is, x₁. the end" in said


# ruff: noqa: RUF001  (these characters are meant)
FORMULAS = {
    r"\frac{1}{N} \sum_n (y_n - t_n)^2": "1/N Σₙ (yₙ - tₙ)²",
    r"\frac{\partial L}{\partial W}": "∂L/∂W",
    r"\frac{(t - m)^2}{2 v} + f'(x)": "(t - m)²/(2 v) + f′(x)",
    r"\frac{a + b}{c}\, d": "(a + b)/c d",
    r"\sqrt{v'} + \epsilon": "√v′ + ε",
    r"\sqrt{1 - \beta_1^t}": "√(1 - β₁ᵗ)",
    r"e^{y_c} / \sum_k e^{y_k}": "e^(y_c) / Σₖ e^(yₖ)",
    r"\bar x + \hat{y} \le \{\infty\}": "x̄ + ŷ ≤ {∞}",
    r"\mathrm{softmax}(y)_{ij}, W^T \leftarrow 10^{-7}": "softmax(y)ᵢⱼ, Wᵀ ← 10⁻⁷",
    "y = x .": "y = x.",
}


def test_formulas():
    import formulas

    for latex, text in FORMULAS.items():
        assert formulas.plain(latex).replace("\u0302", "^") == text.replace("ŷ", "y^")
        pytest.importorskip("latex2mathml")
        assert formulas.mathml(latex, display=True).startswith("<math ")
    for wrong in (r"\bogus x", "{x", "x}", "x_", r"\frac{1}"):
        with pytest.raises(ValueError, match="^formula must"):
            formulas.plain(wrong)


@pytest.mark.parametrize(
    "typed, value",
    [
        ("1,000", 1000),
        ("0,5", 0.5),
        ("-2.5e-1", -0.25),
        (" 3 / 4 ", 0.75),
        ("+7", 7),
        ("1,234.5", 1234.5),
        ("2^10", 1024),
        (" 1/2**2 ", 0.25),
        ("0,5^2", 0.25),
    ],
)
def test_numbers_as_people_type_them(typed, value):
    import questions

    assert questions.Number("?", float(value), "So it is.", {}, None).grade(typed)[0]


@pytest.mark.parametrize(
    "typed", ["", "x", "1/0", "1/2/3", "nan", "inf", "1e", "--1", "2^", "^2", "-2^0.5", "9^9^9", "9^9999"]
)
def test_what_is_no_number(typed):
    import questions

    with pytest.raises(ValueError, match="is not a number; write a number"):
        questions.Number("?", 1.0, "So it is.", {}, None).grade(typed)


def test_questions_that_cannot_be_graded():
    import questions

    for arguments, message in (
        ((0.0, "why", {}, None), "within must be given"),
        ((1.0, "why", {1.015: "near"}, None), "slip 1.015 must be farther"),
    ):
        with pytest.raises(ValueError, match=message):
            questions.Number("?", *arguments)
    with pytest.raises(ValueError, match="right must be one of two choices or more, not 'c'"):
        questions.Choice("?", {"a": "no", "b": "yes"}, "c")


def test_the_command_line_says_where_they_are(capsys, monkeypatch, tmp_path):
    """In a checkout, beside an installed package, and nowhere."""
    from tinynn.__main__ import main
    from tinynn.teach import lessons

    assert main(["lessons"]) == 0
    assert f"python {FOLDER / '01_line.py'}\n" in capsys.readouterr().out
    share = tmp_path / "share" / "tinynn" / "lessons"
    share.mkdir(parents=True)
    (share / "01_line.py").write_text("# %% [markdown]\n# # A line\n")
    monkeypatch.setattr(lessons, "__file__", str(tmp_path / "lib" / "tinynn" / "teach" / "lessons.py"))

    class File:
        def locate(self):
            return share / "01_line.py"

    monkeypatch.setattr(lessons.importlib.metadata, "files", lambda name: [File()])
    assert main(["lessons"]) == 0
    assert (
        f"  01_line.py                  A line\n\nRun one:                  python {share}" in capsys.readouterr().out
    )
    monkeypatch.setattr(lessons.importlib.metadata, "files", lambda name: None)
    assert main(["lessons"]) == 2
    assert capsys.readouterr().err.startswith("the lessons are not installed here; they are in tinynn's source")
