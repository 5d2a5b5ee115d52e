"""Code as courses and books write it: taken as it is by `python -m tinynn check FILE.py[:NAME]`.

Each style is recreated in its course's form, shorter and in our own words. The right version must be called right.
Each of its slips is a change of the text: it must be called wrong, at the tensor that it spoils, and by `code` where its
numbers say which slip it is. What cannot be taken is "not known", exit status 2.
"""

from __future__ import annotations

import itertools
import textwrap
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynn
from tinynn import SoftmaxCrossEntropy, Tanh, check_layer
from tinynn.__main__ import main


@dataclass
class Style:
    """A course's code; slips as {(old text, new text): (what the report must name, ...)}."""

    source: str
    name: str = ""
    judged: str = ""  # tensors that the report must list
    said: str = ""
    slips: tuple = ()


STYLES = {}

# --- Stanford's course on vision: functions in pairs, then networks with loss(X, y) ----------------------------------

STYLES["affine pair"] = Style(
    """
    def affine_forward(x, w, b):
        rows = x.reshape(len(x), -1)
        return rows @ w + b, (x, w, b)

    def affine_backward(dout, cache):
        x, w, b = cache
        dx = (dout @ w.T).reshape(x.shape)
        dw = x.reshape(len(x), -1).T @ dout
        db = dout.sum(axis=0)
        return dx, dw, db
    """,
    "affine_forward",
    "dw db dx",
    slips=(
        ("w.T)", "w.T * 2)", "dx", "factor-2"),
        (".T @ dout\n", ".T @ dout / len(x)\n", "dw", "divided-by-n"),
        ("sum(axis=0)", "mean(axis=0)", "db", "bias-mean"),
    ),
)
STYLES["relu pair"] = Style(
    """
    def relu_forward(x):
        return np.maximum(0, x), x

    def relu_backward(dout, cache):
        x = cache
        return dout * (x > 0)
    """,
    "",
    "dx",
    slips=(
        ("(x > 0)", "(x < 0)", "dx", "mask-inverted"),
        ("(x > 0)", "1", "dx", "missing-derivative"),
        ("(x > 0)", "(dout > 0)", "dx", "mask-from-dy"),
    ),
)
STYLES["batch norm pair"] = Style(
    """
    def batchnorm_forward(x, gamma, beta, bn_param):
        mode, eps = bn_param["mode"], bn_param.get("eps", 1e-5)
        assert mode == "train"
        mu = x.mean(axis=0)
        var = ((x - mu) ** 2).mean(axis=0)
        std = np.sqrt(var + eps)
        xhat = (x - mu) / std
        bn_param["running_mean"] = mu
        return gamma * xhat + beta, (xhat, gamma, std)

    def batchnorm_backward(dout, cache):
        xhat, gamma, std = cache
        dbeta = dout.sum(axis=0)
        dgamma = (dout * xhat).sum(axis=0)
        d = dout * gamma
        dx = (d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0)) / std
        return dx, dgamma, dbeta
    """,
    "batchnorm_forward",
    "dgamma dbeta dx",
    slips=(
        ("- xhat * (d * xhat).mean(axis=0)", "", "dx", ""),
        ("(dout * xhat).sum(axis=0)", "-(dout * xhat).sum(axis=0)", "dgamma", "sign"),
        ("dbeta = dout.sum", "dbeta = dout.mean", "dbeta", "bias-mean"),
    ),
)
STYLES["convolution pair"] = Style(
    """
    def conv_forward_naive(x, w, b, conv_param):
        s, p = conv_param["stride"], conv_param["pad"]
        N, C, H, W = x.shape
        F, _, HH, WW = w.shape
        xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        Ho, Wo = 1 + (H + 2 * p - HH) // s, 1 + (W + 2 * p - WW) // s
        out = np.zeros((N, F, Ho, Wo), x.dtype)
        for i in range(Ho):
            for j in range(Wo):
                part = xp[:, None, :, i * s : i * s + HH, j * s : j * s + WW]
                out[:, :, i, j] = (part * w).sum(axis=(2, 3, 4)) + b
        return out, (x, w, b, conv_param)

    def conv_backward_naive(dout, cache):
        x, w, b, conv_param = cache
        s, p = conv_param["stride"], conv_param["pad"]
        HH, WW = w.shape[2:]
        xp = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        dxp, dw = np.zeros(xp.shape), np.zeros(w.shape)
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                d = dout[:, :, i, j]
                rows, columns = slice(i * s, i * s + HH), slice(j * s, j * s + WW)
                dw += np.einsum("nf,nchw->fchw", d, xp[:, :, rows, columns])
                dxp[:, :, rows, columns] += np.einsum("nf,fchw->nchw", d, w)
        db = dout.sum(axis=(0, 2, 3))
        return dxp[:, :, p:-p, p:-p], dw, db
    """,
    "conv_forward_naive",
    "dw db dx",
    slips=(
        ("dw += np", "dw = np", "dw", ""),
        ("d, w)", "d, w[:, :, ::-1, ::-1])", "dx", ""),
        ("db = dout.sum(axis=(0, 2, 3))", "db = dout.mean(axis=(0, 2, 3))", "db", ""),
    ),
)
STYLES["recurrent step pair"] = Style(
    """
    def rnn_step_forward(x, prev_h, Wx, Wh, b):
        next_h = np.tanh(x @ Wx + prev_h @ Wh + b)
        return next_h, (x, prev_h, Wx, Wh, next_h)

    def rnn_step_backward(dnext_h, cache):
        x, prev_h, Wx, Wh, next_h = cache
        dz = dnext_h * (1 - next_h**2)
        dx, dprev_h = dz @ Wx.T, dz @ Wh.T
        dWx, dWh, db = x.T @ dz, prev_h.T @ dz, dz.sum(axis=0)
        return dx, dprev_h, dWx, dWh, db
    """,
    "rnn_step_forward",
    "dWx dWh db dx dprev_h",
    slips=(
        ("prev_h.T @ dz", "next_h.T @ dz", "dWh", ""),
        ("dz @ Wh.T", "dz @ Wh", "dprev_h", ""),
        ("1 - next_h**2", "1 - next_h", "", ""),
    ),
)
STYLES["loss(W, X, y, reg)"] = Style(
    """
    def softmax_loss_vectorized(W, X, y, reg):
        n = len(X)
        scores = X @ W
        scores = scores - scores.real.max(axis=1, keepdims=True)
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        loss = -np.log(p[np.arange(n), y]).mean() + reg * (W * W).sum()
        p[np.arange(n), y] -= 1
        dW = X.T @ p / n + 2 * reg * W
        return loss, dW
    """,
    "",
    "dW",
    slips=(
        ("p / n", "p", "dW", ""),
        ("+ 2 * reg * W", "", "dW", "decay"),
        ("+ 2 * reg * W", "+ reg * W", "dW", "decay"),
    ),
)
STYLES["network with loss(X, y)"] = Style(
    """
    class TwoLayerNet:
        def __init__(self, input_size, hidden_size, output_size, std=0.5):
            rng = np.random.default_rng(0)
            self.params = {"W1": std * rng.normal(size=(input_size, hidden_size)), "b1": np.zeros(hidden_size)}
            self.params |= {"W2": std * rng.normal(size=(hidden_size, output_size)), "b2": np.zeros(output_size)}

        def loss(self, X, y=None, reg=0.0):
            W1, b1, W2, b2 = (self.params[k] for k in ("W1", "b1", "W2", "b2"))
            h = np.maximum(0, X @ W1 + b1)
            scores = h @ W2 + b2
            if y is None:
                return scores
            N = len(X)
            e = np.exp(scores - scores.real.max(axis=1, keepdims=True))
            p = e / e.sum(axis=1, keepdims=True)
            loss = -np.log(p[range(N), y]).sum() / N + reg * ((W1**2).sum() + (W2**2).sum())
            p[range(N), y] -= 1
            d = p / N
            grads = {"W2": h.T @ d + 2 * reg * W2, "b2": d.sum(axis=0)}
            dh = d @ W2.T
            dh[h <= 0] = 0
            grads["W1"] = X.T @ dh + 2 * reg * W1
            grads["b1"] = dh.sum(axis=0)
            return loss, grads
    """,
    "TwoLayerNet",
    "dW1 db1 dW2 db2",
    slips=(
        ("dh[h <= 0] = 0", "pass", "db2, dW2 are right and db1, dW1 are not", ""),
        ("+ 2 * reg * W2", "+ reg * W2", "dW2", "decay"),
        ('"b2": d.sum(axis=0)', '"b2": d.mean(axis=0)', "db2", "divided-by-n"),
        ("d = p / N", "d = p", "That is n, the number of rows", "factor"),
    ),
)
STYLES["network over pairs"] = Style(
    """
    def affine_forward(x, w, b):
        return x @ w + b, (x, w)

    def affine_backward(dout, cache):
        x, w = cache
        return dout @ w.T, x.T @ dout, dout.sum(axis=0)

    def softmax_loss(x, y):
        z = x - x.real.max(axis=1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        dx = np.exp(logp)
        dx[np.arange(len(x)), y] -= 1
        return -logp[np.arange(len(x)), y].mean(), dx / len(x)

    class FullyConnectedNet:
        def __init__(self, hidden_dims, input_dim=5, num_classes=3, reg=0.2):
            rng, dims = np.random.default_rng(0), [input_dim, *hidden_dims, num_classes]
            self.reg, self.params, self.num_layers = reg, {}, len(dims) - 1
            for k in range(self.num_layers):
                self.params[f"W{k + 1}"] = rng.normal(size=dims[k : k + 2])
                self.params[f"b{k + 1}"] = rng.normal(size=dims[k + 1])

        def loss(self, X, y=None):
            caches, a = [], X
            for k in range(1, self.num_layers + 1):
                a, cache = affine_forward(a, self.params[f"W{k}"], self.params[f"b{k}"])
                caches.append((cache, a))
                if k < self.num_layers:
                    a = np.tanh(a)
            if y is None:
                return a
            loss, d = softmax_loss(a, y)
            grads = {}
            for k in range(self.num_layers, 0, -1):
                cache, z = caches[k - 1]
                if k < self.num_layers:
                    d = d * (1 - np.tanh(z) ** 2)
                W = self.params[f"W{k}"]
                d, grads[f"W{k}"], grads[f"b{k}"] = affine_backward(d, cache)
                loss += 0.5 * self.reg * (W * W).sum()
                grads[f"W{k}"] += self.reg * W
            return loss, grads

    net = FullyConnectedNet([4, 6])
    """,
    "net",
    "dW1 db1 dW2 db2 dW3 db3",
    slips=(
        ("loss += 0.5 * self.reg", "loss += self.reg", "dW3", "decay"),
        ("(1 - np.tanh(z) ** 2)", "(1 + np.tanh(z) ** 2)", "db3, dW3 are right", ""),
        ("dx / len(x)", "dx", "", ""),
        ("x.T @ dout, dout", "-x.T @ dout, dout", "dW", ""),
    ),
)

