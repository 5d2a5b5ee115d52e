"""Numbers that others have published, reproduced: published_values.json has them, with their sources.

A test per entry, or per family of entries. `entry` is the entry; its `tol` is an absolute tolerance: the printed digits
where it is large, round-off where it is small, 0 where the arithmetic is exact. What a test wants beyond the printed
number (that a value in print is wrong, say, and why) stands in its docstring.
"""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from oracles import central_differences, relative_error

from tinynn import (
    MSE,
    SGD,
    Adam,
    Affine,
    Loss,
    ReLU,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    backends,
    check,
    check_loss,
    flatten,
    initializers,
)
from tinynn.datasets import load_norris

pytestmark = pytest.mark.published

VALUES = {entry["id"]: entry for entry in json.loads(Path(__file__).with_name("published_values.json").read_text())}
TESTED: list[str] = []


def published(*ids):
    """Mark a test as that of these entries; it gets them one at a time, as `entry`."""
    TESTED.extend(ids)
    return pytest.mark.parametrize("entry", [VALUES[name] for name in ids], ids=ids)


def test_every_entry_has_its_test():
    assert sorted(TESTED) == sorted(VALUES)


# --- helpers ---------------------------------------------------------------------------------------------------------


def affine(W, b=None):
    """An Affine layer with these weights; W (n_in, n_out), b zeros if not given."""
    layer = Affine(*np.shape(W))
    layer.W, layer.b = W, np.zeros(layer.n_out) if b is None else b
    return layer


def network(cpu, *layers):
    """A model in double precision."""
    return Sequential(*layers, backend=cpu, dtype="float64")


def alone(cpu, *layers):
    """The same layers without a model around them: here the first one's dx is computed, too."""
    flatten(*layers, backend=cpu, dtype="float64")
    return layers if len(layers) > 1 else layers[0]


def vector(cpu, params, grads):
    """What an optimizer needs of a model."""
    return SimpleNamespace(params=floats(params).ravel(), grads=floats(grads).ravel(), ops=backends.load(cpu))


def floats(numbers):
    return np.array(numbers, np.float64)


def row(*numbers):
    """A batch of one row."""
    return floats([numbers])


def agree(actual, expected, tol):
    """Demand equal numbers within `tol`, in equal shapes but for axes of length 1."""
    actual, expected = np.squeeze(actual), np.squeeze(expected)
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tol)


# --- Mazur: "A Step by Step Backpropagation Example" ------------------------------------------------------------------
#
# A 2-2-2 network of sigmoids, one example, E = sum of (t - o)^2 / 2. With one row of two outputs that is MSE itself.
# W is printed with a row for each unit, tinynn's has a column; the biases are never updated.

MAZUR = VALUES["mazur.forward_backward"]["inputs"]
MAZUR_STEPS = (1, 2, 10, 100, 1000, 9999, 10000)


def mazur_network(cpu):
    """The network, its input and its target."""
    hidden = affine(floats(MAZUR["W_hidden"]).T, MAZUR["b_hidden"])
    out = affine(floats(MAZUR["W_out"]).T, MAZUR["b_out"])
    return network(cpu, hidden, Sigmoid(), out, Sigmoid()), row(*MAZUR["i"]), row(*MAZUR["target"])


@pytest.fixture(scope="module")
def mazur_run(cpu):
    """10,000 steps of SGD: what the network holds after n of them, for the n in MAZUR_STEPS."""
    model, x, t = mazur_network(cpu)
    loss, optimizer = MSE(cpu), SGD(model, lr=MAZUR["lr"])
    states = {}
    for n in range(max(MAZUR_STEPS) + 1):
        E = loss.forward(model.forward(x), t)
        if n in MAZUR_STEPS:
            arrays = {"W_hidden": model[0].W.T, "W_out": model[2].W.T, "b_hidden": model[0].b, "b_out": model[2].b}
            states[n] = {name: array.copy() for name, array in arrays.items()}
            states[n] |= {"h": model[1].y, "o": model[3].y, "E": E}
        model.backward(loss.backward())
        model[0].db = model[2].db = np.zeros(2)
        optimizer.step()
    return states


