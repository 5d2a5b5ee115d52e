"""The worksheet of networks with images, blocks and state: layers by their paths, every formula true."""

from __future__ import annotations

import copy
import itertools
import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_explain import check_latex, check_sums, worth

from tinynn import (
    ELU,
    GELU,
    MAE,
    MSE,
    SGD,
    Adam,
    Affine,
    AvgPool2D,
    BatchNorm,
    BinaryCrossEntropy,
    Conv2D,
    Dropout,
    Flatten,
    GaussianNLL,
    GELUTanh,
    GlobalAvgPool,
    Huber,
    Layer,
    LeakyReLU,
    MaxPool2D,
    Model,
    ReLU,
    Residual,
    RMSProp,
    Sequential,
    Sigmoid,
    SiLU,
    SoftmaxCrossEntropy,
    Softplus,
    Tanh,
    check,
    explain,
)
from tinynn.teach.worksheet import layers as worksheet_layers

# --- layers by their paths --------------------------------------------------------------------------------------------


def blocks(optimizer=SGD):
    """A network with a block in a block: model, x, t, loss, optimizer."""
    rng = np.random.default_rng(0)
    inner = Sequential(BatchNorm(3), Residual(Affine(3, 3, bias_init="normal"), Tanh()))
    model = Sequential(
        Affine(2, 3), Residual(inner, Affine(3, 3), shortcut=Affine(3, 3)), ReLU(), Affine(3, 2),
        seed=0, dtype="float64", backend="numpy",
    )  # fmt: skip
    return model, rng.normal(size=(4, 2)), rng.integers(0, 2, 4), SoftmaxCrossEntropy(), optimizer(model, lr=0.1)


PATHS = [1, "2.1.1", "2.1.2.1", "2.1.2.2", "2.1.2", "2.2", "2.shortcut", 2, 3, 4]


@pytest.fixture(scope="module")
def sheet():
    return explain(*blocks())


def test_layers_have_the_paths_of_check_and_summary(sheet):
    model, x, t, loss, _ = blocks()
    assert [step.layer for step in sheet if step.phase == "forward"] == PATHS
    assert [step.layer for step in sheet if step.phase == "backward"] == [
        None, 4, 3, "2.2", "2.1.2.2", "2.1.2.1", "2.1.2", "2.1.1", "2.shortcut", 2, 1,
    ]  # fmt: skip
    learned = [1, "2.1.1", "2.1.2.1", "2.2", "2.shortcut", 4]
    assert [step.layer for step in sheet if step.phase == "update" and step.layer] == learned
    report = str(check(model, x, t, loss))
    for path in learned:
        assert f"layer {path}, " in report and f"\n{path}  " in model.summary()
    text, page, latex = str(sheet), sheet.to_html(), sheet.to_latex()
    for path in PATHS:
        for words in (f"forward, layer {path}, ", f"backward, layer {path}, "):
            assert words in text and words in page and words in latex
    for absent in (5, 6, 7, 8, 9, 10):  # a count over all layers
        assert f"layer {absent}" not in text + page + latex


def test_numbers_are_found_by_path(sheet):
    model, x, t, loss, _ = blocks()
    loss.forward(model.forward(x), t)
    model.backward(loss.backward())
    affine = model[1].layers[0][1].layers[0]
    assert affine.place == "2.1.2.1"
    for name in ("W", "b"):
        for index in np.ndindex(getattr(affine, name).shape):
            inside = f"[{','.join(map(str, index))}] of layer 2.1.2.1"
            assert sheet[f"dL/d{name}{inside}"].value == pytest.approx(getattr(affine, "d" + name)[index], rel=1e-12)
            nudge = sheet.nudge(f"{name}{inside}")
            assert nudge.measured == pytest.approx(getattr(affine, "d" + name)[index], rel=1e-6, abs=1e-9)
            assert nudge.name == name + inside
    assert np.array_equal(sheet.known(len(sheet))["y of layer 2.1.2.1"], affine.y)


