"""Every op of every backend against the textbook: all values, layouts and sizes."""

from __future__ import annotations

import inspect
import pickle
import re
import subprocess
import sys
import types

import fake_cupy
import numba
import numpy as np
import pytest
from conftest import ALL, LIMIT, STRICT, load_backend
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinynn import MSE, Affine, Layer, Sequential, backends, flatten
from tinynn.backends import numpy as numpy_ops
from tinynn.backends.numba import compile as numba_compile
from tinynn.backends.numba import elementary

OPS = [name for name, f in vars(numpy_ops).items() if inspect.isfunction(f) and not name.startswith("_")]
OPS.remove("asarray")
OPS.remove("to_numpy")
OPS.remove("dropout_mask")  # drawn on the CPU by all
BY_X = {"leaky_relu": [0.3], "elu": [0.7], "gelu": [], "gelu_tanh": [], "silu": [], "softplus": []}  # and backward by x
IMAGE_OPS = [op for op in OPS if op.startswith(("conv2d", "max_pool2d", "avg_pool2d", "global_avg_pool"))]
SUMS = (
    "affine",
    "conv2d",
    "batch",
    "avg_pool2d",
    "global_avg_pool",
)  # of products and numbers, in an order of their own
OTHERS = [backend for backend in ALL if backend != "numpy"]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.625, 1e-30, -1e-30, 88.0, -88.0, 1e10, 1e30, -1e30, np.inf, -np.inf, np.nan]


@pytest.fixture(params=OTHERS, scope="module")
def other(request):
    """Each backend but the textbook, as a module."""
    return load_backend(request.param)


