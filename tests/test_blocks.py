"""Layers that hold layers, models of one's own, state, randomness and shapes: the contract beyond a chain of tables."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinynn
from tinynn import (
    MSE,
    SGD,
    Adam,
    Affine,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dropout,
    EarlyStopping,
    Flatten,
    GlobalAvgPool,
    Layer,
    MaxPool2D,
    Model,
    ReLU,
    Residual,
    Sequential,
    SoftmaxCrossEntropy,
    Tanh,
    Watch,
    check,
    check_layer,
    diagnose,
    explain,
    load,
    load_into,
    save,
)
from tinynn.nesting import walk

LOSS = SoftmaxCrossEntropy()


class Around(Layer):
    """y = x + f(x), by a learner: two methods, and layers in an attribute."""

    def __init__(self, *layers):
        self.inner = Sequential(*layers)

    def forward(self, x):
        return x + self.inner.forward(x)

    def backward(self, dy):
        return dy + self.inner.backward(dy)


class Maxout(Layer):
    """y = the larger of two affine maps (Goodfellow et al. 2013): a layer that tinynn does not have."""

    parameters = ("W",)

    def __init__(self, n_in, n_out):
        self.n_in, self.n_out = n_in, n_out

    def initial_values(self, rng):
        return {"W": rng.normal(0, self.n_in**-0.5, (2, self.n_in, self.n_out))}

    def forward(self, x):
        both = np.stack([x @ self.W[0], x @ self.W[1]])
        self.first = both[0].real >= both[1].real
        return np.where(self.first, both[0], both[1])

    def backward(self, dy):
        parts = np.where(self.first, dy, 0), np.where(self.first, 0, dy)
        self.dW = np.stack([self.x.T @ part for part in parts])
        return sum(part @ W.T for part, W in zip(parts, self.W))


class Own(Model):
    """A model class by hand, with layers in attributes and in a list."""

    def __init__(self, seed=0, dtype="float32"):
        self.first = Affine(4, 5)
        self.blocks = [Around(Affine(5, 5), Tanh()), Residual(Affine(5, 5), BatchNorm(5), Dropout(0.2))]
        self.last = Affine(5, 3)
        self.assemble(seed=seed, dtype=dtype)

    def forward(self, x):
        x = self.first.forward(x)
        for block in self.blocks:
            x = block.forward(x)
        return self.last.forward(x)

    def backward(self, dy):
        dy = self.last.backward(dy)
        for block in reversed(self.blocks):
            dy = block.backward(dy)
        return self.first.backward(dy)


def network(seed=0, **options):
    """Convolution, state, randomness, blocks within blocks."""
    return Sequential(
        Conv2D(1, 4, 3, padding="same", bias=False), BatchNorm(4), ReLU(),
        Residual(Around(Conv2D(4, 4, 3, padding=1), Tanh()), BatchNorm(4), Dropout(0.3),
                 shortcut=Sequential(Conv2D(4, 4, 1), BatchNorm(4))),
        MaxPool2D(2), AvgPool2D(2, stride=1), Flatten(), Affine(16, 3),
        shape=(6, 7, 1), seed=seed, **options,
    )  # fmt: skip


def images(N=40, dtype="float32", seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, 6, 7, 1)).astype(dtype), rng.integers(0, 3, N)


def rows(N=40, dtype="float32", seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, 4)).astype(dtype), rng.integers(0, 3, N)


def fit(model, x, t, epochs=2, optimizer=None, **options):
    optimizer = optimizer or Adam(model, 0.01)
    options = {"batch_size": 16, "seed": 3, "progress": False, **options}
    return model.fit(x, t, loss=LOSS, optimizer=optimizer, epochs=epochs, **options)


# --- one search, three vectors ----------------------------------------------------------------------------------------


def test_paths_and_places():
    paths = [path for path, _ in walk(network())]
    assert paths == ["1", "2", "3", "4", "4.1", "4.1.inner", "4.1.inner.1", "4.1.inner.2", "4.2", "4.3", "4.shortcut",
                     "4.shortcut.1", "4.shortcut.2", "5", "6", "7", "8"]  # fmt: skip
    assert [path for path, _ in walk(Own())][:4] == ["first", "blocks[0]", "blocks[0].inner", "blocks[0].inner.1"]
    model = network()
    assert all(str(layer.place) == path for path, layer in walk(model))
    assert model[3].layers[0].inner[0].where == "layer 4.1.inner.1, Conv2D(4, 4, 3, padding=1)"


@pytest.mark.parametrize("make", [network, Own])
def test_all_arrays_are_views_of_three_vectors(make):
    model = make()
    seen = {"params": 0, "grads": 0, "flat_buffers": 0}
    for _, layer in walk(model):
        for name, array in layer.arrays.items():
            kind = "params" if name in layer.parameters else "flat_buffers" if name in layer.buffers else "grads"
            assert np.shares_memory(array, getattr(model, kind))
            seen[kind] += array.size
    assert seen == {kind: getattr(model, kind).size for kind in seen} and seen["flat_buffers"] > 0
    for _, inner in walk(model):
        if isinstance(inner, Model):
            assert np.shares_memory(inner.params, model.params)
            assert inner.params.size == sum(a.arrays[n].size for _, a in walk(inner) for n in a.parameters)


def test_every_gradient_is_right_at_any_depth():
    x, t = images(9, "float64")
    report = check(network(dtype="float64"), x, t, LOSS)
    assert report, report
    assert len(report.rows) == 1 + len([1 for _, layer in walk(network()) for _ in layer.parameters])
    x, t = rows(9, "float64")
    report = check(Own(dtype="float64"), x, t, LOSS)
    assert report and {row.where for row in report.rows[1:]} >= {"layer blocks[0].inner.1, Affine(5, 5)"}, report


def test_the_innermost_wrong_layer_is_named():
    class Bad(Affine):
        def backward(self, dy):
            dx = super().backward(dy)
            self.db = dy.mean(axis=0)
            return dx

    class Straight(Around):
        def backward(self, dy):
            return self.inner.backward(dy)

    x, t = rows(9, "float64")
    report = check(Sequential(Affine(4, 5), Around(Bad(5, 5), Tanh()), Affine(5, 3), seed=0), x, t, LOSS)
    assert (report.code, report.where) == ("bias-mean", "layer 2.inner.1, Bad(5, 5)")
    report = check(Sequential(Affine(4, 5), Straight(Affine(5, 5), Tanh()), Affine(5, 3), seed=0), x, t, LOSS)
    assert report.code == "fork-overwritten" and report.where == "layer 2, Straight()"
    assert check_layer(Straight(Affine(4, 4)), x).code == "fork-overwritten"


# --- training and use -------------------------------------------------------------------------------------------------


def state(model):
    return model.params.copy(), model.flat_buffers.copy(), model.rng.bit_generator.state


@pytest.mark.parametrize("make, data", [(network, images), (Own, rows)])
def test_use_leaves_no_trace_at_any_depth(make, data):
    x, t = data()
    model, twin = make(), make()
    for one in (model, twin):
        LOSS.forward(one.forward(x), t)
        if one is model:
            before = state(one)
            one.predict(data(7, seed=5)[0])
            one(data(5, seed=6)[0])
            assert all(
                np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in zip(before, state(one))
            )
        one.backward(LOSS.backward())
    assert np.array_equal(model.grads, twin.grads)


def test_a_cache_of_a_learners_own_is_not_overwritten():
    class Cached(Layer):
        def __init__(self):
            self.cache = {}

        def forward(self, x):
            self.cache["x"] = x
            return x * x

        def backward(self, dy):
            return 2 * dy * self.cache["x"]

    layer, x = Cached(), np.ones((2, 3))
    layer.forward(x)
    layer(5 * x)
    assert np.array_equal(layer.backward(x), 2 * x)


def test_training_is_forward_and_use_is_calling():
    x = np.random.default_rng(0).normal(3, 2, (50, 4))
    drop, norm = Dropout(0.5), BatchNorm(4)
    y = drop.forward(x)
    assert 0.3 < (y == 0).mean() < 0.7 and np.allclose(y[y != 0], 2 * x[y != 0]) and np.array_equal(drop(x), x)
    y = norm.forward(x)
    assert np.allclose(y.mean(axis=0), 0) and np.allclose(y.std(axis=0), 1, atol=1e-4)
    assert np.allclose(norm.mean, 0.1 * x.mean(axis=0)) and np.allclose(norm.var, 0.9 + 0.1 * x.var(axis=0, ddof=1))
    assert np.allclose(norm(x), (x - norm.mean) / np.sqrt(norm.var + 1e-5))


def test_an_epoch_draws_what_seed_and_epoch_say(tmp_path):
    """Four epochs are two and two, also through a file and in a new process, to the last bit: buffers and masks too."""
    x, t = images()
    whole, half = network(), network()
    fit(whole, x, t, 4)
    optimizer = Adam(half, 0.01)
    fit(half, x, t, 2, optimizer)
    save(tmp_path / "half.npz", half, optimizer)
    fit(half, x, t, 2, optimizer)
    assert np.array_equal(half.params, whole.params) and np.array_equal(half.flat_buffers, whole.flat_buffers)
    np.savez(tmp_path / "data.npz", x=x, t=t)
    program = """
