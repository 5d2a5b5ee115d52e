"""The layers' contract: what is remembered, what is checked, what a learner's own layer gets."""

from __future__ import annotations

import copy
import functools
import pickle

import numpy as np
import pytest
from oracles import LAYERS, check_layer, example_shape, make_layer

from tinynn import Affine, BatchNorm, Dropout, Layer, ReLU, Residual, Sequential, Sigmoid, Tanh, initializers
from tinynn.backends import load


class Square(Layer):
    """Two methods, no more."""

    def forward(self, x):
        return x * x

    def backward(self, dy):
        return dy * 2 * self.x


class Scale(Layer):
    """With a parameter, as a learner writes it: gradients are assigned."""

    parameters = ("g",)

    def __init__(self, n):
        self.g = np.ones(n)

    def forward(self, x):
        return x * self.g

    def backward(self, dy):
        self.dg = (dy * self.x).sum(axis=0)
        return dy * self.g


class Course(Layer):
    """In the style of the courses: keeps what it needs by itself, under names that Layer uses too."""

    def forward(self, x):
        self.x = 2 * x
        self.y = np.tanh(self.x)
        return self.y.copy()

    def backward(self, dout):
        return dout * (1 - self.y**2) * 2


@pytest.fixture(params=[*LAYERS, Square, lambda: Scale(3), Course])
def layer(request, cpu):
    layer = make_layer(request.param, 3, 4)
    layer.build(np.random.default_rng(0), np.dtype(np.float64), load(cpu))
    return layer


def x_like(layer=None, N=5, seed=1, dtype=float):
    return np.random.default_rng(seed).normal(size=(N, *example_shape(type(layer), 3))).astype(dtype)


def test_calling_leaves_no_trace(layer):
    """A call between forward and backward changes neither, nor buffers and generator; where use is as training, both
    give the same numbers as forward."""
    x, other = x_like(layer), x_like(layer, seed=2)
    y = layer.forward(x)
    if not isinstance(layer, Dropout | BatchNorm | Residual):
        assert np.array_equal(layer(x), y)
    dy = np.random.default_rng(3).normal(size=y.shape)
    dx = layer.backward(dy)
    before = {name: id(value) for name, value in layer.__dict__.items()}
    kept = [layer.arrays[name].copy() for name in layer.buffers], layer.rng.bit_generator.state
    layer(other)
    assert {name: id(value) for name, value in layer.__dict__.items()} == before
    assert all(np.array_equal(layer.arrays[name], a) for name, a in zip(layer.buffers, kept[0]))
    assert layer.rng.bit_generator.state == kept[1]
    assert np.array_equal(layer.backward(dy), dx)


def test_gradients_are_right(layer):
    check_layer(layer, x_like(layer), np.random.default_rng(4))


def test_gradients_are_overwritten_not_added(layer):
    y = layer.forward(x_like(layer))
    layer.backward(np.ones_like(y))
    first = [getattr(layer, "d" + name).copy() for name in layer.parameters]
    layer.backward(np.ones_like(y))
    assert all(np.array_equal(a, getattr(layer, "d" + name)) for a, name in zip(first, layer.parameters))


def test_backward_before_forward_says_so(layer):
    with pytest.raises(RuntimeError, match=r"backward needs a forward before it"):
        layer.backward(np.ones((5, 3)))


def test_an_empty_batch_goes_through(layer):
    if isinstance(layer, BatchNorm | Residual):
        with pytest.raises(
            ValueError, match=r"BatchNorm\(3\): x must have two rows or more in training, not 0: of one"
        ):
            layer.forward(x_like(layer, N=0))
        return
    y = layer.forward(x_like(layer, N=0))
    assert y.shape[0] == 0
    assert layer.backward(np.zeros_like(y)).shape == x_like(layer, N=0).shape
    assert all(not getattr(layer, "d" + name).any() for name in layer.parameters)


