"""Weight decay, momentum and Adam inside the update of a loop or a network: the gradients are judged all the same."""

from __future__ import annotations

from test_styles import Style, both_tests_of

LOOP = """
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 2)), rng.normal(size=(12, 1))
    W1, b1, W2 = rng.normal(size=(2, 5)), np.zeros((1, 5)), rng.normal(size=(5, 1))
    lr, beta, beta2, reg = 0.01, 0.9, 0.999, 0.02
    KEPT
    for epoch in range(1, 10**9):
        h = np.tanh(X @ W1 + b1)
        y_hat = h @ W2
        LOSS
        d = 2 * (y_hat - y) / len(X)
        dW2 = h.T @ d
        dh = d @ W2.T * (1 - h**2)
        dW1, db1 = X.T @ dh, dh.sum(axis=0, keepdims=True)
"""
KEPT = "v_W1, v_b1, v_W2 = 0 * W1, 0 * b1, 0 * W2"
ALL = ("W1", "b1", "W2")
SLIPS_IN_LOOP = (
    (" * (1 - h**2)", "", "dW2", ""),
    ("X.T @ dh,", "-X.T @ dh,", "dW1", "sign"),
    ("dW2 = h.T @ d", "dW2 = 2 * h.T @ d", "dW2", ""),
)


def loop(kept, loss, lines, of=ALL):
    """The loop with an update of each parameter P, and its gradient dP."""
    update = "".join("        " + line.replace("P", name) + "\n" for name in of for line in lines)
    return LOOP.replace("KEPT", kept).replace("LOSS", loss) + update


STYLES = {}
STYLES["momentum, with the rate in it"] = Style(
    loop(KEPT, "pass", ["v_P = beta * v_P - lr * dP", "P += v_P"]),
    "",
    "dW1 db1 dW2",
    "the update is not judged beyond its first step: there v_W1, v_W2, v_b1 are 0",
    slips=SLIPS_IN_LOOP,
)
STYLES["momentum as a mean"] = Style(
    loop(KEPT, "pass", ["v_P = beta * v_P + (1 - beta) * dP", "P -= lr * v_P"]),
    "",
    "dW1 db1 dW2",
    "times 0.1, which may be the learning rate",
    slips=SLIPS_IN_LOOP,
)
STYLES["Adam"] = Style(
    loop(
        KEPT + "; m_W1, m_b1, m_W2 = 0 * W1, 0 * b1, 0 * W2",
        "pass",
        [
            "m_P = beta * m_P + (1 - beta) * dP",
            "v_P = beta2 * v_P + (1 - beta2) * dP**2",
            "P -= lr * m_P / (1 - beta**epoch) / (np.sqrt(v_P / (1 - beta2**epoch)) + 1e-8)",
        ],
    ),
    "",
    "dW1 db1 dW2",
    "the update is not judged, only its gradients: it keeps m_W1, m_W2, m_b1, v_W1, v_W2, v_b1",
    slips=SLIPS_IN_LOOP,
)
DECAY = "loss = np.sum((y_hat - y) ** 2) / len(X) + 0.5 * reg * (np.sum(W1**2) + np.sum(W2**2))"
STYLES["weight decay, with its loss"] = Style(
    loop("pass", DECAY, ["dP += reg * P"], ("W1", "W2")) + "        W1 -= lr * dW1; b1 -= lr * db1; W2 -= lr * dW2\n",
    "",
    "dW1 db1 dW2",
    "loss, as the lines compute it",
    slips=(
        ("dW1 += reg * W1", "dW1 += 2 * reg * W1", "dW1", "decay-in-gradient"),
        ("X.T @ dh,", "-X.T @ dh,", "dW1", ""),
        SLIPS_IN_LOOP[2],
    ),
)
STYLES["momentum in a network"] = Style(
    """
    class Network:
        def __init__(self, n_in, n_hidden, n_out):
            rng = np.random.default_rng(0)
            self.W1, self.b1 = rng.normal(size=(n_in, n_hidden)), np.zeros(n_hidden)
            self.W2 = rng.normal(size=(n_hidden, n_out))
            self.vW1, self.vb1, self.vW2 = 0 * self.W1, 0 * self.b1, 0 * self.W2

        def forward(self, x):
            self.h = np.tanh(x @ self.W1 + self.b1)
            self.out = self.h @ self.W2
            return self.out

        def backward(self, x, y, lr=0.01):
            d = (self.out - y) / len(x)
            dh = d @ self.W2.T * (1 - self.h**2)
            self.vW2 = 0.9 * self.vW2 + self.h.T @ d
            self.vW1 = 0.9 * self.vW1 + x.T @ dh
            self.vb1 = 0.9 * self.vb1 + dh.sum(axis=0)
            self.W1 -= lr * self.vW1
            self.b1 -= lr * self.vb1
            self.W2 -= lr * self.vW2
    """,
    "",
    "dW1 db1 dW2",
    "the update is not judged beyond its first step: there vW1, vb1, vW2 are 0",
    slips=(
        (" * (1 - self.h**2)", "", "dW2", ""),
        ("+ x.T @ dh", "- x.T @ dh", "dW1", "sign"),
        ("+ dh.sum(axis=0)", "+ 2 * dh.sum(axis=0)", "db1", "factor-2"),
    ),
)
STYLES["Adam of one parameter in fit"] = Style(
    """
    class Logistic:
        def __init__(self, n):
            self.w, self.b, self.t = np.zeros(n), 0.0, 0
            self.m_w, self.v_w = np.zeros(n), np.zeros(n)

        def fit(self, X, y, lr=0.1, epochs=100):
            for _ in range(epochs):
                y_pred = 1 / (1 + np.exp(-(X @ self.w + self.b)))
                dw = X.T @ (y_pred - y) / len(y)
                db = np.mean(y_pred - y)
                self.t += 1
                self.m_w = 0.9 * self.m_w + 0.1 * dw
                self.v_w = 0.999 * self.v_w + 0.001 * dw**2
                m = self.m_w / (1 - 0.9**self.t)
                self.w -= lr * m / (np.sqrt(self.v_w / (1 - 0.999**self.t)) + 1e-8)
                self.b -= lr * db
    """,
    "",
    "dw db",
    "the update is not judged, only its gradients: it keeps self.m_w, self.v_w",
    slips=(
        ("dw = X.T", "dw = -X.T", "dw", "sign"),
        ("/ len(y)", "", "dw", ""),
    ),
)

test_right_code_is_right, test_a_slip_is_found = both_tests_of(STYLES)
