"""A record as steps: what is given, forward layer by layer, the loss, backward, the update."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from . import layers, losses
from .formula import Formula, Number, fmt
from .lines import Index, Quantity, Step, shape
from .record import Case, Record
from .updates import Update

# Arrays up to the first number are shown entry by entry, others by so many entries. Beside large arrays less is shown
# of small ones, too: a sheet is for reading.
BUDGETS = (60, 4), (6, 4), (3, 2), (1, 1)
MOST_LINES = 600


def steps_of(case: Case, record: Record) -> list[Step]:
    """The steps, with entries chosen so that a person can read them."""
    _, loss, optimizer = case.parts
    steps = [given(record)]

    def add(phase: str, title: str, layer: int | str | None, quantities: list[Quantity], note: str = "") -> None:
        steps.append(Step(len(steps), phase, title, layer, quantities, note))

    for call in record.calls:
        add("forward", f"{call.place}, {name_of(call.layer)}", call.path, layers.forward(call), about(call.layer))
    add("loss", repr(loss), None, losses.value(loss, record), about(loss))
    place = record.calls[-1].place if record.calls else "the model"
    add("backward", repr(loss), None, [losses.slope(loss, record, place)])
    for call in record.backwards:
        add("backward", f"{call.place}, {name_of(call.layer)}", call.path, layers.backward(call))
    if optimizer is not None:
        for title, path, quantities in updates(case, record):
            add("update", title, path, quantities)
        add("update", *loss_after(record))
    for most, few in BUDGETS:
        for step in steps:
            for quantity in step.quantities:
                quantity.choose(most, few)
        quantities = [quantity for step in steps for quantity in step.quantities]
        some_large = most == BUDGETS[0][0] and not all(quantity.complete for quantity in quantities)
        if not some_large and sum(len(quantity.indices) for quantity in quantities) <= MOST_LINES:
            break
    return steps


def loss_after(record: Record) -> tuple[str, None, list[Quantity]]:
    """The loss of the same batch with the new parameters, beside the one before: title, no layer, the quantity."""
    name, before, after = "L after the step", record.value, record.value_after
    assert before is not None and after is not None
    parts = Number("L", before), Number("change", after - before)
    known = Formula([parts[0], " + ", parts[1]], after, parts)
    law = "L of the same x and t, with the new parameters"
    found = Quantity(name, name, np.array(after), law, "", lambda index: known, dtype=record.x.dtype)
    return f"the loss: {fmt(before, 6)} before the step, {fmt(after, 6)} after it", None, [found]


def given(record: Record) -> Step:
    """What is there before the step: x, t and the parameters."""

    def entry(index: Index) -> Formula:
        return Formula([])

    found = [
        Quantity("x{}", "x", record.x, "x", shape(record.x), entry),
        Quantity("t{}", "t", record.t, "t", shape(record.t), entry),
    ]
    seen = set()
    for call in record.calls:
        if call.path not in seen:
            seen.add(call.path)
            for name, value in call.params.items():
                found.append(Quantity(f"{name}{{}} of {call.place}", name, value, name, shape(value), entry))
    return Step(0, "given", "the batch and the parameters", None, found)


def updates(case: Case, record: Record) -> list[tuple[str, int | str | None, list[Quantity]]]:
    """For each layer with parameters: title, path, what the optimizer's step does to them."""
    optimizer = case.parts[2]
    found: dict[str, list[Quantity]] = defaultdict(list)
    titles: dict[str, tuple[str, int | str | None]] = {}
    order = {call.home: number for number, call in reversed([*enumerate(record.calls)])}
    calls = sorted(record.backwards, key=lambda call: order[call.home])  # of one layer's the last one counts
    last = {(call.home, name): call for call in calls for name in call.grads}
    for slot, call in last.items():
        if slot not in record.params:
            continue
        place, name = slot
        update = Update(optimizer, record, place, name, call.params[name], call.grads[name])
        for quantity in update.quantities():
            quantity.listens_to = call.grads[name]
            found[place].append(quantity)
        titles[place] = f"{place}, {name_of(call.layer)}", call.path
    return [(*titles[place], quantities) for place, quantities in found.items()]


def name_of(layer: Any) -> str:
    """A layer's repr; what has none of its own, its class."""
    if type(layer).__repr__ is object.__repr__:
        return type(layer).__name__
    text = repr(layer)
    return text if len(text) <= 60 else f"{type(layer).__name__}(...)"


def about(thing: Any) -> str:
    """What the docstring of a layer or loss that is not tinynn's says first."""
    kind = type(thing)
    if kind.__module__.startswith(("tinynn.layers.", "tinynn.losses")) or not kind.__doc__:
        return ""
    return " ".join(kind.__doc__.strip().partition("\n\n")[0].split())
