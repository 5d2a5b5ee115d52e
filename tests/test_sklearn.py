"""The estimators for scikit-learn: its own checks, what its tools ask of them, and what a wrong parameter gets."""

from __future__ import annotations

import functools
import io
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from conftest import LIMIT, STRICT, posing_as_cupy

import tinynn
from tinynn import (
    SGD,
    Affine,
    BatchNorm,
    Conv2D,
    Flatten,
    MaxPool2D,
    Model,
    ReLU,
    Residual,
    Sequential,
    SoftmaxCrossEntropy,
)

pytest.importorskip("sklearn", "1.6")

from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, learning_curve, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from tinynn.sklearn import NetworkClassifier, NetworkRegressor

# --- scikit-learn's own checks ---------------------------------------------------------------------------------------


@parametrize_with_checks([NetworkClassifier(), NetworkRegressor()])
def test_every_check_of_scikit_learn(estimator, check):
    check(estimator)


def what_cannot_hold(estimator):
    """The only one: with 15 rows and a batch size of 8 the batches of weighted rows are others than of repeated ones."""
    reason = "a row of weight 2 counts twice in its batch; a row that stands there twice may fall into two batches"
    return {"check_sample_weight_equivalence_on_dense_data": reason}


@parametrize_with_checks(
    [NetworkClassifier(batch_size=8), NetworkRegressor(batch_size=8)], expected_failed_checks=what_cannot_hold
)
def test_the_checks_with_small_batches(estimator, check):
    check(estimator)


@pytest.mark.slow
def test_array_api_checks():
    """Which scikit-learn makes only where SCIPY_ARRAY_API=1 stands in the environment before SciPy is loaded."""
    pytest.importorskip("sklearn", "1.9")  # older ones make it only for estimators that take other libraries' arrays
    code = """
from sklearn.utils.estimator_checks import estimator_checks_generator
from tinynn.sklearn import NetworkClassifier, NetworkRegressor
for network in (NetworkClassifier(), NetworkRegressor(), NetworkClassifier(batch_size=8), NetworkRegressor(batch_size=8)):
    for estimator, check in estimator_checks_generator(network):
        if "array_api" in check.func.__name__:
            check(estimator)
            print(check.func.__name__)
"""
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    command = [sys.executable, *STRICT, "-c", code]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["check_array_api_input"] * 4


# --- the same numbers as tinynn's own fit ----------------------------------------------------------------------------


def blobs(n=90, C=3, seed=0, dtype="float64"):
    """Three overlapping clouds of four columns."""
    rng = np.random.default_rng(seed)
    t = rng.integers(0, C, n)
    return (rng.normal(size=(n, 4)) + 1.5 * np.eye(4)[t]).astype(dtype), t


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_it_is_tinynns_fit(dtype, backend):
    """An equal network with an equal optimizer and seed gives the same bits, by the four lines of tinynn."""
    x, t = blobs(dtype=dtype)
    weight = np.random.default_rng(1).uniform(size=len(x))
    ours = NetworkClassifier(hidden=(7, 5), lr=1e-2, weight_decay=0.1, epochs=4, random_state=3, backend=backend)
    ours.fit(x, t, sample_weight=weight)
    seed = np.random.RandomState(3).randint(2**31 - 1)
    affine = functools.partial(Affine, weight_init="xavier_uniform")
    layers = [affine(4, 7), ReLU(), affine(7, 5), ReLU(), affine(5, 3)]
    model = Sequential(*layers, seed=seed, dtype=dtype, backend=backend)
    model.fit(
        x, t, loss=SoftmaxCrossEntropy(), optimizer=tinynn.Adam(model, 1e-2, weight_decay=0.1), epochs=4, seed=seed,
        sample_weight=weight, progress=False,
    )  # fmt: skip
    scores = model.predict(x)
    assert np.array_equal(ours.decision_function(x), scores) and scores.dtype == dtype
    assert np.array_equal(ours.predict(x), scores.argmax(axis=1))
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ours.predict_proba(x), p, rtol=1e-5 if dtype == "float32" else 1e-12)


