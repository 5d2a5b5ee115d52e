"""The worksheet of one training step: its numbers are those of a real step, its formulas give them, its marks are fair."""

from __future__ import annotations

import copy
import itertools
import json
import math
import pickle
import random
import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser

from tinynn import (
    MSE,
    SGD,
    Activation,
    Adam,
    Affine,
    GaussianNLL,
    Layer,
    Loss,
    Optimizer,
    ReLU,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    explain,
    flatten,
)
from tinynn.datasets import load_mnist
from tinynn.teach.worksheet import layers
from tinynn.teach.worksheet.formula import Formula
from tinynn.teach.worksheet.lines import Quantity

VALUES = {entry["id"]: entry for entry in json.loads(Path(__file__).with_name("published_values.json").read_text())}


def one_of(cases):
    """pytest's parameters from a dict name -> case."""
    return pytest.mark.parametrize("case", list(cases.values()), ids=list(cases))


# --- Mazur: "A Step by Step Backpropagation Example" ------------------------------------------------------------------


class Frozen(Affine):
    """y = x W + b, with a bias that is not learned: Mazur 2015 leaves it as it is."""

    def backward(self, dy):
        dx = super().backward(dy)
        self.db = np.zeros(self.n_out)
        return dx


def mazur(backend="numpy", dtype="float64"):
    """Model, x, t, loss, optimizer. W is printed with a row for each unit, tinynn's has a column."""
    inputs = VALUES["mazur.forward_backward"]["inputs"]
    hidden, out = Frozen(2, 2), Frozen(2, 2)
    hidden.W, hidden.b = np.array(inputs["W_hidden"]).T, np.array(inputs["b_hidden"])
    out.W, out.b = np.array(inputs["W_out"]).T, np.array(inputs["b_out"])
    model = Sequential(hidden, Sigmoid(), out, Sigmoid(), backend=backend, dtype=dtype)
    return (
        model,
        np.array([inputs["i"]], dtype),
        np.array([inputs["target"]], dtype),
        MSE(),
        SGD(model, lr=inputs["lr"]),
    )


@pytest.fixture(scope="module")
def sheet():
    return explain(*mazur())


MAZUR_NAMES = {
    "net_h": "y of layer 1",
    "out_h": "y of layer 2",
    "net_o": "y of layer 3",
    "out_o": "y of layer 4",
    "E": "L",
    "dE_dout_o": "dL/dy of layer 4",
    "delta_o": "dL/dx of layer 4",
    "dE_dout_h": "dL/dx of layer 3",
    "delta_h": "dL/dx of layer 2",
    "dW_out": "dL/dW of layer 3",
    "dW_hidden": "dL/dW of layer 1",
}


def test_mazur_every_number(cpu):
    """Mazur 2015: forward, loss and gradients of the first step, and the weights and the error after it."""
    sheet = explain(*mazur(cpu))
    first, after = VALUES["mazur.forward_backward"]["expected"], VALUES["mazur.after_1"]["expected"]
    expected = {name: first[key] for key, name in MAZUR_NAMES.items()}
    expected |= {
        "new W of layer 1": after["W_hidden"],
        "new W of layer 3": after["W_out"],
        "L after the step": after["E"],
    }
    text = str(sheet)
    for name, value in expected.items():
        value = np.array(value).T if "W" in name else np.array(value)
        for index in np.ndindex(value.shape):
            inside = (
                re.sub(r"^([^ ]*(?: W)?)", rf"\g<1>[{','.join(map(str, (0, *index)[-2:]))}]", name) if index else name
            )
            line = sheet[inside]
            assert line.value == pytest.approx(value[index], rel=0, abs=1e-12 if "new" not in name else 1e-10)
            assert line.text == f"{value[index]:.8g}"  # the digits that are printed
            assert re.search(rf"= {re.escape(line.text)}$", text, re.MULTILINE)


def test_mazur_each_path_has_its_part(sheet):
    """The hidden layer's gradient is the sum over the two outputs, 0.055399425 + -0.019049119 in print.

    Rounded to the digits of their sum, 0.036350306, they would be off by one in the last: so they have one more.
    """
    line = sheet["dL/dx[0,0] of layer 3"]
    assert line.middle == "0.0553994247 + -0.0190491183"  # Mazur's last digit is one off: he rounds on the way
    assert line.parts == pytest.approx((0.055399425, -0.019049119), rel=0, abs=1e-9)
    assert line.symbols == "dL/dx[0,0] = dL/dy[0,0] W[0,0] + dL/dy[0,1] W[0,1]"
    assert line.numbers == "0.13849856 * 0.4 + -0.038098237 * 0.5"
    assert line.shapes == "(1, 2) = (1, 2) @ (2, 2)"
    each = VALUES["mazur.forward_backward"]["expected"]["E_each"]
    assert sheet["L"].parts == pytest.approx(each, rel=0, abs=1e-12)
    slopes = VALUES["mazur.forward_backward"]["expected"]["dout_dnet_o"]
    assert f"* {slopes[0]:.8g}" in sheet["dL/dx[0,0] of layer 4"].middle


def test_what_is_not_computed_has_no_number_and_never_0(sheet):
    assert len(sheet) == 13
    for k in range(14):
        known = sheet.known(k)
        for step in sheet:
            for quantity in step.quantities:
                value = known[quantity.key.format("")]
                assert (value is None) == (step.number > k or quantity.array is None)
    nowhere = [name for name, value in sheet.known(13).items() if value is None]
    assert nowhere == ["dL/dx of layer 1"]  # nobody reads it
    (line,) = (line for line in sheet.step(10) if line.name == "dL/dx of layer 1")
    assert line.value is None and line.text == "not needed"
    assert str(sheet.step(10)).endswith("dL/dx = not needed")
    plain = explain(*mazur()[:4])
    assert not any("new" in line.name or "after" in line.name for line in plain.lines)


