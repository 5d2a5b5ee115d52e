"""fit, evaluate, minibatches, History: the loop runs exactly the four-line step, and refuses what cannot be right."""

from __future__ import annotations

import itertools
import math
import sys
import types
import warnings

import fake_cupy
import numpy as np
import pytest
from conftest import posing_as_cupy
from hypothesis import given
from hypothesis import strategies as st

from tinynn import (
    MSE,
    SGD,
    Adam,
    Affine,
    EarlyStopping,
    GaussianNLL,
    History,
    ReLU,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
    Watch,
    accuracy,
    evaluate,
    fit,
    minibatches,
)
from tinynn.training import demands


def blobs(N=200, C=3, seed=0):
    """Three clouds of points in the plane."""
    rng = np.random.default_rng(seed)
    t = rng.integers(0, C, N)
    x = rng.normal(0, 0.4, (N, 2)) + np.stack([np.cos(2 * np.pi * t / C), np.sin(2 * np.pi * t / C)], axis=1)
    return x.astype("float32"), t


def network(backend=None, seed=0, **options):
    return Sequential(Affine(2, 16), ReLU(), Affine(16, 3), backend=backend, seed=seed, **options)


def train(backend, seed=0, epochs=2, model=None, **options):
    x, t = blobs()
    model = model or network(backend)
    loss, optimizer = SoftmaxCrossEntropy(), Adam(model, lr=1e-2)
    history = model.fit(
        x, t, loss=loss, optimizer=optimizer, epochs=epochs, batch_size=32, seed=seed, progress=False, **options
    )
    return model, history


@pytest.mark.parametrize("seed", [3, None])
def test_two_times_five_epochs_are_ten(any_backend, seed):
    x, t = blobs()
    runs = []
    for parts in ([10], [5, 5], [1, 2, 7]):
        model, loss = network(any_backend), SoftmaxCrossEntropy()
        optimizer = Adam(model, lr=1e-2)
        if seed is None:
            optimizer.seed = 7  # otherwise drawn by the first call, and kept
        histories = [
            model.fit(x, t, loss=loss, optimizer=optimizer, epochs=epochs, seed=seed, progress=False)
            for epochs in parts
        ]
        record = [value for history in histories for value in history["loss"]]
        runs.append((record, model.ops.to_numpy(model.params).tobytes()))
        assert optimizer.epochs == 10 and repr(histories[-1]).split("\n")[-1].split()[0] == "10"
    assert runs[0] == runs[1] == runs[2]


def test_weights_are_repetitions(any_backend):
    """One batch of all rows: weights 0, 1, 2 train as the rows left out, once, twice do; class weights likewise."""
    x, t = blobs(60)
    times = np.arange(60) % 3
    by_class = {0: 2.0, 1: 0.0}
    loss, ends = SoftmaxCrossEntropy(), []
    for options, n in (
        ({"sample_weight": times.astype(float)}, times),
        ({"class_weight": by_class}, np.array([by_class.get(label, 1) for label in t]).astype(int)),
    ):
        for repeated in (False, True):
            data = (np.repeat(x, n, axis=0), np.repeat(t, n)) if repeated else (x, t)
            model = network(any_backend, dtype="float64")
            history = model.fit(
                data[0].astype("float64"), data[1], loss=loss, optimizer=SGD(model, 0.5), epochs=3, batch_size=1000,
                seed=0, progress=False, **({} if repeated else options),
            )  # fmt: skip
            ends.append((model.ops.to_numpy(model.params).copy(), history["loss"]))
    for (params, record), (repeated, again) in (ends[:2], ends[2:]):
        np.testing.assert_allclose(params, repeated, rtol=1e-10)
        np.testing.assert_allclose(record, again, rtol=1e-10)


def test_bad_weights():
    x, t = blobs(10)
    model, loss = network("numpy"), SoftmaxCrossEntropy()
    for options, error, message in (
        (
            {"sample_weight": np.ones(9)},
            TypeError,
            "sample_weight must be a numpy array with a number for each of the 10",
        ),
        ({"sample_weight": np.array(["a"] * 10)}, TypeError, "sample_weight must be a numpy array with a number"),
        ({"transform": 3}, TypeError, "transform must be a function of a batch's x, not 3"),
        ({"sample_weight": -np.ones(10)}, ValueError, "sample_weight must hold numbers of 0 or more"),
        ({"sample_weight": np.full(10, np.inf)}, ValueError, "numbers of 0 or more, and no NaN"),
        ({"sample_weight": np.array([np.nan] + [1] * 9)}, ValueError, "sample_weight must hold numbers of 0 or more"),
        ({"class_weight": [1, 2, 3]}, TypeError, "class_weight must be a dict label -> number"),
        ({"class_weight": {7: 1}}, ValueError, "class_weight must name labels of t, not 7"),
        ({"class_weight": {0: -1}}, ValueError, r"class_weight\[0\] must be a number, 0 or more, not -1"),
    ):
        with pytest.raises(error, match=message):
            model.fit(x, t, loss=loss, optimizer=Adam(model), progress=False, **options)


def test_transform_makes_numbers_of_bytes(any_backend):
    """Bytes that are scaled batch by batch train to the same bits as those scaled before."""
    rng = np.random.default_rng(0)
    x, t = rng.integers(0, 256, (90, 2), dtype=np.uint8), rng.integers(0, 3, 90)
    scaled, loss = x / np.float32(255), SoftmaxCrossEntropy()
    records = []
    for x_given, transform in ((scaled, None), (x, lambda x: x / np.float32(255))):
        model = network(any_backend)
        history = model.fit(
            x_given, t, loss=loss, optimizer=Adam(model), epochs=2, transform=transform,
            validation_data=(x_given, t), seed=0, progress=False,
        )  # fmt: skip
        scores = model.evaluate(x_given, t, loss=loss, transform=transform)
        records.append([history["loss"], history["val_loss"], scores["loss"], scores["accuracy"]])
    assert records[0] == records[1]


