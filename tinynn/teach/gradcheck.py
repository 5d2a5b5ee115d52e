"""Gradient checks: `check` a model with its loss, or `check_layer`, `check_loss` alone.

    report = tinynn.check(model, x, t, loss)
    print(report)                       # what is right, what is wrong, why, and what to change
    assert report

The backward pass runs once, as it is in training, on a private copy in double precision. Then the loss is measured
along random directions of each parameter tensor (measure.py): one forward pass checks all its numbers at once, and one
wrong weight among 200,000 is seen. Thresholds are relative to each tensor's own length: a sign in a gradient of 1e-9 is
found. Where something is wrong, the doctor looks at the loss, then at the layers from the loss to the input, and names
the first cause. Checked are the formulas; that the fast backends compute what the textbook does is held by tests.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from .. import checks
from ..checks import Array
from ..layer import Layer
from . import measure
from .doctor import Patient, examine, raised, ratio, same, whole_numbers
from .loss_doctor import examine_loss
from .parts import COMPLEX, REAL, LossPart, Network, Part, adapt, as_model, quiet
from .report import Finding, Report, Row, Sweep

ROWS = 32  # of x and t that are looked at: more cost time and show nothing new


Function = TypeVar("Function", bound=Callable[..., Any])


def _leaving_chance_alone(function: Function) -> Function:
    """Whatever a learner's forward draws from the global generators, they are afterwards as they were."""

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        states = np.random.get_state(), random.getstate()
        try:
            return function(*args, **options)
        finally:
            np.random.set_state(states[0])
            random.setstate(states[1])

    return wrapped  # type: ignore[return-value]


@_leaving_chance_alone
def check_layer(layer: Any, x: Array, *, seed: int = 0) -> Report:
    """Check backward of one layer at input x (N, D): dx and the gradient of each parameter.

    `layer` is a tinynn Layer or any object with forward(x), backward(dout) and its gradients in attributes. It is not
    changed. The gradient is that of L = sum of dy y with a random dy, drawn from `seed`.
    """
    layer = adapt(layer)
    x, notes = _rows("x", x)
    rng = np.random.default_rng(seed)
    part = Part(layer, layer.where)
    report = Report(f"check of {layer.where}", notes=notes)
    report.finding = examine(part, x, rng)
    try:
        y = part.forward(x)
        dy = measure.normal(rng, y)
        analytic, dx = part.gradients(x, dy)
    except Exception:  # the finding says so
        return report
    patient = Patient(part, x, y, dy, {**analytic, "x": dx}, rng)
    report.method = _method(patient.exact)
    for name in (*part.names, "x"):
        report.rows.append(_row_of(patient, name))
    wrong = [name for name, row in zip((*part.names, "x"), report.rows) if row.verdict == "wrong"]
    swept = wrong[0] if wrong else "x"
    report.sweeper = lambda: Sweep(*measure.sweep(patient.scalar(swept), patient.at(swept), patient.analytic[swept]))
    for row in report.rows:
        if row.verdict == "kink":
            index = tuple(map(int, row.entry.strip("[]").split(",")))
            report.notes.append(f"not a bug: {_unit(index)} (x{row.entry} = {x[index]:.1g}) sits at a kink")
    return report


def _unit(index: tuple[int, ...]) -> str:
    return f"unit {index[1]} of sample {index[0]}"


def _row_of(patient: Patient, name: str) -> Row:
    """The row of a layer's tensor: entry by entry where it is small, its largest entries where it is not."""
    a = patient.analytic[name]
    wrong = patient.is_wrong(name)
    n = patient.numeric(name)
    scale = max(float(np.nanmax(np.abs(n), initial=0)), float(np.abs(a).max(initial=0)), patient.floor) or 1.0
    index = np.unravel_index(int(np.nanargmax(np.abs(a - n))), a.shape) if a.size else (0,) * a.ndim
    error = abs(float(a[index] - n[index])) / scale
    verdict = "wrong" if wrong else "ok" if error < 100 * measure.TOLERANCE[patient.exact] else "kink"
    label = "dx" if name == "x" else "d" + name
    return Row(patient.part.where, label, _place(index), float(a[index]), float(n[index]), error, verdict)


