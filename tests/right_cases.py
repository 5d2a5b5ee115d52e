"""Layers, losses, optimizers and networks as learners write them, and right. No check may call one of them wrong."""

from __future__ import annotations

import numpy as np

from tinynn import Activation, Affine, Flatten, Layer, Loss, Optimizer, ReLU, Tanh, flatten
from tinynn.teach.zoo import cases

# --- layers of tinynn ------------------------------------------------------------------------------------------------


class Square(Layer):
    def __init__(self, n):
        pass

    def forward(self, x):
        return x * x

    def backward(self, dy):
        return dy * 2 * self.x


class Scale(Layer):
    parameters = ("g",)

    def __init__(self, n):
        self.g = np.ones(n)

    def forward(self, x):
        return x * self.g

    def backward(self, dy):
        self.dg = (dy * self.x).sum(axis=0)
        return dy * self.g


class Softplus(Activation):
    def __init__(self, n):
        pass

    def forward(self, x):
        return np.log(1 + np.exp(x))

    def backward(self, dy):
        return dy / (1 + np.exp(-self.x))


class LeakyReLU(Activation):
    def __init__(self, n):
        pass

    def forward(self, x):
        return np.where(x > 0, x, x / 100)

    def backward(self, dy):
        return np.where(self.x > 0, dy, dy / 100)


class Softsign(Activation):
    def __init__(self, n):
        pass

    def forward(self, x):
        return x / (1 + np.abs(x))  # the complex step does not get through abs

    def backward(self, dy):
        return dy / (1 + np.abs(self.x)) ** 2


class Swish(Activation):
    def __init__(self, n):
        pass

    def forward(self, x):
        self.gate = 1 / (1 + np.exp(-x))
        return x * self.gate

    def backward(self, dy):
        return dy * (self.gate + self.y * (1 - self.gate))


class Centre(Layer):
    """y = x less the mean row: every row of y depends on every row of x."""

    def __init__(self, n):
        pass

    def forward(self, x):
        return x - x.mean(axis=0)

    def backward(self, dy):
        return dy - dy.mean(axis=0)


class Shares(Layer):
    """y = softmax of each row."""

    def __init__(self, n):
        pass

    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def backward(self, dy):
        return self.y * (dy - (dy * self.y).sum(axis=1, keepdims=True))


class Block(Layer):
    parameters = ("W",)

    def __init__(self, n):
        self.W = np.eye(n) / 2

    def forward(self, x):
        self.h = np.tanh(x @ self.W)
        return x + self.h

    def backward(self, dy):
        dh = dy * (1 - self.h**2)
        self.dW = self.x.T @ dh
        return dy + dh @ self.W.T


# --- norms, softmax, dropout of a learner's own -----------------------------------------------------------------------


class BatchNorm(Layer):
    """With running statistics, in the paper's convention."""

    parameters, buffers = ("gamma", "beta"), ("mean", "var")

    def __init__(self, n):
        self.gamma, self.beta = np.linspace(0.5, 2, n), np.linspace(-1, 1, n)
        self.mean, self.var = np.zeros(n), np.ones(n)

    def forward(self, x):
        if not self.training:
            return self.gamma * (x - self.mean) / np.sqrt(self.var + 1e-3) + self.beta
        axes = tuple(range(x.ndim - 1))
        mean = x.mean(axis=axes)
        var = ((x - mean) ** 2).mean(axis=axes)
        self.mean = 0.8 * self.mean + 0.2 * mean.real
        self.var = 0.8 * self.var + 0.2 * var.real
        self.s = np.sqrt(var + 1e-3)
        self.z = (x - mean) / self.s
        return self.gamma * self.z + self.beta

    def backward(self, dy):
        axes = tuple(range(dy.ndim - 1))
        self.dgamma, self.dbeta = (dy * self.z).sum(axis=axes), dy.sum(axis=axes)
        mean, along = dy.mean(axis=axes), (dy * self.z).mean(axis=axes)
        return self.gamma / self.s * (dy - mean - self.z * along)


