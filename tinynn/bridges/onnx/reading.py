"""A network from an ONNX file that PyTorch, Keras or scikit-learn has written: READ has a function for each op."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ... import backends
from ...model import Sequential
from ...saving.files import CheckpointError, reading
from . import feature_ops, shape_ops, weight_ops
from .package import onnx_package
from .reader import Reader

LARGEST = 2**31  # bytes: more, and it is not of the format
READ = weight_ops.READ | feature_ops.READ | shape_ops.READ


def from_onnx(path: Any, backend: str | None = None) -> Sequential:
    """The network in an ONNX file, as PyTorch, Keras and skl2onnx write it, as a Sequential with its weights.

    It takes images (N, H, V, C), as all of tinynn does: where the file takes x of (N, C, H, V), give the network
    x.transpose(0, 2, 3, 1). A softmax at the end is left out: y are scores, as SoftmaxCrossEntropy takes them. The
    labels that scikit-learn's classifiers give are left out; for two classes, y is the probability of the second. A
    Reshape at the beginning is left out: give x in the shape that it makes.

    Ops: Gemm, MatMul, Add, Sub, Mul and Div of a number for each feature, Conv, BatchNormalization, MaxPool,
    AveragePool, GlobalAveragePool, ReduceMean over all positions, Relu, Sigmoid, Tanh, LeakyRelu, Elu, Gelu, Softplus,
    Flatten, Transpose, Identity, Dropout, Cast, Softmax at the end, and Add of two branches, which is a Residual.

    Raises CheckpointError that names the node for anything else, for weights in a file of their own, and for a file
    that is damaged; ImportError without the package onnx, OSError where the file cannot be opened.
    """
    onnx = onnx_package()
    backends.load(backend)
    with reading(path) as file, np.errstate(all="ignore"):
        if os.fstat(file.fileno()).st_size > LARGEST:
            raise CheckpointError("size must be at most 2 GiB, as the format demands, not more")
        model = onnx.ModelProto()
        model.ParseFromString(file.read())
        reader = Reader(onnx, model)
        y = reader.follow(READ)
        known: Any = reader.x.shape if None not in reader.x.shape else None
        return Sequential(*y.layers, backend=backend, dtype=str(reader.dtype), shape=known)
