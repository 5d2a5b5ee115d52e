"""The losses: values in closed form, reductions, and what is refused."""

from __future__ import annotations

import copy
import decimal
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import central_differences, loss_cases, relative_error

from tinynn import MSE, Affine, BinaryCrossEntropy, GaussianNLL, Loss, Sequential, SoftmaxCrossEntropy
from tinynn.backends import load

CASES = [pytest.param(cls, options, draw, id=name) for name, cls, options, draw in loss_cases()]


def test_mse_by_hand(cpu):
    """((1-3)^2 + (2-2)^2 + 0 + (4-0)^2) / 4 = 5: the mean over all elements."""
    loss = MSE(backend=cpu)
    value = loss.forward(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[3.0, 2.0], [3.0, 0.0]]))
    assert value == 5 and isinstance(value, float)
    assert loss.backward().tolist() == [[-1, 0], [0, 2]]


def test_cross_entropy_by_hand(cpu):
    """Scores log 1, log 2, log 5 are the probabilities 1/8, 2/8, 5/8."""
    loss = SoftmaxCrossEntropy(backend=cpu)
    y = np.log([[1.0, 2.0, 5.0]])
    assert math.isclose(loss.forward(y, np.array([1])), math.log(4), rel_tol=1e-15)
    assert np.allclose(loss.backward(), [[1 / 8, 2 / 8 - 1, 5 / 8]], rtol=1e-15)


@pytest.mark.parametrize("score", [1, 5, 10, 16, 40, 80])
def test_small_binary_losses_keep_their_digits(score, cpu):
    """A sure and right answer costs log(1 + e^-score), in float32 too, where softplus(16) is 16."""
    y, t = np.array([[score], [-score]], np.float32), np.array([[1], [0]], np.float32)
    loss = BinaryCrossEntropy(backend=cpu)
    for row in (slice(0, 1), slice(1, 2)):
        assert math.isclose(loss(y[row], t[row]), math.log1p(math.exp(-score)), rel_tol=1e-6)


def test_gaussian_by_hand(cpu):
    """At the mean itself with variance 1: log(2 pi) / 2. One off: 1/2 more."""
    loss = GaussianNLL(backend=cpu)
    assert math.isclose(loss.forward(np.zeros((1, 2)), np.zeros((1, 1))), math.log(2 * math.pi) / 2)
    assert math.isclose(loss.forward(np.zeros((1, 2)), np.ones((1, 1))), math.log(2 * math.pi) / 2 + 0.5)
    assert loss.backward().tolist() == [[-1, 0]]


def test_gaussian_density_integrates_to_one(cpu):
    """exp(-L) is a density: its sum over a fine grid of targets is 1."""
    loss, grid = GaussianNLL(variance=0.7, backend=cpu), np.linspace(-9, 9, 2001)
    density = [math.exp(-loss(np.array([[0.3]]), np.array([[t]]))) for t in grid]
    assert math.isclose(sum(density) * (grid[1] - grid[0]), 1, rel_tol=1e-9)


