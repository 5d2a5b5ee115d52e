"""NumPy alone, as in a browser or on a new Python: without numba, tqdm and threadpoolctl all but the speed is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LIMIT, STRICT
from test_lessons import LESSONS

import tinynn
from tinynn import Affine, Sequential, backends

# Before anything else in a new process: these packages cannot be imported.
MISSING = "import sys; sys.modules.update(dict.fromkeys({names}))\n"
NUMPY_ALONE = ["numba", "llvmlite", "tqdm", "threadpoolctl", "matplotlib", "scipy", "onnx", "safetensors"]

TRAIN = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from tinynn import Adam, Affine, ReLU, Sequential, SoftmaxCrossEntropy, check
    from tinynn.datasets import load_mnist
    (x, t), (x_test, t_test) = load_mnist()
    for _ in range(2):
        model, loss = Sequential(Affine(784, 32), ReLU(), Affine(32, 10), seed=0), SoftmaxCrossEntropy()
    history = model.fit(x[:6000], t[:6000], loss=loss, optimizer=Adam(model, lr=3e-3), batch_size=100, seed=0)
    assert model.evaluate(x_test, t_test, loss=loss)["accuracy"] > 0.85
    assert check(model, x[:2], t[:2], loss)
print([str(w.message) for w in caught if "numba" in str(w.message)], caught[0].filename.rpartition("/")[2])
"""


def run(code, *arguments, missing, folder):
    """What a program prints, in a process without these packages."""
    environment = {key: value for key, value in os.environ.items() if key != "TINYNN_BACKEND"}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(tinynn.__file__).parent.parent), *sys.path[:1]])
    command = [sys.executable, *STRICT, "-c", MISSING.format(names=missing) + code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_numpy_alone_trains_mnist(tmp_path):
    """With one sentence, said once, that points at the line where the first model is made."""
    *lines, said = run(TRAIN, missing=NUMPY_ALONE, folder=tmp_path).splitlines()
    assert lines[0].split() == ["epoch", "loss", "accuracy", "seconds"] and len(lines) == 2
    assert said == (
        '["numba cannot be loaded here (import of numba halted; None in sys.modules), so models compute with the '
        "textbook, backend 'numpy': the same results, more slowly\"] <string>"
    )


def test_the_lessons(tmp_path):
    """A sixth of them in one process, as quick as they can be; they draw, so matplotlib is there."""
    code = """
import runpy
sys.path.insert(0, sys.argv[1])
for lesson in sys.argv[2:]:
    sys.argv = [lesson, "--quick", "--quiet", "--output", "."]
    try:
        runpy.run_path(lesson, run_name="__main__")
    except SystemExit as ended:
        assert not ended.code
    print(lesson, "has run")
"""
    missing = ["numba", "llvmlite", "tqdm", "threadpoolctl"]
    output = run(code, LESSONS[0].parent, *LESSONS[::6], missing=missing, folder=tmp_path)
    assert [lesson for lesson in LESSONS[::6] if f"{lesson} has run\n" not in output] == []


def test_the_command(tmp_path):
    """A file and a folder are checked, and the lessons are told of."""
    folder = LESSONS[0].parent.parent / "homework" / "submissions"
    (tmp_path / "ada.py").write_bytes((folder / "ada.py").read_bytes())
    code = """
from tinynn.__main__ import main
for arguments in (["check", "ada.py", "--timeout=0"], ["check", ".", "--timeout=0"], ["lessons"]):
    print("status", main(arguments))
"""
    output = run(code, missing=NUMPY_ALONE, folder=tmp_path)
    assert [line for line in output.splitlines() if line.startswith("status")] == ["status 0"] * 3


def test_a_backend_that_is_asked_for_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)  # makes `import numba` fail
    for name in [name for name in sys.modules if name.startswith("tinynn.backends.numba")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match="^the numba backend needs the package numba: pip install numba$"):
        Sequential(Affine(2, 2), backend="numba")


def test_a_numba_that_refuses_this_numpy(monkeypatch):
    """It is installed, and says so when it is imported."""

    def refuse(name, *package):
        raise ImportError("Numba needs NumPy 2.5 or less. Got NumPy 2.6.")

    monkeypatch.delenv("TINYNN_BACKEND", raising=False)
    monkeypatch.setattr(backends.importlib, "import_module", refuse)
    backends._fastest.cache_clear()
    try:
        with pytest.warns(UserWarning, match=r"^numba cannot be loaded here \(Numba needs NumPy 2.5 or less"):
            assert backends.default() == "numpy"
    finally:
        backends._fastest.cache_clear()
