"""Callbacks: stopping early with the best parameters, schedules of the learning rate, functions, Ctrl-C."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from conftest import LIMIT, STRICT
from test_training import blobs, network

from tinynn import (
    SGD,
    Adam,
    Affine,
    Checkpoint,
    EarlyStopping,
    History,
    Layer,
    LearningRate,
    Sequential,
    SoftmaxCrossEntropy,
)
from tinynn.training.callbacks import OneCycle, Run, constant, cosine, exponential, steps, warm_up
from tinynn.training.snapshot import Snapshot


def train(callbacks, epochs=6, model=None, lr=1e-2, **options):
    x, t = blobs()
    model = model or network("numpy")
    optimizer = options.pop("optimizer", None) or SGD(model, lr)
    options = {"validation_data": blobs(60, seed=1), "seed": 0, "progress": False, **options}
    history = model.fit(
        x, t, loss=SoftmaxCrossEntropy(), optimizer=optimizer, epochs=epochs, callbacks=callbacks, **options
    )
    return model, history


def test_a_function_sees_the_run():
    seen = []
    _, history = train([lambda run: seen.append((run.epoch, run.history["loss"][-1], run.optimizer.lr))], epochs=3)
    assert seen == [(epoch + 1, value, 1e-2) for epoch, value in enumerate(history["loss"])]
    assert history.stopped is None


def test_a_function_stops_the_training(capsys):
    _, history = train([lambda run: run.stop("enough") if run.epoch == 2 else None], progress=True)
    assert len(history) == 2 and history.stopped == "enough"
    assert capsys.readouterr().out.splitlines()[-1] == "stopped: enough"


def test_early_stopping_gives_the_best_parameters_back(any_backend):
    """A rate that grows without bound: the loss gets better, then worse; what comes back is the best epoch's."""
    kept = {}

    def keep(run):
        kept[run.epoch] = run.model.ops.to_numpy(run.model.params).copy()

    rising = LearningRate(lambda epoch: 0.01 * 6**epoch)
    with np.errstate(all="ignore"):
        model, history = train([EarlyStopping(patience=2), keep, rising], 20, network(any_backend))
    best = int(np.argmin(history["val_loss"])) + 1
    assert len(history) == best + 2 < 20
    assert history.stopped == f"val_loss has not got better since epoch {best}"
    assert np.array_equal(model.ops.to_numpy(model.params), kept[best])


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_the_best_parameters_come_back_whatever_ends_the_training(error):
    kept = []

    def worse(run):
        kept.append(run.model.params.copy())
        run.model.params[...] = 100  # from the next epoch on, all is worse
        if run.epoch == 2:
            raise error

    model = network("numpy")
    if error is RuntimeError:
        with pytest.raises(RuntimeError):
            train([EarlyStopping(patience=5), worse], model=model)
    else:
        _, history = train([EarlyStopping(patience=5), worse], model=model)
        assert history.stopped == "Ctrl-C" and len(history) == 2
    assert np.array_equal(model.params, kept[0])


def test_early_stopping_watches_what_it_is_told():
    _, history = train([EarlyStopping(patience=1, monitor="val_accuracy", min_delta=2.0)])
    assert len(history) == 2  # no accuracy rises by 2
    _, history = train([EarlyStopping(patience=1, min_delta=1e9)], validation_data=None)
    assert len(history) == 2 and "loss has not" in history.stopped
    with pytest.raises(ValueError, match="monitor must be one of loss, accuracy, .*, not 'f1'"):
        train([EarlyStopping(patience=1, monitor="f1")])


def test_schedules():
    rates = [[round(schedule(epoch), 6) for epoch in range(6)] for schedule in (
        constant(1), steps(1, 2), exponential(1, 0.5), cosine(1, 4, 0.2), warm_up(constant(1), 3)
    )]  # fmt: skip
    assert rates == [
        [1, 1, 1, 1, 1, 1],
        [1, 1, 0.1, 0.1, 0.01, 0.01],
        [1, 0.5, 0.25, 0.125, 0.0625, 0.03125],
        [1, round(0.6 + 0.4 * math.sqrt(0.5), 6), 0.6, round(0.6 - 0.4 * math.sqrt(0.5), 6), 0.2, 0.2],
        [0.25, 0.5, 0.75, 1, 1, 1],
    ]


