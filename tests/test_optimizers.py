"""The optimizers against plain loops and closed forms; against PyTorch in test_pytorch.py."""

from __future__ import annotations

import copy
import math
import pickle
from decimal import Decimal

import numpy as np
import pytest
from conftest import posing_as_cupy

import tinynn
from tinynn import SGD, Adam, Affine, ReLU, RMSProp, Sequential


class Vectors:
    """The least that an optimizer needs."""

    def __init__(self, params):
        self.params = np.array(params, np.float64)
        self.grads = np.zeros_like(self.params)


def run(make, gradients, start):
    """The parameters after a step for each of the gradients."""
    model = Vectors(start)
    optimizer = make(model)
    for g in gradients:
        model.grads[:] = g
        optimizer.step()
    return model.params


def sgd_by_the_book(gradients, w, lr, momentum, nesterov, weight_decay):
    """Sutskever et al. 2013, one number at a time."""
    w, v = list(map(float, w)), [0.0] * len(w)
    for gradient in gradients:
        for i, g in enumerate(gradient):
            g = g + weight_decay * w[i]
            v[i] = momentum * v[i] - lr * g
            w[i] += momentum * v[i] - lr * g if nesterov else v[i]
    return w


def adam_by_the_book(gradients, w, lr, beta1, beta2, eps, weight_decay):
    """Kingma & Ba 2015, algorithm 1, one number at a time, with Loshchilov & Hutter's decay."""
    w, m, v = list(map(float, w)), [0.0] * len(w), [0.0] * len(w)
    for t, gradient in enumerate(gradients, 1):
        for i, g in enumerate(gradient):
            m[i] = beta1 * m[i] + (1 - beta1) * g
            v[i] = beta2 * v[i] + (1 - beta2) * g * g
            m_hat, v_hat = m[i] / (1 - beta1**t), v[i] / (1 - beta2**t)
            w[i] -= lr * m_hat / (math.sqrt(v_hat) + eps) + lr * weight_decay * w[i]
    return w


@pytest.fixture(autouse=True)
def backend(cpu, monkeypatch):
    monkeypatch.setenv("TINYNN_BACKEND", cpu)


@pytest.mark.parametrize(
    "momentum, nesterov, decay", [(0, False, 0), (0.9, False, 0), (0.9, True, 0), (0.5, True, 0.1)]
)
def test_sgd(momentum, nesterov, decay, rng):
    gradients, w = rng.normal(size=(10, 6)), rng.normal(size=6)
    got = run(lambda model: SGD(model, 0.1, momentum, nesterov, decay), gradients, w)
    assert np.allclose(got, sgd_by_the_book(gradients, w, 0.1, momentum, nesterov, decay), rtol=1e-13)


@pytest.mark.parametrize("options", [(0.1, 0.9, 0.999, 1e-8, 0), (0.01, 0.5, 0.9, 1e-3, 0.1), (0.1, 0, 0, 1e-8, 0)])
def test_adam(options, rng):
    gradients, w = rng.normal(size=(10, 6)), rng.normal(size=6)
    got = run(lambda model: Adam(model, *options), gradients, w)
    assert np.allclose(got, adam_by_the_book(gradients, w, *options), rtol=1e-12)


def test_adams_first_step_is_lr_whatever_the_gradient():
    """m' = g and sqrt(v') = |g| at t = 1, so every weight moves by lr against its gradient's sign. Without the bias
    correction it would be lr (1 - beta1) / sqrt(1 - beta2) = 3.2 lr."""
    w = run(lambda model: Adam(model, lr=0.01, eps=0), [[1e-6, -3.0, 1e6]], [0, 0, 0])
    assert np.allclose(w, [-0.01, 0.01, -0.01], rtol=1e-12)


def test_decoupled_decay_is_the_same_for_every_gradient():
    """With a gradient of 0 a weight shrinks by 1 - lr decay a step, not through m and v."""
    w = run(lambda model: Adam(model, lr=0.1, weight_decay=0.5), np.zeros((3, 1)), [1])
    assert np.allclose(w, 0.95**3, rtol=1e-14)


