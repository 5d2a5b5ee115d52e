"""The GPU: the textbook's ops (numpy_ops.py) on CuPy arrays, same names and arguments.

What a GPU costs is launches and waiting. So a chain of element-wise steps is one kernel (xp.ElementwiseKernel compiles
its line of C++ on first use), and nothing here reads a value back: a loss stays on the GPU, an array without
dimensions, until somebody calls float(). For the same reason labels out of range cannot raise here; they make their row
NaN, and with it the loss. (`fit` looks at all labels before it starts.)
"""

from __future__ import annotations

from typing import Any

from ..checks import Array
from . import shapes

try:
    import cupy as xp
except ImportError as error:
    raise ImportError(
        "the cupy backend needs the package CuPy: pip install 'cupy-cuda13x[ctk]' (for CUDA 12: cupy-cuda12x[ctk])"
    ) from error
if not xp.cuda.is_available():  # CuPy itself imports without a GPU
    raise ImportError("the cupy backend needs an NVIDIA GPU with its driver, and CuPy finds none here")


def asarray(a: Any) -> Array:
    return xp.asarray(a)


def to_numpy(a: Array) -> Array:
    return xp.asnumpy(a)


# --- affine map ------------------------------------------------------------------------------------------------------


def affine(x: Array, W: Array, b: Array) -> Array:
    shapes.demand("affine: x (N, D), W (D, H), b (H,)", x, W, b)
    y = xp.dot(x, W)
    y += b
    return y


def affine_backward(dy: Array, x: Array, W: Array, dW: Array, db: Array, need_dx: bool = True) -> Array | None:
    shapes.demand("affine_backward: x (N, D), W (D, H), dy (N, H), dW (D, H), db (H,)", x, W, dy, dW, db)
    xp.dot(x.T, dy, out=dW)
    xp.sum(dy, axis=0, out=db)
    return xp.dot(dy, W.T) if need_dx else None


# --- activations -----------------------------------------------------------------------------------------------------

relu_kernel = xp.ElementwiseKernel("T x", "T y", "y = x <= 0 ? T(0) : x", "relu")  # not max(x, 0): it drops NaN
relu_backward_kernel = xp.ElementwiseKernel("T dy, T y", "T dx", "dx = y > 0 ? dy : dy * y", "relu_backward")
sigmoid_kernel = xp.ElementwiseKernel(
    "T x", "T y", "T e = exp(x >= 0 ? -x : x); y = (x >= 0 ? T(1) : e) / (T(1) + e)", "sigmoid"
)
sigmoid_backward_kernel = xp.ElementwiseKernel("T dy, T y", "T dx", "dx = dy * (y * (T(1) - y))", "sigmoid_backward")
tanh_backward_kernel = xp.ElementwiseKernel("T dy, T y", "T dx", "dx = dy * (T(1) - y * y)", "tanh_backward")


def relu(x: Array) -> Array:
    return relu_kernel(x)


def relu_backward(dy: Array, y: Array) -> Array:
    shapes.demand("relu_backward: y (...), dy (...)", y, dy)
    return relu_backward_kernel(dy, y)


def sigmoid(x: Array) -> Array:
    return sigmoid_kernel(x)


def sigmoid_backward(dy: Array, y: Array) -> Array:
    shapes.demand("sigmoid_backward: y (...), dy (...)", y, dy)
    return sigmoid_backward_kernel(dy, y)


def tanh(x: Array) -> Array:
    return xp.tanh(x)


def tanh_backward(dy: Array, y: Array) -> Array:
    shapes.demand("tanh_backward: y (...), dy (...)", y, dy)
    return tanh_backward_kernel(dy, y)


# --- losses ----------------------------------------------------------------------------------------------------------

mse_kernel = xp.ElementwiseKernel(
    "T y, T t, T scale", "T square, T dy", "T error = y - t; square = error * error; dy = error * scale", "mse"
)
cross_entropy_labels = xp.ElementwiseKernel(
    "T z, T e, T total, S label, int64 c, int64 C, T N, T nan",
    "T loss, T dy",
    """bool bad = label < 0 || label >= C;
    loss = bad ? nan : (c == label ? log(total) - z : T(0));
    dy = bad ? nan : (e / total - (c == label ? T(1) : T(0))) / N""",
    "cross_entropy_labels",
)
cross_entropy_rows = xp.ElementwiseKernel(
    "T z, T e, T total, T t, T N",
    "T loss, T dy",
    "loss = t == 0 ? T(0) : t * (log(total) - z); dy = (e / total - t) / N",
    "cross_entropy_rows",
)
gaussian_kernel = xp.ElementwiseKernel(
    "T m, T s, T t, T log_2pi, T N",
    "T loss, T dm, T ds",
    """T error = m - t;
    T per_sigma = error == T(0) ? T(1) : exp(-s / T(2));
    error = error * per_sigma;
    T square = error * error;
    loss = (log_2pi + s + square) / T(2);
    dm = error * per_sigma / N;
    ds = (T(1) - square) / T(2) / N""",
    "gaussian_nll",
)
LOG_2PI = 1.8378770664093453


