"""Layers with more inputs or outputs than one, whole sequences, and images: taken as test_styles.py takes all styles."""

from __future__ import annotations

import numpy as np
from test_styles import Style, both_tests_of

from tinynn import check_layer

STYLES = {}
GATES = """
        i, f, o = (1 / (1 + np.exp(-a[:, k * H : (k + 1) * H])) for k in range(3))
        g = np.tanh(a[:, 3 * H :])
"""
BACK_THROUGH_GATES = """
        t = np.tanh(c)
        dc = dc_next + dh * o * (1 - t**2)
        di, df, do, dg = dc * g, dc * c_prev, dh * t, dc * i
        da = np.concatenate([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)], axis=1)
"""
STYLES["a recurrent cell"] = Style(
    """
    class RNNCell:
        def __init__(self, n_in, n_hidden):
            rng = np.random.default_rng(0)
            self.Wx, self.Wh = rng.normal(size=(n_in, n_hidden)), rng.normal(size=(n_hidden, n_hidden))
            self.b = np.zeros(n_hidden)

        def forward(self, x, h_prev):
            self.x, self.h_prev = x, h_prev
            self.h = np.tanh(x @ self.Wx + h_prev @ self.Wh + self.b)
            return self.h

        def backward(self, dh):
            dz = dh * (1 - self.h**2)
            self.dWx, self.dWh, self.db = self.x.T @ dz, self.h_prev.T @ dz, dz.sum(axis=0)
            return dz @ self.Wx.T, dz @ self.Wh.T
    """,
    "RNNCell",
    "dWx dWh db dh_prev dx",
    slips=(
        ("self.h_prev.T @ dz", "self.h.T @ dz", "dWh", ""),
        ("dz @ self.Wh.T", "dz @ self.Wh", "dh_prev", ""),
        ("dz.sum(axis=0)", "dz.mean(axis=0)", "db", "divided-by-n"),
    ),
)
STYLES["an LSTM cell"] = Style(
    """
    class LSTMCell:
        def __init__(self, n_in, n_hidden):
            rng = np.random.default_rng(0)
            self.Wx, self.Wh = rng.normal(size=(n_in, 4 * n_hidden)), rng.normal(size=(n_hidden, 4 * n_hidden))
            self.b = np.zeros(4 * n_hidden)

        def forward(self, x, h_prev, c_prev):
            H, a = h_prev.shape[1], x @ self.Wx + h_prev @ self.Wh + self.b
    """
    + GATES.replace("\n", "\n    ")
    + """
            c = f * c_prev + i * g
            self.cache = x, h_prev, c_prev, i, f, o, g, c
            return o * np.tanh(c), c

        def backward(self, dh, dc_next):
            x, h_prev, c_prev, i, f, o, g, c = self.cache
    """
    + BACK_THROUGH_GATES.replace("\n", "\n    ")
    + """
            self.dWx, self.dWh, self.db = x.T @ da, h_prev.T @ da, da.sum(axis=0)
            return da @ self.Wx.T, da @ self.Wh.T, dc * f
    """,
    "LSTMCell",
    "dWx dWh db dh_prev dc_prev dx",
    slips=(
        ("dc * f\n", "dc * i\n", "dc_prev", ""),
        ("dc_next + dh", "dh", "", ""),
        ("h_prev.T @ da", "h_prev.T @ da / len(x)", "dWh", "divided-by-n"),
    ),
)
LSTM = (
    """
    def lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b):
        H, a, c_prev = prev_h.shape[1], x @ Wx + prev_h @ Wh + b, prev_c
"""
    + GATES
    + """
        next_c = f * c_prev + i * g
        next_h = o * np.tanh(next_c)
        return next_h, next_c, (x, prev_h, prev_c, Wx, Wh, i, f, o, g, next_c)

    def lstm_step_backward(dnext_h, dnext_c, cache):
        x, prev_h, c_prev, Wx, Wh, i, f, o, g, c = cache
        dh, dc_next = dnext_h, dnext_c
"""
    + BACK_THROUGH_GATES
    + """
        return da @ Wx.T, da @ Wh.T, dc * f, x.T @ da, prev_h.T @ da, da.sum(axis=0)
"""
)
STYLES["an LSTM step in functions"] = Style(
    LSTM,
    "lstm_step_forward",
    "dprev_h dprev_c dWx dWh db dx",
    slips=(
        ("prev_h.T @ da", "2 * prev_h.T @ da", "dWh", "factor-2"),
        ("da @ Wh.T", "da @ Wx.T[:, :4]", "dprev_h", ""),
        ("* (1 - t**2)", "", "", ""),
    ),
)
STYLES["an LSTM over sequences"] = Style(
    LSTM
    + """
    def lstm_forward(x, h0, Wx, Wh, b):
        h, c, hs, caches = h0, np.zeros_like(h0), [], []
        for t in range(x.shape[1]):
            h, c, cache = lstm_step_forward(x[:, t], h, c, Wx, Wh, b)
            hs.append(h)
            caches.append(cache)
        return np.stack(hs, axis=1), caches

    def lstm_backward(dhs, caches):
        N, T, H = dhs.shape
        dx, dh0, dc = np.zeros((N, T, caches[0][0].shape[1])), np.zeros((N, H)), np.zeros((N, H))
        dWx = dWh = db = 0
        for t in reversed(range(T)):
            dx[:, t], dh0, dc, *grads = lstm_step_backward(dhs[:, t] + dh0, dc, caches[t])
            dWx, dWh, db = dWx + grads[0], dWh + grads[1], db + grads[2]
        return dx, dh0, dWx, dWh, db
    """,
    "lstm_forward",
    "dh0 dWx dWh db dx",
    slips=(
        ("dhs[:, t] + dh0", "dhs[:, t]", "", ""),
        ("dWh + grads[1]", "grads[1]", "dWh", ""),
        ("dh0, dc, *grads", "dh0, _, *grads", "", ""),
    ),
)
STYLES["a cell over columns, with a dict of parameters"] = Style(
    """
    def rnn_cell_forward(xt, a_prev, parameters):
        Wax, Waa, Wya, ba, by = (parameters[name] for name in ("Wax", "Waa", "Wya", "ba", "by"))
        a_next = np.tanh(Wax @ xt + Waa @ a_prev + ba)
        yt_pred = Wya @ a_next + by
        cache = (a_next, a_prev, xt, parameters)
        return a_next, yt_pred, cache

    def rnn_cell_backward(da_next, cache):
        a_next, a_prev, xt, parameters = cache
        d = da_next * (1 - a_next**2)
        dba = d.sum(axis=1, keepdims=True)
        back = {"dxt": parameters["Wax"].T @ d, "da_prev": parameters["Waa"].T @ d}
        return {**back, "dWax": d @ xt.T, "dWaa": d @ a_prev.T, "dba": dba}

    rng = np.random.default_rng(1)
    shapes = {"Wax": (5, 3), "Waa": (5, 5), "Wya": (2, 5), "ba": (5, 1), "by": (2, 1)}
    parameters = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    xt, a_prev = rng.normal(size=(3, 7)), rng.normal(size=(5, 7))
    """,
    "",
    "dWax dWaa dba da_prev dx",
    "forward is looked at by a_next: backward takes no gradient of what else it returns",
    slips=(
        ("d @ a_prev.T", "d @ a_next.T", "dWaa", ""),
        ('parameters["Waa"].T @ d', 'parameters["Waa"] @ d', "da_prev", ""),
        ("1 - a_next**2", "1 - a_next", "", ""),
    ),
)
STYLES["a product of two inputs"] = Style(
    """
    class MulLayer:
        def forward(self, x, y):
            self.x, self.y = x, y
            return x * y

        def backward(self, dout):
            dx, dy = dout * self.y, dout * self.x
            return dx, dy
    """,
    "",
    "dx dy",
    slips=(
        ("dout * self.y, dout * self.x", "dout * self.x, dout * self.y", "dy", ""),
        ("dout * self.x\n", "self.x\n", "dy", ""),
        ("dout * self.y,", "dout * self.y * 2,", "dx", "factor-2"),
    ),
)
STYLES["attention with one matrix for q, k and v"] = Style(
    """
    class SelfAttention:
        def __init__(self, d_model=6, n_heads=2):
            rng = np.random.default_rng(0)
            self.h, self.d = n_heads, d_model
            self.Wqkv, self.Wo = rng.normal(size=(d_model, 3 * d_model)), rng.normal(size=(d_model, d_model))

        def split(self, a):
            N, T, D = a.shape
            return a.reshape(N, T, self.h, D // self.h).transpose(0, 2, 1, 3)

        def merge(self, a):
            N, h, T, d = a.shape
            return a.transpose(0, 2, 1, 3).reshape(N, T, h * d)

        def forward(self, x):
            self.x = x
            q, k, v = self.q, self.k, self.v = [self.split(a) for a in np.split(x @ self.Wqkv, 3, axis=-1)]
            s = q @ k.swapaxes(2, 3) / np.sqrt(q.shape[-1])
            e = np.exp(s - s.real.max(axis=-1, keepdims=True))
            self.p = e / e.sum(axis=-1, keepdims=True)
            self.o = self.merge(self.p @ v)
            return self.o @ self.Wo

        def backward(self, dy):
            rows = lambda a: a.reshape(-1, a.shape[-1])
            self.dWo = rows(self.o).T @ rows(dy)
            do = self.split(dy @ self.Wo.T)
            dv = self.p.swapaxes(2, 3) @ do
            dp = do @ self.v.swapaxes(2, 3)
            ds = self.p * (dp - (dp * self.p).sum(axis=-1, keepdims=True)) / np.sqrt(self.q.shape[-1])
            dq, dk = ds @ self.k, ds.swapaxes(2, 3) @ self.q
            dqkv = np.concatenate([self.merge(a) for a in (dq, dk, dv)], axis=-1)
            self.dWqkv = rows(self.x).T @ rows(dqkv)
            return dqkv @ self.Wqkv.T
    """,
    "",
    "dWqkv dWo dx",
    slips=(
        ("(dq, dk, dv)", "(dk, dq, dv)", "dWqkv", ""),
        ("ds.swapaxes(2, 3) @ self.q", "ds @ self.q", "dWqkv", ""),
        ("rows(self.o).T @ rows(dy)", "rows(self.x).T @ rows(dy)", "dWo", ""),
    ),
)
STYLES["a convolution in groups"] = Style(
    """
    class GroupedConv:
        def __init__(self, in_channels=4, out_channels=6, kernel_size=3, groups=2):
            rng = np.random.default_rng(0)
            self.g, self.k = groups, kernel_size
            self.W = rng.normal(size=(out_channels, in_channels // groups, kernel_size, kernel_size))
            self.b = np.zeros(out_channels)

        def windows(self, y):
            c, f = self.x.shape[1] // self.g, len(self.W) // self.g
            for g in range(self.g):
                for i in range(y.shape[2]):
                    for j in range(y.shape[3]):
                        here = slice(None), slice(g * c, (g + 1) * c), slice(i, i + self.k), slice(j, j + self.k)
                        yield slice(g * f, (g + 1) * f), i, j, here

        def forward(self, x):
            self.x, (N, C, H, W) = x, x.shape
            y = np.zeros((N, len(self.W), H - self.k + 1, W - self.k + 1), x.dtype)
            for out, i, j, here in self.windows(y):
                y[:, out, i, j] = np.einsum("nchw,fchw->nf", x[here], self.W[out])
            return y + self.b[:, None, None]

        def backward(self, dy):
            self.dW, dx = np.zeros(self.W.shape), np.zeros(self.x.shape)
            self.db = dy.sum(axis=(0, 2, 3))
            for out, i, j, here in self.windows(dy):
                d = dy[:, out, i, j]
                self.dW[out] += np.einsum("nf,nchw->fchw", d, self.x[here])
                dx[here] += np.einsum("nf,fchw->nchw", d, self.W[out])
            return dx
    """,
    "",
    "dW db dx",
    slips=(
        ("self.dW[out] +=", "self.dW[out] =", "dW", ""),
        ("dx[here] +=", "dx[here] =", "dx", ""),
        ("dy.sum(axis=(0, 2, 3))", "dy.mean(axis=(0, 2, 3))", "db", ""),
    ),
)
STYLES["a convolution by im2col, channels first"] = Style(
    """
    def im2col(x, k):
        N, C, H, W = x.shape
        windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), (2, 3))
        return windows.transpose(0, 2, 3, 1, 4, 5).reshape(N * (H - k + 1) * (W - k + 1), -1)

    def col2im(col, shape, k):
        N, C, H, W = shape
        x, parts = np.zeros(shape), col.reshape(N, H - k + 1, W - k + 1, C, k, k).transpose(0, 3, 4, 5, 1, 2)
        for i in range(k):
            for j in range(k):
                x[:, :, i : i + H - k + 1, j : j + W - k + 1] += parts[:, :, i, j]
        return x

    class Convolution:
        def __init__(self, W, b):
            self.W, self.b = W, b

        def forward(self, x):
            (F, C, k, _), (N, _, H, W) = self.W.shape, x.shape
            self.x, self.col = x, im2col(x, k)
            out = self.col @ self.W.reshape(F, -1).T + self.b
            return out.reshape(N, H - k + 1, W - k + 1, F).transpose(0, 3, 1, 2)

        def backward(self, dout):
            F, C, k, _ = self.W.shape
            rows = dout.transpose(0, 2, 3, 1).reshape(-1, F)
            self.db = rows.sum(axis=0)
            self.dW = (self.col.T @ rows).T.reshape(self.W.shape)
            return col2im(rows @ self.W.reshape(F, -1), self.x.shape, k)
    """,
    "Convolution",
    "dW db dx",
    slips=(
        ("rows).T.reshape", "rows).reshape", "dW", ""),
        ("dout.transpose(0, 2, 3, 1).reshape(-1, F)", "dout.reshape(-1, F)", "d", ""),
        ("+= parts", "= parts", "dx", ""),
    ),
)
STYLES["a layer whose attributes are x, y, dy and dx"] = Style(
    """
    class Dense:
        def __init__(self, n_in, n_out):
            self.W, self.b = np.random.default_rng(0).normal(size=(n_in, n_out)), np.zeros(n_out)
            self.X = self.Y = self.dX = self.dY = None

        def forward(self):
            self.Y = self.X @ self.W + self.b

        def backward(self):
            self.dW, self.db = self.X.T @ self.dY, self.dY.sum(axis=0)
            self.dX = self.dY @ self.W.T
    """,
    "Dense",
    "dW db dx",
    slips=(
        ("self.X.T @ self.dY", "self.X.T @ self.dY / len(self.X)", "dW", "divided-by-n"),
        ("self.dY.sum(axis=0)", "self.dY.mean(axis=0)", "db", "bias-mean"),
        ("self.dY @ self.W.T", "2 * self.dY @ self.W.T", "dx", "factor-2"),
    ),
)
STYLES["a function of tuples, with weights"] = Style(
    """
    class LinearFunction:
        def forward(self, inputs):
            x, W, b = inputs
            return x @ W.T + b,

        def backward(self, inputs, grad_outputs):
            x, W, b = inputs
            gy, = grad_outputs
            return gy @ W, gy.T @ x, gy.sum(axis=0)
    """,
    "",
    "dW db dx",
    slips=(
        ("return gy @ W,", "return gy @ W / len(x),", "dx", ""),
        ("gy.T @ x", "-gy.T @ x", "dW", "sign"),
        (", gy.sum(axis=0)", ", gy", "db", "bias-not-summed"),
    ),
)
STYLES["functions of tuples, by number and of two"] = Style(
    """
    class Tanh:
        def forward(self, inputs):
            self.y = np.tanh(inputs[0])
            return self.y,

        def backward(self, inputs, grad_outputs):
            return grad_outputs[0] * (1 - self.y**2),

    class Mul:
        def forward(self, inputs):
            a, b = inputs
            return a * b,

        def backward(self, inputs, grad_outputs):
            a, b = inputs
            gy, = grad_outputs
            return gy * b, gy * a
    """,
    "",
    "db dx",
    slips=(
        (" * (1 - self.y**2)", "", "dx", "missing-derivative"),
        ("return gy * b, gy * a", "return gy * a, gy * b", "db", ""),
        ("gy * b, gy * a", "gy * b, 2 * gy * a", "db", "factor-2"),
    ),
)

test_right_code_is_right, test_a_slip_is_found = both_tests_of(STYLES)


def test_an_empty_y_is_not_judged():
    class Windows:
        def forward(self, x):
            self.x = x
            return x[:, 3:] - x[:, :-3]

        def backward(self, dy):
            dx = np.zeros(self.x.shape)
            dx[:, 3:] += dy
            dx[:, :-3] -= dy
            return dx

    assert check_layer(Windows(), np.random.default_rng(0).normal(size=(4, 5)))
    report = check_layer(Windows(), np.ones((4, 3)))
    assert (report.code, report.fix) == ("not-judged", "give an x that is larger") and "y is empty" in report.why
