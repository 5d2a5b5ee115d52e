"""Training loops: run as they are, and the order of their lines judged."""

import numpy as np
import pytest
from test_command import in_this_process, written

from tinynn import SGD, Affine, Model, ReLU, Sequential, SoftmaxCrossEntropy
from tinynn.teach.checking.training_loop import check_loop

RIGHT = """
for _ in range(5):
    for i in range(0, len(x), 4):
        xb, tb = x[i : i + 4], t[i : i + 4]
        y = model.forward(xb)
        value = loss.forward(y, tb)
        model.backward(loss.backward())
        optimizer.step()
"""
LAYERS = """
for _ in range(12):
    y = x
    for layer in layers:
        y = layer.forward(y)
    value = loss.forward(y, t)
    dy = loss.backward()
    for layer in reversed(layers):
        dy = layer.backward(dy)
    for layer in layers:
        optimizer.update_params(layer)
"""
CHANGES = [
    (RIGHT, "", "", "ok"),
    (RIGHT, "        value = loss", "        model(xb)\n        value = loss", "ok"),  # a look without a trace
    (RIGHT, "        optimizer.step()\n", "        model.forward(x)\n        optimizer.step()\n", "ok"),
    (RIGHT, "        value = ", "        optimizer.step()\n        value = ", "updated-too-early"),
    (RIGHT, "model.backward(loss.backward())\n        optimizer.step()",
     "optimizer.step()\n        model.backward(loss.backward())", "updated-too-early"),
    (RIGHT, "        xb, tb", "        optimizer.step()\n        xb, tb", "step-before-backward"),
    (RIGHT, "        model.backward(loss.backward())\n        optimizer.step()",
     "    model.backward(loss.backward())\n    optimizer.step()", "last-batch-only"),
    (RIGHT, "        optimizer.step()", "    optimizer.step()", "last-batch-only"),
    (RIGHT, "optimizer.step()", "optimizer.step()\n        optimizer.step()", "ok"),  # two in a row count as one
    (RIGHT, "        value = loss.forward(y, tb)\n        model.backward(loss.backward())",
     "        model.backward(loss.backward() if i or _ else y)\n        value = loss.forward(y, tb)", "loss-too-late"),
    (RIGHT, "        optimizer.step()", "        zero.zero_grad()\n        optimizer.step()", "zeroed-before-step"),
    (RIGHT, "        y =", "        zero.zero_grad()\n        y =", "ok"),
    (RIGHT, "        optimizer.step()", "        model.params -= 0.1 * model.grads", "ok"),
    (RIGHT, "model.backward(loss.backward())\n        optimizer.step()",
     "model.params -= 0.1 * model.grads\n        model.backward(loss.backward())", "updated-too-early"),
    (RIGHT, "        optimizer.step()", "        other.step()", "nothing-moves"),
    (LAYERS, "", "", "ok"),
    (LAYERS, "    value = ", "    for layer in layers:\n        optimizer.update_params(layer)\n    value = ", "updated-too-early"),
    (LAYERS, "    for layer in layers:\n        optimizer", "    for layer in layers[:1]:\n        optimizer", "ok"),
]  # fmt: skip


class Zero:
    def __init__(self, model):
        self.model = model

    def zero_grad(self):
        self.model.grads[...] = 0


class Plain:
    """A layer of no framework."""

    def __init__(self, n_in, n_out, rng):
        self.W, self.b = rng.normal(size=(n_in, n_out)), np.zeros(n_out)
        self.dW, self.db = np.zeros((n_in, n_out)), np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.W.T


class Steps:
    def update_params(self, layer):
        layer.W -= 0.1 * layer.dW
        layer.b -= 0.1 * layer.db


