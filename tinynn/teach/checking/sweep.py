"""The error of central differences against their step: a V, a plateau or a cliff."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...checks import Array
from .report import wrapped


@dataclass
class StepSizeSweep:
    """Error against step size, h = 1e-1 ... 1e-12, of a central difference along one direction.

    A right gradient makes a V: too large a step truncates (slope 2), too small a one rounds off (slope -1). A bug of
    relative size d is a plateau at d, which no step gets under. A kink within the step is a cliff.
    """

    h: Array
    error: Array
    kink: str = ""  # the unit that is nearest to its kink, at a cliff

    @property
    def shape(self) -> str:
        """ "V", "plateau" or "cliff"."""
        best = self.error.min()
        if best > 1e-7:  # round-off and truncation meet below 1e-8
            return "plateau"
        jumps = np.log10(np.maximum(self.error[:-1], 1e-16) / np.maximum(self.error[1:], 1e-16))  # from large h down
        return "cliff" if (jumps[self.error[:-1] > 1e-8] > 3.5).any() else "V"

    def __str__(self) -> str:
        said = {
            "V": f"a V, down to {self.error.min():.0e}: the gradient is right",
            "plateau": f"a plateau at {np.median(self.error):.0e}: a bug of that relative size, whatever the step",
            "cliff": f"a cliff: not a bug, {self.kink or 'a kink'}; within smaller steps the gradient is right",
        }[self.shape]
        lines = ["     h      error"]
        for h, error in zip(self.h, self.error):
            bar = "#" * max(0, round(3 * (16 + math.log10(max(error, 1e-16)))))
            lines.append(f"{h:8.0e}  {error:8.0e}  {bar}")
        return "\n".join([*lines, *wrapped("", said)])

    __repr__ = __str__

    def plot(self, axes: Any = None) -> Any:
        """The same as a picture."""
        from ... import plots

        return plots.check_sweep({"this gradient": (self.h, self.error)}, axes=axes)
