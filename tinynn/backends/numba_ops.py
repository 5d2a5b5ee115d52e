"""The CPU hot path: the textbook's ops (numpy_ops.py), same names and arguments, with jitted kernels where those win.

What is fast is split in three. Dense matrix products go through np.dot, that is to BLAS, which no dense jitted loop has
beaten here (benchmarks/README.md). Products with rows that are mostly zeros, such as MNIST's pixels, skip the zeros: 2
to 3 times faster than BLAS. Everything around them is a loop over memory: there a kernel does in one pass, without
temporaries, what NumPy does in several.

An op is a plain function, which allocates its result, above the kernel, which fills it. Every kernel, its helpers and
constants live in this one file, because numba's cache on disk does not notice a change in another. All options are
measured:

- explicit signatures: compiled (or loaded from the cache) on import, for float32 and float64, contiguous, inputs
  possibly read-only. Other layouts are copied at the door; nothing compiles in the middle of a training run.
- error_model="numpy": division by zero gives inf, as in NumPy; without it no loop with a division is vectorised (Adam
  is 7 to 9 times slower).
- fastmath={"contract"}: a * b + c may be one instruction. Never fastmath=True: it lets the compiler assume that there
  are no NaN, and hides divergence.
- no parallel=True: its threads and those of BLAS fight for the same cores (10 times slower).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import float32, float64, int64, types
from numba.extending import intrinsic, models, overload, register_model
from threadpoolctl import threadpool_info

from .. import checks
from ..checks import Array
from .numpy_ops import TINY_MEAN, TINY_SQUARE, asarray, gaussian_nll, mse, softmax, to_numpy, xp

__all__ = [
    "adam_step", "affine", "affine_backward", "asarray", "gaussian_nll", "mse", "relu",
    "relu_backward", "sgd_step", "sigmoid", "sigmoid_backward", "softmax", "softmax_cross_entropy", "tanh",
    "tanh_backward", "to_numpy", "xp",
]  # fmt: skip

OPTIONS: Any = {"fastmath": {"contract"}, "error_model": "numpy", "nogil": True}


def kernel(arguments: Callable[[Any], tuple[Any, ...]], floats: tuple[Any, ...] = (float32, float64)) -> Any:
    """Compile a function for each of `floats`; `arguments` gives the argument types for a float type T.

    The compiled code is kept on disk. Where that fails (a read-only installation, a damaged file), it is compiled for
    this process alone, and said so.
    """
    signatures = [arguments(T) for T in floats]

    def compile_(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(signatures, cache=True, **OPTIONS)(function)
        except Exception as error:
            compiled = numba.njit(signatures, **OPTIONS)(function)  # raises again if the cache was not to blame
            reason = f"{type(error).__name__}: {error}"
            warnings.warn(f"numba cannot use its cache on disk, so {function.__name__} was compiled anew: {reason}",
                          RuntimeWarning, stacklevel=2)  # fmt: skip
            return compiled

    return compile_


def read(T: Any, ndim: int = 1) -> Any:
    """The type of an array that a kernel only reads: contiguous, perhaps read-only."""
    return types.Array(T, ndim, "C", readonly=True)


def write(T: Any, ndim: int = 1) -> Any:
    """The type of an array that a kernel writes."""
    return types.Array(T, ndim, "C")


# --- affine map ------------------------------------------------------------------------------------------------------


def affine(x: Array, W: Array, b: Array) -> Array:
    y = product_skipping_zeros(x, W) if mostly_zeros(x, W.shape[1]) else None
    if y is None:
        y = np.dot(x, W)
    add_to_rows(y, np.ascontiguousarray(b))
    return y


def affine_backward(dy: Array, x: Array, W: Array, dW: Array, db: Array, need_dx: bool = True) -> Array | None:
    if not (mostly_zeros(x, W.shape[1]) and product_skipping_zeros(x.T, dy, dW) is not None):
        np.dot(x.T, dy, out=dW)
    sum_of_rows(np.ascontiguousarray(dy), db)
    return np.dot(dy, W.T) if need_dx else None


@kernel(lambda T: (write(T, 2), read(T)))
def add_to_rows(y, b):
    N, H = y.shape
    for n in range(N):
        for j in range(H):
            y[n, j] += b[j]


@kernel(lambda T: (read(T, 2), write(T)))
def sum_of_rows(dy, db):
    N, H = dy.shape
    db[:] = 0
    for n in range(N):  # rows outside: the inner loop runs along memory
        for j in range(H):
            db[j] += dy[n, j]


# --- products that skip zeros -----------------------------------------------------------------------------------------
#
# y = x W is a sum of rows of W, y[n] = sum_k x[n, k] W[k], and where x[n, k] is 0 its row need not be touched. That is
# four fifths of the work for MNIST's pixels, in the first layer's x W and again in x^T dy. Three things make it fast:
#
# - The numbers that are not 0 are listed once, before, 32 at a time: comparing gives 32 bits, of which the ones are
#   visited. (One number at a time took 2 to 3 times as long, half of the whole product.)
# - y is made a strip of 64 columns at a time. The strip's piece of a row of y stays in the processor's registers while
#   all that is added to it passes by. (numba has no such type; it is made below, with three operations.)
# - The rows of W are taken in blocks of 96, of which the strip's piece is copied to one place: 24 KB, so that it stays
#   in the first-level cache while all rows of x use it.
#
# Registers and blocks each made it 1.3 to 1.5 times faster (benchmarks/README.md).

STRIP = 64  # numbers: 8 registers of AVX2, 4 of AVX-512
BLOCK = 96  # rows of W
BITS = 32  # numbers looked at together
ZEROS_PAY = 0.42  # the largest share of numbers that are not 0, times threads of BLAS: here both ways are as fast


def blas_threads() -> int:
    """How many threads the matrix products of NumPy have."""
    return max((pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"), default=1)


THREADS = blas_threads()


def mostly_zeros(x: Array, H: int) -> bool:
    """Whether to skip zeros in the product of x (N, D) and a matrix with H columns: a rule on shape, zeros, threads.

    8 rows or more stand for all. The rule is the same for the same x: it does not measure time.
    """
    N, D = x.shape
    if H < 2 * STRIP or min(N, D) < BITS or x.dtype != np.float32:
        return False
    return share_nonzero(np.ascontiguousarray(x), N // 8) * THREADS < ZEROS_PAY


def product_skipping_zeros(x: Array, W: Array, y: Array | None = None) -> Array | None:
    """y = x W; None, and nothing to rely on in y, where W holds inf or NaN.

    There 0 W[k, j] is NaN, as in the textbook, and must not be skipped: no NaN is hidden.
    """
    y = np.empty((x.shape[0], W.shape[1]), x.dtype) if y is None else y
    return y if sparse_product(np.ascontiguousarray(x), np.ascontiguousarray(W), y) else None


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


# What Python cannot say: work on many numbers by one instruction. Each function says in Python what it means; the
# compiled code has a line or two of LLVM. A strip is 64 numbers in registers.


def load(a, i):
    """The strip of `a`, read row by row, that begins at its i-th number."""
    return a.ravel()[i : i + STRIP].copy()


def store(a, i, strip):
    """Write the strip there."""
    a.reshape(-1)[i : i + STRIP] = strip


def add_times(total, factor, strip):
    """total + factor strip."""
    return total + factor * strip


def nonzero_bits(a, i):
    """32 bits: the b-th is 1 where number i + b of `a` is not 0."""
    return sum(1 << b for b, number in enumerate(a.ravel()[i : i + BITS]) if number != 0)


def lowest_one(bits):
    """The place of the lowest bit that is 1."""
    return (bits & -bits).bit_length() - 1


class StripType(types.Type):
    """The compiler's type of a strip."""