def test_steps_layers_and_names(sheet):
    assert [step.number for step in sheet] == list(range(14))
    phases = [phase for phase, _ in itertools.groupby(step.phase for step in sheet)]
    assert phases == ["given", "forward", "loss", "backward", "update"]
    assert [step.layer for step in sheet if step.phase == "backward"] == [None, 4, 3, 2, 1]
    part = sheet.layer(2)
    assert [step.number for step in part] == [2, 9] and len(part) == 2
    assert {line.name.rpartition(" of ")[2] for line in part.lines} == {"layer 2"}
    assert sheet["dL/dy[0,1] of layer 2"].value == sheet["dL/dx[0,1] of layer 3"].value
    assert sheet["dL/dy[0,1] of layer 4"].value == pytest.approx(-0.217071535, abs=5e-10)


# --- every network: the numbers are a real step's, and the formulas give them -----------------------------------------


@st.composite
def steps(draw):
    """Model, x, t, loss, optimizer: small, of any kind."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    N, widths = draw(st.integers(1, 4)), draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    loss = draw(st.sampled_from([MSE, SoftmaxCrossEntropy, GaussianNLL, lambda: GaussianNLL(0.3)]))()
    dtype = draw(st.sampled_from(["float32", "float64"]))
    kinds = []
    for n_in, n_out in itertools.pairwise(widths):
        kinds += [Affine(n_in, n_out, bias_init="normal"), draw(st.sampled_from([ReLU, Sigmoid, Tanh]))()]
    if isinstance(loss, GaussianNLL) and loss.variance is None:
        kinds.append(Affine(widths[-1], 2 * widths[-1]))
    model = Sequential(*kinds, backend=draw(st.sampled_from(["numpy", "numba"])), dtype=dtype, seed=rng)
    x, t = (rng.normal(size=(N, width)).astype(dtype) for width in (widths[0], widths[-1]))
    if isinstance(loss, SoftmaxCrossEntropy):
        t = (
            rng.integers(widths[-1], size=N)
            if draw(st.booleans())
            else rng.dirichlet(np.ones(widths[-1]), N).astype(dtype)
        )
    options = draw(
        st.fixed_dictionaries(
            {
                "weight_decay": st.sampled_from([0, 0.1]),
                "decay_biases": st.booleans(),
                "clip_norm": st.sampled_from([None, 1e-2, 1e3]),
            }
        )
    )
    kind = draw(st.sampled_from(["none", "SGD", "momentum", "nesterov", "Adam"]))
    optimizer = None
    if kind == "Adam":
        optimizer = Adam(model, lr=draw(st.sampled_from([1e-3, 0.1])), **options)
    elif kind != "none":
        optimizer = SGD(model, 0.1, 0 if kind == "SGD" else 0.9, kind == "nesterov", **options)
    if optimizer is not None:
        for name in optimizer.state:  # not the first step
            getattr(optimizer, name)[:] = rng.uniform(0, 1e-2, model.params.shape)
    return model, x, t, loss, optimizer


def real_step(model, x, t, loss, optimizer):
    """The same step by hand, on copies: name -> array."""
    model, loss, optimizer = copy.deepcopy((model, loss, optimizer))
    loss.follow(model.ops)
    y = model.forward(x)
    found = {"L": loss.forward(y, t)}
    dy = loss.backward()
    found[f"dL/dy of layer {len(model)}"] = dy
    for number, layer in reversed(list(enumerate(model, 1))):
        found[f"y of layer {number}"] = layer.y.copy()
        dy = layer.backward(dy)
        if dy is not None:
            found[f"dL/dx of layer {number}"] = dy
        for name in layer.parameters:
            found[f"dL/d{name} of layer {number}"] = getattr(layer, "d" + name).copy()
    if optimizer is not None:
        optimizer.step()
        start = 0
        for number, layer in enumerate(model, 1):
            for name in layer.parameters:
                W = getattr(layer, name)
                found[f"new {name} of layer {number}"] = W.copy()
                for state in optimizer.state:
                    piece = getattr(optimizer, state)[start : start + W.size].reshape(W.shape)
                    if state != "velocity" or optimizer.momentum:
                        found[f"{state} of {name} of layer {number}"] = piece
                start += W.size
        found["L after the step"] = loss(model(x), t)
    return found


def worth(text):
    """What a formula with numbers gives, as a pocket calculator has it."""
    text = re.sub(r"\(\d+ more: ([^)]*)\)", r"(\1)", text).replace("^", "**")
    text = re.sub(r"\|([^|]*)\|", r"abs(\1)", text)
    names = {"abs": abs, "e": math.e, "pi": math.pi, "log": math.log, "tanh": math.tanh, "sqrt": math.sqrt, "max": max}
    return eval(text, {"__builtins__": {}}, names)


NUMBER = r"(?:\(\d+ more: )?-?[\d.]+(?:e[+-]\d+)?\)?"
SUM = re.compile(rf"{NUMBER}(?: \+ {NUMBER})+")


def check_sums(line):
    """Every sum of numbers in print: these numbers, as they stand there, add up to what is printed after them."""
    end = re.sub(r", in float.*", "", line.chain[-1]) if line.chain else ""
    for piece in line.chain[:-1]:
        if SUM.fullmatch(piece) and "n" not in end:  # no inf, no nan
            assert adds_up(piece, end, line.digits), line


def adds_up(terms, total, digits):
    """Whether the terms add up, to the digits of the total."""
    numbers = [*map(Decimal, re.sub(r"\(\d+ more: ([^)]*)\)", r"\1", terms).split(" + "))]
    found = sum(numbers, Decimal(0))
    size = Decimal(total) or max(map(abs, numbers))
    full = Decimal(f"{size:.{digits - 1}e}")  # with the zeros at its end, which are not printed
    last = min(full.as_tuple().exponent, Decimal(total).as_tuple().exponent if Decimal(total) else 0)
    return abs(found - Decimal(total)) <= Decimal(5).scaleb(last - 1)


def test_a_sum_that_does_not_add_up_is_seen():
    assert not adds_up("0.055399425 + -0.019049118", "0.036350306", 8)
    assert adds_up("0.0553994247 + -0.0190491183", "0.036350306", 8)
    assert adds_up("0.25 + (3 more: 0.25)", "0.5", 8) and not adds_up("0.25 + 0.25", "0.50000001", 8)
    assert adds_up("1 + -1", "0", 6) and not adds_up("1 + -0.9999", "0", 6)


@given(steps())
@settings(max_examples=40)
def test_numbers_are_those_of_a_real_step_and_formulas_give_them(step):
    sheet = explain(*step)
    expected = real_step(*step)
    lines = [line for line in sheet.lines if line.value is not None]
    seen = set()
    for line in lines:
        assert sheet[line.name].value == line.value or math.isnan(line.value)
        inside = re.search(r"\[([\d,]+)\]", line.name)
        name = line.name.replace(inside[0], "") if inside else line.name
        if name in expected:
            seen.add(name)
            value = expected[name] if inside is None else expected[name][tuple(map(int, inside[1].split(",")))]
            assert line.value == value
        assert not line.formula.note  # else the formula does not give the number
        check_sums(line)
        if not line.numbers:
            continue
        # What is printed has 7 or 8 digits, and is rounded on the way as the layers round.
        tol = (2e-4 if step[1].dtype == np.float32 else 1e-6) * (line.formula.scale + abs(line.value))
        assert worth(line.numbers) == pytest.approx(line.value, rel=0, abs=tol)
        assert worth(line.middle or line.numbers) == pytest.approx(line.value, rel=0, abs=tol)
        if line.parts:
            assert math.fsum(line.parts) == pytest.approx(line.value, rel=0, abs=tol)
    assert seen == set(expected)
    names = [line.name for line in sheet.lines]
    assert len(set(names)) == len(names)
    for width in (80, 100):
        assert max(map(len, sheet.text(width).splitlines())) <= width


def test_a_wrong_formula_is_not_shown(monkeypatch, sheet):
    """A formula that does not give the layers' number says so: the test above would see it."""
    monkeypatch.setitem(layers.BACKWARD, Sigmoid, layers.BACKWARD[Tanh])
    line = explain(*mazur())["dL/dx[0,0] of layer 4"]
    assert "computed otherwise" in line.formula.note and not line.numbers
    assert line.value == sheet["dL/dx[0,0] of layer 4"].value