@published("mazur.forward_backward")
def test_mazur_forward_and_backward(entry, cpu):
    """Mazur 2015: every number of the first pass, forward and backward. Affine, Sigmoid, MSE."""
    model, x, t = mazur_network(cpu)
    hidden, hidden_sigmoid, out, out_sigmoid = model
    loss = MSE(cpu)
    got = {"E": loss.forward(model.forward(x), t)}
    got |= {"net_h": hidden.y, "out_h": hidden_sigmoid.y, "net_o": out.y, "out_o": out_sigmoid.y}
    got["E_each"] = (t - out_sigmoid.y) ** 2 / 2

    got["dE_dout_o"] = loss.backward()
    got["delta_o"] = out_sigmoid.backward(got["dE_dout_o"])
    got["dE_dout_h"] = out.backward(got["delta_o"])
    got["delta_h"] = hidden_sigmoid.backward(got["dE_dout_h"])
    hidden.backward(got["delta_h"])
    got |= {"dW_out": out.dW.T, "dW_hidden": hidden.dW.T, "db_out": out.db, "db_hidden": hidden.db}
    got["dout_dnet_o"], got["dout_dnet_h"] = out_sigmoid.backward(row(1, 1)), hidden_sigmoid.backward(row(1, 1))

    assert got.keys() == entry["expected"].keys()
    for name, value in entry["expected"].items():
        agree(got[name], value, entry["tol"])


@published(*[f"mazur.after_{n}" for n in MAZUR_STEPS])
def test_mazur_after_n_steps(entry, mazur_run):
    """Mazur's example continued for up to 10,000 steps of SGD: weights, outputs and error on the way. Whole models."""
    got = mazur_run[entry["inputs"]["n"]]
    assert got.keys() == entry["expected"].keys()
    for name, value in entry["expected"].items():
        agree(got[name], value, entry["tol"])


@published("mazur.PUBLISHED_BUT_INCONSISTENT")
def test_mazur_end_values_in_print_belong_to_two_programs(entry, cpu, mazur_run):
    """Mazur 2015, the results in his text: not those of the gradients that he derives.

    His first program updated the output weights *before* it used them for the hidden layer's deltas. That order,
    written out here, gives the printed error after 1 step and the printed outputs after 10,000; the right order does
    not. The error printed beside those outputs is that of the right order, after 9,999 steps.
    """
    value = entry["expected"]
    model, x, t = mazur_network(cpu)
    hidden, hidden_sigmoid, out, out_sigmoid = model
    loss = MSE(cpu)
    errors = []
    for _ in range(10000):
        errors.append(loss.forward(model.forward(x), t))
        delta_o = out_sigmoid.backward(loss.backward())
        out.backward(delta_o)
        out.W -= MAZUR["lr"] * out.dW  # too early ...
        hidden.backward(hidden_sigmoid.backward(out.backward(delta_o)))  # ... for this dx = dy W^T has the new W
        hidden.W -= MAZUR["lr"] * hidden.dW
    y = model.forward(x)
    agree(errors[1], value["sequential_bug_E_after_1"], 1e-12)
    agree(y, value["sequential_bug_out_10000"], 1e-12)

    digits = 5e-10  # in print are 9 decimals
    agree(errors[1], value["published_E_after_1"], digits)
    agree(y, value["published_out"], digits)

    class TooEarly(Affine):
        def backward(self, dy):
            super().backward(dy)
            self.W -= MAZUR["lr"] * self.dW
            return dy @ self.W.T

    early = TooEarly(2, 2)
    early.W, early.b = out.W, out.b
    report = check([copy.deepcopy(hidden), Sigmoid(), early, Sigmoid()], x, t, loss)
    assert (report.code, report.where) == ("updated-too-early", "layer 3, TooEarly(2, 2)")
    assert "(lr 0.5)" in report.why

    right = mazur_run  # with full digits, in the right order, and away from what is in print
    agree(right[1]["E"], value["correct_E_after_1"], 1e-10)
    agree(right[9999]["E"], value["correct_E_after_9999"], 1e-10)
    agree(right[10000]["E"], value["correct_E_after_10000"], 1e-10)
    agree(right[10000]["o"], value["correct_out_10000"], 1e-10)
    assert abs(right[1]["E"] - value["published_E_after_1"]) > 100 * digits
    assert np.all(np.abs(right[10000]["o"] - value["published_out"]) > 1000 * digits)
    assert float(f"{right[9999]['E']:.5e}") == value["published_E_after_10000"]
    assert float(f"{right[10000]['E']:.5e}") != value["published_E_after_10000"]
    assert float(f"{loss(y, t):.5e}") != value["published_E_after_10000"]


# --- programs on single numbers --------------------------------------------------------------------------------------
#
# tinynn has no engine for these and needs none: a product by a number is an Affine(1, 1), a weighted sum an
# Affine(n, 1). What is left over is differentiated by hand.


