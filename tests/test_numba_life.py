"""The numba backend in real life: caches that fail, several processes and threads, and arrays of every layout.

What happens when the backend is imported is tried in new processes with cache folders of their own.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest
from conftest import LIMIT, STRICT

import tinynn
from tinynn import SGD, Adam, Affine, Layer, ReLU, Sequential, Sigmoid, SoftmaxCrossEntropy, Tanh, backends
from tinynn.backends.numba import compile as numba_compile
from tinynn.backends.numba import elementary, memory
from tinynn.backends.numba.compile import Kernel

PACKAGE = Path(tinynn.__file__).parent
CHAPTERS = [module for name, module in sys.modules.items() if name.startswith("tinynn.backends.numba.")]
KERNELS = [f for m in CHAPTERS for f in vars(m).values() if isinstance(f, Kernel)]  # none under NUMBA_DISABLE_JIT=1
needs_kernels = pytest.mark.skipif(not KERNELS, reason="kernels are not compiled here")

TRAIN = """
import json, sys, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import tinynn
    from tinynn import Adam, Affine, ReLU, Sequential, SoftmaxCrossEntropy
    import numpy as np
    early = sorted({"numba", "matplotlib"} & set(sys.modules))  # what `import tinynn` alone has loaded
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(64, 784)).astype(np.float32), rng.integers(0, 10, 64)
    model, loss = Sequential(Affine(784, 32), ReLU(), Affine(32, 10), seed=0), SoftmaxCrossEntropy()
    history = model.fit(x, t, loss=loss, optimizer=Adam(model), epochs=3, batch_size=16, seed=0, progress=False)
    result = [*history["loss"], model.evaluate(x, t, loss=loss)["loss"], float(model.predict(x).sum(dtype=float))]
kernels = []
if "numba" in sys.modules:
    from tinynn.backends.numba.compile import Kernel
    modules = [module for name, module in sys.modules.items() if name.startswith("tinynn.backends.numba.")]
    functions = {id(f): f for module in modules for f in vars(module).values()}.values()
    kernels = [f.code for f in functions if isinstance(f, Kernel) and f.compiled and f.code.stats.cache_path]
