"""A dy that is a constant times what it should be: where the factor comes from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...checks import Array
from .loss_values import both_gradients, is_classification, probe
from .measure import close, ratio
from .report import Finding
from .under_test import LossUnderTest


def named_ratio(tested: LossUnderTest, y: Array, t: Array, c: float, example: str, rng: np.random.Generator) -> Finding:
    """Where a constant factor comes from: measured again with other numbers of rows and columns."""
    factors: dict[tuple[int, int], float] = {}
    C = y.shape[1]
    for n, width in ((7, C), (5, C), (7, C + 1), (7, C + 2)):
        found = _ratio_at(tested, y, t, n, width, rng)
        if found is not None:
            factors[n, width] = found

    def follows(law: Callable[[int, int], float]) -> bool:
        sizes = {(len(y), C): c, **factors}
        return all(close(value, law(*size)) for size, value in sizes.items())

    named: list[tuple[str, Callable[[int, int], float], str, str]] = [
        ("sign", lambda n, D: -1, "dy has the wrong sign: it points uphill", "y - t, not t - y"),
        ("factor-2", lambda n, D: 2, "dy is twice what it should be", "take the 2 out, or the 1/2 out of the loss"),
        (
            "factor-half",
            lambda n, D: 0.5,
            "dy is half of what it should be",
            "the derivative of (y - t)^2 is 2 (y - t)",
        ),
        ("missing-1/n", lambda n, D: n, "the loss is a mean over the n rows, dy is not divided by n", "dy /= n"),
        ("divided-by-n-twice", lambda n, D: 1 / n, "dy is divided by n once too often", "divide once"),
        (
            "rows-not-elements",
            lambda n, D: D,
            "the loss averages over all n x D elements, dy over the n rows",
            "/ y.size",
        ),
        (
            "elements-not-rows",
            lambda n, D: 1 / D,
            "the loss averages over the n rows, dy over all elements",
            "/ len(y)",
        ),
        (
            "missing-1/n",
            lambda n, D: n * D,
            "the loss is a mean over n x D elements, dy is not divided",
            "dy /= y.size",
        ),
    ]
    for code, law, said, fix in named:
        if follows(law):
            return Finding(code, tested.where, f"{said}: a factor of {c:.6g} here. {example}", fix)
    origin = ""
    for number, text in ((1, ""), (2, "2 "), (0.5, "1/2 "), (-1, "-1 "), (-2, "-2 "), (-0.5, "-1/2 ")):
        for p, q in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)):
            if follows(lambda n, D: number * float(n) ** p * float(D) ** q):  # noqa: B023 (used at once)
                powers = "".join(f"{name}^{power} " for name, power in (("n", p), ("D", q)) if power)
                origin = f" That is {text}{powers}with n rows and D columns.".replace("^1 ", " ")
    why = f"dy is {c:.6g} times the gradient of the loss, everywhere.{origin} {example}"
    return Finding("factor", tested.where, why, "look for that factor in dy")


def _ratio_at(tested: LossUnderTest, y: Array, t: Array, n: int, C: int, rng: np.random.Generator) -> float | None:
    """dy against its measured value on a probe of other sizes, where the loss takes it."""
    if is_classification(y, t):
        y1, t1 = probe(t, n, C, rng)
    else:
        per_target = y.shape[1] // max(t.shape[1], 1) if t.ndim == 2 else 0
        if t.ndim != 2 or t.shape[1] * per_target != y.shape[1]:
            return None
        y1, t1 = rng.normal(size=(n, C * per_target)), rng.normal(size=(n, C))
    dy, measured = both_gradients(tested, y1, t1)
    if dy is None or measured is None or dy.shape != measured.shape:
        return None
    return ratio(dy, measured)
