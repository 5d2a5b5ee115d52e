"""Recipes: a layer or an optimizer written as JSON, and made again from it.

    entry = recipe("layer 1", Affine(2, 3))     {"class": "Affine", "arguments": {"n_in": 2, "n_out": 3, ...}}
    make("layer 1", entry, LAYERS)              Affine(2, 3), without weights yet

The arguments are the constructor's, read from the attributes of the same names. The new object must have kept them
unchanged.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import numbers
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from .. import checks, initializers, layers, optimizers
from ..checks import Array
from ..layers.layer import Layer
from ..model import Model, Sequential
from ..nesting import held, with_inner
from ..optimizers import Optimizer
from .files import CheckpointError, short


def _defined_in(module: ModuleType, base: type, method: str) -> dict[str, Any]:
    """Name -> class for each that a chapter defines in full: a new one is saved and loaded without being listed."""
    known = {name: c for name, c in vars(module).items() if isinstance(c, type) and issubclass(c, base)}
    return {name: c for name, c in known.items() if getattr(c, method) is not getattr(base, method)}


LAYERS = dict(sorted((_defined_in(layers, Layer, "forward") | {"Sequential": Sequential}).items()))
OPTIMIZERS = _defined_in(optimizers, Optimizer, "step")


def demand_parts(model: Any, optimizer: Any = None, order: str = "the file comes first, save(path, model)") -> None:
    """Raise where the two are not what checkpoints are made of; `order` is said where the model is a path."""
    if not isinstance(model, Model):
        hint = f": {order}" if isinstance(model, str) else ""
        raise TypeError(f"model must be a Sequential or another Model, not {checks.describe(model)}{hint}")
    if optimizer is not None and type(optimizer) not in OPTIMIZERS.values():
        raise TypeError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, not {checks.describe(optimizer)}")
    if optimizer is not None and optimizer.model is not model:
        raise ValueError("optimizer must be one of this model, not one made for another")


def recipe(thing: str, made: Any) -> dict[str, Any]:
    """The class and the arguments of a layer or an optimizer. Raises TypeError where one cannot be saved."""
    return {"class": type(made).__name__, "arguments": _arguments(thing, made)}


def _arguments(thing: str, made: Any) -> dict[str, Any]:
    """What the constructor was given, read from the attributes of the same names."""
    arguments = {}
    signature = inspect.signature(type(made))
    args, options = getattr(made, "_given", None) or ((), {})
    given = signature.bind_partial(*args, **options)
    given.apply_defaults()
    for name, option in signature.parameters.items():
        if name == "model" and isinstance(made, Optimizer):
            continue
        if name in ("backend", "dtype", "seed") and isinstance(made, Sequential):  # those of the model that it is in
            continue
        if (name, option.kind) == ("layers", option.VAR_POSITIONAL) and not hasattr(made, name):
            inner = [layer for _, layer in held(made) if isinstance(layer, Sequential)]
            if len(inner) == 1:  # self.inner = Sequential(*layers)
                arguments[name] = plain(f"{thing}: {name}", inner[0].layers)
                continue
        named = option.kind in (option.POSITIONAL_OR_KEYWORD, option.KEYWORD_ONLY)
        if named and name not in vars(made) and name in given.arguments:
            arguments[name] = plain(f"{thing}: {name}", given.arguments[name])
            continue
        if not hasattr(made, name) or not (named or (name, option.kind) == ("layers", option.VAR_POSITIONAL)):
            raise TypeError(
                f"{thing}: argument {name} must be kept as self.{name} to be saved, not dropped: self.{name} = {name}"
            )
        arguments[name] = plain(f"{thing}: {name}", getattr(made, name))
    return arguments


def plain(thing: str, value: Any) -> Any:
    """`value` as JSON can say it; initializers go by their names."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Layer):
        return {"layer": recipe(thing, value)}
    if isinstance(value, list | tuple):
        return [plain(f"{thing}[{n}]", inner) for n, inner in enumerate(value)]
    if isinstance(value, numbers.Real):
        return int(value) if isinstance(value, numbers.Integral) else float(value)
    function = value.func if isinstance(value, functools.partial) and not value.args else value
    name = getattr(function, "__name__", "")
    if initializers.BY_NAME.get(name) is function:
        if function is value:
            return name
        return {"initializer": name, **{key: plain(f"{thing}: {key}", of) for key, of in value.keywords.items()}}
    expected = "a number, a text, True, False, None, or an initializer of tinynn's or functools.partial of one"
    raise TypeError(f"{thing} must be {expected} to be saved, not {checks.describe(value)}")


def _from_plain(thing: str, value: Any, classes: Mapping[str, type]) -> Any:
    """The argument that `plain` has made `value` of."""
    if isinstance(value, list):
        return [_from_plain(f"{thing}.{n}", inner, classes) for n, inner in enumerate(value, 1)]
    if not isinstance(value, dict):
        return value
    if set(value) == {"layer"}:
        return make(thing, _entry(thing, value["layer"]), classes)
    options = {name: option for name, option in value.items() if name != "initializer"}
    return functools.partial(initializers.BY_NAME[value["initializer"]], **options)


