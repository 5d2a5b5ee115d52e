"""Training loops and steps that are written line by line, in a file, a function or a method: taken as in test_styles."""

from __future__ import annotations

import pytest
from test_styles import Style, both_tests_of, check

STYLES = {}
STYLES["a file of lines"] = Style(
    """
    np.random.seed(1)
    X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    y = np.array([[0, 1, 1, 0]]).T
    W1, W2 = 2 * np.random.random((3, 4)) - 1, 2 * np.random.random((4, 1)) - 1
    for j in range(10**9):
        l1 = 1 / (1 + np.exp(-(X @ W1)))
        l2 = 1 / (1 + np.exp(-(l1 @ W2)))
        l2_delta = (y - l2) * l2 * (1 - l2)
        l1_delta = (l2_delta @ W2.T) * l1 * (1 - l1)
        W2 += l1.T @ l2_delta
        W1 += X.T @ l1_delta
    """,
    "",
    "dW1 dW2",
    "read are the lines of the loop, run once: l2 is the output, y the targets, and what is taken from W1, W2 the "
    "gradients",
    slips=(
        (" * l1 * (1 - l1)", "", "dW2 are right and dW1 are not", ""),
        ("X.T @ l1_delta", "X.T @ l1_delta / 2", "dW1", "factor-half"),
        ("W1 += X", "W1 -= X", "dW1", "sign"),
    ),
)
STYLES["a file with labels and a rate"] = Style(
    """
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 2)), np.repeat(np.arange(3), 4)
    W, b, W2, b2 = rng.normal(size=(2, 5)), np.zeros((1, 5)), rng.normal(size=(5, 3)), np.zeros((1, 3))
    step_size, N, losses = 1.0, len(X), []
    for i in range(10**9):
        hidden = np.maximum(0, X @ W + b)
        scores = hidden @ W2 + b2
        probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        loss = -np.log(probs[range(N), y]).mean()
        losses.append(loss)
        if i % 100 == 0:
            print("iteration", i, loss)
        dscores = probs
        dscores[range(N), y] -= 1
        dscores /= N
        dW2, db2 = hidden.T @ dscores, dscores.sum(axis=0, keepdims=True)
        dhidden = dscores @ W2.T
        dhidden[hidden <= 0] = 0
        dW, db = X.T @ dhidden, dhidden.sum(axis=0, keepdims=True)
        W += -step_size * dW
        b += -step_size * db
        W2 += -step_size * dW2
        b2 += -step_size * db2
    print(losses[-1])
    """,
    "",
    "dW db dW2 db2",
    "cross-entropy of softmax(output), summed over a row, mean over the rows",
    slips=(
        ("dhidden[hidden <= 0] = 0", "dhidden[hidden > 0] = 0", "db2, dW2 are right", ""),
        ("dhidden.sum(axis=0, keepdims=True)", "dhidden.mean(axis=0, keepdims=True)", "db", "factor"),
        ("X.T @ dhidden,", "-X.T @ dhidden,", "dW", "sign"),
    ),
)
STYLES["under if __name__, one sample at a time"] = Style(
    """
    def relu(z):
        return (z > 0) * z

    if __name__ == "__main__":
        rng = np.random.default_rng(0)
        images, labels = rng.random((10, 6)), np.eye(3)[np.arange(10) % 3]
        alpha, hidden_size = 0.005, 4
        weights_0_1, weights_1_2 = rng.normal(size=(6, hidden_size)), rng.normal(size=(hidden_size, 3))
        for j in range(10**9):
            error = 0.0
            for i in range(len(images)):
                layer_0 = images[i : i + 1]
                layer_1 = relu(layer_0 @ weights_0_1)
                layer_2 = layer_1 @ weights_1_2
                error += np.sum((labels[i : i + 1] - layer_2) ** 2)
                layer_2_delta = labels[i : i + 1] - layer_2
                layer_1_delta = layer_2_delta @ weights_1_2.T * (layer_1 > 0)
                weights_1_2 += alpha * layer_1.T @ layer_2_delta
                weights_0_1 += alpha * layer_0.T @ layer_1_delta
    """,
    "",
    "dweights_0_1 dweights_1_2",
    slips=(
        (" * (layer_1 > 0)", "", "dweights_1_2 are right", ""),
        ("alpha * layer_0", "-alpha * layer_0", "dweights_0_1", "sign"),
        ("alpha * layer_0", "alpha * 2 * layer_0", "dweights_0_1", "factor-2"),
    ),
)
STYLES["a step that returns the new numbers"] = Style(
    """
    def gradient_descent_step(w, b, x, y, learning_rate):
        y_pred = w * x + b
        dw = -2 / len(x) * np.sum(x * (y - y_pred))
        db = -2 / len(x) * np.sum(y - y_pred)
        w = w - learning_rate * dw
        b = b - learning_rate * db
        return w, b
    """,
    "",
    "dw db",
    "the squared error, summed over a row, mean over the rows",
    slips=(
        ("w = w - learning", "w = w + learning", "dw", "sign"),
        ("np.sum(x * (y - y_pred))", "np.sum(y * (y - y_pred))", "dw", ""),
        ("dw = -2 / len(x)", "dw = -6 / len(x)", "dw", "factor"),
    ),
)
STYLES["train(X, y) as a function"] = Style(
    """
    def train(X, y, hidden_size, epochs, lr=0.1):
        rng = np.random.default_rng(0)
        W1, b1 = rng.normal(size=(X.shape[1], hidden_size)), np.zeros(hidden_size)
        W2, b2 = rng.normal(size=(hidden_size, 1)), 0.0
        for epoch in range(epochs):
            h = np.tanh(X @ W1 + b1)
            out = h @ W2 + b2
            d = 2 * (out - y) / len(X)
            dh = d @ W2.T * (1 - h**2)
            W1 -= lr * (X.T @ dh)
            b1 -= lr * dh.sum(axis=0)
            W2 -= lr * (h.T @ d)
            b2 -= lr * d.sum()
        return W1, b1, W2, b2
    """,
    "train",
    "dW1 db1 dW2 db2",
    slips=(
        ("(1 - h**2)", "(1 - h)", "db2, dW2 are right", ""),
        ("dh.sum(axis=0)", "dh.sum(axis=0) / len(X)", "db1", "factor"),
        ("lr * (X.T @ dh)", "lr * -(X.T @ dh)", "dW1", "sign"),
    ),
)
STYLES["fit(X, y) with lines of its own"] = Style(
    """
    class LogisticRegression:
        def __init__(self, learning_rate=0.001, n_iters=10**9):
            self.lr, self.n_iters = learning_rate, n_iters

        def fit(self, X, y):
            n_samples, n_features = X.shape
            self.weights, self.bias = np.zeros(n_features), 0
            for _ in range(self.n_iters):
                y_predicted = self._sigmoid(X @ self.weights + self.bias)
                dw = X.T @ (y_predicted - y) / n_samples
                db = np.sum(y_predicted - y) / n_samples
                self.weights -= self.lr * dw
                self.bias -= self.lr * db

        def predict(self, X):
            return self._sigmoid(X @ self.weights + self.bias) > 0.5

        def _sigmoid(self, z):
            return 1 / (1 + np.exp(-z))
    """,
    "LogisticRegression",
    "dweights dbias",
    "binary cross-entropy, summed over a row, mean over the rows",
    slips=(
        ("dw = X.T @ (y_predicted - y) / n_samples", "dw = X.T @ (y_predicted - y)", "dweights", "factor"),
        ("self.weights -= self.lr", "self.weights += self.lr", "dweights", "sign"),
        ("dw = X.T @ (y_predicted - y)", "dw = X.T @ (y_predicted - y) / 2", "dweights", "half"),
    ),
)
STYLES["private names, a backward pass that updates"] = Style(
    """
    class NeuralNetwork:
        def __init__(self, n_in, n_hidden, n_out, learning_rate=0.1):
            rng = np.random.default_rng(0)
            self.__W1, self._W2 = rng.normal(size=(n_in, n_hidden)), rng.normal(size=(n_hidden, n_out))
            self._learning_rate = learning_rate

        def __forward_pass(self, X):
            self._h = np.tanh(X @ self.__W1)
            return self._h @ self._W2

        def __backward_pass(self, X, y, out):
            d = 2 * (out - y) / len(X)
            grad_W2 = self._h.T @ d
            grad_W1 = X.T @ ((d @ self._W2.T) * (1 - self._h**2))
            self.__W1 -= self._learning_rate * grad_W1
            self._W2 -= self._learning_rate * grad_W2

        def train(self, X, y, epochs=1000):
            for _ in range(epochs):
                self.__backward_pass(X, y, self.__forward_pass(X))
    """,
    "NeuralNetwork",
    "dW1 dW2",
    slips=(
        (" * (1 - self._h**2)", "", "dW2 are right", ""),
        ("_learning_rate * grad_W1", "_learning_rate * 2 * grad_W1", "dW1", "factor-2"),
        ("_learning_rate * grad_W1", "_learning_rate * -grad_W1", "dW1", "sign"),
    ),
)
STYLES["layers that carry their delta, one sample at a time"] = Style(
    """
    class Layer:
        def __init__(self, n_in, n_out, rng=np.random.default_rng(0)):
            self.weights, self.bias, self.delta = rng.normal(size=(n_in, n_out)), rng.normal(size=n_out), None

        def activate(self, x):
            self.last_activation = 1 / (1 + np.exp(-(x @ self.weights + self.bias)))
            return self.last_activation

    class NeuralNetwork:
        def __init__(self):
            self._layers = []

        def feed_forward(self, X):
            for layer in self._layers:
                X = layer.activate(X)
            return X

        def backpropagation(self, X, y, learning_rate):
            output = self.feed_forward(X)
            for i in reversed(range(len(self._layers))):
                layer, a = self._layers[i], self._layers[i].last_activation
                if i + 1 == len(self._layers):
                    layer.delta = (y - output) * a * (1 - a)
                else:
                    next_layer = self._layers[i + 1]
                    layer.delta = next_layer.weights @ next_layer.delta * a * (1 - a)
            for i, layer in enumerate(self._layers):
                given = X if i == 0 else self._layers[i - 1].last_activation
                layer.weights += learning_rate * np.outer(given, layer.delta)
                layer.bias += learning_rate * layer.delta

    net = NeuralNetwork()
    net._layers += [Layer(5, 4), Layer(4, 3)]
    """,
    "",
    "_layers[0].dweights _layers[0].dbias _layers[1].dweights _layers[1].dbias",
    "it takes one sample at a time, without an axis for samples",
    slips=(
        ("@ next_layer.delta * a * (1 - a)", "@ next_layer.delta", "_layers[0]", ""),
        ("layer.bias += learning_rate", "layer.bias -= learning_rate", "bias", ""),
        ("np.outer(given, layer.delta)", "np.outer(given, layer.delta) * 3", "weights", "factor"),
    ),
)
STYLES["global names in train()"] = Style(
    """
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 3))
    Y = (X.sum(axis=1, keepdims=True) > 0) * 1.0
    m = X.shape[0]
    W1, b1, W2, b2 = rng.normal(size=(3, 4)), np.zeros((1, 4)), rng.normal(size=(4, 1)), np.zeros((1, 1))

    def train(epochs=3, lr=0.1):
        global W1, b1, W2, b2
        for epoch in range(epochs):
            h = np.tanh(X @ W1 + b1)
            y_hat = 1 / (1 + np.exp(-(h @ W2 + b2)))
            dz2 = (y_hat - Y) / m
            dz1 = dz2 @ W2.T * (1 - h**2)
            W2 -= lr * h.T @ dz2
            b2 -= lr * dz2.sum(axis=0, keepdims=True)
            W1 -= lr * X.T @ dz1
            b1 -= lr * dz1.sum(axis=0, keepdims=True)

    train()
    """,
    "",
    "dW1 db1 dW2 db2",
    "of its 2,000 rows, 53 are looked at",
    slips=(
        (" * (1 - h**2)", "", "db2, dW2 are right", ""),
        ("W1 -= lr * X.T", "W1 += lr * X.T", "dW1", "sign"),
        ("dz1.sum(axis=0", "dz1.mean(axis=0", "db1", ""),
    ),
)
STYLES["functions over global names"] = Style(
    """
    W1, W2 = np.random.randn(3, 4), np.random.randn(4, 2)

    def forward(x):
        global h
        h = np.tanh(x @ W1)
        return h @ W2

    def train_step(x, y, lr=0.01):
        global W1, W2
        y_hat = forward(x)
        d = y_hat - y
        dW2 = h.T @ d
        dW1 = x.T @ (d @ W2.T * (1 - h**2))
        W1 = W1 - lr * dW1
        W2 = W2 - lr * dW2
        return np.mean((y_hat - y) ** 2)
    """,
    "",
    "dW1 dW2",
    slips=(
        (" * (1 - h**2)", "", "dW2 are right", ""),
        ("dW2 = h.T", "dW2 = -h.T", "dW2", ""),
        ("(1 - h**2)", "(1 - h)", "dW2 are right", ""),
    ),
)

