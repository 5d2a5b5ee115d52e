"""The examples, run as a reader runs them; their stories end as they say, their pictures are there."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import LIMIT, STRICT
from matplotlib.image import imread

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
NAMES = ["mnist_mlp", "mnist_resnet", "mnist_mpi", "linear_regression", "xor", "own_model", "sklearn_digits"]
MPIRUN = shutil.which("mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
# A graphical backend without a display: pictures must not need one.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "TINYNN_BACKEND")} | {
    "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "MPLBACKEND": "TkAgg",
    "COLUMNS": "80",
}  # fmt: skip


def run(directory, name, *options):
    """The output lines of an example run in `directory`."""
    command = [sys.executable, *STRICT, str(EXAMPLES / f"{name}.py"), *map(str, options)]
    done = subprocess.run(command, cwd=directory, env=ENVIRONMENT, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert all(len(line) <= 80 for line in lines if not line.startswith("saved"))
    saved = {line.removeprefix("saved ") for line in lines if line.startswith("saved")}
    assert saved == {os.path.relpath(path, directory) for path in directory.rglob("*.png")}
    for path in saved:
        picture = imread(directory / path)[..., :3]
        assert picture.shape[0] > 250 and picture.shape[1] > 400
        assert len(np.unique(picture @ [1, 1e3, 1e6])) > 20  # colours: it is not blank
    return lines


def write_idx(path, array):
    path.write_bytes(struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    """A directory like EMNIST's letters: labels from 1, more than ten; images not square, each with one bright row."""
    directory = tmp_path_factory.mktemp("letters")
    rng = np.random.default_rng(0)
    for prefix, n in (("train", 600), ("t10k", 130)):
        labels = rng.integers(1, 14, n).astype(np.uint8)
        images = rng.integers(0, 60, (n, 14, 9)).astype(np.uint8)
        images[np.arange(n), labels] += 150
        write_idx(directory / f"{prefix}-images-idx3-ubyte", images)
        write_idx(directory / f"{prefix}-labels-idx1-ubyte", labels)
    return directory


