"""How long does a training step take? tinynn beside the frameworks, and beside the matrix products alone.

    python benchmarks/train_step.py                                  # everything, several minutes
    python benchmarks/train_step.py --sizes 256x256 --data mnist     # one row
    python benchmarks/train_step.py --threads default                # each with as many threads as it likes
    python benchmarks/train_step.py --gpu                            # tinynn on CuPy beside PyTorch eager on a GPU

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
from _measuring import WARM_UP_STEPS, Job, Table, machine, measure, one_line, ratio, started, text, versions
from _networks import dense

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
CHECKS = {2: 5e-4, 20: 0.2}  # after so many steps: the error allowed, as a share of the parameters' way
TABLE = Table("batch x hidden", "microseconds", COLUMNS, RATIOS, PEERS)
ON_GPU = Table(
    "batch x hidden",
    "microseconds",
    {"tinynn\ncupy": ["tinynn-cupy"], "tinynn\nnumba": ["tinynn-numba"], "PyTorch\neager": ["torch-cuda"]},
    {"PyTorch\n/ tinynn": (["torch-cuda"], ["tinynn-cupy"])},
    ["torch-cuda"],
)
CONTENDERS, GPU_CONTENDERS = TABLE.contenders, ON_GPU.contenders


def main() -> None:
    """The command line."""
    options = parse(sys.argv[1:])
    shown = ON_GPU if options.gpu else TABLE
    command = shlex.join(["python", os.path.relpath(__file__), *sys.argv[1:]])
    report: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(),
        "threads": options.threads,
        "command": command,
        "method": {key: getattr(options, key) for key in ("rounds", "turn", "warm_up")},
        "rows": [],
    }
    with started(options.only, options.threads) as (processes, missing), tempfile.TemporaryDirectory() as folder:
        report["missing"] = missing
        for data in options.data:
            write_data(Path(folder), data, options.data_rows)
            for size in options.sizes:
                batch, widths = split(size)
                job = Job(data, size, dense(widths), batch, Path(folder), CHECKS)
                report["rows"].append(measure(processes, job, shown, options))
    print(text(report, shown, DATA, options.markdown))
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")
    if options.plot:
        plot(report, options.plot)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options; --quick changes the defaults of the others."""
    everybody = list(dict.fromkeys([*CONTENDERS, *GPU_CONTENDERS]))
    parser = argparse.ArgumentParser(description="Microseconds of a training step, tinynn beside its peers.")
    parser.add_argument("--sizes", nargs="+", type=size, metavar="SIZE", help=f"rows; default {' '.join(SIZES)}")
    parser.add_argument("--data", nargs="+", choices=DATA, help="default: both")
    parser.add_argument("--only", nargs="+", choices=everybody, metavar="CONTENDER", help=", ".join(everybody))
    parser.add_argument("--gpu", action="store_true", help="on a GPU; CPU threads as each likes")
    parser.add_argument("--threads", choices=["1", "default"], default="1", help="for each contender; default 1")
    parser.add_argument("--rounds", type=int, help="default 5")
    parser.add_argument("--turn", type=float, metavar="SECONDS", help="of a contender in a round; default 0.3")
    parser.add_argument("--warm-up", type=float, metavar="SECONDS",
                        help=f"at most, for {WARM_UP_STEPS} steps; default 8")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="a small row in some seconds, without torch.compile")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--json", metavar="FILE", help="write everything there, each round too")
    parser.add_argument("--plot", metavar="FILE", help="draw the step times in units of the floor")
    options = parser.parse_args(arguments)
    contenders = GPU_CONTENDERS if options.gpu else CONTENDERS
    options.threads = "default" if options.gpu else options.threads
    everything = {"sizes": SIZES, "data": list(DATA), "only": contenders, "rounds": 5, "turn": 0.3, "warm_up": 8}
    quick = {"sizes": ["32x32"], "data": ["dense"], "only": [name for name in contenders if name != "torch-compile"],
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
    np.save(folder / f"x-{data}.npy", x)
    np.save(folder / f"t-{data}.npy", t)


# --- reporting -------------------------------------------------------------------------------------------------------


def plot(report: dict[str, Any], file: str) -> None:
    """Step times in units of the floor, a panel for each kind of rows."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    kinds = [data for data in DATA if any(row["group"] == data for row in report["rows"])]
    figure, panels = plt.subplots(len(kinds), 1, figsize=(9, 3.2 * len(kinds)), squeeze=False, layout="constrained")
    timed = {name for row in report["rows"] for name in row["us"]} - {"floor"}
    shown = {head: names for head, names in COLUMNS.items() if timed & set(names)}
    for panel, data in zip(panels[:, 0], kinds):
        rows = [row for row in report["rows"] if row["group"] == data]
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