def test_on_the_gpus_stand_in():
    """NumPy arrays in and out, with early stopping and weights; predictions as on the CPU."""
    x, t = blobs()
    options = {"epochs": 3, "random_state": 0, "early_stopping": True, "class_weight": "balanced"}
    with posing_as_cupy():
        model = NetworkClassifier(**options, backend="cupy").fit(x, t)
        p, predicted = model.predict_proba(x), model.predict(x)
        assert model.model_.backend == "cupy"
    other = NetworkClassifier(**options, backend="numpy").fit(x, t)
    np.testing.assert_allclose(p, other.predict_proba(x), rtol=1e-9)
    assert type(p) is np.ndarray and np.array_equal(predicted, other.predict(x))


def test_the_defaults():
    shared = {
        "hidden": (100,), "activation": "relu", "dropout": 0.0, "batch_norm": False, "build": None, "shape": None,
        "optimizer": "adam", "lr": 1e-3, "weight_decay": 0.0, "epochs": 100, "batch_size": 32, "early_stopping": False,
        "patience": 10, "validation_fraction": 0.1, "callbacks": (), "random_state": None, "backend": None,
        "verbose": False,
    }  # fmt: skip
    assert NetworkClassifier().get_params() == {**shared, "class_weight": None}
    assert NetworkRegressor().get_params() == {**shared, "loss": "mse"}


def words(model):
    return [repr(layer).replace(", weight_init='xavier_uniform'", "") for layer in model]


def test_layers_stand_as_the_parameters_say():
    x, t = blobs()
    options = {
        "hidden": [6, 5],
        "activation": "tanh",
        "dropout": 0.25,
        "batch_norm": True,
        "epochs": 1,
        "batch_size": 89,
    }
    model = NetworkClassifier(**options).fit(x, t).model_
    assert words(model) == [
        "Affine(4, 6)", "BatchNorm(6)", "Tanh()", "Dropout(0.25)",
        "Affine(6, 5)", "BatchNorm(5)", "Tanh()", "Dropout(0.25)", "Affine(5, 3)",
    ]  # fmt: skip
    linear = NetworkClassifier(hidden=(), epochs=1).fit(x, t).model_
    assert words(linear) == ["Affine(4, 3)"]
    leaky = functools.partial(tinynn.LeakyReLU, 0.2)
    model = NetworkRegressor(hidden=(2, 2), activation=leaky, epochs=1).fit(x, t).model_
    assert repr(model[1]) == repr(model[3]) == "LeakyReLU(slope=0.2)" and model[1] is not model[3]


def test_weights_are_repetitions():
    """In one batch, weights (0 included) and class weights are as if rows stood there so many times."""
    x, t = blobs()
    weight = np.random.default_rng(0).integers(0, 4, len(x))
    options = {"hidden": (5,), "batch_size": 1000, "epochs": 5, "random_state": 0}
    for cls, y in ((NetworkClassifier, t), (NetworkRegressor, x[:, :2])):
        a = cls(**options).fit(x, y, sample_weight=weight)
        b = cls(**options).fit(x.repeat(weight, axis=0), y.repeat(weight, axis=0))
        np.testing.assert_allclose(a._scores(x), b._scores(x), rtol=1e-9, atol=1e-12)
    by_class = np.array([1, 3, 2])
    a = NetworkClassifier(**options, class_weight={1: 3, 2: 2}).fit(x, t, sample_weight=weight)
    b = NetworkClassifier(**options).fit(x, t, sample_weight=weight * by_class[t])
    assert np.array_equal(a._scores(x), b._scores(x))
    a = NetworkClassifier(**options, class_weight="balanced").fit(x, t, sample_weight=weight)
    sums = np.bincount(t, weight)
    b = NetworkClassifier(**options).fit(x, t, sample_weight=weight / sums[t])
    np.testing.assert_allclose(a._scores(x), b._scores(x), rtol=1e-9, atol=1e-12)