class LayerNorm(Layer):
    """Over the last axis; the deviation has the divisor n - 1 and eps beside it, as in a well-known tutorial."""

    parameters = ("a", "b")

    def __init__(self, n):
        self.a, self.b = np.linspace(0.5, 2, n), np.linspace(-1, 1, n)

    def forward(self, x):
        c = x - x.mean(axis=-1, keepdims=True)
        self.std = np.sqrt((c**2).sum(axis=-1, keepdims=True) / max(x.shape[-1] - 1, 1)) + 1e-20
        self.z = c / (self.std + 1e-6)
        return self.a * self.z + self.b

    def backward(self, dy):
        rows = tuple(range(dy.ndim - 1))
        self.da, self.db = (dy * self.z).sum(axis=rows), dy.sum(axis=rows)
        q, s = dy * self.a, self.std + 1e-6
        along = (q * self.z).sum(axis=-1, keepdims=True) / max(dy.shape[-1] - 1, 1)
        dc = (q - self.z * along * s / self.std) / s
        return dc - dc.mean(axis=-1, keepdims=True)


class RMSNorm(Layer):
    parameters = ("g",)

    def __init__(self, n):
        self.g = np.linspace(0.5, 2, n)

    def forward(self, x):
        self.r = np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-5)
        return self.g * x / self.r

    def backward(self, dy):
        self.dg = (dy * self.x / self.r).sum(axis=tuple(range(dy.ndim - 1)))
        q = dy * self.g
        return (q - self.x * (q * self.x).mean(axis=-1, keepdims=True) / self.r**2) / self.r


class LogShares(Layer):
    """log softmax of each row."""

    def __init__(self, n):
        pass

    def forward(self, x):
        z = x - x.max(axis=-1, keepdims=True)
        return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))

    def backward(self, dy):
        return dy - np.exp(self.y) * dy.sum(axis=-1, keepdims=True)


class Dropout(Layer):
    def __init__(self, n):
        self.p = 0.3

    def forward(self, x):
        if not self.training:
            return x
        self.mask = ((self.rng.random(x.shape) >= self.p) / (1 - self.p)).astype(x.real.dtype)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


class OldDropout(Dropout):
    """As in the first paper: what is kept stays as it is, and use is scaled."""

    def forward(self, x):
        if not self.training:
            return x * (1 - self.p)
        self.mask = (self.rng.random(x.shape) >= self.p).astype(x.real.dtype)
        return x * self.mask


# --- layers that take images (N, H, W, C) and sequences (N, T, D) ------------------------------------------------------


class GroupNorm(Layer):
    parameters = ("g", "b")

    def __init__(self, n, groups=2):
        self.g, self.b, self.groups = np.linspace(0.5, 2, n), np.linspace(-1, 1, n), groups

    def parts(self, a):
        return a.reshape(*a.shape[:3], self.groups, -1)

    def forward(self, x):
        z = self.parts(x)
        c = z - z.mean(axis=(1, 2, 4), keepdims=True)
        self.s = np.sqrt((c**2).mean(axis=(1, 2, 4), keepdims=True) + 1e-5)
        self.z = c / self.s
        return self.g * self.z.reshape(x.shape) + self.b

    def backward(self, dy):
        self.dg, self.db = (dy * self.z.reshape(dy.shape)).sum(axis=(0, 1, 2)), dy.sum(axis=(0, 1, 2))
        q = self.parts(dy * self.g)
        mean, along = q.mean(axis=(1, 2, 4), keepdims=True), (q * self.z).mean(axis=(1, 2, 4), keepdims=True)
        return ((q - mean - self.z * along) / self.s).reshape(dy.shape)


class InstanceNorm(GroupNorm):
    """Each channel by itself."""

    def __init__(self, n):
        super().__init__(n, n)


