"""Dropout: the mask that x is multiplied by. It is drawn once, for forward and backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...checks import Array


def dropout_mask(rng: np.random.Generator, shape: tuple[int, ...], rate: float, dtype: Any) -> Array:
    """0 with the probability `rate`, else 1 / (1 - rate): so the mean of mask x is x, and use needs no scale.

    The same numbers for every dtype. Source: Srivastava et al. 2014, with the scale in training ("inverted").
    """
    return (rng.random(shape, np.float32) >= rate).astype(dtype) / np.asarray(1 - rate, dtype)
