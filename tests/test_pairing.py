"""Everything that moves y is looked at, wherever an object keeps it; where it cannot be, that is said, not "right".

Each style below is one affine map y = x W + b (or two), written as courses and books do. Its slip factor `s` multiplies
dW, so s = 1 is right and 2 is wrong. Right code must be called right, or "not judged" where nobody could know; wrong
code must never be called right.
"""

from __future__ import annotations

import collections
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import LIMIT, STRICT

import tinynn
from tinynn import SGD, Affine, Layer, Sequential, SoftmaxCrossEntropy, Tanh, check, check_layer
from tinynn.__main__ import main
from tinynn.teach import adapt

D, H = 5, 4
STYLES = {}


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def style(f):
    STYLES[f.__name__] = f
    return f


class Base:
    """x W + b by whatever the subclass calls W and b: `get` gives them, `put` takes the gradients."""

    def __init__(self, s):
        self.s_ = f"{s}"  # a text is no number that moves y
        self.setup()

    def forward(self, x):
        self.x = x
        W, b = self.get()
        return x @ np.asarray(W) + b

    def backward(self, dout):
        W, _ = self.get()
        result = self.put(float(self.s_) * self.x.T @ dout, dout.sum(axis=0))
        dx = dout @ np.asarray(W).T
        return dx if result is None else (dx, *result)


def by_attributes(W, b, dW, db):
    class ByAttributes(Base):
        def setup(self):
            setattr(self, W, numbers(D, H))
            setattr(self, b, np.zeros(H))

        def get(self):
            return getattr(self, W), getattr(self, b)

        def put(self, gW, gb):
            setattr(self, dW, gW)
            setattr(self, db, gb)

    return ByAttributes


for names in (
    ("W", "b", "dW", "db"), ("W", "b", "d_W", "d_b"), ("W", "b", "grad_W", "grad_b"), ("W", "b", "W_grad", "b_grad"),
    ("W1", "b1", "dW1", "db1"), ("w", "bias", "gradw", "gradbias"), ("weights", "biases", "dweights", "dbiases"),
    ("weights", "bias", "weights_gradient", "bias_gradient"), ("kernel", "beta", "dkernel", "dbeta"),
    ("theta", "theta0", "delta_theta", "delta_theta0"), ("mixing", "offset", "dmixing", "doffset"),
    ("_W", "_b", "_dW", "_db"), ("W", "b", "dLdW", "dLdb"), ("W", "b", "nabla_W", "nabla_b"),
    ("coefficients", "shift", "slope_of_them", "slope_of_it"),  # by their numbers alone
):  # fmt: skip
    STYLES["attributes " + " ".join(names)] = by_attributes(*names)


@style
class Dicts(Base):
    """params and grads, with the same keys."""

    def setup(self):
        self.params, self.grads = {"W": numbers(D, H), "b": np.zeros(H)}, {}

    def get(self):
        return self.params["W"], self.params["b"]

    def put(self, dW, db):
        self.grads = {"W": dW, "b": db}


@style
class DictsWithD(Dicts):
    def put(self, dW, db):
        self.grads = {"dW": dW, "db": db}


@style
class OneDict(Base):
    def setup(self):
        self.cells = {"W": numbers(D, H), "b": np.zeros(H)}

    def get(self):
        return self.cells["W"], self.cells["b"]

    def put(self, dW, db):
        self.cells.update(dW=dW, db=db)


@style
class GradientsOfAttributes(Base):
    """W and b in attributes, the gradients in a dict."""

    def setup(self):
        self.W, self.b = numbers(D, H), np.zeros(H)

    def get(self):
        return self.W, self.b

    def put(self, dW, db):
        self.grads = {"W": dW, "b": db}


@style
class Lists(Base):
    def setup(self):
        self.params, self.grads = [numbers(D, H), np.zeros(H)], [None, None]

    def get(self):
        return self.params

    def put(self, dW, db):
        self.grads = [dW, db]


@style
class ListsOfOne(Base):
    def setup(self):
        self.weights, self.biases = [numbers(D, H)], [np.zeros(H)]

    def get(self):
        return self.weights[0], self.biases[0]

    def put(self, dW, db):
        self.dweights, self.dbiases = [dW], [db]