VECTOR = ir.VectorType(ir.FloatType(), STRIP)
GROUP = ir.VectorType(ir.FloatType(), BITS)
strip_type = StripType("strip")
register_model(StripType)(lambda manager, kind: models.PrimitiveModel(manager, kind, VECTOR))


def _address(context, builder, kind, array, i, vector):
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [i]), vector.as_pointer())


@intrinsic
def _load(typing, a, i):
    def generate(context, builder, signature, arguments):
        return builder.load(_address(context, builder, signature.args[0], *arguments, VECTOR), align=4)

    return strip_type(a, int64), generate


@intrinsic
def _store(typing, a, i, strip):
    def generate(context, builder, signature, arguments):
        a, i, strip = arguments
        builder.store(strip, _address(context, builder, signature.args[0], a, i, VECTOR), align=4)
        return context.get_dummy_value()

    return types.void(a, int64, strip_type), generate


@intrinsic
def _nonzero_bits(typing, a, i):
    def generate(context, builder, signature, arguments):
        group = builder.load(_address(context, builder, signature.args[0], *arguments, GROUP), align=4)
        bits = builder.fcmp_unordered("!=", group, ir.Constant(GROUP, [0.0] * BITS))  # "unordered": NaN is not 0
        return builder.zext(builder.bitcast(bits, ir.IntType(BITS)), ir.IntType(64))

    return types.uint64(a, int64), generate


