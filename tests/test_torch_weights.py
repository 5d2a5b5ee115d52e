"""Weights that come from PyTorch and go to it: names, layouts, and the same predictions on both sides."""

from __future__ import annotations

import copy
import json
import struct

import numpy as np
import pytest

import tinynn
from tinynn import (
    Affine,
    BatchNorm,
    CheckpointError,
    Conv2D,
    Flatten,
    GlobalAvgPool,
    Layer,
    MaxPool2D,
    ReLU,
    Residual,
    Sequential,
    load_weights,
    save_weights,
)

safetensors = pytest.importorskip("safetensors.numpy")


def network(seed=0, **options):
    """Every layer that has arrays, nested in each way, with a Flatten of images."""
    return Sequential(
        Conv2D(2, 3, (2, 3), bias=False), BatchNorm(3), ReLU(), Residual(Conv2D(3, 3, 1), BatchNorm(3), shortcut=Affine(3, 3)),
        Sequential(MaxPool2D(2), Conv2D(3, 4, 2)), Flatten(), BatchNorm(24), Affine(24, 5), ReLU(), Affine(5, 2),
        shape=(8, 10, 2), seed=seed, **options,
    )  # fmt: skip


NAMES = [
    "0.weight",
    "1.weight",
    "1.bias",
    "1.running_mean",
    "1.running_var",
    "3.0.weight",
    "3.0.bias",
    "3.1.weight",
    "3.1.bias",
    "3.1.running_mean",
    "3.1.running_var",
    "3.shortcut.weight",
    "3.shortcut.bias",
    "4.1.weight",
    "4.1.bias",
    "6.weight",
    "6.bias",
    "6.running_mean",
    "6.running_var",
    "7.weight",
    "7.bias",
    "9.weight",
    "9.bias",
]
COUNTERS = ["1.num_batches_tracked", "3.1.num_batches_tracked", "6.num_batches_tracked"]


def drawn(model, rng):
    model.params, model.flat_buffers = (
        rng.normal(size=v.size).astype(v.dtype) for v in (model.params, model.flat_buffers)
    )
    return model


def same(a, b):
    return np.array_equal(a.params, b.params) and np.array_equal(a.flat_buffers, b.flat_buffers)


def test_names_and_layouts(rng, tmp_path):
    model = drawn(network(), rng)
    save_weights(tmp_path / "w", model, names="torch")
    arrays = safetensors.load_file(tmp_path / "w")
    assert set(arrays) == {*NAMES, *COUNTERS}
    assert [arrays[name].shape for name in ("0.weight", "3.shortcut.weight", "7.weight")] == [
        (3, 2, 2, 3),
        (3, 3),
        (5, 24),
    ]
    assert all(arrays[name].dtype == np.int64 and arrays[name].shape == () for name in COUNTERS)
    data = (tmp_path / "w").read_bytes()
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    assert header["__metadata__"] == {"format": "pt"}
    W, theirs = model[0].W, arrays["0.weight"]
    assert all(W[i, j, c, o] == theirs[o, c, i, j] for o, c, i, j in np.ndindex(theirs.shape))
    W, theirs = (
        model[7].W.reshape(2, 3, 4, 5),
        arrays["7.weight"].reshape(5, 4, 2, 3),
    )  # (H, V, C, n_out), (n_out, C, H, V)
    assert all(W[h, v, c, o] == theirs[o, c, h, v] for o, c, h, v in np.ndindex(theirs.shape))
    assert np.array_equal(model[6].mean.reshape(2, 3, 4), arrays["6.running_mean"].reshape(4, 2, 3).transpose(1, 2, 0))
    assert np.array_equal(model[9].W, arrays["9.weight"].T)


def test_there_and_back(any_backend, rng, tmp_path):
    model, other = network(backend=any_backend), network(1, backend=any_backend)
    other_names = [f"net.{k}.{name.rpartition('.')[2]}" for k, name in enumerate(NAMES)]
    for names in ("tinynn", "torch", NAMES, [*other_names, "net.1.num_batches_tracked"]):
        save_weights(tmp_path / "w", model, names=names)
        loaded = copy.deepcopy(other)
        load_weights(tmp_path / "w", loaded, names=names)
        assert np.array_equal(loaded.ops.to_numpy(loaded.params), model.ops.to_numpy(model.params))
        if names in ("tinynn", "torch", NAMES):  # the file says which
            loaded = copy.deepcopy(other)
            load_weights(tmp_path / "w", loaded)
            assert np.array_equal(loaded.ops.to_numpy(loaded.params), model.ops.to_numpy(model.params))


class Scale(Layer):
    parameters = ("g",)

    def __init__(self, n):
        self.g = np.ones(n)

    def forward(self, x):
        return x * self.g


