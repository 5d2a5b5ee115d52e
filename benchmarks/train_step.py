"""How long does a training step take? tinynn beside the frameworks, and beside the matrix products alone.

    python benchmarks/train_step.py                                  # everything, several minutes
    python benchmarks/train_step.py --sizes 256x256 --data mnist     # one row
    python benchmarks/train_step.py --threads default                # each with as many threads as it likes

The job: 784 inputs, ReLU layers, 10 classes, softmax cross-entropy, Adam at 1e-3, float32. A size such as 256x512-512
is a batch of 256 and two hidden layers of 512. The rows are dense (random numbers around 0: rows of positive numbers
with random labels switch nearly every ReLU off for good, and then there is nothing left to train) or real MNIST, where
four fifths are zeros; dense products do not care, whoever skips zeros does.

The floor is the matrix products of a step alone, by np.dot into arrays that are there already: x W for each layer,
x^T dy for each, dy W^T for all but the first. What a step takes beyond that is bias, ReLU, loss, Adam and Python.

Method. Each contender (see _peers.py) runs in a process of its own, with --threads 1 on one core, the same for all
(JAX would keep 1.6 busy, whatever it is told), and all have the same first weights and the same
batches in the same order. First their parameters are compared with those that tinynn computes in double precision,
sharply after 2 steps (a beta2 of 0.99 would be found), and once more after 20, when rounding has grown: it is enough
that a unit is on for one and off for another. Who differs is not timed, but shown as an error. Then all warm up by
training, since Adam's state changes what a step costs: moments of weights that get no gradient shrink until they are
denormal numbers, which are slow, after about 900 steps. Then they take turns for some rounds, each turn split into
blocks of steps. A round's figure is the median of its blocks; a time in the table is the median over rounds, a ratio
the median of the ratios within each round: where the machine is shared, times drift, and ratios stay.

PyTorch eager is the better of Adam() and Adam(fused=True). "best peer / tinynn" and "PyTorch / tinynn" compare with
tinynn on numba; more than 1 means that tinynn is faster. "best peer" is the fastest of all that are not tinynn.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _measuring import (
    CHECKS,
    WARM_UP_STEPS,
    Process,
    best,
    check,
    machine,
    names,
    number,
    one_line,
    progress,
    ratio,
    serve,
    versions,
)
from _peers import CONTENDERS, Reference

Array = np.ndarray[Any, Any]

SIZES = ["32x32", "32x256", "128x256", "256x256", "256x1024", "256x512-512-512"]
DATA = {"dense": "dense rows, normal random numbers", "mnist": "MNIST rows, 19 % not zero"}
PEERS = ["torch-adam", "torch-fused", "torch-compile", "jax", "sklearn"]
EAGER = ["torch-adam", "torch-fused"]
COLUMNS = {  # heading (two lines): the contenders of which the best is shown
    "the\nfloor": ["floor"],
    "tinynn\nnumba": ["tinynn-numba"],
    "tinynn\nnumpy": ["tinynn-numpy"],
    "PyTorch\neager": EAGER,
    "torch\ncompile": ["torch-compile"],
    "JAX\njit": ["jax"],
    "scikit-\nlearn": ["sklearn"],
}
RATIOS = {  # heading: which time by which
    "tinynn\n/ floor": (["tinynn-numba"], ["floor"]),
    "best peer\n/ tinynn": (PEERS, ["tinynn-numba"]),
    "PyTorch\n/ tinynn": (EAGER, ["tinynn-numba"]),
}


def main() -> None:
    """The command line."""
    options = parse(sys.argv[1:])
    if options.worker:
        serve(options.worker, options.threads == "1")
        return
    command = shlex.join(["python", os.path.relpath(__file__), *sys.argv[1:]])
    report: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(),
        "threads": options.threads,
        "command": command,
        "method": {key: getattr(options, key) for key in ("rounds", "turn", "warm_up")},
        "missing": {},
        "rows": [],
    }
    processes: dict[str, Process] = {}
    try:
        for name in options.only:
            processes[name] = Process(name, options.threads)
        for name in options.only:
            try:
                processes[name].ask()
            except (ImportError, RuntimeError) as error:
                report["missing"][name] = str(error)
                processes.pop(name).stop()
        with tempfile.TemporaryDirectory() as folder:
            for data in options.data:
                write_data(Path(folder), data, options.data_rows)
                for size in options.sizes:
                    report["rows"].append(measure(processes, Path(folder), data, size, options))
    finally:
        for process in processes.values():
            process.stop()
    print(text(report, options.markdown))
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")
    if options.plot:
        plot(report, options.plot)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options; --quick changes the defaults of the others."""
    parser = argparse.ArgumentParser(description="Microseconds of a training step, tinynn beside its peers.")
    parser.add_argument("--sizes", nargs="+", type=size, metavar="SIZE", help=f"rows; default {' '.join(SIZES)}")
    parser.add_argument("--data", nargs="+", choices=DATA, help="default: both")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, metavar="CONTENDER", help=", ".join(CONTENDERS))
    parser.add_argument("--threads", choices=["1", "default"], default="1", help="for each contender; default 1")
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument("--turn", type=float, metavar="SECONDS", help="of a contender in a round; default 0.3")
    parser.add_argument("--warm-up", type=float, metavar="SECONDS",
                        help=f"at most, for {WARM_UP_STEPS} steps; default 8")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="a small row in some seconds, without torch.compile")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--json", metavar="FILE", help="write everything there, each round too")
    parser.add_argument("--plot", metavar="FILE", help="draw the step times in units of the floor")
    parser.add_argument("--worker", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    everything = {"sizes": SIZES, "data": list(DATA), "only": list(CONTENDERS), "rounds": 5, "turn": 0.3, "warm_up": 8}
    quick = {"sizes": ["32x32"], "data": ["dense"], "only": [name for name in CONTENDERS if name != "torch-compile"],
             "rounds": 2, "turn": 0.05, "warm_up": 0.2}  # fmt: skip
    for key, value in (quick if options.quick else everything).items():
        if getattr(options, key) is None:
            setattr(options, key, value)
    options.data_rows = 2560 if options.quick else 25600
    return options


def size(word: str) -> str:
    """A size as on the command line, if it is one."""
    batch, hidden = word.split("x")
    if not all(int(number) > 0 for number in [batch, *hidden.split("-")]):
        raise ValueError(word)
    return word


def split(size: str) -> tuple[int, list[int]]:
    """The batch and the widths of all layers."""
    batch, hidden = size.split("x")
    return int(batch), [784, *map(int, hidden.split("-")), 10]


# --- measuring -------------------------------------------------------------------------------------------------------


def write_data(folder: Path, data: str, rows: int) -> None:
    """Rows and labels, shuffled, into files."""
    rng = np.random.default_rng(0)
    if data == "mnist":
        from tinynn.datasets import load_mnist

        (x, t), _ = load_mnist()
        order = rng.permutation(len(x))[:rows]
        x, t = x[order], t[order]
    else:
        x, t = rng.standard_normal((rows, 784), dtype=np.float32), rng.integers(0, 10, rows)
    x_file, t_file, _ = names(data, [])
    np.save(folder / x_file, x)
    np.save(folder / t_file, t)


def measure(processes: dict[str, Process], folder: Path, data: str, size: str, options: Any) -> dict[str, Any]:
    """A row of the table: all contenders checked, warmed up and timed."""
    batch, widths = split(size)
    x_file, t_file, weights_file = names(data, widths)
    weights = first_weights(widths)
    np.save(folder / weights_file, weights)
    reference = Reference(True)
    reference.start(weights, widths, np.load(folder / x_file), np.load(folder / t_file), batch)
    right, done = {}, 0
    for steps in CHECKS:
        reference.run(done, steps - done)
        right[steps], done = reference.params().copy(), steps

    row: dict[str, Any] = {"data": data, "size": size, "difference": {}, "warm_up_steps": {}, "errors": {}}
    alive = dict(processes)
    for name, process in processes.items():
        progress(f"{data} {size}: {name}")
        try:
            process.ask(do="start", folder=str(folder), data=data, widths=widths, batch=batch)
            if name != "floor":
                row["difference"][name] = check(process, folder / f"{name}.npy", weights, right)
            row["warm_up_steps"][name] = process.ask(do="warm_up", steps=WARM_UP_STEPS, seconds=options.warm_up)
        except RuntimeError as error:
            row["errors"][name] = str(error)
            del alive[name]
    row["rounds"], row["cores"] = {name: [] for name in alive}, {name: [] for name in alive}
    for turn in range(options.rounds):
        for name, process in list(alive.items()):
            progress(f"{data} {size}: round {turn + 1}, {name}")
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
    row["ratios"] = {key.replace("\n", " "): ratio(row, *pair) for key, pair in RATIOS.items()}
    row["best_peer"] = best(row, PEERS)
    return row


def first_weights(widths: list[int]) -> Array:
    """A flat vector of weights as tinynn draws them."""
    from tinynn import Affine, Sequential

    return Sequential(*map(Affine, widths[:-1], widths[1:]), backend="numpy", seed=0).params


# --- reporting -------------------------------------------------------------------------------------------------------


def text(report: dict[str, Any], markdown: bool = False) -> str:
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
    for data in DATA:
        rows = [row for row in report["rows"] if row["data"] == data]
        if rows:
            blocks += [f"{DATA[data]}; microseconds a step, and ratios", table(rows, markdown)]
    notes = remarks(report)
    if notes:
        blocks.append("\n".join(f"- {note}" if markdown else note for note in notes))
    return "\n\n".join(blocks)


def table(rows: list[dict[str, Any]], markdown: bool) -> str:
    """The rows, aligned or as Markdown."""
    heads = ["batch x hidden", *COLUMNS, *RATIOS]
    body = []
    for row in rows:
        cells = [row["size"].replace("x", " x ")]
        for contenders in COLUMNS.values():
            name = best(row, contenders)
            failed = any(contender in row["errors"] for contender in contenders)
            cells.append(number(row["us"][name]) if name else "error" if failed else "-")
        for value in row["ratios"].values():
            cells.append("-" if value is None else f"{value:.2f}")
        body.append(cells)
    if markdown:
        lines = [
            "| " + " | ".join(one_line(head) for head in heads) + " |",
            "|---" + "|---:" * (len(heads) - 1) + "|",
        ]
        return "\n".join(lines + ["| " + " | ".join(cells) + " |" for cells in body])
    grid = [[head.split("\n")[0] if "\n" in head else "" for head in heads], [head.split("\n")[-1] for head in heads]]
    grid += body
    widths = [max(len(cells[i]) for cells in grid) for i in range(len(heads))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])) for cells in grid]
    lines = [f"{cells[0]:<{widths[0]}}  {line}" for cells, line in zip(grid, lines)]
    return "\n".join([*lines[:2], "-" * len(lines[0]), *lines[2:]])


