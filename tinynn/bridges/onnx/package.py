"""The package onnx, loaded when it is used."""

from __future__ import annotations

import importlib
from typing import Any


def onnx_package() -> Any:
    """The module onnx. Raises ImportError that says what to install."""
    try:
        for part in ("helper", "numpy_helper", "checker"):
            importlib.import_module(f"onnx.{part}")
        return importlib.import_module("onnx")
    except ImportError as error:
        raise ImportError("for networks as ONNX: pip install onnx") from error
