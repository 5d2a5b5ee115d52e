"""Watch: its figures by hand, and faults planted at every place of a step, each named as what it is."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from conftest import posing_as_cupy
from test_diagnose import Own, Scale

from tinynn import (
    MSE,
    SGD,
    Adam,
    Affine,
    Layer,
    Loss,
    Model,
    ReLU,
    Residual,
    Sequential,
    Sigmoid,
    SoftmaxCrossEntropy,
    Tanh,
)
from tinynn.diagnosis.watch import Watch

ROWS, BATCH = 120, 10


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 3)).astype("float32")
    return x, (x @ rng.normal(size=(3, 2))).astype("float32")


def network(*middle, **options):
    layers = middle or (ReLU(),)
    return Sequential(Affine(3, 5), *layers, Affine(5, 2), backend="numpy", seed=0, **options)


def train(model, watch=None, x=None, t=None, optimizer=None, loss=None, epochs=1, batch_size=BATCH, callbacks=()):
    """Train and give the watch and the history; without shuffling, as far as seeds go: always the same order."""
    watch = watch or Watch()
    x, t = data()[0] if x is None else x, data()[1] if t is None else t
    history = model.fit(
        x, t, loss=loss or MSE(), optimizer=optimizer or SGD(model, 0.01), epochs=epochs, batch_size=batch_size,
        callbacks=[watch, *callbacks], seed=0, progress=False,
    )  # fmt: skip
    return watch, history


# --- the figures -----------------------------------------------------------------------------------------------------


def test_the_figures_by_hand():
    """Two steps over all rows, by hand: what comes out of the layers, the last gradient, what the last step changes."""
    x, t = data()
    model, other, loss = network(), network(), MSE()
    for _ in range(2):
        loss.forward(other.forward(x), t)
        other.backward(loss.backward())
        before = other.params.copy()
        other.params -= np.float32(0.01) * other.grads
    watch, _ = train(model, batch_size=ROWS, epochs=2)
    for row, layer in zip(watch.rows[3:], other):  # rows in another order have sums that differ in the last digits
        assert (row["epoch"], row["layer"], row["name"]) == (2, layer.place, repr(layer))
        assert (row["mean"], row["std"]) == pytest.approx((layer.y.mean(), layer.y.std()), rel=1e-4)
    first, relu, last = watch.rows[3:]
    assert relu["dead"] == np.mean([(other[1].y[:, unit] == 0).all() for unit in range(5)])
    for row, numbers in ((first, slice(0, 20)), (last, slice(20, 32))):
        gradient, size = math.hypot(*other.grads[numbers]), math.hypot(*before[numbers])
        assert row["gradient"] == pytest.approx(gradient, rel=1e-4)
        assert row["update"] == pytest.approx(0.01 * gradient / size, rel=1e-3)
        assert math.isnan(row["dead"]) and math.isnan(row["saturated"])
    assert math.isnan(relu["gradient"]) and math.isnan(relu["update"]) and math.isnan(relu["saturated"])


@pytest.mark.parametrize("activation", [Sigmoid, Tanh])
def test_the_share_that_is_saturated(activation):
    """The slope, by a difference, is below a twentieth of that at 0."""
    model = network(activation())
    model[0].W *= 4
    y = model(data()[0])
    before = model[0](data()[0]).astype(float)
    f = (lambda x: 1 / (1 + np.exp(-x))) if activation is Sigmoid else np.tanh
    slope = (f(before + 1e-4) - f(before - 1e-4)) / 2e-4
    watch, _ = train(model, optimizer=SGD(model, 0.0), batch_size=ROWS)
    share = watch.rows[1]["saturated"]
    assert 0 < share < 1 and share == pytest.approx((slope < 0.05 * (f(1e-4) - f(-1e-4)) / 2e-4).mean())
    assert y.shape == (ROWS, 2)


def test_columns_table_and_every():
    watch, _ = train(network(), Watch(every=2), epochs=5)
    table = watch.to_dict()
    assert table["epoch"] == [2] * 3 + [4] * 3 and table["layer"] == [1, 2, 3] * 2
    assert list(table) == list(watch.rows[0]) and table["std"] == [row["std"] for row in watch.rows]
    lines = repr(watch).splitlines()
    assert "epoch 4" in lines[0] and len(lines) == 4 and "ReLU()" in lines[2]
    assert repr(Watch(every=2)) == "Watch(every=2): no epochs"
    with pytest.raises(ValueError, match="Watch: every must be a whole number, 1 or more, not 0"):
        Watch(every=0)
    single = Sequential(Affine(3, 2), backend="numpy", seed=0)
    watch, _ = train(single, epochs=2)
    lines = repr(watch).splitlines()
    assert lines[0].startswith("epoch 2, layer ") and len(lines) == 2 and lines[1].startswith("  1  Affine(3, 2) ")


def test_the_table_fits():
    class Named(Tanh):
        def __repr__(self):
            return "N" * 200

    rng = np.random.default_rng(0)
    model = Sequential(Affine(784, 256), ReLU(), *(Named() for _ in range(12)), Affine(256, 10), seed=0)
    x, t = rng.random((20, 784), "float32"), np.arange(20) % 10
    watch, _ = train(model, x=x * 1e3, t=t, loss=SoftmaxCrossEntropy(), optimizer=Adam(model, 1e-9))
    lines = repr(watch).splitlines()
    assert max(map(len, lines)) <= 100 and len(lines) == 16
    watch.rows[2]["name"], watch.rows[3]["name"] = "N" * 33, "N" * 34  # as long as there is room for, and longer
    assert [line[:38] for line in repr(watch).splitlines()[3:5]] == ["  3  " + "N" * 33, "  4  " + "N" * 30 + "..."]
    assert lines[3][:48] == "  3  " + "N" * 30 + "..." + f"{watch.rows[2]['mean']:>10.3g}"


def test_a_second_fit_starts_anew():
    model, watch = network(), Watch()
    optimizer = SGD(model, 0.01)
    train(model, watch, optimizer=optimizer, epochs=2)
    train(model, watch, optimizer=optimizer, epochs=1)
    assert watch.to_dict()["epoch"] == [3, 3, 3]


@pytest.mark.parametrize("make", [SGD, Adam])
def test_it_changes_nothing(make):
    models = network(), network()
    for model, callbacks in zip(models, ([Watch()], [])):
        model.fit(
            *data(), loss=MSE(), optimizer=make(model, 0.01), epochs=3, batch_size=7, callbacks=callbacks, seed=0,
            progress=False,
        )  # fmt: skip
    assert np.array_equal(models[0].params, models[1].params)


def test_plot():
    watch, _ = train(network(Sigmoid(), Scale(5)), epochs=3)
    panels = watch.plot()
    assert [len(panel.lines) for panel in panels] == [4, 1, 3, 3]
    assert [panel.get_yscale() for panel in panels] == ["linear", "linear", "log", "log"]
    update = [row["update"] for row in watch.rows if row["layer"] == 1]
    assert list(panels[3].lines[0].get_xdata()) == [1, 2, 3] and list(panels[3].lines[0].get_ydata()) == update
    figure = panels[0].figure
    assert tuple(figure.get_size_inches()) == (7.2, 5.6)
    assert [panel.get_subplotspec().get_geometry() for panel in panels] == [(2, 2, n, n) for n in range(4)]
    figure.canvas.draw()
    assert [panel.get_title() or panel.get_ylabel() for panel in panels] == [
        "standard deviation of y", "share dead or saturated", "|gradient|", "|change| / |parameters|",
    ]  # fmt: skip
    assert all(panel.get_xlabel() == "epoch" for panel in panels) and panels[1].get_ylim() == (0, 1)
    assert all((panel.xaxis.get_major_locator()() % 1 == 0).all() for panel in panels)  # no half epochs
    names = ["1 Affine(3, 5)", "2 Sigmoid()", "3 Scale()", "4 Affine(5, 2)"]
    (legend,) = figure.legends  # one for all, in three columns
    assert legend._ncols == 3 and {line.get_markersize() for line in panels[0].lines} == {4}
    assert [text.get_text() for text in legend.get_texts()] == names and panels[0].get_legend() is None
    from matplotlib.figure import Figure

    own = Figure().subplots(2, 2)
    assert watch.plot(own)[2] is own[1, 0]
    assert not own[0, 0].figure.legends and len(own[0, 0].get_legend().get_texts()) == 4
    with pytest.raises(ValueError, match="axes must be 4"):
        watch.plot(own[0])
    with pytest.raises(ValueError, match="Watch: there must be an epoch to draw, not none"):
        Watch().plot()


def test_many_layers_are_told_apart():
    """By colour, by mark and by line; and one layer of one epoch is a picture, too."""
    watch, _ = train(network(*(Tanh() for _ in range(12))))
    lines = watch.plot()[0].lines
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == len(lines) == 14
    assert all(line.get_marker() not in ("", "None") for line in lines)
    watch, _ = train(network(*(Tanh() for _ in range(20))))
    names = watch.plot()[0].figure.legends[0]  # short names in five columns, and the picture is higher by them
    assert names._ncols == 5 and [text.get_text() for text in names.get_texts()][:2] == ["1 Affine", "2 Tanh"]
    assert names.figure.get_size_inches()[1] == pytest.approx(2 * (2.8 + 0.09 * 5))


# --- planted faults --------------------------------------------------------------------------------------------------

STEP = 5


class Faulty(Layer):
    """y = x, dx = dy; in step 5, what is to be planted."""

    def __init__(self, y=None, dx=None):
        self.plant, self.count = {"y": y, "dx": dx}, 0

    def forward(self, x):
        self.count += 1
        return self.spoil("y", x)

    def backward(self, dy):
        return self.spoil("dx", dy)

    def spoil(self, name, a):
        a = a.copy()
        if self.count == STEP and self.plant[name] is not None:
            a[3, 1] = self.plant[name]
        return a

    def __call__(self, x):
        return x


class FaultyParameter(Scale):
    """Its gradient is NaN in step 5."""

    count = 0

    def forward(self, x):
        self.count += 1
        return x * self.g

    def backward(self, dy):
        self.dg = (dy * self.x).sum(axis=0) if self.count < STEP else np.full(5, np.nan, dy.dtype)
        return dy * self.g


class FaultyLoss(Loss):
    """Half the squared distance; its value or its gradient is NaN in step 5."""

    def __init__(self, where):
        super().__init__()
        self.where, self.count = where, 0

    def compute(self, y, t):
        value, dy = float(((y - t) ** 2).sum()) / 2, y - t
        self.count += len(y) == BATCH  # fit looks at a row first
        if self.count == STEP:
            value, dy = (math.nan, dy) if self.where == "value" else (value, dy * np.float32("nan"))
        return value, dy


class FaultyStep(SGD):
    """Makes a weight infinite in step 5."""

    count = 0

    def step(self):
        super().step()
        self.count += 1
        if self.count == STEP:
            self.model[2].W[1, 1] = np.inf


def spoiled_row():
    """x with a NaN in a row of the fifth batch, and that row's place in the batch."""
    order = np.random.default_rng([0, 0]).permutation(ROWS)  # as `fit` draws it: seed 0, epoch 0
    x = data()[0].copy()
    x[order[4 * BATCH + 6], 2] = np.nan
    return x


