"""The record of one training step: what the real layers were given and what they gave, on private copies.

A Case holds copies of model, loss and optimizer. `Case.run()` copies them once more, runs the four lines of a step on
these, and keeps every array on the way. Nothing of the caller's is touched, the state of random numbers included.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import backends
from ...checks import Array
from ...layers.layer import Layer
from ...losses import SoftmaxCrossEntropy
from ...model.any_model import all_layers, by_place, copies, in_order_of_use


@dataclass
class Call:
    """One forward of one layer, and the backward that belongs to it. What was not computed is None."""

    layer: Any
    path: int | str | None  # of the layer in its model, 2 or "3.1"; None where the model is one box
    place: str  # "layer 2", "layer 3.1 (call 2)"
    x: Array
    y: Array
    params: dict[str, Array]  # as they were in the forward
    dy: Array | None = None
    dx: Array | None = None
    grads: dict[str, Array] = field(default_factory=dict)  # by the parameters' names
    source: str = ""  # the place of the call whose y is this x; "x" where it is the batch, empty where nobody knows
    within: list[Call] = field(default_factory=list)  # the calls that this one has made, of a block's layers
    kept: dict[str, Array] = field(default_factory=dict)  # what forward keeps beside x and y: a mask, say
    buffers: dict[str, tuple[Array, Array]] = field(default_factory=dict)  # before forward, and after it
    notes: dict[str, Any] = field(default_factory=dict)  # what formulas have worked out

    @property
    def home(self) -> str:
        """Where the layer is, whichever call this is: "layer 2"."""
        return self.place.partition(" (")[0]

    @property
    def gradient(self) -> Array:
        """dy of a call whose backward was run."""
        assert self.dy is not None
        return self.dy


@dataclass
class Record:
    """One step. Dicts of parameters are by (place, name), such as ("layer 1", "W")."""

    x: Array
    t: Array
    calls: list[Call] = field(default_factory=list)  # in the order of forward
    backwards: list[Call] = field(default_factory=list)  # in the order of backward
    y: Array | None = None
    p: Array | None = None  # softmax(y), where the loss takes scores
    value: float | None = None
    dy: Array | None = None
    used: dict[tuple[str, str], Array] = field(default_factory=dict)  # the gradients, as the optimizer left them
    old: dict[str, dict[tuple[str, str], Array]] = field(default_factory=dict)  # its state before the step, by name
    new: dict[str, dict[tuple[str, str], Array]] = field(default_factory=dict)  # and after it
    params: dict[tuple[str, str], Array] = field(default_factory=dict)  # after the step
    value_after: float | None = None


Slip = Callable[["Running"], None]  # changes copies, so that the step is done wrongly


class Case:
    """Private copies of all that a step needs, as they were when the case was made."""

    def __init__(self, model: Any, x: Array, t: Array, loss: Any, optimizer: Any) -> None:
        self.parts = copies(model, loss, optimizer)
        self.x, self.t = x.copy(), t.copy()
        self.random = random.getstate(), np.random.get_state()

    def run(self, slip: Slip | None = None) -> Record:
        """A step on new copies; done wrongly, if a slip is given."""
        running = Running(*copies(*self.parts))
        with self.same_random_numbers(), np.errstate(all="ignore"):
            return running.step(self.x.copy(), self.t.copy(), slip)

    @contextlib.contextmanager
    def same_random_numbers(self) -> Iterator[None]:
        """Meanwhile the global generators draw what they would have drawn then."""
        now = random.getstate(), np.random.get_state()
        random.setstate(self.random[0])
        np.random.set_state(self.random[1])
        try:
            yield
        finally:
            random.setstate(now[0])
            np.random.set_state(now[1])


class Running:
    """Copies that do one step and are looked at while they do."""

    def __init__(self, model: Any, loss: Any, optimizer: Any) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.ops = backends.of(model)
        self.layers = in_order_of_use(model)
        self.paths = {id(layer): path for path, layer in by_place(model).items()}

    def step(self, x: Array, t: Array, slip: Slip | None) -> Record:
        """The four lines of a training step, and the loss after it."""
        model, loss, optimizer, ops = self.model, self.loss, self.optimizer, self.ops
        self.record = record = Record(x, t)
        if hasattr(loss, "follow"):
            loss.follow(ops)
        if slip is not None:
            slip(self)
        x, t = ops.asarray(x), ops.asarray(t)
        self.made = [(x, "x")]  # the arrays that layers are given, and where they come from
        plain = [(layer, dict(layer.__dict__)) for layer in self.layers]
        for layer in self.layers:
            self.watch(layer)

        y = model.forward(x)
        value = loss.forward(y, t)
        dy = loss.backward()
        record.y, record.value, record.dy = self.kept(y), float(value), self.kept(dy)
        if not self.layers:
            call = Call(model, None, "the model", record.x, record.y, self.whole("params"), record.dy)
            record.calls = record.backwards = [call]
        model.backward(dy)
        if not self.layers:
            call.grads = self.whole("grads")
        if isinstance(loss, SoftmaxCrossEntropy):
            record.p = self.kept(loss.ops.softmax(y.reshape(-1, y.shape[-1])).reshape(y.shape))
        for layer, attributes in plain:
            for name in ("forward", "backward"):
                del layer.__dict__[name]
                layer.__dict__.update({key: value for key, value in attributes.items() if key == name})
        if optimizer is not None:
            self.update()
            record.value_after = float(loss.forward(model.forward(x), t))
        return record

    def kept(self, a: Any) -> Array:
        """A copy of an array of the backend's, as NumPy's."""
        return np.array(self.ops.to_numpy(a))

    def whole(self, name: str) -> dict[str, Array]:
        """The parameters or the gradients of a model without layers, one vector each, if it has them."""
        vector = getattr(self.model, name, None)
        return {} if vector is None else {"params": self.kept(vector)}

    def watch(self, layer: Layer) -> None:
        """From now on, what this layer is given and gives is recorded."""
        forward, backward, record, path = layer.forward, layer.backward, self.record, self.paths[id(layer)]

        def watched_forward(x: Array) -> Array:
            before, again = len(record.calls), sum(call.layer is layer for call in record.calls)
            place = f"layer {path}" + (f" (call {again + 1})" if again else "")
            params = {name: self.kept(layer.arrays[name]) for name in layer.parameters}
            source = next((maker for a, maker in reversed(self.made) if a is x), "")
            given, buffers = self.kept(x), {name: self.kept(layer.arrays[name]) for name in layer.buffers}
            y = forward(x)
            call = Call(layer, path, place, given, self.kept(y), params, source=source, within=record.calls[before:])
            self.made.append((y, place))
            call.kept = {
                name: self.kept(a)
                for name, a in vars(layer).items()
                if name not in ("x", "y") and isinstance(a, self.ops.xp.ndarray)
            }
            call.buffers = {name: (old, self.kept(layer.arrays[name])) for name, old in buffers.items()}
            record.calls.append(call)
            return y

        def watched_backward(dy: Array) -> Array | None:
            given = self.kept(dy)
            dx = backward(dy)
            calls = [call for call in record.calls if call.layer is layer and call.dy is None]
            if calls:
                call = calls[-1]
                call.dy, call.dx = given, None if dx is None else self.kept(dx)
                call.grads = {name: self.kept(layer.arrays["d" + name]) for name in layer.parameters}
                record.backwards.append(call)
            return dx

        layer.__dict__.update(forward=watched_forward, backward=watched_backward)

    def update(self) -> None:
        """The optimizer's step, with its state before and after."""
        record, optimizer = self.record, self.optimizer
        names = [
            name for name in getattr(optimizer, "state", ()) if getattr(getattr(optimizer, name, None), "ndim", 0) == 1
        ]
        record.old = {name: self.split(getattr(optimizer, name)) for name in names}
        optimizer.step()
        record.new = {name: self.split(getattr(optimizer, name)) for name in names}
        record.used, record.params = self.split(self.model.grads), self.split(self.model.params)

    def split(self, vector: Array) -> dict[tuple[str, str], Array]:
        """One of the flat vectors, as the arrays of the layers' parameters."""
        flat, start, found = self.kept(vector), 0, {}
        learned = [layer for layer in all_layers(self.model) if id(layer) in self.paths]
        if not learned or flat.size != sum(layer.arrays[n].size for layer in learned for n in layer.parameters):
            return {("the model", "params"): flat}
        for layer in learned:
            for name in layer.parameters:
                shape, size = layer.arrays[name].shape, layer.arrays[name].size
                found[f"layer {self.paths[id(layer)]}", name] = flat[start : start + size].reshape(shape)
                start += size
        return found