class Own(tinynn.Model):
    def __init__(self):
        self.hidden, self.more, self.scale = Affine(3, 4), [Affine(4, 4), Affine(4, 4)], Scale(4)
        self.out = {"a": Affine(4, 2)}
        self.assemble(seed=0)


def test_models_and_layers_of_ones_own(tmp_path):
    """Attributes, lists and dicts have the names that PyTorch's modules have in ModuleList and ModuleDict."""
    save_weights(tmp_path / "w", Own(), names="torch")
    words = ["hidden", "more.0", "more.1", "out.a"]
    assert set(safetensors.load_file(tmp_path / "w")) == {
        "scale.g",
        *(f"{n}.{w}" for n in words for w in ("weight", "bias")),
    }


def bad(arrays, tmp_path):
    (tmp_path / "bad").write_bytes(safetensors.save(arrays))
    return tmp_path / "bad"


def test_a_mismatch_names_both_sides(tmp_path):
    model = network()
    save_weights(tmp_path / "w", model, names="torch")
    arrays, before = safetensors.load_file(tmp_path / "w"), model.params.copy()
    renamed = {("conv1" + name[1:] if name.startswith("0.") else name): array for name, array in arrays.items()}
    cases = [
        (renamed, r"arrays must have one named '0.weight' for 1.W of layer 1, Conv2D\(2, 3, \(2, 3\), bias=False\), but the file has 'conv1.weight' \(names=list\(net.state_dict\(\)\) says other names\)"),
        ({**arrays, "9.weight": arrays["9.weight"].T}, r"9.weight must be float32 of shape \(2, 5\) for 10.W of layer 10, Affine\(5, 2\), not an array of shape \(5, 2\)"),
        ({**arrays, "9.bias": arrays["9.bias"].astype("f8")}, r"9.bias must be float32 of shape \(2,\) for 10.b .* dtype float64"),
        ({**arrays, "10.weight": arrays["9.bias"]}, "arrays must be those of the model, but the model has none for '10.weight'"),
        ({name: array for name, array in arrays.items() if name != "9.bias"}, r"one named '9.bias' for 10.b of .*, but the file has no other"),
    ]  # fmt: skip
    for content, says in cases:
        with pytest.raises(CheckpointError, match=says):
            load_weights(bad(content, tmp_path), model)
    assert np.array_equal(model.params, before)
    with pytest.raises(CheckpointError, match="one named 'net.0.weight' for 1.W"):
        load_weights(tmp_path / "w", model, names=[f"net.{name}" for name in NAMES])


@pytest.mark.parametrize(
    "names, says",
    [
        (
            NAMES[:-1],
            r"the name of 10.b of layer 10, Affine\(5, 2\) must be one that ends in 'bias', not missing",
        ),
        ([*NAMES, "fc.weight"], "one for each, but there is no array for 'fc.weight'"),
        (
            [NAMES[1], *NAMES],
            "the name of 2.b of layer 2, .* must be one that ends in 'bias', not '1.weight'",
        ),
        (
            [NAMES[0], "0.bias", *NAMES[1:]],
            r"2.g of layer 2, BatchNorm\(3\) must be one that ends in 'weight', not '0.bias'",
        ),
        (["0.weight", *NAMES[:0:-1]][: len(NAMES)], "the name of 2.g of layer 2"),
        (["a.weight", "a.weight", *NAMES[2:]], "names must all be different, but 'a.weight' is there 2 times"),
    ],
)
def test_names_that_do_not_fit(names, says, tmp_path):
    with pytest.raises(ValueError, match=says):
        save_weights(tmp_path / "w", network(), names=names)
    save_weights(tmp_path / "w", network(), names="torch")
    with pytest.raises(ValueError, match=says) as caught:
        load_weights(tmp_path / "w", network(), names=names)
    assert not isinstance(caught.value, CheckpointError)  # it is not the file's fault


@pytest.mark.parametrize("names", ["pytorch", 3, {"1.W": "a"}, [1, 2], b"torch"])
def test_names_that_are_none(names, tmp_path):
    for call in (save_weights, load_weights):
        with pytest.raises(
            TypeError, match=r'names must be "tinynn", "torch" or a list of names, list\(net.state_dict'
        ):
            call(tmp_path / "w", network(), names=names)


