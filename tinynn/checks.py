"""What an argument must be, said in one form: "`<thing> must be <expected>, not <got>`"."""

from __future__ import annotations

import math
import numbers
import os
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]  # the type that signatures name; on the GPU it is CuPy's

REALS = (np.dtype("float32"), np.dtype("float64"))
FLOATS = (*REALS, np.dtype("complex128"))  # complex128: the textbook backend only


NOT_NUMBERS = (bool, np.timedelta64)  # although Python, or NumPy, counts them among the whole numbers


class ShapeError(ValueError):
    """An array has the wrong shape; `name` and `value` are kept for the code that explains it."""

    def __init__(self, message: str, name: str, value: Any) -> None:
        super().__init__(message)
        self.name, self.value = name, value


def describe(a: Any) -> str:
    """An argument in a few words, for the end of an error message; its type alone where it cannot say what it is."""
    try:
        if isinstance(getattr(a, "shape", None), tuple) and not isinstance(a, np.generic | type):
            module = type(a).__module__.partition(".")[0]
            kind = "an array" if type(a) is np.ndarray else f"a {module}.{type(a).__name__}"
            return f"{kind} of shape {a.shape}" + (f" and dtype {a.dtype}" if hasattr(a, "dtype") else "")
        text = " ".join(repr(a).split())  # in one line
    except Exception:  # its repr fails, or it is a whole number of more than 4300 digits, which Python does not print
        return f"an object ({type(a).__name__})"
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(a).__name__})"


def as_array(name: str, a: Any, dtype: Any = None) -> str:
    """The end of a message where a NumPy array is wanted: what to write, ": x.to_numpy('float32') makes one".

    Empty where a conversion would lose something, as a mask, or cannot be: from a GPU, from what is no table.
    """
    if isinstance(a, np.ma.MaskedArray) or hasattr(a, "__cuda_array_interface__"):
        return ""
    if type(a) is np.ndarray or not (isinstance(a, list | tuple) or hasattr(a, "__array__")):
        return ""
    wanted = "" if dtype is None or dtype_name(a) == str(dtype) else repr(str(dtype))
    if type(a).__module__.partition(".")[0] == "pandas":
        return f": {name}.to_numpy({wanted}) makes one"
    return f": np.asarray({name}{wanted and ', '}{wanted}) makes one"


def as_labels(name: str, a: Any) -> str:
    """The same for labels: of texts numbers are to be made at once."""
    hint = as_array(name, a)
    texts = numbered(name, a) if hint else ""
    return texts if "names" in texts else hint


def dtype_name(a: Any) -> str:
    """The name of an array's dtype; empty for what has none, or fails to say it."""
    try:
        return str(a.dtype)
    except Exception:
        return ""


def numbered(name: str, labels: Any) -> str:
    """The same for labels that are no whole numbers: what makes such of texts, of yes and no, of 3.0."""
    try:
        kind = np.asarray(labels).dtype.kind
    except Exception:  # lists of different lengths, what fails to say what it is
        return ""
    if kind in "OSUT":
        return f": names, {name} = np.unique({name}, return_inverse=True) numbers them from 0"
    whole = {"b": "", "f": ", if they are whole (numbers to be met are for MSE())"}
    return f": {name}.astype(int) makes them of these{whole[kind]}" if kind in whole else ""


def casting(name: str, dtype: np.dtype[Any], wanted: Any) -> str:
    """The same for an array of another dtype; of bytes, which are pixels, to numbers from 0 to 1."""
    if dtype == np.uint8:
        return f": {name}.astype('{wanted}') / 255 makes numbers from 0 to 1 of bytes"
    return f": {name}.astype('{wanted}')" if dtype.kind in "iubfO" else ""


def class_hint(a: Any) -> str:
    """What to give in place of a class, for the end of an error message; "" for what is no class."""
    return f": give an object of that class, {a.__name__}(...)" if isinstance(a, type) else ""


def integer(thing: str, value: Any, least: int) -> int:
    """`value` as an int of at least `least`. Raises TypeError, ValueError."""
    expected = f"{thing} must be a whole number, {least} or more"
    if isinstance(value, NOT_NUMBERS) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{expected}, not {describe(value)}")
    if value < least:
        raise ValueError(f"{expected}, not {_written(value)}")
    return int(value)


def number(thing: str, value: Any, least: float = -math.inf, below: float = math.inf) -> float:
    """`value` as a finite float in [least, below). Raises TypeError, ValueError."""
    limits = f"{least:g} or more" if below == math.inf else f"in [{least:g}, {below:g})"
    expected = f"{thing} must be a number, {limits if least > -math.inf else 'not infinite'}"
    if isinstance(value, NOT_NUMBERS) or not isinstance(value, numbers.Real):
        raise TypeError(f"{expected}, not {describe(value)}")
    try:
        number = float(value)
    except OverflowError:  # a whole number or a fraction beyond all floats
        number = math.inf
    if not (least <= number < below and math.isfinite(number)):  # NaN is in no range
        raise ValueError(f"{expected}, not {_written(value)}")
    return number + 0.0  # -0.0 is 0.0: NumPy's generators would call it negative


