"""The textbook: every op of tinynn once, in plain NumPy, with its derivation. Tests hold the other backends to it.

Conventions. x has one example per row: (N, D), batch first. d<name> is the gradient of the loss L with respect to
<name> and has its shape. A forward op returns fresh arrays. A backward op gets dy = dL/dy and returns dx = dL/dx by the
chain rule, dL/dx = dL/dy * dy/dx; gradients of parameters it writes into arrays of the caller's ("Writes"). Nothing
else is ever written to. Arrays of shapes that do not fit one another are refused (shapes.py): nothing broadcasts.

Every op takes float32, float64 and complex128. The last is for the complex-step derivative, f'(x) = Im f(x + ih) / h,
which has no cancellation and so is exact to the last digit (Squire & Trapp 1998, SIAM Review 40). Therefore decisions
(a ReLU's sign, the maximum inside a softmax) look at the real part alone.
"""

from __future__ import annotations

import numpy as np

from .. import checks
from ..checks import Array
from . import shapes

xp = np  # the array module of this backend: np here, cupy on the GPU


def asarray(a: Array) -> Array:
    """`a`, a NumPy array, as an array of this backend."""
    return a


def to_numpy(a: Array) -> Array:
    """`a`, an array of this backend, as a NumPy array."""
    return a


# --- affine map ------------------------------------------------------------------------------------------------------


def affine(x: Array, W: Array, b: Array) -> Array:
    """y = x W + b, that is y[n, j] = sum_i x[n, i] W[i, j] + b[j].

    x (N, D), W (D, H), b (H,) -> y (N, H).
    """
    shapes.demand("affine: x (N, D), W (D, H), b (H,)", x, W, b)
    y = np.dot(x, W)
    y += b
    return y


def affine_backward(dy: Array, x: Array, W: Array, dW: Array, db: Array, need_dx: bool = True) -> Array | None:
    """dW = x^T dy, db = sum of dy's rows, and dx = dy W^T (None unless `need_dx`).

    W[i, j] reaches L only through y[n, j] = ... + x[n, i] W[i, j], once in every row n. So its gradient is the sum over
    rows dW[i, j] = sum_n x[n, i] dy[n, j]; b[j] is a weight whose input is always 1; and x[n, i] reaches every y[n, j]
    with the weight W[i, j], so dx[n, i] = sum_j dy[n, j] W[i, j].

    dy (N, H), x (N, D), W (D, H) -> dx (N, D). Writes: dW (D, H), db (H,).
    """
    shapes.demand("affine_backward: x (N, D), W (D, H), dy (N, H), dW (D, H), db (H,)", x, W, dy, dW, db)
    np.dot(x.T, dy, out=dW)
    np.sum(dy, axis=0, out=db)
    return np.dot(dy, W.T) if need_dx else None


# --- activations: y = f(x), element by element ------------------------------------------------------------------------


def relu(x: Array) -> Array:
    """y = max(x, 0); NaN stays NaN (Nair & Hinton 2010).

    Any shape -> the same shape.
    """
    return np.where(x.real <= 0, 0, x)


def relu_backward(dy: Array, y: Array) -> Array:
    """dx = dy where y > 0, else 0 dy.

    relu(x) is x itself on the right of 0 (slope 1) and constant on its left (slope 0). At 0 there is no derivative; 0
    is the usual choice. y = relu(x) is never negative, so its sign *is* the slope, and is NaN where y is.
    """
    shapes.demand("relu_backward: y (...), dy (...)", y, dy)
    return dy * np.sign(y.real)


def sigmoid(x: Array) -> Array:
    """y = 1 / (1 + e^-x), in (0, 1).

    For x < 0 computed as e^x / (1 + e^x), the same number: so the exponent is never positive and e never overflows.
    """
    right = x.real >= 0
    e = np.exp(np.where(right, -x, x))
    return np.where(right, 1, e) / (1 + e)


def sigmoid_backward(dy: Array, y: Array) -> Array:
    """dx = dy y (1 - y).

    With y = 1/(1 + e^-x): dy/dx = e^-x / (1 + e^-x)^2 = y (1 - y), since 1 - y = e^-x / (1 + e^-x).
    """
    shapes.demand("sigmoid_backward: y (...), dy (...)", y, dy)
    return dy * (y * (1 - y))


