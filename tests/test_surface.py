"""The package as it meets the world: its names, its files, a zip, and what it leaves behind."""

from __future__ import annotations

import concurrent.futures
import gc
import gzip
import lzma
import os
import random
import shutil
import subprocess
import sys
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import LIMIT, STRICT
from oracles import LAYERS

import tinynn
from tinynn import (
    MSE,
    Adam,
    Affine,
    Layer,
    ReLU,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    check,
    check_layer,
    explain,
    flatten,
    load,
    save,
    save_weights,
)
from tinynn.datasets import load_mnist
from tinynn.saving import arguments as recipes


def python(code, **options):
    """What a program prints in a process of its own."""
    run = subprocess.run(
        [sys.executable, *STRICT, "-c", code], capture_output=True, text=True, timeout=LIMIT, **options
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def test_names():
    assert {name for name in dir(tinynn) if not name.startswith("__")} == set(tinynn.__all__)
    assert all(getattr(tinynn, name) is not None for name in tinynn.__all__)
    code = "import sys, tinynn; n = len(dir(tinynn)); tinynn.to_onnx; optional = 'numba', 'matplotlib', 'onnx', 'safetensors'; print([m for m in optional if m in sys.modules]);"
    code += (
        "tinynn.teach.check; print('numba' in sys.modules); tinynn.plots.network; print('matplotlib' in sys.modules)"
    )
    assert python(code) == ["[]", "False", "True"]
    with pytest.raises(AttributeError, match="module 'tinynn' has no attribute 'nothing'"):
        tinynn.nothing  # noqa: B018


def test_every_layer_and_optimizer_is_saved_and_loaded_by_its_name():
    """Without a list of them: a new one in its chapter is known."""
    assert set(recipes.LAYERS) == {cls.__name__ for cls in LAYERS} | {"Sequential"}
    assert set(recipes.OPTIMIZERS) == {"SGD", "Adam", "RMSProp"}


# --- a layer whose methods call those of its base class ----------------------------------------------------------------


class LogSigmoid(Sigmoid):
    """y = log sigmoid(x)."""

    def forward(self, x):
        return np.log(super().forward(x))

    def backward(self, dy):
        return super().backward(dy / np.exp(self.y))


class Twice(LogSigmoid):
    """y = 2 log sigmoid(3 x), of three levels."""

    def forward(self, x):
        return 2 * super().forward(3 * x)

    def backward(self, dy):
        return 3 * super().backward(2 * dy)


class Squared(Affine):
    def forward(self, x):
        return super().forward(x) ** 2

    def backward(self, dy):
        return super().backward(dy * 2 * (self.x @ self.W + self.b))


def test_the_outermost_forward_is_kept():
    x = np.random.default_rng(0).normal(size=(6, 3))
    for layer in (LogSigmoid(), Twice(), Squared(3, 4)):
        assert check_layer(layer, x), layer
        y = layer.forward(x)
        assert layer.y is y and layer.x is x
        layer.backward(np.ones(y.shape))
        assert layer.y is y and layer.x is x
        assert np.array_equal(layer(x), y) and layer.y is y
    model = Sequential(Affine(3, 4), LogSigmoid(), Twice(), Squared(4, 3), seed=0)
    assert check(model, x, np.array([0, 1, 2, 0, 1, 2]), SoftmaxCrossEntropy())


def test_an_error_inside_leaves_the_layer_usable():
    class Fails(Sigmoid):
        fails = True

        def forward(self, x):
            y = super().forward(x)
            if self.fails:
                raise ZeroDivisionError
            return y

    layer, x = Fails(), np.ones((2, 3))
    with pytest.raises(ZeroDivisionError):
        layer.forward(x)
    layer.fails = False
    y = layer.forward(x)
    assert layer.y is y and np.allclose(layer.backward(np.ones((2, 3))), y * (1 - y))
    with pytest.raises(ValueError, match="dy must be an array of y's shape"):
        layer.backward(np.ones((3, 3)))


# --- weights ----------------------------------------------------------------------------------------------------------


def test_looking_at_weights_changes_nothing():
    drawn = []
    for look in (False, True):
        layer = Affine(2, 2)
        if look:
            for name in ("W", "b", "dW", "db"):
                with pytest.raises(
                    AttributeError, match=rf"Affine\(2, 2\): {name} has no numbers yet: a model draws it"
                ):
                    getattr(layer, name)
                assert not hasattr(layer, name)
        model = Sequential(layer, seed=0, dtype="float64")
        drawn.append(model.params.tobytes())
    assert drawn[0] == drawn[1]
    alone = Affine(2, 2)
    alone.forward(np.ones((1, 2)))  # float64, as its first x is
    assert alone.W.dtype == np.float64
    given = Affine(2, 2)
    given.W = [[1, 2], [3, 4]]
    assert given.W.tolist() == [[1, 2], [3, 4]] and Sequential(given, seed=0)[0].W.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.ma.masked_array(np.ones((3, 4)), np.eye(3, 4)), "return floats of shape .*, not a numpy.MaskedArray"),
        (np.full((3, 4), np.nan), "return numbers, not NaN or infinity"),
        (np.full((3, 4), np.inf), "return numbers, not NaN or infinity"),
        (np.ones((4, 3)), r"floats of shape \(3, 4\), not an array of shape \(4, 3\)"),
        (np.ones((3, 4), int), "floats of shape .* dtype int64"),
        ([[1.0] * 4] * 3, "floats of shape"),
        (None, "floats of shape .*, not None"),
    ],
)
def test_what_an_initializer_returns(values, said):
    with pytest.raises(ValueError, match=f"weight_init must .*{said}"):
        Sequential(Affine(3, 4, weight_init=lambda shape, rng: values), seed=0)


