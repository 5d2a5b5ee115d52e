"""What is meant by code that is right in its course and not everywhere."""

from __future__ import annotations

import itertools

import numpy as np

from ...checks import Array
from .adapted import Adapted, is_network
from .layer_gradients import LayerGradients
from .under_test import LayerUnderTest


def one_entry(y: Array, k: int) -> Array:
    """A dy that is 0 but in entry k of the first row."""
    dy = np.zeros(y.shape)
    dy[0, k] = 1.3
    return dy


def right_for_one_entry(tested: LayerUnderTest, x: Array, y: Array, rng: np.random.Generator) -> bool:
    """Whether a learner's layer is right where one entry of dy is not 0: some code leaves its loop after the first."""
    if not isinstance(tested.original, Adapted) or is_network(tested.original) or y.ndim != 2:
        return False
    for k, sign in itertools.product(range(min(y.shape[1], 3)), (1, -1)):  # dy.clip(0) is wrong for one of the signs
        dy = sign * one_entry(y, k)
        analytic, dx = tested.gradients(x, dy)
        gradients = LayerGradients(tested, x, y, dy, {**analytic, "x": dx}, rng)
        if any(gradients.is_wrong(name) for name in tested.tensors):
            return False
    return True
