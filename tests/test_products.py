"""The matrix products of the numba backend: past zeros, in narrow tiles, by BLAS; each equals the textbook's."""

from __future__ import annotations

import sys
import tracemalloc

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynn.backends import numba as numba_ops
from tinynn.backends import numpy as numpy_ops
from tinynn.backends.numba import product as numba_product
from tinynn.backends.numba import threads

EPS = np.finfo(np.float32).eps


def drawn(seed, N, D, share):
    """x (N, D) of normal numbers, of which a share is not 0, and a generator."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random((N, D)) < share, rng.standard_normal((N, D)), 0).astype(np.float32), rng


def laid_out(a, layout):
    """The same numbers, in another order in memory, read-only."""
    a = {"C": a.copy(), "F": np.asfortranarray(a), "strided": np.repeat(a, 2, axis=1)[:, ::2]}[layout]
    a.flags.writeable = False
    return a


def assert_product(y, x, W):
    """y = x W within the rounding of sums of so many products, however they are ordered."""
    exact = x.astype(np.float64) @ W.astype(np.float64)
    size = np.abs(x.astype(np.float64)) @ np.abs(W.astype(np.float64))  # Higham 2002, section 3.1: D eps sum |x W|
    assert (np.abs(y - exact) <= (x.shape[1] + 1) * EPS * size).all()


sizes = {"N": st.integers(1, 140), "D": st.integers(1, 230), "H": st.integers(1, 150)}
layouts = st.sampled_from(["C", "F", "strided"])
ways = st.sampled_from([0.0, 0.05, 0.2, 1.0])


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32), **sizes, share=ways, x_layout=layouts, W_layout=layouts)
def test_products_of_any_size_and_layout(seed, N, D, H, share, x_layout, W_layout):
    x, rng = drawn(seed, N, D, share)
    W, dy = rng.standard_normal((D, H)).astype(np.float32), rng.standard_normal((N, H)).astype(np.float32)
    x, W, dy = laid_out(x, x_layout), laid_out(W, W_layout), laid_out(dy, W_layout)
    assert_product(numba_ops.affine(x, W, np.zeros(H, np.float32)), x, W)
    dW, db = np.full((D, H), np.nan, np.float32), np.full(H, np.nan, np.float32)
    numba_ops.affine_backward(dy, x, W, dW, db, need_dx=False)
    assert_product(dW, x.T, dy)


@settings(max_examples=100)
@given(seed=st.integers(0, 2**32), N=st.integers(32, 140), D=st.integers(32, 230), H=st.integers(64, 150), share=ways)
def test_past_zeros_however_many(seed, N, D, H, share):
    """The kernel itself, also where the rule would not take it."""
    x, rng = drawn(seed, N, D, share)
    x[rng.random(x.shape) < 0.1] = -0.0
    W, y = rng.standard_normal((D, H)).astype(np.float32), np.full((N, H), np.nan, np.float32)
    assert numba_product.product_skipping_zeros(x, W, y)
    assert_product(y, x, W)


@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32), N=st.integers(6, 60), D=st.integers(6, 60), H=st.integers(16, 70), turned=st.booleans()
)
def test_narrow_tiles(seed, N, D, H, turned):
    x, rng = drawn(seed, N, D, 1)
    x = np.asfortranarray(x) if turned else x
    W, y = rng.standard_normal((D, H)).astype(np.float32), np.full((N, H), np.nan, np.float32)
    numba_product.narrow_product(x, W, y)
    assert_product(y, x, W)


@pytest.mark.parametrize("H", [10, 32, 128, 200])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("share", [0.1, 1.0])
@pytest.mark.parametrize("where", ["x", "W", "dy"])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_what_is_not_finite_is_never_hidden(where, share, bad, H):
    """0 times NaN or infinity is NaN: the skipped zeros of x do not hide it. The same places as in the textbook."""
    x, rng = drawn(0, 40, 100, share)
    x[:, 7] = 0  # nothing but zeros meets row 7 of W
    W, dy = rng.standard_normal((100, H)).astype(np.float32), rng.standard_normal((40, H)).astype(np.float32)
    {"x": x, "W": W, "dy": dy}[where][7, 7] = bad
    results = []
    for ops in (numba_ops, numpy_ops):
        dW, db = np.empty_like(W), np.empty(H, np.float32)
        dx = ops.affine_backward(dy, x, W, dW, db)
        results.append([ops.affine(x, W, np.zeros(H, np.float32)), dW, db, dx])
    for got, expected in zip(*results):
        for kind in (np.isnan, np.isposinf, np.isneginf):
            np.testing.assert_array_equal(kind(got), kind(expected))
    assert not all(np.isfinite(a).all() for a in results[0])


def test_the_rule_looks_at_shape_zeros_and_threads(monkeypatch):
    monkeypatch.setattr(numba_product, "THREADS", 1)
    taken = []
    monkeypatch.setattr(numba_product, "product_skipping_zeros", lambda x, W, y: taken.append("zeros") or True)
    monkeypatch.setattr(numba_product, "narrow_product", lambda x, W, y: taken.append("narrow"))

    def way(N, D, H, share=1, dtype=np.float32, layout="C", exactly=None):
        """The way taken for x (N, D) of which a share is not 0, or exactly so many numbers in each row or column."""
        taken.clear()
        x = drawn(1, N, D, share)[0].astype(dtype)
        if exactly is not None:
            rows = x if layout == "C" else x.T
            rows[...] = np.arange(rows.shape[1]) < exactly
        x = laid_out(x, layout)
        numba_product.product(x, np.zeros((D, H), dtype), np.empty((N, H), dtype))
        return taken[0] if taken else "BLAS"

    assert way(256, 784, 256, 0.19) == way(784, 256, 256, 0.19, layout="F") == "zeros"
    assert way(256, 784, 256, 0.9) == way(256, 784, 100, 0.19) == way(8, 784, 256, 0.19) == "BLAS"
    assert way(256, 784, 256, 0.19, np.float64) == way(256, 784, 32, 0.19, np.float64) == "BLAS"
    assert way(128, 784, 32, 0.19) == way(784, 32, 32, 0.9, layout="F") == "narrow"
    assert way(256, 784, 10, 0.19) == way(5, 784, 32, 0.9) == way(256, 784, 32, 0.19) == "BLAS"
    # just inside and just outside of each limit
    assert way(6, 784, 16, 1) == way(128, 784, 47, 1) == way(784, 128, 16, 1) == "narrow"
    assert way(5, 784, 16, 1) == way(128, 784, 15, 1) == way(128, 784, 48, 1) == way(784, 129, 16, 1) == "BLAS"
    assert way(32, 32, 128, 0) == "zeros"
    assert way(31, 784, 128, 0) == way(784, 31, 128, 0) == way(32, 32, 127, 0) == "BLAS"
    assert way(64, 1000, 128, exactly=410) == way(1000, 64, 128, exactly=410, layout="F") == "zeros"
    assert way(64, 1000, 128, exactly=430) == way(1000, 64, 128, exactly=430, layout="F") == "BLAS"
    monkeypatch.setattr(numba_product, "THREADS", 2)
    assert way(64, 1000, 128, exactly=205) == "zeros" and way(64, 1000, 128, exactly=215) == "BLAS"
    monkeypatch.setattr(numba_product, "THREADS", 4)
    assert way(256, 784, 256, 0.19) == "BLAS"  # four threads of BLAS are faster than one that skips zeros
    monkeypatch.setattr(numba_product, "THREADS", 1)
    monkeypatch.setattr(numba_product, "LITTLE_ENDIAN", False)
    assert way(256, 784, 256, 0.0) == "BLAS"


@pytest.mark.parametrize("layout", ["C", "F"])
def test_eight_rows_stand_for_all(layout, monkeypatch):
    """Every tenth of 80; of an array that lies column by column, every fifth of 40 columns."""
    monkeypatch.setattr(numba_product, "THREADS", 1)
    x = np.ones((80, 40), np.float32, order=layout)
    rows = x if layout == "C" else x.T
    step = len(rows) // 8
    rows[0] = 0
    assert not numba_product.mostly_zeros(x)
    rows[::step] = 0
    assert numba_product.mostly_zeros(x)
    rows[...] = 0
    rows[::step] = 1
    assert not numba_product.mostly_zeros(x)


def test_threads_of_a_blas_that_does_not_say(monkeypatch):
    """Apple's Accelerate is no library that threadpoolctl knows: all cores are assumed."""
    pools = [{"user_api": "openmp", "num_threads": 64}]
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: pools)
    for cores, expected in ((8, 8), (None, 1)):
        monkeypatch.setattr(numba_product.os, "cpu_count", lambda cores=cores: cores)
        assert numba_product.blas_threads() == expected
    pools += [{"user_api": "blas", "num_threads": n} for n in (2, 3, 1)]
    assert numba_product.blas_threads() == 3
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)  # makes its import fail
    monkeypatch.setattr(numba_product.os, "cpu_count", lambda: 8)
    assert numba_product.blas_threads() == 8


