"""Checkpoints: a model, its optimizer and its history in one file, from which training goes on to the last bit.

    save("run.npz", model, optimizer, history)
    model, optimizer, history = load("run.npz")

The file is NumPy's .npz: `params`, `optimizer.m` and so on are the flat vectors; `header` is JSON as bytes and says
what they belong to. np.load("run.npz")["params"] reads them without tinynn. The file does not have the backend, which
you choose when you load it, nor a seed that was a Generator.

Where to read: arguments.py for layers and optimizers as JSON, archive.py for reading files that may be damaged,
files.py for writing that never leaves half a file, weights.py for the parameters alone.
"""

from __future__ import annotations

import json
import os
import platform
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import backends, checks
from ..layers import ReLU
from ..layers.layer import Layer
from ..model import Model, Sequential
from ..nesting import held, walk
from ..optimizers import Optimizer
from ..training.callbacks import Run
from ..training.history import History
from .archive import VERSION, in_file, parse, read_header, read_vectors
from .arguments import LAYERS, count, demand_parts, demand_same, make_layers, make_optimizer, plain, recipe
from .files import CheckpointError, place, reading, replace, short
from .weights import load_weights, save_weights

__all__ = ["Checkpoint", "CheckpointError", "Loaded", "load", "load_into", "load_weights", "save", "save_weights"]


class Loaded(NamedTuple):
    """What `load` gives; None for what was not saved."""

    model: Any
    optimizer: Optimizer | None
    history: History | None

    def __getattr__(self, name: str) -> Any:
        hint = "" if name[:1] == "_" else ": model, optimizer, history = load(path) takes it apart"
        raise AttributeError(f"what load gives has no attribute {name!r}{hint}", name=name, obj=self)


def save(path: Any, model: Model, optimizer: Optimizer | None = None, history: History | None = None) -> None:
    """Write a checkpoint to `path`, exactly that name. A file there is replaced as a whole, and on an error not at all.

    Of a layer of one's own the constructor's arguments are saved: numbers and texts as they were given, others from
    attributes of the same names, such as self.inner for the argument inner.

    Raises TypeError or ValueError for what cannot be saved, OSError where the file cannot be written.
    """
    from .. import __version__  # later, as the package takes from this room

    demand_parts(model, optimizer)
    if history is not None and not isinstance(history, History):
        raise TypeError(f"history must be a History, not {checks.describe(history)}")
    known: dict[str, Any] = dict(LAYERS)
    for _, layer in walk(model):
        if known.setdefault(type(layer).__name__, type(layer)) is not type(layer):
            raise ValueError(f"{layer.where}: class must have a name of its own to be saved, not another class's")
    header = {
        "format": "tinynn checkpoint",
        "version": VERSION,
        "written by": {"tinynn": __version__, "numpy": np.__version__, "python": platform.python_version()},
        "dtype": str(model.dtype),
        "model": type(model).__name__,
        "shape": plain("shape", getattr(model, "shape", None)),
        "seed": None if isinstance(model.seed, np.random.Generator) else plain("seed", model.seed),
        "layers": [recipe(layer.where, layer) for _, layer in held(model)],
        "buffers": int(model.flat_buffers.size),
        "optimizer": optimizer and {
            **recipe("optimizer", optimizer),
            **{name: plain(f"optimizer: {name}", getattr(optimizer, name, None)) for name in ("epochs", "seed", "t")},
        },
        "history": None if history is None else {
            "first": plain("history: first", history.first),
            "stopped": history.stopped,
            "rows": [{name: plain(f"history: {name}", value) for name, value in row.items()} for row in history.rows],
        },
    }  # fmt: skip
    text = json.dumps(header).encode()
    make_layers(parse(text), known)  # what `load` would refuse is refused now
    make_optimizer(header, Sequential(ReLU(), backend="numpy"))
    vectors = {"header": np.frombuffer(text, "uint8"), "params": model.ops.to_numpy(model.params)}
    if model.flat_buffers.size:
        vectors["buffers"] = model.ops.to_numpy(model.flat_buffers)
    if optimizer is not None:
        vectors |= {f"optimizer.{name}": optimizer.ops.to_numpy(getattr(optimizer, name)) for name in optimizer.state}
    stored: Any = {name: vector.astype(in_file(vector.dtype), copy=False) for name, vector in vectors.items()}
    replace(path, lambda file: np.savez(file, **stored))


