"""Which of the things that a file defines are checked, and what is said of the others."""

from __future__ import annotations

import contextlib
import inspect
import os
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import styles
from ..chance import names_in
from ..kinds import LOSS, other_kind
from ..leaves import objects_in
from ..loss_styles import partner_of, sides
from ..names import role_of
from ..styles import roles
from ..styles.objects import BACKWARD, FORWARD
from .arguments import objects_of
from .loading import Slip, is_own, kind_of, methods_of, run
from .script import of_a_function
from .steps import is_of_its_loss, read_script
from .together import groups
from .written import Source, method, still_empty

BACKWARDS = re.compile(r"backw|backprop|back_prop|bprop|gradient|grads?$|derivative|deriv$|prime$", re.IGNORECASE)
SCRIPT = "the script"  # among the names: what stands at the level of the module
TOOLS = re.compile(r"numeric|check|clip|test|plot|print|show", re.IGNORECASE)


@dataclass
class Contents:
    """What a file defines: `names` with their values, and which of them are to be checked."""

    names: dict[str, Any]
    source: Source
    chosen: list[str] = field(default_factory=list)
    unseen: list[tuple[str, int | None, str]] = field(default_factory=list)  # not looked at, though they should be
    aside: list[str] = field(default_factory=list)  # what is no part of it, or is looked at with others: sentences


def load(path: str, asked: list[str]) -> Contents:
    """What a file defines, and the names to check: those `asked` for, else all that can be. Raises Slip."""
    whole = os.path.abspath(path)  # before the file changes the folder
    names = with_lines(run(whole, path))
    found = Contents(names, Source(whole, path), list(asked))
    lines = {name: thing for name, thing in names.items() if isinstance(thing, styles.Lines | styles.Unread)}
    found.source.lines.update({name: thing.line for name, thing in lines.items()})
    if not asked:
        choose(found)
        if not found.chosen and not found.unseen:
            nothing = not any(inspect.isfunction(value) or isinstance(value, type) for value in names.values())
            what = "the file defines no class and no function" if nothing else "this style is not known"
            raise Slip(f"{path}: {what}. What can be checked: {styles.KNOWN}", "nothing-to-check")
    return found


def with_lines(names: dict[str, Any]) -> dict[str, Any]:
    """The names of a file; those functions and classes that train by lines of their own are these lines."""
    found, grouped = dict(names), {f for group in groups(names).values() if len(group) > 1 for f in group}
    for name, thing in names.items():
        if inspect.isfunction(thing) and thing not in grouped and other_kind(thing, names) in (None, "loop"):
            found[name] = of_a_function(thing, names) or thing
        alone = isinstance(thing, type) and is_own(thing) and not kind_of(thing)
        for trains in filter(inspect.isfunction, [getattr(thing, n, None) for n in ("fit", "train")] if alone else []):
            with contextlib.suppress(Exception):
                made = (of_a_function(trains, {}, one) for one in objects_of(thing, np.random.default_rng(0)))
                found[name] = next((lines for lines in made if lines), found[name])
    return found


def key_of(name: str, names: dict[str, Any], path: str) -> str:
    """The name under which a thing of the file is checked: a backward belongs to its forward. Raises Slip."""
    groups_of = {part.__name__: key for key, group in groups(names).items() for part in group[::-1]}
    key = groups_of.get(name, name)
    if key not in names:
        own = [n for n, value in names.items() if not n.startswith("_") and kind_of(value)]
        raise Slip(f"{path} defines no {name!r}" + (f"; it has {', '.join(own)}" if own else ""), "missing")
    return key


