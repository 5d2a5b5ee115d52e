"""The slips on the way back through a network that is its own loss: one entry in SLIPS each.

Seen from outside, such a network has its parameters, their gradients and the loss. Its layers are not known: what an
entry computes, it computes from these, and a name is given only for an exact match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...checks import Array
from ...process import same_chance
from .adapted import is_network
from .layer_gradients import LayerGradients
from .leaves import written
from .measure import ratio, same
from .report import Finding, Row
from .styles import Whole
from .under_test import gradient_name, quiet

PACE = 1e-5  # a learning rate at which an update hardly changes a parameter


@dataclass(frozen=True)
class NetworkSlip:
    """A mistake in one gradient of a network; `found` gives why and fix where its numbers show it."""

    code: str
    found: Callable[[LayerGradients, str], tuple[str, str] | None]
    says: str = ""


def name_in_network(gradients: LayerGradients, name: str) -> Finding | None:
    """The slip that gives exactly what a network's backward gave for the gradient of `name`, or None."""
    if not is_network(gradients.tested.original):
        return None
    if not np.isfinite(gradients.numeric(name)).all():
        return None
    for slip in SLIPS:
        found = slip.found(gradients, name)
        if found:
            why, fix = found
            return Finding(slip.code, gradients.tested.where, f"{why}. {gradients.worked(name)}", fix)
    return None


def updated_too_early(gradients: LayerGradients, name: str) -> tuple[str, str] | None:
    """With a learning rate of almost 0 the same gradient is right: it is computed with weights that are new already."""
    slow, proof = _at_pace(gradients), "with a learning rate of almost 0 it is right"
    n = gradients.numeric(name)
    if slow is None:
        slow, proof = _others_kept(gradients, name), "where the others are not updated it is right"
    if slow is None or name not in slow or not same(slow[name], n, 1e-6):
        return None
    behind, label = _behind(gradients, name) or "the layer behind it", gradient_name(name)
    why = (
        f"{label} is computed after the update of {behind}, with the new numbers, W - lr * dW, in place of those of "
        f"forward: {proof}"
    )
    return why, "first all gradients, from the loss to the input, then all updates"


def _at_pace(gradients: LayerGradients) -> dict[str, Array] | None:
    """The gradients as they are at learning rates of almost 0; None where the rate cannot be set."""
    tested, runs = gradients.tested, []
    original: Any = tested.original
    view: Whole = original.thing
    if not (view.updates and view.rate_is_known):
        return None
    for pace in (PACE, -PACE):  # the mean: what grows with the rate is gone
        layer: Any = tested.fresh()
        layer.thing.pace = pace
        try:
            runs.append(tested.gradients(gradients.x, gradients.dy, layer)[0])
        except Exception:
            return None
    return {name: (runs[0][name] + runs[1][name]) / 2 for name in runs[0]}


