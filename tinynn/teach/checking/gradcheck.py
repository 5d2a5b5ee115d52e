"""Gradient checks: `check` a model with its loss, or `check_layer`, `check_loss` alone.

    report = tinynn.check(model, x, t, loss)
    print(report)                       # what is right, what is wrong, why, and what to change
    assert report

The backward pass runs once, as it is in training, on a private copy in double precision. Then the loss is measured
along random directions of each parameter tensor (measure.py): one forward pass checks all its numbers at once, and one
wrong weight among 200,000 is seen. Thresholds are relative to each tensor's own length: a sign in a gradient of 1e-9 is
found. Where something is wrong, the doctor looks at the loss, then at the layers from the loss to the input, and names
the first cause. The formulas are checked; tests check that the fast backends compute the same as the textbook.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ... import checks
from ...checks import Array
from ...layers.layer import Layer
from ...nesting import walk
from . import measure
from .adapted import Adapted, is_network
from .arguments import generator, numbers, pair_of, rows_of, short_name, targets_of
from .chance import same_draws
from .conventions import one_entry, right_for_one_entry
from .forwards import remarks
from .intake import adapted, as_model, as_network, is_model, shapes_of
from .layer_doctor import examine, upstream, whole_numbers
from .layer_gradients import LayerGradients
from .loss_doctor import TOGETHER, alone, examine_loss, together
from .loss_intake import adapt_loss, adapt_loss_of
from .network_doctor import ModelGradients, unit_at
from .network_slips import in_a_network
from .pairing import Unpaired
from .recorded_step import RecordedStep, first_broken_layer, first_not_finite, unpaired
from .report import STABILITY, Finding, Report, Row, place_of, worst_of
from .side_effects import draws, is_repeatable
from .styles import View, layout
from .sweep import StepSizeSweep
from .under_test import COMPLEX, REAL, LayerUnderTest, LossUnderTest, ModelUnderTest, gradient_name, private, quiet

Function = TypeVar("Function", bound=Callable[..., Any])


def _leaving_chance_alone(function: Function) -> Function:
    """Nothing of the process's is changed by a check; what is not finite is a finding, not an error of NumPy's."""

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        thing = next(iter([*args, *options.values()]), None)
        with same_draws(thing), np.errstate(all="ignore"):
            return function(*args, **options)

    return wrapped  # type: ignore[return-value]


@_leaving_chance_alone
def check_layer(layer: Any, x: Array, *, seed: int = 0) -> Report:
    """Check backward of one layer at input x (N, D): dx and the gradient of each parameter.

    `layer` is a tinynn Layer, an object in the style of a course (styles/ has those that are known), or functions with
    their arguments after x: (affine_forward, affine_backward, W, b). Samples may be rows of x, or columns if the layer
    takes columns. The layer is not changed. The gradient is that of L = sum of dy y with a random dy, drawn from
    `seed`. The report is "not-judged" if the style is not known, or if a number that has no gradient changes y.
    """
    x, notes = numbers("x", x)
    rng = generator(seed)
    try:
        layer, rows = adapted(layer, x)
    except Unpaired as error:
        return _not_judged(short_name(layer), str(error), notes)
    x, more = rows_of("x", rows)
    report = _judged(layer, x, rng, notes + more)
    return _as_a_mean(layer, x, seed, notes + more) or report if report.code == "divided-by-n" else report


def _as_a_mean(layer: Layer, x: Array, seed: Any, notes: list[str]) -> Report | None:
    """The report on a layer over columns that divides by m itself, where the cost's gradient does not."""
    view = getattr(layer, "thing", None)
    if not (isinstance(view, View) and view.shapes == "columns"):
        return None
    view.averages = True
    view.notes.append("its gradients are means over the samples: right where dA is not divided by m before")
    return _judged(layer, x, generator(seed), notes) or None


def _judged(layer: Layer, x: Array, rng: np.random.Generator, notes: list[str]) -> Report:
    """The report on a layer, or on a network whose output is its loss."""
    tested = LayerUnderTest(layer, layer.where)
    takes_ids = getattr(layer, "takes_ids", False)
    notes = [note for note in notes if not (takes_ids and "whole numbers" in note)]
    report = Report(f"check of {layer.where}", notes=notes + _notes_of(layer))
    report.finding = _without_dx(tested, x)
    if takes_ids and report.finding:  # ids have no gradient
        report.finding = None
    report.finding = examine(tested, x, rng) or unpaired(tested, x) or report.finding
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
    report.method = _method(gradients.exact)
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


