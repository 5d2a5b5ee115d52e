"""The strict stand-in for CuPy: what it must refuse, what it must compute, what it must count."""

from __future__ import annotations

import copy
import pickle
import warnings

import fake_cupy
import numpy as np
import pytest
from fake_cupy import counting, no_sync

xp = fake_cupy.module
SPECIAL = [0.0, -0.0, 1.0, -1.5, 3e-5, 88.0, 2e30, -2e30, np.inf, -np.inf, np.nan]


def device(values, dtype="float32"):
    return xp.asarray(np.array(values, dtype))


def same(a, b):
    """Equal to the last bit, dtype and sign of zero included; any NaN is NaN."""
    a = a.get() if isinstance(a, xp.ndarray) else a
    np.testing.assert_array_equal(a, b, strict=True)
    np.testing.assert_array_equal(np.signbit(a) & ~np.isnan(a), np.signbit(b) & ~np.isnan(b))


# --- what is refused -------------------------------------------------------------------------------------------------

a, host = device([1, 2, 3]), np.ones(3, "float32")
ids = device([0, 2], "int64")
half = xp.ElementwiseKernel("T x", "T y", "y = x / 2", "half")


@pytest.mark.parametrize(
    "act, error, message",
    [
        # NumPy meets a device array
        (lambda: np.asarray(a), TypeError, "Implicit conversion to a NumPy array is not allowed"),
        (lambda: np.array([a, a]), TypeError, "Implicit conversion"),
        (lambda: np.exp(a), TypeError, "np.exp got a cupy.ndarray"),
        (lambda: np.sum(a), TypeError, "np.sum got a cupy.ndarray"),
        (lambda: np.multiply(2.0, a), TypeError, "np.multiply got a cupy.ndarray"),
        (lambda: np.add.at(a, 0, 1), TypeError, "np.add got a cupy.ndarray"),
        (lambda: memoryview(a), TypeError, "bytes-like"),
        # a device array meets NumPy
        (lambda: a + host, TypeError, "Unsupported type <class 'numpy.ndarray'>"),
        (lambda: host + a, TypeError, "Unsupported type <class 'numpy.ndarray'>"),
        (lambda: a.__iadd__(host), TypeError, "Unsupported type"),
        (lambda: host.__iadd__(a), TypeError, "Unsupported type"),
        (lambda: a == host, TypeError, "Unsupported type"),
        (lambda: xp.dot(a, host), TypeError, "Unsupported type"),
        (lambda: xp.exp(host), TypeError, "Unsupported type"),
        (lambda: xp.exp(a, out=host), TypeError, "Output arguments type must be cupy.ndarray"),
        (lambda: xp.sum(a, out=host), TypeError, "Output arguments type must be cupy.ndarray"),
        (lambda: xp.where(a > 1, host, a), TypeError, "Unsupported type"),
        (lambda: xp.clip(a, host, None), TypeError, "Unsupported type"),
        (lambda: xp.concatenate([a, host]), TypeError, "Only cupy arrays"),
        (lambda: xp.take(a, np.array([0])), TypeError, "Unsupported type"),
        (lambda: xp.copyto(a, host), TypeError, "Unsupported type"),
        (lambda: half(host), TypeError, "Unsupported type <class 'numpy.ndarray'>"),
        (lambda: half(a, host), TypeError, "Unsupported type"),
        (lambda: a.__setitem__(slice(None), host), TypeError, "Unsupported type"),
        (lambda: a[np.array([0])], TypeError, "as an index"),
        (lambda: a[[0, 1]], TypeError, "as an index"),
        (lambda: a.set([1, 2, 3]), TypeError, "numpy.ndarray"),
        (lambda: a.set(np.ones(3)), TypeError, "numpy.ndarray of float32"),
        (lambda: device(np.ones((4, 4)))[::2, ::2].set(np.ones((2, 2), "float32")), RuntimeError, "non-contiguous"),
        (lambda: xp.asarray([None]), ValueError, "Unsupported dtype object"),
        # no error on a GPU, but harm
        (lambda: a[device([3], "int64")], IndexError, "out of bounds"),
        (lambda: a.take(device([-4], "int64")), IndexError, "out of bounds"),
        (lambda: a.__setitem__(device([0, 0], "int64"), device([1, 2])), IndexError, "duplicate indices"),
        (lambda: a.__setitem__(slice(1, None), a[:-1]), ValueError, "overlap"),
        (lambda: ids.__setitem__(0, 1.5), TypeError, "cannot store float64 in int64"),
        (lambda: half(a[:-1], a[1:]), ValueError, "x and y overlap"),
        # out=
        (lambda: xp.dot(a[:, None], a[None], out=xp.empty((3, 3), "float64")), ValueError, "dtype combination"),
        (lambda: xp.dot(a[:, None], a[None], out=xp.empty((3, 3), "float32").T), ValueError, "must be C-contiguous"),
        (lambda: xp.dot(a[:, None], a[None], out=xp.empty(9, "float32")), ValueError, "invalid shape"),
        # arguments that NumPy has and CuPy has not
        (lambda: xp.exp(a, where=a > 0), TypeError, "where"),
        (lambda: xp.sum(a, where=a > 0), TypeError, "where"),
        (lambda: a.max(initial=0), TypeError, "initial"),
        (lambda: xp.concatenate(arrays=[a, a]), TypeError, "argument"),
        # names
        (lambda: xp.errstate, AttributeError, "cupy has no attribute 'errstate'"),
        (lambda: xp.einsum, fake_cupy.NotInStandIn, "the stand-in does not implement cupy.einsum yet"),
        (lambda: a.setflags, AttributeError, "has no attribute 'setflags'"),
        (lambda: a.cumsum(), AttributeError, "does not implement cupy.ndarray.cumsum yet"),
        (lambda: a.flags.writeable, AttributeError, "writeable"),
        (lambda: xp.linalg.matrix_transposed, AttributeError, "cupy.linalg has no attribute"),
        (lambda: xp.cuda.malloc, AttributeError, "cupy.cuda has no attribute 'malloc'"),
        (lambda: xp.random.normal, AttributeError, "does not implement cupy.random.normal yet"),
        (lambda: xp.random.default_rng(1).permutation(3), AttributeError, "cupy.Generator has no attribute"),
        (lambda: xp.random.default_rng(1).random(3), AttributeError, "does not implement cupy.Generator.random yet"),
        (lambda: xp.ReductionKernel, fake_cupy.NotInStandIn, "ReductionKernel"),
        # an array without dimensions is no index; and no attributes of one's own
        (lambda: range(ids[0]), TypeError, "integer"),
        (lambda: setattr(a, "name", "a"), AttributeError, "name"),
        (lambda: hash(a), TypeError, "unhashable"),
    ],
)
def test_refuses(act, error, message):
    with pytest.raises(error, match=message):
        act()
    same(a, np.array([1, 2, 3], "float32"))


