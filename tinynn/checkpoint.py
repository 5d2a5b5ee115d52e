"""Checkpoints: a model, its optimizer and its history in one file, from which training goes on to the last bit.

    save("run.npz", model, optimizer, history)
    model, optimizer, history = load("run.npz")

The file is NumPy's .npz, a zip without compression: `params`, `optimizer.m` and the like are the flat vectors, `header`
is JSON as bytes, of the form HEADER, and says what they belong to. np.load("run.npz")["params"] reads without tinynn.
Not in the file: the backend, which is the reader's choice, and a seed that was a Generator.

Writing never leaves half a file (`_replace`). Reading believes nothing: there are no pickles, and what the header says,
what the vectors' own headers say and the size of the file must agree before anything is allocated.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib.metadata
import inspect
import itertools
import json
import math
import numbers
import os
import platform
import re
import secrets
import stat
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any, NamedTuple

import numpy as np

from . import backends, checks, initializers
from .callbacks import Run
from .checks import Array
from .layer import Layer
from .layers import Affine, ReLU, Sigmoid, Tanh
from .optimizers import SGD, Adam, Optimizer
from .sequential import Sequential
from .training import History

VERSION = 1
HEADER: Any = {  # the form of the header: (None, form) is None or that form, [form] a list of such, int 0 or more
    "format": str,
    "version": int,
    "written by": {"tinynn": str, "numpy": str, "python": str},
    "dtype": str,
    "seed": (None, int),
    "layers": [{"class": str, "arguments": dict}],
    "optimizer": (None, {"class": str, "arguments": dict, "epochs": int, "seed": (None, int), "t": (None, int)}),
    "history": (None, {"first": int, "stopped": (None, str), "rows": [dict]}),
}
LARGEST_HEADER = 2**22  # bytes: some 25,000 epochs. JSON takes up to thirty times its text in memory
MOST_LAYERS = 1000  # Sequential compares each layer with each other
ABANDONED = 600  # seconds without a write, after which a temporary file belongs to nobody

LAYERS: dict[str, type] = {layer.__name__: layer for layer in (Affine, ReLU, Sigmoid, Tanh)}
OPTIMIZERS: dict[str, type[Optimizer]] = {optimizer.__name__: optimizer for optimizer in (SGD, Adam)}


class CheckpointError(ValueError):
    """What is wrong with a file, or with what should go into one."""


class Loaded(NamedTuple):
    """What `load` gives; None for what was not saved."""

    model: Sequential
    optimizer: Optimizer | None
    history: History | None


def save(path: Any, model: Sequential, optimizer: Optimizer | None = None, history: History | None = None) -> None:
    """Write a checkpoint at `path`, exactly that name. What was there is replaced, whole or, on an error, not at all.

    A layer of one's own must keep each argument of its constructor as an attribute of the same name.

    Raises TypeError or ValueError for what cannot be saved, OSError where the file cannot be written.
    """
    _demand_parts(model, optimizer)
    if history is not None and not isinstance(history, History):
        raise TypeError(f"history must be a History, not {checks.describe(history)}")
    known = dict(LAYERS)
    for layer in model:
        if known.setdefault(type(layer).__name__, type(layer)) is not type(layer):
            raise ValueError(f"{layer.where}: class must have a name of its own to be saved, not another class's")
    header = {
        "format": "tinynn checkpoint",
        "version": VERSION,
        "written by": {"tinynn": _version(), "numpy": np.__version__, "python": platform.python_version()},
        "dtype": str(model.dtype),
        "seed": None if isinstance(model.seed, np.random.Generator) else _plain("seed", model.seed),
        "layers": [{"class": type(layer).__name__, "arguments": _arguments(layer.where, layer)} for layer in model],
        "optimizer": optimizer and {
            "class": type(optimizer).__name__,
            "arguments": _arguments("optimizer", optimizer),
            **{name: _plain(f"optimizer: {name}", getattr(optimizer, name, None)) for name in ("epochs", "seed", "t")},
        },
        "history": None if history is None else {
            "first": _plain("history: first", history.first),
            "stopped": history.stopped,
            "rows": [{name: _plain(f"history: {name}", value) for name, value in row.items()} for row in history.rows],
        },
    }  # fmt: skip
    text = json.dumps(header).encode()
    _layers(_parse(text), known)  # what `load` would refuse is refused now
    _optimizer(header, Sequential(ReLU(), backend="numpy"))
    vectors = {"header": np.frombuffer(text, "uint8"), "params": model.ops.to_numpy(model.params)}
    if optimizer is not None:
        vectors |= {f"optimizer.{name}": optimizer.ops.to_numpy(getattr(optimizer, name)) for name in optimizer.state}
    stored: Any = {name: vector.astype(_in_file(vector.dtype), copy=False) for name, vector in vectors.items()}
    _replace(path, lambda file: np.savez(file, **stored))


def load(
    path: Any, backend: str | None = None, layers: Mapping[str, type[Layer]] | Iterable[type[Layer]] = ()
) -> Loaded:
    """Model, optimizer and history as they were saved; the model works with `backend`.

    `layers` are the classes of one's own layers, [Scale] or {"Scale": Scale}. A file is free to choose the arguments
    that they are called with.

    Raises CheckpointError for a file that is not a whole checkpoint, OSError where it cannot be read.
    """
    ops = backends.load(backend)
    own = layers if isinstance(layers, Mapping) else {layer.__name__: layer for layer in layers}
    with open(path, "rb") as file, _naming(path), zipfile.ZipFile(file) as archive:
        header = _header(archive, os.fstat(file.fileno()).st_size)
        new = _layers(header, {**LAYERS, **own})
        vectors = _vectors(archive, header, sum(math.prod(shape) for layer in new for shape in _shapes(layer)))
        model = Sequential(*new, backend=backend, dtype=header["dtype"], seed=0)
        model.params, model.seed = ops.asarray(vectors["params"]), header["seed"]
        return Loaded(model, _optimizer(header, model, vectors), _history(header))


def load_into(path: Any, model: Sequential, optimizer: Optimizer | None = None) -> Loaded:
    """The same into a model that is there already, of the same architecture, and an optimizer of the same class.

    Backend and initializers may differ, and layers of one's own need not be named. On an error nothing is changed.

    Raises CheckpointError, which names the first layer that differs, and as `load` does.
    """
    _demand_parts(model, optimizer)
    with open(path, "rb") as file, _naming(path), zipfile.ZipFile(file) as archive:
        header = _header(archive, os.fstat(file.fileno()).st_size)
        _demand_same(header, model)
        vectors = _vectors(archive, header, model.params.size)
        restored, history = optimizer and _optimizer(header, model, vectors), _history(header)
        if optimizer is not None and type(restored) is not type(optimizer):
            raise CheckpointError(f"optimizer must be the file's, {restored!r}, not {optimizer!r}")
        params = model.ops.asarray(vectors["params"])
    model.params = params
    if optimizer is not None:
        vars(optimizer).update(vars(restored))
    return Loaded(model, optimizer, history)


class Checkpoint:
    """A callback: save to `path` after every so many epochs. `fit(..., callbacks=[Checkpoint("run.npz", every=5)])`.

    The history in the file is that of the running `fit`. A killed process leaves the last whole file.
    """

    def __init__(self, path: Any, every: int = 1) -> None:
        self.path = path
        self.every = checks.integer("Checkpoint: every", every, 1)

    def __call__(self, run: Run) -> None:
        if run.epoch % self.every == 0:
            save(self.path, run.model, run.optimizer, run.history)


def save_weights(path: Any, model: Sequential) -> None:
    """The parameters alone, as safetensors, for other programs: "1.W", "1.b", "3.W", ... by the layers' places.

    W is (n_in, n_out), the transpose of PyTorch's Linear.weight. The format has no checksum.
    """
    safetensors = _safetensors()
    _demand_parts(model)
    # contiguous, because safetensors writes the memory as it lies, without a look at strides
    arrays = {name: np.ascontiguousarray(model.ops.to_numpy(array)) for name, array in _weights(model).items()}
    data = safetensors.save(arrays)
    _replace(path, lambda file: file.write(data))


def load_weights(path: Any, model: Sequential) -> None:
    """Parameters from safetensors into `model`: all of its arrays and no others. On an error nothing is changed."""
    safetensors = _safetensors()
    _demand_parts(model)
    expected = _weights(model)
    with open(path, "rb") as file, _naming(path):
        found = safetensors.load(file.read())
        if found.keys() != expected.keys():
            raise CheckpointError(f"arrays must be {_list(expected)}, not {_list(sorted(found))}")
        for name, array in expected.items():
            if (found[name].shape, found[name].dtype) != (array.shape, model.dtype):
                kind = f"{model.dtype} of shape {array.shape}"
                raise CheckpointError(f"{name} must be {kind}, not {checks.describe(found[name])}")
    if expected:
        model.params = model.ops.asarray(np.concatenate([found[name].ravel() for name in expected]))


def _safetensors() -> Any:
    """The package's functions for NumPy."""
    try:
        return importlib.import_module("safetensors.numpy")
    except ImportError as error:
        raise ImportError("for weights as safetensors: pip install safetensors") from error