def test_momentum_reaches_the_closed_form():
    """A constant gradient g and momentum mu: the steps grow towards lr g / (1 - mu)."""
    model = Vectors([0.0])
    optimizer = SGD(model, lr=0.1, momentum=0.9)
    model.grads[:] = 1
    for _ in range(500):
        optimizer.step()
    assert math.isclose(optimizer.velocity[0], -0.1 / (1 - 0.9), rel_tol=1e-12)


BAD = [
    (SGD, {"lr": -0.1}, ValueError, "SGD: lr must be a number, 0 or more, not -0.1"),
    (SGD, {"lr": math.nan}, ValueError, "SGD: lr must be a number"),
    (SGD, {"lr": math.inf}, ValueError, "SGD: lr must be a number"),
    (SGD, {"lr": "fast"}, TypeError, "SGD: lr must be a number, 0 or more, not 'fast'"),
    (SGD, {"lr": 1, "momentum": 1}, ValueError, r"SGD: momentum must be a number, in \[0, 1\), not 1"),
    (SGD, {"lr": 1, "nesterov": True}, ValueError, "momentum must be more than 0 with nesterov=True"),
    (SGD, {"lr": 1, "weight_decay": -1}, ValueError, "SGD: weight_decay must be"),
    (Adam, {"lr": -1e-3}, ValueError, "Adam: lr must be a number, 0 or more, not -0.001"),
    (Adam, {"beta1": 1.0}, ValueError, r"Adam: beta1 must be a number, in \[0, 1\), not 1.0"),
    (Adam, {"beta2": -0.1}, ValueError, "Adam: beta2 must be"),
    (Adam, {"eps": None}, TypeError, "Adam: eps must be a number, 0 or more, not None"),
]


@pytest.mark.parametrize("cls, options, error, text", BAD)
def test_bad_options(cls, options, error, text):
    with pytest.raises(error, match=text):
        cls(Vectors([0.0]), **options)


# For each setting what lies just outside and just inside of its bounds, and what is no such thing.
NUMBER = [(True, TypeError), (None, TypeError), ("0.1", TypeError), (1j, TypeError), (np.ones(1), TypeError), (math.nan, ValueError),
          (math.inf, ValueError), (10**400, ValueError), (-1, ValueError), (-5e-324, ValueError)]  # fmt: skip
BELOW_1 = [*NUMBER, (1, ValueError), (1.0, ValueError), (np.float64(1), ValueError), (2, ValueError)]
FLAG = [(1, TypeError), (0, TypeError), (None, TypeError), ("no", TypeError), (np.ones(1), TypeError)]
WHOLE = [(-1, ValueError), (1.0, TypeError), (True, TypeError), ("1", TypeError), (math.nan, TypeError)]
SETTINGS = {  # name: what is refused, what is taken
    "lr": (NUMBER, [0, 5e-324, 1e308, np.float32(0.5)]),
    "weight_decay": (NUMBER, [0, 5e-324, 1e308]),
    "momentum": (BELOW_1, [5e-324, 1 - 2**-53]),
    "beta1": (BELOW_1, [0, 5e-324, 1 - 2**-53]),
    "beta2": (BELOW_1, [0, 5e-324, 1 - 2**-53]),
    "eps": (NUMBER, [0, 5e-324, 1e308]),
    "clip_norm": (
        [*(n for n in NUMBER if n[0] is not None), (0, ValueError), (-0.0, ValueError)],
        [None, 5e-324, 1e308],
    ),
    "nesterov": (FLAG, [True, False, np.True_]),
    "decay_biases": (FLAG, [True, False, np.False_]),
    "epochs": ([*WHOLE, (None, TypeError)], [0, 1, np.int64(3)]),
    "seed": (WHOLE, [None, 0, 10**30]),
}