def tanh(x: Array) -> Array:
    """y = tanh x = (e^x - e^-x) / (e^x + e^-x), in (-1, 1)."""
    return np.tanh(x)


def tanh_backward(dy: Array, y: Array) -> Array:
    """dx = dy (1 - y^2).

    tanh = sinh / cosh, so its derivative is (cosh^2 - sinh^2) / cosh^2 = 1 - tanh^2.
    """
    shapes.demand("tanh_backward: y (...), dy (...)", y, dy)
    return dy * (1 - y * y)


# --- losses: (y, t) -> (value, dy) -----------------------------------------------------------------------------------
#
# Each returns the loss and its gradient in one go: what the one needs, the other has just computed. Sums over a batch
# run in double precision, and the loss of an empty batch is NaN: there is nothing to average. With a weight (N,), 0 or
# more for each row, the mean over rows is the weighted one: a row of weight 2 counts as if it stood there twice.


def mse(y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
    """L = mean over all N D elements of (y - t)^2;  dy = 2 (y - t) / (N D).

    y, t (N, D) -> the value, dy (N, D).
    """
    shapes.demand("mse: y (N, D), t (N, D), weight (N,)", y, t, weight)
    error = y - t
    return _average(error * error, error * (2 / max(y.size, 1)), weight)


def softmax(y: Array) -> Array:
    """p[n, c] = e^y[n, c] / sum_k e^y[n, k]: scores (logits) to probabilities, row by row.

    Subtracting a row's maximum first changes nothing (it cancels) and keeps e^y from overflowing.
    y (N, C) -> p (N, C).
    """
    shapes.demand("softmax: y (N, C)", y)
    e = np.exp(y - _row_max(y))
    return e / e.sum(axis=1, keepdims=True)


def softmax_cross_entropy(y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
    """L = mean over rows of -log p[n, t_n], where p = softmax(y);  dy = (p - t) / N, t as one-hot rows.

    Softmax and logarithm are one op because together they are simple: -log p_t = log(sum_k e^y_k) - y_t, which never
    takes the log of a rounded 0; and since d log(sum_k e^y_k) / dy_c = e^y_c / sum_k e^y_k = p_c, the gradient is
    p_c - 1 at the label and p_c elsewhere. With rows of probabilities (soft targets, which sum to 1) in place of
    labels, L = -sum_c t_c log p_c has the gradient p - t.

    y (N, C) scores; t (N,) integer labels in 0..C-1, or (N, C) probabilities -> the value, dy (N, C).
    Raises ValueError for a label out of range.
    """
    if np.ndim(t) == 1:
        shapes.demand("softmax_cross_entropy: y (N, C), labels t (N,), weight (N,)", y, t, weight)
    else:
        shapes.demand("softmax_cross_entropy: y (N, C), t (N, C), weight (N,)", y, t, weight)
    N, C = y.shape
    z = y - _row_max(y)
    e = np.exp(z)
    total = e.sum(axis=1, keepdims=True)
    p = e / total
    log_p = z - np.log(total)
    if t.ndim == 1:
        checks.labels(t, C)
        rows = np.arange(N)
        losses = -log_p[rows, t]
        p[rows, t] -= 1
    else:
        losses = (-t * np.where(t == 0, 0, log_p)).sum(axis=1)  # probability 0 adds nothing, even where log p is -inf
        p -= t
    p /= max(N, 1)
    return _average(losses, p, weight)


def gaussian_nll(y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
    """L = mean over all N D targets of -log N(t; m, v) = (log(2 pi) + s + (t - m)^2 / v) / 2, with s = log v.

    The network gives mean and *log* variance of each target: y = [m | s], so v = e^s is positive whatever y is.
    dm = (m - t) / v / (N D);  ds = (1 - (t - m)^2 / v) / 2 / (N D), zero where v is the squared error itself.

    y (N, 2 D), t (N, D) -> the value, dy (N, 2 D). Source: Nix & Weigend 1994.
    """
    shapes.demand("gaussian_nll: t (N, D), y (N, 2 D), weight (N,)", t, y, weight)
    D = t.shape[1]
    m, s = y[:, :D], y[:, D:]
    error = m - t
    # 1 / sqrt(v) is in range where 1 / v is not, as for v = 1e-40 in float32; without an error, none is needed.
    per_sigma = np.exp(np.where(error == 0, 0, -s / 2))
    error = error * per_sigma  # in standard deviations
    square = error * error
    dy = np.concatenate([error * per_sigma, (1 - square) / 2], axis=1)
    dy /= max(t.size, 1)
    return _average((np.log(2 * np.pi) + s + square) / 2, dy, weight)


def _row_max(y: Array) -> Array:
    """The largest real part in each row, (N, 1); NaN in a row of NaN."""
    return y.real.max(axis=1, keepdims=True, initial=-np.inf)


def _average(losses: Array, dy: Array, weight: Array | None) -> tuple[float, Array]:
    """The mean of `losses`, (N,) or (N, D), in double precision, NaN where there is none; and its gradient.

    sum_n w_n l_n / sum_n w_n is the mean of (w_n / mean(w)) l_n: so rows and their gradients are only scaled.
    """
    if weight is not None:
        share = weight / weight.max()  # so that no sum of large weights overflows
        share = (share / share.mean())[:, None]
        losses, dy = losses.reshape(len(share), -1) * share, dy * share
    wide = np.result_type(losses.dtype, np.float64)
    return losses.sum(dtype=wide).item() / losses.size if losses.size else float("nan"), dy


# --- updates: one op over the flat parameter vector -------------------------------------------------------------------

# Running means of gradients that have become 0, as those of a dead ReLU unit do, shrink by a factor in each step. Below
# the smallest normal number (1e-38 in float32) they would go on as denormal numbers, which processors are slow with: a
# step then takes longer the longer one trains. So a mean below these limits is 0. That changes nothing that matters: an
# m or velocity of 1e-30 is far below the last digit of a weight, the root of a v of 1e-37 far below eps.
TINY_MEAN, TINY_SQUARE = 1e-30, 1e-37


def sgd_step(
    params: Array,
    grads: Array,
    velocity: Array,
    lr: float,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
) -> None:
    """v <- momentum v - lr g;  w <- w + v, or, with Nesterov's look ahead, w <- w + momentum v - lr g.

    g is the gradient plus weight_decay w: that of the loss plus weight_decay |w|^2 / 2.
    All arrays (P,). A velocity below 1e-30 is 0. Writes: params, velocity.
    Source: Sutskever et al. 2013, equations 1 to 4.
    """
    shapes.demand("sgd_step: params (P,), grads (P,), velocity (P,)", params, grads, velocity)
    step = lr * (grads + weight_decay * params)
    velocity *= momentum
    velocity -= step
    velocity[np.abs(velocity) < TINY_MEAN] = 0
    params += momentum * velocity - step if nesterov else velocity


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
    """w <- w - lr m' / (sqrt(v') + eps), after m <- beta1 m + (1 - beta1) g and v <- beta2 v + (1 - beta2) g^2.

    m and v are running means of the gradient and of its square. They start at 0, so after t steps they hold only the
    share 1 - beta^t of a full mean: m' = m / (1 - beta1^t) and v' = v / (1 - beta2^t) correct for that.
    Weight decay is decoupled: w <- w - lr weight_decay w beside the step, not through m and v.
    An m below 1e-30 and a v below 1e-37 are 0.

    All arrays (P,); t = 1, 2, ... Writes: params, m, v.
    Source: Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019, algorithm 2 (without its schedule factor).
    """
    shapes.demand("adam_step: params (P,), grads (P,), m (P,), v (P,)", params, grads, m, v)
    m *= beta1
    m += (1 - beta1) * grads
    v *= beta2
    v += (1 - beta2) * grads * grads
    m[np.abs(m) < TINY_MEAN] = 0
    v[np.abs(v) < TINY_SQUARE] = 0
    step = lr / (1 - beta1**t) * m
    step /= np.sqrt(v / (1 - beta2**t)) + eps
    params *= 1 - lr * weight_decay
    params -= step