# --- the specialisation of deeplearning.ai: functions over dicts, samples as columns ---------------------------------

DLAI = """
    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    def initialize_parameters(n_x, n_h, n_y):
        rng = np.random.RandomState(2)
        return {"W1": rng.randn(n_h, n_x) * 0.01, "b1": np.zeros((n_h, 1)),
                "W2": rng.randn(n_y, n_h) * 0.01, "b2": np.zeros((n_y, 1))}

    def forward_propagation(X, parameters):
        W1, b1, W2, b2 = (parameters[k] for k in ("W1", "b1", "W2", "b2"))
        Z1 = np.dot(W1, X) + b1
        A1 = np.tanh(Z1)
        Z2 = np.dot(W2, A1) + b2
        A2 = sigmoid(Z2)
        return A2, {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2}
"""
STYLES["dicts and columns"] = Style(
    DLAI
    + """
    def compute_cost(A2, Y):
        m = Y.shape[1]
        logprobs = np.multiply(np.log(A2), Y) + np.multiply(np.log(1 - A2), 1 - Y)
        cost = -np.sum(logprobs) / m
        return np.squeeze(cost)

    def backward_propagation(parameters, cache, X, Y):
        m = X.shape[1]
        A1, A2 = cache["A1"], cache["A2"]
        dZ2 = A2 - Y
        dW2 = np.dot(dZ2, A1.T) / m
        db2 = np.sum(dZ2, axis=1, keepdims=True) / m
        dZ1 = np.dot(parameters["W2"].T, dZ2) * (1 - np.power(A1, 2))
        dW1 = np.dot(dZ1, X.T) / m
        db1 = np.sum(dZ1, axis=1, keepdims=True) / m
        return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}
    """,
    "",
    "dW1 db1 dW2 db2",
    "samples are columns, (D, N)",
    slips=(
        ("np.dot(dZ1, X.T) / m", "np.dot(dZ1, X.T)", "dW1", "factor"),
        ("dZ2 = A2 - Y", "dZ2 = Y - A2", "d", "sign"),
        (
            "db1 = np.sum(dZ1, axis=1, keepdims=True) / m",
            "db1 = dZ1 / m",
            "a column for each sample",
            "bias-not-summed",
        ),
        ("(1 - np.power(A1, 2))", "(1 - A1)", "db2, dW2 are right", ""),
        ("db2 = np.sum(dZ2, axis=1, keepdims=True) / m", "db2 = np.sum(dZ2) / m / 2 * np.ones((1, 1))", "db2", "half"),
        ("(1 - np.power(A1, 2))", "(1 - np.power(A1, 2)) / m", "the delta (dZ) from which", "divided-by-n"),
    ),
)
STYLES["dicts with regularization"] = Style(
    DLAI
    + """
    def compute_cost(A2, Y):
        return -np.sum(np.log(A2) * Y + np.log(1 - A2) * (1 - Y)) / Y.shape[1]

    def compute_cost_with_regularization(A2, Y, parameters, lambd):
        W1, W2 = parameters["W1"], parameters["W2"]
        return compute_cost(A2, Y) + lambd / (2 * Y.shape[1]) * (np.sum(np.square(W1)) + np.sum(np.square(W2)))

    def backward_propagation_with_regularization(parameters, X, Y, cache, lambd):
        m = X.shape[1]
        A1, A2, W1, W2 = cache["A1"], cache["A2"], parameters["W1"], parameters["W2"]
        dZ2 = A2 - Y
        dW2 = (np.dot(dZ2, A1.T) + lambd * W2) / m
        db2 = np.sum(dZ2, axis=1, keepdims=True) / m
        dZ1 = np.dot(W2.T, dZ2) * (1 - A1**2)
        dW1 = (np.dot(dZ1, X.T) + lambd * W1) / m
        db1 = np.sum(dZ1, axis=1, keepdims=True) / m
        return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}
    """,
    "",
    "dW1 db1 dW2 db2",
    "samples are columns, (D, N)",
    slips=(
        ("+ lambd * W2) / m", ") / m", "dW2", "decay"),
        ("+ lambd * W1) / m", "+ lambd * W1 * m) / m", "dW1", "decay"),
        ("db1 = np.sum(dZ1, axis=1, keepdims=True) / m", "db1 = np.sum(dZ1, axis=1, keepdims=True)", "db1", "factor"),
    ),
)
STYLES["one function, propagate(w, b, X, Y)"] = Style(
    """
    def propagate(w, b, X, Y):
        m = X.shape[1]
        A = 1 / (1 + np.exp(-(np.dot(w.T, X) + b)))
        cost = -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / m
        dw = np.dot(X, (A - Y).T) / m
        db = np.sum(A - Y) / m
        cost = np.squeeze(np.array(cost))
        return {"dw": dw, "db": db}, cost

    w, b = np.array([[1.0], [2.0], [-1.0]]), 1.5
    X = np.array([[1.0, -2.0, -1.0, 0.5], [3.0, 0.5, -3.2, 0.1], [0.3, 0.2, 0.1, 1.0]])
    Y = np.array([[1, 1, 0, 0]])
    """,
    "propagate",
    "dw db",
    slips=(
        ("(A - Y).T) / m", "(A - Y).T)", "dw", "factor"),
        ("db = np.sum(A - Y)", "db = -np.sum(A - Y)", "db", "sign"),
        ("np.dot(X, (A - Y).T)", "np.dot(X, (A - Y).T) * 0.5", "dw", "half"),
    ),
)
STYLES["deep dicts and columns"] = Style(
    """
    def initialize_parameters_deep(layer_dims):
        rng, parameters = np.random.RandomState(3), {}
        for l in range(1, len(layer_dims)):
            parameters["W" + str(l)] = rng.randn(layer_dims[l], layer_dims[l - 1])
            parameters["b" + str(l)] = np.zeros((layer_dims[l], 1))
        return parameters

    def linear_forward(A, W, b):
        return W.dot(A) + b, (A, W, b)

    def linear_backward(dZ, cache):
        A_prev, W, b = cache
        m = A_prev.shape[1]
        dW = np.dot(dZ, A_prev.T) / m
        db = np.sum(dZ, axis=1, keepdims=True) / m
        dA_prev = np.dot(W.T, dZ)
        return dA_prev, dW, db

    def L_model_forward(X, parameters):
        caches, A, L = [], X, len(parameters) // 2
        for l in range(1, L + 1):
            Z, cache = linear_forward(A, parameters["W" + str(l)], parameters["b" + str(l)])
            A = np.maximum(0, Z) if l < L else 1 / (1 + np.exp(-Z))
            caches.append((cache, Z))
        return A, caches

    def compute_cost(AL, Y):
        m = Y.shape[1]
        cost = (-np.dot(Y, np.log(AL).T) - np.dot(1 - Y, np.log(1 - AL).T)) / m
        return np.squeeze(cost)

    def L_model_backward(AL, Y, caches):
        grads, L = {}, len(caches)
        dA = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))
        for l in reversed(range(L)):
            cache, Z = caches[l]
            s = 1 / (1 + np.exp(-Z))
            dZ = dA * s * (1 - s) if l == L - 1 else np.where(Z > 0, dA, 0)
            dA, grads["dW" + str(l + 1)], grads["db" + str(l + 1)] = linear_backward(dZ, cache)
            grads["dA" + str(l)] = dA
        return grads
    """,
    "L_model_forward",
    "dW1 db1 dW2 db2",
    "samples are columns, (D, N)",
    slips=(
        ("np.where(Z > 0, dA, 0)", "dA", "db2, dW2 are right", ""),
        ("dA * s * (1 - s)", "dA * s", "db2", ""),
        ("db = np.sum(dZ, axis=1, keepdims=True) / m", "db = np.sum(dZ, axis=1, keepdims=True)", "db", "factor"),
    ),
)
STYLES["convolution of channels last"] = Style(
    """
    def conv_forward(A_prev, W, b, hparameters):
        s, p = hparameters["stride"], hparameters["pad"]
        m, H, V, _ = A_prev.shape
        f, _, _, C = W.shape
        Ap = np.pad(A_prev, ((0, 0), (p, p), (p, p), (0, 0)))
        Z = np.zeros((m, int((H - f + 2 * p) / s) + 1, int((V - f + 2 * p) / s) + 1, C), A_prev.dtype)
        for i in range(m):
            for h in range(Z.shape[1]):
                for v in range(Z.shape[2]):
                    part = Ap[i, h * s : h * s + f, v * s : v * s + f, :]
                    for c in range(C):
                        Z[i, h, v, c] = np.sum(part * W[:, :, :, c]) + b[0, 0, 0, c]
        return Z, (A_prev, W, b, hparameters)

    def conv_backward(dZ, cache):
        A_prev, W, b, hparameters = cache
        s, p = hparameters["stride"], hparameters["pad"]
        f = W.shape[0]
        Ap = np.pad(A_prev, ((0, 0), (p, p), (p, p), (0, 0)))
        dAp, dW, db = np.zeros(Ap.shape), np.zeros(W.shape), np.zeros(b.shape)
        for i in range(len(dZ)):
            for h in range(dZ.shape[1]):
                for v in range(dZ.shape[2]):
                    for c in range(dZ.shape[3]):
                        rows, columns = slice(h * s, h * s + f), slice(v * s, v * s + f)
                        dAp[i, rows, columns] += W[:, :, :, c] * dZ[i, h, v, c]
                        dW[:, :, :, c] += Ap[i, rows, columns] * dZ[i, h, v, c]
                        db[:, :, :, c] += dZ[i, h, v, c]
        dA_prev = dAp[:, p:-p, p:-p, :]
        return dA_prev, dW, db
    """,
    "conv_forward",
    "dW db dx",
    slips=(
        ("db[:, :, :, c] +=", "db[:, :, :, c] =", "db", ""),
        ("dAp[i, rows, columns] +=", "dAp[i, rows, columns] =", "dx", ""),
        ("dW[:, :, :, c] += Ap", "dW[:, :, :, c] += 2 * Ap", "dW", "factor-2"),
    ),
)