def test_a_transform_that_does_not_fit():
    x, t = np.zeros((5, 2), np.uint8), np.zeros(5, int)
    model, loss = network("numpy"), SoftmaxCrossEntropy()
    with pytest.raises(TypeError, match="x must be of dtype float32 or float64, not uint8"):
        model.evaluate(x, t, loss=loss)
    with pytest.raises(TypeError, match="what transform makes of x must be float32 like the model, not float64"):
        model.evaluate(x, t, loss=loss, transform=lambda x: x / np.float64(255))
    with pytest.raises(TypeError, match="what transform makes of x must be a numpy array, not None"):
        model.evaluate(x, t, loss=loss, transform=lambda x: None)
    for rows in (0, 2):
        with pytest.raises(ValueError, match=f"transform makes of x must have a row for each row of x, not {rows} for"):
            model.evaluate(x, t, loss=loss, transform=lambda x, rows=rows: np.zeros((rows, 2), "f4"))
    with pytest.raises(ValueError, match=r"what transform makes of x must have 2 dimensions .*, not shape \(2,\)"):
        model.evaluate(x, t, loss=loss, transform=lambda x: np.zeros(2, "f4"))


def test_what_a_model_of_ones_own_gives():
    """Scores (N, C) of float, whatever the loss would make of others."""
    x, t = blobs(20)
    own = types.SimpleNamespace(backward=lambda dy: dy, params=np.ones(2, "f4"), grads=np.ones(2, "f4"))
    for y, error in ((lambda x: x[:, 0], ValueError), (lambda x: x.tolist(), TypeError)):
        own.forward = y
        with pytest.raises(error, match="what model gives must"):
            evaluate(own, x, t, loss=SoftmaxCrossEntropy(backend="numpy"))


def test_it_learns(any_backend):
    x, t = blobs(seed=1)
    model, history = train(any_backend, epochs=20, validation_data=(x, t))
    assert history["loss"][-1] < 0.2 < history["loss"][0] and history["accuracy"][-1] > 0.95
    assert history["val_accuracy"][-1] > 0.95 and len(history) == 20
    assert model.evaluate(x, t, loss=SoftmaxCrossEntropy())["accuracy"] == history["val_accuracy"][-1]


def test_fit_is_the_four_line_step(cpu):
    """The same parameters, bit for bit, as the loop written by hand."""
    model, history = train(cpu)
    x, t = blobs()
    own = network(cpu)
    loss, optimizer = SoftmaxCrossEntropy(backend=cpu), Adam(own, lr=1e-2)
    values = []
    for epoch in range(2):
        total = 0.0
        for x_batch, t_batch in minibatches(x, t, 32, seed=np.random.default_rng([0, epoch])):
            y = own.forward(x_batch)
            total += loss.forward(y, t_batch) * len(x_batch)
            own.backward(loss.backward())
            optimizer.step()
        values.append(total / len(x))
    assert np.array_equal(own.params, model.params)
    assert history["loss"] == values


def test_the_backends_agree(any_backend):
    """A short training gives the textbook's parameters within float32's round-off, on every backend."""
    model, history = train(any_backend)
    reference, expected = train("numpy")
    assert np.allclose(model.ops.to_numpy(model.params), reference.params, atol=1e-4)
    assert np.allclose(history["loss"], expected["loss"], rtol=1e-4)
    assert history["accuracy"] == pytest.approx(expected["accuracy"], abs=0.02)


def test_no_step_waits_for_the_gpu():
    """Inside the four lines nothing is read back: the stand-in forbids it, and counts the launches of a step."""
    with posing_as_cupy() as ops:
        model = network("cupy")
        loss, optimizer = SoftmaxCrossEntropy(backend="cupy"), Adam(model)
        x, t = (ops.asarray(a) for a in blobs())
        total = 0.0
        with fake_cupy.no_sync(), fake_cupy.counting() as counts:
            y = model.forward(x)
            total += loss.forward(y, t) * len(x)
            model.backward(loss.backward())
            optimizer.step()
        assert counts.h2d == 0 and counts.launches <= 30
        assert math.isfinite(float(total))


def test_same_seed_same_bits(cpu):
    """Parameters after an epoch are the same to the last bit, and others with another seed."""
    a, b, c = train(cpu, seed=5)[0], train(cpu, seed=5)[0], train(cpu, seed=6)[0]
    assert a.params.tobytes() == b.params.tobytes() != c.params.tobytes()


def test_without_a_seed_orders_differ(cpu):
    assert train(cpu, seed=None)[0].params.tobytes() != train(cpu, seed=None)[0].params.tobytes()


def test_regression_has_no_accuracy(cpu, rng):
    x = rng.normal(size=(100, 2))
    t = np.tanh(x @ [[1.0], [-2.0]])
    for loss, width in ((MSE(), 1), (GaussianNLL(variance=0.1), 1), (GaussianNLL(), 2)):
        model = Sequential(Affine(2, 8), Tanh(), Affine(8, width), backend=cpu, dtype="float64", seed=1)
        history = fit(model, x, t, loss=loss, optimizer=Adam(model, 1e-2), epochs=30, progress=False, seed=0)
        assert history.keys() == ["loss", "seconds"] and history["loss"][-1] < history["loss"][0] - 0.1
        assert evaluate(model, x, t, loss=loss).keys() == {"loss"}