def test_partial_fit_goes_on_where_it_stopped():
    """Four calls, one of them after a pickle, are a fit of four epochs, to the last bit."""
    x, t = blobs()
    for cls, classes in ((NetworkClassifier, {"classes": [0, 1, 2]}), (NetworkRegressor, {})):
        y = t if classes else t.astype(float)
        options = {"random_state": 0, "dropout": 0.2}
        whole = cls(epochs=4, **options).fit(x, y)
        parts = cls(**options).partial_fit(x, y, **classes).partial_fit(x, y)
        parts = pickle.loads(pickle.dumps(parts)).partial_fit(x, y).partial_fit(x, y)
        assert np.array_equal(whole._scores(x), parts._scores(x))
        assert parts.history_["loss"] == whole.history_["loss"] and len(parts.history_) == 4
        slow = parts.set_params(lr=0).partial_fit(x, y)
        assert np.array_equal(whole._scores(x), slow._scores(x))  # the new lr counts
    parts.fit(x, y)
    assert len(parts.history_) == 100


def test_partial_fit_of_some_classes():
    x, t = blobs()
    names = np.array(["b", "c", "a"])
    model = NetworkClassifier(random_state=0, class_weight={"c": 2})
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        model.partial_fit(x, names[t])
    for _ in range(60):
        for label in range(3):
            model.partial_fit(x[t == label], names[t[t == label]], classes=names)
    assert list(model.classes_) == ["a", "b", "c"] and model.score(x, names[t]) > 0.5
    with pytest.raises(ValueError, match=r"y must hold labels of classes_, \['a' 'b' 'c'\], not .*'d'"):
        model.partial_fit(x[:2], ["a", "d"])
    with pytest.raises(ValueError, match=r"classes must be those of the first call, .* not \['a' 'b'\]"):
        model.partial_fit(x[:2], ["a", "b"], classes=["a", "b"])
    with pytest.raises(ValueError, match="class_weight must be a dict or None for partial_fit"):
        NetworkClassifier(class_weight="balanced").partial_fit(x, t, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="early_stopping must be False for partial_fit"):
        NetworkRegressor(early_stopping=True).partial_fit(x, t)
    regressor = NetworkRegressor().partial_fit(x, x[:, :2])
    with pytest.raises(ValueError, match="y must have 2 columns as in the first call, not 3"):
        regressor.partial_fit(x, x[:, :3])


def test_early_stopping():
    """It stops, the best epoch is there again, and rows of weight 0 decide nothing."""
    x, t = blobs(200)
    weight = (np.arange(200) < 120).astype(float)
    options = {
        "early_stopping": True,
        "patience": 4,
        "epochs": 400,
        "lr": 0.01,
        "random_state": 0,
        "validation_fraction": 0.25,
    }
    model = NetworkClassifier(**options).fit(x, t, sample_weight=weight)
    assert "val_loss has not got better" in model.history_.stopped and len(model.history_) < 400
    again = NetworkClassifier(**options).fit(x[:120], t[:120])
    np.testing.assert_allclose(model._scores(x), again._scores(x), rtol=1e-9)  # a weighted mean rounds otherwise
    rows = train_test_split(np.arange(120), test_size=0.25, random_state=model._seed, stratify=t[:120])[1]
    loss = model.model_.evaluate(x[rows], t[rows], loss=SoftmaxCrossEntropy())["loss"]
    assert loss == pytest.approx(min(model.history_["val_loss"]), rel=1e-12)
    regressor = NetworkRegressor(**options).fit(x, x[:, :2] ** 2)
    assert regressor.history_.stopped and "val_loss" in regressor.history_


def test_batches_that_batch_norm_can_take():
    """65 rows in batches of 32 would leave one row."""
    x, t = blobs(65)
    for size in (1, 16, 32, 64):
        NetworkClassifier(batch_norm=True, epochs=1, batch_size=size).fit(x, t)
    with pytest.raises(ValueError, match=r"BatchNorm\(100\): x must have two rows or more in training, not 1"):
        NetworkClassifier(batch_norm=True, epochs=1).fit(x[:1], t[:1])