@pytest.mark.skipif(sys.byteorder != "little", reason="zeros are not skipped here")
@given(seed=st.integers(0, 2**32), share=ways, start=st.integers(0, 9))
def test_bits_of_what_is_not_zero(seed, share, start):
    """The compiled operations and what they say in Python: bit b for number b, from the lowest on; NaN is not 0."""
    a = drawn(seed, 1, 41, share)[0].ravel()
    a[seed % 41], a[(seed + 1) % 41] = np.nan, -0.0
    bits = int(compiled_bits(a, start))
    assert bits == int(numba_product.python_nonzero_bits(a, start))
    assert bits == sum(2**b for b in range(32) if a[start + b] != 0)
    lowest = [b for b in range(32) if bits >> b & 1]
    if lowest:
        assert compiled_lowest(np.uint64(bits)) == numba_product.python_lowest_one(np.uint64(bits)) == lowest[0]


@numba.njit
def compiled_bits(a, start):
    return numba_product.nonzero_bits(a, start)


@numba.njit
def compiled_lowest(bits):
    return numba_product.lowest_one(bits)


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="slow as plain Python")
@pytest.mark.parametrize("N, D", [(3000, 784), (784, 3000)])
def test_the_lists_of_many_rows_stay_small(N, D):
    """They are made for a million numbers at a time; and a row's numbers do not depend on how many others there are."""
    x, rng = drawn(3, N, D, 0.05)
    W, y = rng.standard_normal((D, 128)).astype(np.float32), np.full((N, 128), np.nan, np.float32)
    tracemalloc.start()
    assert numba_product.product_skipping_zeros(x, W, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 8 * 900_000 < peak < 8 * 1_100_000  # without that, 8 * 2_352_000
    assert_product(y, x, W)
    alone = np.empty((40, 128), np.float32)
    for n in (0, 330, N - 40):
        assert numba_product.product_skipping_zeros(x[n : n + 40], W, alone)
        np.testing.assert_array_equal(alone, y[n : n + 40])
    W[D - 1, 100] = np.inf
    assert not numba_product.product_skipping_zeros(x, W, y)


def test_same_bits_each_time():
    x, rng = drawn(2, 100, 300, 0.2)
    W, b = rng.standard_normal((300, 130)).astype(np.float32), np.zeros(130, np.float32)
    first = numba_ops.affine(x, W, b)
    for _ in range(3):
        np.testing.assert_array_equal(numba_ops.affine(x, W, b), first)


# --- convolution: the tiles at every size, and several threads -------------------------------------------------------


def convolved(ops, x, W, b, dy, stride, padding):
    """y, dx, dW and db of a convolution."""
    dW, db = np.full_like(W, np.nan), np.full_like(b, np.nan)
    y = ops.conv2d(x, W, b, stride, padding)
    return y, ops.conv2d_backward(dy, x, W, dW, db, stride, padding), dW, db


def drawn_images(seed, N, size, kernel, C, n_out, stride, padding):
    rng = np.random.default_rng(seed)
    count = [(n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding)]
    shapes = (N, *size, C), (*kernel, C, n_out), (n_out,), (N, *count, n_out)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


channels = st.integers(1, 70) | st.integers(1, 8)  # of few, neighbours are made together
pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))


