"""How the kernels of the numba backend are compiled. All of it is measured (benchmarks/README.md):

- explicit signatures: contiguous arrays of one dtype, inputs possibly read-only. Other layouts are copied at the door.
- compiled (or loaded from the cache) when a model is built, for its dtype, and only what its layers use: all kernels
  would take three times as long as those of one network. Nothing compiles in the middle of a training run.
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

import functools
import inspect
import sys
import threading
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
from numba import float32, float64, types

OPTIONS: Any = {
    "fastmath": {"contract"}, "error_model": "numpy", "nogil": True,
    "no_cfunc_wrapper": True,  # an entry for C that nobody uses: without it, compiling takes 5 % less
}  # fmt: skip


def kernel(
    arguments: Callable[[Any], tuple[Any, ...]],
    floats: tuple[Any, ...] = (float32, float64),
    helpers: ModuleType | None = None,
) -> Any:
    """Make a kernel of a function; `arguments` gives the argument types for a float type T, one of `floats`.

    `helpers` is a module whose functions the function calls, if it calls any of another file.
    """

    def make(function: Callable[..., Any]) -> Any:
        options = repr([(name, sorted(v) if isinstance(v, set) else v) for name, v in sorted(OPTIONS.items())])
        options += inspect.getsource(helpers) if helpers else ""
        function.__qualname__ += f"_{zlib.crc32(options.encode()):08x}"
        if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
            return function
        return Kernel(function, {np.dtype(T.name): arguments(T) for T in floats})

    return make


class Kernel:
    """A function that is compiled for a dtype when it is first wanted, and kept on disk.

    What is damaged there is made anew; where nothing can be kept (a read-only installation), the function is compiled
    for this process alone. One warning says so.
    """

    warned = told = False

    def __init__(self, function: Callable[..., Any], signatures: dict[Any, tuple[Any, ...]]) -> None:
        self.function, self.signatures, self.compiled, self.lock = function, signatures, set[Any](), threading.RLock()
        self.code: Any = None

    def __call__(self, *arguments: Any) -> Any:
        try:
            return self.code(*arguments)
        except TypeError:  # not compiled for such arguments
            dtypes = (getattr(a, "dtype", None) for a in arguments)
            self.compile(next((dtype for dtype in dtypes if dtype in self.signatures), None))
        return self.code(*arguments)

    def compile(self, dtype: Any) -> None:
        """Compile for a dtype, or load it from the disk, unless that was done before or the dtype is not one of its."""
        with self.lock:
            if dtype in self.compiled or dtype not in self.signatures:
                return
            wanted = [self.signatures[known] for known in (*self.compiled, dtype)]
            try:
                self.code = self._compiled(wanted, cache=True)
            except Exception as error:
                self._warn(error)
                try:
                    self._fresh(cache=True).recompile()  # with nothing compiled yet: empties its cache
                    self.code = self._compiled(wanted, cache=True)
                except Exception:
                    self.code = self._compiled(wanted)  # raises again if the cache was not to blame
            self.compiled.add(dtype)
            self._tell()

    def _fresh(self, **options: Any) -> Any:
        return numba.njit(**OPTIONS, **options)(self.function)

    def _compiled(self, signatures: list[tuple[Any, ...]], **options: Any) -> Any:
        """Code for these signatures and no others: other threads may call what was there until it is complete."""
        code = self._fresh(**options)
        for signature in signatures:
            code.compile(signature)
        code.disable_compile()
        return code

    def _tell(self) -> None:
        """Say once, at a terminal, why the user has to wait."""
        if sum(self.code.stats.cache_misses.values()) and not Kernel.told:
            Kernel.told = True
            if sys.stderr.isatty():
                text = "tinynn: compiling for this processor, once on this machine; it takes some seconds"
                print(text, file=sys.stderr)

    @classmethod
    def _warn(cls, error: Exception) -> None:
        if not cls.warned:
            cls.warned = True
            what = f"kernels are compiled anew: {type(error).__name__}: {error}"
            warnings.warn(f"numba cannot use its cache on disk, so {what}", RuntimeWarning, stacklevel=4)


def kernels_of(names: Iterable[str], space: dict[str, Any], seen: set[Any]) -> Iterator[Kernel]:
    """The kernels that functions call, and those that these call: `names` in a module's names, `space`."""
    for name in names:
        thing = space.get(name)
        if isinstance(thing, Kernel | FunctionType) and thing not in seen:
            seen.add(thing)
            if isinstance(thing, Kernel):
                yield thing
            else:
                yield from kernels_of(names_in(thing.__code__), thing.__globals__, seen)


def names_in(code: CodeType) -> set[str]:
    """The names that a function's code uses, that of functions within it too."""
    return set(code.co_names).union(*(names_in(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


@functools.lru_cache(1000)
def prepare(cls: type, dtype: Any, ops: ModuleType) -> None:
    """Compile what the methods of a class will call, by the names of ops in their code: now, not in mid-training."""
    methods = [inspect.unwrap(f) for base in cls.__mro__ for f in vars(base).values() if isinstance(f, FunctionType)]
    names = set[str]().union(*(names_in(method.__code__) for method in methods)) & set(vars(ops)["__all__"])
    for kernel in kernels_of(sorted(names), vars(ops), set()):
        kernel.compile(dtype)


def read(T: Any, ndim: int = 1) -> Any:
    """The type of an array that a kernel only reads: contiguous, perhaps read-only."""
    return types.Array(T, ndim, "C", readonly=True)


def write(T: Any, ndim: int = 1) -> Any:
    """The type of an array that a kernel writes."""
    return types.Array(T, ndim, "C")
