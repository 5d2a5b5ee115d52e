"""How long do forward and backward of one convolution take? tinynn's Conv2D beside PyTorch's.

    python benchmarks/conv_layer.py                                  # 27 rows, some minutes
    python benchmarks/conv_layer.py --channels 16 32 --sizes 28      # four rows
    python benchmarks/conv_layer.py --quick

Kernels of 3 x 3, stride 1, as much padding as keeps the size, no bias; float32; C channels to O, images of H x H. A
layer gets x and dy and gives y, dx and dW: what it does inside a network, where its x is not the data. The floor is as
many multiplications at the speed of one large BLAS product, as in conv_step.py. PyTorch is the better of its two memory
formats, x and dy laid out beforehand in that format.

Method. All run in one process, on one thread, with the same arrays. Results are compared with those of the textbook in
double precision before anything is timed. Then they take turns for some rounds: a time is the median over rounds, a
ratio the median of the ratios within each round.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

# Read when NumPy and numba are imported:
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", NUMBA_NUM_THREADS="1")

import numpy as np
from _measuring import Worker, grid, machine, number, progress, ratio, versions
from _networks import first_weights, tinynn_layers
from _peers import Contender, Speed, Tinynn, TorchEager

Array = np.ndarray[Any, Any]
CHANNELS, SIZES = [16, 32, 64], [28, 14, 7]
TORCH = ["torch-first", "torch-last"]
BATCHES = 4  # that take turns


class Floor(Speed):
    """With dx, which a layer that is the first of a network does not need."""

    def build(self, params: Array) -> None:
        super().build(params)
        self.scale *= 3 / 2


class Layer(Tinynn):
    """tinynn's layer. Its labels are dy."""

    learns = False

    def build(self, params: Array) -> None:
        (self.layer,) = tinynn_layers(self.layers)
        self.layer.build(dtype=self.dtype, ops=self.tinynn.backends.load(self.backend))
        self.layer.W = params.reshape(self.layer.W.shape).astype(self.dtype)

    def step(self, x: Array, t: Array) -> None:
        self.y = self.layer.forward(x)
        self.dx = self.layer.backward(t)

    def results(self) -> list[Array]:
        """y, dx and dW of the last step."""
        return [self.y, self.dx, self.layer.dW]


class Textbook(Layer):
    """The textbook's op in double precision, which all are compared with."""

    backend, dtype = "numpy", "float64"

    def convert(self, rows: Array) -> Array:
        return rows.astype(self.dtype)


class TorchLayer(TorchEager):
    """PyTorch's layer."""

    learns = False

    def build(self, params: Array) -> None:
        self.model = self.module(params)
        self.W = next(self.model.parameters())
        for x in self.x:
            x.requires_grad_()

    def step(self, x: Any, t: Any) -> None:
        self.y = self.model(x)
        self.dx, self.dW = self.torch.autograd.grad(self.y, [x, self.W], t)

    def results(self) -> list[Array]:
        """y, dx and dW of the last step, as tinynn has them."""
        y, dx = (a.detach().numpy().transpose(0, 2, 3, 1) for a in (self.y, self.dx))
        return [y, dx, self.dW.numpy().transpose(2, 3, 1, 0)]


class TorchLayerLast(TorchLayer):
    """The same, channels last."""

    last = True


CONTENDERS: dict[str, type[Contender]] = {
    "floor": Floor,
    "tinynn": Layer,
    "torch-first": TorchLayer,
    "torch-last": TorchLayerLast,
}