def test_a_layers_part_of_the_sheet(sheet):
    assert {step.layer for step in sheet.layer(2)} == {path for path in PATHS if str(path).startswith("2")}
    assert {step.layer for step in sheet.layer("2.1.2")} == {"2.1.2.1", "2.1.2.2", "2.1.2"}
    assert {step.layer for step in sheet.layer("4")} == {4} == {step.layer for step in sheet.layer(4)}
    for wrong in (5, "2.3", "shortcut", "2."):
        with pytest.raises(ValueError, match=r"^layer must be one of 1, 2\.1\.1, 2\.1\.2\.1, .*, 4, not "):
            sheet.layer(wrong)


def test_every_gradient_that_comes_in_has_a_name(sheet):
    """The dL/dy of a layer is what another one has given, also where a block hands it on."""
    for name, other in {
        "dL/dy of layer 4": "dL/dy of layer 4",
        "dL/dy of layer 2": "dL/dx of layer 3",
        "dL/dy of layer 2.2": "dL/dx of layer 3",
        "dL/dy of layer 2.shortcut": "dL/dx of layer 3",
        "dL/dy of layer 2.1.2": "dL/dx of layer 2.2",
        "dL/dy of layer 2.1.2.2": "dL/dx of layer 2.2",
        "dL/dy of layer 2.1.1": "dL/dx of layer 2.1.2",
        "dL/dy of layer 1": "dL/dx of layer 2",
    }.items():
        assert sheet.quantities[name] is sheet.quantities[other]


def test_quiz_and_grade_know_layers_in_blocks(sheet):
    quiz = sheet.layer("2.1").quiz(6, seed=1)
    assert quiz.names and all(" of layer 2.1." in name for name in quiz.names)
    assert quiz.grade({name: sheet[name].value for name in quiz.names})
    model, x, t, loss, _ = blocks()
    model[1].layers[0][1].layers[1].__dict__["backward"] = lambda dy: dy.copy()
    loss.forward(model.forward(x), t)
    model.backward(loss.backward())
    forgotten = sheet.grade({"dL/dW[0,1] of layer 2.1.2.1": model[1].layers[0][1].layers[0].dW[0, 1]})
    assert "the derivative of layer 2.1.2.2, Tanh(), is forgotten" in str(forgotten)


class Attributes(Model):
    """Layers in attributes: their names are their paths."""

    def __init__(self):
        self.hidden, self.blocks = Affine(2, 3), [Affine(3, 3), {"end": Affine(3, 2)}]
        self.assemble(seed=0, dtype="float64", backend="numpy")

    def forward(self, x):
        return self.blocks[1]["end"].forward(self.blocks[0].forward(self.hidden.forward(x)))

    def backward(self, dy):
        return self.hidden.backward(self.blocks[0].backward(self.blocks[1]["end"].backward(dy)))


def test_a_model_with_layers_in_attributes():
    model = Attributes()
    x = np.random.default_rng(0).normal(size=(3, 2))
    sheet = explain(model, x, x, MSE(), Adam(model))
    assert "forward, layer hidden, Affine(2, 3)" in str(sheet) and "layer 1" not in str(sheet)
    assert sheet["dL/dW[2,1] of layer blocks[0]"].value == sheet.known(len(sheet))["dL/dW of layer blocks[0]"][2, 1]
    assert sheet.nudge("b[1] of layer blocks[1]['end']").measured == pytest.approx(
        sheet["dL/db[1] of layer blocks[1]['end']"].value, rel=1e-6
    )
    assert len(sheet.layer("hidden")) == 3
    check_names(sheet)


class Around(Layer):
    """y = x + f(x), a block of one's own."""

    def __init__(self, *layers):
        self.inner = Sequential(*layers)

    def forward(self, x):
        return x + self.inner.forward(x)

    def backward(self, dy):
        return dy + self.inner.backward(dy)


def test_a_block_of_ones_own():
    model = Sequential(Affine(2, 3), Around(Affine(3, 3), Tanh()), Affine(3, 1), seed=0, dtype="float64")
    rng = np.random.default_rng(0)
    sheet = explain(model, rng.normal(size=(2, 2)), rng.normal(size=(2, 1)), MSE())
    assert "layer 2.inner.1, Affine(3, 3)" in str(sheet)
    check_names(sheet)


