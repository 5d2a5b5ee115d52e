"""`python -m tinynn check` for teachers: points, JSON, time limits, folders, and what it says of a file as it is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from conftest import LIMIT, STRICT

from tinynn.__main__ import main
from tinynn.teach.checking.files import printing
from tinynn.teach.checking.files.processes import judged

HOMEWORK = Path(__file__).resolve().parent.parent / "examples" / "homework"
POINTS = "--points=Affine=4,ReLU=2,Sigmoid=2,CrossEntropy=4"
HERE = {"seed": 0, "strict": False, "width": 100}


def check(*options, cwd=None, **environment):
    """Exit status, stdout and stderr of the command as a process."""
    command = [sys.executable, *STRICT, "-m", "tinynn", "check", *map(str, options)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT, cwd=cwd, check=False,
        env={**os.environ, "PYTHONPATH": str(HOMEWORK.parent.parent), **environment},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def written(tmp_path, source, name="mine.py"):
    path = tmp_path / name
    path.write_text("import numpy as np\nimport tinynn\n" + textwrap.dedent(source))
    return path


def in_this_process(path, *asked, **options):
    """name -> Verdict, and what was left aside."""
    found = judged(str(path), list(asked), 0, False, **{**HERE, **options})
    return {one.name: one for one in found.verdicts}, " ".join(found.aside)


# --- files and folders ------------------------------------------------------------------------------------------------


def test_a_folder_as_json(tmp_path):
    """One shape for all files: right, wrong, warned of, not written, not Python; points are open where it is not judged."""
    for name in ("ada", "ben", "cleo", "eve"):
        (tmp_path / f"{name}.py").write_bytes((HOMEWORK / "submissions" / f"{name}.py").read_bytes())
    (tmp_path / "ada.py").write_text((tmp_path / "ada.py").read_text() + "\nprint('a line of its own')\n")
    (tmp_path / "fay.ipynb").write_text("{}")
    status, out, err = check(tmp_path, POINTS, "--json", f"--timeout={LIMIT}")
    found = json.loads(out)
    assert status == found["status"] == 1 and not err and found["schema"] == 1
    assert list(found) == ["schema", "tinynn", "status", "files"]
    files = {Path(file["file"]).stem: file for file in found["files"]}
    assert {name: (file["verdict"], file["status"], file["points"], file["possible"]) for name, file in files.items()} == {
        "ada": ("right", 0, 12, 12), "ben": ("wrong", 1, 6, 12), "cleo": ("wrong", 1, 8, 12),
        "eve": ("not judged", 2, 0, 12), "fay": ("not judged", 2, 0, 12),
    }  # fmt: skip
    keys = ["name", "kind", "verdict", "code", "sentence", "fix", "line", "warning", "points", "possible", "report"]
    assert all(list(one) == keys for file in files.values() for one in file["checked"])
    codes = {name: [one["code"] for one in file["checked"]] for name, file in files.items()}
    assert codes == {
        "ada": ["ok"] * 4, "ben": ["bias-mean", "mask-from-dy", "ok", "ok"], "cleo": ["ok", "no-backward", "no-return", "ok"],
        "eve": ["syntax-error"] * 4, "fay": ["notebook"] * 4,
    }  # fmt: skip
    assert [one["kind"] for one in files["ada"]["checked"]] == ["layer", "layer", "layer", "loss"]
    assert [one["points"] for one in files["cleo"]["checked"]] == [4, None, 0, 4]
    assert files["ben"]["checked"][3]["warning"]["code"] == "log-of-zero" and files["eve"]["checked"][0]["line"] == 19
    assert not any(tmp_path.rglob("__pycache__"))


@pytest.mark.parametrize("columns", [80, 100])
def test_a_folder_as_a_table(columns, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    for name in ("ben", "cleo", "eve"):
        (tmp_path / f"{name}.py").write_bytes((HOMEWORK / "submissions" / f"{name}.py").read_bytes())
    (tmp_path / "notes.txt").write_text("")
    assert main(["check", str(tmp_path), POINTS, "--timeout=0"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    assert [line.split() for line in lines[:5]] == [
        ["file", "Affine", "ReLU", "Sigmoid", "CrossEntropy", "points"], ["-" * len(lines[1])],
        ["ben.py", "wrong", "wrong", "right", "right*", "6", "of", "12"],
        ["cleo.py", "right", "not", "judged", "wrong", "right", "8", "of", "12,", "2", "open"],
        ["eve.py", *["not", "judged", "not", "judged", "not", "judged", "not", "judged", "0", "of", "12,", "12", "open"]],
    ]  # fmt: skip
    assert "* ben.py, CrossEntropy, line 46: log-of-zero" in lines and "eve.py, line 19: syntax-error" in lines
    assert lines[-2:] == ["3 files: 2 wrong, 1 not judged", "not looked at, as they are no Python files: notes.txt"]


def test_many_names_are_shown_below_each_other(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    names = [f"AnExercise{k}" for k in range(12)]
    columns = {name: [("not judged", "")] for name in names}
    blocks = []
    while columns:
        part, columns = printing.fitting(columns, 6)
        blocks.append(printing.block(["ada.py"], part))
    assert len(blocks) == 2 and all(len(line) <= printing.width() for block in blocks for line in block)
    assert [name for block in blocks for name in block[0].split()[1:]] == names


def test_points_of_one_file(capsys):
    path = str(HOMEWORK / "template.py")
    assert main(["check", path, POINTS + ",Tanh", "--timeout=0"]) == 2
    out = capsys.readouterr().out
    assert out.endswith("points: 0 of 13, 13 open\n")
    assert "defines no 'Tanh'; it has Affine, ReLU, Sigmoid, CrossEntropy" in " ".join(out.split())
    table = [line.split() for line in out.split("\n\n")[-2].splitlines()]
    assert table[0] == ["Affine", "line", "20", "not", "judged", "?", "of", "4", "not-written"]
    assert table[4] == ["Tanh", "not", "judged", "?", "of", "1", "missing"]
    assert main(["check", str(HOMEWORK / "submissions" / "ada.py"), "--points=ReLU=0.5", "--timeout=0"]) == 0
    assert capsys.readouterr().out.endswith("points: 0.5 of 0.5\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--points=4"], "points must be NAME=NUMBER,NAME=NUMBER, each name once, not '4'"),
        (["--points=A=1,A=2"], "each name once, not 'A=1,A=2'"),
        (["--points=A=-1"], "not 'A=-1'"),
        (["--points=A=nan"], "not 'A=nan'"),
        (["--timeout=-1"], "timeout must be a number of seconds, 0 or more, not '-1'"),
        (["--timeout=soon"], "not 'soon'"),
        (["more.py"], "unrecognized arguments: more.py: check takes one file, or the folder that they are in"),
    ],
)
def test_wrong_options_are_told(options, said, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["check", "code.py", *options])
    assert said in capsys.readouterr().err


def test_what_cannot_be_checked_at_all(tmp_path, capsys):
    assert main(["check", str(tmp_path)]) == 2
    assert "must have Python files in it, but there is none" in capsys.readouterr().err
    path = written(tmp_path, "")
    assert main(["check", str(path).removesuffix(".py")]) == 2
    assert f"or a folder, not {str(path)[:-3]!r}: there is {path}" in capsys.readouterr().err
    assert main(["check", f"{path}:Affine", "--points=ReLU"]) == 2
    assert f"write {path} --points Affine=1" in capsys.readouterr().err


# --- processes --------------------------------------------------------------------------------------------------------

HANGS = """
import os, subprocess, sys, time
print("a line of its own")

