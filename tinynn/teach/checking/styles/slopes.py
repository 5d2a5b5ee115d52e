"""Reader of activations with their slope: f(x) and f'(x), as two functions, or as an object with gradient(x).

Of a softmax, whose outputs depend on all of a row, the slope is a matrix: the Jacobian J[i, j] = dy[i] / dx[j].
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ....checks import Array
from ..names import role_of
from . import roles
from .objects import BACKWARD, forward_of
from .view import View

SLOPE = re.compile("prime|deriv|grad|slope|^d_")
METHODS = (*BACKWARD, "derivative", "prime", "deriv", "slope", "diff")


class Sloped(View):
    """y = f(x), dx = dy f'(x), or dy J; the slope may be a function of x, or of y."""

    of_output = False

    def backward(self, dy: Array) -> Array:
        """dx for rows dy."""
        at = self.memory.values["output" if self.of_output else "x"]
        return self.taken(through(self.given(dy), np.asarray(self._backward(at))))


def through(dy: Array, slope: Array) -> Array:
    """dy times the slope; dy J of each row where it is Jacobians, (N, C, C), or one, (C, C), of one sample."""
    if slope.shape == (*dy.shape, dy.shape[-1]):
        return np.asarray(np.einsum("...i,...ij->...j", dy, slope))
    if slope.shape == (dy.size, dy.size) != dy.shape:
        return np.asarray((dy.ravel() @ slope).reshape(dy.shape))
    return dy * slope


def read_slope(thing: Any) -> Sloped | None:
    """An activation with its slope; None where it is none."""
    pair: tuple[Callable[..., Any] | None, Callable[..., Any] | None]
    if isinstance(thing, tuple):
        pair = (thing[0], thing[1]) if len(thing) == 2 and all(map(inspect.isfunction, thing)) else (None, None)
    else:
        pair = forward_of(thing), roles.method(thing, METHODS)
    f, slope = pair
    if f is None or slope is None or not SLOPE.search(getattr(slope, "__name__", "").lower()):
        return None
    if any(len(roles.required(g)) != 1 for g in (f, slope)) or role_of(roles.required(slope)[0]) == "dy":
        return None
    view = Sloped({} if isinstance(thing, tuple) else thing, f, slope)
    if _of_output(f, slope):
        view.of_output = True
        view.notes.append("the slope is computed from y = f(x), not from x")
    return view


def _of_output(f: Callable[..., Any], slope: Callable[..., Any]) -> bool:
    """Whether slope(f(x)) is the slope at x, and slope(x) is not: s (1 - s) with s = sigmoid(x)."""
    x, h = np.random.default_rng(0).normal(size=(3, 4)), 1e-6
    try:
        with np.errstate(all="ignore"):
            measured = (np.asarray(f(x + h)) - np.asarray(f(x - h))) / (2 * h)
            of_x, of_y = (np.max(np.abs(slope(a.copy()) - measured)) for a in (x, np.asarray(f(x.copy()))))
    except Exception:
        return False
    return bool(of_y < 1e-6 < of_x)