@intrinsic
def _lowest_one(typing, bits):
    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@intrinsic
def _add_times(typing, total, factor, strip):
    def generate(context, builder, signature, arguments):
        total, factor, strip = arguments
        empty, index = ir.Constant(VECTOR, ir.Undefined), ir.IntType(32)
        first = builder.insert_element(empty, factor, index(0))
        factors = builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(index, STRIP), [0] * STRIP))
        product = builder.fmul(factors, strip, flags=["contract"])
        return builder.fadd(total, product, flags=["contract"])

    return strip_type(strip_type, float32, strip_type), generate


overload(load)(lambda a, i: lambda a, i: _load(a, i))
overload(store)(lambda a, i, strip: lambda a, i, strip: _store(a, i, strip))
overload(nonzero_bits)(lambda a, i: lambda a, i: _nonzero_bits(a, i))
overload(lowest_one)(lambda bits: lambda bits: _lowest_one(bits))
overload(add_times)(lambda total, factor, strip: lambda total, factor, strip: _add_times(total, factor, strip))


@numba.njit(**OPTIONS)
def list_nonzero(x, start, place, value):
    """For each block of columns and in it each row of x: the numbers that are not 0, and their places in the block.

    Those of the e-th block and row are at start[e] to start[e + 1]. (Unsigned indices spare the test for negative ones.)
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


@kernel(lambda T: (read(T, 2), read(T, 2), write(T, 2)), floats=(float32,))
def sparse_product(x, W, y):
    """y = x W, and whether all of W is finite."""
    N, D = x.shape
    H = W.shape[1]
    start = np.empty(((D - 1) // BLOCK + 1) * N + 1, np.int64)
    place, value = np.empty(x.size + 1, np.int32), np.empty(x.size + 1, np.float32)
    list_nonzero(x, start, place, value)
    piece, zeros = np.empty(BLOCK * STRIP, np.float32), np.zeros(STRIP, np.float32)
    zero_times_W = load(zeros, 0)
    for j in range(0, H, STRIP):
        j = min(j, H - STRIP)  # the last strip overlaps the one before, and makes the same numbers again
        entry = 0
        for k in range(0, D, BLOCK):
            for i in range(min(BLOCK, D - k)):
                strip = load(W, (k + i) * H + j)
                store(piece, i * STRIP, strip)
                zero_times_W = add_times(zero_times_W, np.float32(0), strip)
            for n in range(N):
                total = load(y, n * H + j) if k > 0 else load(zeros, 0)
                for i in range(start[entry], start[entry + 1]):
                    total = add_times(total, value[i], load(piece, place[i] * STRIP))
                store(y, n * H + j, total)
                entry += 1
    store(zeros, 0, zero_times_W)
    return zeros.sum() == 0


# --- exp and tanh inside kernels --------------------------------------------------------------------------------------
#
# A call of libm's exp keeps a loop from being vectorised (7 times slower). In float32 a short polynomial does it:
# e^x = 2^n e^r with n the integer nearest to x / log 2 and |r| <= log(2) / 2. The coefficients are those of the Cephes
# library (Moshier 1989, expf and tanhf). In float64, which only checks gradients, libm it is.

_f = np.float32
LOG2_E = _f(1.44269504088896341)
LOG_2_HIGH, LOG_2_LOW = _f(0.693359375), _f(-2.12194440e-4)  # log 2 as a short number plus the rest: r loses no digits
E0, E1, E2 = _f(1.9875691500e-4), _f(1.3981999507e-3), _f(8.3334519073e-3)
E3, E4, E5 = _f(4.1665795894e-2), _f(1.6666665459e-1), _f(5.0000001201e-1)
T0, T1, T2 = _f(-5.70498872745e-3), _f(2.06390887954e-2), _f(-5.37397155531e-2)
T3, T4 = _f(1.33314422036e-1), _f(-3.33332819422e-1)
LOWEST = _f(-87.33654)  # e^x is the smallest normal number here; below, 0
HALF, ONE, TWO, SMALL = _f(0.5), _f(1), _f(2), _f(0.625)


def exp_neg(x):
    """e^x for x <= 0. NaN gives NaN. In float32 below -87.3 exactly 0."""
    return math.exp(x)


def tanh_scalar(x):
    """tanh x: a polynomial in x^2 near 0 (where 1 - e^-2x would cancel), (1 - e^-2x) / (1 + e^-2x) beyond."""
    return math.tanh(x)


def _exp_neg_float32(x):
    clipped = max(x, LOWEST)
    n = np.floor(clipped * LOG2_E + HALF)
    r = clipped - n * LOG_2_HIGH
    r = r - n * LOG_2_LOW
    p = ((((E0 * r + E1) * r + E2) * r + E3) * r + E4) * r + E5
    two_to_n = np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)  # n as the exponent's bits
    y = (p * r * r + r + ONE) * two_to_n
    return y if x > LOWEST else (_f(0) if x <= LOWEST else x)


def _tanh_float32(x):
    size = abs(x)
    s = x * x
    near = ((((T0 * s + T1) * s + T2) * s + T3) * s + T4) * s * x + x
    e = exp_neg(-TWO * size)
    far = (ONE - e) / (ONE + e)
    return near if size < SMALL else (far if x > 0 else -far)


@overload(exp_neg, jit_options=OPTIONS)
def _compile_exp_neg(x):
    return _exp_neg_float32 if x == float32 else lambda x: math.exp(x)


@overload(tanh_scalar, jit_options=OPTIONS)
def _compile_tanh(x):
    return _tanh_float32 if x == float32 else lambda x: math.tanh(x)


# --- activations -----------------------------------------------------------------------------------------------------


def relu(x: Array) -> Array:
    return _map(relu_kernel, x)


def relu_backward(dy: Array, y: Array) -> Array:
    return _map2(relu_backward_kernel, dy, y)


def sigmoid(x: Array) -> Array:
    return _map(sigmoid_kernel, x)


def sigmoid_backward(dy: Array, y: Array) -> Array:
    return _map2(sigmoid_backward_kernel, dy, y)


def tanh(x: Array) -> Array:
    return _map(tanh_kernel, x)


def tanh_backward(dy: Array, y: Array) -> Array:
    return _map2(tanh_backward_kernel, dy, y)


def _map(kernel: Any, x: Array) -> Array:
    """y = kernel(x) element by element; ravel copies what is not contiguous, and only that."""
    y = np.empty(x.shape, x.dtype)
    kernel(x.ravel(), y.ravel())
    return y


def _map2(kernel: Any, dy: Array, y: Array) -> Array:
    """dx = kernel(dy, y) element by element."""
    if dy.shape != y.shape:  # a kernel checks no bounds
        raise ValueError(f"dy must have y's shape {y.shape}, not {dy.shape}")
    dx = np.empty(y.shape, y.dtype)
    kernel(dy.ravel(), y.ravel(), dx.ravel())
    return dx


@kernel(lambda T: (read(T), write(T)))
def relu_kernel(x, y):
    for i in range(x.size):
        y[i] = 0 if x[i] <= 0 else x[i]  # not `x[i] if x[i] > 0 else 0`, which turns NaN into 0


@kernel(lambda T: (read(T), read(T), write(T)))
def relu_backward_kernel(dy, y, dx):
    for i in range(y.size):
        dx[i] = dy[i] if y[i] > 0 else dy[i] * y[i]  # y is 0 or NaN there


@kernel(lambda T: (read(T), write(T)))
def sigmoid_kernel(x, y):
    for i in range(x.size):
        e = exp_neg(-abs(x[i]))
        y[i] = (1 if x[i] >= 0 else e) / (1 + e)


@kernel(lambda T: (read(T), read(T), write(T)))
def sigmoid_backward_kernel(dy, y, dx):
    for i in range(y.size):
        dx[i] = dy[i] * (y[i] * (1 - y[i]))


@kernel(lambda T: (read(T), write(T)))
def tanh_kernel(x, y):
    for i in range(x.size):
        y[i] = tanh_scalar(x[i])


@kernel(lambda T: (read(T), read(T), write(T)))
def tanh_backward_kernel(dy, y, dx):
    for i in range(y.size):
        dx[i] = dy[i] * (1 - y[i] * y[i])


# --- losses ----------------------------------------------------------------------------------------------------------


def softmax_cross_entropy(y: Array, t: Array) -> tuple[float, Array]:
    N, C = y.shape
    dy = np.empty((N, C), y.dtype)
    y = np.ascontiguousarray(y)
    if t.ndim == 1:
        total, bad = cross_entropy_labels(y, np.ascontiguousarray(t, dtype=np.int64), dy)
        if bad:
            checks.labels(t, C)
    else:
        total = cross_entropy_rows(y, np.ascontiguousarray(t), dy)
    return (total / N if N else math.nan), dy


@numba.njit(**OPTIONS)
def softmax_row(y, n, e):
    """e[n, c] = exp(y[n, c] - peak), with the row's maximum and the sum of the e."""
    C = y.shape[1]
    peak = y[n, 0]
    for c in range(1, C):
        if y[n, c] > peak:
            peak = y[n, c]
    s = y.dtype.type(0)
    for c in range(C):
        e[n, c] = exp_neg(y[n, c] - peak)
    for c in range(C):
        s += e[n, c]
    return peak, s