class ChannelsFirst(Layer):
    """A batch norm of images (N, C, H, W)."""

    parameters = ("g", "b")

    def __init__(self, n):
        self.g, self.b = np.linspace(0.5, 2, n).reshape(1, n, 1, 1), np.zeros((1, n, 1, 1))

    def forward(self, x):
        c = x - x.mean(axis=(0, 2, 3), keepdims=True)
        self.s = np.sqrt((c**2).mean(axis=(0, 2, 3), keepdims=True) + 1e-5)
        self.z = c / self.s
        return self.g * self.z + self.b

    def backward(self, dy):
        axes = (0, 2, 3)
        self.dg, self.db = (dy * self.z).sum(axis=axes, keepdims=True), dy.sum(axis=axes, keepdims=True)
        mean, along = dy.mean(axis=axes, keepdims=True), (dy * self.z).mean(axis=axes, keepdims=True)
        return self.g / self.s * (dy - mean - self.z * along)


class MultiHeadAttention(Layer):
    """Two heads, with or without a mask."""

    parameters = ("Wq", "Wk", "Wv", "Wo", "bo")
    mask = False

    def __init__(self, n):
        rng = np.random.default_rng(n)
        self.Wq, self.Wk, self.Wv, self.Wo = rng.normal(0, n**-0.5, (4, n, n))
        self.bo = rng.normal(size=n)

    def split(self, a):
        return a.reshape(*a.shape[:2], 2, -1).transpose(0, 2, 1, 3)

    def merge(self, a):
        return a.transpose(0, 2, 1, 3).reshape(self.x.shape)

    def forward(self, x):
        self.q, self.k, self.v = (self.split(x @ W) for W in (self.Wq, self.Wk, self.Wv))
        self.c = (x.shape[-1] // 2) ** -0.5
        S = self.c * self.q @ self.k.transpose(0, 1, 3, 2)
        S = np.where(np.tri(x.shape[1], dtype=bool) if self.mask else True, S, -np.inf)
        e = np.exp(S - S.max(axis=-1, keepdims=True))
        self.p = e / e.sum(axis=-1, keepdims=True)
        self.o = self.merge(self.p @ self.v)
        return self.o @ self.Wo + self.bo

    def backward(self, dy):
        rows = lambda a: a.reshape(-1, a.shape[-1])  # noqa: E731
        self.dWo, self.dbo = rows(self.o).T @ rows(dy), rows(dy).sum(axis=0)
        do = self.split(dy @ self.Wo.T)
        dp = do @ self.v.transpose(0, 1, 3, 2)
        ds = self.c * self.p * (dp - (dp * self.p).sum(axis=-1, keepdims=True))
        parts = ds @ self.k, ds.transpose(0, 1, 3, 2) @ self.q, self.p.transpose(0, 1, 3, 2) @ do
        dq, dk, dv = map(self.merge, parts)
        self.dWq, self.dWk, self.dWv = (rows(self.x).T @ rows(d) for d in (dq, dk, dv))
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T


class CausalAttention(MultiHeadAttention):
    mask = True


class PreNorm(Layer):
    """y = x + norm(x)."""

    def __init__(self, n):
        self.norm = RMSNorm(n)

    def forward(self, x):
        return x + self.norm.forward(x)

    def backward(self, dy):
        return dy + self.norm.backward(dy)


class Positions(Layer):
    """A table of learned positions."""

    parameters = ("p",)

    def __init__(self, n):
        self.p = np.random.default_rng(n).normal(size=(20, n))

    def forward(self, x):
        return x + self.p[: x.shape[1]]

    def backward(self, dy):
        self.dp = np.zeros_like(self.p)
        self.dp[: dy.shape[1]] = dy.sum(axis=0)
        return dy


class Embedding:
    """Rows of a table; that of id 0 stays as it is."""

    def __init__(self, n):
        self.W, self.padding_idx = np.random.default_rng(n).normal(size=(n, 3)), 0

    def forward(self, ids):
        self.ids = ids
        return self.W[ids]

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.ids, dout)
        self.dW[self.padding_idx] = 0


# --- plain objects, as in courses ------------------------------------------------------------------------------------