def above_0(thing: str, value: Any) -> float:
    """`value` as a finite float of more than 0. Raises TypeError, ValueError."""
    if number(thing, value, 0) == 0:
        raise ValueError(f"{thing} must be more than 0, not 0")
    return number(thing, value, 0)


def real(thing: str, value: Any) -> float:
    """`value` as a float, which may be infinite or NaN. Raises TypeError, ValueError."""
    if isinstance(value, NOT_NUMBERS) or not isinstance(value, numbers.Real):
        raise TypeError(f"{thing} must be a number, not {describe(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{thing} must be a number that a float can hold, not {describe(value)}") from None


def _written(value: Any) -> str:
    """A number as it is written, unless that is very long."""
    return f"{value}" if isinstance(value, np.floating) or abs(value) < 1e60 else describe(value)


def flag(thing: str, value: Any) -> bool:
    """`value` as True or False. Nothing else: "no" would count as True. Raises TypeError."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{thing} must be True or False, not {describe(value)}")
    return bool(value)


def text(thing: str, value: Any) -> str:
    """`value` as a text. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"{thing} must be a text, not {describe(value)}")
    return value


def path(thing: str, value: Any) -> str:
    """`value` as the name of a file. Raises TypeError, ValueError.

    Not a number: `open` would take it for a file that is open already.
    """
    expected = f"{thing} must be the name of a file or directory"
    if not isinstance(value, str | bytes | os.PathLike):
        raise TypeError(f"{expected}, not {describe(value)}")
    try:
        name = os.fsdecode(value)
        os.fsencode(name)
    except Exception as error:  # half of a character; a __fspath__ that fails
        raise ValueError(f"{expected}, not {describe(value)}") from error
    if not name or "\0" in name:
        raise ValueError(f"{expected}, not empty and without a null character, not {describe(value)}")
    return name


def generator(thing: str, seed: Any) -> np.random.Generator:
    """The generator that a seed stands for; None draws one, a Generator is itself. Raises TypeError, ValueError."""
    if seed is None or isinstance(seed, np.random.Generator):
        return np.random.default_rng(seed)
    return np.random.default_rng(integer(thing, seed, 0))


def float_array(thing: str, a: Any, xp: Any, ndim: int | None = 2) -> None:
    """Demand an array of the backend's own kind (`xp.ndarray`), of floats, with `ndim` dimensions (2: or more).

    Subclasses are refused: a masked array would lose its mask. Raises TypeError, ValueError.
    """
    if type(a) is not xp.ndarray:
        dtype = REALS[dtype_name(a) == "float64"]  # double precision stays that
        known = xp is np and not thing.startswith("what ")  # what a function gives has no name
        hint = as_array(thing.split()[-1], a, dtype) if known else ""
        raise TypeError(f"{thing} must be a {xp.__name__} array, not {describe(a)}{hint}")
    if a.dtype not in FLOATS:
        hint = casting("" if thing.startswith("what ") else thing.split()[-1], a.dtype, FLOATS[0])
        raise TypeError(f"{thing} must be of dtype float32 or float64, not {a.dtype}{hint}")
    if ndim is not None and (a.ndim < 2 if ndim == 2 else a.ndim != ndim):
        example = " or more, with one example in each row, (N, D)" if ndim == 2 else ""
        name = thing.split()[-1]
        hint = f": {name}.reshape(-1, 1) has a number in each row, {name}[None] is one row" if a.ndim == 1 else ""
        raise ValueError(f"{thing} must have {ndim} dimensions{example}, not shape {a.shape}{hint}")


def labels(t: Array, C: int) -> None:
    """Raise ValueError where a label in t (N,) is outside 0..C-1, naming the first one."""
    bad = np.flatnonzero((t < 0) | (t >= C))
    if bad.size:
        two = ": two classes need a last layer of 2 outputs, or BinaryCrossEntropy()"
        hint = two if C == 1 and t.min() == 0 and t.max() == 1 else counted_from_1("t", t, C)
        raise ValueError(f"labels must be in 0..{C - 1} for {C} scores a row, not {t[bad[0]]} (in row {bad[0]}){hint}")


def counted_from_1(name: str, labels: Array, C: int) -> str:
    """The end of a message about a label that is not in 0..C-1: what to write where they are 1..C."""
    if labels.max() != C:
        return ""
    return f": labels count from 0{f', so {name} - 1' if labels.min() > 0 else f', and 0..{C} are of {C + 1} classes'}"


def sizes(thing: str, value: Any) -> tuple[int, ...]:
    """`value` as a tuple of whole numbers of 1 or more. Raises TypeError, ValueError."""
    if not isinstance(value, tuple | list) or not value:
        raise TypeError(f"{thing} must be a tuple of sizes, such as (28, 28, 1), not {describe(value)}")
    return tuple(integer(f"{thing}: each", size, 1) for size in value)


def shape_text(shape: tuple[int | str | None, ...] | None) -> str:
    """A shape with "?" for what is not known: "(28, ?, 1)"."""
    if shape is None:
        return "an unknown shape"
    return "(" + ", ".join("?" if n is None else str(n) for n in shape) + ("," if len(shape) == 1 else "") + ")"
