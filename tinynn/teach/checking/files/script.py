"""Training loops and steps that are written line by line: in a file's own lines, in a function, in a method."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np

from ....process import same_chance
from ..copies import deep_copy
from ..names import plain, role_of
from ..styles.lines import Lines, Unread
from ..styles.updates import target_of
from ..styles.view import Unknown
from ..under_test import quiet
from .arguments import shape_of
from .samples import likely_targets

Loop = ast.For | ast.While


def until_the_loop(tree: ast.Module) -> tuple[list[ast.stmt], Loop | None, list[ast.stmt]]:
    """The statements before a file's training loop, its lines, and all from it on; None where it has no such loop."""
    before: list[ast.stmt] = []
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test) and any(map(_training, node.body)):
            waiting = node.body
            continue
        loop = _training(node)
        if loop is not None:
            return [*before, *_first_of_each(node, loop)], loop, [node, *waiting]
        before.append(node)
    return before, None, []


def _training(node: ast.stmt) -> Loop | None:
    """The innermost loop with lines that update something, and targets among its names; None where there is none."""
    if not isinstance(node, Loop):
        return None
    inner = next((found for part in node.body if (found := _training(part))), None)
    if inner is not None:
        return inner
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    updates = [target for part in node.body if (target := target_of(part))]
    return node if updates and any(role_of(name) == "t" for name in names) else None


def _first_of_each(node: ast.stmt, loop: Loop) -> list[ast.stmt]:
    """What comes before the innermost loop in those around it, and the first values of the loops' own names."""
    found: list[ast.stmt] = []
    while isinstance(node, Loop):
        if isinstance(node, ast.For):
            first = ast.Call(
                ast.Name("next", ast.Load()), [ast.Call(ast.Name("iter", ast.Load()), [node.iter], [])], []
            )
            found.append(ast.copy_location(ast.Assign([node.target], first), node))
        if node is loop:
            break
        k, inner = next((k, part) for k, part in enumerate(node.body) if isinstance(part, Loop) and _training(part))
        found += node.body[:k]
        node = inner
    return [ast.fix_missing_locations(part) for part in found]


def of_a_loop(loop: Loop, names: dict[str, Any]) -> dict[str, Any]:
    """The lines of a loop under a name that says where they stand, with x and t; empty where they train nothing."""
    where = f"the loop of lines {loop.lineno}-{loop.end_lineno}"
    arrays = any(isinstance(names.get(target_of(node)), np.ndarray) for node in loop.body)
    try:
        lines = Lines(loop, names, where)
    except Unknown as error:
        return {where: Unread(error, loop.lineno)} if arrays else {}
    except Exception as error:
        write = "see that its lines run, one after the other, with the numbers before it"
        why = Unknown(f"{where} stops: {type(error).__name__}: {error}", write)
        return {where: Unread(why, loop.lineno)} if arrays else {}
    return {where: lines} if lines.thing.values else {}


def of_a_function(function: Any, defined: dict[str, Any], itself: Any = None) -> Lines | None:
    """The lines of a function or method that trains or makes a step, with drawn arguments; None where it has none."""
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
        assert isinstance(tree, ast.FunctionDef)
    except (OSError, TypeError, SyntaxError, ValueError, AssertionError):
        return None
    before, loop, _ = until_the_loop(ast.Module(tree.body, []))
    if loop is None:
        lines = [node for node in tree.body if not isinstance(node, ast.Return)]
        before, loop = [], ast.For(ast.Name("_", ast.Store()), ast.Tuple([], ast.Load()), lines, [])
    if not any(map(target_of, loop.body)):
        return None
    code = compile(ast.fix_missing_locations(ast.Module(before, [])), f"<{function.__name__}>", "exec")
    for drawn in _drawn(function, defined):
        names = {**function.__globals__, **drawn} | ({"self": deep_copy(itself)} if itself is not None else {})
        try:
            with quiet(), same_chance(), contextlib.redirect_stdout(io.StringIO()):
                exec(code, names)
                made = Lines(loop, names, function.__name__ if itself is None else f"{type(itself).__name__}()")
                made.aim(made.data.names["t"])
                made.backward(np.ones((1, 1)))
        except Exception:  # made for other arguments
            continue
        if made.thing.values:
            return made
    return None


def _drawn(function: Any, defined: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Arguments by their names, and targets of each kind."""
    asked = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    rng = np.random.default_rng(5)
    if not any(role_of(p.name) == "t" for p in asked):
        own = [name for name in function.__code__.co_names if role_of(name) == "t"]
        if any(isinstance(function.__globals__.get(name), np.ndarray) for name in own):  # which it trains on
            yield {p.name: _value(p, "rows", None, defined, rng) for p in asked}
        return
    held = [function.__globals__.get(name) for name in function.__code__.co_names]  # W1 of `global W1`
    axes = dict.fromkeys(n for a in held if isinstance(a, np.ndarray) and a.ndim == 2 for n in a.shape)
    ones = likely_targets(7, 1, rng)
    many = [t for width in dict.fromkeys((4, 3, *axes)) if width > 1 for t in likely_targets(7, width, rng)]
    ways = [("rows", t) for t in (*ones, *many)] + [("columns", t.T) for t in (ones[0], *many)]
    for way, t in [*ways, ("numbers", rng.normal(size=7))]:
        given = {p.name: _value(p, way, t, defined, rng) for p in asked}
        if any(value is None for value in given.values()):
            continue
        yield given
        xs = [p.name for p in asked if role_of(p.name) == "x" and p.name not in defined]
        for n in axes if way != "numbers" else ():
            shape = (n, 7) if way == "columns" else (7, n)
            yield {**given, **{name: rng.normal(size=shape) for name in xs}}


def _value(p: inspect.Parameter, way: str, t: Any, defined: dict[str, Any], rng: np.random.Generator) -> Any:
    """The value of one argument; None where its name says nothing."""
    role, shape = role_of(p.name), shape_of(p.name, way)
    if p.name in defined and not callable(defined[p.name]):
        return defined[p.name]
    if role == "t":
        return t
    if way == "numbers":
        shape = (7,) if role == "x" else None if shape is None else ()
    if role == "rate":
        return 0.1
    if p.default is not p.empty:
        return p.default
    if re.search("epoch|iter|step|repeat", plain(p.name)):
        return 3
    if re.search("hidden|units|size|nodes", plain(p.name)):
        return 4
    return None if shape is None else rng.normal(size=shape)
