"""What the lines of a training loop say: what they update, at which rate, and where forward ends."""

from __future__ import annotations

import ast
import inspect
from typing import Any

import numpy as np

from ....checks import Array
from ..names import VALUE, plain, role_of
from .view import Unknown

WRITE = "call the targets y, the output y_hat and the learning rate lr, and write each update as W -= lr * dW"


def target_of(node: ast.stmt) -> str:
    """W of W -= ..., W += ... and W = W - ..., or self.W; "" for any other line."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Sub | ast.Add):
        return name_of(node.target)
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.BinOp):
        return ""
    updates = isinstance(node.value.op, ast.Sub | ast.Add) and name_of(node.value.left) == name_of(node.targets[0])
    return name_of(node.targets[0]) if updates else ""


def name_of(node: ast.expr) -> str:
    """y of y, self.y of self.y; "" for any other expression."""
    of_self = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    return ast.unparse(node) if isinstance(node, ast.Name) or of_self else ""


def role_in(text: str) -> str | None:
    return role_of(text.removeprefix("self."))


def valued(text: str, names: dict[str, Any]) -> Any:
    """The numbers of W or self.W; None where it has none."""
    held = vars(names["self"]) if text.startswith("self.") and "self" in names else names
    value = held.get(text.removeprefix("self."))
    return value if isinstance(value, np.ndarray | float | int) and np.asarray(value).dtype.kind in "fiuc" else None


def put(names: dict[str, Any], text: str, value: Any) -> None:
    if text.startswith("self."):
        setattr(names["self"], text[5:], value)
    else:
        names[text] = value


def is_code(value: Any) -> bool:
    return inspect.isroutine(value) or inspect.isclass(value) or inspect.ismodule(value)


def shows(node: ast.stmt) -> bool:
    """A line that prints or draws."""
    text = ast.unparse(node)
    return isinstance(node, ast.Expr) and text.startswith(("print(", "plt."))


def texts_in(part: ast.AST, kind: type[ast.expr_context]) -> list[str]:
    """The names, also of attributes, that are stored or loaded."""
    found = (node for node in ast.walk(part) if isinstance(node, ast.expr))
    nodes = [node for node in found if isinstance(getattr(node, "ctx", None), kind)]
    nodes.sort(key=lambda node: (node.lineno, node.col_offset))
    return [text for node in nodes if (text := name_of(node))]


def rates_of(changed: list[ast.stmt], names: dict[str, Any]) -> list[str]:
    """The names of the learning rates in the updates."""
    used = [text for part in changed for text in texts_in(part, ast.Load)]
    return [text for text in dict.fromkeys(used) if role_in(text) == "rate" and np.ndim(valued(text, names)) == 0]


def ends_in(body: list[ast.stmt], names: dict[str, Any]) -> tuple[str, str, int]:
    """(the output, the targets, how many lines forward has): where the two meet. Raises Unknown."""
    assigned: dict[str, int] = {}
    for k, part in enumerate(body):
        differences = [n for n in ast.walk(part) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Sub)]
        for y, t in [side for n in differences for side in ((n.left, n.right), (n.right, n.left))]:
            base = t.value if isinstance(t, ast.Subscript) else t
            if role_in(name_of(base)) == "t" and role_in(name_of(y)) != "t" and name_of(y) in assigned:
                return name_of(y), ast.unparse(t), k
        for text in texts_in(part, ast.Store):
            assigned.setdefault(text, k)
    targets = [text for part in body for text in texts_in(part, ast.Load) if role_in(text) == "t"]
    outputs = [text for text in assigned if role_in(text) == "output" and plain(text) not in ("a2", "a3")]
    if not targets or not outputs:
        missing = "no targets" if not targets else "no output"
        raise Unknown(f"the lines of a training loop, in which {missing} could be found by name", WRITE)
    return outputs[0], targets[0], assigned[outputs[0]] + 1


def loss_in(body: list[ast.stmt]) -> tuple[str, int]:
    """(the loss that lines compute last, how many lines that takes); ("", 0) where they compute none."""
    found = [(text, k + 1) for k, part in enumerate(body) for text in texts_in(part, ast.Store) if VALUE.search(text)]
    return found[-1] if found else ("", 0)


def nonzero(a: Array) -> Any:
    """Numbers that hide no slip: weights of 0 become normal ones."""
    return a if a.any() or not a.ndim else np.random.default_rng(a.shape).normal(size=a.shape)


def once(body: list[ast.stmt]) -> Any:
    """Lines that run once, also with break and continue among them."""
    once = ast.For(ast.Name("_once", ast.Store()), ast.Tuple([ast.Constant(0)], ast.Load()), body or [ast.Pass()], [])
    return compile(ast.fix_missing_locations(ast.Module([once], [])), "<the lines of the loop>", "exec")