def test_what_is_no_model_or_backend():
    x, t = np.ones((2, 3), "float32"), np.array([0, 1])
    for call, said in (
        (lambda: Affine(3, 4).build(ops=3), "ops must be a backend's module, not 3"),
        (lambda: Affine(3, 4).build(ops="numpy"), "ops must be a backend's module, not 'numpy'"),
        (lambda: Affine(3, 4).build(dtype="int8"), "dtype must be 'float32' or 'float64', not 'int8'"),
        (lambda: Affine(3, 4).build(rng="a"), "rng must be"),
        (lambda: explain(MSE(), x, t, MSE()), r"model must be one that has its weights, not MSE\(\)"),
        (lambda: explain(Affine(3, 4), x, t, MSE()), r"has its weights, not Affine\(3, 4\) .*: Sequential\(Affine\(3, 4\), seed=0\)"),
        (lambda: Sequential([Affine(3, 4), ReLU()]), r"layers must be given one by one, Sequential\(\*layers\), not as \[Affine"),
        (lambda: Sequential(layer for layer in [ReLU()]), "layers must be given one by one, .*, not as <generator"),
        (lambda: flatten((ReLU(),)), "layers must be given one by one"),
        (lambda: Sequential("ReLU"), "layer 1 must be a Layer, not 'ReLU'"),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError), match=said):
            call()


# --- files ------------------------------------------------------------------------------------------------------------


def spellings(folder, images, labels):
    """The same two pairs of files as other programs leave them, in folders of their own."""

    def idx(a):
        return bytes([0, 0, 8, a.ndim]) + b"".join(n.to_bytes(4, "big") for n in a.shape) + a.tobytes()

    whole = {
        f"{part}-{kind}-idx{a.ndim}-ubyte": idx(a)
        for part in ("train", "t10k")
        for kind, a in (("images", images), ("labels", labels))
    }
    gz = {name: gzip.compress(data) for name, data in whole.items()}
    for kind, files in {
        "plain": whole,
        "dots": {name.replace("-idx", ".idx"): data for name, data in whole.items()},
        "gz": {f"{name}.gz": data for name, data in gz.items()},
        "dots.gz": {name.replace("-idx", ".idx") + ".gz": data for name, data in gz.items()},
        "gzip without .gz": gz,
        "unpacked, still .gz": {f"{name}.gz": data for name, data in whole.items()},
        "xz without .xz": {name: lzma.compress(data) for name, data in whole.items()},
        "MNIST/raw": {f"MNIST/raw/{name}": data for name, data in whole.items()},
        "raw": {f"raw/{name}.gz": gz[name] for name in gz},
    }.items():
        for name, data in files.items():
            path = folder / kind.replace("/", " ") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        yield folder / kind.replace("/", " ")


def test_mnist_as_others_leave_it(tmp_path):
    images, labels = np.arange(24, dtype="u1").reshape(4, 2, 3), np.arange(4, dtype="u1")
    tried = 0
    for folder in spellings(tmp_path, images, labels):
        (x, y), (x_test, _) = load_mnist(directory=folder, flatten=False, normalize=False)
        assert np.array_equal(x, images) and np.array_equal(y, labels) and np.array_equal(x_test, images)
        tried += 1
    assert tried == 9
    (tmp_path / "other").mkdir()
    for name in ("emnist-images", "b", "a", "c", "d"):
        (tmp_path / "other" / name).touch()
    with pytest.raises(
        FileNotFoundError, match=r"must hold one of train-images.*, but there is only a, b, c, d, \.\.\."
    ):
        load_mnist(directory=tmp_path / "other")
    (tmp_path / "none").mkdir()
    with pytest.raises(FileNotFoundError, match="but there is only nothing"):
        load_mnist(directory=tmp_path / "none")


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts the descriptors that Linux lists")
def test_no_file_stays_open(tmp_path):
    """Saves, loads and what fails of them: as many descriptors as before."""
    model = Sequential(Affine(3, 4), seed=0)
    optimizer = Adam(model)
    save(tmp_path / "a.npz", model, optimizer)  # what is loaded once and stays
    load(tmp_path / "a.npz")
    load_mnist()
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(3):
        save(tmp_path / "a.npz", model, optimizer)
        load(tmp_path / "a.npz")
        load_mnist()
        (tmp_path / "bad.npz").write_bytes(b"PK no archive")
        for call in (lambda: load(tmp_path / "bad.npz"), lambda: save(tmp_path / "no" / "a.npz", model)):
            with pytest.raises((ValueError, OSError)):
                call()
    pytest.importorskip("safetensors")
    for _ in range(3):
        save_weights(tmp_path / "w.safetensors", model)
        tinynn.load_weights(tmp_path / "w.safetensors", model)
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_a_report_keeps_little_alive():
    """A copy of the model for its sweep, that is parameters and gradients, and the few rows that were looked at."""
    x, t = np.random.default_rng(0).normal(size=(4, 500)), np.zeros(4, int)
    model, loss = Sequential(Affine(500, 300), ReLU(), Affine(300, 10), seed=0, backend="numpy"), SoftmaxCrossEntropy()
    check(model, x, t, loss)
    tracemalloc.start()
    try:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        report = check(model, x, t, loss)
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert report and kept < 2.5 * model.params.nbytes
    before = report.sweep()
    model.params *= 2  # the sweep is that of the checked model, whatever comes of it
    after = report.sweep()
    assert np.array_equal(before.error, after.error) and before.error.min() < 1e-7
    layer = Affine(500, 300)
    assert check_layer(layer, x).sweep().shape == "V"


