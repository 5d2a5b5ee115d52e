"""The worksheet of networks with images, blocks and state: layers by their paths, every formula true."""

from __future__ import annotations

import numpy as np
import pytest

from tinynn import (
    MSE,
    SGD,
    Adam,
    Affine,
    BatchNorm,
    Layer,
    Model,
    ReLU,
    Residual,
    Sequential,
    SoftmaxCrossEntropy,
    Tanh,
    check,
    explain,
)

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
