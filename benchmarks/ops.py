"""Op by op: what does a kernel gain over the textbook's NumPy?

    python benchmarks/ops.py                          # all ops, some minutes
    python benchmarks/ops.py --only relu adam_step    # some
    python benchmarks/ops.py --quick                  # some seconds

The shapes are those of a training step of 784-256-10 in batches of 32 and 256: activations are (N, 256), losses
(N, 10), updates 203,530 parameters; besides, first layers of 1024 and of 32 units. N x D x H is an affine map from D
to H; its backward is without dx where the layer is the first. The ops of images get what a small residual network has:
32 images of 28 x 28 with 16 channels, 14 x 14 with 32, 7 x 7 with 64, and the MNIST images of its first convolution.
Batch normalization has a row for each pixel. float32. "MNIST" are real rows in turn, four fifths of
them zeros, which numba skips; all else is random numbers around 0.

Method. Both (on a GPU, all three) get the same arrays and are compared before they are timed. In each round everyone
has a turn: one call to warm up, then as many as take some milliseconds, on one BLAS thread. A time is the median over
rounds, a ratio the median of the ratios within each round: where the machine is shared, times drift, and ratios stay.
The clock is read when the GPU has finished. "np.dot" is the matrix products of the op alone, the textbook's floor.

"same": numba's op is the textbook's own. A kernel that wins nowhere is named at the end, because it is not worth
keeping.
"""

from __future__ import annotations

import os

# Read when NumPy and numba are imported:
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", NUMBA_NUM_THREADS="1")

import argparse
import itertools
import json
import shlex
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from _measuring import machine, number, progress, versions

from tinynn import backends

Array = np.ndarray[Any, Any]

IN, HIDDEN, CLASSES = 784, 256, 10
PARAMS = IN * HIDDEN + HIDDEN + HIDDEN * CLASSES + CLASSES
BATCHES = [32, 256]
AFFINE = ["affine", "affine_backward"]
BY_Y = ["relu", "sigmoid", "tanh"]  # the backward takes y
BY_X = {"leaky_relu": [0.01], "elu": [1.0], "gelu": [], "gelu_tanh": [], "silu": [], "softplus": []}  # x and constants
ACTIVATIONS = [f"{op}{way}" for op in [*BY_Y, *BY_X] for way in ("", "_backward")]
IMAGES = ["conv2d", "conv2d_backward", "max_pool2d", "max_pool2d_backward", "avg_pool2d", "avg_pool2d_backward",
          "global_avg_pool", "global_avg_pool_backward", "batch_statistics", "batch_norm",
          "batch_norm_backward"]  # fmt: skip
OPS = [*AFFINE, *IMAGES, *ACTIVATIONS, "mse", "mae", "huber", "softmax", "softmax_cross_entropy",
       "binary_cross_entropy", "gaussian_nll", "sgd_step", "rmsprop_step", "adam_step"]  # fmt: skip
WINS = 1.05  # textbook / numba from which on a kernel wins

rng = np.random.default_rng(0)


class Case(NamedTuple):
    """An op with arguments for it: several lists of them, which take turns."""

    op: str
    shape: str
    arguments: list[list[Any]]
    writes: tuple[int, ...] = ()  # which of the arguments are written to


# --- the cases -------------------------------------------------------------------------------------------------------


def normal(*shape: int) -> Array:
    """Random numbers around 0."""
    return rng.standard_normal(shape, dtype=np.float32)


