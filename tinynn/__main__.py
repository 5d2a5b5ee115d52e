"""python -m tinynn check FILE.py:NAME

Checks the gradients of a model, layer, loss or optimizer that a file defines. The exit status is 0 where all are right,
1 where one is wrong, 2 where they could not be judged.
"""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import os
import sys
import traceback
from typing import Any

import numpy as np

import tinynn
from tinynn import teach
from tinynn.nesting import with_inner
from tinynn.teach.checking import adapted, kinds, pairing, under_test

USAGE = """NAME is a layer, loss, model or optimizer, or a class of one. A class is made with no arguments, or with the
sizes 5 and 4. What the file calls x, t, y and loss is used; what it does not define is drawn: 7 rows of normal numbers,
and targets for the loss."""


class Slip(Exception):
    """What is wrong with the file or the name, as a sentence."""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser("python -m tinynn", description="tinynn from the command line")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("check", help="check the gradients of what a file defines", epilog=USAGE)
    command.add_argument("target", metavar="FILE.py:NAME")
    command.add_argument("--seed", type=int, default=0, help="for what is drawn (0)")
    options = parser.parse_args(argv)
    try:
        report = check(options.target, options.seed)
    except Slip as slip:
        print(slip, file=sys.stderr)
        return 2
    try:
        print(report, flush=True)
    except BrokenPipeError:  # the reader has had enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0 if report else 2 if report.code == "not-judged" else 1


def check(target: str, seed: int) -> teach.Report:
    """The report on FILE.py:NAME. Raises Slip."""
    path, colon, name = target.rpartition(":")
    if not colon or not path.endswith(".py"):
        raise Slip(f"target must be FILE.py:NAME, not {target!r}")
    names = load(path)
    if name not in names:
        known = [n for n, value in names.items() if not n.startswith("_") and kind_of(value)]
        raise Slip(f"{path} defines no {name!r}" + (f"; it has {', '.join(known)}" if known else ""))
    rng = np.random.default_rng(seed)
    thing = names[name]
    kind = kind_of(thing)
    if kind is None:
        raise Slip(f"{name} must be a layer, loss, model or optimizer, not {tinynn.checks.describe(thing)}")
    try:
        found = kinds.examined(thing, names, rng)  # losses, optimizers and loops
        if found is not None:
            return found
        if kind == "optimizer":
            return teach.check_optimizer(thing)
        if isinstance(thing, type):
            thing = made(thing)
            kind = kind_of(thing)
        if kind == "loss":
            return kinds.of_a_loss(thing, names, rng)
        x = names["x"] if "x" in names else rows_for(thing, rng)
        if kind == "layer":
            return teach.check_layer(thing, x)
        loss = names.get("loss", tinynn.MSE())
        loss = made(loss) if isinstance(loss, type) else loss
        t = names["t"] if "t" in names else targets(outputs(thing, x), getattr(loss, "classifies", False), rng)
        return teach.check(thing, x, t, loss)
    except (TypeError, ValueError) as error:
        raise Slip(f"{name} cannot be checked: {error}") from error


def load(path: str) -> dict[str, Any]:
    """What a Python file defines. Raises Slip where it does not run."""
    if not os.path.isfile(path):
        raise Slip(f"{path} must be a Python file, and there is none of that name")
    spec = importlib.util.spec_from_file_location("checked", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise Slip(f"{path} is not Python at line {error.lineno}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if os.path.abspath(frame.filename) == os.path.abspath(path)]
        where = f" in line {lines[-1]}" if lines else ""
        raise Slip(f"{path} stops{where}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    return vars(module)


def kind_of(thing: Any) -> str | None:
    """ "layer", "loss", "model" or "optimizer", by the methods that it has."""
    other = kinds.other_kind(thing)
    if other:
        return other
    cls = thing if isinstance(thing, type) else type(thing)
    if isinstance(thing, type) and (issubclass(cls, tinynn.Optimizer) or hasattr(cls, "update")):
        return "optimizer"
    if issubclass(cls, tinynn.Loss):
        return "loss"
    if inspect.isfunction(thing):
        return "loss"
    forward = getattr(cls, "forward", None)
    if forward is None or not hasattr(cls, "backward"):
        return "model" if callable(getattr(cls, "gradient", None)) else None
    takes = [p for p in inspect.signature(forward).parameters.values() if p.default is p.empty]
    if len(takes) == 3:  # self, y, t
        return "loss"
    if issubclass(cls, tinynn.Model):
        return "model"
    if issubclass(cls, tinynn.Layer):
        return "layer"
    return "model" if adapted.is_model(thing) else "layer"


def made(cls: type) -> Any:
    """One of a class: without arguments, or with as many sizes as it asks for."""
    takes = [p for p in inspect.signature(cls).parameters.values() if p.default is p.empty]
    needed = [p for p in takes if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(needed) > 2:
        raise Slip(f"{cls.__name__} needs {len(needed)} arguments: define one, such as layer = {cls.__name__}(...)")
    try:
        return cls(*(5, 4)[: len(needed)])
    except Exception as error:
        raise Slip(f"{cls.__name__}{(5, 4)[: len(needed)]} cannot be made: {error}") from error


def rows_for(thing: Any, rng: np.random.Generator) -> Any:
    """Seven rows of the first width that it takes: as it says itself, or as its matrices have it."""
    first = next(iter(thing)) if isinstance(thing, tinynn.Sequential) else thing
    held = [first, *with_inner(thing)]
    widths: list[Any] = [layer.n_in for layer in held if getattr(layer, "n_in", None)][:1]
    widths += [n for leaf in pairing.leaves(thing) for n in np.shape(leaf.value)] if not widths else []
    for width in dict.fromkeys([*widths, 5]):
        x = rng.normal(size=(7, width))
        try:
            outputs(thing, x)
        except Exception:
            continue
        return x
    return rng.normal(size=(7, 5))


def outputs(model: Any, x: Any) -> Any:
    """y for x, from a copy."""
    network = under_test.ModelUnderTest(adapted.as_model(model, np.array(x, float)), tinynn.MSE(), under_test.REAL)
    return network.model.forward(np.array(x, float))


def targets(y: Any, classifies: bool, rng: np.random.Generator) -> Any:
    """Targets for predictions y: labels, or numbers."""
    return rng.integers(0, y.shape[1], len(y)) if classifies else rng.normal(size=y.shape)


if __name__ == "__main__":
    sys.exit(main())