def test_numba_kernels_cannot_read_device_arrays():
    numba = pytest.importorskip("numba")
    with pytest.raises(numba.TypingError):
        numba.njit(lambda x: x[0])(a)


# --- what is computed ------------------------------------------------------------------------------------------------


def test_functions_are_numpy_s():
    x, y = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
    X, Y = xp.asarray(x), xp.asarray(y)
    same(xp.exp(X) + Y * 2 - 1, np.exp(x) + y * 2 - 1)
    same(2 / (1 + abs(X)) ** 2, 2 / (1 + abs(x)) ** 2)
    same(np.float32(2) * X - np.float64(1), np.float32(2) * x - np.float64(1))  # the last makes it float64, as in CuPy
    same(X @ Y.T, x @ y.T)
    same(xp.matmul(X.T, Y), x.T @ y)
    same(xp.tensordot(X, Y, axes=([0], [0])), np.tensordot(x, y, axes=([0], [0])))
    same(xp.where(X > 0, X, 0), np.where(x > 0, x, 0))
    same(xp.maximum(X, 0), np.maximum(x, 0))
    same(xp.clip(X, -1, None), np.clip(x, -1, None))
    same(xp.take_along_axis(X, xp.argmax(X, axis=1, keepdims=True), 1), x.max(axis=1, keepdims=True))
    same(xp.concatenate([X, Y], axis=1), np.concatenate([x, y], axis=1))
    same(xp.stack((X, Y)), np.stack((x, y)))
    same(xp.linalg.norm(X, axis=0), np.linalg.norm(x, axis=0))
    same(X.std(axis=0), x.std(axis=0))
    same(xp.full((2, 2), 7, dtype=xp.int32), np.full((2, 2), 7, dtype="int32"))
    same(xp.arange(4), np.arange(4))
    same(xp.empty((0, 3)).mean(axis=0), np.full(3, np.nan))
    same(X[1:, ::2], x[1:, ::2])
    same(X[:, None].astype(xp.float64).reshape(3, -1), x[:, None].astype("float64").reshape(3, -1))
    same(X[xp.arange(4), device([0, 1, 2, 0], "int64")], x[np.arange(4), [0, 1, 2, 0]])
    same(X[X > 0], x[x > 0])
    assert xp.get_array_module(X) is xp and xp.get_array_module(x) is np
    assert (X.shape, X.dtype, X.ndim, X.size, X.nbytes, X.strides) == ((4, 3), np.float32, 2, 12, 48, (12, 4))