@published("micrograd.readme")
def test_micrograd_readme(entry, cpu):
    """Karpathy, micrograd, README: g and its derivatives by a and b. ReLU; the chain rule around it by hand.

    The program's steps put together, with r1 = relu(b + a) and r2 = relu(b - a):
    c = 4 (a + b) + 3 - a;  d = 12 (a b + b^3) + 4 r1 + r2;  e = c - d;  f = e^2;  g = f / 2 + 10 / f.
    """
    a, b = entry["inputs"]["a"], entry["inputs"]["b"]
    relu = alone(cpu, ReLU())
    (r1,), (r2,) = relu.forward(floats([[b + a], [b - a]]))
    c, d = 4 * (a + b) + 3 - a, 12 * (a * b + b**3) + 4 * r1 + r2
    e = c - d
    f = e * e
    g = f / 2 + 10 / f

    df = 1 / 2 - 10 / f**2
    de = df * 2 * e
    dc, dd = de, -de
    (d_sum,), (d_difference,) = relu.backward(floats([[4 * dd], [dd]]))
    da = 3 * dc + 12 * b * dd + d_sum - d_difference
    db = 4 * dc + 12 * (a + 3 * b**2) * dd + d_sum + d_difference
    agree([g, da, db], [entry["expected"][name] for name in ("g", "da", "db")], entry["tol"])


@published("micrograd.sanity")
def test_micrograd_sanity_check(entry, cpu):
    """Karpathy, micrograd, test_engine.py: y and dy/dx. ReLU; the chain rule around it by hand."""
    x = entry["inputs"]["x"]
    relu_z, relu_zz = alone(cpu, ReLU(), ReLU())
    z = 2 * x + 2 + x
    q = relu_z.forward(row(z)).item() + z * x
    h = relu_zz.forward(row(z * z)).item()
    y = h + q + q * x

    dq = 1 + x
    dz = relu_zz.backward(row(1)).item() * 2 * z + relu_z.backward(row(dq)).item() + dq * x
    dx = q + dq * z + dz * 3
    agree([y, dx], [entry["expected"]["y"], entry["expected"]["dx"]], entry["tol"])


@published("karpathy.L")
def test_karpathy_lecture(entry, cpu):
    """Karpathy, "The spelled-out intro to neural networks and backpropagation": L = (a b + c) f, and a step uphill.

    Two Affine(1, 1): d = a b + c has the input a, the weight b and the bias c; L = d f has the weight f.
    """

    def forward(a, b, c, f):
        layers = alone(cpu, affine([[b]], [c]), affine([[f]]))
        d = layers[0].forward(row(a))
        return layers, layers[1].forward(d).item()

    given = {name: entry["inputs"][name] for name in "abcf"}
    (first, second), L = forward(**given)
    dd = second.backward(row(1))
    da = first.backward(dd)
    grads = {"a": da, "b": first.dW, "c": first.db, "f": second.dW}
    got = {f"d{name}": grad for name, grad in grads.items()}
    got |= {"L": L, "dd": dd, "de": first.db}  # d = e + c, so de is dc
    uphill = {name: given[name] + 0.01 * grads[name].item() for name in given}
    got["L_after_plus_0p01_grad"] = forward(**uphill)[1]
    assert got.keys() == entry["expected"].keys()
    for name, value in entry["expected"].items():
        agree(got[name], value, entry["tol"])


@published("cs231n.xyz")
def test_cs231n_product_of_a_sum(entry, cpu):
    """CS231n notes, "Backpropagation, Intuitions": f = (x + y) z. Affine(2, 1) with ones adds, Affine(1, 1) times z."""
    x, y, z = (entry["inputs"][name] for name in "xyz")
    plus, times = alone(cpu, affine([[1], [1]]), affine([[z]]))
    f = times.forward(plus.forward(row(x, y)))
    ((dx, dy),) = plus.backward(times.backward(row(1)))
    expected = entry["expected"]
    agree([f.item(), dx, dy, times.dW.item()], [expected[name] for name in ("f", "dx", "dy", "dz")], entry["tol"])


@published("cs231n.sigmoid_neuron")
def test_cs231n_sigmoid_neuron(entry, cpu):
    """CS231n notes, "Backpropagation, Intuitions": one unit, f = sigmoid(w0 x0 + w1 x1 + w2). Affine, Sigmoid."""
    w0, w1, w2 = entry["inputs"]["w"]
    unit, sigmoid = alone(cpu, affine([[w0], [w1]], [w2]), Sigmoid())
    f = sigmoid.forward(unit.forward(row(*entry["inputs"]["x"])))
    dx = unit.backward(sigmoid.backward(row(1)))
    agree(f, entry["expected"]["f"], entry["tol"])
    agree(dx, entry["expected"]["dx"], entry["tol"])
    agree([*unit.dW.ravel(), *unit.db], entry["expected"]["dw"], entry["tol"])