def check_names(sheet):
    """Each line is found by its name, which no other has."""
    names = [line.name for line in sheet.lines]
    assert len(set(names)) == len(names)
    for line in sheet.lines:
        if line.value is not None:
            assert sheet[line.name].value == line.value


# --- formulas: of every layer of tinynn, each gives its number ---------------------------------------------------------

ACTIVATIONS = [
    ReLU(),
    Sigmoid(),
    Tanh(),
    LeakyReLU(0.2),
    ELU(0.7),
    GELU(),
    GELUTanh(),
    SiLU(),
    Softplus(),
    Dropout(0.4),
]
SIZES = st.integers(1, 3)
PAIRS = st.tuples(SIZES, SIZES)
PADDINGS = st.sampled_from(["same", 0, 1, (1, 0)])


@st.composite
def layer_and_shape(draw):
    """A layer of images, and one image's shape that it takes."""
    shape = draw(st.integers(3, 5)), draw(st.integers(3, 5)), draw(st.integers(1, 2))
    kind = draw(st.sampled_from([Conv2D, MaxPool2D, AvgPool2D, GlobalAvgPool, Flatten, BatchNorm, Affine, Residual]))
    if kind is Conv2D:
        options = {"stride": draw(PAIRS), "padding": draw(PADDINGS), "bias": draw(st.booleans())}
        return Conv2D(shape[2], draw(SIZES), draw(PAIRS), **options), shape
    if kind in (MaxPool2D, AvgPool2D):
        size, padding = draw(PAIRS), draw(st.sampled_from(["same", 0]))
        return kind(size, draw(PAIRS), padding), shape
    if kind is Residual:
        C = shape[2]
        f = draw(st.sampled_from([lambda: [Affine(C, C)], lambda: [Sequential(Affine(C, C), Tanh())]]))()
        return Residual(
            *f, shortcut=draw(st.sampled_from([None, Conv2D(C, C, 1), Sequential(Tanh(), Affine(C, C))]))
        ), shape
    return {BatchNorm: lambda: BatchNorm(shape[2], eps=0.1), Affine: lambda: Affine(shape[2], 2)}.get(
        kind, kind
    )(), shape


@given(
    layer_and_shape(), st.sampled_from(ACTIVATIONS), st.sampled_from(["float32", "float64"]), st.integers(0, 2**32 - 1)
)
@settings(max_examples=40)
def test_every_formula_gives_its_number(drawn, activation, dtype, seed):
    layer, shape = drawn
    rng = np.random.default_rng(seed)
    model = Sequential(
        *copy.deepcopy((Affine(shape[2], shape[2]), layer, activation)),
        dtype=dtype, seed=rng, backend="numpy", shape=shape,
    )  # fmt: skip
    x = rng.normal(1, 2, size=(2, *shape)).astype(dtype)
    model.params[...] = rng.normal(size=model.params.shape)
    y = model(x)
    sheet = explain(model, x, rng.normal(size=y.shape).astype(dtype), MSE())
    check_formulas(sheet, 2e-4 if dtype == "float32" else 1e-6)
    check_names(sheet)


def check_formulas(sheet, tol):
    """Each says what its number is, and gives it."""
    for line in sheet.lines:
        if line.value is None or not line.symbols.partition(" = ")[2]:
            continue
        check_sums(line)
        said = line.formula.symbols
        assert not line.formula.note, line
        if line.name.startswith(("mask", "L after")):
            continue
        if not line.numbers:
            assert said.startswith("0, for ") and line.value == 0, line
            continue
        for text in (line.numbers, line.middle or line.numbers):
            scale = line.formula.scale + abs(line.value)
            assert worth(text) == pytest.approx(line.value, rel=0, abs=tol * scale), line


KINDS = [Affine, Conv2D, MaxPool2D, AvgPool2D, GlobalAvgPool, Flatten, BatchNorm, Residual, *map(type, ACTIVATIONS)]