@given(steps())
@settings(max_examples=15)
def test_nothing_of_the_callers_changes(step):
    model, x, t, loss, optimizer = step
    loss.forward(model.forward(x), t)  # a backward is pending
    np.random.seed(0)
    random.seed(0)
    kept = [model.params, model.grads, x, t, loss.dy, *(layer.x for layer in model), *(layer.y for layer in model)]
    state = [] if optimizer is None else [getattr(optimizer, name) for name in optimizer.state]

    def everything():
        # Pickles of copies: how often one string object occurs in them does not count, what it says does.
        things = [a.tobytes() for a in kept + state], pickle.dumps(copy.deepcopy((model, loss, optimizer)))
        return *things, random.getstate(), np.random.get_state()[1].tobytes(), [sorted(vars(layer)) for layer in model]

    before = everything()
    sheet = explain(*step)
    sheet.to_html()
    sheet.to_latex()
    sheet.grade({"y[0,0] of layer 1": 123.0})
    sheet.nudge("W[0,0] of layer 1")
    assert everything() == before
    still = [model.params, model.grads, x, t, loss.dy, *(layer.x for layer in model), *(layer.y for layer in model)]
    assert all(a is b for a, b in zip(kept, still))
    assert all(getattr(optimizer, name) is a for name, a in zip(getattr(optimizer, "state", ()), state))


def test_any_backend(any_backend):
    rng = np.random.default_rng(0)
    model = Sequential(Affine(3, 4), ReLU(), Affine(4, 2), backend=any_backend, dtype="float64", seed=0)
    twin = Sequential(Affine(3, 4), ReLU(), Affine(4, 2), backend="numpy", dtype="float64", seed=0)
    x, t = rng.normal(size=(5, 3)), rng.integers(2, size=5)
    one = explain(model, x, t, SoftmaxCrossEntropy(), Adam(model))
    two = explain(twin, x, t, SoftmaxCrossEntropy(), Adam(twin))
    assert [line.name for line in one.lines] == [line.name for line in two.lines]
    for a, b in zip(one.lines, two.lines):
        assert (a.value is None) == (b.value is None)
        assert a.value is None or a.value == pytest.approx(b.value, rel=1e-9, abs=1e-12)


# --- what learners bring ----------------------------------------------------------------------------------------------


class LeakyReLU(Activation):
    """y = x where x > 0, else x / 100: a ReLU that is nowhere flat."""

    def forward(self, x):
        return np.where(x > 0, x, x / 100)

    def backward(self, dy):
        return np.where(self.x > 0, dy, dy / 100)


class Scale(Layer):
    parameters = ("g",)

    def __init__(self, n):
        self.g = np.arange(1.0, n + 1)

    def forward(self, x):
        return x * self.g

    def backward(self, dy):
        self.dg = (dy * self.x).sum(axis=0)
        return dy * self.g


class Absolute(Loss):
    """L = the mean of |y - t|. <script>alert("& no more")</script>"""

    def compute(self, y, t, weight=None):
        return float(np.mean(abs(y - t))), np.sign(y - t) / y.size


class Halving(Optimizer):
    """Every parameter halves."""

    state = ("halves",)

    def __init__(self, model):
        super().__init__(model, 0.0, 0.0)

    def step(self):
        self.halves += self.model.params / 2
        self.model.params *= 0.5


def own():
    model = Sequential(Affine(2, 3), LeakyReLU(), Scale(3), backend="numpy", dtype="float64", seed=0)
    rng = np.random.default_rng(1)
    return model, rng.normal(size=(2, 2)), rng.normal(size=(2, 3)), Absolute(), Halving(model)