@_leaving_chance_alone
def check_loss(loss: Any, y: Array, t: Array, *, seed: int = 0) -> Report:
    """Check a loss at predictions y and targets t: its gradient dy, and that it computes what it should.

    `loss` is a tinynn Loss, a function (y, t) -> (value, dy), or an object with forward(y, t) and backward(). A
    cross-entropy is compared with the right one, too: a loss can be wrong and its gradient that of the wrong loss.
    """
    part = LossPart(loss)
    y, t, notes = _pair("y", y, t)
    row, finding, exact = examine_loss(part, y, t, np.random.default_rng(seed))
    report = Report(f"check of {part.where}", _method(exact), [] if row is None else [row], finding, notes)
    report.notes += _notes_on(part, y, t)
    if row is not None:
        dy = np.array(part.both(y.copy(), t)[1], float)
        report.sweeper = lambda: Sweep(*measure.sweep(lambda a: part.value(a, t), y, dy))
    return report


def _notes_on(loss: LossPart, y: Array, t: Array) -> list[str]:
    """A sum over the rows is no bug, but good to know."""
    try:
        once, twice = (float(loss.value(np.concatenate([y] * k), np.concatenate([t] * k))) for k in (1, 2))
    except Exception:
        return []
    summed = once != 0 and abs(twice - 2 * once) < 1e-9 * abs(once)
    return ["the loss is a sum over the rows: its gradient grows with the batch"] if summed else []


@_leaving_chance_alone
def check(model: Any, x: Array, t: Array, loss: Any, *, seed: int = 0) -> Report:
    """Check every gradient of `model` with `loss` at rows x (N, D) and targets t.

    `model` is a Sequential, a class of your own over `flatten`, a layer, or a list of layers; layers may be any objects
    with forward and backward. Nothing is changed: not parameters, caches, the random state. At most 32 rows are used.
    Raises TypeError, ValueError where x, t, model and loss are none or do not fit each other.
    """
    x, t, notes = _pair("x", x, t)
    rng = np.random.default_rng(seed)
    report = Report(f"check of {_short(model)}", notes=notes)
    integers = _integers(model)
    if integers:
        report.finding = integers
        return report
    model = as_model(model)
    network = Network(model, loss, REAL)
    untouched = Network(model, loss, REAL).layers  # the step leaves its traces in the others
    step = Step(network, untouched, x, t)
    report.finding = step.failed
    if step.dy is None:
        return report
    row, finding, _ = examine_loss(network.loss, step.y, t, rng)
    report.notes += _notes_on(network.loss, step.y, t)
    if step.failed is None:
        report.finding = finding
    twin = Network(model, loss, COMPLEX)
    whole = _Whole(network, twin, x, t)
    report.method = _method(whole.exact)
    report.sweeper = whole.sweep
    report.rows = [*([row] if row else []), *whole.rows(step, rng)]
    wrong = [r for r in report.rows if r.verdict == "wrong"]
    if wrong and finding is None and _right_nearby(model, loss, x, t, rng):
        report.notes.append(
            "not a bug: a unit sits at its kink, where left and right slope differ; beside it all is right"
        )
        for row in wrong:
            row.verdict = "kink"
        wrong = []
    if report.finding is None:
        report.finding = _first_broken_layer(step, rng) or whole.diagnose(step, wrong)
    if report.finding and report.where != network.layers[0].where:
        report.notes.append("what comes before it, towards the input, is not judged until this is right")
    return report


def _right_nearby(model: Any, loss: Any, x: Array, t: Array, rng: np.random.Generator) -> bool:
    """Whether all gradients are right at parameters a little to the side, away from kinks."""
    network, untouched = Network(model, loss, REAL), Network(model, loss, REAL).layers
    network.params += 1e-3 * (1 + np.abs(network.params)) * measure.normal(rng, network.params)
    moved, its_loss = network.model, network.loss.loss
    whole = _Whole(Network(moved, its_loss, REAL), Network(moved, its_loss, COMPLEX), x, t)
    return all(row.verdict == "ok" for row in whole.rows(Step(network, untouched, x, t), rng))


def _integers(model: Any) -> Finding | None:
    """Whole numbers for parameters, in a layer that is not tinynn's (which makes floats of them)."""
    for layer in model if isinstance(model, list | tuple) else [model]:
        if not isinstance(layer, Layer) and not hasattr(layer, "grads") and hasattr(layer, "forward"):
            found = whole_numbers(layer)
            if found:
                return found
    return None


