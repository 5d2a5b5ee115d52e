"""PyTorch as an oracle: every layer, loss and optimizer, and whole training steps of the residual network of MNIST.

PyTorch (`pip install -e ".[bench]"`) has forward passes of its own, and its gradients come from automatic
differentiation. It always computes in float64, so that round-off is tinynn's.
"""

from __future__ import annotations

import functools
import importlib
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import LAYERS, LOSSES, loss_cases

import tinynn
from tinynn import SGD, Adam, Affine, Conv2D, RMSProp, Sequential, SoftmaxCrossEntropy
from tinynn.backends import load
from tinynn.nesting import walk, with_inner

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # two pools of threads fight for the cores
F = torch.nn.functional

sizes = st.integers(1, 4)
pairs = st.tuples(sizes, sizes)
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=settings.default.max_examples // 4)  # of each of many tests


def assert_same(name, ours, theirs, spread=1):
    """Equal but for the round-off of sums of some hundred terms, `spread` times as much, beside the largest number."""
    tolerance = 1000 * spread * np.finfo(ours.dtype).eps
    theirs = theirs.detach().numpy()
    assert ours.shape == theirs.shape, f"{name}: shapes {ours.shape} and {theirs.shape}"
    assert np.abs(ours - theirs).max(initial=0) <= tolerance * max(1, np.abs(theirs).max(initial=0)), name


# --- layers -----------------------------------------------------------------------------------------------------------


