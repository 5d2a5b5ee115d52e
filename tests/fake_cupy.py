"""A strict stand-in for CuPy 14.2 on the CPU: `sys.modules["cupy"] = fake_cupy.module`, and `import cupy` finds it.

NumPy does the arithmetic; the stand-in adds the walls that a GPU has. It forbids

    names and arguments that the real package lacks (cupy_names.json records them; `python fake_cupy.py` where CuPy is
    installed writes that file anew)
    NumPy arrays as operands, as `out`, as index, as value to store, in a kernel; lists as index
    NumPy's functions and the buffer protocol on a device array (CuPy runs `np.exp(a)`, so that a test with the wrong
    module passes; the stand-in is stricter)
    index arrays out of range (CuPy wraps them silently), duplicates in `a[i] = values` (any of them may win)
    outputs of a kernel that overlap its other arrays, unless each thread reads only what it writes itself
    mismatched types and unknown names in an ElementwiseKernel, and any C++ but a small subset

and it counts launches, copies to the device, and waits of the host for the device: `counting()`, `no_sync()`. Results
are arrays, never numbers; fresh memory holds NaN or extreme integers.

It cannot show races between kernels or streams, errors in C++ beyond that subset, what a GPU rounds otherwise (sums in
another order, fused multiply-add, another exp), memory layouts of results, use of memory, or time. A call counts as
one launch, though CuPy needs several for some.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import math
import operator
import re
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

NAMES_FILE = Path(__file__).with_name("cupy_names.json")
NAMES = json.loads(NAMES_FILE.read_text())
SIGNATURES = NAMES["signatures"] | {f"cupy.{n}": text for text, names in NAMES["ufuncs"].items() for n in names}
WRAPPED: set[str] = set()  # of which functions a signature is needed


class NotInStandIn(AttributeError, NotImplementedError):
    """CuPy has it, the stand-in has not."""


class KernelError(ValueError):
    """The source of an ElementwiseKernel is wrong, or outside the subset of C++ that the stand-in knows."""


def missing(owner: str, name: str) -> AttributeError:
    """The error for a name that the stand-in does not have."""
    where = "cupy" if owner == "cupy" else f"cupy.{owner}"
    if name in NAMES[owner]:
        return NotInStandIn(f"the stand-in does not implement {where}.{name} yet")
    return AttributeError(f"{where} has no attribute {name!r}")


@functools.cache
def signature(key: str) -> inspect.Signature:
    return inspect.signature(eval(f"lambda {SIGNATURES[key]}: None"))


def like_cupy(key: str, run: Callable[..., Any]) -> Callable[..., Any]:
    """`run` behind the signature that CuPy's function has; it gets the arguments that were given, by name."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return run(**signature(key).bind(*args, **kwargs).arguments)

    WRAPPED.add(key)
    call.__name__ = call.__qualname__ = key.rpartition(".")[2]
    return call


# --- what is counted -------------------------------------------------------------------------------------------------


@dataclass
class Counts:
    launches: int = 0  # kernels started
    h2d: int = 0  # copies of NumPy arrays, lists or numbers to the device
    d2h: int = 0  # the host waits for the device: get(), float(), if, print, a boolean index, synchronize()


counts = Counts()  # since the start
_counters = [counts]
_flags = {"no_sync": 0, "fusing": 0}


@contextlib.contextmanager
def counting() -> Iterator[Counts]:
    """A counter of what happens inside the `with`."""
    counter = Counts()
    _counters.append(counter)
    try:
        yield counter
    finally:
        _counters[:] = [c for c in _counters if c is not counter]


@contextlib.contextmanager
def _flagged(flag: str) -> Iterator[None]:
    _flags[flag] += 1
    try:
        yield
    finally:
        _flags[flag] -= 1


def no_sync() -> contextlib.AbstractContextManager[None]:
    """Inside, whatever makes the host wait for the device raises RuntimeError."""
    return _flagged("no_sync")


def _count(what: str) -> None:
    if not (what == "launches" and _flags["fusing"]):
        for counter in _counters:
            setattr(counter, what, getattr(counter, what) + 1)


def _sync(what: str) -> None:
    if _flags["no_sync"]:
        raise RuntimeError(f"device synchronised: {what}")
    _count("d2h")


# --- the array -------------------------------------------------------------------------------------------------------


def _wrap(result: Any) -> Any:
    if isinstance(result, tuple):
        return tuple(_wrap(r) for r in result)
    new = object.__new__(ndarray)
    new._a = np.asarray(result)
    return new


def _poisoned(a: np.ndarray) -> ndarray:
    kind = a.dtype.kind
    a.fill(np.nan if kind in "fc" else True if kind == "b" else np.iinfo(a.dtype).max)
    return _wrap(a)