# --- Nielsen's book, and others that take one sample, a column -------------------------------------------------------

STYLES["backprop(x, y) of one column"] = Style(
    """
    def sigmoid(z):
        return 1.0 / (1.0 + np.exp(-z))

    class Network:
        def __init__(self, sizes):
            rng = np.random.default_rng(0)
            self.num_layers, self.sizes = len(sizes), sizes
            self.biases = [rng.normal(size=(n, 1)) for n in sizes[1:]]
            self.weights = [rng.normal(size=(n, m)) for m, n in zip(sizes[:-1], sizes[1:])]

        def feedforward(self, a):
            for b, w in zip(self.biases, self.weights):
                a = sigmoid(np.dot(w, a) + b)
            return a

        def backprop(self, x, y):
            nabla_b = [np.zeros(b.shape) for b in self.biases]
            nabla_w = [np.zeros(w.shape) for w in self.weights]
            activation, activations, zs = x, [x], []
            for b, w in zip(self.biases, self.weights):
                zs.append(np.dot(w, activation) + b)
                activation = sigmoid(zs[-1])
                activations.append(activation)
            delta = (activations[-1] - y) * self.slope(zs[-1])
            nabla_b[-1] = delta
            nabla_w[-1] = np.dot(delta, activations[-2].T)
            for l in range(2, self.num_layers):
                delta = np.dot(self.weights[-l + 1].T, delta) * self.slope(zs[-l])
                nabla_b[-l] = delta
                nabla_w[-l] = np.dot(delta, activations[-l - 1].T)
            return (nabla_b, nabla_w)

        def slope(self, z):
            return sigmoid(z) * (1 - sigmoid(z))
    """,
    "",
    "dbiases[0] dbiases[1] dweights[0] dweights[1]",
    "half of the squared error",
    slips=(
        ("delta) * self.slope(zs[-l])", "delta)", "[0]", ""),
        ("nabla_w[-1] = np.dot", "nabla_w[-1] = 2 * np.dot", "dweights[1]", "factor-2"),
        ("nabla_b[-l] = delta", "nabla_b[-l] = -delta", "dbiases[0]", "sign"),
    ),
)
STYLES["backward(output_gradient, learning_rate)"] = Style(
    """
    class Layer:
        def __init__(self):
            self.input = None
            self.output = None

        def forward(self, input):
            pass

        def backward(self, output_gradient, learning_rate):
            pass

    class Dense(Layer):
        def __init__(self, input_size, output_size):
            rng = np.random.default_rng(0)
            self.weights, self.bias = rng.normal(size=(output_size, input_size)), rng.normal(size=(output_size, 1))

        def forward(self, input):
            self.input = input
            return np.dot(self.weights, self.input) + self.bias

        def backward(self, output_gradient, learning_rate):
            weights_gradient = np.dot(output_gradient, self.input.T)
            input_gradient = np.dot(self.weights.T, output_gradient)
            self.weights -= learning_rate * weights_gradient
            self.bias -= learning_rate * output_gradient
            return input_gradient

    class Activation(Layer):
        def __init__(self, activation, activation_prime):
            self.activation, self.activation_prime = activation, activation_prime

        def forward(self, input):
            self.input = input
            return self.activation(self.input)

        def backward(self, output_gradient, learning_rate):
            return np.multiply(output_gradient, self.activation_prime(self.input))

    class Tanh(Activation):
        def __init__(self):
            super().__init__(lambda x: np.tanh(x), lambda x: 1 - np.tanh(x) ** 2)

    network = [Dense(2, 3), Tanh(), Dense(3, 1), Tanh()]
    """,
    "network",
    "dweights dbias",
    "one sample at a time",
    slips=(
        ("1 - np.tanh(x) ** 2", "1 - np.tanh(x)", "", "derivative"),
        ("self.weights -= learning_rate * w", "self.weights += learning_rate * w", "dweights", "sign"),
        ("self.bias -= learning_rate * output", "self.bias -= learning_rate * 2 * output", "dbias", "factor-2"),
        (
            "input_gradient = np.dot(self.weights.T, output_gradient)\n",
            "self.weights = self.weights - learning_rate * weights_gradient\n"
            + 12 * " " + "input_gradient = np.dot(self.weights.T, output_gradient)\n"
            + 12 * " " + "self.weights = self.weights + learning_rate * weights_gradient\n",
            "dx", "updated-too-early",
        ),
    ),
)  # fmt: skip
STYLES["backprop(d_L_d_out, learn_rate) of a vector"] = Style(
    """
    class Softmax:
        def __init__(self, input_len, nodes):
            rng = np.random.default_rng(0)
            self.weights, self.biases = rng.normal(size=(input_len, nodes)), np.zeros(nodes)

        def forward(self, input):
            self.last_input_shape = input.shape
            input = input.flatten()
            self.last_input = input
            totals = np.dot(input, self.weights) + self.biases
            exp = np.exp(totals)
            self.out = exp / np.sum(exp, axis=0)
            return self.out

        def backprop(self, d_L_d_out, learn_rate):
            p = self.out
            d_L_d_t = p * (d_L_d_out - np.sum(d_L_d_out * p))
            d_L_d_w = self.last_input[np.newaxis].T @ d_L_d_t[np.newaxis]
            d_L_d_inputs = self.weights @ d_L_d_t
            self.weights -= learn_rate * d_L_d_w
            self.biases -= learn_rate * d_L_d_t
            return d_L_d_inputs.reshape(self.last_input_shape)
    """,
    "Softmax",
    "dweights dbiases dx",
    "one sample at a time, without an axis for samples",
    slips=(
        ("- np.sum(d_L_d_out * p)", "", "", ""),
        ("self.biases -= learn", "self.biases += learn", "dbiases", "sign"),
        ("= self.weights @ d_L_d_t", "= 2 * self.weights @ d_L_d_t", "dx", "factor-2"),
    ),
)

# --- layers as objects -----------------------------------------------------------------------------------------------

