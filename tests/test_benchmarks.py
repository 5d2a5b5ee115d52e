"""The benchmarks run, and write what they say. How fast anything is, is not tested."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import LIMIT, posing_as_cupy

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "benchmarks" / "train_step.py"
needs_mpi = pytest.mark.skipif(importlib.util.find_spec("mpi4py") is None, reason="no mpi4py here")
OURS = ["floor", "tinynn-numba", "tinynn-numpy"]


@pytest.fixture(scope="module")
def train_step():
    """The script as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPT.parent))
        spec = importlib.util.spec_from_file_location("train_step", SCRIPT)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
        for name in ("_measuring", "_networks", "_peers"):
            sys.modules.pop(name, None)


def test_quick_run_writes_a_table_json_and_a_plot(tmp_path):
    command = [sys.executable, str(SCRIPT), "--quick", "--only", *OURS, "--markdown"]
    command += ["--json", str(tmp_path / "report.json"), "--plot", str(tmp_path / "plot.png")]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    run = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=environment)
    assert run.returncode == 0, run.stderr
    assert "| 32 x 32 |" in run.stdout
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")

    report = json.loads((tmp_path / "report.json").read_text())
    assert report["threads"] == "1" and "--quick" in report["command"] and report["missing"] == {}
    assert {"python", "numpy", "numba", "torch", "jax", "scikit-learn"} == set(report["versions"])
    (row,) = report["rows"]
    assert (row["group"], row["size"], row["errors"]) == ("dense", "32x32", {})
    assert set(row["us"]) == set(row["rounds"]) == set(row["cores"]) == set(OURS)
    assert all(us > 0 for us in row["us"].values())
    assert all(len(times) == report["method"]["rounds"] for times in row["rounds"].values())
    assert set(row["difference"]) == {"tinynn-numba", "tinynn-numpy"}
    assert row["ratios"]["tinynn / floor"] > 0 and row["ratios"]["best peer / tinynn"] is None


def test_steps_of_convolutional_networks(tmp_path):
    command = [sys.executable, str(SCRIPT.with_name("conv_step.py")), "--quick"]
    command += ["--batches", "4", "--only", "speed", "tinynn-numba", "--rounds", "1", "--markdown"]
    command += ["--memory", "lenet", "--json", str(tmp_path / "report.json")]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    run = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env={**os.environ, "PYTHONPATH": path})
    assert run.returncode == 0, run.stderr
    assert "peak of memory, MiB" in run.stdout and "tinynn / floor" in run.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    (row,) = report["rows"]
    assert (row["group"], row["size"], row["errors"]) == ("lenet", "4", {})
    assert row["us"]["speed"] > 0 and row["us"]["tinynn-numba"] > 0
    assert report["memory"].keys() == {"tinynn-numba"} and report["memory"]["tinynn-numba"] > 20


def test_networks_as_data_are_those_that_are_meant(train_step, monkeypatch):
    from _networks import LENET, first_weights, multiplications, places, resnet, tinynn_layers

    monkeypatch.syspath_prepend(ROOT / "examples")
    from mnist_resnet import resnet as example

    model = example((28, 28, 1), 10, "numpy", 0)
    assert repr(tuple(tinynn_layers(resnet(1, 1)))) == repr(model.layers)
    assert (first_weights(resnet(1, 1), (28, 28, 1)) == model.params).all()
    assert len(first_weights(LENET, (28, 28, 1))) == 61706
    assert len(first_weights(resnet(3, 3), (32, 32, 3))) == 272_474
    assert places(LENET, (28, 28, 1))[2].image == (5, 5, 16)
    # by hand: y of 24 x 24 x 6, then an affine layer; without dx of the first
    layers = [["Conv2D", 2, 6, 5], ["ReLU"], ["Flatten"], ["Affine", 3456, 10]]
    assert multiplications(layers, (28, 28, 2)) == 2 * 24 * 24 * 6 * 5 * 5 * 2 + 3 * 3456 * 10


@pytest.mark.parametrize(
    "name", ["tinynn-numba", "tinynn-cupy", "torch-adam", "torch-adam-last", "torch-cuda-last", "jax"]
)
def test_contenders_train_the_same_network(train_step, name, monkeypatch):
    """With a bias, Flatten, strides, padding, a shortcut: what frameworks lay out differently."""
    from _networks import block, first_weights
    from _peers import CONTENDERS, Reference, TorchCuda

    if not name.startswith("tinynn"):
        pytest.importorskip(name.partition("-")[0])
    monkeypatch.setattr(TorchCuda, "device", "cpu")  # its code, where there is no GPU
    layers = [
        ["Conv2D", 2, 3, 3],
        ["ReLU"],
        ["MaxPool2D", 2],
        block(3, 4, 2),
        ["ReLU"],
        ["Flatten"],
        ["Affine", 36, 10],
    ]
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((32, 14, 12, 2), np.float32), rng.integers(0, 10, 32)
    weights = first_weights(layers, x.shape[1:])
    params = []
    with posing_as_cupy() if name == "tinynn-cupy" else contextlib.nullcontext():
        contenders = [Reference(True), CONTENDERS[name](True)]
        for contender in contenders:
            contender.start(weights, layers, x, t, 16)
            assert np.allclose(contender.params(), weights, atol=1e-6)
            contender.run(0, 4)
            params.append(contender.params().copy())
    way, error = params[0] - weights, params[1] - params[0]
    assert np.linalg.norm(error) < 1e-3 * np.linalg.norm(way)


