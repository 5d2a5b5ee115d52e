"""Metrics: values of scikit-learn, loops as oracles, and planted faults that both must see."""

from __future__ import annotations

import functools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynn import Adam, Affine, Sequential, SoftmaxCrossEntropy, metrics
from tinynn.metrics import (
    ClassReport,
    accuracy,
    class_report,
    confusion_matrix,
    mean_absolute_error,
    r2,
    top_k_accuracy,
)

# Class 3 is neither there nor predicted, class 4 is there and never predicted. Not symmetric: a transpose shows.
T = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 4])
Y = np.array([0, 1, 0, 1, 2, 2, 2, 0, 2, 1])
# The label is the first of its row, the first, second, third, last, and first.
SCORES = np.array([
    [0.5, 0.2, 0.2, 0.1], [0.3, 0.4, 0.2, 0.1], [0.2, 0.4, 0.3, 0.1],
    [0.7, 0.2, 0.1, 0.0], [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1],
])  # fmt: skip
SCORED = np.array([0, 1, 2, 2, 0, 0])

# --- what scikit-learn 1.9 says, as numbers --------------------------------------------------------------------------


def check_accuracy(accuracy):
    assert accuracy(Y, T) == 0.6
    assert accuracy(SCORES, SCORED) == 1 / 2
    assert accuracy(SCORES, np.eye(4)[SCORED]) == accuracy(SCORES.argmax(axis=1), np.eye(4)[SCORED]) == 1 / 2


def check_top_k(top_k_accuracy):
    assert [top_k_accuracy(SCORES, SCORED, k) for k in (1, 2, 3, 4)] == [1 / 2, 2 / 3, 5 / 6, 1]
    assert top_k_accuracy(SCORES.astype("f4"), np.eye(4)[SCORED], k=2) == 2 / 3