def test_layer_loss_and_optimizer_of_ones_own():
    step = own()
    sheet, expected = explain(*step), real_step(*step)
    for name, array in expected.items():
        assert np.array_equal(sheet.known(len(sheet))[name.replace("dL/dy of layer 2", "dL/dx of layer 3")], array)
    text = str(sheet)
    assert "y = x where x > 0, else x / 100" in text and "dL/dg of layer 3" in sheet.known(0)
    model, x = step[:2]
    z = model[0](x)
    line = sheet["dL/dx[0,0] of layer 2"]
    slope = 1.0 if z[0, 0] > 0 else 0.01
    assert line.symbols == "dL/dx[0,0] = dL/dy[0,0] f'(x[0,0])"
    assert worth(line.numbers.rpartition(" * ")[2]) == pytest.approx(slope, rel=1e-6)
    assert sheet["y[0,1] of layer 2"].symbols == "y[0,1] = f(x[0,1])"
    assert sheet["y[0,1] of layer 3"].symbols == "y[0,1] = Scale.forward(x)[0,1]"
    change = sheet["new g[1] of layer 3"]
    assert change.numbers == "2 + -1" and change.value == 1
    assert sheet["halves of g[1] of layer 3"].value == 1
    assert "Scale.backward(dL/dy)[2]" in sheet["dL/dg[2] of layer 3"].symbols
    assert max(map(len, text.splitlines())) <= 100
    html = sheet.to_html()
    assert "<script>alert" not in html and "&lt;script&gt;alert" in html


def test_an_inherited_formula_that_does_not_hold_is_not_claimed(sheet):
    line = sheet["dL/db[1] of layer 3"]
    assert line.value == 0 and "Frozen.backward" in line.symbols and not line.numbers
    assert "would be -0.0380982" in line.formula.note


class HandMade:
    """A model class with its layers in attributes, as in PyTorch."""

    def __init__(self):
        self.out = Affine(3, 2)  # not in the order of computing
        self.hidden, self.on = Affine(2, 3), Tanh()
        self.params, self.grads = flatten(self.hidden, self.on, self.out, backend="numpy", dtype="float64", seed=0)
        self.ops = self.out.ops  # a module: nothing that can be copied

    def forward(self, x):
        return self.out.forward(self.on.forward(self.hidden.forward(x)))

    def backward(self, dy):
        self.hidden.backward(self.on.backward(self.out.backward(dy)))


def test_model_class_with_layers_in_attributes():
    model, rng = HandMade(), np.random.default_rng(0)
    twin = Sequential(Affine(2, 3), Tanh(), Affine(3, 2), backend="numpy", dtype="float64", seed=0)
    x, t = rng.normal(size=(3, 2)), rng.normal(size=(3, 2))
    before = model.params.copy()
    one, two = (explain(m, x, t, MSE(), Adam(m)) for m in (model, twin))
    names = {line.name: line.value for line in two.lines if line.value is not None}
    got = {line.name: line.value for line in one.lines if line.value is not None}
    assert {name: got[name] for name in names} == names
    assert one["dL/dx[0,0] of layer 1"].value is not None  # this model does compute it
    assert np.array_equal(model.params, before) and np.shares_memory(model.hidden.W, model.params)
    assert one.nudge("W[0,1] of layer 3").measured == pytest.approx(got["dL/dW[0,1] of layer 3"], rel=1e-7)


class Twice:
    """A model that goes through one layer two times."""

    def __init__(self):
        self.layers = [Affine(2, 2), Tanh()]
        self.params, self.grads = flatten(*self.layers, backend="numpy", dtype="float64", seed=0)
        self.ops = self.layers[0].ops

    def forward(self, x):
        affine, tanh = self.layers
        return affine.forward(tanh.forward(affine.forward(x)))

    def backward(self, dy):
        affine, tanh = self.layers
        affine.backward(tanh.backward(affine.backward(dy)))


def test_a_layer_that_is_used_twice():
    model, x = Twice(), np.array([[0.3, -0.5]])
    sheet = explain(model, x, x, MSE(), SGD(model, lr=1.0))
    W = model.layers[0].W
    first = x @ W
    again = np.tanh(first) @ W
    assert sheet["y[0,1] of layer 1"].value == pytest.approx(first[0, 1], rel=1e-12)
    assert sheet["y[0,1] of layer 1 (call 2)"].value == pytest.approx(again[0, 1], rel=1e-12)
    names = [line.name for line in sheet.lines]
    assert len(set(names)) == len(names)
    assert sheet.step(9).heading == "step 9: update, layer 1, Affine(2, 2)"


class Line:
    """A model without layers: one box."""

    def __init__(self):
        self.params, self.grads = np.array([0.5, 0.2]), np.zeros(2)

    def forward(self, x):
        self.x = x
        return x * self.params[0] + self.params[1]

    def backward(self, dy):
        self.grads[:] = (dy * self.x).sum(), dy.sum()


def test_model_without_layers_is_one_box():
    model, rng = Line(), np.random.default_rng(0)
    x, t = rng.normal(size=(4, 1)), rng.normal(size=(4, 1))
    sheet = explain(model, x, t, MSE(), SGD(model, lr=0.1))
    dy = 2 * (0.5 * x + 0.2 - t) / 4
    assert sheet["dL/dparams[0] of the model"].value == pytest.approx((dy * x).sum(), rel=1e-12)
    assert sheet["new params[1] of the model"].value == pytest.approx(0.2 - 0.1 * dy.sum(), rel=1e-12)
    assert sheet.nudge("params[0] of the model").measured == pytest.approx((dy * x).sum(), rel=1e-7)
    assert not model.grads.any()
    assert "the model" in sheet.to_html()


class Dropout(Activation):
    """y = x or 0, as NumPy's global generator has it."""

    def forward(self, x):
        self.kept = np.random.random(x.shape) < 0.5
        return x * self.kept

    def backward(self, dy):
        return dy * self.kept


