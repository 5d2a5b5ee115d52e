"""explain: the record of one training step as a worksheet."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ... import checks, elsewhere
from ...checks import Array
from ...layers.layer import Layer
from ...losses import Loss
from ...model.any_model import by_place
from .lines import DIGITS, Index, Line, Quantity, Step, bracket
from .record import Case, Record
from .steps import steps_of


@elsewhere.called_as("explain(model, x, t, loss) or explain(model, x, t, loss, optimizer)")
def explain(model: Any, x: Array, t: Array, loss: Any, optimizer: Any = None) -> Sheet:
    """One training step in full, forward, loss, backward and update, as a Sheet that prints.

    x (N, ..., D) and t as for `fit`; without an optimizer there is no update. The numbers are those of the real layers,
    run on copies: model, loss, optimizer and random numbers stay as they are. `model` is a Sequential, or a class of
    one's own with forward and backward and layers in it; one without layers is shown as one box.

    Raises TypeError or ValueError where the parts do not fit each other.
    """
    for thing, part, methods in (
        ("model", model, ("forward", "backward")),
        ("loss", loss, ("forward", "backward")),
        ("optimizer", optimizer, ("step",)),
    ):
        if part is None and thing == "optimizer":
            continue
        if isinstance(part, type) or not all(callable(getattr(part, name, None)) for name in methods):
            hint = checks.class_hint(part) or elsewhere.hint(part)
            if isinstance(part, np.ndarray):
                hint = ": the order is explain(model, x, t, loss, optimizer)"
            raise TypeError(f"{thing} must have {' and '.join(methods)}, not be {checks.describe(part)}{hint}")
    if isinstance(model, Loss) or (isinstance(model, Layer) and model.ops is None):
        hint = f": Sequential({model!r}, seed=0) is one" if isinstance(model, Layer) else ""
        raise TypeError(f"model must be one that has its weights, not {checks.describe(model)}{hint}")
    if optimizer is not None and getattr(optimizer, "model", model) is not model:
        raise ValueError(f"optimizer must be one of this model, not of another: {checks.describe(optimizer)}")
    checks.float_array("x", x, np)
    if type(t) is not np.ndarray or t.ndim == 0 or len(t) != len(x):
        expected = f"a numpy array with a row for each of the {len(x)} rows of x"
        raise TypeError(f"t must be {expected}, not {checks.describe(t)}{checks.as_array('t', t)}")
    for path, layer in by_place(model).items():
        if layer.ops is None:
            hint = "use Sequential, or tinynn.flatten in a class of your own"
            raise ValueError(f"layer {path}, {layer!r}: must have its weights before it is explained: {hint}")
    return Sheet(Case(model, x, t, loss, optimizer))


class Sheet:
    """The record of one training step. Prints as a text of up to 100 columns; `for step in sheet` gives its steps.

    sheet.step(3)                               the third step
    sheet.layer(2), sheet.layer("3.1")          what concerns layer 2, or layer 1 of the block that is layer 3
    sheet["dL/dW[0,1] of layer 1"]              one number, with its formula; of any entry, also of those not printed
    sheet.known(3)                              all arrays after the third step, None where not computed yet
    sheet.nudge("W[0,1] of layer 1")            its gradient, measured
    sheet.quiz(), sheet.grade({...})            to fill in by hand
    sheet.to_html("step.html"), to_latex()      to look at, to print
    """

    def __init__(self, case: Case, record: Record | None = None, steps: list[Step] | None = None) -> None:
        self.case = case
        self.record = case.run() if record is None else record
        self.all_steps = steps_of(case, self.record) if steps is None else steps
        self.steps = self.all_steps

    @property
    def title(self) -> str:
        """What is explained."""
        model, loss, optimizer = self.case.parts
        parts = [repr(loss), *([repr(optimizer)] if optimizer is not None else [])]
        text = (
            " ".join(repr(model).split()).replace("( ", "(").replace(", )", ")")
            if type(model).__repr__ is not object.__repr__
            else type(model).__name__
        )
        return f"One training step of {text} with {' and '.join(parts)}"

    @property
    def intro(self) -> list[str]:
        """How to read it."""
        x, t = self.record.x, self.record.t
        lines = [
            f"x {x.shape}, t {t.shape}, {x.dtype}. A layer's x is the y of the layer before it, and its dL/dx that"
        ]
        lines[0] += " layer's dL/dy. Layers count from 1, entries from 0; [n,j] is row n, column j."
        if any("." in call.place for call in self.record.calls):
            lines.append(
                "Layer 3.1 is the first layer of the block that is layer 3; what the block itself does follows."
            )
        digits = DIGITS.get(str(x.dtype), 8)
        lines.append(f"Numbers are printed in {digits} digits, the terms of a sum in so many that they add up.")
        if any(not quantity.complete for step in self.steps for quantity in step.quantities):
            lines.append("Of large arrays: shape, statistics, some entries and the largest one.")
        return lines

    # --- parts of it ---

    def __len__(self) -> int:
        """The number of steps; that which is given, step 0, is not counted."""
        return sum(step.number > 0 for step in self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def step(self, k: int) -> Step:
        """The k-th step, from 1; 0 is what is given."""
        numbers = [step.number for step in self.all_steps]
        k = checks.integer("step", k, 0)
        if k not in numbers:
            raise ValueError(f"step must be a number from 0 to {numbers[-1]}, not {checks.describe(k)}")
        return self.all_steps[k]

    def layer(self, path: int | str) -> Sheet:
        """The sheet of one layer alone, by its path, 2 or "3.1": forward, backward and update, and the layers in it."""
        name = path if isinstance(path, str) else str(checks.integer("layer", path, 1))
        wanted = [step for step in self.all_steps if f"{step.layer}.".startswith(f"{name}.")]
        if not wanted:
            known = ", ".join(dict.fromkeys(str(step.layer) for step in self.all_steps if step.layer is not None))
            raise ValueError(f"layer must be one of {known}, not {checks.describe(path)}")
        part = Sheet(self.case, self.record, self.all_steps)
        part.steps = wanted
        return part

    @property
    def lines(self) -> list[Line]:
        """A line for each number, in the order of computing; those of step 0 are given."""
        return [line for step in self.steps for line in step.lines]

    @functools.cached_property
    def quantities(self) -> dict[str, Quantity]:
        """Every array, by its name."""
        found = {quantity.key.format(""): quantity for step in self.all_steps for quantity in step.quantities}
        return found | {name: found[other] for name, other in self.aliases.items() if other in found}

    @property
    def aliases(self) -> dict[str, str]:
        """Second names: a layer's dL/dx is the dL/dy of the layer before it, and of the last one in it, if a block."""
        record, found = self.record, {}
        made = [(f"dL/dy of {call.place}", record.dy) for call in record.calls[-1:]]
        for call in record.backwards:
            for name, dx in reversed(made):
                if np.array_equal(dx, call.dy, equal_nan=True):  # type: ignore[arg-type]
                    found[f"dL/dy of {call.place}"] = name
                    break
            made += [] if call.dx is None else [(f"dL/dx of {call.place}", call.dx)]
        return found

    def __getitem__(self, name: str) -> Line:
        """The line of a number by its name, such as "dL/dW[0,1] of layer 2". Raises KeyError."""
        quantity, index = self.find(name)
        return quantity.line(index)

    def find(self, name: str) -> tuple[Quantity, Index]:
        """The array and the index that a name means."""
        if not isinstance(name, str):
            raise TypeError(f"name must be a text such as 'dL/dW[0,1] of layer 2', not {checks.describe(name)}")
        before = name.rpartition(" of ")[0] or name  # a path may have brackets, too: "W[0,1] of layer blocks[0]"
        inside = re.search(r"\[([\d, ]+)\]", before)
        index = tuple(int(i) for i in inside[1].split(",")) if inside else ()
        key = " ".join((name[: inside.start()] + name[inside.end() :] if inside else name).split())
        quantity = self.quantities.get(key)
        if quantity is None:
            raise KeyError(f"the sheet has no {key!r}{self._near(key)}; sheet.quantities has all names")
        a = quantity.array
        if a is not None and (len(index) != a.ndim or any(i >= n for i, n in zip(index, a.shape))):
            first = (
                key.replace(" of ", f"[{','.join('0' * a.ndim)}] of ", 1)
                if " of " in key
                else f"{key}[{','.join('0' * a.ndim)}]"
            )
            got = f"no entry {bracket(index) or 'without an index'}"
            raise KeyError(f"{key} has the shape {a.shape}, and {got}: its first one is {first!r}")
        return quantity, index

    def _near(self, key: str) -> str:
        """Up to three names that have this one in them, or are spelled nearly so."""
        name = key.partition(" of ")[0].rstrip("0123456789")
        near = [other for other in self.quantities if name and name in other.partition(" of ")[0]]
        near = near[:3] or difflib.get_close_matches(key, self.quantities, 3)
        return f": near to it are {', '.join(map(repr, near))}" if near else ""

    def known(self, k: int) -> dict[str, Array | None]:
        """Every array by its name as after step k: None where it has not been computed yet, never 0."""
        k = self.step(k).number
        return {
            quantity.key.format(""): quantity.array if step.number <= k else None
            for step in self.all_steps
            for quantity in step.quantities
        }

    # --- to look at ---

    def text(self, width: int = 100) -> str:
        """The sheet as a text of so many columns, 60 or more."""
        from .text import sheet_text

        return sheet_text(self, checks.integer("width", width, 60))

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def to_latex(self) -> str:
        """The sheet for a LaTeX document with amsmath: an align* for each step."""
        from .latex import sheet_latex

        return sheet_latex(self)

    def to_html(self, path: Any = None) -> str | None:
        """The sheet as one page to walk through, step by step: the text, or None where it is written to a `path`."""
        from ...saving.files import place
        from .page import page

        if path is None:
            return page(self)
        Path(place(path)).write_text(page(self), encoding="utf-8")  # the text would fill the screen of a prompt
        return None

    def _repr_html_(self) -> str:
        """For notebooks: the page in a frame of its own."""
        from .page import frame

        return frame(self)

    # --- to work with ---

    def nudge(self, name: str, h: float | None = None) -> Any:
        """Measure the gradient of a parameter, such as "W[0,1] of layer 2": the loss with it h less and h more."""
        from .nudge import nudge

        return nudge(self, name, h)

    def quiz(self, count: int = 8, seed: int | None = None) -> Any:
        """The sheet with `count` numbers hidden, to be computed by hand."""
        from .quiz import quiz

        return quiz(self, count, seed)

    def grade(self, answers: Mapping[str, float]) -> Any:
        """Which answers, a dict name -> number, are right; of wrong ones what gives that number, where it is known."""
        from .grade import grade

        return grade(self, answers)