@published("saitoh.graph")
def test_saitoh_buying_apples_and_oranges(entry, cpu):
    """Saitoh, Deep Learning from Scratch, 5.4: prices and their derivatives by each factor.

    The fruits are the input, their numbers the weights of an Affine(n, 1), the tax that of an Affine(1, 1).
    """

    def buy(prices, numbers, tax):
        sum_up, add_tax = alone(cpu, affine([[n] for n in numbers]), affine([[tax]]))
        price = add_tax.forward(sum_up.forward(row(*prices)))
        dprices = sum_up.backward(add_tax.backward(row(1)))
        return price, dprices, sum_up.dW, add_tax.dW

    i, o = entry["inputs"], entry["expected"]
    expected = [o["price"], o["dapple"], o["dn"], o["dtax"]]
    for got, value in zip(buy([i["apple"]], [i["n"]], i["tax"]), expected):
        agree(got, value, entry["tol"])
    s = o["second"]
    expected = [s["price"], [s["dapple"], s["dorange"]], [s["dan"], s["don"]], s["dtax"]]
    for got, value in zip(buy([s["apple"], s["orange"]], [s["an"], s["on"]], s["tax"]), expected):
        agree(got, value, entry["tol"])


# --- layers ----------------------------------------------------------------------------------------------------------


@published("cs231n.A2.affine_forward")
def test_cs231n_affine_forward(entry, cpu):
    """CS231n assignment 2, affine_forward: images (2, 4, 5, 6) as rows of 120. Affine.

    8 decimals are in print; with all digits the tolerance is round-off: 120 products of about 0.03 add up.
    """
    x = np.linspace(-0.1, 0.5, 240).reshape(2, 120)
    layer = affine(np.linspace(-0.2, 0.3, 360).reshape(120, 3), np.linspace(-0.3, 0.1, 3))
    y = network(cpu, layer).forward(x)
    agree(y, entry["expected"]["out"], entry["tol"])
    agree(y, entry["expected"]["out_full"], 1e-13)


@published("nnfs.dense")
def test_nnfs_dense_layer(entry, cpu):
    """Kinsley & Kukieła, Neural Networks from Scratch: a batch of three through a dense layer. Affine."""
    W, b = floats(entry["inputs"]["W_rows"]).T, entry["inputs"]["b"]
    y = network(cpu, affine(W, b)).forward(floats(entry["inputs"]["X"]))
    agree(y, entry["expected"]["out"], entry["tol"])


@published("xor.goodfellow")
def test_goodfellow_xor(entry, cpu):
    """Goodfellow, Bengio & Courville, Deep Learning, 6.1: XOR by two ReLUs, and that no linear model can do it.

    Affine, ReLU, MSE; exact, for all numbers are small integers and halves. The best linear model says 1/2 to
    everything: there the gradient is 0, and since the loss is convex, and strictly so where [X 1] has full rank, that
    is its only minimum. SGD finds it from anywhere.
    """
    given, best = entry["inputs"], entry["expected"]["best_linear"]
    X, t = floats(given["X"]), floats(entry["expected"]["y"])[:, None]
    model = network(cpu, affine(given["W"], given["c"]), ReLU(), affine(floats(given["w"])[:, None], [given["b"]]))
    agree(model(X), t, entry["tol"])
    agree(MSE(cpu)(model(X), t), 0, entry["tol"])

    linear, loss = network(cpu, affine(floats(best["w"])[:, None], [best["b"]])), MSE(cpu)
    agree(loss.forward(linear.forward(X), t), best["mse"], entry["tol"])
    linear.backward(loss.backward())
    agree(linear.grads, np.zeros(3), entry["tol"])
    assert np.linalg.matrix_rank(np.column_stack([X, np.ones(4)])) == 3

    linear.params = floats([3, -2, 1])
    optimizer = SGD(linear, lr=0.5)
    for _ in range(500):
        loss.forward(linear.forward(X), t)
        linear.backward(loss.backward())
        optimizer.step()
    agree(linear.params, [*best["w"], best["b"]], 1e-12)  # steps shrink the distance by 0.9 or more: 500 to round-off


@published("kaiming.std")
def test_kaiming_std_and_the_number_of_parameters(entry):
    """He et al. 2015, eq. 10: weights of the standard deviation sqrt(2 / n_in). kaiming_normal, Affine's default.

    By the formula: with the same seed, the weights are standard normal numbers times that. By statistics: the standard
    deviation of n numbers has a standard error of std / sqrt(2 n), and the seed is fixed. And a 784-256-10 network has
    784 256 + 256 + 256 10 + 10 parameters.
    """
    model = Sequential(Affine(784, 256), ReLU(), Affine(256, 10), seed=0)
    assert model.params.size == entry["expected"]["params_784_256_10"]
    for layer, n_in, std in zip((model[0], model[2]), entry["inputs"]["fan_in"], entry["expected"]["std"]):
        agree(math.sqrt(2 / n_in), std, entry["tol"])
        W = initializers.kaiming_normal((n_in, 100), np.random.default_rng(1))
        agree(W / np.random.default_rng(1).normal(size=(n_in, 100)), np.full((n_in, 100), std), entry["tol"])
        assert abs(layer.W.std() - std) < 4 * std / math.sqrt(2 * layer.W.size)
        assert abs(layer.W.mean()) < 4 * std / math.sqrt(layer.W.size)