@pytest.mark.parametrize("cls, name", [(cls, name) for cls in (SGD, Adam) for name in cls.settings])
def test_settings_are_checked_whenever_they_are_set(cls, name):
    refused, taken = SETTINGS[name]
    arguments = {"lr": 0.1} | ({"momentum": 0.5} if cls is SGD else {})

    def given(value):
        model = Sequential(Affine(2, 1), backend="numpy")
        return setattr(cls(model, **arguments), name, value) if attribute else cls(model, **(arguments | {name: value}))

    for attribute in (False, True):  # in the constructor, and later
        if not attribute and name in ("epochs", "seed"):
            continue
        for value, error in refused:
            with pytest.raises(error, match=f"^{cls.__name__}: {name} must be "):
                given(value)
        for value in taken:
            given(value)
    optimizer = cls(Sequential(Affine(2, 1), backend="numpy"), **arguments)
    before = getattr(optimizer, name)
    for value, error in refused:
        with pytest.raises(error):
            setattr(optimizer, name, value)
        assert getattr(optimizer, name) is before, "what is refused changes nothing"
    for value in taken:
        setattr(optimizer, name, value)
        assert getattr(optimizer, name) == value and type(getattr(optimizer, name)) in (float, int, bool, type(None))


def test_settings_that_are_wrong_together_are_refused_later_too():
    optimizer = SGD(Vectors([0.0]), 0.1, momentum=0.5, nesterov=True)
    with pytest.raises(ValueError, match="SGD: momentum must be more than 0 with nesterov=True, not 0"):
        optimizer.momentum = 0
    assert optimizer.momentum == 0.5
    optimizer.nesterov = False
    optimizer.momentum = 0
    with pytest.raises(ValueError, match="SGD: momentum must be more than 0 with nesterov=True, not 0"):
        optimizer.nesterov = True
    with pytest.raises(TypeError, match="SGD: model must have layers with decay_biases=False, not "):
        optimizer.decay_biases = False
    assert (optimizer.nesterov, optimizer.decay_biases) == (False, True)


@pytest.mark.parametrize("name, cls", [("nesterov", SGD), ("decay_biases", SGD), ("decay_biases", Adam)])
@pytest.mark.parametrize("value", ["no", 1, None, np.ones(2)])
def test_what_is_true_or_false(name, cls, value):
    """The text "no" would count as True."""
    with pytest.raises(TypeError, match=f"{cls.__name__}: {name} must be True or False, not "):
        cls(Vectors([0.0]), lr=0.1, **{name: value})


WRONG_VECTORS = {
    "list": ([1.0, 2.0, 3.0], "must be a numpy array, not|must be like model.params, .*, not"),
    "matrix": (np.ones((3, 1)), "must have 1 dimensions|must be like model.params, .*, not an array of shape"),
    "one number": (np.ones(1), "must be like model.params, a float64 vector of (1|3) numbers, not an array of shape"),
    "half": (np.ones(3, "float16"), "must be of dtype float32 or float64|must be like model.params, .*float16"),
    "strided": (np.ones(6)[::2], "must be contiguous and writable"),
    "frozen": (np.frombuffer(np.ones(3).tobytes()), "must be contiguous and writable"),
}


@pytest.mark.parametrize("name", WRONG_VECTORS)
@pytest.mark.parametrize("attribute", ["params", "grads"])
@pytest.mark.parametrize("when", ["at first", "later"])
@pytest.mark.parametrize("cls", [SGD, Adam])
def test_what_vectors_a_model_cannot_have(name, attribute, when, cls):
    """A gradient that is too short is the worst: a kernel would read what lies behind it."""
    value, text = WRONG_VECTORS[name]
    model = Vectors([1.0, 2.0, 3.0])
    optimizer = cls(model, lr=0.1) if when == "later" else None
    setattr(model, attribute, value)
    with pytest.raises((TypeError, ValueError), match=rf"{cls.__name__}: model\.(params|grads) ({text})"):
        (optimizer or cls(model, lr=0.1)).step()


def test_a_model_may_have_new_vectors():
    """As one does whose backward makes its gradient anew."""
    model = Vectors([1.0, 2.0, 3.0])
    optimizer = SGD(model, lr=0.5)
    model.params, model.grads = model.params.copy(), np.array([2.0, 0.0, 2.0])
    optimizer.step()
    assert model.params.tolist() == [0, 2, 2]


def test_a_model_is_needed():
    with pytest.raises(TypeError, match="Adam: model must have the vectors params and grads, not 0.001"):
        Adam(0.001)