def around(layer, x):
    """How many pixels F.pad puts around images (N, C, H, W): (left, right, above, below)."""
    if layer.padding != "same":
        return (layer.padding[1],) * 2 + (layer.padding[0],) * 2
    sides = []
    for n, k, s in zip(x.shape[2:], layer.kernel, layer.stride):
        missing = max(math.ceil(n / s) * s - s + k - n, 0)  # TensorFlow's rule; PyTorch has none for strides
        sides = [missing // 2, missing - missing // 2, *sides]
    return sides


def conv(layer, x, p):
    W = p.W.permute(3, 2, 0, 1).contiguous()  # PyTorch 2.13 raises in backward for some W that are not
    return F.conv2d(F.pad(x, around(layer, x)), W, p.b if layer.bias else None, layer.stride)


def max_pool(layer, x, p):
    return F.max_pool2d(F.pad(x, around(layer, x), value=-torch.inf), layer.kernel, layer.stride)


def avg_pool(layer, x, p):
    if layer.padding != "same":
        return F.avg_pool2d(x, layer.kernel, layer.stride, layer.padding, count_include_pad=False)
    pool = functools.partial(F.avg_pool2d, kernel_size=layer.kernel, stride=layer.stride)
    return pool(F.pad(x, around(layer, x))) / pool(F.pad(torch.ones_like(x), around(layer, x)))


def batch_norm(layer, x, p):
    return F.batch_norm(x, p.mean, p.var, p.g, p.b, p.training, 1 - layer.momentum, layer.eps)


def dropout(layer, x, p):
    """PyTorch draws other masks: the places are tinynn's, the scale is PyTorch's."""
    return x * torch.tensor(layer.mask != 0) / (1 - layer.rate) if p.training else x


def chain(layer, x, p):
    for inner in layer.layers:
        x = p.run(inner, x)
    return x


def residual(layer, x, p):
    return chain(layer, x, p) + (x if layer.shortcut is None else p.run(layer.shortcut, x))


def channels_first(f):
    """f, which takes (N, C, ...) as PyTorch does, for tinynn's (N, ..., C)."""
    return lambda layer, x, p: f(layer, x.movedim(-1, 1), p).movedim(1, -1)


def of_x(f):
    return lambda layer, x, p: f(x)


THEIRS = {
    tinynn.Affine: lambda layer, x, p: F.linear(x, p.W.T, p.b),
    tinynn.Conv2D: channels_first(conv),
    tinynn.MaxPool2D: channels_first(max_pool),
    tinynn.AvgPool2D: channels_first(avg_pool),
    tinynn.GlobalAvgPool: of_x(lambda x: x.flatten(1, -2).mean(1)),
    tinynn.Flatten: of_x(lambda x: x.flatten(1)),
    tinynn.BatchNorm: channels_first(batch_norm),
    tinynn.Dropout: dropout,
    tinynn.Residual: residual,
    tinynn.Sequential: chain,
    tinynn.ReLU: of_x(F.relu),
    tinynn.Sigmoid: of_x(torch.sigmoid),
    tinynn.Tanh: of_x(torch.tanh),
    tinynn.LeakyReLU: lambda layer, x, p: F.leaky_relu(x, layer.slope),
    tinynn.ELU: lambda layer, x, p: F.elu(x, layer.alpha),
    tinynn.GELU: of_x(F.gelu),
    tinynn.GELUTanh: of_x(functools.partial(F.gelu, approximate="tanh")),
    tinynn.SiLU: of_x(F.silu),
    tinynn.Softplus: of_x(functools.partial(F.softplus, threshold=1e9)),  # the default 20 rounds it to x from there on
}


class Twin:
    """A tinynn layer, and all within it, in PyTorch: the same parameters and buffers, as tensors."""

    def __init__(self, layer):
        self.tensors = {
            one: {name: torch.tensor(one.arrays[name].astype(float), requires_grad=name in one.parameters)
                  for name in (*one.parameters, *one.buffers)}
            for one in with_inner(layer)
        }  # fmt: skip

    def __call__(self, layer, x, training):
        run = functools.partial(self, training=training)
        return THEIRS[type(layer)](layer, x, SimpleNamespace(training=training, run=run, **self.tensors[layer]))


@st.composite
def layers(draw, cls):
    """A layer of that class, with settings of every kind, and the shape of an example that it takes."""
    channels = sizes | st.sampled_from([8, 12, 16, 17, 33])  # kernels work on so many side by side
    n, share = draw(channels), draw(st.floats(0.05, 0.95))
    shape = [*draw(st.lists(sizes, max_size=2)), n]
    if cls in (tinynn.Conv2D, tinynn.MaxPool2D, tinynn.AvgPool2D):
        (kh, kw), stride = kernel, _ = draw(pairs), draw(pairs)
        most = (kh, kw) if cls is Conv2D else (kh // 2, kw // 2)
        padding = draw(st.just("same") | st.tuples(*(st.integers(0, p) for p in most)))
        least = (1, 1) if padding == "same" else (kh - 2 * padding[0], kw - 2 * padding[1])
        shape = [max(1, size) + draw(st.integers(0, 9)) for size in least] + [n]
        if cls is Conv2D:
            return Conv2D(n, draw(channels), kernel, stride, padding, bias=draw(st.booleans())), shape
        return cls(kernel, draw(st.none() | st.just(stride)), padding), shape
    if cls is tinynn.Residual:
        n_out, stride = draw(channels), draw(pairs)
        inner = [Conv2D(n, n_out, 3, stride, padding=1), tinynn.BatchNorm(n_out), tinynn.ELU(), tinynn.Dropout(share)]
        shortcut = None if (n, (1, 1)) == (n_out, stride) else Sequential(Conv2D(n, n_out, 1, stride, bias=False))
        return cls(*inner, shortcut=shortcut), [*draw(pairs), n]
    if cls is tinynn.GlobalAvgPool:
        return cls(), [*draw(st.lists(sizes, min_size=1, max_size=3)), n]
    options = {
        tinynn.Affine: (n, draw(sizes)),
        tinynn.BatchNorm: (n, share, draw(st.floats(1e-4, 0.1))),
        tinynn.Dropout: (share,), tinynn.LeakyReLU: (2 * share,), tinynn.ELU: (2 * share,),
    }  # fmt: skip
    return cls(*options.get(cls, ())), shape


@pytest.mark.parametrize("cls", LAYERS)
@few
@given(data=st.data(), dtype=st.sampled_from(["float64", "float32"]), seed=seeds)
def test_layer(cls, cpu, data, dtype, seed):
    """Three forward and backward passes with batches of their own, then use: y, dx, gradients and buffers."""
    layer, shape = data.draw(layers(cls))
    rng = np.random.default_rng(seed)
    layer.build(rng, np.dtype(dtype), load(cpu))
    for one in with_inner(layer):
        for name in (*one.parameters, *one.buffers):  # var stays above 0
            one.arrays[name][...] += rng.random(one.arrays[name].shape)
    twin = Twin(layer)
    least, spread = (
        (4, 100) if cls in (tinynn.BatchNorm, tinynn.Residual) else (1, 1)
    )  # few rows may be nearly the same
    for step in range(4):
        x = rng.normal(0.5, 3, (data.draw(st.integers(least, 6)), *shape))
        x[rng.random(x.shape) < 0.1] = 0  # kinks
        x = (np.round(x) if cls is tinynn.MaxPool2D else x).astype(dtype)  # ties: the first counts
        their_x = torch.tensor(x.astype(float), requires_grad=True)
        training = step < 3
        y = layer.forward(x) if training else layer(x)
        their_y = twin(layer, their_x, training)
        assert_same("y", y, their_y, spread)
        if training:
            dy = rng.normal(size=y.shape).astype(dtype)
            dx = layer.backward(dy)
            for tensors in twin.tensors.values():
                for tensor in tensors.values():
                    tensor.grad = None
            their_y.backward(torch.tensor(dy.astype(float)))
            assert_same("dx", dx, their_x.grad, spread)
        for one, tensors in twin.tensors.items():
            for name in one.parameters:
                assert_same(f"d{name} of {one}", one.arrays["d" + name], tensors[name].grad, spread)
            for name in one.buffers:
                assert_same(f"{name} of {one}", one.arrays[name], tensors[name])


# --- losses -----------------------------------------------------------------------------------------------------------


def cross_entropy(loss, y, t):
    t = t if t.ndim < y.ndim else t.movedim(-1, 1)
    return F.cross_entropy(y.movedim(-1, 1), t, label_smoothing=loss.label_smoothing, reduction="none")


def gaussian_nll(loss, y, t):
    m, v = (
        (y, torch.full_like(y, loss.variance))
        if loss.variance
        else (y[..., : t.shape[-1]], y[..., t.shape[-1] :].exp())
    )
    return F.gaussian_nll_loss(m, t, v, full=True, reduction="none")


THEIR_LOSSES = {
    tinynn.MSE: lambda loss, y, t: F.mse_loss(y, t, reduction="none"),
    tinynn.MAE: lambda loss, y, t: F.l1_loss(y, t, reduction="none"),
    tinynn.Huber: lambda loss, y, t: F.huber_loss(y, t, delta=loss.delta, reduction="none"),
    tinynn.BinaryCrossEntropy: lambda loss, y, t: F.binary_cross_entropy_with_logits(y, t, reduction="none"),
    tinynn.SoftmaxCrossEntropy: cross_entropy,
    tinynn.GaussianNLL: gaussian_nll,
}


@pytest.mark.parametrize("name, cls, options, draw", loss_cases())
@few
@given(N=sizes, positions=st.lists(sizes, max_size=2), C=sizes, weighted=st.booleans(), seed=seeds)
def test_loss(name, cls, options, draw, cpu, N, positions, C, weighted, seed):
    """Value and gradient for tables, sequences and images, with a weight for each of the N examples or none."""
    rng = np.random.default_rng(seed)
    loss = cls(backend=cpu, **options)
    y, t = draw(rng, N * math.prod(positions), C)
    y, t = y.reshape(N, *positions, -1), t.reshape(N, *positions, *t.shape[1:])
    weight = rng.random(N) + 0.1 if weighted else None
    value = loss.forward(y, t, weight)
    their_y, w = torch.tensor(y, requires_grad=True), torch.tensor(np.ones(N) if weight is None else weight)
    their_value = (w @ THEIR_LOSSES[cls](loss, their_y, torch.tensor(t)).reshape(N, -1).mean(1)) / w.sum()
    their_value.backward()
    assert_same("value", np.array(value), their_value)
    assert_same("dy", loss.backward(), their_y.grad)


def test_every_layer_and_loss_has_its_twin():
    assert set(THEIRS) == {*LAYERS, Sequential} and set(THEIR_LOSSES) == set(LOSSES)


def test_class_weights(cpu, rng):
    """One step of gradient descent on all rows: its length is the gradient of PyTorch's weighted loss."""
    x, t = rng.normal(size=(30, 4)), np.arange(30) % 3
    class_weight = {0: 0.2, 1: 1.0, 2: 3.5}
    model = Sequential(Affine(4, 3), backend=cpu, dtype="float64", seed=rng)
    twin, W = Twin(model), model[0].W.copy()
    loss, optimizer = SoftmaxCrossEntropy(backend=cpu), SGD(model, lr=1)
    options = {"epochs": 1, "batch_size": 30, "progress": False}
    history = model.fit(x, t, loss=loss, optimizer=optimizer, class_weight=class_weight, **options)
    y = twin(model[0], torch.tensor(x), training=True)
    value = F.cross_entropy(y, torch.tensor(t), torch.tensor(list(class_weight.values()), dtype=torch.float64))
    value.backward()
    assert_same("loss", np.array(history["loss"][0]), value)
    assert_same("dW", W - model[0].W, twin.tensors[model[0]]["W"].grad)


# --- optimizers -------------------------------------------------------------------------------------------------------

OPTIMIZERS = {
    "SGD": (lambda m: SGD(m, 0.1), lambda p: torch.optim.SGD(p, 0.1)),
    "SGD, decay": (lambda m: SGD(m, 0.1, weight_decay=0.3), lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.3)),
    "momentum": (
        lambda m: SGD(m, 0.1, 0.8, weight_decay=0.3),
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.8, weight_decay=0.3),
    ),
    "Nesterov": (
        lambda m: SGD(m, 0.1, 0.8, nesterov=True, weight_decay=0.3),
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.8, nesterov=True, weight_decay=0.3),
    ),
    "Adam": (
        lambda m: Adam(m, 0.1, beta1=0.8, beta2=0.95, eps=0.01),
        lambda p: torch.optim.Adam(p, 0.1, betas=(0.8, 0.95), eps=0.01),
    ),
    "Adam, decay": (lambda m: Adam(m, 0.1, weight_decay=0.3), lambda p: torch.optim.AdamW(p, 0.1, weight_decay=0.3)),
    "RMSProp": (
        lambda m: RMSProp(m, 0.1, rho=0.8, eps=0.01, weight_decay=0.3),
        lambda p: torch.optim.RMSprop(p, 0.1, alpha=0.8, eps=0.01, weight_decay=0.3),
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(name, cpu, rng, monkeypatch):
    """Parameters after each of ten steps; the learning rate changes on the way."""
    monkeypatch.setenv("TINYNN_BACKEND", cpu)
    model = SimpleNamespace(params=rng.normal(size=50), grads=np.zeros(50))
    theirs = torch.tensor(model.params, requires_grad=True)
    make, their_make = OPTIMIZERS[name]
    optimizer, their_optimizer = make(model), their_make([theirs])
    for _ in range(10):
        model.grads[...] = rng.normal(0, 0.1, 50) * (rng.random(50) < 0.7)
        theirs.grad = torch.tensor(model.grads)
        optimizer.step()
        their_optimizer.step()
        assert_same("params", model.params, theirs)


# --- the residual network of MNIST ------------------------------------------------------------------------------------


class Block(torch.nn.Module):
    """He et al. 2016, figure 2, as torchvision's BasicBlock but for the ReLU behind it."""

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(n_out)
        self.conv2 = torch.nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(n_out)
        self.shortcut = torch.nn.Identity()
        if (n_in, stride) != (n_out, 1):
            conv = torch.nn.Conv2d(n_in, n_out, 1, stride, bias=False)
            self.shortcut = torch.nn.Sequential(conv, torch.nn.BatchNorm2d(n_out))

    def forward(self, x):
        return self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.shortcut(x)


def resnet():
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        Block(16, 16, 1), nn.ReLU(), Block(16, 32, 2), nn.ReLU(), Block(32, 64, 2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    ).double()  # fmt: skip


def as_ours(tensor):
    """PyTorch's order of axes, weights of convolutions (O, C, KH, KW) and affine maps (O, I), in tinynn's."""
    return tensor.permute(*{4: (2, 3, 1, 0), 2: (1, 0)}.get(tensor.ndim, range(tensor.ndim)))


def test_the_residual_network(cpu, rng, monkeypatch):
    """Three steps with Adam: loss, every gradient, parameters and running statistics; then the scores in use."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent / "examples"))
    model = importlib.import_module("mnist_resnet").resnet((9, 7, 1), 10, cpu, 0).copy(dtype="float64")
    theirs = resnet()
    ours = [(f"{path}.{name}", layer, name) for path, layer in walk(model) for name in layer.parameters]
    buffers = [(f"{path}.{name}", layer, name) for path, layer in walk(model) for name in layer.buffers]
    their_buffers = [b for name, b in theirs.named_buffers() if "running" in name]
    with torch.no_grad():
        for (_, layer, name), p in zip(ours, theirs.parameters(), strict=True):
            as_ours(p).copy_(torch.tensor(layer.arrays[name]))
    loss, optimizer = SoftmaxCrossEntropy(), Adam(model, 0.01)
    their_optimizer = torch.optim.Adam(theirs.parameters(), 0.01)
    for _ in range(3):
        x, t = rng.random((6, 9, 7, 1)), rng.integers(0, 10, 6)
        value = loss.forward(model.forward(x), t)
        model.backward(loss.backward())
        their_optimizer.zero_grad()
        their_value = F.cross_entropy(theirs(torch.tensor(x).movedim(-1, 1)), torch.tensor(t))
        their_value.backward()
        assert_same("loss", np.array(value), their_value, 100)
        for (where, layer, name), p in zip(ours, theirs.parameters()):
            assert_same(f"gradient of {where}", layer.arrays["d" + name], as_ours(p.grad), 100)
        optimizer.step()
        their_optimizer.step()
        for (where, layer, name), p in zip(ours, theirs.parameters()):
            assert_same(where, layer.arrays[name], as_ours(p), 1e5)  # Adam divides round-off by gradients near 0
        for (where, layer, name), b in zip(buffers, their_buffers, strict=True):
            assert_same(where, layer.arrays[name], b, 100)
    assert_same("scores", model.predict(x), theirs.eval()(torch.tensor(x).movedim(-1, 1)), 1e5)