class Step:
    """One real step, forward and backward, with what went into every layer and came out of it."""

    def __init__(self, network: Network, untouched: list[Any], x: Array, t: Array) -> None:
        self.network, self.untouched = network, untouched
        self.failed: Finding | None = None
        self.error: tuple[str, Exception] | None = None
        self.dy: Array | None = None
        self.grads = np.zeros(0)
        self.calls: list[tuple[str, Any, Array, Any]] = []  # ("forward" or "backward", layer, given, returned)
        self.before = network.params.copy()
        for layer in network.layers:
            self._listen(layer)
        try:
            self._run(x.copy(), t)
        finally:
            for layer in network.layers:
                del layer.forward, layer.backward  # the listeners: the class's own again
        if self.error is not None:
            self.failed = self._raised(*self.error)

    def _run(self, given: Array, t: Array) -> None:
        network, x = self.network, given.copy()
        try:
            with quiet():
                self.y = network.model.forward(given)
        except Exception as error:
            self.error = "forward", error
            return
        if not np.array_equal(given, x):
            why = "forward changes x in place: the caller's data are others after it"
            self.failed = Finding("writes-into-x", "the model", why, "x = x - ... in place of x -= ...")
        try:
            self.value, dy = network.loss.both(self.y.copy(), t)
            if np.shape(dy) != self.y.shape:
                raise checks.ShapeError(f"dy must have y's shape {self.y.shape}, not {np.shape(dy)}", "dy", dy)
        except Exception:
            self.dy = np.zeros(self.y.shape)  # the loss's own examination says what is wrong
            return
        self.dy = np.array(dy, float)
        try:
            with quiet():
                network.model.backward(self.dy.copy())
        except Exception as error:
            self.error = "backward", error
        self.grads = network.grads.copy()

    def _raised(self, method: str, error: Exception) -> Finding | None:
        """An error inside a layer is that layer's: its own examination names it."""
        layers = self.of("forward")
        for layer in reversed(layers):
            found = examine(self.alone(layer), self.given(layer), np.random.default_rng(0))
            if found and (method == "backward" or found.code == "raises"):
                return found
        if method == "backward" and self.out_of_order():
            return wrong_order(self.of("backward"))
        broken = [layer for layer in self.network.layers if all(layer is not other for other in layers)]
        where = broken[0].where if broken and method == "forward" else "the model"
        return raised(where, method, error)

    def out_of_order(self) -> bool:
        """Whether a layer went back before one that had taken its output."""
        order = [layer.place for layer in self.of("backward")]
        forward = [(layer.place, given, y) for method, layer, given, y in self.calls if method == "forward"]
        return any(
            giver in order and (taker not in order or order.index(giver) < order.index(taker))
            for giver, _, y in forward
            for taker, given, _ in forward
            if giver != taker and same(y, given)
        )

    def alone(self, layer: Any) -> Part:
        """The layer by itself, as it was before the step, and with the dx that a first layer saves."""
        index = next(k for k, other in enumerate(self.network.layers) if other is layer)
        part = Part(self.untouched[index], layer.where)
        part.original.needs_dx = part.twin.needs_dx = True
        return part

    def _listen(self, layer: Any) -> None:
        forward, backward = layer.forward, layer.backward

        def listening_forward(x: Array) -> Array:
            given = np.array(x)
            y = forward(x)
            self.calls.append(("forward", layer, given, y))
            return y

        def listening_backward(dy: Array) -> Array:
            given = np.array(dy)
            self.calls.append(("backward", layer, given, None))
            dx = backward(dy)
            self.calls[-1] = "backward", layer, given, dx
            return dx

        layer.forward, layer.backward = listening_forward, listening_backward

    def of(self, method: str) -> list[Any]:
        """The layers in the order in which `method` was called."""
        return [layer for name, layer, _, _ in self.calls if name == method]

    def given(self, layer: Any, method: str = "forward") -> Array:
        """What went into a layer, the first time."""
        return next(given for name, other, given, _ in self.calls if name == method and other is layer)