def test_random_layers_draw_what_the_model_would_draw_next():
    model = Sequential(Affine(3, 6), Dropout(), Affine(6, 1), backend="numpy", dtype="float64", seed=0)
    x, t = np.ones((2, 3)), np.ones((2, 1))
    np.random.seed(3)
    sheet = explain(model, x, t, MSE())
    slope = sheet.nudge("W[2,0] of layer 3")
    model.forward(x)
    assert np.array_equal(sheet.known(2)["y of layer 2"], model[1].y)
    assert slope.measured == pytest.approx(slope.analytic, rel=1e-7, abs=1e-9)


def test_infinite_and_missing_numbers_are_shown():
    model = Sequential(Affine(2, 2), Tanh(), Affine(2, 2), dtype="float64", backend="numpy", seed=0)
    model[0].W[0, 0], model[2].W[0, 0], model[2].b[1] = np.inf, np.nan, 1e300
    sheet = explain(model, np.ones((1, 2)), np.zeros((1, 2)), MSE(), Adam(model))
    assert math.isnan(sheet["L"].value) and "nan" in str(sheet) and "inf" in str(sheet)
    assert sheet["y[0,0] of layer 1"].value == math.inf
    assert "NaN" not in sheet.to_html().partition('id="data">')[2].partition("</script>")[0]


# --- measuring ---------------------------------------------------------------------------------------------------------


@given(steps())
@settings(max_examples=10)
def test_nudge_measures_every_gradient(step):
    model, x, t, loss, _ = step
    sheet = explain(model, x, t, loss)
    precise = copy.deepcopy(model)
    for number, layer in enumerate(model, 1):
        for name in layer.parameters:
            index = (0,) * getattr(layer, name).ndim
            inside = f"[{','.join(map(str, index))}]"
            nudge = sheet.nudge(f"{name}{inside} of layer {number}")
            assert nudge.analytic == sheet[f"dL/d{name}{inside} of layer {number}"].value
            # Near a ReLU's kink the two differ, and nudge shows it; elsewhere to what float32 holds.
            near = any(isinstance(other, ReLU) and (abs(other.x) < 1e-3).any() for other in nudged(precise, x))
            if not near:
                scale = float(abs(precise.params).max()) + abs(sheet["L"].value)
                assert nudge.measured == pytest.approx(nudge.analytic, rel=1e-4, abs=1e-5 * scale)


def nudged(model, x):
    """The layers after a forward."""
    model.forward(x)
    return model.layers


def test_nudge_by_hand(sheet):
    nudge = sheet.nudge("dL/dW[0,1] of layer 3", h=0.01)
    model, x, t, loss, _ = mazur()
    losses = []
    for change in (-0.01, 0.01):
        model[2].W[0, 1] = 0.5 + change
        losses.append(loss(model(x), t))
    assert (nudge.less, nudge.more) == pytest.approx(losses, rel=1e-14)
    assert nudge.before == pytest.approx(sheet["L"].value, rel=1e-14)
    assert nudge.measured == pytest.approx((losses[1] - losses[0]) / 0.02, rel=1e-12)
    assert "0.51" in str(nudge) and "-0.02260254" in str(nudge)


# --- grading: planted slips, each number worked out here --------------------------------------------------------------


def affine_net(N=3):
    """Model, x, t, loss, optimizer, and the step in plain NumPy: x, W1, b1, z, h, W2, y, dy, dh, dz, ..."""
    rng = np.random.default_rng(5)
    model = Sequential(Affine(3, 2, bias_init="normal"), Tanh(), Affine(2, 2), backend="numpy", dtype="float64", seed=4)
    x, t = rng.normal(size=(N, 3)), rng.normal(size=(N, 2))
    W1, b1, W2, b2 = (a.copy() for layer in (model[0], model[2]) for a in (layer.W, layer.b))
    z = x @ W1 + b1
    h = np.tanh(z)
    y = h @ W2 + b2
    dy = 2 * (y - t) / y.size
    dh = dy @ W2.T
    dz = dh * (1 - h * h)
    values = {"x": x, "t": t, "W1": W1, "b1": b1, "W2": W2, "z": z, "h": h, "y": y, "dy": dy, "dh": dh, "dz": dz}
    values |= {"dW1": x.T @ dz, "dW2": h.T @ dy, "db1": dz.sum(0), "db2": dy.sum(0)}
    return (model, x, t, MSE(), SGD(model, lr=0.5)), values


SLIPS = {
    "updated too early": (
        "dL/dx[1,0] of layer 3",
        lambda v: (v["dy"] @ (v["W2"] - 0.5 * v["dW2"]).T)[1, 0],
        "updated too early",
    ),
    "updated too early, further on": (
        "new W[2,1] of layer 1",
        lambda v: (
            v["W1"] - 0.5 * v["x"].T @ ((v["dy"] @ (v["W2"] - 0.5 * v["dW2"]).T) * (1 - v["h"] ** 2))
        )[2, 1],
        "updated too early",
    ),
    "forgot the derivative": (
        "dL/dW[0,1] of layer 1",
        lambda v: (v["x"].T @ v["dh"])[0, 1],
        "derivative of layer 2, Tanh(), is forgotten",
    ),
    "the loss's 2": ("dL/dy[0,0] of layer 3", lambda v: v["dy"][0, 0] / 2, "the 2 of its derivative is forgotten"),
    "not averaged, over rows": (
        "dL/dW[0,1] of layer 1",
        lambda v: 3 * v["dW1"][0, 1],
        "not averaged: it is summed over the 3 rows",
    ),
    "not averaged, over elements": (
        "L",
        lambda v: ((v["y"] - v["t"]) ** 2).sum(),
        "not averaged: it is the sum over the 6 elements",
    ),
    "averaged twice": ("dL/db[0] of layer 3", lambda v: v["db2"][0] / 3, "averaged twice"),
    "sign": ("dL/dx[2,1] of layer 3", lambda v: -v["dh"][2, 1], "sign"),
    "sign of the update": ("new W[0,0] of layer 3", lambda v: (v["W2"] + 0.5 * v["dW2"])[0, 0], "up the gradient"),
    "no learning rate": ("new b[1] of layer 1", lambda v: (v["b1"] - v["db1"])[1], "learning rate is forgotten"),
    "the step alone": ("new b[1] of layer 1", lambda v: -0.5 * v["db1"][1], "the step alone"),
    "before the step": ("new W[1,1] of layer 1", lambda v: v["W1"][1, 1], "before the step"),
    "one path": ("dL/dx[0,1] of layer 3", lambda v: v["dy"][0, 1] * v["W2"][1, 1], "part of the sum alone"),
    "one row": ("dL/dW[1,0] of layer 3", lambda v: v["h"][2, 1] * v["dy"][2, 0], "part of the sum alone"),
    "swapped": ("dL/dW[1,0] of layer 3", lambda v: v["dW2"][0, 1], "that is dL/dW[0,1]"),
    "W for W^T": ("dL/dx[1,1] of layer 3", lambda v: (v["dy"] @ v["W2"])[1, 1], "W in place of W^T"),
    "no bias": ("y[0,1] of layer 3", lambda v: (np.tanh(v["x"] @ v["W1"]) @ v["W2"])[0, 1], "bias of layer 1"),
}  # fmt: skip


