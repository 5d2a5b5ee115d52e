"""One matrix product, five ways: what BLAS does, and how far a page of jitted Python gets.

    OPENBLAS_NUM_THREADS=1 python benchmarks/matmul.py

A product of (N, K) and (K, M) is N K M multiplications and as many additions, whatever the order of the loops. What
differs is how often a number travels from memory to a register, and how many are multiplied at once:

    Python           three loops, each number an object
    jitted i j k     the same three loops, compiled. The inner one walks down a column of B: a cache line for one number
    jitted i k j     the inner two loops swapped: all three arrays are walked along memory, several numbers at a time
    jitted 4 x k     four rows of B at once, so that a number of C is fetched and stored a quarter as often
    BLAS             blocks that fit the caches, tiles that fit the registers, by hand for each processor (np.dot)

The contenders take turns; a figure is the median of the rounds. Sizes are those of a training step of 784-256-10 in
batches of 32 and 256. tinynn's dense products go through BLAS, since nothing here beats it at any of them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

Array = np.ndarray[Any, Any]

SIZES = {  # (N, K, M) of the products of a step
    "x W1, 32 rows": (32, 784, 256),
    "x W1, 256 rows": (256, 784, 256),
    "x W2, 256 rows": (256, 256, 10),
    "dy W2^T, 256 rows": (256, 10, 256),
    "x^T dy, 256 rows": (784, 256, 256),
}
jit = numba.njit(error_model="numpy", fastmath={"contract"})


def python(A: Array, B: Array, C: Array) -> None:
    for i in range(len(A)):
        for j in range(B.shape[1]):
            C[i, j] = sum(A[i, k] * B[k, j] for k in range(len(B)))


@jit
def ijk(A, B, C):
    for i in range(A.shape[0]):
        for j in range(B.shape[1]):
            total = C.dtype.type(0)
            for k in range(A.shape[1]):
                total += A[i, k] * B[k, j]
            C[i, j] = total


@jit
def ikj(A, B, C):
    C[:] = 0
    for i in range(A.shape[0]):
        for k in range(A.shape[1]):
            a = A[i, k]
            for j in range(B.shape[1]):
                C[i, j] += a * B[k, j]


@jit
def four(A, B, C):
    C[:] = 0
    K = A.shape[1]
    for i in range(A.shape[0]):
        for k in range(0, K - 3, 4):
            a0, a1, a2, a3 = A[i, k], A[i, k + 1], A[i, k + 2], A[i, k + 3]
            for j in range(B.shape[1]):
                C[i, j] += a0 * B[k, j] + a1 * B[k + 1, j] + a2 * B[k + 2, j] + a3 * B[k + 3, j]
        for k in range(K - K % 4, K):
            for j in range(B.shape[1]):
                C[i, j] += A[i, k] * B[k, j]


def blas(A: Array, B: Array, C: Array) -> None:
    np.dot(A, B, out=C)


WAYS: dict[str, Callable[..., None]] = {
    "Python": python, "jitted i j k": ijk, "jitted i k j": ikj, "jitted 4 x k": four, "BLAS": blas
}  # fmt: skip


def measure(size: tuple[int, int, int], rounds: int) -> dict[str, float]:
    """GFLOP/s of each way; all results are compared with BLAS's."""
    N, K, M = size
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(N, K)).astype(np.float32), rng.normal(size=(K, M)).astype(np.float32)
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for name, way in WAYS.items():  # compiles, and checks
        rows = 1 if way is python else N  # Python would take minutes
        C = np.zeros((rows, M), np.float32)
        way(A[:rows], B, C)
        assert np.allclose(C, A[:rows] @ B, rtol=1e-3, atol=1e-3), name
    for _ in range(rounds):
        for name, way in WAYS.items():
            rows, repeats = (1, 1) if way is python else (N, 5)
            C = np.empty((rows, M), np.float32)
            start = time.perf_counter()
            for _ in range(repeats):
                way(A[:rows], B, C)
            seconds[name].append((time.perf_counter() - start) / repeats * N / rows)
    return {name: 2e-9 * N * K * M / statistics.median(times) for name, times in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="GFLOP/s of a matrix product, five ways.")
    parser.add_argument("--rounds", type=int, default=15, help="default 15")
    rounds = parser.parse_args().rounds
    print("GFLOP/s (and times slower than BLAS), float32\n")
    print(f"{'product':<20}{'N x K x M':<16}" + "".join(f"{name:>18}" for name in WAYS))
    for name, size in SIZES.items():
        speed = measure(size, rounds)
        cells = [f"{value:.4g} ({speed['BLAS'] / value:,.1f})" for value in speed.values()]
        print(f"{name:<20}{' x '.join(map(str, size)):<16}" + "".join(f"{cell:>18}" for cell in cells))


if __name__ == "__main__":
    main()