@kernel(lambda T: (read(T, 2), read(int64), write(T, 2)))
def cross_entropy_labels(y, t, dy):
    """The sum of the rows' losses, and whether a label was out of range (then dy is unfinished)."""
    N, C = y.shape
    total = 0.0
    for n in range(N):
        label = t[n]
        if label < 0 or label >= C:
            return total, True
        peak, s = softmax_row(y, n, dy)
        total += math.log(s) - float64(y[n, label] - peak)
        for c in range(C):
            dy[n, c] /= s
        dy[n, label] -= 1
        for c in range(C):
            dy[n, c] /= N
    return total, False


@kernel(lambda T: (read(T, 2), read(T, 2), write(T, 2)))
def cross_entropy_rows(y, t, dy):
    N, C = y.shape
    total = 0.0
    for n in range(N):
        peak, s = softmax_row(y, n, dy)
        log_s = math.log(s)
        for c in range(C):
            if t[n, c] != 0:  # a class of probability 0 adds nothing, even where log p is -inf
                total += float64(t[n, c]) * (log_s - float64(y[n, c] - peak))
            dy[n, c] = (dy[n, c] / s - t[n, c]) / N
    return total


# --- updates ---------------------------------------------------------------------------------------------------------


def sgd_step(
    params: Array,
    grads: Array,
    velocity: Array,
    lr: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> None:
    sgd_kernel(params, np.ascontiguousarray(grads), velocity, lr, momentum, nesterov, weight_decay, TINY_MEAN)


@kernel(lambda T: (write(T), read(T), write(T), T, T, types.boolean, T, T))
def sgd_kernel(params, grads, velocity, lr, momentum, nesterov, weight_decay, tiny):
    zero = params.dtype.type(0)  # with a plain 0, an integer, the loop would go on in double precision
    for i in range(params.size):
        step = lr * (grads[i] + weight_decay * params[i])
        v = momentum * velocity[i] - step
        velocity[i] = v = zero if abs(v) < tiny else v
        params[i] += momentum * v - step if nesterov else v


def adam_step(
    params: Array,
    grads: Array,
    m: Array,
    v: Array,
    t: int,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    adam_kernel(params, np.ascontiguousarray(grads), m, v, beta1, 1 - beta1, beta2, 1 - beta2,
                lr / (1 - beta1**t), 1 / (1 - beta2**t), eps, 1 - lr * weight_decay, TINY_MEAN, TINY_SQUARE)  # fmt: skip


@kernel(lambda T: (write(T), read(T), write(T), write(T), T, T, T, T, T, T, T, T, T, T))
def adam_kernel(params, grads, m, v, beta1, rest1, beta2, rest2, rate, full2, eps, shrink, tiny_mean, tiny_square):
    """rest = 1 - beta; rate = lr / (1 - beta1^t); full2 = 1 / (1 - beta2^t); shrink = 1 - lr weight_decay."""
    zero = params.dtype.type(0)
    for i in range(params.size):
        g = grads[i]
        mean = beta1 * m[i] + rest1 * g
        square = beta2 * v[i] + rest2 * g * g
        m[i] = mean = zero if abs(mean) < tiny_mean else mean  # this way round, NaN stays NaN
        v[i] = square = zero if square < tiny_square else square
        params[i] = shrink * params[i] - rate * mean / (np.sqrt(square * full2) + eps)
