"""How does the cost of a training step grow with the batch, the width and the depth, with pixels and channels?

    python benchmarks/scaling.py                          # five tables, some minutes
    python benchmarks/scaling.py --plot scaling.png       # and a picture of them
    python benchmarks/scaling.py --quick

A step is its matrix products and what surrounds them: bias, ReLU, loss, Adam, Python. The products alone are the floor
(np.dot into arrays that are there already, see _peers.py; for a network with convolutions, as many multiplications at
the speed of one large product). A step may cost more than its floor, but must not grow
faster: then something in it would be of a higher order than the products. So each table has the ratio step / floor,
with a mark where it grows, and under it the growth: the exponent e of a line cost = a x^e through the upper half of the
points, drawn where both axes are logarithmic. (At the lower end both are mostly the cost of calls.)

Time. tinynn on its numba backend, one BLAS thread, dense rows (normal random numbers), float32, Adam. Step and floor
take turns in one process, for some rounds; a time is the median over rounds, the ratio the median of the ratios within
each round. The learning rate is 0: all is computed as ever, but every figure is for the first weights, not for wherever
the training has got to (a network that has learned its rows by heart has units that are always off, and skips them).

Memory. What the process holds more than before: with a model and its Adam (parameters, gradients, m and v: four arrays,
16 bytes a parameter), and on top of that at the highest point of a step (activations: what backward reads, which is the
outputs of all ReLUs for all rows of the batch and what goes into batch normalization, where there is one; and while a
layer is gone through backward, the gradients of its own). As tracemalloc sees it, in a fresh process for each point:
NumPy's arrays and Python's objects, not what BLAS holds for itself. The rows of the batch are the caller's, and not
counted.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import math
import multiprocessing
import os
import tracemalloc
from pathlib import Path
from typing import Any

# Read when NumPy and numba are imported:
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", NUMBA_NUM_THREADS="1")

import numpy as np
from _measuring import Worker, machine, progress, versions
from _networks import Layers, Shape, block, dense, first_weights, places
from _peers import CLASSES, Floor, Speed, Tinynn

Array = np.ndarray[Any, Any]

N_IN, HIDDEN, BATCH = 784, 256, 128

SWEEPS = {  # what is varied: a title, the values
    "batch": (f"batch size, {N_IN}-{HIDDEN}-{CLASSES}", [2**k for k in range(13)]),
    "width": (f"width of the hidden layer, {N_IN}-width-{CLASSES}, batch {BATCH}", [2**k for k in range(4, 13)]),
    "depth": (f"hidden layers of {HIDDEN}, batch {BATCH}", [1, 2, 3, 4, 6, 8, 12, 16]),
    "side": ("side of images, a residual block of 16 channels, batch 32", [4, 8, 16, 32, 64]),
    "channels": ("channels of a residual block, 14 x 14 pixels, batch 32", [8, 16, 32, 64, 128]),
}
QUICK = {"batch": [1, 64], "width": [16, 64], "depth": [1, 2], "side": [4], "channels": [8]}
ROWS = 4096  # for all points, so that small batches do not find theirs in the cache
NOTEWORTHY = 0.03  # a ratio that grows by less from one point to the next is not marked


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="The cost of a step against batch, width and depth.")
    parser.add_argument("--quick", action="store_true", help="two points of each, few rounds")
    parser.add_argument("--rounds", type=int, help="default 9")
    parser.add_argument("--turn", type=float, metavar="SECONDS", help="of step or floor in a round; default 0.1")
    parser.add_argument("--json", metavar="FILE", help="write everything there, each round too")
    parser.add_argument("--plot", metavar="FILE", help="draw time and memory")
    options = parser.parse_args()
    rounds = options.rounds or (3 if options.quick else 9)
    turn = options.turn or (0.02 if options.quick else 0.1)
    report: dict[str, Any] = {"machine": machine(), "versions": versions(), "rounds": rounds, "turn": turn}
    report["sweeps"] = {name: sweep(name, options.quick, rounds, turn) for name in SWEEPS}
    print(f"{report['machine']}; 1 thread; {rounds} rounds of {turn} s each; microseconds a step\n")
    print("\n\n".join(table(name, points) for name, points in report["sweeps"].items()))
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")
    if options.plot:
        plot(report["sweeps"], options.plot)


def sweep(name: str, quick: bool, rounds: int, turn: float) -> list[dict[str, Any]]:
    """A point for each value: its times, its memory."""
    points = []
    for value in QUICK[name] if quick else SWEEPS[name][1]:
        progress(f"{name} {value}")
        batch, layers, shape = network(name, value)
        with multiprocessing.get_context("spawn").Pool(1) as fresh:
            memory = fresh.apply(measure_memory, (batch, layers, shape))
        points.append({"value": value, **measure_time(batch, layers, shape, rounds, turn), **memory})
    progress("")
    for before, point in itertools.pairwise(points):
        point["grows"] = grows(before["ratios"], point["ratios"])
    return points


def network(name: str, value: int) -> tuple[int, Layers, Shape]:
    """The batch, the network, and the shape of an example."""
    if name in ("side", "channels"):
        H, C = (value, 16) if name == "side" else (14, value)
        first = [["Conv2D", 3, C, 3, 1, 1, False], ["BatchNorm", C], ["ReLU"]]
        return 32, [*first, block(C, C, 1), ["ReLU"], ["GlobalAvgPool"], ["Affine", C, CLASSES]], (H, H, 3)
    hidden = {"batch": [HIDDEN], "width": [value], "depth": [HIDDEN] * value}[name]
    return value if name == "batch" else BATCH, dense([N_IN, *hidden, CLASSES]), (N_IN,)


def data(count: int, shape: Shape) -> tuple[Array, Array]:
    """Random examples and labels."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, *shape), dtype=np.float32), rng.integers(0, CLASSES, count)


