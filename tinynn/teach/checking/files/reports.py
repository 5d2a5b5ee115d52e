"""The report on one name of a file."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from .... import checks
from ....losses import MSE
from .. import kinds, styles
from ..gradcheck import check as check_model
from ..gradcheck import check_layer
from ..report import Report, in_words, line_of, raised
from ..styles.valued import Valued
from . import arguments, samples
from .loading import Slip, it_has, kind_of, why_unknown
from .loops import of_a_loop
from .together import groups


def check(names: dict[str, Any], name: str, seed: int, asked_for: bool = True) -> Report:
    """The report on what a file calls `name`; its x may not be meant for what nobody `asked_for`. Raises Slip."""
    rng = np.random.default_rng(seed)
    try:
        if name in groups(names):
            return of_functions(name, names, rng)
        thing = names[name]
        kind = kind_of(thing)
        if kind is None and isinstance(thing, type):
            raise Slip(why_unknown(thing), "unknown-style")
        if kind is None:
            what = checks.describe(thing)
            raise Slip(f"{name} must be a layer, loss, model or optimizer, not {what}")
        if inspect.isfunction(thing) and kinds.other_kind(thing, names) == "loop":
            return of_a_loop(thing, names, rng, asked_for)
        found = kinds.examined(thing, names, rng) if inspect.isfunction(thing) or kind == "optimizer" else None
        if found is not None:
            return found
        drawn_too, first = isinstance(thing, type), None
        for one in arguments.objects_of(thing, rng) if drawn_too else [thing]:
            report = of_an_object(one, names, rng, drawn_too or not asked_for)
            if report is not None and not (drawn_too and fails(report)):
                return report
            first = first or report
    except Slip:
        raise
    except Exception as error:
        line = line_of(error)[0]
        raise Slip(f"{name} cannot be checked: {in_words(error) if line else error}", line=line) from error
    if first is not None:
        return with_what_was_drawn(first)
    failed, ends = None if kind_of(one) == "network" else samples.error_with_rows(one, rng), ""
    if failed is not None:
        ends = f" (with x of shape {failed[0]} it raises {in_words(failed[1])})"
        report = Report(f"check of {name}", finding=raised(name, "forward", failed[1]))
        if report.code == "raises" and not fails(report):
            return report
    write = f"define one, such as layer = {name}(...), and x in the file" if drawn_too else "define x in the file"
    raise Slip(f"{name} is not judged: its forward does not run with any x that was drawn for it{ends}; {write}")


def fails(report: Report) -> bool:
    """Whether the code has raised, as it may with other arguments than it was made for."""
    own = report.where.removeprefix("loss ").split("(")[0]
    certain = " raises NameError" in report.why or f"'{own}' object has no attribute" in report.why
    return report.code == "raises" and " raises " in report.why and not certain


def with_what_was_drawn(report: Report) -> Report:
    """A report on an object that was made with drawn arguments, and fails: others may be needed."""
    assert report.finding is not None
    report.finding.code = "not-judged"
    report.finding.why += ". Its arguments, x and t were drawn; if it is made for others, define them in the file"
    return report


def of_an_object(thing: Any, names: dict[str, Any], rng: np.random.Generator, any_x: bool) -> Report | None:
    """The report on a layer, loss or model; None where its forward runs with nothing that is samples."""
    kind = kind_of(thing)
    may_be_a_loss = kind == "loss" or (kind is None and not styles.goes_back(type(thing)))
    found = kinds.examined(thing, names, rng) if may_be_a_loss else None
    if found is not None:
        return found
    if kind is None:
        raise styles.Unknown(
            f"{type(thing).__name__}() has no forward(x) and backward(dy), nor loss(x, t){it_has(type(thing))}"
        )
    if kind == "loss":
        return kinds.of_a_loss(thing, names, rng)
    if kind == "network":
        return of_a_network(thing, names, rng)
    x = samples.rows_for(thing, names, rng, any_x)
    if x is None or kind == "layer":
        return None if x is None else check_layer(thing, x)
    loss = names.get("loss", MSE())
    loss = loss() if isinstance(loss, type) else loss
    t = samples.own(names, "t")
    if t is not None:
        return check_model(thing, x, t, loss)
    drawn = samples.targets(samples.outputs(thing, x), getattr(loss, "classifies", None), rng)
    reports = []
    for t in drawn:
        reports.append(check_model(thing, x, t, loss))
        if not fails(reports[-1]):
            return reports[-1]
    return with_what_was_drawn(reports[0])


def of_functions(name: str, names: dict[str, Any], rng: np.random.Generator) -> Report:
    """Functions that belong together, as a layer or a network."""
    given, x, t = samples.functions_with_arguments(groups(names)[name], names, rng)
    return check_layer(given, x) if t is None else check_model(given, x, t)


def of_a_network(thing: Any, names: dict[str, Any], rng: np.random.Generator) -> Report | None:
    """A network that is its loss, too, with x and targets of the file, or such as it takes."""
    if isinstance(thing, Valued):  # which has no x
        return check_model(thing, np.zeros((1, 1)), np.zeros((1, 1)))
    x, whole = samples.own(names, "x"), styles.recognised(thing)
    for rows in samples.widths_of(thing, rng) if x is None else [x]:
        ran = samples.targets_for(whole, rows, names, rng)
        if ran is not None:
            return check_model(thing, *ran[:2])
    return None