def test_gradient_descent_reaches_the_closed_form(cpu, rng):
    """Linear regression by full batches: the normal equations' answer."""
    x = rng.normal(size=(50, 3))
    t = x @ rng.normal(size=(3, 1)) + 0.7 + 0.1 * rng.normal(size=(50, 1))
    model = Sequential(Affine(3, 1), backend=cpu, dtype="float64", seed=0)
    fit(model, x, t, loss=MSE(), optimizer=SGD(model, 0.2), epochs=800, batch_size=50, progress=False, seed=0)
    exact = np.linalg.lstsq(np.c_[x, np.ones(50)], t, rcond=None)[0]
    assert np.allclose(model[0].W, exact[:3], atol=1e-9) and np.allclose(model[0].b, exact[3], atol=1e-9)


def test_history_is_the_mean_over_rows(cpu):
    """With lr 0 nothing moves, so the epoch's loss is the loss of all rows, though the last batch is a short one."""
    x, t = blobs(N=70)
    model = network(cpu)
    y = model(x)
    loss = SoftmaxCrossEntropy(backend=cpu)
    history = model.fit(x, t, loss=loss, optimizer=SGD(model, 0), batch_size=32, progress=False)
    assert history["loss"][0] == pytest.approx(loss(y, t), rel=1e-6)
    assert history["accuracy"][0] == pytest.approx(accuracy(y, t), rel=1e-9)
    assert evaluate(model, x, t, loss=loss, batch_size=32) == pytest.approx(
        {"loss": loss(y, t), "accuracy": accuracy(y, t)}
    )


def test_history_shows_itself():
    _, history = train("numpy", epochs=3)
    text = repr(history)
    assert len(text.splitlines()) == 4 and "accuracy" in text
    assert history.to_dict()["loss"] == history["loss"] and "loss" in history and "val_loss" not in history
    with pytest.raises(KeyError, match="history has loss, accuracy, seconds, not 'val_loss'"):
        history["val_loss"]


def test_progress_is_a_line_an_epoch(capsys):
    x, t = blobs()
    model = network("numpy")
    fit(model, x, t, loss=SoftmaxCrossEntropy(), optimizer=Adam(model), epochs=2, validation_data=(x, t), seed=0)
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3 and "val_accuracy" in out and err == "", "a heading, and a line for each epoch"
    assert max(map(len, out.splitlines())) <= 80
    fit(model, x, t, loss=SoftmaxCrossEntropy(), optimizer=Adam(model), progress=False)
    assert capsys.readouterr() == ("", "")


@given(N=st.integers(1, 40), batch_size=st.integers(1, 50), seed=st.integers(0, 1000), shuffle=st.booleans())
def test_minibatches_give_each_row_once(N, batch_size, seed, shuffle):
    x, t = np.arange(2 * N).reshape(N, 2), np.arange(N)
    batches = list(minibatches(x, t, batch_size, shuffle=shuffle, seed=seed))
    assert [len(a) for a, _ in batches][:-1] == [batch_size] * (len(batches) - 1)
    rows = np.concatenate([b for _, b in batches])
    assert sorted(rows) == list(range(N)) and (shuffle or rows.tolist() == list(range(N)))
    assert all(np.array_equal(a[:, 0], 2 * b) for a, b in batches)


@pytest.mark.parametrize("ops", [math, np, types.SimpleNamespace(xp=np), "numpy", None])
def test_minibatches_of_no_backend(ops):
    with pytest.raises(TypeError, match=r"ops must be the module of a backend, such as model.ops, not "):
        minibatches(np.ones((3, 2)), np.ones(3), 1, ops=ops)


def test_minibatches_of_other_lengths():
    with pytest.raises(ValueError, match="t must have as many rows as x, 3, not 2"):
        minibatches(np.ones((3, 2)), np.ones(2), 1)


def test_accuracy():
    y = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    assert accuracy(y, np.array([1, 0, 0, 0])) == 0.75
    assert accuracy(y, np.eye(2)[[1, 0, 0, 0]]) == 0.75


