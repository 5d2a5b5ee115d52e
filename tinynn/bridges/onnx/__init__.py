"""ONNX, the format in which most programs can exchange networks.

Where to read: writing.py has each layer in ONNX's ops, and graph.py the graph. reading.py reads a file, which may hold
anything; weight_ops.py, shape_ops.py and feature_ops.py have tinynn's layer for each op.
"""

from .reading import from_onnx
from .writing import to_onnx

__all__ = ["from_onnx", "to_onnx"]