def test_a_cosine_ends_at_0_or_at_its_least():
    assert cosine(0.5, 1)(1) == cosine(0.5, 1)(9) == cosine(0.5, 8)(8) == 0 and cosine(0.5, 8)(4) == 0.25
    assert cosine(0.1, 3, 0.2)(3) == 0.2 and cosine(0.1, 3, 0.2)(0) == pytest.approx(0.1)  # upwards, too


def test_a_schedule_goes_on_in_a_second_fit():
    used = []

    def spy(run):
        used.append(run.optimizer.lr)

    model = network("numpy")
    optimizer = Adam(model)
    for epochs in (2, 3):
        train([spy, LearningRate(exponential(1e-2, 0.5))], epochs, model, optimizer=optimizer)
    assert used == [1e-2 * 0.5**epoch for epoch in range(5)]


def test_validation_split_takes_the_last_rows():
    x, t = blobs()
    whole, split = network("numpy"), network("numpy")
    loss = SoftmaxCrossEntropy()
    options = {"loss": loss, "epochs": 2, "seed": 0, "progress": False}
    a = whole.fit(x[:150], t[:150], optimizer=Adam(whole), validation_data=(x[150:], t[150:]), **options)
    b = split.fit(x, t, optimizer=Adam(split), validation_split=0.25, **options)
    assert a["val_loss"] == b["val_loss"] and np.array_equal(whole.params, split.params)
    for wrong, message in ((1.0, "in \\[0, 1\\)"), (0.001, "leave rows on both sides")):
        with pytest.raises(ValueError, match=message):
            split.fit(x, t, optimizer=Adam(split), validation_split=wrong, **options)
    with pytest.raises(ValueError, match="must be 0 where validation_data is given"):
        split.fit(x, t, optimizer=Adam(split), validation_split=0.1, validation_data=(x, t), **options)


@pytest.mark.parametrize("reason", [None, "", 3, ["late"]])
def test_a_reason_to_stop_is_a_text(reason):
    """None would not stop the training."""
    if reason == "":
        assert train([lambda run: run.stop("")])[1].stopped == ""
        return
    with pytest.raises(TypeError, match="run.stop: reason must be a text, not "):
        train([lambda run: run.stop(reason)])


def test_what_is_to_be_monitored_is_named():
    for monitor in (3, ["loss"], np.array(["loss"])):
        with pytest.raises(TypeError, match="EarlyStopping: monitor must be a text, not "):
            EarlyStopping(1, monitor=monitor)
    for name, hint in (("val_loss", r" \(val_... needs validation data\)"), ("r2", "$")):
        model = network("numpy")
        before = model.params.copy()
        with pytest.raises(ValueError, match=f"monitor must be one of loss, accuracy, seconds, not '{name}'{hint}"):
            train([EarlyStopping(1, monitor=name)], model=model, validation_data=None)
        assert np.array_equal(model.params, before)  # known before the first step


def test_the_direction_is_known_or_must_be_said():
    """By the end of the name; what is not known is not guessed."""
    for name, sign in (
        ("loss", 1), ("val_loss", 1), ("val_mean_absolute_error", 1), ("seconds", 1), ("accuracy", -1),
        ("val_accuracy", -1), ("val_r2", -1), ("top_k", -1), ("val_macro_f1", -1), ("precision", -1), ("recall", -1),
    ):  # fmt: skip
        assert EarlyStopping(1, monitor=name).sign == sign
    assert EarlyStopping(1).sign == 1
    for name in ("growth", "gloss", "errors", ""):
        with pytest.raises(
            ValueError, match=f"mode must be 'min' or 'max' for monitor='{name}', whose name does not say"
        ):
            EarlyStopping(1, monitor=name)
        assert EarlyStopping(1, monitor=name, mode="max").sign == -1
    for name in (None, "loss", "val_loss"):
        with pytest.raises(ValueError, match="mode must be 'min' for a loss, not 'max'"):
            EarlyStopping(1, monitor=name, mode="max")