def test_copies_and_pickles_are_whole_and_apart(layer):
    x = x_like(layer)
    for twin in (
        copy.deepcopy(layer),
        pickle.loads(pickle.dumps(layer)) if "<locals>" not in repr(type(layer)) else layer,
    ):
        assert np.array_equal(twin(x), layer(x))
        assert all(
            getattr(twin, n) is layer.arrays[n] or not np.shares_memory(getattr(twin, n), layer.arrays[n])
            for n in layer.parameters
        )


BAD_X = {
    "list": ([[1.0, 2.0, 3.0]], TypeError, "x must be a numpy array, not"),
    "rank": (
        np.ones(3),
        ValueError,
        r"x must have 2 dimensions or more, with one example in each row, \(N, D\), not shape \(3,\)",
    ),
    "whole numbers": (np.ones((2, 3), int), TypeError, "x must be of dtype float32 or float64, not int64"),
    "objects": (np.array([[1, 2, None]]), TypeError, "x must be of dtype float32 or float64, not object"),
    "masked": (np.ma.ones((2, 3)), TypeError, "x must be a numpy array, not a numpy.MaskedArray"),
    "matrix": (np.ones((2, 3)).view(np.matrix), TypeError, "x must be a numpy array, not a numpy.matrix"),
    "half": (np.ones((2, 3), np.float16), TypeError, "x must be of dtype float32 or float64, not float16"),
    "None": (None, TypeError, "x must be a numpy array, not None"),
}


@pytest.mark.parametrize("name", BAD_X)
def test_bad_x(name, layer):
    x, error, text = BAD_X[name]
    with pytest.raises(error, match=text):
        layer.forward(x)
    with pytest.raises(error, match=text):
        layer(x)


def test_bad_x_for_affine_names_layer_and_shape():
    with pytest.raises(ValueError, match=r"Affine\(3, 4\): x must have rows of 3, not shape \(2, 5\)"):
        Affine(3, 4).forward(np.ones((2, 5)))


def test_dtype_is_never_cast_silently():
    layer = Affine(3, 4)
    layer.build(dtype=np.dtype(np.float32))
    with pytest.raises(TypeError, match=r"x must be float32 like the layer, not float64: x.astype\('float32'\)"):
        layer.forward(np.ones((2, 3)))
    layer.forward(np.ones((2, 3), np.float32))
    with pytest.raises(TypeError, match="dy must be float32 like y, not float64"):
        layer.backward(np.ones((2, 4)))


def test_bad_dy(layer):
    y = layer.forward(x_like(layer))
    for dy in (np.ones(y.shape[1:]), np.ones((len(y), 1)), np.ones((len(y) + 1, *y.shape[1:])), y.tolist(), None):
        if np.shape(dy) == y.shape and isinstance(dy, np.ndarray):
            continue
        with pytest.raises(ValueError, match="dy must be an array of y's shape"):
            layer.backward(dy)


def test_a_layer_alone_takes_the_dtype_of_its_first_x(cpu, monkeypatch):
    monkeypatch.setenv("TINYNN_BACKEND", cpu)
    for dtype in ("float32", "float64"):
        layer = Affine(3, 4)
        y = layer.forward(x_like(dtype=dtype))
        assert y.dtype == layer.W.dtype == layer.dW.dtype == dtype


def test_parameters_can_be_set_before_and_after():
    layer = Affine(2, 1)
    layer.W = [[1], [2]]
    layer.b = [0.5]
    assert layer.forward(np.array([[10.0, 20.0]])).tolist() == [[50.5]]
    W = layer.W
    layer.W = np.array([[2.0], [3.0]])
    assert layer.W is W, "assigned into, not replaced"
    assert layer(np.array([[10.0, 20.0]])).tolist() == [[80.5]]
    with pytest.raises(ValueError, match=r"Affine\(2, 1\): W must have shape \(2, 1\), not \(1, 2\)"):
        layer.W = [[1.0, 2.0]]
    with pytest.raises(ValueError, match=r"b must have shape \(1,\), not \(\)"):
        layer.b = 1.0  # would broadcast
    for value in (np.ones((2, 1), complex), [["a"], ["b"]], [[None], [1.0]]):
        with pytest.raises(TypeError, match=r"Affine\(2, 1\): W must be set to real numbers, not"):
            layer.W = value
    layer.W += 1
    assert layer.W.tolist() == [[3], [4]]


