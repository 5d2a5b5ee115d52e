"""One matrix product, six ways: what BLAS does, and how far a page of jitted Python gets.

    python benchmarks/matmul.py             # half a minute
    python benchmarks/matmul.py --quick     # some seconds

A product of (N, K) and (K, M) is N K M multiplications and as many additions, whatever the order of the loops. What
differs is how often a number travels from memory to a register, and how many are multiplied at once:

    Python      three loops, each number an object
    i j k       the same three loops, compiled. The inner one walks down a column of B: a cache line for one number
    i k j       the inner two loops swapped: all three arrays are walked along memory, several numbers at a time
    4 rows      four rows of B at once, so that a number of C is fetched and stored a quarter as often, and those four
                stay in the first-level cache while all rows of A and C pass by
    tile        4 x 3 numbers of C in registers from the first product to the last, so that each is stored once, and
                each number that is fetched is used three or four times
    BLAS        blocks that fit the caches, tiles that fit the registers, by hand for each processor (np.dot)

A figure is the median over rounds in which the ways take turns, on one thread. Products are those of a training step of
784-256-10 in batches of 32 and 256. All results are compared with BLAS's first.
"""

from __future__ import annotations

import os

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")  # read when NumPy is imported

import argparse
import itertools
import json
import shlex
import statistics
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from _measuring import machine, progress, versions

Array = np.ndarray[Any, Any]

SIZES = {  # (N, K, M): which product of a step it is
    (32, 784, 256): "x W1",
    (256, 784, 256): "x W1",
    (256, 256, 10): "x W2",
    (256, 10, 256): "dy W2^T",
    (784, 256, 256): "x^T dy",
}
LESSON = (256, 784, 256)  # the product that the closing sentences speak of
QUICK = [LESSON, (256, 10, 256)]

