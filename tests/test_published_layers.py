"""Numbers that others have published on layers, losses and optimizers: published_layers.json has them, with sources.

A test per entry or per family, as in test_published.py; `tol` is an absolute tolerance. Others keep images as
(N, C, H, W) and kernels as (O, C, KH, KW): they are transposed at the border. A `recipe` is the source's own program.
The last part is about numbers in print that are wrong, with the slips that give them.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from test_published import affine, agree, alone, floats, network, row, vector

from tinynn import (
    ELU,
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
    GELUTanh,
    GlobalAvgPool,
    Huber,
    Layer,
    MaxPool2D,
    ReLU,
    Residual,
    RMSProp,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    Softplus,
    backends,
)

pytestmark = pytest.mark.published

FILE = json.loads(Path(__file__).with_name("published_layers.json").read_text())
VALUES = {entry["id"]: entry for entry in FILE["entries"] + FILE["errata"]}
TESTED: list[str] = []


def published(*ids):
    """Mark a test as that of these entries; it gets them one at a time, as `entry`."""
    TESTED.extend(ids)
    return pytest.mark.parametrize("entry", [VALUES[name] for name in ids], ids=ids)


def test_every_entry_has_its_test():
    assert sorted(TESTED) == sorted(VALUES)


# --- helpers ---------------------------------------------------------------------------------------------------------


def drawn(entry):
    """The arrays that the source's recipe makes."""
    names = {"np": np}
    exec(entry["inputs"]["recipe"], names)
    return SimpleNamespace(**names)


def image(pixels):
    """(H, W), (C, H, W) or (N, C, H, W) as images (N, H, W, C)."""
    pixels = floats(pixels)
    return pixels.reshape((1, 1, *pixels.shape)[-4:]).transpose(0, 2, 3, 1)


def channels_first(images):
    """Images (N, H, W, C) as (N, C, H, W)."""
    return images.transpose(0, 3, 1, 2)


def conv(cpu, W, b=None, **options):
    """A Conv2D alone with the kernel W (KH, KW, C, O); b zeros if not given."""
    layer = Conv2D(W.shape[2], W.shape[3], W.shape[:2], **options)
    layer.W, layer.b = W, np.zeros(W.shape[3]) if b is None else b
    return alone(cpu, layer)


def counted(*shape):
    """1, 2, 3, ... in an array of this shape."""
    return np.arange(1.0, math.prod(shape) + 1).reshape(shape)


def dropout(cpu, rate, kept):
    """A Dropout alone that keeps what `kept` says, 1 or 0 for each number, in place of what it would draw."""
    layer = alone(cpu, Dropout(rate))
    layer.rng = SimpleNamespace(random=lambda shape, dtype: floats(kept).reshape(shape))  # kept where it is >= rate
    return layer


def sizes(value):
    """A size as the layers take it: what is a list in the file is a pair."""
    return tuple(value) if isinstance(value, list) else value


# --- convolution -----------------------------------------------------------------------------------------------------


@published("cs231n_fork.conv_backward")
def test_conv_backward(entry, cpu):
    """A CS231n solution's unit test: the three gradients of a convolution with padding 2. Conv2D."""
    given, expected = drawn(entry), entry["expected"]
    layer = conv(cpu, given.w.transpose(2, 3, 1, 0), given.b[:2], padding=entry["inputs"]["pad"])
    layer.forward(image(given.x))
    dx = layer.backward(image(given.dout))
    agree(channels_first(dx), expected["dx"], entry["tol"])
    agree(layer.dW.transpose(3, 2, 0, 1), expected["dw"], entry["tol"])
    agree(layer.db, expected["db"], entry["tol"])


@published("dlai.C4W1.conv_forward_v1", "dlai.C4W1.conv_forward_v2")
def test_deeplearning_ai_conv_forward(entry, cpu):
    """deeplearning.ai, Course 4, Week 1, conv_forward: the mean of Z and the channels of one pixel. Conv2D."""
    given, expected = drawn(entry), dict(entry["expected"])
    layer = conv(cpu, given.W, given.b.ravel(), stride=entry["inputs"]["stride"], padding=entry["inputs"]["pad"])
    Z = layer.forward(given.A_prev)
    agree(Z.mean(), expected.pop("mean_Z"), 1e-12)
    ((place, pixel),) = expected.items()
    agree(Z[tuple(map(int, re.findall(r"\d", place)))], pixel, entry["tol"])


@published("dlai.C4W1.conv_single_step")
def test_deeplearning_ai_single_step(entry, cpu):
    """deeplearning.ai, Course 4, Week 1, conv_single_step: one window as large as its kernel. Conv2D."""
    given = drawn(entry)
    layer = conv(cpu, given.W[..., None], given.b.ravel())
    agree(layer.forward(given.a[None]), entry["expected"]["Z"], entry["tol"])


@published("d2l.corr2d_multi_in_out")
def test_d2l_several_channels(entry, cpu):
    """Dive into Deep Learning 7.4: two channels in, three out. Conv2D."""
    layer = conv(cpu, floats(entry["inputs"]["K"]).transpose(2, 3, 1, 0))
    agree(channels_first(layer.forward(image(entry["inputs"]["X"]))), entry["expected"]["out"], entry["tol"])


@published("d2l.edge_detector")
def test_d2l_edge_detector(entry, cpu):
    """Dive into Deep Learning 7.2: the kernel (1, -1) finds upright edges and no level ones. Conv2D.

    A kernel that is turned round, as in the convolution of mathematics, would exchange the signs.
    """
    given = drawn(entry)
    layer = conv(cpu, given.K[:, :, None, None])
    agree(layer.forward(image(given.X)), entry["expected"]["out"], entry["tol"])
    agree(layer.forward(image(given.X.T)), entry["expected"]["out_transposed_X"], entry["tol"])


@published("tf.conv2d_same")
def test_tensorflow_same_padding(entry, cpu):
    """TensorFlow, conv_ops_test.py: with an odd number of pixels to add, the odd one is at the end. Conv2D."""
    for name, x, W, stride in entry["inputs"]["cases"]:
        layer = conv(cpu, counted(*W), stride=sizes(stride), padding="same")
        agree(layer.forward(counted(*x)).ravel(), entry["expected"][name], entry["tol"])