class Dense:
    def __init__(self, n_in, n_out, rng):
        self.W, self.b = rng.normal(0, 0.5, (n_in, n_out)), np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return np.dot(dout, self.W.T)


class Loops:
    """The same row by row, W the other way round, into arrays that hold no complex numbers."""

    def __init__(self, n_in, n_out, rng):
        self.W, self.b = rng.normal(0, 0.5, (n_out, n_in)), rng.normal(size=n_out)

    def forward(self, x):
        self.x = x
        out = np.zeros((len(x), len(self.b)))
        for i in range(len(x)):
            out[i] = self.W @ x[i] + self.b
        return out

    def backward(self, dout):
        self.dW, self.db = np.zeros(self.W.shape), np.zeros(self.b.shape)
        dx = np.zeros(self.x.shape)
        for i in range(len(dout)):
            self.dW += np.outer(dout[i], self.x[i])
            self.db += dout[i]
            dx[i] = dout[i] @ self.W
        return dx


class CourseReLU:
    def __init__(self, n_in, n_out, rng):
        self.mask = None

    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dx = dout.copy()
        dx[self.mask] = 0
        return dx


# --- losses ----------------------------------------------------------------------------------------------------------


class HalfSquares(Loss):
    """Half of the squared distance, the mean over rows: another convention, and no slip."""

    def compute(self, y, t):
        return ((y - t) ** 2).sum() / (2 * len(y)), (y - t) / len(y)


class SumOfSquares(Loss):
    """No mean at all: a convention, too. (A check may say that its gradient grows with the batch.)"""

    def compute(self, y, t):
        return ((y - t) ** 2).sum(), 2 * (y - t)


class Huber(Loss):
    def compute(self, y, t):
        d = y - t
        near = np.abs(d) <= 1
        value = np.where(near, d**2 / 2, np.abs(d) - 0.5).mean()
        return value, np.where(near, d, np.sign(d)) / d.size


class Logistic(Loss):
    """Cross-entropy of bits, from scores: log(1 + e^y) - t y, in a form that does not overflow."""

    def compute(self, y, t):
        value = (np.maximum(y, 0) - t * y + np.log1p(np.exp(-np.abs(y)))).mean()
        return value, (1 / (1 + np.exp(-y)) - t) / y.size


class SoftmaxWithLoss:
    def forward(self, x, t):
        self.t = t
        z = x - x.max(axis=1, keepdims=True)
        self.log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return -self.log_p[np.arange(len(t)), t].mean()

    def backward(self, dout=1):
        dx = np.exp(self.log_p)
        dx[np.arange(len(self.t)), self.t] -= 1
        return dout * dx / len(self.t)


class Absolute:
    """Two methods of other names."""

    def loss(self, y, t):
        return np.abs(y - t).mean()

    def gradient(self, y, t):
        return np.sign(y - t) / y.size


class WideHuber:
    """One value for each row."""

    def value(self, y, t):
        e = np.abs(y - t)
        return np.where(e <= 2.5, e**2 / 2, 2.5 * e - 2.5**2 / 2).mean(axis=1)

    def grad(self, y, t):
        return np.clip(y - t, -2.5, 2.5) / y.size


class Hinge:
    def loss(self, predicted, actual):
        return np.maximum(0, 1 - actual * predicted).sum()

    def grad(self, predicted, actual):
        return -actual * (actual * predicted < 1)


class SquaredHinge:
    def value(self, y, t):
        return (np.maximum(0, 1 - t * y) ** 2).mean()

    def derivative(self, y, t):
        return -2 * t * np.maximum(0, 1 - t * y) / y.size


class WeightedLogistic:
    """Cross-entropy of bits, in which the ones count three times."""

    def loss(self, y, t):
        return (3 * t * np.logaddexp(0, -y) + (1 - t) * np.logaddexp(0, y)).mean()

    def gradient(self, y, t):
        p = 1 / (1 + np.exp(-y))
        return ((1 + 2 * t) * p - 3 * t) / y.size