def bad_calls():
    """(changes of a good call, error, text)"""
    x, t = blobs(20)
    nan = np.zeros((20, 3), np.float32)
    nan[4, 1] = np.nan
    return {
        "no rows": ({"x": x[:0], "t": t[:0]}, ValueError, r"x must have at least one row, not shape \(0, 2\)"),
        "other lengths": ({"t": t[:5]}, ValueError, r"t must have as many rows as x, 20, not shape \(5,\)"),
        "batch size 0": ({"batch_size": 0}, ValueError, "batch_size must be a whole number, 1 or more, not 0"),
        "batch size 1.5": ({"batch_size": 1.5}, TypeError, "batch_size must be a whole number"),
        "no epochs": ({"epochs": 0}, ValueError, "epochs must be a whole number, 1 or more, not 0"),
        "seed": ({"seed": -1}, ValueError, "seed must be a whole number, 0 or more, not -1"),
        "float64": ({"x": x.astype(float)}, TypeError, r"x must be float32 like the model, not float64"),
        "pixels": ({"x": (x * 9).astype("u1")}, TypeError, r"x must be of dtype float32 or float64, not uint8: x.astype"),
        "objects": ({"x": x.astype(object)}, TypeError, "x must be of dtype float32 or float64, not object"),
        "list": ({"x": x.tolist()}, TypeError, r"x must be a numpy array, not .*: np.asarray\(x, 'float32'\) makes one"),
        "t list": ({"t": t.tolist()}, TypeError, r"t must be a numpy array, not .*: np.asarray\(t\) makes one"),
        "table": ({"x": Table(x)}, TypeError, r"x must be a numpy array, not a \w+.Table of shape \(20, 2\): np.asarray\("),
        "masked": ({"x": np.ma.masked_less(x, 0)}, TypeError, r"x must be a numpy array, not .* float32$"),
        "t scalar": ({"t": np.array(3)}, ValueError, "t must have as many rows"),
        "image shape": ({"x": x.reshape(20, 2, 1)}, ValueError, r"x must have rows of 2, not shape \(20, 2, 1\)"),
        "wide": ({"x": np.ones((20, 3), "f4")}, ValueError, r"layer 1, Affine\(2, 16\): x must have rows of 2"),
        "labels from 1": ({"t": t + 1}, ValueError, r"labels must be in 0..2 for 3 scores a row, not 3 \(in row \d+\): lab"),
        "labels below 0": ({"t": t - 1}, ValueError, "labels must be in 0..2 for 3 scores a row, not -1"),
        "float labels": ({"t": t.astype("f4")}, TypeError, "labels .* must be whole numbers"),
        "a column": ({"t": t[:, None]}, ValueError, r"t must be labels \(20,\) or rows of probabilities .*, not an array of shape \(20, 1\)"),
        "wide targets": ({"t": np.eye(5, dtype="f4")[t]}, ValueError, r"probabilities \(20, 3\) for such y, not .* \(20, 5\)"),
        "NaN targets": ({"t": nan, "loss": MSE()}, ValueError, r"t must hold numbers, not NaN \(in row 4\)"),
        "NaN soft": ({"t": nan}, ValueError, "rows of t must be probabilities"),
        "loss class": ({"loss": SoftmaxCrossEntropy}, TypeError, r"loss must be a loss such as MSE\(\), not .*give an object of that class"),
        "loss name": ({"loss": "mse"}, TypeError, r"loss must be a loss such as MSE\(\), not 'mse'"),
        "optimizer class": ({"optimizer": Adam}, TypeError, r"optimizer must be an optimizer such as Adam\(model\), not .*Adam"),
        "no optimizer": ({"optimizer": None}, TypeError, r"optimizer must be an optimizer such as Adam\(model\), not None"),
        "another's optimizer": ({"optimizer": Adam(network("numpy"))}, ValueError, "optimizer must be one of this model"),
        "a range": ({"optimizer": range(3)}, TypeError, r"optimizer must be an optimizer such as Adam\(model\), not range\(0, 3\)"),
        "a layer": ({"model": Affine(2, 3)}, TypeError, r"model must be a model such as a Sequential, not Affine.*: Sequential\(Affine\(2, 3\), seed=0\) is one$"),
        "a layer as loss": ({"loss": ReLU()}, TypeError, r"loss must be a loss such as MSE\(\), not ReLU\(\) \(ReLU\)$"),
        "weights for soft t": ({"t": np.eye(3, dtype="f4")[t], "class_weight": {0: 1}}, TypeError, r"not \{0: 1\} \(dict\) for t of shape \(20, 3\)$"),
        "weights in a list": ({"class_weight": [1]}, TypeError, r"for labels t, not \[1\] \(list\)$"),
        "metric named loss": ({"metrics": {"loss": accuracy}}, ValueError, "metrics must have a name that .*, not 'loss'"),
        "metric named seconds": ({"metrics": {"seconds": accuracy}}, ValueError, "metrics must have a name .*, not 'seconds'"),
        "metric named val_a": ({"metrics": {"val_a": accuracy}}, ValueError, "metrics must have a name .*, not 'val_a'"),
        "validation of three": ({"validation_data": (x, t, t)}, TypeError, r"validation_data must be a pair \(x, t\), not a tuple of 3"),
        "two validations": ({"validation_data": (x, t), "validation_split": 0.1}, ValueError, "validation_split must be 0 where"),
        "no weight": ({"sample_weight": np.zeros(20)}, ValueError, "sample_weight and class_weight must leave a row to train with"),
        "weight at the end": ({"sample_weight": np.eye(20)[19], "validation_split": 0.1}, ValueError, "must leave a row to train"),
        "class_weight at the end": ({"t": np.sort(t), "class_weight": {0: 0, 1: 0, 2: 0}, "validation_split": 0.1}, ValueError, "leave a row"),
        "class of rows": ({"class_weight": {(0, 9, 9): 2.0}}, TypeError, r"class_weight must name labels, .*, not \(0, 9, 9\)"),
        "class True": ({"class_weight": {True: 2.0}}, TypeError, r"class_weight must name labels, .*, not True \(bool\)"),
        "validation of a width": ({"validation_data": (x[:, :1], t)}, ValueError, r"Affine\(2, 16\): validation x must have rows of 2, not shape \(20, 1\)"),
        "validation of a class": ({"validation_data": (x, t + 1)}, ValueError, "validation labels must be in 0..2"),
        "validation targets": ({"validation_data": (x, np.eye(5, dtype="f4")[t])}, ValueError, r"validation t must be labels \(20,\)"),
        "validation x alone": ({"validation_data": x}, TypeError, r"validation_data must be a pair \(x, t\), not an array"),
        "validation": ({"validation_data": (x, t[:3])}, ValueError, "validation t must have as many rows as validation x"),
    }  # fmt: skip


class Table:
    """As of another library: it can be made an array, and shows all of itself in many lines."""

    def __init__(self, a):
        self.a, self.shape = a, a.shape

    def __array__(self, *args, **kwargs):
        return self.a

    def __repr__(self):
        return "\n".join(map(str, self.a))


