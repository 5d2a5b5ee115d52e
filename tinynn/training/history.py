"""The record of a training, and how it shows itself: `fit` gives it back, and prints the same lines."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .. import checks, elsewhere


class History(elsewhere.Hinting):
    """The record of a training: `history["loss"]` is a list with a number for each epoch.

    Metrics, such as accuracy, and seconds are recorded in the same way; names that begin with val_ are of the
    validation data. Its repr is a table, and `plot` draws the curves. `first` is the number of epochs before this
    record.
    """

    def __init__(self, first: int = 0) -> None:
        self.first = checks.integer("History: first", first, 0)
        self.stopped: str | None = None  # why the training ended before its last epoch
        self.rows: list[dict[str, float]] = []
        self.printed_in: int | None = None  # the cell of a notebook in which `fit` has printed it

    def append(self, row: Mapping[str, float]) -> None:
        """Add an epoch: name -> number, the same names in every epoch. Raises TypeError, ValueError."""
        if not isinstance(row, Mapping) or not row or not all(isinstance(name, str) for name in row):
            raise TypeError(f"History: row must be a dict name -> number, not {checks.describe(row)}")
        names = self.keys() or list(row)
        if set(row) != set(names):
            raise ValueError(
                f"History: row must have the names of the rows before, {_listed(names)}, not {_listed(row)}"
            )
        self.rows.append({name: checks.real(f"History: row[{name!r}]", row[name]) for name in names})

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if "rows" in vars(self) and name in self:  # while it is copied, it has no rows yet
                text = f"'History' has no attribute {name!r}: write history[{name!r}]"
                raise AttributeError(text, name=name, obj=self)
            return super().__getattr__(name)

    def __getitem__(self, name: str) -> list[float]:
        if name not in self:
            raise KeyError(f"history has {_listed(self.keys()) or 'no epochs'}, not {checks.describe(name)}")
        return [row[name] for row in self.rows]

    def __contains__(self, name: str) -> bool:
        return isinstance(name, str) and name in self.keys()

    def __len__(self) -> int:
        """The number of epochs."""
        return len(self.rows)

    def keys(self) -> list[str]:
        """The names of what was recorded."""
        return list(self.rows[0]) if self.rows else []

    def to_dict(self) -> dict[str, list[float]]:
        """Name -> list with a number for each epoch; `pandas.DataFrame(history.to_dict())` is a table of them."""
        return {name: self[name] for name in self.keys()}

    def plot(self, axes: Any = None) -> Any:
        """The learning curves, a list with an axes for each quantity (plots.learning_curves).

        In a script, `history.plot()[0].figure.savefig("curves.png")` writes them to a file.
        """
        from .. import plots  # matplotlib takes longer to load than all of tinynn

        return plots.learning_curves(self, axes)

    def __repr__(self) -> str:
        lines = [line(epoch, row) for epoch, row in enumerate(self.rows, self.first + 1)]
        stopped = [] if self.stopped is None else [f"stopped: {self.stopped}"]
        return "\n".join([heading(self.keys()), *lines, *stopped])

    def _ipython_display_(self) -> None:
        """What a notebook shows at the end of a cell: the table, unless this cell has printed it."""
        if self.printed_in is None or self.printed_in != running_cell():
            print(self)


def running_cell() -> int | None:
    """The number of a notebook's cell that runs; None elsewhere."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return None if shell is None else int(shell.execution_count)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def heading(names: Iterable[str]) -> str:
    return "epoch" + "".join(f"{name:>{width(name)}}" for name in names)


def line(epoch: int, row: dict[str, float]) -> str:
    return f"{epoch:>5}" + "".join(f"{text(name, value):>{width(name)}}" for name, value in row.items())


def width(name: str) -> int:
    return max(len(name), 8) + 3


def text(name: str, value: float) -> str:
    if name.endswith("accuracy"):
        return f"{100 * value:.2f} %"
    if name == "seconds":
        return f"{value:.1f}"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e5 or value == 0 else f"{value:.3g}"