class Layer:
    def backward(self, dy):
        return dy

class Loops(Layer):
    def forward(self, x):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        open(os.path.join(os.path.dirname(__file__), "pid"), "w").write(str(child.pid))
        while True:
            x = x + 0

class Sums(Layer):  # a line that never gives Python a turn
    def forward(self, x):
        return x * sum(range(10**13))

class Crashes(Layer):
    def forward(self, x):
        os.abort()

class Leaves(Layer):
    def forward(self, x):
        os._exit(3)

class Same(Layer):
    def forward(self, x):
        time.sleep(0.01)
        return x
"""


def test_endless_loops_and_crashes_end_alone(tmp_path):
    """Each has its verdict with the line, what comes after it is judged, and no process is left."""
    path = written(tmp_path, HANGS)
    status, out, _ = check(path, "--json", "--timeout=3")
    found = {one["name"]: one for one in json.loads(out)["files"][0]["checked"]}
    lines = path.read_text().splitlines()
    assert status == 2
    for name, code, at in (("Loops", "timeout", ("while", "x = x")), ("Sums", "timeout", ("return x * sum",)),
                           ("Crashes", "process-ended", ("os.abort",))):  # fmt: skip
        one = found[name]
        assert (one["verdict"], one["code"]) == ("not judged", code) and lines[one["line"] - 1].strip().startswith(
            at
        ), one
    assert "has ended the process" in found["Leaves"]["sentence"] and "exit status 3" in found["Leaves"]["sentence"]
    assert found["Same"]["verdict"] == "right"
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            break
        state = Path(f"/proc/{pid}/stat")
        if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":  # ended, and not yet waited for
            break
        time.sleep(0.1)
    else:
        pytest.fail("a process that the file has started goes on")


def test_a_file_that_loops_when_it_is_run(tmp_path):
    path = written(tmp_path, "n = 0\nwhile n < 1:\n    n = n * 1\n")
    status, out, err = check(path.name, "--timeout=2", cwd=tmp_path, COLUMNS="80")
    assert status == 2 and not err and max(map(len, out.splitlines())) <= 80
    said = " ".join(out.split())
    assert said.startswith("the file: not judged what timeout why mine.py was stopped after 2 s in line ")
    assert "If this is no endless loop, --timeout 20 gives it more time" in said


def test_a_file_has_no_keyboard_and_no_window(tmp_path):
    source = "import matplotlib.pyplot as plt\nplt.plot([1])\nplt.show()\ninput('your name?')\n"
    path = written(tmp_path, source)
    status, out, _ = check(path.name, f"--timeout={LIMIT}", cwd=tmp_path, MPLBACKEND="TkAgg")
    assert status == 2 and "mine.py stops in line 6, `input('your name?')`: EOFError" in " ".join(out.split())


# --- what is said of a file as it is written --------------------------------------------------------------------------

LEARNERS = """
class Affine:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

