"""Checkpoints: exact resuming, files that survive whatever happens to the process, and hostile files."""

from __future__ import annotations

import contextlib
import copy
import errno
import functools
import gc
import io
import json
import os
import resource
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_training import blobs, network

import tinynn
from tinynn import SGD, Adam, Affine, History, Layer, ReLU, Sequential, Sigmoid, SoftmaxCrossEntropy, Tanh
from tinynn import initializers as init
from tinynn.saving.archive import LARGEST_HEADER
from tinynn.saving.checkpoint import CheckpointError, load, load_into, load_weights, save, save_weights
from tinynn.saving.files import ABANDONED

MIB = 2**20
OPTIMIZERS = {
    "adam": lambda model: Adam(model, lr=1e-2, beta1=0.8, weight_decay=1e-3),
    "sgd": lambda model: SGD(model, lr=0.05, momentum=0.9, nesterov=True),
    "plain sgd": lambda model: SGD(model, lr=0.05),
    "clipped adam": lambda model: Adam(model, lr=0.05, weight_decay=0.1, decay_biases=False, clip_norm=0.5),
}


def train(model, optimizer, epochs, **options):
    x, t = blobs()
    options = {"progress": False, **options}
    return model.fit(x, t, loss=SoftmaxCrossEntropy(), optimizer=optimizer, epochs=epochs, **options)


def trained(backend="numpy", kind="adam", epochs=2):
    model = network(backend)
    optimizer = OPTIMIZERS[kind](model)
    return model, optimizer, train(model, optimizer, epochs, seed=5)


def state(model, optimizer=None, history=None):
    """Everything that a checkpoint holds, to compare."""
    numbers = {"params": model.ops.to_numpy(model.params).tobytes()}
    words = [[(type(layer).__name__, repr(layer)) for layer in model], str(model.dtype), model.seed]
    if optimizer is not None:
        numbers |= {name: optimizer.ops.to_numpy(getattr(optimizer, name)).tobytes() for name in optimizer.state}
        words += [repr(optimizer), optimizer.epochs, optimizer.seed, getattr(optimizer, "t", None)]
    if history is not None:
        words += [history.first, history.stopped, repr(history.rows)]
    return numbers, repr(words)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The bytes of a file with everything in it."""
    path = tmp_path_factory.mktemp("content") / "run.npz"
    save(path, *trained())
    return path.read_bytes()


@pytest.fixture
def file(content, tmp_path):
    path = tmp_path / "run.npz"
    path.write_bytes(content)
    return path


def refused(path, says="", **options):
    """`load` must raise a CheckpointError that names the file and in which `says` is found."""
    with pytest.raises(CheckpointError, match=says) as caught:
        load(path, backend="numpy", **options)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def pack(members, compression=zipfile.ZIP_STORED):
    """A zip, written independently of `save`; `members` are pairs, so that a name can come twice."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", compression) as archive,
        pytest.warns() if len(dict(members)) < len(members) else contextlib.nullcontext(),
    ):
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def unpack(content):
    """The members of a zip, and the header as JSON holds it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return members, json.loads(np.load(io.BytesIO(members["header.npy"])).tobytes())


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def with_header(content, header):
    """The same file with another header, all checksums right. `header`: what JSON can say, or bytes."""
    members, _ = unpack(content)
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return pack([*{**members, "header.npy": npy(np.frombuffer(text, "uint8"))}.items()])


# exactly the same again


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_what_is_saved_is_loaded(kind, any_backend, tmp_path):
    model, optimizer, history = trained(any_backend, kind)
    history.stopped = "enough"
    save(tmp_path / "all", model, optimizer, history)
    loaded = load(tmp_path / "all", backend=any_backend)
    assert state(*loaded) == state(model, optimizer, history)
    assert loaded.model.backend == any_backend and loaded.optimizer.model is loaded.model
    assert os.listdir(tmp_path) == ["all"]  # exactly that name, nothing beside it

    other = network(any_backend, seed=1)
    into = OPTIMIZERS[kind](other)
    result = load_into(tmp_path / "all", other, into)
    assert result.model is other and result.optimizer is into and into.model is other
    other.seed = model.seed  # says where the weights started; not the file's business
    assert state(*result) == state(model, optimizer, history)


LATER = {"model": "Sequential", "shape": None, "buffers": 0}  # what files from before do not say


def test_each_field_by_itself(any_backend, tmp_path):
    """Each with a value that is nobody's default, written down here: in the file, and in what comes of it."""
    model = Sequential(Affine(2, 3, bias_init="normal"), backend=any_backend, dtype="float64", seed=7)
    optimizer = SGD(model, lr=0.5, momentum=0.25)
    optimizer.epochs, optimizer.seed = 11, 13
    history = History(first=5)
    history.append({"loss": 2.5})
    history.stopped = "enough"
    path = tmp_path / "run.npz"
    save(path, model, optimizer, history)
    header = unpack(path.read_bytes())[1]
    assert header.pop("written by")["numpy"] == np.__version__
    affine = {"n_in": 2, "n_out": 3, "weight_init": "kaiming_normal", "bias_init": "normal"}
    sgd = {
        "lr": 0.5, "momentum": 0.25, "nesterov": False, "weight_decay": 0.0, "decay_biases": True, "clip_norm": None,
    }  # fmt: skip
    assert header == {
        "format": "tinynn checkpoint", "version": 1, "dtype": "float64", "seed": 7, **LATER,
        "layers": [{"class": "Affine", "arguments": affine}],
        "optimizer": {"class": "SGD", "arguments": sgd, "epochs": 11, "seed": 13, "t": None},
        "history": {"first": 5, "stopped": "enough", "rows": [{"loss": 2.5}]},
    }  # fmt: skip

    other = Sequential(Affine(2, 3), backend=any_backend, dtype="float64", seed=1)
    results = [load(path, any_backend), load_into(path, other, SGD(other, 1.0))]
    for loaded in results:
        assert loaded.model.dtype == "float64" and repr(loaded.optimizer) == "SGD(model, lr=0.5, momentum=0.25)"
        assert (loaded.optimizer.epochs, loaded.optimizer.seed) == (11, 13)
        assert (loaded.history.first, loaded.history.stopped, loaded.history.rows) == (5, "enough", [{"loss": 2.5}])
    assert [loaded.model.seed for loaded in results] == [7, 1]  # it says where the weights that are there came from