class Arguments:
    """Draws an op's arguments by their names; "finite" or with special values, contiguous or not, all read-only."""

    def __init__(self, data, dtype, finite):
        self.data, self.dtype, self.finite = data, np.dtype(dtype), finite
        self.N, self.D, self.H = (data.draw(st.integers(least, 5)) for least in (0, 1, 1))

    def array(self, *shape):
        normal = st.floats(-4, 4, width=32, allow_subnormal=False)
        elements = normal if self.finite else normal | st.sampled_from([np.float32(v) for v in SPECIAL])
        layout = self.data.draw(st.sampled_from(["C", "F", "strided"]))
        drawn = self.data.draw(hnp.arrays(np.float32, shape, elements=elements)).astype(self.dtype)
        if layout == "strided":
            wide = np.full((*shape[:-1], 2 * shape[-1]), np.nan, self.dtype)
            wide[..., ::2] = drawn
            drawn = wide[..., ::2]
        drawn = np.asarray(drawn, order="F") if layout == "F" else drawn
        drawn.flags.writeable = False
        return drawn

    def of(self, op):
        """(arguments, indices of those that the op writes)."""
        N, D, H = self.N, self.D, self.H
        if op == "affine":
            return [self.array(N, D), self.array(D, H), self.array(H)], []
        if op == "affine_backward":
            need_dx = self.data.draw(st.booleans())
            out = [np.full(shape, np.nan, self.dtype) for shape in ((D, H), (H,))]
            return [self.array(N, H), self.array(N, D), self.array(D, H), *out, need_dx], [3, 4]
        if op in IMAGE_OPS:
            return self.of_images(op)
        if op in BY_X:
            return [self.array(N, D), *BY_X[op]], []
        if op.removesuffix("_backward") in BY_X:
            return [self.array(N, D), self.array(N, D), *BY_X[op.removesuffix("_backward")]], []
        if op in ("mae", "huber"):
            return [self.array(N, D), self.array(N, D), *([0.7] if op == "huber" else [])], []
        if op == "binary_cross_entropy":
            return [self.array(N, D), np.abs(self.array(N, D)) / 4], []
        if op == "batch_statistics":
            return [self.array(N + 1, D)], []
        if op.startswith("batch_norm"):
            g, mean, var = self.array(D), self.array(D), np.abs(self.array(D)) + self.dtype.type(0.5)
            if op == "batch_norm":
                return [self.array(N, D), g, self.array(D), mean, var, 1e-5], []
            out = [np.full(D, np.nan, self.dtype) for _ in range(2)]
            return [self.array(N + 1, D), self.array(N + 1, D), g, mean, var, *out, 1e-5], [5, 6]
        if op == "rmsprop_step":
            params, grads, v = np.array(self.array(D)), self.array(D), np.abs(self.array(D))
            return [params, grads, v, 0.001, 0.9, 1e-8, self.data.draw(st.sampled_from([0, 0.1]))], [0, 2]
        if op.endswith("_backward"):
            with np.errstate(all="ignore"):
                y = getattr(numpy_ops, op.removesuffix("_backward"))(self.array(N, D))
            return [self.array(N, D), y], []
        if op == "mse":
            return [self.array(N, D), self.array(N, D)], []
        if op == "softmax_cross_entropy":
            if self.data.draw(st.booleans()):
                kind = self.data.draw(st.sampled_from([np.int64, np.int32, np.uint8]))
                return [self.array(N, H), self.data.draw(hnp.arrays(kind, N, elements=st.integers(0, H - 1)))], []
            weights = self.data.draw(hnp.arrays(np.int64, (N, H), elements=st.integers(0, 3))) + np.eye(N, H, dtype=int)
            weights[:, 0] += weights.sum(axis=1) == 0
            return [self.array(N, H), (weights / weights.sum(axis=1, keepdims=True)).astype(self.dtype)], []
        if op == "gaussian_nll":
            return [self.array(N, 2 * D), self.array(N, D)], []
        if op == "sgd_step":
            writes = [np.array(self.array(D)), self.array(D), np.array(self.array(D))]
            return [*writes, 0.1, 0.9, self.data.draw(st.booleans()), 0.01], [0, 2]
        if op == "adam_step":
            params, grads, m, v = (np.array(self.array(D)) for _ in range(4))
            grads.flags.writeable = False
            t = self.data.draw(st.sampled_from([1, 2, 1000]))
            return [
                params,
                grads,
                m,
                np.abs(v),
                t,
                0.001,
                0.9,
                0.999,
                1e-8,
                self.data.draw(st.sampled_from([0, 0.1])),
            ], [0, 2, 3]
        return [self.array(N, D)], []

    def of_images(self, op):
        """An image of a few pixels, and windows that fit into it."""
        N, C, K = self.N, self.D, self.H
        size = H, V = tuple(self.data.draw(st.integers(3, 5)) for _ in range(2))
        kernel, stride = (tuple(self.data.draw(st.integers(1, 3)) for _ in range(2)) for _ in range(2))
        around = tuple((self.data.draw(st.integers(0, k // 2)), self.data.draw(st.integers(0, k // 2))) for k in kernel)
        P, Q = ((n + sum(a) - k) // s + 1 for n, a, k, s in zip(size, around, kernel, stride))
        x, windows = (N, H, V, C), (kernel, stride, around)
        if op == "global_avg_pool":
            return [self.array(*x)], []
        if op == "global_avg_pool_backward":
            return [self.array(N, C), x], []
        if op in ("max_pool2d", "avg_pool2d"):
            return [self.array(*x), *windows], []
        if op == "avg_pool2d_backward":
            return [self.array(N, P, Q, C), x, *windows], []
        if op == "max_pool2d_backward":
            places = self.data.draw(
                hnp.arrays(np.int16, (N, P, Q, C), elements=st.integers(0, kernel[0] * kernel[1] - 1))
            )
            return [self.array(N, P, Q, C), places, x, *windows], []
        W, b = self.array(*kernel, C, K), self.array(K) if self.data.draw(st.booleans()) else None
        if op == "conv2d":
            return [self.array(*x), W, b, stride, around], []
        out = [np.full(W.shape, np.nan, self.dtype), None if b is None else np.full(K, np.nan, self.dtype)]
        need_dx = self.data.draw(st.booleans())
        writes = [3] if b is None else [3, 4]
        return [self.array(N, P, Q, K), self.array(*x), W, *out, stride, around, need_dx], writes


def run(ops, op, arguments, writes):
    """All that the op gives, by return or by writing, as NumPy arrays."""
    moved = [
        ops.asarray(a.copy() if i in writes else a) if isinstance(a, np.ndarray) else a for i, a in enumerate(arguments)
    ]
    with np.errstate(all="ignore"):
        result = getattr(ops, op)(*moved)
    results = list(result) if isinstance(result, tuple) else [result]
    results += [moved[i] for i in writes]
    return [r if r is None or isinstance(r, float) else ops.to_numpy(r) for r in results]


def compare(other, op, arguments, writes, dtype):
    """The twin's results equal the textbook's within some units in the last place; NaN and the infinities exactly.

    Where numbers cancel, the unit is that of the arguments which did: 1 - y^2 has lost digits near y = 1, and a fused
    multiply-add loses others. So beside the relative error one of round-off of the arguments at that place will do.
    """
    got, expected = run(other, op, arguments, writes), run(numpy_ops, op, arguments, writes)
    eps = np.finfo(dtype).eps
    assert len(got) == len(expected)
    for a, b in zip(got, expected):
        if b is None:
            assert a is None
            continue
        assert np.shape(a) == np.shape(b)
        if not isinstance(b, float) and b.dtype.kind in "iu":  # the places of maxima
            np.testing.assert_array_equal(a, b, strict=True)
            continue
        assert isinstance(b, float) or a.dtype == dtype == b.dtype
        scale = np.full(np.shape(b), 80.0 if op.startswith("affine") else 1000.0 if op.startswith(SUMS) else 1.0)
        # sums of 5 products, 4 * 4 each, or of 9 times as many
        for argument in arguments:
            if isinstance(argument, np.ndarray) and argument.shape == np.shape(b):
                scale = np.fmax(scale, np.where(np.isfinite(argument), np.abs(argument), 1))
        np.testing.assert_allclose(a / scale, b / scale, rtol=32 * eps, atol=8 * eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", OPS)
@settings(max_examples=25)
@given(data=st.data())
def test_twin_equals_the_textbook(op, dtype, other, data):
    assume_another(other, op)
    arguments, writes = Arguments(data, dtype, finite=True).of(op)
    compare(other, op, arguments, writes, np.dtype(dtype))


def assume_another(other, op):
    """Skip where the op of another backend is the textbook's itself."""
    if getattr(other, op) is getattr(numpy_ops, op):
        pytest.skip("the textbook's")


ELEMENTWISE = [op for op in OPS if not op.startswith(SUMS)]  # infinities in sums of products depend on the order


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", ELEMENTWISE)
@settings(max_examples=25)
@given(data=st.data())
def test_twin_equals_the_textbook_on_special_values(op, dtype, other, data):
    """Zero, tiny, huge, infinite and NaN."""
    assume_another(other, op)
    arguments, writes = Arguments(data, dtype, finite=False).of(op)
    compare(other, op, arguments, writes, np.dtype(dtype))


@pytest.mark.parametrize("backend", ALL)
def test_same_names_same_arguments(backend):
    ops = load_backend(backend)
    for name in [*OPS, "asarray", "to_numpy"]:
        own, textbook = (inspect.signature(getattr(module, name)) for module in (ops, numpy_ops))
        assert list(own.parameters) == list(textbook.parameters), name
    assert hasattr(ops, "xp")


@pytest.mark.parametrize("backend", ALL)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_means_of_gradients_that_are_nearly_0_are_0(backend, dtype):
    """Below 1e-30, a v of Adam's below 1e-37; just above, they are kept. They are no denormal numbers then."""
    ops = load_backend(backend)
    means, squares = np.array([[1.01e-30, 0.99e-30, -1.01e-30, -0.99e-30], [1.01e-37, 0.99e-37, 0, 1e-20]], dtype)
    params, grads = np.ones(4, dtype), np.zeros(4, dtype)
    velocity = ops.asarray(means.copy())
    ops.sgd_step(ops.asarray(params), ops.asarray(grads), velocity, 0.1, 1.0, False, 0.0)
    np.testing.assert_array_equal(ops.to_numpy(velocity), means * [1, 0, 1, 0])
    m, v = ops.asarray(means.copy()), ops.asarray(squares.copy())
    ops.adam_step(ops.asarray(params), ops.asarray(grads), m, v, 1, 0.1, 0.99999, 0.99999, 1e-8, 0.0)
    np.testing.assert_allclose(ops.to_numpy(m), means * [1, 0, 1, 0], rtol=1e-4)
    np.testing.assert_allclose(ops.to_numpy(v), squares * [1, 0, 1, 1], rtol=1e-4)


@pytest.mark.parametrize("backend", ALL)
@pytest.mark.parametrize("op", ["relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_is_never_hidden(backend, op, dtype):
    """NaN in gives NaN out, in its place alone: forward, backward through y, and backward through dy.

    But for relu, whose slope asks of y alone whether it is above 0: a NaN there comes back with dy, from the loss.
    """
    ops = load_backend(backend)
    x = np.array([[1, np.nan, -1], [0, 2, -2]], dtype)
    y = getattr(ops, op)(ops.asarray(x))
    assert np.array_equal(np.isnan(ops.to_numpy(y)), np.isnan(x))
    ones = ops.asarray(np.ones_like(x))
    if op != "relu":
        assert np.array_equal(np.isnan(ops.to_numpy(getattr(ops, op + "_backward")(ones, y))), np.isnan(x))
    plain = getattr(ops, op)(ops.asarray(np.ones_like(x)))
    assert np.array_equal(np.isnan(ops.to_numpy(getattr(ops, op + "_backward")(ops.asarray(x), plain))), np.isnan(x))


@pytest.mark.parametrize("backend", ALL)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_nan_in_a_loss_is_never_hidden(backend, position):
    """One NaN score makes the loss NaN and its own row of the gradient, and no other row."""
    ops = load_backend(backend)
    y = np.ones((3, 3))
    y[1, position] = np.nan
    value, dy = ops.softmax_cross_entropy(ops.asarray(y), ops.asarray(np.array([0, 1, 2])))
    assert np.isnan(float(value))
    assert np.isnan(ops.to_numpy(dy)).all(axis=1).tolist() == [False, True, False]
    value, dy = ops.mse(ops.asarray(y), ops.asarray(np.ones((3, 3))))
    assert np.isnan(float(value)) and np.isnan(ops.to_numpy(dy)).sum() == 1


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("label", [-1, 3, 10**9, -(10**9)])
def test_labels_out_of_range_on_the_cpu(backend, label):
    """numba checks no bounds: without a check, 3 would write past the row and 10^9 end the process."""
    with pytest.raises(ValueError, match=rf"labels must be in 0..2 for 3 scores a row, not {label} \(in row 1\)"):
        load_backend(backend).softmax_cross_entropy(np.zeros((2, 3)), np.array([0, label]))


@pytest.mark.parametrize("label", [-1, 3, 10**9])
def test_labels_out_of_range_on_the_gpu_give_nan(label):
    ops = load_backend("stand-in")
    value, dy = ops.softmax_cross_entropy(ops.asarray(np.zeros((2, 3))), ops.asarray(np.array([0, label])))
    assert np.isnan(float(value))
    assert np.isnan(ops.to_numpy(dy)).all(axis=1).tolist() == [False, True]


def ulps(a, exact):
    """|a - exact| in units of the last place of `exact` as a float32; none where `exact` is below the normal numbers."""
    tiny = np.finfo(np.float32).tiny
    unit = np.spacing(np.maximum(np.abs(exact), tiny).astype(np.float32)).astype(np.float64)
    return np.where(np.abs(exact) < tiny, 0, np.abs(a.astype(np.float64) - exact) / unit)


def test_exp_inside_kernels_is_accurate_over_the_whole_range():
    """What numba/elementary.py states, at one in 1009 of all float32 numbers, of both signs, and around where e^x becomes 0."""
    ops = load_backend("numba")
    jit = numba.njit(**numba_compile.OPTIONS)

    @jit
    def exp_neg(x, y):
        for i in range(x.size):
            y[i] = elementary.exp_neg(x[i])

    near = np.nextafter(np.float32(-87.33654), np.float32([0, -100]))
    size = np.arange(0, 0x7F800000, 1009, dtype=np.uint32).view(np.float32)
    x = np.concatenate([-size, near, [-np.inf]]).astype(np.float32)
    exact, y = np.exp(x.astype(np.float64)), np.empty_like(x)
    exp_neg(x, y)
    assert ulps(y, exact).max() < 1.01
    assert (y[exact < np.finfo(np.float32).tiny] < 1.2e-38).all()  # 0, or the smallest normal number
    x = np.concatenate([x, size, [np.inf]]).astype(np.float32)
    with np.errstate(over="ignore"):
        sigmoid = 1 / (1 + np.exp(-x.astype(np.float64)))
    assert ulps(ops.sigmoid(x), sigmoid).max() < 1.5
    assert ulps(ops.tanh(x), np.tanh(x.astype(np.float64))).max() < 1.51


def test_what_a_call_returned_is_never_overwritten(cpu, rng):
    """Results are fresh arrays: a second call leaves those of the first alone."""
    ops = load_backend(cpu)
    x, W, b, t = rng.normal(size=(4, 3)), rng.normal(size=(3, 3)), rng.normal(size=3), np.array([0, 1, 2, 0])
    first = [ops.affine(x, W, b), ops.relu(x), ops.sigmoid(x), ops.tanh(x), ops.softmax_cross_entropy(x, t)[1]]
    kept = [a.copy() for a in first]
    for again in (ops.affine(2 * x, W, b), ops.relu(2 * x), ops.sigmoid(2 * x), ops.tanh(2 * x)):
        again[...] = 7
    assert all(np.array_equal(a, b) for a, b in zip(first, kept))


def right(op, N, D, H, rng, dtype):
    """Arguments of an op that fit; for each array its name and the axes whose size no other array shares."""
    arrays = {
        "affine": {"x": (N, D), "W": (D, H), "b": (H,)},
        "affine_backward": {"dy": (N, H), "x": (N, D), "W": (D, H), "dW": (D, H), "db": (H,)},
        "mse": {"y": (N, D), "t": (N, D), "weight": (N,)},
        "softmax": {"y": (N, D)},
        "softmax_cross_entropy": {"y": (N, D), "t": (N, D), "weight": (N,)},
        "softmax_cross_entropy of labels": {"y": (N, D), "t": (N,), "weight": (N,)},
        "softmax_cross_entropy of labels alone": {"y": (N, D), "t": (N,)},
        "gaussian_nll": {"y": (N, 2 * D), "t": (N, D), "weight": (N,)},
        "sgd_step": {"params": (D,), "grads": (D,), "velocity": (D,)},
        "adam_step": {"params": (D,), "grads": (D,), "m": (D,), "v": (D,)},
        "relu_backward": {"dy": (N, D), "y": (N, D)},
        "sigmoid_backward": {"dy": (N, D), "y": (N, D)},
        "tanh_backward": {"dy": (N, D), "y": (N, D)},
        **{f"{op}_backward": {"dy": (N, D), "x": (N, D)} for op in BY_X},
        **{op: {"y": (N, D), "t": (N, D)} for op in ("mae", "huber", "binary_cross_entropy")},
        "rmsprop_step": {"params": (D,), "grads": (D,), "v": (D,)},
        "batch_statistics": {"x": (N, D)},
        "batch_norm": {"x": (N, D), "g": (D,), "b": (D,), "mean": (D,), "var": (D,)},
        "batch_norm_backward": {
            "dy": (N, D),
            "x": (N, D),
            "g": (D,),
            "mean": (D,),
            "var": (D,),
            "dg": (D,),
            "db": (D,),
        },
    }[op]
    free = {("affine", "x"): {0}, ("softmax", "y"): {0, 1}}
    free |= {(op, "y"): {1} for op in ("softmax_cross_entropy of labels", "softmax_cross_entropy of labels alone")}
    rest = {
        "sgd_step": [0.1, 0.9, False, 0.0], "adam_step": [1, 0.001, 0.9, 0.999, 1e-8, 0.0], "huber": [0.7],
        "rmsprop_step": [0.001, 0.9, 1e-8, 0.0], "batch_norm": [1e-5], "batch_norm_backward": [1e-5],
        **{f"{op}_backward": extra for op, extra in BY_X.items()},
    }.get(op, [])  # fmt: skip
    free |= {("batch_statistics", "x"): {0, 1}, ("batch_norm", "x"): {0}}
    given = {name: rng.random(shape).astype(dtype) for name, shape in arrays.items()}
    if op == "softmax_cross_entropy":
        given["t"] /= given["t"].sum(axis=1, keepdims=True)
    elif op.startswith("softmax_cross_entropy"):
        given["t"] = np.zeros(N, int)
    return given, {name: free.get((op, name), set()) for name in arrays}, rest


def wrong_shapes(shape, free):
    """Shapes that an array of that shape must not have: shorter, longer, 1, none, turned, one axis more or fewer."""
    shapes = {(*shape, 1), (1, *shape), shape[1:], shape[:-1], (), (*shape, 3), shape[::-1]} - {shape}
    for axis in set(range(len(shape))) - free:
        sizes = {0, 1, shape[axis] - 1, shape[axis] + 1, 2 * shape[axis]} - {shape[axis]}
        shapes |= {(*shape[:axis], size, *shape[axis + 1 :]) for size in sizes}
    return sorted(
        other
        for other in shapes
        if len(other) != len(shape) or any(n != m and axis not in free for axis, (n, m) in enumerate(zip(other, shape)))
    )


def refused(ops, op, arguments):
    """The error that the op raises for them, once it is sure that nothing was written, in or around the arguments."""
    guard, held, given = 64, [], []
    for a in arguments:
        if isinstance(a, np.ndarray):
            held.append(np.concatenate([np.full(guard, 77, a.dtype), a.ravel(), np.full(guard, 77, a.dtype)]))
            a = held[-1][guard : guard + a.size].reshape(a.shape) if ops.xp is np else ops.asarray(a)
        given.append(a)
    before = [a.copy() for a in held]
    with pytest.raises((ValueError, TypeError)) as caught:
        getattr(ops, op)(*given)
    assert all(np.array_equal(a, b) for a, b in zip(held, before))
    return f"{type(caught.value).__name__}: {caught.value}"


FITTED = [op for op in OPS if op not in ("relu", "sigmoid", "tanh", *BY_X, *IMAGE_OPS)]  # those take any shape, and
# images are in test_images_that_do_not_fit_are_refused
FITTED += ["softmax_cross_entropy of labels", "softmax_cross_entropy of labels alone"]


@pytest.mark.parametrize("N, D, H", [(3, 4, 5), (64, 96, 150), (64, 40, 32), (1, 1, 1)])  # by each kind of product
@pytest.mark.parametrize("op", FITTED)
@pytest.mark.parametrize("backend", ALL)
def test_arrays_that_do_not_fit_are_refused(backend, op, N, D, H, rng):
    """Every argument of every op in every wrong shape and dtype: the textbook's error, and not a byte is written."""
    ops, name = load_backend(backend), op.partition(" ")[0]
    given, free, rest = right(op, N, D, H, rng, "float32")
    if op.startswith("affine"):
        given["x"] *= rng.random((N, D)) < 0.1  # past zeros, where the shape allows it
    getattr(ops, name)(*(ops.asarray(a.copy()) for a in given.values()), *rest)  # right as they are
    alone = sum(a.dtype.kind == "f" for a in given.values()) == 1  # y may be of either float, then
    for argument, a in given.items():
        cases = [np.resize(a, shape) for shape in wrong_shapes(a.shape, free[argument])]
        kinds = ["float64", "int32", "bool"] if a.dtype.kind == "f" else ["float32", "bool"]
        cases += [a.astype(kind) for kind in (kinds[1:] if alone and a.dtype.kind == "f" else kinds)]
        for case in cases:
            arguments = [*{**given, argument: case}.values(), *rest]
            error = refused(ops, name, arguments)
            assert f"Error: {name}: " in error and error == refused(numpy_ops, name, arguments)


def test_a_layer_with_its_weights_the_wrong_way_round(cpu):
    class Turned(Layer):
        parameters = ("W", "b")

        def __init__(self):
            self.W, self.b = np.ones((32, 5)), np.ones(32)

        def forward(self, x):
            return self.ops.affine(x, self.W, self.b)

    model = Sequential(Affine(9, 5), Turned(), backend=cpu, seed=0)
    with pytest.raises(ValueError, match=r"affine: W must have shape \(5, H\), not \(32, 5\)"):
        model.forward(np.ones((8, 9), np.float32))


class Shaped:
    """Has a shape, and is no array."""

    shape = (1, 1)


class Typed:
    """Has a dtype, and is no array."""

    dtype = np.dtype("float64")


@pytest.mark.parametrize("W", [[1.0], Shaped(), Typed(), None])
def test_an_argument_that_is_no_array_is_named(W):
    with pytest.raises(TypeError, match="affine: W must be an array, not .*(list|Shaped|Typed|None)"):
        numpy_ops.affine(np.ones((1, 1)), W, np.ones(1))


@pytest.mark.parametrize("act, message", [
    (lambda f: f.affine(np.ones((8, 5)), np.ones((9, 32)), np.ones(32)), "affine: W must have shape (5, H), not (9, 32)"),
    (lambda f: f.affine(np.ones((8, 5)), np.ones((5, 300)), np.ones(3)), "affine: b must have shape (300,), not (3,)"),
    (lambda f: f.affine(np.ones((8, 5, 1)), np.ones((5, 3)), np.ones(3)), "affine: x must have shape (N, D), not (8, 5, 1)"),
    (lambda f: f.gaussian_nll(np.ones((8, 5)), np.ones((8, 3))), "gaussian_nll: y must have shape (8, 6), not (8, 5)"),
    (lambda f: f.softmax_cross_entropy(np.ones((64, 5)), np.ones(2, int)), "softmax_cross_entropy: t must have shape (64,), not (2,)"),
    (lambda f: f.relu_backward(np.ones((2, 3)), np.ones((3, 2))), "relu_backward: dy must have shape (3, 2), not (2, 3)"),
    (lambda f: f.mse(np.ones((2, 3)), np.ones((2, 3), "f4")), "mse: t must be float64 like y, not float32"),
    (lambda f: f.mse(np.ones((2, 3)), np.ones((2, 3), int)), "mse: t must be of dtype float32 or float64, not int64"),
    (lambda f: f.softmax_cross_entropy(np.ones((2, 3)), np.ones(2)), "softmax_cross_entropy: t must hold whole numbers, not float64"),
])  # fmt: skip
def test_the_error_names_the_argument_and_both_shapes(act, message, cpu):
    with pytest.raises((ValueError, TypeError)) as caught:
        act(load_backend(cpu))
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", ["float16", "int64", "complex128"])
@pytest.mark.parametrize("op", ["relu", "sigmoid", "tanh"])
def test_what_no_kernel_takes_goes_the_textbook_s_way(op, kind, rng):
    x = rng.normal(0, 2, (3, 4)).astype(kind)
    np.testing.assert_array_equal(getattr(load_backend("numba"), op)(x), getattr(numpy_ops, op)(x), strict=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", ["affine", "affine_backward", "relu_backward", "softmax_cross_entropy of labels alone",
                                "sgd_step", "adam_step", "relu", "sigmoid", "tanh"])  # fmt: skip
def test_what_a_kernel_takes_does_not_go_the_textbook_s_way(op, dtype, rng, monkeypatch):
    """Which is right, but slower. An array that was pickled has a dtype that is equal to others, but not identical."""
    ops, name = load_backend("numba"), op.partition(" ")[0]
    given, _, rest = right(op, 3, 4, 5, rng, dtype) if op in FITTED else ({"x": np.ones((3, 4), dtype)}, {}, [])
    arguments = [*given.values(), *rest]
    expected = getattr(ops, name)(*(a.copy() if isinstance(a, np.ndarray) else a for a in arguments))
    for chapter in ("activations", "affine", "losses", "optimizers"):
        monkeypatch.setattr(sys.modules[f"tinynn.backends.numba.{chapter}"], "textbook", None)
    for i, a in enumerate(arguments):
        if isinstance(a, np.ndarray):
            arguments[i] = pickle.loads(pickle.dumps(a))
            np.testing.assert_equal(getattr(ops, name)(*arguments), expected)
            arguments[i] = a.copy()


def strided(a):
    """`a` as every second row or number of a larger array; and that array, to see what was written in between."""
    whole = np.repeat(np.full_like(a, 77), 2, axis=0)
    whole[::2] = a
    return whole[::2], whole


@pytest.mark.parametrize("N, D, H", [(3, 4, 5), (64, 96, 150), (64, 40, 32)])
@pytest.mark.parametrize("op, writes", [("affine_backward", ["dW", "db"]), ("sgd_step", ["params", "velocity"]),
                                        ("adam_step", ["params", "m", "v"])])  # fmt: skip
def test_what_is_written_is_contiguous_or_refused(op, writes, N, D, H, cpu, rng):
    """Never written beside: the numbers in between stay, and what is not refused is right."""
    ops = load_backend(cpu)
    given, _, rest = right(op, N, D, H, rng, "float32")
    plain = {name: a.copy() for name, a in given.items()}
    numpy_ops_result = getattr(numpy_ops, op)(*plain.values(), *rest)
    for name in writes:
        view, whole = strided(given[name])
        try:
            result = getattr(ops, op)(*{**{n: a.copy() for n, a in given.items()}, name: view}.values(), *rest)
        except (TypeError, ValueError):
            assert np.array_equal(view, given[name])
        else:
            np.testing.assert_allclose(view, plain[name], rtol=1e-4, atol=1e-6)
            if result is not None:
                np.testing.assert_allclose(result, numpy_ops_result, rtol=1e-4)
        assert (whole[1::2] == 77).all()


def test_real_and_complex_fit_for_the_complex_step():
    """One of two may be complex where the other is real, in double precision only."""
    x, W, b = np.ones((2, 3)), np.ones((3, 4)), np.ones(4)
    assert numpy_ops.affine(x + 1j, W, b).dtype == numpy_ops.affine(x, W + 1j, b + 1j).dtype == complex
    with pytest.raises(TypeError, match="affine: W must be float64 like x, not float32"):
        numpy_ops.affine(x + 1j, W.astype("float32"), b)


def test_unknown_backend():
    with pytest.raises(ValueError, match="^backend must be one of 'numpy', 'numba', 'cupy', not 'torch'"):
        Sequential(Affine(2, 2), backend="torch")


@pytest.mark.parametrize("name", [np.array(["numpy"]), np.zeros(0), b"numpy", 3, True, print])
def test_a_backend_is_named_by_a_text(name):
    """An array equals a text element by element."""
    with pytest.raises(ValueError, match="^backend must be one of 'numpy', 'numba', 'cupy', not "):
        backends.load(name)


def test_backend_from_the_environment(monkeypatch):
    monkeypatch.setenv("TINYNN_BACKEND", "numpy")
    assert backends.load() is numpy_ops
    monkeypatch.setenv("TINYNN_BACKEND", "tpu")
    with pytest.raises(
        ValueError, match=r"^backend \(from the environment variable TINYNN_BACKEND\) must be .*not 'tpu'"
    ):
        backends.load()


def test_backend_of_a_model(monkeypatch):
    """What it says itself, else what its layers say, wherever it holds them, else the default."""
    monkeypatch.setenv("TINYNN_BACKEND", "numba")
    numba_ops, model = load_backend("numba"), types.SimpleNamespace
    built, unbuilt = Affine(2, 2), Affine(2, 2)
    flatten(built, backend="numpy")
    assert backends.of(model(ops=numpy_ops)) is backends.of(model(a=3, layer=built)) is numpy_ops
    assert (
        backends.of(model(layer=unbuilt)) is backends.of(model(loss=MSE("numpy"))) is backends.of(object()) is numba_ops
    )
    for held in ([built], (3, unbuilt, built), {"W": built}):
        assert backends.of(model(layers=held)) is numpy_ops
        assert backends.of(model(layers=held, ops=numba_ops)) is numba_ops


def test_missing_cupy_names_the_pip_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # makes `import cupy` fail
    monkeypatch.delitem(sys.modules, "tinynn.backends.cupy", raising=False)
    monkeypatch.delitem(sys.modules, "tinynn.backends.cupy.device", raising=False)
    with pytest.raises(ImportError, match=r"needs the package CuPy: pip install 'cupy-cuda13x\[ctk\]'"):
        Sequential(Affine(2, 2), backend="cupy")


def test_no_gpu_says_so(monkeypatch):
    monkeypatch.setattr(fake_cupy.module.cuda, "is_available", lambda: False)
    with pytest.raises(ImportError, match="needs an NVIDIA GPU with its driver, and CuPy finds none here"):
        load_backend("stand-in")


@pytest.mark.parametrize("part, error", [
    ("ElementwiseKernel", "RuntimeError: CuPy failed to load libnvrtc.so.13: OSError: no such file"),
    ("ElementwiseKernel", "CompileException: /tmp/cupy/cuda_fp16.h(4122): catastrophic error: cannot open source file"),
    ("dot", "ImportError: libcublas.so.13: cannot open shared object file"),
])  # fmt: skip
def test_a_driver_without_the_toolkit_names_the_pip_command(part, error, monkeypatch):
    """CuPy finds the GPU, and fails at the first kernel or product: tinynn says so, at once."""
    kind, _, text = error.partition(": ")

    def fail(*args, **options):
        raise type(kind, (RuntimeError,), {})(f"{text}\n2 errors detected in the compilation")

    if part == "dot":
        monkeypatch.setattr(fake_cupy.module, "dot", fail)
    else:
        monkeypatch.setattr(fake_cupy.ElementwiseKernel, "__call__", fail)
    with pytest.raises(ImportError) as caught:
        load_backend("stand-in")
    assert re.fullmatch(r"the cupy backend needs .* pip install 'cupy-cuda13x\[ctk\]' brings .*", str(caught.value))
    assert str(caught.value).endswith(f"CuPy says: {error}")


def test_import_loads_nothing_optional():
    """`import tinynn` neither compiles nor loads matplotlib; with the textbook alone numba stays out, too."""
    code = """
import sys, tinynn
assert not {"matplotlib", "numba", "cupy", "torch"} & set(sys.modules), sorted(sys.modules)
import numpy as np
from tinynn import SGD, Adam, Affine, ReLU, Sequential, SoftmaxCrossEntropy

class Own:
    def __init__(self, hold, layers):
        self.__dict__.update(hold(Affine(2, 3), ReLU(), Affine(3, 2)))
        self.layers_of = layers
        self.params, self.grads = tinynn.flatten(*layers(self), backend="numpy", seed=0)

    def forward(self, x):
        for layer in self.layers_of(self):
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers_of(self)):
            dy = layer.backward(dy)

models = [
    Sequential(Affine(2, 3), ReLU(), Affine(3, 2), backend="numpy", seed=0),
    Own(lambda a, b, c: dict(a=a, b=b, c=c), lambda own: [own.a, own.b, own.c]),
    Own(lambda *layers: dict(parts=layers), lambda own: own.parts),
    Own(lambda a, b, c: dict(parts=dict(a=a, b=b, c=c)), lambda own: list(own.parts.values())),
]
x, t = np.array([[1, 2], [3, -1], [0.5, 1]], np.float32), np.array([0, 1, 0])
results = []
for model in models:
    for optimizer in (SGD(model, lr=0.1), SGD(model, lr=0.1, momentum=0.9), Adam(model, clip_norm=1.0)):
        tinynn.training.fit(model, x, t, loss=SoftmaxCrossEntropy(), optimizer=optimizer, epochs=3, seed=0, progress=False)
        tinynn.training.evaluate(model, x, t, loss=SoftmaxCrossEntropy())
    repr(model)
    results.append(model.params.tolist())
assert all(result == results[0] for result in results)
assert all(tinynn.check(model, x, t, SoftmaxCrossEntropy()) for model in models[:2])
assert "numba" not in sys.modules
"""
    subprocess.run([sys.executable, *STRICT, "-c", code], check=True, timeout=LIMIT)
