"""Sequential: one vector, views, errors when it is built, moving, copying, showing."""

from __future__ import annotations

import copy
import pickle
import threading
import tracemalloc

import numpy as np
import pytest
from test_layers import Scale, Square

from tinynn import Adam, Affine, Layer, ReLU, Sequential, Sigmoid, SoftmaxCrossEntropy, Tanh, flatten


def small(**options):
    return Sequential(Affine(4, 5), ReLU(), Affine(5, 3), **{"seed": 0, **options})


def step(model, x, t, loss, optimizer):
    value = loss.forward(model.forward(x), t)
    model.backward(loss.backward())
    optimizer.step()
    return value


def test_parameters_are_views_into_one_vector(cpu):
    model = small(backend=cpu)
    assert model.params.shape == model.grads.shape == (4 * 5 + 5 + 5 * 3 + 3,)
    model.params[:] = np.arange(43)
    assert model[0].W[0].tolist() == [0, 1, 2, 3, 4] and model[0].b.tolist() == [20, 21, 22, 23, 24]
    assert model[2].W[0].tolist() == [25, 26, 27] and model[2].b.tolist() == [40, 41, 42]
    model.params = np.zeros(43, np.float32)
    assert not model[2].b.any()
    model.params += 1
    assert (model[0].W == 1).all()


def test_the_lectures_network():
    model = Sequential(Affine(784, 256), ReLU(), Affine(256, 10), seed=0)
    assert model.params.size == 203_530 and model.params.dtype == np.float32
    assert abs(model[0].W.std() / np.sqrt(2 / 784) - 1) < 0.01 and not model[0].b.any() and not model[2].b.any()


def test_forward_is_the_chain_of_its_layers(cpu, rng):
    model = small(backend=cpu, dtype="float64")
    x = rng.normal(size=(6, 4))
    h = x @ model[0].W + model[0].b
    y = np.maximum(h, 0) @ model[2].W + model[2].b
    for result in (model.forward(x), model(x), model.predict(x)):
        assert np.allclose(result, y, rtol=1e-13)
    assert model.backward(np.ones((6, 3))) is None
    assert np.allclose(model[0].dW, x.T @ ((np.ones((6, 3)) @ model[2].W.T) * (h > 0)), rtol=1e-12)


def test_calling_disturbs_no_pending_backward(cpu, rng):
    model = small(backend=cpu, dtype="float64")
    x, other = rng.normal(size=(6, 4)), rng.normal(size=(2, 4))
    model.forward(x)
    model.backward(np.ones((6, 3)))
    grads = model.grads.copy()
    model.forward(x)
    model(other), model.predict(other), model.summary(), repr(model)
    model.backward(np.ones((6, 3)))
    assert np.array_equal(model.grads, grads)


def test_same_seed_same_weights():
    assert np.array_equal(small(seed=7).params, small(seed=7).params)
    assert not np.array_equal(small(seed=7).params, small(seed=8).params)
    assert not np.array_equal(small(seed=None).params, small(seed=None).params)
    assert np.array_equal(small(seed=np.random.default_rng(7)).params, small(seed=7).params)


def test_nothing_touches_the_global_random_state():
    before = np.random.get_state()[1].copy()
    small(seed=None)
    assert np.array_equal(before, np.random.get_state()[1])