def check_confusion(confusion_matrix):
    counts = confusion_matrix(Y, T)
    assert counts.tolist() == [[2, 1, 0, 0, 0], [0, 1, 1, 0, 0], [1, 0, 3, 0, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]]
    assert counts.dtype.kind == "i"
    assert confusion_matrix(SCORES, SCORED).tolist() == [[2, 0, 0, 1], [0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    assert confusion_matrix(Y, T, classes=6)[:5, :5].tolist() == counts.tolist()


def check_report(class_report):
    report = class_report(Y, T)
    assert report.precision.tolist() == [2 / 3, 1 / 3, 3 / 4, 0, 0]
    assert report.recall.tolist() == [2 / 3, 1 / 2, 3 / 4, 0, 0]
    assert report.f1.tolist() == [2 / 3, 2 / 5, 3 / 4, 0, 0]
    assert report.support.tolist() == [3, 2, 4, 0, 1]


REGRESSION = [  # y, t, R2, mean absolute error
    ([2.5, 0.0, 2.0, 8.0], [3.0, -0.5, 2.0, 7.0], 0.9486081370449679, 0.5),
    ([[0, 2], [-1, 2], [8, -5]], [[0.5, 1], [-1, 1], [7, -6]], 0.9368005266622779, 0.75),
    ([[2.5, 1], [0.0, 1.5], [2.0, 1], [8.0, 1]], [[3.0, 1], [-0.5, 1], [2.0, 1], [7.0, 1]], 0.47430406852248397, 0.3125),
    ([[2.5, 1], [0.0, 1], [2.0, 1], [8.0, 1]], [[3.0, 1], [-0.5, 1], [2.0, 1], [7.0, 1]], 0.974304068522484, 0.25),
    ([1.0, 2.0], [5.0, 5.0], 0, 3.5),
    ([2.0, 2.0, 2.0], [1.0, 2.0, 3.0], 0, 2 / 3),
    ([3.0, 2.0, 1.0], [1.0, 2.0, 3.0], -3, 4 / 3),
]  # fmt: skip


def check_r2(r2):
    for y, t, expected, _ in REGRESSION:
        assert math.isclose(r2(np.array(y, float), np.array(t, float)), expected, rel_tol=1e-14, abs_tol=1e-15)


def check_absolute_error(mean_absolute_error):
    for y, t, _, expected in REGRESSION:
        assert math.isclose(mean_absolute_error(np.array(y, float), np.array(t, float)), expected, rel_tol=1e-15)


CHECKS = {
    "accuracy": check_accuracy, "top_k_accuracy": check_top_k, "confusion_matrix": check_confusion,
    "class_report": check_report, "r2": check_r2, "mean_absolute_error": check_absolute_error,
}  # fmt: skip


@pytest.mark.parametrize("name", CHECKS)
def test_published_values(name):
    CHECKS[name](getattr(metrics, name))


def transposed(y, t, classes=None):
    return confusion_matrix(y, t, classes).T


def pairs_counted_once(y, t, classes=None):
    y = y.argmax(axis=1) if y.ndim == 2 else y
    counts = np.zeros((classes or max(y.max(), t.max()) + 1,) * 2, int)
    counts[t, y] += 1
    return counts


def changed_report(change):
    def report(y, t, names=None):
        report = class_report(y, t, names)
        change(report)
        return report

    return report


def swap(report):
    report.precision, report.recall = report.recall, report.precision


def arithmetic_mean(report):
    report.f1 = (report.precision + report.recall) / 2


def predicted_for_support(report):
    report.support = confusion_matrix(Y, T).sum(axis=0)


def no_predictions_is_perfect(report):
    report.precision = np.where(confusion_matrix(Y, T).sum(axis=0) == 0, 1, report.precision)


def with_ddof(y, t):
    return float(np.mean(1 - ((t - y) ** 2).sum(axis=0) / np.maximum(t.var(axis=0, ddof=1) * len(t), 1e-300)))


def pooled(y, t):
    return float(1 - ((t - y) ** 2).sum() / ((t - t.mean(axis=0)) ** 2).sum())


def squared_correlation(y, t):
    return float(np.nan_to_num(np.corrcoef(y.ravel(), t.ravel())[0, 1]) ** 2)


FAULTS = {
    "accuracy: the errors": ("accuracy", lambda y, t: 1 - accuracy(y, t)),
    "accuracy: the smallest score": ("accuracy", lambda y, t: accuracy(-y if y.ndim == 2 else y, t)),
    "accuracy: argmax of the other axis": ("accuracy", lambda y, t: (y.argmax(axis=0)[: len(t)] == t[: y.shape[-1]]).mean()),
    "top k: k - 1": ("top_k_accuracy", lambda y, t, k=5: top_k_accuracy(y, t, max(k - 1, 1))),
    "top k: k + 1": ("top_k_accuracy", lambda y, t, k=5: top_k_accuracy(y, t, min(k + 1, y.shape[1]))),
    "top k: the smallest": ("top_k_accuracy", lambda y, t, k=5: top_k_accuracy(-y, t, k)),
    "confusion: transposed": ("confusion_matrix", transposed),
    "confusion: pairs counted once": ("confusion_matrix", pairs_counted_once),
    "confusion: shares of rows": ("confusion_matrix", lambda y, t, classes=None: confusion_matrix(y, t, classes) / len(t)),
    "report: precision and recall swapped": ("class_report", changed_report(swap)),
    "report: of y and t swapped": ("class_report", lambda y, t, names=None: class_report(t, y, names)),
    "report: F1 the arithmetic mean": ("class_report", changed_report(arithmetic_mean)),
    "report: support of the predicted": ("class_report", changed_report(predicted_for_support)),
    "report: 0 / 0 is 1": ("class_report", changed_report(no_predictions_is_perfect)),
    "r2: y and t swapped": ("r2", lambda y, t: r2(t, y)),
    "r2: ddof": ("r2", with_ddof),
    "r2: all columns as one": ("r2", pooled),
    "r2: squared correlation": ("r2", squared_correlation),
    "r2: the ratio, not 1 - it": ("r2", lambda y, t: 1 - r2(y, t)),
    "mean absolute error: signed": ("mean_absolute_error", lambda y, t: float(abs((y - t).mean()))),
    "mean absolute error: squared": ("mean_absolute_error", lambda y, t: float(((y - t) ** 2).mean())),
    "mean absolute error: a sum over columns": ("mean_absolute_error", lambda y, t: float(abs(y - t).sum() / len(y))),
    "mean absolute error: the median": ("mean_absolute_error", lambda y, t: float(np.median(abs(y - t)))),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide:RuntimeWarning")
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_seen(fault):
    name, wrong = FAULTS[fault]
    with pytest.raises((AssertionError, IndexError)):
        CHECKS[name](wrong)


# --- by definition, in loops -----------------------------------------------------------------------------------------


@st.composite
def classified(draw):
    """Scores (N, C) with many ties, and labels (N,)."""
    N, C = draw(st.integers(1, 12)), draw(st.integers(2, 6))
    score = st.sampled_from([-1.5, 0.0, 0.25, 0.25, 2.0])
    y = draw(st.lists(st.lists(score, min_size=C, max_size=C), min_size=N, max_size=N))
    t = draw(st.lists(st.integers(0, C - 1), min_size=N, max_size=N))
    dtype, integer = draw(st.sampled_from(["f4", "f8"])), draw(st.sampled_from(["u1", "i4", "i8", "u8"]))
    return np.array(y, dtype), np.array(t, integer)


def ranked(row):
    """The classes of a row of scores, best first; of equal scores the lower class."""
    return sorted(range(len(row)), key=lambda c: (-row[c], c))


@given(classified(), st.integers(1, 6))
def test_top_k_by_sorting(pair, k):
    y, t = pair
    k = min(k, y.shape[1])
    right = sum(int(label) in ranked(row)[:k] for row, label in zip(y.tolist(), t))
    assert top_k_accuracy(y, t, k) == right / len(t)
    assert top_k_accuracy(y, t, 1) == accuracy(y, t)
    assert top_k_accuracy(y, t, y.shape[1]) == 1


@given(classified())
def test_confusion_and_report_by_counting(pair):
    y, t = pair
    N, C = y.shape
    labels = np.array([ranked(row)[0] for row in y.tolist()], t.dtype)
    pairs = list(zip(labels.tolist(), t.tolist()))
    counts = [[sum(pair == (p, c) for pair in pairs) for p in range(C)] for c in range(C)]
    for predicted in (y, labels):
        for truth in (t, np.eye(C)[t]):
            assert confusion_matrix(predicted, truth, C).tolist() == counts
            assert accuracy(predicted, truth) == sum(counts[c][c] for c in range(C)) / N
    report = class_report(y, t)
    for c in range(C):
        hits = sum(p == c and truth == c for p, truth in pairs)
        found, there = sum(p == c for p, _ in pairs), sum(truth == c for _, truth in pairs)
        precision, recall = Fraction(hits, found or 1), Fraction(hits, there or 1)
        f1 = 2 * precision * recall / (precision + recall) if hits else Fraction(0)
        assert [report.precision[c], report.recall[c], report.f1[c]] == [float(v) for v in (precision, recall, f1)]
        assert report.support[c] == there


@pytest.mark.parametrize("function", [confusion_matrix, class_report, top_k_accuracy])
def test_swapped_y_and_t_are_refused(function):
    """Scores in the place of t, as where they come second in scikit-learn; rows of probabilities as y may be right."""
    scores = np.array([[2.0, -1.0, 0.5], [0.2, 0.3, 0.1]])
    soft = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    labels = np.array([0, 2])
    swapped = [(labels, scores), (labels, soft), (np.eye(3)[labels], scores), (scores, scores)]
    for y, t in swapped:
        with pytest.raises(ValueError, match=r"y comes first, then t$"):
            function(y, t, **({"k": 1} if function is top_k_accuracy else {}))
    assert np.array_equal(confusion_matrix(soft, labels), confusion_matrix(scores, np.eye(3)[labels]))
    assert np.array_equal(confusion_matrix(scores, soft), np.diag([1, 1, 0]))


@given(classified())
def test_as_scikit_learn(pair):
    theirs = pytest.importorskip("sklearn.metrics")
    y, t = pair
    C = y.shape[1]
    labels = y.argmax(axis=1)
    assert np.array_equal(confusion_matrix(y, t), theirs.confusion_matrix(t, labels, labels=range(C)))
    assert accuracy(y, t) == pytest.approx(theirs.accuracy_score(t, labels), rel=1e-15)
    expected = theirs.precision_recall_fscore_support(t, labels, labels=range(C), zero_division=0)
    report = class_report(y, t)
    for mine, its in zip((report.precision, report.recall, report.f1, report.support), expected):
        assert np.allclose(mine, its, rtol=1e-15, atol=0)  # some of theirs are a product of two quotients


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_as_scikit_learn_without_ties(seed, k):
    """They give a tie to the higher class, argmax and tinynn to the lower one."""
    theirs = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    y, t = rng.normal(size=(20, 5)), rng.integers(0, 5, 20)
    assert top_k_accuracy(y, t, k) == theirs.top_k_accuracy_score(t, y, k=k, labels=range(5))
    y, t = rng.normal(size=(2, 20, 3)).astype("f4")
    y[:, 1], t[:, 2] = t[:, 1], 0.1 if seed % 2 else t[:, 2]
    if seed % 2 == 0:  # the mean of equal numbers is rounded, and theirs then is a large number
        assert r2(y, t) == pytest.approx(theirs.r2_score(t.astype(float), y.astype(float)), rel=1e-12, abs=1e-12)
    assert mean_absolute_error(y, t) == pytest.approx(theirs.mean_absolute_error(t.astype(float), y.astype(float)))


NUMBERS = st.integers(-1000, 1000).map(lambda n: n / 64)  # exact in float32, and so are their differences


@given(st.data(), st.integers(1, 8), st.integers(1, 3), st.sampled_from(["f4", "f8"]))
def test_regression_in_fractions(data, N, D, dtype):
    """Both, in exact arithmetic, where nothing is rounded but the result."""
    rows = st.lists(st.lists(NUMBERS, min_size=D, max_size=D), min_size=N, max_size=N)
    y, t = (np.array(data.draw(rows), dtype) for _ in range(2))
    if data.draw(st.booleans()):
        t[:, 0] = t[0, 0]
    scores, distance = [], Fraction(0)
    for column in range(D):
        ys, ts = ([Fraction(float(a)) for a in array[:, column]] for array in (y, t))
        mean = sum(ts) / N
        missed, spread = sum((a - b) ** 2 for a, b in zip(ys, ts)), sum((b - mean) ** 2 for b in ts)
        scores.append(1 - missed / spread if spread else Fraction(missed == 0))
        distance += sum(abs(a - b) for a, b in zip(ys, ts))
    # each of some twenty roundings is 2^-53 of a number that is at most as large as the largest term, or 1
    size = 1 + max(abs(score) for score in scores)
    assert abs(r2(y, t) - float(sum(scores) / D)) <= 1e-13 * float(size)
    assert math.isclose(mean_absolute_error(y, t), float(distance / (N * D)), rel_tol=1e-14)
    if D == 1:
        assert r2(y[:, 0], t[:, 0]) == r2(y, t)
        assert mean_absolute_error(y[:, 0], t[:, 0]) == mean_absolute_error(y, t)


# --- numbers that are hard ---------------------------------------------------------------------------------------------


def test_float32_is_summed_in_double_precision():
    """A million targets 1000..1006, whose variance is 4, and differences that float32 cannot hold."""
    t = (1000 + np.arange(7 * 150_000) % 7).astype("f4")
    y = t + np.float32(0.5)
    assert math.isclose(r2(y, t), 1 - 0.25 / 4, rel_tol=1e-12)  # a sum of a million: 1e6 times 2^-53 at the most
    in_float32 = 1 - ((t - y) ** 2).sum() / ((t - t.cumsum()[-1] / np.float32(len(t))) ** 2).sum()
    assert abs(in_float32 - (1 - 0.25 / 4)) > 1e-3
    assert mean_absolute_error(np.full(10**6, 0.1, "f4"), np.zeros(10**6, "f4")) == pytest.approx(
        np.float32(0.1), rel=1e-10
    )
    assert mean_absolute_error(np.array([1e8], "f4"), np.array([0.25], "f4")) == 1e8 - 0.25


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-200, 5e5])
def test_constant_targets(value):
    """The mean of equal numbers may be rounded; they still are equal."""
    t = np.full(7, value)
    assert r2(t, t) == 1 and r2(t + 1, t) == 0
    assert r2(np.stack([t, t + 1], axis=1), np.stack([t, t], axis=1)) == 0.5
    assert r2(t[:1], t[:1]) == 1 and r2(t[:1] + 1, t[:1]) == 0  # so does a batch of one row


def test_differences_whose_squares_vanish():
    t = np.array([0.0, 1e-200])
    assert r2(t, t) == 1 and r2(t + 1, t) == 0


def test_scores_that_are_no_numbers():
    y = np.array([[np.nan, 1.0, 2.0], [0.0, np.nan, -np.inf], [np.inf, np.nan, 0.0]])
    t = np.array([2, 0, 2])
    assert [top_k_accuracy(y, t, k) for k in (1, 2, 3)] == [2 / 3, 1, 1]
    assert accuracy(y, t) == 0
    assert math.isnan(r2(y[:, 0], t * 1.0)) and math.isnan(mean_absolute_error(y[:, 0], t * 1.0))


def test_ties_go_to_the_lower_class(any_backend):
    y = np.zeros((3, 40), "f4")
    t = np.arange(3)
    model = Sequential(Affine(40, 40), backend=any_backend)
    on = model.ops.asarray
    assert [top_k_accuracy(on(y), on(t), k) for k in (1, 2, 3)] == [1 / 3, 2 / 3, 1]
    assert float(accuracy(on(y), on(t))) == 1 / 3


def test_other_integers_and_one_hot_rows():
    for dtype in ("i1", "u1", "u2", "i8", "u8"):
        assert confusion_matrix(Y.astype(dtype), T.astype("i4")).tolist() == confusion_matrix(Y, T).tolist()
    for dtype in (bool, "u1", "f4"):
        assert accuracy(np.eye(5, dtype=dtype)[Y], np.eye(5, dtype=dtype)[T]) == 0.6
        assert top_k_accuracy(np.eye(5, dtype=dtype)[Y], T, 1) == 0.6


# --- with a backend, and in fit --------------------------------------------------------------------------------------


def test_accuracy_stays_on_the_gpu():
    """The stand-in for CuPy raises where the host would wait."""
    import fake_cupy

    y, scores = fake_cupy.module.asarray(Y), fake_cupy.module.asarray(SCORES)
    t, rows = fake_cupy.module.asarray(T), fake_cupy.module.asarray(np.eye(4)[SCORED])
    with fake_cupy.no_sync():
        results = [accuracy(y, t), accuracy(scores, rows)]
        assert all(type(value) is fake_cupy.ndarray and value.shape == () for value in results)
    assert [float(value) for value in results] == [0.6, 1 / 2]
    assert isinstance(accuracy(Y, T), float)
    with pytest.raises(TypeError, match="t must be a .*cupy array like y, not an array of shape"):
        accuracy(y, T)
    with pytest.raises(TypeError, match="t must be a numpy array like y, not a .*cupy"):
        accuracy(Y, t)


def test_in_fit_and_evaluate(any_backend, rng):
    """Each that gives a number, on the model's own arrays."""
    model = Sequential(Affine(3, 4), backend=any_backend, seed=0)
    x, t = rng.normal(size=(20, 3)).astype("f4"), rng.integers(0, 4, 20)
    scores = {"top 2": functools.partial(top_k_accuracy, k=2), "accuracy": accuracy}
    history = model.fit(
        x, t, loss=SoftmaxCrossEntropy(), optimizer=Adam(model, lr=0.0), batch_size=10, metrics=scores,
        validation_data=(x, t), progress=False,
    )  # fmt: skip
    y = model.predict(x)
    assert history["val_top 2"] == [top_k_accuracy(y, t, 2)] == pytest.approx(history["top 2"])
    own = model.ops.asarray
    assert np.array_equal(confusion_matrix(own(y), own(t)), confusion_matrix(y, t))
    assert repr(class_report(own(y), own(t))) == repr(class_report(y, t))
    target = np.eye(4, dtype="f4")[t]
    assert r2(own(y), own(target)) == r2(y, target)
    assert mean_absolute_error(own(y), own(target)) == mean_absolute_error(y, target)


# --- the table -------------------------------------------------------------------------------------------------------


def test_the_table():
    report = class_report(Y, T, names=["cat", "dog", "a horse", 3, "x" * 50])
    assert isinstance(report, ClassReport)
    assert repr(report).splitlines() == [
        "                                      precision     recall         f1    support",
        "                                 cat     0.6667     0.6667     0.6667          3",
        "                                 dog     0.3333     0.5000     0.4000          2",
        "                             a horse     0.7500     0.7500     0.7500          4",
        "                                   3     0.0000     0.0000     0.0000          0",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...     0.0000     0.0000     0.0000          1",
        "",
        "                                mean     0.3500     0.3833     0.3633         10",
    ]
    assert max(map(len, repr(report).splitlines())) == 80
    short = repr(class_report(Y, T)).splitlines()
    assert short[1] == "   0     0.6667     0.6667     0.6667          3" and len(short) == 8


# --- what is refused -------------------------------------------------------------------------------------------------

X = np.linspace(0, 1, 10).reshape(5, 2)
L = np.array([0, 1, 1, 0, 1])
CLASSES = [accuracy, top_k_accuracy, confusion_matrix, class_report]
REFUSED = [
    (CLASSES, (X.tolist(), L), TypeError, r"y must be a numpy array, not \[\["),
    (CLASSES, (X, L.tolist()), TypeError, r"t must be a numpy array like y, not \[0, 1, 1, 0, 1\] \(list\)"),
    (CLASSES, (np.ma.array(X), L), TypeError, "y must be a numpy array, not a numpy.MaskedArray"),
    (CLASSES, (X, np.ma.array(L)), TypeError, "t must be a numpy array like y, not a numpy.MaskedArray"),
    (CLASSES, (None, L), TypeError, "y must be a numpy array, not None"),
    (CLASSES, (X[:0], L[:0]), ValueError, r"y must have a row for each example, .* not shape \(0, 2\)"),
    (CLASSES, (X, L[:0]), ValueError, "t must have a row for each example"),
    (CLASSES, (X[None], L), ValueError, r"y must have a row for each example, \(N,\) or \(N, D\), not shape \(1, 5, 2\)"),
    (CLASSES, (X, np.array(3)), ValueError, r"t must have a row for each example, .* not shape \(\)"),
    (CLASSES, (X, L[:4]), ValueError, r"t must be labels or rows of probabilities for scores y \(5, 2\), not of shape \(4,\)"),
    (CLASSES, (L, L[:1]), ValueError, r"t must be labels .* for labels y \(5,\), not of shape \(1,\)"),
    (CLASSES, (X, np.eye(3)[L]), ValueError, r"t must be .* not of shape \(5, 3\)"),
    (CLASSES, (X, L[:, None]), ValueError, r"t must be .* not of shape \(5, 1\)"),
    (CLASSES, (L, L[:, None]), ValueError, r"t must be .* for labels y \(5,\), not of shape \(5, 1\)"),
    (CLASSES, (X[:, :1], L), ValueError, r"y must have a score for each of two classes or more, not shape \(5, 1\): for one output y, \(y\[:, 0\] > 0.5\).astype\(int\) are labels"),
    (CLASSES, (X[:, :1], L[:, None]), ValueError, "y must have a score for each of two classes or more"),
    (CLASSES, (X[:, 0], L), TypeError, r"y \(N,\) must be labels, whole numbers, not of dtype float64"),
    (CLASSES, (L, L.astype("f4")), TypeError, r"t \(N,\) must be labels, whole numbers, not of dtype float32"),
    (CLASSES, (L > 0, L), TypeError, "y .* not of dtype bool"),
    (CLASSES, (X.astype(complex), L), TypeError, "y must hold real numbers, not complex128"),
    (CLASSES, (X.astype(object), L), TypeError, "y must hold real numbers, not object"),
    ([top_k_accuracy], (L, L), ValueError, r"y must be scores \(N, C\), not labels of shape \(5,\)"),
    ([top_k_accuracy], (X, L), ValueError, "k must be at most 2, as many as y has classes, not 5"),
    ([top_k_accuracy], (X, L, 3), ValueError, "k must be at most 2, as many as y has classes, not 3"),
    ([top_k_accuracy], (X, L, 0), ValueError, "k must be a whole number, 1 or more, not 0"),
    ([top_k_accuracy], (X, L, 1.0), TypeError, "k must be a whole number"),
    ([top_k_accuracy], (X, L + 1, 1), ValueError, r"t must have labels in 0..1, not 2 \(in row 1\): labels count from 0"),
    ([confusion_matrix, class_report], (X, L - 1), ValueError, r"t must have labels in 0..1, not -1 \(in row 0\)$"),
    ([confusion_matrix, class_report], (L - 1, L), ValueError, r"y must have labels in 0..1, not -1 \(in row 0\)$"),
    ([confusion_matrix, class_report], (L + 10000, L), ValueError, "classes must be given for labels of 10000 or more, not None for 10001"),
    ([confusion_matrix], (L, L, 1), ValueError, "y must have labels in 0..0, not 1 .*: labels count from 0"),
    ([confusion_matrix], (L, L, 0), ValueError, "classes must be a whole number, 1 or more, not 0"),
    ([confusion_matrix], (L, L, 2.0), TypeError, "classes must be a whole number"),
    ([class_report], (X, L, ["a"]), ValueError, "names must be 2, one for each class, not 1"),
    ([class_report], (L, np.eye(2)[L], "abc"), TypeError, r"names must be a list with a name for each class, not 'abc' \(str\)"),
    ([class_report], (L, L, 2), TypeError, r"names must be a list .* not 2 \(int\)"),
    ([class_report], (L, L, ["a"]), ValueError, "y must have labels in 0..0, not 1"),
    ([r2, mean_absolute_error], (X, X[:, :1]), ValueError, r"t must have y's shape \(5, 2\), not \(5, 1\)"),
    ([r2, mean_absolute_error], (X[:, :1], X[:, 0]), ValueError, r"t must have y's shape \(5, 1\), not \(5,\)"),
    ([r2, mean_absolute_error], (X, (9 * X).astype(int)), TypeError, "t must be of dtype float32 or float64, not int64"),
    ([r2, mean_absolute_error], (X.astype(complex), X), TypeError, "y must be of dtype float32 or float64, not complex128"),
    ([r2, mean_absolute_error], (X.tolist(), X), TypeError, "y must be a numpy array, not"),
    ([r2, mean_absolute_error], (X[:0], X[:0]), ValueError, "y must have a row for each example"),
    ([r2, mean_absolute_error], (X[:, :0], X[:, :0]), ValueError, "y must have a row for each example"),
]  # fmt: skip


@pytest.mark.parametrize("functions, arguments, error, text", REFUSED)
def test_what_is_refused(functions, arguments, error, text):
    for function in functions:
        with pytest.raises(error, match=text):
            function(*arguments)


def test_arguments_are_left_alone():
    y, t = SCORES.copy(), SCORED.copy()
    for function in (accuracy, confusion_matrix, class_report, functools.partial(top_k_accuracy, k=2)):
        function(y, t)
    r2(y, y + 1)
    mean_absolute_error(y, y + 1)
    assert np.array_equal(y, SCORES) and np.array_equal(t, SCORED)


def test_whole_numbers_of_any_length_are_refused_in_words():
    t = np.array([0, 1, 2])
    with pytest.raises(ValueError, match=r"k must be at most 3, as many as y has classes, not an object \(int\)"):
        metrics.top_k_accuracy(np.eye(3), t, 10**5000)
    with pytest.raises(ValueError, match=r"classes must be 10000 at most, not an object \(int\)"):
        metrics.confusion_matrix(t, t, 10**5000)
    with pytest.raises(TypeError, match=r"names must be a list with a name for each class, not \[\]"):
        metrics.class_report(t, t, [])
