"""Does a step get slower as units die? A step of epoch 50 beside one of epoch 1, with half of the ReLU units dead.

    python benchmarks/dead_units.py            # 50 epochs, some minutes
    python benchmarks/dead_units.py --quick    # 2 epochs: long enough for m, not for v

A dead unit is one that is off for every row. Its gradients are exactly 0, so Adam's means of them only shrink, m by a
factor 0.9 in each step, v by 0.999. Below the smallest normal number (1e-38 in float32) they go on as denormal numbers,
with which processors are slow: m after several hundred steps, v after some ten thousands.
tinynn sets an m below 1e-30 and a v below 1e-37 to 0.

    tinynn               as it is (numba)
    tinynn, plain Adam   the same with the update below, which is Adam without those limits
    PyTorch              Adam(fused=True)
    PyTorch, flush       the same after torch.set_flush_denormal(True): the processor takes denormal numbers for 0

Method. 784-256-10 on MNIST, batch 32: with so few rows Adam has its largest share of a step. After 200 steps half of
the hidden units are killed, by a bias of -1000, and then training goes on, 1875 steps an epoch. Nothing is aged by
hand. At each age, the old network is timed beside a young one of the same process, which is made anew for that and has
only just lost its units: where the machine is shared times drift, and the ratio old / young stays. Each contender has a
process and a thread of its own; they take turns, for some rounds, with a block of 20 steps of the old and one of the
young. Shown are the median of the old one's blocks and the median of the rounds' ratios; and which shares of m and v
are denormal in the old network (those of rare pixels are among them: not only dead units get no gradient).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")  # read when NumPy is imported

import numpy as np
from _measuring import machine, progress, versions
from _networks import dense, first_weights
from _peers import BETA1, BETA2, EPS, LR, Contender, Tinynn, TorchFused

Array = np.ndarray[Any, Any]

WIDTHS, BATCH = [784, 256, 10], 32
LAYERS = dense(WIDTHS)
EPOCH = 60000 // BATCH  # steps
AGES = [0, 300, 1000, 3000, 10000, 30000, 60000, 75000, 50 * EPOCH - 300]  # steps since the units died
QUICK_AGES = [0, 300, 1000, 3000]
ROUNDS, UNTIMED, TIMED = 12, 5, 20  # 300 steps at each age: those of age 0 end before m is denormal
STEPS_BEFORE = 200
BIAS = -1000.0


class Killable(Tinynn):
    """tinynn, whose units can be killed."""

    def kill(self) -> None:
        """Switch off half of the hidden units, for every row and for good."""
        self.model.layers[0].b[: WIDTHS[1] // 2] = BIAS

    def moments(self) -> tuple[Array, Array]:
        """Adam's m and v."""
        return self.optimizer.m, self.optimizer.v


class Plain(Killable):
    """The same with an Adam that has no limits."""

    def __init__(self, one_thread: bool) -> None:
        import numba

        super().__init__(one_thread)
        signature = "void(f4[::1], f4[::1], f4[::1], f4[::1], f4, f4)"
        self.update = numba.njit(signature, error_model="numpy", fastmath={"contract"})(plain_adam)

    def step(self, x: Array, t: Array) -> None:
        y = self.model.forward(x)
        self.loss.forward(y, t)
        self.model.backward(self.loss.backward())
        adam = self.optimizer
        adam.t += 1
        rate, full2 = LR / (1 - BETA1**adam.t), 1 / (1 - BETA2**adam.t)
        self.update(self.model.params, self.model.grads, adam.m, adam.v, rate, full2)


B1, B2, REST1, REST2, E = map(np.float32, (BETA1, BETA2, 1 - BETA1, 1 - BETA2, EPS))


def plain_adam(params, grads, m, v, rate, full2):
    for i in range(params.size):
        g = grads[i]
        m[i] = B1 * m[i] + REST1 * g
        v[i] = B2 * v[i] + REST2 * g * g
        params[i] -= rate * m[i] / (np.sqrt(v[i] * full2) + E)