class NotAddedTo(np.ndarray):
    """A parameter that updates in place, W -= lr * dW, do not change."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if out is not None and any(isinstance(a, NotAddedTo) for a in out):
            return out[0]
        return getattr(ufunc, method)(*(np.asarray(a) if isinstance(a, NotAddedTo) else a for a in inputs), **options)


def _others_kept(gradients: LayerGradients, name: str) -> dict[str, Array] | None:
    """The gradient of `name` where it alone is updated; None where updates are not made in place."""
    layer: Any = gradients.tested.fresh()
    view: Whole = layer.thing
    if not view.updates:
        return None
    own = next(written(leaf.paths[0]) for leaf in layer.found if leaf.name == name)
    for leaf in layer.found:
        array = layer.arrays[leaf.name].copy()
        leaf.write(view, array if leaf.name == name else array.view(NotAddedTo))
    try:
        with quiet(), same_chance():
            view.forward(gradients.x.copy())
            view.backward(gradients.dy.copy())
    except Exception:
        return None
    return {name: view.taken_back[own]} if own in view.taken_back else None


def _behind(gradients: LayerGradients, name: str) -> str:
    """The matrix of the layer behind the one of `name`, as in the order of the parameters."""
    names = gradients.tested.names
    others = names[names.index(name) + 1 :]
    right = [other for other in others if np.ndim(gradients.at(other)) == 2 and not gradients.is_wrong(other)]
    return right[0] if right else ""


def sum_of_dW(gradients: LayerGradients, name: str) -> tuple[str, str] | None:
    """db is dW summed over an axis."""
    a, label = gradients.analytic[name], gradient_name(name)
    for other, dW in _matrices(gradients):
        for axis in (0, 1):
            if same(dW.sum(axis=axis), a.ravel()):
                why = f"{label} is {gradient_name(other)}, summed over axis {axis}: x has no part in a bias"
                return why, f"{label} = the sum of its layer's dy over the samples"
    return None


def before_the_slope(gradients: LayerGradients, name: str) -> tuple[str, str] | None:
    """db is the sum of dy before the slope: that is W of the layer behind times the db of that layer."""
    before, label = _comes_back(gradients, name), gradient_name(name)
    if not before or any(gradients.is_wrong(other) for other, _ in _matrices(gradients)):
        return None
    why = f"{label} is the sum of what comes back through {before}: the slope of the activation is missing in it"
    return why, f"{label} = the sum of dy * f'(z) over the samples"


def without_slope(gradients: LayerGradients, name: str) -> tuple[str, str] | None:
    """The same where dW is wrong, too: the slope is missing in the delta from which both are computed."""
    before, label = _comes_back(gradients, name), gradient_name(name)
    if not before:
        return None
    why = f"{label} is computed from what comes back through {before}: the slope of the activation is missing in it"
    return why, "delta = (what comes back through W) * f'(z)"


def _comes_back(gradients: LayerGradients, name: str) -> str:
    """The matrix W such that a db is W times the db of its layer: what comes back through it, with no slope."""
    a = gradients.analytic[name].ravel()
    vectors = [gradients.analytic[other].ravel() for other in gradients.tested.names if other != name]
    for other, _ in _matrices(gradients):
        W = gradients.at(other)
        for db in vectors:
            for matrix in (W, W.T):
                if matrix.shape == (a.size, db.size) and same(a, matrix @ db):
                    return other
    return ""


def _matrices(gradients: LayerGradients) -> Iterator[tuple[str, Array]]:
    for name, dW in gradients.analytic.items():
        if name != "x" and dW.ndim == 2 and min(dW.shape) > 1:
            yield name, dW


SLIPS = (
    NetworkSlip("updated-too-early", updated_too_early),
    NetworkSlip("bias-from-dW", sum_of_dW, "db is dW summed over an axis, in place of the sum of dy over the samples"),
    NetworkSlip("bias-before-slope", before_the_slope, "db is the sum of dy before the slope of the activation"),
    NetworkSlip("missing-derivative", without_slope),
)


def sentences() -> dict[str, str]:
    """What each code means, in a few words."""
    return {slip.code: slip.says for slip in SLIPS if slip.says}


def at_the_labels(gradients: LayerGradients, name: str) -> str:
    """Where dW = x.T @ dz is wrong because of dz at each row's own class alone: dz[range(n), t]."""
    original: Any = gradients.tested.original
    t, wrong = original.thing.memory.t, gradients.analytic[name] - gradients.numeric(name)
    x, labels = gradients.x, t.argmax(axis=1) if t.ndim == 2 and t.shape[1] > 1 else t.ravel()
    shape, classes = wrong.shape, np.unique(labels)
    if x.ndim != 2 or shape not in ((x.shape[1], classes.size), (classes.size, x.shape[1])) or len(labels) < len(x):
        return ""
    wrong = wrong if shape[0] == x.shape[1] else wrong.T
    off = np.zeros(len(x))
    for k, label in enumerate(classes):
        own = np.flatnonzero(labels[: len(x)] == label)
        if len(own) >= x.shape[1]:  # as many rows explain any column
            return ""
        off[own] = np.linalg.lstsq(x[own].T, wrong[:, k], rcond=None)[0]
    spread = np.zeros((len(x), classes.size))
    spread[np.arange(len(x)), np.searchsorted(classes, labels[: len(x)])] = off
    if not same(wrong, x.T @ spread, 1e-6):
        return ""
    each = f", by {off[0]:.4g}" if np.allclose(off, off[0]) else ""
    each += f", which is {off[0] * len(x):.0f} / n" if each and abs(abs(off[0]) * len(x) - 1) < 1e-6 else ""
    return (
        f" What goes back is wrong at the score of each row's own class alone{each}: look at the line with that index."
    )


def in_a_network(found: Finding, rows: list[Row], has_loss: bool) -> None:
    """What a finding means where the code is a whole network: it is said in its `why`."""
    if found.code == "decay-in-gradient" and not has_loss:
        found.code = "not-judged"
        found.why += ". The code does not compute its loss: if it has that term, this is right"
    if found.code in ("unknown", "missing-derivative"):
        found.why += between(rows)
    if found.code in ("divided-by-n", "factor", "factor-2", "factor-half"):
        in_what_comes_before(found, rows)


def between(rows: list[Row]) -> str:
    """Where the way back through a network goes wrong: behind what is right."""
    verdicts = [row.verdict != "wrong" for row in rows]
    if verdicts[0] and verdicts != sorted(verdicts, reverse=True):
        return f" {', '.join(row.tensor for row in rows[: verdicts.index(False)])}, nearer to the loss, are right."
    if verdicts[0] and verdicts == sorted(verdicts, reverse=True):
        k = verdicts.index(False)
        right, wrong = (", ".join(row.tensor for row in part) for part in (rows[:k], rows[k:]))
        return (
            f" {right} are right and {wrong} are not: what is wrong lies between them, where the gradient goes on "
            "through the weights and the slope of the activation."
        )
    return ""


def in_what_comes_before(finding: Finding, rows: list[Row]) -> None:
    """Where all that is wrong is so by the same factor, say that the delta before it has the factor."""
    wrong = [row for row in rows if row.verdict == "wrong"]
    factors = [ratio(np.array([row.analytic]), np.array([row.numeric])) for row in wrong]
    first = factors[0] if factors else None
    if len(wrong) < 2 or len(wrong) == len(rows) or first is None:
        return
    if all(c is not None and abs(c / first - 1) < 1e-6 for c in factors):
        names = " and ".join(row.tensor for row in wrong)
        finding.why += f" {names} are wrong by the same factor: the delta (dZ) from which they are computed has it."
        finding.fix = f"look for the factor in the line of the delta, before {names}"
