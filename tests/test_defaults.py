"""Every default of the public names, and every limit of their arguments: just outside and just inside.

A default that changes changes what programs do that do not name it; so it stands here a second time.
"""

from __future__ import annotations

import importlib
import inspect
import math
import sys
import types

import numpy as np
import pytest
from test_training import blobs, network

import tinynn
from tinynn import (
    MSE,
    SGD,
    Adam,
    Affine,
    Checkpoint,
    EarlyStopping,
    GaussianNLL,
    History,
    LearningRate,
    Sequential,
    SoftmaxCrossEntropy,
    Watch,
    initializers,
    metrics,
    minibatches,
    plots,
    teach,
)
from tinynn.training import callbacks

# --- defaults --------------------------------------------------------------------------------------------------------

DEFAULTS = """
Adam(lr=0.001, beta1=0.9, beta2=0.999, eps=1e-08, weight_decay=0.0, decay_biases=True, clip_norm=None)
Affine(weight_init='kaiming_normal', bias_init='zeros')
AvgPool2D(size=2, stride=None, padding=0)
BatchNorm(momentum=0.9, eps=1e-05)
BinaryCrossEntropy(backend=None)
BinaryCrossEntropy.compute(weight=None)
Checkpoint(every=1)
Conv2D(stride=1, padding=0, bias=True, weight_init='kaiming_normal')
ELU(alpha=1.0)
EarlyStopping(min_delta=0.0, monitor=None, mode='auto')
GaussianNLL(variance=None, backend=None)
GaussianNLL.compute(weight=None)
History(first=0)
History.plot(axes=None)
Huber(delta=1.0, backend=None)
Huber.compute(weight=None)
Layer.build(rng=None, dtype=None, ops=None)
LeakyReLU(slope=0.01)
Loss(backend=None)
Loss.compute(weight=None)
Loss.forward(weight=None)
MAE(backend=None)
MAE.compute(weight=None)
MSE(backend=None)
MSE.compute(weight=None)
MaxPool2D(size=2, stride=None, padding=0)
Model.assemble(backend=None, dtype='float32', seed=None)
Model.build(rng=None, dtype=None, ops=None)
Model.copy(backend=None, dtype=None)
Model.evaluate(batch_size=1000, metrics=None, transform=None)
Model.fit(epochs=1, batch_size=32, validation_data=None, validation_split=0.0, sample_weight=None, class_weight=None, metrics=None, transform=None, callbacks=(), seed=None, progress=True)
Optimizer(decay_biases=True, clip_norm=None)
Parallel(comm=None)
Parallel.step(part=None)
RMSProp(lr=0.001, rho=0.9, eps=1e-08, weight_decay=0.0, decay_biases=True, clip_norm=None)
Residual(shortcut=None)
SGD(momentum=0.0, nesterov=False, weight_decay=0.0, decay_biases=True, clip_norm=None)
Sequential(backend=None, dtype='float32', seed=None, shape=None)
SoftmaxCrossEntropy(backend=None, label_smoothing=0.0)
SoftmaxCrossEntropy.compute(weight=None)
Watch(every=1)
Watch.plot(axes=None)
callbacks.Run(columns=('loss',), last=inf)
callbacks.cosine(least=0.0)
callbacks.steps(factor=0.1)
check(loss=None, seed=0)
check_layer(seed=0)
check_loss(seed=0)
constant(value=1.0)
datasets.load_mnist(flatten=True, normalize=True, directory=None)
diagnose(optimizer=None, transform=None, batch_size=None, validation_data=None, validation_split=0.0)
evaluate(batch_size=1000, metrics=None, transform=None)
explain(optimizer=None)
fit(epochs=1, batch_size=32, validation_data=None, validation_split=0.0, sample_weight=None, class_weight=None, metrics=None, transform=None, callbacks=(), seed=None, progress=True)
flatten(backend=None, dtype='float32', seed=None)
from_onnx(backend=None)
load(backend=None, layers=())
load_into(optimizer=None)
load_weights(names=None)
metrics.class_report(names=None)
metrics.confusion_matrix(classes=None)
metrics.top_k_accuracy(k=5)
minibatches(shuffle=True, seed=None, ops=tinynn.backends.numpy)
normal(std=0.01)
plots.Histograms(bins=60)
plots.activations(axes=None, low=-4.0, high=4.0)
plots.check_sweep(axes=None)
plots.confusion_matrix(axes=None, labels=None)
plots.decision_boundary(axes=None)
plots.feature_maps(most=8, axes=None)
plots.filters(axes=None, columns=8)
plots.first_layer_weights(shape=(28, 28), count=64, axes=None)
plots.folds(after=None, axes=None)
plots.histograms(what='dW', layers=None, axes=None)
plots.learning_curves(axes=None, names=('training', 'validation'))
plots.line_fit(axes=None)
plots.network(axes=None, most=10, inputs=None)
plots.paths(steps=50, axes=None)
plots.predictions(count=40, axes=None, shape=None)
save(optimizer=None, history=None)
save_weights(names='tinynn')
teach.adapt(x=None)
to_onnx(softmax=False)
uniform(bound=0.01)
worksheet.Sheet(record=None, steps=None)
worksheet.Sheet.nudge(h=None)
worksheet.Sheet.quiz(count=8, seed=None)
worksheet.Sheet.text(width=100)
worksheet.Sheet.to_html(path=None)
"""
PLACES = (
    "", "training.callbacks", "datasets", "initializers", "metrics", "plots", "diagnosis", "teach", "teach.worksheet",
)  # fmt: skip
REPORTS = ("Report", "Diagnosis", "Result", "LearningRateSweep")  # made by tinynn alone