@pytest.fixture
def load(monkeypatch):
    """An example as a module, for what would take a process of its own each time."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.delenv("TINYNN_BACKEND", raising=False)
    yield importlib.import_module
    for name in ["common", *NAMES]:
        sys.modules.pop(name, None)


def accuracies(lines):
    return [float(found[1]) for line in lines if (found := re.search(r"test accuracy (\d+\.\d\d) %", line))]


@pytest.mark.slow
def test_mnist_mlp(tmp_path):
    lines = run(tmp_path, "mnist_mlp", "--epochs", 1, "--hidden", 24, "--seed", 3)
    (accuracy,) = accuracies(lines)
    assert accuracy > 85
    assert {path.name for path in (tmp_path / "output").iterdir()} == {
        "learning_curves.png", "first_layer_weights.png", "confusion_matrix.png", "predictions.png",
    }  # fmt: skip
    assert any("Affine(784, 24)" in line for line in lines)


def test_mnist_mlp_with_other_data(tmp_path, letters):
    lines = run(
        tmp_path, "mnist_mlp", "--data", letters, "--hidden", 24, 16, "--epochs", 12, "--batch-size", 20, "--lr", 0.01,
        "--backend", "numpy", "--output", "a/b",
    )  # fmt: skip
    (accuracy,) = accuracies(lines)
    assert accuracy > 90
    assert len(list((tmp_path / "a/b").iterdir())) == 4
    assert any("Affine(126, 24)" in line for line in lines) and any("Affine(16, 14)" in line for line in lines)


def test_no_plot_needs_no_matplotlib(tmp_path, letters):
    code = "import sys; sys.modules['matplotlib'] = None; import mnist_mlp, linear_regression, xor\n"
    code += f"mnist_mlp.main(['--no-plot', '--epochs', '1', '--data', {str(letters)!r}])\n"
    code += "linear_regression.main(['--no-plot'])\nxor.main(['--no-plot', '--seed', '1'])"
    environment = {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join([str(ROOT), str(EXAMPLES)])}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, timeout=LIMIT)
    assert list(tmp_path.iterdir()) == []


def test_linear_regression(tmp_path):
    lines = run(tmp_path, "linear_regression", "--output", "pictures")
    table = {
        line.split("  ")[0]: [float(word) for word in line.split()[-2:]] for line in lines[10:] if line.count(".") == 2
    }
    assert set(table) == {"learned", "closed form", "certified"}
    for name in ("learned", "closed form"):
        np.testing.assert_allclose(table[name], table["certified"], rtol=1e-11)
    (difference,) = (float(line.split()[-1]) for line in lines if "at most" in line)
    assert difference < 1e-13
    assert (tmp_path / "pictures" / "linear_regression.png").exists()


def test_xor(tmp_path):
    lines = run(tmp_path, "xor")
    assert lines[1].split() == ["answer", "0", "1", "1", "0"]
    assert lines[2].split() == ["linear", "0.50", "0.50", "0.50", "0.50", "0.2500"]
    assert lines[3].split()[-5:] == ["0.00", "1.00", "1.00", "0.00", "0.0000"]
    assert (tmp_path / "output" / "xor.png").exists()


def test_xor_admits_failure(load, capsys):
    assert load("xor").main(["--no-plot", "--seed", "20"]) == 0
    assert "Seed 20 got stuck" in capsys.readouterr().out


@pytest.mark.slow
def test_own_model(tmp_path):
    lines = run(tmp_path, "own_model", "--epochs", 1)
    relu, leaky, residual = accuracies(lines)
    assert relu > 93 and leaky > 93 and residual > 93
    (error,) = (float(line.split()[-1].rstrip(".")) for line in lines if "at most" in line)
    assert error < 1e-8


def test_mnist_resnet(tmp_path, letters):
    """On images of another size and thirteen letters; a batch of one image at the end is left out."""
    lines = run(tmp_path, "mnist_resnet", "--data", letters, "--rows", 129, "--epochs", 1, "--shift", 1)
    assert "data       128 training and 130 test images, 14 x 9 pixels" in lines
    assert len(accuracies(lines)) == 1 and any("Residual" in line for line in lines)
    assert {path.stem for path in tmp_path.rglob("*.png")} >= {"learning_curves", "confusion_matrix", "predictions"}


def test_sklearn_digits(tmp_path):
    """Both read the digits; which is faster, a busy machine may not show."""
    pytest.importorskip("sklearn", "1.6")
    lines = run(tmp_path, "sklearn_digits", "--hidden", 32, 16, "--epochs", 10, "--rounds", 1)
    assert "network  64 - 32 - 16 - 10, Adam, 10 epochs, batches of 32" in lines
    table = {line.split()[0]: line.split()[1:] for line in lines if line.split()[0:1] != []}
    for name in ("MLPClassifier", "NetworkClassifier"):
        seconds, accuracy, *_ = map(float, table[name][:2])
        assert seconds > 0 and accuracy > 0.9
    (mean,) = (float(line.split()[4]) for line in lines if line.startswith("cross_val_score"))
    (best,) = (float(line.split()[-1]) for line in lines if line.startswith("GridSearchCV"))
    assert mean > 0.9 and best > 0.9 and lines[-1].startswith("CalibratedClassifierCV")


@pytest.mark.skipif(MPIRUN is None or importlib.util.find_spec("mpi4py") is None, reason="no mpi4py with mpirun here")
def test_mnist_mpi(tmp_path, letters):
    """Two processes learn what one does; each line is printed once."""
    every = []
    for run_by in ([], [MPIRUN, "-n", "2"]):
        command = [*run_by, sys.executable, *STRICT, "-m", "mpi4py", EXAMPLES / "mnist_mpi.py", "--data", letters]
        command += ["--hidden", 24, "--epochs", 12, "--batch-size", 21, "--lr", 0.01]
        done = subprocess.run(
            list(map(str, command)), cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=300
        )
        assert (done.returncode, done.stderr) == (0, "")
        every.append(done.stdout.splitlines())
    for processes, lines in enumerate(every, 1):
        assert f"processes  {processes}, for {21 / processes:g} images each of a batch" in lines
        assert len(lines) == 4 + 13 + 3 and all(len(line) <= 80 for line in lines)
    (one,), (two,) = map(accuracies, every)
    assert one > 90 and abs(one - two) < 3  # of 130 images, after many steps in float32


# --- what can go wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--epochs 0", "argument --epochs: must be a whole number, 1 or more, not '0'"),
        ("--epochs ten", "argument --epochs: must be a whole number, 1 or more, not 'ten'"),
        ("--batch-size -1", "argument --batch-size: must be a whole number, 1 or more, not '-1'"),
        ("--batch-size 2.5", "argument --batch-size: must be a whole number, 1 or more, not '2.5'"),
        ("--seed -1", "argument --seed: must be a whole number, 0 or more, not '-1'"),
        ("--lr 0", "argument --lr: must be a number above 0, not '0'"),
        ("--lr nan", "argument --lr: must be a number above 0, not 'nan'"),
        ("--lr inf", "argument --lr: must be a number above 0, not 'inf'"),
        ("--lr fast", "argument --lr: must be a number above 0, not 'fast'"),
        ("--hidden 16 0", "argument --hidden: must be a whole number, 1 or more, not '0'"),
        ("--hidden", "argument --hidden: expected at least one argument"),
        ("--hidden 99999999999999", "Affine: n_in and n_out must be sizes of a W that fits into memory"),
        ("--backend torch", "argument --backend: invalid choice: 'torch'"),
        ("--backend cupy", "the cupy backend needs the package CuPy: pip install"),
        ("--data nowhere", "directory nowhere must hold one of train-images-idx3-ubyte"),
        ("--data file", "directory must be a directory of four files, not the file file"),
        ("--data damaged", "train-images-idx3-ubyte: magic number must be"),
        ("--output file", "argument --output: must be a directory, but a file is in the way of file"),
        ("--output file/below", "argument --output: must be a directory, but a file is in the way of file/below"),
        ("--output locked", "argument --output: cannot write to locked: Permission denied"),
        ("--colour red", "unrecognized arguments: --colour red"),
    ],
)
def test_bad_options(load, monkeypatch, tmp_path, capsys, letters, options, sentence):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "cupy", None)  # as where it is not installed
    monkeypatch.delitem(sys.modules, "tinynn.backends.cupy", raising=False)
    monkeypatch.delitem(sys.modules, "tinynn.backends.cupy.device", raising=False)
    Path("file").touch()
    Path("damaged").mkdir()
    for name in letters.iterdir():
        Path("damaged", name.name).touch()
    arguments = options.split()
    example = load("mnist_mlp")
    if "locked" in arguments:  # root may write anywhere, so chmod would prove nothing

        def deny(**_):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(importlib.import_module("common").tempfile, "TemporaryFile", deny)
    if "--data" not in arguments:
        arguments += ["--data", str(letters)]
    if "--output" not in arguments:
        arguments += ["--no-plot"]
    with pytest.raises(SystemExit) as end:
        example.main(arguments)
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""  # so it did not begin to train
    usage, error = err.splitlines()
    assert usage.startswith("usage: ") and f"error: {sentence}" in error


def test_bad_option_in_a_process(tmp_path):
    command = [sys.executable, str(EXAMPLES / "mnist_mlp.py"), "--data", "nowhere"]
    done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) == 2


def test_bad_backend_from_the_environment(load, monkeypatch, capsys, letters):
    monkeypatch.setenv("TINYNN_BACKEND", "torch")
    with pytest.raises(SystemExit) as end:
        load("mnist_mlp").main(["--data", str(letters), "--no-plot"])
    assert end.value.code == 2
    assert "TINYNN_BACKEND" in capsys.readouterr().err


def test_control_c(tmp_path, letters):
    command = [sys.executable, str(EXAMPLES / "mnist_mlp.py"), "--data", str(letters), "--epochs", "1000000"]
    process = subprocess.Popen(
        [*command, "--backend", "numpy"], cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # background jobs ignore it
    )  # fmt: skip
    try:
        while not process.stdout.readline().lstrip().startswith("4"):  # the fourth epoch: it is at work
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "stopped: Ctrl-C" in out and "test accuracy" in out and "Traceback" not in err


@pytest.mark.parametrize("name", NAMES)
def test_help(load, capsys, name):
    with pytest.raises(SystemExit) as end:
        load(name).main(["--help"])
    assert end.value.code == 0
    assert "None" not in capsys.readouterr().out