def remarks(report: dict[str, Any]) -> list[str]:
    """What a reader of the table has to know besides."""
    notes = []
    if report["missing"]:
        notes.append("-: not installed, or does not start:")
        notes += [f"{name} ({' '.join(reason.split())[-90:]})" for name, reason in report["missing"].items()]
    for row in report["rows"]:
        for name, reason in row["errors"].items():
            notes.append(f"error: {row['data']} {row['size']} {name}: {' '.join(reason.split())[:160]}")
    differences = [value for row in report["rows"] for value in row["difference"].values()]
    if differences:
        worst = [f"{max(column):.1g} after {steps}" for steps, column in zip(CHECKS, zip(*differences))]
        notes.append(
            f"Parameters differ from those in double precision, in units of the way they went, by at most "
            f"{' and '.join(worst)} steps."
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


def plot(report: dict[str, Any], file: str) -> None:
    """Step times in units of the floor, a panel for each kind of rows."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    kinds = [data for data in DATA if any(row["data"] == data for row in report["rows"])]
    figure, panels = plt.subplots(len(kinds), 1, figsize=(9, 3.2 * len(kinds)), squeeze=False, layout="constrained")
    timed = {name for row in report["rows"] for name in row["us"]} - {"floor"}
    shown = {head: names for head, names in COLUMNS.items() if timed & set(names)}
    for panel, data in zip(panels[:, 0], kinds):
        rows = [row for row in report["rows"] if row["data"] == data]
        for place, (head, contenders) in enumerate(shown.items()):
            heights = [ratio(row, contenders, ["floor"]) or float("nan") for row in rows]
            x = np.arange(len(rows)) + (place - (len(shown) - 1) / 2) * 0.8 / len(shown)
            panel.bar(x, heights, 0.8 / len(shown), label=one_line(head))
        panel.axhline(1, color="black", linewidth=1)
        panel.set_xticks(range(len(rows)), [row["size"].replace("x", " x ") for row in rows])
        panel.set(yscale="log", ylim=(0.5, 15), ylabel="time / floor", title=DATA[data])
        panel.set_yticks([0.5, 1, 2, 5, 10], ["0.5", "1", "2", "5", "10"])
        panel.minorticks_off()
    panels[0, 0].legend(ncols=3, fontsize="small")
    figure.savefig(file, dpi=120)


if __name__ == "__main__":
    main()
