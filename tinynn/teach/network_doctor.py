"""The doctor for whole models: the loss as a function of all parameters, and how a model puts its layers together.

`Whole.rows` measures every parameter tensor. Where loss and layers are right by themselves and yet a gradient is not,
`Whole.diagnose` looks at the way back: layers left out, a wrong order, paths that part, an update that came too early.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import Array
from . import measure
from .doctor import ratio
from .parts import COMPLEX, REAL, Network, quiet
from .purity import same
from .report import Finding, Row, Sweep
from .step import Step, wrong_order

OFF = 1e-13  # of a number: what some hundred roundings of 1e-16 make at most


class Whole:
    """The loss as a function of all parameters."""

    def __init__(self, network: Network, twin: Network, x: Array, t: Array) -> None:
        self.network, self.twin, self.x, self.t = Network(network.model, network.loss.loss, REAL), twin, x, t
        self.start = twin.params.real.copy()
        self.exact = measure.complex_works(self.value, self.start, np.random.default_rng(1))

    def value(self, params: Array) -> complex:
        """The loss with these parameters in place of the model's."""
        network = self.twin if params.dtype == COMPLEX else self.network
        network.params[...] = params
        return network.value(self.x, self.t)

    def along(self, direction: Array, h: float | None = None) -> float:
        """The measured derivative along a direction of the parameters."""
        return measure.along(self.value, self.start, direction, self.exact, h)

    def rows(self, step: Step, rng: np.random.Generator) -> list[Row]:
        """A row for each parameter tensor, from the last to the first."""
        rows: list[Row] = []
        self.grads = step.grads
        if not self.grads.size or step.dy is None:
            return rows
        rounding = self._rounding(step)
        for layer, name, where in reversed(self.network.slices):
            rows.append(self._row(layer, name, where, float(np.linalg.norm(rounding[where])), rng))
        return rows

    def _rounding(self, step: Step) -> Array:
        """How far round-off can move each number of the gradient: the step again, all that layers give a little off.

        Each number is off by 1e-13 of itself (some hundred roundings), up or down. A saturated unit's slope 1 - y^2, a
        p - t where all is learned, a sum over rows whose terms cancel: what is left of large numbers moves by far more
        than 1e-13 of itself then, and so it does by round-off. dy, and the dx of layers that have no weights, are off
        by 1e-13 of what came in: they may be such differences in themselves.
        """
        assert step.dy is not None
        network, rng = self.network, np.random.default_rng(4)
        network.params[...] = self.start

        def shaken(a: Array, size: Array) -> None:
            a += OFF * size * rng.choice([-1.0, 1.0], a.shape) * (a != 0)  # a unit that is off stays off

        def shaking(layer: Any) -> None:
            forward, backward = layer.forward, layer.backward

            def shaking_forward(x: Array) -> Array:
                y = forward(x)
                shaken(y, np.abs(y))  # in place: what the layer has kept of it, too
                return y

            def shaking_backward(dy: Array) -> Array:
                given = np.abs(dy)
                dx = backward(dy)
                if isinstance(dx, np.ndarray):
                    alike = not layer.parameters and dx.shape == given.shape
                    shaken(dx, np.maximum(np.abs(dx), given) if alike else np.abs(dx))
                return dx

            layer.forward, layer.backward = shaking_forward, shaking_backward

        for layer in network.layers:
            shaking(layer)
        moved = np.zeros(self.start.size)
        try:
            with quiet():
                for _ in range(2):
                    y = network.model.forward(self.x.copy())
                    dy = network.loss.both(y.copy(), self.t)[1]
                    network.model.backward(dy + OFF * self._usual(step) * measure.direction(step.dy))
                    moved = np.fmax(moved, np.abs(network.grads - step.grads))
        except Exception:  # what raises has been reported before
            return np.zeros(self.start.size)
        finally:
            for layer in network.layers:
                del layer.forward, layer.backward
        return moved

    def _usual(self, step: Step) -> float:
        """How large dy is here or elsewhere: p - t is small where all is learned, and its round-off is not."""
        assert step.dy is not None
        size = float(np.linalg.norm(step.dy))
        try:
            other = np.sin(np.arange(step.y.size)).reshape(step.y.shape)
            usual = float(np.linalg.norm(step.network.loss.both(other, self.t)[1]))
        except Exception:  # a loss of probabilities, say, takes no such y
            usual = 0.0
        return max(size, 1e-3, usual if np.isfinite(usual) else 0.0)

    def _row(self, layer: Any, name: str, where: slice, floor: float, rng: np.random.Generator) -> Row:
        g = self.grads[where]
        size = float(np.linalg.norm(g))
        wrong, worst = False, (0.0, 0.0, 0.0)
        for _ in range(2):
            u = np.zeros(self.start.size)
            u[where] = rng.normal(size=g.size)
            a = float(u[where] @ g)
            n, error = self._closest(u, a)
            scale = max(size, abs(n)) + floor / measure.TOLERANCE[self.exact] or 1.0
            wrong |= measure.differs(a, n, scale, self.exact)
            if error / scale >= worst[2]:
                worst = a, n, error / scale
        entry = "all, along u"
        if wrong or g.size <= 64:
            shape = layer.arrays[name].shape
            index = self._worst(where, g, rng)
            u = np.zeros(self.start.size)
            u[where.start + index] = 1
            n = self.along(u)
            scale = max(float(np.abs(g).max(initial=0)), abs(n)) + floor or 1.0
            worst = float(g[index]), n, abs(float(g[index]) - n) / scale
            entry = place_of(np.unravel_index(index, shape))
        return Row(layer.where, "d" + name, entry, *worst, "wrong" if wrong else "ok")

    def _closest(self, u: Array, a: float) -> tuple[float, float]:
        """The derivative along u and its distance from a; central differences get three steps, for the kinks."""
        found = [self.along(u, h) for h in ((None,) if self.exact else (1e-5, 1e-6, 1e-4))]
        n = min(found, key=lambda n: abs(n - a))
        return n, abs(n - a)

    def _worst(self, where: slice, g: Array, rng: np.random.Generator) -> int:
        def f(values: Array) -> complex:
            params = self.start.astype(values.dtype)
            params[where] = values
            return self.value(params)

        if g.size <= 64:
            n = measure.gradient(f, self.start[where], self.exact)
            return int(np.argmax(np.abs(g - n)))
        return measure.worst_entry(f, self.start[where], g, self.exact, rng)[0]

    def diagnose(self, step: Step, wrong: list[Row]) -> Finding | None:
        """Loss and layers are right by themselves, the whole is not: how the model puts them together."""
        network = step.network
        if not np.array_equal(network.params, step.before):
            old, new = step.before, network.params
            rate = float(np.vdot(step.grads, old - new) / (np.vdot(step.grads, step.grads) or 1))
            code = "updated-too-early" if wrong else "update-in-backward"
            why = f"backward changes parameters (lr {rate:.4g}) before it is through: what follows uses the new ones"
            return Finding(code, "the model", why, "first the whole backward pass, then the update")
        if not wrong:
            return self._accumulates(step)
        forward, backward = step.of("forward"), step.of("backward")
        missing = [layer for layer in forward if all(layer is not other for other in backward)]
        if missing:
            why = f"backward does not go through {missing[-1].where}, which forward went through"
            return Finding("skipped-layer", "the model", why, "send the gradient of its output through its backward")
        if step.out_of_order():
            return wrong_order(backward)
        return self._fork(step) or self._decay(step) or self._accumulates(step) or self._unknown(wrong)

    def _fork(self, step: Step) -> Finding | None:
        """An output that goes two ways: its gradient is the sum of what comes back on both."""
        for layer in reversed(step.of("forward")):
            got = step.given(layer, "backward")
            us = [measure.normal(np.random.default_rng(k), got) for k in range(4)]
            true = np.array([self._at_output(layer, u) for u in us])
            if same(true, [np.vdot(u, got) for u in us], 1e-8):
                continue
            arrays = [a for method, _, given, dx in step.calls if method == "backward" for a in (given, dx)]
            for other in arrays:
                if np.shape(other) == got.shape and same(true, [np.vdot(u, got + other) for u in us], 1e-8):
                    why = (
                        f"the output of {layer.where} goes two ways, and backward gives it what comes back on one of "
                        f"them. Where paths part, gradients add up. At [0, 0] it gets {got[0, 0]:.6g}, and the other "
                        f"way brings {other[0, 0]:.6g}"
                    )
                    return Finding("fork-overwritten", "the model", why, "dy = dx_1 + dx_2")
            return None
        return None

    def _at_output(self, layer: Any, u: Array) -> float:
        """The derivative of the loss along a change u of a layer's output."""
        network = self.twin if self.exact else self.network
        network.params[...] = self.start
        place: Any = next(other for other in network.layers if other.place == layer.place)
        forward, h = place.forward, measure.H_COMPLEX if self.exact else measure.H_CENTRAL
        values = []
        try:
            for step in (1j * h,) if self.exact else (h, -h):
                place.forward = lambda x, change=step * u: forward(x) + change
                values.append(network.value(self.x, self.t))
        finally:
            del place.forward
        return float(values[0].imag / h if self.exact else (values[0] - values[1]).real / (2 * h))

    def _decay(self, step: Step) -> Finding | None:
        """A term lambda |W|^2 / 2 that the loss has and the gradient has not, or the other way round."""
        rates = {}
        for layer, name, where in self.network.slices:
            W = self.start[where]
            if W.size > 400 or not np.any(W):
                continue

            def f(values: Array, where: slice = where) -> complex:
                params = self.start.astype(values.dtype)
                params[where] = values
                return self.value(params)

            rest = step.grads[where] - measure.gradient(f, W, self.exact)
            rate = float(np.vdot(W, rest) / np.vdot(W, W))
            if np.linalg.norm(rest) <= 1e-9 * np.linalg.norm(step.grads[where]):
                continue
            if not same(rest, rate * W, 1e-6):
                return None
            rates[f"d{name} of {layer.where}"] = rate
        if not rates:
            return None
        place, rate = next(iter(rates.items()))
        if rate < 0:
            why = f"the loss grows with the weights' squares, {-rate:.6g} W is missing in {place}"
            return Finding("decay-in-loss", "the model", why, f"dW += {-rate:.6g} * W, after backward")
        why = f"{place} has {rate:.6g} W added to it, a weight decay that the loss does not have"
        return Finding("decay-in-gradient", "the model", why, "leave it to the optimizer's weight_decay")

    def _accumulates(self, step: Step) -> Finding | None:
        """A second backward pass of the same batch must give the same."""
        with quiet():
            step.network.model.forward(self.x.copy())
            step.network.model.backward(np.array(step.dy))
        again = step.network.grads
        if same(again, step.grads) or not np.any(step.grads):
            return None
        if same(again, 2 * step.grads):
            why = "after two equal steps the gradients are twice what they were after one: they add up"
            return Finding("accumulates", "the model", why, "set them to 0 first, or assign in place of +=")
        return None

    def _unknown(self, wrong: list[Row]) -> Finding:
        last = wrong[0]
        c = ratio(np.array([last.analytic]), np.array([last.numeric]))
        times = "" if c is None else f" ({c:.6g} times it)"
        why = (
            f"loss and layers are right by themselves, yet {last.tensor} of {last.where} is not the loss's gradient: "
            f"at {last.entry} it is {last.analytic:.6g}, measured is {last.numeric:.6g}{times}. The mistake is in how "
            "forward and backward of the model put the layers together."
        )
        return Finding("unknown", "the model", why)

    def sweep(self, slope: float) -> Sweep:
        """Central differences along one random direction, with steps from 1e-1 to 1e-12."""
        sweep = Sweep(*measure.sweep(self.value, self.start, slope))
        if sweep.shape == "cliff":
            sweep.kink = self._nearest_kink(measure.direction(self.start))
        return sweep

    def _nearest_kink(self, u: Array) -> str:
        """The unit that changes its sign first when the parameters move along u."""
        for h in 10.0 ** np.arange(-12, -0.9, 0.25):
            inputs = []
            for step in (0.0, h, -h):
                self.value(self.start + step * u)
                inputs.append([layer.x for layer in self.network.layers])
            for k, layer in enumerate(self.network.layers):
                here, above, below = (x[k] for x in inputs)
                if not layer.parameters and here is not None:
                    for index in map(tuple, np.argwhere((above > 0) != (below > 0))):
                        return f"{unit_at(index)} in {layer.where} sits {abs(here[index]):.1g} from its kink"
        return ""


def unit_at(index: tuple[int, ...]) -> str:
    """An entry of a layer's input, in words."""
    return f"unit {index[1]} of sample {index[0]}"


def place_of(index: Any) -> str:
    """An entry as it is written, [0, 1]."""
    return "[" + ", ".join(str(int(i)) for i in index) + "]"