@pytest.mark.parametrize("kind", KINDS)
def test_these_layers_have_formulas(kind):
    """(A new layer need not have one: the sheet then says whose its numbers are.)"""
    assert kind in worksheet_layers.FORWARD and "x" in worksheet_layers.BACKWARD[kind]
    assert set(kind.parameters) <= set(worksheet_layers.BACKWARD[kind])


def test_numbers_by_hand():
    """A convolution, its statistics and its maximum, with the sums written out here."""
    model = Sequential(
        Conv2D(1, 1, 2, stride=(1, 2), padding=(1, 0)), BatchNorm(1), MaxPool2D((2, 1)),
        seed=0, dtype="float64", backend="numpy",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(2, 3, 4, 1)), rng.normal(size=(2, 2, 2, 1))
    sheet = explain(model, x, t, MSE())
    W, conv = model[0].W, sheet.known(1)["y of layer 1"]
    line = sheet["y[1,0,1,0] of layer 1"]
    assert line.symbols == "y[1,0,1,0] = x[1,0,2,0] W[1,0,0,0] + x[1,0,3,0] W[1,1,0,0] + b[0]"
    assert line.value == pytest.approx(x[1, 0, 2, 0] * W[1, 0, 0, 0] + x[1, 0, 3, 0] * W[1, 1, 0, 0], rel=1e-12)
    assert "y[n,p,q,o] = the sum over i, j, c of x[n,p+i-1,2q+j,c] W[i,j,c,o] + b[o]; x is 0 around" in " ".join(
        sheet.text().split()
    )
    assert sheet["mean[0] of layer 2"].value == pytest.approx(conv.mean(), rel=1e-12)
    assert sheet["var[0] of layer 2"].value == pytest.approx(conv.var(), rel=1e-12)
    assert sheet["running var[0] of layer 2"].value == pytest.approx(0.9 + 0.1 * conv.var() * 16 / 15, rel=1e-12)
    top = sheet["dL/dx[0,0,0,0] of layer 3"]
    z = sheet.known(2)["y of layer 2"]
    assert "[x[0,0,0,0] = y[0,0,0,0]]" in top.symbols
    assert top.numbers.endswith(f"* {int(z[0, 0, 0, 0] >= z[0, 1, 0, 0])}")


def test_large_windows_are_cut():
    model = Sequential(MaxPool2D(4), seed=0, dtype="float64", backend="numpy")
    x = np.arange(64.0).reshape(2, 4, 4, 2)
    line = explain(model, x, np.ones((2, 1, 1, 2)), MSE())["y[0,0,0,1] of layer 1"]
    assert line.numbers == "max(1, 3, 5, 31, ... (12 more))" and line.value == 31


def test_equal_ones_and_missing_numbers():
    model = Sequential(MaxPool2D(2), dtype="float64", backend="numpy")
    x = np.zeros((1, 2, 2, 2))
    x[0, 1, 0, 1] = np.nan
    sheet = explain(model, x, np.ones((1, 1, 1, 2)), MSE())
    values = [sheet[f"dL/dx[0,{h},{v},0] of layer 1"].value for h, v in np.ndindex(2, 2)]
    assert values == [-1, 0, 0, 0]
    assert np.isnan(sheet["y[0,0,0,1] of layer 1"].value) and not any(line.formula.note for line in sheet.lines)


class Shifted(Layer):
    """A layer that mixes rows, which no formula is known of."""

    buffers = ("seen",)

    def __init__(self):
        self.seen = np.zeros(1)

    def forward(self, x):
        self.seen = self.seen + len(x)
        return x + x[::-1]

    def backward(self, dy):
        return dy + dy[::-1]


class HalfBatchNorm(BatchNorm):
    """y = g z + b, with half of it: an inherited formula that does not hold."""

    def forward(self, x):
        return super().forward(x) / 2

    def backward(self, dy):
        return super().backward(dy / 2)


class Skip(Residual):
    """A block whose f is left out."""

    def forward(self, x):
        return 2 * x

    def backward(self, dy):
        return 2 * dy


