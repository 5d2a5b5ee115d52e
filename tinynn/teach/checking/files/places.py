"""Where in a file a gradient that is wrong is written: the lines that assign it, read from the text of backward.

A gradient is found by its name: self.dW, grads["W1"], the dx that is returned, or the update W -= lr * dW from which it
is known. Where its name stands nowhere, as in code that calls others for it, nothing is said.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Any

from ..loss_styles import GRADIENTS, VALUES, partner_of
from ..names import plain, role_of
from ..pairing import OF_ALL, means
from ..report import Finding, Report
from ..styles import Lines, roles
from ..styles.functions import closes
from ..styles.networks import LOSS, TRAIN
from ..styles.objects import BACKWARD
from ..styles.updates import target_of
from ..styles.view import DX
from .choosing import Contents
from .steps import Script
from .written import Function, Source, method, own_nodes

MOST = 3  # lines that are told: of more, each is little help
NOTHING_YET = re.compile(r"(np\.|numpy\.)?(zeros|empty|ones|full)(_like)?\(|None$|0(\.0?)?$|\[\]$|\{\}$|dict\(\)$")
Keys = list[Any]  # [grads, W1] of self.grads["W1"]
Hit = tuple[Any, ast.expr | None]  # an assignment, or a return, and the value


def tell(report: Report, thing: Any, found: Contents) -> None:
    """Give a finding on a wrong gradient the lines where this is written, and the last of them as `line`."""
    finding, source = report.finding, found.source
    if finding is None or finding.line is not None or report.code == "not-judged":
        return
    wrong = [row.tensor for row in report.rows if row.verdict == "wrong"]
    tensor = finding.tensor or ("dy" if wrong == ["dy"] and finding.where.startswith("loss ") else "")
    if not tensor:
        return
    found_in = [written_in(body, tensor, rate) for body, rate in places(thing, finding, found)]
    found_in = [lines for lines in found_in if lines]
    if len(found_in) == 1 and len(found_in[0]) <= MOST:
        lines = [f"{source.given}:{found_in[0][0]}", *(f"line {line}" for line in found_in[0][1:])]
        texts = [source.text[line - 1].strip() for line in found_in[0]]
        finding.place = ", or ".join(f"{line}: {text}" for line, text in zip(lines, texts))
        finding.line = found_in[0][-1]


def places(thing: Any, finding: Finding, found: Contents) -> Iterator[tuple[list[ast.AST], bool]]:
    """The statements that go back through a thing, and whether they update parameters on the way."""
    source = found.source
    if isinstance(thing, Script):
        yield list(own_nodes(source.tree)), False
    elif isinstance(thing, Lines):
        yield from ((list(own_nodes(node)), True) for node in of_lines(thing, source))
    else:
        for function in functions_of(thing, finding.where, found.names):
            node = source.node_of(function)
            if node is not None:
                yield list(own_nodes(inner_of(function, node))), True


def inner_of(function: Any, node: Function) -> Function:
    """The function that goes back inside of one that returns it, beside y; else the function itself."""
    names = roles.returned_names(function)[1:] if closes(function) else []
    return next((part for part in ast.walk(node) if isinstance(part, Function) and part.name in names), node)


def of_lines(lines: Lines, source: Source) -> list[Any]:
    """The loop, or the function or method, whose lines were read."""
    owner = re.sub(r"\(\)$", "", lines.name)
    loops = [node for node in ast.walk(source.tree) if isinstance(node, ast.For | ast.While)]
    named = [node for node in source.tree.body if getattr(node, "name", "") == owner]
    if named and isinstance(named[-1], ast.ClassDef):
        named = [node for node in named[-1].body if getattr(node, "name", "") in ("fit", "train")]
    return named[-1:] or [node for node in loops if node.body[0].lineno == lines.line]


def functions_of(thing: Any, where: str, names: dict[str, Any]) -> list[Any]:
    """The functions that give the gradients of a thing; of a model, those of the layer which is called in `where`."""
    if isinstance(thing, tuple) and inspect.isfunction(thing[-1]):
        return [thing[-1]]
    if inspect.isfunction(thing):
        return [partner_of(thing.__name__, names) or thing]
    classes = [value for value in names.values() if isinstance(value, type)]
    said = [cls for cls in dict.fromkeys(classes) if re.search(rf"\b{cls.__name__}\(", where)]
    cls = said[0] if len(said) == 1 else thing if isinstance(thing, type) else type(thing)
    ways = (BACKWARD, tuple(map(plain, GRADIENTS)), TRAIN, LOSS, tuple(map(plain, VALUES)))
    return [found for way in ways if (found := method(cls, way)) is not None][:1]


def written_in(nodes: list[ast.AST], tensor: str, updates: bool) -> list[int]:
    """The lines that assign a gradient among these statements, in order; empty where its name is not among them."""
    hits: list[Hit] = []
    if tensor in ("dx", "dy"):
        hits = [hit for node in nodes if isinstance(node, ast.Return) for hit in of_a_return(node, tensor, nodes)]
        hits = hits or [hit for hit, keys in assigned(nodes) if plain(keys[-1]) in DX]
    else:
        within, _, last = tensor.rpartition(".")
        parameter = keys_of(ast.parse(f"{within}.{last[1:]}" if within else tensor[1:]).body[0].value)  # type: ignore
        hits = [hit for hit, keys in assigned(nodes) if is_gradient(keys, parameter)]
        if updates:
            hits += [(node, None) for node in nodes if isinstance(node, ast.stmt) and is_update(node, parameter)]
    hits = [real for hit in hits for real in behind(hit, nodes)]
    begun = [hit for hit in hits if hit[1] is None or not NOTHING_YET.match(ast.unparse(hit[1]))]
    return sorted({node.lineno for node, _ in begun or hits})


def assigned(nodes: list[ast.AST]) -> Iterator[tuple[Hit, Keys]]:
    """Each assignment with the keys of its target; the entries of a dict, and what is returned in one, are such."""
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        for target in targets if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) else []:
            pairs = [(target, value)]
            if isinstance(target, ast.Tuple):
                values = value.elts if isinstance(value, ast.Tuple) else [None] * len(target.elts)
                pairs = list(zip(target.elts, values))
            yield from (((node, own), keys_of(part)) for part, own in pairs if keys_of(part))
        for part in ast.walk(value) if isinstance(node, ast.Assign | ast.Return) and value else []:
            for key, own in zip(part.keys, part.values) if isinstance(part, ast.Dict) else []:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield (ast.copy_location(ast.Return(own), own), own), ["grads", key.value]


def keys_of(node: ast.AST | None) -> Keys:
    """[grads, W1] of self.grads["W1"], [grads, "dW*"] of grads["dW" + str(k)], [dW] of dW[:, k]."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [key for key in keys_of(node.value) if key != "self"] + [node.attr]
    if not isinstance(node, ast.Subscript | ast.Starred):
        return []
    index = getattr(node, "slice", None)
    first = getattr(index, "left", None) or next(iter(getattr(index, "values", [])), None)
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return [*keys_of(node.value), f"{first.value}*"]
    named = isinstance(index, ast.Constant) and isinstance(index.value, str | int)
    return keys_of(node.value) + ([index.value] if named else [])  # type: ignore[union-attr]


