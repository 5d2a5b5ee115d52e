"""How long does a training step of a convolutional network take? tinynn beside the frameworks, and beside BLAS.

    python benchmarks/conv_step.py                                       # everything, half an hour
    python benchmarks/conv_step.py --networks lenet --batches 32         # one row
    python benchmarks/conv_step.py --threads default                     # each with as many threads as it likes
    python benchmarks/conv_step.py --gpu                                 # tinynn on CuPy beside PyTorch eager on a GPU

Forward, softmax cross-entropy, backward and Adam at 1e-3, float32, for three networks:

    lenet          61,706 parameters, MNIST: two convolutions of 5 x 5 with ReLU and max-pooling, three affine layers
    resnet-mnist   77,754 parameters, MNIST: the network of examples/mnist_resnet.py
    resnet-cifar   272,474 parameters, random images of CIFAR's shape, 32 x 32 x 3: three stages of 16, 32 and 64
                   channels with three residual blocks each

The floor is the multiplications of a step's convolutions and products at the speed of one large BLAS product,
1024 x 1024 x 1024, measured in turn with all others. (Products of so few channels are slower in BLAS, and convolutions
that reuse what they have loaded may be faster than the floor.)

The method is that of train_step.py: processes of their own, the same weights and batches, parameters compared with
those in double precision before anything is timed (after 2 and 5 steps), a warm-up, turns, medians. PyTorch eager is
the better of Adam() and Adam(fused=True); it and torch.compile are measured with channels first and channels last. JAX
has its channels last. Batches are laid out beforehand as each likes them.

Memory: the largest resident set of a process of its own that makes the network and takes five steps, framework, kernels
and one batch included, as the operating system tells it (getrusage).
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
from _measuring import FLOORS, Job, Table, grid, machine, measure, progress, started, text, versions
from _networks import LENET, first_weights, resnet

NETWORKS = {  # name: a title, the layers
    "lenet": ("LeNet-like, 61,706 parameters, MNIST", LENET),
    "resnet-mnist": ("ResNet of examples/mnist_resnet.py, 77,754 parameters, MNIST", resnet(1, 1)),
    "resnet-cifar": ("ResNet, 3 blocks a stage, 272,474 parameters, random 32 x 32 x 3", resnet(3, 3)),
}
BATCHES = [32, 128]
FIRST, LAST = ["torch-adam", "torch-fused"], ["torch-adam-last", "torch-fused-last"]
COMPILED = ["torch-compile", "torch-compile-last"]
PEERS = [*FIRST, *LAST, *COMPILED, "jax"]
COLUMNS = {
    "the\nfloor": ["speed"],
    "tinynn\nnumba": ["tinynn-numba"],
    "tinynn\nnumpy": ["tinynn-numpy"],
    "eager\nfirst": FIRST,
    "eager\nlast": LAST,
    "compile\nfirst": ["torch-compile"],
    "compile\nlast": ["torch-compile-last"],
    "JAX\njit": ["jax"],
}
RATIOS = {
    "tinynn\n/ floor": (["tinynn-numba"], ["speed"]),
    "best peer\n/ tinynn": (PEERS, ["tinynn-numba"]),
    "eager\n/ tinynn": ([*FIRST, *LAST], ["tinynn-numba"]),
}
TABLE = Table("batch", "milliseconds", COLUMNS, RATIOS, PEERS)
# After so many steps: the error allowed, as a share of the parameters' way. Of the millions of numbers that reach ReLUs
# in a residual network, some are so close to 0 that rounding decides on their side of it, in the first step already.
SHARP, WIDE = {2: 5e-4, 5: 0.2}, {2: 0.2, 5: 0.2}
CUDA = ["torch-cuda", "torch-cuda-last"]
ON_GPU = Table(
    "batch",
    "milliseconds",
    {
        "tinynn\ncupy": ["tinynn-cupy"],
        "tinynn\nnumba": ["tinynn-numba"],
        "eager\nfirst": CUDA[:1],
        "eager\nlast": CUDA[1:],
    },
    {"eager\n/ tinynn": (CUDA, ["tinynn-cupy"])},
    CUDA,
)
CONTENDERS, GPU_CONTENDERS = TABLE.contenders, ON_GPU.contenders
MEMORY_STEPS = 5


def main() -> None:
    """The command line."""
    options = parse(sys.argv[1:])
    shown = ON_GPU if options.gpu else TABLE
    report: dict[str, Any] = {
        "machine": machine(),
        "versions": {package: version for package, version in versions().items() if package != "scikit-learn"},
        "threads": options.threads,
        "command": shlex.join(["python", os.path.relpath(__file__), *sys.argv[1:]]),
        "method": {key: getattr(options, key) for key in ("rounds", "turn", "warm_up")},
        "rows": [],
    }
    learners = [name for name in options.only if name not in FLOORS and options.memory]
    with (
        # Those that tell their memory start first: a new process begins with the peak of the one that starts it.
        started(learners, options.threads) as (fresh, _),
        started(options.only, options.threads) as (processes, missing),
        tempfile.TemporaryDirectory() as folder,
    ):
        report["missing"] = missing
        for network in options.networks:
            write_data(Path(folder), network, options.steps * max(options.batches))
            for batch in options.batches:
                report["rows"].append(measure(processes, job(network, batch, Path(folder)), shown, options))
        if options.memory:
            report["memory"] = memory(fresh, Path(tempfile.mkdtemp(dir=folder)), options)
    titles = {name: title for name, (title, _) in NETWORKS.items()}
    print(text(report, shown, titles, options.markdown))
    if options.memory:
        print("\n" + memory_text(report["memory"], options))
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options; --quick changes the defaults of the others."""
    parser = argparse.ArgumentParser(description="Milliseconds of a convolutional network's training step.")
    add = parser.add_argument
    everybody = list(dict.fromkeys([*CONTENDERS, *GPU_CONTENDERS]))
    add("--networks", nargs="+", choices=NETWORKS, metavar="NETWORK", help=f"{', '.join(NETWORKS)}; default all")
    add("--batches", nargs="+", type=batch, metavar="N", help=f"images in a step; default {BATCHES}")
    add("--only", nargs="+", choices=everybody, metavar="CONTENDER", help=", ".join(everybody))
    add("--gpu", action="store_true", help="on a GPU; CPU threads as each likes; memory is the CPU's, so not told")
    add("--threads", choices=["1", "default"], default="1", help="for each contender; default 1")
    add("--rounds", type=int, help="default 5")
    add("--turn", type=float, metavar="SECONDS", help="of a contender in a round, or three steps; default 0.5")
    add("--warm-up", type=float, metavar="SECONDS", help="at most, for 1000 steps; default 5")
    add(
        "--memory",
        choices=[*NETWORKS, "none"],
        help="whose step's memory is told; default resnet-cifar, if it is timed",
    )
    add("--quick", action="store_true", help="a small row in some seconds, without torch.compile and memory")
    add("--markdown", action="store_true", help="print the tables as Markdown")
    add("--json", metavar="FILE", help="write everything there, each round too")
    options = parser.parse_args(arguments)
    contenders = GPU_CONTENDERS if options.gpu else CONTENDERS
    options.threads = "default" if options.gpu else options.threads
    everything = {"networks": list(NETWORKS), "batches": BATCHES, "only": contenders, "rounds": 5, "turn": 0.5,
                  "warm_up": 5}  # fmt: skip
    quick = {"networks": ["lenet"], "batches": [8], "only": [name for name in contenders if name not in COMPILED],
             "rounds": 2, "turn": 0.05, "warm_up": 0.2}  # fmt: skip
    for key, value in (quick if options.quick else everything).items():
        if getattr(options, key) is None:
            setattr(options, key, value)
    if options.memory is None and "resnet-cifar" in options.networks and not options.gpu:
        options.memory = "resnet-cifar"
    options.memory = None if options.memory == "none" else options.memory
    options.steps = 20  # batches that take turns
    return options