def load(
    path: Any, backend: str | None = None, layers: Mapping[str, type[Layer]] | Iterable[type[Layer]] = ()
) -> Loaded:
    """Model, optimizer and history as they were saved; the model works with `backend`.

    `layers` are the classes of one's own layers, [Scale] or {"Scale": Scale}. A file is free to choose the arguments
    that they are called with.

    Raises CheckpointError for a file that is not a whole checkpoint, OSError (FileNotFoundError, PermissionError, ...)
    where it cannot be opened.
    """
    ops = backends.load(backend)
    own = _own_classes(layers)
    with reading(path) as file, zipfile.ZipFile(file) as archive:
        header = read_header(archive, os.fstat(file.fileno()).st_size)
        if header["model"] != "Sequential":
            name = short(header["model"])
            raise CheckpointError(
                f"model must be a Sequential, not {name}: make one, then load_into(path, {name}(...))"
            )
        new = make_layers(header, {**LAYERS, **own})
        vectors = read_vectors(archive, header, count(new, "parameters"), count(new, "buffers"))
        model = Sequential(*new, backend=backend, dtype=header["dtype"], seed=0, shape=header["shape"])
        model.params, model.seed = ops.asarray(vectors["params"]), header["seed"]
        if "buffers" in vectors:
            model.flat_buffers = ops.asarray(vectors["buffers"])
        return Loaded(model, make_optimizer(header, model, vectors), _history(header))


def _own_classes(layers: Any) -> dict[str, type[Layer]]:
    """Name -> class of the layers that are not tinynn's. Raises TypeError."""
    listed = isinstance(layers, list | tuple)
    named = {getattr(layer, "__name__", None): layer for layer in layers} if listed else layers
    right = isinstance(named, Mapping) and all(
        isinstance(name, str) and isinstance(cls, type) and issubclass(cls, Layer) for name, cls in named.items()
    )
    if not right:
        expected = 'a list of layer classes, or a dict such as {"Scale": Scale}'
        raise TypeError(f"layers must be {expected}, not {checks.describe(layers)}")
    return dict(named)


def load_into(path: Any, model: Model, optimizer: Optimizer | None = None) -> Loaded:
    """Load into a model that you have made, of the same architecture, and an optimizer of the same class.

    Backend and initializers may differ, and layers of your own need not be named. On an error nothing is changed.

    Raises CheckpointError, which names the first layer that differs, and the errors of `load`.
    """
    demand_parts(model, optimizer)
    with reading(path) as file, zipfile.ZipFile(file) as archive:
        header = read_header(archive, os.fstat(file.fileno()).st_size)
        demand_same(header, model)
        vectors = read_vectors(archive, header, model.params.size, model.flat_buffers.size)
        restored, history = optimizer and make_optimizer(header, model, vectors), _history(header)
        if optimizer is not None and type(restored) is not type(optimizer):
            raise CheckpointError(f"optimizer must be the file's, {restored!r}, not {optimizer!r}")
        params, buffers = model.ops.asarray(vectors["params"]), vectors.get("buffers")
    model.params = params
    if buffers is not None:
        model.flat_buffers = model.ops.asarray(buffers)
    if optimizer is not None:
        vars(optimizer).update(vars(restored))
    return Loaded(model, optimizer, history)


class Checkpoint:
    """A callback: save to `path` after each `every` epochs. `fit(..., callbacks=[Checkpoint("run.npz", every=5)])`.

    The history in the file is that of the running `fit`. A killed process leaves the last whole file. Raises OSError,
    before the first step, where there can be no such file.
    """

    looks_inside = False

    def __init__(self, path: Any, every: int = 1) -> None:
        self.path = checks.path("Checkpoint: path", path)
        self.every = checks.integer("Checkpoint: every", every, 1)

    def start(self, run: Run) -> None:
        """See whether there can be such a file: not only after the first epochs."""
        if run.rank == 0:
            place(self.path)

    def __call__(self, run: Run) -> None:
        if run.epoch % self.every == 0 and run.rank == 0:
            save(self.path, run.model, run.optimizer, run.history)


def _history(header: dict[str, Any]) -> History | None:
    """The history by the header."""
    entry = header["history"]
    if entry is None:
        return None
    history = History(entry["first"])
    history.stopped, history.rows = entry["stopped"], entry["rows"]
    return history
