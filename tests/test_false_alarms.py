"""Right code that is hard to measure: one row, saturated and dead units, wide and tiny layers, data of any size.

TINYNN_RIGHT=5000 looks at as many cases in place of 200.
"""

from __future__ import annotations

import inspect
import os

import numpy as np
import pytest
import right_cases
import right_images

from tinynn import SGD, Adam, Affine, RMSProp, Sequential, check, check_layer, check_loss
from tinynn import check_optimizer as check_optimizer_
from tinynn.teach.checking.loss_intake import adapt_loss
from tinynn.teach.checking.under_test import LossUnderTest
from tinynn.teach.zoo import cases

MANY = int(os.environ.get("TINYNN_RIGHT", 200))
SHARES = 20  # of them, so that the processes of a parallel run share the work


def scale(rng, low, high):
    """1, or any power of ten between."""
    return 1.0 if rng.random() < 0.4 else 10.0 ** rng.uniform(low, high)


def network(rng):
    """A right network that is hard to measure, and its x."""
    n = int(rng.choice([1, 1, 2, 3, 7]))
    sizes = [int(size) for size in rng.choice([1, 2, 3, 5, 12, 60], rng.integers(2, 6))]
    loss, t, sizes[-1] = cases.any_loss(rng, n, sizes[-1], "float64")
    if rng.random() < 0.2:
        own, kind = right_cases.LOSSES[rng.integers(len(right_cases.LOSSES))]
        t = cases.targets(rng, kind, n, sizes[-1], "float64")
        loss, _, _ = adapt_loss(own(), rng.normal(size=(n, sizes[-1])), t)
    layers = cases.right_layers(rng, tuple(sizes))
    for k, n_out in enumerate(sizes[1:-1]):
        if rng.random() < 0.3:
            layers[2 * k + 1] = right_cases.LAYERS[rng.integers(len(right_cases.LAYERS))](n_out)
    model = Sequential(*layers, backend="numpy", dtype="float64", seed=rng)
    for layer in model:
        for name in layer.parameters:
            value = getattr(layer, name)
            if isinstance(layer, Affine):
                value *= scale(rng, -4, 2)
                value -= 100 * (name == "b") * (rng.random(value.shape) < 0.1)  # units that are dead, or saturated
    x = scale(rng, -6, 4) * rng.normal(size=(n, sizes[0]))
    value, dy = LossUnderTest(loss).both(model.forward(x), t)
    model.backward(dy)
    fits = np.isfinite([value, np.linalg.norm(model.grads)]).all()  # what overflows, or would when squared, is wrong
    return (model, x, t, loss) if fits else network(rng)


def case(seed):
    """A check that must find nothing, by one of the four ways."""
    rng = np.random.default_rng([seed, 11])
    kinds = {"network": 0.4, "layer": 0.2, "loss": 0.15, "optimizer": 0.05, "image": 0.15, "images": 0.05}
    kind = rng.choice(list(kinds), p=list(kinds.values()))
    if kind == "image":
        return check_layer, right_images.right(rng), {"seed": seed}
    if kind == "images":
        return check, right_images.network(rng), {"seed": seed}
    if kind == "optimizer":
        own = right_cases.OPTIMIZERS[rng.integers(len(right_cases.OPTIMIZERS))]
        rate = next((n for n in ("lr", "learning_rate") if n in inspect.signature(own).parameters), None)
        if rng.random() < 0.5:
            return check_optimizer_, (own,), {rate: scale(rng, -4, 1)} if rate else {}
        cls = (SGD, Adam, RMSProp)[rng.integers(3)]
        options = {"lr": scale(rng, -6, 3), "clip_norm": rng.choice([None, scale(rng, -6, 3)])}
        return check_optimizer_, (cls,), options | {"decay_biases": bool(rng.integers(2))}
    model, x, t, loss = network(rng)
    if kind == "network":
        return check, (model, x, t, loss), {"seed": seed}
    if kind == "layer":
        layer = model[int(rng.integers(len(model)))]
        return check_layer, (layer, layer.x), {"seed": seed}
    y = scale(rng, -6, 2) * model(x)
    return (
        (check_loss, (loss, y, t), {"seed": seed})
        if np.isfinite(LossUnderTest(loss).value(y, t))
        else case(seed + 10**6)
    )


@pytest.mark.parametrize("share", range(SHARES))
def test_no_false_alarm(share):
    for seed in range(share, MANY, SHARES):
        with np.errstate(all="ignore"):
            check_it, arguments, options = case(seed)
        report = check_it(*arguments, **options)
        assert report, f"case({seed}):\n{report}"


@pytest.mark.parametrize("seed", [257, 769, 754, 2366])
def test_what_was_an_alarm_once(seed):
    """Large terms of a norm of two features that cancel; log 0 in a formula; exp(-|y|) in a complex step."""
    check_it, arguments, options = case(seed)
    assert check_it(*arguments, **options)
