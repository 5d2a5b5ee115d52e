"""Many processes, on MPI: each computes the gradient of its rows of every batch, and one Allreduce adds them up.

    # mpirun -n 4 python -m mpi4py train.py
    optimizer = Parallel(Adam(model, lr=1e-3))
    model.fit(x, t, loss=loss, optimizer=optimizer, batch_size=1024)

The loss of a batch is a mean over its rows. So its gradient is the sum over the processes r of (n_r / n) dL_r, where
L_r is the mean over the n_r rows of process r, and n the number of all rows. Every process then does the same step with
the same numbers: parameters never differ, and are sent once, at the start.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
import traceback
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import backends, checks
from ..optimizers import Optimizer
from ..process import in_main_thread
from ..training.processes import Alone


def mpi() -> Any:
    """mpi4py's module MPI; its import starts MPI. Raises ImportError that says what to install."""
    try:
        return importlib.import_module("mpi4py.MPI")
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py is there, and no MPI for it
        raise ImportError('for many processes: pip install "tinynn[mpi]"') from error


class Parallel:
    """An optimizer for all processes of an MPI communicator: `fit` divides each batch's rows among them.

    The program is started once for each process, mpirun -n 4 python -m mpi4py train.py, and each holds all the data.
    Process `rank` of `size` takes the rows rank, rank + size, rank + 2 size, ... of every batch. Gradients are summed,
    weighted by rows (or by sample_weight), and each process does the optimizer's step. Models, records and decisions
    are the same in all processes. Apart from rounding they are those of a single process:

    - parameters, optimizer and seed are those of process 0 from here on. So only process 0 needs to load a checkpoint,
      and training can go on with another number of processes;
    - when a callback, Ctrl-C or an error stops one process, all of them stop;
    - process 0 shows bars and lines and writes Checkpoint's files. A callback of your own runs in all processes;
      `run.rank` is the number of its process;
    - the metrics of an epoch are means over the processes' rows of each batch. Validation is exact, and its rows are
      divided among the processes, too;
    - Dropout draws its masks from a separate stream in each process. BatchNorm computes its statistics from each
      process's own rows, and the running means are averaged after each epoch. So networks with these layers learn other
      numbers than in a single process.

    `optimizer` is the one that you gave: `parallel.optimizer.lr` is the learning rate, and `save` takes
    `parallel.optimizer`. `comm` is an mpi4py communicator; None means all processes (MPI.COMM_WORLD). In a loop of your
    own, take the rows [rank::size] of each batch, and call step(part), where `part` is the share of these rows in the
    batch.

    Raises ImportError where mpi4py is missing, TypeError or ValueError for other arguments and where the processes do
    not have the same kind of model and optimizer.
    """

    __slots__ = ("model", "optimizer", "processes")  # so that `parallel.lr = 0.1`, which nobody would read, is an error

    def __init__(self, optimizer: Optimizer, comm: Any = None) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"Parallel: optimizer must be one such as Adam(model), not {checks.describe(optimizer)}")
        MPI = mpi()
        comm = MPI.COMM_WORLD if comm is None else comm
        if not isinstance(comm, MPI.Intracomm) or comm == MPI.COMM_NULL:
            raise TypeError(
                f"Parallel: comm must be a communicator such as MPI.COMM_WORLD, not {checks.describe(comm)}"
            )
        if backends.name_of(optimizer.ops) not in ("numpy", "numba"):
            expected = "on the numpy or numba backend, whose arrays MPI can send"
            raise ValueError(f"Parallel: model must be {expected}, not {backends.name_of(optimizer.ops)}")
        self.optimizer, self.model = optimizer, optimizer.model
        self.processes = Processes(comm, MPI)
        self.processes.follow_first(optimizer)

    @property
    def rank(self) -> int:
        """The number of this process, from 0."""
        return self.processes.rank

    @property
    def size(self) -> int:
        """How many processes there are."""
        return self.processes.size

    def step(self, part: float | None = None) -> None:
        """Sum the gradients, each times the `part` (0 to 1) of its process (None: 1 / size), and do the step."""
        part = 1 / self.size if part is None else checks.number("Parallel.step: part", part, 0)
        if part > 1:
            raise ValueError(f"Parallel.step: part must be a share of the batch, 0 to 1, not {part}")
        self.processes.sum_grads(self.model, part)
        self.optimizer.step()

    def __repr__(self) -> str:
        return f"Parallel({self.optimizer!r})"