def test_results_are_arrays_and_never_numbers():
    for result in (a.sum(), a[0], a.max(), xp.dot(a, a), xp.count_nonzero(a), a.argmax(), xp.isnan(a).any(), -a[0]):
        assert type(result) is xp.ndarray and result.shape == ()
    assert repr(a.sum() / 4) == "array(1.5, dtype=float32)"


def test_out_and_views_write_into_the_array():
    flat = xp.zeros(6, dtype=xp.float32)
    W, b = flat[:4].reshape(2, 2), flat[4:]
    W += 1
    assert xp.sum(W, axis=0, out=b) is b
    W[0, 0] = 5
    W[1] -= a[:2]
    xp.dot(W, W, out=W)
    same(flat, np.array([25, 4, 0, 1, 2, 2], "float32"))
    assert xp.may_share_memory(flat, b) and not xp.shares_memory(W, b)
    same(copy.deepcopy(W), W.get())
    same(pickle.loads(pickle.dumps(b)), b.get())
    W.set(np.zeros((2, 2), "float32"))
    b.fill(3)
    same(flat, np.array([0, 0, 0, 0, 3, 3], "float32"))


def test_fresh_memory_is_poisoned():
    assert np.isnan(xp.empty((2, 2)).get()).all()
    assert (xp.empty_like(ids).get() == np.iinfo(np.int64).max).all()


# --- element-wise kernels --------------------------------------------------------------------------------------------

