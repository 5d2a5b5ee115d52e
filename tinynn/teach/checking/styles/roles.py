"""Calls by what the arguments mean: x, the targets t, the output, dy, a cache, a learning rate."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from ..names import is_state, plain, role_of

_known: Any = weakref.WeakKeyDictionary()  # of a function, its arguments: each forward of a check asks
OPTIONAL = ("t", "cache", "parameters", "training", "rate", "decay")  # given also where they have a default


def method(thing: Any, names: tuple[str, ...]) -> Callable[..., Any] | None:
    """The method whose name, without underscores, comes first in `names`."""
    found = {plain(name): name for name in reversed(dir(type(thing))) if not name.startswith("__")}
    called = [getattr(thing, found[name], None) for name in names if name in found]
    return next((m for m in called if callable(m)), None)


def arguments(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """What a function is called with, without self; empty where that cannot be known."""
    if type(function) is types.MethodType and type(function.__func__) is types.FunctionType:
        return arguments(function.__func__)[1:]
    if type(function) is types.FunctionType and function in _known:
        return [*_known[function]]
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return []
    found = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if type(function) is types.FunctionType:
        _known[function] = found
    return [*found]


def required(function: Callable[..., Any]) -> list[str]:
    """The names of the arguments that have no default."""
    return [p.name for p in arguments(function) if p.default is p.empty]


def roles(function: Callable[..., Any], first: str) -> dict[str, str | None]:
    """The role of each argument. The first one is `first`, x or dy, where its name does not say another."""
    names = [p.name for p in arguments(function)]
    found = {name: role_of(name) for name in names}
    targets = [name for name, role in found.items() if role == "t"]
    if len(targets) == 2 and "y" in targets:  # loss(y, t)
        found["y"] = "output"
    if first == "x":
        found = {name: None if role == "dy" else role for name, role in found.items()}
        xs = [name for name, role in found.items() if role == "x"]
        for name in [name for name in xs[1:] if is_state(name)]:  # xt, a_prev
            found[name] = None
        if "x" not in found.values() and names and found[names[0]] != "parameters":
            found[names[0]] = "x"
    elif first and names and found[names[0]] is None:
        found[names[0]] = first
    return found


def bound(function: Callable[..., Any], first: str, values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arguments of a call. `values` are by the argument's own name, which counts more, or by role.

    Raises LookupError with the name of an argument that nothing is known for.
    """
    needed = required(function)
    for name, role in roles(function, first).items():
        if name in values and (name in needed or role != "x"):
            yield name, values[name]
        elif role in values and (name in needed or role in OPTIONAL):
            yield name, "train" if plain(name) == "mode" else values[role]
        elif name in needed:
            raise LookupError(name)


def call(function: Callable[..., Any], first: str, values: dict[str, Any]) -> Any:
    """function(...) with its arguments by their roles. Raises LookupError."""
    given, positional = dict(bound(function, first, values)), []
    for parameter in arguments(function):
        if parameter.name not in given:
            break
        positional.append(given.pop(parameter.name))
    return function(*positional, **given)


def returned_names(function: Callable[..., Any]) -> list[str]:
    """The names in the last `return a, b, c` of a function; empty where its source is not known or has none."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return list(_returned_in(code)) if code else []


@functools.cache
def _returned_in(code: types.CodeType) -> tuple[str, ...]:
    tree = tree_of(code)
    inner = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node is not tree.body[0]]
    theirs = {id(node) for function in inner for node in ast.walk(function)}
    returns = [node for node in ast.walk(tree) if isinstance(node, ast.Return) and id(node) not in theirs]
    last = max(returns, key=lambda node: node.lineno).value if returns else None
    if not isinstance(last, ast.Tuple | ast.List):
        return ()
    return tuple(_name_of(part) or f"part_{k}" for k, part in enumerate(last.elts))


def _name_of(part: ast.expr) -> str:
    """dw of dw, of self.dw, and of dw / m."""
    if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div):
        name = _name_of(part.left)
        return name if role_of(name) == "dy" else ""
    return str(getattr(part, "id", getattr(part, "attr", "")))


@functools.cache
def unpacked(function: Callable[..., Any]) -> dict[str, Any]:
    """{argument: names} of arguments such as params in `W1, b1 = params` or `(W1, b1), (W2, b2) = params`."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree_of(function)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple | ast.List):
            found |= {name: _names_in(node.targets[0]) for name in asked_of(function, node.value)}
    return found


@functools.cache
def unrolled(function: Callable[..., Any]) -> set[str]:
    """Arguments that are one vector with all parameters in it: parts of it, theta[:20], are reshaped."""
    nodes = list(ast.walk(tree_of(function)))
    found: set[str] = set()
    shaped = any(getattr(node, "attr", "") == "reshape" for node in nodes)
    for node in nodes:
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and shaped:
            found |= set(asked_of(function, node.value))
        if not isinstance(node, ast.Call):
            continue
        called = getattr(function, "__globals__", {}).get(getattr(node.func, "id", ""))
        if inspect.isfunction(called) and called is not function:
            inner = zip(arguments(called), node.args)
            found |= {name for p, a in inner if p.name in unrolled(called) for name in asked_of(function, a)}
    return {name for name in found if role_of(name) not in ("x", "t")}


def tree_of(function: Callable[..., Any] | types.CodeType) -> ast.Module:
    """The source of a function, parsed; empty where it is not known."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return ast.Module([], [])


def asked_of(function: Callable[..., Any], node: ast.AST) -> list[str]:
    """[W] where an expression is a function's argument W alone; else empty."""
    return [node.id] if isinstance(node, ast.Name) and node.id in required(function) else []


def _names_in(target: ast.expr) -> Any:
    return tuple(map(_names_in, target.elts)) if isinstance(target, ast.Tuple | ast.List) else ast.unparse(target)