@one_of(SLIPS)
def test_grade_names_the_slip(case):
    name, number, words = case
    step, values = affine_net()
    grade = explain(*step).grade({name: float(number(values))})
    assert not grade and grade.marks[0].verdict == "wrong"
    assert words in grade.wrong[name], grade


def test_grade_names_adams_slips():
    step, values = affine_net()
    sheet = explain(*step[:4], Adam(step[0], lr=0.01))
    w, g = values["W1"][0, 0], values["dW1"][0, 0]
    raw = w - 0.01 * (0.1 * g) / (math.sqrt(0.001 * g * g) + 1e-8)
    grade = sheet.grade({"new W[0,0] of layer 1": raw})
    assert "not corrected" in grade.wrong["new W[0,0] of layer 1"]
    about = sheet.grade({"new W[0,0] of layer 1": w - 0.01 * math.copysign(1, g)})  # Adam's first step, without eps
    assert about.marks[0].verdict == "right"  # no slip of the gradient's size is named: Adam would not show it


def test_grade_what_is_right_and_what_is_near(sheet):
    values = {line.name: line.value for line in sheet.lines if line.value is not None}
    grade = sheet.grade(values)
    assert grade and not grade.wrong and grade.right == list(values)
    assert sheet.grade({"dL/dx[0,0] of layer 3": 0.0364, "L": 0.2984, "y[0,0] of layer 4": np.float32(0.7513651)})
    assert sheet.grade({"L": 0.299}).marks[0].verdict == "close"
    assert sheet.grade({"L": 0.3}).marks[0].verdict == "close"  # one digit says too little
    assert sheet.grade({"L": 0.31}).marks[0].verdict == "wrong"
    assert "no slip" in sheet.grade({"L": 0.31}).wrong["L"]
    assert sheet.grade({"dL/dx[0,0] of layer 1": 0.0}).marks[0].verdict == "blank"
    assert not sheet.grade({"L": 0.29837111, "dL/dy[0,0] of layer 4": 0.0})
    text = str(sheet.grade({"L": 0.29837111, "dL/dx[0,0] of layer 3": 0.055399425}))
    assert text.startswith("1 of 2 right") and max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_grade_explains_the_end_values_of_mazur(dtype):
    """Mazur 2015: the numbers at the end of the text come from two programs, the one of which updates too early."""
    sheet = explain(*mazur(dtype=dtype))
    published = VALUES["mazur.PUBLISHED_BUT_INCONSISTENT"]["expected"]
    answers = {
        "L after the step": published["published_E_after_1"],
        "y[0,0] of layer 4": published["published_out"][0],
        "y[0,1] of layer 4": published["published_out"][1],
        "L": published["published_E_after_10000"],
    }
    grade = sheet.grade(answers)
    for name, right in zip(list(answers)[:3], (0.291027774, 0.01591362, 0.984064274)):
        assert "Mazur 2015" in grade.wrong[name] and "updated the output layer's weights too early" in grade.wrong[name]
        assert f"{right}" in grade.wrong[name]
    assert "after 9,999 steps" in grade.wrong["L"]
    assert sheet.grade({"L after the step": published["correct_E_after_1"]})
    step, _ = affine_net()
    assert "Mazur" not in explain(*step).grade({"L": published["published_E_after_1"]}).wrong["L"]


def test_mazurs_error_after_one_step_follows_from_the_slip(sheet, monkeypatch):
    from tinynn.teach.worksheet import grade

    monkeypatch.setattr(grade, "PUBLISHED", {})
    marked = sheet.grade({"L after the step": 0.291027924})
    assert "updated too early" in marked.wrong["L after the step"]
    assert sheet.grade({"L after the step": 0.291027774})


def test_quiz_hides_what_it_asks_for(sheet):
    for seed in range(5):
        quiz = sheet.quiz(8, seed=seed)
        assert len(set(quiz.names)) == 8 and quiz.names == sheet.quiz(8, seed=seed).names
        text = quiz.text()
        assert text.count("________") == 8 and max(map(len, text.splitlines())) <= 100
        for name in quiz.names:
            line = sheet[name]
            assert line.value and f"= {line.text}" not in text.partition("fill in")[0]
            assert f'"{name}": ,' in text
        assert quiz.grade({name: sheet[name].value for name in quiz.names})
        assert not quiz.grade({name: 2 * sheet[name].value for name in quiz.names}).right
    assert len(sheet.quiz(1000).names) < 60


def first_digits(number):
    """Of -0.0123456 "1.2346": a number shows its tenth, too."""
    return f"{abs(float(number)):.4e}".partition("e")[0]