def _first_broken_layer(step: Step, rng: np.random.Generator) -> Finding | None:
    """The layer nearest to the loss whose backward is wrong by itself."""
    seen: list[Any] = []
    for layer in reversed(step.of("forward")):
        if any(layer is other for other in seen):
            continue
        seen.append(layer)
        found = examine(step.alone(layer), step.given(layer), rng)
        if found:
            return found
    return None


def wrong_order(backward: list[Any]) -> Finding:
    """The layers' backward in the order of forward, or any other."""
    order = ", ".join(str(layer.place) for layer in backward)
    why = f"backward goes through the layers in the order {order}; it must be the reverse of forward's"
    return Finding("wrong-order", "the model", why, "for layer in reversed(layers): dy = layer.backward(dy)")


class _Whole:
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
        for layer, name, where in reversed(self.network.slices):
            rows.append(self._row(layer, name, where, self._floor(step, layer), rng))
        return rows

    def _floor(self, step: Step, layer: Any) -> float:
        """What round-off leaves where large terms cancel: in a sum over rows, in p - t where all is learned."""
        assert step.dy is not None
        size = float(np.linalg.norm(step.dy)) or 1.0
        try:  # how large dy is elsewhere
            other = np.sin(np.arange(step.y.size)).reshape(step.y.shape)
            usual = float(np.linalg.norm(step.network.loss.both(other, self.t)[1]))
        except Exception:
            usual = size
        given = {method: x for method, other, x, _ in reversed(step.calls) if other.place == layer.place}
        gain = float(np.linalg.norm(given["backward"])) / size if "backward" in given else 1.0
        return 1e-13 * max(size, usual, 1e-3) * gain * max(1.0, float(np.abs(given.get("forward", np.ones(1))).max()))

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
            entry = _place(np.unravel_index(index, shape))
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
            return Finding("skipped-layer", "the model", why, "dy = layer.backward(dy) for each layer, last first")
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

    def sweep(self) -> Sweep:
        """Central differences along one random direction, with steps from 1e-1 to 1e-12."""
        sweep = Sweep(*measure.sweep(self.value, self.start, self.grads))
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
                        return f"{_unit(index)} in {layer.where} sits {abs(here[index]):.1g} from its kink"
        return ""


def _method(exact: bool) -> str:
    return "the complex step" if exact else "central differences (forward is not made for complex numbers)"


def _place(index: Any) -> str:
    return "[" + ", ".join(str(int(i)) for i in index) + "]"


def _short(thing: Any) -> str:
    text = repr(thing).replace("\n    ", "").replace("\n", "") if hasattr(thing, "layers") else type(thing).__name__
    return text if len(text) <= 70 else text[:67] + "..."


def _rows(name: str, a: Any) -> tuple[Array, list[str]]:
    """At most ROWS rows of x or y, as float64."""
    if not isinstance(a, np.ndarray) or a.ndim != 2 or a.dtype.kind not in "fiu" or len(a) == 0:
        raise TypeError(f"{name} must be a numpy array of numbers, (N, D) with N > 0, not {checks.describe(a)}")
    if not np.isfinite(a).all():
        raise ValueError(f"{name} must hold numbers, not NaN or infinity")
    notes = []
    if a.dtype.kind in "iu":
        notes.append(f"{name} is {a.dtype}: whole numbers lose small steps (3 + 1e-5 is 3); it is checked as float64")
    if len(a) > ROWS:
        notes.append(f"the first {ROWS} of {len(a):,} rows are looked at")
    return a[:ROWS].astype(REAL), notes


def _pair(name: str, a: Any, t: Any) -> tuple[Array, Array, list[str]]:
    a, notes = _rows(name, a)
    if not isinstance(t, np.ndarray) or t.ndim == 0 or t.dtype.kind not in "fiub":
        raise TypeError(f"t must be a numpy array with a row for each of {name}, not {checks.describe(t)}")
    if len(t[:ROWS]) != len(a):
        raise ValueError(f"t must have as many rows as {name}, {len(a)}, not {len(t)}")
    t = t[:ROWS]
    if t.dtype.kind == "f":
        t = t.astype(REAL)
        if t.ndim == 2 and np.allclose(t.sum(axis=1), 1, rtol=0, atol=1e-3) and (t >= 0).all():
            t /= t.sum(axis=1, keepdims=True)  # probabilities from float32 sum to 1 again
    return a, t, notes
