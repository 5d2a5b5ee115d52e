"""How the kernels of the numba backend are compiled. All of it is measured (benchmarks/README.md):

- explicit signatures: compiled (or loaded from the cache) on import, for float32 and float64, contiguous, inputs
  possibly read-only. Other layouts are copied at the door; nothing compiles in the middle of a training run.
- error_model="numpy": division by zero gives inf, as in NumPy; without it no loop with a division is vectorised (Adam
  is 7 to 9 times slower).
- fastmath={"contract"}: a * b + c may be one instruction. Never fastmath=True: it lets the compiler assume that there
  are no NaN, and hides divergence.
- no parallel=True: its threads and those of BLAS fight for the same cores (10 times slower).

A kernel and its constants live in one file: numba's cache on disk does not notice a change in another, nor other
OPTIONS. So a kernel's name, by which the cache calls its files, has a checksum of OPTIONS and of the file of helpers
that it uses.
"""

from __future__ import annotations

import inspect
import warnings
import zlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numba
from numba import float32, float64, types

OPTIONS: Any = {
    "fastmath": {"contract"}, "error_model": "numpy", "nogil": True,
    "no_cfunc_wrapper": True,  # an entry for C that nobody uses: without it, compiling takes 5 % less
}  # fmt: skip
failures: list[str] = []  # why the cache on disk was of no use, for each kernel that met it


def kernel(
    arguments: Callable[[Any], tuple[Any, ...]],
    floats: tuple[Any, ...] = (float32, float64),
    helpers: ModuleType | None = None,
) -> Any:
    """Compile a function for each of `floats`; `arguments` gives the argument types for a float type T.

    `helpers` is a module whose functions the function calls, if it calls any of another file.

    The compiled code is kept on disk. What is damaged there is made anew; where nothing can be kept (a read-only
    installation), the function is compiled for this process alone. `report` says so.
    """
    signatures = [arguments(T) for T in floats]

    def compile_(function: Callable[..., Any]) -> Any:
        options = repr([(name, sorted(v) if isinstance(v, set) else v) for name, v in sorted(OPTIONS.items())])
        options += inspect.getsource(helpers) if helpers else ""
        function.__qualname__ += f"_{zlib.crc32(options.encode()):08x}"
        try:
            return numba.njit(signatures, cache=True, **OPTIONS)(function)
        except Exception as error:
            failures.append(f"{type(error).__name__}: {error}")
        try:
            numba.njit(cache=True, **OPTIONS)(function).recompile()  # with nothing compiled yet: empties its cache
            return numba.njit(signatures, cache=True, **OPTIONS)(function)
        except Exception:
            return numba.njit(signatures, **OPTIONS)(function)  # raises again if the cache was not to blame

    return compile_


def report() -> None:
    """One warning for all kernels that the cache failed."""
    if failures:
        what = f"{len(failures)} kernels were compiled anew: {failures[0]}"
        failures.clear()
        warnings.warn(f"numba cannot use its cache on disk, so {what}", RuntimeWarning, stacklevel=2)


def read(T: Any, ndim: int = 1) -> Any:
    """The type of an array that a kernel only reads: contiguous, perhaps read-only."""
    return types.Array(T, ndim, "C", readonly=True)


def write(T: Any, ndim: int = 1) -> Any:
    """The type of an array that a kernel writes."""
    return types.Array(T, ndim, "C")