FIELDS = {  # a field, another value, and where that value must be seen
    "seed": (8, lambda loaded: loaded.model.seed),
    "history__first": (6, lambda loaded: loaded.history.first),
    "history__stopped": ("Ctrl-C", lambda loaded: loaded.history.stopped),
    "history__rows": ([{"loss": 0.5}], lambda loaded: loaded.history.rows),
    "optimizer__epochs": (12, lambda loaded: loaded.optimizer.epochs),
    "optimizer__seed": (14, lambda loaded: loaded.optimizer.seed),
    "optimizer__t": (16, lambda loaded: loaded.optimizer.t),
    "optimizer__arguments__lr": (0.125, lambda loaded: loaded.optimizer.lr),
    "layers__0__arguments__bias_init": ("normal", lambda loaded: loaded.model[0].bias_init),
}


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_is_read(field, file, content):
    value, look = FIELDS[field]
    assert look(load(file, "numpy")) != value
    file.write_bytes(with_header(content, edited(**{field: value})(unpack(content)[1])))
    assert look(load(file, "numpy")) == value


def test_what_is_not_saved_is_none(tmp_path):
    save(tmp_path / "model", network("numpy"))
    assert load(tmp_path / "model")[1:] == (None, None)


RESUME = """
import sys
from test_checkpoint import load, state, train
model, optimizer, history = load(sys.argv[1], backend=sys.argv[2])
train(model, optimizer, 5)
print(repr(state(model, optimizer)))
"""


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_training_goes_on_in_another_process_to_the_last_bit(kind, cpu, tmp_path):
    model, optimizer, history = trained(cpu, kind, 5)
    save(tmp_path / "run.npz", model, optimizer, history)
    command = [sys.executable, "-c", RESUME, str(tmp_path / "run.npz"), cpu]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    straight, its_optimizer, _ = trained(cpu, kind, 10)
    assert its_optimizer.epochs == 10
    assert result.stdout.strip() == repr(state(straight, its_optimizer))


def test_the_bytes_do_not_depend_on_the_backend(any_backend, tmp_path):
    model, optimizer, history = trained("numpy")
    save(tmp_path / "numpy", model, optimizer, history)
    save(tmp_path / "other", model.to(any_backend), optimizer, history)  # the optimizer has not followed yet
    assert (tmp_path / "numpy").read_bytes() == (tmp_path / "other").read_bytes()
    assert state(*load(tmp_path / "other", any_backend)) == state(model, optimizer, history)


def test_the_model_has_moved_and_the_optimizer_not_yet(any_backend, tmp_path):
    model, optimizer, history = trained(any_backend)
    expected = state(model, optimizer, history)
    save(tmp_path / "run.npz", model.to("numpy"), optimizer, history)
    assert state(*load(tmp_path / "run.npz", "numpy"))[0] == expected[0]


def test_numpy_reads_it(file):
    with np.load(file, allow_pickle=False) as members:
        header = json.loads(members["header"].tobytes())
        assert members["params"].tobytes() == load(file, "numpy").model.params.tobytes()
        assert set(members) == {"header", "params", "optimizer.m", "optimizer.v"}
    assert header["written by"]["numpy"] == np.__version__
    assert header["layers"][0] == {"class": "Affine", "arguments": {
        "n_in": 2, "n_out": 16, "weight_init": "kaiming_normal", "bias_init": "zeros"}}  # fmt: skip


def test_every_layer_and_kind_of_argument(tmp_path):
    model = Sequential(
        Affine(3, 4, weight_init=functools.partial(init.normal, std=0.5), bias_init=init.constant),
        Sigmoid(), Affine(np.int64(4), 5, "xavier_uniform"), Tanh(), Scale(5), ReLU(),
        dtype="float64", seed=np.random.default_rng(0), backend="numpy",
    )  # fmt: skip
    history = History(3)
    history.append({"loss": np.float32(0.1), "other": float("nan"), "more": float("inf")})
    save(tmp_path / "all", model, history=history)
    loaded, _, record = load(tmp_path / "all", "numpy", layers=[Scale])
    assert loaded.params.tobytes() == model.params.tobytes() and loaded.seed is None
    assert loaded[0].weight_init.keywords == {"std": 0.5} and loaded[0].bias_init == "constant"
    assert repr(record) == repr(history)
    x = np.ones((2, 3))
    assert np.array_equal(loaded(x), model(x))
    assert load(tmp_path / "all", "numpy", layers={"Scale": Scale}).model.params.tobytes() == model.params.tobytes()
    refused(tmp_path / "all", r"layer 5 must be one of .* not 'Scale' .*give its class: load\(path, layers=\[Scale\]\)")
    save(tmp_path / "relu", Sequential(ReLU(), backend="numpy"))
    assert load(tmp_path / "relu", "numpy").model.params.shape == (0,)


class Scale(Layer):
    parameters = ("g",)

    def __init__(self, n):
        self.n = n
        self.g = np.ones(n)

    def forward(self, x):
        return x * self.g

    def backward(self, dy):
        self.dg = (dy * self.x).sum(axis=0)
        return dy * self.g