def test_a_package_in_a_zip(tmp_path):
    """Imported from there it checks, and draws its page."""
    shutil.make_archive(str(tmp_path / "tinynn"), "zip", Path(tinynn.__file__).parents[1], "tinynn")
    code = f"""
import sys; sys.path.insert(0, {str(tmp_path / "tinynn.zip")!r})
import numpy as np, tinynn
from tinynn import *
assert "tinynn.zip" in tinynn.__file__
model = Sequential(Affine(2, 3), Tanh(), Affine(3, 2), backend="numpy", seed=0)
x, t = np.ones((2, 2), "f"), np.array([0, 1])
assert check(model, x, t, SoftmaxCrossEntropy())
explain(model, x, t, SoftmaxCrossEntropy()).to_html("page.html")
print(open("page.html", encoding="utf-8").read().count("</html>"))
"""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    assert python(
        code.replace("open(", "__import__('pathlib').Path(")
        .replace(", encoding", ").read_text(encoding")
        .replace(".read()", ""),
        cwd=tmp_path,
        env=environment,
    ) == ["1"]


def test_a_class_of_ones_own_is_given_to_load(tmp_path):
    class Scale(Layer):
        parameters = ("g",)

        def __init__(self, n):
            self.n, self.g = n, np.ones(n)

        def forward(self, x):
            return x * self.g

        def backward(self, dy):
            self.dg = (dy * self.x).sum(axis=0)
            return dy * self.g

    model = Sequential(Affine(3, 4), Scale(4), seed=0)
    save(tmp_path / "a.npz", model)
    with pytest.raises(tinynn.CheckpointError, match="not 'Scale' .*, give its class: load"):
        load(tmp_path / "a.npz")
    loaded = load(tmp_path / "a.npz", layers=[Scale])[0]
    assert np.array_equal(loaded.params, model.params)


def test_a_matrix_that_fits_into_memory(monkeypatch):
    """The limit itself is no error."""
    monkeypatch.setattr(tinynn.initializers, "LARGEST", 12)
    assert Affine(3, 4).n_out == 4 and tinynn.zeros((3, 4), np.random.default_rng(0)).size == 12
    with pytest.raises(ValueError, match=r"n_in and n_out must be sizes of a W that fits into memory, not \(13, 1\)"):
        Affine(13, 1)


def test_diagnose_in_threads_leaves_the_process_as_it_is():
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(64, 4)).astype("float32"), rng.integers(0, 2, 64)

    def work(_):
        return tinynn.diagnose(
            Sequential(Affine(4, 8), ReLU(), Affine(8, 2), seed=0), SoftmaxCrossEntropy(), x, t
        ).lines

    before = list(warnings.filters), np.random.get_state()[1].tobytes(), random.getstate()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))
    assert (list(warnings.filters), np.random.get_state()[1].tobytes(), random.getstate()) == before


def test_minus_0_is_0():
    """NumPy's generators would call it negative."""
    assert np.copysign(1, tinynn.checks.number("a", -0.0)) == 1


def test_an_affine_with_first_values_of_its_own(tmp_path):
    class Doubled(Affine):
        def initial_values(self, rng):
            return {"W": rng.normal(size=(self.n_in, 2 * self.n_out)), "b": np.zeros(2 * self.n_out)}

    model = Sequential(Doubled(3, 4), seed=0)
    save(tmp_path / "a.npz", model)
    assert np.array_equal(load(tmp_path / "a.npz", layers=[Doubled])[0].params, model.params)


def test_a_text_is_cut_at_200():
    assert tinynn.saving.files.short("a" * 200) == "a" * 200
    assert tinynn.saving.files.short("a" * 201) == "a" * 197 + "..."