@style
class Tuples(Base):
    """A tuple takes no new member: its numbers are changed in place."""

    def setup(self):
        self.params = (numbers(D, H), np.zeros(H))

    def get(self):
        return self.params

    def put(self, dW, db):
        self.grads = (dW, db)


@style
class Returned(Base):
    """backward returns dx, dW, db."""

    def setup(self):
        self.W, self.b = numbers(D, H), np.zeros(H)

    def get(self):
        return self.W, self.b

    def put(self, dW, db):
        return dW, db


@style
class Cache(Returned):
    """forward returns y and a cache, and backward gets it."""

    def forward(self, x):
        return x @ self.W + self.b, (x,)

    def backward(self, dout, cache):
        (self.x,) = cache
        return super().backward(dout)


@style
class NestedLists(GradientsOfAttributes):
    """W as lists of lists."""

    def setup(self):
        self.W, self.b = numbers(D, H).tolist(), [0.0] * H


@style
class OneBias(Base):
    """b is one float for all."""

    def setup(self):
        self.W, self.b = numbers(D, H), 0.0

    def get(self):
        return self.W, self.b

    def put(self, dW, db):
        self.dW, self.db = dW, float(db.sum())


@style
class Data(Base):
    """Parameters as objects with data and grad."""

    def setup(self):
        self.W, self.b = SimpleNamespace(data=numbers(D, H), grad=None), SimpleNamespace(data=np.zeros(H), grad=None)

    def get(self):
        return self.W.data, self.b.data

    def put(self, dW, db):
        self.W.grad, self.b.grad = dW, db


@style
class Lazy(GradientsOfAttributes):
    """The weights are drawn at the first forward."""

    def setup(self):
        self.W = self.b = None

    def get(self):
        if self.W is None:
            self.W, self.b = np.random.normal(size=(self.x.shape[1], H)), np.zeros(H)
        return self.W, self.b

    def put(self, dW, db):
        self.dW, self.db = dW, db


@style
class OutIn(GradientsOfAttributes):
    """W is (out, in), y = x W^T + b."""

    def setup(self):
        self.W, self.b = numbers(H, D), np.zeros(H)

    def get(self):
        return self.W.T, self.b

    def put(self, dW, db):
        self.dW, self.db = dW.T, db


@style
class Held:
    """Layers in a list, each with its own W and dW."""

    def __init__(self, s):
        self.layers = [STYLES["attributes W b dW db"](1), Sine(), STYLES["attributes W1 b1 dW1 db1"](s)]
        self.layers[2].W1, self.layers[2].b1 = numbers(H, 3), np.zeros(3)

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dout):
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout


class Sine:
    def forward(self, x):
        self.x = x
        return np.sin(x)

    def backward(self, dout):
        return dout * np.cos(self.x)


@style
class Shared(Held):
    """As in a well-known book: the network's params are the very arrays of its layers, its grads theirs by name."""

    def __init__(self, s):
        super().__init__(s)
        first, sine, last = self.layers
        self.params = {"W1": first.W, "b1": first.b, "W2": last.W1, "b2": last.b1}
        self.layers = collections.OrderedDict(Affine1=first, Sine1=sine, Affine2=last)

    def forward(self, x):
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def backward(self, dout):
        for layer in reversed(list(self.layers.values())):
            dout = layer.backward(dout)
        first, _, last = self.layers.values()
        self.grads = {"W1": first.dW, "b1": first.db, "W2": last.dW1, "b2": last.db1}
        return dout


@style
class TwoInOne:
    """Two affine maps in one class; all gradients come to be in backward, under names that are not of the known ones."""

    def __init__(self, s):
        self.W1, self.W2, self.s = numbers(D, H), numbers(H, 3), str(s)

    def forward(self, x):
        self.x, self.h = x, np.tanh(x @ self.W1)
        return self.h @ self.W2

    def backward(self, d):
        self.step_for_2 = self.h.T @ d
        d = d @ self.W2.T * (1 - self.h**2)
        self.step_for_1 = float(self.s) * self.x.T @ d
        return d @ self.W1.T


@style
class Library:
    """tinynn's own layers, in an object that is none."""

    def __init__(self, s):
        self.s = str(s)
        self.first, self.last = Affine(D, H), Affine(H, 3)
        self.params, self.grads = tinynn.flatten(self.first, self.last, seed=0)
        del self.params, self.grads

    def forward(self, x):
        return self.last.forward(self.first.forward(x))

    def backward(self, dy):
        dx = self.first.backward(self.last.backward(dy))
        self.last.dW = float(self.s) * self.last.dW
        return dx


