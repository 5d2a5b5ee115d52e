"""The parameters alone, as safetensors:

    save_weights("weights.safetensors", model)
    load_weights("weights.safetensors", model)

PyTorch, JAX and others read that format with the package safetensors, which tinynn asks for only here. torch_names.py
knows what PyTorch calls the arrays.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from .. import checks
from ..checks import Array
from ..model import Model
from ..model.any_model import all_layers
from .arguments import demand_parts
from .files import CheckpointError, listed, reading, replace
from .torch_names import COUNTER, NAMES, counters, entries, given_names, torch_names

TORCH_WORDS = {word for words in NAMES.values() for word in words.values()}


def save_weights(path: Any, model: Model, names: Any = "tinynn") -> None:
    """Parameters and buffers, as safetensors, for other programs: "1.W", "1.b", "3.2.W", ... by the layers' places.

    names="torch" writes what PyTorch's load_state_dict takes, "0.weight", "0.bias", "2.1.weight", ..., for an
    nn.Sequential of the same layers; names=list(net.state_dict()) is for any module `net` of the same layers in the
    same order. tinynn's W is (n_in, n_out), the transpose of PyTorch's; under PyTorch's names, arrays have PyTorch's
    layout. The format has no checksum.

    Raises TypeError or ValueError for names that do not fit the model, OSError where the file cannot be written.
    """
    safetensors = _safetensors()
    demand_parts(model, order="the file comes first, save_weights(path, model)")
    if isinstance(names, str) and names == "tinynn":
        named, metadata = _arrays(model, "parameters", "buffers"), None
    else:
        found, metadata = entries(model), {"format": "pt"}
        chosen = _chosen(found, names)
        named = {name: one.to_torch(model.ops.to_numpy(one.layer.arrays[one.name])) for one, name in zip(found, chosen)}
    # contiguous, because safetensors writes the memory as it lies, without a look at strides
    arrays = {name: np.ascontiguousarray(model.ops.to_numpy(array)) for name, array in named.items()}
    if metadata is not None:
        arrays |= dict.fromkeys(counters(found, chosen), np.zeros((), np.int64))
    data = safetensors.save(arrays, metadata)
    replace(path, lambda file: file.write(data))


def load_weights(path: Any, model: Model, names: Any = None) -> None:
    """Parameters from safetensors into `model`: all of its arrays and no others. On an error nothing is changed.

    names: "tinynn", "torch" or a list, as for `save_weights`; None: one of the first two, as the names in the file say.
    (PyTorch saves safetensors sorted by name: list(net.state_dict()) has the order of the layers, in which the module's
    __init__ names them.) Files of weights do not have BatchNorm's eps and momentum; PyTorch's momentum is 1 minus
    tinynn's.

    Raises CheckpointError for a file of other arrays or none, OSError where it cannot be opened, TypeError or
    ValueError for names that do not fit the model.
    """
    safetensors = _safetensors()
    demand_parts(model, order="the file comes first, load_weights(path, model)")
    expected = _arrays(model, "parameters", "buffers")
    if names is not None and not (isinstance(names, str) and names == "tinynn"):
        _chosen(entries(model), names)  # an error of the caller's, not of the file's
    with reading(path) as file:
        found = safetensors.load(file.read())
        if names is None:
            words = {name.rpartition(".")[2] for name in found}
            names = "torch" if words & TORCH_WORDS and found.keys() != expected.keys() else "tinynn"
        if not (isinstance(names, str) and names == "tinynn"):
            found = _from_torch(found, model, names)
        if found.keys() != expected.keys():
            raise CheckpointError(f"arrays must be {listed(expected)}, not {listed(sorted(found))}")
        for name, array in expected.items():
            if (found[name].shape, found[name].dtype) != (array.shape, model.dtype):
                right = f"{model.dtype} of shape {array.shape}"
                raise CheckpointError(f"{name} must be {right}, not {checks.describe(found[name])}")
    for kind, vector in (("parameters", model.params), ("buffers", model.flat_buffers)):
        pieces = [found[name].ravel() for name in _arrays(model, kind)]
        if pieces:
            vector[...] = model.ops.asarray(np.concatenate(pieces))


def _chosen(found: Any, names: Any) -> list[str]:
    """The name in the file of each entry."""
    return torch_names(found) if isinstance(names, str) and names == "torch" else given_names(found, names)


def _from_torch(arrays: dict[str, Array], model: Model, names: Any) -> dict[str, Array]:
    """What PyTorch has saved, with tinynn's names and layout. Raises CheckpointError at the first difference."""
    arrays = {name: array for name, array in arrays.items() if name.rpartition(".")[2] != COUNTER}
    found = entries(model)
    chosen = _chosen(found, names)
    for one, name in zip(found, chosen):
        here = f"{one.here} of {one.layer.where}"
        if name not in arrays:
            others = [other for other in sorted(arrays) if other not in chosen]
            there = f"the file has {others[0]!r}" if others else "the file has no other"
            hint = "" if isinstance(names, list | tuple) else " (names=list(net.state_dict()) says other names)"
            raise CheckpointError(f"arrays must have one named {name!r} for {here}, but {there}{hint}")
        if (arrays[name].shape, arrays[name].dtype) != (one.torch_shape, model.dtype):
            right = f"{model.dtype} of shape {one.torch_shape} for {here}"
            raise CheckpointError(f"{name} must be {right}, not {checks.describe(arrays[name])}")
    others = sorted(arrays.keys() - set(chosen))
    if others:
        raise CheckpointError(f"arrays must be those of the model, but the model has none for {listed(others)}")
    return {one.here: one.from_torch(arrays[name]) for one, name in zip(found, chosen)}


def _safetensors() -> Any:
    """The package's functions for NumPy."""
    try:
        return importlib.import_module("safetensors.numpy")
    except ImportError as error:
        raise ImportError("for weights as safetensors: pip install safetensors") from error


def _arrays(model: Model, *kinds: str) -> dict[str, Array]:
    """The "parameters" or "buffers" by name, or both, each in the order of its flat vector."""
    layers = all_layers(model)
    return {f"{one.place}.{name}": one.arrays[name] for kind in kinds for one in layers for name in getattr(one, kind)}
