"""How long does the whole lab take, and how much memory? An example beside the same job in PyTorch and JAX.

    python benchmarks/mnist_end_to_end.py                            # everything, several minutes
    python benchmarks/mnist_end_to_end.py --quick                    # one epoch, one round
    python benchmarks/mnist_end_to_end.py --only tinynn-warm torch   # two contenders
    python benchmarks/mnist_end_to_end.py --network resnet           # examples/mnist_resnet.py beside PyTorch

The job, that of examples/mnist_mlp.py, from the start of Python to the printed test accuracy: read MNIST from its
compressed files, make 784-256-10 with ReLU (weights Kaiming normal, biases 0), train it for 10 epochs on all 60,000
images, in a new order each, by Adam at 1e-3 with softmax cross-entropy in batches of 256; print loss and accuracy in
training and on the 10,000 test images after each epoch. The peers' scripts, mnist_torch.py and mnist_jax.py, are
written for speed and import no tinynn. They keep the pixels as float32; "PyTorch, bytes" keeps them as bytes until
their batch is used, as tinynn's example does.

With --network resnet the job is that of examples/mnist_resnet.py (5 epochs; --rows N for fewer images). PyTorch's is
mnist_resnet_torch.py, with channels last and with channels first; JAX has none.

tinynn comes twice: cold, when numba has to compile its kernels, as in the first run on a machine; and warm, when it
loads them from the disk, as in any later one. Both use a directory of their own for them, which is emptied before cold.
JAX compiles in every run, as it does unless told to keep what it compiled: with JAX_COMPILATION_CACHE_DIR=DIR, it does.

Method. Each run is a process of its own. Wall and CPU seconds and the peak of its memory (the largest resident set) are
the operating system's figures for that process. A round before the first, of one epoch and not measured, brings all
files into memory, so that no disk is timed. Then the contenders take turns; each round has a seed of its own. A figure
in the table is the median over rounds, a ratio the median of the ratios within each round: where the machine is shared,
times drift, and ratios stay. Less than 1 means that the row's contender took less than the one it is divided by.

The second table, for the first job alone: what somebody waits for who starts Python to use a model, tinynn warm.
`predict` takes a NumPy array and gives one; PyTorch's is the module under inference_mode, its input by from_numpy, its
output by numpy.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _measuring import grid, machine, number, progress, versions
from _peers import ONE_THREAD

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
OPTIONS = ["--no-plot", "--backend", "numba"]
MLP = [str(EXAMPLES / "mnist_mlp.py"), *OPTIONS]
RESNET = [str(EXAMPLES / "mnist_resnet.py"), *OPTIONS]
RESNET_TORCH = str(HERE / "mnist_resnet_torch.py")
NETWORKS = {  # name of a network, of a contender: heading, package, what Python runs
    "mlp": {
        "tinynn-cold": ("tinynn, cold", "tinynn", MLP),
        "tinynn-warm": ("tinynn, warm", "tinynn", MLP),
        "torch": ("PyTorch", "torch", [str(HERE / "mnist_torch.py")]),
        "torch-bytes": ("PyTorch, bytes", "torch", [str(HERE / "mnist_torch.py"), "--bytes"]),
        "jax": ("JAX", "jax", [str(HERE / "mnist_jax.py")]),
    },
    "resnet": {
        "tinynn-cold": ("tinynn, cold", "tinynn", RESNET),
        "tinynn-warm": ("tinynn, warm", "tinynn", RESNET),
        "torch": ("PyTorch", "torch", [RESNET_TORCH]),
        "torch-first": ("PyTorch, channels first", "torch", [RESNET_TORCH, "--channels", "first"]),
    },
}
EPOCHS = {"mlp": 10, "resnet": 5}
FIGURES = ["wall", "cpu", "memory", "accuracy"]  # of a run: seconds, seconds, MiB, percent
PEERS = ["torch", "jax"]

MODELS = {
    "tinynn": "from tinynn import *; Sequential(Affine(784, 256), ReLU(), Affine(256, 10), backend='numba')",
    "torch": "from torch.nn import *; Sequential(Linear(784, 256), ReLU(), Linear(256, 10))",
}
WAITS = {  # row of the second table: what Python runs for "tinynn" and "torch"
    "import, ms": lambda package: ["-c", f"import {package}"],
    "import and make a model, ms": lambda package: ["-c", MODELS[package]],
    "predict 1 row, us": lambda package: [__file__, "--worker", package, "1"],
    "predict 10,000 rows, us": lambda package: [__file__, "--worker", package, "10000"],
}


def main() -> None:
    """The command line."""
    options = parse(sys.argv[1:])
    if options.worker:
        package, rows = options.worker
        print(predict_time(package, int(rows)))
        return
    contenders = NETWORKS[options.network]
    report: dict[str, Any] = {
        "network": options.network,
        "machine": machine(),
        "versions": {package: version for package, version in versions().items() if package != "scikit-learn"},
        "threads": options.threads,
        "command": shlex.join(["python", os.path.relpath(__file__), *sys.argv[1:]]),
        "method": {key: getattr(options, key) for key in ("rounds", "epochs", "starts")},
        "missing": [name for name in options.only if importlib.util.find_spec(contenders[name][1]) is None],
        "errors": {},
    }
    installed = {name: contenders[name] for name in options.only if name not in report["missing"]}
    with tempfile.TemporaryDirectory() as kernels:
        environment = {**os.environ, **(ONE_THREAD if options.threads == "1" else {}), "NUMBA_CACHE_DIR": kernels}
        report["runs"] = measure_runs(installed, environment, options, report["errors"])
        report["waits"] = measure_waits(report["runs"], environment, options, report["errors"])
    report["ratios"] = {
        f"{name} / {peer}": {figure: ratio(report["runs"], name, peer, figure) for figure in ("wall", "cpu", "memory")}
        for name in report["runs"]
        for peer in PEERS
        if name != peer
    }
    print(text(report, options.markdown))
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options; --quick changes the defaults of the others."""
    parser = argparse.ArgumentParser(description="A whole example on MNIST, tinynn beside PyTorch and JAX.")
    parser.add_argument("--network", choices=NETWORKS, default="mlp", help="whose example is run; default mlp")
    parser.add_argument("--rows", type=count, metavar="N", help="resnet: train with the first N images only")
    parser.add_argument("--rounds", type=count, help="default 3")
    parser.add_argument("--epochs", type=count, help="of each run; default 10, for the resnet 5")
    parser.add_argument("--threads", choices=["1", "default"], default="1", help="for each contender; default 1")
    everybody = list(dict.fromkeys(name for contenders in NETWORKS.values() for name in contenders))
    parser.add_argument("--only", nargs="+", choices=everybody, metavar="CONTENDER", help=", ".join(everybody))
    parser.add_argument("--quick", action="store_true", help="one round of one epoch, and fewer starts")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--json", metavar="FILE", help="write everything there, each round too")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if not hasattr(os, "wait4"):
        parser.error("a child's memory is told by os.wait4, which this system does not have")
    everything = {"rounds": 3, "epochs": EPOCHS[options.network], "starts": 5}
    quick = {"rounds": 1, "epochs": 1, "starts": 2}
    for key, value in (quick if options.quick else everything).items():
        if getattr(options, key, None) is None:
            setattr(options, key, value)
    contenders = NETWORKS[options.network]
    options.only = [name for name in contenders if name in (options.only or contenders)]
    return options