STYLES["dinputs and dweights"] = Style(
    """
    class Layer_Dense:
        def __init__(self, n_inputs, n_neurons, weight_regularizer_l2=0):
            self.weights = 0.1 * np.random.default_rng(0).normal(size=(n_inputs, n_neurons))
            self.biases = np.zeros((1, n_neurons))
            self.weight_regularizer_l2 = weight_regularizer_l2

        def forward(self, inputs, training):
            self.inputs = inputs
            self.output = np.dot(inputs, self.weights) + self.biases

        def backward(self, dvalues):
            self.dweights = np.dot(self.inputs.T, dvalues)
            self.dbiases = np.sum(dvalues, axis=0, keepdims=True)
            if self.weight_regularizer_l2 > 0:
                self.dweights += 2 * self.weight_regularizer_l2 * self.weights
            self.dinputs = np.dot(dvalues, self.weights.T)

    class Activation_ReLU:
        def forward(self, inputs, training):
            self.inputs = inputs
            self.output = np.maximum(0, inputs)

        def backward(self, dvalues):
            self.dinputs = dvalues.copy()
            self.dinputs[self.inputs <= 0] = 0
    """,
    "",
    "dweights dbiases dx",
    slips=(
        ("[self.inputs <= 0] = 0", "[self.inputs > 0] = 0", "dx", "mask-inverted"),
        ("np.sum(dvalues, axis=0, keepdims=True)", "np.mean(dvalues, axis=0, keepdims=True)", "dbiases", "bias-mean"),
        ("self.dweights = np.dot", "self.dweights = -np.dot", "dweights", "sign"),
    ),
)
STYLES["gradient(x, t) over layers"] = Style(
    """
    from collections import OrderedDict

    class Relu:
        def forward(self, x):
            self.mask = x <= 0
            out = x.copy()
            out[self.mask] = 0
            return out

        def backward(self, dout):
            dx = dout.copy()
            dx[self.mask] = 0
            return dx

    class Affine:
        def __init__(self, W, b):
            self.W, self.b, self.x, self.dW, self.db = W, b, None, None, None

        def forward(self, x):
            self.x = x
            return np.dot(x, self.W) + self.b

        def backward(self, dout):
            dx = np.dot(dout, self.W.T)
            self.dW = np.dot(self.x.T, dout)
            self.db = np.sum(dout, axis=0)
            return dx

    class SoftmaxWithLoss:
        def forward(self, x, t):
            self.t = t
            e = np.exp(x - x.real.max(axis=1, keepdims=True))
            self.y = e / e.sum(axis=1, keepdims=True)
            return -np.sum(t * np.log(self.y + 1e-7)) / len(x)

        def backward(self, dout=1):
            return dout * (self.y - self.t) / len(self.t)

    class TwoLayerNet:
        def __init__(self, input_size, hidden_size, output_size, weight_init_std=0.5):
            rng = np.random.default_rng(0)
            self.params = {}
            self.params["W1"] = weight_init_std * rng.normal(size=(input_size, hidden_size))
            self.params["b1"] = np.zeros(hidden_size)
            self.params["W2"] = weight_init_std * rng.normal(size=(hidden_size, output_size))
            self.params["b2"] = np.zeros(output_size)
            self.layers = OrderedDict()
            self.layers["Affine1"] = Affine(self.params["W1"], self.params["b1"])
            self.layers["Relu1"] = Relu()
            self.layers["Affine2"] = Affine(self.params["W2"], self.params["b2"])
            self.lastLayer = SoftmaxWithLoss()

        def predict(self, x):
            for layer in self.layers.values():
                x = layer.forward(x)
            return x

        def loss(self, x, t):
            return self.lastLayer.forward(self.predict(x), t)

        def gradient(self, x, t):
            self.loss(x, t)
            dout = self.lastLayer.backward(1)
            for layer in reversed(list(self.layers.values())):
                dout = layer.backward(dout)
            grads = {}
            grads["W1"], grads["b1"] = self.layers["Affine1"].dW, self.layers["Affine1"].db
            grads["W2"], grads["b2"] = self.layers["Affine2"].dW, self.layers["Affine2"].db
            return grads
    """,
    "TwoLayerNet",
    "dW1 db1 dW2 db2",
    "the loss has log(p + 1e-07), and its gradient leaves that number out",
    slips=(
        ("dx = np.dot(dout, self.W.T)", "dx = -np.dot(dout, self.W.T)", "db1", "sign"),
        ("/ len(self.t)", "", "", "factor"),
        ("dx[self.mask] = 0", "pass", "db2, dW2 are right", ""),
        ('grads["b1"] = self.layers["Affine1"].dW, self.layers["Affine1"].db', 'grads["b1"] = self.layers["Affine1"].dW, 2 * self.layers["Affine1"].db', "db1", "factor-2"),
    ),
)  # fmt: skip
STYLES["params and grads lists, forward(x, t)"] = Style(
    """
    class MatMul:
        def __init__(self, W):
            self.params, self.grads, self.x = [W], [np.zeros_like(W)], None

        def forward(self, x):
            (W,) = self.params
            self.x = x
            return np.dot(x, W)

        def backward(self, dout):
            (W,) = self.params
            self.grads[0][...] = np.dot(self.x.T, dout)
            return np.dot(dout, W.T)

    class Sigmoid:
        def __init__(self):
            self.params, self.grads = [], []

        def forward(self, x):
            self.out = 1 / (1 + np.exp(-x))
            return self.out

        def backward(self, dout):
            return dout * (1.0 - self.out) * self.out

    class SoftmaxWithLoss:
        def __init__(self):
            self.params, self.grads = [], []

        def forward(self, x, t):
            self.t = t
            e = np.exp(x - x.real.max(axis=1, keepdims=True))
            self.y = e / e.sum(axis=1, keepdims=True)
            return -np.log(self.y[np.arange(len(x)), t] + 1e-7).mean()

        def backward(self, dout=1):
            dx = self.y.copy()
            dx[np.arange(len(dx)), self.t] -= 1
            return dx * dout / len(dx)

    class TwoLayerNet:
        def __init__(self, input_size, hidden_size, output_size):
            rng = np.random.default_rng(0)
            W1, W2 = rng.normal(size=(input_size, hidden_size)), rng.normal(size=(hidden_size, output_size))
            self.layers = [MatMul(W1), Sigmoid(), MatMul(W2)]
            self.loss_layer = SoftmaxWithLoss()
            self.params, self.grads = [], []
            for layer in self.layers:
                self.params += layer.params
                self.grads += layer.grads

        def predict(self, x):
            for layer in self.layers:
                x = layer.forward(x)
            return x

        def forward(self, x, t):
            return self.loss_layer.forward(self.predict(x), t)

        def backward(self, dout=1):
            dout = self.loss_layer.backward(dout)
            for layer in reversed(self.layers):
                dout = layer.backward(dout)
            return dout
    """,
    "TwoLayerNet",
    "layers[0].dparams[0] layers[2].dparams[0]",
    slips=(
        ("(1.0 - self.out) * self.out", "(1.0 - self.out)", "[0]", ""),
        ("= np.dot(self.x.T, dout)", "= 2 * np.dot(self.x.T, dout)", "layers[2].dparams[0]", "factor-2"),
        ("dx * dout / len(dx)", "dx * dout", "", "factor"),
    ),
)
STYLES["forward_pass and an optimizer in the layer"] = Style(
    """
    import copy

    class SGD:
        def __init__(self, learning_rate=0.01, momentum=0):
            self.learning_rate, self.momentum, self.w_updt = learning_rate, momentum, None

        def update(self, w, grad_wrt_w):
            if self.w_updt is None:
                self.w_updt = np.zeros(np.shape(w))
            self.w_updt = self.momentum * self.w_updt + (1 - self.momentum) * grad_wrt_w
            return w - self.learning_rate * self.w_updt

    class Dense:
        def __init__(self, n_units, input_shape=None):
            self.layer_input, self.input_shape, self.n_units, self.trainable = None, input_shape, n_units, True
            self.W, self.w0 = None, None

        def initialize(self, optimizer):
            limit = 1 / np.sqrt(self.input_shape[0])
            self.W = np.random.default_rng(0).uniform(-limit, limit, (self.input_shape[0], self.n_units))
            self.w0 = np.zeros((1, self.n_units))
            self.W_opt, self.w0_opt = copy.copy(optimizer), copy.copy(optimizer)

        def forward_pass(self, X, training=True):
            self.layer_input = X
            return X.dot(self.W) + self.w0

        def backward_pass(self, accum_grad):
            W = self.W
            if self.trainable:
                grad_w = self.layer_input.T.dot(accum_grad)
                grad_w0 = np.sum(accum_grad, axis=0, keepdims=True)
                self.W = self.W_opt.update(self.W, grad_w)
                self.w0 = self.w0_opt.update(self.w0, grad_w0)
            return accum_grad.dot(W.T)

    layer = Dense(4, (5,))
    layer.initialize(SGD(0.01, 0.9))
    """,
    "layer",
    "dW dw0 dx",
    slips=(
        ("accum_grad.dot(W.T)", "accum_grad.dot(self.W.T)", "dx", "updated-too-early"),
        ("np.sum(accum_grad, axis=0, keepdims=True)", "np.mean(accum_grad, axis=0, keepdims=True)", "dw0", "bias-mean"),
        ("update(self.W, grad_w)", "update(self.W, -grad_w)", "dW", "sign"),
    ),
)
STYLES["gradients that add up until they are flushed"] = Style(
    """
    class FullyConnected:
        def __init__(self, n_out, n_in=5):
            rng = np.random.default_rng(0)
            self.n_in, self.n_out, self.trainable, self.X = n_in, n_out, True, []
            self.parameters = {"W": rng.normal(size=(n_in, n_out)), "b": np.zeros((1, n_out))}
            self.flush_gradients()

        def flush_gradients(self):
            self.X = []
            self.derived_variables = {"Z": []}
            self.gradients = {k: np.zeros_like(v) for k, v in self.parameters.items()}

        def forward(self, X, retain_derived=True):
            Z = X @ self.parameters["W"] + self.parameters["b"]
            if retain_derived:
                self.X.append(X)
                self.derived_variables["Z"].append(Z)
            return np.tanh(Z)

        def backward(self, dLdY, retain_grads=True):
            dLdY = dLdY if isinstance(dLdY, list) else [dLdY]
            dX = []
            for dy, x, Z in zip(dLdY, self.X, self.derived_variables["Z"]):
                dZ = dy * (1 - np.tanh(Z) ** 2)
                dX.append(dZ @ self.parameters["W"].T)
                self.gradients["W"] += x.T @ dZ
                self.gradients["b"] += dZ.sum(axis=0, keepdims=True)
            return dX[0] if len(dX) == 1 else dX
    """,
    "FullyConnected",
    "dW db dx",
    slips=(
        ("(1 - np.tanh(Z) ** 2)", "(1 - np.tanh(Z))", "", ""),
        ('self.gradients["W"] += x.T @ dZ', 'self.gradients["W"] += x.T @ dy', "dW", ""),
        ("dX.append(dZ @", "dX.append(-dZ @", "dx", "sign"),
    ),
)
STYLES["layers with dicts, lazy weights"] = Style(
    """
    class Layer:
        def __init__(self):
            self.params, self.grads, self.is_training = {p: None for p in self.param_names}, {}, True

        @property
        def param_names(self):
            return ()

    class Dense(Layer):
        def __init__(self, num_out):
            super().__init__()
            self.num_out, self.is_init = num_out, False

        @property
        def param_names(self):
            return "w", "b"

        def forward(self, inputs):
            if not self.is_init:
                self.params["w"] = np.random.normal(size=(inputs.shape[1], self.num_out))
                self.params["b"] = np.zeros((1, self.num_out))
                self.is_init = True
            self.ctx = {"X": inputs}
            return inputs @ self.params["w"] + self.params["b"]

        def backward(self, grad):
            self.grads["w"] = self.ctx["X"].T @ grad
            self.grads["b"] = np.sum(grad, axis=0)
            return grad @ self.params["w"].T
    """,
    "Dense",
    "dw db dx",
    slips=(
        ('["X"].T @ grad', '["X"].T @ grad / len(grad)', "dw", "divided-by-n"),
        ('grad @ self.params["w"].T', '0.5 * grad @ self.params["w"].T', "dx", "factor-half"),
        ("np.sum(grad, axis=0)", "np.sum(grad, axis=0)[None, None]", "db", "wrong-shape"),
        ("= np.sum(grad, axis=0)", "= -np.sum(grad, axis=0)", "db", "sign"),
    ),
)
STYLES["a net that iterates over its layers"] = Style(
    """
    class Linear:
        def __init__(self, input_size, output_size):
            rng = np.random.default_rng(0)
            self.params = {"w": rng.normal(size=(input_size, output_size)), "b": rng.normal(size=output_size)}
            self.grads = {}

        def forward(self, inputs):
            self.inputs = inputs
            return inputs @ self.params["w"] + self.params["b"]

        def backward(self, grad):
            self.grads["b"] = np.sum(grad, axis=0)
            self.grads["w"] = self.inputs.T @ grad
            return grad @ self.params["w"].T

    class Activation:
        def __init__(self, f, f_prime):
            self.params, self.grads, self.f, self.f_prime = {}, {}, f, f_prime

        def forward(self, inputs):
            self.inputs = inputs
            return self.f(inputs)

        def backward(self, grad):
            return self.f_prime(self.inputs) * grad

    def tanh(x):
        return np.tanh(x)

    def tanh_prime(x):
        y = np.tanh(x)
        return 1 - y**2

    class NeuralNet:
        def __init__(self, layers):
            self.layers = layers

        def forward(self, inputs):
            for layer in self.layers:
                inputs = layer.forward(inputs)
            return inputs

        def backward(self, grad):
            for layer in reversed(self.layers):
                grad = layer.backward(grad)
            return grad

    net = NeuralNet([Linear(5, 4), Activation(tanh, tanh_prime), Linear(4, 3)])
    """,
    "net",
    "layers[0] layers[2]",
    slips=(
        ("1 - y**2", "1 - y", "layers[0]", ""),
        ("reversed(self.layers)", "self.layers", "", ""),
        ("self.inputs.T @ grad", "2 * self.inputs.T @ grad", "layers[0]", "factor-2"),
    ),
)
STYLES["fprop and bprop"] = Style(
    """
    class LogisticLayer:
        def __init__(self, n_in, n_out):
            rng = np.random.default_rng(0)
            self.theta, self.theta0 = rng.normal(size=(n_in, n_out)), [0.0] * n_out

        def fprop(self, X):
            self.X = X
            self.Y = 1 / (1 + np.exp(-(X @ self.theta + np.array(self.theta0))))
            return self.Y

        def bprop(self, error):
            d = error * self.Y * (1 - self.Y)
            self.grad_theta = self.X.T @ d
            self.grad_theta0 = d.sum(axis=0)
            return d @ self.theta.T
    """,
    "LogisticLayer",
    "dtheta dtheta0 dx",
    slips=(
        ("* (1 - self.Y)", "", "", ""),
        ("d.sum(axis=0)", "d.mean(axis=0)", "dtheta0", "divided-by-n"),
        ("return d @", "return -d @", "dx", "sign"),
    ),
)
STYLES["layers that are called"] = Style(
    """
    class Linear:
        def __init__(self, n_in, n_out):
            rng = np.random.default_rng(0)
            self.w, self.b = rng.normal(size=(n_in, n_out)), 0.0

        def __call__(self, x):
            self.x = x
            return x @ self.w + self.b

        def backward(self, grad):
            self.w_grad = self.x.T @ grad
            self.b_grad = float(grad.sum())
            return grad @ self.w.T
    """,
    "Linear",
    "dw db dx",
    slips=(
        ("grad @ self.w.T", "2 * grad @ self.w.T", "dx", "factor-2"),
        ("float(grad.sum())", "float(grad.mean())", "db", ""),
        ("self.x.T @ grad", "-self.x.T @ grad", "dw", "sign"),
    ),
)

