"""The checks, in the order of cause: data, model, algorithm. Each is a function of the Evidence and returns a Result.

None in place of a Result: the check does not apply.

    data.py        x, targets, classes, validation
    network.py     the first weights, layer by layer, forward and backward
    blocks.py      dropout, batch normalization, residual blocks; use beside training
    chance.py      whether x says something about t, a few rows by heart, better than chance from many
    algorithm.py   the learning rate, the first step

Where the limits lie: they were measured on 1320 healthy set-ups (1 to 5 layers; ReLU, sigmoid, tanh; MNIST, XOR,
Norris, a sine, two moons; SGD, Adam; 20 seeds), on 66 kinds of images, sequences and blocks with 8 seeds each
(tests/deep_cases.py), and on broken ones: "a | b" is the worst of the healthy, the mildest of the broken.
"""

from __future__ import annotations

from collections.abc import Callable

from .algorithm import learning_rate, update
from .blocks import batches, branches, dropout, use
from .chance import chance, few_rows, order_of_rows
from .data import classes, constant_columns, input_scale, layout, numbers, targets, validation
from .evidence import Evidence
from .network import (
    biases,
    dead_relus,
    first_loss,
    first_weights,
    gradients,
    order_of_layers,
    output,
    saturation,
    signal,
)
from .report import Result

CHECKS: dict[str, Callable[[Evidence], Result | None]] = {
    "numbers": numbers,
    "layout": layout,
    "input scale": input_scale,
    "columns": constant_columns,
    "targets": targets,
    "classes": classes,
    "order of rows": order_of_rows,
    "validation": validation,
    "output": output,
    "layers": order_of_layers,
    "first weights": first_weights,
    "dropout": dropout,
    "batches": batches,
    "dead ReLUs": dead_relus,
    "saturation": saturation,
    "signal": signal,
    "biases": biases,
    "loss at start": first_loss,
    "branches": branches,
    "gradients": gradients,
    "in use": use,
    "few rows": few_rows,
    "chance": chance,
    "learning rate": learning_rate,
    "update": update,
}
