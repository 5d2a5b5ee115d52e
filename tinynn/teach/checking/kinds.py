"""What a class or function of a file is, where it is none of tinynn's: an optimizer, a loss, a training loop.

For the command line: `other_kind` tells them apart, `examined` gives the report, with what the file defines beside it.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np

from ...layers.layer import Layer
from ...losses import Loss
from . import optimizer_styles as styles
from .gradcheck import check_loss
from .loss_styles import method_names, partner_of, sides
from .optimizer_doctor import check_optimizer
from .report import Report

NETWORK = ("forward", "predict", "fit", "train", "feedforward", "backprop", "forward_pass", "fprop", "backward")
LOSS = re.compile(r"loss|cost|entropy|mse|mae|error|hinge|huber|squared|nll|bce", re.IGNORECASE)
LOOP = re.compile(r"train|fit|loop|main|learn|run|descent|epoch", re.IGNORECASE)
RULE = re.compile(r"sgd|adam|momentum|rmsprop|adagrad|adadelta|nesterov|descent|update|step|optimi[sz]e", re.IGNORECASE)


def other_kind(thing: Any, names: dict[str, Any] | None = None) -> str | None:
    """ "optimizer", "loss" or "loop"; None for everything else, and for what is tinynn's."""
    if inspect.isfunction(thing):
        if _is_rule(thing):
            return "optimizer"
        if _takes_pair(thing) and (LOSS.search(thing.__name__) or partner_of(thing.__name__, names or {})):
            return "loss"
        return "loop" if LOOP.search(thing.__name__) else None
    if isinstance(thing, tuple) and len(thing) == 2 and all(map(inspect.isfunction, thing)):
        return "loss" if _takes_pair(thing[0]) else None
    cls = thing if isinstance(thing, type) else type(thing)
    if issubclass(cls, Layer | Loss) or cls.__module__ == "builtins":
        return None
    if isinstance(thing, type) and _is_optimizer(cls):
        return "optimizer"
    value, gradient = method_names(cls)
    return "loss" if value and gradient and _takes_pair(getattr(cls, value)) else None


def examined(thing: Any, names: dict[str, Any], rng: np.random.Generator) -> Report | None:
    """The report on an optimizer or a loss of a file; None for anything else.

    Raises TypeError, ValueError with what is missing in the file.
    """
    kind = other_kind(thing, names)
    if kind == "optimizer":
        return check_optimizer(thing)
    if kind == "loss":
        needs = isinstance(thing, type) and [p for p in needed(thing) if p != "self"]
        if needs:
            raise ValueError(f"it needs {', '.join(needs)}: define one, such as loss = {thing.__name__}(...)")
        return of_a_loss(thing() if isinstance(thing, type) else thing, names, rng)
    return None


def of_a_loss(loss: Any, names: dict[str, Any], rng: np.random.Generator) -> Report:
    """A loss on what the file calls y and t, else on labels, on labels as rows, on numbers: whichever it takes."""
    partner = partner_of(loss.__name__, names) if inspect.isfunction(loss) else None
    loss = (loss, partner) if partner else loss
    y = names.get("y", rng.normal(0, 2, (7, 3)))
    if "t" in names:
        return check_loss(loss, y, names["t"])
    labels = rng.integers(0, y.shape[1], len(y))
    tried = [labels, np.eye(y.shape[1])[labels]] if getattr(loss, "classifies", None) is not False else []
    reports = []
    for t in [*tried, rng.normal(size=y.shape)]:
        reports.append(check_loss(loss, y, t))
        drawn = "y" not in names and t.ndim == 2
        if reports[-1].code == "rows-not-elements" and drawn and check_loss(loss, y[:, :1], t[:, :1]):
            return for_one_output(reports[-1])
        if reports[-1].code not in ("raises", "not-finite"):
            return reports[-1]
    if tried and reports[0].code == "not-finite":
        return reports[0]
    return next((report for report in reports if not report.why.startswith("forward raises")), reports[-1])


def for_one_output(report: Report) -> Report:
    """The report on a loss whose gradient is right where y, which was drawn, has one column: it may be meant so."""
    assert report.finding is not None
    report.finding.code = "not-judged"
    report.finding.why = f"for one output a row it is right; for more it is not: {report.finding.why}"
    report.finding.fix += ", or define y and t in the file, as they are meant"
    return report


def needed(function: Any) -> list[str]:
    """The arguments without a default."""
    asked = inspect.signature(function).parameters.values()
    return [p.name for p in asked if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def _is_rule(function: Any) -> bool:
    """A function that makes a step of an optimizer: of parameters and gradients, by their names."""
    roles = styles.roles_of(function)
    if "params" not in roles or not RULE.search(function.__name__):
        return False
    return "grads" in roles or bool({"state", "hyper", "batch"} & roles)


def _is_optimizer(cls: type) -> bool:
    """A class with a step of parameters, gradients or layers, and none of a network's methods."""
    if any(callable(getattr(cls, name, None)) for name in NETWORK):
        return False
    try:
        if styles.method_of(cls) == "__call__" and not RULE.search(cls.__name__):
            return False
        return bool(styles.forms_of(cls))
    except styles.UnknownStyle:
        return False


def _takes_pair(function: Any) -> bool:
    """Whether a function takes predictions and targets, by its arguments' names, and nothing else that is needed."""
    try:
        asked = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = [p.name for p in asked if p.default is p.empty and p.name != "self" and p.kind is p.POSITIONAL_OR_KEYWORD]
    found = [side for name, side in sides(function).items() if name in needed]
    return len(needed) == 2 and ("t" in found or found == [None, None])