# --- softmax and losses ----------------------------------------------------------------------------------------------
#
# Where a source starts from probabilities p, log p are scores for them: softmax(log p) = p / sum(p).


@published("saitoh.softmax")
def test_saitoh_softmax(entry, cpu):
    """Saitoh, Deep Learning from Scratch, 3.5: softmax, also of scores whose exponential overflows. The op softmax."""
    softmax = backends.load(cpu).softmax
    agree(softmax(row(*entry["inputs"]["a"])), entry["expected"]["y"], entry["tol"])
    large = entry["expected"]["overflow_case"]
    y = softmax(row(*large["a"]))
    agree(y, large["y"], entry["tol"])
    np.testing.assert_allclose(y[0], large["y"], rtol=1e-7)  # printed to 6 digits or more, the smallest ones, too


@published("nnfs.softmax")
def test_nnfs_softmax(entry, cpu):
    """Kinsley & Kukieła, Neural Networks from Scratch: softmax of a row. The op softmax."""
    agree(backends.load(cpu).softmax(row(*entry["inputs"]["z"])), entry["expected"]["y"], entry["tol"])


@published("cs231n.softmax_df")
def test_cs231n_gradient_of_the_scores(entry, cpu):
    """CS231n notes, "Minimal Neural Network Case Study": p, less 1 at the label. SoftmaxCrossEntropy."""
    loss = SoftmaxCrossEntropy(cpu)
    loss.forward(np.log(row(*entry["inputs"]["p"])), np.array([entry["inputs"]["label"]]))
    agree(loss.backward(), entry["expected"]["df"], entry["tol"])


@published("chance.loss")
def test_chance_loss(entry, cpu):
    """CS231n notes, "Learning": scores that say nothing cost log C, 2.302 for CIFAR-10's ten classes."""
    for C, value in ((entry["inputs"]["C"], entry["expected"]["loss"]), (3, entry["expected"]["C3"])):
        loss = SoftmaxCrossEntropy(cpu)
        agree(loss(np.zeros((7, C)), np.arange(7) % C), value, entry["tol"])
        agree(loss(np.full((7, C), -5.0), np.full((7, C), 1 / C)), value, entry["tol"])


@published("cs231n.A2.softmax_loss")
def test_cs231n_softmax_loss_of_small_scores(entry, cpu):
    """CS231n assignment 2, softmax_loss: "should be close to 2.3", log 10, for small random scores.

    That is all that is in print; all digits come from another computation with the notebook's seed.
    """
    random = np.random.RandomState(231)
    y, t = 0.001 * random.randn(50, 10), random.randint(10, size=50)
    value = SoftmaxCrossEntropy(cpu)(y, t)
    agree(value, entry["expected"]["loss"], entry["tol"])
    agree(value, 2.3, 0.05)


@published("saitoh.losses")
def test_saitoh_losses(entry, cpu):
    """Saitoh, Deep Learning from Scratch, 4.2: squared error and cross-entropy of a row. MSE, SoftmaxCrossEntropy.

    The sum of (y - t)^2 / 2 is MSE times D / 2 = 5. The book's cross-entropy is -log(p + 1e-7), so that log 0 cannot
    occur, and its printed values are too small by 1e-7 / p. tinynn needs no such constant: four of the ten p are 0,
    with the score -inf, and do no harm.
    """
    labels = np.array([entry["inputs"]["t"]])
    one_hot = np.eye(10)[labels]
    for number in "12":
        p = row(*entry["inputs"][f"y{number}"])
        exact = entry["expected"][f"ce{number}_exact"]
        in_print = entry["expected"][f"ce{number}_with_1e_7"]
        agree(MSE(cpu)(p, one_hot) * 10 / 2, entry["expected"][f"sse{number}"], entry["tol"])
        with np.errstate(divide="ignore"):  # log 0
            y = np.log(p)
            agree(SoftmaxCrossEntropy(cpu)(y, labels), exact, entry["tol"])
            agree(SoftmaxCrossEntropy(cpu)(y, one_hot), exact, entry["tol"])
        p_label = p[0, labels[0]]
        agree(-math.log(p_label + 1e-7), in_print, entry["tol"])
        agree(exact - in_print, 1e-7 / p_label, 1e-12)  # the next term of the series is (1e-7 / p)^2 / 2


