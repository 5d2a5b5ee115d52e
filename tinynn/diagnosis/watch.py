"""Watch: a callback that looks at every layer while a network is trained, and stops at the first NaN or infinity.

    watch = Watch()
    model.fit(x, t, loss=loss, optimizer=optimizer, epochs=10, callbacks=[watch])
    print(watch)
    watch.plot()

Before a training, `diagnose` gives the same figures (diagnosis/).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .. import backends, checks
from ..checks import Array
from ..layers import ReLU, Sigmoid, Tanh
from ..layers.layer import Layer
from ..model.any_model import all_layers, in_order_of_use
from ..model.flat_vectors import views
from ..training.callbacks import Run
from ..training.demands import quiet
from .course import Course
from .figures import dead, saturated
from .report import Result, wrapped

Key = tuple[str, Layer | None]  # a tensor of a step: its name, and the layer that it belongs to

COLUMNS = ("epoch", "layer", "name", "mean", "std", "dead", "saturated", "gradient", "update")
FEW_NAMES = 15  # layers whose names stand in full under a plot
EVERY = 10  # steps from one copy of the gradient to the next: it takes as long as a look at all parameters
HELP = (
    "EarlyStopping among the callbacks gives the best epoch's parameters back; "
    "diagnose(model, loss, x, t) looks for the cause"
)


class Watch:
    """Records figures of each layer in each epoch, and ends the training at the first NaN or infinity.

    The figures are of the epoch's last step: `mean` and `std` of y; `dead`, the share of a ReLU's units that are 0 in
    every row; `saturated`, the share of a sigmoid's or tanh's outputs where the slope is next to 0; `gradient`, the
    norm of the gradient of the layer's parameters; `update`, |change| / |parameters|, about 1e-3 in a healthy training
    (Karpathy, CS231n). A figure that a layer does not have is NaN. They are recorded once in `every` epochs. `rows` has
    a dict for each layer and epoch, `to_dict()` the columns.

    After each step, one product tells whether loss, gradients and parameters are finite. If not, Watch looks for the
    first bad tensor in the order of a step: x, y of each layer, the loss, dy, the gradients from the last layer to the
    first, the parameters. The history's `stopped` names it with its last known range: that of the step before, or, for
    the gradient of a parameter, that of one of the last ten steps. A NaN that does not reach the loss, the gradients or
    the parameters is not seen. On a GPU, each step waits for the product.

    `findings` are Results, as in `diagnose`, about how the training is run: a learning rate that a schedule has lowered
    to almost 0, batch normalization with batches of one or two rows, an evaluation that calls `forward` between the
    steps, as training does.
    """

    def __init__(self, every: int = 1) -> None:
        self.every = checks.integer("Watch: every", every, 1)
        self.rows: list[dict[str, Any]] = []
        self.course: Any = None

    def start(self, run: Run) -> None:
        """Forget what was before."""
        self.rows = []
        model = run.model
        own = [model] if isinstance(model, Layer) and model.parameters else []
        self.layers = (*own, *all_layers(model))  # in the order of the vectors
        self.used = tuple(in_order_of_use(model))  # in that of a step: what a block does comes after its layers
        self.params = run.model.params.copy()  # as the last step left them
        self.older = self.params.copy()  # as the step before it did
        self.grads = self.params.copy()  # those of the step `of_step`
        self.of_step = 0
        self.course = Course(model, self.used)
        self.seen: dict[Key, Any] = {}  # the last step's tensors, by reference: every step makes new ones

    def step(self, run: Run) -> None:
        """Look whether all is finite. If so, keep what the next step is compared with."""
        params, grads = run.model.params, run.model.grads
        product = backends.of(run.model).xp.dot(params, grads)  # not finite where one of its numbers is not
        if not math.isfinite(float(run.value) + float(product)):
            fault = self.fault(run)
            if fault:  # else the product was only too large
                run.stop(f"{fault}. {HELP}")
                return
        self.course.step(run)
        self.params, self.older = self.older, self.params
        self.params[...] = params
        self.seen = dict(self.forward(run))
        if run.steps % EVERY == 1:
            self.grads[...] = grads
            self.of_step = run.steps

    def end(self, run: Run) -> None:
        """What callbacks behind this one have done last."""
        self.course.look()

    @property
    def findings(self) -> list[Result]:
        """What is wrong with the way in which the training is run, as Results of `diagnose`."""
        return self.course.findings if self.course else []

    def forward(self, run: Run) -> Iterator[tuple[Key, Any]]:
        """The tensors of the way forward."""
        yield ("x", None), self.used[0].x
        for layer in self.used:
            if layer.y is not None:  # one that the model does not use has none
                yield ("y", layer), layer.y
        yield ("the loss", None), run.value
        yield ("dy of the loss", None), run.loss.backward()

    def backward(self, run: Run) -> list[tuple[Key, Any]]:
        """The tensors of the way back, from going it once more: with the parameters from before the step."""
        found: list[tuple[Key, Any]] = []

        def spied(layer: Layer) -> Callable[[Array], Array | None]:
            def backward(dy: Array) -> Array | None:
                dx = type(layer).backward(layer, dy)
                found.extend((("d" + name, layer), layer.arrays["d" + name].copy()) for name in layer.parameters)
                if dx is not None:
                    found.append((("dx", layer), dx))
                return dx

            return backward

        model = run.model
        params, grads = model.params.copy(), model.grads.copy()
        model.params[...] = self.params
        try:
            for layer in self.used:
                vars(layer)["backward"] = spied(layer)
            model.backward(run.loss.backward())
        finally:
            for layer in self.used:
                vars(layer).pop("backward", None)
            model.params[...], model.grads[...] = params, grads
        return found

    def fault(self, run: Run) -> str:
        """The first tensor of the step that is not finite, in words; empty where all are."""
        ops = backends.of(run.model)

        def tensors() -> Iterator[tuple[Key, Any]]:
            yield from self.forward(run)
            yield from self.backward(run)
            after = [((name, layer), a) for a, name, layer in views(self.layers, run.model.params, run.model.grads)]
            yield from after[1::2]  # gradients that the optimizer has changed
            yield from after[::2]

        for key, a in tensors():
            a = ops.to_numpy(a) if isinstance(a, ops.xp.ndarray) else np.array(a)
            bad = ~np.isfinite(a)
            if bad.any():
                return self.describe(run, key, a, bad)
        return ""

    def describe(self, run: Run, key: Key, a: Array, bad: Array) -> str:
        """What and where it is, and what it was before."""
        (name, layer), ops = key, backends.of(run.model)
        text = f"{'NaN' if np.isnan(a).any() else 'infinity'} in step {run.steps}: {name}"
        if layer is not None:
            text += f" of {layer.where}"
        if a.ndim:
            text += f", {bad.sum():,} of {a.size:,} numbers"
        if name in ("x", "y", "dy of the loss", "dx"):
            text += f", the first in row {np.argwhere(bad)[0][0]} of the batch"
        last, when = self.seen.get(key), run.steps - 1
        for view, parameter, owner in views(self.layers, self.params, self.grads):
            if (parameter, owner) == key:
                last, when = view, self.of_step if parameter.startswith("d") else when
        if last is None or (name.startswith("d") and not when):
            return text
        last = ops.to_numpy(last) if isinstance(last, ops.xp.ndarray) else last
        return f"{text}; {f'in step {when}' if when else 'before'} it lay in {np.min(last):.4g} .. {np.max(last):.4g}"

    def __call__(self, run: Run) -> None:
        """The figures of the epoch."""
        self.course.epoch()
        if run.epoch % self.every:
            return
        ops, start = backends.of(run.model), 0
        for layer in self.layers:
            end = start + sum(layer.arrays[name].size for name in layer.parameters)
            older, params, grads = (ops.to_numpy(a[start:end]) for a in (self.older, self.params, run.model.grads))
            start, size = end, length(older)
            if ("y", layer) not in self.seen:
                continue
            y = ops.to_numpy(self.seen["y", layer])
            with quiet():  # y may hold infinities that a tanh has hidden
                figures = {
                    "mean": float(y.mean(dtype=np.float64)),
                    "std": float(y.std(dtype=np.float64)),
                    "dead": dead(y) if isinstance(layer, ReLU) else math.nan,
                    "saturated": saturated(layer, y) if isinstance(layer, Sigmoid | Tanh) else math.nan,
                    "gradient": length(grads) if len(grads) else math.nan,
                    "update": length(params - older) / size if size else math.nan,
                }
            self.rows.append({"epoch": run.epoch, "layer": layer.place, "name": repr(layer), **figures})

    def to_dict(self) -> dict[str, list[Any]]:
        """Name of the column -> list with an entry for each layer and epoch."""
        return {name: [row[name] for row in self.rows] for name in COLUMNS}

    def __repr__(self) -> str:
        if not self.rows:
            return f"Watch(every={self.every}): no epochs"
        epoch = self.rows[-1]["epoch"]
        head = "".join(f"{name:>10}" for name in COLUMNS[3:])
        lines = [f"{f'epoch {epoch}, layer':<38}{head}"]
        for row in self.rows:
            if row["epoch"] == epoch:
                name = f"{row['layer']:>3}  {row['name']}"
                name = name if len(name) <= 38 else name[:35] + "..."
                lines.append(f"{name:<38}" + "".join(f"{text(column, row[column]):>10}" for column in COLUMNS[3:]))
        return "\n".join(lines + [wrapped(f"[{found.code}] ", f"{found.text}; {found.fix}") for found in self.findings])

    def plot(self, axes: Any = None) -> list[Any]:
        """Four axes, in a list: std of y, share dead or saturated, gradient, update; a line for each layer.

        Raises ValueError where no epoch was seen, or `axes` are not four.
        """
        from matplotlib.ticker import MaxNLocator  # here, since it takes longer to load than all of tinynn

        from ..plots import style

        if not self.rows:
            raise ValueError("Watch: there must be an epoch to draw, not none")
        by_layer: dict[int | str, list[dict[str, Any]]] = {}
        for row in self.rows:
            by_layer.setdefault(row["layer"], []).append(row)
        many = len(by_layer) > FEW_NAMES  # then their names are short, and the picture is higher by these
        ncols, size = (5, 7) if many else (3, None)
        higher = 0.09 * -(-len(by_layer) // ncols) if many else 0.0
        what = "std, dead or saturated, gradient and update"
        panels = style.some_axes(axes, 4, what, (3.6, 2.8 + higher), columns=2)
        for number, rows in enumerate(by_layer.values()):
            look: dict[str, Any] = {
                "color": style.COLOURS[number % len(style.COLOURS)],
                "marker": style.MARKERS[number % len(style.MARKERS)],
                "ls": style.LINES[number // len(style.COLOURS) % len(style.LINES)],
                "ms": 4,
            }
            epochs = [row["epoch"] for row in rows]
            for panel, columns in zip(panels, (("std",), ("dead", "saturated"), ("gradient",), ("update",))):
                for column in columns:
                    values = [row[column] for row in rows]
                    if not all(map(math.isnan, values)):
                        name = rows[0]["name"].partition("(")[0] if many else rows[0]["name"][:24]
                        label = style.plain(f"{rows[0]['layer']}  {name}")
                        panel.plot(epochs, values, label=label, **look)
        titles = ("standard deviation of y", "share dead or saturated", "|gradient|", "|change| / |parameters|")
        for panel, title in zip(panels, titles):
            panel.set(xlabel="epoch", ylabel=title)
            panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            style.bare(panel)
        for panel in panels[2:]:
            panel.set_yscale("log")
        panels[1].set_ylim(0, 1)
        handles, labels = panels[0].get_legend_handles_labels()
        if axes is None:
            style.figure_of(panels[0]).legend(
                handles, labels, loc="outside lower center", ncols=ncols, frameon=False, fontsize=size
            )
        else:
            panels[0].legend(frameon=False)
        return panels


def length(a: Array) -> float:
    """|a|, computed in double precision: squares of float32 soon are too large for it."""
    return float(np.linalg.norm(a.astype(np.float64)))


def text(column: str, value: float) -> str:
    """A figure in nine letters."""
    if math.isnan(value):
        return ""
    return f"{100 * value:.1f} %" if column in ("dead", "saturated") else f"{value:.3g}"