@published("tf.conv2d_backprop_input")
def test_tensorflow_conv_dx(entry, cpu):
    """TensorFlow, conv_ops_test.py: dx of seven convolutions, with strides up to beyond the kernel. Conv2D."""
    for name, x, W, dy, stride, padding in entry["inputs"]["cases"]:
        layer = conv(cpu, counted(*W), stride=sizes(stride), padding={"SAME": "same", "VALID": 0}[padding])
        assert list(layer.forward(counted(*x)).shape) == dy
        agree(layer.backward(counted(*dy)).ravel(), entry["expected"][name], entry["tol"])


@published("onnx.conv")
def test_onnx_conv(entry, cpu):
    """ONNX, conv.py: strides and paddings, also of one axis only. Conv2D."""
    given = vars(drawn(entry))
    for name, (x, stride, padding) in entry["inputs"]["cases"].items():
        layer = conv(cpu, given["W"][:, :, None, None], stride=stride, padding=sizes(padding))
        agree(layer.forward(image(given[x])), entry["expected"][name], entry["tol"])


# --- pooling ---------------------------------------------------------------------------------------------------------


@published("cs231n.A2.max_pool_forward")
def test_cs231n_max_pool(entry, cpu):
    """CS231n assignment 2, max_pool_forward_naive: on numbers that go up the last of a window is the largest."""
    pool = alone(cpu, MaxPool2D(sizes(entry["inputs"]["pool"]), entry["inputs"]["stride"]))
    agree(channels_first(pool.forward(image(drawn(entry).x))), entry["expected"]["out"], entry["tol"])


@published("dlai.C4W1.pool_forward_v1", "dlai.C4W1.pool_forward_v2")
def test_deeplearning_ai_pool_forward(entry, cpu):
    """deeplearning.ai, Course 4, Week 1, pool_forward: windows of 3 at stride 2. MaxPool2D, AvgPool2D."""
    x = drawn(entry).A_prev
    for key, value in entry["expected"].items():
        kind, example = re.fullmatch(r"(max|average)(?:\[(\d)\])?", key).groups()
        pool = {"max": MaxPool2D, "average": AvgPool2D}[kind](entry["inputs"]["f"], entry["inputs"]["stride"])
        y = alone(cpu, pool).forward(x)
        agree(y if example is None else y[int(example)], value, entry["tol"])


@published("d2l.pool2d")
def test_d2l_pooling(entry, cpu):
    """Dive into Deep Learning 7.5: the window, its stride and its padding, also of each axis. MaxPool2D, AvgPool2D."""
    X, X16 = image(entry["inputs"]["X"]), np.arange(16.0).reshape(1, 4, 4, 1)
    got = {
        "max_2x2_s1": alone(cpu, MaxPool2D(2, 1)).forward(X),
        "avg_2x2_s1": alone(cpu, AvgPool2D(2, 1)).forward(X),
        "X16_max_3x3": alone(cpu, MaxPool2D(3)).forward(X16),
        "X16_max_3x3_s2_p1": alone(cpu, MaxPool2D(3, 2, padding=1)).forward(X16),
        "X16_max_2x3_s2x3_p0x1": alone(cpu, MaxPool2D((2, 3), (2, 3), (0, 1))).forward(X16),
    }
    assert got.keys() == entry["expected"].keys()
    for name, value in entry["expected"].items():
        agree(got[name], value, entry["tol"])


@published("tf.max_pool_grad_ties")
def test_tensorflow_max_pool_gradient_of_ties(entry, cpu):
    """TensorFlow, pooling_ops_test.py: of equal maxima the first gets all, and the padding is -inf. MaxPool2D's ops.

    The ops, since the layer has no padding of its own for each side.
    """
    ops, given = backends.load(cpu), entry["inputs"]
    for name, (x, dy, size, stride, around) in given["cases"].items():
        shape, size, stride, around = (1, 4, 4, 1), (size, size), (stride, stride), tuple(map(tuple, around))
        y, places = ops.max_pool2d(floats(given[x]).reshape(shape), size, stride, around)
        dx = ops.max_pool2d_backward(floats(given[dy]).reshape(y.shape), places, shape, size, stride, around)
        agree(dx.ravel(), entry["expected"][name], entry["tol"])


@published("onnx.averagepool")
def test_onnx_average_pool(entry, cpu):
    """ONNX, averagepool.py: padding that is not counted is AvgPool2D's; what is counted is put on by hand.

    ONNX's ceil has windows reach beyond the image where they begin in it: here that is padding="same".
    """
    x, x16, x3 = image(counted(5, 5)), image(counted(4, 4)), image(entry["inputs"]["x3"])

    def zeros(x, n):
        return np.pad(x, ((0, 0), (n, n), (n, n), (0, 0)))

    got = {
        "pads2": alone(cpu, AvgPool2D(5, 1, padding=2)).forward(x),
        "include_pad": alone(cpu, AvgPool2D(5, 1)).forward(zeros(x, 2)),
        "strides": alone(cpu, AvgPool2D(2)).forward(x),
        "same_upper": alone(cpu, AvgPool2D(3, 2, padding="same")).forward(x),
        "ceil": alone(cpu, AvgPool2D(3, 2, padding="same")).forward(x16),
        "ceil_last_on_pad": alone(cpu, AvgPool2D(3)).forward(zeros(x3, 1)),
    }
    assert got.keys() == entry["expected"].keys()
    for name, value in entry["expected"].items():
        agree(got[name], value, entry["tol"])


@published("onnx.globalaveragepool")
def test_onnx_global_average_pool(entry, cpu):
    """ONNX, globalaveragepool.py: the mean over an image. GlobalAvgPool."""
    agree(alone(cpu, GlobalAvgPool()).forward(image(entry["inputs"]["x"])), entry["expected"]["y"], entry["tol"])


