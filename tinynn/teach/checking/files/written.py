"""What stands in a file, as it is written: lines, methods that are empty or return nothing, code that never runs."""

from __future__ import annotations

import ast
import difflib
import inspect
import os
from collections.abc import Iterator
from typing import Any

from ....layers.layer import Layer
from ..names import plain
from ..report import Finding
from ..styles.objects import BACKWARD, FORWARD, goes_back

Function = ast.FunctionDef | ast.AsyncFunctionDef
Owner = ast.ClassDef | Function


def method(cls: type, names: tuple[str, ...]) -> Any:
    """The function of a class whose name, without underscores, comes first in `names`, or None."""
    public_last = sorted(dir(cls), key=lambda name: not name.startswith("_"))
    found = {plain(name): getattr(cls, name, None) for name in public_last if not name.startswith("__")}
    return next((found[name] for name in names if callable(found.get(name))), None)


class Source:
    """The text of a file, read as Python."""

    def __init__(self, path: str, given: str) -> None:
        self.path, self.given = path, given  # the whole path, and as it was written
        with open(path, "rb") as file:
            self.tree = ast.parse(text := file.read())
        self.text = text.decode(errors="replace").splitlines()
        nodes = list(ast.walk(self.tree))
        functions = [node for node in nodes if isinstance(node, Function)]
        self.functions = {min([node.lineno, *(d.lineno for d in node.decorator_list)]): node for node in functions}
        self.lines = dict(top_names(self.tree.body))  # of two, the second counts

    def node_of(self, function: Any) -> Function | None:
        """A function as it is written, where this file defines it."""
        code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
        here = code is not None and os.path.abspath(code.co_filename) == self.path
        return self.functions.get(code.co_firstlineno) if code is not None and here else None

    def nodes_of(self, thing: Any) -> list[Function]:
        """Forward and backward of a class or object, or the functions of a group."""
        cls = thing if isinstance(thing, type) else type(thing)
        parts: list[Any] = [] if inspect.isfunction(thing) else [method(cls, FORWARD), method(cls, BACKWARD)]
        if isinstance(thing, tuple):
            parts = list(thing)
        found = [self.node_of(part) for part in parts]
        return [node for node in dict.fromkeys(found) if node is not None]

    def plain_cause(self, thing: Any) -> tuple[Finding, bool] | None:
        """Why a thing is not judged, as it can be read in the file, and whether it is wrong for certain."""
        cls = thing if isinstance(thing, type) else type(thing)
        found = self.not_written(thing) or self.no_way_back(cls)
        return (found, False) if found else self.returns_nothing(thing) or self.returns_too_much(cls)

    def not_written(self, thing: Any) -> Finding | None:
        """A method that is still as in the template: nothing but pass, NotImplementedError or None."""
        for node in self.nodes_of(thing):
            what = still_empty(node)
            if what:
                why = f"{node.name} is not written yet: it {what}"
                return Finding("not-written", "", why, "write it, then check again", line=node.lineno)
        return None

    def returns_nothing(self, thing: Any) -> tuple[Finding, bool] | None:
        """A method that ends without `return`, and whether all that it computes is lost by that, for certain."""
        for node in self.nodes_of(thing):
            last, asked = node.body[-1], [argument for argument in node.args.args if argument.arg != "self"]
            if not asked or still_empty(node) or any(gives(node)):
                continue
            if any(isinstance(part, ast.Global | ast.Nonlocal) for part in own_nodes(node)):
                continue  # it keeps what it computes there
            kept = [places(part) for part in own_nodes(node)]
            stores = any(isinstance(place, ast.Attribute | ast.Subscript) for part in kept for place in part)
            at_the_end = any(isinstance(place, ast.Attribute | ast.Subscript) for place in places(last))
            result = last.targets[0] if isinstance(last, ast.Assign) else getattr(last, "value", None)
            if result is None or isinstance(result, ast.Call) or (stores and is_backward(node)):
                continue  # it may give what it computes in a way that is not known here
            why = f"{node.name} has no return: it gives None, and what it computes is lost"
            fix = f"end it with return {ast.unparse(result)}"
            return Finding("no-return", "", why, fix, line=last.lineno), not at_the_end
        return None

    def returns_too_much(self, cls: type) -> tuple[Finding, bool] | None:
        """A Layer of tinynn's that returns the gradients which it should write."""
        node = self.node_of(method(cls, BACKWARD))
        values = [part.value for part in gives(node) if isinstance(part, ast.Return)] if node else []
        if node is None or not issubclass(cls, Layer) or not any(isinstance(v, ast.Tuple) for v in values):
            return None
        write = " ".join(f"self.d{name}[...] = ...;" for name in cls.parameters)
        why = f"{node.name} returns several arrays; a tinynn Layer writes its parameters' gradients, and returns dx"
        return Finding("returns-gradients", "", why, f"{write} return dx".strip(), line=node.lineno), True

    def no_way_back(self, cls: type) -> Finding | None:
        """A class with a forward that has no backward."""
        forward = method(cls, FORWARD)
        node = self.node_of(forward)
        if goes_back(cls) or node is None or len(node.args.args) < 2:
            return None
        x = ", ".join(argument.arg for argument in node.args.args[1:])
        own = [name for name in dir(cls) if not name.startswith("_") and name != node.name]
        like = difflib.get_close_matches("backward", own, 1, 0.7)
        called = f" Is {like[0]} meant? Its name must be backward." if like else ""
        loss = len(node.args.args) > 2
        write = "def backward(self): ... return dy" if loss else "def backward(self, dy): ... return dx"
        why = f"it has {node.name}({x}) and no backward: there is no gradient to check.{called}"
        return Finding("no-backward", "", why, f"write {write}", line=node.lineno)

    def never_seen(self, names: dict[str, Any]) -> Iterator[tuple[str, int, str]]:
        """Classes with a backward that a run of the file does not leave behind: (name, line, why)."""
        outer = {node: owner for owner in ast.walk(self.tree) for node in ast.iter_child_nodes(owner)}
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.ClassDef) or not any(is_backward(part) for part in node.body):
                continue
            owner = outer.get(node)
            while owner is not None and not isinstance(owner, Owner):
                owner = outer.get(owner)
            if owner is not None:
                yield node.name, node.lineno, f"it stands inside {owner.name}, and can be checked at the top of a file"
            elif node.name not in names:
                yield node.name, node.lineno, "the file runs without making it, as under `if __name__ == ...`"
            elif self.lines.get(node.name) != node.lineno:
                yield node.name, node.lineno, f"line {self.lines.get(node.name)} gives its name to something else"