@settings(max_examples=15 if numba.config.DISABLE_JIT else 150)
@given(
    seed=st.integers(0, 2**32), N=st.integers(1, 3), more=st.tuples(st.integers(0, 12), st.integers(0, 12)),
    kernel=pairs, C=channels, n_out=channels, stride=pairs, padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)  # fmt: skip
def test_convolutions_of_any_size(seed, N, more, kernel, C, n_out, stride, padding):
    size = tuple(max(k + n - 2 * p, 1) for k, n, p in zip(kernel, more, padding))
    if min(n + 2 * p - k for n, p, k in zip(size, padding, kernel)) < 0:
        return
    arrays = drawn_images(seed, N, size, kernel, C, n_out, stride, padding)
    around = tuple((p, p) for p in padding)
    got = convolved(numba_ops, *arrays, stride, around)
    exact = convolved(numpy_ops, *(a.astype(np.float64) for a in arrays), stride, around)
    sizes = convolved(numpy_ops, *(np.abs(a).astype(np.float64) for a in arrays), stride, around)
    terms = [np.prod(kernel) * C + 1, np.prod(kernel) * n_out, *2 * [arrays[3].size // n_out]]
    for a, b, size_of_terms, count in zip(got, exact, sizes, terms):  # as in assert_product
        assert (np.abs(a - b) <= (count + 1) * EPS * size_of_terms).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [0, 3])
def test_what_is_not_finite_stays_in_its_windows(where, bad):
    """Neighbours that are made together meet each other's pixels with zeros: 0 times infinity must not be seen."""
    arrays = drawn_images(0, 2, (6, 8), (3, 3), 2, 3, (1, 1), (1, 1))
    arrays[where][1, 2, 3, 0] = bad
    with np.errstate(invalid="ignore"):
        results = [convolved(ops, *arrays, (1, 1), ((1, 1), (1, 1))) for ops in (numba_ops, numpy_ops)]
    for got, right in zip(*results):
        np.testing.assert_allclose(got, right, rtol=1e-4, atol=1e-4)  # NaN and infinity at the same places, too


def test_images_are_shared_out_among_threads(monkeypatch):
    """y and dx are the same bits, whatever the number of threads; dW and db for the same number."""
    arrays = drawn_images(0, 7, (9, 8), (3, 3), 5, 20, (2, 1), (1, 1))
    monkeypatch.setattr(threads, "WORTH", 1)
    results = []
    for count in (1, 2, 3, 3, 16):
        monkeypatch.setattr(threads, "COUNT", count)
        threads._forget()
        results.append(convolved(numba_ops, *arrays, (2, 1), ((1, 1), (1, 1))))
    assert [len(threads.shares(7, work)) for work in (0, 1, 2, 100)] == [1, 1, 2, 7]
    assert threads.shares(200, 3, 64) == [(0, 64), (64, 128), (128, 200)]
    for result in results:
        assert np.array_equal(result[0], results[0][0]) and np.array_equal(result[1], results[0][1])
        np.testing.assert_allclose(result[2], results[0][2], rtol=1e-4, atol=1e-4)  # sums of 7 parts in another order
    assert all(np.array_equal(a, b) for a, b in zip(results[2], results[3]))
    threads._forget()


def test_rows_are_shared_out_among_threads(monkeypatch, rng):
    """Batch normalization and activations: near what is exact, and the same bits for the same number of threads."""
    drawn = [
        *(rng.standard_normal((2, 1003, 5)).astype(np.float32) + 3),
        *rng.standard_normal((2, 5)).astype(np.float32),
    ]

    def results(ops, dtype):
        x, dy, g, b = (a.astype(dtype) for a in drawn)
        mean, var = ops.batch_statistics(x)
        dg, db = np.empty_like(g), np.empty_like(g)
        dx = ops.batch_norm_backward(dy, x, g, mean, var, dg, db, 1e-5)
        y = ops.batch_norm(x, g, b, mean, var, 1e-5)
        return [mean, var, y, dx, dg, db, ops.relu(y), ops.relu_backward(dy, ops.relu(y)), ops.tanh(y)]

    monkeypatch.setattr(threads, "WORTH", 1)
    for count in (2, 5):
        monkeypatch.setattr(threads, "COUNT", count)
        threads._forget()
        got, again = results(numba_ops, np.float32), results(numba_ops, np.float32)
        for a, exact, b in zip(got, results(numpy_ops, np.float64), again):
            np.testing.assert_allclose(a, exact, rtol=1e-4, atol=1003 * 20 * EPS)  # sums of 1003, up to 20 each
            assert np.array_equal(a, b)
    threads._forget()


def test_an_error_in_a_thread_is_raised(monkeypatch):
    def run(first, end):
        if first == 1:
            raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        threads.on_all(run, [(0, 1), (1, 2)])