def count(word: str) -> int:
    """A whole number of 1 or more, if it is one."""
    if int(word) < 1:
        raise ValueError(word)
    return int(word)


# --- measuring -------------------------------------------------------------------------------------------------------


def run(command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Run Python; what it used and what it printed. Raises RuntimeError, with a sentence, where it fails.

    A child begins as a copy of this process, and the peak of its memory counts that: keep this process small.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        child = subprocess.Popen([sys.executable, *command], stdout=output, stderr=errors, env=environment)
        try:
            _, status, usage = os.wait4(child.pid, 0)  # unlike child.wait(), it tells what this child alone has used
        except BaseException:  # Ctrl-C
            child.kill()
            child.wait()
            raise
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)  # Popen does not know that somebody else waited
        output.seek(0)
        errors.seek(0)
        if child.returncode < 0:
            raise RuntimeError(f"the process was ended by {signal.Signals(-child.returncode).name}")
        if child.returncode > 0:
            last = errors.read().strip().rpartition("\n")[2]  # of a traceback, the line that says what is wrong
            raise RuntimeError(last or f"the process ended with status {child.returncode}, and said nothing")
        unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux
        memory = usage.ru_maxrss * unit / 2**20
        return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "memory": memory, "output": output.read()}


def measure_runs(
    contenders: dict[str, Any], environment: dict[str, str], options: argparse.Namespace, errors: dict[str, str]
) -> dict[str, dict[str, list[float]]]:
    """Each contender's figures, a number for each round. Who fails is left out, with the reason in `errors`."""
    runs: dict[str, dict[str, list[float]]] = {name: {figure: [] for figure in FIGURES} for name in contenders}
    for turn in range(options.rounds + 1):  # 0 is not measured
        epochs = options.epochs if turn else 1
        for name in list(runs):
            progress(f"round {turn} of {options.rounds}: {name}")
            if name == "tinynn-cold":
                empty(Path(environment["NUMBA_CACHE_DIR"]))
            command = [*contenders[name][2], "--epochs", str(epochs), "--seed", str(turn)]
            if options.network == "resnet" and (options.rows or not turn):
                command += ["--rows", str(options.rows or 1280)]
            try:
                result = run(command, environment)
                result["accuracy"] = accuracy(result["output"])
            except RuntimeError as error:
                errors[name] = str(error)
                del runs[name]
                continue
            for figure in FIGURES if turn else []:
                runs[name][figure].append(result[figure])
    progress("")
    return runs