class Rounding(Scale):
    def __init__(self, n):
        super().__init__(int(n))


class Many(Scale):
    def __init__(self, *n):
        super().__init__(n[0])


def mine(name):
    return type(name, (Layer,), {"forward": lambda self, x: x, "backward": lambda self, dy: dy})()


def one(layer):
    return Sequential(layer, backend="numpy")


def with_lr(lr):
    optimizer = Adam(one(ReLU()))
    vars(optimizer)["lr"] = lr  # past the check
    return optimizer


class MyAdam(Adam):
    pass


CANNOT = [
    (lambda: [ReLU()], TypeError, "model must be a Sequential or another Model, not"),
    (lambda: [one(ReLU()), Adam(one(ReLU()))], ValueError, "optimizer must be one of this model"),
    (lambda: [(a := MyAdam(one(ReLU()))).model, a], TypeError, "optimizer must be one of SGD, Adam, RMSProp, not"),
    (lambda: [(a := with_lr(float("nan"))).model, a], ValueError, "lr must be a number, 0 or more, not nan"),
    (lambda: [(a := with_lr("x")).model, a], ValueError, "lr must be a number"),
    (lambda: [one(ReLU()), None, {"loss": [1]}], TypeError, "history must be a History, not"),
    (lambda: [one(Many(3))], TypeError, "argument n must be kept"),
    (lambda: [one(mine("Affine"))], ValueError, "class must have a name of its own"),
    (lambda: [Sequential(mine("A"), mine("A"), backend="numpy")], ValueError, "layer 2.*name of its own"),
    (lambda: [one(Affine(2, 2, lambda shape, rng: np.ones(shape)))], TypeError, "weight_init must be a number, a text, .* to be saved"),
    (lambda: [Sequential(ReLU(), dtype="complex128", backend="numpy")], ValueError, "dtype must be float32 or float64, not 'complex128'"),
    (lambda: [Sequential(*[ReLU() for _ in range(1001)], backend="numpy")], ValueError, "layers must be 1 to 1000, not 1001"),
]  # fmt: skip


@pytest.mark.parametrize("make, error, text", CANNOT)
def test_what_cannot_be_saved(make, error, text, file, content):
    """And so is refused when it is saved, not when it is needed; the old file stays."""
    with pytest.raises(error, match=text):
        save(file, *make())
    assert file.read_bytes() == content and os.listdir(file.parent) == [file.name]


# into a model that is there


@pytest.mark.parametrize(
    "layers, text",
    [
        ([Affine(2, 16), ReLU(), Affine(16, 4)], r"layer 3, Affine\(16, 4\), but the file has Affine\(16, 3\)"),
        ([Affine(2, 16), Tanh(), Affine(16, 3)], r"layer 2, Tanh\(\), but the file has ReLU\(\)"),
        ([Affine(2, 8), ReLU(), Affine(8, 3)], r"layer 1, Affine\(2, 8\), but the file has Affine\(2, 16\)"),
        ([Affine(2, 16), ReLU()], r"layer 3: the model has none, but the file has Affine\(16, 3\)"),
        ([Affine(2, 16), ReLU(), Affine(16, 3), ReLU()], r"layer 4, ReLU\(\), but the file has none"),
    ],
)
def test_the_first_layer_that_differs_is_named(layers, text, file):
    model = Sequential(*copy.deepcopy(layers), backend="numpy", seed=1)
    optimizer = Adam(model)
    before = state(model, optimizer)
    with pytest.raises(CheckpointError, match="run.npz: " + text):
        load_into(file, model, optimizer)
    assert state(model, optimizer) == before


def test_load_into_changes_all_or_nothing(file, content):
    model = network("numpy", seed=1)
    sgd, adam = SGD(model, 1.0), Adam(model, lr=0.5)
    before = state(model, adam)
    members, header = unpack(content)
    broken = bytearray(content)
    broken[content.index(members["optimizer.v.npy"]) + 150] ^= 1  # the last member that is read
    later = copy.deepcopy(header)
    later["optimizer"]["t"] = 2**63
    for bad in (bytes(broken), with_header(content, later)):
        file.write_bytes(bad)
        with pytest.raises(CheckpointError):
            load_into(file, model, adam)
        assert state(model, adam) == before
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"optimizer must be the file's, Adam\(.*\), not SGD\("):
        load_into(file, model, sgd)
    with pytest.raises(CheckpointError, match="dtype must be the model's, float64, not float32"):
        load_into(file, network("numpy", dtype="float64"))
    assert state(model, adam) == before
    load_into(file, model)  # without the optimizer, and with other initializers
    other = Sequential(Affine(2, 16, "zeros"), ReLU(), Affine(16, 3, init.xavier_normal), backend="numpy")
    load_into(file, other)
    assert other.params.tobytes() == model.params.tobytes() == load(file, "numpy").model.params.tobytes()
    save(file, model)
    with pytest.raises(CheckpointError, match="optimizer must be the file's, None, not Adam"):
        load_into(file, model, adam)


# writing