@pytest.mark.parametrize("best", [1, 3])
def test_after_early_stopping_a_fit_goes_on_from_the_best_epoch(best, any_backend):
    """Parameters, Adam's means, its count of steps and epochs: to the last bit as in a run that has just ended there."""
    scores = {1: [5, 4, 3, 2], 3: [1, 2, 5, 0]}[best]
    runs = []
    for first in (4, best):
        model, seen = network(any_backend), iter(scores * 2)
        optimizer = Adam(model, 1e-2)
        options = {"optimizer": optimizer, "metrics": {"r2": lambda y, t, seen=seen: 0.0}, "batch_size": 64}
        stopping = [EarlyStopping(9, monitor="val_score", mode="max")] if first == 4 else []
        options["metrics"] = {"score": lambda y, t, seen=seen: next(seen) if len(y) == 60 else 0.0}
        train(stopping, first, model, **options)
        assert optimizer.epochs == best
        model, history = train([], 2, model, **options | {"metrics": {}})
        runs.append([history["loss"], history["val_loss"], model.ops.to_numpy(model.params).tobytes()])
    assert runs[0] == runs[1]


class Interrupt:
    """A callback that ends the training in its nth step, or raises from the epoch's end."""

    def __init__(self, step=None, epoch=None, error=KeyboardInterrupt):
        self.at_step, self.at_epoch, self.error = step, epoch, error

    def step(self, run):
        if run.steps == self.at_step:
            raise self.error

    def __call__(self, run):
        if run.epoch == self.at_epoch:
            raise self.error


@pytest.mark.parametrize("optimizer", [Adam, lambda model: SGD(model, 0.1, momentum=0.9)])
@pytest.mark.parametrize("where", [{"step": 1}, {"step": 9}, {"step": 7}, {"epoch": 2}])
def test_after_ctrl_c_a_fit_goes_on_as_if_nothing_had_been(where, optimizer, any_backend):
    """An interrupted epoch is undone: 4 epochs are 4 epochs, to the last bit, wherever the interrupt came."""
    runs = []
    for parts in ([4], [None]):
        model = network(any_backend)
        options = {"optimizer": optimizer(model), "batch_size": 32, "model": model}
        rows = []
        if parts == [None]:
            _, history = train([Interrupt(**where)], 4, **options)
            assert history.stopped == "Ctrl-C" and len(history) == options["optimizer"].epochs
            rows, parts = history["loss"] if len(history) else [], [4 - len(history)]
        _, history = train([], parts[0], **options)
        runs.append([rows + history["loss"], model.ops.to_numpy(model.params).tobytes()])
    assert runs[0] == runs[1]


class Loss(SoftmaxCrossEntropy):
    """Called by fit before the first step, and by each validation."""

    def value(self, y, t):
        return super().__call__(y, t)

    def __call__(self, y, t):
        return self.value(y, t)


@pytest.mark.parametrize(
    "part, method, call",
    [("model", "forward", 9), ("loss", "forward", 9), ("model", "backward", 9), ("optimizer", "step", 9), ("loss", "value", 4)],
)  # fmt: skip
def test_ctrl_c_within_a_step_or_a_validation(part, method, call, cpu):
    """In the second of 4 epochs, once one of the four lines has done its work and before the next begins."""
    x, t = blobs()
    runs = []
    for interrupted in (False, True):
        model, loss = network(cpu), Loss()
        optimizer, rows, calls = Adam(model), [], itertools.count(1)
        owner = {"model": model, "loss": loss, "optimizer": optimizer}[part]
        own = getattr(owner, method)

        def once(*arguments, own=own, calls=calls, interrupted=interrupted):
            result = own(*arguments)
            if interrupted and next(calls) == call:
                raise KeyboardInterrupt
            return result

        setattr(owner, method, once)
        for _ in range(1 + interrupted):
            history = model.fit(
                x, t, loss=loss, optimizer=optimizer, epochs=4 - optimizer.epochs, validation_data=(x[:50], t[:50]),
                seed=1, progress=False,
            )  # fmt: skip
            rows += [(row["loss"], row["val_loss"]) for row in history.rows]
            assert history.stopped == ("Ctrl-C" if interrupted and optimizer.epochs == 1 else None)
        state = (model.params, optimizer.m, optimizer.v)
        runs.append([rows, optimizer.t, *(a.tobytes() for a in state)])
    assert runs[0] == runs[1]


def test_ctrl_c_between_an_epochs_row_and_its_count():
    """The row is there, so the epoch is done: the next fit begins after it."""

    class Slow(Adam):
        def __setattr__(self, name, value):
            if name == "epochs" and value == 2 and not came:
                came.append(True)
                raise KeyboardInterrupt
            super().__setattr__(name, value)

    came, model = [], network("numpy")
    optimizer = Slow(model)
    _, record = train([], 4, model, optimizer=optimizer)
    assert record.stopped == "Ctrl-C" and len(record) == optimizer.epochs == 2


