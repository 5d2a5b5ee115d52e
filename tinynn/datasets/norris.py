"""Norris: real measurements that a straight line fits, with a line certified to 15 digits."""

from __future__ import annotations

import numpy as np

from ..checks import Array

# fmt: off
PAIRS = (  # (x, y): NIST's measurement, the customer's
    (0.2, 0.1), (337.4, 338.8), (118.2, 118.1), (884.6, 888.0), (10.1, 9.2), (226.5, 228.1),
    (666.3, 668.5), (996.3, 998.5), (448.6, 449.1), (777.0, 778.9), (558.2, 559.2), (0.4, 0.3),
    (0.6, 0.1), (775.5, 778.1), (666.9, 668.8), (338.0, 339.3), (447.5, 448.9), (11.6, 10.8),
    (556.0, 557.7), (228.1, 228.3), (995.8, 998.0), (887.6, 888.8), (120.2, 119.6), (0.3, 0.3),
    (0.3, 0.6), (556.8, 557.6), (339.1, 339.3), (887.2, 888.0), (999.0, 998.5), (779.0, 778.9),
    (11.1, 10.2), (118.3, 117.6), (229.2, 228.9), (669.1, 668.4), (448.9, 449.2), (0.5, 0.2),
)
# fmt: on


def load_norris() -> tuple[Array, Array]:
    """Ozone concentrations as two instruments measured them: (x, y), each (36, 1) float64, new on each call.

    x, in [0.2, 999], is NIST's measurement; y, in [0.1, 998.5], the customer's. The certified least-squares line is

        y = -0.262323073774029 + 1.00211681802045 x,   residual standard deviation 0.884796396144373

    Source: NIST Statistical Reference Datasets, Linear Regression, Norris: Norris, J., NIST, Calibration of Ozone
    Monitors.
    """
    pairs = np.array(PAIRS)
    return pairs[:, :1].copy(), pairs[:, 1:].copy()