@pytest.mark.parametrize("name", bad_calls())
def test_bad_calls_end_before_the_first_step(name, cpu):
    changes, error, text = bad_calls()[name]
    x, t = blobs(20)
    model = network(cpu)
    before = model.params.copy()
    arguments = {"x": x, "t": t, "loss": SoftmaxCrossEntropy(), "optimizer": Adam(model), "progress": False} | changes
    with pytest.raises(error, match=text):
        fit(**{"model": model} | arguments)
    assert np.array_equal(model.params, before)


def test_evaluate_names_its_parts_too():
    x, t = blobs(20)
    with pytest.raises(
        TypeError,
        match=r"model must be a model such as a Sequential, not ReLU\(\) \(ReLU\): Sequential\(ReLU\(\), seed=0\) is one",
    ):
        evaluate(ReLU(), x, t, loss=SoftmaxCrossEntropy())
    with pytest.raises(TypeError, match=r"loss must be a loss such as MSE\(\), not None"):
        evaluate(network("numpy"), x, t, loss=None)


def test_the_shape_named_is_that_of_all_rows(cpu):
    """And only the shape: the layer's sizes may read like that of the one row that was looked at."""
    model = Sequential(Affine(1, 3), backend=cpu, seed=0)
    with pytest.raises(ValueError, match=r"^layer 1, Affine\(1, 3\): x must have rows of 1, not shape \(20, 3\)$"):
        model.evaluate(np.ones((20, 3), "f4"), np.zeros(20, int), loss=SoftmaxCrossEntropy())


def test_a_model_has_its_parameters_in_a_vector():
    x, t = blobs(20)
    own = types.SimpleNamespace(forward=lambda x: x, backward=lambda dy: dy, params=[1.0], grads=[1.0])
    for params, error, text in (
        ([1.0], TypeError, r"a numpy array, not \[1.0\]"),
        (np.ones((2, 2), "f4"), ValueError, r"1 dimensions, not shape \(2, 2\)"),
    ):
        own.params = params
        with pytest.raises(error, match=f"model.params must (be|have) {text}"):
            evaluate(own, x, t, loss=SoftmaxCrossEntropy())


def test_labels_are_looked_at_before_they_reach_the_gpu():
    with posing_as_cupy():
        x, t = blobs(20)
        model = network("cupy")
        with pytest.raises(ValueError, match="labels must be in 0..2"):
            model.fit(x, t + 1, loss=SoftmaxCrossEntropy(), optimizer=Adam(model), progress=False)
        assert isinstance(model.predict(x), np.ndarray)
        assert model.to("numpy").predict(x).shape == (20, 3)


def test_a_fixed_backend_of_a_loss_is_kept(cpu):
    model, loss = network(cpu), SoftmaxCrossEntropy(backend="numpy")
    x, t = blobs()
    model.fit(x, t, loss=loss, optimizer=Adam(model), progress=False)
    assert loss.ops.__name__.endswith("backends.numpy")


@pytest.mark.parametrize("seed, error", [("a", TypeError), (-1, ValueError), (1.5, TypeError)])
def test_bad_seeds(seed, error):
    x, t = blobs(20)
    for use in (lambda: network(seed=seed), lambda: minibatches(x, t, 5, seed=seed)):
        with pytest.raises(error, match="seed must be a whole number, 0 or more, not"):
            use()


def test_bad_rows_and_scores():
    x, t = blobs(20)
    with pytest.raises(TypeError, match=r"x must be a numpy array with a row for each example, not \[\[1.0\]\]"):
        minibatches([[1.0]], t, 5)
    with pytest.raises(
        ValueError, match=r"t must be labels or rows of probabilities for scores y \(20, 2\), not .* \(5,\)"
    ):
        accuracy(x, t[:5])


def test_metrics_of_ones_own(any_backend):
    """In training means over the batches, by their rows; in evaluate of all rows at once."""
    x, t = blobs(50)
    model, loss = network(any_backend), SoftmaxCrossEntropy()
    widths, seen = {"rows": lambda y, t: len(y)}, []
    history = model.fit(
        x, t, loss=loss, optimizer=SGD(model, 0), batch_size=20, metrics=widths | {"accuracy": accuracy},
        validation_data=(x, t), seed=0, progress=False,
    )  # fmt: skip
    assert history["rows"] == [(20 * 20 + 20 * 20 + 10 * 10) / 50] and history["val_rows"] == [50]
    assert history["accuracy"] == pytest.approx(history["val_accuracy"])
    assert history.keys() == ["loss", "rows", "accuracy", "seconds", "val_loss", "val_rows", "val_accuracy"]
    scores = model.evaluate(x, t, loss=loss, batch_size=7, metrics={"seen": lambda y, t: seen.append((y, t)) or 1.5})
    assert scores["seen"] == 1.5 and "accuracy" not in scores
    assert np.allclose(model.ops.to_numpy(seen[0][0]), model.predict(x), rtol=1e-5)  # other batches round otherwise
    assert np.array_equal(model.ops.to_numpy(seen[0][1]), t)
    assert set(model.evaluate(x, t, loss=loss, metrics={})) == {"loss"}


@pytest.mark.parametrize("metrics", [accuracy, [accuracy], {"accuracy": 1}, {1: accuracy}])
def test_metrics_must_be_functions(metrics):
    x, t = blobs()
    model, loss = network("numpy"), SoftmaxCrossEntropy()
    with pytest.raises(TypeError, match=r"metrics.* must be a .*function"):
        model.fit(x, t, loss=loss, optimizer=SGD(model, 0.1), metrics=metrics)
    with pytest.raises(TypeError, match=r"metrics.* must be a .*function"):
        model.evaluate(x, t, loss=loss, metrics=metrics)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_loss_that_is_no_number_warns_once(backend):
    x, t = blobs()
    model, loss = network(backend), SoftmaxCrossEntropy()
    with pytest.warns(RuntimeWarning) as caught:
        history = model.fit(100 * x, t, loss=loss, optimizer=SGD(model, 1e30), epochs=4, seed=0, progress=False)
    assert len(history) == 4
    assert [str(w.message).split(",")[0] for w in caught] == ["the loss is nan since epoch 1"]
    assert caught[0].filename == __file__  # the caller's line, not one of ours