print(json.dumps({
    "result": [*result, float(np.abs(model.params).sum(dtype=float))],
    "tanh": model.ops.tanh(np.full((1, 1), 1, np.float32)).item(),
    "early": early,
    "numba": "numba" in sys.modules,
    "source": tinynn.__file__,
    "loaded": sum(sum(f.stats.cache_hits.values()) for f in kernels),
    "compiled": sum(sum(f.stats.cache_misses.values()) for f in kernels),
    "warnings": [f"{w.category.__name__}: {w.message}" for w in caught],
}))
"""


def start(arguments, folder, cache, **environment):
    """Start Python in `folder`, with none of this process's settings of numba."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("NUMBA_") and k != "TINYNN_BACKEND"}
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env={**inherited, "NUMBA_CACHE_DIR": str(cache), **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def finish(process):
    """What the process has printed, once it has ended well."""
    try:
        output, errors = process.communicate(timeout=LIMIT)
    finally:
        process.kill()
    assert process.returncode == 0, output + errors
    return output


def train(folder, cache, before="", **environment):
    """TRAIN in a process of its own: a dict of what it saw. `before` is code that comes first."""
    return json.loads(finish(start(["-c", before + TRAIN], folder, cache, **environment)))


def copy_of_the_package(folder):
    """A copy that comes before the installed package, for processes that work in `folder`."""
    return shutil.copytree(PACKAGE, folder / "tinynn", ignore=shutil.ignore_patterns("__pycache__", "*.xz"))


def files(cache, pattern="*.nb?"):
    """The cache's files with their times, which change when one is written anew."""
    return {path: path.stat().st_mtime_ns for path in sorted(cache.rglob(pattern))}


@pytest.fixture(scope="module")
def race(tmp_path_factory):
    """Two processes that started at once on an empty cache: (the cache, now full; what the two saw)."""
    folder = tmp_path_factory.mktemp("race")
    processes = [start(["-c", TRAIN], folder, folder / "cache") for _ in range(2)]
    return folder / "cache", [json.loads(finish(process)) for process in processes]


@pytest.fixture
def cache(race, tmp_path):
    """A full cache of the test's own."""
    return shutil.copytree(race[0], tmp_path / "cache")


@pytest.fixture(scope="module")
def right(race):
    """The result without any trouble."""
    return race[1][0]["result"]


# --- the cache on disk -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_processes_that_start_at_once(race, tmp_path):
    """Each trains right, and leaves a cache from which a later one loads all without writing."""
    cache, (first, second) = race
    before = files(cache)
    later = train(tmp_path, cache)
    textbook = train(tmp_path, cache, TINYNN_BACKEND="numpy")
    assert first["result"] == second["result"] == later["result"]
    np.testing.assert_allclose(later["result"], textbook["result"], rtol=1e-3)
    assert first["warnings"] == second["warnings"] == later["warnings"] == []
    assert first["compiled"] and later["compiled"] == 0 and later["loaded"] == first["compiled"] + first["loaded"]
    assert files(cache) == before


def test_the_textbook_alone_never_loads_numba(race, tmp_path):
    """And `import tinynn` loads neither numba nor matplotlib, whatever the backend."""
    seen = train(tmp_path, tmp_path / "cache", TINYNN_BACKEND="numpy")
    assert not seen["numba"] and not (tmp_path / "cache").exists()
    assert race[1][0]["numba"] and seen["early"] == race[1][0]["early"] == []


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="numba looks for a cache folder elsewhere here")
def test_no_folder_for_the_cache(right, tmp_path):
    """Files stand where numba would make its folders: the one it is told, the package's, the user's."""
    copy = copy_of_the_package(tmp_path)
    blocked = copy / "backends" / "numba" / "__pycache__"
    blocked.write_text("")
    seen = train(tmp_path, blocked / "cache", HOME=str(blocked), XDG_CACHE_HOME=str(blocked))
    assert Path(seen["source"]).parent == copy
    assert seen["result"] == right
    [warning] = seen["warnings"]
    assert warning.startswith("RuntimeWarning: numba cannot use its cache on disk") and "no locator" in warning


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="no such limit here")
def test_full_disk(cache, right, tmp_path):
    """Not a byte can be written: the kernels that are not in the cache are compiled for this process alone."""
    min(cache.rglob("*.nbi")).unlink()
    before = files(cache)
    seen = train(tmp_path, cache, "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n")
    assert seen["result"] == right
    [warning] = seen["warnings"]
    assert warning.startswith("RuntimeWarning: numba cannot use its cache on disk") and "OSError" in warning
    assert files(cache) == before  # no half-written file stays


