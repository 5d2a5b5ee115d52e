"""Matrix products, y = x W, by the way that is fastest for their shape and zeros.

Dense ones go through np.dot, that is to BLAS, which no jitted loop has beaten here but for narrow matrices
(benchmarks/README.md). The other two ways:

**Skipping zeros.** y = x W is a sum of rows of W, y[n] = sum_k x[n, k] W[k], and where x[n, k] is 0 its row need not be
touched. That is four fifths of the work for MNIST's pixels, in the first layer's x W and again in x^T dy. Three things
make it 2 to 3 times faster than BLAS:

- The numbers that are not 0 are listed once, before, 32 at a time: comparing gives 32 bits, of which the ones are
  visited. (One number at a time took 2 to 3 times as long, half of the whole product.)
- y is made a strip of 64 columns at a time. The strip's piece of a row of y stays in the processor's registers while
  all that is added to it passes by.
- The rows of W are taken in blocks of 96, of which the strip's piece is copied to one place: 24 KB, so that it stays in
  the first-level cache while all rows of x use it. (This and the registers: each 1.3 to 1.5 times.)

**Narrow matrices**, of 16 to 47 columns, in batches of up to 128: a tile of y stays in registers from the first product
to the last. (A step of 784-32-10 in batches of 32 takes 10 % less.)

Results differ from BLAS's by rounding. Which way is taken depends on x, W and the number of threads that BLAS had on
import, never on time: the same run gives the same numbers.
"""

from __future__ import annotations

import os
import sys

import numba
import numpy as np
from llvmlite import ir
from numba import float32, int32, int64, types
from numba.extending import intrinsic, models, register_model

from ...checks import Array
from .compile import OPTIONS, kernel, read, write

FLOAT32 = np.dtype("float32")
STRIP = 64  # numbers: 8 registers of AVX2, 4 of AVX-512
BLOCK = 96  # rows of W
BITS = 32  # numbers looked at together
LISTED = 1 << 20  # numbers of x whose lists are made at a time: they take 8 bytes for each
NARROW = 16  # columns of a tile of `narrow_product`
ZEROS_PAY = 0.42  # the largest share of numbers that are not 0, times threads of BLAS: here both ways are as fast


def product(x: Array, W: Array, y: Array) -> None:
    """y = x W, by the way that is fastest for such shapes and for so many zeros in x."""
    H = W.shape[1]
    if x.dtype == FLOAT32 and y.flags.c_contiguous:  # np.dot refuses a y that is not
        if NARROW <= H < 3 * NARROW and len(x) >= 6 and min(x.shape) <= 128:
            narrow_product(x, W, y)
            return
        if H >= 2 * STRIP and mostly_zeros(x) and product_skipping_zeros(x, W, y):
            return
    np.dot(x, W, out=y)


def blas_threads() -> int:
    """How many threads the matrix products of NumPy have.

    Where threadpoolctl knows no BLAS, as on a Mac, whose own (Accelerate) does not say, or is not installed, one for
    each core is assumed: so dense products are left to it from four cores on.
    """
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return os.cpu_count() or 1
    known = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return max(known, default=os.cpu_count() or 1)


THREADS = blas_threads()
LITTLE_ENDIAN = sys.byteorder == "little"


