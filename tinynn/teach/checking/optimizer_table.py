"""The rows and the picture of a path, beside the right one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...checks import Array
from .measure import same
from .report import Row


def plot(name: str, path: Array, expected: Array, axes: Any = None) -> Any:
    """The way of the first three numbers, step by step, and the right one; returns the axes."""
    from ...plots import style

    axes = style.one_axes(axes, (5.6, 4.0))
    for k, colour in zip(range(3), style.COLOURS):
        axes.plot(expected[:, k], "-", color=colour, label=f"parameter {k}, right")
        axes.plot(path[:, k], "o", color=colour, markerfacecolor="none", label=f"parameter {k}, {name}")
    axes.set(xlabel="step", ylabel="parameter")
    axes.legend(frameon=False, fontsize=8)
    style.bare(axes)
    return axes


def rows_of_path(where: str, path: Array, expected: Array) -> list[Row]:
    rows = []
    for k, (got, wanted) in enumerate(zip(path, expected), 1):
        index = int(np.argmax(np.abs(got - wanted)))
        error = abs(float(got[index] - wanted[index])) / (float(np.abs(wanted).max()) or 1.0)
        verdict = "ok" if error < 1e-9 else "wrong"
        rows.append(Row(where, f"step {k}", f"[{index}]", float(got[index]), float(wanted[index]), error, verdict))
    return rows


def worked_path(path: Array, expected: Array) -> str:
    for k, (got, wanted) in enumerate(zip(path, expected), 1):
        if not same(wanted, got):
            index = int(np.argmax(np.abs(got - wanted)))
            digits = 8 if abs(got[index] - wanted[index]) > 1e-7 * abs(wanted[index]) else 12
            is_, should = (f"{float(a[index]):.{digits}g}" for a in (got, wanted))
            return f"After step {k} parameter {index} is {is_}; it should be {should}."
    return ""