DAMAGES = {
    "cut off": (".*.nbc", lambda data: data[: len(data) // 2]),
    "zeros": (".*.nbc", lambda data: bytes(len(data))),
    "emptied": (".*.nbc", lambda data: b""),
    "flipped": (".*.nbc", lambda data: bytes(255 - byte for byte in data[:64]) + data[64:]),
    "index emptied": (".nbi", lambda data: b""),
    "index cut off": (".nbi", lambda data: data[:-8]),
}


@pytest.mark.slow
def test_damaged_cache(cache, right, tmp_path):
    """Kernels' files, each in another way, as after a power cut: compiled anew, said once, and kept for later."""
    for index, (suffix, change) in zip(files(cache, "*.nbi"), DAMAGES.values()):
        for path in index.parent.glob(index.stem + suffix):
            path.write_bytes(change(path.read_bytes()))
    # no byte inside compiled code is flipped: numba has no checksums, and LLVM may end the process
    seen, later = train(tmp_path, cache), train(tmp_path, cache)
    assert seen["result"] == later["result"] == right
    [warning] = seen["warnings"]
    assert warning.startswith("RuntimeWarning: numba cannot use its cache on disk")
    assert later["warnings"] == [] and later["compiled"] == 0


@pytest.mark.slow
@needs_kernels
def test_changed_source_is_seen(cache, tmp_path):
    """Constants that kernels use are changed in a copy of the package that has a full cache, on a line they had."""
    copy = copy_of_the_package(tmp_path)
    own = copy / "backends" / "numba" / "__pycache__"  # where numba keeps its cache if no folder is named
    own.mkdir()
    for path in files(cache):
        shutil.copy2(path, own)
    before = train(tmp_path, "")
    assert Path(before["source"]).parent == copy and before["compiled"] == 0
    source = copy / "backends" / "numba" / "elementary.py"
    lines = source.read_text().splitlines()
    constants = [name for name, value in vars(elementary).items() if isinstance(value, np.float32)]
    last = max(i for i, line in enumerate(lines) if line.startswith(tuple(constants)) and " = " in line)
    lines[last] = "; ".join([lines[last].split("#")[0], *(f"{name} = np.float32(1.01 * {name})" for name in constants)])
    source.write_text("\n".join(lines) + "\n")
    after = train(tmp_path, "")
    assert after["tanh"] != before["tanh"] and after["warnings"] == []


@needs_kernels
def test_changed_options_are_seen(tmp_path, monkeypatch):
    """They lie in another file than the kernels. 1 / 0 is infinity, or an error where the options say so."""
    (tmp_path / "inverse.py").write_text("def inverse(x, y):\n    y[0] = 1 / x[0]\n")
    monkeypatch.syspath_prepend(tmp_path)
    zero, y = np.zeros(1, np.float32), np.ones(1, np.float32)

    def compiled(**options):
        monkeypatch.setattr(numba_compile, "OPTIONS", {**numba_compile.OPTIONS, **options})
        sys.modules.pop("inverse", None)
        function = importlib.import_module("inverse").inverse
        kernel = numba_compile.kernel(lambda T: (numba_compile.read(T), numba_compile.write(T)))(function)
        kernel.compile(np.dtype("float32"))
        stats = kernel.code.stats
        return kernel, sum(stats.cache_hits.values()), sum(stats.cache_misses.values())

    first, *counts = compiled()
    assert counts == [0, 1]
    again, *counts = compiled()
    assert counts == [1, 0]
    for kernel in (first, again):
        kernel(zero, y)
        assert y[0] == np.inf
    other, *counts = compiled(error_model="python")
    assert counts == [0, 1]
    with pytest.raises(ZeroDivisionError):
        other(zero, y)
    assert compiled(error_model="numpy", fastmath={"contract", "nsz"})[1:] == (0, 1)
    assert compiled(fastmath={"nsz", "contract"})[1:] == (1, 0)  # a set has no order


def test_memory_is_kept_where_glibc_is(monkeypatch):
    """Elsewhere, or where glibc has no such setting, nothing is done."""
    asked = []
    library = types.SimpleNamespace(mallopt=lambda *setting: asked.append(setting))
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("", ""))
    memory.keep()
    assert asked == []
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("glibc", "2.36"))
    memory.keep()
    assert asked == [(-1, 512 << 20), (-3, 32 << 20)]
    del library.mallopt
    memory.keep()


# --- processes and threads -------------------------------------------------------------------------------------------