# --- a student's single class: network and loss at once --------------------------------------------------------------

STUDENT = """
    class NeuralNetwork:
        def __init__(self, n_in, n_hidden, n_out):
            rng = np.random.default_rng(0)
            self.W1, self.b1 = rng.normal(size=(n_in, n_hidden)), np.zeros((1, n_hidden))
            self.W2, self.b2 = rng.normal(size=(n_hidden, n_out)), np.zeros((1, n_out))

        def forward(self, X):
            self.z1 = X @ self.W1 + self.b1
            self.a1 = np.tanh(self.z1)
            z = self.a1 @ self.W2 + self.b2
            e = np.exp(z - z.real.max(axis=1, keepdims=True))
            self.probs = e / e.sum(axis=1, keepdims=True)
            return self.probs
"""
STYLES["backward(X, y) that keeps gradients"] = Style(
    STUDENT
    + """
        def backward(self, X, y):
            m = len(X)
            dz2 = (self.probs - y) / m
            self.dW2, self.db2 = self.a1.T @ dz2, dz2.sum(axis=0, keepdims=True)
            dz1 = (dz2 @ self.W2.T) * (1 - self.a1**2)
            self.dW1, self.db1 = X.T @ dz1, dz1.sum(axis=0, keepdims=True)
    """,
    "NeuralNetwork",
    "dW1 db1 dW2 db2",
    "the loss, found by measuring: cross-entropy, summed over a row, mean over the rows",
    slips=(
        ("* (1 - self.a1**2)", "", "db2, dW2 are right", ""),
        ("X.T @ dz1, dz1", "X.T @ dz1 / m, dz1", "dW1", "divided-by-n"),
        ("self.a1.T @ dz2, dz2", "-self.a1.T @ dz2, dz2", "dW2", "sign"),
    ),
)
STYLES["backward(X, y, lr) that updates"] = Style(
    STUDENT
    + """
        def backward(self, X, y, lr=0.1):
            m = len(X)
            dz2 = self.probs - y
            dW2, db2 = self.a1.T @ dz2, np.sum(dz2, axis=0)
            dz1 = (dz2 @ self.W2.T) * (1 - self.a1**2)
            dW1, db1 = X.T @ dz1, np.sum(dz1, axis=0)
            self.W1 -= lr * dW1 / m
            self.b1 -= lr * db1 / m
            self.W2 -= lr * dW2 / m
            self.b2 -= lr * db2 / m
    """,
    "",
    "dW1 db1 dW2 db2",
    "the loss, found by measuring: cross-entropy, summed over a row, mean over the rows",
    slips=(
        ("self.b2 -= lr * db2 / m", "self.b2 -= lr * db2", "db2", "factor"),
        ("self.W1 -= lr", "self.W1 += lr", "dW1", "sign"),
        ("dz2 = self.probs - y", "dz2 = y - self.probs", "db2", "sign"),
        ("dz2 @ self.W2.T", "dz2 @ (self.W2 - 0.1 * dW2).T", "db2, dW2 are right", ""),
    ),
)
STYLES["backward(X, y, output), to be added"] = Style(
    """
    class NeuralNetwork(object):
        def __init__(self):
            rng = np.random.default_rng(1)
            self.weights1, self.weights2 = rng.normal(size=(5, 4)), rng.normal(size=(4, 1))

        def sigmoid(self, s):
            return 1 / (1 + np.exp(-s))

        def sigmoid_derivative(self, s):
            return s * (1 - s)

        def feedforward(self, X):
            self.layer1 = self.sigmoid(np.dot(X, self.weights1))
            self.output = self.sigmoid(np.dot(self.layer1, self.weights2))
            return self.output

        def backprop(self, X, y, output):
            d = 2 * (y - output) * self.sigmoid_derivative(output)
            d_weights2 = np.dot(self.layer1.T, d)
            d_weights1 = np.dot(X.T, np.dot(d, self.weights2.T) * self.sigmoid_derivative(self.layer1))
            self.weights1 += d_weights1
            self.weights2 += d_weights2
    """,
    "",
    "dweights1 dweights2",
    "the loss, found by measuring: the squared error, summed over everything",
    slips=(
        ("self.weights1 += d", "self.weights1 -= d", "dweights1", "sign"),
        ("* self.sigmoid_derivative(self.layer1)", "", "dweights1", ""),
        ("d_weights2 = np.dot", "d_weights2 = 0.5 * np.dot", "dweights", ""),
    ),
)
STYLES["compute_loss(y_true, y_pred), backward(X, y)"] = Style(
    STUDENT
    + """
        def compute_loss(self, y_true, y_pred):
            return -np.sum(y_true * np.log(y_pred)) / len(y_true)

        def backward(self, X, y_true):
            dz2 = (self.probs - y_true) / len(X)
            dz1 = dz2 @ self.W2.T * (1 - self.a1**2)
            grads = {"W2": self.a1.T @ dz2, "b2": dz2.sum(axis=0, keepdims=True)}
            return grads | {"W1": X.T @ dz1, "b1": dz1.sum(axis=0, keepdims=True)}
    """,
    "NeuralNetwork",
    "dW1 db1 dW2 db2",
    slips=(
        ("dz2 = (self.probs - y_true)", "dz2 = (y_true - self.probs)", "", "sign"),
        ("/ len(X)\n", "\n", "", "factor"),
        ("(1 - self.a1**2)", "self.a1 * (1 - self.a1)", "db2, dW2 are right", ""),
    ),
)
STYLES["columns in a class"] = Style(
    """
    class Net:
        def __init__(self, layer_dims):
            rng, self.params, self.grads, self.cache = np.random.default_rng(0), {}, {}, {}
            for k in range(1, len(layer_dims)):
                self.params["W" + str(k)] = rng.normal(size=(layer_dims[k], layer_dims[k - 1]))
                self.params["b" + str(k)] = np.zeros((layer_dims[k], 1))

        def forward(self, X):
            c, p = self.cache, self.params
            c["A0"] = X
            c["A1"] = np.tanh(p["W1"] @ X + p["b1"])
            Z = p["W2"] @ c["A1"] + p["b2"]
            e = np.exp(Z - Z.real.max(axis=0, keepdims=True))
            c["A2"] = e / e.sum(axis=0, keepdims=True)
            return c["A2"]

        def compute_cost(self, AL, Y):
            return -(Y * np.log(AL)).sum() / Y.shape[1]

        def backward(self, AL, Y):
            c, m = self.cache, Y.shape[1]
            dZ = (AL - Y) / m
            self.grads["dW2"], self.grads["db2"] = dZ @ c["A1"].T, dZ.sum(axis=1, keepdims=True)
            dZ = self.params["W2"].T @ dZ * (1 - c["A1"] ** 2)
            self.grads["dW1"], self.grads["db1"] = dZ @ c["A0"].T, dZ.sum(axis=1, keepdims=True)
            return self.grads
    """,
    "Net",
    "dW1 db1 dW2 db2",
    "samples are columns, (D, N)",
    slips=(
        ('* (1 - c["A1"] ** 2)', "", "db2, dW2 are right", ""),
        ('dZ @ c["A0"].T, dZ', 'dZ @ c["A0"].T / m, dZ', "dW1", "divided-by-n"),
        ("dZ = (AL - Y) / m", "dZ = (Y - AL) / m", "", "sign"),
    ),
)

