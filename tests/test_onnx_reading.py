"""Networks from ONNX files: those of other programs predict the same here, and nothing that is not understood is read."""

from __future__ import annotations

import contextlib
import copy
import re
import sys
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import LAYERS, draw_layer
from test_onnx_writing import resnet, run, settle

import tinynn
from tinynn import Affine, BatchNorm, CheckpointError, Conv2D, ReLU, Residual, Sequential, from_onnx, to_onnx

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def softmax(y):
    e = np.exp(y - y.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def last(x):
    """Images (N, C, H, V) as tinynn has them."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def parsed(text, path, **arrays):
    """A file of a graph in ONNX's text form, with arrays as initializers."""
    model = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": 20, "ai.onnx.ml": 1]>\n{text}')
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in arrays.items())
    path.write_bytes(model.SerializeToString())
    return path


def refused(path, says):
    with pytest.raises(CheckpointError, match=says) as caught:
        from_onnx(path, "numpy")
    assert str(caught.value).startswith(f"{path}: ")


# --- there and back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", LAYERS)
def test_each_layer_comes_back(cls, rng, tmp_path):
    for _ in range(5):
        layer, shape = draw_layer(cls, rng)
        end = [] if cls is not tinynn.Dropout else [ReLU()]
        model = settle(Sequential(layer, *end, backend="numpy", seed=0, shape=shape), rng)
        x = rng.normal(size=(3, *shape)).astype("float32")
        to_onnx(model, tmp_path / "a.onnx")
        if cls is tinynn.Flatten and len(shape) == 1:
            refused(tmp_path / "a.onnx", "the network must have 1 to 1000 layers, not 0")
            continue
        again = from_onnx(tmp_path / "a.onnx", "numpy")
        assert again.shape == shape
        np.testing.assert_allclose(again.predict(x), model.predict(x), atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_residual_network_comes_back(dtype, rng, tmp_path):
    model = resnet(dtype=dtype, backend="numpy", shape=(9, 8, 3))
    layers = [copy.deepcopy(layer) for layer in model]
    del layers[8]  # the block with a GELU, which is many ops in float64
    model = settle(Sequential(*layers, dtype=dtype, backend="numpy", shape=(9, 8, 3), seed=0), rng)
    x = rng.normal(size=(3, 9, 8, 3)).astype(dtype)
    to_onnx(model, tmp_path / "a.onnx", softmax=True)
    again = from_onnx(tmp_path / "a.onnx", "numpy")
    assert str(again.dtype) == dtype
    np.testing.assert_allclose(again.predict(x), model.predict(x), atol={"float32": 1e-5, "float64": 1e-12}[dtype])
    assert [type(layer) for layer in again if type(layer) is Residual] == [Residual] * 2
    assert np.allclose(sorted(again.params), sorted(model.params), atol=1e-6)  # the same numbers, not folded


def stack(rng, shape):
    """Layers on images: any number, of any kind, one within the other; and what comes out."""
    layers = []
    for _ in range(rng.integers(1, 4)):
        kind = rng.integers(8)
        C = shape[-1]
        if kind == 0:
            inner, out = stack(rng, shape)
            around = Conv2D(C, out[-1], 1)
            new = (
                Residual(*inner, shortcut=around)
                if out[:2] == shape[:2] and rng.integers(2)
                else Sequential(*inner, shape=shape)
            )
        elif kind == 1 and min(shape[:2]) > 2:
            new = [tinynn.MaxPool2D, tinynn.AvgPool2D][rng.integers(2)](
                2, int(rng.integers(1, 3)), [0, 1, "same"][rng.integers(3)]
            )
        elif kind == 2:
            new = Residual(Conv2D(C, C, 3, padding=1, bias=False), BatchNorm(C))
        elif kind == 3:
            new = Affine(C, int(rng.integers(1, 4)))
        elif kind == 4 and min(shape[:2]) > 2:
            new = Conv2D(
                C,
                int(rng.integers(1, 4)),
                int(rng.integers(1, 4)),
                int(rng.integers(1, 3)),
                [0, "same"][rng.integers(2)],
            )
        else:
            new = [BatchNorm(C), ReLU(), tinynn.SiLU(), tinynn.Dropout(0.5), tinynn.ELU(0.5)][rng.integers(5)]
        layers.append(new)
        shape = new.output_shape(shape)
    return layers, shape


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_any_stack_of_layers(seed, tmp_path_factory):
    """As onnxruntime computes it, and as it comes back."""
    rng, path = np.random.default_rng(seed), tmp_path_factory.mktemp("stack") / "a.onnx"
    shape = tuple(int(n) for n in rng.integers(3, 8, 3))
    layers, out = stack(rng, shape)
    end = [[tinynn.Flatten(), BatchNorm(out[0] * out[1] * out[2])], [tinynn.GlobalAvgPool()], []][rng.integers(3)]
    wide = end[0].output_shape(out)[-1] if end else out[-1]
    model = Sequential(*layers, *end, Affine(wide, 3), shape=shape, seed=0, dtype="float64", backend="numpy")
    model = settle(model, rng).copy(dtype="float32")
    to_onnx(model, path)
    x = draw(rng, 2, *shape)
    y = model.predict(x)
    for other in (run(path, x), from_onnx(path, "numpy").predict(x)):
        np.testing.assert_allclose(other, y, rtol=0, atol=2e-5 * max(1, abs(y).max()))


def test_what_is_read_trains_and_is_saved(rng, tmp_path):
    to_onnx(resnet(shape=(6, 6, 3)), tmp_path / "a.onnx")
    model = from_onnx(tmp_path / "a.onnx")
    x, t = rng.normal(size=(40, 6, 6, 3)).astype("float32"), rng.integers(0, 5, 40)
    history = model.fit(x, t, loss=tinynn.SoftmaxCrossEntropy(), optimizer=tinynn.Adam(model), epochs=3, progress=False)
    assert history.rows[-1]["loss"] < history.rows[0]["loss"]
    tinynn.save(tmp_path / "a.npz", model)
    assert np.array_equal(tinynn.load(tmp_path / "a.npz").model.params, model.params)


# --- as other programs write them -------------------------------------------------------------------------------------


def same_as_there(path, x, rng, *, images=False, end=lambda y: y):
    """The model of a file, whose y are those of onnxruntime."""
    model = from_onnx(path, "numpy")
    y = end(model.predict(last(x) if images else x))
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = session.run(None, {session.get_inputs()[0].name: x})[-1]
    if isinstance(expected, list):  # ZipMap's
        expected = np.array([[*row.values()] for row in expected], x.dtype)
    np.testing.assert_allclose(y, expected.reshape(y.shape), rtol=0, atol=1e-5 * max(1, abs(y).max()))
    return model


def draw(rng, *shape):
    return rng.normal(size=shape).astype("float32")


def test_as_skl2onnx_writes_classifiers(rng, tmp_path):
    head = """g (float[N, 4] X) => (int64[N] label, float[N, C] probabilities) {
        c = Cast <to = 1> (X)
        m = MatMul(c, W1)
        a = Add(m, b1)
        r = Relu(a)
        m2 = MatMul(r, W2)
        a2 = Add(m2, b2)
        """
    many = head + "probabilities = Softmax <axis = -1> (a2)\n label = ArgMax <axis = 1, keepdims = 0> (probabilities) }"
    two = """p = Sigmoid (a2)
        q = Sub(one, p)
        probabilities = Concat <axis = 1> (q, p)
        label = ArgMax <axis = 1, keepdims = 0> (probabilities) }"""
    arrays = {"W1": draw(rng, 4, 5), "b1": draw(rng, 5), "b2": draw(rng, 1, 3), "W2": draw(rng, 5, 3)}
    model = same_as_there(parsed(many, tmp_path / "a.onnx", **arrays), draw(rng, 6, 4), rng, end=softmax)
    assert repr(model).startswith("Sequential(Affine(4, 5), ReLU(), Affine(5, 3)")
    arrays |= {"b2": draw(rng, 1), "W2": draw(rng, 5, 1), "one": np.ones(1, "f4")}
    path = parsed(head + two, tmp_path / "b.onnx", **arrays)
    same_as_there(path, draw(rng, 6, 4), rng, end=lambda p: np.hstack([1 - p, p]))


def test_as_keras_writes_images(rng, tmp_path):
    """Transposed around each image op, biases on the last axis, batch normalization in parts, a computed shape."""
    text = """g (float[N, 8, 8, 3] x) => (float[N, 2] y) {
        c = Cast <to = 1> (x)
        t = Transpose <perm = [0, 3, 1, 2]> (c)
        v = Conv <pads = [1, 1, 1, 1]> (t, W)
        u = Transpose <perm = [0, 2, 3, 1]> (v)
        a = Add(u, b)
        r = Relu(a)
        s = Sub(r, mean)
        m = Mul(s, scale)
        n = Add(m, shift)
        t2 = Transpose <perm = [0, 3, 1, 2]> (n)
        p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (t2)
        u2 = Transpose <perm = [0, 2, 3, 1]> (p)
        z = Shape(u2)
        i = Constant <value = int64 {0}> ()
        k = Gather <axis = 0> (z, i)
        axes = Constant <value = int64[1] {0}> ()
        k1 = Unsqueeze(k, axes)
        d = Constant <value = int64[1] {64}> ()
        sizes = Concat <axis = 0> (k1, d)
        f = Reshape(u2, sizes)
        y = MatMul(f, V)
    }"""
    arrays = {"W": draw(rng, 4, 3, 3, 3), "b": draw(rng, 1, 1, 1, 4), "mean": draw(rng, 4), "V": draw(rng, 64, 2)}
    arrays |= {"scale": draw(rng, 1, 1, 1, 4), "shift": draw(rng, 4)}
    model = same_as_there(parsed(text, tmp_path / "a.onnx", **arrays), draw(rng, 3, 8, 8, 3), rng)
    kinds = [type(layer).__name__ for layer in model]
    assert kinds == ["Conv2D", "ReLU", "BatchNorm", "MaxPool2D", "Flatten", "Affine"]


def test_as_torch_writes_images(rng, tmp_path):
    """Channels first, blocks, a batch normalization behind Flatten, and W (n_out, n_in)."""
    text = """g (float[N, 3, 6, 7] x) => (float[N, 2] y) {
        i = Identity(x)
        v = Conv <pads = [1, 1, 1, 1]> (i, W, b)
        r = Relu(v)
        v1 = Conv <auto_pad = "SAME_UPPER"> (r, W1)
        n1 = BatchNormalization <epsilon = 0.001> (v1, g, g, g, var)
        s = Add(n1, r)
        e = Sigmoid(s)
        w = Mul(s, e)
        v2 = Conv <strides = [2, 2]> (w, W2)
        v3 = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (w, W1)
        v4 = Conv (v2, W4)
        o = Add(v4, v3)
        h = LeakyRelu <alpha = 0.2> (o)
        f = Flatten(h)
        n2 = BatchNormalization(f, g2, b2, b2, g2)
        d = Elu <alpha = 0.5> (n2)
        y = Gemm <transB = 1, alpha = 0.5, beta = 2.0> (d, V, c)
    }"""
    arrays = {"W": draw(rng, 4, 3, 3, 3), "b": draw(rng, 4), "W1": draw(rng, 4, 4, 3, 3), "W2": draw(rng, 5, 4, 1, 1)}
    arrays |= {"g": draw(rng, 4), "var": abs(draw(rng, 4)) + 1, "W4": draw(rng, 4, 5, 1, 1), "V": draw(rng, 2, 48)}
    arrays |= {"g2": abs(draw(rng, 48)) + 1, "b2": draw(rng, 48), "c": draw(rng, 2)}
    model = same_as_there(parsed(text, tmp_path / "a.onnx", **arrays), draw(rng, 3, 3, 6, 7), rng, images=True)
    assert repr(model[2]).startswith("Residual(Conv2D(4, 4, 3, padding='same'") and model.shape == (6, 7, 3)
    assert repr(model[4]).endswith("shortcut=Conv2D(4, 4, 3, stride=2, padding=1, bias=False))")


SMALL = {  # graphs of a few nodes that other programs write, with what their arrays are
    "scaled pictures": ("(float[N, 3, 4, 5] x) => (float[N, 2, 3, 4] y) { s = Sub(x, m) d = Div(s, d0) y = Conv(d, W) }", {"m": (3, 1, 1), "d0": (1, 3, 1, 1), "W": (2, 3, 2, 2)}, True),
    "a mean over positions": ("(float[N, 3, 4, 5] x) => (float[N, 2] y) { v = Conv(x, W) a = Constant <value = int64[2] {2, 3}> () y = ReduceMean <keepdims = 0> (v, a) }", {"W": (2, 3, 1, 1)}, True),
    "negative axes, kept": ("(float[N, 3, 4, 5] x) => (float[N, 2] y) { v = Conv(x, C) a = Constant <value = int64[2] {-1, -2}> () m = ReduceMean(v, a) f = Flatten(m) y = MatMul(f, W) }", {"C": (3, 3, 1, 1), "W": (3, 2)}, True),
    "bytes as pictures": ("(float[N, 3, 4, 5] x) => (float[N, 2, 4, 5] y) { d = Div(x, c) s = Mul(d, two) b = BatchNormalization(s, g, g, g, g) y = Conv(b, W) }", {"c": (), "two": (1,), "g": (3,), "W": (2, 3, 1, 1)}, True),
    "a mean, features last": ("(float[N, 4, 5, 3] x) => (float[N, 3] y) { a = Constant <value = int64[2] {1, 2}> () y = ReduceMean <keepdims = 0> (x, a) }", {}, False),
    "PyTorch's softplus": ("(float[N, 4] x) => (float[N, 4] y) { p = Softplus(x) l = Constant <value = float {20}> () g = Greater(x, l) y = Where(g, x, p) }", {}, False),
    "rows of images as they lie": ("(float[N, 3, 2, 2] x) => (float[N, 2] y) { f = Flatten <axis = 1> (x) y = MatMul(f, W) }", {"W": (12, 2)}, False),
    "x added to f(x)": ("(float[N, 3, 4, 5] x) => (float[N, 3, 4, 5] y) { r = Tanh(x) v = Conv(r, W) y = Add(x, v) }", {"W": (3, 3, 1, 1)}, True),
    "sequences": ("(float[N, 5, 3] x) => (float[N, 5, 2] y) { m = MatMul(x, W) b = Add(m, b0) y = Gelu <approximate = \"tanh\"> (b) }", {"W": (3, 2), "b0": (2,)}, False),
    "one bias, number by number": ("(float[N, 3] x) => (float[N, 2] y) { m = Gemm(x, W, b) s = Mul(two, m) y = Div(s, d) }", {"W": (3, 2), "b": (), "two": (1,), "d": (2,)}, False),
    "scaled convolution": ("(float[N, 3, 4, 5] x) => (float[N, 2, 4, 5] y) { v = Conv(x, W) m = Mul(v, k) y = Add(m, t) }", {"W": (2, 3, 1, 1), "k": (2, 1, 1), "t": (1, 2, 1, 1)}, True),
    "scaled normalization": ("(float[N, 3] x) => (float[N, 3] y) { v = BatchNormalization(x, a, a, a, one) m = Mul(v, a) y = Sub(m, a) }", {"a": (3,), "one": (3,)}, False),
    "same, of odd sizes": ("(float[N, 3, 5, 6] x) => (float[N, 2, 3, 3] y) { y = Conv <pads = [1, 0, 1, 1], strides = [2, 2]> (x, W) }", {"W": (2, 3, 3, 3)}, True),
    "(N,) at the end": ("(float[N, 3] x) => (float[N] y) { m = MatMul(x, W) s = Constant <value = int64[1] {-1}> () y = Reshape(m, s) }", {"W": (3, 1)}, False),
    "sizes copied": ("(float[N, 3, 2, 2] x) => (float[N, 2] y) { r = Relu(x) v = Conv(r, C) s = Constant <value = int64[2] {0, -1}> () f = Reshape(v, s) y = MatMul(f, W) }", {"C": (3, 3, 1, 1), "W": (12, 2)}, True),
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_small_graphs(name, rng, tmp_path):
    text, sizes, images = SMALL[name]
    arrays = {key: abs(draw(rng, *shape)) + np.float32(0.5) for key, shape in sizes.items()}
    path = parsed(f"g {text}", tmp_path / "a.onnx", **{key: np.asarray(a, "f4") for key, a in arrays.items()})
    x = draw(rng, 3, *(int(n) for n in text[text.index("N") : text.index("]")].split(",")[1:]))
    model, y = from_onnx(path, "numpy"), run(path, x)
    got = model.predict(last(x) if images else x)
    got = np.moveaxis(got, -1, 1) if images and got.ndim == 4 else got
    np.testing.assert_allclose(got.reshape(y.shape), y, atol=1e-5)


def test_a_reshape_at_the_beginning_is_the_callers(rng, tmp_path):
    text = "g (float[N, 12] x) => (float[N, 2, 2, 1] y) { s = Constant <value = int64[4] {-1, 3, 2, 2}> () r = Reshape(x, s) y = Conv(r, W) }"
    path, x = parsed(text, tmp_path / "a.onnx", W=draw(rng, 2, 3, 1, 2)), draw(rng, 3, 12)
    got = from_onnx(path, "numpy").predict(last(x.reshape(3, 3, 2, 2)))
    np.testing.assert_allclose(np.moveaxis(got, -1, 1), run(path, x), atol=1e-5)


# --- the programs themselves, where they are installed ----------------------------------------------------------------


def torch_networks(nn):
    class Block(nn.Module):
        def __init__(self, n_in, n_out, stride):
            super().__init__()
            self.f = nn.Sequential(
                nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(),
                nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False), nn.BatchNorm2d(n_out),
            )  # fmt: skip
            self.around = nn.Identity() if stride == 1 else nn.Conv2d(n_in, n_out, 1, stride)

        def forward(self, x):
            return (self.f(x) + self.around(x)).relu()

    acts = [nn.ELU(), nn.LeakyReLU(0.2), nn.Softplus(), nn.GELU(), nn.GELU(approximate="tanh"), nn.SiLU(), nn.Sigmoid()]
    rows = [module for act in acts for module in (nn.Linear(6, 6), act, nn.Dropout())]
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), Block(4, 4, 1), Block(4, 6, 2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24, 3)
    )
    pooled = nn.Sequential(nn.Conv2d(2, 4, 3), Block(4, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return {"activations": (nn.Sequential(*rows), (6,)), "flattened": (net, (2, 9, 8)), "pooled": (pooled, (2, 9, 8))}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["activations", "flattened", "pooled"])
@pytest.mark.parametrize("dynamo", [True, False])
def test_of_torch(dynamo, name, rng, tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    net, shape = torch_networks(torch.nn)[name]
    for _ in range(3):
        net(torch.randn(8, *shape))  # running means
    net.eval()
    path, x = tmp_path / "a.onnx", torch.randn(3, *shape)
    options = {"dynamic_shapes": ({0: torch.export.Dim("batch")},)} if dynamo else {"dynamic_axes": {"x": {0: "batch"}}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, (x,), path, dynamo=dynamo, input_names=["x"], external_data=False, verbose=False, **options
        )
    images = len(shape) == 3
    y = from_onnx(path, "numpy").predict(last(x.numpy()) if images else x.numpy())
    np.testing.assert_allclose(y, net(x).detach().numpy(), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_of_scikit_learn(classes, rng, tmp_path):
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    x = draw(rng, 60, 4)
    options = {"hidden_layer_sizes": (7, 5), "max_iter": 5, "activation": ["identity", "tanh", "logistic"][classes % 3]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = (MLPClassifier if classes else MLPRegressor)(**options).fit(
            x, np.arange(60) % classes if classes else x[:, 0]
        )
        onnx.save(skl2onnx.to_onnx(net, x[:1]), tmp_path / "a.onnx")
    y = from_onnx(tmp_path / "a.onnx", "numpy").predict(x)
    expected = net.predict_proba(x) if classes else net.predict(x)[:, None]
    y = {0: y, 2: np.hstack([1 - y, y]), 3: softmax(y)}[classes]
    np.testing.assert_allclose(y, expected, atol=1e-5)


# --- ONNX's own tests -------------------------------------------------------------------------------------------------

NODES = {
    *("Add", "AveragePool", "BatchNormalization", "Conv", "Div", "Dropout", "Elu", "Flatten", "Gelu", "Gemm"),
    *("GlobalAveragePool", "Identity", "LeakyRelu", "MatMul", "MaxPool", "Mul", "ReduceMean", "Relu", "Reshape"),
    *("Sigmoid", "Softmax", "Softplus", "Sub", "Tanh"),
}
CONVENTIONS = [  # what tinynn does not have, as the errors say it
    "must be float32 or float64", "must be of float32, float64", "must cast to", r"must have a number for each feature",
    r"take images \(N, C, H, V\)", "padding must be at most half", "have count_include_pad=0", "have ceil_mode 0",
    "have dilations of 1", "have auto_pad SAME_UPPER", "have one output of floats", "have axis 1", "have a b of one row",
    "not have its x transposed", "W must be an initializer of floats with 2 axes", r"must have a shape \(N, ...\)",
    "over all positions", "be over the features, on the last axis", "keep the axis of the examples", "make rows of all",
    "be in use",
]  # fmt: skip


def node_tests():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        tests = collect_testcases(None)
    for test in tests:
        if (
            len(test.model.graph.node) == 1
            and test.model.graph.node[0].op_type in NODES
            and "castlike" not in test.name
        ):
            yield test


def adapted(test, inputs):
    """A node test as a network: arrays beside x are initializers, a row of numbers is one example, and before an op that is no layer stands one that does nothing."""
    model = onnx.ModelProto()
    model.CopyFrom(test.model)
    graph, x = model.graph, inputs[0]
    node = graph.node[0]
    for name, array in zip([one.name for one in graph.input][1:], inputs[1:]):
        graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))
    del graph.output[1:]
    if x.ndim == 1 and (len(inputs) == 1 or (inputs[1].shape == x.shape and node.op_type != "MatMul")):
        x = x[None]
        graph.input[0].type.tensor_type.shape.dim.insert(0, onnx.TensorShapeProto.Dimension(dim_value=1))
    if node.op_type in ("Identity", "Dropout", "Softmax", "Reshape", "Flatten"):
        nothing = onnx.helper.make_node("LeakyRelu", [node.input[0]], ["nothing"], alpha=1.0)
        node.input[0] = "nothing"
        graph.node.insert(0, nothing)
    return model, x


def test_onnx_says_so_itself(tmp_path):
    """ONNX's tests of the ops: each passes, or is refused for one of tinynn's conventions."""
    counts = {"passed": [], "refused": []}
    for test in node_tests():
        op = test.model.graph.node[0].op_type
        first = op in ("Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "BatchNormalization")
        for inputs, outputs in test.data_sets:
            if not isinstance(inputs[0], np.ndarray):
                continue  # of sequences
            model, x = adapted(test, inputs)
            (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
            try:
                net = from_onnx(tmp_path / "a.onnx", "numpy")
            except CheckpointError as error:
                assert any(re.search(text, str(error)) for text in CONVENTIONS), f"{test.name}: {error}"
                counts["refused"].append(f"{test.name}: {str(error).partition(': ')[2]}")
                continue
            y = net.predict(last(x) if first and x.ndim > 2 else np.ascontiguousarray(x))
            y = softmax(y) if op == "Softmax" else np.moveaxis(y, -1, 1) if first and y.ndim > 2 else y
            expected = outputs[0]
            assert y.size == expected.size and y.dtype == expected.dtype, test.name
            np.testing.assert_allclose(
                y.reshape(expected.shape), expected, rtol=test.rtol, atol=test.atol, err_msg=test.name
            )
            counts["passed"].append(test.name)
    print("\n".join(counts["refused"]))
    print(
        f"ONNX's node tests: {len(counts['passed'])} passed, {len(counts['refused'])} refused by conventions, 0 wrong"
    )
    assert len(counts["passed"]) >= 80


# --- what is refused --------------------------------------------------------------------------------------------------

W2, X3 = "<float[3,2] W = {1,2,3,4,5,6}>", "(float[N,3] x) => (float[N,2] y)"
REFUSED = [
    ("g (float[N,3] x) => (float[N,3] y) { s = Shape(x) f = Cast <to = 1> (s) i = Constant <value = int64[1] {0}> () n = Gather(f, i) y = Div(x, n) }", r"\(Cast\) must cast floats to float32 or float64"),
    ("g (float[N,3] x) => (float[N,3] y) { r = Relu(x) s = Shape(r) i = Constant <value = int64[2] {1, 0}> () n = Gather(s, i) y = Reshape(r, n) }", "must keep the axis of the examples"),
    ("g (float[N,3] x) => (float[N,3] y) { r = Relu(x) s = Shape(r) i = Constant <value = int64[2] {0, 0}> () n = Gather(s, i) y = Reshape(r, n) }", "must make rows of all numbers"),
    ("g (float[N,3] x) => (float[N,3] y) { r = Relu(x) s = Shape(r) i = Constant <value = int64[2] {0, 2}> () n = Gather(s, i) y = Reshape(r, n) }", r"\(Gather\) must be of a shape"),
    ("g (float[N,2,3] x) => (float[N,6] y) { s = Softmax(x) y = Flatten(s) }", "must not follow a softmax, which must be the last"),
    ("g (float[N,2,3] x) => (float[N,6] y) { s = Softmax(x) t = Constant <value = int64[2] {-1, 6}> () y = Reshape(s, t) }", "must not follow a softmax"),
    ("g (float[N,2,3] x) => (float[N,3,2,1] y) { s = Softmax(x) t = Constant <value = int64[4] {-1, 3, 2, 1}> () f = Reshape(s, t) y = Relu(f) }", "must make rows of all numbers"),
    ("g (float[N,2,2,3] x) => (float[N,3,4] y) { s = Transpose <perm = [0, 3, 1, 2]> (x) t = Constant <value = int64[3] {-1, 3, 4}> () y = Reshape(s, t) }", "must make rows of all numbers"),
    ("g (float[N,2,2,3] x) => (float[N,3,2,2] y) { t = Transpose <perm = [0, 3, 1, 2]> (x) s = Sigmoid(x) y = Mul(t, s) }", r"or x sigmoid\(x\)"),
    ("g (float[N,2,2,3] x) => (float[N,3,2,2] y) { t = Transpose <perm = [0, 3, 1, 2]> (x) s = Sigmoid(x) y = Add(t, s) }", "must add up branches of one shape"),
    ("g (float[N,4] x) => (float[N,4] y) { p = Softplus(x) l = Constant <value = float {2}> () g = Greater(x, l) y = Where(g, x, p) }", "must be part of PyTorch's Softplus"),
    (f"g {X3} {{ y = Sin(x) }}", "node 'y' \\(Sin\\) must be one of Add, AveragePool, .*, not another op"),
    (f"g {X3} {{ y = my.MatMul(x) }}", "node 'y' \\(MatMul\\) must be one of"),
    (f"g {X3} {W2} {{ y = Gemm <transA = 1> (x, W) }}", r"node 'y' \(Gemm\) must not have its x transposed"),
    (f"g {X3} {W2} {{ y = Gemm <odd = 1> (x, W) }}", r"\(Gemm\): attribute 'odd' must not be set: it is not known"),
    (f"g {X3} {W2} {{ y = Gemm <transB = 1.5> (x, W) }}", r"\(Gemm\): attribute 'transB' must be of type INT, not another"),
    (f"g {X3} {W2} {{ y = Gemm <transB = 1> (x, W) }}", r"\(Gemm\): Affine\(2, 3\) takes rows of 2, not \(3,\)"),
    (f"g {X3} {W2} {{ y = MatMul(W, x) }}", r"\(MatMul\): input 1 must be computed from the graph's input"),
    (f"g {X3} {{ y = MatMul(x, V) }}", r"\(MatMul\): input 'V' must come from a node before it, not from none"),
    (f"g {X3} {{ y = MatMul(x) }}", r"W must be an initializer of floats with 2 axes, not None"),
    (f"g {X3} {{ y = MatMul(x, x) }}", r"W must be an initializer of floats with 2 axes, not what a node gives"),
    (f"g {X3} <double[3,2] W = {{1,2,3,4,5,6}}, float[2] b = {{1, 2}}> {{ y = Gemm(x, W, b) }}", "b must be float64 as other weights are, not float32"),
    ("g (float[N,3] x) => (double[N,3] y) <float[3,3] W = {1,2,3,4,5,6,7,8,9}> { m = MatMul(x, W) y = Cast <to = 11> (m) }", "must cast to the dtype of the weights, float32, not float64"),
    (f"g {X3} <int64[3,2] W = {{1,2,3,4,5,6}}> {{ y = MatMul(x, W) }}", "W must be an initializer of floats with 2 axes"),
    (f"g {X3} {W2} {{ s = Softmax(x) y = MatMul(s, W) }}", r"node 'y' \(MatMul\) must not follow a softmax, which must be the last"),
    ("g (float[N,3] x) => (float[N,3] y) { y = Add(x, x) }", "must add up two values, not one and itself"),
    ("g (float[N,3] x) => (float[N,3] y) { r = Relu(x) y = Mul(x, r) }", r"must be by a number for each feature, or x sigmoid\(x\)"),
    ("g (float[N,3] x) => (float[N,3] y) { a = Relu(x) b = Tanh(a) c = Add(b, x) y = Add(c, b) }", "no layers in common with others"),
    ("g (float[N,3] x) => (float[N,3] y) { y = Dropout(x) z = Relu(y) }", "the network must have 1 to 1000 layers, not 0"),
    ("g (float[N,3] x) => (float[N,3] y) { z = Relu(x) }", "output 'y' must be what the network computes, not a constant"),
    ("g (float[N,3] x, float[N,3] z) => (float[N,3] y) { y = Add(x, z) }", "the graph must have one input, not 'x', 'z'"),
    ("g (float[N,3] x) => (float[N,3] y, float[N,3] z) { y = Relu(x) z = Tanh(x) }", "must have one output of floats, not 'y', 'z'"),
    ("g (float[N,3] x) => (float[N,3] y) { y = Relu(x) y = Tanh(x) }", "value 'y' must be given once, not by several nodes"),
    ("g (float16[N,3] x) => (float16[N,3] y) { y = Relu(x) }", "input 'x' must be float32 or float64, not type 10"),
    ("g (float[3] x) => (float[3] y) { y = Relu(x) }", r"input 'x' must have a shape \(N, ...\), not \[3\]"),
    ("g (float[N,0] x) => (float[N,0] y) { y = Relu(x) }", r"input 'x' must have a shape \(N, ...\), not \['?N?"),
    ("g (float[N,3,4] x) => (float[N,3] y) { y = Flatten <axis = 2> (x) }", "must have axis 1"),
    ("g (float[N,3,4] x) => (float[N,4,3] y) { y = Transpose <perm = [1, 0, 2]> (x) }", "must put the features of x first or last"),
    ("g (float[N,2,3,3] x) => (float[N,12] y) <float[2,2,2,2] W = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}> { c = Conv(x, W) y = Flatten(c) }", "output 'y' must not be a Flatten of channels-first images: their order is lost"),
    ("g (float[N,2,H,3] x) => (float[N,12] y) <float[2,2,2,2] W = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}> { c = Conv(x, W) y = Flatten(c) }", "must have images of a fixed size"),
    ("g (float[N,2,3,3] x) => (float[N,2,3,3] y) { y = MaxPool <kernel_shape = [2, 2], ceil_mode = 1> (x) }", "must have ceil_mode 0"),
    ("g (float[N,2,3,3] x) => (float[N,2,3,3] y) { y = MaxPool <kernel_shape = [5, 5]> (x) }", r"MaxPool2D\(5, stride=1\) takes images of 5 x 5 pixels or more, not \(3, 3, 2\)"),
    ("g (float[N,2,3,3] x) => (float[N,2,3,3] y) { y = MaxPool <kernel_shape = [2, 2], strides = [0, 1]> (x) }", "must be a whole number, 1 or more, not 0"),
    ("g (float[N,2,3,3] x) => (float[N,2,3,3] y) { y = MaxPool <kernel_shape = [2, 2], pads = [4611686018427387904, 0, 0, 0]> (x) }", "must have small pads"),
    ("g (float[N,2,3,3] x) => (float[N,2,3,3] y) { y = AveragePool <kernel_shape = [2, 2], pads = [1, 0, 0, 0]> (x) }", "have pads that are the same on both sides or TensorFlow's 'same', not"),
    ("g (float[N,2,3,3] x) => (float[N,2,3,3] y) { y = AveragePool <kernel_shape = [2, 2], pads = [1, 1, 1, 1], count_include_pad = 1> (x) }", "must have count_include_pad=0"),
    ("g (float[N,2,3,3] x) => (float[N,2,3,3] y) <float[2,1,1,1] W = {1,2}> { y = Conv <group = 2> (x, W) }", "must have one group"),
    ("g (float[N,2] x) => (float[N,2] y) <float[2] a = {1,2}> { y = BatchNormalization <epsilon = 0.0> (x, a, a, a, a) }", "eps must be more than 0"),
    ("g (float[N,2] x) => (float[N,2] y) <float[2] a = {1,2}> { y = BatchNormalization <training_mode = 1> (x, a, a, a, a) }", "must be in use, training_mode 0"),
    ("g (float[N,2] x) => (float[N,2] y) <float[2] a = {1,0}> { y = Div(x, a) }", "must not divide by 0"),
    ("g (float[N,2] x) => (float[N,2] y) <float[2] a = {1,0}> { y = Sub(a, x) }", "must be x - b, or 1 - p for two classes"),
    ("g (float[N,2] x) => (float[N,2] y) { y = LeakyRelu <alpha = -1.0> (x) }", "LeakyReLU: slope must be a number, 0 or more, not -1"),
    ("g (float[N,4] x) => (float[N,2,2] y) { r = Relu(x) s = Constant <value = int64[3] {-1, 2, 2}> () y = Reshape(r, s) }", "must make rows of all numbers of an example, or stand at one of the ends"),
]  # fmt: skip


@pytest.mark.parametrize("text, says", REFUSED)
def test_refused(text, says, tmp_path):
    refused(parsed(text, tmp_path / "a.onnx"), says)


def proto(tmp_path, softmax=True):
    to_onnx(resnet(shape=(6, 6, 3)), tmp_path / "a.onnx", softmax=softmax)
    return onnx.load(tmp_path / "a.onnx")


def test_weights_in_another_file_are_refused(tmp_path):
    model = proto(tmp_path)
    onnx.save_model(
        model, tmp_path / "b.onnx", save_as_external_data=True, location="/etc/passwd"[5:], size_threshold=0
    )
    refused(
        tmp_path / "b.onnx",
        r"initializer '1.W' must be in this file, not in another: torch.onnx.export\(..., external_data=False\)",
    )


def edit(model, **changes):
    tensor = model.graph.initializer[0]
    for name, value in changes.items():
        if name in ("dims", "float_data"):
            del getattr(tensor, name)[:]
            getattr(tensor, name).extend(value)
        else:
            setattr(tensor, name, value)


HOSTILE = [
    (lambda m: edit(m, dims=[2**40, 2**40]), "initializer '1.W' must have as many numbers as its shape says, not 108"),
    (lambda m: edit(m, dims=[2**40, 0]), "must have as many numbers as its shape says"),
    (lambda m: edit(m, dims=[0, 2**62], raw_data=b""), "as many numbers as its shape says"),
    (lambda m: edit(m, dims=[-4, -3, 3, 3]), "as many numbers as its shape says"),
    (lambda m: edit(m, dims=[1] * 10**5), "as many numbers as its shape says"),
    (lambda m: edit(m, raw_data=b"abc"), "as many numbers as its shape says, not 0.75"),
    (lambda m: edit(m, data_type=10), "must be of float32, float64 or whole numbers, not type 10"),
    (lambda m: edit(m, data_type=99), "must be of float32, float64 or whole numbers, not type 99"),
    (lambda m: edit(m, data_type=11), "as many numbers as its shape says, not 54"),
    (lambda m: edit(m, data_location=1), "must be in this file"),
    (lambda m: m.graph.initializer.append(m.graph.initializer[0]), "each initializer must have a name of its own"),
    (lambda m: m.functions.add(), "must not define functions of its own"),
    (lambda m: m.graph.sparse_initializer.add(), "initializers must be dense, not sparse"),
    (lambda m: m.graph.node.extend([m.graph.node[1]] * 10_001), "the graph must have at most 10000 nodes"),
    (lambda m: m.graph.node.append(m.graph.node.pop(0)), "must come from a node before it, not from none"),
    (lambda m: m.graph.node[3].input.__setitem__(0, "y"), "must come from a node before it, not from none"),
    (lambda m: m.graph.ClearField("output"), "the graph must have one output of floats, not none"),
    (lambda m: m.graph.ClearField("input"), "the graph must have one input, not none"),
    (lambda m: m.ClearField("graph"), "the graph must have one output of floats, not none"),
    (lambda m: m.ClearField("opset_import"), r"opset must be one of 7 to \d+, not none: is it an ONNX file\?"),
    (lambda m: setattr(m.opset_import[0], "version", 10**6), "opset must be one of 7 to"),
]


@pytest.mark.parametrize("change, says", HOSTILE)
def test_hostile(change, says, tmp_path):
    model = proto(tmp_path)
    change(model)
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    tracemalloc.start()
    try:
        refused(tmp_path / "a.onnx", says)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**25


def test_branches_of_branches_stay_small(tmp_path):
    """A thousand sums of sums: each layer stands in one branch, so that nothing grows beyond the graph."""
    lines = ["v0 = Relu(x)"] + [f"r{n} = Tanh(v{n}) v{n + 1} = Add(r{n}, v{n})" for n in range(900)]
    path = parsed(
        f"g (float[N, 2] x) => (float[N, 2] y) {{ {' '.join(lines)} y = Identity(v900) }}", tmp_path / "a.onnx"
    )
    assert len(from_onnx(path, "numpy")) == 901
    deep = ["r0 = Relu(x)"] + [f"r{n + 1} = Tanh(r{n})" for n in range(1200)]
    path = parsed(f"g (float[N, 2] x) => (float[N, 2] y) {{ {' '.join(deep)} y = Relu(r1200) }}", tmp_path / "a.onnx")
    refused(path, "the network must have at most 1000 layers, not more")


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return proto(tmp_path_factory.mktemp("fuzz")).SerializeToString()


def test_cut_at_any_byte(content, tmp_path):
    """Refused, or, where what is cut off says nothing (the last bytes are the opset), the same network."""
    path, loaded = tmp_path / "a.onnx", 0
    for end in [*range(0, len(content), 37), *range(len(content) - 40, len(content))]:
        path.write_bytes(content[:end])
        with contextlib.suppress(CheckpointError):
            from_onnx(path, "numpy")
            loaded += 1
    assert loaded == 0


@settings(max_examples=300)
@given(data=st.data())
def test_damaged(data, content, tmp_path_factory):
    """Bytes changed, put in and taken out: a network or a CheckpointError, nothing else, and no more memory than that."""
    path = tmp_path_factory.mktemp("fuzz") / "a.onnx"
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        # weights are most of the file, and each change of them is right: the graph's own bytes are tried more
        place = data.draw(st.one_of(st.integers(0, len(damaged) - 1), st.integers(0, min(2500, len(damaged) - 1))))
        piece = data.draw(st.binary(max_size=3))
        damaged[place : place + data.draw(st.integers(0, 3))] = piece
    path.write_bytes(damaged)
    tracemalloc.start()
    try:
        with contextlib.suppress(CheckpointError):
            from_onnx(path, "numpy")
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()


@given(data=st.data())
@settings(max_examples=300)
def test_edited(data, content, tmp_path_factory):
    """A file whole and of its format, in which a node has other inputs, attributes, or another op."""
    from tinynn.bridges.onnx.reading import READ

    model = onnx.ModelProto.FromString(content)
    names = [
        *(name for node in model.graph.node for name in node.output),
        *(one.name for one in model.graph.initializer),
        "x",
        "",
    ]
    for _ in range(data.draw(st.integers(1, 3))):
        node = data.draw(st.sampled_from(model.graph.node))
        kind = data.draw(st.sampled_from(["input", "op", "drop", "attribute", "ints"]))
        if kind == "input" and node.input:
            node.input[data.draw(st.integers(0, len(node.input) - 1))] = data.draw(st.sampled_from(names))
        elif kind == "op":
            node.op_type = data.draw(st.sampled_from(sorted(READ)))
        elif kind == "drop" and node.input:
            node.input.pop()
        elif kind == "ints" and node.attribute:
            one = data.draw(st.sampled_from(node.attribute))
            del one.ints[:]
            one.ints.extend(data.draw(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5)))
        elif node.attribute:
            one = data.draw(st.sampled_from(node.attribute))
            one.i = data.draw(st.integers(-(2**63), 2**63 - 1))
            one.f = data.draw(st.floats(width=32))
            one.type = data.draw(st.integers(0, 14))
    path = tmp_path_factory.mktemp("fuzz") / "a.onnx"
    path.write_bytes(model.SerializeToString())
    with contextlib.suppress(CheckpointError):
        from_onnx(path, "numpy")


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\xff" * 100, b"PK\3\4", b'{"a": 1}' * 50, b"\x08\x09"])
def test_no_file_of_the_format(content, tmp_path):
    (tmp_path / "a.onnx").write_bytes(content)
    refused(
        tmp_path / "a.onnx",
        "the file must be whole and of its format, but (it is empty|reading it raises DecodeError)|"
        "opset must be one of 7 to .* is it an ONNX file",
    )


def test_on_every_backend(any_backend, rng, tmp_path):
    model = settle(
        Sequential(Conv2D(2, 3, 2), BatchNorm(3), ReLU(), tinynn.Flatten(), Affine(27, 2), shape=(4, 4, 2), seed=0), rng
    )
    x = rng.normal(size=(3, 4, 4, 2)).astype("float32")
    to_onnx(model.copy(backend=any_backend), tmp_path / "a.onnx")
    again = from_onnx(tmp_path / "a.onnx", any_backend)
    assert again.backend == any_backend
    np.testing.assert_allclose(again.predict(x), model.predict(x), atol=1e-5)


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setitem(sys.modules, "onnx.helper", None)
    for call in (lambda: from_onnx(tmp_path / "a"), lambda: to_onnx(Sequential(Affine(2, 3), seed=0), tmp_path / "a")):
        with pytest.raises(ImportError, match="for networks as ONNX: pip install onnx"):
            call()


def test_nothing_to_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="cannot be loaded: there is no such file"):
        from_onnx(tmp_path / "a.onnx")
    with pytest.raises(ValueError, match="backend must be one of"):
        from_onnx(tmp_path / "a.onnx", backend="onnx")
