"""Parameters and test accuracy of three networks on MNIST, over several seeds, as a Markdown table.

    python benchmarks/accuracy.py                                     # all at their defaults
    python benchmarks/accuracy.py --networks lenet --rows 6000 --epochs 1
    python benchmarks/accuracy.py --networks mlp --seeds 5

mlp is examples/mnist_mlp.py, resnet is examples/mnist_resnet.py, and lenet is the network below with the training of
the latter. Each run is a process of its own.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parent.parent / "examples"
NETWORKS = {  # name: its row's heading, what Python runs
    "mlp": ("MLP, 784-256-10", [str(EXAMPLES / "mnist_mlp.py")]),
    "lenet": ("LeNet-like, two convolutions and three affine layers", [__file__, "--train-lenet"]),
    "resnet": ("ResNet, three blocks of two convolutions", [str(EXAMPLES / "mnist_resnet.py")]),
}


def lenet(shape: tuple[int, int, int], classes: int, backend: str | None, seed: int) -> Any:
    """After LeCun et al. 1998, with ReLU and max-pooling."""
    from tinynn import Affine, Conv2D, Flatten, MaxPool2D, ReLU, Sequential

    return Sequential(
        Conv2D(1, 6, 5, padding=2), ReLU(), MaxPool2D(2),
        Conv2D(6, 16, 5), ReLU(), MaxPool2D(2),
        Flatten(), Affine(400, 120), ReLU(), Affine(120, 84), ReLU(), Affine(84, classes),
        shape=shape, backend=backend, seed=seed,
    )  # fmt: skip


def train_lenet(arguments: list[str]) -> int:
    """The training of examples/mnist_resnet.py, all of it but the network."""
    sys.path.insert(0, str(EXAMPLES))
    import mnist_resnet

    mnist_resnet.resnet = lenet
    return mnist_resnet.main(arguments)


def main() -> int:
    if sys.argv[1:2] == ["--train-lenet"]:
        return train_lenet(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS), help="default: all")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds, counted from 0 (default 3)")
    parser.add_argument("--epochs", type=int, help="of each run (default: the example's)")
    parser.add_argument("--rows", type=int, help="train lenet and resnet with the first N images only")
    parser.add_argument("--backend", default="numba", help="numpy, numba or cupy (default numba)")
    options = parser.parse_args()
    seeds = range(options.seeds)
    print("| network | parameters | epochs |", " | ".join(f"seed {seed}" for seed in seeds), "| mean |")
    print("|---" + "|---:" * (len(seeds) + 3) + "|")
    for name in options.networks:
        heading, command = NETWORKS[name]
        command = [*command, "--no-plot", "--backend", options.backend]
        command += ["--epochs", str(options.epochs)] if options.epochs else []
        command += ["--rows", str(options.rows)] if options.rows and name != "mlp" else []
        accuracies = []
        for seed in seeds:
            run = [sys.executable, *command, "--seed", str(seed)]
            output = subprocess.run(run, stdout=subprocess.PIPE, text=True, check=True).stdout
            accuracies.append(float(re.findall(r"test accuracy ([\d.]+) %", output)[-1]))
        (parameters,) = re.findall(r"total +(?:\S.*? )?([\d,]+)\n", output)
        (epochs,) = re.findall(r"epochs: (\d+)", output)
        each = " | ".join(f"{accuracy:.2f} %" for accuracy in accuracies)
        print(f"| {heading} | {parameters} | {epochs} | {each} | **{statistics.mean(accuracies):.2f} %** |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