def test_control_c_ends_the_program_and_keeps_the_epochs():
    x, t = blobs()

    def press(run):
        if run.epoch == 3:
            raise KeyboardInterrupt

    model = NetworkClassifier(callbacks=[press], random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, t)
    kept = NetworkClassifier(epochs=3, random_state=0).fit(x, t)
    assert len(model.history_) == 3 and np.array_equal(model._scores(x), kept._scores(x))
    with pytest.raises(KeyboardInterrupt):
        cross_val_score(model, x, t)


def test_a_fit_that_fails_leaves_no_other_network():
    x, t = blobs()
    model = NetworkClassifier(epochs=1).fit(x, t)
    with pytest.raises(ValueError, match="all zero|at least one non-zero"):  # ours, or that of scikit-learn 1.9
        model.fit(x[:9], list("ababababa"), sample_weight=[0] * 9)
    with pytest.raises(NotFittedError):
        model.predict(x)
    for options in ({"batch_size": 0}, {"callbacks": [3]}, {"early_stopping": True, "validation_fraction": 0}):
        with pytest.raises((TypeError, ValueError)):
            model.set_params(**options).fit(x, t)
        with pytest.raises(NotFittedError):
            model.predict(x)
        model = NetworkClassifier(epochs=1).fit(x, t)


def test_weights_that_overflow_are_an_error():
    """In a search such a fit counts as failed; scores of NaN would be those of the first class."""
    x, t = blobs()
    model = NetworkClassifier(optimizer="sgd", hidden=(5,), epochs=9)
    with (
        pytest.warns(RuntimeWarning, match="the loss is"),
        pytest.raises(ValueError, match=r"a smaller lr than 1e\+20"),
    ):
        clone(model).set_params(lr=1e20).fit(x, t)
    with pytest.warns((RuntimeWarning, UserWarning)):
        search = GridSearchCV(model, {"lr": [0.1, 1e20]}, cv=2).fit(x, t)
    assert np.isnan(search.cv_results_["mean_test_score"][1]) and search.best_params_ == {"lr": 0.1}


# --- any model -------------------------------------------------------------------------------------------------------


def convolutional(shape, n_out):
    """A small network on 8 x 8 pixels, with a block and batch normalization."""
    return Sequential(
        Conv2D(shape[-1], 8, 3, padding="same"), BatchNorm(8), ReLU(),
        Residual(Conv2D(8, 8, 3, padding="same"), BatchNorm(8)), ReLU(), MaxPool2D(2), Flatten(), Affine(128, n_out),
    )  # fmt: skip


class Own(Model):
    """Forward and backward by hand."""

    def __init__(self, n_in, n_out):
        self.hidden, self.relu, self.out = Affine(n_in, 8), ReLU(), Affine(8, n_out)
        self.assemble()

    def forward(self, x):
        return self.out.forward(self.relu.forward(self.hidden.forward(x)))

    def backward(self, dy):
        return self.hidden.backward(self.relu.backward(self.out.backward(dy)))


def own(shape, n_out):
    return Own(*shape, n_out)


def test_build_images():
    x, t = load_digits(return_X_y=True)
    x, x_test, t, t_test = train_test_split((x / 16).astype("float32"), t, test_size=0.3, random_state=0)
    model = NetworkClassifier(build=convolutional, shape=(8, 8, 1), epochs=15, lr=3e-3, random_state=0)
    assert model.fit(x, t).score(x_test, t_test) > 0.95  # 0.965 to 0.989 for eight seeds
    assert model.model_.dtype == "float32" and model.model_.shape == (8, 8, 1)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(x_test), model.predict_proba(x_test))