def test_sizes_that_do_not_fit_are_an_error_when_built():
    text = r"layer 2, Affine\(128, 10\): takes rows of 128, not rows of 64 as layer 1, Affine\(784, 64\), gives"
    with pytest.raises(ValueError, match=text):
        Sequential(Affine(784, 64), Affine(128, 10))
    with pytest.raises(ValueError, match=r"layer 4, .* as layer 1, "):
        Sequential(Affine(4, 5), ReLU(), Tanh(), Affine(6, 3))
    Sequential(Affine(4, 5), Square(), Affine(6, 3))  # a learner's layer may change the width: not known before it runs


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda: Sequential(), ValueError, "Sequential must have at least one layer"),
        (lambda: Sequential(ReLU), TypeError, r"layer 1 must be a Layer, not .*ReLU.*\(a class: add parentheses\)"),
        (lambda: Sequential(Affine(2, 2), "relu"), TypeError, "layer 2 must be a Layer, not 'relu'"),
        (
            lambda: Sequential([Affine(2, 2)]),
            TypeError,
            r"layers must be given one by one, .* not as \[Affine\(2, 2\)\]",
        ),
        (
            lambda: Sequential(ReLU(), dtype="float16"),
            ValueError,
            "dtype must be 'float32' or 'float64', not 'float16'",
        ),
        (lambda: Sequential(ReLU(), dtype=int), ValueError, "dtype must be 'float32' or 'float64'"),
        (lambda: Sequential(ReLU(), dtype="floaty"), ValueError, "dtype must be 'float32' or 'float64', not 'floaty'"),
        (lambda: Sequential(ReLU(), dtype="complex128", backend="numba"), ValueError, "dtype must be"),
        (lambda: Sequential(ReLU(), dtype=None), ValueError, "dtype must be 'float32' or 'float64', not None"),
        (lambda: Sequential(ReLU(), dtype=">f4"), ValueError, "dtype must be 'float32' or 'float64', not '>f4'"),
        (lambda: Sequential(ReLU(), dtype="i4, ("), ValueError, "dtype must be 'float32' or 'float64', not 'i4, \\('"),
        (lambda: Sequential(ReLU(), dtype=np.float32(3)), ValueError, "dtype must be 'float32' or 'float64', not "),
        (
            lambda: Sequential(ReLU(), seed=np.timedelta64(3, "s")),
            TypeError,
            "seed must be a whole number, 0 or more, not ",
        ),
    ],
)
def test_what_cannot_be_built(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_a_layer_has_one_place():
    shared = Affine(3, 3)
    with pytest.raises(ValueError, match=r"layer 3, Affine\(3, 3\), must be a layer of its own, not one used before"):
        Sequential(shared, ReLU(), shared)
    model = Sequential(shared)
    with pytest.raises(ValueError, match=r"layer 1, Affine\(3, 3\), must be a new layer, not one of another model"):
        Sequential(shared)
    part = Sequential(copy.deepcopy(model[0]), Tanh())
    assert np.array_equal(part[0].W, model[0].W) and not np.shares_memory(part[0].W, model[0].W)


def test_a_failed_build_leaves_the_layers_usable():
    first, second = Affine(4, 5), Affine(6, 3)
    with pytest.raises(ValueError):
        Sequential(first, second)
    Sequential(first), Sequential(second)


BAD_X = [
    (np.ones((2, 4)), TypeError, r"x must be float32 like the model, not float64: x.astype\('float32'\)"),
    (np.ones((2, 4), int), TypeError, "x must be of dtype float32 or float64, not int64"),
    (np.ones((2, 5), np.float32), ValueError, r"layer 1, Affine\(4, 5\): x must have rows of 4, not shape \(2, 5\)"),
    (np.ones(4, np.float32), ValueError, r"layer 1, Affine\(4, 5\): x must have 2 dimensions"),
    ([[1.0, 2.0, 3.0, 4.0]], TypeError, "x must be a numpy array"),
    (None, TypeError, "x must be a numpy array"),
]


@pytest.mark.parametrize("x, error, text", BAD_X)
@pytest.mark.parametrize("method", ["forward", "__call__", "predict"])
def test_bad_x(x, error, text, method, cpu):
    with pytest.raises(error, match=text if method != "predict" else text.replace(r"layer 1, Affine\(4, 5\): ", ".*")):
        getattr(small(backend=cpu), method)(x)


def test_the_dtype_holds_for_layers_without_parameters():
    with pytest.raises(TypeError, match="x must be float32 like the model, not float64"):
        Sequential(ReLU(), Affine(3, 2)).forward(np.ones((2, 3)))


@pytest.mark.parametrize("values", [np.zeros(42, np.float32), np.zeros((43, 1), np.float32), np.zeros(43), [0.0] * 43])
def test_bad_params(values):
    with pytest.raises((TypeError, ValueError), match="params must"):
        small().params = values


def test_moving_between_backends(rng):
    x, t = rng.normal(size=(8, 4)).astype("f4"), rng.integers(0, 3, 8)
    model, reference = small(backend="numpy"), small(backend="numpy")
    loss, optimizer = SoftmaxCrossEntropy(), Adam(model)
    reference_loss, reference_optimizer = SoftmaxCrossEntropy(backend="numpy"), Adam(reference)
    for backend in ("numpy", "numba", "numpy"):
        assert model.to(backend) is model and model.backend == backend
        step(model, x, t, loss, optimizer)
        step(reference, x, t, reference_loss, reference_optimizer)
        assert np.allclose(model.params, reference.params, atol=1e-6)
    model.forward(x)
    model.to("numba")
    with pytest.raises(RuntimeError, match="backward needs a forward"):
        model.backward(np.ones((8, 3), np.float32))


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["deepcopy", "pickle"])
def test_a_copy_is_whole_and_apart(clone, cpu, rng):
    """Views in the copy are views into the copy's own vector: training it moves it, and it alone."""
    x, t = rng.normal(size=(8, 4)).astype("f4"), rng.integers(0, 3, 8)
    model = Sequential(Affine(4, 5), ReLU(), Scale(5), Affine(5, 3), backend=cpu, seed=0)
    twin = clone(model)
    kept = model.params.copy()
    assert np.array_equal(twin.params, kept) and np.array_equal(twin(x), model(x)) and repr(twin) == repr(model)
    step(twin, x, t, SoftmaxCrossEntropy(backend=cpu), Adam(twin))
    assert np.array_equal(model.params, kept) and not np.array_equal(twin(x), model(x))
    assert np.shares_memory(twin[0].W, twin.params) and twin[0].needs_dx is False
    step(model, x, t, SoftmaxCrossEntropy(backend=cpu), Adam(model))
    assert np.array_equal(model.params, twin.params)