def reason(model, **options):
    """Why the training ended, up to the advice; the hooks are gone, and no epoch is there."""
    watch, history = train(model, epochs=3, **options)
    assert len(history) == 0 and history.stopped.endswith("looks for the cause")
    assert "EarlyStopping" in history.stopped
    assert not any("backward" in vars(layer) for layer in watch.layers)
    return history.stopped.partition(". EarlyStopping")[0]


def test_nan_in_x():
    x = spoiled_row()
    text = reason(network(), x=x)
    assert text.startswith("NaN in step 5: x, 1 of 30 numbers, the first in row 6 of the batch; in step 4 it lay in ")
    order = np.random.default_rng([0, 0]).permutation(ROWS)
    batch = x[order[3 * BATCH : 4 * BATCH]]
    assert text.endswith(f"it lay in {batch.min():.4g} .. {batch.max():.4g}")


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_a_layer_gives_nan(value, word):
    model, seen = network(ReLU(), Faulty(y=value)), []

    class Spy:
        def step(self, run):
            seen.append((model[2].y.min(), model[2].y.max()))

        def __call__(self, run):
            pass

    text = reason(model, callbacks=[Spy()])
    low, high = seen[3]
    where = "y of layer 3, Faulty(), 1 of 50 numbers, the first in row 3 of the batch"
    assert text == f"{word} in step 5: {where}; in step 4 it lay in {low:.4g} .. {high:.4g}"