FORK = """
import copy, json, multiprocessing, warnings
import numpy as np
from tinynn import Adam, Affine, ReLU, Sequential, SoftmaxCrossEntropy
from tinynn.backends.numba import threads

rng = np.random.default_rng(0)
x, t = rng.normal(size=(256, 784)).astype(np.float32), rng.integers(0, 10, 256)
model, loss = Sequential(Affine(784, 32), ReLU(), Affine(32, 10), seed=0), SoftmaxCrossEntropy()

def train(model):
    threads.on_all(lambda *share: None, [(0, 1), (1, 2)])  # the parent's threads are not there in a child
    model.fit(x, t, loss=loss, optimizer=Adam(model), epochs=2, seed=0, progress=False)
    return model.predict(x)

def work(number):
    return train(model if number == 0 else copy.deepcopy(model))

train(model)  # before the fork: the workers inherit a model and a BLAS with its threads
expected = train(copy.deepcopy(model))
warnings.filterwarnings("ignore", category=DeprecationWarning)  # Python 3.12 and later: a fork with threads around
with multiprocessing.get_context("fork").Pool(2) as pool:
    results = pool.map_async(work, [1, 1, 1, 1]).get(timeout=1800)
print(json.dumps([len(results), all(np.array_equal(expected, result) for result in results)]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork here")
def test_forked_workers_train_alike(cache, tmp_path):
    arguments = [*STRICT, "-c", FORK]
    assert json.loads(finish(start(arguments, tmp_path, cache, OPENBLAS_NUM_THREADS="2"))) == [4, True]


def test_threads_train_and_predict_at_once(rng):
    """All share one model to predict with, and each trains one of its own meanwhile."""
    x, t = rng.normal(size=(8, 64, 20)).astype(np.float32), rng.integers(0, 10, (8, 64))
    shared = Sequential(Affine(20, 30), Tanh(), Affine(30, 30), Sigmoid(), Affine(30, 10), backend="numba", seed=0)

    def work(i):
        own, loss = Sequential(Affine(20, 30), ReLU(), Affine(30, 10), backend="numba", seed=i), SoftmaxCrossEntropy()
        adam, results = Adam(own), []
        for epoch in range(20):
            own.fit(x[i], t[i], loss=loss, optimizer=adam, seed=epoch, progress=False)
            results.append(shared.predict(x[i]))
        return [*results, own.params]

    def wait_and_work(i):
        barrier.wait(timeout=LIMIT)
        got[i] = work(i)

    expected, got, barrier = [work(i) for i in range(8)], [None] * 8, threading.Barrier(8)
    threads = [threading.Thread(target=wait_and_work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=LIMIT)
    for ours, theirs in zip(expected, got):
        assert theirs is not None and all(np.array_equal(a, b) for a, b in zip(ours, theirs))


@needs_kernels
def test_threads_may_call_a_kernel_before_it_is_compiled(tmp_path, monkeypatch):
    """While it is compiled for one dtype, others call it for that and for another."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))  # so nothing is found there

    def double(x, y):
        for i in range(x.size):
            y[i] = 2 * x[i]

    twice, begin = (
        numba_compile.kernel(lambda T: (numba_compile.read(T), numba_compile.write(T)))(double),
        threading.Barrier(8),
    )

    def call(number):
        begin.wait(timeout=LIMIT)
        if number < 2:
            twice.compile(np.dtype(np.float64))
        x = np.arange(5, dtype=(np.float32, np.float64)[number % 2])
        for _ in range(300):
            y = np.empty_like(x)
            twice(x, y)
            assert np.array_equal(y, 2 * x)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(8)))
    assert twice.compiled == {np.dtype(np.float32), np.dtype(np.float64)}


# --- arrays of every layout ------------------------------------------------------------------------------------------


def read_only(a):
    a = a.copy("K")
    a.flags.writeable = False
    return a


def spread(a):
    """`a` as every second column of a wider array, with numbers between that would change every result."""
    wide = np.full((*a.shape[:-1], 2 * a.shape[-1]), 99, a.dtype)
    wide[..., ::2] = a
    return wide[..., ::2]


LAYOUTS = {
    "read-only": read_only,
    "columns": spread,
    "rows": lambda a: np.repeat(a, 2, axis=0)[::2],
    "backwards": lambda a: np.ascontiguousarray(a[::-1])[::-1],
    "Fortran": np.asfortranarray,
    "read-only Fortran": lambda a: read_only(np.asfortranarray(a)),
    "broadcast": lambda a: np.broadcast_to(a[None], (2, *a.shape))[1],
    "unaligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
}


def compiled():
    """How many dtypes each kernel is compiled for, and for how many kinds of arguments."""
    return [(len(kernel.compiled), len(kernel.code.signatures) if kernel.code else 0) for kernel in KERNELS]