def main() -> None:
    """The command line."""
    options = parse(sys.argv[1:])
    contenders, missing = {}, {}
    for name, kind in CONTENDERS.items():
        try:
            contenders[name] = kind(True)
        except ImportError as error:
            missing[name] = str(error)
    rows = [
        measure(contenders, H, n_in, n_out, options)
        for H, n_in, n_out in itertools.product(options.sizes, options.channels, options.channels)
    ]
    report = {
        "machine": machine(),
        "versions": versions(),
        "command": shlex.join(["python", os.path.relpath(__file__), *sys.argv[1:]]),
        "batch": options.batch,
        "missing": missing,
        "rows": rows,
    }
    print(text(report, options.markdown))
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options; --quick changes the defaults of the others."""
    parser = argparse.ArgumentParser(description="Microseconds of one convolution, forward and backward.")
    parser.add_argument("--channels", nargs="+", type=int, metavar="C", help=f"of x and of y; default {CHANNELS}")
    parser.add_argument("--sizes", nargs="+", type=int, metavar="H", help=f"of images, H x H; default {SIZES}")
    parser.add_argument("--batch", type=int, metavar="N", help="images; default 128")
    parser.add_argument("--rounds", type=int, help="default 7")
    parser.add_argument("--turn", type=float, metavar="SECONDS", help="of a contender in a round; default 0.1")
    parser.add_argument("--quick", action="store_true", help="one small row")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--json", metavar="FILE", help="write everything there, each round too")
    options = parser.parse_args(arguments)
    everything = {"channels": CHANNELS, "sizes": SIZES, "batch": 128, "rounds": 7, "turn": 0.1}
    quick = {"channels": [16], "sizes": [7], "batch": 8, "rounds": 2, "turn": 0.01}
    for key, value in (quick if options.quick else everything).items():
        if getattr(options, key) is None:
            setattr(options, key, value)
    return options


def measure(contenders: dict[str, Contender], H: int, n_in: int, n_out: int, options: Any) -> dict[str, Any]:
    """A row of the table: all contenders compared with the textbook, then timed in turn."""
    rng = np.random.default_rng(0)
    N = options.batch
    x, dy = (rng.standard_normal((BATCHES * N, H, H, n), dtype=np.float32) for n in (n_in, n_out))
    layers = [["Conv2D", n_in, n_out, 3, 1, 1, False]]
    params = first_weights(layers, x.shape[1:])
    what = f"{H} x {H}, {n_in} -> {n_out}"
    right = Textbook(True)
    right.start(params, layers, x, dy, N)
    right.run(0, 1)
    row: dict[str, Any] = {"H": H, "C": n_in, "O": n_out, "rounds": {name: [] for name in contenders}}
    workers = {name: Worker(contender) for name, contender in contenders.items()}
    for name, contender in contenders.items():
        contender.start(params, layers, x, dy, N)
        contender.run(0, 1)
        if name != "floor":
            for a, b in zip(contender.results(), right.results()):  # type: ignore[attr-defined]
                if a.shape != b.shape or not np.abs(a - b).max() < 1e-4 * np.abs(b).max():
                    raise RuntimeError(f"{name}: {what} differs from the textbook")
        workers[name].warm_up(10, options.turn)
    for turn in range(options.rounds):
        for name, worker in workers.items():
            progress(f"{what}: round {turn + 1}, {name}")
            row["rounds"][name].append(worker.turn(options.turn, options.turn / 5)["us"])
    progress("")
    row["us"] = {name: float(np.median(times)) for name, times in row["rounds"].items()}
    row["ratios"] = {"tinynn / floor": ratio(row, ["tinynn"], ["floor"])}
    row["ratios"]["PyTorch / tinynn"] = ratio(row, TORCH, ["tinynn"])
    return row


def text(report: dict[str, Any], markdown: bool) -> str:
    """The table, and the means of its ratios."""
    names = {"floor": "floor", "tinynn": "tinynn", "torch-first": "PyTorch\nfirst", "torch-last": "PyTorch\nlast"}
    heads = ["H, C -> O", *names.values(), "tinynn\n/ floor", "PyTorch\n/ tinynn"]
    body = []
    for row in report["rows"]:
        times = [number(row["us"][name]) if name in row["us"] else "-" for name in names]
        ratios = ["-" if value is None else f"{value:.2f}" for value in row["ratios"].values()]
        body.append([f"{row['H']}, {row['C']} -> {row['O']}", *times, *ratios])
    known = ", ".join(f"{name} {report['versions'][name]}" for name in ("python", "numpy", "numba", "torch"))
    lines = [f"{report['machine']}, 1 thread; {known}", report["command"]]
    lines = [f"- {line}" if markdown else line for line in lines]
    blocks = ["\n".join(lines), f"3 x 3, batch {report['batch']}; microseconds for forward and backward, and ratios"]
    blocks.append(grid(heads, body, markdown))
    ratios = [row["ratios"]["PyTorch / tinynn"] for row in report["rows"]]
    if None not in ratios:
        below = sum(value < 1 for value in ratios)
        mean, least = np.mean(ratios), min(ratios)
        blocks.append(f"PyTorch / tinynn: {mean:.2f} in the mean, {least:.2f} at least; below 1 in {below} rows.")
    return "\n\n".join(blocks)


if __name__ == "__main__":
    main()