@style
class Prelu:
    """A slope that is learned: a float with a gradient."""

    def __init__(self, s):
        self.slope, self.s = 0.25, str(s)

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.slope * x)

    def backward(self, dy):
        self.dslope = float(self.s) * (dy * np.where(self.x > 0, 0, self.x)).sum()
        return dy * np.where(self.x > 0, 1, self.slope)


@style
class DictsFromTheStart(Dicts):
    """params and grads from the start, as flatten's models have vectors of these names."""

    def setup(self):
        super().setup()
        self.grads = {"W": np.zeros((D, H)), "b": np.zeros(H)}


@style
class Slots:
    """No __dict__: the attributes lie in slots."""

    __slots__ = ("W", "b", "dW", "db", "s", "x")

    def __init__(self, s):
        self.W, self.b, self.s = numbers(D, H), np.zeros(H), str(s)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, d):
        self.dW, self.db = float(self.s) * self.x.T @ d, d.sum(axis=0)
        return d @ self.W.T


@style
class OfTheClass(Base):
    """The class holds the arrays, one of them in a dict."""

    W, held = numbers(D, H), {"b": np.zeros(H)}

    def setup(self):
        pass

    def get(self):
        return self.W, self.held["b"]

    def put(self, dW, db):
        self.dW, self.held["db"] = dW, db


@style
class ReturnedForAList(Base):
    """backward returns dx and the gradients of a list, so that their places differ by one. x is as large as W."""

    def setup(self):
        self.weights = [numbers(D, H), np.zeros(H)]

    def get(self):
        return self.weights

    def put(self, dW, db):
        return dW, db


@style
class Normalized:
    """Over the rows, with running figures that y does not depend on, and settings that it does."""

    def __init__(self, s):
        self.gamma, self.beta, self.eps, self.s = numbers(D, seed=3), numbers(D, seed=4), 1e-5, str(s)
        self.running_mean, self.momentum = np.zeros(D), 0.9

    def forward(self, x):
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * x.mean(axis=0)
        self.std = np.sqrt(x.var(axis=0) + self.eps)
        self.z = (x - x.mean(axis=0)) / self.std
        return self.gamma * self.z + self.beta

    def backward(self, dy):
        self.dgamma, self.dbeta = float(self.s) * (dy * self.z).sum(axis=0), dy.sum(axis=0)
        d = dy * self.gamma
        return (d - d.mean(axis=0) - self.z * (d * self.z).mean(axis=0)) / self.std


WRONG = [0, 2, -1, 1.001]
X = numbers(7, D, seed=1)


def test_there_are_enough():
    assert len(STYLES) * 2 >= 60 and len(STYLES) * len(WRONG) >= 40


@pytest.mark.parametrize("name", STYLES)
def test_right_code_is_right(name):
    thing = STYLES[name](1)
    report = check_layer(thing, X)
    assert report, report
    assert len(report.rows) >= (2 if name == "Prelu" else 3)
    assert report.notes == (["taken as constant, not learned: eps of Normalized()"] if name == "Normalized" else [])
    t = np.random.default_rng(2).integers(0, 2, 7)
    report = check([STYLES[name](1), Tanh()], X, t, SoftmaxCrossEntropy())
    assert report, report


@pytest.mark.parametrize("s", WRONG)
@pytest.mark.parametrize("name", STYLES)
def test_wrong_code_is_never_right(name, s):
    report = check_layer(STYLES[name](s), X)
    assert not report and report.code not in ("ok", "random-forward"), report
    by_numbers_alone = name in ("TwoInOne",) or name.startswith("attributes coefficients")
    assert (report.code == "not-judged") == by_numbers_alone, report
    if by_numbers_alone:
        assert "not judged" in str(report) and "moves y, and no gradient of it was found" in report.why
    t = np.random.default_rng(2).integers(0, 2, 7)
    assert not check([STYLES[name](s), Tanh()], X, t, SoftmaxCrossEntropy())