@published("torch.MaxUnpool2d_doc")
def test_pytorch_unpooling(entry, cpu):
    """PyTorch's documentation, MaxUnpool2d: to put maxima back is MaxPool2D's backward, with them as dy."""
    pool = alone(cpu, MaxPool2D(sizes(entry["inputs"]["pool"]), entry["inputs"]["stride"]))
    y = pool.forward(image(counted(4, 4)))
    agree(y, entry["expected"]["pooled"], entry["tol"])
    agree(pool.backward(y), entry["expected"]["unpooled"], entry["tol"])


# --- normalization ---------------------------------------------------------------------------------------------------


@published("cs231n.A2.batchnorm_forward", "cs231n.A2.spatial_batchnorm")
def test_cs231n_batch_norm(entry, cpu):
    """CS231n assignment 2: mean and deviation before and after, of a table and of images. BatchNorm.

    The deviation is below 1 by eps / (2 var): eps stands inside the root.
    """
    given, inputs, expected = drawn(entry), entry["inputs"], entry["expected"]
    x = image(given.x) if hasattr(given, "x") else given.a
    axes = tuple(range(x.ndim - 1))
    model = network(cpu, BatchNorm(3, eps=inputs["eps"]))
    y = model.forward(x)
    model[0].g, model[0].b = floats(inputs["gamma2"]), floats(inputs["beta2"])
    y2 = model.forward(x)
    got = {"mean_before": x.mean(axes), "std_before": x.std(axes), "std_after": y.std(axes)}
    got |= {"mean_after2": y2.mean(axes), "std_after2": y2.std(axes)}
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        agree(got[name], value, entry["tol"])
    agree(y.mean(axes), np.zeros(3), 1e-12)


@published("cs231n.A2.batchnorm_running")
def test_cs231n_running_mean_and_variance(entry, cpu):
    """CS231n assignment 2: a batch normalized with the running mean and variance of 50 others. BatchNorm.

    There the running variance is the biased one and starts at 0. With 200 rows in every batch tinynn's, if it starts
    at 0, is 200 / 199 times that.
    """
    given, layer = drawn(entry), BatchNorm(3, momentum=0.9, eps=entry["inputs"]["eps"])
    layer.var = np.zeros(3)
    model = network(cpu, layer)
    *batches, last = given.batches
    for batch in batches:
        model.forward(batch)
    unbiased = model(last)
    layer.var = layer.var * 199 / 200
    y = model(last)
    agree(y.mean(axis=0), entry["expected"]["mean"], entry["tol"])
    agree(y.std(axis=0), entry["expected"]["std"], entry["tol"])
    assert np.all(np.abs(unbiased.std(axis=0) - entry["expected"]["std"]) > 1e-3)


@published("cs231n_fork.batchnorm_backward_N2")
def test_batch_norm_gradients(entry, cpu):
    """A CS231n solution's unit test: the gradients of g and b for a batch of 2. BatchNorm."""
    given = drawn(entry)
    model = network(cpu, BatchNorm(2, eps=entry["inputs"]["eps"]))
    model[0].g, model[0].b = given.gamma, given.beta
    model.forward(given.x)
    model.backward(given.dout)
    agree(model[0].dg, entry["expected"]["dgamma"], entry["tol"])
    agree(model[0].db, entry["expected"]["dbeta"], entry["tol"])


@published("keras.batchnorm_inference")
def test_keras_batch_norm_in_use(entry, cpu):
    """Keras, ops/nn_test.py: a batch normalized with a mean and a variance that are given. BatchNorm."""
    given, x = entry["inputs"], floats(entry["inputs"]["x"])
    model = network(cpu, BatchNorm(3, eps=given["eps"]))
    model[0].mean, model[0].var = floats(given["mean"]), floats(given["variance"])
    agree(model(x), entry["expected"]["y_plain"], entry["tol"])
    model[0].g, model[0].b = floats(given["scale"]), floats(given["offset"])
    agree(model(x), entry["expected"]["y"], entry["tol"])


@published("cs231n.A2.fc_plain_loss", "cs231n.A2.fc_batchnorm_loss")
def test_cs231n_first_losses(entry, cpu):
    """CS231n assignment 2: a net's loss before training, to 16 digits. Affine, BatchNorm, ReLU, SoftmaxCrossEntropy.

    The penalty reg |W|^2 / 2 by hand.
    """
    given, expected = drawn(entry), entry["expected"]
    for reg, Ws in zip(entry["inputs"]["regs"], given.nets):
        normalized = "batchnorm" in entry["id"]
        norms = [[BatchNorm(W.shape[1])] if normalized else [] for W in Ws]
        first, second, third = map(affine, Ws)
        model = network(cpu, first, *norms[0], ReLU(), second, *norms[1], ReLU(), third)
        loss = SoftmaxCrossEntropy(cpu)(model.forward(given.X), given.y)
        agree(loss + reg / 2 * sum(np.sum(W * W) for W in Ws), expected[f"loss_reg{reg}"], entry["tol"])


# --- dropout and blocks ----------------------------------------------------------------------------------------------


@published("dlai.C2W1.dropout_forward")
def test_deeplearning_ai_dropout_forward(entry, cpu):
    """deeplearning.ai, Course 2, Week 1, Regularization: a net with dropout, its masks given. Dropout(1 - keep_prob).

    There one example is a column.
    """
    given, rate = drawn(entry), 1 - entry["inputs"]["keep_prob"]
    first, second = dropout(cpu, rate, given.D1.T), dropout(cpu, rate, given.D2.T)
    x = given.X.T.copy()
    for W, b, *after in (
        (given.W1, given.b1, alone(cpu, ReLU()), first),
        (given.W2, given.b2, alone(cpu, ReLU()), second),
        (given.W3, given.b3, alone(cpu, Sigmoid())),
    ):
        for layer in (alone(cpu, affine(W.T, b.ravel())), *after):
            x = layer.forward(x)
    agree(x.T, entry["expected"]["A3"], entry["tol"])


