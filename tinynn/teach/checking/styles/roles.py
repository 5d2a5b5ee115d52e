"""What an argument is, by its name: x, the targets t, the output, dy, a cache, a learning rate."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

ROLES = {  # names without underscores, in lower case
    "x": "x xs xb xbatch xt xtrain input inputs inp inputdata data images image features a aprev "
    "inputlayer inputslist inputlist inputvector",
    "t": "y t ys yb ybatch ytrue ytrain target targets label labels truth groundtruth desired desiredoutput expected "
    "onehot yonehot onehoty yenc answer targetslist targetlist targetvector",
    "output": "yhat yhats ypred ypreds yp output outputs out outs o a2 a3 al pred preds prediction predictions "
    "predicted probs probabilities scores logits outputactivations finaloutput finaloutputs softmaxoutput",
    "cache": "cache caches ctx context memo memory saved",
    "parameters": "parameters params",
    "training": "training train istraining istrain trainflg trainflag trainmode trainingmode mode",
    "rate": "learningrate lr eta alpha rate learnrate stepsize",
    "count": "m n batchsize numsamples nsamples",
    "decay": "reg lambd lambda l2 weightdecay wd regstrength lambda_",
}  # fmt: skip
ROLE_OF = {name: role for role, names in ROLES.items() for name in names.split()}
OPTIONAL = ("t", "cache", "parameters", "training", "rate", "decay")  # given also where they have a default
UPSTREAM = re.compile(r"^(d|g|e)$|^d[a-z]|grad|error|err|delta|upstream|nabla")


def plain(name: str) -> str:
    """A name without underscores, in lower case, and propagation as it is spelled."""
    return name.replace("_", "").lower().replace("propog", "propag")


def role_of(name: str) -> str | None:
    """x, t, output, dy, cache, parameters, training, rate or decay; None where a name says nothing."""
    known = ROLE_OF.get(plain(name))
    return known or ("dy" if UPSTREAM.search(plain(name)) else None)


def arguments(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """What a function is called with, without self; empty where that cannot be known."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


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
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return []
    returns = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return)]
    last = returns[-1] if returns else None
    if not isinstance(last, ast.Tuple | ast.List):
        return []
    return [getattr(part, "id", getattr(part, "attr", f"part_{k}")) for k, part in enumerate(last.elts)]