def public(module):
    """Name and value of what a module offers: classes, their methods, functions."""
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    for name in getattr(module, "__all__", [name for name in own if not name.startswith("_")]):
        value = getattr(module, name)
        if not callable(value) or name in REPORTS:
            continue
        yield name, value
        if inspect.isclass(value):
            methods = [(key, part) for key, part in vars(value).items() if inspect.isfunction(part)]
            yield from ((f"{name}.{key}", part) for key, part in methods if not key.startswith("_"))


def written(name, value):
    """ "name(argument=default, ...)"; empty where none has a default."""
    try:
        options = inspect.signature(value).parameters.values()
    except ValueError:  # an exception
        return ""
    words = [(p.name, getattr(p.default, "__name__", repr(p.default))) for p in options if p.default is not p.empty]
    return f"{name}({', '.join(f'{key}={text}' for key, text in words)})" if words else ""


def test_the_defaults_of_all_public_names():
    found, seen = [], set()
    for place in PLACES:
        module = importlib.import_module(f"tinynn.{place}".rstrip("."))
        prefix = place.rpartition(".")[2] + "." if place else ""
        for name, value in public(module):
            key = (name, value) if "." in name else value
            if key not in seen:  # each once, where it comes first
                found.append(written(prefix + name, value))
                seen.add(key)
    assert sorted(filter(None, found)) == sorted(DEFAULTS.split("\n")[1:-1])


# --- limits ----------------------------------------------------------------------------------------------------------

TINY, BELOW_1 = math.nextafter(0, 1), math.nextafter(1, 0)
NO_NUMBERS = (math.nan, math.inf)
x, t = blobs(20)
model = network("numpy")
y, rng = model(x), np.random.default_rng(0)
NINE = np.eye(9)[t]  # scores of nine classes


def fit(t=t, **options):
    model = network("numpy")
    model.fit(x, t, **{"loss": SoftmaxCrossEntropy(), "optimizer": Adam(model), "progress": False} | options)


def at_epoch_0(rate):
    fit(callbacks=[LearningRate(lambda epoch: rate)])


def weights(last):
    return np.array([1.0] * 19 + [last])


