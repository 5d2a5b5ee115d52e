"""A loss of any style at given predictions and targets: what its style leaves open is found out by trying."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ...backends.numpy import sigmoid, softmax
from ...checks import Array
from ...losses import MSE, Loss
from . import measure
from .loss_eps import leave_eps_out
from .loss_kinds import probabilities, takes_probabilities
from .loss_styles import ACTIVATIONS, GRADIENTS, VALUES, AdaptedLoss, is_loss_like, sides
from .names import SCORES
from .under_test import REAL, ModelUnderTest, quiet


def adapt_loss(loss: Any, y: Array, t: Array) -> tuple[Any, Array, list[str]]:
    """(the loss with forward and backward, the predictions to give it, what was found out of its style).

    tinynn's own is itself, and so is everything that cannot be tried: its examination says why.
    """
    found, y, notes = _in_style(loss, y, t)
    found, more = leave_eps_out(found, y, t)
    return found, y, notes + more


def _in_style(loss: Any, y: Array, t: Array) -> tuple[Any, Array, list[str]]:
    """The same, with all that it computes."""
    if isinstance(loss, Loss | AdaptedLoss):
        return loss, y, []
    if isinstance(loss, type):
        if not any(isinstance(vars(loss).get(name), staticmethod) for name in (*VALUES, *GRADIENTS)):
            return loss, y, []
        loss = loss()
    if not (inspect.isfunction(loss) or is_loss_like(loss)):
        return loss, y, []
    found, notes = AdaptedLoss(loss), []
    with quiet():
        try:
            if _is_for_scores(found, y, t):
                return found, y, ["its gradient is that for z: a is the sigmoid (or softmax) of z, and y is taken as z"]
            if takes_probabilities(found.forward, y, t):
                found.on_probabilities = True
                if not _are_probabilities(y):
                    y = probabilities(y, t)
                    notes.append("the loss takes probabilities: y has been put through a softmax or sigmoid first")
            notes += _settle(found, y, t)
        except Exception:  # the examination says so
            return found, y, notes
    return found, y, notes


def _is_for_scores(loss: AdaptedLoss, y: Array, t: Array) -> bool:
    """Whether the gradient asks for z beside a, as delta(z, a, y): then it is that for z."""
    _, gradient = loss.functions()
    asked = sides(gradient) if gradient else {}
    two = list(asked.values()).count("output") > 1 and any(map(SCORES.fullmatch, asked))
    if not two or set(asked) & set(ACTIVATIONS):
        return False
    ways = [sigmoid, softmax] if t.shape == y.shape and y.shape[1] > 1 else [sigmoid]
    fits = []
    for loss.activation in ways:
        fits.append(abs(_factor(loss, y, t) - 1) <= 1e-6)
    loss.activation = ways[fits.index(True) if True in fits else 0]
    return True


def _are_probabilities(y: Array) -> bool:
    return bool((y >= 0).all() and (y <= 1).all())


def _settle(loss: AdaptedLoss, y: Array, t: Array) -> list[str]:
    """The order of the arguments and how values of rows are put together: what fits the gradient."""
    value, _ = loss.functions()
    named = sides(value)
    unsure = loss.neutral(named) and t.shape == y.shape
    loss.forward(y.copy(), t)
    many = np.ndim(loss.raw) > 0
    ways = [""] + (["sum"] + (["mean"] if np.size(loss.raw) != len(loss.raw) else []) if many else [])
    factors = {}
    for columns in (False, True) if t.shape == y.shape else (False,):
        for swapped in (False, True) if unsure else (False,):
            for loss.reduction in ways:
                loss.swapped, loss.columns = swapped, columns
                factors[swapped, columns, loss.reduction] = _factor(loss, y, t)
    nearest = [way for c in (1, -1, 2, 0.5, -2, -0.5) for way, f in factors.items() if abs(f - c) <= 1e-6]
    loss.swapped, loss.columns, loss.reduction = nearest[0] if nearest else (False, False, "")
    return _said(loss, value, many)


def _factor(loss: AdaptedLoss, y: Array, t: Array) -> float:
    """dy over the loss's gradient, along a direction; NaN where it cannot be had."""
    try:
        loss.forward(y.copy(), t)
        dy = np.asarray(loss.backward())
        u = measure.normal(np.random.default_rng(4), y)
        if dy.shape != y.shape:
            return float("nan")
        exact = measure.complex_works(lambda a: loss.forward(a, t), y, np.random.default_rng(1))
        n = measure.along(lambda a: loss.forward(a, t), y, u, exact)
    except Exception:
        return float("nan")
    return float((u * dy).sum()) / n if n else float("nan")


def _said(loss: AdaptedLoss, value: Any, many: bool) -> list[str]:
    named, notes = sides(value), []
    names = [name for name, side in named.items() if side] or list(named)[:2]
    by_name = [side for side in named.values() if side][:2] == ["t", "output"]
    if loss.swapped or by_name:
        order = "the target comes first" if by_name else "as f(y, t) its gradient would have the wrong sign"
        notes.append(f"taken as {value.__name__}(t, y), {', '.join(names[:2])}: {order}")
    if loss.columns:
        notes.append("samples are columns to this loss, (D, N): it is measured in that layout")
    if many:
        how = {"sum": "sum", "mean": "mean over all elements", "": "mean over the rows"}[loss.reduction]
        notes.append(f"the loss has a value for each row or element: what is measured is their {how}")
    return notes


def adapt_loss_of(model: Any, loss: Any, x: Array, t: Array) -> tuple[Any, list[str]]:
    """The same of the loss of a model, at the model's own predictions."""
    try:
        y = ModelUnderTest(model, MSE(), REAL).model.forward(x.copy())
    except Exception:  # the check says so
        return loss, []
    adapted, used, notes = adapt_loss(loss, np.array(y), t)
    return (adapted, notes) if used is y or np.array_equal(used, y) else (loss, [])