def _weights(model: Sequential) -> dict[str, Array]:
    """The parameters by name, in the order of the flat vector."""
    return {f"{layer.place}.{name}": layer.arrays[name] for layer in model for name in layer.parameters}


# --- what the header says about an object, and the object made of it again --------------------------------------------


def _demand_parts(model: Any, optimizer: Any = None) -> None:
    """Raise where the two are not what checkpoints are made of."""
    if not isinstance(model, Sequential):
        raise TypeError(f"model must be a Sequential, not {checks.describe(model)}")
    if optimizer is not None and type(optimizer) not in OPTIMIZERS.values():
        raise TypeError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, not {checks.describe(optimizer)}")
    if optimizer is not None and optimizer.model is not model:
        raise ValueError("optimizer must be one of this model, not one made for another")


def _version() -> str:
    """tinynn's version, where it is installed."""
    try:
        return importlib.metadata.version("tinynn")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _arguments(thing: str, made: Any) -> dict[str, Any]:
    """What the constructor was given, read from the attributes of the same names."""
    arguments = {}
    for name, option in inspect.signature(type(made)).parameters.items():
        if name == "model" and isinstance(made, Optimizer):
            continue
        if not hasattr(made, name) or option.kind not in (option.POSITIONAL_OR_KEYWORD, option.KEYWORD_ONLY):
            raise TypeError(f"{thing}: argument {name} must be kept as self.{name} to be saved, not dropped")
        arguments[name] = _plain(f"{thing}: {name}", getattr(made, name))
    return arguments