@pytest.mark.parametrize("name", STYLES)
def test_a_model_of_it_trains_all_of_it_or_says_that_it_cannot(name):
    """Of the same step, all parameters move, as the gradients that check has seen say; with a batch and without."""
    t = np.random.default_rng(2).integers(0, 3, 7)
    for given in ((X,), ()):
        model = None
        try:
            model = Sequential(adapt(STYLES[name](1), *given), Tanh(), dtype="float64", seed=0)
            before = model.params.copy()
            model.fit(X, t, loss=SoftmaxCrossEntropy(), optimizer=SGD(model, 0.1), epochs=1, seed=0, progress=False)
        except TypeError as error:
            assert not given and "adapt(thing, x)" in str(error)
            continue
        sizes = {"Held": D * H + H + H * 3 + 3, "Shared": D * H + H + H * 3 + 3, "TwoInOne": D * H + H * 3}
        sizes["Normalized"] = 2 * D
        sizes |= {"Library": D * H + H + H * 3 + 3, "Prelu": 1, "OneBias": D * H + 1}
        assert model.params.size == sizes.get(name, D * H + H)
        moved = model.params != before
        assert moved.mean() > 0.9


def test_what_is_not_learned():
    """Constants: read-only arrays, what `parameters` does not name, and floats of unusual names. They are told."""

    class Scaled(Base):
        parameters = None

        def setup(self):
            self.W, self.b, self.scale, self.rate = numbers(D, H), np.zeros(H), numbers(H), 0.5

        def get(self):
            return self.W * self.scale * self.rate, self.b

        def put(self, dW, db):
            self.dW, self.db = dW * self.scale * self.rate, db

    report = check_layer(Scaled(1), X)
    assert report.code == "not-judged" and not report and "scale moves y" in report.why
    fixed = Scaled(1)
    fixed.scale.flags.writeable = False
    report = check_layer(fixed, X)
    assert report and "taken as constant, not learned: scale, rate of Scaled()" in " ".join(report.notes)
    Scaled.parameters = ("W", "b")
    report = check_layer(Scaled(1), X)
    assert report and "scale, rate" in " ".join(report.notes)
    assert check_layer(Scaled(2), X).code not in ("ok", "not-judged")
    with pytest.raises(TypeError, match="scale moves y"):
        Scaled.parameters = None
        adapt(Scaled(1), X)


def test_a_layer_that_forgets_a_parameter():
    """A tinynn Layer names its parameters; what moves y beside them is not trained."""

    class Forgets(Layer):
        def __init__(self):
            self.W = numbers(D, H)

        def forward(self, x):
            return x @ self.W.astype(x.dtype)

        def backward(self, dy):
            self.dW = 2 * self.x.T @ dy
            return dy @ self.W.T

    t = np.random.default_rng(2).integers(0, H, 7)
    assert check_layer(Forgets(), X).code == "not-judged"
    report = check(Sequential(Forgets(), Tanh(), dtype="float64", seed=0), X, t, SoftmaxCrossEntropy())
    assert report.code == "not-judged" and "W moves y" in report.why and "layer 1" in report.where


def test_a_model_that_holds_more_than_its_layers():
    class Own:
        def __init__(self):
            self.affine, self.gain = Affine(D, H), np.ones(H)
            self.params, self.grads = tinynn.flatten(self.affine, seed=0)

        def forward(self, x):
            return self.affine.forward(x) * self.gain.astype(x.dtype)

        def backward(self, dy):
            self.affine.backward(dy * self.gain)

    t = np.random.default_rng(2).integers(0, H, 7)
    report = check(Own(), X, t, SoftmaxCrossEntropy())
    assert report.code == "not-judged" and "gain moves y" in report.why
    kept = Own()
    kept.gain.flags.writeable = False
    assert check(kept, X, t, SoftmaxCrossEntropy())


def test_a_layer_with_dropout_is_trained():
    """Two forwards of it differ, and yet what moves y is found."""

    class Dropout:
        def __init__(self):
            self.mixing = numbers(D, H)

        def forward(self, x):
            self.mask = np.random.random(x.shape) > 0.3
            self.x = x * self.mask
            return self.x @ self.mixing

        def backward(self, dy):
            self.slope_of_it = self.x.T @ dy
            return dy @ self.mixing.T * self.mask

    before = np.random.get_state()[1].tobytes()
    assert adapt(Dropout(), X).parameters == ("mixing",)
    report = check_layer(Dropout(), X)
    assert report and any("draws random numbers" in note for note in report.notes), report
    assert np.random.get_state()[1].tobytes() == before