class Tuple(Affine):
    def backward(self, dy):
        return dy @ self.W.T, self.x.T @ dy, dy.sum(axis=0)

class TupleWrong(Affine):
    def backward(self, dy):
        return dy @ self.W.T, self.x.T @ dy, dy.mean(axis=0)

class NoBackward(Affine):
    pass

class Misspelt(Affine):
    def bakward(self, dy):
        return dy @ self.W.T

class NotWritten(Affine):
    def backward(self, dy):
        '''Return dx, dW, db.'''
        pass

class Nones(Affine):
    def backward(self, dy):
        dx, dW, db = None, None, None
        # write it here
        return dx, dW, db

class Lost:
    def forward(self, x):
        self.x = x
        return x ** 2
    def backward(self, dy):
        dx = 2 * self.x * dy

class Silent:
    def forward(self, x):
        y = x ** 2
    def backward(self, dy):
        return dy

class NoName:
    def forward(self, x):
        return X ** 2
    def backward(self, dy):
        return dy

class Own(tinynn.Layer):
    parameters = ("W",)
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out)
    def forward(self, x):
        return x @ self.W
    def backward(self, dy):
        return dy @ self.W.T, self.x.T @ dy

class Matrix:
    def forward(self, x):
        return x @ x
    def backward(self, dy):
        return dy