def make(thing: str, entry: dict[str, Any], classes: Mapping[str, type], *first: Any) -> Any:
    """A layer or an optimizer by its class's name; the constructor must have taken the arguments as they are."""
    name, arguments = entry["class"], entry["arguments"]
    if name not in classes:
        hint = f"if it is yours, give its class: load(path, layers=[{name if name.isidentifier() else '...'}])"
        raise CheckpointError(f"{thing} must be one of {', '.join(classes)}, not {checks.describe(name)}: {hint}")
    try:
        values = {key: _from_plain(thing, value, classes) for key, value in arguments.items()}
        several = values.pop("layers", []) if issubclass(classes[name], Layer) else []
        if classes[name] is Sequential:  # in another model, which builds it
            made = Sequential.unbuilt(*several, **values)
        else:
            made = classes[name](*first, *several, **values)
        kept = _arguments(thing, made)
    except CheckpointError:  # of a layer within it
        raise
    except Exception as error:  # a class of one's own may raise anything
        raise CheckpointError(f"{thing} must be made of what {name} takes, not fail: {short(error)}") from error
    if kept != arguments:
        raise CheckpointError(f"{thing} must keep the arguments {short(arguments)}, not change them to {short(kept)}")
    return made


def _entry(thing: str, entry: Any) -> dict[str, Any]:
    """Class and arguments of a layer within another, of the right types."""
    right = isinstance(entry, dict) and set(entry) == {"class", "arguments"}
    if not right or type(entry["class"]) is not str or type(entry["arguments"]) is not dict:
        raise CheckpointError(f"{thing} must be a class and its arguments, not {short(entry)}")
    return entry


def make_layers(header: dict[str, Any], classes: Mapping[str, type]) -> list[Layer]:
    """New layers by the header, without weights yet."""
    return [make(f"layer {place}", entry, classes) for place, entry in enumerate(header["layers"], 1)]


def count(layers: Iterable[Layer], kind: str) -> int:
    """How many numbers the "parameters" or "buffers" of new layers have, those within them included."""
    total = 0
    for outer in layers:
        for layer in with_inner(outer):
            known = layer.sizes() if _says_its_sizes(type(layer)) else Layer.sizes(layer)
            total += sum(math.prod(known[name]) for name in getattr(layer, kind))
    return total


def _says_its_sizes(kind: type[Layer]) -> bool:
    """Whether what a class says of its sizes is of its own first values, and not those of a class derived from it."""
    first = next(name for cls in kind.__mro__ for name in ("sizes", "initial_values") if name in vars(cls))
    return first == "sizes"


def make_optimizer(header: dict[str, Any], model: Any, vectors: Mapping[str, Array] | None = None) -> Optimizer | None:
    """A new optimizer by the header, with its state from the vectors; without them it is 0."""
    entry = header["optimizer"]
    if entry is None:
        return None
    made = make("optimizer", entry, OPTIMIZERS, model)
    if (entry["t"] is None) == hasattr(made, "t") or (entry["t"] or 0) >= 2**63:
        raise CheckpointError(f"optimizer: t must be a count where {entry['class']} has one, not {entry['t']}")
    made.epochs, made.seed = entry["epochs"], entry["seed"]
    if entry["t"] is not None:
        made.t = entry["t"]
    if vectors is not None:
        vars(made).update({name: made.ops.asarray(vectors[f"optimizer.{name}"]) for name in made.state})
    return made


def _without_starts(value: Any) -> Any:
    """Arguments without those that only say where weights start, here and in layers within."""
    if isinstance(value, list):
        return [_without_starts(inner) for inner in value]
    if isinstance(value, dict):
        return {name: _without_starts(inner) for name, inner in value.items() if not name.endswith("_init")}
    return value


def demand_same(header: dict[str, Any], model: Model) -> None:
    """Raise where the model is not of the file's architecture, naming the first layer that differs."""
    if header["dtype"] != str(model.dtype):
        raise CheckpointError(f"dtype must be the model's, {model.dtype}, not {header['dtype']}")
    own = [layer for _, layer in held(model)]
    for place, (layer, entry) in enumerate(itertools.zip_longest(own, header["layers"]), 1):
        mine = None if layer is None else (type(layer).__name__, _without_starts(_arguments(layer.where, layer)))
        saved = None if entry is None else (entry["class"], _without_starts(entry["arguments"]))
        if mine != saved:
            here = layer.where if mine else f"layer {place}: the model has none"
            there = f"{saved[0]}({', '.join(map(repr, saved[1].values()))})" if saved else "none"
            raise CheckpointError(f"{here}, but the file has {short(there)}")