class Smoothed:
    """Cross-entropy with smoothed labels."""

    def log_p(self, y):
        z = y - y.max(axis=1, keepdims=True)
        return z - np.log(np.exp(z).sum(axis=1, keepdims=True))

    def loss(self, y, t):
        return -((0.9 * t + 0.1 / t.shape[1]) * self.log_p(y)).sum() / len(y)

    def gradient(self, y, t):
        return (np.exp(self.log_p(y)) - (0.9 * t + 0.1 / t.shape[1])) / len(y)


class Margins:
    """The hinge of several classes."""

    def forward(self, y, t):
        rows = np.arange(len(y))
        self.t, margins = t, np.maximum(0, y - y[rows, t][:, None] + 1)
        margins[rows, t] = 0
        self.near = (margins > 0).astype(float)
        return margins.sum() / len(y)

    def backward(self):
        dy = self.near.copy()
        dy[np.arange(len(dy)), self.t] -= self.near.sum(axis=1)
        return dy / len(dy)


# --- optimizers ------------------------------------------------------------------------------------------------------


class Descent:
    def __init__(self, lr=0.01):
        self.lr = lr

    def update(self, params, grads):
        for key in params:
            params[key] -= self.lr * grads[key]


class Momentum(Optimizer):
    state = ("velocity",)

    def __init__(self, model, lr=0.1, momentum=0.9):
        super().__init__(model, lr, weight_decay=0)
        self.momentum = momentum

    def step(self):
        self.velocity = self.momentum * self.velocity - self.lr * self.model.grads
        self.model.params += self.velocity


class HeavyBall:
    """Momentum in the other convention: the velocity is a sum of gradients, lr comes last."""

    def __init__(self, lr=0.01, momentum=0.9):
        self.lr, self.momentum, self.v = lr, momentum, {}

    def update(self, params, grads):
        for key in params:
            self.v[key] = self.momentum * self.v.get(key, 0) + grads[key]
            params[key] -= self.lr * self.v[key]


class Adagrad:
    def __init__(self, lr=0.01):
        self.lr, self.h = lr, {}

    def update(self, params, grads):
        for key in params:
            self.h[key] = self.h.get(key, 0) + grads[key] ** 2
            params[key] -= self.lr * grads[key] / (np.sqrt(self.h[key]) + 1e-7)


class RMSProp:
    def __init__(self, lr=0.01, rho=0.9):
        self.lr, self.rho, self.h = lr, rho, {}

    def update(self, params, grads):
        for key in params:
            self.h[key] = self.rho * self.h.get(key, 0) + (1 - self.rho) * grads[key] ** 2
            params[key] -= self.lr * grads[key] / (np.sqrt(self.h[key]) + 1e-7)


class ListAdam:
    def __init__(self, lr=0.001, betas=(0.9, 0.99), eps=1e-6):
        self.lr, self.betas, self.eps, self.t, self.m, self.v = lr, betas, eps, 0, None, None

    def update(self, params, grads):
        if self.m is None:
            self.m, self.v = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
        self.t += 1
        for m, v, p, g in zip(self.m, self.v, params, grads):
            m += (1 - self.betas[0]) * (g - m)
            v += (1 - self.betas[1]) * (g * g - v)
            p -= self.lr * m / (1 - self.betas[0] ** self.t) / (np.sqrt(v / (1 - self.betas[1] ** self.t)) + self.eps)


class Nesterov:
    """One for each tensor."""

    def __init__(self, learning_rate=0.01, momentum=0.95):
        self.learning_rate, self.momentum, self.v = learning_rate, momentum, 0.0

    def update(self, w, grad):
        self.v = self.momentum * self.v - self.learning_rate * grad
        return w + self.momentum * self.v - self.learning_rate * grad