class Processes(Alone):
    """The processes of a communicator, as `fit` asks for them. All call the same methods in the same order."""

    def __init__(self, comm: Any, MPI: Any) -> None:
        self.comm, self.MPI = comm, MPI
        self.rank, self.size = comm.rank, comm.size
        self.interrupted = self.agreed = False  # Ctrl-C has come to this process; it is known to all
        self.usual: Any = None  # what Ctrl-C does outside

    # --- the same start ---

    def follow_first(self, optimizer: Optimizer) -> None:
        """Parameters, buffers, and all that the optimizer keeps, as process 0 has them."""
        model = optimizer.model
        self.demand_same(
            optimizer=type(optimizer).__name__, parameters=model.params.size, dtype=str(model.params.dtype),
            buffers=_buffers(model).size,
        )  # fmt: skip
        for vector in (model.params, _buffers(model), *(getattr(optimizer, name) for name in optimizer.state)):
            self.comm.Bcast(vector, 0)
        numbers = {n: v for n, v in vars(optimizer).items() if v is None or isinstance(v, bool | int | float)}
        numbers |= {
            "epochs": optimizer.epochs,
            "seed": optimizer.seed,
        }  # the class has them at first
        for name, value in self.comm.bcast(numbers, 0).items():
            setattr(optimizer, name, value)

    def demand_same(self, **settings: Any) -> None:
        """Arrays are compared by a checksum of their values and shape."""
        settings = {name: _in_short(value) for name, value in settings.items()}
        for rank, others in enumerate(self.comm.allgather(settings)):
            for name, value in others.items():
                if value != settings[name]:
                    got = f"{settings[name]} in process {self.rank} and {value} in process {rank}"
                    raise ValueError(f"Parallel: {name} must be the same in all processes, not {got}")

    def from_first(self, value: Any) -> Any:
        return self.comm.bcast(value, 0)

    # --- sums ---

    def sum_grads(self, model: Any, part: float) -> None:
        if self.size == 1 and part == 1:
            return
        grads = model.grads
        if part:
            grads *= grads.dtype.type(part)
        else:
            grads[...] = 0  # of a row that another process has: were it NaN, 0 times it would be NaN
        self.comm.Allreduce(self.MPI.IN_PLACE, grads)

    def sum(self, numbers: list[Any]) -> list[Any]:
        sums = np.array([*numbers, self.interrupted], np.float64)
        self.comm.Allreduce(self.MPI.IN_PLACE, sums)
        *total, interrupted = sums.tolist()
        if interrupted:
            self.interrupted, self.agreed = False, True
            raise KeyboardInterrupt
        return total

    def collect(self, own: Sequence[Any]) -> Sequence[Any]:
        by_process = self.comm.allgather(own)
        turns = range(max(map(len, by_process)))
        return [things[turn] for turn in turns for things in by_process if turn < len(things)]

    def agree(self, reason: str | None) -> str | None:
        if not self.sum([reason is not None])[0]:
            return None
        return next(other for other in self.comm.allgather(reason) if other is not None)

    def end_epoch(self, model: Any) -> None:
        buffers = _buffers(model)
        if buffers.size and self.size > 1:
            self.comm.Allreduce(self.MPI.IN_PLACE, buffers)
            buffers /= self.size
        self.demand_same(parameters=model.params)

    # --- the same end ---

    def __enter__(self) -> Any:
        """From here on Ctrl-C waits until all processes know of it: one that stopped alone would leave them waiting."""
        self.interrupted = self.agreed = False
        self.usual = signal.getsignal(signal.SIGINT) if in_main_thread() else None
        if callable(self.usual):  # not where it is ignored
            signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *error: Any) -> None:
        if callable(self.usual):
            signal.signal(signal.SIGINT, self.usual)
        if self.interrupted and not self.agreed and error == (None, None, None):  # too late for all to hear of it
            raise KeyboardInterrupt

    def _interrupt(self, *_: Any) -> None:
        self.interrupted = True

    def failed(self, error: BaseException) -> None:
        """The others wait for this process in a sum, and would wait for ever: end them all, with a status above 0."""
        if self.size == 1 or (isinstance(error, KeyboardInterrupt) and self.agreed):
            return
        traceback.print_exception(error)
        print(f"Parallel: this error in process {self.rank} of {self.size} ends all of them", file=sys.stderr)
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        code = error.code if isinstance(error, SystemExit) else 1
        code = code if isinstance(code, int) and code else 1
        time.sleep(1)  # mpirun drops what it has not yet printed for us when it hears of the abort
        self.comm.Abort(code)
        os._exit(code)  # MPICH's Abort comes back: this process would go on until it is killed


def _buffers(model: Any) -> Any:
    """The buffers of a model, an empty vector where it has none."""
    return getattr(model, "flat_buffers", np.empty(0))


def _in_short(value: Any) -> Any:
    """A setting, or for an array of values its shape and checksum."""
    if isinstance(value, np.ndarray):
        return f"values of checksum {zlib.crc32(np.ascontiguousarray(value).tobytes()):08x} and shape {value.shape}"
    return value