def measure_waits(
    contenders: dict[str, Any], environment: dict[str, str], options: argparse.Namespace, errors: dict[str, str]
) -> dict[str, dict[str, list[float]]]:
    """For each row of the second table, the times of tinynn and torch, in turns."""
    packages = [p for p in MODELS if any(NETWORKS[options.network][name][1] == p for name in contenders)]
    waits: dict[str, dict[str, list[float]]] = {}
    for row, command in WAITS.items() if options.network == "mlp" else ():
        waits[row] = {package: [] for package in packages}
        for start in range(options.starts):
            for package in list(waits[row]):
                progress(f"{row}, {start + 1} of {options.starts}: {package}")
                try:
                    result = run(command(package), environment)
                except RuntimeError as error:
                    errors[f"{row}: {package}"] = str(error)
                    del waits[row][package]
                    continue
                printed = row.startswith("predict")
                waits[row][package].append(float(result["output"]) if printed else 1e3 * result["wall"])
    progress("")
    return waits


def empty(folder: Path) -> None:
    """Delete what is in the folder."""
    shutil.rmtree(folder)
    folder.mkdir()


def accuracy(output: str) -> float:
    """The test accuracy in the last line, in percent. Raises RuntimeError where there is none."""
    last = output.strip().rpartition("\n")[2]
    found = re.fullmatch(r"test accuracy ([\d.]+) %", last)
    if not found:
        raise RuntimeError(f"the last line must be the test accuracy, not {last!r}")
    return float(found[1])


def ratio(runs: dict[str, dict[str, list[float]]], above: str, below: str, figure: str) -> float | None:
    """The median over rounds of one's figure by another's; None where one is missing."""
    if above not in runs or below not in runs:
        return None
    return statistics.median(a / b for a, b in zip(runs[above][figure], runs[below][figure]))


# --- the worker process ----------------------------------------------------------------------------------------------


def predict_time(package: str, rows: int) -> float:
    """Microseconds of a call of predict in this process."""
    predict, context = {"tinynn": predict_tinynn, "torch": predict_torch}[package]()
    x = np.random.default_rng(0).random((rows, 784), dtype=np.float32)
    with context:
        once = min(timeit.repeat(lambda: predict(x), number=1, repeat=3))
        calls = max(1, int(0.03 / once))
        times = timeit.repeat(lambda: predict(x), number=calls, repeat=20)
    return 1e6 * statistics.median(times[5:]) / calls  # the first blocks warm up


def predict_tinynn() -> tuple[Callable[..., Any], Any]:
    """predict, and the context for its calls."""
    from tinynn import Affine, ReLU, Sequential

    return Sequential(Affine(784, 256), ReLU(), Affine(256, 10), backend="numba").predict, contextlib.nullcontext()


def predict_torch() -> tuple[Callable[..., Any], Any]:
    """predict, and the context for its calls: entered once, since entering it takes time."""
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
    return lambda x: model(torch.from_numpy(x)).numpy(), torch.inference_mode()


# --- reporting -------------------------------------------------------------------------------------------------------


