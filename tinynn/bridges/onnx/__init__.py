"""ONNX, the format in which most programs can give networks to each other.

Where to read: writing.py has each layer in ONNX's ops, on the graph of graph.py; ops.py has each op as a layer of
tinynn's, and reading.py the walk through a file that may hold anything.
"""

from .reading import from_onnx
from .writing import to_onnx

__all__ = ["from_onnx", "to_onnx"]