def _notes_of(layer: Layer) -> list[str]:
    """How a layer takes samples, what else is special, and its numbers that are not learned, and not looked at."""
    names, said = getattr(layer, "constants", []), layout.SAID.get(shapes_of(layer))
    view = getattr(layer, "thing", None)
    notes = ([said] if said else []) + (view.notes if isinstance(view, View) else [])
    return notes + ([f"taken as constant, not learned: {', '.join(names)} of {layer.where}"] if names else [])


def _not_judged(name: str, why: str, notes: list[str]) -> Report:
    return Report(f"check of {name}", finding=Finding("not-judged", name, why), notes=notes)


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


@_leaving_chance_alone
def check_loss(loss: Any, y: Array, t: Array, *, seed: int = 0) -> Report:
    """Check a loss at predictions y and targets t: its gradient dy, and that it computes what it should.

    `loss` is a tinynn Loss, a function (y, t) -> (value, dy), a pair of functions, or an object with two methods, such
    as forward(y, t) and backward(), or loss and gradient. The order (t, y) is recognised by the arguments' names or by
    trying. The value of a cross-entropy is checked, too: a wrong loss may have the right gradient of that wrong loss.
    """
    y, t, notes = pair_of("y", y, t)
    loss, y, said = adapt_loss(loss, y, t)
    tested, notes = LossUnderTest(loss), notes + said
    row, finding, exact = examine_loss(tested, y, t, generator(seed))
    finding = alone(finding, row)
    report = Report(f"check of {tested.where}", _method(exact), [] if row is None else [row], finding, notes)
    report.notes += _notes_on(tested, y, t)
    if row is not None:
        dy = np.array(tested.both(y.copy(), t)[1], float)
        report.sweeper = lambda: StepSizeSweep(*measure.sweep(lambda a: tested.value(a, t), y, measure.slope(dy)))
    return report


def _notes_on(loss: LossUnderTest, y: Array, t: Array) -> list[str]:
    """A sum over the rows is no bug, but good to know."""
    try:
        once, twice = (float(loss.value(np.concatenate([y] * k), np.concatenate([t] * k))) for k in (1, 2))
    except Exception:
        return []
    summed = once != 0 and abs(twice - 2 * once) < 1e-9 * abs(once)
    return ["the loss is a sum over the rows: its gradient grows with the batch"] if summed else []