def test_saitoh_gradient_check_finds_the_books_own_constant():
    """The same book, 5.7.4: its check of backprop finds small differences, and blames the computer's precision.

    They come from the 1e-7: it stands in the loss, not in the gradient (p - t) / N, which is that of the loss without
    it. A sample's true gradient is smaller by the factor p / (p + 1e-7). check_loss finds the constant and its size.
    """

    class SoftmaxWithLoss:
        def forward(self, x, t):
            e = np.exp(x - x.max(axis=1, keepdims=True))
            self.p, self.t = e / e.sum(axis=1, keepdims=True), t
            return -np.sum(np.log(self.p[np.arange(len(x)), t] + 1e-7)) / len(x)

        def backward(self, dout=1):
            dx = self.p.copy()
            dx[np.arange(len(dx)), self.t] -= 1
            return dx / len(dx)

    rng = np.random.default_rng(0)
    x, t = rng.normal(0, 3, (5, 4)), rng.integers(0, 4, 5)
    report = check_loss(SoftmaxWithLoss(), x, t)
    assert report.code == "eps-in-log" and report.why.startswith("1e-07 stands inside the logarithm")
    loss = SoftmaxWithLoss()
    loss.forward(x, t)
    dy, p = loss.backward(), loss.p[np.arange(5), t][:, None]
    numeric = central_differences(lambda: loss.forward(x, t), x, 1e-4)
    agree(
        numeric / dy, np.broadcast_to(p / (p + 1e-7), (5, 4)), 1e-6
    )  # truncation; the factors are off 1 by up to 1e-3


@published("nnfs.softmax_ce")
def test_nnfs_softmax_cross_entropy(entry, cpu):
    """Kinsley & Kukieła, Neural Networks from Scratch: each row's loss, their mean, the scores' gradient."""
    y, t = np.log(floats(entry["inputs"]["p"])), np.array(entry["inputs"]["y"])
    loss = SoftmaxCrossEntropy(cpu)
    agree([loss(y[n : n + 1], t[n : n + 1]) for n in range(3)], entry["expected"]["sample"], entry["tol"])
    agree(loss.forward(y, t), entry["expected"]["mean"], entry["tol"])
    agree(loss.backward(), entry["expected"]["dlogits"], entry["tol"])


@published("keras.cce_probs")
def test_keras_cross_entropy_divides_rows_by_their_sums(entry, cpu):
    """Keras, losses_test.py: cross-entropy of rows of probabilities. SoftmaxCrossEntropy.

    The second row sums to 1.99. Keras divides by the sum first, and softmax(log p) = p / sum(p) does the same; the mean
    of -log p as it stands is another number, 0.0946.
    """
    p, t = floats(entry["inputs"]["p"]), np.array(entry["inputs"]["y"])
    agree(p.sum(axis=1), [1, 1.99, 1], 1e-15)
    agree(SoftmaxCrossEntropy(cpu)(np.log(p), t), entry["expected"]["mean"], entry["tol"])
    agree(-np.log(p[range(3), t]).mean(), entry["expected"]["mean"] - math.log(1.99) / 3, entry["tol"])


@published("keras.mse")
def test_keras_mse(entry, cpu):
    """Keras, losses_test.py: the mean over all elements. MSE. Sums along rows, averaged, would be 3 times 49.5."""
    agree(MSE(cpu)(floats(entry["inputs"]["p"]), floats(entry["inputs"]["y"])), entry["expected"]["mse"], entry["tol"])


# --- optimizers ------------------------------------------------------------------------------------------------------


@published("cs231n.A2.sgd_momentum")
def test_cs231n_sgd_momentum(entry, cpu):
    """CS231n assignment 2, sgd_momentum: one step from a given velocity. SGD; CS231n's convention is tinynn's."""
    model = vector(cpu, np.linspace(-0.4, 0.6, 20), np.linspace(-0.6, 0.4, 20))
    optimizer = SGD(model, lr=entry["inputs"]["lr"], momentum=entry["inputs"]["mu"])
    optimizer.velocity[:] = np.linspace(0.6, 0.9, 20)
    optimizer.step()
    agree(model.params.reshape(4, 5), entry["expected"]["next_w"], entry["tol"])
    agree(optimizer.velocity.reshape(4, 5), entry["expected"]["velocity"], entry["tol"])