def _plain(thing: str, value: Any) -> Any:
    """`value` as JSON can say it; initializers go by their names."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Real):
        return int(value) if isinstance(value, numbers.Integral) else float(value)
    function = value.func if isinstance(value, functools.partial) and not value.args else value
    name = getattr(function, "__name__", "")
    if initializers.BY_NAME.get(name) is function:
        if function is value:
            return name
        return {"initializer": name, **{key: _plain(f"{thing}: {key}", of) for key, of in value.keywords.items()}}
    expected = "a number, a text, True, False, None, or an initializer of tinynn's or functools.partial of one"
    raise TypeError(f"{thing} must be {expected} to be saved, not {checks.describe(value)}")


def _from_plain(value: Any) -> Any:
    """The argument that `_plain` has made `value` of."""
    if not isinstance(value, dict):
        return value
    options = {name: option for name, option in value.items() if name != "initializer"}
    return functools.partial(initializers.BY_NAME[value["initializer"]], **options)


def _make(thing: str, entry: dict[str, Any], classes: Mapping[str, type], *first: Any) -> Any:
    """A layer or an optimizer by its class's name; the constructor must have taken the arguments as they are."""
    name, arguments = entry["class"], entry["arguments"]
    if name not in classes:
        hint = "give its class to load(..., layers=[...]) if it is yours"
        raise CheckpointError(f"{thing} must be one of {', '.join(classes)}, not {checks.describe(name)}: {hint}")
    try:
        made = classes[name](*first, **{key: _from_plain(value) for key, value in arguments.items()})
        kept = _arguments(thing, made)
    except Exception as error:  # a class of one's own may raise anything
        raise CheckpointError(f"{thing} must be made of what {name} takes, not fail: {_short(error)}") from error
    if kept != arguments:
        raise CheckpointError(f"{thing} must keep the arguments {_short(arguments)}, not change them to {_short(kept)}")
    return made


def _layers(header: dict[str, Any], classes: Mapping[str, type]) -> list[Layer]:
    """New layers by the header, without weights yet."""
    return [_make(f"layer {place}", entry, classes) for place, entry in enumerate(header["layers"], 1)]


def _shapes(layer: Layer) -> list[tuple[int, ...]]:
    """The shape of each parameter. Affine's are known without drawing weights: in a file they may be absurd."""
    if isinstance(layer, Affine) and type(layer).initial_values is Affine.initial_values:
        return [(layer.n_in, layer.n_out), (layer.n_out,)]
    drawn = layer.initial_values(np.random.default_rng(0)) if layer.parameters else {}
    return [np.shape({**drawn, **layer.arrays}[name]) for name in layer.parameters]


