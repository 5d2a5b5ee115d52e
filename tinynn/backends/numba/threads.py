"""Several threads for ops that take long: the examples of a batch are shared out among them.

They are Python's threads, which sleep while they wait, and run kernels, which need no lock. So they do not take
processor time from the threads of BLAS, as numba's own would, which keep a core busy while they wait. To wake a thread
and to wait for it takes 0.05 to 0.1 ms: work that takes only a few times as long stays on one thread. Shares depend
only on the number of threads and the shapes, and sums over shares are added in their order: the same number of threads
gives the same bits.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numba

from ...checks import Array

COUNT = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined] # as many as cores, or what the variable says
WORTH = 10e6  # multiplications (0.1 to 0.2 ms): less is not worth waking a thread for
PASS = 16  # multiplications that take as long as one number's way from memory and back
Result = TypeVar("Result")
_pool: ThreadPoolExecutor | None = None


def shares(N: int, work: float, unit: int = 1) -> list[tuple[int, int]]:
    """From which example to which each thread goes, in multiples of `unit`, for `work` multiplications in all."""
    count = max(1, min(COUNT, N // unit, int(work / WORTH)))
    ends = [N // unit * i // count * unit for i in range(count)] + [N]
    return list(itertools.pairwise(ends))


def on_all(run: Callable[[int, int], Result], shares: list[tuple[int, int]]) -> list[Result]:
    """run(first, end) for each share, the first one in this thread; what each gives."""
    global _pool
    if len(shares) > 1 and _pool is None:
        _pool = ThreadPoolExecutor(COUNT - 1, "tinynn")
    others = [_pool.submit(run, *share) for share in shares[1:]] if _pool else []
    return [run(*shares[0]), *(other.result() for other in others)]


def element_by_element(kernel: Callable[..., None], *arrays: Array) -> None:
    """kernel(*arrays), where each number is the work of the same one in each of the flat arrays."""
    size = arrays[0].size
    if size * PASS < 2 * WORTH:  # too few to share: a small network's step has no time for asking
        kernel(*arrays)
    else:
        on_all(lambda i, end: kernel(*(a[i:end] for a in arrays)), shares(size, size * PASS, 16))


def _forget() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)  # a child process has none of its parent's threads
