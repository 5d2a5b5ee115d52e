"""The doctor for whole models: the loss as a function of all parameters, and how a model puts its layers together.

`ModelGradients.rows` measures every parameter tensor. Where loss and layers are right by themselves and yet a gradient
is not, `ModelGradients.diagnose` looks at the way back: layers left out, a wrong order, paths that part, an update that
came too early.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...checks import Array
from . import measure
from .chance import same_start
from .ids import padding_row
from .layer_gradients import LayerGradients
from .measure import ratio, same
from .recorded_step import RecordedStep, wrong_order
from .report import Finding, Row, place_of
from .sweep import StepSizeSweep
from .under_test import COMPLEX, REAL, ModelUnderTest, quiet

ENTRIES = 64  # up to which each entry of a tensor is measured by itself, in a model that is
EPS, LARGEST = np.finfo(float).eps, 1e4  # a dx that is further from linear in dy is wrong, not rounded
QUICK = 100_000  # quick: so many numbers at most go into all its layers; else 30 such tensors take 10 seconds


class ModelGradients:
    """The loss as a function of all parameters."""

    def __init__(self, network: ModelUnderTest, twin: ModelUnderTest, x: Array, t: Array) -> None:
        self.network, self.twin, self.x, self.t = ModelUnderTest(network.model, network.loss.loss, REAL), twin, x, t
        self.start = twin.params.real.copy()
        rng = np.random.default_rng(1)  # each tensor by itself: the larger gradients would hide the smaller
        self.exact = all(measure.complex_works(self.value, self.start, rng, where) for *_, where in twin.slices)

    def value(self, params: Array) -> complex:
        """The loss with these parameters in place of the model's."""
        network = self.twin if params.dtype == COMPLEX else self.network
        network.params[...] = params
        return network.value(self.x, self.t)

    def along(self, direction: Array, h: float | None = None) -> float:
        """The measured derivative along a direction of the parameters."""
        return measure.along(self.value, self.start, direction, self.exact, h)

    def rows(self, step: RecordedStep, rng: np.random.Generator) -> list[Row]:
        """A row for each parameter tensor, from the last to the first."""
        rows: list[Row] = []
        self.grads = step.grads
        if not self.grads.size or step.dy is None:
            return rows
        self.exact = self.exact and all(self._takes_complex(step, layer) for layer in step.of("forward"))
        sizes = self._sizes(step)
        self.by_entry = ENTRIES if sum(step.given(layer).size for layer in step.of("forward")) <= QUICK else 0
        for layer, name, where in reversed(self.network.slices):
            rows.append(self._row(layer, name, where, sizes.get(layer.place, 1.0), rng))
        return rows

    def _takes_complex(self, step: RecordedStep, layer: Any) -> bool:
        """Whether the complex step is right for a layer alone: in a network, tiny gradients may hide an np.abs."""
        tested, x = step.alone(layer), step.given(layer)
        y = tested.forward(x)
        names = {name: tested.value(name) for name in tested.names}
        return LayerGradients(
            tested, x, y, measure.normal(np.random.default_rng(7), y), names, np.random.default_rng(7)
        ).exact

    def _sizes(self, step: RecordedStep) -> dict[Any, float]:
        """For each layer, the numbers whose round-off is in the gradients of its parameters.

        A slope such as 1 - y^2, or p - t in a loss, is a difference of numbers near 1. Where it is almost 0, it is
        right only to eps times what it is elsewhere, and all layers before it get that error. So dy is followed from
        the loss to the input by how much each layer makes of it, here or elsewhere, whichever is more; a sum over rows
        x^T dy, in which terms may cancel, then has terms of that times |x|.
        """
        assert step.dy is not None
        rng = np.random.default_rng(2)
        size, sizes = float(np.linalg.norm(step.dy)), {}
        try:  # how large dy is elsewhere
            other = np.sin(np.arange(step.y.size)).reshape(step.y.shape)
            size = max(size, float(np.linalg.norm(step.network.loss.both(other, self.t)[1])))
        except Exception:
            pass
        for layer in reversed(step.of("forward")):
            x = step.given(layer)
            sizes[layer.place] = size * max(1.0, float(np.abs(x).max(initial=0)))
            tested, gains = step.alone(layer), [1e-300]
            for point in (x, measure.normal(rng, x)):
                try:
                    dy = measure.normal(rng, tested.forward(point))
                    dx, three = (tested.gradients(point, k * dy)[1] for k in (1, 3))
                    gains.append(float(np.linalg.norm(dx) / np.linalg.norm(dy)))
                    noise = float(np.linalg.norm(three / 3 - dx) / np.linalg.norm(EPS * dy))
                    gains.append(noise if 100 * gains[-1] < noise < LARGEST else 0.0)  # large terms cancel in dx
                except Exception:  # its own examination says so
                    gains.append(1.0)
            size *= max(gain for gain in gains if np.isfinite(gain))
        return sizes

    def _row(self, layer: Any, name: str, where: slice, size: float, rng: np.random.Generator) -> Row:
        g = self.grads[where]
        floor = measure.ROUNDING * size
        wrong, worst, looked_at = False, (0.0, 0.0, 0.0), np.ones(g.size)
        padding = padding_row(layer, g.reshape(layer.arrays[name].shape))
        if padding is not None:
            looked_at.reshape(layer.arrays[name].shape)[padding] = 0
        for _ in range(2):
            u = np.zeros(self.start.size)
            u[where] = rng.normal(size=g.size) * looked_at
            a = float(u[where] @ g)
            n, doubt = measure.measured(self.value, self.start, u, self.exact, a)
            scale = max(float(np.linalg.norm(g)), abs(n)) + (floor + doubt) / measure.TOLERANCE[self.exact] or 1.0
            wrong |= measure.differs(a, n, scale, self.exact)
            if abs(a - n) / scale >= worst[2]:
                worst = a, n, abs(a - n) / scale
        entry = "all, along u"
        if wrong or g.size <= self.by_entry:
            shape = layer.arrays[name].shape
            index = self._worst(where, g, rng, looked_at)
            u = np.zeros(self.start.size)
            u[where.start + index] = 1
            n = self.along(u)
            scale = max(float(np.abs(g).max(initial=0)), abs(n)) + floor or 1.0
            worst = float(g[index]), n, abs(float(g[index]) - n) / scale
            entry = place_of(np.unravel_index(index, shape))
        return Row(layer.where, "d" + name, entry, *worst, "wrong" if wrong else "ok")

    def _worst(self, where: slice, g: Array, rng: np.random.Generator, looked_at: Array) -> int:
        def f(values: Array) -> complex:
            params = self.start.astype(values.dtype)
            params[where] = values
            return self.value(params)

        if g.size <= self.by_entry:
            n = measure.gradient(f, self.start[where], self.exact)
            return int(np.argmax(np.abs(g - n) * looked_at))
        return measure.worst_entry(f, self.start[where], g, self.exact, rng)[0]

    def diagnose(self, step: RecordedStep, wrong: list[Row]) -> Finding | None:
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

    def _fork(self, step: RecordedStep) -> Finding | None:
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

    def _decay(self, step: RecordedStep) -> Finding | None:
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

    def _accumulates(self, step: RecordedStep) -> Finding | None:
        """A second backward pass of the same batch must give the same."""
        with quiet(), same_start(step.network.model):
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

    def sweep(self, slope: float) -> StepSizeSweep:
        """Central differences along one random direction, with steps from 1e-1 to 1e-12."""
        sweep = StepSizeSweep(*measure.sweep(self.value, self.start, slope))
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
    return f"unit {', '.join(map(str, index[1:]))} of sample {index[0]}"
