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
from ...process import chance_left_alone
from . import measure
from .arguments import generator, numbers, pair_of, rows_of, short_name, targets_of
from .chance import same_draws
from .forwards import remarks
from .intake import adapted, as_model, as_network, is_model, shapes_of
from .layer_doctor import whole_numbers
from .layer_report import as_a_mean, judged, method, notes_of
from .leaves import Unpaired
from .loss_doctor import TOGETHER, alone, examine_loss, together
from .loss_eps import leave_eps_out_of
from .loss_intake import adapt_loss, adapt_loss_of
from .network_doctor import ModelGradients
from .recorded_step import RecordedStep, first_broken_layer, first_not_finite
from .report import STABILITY, Finding, Report
from .side_effects import draws, is_repeatable
from .styles.layout import ONE
from .sweep import StepSizeSweep
from .under_test import COMPLEX, REAL, LossUnderTest, ModelUnderTest, private

SAMPLES = 5  # that are looked at where code takes one at a time
HARDLY = 1e-8  # an error that may be one of the complex step: of exp(-|y|) in a loss, |y| loses its imaginary part

Function = TypeVar("Function", bound=Callable[..., Any])


def _leaving_chance_alone(function: Function) -> Function:
    """Nothing of the process's is changed by a check; what is not finite is a finding, not an error of NumPy's."""

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        thing = next(iter([*args, *options.values()]), None)
        with chance_left_alone(), same_draws(thing), np.errstate(all="ignore"):
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
    given, (x, more) = x, rows_of("x", rows)
    report = judged(layer, x, rng, notes + more)
    if report and is_one_of(layer, x, given):
        return of_the_first(lambda k: judged(layer, given[k : k + 1], rng, notes + more), len(given), report)
    return as_a_mean(layer, x, seed, notes + more) or report if report.code == "divided-by-n" else report


def is_one_of(layer: Layer, x: Array, given: Array) -> bool:
    """Whether code takes one sample at a time, and x is the first of those that were given."""
    return shapes_of(layer) in ONE and np.array_equal(x, given[:1])


def of_the_first(judged_at: Callable[[int], Report], N: int, report: Report) -> Report:
    """Of code that takes one sample at a time, the report on one of the first that is wrong; else the one there is.

    With one sample alone all units of a ReLU may be on, and a slope that is forgotten is not seen.
    """
    others = (judged_at(k) for k in range(1, min(N, SAMPLES)))
    return next((other for other in others if not other), report)


def _not_judged(name: str, why: str, notes: list[str]) -> Report:
    return Report(f"check of {name}", finding=Finding("not-judged", name, why), notes=notes)


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
    report = Report(f"check of {tested.where}", method(exact), [] if row is None else [row], finding, notes)
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
            given, targets, (layer, x, more) = x, t, alone
            found = judged(layer, x, rng, notes + more)
            if found and is_one_of(layer, x, given) and len(given) == len(targets):

                def at(k: int) -> Report:
                    layer.thing.aim(targets[k : k + 1])
                    return judged(layer, given[k : k + 1], rng, notes + more)

                return of_the_first(at, len(given), found)
            note = "" if found else leave_eps_out_of(layer.thing, x)
            return judged(layer, x, generator(seed), [*notes, *more, note]) if note else found
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
    measured = gradients.rows(step, rng)
    seems_wrong = any(one.verdict == "wrong" for one in measured)
    if gradients.exact and seems_wrong and max(one.error for one in measured) < HARDLY:
        gradients.exact = False
        measured = gradients.rows(step, rng)
    report.rows = [*([row] if row else []), *measured]
    as_a_pair = together(finding, report.rows[1:])
    if as_a_pair:
        report.rows[0].verdict, report.finding = "ok", None
        report.notes.append(TOGETHER)
    report.method = method(gradients.exact)
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
    report.notes += list(dict.fromkeys(note for layer in network.layers for note in notes_of(layer)))
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