# --- measuring -------------------------------------------------------------------------------------------------------


def measure_time(batch: int, layers: Layers, shape: Shape, rounds: int, turn: float) -> dict[str, Any]:
    """Microseconds of a step and of its floor, and their ratio, over rounds in which they take turns."""
    images = len(shape) > 1
    x, t = data(max(4 * batch, ROWS // 16) if images else ROWS, shape)
    step, floor = Tinynn(True), Speed(True) if images else Floor(True)
    workers = [Worker(step), Worker(floor)]
    for worker in workers:
        worker.contender.start(first_weights(layers, shape), layers, x, t, batch)
    step.optimizer.lr = 0.0
    for worker in workers:
        worker.warm_up(steps=100, seconds=turn)
    times = np.array([[worker.turn(turn, turn / 5)["us"] for worker in workers] for _ in range(rounds)])
    ratios = times[:, 0] / times[:, 1]
    us, floor_us = np.median(times, axis=0)
    return {"us": us, "floor_us": floor_us, "ratio": np.median(ratios), "ratios": ratios.tolist()}


def measure_memory(batch: int, layers: Layers, shape: Shape) -> dict[str, int]:
    """Bytes of a model with its Adam, and on top of that at the highest point of a step. For a fresh process."""
    x, t = data(batch, shape)
    params = first_weights(layers, shape)
    contender = Tinynn(True)
    contender.start(params, layers, x, t, batch)  # once before: what is made at first use is not the model's
    contender.run(0, 1)
    del contender.model, contender.loss, contender.optimizer
    gc.collect()
    tracemalloc.start()
    contender.build(params)
    kept, _ = tracemalloc.get_traced_memory()
    contender.run(0, 2)
    tracemalloc.reset_peak()
    contender.run(0, 1)
    _, peak = tracemalloc.get_traced_memory()
    return {
        "parameters": params.size,
        "model_bytes": kept,
        "activations": batch * sum(math.prod(place.y) for place in places(layers, shape) if place.multiplications),
        "step_bytes": peak - kept,
    }


# --- reporting -------------------------------------------------------------------------------------------------------


def grows(before: list[float], after: list[float]) -> bool:
    """Whether the ratio is larger at the second point: in the median noticeably, and beyond the rounds' scatter."""
    return bool(
        np.median(after) > (1 + NOTEWORTHY) * np.median(before) and np.quantile(after, 0.25) > np.quantile(before, 0.75)
    )


def exponent(points: list[dict[str, Any]], key: str) -> float:
    """The slope of log(cost) over log(value), by least squares through the upper half of the points."""
    upper = points[len(points) // 2 :] if len(points) > 3 else points[-2:]
    return float(np.polyfit(np.log([p["value"] for p in upper]), np.log([p[key] for p in upper]), 1)[0])


def table(name: str, points: list[dict[str, Any]]) -> str:
    """The points of a sweep, and how their cost grows."""
    heads = ["", "step", "floor", "step / floor", "parameters", "bytes each", "activations", "bytes each"]
    rows = [
        [
            f"{p['value']}", number(p["us"]), number(p["floor_us"]),
            f"{'grows  ' if p.get('grows') else ''}{p['ratio']:.2f}",
            f"{p['parameters']:,}", f"{p['model_bytes'] / p['parameters']:.1f}",
            f"{p['activations']:,}", f"{p['step_bytes'] / p['activations']:.1f}",
        ]
        for p in points
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(heads, *rows)]
    lines = ["   ".join(cell.rjust(width) for cell, width in zip(cells, widths)) for cells in [heads, *rows]]
    step, floor = exponent(points, "us"), exponent(points, "floor_us")
    verdict = "FASTER than its products" if step - floor > NOTEWORTHY else "no faster than its products"
    growth = f"upper half: step ~ {name}^{step:.2f}, floor ~ {name}^{floor:.2f}: grows {verdict}"
    return "\n".join([SWEEPS[name][0], lines[0], "-" * len(lines[0]), *lines[1:], growth])


def number(us: float) -> str:
    """Microseconds with three digits or more."""
    return f"{us:.1f}" if us < 100 else f"{us:,.0f}"


def plot(sweeps: dict[str, list[dict[str, Any]]], file: str) -> None:
    """Time against batch, width and depth; memory against what it is for."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import FuncFormatter, NullLocator

    from tinynn.plots import BLUE, GREEN, VERMILLION

    figure, panels = plt.subplots(2, 3, figsize=(16, 8), layout="constrained")
    labels = {"batch": "rows in a batch", "width": "units in the hidden layer", "depth": "hidden layers",
              "side": "pixels on a side", "channels": "channels"}  # fmt: skip
    for panel, (name, points) in zip(panels.flat, sweeps.items()):
        x = [p["value"] for p in points]
        panel.loglog(x, [p["us"] / 1e3 for p in points], "o-", color=BLUE, label="step")
        panel.loglog(x, [p["floor_us"] / 1e3 for p in points], "s--", color=VERMILLION, label="its matrix products")
        panel.set(xlabel=labels[name], ylabel="time of a step (ms)", title=SWEEPS[name][0])
        panel.set_xticks([v for v in x if len(x) < 9 or v in x[::2]])
        panel.xaxis.set_minor_locator(NullLocator())
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    panels[0, 0].legend()

    panel = panels[1, 2]
    every = sorted(sweeps["width"] + sweeps["depth"], key=lambda p: p["parameters"])
    sizes = np.array([p["parameters"] for p in every])
    rows = [p["activations"] for p in sweeps["batch"]]
    panel.loglog(sizes, [p["model_bytes"] / 1e6 for p in every], "o", color=BLUE, label="model and Adam (parameters)")
    panel.loglog(rows, [p["step_bytes"] / 1e6 for p in sweeps["batch"]], "^", color=GREEN, markerfacecolor="none",
                 markersize=9, label="a step, on top of that (activations)")  # fmt: skip
    ends = np.array([min(rows), max(sizes)])
    panel.loglog(ends, 16 * ends / 1e6, "--", color="black", linewidth=1, label="16 bytes each")
    panel.set(xlabel="how many parameters, or activations", ylabel="memory (MB)", title="memory")
    panel.legend()
    for panel in panels.flat:
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        if panel.get_ylim()[1] < 20 * panel.get_ylim()[0]:  # powers of ten alone would be one label
            panel.yaxis.set_minor_formatter(
                FuncFormatter(lambda value, _: f"{value:g}" if f"{value:g}"[0] in "25" else "")
            )
        panel.grid(alpha=0.3)
    figure.savefig(file, dpi=120)


if __name__ == "__main__":
    main()
