"""Things and arrays that no function of tinynn asks for, drawn by hypothesis: `nonsense(good)` is the strategy."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import fractions
import functools
import io
import math
import tempfile
import types
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

import tinynn


class Own(Exception):
    """What a function of the caller's raises: that is passed on as it is."""


# --- things ----------------------------------------------------------------------------------------------------------


def raising(*names):
    """An object whose methods of these names, or properties, raise what no function may let through."""

    def fail(*arguments, **options):
        raise ZeroDivisionError("a method of the argument has failed")

    special = {name: fail if name.startswith("__") else property(fail) for name in names}
    return type("Raising", (), special)()


class LyingShape:
    """Says that it is an array."""

    shape, ndim, size, dtype = (5, 3), 2, 15, np.dtype("float32")

    def __len__(self):
        return 5


class LyingLength:
    def __init__(self, length):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        raise IndexError


class LyingNumber:
    """Can be made a number, and is none."""

    def __float__(self):
        return 0.5

    def __index__(self):
        return 3

    def __array__(self, dtype=None, copy=None):
        return np.ones(3)


class Subclass(np.ndarray):
    """An array that may mean something else by its numbers."""


def fails(*arguments, **options):
    raise Own("a function of the caller's has failed")


def numbers_up():
    yield from range(3)


RAISING = ["__array__", "__len__", "__float__", "__index__", "__int__", "__bool__", "__repr__", "__eq__", "__hash__",
           "__iter__", "__call__", "__fspath__", "__getitem__", "shape", "dtype", "ndim"]  # fmt: skip
NUMBERS = {
    "whole": [0, 1, -1, 2, 3, 7],
    "huge": [2**31, 2**63 - 1, 2**63, 2**64, 10**12, 10**30, -(10**30), 10**400, -(10**400), 10**5000, -(10**5000)],
    "real": [0.0, -0.0, 0.5, 1.0, 2.0, 3.0, -0.5, 1e-3],
    "extreme": [1e30, 1e39, 1e300, -1e300, 5e-324, 1e-40],
    "none": [math.nan, math.inf, -math.inf, np.float32("nan"), np.float64("inf")],
    "truth": [True, False, np.True_, np.False_],
    "complex": [1j, 1 + 0j, np.complex64(2), np.complex128(2)],
    "exact": [fractions.Fraction(1, 2), fractions.Fraction(10**400), decimal.Decimal("0.5")],
    "numpy": [*(np.dtype(name).type(2) for name in "bBhHiIlLqQefdg"), np.int64(-1), np.uint8(255), np.longdouble(1e308)],
    "time": [np.timedelta64(2, "s"), np.timedelta64("NaT", "s"), np.datetime64("2000-01-01"), datetime.timedelta(2)],
}  # fmt: skip
TEXTS = ["", "3", "0.5", "x", "numpy", "numba", "torch", "float32", "float64", "float16", ">f4", "i4, (", "loss", "nan",
         "zeros", "kaiming_normal", "a\0b", "\ud800", "/", "no/such/folder/file", "x" * 300, "ä" * 70_000,
         np.str_("numpy"), np.bytes_(b"x"), b"", b"x", b"numpy", bytearray(b"x"), memoryview(b"x")]  # fmt: skip
CLASSES = [int, str, list, object, np.ndarray, np.float32, np.dtype, tinynn.Affine, tinynn.ReLU, tinynn.MSE, tinynn.Adam,
           tinynn.Sequential, tinynn.EarlyStopping, ValueError, np, np.random, math]  # fmt: skip