def test_an_error_in_the_midst_undoes_the_epoch_too():
    model = network("numpy")
    optimizer = Adam(model)
    with pytest.raises(ZeroDivisionError):
        train([Interrupt(step=9, error=ZeroDivisionError)], model=model, optimizer=optimizer, batch_size=32)
    twin = network("numpy")
    train([], 1, twin, optimizer=Adam(twin), batch_size=32)
    assert optimizer.epochs == 1 and np.array_equal(model.params, twin.params)


def test_what_a_layer_of_ones_own_keeps_is_put_back_too():
    """Running means, counts, lists, a generator: the epoch that was undone has left no trace in them."""

    class Keeps(Layer):
        def __init__(self):
            self.mean, self.count, self.seen, self.rng = np.zeros(2), 0, [], np.random.default_rng(3)
            self.table = {"last": np.zeros(2)}

        def forward(self, x):
            if len(x) > 1:  # not where fit looks at one row
                self.mean += x.mean(axis=0)
                self.count += 1
                self.seen.append(self.rng.random())
                self.table["last"][...] = x[0]
                self.table[f"key{self.count}"] = 1
            return x

        def backward(self, dy):
            return dy

    kept = []
    for interrupted in (False, True):
        layer = Keeps()
        model = Sequential(layer, Affine(2, 3), backend="numpy", seed=0)
        options = {"optimizer": Adam(model), "batch_size": 50, "model": model, "validation_data": None}
        if interrupted:
            train([Interrupt(step=6)], 2, **options)
            train([], 1, **options)
        else:
            train([], 2, **options)
        kept.append(
            [
                layer.mean.tobytes(),
                layer.count,
                layer.seen,
                layer.rng.random(),
                sorted(layer.table),
                layer.table["last"].tobytes(),
                model.params.tobytes(),
            ]
        )
    assert kept[0] == kept[1]


def test_a_layer_that_holds_itself():
    """Each thing is kept once."""
    model = network("numpy")
    model[1].circle = [model[1], {"me": (model[1],)}]
    snapshot = Snapshot(model, Adam(model))
    model[1].circle[1]["more"] = model[1].circle[1]["me"] = 3
    model[1].circle.append(4)
    snapshot.restore()
    assert model[1].circle == [model[1], {"me": (model[1],)}]


def test_ctrl_c_on_the_keyboard(tmp_path):
    """A real signal in the midst of a step, in another process: then fit again, and all is as without it."""
    program = tmp_path / "program.py"
    program.write_text(
        """
import signal
import numpy as np
from tinynn import Adam, Affine, ReLU, Sequential, SoftmaxCrossEntropy

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells let what runs in the background ignore it
rng = np.random.default_rng(0)
x, t = rng.normal(size=(200, 2)).astype("float32"), rng.integers(0, 3, 200)

class Sends:
    def step(self, run):
        if run.steps == 9:
            signal.raise_signal(signal.SIGINT)
    def __call__(self, run):
        pass

for callbacks in ([], [Sends()]):
    model = Sequential(Affine(2, 16), ReLU(), Affine(16, 3), seed=0, backend="numpy")
    optimizer, done = Adam(model), 0
    while done < 4:
        history = model.fit(x, t, loss=SoftmaxCrossEntropy(), optimizer=optimizer, epochs=4 - done, callbacks=callbacks, seed=1, progress=False)
        print(history.stopped, end=" ")
        done, callbacks = optimizer.epochs, []
    print(model.params.tobytes().hex())
"""
    )
    run = subprocess.run([sys.executable, *STRICT, program], capture_output=True, text=True, timeout=LIMIT, check=True)
    whole, interrupted = run.stdout.splitlines()
    assert interrupted == whole.replace("None ", "Ctrl-C None ", 1)


def test_a_schedule_is_asked_once_for_each_epoch():
    asked = []
    train([LearningRate(lambda epoch: asked.append(epoch) or 0.1)], 3)
    assert asked == [0, 1, 2]
    _, history = train([LearningRate([0.1, 0.2, 0.3].__getitem__)], 3)
    assert len(history) == 3
    asked.clear()
    stop = EarlyStopping(1, min_delta=1e9)  # before it: after a stop there is no next epoch
    train([stop, LearningRate(lambda epoch: asked.append(epoch) or 0.1)], 5)
    assert asked == [0, 1]