@pytest.mark.slow
def test_accuracy_of_a_network_of_five_lines():
    command = [sys.executable, str(SCRIPT.with_name("accuracy.py")), "--networks", "lenet", "--rows", "64"]
    command += ["--epochs", "1", "--seeds", "1"]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    run = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env={**os.environ, "PYTHONPATH": path})
    assert run.returncode == 0, run.stderr
    head, _, row = run.stdout.splitlines()
    assert head == "| network | parameters | epochs | seed 0 | mean |"
    assert re.fullmatch(r"\| LeNet-like, .* \| 61,706 \| 1 \| ([\d.]+) % \| \*\*\1 %\*\* \|", row)


@pytest.mark.slow
def test_the_residual_network_in_pytorch(tmp_path):
    pytest.importorskip("torch")
    command = [sys.executable, str(SCRIPT.with_name("mnist_end_to_end.py")), "--network", "resnet", "--quick"]
    command += ["--rows", "64", "--only", "torch", "--markdown", "--json", str(tmp_path / "report.json")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    assert run.returncode == 0, run.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["errors"] == {} and report["waits"] == {} and set(report["runs"]) == {"torch"}
    assert "| PyTorch |" in run.stdout and 5 < report["runs"]["torch"]["accuracy"][0] < 60


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "shown"),
    [
        ("ops.py", ["adam_step", "conv2d_backward", "softmax_cross_entropy"]),
        ("conv_layer.py", ["7, 16 -> 16", "tinynn", "floor"]),
        ("matmul.py", ["Python", "tile", "BLAS", "peak"]),
        ("scaling.py", ["batch size", "width of the hidden layer", "upper half"]),
        pytest.param("mpi.py", ["gain", "Allreduce of 2 processes", "latency"], marks=needs_mpi),
    ],
)
def test_the_other_benchmarks_run(script, shown, tmp_path):
    command = [sys.executable, str(SCRIPT.with_name(script)), "--quick", "--json", str(tmp_path / "report.json")]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    run = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env={**os.environ, "PYTHONPATH": path})
    assert run.returncode == 0, run.stderr
    assert all(word in run.stdout for word in shown)
    lines = [line for line in run.stdout.splitlines() if "--json" not in line]  # which names a long path
    assert max(map(len, lines)) <= 120
    assert json.loads((tmp_path / "report.json").read_text())


def test_table_shows_missing_and_wrong_contenders(train_step):
    import _measuring as measuring

    rounds = {
        "floor": [10, 12, 11],
        "tinynn-numba": [20, 36, 22],
        "torch-adam": [90, 90, 90],
        "torch-fused": [60, 72, 66],
    }
    row = {"group": "dense", "size": "256x64-64", "rounds": rounds, "errors": {"jax": "off\nits way"}, "missing": {}}
    row |= {"us": {name: sorted(times)[1] for name, times in rounds.items()}, "cores": {"floor": 2.0}, "difference": {}}
    row["ratios"] = {head: train_step.ratio(row, *pair) for head, pair in train_step.RATIOS.items()}
    lines = measuring.times([row], train_step.TABLE, markdown=False).splitlines()
    #        floor, numba, numpy, eager: the better one, compile, jax, sklearn, and the medians of three ratios each
    expected = ["11.0", "22.0", "-", "66.0", "-", "error", "-", "2.00", "3.00", "3.00"]
    assert lines[-1].split() == ["256", "x", "64-64", *expected]
    assert len({len(line) for line in lines}) == 1 and len(lines[0]) <= 120
    row["steps"] = [2, 20]
    report = {"rows": [row], "missing": {"sklearn": "No module named 'sklearn'"}, "threads": "1"}
    notes = "\n".join(measuring.remarks(report))
    assert "sklearn (No module named 'sklearn')" in notes and "dense 256x64-64 jax: off" in notes
    assert "floor 2.0" in notes  # two cores in spite of one thread


def test_check_refuses_parameters_that_are_off(train_step, tmp_path):
    import _measuring as measuring

    class Liar:
        def ask(self, do, steps, file):
            train_step.np.save(file, right[steps] + off)

    weights = measuring.first_weights([["Affine", 784, 10]], (784,))
    right = {steps: weights + 0.001 * steps for steps in train_step.CHECKS}
    off = 0
    assert measuring.check(Liar(), tmp_path / "p.npy", weights, right, train_step.CHECKS) == [0, 0]
    off = 0.001 * 1e-2
    with pytest.raises(RuntimeError, match="after 2 steps its parameters are off"):
        measuring.check(Liar(), tmp_path / "p.npy", weights, right, train_step.CHECKS)


@pytest.mark.parametrize("word", ["256", "x32", "0x32", "32x", "32x8-0", "axb", "1x2x3"])
def test_sizes_are_checked(train_step, word, capsys):
    with pytest.raises(SystemExit):
        train_step.parse(["--sizes", word])
    assert "--sizes" in capsys.readouterr().err
    batch, widths = train_step.split(train_step.parse(["--sizes", "8x16-32"]).sizes[0])
    assert (batch, widths) == (8, [784, 16, 32, 10])
