"""What test_mpi.py has several processes do: `mpirun -n 3 python -m mpi4py mpi_jobs.py JOB FOLDER`.

A job is a function of `wrap`, which makes an optimizer one of all processes, of the rank, and of a folder. What it
returns is pickled there, by each process. The test itself calls the same function with an optimizer that stays as it is.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np

import tinynn
from tinynn import (
    MSE,
    SGD,
    Adam,
    Affine,
    BatchNorm,
    Checkpoint,
    Conv2D,
    Dropout,
    EarlyStopping,
    Flatten,
    LearningRate,
    ReLU,
    RMSProp,
    Sequential,
    SoftmaxCrossEntropy,
    Tanh,
    callbacks,
)


def state(model, history):
    """What must be the same in all processes; but for the seconds, which are those of process 0."""
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in history.rows]
    return {"params": model.params, "buffers": model.flat_buffers, "rows": rows, "stopped": history.stopped}


def table(N, n=5, classes=3):
    rng = np.random.default_rng(N)
    return rng.normal(size=(N, n)), rng.integers(0, classes, N)


def network(rank, *between, backend="numpy"):
    """Another one in each process, until Parallel makes them the same."""
    layers = [Affine(5, 7), *between, Tanh(), Affine(7, 3)]
    return Sequential(*layers, seed=rank, dtype="float64", backend=backend)


# --- the same as in one process --------------------------------------------------------------------------------------


def cases(wrap, rank, folder):
    """Name -> what a training without BatchNorm and Dropout ends in."""
    return {case.__name__: case(wrap, rank) for case in (adam, weighted, sequences, images, few_rows, by_hand)}


def adam(wrap, rank):
    """25 rows in batches of 8: the last batch is one row."""
    (x, t), model = table(25), network(rank, backend="numba")
    history = model.fit(
        x, t, loss=SoftmaxCrossEntropy(), optimizer=wrap(Adam(model, lr=0.01)), epochs=4, batch_size=8, seed=1,
        validation_data=table(2501), callbacks=[callbacks.OneCycle(0.01, 4, 4), EarlyStopping(3)],
    )  # fmt: skip
    return state(model, history)


def weighted(wrap, rank):
    (x, t), model = table(40), network(rank)
    weight = np.random.default_rng(0).uniform(size=40) * (np.arange(40) % 5 > 0)
    optimizer = SGD(model, 0.1, momentum=0.9, nesterov=True, weight_decay=0.01, decay_biases=False, clip_norm=0.5)
    history = model.fit(
        x, t, loss=SoftmaxCrossEntropy(label_smoothing=0.1), optimizer=wrap(optimizer), epochs=3, batch_size=9, seed=2,
        sample_weight=weight, class_weight={1: 3.0}, validation_split=0.2,
        callbacks=[LearningRate(callbacks.cosine(0.1, 3))],
    )  # fmt: skip
    return state(model, history)


def sequences(wrap, rank):
    rng = np.random.default_rng(3)
    x, t = rng.normal(size=(20, 4, 5)), rng.normal(size=(20, 4, 3))
    model = network(rank)
    metrics = {"mae": lambda y, t: float(np.abs(y - t).mean())}
    history = model.fit(
        x, t, loss=MSE(), optimizer=wrap(RMSProp(model)), epochs=2, batch_size=7, seed=3, metrics=metrics
    )
    return state(model, history)


def images(wrap, rank):
    rng = np.random.default_rng(4)
    x, t = rng.integers(0, 256, (14, 6, 6, 1)).astype("u1"), rng.integers(0, 3, 14)
    layers = Conv2D(1, 4, 3), ReLU(), Flatten(), Affine(64, 3)
    model = Sequential(*layers, shape=(6, 6, 1), seed=rank, dtype="float64", backend="numpy")
    history = model.fit(
        x, t, loss=SoftmaxCrossEntropy(), optimizer=wrap(Adam(model)), epochs=2, batch_size=6, seed=4,
        transform=lambda x: x / 255,
    )  # fmt: skip
    return state(model, history)


def few_rows(wrap, rank):
    """Fewer rows in a batch than processes."""
    (x, t), model = table(6), network(rank)
    history = model.fit(
        x, t, loss=SoftmaxCrossEntropy(), optimizer=wrap(SGD(model, 0.1)), epochs=2, batch_size=2, seed=5,
        callbacks=[tinynn.Watch()],
    )  # fmt: skip
    return state(model, history)


def by_hand(wrap, rank):
    """A loop of one's own."""
    (x, t), model, loss = table(13), network(rank), SoftmaxCrossEntropy()
    optimizer = wrap(SGD(model, 0.1))
    rank, size = getattr(optimizer, "rank", 0), getattr(optimizer, "size", 1)
    for _ in range(3):
        own = slice(rank, None, size)
        loss.forward(model.forward(x[own]), t[own])
        model.backward(loss.backward())
        if optimizer.__class__ is SGD:
            optimizer.step()
        else:
            optimizer.step(len(x[own]) / len(x))
    return state(model, tinynn.History())


# --- chance, statistics, checkpoints ---------------------------------------------------------------------------------