jit = numba.njit(error_model="numpy", fastmath={"contract"})
# "reassoc" lets the compiler add in another order. So it makes of one sum eight, side by side in a register.
SUMS: Any = {"error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}


# --- the ways --------------------------------------------------------------------------------------------------------


def python(A: list[list[float]], B: list[list[float]], C: Array) -> None:
    """C = A B from lists, which Python reads faster than arrays."""
    for i in range(len(A)):
        for j in range(len(B[0])):
            total = 0.0
            for k in range(len(B)):
                total += A[i][k] * B[k][j]
            C[i, j] = total


@jit
def ijk(A: Array, B: Array, C: Array) -> None:
    """The textbook's order: a number of C at a time."""
    for i in range(A.shape[0]):
        for j in range(B.shape[1]):
            total = C.dtype.type(0)
            for k in range(A.shape[1]):
                total += A[i, k] * B[k, j]
            C[i, j] = total


@jit
def ikj(A: Array, B: Array, C: Array) -> None:
    """A row of B, times a number, is added to a row of C."""
    C[:] = 0
    for i in range(A.shape[0]):
        for k in range(A.shape[1]):
            a = A[i, k]
            for j in range(B.shape[1]):
                C[i, j] += a * B[k, j]


@jit
def four_rows(A: Array, B: Array, C: Array) -> None:
    """Four rows of B, times a number each, are added to a row of C. They stay in the cache while all rows pass by."""
    C[:] = 0
    N, K = A.shape
    for k in range(0, K - 3, 4):
        b0, b1, b2, b3 = B[k], B[k + 1], B[k + 2], B[k + 3]
        for i in range(N):
            a0, a1, a2, a3 = A[i, k], A[i, k + 1], A[i, k + 2], A[i, k + 3]
            c = C[i]
            for j in range(c.size):
                c[j] += a0 * b0[j] + a1 * b1[j] + a2 * b2[j] + a3 * b3[j]
    for k in range(K - K % 4, K):
        for i in range(N):
            for j in range(B.shape[1]):
                C[i, j] += A[i, k] * B[k, j]


@numba.njit(inline="always", **SUMS)
def tile(A: Array, i: int, columns: Array, j: int) -> tuple[float, ...]:
    """12 numbers of C: 4 rows of A, from row i on, by 3 columns of B, which are rows of `columns`, from row j on.

    Each of the 12 sums fills a register; three more hold what is multiplied. (A CPU with AVX2 has 16.)
    """
    a0, a1, a2, a3 = A[i], A[i + 1], A[i + 2], A[i + 3]
    b0, b1, b2 = columns[j], columns[j + 1], columns[j + 2]
    s00 = s01 = s02 = s10 = s11 = s12 = s20 = s21 = s22 = s30 = s31 = s32 = A.dtype.type(0)
    for k in range(a0.size):
        s00, s01, s02 = s00 + a0[k] * b0[k], s01 + a0[k] * b1[k], s02 + a0[k] * b2[k]
        s10, s11, s12 = s10 + a1[k] * b0[k], s11 + a1[k] * b1[k], s12 + a1[k] * b2[k]
        s20, s21, s22 = s20 + a2[k] * b0[k], s21 + a2[k] * b1[k], s22 + a2[k] * b2[k]
        s30, s31, s32 = s30 + a3[k] * b0[k], s31 + a3[k] * b1[k], s32 + a3[k] * b2[k]
    return s00, s01, s02, s10, s11, s12, s20, s21, s22, s30, s31, s32


@numba.njit(**SUMS)
def tiles(A: Array, B: Array, C: Array) -> None:
    """C tile by tile (4 rows and 3 columns at least). 24 columns of B at a time are copied, to lie along memory."""
    (N, K), M = A.shape, B.shape[1]
    columns = np.empty((24, K), B.dtype)
    for first in range(0, M, 24):
        width = min(24, M - first)
        for k in range(K):
            for j in range(width):
                columns[j, k] = B[k, first + j]
        for i in range(0, N, 4):
            i = min(i, N - 4)  # the last tile overlaps the one before, and makes the same numbers again
            for j in range(first, first + width, 3):
                j = min(j, M - 3)
                (C[i, j], C[i, j + 1], C[i, j + 2],
                 C[i + 1, j], C[i + 1, j + 1], C[i + 1, j + 2],
                 C[i + 2, j], C[i + 2, j + 1], C[i + 2, j + 2],
                 C[i + 3, j], C[i + 3, j + 1], C[i + 3, j + 2]) = tile(A, i, columns, j - first)  # fmt: skip


def blas(A: Array, B: Array, C: Array) -> None:
    """NumPy's product."""
    np.dot(A, B, out=C)


WAYS: dict[str, Callable[..., None]] = {
    "Python": python, "i j k": ijk, "i k j": ikj, "4 rows": four_rows, "tile": tiles, "BLAS": blas
}  # fmt: skip


# --- measuring -------------------------------------------------------------------------------------------------------


@numba.njit(**SUMS)
def one_tile(A: Array, columns: Array, C: Array, times: int) -> None:
    """The same tile again and again."""
    for _ in range(times):
        (C[0, 0], C[0, 1], C[0, 2], C[1, 0], C[1, 1], C[1, 2],
         C[2, 0], C[2, 1], C[2, 2], C[3, 0], C[3, 1], C[3, 2]) = tile(A, 0, columns, 0)  # fmt: skip


class Peak:
    """An estimate of the GFLOP/s that one core is capable of: the fastest of many short runs.

    A tile of 12 sums over rows that stay in the first-level cache (28 KB) waits for nothing: not for memory, and not
    for the sum before, since there are 12. So it multiplies and adds as often as the core can, in registers as wide as
    the compiler uses.
    """

    def __init__(self) -> None:
        self.arrays = np.ones((4, 1024), np.float32), np.ones((3, 1024), np.float32), np.empty((4, 3), np.float32)
        one_tile(*self.arrays, 1)
        self.seconds: list[float] = []

    def run(self) -> None:
        """One run, some tenths of a millisecond."""
        start = time.perf_counter()
        one_tile(*self.arrays, 500)
        self.seconds.append(time.perf_counter() - start)

    def gflops(self) -> float:
        """What the fastest run did."""
        return 2e-9 * 500 * 12 * 1024 / min(self.seconds)


def measure(size: tuple[int, int, int], rounds: int, peak: Peak) -> dict[str, float]:
    """GFLOP/s of each way; all results are compared with BLAS's. A run for the peak in each round, too."""
    N, K, M = size
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(N, K)).astype(np.float32), rng.normal(size=(K, M)).astype(np.float32)
    right = A @ B
    jobs: dict[str, tuple[Any, ...]] = {}  # for each way: A, B, C
    for name, way in WAYS.items():
        rows = 1 if way is python else N  # Python would take minutes for all
        C = np.full((rows, M), np.nan, np.float32)
        jobs[name] = (A[:1].tolist(), B.tolist(), C) if way is python else (A, B, C)
        way(*jobs[name])  # compiles, too
        if not np.allclose(C, right[:rows], rtol=1e-3, atol=1e-3):
            raise RuntimeError(f"{name}: a wrong product")
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for number in range(rounds):
        progress(f"{N} x {K} x {M}: round {number + 1}")
        peak.run()
        for name, way in WAYS.items():
            repeats = 1 if way is python else 3
            start = time.perf_counter()
            for _ in range(repeats):
                way(*jobs[name])
            seconds[name].append((time.perf_counter() - start) / repeats * N / len(jobs[name][2]))
    progress("")
    return {name: 2e-9 * N * K * M / statistics.median(times) for name, times in seconds.items()}


