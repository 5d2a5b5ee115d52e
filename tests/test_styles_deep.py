"""Deep networks with lists over layers, and layers that take x again or return a dict: taken as in test_styles."""

from __future__ import annotations

from test_styles import Style, both_tests_of

STYLES = {}
STYLES["backprop(x, y) with relu and softmax"] = Style(
    """
    def softmax(z):
        e = np.exp(z - z.max(axis=0))
        return e / e.sum(axis=0)

    class Network:
        def __init__(self, sizes):
            self.num_layers, rng = len(sizes), np.random.default_rng(3)
            self.biases = [rng.normal(size=(n, 1)) for n in sizes[1:]]
            self.weights = [rng.normal(size=(m, n)) for n, m in zip(sizes, sizes[1:])]

        def feedforward(self, a):
            for b, w in zip(self.biases[:-1], self.weights[:-1]):
                a = np.maximum(w @ a + b, 0)
            return softmax(self.weights[-1] @ a + self.biases[-1])

        def backprop(self, x, y):
            nabla_b = [np.zeros(b.shape) for b in self.biases]
            nabla_w = [np.zeros(w.shape) for w in self.weights]
            activations, zs = [x], []
            for b, w in zip(self.biases, self.weights):
                zs.append(w @ activations[-1] + b)
                activations.append(np.maximum(zs[-1], 0))
            delta = softmax(zs[-1]) - y
            nabla_b[-1] = delta
            nabla_w[-1] = delta @ activations[-2].T
            for l in range(2, self.num_layers):
                delta = (self.weights[-l + 1].T @ delta) * (zs[-l] > 0)
                nabla_b[-l] = delta
                nabla_w[-l] = delta @ activations[-l - 1].T
            return nabla_b, nabla_w
    """,
    "",
    "dweights[0] dbiases[1]",
    slips=(
        ("zs[-l] > 0", "zs[-l] < 0", "wrong", ""),
        ("* (zs[-l] > 0)", "", "the slope of a ReLU missing", ""),
        ("delta @ activations[-l - 1].T", "-delta @ activations[-l - 1].T", "dweights[0]", "sign"),
        ("nabla_w[-1] = delta", "nabla_w[-1] = 2 * delta", "dweights[1]", "factor-2"),
    ),
)
STYLES["columns, range(L)"] = Style(
    """
    class DeepNet:
        def __init__(self, layer_dims):
            rng = np.random.default_rng(1)
            self.L = len(layer_dims) - 1
            self.W = [rng.normal(size=(layer_dims[l + 1], layer_dims[l])) for l in range(self.L)]
            self.b = [np.zeros((layer_dims[l + 1], 1)) for l in range(self.L)]

        def forward(self, X):
            self.A = [X]
            for l in range(self.L):
                Z = self.W[l] @ self.A[l] + self.b[l]
                self.A.append(np.tanh(Z) if l < self.L - 1 else 1 / (1 + np.exp(-Z)))
            return self.A[-1]

        def loss(self, Y):
            A = self.A[-1]
            return -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / Y.shape[1]

        def backward(self, Y):
            m = Y.shape[1]
            self.dW, self.db = [None] * self.L, [None] * self.L
            dZ = self.A[-1] - Y
            for l in reversed(range(self.L)):
                self.dW[l] = dZ @ self.A[l].T / m
                self.db[l] = dZ.sum(axis=1, keepdims=True) / m
                if l > 0:
                    dZ = self.W[l].T @ dZ * (1 - self.A[l] ** 2)
    """,
    "",
    "dW[0] db[1]",
    slips=(
        (" * (1 - self.A[l] ** 2)", "", "db[0]", "missing-derivative"),
        ("self.A[l].T / m", "self.A[l].T", "dW", ""),
        ("dZ.sum(axis=1, keepdims=True) / m", "dZ.sum(axis=1, keepdims=True)", "db", ""),
    ),
)
STYLES["backward(x, dy), grad(dy, x) and dicts"] = Style(
    """
    class Linear:
        def __init__(self, n_in, n_out):
            self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)

        def forward(self, x):
            return x @ self.W + self.b

        def backward(self, x, dy):
            self.dW, self.db = x.T @ dy, dy.sum(axis=0)
            return dy @ self.W.T

    class Sigmoid:
        def forward(self, x):
            return 1 / (1 + np.exp(-x))

        def grad(self, dy, x):
            s = self.forward(x)
            return dy * s * (1 - s)

    class Dense:
        def __init__(self, n_in, n_out):
            self._w, self._b = np.random.randn(n_in, n_out), np.zeros(n_out)

        def get_params(self):
            return [self._w, self._b]

        def set_params(self, params):
            self._w, self._b = params

        def forward(self, x):
            self._x = x
            return x @ self._w + self._b

        def backward(self, g):
            return {"dx": g @ self._w.T, "dw": self._x.T @ g, "db": g.sum(axis=0)}
    """,
    "",
    "dW dw db dx",
    slips=(
        (" * (1 - s)", "", "dx", ""),
        ("x.T @ dy,", "-x.T @ dy,", "dW", "sign"),
        ("self._x.T @ g", "self._x.T @ g / len(g)", "dw", ""),
    ),
)

test_right_code_is_right, test_a_slip_is_found = both_tests_of(STYLES)
