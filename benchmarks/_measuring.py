"""How contenders are measured: each in a process of its own, in turns. What the scripts here have in common."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _peers import CONTENDERS, ONE_THREAD, Contender

Array = np.ndarray[Any, Any]

PACKAGES = ["numpy", "numba", "torch", "jax", "scikit-learn"]

# after so many steps: the error allowed, in units of the way that the parameters have gone
CHECKS = {2: 5e-4, 20: 0.2}
WARM_UP_STEPS = 1000


# --- a contender's process --------------------------------------------------------------------------------------------


class Worker:
    """Answers the requests that train_step.py writes to this process, with one contender."""

    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        self.done = 0  # steps since the start
        self.seconds = 0.0  # for a step, as far as known

    def start(self, folder: str, data: str, widths: list[int], batch: int) -> None:
        """Make the model; the arrays are in files that all workers map into memory."""
        x, t, params = (np.asarray(np.load(Path(folder) / name, mmap_mode="c")) for name in names(data, widths))
        self.contender.start(params, widths, x, t, batch)
        self.done = 0

    def check(self, steps: int, file: str) -> None:
        """Go on to that number of steps, write the parameters to a file."""
        while self.done < steps:
            self.run(1)
        np.save(file, self.contender.params())

    def warm_up(self, steps: int, seconds: float) -> int:
        """Steps until there have been `steps` since the start, or time is up; how many there have been."""
        steps = steps if self.contender.learns else 10
        end = time.perf_counter() + seconds
        while self.done < steps and time.perf_counter() < end:
            begin = time.perf_counter()
            self.run(10)
            self.seconds = (time.perf_counter() - begin) / 10
        return self.done

    def turn(self, seconds: float, block: float) -> dict[str, float]:
        """Microseconds a step, the median of blocks; and how many cores were at work."""
        count = max(5, round(block / self.seconds))
        end = time.perf_counter() + seconds / 4  # untimed: another process had the caches, its threads may still spin
        while time.perf_counter() < end:
            self.run(max(1, count // 4))
        times = []
        begin, cpu = time.perf_counter(), time.process_time()
        while len(times) < 3 or time.perf_counter() - begin < seconds:
            start = time.perf_counter()
            self.run(count)
            times.append((time.perf_counter() - start) / count)
        cores = (time.process_time() - cpu) / (time.perf_counter() - begin)
        self.seconds = float(np.median(times))
        return {"us": 1e6 * self.seconds, "cores": cores}

    def run(self, count: int) -> None:
        self.contender.run(self.done, count)
        self.done += count


def names(data: str, widths: list[int]) -> tuple[str, str, str]:
    """The files of rows, labels and first weights."""
    return f"x-{data}.npy", f"t-{data}.npy", f"weights-{'-'.join(map(str, widths))}.npy"


def serve(name: str, one_thread: bool) -> None:
    """Read requests, a line of JSON each, from standard input; answer each with a line on standard output."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    if one_thread and hasattr(os, "sched_setaffinity"):  # JAX keeps 1.6 cores busy whatever it is told
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    def answer(value: dict[str, Any]) -> None:
        print(json.dumps(value), file=answers, flush=True)

    try:
        worker = Worker(CONTENDERS[name](one_thread))
    except ImportError as error:
        answer({"missing": str(error)})
        return
    answer({"value": "ready"})
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer({"value": getattr(worker, request.pop("do"))(**request)})
        except Exception as error:
            answer({"error": f"{type(error).__name__}: {error}"})


# --- the process that asks it -----------------------------------------------------------------------------------------


class Process:
    """A contender at work in a process of its own."""

    def __init__(self, name: str, threads: str) -> None:
        command = [sys.executable, sys.argv[0], "--worker", name, "--threads", threads]
        environment = {**os.environ, **(ONE_THREAD if threads == "1" else {})}
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed in stop)
        self.popen = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environment
        )

    def ask(self, **request: Any) -> Any:
        """Send a request, if there is one, and wait for the answer. Raises RuntimeError where it is an error."""
        assert self.popen.stdin and self.popen.stdout
        try:
            if request:
                print(json.dumps(request), file=self.popen.stdin, flush=True)
            line = self.popen.stdout.readline()
        except OSError:
            line = ""
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f"the process ended: {self.errors.read()[-500:].strip()}")
        answer = json.loads(line)
        if "missing" in answer:
            raise ImportError(answer["missing"])
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]

    def stop(self) -> None:
        """End the process."""
        self.popen.kill()
        self.popen.communicate()
        self.errors.close()


def check(process: Process, file: Path, weights: Array, right: dict[int, Array]) -> list[float]:
    """How far off the contender's parameters are after each number of steps. Raises RuntimeError where too far."""
    differences = []
    for steps, params in right.items():
        process.ask(do="check", steps=steps, file=str(file))
        way, error = params - weights, np.load(file) - params
        differences.append(float(np.linalg.norm(error) / np.linalg.norm(way)))
        if not differences[-1] < CHECKS[steps]:
            raise RuntimeError(f"after {steps} steps its parameters are off by {differences[-1]:.2g} of their way")
    return differences


def best(row: dict[str, Any], contenders: list[str]) -> str | None:
    """Who was fastest of those who were timed."""
    timed = [name for name in contenders if name in row["us"]]
    return min(timed, key=row["us"].__getitem__) if timed else None


def ratio(row: dict[str, Any], above: list[str], below: list[str]) -> float | None:
    """The median over rounds of one's time by another's, the best of each; None where one is missing."""
    a, b = best(row, above), best(row, below)
    if a is None or b is None:
        return None
    return float(np.median(np.divide(row["rounds"][a], row["rounds"][b])))


def progress(line: str) -> None:
    """What is going on, where somebody watches."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


# --- reporting --------------------------------------------------------------------------------------------------------


def machine() -> str:
    """The CPU's name and the number of cores."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def versions() -> dict[str, str | None]:
    """Of Python and the packages; None where one is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def number(us: float) -> str:
    """Microseconds with three digits or more."""
    return f"{us:.1f}" if us < 100 else f"{us:,.0f}"


def one_line(head: str) -> str:
    """A heading without its line break."""
    return head.replace("-\n", "-").replace("\n", " ")
