"""The doctor for layers: what is wrong in a backward pass, by name.

First what no gradient shows (a forward that is not the same twice, arrays written into, stale caches, gradients that
add up), then each gradient against a measured one (layer_gradients.py). Where it is wrong, it is compared with what the
classic slips would give (slips/; layer_slips.py asks them). The dy of an examination is random: with the real one,
which may be 0 in many places, too little can be seen.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import checks
from ...checks import Array
from . import measure, own_rows
from .adapted import integers_in, is_network
from .finite import of_a_layer
from .forwards import wrong_forward
from .layer_gradients import LayerGradients
from .layer_slips import name_it, wrong_shape
from .network_slips import at_the_labels, name_in_network
from .report import Finding, raised
from .side_effects import impure
from .slips import affine
from .styles import Lines, View
from .styles.valued import Valued
from .under_test import LayerUnderTest, gradient_name

VAGUE = ("raises", "not-finite", "random-forward", "unknown")  # at rows of the doctor's own, these say nothing


def examine(tested: LayerUnderTest, x: Array, rng: np.random.Generator) -> Finding | None:
    """What is wrong with a layer at input x, or None: at x itself, and where x shows too little, at other rows.

    Where it is wrong at x in an unknown way, normal numbers may give it a name: where all of x is above 0, many
    mistakes look alike.
    """
    found = examine_at(tested, x, rng)
    if found is not None:
        return named_elsewhere(found, tested, x, rng) if found.code == "unknown" else found
    for rows in () if is_network(tested.original) else own_rows.others(x, rng):
        other = _at_other_rows(tested, rows, rng)
        if other and other.code not in VAGUE:
            other.why = f"At x itself it cannot be seen; at other rows, of shape {rows.shape}: {other.why}"
            other.example = ""
            return other
        if other and other.code == "unknown" and own_rows.of_one_sign(x) and not own_rows.of_one_sign(rows):
            tested.notes.append(f"right at this x, which has no two signs, and wrong at normal numbers: {other.why}")
    return None


def named_elsewhere(found: Finding, tested: LayerUnderTest, x: Array, rng: np.random.Generator) -> Finding:
    """An unknown mistake by its name, if it has one where x is normal numbers of the same shape."""
    view = getattr(tested.original, "thing", None)
    if isinstance(view, Lines | Valued) or getattr(tested.original, "takes_ids", False):  # x is none, or whole numbers
        return found
    other = _at_other_rows(tested, measure.normal(rng, x), rng)
    if other is None or other.code in VAGUE or other.tensor != found.tensor:
        return found
    other.why = f"Seen at normal numbers in place of x, which has too little in it to tell: {other.why}"
    other.example = ""
    return other


def _at_other_rows(tested: LayerUnderTest, rows: Array, rng: np.random.Generator) -> Finding | None:
    try:
        return examine_at(tested, rows, rng)
    except Exception:  # a layer that takes only certain rows
        return None


def examine_at(tested: LayerUnderTest, x: Array, rng: np.random.Generator) -> Finding | None:
    """The same at these rows alone. The first cause in the order of this function is named."""
    found = whole_numbers(tested.original)
    if found:
        return found
    try:
        y = tested.forward(x)
    except Exception as error:
        return raised(tested.where, "forward", error)
    if y.size == 0:
        why = f"y is empty, of shape {y.shape}, at this x, of shape {x.shape}: there is no gradient to look at"
        return Finding("not-judged", tested.where, why, "give an x that is larger")
    dy = upstream(tested, y, rng)
    found = of_a_layer(tested, x, y, dy)
    if found:
        return found
    try:
        found = impure(tested, x, y, dy)
        if found:
            return found
        analytic, dx = tested.gradients(x, dy)
    except checks.ShapeError as error:
        return wrong_shape(LayerGradients(tested, x, y, dy, {}, rng), error)
    except Exception as error:
        return squared(tested, x, y, rng) or raised(tested.where, "backward", error)
    gradients = LayerGradients(tested, x, y, dy, {**analytic, "x": dx}, rng)
    for name in tested.tensors:
        if gradients.is_wrong(name) and not gradients.right_nearby(name):
            found = too_early(gradients, name) or name_in_network(gradients, name) or name_it(gradients, name)
            if found.code == "unknown" and is_network(tested.original):
                found.why += at_the_labels(gradients, name)
            found.tensor, found.example = gradient_name(name), gradients.worked(name)
            return found
    if is_network(tested.original):  # its y is one loss, not a row for each sample: no probe of rows fits it
        return None
    return own_rows.beyond(tested, gradients, rng) or wrong_forward(tested, x, rng)


def upstream(tested: LayerUnderTest, y: Array, rng: np.random.Generator) -> Array:
    """A random dy; where y is a network's loss, the loss itself is meant."""
    return np.full(y.shape, 1 / len(y)) if is_network(tested.original) else measure.normal(rng, y)


def too_early(gradients: LayerGradients, name: str) -> Finding | None:
    """dx of a backward that updates on the way, from the parameters as they are after it."""
    tested = gradients.tested
    view = getattr(tested.original, "thing", None)
    facts = affine.recognise(gradients, "x") if name == "x" and isinstance(view, View) and view.updates else None
    if facts is None:
        return None
    W = facts.words["W"]
    new = facts.W - facts.own("dW", gradients.analytic[W])
    if not measure.same(gradients.analytic["x"], facts.own("dx", facts.dy @ new.T)):
        return None
    why = f"dx = dy @ {W}.T is computed with {W} already updated: it must be that of forward. {gradients.worked(name)}"
    return Finding("updated-too-early", tested.where, why, f"compute dx before the update of {W}")


def whole_numbers(layer: Any) -> Finding | None:
    """Parameters that are whole numbers."""
    for name in integers_in(layer):
        why = f"{name} holds whole numbers: a small step is lost in it (3 + 1e-5 is stored as 3), and so is training"
        where = layer.where if hasattr(layer, "where") else f"{type(layer).__name__}()"
        return Finding("integer-arrays", where, why, f"{name} = {name}.astype(float)")
    return None


def squared(tested: LayerUnderTest, x: Array, y: Array, rng: np.random.Generator) -> Finding | None:
    """A layer x W + b whose backward raises, as a square one: then a product with the wrong matrix has a result."""
    gradients = LayerGradients(tested, x, y, np.zeros(y.shape), {}, rng)
    facts = affine.recognise(gradients, "x")
    if facts is None or facts.square:
        return None
    K = y.shape[1]
    square = LayerUnderTest(tested.original, tested.where)
    for layer in (square.original, square.twin):
        for name, a in layer.arrays.items():
            if name.removeprefix("d") == facts.words["W"] and a.ndim == 2:
                layer.arrays[name] = measure.normal(np.random.default_rng(4), np.empty((K, K))).astype(a.dtype)
        for size in ("n_in", "n_out"):
            if getattr(layer, size, None) is not None:
                setattr(layer, size, K)
    try:
        found = examine(square, measure.normal(rng, np.empty((len(x), K))), rng)
    except Exception:
        return None
    return found if found and found.code in ("dx-not-transposed", "dW-from-y", "dW-transposed") else None