@published("dlai.C2W1.dropout_backward")
def test_deeplearning_ai_dropout_backward(entry, cpu):
    """deeplearning.ai, Course 2, Week 1, Regularization: the same masks and the same scale go backward. Dropout."""
    given = {name: floats(value).T for name, value in entry["inputs"].items() if isinstance(value, list)}
    rate = 1 - entry["inputs"]["keep_prob"]
    first, second = dropout(cpu, rate, given["D1"]), dropout(cpu, rate, given["D2"])
    relu, *affines = alone(cpu, ReLU(), affine(given["W2"]), affine(given["W3"]))
    for layer, x in zip((first, affines[0], relu, second, affines[1]), ("A1", "A1", "A2", "A2", "A2")):
        layer.forward(given[x])
    dA2 = second.backward(affines[1].backward(given["A3"] - given["Y"]))
    dA1 = first.backward(affines[0].backward(relu.backward(dA2)))
    agree(dA2.T, entry["expected"]["dA2"], entry["tol"])
    agree(dA1.T, entry["expected"]["dA1"], entry["tol"])


@published("raschka.residual_gradients_without")
def test_raschka_gradients_without_shortcuts(entry, cpu):
    """Raschka, LLMs from Scratch, chapter 4: mean |dW| of five layers, which shrinks to the first. GELUTanh, MSE.

    With shortcuts, Residual, the first one's gradient is more than 1000 times as large.
    """
    given = entry["inputs"]
    Ws, bs = [floats(W).T for W in given["W_out_in"]], map(floats, given["b"])
    blocks = [(affine(W, b), GELUTanh()) for W, b in zip(Ws, bs)]
    model, loss = network(cpu, *(layer for block in blocks for layer in block)), MSE(cpu)

    def train(model):
        loss.forward(model.forward(floats(given["x"])), floats(given["target"]))
        model.backward(loss.backward())

    train(model)
    means = [np.abs(model[n].dW).mean() for n in range(0, 10, 2)]
    agree(means, entry["expected"]["mean_abs_dW"], entry["tol"])

    *blocks, last = [(affine(block[0].W, block[0].b), GELUTanh()) for block in blocks]
    train(network(cpu, *(Residual(*block) for block in blocks), *last))
    assert np.abs(blocks[0][0].dW).mean() > 1000 * means[0]


@published("dfdx.residual_relu")
def test_dfdx_residual(entry, cpu):
    """dfdx, residual.rs: x + relu(x). Residual."""
    agree(alone(cpu, Residual(ReLU())).forward(row(*entry["inputs"]["x"])), entry["expected"]["y"], entry["tol"])


# --- activations -----------------------------------------------------------------------------------------------------


@published("keras.gelu_tanh")
def test_keras_gelu(entry, cpu):
    """Keras, ops/nn_test.py: gelu, which is the tanh form unless one asks for the other. GELUTanh."""
    agree(alone(cpu, GELUTanh()).forward(row(*entry["inputs"]["x"])), entry["expected"]["y"], entry["tol"])


@published("keras.elu")
def test_keras_elu(entry, cpu):
    """Keras, ops/nn_test.py: elu with two alphas. ELU."""
    for alpha in entry["inputs"]["alpha"]:
        y = alone(cpu, ELU(alpha)).forward(row(*entry["inputs"]["x"]))
        agree(y, entry["expected"][f"a{alpha}"], entry["tol"])


@published("onnx.elu")
def test_onnx_elu(entry, cpu):
    """ONNX, elu.py: alpha = 2. ELU."""
    y = alone(cpu, ELU(entry["inputs"]["alpha"])).forward(row(*entry["inputs"]["x"]))
    agree(y, entry["expected"]["y"], entry["tol"])


@published("keras.softplus")
def test_keras_softplus(entry, cpu):
    """Keras, ops/nn_test.py: softplus(x), and log(sigmoid(x)), which is -softplus(-x). Softplus."""
    softplus, x = alone(cpu, Softplus()), row(*entry["inputs"]["x"])
    agree(softplus.forward(x), entry["expected"]["softplus"], entry["tol"])
    agree(-softplus.forward(-x), entry["expected"]["log_sigmoid"], entry["tol"])


@published("onnx.softplus")
def test_onnx_softplus(entry, cpu):
    """ONNX, softplus.py. Softplus; where the reference's log(exp(x) + 1) overflows, it does not."""
    softplus = alone(cpu, Softplus())
    agree(softplus.forward(row(*entry["inputs"]["x"])), entry["expected"]["y"], entry["tol"])
    assert softplus.forward(np.array([[89]], np.float32)) == 89


@published("keras.softmax_axes")
def test_keras_softmax_along_axes(entry, cpu):
    """Keras, ops/nn_test.py: softmax and its logarithm along rows, along columns and over all. The op softmax."""
    softmax, x = backends.load(cpu).softmax, floats(entry["inputs"]["x"])
    got = {"axis_none": softmax(x.reshape(1, 6)).reshape(2, 3), "axis0": softmax(x.T.copy()).T, "axis-1": softmax(x)}
    got |= {f"log_{name.removeprefix('axis_')}": np.log(p) for name, p in got.items()}
    assert got.keys() == entry["expected"].keys()
    for name, value in entry["expected"].items():
        agree(got[name], value, entry["tol"])


@published("keras.softmax_masked")
def test_keras_softmax_with_a_mask(entry, cpu):
    """Keras, softmax_test.py: what is masked has the score -inf, and the probability 0. The op softmax."""
    y = np.where(entry["inputs"]["mask"], floats(entry["inputs"]["x"]), -math.inf)
    agree(backends.load(cpu).softmax(y), entry["expected"]["y"], entry["tol"])


# --- losses ----------------------------------------------------------------------------------------------------------


def logits(p):
    """The scores whose sigmoid is p."""
    return np.log(p) - np.log1p(-floats(p))


def one_by_one(loss, y, t):
    """The loss of each number, or of each row."""
    y, t = np.atleast_2d(floats(y).T).T, np.atleast_2d(floats(t).T).T
    return [loss(y[n : n + 1], t[n : n + 1]) for n in range(len(y))]


@published("keras.bce_probs")
def test_keras_binary_cross_entropy(entry, cpu):
    """Keras, losses_test.py: the mean over all of a table of probabilities. BinaryCrossEntropy takes their logits."""
    y, t = logits(floats(entry["inputs"]["y_pred"])), floats(entry["inputs"]["y_true"])
    agree(BinaryCrossEntropy(cpu)(y, t), entry["expected"]["loss"], entry["tol"])