@pytest.mark.parametrize("terminal", [True, False])
def test_the_bar_shows_loss_and_metric(terminal, monkeypatch, capsys):
    """On a terminal, in 80 columns; elsewhere a line for each epoch and nothing else."""
    clock = iter(range(10**6))
    monkeypatch.setattr("tinynn.training.loop.time.perf_counter", lambda: next(clock))
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    x, t = blobs()
    model = network("numpy")
    model.fit(x, t, loss=SoftmaxCrossEntropy(), optimizer=SGD(model, 0.1), epochs=2, seed=0)
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    bars = [piece for piece in err.split("\r") if "loss" in piece]
    assert bool(bars) == bool(err) == terminal
    if terminal:
        assert "epoch 2/2 |" in bars[-1] and "/7," in bars[-1] and "/s, loss 0." in bars[-1]
        assert ", accuracy " in bars[-1] and max(map(len, bars)) < 80


def test_the_bar_shows_the_means_so_far(monkeypatch, capsys):
    """Every fifth of a second, over the rows until then; by a clock that moves 0.15 s whenever it is looked at."""
    looks, marks, values = itertools.count(), itertools.count(1), []
    monkeypatch.setattr("tinynn.training.loop.time.perf_counter", lambda: 0.15 * next(looks))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    class Record:
        def step(self, run):
            values.append(run.value)

        def __call__(self, run):
            pass

    x, t = blobs()
    model = network("numpy")
    history = model.fit(
        x, t, loss=SoftmaxCrossEntropy(), optimizer=SGD(model, 0.1), seed=0, callbacks=[Record()],
        metrics={"mark": lambda y, t: next(marks)},
    )  # fmt: skip
    bars = [piece for piece in capsys.readouterr().err.split("\r") if "loss" in piece]
    shown = [f"loss {np.mean(values[:n]):.4f}, mark {(n + 1) / 2:.4f}" for n in (2, 4, 6)]  # all of 32 rows
    assert [text for text in shown if any(text in bar for bar in bars)] == shown
    assert len({bar.partition("loss")[2].strip() for bar in bars}) == 3
    assert history["seconds"] == [pytest.approx(0.15 * (1 + 7 + 3))]  # a look a step, one for each time it was shown


def test_an_optimizer_of_ones_own_needs_a_step_alone():
    """It then goes through the epochs from 0, in the order that the seed gives; what is counted, it is given."""

    class Descent:
        def __init__(self, model):
            self.model = model

        def step(self):
            self.model.params -= np.float32(0.1) * self.model.grads

    x, t = blobs()
    runs = []
    for kind in (Descent, lambda model: SGD(model, 0.1)):
        model = network("numpy")
        optimizer = kind(model)
        history = model.fit(x, t, loss=SoftmaxCrossEntropy(), optimizer=optimizer, epochs=2, seed=3, progress=False)
        assert history.first == 0 and optimizer.epochs == 2 and optimizer.seed == 3
        runs.append(history["loss"])
    assert runs[0] == pytest.approx(runs[1], rel=1e-6)  # in the same order of rows; lr is rounded otherwise


def test_history_plots_itself():
    _, history = train("numpy", epochs=3)
    panels = history.plot()
    assert [panel.get_ylabel() for panel in panels] == ["loss", "accuracy"]
    assert list(panels[0].lines[0].get_ydata()) == history["loss"]


# --- nothing of the caller's is changed, nothing is taken for something else ------------------------------------------


def test_a_transform_may_work_in_place(any_backend):
    """Each batch that it gets is its own; the validation rows would shrink in every epoch, else."""

    def halved(x):
        x /= 2
        return x

    x, t = blobs(40)
    x_val, t_val = blobs(20, seed=1)
    kept, rows = x.copy(), []
    for transform in (halved, lambda x: x / 2):
        model = network(any_backend)
        history = model.fit(
            x, t, loss=SoftmaxCrossEntropy(), optimizer=Adam(model), epochs=3, batch_size=16, transform=transform,
            validation_data=(x_val, t_val), seed=0, progress=False,
        )  # fmt: skip
        scores = model.evaluate(x, t, loss=SoftmaxCrossEntropy(), transform=transform)
        rows.append([history["loss"], history["val_loss"], scores])
    assert rows[0] == rows[1] and np.array_equal(x, kept) and np.array_equal(x_val, blobs(20, seed=1)[0])


def test_a_metric_cannot_change_the_targets():
    def careless(y, t):
        t[...] = 0
        return 1.0

    x, t = blobs(20)
    kept, model = t.copy(), network("numpy")
    with pytest.raises(ValueError, match="read-only"):
        model.fit(x, t, loss=SoftmaxCrossEntropy(), optimizer=Adam(model), metrics={"m": careless}, progress=False)
    with pytest.raises(ValueError, match="read-only"):
        model.evaluate(x, t, loss=SoftmaxCrossEntropy(), metrics={"m": careless})
    assert np.array_equal(t, kept)