class Relaid(Layer):
    """x unchanged, but in another layout; so is dy."""

    def __init__(self, layout):
        self.layout = layout

    def forward(self, x):
        return self.layout(x)

    def backward(self, dy):
        return self.layout(dy)


def deep(dtype, layout=None):
    """A model with every layer; between them, on request, x and dy in another layout."""
    layers = [Affine(20, 128), ReLU(), Affine(128, 7), Sigmoid(), Tanh(), Affine(7, 4)]
    if layout is not None:
        layers = [part for layer in layers for part in (layer, Relaid(layout))]
    return Sequential(*layers, backend="numba", dtype=dtype, seed=0)


def everything(model, x, t):
    """A step and all that can be asked of the model, as arrays."""
    loss = SoftmaxCrossEntropy()
    value = loss.forward(model.forward(x), t)
    model.backward(loss.backward())
    results = [value, model.grads.copy(), model.predict(x), model.evaluate(x, t, loss=loss)["loss"]]
    for optimizer in (SGD(model, lr=0.1), SGD(model, lr=0.1, momentum=0.9)):
        model.fit(x, t, loss=loss, optimizer=optimizer, batch_size=16, seed=0, progress=False)
    return [*results, model.params.copy()]


@pytest.mark.parametrize("share", [1, 0.1], ids=["dense", "mostly zeros"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(layout, dtype, share, rng):
    """Of x, of labels, of soft targets, and between layers: the results of the contiguous copy, nothing compiled."""
    change = LAYOUTS[layout]
    x, labels = rng.normal(size=(32, 20)).astype(dtype), rng.integers(0, 4, 32)
    x *= rng.random(x.shape) < share
    soft = rng.dirichlet(np.ones(4), 32).astype(dtype)
    before = None
    for t in (labels, soft):
        expected = everything(deep(dtype), x, t)
        before = before or compiled()
        for got in (everything(deep(dtype), change(x), change(t)), everything(deep(dtype, change), x, t)):
            for a, b in zip(got, expected):
                np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)  # BLAS may add in another order
    assert compiled() == before


@needs_kernels
def test_nothing_compiles_in_the_middle_of_training(rng):
    """Adam at work; then other layouts, a step on one row, and no more kernel than when the model was built."""
    for dtype in ("float32", "float64"):
        x, t = rng.normal(size=(32, 20)).astype(dtype), rng.integers(0, 4, 32)
        model, loss = deep(dtype), SoftmaxCrossEntropy()
        adam = Adam(model, weight_decay=0.01)
        backends.prepare(loss, np.dtype(dtype), model.ops)  # as `fit` does
        before = compiled()
        for change in (np.asarray, *LAYOUTS.values()):
            for rows in (slice(None), slice(1)):
                loss.forward(model.forward(change(x)[rows]), change(t)[rows])
                model.backward(loss.backward())
                adam.step()
        assert np.isfinite(model.params).all()
        assert compiled() == before


COUNT = """
import json, sys
import numpy as np
from tinynn import Affine, BatchNorm, Conv2D, Flatten, Layer, MaxPool2D, ReLU, Sequential, SGD, MSE
from tinynn.backends.numba.compile import Kernel

class Mine(Layer):
    def forward(self, x):
        return self.ops.tanh(x)
    def backward(self, dy):
        return self.ops.tanh_backward(dy, self.y)

def known():
    modules = [module for name, module in sys.modules.items() if name.startswith("tinynn.backends.numba.")]
    functions = {id(f): f for module in modules for f in vars(module).values()}.values()
    return sorted(f.function.__name__ for f in functions if isinstance(f, Kernel) and f.compiled)

import tinynn.backends.numba
seen = [known()]
model = Sequential(Conv2D(1, 2, 3), BatchNorm(2), ReLU(), MaxPool2D(2), Flatten(), Affine(8, 3), Mine(), seed=0,
                   shape=(6, 6, 1))
seen.append(known())
model.fit(np.ones((4, 6, 6, 1), np.float32), np.ones((4, 3), np.float32), loss=MSE(), optimizer=SGD(model, lr=0.1),
          epochs=2, progress=False)
seen.append(known())
print(json.dumps(seen))
"""


@needs_kernels
def test_a_model_compiles_what_it_uses_when_it_is_built(tmp_path):
    """A learner's layer too; nothing on import, and only the optimizer's afterwards."""
    on_import, built, trained = json.loads(finish(start(["-c", COUNT], tmp_path, "")))
    assert on_import == []
    assert {"slide_kernel", "max_kernel", "statistics_kernel", "relu_kernel", "tanh_kernel"} <= set(built)
    assert not {"avg_kernel", "sigmoid_kernel", "softmax_kernel", "adam_kernel"} & set(trained)
    assert set(trained) - set(built) == {"sgd_kernel"}


def test_memory_mapped_rows(tmp_path, rng):
    """A memmap is refused by name (a subclass may mean more than its numbers); np.asarray of it works, unread before."""
    x, t = rng.normal(size=(32, 20)).astype(np.float32), rng.integers(0, 4, 32)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "t.npy", t)
    x_map, t_map = (np.load(tmp_path / name, mmap_mode="r") for name in ("x.npy", "t.npy"))
    model, loss = deep("float32"), SoftmaxCrossEntropy()
    for use in (model.forward, model, model.predict):
        with pytest.raises(TypeError, match="x must be a numpy array, not a numpy.memmap of shape"):
            use(x_map)
    with pytest.raises(TypeError, match="t must be .*, not a numpy.memmap of shape"):
        loss.forward(model.forward(x), t_map)
    for pair in ((x_map, t), (x, t_map)):
        with pytest.raises(TypeError, match="[xt] must be a numpy array, not a numpy.memmap of shape"):
            model.fit(*pair, loss=loss, optimizer=SGD(model, lr=0.1), progress=False)
    plain_x, plain_t = np.asarray(x_map), np.asarray(t_map)
    assert np.shares_memory(plain_x, x_map)
    for a, b in zip(everything(deep("float32"), plain_x, plain_t), everything(deep("float32"), x, t)):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "int32", "uint32", "uint64", ">i4"])
