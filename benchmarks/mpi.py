"""What do many processes gain, and what does their sum cost? Against batch, width and the number of processes.

    python benchmarks/mpi.py                    # as many processes as there are cores (needs pip install -e ".[mpi]")
    python benchmarks/mpi.py --processes 2 4 --batches 256 1024 4096
    python benchmarks/mpi.py --quick

A step is 784-hidden-10 on dense rows (normal random numbers), float32, Adam, numba backend, one thread for each
process; the batch is that of all processes together. In each round process 0 first does steps with the whole batch,
while the others sleep, then all do them with their share each. "Gain" is the median over rounds of the ratio of the
two, "fastest" the ratio of the fastest rounds, which is what a machine without other work would give; milliseconds are
those of the fastest rounds. "In sums" is what process 0 spends in its two Allreduce, of the gradients and of loss and
metrics, waiting for the slowest process included; "Allreduce" is that of the gradients alone, all processes being there
at once.

The last table is the sum alone, by the size of the message. Of the sums alone the fastest round is shown: a process
that loses its core to another program keeps all others waiting, and that is no property of the sum.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Read when NumPy and numba are imported:
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", NUMBA_NUM_THREADS="1")

import numpy as np
from _measuring import machine, versions

from tinynn import Adam, Affine, Parallel, ReLU, Sequential, SoftmaxCrossEntropy

SIZES = [8, 1 << 10, 1 << 14, 1 << 17, 1 << 20, 1 << 22, 1 << 24]  # bytes of a message


def main() -> None:
    """The command line: starts the processes, and shows what they have measured."""
    options = arguments()
    if options.worker:
        work(options)
        return
    mpirun = shutil.which(
        "mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    )
    if mpirun is None:
        sys.exit('no mpirun here: pip install -e ".[mpi]"')
    print(f"{machine()}; 1 thread a process; {options.rounds} rounds of {options.turn:g} s each")
    print(", ".join(f"{name} {version}" for name, version in versions().items() if version))
    reports = []
    for processes in options.processes:
        command = [mpirun, "-n", processes, sys.executable, "-m", "mpi4py", __file__, "--worker", *sys.argv[1:]]
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(done.returncode)
        reports.append(json.loads(done.stdout))
    print("\n" + steps_table([row for report in reports for row in report["steps"]]))
    for report in reports:
        print("\n" + sums_table(report))
    if options.json:
        Path(options.json).write_text(json.dumps(reports, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What many processes gain, and what their sum costs.")
    add = parser.add_argument
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    add("--processes", type=int, nargs="+", default=[max(2, cores)], metavar="N", help="default: one for each core")
    add("--batches", type=int, nargs="+", metavar="N", help="default 128 256 1024 4096")
    add("--hidden", type=int, nargs="+", metavar="N", help="units of the hidden layer; default 256 2048")
    add("--rounds", type=int, help="default 7")
    add("--turn", type=float, metavar="SECONDS", help="of one or of all in a round; default 0.2")
    add("--quick", action="store_true", help="one network, one batch, two short rounds")
    add("--json", metavar="FILE", help="write everything there, each round too")
    add("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    quick = options.quick
    options.batches = options.batches or ([256] if quick else [128, 256, 1024, 4096])
    options.hidden = options.hidden or ([32] if quick else [256, 2048])
    options.rounds = options.rounds or (2 if quick else 7)
    options.turn = options.turn or (0.02 if quick else 0.2)
    return options


# --- in each process -------------------------------------------------------------------------------------------------


def work(options: argparse.Namespace) -> None:
    """Measure; process 0 prints it all as JSON."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    steps = [measure(comm, hidden, batch, options) for hidden in options.hidden for batch in options.batches]
    sums = [[size, allreduce(comm, size, options)] for size in (SIZES[:3] if options.quick else SIZES)]
    if comm.rank == 0:
        print(json.dumps({"processes": comm.size, "steps": steps, "sums": sums}))


