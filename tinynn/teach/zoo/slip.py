"""A slip: one planted mistake, and what the gradient doctor is to call it."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import checks
from . import cases

if TYPE_CHECKING:
    from ..checking.report import Report

KINDS = ("layer", "activation", "image", "loss", "optimizer", "network")

slips: list[Slip] = []  # all of them, in the order in which they are written


@dataclass(frozen=True)
class Slip:
    """A class with one mistake in it, as a learner would have made it."""

    name: str  # the name of the class, affine-3 for Affine3: it does not tell
    code: str  # the cause, as in Report.code
    kind: str  # one of KINDS
    difficulty: int  # 1 to 3
    story: str  # what the learner sees of it
    cls: type
    targets: str  # what a loss takes, see cases.targets: "labels", "one-hot", "values", "bits", ...
    takes: str = "rows"  # what a layer takes: "rows" (N, D), "ids" (N, T), "tokens" (N, T, D), "images" (N, H, W, C)

    @property
    def source(self) -> str:
        """The code of the class."""
        return _source(self.cls)

    @property
    def bases(self) -> str:
        """The code of the right classes of the zoo that it derives from; empty where there are none."""
        ours = [base for base in reversed(self.cls.__mro__[1:]) if base.__module__ == self.cls.__module__]
        return "\n\n\n".join(map(_source, ours))

    def make(self, n_in: int = 5, n_out: int = 3, seed: int = 0, **others: Any) -> Any:
        """An instance; what its __init__ asks for, by name, is taken from here (W and b are drawn from `seed`)."""
        rng = np.random.default_rng(seed)
        drawn = {"W": rng.normal(size=(n_in, n_out)) / np.sqrt(n_in), "b": rng.normal(size=n_out)}
        given = {"n_in": n_in, "n_out": n_out, "n": n_in, "n_hidden": n_in + 2, "seed": seed, **drawn, **others}
        return self.cls(**{name: given[name] for name in self.asks if name in given})

    @property
    def asks(self) -> tuple[str, ...]:
        """The names of what __init__ takes."""
        return tuple(inspect.signature(self.cls).parameters)

    def case(self, seed: int = 0, n: int = 7, sizes: tuple[int, ...] = (5, 4, 3)) -> tuple[str, tuple[Any, ...]]:
        """A check that must name the slip: (the name of a function of tinynn.teach, its arguments).

        `n` is the number of rows, 3 or more, `sizes` are the widths of a network, at least three. Everything else comes
        from `seed`: which of the checks, where in a network the slip is, the other layers, the loss, the numbers. Where
        n is one of the sizes, or twice one, a slip can look like another. Raises TypeError, ValueError.
        """
        return cases.case(self, checks.generator("seed", seed), checks.integer("n", n, 3), sizes)

    def report(self, seed: int = 0, n: int = 7, sizes: tuple[int, ...] = (5, 4, 3)) -> Report:
        """The report of that check."""
        return cases.run(*self.case(seed, n, sizes))


def _source(cls: type) -> str:
    module = inspect.getsource(sys.modules[cls.__module__])
    found = re.search(rf"^class {cls.__name__}\b.*\n(?:(?: .*)?\n)*", module, re.MULTILINE)
    return found.group().rstrip() if found else ""


def slip(
    code: str, kind: str, difficulty: int, story: str, targets: str = "values", takes: str = "rows"
) -> Callable[[type], type]:
    """The decorator that puts a class into the zoo."""

    def plant(cls: type) -> type:
        name = re.sub(r"(\d+)$", r"-\1", cls.__name__).lower()
        slips.append(Slip(name, code, kind, difficulty, story, cls, targets, takes))
        return cls

    return plant


def find(name: str) -> Slip:
    """The slip of that name. Raises ValueError."""
    for one in slips:
        if one.name == name:
            return one
    raise ValueError(f"name must be that of a slip, not {name!r}")