@_leaving_chance_alone
def check(model: Any, x: Array, t: Array, loss: Any = None, *, seed: int = 0) -> Report:
    """Check every gradient of `model` with `loss` at rows x (N, D) and targets t.

    `model` is a Sequential, a class of your own over `flatten`, a layer, or a list of layers; layers may be in the
    style of a course, as in check_layer. A network that computes its loss, too, as with loss(x, t) or backward(x, t),
    needs no `loss`. Nor do functions: (forward_propagation, compute_cost, backward_propagation, parameters). Where they
    do not compute their loss, it is found by measuring.

    Parameters, caches, warning filters and the random state are not changed (except that, outside the main thread,
    numbers that forward draws from NumPy's or Python's global generator stay drawn). At most 32 rows are used. Raises
    TypeError, ValueError where x, t, model and loss are not what they are called, or do not fit each other.
    """
    x, notes = numbers("x", x)
    rng = generator(seed)
    report = Report(f"check of {short_name(model)}", notes=notes)
    try:
        integers = _integers(model)
        alone = None if integers else as_network(model, x, t, loss)
        if alone is not None:
            layer, x, more = alone
            return _judged(layer, x, rng, notes + more)
        model, rows = (model, x) if integers else as_model(model, x)
    except Unpaired as error:
        return _not_judged(short_name(model), str(error), notes)
    except (TypeError, ValueError):
        raise
    except Exception as error:  # an object that fails to say what it is
        raise TypeError(f"model must be a model such as a Sequential, not {checks.describe(model)}") from error
    if integers:
        report.finding = integers
        return report
    x, t, more = pair_of("x", rows, targets_of(x, rows, t))
    report.notes += more
    loss, said = adapt_loss_of(model, loss, x, t)
    report.notes += said
    if any(getattr(layer, "takes_ids", False) for _, layer in walk(model)):
        report.notes = [note for note in report.notes if "whole numbers" not in note]
    network = ModelUnderTest(model, loss, REAL)
    untouched = ModelUnderTest(model, loss, REAL).layers  # the step leaves its traces in the others
    step = RecordedStep(network, untouched, x, t)
    report.finding = step.failed
    if step.dy is None:
        return report
    if step.failed is None and report.finding is None:
        report.finding = first_not_finite(step)
        if report.finding:
            return report
    row, finding, exact = examine_loss(network.loss, step.y, t, rng)
    report.notes += _notes_on(network.loss, step.y, t)
    unstable = finding if finding and finding.code in STABILITY else None  # and the layers are looked at all the same
    finding = None if unstable else finding
    if step.failed is None:
        report.finding = finding
    twin = ModelUnderTest(model, loss, COMPLEX)
    gradients = ModelGradients(network, twin, x, t)
    gradients.exact = gradients.exact and exact
    report.rows = [*([row] if row else []), *gradients.rows(step, rng)]
    as_a_pair = together(finding, report.rows[1:])
    if as_a_pair:
        report.rows[0].verdict, report.finding = "ok", None
        report.notes.append(TOGETHER)
    report.method = _method(gradients.exact)
    copies = private("model and loss", (model, loss))
    report.sweeper = functools.partial(_sweep, copies, x, t, measure.slope(step.grads))
    wrong = [r for r in report.rows if r.verdict == "wrong"]
    if wrong and finding is None and _right_nearby(model, loss, x, t, rng):
        report.notes.append(
            "not a bug: a unit sits at its kink, where left and right slope differ; beside it all is right"
        )
        for row in wrong:
            row.verdict = "kink"
        wrong = []
    if report.finding is None and not as_a_pair:
        report.finding = first_broken_layer(step, rng) or gradients.diagnose(step, wrong)
    if report.finding:
        report.finding.agree_with(report.rows)
    if not is_repeatable(report.finding):
        report.rows = []
    report.notes += list(dict.fromkeys(note for layer in network.layers for note in _notes_of(layer)))
    if report.finding is None:
        report.finding = step.unpaired()
    if report.finding is None:
        report.notes += [
            note for layer in step.of("forward") for note in remarks(step.alone(layer), step.given(layer), rng)
        ]
        for layer in step.of("forward"):
            report.notes += [f"{layer.where}: {note}" for note in draws(step.alone(layer), step.given(layer))]
    if report.finding and report.where != network.layers[0].where:
        report.notes.append("what comes before it, towards the input, is not judged until this is right")
    report.finding = report.finding or unstable
    return report


def _sweep(parts: tuple[Any, Any], x: Array, t: Array, slope: float) -> StepSizeSweep:
    """The sweep of a model; a report holds no more for it than a copy of the model."""
    return ModelGradients(ModelUnderTest(*parts, REAL), ModelUnderTest(*parts, COMPLEX), x, t).sweep(slope)


def _sweep_layer(layer: Layer, x: Array, dy: Array, name: str, slope: float) -> StepSizeSweep:
    """The sweep of one tensor of a layer."""
    gradients = LayerGradients(LayerUnderTest(layer, layer.where), x, dy, dy, {}, np.random.default_rng(0))
    return StepSizeSweep(*measure.sweep(gradients.scalar(name), gradients.at(name), slope))


def _right_nearby(model: Any, loss: Any, x: Array, t: Array, rng: np.random.Generator) -> bool:
    """Whether all gradients are right at parameters a little to the side, away from kinks."""
    network, untouched = ModelUnderTest(model, loss, REAL), ModelUnderTest(model, loss, REAL).layers
    network.params += 1e-3 * (1 + np.abs(network.params)) * measure.normal(rng, network.params)
    moved, its_loss = network.model, network.loss.loss
    gradients = ModelGradients(ModelUnderTest(moved, its_loss, REAL), ModelUnderTest(moved, its_loss, COMPLEX), x, t)
    return all(row.verdict == "ok" for row in gradients.rows(RecordedStep(network, untouched, x, t), rng))


def _integers(model: Any) -> Finding | None:
    """Whole numbers for parameters, in a layer that is not tinynn's (which makes floats of them)."""
    for layer in model if isinstance(model, list | tuple) else [model]:
        if not isinstance(layer, Layer) and not is_model(layer) and hasattr(layer, "forward"):
            found = whole_numbers(layer)
            if found:
                return found
    return None


def _method(exact: bool) -> str:
    return "the complex step" if exact else "central differences (forward is not made for complex numbers)"