def in_child(work):
    """Run `work` in a forked process; its exit status, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # numba's threads: the child does not touch them
def test_a_killed_process_leaves_the_old_file_or_the_new(tmp_path, rng):
    """100 processes save in a loop and are killed at random moments. Each save differs in every number."""
    path = tmp_path / "run.npz"
    model = Sequential(Affine(64, 512), ReLU(), Affine(512, 10), backend="numpy", seed=0)
    optimizer = Adam(model)

    def save_all_the_time():
        for count in range(first, first + 10**6):
            model.params[...] = optimizer.m[...] = optimizer.v[...] = optimizer.t = count
            save(path, model, optimizer)

    first, seen, torn, longest = 1, set(), 0, 0.05
    model.params[...] = optimizer.m[...] = optimizer.v[...] = 0
    save(path, model, optimizer)
    for _ in range(100):
        child = os.fork()
        if child == 0:
            try:
                save_all_the_time()
            finally:
                os._exit(1)
        time.sleep(rng.uniform(0, longest))
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        loaded, its, _ = load(path, "numpy")
        assert {*loaded.params, *its.m, *its.v} == {its.t}
        assert its.t >= first - 1
        longest *= (
            1.3 if its.t == first - 1 else 0.9
        )  # so that about every third child has saved, on a busy machine too
        seen.add(its.t)
        first = its.t + 1
        torn = len(os.listdir(tmp_path)) - 1
    print(f"{len(seen)} different files after 100 kills, {torn} of them in the middle of a save")
    assert len(seen) > 10 and torn > 10  # otherwise nothing was put to the test

    for name in os.listdir(tmp_path):
        if name != path.name:
            os.utime(tmp_path / name, (0, 0))
    save(path, model, optimizer)
    assert os.listdir(tmp_path) == ["run.npz"]


def test_old_temporary_files_of_this_target_are_removed(tmp_path):
    now = time.time()
    ages = {
        ".run.npz.0123abcd.tmp": ABANDONED + 60,
        ".run.npz.89abcdef.tmp": ABANDONED - 60,  # somebody may be writing it
        ".run.npz.old.0123abcd.tmp": 10**6,  # of run.npz.old
        ".runxnpz.0123abcd.tmp": 10**6,
        "run.npz.tmp": 10**6,
    }
    for name, age in ages.items():
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (now - age, now - age))
    save(tmp_path / "run.npz", network("numpy"))
    assert set(os.listdir(tmp_path)) == {"run.npz", *list(ages)[1:]}


def test_it_is_on_the_disk_before_it_has_the_name(file, monkeypatch):
    calls = []
    real = {name: getattr(os, name) for name in ("fsync", "replace")}
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append(stat.S_ISDIR(os.fstat(fd).st_mode)), real["fsync"](fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), real["replace"](a, b)))
    save(file, network("numpy"))
    assert calls == [False, "replace", True]


def test_mode_and_links(tmp_path):
    path, link = tmp_path / "run.npz", tmp_path / "latest"
    old = os.umask(0o027)
    try:
        save(path, network("numpy"))
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o600)
    link.symlink_to("run.npz")
    save(link, network("numpy", seed=1))
    assert link.is_symlink() and stat.S_IMODE(path.stat().st_mode) == 0o600  # a private file stays private
    assert load(path, "numpy").model.seed == 1


def test_interrupted(file, content, monkeypatch):
    def interrupt(fd):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(file, network("numpy"))
    assert file.read_bytes() == content and os.listdir(file.parent) == ["run.npz"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("room", [0, 10, 1000, 5000])
def test_a_full_disk(room, file, content):
    """No byte more than `room` can be written; the error is the system's own."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    model = Sequential(Affine(20, 100), backend="numpy")
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        with pytest.raises(
            OSError, match=r"cannot be saved: File too large; what was there is unchanged: '.*run.npz'"
        ) as caught:
            save(file, model)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    assert file.read_bytes() == content and os.listdir(file.parent) == ["run.npz"]
    del caught
    gc.collect()  # now, and not in a later test, what the savez of NumPy 2.0 has left open complains


def test_nowhere_to_write(tmp_path):
    model = network("numpy")
    with pytest.raises(FileNotFoundError, match="cannot be saved: there is no folder .*none, make it first; what was"):
        save(tmp_path / "none" / "run.npz", model)
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match="cannot be saved: what is there is not a file"):
        save(tmp_path / "folder", model)
    with pytest.raises(NotADirectoryError):
        (tmp_path / "file").write_text("")
        save(tmp_path / "file" / "run.npz", model)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="what is there is not a file"):
        save(tmp_path / "fifo", model)
    for path in (None, 5, open):
        with pytest.raises(TypeError, match="path must be the name of a file or directory, not"):
            save(path, model)
    assert sorted(os.listdir(tmp_path)) == ["fifo", "file", "folder"]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("folder, mode", [(0o555, 0o666), (0o777, 0o444)])
def test_no_permission(folder, mode, content):
    """Neither to the folder, nor to the file in a folder where one may write."""
    with tempfile.TemporaryDirectory() as name:  # others may go there; not so to tmp_path
        path = Path(name) / "run.npz"
        path.write_bytes(content)
        path.chmod(mode)
        os.chmod(name, folder)

        def work():
            if os.geteuid() == 0:  # who may do anything
                os.setgid(65534)
                os.setuid(65534)
            with pytest.raises(PermissionError, match="cannot be saved: .*; what was there is unchanged"):
                save(path, network("numpy"))

        assert in_child(work) == 0
        assert path.read_bytes() == content and os.listdir(name) == ["run.npz"]
        os.chmod(name, 0o777)


# nothing to read

UNREADABLE = [  # what is there, the name, what is raised and said
    (None, "run.npz", FileNotFoundError, errno.ENOENT, "there is no such file in {0}; give the name that it was saved under"),
    (None, "gone/run.npz", FileNotFoundError, errno.ENOENT, "there is no folder {0}/gone; give the name that the file was saved under"),
    (lambda path: path.mkdir(), "run.npz", IsADirectoryError, errno.EISDIR, "that is a folder; give the name of a file"),
    (os.mkfifo, "run.npz", IsADirectoryError, errno.EISDIR, "that is no ordinary file; give the name of a file"),
    (lambda path: path.symlink_to("gone"), "run.npz", FileNotFoundError, errno.ENOENT, "there is no such file in {0}; give"),
    (lambda path: path.symlink_to(path), "run.npz", OSError, errno.ELOOP, "Too many levels of symbolic links"),
    (lambda path: path.parent.joinpath("a").touch(), "a/run.npz", NotADirectoryError, errno.ENOTDIR, "Not a directory"),
]  # fmt: skip