def test_what_reaches_nothing_is_not_seen():
    """tanh(inf) is 1, with the slope 0: loss, gradients and parameters stay finite, and the training goes on."""
    _, history = train(network(Faulty(y=np.inf), Tanh()))
    assert history.stopped is None and np.isfinite(history["loss"]).all()


def test_nan_on_the_way_back():
    text = reason(network(ReLU(), Faulty(dx=np.nan), Tanh()))
    assert text == "NaN in step 5: dx of layer 3, Faulty(), 1 of 50 numbers, the first in row 3 of the batch"


def test_nan_on_the_way_back_with_clipping():
    """Clipping spreads a NaN over all gradients, and the step over all parameters: the cause is still named."""
    model = network(ReLU(), Faulty(dx=np.inf), Tanh())
    text = reason(model, optimizer=SGD(model, 0.01, clip_norm=1.0))
    assert text.startswith("infinity in step 5: dx of layer 3, Faulty(), 1 of 50 numbers")


def test_nan_in_the_gradient_of_a_parameter():
    model = network(ReLU(), FaultyParameter(5))
    first = []

    class Spy:
        def step(self, run):
            first.append(model[2].dg.copy())

        def __call__(self, run):
            pass

    text = reason(model, callbacks=[Spy()])
    low, high = first[0].min(), first[0].max()
    assert (
        text
        == f"NaN in step 5: dg of layer 3, FaultyParameter(), 5 of 5 numbers; in step 1 it lay in {low:.4g} .. {high:.4g}"
    )


