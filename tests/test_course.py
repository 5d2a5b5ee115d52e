"""Watch on how a training is run: each slip is named, and what is usual is not."""

from __future__ import annotations

import numpy as np
import pytest
from deep_cases import digits, resnet
from test_diagnose import mlp, moons

from tinynn import (
    SGD,
    Adam,
    Affine,
    BatchNorm,
    Dropout,
    EarlyStopping,
    ReLU,
    Sequential,
    SoftmaxCrossEntropy,
    fit,
    flatten,
)
from tinynn import callbacks as on
from tinynn.diagnosis import Watch


def net(seed, *middle):
    middle = middle or (BatchNorm(16),)
    return Sequential(Affine(2, 16), *middle, ReLU(), Affine(16, 2), seed=seed, backend="numpy")


def table(rows):
    x, t = moons(rows)
    return x, t


class ByHand:
    """Accuracy after each epoch, with forward in place of use."""

    def __init__(self, every=1):
        self.every = every

    def __call__(self, run):
        if run.epoch % self.every == 0:
            x, t = moons(50)
            (run.model.forward(x).argmax(axis=1) == t).mean()


class InSteps(ByHand):
    """The same, in the midst of the epoch."""

    def step(self, run):
        if run.steps % 5 == 0:
            run.model.forward(moons(50)[0])

    def __call__(self, run):
        pass


class Plain:
    """A model of one's own, with no use beside training."""

    def __init__(self, seed):
        self.layers = [Affine(2, 16), ReLU(), Dropout(0.5), Affine(16, 2)]
        self.params, self.grads = flatten(*self.layers, backend="numpy", seed=seed)

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)


def watched(model, data=None, optimizer=None, epochs=3, batch_size=16, before=(), behind=(), **options):
    watch, (x, t) = Watch(), data or table(100)
    fit(
        model, x, t, loss=SoftmaxCrossEntropy(), optimizer=optimizer or Adam(model), epochs=epochs,
        batch_size=batch_size, callbacks=[*before, watch, *behind], seed=0, progress=False, **options,
    )  # fmt: skip
    return watch


def schedule(rule):
    return {"before": [on.LearningRate(rule)], "epochs": 10}


BROKEN = {
    "a tenth in each epoch": ("lr-decayed", lambda s: watched(mlp(2, 8, 2, seed=s), **schedule(on.steps(0.1, every=1)))),
    "a tenth in each epoch, behind": ("lr-decayed", lambda s: watched(mlp(2, 8, 2, seed=s), epochs=10, behind=[on.LearningRate(on.exponential(0.1, 0.1))])),
    "nothing after the second": ("lr-decayed", lambda s: watched(mlp(2, 8, 2, seed=s), **schedule(lambda epoch: 0.1 if epoch < 2 else 0.0))),
    "a cosine that ends too early": ("lr-decayed", lambda s: watched(mlp(2, 8, 2, seed=s), **schedule(on.cosine(0.01, 5)))),
    "a cycle that ends too early": ("lr-decayed", lambda s: watched(mlp(2, 8, 2, seed=s), epochs=10, before=[on.OneCycle(0.01, 5, 7)])),
    "batches of one": ("small-batches", lambda s: watched(resnet(s), tuple(a[:12] for a in digits(size=7)), batch_size=1)),
    "batches of two": ("small-batches", lambda s: watched(net(s), batch_size=2)),
    "by hand, in front": ("evaluation-in-training-mode", lambda s: watched(net(s), before=[ByHand()])),
    "by hand, behind": ("evaluation-in-training-mode", lambda s: watched(net(s), behind=[ByHand()])),
    "by hand, once, at the end": ("evaluation-in-training-mode", lambda s: watched(net(s), behind=[ByHand(every=3)])),
    "by hand, dropout, in front": ("evaluation-in-training-mode", lambda s: watched(net(s, Dropout(0.5)), before=[ByHand()])),
    "by hand, dropout, behind": ("evaluation-in-training-mode", lambda s: watched(net(s, Dropout(0.5)), behind=[ByHand()])),
    "by hand, between steps": ("evaluation-in-training-mode", lambda s: watched(net(s), behind=[InSteps()])),
    "no use but forward": ("evaluation-in-training-mode", lambda s: watched(Plain(s), validation_split=0.2)),
}  # fmt: skip

