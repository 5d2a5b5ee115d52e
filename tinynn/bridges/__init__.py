"""Bridges to other programs. Each asks for its package only when it is used."""

from .onnx import from_onnx, to_onnx

__all__ = ["from_onnx", "to_onnx"]