import sys
from pathlib import Path
import numpy as np
import tinynn
sys.path.insert(0, sys.argv[2])
from test_blocks import Around, LOSS
data = np.load(sys.argv[1] + "/data.npz")
model, optimizer, _ = tinynn.load(sys.argv[1] + "/half.npz", layers=[Around])
model.fit(data["x"], data["t"], loss=LOSS, optimizer=optimizer, epochs=2, batch_size=16, progress=False)
np.savez(sys.argv[1] + "/end.npz", params=model.params, buffers=model.flat_buffers)
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path), str(Path(__file__).parent)], check=True)
    end = np.load(tmp_path / "end.npz")
    assert np.array_equal(end["params"], whole.params) and np.array_equal(end["buffers"], whole.flat_buffers)


def test_the_best_epoch_has_its_buffers():
    x, t = images()
    model, kept = network(), {}

    def keep(run):
        kept[run.epoch] = run.model.flat_buffers.copy(), run.history.rows[-1]["loss"]

    fit(model, x, t, 6, Adam(model, 0.3), callbacks=[keep, EarlyStopping(patience=3, monitor="loss")])
    best = min(kept, key=lambda epoch: kept[epoch][1])
    assert np.array_equal(model.flat_buffers, kept[best][0])


def test_a_batch_of_one_row_has_no_variance():
    norm = BatchNorm(3)
    with pytest.raises(
        ValueError, match=r"BatchNorm\(3\): x must have two rows or more in training, not 1: of one the"
    ):
        norm.forward(np.ones((1, 3)))
    norm(np.ones((1, 3)))
    norm.forward(np.random.default_rng(0).normal(size=(1, 2, 2, 3)))  # one image is four rows