def test_an_order_that_is_not_known(tmp_path):
    """Behind a Flatten of images of unknown size nobody can say where a number stands in PyTorch."""
    for layers in ([Conv2D(1, 2, 3), Flatten(), Affine(8, 3)], [Flatten(), Affine(8, 3)]):
        with pytest.raises(
            ValueError, match=r"Flatten\(\) must be in a Sequential\(..., shape=\(28, 28, 1\)\) for PyTorch's order"
        ):
            save_weights(tmp_path / "w", Sequential(*layers), names="torch")
    save_weights(tmp_path / "w", Sequential(Conv2D(1, 2, 3), GlobalAvgPool(), Affine(2, 3)), names="torch")
    scaled = Sequential(Conv2D(1, 2, 3), Flatten(), Scale(8), Affine(8, 3), shape=(4, 4, 1))
    with pytest.raises(ValueError, match=r"layer 3, Scale\(\) must not stand between Flatten and Affine"):
        save_weights(tmp_path / "w", scaled, names="torch")


# --- PyTorch itself ---------------------------------------------------------------------------------------------------


def torch_resnet(torch):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, n_in, n_out, stride=1):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out)
            self.conv2, self.bn2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False), nn.BatchNorm2d(n_out)
            self.around = nn.Sequential()
            if stride > 1:
                self.around = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))

        def forward(self, x):
            y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
            return (y + self.around(x)).relu()

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
            self.stages = nn.Sequential(Block(4, 4), Block(4, 6, 2))
            self.hidden, self.out = nn.Linear(96, 8), nn.Linear(8, 3)

        def forward(self, x):
            x = self.stages(self.norm(self.stem(x)).relu())
            return self.out(self.hidden(x.flatten(1)).tanh())

    return ResNet()


def resnet(**options):
    def block(n_in, n_out, stride=1):
        convs = Conv2D(n_in, n_out, 3, stride, 1, bias=False), BatchNorm(n_out), ReLU()
        around = Sequential(Conv2D(n_in, n_out, 1, stride, bias=False), BatchNorm(n_out)) if stride > 1 else None
        return Residual(*convs, Conv2D(n_out, n_out, 3, 1, 1, bias=False), BatchNorm(n_out), shortcut=around)

    return Sequential(
        Conv2D(2, 4, 3, padding=1), BatchNorm(4), ReLU(), block(4, 4), ReLU(), block(4, 6, 2), ReLU(),
        Flatten(), Affine(96, 8), tinynn.Tanh(), Affine(8, 3), shape=(8, 7, 2), **options,
    )  # fmt: skip


def test_a_resnet_trained_in_torch(rng, tmp_path, cpu):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    net = torch_resnet(torch)
    x = torch.from_numpy(rng.normal(size=(32, 2, 8, 7)).astype("float32"))
    t = torch.arange(32) % 3
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), t).backward()
        optimizer.step()
    net.eval()
    save_file(net.state_dict(), tmp_path / "theirs.safetensors")
    model, names = resnet(seed=0, backend=cpu), list(net.state_dict())
    load_weights(tmp_path / "theirs.safetensors", model, names=names)
    here = np.ascontiguousarray(x.numpy().transpose(0, 2, 3, 1))
    np.testing.assert_allclose(model.predict(here), net(x).detach().numpy(), atol=1e-5)

    model.fit(
        here,
        t.numpy(),
        loss=tinynn.SoftmaxCrossEntropy(),
        optimizer=tinynn.SGD(model, lr=0.1),
        epochs=3,
        progress=False,
    )
    save_weights(tmp_path / "ours.safetensors", model, names=names)
    again = torch_resnet(torch)
    again.load_state_dict(load_file(tmp_path / "ours.safetensors"))  # strict: every name, every shape
    again.eval()
    np.testing.assert_allclose(again(x).detach().numpy(), model.predict(here), atol=1e-5)


def test_an_nn_sequential(rng, tmp_path):
    """The same layers in the same places: no names need be given."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(18, 4),
        nn.BatchNorm1d(4),
    )
    model = Sequential(
        Conv2D(2, 3, 3),
        BatchNorm(3),
        ReLU(),
        MaxPool2D(2),
        Flatten(),
        Affine(18, 4),
        BatchNorm(4),
        shape=(6, 8, 2),
        seed=0,
    )
    x = torch.from_numpy(rng.normal(size=(8, 2, 6, 8)).astype("float32"))
    for _ in range(3):
        net(x)
    net.eval()
    save_file(net.state_dict(), tmp_path / "w")
    load_weights(tmp_path / "w", model)
    y, here = net(x).detach().numpy(), np.ascontiguousarray(x.numpy().transpose(0, 2, 3, 1))
    np.testing.assert_allclose(model.predict(here), y, atol=1e-5)
    save_weights(tmp_path / "back", model, names="torch")
    net.load_state_dict({name: array * 0 for name, array in net.state_dict().items()})
    net.load_state_dict(load_file(tmp_path / "back"))
    np.testing.assert_allclose(net(x).detach().numpy(), y, atol=1e-6)