KERNELS = {
    "x <= 0 ? T(0) : x": lambda x, y: np.where(x <= 0, x.dtype.type(0), x),
    "x > 0 ? (x > y ? x : y) : -x": lambda x, y: np.where(x > 0, np.where(x > y, x, y), -x),
    "x > 0 ? T(1) : x < 0 ? T(-1) : x": lambda x, y: np.where(x > 0, 1, np.where(x < 0, -1, x)).astype(x.dtype),
    "x == 0 ? T(0) : x * log(fabs(x))": lambda x, y: np.where(x == 0, x.dtype.type(0), x * np.log(abs(x))),
    "(x >= 0 ? T(1) : exp(x)) / (T(1) + exp(-abs(x)))": lambda x, y: (
        np.where(x >= 0, x.dtype.type(1), np.exp(x)) / (1 + np.exp(-abs(x)))
    ),
    "isnan(x) || !isfinite(y) ? -1.5f : x - y - 1": lambda x, y: np.where(
        np.isnan(x) | ~np.isfinite(y), -1.5, x - y - 1
    ).astype(x.dtype),
    "x * 0.1 + y": lambda x, y: (x * np.float64(0.1) + y.astype("float64")).astype(x.dtype),  # 0.1 is double
    "x * 0.1f + y": lambda x, y: (x * np.float32(0.1) + y).astype(x.dtype),
    "1 / 2 * x + 7 / -2": lambda x, y: 0 * x - 3,  # integers
    "(T)1 / (T)3 * x": lambda x, y: x.dtype.type(1) / x.dtype.type(3) * x,
    "sqrt(x) + log1p(y) - expm1(x) * tanh(y)": lambda x, y: np.sqrt(x) + np.log1p(y) - np.expm1(x) * np.tanh(y),
    "x - -y * (2 + 1e-3f)": lambda x, y: (x - -y * np.float32(2.001)).astype(x.dtype),
    "x < y && y != 1 || false": lambda x, y: ((x < y) & (y != 1)).astype(x.dtype),
    "(x > 0) * 3 - i": lambda x, y: ((x > 0) * 3 - np.arange(x.size).reshape(x.shape)).astype(x.dtype),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", KERNELS)
def test_kernel_evaluates_like_c(expression, dtype):
    kernel = xp.ElementwiseKernel("T x, T y", "T z", f"z = {expression}", "test")
    x, y = np.array(np.meshgrid(SPECIAL, SPECIAL), dtype)
    got = kernel(xp.asarray(x), xp.asarray(y))
    with np.errstate(all="ignore"):
        expected = KERNELS[expression](x, y)
    np.testing.assert_array_equal(got.get(), expected, strict=True)


def test_kernel_statements_in_place_and_broadcasting():
    kernel = xp.ElementwiseKernel(
        "T g, T lr, bool nesterov, int64 k",
        "T w, T v",
        """T step = lr * g;  // a comment
        v = v * T(0.5) - step; float two = 2;
        w += nesterov ? v / two : v; w -= k; w *= two; ;""",
        "step",
    )
    g, w, v = np.array([[1.0, 2, 3]]), np.full((2, 3), 10.0), np.arange(6.0).reshape(2, 3)
    W, V = xp.asarray(w), xp.asarray(v)
    results = kernel(xp.asarray(g), 0.1, True, np.int32(3), W, V)
    v = v * 0.5 - 0.1 * g
    same(W, (w + v / 2 - 3) * 2)
    same(V, v)
    assert results[0] is W and results[1] is V
    only = xp.ElementwiseKernel("T x, float32 c", "T y, bool big", "y = x + c; big = y > 2", "only")
    y, big = only(xp.arange(3.0)[:, None] + xp.zeros(2), 0.1)
    same(y[:, 0], np.arange(3.0) + np.float32(0.1))
    same(big[:, 1], np.array([False, False, True]))
    assert half(xp.zeros((0, 3))).shape == (0, 3)
    x = xp.arange(4.0)
    assert half(x, x) is x  # each thread reads what it writes itself
    same(x, np.arange(4) / 2)


def test_kernel_reads_raw_arrays_where_it_gets_there():
    kernel = xp.ElementwiseKernel(
        "raw T x, int32 k", "T y", "y = k >= 0 && x[k] > 0 ? x[k] : k < 0 ? T(0) : x[0]", "gather"
    )
    x = np.array([[5.0, -1.0], [2.0, 4.0]])
    same(kernel(xp.asarray(x).T, device([-1, 0, 1, 2, 3], "int32")), np.array([0.0, 5, 2, 5, 4]))
    with pytest.raises(IndexError, match="reads outside of x"):
        kernel(xp.asarray(x), device([4], "int32"))
    safe = xp.ElementwiseKernel("int32 a, int32 b", "int32 c", "c = b == 0 ? 0 : a / b", "divide_or_0")
    same(safe(device([-7, 7, 1], "int32"), device([2, -2, 0], "int32")), np.array([-3, -3, 0], "int32"))
    with pytest.raises(ZeroDivisionError):
        xp.ElementwiseKernel("int32 a", "int32 c", "c = 1 / a", "divide")(xp.zeros(2, dtype="int32"))


def test_kernel_arithmetic_is_c_s_and_not_numpy_s():
    kernel = xp.ElementwiseKernel("T x, int64 n", "float64 y", "y = x / n", "c")  # float / long long is float in C
    assert kernel(device([1.0]), 3).item() == np.float64(np.float32(1) / np.float32(3))


@pytest.mark.parametrize(
    "source, message",
    [
        ("y = z", "unknown or misplaced: 'z'"),
        ("y = sin(x)", "unknown or misplaced: 'sin'"),
        ("z = x", "cannot assign to 'z', which is unknown"),
        ("x = y", "cannot assign to 'x', which is constant"),
        ("T x = y", "cannot declare 'x'"),
        ("y = NAN", "unknown"),
        ("int64 k = 1; y = k", "expected an assignment"),
        ("y = x +", "unknown or misplaced: 'the end'|expected 'more'"),
        ("y = (x", r"expected '\)'"),
        ("y = x ? 1", "expected ':'"),
        ("y = x y = x", "expected ';'"),
        ("y = x[0]", "expected ';'"),
        ("y = 1f", "unknown or misplaced: '1f'"),
        ("y = 2x", "unknown or misplaced: '2x'"),
        ("y = x % 2", "subset"),
        ("if (x > 0) y = x", "expected an assignment"),
        ("y++", "expected an assignment"),
        ("y", "expected"),
        ("T t; y = t", "expected an assignment"),
    ],
)
def test_kernel_refuses_source(source, message):
    with pytest.raises(fake_cupy.KernelError, match=message):
        xp.ElementwiseKernel("T x", "T y", source, "bad")


def test_kernel_refuses_arguments():
    add = xp.ElementwiseKernel("T x, T y, int64 n", "T z", "z = x + y * n", "add")
    double = a.astype(xp.float64)
    for arguments, error in [
        ((a, double, 1), TypeError),  # what is T?
        ((a, a, 1, double), TypeError),
        ((a, a, ids[:1].astype(xp.int32)), TypeError),  # an int32 array is no int64
        ((1.0, 2.0, 3), ValueError),  # how many threads?
        ((a, a, 1.5), TypeError),
        ((a, a), TypeError),
        ((a, a, 1, None), TypeError),
        ((a, a, 1, 2.0), TypeError),
        ((a[:, None], a, 1, xp.empty_like(a)), ValueError),
        ((a, a[:2], 1), ValueError),
    ]:
        with pytest.raises(error):
            add(*arguments)
    for parameters in ("T x, T i", "T x, T x", "T x, T exp", "T x, T", "T x, nothing y"):
        with pytest.raises((ValueError, TypeError)):
            xp.ElementwiseKernel(parameters, "T z", "z = x", "bad")
    with pytest.raises(ValueError, match="reserved"):
        xp.ElementwiseKernel("T x", "T y", "y = x", "tanh")


# --- what is counted -------------------------------------------------------------------------------------------------


def test_counting():
    with counting() as c:
        x = xp.asarray(np.ones((3, 4), "float32"))
        assert (c.launches, c.h2d, c.d2h) == (0, 1, 0)
        y = xp.exp(x) + 1
        y *= 2
        half(y)
        y.sum(axis=0)
        y[xp.arange(3), 0] = 0  # two: arange, the copy
        assert (c.launches, c.h2d, c.d2h) == (7, 1, 0)
        _ = y.T, y[1:], y.reshape(4, 3), y.ravel(), y.shape, len(y), xp.empty(3)
        assert c.launches == 7
        with counting() as inner:
            y.T.ravel()
            xp.fuse()(lambda v: xp.sqrt(v) + v)(y)
        assert (inner.launches, inner.h2d, inner.d2h) == (2, 0, 0)
        assert c.launches == 9
        y.set(np.zeros((3, 4), "float32"))
        assert (c.h2d, c.d2h) == (2, 0)
        xp.asnumpy(y)
    assert c.d2h == 1
    y.get()
    assert c.d2h == 1


@pytest.mark.parametrize(
    "act",
    [
        lambda: float(a.sum()), lambda: int(a.sum()), lambda: bool(a[0] > 0), lambda: a[0].item(), lambda: repr(a),
        lambda: str(a), lambda: f"{a[0]:.3f}", lambda: a.tolist(), lambda: a.get(), lambda: xp.asnumpy(a),
        lambda: a[a > 0], lambda: xp.where(a > 0), lambda: xp.shares_memory(a, a), lambda: 1.0 in a,
        lambda: pickle.dumps(a), lambda: xp.cuda.Device(0).synchronize(), lambda: xp.cuda.Stream.null.synchronize(),
        lambda: xp.cuda.get_current_stream().synchronize(),
    ],
)  # fmt: skip
def test_waiting_is_counted_and_can_be_forbidden(act):
    with counting() as c:
        act()
    assert c.d2h == 1
    with no_sync(), pytest.raises(RuntimeError, match="device synchronised"):
        act()
    with no_sync():
        (a + 1).sum()
    act()


# --- the real package ------------------------------------------------------------------------------------------------


def test_module():
    assert xp.__version__ == "14.2.0" and xp.__name__ == "cupy" and xp.ndarray is fake_cupy.ndarray
    assert xp.cuda.is_available() and xp.cuda.runtime.getDeviceCount() == 1
    assert (xp.float32, xp.bool_, xp.newaxis, xp.pi) == (np.float32, np.bool_, None, np.pi)
    assert f"{type(a).__module__}.{type(a).__name__}" == "cupy.ndarray"
    for key in fake_cupy.WRAPPED:
        fake_cupy.signature(key)


def test_recorded_names_are_those_of_the_real_package():
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import cupy
    except ImportError:
        pytest.skip("CuPy is not installed")
    if cupy.__version__ != fake_cupy.NAMES["version"]:
        pytest.skip(f"CuPy {cupy.__version__} is not the recorded {fake_cupy.NAMES['version']}")
    assert fake_cupy.recorded() == fake_cupy.NAMES
