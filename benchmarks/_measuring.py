"""How contenders are measured: each in a process of its own, in turns. What the scripts here have in common."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _networks import Layers, first_weights
from _peers import CONTENDERS, ONE_THREAD, Contender, Reference

Array = np.ndarray[Any, Any]

FLOORS = ["floor", "speed"]  # compute no training
LONG = 0.01  # seconds: such a step is timed alone
US = {"microseconds": 1, "milliseconds": 1000}
PACKAGES = ["numpy", "numba", "torch", "jax", "scikit-learn"]
WARM_UP_STEPS = 1000


# --- a contender's process --------------------------------------------------------------------------------------------


class Worker:
    """Answers the requests that another process writes to this one, with one contender."""

    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        self.done = 0  # steps since the start
        self.seconds = 0.0  # for a step, as far as known

    def start(self, files: list[str], layers: Layers, batch: int) -> None:
        """Make the model; examples, labels and weights are in files that all workers map into memory."""
        x, t, params = (np.asarray(np.load(file, mmap_mode="c")) for file in files)
        self.contender.start(params, layers, x, t, batch)
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
        count = 1
        while self.done < steps and time.perf_counter() < end:
            begin = time.perf_counter()
            self.run(count)
            self.seconds = (time.perf_counter() - begin) / count
            count = 10 if self.seconds < LONG else 1
        return self.done

    def turn(self, seconds: float, block: float) -> dict[str, float]:
        """Microseconds a step, the median of blocks; and how many cores were at work."""
        count = max(5 if self.seconds < LONG else 1, round(block / self.seconds))
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
        return {"us": 1e6 * self.seconds * self.contender.scale, "cores": cores}

    def memory(self, steps: int) -> float:
        """MiB that this process has held at most, after so many more steps."""
        self.run(steps)
        unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20

    def run(self, count: int) -> None:
        self.contender.run(self.done, count)
        self.done += count


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
        command = [sys.executable, __file__, name, threads]
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


@contextmanager
def started(names: list[str], threads: str) -> Iterator[tuple[dict[str, Process], dict[str, str]]]:
    """A process for each contender, and why some are missing; all are ended in the end."""
    processes, missing = {}, {}
    try:
        for name in names:
            processes[name] = Process(name, threads)
        for name in names:
            try:
                processes[name].ask()
            except (ImportError, RuntimeError) as error:
                missing[name] = str(error)
                processes.pop(name).stop()
        yield processes, missing
    finally:
        for process in processes.values():
            process.stop()


class Job(NamedTuple):
    """A row of a table: a network, and the batches that it is trained with, in files of a folder."""

    group: str  # the table
    size: str  # the row's heading
    layers: Layers
    batch: int
    folder: Path
    checks: dict[int, float]  # after so many steps: the error allowed, as a share of the parameters' way

    @property
    def files(self) -> list[Path]:
        """Of examples, labels and first weights."""
        names = f"x-{self.group}", f"t-{self.group}", f"weights-{self.group}-{self.size}"
        return [self.folder / f"{name}.npy" for name in names]

    @property
    def request(self) -> dict[str, Any]:
        """What a worker has to know of it."""
        return {"do": "start", "files": [str(f) for f in self.files], "layers": self.layers, "batch": self.batch}


def measure(processes: dict[str, Process], job: Job, table: Table, options: Any) -> dict[str, Any]:
    """A row of the table: all contenders checked, warmed up and timed."""
    weights, right = in_double_precision(job)
    row: dict[str, Any] = {"group": job.group, "size": job.size, "steps": list(job.checks)}
    row |= {"difference": {}, "warm_up_steps": {}, "errors": {}}
    alive = dict(processes)
    what = f"{job.group} {job.size}"
    for name, process in processes.items():
        progress(f"{what}: {name}")
        try:
            process.ask(**job.request)
            if name not in FLOORS:
                row["difference"][name] = check(process, job.folder / f"{name}.npy", weights, right, job.checks)
            row["warm_up_steps"][name] = process.ask(do="warm_up", steps=WARM_UP_STEPS, seconds=options.warm_up)
        except RuntimeError as error:
            row["errors"][name] = str(error)
            del alive[name]
    row["rounds"], row["cores"] = {name: [] for name in alive}, {name: [] for name in alive}
    for turn in range(options.rounds):
        for name, process in list(alive.items()):
            progress(f"{what}: round {turn + 1}, {name}")
            try:
                answer = process.ask(do="turn", seconds=options.turn, block=options.turn / 10)
            except RuntimeError as error:
                row["errors"][name] = str(error)
                del alive[name], row["rounds"][name], row["cores"][name]
                continue
            row["rounds"][name].append(answer["us"])
            row["cores"][name].append(answer["cores"])
    progress("")
    row["us"] = {name: float(np.median(times)) for name, times in row["rounds"].items()}
    row["cores"] = {name: float(np.median(cores)) for name, cores in row["cores"].items()}
    row["ratios"] = {key.replace("\n", " "): ratio(row, *pair) for key, pair in table.ratios.items()}
    row["best_peer"] = best(row, table.peers)
    return row


def in_double_precision(job: Job) -> tuple[Array, dict[int, Array]]:
    """The job's first weights, also written to a file; and the parameters after each number of steps."""
    rows = max(job.checks) * job.batch
    x, t = (np.array(np.load(file, mmap_mode="r")[:rows]) for file in job.files[:2])
    weights = first_weights(job.layers, x.shape[1:])
    np.save(job.files[2], weights)
    reference = Reference(True)
    reference.start(weights, job.layers, x, t, job.batch)
    right, done = {}, 0
    for steps in job.checks:
        progress(f"{job.group} {job.size}: in double precision")
        reference.run(done, steps - done)
        right[steps], done = reference.params().copy(), steps
    return weights, right


