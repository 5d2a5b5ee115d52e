"""What `fit` asks, as several processes may train one model together, and the answers where there is only one.

tinynn.Parallel (bridges/mpi.py) has the answers for processes that MPI has started.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Alone:
    """One process: all rows are its own, and every sum is complete."""

    rank, size = 0, 1  # the number of this process, and how many there are

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        """The training is over."""

    def demand_same(self, **settings: Any) -> None:
        """Raise ValueError where another process was given something else."""

    def from_first(self, value: Any) -> Any:
        """What process 0 has for `value`."""
        return value

    def sum_grads(self, model: Any, part: Any) -> None:
        """Make model.grads the gradient of the whole batch, of which `part`, 0 to 1, was this process's."""

    def sum(self, numbers: list[Any]) -> list[Any]:
        """Number by number, the sums over all processes. Raises KeyboardInterrupt in all where one got Ctrl-C."""
        return numbers

    def collect(self, own: Sequence[Any]) -> Sequence[Any]:
        """The things of all processes: one of process 0, one of process 1, ..., the second of process 0, ..."""
        return own

    def agree(self, reason: str | None) -> str | None:
        """The reason to stop that a process has, this one or another; None where none has one."""
        return reason

    def end_epoch(self, model: Any) -> None:
        """Make the same in all processes what each has kept for itself in the epoch."""

    def failed(self, error: BaseException) -> None:
        """An error ends the training in this process: it must end in the others, too."""


ALONE = Alone()


def behind(optimizer: Any) -> tuple[Any, Any]:
    """The processes that an optimizer speaks for, and the optimizer itself."""
    processes = getattr(optimizer, "processes", None)
    return (processes, optimizer.optimizer) if isinstance(processes, Alone) else (ALONE, optimizer)