def is_gradient(keys: Keys, parameter: Keys) -> bool:
    """Whether these are the keys of a parameter's gradient: dW, grads["W"], W.grad, grads[0] of params[0]."""
    own = parameter[-1]
    if isinstance(keys[-1], str) and keys[-1].endswith("*") and isinstance(own, str):  # "dW" + str(k)
        return own[-1:].isdigit() and is_gradient([*keys[:-1], keys[-1][:-1]], [own.rstrip("0123456789")])
    held = len(keys) > 1 and plain(keys[-2]) in OF_ALL
    if len(parameter) == 1:
        beside = len(keys) == 2 and keys[0] == own and plain(keys[1]) in OF_ALL
        return beside or (len(keys) <= 2 and (means(keys[-1], own) or (held and keys[-1] == own)))
    alike = (held and keys[-1] == own) or (keys[0] == parameter[0] and means(keys[-1], own))
    return len(keys) == len(parameter) == 2 and alike


def is_update(node: ast.stmt, parameter: Keys) -> bool:
    """Whether a line is the update of a parameter: W -= ..., W = W - ..., also of self.W and params["W"]."""
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    inside = isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Sub | ast.Add)
    keys = keys_of(target)
    return (
        (inside or bool(target_of(node))) and keys[-len(parameter) :] == parameter and len(keys) <= len(parameter) + 1
    )


def of_a_return(node: ast.Return, tensor: str, nodes: list[ast.AST]) -> list[Hit]:
    """The value that is dx, or dy of a loss, in what is returned; none where that is not certain."""
    value = node.value
    if isinstance(value, ast.Tuple):
        named = [part for part in value.elts if keys_of(part) and plain(keys_of(part)[-1]) in DX]
        second = value.elts[1:2] if tensor == "dy" else []
        first = value.elts[:1] if role_of(str((keys_of(value.elts[0]) or ["dx"])[-1])) == "dy" else []
        value = next(iter(named if len(named) == 1 else second or first), None)
    if value is None or isinstance(value, ast.Dict) or (isinstance(value, ast.Constant) and value.value is None):
        return []
    inner: ast.AST = value
    while isinstance(inner, ast.Call | ast.Attribute | ast.Subscript):  # dx of dx.reshape(...)[1:]
        inner = inner.func if isinstance(inner, ast.Call) else inner.value
    base = keys_of(inner)
    before = [hit for hit, keys in assigned(nodes) if base and keys == base and hit[0] is not node]
    return [*before, *([(node, value)] if inner is not value or not before else [])]


def behind(hit: Hit, nodes: list[ast.AST]) -> list[Hit]:
    """Of self.dW = g, the lines that assign g; else the line itself."""
    node, value = hit
    if not isinstance(value, ast.Name):
        return [hit]
    return [other for other, keys in assigned(nodes) if keys == [value.id] and other[0] is not node] or [hit]
