"""The report on one layer, or on a network that is its loss, too: a row for each gradient, and what was found."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ...checks import Array
from ...layers.layer import Layer
from ...nesting import walk
from . import measure
from .adapted import Adapted, is_network
from .arguments import generator
from .conventions import one_entry, right_for_one_entry
from .forwards import remarks
from .intake import shapes_of
from .layer_doctor import examine, upstream
from .layer_gradients import LayerGradients
from .network_doctor import unit_at
from .network_slips import in_a_network
from .patterns import in_common
from .recorded_step import unpaired
from .report import Finding, Report, Row, place_of, worst_of
from .side_effects import draws, is_repeatable
from .styles import View, layout
from .sweep import StepSizeSweep
from .under_test import LayerUnderTest, gradient_name, quiet


def as_a_mean(layer: Layer, x: Array, seed: Any, notes: list[str]) -> Report | None:
    """The report on a layer over columns that divides by m itself, where the cost's gradient does not."""
    view = getattr(layer, "thing", None)
    if not (isinstance(view, View) and view.shapes == "columns"):
        return None
    view.averages = True
    view.notes.append("its gradients are means over the samples: right where dA is not divided by m before")
    return judged(layer, x, generator(seed), notes) or None


def judged(layer: Layer, x: Array, rng: np.random.Generator, notes: list[str]) -> Report:
    """The report on a layer, or on a network whose output is its loss."""
    tested = LayerUnderTest(layer, layer.where)
    takes_ids = getattr(layer, "takes_ids", False)
    notes = [note for note in notes if not (takes_ids and "whole numbers" in note)]
    report = Report(f"check of {layer.where}", notes=notes + notes_of(layer))
    report.finding = _without_dx(tested, x)
    if takes_ids and report.finding:  # ids have no gradient
        report.finding = None
    report.finding = examine(tested, x, rng) or unpaired(tested, x) or report.finding
    report.notes += tested.notes
    if report.code == "not-finite" or not is_repeatable(report.finding):
        return report
    try:
        y = tested.forward(x)
        dy = upstream(tested, y, rng)
        several = len(getattr(getattr(layer, "thing", None), "upstream", ())) > 1  # each needs a dy of its own
        if report.code == "unknown" and not several and right_for_one_entry(tested, x, y, rng):
            dy, report.finding = one_entry(y, 0), None
            report.notes.append(
                "right where dy has one entry that is not 0, as behind -log p of a label; not for others"
            )
        analytic, dx = tested.gradients(x, dy)
    except Exception:  # the finding says so
        return report
    if not tested.tensors:
        why = "it has no parameters, and backward returns no dx: there is no gradient to look at"
        report.finding = report.finding or Finding("not-judged", layer.where, why, "return dx")
        return report
    gradients = LayerGradients(tested, x, y, dy, {**analytic, "x": dx}, rng)
    report.method = method(gradients.exact)
    for name in tested.tensors:
        report.rows.append(_row_of(gradients, name))
    if report.finding:
        report.finding.agree_with(report.rows)
    elif any(row.verdict == "wrong" for row in report.rows):  # but right a little to the side
        report.notes.append("not a bug: a unit sits at its kink, where left and right slope differ")
        for row in report.rows:
            row.verdict = "kink" if row.verdict == "wrong" else row.verdict
    elif not is_network(layer):
        report.notes += remarks(tested, x, rng)
    report.notes += draws(tested, x)
    wrong = [name for name, row in zip(tested.tensors, report.rows) if row.verdict == "wrong"]
    if report.finding and is_network(layer):
        in_a_network(report.finding, report.rows, has_loss=layer.thing.has_loss)  # type: ignore[attr-defined]
    elif report.code == "unknown":
        inputs = ("x", *getattr(getattr(layer, "thing", None), "inputs", ()))
        rows = zip(tested.tensors, report.rows)
        report.finding.why += in_common({row.tensor: name in wrong for name, row in rows if name not in inputs})  # type: ignore[union-attr]
    swept = [*wrong, *tested.tensors[::-1]][0]
    slope = measure.slope(gradients.analytic[swept])
    report.sweeper = functools.partial(_sweep_layer, tested.original, x, dy, swept, slope)
    for row in report.rows:
        if row.verdict == "kink" and row.tensor == "dx":
            index = tuple(map(int, row.entry.strip("[]").split(",")))
            report.notes.append(f"not a bug: {unit_at(index)} (x{row.entry} = {x[index]:.1g}) sits at a kink")
    return report


def _without_dx(tested: LayerUnderTest, x: Array) -> Finding | None:
    """Where backward returns no dx, as that of a whole network may, the parameters alone can be looked at."""
    layer = tested.fresh()
    layer.needs_dx = False
    try:
        with quiet():
            dx = layer.backward(np.ones_like(layer.forward(x.copy())))
    except Exception:  # the examination says so
        return None
    if dx is not None or not isinstance(layer, Adapted):
        return None
    tested.without_dx()
    if is_network(layer):
        tested.tensors = tested.names[::-1]  # from the loss to the input
        return None
    why = "backward returns no dx. A network, or its first layer, needs none; any other layer does"
    return Finding("not-judged", tested.where, why, "return dx")


def notes_of(layer: Layer) -> list[str]:
    """How a layer takes samples, what else is special, and its numbers that are not learned, and not looked at."""
    names, said = getattr(layer, "constants", []), layout.SAID.get(shapes_of(layer))
    view = getattr(layer, "thing", None)
    notes = ([said] if said else []) + (view.notes if isinstance(view, View) else [])
    return notes + ([f"taken as constant, not learned: {', '.join(names)} of {layer.where}"] if names else [])


def _row_of(gradients: LayerGradients, name: str) -> Row:
    """The row of a layer's tensor: entry by entry where it is small, its largest entries where it is not."""
    a = gradients.analytic[name]
    wrong = gradients.is_wrong(name)
    n = gradients.numeric(name)
    scale = max(float(np.nanmax(np.abs(n), initial=0)), float(np.abs(a).max(initial=0)), gradients.floor) or 1.0
    index = worst_of(a, n) if a.size else (0,) * a.ndim
    error = abs(float(a[index] - n[index])) / scale
    tolerance = measure.TOLERANCE[gradients.exact]
    if not wrong and error >= 100 * tolerance and name != "x":  # it is 0, to the round-off of what cancels in it
        error = abs(float(a[index] - n[index])) / (scale + gradients.floor / tolerance)
    verdict = "wrong" if wrong else "kink" if error >= 100 * tolerance and name == "x" else "ok"
    where, label = gradients.tested.where, gradient_name(name)
    within, _, last = label.rpartition(".")
    inner = dict(walk(gradients.tested.original)).get(within)
    if inner is not None:
        where, label = f"{within}, {inner!r}", last
    return Row(where, label, place_of(index), float(a[index]), float(n[index]), error, verdict)


def _sweep_layer(layer: Layer, x: Array, dy: Array, name: str, slope: float) -> StepSizeSweep:
    """The sweep of one tensor of a layer."""
    gradients = LayerGradients(LayerUnderTest(layer, layer.where), x, dy, dy, {}, np.random.default_rng(0))
    return StepSizeSweep(*measure.sweep(gradients.scalar(name), gradients.at(name), slope))


def method(exact: bool) -> str:
    return "the complex step" if exact else "central differences (forward is not made for complex numbers)"
