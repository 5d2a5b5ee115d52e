"""Which arrays fit one another: a line at the top of each op says it and checks it.

    demand("affine: x (N, D), W (D, H), b (H,)", x, W, b)

A letter is a size: the first array that has it fixes it, the others must have the same; (...) is any shape, the same
for all; an array with a ? may be None. So nothing broadcasts by accident: NumPy alone would repeat a b of one number,
or a t of one column.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from .. import checks

ARRAY = re.compile(r"(labels )?(\w+)(\??) \(([^)]*)\)")


def demand(what: str, *arrays: Any) -> None:
    """Raise where the arrays are not what the line `what` says.

    Floats must be of one dtype, float32 or float64, and may be complex beside float64, for the complex step; labels are
    whole numbers. Raises TypeError, ValueError.
    """
    kinds: tuple[Any, ...]
    try:
        kinds = tuple([None if a is None else (a.shape, a.dtype) for a in arrays])
    except AttributeError:
        kinds = tuple([(getattr(a, "shape", None), getattr(a, "dtype", None), checks.describe(a)) for a in arrays])
    _look(what, kinds)


@functools.lru_cache(1000)  # training repeats itself: what was right once is right (errors are not kept)
def _look(what: str, kinds: tuple[Any, ...]) -> None:
    op = what.partition(":")[0]
    sizes: dict[str, Any] = {}
    first = ""  # the first array of floats, and its dtype
    for (labels, name, optional, letters), kind in zip(ARRAY.findall(what), kinds):
        if kind is None and optional:
            continue
        shape, dtype, *_ = kind or (None, None)
        if shape is None or dtype is None:
            raise TypeError(f"{op}: {name} must be an array, not {kind[2] if kind else None}")
        if letters == "...":
            expected = sizes.setdefault("...", shape)
        else:
            expected = tuple(_size(letter, sizes) for letter in letters.removesuffix(",").split(", "))
        fits = len(shape) == len(expected) and all(n == e or isinstance(e, str) for n, e in zip(shape, expected))
        if not fits:
            words = ", ".join(map(str, expected)) + ("," if len(expected) == 1 else "")
            raise ValueError(f"{op}: {name} must have shape ({words}), not {shape}")
        sizes.update({e: n for n, e in zip(shape, expected) if isinstance(e, str)})
        if labels:
            if dtype.kind not in "iu":
                raise TypeError(f"{op}: {name} must hold whole numbers, not {dtype}")
        elif dtype not in checks.FLOATS:
            raise TypeError(f"{op}: {name} must be of dtype float32 or float64, not {dtype}")
        elif not first:
            first, real = name, _real(dtype)
        elif _real(dtype) != real:
            raise TypeError(f"{op}: {name} must be {real} like {first}, not {dtype}")


def _size(letter: str, sizes: dict[str, Any]) -> Any:
    """The size that "D" or "2 D" stands for; the letter itself where no array has said it yet."""
    factor, _, name = letter.rpartition(" ")
    return sizes.get(name, letter) if not factor else int(factor) * sizes[name]


def _real(dtype: Any) -> Any:
    """float64 for complex128, else the dtype itself."""
    return checks.REALS[1] if dtype.kind == "c" else dtype
