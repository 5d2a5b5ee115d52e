"""Code as people have published it and others have reported its bug: in issues, forums and commits that mend it.

Each is recreated, shorter and in our own words. As in test_styles.py, the right version must be called right; with the
reported slip, or one like it, it must be called wrong at the tensor that it spoils, with these words.
"""

from __future__ import annotations

import pytest
from test_styles import Style, check

STYLES = {}

STYLES["an activation chosen by its name"] = Style(
    """
    class Activation:
        def __init__(self, type):
            self.fun, self.fun_d = {"tanh": (np.tanh, self.tanh_d)}[type]

        def fprop(self, input):
            self.last_input = input
            return self.fun(input)

        def bprop(self, output_grad):
            return output_grad * self.fun_d(self.last_input)

        def tanh_d(self, x):
            e = np.exp(2 * x)
            t = (e - 1) / (e + 1)
            return 1 - t * t

    layer = Activation("tanh")
    """,
    "",
    "dx",
    slips=(
        ("1 - t * t", "t", "dx", "derivative-incomplete why dx is computed as dy * f(x): the function itself"),
        ("1 - t * t", "1 - t * t / 3", "dx", "Forward is exactly tanh(x): look at backward alone."),
    ),
)
STYLES["softmax with its Jacobian"] = Style(
    """
    class Softmax:
        def __call__(self, x):
            e = np.exp(x - x.max(axis=-1, keepdims=True))
            return e / e.sum(axis=-1, keepdims=True)

        def gradient(self, x):
            p = self(x)
            return np.einsum("ni,ij->nij", p, np.eye(p.shape[1])) - np.einsum("ni,nj->nij", p, p)
    """,
    "",
    "dx",
    slips=(
        ("np.einsum(\"ni,ij->nij\", p, np.eye(p.shape[1])) - np.einsum(\"ni,nj->nij\", p, p)", "p * (1 - p)", "dx",
         "diagonal-only"),
        ("- np.einsum(\"ni,nj->nij\", p, p)", "", "dx", "softmax-sum-missing"),
    ),
)  # fmt: skip
STYLES["softmax of one column with its Jacobian"] = Style(
    """
    def softmax(z):
        return np.exp(z) / np.exp(z).sum()

    def softmax_derivative(z):
        p = softmax(z).reshape(-1, 1)
        return np.diagflat(p) - p @ p.T

    x = np.random.default_rng(0).normal(size=(1, 5))
    """,
    "",
    "dx",
    slips=(("- p @ p.T", "", "dx", "softmax-sum-missing"),),
)
STYLES["a signal that becomes shorter"] = Style(
    """
    class Conv1D:
        def __init__(self):
            self.weights = np.random.default_rng(0).normal(size=(3, 2, 4))

        def forward_pass(self, inputs):
            self.inputs = inputs
            return sum(inputs[k : k + len(inputs) - 2] @ self.weights[k] for k in range(3))

        def backward_pass(self, gradient):
            n = len(gradient)
            self.de_dw = np.array([self.inputs[k : k + n].T @ gradient for k in range(3)])
            de_dx = np.zeros_like(self.inputs)
            for k in range(3):
                de_dx[k : k + n] += gradient @ self.weights[k].T
            return de_dx

    layer = Conv1D()
    x = np.random.default_rng(1).normal(size=(9, 2))
    """,
    "",
    "dweights dx",
    "it takes one sample at a time",
    slips=(
        ("for k in range(3)])", "for k in range(3)])[::-1]", "dweights",
         "It is the right one in reverse order along axis 0: is there a flip, [::-1], too many?"),
        ("de_dx[k : k + n] +=", "de_dx[2 - k : 2 - k + n] +=", "dx",
         "Summed over axis 1 it is right: terms are added at other places of this axis."),
    ),
)  # fmt: skip
STYLES["a pair that ends in _back, and takes g, x before dy"] = Style(
    """
    def batchnorm4(g, b, x, eps=1e-5):
        mu, ivar = x.mean(axis=0), 1 / np.sqrt(x.var(axis=0) + eps)
        return g * (x - mu) * ivar + b, (mu, ivar)

    def batchnorm4_back(g, x, dy, cache):
        mu, ivar = cache
        xhat = (x - mu) * ivar
        dg, db = (dy * xhat).sum(axis=0), dy.sum(axis=0)
        d = g * dy
        dx = ivar * (d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0))
        return dg, db, dx
    """,
    "",
    "dg db dx",
    slips=(
        ("d = g * dy", "d = dy", "dx", "scale-missing"),
        ("dg, db = (dy * xhat).sum(axis=0), dy", "dg, db = (dy * x).sum(axis=0), dy", "dg", "dg-from-x"),
    ),
)
STYLES["Forward and Backward(input, gy)"] = Style(
    """
    class LogSoftMax:
        def Forward(self, input):
            z = input - input.max(axis=0)
            self.output = z - np.log(np.exp(z).sum(axis=0))
            return self.output

        def Backward(self, input, gy):
            return gy - np.exp(self.output) * gy.sum(axis=0)
    """,
    "",
    "dx",
    slips=(
        ("gy - np.exp(self.output) * gy.sum(axis=0)", "np.exp(self.output) + gy", "dx",
         "softmax-sum-missing why dx is computed as dy + p, which is right behind the negative log-likelihood alone"),
        (" * gy.sum(axis=0)", "", "dx", "softmax-sum-missing why dx is computed as dy - p, without sum(dy)"),
    ),
)  # fmt: skip
STYLES["a backward that takes what forward returns, by its names"] = Style(
    """
    def layer_norm(inp, normalized_shape, weight, bias, eps=1e-5):
        mean = inp.mean(axis=1, keepdims=True)
        rstd = 1 / np.sqrt(inp.var(axis=1, keepdims=True) + eps)
        return (inp - mean) * rstd * weight + bias, mean, rstd

    def layer_norm_backward(grad_out, inp, normalized_shape, mean, rstd, weight, bias):
        x_hat = (inp - mean) * rstd
        d = grad_out * weight
        a = d.sum(axis=1, keepdims=True)
        b = (d * x_hat).sum(axis=1, keepdims=True)
        in_grad = rstd * (d - (a + x_hat * b) / inp.shape[1])
        weight_grad = (grad_out * x_hat).sum(axis=0)
        bias_grad = grad_out.sum(axis=0)
        return in_grad, weight_grad, bias_grad
    """,
    "",
    "dweight dbias dx",
    slips=(
        ("(d * x_hat).sum(axis=1, keepdims=True)", "(d * x_hat).sum(axis=0)", "dx", ""),
        ("(a + x_hat * b)", "(d.sum() + x_hat * (d * x_hat).sum())", "dx", "paths-wrong-axes why dx is computed as the "
         "same with sums over the axes (0, 1), divided by the number of values in one mean"),
        ("(grad_out * x_hat).sum(axis=0)", "grad_out.sum(axis=0)", "dweight", "dg-from-dy"),
    ),
)  # fmt: skip
STYLES["y with the function that goes back"] = Style(
    """
    def tanh_linear(X, W, b):
        Y = np.tanh(X @ W + b)

        def backprop(dY):
            dZ = dY * (1 - Y**2)
            return dZ @ W.T, X.T @ dZ, dZ.sum(axis=0)

        return Y, backprop

    def with_columns(X, W, b):
        k = len(W)
        Yk, backprop_columns = tanh_linear(X[:, :k], W, b)

        def backprop(dY):
            dXk, dW, db = backprop_columns(dY[:, :k])
            dX = dY.copy()
            dX[:, :k] = dXk
            return dX, dW, db

        return np.hstack([Yk, X[:, k:]]), backprop

    def scale(X, gamma):
        return X * gamma, lambda dY: (dY * gamma, (dY * X).sum(axis=0))

    rng = np.random.default_rng(4)
    X, W, b = rng.normal(size=(7, 5)), rng.normal(size=(2, 2)), rng.normal(size=2)
    """,
    "",
    "tanh_linear with_columns scale dgamma dW",
    slips=(
        ("dX = dY.copy()", "dX = X.copy()", "dx", "all in columns 2 to 4. There the code gives x itself, in place of"),
        ("dX = dY.copy()", "dX = np.zeros_like(dY)", "dx", "all in columns 2 to 4. There the code gives 0."),
        ("X.T @ dZ", "X.T @ dY", "dW", ""),
        ("(dY * gamma, (dY * X)", "(dY, (dY * X)", "dx", ""),
    ),
)
STYLES["a value and its gradients, with samples drawn anew"] = Style(
    """
    import random

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def negSamplingLossAndGradient(centerWordVec, outsideWordIdx, outsideVectors, dataset, K=10):
        ids = [dataset.sampleTokenIdx() for _ in range(K)]
        s = sigmoid(outsideVectors[outsideWordIdx] @ centerWordVec)
        z = sigmoid(-outsideVectors[ids] @ centerWordVec)
        loss = -np.log(s) - np.log(z).sum()
        gradCenterVec = (s - 1) * outsideVectors[outsideWordIdx] + (1 - z) @ outsideVectors[ids]
        gradOutsideVecs = np.zeros_like(outsideVectors)
        np.add.at(gradOutsideVecs, ids, np.outer(1 - z, centerWordVec))
        gradOutsideVecs[outsideWordIdx] += (s - 1) * centerWordVec
        return loss, gradCenterVec, gradOutsideVecs

    class Dataset:
        pass

    dataset = Dataset()
    dataset.sampleTokenIdx = lambda: random.choice([0, 1, 3, 4])
    outsideVectors = np.random.default_rng(0).normal(size=(5, 3))
    centerWordVec = np.random.default_rng(1).normal(size=3)
    outsideWordIdx = 2
    """,
    "negSamplingLossAndGradient",
    "doutsideVectors dcenterWordVec",
    slips=(
        ("np.add.at(gradOutsideVecs, ids, np.outer(1 - z, centerWordVec))",
         "gradOutsideVecs[ids] += np.outer(1 - z, centerWordVec)", "doutsideVectors",
         "an index that comes several times is added once. a[ids] += b does that; np.add.at(a, ids, b) adds all."),
        ("(1 - z) @", "z @", "dcenterWordVec", ""),
    ),
)  # fmt: skip
STYLES["one sample at a time, as many inputs as rows are drawn, over a dict"] = Style(
    """
    class DeepNeuralNetwork:
        def __init__(self, sizes):
            rng = np.random.default_rng(0)
            self.params = {f"W{k}": rng.normal(size=(sizes[k], sizes[k - 1])) for k in (1, 2)}

        def sigmoid(self, x, derivative=False):
            s = 1 / (1 + np.exp(-x))
            return s * (1 - s) if derivative else s

        def forward_pass(self, x_train):
            params = self.params
            params["A0"] = x_train
            params["Z1"] = np.dot(params["W1"], params["A0"])
            params["A1"] = self.sigmoid(params["Z1"])
            params["Z2"] = np.dot(params["W2"], params["A1"])
            e = np.exp(params["Z2"] - params["Z2"].max())
            params["A2"] = e / e.sum(axis=0)
            return params["A2"]

        def backward_pass(self, y_train, output):
            params, change_w = self.params, {}
            error = output - y_train
            change_w["W2"] = np.outer(error, params["A1"])
            error = np.dot(params["W2"].T, error) * self.sigmoid(params["Z1"], derivative=True)
            change_w["W1"] = np.outer(error, params["A0"])
            return change_w

    dnn = DeepNeuralNetwork(sizes=[7, 6, 5])
    """,
    "",
    "dW2 dW1",
    "it takes one sample at a time, a column",
    slips=(
        (' * self.sigmoid(params["Z1"], derivative=True)', "", "dW1", "unknown"),
        ('np.outer(error, params["A0"])', '2 * np.outer(error, params["A0"])', "dW1", "factor-2"),
    ),
)
STYLES["the outputs of all layers, biases in the last column, a rate that is nowhere"] = Style(
    """
    class Network:
        def __init__(self, num_hidden):
            rng = np.random.default_rng(0)
            self.layers = [rng.normal(size=(num_hidden, 13)) / 4, rng.normal(size=(4, num_hidden + 1)) / 2]
            self.iteration = 0.0

        def feed_forward(self, input_vector):
            outputs = []
            for layer in self.layers:
                input_vector = 1 / (1 + np.exp(-np.inner(layer, np.append(input_vector, 1))))
                outputs.append(input_vector)
            return outputs

        def backpropagate(self, input_vector, target):
            c = 1.0 / (self.iteration + 10)
            hidden, outputs = self.feed_forward(input_vector)
            deltas = outputs * (1 - outputs) * (outputs - target)
            back, slope = self.layers[-1][:, :-1].T @ deltas, hidden * (1 - hidden)
            self.layers[-1] -= c * np.outer(deltas, np.append(hidden, 1))
            hidden_deltas = slope * back
            self.layers[0] -= c * np.outer(hidden_deltas, np.append(input_vector, 1))

    net = Network(6)
    """,
    "",
    "dlayers[1] dlayers[0]",
    "it takes one sample at a time",
    slips=(
        ("slope * back", "slope * (self.layers[-1][:, :-1].T @ deltas)", "dlayers[0]", "updated-too-early why dlayers[0] is computed after the update of layers[1]"),
        ("slope * back", "back", "dlayers[0]", "dlayers[1] are right and dlayers[0] are not"),
    ),
)  # fmt: skip
STYLES["a loss of scores, with a mask that counts"] = Style(
    """
    def svm_loss_vectorized(W, X, y, reg):
        rows = np.arange(len(X))
        scores = X.dot(W)
        margin = np.maximum(0, scores - scores[rows, y][:, None] + 1)
        margin[rows, y] = 0
        loss = margin.sum() / len(X) + 0.5 * reg * np.sum(W * W)
        mask = (scores - scores[rows, y][:, None] + 1 > 0).astype(float)
        mask[rows, y] -= mask.sum(axis=1)
        return loss, X.T.dot(mask) / len(X) + reg * W
    """,
    "",
    "dW",
    slips=(
        ("-= mask.sum(axis=1)", "= -mask.sum(axis=1)", "dW", "What goes back is wrong at the score of each row's own "
         "class alone, by -0.1429, which is -1 / n: look at the line with that index."),
        ("mask[rows, y] -= mask.sum(axis=1)", "mask[rows, y] = 0", "dW", "each row's own class alone: look at the"),
        ("X.T.dot(mask) / len(X)", "X.T.dot(mask)", "dW", ""),
    ),
)  # fmt: skip
STYLES["a script"] = Style(
    """
    rng = np.random.default_rng(42)
    n, C = 6, rng.normal(size=(5, 3))
    W1, b1 = rng.normal(size=(6, 4)), rng.normal(size=4)
    W2, b2 = rng.normal(size=(4, 5)), rng.normal(size=5)
    Xb, Yb = rng.integers(0, 5, size=(n, 2)), rng.integers(0, 5, size=n)

    emb = C[Xb]
    embcat = emb.reshape(n, -1)
    h = np.tanh(embcat @ W1 + b1)
    logits = h @ W2 + b2
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(n), Yb]).mean()

    dlogits = p.copy()
    dlogits[np.arange(n), Yb] -= 1
    dlogits /= n
    dh = dlogits @ W2.T
    dW2, db2 = h.T @ dlogits, dlogits.sum(axis=0)
    dhpreact = (1 - h**2) * dh
    dembcat = dhpreact @ W1.T
    dW1, db1 = embcat.T @ dhpreact, dhpreact.sum(axis=0)
    demb = dembcat.reshape(emb.shape)
    dC = np.zeros_like(C)
    for k in range(n):
        for j in range(2):
            dC[Xb[k, j]] += demb[k, j]
    """,
    "",
    "dlogits dh dembcat demb db2 dW2 db1 dW1 dC",
    slips=(
        (
            "for j in range(2):\n            dC[Xb[k, j]] += demb[k, j]",
            "dC[Xb[k]] += demb[k]",
            "dC",
            "db1, dW1 are right",
        ),
        ("(1 - h**2) * dh", "dh", "dembcat", "dlogits, dh, nearer to the loss, are right"),
        ("dlogits /= n", "", "dlogits", "factor why dlogits is 6 times what it should be, everywhere."),
        ("h.T @ dlogits,", "h.T @ dlogits / n,", "dW2", "factor"),
    ),
)
STYLES["a script with functions"] = Style(
    """
    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    def sigmoid_prime(z):
        return sigmoid(z) * (1 - sigmoid(z))

    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(6, 4)), rng.normal(size=(6, 1))
    w = rng.normal(size=(4, 1))
    z = x @ w
    y = sigmoid(z)
    cost = ((y - t) ** 2).mean()
    dy = 2 * (y - t) / len(t)
    dz = dy * sigmoid_prime(z)
    grad_w = x.T @ dz
    """,
    "",
    "sigmoid_prime dy dz dw",
    slips=(
        ("dy * sigmoid_prime(z)", "dy * sigmoid_prime(y)", "dz", ""),
        ("x.T @ dz", "x.T @ dy", "dw", ""),
        ("return sigmoid(z) * (1", "return z * (1", "dx", ""),
    ),
)
STYLES["points as columns of flattened images, of sizes that its class has"] = Style(
    """
    class Convolution:
        def __init__(self, C=2, D=5, K=3, T=3):
            self.C, self.D, self.K, self.T, self.M = C, D, K, T, D - T + 1
            self.W = np.random.default_rng(0).normal(size=(C, T, K))

        def fprop(self, inputs):
            self.inputs = I = inputs.reshape(self.C, self.D, -1)
            O = np.zeros((self.K, self.M, I.shape[2]), dtype=inputs.dtype)
            for m in range(self.M):
                for t in range(self.T):
                    O[:, m] += self.W[:, t].T @ I[:, m + t]
            return O.reshape(self.K * self.M, -1)

        def bprop(self, error):
            E, I = error.reshape(self.K, self.M, -1), self.inputs
            grad_I, self.dW = np.zeros_like(I), np.zeros_like(self.W)
            for m in range(self.M):
                for t in range(self.T):
                    grad_I[:, m + t] += self.W[:, t] @ E[:, m]
                    self.dW[:, t] += I[:, m + t] @ E[:, m].T
            return grad_I.reshape(self.C * self.D, -1)
    """,
    "",
    "dW dx",
    "samples are columns",
    slips=(
        (
            "grad_I[:, m + t] +=",
            "grad_I[:, m] +=",
            "dx",
            "Summed over axis 1 it is right: terms are added at other places",
        ),
        ("self.W[:, t] @ E", "self.W[:, 0] @ E", "dx", "unknown"),
    ),
)
STYLES["a cell of vectors, h_prev_t, delta"] = Style(
    """
    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    class Cell:
        def __init__(self, d, h):
            rng = np.random.default_rng(0)
            self.Wrx, self.Wnx = rng.normal(size=(2, h, d))
            self.Wrh, self.Wnh = rng.normal(size=(2, h, h))
            self.brx, self.bnh = rng.normal(size=(2, h))

        def forward(self, x, h_prev_t):
            self.x, self.hidden = x, h_prev_t
            self.r = sigmoid(self.Wrx @ x + self.Wrh @ h_prev_t + self.brx)
            self.n = np.tanh(self.Wnx @ x + self.r * (self.Wnh @ h_prev_t + self.bnh))
            return self.n

        def backward(self, delta):
            dn = delta * (1 - self.n**2)
            dr = dn * (self.Wnh @ self.hidden + self.bnh) * self.r * (1 - self.r)
            self.dWnx, self.dWnh, self.dbnh = np.outer(dn, self.x), np.outer(dn * self.r, self.hidden), dn * self.r
            self.dWrx, self.dWrh, self.dbrx = np.outer(dr, self.x), np.outer(dr, self.hidden), dr
            return dn @ self.Wnx + dr @ self.Wrx, (dn * self.r) @ self.Wnh + dr @ self.Wrh
    """,
    "",
    "dWrx dWnx dWrh dWnh dbrx dbnh dh_prev_t dx",
    "it takes one sample at a time",
    slips=(
        ("self.hidden + self.bnh)", "self.hidden)", "dWrx",
         "Wrong are those with 'r', dWrx, dWrh, dbrx, and no others: look at the delta that they share."),
        ("(dn * self.r) @", "dn @", "dh_prev_t", ""),
    ),
)  # fmt: skip
STYLES["an eps in one pass"] = Style(
    """
    class NormalizeL2:
        def __init__(self, eps=1e-5):
            self.eps = eps

        def forward(self, x):
            self.x, self.norm = x, np.sqrt((x * x).sum(axis=1, keepdims=True)) + self.eps
            return x / self.norm

        def backward(self, gy):
            x, norm = self.x, self.norm
            return (gy - (x * gy).sum(axis=1, keepdims=True) * x / (norm - self.eps) / norm) / norm
    """,
    "",
    "dx",
    slips=(
        ("(norm - self.eps)", "norm", "dx", "of its length alone: is an eps in one of the two passes only?"),
        ("* x / (norm - self.eps)", "* x", "dx", "unknown"),
    ),
)
STYLES["attention to given keys and values"] = Style(
    """
    def attention(query, key, value, scale):
        s = query @ key.swapaxes(-1, -2) * scale
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        weights = e / e.sum(axis=-1, keepdims=True)
        return weights @ value, weights

    def attention_backward(grad_output, query, key, value, weights, scale):
        grad_value = weights.swapaxes(-1, -2) @ grad_output
        grad_weights = grad_output @ value.swapaxes(-1, -2)
        grad_scores = weights * (grad_weights - (weights * grad_weights).sum(axis=-1, keepdims=True))
        grad_query = grad_scores @ key * scale
        grad_key = grad_scores.swapaxes(-1, -2) @ query * scale
        return grad_query, grad_key, grad_value

    rng = np.random.default_rng(8)
    query, key, value = rng.normal(size=(3, 2, 4, 6))
    scale = 6**-0.5
    """,
    "",
    "dkey dvalue dx",
    slips=(
        (
            "@ query * scale\n        return",
            "@ key * scale\n        return",
            "dkey",
            "dQ-from-Q why dkey is computed from",
        ),
        ("grad_scores @ key * scale", "grad_scores @ query * scale", "dx", "dQ-from-Q"),
        ("grad_scores @ key * scale", "grad_scores @ key", "dx", "scale-not-in-backward"),
        ("weights.swapaxes(-1, -2) @ grad_output", "weights @ grad_output", "dvalue", "dV-not-transposed"),
    ),
)
STYLES["an embedding that is made of W and takes ids"] = Style(
    """
    class Embedding:
        def __init__(self, W):
            self.params, self.grads = [W], [np.zeros_like(W)]

        def forward(self, idx):
            self.idx = idx
            return self.params[0][idx]

        def backward(self, dout):
            self.grads[0][...] = 0
            np.add.at(self.grads[0], self.idx, dout)
    """,
    "",
    "dparams[0]",
    slips=(("np.add.at(self.grads[0], self.idx, dout)", "self.grads[0][self.idx] += dout", "dparams[0]", "ids-not-summed"),),
)  # fmt: skip
DEMONSTRATION = """
    def relu_forward(x):
        return np.maximum(x, 0), x

    def relu_backward(dout, cache):
        return dout * (cache > 0)

    x = np.random.default_rng(0).normal(size=(6, 4))
    out, cache = relu_forward(x)
    loss = (out**2).sum()
    dout = np.random.default_rng(1).normal(size=out.shape)
    dx = relu_backward(dout, cache)
    """