@pytest.mark.parametrize("code, old, new, expected", CHANGES)
def test_a_loop(code, old, new, expected):
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(12, 5)), rng.integers(0, 3, 12)
    model = Sequential(Affine(5, 4), ReLU(), Affine(4, 3), backend="numpy", dtype="float64", seed=0)
    names = {"x": x, "t": t, "model": model, "loss": SoftmaxCrossEntropy(), "optimizer": SGD(model, 0.1)}
    names["other"] = SGD(Sequential(Affine(5, 3), backend="numpy", dtype="float64", seed=0), 0.1)
    names["other"].model.grads[...] = 1
    names["zero"] = Zero(model)
    if code is LAYERS:
        names.update(layers=[Plain(5, 4, rng), Plain(4, 3, rng)], optimizer=Steps())
    assert old in code

    def train():
        exec(compile(code.replace(old, new, 1), "learner.py", "exec"), names)

    report = check_loop(train)
    assert report.code == expected, report
    assert all(len(line) <= 100 for line in str(report).splitlines())


def test_a_wrong_network_is_found_first():
    class Wrong(Affine):
        def backward(self, dy):
            dx = super().backward(dy)
            self.db = self.db / 2
            return dx

    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(7, 5)), rng.integers(0, 3, 7)
    model = Sequential(Wrong(5, 3), backend="numpy", dtype="float64", seed=0)
    loss, optimizer = SoftmaxCrossEntropy(), SGD(model, 0.1)

    def train(epochs):
        for _ in range(epochs):
            loss.forward(model.forward(x), t)
            optimizer.step()
            model.backward(loss.backward())

    report = check_loop(train, 6)
    assert report.code == "factor-half" and "Wrong(5, 3)" in report.where
    assert isinstance(model, Model)


def test_what_it_raises_is_raised_and_nothing_stays():
    import sys

    before = sys.getprofile()
    with pytest.raises(ZeroDivisionError):
        check_loop(lambda: 1 / 0)
    assert sys.getprofile() is before


@pytest.mark.parametrize("slip", [None, 3, "train", [print]])
def test_a_loop_is_a_function(slip):
    with pytest.raises(TypeError, match="train must be a function that runs a training loop, not "):
        check_loop(slip)
    report = check_loop(lambda: None)
    assert report.why == (
        "how this loop trains is not known: it needs two steps with calls of forward and backward; seen: none of them"
    )


FILE = """
class Dense:
    def __init__(self, n_in=5, n_out=4):
        self.W, self.dW = np.random.randn(n_in, n_out), np.zeros((n_in, n_out))
    def forward(self, x):
        self.x = x
        return x @ self.W
    def backward(self, dy):
        self.dW = self.x.T @ dy
        return dy @ self.W.T

class MSE:
    def forward(self, y, t):
        self.y, self.t = y, t
        return ((y - t) ** 2).mean()
    def backward(self):
        return 2 * (self.y - self.t) / self.y.size

def train(net, x, y, lr, epochs):
    loss = MSE()
    for epoch in range(1000 * epochs):
        out = net.forward(x)
        print(loss.forward(out, y))
        net.backward(loss.backward())
        net.W -= lr * net.dW

def train_step(net, x, y, lr):
    out = net.forward(x)
    net.backward(2 * (out - y) / y.size)
    net.W -= lr * net.dW
"""


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        ("", "", ["ok", "ok"]),
        ("        net.backward(loss.backward())\n        net.W -= lr * net.dW",
         "        net.W -= lr * net.dW\n        net.backward(loss.backward())", ["updated-too-early", "ok"]),
        ("(out - y)", "(y - out)", ["ok", "not-judged"]),  # no loss has this gradient
        ("lr, epochs)", "lr, epochs, wanted)", ["not-looked-at", "ok"]),
    ],
)  # fmt: skip
def test_the_loops_of_a_file_make_a_few_steps(old, new, codes, tmp_path, capsys):
    """With a model, data and a rate that are made for them; what they print is not shown."""
    assert old in FILE
    found, _ = in_this_process(written(tmp_path, FILE.replace(old, new)))
    assert [found["Dense"].verdict, found["MSE"].verdict] == ["right", "right"]
    assert [found[name].code for name in ("train", "train_step")] == codes, [one.report for one in found.values()]
    assert not capsys.readouterr().out