def chance(wrap, rank, folder):
    """Dropout and BatchNorm, one epoch of one batch; the first mask of the process, and its rows."""
    (x, t), model = table(24), network(rank, BatchNorm(7, momentum=0.5), Dropout(0.5))
    masks = []

    class Look:
        def step(self, run):
            masks.append(run.model[2].mask.copy())

        def __call__(self, run):
            pass

    history = model.fit(
        x, t, loss=SoftmaxCrossEntropy(), optimizer=wrap(Adam(model)), epochs=1, batch_size=24, seed=6,
        callbacks=[Look()],
    )  # fmt: skip
    return {**state(model, history), "mask": masks[0]}


def first_half(wrap, rank, folder):
    """Two epochs of four, and a checkpoint after each."""
    (x, t), model = table(25), network(rank)
    history = model.fit(
        x, t, loss=SoftmaxCrossEntropy(), optimizer=wrap(Adam(model)), epochs=2, batch_size=8, seed=7,
        callbacks=[Checkpoint(folder / "run.npz")], progress=False,
    )  # fmt: skip
    return state(model, history)


def second_half(wrap, rank, folder):
    """The two others. Process 0 alone reads the file."""
    (x, t), model = table(25), network(rank)
    optimizer = Adam(model)
    if rank == 0:
        tinynn.load_into(folder / "run.npz", model, optimizer)
    loss = SoftmaxCrossEntropy()
    return state(model, model.fit(x, t, loss=loss, optimizer=wrap(optimizer), epochs=2, batch_size=8))


# --- stops -----------------------------------------------------------------------------------------------------------


class At:
    """A callback that does something in one process, after a step and in an epoch."""

    def __init__(self, act, rank=1, steps=6, epoch=None):
        self.act, self.rank, self.steps, self.epoch = act, rank, steps, epoch

    def step(self, run):
        if run.rank == self.rank and self.epoch is None and run.steps == self.steps:
            self.act(run)

    def __call__(self, run):
        if run.rank == self.rank and run.epoch == self.epoch:
            self.act(run)


def train(wrap, rank, *callbacks, x=None, epochs=5):
    (x_all, t), model = table(32), network(rank)
    if x is not None:
        x_all = x
    history = model.fit(
        x_all, t, loss=SoftmaxCrossEntropy(), optimizer=wrap(Adam(model)), epochs=epochs, batch_size=8, seed=8,
        callbacks=callbacks,
    )  # fmt: skip
    return state(model, history)


def control_c(run):
    os.kill(os.getpid(), signal.SIGINT)


def stops(wrap, rank, folder):
    """Each is decided in process 1 alone, but for the last two."""
    x = table(32)[0]
    x[3, 2] = np.nan
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with_nan = train(wrap, rank, x=x)
        watched = train(wrap, rank, tinynn.Watch(), x=x)
    return {
        "interrupted in a step": train(wrap, rank, At(control_c)),
        "interrupted after an epoch": train(wrap, rank, At(control_c, epoch=2)),
        "stopped in a step": train(wrap, rank, At(lambda run: run.stop("enough"))),
        "stopped after an epoch": train(wrap, rank, At(lambda run: run.stop("enough"), epoch=3)),
        "two epochs": train(wrap, rank, epochs=2),
        "one epoch": train(wrap, rank, epochs=1),
        "NaN": with_nan,
        "watched": watched,
        "warnings": len(caught),
    }


def long(wrap, rank, folder):
    """Until Ctrl-C comes from outside."""
    return train(wrap, rank, At(lambda run: (folder / "works").touch(), rank=0, epoch=2), epochs=10**9)


# --- what ends badly -------------------------------------------------------------------------------------------------


def fails(act):
    """A job in which process 1 does something in the midst of an epoch, and writes down when."""

    def job(wrap, rank, folder):
        def failing(run):
            (folder / "failed").write_text(str(time.time()))
            act()

        return train(wrap, rank, At(failing), epochs=10**9)

    return job


def raises():
    raise ZeroDivisionError("planted")


def other_data(wrap, rank, folder):
    return train(wrap, rank, x=table(32)[0] + rank)


def other_optimizer(wrap, rank, folder):
    model = network(rank)
    return wrap(Adam(model) if rank else SGD(model, 0.1))


def other_lr(wrap, rank, folder):
    def change(run):
        run.optimizer.lr = 0.5

    return train(wrap, rank, At(change))


JOBS = {job.__name__: job for job in (cases, chance, first_half, second_half, stops, long)}
JOBS |= {job.__name__: job for job in (other_data, other_optimizer, other_lr)}
JOBS |= {
    "raises": fails(raises),
    "exits": fails(lambda: sys.exit(3)),
    "exits with 0": fails(lambda: sys.exit(0)),
    "is killed": fails(lambda: os.kill(os.getpid(), signal.SIGKILL)),
    "leaves": fails(lambda: os._exit(5)),
    "interrupts itself": fails(lambda: exec("raise KeyboardInterrupt")),
}


def main():
    from mpi4py import MPI

    name, folder = sys.argv[1], Path(sys.argv[2])
    result = JOBS[name](tinynn.Parallel, MPI.COMM_WORLD.rank, folder)
    (folder / f"{name}.{MPI.COMM_WORLD.rank}").write_bytes(pickle.dumps(result))


if __name__ == "__main__":
    main()