def test_build_draws_by_random_state():
    x, t = blobs()
    options = {"build": own, "epochs": 2}
    a, b, c = (NetworkClassifier(**options, random_state=seed).fit(x, t)._scores(x) for seed in (0, 0, 1))
    assert np.array_equal(a, b) and not np.allclose(a, c) and a.dtype == "float64"
    y = NetworkRegressor(**options).fit(x, x[:, :2]).predict(x)
    assert y.shape == (90, 2)


# --- scikit-learn's tools --------------------------------------------------------------------------------------------


def passengers(n=300):
    """A table of numbers with gaps, text and categories, with labels in text, one of them rare."""
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    table = pandas.DataFrame(
        {
            "age": np.where(rng.random(n) < 0.2, np.nan, rng.normal(30, 12, n)),
            "fare": rng.exponential(30, n),
            "sex": rng.choice(["female", "male"], n),
            "deck": pandas.Categorical(rng.choice(["A", "B", "C"], n)),
        }
    )
    lives = rng.random(n) < np.where(table["sex"] == "female", 0.5, 0.02)
    return table, pandas.Series(np.where(lives, "saved", "lost"), name="fate")


def test_a_table_in_a_pipeline():
    table, fate = passengers()
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    words = OneHotEncoder(sparse_output=False)
    columns = ColumnTransformer([("numbers", numbers, ["age", "fare"]), ("words", words, ["sex", "deck"])])
    pipe = make_pipeline(columns, NetworkClassifier(hidden=(16,), lr=0.01, epochs=15, random_state=0))
    pipe.set_output(transform="pandas").fit(table, fate)
    assert list(pipe[-1].feature_names_in_)[:3] == ["numbers__age", "numbers__fare", "words__sex_female"]
    assert list(pipe.classes_) == ["lost", "saved"] and pipe.score(table, fate) > 0.7
    plain = cross_val_predict(pipe, table, fate)
    balanced = cross_val_predict(clone(pipe).set_params(networkclassifier__class_weight="balanced"), table, fate)
    assert (balanced == "saved").sum() > (plain == "saved").sum()
    assert cross_val_score(pipe, table, fate, scoring="roc_auc").mean() > 0.7
    found = permutation_importance(pipe, table, fate, scoring="roc_auc", n_repeats=3, random_state=0)
    assert found.importances_mean.argmax() == 2  # sex
    assert learning_curve(pipe, table, fate, cv=3, train_sizes=[0.3, 1.0])[2].shape == (2, 3)
    voting = VotingClassifier([("a", pipe), ("b", clone(pipe))], voting="soft").fit(table, fate)
    assert np.allclose(voting.predict_proba(table), pipe.predict_proba(table))  # the same seed: the mean of equal ones
    with pytest.raises(ValueError, match="feature names"):
        pipe[-1].predict(columns.transform(table).rename(columns={"numbers__age": "years"}))


@pytest.mark.parametrize("labels", ["text", "bool", "categories", "objects"])
def test_labels(labels):
    pandas = pytest.importorskip("pandas")
    x, t = blobs(C=2)
    y = {
        "text": np.array(["no", "yes"])[t], "bool": t == 1, "categories": pandas.Series(t).astype("category"),
        "objects": np.array(["no", "yes"], dtype=object)[t],
    }[labels]  # fmt: skip
    model = NetworkClassifier(random_state=0).fit(x, y)
    assert np.array_equal(model.classes_, np.unique(np.asarray(y))) and model.score(x, y) > 0.8
    likely = model.decision_function(x) > 0
    assert np.array_equal(model.predict(x), model.classes_[likely.astype(int)])
    assert np.array_equal(model.predict_proba(x)[:, 1] > 0.5, likely)


def test_searches_calibration_and_ensembles():
    x, t = load_iris(return_X_y=True)
    net = NetworkClassifier(epochs=20, lr=0.01, random_state=0)
    pipe = make_pipeline(StandardScaler(), net)
    grid = {"networkclassifier__hidden": [(8,), (16, 8)], "networkclassifier__activation": ["relu", tinynn.GELU]}
    search = GridSearchCV(pipe, grid, cv=3).fit(x, t)
    assert search.best_score_ > 0.93 and np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert CalibratedClassifierCV(pipe, cv=3).fit(x, t).score(x, t) > 0.93
    assert BaggingClassifier(pipe, 3, random_state=0).fit(x, t).score(x, t) > 0.93
    assert StackingClassifier([("net", pipe)], cv=3).fit(x, t).score(x, t) > 0.93


