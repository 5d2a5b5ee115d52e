"""Many processes, on MPI: real ones. As one process to rounding, the same bits in all, and all of them end together."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mpi_jobs
import numpy as np
import pytest
from conftest import STRICT

import tinynn
from tinynn import SGD, Adam, Affine, Sequential

ROOT = Path(__file__).resolve().parent.parent
MPIRUN = shutil.which("mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
needs_mpi = pytest.mark.skipif(
    MPIRUN is None or importlib.util.find_spec("mpi4py") is None, reason="no mpi4py with mpirun here"
)
SECONDS = 120  # a job that hangs is ended after so long; none of them works for more than a few
ENVIRONMENT = {
    **os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",  # MPICH needs none of these
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}  # fmt: skip


def start(processes, name, folder, run=("-m", "mpi4py")):
    """A job at work."""
    command = [MPIRUN, "-n", processes, sys.executable, *STRICT, *run, ROOT / "tests" / "mpi_jobs.py", name, folder]
    return subprocess.Popen(
        list(map(str, command)), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, cwd=folder, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def end(job):
    """What it prints; whatever happens, nothing of it is left."""
    try:
        return job.communicate(timeout=SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)


def results(processes, name, folder):
    """What each process returns, that of process 0 first; and what all of them print."""
    job = start(processes, name, folder)
    out, err = end(job)
    assert (job.returncode, err) == (0, ""), err
    return [pickle.loads((folder / f"{name}.{rank}").read_bytes()) for rank in range(processes)], out


def alone(name, folder=None):
    """What one process returns that knows nothing of MPI."""
    return mpi_jobs.JOBS[name](lambda optimizer: optimizer, 0, folder)


def same_bits(one, other):
    assert one["params"].tobytes() == other["params"].tobytes()
    assert one["buffers"].tobytes() == other["buffers"].tobytes()
    assert (one["rows"], one["stopped"]) == (other["rows"], other["stopped"])


def close(one, other):
    np.testing.assert_allclose(one["params"], other["params"], rtol=1e-12, atol=1e-12)
    assert len(one["rows"]) == len(other["rows"]) and one["stopped"] == other["stopped"]
    for row, other_row in zip(one["rows"], other["rows"]):
        assert list(row) == list(other_row)
        np.testing.assert_allclose(list(row.values()), list(other_row.values()), rtol=1e-12)


# --- the same as in one process --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain():
    return alone("cases")


@needs_mpi
@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_as_in_one_process(processes, plain, tmp_path):
    """Batches smaller than the processes are many, weights, decay and clipping, validation, a loop of one's own."""
    every, out = results(processes, "cases", tmp_path)
    for name, expected in plain.items():
        for result in every:
            same_bits(every[0][name], result[name])
        close(every[0][name], expected)
        if processes == 1:
            same_bits(every[0][name], expected)
    assert out.count("val_accuracy") == 2 and out.count("epoch") == 5  # process 0 alone prints


@needs_mpi
@pytest.mark.parametrize(("before", "after"), [(2, 3), (1, 2), (3, 1)])
def test_a_checkpoint_resumes_with_another_number(before, after, tmp_path):
    every, out = results(before, "first_half", tmp_path)
    assert out == "" and sorted(path.name for path in tmp_path.glob("*.npz")) == ["run.npz"]
    loaded = tinynn.load(tmp_path / "run.npz")
    assert np.array_equal(loaded.model.params, every[0]["params"]) and loaded.optimizer.epochs == 2
    whole = mpi_jobs.network(0)
    x, t = mpi_jobs.table(25)
    history = whole.fit(
        x, t, loss=tinynn.SoftmaxCrossEntropy(), optimizer=Adam(whole), epochs=4, batch_size=8, seed=7, progress=False
    )
    every, _ = results(after, "second_half", tmp_path)
    expected = mpi_jobs.state(whole, history)
    for result in every:
        same_bits(every[0], result)
    close(every[0], expected | {"rows": expected["rows"][2:]})


@needs_mpi
def test_chance_and_statistics(tmp_path):
    """Masks differ, what is learned does not; running means are the mean of the processes' own, by hand."""
    (first, second), _ = results(2, "chance", tmp_path)
    same_bits(first, second)
    assert first["mask"].shape == second["mask"].shape == (12, 7)
    assert not np.array_equal(first["mask"], second["mask"])
    order = np.random.default_rng([6, 0]).permutation(24)
    W, b = mpi_jobs.network(0)[0].W, mpi_jobs.network(0)[0].b
    y = [mpi_jobs.table(24)[0][order[rank::2]] @ W + b for rank in (0, 1)]
    mean = sum(0.5 * own.mean(axis=0) for own in y) / 2
    var = sum(0.5 + 0.5 * own.var(axis=0, ddof=1) for own in y) / 2
    np.testing.assert_allclose(first["buffers"], [*mean, *var], rtol=1e-12)
    (one,), _ = results(1, "chance", tmp_path)
    same_bits(one, alone("chance"))


# --- stops -----------------------------------------------------------------------------------------------------------