def cases(ops: list[str], quick: bool) -> list[Case]:
    """All cases of these ops, in the order of OPS."""
    textbook = backends.load("numpy")
    batches = BATCHES[:1] if quick else BATCHES
    found = []
    if set(AFFINE) & set(ops):
        for N in batches:
            for D, H in [(IN, HIDDEN), (HIDDEN, CLASSES), *([] if quick else [(IN, 1024), (IN, 32)])]:
                found += affine_cases([normal(N, D)], H, f"{N} x {D} x {H}")
        for N in batches:
            for H in [HIDDEN] if quick else [HIDDEN, 1024, 32]:
                found += affine_cases(mnist_rows(N), H, f"{N} x {IN} x {H} MNIST")
    for N in batches:
        x, dy, shape = normal(N, HIDDEN), normal(N, HIDDEN), f"{N} x {HIDDEN}"
        for op in BY_Y:
            found.append(Case(op, shape, [[x]]))
            found.append(Case(op + "_backward", shape, [[dy, getattr(textbook, op)(x)]]))
        for op, constants in BY_X.items():
            found.append(Case(op, shape, [[x, *constants]]))
            found.append(Case(op + "_backward", shape, [[dy, x, *constants]]))
        y, t, labels = normal(N, CLASSES), normal(N, CLASSES), rng.integers(0, CLASSES, N)
        shape = f"{N} x {CLASSES}"
        found.append(Case("mse", shape, [[y, t]]))
        found.append(Case("mae", shape, [[y, t]]))
        found.append(Case("huber", shape, [[y, t, 1.0]]))
        found.append(Case("binary_cross_entropy", shape, [[y, (t > 0).astype(np.float32)]]))
        found.append(Case("softmax", shape, [[y]]))
        found.append(Case("softmax_cross_entropy", f"{shape} labels", [[y, labels]]))
        found.append(Case("softmax_cross_entropy", f"{shape} rows", [[y, textbook.softmax(t)]]))
        found.append(Case("gaussian_nll", shape, [[y, t[:, : CLASSES // 2].copy()]]))
    params, grads, m, v = normal(PARAMS), normal(PARAMS), np.zeros(PARAMS, np.float32), np.zeros(PARAMS, np.float32)
    shape = f"{PARAMS:,}"
    found.append(Case("sgd_step", shape, [[params, grads, m, 0.01, 0.9, False, 0.0]], writes=(0, 2)))
    found.append(Case("adam_step", shape, [[params, grads, m, v, 1, 1e-3, 0.9, 0.999, 1e-8, 0.0]], (0, 2, 3)))
    found.append(Case("rmsprop_step", shape, [[params, grads, v, 1e-3, 0.99, 1e-8, 0.0]], writes=(0, 2)))
    if set(IMAGES) & set(ops):
        for H, C in [(7, 64)] if quick else [(28, 16), (14, 32), (7, 64)]:
            found += image_cases(32, H, C, textbook)
        found += convolution_cases(mnist_images(32), 16, "32 x 28 x 28 x 1 -> 16 MNIST")
    return sorted((case for case in found if case.op in ops), key=lambda case: OPS.index(case.op))


def affine_cases(batches: list[Array], H: int, shape: str) -> list[Case]:
    """Forward and backward for these batches; without dx in a first layer."""
    (N, D), W, b = batches[0].shape, normal(batches[0].shape[1], H), normal(H)
    dy, dW, db = normal(N, H), np.empty((D, H), np.float32), np.empty(H, np.float32)
    return [
        Case("affine", shape, [[x, W, b] for x in batches]),
        Case("affine_backward", shape, [[dy, x, W, dW, db, D != IN] for x in batches], writes=(3, 4)),
    ]


def image_cases(N: int, H: int, C: int, textbook: ModuleType) -> list[Case]:
    """N images of H x H pixels and C channels: convolution to as many, pooling, normalization."""
    x, dy, shape = normal(N, H, H, C), normal(N, H, H, C), f"{N} x {H} x {H} x {C}"
    found = convolution_cases([x], C, f"{shape} -> {C}")
    window = [(2, 2), (2, 2), ((0, 0), (0, 0))]
    y, place = textbook.max_pool2d(x, *window)
    found.append(Case("max_pool2d", shape, [[x, *window]]))
    found.append(Case("max_pool2d_backward", shape, [[normal(*y.shape), place, x.shape, *window]]))
    found.append(Case("avg_pool2d", shape, [[x, *window]]))
    found.append(Case("avg_pool2d_backward", shape, [[normal(*y.shape), x.shape, *window]]))
    found.append(Case("global_avg_pool", shape, [[x]]))
    found.append(Case("global_avg_pool_backward", shape, [[normal(N, C), x.shape]]))
    rows, drows = x.reshape(-1, C), dy.reshape(-1, C)
    g, b, (mean, var) = normal(C), normal(C), textbook.batch_statistics(rows)
    found.append(Case("batch_statistics", shape, [[rows]]))
    found.append(Case("batch_norm", shape, [[rows, g, b, mean, var, 1e-5]]))
    arguments = [drows, rows, g, mean, var, np.empty_like(g), np.empty_like(b), 1e-5]
    return [*found, Case("batch_norm_backward", shape, [arguments], writes=(5, 6))]


def convolution_cases(batches: list[Array], n_out: int, shape: str) -> list[Case]:
    """Forward and backward, 3 x 3, without bias; without dx where there is one channel, as in a first layer."""
    N, H, V, C = batches[0].shape
    W, dW, dy = normal(3, 3, C, n_out), np.empty((3, 3, C, n_out), np.float32), normal(N, H, V, n_out)
    window = [(1, 1), ((1, 1), (1, 1))]
    return [
        Case("conv2d", shape, [[x, W, None, *window] for x in batches]),
        Case("conv2d_backward", shape, [[dy, x, W, dW, None, *window, C > 1] for x in batches], writes=(3,)),
    ]


def mnist_images(N: int) -> list[Array]:
    """Some batches of N."""
    return [rows.reshape(N, 28, 28, 1) for rows in mnist_rows(N)[:8]]


def mnist_rows(N: int) -> list[Array]:
    """Batches of N, enough that no processor learns by heart where their zeros are."""
    from tinynn.datasets import load_mnist

    (x, _), _ = load_mnist()
    return np.split(x[: 2560 // N * N].astype(np.float32), 2560 // N)


# --- measuring -------------------------------------------------------------------------------------------------------


class Contender:
    """An op of one backend with its arguments, as that backend likes them."""

    def __init__(self, function: Callable[..., Any], case: Case, ops: ModuleType) -> None:
        self.function, self.case, self.ops = function, case, ops
        own: dict[int, Any] = {}  # an array that several lists of arguments have in common stays one
        for arguments in case.arguments:
            for place, a in enumerate(arguments):
                if isinstance(a, np.ndarray) and id(a) not in own:
                    own[id(a)] = ops.asarray(a.copy() if place in case.writes else a)
        self.arguments = [[own.get(id(a), a) for a in arguments] for arguments in case.arguments]

    def results(self) -> list[Array]:
        """All that one call returns and writes, in double precision."""
        arguments = self.arguments[0]
        returned = self.function(*arguments)
        returned = returned if isinstance(returned, tuple) else (returned,)
        written = [arguments[place] for place in self.case.writes]
        return [
            np.asarray(a if isinstance(a, float) else self.ops.to_numpy(a), np.float64)
            for a in [*returned, *written]
            if a is not None
        ]

    def seconds(self, calls: int) -> float:
        """How long so many calls take, the GPU's part included."""
        function, turns = self.function, list(itertools.islice(itertools.cycle(self.arguments), calls))
        function(*turns[-1])
        self.wait()
        start = time.perf_counter()
        for arguments in turns:
            function(*arguments)
        self.wait()
        return time.perf_counter() - start

    def wait(self) -> None:
        """Until the GPU has done what it was asked to; a CPU has."""
        if backends.name_of(self.ops) == "cupy":
            self.ops.xp.cuda.Device().synchronize()


def measure(case: Case, modules: dict[str, ModuleType], options: Any) -> dict[str, Any]:
    """A row of the table: all contenders compared, then timed in turn."""
    row: dict[str, Any] = {"op": case.op, "shape": case.shape, "us": {}, "ratio": {}, "rounds": {}}
    functions = {name: getattr(ops, case.op) for name, ops in modules.items()}
    row["same"] = functions["numba"] is functions["numpy"]
    contenders = {
        name: Contender(function, case, modules[name])
        for name, function in functions.items()
        if not (name == "numba" and row["same"])
    }
    right = contenders["numpy"].results()
    for name, contender in contenders.items():
        for a, b in zip(contender.results() if name != "numpy" else right, right, strict=True):
            if a.shape != b.shape or not np.allclose(a, b, rtol=1e-4, atol=1e-5 * np.abs(b).max()):
                raise RuntimeError(f"{name}: {case.op} {case.shape} differs from the textbook")
    if case.op in AFFINE:
        contenders["np.dot"] = Contender(products(case), case, modules["numpy"])
    calls = {name: max(1, int(options.turn / contender.seconds(5) * 5)) for name, contender in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(options.rounds):
        for name, contender in contenders.items():
            progress(f"{case.op} {case.shape}: round {turn + 1}, {name}")
            times[name].append(1e6 * contender.seconds(calls[name]) / calls[name])
    progress("")
    row["rounds"] = times
    row["us"] = {name: float(np.median(column)) for name, column in times.items()}
    for name in set(times) & {"numba", "cupy"}:
        row["ratio"][name] = float(np.median(np.divide(times["numpy"], times[name])))
    return row


def products(case: Case) -> Callable[..., Any]:
    """The matrix products of an affine op, into arrays that are there already."""
    arguments = case.arguments[0]
    if case.op == "affine":
        y = np.empty((len(arguments[0]), len(arguments[2])), np.float32)
        return lambda x, W, b: np.dot(x, W, out=y)
    dx = np.empty_like(arguments[1])

    def backward(dy: Array, x: Array, W: Array, dW: Array, db: Array, need_dx: bool) -> None:
        np.dot(x.T, dy, out=dW)
        if need_dx:
            np.dot(dy, W.T, out=dx)

    return backward


# --- reporting -------------------------------------------------------------------------------------------------------


def table(rows: list[dict[str, Any]], gpu: bool, markdown: bool = False) -> str:
    """The rows, aligned or as Markdown."""
    names = {"np.dot": "np.dot", "numpy": "textbook", "numba": "numba", **({"cupy": "CuPy"} if gpu else {})}
    ratios = ["numba", *(["cupy"] if gpu else [])]
    heads = ["op", "shape", *(f"{head} us" for head in names.values()), *(f"textbook / {names[n]}" for n in ratios)]
    body = []
    for row in rows:
        cells = [row["op"], row["shape"]]
        cells += [number(row["us"][name]) if name in row["us"] else "" for name in names]
        cells += [f"{row['ratio'][name]:.2f}" if name in row["ratio"] else "" for name in ratios]
        if row["same"]:
            cells[heads.index("numba us")] = "same"
        body.append(cells)
    if markdown:
        lines = ["| " + " | ".join(heads) + " |", "|---|---" + "|---:" * (len(heads) - 2) + "|"]
        return "\n".join(lines + ["| " + " | ".join(cells) + " |" for cells in body])
    widths = [max(len(cells[i]) for cells in [heads, *body]) for i in range(len(heads))]
    lines = []
    for cells in [heads, *body]:
        left = [f"{cell:<{width}}" for cell, width in zip(cells[:2], widths)]
        lines.append("  ".join(left + [f"{cell:>{width}}" for cell, width in zip(cells[2:], widths[2:])]))
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def remarks(rows: list[dict[str, Any]]) -> list[str]:
    """Which kernels do not win: nowhere, or not at some shapes."""
    kernels = [row for row in rows if not row["same"]]
    winners = {row["op"] for row in kernels if row["ratio"]["numba"] >= WINS}
    losers = [op for op in OPS if op in {row["op"] for row in kernels} - winners]
    lines = []
    if losers:
        lines.append(f"Wins nowhere (textbook / numba below {WINS}), and so is not worth keeping: {', '.join(losers)}.")
    elif kernels:
        lines.append(f"Every kernel wins somewhere (textbook / numba of {WINS} or more).")
    draws = [f"{row['op']} {row['shape']}" for row in kernels
             if row["op"] in winners and row["ratio"]["numba"] < WINS]  # fmt: skip
    if draws:
        lines.append(f"Wins elsewhere, but not at: {', '.join(draws)}.")
    return lines


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options; --quick changes the defaults of the others."""
    parser = argparse.ArgumentParser(description="Microseconds of each op, the textbook beside the kernels.")
    parser.add_argument("--only", nargs="+", choices=OPS, metavar="OP", default=OPS, help=", ".join(OPS))
    parser.add_argument("--rounds", type=int, help="default 15")
    parser.add_argument("--quick", action="store_true", help="batches of 32, fewer shapes, few rounds")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--json", metavar="FILE", help="write everything there, each round too")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (3 if options.quick else 15)
    options.turn = 0.0005 if options.quick else 0.003  # seconds
    return options


def main() -> None:
    """The command line."""
    options = parse(sys.argv[1:])
    modules = {name: backends.load(name) for name in ("numpy", "numba")}
    try:
        modules["cupy"] = backends.load("cupy")
        gpu = "CuPy on a GPU"
    except (ImportError, RuntimeError) as error:
        gpu = f"no GPU: {error}"
    report: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(),
        "command": shlex.join(["python", os.path.relpath(__file__), *sys.argv[1:]]),
        "gpu": gpu,
        "method": {"rounds": options.rounds, "turn": options.turn},
        "rows": [measure(case, modules, options) for case in cases(options.only, options.quick)],
    }
    known = ", ".join(f"{name} {report['versions'][name]}" for name in ("python", "numpy", "numba"))
    lines = [f"{report['machine']}, 1 thread; {known}", report["command"], gpu]
    print("\n".join(f"- {line}" if options.markdown else line for line in lines) + "\n")
    print(table(report["rows"], "cupy" in modules, options.markdown) + "\n")
    for line in remarks(report["rows"]):
        print(textwrap.fill(line, 98))
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