def _optimizer(header: dict[str, Any], model: Any, vectors: Mapping[str, Array] | None = None) -> Optimizer | None:
    """A new optimizer by the header, with its state from the vectors; without them it is 0."""
    entry = header["optimizer"]
    if entry is None:
        return None
    made = _make("optimizer", entry, OPTIMIZERS, model)
    if (entry["t"] is None) == hasattr(made, "t") or (entry["t"] or 0) >= 2**63:
        raise CheckpointError(f"optimizer: t must be a count where {entry['class']} has one, not {entry['t']}")
    made.epochs, made.seed = entry["epochs"], entry["seed"]
    if entry["t"] is not None:
        made.t = entry["t"]
    if vectors is not None:
        vars(made).update({name: made.ops.asarray(vectors[f"optimizer.{name}"]) for name in made.state})
    return made


def _history(header: dict[str, Any]) -> History | None:
    """The history by the header."""
    entry = header["history"]
    if entry is None:
        return None
    history = History(entry["first"])
    history.stopped, history.rows = entry["stopped"], entry["rows"]
    return history


def _demand_same(header: dict[str, Any], model: Sequential) -> None:
    """Raise where the model is not of the file's architecture, naming the first layer that differs."""

    def functional(arguments: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in arguments.items() if not name.endswith("_init")}

    if header["dtype"] != str(model.dtype):
        raise CheckpointError(f"dtype must be the model's, {model.dtype}, not {header['dtype']}")
    for place, (layer, entry) in enumerate(itertools.zip_longest(model, header["layers"]), 1):
        mine = None if layer is None else (type(layer).__name__, functional(_arguments(layer.where, layer)))
        saved = None if entry is None else (entry["class"], functional(entry["arguments"]))
        if mine != saved:
            here = layer.where if mine else f"layer {place}: the model has none"
            there = f"{saved[0]}({', '.join(map(repr, saved[1].values()))})" if saved else "none"
            raise CheckpointError(f"{here}, but the file has {_short(there)}")


# --- reading ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _naming(path: Any) -> Iterator[None]:
    """Whatever goes wrong inside becomes a CheckpointError that names the file."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{os.fsdecode(path)}: {error}") from error.__cause__
    except Exception as error:  # of a damaged file, zipfile and NumPy raise nearly anything
        reason = _short(f"{type(error).__name__}: {error}")
        raise CheckpointError(f"{os.fsdecode(path)}: must be whole and of its format, not {reason}") from error


def _short(a: Any) -> str:
    """The beginning of a text, for a message."""
    text = str(a)
    return text if len(text) <= 200 else text[:197] + "..."


def _list(names: Iterable[str]) -> str:
    return _short(", ".join(map(repr, names)) or "none")


def _header(archive: zipfile.ZipFile, size: int) -> dict[str, Any]:
    """The header, checked by itself and against the archive's members. `size` is the file's."""
    infos = archive.infolist()
    names = [info.filename for info in infos]
    plain = all(info.compress_type == zipfile.ZIP_STORED and info.compress_size == info.file_size for info in infos)
    if not plain or sum(info.file_size for info in infos) > size or len(set(names)) < len(names):
        raise CheckpointError(f"members must be uncompressed, within the file and each there once, not {_list(names)}")
    if "header.npy" not in names:
        raise CheckpointError(f"members must be 'header.npy', 'params.npy', ..., not {_list(names)}")
    header = _parse(_vector(archive, "header", "uint8").tobytes())
    expected = ["header.npy", *(f"{name}.npy" for name in _names(header))]
    if sorted(names) != sorted(expected):
        raise CheckpointError(f"members must be {_list(expected)}, not {_list(names)}")
    return header


def _names(header: dict[str, Any]) -> list[str]:
    """The names of the file's vectors."""
    state = OPTIMIZERS[header["optimizer"]["class"]].state if header["optimizer"] else ()
    return ["params", *(f"optimizer.{name}" for name in state)]


def _vectors(archive: zipfile.ZipFile, header: dict[str, Any], count: int) -> dict[str, Array]:
    """All vectors, of `count` numbers each."""
    return {name: _vector(archive, name, header["dtype"], count) for name in _names(header)}