test_right_code_is_right, test_a_slip_is_found = both_tests_of(STYLES)


SCRIPT = STYLES["a file of lines"].source
NOT_TAKEN = {  # what is changed in the file of lines: what is said
    ("y - l2", "z - l2"): "a training loop of such lines",
    ("l2_delta = (y - l2) * l2 * (1 - l2)", "l2_delta = np.subtract(y, l2)"): "no output could be found",
    ("X.T @ l1_delta", "X.T @ l1_delta + missing"): "NameError",
    ("(l1 @ W2)", "(l1 @ W3)"): "stops: NameError",
    (
        "    W1, W2 =",
        "    y = np.ones((600, 1))\n    X, n = np.ones((600, 3)), 1 / 600\n    W1, W2 =",
    ): "takes 600 rows",
}


@pytest.mark.parametrize("change", NOT_TAKEN)
def test_lines_that_cannot_be_taken_are_not_judged(change, tmp_path, capsys):
    source = SCRIPT.replace("10**9", "3").replace("    y = ", "    y = z = ")
    status, said = check(source.replace(*change), "", tmp_path / "code.py", capsys)
    words = " ".join(said.split())
    assert status == 2 and NOT_TAKEN[change] in words and ": right" not in words and "wrong in" not in words, said


def test_a_loop_over_objects_runs_as_it_did(tmp_path, capsys):
    source = """
    class Twice:
        def forward(self, x):
            return 2 * x

        def backward(self, dy):
            return 2 * dy

    layer, total, y = Twice(), 0.0, np.ones(3)
    for k in range(3):
        y_hat = layer.forward(y)
        total += np.sum(y_hat - y)
    assert total == 9
    """
    status, said = check(source, "", tmp_path / "code.py", capsys)
    assert status == 0 and "check of Twice(): right" in said, said


def test_a_backward_that_updates_global_names_loses_nothing(tmp_path, capsys):
    source = """
    W = np.random.randn(3, 2)

    def forward(X):
        global y_hat
        y_hat = np.tanh(X @ W)
        return y_hat

    def backward(X, y, lr=0.1):
        global W
        W -= lr * X.T @ ((y_hat - y) * (1 - y_hat**2))
    """
    status, said = check(source, "", tmp_path / "code.py", capsys)
    assert status == 2 and "no return" not in said, said