def readers():
    """Each function that reads, as a function of the path."""
    model = network("numpy")
    functions = [lambda path: load(path, "numpy"), lambda path: load_into(path, model)]
    with contextlib.suppress(ImportError):
        import safetensors  # noqa: F401

        functions.append(lambda path: load_weights(path, model))
    return functions


@pytest.mark.parametrize("make, name, error, number, says", UNREADABLE)
def test_nothing_to_read(make, name, error, number, says, tmp_path, monkeypatch):
    """One sentence that names the file and says what to do, as the system's own kind of error."""
    monkeypatch.chdir(tmp_path)
    if make is not None:
        make(tmp_path / "run.npz")
    before = sorted(os.listdir(tmp_path))
    for read in readers():
        for path in (name, Path(name), os.fsencode(name), str(tmp_path / name)):
            with pytest.raises(error) as caught:
                read(path)
            text = f"[Errno {number}] cannot be loaded: {says.format(tmp_path)}"
            assert str(caught.value).startswith(text) and str(caught.value).endswith(f": {os.fsdecode(path)!r}")
            assert (caught.value.errno, caught.value.filename) == (number, os.fsdecode(path))
            assert caught.value.__cause__ is None and caught.value.__suppress_context__  # it is shown alone
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("path", [None, 0, 5, 3.5, True, ["run.npz"], io.BytesIO(b"")])
def test_a_path_is_no_number(path):
    """`open` would take 0 for what is typed at the keyboard, and wait."""
    for read in readers():
        with pytest.raises(TypeError, match="path must be the name of a file or directory, not"):
            read(path)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("folder, mode", [(0o700, 0o666), (0o755, 0o000)])
def test_no_permission_to_read(folder, mode, content):
    """Neither to the folder, nor to the file."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "run.npz"
        path.write_bytes(content)
        path.chmod(mode)
        os.chmod(name, folder)

        def work():
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            elif folder == 0o700:
                os.chmod(name, 0)  # of one's own folder, too
            for read in readers():
                with pytest.raises(PermissionError, match="cannot be loaded: you may not read it; .*run.npz'"):
                    read(path)

        assert in_child(work) == 0
        os.chmod(name, 0o700)


# hostile files


def edited(**changes):
    """A change of the header: {"a": {"b": 1}} sets header["a"]["b"]."""

    def change(header):
        for name, value in changes.items():
            place = header
            *way, last = (int(part) if part.isdigit() else part for part in name.split("__"))
            for part in way:
                place = place[part]
            place["written by" if last == "written_by" else last] = value
        return header

    return change


HEADERS = [
    (lambda header: b"", "the file must be whole and of its format, but reading it raises JSONDecodeError"),
    (lambda header: b"{", "JSONDecodeError"),
    (lambda header: b"\xff\xfe", "UnicodeDecodeError"),
    (lambda header: b"[" * 10**6, "RecursionError"),
    (lambda header: [], "header must say that this is a tinynn checkpoint"),
    (edited(format="PNG"), "header must say that this is a tinynn checkpoint"),
    (edited(version=2), r"format version must be 1, not 2 \(int\): a newer tinynn may know that"),
    (edited(version=True), "header: version must be int"),
    (edited(more=1), "header must be format, version, written by"),
    (edited(dtype="float16"), "dtype must be float32 or float64, not 'float16'"),
    (edited(dtype="object"), "dtype must be float32 or float64"),
    (edited(dtype="float64"), "params must be float64 of shape .* not float32"),
    (edited(seed=-1), "header: seed must be int, 0 or more, not -1"),
    (edited(seed=float("nan")), "header: seed must be int"),
    (edited(written_by={}), "written by must be tinynn, numpy, python"),
    (edited(layers=[]), "layers must be 1 to 1000, not 0"),
    (edited(layers=[{"class": "ReLU", "arguments": {}}] * 1001), "layers must be 1 to 1000, not 1001"),
    (edited(layers={}), "header: layers must be list"),
    (edited(layers=[1]), "one of header: layers must be class, arguments"),
    (edited(layers__1={"class": "Tanh"}), "one of header: layers must be class, arguments"),
    (edited(layers__0__class="Softmax"), "layer 1 must be one of Affine, .*, ReLU, .*, Tanh, not 'Softmax'"),
    (edited(layers__0__class="__import__"), "layer 1 must be one of"),
    (edited(layers__0__arguments__n_in=3), "params must be float32 of shape"),
    (edited(layers__0__arguments__n_in=10**12), "params must be float32 of shape"),
    (edited(layers__0__arguments__n_in=2.0), "n_in must be a whole number"),
    (edited(layers__0__arguments__n_in=True), "n_in must be a whole number"),
    (edited(layers__0__arguments__n_in=-2), "n_in must be a whole number, 1 or more, not -2"),
    (edited(layers__0__arguments__n_in="2"), "n_in must be a whole number"),
    (edited(layers__0__arguments__n=2), "layer 1 must be made of what Affine takes, not fail"),
    (edited(layers__0__arguments__weight_init="secret"), "weight_init must be"),
    (edited(layers__0__arguments__weight_init={"initializer": "secret"}), "layer 1 must be made of"),
    (edited(layers__0__arguments__weight_init={"initializer": "normal", "std": "x"}), "of its format, but reading it raises"),
    (edited(layers__0__arguments__weight_init=[]), "weight_init must be"),
    (edited(layers__1__arguments__n=2), "layer 2 must be made of what ReLU takes, not fail"),
    (edited(layers__2__arguments={"n_in": 3, "n_out": 16}), "layer 3 must keep the arguments"),
    (edited(layers__2__arguments={"n_in": 3, "n_out": 12, "weight_init": "zeros", "bias_init": "zeros"}), "params must be"),
    (edited(optimizer=None), "members must be 'header.npy', 'params.npy', not"),
    (edited(optimizer__class="SGD"), "members must be"),
    (edited(optimizer__class="Layer"), "optimizer must be one of SGD, Adam, RMSProp, not 'Layer'"),
    (edited(optimizer__t=-1), "t must be int, 0 or more, not -1"),
    (edited(optimizer__t=None), "t must be a count where Adam has one, not None"),
    (edited(optimizer__t=2**63), "t must be a count"),
    (edited(optimizer__epochs=1.5), "epochs must be int"),
    (edited(optimizer__seed="x"), "seed must be int"),
    (edited(optimizer__arguments__lr=float("nan")), "lr must be a number, 0 or more, not nan"),
    (edited(optimizer__arguments__lr=float("inf")), "lr must be a number, 0 or more, not inf"),
    (edited(optimizer__arguments__lr=None), "lr must be a number"),
    (edited(optimizer__arguments__beta1=1.0), r"beta1 must be a number, in \[0, 1\), not 1"),
    (edited(optimizer__arguments={}), "optimizer must keep the arguments"),
    (edited(optimizer__arguments__model=1), "optimizer must be made of"),
    (edited(history=[]), "history must be first, stopped, rows"),
    (edited(history__first=-1), "first must be int, 0 or more"),
    (edited(history__stopped=1), "stopped must be str"),
    (edited(history__rows=[[1]]), "one of header: history: rows must be dict"),
    (edited(history__rows=[{"loss": "low"}]), "history must be rows of numbers"),
    (edited(history__rows=[{"loss": True}]), "history must be rows of numbers"),
]  # fmt: skip


@pytest.mark.parametrize("change, says", HEADERS)
def test_hostile_headers(change, says, file, content):
    file.write_bytes(with_header(content, change(unpack(content)[1])))
    tracemalloc.start()
    try:
        assert len(refused(file, says)) < 700
        assert tracemalloc.get_traced_memory()[1] < 32 * MIB
    finally:
        tracemalloc.stop()


def claims(descr, shape):
    """A .npy header that promises what is not there."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def replaced(name, data):
    return lambda members: [*{**members, name: data}.items()]