HEALTHY = {
    "one cycle": lambda s: watched(net(s), epochs=10, before=[on.OneCycle(0.01, 10, 7)]),
    "one cycle, behind": lambda s: watched(net(s), epochs=10, behind=[on.OneCycle(0.01, 10, 7)]),
    "a cosine": lambda s: watched(net(s), **schedule(on.cosine(0.01, 10))),
    "a hundred epochs of a cosine": lambda s: watched(mlp(2, 4, 2, seed=s), table(20), before=[on.LearningRate(on.cosine(0.01, 100))], epochs=100),
    "steps": lambda s: watched(net(s), **schedule(on.steps(0.1, every=3))),
    "a rate of 0 throughout": lambda s: watched(net(s), optimizer=None, epochs=2, before=[on.LearningRate(on.constant(0.0))]),
    "warm-up": lambda s: watched(net(s), **schedule(on.warm_up(on.constant(0.01), 5))),
    "small batches without normalization": lambda s: watched(mlp(2, 8, 2, seed=s), batch_size=1),
    "a last batch of two": lambda s: watched(net(s), table(98)),
    "batches of three": lambda s: watched(net(s), table(99), batch_size=3),
    "validation": lambda s: watched(net(s), validation_split=0.2),
    "validation, dropout": lambda s: watched(net(s, BatchNorm(16), Dropout(0.5)), validation_split=0.2),
    "evaluated in use": lambda s: watched(net(s), behind=[lambda run: run.model.evaluate(*table(50), loss=SoftmaxCrossEntropy())]),
    "predicts": lambda s: watched(net(s), before=[lambda run: run.model.predict(table(50)[0])]),
    "forward without state": lambda s: watched(mlp(2, 8, 2, seed=s), behind=[ByHand()]),
    "early stopping": lambda s: watched(net(s), epochs=12, validation_split=0.2, behind=[EarlyStopping(patience=1)]),
    "momentum": lambda s: (lambda m: watched(m, optimizer=SGD(m, 0.01, momentum=0.9)))(net(s)),
    "resnet": lambda s: watched(resnet(s), tuple(a[:64] for a in digits(size=7)), before=[on.OneCycle(0.01, 3, 4)]),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_slip_is_named(name):
    code, run = BROKEN[name]
    for seed in range(3):
        watch = run(seed)
        assert [found.code for found in watch.findings] == [code], (seed, watch)
        assert f"[{code}]" in repr(watch) and max(map(len, repr(watch).splitlines())) <= 100


@pytest.mark.parametrize("name", HEALTHY)
def test_what_is_usual_is_not(name):
    for seed in range(2):
        watch = HEALTHY[name](seed)
        assert watch.findings == [], watch
        assert "[" not in repr(watch).splitlines()[-1]


def test_a_second_fit_goes_on_with_what_the_first_left():
    """Nothing is carried over, but the rate that a finished cycle leaves is that of all its epochs: no decay."""
    model = net(0)
    optimizer, watch, (x, t) = Adam(model), Watch(), table(100)
    assert watch.findings == []
    for _ in range(2):
        model.fit(x, t, loss=SoftmaxCrossEntropy(), optimizer=optimizer, callbacks=[watch], seed=0, progress=False)
        assert watch.findings == [] and len(watch.course.rates) == 1 and watch.course.steps == 4


def test_what_was_done_between_the_steps_is_said():
    text = watched(net(0), behind=[ByHand()]).findings[0].text
    assert text.startswith("before step 8, something else has moved the running mean of layer 2, BatchNorm(16)")
    text = watched(net(0), before=[ByHand()]).findings[0].text
    assert text.startswith("after step 7, forward was called with 50 other rows")
    found = watched(net(0), batch_size=2).findings[0]
    assert found.place == 2 and found.text.startswith("150 of 150 batches have 2 rows or fewer, and layer 2, BatchNorm")
    found = watched(mlp(2, 8, 2, seed=0), **schedule(on.steps(0.5, every=1, factor=0.5))).findings
    assert found == []
    (found,) = watched(mlp(2, 8, 2, seed=0), **schedule(on.steps(0.5, every=1, factor=0.05))).findings
    assert found.text.startswith(
        "in 6 of 10 epochs the learning rate was below 0.0001 of its greatest, 0.5, in the last"
    )
    assert found.figure == pytest.approx(0.05**9) and np.isfinite(found.figure)
