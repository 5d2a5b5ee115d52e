"""The GPU: the textbook's ops (backends/numpy) on CuPy arrays, same names and arguments.

On a GPU, launches and waiting cost time. So a chain of element-wise steps is one kernel (xp.ElementwiseKernel compiles
its line of C++ on first use), and nothing here reads a value back: a loss stays on the GPU, as an array without
dimensions, until float() is called. For the same reason, labels out of range cannot raise here: they make their row
NaN, and the loss with it. (`fit` checks all labels before it starts.)
"""

from __future__ import annotations

import importlib.util
import inspect
import pkgutil
from types import ModuleType
from typing import Any

from ...checks import Array
from .. import numpy as textbook
from .activations import gelu, gelu_backward, relu, relu_backward, sigmoid, sigmoid_backward, tanh, tanh_backward
from .affine import affine, affine_backward
from .device import xp
from .losses import average_of_all, gaussian_nll, mse, softmax, softmax_cross_entropy
from .optimizers import adam_step, sgd_step

__all__ = [
    "adam_step", "affine", "affine_backward", "gaussian_nll", "gelu", "gelu_backward", "mse", "relu",
    "relu_backward", "sgd_step", "sigmoid", "sigmoid_backward", "softmax", "softmax_cross_entropy", "tanh",
    "tanh_backward",
]  # fmt: skip


def asarray(a: Any) -> Array:
    return xp.asarray(a)


def to_numpy(a: Array) -> Array:
    return xp.asnumpy(a)


def dropout_mask(rng: Any, shape: tuple[int, ...], rate: float, dtype: Any) -> Array:
    return asarray(textbook.dropout_mask(rng, shape, rate, dtype))  # drawn on the CPU: the same on every backend


def _chapters() -> dict[str, ModuleType]:
    """The textbook's chapters once more, with CuPy in NumPy's place: an op without a kernel here is the textbook's."""
    chapters = {}
    for info in pkgutil.iter_modules(textbook.__path__):
        spec = importlib.util.find_spec(f"{textbook.__name__}.{info.name}")
        assert spec is not None and spec.loader is not None
        chapters[info.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(chapters[info.name])
    for chapter in chapters.values():
        held = {name for name, value in vars(chapter).items() if inspect.ismodule(value)}  # the chapters that it uses
        vars(chapter).update({"np": xp, **{name: c for name, c in chapters.items() if name in held}})
    vars(chapters["losses"])["_average"] = average_of_all  # which does not wait for the value
    return chapters


for _chapter in _chapters().values():
    for _name, _op in vars(_chapter).items():
        if inspect.isfunction(_op) and not _name.startswith("_") and _op.__module__ == _chapter.__name__:
            globals().setdefault(_name, _op)


try:  # one kernel and one product, which need more than the driver that CuPy asks for
    relu(affine(*(xp.zeros(shape, "float32") for shape in ((1, 1), (1, 1), 1))))
except Exception as error:
    raise ImportError(
        "the cupy backend needs the CUDA toolkit's compiler, headers and libraries, and CuPy cannot work with what it "
        "finds here: pip install 'cupy-cuda13x[ctk]' brings them (for CUDA 12: cupy-cuda12x[ctk]). "
        f"CuPy says: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
    ) from error