@published("keras.sgd_single")
def test_keras_sgd_step(entry, cpu):
    """Keras, sgd_test.py: one plain step, exact in binary. SGD."""
    model = vector(cpu, entry["inputs"]["w"], entry["inputs"]["g"])
    SGD(model, lr=entry["inputs"]["lr"]).step()
    agree(model.params, entry["expected"]["w"], entry["tol"])


@published("keras.adam_single")
def test_keras_adam_step(entry, cpu):
    """Keras, adam_test.py: the first step is lr in every direction, whatever the gradient. Adam.

    Short of it by lr eps / |g|: the values with all digits are PyTorch's, whose eps is tinynn's default, 1e-8. They are
    compared to round-off.
    """
    model = vector(cpu, entry["inputs"]["w"], entry["inputs"]["g"])
    Adam(model, lr=entry["inputs"]["lr"]).step()
    agree(model.params, entry["expected"]["w"], entry["tol"])
    agree(model.params, entry["expected"]["torch_exact"], 1e-14)


@published("saitoh.gradient_descent")
def test_saitoh_gradient_descent(entry, cpu):
    """Saitoh, Deep Learning from Scratch, 4.4.1: 100 steps down x0^2 + x1^2, each times 1 - 2 lr = 0.8. SGD.

    The book's gradient is numerical; its digits end where its round-off begins. Here it is 2 x.
    """
    model = vector(cpu, entry["inputs"]["x0"], [0, 0])
    optimizer = SGD(model, lr=entry["inputs"]["lr"])
    for _ in range(entry["inputs"]["steps"]):
        model.grads[:] = 2 * model.params
        optimizer.step()
    agree(model.params, entry["expected"]["x"], entry["tol"])
    agree(model.params, 0.8**100 * floats(entry["inputs"]["x0"]), entry["tol"])


# --- whole networks --------------------------------------------------------------------------------------------------


@published("cs231n.A1.two_layer_toy")
def test_cs231n_two_layer_net(entry, cpu):
    """CS231n assignment 1, two_layer_net.ipynb: scores, loss and gradients of the toy model. Affine, ReLU,
    SoftmaxCrossEntropy; the penalty 0.05 (|W1|^2 + |W2|^2) by hand.

    The printed scores have 8 decimals and the loss 11; the gradients come from another computation.
    """
    given, expected = entry["inputs"], entry["expected"]
    random = np.random.RandomState(0)
    W1, W2 = 0.1 * random.randn(4, 10), 0.1 * random.randn(10, 3)
    X = 10 * np.random.RandomState(1).randn(5, 4)
    for name, array in (("W1", W1), ("W2", W2), ("X", X)):
        agree(array, given[name], 1e-14)  # the seeds give what is listed

    model, loss = network(cpu, affine(W1), ReLU(), affine(W2)), SoftmaxCrossEntropy(cpu)
    scores = model.forward(X)
    agree(scores, expected["scores"], entry["tol"])
    value = loss.forward(scores, np.array(given["y"]))
    agree(value + 0.05 * (np.sum(W1**2) + np.sum(W2**2)), expected["loss"], entry["tol"])
    model.backward(loss.backward())
    agree(model[0].dW + 0.1 * W1, expected["dW1"], entry["tol"])
    agree(model[0].db, expected["db1"], entry["tol"])
    agree(model[2].dW + 0.1 * W2, expected["dW2"], entry["tol"])
    agree(model[2].db, expected["db2"], entry["tol"])


@published("saitoh.numerical_diff")
def test_saitoh_numerical_derivative(entry):
    """Saitoh, Deep Learning from Scratch, 4.3: central differences of 0.01 x^2 + 0.1 x, to the last bit.

    No part of tinynn, but central_differences, which its gradients are tested with. The true derivatives are 0.2 and
    0.3: central differences have no truncation error on a parabola, and all that is wrong, about 1e-12, is round-off.
    """
    for x, value, true in ((5, entry["expected"]["at5"], 0.2), (10, entry["expected"]["at10"], 0.3)):
        a = floats(x)
        derivative = central_differences(lambda a=a: 0.01 * a[()] ** 2 + 0.1 * a[()], a, entry["inputs"]["h"])
        agree(derivative, value, entry["tol"])
        agree(derivative, true, 2e-12)


class BinaryCrossEntropy(Loss):
    """L = mean over rows of -(t log y + (1 - t) log(1 - y)), y (N, 1) probabilities; dy = (y - t) / (y (1 - y) N)."""

    def compute(self, y, t):
        value = -np.sum(t * np.log(y) + (1 - t) * np.log(1 - y)) / len(y)
        return value.item(), (y - t) / (y * (1 - y)) / len(y)