def test_a_last_batch_of_one_row_is_an_error_before_the_first_step():
    x = np.random.default_rng(0).normal(size=(13, 2)).astype("f")
    model = Sequential(Affine(2, 3), BatchNorm(3), Affine(3, 1), seed=0)
    params, buffers = model.params.copy(), model.flat_buffers.copy()
    for size in (1, 4, 6):
        with pytest.raises(
            ValueError, match=r"layer 2, BatchNorm\(3\): x must have two rows or more in training, not 1"
        ):
            model.fit(x, x[:, :1].copy(), loss=MSE(), optimizer=SGD(model, 0.1), batch_size=size, progress=False)
        assert np.array_equal(model.params, params) and np.array_equal(model.flat_buffers, buffers)
    model.fit(x, x[:, :1].copy(), loss=MSE(), optimizer=SGD(model, 0.1), batch_size=5, progress=False)


# --- weights ----------------------------------------------------------------------------------------------------------


def test_inner_weights_are_drawn_by_the_outer_seed_unless_they_were_set_or_have_a_seed():
    def outer(inner):
        return Sequential(Affine(3, 3), Around(*inner) if isinstance(inner, list) else inner, seed=7)

    one, other = outer([Affine(3, 3)]), outer([Affine(3, 3)])
    assert np.array_equal(one.params, other.params)
    seeded = Sequential(Affine(3, 3), seed=1)
    W = seeded[0].W.copy()
    assert np.array_equal(Sequential(Tanh(), seeded, seed=7)[1][0].W, W)
    changed = Sequential(Affine(3, 3))
    changed[0].W = np.eye(3)
    assert np.array_equal(Sequential(Tanh(), changed, seed=7)[1][0].W, np.eye(3))
    assert np.array_equal(Sequential(Tanh(), seeded2 := Sequential(Affine(3, 3), seed=1), dtype="float64")[1][0].W.dtype,
                          np.dtype("float64")) and seeded2.dtype == np.float64  # fmt: skip


