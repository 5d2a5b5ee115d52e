"""Arguments of functions and classes that a file does not define: drawn, by their names."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from ....process import same_chance
from ..names import is_state, plain, role_of
from ..styles import roles
from ..styles.view import Unknown

SIZES = (5, 4, 3)
SETTINGS = {
    "stride": 2, "pad": 1, "f": 2, "pool_height": 2, "pool_width": 2, "pool_size": 2, "mode": "train", "eps": 1e-2,
    "epsilon": 1e-2, "momentum": 0.9, "p": 0.6, "seed": 3, "normalized_shape": SIZES[:1],
}  # fmt: skip
WAYS = (
    "rows", "rows, b (1, H)", "rows, W (out, in)", "columns", "channels first", "channels last", "rows, four gates",
    "rows in sequences", "rows in sequences, four gates", "columns, four gates", "numbers",
    "w (H,)", "w (H,), b a number",
)  # fmt: skip
IMAGES = {"channels first": (4, 3, 6, 8), "channels last": (4, 6, 8, 3)}
SEQUENCES = (7, 3, 5)
ARRAYS = ("w", "w1", "w2", "wx", "wh", "b", "b1", "b2", "bias", "weights", "gamma", "beta")
OF_IMAGES = {
    "shape": (3, 6, 8), "kernel|filtersize|poolsize|poolh|poolw": 2, "depth|numfilters|nfilters|outchannels": 2,
    "inchannels": 3, "stride": 2, "pad": 1, "hidden(sizes|layers|dims|units)|layersizes": [4],
}  # fmt: skip
TEXTS = ("relu", "sigmoid", "tanh", "softmax")


def shape_of(name: str, way: str) -> tuple[int, ...] | None:
    """The shape of an argument of a layer with 5 inputs and 4 outputs, or 2 channels; None where its name says none."""
    p, k = plain(name).rstrip("0123456789"), int((re.findall(r"\d$", name) or "1")[0])
    if k >= len(SIZES):
        return None
    n_in, n_out = SIZES[k - 1], SIZES[k]
    columns = way.startswith("columns")
    if role_of(name) == "x" and not p.endswith("prev"):
        return x_shape(way)
    if (
        way == "numbers" and re.match("[wbmac]$|weight|bias|slope|intercept|theta", p)
    ) or way == f"w (H,), {p} a number":
        return ()
    if way.startswith("w (H,)") and re.match("w|b", p):
        return (n_in,)
    if p in ("gamma", "beta", "g", "scale", "shift"):
        return (3,) if way in IMAGES else (n_in, 1) if columns else (n_in,)
    if is_state(name):
        return (4, 7) if columns else (7, 4)
    if re.match("w|theta|kernel|filter|u$", p):
        if way in IMAGES:
            return (2, 3, 2, 2) if way == "channels first" else (2, 2, 3, 2)
        if p in ("wh", "whh", "waa", "u"):
            n_in = n_out
        n_out *= 4 if "gates" in way else 1
        return (n_in, n_out) if way.startswith("rows") and "out" not in way else (n_out, n_in)
    if p.startswith("b"):
        if way in IMAGES:
            return (2,) if way == "channels first" else (1, 1, 1, 2)
        n_out *= 4 if "gates" in way else 1
        return (n_out, 1) if columns else (1, n_out) if "1" in way else (n_out,)
    return None


def x_shape(way: str) -> tuple[int, ...]:
    """The shape of x."""
    if "sequences" in way or way == "numbers":
        return SEQUENCES if way != "numbers" else (7, 1)
    return IMAGES.get(way) or ((5, 7) if way.startswith("columns") else (7, 5))


def arguments(function: Any, defined: dict[str, Any], way: str, rng: np.random.Generator) -> Iterator[tuple[Any, ...]]:
    """The arguments of a function beside x: those of the file by their names, else drawn; a text may be one of four."""
    choices, rest = [], list(SIZES)
    for name, role in roles.roles(function, "x").items():
        if role in ("x", "training", "t", "decay") or name not in roles.required(function):
            continue
        shape = shape_of(name, way)
        if name in defined and not callable(defined[name]):
            choices.append([defined[name]])
        elif name in roles.unpacked(function):
            choices.append(packed(roles.unpacked(function)[name], defined, way, rng))
        elif name in roles.unrolled(function):
            choices.append(flat(defined, rng))
        elif plain(name).endswith(("param", "params", "parameters", "parameter")) and role != "parameters":
            choices.append([dict(SETTINGS)])
        elif name in SETTINGS:
            choices.append([SETTINGS[name]])
        elif role == "parameters":
            choices.append(parameters(defined))
        elif is_size(name):
            choices.append([rest.pop(0)] if rest else [SIZES[-1]])
        elif "activation" in name or "nonlinearity" in name:
            choices.append(list(TEXTS))
        elif shape is not None:
            choices.append([rng.normal(size=shape)])
        else:
            what = f"{function.__name__} takes {name!r}, for which no value could be drawn"
            raise Unknown(what, f"define {name} = ... and x in the file")
    return itertools.product(*choices)


def is_size(name: str) -> bool:
    """Whether an argument is the number of units of a layer, such as hidden_layer_size, num_labels or n_hidden."""
    return re.search(r"size$|units$|^(?:num|n)_?(?:labels|classes|inputs?|hidden|outputs?)$", name) is not None


def can_be_drawn(function: Any, name: str) -> bool:
    """Whether `arguments` has something for a parameter of a network: an array, several in one, or a size."""
    in_one = name in roles.unpacked(function) or name in roles.unrolled(function)
    return in_one or is_size(name) or shape_of(name, "rows") is not None


def packed(names: Any, defined: dict[str, Any], way: str, rng: np.random.Generator) -> list[Any]:
    """Parameters in one list: the file's own, else by the names into which a function unpacks it. Raises Unknown."""

    def of(part: Any) -> Any:
        return [of(one) for one in part] if isinstance(part, tuple) else rng.normal(size=shape_of(part, way) or ())

    with contextlib.suppress(Unknown):
        return [made for made in parameters(defined) if not isinstance(made, dict)] or [of(names)]
    return [of(names)]