# --- reporting -------------------------------------------------------------------------------------------------------


def table(report: dict[str, Any], markdown: bool = False) -> str:
    """A row for each way, a column for each product."""
    rows = report["rows"]
    heads = [["", *(row["product"] for row in rows)], ["", *(" x ".join(map(str, row["size"])) for row in rows)]]
    body = []
    for name in WAYS:
        speeds = [row["gflops"][name] for row in rows]
        body.append([name, *(f"{speed:.3g} {share(speed / report['peak']):>5}" for speed in speeds)])
    if markdown:
        head = " | ".join(f"{a} {b}".strip() for a, b in zip(*heads))
        lines = [f"| {head} |", "|---" + "|---:" * len(rows) + "|"]
        return "\n".join(lines + ["| " + " | ".join(cells) + " |" for cells in body])
    widths = [max(len(cells[i]) for cells in heads + body) for i in range(len(rows) + 1)]
    lines = []
    for cells in heads + body:
        lines.append(f"{cells[0]:<{widths[0]}}  " + "  ".join(f"{c:>{w}}" for c, w in zip(cells[1:], widths[1:])))
    return "\n".join([*lines[:2], "-" * len(lines[0]), *lines[2:]])


def share(part: float) -> str:
    """A percentage, with more digits where it is small."""
    return f"{part:.{0 if part >= 0.095 else 1 if part >= 0.0095 else 2}%}"


def lesson(report: dict[str, Any]) -> str:
    """What each change of the loop gained, and where BLAS has not won."""
    row = next(row for row in report["rows"] if row["size"] == list(LESSON))
    speed = row["gflops"]
    gains = [speed[after] / speed[before] for before, after in itertools.pairwise(WAYS)]
    compiled, order, four, registers, rest = (f"{gain:,.{0 if gain >= 9.5 else 1}f}" for gain in gains)
    lines = [
        f"For {row['product']} of {LESSON[0]} rows: compiled, the three loops are {compiled} times as fast as Python.",
        f"Walking along memory, by another order of the same loops, is {order} times as fast as that; four rows of B",
        f"at once make {four} times of it, and a tile of C in registers {registers} times of that. BLAS has",
        f"{rest} times the tile's speed, {share(speed['BLAS'] / report['peak'])} of what the core is capable of.",
    ]
    better = [
        f"{name} at {' x '.join(map(str, row['size']))}"
        for row in report["rows"]
        for name in WAYS
        if row["gflops"][name] > 1.05 * row["gflops"]["BLAS"]
    ]
    if better:
        lines.append(f"Faster than BLAS by more than a twentieth: {', '.join(better)}.")
    fastest = max(max(row["gflops"].values()) for row in report["rows"])
    if fastest > report["peak"]:
        lines.append("More than 100%: BLAS may use wider registers than the compiler, of which the estimate is.")
    return "\n".join(textwrap.wrap(" ".join(lines), 98))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="GFLOP/s of a matrix product, six ways.")
    parser.add_argument("--rounds", type=int, help="default 15")
    parser.add_argument("--quick", action="store_true", help="two products, few rounds")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--json", metavar="FILE", help="write everything there")
    options = parser.parse_args()
    rounds = options.rounds or (2 if options.quick else 15)
    report: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(),
        "command": shlex.join(["python", os.path.relpath(__file__), *sys.argv[1:]]),
        "rounds": rounds,
        "rows": [],
    }
    peak = Peak()
    for _ in range(100):
        peak.run()
    for size, product in SIZES.items():
        if size in QUICK or not options.quick:
            report["rows"].append({"product": product, "size": list(size), "gflops": measure(size, rounds, peak)})
    report["peak"] = peak.gflops()
    known = ", ".join(f"{name} {report['versions'][name]}" for name in ("python", "numpy", "numba"))
    print(f"{report['machine']}, 1 thread; {known}\n{report['command']}\n")
    print(f"GFLOP/s in float32, and the share of the core's peak, {report['peak']:.3g} GFLOP/s by estimate\n")
    print(table(report, options.markdown))
    print("\n" + lesson(report))
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