def test_the_parameter_is_named_though_clipping_spreads_its_nan():
    model = network(ReLU(), FaultyParameter(5))
    text = reason(model, optimizer=SGD(model, 0.01, clip_norm=1.0))
    assert text.startswith("NaN in step 5: dg of layer 3, FaultyParameter(), 5 of 5 numbers")


def test_a_gradient_is_compared_with_one_of_the_last_ten_steps(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "STEP", 20)
    assert "dg of layer 3, FaultyParameter(), 5 of 5 numbers; in step 11 " in reason(
        network(ReLU(), FaultyParameter(5)), batch_size=4
    )


def test_a_step_that_spoils_all_parameters():
    """The first is named: the gradients were right."""

    class Spoils(FaultyStep):
        def step(self):
            super().step()
            self.model.params *= np.float32(np.inf if self.count == STEP else 1)

    model = network()
    assert reason(model, optimizer=Spoils(model, 0.01)).startswith(
        "infinity in step 5: W of layer 1, Affine(3, 5), 15 of"
    )


def test_a_gradient_that_the_optimizer_spoils():
    class Spoils(FaultyStep):
        def step(self):
            SGD.step(self)
            self.count += 1
            self.model.grads[...] *= np.float32(np.inf if self.count == STEP else 1)

    model = network()
    text = reason(model, optimizer=Spoils(model, 0.01))
    assert " in step 5: dW of layer 1, Affine(3, 5), " in text


def test_a_loss_that_is_nan():
    assert reason(network(), loss=FaultyLoss("value")).startswith("NaN in step 5: the loss; in step 4 it lay in ")


def test_the_gradient_of_the_loss_is_nan():
    text = reason(network(), loss=FaultyLoss("dy"))
    assert text.startswith(
        "NaN in step 5: dy of the loss, 20 of 20 numbers, the first in row 0 of the batch; in step 4"
    )


def test_a_parameter_that_the_step_makes_infinite():
    model = network()
    kept = []

    class Spy:
        def step(self, run):
            kept.append((model[2].W.min(), model[2].W.max()))

        def __call__(self, run):
            pass

    text = reason(model, optimizer=FaultyStep(model, 0.01), callbacks=[Spy()])
    low, high = kept[3]
    assert (
        text
        == f"infinity in step 5: W of layer 3, Affine(5, 2), 1 of 10 numbers; in step 4 it lay in {low:.4g} .. {high:.4g}"
    )


@pytest.mark.parametrize("lr", [1e5, 1e38])
def test_a_rate_that_explodes(lr):
    """Against an oracle: the same steps by hand, each tensor looked at where it comes into being."""
    model, other = network(), network()
    text = reason(model, optimizer=SGD(model, lr))
    loss, order = MSE(), np.random.default_rng([0, 0]).permutation(ROWS)
    x, t = data()
    with np.errstate(all="ignore"):
        found = by_hand(other, loss, lr, x[order], t[order])
    assert text.startswith(found), text