def check(
    process: Process, file: Path, weights: Array, right: dict[int, Array], checks: dict[int, float]
) -> list[float]:
    """How far off the contender's parameters are after each number of steps. Raises RuntimeError where too far."""
    differences = []
    for steps, params in right.items():
        process.ask(do="check", steps=steps, file=str(file))
        way, error = params - weights, np.load(file) - params
        differences.append(float(np.linalg.norm(error) / np.linalg.norm(way)))
        if not differences[-1] < checks[steps]:
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
    return f"{us:,.{2 if us < 10 else 1 if us < 100 else 0}f}"


def one_line(head: str) -> str:
    """A heading without its line break."""
    return head.replace("-\n", "-").replace("\n", " ")


class Table(NamedTuple):
    """What the tables of a script show."""

    first: str  # the heading of the first column
    unit: str
    columns: dict[str, list[str]]  # heading (two lines): the contenders of which the best is shown
    ratios: dict[str, tuple[list[str], list[str]]]  # heading: which time by which
    peers: list[str]

    @property
    def contenders(self) -> list[str]:
        """All of the columns."""
        return [name for names in self.columns.values() for name in names]


def text(report: dict[str, Any], table: Table, groups: dict[str, str], markdown: bool = False) -> str:
    """The tables, between what was run on and what is to be said of single figures."""
    known = ", ".join(f"{name} {version}" for name, version in report["versions"].items() if version)
    threads = "1 thread each" if report["threads"] == "1" else "threads as each likes"
    method = report["method"]
    lines = [
        f"{report['machine']}; {threads}",
        known,
        f"{report['command']}",
        f"warm-up: {WARM_UP_STEPS} steps or {method['warm_up']} s; then {method['rounds']} rounds, "
        f"{method['turn']} s each",
    ]
    blocks = ["\n".join(f"- {line}" if markdown else line for line in lines)]
    for group, title in groups.items():
        rows = [row for row in report["rows"] if row["group"] == group]
        if rows:
            blocks += [f"{title}; {table.unit} a step, and ratios", times(rows, table, markdown)]
    notes = remarks(report)
    if notes:
        blocks.append("\n".join(f"- {note}" if markdown else note for note in notes))
    return "\n\n".join(blocks)


def times(rows: list[dict[str, Any]], table: Table, markdown: bool) -> str:
    """The rows, aligned or as Markdown."""
    heads = [table.first, *table.columns, *table.ratios]
    body = []
    for row in rows:
        cells = [row["size"].replace("x", " x ")]
        for contenders in table.columns.values():
            name = best(row, contenders)
            failed = any(contender in row["errors"] for contender in contenders)
            cells.append(number(row["us"][name] / US[table.unit]) if name else "error" if failed else "-")
        for value in row["ratios"].values():
            cells.append("-" if value is None else f"{value:.2f}")
        body.append(cells)
    return grid(heads, body, markdown)


def grid(heads: list[str], body: list[list[str]], markdown: bool) -> str:
    """Cells under headings of one line or two, aligned or as Markdown."""
    if markdown:
        lines = [[one_line(head) for head in heads], ["---"] + ["---:"] * (len(heads) - 1), *body]
        return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    upper = [head.rpartition("\n")[0] for head in heads]
    rows = [upper, [head.rpartition("\n")[2] for head in heads], *body]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]) for cells in rows]
    return "\n".join([*lines[:2], "-" * len(lines[0]), *lines[2:]])


def remarks(report: dict[str, Any]) -> list[str]:
    """What a reader of the table has to know besides."""
    notes = []
    if report["missing"]:
        notes.append("-: not installed, or does not start:")
        notes += [f"{name} ({' '.join(reason.split())[-90:]})" for name, reason in report["missing"].items()]
    for row in report["rows"]:
        for name, reason in row["errors"].items():
            notes.append(f"error: {row['group']} {row['size']} {name}: {' '.join(reason.split())[:160]}")
    differences = [value for row in report["rows"] for value in row["difference"].values()]
    if differences:
        after = report["rows"][0]["steps"]
        worst = [f"{max(column):.1g} after {steps}" for steps, column in zip(after, zip(*differences))]
        notes.append(
            f"The parameters differ from those of a run in double precision; divided by how far they have moved, "
            f"the difference is at most {' and '.join(worst)} steps."
        )
    spreads = [np.ptp(times) / np.median(times) for row in report["rows"] for times in row["rounds"].values()]
    if spreads:
        notes.append(
            f"From the fastest to the slowest round of one figure: {np.median(spreads):.0%} (median), "
            f"{np.max(spreads):.0%} (largest)."
        )
    if report["threads"] == "1":
        busy: dict[str, float] = {}
        for row in report["rows"]:
            for name, cores in row["cores"].items():
                busy[name] = max(busy.get(name, 0), cores)
        greedy = [f"{name} {cores:.1f}" for name, cores in busy.items() if cores > 1.1]
        if greedy:
            notes.append(f"Busy cores, where it was more than one in spite of one thread: {', '.join(greedy)}.")
    return notes


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2] == "1")
