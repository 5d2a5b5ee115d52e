"""One matrix product, six ways: what BLAS does, and how far a page of jitted Python gets.

    python benchmarks/matmul.py             # about a minute
    python benchmarks/matmul.py --quick     # some seconds

A product of (N, K) and (K, M) is N K M multiplications and as many additions, whatever the order of the loops. What
differs is how often a number travels from memory to a register, and how many are multiplied at once:

    Python      three loops, each number an object
    i j k       the same three loops, compiled. The inner one walks down a column of B: a cache line for one number
    i k j       the inner two loops swapped: all three arrays are walked along memory, several numbers at a time
    4 rows      four rows of B at once, so that a number of C is fetched and stored a quarter as often
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
import json
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from train_step import machine, progress, versions

Array = np.ndarray[Any, Any]

SIZES = {  # (N, K, M) of the products of a step
    "x W1": (32, 784, 256),
    "x W1 ": (256, 784, 256),
    "x W2": (256, 256, 10),
    "dy W2^T": (256, 10, 256),
    "x^T dy": (784, 256, 256),
}
LESSON = "x W1 "  # the product that the closing sentences speak of
QUICK = [LESSON, "dy W2^T"]

jit = numba.njit(error_model="numpy", fastmath={"contract"})
# "reassoc" lets the compiler split a sum into several, one for each place of a vector register: sums over k, vectorised
jit_sums = numba.njit(error_model="numpy", fastmath={"contract", "reassoc", "nsz"})


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
    """Four rows of B, times a number each, are added to a row of C."""
    C[:] = 0
    K = A.shape[1]
    for i in range(A.shape[0]):
        for k in range(0, K - 3, 4):
            a0, a1, a2, a3 = A[i, k], A[i, k + 1], A[i, k + 2], A[i, k + 3]
            b0, b1, b2, b3 = B[k], B[k + 1], B[k + 2], B[k + 3]
            c = C[i]
            for j in range(c.size):
                c[j] += a0 * b0[j] + a1 * b1[j] + a2 * b2[j] + a3 * b3[j]
        for k in range(K - K % 4, K):
            for j in range(B.shape[1]):
                C[i, j] += A[i, k] * B[k, j]


@jit_sums
def tile(A: Array, i: int, columns: Array, j: int) -> tuple[float, ...]:
    """4 rows of A from row i on by 3 columns of B (rows of `columns`) from j on: 12 sums, which fill the registers."""
    a0, a1, a2, a3 = A[i], A[i + 1], A[i + 2], A[i + 3]
    b0, b1, b2 = columns[j], columns[j + 1], columns[j + 2]
    s00 = s01 = s02 = s10 = s11 = s12 = s20 = s21 = s22 = s30 = s31 = s32 = A.dtype.type(0)
    for k in range(a0.size):
        s00, s01, s02 = s00 + a0[k] * b0[k], s01 + a0[k] * b1[k], s02 + a0[k] * b2[k]
        s10, s11, s12 = s10 + a1[k] * b0[k], s11 + a1[k] * b1[k], s12 + a1[k] * b2[k]
        s20, s21, s22 = s20 + a2[k] * b0[k], s21 + a2[k] * b1[k], s22 + a2[k] * b2[k]
        s30, s31, s32 = s30 + a3[k] * b0[k], s31 + a3[k] * b1[k], s32 + a3[k] * b2[k]
    return s00, s01, s02, s10, s11, s12, s20, s21, s22, s30, s31, s32


@jit_sums
def tiles(A: Array, B: Array, C: Array) -> None:
    """C tile by tile; 12 columns of B at a time are copied, so that they lie along memory and stay in the cache."""
    (N, K), M = A.shape, B.shape[1]
    columns = np.empty((12, K), B.dtype)
    for first in range(0, M, 12):
        width = min(12, M - first)
        for k in range(K):
            for j in range(width):
                columns[j, k] = B[k, first + j]
        for i in range(0, N, 4):
            i = min(i, N - 4)  # the last tile overlaps the one before, and makes the same numbers again
            for j in range(0, width, 3):
                j = min(j, width - 3)
                sums = tile(A, i, columns, j)
                for place in range(12):
                    C[i + place // 3, first + j + place % 3] = sums[place]


def blas(A: Array, B: Array, C: Array) -> None:
    """NumPy's product."""
    np.dot(A, B, out=C)


WAYS: dict[str, Callable[..., None]] = {
    "Python": python, "i j k": ijk, "i k j": ikj, "4 rows": four_rows, "tile": tiles, "BLAS": blas
}  # fmt: skip