def test_it_is_one_op_on_one_vector(cpu):
    """The optimizer changes the very memory that the layers see."""
    model = Sequential(Affine(3, 2), backend=cpu, seed=0)
    before = model[0].W.copy()
    model.grads[:] = 1
    SGD(model, lr=1.0).step()
    assert np.array_equal(model[0].W, before - 1)
    assert np.shares_memory(model[0].W, model.params) and np.shares_memory(model[0].db, model.grads)


@pytest.mark.parametrize(
    "cls", [c for c in tinynn.optimizers.Optimizer.__subclasses__() if c.__module__ == "tinynn.optimizers"]
)
def test_copies_go_on_alike(cls, rng):
    model = Vectors([1.0, 2.0])
    optimizer = cls(model, lr=0.1)
    model.grads[:] = rng.normal(size=2)
    optimizer.step()
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        reference = copy.deepcopy(model)
        twin.step()
        assert not np.array_equal(twin.model.params, reference.params) and np.array_equal(
            model.params, reference.params
        )


def two_layers(make):
    """The parameters of a small model after three steps with gradients that are drawn; and its first ones."""
    model = Sequential(Affine(3, 4), ReLU(), Affine(4, 2), dtype="float64", seed=0)
    for layer in (model[0], model[2]):
        layer.b = np.ones(layer.n_out)
    before, optimizer, rng = model.params.copy(), make(model), np.random.default_rng(0)
    gradients = rng.normal(size=(3, model.params.size))
    for gradient in gradients:
        model.grads[...] = gradient
        optimizer.step()
    return model, before, gradients


def biases(model):
    """True at the numbers of the flat vector that are biases."""
    flags = np.concatenate(
        [np.full(layer.arrays[name].size, name == "b") for layer in model for name in layer.parameters]
    )
    return flags.astype(bool)


@pytest.mark.parametrize("make", [
    lambda model, **options: SGD(model, 0.1, momentum=0.9, **options), lambda model, **options: Adam(model, 0.1, **options)
])  # fmt: skip
def test_weight_decay_leaves_biases_alone_if_asked(make):
    plain, _, _ = two_layers(lambda model: make(model))
    all_decay, _, _ = two_layers(lambda model: make(model, weight_decay=0.3))
    some, _, _ = two_layers(lambda model: make(model, weight_decay=0.3, decay_biases=False))
    b = biases(some)
    assert np.array_equal(some.params[b], plain.params[b]) and not np.allclose(some.params[b], all_decay.params[b])
    np.testing.assert_allclose(some.params[~b], all_decay.params[~b], rtol=1e-12)


def test_clipping_shortens_the_whole_gradient():
    """A step of plain SGD with lr 1 is the gradient itself: no longer than clip_norm, and in its direction."""
    model, before, _ = two_layers(lambda model: SGD(model, 0))
    for length, clip, expected in ((10.0, 2.5, 2.5), (2.0, 2.5, 2.0), (0.0, 2.5, 0.0)):
        direction = np.ones(model.params.size) / math.sqrt(model.params.size)
        model.params[...] = before
        model.grads[...] = length * direction
        SGD(model, 1.0, clip_norm=clip).step()
        np.testing.assert_allclose(before - model.params, expected * direction, atol=1e-12)
    model.grads[0] = math.nan
    SGD(model, 1.0, clip_norm=1.0).step()
    assert np.isnan(model.params).all()  # a NaN is not hidden by clipping


LENGTHS = [  # squares that are no float32, or no float64; limits beyond all float32; nothing at all
    ([3.0, 4.0], 1.0), ([3.0, 4.0], 5.0), ([3.0, 4.0], 5.000001), ([3.0, 4.0], 4.999999), ([1e20, 2e20, -1e19], 1.0), ([3e38, -3e38], 1e-3),
    ([1e20, 2e20], 1e300), ([1e-30, 2e-30], 1.0), ([1e-30, 2e-30], 1e-32), ([1e-12, 0.0], 1e-13), ([3e-10, 4e-10], 1e-10), ([0.0, 0.0], 1.0),
    ([0.0, 0.0], 1e-40), ([], 1.0), ([1.0], 5e-324),
]  # fmt: skip
LENGTHS = [(g, norm, dtype) for g, norm in LENGTHS for dtype in ("float32", "float64")]
LENGTHS += [([1e200, 1e201], 1.0, "float64"), ([1e-200, 1e-201], 1e-210, "float64")]


