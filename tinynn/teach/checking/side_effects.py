"""Slips that no comparison of gradients can show: randomness, arrays written into, stale caches, sums that go on.

Each is found by one or two calls more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...checks import Array
from ...process import in_main_thread
from .adapted import Adapted
from .chance import NOTE, NOTE_FOR_A_LAYER, own_draws_same, same_start
from .measure import same
from .report import Finding
from .under_test import LayerUnderTest, arrays_of, gradient_name, quiet

IN_THE_MAIN_THREAD = "check it in the main thread"


def impure(tested: LayerUnderTest, x: Array, y: Array, dy: Array) -> Finding | None:
    """Slips that a comparison of gradients cannot see, each by one or two calls more."""
    layer = tested.fresh()
    again = [np.array(run_forward(layer, x.copy())) for _ in range(2)]
    if not (np.array_equal(again[0], again[1], equal_nan=True) and np.array_equal(again[0], y, equal_nan=True)):
        return random_forward(tested)
    given, upstream = x.copy(), dy.copy()
    layer = tested.fresh()
    run_forward(layer, given)
    if not np.array_equal(given, x, equal_nan=True):
        why = "forward changes its input x in place, which the layer before it still needs"
        return Finding("writes-into-x", tested.where, why, "compute into a new array: x = x - ... in place of x -= ...")
    before = {name: held.arrays[own].copy() for name, (held, own) in arrays_of(layer).items()}
    dx = run_backward(layer, upstream)
    first = {name: held.arrays["d" + own].copy() for name, (held, own) in arrays_of(layer).items()}
    if not np.array_equal(upstream, dy, equal_nan=True):
        why = "backward changes its argument dy in place; another path may still need it"
        return Finding("writes-into-dy", tested.where, why, "dx = dy.copy() first, or dx = dy * mask")
    if not np.array_equal(given, x, equal_nan=True):
        return Finding("writes-into-x", tested.where, "backward changes the x that it was given in forward", "copy x")
    for name, (held, own) in arrays_of(layer).items():
        if not np.array_equal(held.arrays[own], before[name], equal_nan=True):
            return updated(tested, x, name, before[name], held.arrays[own], dy, dx)
    later = []
    for _ in range(2):
        run_forward(layer, x.copy())
        run_backward(layer, dy.copy())
        later.append({name: held.arrays["d" + own].copy() for name, (held, own) in arrays_of(layer).items()})
    for name in tested.names:
        second, third = (grads[name] for grads in later)
        if not same(second, first[name]):
            if same(second - first[name], third - second):
                why = f"{gradient_name(name)} adds up: after two equal steps it is twice what it was after one"
                return Finding(
                    "accumulates", tested.where, why, f"self.d{name} = ...  in place of  self.d{name} += ..."
                )
            why = f"{gradient_name(name)} differs between two equal steps: backward keeps something from the last"
            return Finding("unknown", tested.where, why)
    other = 0.9 * x[::-1]
    layer = tested.fresh()
    run_forward(layer, other.copy())
    run_backward(layer, dy.copy())
    grads, late = tested.gradients(x, dy, layer)
    if not same(late, dx):  # a backward that draws random numbers goes on where its forward has left off
        dx = tested.gradients(x, dy)[1]
    if not (same(late, dx) and all(same(grads[name], first[name]) for name in tested.names)):
        why = "after another batch, backward still uses what it remembered from the first one"
        return Finding("stale-cache", tested.where, why, "set what backward needs anew in each forward")
    return None


def random_forward(tested: LayerUnderTest) -> Finding:
    """Two forwards differ, though all generators that are known start alike."""
    if not in_main_thread():
        why = "two forwards of the same x differ, and only in the main thread can the global generators start alike"
        return Finding("not-judged", tested.where, why, IN_THE_MAIN_THREAD)
    why = (
        "two forwards of the same x differ, though the generators started alike: forward makes a new generator "
        "without a seed, asks the time, or keeps something from call to call"
    )
    fix = "draw from np.random or from a generator that is made in __init__, and start each forward alike"
    return Finding("random-forward", tested.where, why, fix)


def is_repeatable(found: Finding | None) -> bool:
    """Whether forward could be measured: else the numbers of a table say nothing."""
    return found is None or (found.code != "random-forward" and found.fix != IN_THE_MAIN_THREAD)


def draws(tested: LayerUnderTest, x: Array) -> list[str]:
    """A note where forward draws random numbers from a generator that is not its `rng`."""
    layer, seen = tested.fresh(), []
    with quiet(), same_start(layer):
        for _ in range(2):
            with own_draws_same(layer):
                seen.append(np.array(layer.forward(x.copy())))
    if np.array_equal(seen[0], seen[1], equal_nan=True):
        return []
    return [NOTE + ("" if isinstance(tested.original, Adapted) else NOTE_FOR_A_LAYER)]


def updated(tested: LayerUnderTest, x: Array, name: str, old: Array, new: Array, dy: Array, dx: Array) -> Finding:
    """backward has changed a parameter: before or after it used it?"""
    fix = "backward computes gradients, nothing else; the update comes after the whole backward pass"
    if old.ndim == 2 and dy.shape[1] == old.shape[1] and dx.shape[1] == old.shape[0] and same(dx, dy @ new.T):
        gradient = tested.gradients(x, dy)[0][name]
        rate = np.vdot(gradient, old - new) / (np.vdot(gradient, gradient) or 1)
        why = f"dx = dy @ {name}.T is computed with {name} already updated (lr {rate:.4g}): it must be that of forward"
        return Finding("updated-too-early", tested.where, why, fix)
    return Finding("update-in-backward", tested.where, f"backward changes the parameter {name}", fix)


def run_forward(layer: Any, x: Array) -> Array:
    """forward, without NumPy's warnings and traces in generators and buffers."""
    with np.errstate(all="ignore"), same_start(layer):
        return layer.forward(x)


def run_backward(layer: Any, dy: Array) -> Array:
    """backward, without NumPy's warnings and traces in generators and buffers."""
    with np.errstate(all="ignore"), same_start(layer):
        return layer.backward(dy)