def text(report: dict[str, Any], markdown: bool = False) -> str:
    """The tables, between what was run on and what is to be said of single figures."""
    method = report["method"]
    lines = [
        f"{report['machine']}; {'1 thread each' if report['threads'] == '1' else 'threads as each likes'}",
        ", ".join(f"{name} {version}" for name, version in report["versions"].items() if version),
        report["command"],
        f"rounds: {method['rounds']}; epochs: {method['epochs']}; starts for the second table: {method['starts']}",
    ]
    blocks = ["\n".join(f"- {line}" if markdown else line for line in lines)]
    if report["runs"] or report["errors"] or report["missing"]:
        blocks += ["the whole process, and ratios", runs_table(report, markdown)]
    if any(times for times in report["waits"].values()):
        blocks += ["starting, and predicting", waits_table(report, markdown)]
    notes = remarks(report)
    if notes:
        blocks.append("\n".join(f"- {note}" if markdown else note for note in notes))
    return "\n\n".join(blocks)


def runs_table(report: dict[str, Any], markdown: bool) -> str:
    """A row for each contender."""
    heads = ["", "wall s", "wall\n/ PyTorch", "wall\n/ JAX", "CPU s", "peak\nMiB", "peak\n/ PyTorch", "peak\n/ JAX",
             "test\naccuracy"]  # fmt: skip
    runs, body = report["runs"], []
    for name, (heading, *_) in NETWORKS[report["network"]].items():
        if name in runs:
            wall, cpu, memory, right = (statistics.median(runs[name][figure]) for figure in FIGURES)
            wall_ratios, memory_ratios = (
                [quotient(ratio(runs, name, peer, figure)) for peer in PEERS] for figure in ("wall", "memory")
            )
            cells = [f"{wall:.2f}", *wall_ratios, f"{cpu:.2f}", f"{memory:.0f}", *memory_ratios, f"{right:.2f} %"]
        elif name in report["errors"] or name in report["missing"]:
            cells = ["error" if name in report["errors"] else "-"] * (len(heads) - 1)
        else:
            continue  # not asked for
        body.append([heading, *cells])
    return grid(heads, body, markdown)


def waits_table(report: dict[str, Any], markdown: bool) -> str:
    """A row for each thing that somebody waits for."""
    body = []
    for row, times in report["waits"].items():
        cells = [number(statistics.median(times[package])) if times.get(package) else "-" for package in MODELS]
        both = all(times.get(package) for package in MODELS)
        by = statistics.median(a / b for a, b in zip(times["tinynn"], times["torch"])) if both else None
        body.append([row, *cells, quotient(by)])
    return grid(["", "tinynn", "PyTorch", "tinynn\n/ PyTorch"], body, markdown)


def quotient(value: float | None) -> str:
    """A ratio, or a dash where there is none."""
    return "-" if value is None else f"{value:.2f}"


def remarks(report: dict[str, Any]) -> list[str]:
    """What a reader of the tables has to know besides."""
    runs, notes = report["runs"], []
    if report["missing"]:
        notes.append(f"-: not installed: {', '.join(report['missing'])}.")
    notes += [f"error: {what}: {' '.join(reason.split())[:160]}" for what, reason in report["errors"].items()]
    if "tinynn-cold" in runs and "tinynn-warm" in runs:
        wall, cpu = (
            statistics.median(a - b for a, b in zip(runs["tinynn-cold"][figure], runs["tinynn-warm"][figure]))
            for figure in ("wall", "cpu")
        )
        notes.append(f"Cold minus warm, which is compiling the kernels: {wall:.2f} s of wall time, {cpu:.2f} s of CPU.")
    waited = {name: 1 - sum(run["cpu"]) / sum(run["wall"]) for name, run in runs.items()}
    if report["threads"] == "1" and max(waited.values(), default=0) > 0.1:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in waited.items() if share > 0.1)
        ratios = {pair: values["cpu"] for pair, values in report["ratios"].items() if pair.startswith("tinynn")}
        ratios_text = ", ".join(f"{pair} {value:.2f}" for pair, value in ratios.items() if value is not None)
        notes.append(
            f"The machine was busy, wall times are rough. Of them, waiting: {shares}. "
            f"Ratios of CPU seconds: {ratios_text or '-'}."
        )
    spreads = [np.ptp(run["wall"]) / np.median(run["wall"]) for run in runs.values()]
    if spreads and report["method"]["rounds"] > 1:
        notes.append(
            f"From the fastest to the slowest round of one contender's wall time: {np.median(spreads):.0%} (median), "
            f"{np.max(spreads):.0%} (largest)."
        )
    return notes


if __name__ == "__main__":
    main()