@given(steps(), st.integers(0, 99))
@settings(max_examples=15)
def test_no_blank_can_be_read_off_another_line(step, seed):
    """None of its digits stands anywhere in the quiz; most blanks are of forward and backward."""
    sheet = explain(*step)
    quiz = sheet.quiz(8, seed=seed)
    text = quiz.text(900).partition("numbers to fill in")[2].partition("fill in, and then")[0]
    assert text.count("________") == len(quiz.names)
    kept = re.sub(r"step \d+: .*|\[[\d,]+\]|\(\d+(, \d+)*,?\)", "", text)  # the numbers that are no names
    shown = {first_digits(number) for number in re.findall(r"-?\d[\d.]*(?:e[+-]\d+)?", kept)}
    phases = {line.name: part.phase for part in sheet for line in part.lines}
    for name in quiz.names:
        assert first_digits(sheet[name].value) not in shown, name
        assert phases[name] != "update" or name.startswith("new ")
    assert sum(phases[name] == "update" for name in quiz.names) <= 2


def test_the_first_step_of_adam_gives_no_gradient_away():
    """Its m' is the gradient: no line of it is printed but for those that are asked."""
    step, _ = affine_net()
    sheet = explain(*step[:4], Adam(step[0], lr=0.01))
    for seed in range(20):
        quiz = sheet.quiz(8, seed=seed)
        kinds = [name.split("[")[0] for name in quiz.names]
        assert kinds.count("new W") + kinds.count("new b") == 1 and not {"m of W", "v of W", "m' of W"} & set(kinds)
        assert sum(kind.startswith("dL/") for kind in kinds) >= 3
        assert not re.search(r"^  m' .* = [\d.-]+$", quiz.text(), re.MULTILINE)


# --- large networks ----------------------------------------------------------------------------------------------------


def lecture_step():
    """The lecture's network and a batch of MNIST."""
    (x, t), _ = load_mnist()
    model = Sequential(Affine(784, 256), ReLU(), Affine(256, 10), seed=0)
    return model, x[:256], t[:256], SoftmaxCrossEntropy(), Adam(model)


def test_the_lectures_network_does_not_drown_the_sheet():
    step = lecture_step()
    sheet, expected = explain(*step), real_step(*step)
    known = sheet.known(len(sheet))
    for name, array in expected.items():
        found = known[
            name.replace("dL/dy of layer 1", "dL/dx of layer 2").replace("dL/dy of layer 2", "dL/dx of layer 3")
        ]
        assert np.array_equal(found, array)
    text = sheet.text()
    assert len(text.splitlines()) < 600 and max(map(len, text.splitlines())) <= 100
    assert "(784, 256) = (784, 256) @ (256, 256)" in text and "81 % zeros" in text and "(252 more: " in text
    for line in sheet.lines:
        assert line.value is not None or line.name == "dL/dx of layer 1"
        if line.parts:
            tol = 2e-6 * (line.formula.scale + abs(line.value))  # sums of hundreds of float32
            assert math.fsum(line.parts) == pytest.approx(line.value, rel=0, abs=tol)
    largest = np.unravel_index(abs(expected["dL/dW of layer 1"]).argmax(), (784, 256))
    assert f"dL/dW[{largest[0]},{largest[1]}] of layer 1" in [line.name for line in sheet.lines]
    assert sheet["dL/dW[400,17] of layer 1"].value == expected["dL/dW of layer 1"][400, 17]  # any entry, on demand
    quiz = sheet.quiz(6, seed=1)
    assert "________" in str(quiz) and quiz.grade({name: sheet[name].value for name in quiz.names})
    html = sheet.to_html()
    assert len(html.encode()) < 1_000_000


def test_deep_networks_stay_readable():
    deep = [layer for _ in range(30) for layer in (Affine(6, 6), Tanh())]
    model = Sequential(*deep, backend="numpy", seed=0)
    x = np.ones((4, 6), np.float32)
    sheet = explain(model, x, x, MSE(), Adam(model))
    assert len(sheet.lines) < 1500
    assert len(sheet.to_html().encode()) < 1_000_000


# --- other forms -------------------------------------------------------------------------------------------------------


@given(steps())
@settings(max_examples=5)
def test_latex_is_mathematics(step):
    check_latex(explain(*step).to_latex())


def check_latex(text):
    """Every equation in it can be read by matplotlib's reader of TeX."""
    parser = MathTextParser("agg")
    blocks = re.findall(r"\\begin\{align\*\}\n(.*?)\n\\end\{align\*\}", text, re.DOTALL)
    assert len(blocks) == text.count("align*") / 2 > 0
    rows = list(itertools.chain.from_iterable(block.split(" \\\\\n") for block in blocks))
    assert all(row.count("&=") == 1 for row in rows)
    pieces = {piece.strip() for row in rows for piece in row.split("&=") if piece.strip()}
    # Which numbers stand there, and how many equal terms, makes no difference, and reading them takes long.
    shapes = {re.sub(r"-?\d+(\.\d+)?( \\cdot 10\^\{-?\d+\})?", "7", piece) for piece in pieces}
    shapes = {re.sub(r"((?:^|\+ )[^+]*)(?: ?\1)+", r"\1", piece.replace("7,7", "7")) for piece in shapes}
    for piece in shapes:
        if not piece.startswith(r"\texttt{"):
            parser.parse(f"${piece}$")


def test_latex_of_mazur(sheet):
    text = sheet.to_latex()
    check_latex(text)
    equation = r"\frac{\partial L}{\partial x_{0,0}} &= \frac{\partial L}{\partial y_{0,0}} W_{0,0} + "
    assert equation + r"\frac{\partial L}{\partial y_{0,1}} W_{0,1}" in text
    assert r"&= 0.13849856 \cdot 0.4 + -0.038098237 \cdot 0.5" in text and r"\texttt{Frozen.backward(dL/dy)[0]}" in text
    check_latex(explain(*own()).to_latex())