def mse(y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
    shapes.demand("mse: y (N, D), t (N, D), weight (N,)", y, t, weight)
    square, dy = mse_kernel(y, t, 2 / max(y.size, 1))
    return _average(square, dy, y.size, weight)


def softmax(y: Array) -> Array:
    shapes.demand("softmax: y (N, C)", y)
    _, e, total = _softmax_parts(y)
    return e / total


def softmax_cross_entropy(y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
    if t.ndim == 1:
        shapes.demand("softmax_cross_entropy: y (N, C), labels t (N,), weight (N,)", y, t, weight)
    else:
        shapes.demand("softmax_cross_entropy: y (N, C), t (N, C), weight (N,)", y, t, weight)
    N, C = y.shape
    z, e, total = _softmax_parts(y)
    if t.ndim == 1:
        losses, dy = cross_entropy_labels(z, e, total, t[:, None], xp.arange(C), C, max(N, 1), float("nan"))
    else:
        losses, dy = cross_entropy_rows(z, e, total, t, max(N, 1))
    return _average(losses, dy, N, weight)


def gaussian_nll(y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
    shapes.demand("gaussian_nll: t (N, D), y (N, 2 D), weight (N,)", t, y, weight)
    D = t.shape[1]
    losses, dm, ds = gaussian_kernel(y[:, :D], y[:, D:], t, LOG_2PI, max(t.size, 1))
    return _average(losses, xp.concatenate([dm, ds], axis=1), t.size, weight)


def _softmax_parts(y: Array) -> tuple[Array, Array, Array]:
    """y less its row's maximum, e to that, and the sum of its row."""
    z = y - y.max(axis=1, keepdims=True)
    e = xp.exp(z)
    return z, e, e.sum(axis=1, keepdims=True)


def _average(losses: Array, dy: Array, count: int, weight: Array | None) -> tuple[float, Array]:
    """sum(losses) / count in double precision, still on the GPU, NaN for count 0; and its gradient."""
    if weight is not None:
        share = weight / weight.max()
        share = (share / share.mean())[:, None]
        losses, dy = losses * share, dy * share
    return losses.sum(dtype=xp.float64) / (count or float("nan")), dy


# --- updates ---------------------------------------------------------------------------------------------------------

sgd_kernel = xp.ElementwiseKernel(
    "T g, T lr, T momentum, bool nesterov, T weight_decay",
    "T w, T v",
    """T step = lr * (g + weight_decay * w);
    v = momentum * v - step;
    v = abs(v) < T(1e-30) ? T(0) : v;
    w += nesterov ? momentum * v - step : v""",
    "sgd",
)
adam_kernel = xp.ElementwiseKernel(
    "T g, T beta1, T rest1, T beta2, T rest2, T rate, T full2, T eps, T shrink",
    "T w, T m, T v",
    """m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * g * g;
    m = abs(m) < T(1e-30) ? T(0) : m;
    v = abs(v) < T(1e-37) ? T(0) : v;
    w = shrink * w - rate * m / (sqrt(v * full2) + eps)""",
    "adam",
)


def sgd_step(
    params: Array,
    grads: Array,
    velocity: Array,
    lr: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> None:
    shapes.demand("sgd_step: params (P,), grads (P,), velocity (P,)", params, grads, velocity)
    sgd_kernel(grads, lr, momentum, nesterov, weight_decay, params, velocity)


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
    shapes.demand("adam_step: params (P,), grads (P,), m (P,), v (P,)", params, grads, m, v)
    adam_kernel(grads, beta1, 1 - beta1, beta2, 1 - beta2, lr / (1 - beta1**t), 1 / (1 - beta2**t), eps,
                1 - lr * weight_decay, params, m, v)  # fmt: skip


# --- a first try -----------------------------------------------------------------------------------------------------

try:  # one kernel and one product, which need more than the driver that CuPy asks for
    relu(affine(*(xp.zeros(shape, "float32") for shape in ((1, 1), (1, 1), 1))))
except Exception as error:
    raise ImportError(
        "the cupy backend needs the CUDA toolkit's compiler, headers and libraries, and CuPy cannot work with what it "
        "finds here: pip install 'cupy-cuda13x[ctk]' brings them (for CUDA 12: cupy-cuda12x[ctk]). "
        f"CuPy says: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
    ) from error