FIRST = {  # name, value, error, text
    "too few": ("b", np.ones(1), ValueError, r"b must have shape \(4,\), not \(1,\)"),
    "a number": ("b", 0.0, ValueError, r"b must have shape \(4,\), not \(\)"),
    "transposed": ("W", np.ones((4, 3)), ValueError, r"W must have shape \(3, 4\), not \(4, 3\)"),
    "complex": ("b", np.ones(4, complex), TypeError, "b must be set to real numbers, not an array .* complex128"),
    "masked": ("b", np.ma.ones(4), TypeError, "b must be set to real numbers, not a numpy.MaskedArray"),
    "ragged": ("W", [[1.0, 2.0], [3.0]], TypeError, "W must be set to real numbers, not "),
    "truth": ("b", [True] * 4, TypeError, "b must be set to real numbers, not "),
    "too large": ("b", np.full(4, 1e300), ValueError, "b must hold numbers that float32 can hold"),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", FIRST)
def test_what_a_parameter_cannot_be_set_to(name, when, cpu, monkeypatch):
    """Too few first values are the worst: a kernel would read what lies behind them."""
    monkeypatch.setenv("TINYNN_BACKEND", cpu)
    attribute, value, error, text = FIRST[name]
    layer, x = Affine(3, 4), x_like(dtype="float32")
    y = None
    if when == "after":
        y = layer.forward(x)
    with pytest.raises(error, match=r"Affine\(3, 4\): " + text):
        setattr(layer, attribute, value)
        layer.forward(x)
    assert y is None or np.array_equal(layer(x), y), "nothing is changed by an error"


def test_a_refused_x_does_not_build_the_layer():
    """The next x may be of another dtype."""
    for bad in (np.ones((2, 3), int), np.ones(3, np.float32), np.ones((2, 5), np.float32), None):
        for use in (Affine.forward, Affine.__call__):
            layer = Affine(3, 4)
            with pytest.raises((TypeError, ValueError), match=r"Affine\(3, 4\): x must"):
                use(layer, bad)
            assert layer.forward(np.ones((2, 3))).dtype == np.float64


def test_complex_numbers_are_for_the_textbook_alone(monkeypatch):
    x = np.ones((2, 3), complex)
    for make in (ReLU, Tanh, lambda: Affine(3, 4)):
        monkeypatch.setenv("TINYNN_BACKEND", "numba")
        with pytest.raises(TypeError, match="x must be of dtype float32 or float64, not complex128"):
            make().forward(x)
        monkeypatch.setenv("TINYNN_BACKEND", "numpy")
        assert make().forward(x).dtype == np.complex128


@pytest.mark.parametrize("names", ["g", "gain", (1,), None, ("x",), ("g", "forward")])
def test_names_of_parameters(names):
    """("gain") is a text; and a parameter called x would be in the way of x."""
    with pytest.raises(TypeError, match="Wrong: parameters must be a tuple of new names, such as .*, not "):
        type("Wrong", (Layer,), {"parameters": names})


def test_first_values_may_be_a_list():
    class Listed(Scale):
        def __init__(self):
            pass

        def initial_values(self, rng):
            return {"g": [1.0, 2.0, 3.0]}

    assert Listed().forward(np.ones((2, 3))).tolist() == [[1, 2, 3]] * 2


@pytest.mark.parametrize("sizes", [(10**12, 10**12), (10**400, 1), (3, 10**5000)])
def test_sizes_beyond_every_memory(sizes):
    with pytest.raises(ValueError, match="Affine: n_in and n_out must be sizes of a W that fits into memory, not "):
        Affine(*sizes)


def test_sizes_beyond_this_memory():
    def full(shape, rng):
        raise MemoryError

    with pytest.raises(ValueError, match=r"weight_init must draw numbers that fit into memory, not .* shape \(3, 4\)"):
        Affine(3, 4, weight_init=full).build()


def test_affine_arguments():
    for bad in (0, -1):
        with pytest.raises(ValueError, match=f"n_in must be a whole number, 1 or more, not {bad}"):
            Affine(bad, 2)
    for bad in (2.0, "2", True, None):
        with pytest.raises(TypeError, match="n_out must be a whole number"):
            Affine(2, bad)
    with pytest.raises(ValueError, match=r"weight_init must be a function .* or one of kaiming_normal, .*, not 'he'"):
        Affine(2, 2, weight_init="he")
    with pytest.raises(TypeError, match="bias_init must be a function"):
        Affine(2, 2, bias_init=0)
    with pytest.raises(ValueError, match=r"Affine\(2, 3.*\): weight_init must return floats of shape \(2, 3\), not"):
        Affine(2, 3, weight_init=lambda shape, rng: np.zeros((3, 2))).build()


def test_repr_reads_like_the_code():
    assert repr(Affine(2, 3)) == "Affine(2, 3)"
    assert (
        repr(Affine(2, 3, "zeros", bias_init=initializers.normal))
        == "Affine(2, 3, weight_init='zeros', bias_init=normal)"
    )
    half = functools.partial(initializers.constant, value=0.5)
    assert "functools.partial" in repr(Affine(2, 3, bias_init=half))
    assert repr(ReLU()) == "ReLU()"


class Broken(Layer):
    """A learner's layer with one of the usual slips."""

    def __init__(self, y=lambda x: x, dx=lambda dy: dy):
        self.make_y, self.make_dx = y, dx

    def forward(self, x):
        return self.make_y(x)

    def backward(self, dy):
        return self.make_dx(dy)


@pytest.mark.parametrize(
    "slip, text",
    [
        ({"y": lambda x: None}, "forward must return a float64 array with a row for each of the 5 rows of x, not None"),
        ({"y": lambda x: x.sum()}, "forward must return .* not "),
        ({"y": lambda x: x[:2]}, r"forward must return .* not an array of shape \(2, 3\)"),
        ({"y": lambda x: x.astype("float32")}, "forward must return a float64 array .* and dtype float32"),
        ({"dx": lambda dy: None}, r"backward must return dx, a float64 array of x's shape \(5, 3\), not None"),
        ({"dx": lambda dy: dy.T}, r"backward must return dx, .* \(5, 3\), not an array of shape \(3, 5\)"),
    ],
)
def test_a_learners_slip_is_named(slip, text):
    model = Sequential(Square(), Broken(**slip), dtype="float64")
    with pytest.raises(ValueError, match=r"layer 2, Broken\(\): " + text):
        model.backward(np.ones_like(model.forward(x_like(layer))))


def test_a_gradient_of_the_wrong_shape_is_named():
    class NoSum(Scale):
        def backward(self, dy):
            self.dg = dy * self.x
            return dy * self.g

    model = Sequential(NoSum(3), dtype="float64")
    model.forward(x_like(layer))
    with pytest.raises(ValueError, match=r"layer 1, NoSum\(\): dg must have shape \(3,\), not \(5, 3\)"):
        model.backward(np.ones((5, 3)))


def test_a_missing_method_is_named():
    class Half(Layer):
        def forward(self, x):
            return x / 2

    model = Sequential(Half(), dtype="float64")
    model.forward(x_like(layer))
    with pytest.raises(NotImplementedError, match=r"layer 1, Half\(\): a layer must define backward\(self, dy\)"):
        model.backward(np.ones((5, 3)))


def test_a_parameter_without_a_value_is_named():
    class Empty(Scale):
        def __init__(self):
            pass

    with pytest.raises(ValueError, match=r"Empty\(\): the first value of g must be an array of numbers, not nothing"):
        Sequential(Empty())


def test_own_layers_work_inside_a_model(rng):
    model = Sequential(Affine(3, 3), Course(), Scale(3), Sigmoid(), dtype="float64", seed=rng)
    assert model.params.size == 3 * 3 + 3 + 3
    x = x_like(layer)
    y = model.forward(x)
    model.backward(np.ones_like(y))
    from oracles import central_differences, relative_error

    assert relative_error(model.grads, central_differences(lambda: model(x).sum(), model.params)) < 1e-7


def test_use_without_a_copy_is_for_classes_that_say_so():
    """Affine and others only read from themselves; what is derived from them may keep something, and is copied."""

    class Keeps(ReLU):
        def forward(self, x):
            self.seen = x
            return super().forward(x)

    class Renamed(Affine):
        pass

    x = np.float32([[1, -2, 3]])
    layer, plain = Keeps(), ReLU()
    assert np.array_equal(layer(x), plain(x)) and not hasattr(layer, "seen") and plain.x is None
    assert ReLU.only_reads and Renamed.only_reads and not Keeps.only_reads
    plain.forward(x)
    with pytest.raises(TypeError, match="x must be"):
        plain([[1.0]])
    assert np.array_equal(plain.backward(x), [[1, 0, 3]])  # a wrong use does not disturb a pending backward, either
    plain.forward = lambda x: 2 * x  # as who listens to a layer does
    assert np.array_equal(plain(x), 2 * x)


@pytest.mark.parametrize("cls", LAYERS)
def test_what_backward_reads_is_kept_and_no_more(cls):
    """Without the rest backward gives the same, to the last bit; without what `keeps` names it does not work."""
    layer, x = make_layer(cls, 3, 2), np.random.default_rng(0).normal(size=(4, *example_shape(cls, 3)))
    lean = copy.deepcopy(layer)
    ops = load("numpy")
    for one, everything in ((layer, True), (lean, False)):
        one.build(np.random.default_rng(1), x.dtype, ops)
        one.keep_all(everything)
    dy = np.random.default_rng(2).normal(size=layer.forward(x).shape)
    lean.forward(x)
    assert layer.x is x and layer.y is not None
    assert {name for name in ("x", "y") if getattr(lean, name) is not None} == set(cls.keeps)
    assert np.array_equal(lean.backward(dy), layer.backward(dy))
    assert all(np.array_equal(lean.arrays[name], layer.arrays[name]) for name in layer.arrays)
    for name in cls.keeps:
        lean.forward(x)
        setattr(lean, name, None)
        with pytest.raises((AttributeError, TypeError)):
            lean.backward(dy)


def test_a_class_that_does_not_say_what_it_reads_may_read_everything():
    """Its own x and y, those of the layers in it, and those of the class that it derives from."""

    class Gate(Layer):
        def __init__(self):
            self.gate = Sequential(Sigmoid())

        def forward(self, x):
            return x * self.gate.forward(x)

        def backward(self, dy):
            return dy * self.gate.layers[0].y + self.gate.backward(dy * self.x)

    class Bent(ReLU):
        def backward(self, dy):
            return dy * (self.x > 0)

    class Named(ReLU):
        pass

    x = np.float32([[1, -2, 3]])
    block = Residual(Gate(), Bent(), Named())
    block.keep_all(False)
    block.forward(x)
    gate, bent, named = block.layers
    assert block.x is None and block.y is None and gate.x is x and gate.gate.layers[0].y is not None
    assert bent.x is gate.y and bent.y is not None and named.x is None and named.y is not None
    assert np.isfinite(block.backward(x)).all()
    with pytest.raises(TypeError, match="keep_all must be True or False, not 'no'"):
        block.keep_all("no")
    block.keep_all(True)
    block.forward(x)
    assert block.x is x and named.x is not None
    assert copy.deepcopy(block).keeps_all