def double_forward(x, w):
    return x @ w, x
def double_backward(dout, cache):
    raise NotImplementedError("homework")
"""
SAID = [
    ("Tuple", "right", "ok", "", ""),
    ("TupleWrong", "wrong", "bias-mean", "dy.mean", "class TupleWrong"),
    ("NoBackward", "not judged", "no-backward", "it has forward(x) and no backward", "def forward"),
    ("Misspelt", "not judged", "no-backward", "Is bakward meant? Its name must be backward", "def forward"),
    ("NotWritten", "not judged", "not-written", "backward is not written yet: it does nothing", "def backward"),
    ("Nones", "not judged", "not-written", "it returns dW, which is None", "def backward"),
    ("Lost", "wrong", "no-return", "backward has no return: it gives None", "dx = 2 * self.x * dy"),
    ("Silent", "wrong", "no-return", "forward has no return", "y = x ** 2"),
    ("NoName", "wrong", "raises", "raises NameError in line 52, `return X ** 2`", "return X"),
    ("Own", "wrong", "returns-gradients", "a tinynn Layer writes its parameters' gradients", "def backward"),
    ("Matrix", "not judged", "not-judged", "raises ValueError in line", "class Matrix"),
    ("double_forward", "not judged", "not-written", "double_backward is not written yet: it raises", "def double_back"),
]  # fmt: skip


def test_the_learners_words(tmp_path):
    path = written(tmp_path, LEARNERS)
    found, _ = in_this_process(path, *(name for name, *_ in SAID))
    lines = path.read_text().splitlines()
    for name, verdict, code, words, at in SAID:
        one = found[name]
        assert (one.verdict, one.code) == (verdict, code) and words in one.sentence, one
        assert not at or lines[one.line - 1].strip().startswith(at), (one, lines[one.line - 1])
        assert one.verdict == "right" or words in " ".join(one.report.split())


HOLDS = """
class Layer:
    def forward(self, x):
        raise NotImplementedError
    def backward(self, dy):
        raise NotImplementedError

class Shape(Layer):
    def __init__(self, f, slope):
        self.f, self.slope = f, slope
    def forward(self, x):
        self.x = x
        return self.f(x)
    def backward(self, dy):
        return dy * self.slope(self.x)

class Tanh(Shape):
    def __init__(self):
        super().__init__(np.tanh, lambda x: 1 - np.tanh(x) ** 2)

class Square(Layer):
    def forward(self, x):
        self.x = x
        return x ** 2
    def backward(self, dy):
        return dy * self.x  # half of it

class Cube(Square):
    def forward(self, x):
        self.x = x
        return power(x)
    def backward(self, dy):
        return dy * 3 * self.x ** 2

def power(x):
    return x ** 3

def load_data():
    return None

def squares(y, t):
    return ((y - t) ** 2).mean(), 2 * (y - t) / y.size