def test_a_layer_belongs_to_one_model():
    inner = Sequential(Affine(3, 3))
    Sequential(Tanh(), inner)
    with pytest.raises(
        ValueError, match=r"layer 1, Sequential\(Affine\(3, 3\)\), must be a new layer, not one of another"
    ):
        Sequential(inner)

    class Two(Model):
        def __init__(self, layer):
            self.layer = layer
            self.assemble()

    with pytest.raises(ValueError, match=r"layer, Affine\(3, 3\), must be a new layer, not one of another model"):
        Two(inner[0])


@pytest.mark.parametrize("make, data", [(network, images), (Own, rows)])
@pytest.mark.parametrize("how", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), lambda m: m.copy()])
def test_copies_are_whole_and_apart_and_learn(make, data, how):
    x, t = data()
    model = make()
    fit(model, x, t, 1)
    twin, before = how(model), state(model)
    assert np.array_equal(twin.predict(x), model.predict(x))
    fit(twin, x, t, 1)
    assert not np.array_equal(twin.params, model.params)
    assert all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in zip(before, state(model)))
    fit(model, x, t, 1)
    assert np.array_equal(twin.params, model.params) and np.array_equal(twin.flat_buffers, model.flat_buffers)


def test_a_copy_of_another_dtype_and_backend(cpu):
    x, t = images()
    model = network()
    fit(model, x, t, 1)
    twin = model.copy(dtype="float64", backend=cpu)
    assert twin.dtype == twin[0].W.dtype == twin[3].shortcut[1].mean.dtype == np.float64 and twin.backend == cpu
    assert np.allclose(twin.predict(x.astype(float)), model.predict(x), atol=1e-5)
    assert check(twin, x[:9].astype(float), t[:9], LOSS)


def test_weight_decay_reaches_matrices_at_any_depth():
    model = Own()
    model.grads[...] = 0
    before = model.params.copy()
    SGD(model, 0.1, weight_decay=0.5, decay_biases=False).step()
    for _, layer in walk(model):
        for name in layer.parameters:
            old = before[slice(*_bounds(model, layer, name))].reshape(layer.arrays[name].shape)
            assert np.allclose(layer.arrays[name], old * (0.95 if old.ndim > 1 else 1), atol=1e-6), (layer, name)


def _bounds(model, layer, name):
    start = (layer.arrays[name].__array_interface__["data"][0] - model.params.__array_interface__["data"][0]) // 4
    return start, start + layer.arrays[name].size


