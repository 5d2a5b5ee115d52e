"""What a Python file defines, and what of it can be checked."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import traceback
import types
from typing import Any

import numpy as np

from ....layers.layer import Layer
from ....losses import Loss
from ....model import Model
from ....optimizers import Optimizer
from .. import adapted, intake, styles
from ..kinds import other_kind
from ..pairing import leaves, objects_in
from .together import groups


class Slip(Exception):
    """What is wrong with the file or the name, as a sentence."""


def load(target: str) -> tuple[dict[str, Any], list[str]]:
    """What FILE.py[:NAME] defines, and the names to check. Raises Slip."""
    path, colon, name = target.rpartition(":")
    if target.endswith(".py") or not colon:
        path, name = target, ""
    if not path.endswith(".py"):
        raise Slip(f"target must be FILE.py or FILE.py:NAME, not {target!r}")
    names = run(path)
    own = [n for n, value in names.items() if not n.startswith("_") and kind_of(value)]
    known = [n for n in own if is_own(names[n]) and not is_base(names[n], names)] + list(groups(names))
    known += left_out(names, known)
    if not name and not known:
        nothing = not any(inspect.isfunction(value) or isinstance(value, type) for value in names.values())
        what = "the file defines no class and no function" if nothing else "this style is not known"
        raise Slip(f"{path}: {what}. What can be checked: {styles.KNOWN}")
    if not name:
        return names, known
    groups_of = {part.__name__: key for key, group in groups(names).items() for part in group[::-1]}
    name = groups_of.get(name, name)
    if name not in names:
        raise Slip(f"{path} defines no {name!r}" + (f"; it has {', '.join(dict.fromkeys(own))}" if own else ""))
    return names, [name]


def left_out(names: dict[str, Any], known: list[str]) -> list[str]:
    """The classes of a file that nothing which can be checked is made of, or uses: they must be told of."""
    chosen = [one for name in known for one in groups(names).get(name, (names.get(name),))]
    classes = [cls for one in chosen for cls in (one if isinstance(one, type) else type(one)).__mro__]
    functions = [f for cls in classes for f in vars(cls).values()] + chosen
    used = {name for f in functions if inspect.isfunction(f) for name in names_in(inspect.unwrap(f).__code__)}
    used |= {type(held).__name__ for one in chosen for held in objects_in(one)}
    found = []
    for name, value in names.items():
        if not isinstance(value, type) or not is_own(value) or value in classes or name in used or kind_of(value):
            continue
        if not issubclass(value, BaseException) and methods_of(value):
            found.append(name)
    return found


def names_in(code: types.CodeType) -> set[str]:
    """The names that a function uses, also within a comprehension."""
    inner = [part for part in code.co_consts if isinstance(part, types.CodeType)]
    return {*code.co_names}.union(*map(names_in, inner))


def methods_of(cls: type) -> list[str]:
    """The methods of a class that are not Python's own, as they are called."""
    found = [f for name, f in vars(cls).items() if inspect.isfunction(f) and not name.startswith("_")]
    return [f"{f.__name__}({', '.join([*inspect.signature(f).parameters][1:])})" for f in found]


def it_has(cls: type) -> str:
    """The methods in which the two were looked for."""
    methods = methods_of(cls)
    return f", as far as its methods' names tell: {', '.join(methods)}" if methods else ""


def why_unknown(cls: type) -> str:
    """Why no reader knows a class."""
    methods = ", ".join(methods_of(cls)) or "no methods"
    return (
        f"{cls.__name__} is not judged: this style is not known: it has {methods}, and of these none goes back as "
        f"backward(dy) or backward(x, t) does, nor does one give a loss. What can be checked: {styles.KNOWN}"
    )


def is_own(value: Any) -> bool:
    """Whether a file defines it, and does not import it."""
    return not isinstance(value, type) or value.__module__.split(".")[-1] == "checked"


def is_base(value: Any, names: dict[str, Any]) -> bool:
    """Whether it is a class of which the file has objects or other classes, or a function: they come in groups."""
    others = [*names.values(), *(one for held in names.values() if isinstance(held, list | tuple) for one in held)]
    classes = [other if isinstance(other, type) else type(other) for other in others if other is not value]
    return inspect.isfunction(value) or (isinstance(value, type) and any(issubclass(c, value) for c in classes))


def run(path: str) -> dict[str, Any]:
    """What a Python file defines. Raises Slip where it does not run."""
    if not os.path.isfile(path):
        what = "that is a folder" if os.path.isdir(path) else "there is no file of that name"
        raise Slip(f"{path} must be a Python file, but {what}")
    folder = os.path.dirname(os.path.abspath(path))
    name, root = "checked", folder
    while os.path.isfile(os.path.join(root, "__init__.py")):  # a file of a package may import from its neighbours
        name, root = f"{os.path.basename(root)}.{name}", os.path.dirname(root)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path[:0] = [folder, root]
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        where = f" in line {error.lineno}" if error.lineno else ""
        raise Slip(f"{path} is not a Python program{where}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if os.path.abspath(frame.filename) == os.path.abspath(path)]
        where = f" in line {lines[-1]}" if lines else ""
        raise Slip(f"{path} stops{where}: {type(error).__name__}: {error}") from error
    finally:
        del sys.path[:2]
    return vars(module)


def kind_of(thing: Any) -> str | None:
    """ "layer", "loss", "model", "network" (with its loss) or "optimizer", by the methods that it has.

    Of a class whose kind only an object of it shows, "layer".
    """
    cls = thing if isinstance(thing, type) else type(thing)
    known = ((Optimizer, "optimizer"), (Loss, "loss"), (Model, "model"), (Layer, "layer"))
    kind = next((kind for base, kind in known if issubclass(cls, base)), None)
    if kind is not None:
        return kind if isinstance(thing, type) or kind != "optimizer" else None
    if inspect.isfunction(thing):
        return other_kind(thing) or "loss"
    if isinstance(thing, type):
        goes_back = styles.goes_back(cls)
        return "layer" if goes_back else other_kind(thing) or ("optimizer" if hasattr(cls, "update") else None)
    if isinstance(thing, list | tuple):
        return "model" if thing and all(kind_of(layer) == "layer" for layer in thing) else None
    if intake.is_model(thing):
        return "model"
    seen = styles.recognised(thing)
    matrices = any(np.ndim(leaf.value) == 2 for leaf in leaves(thing))
    if seen is None or (isinstance(seen, styles.Whole) and not (adapted.likely(thing) or seen.has_output * matrices)):
        return "loss" if styles.is_loss(thing) else None
    return "network" if isinstance(seen, styles.Whole) else "layer"