def test_joblib():
    joblib = pytest.importorskip("joblib")
    x, t = blobs()
    model, file = NetworkClassifier(epochs=2).fit(x, t), io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    assert np.array_equal(joblib.load(file).predict_proba(x), model.predict_proba(x))


def test_regression():
    x, y = load_diabetes(return_X_y=True)
    net = NetworkRegressor(early_stopping=True, random_state=0)
    scaled = TransformedTargetRegressor(make_pipeline(StandardScaler(), net), transformer=StandardScaler())
    assert cross_val_score(scaled, x, y).mean() > 0.3  # a linear model reaches 0.48
    for loss in ("mae", "huber"):
        assert NetworkRegressor(loss=loss, epochs=5).fit(x, y).predict(x).shape == y.shape
    whole = NetworkRegressor(epochs=2).fit([[0, 1], [1, 0]], [1, 2]).predict([[0, 1]])  # lists of whole numbers
    assert whole.shape == (1,) and whole.dtype == "float64"
    assert NetworkRegressor(epochs=2).fit(x, y[:, None]).predict(x).shape == (442, 1)


def test_callbacks_and_verbose(capsys):
    x, t = blobs()
    rates = []
    schedule = tinynn.LearningRate(tinynn.callbacks.cosine(1e-2, 3))
    model = NetworkClassifier(callbacks=[lambda run: rates.append(run.optimizer.lr), schedule], epochs=3, verbose=True)
    model.fit(x, t)
    assert rates == pytest.approx([1e-2, 7.5e-3, 2.5e-3]) and len(capsys.readouterr().out.splitlines()) == 4
    model.set_params(optimizer=functools.partial(SGD, momentum=0.9), verbose=False).fit(x, t)
    assert model.optimizer_.momentum == 0.9 and capsys.readouterr().out == ""