class Torch(TorchFused):
    """PyTorch, whose units can be killed."""

    def kill(self) -> None:
        """Switch off half of the hidden units."""
        with self.torch.no_grad():
            self.model[0].bias[: WIDTHS[1] // 2] = BIAS

    def moments(self) -> tuple[Array, Array]:
        """Adam's m and v."""
        states = [self.optimizer.state[p] for p in self.model.parameters()]
        m, v = (np.concatenate([s[key].numpy().ravel() for s in states]) for key in ("exp_avg", "exp_avg_sq"))
        return m, v


class TorchFlush(Torch):
    """The same where denormal numbers count as 0."""

    def __init__(self, one_thread: bool) -> None:
        super().__init__(one_thread)
        if not self.torch.set_flush_denormal(True):
            raise ImportError("torch.set_flush_denormal is not for this processor")


CONTENDERS: dict[str, Any] = {
    "tinynn": Killable,
    "tinynn, plain Adam": Plain,
    "PyTorch": Torch,
    "PyTorch, flush": TorchFlush,
}


# --- in a contender's process ----------------------------------------------------------------------------------------


class Patient:
    """A contender's networks, old and young."""

    def __init__(self, name: str) -> None:
        from tinynn.datasets import load_mnist

        (self.x, self.t), _ = load_mnist()
        self.name = name
        self.old, self.age = self.fresh(), 0

    def fresh(self) -> Contender:
        """A network that was trained a little and has just lost half of its units."""
        network: Contender = CONTENDERS[self.name](True)
        network.start(first_weights(LAYERS, (WIDTHS[0],)), LAYERS, self.x, self.t, BATCH)
        network.run(0, STEPS_BEFORE)
        network.kill()  # type: ignore[attr-defined]
        return network

    def advance(self, age: int) -> tuple[float, float]:
        """Train to this age; make a new young network; the shares of m and v that are denormal."""
        self.old.run(STEPS_BEFORE + self.age, age - self.age)
        self.age = age
        self.young = self.fresh()
        m, v = self.old.moments()  # type: ignore[attr-defined]
        return denormal(m), denormal(v)

    def turn(self) -> tuple[float, float]:
        """Microseconds a step: old, young. Both meet the same rows."""
        old, young = (timed(network, STEPS_BEFORE + self.age) for network in (self.old, self.young))
        self.age += UNTIMED + TIMED
        return old, young


def timed(network: Contender, first: int) -> float:
    """Microseconds a step, the median of a block."""
    network.run(first, UNTIMED)  # the other had the caches
    times = []
    for i in range(first + UNTIMED, first + UNTIMED + TIMED):
        start = time.perf_counter()
        network.run(i, 1)
        times.append(time.perf_counter() - start)
    return 1e6 * float(np.median(times))


def denormal(a: Array) -> float:
    """The share of float32 numbers that are not 0 but below the normal ones; by their bits, whatever the processor."""
    size = a.view(np.uint32) & 0x7FFFFFFF  # without the sign
    return float(np.mean((size > 0) & (size < 0x00800000)))


patient: Patient


def admit(name: str) -> None:
    """What a contender's process does first."""
    global patient
    patient = Patient(name)


def do(what: str, *arguments: Any) -> Any:
    """Call the patient's method of that name."""
    return getattr(patient, what)(*arguments)


# --- in the first process --------------------------------------------------------------------------------------------


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="A step with dead units, in epoch 50 beside epoch 1.")
    parser.add_argument("--quick", action="store_true", help="2 epochs in place of 50")
    parser.add_argument("--json", metavar="FILE", help="write everything there, each round too")
    options = parser.parse_args()
    ages = QUICK_AGES if options.quick else AGES
    installed = [name for name in CONTENDERS if "PyTorch" not in name or importlib.util.find_spec("torch")]
    context = multiprocessing.get_context("spawn")
    pools = {name: ProcessPoolExecutor(1, context, admit, (name,)) for name in installed}
    report: dict[str, Any] = {"machine": machine(), "versions": versions(), "ages": ages}
    report["points"] = [measure(pools, age) for age in ages]
    for pool in pools.values():
        pool.shutdown()
    print(text(report, installed))
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1) + "\n")


def measure(pools: dict[str, ProcessPoolExecutor], age: int) -> dict[str, Any]:
    """All contenders at one age."""
    point: dict[str, Any] = {"age": age, "denormal": {}, "rounds": {name: [] for name in pools}}
    for name, pool in pools.items():
        progress(f"{name}: to step {age}")
        point["denormal"][name] = pool.submit(do, "advance", age).result()
    for _ in range(ROUNDS):
        for name, pool in pools.items():
            point["rounds"][name].append(pool.submit(do, "turn").result())
    progress("")
    point["us"] = {name: float(np.median([old for old, _ in times])) for name, times in point["rounds"].items()}
    point["ratio"] = {
        name: float(np.median([old / young for old, young in times])) for name, times in point["rounds"].items()
    }
    return point


def text(report: dict[str, Any], installed: list[str]) -> str:
    """A table for each contender."""
    blocks = [f"{report['machine']}; 1 thread each; microseconds a step, {ROUNDS} rounds"]
    heads = ["step", "epoch", "old", "old / young", "m denormal", "v denormal"]
    for name in installed:
        lines = [name, "  ".join(f"{head:>11}" for head in heads)]
        for point in report["points"]:
            m, v = point["denormal"][name]
            cells = [
                f"{point['age']:,}", f"{point['age'] // EPOCH + 1}", f"{point['us'][name]:,.0f}",
                f"{point['ratio'][name]:.2f}", f"{m:.1%}", f"{v:.1%}",
            ]  # fmt: skip
            lines.append("  ".join(f"{cell:>11}" for cell in cells))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


if __name__ == "__main__":
    main()
