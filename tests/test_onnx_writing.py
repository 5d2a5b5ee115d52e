"""Networks as ONNX files: what onnxruntime computes from them is what tinynn does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from oracles import LAYERS, draw_layer

import tinynn
from tinynn import (
    Affine,
    BatchNorm,
    Conv2D,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Layer,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
)

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
onnxruntime.set_default_logger_severity(4)

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def run(path, x):
    """y by onnxruntime; by ONNX's own reference where that has no double precision for an op (convolutions, say)."""
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        assert x.dtype == np.float64
        return reference(path, x)
    return session.run(None, {"x": x})[0]


def reference(path, x):
    from onnx.reference import ReferenceEvaluator
    from onnx.reference.op_run import OpRun

    class Erf(OpRun):  # ONNX's own gives float32
        op_domain = ""

        def _run(self, x):
            return (np.vectorize(math.erf, otypes=[x.dtype])(x),)

    return ReferenceEvaluator(str(path), new_ops=[Erf]).run(None, {"x": x})[0]


def settle(model, rng):
    """Running means as they are after training."""
    for layer in tinynn.nesting.with_inner(model):
        if isinstance(layer, BatchNorm):
            layer.mean, layer.var = rng.normal(size=layer.n), rng.random(layer.n) + 0.1
            layer.g, layer.b = rng.normal(size=(2, layer.n))
    return model


def alike(model, path, shape, rng, **options):
    """Write the model, and compare for batches of other sizes."""
    tinynn.to_onnx(model, path, **options)
    for N in (1, 3):
        x = rng.normal(size=(N, *shape)).astype(model.dtype)
        y, expected = run(path, x), model.predict(x)
        if options.get("softmax"):
            e = np.exp(expected - expected.max(axis=-1, keepdims=True))
            expected = e / e.sum(axis=-1, keepdims=True)
        assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(y, expected, rtol=0, atol=TOLERANCE[str(model.dtype)] * max(1, abs(expected).max()))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("cls", LAYERS)
def test_each_layer(cls, dtype, rng, tmp_path):
    for _ in range(8):
        layer, shape = draw_layer(cls, rng)
        model = Sequential(layer, dtype=dtype, backend="numpy", seed=0, shape=shape)
        alike(settle(model, rng), tmp_path / "a.onnx", shape, rng)