STYLES["functions over W1, b1, W2, b2"] = Style(
    """
    def init_params():
        return np.random.rand(10, 784) - 0.5, np.random.rand(10, 1), np.random.rand(10, 10), np.random.rand(10, 1)

    def ReLU(Z):
        return np.maximum(Z, 0)

    def ReLU_deriv(Z):
        return Z > 0

    def softmax(Z):
        return np.exp(Z) / sum(np.exp(Z))

    def forward_prop(W1, b1, W2, b2, X):
        Z1 = W1.dot(X) + b1
        A1 = ReLU(Z1)
        Z2 = W2.dot(A1) + b2
        A2 = softmax(Z2)
        return Z1, A1, Z2, A2

    def one_hot(Y):
        one_hot_Y = np.zeros((Y.size, Y.max() + 1))
        one_hot_Y[np.arange(Y.size), Y] = 1
        return one_hot_Y.T

    def backward_prop(Z1, A1, Z2, A2, W1, W2, X, Y):
        m = Y.size
        dZ2 = A2 - one_hot(Y)
        dW2 = 1 / m * dZ2.dot(A1.T)
        db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)
        dZ1 = W2.T.dot(dZ2) * ReLU_deriv(Z1)
        dW1 = 1 / m * dZ1.dot(X.T)
        db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)
        return dW1, db1, dW2, db2
    """,
    "",
    "dW1 db1 dW2 db2 ReLU_deriv",
    "the loss, found by measuring: cross-entropy, summed over a row, mean over the rows",
    slips=(
        ("np.sum(dZ2, axis=1, keepdims=True)", "np.sum(dZ2)", "db2", "bias-total"),
        (" * ReLU_deriv(Z1)", "", "db2, dW2 are right", ""),
        ("dW1 = 1 / m * dZ1", "dW1 = dZ1", "dW1", "factor"),
    ),
)

STYLES["a list of weights, and no loss"] = Style(
    """
    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    class Net:
        def __init__(self, sizes=(6, 5, 4, 3)):
            self.weights = [np.random.randn(a, b) / 2 for a, b in zip(sizes, sizes[1:])]

        def forward(self, x):
            self.a = [x]
            for w in self.weights:
                self.a.append(sigmoid(self.a[-1] @ w))
            return self.a[-1]

        def backward(self, x, y):
            self.grads = [None] * 3
            back = self.a[-1] - y
            for k in (2, 1, 0):
                delta = back * self.a[k + 1] * (1 - self.a[k + 1])
                back = delta @ self.weights[k].T
                self.grads[k] = self.a[k].T @ delta
            return self.grads

    net = Net()
    """,
    "net",
    "dweights[0] dweights[1] dweights[2]",
    "the loss, found by measuring: half of the squared error, summed over everything",
    slips=(
        ("back = delta @", "back = back @", "dweights[2] are right and dweights[1], dweights[0] are not", "unknown"),
        ("self.a[k].T @ delta", "self.a[k].T @ delta / len(x) ** (k == 0)", "dweights[0]", "divided-by-n"),
        ("* (1 - self.a[k + 1])", "* (1 - self.a[k + 1]) ** (k > 0)", "dweights[0]", "unknown"),
    ),
)
STYLES["biases are updated on the way"] = Style(
    """
    class Net:
        def __init__(self, n_in=5, n_hidden=4, n_out=3):
            self.W1, self.b1 = np.random.randn(n_in, n_hidden) / 2, np.zeros(n_hidden)
            self.W2, self.b2 = np.random.randn(n_hidden, n_out) / 2, np.zeros(n_out)
            self.lr = 0.1

        def forward(self, X):
            self.h = np.tanh(X @ self.W1 + self.b1)
            self.o = 1 / (1 + np.exp(-self.h @ self.W2 - self.b2))
            return self.o

        def backward(self, X, y):
            d2 = (self.o - y) * self.o * (1 - self.o)
            old = self.W2
            back = d2 @ old.T
            self.W2 = self.W2 - self.lr * self.h.T @ d2
            self.b2 = self.b2 - self.lr * d2.sum(axis=0)
            d1 = d2 @ old.T * (1 - self.h**2)
            self.W1 -= self.lr * X.T @ d1
            self.b1 -= self.lr * d1.sum(axis=0)
    """,
    "",
    "dW1 db1 dW2 db2",
    "half of the squared error, summed over everything",
    slips=(
        ("d1 = d2 @ old.T", "d1 = d2 @ self.W2.T", "db1 is computed after the update of W2", "updated-too-early"),
        ("self.lr * d1.sum(axis=0)", "self.lr * back.sum(axis=0)", "what comes back through W2", "bias-before-slope"),
        ("self.lr * d1.sum(axis=0)", "self.lr * (X.T @ d1).sum(axis=0)", "dW1, summed over axis 0", "bias-from-dW"),
        (" * (1 - self.h**2)", "", "comes back through W2: the slope", "missing-derivative"),
    ),
)

BETWEEN = """
    def softmax(z):
        e = np.exp(z - z.max(axis=0))
        return e / e.sum(axis=0)

    def forward_prop(x, W1, W2, b1, b2):
        h = np.maximum(0, W1 @ x + b1)
        z = W2 @ h + b2
        return z, h

    def compute_cost(y, yhat, batch_size):
        return -np.sum(y * np.log(yhat)) / batch_size

    def back_prop(x, yhat, y, h, W1, W2, b1, b2, batch_size):
        d2 = (yhat - y) / batch_size
        d1 = W2.T @ d2 * (h > 0)
        dW1, dW2 = d1 @ x.T, d2 @ h.T
        db1, db2 = d1.sum(axis=1, keepdims=True), d2.sum(axis=1, keepdims=True)
        return dW1, dW2, db1, db2
"""
STYLES["a softmax between forward and the cost"] = Style(
    BETWEEN,
    "",
    "dW1 db1 dW2 db2",
    "between forward and the loss stands softmax",
    slips=(
        ("d2.sum(axis=1", "dW2.sum(axis=1", "db2 is dW2, summed over axis 1", "bias-from-dW"),
        ("W2.T @ d2 * (h > 0)", "W2.T @ d2", "comes back through W2: the slope", "missing-derivative"),
        ("* (h > 0)", "* h", "db1 is wrong", "unknown"),
    ),
)

STYLES["a layer norm in a pair"] = Style(
    """
    def layernorm_forward(x, gamma, beta):
        std = np.sqrt(x.var(axis=1, keepdims=True) + 1e-3)
        xhat = (x - x.mean(axis=1, keepdims=True)) / std
        return gamma * xhat + beta, (xhat, std, gamma)

    def layernorm_backward(dout, cache):
        xhat, std, gamma = cache
        dbeta = dout.sum(axis=0)
        dgamma = (dout * xhat).sum(axis=0)
        q = dout * gamma
        mean, along = q.mean(axis=1, keepdims=True), (q * xhat).mean(axis=1, keepdims=True)
        return (q - mean - xhat * along) / std, dgamma, dbeta
    """,
    "",
    "dgamma dbeta dx",
    slips=(
        ("dout.sum(axis=0)", "dout.sum(axis=1)", "dbeta is summed over the units (axis=1)", "bias-wrong-axis"),
        ("xhat).sum(axis=0)", "xhat).sum(axis=1)", "dgamma is summed over the features (axis=1)", "scale-wrong-axis"),
        ("dgamma = (dout * xhat)", "dgamma = dout", "dgamma", "dg-from-dy"),
    ),
)

# --- conventions that need a word ------------------------------------------------------------------------------------