def _array(x: Any, why: str = "") -> np.ndarray:
    """The NumPy array in `x`, which must be a device array."""
    if not isinstance(x, ndarray):
        raise TypeError(why or f"Unsupported type {type(x)}")
    return x._a


def _operand(x: Any) -> Any:
    """The NumPy array in `x`, or `x` itself if a number."""
    return x if isinstance(x, (int, float, complex, np.generic)) else _array(x)


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are the same memory in the same layout."""
    return (a.ctypes.data, a.shape, a.strides, a.dtype) == (b.ctypes.data, b.shape, b.strides, b.dtype)


def _index(index: Any) -> tuple[tuple[Any, ...], bool]:
    """`index` for NumPy, such that the result is an array; and whether there are arrays in it."""
    parts = list(index) if isinstance(index, tuple) else [index]
    arrays = False
    for n, part in enumerate(parts):
        if isinstance(part, ndarray):
            arrays, parts[n] = True, part._a
            if part.dtype.kind == "b":
                _sync("boolean index")
        elif isinstance(part, bool) or not (part is None or isinstance(part, (int, np.integer, slice, type(...)))):
            raise TypeError(f"Unsupported type {type(part)} as an index")
    return (*parts, *([] if any(part is ... for part in parts) else [...])), arrays


def _run(f: Callable[..., Any], operands: list[Any], launch: bool | None = True, **options: Any) -> Any:
    """f(*operands, **options), silent as a GPU, as a device array. launch=None: unless f returns a view."""
    out = options.get("out")
    if out is not None:
        _array(out, "Output arguments type must be cupy.ndarray")
    for name, value in options.items():
        if isinstance(value, (ndarray, np.ndarray)):
            if name not in ("out", "where", "min", "max", "a_min", "a_max"):
                raise TypeError(f"Unsupported type {type(value)} for {name}")
            options[name] = _array(value)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        result = f(*operands, **options)
    if launch or (launch is None and not np.may_share_memory(result, operands[0])):
        _count("launches")
    return _wrap(result) if out is None else out


class ndarray:
    """An array on the pretended device; the private `_a` holds the numbers."""

    __slots__ = ("_a",)
    __hash__ = None
    __array_priority__ = 100
    shape = property(lambda self: self._a.shape)
    dtype = property(lambda self: self._a.dtype)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    nbytes = property(lambda self: self._a.nbytes)
    itemsize = property(lambda self: self._a.itemsize)
    strides = property(lambda self: self._a.strides)
    T = property(lambda self: _wrap(self._a.T))
    real = property(lambda self: _wrap(self._a.real))
    imag = property(lambda self: _wrap(self._a.imag))

    def __init__(self, *_: Any, **__: Any):
        raise NotInStandIn("the stand-in does not implement cupy.ndarray(...) yet; cupy.empty(...) does the same")

    def __getattr__(self, name: str) -> Any:
        raise missing("ndarray", name)

    @property
    def flags(self) -> Any:
        flags = self._a.flags
        return types.SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous)

    # NumPy must not get hold of it

    def __array__(self, *_: Any, **__: Any) -> Any:
        advice = "Please use `.get()` to construct a NumPy array explicitly."
        raise TypeError(f"Implicit conversion to a NumPy array is not allowed. {advice}")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs and len(inputs) == 2 and isinstance(inputs[0], np.generic):
            return getattr(module, ufunc.__name__)(*inputs)  # np.float32(2) * a
        for x in (*inputs, *kwargs.get("out", ())):
            if isinstance(x, np.ndarray):
                raise TypeError(f"Unsupported type {type(x)}")
        self.__array_function__(ufunc)

    def __array_function__(self, func: Any, *_: Any) -> Any:
        raise TypeError(f"np.{func.__name__} got a cupy.ndarray (CuPy would run it and hide the wrong module)")

    # to the host: each of these waits

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
        _sync("get()")
        if out is None:
            return np.array(self._a, order=order)
        if not isinstance(out, np.ndarray) or (out.dtype, out.shape) != (self.dtype, self.shape):
            raise TypeError(f"out must be a numpy.ndarray of shape {self.shape} and dtype {self.dtype}")
        out[...] = self._a
        return out

    def item(self) -> Any:
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def __reduce__(self) -> Any:
        return _upload, (self.get(),)

    # views and copies

    def __len__(self) -> int:
        return len(self._a)

    def __iter__(self) -> Iterator[ndarray]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> ndarray:
        index, arrays = _index(index)
        return _run(np.array, [self._a[index]]) if arrays else _wrap(self._a[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        index, arrays = _index(index)
        value = _operand(value)
        if "biufc".index(np.result_type(value).kind) > {"b": 0, "i": 2, "u": 2, "f": 3, "c": 4}[self.dtype.kind]:
            raise TypeError(f"cannot store {np.result_type(value)} in {self.dtype}: CuPy does not cast as NumPy does")
        if arrays and np.size(value) > 1:
            places = np.arange(self.size).reshape(self.shape)[index]
            if np.unique(places).size < places.size:
                raise IndexError("duplicate indices in a[i] = values: on a GPU any of them may win")
        if not arrays and isinstance(value, np.ndarray) and np.shares_memory(self._a[index], value):
            if not _same(self._a[index], value):
                raise ValueError("source and target of the copy overlap")
            return  # the end of a[i] += 1
        _run(self._a.__setitem__, [index, value])

    def reshape(self, shape: Any = (), order: str = "C", copy: Any = None) -> ndarray:
        shape = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        return _run(np.reshape, [self._a, shape], None, order=order)

    def transpose(self, axes: Any = ()) -> ndarray:
        return _wrap(self._a.transpose(*axes))

    def view(self, dtype: Any = None, type: Any = None) -> ndarray:
        return _wrap(self._a.view() if dtype is None else self._a.view(dtype))

    def copy(self, order: str = "C") -> ndarray:
        return _run(np.array, [self._a], order=order)

    def astype(self, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None, copy: bool = True) -> Any:
        if not copy and self.dtype == dtype and (order in "KA" or self._a.flags[order]):
            return self
        return _run(self._a.astype, [dtype, order, casting or "unsafe"])

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.copy()

    # written in place

    def fill(self, value: Any) -> None:
        if np.ndim(_operand(value)):
            raise ValueError("fill() takes a scalar")
        self[...] = value

    def set(self, arr: Any, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray) or self.dtype != arr.dtype:
            raise TypeError(f"set() takes a numpy.ndarray of {self.dtype}")
        if self.shape != arr.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        if not (self.flags.c_contiguous or self.flags.f_contiguous):
            raise RuntimeError("Cannot set to non-contiguous array")
        _count("h2d")
        self._a[...] = arr


# --- the functions ---------------------------------------------------------------------------------------------------


def _simple(f: Callable[..., Any], n: int = 1, numbers: bool = False, launch: bool | None = True) -> Callable[..., Any]:
    """The function that gives `f` its first n arguments as operands: device arrays, or also `numbers`."""

    def run(**arguments: Any) -> Any:
        first = [(_operand if numbers else _array)(arguments.pop(name)) for name in list(arguments)[:n]]
        return _run(f, first, launch, **arguments)

    return run


def _joined(f: Callable[..., Any]) -> Callable[..., Any]:
    why = "Only cupy arrays can be concatenated"
    return lambda tup, **options: _run(f, [[_array(a, why) for a in tup]], **options)


def _argument(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, dtype=np.int64, **options: np.asarray(f(a, **options)).astype(dtype)


def _upload(obj: Any, dtype: Any = None, order: str | None = None, ndmin: int = 0) -> ndarray:
    a = np.array(obj, dtype, order="A" if order in (None, "K") else order, ndmin=ndmin)
    if a.dtype.kind not in "biufc":
        raise ValueError(f"Unsupported dtype {a.dtype}")
    _count("h2d")
    return _wrap(a)


def array(obj: Any, dtype: Any = None, copy: Any = True, order: Any = "K", ndmin: int = 0, **_: Any) -> ndarray:
    if not isinstance(obj, ndarray):
        return _upload(obj, dtype, order, ndmin)
    return obj.astype(obj.dtype if dtype is None else dtype, order=order or "K", copy=bool(copy))


def asnumpy(a: Any, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
    return a.get(stream, order, out) if isinstance(a, ndarray) else np.asarray(a, order=order)


def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = None) -> None:
    _run(np.copyto, [_array(dst), _operand(src)], casting=casting, where=True if where is None else where)


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if (x is None) != (y is None):
        raise ValueError("Must provide both 'x' and 'y' or neither.")
    if x is None:
        _sync("where(condition)")
        return _run(np.nonzero, [_array(condition)])
    return _run(np.where, [_array(condition).astype(bool), _operand(x), _operand(y)])


def dot(a: Any, b: Any, out: Any = None, product: Any = np.dot) -> ndarray:
    result = _run(product, [_array(a), _array(b)])
    if out is None:
        return result
    if _array(out).dtype != result.dtype:
        raise ValueError("Not supported dtype combination.")
    if not out.flags.c_contiguous:
        raise ValueError("Output array must be C-contiguous")
    if out.shape != result.shape:
        raise ValueError(f"Output array has an invalid shape: {out.shape}, not {result.shape}")
    out._a[...] = result._a
    return out


def shares_memory(a: Any, b: Any, max_work: Any = None) -> bool:
    _sync("shares_memory()")
    return np.shares_memory(_array(a), _array(b))


def fuse(*args: Any, kernel_name: str | None = None) -> Any:
    """The function as it is, but one launch."""
    if not args:
        return fuse

    @functools.wraps(args[0])
    def call(*inner: Any) -> Any:
        _count("launches")
        with _flagged("fusing"):
            return args[0](*inner)

    return call


def _each(make: Callable[..., Any], *functions: Any, **options: Any) -> dict[str, Callable[..., Any]]:
    return {f.__name__: make(f, **options) for f in functions}


RAVEL = _simple(np.ravel, launch=None)
REDUCTIONS = _each(_simple, np.sum, np.mean, np.any, np.all, np.prod, np.std, np.var)
REDUCTIONS |= {"max": _simple(np.max), "min": _simple(np.min)}
REDUCTIONS |= {"argmax": _simple(_argument(np.argmax)), "argmin": _simple(_argument(np.argmin))}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: _simple(getattr(np, name), getattr(np, name).nin, True) for names in NAMES["ufuncs"].values()
       for name in names if isinstance(getattr(np, name, None), np.ufunc)},
    **REDUCTIONS, "amax": REDUCTIONS["max"], "amin": REDUCTIONS["min"],
    **_each(_simple, np.zeros, np.ones, np.eye, n=0),
    **_each(_simple, np.zeros_like, np.ones_like, np.clip, np.count_nonzero),
    **_each(_simple, np.tensordot, np.take_along_axis, n=2),
    **_each(_simple, np.transpose, np.broadcast_to, launch=None),
    **_each(_joined, np.concatenate, np.stack),
    "array": array, "asnumpy": asnumpy, "copyto": copyto, "where": where, "dot": dot, "shares_memory": shares_memory,
    "asarray": lambda a, dtype=None, order=None, copy=None, blocking=False: array(a, dtype, copy, order),
    "ascontiguousarray": lambda a, dtype=None: array(a, dtype, False, "C"),
    "empty": lambda **options: _poisoned(np.empty(**options)),
    "empty_like": lambda prototype, **options: _poisoned(np.empty_like(_array(prototype), **options)),
    "arange": lambda start, stop=None, step=1, dtype=None: _run(np.arange, [start, stop, step, dtype]),
    "full": lambda shape, fill_value, **o: _run(np.full, [shape, _operand(fill_value)], **o),
    "full_like": lambda a, fill_value, **o: _run(np.full_like, [_array(a), _operand(fill_value)], **o),
    "reshape": lambda a, newshape, order="C", copy=None: _run(np.reshape, [_array(a), newshape], None, order=order),
    "ravel": RAVEL,
    "take": lambda a, indices, **o: _run(np.take, [_array(a), _operand(indices)], **o),
    "matmul": lambda args, out=None: dot(*args, out=out, product=np.matmul),
    "may_share_memory": lambda a, b, max_work=None: np.may_share_memory(_array(a), _array(b)),
    "get_array_module": lambda args=(): module if any(isinstance(a, ndarray) for a in args) else np,
}  # fmt: skip
METHODS = {
    **REDUCTIONS, **{name: vars(ndarray)[name] for name in ("get", "item", "tolist", "reshape", "transpose", "view")},
    "copy": ndarray.copy, "astype": ndarray.astype, "fill": ndarray.fill, "set": ndarray.set, "ravel": RAVEL,
    "dot": lambda self, b, out=None: dot(self, b, out),
    "take": lambda self, **arguments: FUNCTIONS["take"](self, **arguments),
    "clip": lambda self, min=None, max=None, out=None: _run(np.clip, [self._a], a_min=min, a_max=max, out=out),
}  # fmt: skip
OPERATORS = {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
             "mod": "remainder", "pow": "power", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor"}  # fmt: skip
COMPARISONS = {"lt": "less", "le": "less_equal", "eq": "equal", "ne": "not_equal", "gt": "greater",
               "ge": "greater_equal", "neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}  # fmt: skip


def _complete() -> None:
    """Give ndarray the methods that are like functions, and the operators."""
    for name, run in METHODS.items():
        setattr(ndarray, name, like_cupy(f"ndarray.{name}", run))
    for name, ufunc in (OPERATORS | COMPARISONS).items():
        f = like_cupy(f"cupy.{ufunc}", FUNCTIONS[ufunc])
        setattr(ndarray, f"__{name}__", lambda *operands, f=f: f(*operands))
        if name in OPERATORS:
            setattr(ndarray, f"__r{name}__", lambda self, other, f=f: f(other, self))
            setattr(ndarray, f"__i{name}__", lambda self, other, f=f: f(self, other, self))
    ndarray.__matmul__ = lambda self, other: dot(self, other, product=np.matmul)
    for f in (bool, int, float, complex, repr, str, format):

        def convert(self: ndarray, *args: Any, f: Any = f) -> Any:
            _sync(f"{f.__name__}()")
            return f(self._a, *args)

        setattr(ndarray, f"__{f.__name__}__", convert)


_complete()


# --- element-wise kernels: a small subset of C++ ---------------------------------------------------------------------

TOKEN = re.compile(
    r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\w*|long long|\w+|&&|\|\||\+\+|--|[<>=!+*/-]=|[][+*/<>!?:()=;-]"
)
FLOAT = re.compile(r"((?:\d+\.\d*|\.\d+)(?:e[+-]?\d+)?|\d+e[+-]?\d+)(f?)", re.IGNORECASE)
C_TYPES = {"float": np.float32, "double": np.float64, "bool": np.bool_, "int": np.int32, "long long": np.int64}
C_FUNCTIONS = {f.__name__: f for f in (np.sqrt, np.exp, np.log, np.log1p, np.expm1, np.tanh, np.fabs)}
C_FUNCTIONS |= {"erfc": np.vectorize(math.erfc, otypes=[float])}
C_FUNCTIONS |= {"abs": np.abs, "isnan": np.isnan, "isfinite": np.isfinite, "isinf": np.isinf}
LEVELS = {"?": 1, "||": 2, "&&": 3, "==": 4, "!=": 4, "<": 5, "<=": 5, ">": 5, ">=": 5, "+": 6, "-": 6, "*": 7, "/": 7}
ARITHMETIC = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt,
              ">=": operator.ge, "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}  # fmt: skip


class Parser:
    """Makes of a kernel's source a list of statements: (type or None, name, operator, expression).

    The subset of C++: "[type] name = expression;" (or += -= *= /=), with ?: || && ! == != < <= > >= + - * / ( ),
    casts T(x) and (T)x, `i`, elements of raw arrays, literals, and calls of C_FUNCTIONS.
    """

    def __init__(self, source: str, types: Any, names: dict[str, str]):
        """`names` are those that exist, and what each is: "constant", "raw constant" or "variable"."""
        source = re.sub(r"//[^\n]*|/\*.*?\*/", " ", source, flags=re.DOTALL)
        if rest := TOKEN.sub("", source).strip():
            raise KernelError(f"not in the stand-in's subset of C++: {rest!r}")
        self.tokens, self.types, self.names, self.statements = [*TOKEN.findall(source), "the end"], types, names, []
        while self.more():
            kind = self.take() if self.tokens[0] in types else None
            name, op = self.take(), self.take()
            if op not in (("=",) if kind else ("=", "+=", "-=", "*=", "/=")):
                raise KernelError(f"expected an assignment to {name!r}, not {op!r}")
            if kind and (name in names or name in C_FUNCTIONS or not name.isidentifier()):
                raise KernelError(f"cannot declare {name!r}")
            if not kind and names.get(name) != "variable":
                raise KernelError(f"cannot assign to {name!r}, which is {names.get(name, 'unknown')}")
            self.statements.append((kind, name, op, self.expression()))
            names[name] = "variable"
            if self.tokens[0] != "the end":
                self.take(";")

    def more(self) -> bool:
        while self.tokens[0] == ";":
            self.take()
        return self.tokens[0] != "the end"

    def take(self, wanted: str | None = None) -> str:
        if wanted not in (None, self.tokens[0]) or self.tokens == ["the end"]:
            raise KernelError(f"expected {wanted or 'more'!r}, not {self.tokens[0]!r}")
        return self.tokens.pop(0)

    def enclosed(self, ends: str) -> tuple[Any, ...]:
        self.take(ends[0])
        inner = self.expression()
        self.take(ends[1])
        return inner

    def expression(self, level: int = 1) -> tuple[Any, ...]:
        """An expression of operators of at least that level, as a tree of tuples."""
        left = self.operand()
        while LEVELS.get(self.tokens[0], 0) >= level:
            op = self.take()
            if op == "?":
                then = self.expression()
                self.take(":")
                left = ("?", left, then, self.expression())
            else:
                left = (op, left, self.expression(LEVELS[op] + 1))
        return left

    def operand(self) -> tuple[Any, ...]:
        if self.tokens[0] == "(" and not (self.tokens[1] in self.types and self.tokens[2] == ")"):
            return self.enclosed("()")
        token = self.take()
        if token in ("-", "+", "!"):
            x = self.expression(8)
            return ("==", x, ("number", np.int32(0))) if token == "!" else ("*", ("number", np.int32(token + "1")), x)
        if token == "(":
            kind, _ = self.take(), self.take()
            return "cast", kind, self.expression(8)
        if token in self.types:
            return "cast", token, self.enclosed("()")
        if token in C_FUNCTIONS and self.tokens[0] == "(":
            return "call", token, self.enclosed("()")
        if self.names.get(token, "").startswith("raw"):
            return "element", token, self.enclosed("[]")
        if token in self.names:
            return "name", token
        if token in ("true", "false"):
            return "number", np.bool_(token == "true")
        if re.fullmatch("0|[1-9][0-9]*", token):
            return "number", (np.int32 if int(token) < 2**31 else np.int64)(token)
        if match := FLOAT.fullmatch(token):
            return "number", (np.float32 if match[2] else np.float64)(match[1])
        raise KernelError(f"unknown or misplaced: {token!r}")


def common(a: np.dtype, b: np.dtype) -> np.dtype:
    """C's usual arithmetic conversions, which are not NumPy's: int64 with float32 is float32."""
    if "f" in (a.kind, b.kind):
        return max((t for t in (a, b) if t.kind == "f"), key=lambda t: t.itemsize)
    a, b = (t if t.itemsize >= 4 else np.dtype(np.int32) for t in (a, b))
    return max(a, b, key=lambda t: (t.itemsize, t.kind == "u"))


def calculate(op: str, x: Any, y: Any, mask: Any) -> Any:
    """x op y by the rules of C."""
    t = common(x.dtype, y.dtype)
    x, y = x.astype(t), y.astype(t)
    if op != "/" or t.kind == "f":
        return ARITHMETIC[op](x, y)
    if np.any(mask & (y == 0)):
        raise ZeroDivisionError("a kernel divides an integer by zero")
    quotient = abs(x) // np.where(y == 0, t.type(1), abs(y))  # C rounds towards zero
    return np.where((x < 0) != (y < 0), -quotient, quotient)


def evaluate(tree: tuple[Any, ...], scope: dict[str, Any], mask: Any) -> Any:
    """The values of an expression for all threads; `mask` says which of them get here, as behind ? and &&."""
    kind, first, *rest = tree
    if kind == "number":
        return first
    if kind == "name":
        return scope[first]
    if kind == "cast":
        return evaluate(rest[0], scope, mask).astype(scope[first])
    if kind == "call":
        x = evaluate(rest[0], scope, mask)
        if x.dtype.kind != "f" and first.startswith("is"):
            raise TypeError(f"{first}() of an integer is ambiguous in C++")
        integer = x.dtype.kind != "f" and first != "abs"
        return C_FUNCTIONS[first](x.astype(np.float64 if integer else common(x.dtype, x.dtype)))
    if kind == "element":
        places, a = np.where(mask, evaluate(rest[0], scope, mask), 0), scope[first].ravel()
        if places.dtype.kind not in "iu" or np.any(mask & ((places < 0) | (places >= a.size))):
            raise IndexError(f"a kernel reads outside of {first}")
        return a[places] if a.size else np.zeros(mask.shape, a.dtype)
    x = evaluate(first, scope, mask)
    if kind == "?":
        x = x.astype(bool)
        y, z = evaluate(rest[0], scope, mask & x), evaluate(rest[1], scope, mask & ~x)
        t = y.dtype if y.dtype == z.dtype else common(y.dtype, z.dtype)
        return np.where(x, y.astype(t), z.astype(t))
    if kind in ("&&", "||"):
        x = x.astype(bool)
        y = evaluate(rest[0], scope, mask & (x if kind == "&&" else ~x)).astype(bool)
        return x & y if kind == "&&" else x | y
    return calculate(kind, x, evaluate(rest[0], scope, mask), mask)


@dataclass(frozen=True)
class Parameter:
    name: str
    type: str
    raw: bool
    dtype: np.dtype | None  # None for a type of one letter, which the arrays decide

    @staticmethod
    def parse(text: str) -> list[Parameter]:
        parts = [part.split() for part in text.split(",") if text.strip()]
        if any(len(part) < 2 or part[:-2] not in ([], ["raw"]) for part in parts):
            raise KernelError(f"parameters are written '[raw] type name', not {text!r}")
        return [Parameter(p[-1], p[-2], len(p) == 3, None if len(p[-2]) == 1 else np.dtype(p[-2])) for p in parts]

    def pack(self, value: Any, dtype: np.dtype) -> Any:
        """The number `value` as `dtype`."""
        if dtype.kind in "bui" and not (np.isfinite(value) and value == dtype.type(value)):
            raise TypeError(f"{value!r} does not fit {self.name}, which is {dtype}")
        with np.errstate(all="ignore"):
            return dtype.type(value)


class ElementwiseKernel:
    def __init__(self, in_params: str, out_params: str, operation: str, name: str = "kernel", reduce_dims: bool = True,
                 preamble: str = "", no_return: bool = False, return_tuple: bool = False, **kwargs: Any):  # fmt: skip
        self.inputs, self.outputs = Parameter.parse(in_params), Parameter.parse(out_params)
        self.name, self.no_return, self.return_tuple = name, no_return, return_tuple
        both = self.params = self.inputs + self.outputs
        if preamble or kwargs.keys() - {"options"} or any(p.raw for p in self.outputs):
            raise NotInStandIn("the stand-in does not implement preamble, loop_prep, after_loop and raw outputs yet")
        types = C_TYPES.keys() | {p.type for p in both if p.dtype is None}
        names = {p.name: "raw constant" if p.raw else "constant" for p in self.inputs}
        names |= {p.name: "variable" for p in self.outputs}
        reserved = {"i", "_ind", *C_FUNCTIONS, *types}
        if len(names) < len(both) or {name, *names} & reserved or not all(n.isidentifier() for n in (name, *names)):
            raise ValueError(f"kernel {name!r}: a name is invalid, reserved or used twice")
        try:
            self.statements = Parser(operation, types, names | {"i": "constant"}).statements
        except KernelError as error:
            raise KernelError(f"kernel {name!r}: {error}") from None

    def __call__(self, *args: Any, **options: Any) -> Any:
        if options.keys() - {"stream", "block_size"}:
            raise NotInStandIn(f"the stand-in does not implement a kernel's {sorted(options)} yet")
        if len(args) not in (len(self.inputs), len(self.params)):
            raise TypeError(f"Wrong number of arguments for {self.name!r}: {len(args)}")
        given = zip(self.params[: len(args)], args, strict=True)
        arrays = [(p, a) for p, a in given if isinstance(_operand(a), np.ndarray)]
        if not any(not p.raw for p, a in arrays):
            raise ValueError("Loop size is undecided.")
        shape = np.broadcast_shapes(*(a.shape for p, a in arrays if not p.raw))
        bound = self.bind(arrays)
        outs = list(args[len(self.inputs) :]) or [_poisoned(np.empty(shape, bound[p.type])) for p in self.outputs]
        for p, out in zip(self.outputs, outs, strict=True):
            if _array(out, "Output arguments type must be cupy.ndarray").shape != shape:
                raise ValueError(f"Out shape is mismatched: {p.name} has {out.shape}, the loop {shape}")
        arguments = zip(self.params, [*args[: len(self.inputs)], *outs], strict=True)
        values = [a._a if isinstance(a, ndarray) else p.pack(a, bound[p.type]) for p, a in arguments]
        self.forbid_races(values)
        if 0 not in shape:
            _count("launches")
            with np.errstate(all="ignore"):
                self.execute(shape, bound, values)
        if self.no_return:
            return None
        return outs[0] if len(outs) == 1 and not self.return_tuple else tuple(outs)

    def bind(self, arrays: list[tuple[Parameter, ndarray]]) -> dict[str, np.dtype]:
        """The dtype of each type in the parameters."""
        bound = {p.type: p.dtype for p in self.params if p.dtype is not None}
        for p, a in arrays:
            if bound.setdefault(p.type, a.dtype) != a.dtype:
                raise TypeError(f"Type is mismatched. {p.name} {a.dtype} {bound[p.type]} {p.type}")
        for p in self.params:
            if p.type not in bound:
                raise TypeError(f"kernel {self.name!r}: no array says what {p.type} is")
            if bound[p.type].kind not in "biuf" or bound[p.type] == np.float16:
                raise NotInStandIn(f"the stand-in does not implement kernels on {bound[p.type]} yet")
        return bound

    def forbid_races(self, values: list[Any]) -> None:
        """An output may share memory with an input only where each thread reads what it writes itself."""
        for n in range(len(self.inputs), len(values)):
            for m in range(n):
                p, a, b = self.params[m], np.asarray(values[m]), values[n]
                if np.shares_memory(a, b) and (p in self.outputs or p.raw or not _same(a, b)):
                    raise ValueError(f"kernel {self.name!r}: {p.name} and {self.params[n].name} overlap")

    def execute(self, shape: tuple[int, ...], bound: dict[str, Any], values: list[Any]) -> None:
        """Statement by statement, each for all threads."""
        scope = C_TYPES | bound | {"i": np.arange(np.prod(shape, dtype=int)).reshape(shape)}
        for p, value in zip(self.params, values, strict=True):
            scope[p.name] = value if p.raw or p in self.outputs else np.broadcast_to(value, shape)
        mask = np.ones(shape, bool)
        for kind, name, op, expression in self.statements:
            value = evaluate(expression, scope, mask)
            if op != "=":
                value = calculate(op[0], scope[name], value, mask)
            if kind:
                scope[name] = np.array(np.broadcast_to(value, shape), scope[kind])
            else:
                scope[name][...] = value


# --- the module ------------------------------------------------------------------------------------------------------


class Module(types.ModuleType):
    """A module that has no name which the real one lacks."""

    def __init__(self, owner: str, **contents: Any):
        super().__init__("cupy" if owner == "cupy" else f"cupy.{owner}")
        self._owner = owner
        for name, value in contents.items():
            if name not in NAMES[owner]:
                raise missing(owner, name)
            setattr(self, name, value)

    def __getattr__(self, name: str) -> Any:
        raise missing(self._owner, name)


class Generator:
    def __getattr__(self, name: str) -> Any:
        raise missing("Generator", name)


class Device:
    def __init__(self, device: int | None = None):
        self.id = device or 0

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def synchronize(self) -> None:
        _sync("synchronize()")


class Stream(Device):
    null: Stream


def _module() -> Module:
    constants = ["inf", "nan", "pi", "e", "newaxis", "dtype", "finfo", "iinfo", "promote_types", "issubdtype"]
    kinds = [n for n in NAMES["cupy"] if isinstance(getattr(np, n, 0), type) and issubclass(getattr(np, n), np.generic)]
    Stream.null = Stream()
    runtime = types.SimpleNamespace(getDeviceCount=lambda: 1)
    cuda = Module("cuda", is_available=lambda: True, Device=Device, Stream=Stream, runtime=runtime,
                  get_current_stream=lambda: Stream.null)  # fmt: skip
    module = Module(
        "cupy", ndarray=ndarray, fuse=fuse, ElementwiseKernel=ElementwiseKernel, is_available=lambda: True, cuda=cuda,
        linalg=Module("linalg", norm=like_cupy("linalg.norm", _simple(np.linalg.norm))),
        random=Module("random", default_rng=like_cupy("random.default_rng", lambda seed=None: Generator())),
        **{name: like_cupy(f"cupy.{name}", f) for name, f in FUNCTIONS.items()},
        **{name: getattr(np, name) for name in constants + kinds},
    )  # fmt: skip
    module.__version__ = NAMES["version"]
    ndarray.__module__ = ElementwiseKernel.__module__ = "cupy"
    return module


module = _module()


# --- the names of the real package -----------------------------------------------------------------------------------


def recorded() -> dict[str, Any]:
    """What cupy_names.json should say, from the real package (which needs no GPU for that)."""
    import cupy

    def public(owner: Any) -> list[str]:
        return sorted(name for name in dir(owner) if not name.startswith("_"))

    def text(f: Any) -> str:
        """The parameters of `f`, from its docstring where inspect cannot tell."""
        try:
            parameters = [p.replace(annotation=p.empty) for p in inspect.signature(f).parameters.values()]
        except ValueError:
            line = f.__doc__.split("\n")[0].split(" -> ")[0]
            line = line[line.index("(") + 1 : line.rindex(")")]
            return re.sub(r"\\|\b(_ndarray_base|int|Py_ssize_t) (?=\w)", "", line)
        return str(inspect.Signature(parameters))[1:-1].replace("<class 'float'>", "float")

    ufuncs: dict[str, list[str]] = {}
    for name in public(cupy):
        if isinstance(getattr(cupy, name), cupy.ufunc) and getattr(cupy, name).nout == 1:
            ufuncs.setdefault(text(getattr(cupy, name)), []).append(name)
    owners = {"cupy": cupy, "ndarray": cupy.ndarray, "Generator": cupy.random.Generator, "cuda": cupy.cuda}
    owners |= {"linalg": cupy.linalg, "random": cupy.random}
    keys = sorted(key.split(".") for key in WRAPPED - {f"cupy.{name}" for names in ufuncs.values() for name in names})
    signatures = {f"{owner}.{name}": text(getattr(owners[owner], name)) for owner, name in keys}
    names = {owner: public(thing) for owner, thing in owners.items()}
    return {"version": cupy.__version__, **names, "ufuncs": ufuncs, "signatures": signatures}


if __name__ == "__main__":
    NAMES_FILE.write_text(json.dumps(recorded(), indent=1) + "\n")