@pytest.mark.parametrize("value", [None, "0.1", True, np.ones(3), np.ones(1), [0.5], 1j])
def test_a_metric_gives_a_number(value):
    x, t = blobs(20)
    model, loss = network("numpy"), SoftmaxCrossEntropy()
    with pytest.raises(TypeError, match=r"what metrics\['m'\] gives must be a number, not "):
        model.fit(x, t, loss=loss, optimizer=Adam(model), metrics={"m": lambda y, t: value}, progress=False)
    with pytest.raises(TypeError, match=r"what metrics\['m'\] gives must be a number, not "):
        model.evaluate(x, t, loss=loss, metrics={"m": lambda y, t: value})


@pytest.mark.parametrize("value", [2, np.float32(2), np.int8(2), np.array(2.0)])
def test_numbers_of_all_kinds_are_numbers(value):
    x, t = blobs(20)
    model, loss = network("numpy"), SoftmaxCrossEntropy()
    history = model.fit(x, t, loss=loss, optimizer=Adam(model), metrics={"m": lambda y, t: value}, progress=False)
    assert history["m"] == [2.0] and type(history["m"][0]) is float


def test_a_history_takes_rows_of_the_same_names():
    history = History()
    history.append({"loss": 1, "a": np.float32(0.5)})
    history.append({"a": 0.25, "loss": 2})
    assert history.to_dict() == {"loss": [1.0, 2.0], "a": [0.5, 0.25]}
    for row, error, text in (
        ({}, TypeError, "row must be a dict name -> number, not {}"),
        ({"loss": 1.0}, ValueError, "row must have the names of the rows before, loss, a, not loss"),
        ({"loss": 1.0, "b": 1.0}, ValueError, "row must have the names of the rows before, loss, a, not loss, b"),
        ({"loss": True, "a": 1.0}, TypeError, r"row\['loss'\] must be a number, not True"),
        ({"loss": None, "a": 1.0}, TypeError, r"row\['loss'\] must be a number, not None"),
        ([("loss", 1.0)], TypeError, "row must be a dict"),
    ):
        with pytest.raises(error, match=f"History: {text}"):
            history.append(row)
    assert len(history) == 2


@pytest.mark.parametrize("scale", [1e-300, 1e-50, 3e38, 1e300])
def test_only_the_ratios_of_weights_count(cpu, scale):
    """By a power of two, to the last bit; what float32 cannot hold is no reason to refuse."""
    x, t = blobs(40)
    weight = np.random.default_rng(0).integers(0, 4, 40).astype(float)
    runs = []
    for by in (1.0, 2.0 ** round(math.log2(scale))):
        model = network(cpu)
        history = model.fit(
            x, t, loss=SoftmaxCrossEntropy(), optimizer=Adam(model), sample_weight=weight * by,
            class_weight={0: by, 1: by, 2: by}, seed=0, progress=False,
        )  # fmt: skip
        runs.append([history["loss"], model.params.tobytes()])
    assert runs[0] == runs[1]


def test_the_weighted_loss_of_an_epoch_is_added_up_in_double_precision(cpu):
    """The mean over the rows by the weights, of a model that stands still, against the fractions."""
    x, t = blobs(1000)
    weight = np.random.default_rng(0).random(1000).astype("float32") ** 8
    model, loss = network(cpu), SoftmaxCrossEntropy()
    history = model.fit(
        x, t, loss=loss, optimizer=SGD(model, 0.0), batch_size=1, sample_weight=weight, seed=0, progress=False
    )
    one = np.ones(1, "float32")
    single = np.array([loss.forward(model(x[n : n + 1]), t[n : n + 1], one) for n in range(1000)])
    exact = math.fsum(weight.astype(float) * single) / math.fsum(weight.astype(float))
    assert history["loss"][0] == pytest.approx(exact, rel=1e-12)


def test_one_score_a_row_is_no_choice():
    x, t = blobs(20)
    model = Sequential(Affine(2, 1), seed=0)
    before = model.params.copy()
    arguments = {"loss": SoftmaxCrossEntropy(), "optimizer": Adam(model), "progress": False}
    with pytest.raises(ValueError, match="model must give two scores a row or more to SoftmaxCrossEntropy"):
        model.fit(x, t * 0, **arguments)
    assert np.array_equal(model.params, before)


def test_nan_in_x_is_named_first():
    x, t = blobs(40)
    x[7, 1] = np.nan
    model, loss = network("numpy"), SoftmaxCrossEntropy()
    options = {"loss": loss, "seed": 0, "progress": False}
    with pytest.warns(
        RuntimeWarning, match=r"the loss is nan since epoch 1, x holds NaN \(the first in row 7\): no lear"
    ):
        model.fit(x, t, optimizer=SGD(model, 0.1), **options)
    model, clean = network("numpy"), np.nan_to_num(x)
    with pytest.warns(RuntimeWarning, match="the val_loss is nan since epoch 1, validation x holds NaN"):
        model.fit(clean, t, optimizer=SGD(model, 0.1), validation_data=(x, t), **options)
    x[7, 1] = np.inf
    model = network("numpy")
    with pytest.warns(RuntimeWarning, match=r"x holds infinity \(the first in row 7\)"):
        model.fit(x, t, optimizer=SGD(model, 0.1), **options)
    weight, model = np.ones(40), network("numpy")
    weight[3], x[3] = 0, np.nan
    with pytest.warns(RuntimeWarning, match=r"x holds infinity \(the first in row 7\)"):  # of those that count
        model.fit(x, t, optimizer=SGD(model, 0.1), sample_weight=weight, **options)
    weight[7], model = 0, network("numpy")
    model.fit(x, t, optimizer=SGD(model, 0.1), sample_weight=weight, **options)