# --- files, and what looks at models ----------------------------------------------------------------------------------


def test_own_models_are_saved_and_loaded_into(tmp_path):
    x, t = rows()
    model = Own()
    optimizer = Adam(model)
    fit(model, x, t, 2, optimizer)
    save(tmp_path / "own.npz", model, optimizer)
    other = Own(seed=5)
    load_into(tmp_path / "own.npz", other, Adam(other))
    assert np.array_equal(other.params, model.params) and np.array_equal(other.flat_buffers, model.flat_buffers)
    with pytest.raises(tinynn.CheckpointError, match="model must be a Sequential, not Own: make one, then load_into"):
        load(tmp_path / "own.npz")


def test_a_layer_that_tinynn_does_not_have(tmp_path):
    """Saved, loaded, trained, checked, explained and looked at, and nothing had to know it."""
    x, t = rows()
    model = Sequential(Maxout(4, 5), Around(Maxout(5, 5)), Affine(5, 3), seed=0)
    fit(model, x, t)
    save(tmp_path / "m.npz", model)
    again = load(tmp_path / "m.npz", layers=[Maxout, Around])[0]
    assert np.array_equal(again.params, model.params)
    assert np.array_equal(again.predict(x), model.predict(x))
    assert check(model, x[:9].astype(float), t[:9], LOSS)
    assert "Maxout" in str(explain(model, x[:2], t[:2], LOSS)) and "2.inner.1  Maxout()" in model.summary()
    assert diagnose(model, LOSS, x, t) is not None


def test_images_are_looked_at():
    x, t = images()
    model, watch = network(), Watch()
    fit(model, x, t, callbacks=[watch])
    assert {row["layer"] for row in watch.rows} >= {1, 4, "4.1.inner.1", "4.shortcut.2"}
    report = diagnose(network(), LOSS, x, t)
    assert "layer 3, ReLU()" in str(report) and len(report.lines) > 10
    text = str(explain(network(), x[:2], t[:2], LOSS))
    assert (
        "z = (x - mean) / sqrt(var + eps)" in text and "y = g z + b" in text and max(map(len, text.splitlines())) <= 100
    )


# --- shapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [Conv2D(1, 2, 7)],
            r"layer 1, Conv2D\(1, 2, 7\): takes images of 7 x 7 pixels or more, not \(6, 7, 1\) as shape gives",
        ),
        ([Conv2D(2, 2, 3)], r"layer 1, .*: takes images \(H, W, 2\), not \(6, 7, 1\) as shape gives"),
        (
            [Flatten(), Affine(41, 2)],
            r"layer 2, Affine\(41, 2\): takes rows of 41, not rows of 42 as layer 1, Flatten\(\), gives",
        ),
        (
            [GlobalAvgPool(), MaxPool2D()],
            r"layer 2, MaxPool2D\(2\): takes images \(H, W, C\), not rows of 1 as layer 1, Glob.* gives",
        ),
        (
            [Residual(Conv2D(1, 2, 3))],
            r"layer 1, .*: takes x that f\(x\) fits \(f gives \(4, 5, 2\), and past it comes",
        ),
        ([MaxPool2D(2), MaxPool2D((2, 4))], r"layer 2, .*: takes images of 2 x 4 pixels or more"),
    ],
)
def test_shapes_are_settled_when_the_model_is_built(layers, message):
    with pytest.raises(ValueError, match=message):
        Sequential(*layers, shape=(6, 7, 1))