def test_notebooks_get_the_page_in_a_frame(sheet):
    text = sheet._repr_html_()
    assert text.startswith("<iframe") and "srcdoc=" in text and text.count("<") == 2  # all else is escaped


# --- slips of the caller's -----------------------------------------------------------------------------------------------


def test_errors_name_the_argument():
    model, x, t, loss, optimizer = mazur()
    other = mazur()[0]
    cases = [
        (TypeError, "model must", lambda: explain(Sequential, x, t, loss)),
        (TypeError, "loss must", lambda: explain(model, x, t, MSE)),
        (TypeError, "loss must", lambda: explain(model, x, t, None)),
        (TypeError, "optimizer must", lambda: explain(model, x, t, loss, "adam")),
        (ValueError, "optimizer must", lambda: explain(other, x, t, loss, optimizer)),
        (TypeError, "x must", lambda: explain(model, x.tolist(), t, loss)),
        (TypeError, "x must be float64", lambda: explain(model, x.astype("float32"), t, loss)),
        (ValueError, "x must", lambda: explain(model, np.ones((1, 3)), t, loss)),
        (TypeError, "t must", lambda: explain(model, x, None, loss)),
        (TypeError, "t must", lambda: explain(model, x, np.ones((2, 2)), loss)),
        (ValueError, "t must", lambda: explain(model, x, np.ones((1, 3)), loss)),
    ]
    sheet = explain(model, x, t, loss, optimizer)
    cases += [
        (ValueError, "step must", lambda: sheet.step(14)),
        (TypeError, "step must", lambda: sheet.step("1")),
        (ValueError, "layer must", lambda: sheet.layer(5)),
        (ValueError, "layer must", lambda: sheet.layer(0)),
        (KeyError, "dL/dW of layer 9", lambda: sheet["dL/dW[0,0] of layer 9"]),
        (KeyError, "no entry", lambda: sheet["dL/dW[0,2] of layer 1"]),
        (KeyError, "no entry", lambda: sheet["dL/dW[0] of layer 1"]),
        (KeyError, "no entry", lambda: sheet["dL/dW of layer 1"]),
        (TypeError, "name must", lambda: sheet[0]),
        (TypeError, "answers must", lambda: sheet.grade([0.5])),
        (ValueError, "answers must", lambda: sheet.grade({"nothing": 0.5})),
        (TypeError, "answers", lambda: sheet.grade({"L": "0.5"})),
        (ValueError, "answers", lambda: sheet.grade({"L": math.nan})),
        (ValueError, "name must", lambda: sheet.nudge("y[0,0] of layer 1")),
        (ValueError, "h must", lambda: sheet.nudge("W[0,0] of layer 1", h=0)),
        (TypeError, "h must", lambda: sheet.nudge("W[0,0] of layer 1", h="1")),
        (ValueError, "count must", lambda: sheet.quiz(0)),
        (ValueError, "width must", lambda: sheet.text(20)),
        (TypeError, "path must", lambda: sheet.to_html(3)),
    ]  # fmt: skip
    for kind, words, call in cases:
        with pytest.raises(kind, match=re.escape(words)):
            call()


def test_a_layer_without_weights_yet():
    class Loose:
        def __init__(self):
            self.layers = [Affine(2, 1)]

        def forward(self, x):
            return self.layers[0].forward(x)

        def backward(self, dy):
            self.layers[0].backward(dy)

    with pytest.raises(ValueError, match="flatten"):
        explain(Loose(), np.ones((1, 2)), np.ones((1, 1)), MSE())


def test_a_formula_agrees_to_the_size_of_its_terms():
    """The difference of two numbers near 100 is known to 100 times their precision, and no better."""
    formula = Formula([], result=1.0, scale=100.0)
    assert formula.agrees(1 + 0.9e-6, 1e-8) and not formula.agrees(1 + 1.1e-6, 1e-8)
    small = Formula([], result=1e-3, scale=1e-4)
    assert small.agrees(1e-3 + 0.9e-11, 1e-8) and not small.agrees(1e-3 + 1.1e-11, 1e-8)
    assert Formula([], result=math.nan).agrees(math.nan, 0) and not Formula([], result=math.nan).agrees(1.0, 1)


@pytest.mark.parametrize(
    ("shape", "largest", "few", "chosen"),
    [
        ((3, 4), (2, 3), 4, [(0, 0), (0, 1), (1, 0), (2, 3)]),
        ((3, 4), (2, 3), 2, [(0, 0), (2, 3)]),
        ((3, 4), (0, 1), 4, [(0, 0), (0, 1), (1, 0)]),
        ((7,), (5,), 4, [(0,), (1,), (2,), (5,)]),
        ((1, 7), (0, 5), 4, [(0, 0), (0, 1), (0, 5)]),
    ],
)
def test_which_entries_of_a_large_array_have_a_line(shape, largest, few, chosen):
    array = np.zeros(shape)
    array[largest] = -1.0
    for quantity in (
        Quantity("W{}", "W", array, "", "", lambda index: Formula([])),
        Quantity("W{}", "W", np.zeros(shape), "", "", lambda index: Formula([]), listens_to=array),
    ):
        quantity.choose(6, few)
        assert list(quantity.indices) == chosen and not quantity.complete
        quantity.choose(array.size, few)
        assert list(quantity.indices) == list(np.ndindex(shape)) and quantity.complete


def test_a_state_that_is_no_parameter_vector_is_one_array():
    """A rule with one number for the whole model, kept as a vector of one, in place of the velocity."""

    class Slower(SGD):
        state = ("scale",)

        def __init__(self, model):
            super().__init__(model, lr=0.1)
            self.scale = np.ones(1, model.dtype)

        def step(self):
            self.scale *= 0.5
            self.model.params -= self.scale * self.model.grads

    model = Sequential(Affine(2, 1), seed=0)
    text = str(explain(model, np.ones((1, 2), "f"), np.ones((1, 1), "f"), MSE(), Slower(model)))
    assert "new W[0,0] = W[0,0] + change" in text and "velocity" not in text