@pytest.mark.parametrize("cls, options, draw", CASES)
@given(seed=st.integers(0, 2**32 - 1), N=st.integers(1, 6), C=st.integers(1, 5))
def test_the_mean_over_rows(cls, options, draw, cpu, seed, N, C):
    """The order of rows does not matter; the batch twice gives the same; the gradient is the mean of the rows' own."""
    rng = np.random.default_rng(seed)
    y, t = draw(rng, N, C)
    loss = cls(backend=cpu, **options)
    value, dy = loss.forward(y, t), None
    dy = loss.backward()
    order = rng.permutation(N)
    assert math.isclose(loss(y[order], t[order]), value, rel_tol=1e-12, abs_tol=1e-12)
    assert math.isclose(loss(np.concatenate([y, y]), np.concatenate([t, t])), value, rel_tol=1e-12, abs_tol=1e-12)
    rows = []
    for n in range(N):
        loss.forward(y[n : n + 1], t[n : n + 1])
        rows.append(loss.backward() / N)
    assert np.allclose(np.concatenate(rows), dy, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("C", [2, 3, 10])
def test_equal_scores_give_the_loss_of_chance(C, cpu):
    assert math.isclose(SoftmaxCrossEntropy(backend=cpu)(np.full((4, C), 7.0), np.zeros(4, int)), math.log(C))


@pytest.mark.parametrize("size", [1e3, 1e30])
def test_huge_scores_stay_finite(size, cpu):
    """log-sum-exp: no overflow, and the exact tail value where the label is hopeless."""
    loss = SoftmaxCrossEntropy(backend=cpu)
    y = np.array([[size, 0.0], [0.0, -size]])
    assert loss(y, np.array([0, 0])) == 0
    assert loss.forward(y, np.array([1, 1])) == size
    assert np.allclose(loss.backward(), [[0.5, -0.5], [0.5, -0.5]])


def test_a_constant_added_to_a_row_changes_nothing(cpu, rng):
    y, t = rng.normal(size=(5, 4)), rng.integers(0, 4, 5)
    loss = SoftmaxCrossEntropy(backend=cpu)
    assert math.isclose(loss(y + 100, t), loss(y, t), rel_tol=1e-12)


def test_impossible_scores_give_infinity_not_an_error(cpu):
    """-inf says 'never'; if it comes all the same, the loss is infinite."""
    loss = SoftmaxCrossEntropy(backend=cpu)
    with np.errstate(divide="ignore"):
        assert loss(np.array([[0.0, -np.inf]]), np.array([0])) == 0
        assert loss(np.array([[0.0, -np.inf]]), np.array([1])) == math.inf
        assert loss(np.array([[0.0, -np.inf]]), np.array([[1.0, 0.0]])) == 0


@pytest.mark.parametrize("cls, options, draw", CASES)
def test_contract(cls, options, draw, cpu, rng):
    """backward before forward is an error; a call leaves no trace; dy has y's shape and dtype; copies work."""
    loss = cls(backend=cpu, **options)
    y, t = draw(rng, 4, 3)
    with pytest.raises(RuntimeError, match="backward needs a forward before it"):
        loss.backward()
    for dtype in (np.float32, np.float64):
        y_, t_ = y.astype(dtype), t if t.dtype.kind == "i" else t.astype(dtype)
        value = loss.forward(y_, t_)
        dy = loss.backward()
        assert dy.shape == y.shape and dy.dtype == dtype and isinstance(value, float)
        assert loss(2 * y_, t_) != value
        assert loss.backward() is dy
    assert copy.deepcopy(loss)(y_, t_) == pickle.loads(pickle.dumps(loss))(y_, t_) == value


def test_a_copy_of_a_loss_still_follows_its_model():
    """One that was made for no backend in particular is not tied to the one that it worked with last."""
    loss = MSE()
    loss.follow(load("numba"))
    twin = copy.deepcopy(loss)
    assert twin.ops is load("numba")
    twin.follow(load("numpy"))
    assert twin.ops is load("numpy")


def bad_targets():
    """(loss, y, t, error, text)"""
    y, labels = np.zeros((3, 2)), np.array([0, 1, 0])
    ce, mse = SoftmaxCrossEntropy, MSE
    return {
        "never broadcast": (mse, np.zeros((5, 1)), np.zeros(5), ValueError, r"t must have y's shape \(5, 1\), not \(5,\): t.reshape\(-1, 1\) has"),
        "mse: other width": (mse, y, np.zeros((3, 1)), ValueError, r"t must have y's shape \(3, 2\), not \(3, 1\)"),
        "mse: other dtype": (mse, y, np.zeros((3, 2), "f4"), TypeError, "t must be float64 like y, not float32"),
        "mse: whole numbers": (mse, y, np.zeros((3, 2), int), TypeError, "t must be of dtype float32 or float64, not int64"),
        "mse: t of three": (mse, y, np.zeros((3, 2, 1)), ValueError, r"t must have y's shape \(3, 2\), not \(3, 2, 1\)"),
        "mse: NaN": (mse, y, np.full((3, 2), np.nan), ValueError, r"t must hold numbers, not NaN \(in row 0\)"),
        "mse: list": (mse, y, [[0.0, 0.0]] * 3, TypeError, "t must be a numpy array"),
        "y of one dimension": (ce, np.zeros(3), labels, ValueError, r"y must have 2 dimensions"),
        "y of whole numbers": (ce, np.zeros((3, 2), int), labels, TypeError, "y must be of dtype float32 or float64"),
        "labels of floats": (ce, y, np.array([0.0, 1.0, 0.0]), TypeError, "labels .* must be whole numbers, not .* float64"),
        "labels with NaN": (ce, y, np.array([0.0, np.nan, 0.0]), TypeError, "labels .* must be whole numbers"),
        "labels of objects": (ce, y, np.array([0, 1, None]), TypeError, "labels .* must be whole numbers, not of dtype object"),
        "labels: too few": (ce, y, labels[:2], ValueError, r"t must have a label for each of the 3 rows of y, not shape \(2,\)"),
        "labels from 1": (ce, y, labels + 1, ValueError, r"in 0..1 .* not 2 \(in row 1\): labels count from 0"),
        "labels below 0": (ce, y, labels - 1, ValueError, r"labels must be in 0..1 for 2 scores a row, not -1 \(in row 0\)"),
        "labels as a column": (ce, y, labels[:, None], ValueError, r"t must be labels \(3,\) or rows of probabilities \(3, 2\)"),
        "labels as a list": (ce, y, [0, 1, 0], TypeError, r"t must be labels \(3,\) or rows of probabilities"),
        "one-hot integers": (ce, y, np.eye(2, dtype=int)[labels], TypeError, "t must be float64 like y, not int64"),
        "not summing to 1": (ce, y, np.ones((3, 2)), ValueError, "must be probabilities, 0 or more, with the sum 1, not a sum of 2"),
        "negative": (ce, y, np.array([[2.0, -1.0]] * 3), ValueError, "0 or more, .* a minimum of -1"),
        "soft NaN": (ce, y, np.full((3, 2), np.nan), ValueError, "must be probabilities"),
        "an empty batch": (ce, np.zeros((0, 2)), labels[:0], ValueError, r"y must have at least one row, not shape \(0, 2\)"),
        "gaussian: one column": (GaussianNLL, np.zeros((3, 1)), np.zeros((3, 1)), ValueError, r"shape \(3, 2\), not \(3, 1\)"),
        "gaussian: rows": (GaussianNLL, y, np.zeros(3), ValueError, "t must have 2 dimensions"),
    }  # fmt: skip


@pytest.mark.parametrize("name", bad_targets())
def test_bad_targets(name, cpu):
    cls, y, t, error, text = bad_targets()[name]
    loss = cls(backend=cpu)
    with pytest.raises(error, match=rf"{cls.__name__}\(\): .*{text}|{text}"):
        loss.forward(y, t)


@pytest.mark.parametrize("t, error, text", [
    (np.zeros((3, 1)), ValueError, r"t must have y's shape \(3, 2\), not \(3, 1\)"),
    (np.zeros((3, 2), "f4"), TypeError, "t must be float64 like y, not float32"),
])  # fmt: skip
def test_bad_targets_of_a_fixed_variance(t, error, text, cpu):
    with pytest.raises(error, match=rf"^GaussianNLL\(variance=0.25\): {text}"):
        GaussianNLL(0.25, cpu)(np.zeros((3, 2)), t)


@pytest.mark.parametrize("variance", [0, -1, math.nan, math.inf, 1e-320, 9e-31, 1e30, 1e308, "1"])
def test_bad_variance(variance):
    with pytest.raises(TypeError if variance == "1" else ValueError, match="GaussianNLL: variance must be a number, "):
        GaussianNLL(variance=variance)


def exact_gaussian(m, t, *, v=None, log_v=None):
    """-log N(t; m, v) and its slopes for m and log v, in decimal numbers of 60 digits."""
    with decimal.localcontext(decimal.Context(prec=60)):
        m, t = decimal.Decimal(float(m)), decimal.Decimal(float(t))
        v = decimal.Decimal(float(log_v)).exp() if v is None else decimal.Decimal(v)
        z = (t - m) ** 2 / v
        two_pi = decimal.Decimal("6.28318530717958647692528676655900576839433879875021")
        return [float(((two_pi * v).ln() + z) / 2), float((m - t) / v), float((1 - z) / 2)]


@pytest.mark.parametrize("sigmas", [0, 1, -3])
@pytest.mark.parametrize("dtype, v", [
    ("float32", 1e-320), ("float32", 1e-40), ("float32", 1e-30), ("float32", 0.3), ("float32", 1e30), ("float32", 1e40),
    ("float32", 1e308), ("float64", 1e-320), ("float64", 1e-40), ("float64", 1e300), ("float64", 1e308),
])  # fmt: skip
def test_gaussian_of_any_variance(dtype, v, sigmas, cpu):
    """Learned log variances, down to where even 1 / v is no float: value and gradient as in decimal arithmetic."""
    eps, largest = np.finfo(dtype).eps, float(np.finfo(dtype).max)
    m = min(max(sigmas * math.sqrt(v), -largest), largest)
    y, t = np.array([[m, math.log(v)]], dtype), np.zeros((1, 1), dtype)
    loss, (value, dm, ds) = GaussianNLL(backend=cpu), exact_gaussian(y[0, 0], 0, log_v=y[0, 1])
    with np.errstate(over="ignore"):
        assert math.isclose(loss.forward(y, t), value, rel_tol=8 * eps, abs_tol=8 * eps)
        expected = np.array([[dm, ds]]).astype(dtype)  # infinity where it is no float32
    np.testing.assert_allclose(loss.backward(), expected, rtol=8 * eps, atol=8 * eps)


@pytest.mark.parametrize("sigmas", [0, 1, -3])
@pytest.mark.parametrize("variance", [1e-30, 3e-20, 1.0, 7e20, 9.9e29])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_fixed_variance_of_any_size(dtype, variance, sigmas, cpu):
    """From end to end of what is allowed, as in decimal arithmetic."""
    y, t = np.array([[sigmas * math.sqrt(variance)]], dtype), np.zeros((1, 1), dtype)
    eps, loss, (value, dm, _) = np.finfo(dtype).eps, GaussianNLL(variance, cpu), exact_gaussian(y[0, 0], 0, v=variance)
    assert math.isclose(loss.forward(y, t), value, rel_tol=8 * eps, abs_tol=8 * eps)
    np.testing.assert_allclose(loss.backward(), [[dm]], rtol=8 * eps)


@pytest.mark.parametrize("dtype, size", [
    ("float32", 3e38), ("float32", 1e-38), ("float64", 3e38), ("float64", 1.7e308), ("float64", 1e-300),
])  # fmt: skip
@pytest.mark.parametrize("cls, options, draw", CASES)
def test_weights_of_any_size(cls, options, draw, dtype, size, cpu, rng):
    """Only shares count: the sum of weights of 3e38 is no float32, that of 1.7e308 no float64."""
    y, t = draw(rng, 5, 3)
    y, t = y.astype(dtype), t if t.dtype.kind == "i" else t.astype(dtype)
    shares = np.array([1, 0.5, 1, 0, 0.25], dtype)
    loss, tolerance, value, rows = cls(backend=cpu, **options), 16 * np.finfo(dtype).eps, 0.0, []
    for n in range(5):
        value += float(shares[n]) / 2.75 * loss.forward(y[n : n + 1], t[n : n + 1])
        rows.append(float(shares[n]) / 2.75 * loss.backward()[0])
    assert math.isclose(loss.forward(y, t, shares * np.asarray(size, dtype)), value, rel_tol=tolerance)
    np.testing.assert_allclose(loss.backward(), rows, rtol=tolerance, atol=tolerance)


def test_predictions_without_columns(cpu):
    for loss, t in ((SoftmaxCrossEntropy(backend=cpu), np.zeros(3, int)), (MSE(backend=cpu), np.zeros((3, 0)))):
        with pytest.raises(ValueError, match=r"y must have at least one column, not shape \(3, 0\)"):
            loss.forward(np.zeros((3, 0)), t)


def test_complex_predictions_are_for_the_textbook_alone():
    y, t = np.ones((2, 3), complex), np.array([0, 1])
    with pytest.raises(TypeError, match="y must be of dtype float32 or float64, not complex128"):
        SoftmaxCrossEntropy(backend="numba")(y, t)
    assert SoftmaxCrossEntropy(backend="numpy")(y, t) == pytest.approx(math.log(3))


def test_a_variance_of_a_small_type(cpu):
    """2 v would be 254 in uint8."""
    y, t = np.ones((2, 1)), np.zeros((2, 1))
    assert GaussianNLL(np.uint8(255), backend=cpu)(y, t) == GaussianNLL(255.0, backend=cpu)(y, t)


def test_a_loss_of_ones_own(cpu):
    class MeanAbsolute(Loss):
        def compute(self, y, t):
            return float(np.abs(y - t).mean()), np.sign(y - t) / y.size

    loss = MeanAbsolute(backend=cpu)
    assert loss.forward(np.array([[1.0], [3.0]]), np.array([[0.0], [5.0]])) == 1.5
    assert loss.backward().tolist() == [[0.5], [-0.5]]


def test_softmax_is_the_exponential_over_its_sum(cpu):
    assert np.allclose(load(cpu).softmax(np.log([[1.0, 3.0]])), [[0.25, 0.75]], rtol=1e-15)


@pytest.mark.parametrize("cls, options, draw", CASES)
@given(seed=st.integers(0, 2**32 - 1), N=st.integers(1, 6), C=st.integers(1, 5))
def test_a_weight_is_a_repetition(cls, options, draw, cpu, seed, N, C):
    """A row of weight 2 counts twice, one of weight 0 not at all; and the gradient is that of the weighted loss."""
    rng = np.random.default_rng(seed)
    y, t = draw(rng, N, C)
    loss, times = cls(backend=cpu, **options), rng.integers(0, 4, N)
    times[0] += 1  # not all 0
    weight = times.astype(y.dtype)
    value, repeated = loss.forward(y, t, weight), loss(np.repeat(y, times, axis=0), np.repeat(t, times, axis=0))
    assert math.isclose(value, repeated, rel_tol=1e-12, abs_tol=1e-12)
    assert math.isclose(value, loss(y, t, 0.3 * weight), rel_tol=1e-12, abs_tol=1e-12)  # only the shares count
    dy = loss.backward()
    assert not dy[times == 0].any()
    assert relative_error(dy, central_differences(lambda: loss(y, t, weight), y)) < 1e-7
    ones = loss(y, t, np.ones(N, y.dtype))
    assert math.isclose(ones, loss(y, t), rel_tol=1e-12, abs_tol=1e-12)


def test_bad_weights(cpu):
    loss, y, t = MSE(backend=cpu), np.zeros((3, 2)), np.zeros((3, 2))
    for weight in (np.ones(2), np.ones((3, 1)), np.ones(3, "float32"), [1.0, 1.0, 1.0]):
        with pytest.raises(
            ValueError, match="weight must be a float64 array with a number for each of the 3 rows of y"
        ):
            loss(y, t, weight)
    for weight in ([1.0, -1.0, 1.0], [0.0, 0.0, 0.0], [1.0, math.nan, 1.0], [math.inf, 1.0, 1.0]):
        wrong = min(weight) if not min(weight) >= 0 else max(weight)
        if math.nan in weight:
            wrong = math.nan
        with pytest.raises(ValueError, match=f"weight must hold numbers of 0 or more, not all 0, not {wrong}"):
            loss(y, t, np.array(weight))


def test_probabilities_and_classes(rng):
    """By their definitions, from what the model predicts; huge scores are probabilities, too."""
    x = rng.normal(size=(5, 3)).astype("float32")
    for loss, of_row in (
        (SoftmaxCrossEntropy(), lambda row: [math.exp(a) / sum(map(math.exp, row)) for a in row]),
        (BinaryCrossEntropy(), lambda row: [1 / (1 + math.exp(-a)) for a in row]),
    ):
        model = Sequential(Affine(3, 4), seed=0, backend="numpy")
        p, y = model.predict_proba(x, loss=loss), model.predict(x)
        np.testing.assert_allclose(p, [of_row(row) for row in y.astype(float).tolist()], rtol=1e-5)
        labels = model.predict_classes(x, loss=loss)
        expected = y.argmax(axis=1) if isinstance(loss, SoftmaxCrossEntropy) else y > 0
        assert p.dtype == y.dtype and labels.dtype.kind == "i" and np.array_equal(labels, expected)
        assert np.isfinite(loss.probabilities(np.array([[1e30, -1e30, 0.0]]))).all()
        grid = rng.normal(size=(2, 3, 4))  # of positions
        assert np.array_equal(loss.probabilities(grid)[1], loss.probabilities(grid[1]))
        assert np.array_equal(loss.classes(grid)[1], loss.classes(grid[1]))
    for loss in (MSE(), GaussianNLL()):
        for what in (loss.probabilities, loss.classes):
            with pytest.raises(TypeError, match="must be of classes"):
                what(x)