def test_without_a_shape_the_first_batch_tells():
    model = Sequential(Conv2D(1, 2, 3), Flatten(), Affine(5, 2))
    with pytest.raises(ValueError, match=r"layer 3, Affine\(5, 2\): x must have rows of 5, not shape \(2, 40\)"):
        model.forward(np.ones((2, 6, 7, 1), np.float32))
    with pytest.raises(ValueError, match=r"layer 1, .*: x must be images \(H, W, 1\), not shape \(2, 6, 7, 3\)"):
        model.forward(np.ones((2, 6, 7, 3), np.float32))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2D(0, 2, 3), "Conv2D: n_in must be a whole number, 1 or more, not 0"),
        (lambda: Conv2D(1, 2, (3,)), r"Conv2D: kernel must be one whole number or a pair \(height, width\), not"),
        (lambda: Conv2D(1, 2, 3, stride=0), "Conv2D: stride must be a whole number, 1 or more, not 0"),
        (
            lambda: Conv2D(1, 2, 3, padding="valid"),
            "Conv2D: padding must be pixels, one number or two, or .same., not 'valid': padding=0 is that",
        ),
        (lambda: Conv2D(1, 2, 3, bias=1), "Conv2D: bias must be True or False, not 1"),
        (lambda: MaxPool2D(2, padding=2), r"MaxPool2D: padding must be at most half of size \(2, 2\), not \(2, 2\)"),
        (lambda: BatchNorm(3, momentum=1), r"BatchNorm: momentum must be a number, in \[0, 1\), not 1"),
        (lambda: BatchNorm(3, eps=0), "BatchNorm: eps must be more than 0, not 0"),
        (lambda: Dropout(1), r"Dropout: rate must be a number, in \[0, 1\), not 1"),
        (lambda: Residual(), "Residual must have at least one layer, not none"),
        (
            lambda: Residual(Tanh),
            "Residual: layer 1 must be a Layer, not the class Tanh|Residual: layer 1 must be a Layer",
        ),
        (lambda: tinynn.LeakyReLU(-1), "LeakyReLU: slope must be a number, 0 or more, not -1"),
        (lambda: tinynn.Huber(0), "Huber: delta must be more than 0, not 0"),
        (lambda: SoftmaxCrossEntropy(label_smoothing=1), r"label_smoothing must be a number, in \[0, 1\), not 1"),
        (lambda: Sequential(Tanh(), shape=28), r"shape must be a tuple of sizes, such as \(28, 28, 1\), not 28"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_positions_are_rows():
    """Sequences and images through Affine, activations, BatchNorm and the losses: each position is a row."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(4, 5, 3)), rng.integers(0, 2, (4, 5))
    model = Sequential(Affine(3, 6), BatchNorm(6), Tanh(), Affine(6, 2), dtype="float64", seed=0)
    flat = copy.deepcopy(model)
    y, y_flat = model.forward(x), flat.forward(x.reshape(20, 3))
    assert np.allclose(y.reshape(20, 2), y_flat)
    assert np.isclose(LOSS.forward(y, t), LOSS(y_flat, t.ravel()))
    model.backward(LOSS.backward())
    LOSS.forward(y_flat, t.ravel())
    flat.backward(LOSS.backward())
    assert np.allclose(model.grads, flat.grads) and tinynn.accuracy(y, t) == tinynn.accuracy(y_flat, t.ravel())
    history = model.fit(x, t, loss=LOSS, optimizer=Adam(model), epochs=1, seed=0, progress=False)
    assert 0 <= history["accuracy"][0] <= 1


@pytest.mark.parametrize("use", [lambda m: m.predict(np.ones((2, 4), "f")), lambda m: m.to("numpy"), lambda m: m.params,
                                 lambda m: m.summary(), lambda m: m.flat_buffers])  # fmt: skip
def test_a_model_that_was_not_assembled_says_so(use):
    class Forgets(Model):
        def __init__(self):
            self.out = Affine(4, 3)

    with pytest.raises(AttributeError, match=r"Forgets: a model must end its __init__ with self.assemble\(seed=0\)"):
        use(Forgets())
    with pytest.raises(
        TypeError, match=r"model must be a model .*: a model must end its __init__ with self.assemble\(seed=0\)"
    ):
        tinynn.fit(Forgets(), *rows(), loss=LOSS, optimizer=None)