@published("keras.binary_crossentropy_elementwise")
def test_keras_binary_cross_entropy_one_by_one(entry, cpu):
    """Keras, ops/nn_test.py: targets between 0 and 1, of probabilities and of logits. BinaryCrossEntropy."""
    given, expected = entry["inputs"], entry["expected"]
    for name, y in (
        ("probs", logits(floats(given["output"]))),
        ("logits", given["output"]),
        ("logits2", given["output2"]),
    ):
        agree(one_by_one(BinaryCrossEntropy(cpu), y, given["target"]), expected[name], entry["tol"])


@published("tf.sigmoid_cross_entropy_doc")
def test_tensorflow_sigmoid_cross_entropy(entry, cpu):
    """TensorFlow's documentation, sigmoid_cross_entropy_with_logits. BinaryCrossEntropy."""
    got = one_by_one(BinaryCrossEntropy(cpu), entry["inputs"]["logits"], entry["inputs"]["labels"])
    agree(got, entry["expected"]["loss"], entry["tol"])


@published("optax.huber")
def test_optax_huber(entry, cpu):
    """Optax, _regression_test.py: two errors are delta itself, where both formulas agree. Huber."""
    got = one_by_one(Huber(entry["inputs"]["delta"], cpu), entry["inputs"]["pred"], entry["inputs"]["target"])
    agree(got, entry["expected"]["loss"], entry["tol"])


@published("keras.mae")
def test_keras_mae(entry, cpu):
    """Keras, losses_test.py: of all, of each row, and with weights. MAE.

    Keras divides a weighted sum by the number of rows, tinynn by the sum of the weights.
    """
    y, t = floats(entry["inputs"]["y_pred"]), floats(entry["inputs"]["y_true"])
    weight, loss, expected = floats(entry["inputs"]["sample_weight"])[:, 0], MAE(cpu), entry["expected"]
    agree(loss(y, t), expected["loss"], entry["tol"])
    agree(2.3 * floats(one_by_one(loss, y, t)), expected["per_row_times_2.3"], entry["tol"])
    agree(loss(y, t, weight) * weight.sum() / len(weight), expected["sample_weighted"], entry["tol"])


@published("sklearn.log_loss")
def test_scikit_learn_log_loss(entry, cpu):
    """scikit-learn's documentation, log_loss: as two classes, and as yes or no. SoftmaxCrossEntropy, and binary."""
    p = floats(entry["inputs"]["p_ham_spam"])
    spam = np.array([label == "spam" for label in entry["inputs"]["y"]])
    agree(SoftmaxCrossEntropy(cpu)(np.log(p), spam.astype(int)), entry["expected"]["loss"], entry["tol"])
    yes_or_no = BinaryCrossEntropy(cpu)(logits(p[:, 1:]), spam[:, None].astype(float))
    agree(yes_or_no, entry["expected"]["loss"], entry["tol"])


@published("keras.cce_label_smoothing")
def test_keras_label_smoothing(entry, cpu):
    """Keras, losses_test.py: targets (1 - e) t + e / C, so 400 e / 3 here. SoftmaxCrossEntropy(label_smoothing=e)."""
    y, t = floats(entry["inputs"]["logits"]), floats(entry["inputs"]["y_true"])
    loss = SoftmaxCrossEntropy(cpu, label_smoothing=entry["inputs"]["eps"])
    agree(loss(y, t), entry["expected"]["loss"], entry["tol"])
    agree(loss(y, t.argmax(axis=1)), entry["expected"]["loss"], entry["tol"])


@published("optax.softmax_ce")
def test_optax_softmax_cross_entropy(entry, cpu):
    """Optax, _classification_test.py: each row's loss. SoftmaxCrossEntropy."""
    got = one_by_one(SoftmaxCrossEntropy(cpu), entry["inputs"]["logits"], entry["inputs"]["labels"])
    agree(got, entry["expected"]["loss"], entry["tol"])


@published("optax.poly_loss")
def test_optax_soft_targets(entry, cpu):
    """Optax, _classification_test.py: the cross-entropy of soft targets. SoftmaxCrossEntropy."""
    loss = SoftmaxCrossEntropy(cpu)(row(*entry["inputs"]["logits"]), row(*entry["inputs"]["labels"]))
    agree(loss, entry["expected"]["ce_eps0"], entry["tol"])


# --- optimizers ------------------------------------------------------------------------------------------------------


def descend(cpu, entry, optimizer_class, before=lambda optimizer: None, **settings):
    """Where an optimizer gets on Lasagne's valley, sum of (0.1, 0.2, 0.3) x^2."""
    model = vector(cpu, entry["inputs"]["x0"], [0, 0, 0])
    optimizer = optimizer_class(model, lr=entry["inputs"]["lr"], **settings)
    for _ in range(entry["inputs"]["steps"]):
        model.grads[:] = floats([0.2, 0.4, 0.6]) * model.params
        before(optimizer)
        optimizer.step()
    return model.params


def fold(optimizer, eps):
    """Make eps that of the step's folded form, lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps)."""
    optimizer.eps = eps / math.sqrt(1 - optimizer.beta2 ** (optimizer.t + 1))


@published("cs231n.A2.rmsprop")
def test_cs231n_rmsprop(entry, cpu):
    """CS231n assignment 2, rmsprop: one step from a given mean of squares. RMSProp."""
    given = drawn(entry)
    model = vector(cpu, given.w, given.dw)
    optimizer = RMSProp(model, entry["inputs"]["lr"], entry["inputs"]["decay_rate"], entry["inputs"]["eps"])
    optimizer.v[:] = given.cache.ravel()
    optimizer.step()
    agree(model.params.reshape(4, 5), entry["expected"]["next_w"], entry["tol"])
    agree(optimizer.v.reshape(4, 5), entry["expected"]["cache"], entry["tol"])