def test_nothing_is_said_that_is_not_known():
    rng = np.random.default_rng(0)
    model = Sequential(Shifted(), HalfBatchNorm(2), Skip(Affine(2, 2)), seed=0, dtype="float64", backend="numpy")
    sheet = explain(model, rng.normal(size=(3, 2)), rng.normal(size=(3, 2)), MSE())
    assert sheet["y[0,1] of layer 1"].symbols == "y[0,1] = Shifted.forward(x)[0,1]"
    assert sheet["dL/dx[0,1] of layer 1"].value is not None
    assert sheet["seen[0] of layer 1"].value == 3 and "Shifted.forward(x)[0]" in sheet["seen[0] of layer 1"].symbols
    assert "computed otherwise" in sheet["y[0,0] of layer 2"].formula.note
    assert sheet["y[0,1] of layer 3"].symbols == "y[0,1] = Skip.forward(x)[0,1]"
    law = "y = HalfBatchNorm.forward(x), and not y = g z + b"
    assert law in str(sheet) and law in sheet.to_html() and "\n  y = g z + b" not in str(sheet)
    sheet.to_latex()


# --- losses and optimizers --------------------------------------------------------------------------------------------


@given(st.data(), st.sampled_from(["float32", "float64"]), st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_every_loss_and_rmsprop_give_their_numbers(data, dtype, seed):
    """Also for a loss per position, y (N, T, C)."""
    rng = np.random.default_rng(seed)
    loss = data.draw(
        st.sampled_from(
            [MSE(), MAE(), Huber(0.5), BinaryCrossEntropy(), GaussianNLL(), GaussianNLL(0.3)]
            + [SoftmaxCrossEntropy(), SoftmaxCrossEntropy(label_smoothing=0.2)]
        )
    )
    rows = data.draw(st.sampled_from([(3,), (2, 3)]))
    C = 4 if isinstance(loss, GaussianNLL) and loss.variance is None else 2
    model = Sequential(Affine(3, C, bias_init="normal"), dtype=dtype, seed=rng, backend="numpy")
    x, t = rng.normal(size=(*rows, 3)).astype(dtype), rng.random(size=(*rows, 2)).astype(dtype)
    if isinstance(loss, SoftmaxCrossEntropy):
        labels = data.draw(st.booleans())
        t = rng.integers(0, 2, rows) if labels else (t / t.sum(axis=-1, keepdims=True)).astype(dtype)
    options = {"weight_decay": 0.1, "decay_biases": data.draw(st.booleans())} if data.draw(st.booleans()) else {}
    optimizer = RMSProp(model, lr=0.1, clip_norm=data.draw(st.sampled_from([None, 0.1])), **options)
    optimizer.v[:] = rng.uniform(0, 1e-2, model.params.shape)
    sheet = explain(model, x, t, loss, optimizer)
    loss.follow(model.ops)
    loss.forward(model.forward(x), t)
    model.backward(loss.backward())
    optimizer.step()
    check_formulas(sheet, 2e-4 if dtype == "float32" else 1e-6)
    check_names(sheet)
    assert sheet["new W[2,1] of layer 1"].value == model[0].W[2, 1]
    text = str(sheet)
    assert ".compute" not in text and ".step()" not in text and ".backward(" not in text


def test_losses_by_hand():
    model = Sequential(Affine(1, 2), seed=0, dtype="float64", backend="numpy")
    model[0].W[...], model[0].b[...] = [[1.0, -3.0]], [0.0, 0.0]
    x, t = np.array([[1.0]]), np.array([[0.0, 1.0]])
    sheet = explain(model, x, t, Huber(2.0))
    assert sheet["L"].numbers == "((1 - 0)^2 / 2 + 2 * (|-3 - 1| - 2 / 2)) / 2" and sheet["L"].value == 3.25
    assert sheet["dL/dy[0,1] of layer 1"].symbols == "dL/dy[0,1] = delta sign(y[0,1] - t[0,1]) / (N D)"
    sheet = explain(model, x, t, BinaryCrossEntropy())
    assert sheet["L"].numbers == "(log(1 + e^(1)) - 0 * 1 + log(1 + e^(-3)) - 1 * -3) / 2"
    sheet = explain(model, x, np.array([0]), SoftmaxCrossEntropy(label_smoothing=0.2))
    assert sheet["t'[0,0] of the loss"].numbers == "(1 - 0.2) * 1 + 0.2 / 2"
    assert sheet["t'[0,0] of the loss"].value == pytest.approx(0.9)
    sheet.to_html()


# --- other forms ------------------------------------------------------------------------------------------------------


def images(dtype="float64", backend="numpy"):
    """A small residual network of images with everything in it: model, x, t, loss, optimizer."""
    rng = np.random.default_rng(0)
    model = Sequential(
        Conv2D(1, 2, 3, padding="same", bias=False), BatchNorm(2), GELU(),
        Residual(Conv2D(2, 3, 3, stride=2, padding="same"), LeakyReLU(), shortcut=Conv2D(2, 3, 1, stride=2)),
        Residual(Sequential(Affine(3, 3), Softplus())), MaxPool2D(2, stride=1), Dropout(0.25), GlobalAvgPool(), Affine(3, 2),
        shape=(5, 5, 1), seed=0, dtype=dtype, backend=backend,
    )  # fmt: skip
    x, t = rng.normal(size=(2, 5, 5, 1)).astype(dtype), rng.integers(0, 2, 2)
    return model, x, t, SoftmaxCrossEntropy(label_smoothing=0.1), RMSProp(model, weight_decay=0.1)


def test_latex_nudges_quiz_and_grade_of_images():
    model, x, t, loss, optimizer = images()
    sheet = explain(model, x, t, loss, optimizer)
    check_latex(sheet.to_latex())
    for name in ("W[1,2,0,1] of layer 1", "g[1] of layer 2", "W[0,0,1,2] of layer 4.shortcut", "b[1] of layer 5.1.1"):
        nudge = sheet.nudge(name)
        assert nudge.analytic == sheet["dL/d" + name].value
        assert nudge.measured == pytest.approx(nudge.analytic, rel=1e-5, abs=1e-9)
    quiz = sheet.quiz(12, seed=3)
    assert quiz.grade({name: sheet[name].value for name in quiz.names})
    assert not quiz.grade({name: 1.5 * sheet[name].value for name in quiz.names}).right
    names = [line.name for line in sheet.lines if line.value is not None]
    assert sheet.grade({name: sheet[name].value for name in names})
    part = sheet.grade({"dL/dx[0,0,0,0] of layer 5": sheet["dL/dx[0,0,0,0] of layer 5.1.1"].value})
    assert "that is one part of the sum alone, dL/dx[0,0,0,0] of layer 5.1.1: all paths add up" in str(part)


def test_nothing_changes_buffers_and_generator():
    model, x, t, loss, optimizer = images()
    before = model.flat_buffers.copy(), model.rng.bit_generator.state
    sheet = explain(model, x, t, loss, optimizer)
    sheet.to_html(), sheet.nudge("g[1] of layer 2")
    assert np.array_equal(model.flat_buffers, before[0]) and model.rng.bit_generator.state == before[1]
    model.forward(x)
    assert np.array_equal(sheet.known(len(sheet))["y of layer 7"], model[6].y)
    assert sheet["running mean[1] of layer 2"].value == model[1].mean[1]


def page_data(sheet):
    """What the page's script is given, and the page."""
    page = sheet.to_html()
    return json.loads(page.partition('id="data">')[2].partition("</script>")[0]), page


def test_the_drawing_goes_both_ways_around_a_block():
    """Arrows go where the numbers go: past the layers of a block, too, and back on both ways."""
    block = Residual(Affine(3, 3), Tanh())
    model = Sequential(Affine(2, 3), block, Residual(Affine(3, 3), shortcut=Affine(3, 3)), seed=0, dtype="float64")
    rng = np.random.default_rng(0)
    data, page = page_data(explain(model, rng.normal(size=(2, 2)), rng.normal(size=(2, 3)), MSE()))
    columns = ["x", "layer 1", "layer 2.1", "layer 2.2", "layer 2", "layer 3.1", "layer 3.shortcut", "layer 3", "loss"]
    assert re.findall(r'class="title"[^>]*>([^<]*)<', page) == columns
    past = {"e4-from1", "e6-from4", "e7-from5"}  # column 4 is layer 2, and 1 what it gets; ...
    assert set(re.findall(r'<path id="([^"]*)"', page)) == past
    drawn = set(re.findall(r'<(?:line|path) id="([^"]*)"', page))
    assert not any(name.startswith("e6-") and name not in past for name in drawn)  # 3.1 does not lead to the shortcut
    lines = {line["name"]: line for line in data["lines"]}
    assert all(set(line.get("edges", [])) <= drawn for line in data["lines"])
    assert lines["y[0,1] of layer 2"]["edges"] == ["e4-from1", "e4-1-1"]
    assert lines["dL/dx[0,1] of layer 2.1"]["edges"] == ["e2-1-0", "e2-1-1", "e2-1-2"]
    back = lines["dL/dx[0,1] of layer 2"]
    assert back["on"] == ["c1-1"] and set(back["edges"]) == {"e2-1-0", "e2-1-1", "e2-1-2", "e4-from1"}
    back = lines["dL/dx[1,2] of layer 3"]
    assert back["on"] == ["c4-2"] and set(back["edges"]) == {"e5-2-0", "e5-2-1", "e5-2-2", "e6-from4"}
    assert data["cells"]["c1-1"]["g"]["0"][0] == f"{explain_value(data, 'dL/dx[0,1] of layer 2'):.4g}"


def explain_value(data, name):
    """The number of a line of the page."""
    return float(next(line["val"] for line in data["lines"] if line["name"] == name))


def test_what_comes_back_to_x_is_the_whole_of_it():
    """A block in front: dL/dx is that of the block, and not of the first layer in it."""
    model = Sequential(Residual(Affine(2, 2)), Affine(2, 1), seed=0, dtype="float64")
    rng = np.random.default_rng(0)
    sheet = explain(model, rng.normal(size=(2, 2)), rng.normal(size=(2, 1)), MSE())
    data, _ = page_data(sheet)
    assert data["cells"]["c0-1"]["g"]["0"][0] == f"{sheet['dL/dx[0,1] of layer 1'].value:.4g}"


def deep(blocks=14):
    """A deep residual network of small images."""
    layers = [
        Residual(Conv2D(3, 3, 3, padding=1, bias=False), BatchNorm(3), ReLU(), Conv2D(3, 3, 3, padding=1), BatchNorm(3))
        for _ in range(blocks)
    ]
    model = Sequential(Conv2D(1, 3, 3), *layers, GlobalAvgPool(), Affine(3, 2), seed=0, backend="numpy")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 6, 6, 1)).astype(np.float32)
    return explain(model, x, rng.integers(0, 2, 4), SoftmaxCrossEntropy(), Adam(model))


