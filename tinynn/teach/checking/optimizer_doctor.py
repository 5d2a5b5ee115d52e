"""The doctor for optimizers: `check_optimizer(Adam)` runs a few steps on given gradients and compares the path.

First it finds out how the optimizer is called (optimizer_styles.py), then whether anything moves at all. The rule is
recognised by its name and its settings: two betas mean Adam, one momentum means SGD with momentum. A wrong path is
compared with the paths of the classic slips, and named if it is the same to 1e-9. An optimizer with a rule that is not
known cannot be judged: then the report is "not-judged".
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import checks
from ...checks import Array
from . import optimizer_decay as decay
from . import optimizer_styles as styles
from .names import OPTIMIZERS, is_decay, role_of
from .optimizer_family import family_of
from .optimizer_form import style_of
from .optimizer_path import STEPS, Examination
from .optimizer_under_test import OptimizerUnderTest
from .report import Finding, Report, raised
from .small_network import ALIKE
from .under_test import quiet


def check_optimizer(optimizer: Any, **options: Any) -> Report:
    """Check an optimizer: SGD, momentum, Nesterov, AdaGrad, RMSProp, Adam and the like, tinynn's or your own.

    It is a class, made as optimizer(model, lr=..., **options) or optimizer(lr=..., **options), with step(),
    update(params, grads), update(w, g) or update_params(layer); or a function such as sgd(w, dw, config) or
    update(parameters, grads, v, s, t, ...). It makes six steps on two small tensors, W (2, 2) and b (2,). `options` are
    arguments of the class or function, such as lr=0.01 or momentum=0.9.

    Raises TypeError for what is no class or function and for an option that it does not take, ValueError for a learning
    rate below 0.
    """
    if not (isinstance(optimizer, type) or inspect.isfunction(optimizer)):
        makes_steps = any(callable(getattr(optimizer, name, None)) for name in styles.METHODS)
        hint = f": give the class, {type(optimizer).__name__}, not an object of it" if makes_steps else ""
        raise TypeError(f"optimizer must be a class or a function, not {checks.describe(optimizer)}{hint}")
    _demand_options(optimizer, options)
    where = optimizer.__name__
    report = Report(f"check of {where}", f"{STEPS} steps on given gradients", columns=("got", "right"))
    options = {name: value for name, value in options.items() if not is_decay(name)}  # looked at later
    start = np.random.default_rng(0).normal(size=6)
    try:
        with quiet():
            for more in _variants(optimizer, options):
                if report.finding is None:
                    settings = {**options, **more}
                    try:
                        form = style_of(optimizer, settings, start)
                    except Exception as error:
                        _look_alike(optimizer, settings, start, report, error)
                        continue
                    Examination(optimizer, settings, form, report).look()
    except styles.UnknownStyle as error:
        why = f"it is not known how to call it, so that nothing was checked: {error}"
        report.finding, report.method = Finding("not-judged", where, why, f"write {styles.WRITE}"), ""
    except Exception as error:
        report.finding = raised(where, _method(optimizer), error)
    return report


def _demand_options(optimizer: Any, options: dict[str, Any]) -> None:
    """Raise TypeError for an option that the optimizer does not take, or ValueError for a learning rate below 0.

    What a function has in a configuration cannot be told.
    """
    functions = [optimizer]
    try:
        functions += [getattr(optimizer, styles.method_of(optimizer))] if isinstance(optimizer, type) else []
        asked = [name for function in functions for name in styles.arguments_of(function)]
    except styles.UnknownStyle:  # the report says so
        return
    anything = any(p.kind is p.VAR_KEYWORD for f in functions for p in inspect.signature(f).parameters.values())
    if anything or any(role_of(name, OPTIMIZERS) in ("config", "hyper") for name in asked):
        return
    taken = [name for name in asked if role_of(name, OPTIMIZERS) is None]
    for name, value in options.items():
        if name not in asked:
            takes = ", ".join(dict.fromkeys(taken)) or "none"
            raise TypeError(f"options must be arguments of {optimizer.__name__} ({takes}), not {name!r}")
        if name in ("lr", "learning_rate"):
            checks.number(name, value, 0)


def _look_alike(thing: Any, options: dict[str, Any], start: Array, report: Report, error: Exception) -> None:
    """Why it fails with W (2, 2) and b (2,): with two tensors of one shape a state that both share is seen.

    Raises the error where it fails with these, too.
    """
    if not isinstance(error, styles.UnknownStyle):
        raise error
    try:
        form = style_of(thing, options, start, ALIKE)
    except Exception:
        raise error from None
    examination = Examination(thing, options, form, report)
    examination.tested = examination.make(options, shapes=ALIKE)
    examination.family = family_of(examination.tested)
    if not examination.one_for_all():
        OptimizerUnderTest(thing, options, start, form).step(start)  # raises what is to be said


def _method(optimizer: Any) -> str:
    try:
        return styles.method_of(optimizer) if isinstance(optimizer, type) else optimizer.__name__
    except styles.UnknownStyle:
        return "__init__"


def _variants(thing: Any, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """As it comes, with the momentum that it offers (which a look ahead needs), with a learning rate that falls."""
    asked = styles.arguments_of(thing)
    name = next((n for n in ("momentum", "mu") if n in asked), None)
    if not (options.get("nesterov") and name and name not in options):
        yield {}
    if name and name not in options and not asked[name].default:
        yield {name: 0.9}
        if "nesterov" in asked and "nesterov" not in options:
            yield {name: 0.9, "nesterov": True}
    falling = decay.rate_decay_of(thing)
    if falling and falling not in options:
        yield {falling: 0.1}
