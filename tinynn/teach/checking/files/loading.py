"""What a Python file defines, and what of it can be checked."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import os
import sys
import traceback
from typing import Any

import numpy as np

from ....layers.layer import Layer
from ....losses import Loss
from ....model import Model
from ....optimizers import Optimizer
from .. import adapted, intake, styles
from ..kinds import other_kind
from ..leaves import leaves
from .script import of_a_loop, until_the_loop


class Slip(Exception):
    """What is wrong with the file or the name, as a sentence, with a code for programs and the line, where known."""

    def __init__(self, sentence: str, code: str = "not-judged", line: int | None = None) -> None:
        super().__init__(sentence)
        self.code, self.line = code, line


def path_and_name(target: str) -> tuple[str, str]:
    """FILE.py[:NAME] as two; the name is "" where there is none. Raises Slip."""
    path, colon, name = target.rpartition(":")
    if target.endswith(".py") or not colon:
        path, name = target, ""
    if not path.endswith(".py"):
        hint = f": there is {target}.py" if os.path.isfile(f"{target}.py") else ""
        raise Slip(f"target must be FILE.py, FILE.py:NAME or a folder, not {target!r}{hint}")
    if not os.path.isfile(path):
        what = "that is a folder" if os.path.isdir(path) else "there is no file of that name"
        raise Slip(f"{path} must be a Python file, but {what}")
    return path, name


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


def run(path: str, given: str) -> dict[str, Any]:
    """What the Python file of a whole path, which was `given` so, defines. Raises Slip where it does not run."""
    folder = os.path.dirname(path)
    name, root = "checked", folder
    while os.path.isfile(os.path.join(root, "__init__.py")):  # a file of a package may import from its neighbours
        name, root = f"{os.path.basename(root)}.{name}", os.path.dirname(root)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path[:0] = [folder, root]
    try:
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read(), path)
        before, loop, rest = until_the_loop(tree)
        exec(compile(ast.Module(before, []), path, "exec"), vars(module))
        found = of_a_loop(loop, vars(module)) if loop else {}
        if found:
            vars(module).update(found)
        else:
            exec(compile(ast.Module(rest, []), path, "exec"), vars(module))
    except SyntaxError as error:
        at, here = error.lineno, error.filename in (None, path)
        line = f" in line {at}, `{(error.text or '').strip()}`" if at and error.text else f" in line {at}" if at else ""
        said = f"{given if here else error.filename} is not a Python program{line}: {error.msg}"
        raise Slip(said, "syntax-error", at if here else None) from error
    except (Exception, SystemExit) as error:
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
        where = f" in line {own[-1].lineno}, `{own[-1].line}`" if own else ""
        said = f"{given} stops{where}: {type(error).__name__}: {error}".removesuffix(": ")
        raise Slip(said, "stops", own[-1].lineno if own else None) from error
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
    if isinstance(thing, styles.Lines | styles.Unread):
        return "network"
    seen = styles.recognised(thing)
    matrices = any(np.ndim(leaf.value) == 2 for leaf in leaves(thing))
    if seen is None or (isinstance(seen, styles.Whole) and not (adapted.likely(thing) or seen.has_output * matrices)):
        return "loss" if styles.is_loss(thing) else None
    return "network" if isinstance(seen, styles.Whole) else "layer"