def flat(defined: dict[str, Any], rng: np.random.Generator) -> list[Any]:
    """Parameters unrolled into one vector: the file's own, else of the length of some networks' of these sizes."""
    own = [a for a in defined.values() if isinstance(a, np.ndarray) and a.ndim == 1 and a.dtype.kind == "f"]
    layers = [(*deep, last) for deep in (SIZES[:2], SIZES[:1]) for last in (3, 1)]
    lengths = [sum((n + bias) * m for n, m in itertools.pairwise(sizes)) for sizes in layers for bias in (1, 0)]
    return [*own, *(rng.normal(size=n) for n in lengths)]


def sizes_for(names: list[str]) -> list[Any] | None:
    """The arguments of a class, by their names: 5, 4, 3; a list of them for sizes; a learning rate. None for others."""
    if len(names) == 1 and re.search("sizes|layers(?!ize$)|dims|structure|architecture", plain(names[0])):
        return [list(SIZES)]
    rest = list(SIZES)
    given: list[Any] = []
    for name in names:
        known = next((value for key, value in OF_IMAGES.items() if re.search(key, plain(name))), None)
        if role_of(name) == "rate":
            given.append(0.1)
        elif known is not None:
            given.append(known)
        elif not rest:
            return None
        else:
            given.append(rest.pop(0))
    return given


def objects_of(cls: type, rng: np.random.Generator) -> Iterator[Any]:
    """Objects of a class, made with arrays where it asks for W and b, then with sizes. Raises Unknown."""
    takes = [p for p in inspect.signature(cls).parameters.values() if p.default is p.empty]
    names = [p.name for p in takes if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    arrays = {name for name in names if name.lower() in ARRAYS}
    failed: Exception | None = None
    made = False
    for way in [*(WAYS if arrays else ()), ""]:
        sizes = sizes_for([name for name in names if not (way and name in arrays)])
        if sizes is None:
            continue
        rest = iter(sizes)
        given = [rng.normal(size=shape_of(name, way)) if way and name in arrays else next(rest) for name in names]
        try:
            one = cls(*given)
        except Exception as error:
            failed = error
            continue
        made = True
        yield one
    if not made:
        asks = f"takes {', '.join(names)}" if names else "is made of others"
        call = f"{cls.__name__}({', '.join(map(str, given))})" if failed else ""
        ends = f", and {call} raises {type(failed).__name__}: {failed}" if failed else ""
        write = f"make an object of it in the file, such as layer = {cls.__name__}(...)"
        raise Unknown(f"{cls.__name__} {asks}{ends}", write)


def parameters(defined: dict[str, Any]) -> list[Any]:
    """The parameters of a file, in a dict or list, or what its function to initialise gives for some sizes."""
    for name in ("parameters", "params"):
        if isinstance(defined.get(name), dict | list | tuple):
            return [defined[name]]
    found = []
    functions = [f for name, f in defined.items() if inspect.isfunction(f) and "init" in name.lower()]
    for function, deep, last in itertools.product(functions, (SIZES[:2], SIZES), (1, 3)):
        sizes = (*deep, last)
        n = len(roles.required(function))
        for given in ((list(sizes),), sizes[: n - 1] + (last,)):
            try:
                with same_chance():
                    made = function(*given)
            except Exception:
                continue
            if isinstance(made, dict | list | tuple) and made:
                found.append(distinct(made))
    if not found:
        raise Unknown("its functions take a dict of parameters", "define parameters = {...} in the file, and x and t")
    return found


def distinct(a: Any) -> Any:
    """Parameters that hide no slip: biases of 0 or weights of 0.01 become normal numbers."""
    if isinstance(a, dict):
        return {name: distinct(one) for name, one in a.items()}
    if isinstance(a, list | tuple):
        return [distinct(one) for one in a]
    if not isinstance(a, np.ndarray) or a.dtype.kind != "f":
        return a
    return np.random.default_rng(a.shape).normal(size=a.shape) / max(1.0, np.sqrt(a.shape[-1]))
