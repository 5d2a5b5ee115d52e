"""What the checks are given, as tinynn layers and models: Adapted, where it is written as other courses do."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ... import checks
from ...checks import Array
from ...layers.layer import Layer
from ...losses import Loss
from ...model.sequential import Sequential
from ...nesting import walk
from .adapted import Adapted, run
from .arguments import ROWS
from .ids import taking_ids
from .leaves import own_class_values
from .styles import Lines, Unknown, View, Whole, find_rule, layout, read, recognised
from .under_test import REAL, LossUnderTest, precise, private


def adapt(thing: Any, x: Array | None = None) -> Layer:
    """`thing`, a layer in the style of a course, as one of tinynn's: a Layer is itself.

    x is a batch that it takes. With it, one forward and one backward show which of its numbers move y, and where their
    gradients are.

    Raises TypeError where it is no layer of a known style, and where a number moves y and has no gradient.
    """
    return adapted(thing, x)[0]


def adapted(thing: Any, x: Array | None = None, hint: str = "rows") -> tuple[Layer, Array | None]:
    """A layer, and x as rows; `hint` says whether what came before it took rows or columns."""
    if isinstance(thing, Layer):
        return thing, x
    if x is not None:
        checks.float_array("x", x, np)
    thing = private("layer", thing)
    if x is not None and callable(getattr(thing, "forward", None)) and not isinstance(thing, type):
        thing = taking_ids(thing, x)
    seen, rows = (None, x) if isinstance(thing, type) else read(thing, x, hint)
    if seen is None:
        hint = checks.class_hint(thing)
        expected = "a layer such as Affine(2, 3), with forward and backward"
        raise unknown(thing, f"layer must be {expected}, not {checks.describe(thing)}{hint}")
    own_class_values(seen)
    if x is not None:
        for _, layer in walk(seen):
            precise(layer, x.dtype)
    return Adapted(seen, rows), rows


def unknown(thing: Any, otherwise: str) -> TypeError:
    """Code that no reader knows; of what is no code at all, `otherwise` is said."""
    if inspect.isfunction(thing):
        call = f"check_layer(({thing.__name__}, its backward, W, b), x)"
        return Unknown(f"{thing.__name__} is one function, and its backward is not given", f"give both, such as {call}")
    if isinstance(thing, Loss):
        return TypeError(f"{otherwise}: check_loss checks losses")
    if hasattr(thing, "__dict__") and not isinstance(thing, type):
        return Unknown(f"{checks.describe(thing)} has no forward and backward, nor methods that stand for them")
    return TypeError(otherwise)


def as_network(model: Any, x: Array, t: Any, loss: Any) -> tuple[Adapted, Array, list[str]] | None:
    """A network that is its loss, too, as a layer whose output is the loss; x as rows; which loss. None for others."""
    if is_list(model) or isinstance(model, Layer | type) or is_model(model) or not isinstance(t, np.ndarray):
        return None
    whole = recognised(private("model", model))
    if not isinstance(whole, Whole):
        return None
    own_class_values(whole)
    rows, t = layout.settle_network(whole, x, t)
    if not isinstance(whole, Lines):
        rows, t = rows[:ROWS], t[:ROWS]
    whole.aim(t)
    notes = []
    if not whole.has_loss and loss is not None:
        tested = LossUnderTest(loss)
        whole.rule = tested.where, tested.value
    elif not whole.has_loss:
        find_rule(whole, rows)
        notes += [f"the loss, found by measuring: {whole.rule[0]}"] if whole.rule else []
    return Adapted(whole, rows), rows, notes


def as_model(model: Any, x: Array) -> tuple[Any, Array]:
    """A model as it is; a layer or a list of layers as a Sequential; and x as rows. Raises TypeError."""
    if isinstance(model, type):
        hint = checks.class_hint(model)
        raise TypeError(f"model must be a model such as a Sequential, not {checks.describe(model)}{hint}")
    if is_model(model):
        return model, x
    rows: Array | None = x
    layers: list[Layer] = []
    for thing in model if is_list(model) else [model]:
        hint = shapes_of(layers[-1]) if layers else "rows"
        layer, seen = adapted(thing, rows, "columns" if hint.startswith("column") else "rows")
        x = x if layers or seen is None else seen
        layers.append(private("layer", layer))
        rows = _behind(layers[-1], seen)
    return Sequential(*layers, backend="numpy", dtype="float64", seed=0), x


def is_list(model: Any) -> bool:
    """Whether it is layers in a list, not functions in a tuple."""
    return isinstance(model, list | tuple) and not any(map(inspect.isfunction, model))


def shapes_of(layer: Layer) -> str:
    """Whether a layer takes samples as rows or columns, and how many."""
    thing = getattr(layer, "thing", None)
    return thing.shapes if isinstance(thing, View) else "rows"


def is_model(thing: Any) -> bool:
    """Whether it is a Sequential, or of a class over `flatten`: layers of tinynn's, and params and grads as vectors.

    (Objects of other courses have dicts or lists of these names.)
    """
    has_all = all(hasattr(thing, name) for name in ("params", "grads", "forward", "backward"))
    return has_all and not isinstance(thing.params, dict | list | tuple) and next(walk(thing), None) is not None


def _behind(layer: Layer, x: Array | None) -> Array | None:
    """What comes out of a layer; None where that fails, which the check will say."""
    try:
        layer = private("layer", layer)
        precise(layer, REAL)
        return run(layer, x)  # type: ignore[arg-type]
    except Exception:
        return None