def test_threads_predict_alike(cpu, rng):
    """Calling leaves no trace, so threads do not meet."""
    model = small(backend=cpu)
    rows = [rng.normal(size=(50, 4)).astype("f4") for _ in range(8)]
    expected, got = [model(x) for x in rows], [None] * 8

    def work(i):
        for _ in range(50):
            got[i] = model(rows[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    assert all(np.array_equal(a, b) for a, b in zip(expected, got))


def test_showing(monkeypatch):
    monkeypatch.setenv("TINYNN_BACKEND", "numba")
    assert repr(small(seed=None)) == "Sequential(Affine(4, 5), ReLU(), Affine(5, 3))"
    model = small(dtype="float64", backend="numpy")
    text = "Sequential(Affine(4, 5), ReLU(), Affine(5, 3), backend='numpy', dtype='float64', seed=0)"
    assert repr(model) == text
    assert np.array_equal(eval(text).params, model.params), "the repr is code that makes the model again"
    deep = Sequential(*[Affine(100, 100, weight_init="xavier_normal") for _ in range(4)])
    assert len(eval(repr(deep))) == 4 and max(map(len, repr(deep).splitlines())) <= 100
    assert len(model) == 3 and list(model) == list(model.layers) and model[-1] is model[2]


def test_summary():
    text = str(Sequential(Affine(784, 256), Sigmoid(), Square(), Affine(256, 10)).summary())
    assert "203,530" in text and "200,960" in text and "(N, 256)" in text and "(N, ?)" in text and "0.81 MB" in text
    assert max(map(len, text.splitlines())) <= 80
    assert repr(Sequential(ReLU()).summary()).count("\n") > 3, "at the prompt it shows as it is"


def test_flatten_serves_a_class_of_ones_own(cpu, monkeypatch):
    """The lecture's style: a class that holds layers and says forward by hand; Adam and fit take it."""
    monkeypatch.setenv("TINYNN_BACKEND", cpu)

    class Network:
        def __init__(self):
            self.first, self.relu, self.second = Affine(4, 5), ReLU(), Affine(5, 3)
            self.params, self.grads = flatten(self.first, self.relu, self.second, seed=0)

        def forward(self, x):
            return self.second.forward(self.relu.forward(self.first.forward(x)))

        def backward(self, dy):
            self.first.backward(self.relu.backward(self.second.backward(dy)))

    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(8, 4)).astype("f4"), rng.integers(0, 3, 8)
    own, model = Network(), small()
    for m in (own, model):
        loss, optimizer = SoftmaxCrossEntropy(), Adam(m)
        for _ in range(5):
            step(m, x, t, loss, optimizer)
    assert np.array_equal(own.params, model.params)


def test_the_first_layers_dx_is_not_computed(cpu, monkeypatch):
    asked = []
    model = Sequential(Affine(3, 3), Affine(3, 3), backend=cpu)
    op = model.ops.affine_backward
    monkeypatch.setattr(model.ops, "affine_backward", lambda *a: asked.append(a[-1]) or op(*a))
    model.forward(np.ones((2, 3), np.float32))
    model.backward(np.ones((2, 3), np.float32))
    assert asked == [True, False]


def test_a_width_that_cannot_be_known_is_found_when_run():
    class Double(Layer):
        def forward(self, x):
            return np.concatenate([x, x], axis=1)

    with pytest.raises(ValueError, match=r"layer 3, Affine\(4, 2\): x must have rows of 4, not shape \(1, 8\)"):
        Sequential(Affine(3, 4), Double(), Affine(4, 2)).forward(np.ones((1, 3), np.float32))


@pytest.mark.parametrize("N", [1, 999, 1000, 1001, 4500])
def test_predict_works_in_batches(N, any_backend, rng):
    """Those of 1000 rows, to the last bit; and the numbers of all rows at once, but for rounding."""
    x = rng.normal(size=(N, 6)).astype(np.float32)
    model = Sequential(Affine(6, 40), Tanh(), Affine(40, 3), backend=any_backend, seed=0)
    y = model.predict(x)
    parts = [model(model.ops.asarray(x[n : n + 1000])) for n in range(0, N, 1000)]
    assert np.array_equal(y, np.concatenate([model.ops.to_numpy(part) for part in parts])) and type(y) is np.ndarray
    np.testing.assert_allclose(y, model.ops.to_numpy(model(model.ops.asarray(x))), rtol=1e-4, atol=1e-5)


def test_predict_without_rows(any_backend):
    model = Sequential(Affine(6, 3), backend=any_backend, seed=0)
    assert model.predict(np.ones((0, 6), np.float32)).shape == (0, 3)


def test_predict_holds_no_more_than_a_batch(cpu):
    """Of 31 MB of rows that are mostly zeros; all at once, the lists of what is not 0 alone took twice as much."""
    x = np.zeros((10_000, 784), np.float32)
    x[:, ::5] = 1
    model = Sequential(Affine(784, 256), ReLU(), Affine(256, 10), backend=cpu, seed=0)
    model.predict(x[:1000])
    tracemalloc.start()
    model.predict(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1000 * 4 * (2 * 784 + 2 * 256 + 10) + 10_000 * 4 * 2 * 10 + 1e6  # lists, two layers, y twice