MADE = {  # made anew for each case: they may be used up or changed
    "()": tuple, "[]": list, "{}": dict, "set()": set, "[None]": lambda: [None], "[1, 2]": lambda: [1, 2],
    "(5, 3)": lambda: (5, 3), "(3,)": lambda: (3,), "(0, 2)": lambda: (0, 2), "(2, -1)": lambda: (2, -1), "(2.0, 3)": lambda: (2.0, 3),
    "(10**12, 10**12)": lambda: (10**12, 10**12), "(10**400, 1)": lambda: (10**400, 1), "(True, 2)": lambda: (True, 2),
    "(1, 2, 3)": lambda: (1, 2, 3), "ragged": lambda: [[1.0, 2.0], [3.0]], "nested": lambda: [[1.0, 2.0, 3.0]] * 5,
    "{'a': 1}": lambda: {"a": 1}, "{0: 1.0}": lambda: {0: 1.0}, "{0: -1.0}": lambda: {0: -1.0}, "{1: nan}": lambda: {1: math.nan},
    "{9: 1}": lambda: {9: 1}, "{'0': 1}": lambda: {"0": 1}, "{None: 1}": lambda: {None: 1}, "range": lambda: range(3),
    "iterator": lambda: iter([1.0, 2.0]), "generator": numbers_up, "zip": lambda: zip([1], [2]), "lambda": lambda: lambda *a: None,
    "identity": lambda: lambda x: x, "one": lambda: lambda *a: 1.0, "fails": lambda: fails, "nothing": lambda: lambda: None,
    "partial": lambda: functools.partial(max, 1), "object": object, "Ellipsis": lambda: Ellipsis, "slice": lambda: slice(3),
    "rng": lambda: np.random.default_rng(1), "RandomState": lambda: np.random.RandomState(1), "SeedSequence": lambda: np.random.SeedSequence(1),
    "dtype": lambda: np.dtype("float64"), "dtype >f4": lambda: np.dtype(">f4"), "structured": lambda: np.dtype([("a", "f4")]),
    "layer": lambda: tinynn.Affine(3, 4), "activation": tinynn.Tanh, "base layer": tinynn.Layer, "loss": tinynn.MSE, "base loss": tinynn.Loss,
    "model": lambda: tinynn.Sequential(tinynn.Affine(3, 2), backend="numpy"),
    "optimizer": lambda: tinynn.SGD(tinynn.Sequential(tinynn.Affine(3, 2), backend="numpy"), 0.1),
    "history": lambda: tinynn.History(), "namespace": lambda: types.SimpleNamespace(params=None, grads=None, ops=None),
    "path": lambda: Path("no such file"), "file": lambda: io.BytesIO(b"x"), "error": lambda: ValueError("x"), "NotImplemented": lambda: NotImplemented,
    "lying shape": LyingShape, "lying length": lambda: LyingLength(10**9), "negative length": lambda: LyingLength(-1), "lying number": LyingNumber,
    "cyclic": lambda: (lambda a: a.append(a) or a)([]), "date": lambda: datetime.date(2000, 1, 1), "None": lambda: None,
    **{f"raising {name}": functools.partial(raising, name) for name in RAISING},
    "raising all": lambda: raising(*RAISING),
}  # fmt: skip


# --- arrays ----------------------------------------------------------------------------------------------------------

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "g", "c8", "c16", "O", "U3", "S3", "M8[s]", "m8[s]",
          "V4", ">f4", ">f8", ">i8", [("a", "f4"), ("b", "i4")]]  # fmt: skip
REALS = [
    math.nan,
    math.nan,
    math.nan,
    math.inf,
    -math.inf,
    1e300,
    -1e300,
    3e38,
    1e-40,
    5e-324,
    -1,
    0,
    -0.0,
    0.5,
    2,
    2**53 + 1,
]
WHOLES = [-1, 0, 1, 2, 3, 4, 255, 2**31, -(2**31)]


def as_type(a, dtype):
    """`a` with another dtype, or zeros of it where the values have no meaning there."""
    with np.errstate(all="ignore"), contextlib.suppress(TypeError, ValueError, RuntimeError, OverflowError):
        if np.dtype(dtype).kind not in "V":
            return (a.real if np.dtype(dtype).kind != "c" else a).astype(dtype)
    return np.zeros(a.shape, dtype)


def strided(a):
    """The same numbers, each second one of a larger array."""
    wide = np.repeat(a, 2, axis=-1) if a.ndim else a
    return wide[..., ::2] if a.ndim else wide


def unaligned(a):
    """The same numbers at an address that is no multiple of their size."""
    room = np.zeros(a.nbytes + 1, np.uint8)
    b = room[1:].view(a.dtype).reshape(a.shape) if a.size and a.dtype.kind not in "OV" else a.copy()
    b[...] = a
    return b


def frozen(a):
    a = a.copy()
    a.flags.writeable = False
    return a


def mapped(a):
    """The same in a file; an object cannot lie there, and nothing cannot either."""
    if a.size == 0 or a.dtype.hasobject:
        return a
    with tempfile.TemporaryFile() as file:
        b = np.memmap(file, a.dtype, "w+", shape=a.shape)
    b[...] = a
    return b


def masked(a):
    b = np.ma.array(a)
    if b.size:
        b[(0,) * b.ndim] = np.ma.masked
    return b