MEMBERS = [
    (lambda members: [], "'header.npy', 'params.npy', ..., not none"),
    (lambda members: [*members.items()][1:], "members must be 'header.npy', 'params.npy', ..., not 'params.npy'"),
    (lambda members: [*members.items()][:-1], "members must be .*'optimizer.v.npy', not"),
    (lambda members: [*members.items(), ("more.npy", b"")], "members must be .* not .*'more.npy'"),
    (lambda members: [*members.items(), ("../../evil", b"x")], "members must be"),
    (lambda members: [*members.items(), ("params.npy", members["params.npy"])], "each there once"),
    (replaced("params.npy", b""), "ValueError"),
    (replaced("params.npy", b"\x93NUMPY\x02\x00" + b" " * 200), "params must be in version 1.0 of the format .npy"),
    (replaced("params.npy", npy(np.zeros(99))), "params must be float32 of shape .* not float64 of shape"),
    (replaced("params.npy", npy(np.zeros(98, "f4"))), r"params must be float32 of shape \(99,\), not float32 of shape \(98,\)"),
    (replaced("params.npy", npy(np.zeros((99, 1), "f4"))), "params must be"),
    (replaced("params.npy", npy(np.zeros(99, ">f4"))), "params must be float32 of shape .* not >f4"),
    (replaced("params.npy", npy(np.zeros(99, "f4")) + b"x"), "params must be .* in 397 bytes"),
    (replaced("params.npy", claims("<f4", (2**40,))), "params must be"),
    (replaced("params.npy", claims("<f4", (99,))), "params must be"),
    (replaced("params.npy", claims("|O", (99,)) + b"\x80\x04."), "params must be"),
    (replaced("params.npy", b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535), "ValueError"),
    (replaced("header.npy", claims("|u1", (2**42,))), "header must be uint8"),
    (replaced("header.npy", npy(np.zeros(LARGEST_HEADER + 1, "u1"))), "header must have 4194304 bytes at most, not 4194305"),
    (replaced("optimizer.m.npy", npy(np.zeros(98, "f4"))), "optimizer.m must be"),
]  # fmt: skip


@pytest.mark.parametrize("change, says", MEMBERS)
def test_hostile_members(change, says, file, content):
    file.write_bytes(pack(change(unpack(content)[0])))
    tracemalloc.start()
    try:
        refused(file, says)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


def test_a_zip_bomb(file, content):
    members, _ = unpack(content)
    file.write_bytes(pack([*{**members, "params.npy": bytes(2**28)}.items()], zipfile.ZIP_DEFLATED))
    assert file.stat().st_size < MIB
    tracemalloc.start()
    try:
        refused(file, "members must be uncompressed")
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


def test_compressed_members_that_would_fit(file, content):
    file.write_bytes(bytes(MIB) + pack([*unpack(content)[0].items()], zipfile.ZIP_DEFLATED))
    refused(file, "members must be uncompressed")