# name -> function of one argument, values that it refuses, values that it takes
FROM_0 = (-TINY, *NO_NUMBERS), (0, TINY, 1e30)
IN_0_TO_1 = (-TINY, 1, *NO_NUMBERS), (0, BELOW_1)
WHOLE_FROM_0 = (-1,), (0, 2**63)
WHOLE_FROM_1 = (0, -1), (1, 2)
LIMITS = {
    "Affine: n_in": (lambda n: Affine(n, 1), *WHOLE_FROM_1),
    "Affine: n_out": (lambda n: Affine(1, n), *WHOLE_FROM_1),
    "Sequential: seed": (lambda n: Sequential(Affine(1, 1), seed=n), *WHOLE_FROM_0),
    "constant": (lambda v: initializers.constant((2, 1), rng, v), NO_NUMBERS, (-sys.float_info.max, 0)),
    "normal": (lambda v: initializers.normal((2, 1), rng, v), *FROM_0),
    "uniform": (lambda v: initializers.uniform((2, 1), rng, v), (-TINY, *NO_NUMBERS), (0, TINY, 1e307)),
    "GaussianNLL: variance": (GaussianNLL, (0, -1, *NO_NUMBERS), (0.5,)),
    **{
        f"{kind.__name__}: {name}": (lambda v, kind=kind, name=name: kind(model, **{"lr": 0.1, name: v}), *limits)
        for kind, names in ((SGD, {"momentum": IN_0_TO_1}), (Adam, {"beta1": IN_0_TO_1, "beta2": IN_0_TO_1, "eps": FROM_0}))
        for name, limits in {
            "lr": FROM_0, "weight_decay": FROM_0, "clip_norm": ((0, -TINY, *NO_NUMBERS), (TINY, 1e30)), **names
        }.items()
    },
    "Adam: epochs, later": (lambda n: setattr(Adam(model), "epochs", n), *WHOLE_FROM_0),
    "Adam: seed, later": (lambda n: setattr(Adam(model), "seed", n), *WHOLE_FROM_0),
    "fit: epochs": (lambda n: fit(epochs=n), *WHOLE_FROM_1),
    "fit: batch_size": (lambda n: fit(batch_size=n), *WHOLE_FROM_1),
    "fit: seed": (lambda n: fit(seed=n), *WHOLE_FROM_0),
    "fit: validation_split": (lambda v: fit(t * 0, validation_split=v), (-TINY, 1, *NO_NUMBERS, 0.025, 0.975), (0, 0.026, 0.974)),
    "fit: sample_weight": (lambda v: fit(sample_weight=weights(v)), *FROM_0),
    "fit: class_weight": (lambda v: fit(class_weight={2: v}), *FROM_0),
    "evaluate: batch_size": (lambda n: model.evaluate(x, t, loss=SoftmaxCrossEntropy(), batch_size=n), *WHOLE_FROM_1),
    "minibatches: batch_size": (lambda n: minibatches(x, t, n), *WHOLE_FROM_1),
    "minibatches: seed": (lambda n: minibatches(x, t, 5, seed=n), *WHOLE_FROM_0),
    "History: first": (History, *WHOLE_FROM_0),
    "EarlyStopping: patience": (EarlyStopping, *WHOLE_FROM_1),
    "EarlyStopping: min_delta": (lambda v: EarlyStopping(1, v), *FROM_0),
    "Checkpoint: every": (lambda n: Checkpoint("a.npz", n), *WHOLE_FROM_1),
    "Watch: every": (Watch, *WHOLE_FROM_1),
    "LearningRate": (at_epoch_0, *FROM_0),
    "callbacks.constant: lr": (callbacks.constant, *FROM_0),
    "steps: lr": (lambda v: callbacks.steps(v, 1), *FROM_0),
    "steps: every": (lambda n: callbacks.steps(0.1, n), *WHOLE_FROM_1),
    "steps: factor": (lambda v: callbacks.steps(0.1, 1, v), *FROM_0),
    "exponential: lr": (lambda v: callbacks.exponential(v, 1), *FROM_0),
    "exponential: factor": (lambda v: callbacks.exponential(1, v), *FROM_0),
    "cosine: lr": (lambda v: callbacks.cosine(v, 1), *FROM_0),
    "cosine: epochs": (lambda n: callbacks.cosine(0.1, n), *WHOLE_FROM_1),
    "cosine: least": (lambda v: callbacks.cosine(0.1, 1, v), *FROM_0),
    "warm_up: epochs": (lambda n: callbacks.warm_up(callbacks.constant(0.1), n), *WHOLE_FROM_0),
    "top_k_accuracy: k": (lambda k: metrics.top_k_accuracy(y, t, k), (0, 4, 10**5000), (1, 3)),
    "confusion_matrix: classes": (lambda n: metrics.confusion_matrix(t, t, n), (0, 2, 10_001), (3, 10_000)),
    "class_report: names": (lambda n: metrics.class_report(y, t, range(n)), (2, 4), (3,)),
    "check: seed": (lambda n: teach.check(network("numpy"), x[:2], t[:2], SoftmaxCrossEntropy(), seed=n), (-1,), (0,)),
    "Sheet.text: width": (lambda n: sheet().text(n), (59,), (60,)),
    "Sheet.quiz: count": (lambda n: sheet().quiz(n), (0,), (1,)),
    "Sheet.step": (lambda n: sheet().step(n), (-1, 1000), (0,)),
    "plots.Histograms: bins": (plots.Histograms, *WHOLE_FROM_1),
    "plots.activations: low": (lambda v: plots.activations([tinynn.ReLU()], low=v), (-1e6 - 1, *NO_NUMBERS), (-1e6,)),
    "plots.activations: high": (lambda v: plots.activations([tinynn.ReLU()], high=v), (1e6, *NO_NUMBERS), (1e6 - 1,)),
    "plots.network: most": (lambda n: plots.network(model, most=n), (1,), (2,)),
}  # fmt: skip