def mostly_zeros(x: Array) -> bool:
    """Whether to skip zeros in a product of x (N, D): a rule on its shape, its zeros and the threads of BLAS.

    8 rows or more stand for all. The rule is the same for the same x: it does not measure time. On a big-endian
    processor zeros are never skipped: there `nonzero_bits` would number the bits from the other end.
    """
    if min(x.shape) < BITS or not LITTLE_ENDIAN:
        return False
    x = x.T if x.flags.f_contiguous else x
    return share_nonzero(np.ascontiguousarray(x), len(x) // 8) * THREADS < ZEROS_PAY


def product_skipping_zeros(x: Array, W: Array, y: Array) -> bool:
    """y = x W; False, and nothing to rely on in y, where W holds inf or NaN.

    There 0 W[k, j] is NaN, as in the textbook, and must not be skipped: no NaN is hidden.
    """
    (N, D), W = x.shape, np.ascontiguousarray(W)
    rows = min(N, max(BITS, LISTED // D))
    start = np.empty(-(-D // BLOCK) * rows + 1, np.int64)
    place, value = np.empty(rows * D, np.int32), np.empty(rows * D, x.dtype)
    piece = np.zeros((BLOCK + 1) * STRIP, x.dtype)  # its last strip stays 0
    return all(
        sparse_product(np.ascontiguousarray(x[n : n + rows]), W, y[n : n + rows], start, place, value, piece)
        for n in range(0, N, rows)
    )


# What Python cannot say: work on many numbers by one instruction. Each function stands here twice: in Python, for the
# reader and for NUMBA_DISABLE_JIT=1, and as a line or two of LLVM, the compiler's own language.


class StripType(types.Type):
    """The compiler's type of a strip: `width` float32 numbers side by side, in registers."""

    def __init__(self, width):
        super().__init__(f"strip of {width}")
        self.vector = ir.VectorType(ir.FloatType(), width)


def strips(width):
    """The three operations on strips of `width` numbers."""

    def load(a, i):
        """The strip of `a`, read row by row, that begins at its i-th number."""
        return a.ravel()[i : i + width].copy()

    def store(a, i, strip):
        """Write the strip there."""
        a.reshape(-1)[i : i + width] = strip

    def add_times(total, factor, strip):
        """total + factor strip."""
        return total + factor * strip

    kind = StripType(width)
    vector = kind.vector

    @intrinsic
    def compiled_load(typing, a, i):
        def generate(context, builder, signature, arguments):
            return builder.load(_address(context, builder, signature.args[0], *arguments, vector), align=4)

        return kind(a, int64), generate

    @intrinsic
    def compiled_store(typing, a, i, strip):
        def generate(context, builder, signature, arguments):
            a, i, strip = arguments
            builder.store(strip, _address(context, builder, signature.args[0], a, i, vector), align=4)
            return context.get_dummy_value()

        return types.void(a, int64, kind), generate

    @intrinsic
    def compiled_add_times(typing, total, factor, strip):
        def generate(context, builder, signature, arguments):
            total, factor, strip = arguments
            empty, index = ir.Constant(vector, ir.Undefined), ir.IntType(32)
            first = builder.insert_element(empty, factor, index(0))
            factors = builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(index, width), [0] * width))
            product = builder.fmul(factors, strip, flags=["contract"])
            return builder.fadd(total, product, flags=["contract"])

        return kind(kind, float32, kind), generate

    if numba.config.DISABLE_JIT:
        return load, store, add_times
    return compiled_load, compiled_store, compiled_add_times


@register_model(StripType)
class StripModel(models.PrimitiveModel):
    """How a strip is held: as a vector."""

    def __init__(self, manager, kind):
        super().__init__(manager, kind, kind.vector)


def _address(context, builder, kind, array, i, vector):
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [i]), vector.as_pointer())


def python_nonzero_bits(a, i):
    """32 bits: the b-th is 1 where number i + b of `a` is not 0."""
    return np.uint64(sum(1 << b for b, number in enumerate(a.ravel()[i : i + BITS]) if number != 0))


def python_lowest_one(bits):
    """The place of the lowest bit that is 1."""
    bits = int(bits)
    return np.uint64((bits & -bits).bit_length() - 1)


@intrinsic
def nonzero_bits(typing, a, i):
    def generate(context, builder, signature, arguments):
        vector = ir.VectorType(ir.FloatType(), BITS)
        group = builder.load(_address(context, builder, signature.args[0], *arguments, vector), align=4)
        bits = builder.fcmp_unordered("!=", group, ir.Constant(vector, [0.0] * BITS))  # "unordered": NaN is not 0
        return builder.zext(builder.bitcast(bits, ir.IntType(BITS)), ir.IntType(64))

    return types.uint64(a, int64), generate


@intrinsic
def lowest_one(typing, bits):
    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
    nonzero_bits, lowest_one = python_nonzero_bits, python_lowest_one  # type: ignore[assignment]
load, store, add_times = strips(STRIP)
load_16, store_16, add_times_16 = strips(NARROW)


def narrow_product(x: Array, W: Array, y: Array) -> None:
    """y = x W for a W with few columns. x may be the transpose of a contiguous array, and is not copied then."""
    W = np.ascontiguousarray(W)
    if x.flags.f_contiguous:
        tiled_product(x.T.ravel(), 1, x.shape[0], W, y, np.zeros(NARROW, x.dtype))
    else:
        tiled_product(x.ravel(), x.shape[1], 1, W, y, np.zeros(NARROW, x.dtype))


@kernel(lambda T: (read(T), int64, int64, read(T, 2), write(T, 2), read(T)), floats=(float32,))
def tiled_product(x, down, right, W, y, zeros):
    """y = x W, where x[n, k] is x[n down + k right].

    A tile of y, 6 rows by 16 columns, stays in registers while its rows of x and columns of W pass by: six numbers of x
    meet a strip of W and give 96 products.
    """
    (K, H), N, d = W.shape, y.shape[0], np.uint64(down)
    for j in range(0, H, NARROW):
        j = min(j, H - NARROW)  # the last tile overlaps the one before, and makes the same numbers again
        for n in range(0, N, 6):
            n = min(n, N - 6)
            t0 = t1 = t2 = t3 = t4 = t5 = load_16(zeros, 0)
            i0 = np.uint64(n * down)
            for k in range(K):
                strip = load_16(W, k * H + j)
                i1 = i0 + d
                i2 = i1 + d
                i3 = i2 + d
                i4 = i3 + d
                t0 = add_times_16(t0, x[i0], strip)
                t1 = add_times_16(t1, x[i1], strip)
                t2 = add_times_16(t2, x[i2], strip)
                t3 = add_times_16(t3, x[i3], strip)
                t4 = add_times_16(t4, x[i4], strip)
                t5 = add_times_16(t5, x[i4 + d], strip)
                i0 += np.uint64(right)
            store_16(y, n * H + j, t0)
            store_16(y, (n + 1) * H + j, t1)
            store_16(y, (n + 2) * H + j, t2)
            store_16(y, (n + 3) * H + j, t3)
            store_16(y, (n + 4) * H + j, t4)
            store_16(y, (n + 5) * H + j, t5)


@kernel(lambda T: (read(T, 2), int64), floats=(float32,))
def share_nonzero(x, step):
    """The share of numbers that are not 0 in every step-th row."""
    N, D = x.shape
    count, rows = 0, 0
    for n in range(0, N, step):
        row = np.int32(0)
        for k in range(np.uint64(D)):
            row = np.int32(row + np.int32(x[np.uint64(n), k] != 0))
        count += row
        rows += 1
    return count / (rows * D)


@numba.njit(**OPTIONS)
def list_nonzero(x, start, place, value):
    """For each block of columns and in it each row of x: the numbers that are not 0, and their places in the block.

    Those of the e-th block and row are at start[e] to start[e + 1]. (Unsigned indices spare a test for negative ones.)
    """
    N, D = x.shape
    end, entry, one = np.uint64(0), 0, np.uint64(1)
    for k in range(0, D, BLOCK):
        for n in range(N):
            start[entry] = end
            entry += 1
            for group in range(k, min(k + BLOCK, D), BITS):
                first = min(group, D - BITS)  # the last group begins among the numbers of the one before
                bits = nonzero_bits(x, n * D + first) >> np.uint64(group - first)
                while bits != 0:
                    i = np.uint64(group - k) + lowest_one(bits)
                    place[end], value[end] = i, x[np.uint64(n), np.uint64(k) + i]
                    end += one
                    bits &= bits - one
    start[entry] = end


@kernel(
    lambda T: (read(T, 2), read(T, 2), write(T, 2), write(int64), write(int32), write(T), write(T)), floats=(float32,)
)
def sparse_product(x, W, y, start, place, value, piece):
    """y = x W, and whether all of W is finite."""
    N, D = x.shape
    H = W.shape[1]
    list_nonzero(x, start, place, value)
    zero = zero_times_W = load(piece, BLOCK * STRIP)
    for j in range(0, H, STRIP):
        j = min(j, H - STRIP)  # the last strip overlaps the one before, and makes the same numbers again
        entry = 0
        for k in range(0, D, BLOCK):
            for i in range(min(BLOCK, D - k)):
                strip = load(W, (k + i) * H + j)
                store(piece, i * STRIP, strip)
                zero_times_W = add_times(zero_times_W, value.dtype.type(0), strip)
            for n in range(N):
                total = load(y, n * H + j) if k > 0 else zero
                for i in range(start[entry], start[entry + 1]):
                    total = add_times(total, value[i], load(piece, place[i] * STRIP))
                store(y, n * H + j, total)
                entry += 1
    store(piece, 0, zero_times_W)
    rest = value.dtype.type(0)
    for i in range(STRIP):
        rest += piece[i]
    return rest == 0  # or NaN
