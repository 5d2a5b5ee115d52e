"""The training loops of a file: run for a few steps, with what the file defines, or with what can be made for them.

An argument that the file does not define is made by its name: a model of one of the file's classes, x and targets that
it takes, a loss, an optimizer, a learning rate.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from ....process import same_chance
from ..copies import deep_copy
from ..kinds import needed, other_kind
from ..loop_calls import STEPS, Observer, Seen
from ..loss_styles import partner_of
from ..names import plain, role_of
from ..report import Report, in_words
from ..training_loop import judged, report_on
from ..under_test import quiet
from . import samples
from .arguments import objects_of
from .loading import Slip, is_own, kind_of

MODEL = re.compile(r"model|net|network|nn|mlp|layer|layers|classifier|regressor|perceptron")
LOSS = re.compile(r"loss|lossfn|lossfunc|lossfunction|criterion|cost|costfn|costfunction")
OPTIMIZER = re.compile(r"optimi[sz]er|optim|opt")
TRIES = 40
NUMBERS = {"epoch|iter|step|repeat|times": 6, "batch": 3, "print|every|verbose|log|interval": 1000, "seed": 0}


def of_a_loop(train: Any, names: dict[str, Any], rng: np.random.Generator, asked_for: bool) -> Report:
    """The report on a training loop; on the network in it, too, where the loop is `asked_for`. Raises Slip."""
    failed, first = "", None
    for given in itertools.islice(ways(train, names, rng), TRIES):
        with Observer(ends=True) as seen, quiet(), same_chance(), contextlib.redirect_stdout(io.StringIO()):
            given = deep_copy(given)
            try:
                for _ in range(STEPS + 2):  # of a function that makes one step
                    train(**given)
            except Seen:
                pass
            except Exception as error:
                failed = failed or in_words(error)
                continue
        where = train.__name__
        report = report_on(seen, where) if asked_for else judged(seen.calls, where)
        if report.code != "not-judged":
            return report
        first = first or report
    if first is not None:
        return first
    missing = [name for name in needed(train) if name not in names]
    why = f"it needs {', '.join(missing)}: define what it is to be called with, in the file" if missing else ""
    why += f"{'; ' if why and failed else ''}{f'it stops: {failed}' if failed else ''}"
    raise Slip(f"{train.__name__} is not judged: {why or 'nothing that could be made for it runs'}", "not-looked-at")


def ways(train: Any, names: dict[str, Any], rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Arguments of a loop: those of the file where it has all, else such as may fit."""
    asked = needed(train)
    if all(name in names for name in asked):
        yield {name: names[name] for name in asked}
        return
    for model in models(names, rng) if any(MODEL.fullmatch(plain(name)) for name in asked) else [None]:
        try:
            x = samples.rows_for(model, names, rng, True) if model is not None else rng.normal(size=(7, 5))
            y = samples.outputs(model, x) if model is not None else x
        except Exception:  # it is no model
            continue
        targets = samples.targets(y, None, rng) if np.ndim(y) == 2 else [rng.normal(size=np.shape(y))]
        for t, loss in itertools.product(targets, of_kind("loss", names) or [None]):
            rules = [made for rule in of_kind("optimizer", names) if (made := optimizer(rule, model)) is not None]
            for rule in rules or [None]:
                for one in (model, [model]):  # an object, or the layers of a network
                    known = {name: value_of(name, names, one, x, t, loss, rule) for name in asked}
                    if all(value is not None for value in known.values()):
                        yield known


def value_of(name: str, names: dict[str, Any], model: Any, x: Any, t: Any, loss: Any, rule: Any) -> Any:
    """What an argument gets, by its name; None where that says nothing."""
    p, role = plain(name), role_of(name)
    if MODEL.fullmatch(p):
        return model
    if LOSS.match(p) and not LOSS.fullmatch(p):  # loss_prime
        return partner_of(loss.__name__, names) if inspect.isfunction(loss) else None
    for pattern, value in ((LOSS, loss), (OPTIMIZER, rule)):
        if pattern.fullmatch(p):
            return value
    if name in names and not isinstance(names[name], np.ndarray):
        return names[name]
    roles = {"t": t, "x": x, "rate": 0.1, "decay": 0.0}
    return roles.get(role or "", next((n for words, n in NUMBERS.items() if re.search(words, p)), None))


def models(names: dict[str, Any], rng: np.random.Generator) -> Iterator[Any]:
    """The models, networks and layers of a file, then such as are made of its classes: those called so first."""
    kinds = {name: kind_of(thing) for name, thing in names.items() if not inspect.isfunction(thing)}
    fitting = [name for name, kind in kinds.items() if kind in ("model", "network", "layer")]
    fitting.sort(key=lambda name: (isinstance(names[name], type), not MODEL.search(plain(name))))
    for name in fitting:
        thing = names[name]
        if not isinstance(thing, type):
            yield thing
        elif is_own(thing):
            try:
                yield from itertools.islice(objects_of(thing, rng), 2)
            except Exception:  # a class that takes something else
                continue


def of_kind(kind: str, names: dict[str, Any]) -> list[Any]:
    """The losses of a file, as objects or functions, or its optimizers."""
    found = []
    for name, thing in names.items():
        own = not name.startswith("_") and is_own(thing)
        known = other_kind(thing) if inspect.isfunction(thing) or isinstance(thing, type) else kind_of(thing)
        if own and known == kind:
            try:
                found.append(thing() if isinstance(thing, type) and kind == "loss" else thing)
            except Exception:  # a loss that takes something
                continue
    return found


def optimizer(rule: Any, model: Any) -> Any:
    """An optimizer of a class, with a learning rate, and the model where it asks for it; None where that fails."""
    if not isinstance(rule, type):
        return rule
    given: dict[str, Any] = {}
    for name in needed(rule):
        if role_of(name) == "rate":
            given[name] = 0.1
        elif MODEL.fullmatch(plain(name)):
            given[name] = [model] if plain(name) == "layers" else model
        else:
            given[name] = getattr(model, name, None)
    try:
        return rule(**given)
    except Exception:
        return None
