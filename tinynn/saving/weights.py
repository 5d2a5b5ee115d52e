"""The parameters alone, as safetensors:

    save_weights("weights.safetensors", model)
    load_weights("weights.safetensors", model)

PyTorch, JAX and others read that format with the package safetensors, which tinynn asks for only here.
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


def save_weights(path: Any, model: Model) -> None:
    """Parameters and buffers, as safetensors, for other programs: "1.W", "1.b", "3.2.W", ... by the layers' places.

    W is (n_in, n_out), the transpose of PyTorch's Linear.weight. The format has no checksum.
    """
    safetensors = _safetensors()
    demand_parts(model)
    named = _arrays(model, "parameters", "buffers")
    # contiguous, because safetensors writes the memory as it lies, without a look at strides
    arrays = {name: np.ascontiguousarray(model.ops.to_numpy(array)) for name, array in named.items()}
    data = safetensors.save(arrays)
    replace(path, lambda file: file.write(data))


def load_weights(path: Any, model: Model) -> None:
    """Parameters from safetensors into `model`: all of its arrays and no others. On an error nothing is changed.

    Raises CheckpointError for a file of other arrays or none, OSError where it cannot be opened.
    """
    safetensors = _safetensors()
    demand_parts(model)
    expected = _arrays(model, "parameters", "buffers")
    with reading(path) as file:
        found = safetensors.load(file.read())
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