def sheet():
    small = Sequential(Affine(2, 1), seed=0, backend="numpy", dtype="float64")
    return tinynn.explain(small, np.ones((1, 2)), np.ones((1, 1)), MSE())


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name):
    call, outside, inside = LIMITS[name]
    for value in outside:
        with pytest.raises(ValueError, match="must (be|have|hold|leave)"):  # a sentence of tinynn's
            call(value)
    for value in inside:
        call(value)


# --- wrong only together ---------------------------------------------------------------------------------------------


def each_row(mask):
    return np.where(mask, 0.0, 1.0)


# name -> function, two arguments that are each right without the other
PAIRS = {
    "SGD: nesterov without momentum": (lambda **o: SGD(model, 0.1, **{"momentum": 0.5} | o), {"nesterov": True}, {"momentum": 0.0}),
    "decay_biases without layers": (
        lambda **o: Adam(**{"model": model} | o), {"decay_biases": False},
        {"model": types.SimpleNamespace(params=np.ones(2), grads=np.ones(2))},
    ),
    "two validations": (fit, {"validation_split": 0.2}, {"validation_data": (x, t)}),
    "no weight is left": (fit, {"sample_weight": each_row(t == 0)}, {"class_weight": {1: 0, 2: 0}}),
    "no weight before the split": (fit, {"sample_weight": each_row(np.arange(20) < 18)}, {"validation_split": 0.1}),
    "a monitor without its column": (
        lambda monitor="loss", **o: fit(callbacks=[EarlyStopping(1, monitor=monitor)], **{"validation_split": 0.2} | o),
        {"monitor": "val_loss"}, {"validation_split": 0.0},
    ),
    "another model's optimizer": (
        lambda trained=model, optimizer=None: trained.fit(
            x, t, loss=SoftmaxCrossEntropy(), optimizer=optimizer or Adam(trained), progress=False
        ),
        {"trained": network("numpy")}, {"optimizer": Adam(model)},
    ),
    "more of a loss": (lambda **o: EarlyStopping(1, **{"monitor": "val_r2"} | o), {"monitor": "val_loss"}, {"mode": "max"}),
    "unknown direction": (lambda **o: EarlyStopping(1, **{"mode": "min"} | o), {"monitor": "growth"}, {"mode": "auto"}),
    "names for other columns": (
        lambda y=t, names=None: metrics.class_report(y, t, names), {"y": y}, {"names": range(4)}
    ),
    "labels beyond the classes": (
        lambda y=t, classes=None: metrics.confusion_matrix(y, t, classes), {"y": t + 1}, {"classes": 3}
    ),
    "k of few scores": (lambda y=NINE, k=1: metrics.top_k_accuracy(y, t, k), {"y": y}, {"k": 4}),
    "low above high": (lambda **o: plots.activations([tinynn.ReLU()], **o), {"low": 3.0}, {"high": 2.0}),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_wrong_only_together(name):
    call, one, other = PAIRS[name]
    call(**one)
    call(**other)
    with pytest.raises((ValueError, TypeError), match="must"):
        call(**one, **other)