@pytest.mark.parametrize("layout", ["as it is", *LAYOUTS])
def test_labels_of_any_kind(kind, layout, rng):
    change = LAYOUTS.get(layout, np.asarray)
    y, t = rng.normal(size=(10, 4)).astype(np.float32), rng.integers(0, 4, 10)
    expected, got = SoftmaxCrossEntropy("numba"), SoftmaxCrossEntropy("numba")
    before = compiled()
    assert got.forward(y, change(t.astype(kind))) == expected.forward(y, t)
    assert np.array_equal(got.backward(), expected.backward()) and compiled() == before


@pytest.mark.parametrize("label, kind", [
    (-1, "int8"), (-1, "int32"), (-1, "int64"), (10, "int8"), (10, "uint8"), (10, "int64"),
    (10**9, "int32"), (10**9, "int64"), (-(10**9), "int64"), (2**64 - 1, "uint64"),
])  # fmt: skip
def test_label_out_of_range(label, kind):
    """By its number, before the first step and in a loss alone; a kernel that looked it up would end the process."""
    x, t = np.ones((5, 6), np.float32), np.zeros(5, kind)
    t[3] = label
    model, loss = Sequential(Affine(6, 10), backend="numba", seed=0), SoftmaxCrossEntropy()
    kept, message = model.params.copy(), rf"labels must be in 0..9 for 10 scores a row, not {label} \(in row 3\)"
    with pytest.raises(ValueError, match=message):
        model.fit(x, t, loss=loss, optimizer=Adam(model), progress=False)
    for use in (lambda: model.evaluate(x, t, loss=loss), lambda: loss.forward(model.forward(x), t)):
        with pytest.raises(ValueError, match=message):
            use()
    assert np.array_equal(model.params, kept)