def choose(found: Contents) -> None:
    """Which names of a file are to be checked, and what is said of the others."""
    names, source = found.names, found.source
    own = [n for n, value in names.items() if not n.startswith("__") and kind_of(value) and is_own(value)]
    classes = [n for n in own if isinstance(names[n], type)]
    things = [names[n] for n in own if not isinstance(names[n], type)]
    made = {type(one) for thing in things for one in (thing if isinstance(thing, list | tuple) else [thing])}
    together = groups(names)
    for name in own:
        if inspect.isfunction(names[name]):
            continue
        if isinstance(names[name], type):
            heirs = [other for other in classes if other != name and issubclass(names[other], names[name])]
            if names[name] in made:
                continue  # an object of it is
            if heirs and is_stub(names[name], source):
                found.aside.append(f"{name}, the base of {', '.join(heirs)}, computes nothing itself")
                continue
            if any(inherits_all(names[other], names[name]) for other in heirs):
                found.aside.append(f"{name} is looked at in {', '.join(heirs)}")
                continue
        found.chosen.append(name)
    found.chosen += together
    taken = {part for group in together.values() for part in group}
    for name, value in names.items():
        if inspect.isfunction(value) and source.node_of(value) and value not in taken and is_alone(value, names):
            found.chosen.append(name)
            taken |= {value, partner_of(name, names)}
    used = used_by([names[n] for n in found.chosen if n in names] + list(taken), names)
    found.chosen = [n for n in found.chosen if not (n.startswith("_") and n in used)]
    found.chosen += left_out(names, used)
    script = read_script(source, names) if set(found.chosen) <= set(together) else None
    if script is not None and (not found.chosen or is_of_its_loss(script)):  # else it may show how functions are called
        names[SCRIPT] = script
        found.chosen.append(SCRIPT)
    found.chosen.sort(key=lambda name: source.lines.get(name, 0))
    found.unseen += [one for one in source.never_seen(names) if one[0] not in found.chosen or one[0] in names]
    rest: list[str] = []
    for name, value in names.items():
        if not inspect.isfunction(value) or value in taken or name in used or not source.node_of(value):
            continue
        if BACKWARDS.search(name) and not TOOLS.search(name):
            found.unseen.append((name, source.lines.get(name), "it goes back, and no forward was found for it"))
        elif other_kind(value) == "loop" and any(BACKWARDS.search(called) for called in calls_of(value)):
            found.chosen.append(name)
        else:
            rest.append(name)
    if rest:
        found.aside.append(f"not checked, as no backward was found for them: {', '.join(rest)}")


def is_alone(function: Any, names: dict[str, Any]) -> bool:
    """Whether a function can be checked by itself: a loss with its gradient, or an optimizer's step."""
    kind = other_kind(function, names)
    returned = roles.returned_names(function)
    if len(returned) > 1 and set(sides(function).values()) == {"output", "t"}:  # but not sizes of layers, say
        gradient = any(role_of(name) == "dy" or re.match("part_|d|grad", name) for name in returned)
        return gradient or bool(LOSS.search(function.__name__))
    return kind == "optimizer" or (kind == "loss" and bool(partner_of(function.__name__, names)))


def is_stub(cls: type, source: Source) -> bool:
    """Whether a class has no forward of its own, or one that is not written."""
    forward = method(cls, FORWARD)
    node = source.node_of(forward)
    return inspect.isabstract(cls) or forward is None or (node is not None and bool(still_empty(node)))


def inherits_all(cls: type, base: type) -> bool:
    """Whether forward and backward of a class are those of its base."""
    return all(method(cls, names) is method(base, names) for names in (FORWARD, BACKWARD))


def calls_of(function: Any) -> set[str]:
    """The names that a function uses, also in the functions inside it."""
    return names_in(inspect.unwrap(function).__code__)


def used_by(things: list[Any], names: dict[str, Any]) -> set[str]:
    """The names of a file that these things use, and what those use."""
    used: set[str] = set()
    waiting = list(things)
    while waiting:
        thing = waiting.pop()
        parts = [thing]
        if not inspect.isfunction(thing):
            classes = (thing if isinstance(thing, type) else type(thing)).__mro__
            parts = [part for cls in classes for part in vars(cls).values()]
            used |= {type(held).__name__ for held in objects_in(thing)} if not isinstance(thing, type) else set()
            bases = {name for name, value in names.items() if isinstance(value, type) and value in classes[1:]}
            used |= bases
        for part in parts:
            for name in calls_of(part) & names.keys() - used if inspect.isfunction(part) else ():
                used.add(name)
                waiting += [names[name]] if inspect.isfunction(names[name]) or isinstance(names[name], type) else []
    return used


def left_out(names: dict[str, Any], used: set[str]) -> list[str]:
    """The classes of a file that nothing which can be checked is made of, or uses: they must be told of."""
    classes = [n for n, value in names.items() if isinstance(value, type) and is_own(value) and n not in used]
    unknown = [n for n in classes if not kind_of(names[n]) and not issubclass(names[n], BaseException)]
    return [n for n in unknown if methods_of(names[n])]
