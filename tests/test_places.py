"""`python -m tinynn check` tells the line where a wrong gradient is written, in code of every style."""

from __future__ import annotations

import textwrap

import pytest

from tinynn.teach.checking.files.processes import judged

AFFINE = """
class Affine:
    def __init__(self, n_in=5, n_out=4):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, dy):
"""
FUNCTIONS = """
def affine_forward(x, w, b):
    return x @ w + b, (x, w, b)
def affine_backward(dout, cache):
    x, w, b = cache
"""
NETWORK = """
class Net:
    def __init__(self):
        self.params = {"W1": np.random.randn(5, 4), "W2": np.random.randn(4, 3)}
    def predict(self, x):
        self.h = np.tanh(x @ self.params["W1"])
        return self.h @ self.params["W2"]
    def loss(self, x, t):
        return ((self.predict(x) - t) ** 2).sum() / len(x)
    def gradient(self, x, t):
        d = 2 * (self.predict(x) - t) / len(x)
"""
SCRIPT = """
x, t = np.random.randn(6, 5), np.random.randn(6, 3)
W1, W2 = np.random.randn(5, 4), np.random.randn(4, 3)
h = np.tanh(x @ W1)
y = h @ W2
loss = ((y - t) ** 2).mean()
dy = 2 * (y - t) / y.size
"""
LOOP = """
X, y = np.random.randn(6, 5), np.random.randn(6, 3)
W1, W2 = np.random.randn(5, 4), np.random.randn(4, 3)
for epoch in range(100):
    h = np.tanh(X @ W1)
    y_hat = h @ W2
    d = (y_hat - y) / len(y)
"""


def indented(lines, n):
    return textwrap.indent(textwrap.dedent(lines), " " * n)


CASES = {  # what comes after the head, with a ! at each line that is to be told
    "attribute": (AFFINE, 8, "self.dW = self.x.T @ dy.clip(0)!\nself.db = dy.sum(axis=0)\nreturn dy @ self.W.T"),
    "two lines": (AFFINE, 8, "self.db = dy.sum(0)\nself.dW = self.x.T @ dy!\nself.dW /= 7!\nreturn dy @ self.W.T"),
    "by another name": (AFFINE, 8, "g = self.x.T @ dy.clip(0)!\nself.db = dy.sum(axis=0)\nself.dW = g\nreturn dy @ self.W.T"),
    "from zeros": (AFFINE, 8, """\
        self.dW = np.zeros_like(self.W)
        for a, b in zip(self.x, dy):
            self.dW += np.outer(a, b.clip(0))!
        self.db = dy.sum(axis=0)
        return dy @ self.W.T"""),
    "in a branch": (AFFINE, 8, """\
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        if len(dy) > 1:
            dx = dy @ self.W.T * 3!
        else:
            dx = dy @ self.W.T!
        return dx"""),
    "returned": (AFFINE, 8, "self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)\nreturn dy.clip(0) @ self.W.T!"),
    "returned in another shape": (AFFINE, 8, """\
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        dx = dy.clip(0) @ self.W.T!
        return dx.reshape(self.x.shape)!"""),
    "functions": (FUNCTIONS, 4, "dx = dout @ w.T\ndw = x.T @ dout.clip(0)!\ndb = dout.sum(axis=0)\nreturn dx, dw, db"),
    "dx of functions": (FUNCTIONS, 4, "dx = dout.clip(0) @ w.T!\ndw = x.T @ dout\ndb = dout.sum(axis=0)\nreturn dx, dw, db"),
    "not by a name": (FUNCTIONS, 4, "def of(a): return a.T @ dout.clip(0)\nreturn dout @ w.T, of(x), dout.sum(axis=0)"),
    "dict": (NETWORK, 8, """\
        grads = {"W2": self.h.T @ d}
        grads["W1"] = x.T @ (d @ self.params["W2"].T * (1 - self.h))!
        return grads"""),
    "dict, all at once": (NETWORK, 8, """\
        return {
            "W2": self.h.T @ d,
            "W1": x.T @ (d @ self.params["W2"].T * (1 - self.h)),!
        }"""),
    "script": (SCRIPT, 0, "dW2 = h.T @ dy\ndh = dy @ W2.T\ndz = dh * (1 - h)\ndW1 = x.T @ dz!"),
    "loop": (LOOP, 4, "dW2 = h.T @ d\ndW1 = X.T @ (d @ W2.T * (1 - h))!\nW1 -= 0.1 * dW1!\nW2 -= 0.1 * dW2"),
    "loop of updates": (LOOP, 4, "e = d @ W2.T * (1 - h)\nW2 -= 0.1 * h.T @ d\nW1 -= 0.1 * X.T @ e!"),
    "function": ("def mse(y_pred, y_true):\n    return ((y_pred - y_true) ** 2).mean()\ndef mse_prime(y_pred, y_true):\n", 4,
                 "n = y_true.size\nreturn abs(y_pred - y_true) / n!"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_line_of_a_wrong_gradient_is_told(name, tmp_path):
    head, margin, lines = CASES[name]
    marked = ("import numpy as np" + head if head[0] == "\n" else "import numpy as np\n" + head) + indented(
        lines, margin
    )
    told = [n for n, line in enumerate(marked.splitlines(), 1) if line.endswith("!")]
    path = tmp_path / "mine.py"
    path.write_text(marked.replace("!", ""))
    (found,) = judged(str(path), [], 0, False, seed=0, strict=False, width=300).verdicts
    assert found.verdict == "wrong", found.report
    at = next((line for line in found.report.splitlines() if line.startswith("at ")), "")
    assert [f":{n}: " in at or f" line {n}: " in at for n in told] == [True] * len(told) and bool(at) == bool(told), (
        found.report
    )
    if told:
        assert found.line == told[-1] and at.count(": ") >= len(told)
    else:
        assert found.line == marked[: marked.index("def affine_forward")].count("\n") + 1