def test_b_is_0():
    """A whole number by the name of a parameter is one, too."""

    class Whole(Base):
        def setup(self):
            self.W, self.b, self.n_in = numbers(D, H), 0, D

        def get(self):
            return self.W, self.b

        def put(self, dW, db):
            self.dW, self.db = dW, float(self.s_) * db.sum()

    assert len(check_layer(Whole(1), X).rows) == 3 and check_layer(Whole(1), X)
    assert not check_layer(Whole(2), X)


def test_the_arrays_of_a_class_are_not_changed():
    thing = STYLES["OfTheClass"](1)
    before = thing.W.copy(), {**vars(type(thing))}, sorted(type(thing).held)
    assert check_layer(thing, X)
    model = Sequential(adapt(thing, X), dtype="float64", seed=0)
    model.params += 1
    model.forward(X)
    assert np.array_equal(type(thing).W, before[0]) and not np.any(type(thing).held["b"])
    assert {**vars(type(thing))} == before[1] and sorted(type(thing).held) == before[2]


def test_empty_rows():
    with pytest.raises((TypeError, ValueError), match=r"x must .*not .*\(6, 0\)"):
        check_layer(Tanh(), np.ones((6, 0)))


def test_the_exit_status_tells_what_was_found(tmp_path, capsys):
    """0 right, 1 wrong, 2 not judged."""
    path = tmp_path / "nets.py"
    path.write_text(
        """
import numpy as np
class Net:
    factor = 1
    def __init__(self): self.W = np.random.default_rng(0).normal(size=(4, 5))
    def forward(self, x):
        self.x = x
        return x @ self.W.T
    def backward(self, d):
        self.dW = self.factor * d.T @ self.x
        return d @ self.W
class Wrong(Net): factor = 2
class Unknown(Net):
    def backward(self, d):
        self.result = 2 * d.T @ self.x
        return d @ self.W
"""
    )
    for name, status, said in (("Net", 0, ": right"), ("Wrong", 1, "wrong in Wrong()"), ("Unknown", 2, ": not judged")):
        assert main(["check", "--timeout=0", f"{path}:{name}"]) == status
        assert said in capsys.readouterr().out
    command = f"{sys.executable} {' '.join(STRICT)} -m tinynn check {path}:Net"
    run = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command} | head -n 1"], capture_output=True, text=True, timeout=LIMIT
    )
    assert run.stdout.startswith("check of Net(): right") and run.stderr == "" and run.returncode == 0


def test_the_example_of_an_own_model_is_right(capsys):
    assert main(["check", "--timeout=0", "examples/own_model.py:MultiLayerPerceptron"]) == 0
    assert "right" in capsys.readouterr().out


def test_an_object_too_large_to_look_at_is_not_judged():
    """Twenty thousand names are no matter; ten thousand lists are."""

    class Heavy(STYLES["attributes W b dW db"]):
        def setup(self):
            super().setup()
            self.names = ["name"] * 20_000

    assert check_layer(Heavy(1), X)
    heavy = Heavy(1)
    heavy.history = [[{}] for _ in range(10_001)]
    report = check_layer(heavy, X)
    assert report.code == "not-judged" and "must hold 10,000 things at most" in report.why


def test_a_list_is_tried_layer_by_layer():
    """What comes out of one is the x with which the next is tried: a slope that is a float has no usual name."""
    t = np.random.default_rng(2).integers(0, 2, 7)
    for s in (1, 2):
        report = check([STYLES["attributes W b dW db"](1), STYLES["Prelu"](s), Tanh()], X, t, SoftmaxCrossEntropy())
        assert bool(report) == (s == 1), report
        assert any(row.tensor == "dslope" for row in report.rows)


def test_constants_in_a_network():
    class Fixed(Base):
        def setup(self):
            self.W, self.b, self.scale, self.rate = numbers(D, H), np.zeros(H), numbers(H), 0.5
            self.scale.flags.writeable = False

        def get(self):
            return self.W * self.scale * self.rate, self.b

        def put(self, dW, db):
            self.dW, self.db = dW * self.scale * self.rate, db

    t = np.random.default_rng(2).integers(0, 2, 7)
    report = check([Fixed(1), Tanh()], X, t, SoftmaxCrossEntropy())
    assert report and "scale, rate of" in " ".join(report.notes), report
    assert not check([Fixed(2), Tanh()], X, t, SoftmaxCrossEntropy())
    Fixed.parameters = ("W", "b")
    assert adapt(Fixed(1)).parameters == ("W", "b")  # declared, without a batch to try with


