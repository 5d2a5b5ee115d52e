"""The GPU: the textbook's ops (backends/numpy) on CuPy arrays, same names and arguments.

What a GPU costs is launches and waiting. So a chain of element-wise steps is one kernel (xp.ElementwiseKernel compiles
its line of C++ on first use), and nothing here reads a value back: a loss stays on the GPU, an array without
dimensions, until somebody calls float(). For the same reason labels out of range cannot raise here; they make their row
NaN, and with it the loss. (`fit` looks at all labels before it starts.)
"""

from __future__ import annotations

from typing import Any

from ...checks import Array
from .activations import relu, relu_backward, sigmoid, sigmoid_backward, tanh, tanh_backward
from .affine import affine, affine_backward
from .device import xp
from .losses import gaussian_nll, mse, softmax, softmax_cross_entropy
from .optimizers import adam_step, sgd_step

__all__ = [
    "adam_step", "affine", "affine_backward", "asarray", "gaussian_nll", "mse", "relu",
    "relu_backward", "sgd_step", "sigmoid", "sigmoid_backward", "softmax", "softmax_cross_entropy", "tanh",
    "tanh_backward", "to_numpy", "xp",
]  # fmt: skip


def asarray(a: Any) -> Array:
    return xp.asarray(a)


def to_numpy(a: Array) -> Array:
    return xp.asnumpy(a)


try:  # one kernel and one product, which need more than the driver that CuPy asks for
    relu(affine(*(xp.zeros(shape, "float32") for shape in ((1, 1), (1, 1), 1))))
except Exception as error:
    raise ImportError(
        "the cupy backend needs the CUDA toolkit's compiler, headers and libraries, and CuPy cannot work with what it "
        "finds here: pip install 'cupy-cuda13x[ctk]' brings them (for CUDA 12: cupy-cuda12x[ctk]). "
        f"CuPy says: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
    ) from error