def test_a_demonstration_is_no_script(tmp_path, capsys):
    status, said = check(DEMONSTRATION, "", tmp_path / "code.py", capsys)
    assert status == 0 and "code.py" not in said, said


SLIPS = [(name, k) for name, style in STYLES.items() for k in range(len(style.slips))]


@pytest.mark.parametrize("name", STYLES)
def test_right_code_is_right(name, tmp_path, capsys):
    style = STYLES[name]
    status, said = check(style.source, style.name, tmp_path / "code.py", capsys)
    assert status == 0, said
    words = " ".join(said.split())
    assert style.said in words and all(tensor in words for tensor in style.judged.split()), said


@pytest.mark.parametrize(("name", "k"), SLIPS)
def test_a_reported_slip_is_found(name, k, tmp_path, capsys):
    style = STYLES[name]
    old, new, tensor, words = style.slips[k]
    assert style.source.count(old) == 1, "a slip must change one place"
    status, said = check(style.source.replace(old, new), style.name, tmp_path / "code.py", capsys)
    assert status == 1, said
    why = " ".join(said[said.index("what  ") :].split())
    assert tensor in why and words in why, said


NOT_WHOLE = {  # right as far as it goes, and what is said of the rest
    "an argument that may be left out": (
        """
        def scale(x, params=None):
            return x * 2 if params is None else x * params

        def scale_back(x, dy, params=None):
            if params is None:
                dparams, dx = None, 2 * dy
            else:
                dparams, dx = (dy * x).sum(axis=0), dy  # not dy * params
            return dx, dparams
        """,
        "scale_back gives no dparams where it is called without params",
    ),
    "a first layer that returns dW": (
        """
        import numpy as np

        class Filters:
            def __init__(self):
                self.kernels = np.random.default_rng(0).normal(size=(2, 3))

            def forward(self, x):
                self.x = x
                return x @ self.kernels.T

            def backward(self, dy, lr):
                dk = dy.T @ self.x
                self.kernels = self.kernels - lr * dk
                return dk

        layer, x = Filters(), np.random.default_rng(1).normal(size=(5, 3))
        """,
        "backward returns no dx",
    ),
    "a squared error of one output a row": (
        """
        import numpy as np

        def mse(actual, predicted):
            return np.mean((actual - predicted) ** 2)

        def mse_grad(actual, predicted):
            return 2 * (predicted - actual) / len(actual)
        """,
        "for one output a row it is right; for more it is not",
    ),
    "sizes of layers, and an update by names of its own": (
        """
        import numpy as np

        def layer_sizes(X, Y):
            n_x, n_y = X.shape[0], Y.shape[0]
            return n_x, n_y

        def update_parameters(parameters, grads, learning_rate=1.2):
            return {key: parameters[key] - learning_rate * grads["d" + key] for key in ("W1", "b1", "W7", "b7")}
        """,
        "it reads",
    ),
}


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_what_was_not_looked_at_is_no_mistake_and_not_right(name, tmp_path, capsys):
    source, said = NOT_WHOLE[name]
    status, text = check(source, "", tmp_path / "code.py", capsys)
    assert status == 2 and said in " ".join(text.split()), text
    assert "wrong in" not in text and "layer_sizes" not in text.partition("note  not")[0], text