STYLES["activations with their slope"] = Style(
    """
    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def sigmoid_derivative(s):
        return s * (1 - s)

    def tanh(x):
        return np.tanh(x)

    def d_tanh(x):
        return 1 - np.tanh(x) ** 2

    class LeakyReLU:
        def __init__(self, alpha=0.2):
            self.alpha = alpha

        def __call__(self, x):
            return np.where(x >= 0, x, self.alpha * x)

        def gradient(self, x):
            return np.where(x >= 0, 1, self.alpha)
    """,
    "",
    "sigmoid_derivative d_tanh LeakyReLU()",
    "the slope is computed from y = f(x)",
    slips=(
        ("s * (1 - s)", "s * (1 + s)", "dx", ""),
        ("1 - np.tanh(x) ** 2", "1 - np.tanh(x)", "dx", "derivative-incomplete"),
        ("(x >= 0, 1, self.alpha)", "(x >= 0, 1, 2 * self.alpha)", "dx", ""),
    ),
)
STYLES["a layer over columns that takes the mean"] = Style(
    """
    def linear_forward(A, W, b):
        return np.dot(W, A) + b, (A, W, b)

    def linear_backward(dZ, cache):
        A_prev, W, b = cache
        m = A_prev.shape[1]
        dW = 1. / m * np.dot(dZ, A_prev.T)
        db = 1. / m * np.sum(dZ, axis=1, keepdims=True)
        dA_prev = np.dot(W.T, dZ)
        return dA_prev, dW, db
    """,
    "linear_forward",
    "dW db dx",
    "its gradients are means over the samples",
    slips=(
        ("dW = 1. / m * np", "dW = np", "db", "bias-mean"),
        ("axis=1, keepdims=True)", "axis=1, keepdims=True) / m", "dW", "divided-by-n"),
        ("dA_prev = np.dot", "dA_prev = -np.dot", "", ""),
    ),
)
STYLES["a class over columns that takes the mean"] = Style(
    """
    class Dense:
        def __init__(self, n_in, n_out):
            self.W, self.b = np.random.default_rng(0).normal(size=(n_out, n_in)), np.zeros((n_out, 1))

        def forward(self, A_prev):
            self.A_prev, self.Z = A_prev, self.W @ A_prev + self.b
            return np.maximum(0, self.Z)

        def backward(self, dA):
            m = self.A_prev.shape[1]
            dZ = dA * (self.Z > 0)
            self.dW, self.db = dZ @ self.A_prev.T / m, dZ.sum(axis=1, keepdims=True) / m
            return self.W.T @ dZ
    """,
    "",
    "dW db dx",
    "its gradients are means over the samples",
    slips=(
        ("dZ @ self.A_prev.T / m", "2 * dZ @ self.A_prev.T / m", "dW", ""),
        (" * (self.Z > 0)", "", "", ""),
        ("return self.W.T @ dZ", "return self.W.T @ dA", "", ""),
    ),
)
STYLES["forward_propagation of one row"] = Style(
    """
    class Layer:
        def forward_propagation(self, input):
            raise NotImplementedError

        def backward_propagation(self, output_error, learning_rate):
            raise NotImplementedError

    class FCLayer(Layer):
        def __init__(self, input_size, output_size):
            rng = np.random.default_rng(0)
            self.weights, self.bias = rng.normal(size=(input_size, output_size)), rng.normal(size=(1, output_size))

        def forward_propagation(self, input_data):
            self.input = input_data
            self.output = np.dot(self.input, self.weights) + self.bias
            return self.output

        def backward_propagation(self, output_error, learning_rate):
            input_error = np.dot(output_error, self.weights.T)
            weights_error = np.dot(self.input.T, output_error)
            self.weights -= learning_rate * weights_error
            self.bias -= learning_rate * output_error
            return input_error
    """,
    "",
    "dweights dbias dx",
    "it takes one sample at a time, a row (1, D)",
    slips=(
        ("input_error = np.dot", "input_error = -np.dot", "dx", "sign"),
        ("self.weights -=", "self.weights +=", "dweights", "sign"),
        ("self.bias -= learning_rate * output_error", "self.bias -= learning_rate * output_error / 2", "dbias", "factor-half"),
    ),
)  # fmt: skip
STYLES["convolution of one image"] = Style(
    """
    class Conv3x3:
        def __init__(self, num_filters):
            self.num_filters, self.filters = num_filters, np.random.default_rng(0).normal(size=(num_filters, 3, 3)) / 9

        def forward(self, input):
            self.last_input = input
            h, w = input.shape
            output = np.zeros((h - 2, w - 2, self.num_filters))
            for i in range(h - 2):
                for j in range(w - 2):
                    output[i, j] = np.sum(input[i : i + 3, j : j + 3] * self.filters, axis=(1, 2))
            return output

        def backprop(self, d_L_d_out, learn_rate):
            d_L_d_filters, d_L_d_input = np.zeros(self.filters.shape), np.zeros(self.last_input.shape)
            for i in range(d_L_d_out.shape[0]):
                for j in range(d_L_d_out.shape[1]):
                    for f in range(self.num_filters):
                        d_L_d_filters[f] += d_L_d_out[i, j, f] * self.last_input[i : i + 3, j : j + 3]
                        d_L_d_input[i : i + 3, j : j + 3] += d_L_d_out[i, j, f] * self.filters[f]
            self.filters -= learn_rate * d_L_d_filters
            return d_L_d_input
    """,
    "Conv3x3",
    "dfilters dx",
    "one sample at a time, without an axis for samples",
    slips=(
        ("d_L_d_filters[f] +=", "d_L_d_filters[f] =", "dfilters", ""),
        ("d_L_d_input[i : i + 3, j : j + 3] +=", "d_L_d_input[i : i + 3, j : j + 3] =", "dx", ""),
        ("self.filters -=", "self.filters +=", "dfilters", "sign"),
    ),
)
STYLES["softmax behind the loss of one label"] = Style(
    """
    class Softmax:
        def __init__(self, input_len, nodes):
            rng = np.random.default_rng(0)
            self.weights, self.biases = rng.normal(size=(input_len, nodes)), np.zeros(nodes)

        def forward(self, input):
            self.last_input, self.last_totals = input, np.dot(input, self.weights) + self.biases
            exp = np.exp(self.last_totals)
            return exp / np.sum(exp, axis=0)

        def backprop(self, d_L_d_out, learn_rate):
            for i, gradient in enumerate(d_L_d_out):
                if gradient == 0:
                    continue
                t_exp = np.exp(self.last_totals)
                S = np.sum(t_exp)
                d_out_d_t = -t_exp[i] * t_exp / (S**2)
                d_out_d_t[i] = t_exp[i] * (S - t_exp[i]) / (S**2)
                d_L_d_t = gradient * d_out_d_t
                d_L_d_inputs = self.weights @ d_L_d_t
                self.weights -= learn_rate * np.outer(self.last_input, d_L_d_t)
                self.biases -= learn_rate * d_L_d_t
                return d_L_d_inputs
    """,
    "Softmax",
    "dweights dbiases dx",
    "right where dy has one entry that is not 0",
    slips=(
        ("(S - t_exp[i])", "S", "", ""),
        ("self.biases -= learn_rate * d_L_d_t", "self.biases -= learn_rate * 2 * d_L_d_t", "", ""),
        ("gradient * d_out_d_t", "d_out_d_t", "", ""),
    ),
)

NOT_KNOWN = {
    "nothing between z and yhat": BETWEEN.replace("softmax", "something"),
    "values with their own graph": """
        class Value:
            def __init__(self, data, _children=()):
                self.data, self.grad, self._prev, self._backward = data, 0.0, set(_children), lambda: None

            def __mul__(self, other):
                out = Value(self.data * other.data, (self, other))
                def _backward():
                    self.grad += other.data * out.grad
                    other.grad += self.data * out.grad
                out._backward = _backward
                return out

            def backward(self):
                self.grad = 1.0
                self._backward()

        value = Value(2.0) * Value(3.0)
        """,
    "two outputs": """
        def rnn_cell_forward(xt, a_prev, parameters):
            a_next = np.tanh(parameters["Wax"] @ xt + parameters["Waa"] @ a_prev + parameters["ba"])
            yt = parameters["Wya"] @ a_next
            return a_next, yt, (a_next, a_prev, xt, parameters)

        def rnn_cell_backward(da_next, cache):
            a_next, a_prev, xt, parameters = cache
            d = da_next * (1 - a_next**2)
            return {"dxt": parameters["Wax"].T @ d, "dWax": d @ xt.T}
        """,
    "backward without a gradient": """
        class Linear:
            def __init__(self):
                self.w = np.ones((5, 4))

            def __call__(self, inp):
                self.inp, self.out = inp, inp @ self.w
                return self.out

            def backward(self):
                self.inp.g = self.out.g @ self.w.T
        """,
    "autograd": """
        class LinearRegressionScratch:
            def __init__(self, num_inputs=5, lr=0.1):
                self.w, self.b, self.lr = np.ones((num_inputs, 1)), np.zeros(1), lr

            def forward(self, X):
                return X @ self.w + self.b

            def loss(self, y_hat, y):
                return ((y_hat - y) ** 2 / 2).mean()
        """,
    "an argument that nothing is known of": """
        class Layer:
            def __init__(self):
                self.W = np.ones((5, 4))

            def forward(self, x, vocabulary):
                return x @ self.W

            def backward(self, dy):
                self.dW = 1
                return dy @ self.W.T
        """,
}


def check(source, name, path, capsys):
    """The exit status and what is said, on one line."""
    path.write_text("import numpy as np\n" + textwrap.dedent(source))
    status = main(["check", "--timeout=0", f"{path}:{name}" if name else str(path)])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err and "/tinynn/" not in out + err
    return status, out + err


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def defined(name):
    """The names that a style's text defines."""
    names = {"np": np}
    exec(textwrap.dedent(STYLES[name].source), names)
    return names


def test_functions_and_their_arguments_from_python():
    names = defined("affine pair")
    pair = names["affine_forward"], names["affine_backward"], numbers(5, 4), numbers(4)
    report = check_layer(pair, numbers(7, 5, seed=1))
    assert report and [row.tensor for row in report.rows] == ["dw", "db", "dx"]
    report = check_layer(pair[:3], numbers(7, 5, seed=1))
    assert report.code == "not-judged" and "affine_forward takes 2 arguments beside x, not 1." in report.why
    model = [pair, Tanh(), (names["affine_forward"], names["affine_backward"], numbers(4, 3), numbers(3))]
    assert tinynn.check(model, numbers(7, 5, seed=1), np.arange(7) % 3, SoftmaxCrossEntropy())


def test_a_network_over_dicts_from_python():
    names = defined("dicts and columns")
    functions = [names[name] for name in ("forward_propagation", "compute_cost", "backward_propagation")]
    parameters = {"W1": numbers(4, 5), "b1": numbers(4, 1), "W2": numbers(1, 4), "b2": numbers(1, 1)}
    kept = {name: a.copy() for name, a in parameters.items()}
    X, Y = numbers(5, 7, seed=1), (np.arange(7) % 2)[None]  # as the course has them
    for x, t in ((X, Y), (X.T, Y.T)):
        report = tinynn.check((*functions, parameters), x, t)
        assert report and [row.tensor for row in report.rows] == ["db2", "dW2", "db1", "dW1"], report
    assert all(np.array_equal(a, kept[name]) for name, a in parameters.items())


@settings(deadline=None, max_examples=25)
@given(n=st.integers(2, 7), d=st.integers(2, 7), h=st.integers(2, 7), given_as=st.sampled_from(["rows", "columns"]))
def test_rows_and_columns_are_told_apart(n, d, h, given_as):
    """For all sizes, equal ones too. Columns can be given as rows; then a square x may be either."""

    class Columns:
        def __init__(self):
            self.W, self.b = numbers(h, d), numbers(h, 1, seed=1)

        def forward(self, X):
            self.X = X
            return self.W @ X + self.b

        def backward(self, dZ):
            self.dW, self.db = dZ @ self.X.T, dZ.sum(axis=1, keepdims=True)
            return self.W.T @ dZ

    class Rows(Columns):
        def forward(self, x):
            self.x = x
            return x @ self.W.T + self.b.T

        def backward(self, dy):
            self.dW, self.db = dy.T @ self.x, dy.sum(axis=0)[:, None]
            return dy @ self.W

    x = numbers(n, d, seed=2)
    assert check_layer(Rows(), x).notes == [] and check_layer(Rows(), x)
    report = check_layer(Columns(), x.T if given_as == "columns" or n == d else x)
    assert report and any("samples are columns" in note for note in report.notes), report