def top_names(body: list[ast.stmt]) -> Iterator[tuple[str, int]]:
    """The names that statements define, with their lines, in order."""
    for node in body:
        if isinstance(node, Owner):
            yield node.name, node.lineno
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            for part in ast.walk(target) if target is not None else []:
                if isinstance(part, ast.Name):
                    yield part.id, node.lineno
        for field in ("body", "handlers", "orelse", "finalbody"):
            for inner in getattr(node, field, []):
                yield from top_names(inner.body if isinstance(inner, ast.ExceptHandler) else [inner])


def own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, or of another block, without those of functions and classes inside it."""
    waiting: list[ast.AST] = list(getattr(node, "body", []))
    while waiting:
        part = waiting.pop()
        yield part
        if not isinstance(part, Owner | ast.Lambda):
            waiting += ast.iter_child_nodes(part)


def gives(node: Function) -> Iterator[ast.AST]:
    """The statements of a function that give something back."""
    for part in own_nodes(node):
        if isinstance(part, ast.Yield | ast.YieldFrom) or (isinstance(part, ast.Return) and part.value is not None):
            yield part


def still_empty(node: Function) -> str:
    """What a function that is not written yet does, in words; "" for one that is."""
    body = [part for part in node.body if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))]
    last = body[-1] if body else None
    if isinstance(last, ast.Raise) and "NotImplementedError" in ast.unparse(last):
        return "raises NotImplementedError"
    if all(isinstance(part, ast.Pass) for part in body):
        return "does nothing"
    if isinstance(last, ast.Return) and last.value is not None:
        returned = {part.id for part in ast.walk(last.value) if isinstance(part, ast.Name)}
        for name in sorted(returned):
            values = [value for part in own_nodes(node) for value in assigned(part, name)]
            if values and all(isinstance(value, ast.Constant) and value.value is None for value in values):
                return f"returns {name}, which is None"
        if isinstance(last.value, ast.Constant) and last.value.value in (None, ...) and len(body) == 1:
            return "returns None"
    return ""


def assigned(node: ast.AST, name: str) -> Iterator[ast.AST]:
    """The values that a statement gives a name."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts))
            for place, value in pairs:
                if any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(place)):
                    yield value
    elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For | ast.NamedExpr) and name in ast.unparse(node.target):
        yield node.target


def places(node: ast.AST) -> list[ast.AST]:
    """The places that a statement assigns to."""
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [part for target in targets if target is not None for part in ast.walk(target)]


def is_backward(node: ast.AST) -> bool:
    """Whether it is a method that goes back."""
    return isinstance(node, Function) and plain(node.name) in BACKWARD