def by_hand(model, loss, lr, x, t):
    """The beginning of what Watch should say."""
    for step in range(1, 1 + ROWS // BATCH):
        rows, tensors = slice((step - 1) * BATCH, step * BATCH), []
        y = x[rows]
        for layer in model:
            y = layer.forward(y)
            tensors.append((f"y of {layer.where}", y))
        tensors.append(("the loss", np.array(loss.forward(y, t[rows]))))
        dy = loss.backward()
        tensors.append(("dy of the loss", dy))
        for layer in reversed(model.layers):
            dy = layer.backward(dy)
            tensors += [(f"d{name} of {layer.where}", layer.arrays["d" + name].copy()) for name in layer.parameters]
            tensors += [] if dy is None else [(f"dx of {layer.where}", dy)]
        model.params -= np.float32(lr) * model.grads
        tensors += [(f"{name} of {layer.where}", layer.arrays[name]) for layer in model for name in layer.parameters]
        for name, a in tensors:
            if not np.isfinite(a).all():
                return f"{'NaN' if np.isnan(a).any() else 'infinity'} in step {step}: {name}"
    raise AssertionError("all is finite")


def test_the_model_is_left_as_the_step_left_it():
    """To find the place, the way back is gone once more with the old parameters: none of that stays."""
    after = []

    class Before:
        def step(self, run):
            after.append((run.model.params.copy(), run.model.grads.copy()))

        def __call__(self, run):
            pass

    model = network(ReLU(), Faulty(dx=np.nan))
    watch, loss = Watch(), MSE()
    history = model.fit(
        *data(),
        loss=loss,
        optimizer=SGD(model, 0.01, clip_norm=1.0),
        batch_size=BATCH,
        callbacks=[Before(), watch],
        progress=False,
    )
    assert history.stopped and len(after) == 5 and np.isnan(after[-1][0]).any()
    assert np.array_equal(model.params, after[-1][0], equal_nan=True)
    assert np.array_equal(model.grads, after[-1][1], equal_nan=True)
    assert np.array_equal(watch.params, after[-2][0])  # what was finite is at hand


def test_a_product_that_is_only_too_large_stops_nothing():
    """1e25 times 1e25 is no float32, but all numbers are finite."""
    model = Sequential(Affine(3, 1), backend="numpy", seed=0)
    x, t = data()

    class Large(MSE):
        def compute(self, y, t):
            return 1.0, np.full_like(y, 1e25)

    model.params[:] = 1e20
    _, history = train(model, x=x, t=t[:, :1], loss=Large(), optimizer=SGD(model, 0.0))
    assert history.stopped is None and len(history) == 1


def test_a_fault_in_the_first_step():
    x = data()[0] * np.float32("nan")
    assert reason(network(), x=x) == "NaN in step 1: x, 30 of 30 numbers, the first in row 0 of the batch"


def test_a_model_class_of_ones_own():
    model = Own(3, 5, 2)
    x, t = data()
    watch = Watch()
    from tinynn import fit

    options = {"loss": MSE(), "callbacks": [watch], "progress": False, "seed": 0, "batch_size": BATCH}
    fit(model, x, t, optimizer=SGD(model, 0.01), validation_split=0.5, **options)
    assert watch.to_dict()["name"] == ["Affine(3, 5)", "ReLU()", "Scale()", "Affine(5, 2)"]
    history = fit(model, spoiled_row(), t, optimizer=SGD(model, 0.01), **options)
    assert history.stopped.startswith("NaN in step 5: x, 1 of 30 numbers")


@pytest.mark.parametrize("where", ["y", "dx"])
def test_within_a_block_the_layer_itself_is_named(where):
    """Not the block, whose y is not finite either."""
    model = network(Residual(Affine(5, 5), Sequential(Faulty(**{where: np.nan}), Affine(5, 5))))
    assert f"{where} of layer 2.2.1, Faulty(), 1 of 50 numbers, the first in row 3" in reason(model)


class Mixed(Model):
    """A model with a parameter of its own, a layer that it does not use, and a block; the vectors are in that order."""

    parameters = ("k",)

    def __init__(self):
        self.k = np.array([2.0])
        self.spare = Affine(2, 2)
        self.block, self.out = Residual(Affine(3, 3)), Affine(3, 2)
        self.assemble(seed=0, backend="numpy")

    def forward(self, x):
        self.h = self.block.forward(x)
        return self.out.forward(self.h * self.k)

    def backward(self, dy):
        dh = self.out.backward(dy)
        self.dk = np.array([(dh * self.h).sum()])
        self.spare.dW[...], self.spare.db[...] = 0, 0
        return self.block.backward(dh * self.k)


def test_figures_belong_to_their_layers_whatever_else_the_model_holds():
    model = Mixed()
    watch, _ = train(model, optimizer=SGD(model, 0.01))
    assert [row["layer"] for row in watch.rows] == ["block", "block.1", "out"]
    for row, layer in zip(watch.rows[1:], (model.block.layers[0], model.out)):
        length = np.sqrt((layer.dW**2).sum() + (layer.db**2).sum())
        assert row["gradient"] == pytest.approx(length, rel=1e-5)
    assert math.isnan(watch.rows[0]["gradient"])


def test_on_the_gpu():
    with posing_as_cupy():
        model = Sequential(Affine(3, 5), Tanh(), Affine(5, 2), backend="cupy", seed=0)
        watch, _ = train(model)
        assert [row["layer"] for row in watch.rows] == [1, 2, 3] and type(watch.rows[0]["mean"]) is float
        text = train(model, x=spoiled_row())[1].stopped
        assert text.startswith("NaN in step 5: x, 1 of 30 numbers, the first in row 6 of the batch; in step 4")
