"""Nudge a parameter and look at the loss: a gradient measured, beside the one that backward has given."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import checks
from ...model.any_model import by_place, copies
from ..checking.under_test import REAL, ModelUnderTest
from .lines import bracket
from .record import Case


@dataclass(frozen=True)
class Nudge:
    """The loss with one parameter `h` less, as it is, and `h` more; the slope of that, and backward's gradient."""

    name: str
    value: float
    h: float
    less: float
    before: float
    more: float
    analytic: float | None

    @property
    def measured(self) -> float:
        """[L(w + h) - L(w - h)] / (2 h)"""
        return (self.more - self.less) / (2 * self.h)

    def __str__(self) -> str:
        lines = [f"nudge {self.name} by {self.h:g} (in double precision)"]
        for w, L in ((self.value - self.h, self.less), (self.value, self.before), (self.value + self.h, self.more)):
            lines.append(f"  at {w:<14.10g}  L = {L:.12g}")
        lines.append(f"  measured: [L(w + h) - L(w - h)] / (2 h) = {self.measured:.8g}")
        analytic = "" if self.analytic is None else f"{self.analytic:.8g}"
        lines.append(f"  backward: dL/d{self.name.partition(' of ')[0]} = {analytic}")
        return "\n".join(lines)

    __repr__ = __str__


def nudge(sheet: Any, name: str, h: float | None = None) -> Nudge:
    """The Nudge of a parameter by its name, such as "W[0,1] of layer 2". Raises KeyError, ValueError."""
    quantity, index = sheet.find(name.removeprefix("dL/d") if isinstance(name, str) else name)
    key = quantity.key.format("")
    given = {other.key.format("") for other in sheet.step(0).quantities} - {"x", "t"}
    if key not in given:
        raise ValueError(f"name must be that of a parameter, such as {sorted(given)[:1]} with an index, not {name!r}")
    value = float(quantity.array[index])
    size = 1e-5 * max(1.0, abs(value)) if h is None else checks.number("h", h, 0)
    if not size:
        raise ValueError("h must be more than 0, not 0")
    parameter, _, place = key.partition(" of ")
    less, before, more = (loss_at(sheet.case, place, parameter, index, by) for by in (-size, 0.0, size))
    gradient = sheet.quantities.get(f"dL/d{key}")
    analytic = None if gradient is None or gradient.array is None else float(gradient.array[index])
    return Nudge(parameter + bracket(index) + " of " + place, value, size, less, before, more, analytic)


def loss_at(case: Case, place: str, name: str, index: tuple[int, ...], by: float) -> float:
    """The loss with one entry of a parameter moved by so much: on new copies, in double precision."""
    model, loss, _ = copies(*case.parts)
    with case.same_random_numbers(), np.errstate(all="ignore"):
        if not by_place(model):  # a model that is one box computes as it does
            model.params[index] += by
            return float(loss.forward(model.forward(case.x), case.t))
        if isinstance(getattr(model, "ops", None), types.ModuleType):
            model.ops = None  # a module cannot be copied; ModelUnderTest puts the textbook's in its place
        network = ModelUnderTest(model, loss, REAL)
        layer = {f"layer {path}": layer for path, layer in by_place(network.model).items()}[place]
        layer.arrays[name][index] += by
        return float(network.value(case.x, case.t))
