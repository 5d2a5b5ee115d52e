"""Why does it not learn? Checks before a training, causes first: data, model, algorithm.

    report = diagnose(model, loss, x, t, optimizer=optimizer)
    print(report)

    causes.py    every check by its name; they are in data.py, network.py, blocks.py, chance.py, algorithm.py
    evidence.py  what the checks look at: copies of the model and its parts, a sample of the rows, a sweep of rates
    report.py    the results
    watch.py     the same figures during a training

The list follows Karpathy, "A Recipe for Training Neural Networks" (2019): look at the data, at the loss of the first
weights, at a few rows learned by heart, and only then at the learning rate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import checks
from ..checks import Array
from ..process import chance_left_alone
from ..training import demands
from ..training.batches import minibatches
from .causes import CHECKS
from .evidence import Evidence
from .report import Diagnosis, LearningRateSweep, LeftOut, Result
from .watch import Watch

__all__ = ["CHECKS", "Diagnosis", "LearningRateSweep", "Result", "Watch", "diagnose"]


def diagnose(
    model: Any,
    loss: Any,
    x: Array,
    t: Array,
    *,
    optimizer: Any = None,
    transform: Callable[[Array], Array] | None = None,
    batch_size: int | None = None,
    validation_data: tuple[Array, Array] | None = None,
    validation_split: float = 0.0,
) -> Diagnosis:
    """Whether `model` can learn the targets t of the rows x, and if not, why: a Diagnosis, true where nothing is wrong.

    Cheap checks (NaN, scale, labels) look at all rows, checks with the model at 1000 of them. They work on copies:
    model, loss, optimizer and random numbers stay as they are, and a second call gives the same result. `transform`,
    `batch_size`, `validation_data` and `validation_split` are those of `fit`; an argument that is not given is not
    checked. Without an optimizer, Adam shows which learning rates work. Wrong values in x and t are reported, not
    raised.

    Raises TypeError or ValueError where an argument is not what its name says (a model, a loss, an optimizer, an array)
    or where x has another shape or dtype than the model takes.
    """
    demands.parts(model=model, loss=loss, **({} if optimizer is None else {"optimizer": optimizer}))
    prepare = demands.transform(transform)
    if next(minibatches(x, t, 1, shuffle=False), None) is None:  # this says what is no array
        raise ValueError(f"x must have at least one row, not shape {x.shape}")
    if x.size == 0:
        raise ValueError(f"x must have at least one column, not shape {x.shape}")
    batch_size = None if batch_size is None else checks.integer("batch_size", batch_size, 1)
    trained, validation = demands.validation(x, t, validation_split, validation_data, False)
    if validation is not None:
        try:
            next(minibatches(*validation, 1, shuffle=False), None)
        except (TypeError, ValueError) as error:
            raise type(error)(f"validation {error}") from None
    x, t = x[:trained], t[:trained]
    lines: dict[str, Result] = {}
    with chance_left_alone(), np.errstate(all="ignore"):
        evidence = Evidence(model, loss, optimizer, x, t, prepare, batch_size, validation)
        for name, check in CHECKS.items():
            try:
                line = check(evidence)
            except LeftOut as why:
                line = Result(f"left out: {why}")
            if line is not None:
                lines[name] = line
    parts = [type(model).__name__, repr(loss), *([] if optimizer is None else [repr(optimizer)])]
    return Diagnosis(f"{', '.join(parts)}, {len(x):,} row{'s' * (len(x) != 1)}", lines, evidence.__dict__.get("sweep"))