def test_a_split_that_leaves_no_row_of_a_class():
    x, t = blobs(30)
    order = np.argsort(t, kind="stable")
    model, options = network("numpy"), {"loss": SoftmaxCrossEntropy(), "seed": 0, "progress": False}
    last = (t == 2).mean() + 0.01
    for targets in (t, np.eye(3, dtype="f4")[t]):
        with pytest.warns(UserWarning, match=r"split=0\.\d+ leaves no row of class 2 to train with.* Shuffle") as told:
            model.fit(x[order], targets[order], optimizer=Adam(model), validation_split=last, **options)
        assert told[0].filename == __file__
    model.fit(x, t, optimizer=Adam(model), validation_split=last, **options)


@pytest.mark.parametrize("activation", [ReLU, Sigmoid, Tanh])
@pytest.mark.parametrize("scale", [1e-40, 1e4, 3e38])
def test_floating_point_errors_are_not_raised_inside(cpu, activation, scale):
    """A program may have told NumPy to raise; what leaves the numbers in a training ends as one warning all the same."""
    x, t = blobs(40)
    x = (x.astype(float) * scale).clip(-3e38, 3e38).astype("float32")
    for loss, targets, width in (
        (SoftmaxCrossEntropy(), t, 3), (MSE(), x, 2), (GaussianNLL(), x, 4), (GaussianNLL(variance=0.5), x, 2),
    ):  # fmt: skip
        runs = []
        for errors in ("warn", "raise"):
            model = Sequential(Affine(2, 5), activation(), Affine(5, width), backend=cpu, seed=0)
            options = {"loss": loss, "optimizer": Adam(model, clip_norm=1.0), "callbacks": [Watch(), EarlyStopping(2)]}
            with np.errstate(all=errors), warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                history = model.fit(
                    x, targets, validation_data=(x, targets), batch_size=16, epochs=2, seed=0, progress=False, **options
                )
                scores = model.evaluate(x, targets, loss=loss)
            told = [str(warning.message) for warning in said]
            assert len(told) <= 1 and all(text.startswith("the loss is") for text in told)
            with np.errstate(all=errors), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                y = model.predict(x)
            runs.append([str(history.to_dict() | {"seconds": 0}), str(scores), y.tobytes(), told])
        assert runs[0] == runs[1]


def test_without_a_console(monkeypatch):
    """Windowed Python has neither standard output nor standard error."""
    monkeypatch.setattr("sys.stdout", None)
    monkeypatch.setattr("sys.stderr", None)
    x, t = blobs(20)
    model = network("numpy")
    history = model.fit(x, t, loss=SoftmaxCrossEntropy(), optimizer=Adam(model), epochs=2, seed=0)
    assert len(history) == 2


def test_what_is_printed_is_the_history(capsys):
    """Line by line, with the epochs' numbers, in a second fit too, and the reason for the end."""
    x, t = blobs(40)
    model = network("numpy")
    optimizer = Adam(model)
    for epochs in (2, 3):
        history = model.fit(
            x, t, loss=SoftmaxCrossEntropy(), optimizer=optimizer, epochs=epochs, validation_split=0.25, seed=0,
            callbacks=[lambda run: run.stop("enough") if run.epoch == 4 else None],
        )  # fmt: skip
        printed = capsys.readouterr().out.splitlines()
        assert printed == repr(history).splitlines()
        first = 1 if epochs == 2 else 3
        assert [line.split()[0] for line in printed[1:3]] == [str(first), str(first + 1)]
        for line, row in zip(printed[1:], history.rows):
            loss, accuracy = float(line.split()[1]), float(line.split()[2]) / 100
            assert loss == pytest.approx(row["loss"], abs=5.1e-5) and accuracy == pytest.approx(
                row["accuracy"], abs=5.1e-5
            )
    assert printed[-1] == "stopped: enough"


def test_a_row_in_print():
    """In columns of 11 characters or more; four digits after the point, unless they would say nothing."""
    history = History(8)
    for loss, r2 in ((1e-3, 0.0), (9.994e-4, -5e-4), (99_999.0, -1.5), (1e5, math.nan), (1.0, math.inf)):
        history.append({"loss": loss, "a_long_name_r2": r2, "accuracy": 0.98765, "seconds": 12.34})
    assert repr(history).splitlines() == [
        "epoch       loss   a_long_name_r2   accuracy    seconds",
        "    9     0.0010           0.0000    98.77 %       12.3",
        "   10   0.000999          -0.0005    98.77 %       12.3",
        "   11 99999.0000          -1.5000    98.77 %       12.3",
        "   12      1e+05              nan    98.77 %       12.3",
        "   13     1.0000              inf    98.77 %       12.3",
    ]
    assert repr(History()) == "epoch" and len(History()) == 0 and History().keys() == []


def test_weights_that_the_models_floats_cannot_hold_are_0():
    """float32's least number of full precision counts, what is less does not."""
    least = float(np.finfo("float32").tiny)
    kept = demands.to_train_with(np.array([0.5, least, math.nextafter(least, 0), 0]), np.dtype("float32"))
    assert kept.dtype == np.float32 and kept.tolist() == [0.5, least, 0, 0]


def test_a_notebook_shows_the_table_once(monkeypatch, capsys):
    shell = types.SimpleNamespace(execution_count=3)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    model = Sequential(Affine(3, 2), seed=0, backend="numpy")
    options = {"loss": MSE(), "optimizer": SGD(model, 0.1), "seed": 0}
    history = model.fit(np.ones((4, 3), "float32"), np.ones((4, 2), "float32"), **options)
    printed = capsys.readouterr().out
    history._ipython_display_()
    assert capsys.readouterr().out == ""
    shell.execution_count = 4  # in another cell it is asked for
    history._ipython_display_()
    assert capsys.readouterr().out == printed