@pytest.fixture(scope="module")
def deep_sheet():
    return deep()


def test_of_a_deep_network_the_middle_is_left_out(deep_sheet):
    sheet = deep_sheet
    for width in (80, 100):
        lines = sheet.text(width).splitlines()
        assert len(lines) < 1300 and max(map(len, lines)) <= width
    text = " ".join(sheet.text().split())
    shown = {int(k) for k in re.findall(r"step (\d+):", text)}
    cuts = re.findall(r"\.\.\. \((\d+) more, steps (\d+) to (\d+): sheet\.step\((\d+)\)", text)
    assert len(cuts) == 3  # forward, backward, update
    for count, first, last, example in cuts:
        assert int(last) - int(first) + 1 == int(count) and example == first
        assert shown.isdisjoint(range(int(first), int(last) + 1))
        assert int(first) - 1 in shown and int(last) + 1 in shown
    assert len(shown) + sum(int(count) for count, *_ in cuts) == len(sheet)
    assert str(sheet.step(int(cuts[0][1]))).startswith(f"step {cuts[0][1]}: forward, layer ")
    part = sheet.layer(2).text()
    assert "more, steps" not in part and "layer 2.5, BatchNorm(3)" in part


def test_the_page_of_a_deep_network(deep_sheet):
    data, page = page_data(deep_sheet)
    assert len(page.encode()) < 1_000_000
    assert data["all"] == len(deep_sheet) > len(data["steps"]) - 1
    assert "more, steps " in page.partition('<div class="scroll"')[0]
    assert [line["step"] for line in data["lines"]] == sorted(line["step"] for line in data["lines"])
    assert {line["step"] for line in data["lines"]} == set(range(1, len(data["steps"])))
    for cell in data["cells"].values():
        for value in itertools.chain(*(texts.values() for texts in cell.values())):
            assert 0 <= value[1] <= len(data["lines"]) + 1