def batch(word: str) -> int:
    """A batch as on the command line, if it is one: batch normalization needs two images."""
    if int(word) < 2:
        raise ValueError(word)
    return int(word)


def job(network: str, batch: int, folder: Path) -> Job:
    """A row of the tables."""
    return Job(network, str(batch), NETWORKS[network][1], batch, folder, SHARP if network == "lenet" else WIDE)


# --- measuring -------------------------------------------------------------------------------------------------------


def write_data(folder: Path, network: str, count: int) -> None:
    """Images and labels, into files."""
    rng = np.random.default_rng(0)
    if network == "resnet-cifar":
        x, t = rng.standard_normal((count, 32, 32, 3), dtype=np.float32), rng.integers(0, 10, count)
    else:
        from tinynn.datasets import load_mnist

        (x, t), _ = load_mnist(flatten=False)
        order = rng.permutation(len(x))[:count]
        x, t = x[order][..., None], t[order]
    np.save(folder / f"x-{network}.npy", x)
    np.save(folder / f"t-{network}.npy", t)


def memory(fresh: dict[str, Any], folder: Path, options: argparse.Namespace) -> dict[str, float]:
    """MiB at most of each contender's process; they take their turns one after the other."""
    size = max(options.batches)
    write_data(folder, options.memory, size)
    what = job(options.memory, size, folder)
    np.save(what.files[2], first_weights(what.layers, np.load(what.files[0]).shape[1:]))
    peaks = {}
    for name, process in fresh.items():
        progress(f"memory: {name}")
        try:
            process.ask(**what.request)
            peaks[name] = process.ask(do="memory", steps=MEMORY_STEPS)
        except RuntimeError as error:
            print(f"memory of {name}: {error}", file=sys.stderr)
        process.stop()  # before the next, which has the machine's memory to itself
    progress("")
    return peaks


# --- reporting -------------------------------------------------------------------------------------------------------


def memory_text(peaks: dict[str, float], options: argparse.Namespace) -> str:
    """A row of MiB, and one of shares of the leanest PyTorch."""
    torch = min((peaks[name] for name in [*FIRST, *LAST] if name in peaks), default=None)
    shown = {
        head: min(peaks[n] for n in names if n in peaks) for head, names in COLUMNS.items() if set(names) & set(peaks)
    }
    heads = [f"{options.memory}, batch {max(options.batches)}", *shown]
    body = [["peak of memory, MiB", *(f"{value:.0f}" for value in shown.values())]]
    if torch:
        body.append(["/ PyTorch's, eager", *(f"{value / torch:.2f}" for value in shown.values())])
    return grid(heads, body, options.markdown)


if __name__ == "__main__":
    main()