def test_header_and_directory_agree_on_4_tib(file, content):
    """Layers, .npy header and the zip's directory all promise the same; only the file's size can tell."""
    header = unpack(content)[1]
    size = 2**20
    header["layers"] = [{"class": "Affine", "arguments": {
        "n_in": size, "n_out": size - 1, "weight_init": "zeros", "bias_init": "zeros"}}]  # fmt: skip
    header["optimizer"] = None
    count = size * (size - 1) + size - 1
    data = claims("<f4", (count,))
    raw = pack([("header.npy", npy(np.frombuffer(json.dumps(header).encode(), "u1"))), ("params.npy", data)])
    place = raw.rindex(b"PK\x01\x02")  # the directory's entry of params.npy gets sizes of 64 bits
    entry, end = bytearray(raw[place : raw.rindex(b"PK\x05\x06")]), bytearray(raw[raw.rindex(b"PK\x05\x06") :])
    entry[20:28] = b"\xff" * 8
    total = len(data) + 4 * count
    entry[30:32] = struct.pack("<H", 20)
    entry += struct.pack("<HHQQ", 1, 16, total, total)
    end[12:16] = struct.pack("<I", struct.unpack("<I", end[12:16])[0] + 20)
    file.write_bytes(raw[:place] + entry + end)
    with zipfile.ZipFile(file) as archive:
        assert archive.getinfo("params.npy").file_size == total > 2**41
    tracemalloc.start()
    try:
        refused(file, "members must be uncompressed, within the file")
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06", bytes(1000), b"PK\x05\x06" + b"\xff" * 18, b"\x93NUMPY"])
def test_not_a_zip(data, file):
    file.write_bytes(data)
    refused(file, "the file must be whole and of its format, but (it is empty|reading it raises BadZipFile)")


def test_a_callers_mistake_is_not_the_files(file):
    with pytest.raises(ValueError, match="backend must be one of") as caught:
        load(file, backend="tpu")
    assert not isinstance(caught.value, CheckpointError)


# What zipfile, NumPy and json have been seen to raise. Anything else, a KeyError or an AttributeError, would be a slip
# of the reader that only looks like a check.
FORESEEN = (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError, struct.error, OSError)


def survives(path, data, original):
    """Whether a damaged file still loads: then exactly the original; else a CheckpointError."""
    path.write_bytes(data)
    try:
        loaded = load(path, "numpy")
    except CheckpointError as error:
        assert str(error).startswith(f"{path}: ")
        assert error.__cause__ is None or isinstance(error.__cause__, FORESEEN), repr(error.__cause__)
        return False
    assert state(*loaded) == original
    return True


@st.composite
def damage(draw, content):
    """The bytes with one to four flips, cuts, inserts or swaps."""
    data = bytearray(content)
    directory = content.index(b"PK\x01\x02")
    for _ in range(draw(st.integers(1, 4))):
        if not data:
            break
        # half of all into the zip's directory: the rest is under its checksums
        first = min(directory, len(data) - 1) if draw(st.booleans()) else 0
        place = draw(st.integers(first, len(data) - 1))
        kind = draw(st.sampled_from(["bit", "byte", "cut", "end", "insert", "copy", "ones"]))
        length = draw(st.integers(1, 16))
        if kind == "bit":
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "byte":
            data[place] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[place : place + length]
        elif kind == "end":
            del data[place:]
        elif kind == "insert":
            data[place:place] = draw(st.binary(min_size=1, max_size=16))
        elif kind == "copy":
            data[place:place] = data[place // 2 : place // 2 + 16 * length]
        else:
            data[place : place + length] = b"\xff" * len(data[place : place + length])
    return bytes(data)


def test_damaged_bytes(content, tmp_path):
    path, counts = tmp_path / "run.npz", {True: 0, False: 0}
    path.write_bytes(content)
    original = state(*load(path, "numpy"))

    @settings(max_examples=1200)
    @given(damage(content))
    def check(data):
        measured = sum(counts.values()) % 10 == 0
        if measured:
            tracemalloc.start()
        try:
            counts[survives(path, data, original)] += 1
            if measured:
                assert tracemalloc.get_traced_memory()[1] < 8 * MIB
        finally:
            tracemalloc.stop()

    check()
    print(f"damaged bytes: {counts[False]} refused, {counts[True]} the original")
    assert sum(counts.values()) >= 1200 and counts[False] > 700


def test_every_bit_of_the_directory_and_the_headers(content, tmp_path):
    """One bit each, without chance: wherever there is no data, and at each 7th place where there is."""
    path = tmp_path / "run.npz"
    path.write_bytes(content)
    original = state(*load(path, "numpy"))
    places = {*range(0, len(content), 7), *range(content.index(b"PK\x01\x02"), len(content))}
    counts = {True: 0, False: 0}
    for place in sorted(places):
        data = bytearray(content)
        data[place] ^= 1 << place % 8
        counts[survives(path, bytes(data), original)] += 1
    for end in range(0, len(content), 13):
        assert not survives(path, content[:end], original)
    print(f"single bits: {counts[False]} refused, {counts[True]} the original")


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.integers(-3, 20), st.floats(), st.text(max_size=5),
    st.sampled_from(["Affine", "ReLU", "SGD", "Adam", "Scale", "zeros", "normal", "float64", "initializer"]),
    st.just([]), st.just({}), st.just([1]), st.just({"initializer": "normal"}),
)  # fmt: skip


def places(value, path=()):
    """The way to each value in nested dicts and lists."""
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


@st.composite
def edits(draw, header):
    """The header with one to three values replaced, removed, added or moved."""
    header = copy.deepcopy(header)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from([path for path in places(header) if path]))
        place = functools.reduce(lambda inner, key: inner[key], way, header)
        kind = draw(st.sampled_from(["replace", "replace", "replace", "remove", "add", "move"]))
        if kind == "replace":
            place[last] = copy.deepcopy(draw(JUNK))
        elif kind == "remove":
            del place[last]
        elif kind == "move":
            other = draw(st.sampled_from([path for path in places(header) if path]))
            place[last] = copy.deepcopy(functools.reduce(lambda inner, key: inner[key], other, header))
        elif isinstance(place, dict):
            place[draw(st.text(max_size=5))] = copy.deepcopy(draw(JUNK))
        else:
            place.append(copy.deepcopy(draw(JUNK)))
    return header