def test_schedules_that_leave_the_numbers():
    """Rates beyond all floats are the largest one."""
    largest = sys.float_info.max
    assert exponential(0.1, 2.0)(1100) == steps(0.1, 1, 2.0)(5000) == largest
    assert exponential(1e300, 10.0)(100) == largest
    assert exponential(0.0, 2.0)(1100) == 0 and exponential(0.1, 0.5)(5000) == 0
    assert warm_up(constant(0.2), 0)(0) == 0.2


@pytest.mark.parametrize("name, error", [("", ValueError), (".", OSError), ("missing/a.npz", OSError)])
def test_a_checkpoint_that_cannot_be_is_known_before_the_first_step(name, error, tmp_path):
    model = network("numpy")
    before = model.params.copy()
    with pytest.raises(error, match="cannot be saved|must be the name of a file"):
        train([Checkpoint(str(tmp_path / name) if name else name)], model=model)
    assert np.array_equal(model.params, before)


def test_early_stopping_after_a_loss_that_is_no_number():
    """An epoch of NaN is not the best for ever."""
    run = Run(network("numpy"), None, None, History())
    stopping = EarlyStopping(patience=2)
    stopping.start(run)
    for value in (math.nan, 3.0, 2.0):
        run.history.append({"loss": value})
        stopping(run)
    assert (stopping.best, stopping.best_epoch, run.history.stopped) == (2.0, 3, None)


BAD_SCHEDULES = [
    (lambda: constant("0.1"), TypeError, "constant: lr must be a number, 0 or more, not '0.1'"),
    (lambda: constant(-0.1), ValueError, "constant: lr must be a number, 0 or more, not -0.1"),
    (lambda: steps(math.nan, 3), ValueError, "steps: lr must be a number, 0 or more, not nan"),
    (lambda: steps(0.1, 0), ValueError, "steps: every must be a whole number, 1 or more, not 0"),
    (lambda: steps(0.1, 3, None), TypeError, "steps: factor must be a number"),
    (lambda: exponential(0.1, -1), ValueError, "exponential: factor must be a number, 0 or more, not -1"),
    (lambda: exponential([0.1], 1), TypeError, "exponential: lr must be a number"),
    (lambda: cosine(0.1, 2.0), TypeError, "cosine: epochs must be a whole number"),
    (lambda: cosine(0.1, 2, math.inf), ValueError, "cosine: least must be a number, 0 or more, not inf"),
    (lambda: warm_up(0.1, 3), TypeError, "warm_up: schedule must be a function of the epoch, not 0.1"),
]