@published("coursera.gradient_checking")
def test_coursera_gradient_checking(entry, cpu):
    """deeplearning.ai, Course 2, Week 1, "Gradient Checking": the difference with the planted bugs, and without.

    The course's network in Affine, ReLU, Sigmoid, and its cost as a loss of the test's own. The bugs: dW2 doubled, db1
    with 4 / m in place of 1 / m. Note: the right gradient, too, exceeds the course's threshold, 1e-7, and it is not to
    blame. With eps = 1e-7 the difference of two costs has lost half its digits; the error goes down as eps goes up.
    """
    random = np.random.RandomState(1)
    x, t = random.randn(4, 3).T.copy(), floats([[1], [1], [0]])  # there one example is a column
    sizes = ((5, 4), (3, 5), (1, 3))
    layers = [affine(random.randn(*size).T, random.randn(size[0])) for size in sizes]
    first, second, third = layers
    model, loss = network(cpu, first, ReLU(), second, ReLU(), third, Sigmoid()), BinaryCrossEntropy(cpu)

    def cost():
        return loss(model(x), t)

    def difference(eps):
        return relative_error(model.grads, central_differences(cost, model.params, eps))

    agree(loss.forward(model.forward(x), t), entry["expected"]["cost"], 1e-14)  # round-off
    model.backward(loss.backward())
    eps = entry["inputs"]["eps"]
    fixed = difference(eps)
    # All of this number is round-off: the order in which BLAS adds moves it by 5e-4 here, so allow for 1 %.
    np.testing.assert_allclose(fixed, entry["expected"]["fixed"], rtol=0.01)
    assert fixed > 1e-7
    np.testing.assert_allclose(difference(1e-5), entry["expected"]["fixed_with_eps_1e_5"], rtol=0.2)
    np.testing.assert_allclose(difference(1e-4), entry["expected"]["fixed_with_eps_1e_4"], rtol=0.2)

    second.dW *= 2
    first.db *= 4
    agree(difference(eps), entry["expected"]["buggy"], entry["tol"])

    class Doubled(Affine):
        def backward(self, dy):
            dx = super().backward(dy)
            self.dW *= 2
            return dx

    class Fourfold(Affine):
        def backward(self, dy):
            dx = super().backward(dy)
            self.db *= 4
            return dx

    report = check(model, x, t, loss)
    assert report, report
    for slipped, place, code in ((Doubled(5, 3), 2, "factor-2"), (Fourfold(4, 5), 0, "factor")):
        planted = [copy.deepcopy(layer) for layer in model]
        slipped.W, slipped.b = planted[place].W, planted[place].b
        planted[place] = slipped
        report = check(planted, x, t, loss)
        assert (report.code, report.where) == (code, f"layer {place + 1}, {slipped!r}")
    assert "db is 4 times what it should be" in report.why


@published("nist.norris")
def test_nist_norris(entry, cpu):
    """NIST StRD, Norris: the certified line through 36 measurements, and its statistics. load_norris, Affine, MSE, SGD.

    Once in closed form, once by training on data scaled to mean 0 and variance 1. There the loss is the same bowl in
    both directions, and each step at lr = 0.1 leaves 0.8 of the way: 200 steps leave nothing.
    """
    expected, tol = entry["expected"], entry["tol"]
    x, t = load_norris()
    agree(x, entry["inputs"]["x"], 0)
    agree(t, entry["inputs"]["y"], 0)

    b1 = np.sum((x - x.mean()) * (t - t.mean())) / np.sum((x - x.mean()) ** 2)
    agree([t.mean() - b1 * x.mean(), b1], [expected["b0"], expected["b1"]], tol)

    scaled = network(cpu, Affine(1, 1))
    loss, optimizer = MSE(cpu), SGD(scaled, lr=0.1)
    for _ in range(200):
        loss.forward(scaled.forward((x - x.mean()) / x.std()), (t - t.mean()) / t.std())
        scaled.backward(loss.backward())
        optimizer.step()
    W = scaled[0].W * t.std() / x.std()
    line = network(cpu, affine(W, t.mean() + t.std() * scaled[0].b - x.mean() * W[0]))
    agree(line.params, [expected["b1"], expected["b0"]], tol)

    n = len(x)
    mse = loss(line(x), t)
    residual_ss = n * mse
    residual_sd = math.sqrt(residual_ss / (n - 2))
    se_b1 = residual_sd / math.sqrt(n * x.var())
    se_b0 = residual_sd * math.sqrt(1 / n + x.mean() ** 2 / (n * x.var()))
    agree(mse, expected["mse"], tol)
    agree([residual_ss, residual_sd], [expected["residual_ss"], expected["residual_sd"]], tol)
    agree(1 - mse / t.var(), expected["r2"], tol)
    agree([se_b0, se_b1], [expected["se_b0"], expected["se_b1"]], tol)