@pytest.mark.parametrize("gradient, norm, dtype", LENGTHS)
def test_clipping_of_any_length(gradient, norm, dtype, any_backend):
    """In decimal numbers: nothing overflows or vanishes on the way to the length."""
    ops = tinynn.backends.load(any_backend)
    g = np.array(gradient, dtype)
    exact = [Decimal(float(value)) for value in g]
    length = sum(value * value for value in exact).sqrt() if exact else 0
    right = [float(value * Decimal(norm) / length if length > norm else value) for value in exact]
    a = ops.asarray(g)
    with np.errstate(all="raise"):
        tinynn.optimizers.clip(a, norm, ops.xp)
    limits = np.finfo(dtype)  # four roundings, and one of denormal numbers
    np.testing.assert_allclose(ops.to_numpy(a), right, rtol=4 * limits.eps, atol=float(limits.smallest_subnormal))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_clipping_hides_nothing(value, any_backend):
    ops = tinynn.backends.load(any_backend)
    a = ops.asarray(np.array([1.0, value, 2.0], "float32"))
    tinynn.optimizers.clip(a, 1.0, ops.xp)
    assert np.isnan(ops.to_numpy(a)).all()


def test_clip_and_decay_refuse_what_makes_no_sense():
    with pytest.raises(ValueError, match="SGD: clip_norm must be more than 0, not 0"):
        SGD(Vectors([1.0]), 0.1, clip_norm=0)
    with pytest.raises(TypeError, match="Adam: model must have layers with decay_biases=False"):
        Adam(Vectors([1.0]), decay_biases=False)


def test_how_optimizers_show_themselves():
    """The rate always, other settings where they are not the default."""
    model = Vectors([1.0])
    assert repr(Adam(model)) == "Adam(model, lr=0.001)"
    assert repr(SGD(model, 0.1, momentum=0.9, weight_decay=0.0)) == "SGD(model, lr=0.1, momentum=0.9)"
    optimizer = SGD(model, 0.1)
    optimizer.clip_norm = 1
    assert repr(optimizer) == "SGD(model, lr=0.1, clip_norm=1.0)"
    assert (optimizer.epochs, optimizer.seed) == (0, None)


@pytest.mark.parametrize("make", [Adam, lambda model: SGD(model, 0.1, momentum=0.9)])
def test_an_optimizer_follows_its_model(make):
    """To the stand-in for a GPU and back, with what it keeps: the steps are those of one that stayed."""
    with posing_as_cupy():
        ends = []
        for places in (["numpy"] * 3, ["numpy", "cupy", "numpy"]):
            model = Sequential(Affine(2, 3), backend="numpy", seed=0)
            optimizer = make(model)
            for place in places:
                model.to(place)
                model.grads[...] = model.ops.asarray(np.arange(9, dtype="float32"))
                optimizer.step()
                assert optimizer.ops is model.ops
                assert all(type(getattr(optimizer, name)) is type(model.params) for name in optimizer.state)
            ends.append(model.params)
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-6)


@pytest.mark.parametrize("decay_biases", [True, False])
def test_rmsprop_by_hand(any_backend, decay_biases):
    """v <- rho v + (1 - rho) g^2; w <- w - lr g / (sqrt(v) + eps), with g = gradient + weight_decay w."""
    model = Sequential(Affine(2, 1), backend=any_backend, dtype="float64", seed=0)
    optimizer = RMSProp(model, lr=0.1, rho=0.8, eps=0.01, weight_decay=0.5, decay_biases=decay_biases)
    rng, to_numpy = np.random.default_rng(0), model.ops.to_numpy
    w, v = to_numpy(model.params).copy(), np.zeros(3)
    decayed = np.array([1, 1, decay_biases])
    for _ in range(4):
        gradient = rng.normal(size=3)
        model.grads[...] = model.ops.asarray(gradient)
        optimizer.step()
        g = gradient + 0.5 * w * decayed
        v = 0.8 * v + 0.2 * g * g
        w = w - 0.1 * g / (np.sqrt(v) + 0.01)
        np.testing.assert_allclose(to_numpy(model.params), w, rtol=1e-12)