def canonical(header):
    """A header but for what may be said in two ways: 1 and 1.0 and true, and who has written it."""

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        return float(value) if isinstance(value, bool | int | float) else value

    return repr(plain({name: value for name, value in sorted(header.items()) if name != "written by"}))


def test_edited_headers(content, tmp_path):
    """Checksums right, and the JSON edited: refused, or what is loaded is exactly what the header says."""
    path, again, counts = tmp_path / "run.npz", tmp_path / "again.npz", {True: 0, False: 0}
    members, header = unpack(content)

    @settings(max_examples=600)
    @given(edits(header))
    def check(edited):
        path.write_bytes(with_header(content, edited))
        measured = sum(counts.values()) % 10 == 0
        if measured:
            tracemalloc.start()
        try:
            loaded = load(path, "numpy")
        except CheckpointError as error:
            loaded = None
            assert error.__cause__ is None or isinstance(error.__cause__, (*FORESEEN, TypeError, KeyError)), repr(error)
        finally:
            if measured:
                assert tracemalloc.get_traced_memory()[1] < 8 * MIB
            tracemalloc.stop()
        counts[loaded is not None] += 1
        if loaded is not None:
            save(again, *loaded)
            members_again, header_again = unpack(again.read_bytes())
            assert canonical(header_again) == canonical({**LATER, **edited})
            assert {**members_again, "header.npy": b""} == {**members, "header.npy": b""}

    check()
    print(f"edited headers: {counts[False]} refused, {counts[True]} loaded as edited")
    assert sum(counts.values()) >= 600 and counts[False] > 200


# weights alone


def test_weights_as_safetensors(any_backend, tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    model, other = network(any_backend), network(any_backend, seed=1)
    path = tmp_path / "weights"
    save_weights(path, model)
    arrays = safetensors.load_file(path)
    assert set(arrays) == {"1.W", "1.b", "3.W", "3.b"} and os.listdir(tmp_path) == ["weights"]
    assert np.array_equal(arrays["3.W"], model.ops.to_numpy(model[2].W))
    load_weights(path, other)
    assert state(other)[0] == state(model)[0]


def test_weights_are_written_in_order(tmp_path):
    """An array that does not lie in memory as it is read: safetensors would write the transpose, silently."""
    pytest.importorskip("safetensors")
    model, other = network("numpy"), network("numpy", seed=1)
    W = model[0].W.copy()
    model[0].arrays["W"] = np.asfortranarray(W)
    save_weights(tmp_path / "weights", model)
    load_weights(tmp_path / "weights", other)
    assert np.array_equal(other[0].W, W)


def test_weights_all_or_nothing(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    model = network("numpy")
    save_weights(tmp_path / "weights", model)
    data = (tmp_path / "weights").read_bytes()
    arrays = safetensors.load(data)
    bad = {
        "arrays must be '1.W', '1.b', '3.W', '3.b', not '1.W', '1.b', '3.W'": {
            k: arrays[k] for k in ["1.W", "1.b", "3.W"]
        },
        "arrays must be .*, not .*'4.W'": {**arrays, "4.W": arrays["1.W"]},
        r"3.b must be float32 of shape \(3,\), not an array of shape \(4,\)": {**arrays, "3.b": np.zeros(4, "f4")},
        r"3.W must be float32 of shape \(16, 3\), not an array of shape \(3, 16\)": {
            **arrays,
            "3.W": np.zeros((3, 16), "f4"),
        },
        "3.b must be float32 of .* dtype float64": {**arrays, "3.b": np.zeros(3)},
    }
    target = network("numpy", seed=1)
    before = state(target)
    for text, content in bad.items():
        (tmp_path / "bad").write_bytes(safetensors.save(content))
        with pytest.raises(CheckpointError, match="bad: " + text):
            load_weights(tmp_path / "bad", target)
    huge = struct.pack("<Q", 2**40) + b"{}"
    for content in [b"", data[:-1], data + b"x", data[:40], huge, b"\xff" * 100]:
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(CheckpointError, match="bad: the file must be whole and of its format"):
            load_weights(tmp_path / "bad", target)
    assert state(target) == before
    save_weights(tmp_path / "none", Sequential(ReLU(), backend="numpy"))
    load_weights(tmp_path / "none", Sequential(ReLU(), backend="numpy"))


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    for function in (save_weights, load_weights):
        with pytest.raises(ImportError, match="pip install safetensors"):
            function(tmp_path / "weights", network("numpy"))


def test_the_callback_saves_every_so_many_epochs(tmp_path):
    """The file after epochs 2 and 4 of 5; from it a second `fit` ends where five epochs do."""
    x, t = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32), np.arange(40) % 2
    path, seen = tmp_path / "run.npz", []

    def train(model, optimizer, epochs, callbacks=()):
        model.fit(
            x, t, loss=tinynn.SoftmaxCrossEntropy(), optimizer=optimizer, epochs=epochs, seed=0, callbacks=callbacks,
            progress=False,
        )  # fmt: skip

    def look(run):
        seen.append(len(tinynn.load(path).history) if path.exists() else 0)

    model = tinynn.Sequential(tinynn.Affine(3, 4), tinynn.ReLU(), tinynn.Affine(4, 2), seed=1)
    train(model, tinynn.Adam(model), 5, [tinynn.Checkpoint(path, every=2), look])
    assert seen == [0, 2, 2, 4, 4]
    again = tinynn.load(path)
    train(again.model, again.optimizer, 1)
    assert np.array_equal(again.model.params, model.params)