def measure(comm: Any, hidden: int, batch: int, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a step, alone and together, round by round."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(batch, 784)).astype("float32"), rng.integers(0, 10, batch)
    model, loss = Sequential(Affine(784, hidden), ReLU(), Affine(hidden, 10), seed=0), SoftmaxCrossEntropy()
    optimizer = Adam(model, lr=0)  # all is computed as ever, for the same weights in each step
    parallel = Parallel(optimizer, comm)
    own = slice(comm.rank, None, comm.size)
    part = len(x[own]) / batch
    spent = [0.0]

    def gradient(x: Any, t: Any) -> None:
        loss.forward(model.forward(x), t)
        model.backward(loss.backward())

    def alone() -> None:
        gradient(x, t)
        optimizer.step()

    own_x, own_t = np.ascontiguousarray(x[own]), t[own]

    def together() -> None:
        gradient(own_x, own_t)
        begin = time.perf_counter()
        parallel.processes.sum_grads(model, part)
        spent[0] += time.perf_counter() - begin
        optimizer.step()
        begin = time.perf_counter()
        parallel.processes.sum([0.0, 0.0, 0.0])  # as fit does, of loss, rows and accuracy
        spent[0] += time.perf_counter() - begin

    row: dict[str, Any] = {"processes": comm.size, "hidden": hidden, "batch": batch, "bytes": model.grads.nbytes}
    row |= {"alone": [], "together": [], "sums": []}
    counts = None
    for turn in range(options.rounds + 1):  # the first one warms up
        quiet(comm)
        if comm.rank == 0:
            seconds, _ = timed(alone, counts[0] if counts else 3)
        quiet(comm)
        spent[0] = 0.0
        all_seconds, done = timed(together, counts[1] if counts else 3)
        if counts is None:
            mine = (
                (max(3, int(options.turn / seconds)), max(3, int(options.turn / all_seconds))) if comm.rank == 0 else 0
            )
            counts = comm.bcast(mine, 0)
        if turn and comm.rank == 0:
            row["alone"].append(seconds)
            row["together"].append(all_seconds)
            row["sums"].append(spent[0] / done)
    row["allreduce"] = allreduce(comm, model.grads.nbytes, options)
    return row


def timed(step: Callable[[], None], count: int) -> tuple[float, int]:
    """Seconds a step, of so many."""
    begin = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - begin) / count, count


def quiet(comm: Any) -> None:
    """Wait for all, asleep: MPI's own barrier would keep the cores busy."""
    request = comm.Ibarrier()
    while not request.Test():
        time.sleep(0.0005)


def allreduce(comm: Any, size: int, options: argparse.Namespace) -> float:
    """Seconds of the sum of a vector of so many bytes, in the fastest round."""
    from mpi4py import MPI

    vector = np.zeros(max(1, size // 4), "float32")

    def step() -> None:
        comm.Allreduce(MPI.IN_PLACE, vector)

    count = int(np.clip(2e7 / size, 5, 1000))
    timed(step, count)
    return min(timed(step, count)[0] for _ in range(2 * options.rounds))


# --- tables ----------------------------------------------------------------------------------------------------------


def steps_table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| processes | hidden | message, MB | batch | one, ms | all, ms | gain | fastest | in sums | Allreduce, ms |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        one, every, sums = (np.array(row[name]) for name in ("alone", "together", "sums"))
        gain, share = np.median(one / every), np.median(sums / every)
        lines.append(
            f"| {row['processes']} | {row['hidden']} | {row['bytes'] / 1e6:.2f} | {row['batch']} "
            f"| {1e3 * one.min():.2f} | {1e3 * every.min():.2f} | {gain:.2f} | {one.min() / every.min():.2f} "
            f"| {100 * share:.0f} % | {1e3 * row['allreduce']:.2f} |"
        )
    return "\n".join(lines)


def sums_table(report: dict[str, Any]) -> str:
    sizes, seconds = np.array(report["sums"]).T
    a, b = seconds[0], np.polyfit(sizes[-3:], seconds[-3:], 1)[0]
    lines = [f"| Allreduce of {report['processes']} processes, bytes | us | GB/s |", "|---:|---:|---:|"]
    lines += [f"| {int(n):,} | {1e6 * s:,.1f} | {n / s / 1e9:.2f} |" for n, s in zip(sizes, seconds)]
    return "\n".join([*lines, "", f"latency {1e6 * a:.1f} us; {1e-9 / b:.2f} GB/s for large messages"])


if __name__ == "__main__":
    main()
