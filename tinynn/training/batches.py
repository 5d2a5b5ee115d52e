"""Rows in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from .. import checks
from ..backends import numpy as numpy_ops
from ..checks import Array


def minibatches(
    x: Array,
    t: Array,
    batch_size: int,
    *,
    shuffle: bool = True,
    seed: int | np.random.Generator | None = None,
    ops: ModuleType = numpy_ops,
) -> Iterator[tuple[Array, Array]]:
    """All rows of x and t once, as pairs of batches: shuffled copies, or with shuffle=False views in order.

    The last batch takes what is left. `ops` is the backend that x and t belong to.
    """
    batch_size = checks.integer("batch_size", batch_size, 1)
    if not isinstance(ops, ModuleType) or not hasattr(ops, "xp"):
        raise TypeError(f"ops must be the module of a backend, such as model.ops, not {checks.describe(ops)}")
    for thing, a in (("x", x), ("t", t)):
        if not isinstance(a, ops.xp.ndarray) or a.ndim == 0:
            expected = f"a {ops.xp.__name__} array with a row for each example"
            hint = checks.as_array(thing, a) if ops.xp is np else ""
            raise TypeError(f"{thing} must be {expected}, not {checks.describe(a)}{hint}")
    if len(x) != len(t):
        raise ValueError(f"t must have as many rows as x, {len(x)}, not {len(t)}")
    order = checks.generator("seed", seed).permutation(len(x)) if checks.flag("shuffle", shuffle) else None
    return in_batches((x, t), batch_size, order, ops)


def leaves_one(N: int, size: int) -> bool:
    """Whether N rows in batches of `size` leave a batch of one row, of which there is no variance."""
    return size == 1 or N % size == 1


def in_batches(arrays: Sequence[Array], size: int, order: Array | None, ops: ModuleType) -> Iterator[Any]:
    """The same rows of each of the arrays, `size` at a time."""
    for rows in batches_of_rows(len(arrays[0]), size, order, ops):
        yield tuple(a[rows] for a in arrays)


def batches_of_rows(N: int, size: int, order: Array | None, ops: ModuleType) -> Iterator[Any]:
    """The numbers of the rows of each batch, as arrays can be indexed by them."""
    if order is not None:
        order = ops.asarray(order)  # the host draws it; to the GPU it goes once an epoch
    for start in range(0, N, size):
        yield slice(start, start + size) if order is None else order[start : start + size]


def shared_out(
    arrays: Sequence[Array], size: int, order: Array, ops: ModuleType, processes: Any
) -> Iterator[tuple[tuple[Array, ...], int, Any, Any]]:
    """For each batch: this process's rows of all arrays, their number, their weight, and the weight of the whole batch.

    The arrays are x and t, and perhaps weights. Where a batch has fewer rows than there are processes, some processes
    have no row of it: they compute with the first row, and get 0 as its number and weight.
    """
    for rows in batches_of_rows(len(arrays[0]), size, order, ops):
        own = rows[processes.rank :: processes.size]
        N = len(own)
        batch = tuple(a[own if N else rows[:1]] for a in arrays)
        if len(arrays) == 2:
            yield batch, N, N, len(rows)
        else:
            yield batch, N, batch[2].sum(dtype="float64") if N else 0.0, arrays[2][rows].sum(dtype="float64")