def resnet(**options):
    def block(n_in, n_out, stride):
        shortcut = None if stride == 1 else Sequential(Conv2D(n_in, n_out, 1, stride, bias=False), BatchNorm(n_out))
        return Residual(
            Conv2D(n_in, n_out, 3, stride, padding="same", bias=False), BatchNorm(n_out), ReLU(),
            Conv2D(n_out, n_out, 3, padding=1, bias=False), BatchNorm(n_out), shortcut=shortcut,
        )  # fmt: skip

    return Sequential(
        Conv2D(3, 4, 3, padding=1), BatchNorm(4), ReLU(), Dropout(0.3), block(4, 4, 1), ReLU(), block(4, 6, 2), ReLU(),
        Residual(Sequential(Affine(6, 6), tinynn.GELU())), MaxPool2D(2), GlobalAvgPool(), Affine(6, 5), seed=0, **options,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("options", [{}, {"shape": (9, 8, 3)}])
def test_a_residual_network(options, dtype, rng, tmp_path, cpu):
    model = settle(resnet(dtype=dtype, backend=cpu, **options), rng)
    alike(model, tmp_path / "a.onnx", (9, 8, 3), rng, softmax=True)


def ops(path):
    return [node.op_type for node in onnx.load(path).graph.node]


def test_images_are_transposed_at_the_border_alone(tmp_path):
    rows = [BatchNorm(2), ReLU(), Residual(Conv2D(2, 2, 3, padding=1), BatchNorm(2)), tinynn.AvgPool2D(2)]
    tail = [Flatten(), Affine(18, 3)]
    model = Sequential(Conv2D(1, 2, 3), *rows, *tail, shape=(8, 8, 1), seed=0)
    tinynn.to_onnx(model, tmp_path / "a.onnx")
    expected = "Transpose Conv BatchNormalization Relu Conv BatchNormalization Add AveragePool Transpose Flatten Gemm"
    assert ops(tmp_path / "a.onnx") == expected.split()
    both = Sequential(Residual(Conv2D(2, 2, 3, padding=1), shortcut=Conv2D(2, 2, 1)), seed=0)
    tinynn.to_onnx(both, tmp_path / "b.onnx")
    assert sorted(ops(tmp_path / "b.onnx")) == ["Add", "Conv", "Conv", "Transpose", "Transpose"]


def test_what_is_in_the_file(tmp_path):
    """Ends with names and a free number of examples, weights by their places, an opset that older readers know."""
    model = Sequential(Affine(4, 3), ReLU(), Dropout(0.5), Affine(3, 2), seed=0)
    tinynn.to_onnx(model, tmp_path / "a.onnx", softmax=True)
    content = onnx.load(tmp_path / "a.onnx")
    assert [one.version for one in content.opset_import] == [20] and content.ir_version == 9
    assert ops(tmp_path / "a.onnx") == ["Gemm", "Relu", "Gemm", "Softmax"]
    dims = [
        [d.dim_param or d.dim_value for d in end.type.tensor_type.shape.dim]
        for end in (*content.graph.input, *content.graph.output)
    ]
    assert dims == [["N", 4], ["N", 2]]
    assert [one.name for one in content.graph.initializer] == ["1.W", "1.b", "4.W", "4.b"]
    before = model.params.copy()
    again = tinynn.from_onnx(tmp_path / "a.onnx")
    assert np.array_equal(again.params, before) and repr(again[0]) == "Affine(4, 3)"


def test_sequences_and_images_behind_affine_maps(rng, tmp_path):
    for dtype in TOLERANCE:
        sequences = Sequential(Affine(4, 6), BatchNorm(6), ReLU(), GlobalAvgPool(), shape=(5, 4), seed=0, dtype=dtype)
        alike(settle(sequences, rng), tmp_path / "a.onnx", (5, 4), rng)
        images = Sequential(
            Affine(2, 3), Conv2D(3, 4, 2), Affine(4, 2), tinynn.Tanh(), shape=(4, 5, 2), seed=0, dtype=dtype
        )
        alike(images, tmp_path / "a.onnx", (4, 5, 2), rng)


def test_which_shape_is_known(tmp_path, rng):
    """A model without a shape takes tables, or images where its layers ask for them; where they do not say, it must."""
    alike(Sequential(BatchNorm(3), Conv2D(3, 2, 2), seed=0), tmp_path / "a.onnx", (4, 5, 3), rng)
    alike(Sequential(ReLU(), Affine(3, 2), seed=0), tmp_path / "a.onnx", (3,), rng)
    for layers in ([ReLU()], [Flatten(), Affine(12, 3)], [GlobalAvgPool(), Affine(3, 2)]):
        with pytest.raises(ValueError, match=r"model must say the shape of one example, Sequential\(..., shape="):
            tinynn.to_onnx(Sequential(*layers), tmp_path / "b.onnx")
    assert not (tmp_path / "b.onnx").exists()


# --- layers of one's own ----------------------------------------------------------------------------------------------


class Bent(Layer):
    """y = g x |x|, with a number for each feature."""

    parameters = ("g",)

    def __init__(self, n):
        self.n, self.g = n, np.arange(1.0, n + 1)

    def forward(self, x):
        return self.g * x * abs(x)


class Told(Bent):
    def to_onnx(self, graph, x):
        return graph.add("Mul", graph.add("Mul", x, self.g), graph.add("Abs", x))


class Twice(Layer):
    def __init__(self, *layers):
        self.inner = Sequential(*layers)

    def forward(self, x):
        return 2.0 * self.inner.forward(x)

    def to_onnx(self, graph, x):
        return graph.add("Mul", graph.layer(self.inner, x), 2)


class Network(tinynn.Model):
    shape = (4, 4, 2)

    def __init__(self):
        self.conv, self.out = Conv2D(2, 3, 3), Affine(3, 2)
        self.assemble(seed=0)

    def forward(self, x):
        return self.out.forward(self.conv.forward(x))

    def __call__(self, x):
        return self.out(self.conv(x))

    def to_onnx(self, graph, x):
        return graph.layer(self.out, graph.layer(self.conv, x))


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_layers_of_ones_own_say_what_they_are(dtype, rng, tmp_path):
    model = Sequential(Affine(4, 3), Told(3), Twice(Affine(3, 3), Told(3)), seed=0, dtype=dtype)
    alike(model, tmp_path / "a.onnx", (4,), rng)
    images = Sequential(Conv2D(2, 3, 2), Told(3), MaxPool2D(2), Told(3), seed=0, dtype=dtype, shape=(5, 5, 2))
    alike(images, tmp_path / "b.onnx", (5, 5, 2), rng)


def test_a_model_of_ones_own(rng, tmp_path):
    alike(Network(), tmp_path / "a.onnx", (4, 4, 2), rng)


class Other(ReLU):
    """A layer derived from one of tinynn's, with another forward, is another layer."""

    def forward(self, x):
        return x * x


class Same(ReLU):
    pass


def test_layers_of_ones_own_that_say_nothing(tmp_path, rng):
    for layer in (Bent(3), Other()):
        with pytest.raises(
            TypeError,
            match=r"layer 2, (Bent|Other)\(\) must be one of tinynn's or have a method to_onnx\(self, graph, x\)",
        ):
            tinynn.to_onnx(Sequential(Affine(4, 3), layer, seed=0), tmp_path / "a.onnx")
    alike(Sequential(Affine(4, 3), Same(), seed=0), tmp_path / "a.onnx", (4,), rng)
    Told.to_onnx, right = lambda self, graph, x: None, Told.to_onnx
    try:
        with pytest.raises(TypeError, match=r"Told\(\): to_onnx must return what graph.add gives, not None"):
            tinynn.to_onnx(Sequential(Affine(4, 3), Told(3), seed=0), tmp_path / "a.onnx")
    finally:
        Told.to_onnx = right


def test_an_op_that_onnx_does_not_have(tmp_path):
    class Wrong(Bent):
        def to_onnx(self, graph, x):
            return graph.add("Multiply", x, 2)

    with pytest.raises(ValueError, match="model must consist of ops that ONNX defines, .* onnx says: .*Multiply"):
        tinynn.to_onnx(Sequential(Affine(4, 3), Wrong(3), seed=0), tmp_path / "a.onnx")


def test_refused(tmp_path, monkeypatch):
    model = Sequential(Affine(4, 3), seed=0)
    with pytest.raises(TypeError, match="model must be a Sequential or another Model, not 3"):
        tinynn.to_onnx(3, tmp_path / "a.onnx")
    with pytest.raises(TypeError, match="softmax must be True or False, not 1"):
        tinynn.to_onnx(model, tmp_path / "a.onnx", softmax=1)
    with pytest.raises(FileNotFoundError, match="cannot be saved: there is no folder"):
        tinynn.to_onnx(model, tmp_path / "none" / "a.onnx")
    monkeypatch.setattr("tinynn.bridges.onnx.writing.LARGEST", 10)
    with pytest.raises(ValueError, match="model must have less than 2 GiB of numbers"):
        tinynn.to_onnx(model, tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []
