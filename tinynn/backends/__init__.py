"""The array backends: packages of plain functions with equal names and equal arguments.

    numpy/   the textbook: every op once, in plain NumPy, with its derivation
    numba/   the CPU hot path: the same ops, jitted where that is faster
    cupy/    the GPU: the same ops on CuPy arrays

The files in them have the same names, those of the chapters: affine.py, activations.py, losses.py, optimizers.py.

A model picks its backend once, `Sequential(..., backend="numba")`, and its layers then call `self.ops.relu(x)`. There
is no class to derive from, no registry and no global switch. A backend is imported when it is first asked for, so that
`import tinynn` compiles nothing and needs no GPU. Where numba is missing, as in a browser or on a new Python, the
textbook is the default, and a warning says so once. The environment variable TINYNN_BACKEND changes the default,
`model.to("numpy")` moves a model, and a loss that is used without `fit` is given a backend:
SoftmaxCrossEntropy("numpy").

When a model is first built on a machine, numba compiles the kernels that its layers use, for some seconds. They are
kept next to the package, or in the folder NUMBA_CACHE_DIR, and loaded later; nothing compiles in the middle of a
training. The CuPy backend has been tested on a strict stand-in for CuPy only (tests/fake_cupy.py); where there is a
GPU, `pytest -m gpu` runs the same tests on it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import checks, elsewhere
from ..nesting import walk

NAMES = ("numpy", "numba", "cupy")


def default() -> str:
    """The backend of a model that names none: what the environment variable TINYNN_BACKEND says, else the fastest."""
    return os.environ.get("TINYNN_BACKEND") or _fastest()


def preferred() -> str:
    """The same, as if numba were installed: checking that would load it."""
    return os.environ.get("TINYNN_BACKEND") or "numba"


@functools.cache
def _fastest() -> str:
    """ "numba"; or the textbook where numba is not installed, or does not work with this Python or NumPy."""
    try:
        importlib.import_module("numba")
    except ImportError as error:
        text = "so models compute with the textbook, backend 'numpy': the same results, more slowly"
        warnings.warn(f"numba cannot be loaded here ({error}), {text}", stacklevel=7)  # where Sequential is called
        return "numpy"
    return "numba"


def load(name: str | None = None) -> ModuleType:
    """The backend module called `name`; None means the default.

    Raises ValueError for an unknown name, ImportError (with the pip command) where the package is missing.
    """
    source = "backend" if name is not None else "backend (from the environment variable TINYNN_BACKEND)"
    name = default() if name is None else name
    if not isinstance(name, str) or name not in NAMES:
        gpu = isinstance(name, str) and name.lower().partition(":")[0] in ("cuda", "gpu", "mps", "tpu")
        hint = ": 'cupy' computes on a GPU of NVIDIA's" if gpu else ""
        raise ValueError(f"{source} must be one of {', '.join(map(repr, NAMES))}, not {checks.describe(name)}{hint}")
    try:
        return importlib.import_module(f".{name}", __name__)
    except ModuleNotFoundError as error:
        if error.name != "numba":
            raise
        raise ImportError("the numba backend needs the package numba: pip install numba") from error


def of(model: Any) -> ModuleType:
    """The backend that a model works with: its `ops`, else that of the layers it holds, else the default."""
    return getattr(model, "ops", None) or next((layer.ops for _, layer in walk(model) if layer.ops), None) or load()


def prepare(thing: Any, dtype: Any, ops: ModuleType) -> None:
    """Let a backend that compiles do so now, for the ops that the methods of a thing call."""
    if hasattr(ops, "prepare"):
        ops.prepare(type(thing), dtype, ops)


def float_array(thing: str, a: Any, ops: ModuleType, ndim: int = 2) -> None:
    """Demand an array of floats that the backend `ops` computes with. Raises TypeError, ValueError.

    Complex numbers are for the textbook alone, for the complex-step derivative.
    """
    checks.float_array(thing, a, ops.xp, ndim)
    if a.dtype.kind == "c" and name_of(ops) != "numpy":
        raise TypeError(f"{thing} must be of dtype float32 or float64, not {a.dtype}")


def float_type(thing: str, dtype: Any, ops: ModuleType) -> np.dtype[Any]:
    """`dtype` as NumPy's, if models can have it (complex only on the textbook: for the complex-step derivative)."""
    if isinstance(dtype, str | type | np.dtype):  # None would be float64, for NumPy
        for known in checks.FLOATS if name_of(ops) == "numpy" else checks.REALS:
            with contextlib.suppress(Exception):  # a text that is no dtype: NumPy raises nearly anything
                if np.dtype(dtype) == known:
                    return known
    raise ValueError(f"{thing} must be 'float32' or 'float64', not {checks.describe(dtype)}")


def name_of(ops: ModuleType) -> str:
    """The name that `load` knows the module `ops` by."""
    return ops.__name__.rpartition(".")[2]


class ByName(elsewhere.Hinting):
    """Copies and pickles of what works with a backend: a module can be neither, so they hold the name of `ops`."""

    if TYPE_CHECKING:
        from . import numpy as ops  # from `self.ops.relu(x)` an editor leads to the textbook's op
    else:
        ops = None  # the backend's module

    def use(self, ops: Any) -> None:
        """Work with this backend's module. (After `self.ops = ops` an editor would know no more than a module.)"""
        self.__dict__["ops"] = ops

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "ops": self.ops and name_of(self.ops)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.use(state["ops"] and load(state["ops"]))