LAYOUTS = {
    "as it is": lambda a: a, "Fortran": lambda a: np.array(a, order="F"), "strided": strided, "frozen": frozen, "unaligned": unaligned,
    "reversed": lambda a: np.array(a[::-1])[::-1] if a.ndim else a, "mapped": mapped, "masked": masked,
    "matrix": lambda a: a.view(np.matrix) if a.ndim == 2 else a, "subclass": lambda a: a.view(Subclass),
    "one row for all": lambda a: np.broadcast_to(a[:1], a.shape) if a.ndim and len(a) else a,
    "list": lambda a: a.tolist(), "list of rows": lambda a: list(a) if a.ndim else [a], "tuple": lambda a: tuple(a.tolist()) if a.ndim else (a.item(),),
    "ragged": lambda a: [*a.tolist(), [1.0] * 9] if a.ndim else [a.item(), [1.0]], "scalar": lambda a: a.ravel()[0] if a.size else a,
    "generator": lambda a: (row for row in a.tolist()) if a.ndim else a, "bytes": lambda a: a.tobytes(), "buffer": lambda a: memoryview(a.tobytes()),
    "swapped": lambda a: a.astype(a.dtype.newbyteorder()),
}  # fmt: skip
SHAPES = {
    "as it is": lambda a: a, "transposed": lambda a: a.T, "flat": lambda a: a.ravel(), "stacked": lambda a: a[None], "column": lambda a: a[..., None],
    "no rows": lambda a: a[:0], "one row": lambda a: a[:1], "a row less": lambda a: a[:-1], "a row more": lambda a: np.concatenate([a, a[:1]]),
    "no columns": lambda a: a[:, :0], "a column less": lambda a: a[:, :-1], "a column more": lambda a: np.concatenate([a, a[:, :1]], axis=1),
    "one column": lambda a: a[:, :1], "first row": lambda a: a[0], "a number": lambda a: a.ravel()[0], "twice": lambda a: np.concatenate([a, a]),
    "four": lambda a: a[None, None], "broadcast": lambda a: np.broadcast_to(a, (2, *a.shape)),
}  # fmt: skip


@st.composite
def near_array(draw, good):
    """An array like the right one: of another type, shape or layout, or with other values in it."""
    a = np.array(good)
    kinds = st.sampled_from(["value", "value", "type", "float", "shape", "layout"])
    changes = {draw(kinds), draw(kinds)} if draw(st.integers(0, 2)) == 0 else {draw(kinds)}
    if "type" in changes:
        a = as_type(a, draw(st.sampled_from(DTYPES)))
    if "float" in changes:
        a = as_type(a, {"f4": "f8", "f8": "f4"}.get(a.dtype.str[1:], a.dtype))
    if "shape" in changes:
        with contextlib.suppress(IndexError, ValueError):  # a vector has no columns
            a = np.array(SHAPES[draw(st.sampled_from(sorted(SHAPES)))](a))
    if "value" in changes and a.size and a.dtype.kind in "fiuc":
        place = draw(st.integers(-1, a.size - 1))  # -1: everywhere
        with np.errstate(all="ignore"), contextlib.suppress(OverflowError, ValueError):
            a.flat[slice(None) if place < 0 else place] = draw(
                st.sampled_from(WHOLES if a.dtype.kind in "iu" else REALS)
            )
    return LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))](a) if "layout" in changes else a


@st.composite
def near_number(draw, good):
    """A number that is a little other than the right one, or a thing that holds it."""
    whole = int(good)
    return draw(st.sampled_from([
        good + 1, -good, good / 2, float(good), whole, bool(good), complex(good), fractions.Fraction(good), str(good), [good], (good,),
        {good}, {good: good}, repr(good).encode(), np.float16(good), np.float64(good), np.int8(whole), np.longlong(whole), None,
    ]) | st.sampled_from([1, 0]).map(lambda n: np.array([good] * n)) | st.just(good).map(np.array))  # fmt: skip


@st.composite
def near_text(draw, good):
    """A text that is a little other than the right one, or a thing that holds it."""
    return draw(st.sampled_from([
        good.upper(), good + " ", good[:1], good[1:], good + "\0", np.str_(good), good.encode(), Path(good), [good], (good,), {good: good}, None,
    ]) | st.sampled_from([[good], good, [good, good]]).map(np.array))  # fmt: skip


@st.composite
def any_array(draw):
    """An array of any shape and type."""
    shape = tuple(draw(st.lists(st.integers(0, 5), max_size=4)))
    a = np.random.default_rng(draw(st.integers(0, 9))).normal(0, 3, shape)
    return LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))](as_type(a, draw(st.sampled_from(DTYPES))))


# --- in the place of a right argument ---------------------------------------------------------------------------------


@st.composite
def nonsense(draw, good):
    """Something in the place of the right argument: half of it near to that."""
    close = near_array if isinstance(good, np.ndarray) else near_text if isinstance(good, str) else near_number
    if isinstance(good, np.ndarray | str | int | float) and draw(st.booleans()):
        return draw(close(good))
    kind = draw(st.sampled_from(["number", "number", "text", "class", "made", "made", "array"]))
    if kind == "array":
        return draw(any_array())
    if kind == "made":
        return MADE[draw(st.sampled_from(sorted(MADE)))]()
    things = {"text": TEXTS, "class": CLASSES}.get(kind) or NUMBERS[draw(st.sampled_from(sorted(NUMBERS)))]
    return things[draw(st.integers(0, len(things) - 1))]  # not all can be hashed, which sampled_from asks for