@published("keras.rmsprop_single")
def test_keras_rmsprop_step(entry, cpu):
    """Keras, rmsprop_test.py: the first step is lr / sqrt(1 - rho), whatever the gradient. RMSProp."""
    given = entry["inputs"]
    model = vector(cpu, given["w"], given["g"])
    RMSProp(model, given["lr"], given["rho"], given["eps"]).step()
    agree(model.params, entry["expected"]["w1"], entry["tol"])


@published("keras.adamw_single")
def test_keras_adamw_step(entry, cpu):
    """Keras, adamw_test.py: weight decay beside the step, lr weight_decay w. Adam(weight_decay=...)."""
    given = entry["inputs"]
    model = vector(cpu, given["w"], given["g"])
    Adam(model, given["lr"], eps=given["eps"], weight_decay=given["weight_decay"]).step()
    agree(model.params, entry["expected"]["w1"], entry["tol"])


@published("keras.adamw_golden")
def test_keras_adamw_steps(entry, cpu):
    """Keras, adamw_test.py: five steps with eps = 2, in Keras' folded form, so with another eps in each. Adam.

    With eps where tinynn, the paper and PyTorch have it, the first number is 0.4950, not 0.4998.
    """
    given, expected = entry["inputs"], entry["expected"]["w"]
    model = vector(cpu, np.ones(10), np.full(10, 0.01))
    unfolded = vector(cpu, [1], [0.01])
    Adam(unfolded, given["lr"], eps=given["eps"], weight_decay=given["weight_decay"]).step()
    agree(unfolded.params, 0.4950, 5e-5)
    optimizer = Adam(model, given["lr"], weight_decay=given["weight_decay"])
    for value in expected:
        fold(optimizer, given["eps"])
        optimizer.step()
        agree(model.params, value, entry["tol"])
        model.grads[:] = np.arange(1, 11) / 10


@published("dlai.C2W2.momentum", "dlai.C2W2.adam")
def test_deeplearning_ai_optimizers(entry, cpu):
    """deeplearning.ai, Course 2, Week 2: one step of momentum and, with t = 2 and means of 0, one of Adam.

    The course's momentum is a running mean, v = beta v + (1 - beta) g: SGD with lr (1 - beta) makes the same steps.
    """
    given, inputs, names = drawn(entry), entry["inputs"], ("W1", "b1", "W2", "b2")
    arrays = [[getattr(given, d + name).ravel() for name in names] for d in ("", "d")]
    model = vector(cpu, *map(np.concatenate, arrays))
    if entry["id"].endswith("adam"):
        optimizer = Adam(model, inputs["lr"], inputs["beta1"], inputs["beta2"], inputs["eps"])
        optimizer.t = inputs["t"] - 1
    else:
        optimizer = SGD(model, inputs["lr"] * (1 - inputs["beta"]), inputs["beta"])
    optimizer.step()
    agree(model.params, np.concatenate([np.ravel(entry["expected"][name]) for name in names]), entry["tol"])
    if "v_dW1" in entry["expected"]:
        agree(optimizer.velocity[:6] / -inputs["lr"], np.ravel(entry["expected"]["v_dW1"]), entry["tol"])


@published("lasagne.nesterov")
def test_lasagne_nesterov(entry, cpu):
    """Lasagne, test_updates.py: ten steps, made with Torch7, to 13 digits. SGD(nesterov=True)."""
    x = descend(cpu, entry, SGD, momentum=entry["inputs"]["momentum"], nesterov=True)
    agree(x, entry["expected"]["x"], entry["tol"])


@published("lasagne.adam")
def test_lasagne_adam(entry, cpu):
    """Lasagne's ten steps of Adam, to 14 digits, in the folded form. Adam, with another eps in each step.

    With eps where tinynn has it the numbers differ in the 8th digit.
    """
    agree(descend(cpu, entry, Adam, lambda optimizer: fold(optimizer, 1e-8)), entry["expected"]["x"], entry["tol"])
    difference = np.abs(descend(cpu, entry, Adam) - entry["expected"]["x"])
    assert np.all((difference > 1e-8) & (difference < 1e-7))


# --- networks and the number of their parameters ---------------------------------------------------------------------


def lenet(cpu):
    """LeNet-5 as of today: every channel sees every other, and average pooling has nothing to learn."""
    return Sequential(
        *(Conv2D(1, 6, 5, padding=2), Sigmoid(), AvgPool2D(2), Conv2D(6, 16, 5), Sigmoid(), AvgPool2D(2), Flatten()),
        *(Affine(400, 120), Sigmoid(), Affine(120, 84), Sigmoid(), Affine(84, 10)),
        backend=cpu,
        shape=(28, 28, 1),
    )


@published("d2l.lenet_shapes")
def test_d2l_shapes_of_lenet(entry, cpu):
    """Dive into Deep Learning 7.6: what comes out of LeNet's layers, in the summary and in use."""
    model, x = lenet(cpu), np.zeros((1, 28, 28, 1), np.float32)
    model.forward(x)
    shapes = [list(channels_first(model[n].y).shape) for n in (0, 2, 3, 5)]
    assert shapes == entry["expected"]["shapes"]
    assert list(model[6].y.shape) == entry["expected"]["flatten"]
    for _, C, H, W in entry["expected"]["shapes"]:
        assert f"(N, {H}, {W}, {C})" in model.summary()
    assert "(N, 400)" in model.summary()


@published("counts.lenet5")
def test_count_of_lenet(entry, cpu):
    """LeNet-5 with all connections: 61,706, layer by layer and in all. (LeCun et al. 1998 left some out: 60,000.)"""
    model = lenet(cpu)
    assert [layer.W.size + layer.b.size for layer in model if layer.parameters] == entry["expected"]["parts"]
    assert model.params.size == entry["expected"]["total"]
    assert "61,706" in model.summary()