@needs_mpi
@pytest.mark.parametrize("processes", [2, 3])
def test_all_stop_or_none(processes, tmp_path):
    every, _ = results(processes, "stops", tmp_path)
    for name in set(every[0]) - {"warnings", "NaN", "watched"}:
        for result in every:
            same_bits(every[0][name], result[name])
    first = every[0]
    said = {
        "interrupted in a step": (1, "Ctrl-C"), "interrupted after an epoch": (2, "Ctrl-C"),
        "stopped in a step": (1, "enough"), "stopped after an epoch": (3, "enough"),
    }  # fmt: skip
    for name, (epochs, reason) in said.items():
        assert (len(first[name]["rows"]), first[name]["stopped"]) == (epochs, reason), name
    for name, whole in (("interrupted in a step", "one epoch"), ("interrupted after an epoch", "two epochs")):
        assert np.array_equal(first[name]["params"], first[whole]["params"])  # what was begun is undone
    for result in every:
        assert np.isnan(result["NaN"]["rows"][-1]["loss"]) and len(result["NaN"]["rows"]) == 5
        assert result["watched"]["stopped"] == first["watched"]["stopped"] and "NaN" in first["watched"]["stopped"]
    assert [result["warnings"] for result in every] == [1] + [0] * (processes - 1)


@needs_mpi
def test_control_c_from_outside(tmp_path):
    """As the terminal sends it: to mpirun, which hands it on."""
    job = start(2, "long", tmp_path)
    try:
        wait_for(tmp_path / "works", job)
        job.send_signal(signal.SIGINT)
    finally:
        out, err = end(job)
    assert "stopped: Ctrl-C" in out, err
    first, second = (pickle.loads((tmp_path / f"long.{rank}").read_bytes()) for rank in (0, 1))
    same_bits(first, second)
    assert first["stopped"] == "Ctrl-C"


def wait_for(path, job):
    limit = time.monotonic() + SECONDS
    while not path.exists():
        assert job.poll() is None and time.monotonic() < limit
        time.sleep(0.01)


@needs_mpi
@pytest.mark.parametrize(
    ("name", "run", "said"),
    [
        ("raises", ("-m", "mpi4py"), "ZeroDivisionError: planted"),
        ("raises", (), "ZeroDivisionError: planted"),
        ("exits", ("-m", "mpi4py"), "SystemExit: 3"),
        ("exits with 0", (), "SystemExit: 0"),
        ("is killed", ("-m", "mpi4py"), ""),
        ("leaves", ("-m", "mpi4py"), ""),
        ("interrupts itself", (), "KeyboardInterrupt"),
    ],
)
def test_one_that_fails_ends_all(name, run, said, tmp_path):
    """In ten seconds from its failure, with a status that is not 0; also without -m mpi4py, while fit is at work."""
    job = start(3, name, tmp_path, run)
    _, err = end(job)
    seconds = time.time() - float((tmp_path / "failed").read_text())
    assert job.returncode != 0 and seconds < 10
    assert said in err
    if said:
        assert "this error in process 1 of 3 ends all of them" in err


@needs_mpi
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("other_data", "Parallel: x must be the same in all processes, not values of checksum"),
        ("other_optimizer", "Parallel: optimizer must be the same in all processes, not SGD in process 0 and Adam"),
        ("other_lr", "Parallel: parameters must be the same in all processes, not values of checksum"),
    ],
)
def test_what_must_be_the_same(name, said, tmp_path):
    job = start(2, name, tmp_path)
    _, err = end(job)
    assert job.returncode != 0 and said in err


# --- arguments -------------------------------------------------------------------------------------------------------


def test_without_mpi4py(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.delitem(sys.modules, "mpi4py.MPI", raising=False)
    with pytest.raises(ImportError, match=r'for many processes: pip install "tinynn\[mpi\]"'):
        tinynn.Parallel(Adam(Sequential(Affine(2, 3), seed=0)))


@pytest.mark.parametrize("optimizer", [None, Adam, "Adam", Sequential(Affine(2, 3), seed=0)])
def test_what_is_no_optimizer(optimizer):
    with pytest.raises(TypeError, match=r"Parallel: optimizer must be one such as Adam\(model\), not "):
        tinynn.Parallel(optimizer)


@needs_mpi
def test_arguments(tmp_path):
    """In one process, which MPI calls a singleton; a process of its own, as MPI stays in one that has begun it."""
    code = """
import pytest, numpy as np, tinynn
from tinynn import SGD, Affine, Parallel, Sequential
from mpi4py import MPI
model = Sequential(Affine(2, 3), seed=0)
optimizer = SGD(model, 0.1)
for comm in (3, "world", MPI.COMM_NULL, MPI):
    with pytest.raises(TypeError, match="Parallel: comm must be a communicator such as MPI.COMM_WORLD, not "):
        Parallel(optimizer, comm)
parallel = Parallel(optimizer, MPI.COMM_SELF)
assert (parallel.rank, parallel.size, parallel.model, parallel.optimizer) == (0, 1, model, optimizer)
assert repr(parallel) == "Parallel(SGD(model, lr=0.1))"
with pytest.raises(AttributeError):
    parallel.lr = 0.2
for part in (-1, 1.5, float("nan"), "all", True):
    with pytest.raises((TypeError, ValueError), match="Parallel.step: part must be a "):
        parallel.step(part)
model.grads[...] = 1
before = model.params.copy()
parallel.step()
assert np.array_equal(model.params, before - np.float32(0.1))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, timeout=SECONDS, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_a_plain_optimizer_is_one_process():
    processes, optimizer = tinynn.training.processes.behind(plain := SGD(Sequential(Affine(2, 3), seed=0), 0.1))
    assert optimizer is plain and (processes.rank, processes.size) == (0, 1)