def _vector(archive: zipfile.ZipFile, name: str, dtype: str, count: int | None = None) -> Array:
    """One vector of `count` numbers (None: as many as there are). Nothing is read before type and length are right."""
    info, kind = archive.getinfo(f"{name}.npy"), _in_file(dtype)
    with archive.open(info) as member:
        if np.lib.format.read_magic(member) != (1, 0):
            raise CheckpointError(f"{name} must be in version 1.0 of the format .npy, not in another")
        shape, fortran, found = np.lib.format.read_array_header_1_0(member, max_header_size=256)
        room = info.file_size - member.tell()
        count = room // kind.itemsize if count is None else count
        if (shape, fortran, found, room) != ((count,), False, kind, count * kind.itemsize):
            got = f"{found} of shape {shape} in {room} bytes"
            raise CheckpointError(f"{name} must be {kind} of shape ({count},), not {got}")
        if name == "header" and count > LARGEST_HEADER:
            raise CheckpointError(f"header must have {LARGEST_HEADER} bytes at most, not {count}")
        return np.frombuffer(member.read(), kind).astype(dtype)  # at its end, read compares the checksum


def _in_file(dtype: Any) -> np.dtype[Any]:
    """The dtype as it stands in files: least byte first."""
    return np.dtype(dtype).newbyteorder("<")


def _parse(text: bytes) -> dict[str, Any]:
    """The header of its bytes, with everything in it of the right type."""
    header = json.loads(text.decode("utf-8"))
    if type(header) is not dict or header.get("format") != "tinynn checkpoint":
        raise CheckpointError("header must say that this is a tinynn checkpoint, not something else")
    if header.get("version") != VERSION:
        hint = "a newer tinynn may know that"
        raise CheckpointError(f"format version must be {VERSION}, not {checks.describe(header.get('version'))}: {hint}")
    _demand_form("header", header, HEADER)
    if header["dtype"] not in ("float32", "float64"):
        raise CheckpointError(f"dtype must be float32 or float64, not {checks.describe(header['dtype'])}")
    if header["optimizer"] and header["optimizer"]["class"] not in OPTIMIZERS:
        got = checks.describe(header["optimizer"]["class"])
        raise CheckpointError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, not {got}")
    if not 0 < len(header["layers"]) <= MOST_LAYERS:
        raise CheckpointError(f"layers must be 1 to {MOST_LAYERS}, not {len(header['layers'])}")
    for row in header["history"]["rows"] if header["history"] else ():
        if not all(type(value) in (int, float) for value in row.values()):
            raise CheckpointError(f"history must be rows of numbers, not {_short(row)}")
    return header


def _demand_form(thing: str, value: Any, form: Any) -> None:
    """Raise unless the value is of the form, which is written as in HEADER."""
    if isinstance(form, tuple):
        if value is not None:
            _demand_form(thing, value, form[1])
        return
    expected: type = form if isinstance(form, type) else type(form)
    found: type = type(value)
    if (
        found is not expected
        or (found is int and value < 0)
        or (isinstance(form, dict) and value.keys() != form.keys())
    ):
        kind = ", ".join(form) if isinstance(form, dict) else expected.__name__ + ", 0 or more" * (form is int)
        raise CheckpointError(f"{thing} must be {kind}, not {_short(checks.describe(value))}")
    if isinstance(form, dict):
        for name, inner in form.items():
            _demand_form(f"{thing}: {name}", value[name], inner)
    elif isinstance(form, list):
        for item in value:
            _demand_form(f"one of {thing}", item, form[0])


# --- writing ----------------------------------------------------------------------------------------------------------


def _replace(path: Any, write: Callable[[IO[bytes]], Any]) -> None:
    """Have `write` fill a file. Whatever happens meanwhile, at `path` there is the old file or the new one, whole:
    it is written beside its place under another name, and gets its own when it is on the disk."""
    target = os.path.realpath(os.fsdecode(path))  # a link stays one
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.tmp")
    try:
        exists = os.path.exists(target)
        if exists and not os.path.isfile(target):
            raise OSError(errno.EISDIR, "what is there is not a file")
        if exists and not os.access(target, os.W_OK):  # a folder's permission would be enough to replace it
            raise OSError(errno.EACCES, "what is there is read-only")
        _remove_abandoned(folder, name)
        with open(temporary, "xb") as file:  # its mode is by the umask, as any new file's
            if exists:
                os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            text = f"cannot be saved: {error.strerror or error}; what was there is unchanged"
            raise OSError(error.errno, text, os.fsdecode(path)) from error
        raise
    with contextlib.suppress(OSError):  # Windows cannot open folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_abandoned(folder: str, name: str) -> None:
    """Delete what killed processes have left; a young file may be one that somebody is just writing."""
    pattern = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{8}}\.tmp")
    for other in filter(pattern.fullmatch, os.listdir(folder)):
        with contextlib.suppress(OSError):
            if time.time() - os.stat(os.path.join(folder, other)).st_mtime > ABANDONED:
                os.unlink(os.path.join(folder, other))