@pytest.mark.parametrize("make, error, text", BAD_SCHEDULES)
def test_bad_schedules_are_found_when_they_are_made(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_what_is_no_callback():
    with pytest.raises(TypeError, match="callbacks must be functions of the run, not 3"):
        train([3])
    with pytest.raises(TypeError, match="callbacks must be a list of functions of the run, not <"):
        train(EarlyStopping(1))
    with pytest.raises(
        TypeError, match="callbacks must be functions of the run, not <class .*give an object of that class"
    ):
        train([EarlyStopping])
    with pytest.raises(TypeError, match="schedule must be a function of the epoch, .* not 0.1"):
        LearningRate(0.1)
    with pytest.raises(ValueError, match=r"schedule\(1\) must be a number, 0 or more, not -1"):
        train([LearningRate(lambda epoch: -epoch)])


class Steps:
    """A callback that sees every step."""

    def __init__(self, last=math.inf):
        self.last, self.seen = last, []

    def step(self, run):
        self.seen.append((run.steps, run.epoch, run.value, run.model.params[0]))
        if run.steps == self.last:
            run.stop(f"step {run.steps} was the last")

    def __call__(self, run):
        self.seen.append("epoch")


def test_a_callback_sees_every_step_after_the_update():
    steps, model = Steps(), network("numpy")
    before = model.params[0]
    _, history = train([steps], epochs=2, model=model, batch_size=50)
    assert [s if s == "epoch" else s[:2] for s in steps.seen] == [
        (1, 0), (2, 0), (3, 0), (4, 0), "epoch", (5, 1), (6, 1), (7, 1), (8, 1), "epoch",
    ]  # fmt: skip
    values = [s[2] for s in steps.seen if s != "epoch"]
    assert np.mean(values[:4]) == pytest.approx(history["loss"][0])  # batches of one size
    assert steps.seen[0][3] != before and steps.seen[-2][3] == model.params[0]


def test_a_callback_stops_within_an_epoch():
    steps = Steps(last=6)
    _, history = train([steps], epochs=5, batch_size=50)
    assert len([s for s in steps.seen if s != "epoch"]) == 6 and steps.seen.count("epoch") == 1
    assert len(history) == 1 and history.stopped == "step 6 was the last"
    assert repr(history).splitlines()[-1] == "stopped: step 6 was the last"


@pytest.mark.parametrize(("mode", "best"), [("min", 0), ("max", 4)])
def test_early_stopping_by_any_column(mode, best):
    """A metric that grows by the epoch: what is better is as `mode` says."""
    kept, grows = [], {"growth": lambda y, t: len(kept)}
    stopping = EarlyStopping(patience=9, monitor="growth", mode=mode)
    model, history = train([lambda run: kept.append(run.model.params.copy()), stopping], 5, metrics=grows)
    assert history["growth"] == [0, 1, 2, 3, 4]
    assert np.array_equal(model.params, kept[best])
    with pytest.raises(ValueError, match="mode must be 'auto', 'min' or 'max', not 'most'"):
        EarlyStopping(1, mode="most")


def test_one_cycle_goes_up_and_down_once():
    """101 steps: the rate is peak / 25 at the first, the peak at step 30, peak / 250,000 at the last (as in PyTorch)."""
    cycle = OneCycle(0.5, epochs=1, steps=101)
    rates = [cycle.rate(done) for done in range(101)]
    assert np.isclose(rates[0], 0.02) and np.isclose(rates[30], 0.5) and np.isclose(rates[100], 2e-6)
    assert np.isclose(rates[15], (0.02 + 0.5) / 2)  # half of the wave up
    assert (np.diff(rates[:31]) > 0).all() and (np.diff(rates[30:]) < 0).all()
    assert cycle.rate(1000) == rates[100]


def test_one_cycle_sets_the_rate_of_each_step_and_goes_on():
    x, t = np.random.default_rng(0).normal(size=(20, 2)).astype("f"), np.arange(20) % 2

    def train(*epochs):
        model = Sequential(Affine(2, 2), seed=0)
        optimizer, rates = SGD(model, 1.0), []

        class Rates:
            def step(self, run):
                rates.append(run.optimizer.lr)

            def __call__(self, run):
                pass

        for n in epochs:  # the cycle comes first: what is seen is the rate of the next step
            model.fit(
                x, t, loss=SoftmaxCrossEntropy(), optimizer=optimizer, epochs=n, batch_size=5, seed=0, progress=False,
                callbacks=[OneCycle(0.5, 3, 4), Rates()],
            )  # fmt: skip
        return rates, model.params.copy()

    rates, params = train(3)
    assert np.allclose(rates, [OneCycle(0.5, 3, 4).rate(done) for done in range(1, 13)])
    again, same = train(1, 2)
    assert again == rates and np.array_equal(same, params)


@pytest.mark.parametrize(("callbacks", "everything"), [("", False), ("own", True), ("rate", False), ("derived", True)])
def test_layers_keep_what_somebody_may_look_at(callbacks, everything):
    """fit alone keeps what backward reads; with a callback that may look inside, all. Both train to the same bits."""

    class Derived(EarlyStopping):
        pass

    def looks(run):
        seen.append(run.model[0].y)

    seen = []
    given = {"": [], "own": [looks], "rate": [LearningRate(constant(0.1))], "derived": [Derived(3)]}[callbacks]
    steps = []
    (x, t), model, loss = blobs(), network(), SoftmaxCrossEntropy()
    forward = model[1].forward
    model[1].forward = lambda x: steps.append(model[0].y) or forward(x)
    model.fit(x, t, loss=loss, optimizer=SGD(model, 0.1), epochs=2, seed=0, progress=False, callbacks=given)
    assert all((y is not None) is everything for y in [*seen, steps[-1]])
    assert model.keeps_all and all(layer.keeps_all for layer in model)
    other = network()
    other.fit(x, t, loss=loss, optimizer=SGD(other, 0.1), epochs=2, seed=0, progress=False, callbacks=[print])
    assert np.array_equal(model.params, other.params)