@pytest.mark.parametrize("factor", [1, 3])
def test_the_loss_of_a_network_is_found_or_given(factor):
    """What is none of the known losses' is not judged; with the loss it is."""

    class Net:
        def __init__(self):
            self.W, self.b = numbers(5, 3), numbers(1, 3)

        def forward(self, X):
            self.out = X @ self.W + self.b
            return self.out

        def backward(self, X, y):
            d = 4 * (self.out - y) ** 3
            self.dW, self.db = factor * X.T @ d, d.sum(axis=0, keepdims=True)

    def fourth_power(y, t):
        return ((y - t) ** 4).sum(), 4 * (y - t) ** 3

    x, t = numbers(7, 5, seed=1), numbers(7, 3, seed=2)
    report = tinynn.check(Net(), x, t)
    assert report.code == "not-judged" and "none of 18 losses" in report.why
    report = tinynn.check(Net(), x, t, fourth_power)
    assert bool(report) == (factor == 1) and report.code in ("ok", "factor"), report


@pytest.mark.parametrize("rate", [0.5, -0.5])
def test_updates_with_a_rate_that_is_nowhere(rate):
    """The rate is found with the loss, and whether it goes down."""

    class Net:
        def __init__(self):
            self.W, self.b = numbers(5, 3), numbers(1, 3)

        def forward(self, X):
            self.out = X @ self.W + self.b
            return self.out

        def backward(self, X, y):
            d = self.out - y
            self.W = self.W - rate * X.T @ d
            self.b = self.b - rate * d.sum(axis=0, keepdims=True)

    report = tinynn.check(Net(), numbers(7, 5, seed=1), numbers(7, 3, seed=2))
    assert report.code == ("ok" if rate > 0 else "sign"), report
    assert "the squared error, summed over everything, times 0" in " ".join(report.notes)


def test_gradients_that_are_to_be_added_are_not_judged():
    class Net:
        def __init__(self):
            self.W, self.b = numbers(5, 3), numbers(1, 3)

        def forward(self, X):
            self.out = X @ self.W + self.b
            return self.out

        def backward(self, X, y):
            d = y - self.out
            self.dW, self.db = X.T @ d, d.sum(axis=0, keepdims=True)

    report = tinynn.check(Net(), numbers(7, 5, seed=1), numbers(7, 3, seed=2))
    assert report.code == "not-judged" and "-1 times those of the half of the squared error" in report.why


def test_a_model_without_a_loss_says_that_it_needs_one():
    with pytest.raises(TypeError, match="loss must be"):
        tinynn.check(Tanh(), numbers(7, 5), numbers(7, 5))


def test_there_are_enough():
    assert len(STYLES) >= 20 and min(len(style.slips) for style in STYLES.values()) >= 3


def both_tests_of(styles):
    """Two tests of a table of styles: all that is right is right, and each slip is found."""
    slips = [(name, k) for name, style in styles.items() for k in range(len(style.slips))]

    @pytest.mark.parametrize("name", styles)
    def test_right_code_is_right(name, tmp_path, capsys):
        demand_right(styles[name], tmp_path / "code.py", capsys)

    @pytest.mark.parametrize(("name", "k"), slips)
    def test_a_slip_is_found(name, k, tmp_path, capsys):
        demand_slip(styles[name], k, tmp_path / "code.py", capsys)

    return test_right_code_is_right, test_a_slip_is_found


test_right_code_is_right, test_a_slip_is_found = both_tests_of(STYLES)


def demand_right(style, path, capsys):
    status, said = check(style.source, style.name, path, capsys)
    assert status == 0, said
    words = " ".join(said.split())
    assert style.said in words and all(tensor in words for tensor in style.judged.split()), said
    assert max(map(len, said.splitlines())) <= 100


def demand_slip(style, k, path, capsys):
    old, new, tensor, code = style.slips[k]
    assert style.source.count(old) == 1, "a slip must change one place"
    status, said = check(style.source.replace(old, new), style.name, path, capsys)
    assert status == 1, said
    why = said[said.index("what  ") :]
    assert tensor in " ".join(why.split()) and code in why.splitlines()[0], said


@pytest.mark.parametrize("name", NOT_KNOWN)
def test_what_is_not_known_is_neither_right_nor_wrong(name, tmp_path, capsys):
    status, said = check(NOT_KNOWN[name], "", tmp_path / "code.py", capsys)
    words = " ".join(said.split())
    assert status == 2 and "this style is not known" in words, said
    assert "What can be checked: " in words or "To have it checked, " in words, said
    assert ": right" not in words and "wrong in" not in words


NOTHING_TO_JUDGE = [  # a file, its name, and what is said of it
    ("", "code.py", "the file defines no class and no function. What can be checked: layers with"),
    ("x = np.ones(3)", "code.py", "the file defines no class and no function. What can be checked"),
    ("\0", "code.py", "is not a Python program"),
    ("def f(:", "code.py", "is not a Python program in line 2, `def f(:`: invalid syntax"),
    (None, "code.py", "must be a Python file, but there is no file of that name"),
    (None, "folder.py", "must be a Python file, but that is a folder"),
    (
        "class Same:\n    def forward(self, x): return x\n    def backward(self, dy): pass",
        "code.py",
        "backward is not written yet: it does nothing",
    ),
    (
        "class Raises:\n    def forward(self, x): raise ValueError('no')\n    def backward(self, dy): return dy",
        "code.py",
        "Raises is not judged: its forward does not run with any x that was drawn for it "
        "(with x of shape (7, 5) it raises ValueError in line 3, `def forward(self, x): raise ValueError('no')`: no); define one",
    ),
    (
        "class Opens:\n    def __init__(self, path): open(path + 'x')\n"
        "    def forward(self, x): return x\n    def backward(self, dy): return dy",
        "code.py",
        "Opens takes path, and Opens(5) raises TypeError: unsupported operand type(s) for +: 'int' and 'str'. "
        "To have it checked, make an object of it in the file, such as layer = Opens(...)",
    ),
]


@pytest.mark.parametrize(("source", "name", "words"), NOTHING_TO_JUDGE)
def test_a_file_with_nothing_to_judge_says_why(source, name, words, tmp_path, capsys):
    (tmp_path / "folder.py").mkdir()
    if source is not None:
        (tmp_path / name).write_text("import numpy as np\n" + source if source else "")
    assert main(["check", "--timeout=0", str(tmp_path / name)]) == 2
    out, err = capsys.readouterr()
    assert words in " ".join((out + err).split()), out + err


@pytest.mark.parametrize("seed", ["-1", "1.5", "a"])
def test_a_seed_is_a_whole_number(seed, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["check", "code.py", f"--seed={seed}"])
    assert f"seed must be a whole number, 0 or more, not '{seed}'" in capsys.readouterr().err


def affine(x, w, b):
    return x @ w + b, (x, w, b)


def affine_back(dy, c):
    return dy @ c[1].T, c[0].T @ dy, dy.sum(0)


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (
            (affine, affine_back, np.ones((5, 4)), np.ones(4)),
            "affine_back takes 'c', a name whose meaning is not known",
        ),
        (affine, "affine is one function, and its backward is not given. To have it checked, give both, such as"),
        ((affine, affine_back, np.ones((5, 4))), "affine takes 2 arguments beside x, not 1. To have it checked, give"),
    ],
)
def test_functions_that_are_not_known_are_told_what_to_give(layer, says):
    report = tinynn.teach.check_layer(layer, numbers(7, 5))
    assert report.code == "not-judged" and says in report.why and " at 0x" not in str(report)


def test_a_loss_is_no_layer():
    with pytest.raises(TypeError, match="layer must be .*: check_loss checks losses"):
        tinynn.teach.check_layer(tinynn.MSE(), numbers(7, 5))


def test_labels_that_do_not_fit_are_what_the_loss_says():
    report = tinynn.check(tinynn.Affine(5, 3), numbers(7, 5), np.arange(7), tinynn.SoftmaxCrossEntropy())
    assert report.why.startswith("forward raises ValueError: labels must be in 0..2 for 3 scores a row")


class Regression:
    """Softmax regression whose backward returns the two gradients."""

    def __init__(self, axis):
        self.W, self.b, self.axis = np.random.default_rng(0).normal(size=(5, 3)), np.zeros(3), axis

    def forward(self, x):
        z = x @ self.W + self.b
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def backward(self, x, y, output):
        return x.T @ (output - y), np.sum(output - y, axis=self.axis)


@pytest.mark.parametrize("axis, code", [(0, "ok"), (None, "bias-total")])
def test_a_bias_whose_gradient_is_one_number(axis, code):
    rng = np.random.default_rng(1)
    report = tinynn.check(Regression(axis), rng.normal(size=(6, 5)), np.eye(3)[[0, 1, 2, 0, 1, 2]])
    assert report.code == code, report
    assert code == "ok" or "axis=0" in report.fix


class Windows:
    """The largest of each 2 x 2 window of images (N, H, W, C); `early` returns from inside the loop."""

    def __init__(self, early):
        self.early = early

    def places(self):
        N, H, W, C = self.x.shape
        return itertools.product(range(N), range(H // 2), range(W // 2), range(C))

    def forward(self, x):
        self.x = x
        y = np.zeros((x.shape[0], x.shape[1] // 2, x.shape[2] // 2, x.shape[3]))
        for n, i, j, c in self.places():
            y[n, i, j, c] = x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c].max()
        return y

    def backward(self, dy):
        dx = np.zeros(self.x.shape)
        for n, i, j, c in self.places():
            window = self.x[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
            k, m = np.unravel_index(window.argmax(), (2, 2))
            dx[n, 2 * i + k, 2 * j + m, c] = dy[n, i, j, c]
            if self.early:
                return dx
        return dx


def test_a_return_inside_the_loop():
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 2))
    assert check_layer(Windows(early=False), x)
    report = check_layer(Windows(early=True), x)
    assert report.code == "unknown" and "is there a return inside the loop?" in report.why, report
