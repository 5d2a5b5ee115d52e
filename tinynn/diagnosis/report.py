"""What the checks say: a Result each, together a Diagnosis, and the sweep of learning rates."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np

LEARNS = 0.1  # of the fall of the loss at the best rate: such rates are shown as those that learn


@dataclass(frozen=True)
class Result:
    """What a check has measured, in words and as a figure; where that is wrong, its code, and how to mend it."""

    text: str
    figure: float = math.nan
    code: str | None = None
    fix: str = ""
    place: int | str | None = None  # of the layer that it is about: 1, 2, 3, ... or "3.inner.1"


class LeftOut(Exception):
    """Why a check cannot be made."""


@dataclass(frozen=True)
class LearningRateSweep:
    """What some steps with each learning rate do: the `losses` after them, the `peaks` on the way, the `start` before.

    `own` is the rate of the optimizer, None where there is none.
    Source: Smith 2017, section 3.3 (the range test), but here each rate begins with the same weights.
    """

    optimizer: str
    steps: int
    losses: dict[float, float]
    peaks: dict[float, float]
    start: float
    own: float | None

    def fall(self, rate: float) -> float:
        """How far the loss comes down with this rate; less than 0 where it rises."""
        loss = self.losses.get(rate, self.start)  # a rate of 0 is not tried
        return self.start - loss if math.isfinite(loss) else -math.inf

    @property
    def best(self) -> float:
        """The rate with which it falls farthest."""
        return max(self.losses, key=self.fall)

    @property
    def learns(self) -> tuple[float, float]:
        """The least and greatest rate with which it falls nearly as far."""
        rates = [rate for rate in self.losses if self.fall(rate) >= LEARNS * abs(self.fall(self.best))]
        return min(rates, default=self.best), max(rates, default=self.best)


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What `diagnose` has found. True where nothing is wrong; its text fits 100 columns.

    `lines`, a dict name of the check -> Result, has everything that was measured. `findings` are the lines that are
    wrong, causes first: what is wrong at the top has consequences further down. Correct the first, then call again.
    """

    title: str
    lines: dict[str, Result]
    sweep: LearningRateSweep | None  # None where it was left out

    @property
    def findings(self) -> list[Result]:
        """The lines that are wrong, causes first."""
        return [line for line in self.lines.values() if line.code]

    def __bool__(self) -> bool:
        return not self.findings

    def __repr__(self) -> str:
        text = [wrapped("", self.title)]
        for name, line in self.lines.items():
            mark = "WRONG" if line.code else " -   " if line.text.startswith("left out") else " ok  "
            text.append(wrapped(f"{mark} {name:<16} ", line.text))
            if line.code:
                text.append(wrapped(f"{'':22} [{line.code}] ", line.fix))
        count = len(self.findings)
        several = f"{count} things are wrong. Correct the first, then call diagnose again: it may cause the others."
        last = ["Nothing is wrong.", "One thing is wrong. Correct it, then call diagnose again."]
        return "\n".join([*text, last[count] if count < 2 else several])

    def plot(self, axes: Any = None) -> Any:
        """The sweep: the loss after some steps with each learning rate. Returns the axes, new ones if none are given.

        Raises ValueError where there was no sweep.
        """
        from ..plots import style  # here, since matplotlib takes longer to load than all of tinynn

        s = self.sweep
        if s is None:
            raise ValueError(f"diagnose: there must be a sweep to draw; it was {self.lines['learning rate'].text}")
        axes = style.one_axes(axes, (5.6, 3.4))
        rates, losses = np.array(list(s.losses.items())).T
        low, high = s.learns
        top = s.start + 0.5 * s.fall(s.best) if s.fall(s.best) > 0 else 2 * s.start
        shown = losses <= top  # NaN is not
        axes.axvspan(low, high, color=style.SKY, alpha=0.25, lw=0, label=f"learns, {low:.1g} to {high:.1g}")
        axes.axhline(s.start, color=style.GREY, ls="--", label="at the start")
        axes.plot(rates[shown], losses[shown], "o-", color=style.BLUE, ms=4, label=f"after {s.steps} steps")
        if not shown.all():
            over = {"color": style.BLUE, "mfc": "none", "clip_on": False, "label": "above, or no number"}
            axes.plot(rates[~shown], np.full((~shown).sum(), top), "^", **over)
        if s.own:
            axes.axvline(s.own, color=style.VERMILLION, ls=":", lw=2, label=f"the optimizer's rate, {s.own:g}")
        axes.set(xscale="log", xlabel=f"learning rate of {s.optimizer}", ylabel="loss")
        axes.set_ylim(top=top)
        axes.legend(frameon=False, fontsize=8)
        style.bare(axes)
        return axes


def wrapped(head: str, text: str) -> str:
    """The text after its head, in lines of 100 columns."""
    return textwrap.fill(text, 100, initial_indent=head, subsequent_indent=" " * len(head))
