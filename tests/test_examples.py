"""The examples as a person runs them: real processes, every option, wrong ones too."""

from __future__ import annotations

import gzip
import os
import re
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "80"}


def run(name, *arguments, cwd, code=0):
    """The example's output; from another folder, with warnings as errors."""
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / f"{name}.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=ENVIRONMENT, timeout=120)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert max(map(len, done.stdout.splitlines()), default=0) <= 80 + len(str(cwd))  # paths may be long
    return done.stdout if code == 0 else done.stderr


def pictures(folder):
    """The names of the pictures, all of them not blank."""
    for path in folder.glob("*.png"):
        assert matplotlib.image.imread(path)[..., :3].std() > 0.01
    return {path.stem for path in folder.glob("*.png")}


@pytest.fixture
def small_set(tmp_path):
    """A set in MNIST's format: 300 + 100 images of 6 x 5, whose class is where the bright row lies."""
    folder, rng = tmp_path / "set", np.random.default_rng(0)
    folder.mkdir()
    for part, n in (("train", 300), ("t10k", 100)):
        t = rng.integers(0, 6, n).astype(np.uint8)
        x = rng.integers(0, 60, (n, 6, 5)).astype(np.uint8)
        x[np.arange(n), t] += 180
        (folder / f"{part}-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + struct.pack(">3I", *x.shape) + x.tobytes())
        labels = gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", n) + t.tobytes())
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(labels)
    return folder


def test_mnist_for_an_epoch(tmp_path):
    """The real job: all of MNIST, one epoch of ten, every picture."""
    output = run("mnist_mlp", "--epochs", 1, "--output", "pictures", cwd=tmp_path)
    accuracy = float(re.search(r"^test accuracy (\d+\.\d\d) %$", output, re.M)[1])
    assert accuracy > 93, "the lecture's network is at 94 % after its first epoch"
    assert re.search(r"^epoch +loss +accuracy +seconds +val_loss +val_accuracy$\n^ +1 .* % +[\d.]+ .* %$", output, re.M)
    assert pictures(tmp_path / "pictures") == {
        "learning_curves",
        "first_layer_weights",
        "confusion_matrix",
        "predictions",
    }
    assert "203,530" in output and all(name in output for name in ("data", "model", "loss", "algorithm"))


def test_mnist_options(small_set, tmp_path):
    options = ["--data", small_set, "--epochs", 30, "--batch-size", 20, "--lr", 0.01, "--hidden", 16, 8, "--seed", 3]
    output = run("mnist_mlp", *options, "--backend", "numpy", "--output", "p", cwd=tmp_path)
    assert float(re.search(r"test accuracy (\S+) %", output)[1]) > 90
    assert "Affine(30, 16)" in output and "Affine(8, 6)" in output and "backend numpy" in output
    assert len(pictures(tmp_path / "p")) == 4
    again = run("mnist_mlp", *options, "--backend", "numpy", "--no-plot", cwd=tmp_path)
    lines = output.partition("\n\nsaved")[0].strip().splitlines()
    for one, other in zip(again.strip().splitlines(), lines, strict=True):
        words = re.sub(r"\d+\.\d(?= )", "", one), re.sub(r"\d+\.\d(?= )", "", other)  # less the seconds
        assert words[0].split() == words[1].split(), "the same seed"
    assert not (tmp_path / "output").exists()


BAD = [
    (["--epochs", "0"], "--epochs: must be a whole number, 1 or more, not '0'"),
    (["--epochs", "many"], "--epochs: must be a whole number, 1 or more, not 'many'"),
    (["--batch-size", "-5"], "--batch-size"),
    (["--lr", "-1"], "--lr"),
    (["--lr", "nan"], "--lr: must be a number above 0, not 'nan'"),
    (["--hidden", "0"], "--hidden: must be a whole number"),
    (["--seed", "x"], "--seed: must be a whole number, 0 or more, not 'x'"),
    (["--backend", "torch"], "--backend: invalid choice: 'torch'"),
    (["--data", "/no/such/folder"], "no such directory"),
    (["--output", "taken"], "--output: must be a directory, but taken is, or lies below, a file"),
    (["--speed", "9"], "unrecognized arguments: --speed 9"),
]


@pytest.mark.parametrize("arguments, text", BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_bad_options_get_a_sentence(arguments, text, tmp_path):
    (tmp_path / "taken").write_text("a file")
    assert text in run("mnist_mlp", *arguments, cwd=tmp_path, code=2)


def test_no_gpu_gets_a_sentence(tmp_path):
    try:
        import cupy

        if cupy.cuda.is_available():
            pytest.skip("there is a GPU")
    except ImportError:
        pass
    assert "the cupy backend needs" in run("mnist_mlp", "--backend", "cupy", "--no-plot", cwd=tmp_path, code=2)


def test_damaged_data_get_a_sentence(small_set, tmp_path):
    path = small_set / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    assert "train-images-idx3-ubyte" in run("mnist_mlp", "--data", small_set, cwd=tmp_path, code=2)


def test_ctrl_c_gets_a_sentence(tmp_path):
    command = [sys.executable, "-u", str(ROOT / "examples" / "mnist_mlp.py"), "--no-plot", "--epochs", "1000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    for line in process.stdout:
        if line.startswith("epoch"):
            break
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in errors and "Ctrl-C" in errors


def test_linear_regression(tmp_path):
    output = run("linear_regression", cwd=tmp_path)
    assert output.count("1.002116818020") == 3, "learned, closed form and certified"
    assert pictures(tmp_path / "output") == {"linear_regression"}
    assert "saved" not in run("linear_regression", "--no-plot", cwd=tmp_path)


def test_xor(tmp_path):
    output = run("xor", "--output", "p", cwd=tmp_path)
    assert output.count("0.5000") == 4 and output.count("1.0000") == 2
    assert pictures(tmp_path / "p") == {"xor"}
    assert "dead corner" in run("xor", "--no-plot", "--seed", 20, cwd=tmp_path)
    assert "65 parameters" in run("xor", "--no-plot", "--hidden", 16, cwd=tmp_path)


def test_own_model(tmp_path):
    for arguments in ([], ["--leaky"]):
        output = run("own_model", "--epochs", 1, *arguments, cwd=tmp_path)
        assert float(re.search(r"test accuracy (\S+) %", output)[1]) > 93


def readme_programs():
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)


def test_the_program_in_the_readme(tmp_path):
    program = readme_programs()[0]
    assert len([line for line in program.splitlines() if line]) <= 15
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, "-W", "error", "program.py"]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=ENVIRONMENT).stdout
    assert float(re.search(r"'accuracy': ([\d.]+)", output)[1]) > 0.93


def test_the_layers_in_the_readme():
    """Their gradients are right."""
    from oracles import check_layer

    import tinynn

    names = {"Layer": tinynn.Layer, "np": np}
    for program in readme_programs()[1:]:
        exec(program, names)
    rng = np.random.default_rng(0)
    for layer in (names["Square"](), names["Scale"](3)):
        check_layer(layer, rng.normal(size=(4, 3)), rng)