@published("counts.mnist_convnets")
def test_counts_of_convnets_for_mnist(entry, cpu):
    """The MNIST examples of Keras, 34,826, and of PyTorch, 1,199,882."""
    keras = (Conv2D(1, 32, 3), MaxPool2D(2), Conv2D(32, 64, 3), MaxPool2D(2), Flatten(), Affine(1600, 10))
    torch = (Conv2D(1, 32, 3), Conv2D(32, 64, 3), MaxPool2D(2), Flatten(), Affine(9216, 128), Affine(128, 10))
    for name, layers in (("keras", keras), ("torch", torch)):
        model = Sequential(*layers, backend=cpu, shape=(28, 28, 1))
        assert model.params.size == entry["expected"][name]
        assert f"{entry['expected'][name]:,}" in model.summary()


class OptionA(Layer):
    """He et al.'s shortcut without parameters: every second pixel, and channels of zeros beside those of x."""

    def forward(self, x):
        x = x[:, ::2, ::2]
        return np.concatenate([x, np.zeros_like(x)], axis=3)

    def output_shape(self, shape):
        H, W, C = shape
        return -(-H // 2), -(-W // 2), 2 * C


def resnet20(cpu, shortcut):
    """He et al. 2015, section 4.2: three stages of three blocks; `shortcut(C)` where C channels become 2 C."""

    def block(C, D):
        first, second = Conv2D(C, D, 3, stride=D // C, padding=1, bias=False), Conv2D(D, D, 3, padding=1, bias=False)
        layers = (first, BatchNorm(D), ReLU(), second, BatchNorm(D))
        return Residual(*layers, shortcut=None if C == D else shortcut(C)), ReLU()

    widths = [16, 16, 16, 16, 32, 32, 32, 64, 64, 64]
    blocks = [layer for C, D in itertools.pairwise(widths) for layer in block(C, D)]
    start = (Conv2D(3, 16, 3, padding=1, bias=False), BatchNorm(16), ReLU())
    return Sequential(*start, *blocks, GlobalAvgPool(), Affine(64, 10), backend=cpu, shape=(32, 32, 3))


@published("counts.resnet20_cifar")
def test_count_of_resnet20(entry, cpu):
    """He et al. 2015, table 6: 0.27 million, exactly 269,722; shortcuts that are convolutions add 2,752 to them."""
    model = resnet20(cpu, lambda C: OptionA())
    agree(model.params.size / 1e6, entry["expected"]["millions"], entry["tol"])
    assert model.params.size == 269722
    assert "269,722" in model.summary()
    assert model(np.zeros((1, 32, 32, 3), np.float32)).shape == (1, 10)

    def convolution(C):
        return Sequential(Conv2D(C, 2 * C, 1, stride=2, bias=False), BatchNorm(2 * C))

    assert resnet20(cpu, convolution).params.size == 269722 + 2752


@published("counts.vgg16")
def test_count_of_vgg16(entry):
    """VGG-16: 138,357,544. Its layers are asked for their sizes, and no gigabyte of arrays is made."""
    layers, C = [], 3
    for D, number in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(number):
            layers += [Conv2D(C, D, 3, padding=1), ReLU()]
            C = D
        layers.append(MaxPool2D(2))
    layers += [Flatten(), Affine(25088, 4096), ReLU(), Affine(4096, 4096), ReLU(), Affine(4096, 1000)]
    assert Sequential.unbuilt(*layers).output_shape((224, 224, 3)) == (1000,)
    total = sum(math.prod(size) for layer in layers for size in layer.sizes().values())
    assert total == entry["expected"]["total"]


# --- wrong in print --------------------------------------------------------------------------------------------------


@published("cs231n.A2.fc_dropout_loss.unscaled")
def test_wrong_in_print_dropout_without_its_scale(entry, cpu):
    """A CS231n notebook with outputs: its losses come from masks that lack the factor 1 / (1 - rate).

    The masks as they are and Dropout's scale give the right losses; without the scale they are those in print.
    """
    given, expected = drawn(entry), entry["expected"]
    for rate, Ws, masks, right, printed in zip(
        entry["inputs"]["p"], given.nets, given.masks, expected["right"], expected["printed"]
    ):
        for scale, value in ((1, right), (1 - rate, printed)):
            x = given.X
            for W, mask in zip(Ws, masks):
                for layer in (*alone(cpu, affine(W), ReLU()), dropout(cpu, rate, mask)):
                    x = layer.forward(x)
                x = x * scale
            agree(SoftmaxCrossEntropy(cpu)(x @ Ws[2], given.y), value, 1e-14)
    assert np.all(np.abs(floats(expected["right"]) - expected["printed"]) > 1e-5)


@published("cs231n_fork.conv_forward.pad2")
def test_wrong_in_print_total_padding(entry, cpu):
    """A course's fork of CS231n calls the padding of both sides together `pad`: its 2 is 1 on each side."""
    given, expected = drawn(entry), entry["expected"]
    W = given.w.transpose(2, 3, 1, 0)
    right = conv(cpu, W, given.b, stride=2, padding=expected["right"]).forward(image(given.x))
    agree(channels_first(right), expected["out"], 5.1e-9)
    assert conv(cpu, W, given.b, stride=2, padding=expected["printed"]).forward(image(given.x)).shape != right.shape


@published("cs231n_fork.conv_backward.bias")
def test_wrong_in_print_a_bias_too_many(entry, cpu):
    """A CS231n solution's unit test gives 3 biases to 2 filters, and prints a gradient of 0 for the third.

    tinynn's db has two numbers, those of the first two, and a third bias is refused.
    """
    given, expected = drawn(VALUES["cs231n_fork.conv_backward"]), entry["expected"]
    W = given.w.transpose(2, 3, 1, 0)
    layer = conv(cpu, W, given.b[:2], padding=2)
    layer.forward(image(given.x))
    layer.backward(image(given.dout))
    agree(layer.db, expected["right"], 5.1e-9)
    assert expected["printed"] == [*expected["right"], 0]
    with pytest.raises(ValueError, match=r"\bb\b.* must .*\(2,\)"):
        conv(cpu, W, given.b, padding=2)


@published("cs231n_fork.batchnorm_backward_N2.dx")
def test_wrong_in_print_dx_of_a_batch_of_two(entry, cpu):
    """A CS231n solution's unit test: its dx is the round-off of the program that printed it, beyond 3 digits.

    Of two rows y hardly sees x: dx = g (dy1 - dy2) / 2 eps / (var + eps)^1.5 is what eps leaves. BatchNorm.
    """
    given, expected, eps = drawn(VALUES["cs231n_fork.batchnorm_backward_N2"]), entry["expected"], 1e-5
    (layer,) = network(cpu, BatchNorm(2, eps=eps))
    layer.g, layer.b = given.gamma, given.beta
    layer.forward(given.x)
    dx = layer.backward(given.dout)
    closed = given.gamma * (given.dout[0] - given.dout[1]) / 2 * eps / (given.x.var(axis=0) + eps) ** 1.5
    np.testing.assert_allclose(expected["right"], [closed, -closed], rtol=1e-8)
    np.testing.assert_allclose(dx, expected["right"], rtol=1e-6)
    assert np.all(np.abs(floats(expected["printed"]) / expected["right"] - 1) > 1e-4)


@published("keras.sgd_test.nesterov_golden")
def test_wrong_in_print_nesterov_without_momentum(entry, cpu):
    """Keras, sgd_test.py: the values "with Nesterov" have the momentum 0, with which it does nothing.

    They are plain SGD's; tinynn refuses the two together.
    """
    model = vector(cpu, [1, 2], [0.1, 0.2])
    with pytest.raises(ValueError, match="momentum must be more than 0 with nesterov=True"):
        SGD(model, **entry["inputs"], nesterov=True)


@published("keras.bce_clip")
def test_wrong_in_print_clipped_in_float32(entry, cpu):
    """Keras, losses_test.py: 3.98559 is log(2^23) / 4, since 1 - (1 - 1e-7) is 2^-23 in float32; right is log(1e7) / 4.

    BinaryCrossEntropy gives the right one: it never has 1 - p.
    """
    given, expected = entry["inputs"], entry["expected"]
    p, t = np.clip(floats(given["y_pred"]), given["clip"], 1 - given["clip"])[None], row(*given["y_true"])
    agree(BinaryCrossEntropy(cpu)(logits(p), t), expected["right"], 1e-6)
    left = 1 - np.float32(1 - given["clip"])
    assert left == 2.0**-23
    agree(-math.log(left) / 4, expected["printed"], 1e-5)  # cut off, not rounded


@published("onnx.averagepool.ceil_last")
def test_wrong_in_print_mean_of_rounded_numbers(entry, cpu):
    """ONNX, averagepool.py: 0.2841 is not the mean of the printed numbers, which were rounded after it. AvgPool2D."""
    x = np.pad(image(VALUES["onnx.averagepool"]["inputs"]["x3"]), ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = alone(cpu, AvgPool2D(3)).forward(x)[0, 0, 0, 1]
    agree(y, entry["expected"]["right"], 1e-6)
    assert round(y, 4) != entry["expected"]["printed"]


@published("llms_from_scratch.dropout_text")
def test_wrong_in_print_scale_of_dropout(entry, cpu):
    """LLMs from Scratch, issue 431: what is kept is not divided by the rate, but by 1 - rate. Dropout."""
    rate = entry["inputs"]["rate"]
    y = alone(cpu, Dropout(rate)).forward(np.ones((100, 10)))
    agree(np.unique(y), [0, 1 / (1 - rate)], 1e-15)


@published("onnx.maxpool.argmax_strides")
def test_wrong_in_print_places_of_maxima(entry, cpu):
    """ONNX, maxpool.py: the places printed are counted down the columns; row by row they are others. MaxPool2D."""
    pool = alone(cpu, MaxPool2D(entry["inputs"]["pool"], entry["inputs"]["stride"]))
    dx = pool.backward(np.ones_like(pool.forward(image(counted(5, 5)))))[0, :, :, 0]
    rows, columns = np.nonzero(dx)
    agree((5 * rows + columns).reshape(2, 2), entry["expected"]["right"], 0)
    agree((rows + 5 * columns).reshape(2, 2), entry["expected"]["printed"], 0)


@published("cgt.nesterov_golden")
def test_wrong_in_print_nesterov_that_is_plain_momentum(entry, cpu):
    """CGT's test of "Nesterov's momentum" calls the plain one, and its values are that one's, in float32. SGD."""
    valley, expected = VALUES["lasagne.nesterov"], entry["expected"]
    agree(descend(cpu, valley, SGD, momentum=0.5, nesterov=True), expected["right"], 1e-13)
    agree(descend(cpu, valley, SGD, momentum=0.5), expected["printed"], 1e-7)


@published("lasagne.adam_v1")
def test_wrong_in_print_adam_of_the_first_version(entry, cpu):
    """Lasagne, test_updates.py: Torch7's Adam is that of the paper's first version, whose beta1 shrinks in each step.

    beta1 is 0.9 (1 - 1e-8)^(t - 1), but the correction for the start at 0 has 0.9 itself. Adam.
    """
    valley, expected = VALUES["lasagne.adam"], entry["expected"]

    def first_version(optimizer):
        fold(optimizer, 1e-8)
        t = optimizer.t + 1
        optimizer.beta1 = 0.9 * (1 - 1e-8) ** (t - 1)
        optimizer.lr = valley["inputs"]["lr"] * (1 - optimizer.beta1**t) / (1 - 0.9**t)

    agree(descend(cpu, valley, Adam, first_version), expected["printed"], 1e-13)
    agree(descend(cpu, valley, Adam, lambda optimizer: fold(optimizer, 1e-8)), expected["right"], 1e-13)
    assert np.all(np.abs(floats(expected["printed"]) - expected["right"]) > 1e-8)


@published("optax.sigmoid_ce_huge")
def test_wrong_in_print_a_loss_of_5e8(entry, cpu):
    """Optax, _classification_test.py: 5e8 lacks log(2) / 2; its tolerance lets that pass, as float32 does."""
    y, t, expected = row(*entry["inputs"]["logits"]), row(*entry["inputs"]["labels"]), entry["expected"]
    agree(BinaryCrossEntropy(cpu)(y, t), expected["right"], 1e-6)
    assert abs(expected["right"] - expected["printed"]) > 0.3
    assert np.float32(expected["right"]) == expected["printed"]