# --- what can go wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hidden": 100}, r"hidden must be a tuple with the units of each hidden layer, .*, not 100 \(int\): \(100,\) is one layer"),
        ({"hidden": "100"}, r"hidden must be a tuple .*, not '100' \(str\)$"),
        ({"hidden": (9, 0)}, "hidden, layer 2, must be a whole number, 1 or more, not 0"),
        ({"activation": "logistic"}, "activation must be 'relu', .*'tanh', or a class such as tinynn.GELU, not 'logistic'"),
        ({"activation": ReLU()}, r"activation must be .* or a class such as tinynn.GELU, not ReLU\(\)"),
        ({"activation": dict}, r"activation must make a tinynn layer, not \{\} \(dict\)"),
        ({"dropout": 1}, r"dropout must be a number, in \[0, 1\), not 1"),
        ({"batch_norm": "yes"}, "batch_norm must be True or False, not 'yes'"),
        ({"build": 7}, r"build must be a function \(shape, n_out\) -> model, not 7"),
        ({"build": Sequential(Affine(4, 3))}, r"build must be a function .*, not Sequential\(Affine\(4, 3\)\).*: a function makes a new one for each fit"),
        ({"build": lambda shape: None}, r"build must be a function that can be called with \(\(4,\), 3\), not one that takes \(shape\): too many"),
        ({"build": lambda shape, n: None}, r"build\(\(4,\), 3\) must return a tinynn model, not None"),
        ({"build": lambda shape, n: Affine(4, n)}, r"return a tinynn model, not Affine\(4, 3\) .*: Sequential\(Affine\(4, 3\)\) is one"),
        ({"build": lambda shape, n: Sequential(Affine(5, n))}, r"return a model for rows of shape \(4,\): takes rows of 5"),
        ({"build": lambda shape, n: Sequential(Affine(4, 2))}, r"return a model with 3 numbers a row, not shape \(1, 2\) of one"),
        ({"build": lambda shape, n: Own(4, 5)}, r"return a model with 3 numbers a row, not shape \(1, 5\) of one"),
        ({"build": own, "shape": (3, 2)}, r"shape must hold the 4 columns of X, not \(3, 2\), which holds 3 x 2 = 6"),
        ({"shape": (2, 2)}, r"shape must be None without build, not \(2, 2\)"),
        ({"build": own, "shape": 4}, "shape must be a tuple of sizes"),
        ({"optimizer": "adamw"}, "optimizer must be 'adam', 'sgd', 'rmsprop', or a class such as tinynn.SGD, not 'adamw'"),
        ({"optimizer": lambda model: SGD(model, 0.1)}, r"optimizer must be a function that can be called with \(model, lr=0.001, weight_decay=0.0\), not one that takes \(model\)"),
        ({"optimizer": lambda model, **options: 3}, "optimizer must make a tinynn optimizer, not 3"),
        ({"lr": -1}, "lr must be a number, 0 or more, not -1"),
        ({"weight_decay": "l2"}, "weight_decay must be a number, 0 or more, not 'l2'"),
        ({"epochs": 0}, "epochs must be a whole number, 1 or more, not 0"),
        ({"batch_size": "auto"}, "batch_size must be a whole number, 1 or more, not 'auto'"),
        ({"early_stopping": 1}, "early_stopping must be True or False, not 1"),
        ({"early_stopping": True, "patience": 0}, "patience must be a whole number, 1 or more, not 0"),
        ({"early_stopping": True, "validation_fraction": 0}, "validation_fraction must be more than 0, not 0"),
        ({"early_stopping": True, "validation_fraction": 0.01}, "validation_fraction must be a share of the 90 rows that can be held back, not 0.01: "),
        ({"callbacks": print}, "callbacks must be a list of functions of the run, not <built-in"),
        ({"backend": "torch"}, "backend must be one of 'numpy', 'numba', 'cupy', not 'torch'"),
        ({"verbose": 2}, "verbose must be True or False, not 2"),
        ({"class_weight": "equal"}, "class_weight must be a dict label -> number, 'balanced' or None, not 'equal'"),
        ({"class_weight": {"0": 2}}, r"class_weight must name labels of y, \[0 1 2\], not '0'"),
        ({"class_weight": {0: -1}}, r"class_weight\[0\] must be a number, 0 or more, not -1"),
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, "sample_weight and class_weight must leave a row to train with"),
    ],
)  # fmt: skip
def test_a_wrong_parameter(options, said):
    """`fit` says so; __init__ and set_params take anything, as scikit-learn demands."""
    x, t = blobs()
    with pytest.raises((TypeError, ValueError), match=said) as caught:
        NetworkClassifier(**options).fit(x, t)
    assert str(caught.value).startswith("NetworkClassifier: ") or "backend" in said or "sample_weight" in said


def test_a_wrong_loss():
    with pytest.raises(ValueError, match="NetworkRegressor: loss must be one of 'mse', 'mae', 'huber', not 'l2'"):
        NetworkRegressor(loss="l2").fit(*blobs())


def test_it_is_loaded_when_it_is_asked_for():
    code = "import sys, tinynn; from tinynn import *; print('sklearn' in sys.modules, 'scipy' in sys.modules)\n"
    code += "print(tinynn.sklearn.NetworkClassifier())\nsys.modules['sklearn.utils.validation'] = None\n"
    code += "del sys.modules['tinynn.sklearn']\ntry: import tinynn.sklearn\nexcept ImportError as error: print(error)"
    done = subprocess.run([sys.executable, *STRICT, "-c", code], capture_output=True, text=True, timeout=LIMIT)
    assert done.stdout.splitlines() == [
        "False False", "NetworkClassifier()",
        "tinynn.sklearn needs scikit-learn 1.6 or newer: pip install -U scikit-learn",
    ], done.stderr  # fmt: skip
