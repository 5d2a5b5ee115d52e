"""Bridges to other programs. Each asks for its package only when it is used."""

from .mpi import Parallel
from .onnx import from_onnx, to_onnx

__all__ = ["Parallel", "from_onnx", "to_onnx"]