"""


def test_all_that_a_file_holds_is_looked_at_or_told_of(tmp_path):
    """A class with a subclass, too; a base that computes nothing is no exercise."""
    found, aside = in_this_process(written(tmp_path, HOLDS))
    assert {name: one.verdict for name, one in found.items()} == {  # and squares, a loss
        "Tanh": "right", "Square": "wrong", "Cube": "right", "squares": "right",
    }  # fmt: skip
    assert "Layer, the base of Shape, Tanh, Square, Cube, computes nothing itself" in aside
    assert "Shape is looked at in Tanh" in aside and "no backward was found for them: load_data" in aside


@pytest.mark.parametrize(
    ("more", "name", "said"),
    [
        ("def train(model, x, t):\n    model.backward(model.forward(x) - t)\n", "the loop in train", "trains is not known"),
        ("def swish_backward(dy, x):\n    return dy\n", "swish_backward", "no forward was found for it"),
        ("def make():\n    class In:\n        def backward(self, dy): return dy\n    return In\n", "In", "inside make"),
        ("if __name__ == '__main__':\n    class Late:\n        def backward(self, dy): return dy\n", "Late", "without making"),
        ("Twice = Cube\nclass Twice:\n    def forward(self, x): return x\n    def backward(self, dy): return dy\n"
         "Twice = Cube\n", "Twice", "gives its name to something else"),
        ("class _Hidden:\n    def forward(self, x): return x\n    def backward(self, dy): return 1 / 0\n", "_Hidden", "Zero"),
    ],
)  # fmt: skip
def test_what_is_not_looked_at_is_listed(more, name, said, tmp_path, capsys):
    path = written(tmp_path, HOLDS.replace("dy * self.x  #", "dy * 2 * self.x  #") + more)
    assert main(["check", str(path), "--timeout=0"]) == 2
    out = " ".join(capsys.readouterr().out.split())
    assert f"check of {name}" in out and said in out


NAIVE = """
class CrossEntropy:
    def forward(self, y, t):
        e = np.exp(y)
        self.p, self.t = e / e.sum(axis=1, keepdims=True), t
        return -np.log(self.p[np.arange(len(t)), t]).mean()
    def backward(self):
        dy = self.p.copy()
        dy[np.arange(len(dy)), self.t] -= 1
        return dy / len(dy)

loss = CrossEntropy()
model = [tinynn.Affine(5, 4), tinynn.Sigmoid(), tinynn.Affine(4, 3)]
"""


def test_large_scores_are_a_warning_unless_strict(tmp_path, capsys):
    path = written(tmp_path, NAIVE)
    for options, status, said in (([], 0, "right, with a warning"), (["--strict"], 1, "wrong in loss CrossEntropy()")):
        assert main(["check", f"{path}:loss", "--timeout=0", *options]) == status
        out = capsys.readouterr().out
        assert said in out and "no-max-subtraction" in out and "exp(1001) overflows" in out
        assert main(["check", f"{path}:model", "--timeout=0", *options]) == status
        assert said.split(" in ")[0] in capsys.readouterr().out


def test_a_warning_hides_no_mistake(tmp_path):
    """A wrong layer before such a loss, and a gradient that is wrong elsewhere, are found all the same."""
    wrong = "class Slip(tinynn.Tanh):\n    def backward(self, dy):\n        return dy\nmodel[1] = Slip()\n"
    found, _ = in_this_process(written(tmp_path, NAIVE + wrong), "model")
    assert found["model"].verdict == "wrong" and "Slip()" in found["model"].report.splitlines()[0], found
    clipped = NAIVE.replace("return dy / len(dy)", "return np.clip(dy, -0.99, 1) / len(dy)")
    found, _ = in_this_process(written(tmp_path, clipped), "loss")
    assert found["loss"].verdict == "wrong" and found["loss"].code != "no-max-subtraction"


# --- terminals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [80, 100])
def test_reports_fit_a_terminal(columns, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    path = written(tmp_path, NAIVE.replace("axis=1, keepdims=True", "axis=0, keepdims=True"))
    assert main(["check", str(path), "--timeout=0"]) == 1
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= columns and "\033" not in out
    assert ("rel. error" in out) == (columns == 100) and "worst entry" in out


def test_colours_are_for_terminals(monkeypatch):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    assert printing.coloured("right", "right") == "right"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert printing.coloured("right", "right") == "\033[32mright\033[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert printing.coloured("right", "right") == "right"
    monkeypatch.setenv("NO_COLOR", "")  # as the convention has it, empty is not set
    monkeypatch.setenv("TERM", "dumb")
    assert printing.coloured("right", "right") == "right"


def test_weights_that_a_file_draws_depend_on_the_seed_alone(tmp_path):
    source = """
import random
import numpy as np

class Affine:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_in, n_out), random.random() * np.ones(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.mean(axis=0)
        return dy @ self.W.T
"""
    path = written(tmp_path, source)
    runs = [check(path, "--json", f"--seed={seed}")[1] for seed in (3, 3, 4)]
    assert runs[0] == runs[1] != runs[2]