class FallingSGD:
    """Of layers, with a learning rate that falls, and a momentum."""

    def __init__(self, learning_rate=1.0, decay=0.0, momentum=0.0):
        self.learning_rate, self.decay, self.momentum, self.t = learning_rate, decay, momentum, 0

    def update_params(self, layer):
        lr = self.learning_rate / (1 + self.decay * self.t)
        for name in ("weights", "biases"):
            v = self.momentum * getattr(layer, "v_" + name, 0) - lr * getattr(layer, "d" + name)
            setattr(layer, "v_" + name, v)
            setattr(layer, name, getattr(layer, name) + v)

    def post_update_params(self):
        self.t += 1


def sgd_with_config(w, dw, config=None):
    config.setdefault("learning_rate", 0.01)
    return w - config["learning_rate"] * dw, config


def update_parameters_with_rmsprop(parameters, grads, s, learning_rate, beta=0.9, epsilon=1e-8):
    for key in parameters:
        s["d" + key] = beta * s["d" + key] + (1 - beta) * grads["d" + key] ** 2
        parameters[key] = parameters[key] - learning_rate * grads["d" + key] / (np.sqrt(s["d" + key]) + epsilon)
    return parameters, s


class CoupledAdam(Optimizer):
    """Adam with its weight decay in the gradient, as in the first paper. (A check may say that AdamW differs.)"""

    state = ("m", "v")

    def __init__(self, model, lr=0.001, weight_decay=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
        super().__init__(model, lr, weight_decay)
        self.beta1, self.beta2, self.eps, self.t = beta1, beta2, eps, 0

    def step(self):
        g = self.model.grads + self.weight_decay * self.model.params
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * g
        self.v = self.beta2 * self.v + (1 - self.beta2) * g**2
        m = self.m / (1 - self.beta1**self.t)
        v = self.v / (1 - self.beta2**self.t)
        self.model.params -= self.lr * m / (np.sqrt(v) + self.eps)


# --- a model with two ways through it --------------------------------------------------------------------------------


class Shortcut:
    def __init__(self, n_in, n_hidden, n_out, dtype, seed):
        self.a, self.b, self.c = Affine(n_in, n_hidden), Affine(n_hidden, n_hidden), Affine(n_hidden, n_out)
        self.relu, self.tanh = ReLU(), Tanh()
        self.params, self.grads = flatten(self.a, self.relu, self.b, self.tanh, self.c, dtype=dtype, seed=seed)

    def forward(self, x):
        h = self.relu.forward(self.a.forward(x))
        return self.c.forward(h + self.tanh.forward(self.b.forward(h)))

    def backward(self, dy):
        dh = self.c.backward(dy)
        dh = dh + self.b.backward(self.tanh.backward(dh))
        self.a.backward(self.relu.backward(dh))


LAYERS = (
    Square, Scale, Softplus, LeakyReLU, Softsign, Swish, Centre, Shares, Block, BatchNorm, LayerNorm, RMSNorm,
    LogShares, Dropout, OldDropout,
)  # fmt: skip  # of n
IMAGES = (BatchNorm, LayerNorm, RMSNorm, GroupNorm, InstanceNorm, ChannelsFirst)  # of n, an even number
SEQUENCES = (BatchNorm, LayerNorm, RMSNorm, MultiHeadAttention, CausalAttention, PreNorm, Positions, Shares, LogShares)
OBJECTS = (Dense, Loops, CourseReLU)  # of n_in, n_out, rng
LOSSES = (
    (HalfSquares, "values"),
    (SumOfSquares, "values"),
    (Huber, "values"),
    (Logistic, "bits"),
    (SoftmaxWithLoss, "labels"),
    (Absolute, "values"),
    (WideHuber, "values"),
    (Hinge, "signs"),
    (SquaredHinge, "signs"),
    (WeightedLogistic, "bits"),
    (Smoothed, "one-hot"),
    (Margins, "labels"),
)
OPTIMIZERS = (
    Descent, Momentum, HeavyBall, Adagrad, RMSProp, CoupledAdam, ListAdam, Nesterov, FallingSGD, sgd_with_config,
    update_parameters_with_rmsprop,
)  # fmt: skip


# --- networks that are right -----------------------------------------------------------------------------------------


def right(seed):
    """A check that must find nothing: of a random network without a slip, or of a right layer or loss by itself.

    1 to 4 layers with weights, of 1 to 12 units, 1 to 9 rows; layers and losses are tinynn's and a learner's own.
    """
    rng = np.random.default_rng(seed)
    n, dtype = int(rng.integers(1, 10)), str(rng.choice(["float32", "float64"]))
    sizes = tuple(int(size) for size in rng.integers(1, 13, rng.integers(2, 6)))
    form = rng.choice(["sequential", "list", "class", "layer", "loss", "shaped"], p=[0.5, 0.15, 0.1, 0.08, 0.07, 0.1])
    if form == "shaped":
        return shaped(rng, n, dtype)

    loss, t, width = cases.any_loss(rng, n, sizes[-1], dtype)
    if form != "class" and rng.random() < 0.2:
        own, kind = LOSSES[rng.integers(len(LOSSES))]
        loss, t, width = own(), cases.targets(rng, kind, n, sizes[-1], dtype), sizes[-1]
    if form == "loss":
        return "check_loss", (loss, 2 * cases.normal(rng, n, width, dtype), t)
    if form == "class":
        sizes = (*sizes, width)[-3:]
        model = Shortcut(sizes[0], sizes[1], width, dtype=dtype, seed=int(rng.integers(2**31)))
        return "check", (model, cases.normal(rng, n, sizes[0], dtype), t, loss)

    dtype = "float64" if form in ("list", "layer") else dtype  # plain objects have float64 arrays
    t = t.astype(dtype) if t.dtype.kind == "f" else t
    if form == "layer":
        layer = OBJECTS[rng.integers(len(OBJECTS))](sizes[0], sizes[1], rng)
        return "check_layer", (layer, cases.normal(rng, n, sizes[0], dtype))
    sizes = (*sizes[:-1], width)
    layers = cases.right_layers(rng, sizes)
    for k, n_out in enumerate(sizes[1:-1]):
        if rng.random() < 0.3:
            layers[2 * k + 1] = LAYERS[rng.integers(len(LAYERS))](n_out)
    if form == "list":
        k = int(rng.integers(len(sizes) - 1))
        layers[2 * k] = Dense(sizes[k], sizes[k + 1], rng)
    return "check", (cases.network(layers, rng, dtype), cases.normal(rng, n, sizes[0], dtype), t, loss)


def shaped(rng, n, dtype):
    """The same with images, sequences or ids."""
    kind = rng.choice(["images", "sequences", "ids"], p=[0.4, 0.45, 0.15])
    if kind == "ids":
        layer, x = Embedding(7), rng.integers(7, size=(n, 5))
        layers, features = [layer], 15
    else:
        cls = (IMAGES if kind == "images" else SEQUENCES)[rng.integers(len(IMAGES if kind == "images" else SEQUENCES))]
        places = tuple(int(size) for size in rng.integers(1, 5, 2 if kind == "images" else 1))
        layer, width = cls(2 * int(rng.integers(1, 4))), 0
        width = len(layer.norm.g) if isinstance(layer, PreNorm) else max(np.shape(getattr(layer, "g", [0] * 4)))
        width = 4 if not (layer.parameters or isinstance(layer, PreNorm)) else width
        if cls in (BatchNorm, LayerNorm, MultiHeadAttention, CausalAttention, Positions):
            width = getattr(layer, layer.parameters[0]).shape[-1]
        shape = (width, *places) if cls is ChannelsFirst else (*places, width)
        x, layers, features = rng.normal(size=(n, *shape)).astype(dtype), [layer], int(np.prod(shape))
    if rng.random() < 0.5:
        return "check_layer", (layer, x)
    loss, t, width = cases.any_loss(rng, n, 3, "float64" if kind == "ids" else dtype)
    layers += [Flatten(), Affine(features, width)]
    return "check", (cases.network(layers, rng, dtype), x, t, loss)