def test_a_gradient_of_another_shape():
    class NotSummed(STYLES["attributes W b dW db"]):
        def backward(self, dout):
            dx = super().backward(dout)
            self.db = dout
            return dx

    report = check_layer(NotSummed(1), X)
    assert report.code not in ("ok", "not-judged", "raises", "unknown") and "db" in report.why, report


class Network:
    """A whole network of another course: two sizes and no dx."""

    factor = 1

    def __init__(self):
        self.W, self.b = numbers(D, H), numbers(H)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.factor * self.x.T @ dy, dy.sum(axis=0)


def test_a_network_needs_no_dx():
    t = np.random.default_rng(2).integers(0, H, 7)
    for net in (Network(), [Network(), Tanh()]):
        report = check(net, X, t, SoftmaxCrossEntropy())
        assert report and [row.tensor for row in report.rows] == ["dy", "db", "dW"], report
    report = check_layer(Network(), X)  # which may stand behind another layer, or not
    assert report.code == "not-judged" and "backward returns no dx" in report.why
    assert [(row.tensor, row.verdict) for row in report.rows] == [("dW", "ok"), ("db", "ok")]
    assert report.sweep().shape == "V"
    report = check([Tanh(), Network()], X, t, SoftmaxCrossEntropy())
    assert report.code == "raises" and "must return dx" in report.why

    class Wrong(Network):
        factor = 2

    assert check(Wrong(), X, t, SoftmaxCrossEntropy()).code == check_layer(Wrong(), X).code == "factor-2"


def test_dead_units_do_not_hide_a_gradient_that_is_missing():
    class Dead(Network):
        def forward(self, x):
            self.z = super().forward(x) - 1000
            return np.maximum(self.z, 0)

        def backward(self, dy):
            self.dW = self.x.T @ (dy * (self.z > 0))
            return (dy * (self.z > 0)) @ self.W.T

    report = check_layer(Dead(), X)
    assert report.code == "not-judged" and "b does not move y at this x" in report.why

    class Whole(Dead):
        def backward(self, dy):
            self.db = (dy * (self.z > 0)).sum(axis=0)
            return super().backward(dy)

    assert check_layer(Whole(), X)


def test_right_numbers_of_another_shape():
    class Kept(Network):
        def backward(self, dy):
            super().backward(dy)
            self.db = dy.sum(axis=0, keepdims=True)
            return dy @ self.W.T

    report = check_layer(Kept(), X)
    assert (report.code, report.fix) == ("wrong-shape", "db = db.reshape(b.shape)")
    assert "db is right in its numbers" in report.why


@pytest.mark.parametrize("name", ["weight_gradients", "weights_gradient", "grad_weight", "dweight"])
def test_plural_and_singular_name_one_parameter(name):
    class Plural(Network):
        def __init__(self):
            self.weights, self.biases = numbers(D, H), numbers(H)

        def forward(self, x):
            self.x = x
            return x @ self.weights + self.biases

        def backward(self, dy):
            setattr(self, name, self.factor * self.x.T @ dy)
            self.bias_gradients = dy.sum(axis=0)
            return dy @ self.weights.T

    assert check_layer(Plural(), X)
    Plural.factor = 2
    assert check_layer(Plural(), X).code == "factor-2"


def test_an_optimizer_of_an_unknown_rule_is_not_judged(tmp_path, capsys):
    path = tmp_path / "rule.py"
    path.write_text(
        """
import numpy as np
class Rule:
    def __init__(self, lr=0.1): self.lr, self.h = lr, {}
    def update(self, params, grads):
        for k in params:
            self.h[k] = self.h.get(k, 0) + np.abs(grads[k]) ** 1.5
            params[k] -= self.lr * grads[k] / (self.h[k] + 1)
"""
    )
    assert main(["check", "--timeout=0", f"{path}:Rule"]) == 2
    said = capsys.readouterr().out
    assert "check of Rule: not judged" in said and "its rule is none that is known here" in said