def test_any_backend_gives_the_same_sheet(any_backend):
    one, two = (explain(*images(backend=backend)) for backend in (any_backend, "numpy"))
    for a, b in zip(one.lines, two.lines, strict=True):
        assert a.name == b.name and not a.formula.note, a
        if any_backend != "cupy":  # whose masks are others
            assert a.value is None or a.value == pytest.approx(b.value, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_infinite_and_missing_numbers(dtype):
    """Numbers at the end of the range: each formula gives what the layer gives, or says that it does not."""
    values = [0.0, -0.0, 1e-30, -1e-30, 30.0, -30.0, 800.0, -800.0, 1e30, -1e30, np.inf, -np.inf, np.nan]
    x = np.array([values], dtype)
    for activation in ACTIVATIONS:
        model = Sequential(Flatten(), copy.deepcopy(activation), dtype=dtype, backend="numpy", seed=0)
        sheet = explain(model, x, np.zeros_like(x), MAE())
        str(sheet), sheet.to_latex()
        for line in sheet.lines:
            at = re.search(r"\[0,(\d+)\]", line.name)
            if at and line.name.endswith("layer 2") and abs(values[int(at[1])]) <= 30:
                assert not line.formula.note, line


@pytest.mark.parametrize("loss", [MAE(), Huber(0.5), BinaryCrossEntropy(), SoftmaxCrossEntropy(label_smoothing=0.1)])
def test_latex_of_losses(loss):
    model = Sequential(Affine(2, 2), SiLU(), Dropout(0.5), ELU(), GELUTanh(), seed=0)
    rng = np.random.default_rng(0)
    t = rng.dirichlet([1, 1], 3).astype("f")
    check_latex(
        explain(model, rng.normal(size=(3, 2)).astype("f"), t, loss, RMSProp(model, weight_decay=0.1)).to_latex()
    )


def test_slips_of_a_loss_per_position():
    model = Sequential(Affine(2, 3), seed=0, dtype="float64")
    rng = np.random.default_rng(0)
    sheet = explain(model, rng.normal(size=(2, 4, 2)), rng.integers(0, 3, (2, 4)), SoftmaxCrossEntropy())
    name = "dL/db[1] of layer 1"
    assert "summed over the 8 rows" in str(sheet.grade({name: 8 * sheet[name].value}))


@pytest.mark.parametrize("optimizer", [Adam, RMSProp, lambda model: SGD(model, lr=1e-16, momentum=0.9)])
def test_what_an_optimizer_takes_for_0(optimizer):
    """A running mean that is next to nothing is set to 0, as of a gradient that is round-off alone."""
    model = Sequential(Affine(1, 1), seed=3, dtype="float64", backend="numpy")
    sheet = explain(model, np.array([[1e-19]]), np.array([[1.0]]), MSE(), optimizer(model))
    check_formulas(sheet, 1e-6)
    line = sheet[("velocity" if optimizer not in (Adam, RMSProp) else "v") + " of W[0,0] of layer 1"]
    assert line.value == 0 and line.symbols.partition(" = ")[2].startswith("0, for it is below 1e-3")


def test_a_mean_of_round_off():
    """The mean of what is normalized already is 0 but for round-off, in which two sums may differ."""
    model = Sequential(Affine(2, 2), BatchNorm(2), BatchNorm(2), seed=9, backend="numpy")
    x = np.random.default_rng(9).normal(size=(70, 2)).astype("f")
    check_formulas(explain(model, x, x, MSE()), 2e-4)
