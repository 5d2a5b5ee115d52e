"""The CPU hot path: the textbook's ops (backends/numpy), same names and arguments, with jitted kernels where those win.

Matrix products are done by BLAS, or they skip zeros (product.py). Everything around them is a loop over memory: a
kernel does in one pass, without temporaries, what NumPy does in several. An op is a plain function, which allocates its
result and calls the kernel that fills it. compile.py says how kernels are compiled, and why.

A kernel checks no bounds: it would read and write beyond arrays that are too short. So an op first checks that its
arguments fit one another and the kernel. If they do not, it passes them to the textbook, which says what is wrong.
"""

from __future__ import annotations

from ..numpy import *  # noqa: F403 (an op that no kernel makes faster is the textbook's)
from . import memory
from .activations import relu, relu_backward, sigmoid, tanh
from .affine import affine, affine_backward
from .compile import prepare  # noqa: F401 (for `backends.prepare`)
from .convolution import conv2d, conv2d_backward
from .losses import softmax_cross_entropy
from .normalization import batch_norm, batch_norm_backward, batch_statistics
from .optimizers import adam_step, sgd_step
from .pooling import avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward

__all__ = [
    "adam_step", "affine", "affine_backward", "avg_pool2d", "avg_pool2d_backward", "batch_norm", "batch_norm_backward",
    "batch_statistics", "conv2d", "conv2d_backward", "max_pool2d", "max_pool2d_backward", "relu", "relu_backward",
    "sgd_step", "sigmoid", "softmax_cross_entropy", "tanh",
]  # fmt: skip

memory.keep()
