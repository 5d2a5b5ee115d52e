"""How a network trains, epoch by epoch and step by step, and whether its gradient is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, PowerNorm
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from .. import checks
from ..backends import numpy as numpy_ops
from ..checks import Array
from ..model.any_model import by_place
from ..training.callbacks import Run
from ..training.history import History
from .inputs import LARGEST, named, numbers, real_array
from .style import BLUE, COLOURS, GREY, LINES, MARKERS, VERMILLION, bare, figure_of, one_axes, plain, some_axes

HALO = withStroke(linewidth=3, foreground="white")  # a line with it is seen on any colour

# --- epochs ----------------------------------------------------------------------------------------------------------


def learning_curves(
    history: History, axes: Sequence[Axes] | None = None, names: tuple[str, str] = ("training", "validation")
) -> list[Axes]:
    """The loss, and all else that was recorded but the seconds, epoch by epoch: an axes for each, in a list.

    The training curve is a mean over the epoch, while the parameters move; the validation curve is of its end. So
    validation may look better in the first epochs. A second run's curves, drawn into the axes of the first, go on
    where those end.
    """
    if not isinstance(history, History):
        raise TypeError(f"history must be a History, such as fit returns, not {checks.describe(history)}")
    if not isinstance(names, tuple | list) or len(names) != 2 or not all(isinstance(name, str) for name in names):
        raise TypeError(f"names must be two, of training and validation, not {checks.describe(names)}")
    if len(history) == 0:
        raise ValueError("history must have at least one epoch, not none")
    recorded = [name.removeprefix("val_") for name in history.to_dict() if name != "seconds"]
    quantities = sorted(dict.fromkeys(recorded), key=lambda name: name != "loss")
    if not quantities:
        raise ValueError("history must have a loss or another quantity, not seconds alone")
    panels = some_axes(axes, len(quantities), " and ".join(quantities), (3.4, 3.0), 2 if len(quantities) < 5 else 3)
    epochs = range(history.first + 1, history.first + len(history) + 1)
    for panel, quantity in zip(panels, quantities):
        if quantity in history:
            label = plain(f"{names[0]}, epoch's mean")
            panel.plot(epochs, history[quantity], "o-", color=BLUE, markersize=4, label=label)
        if f"val_{quantity}" in history:
            label = plain(f"{names[1]}, epoch's end")
            panel.plot(epochs, history[f"val_{quantity}"], "s--", color=VERMILLION, markersize=4, label=label)
        panel.set(xlabel="epoch", ylabel=plain(quantity))
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
        panel.grid(alpha=0.3)
        lines, labels = panel.get_legend_handles_labels()
        once = dict(zip(labels, lines))
        panel.legend(once.values(), once.keys(), frameon=False)
        bare(panel)
        if quantity.endswith("accuracy"):
            panel.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    return panels


class Spread(NamedTuple):
    """How numbers are spread: `counts` of the `n` between `edges`; of zeros there are none on a logarithmic scale."""

    counts: Array
    edges: Array
    n: int
    mean: float
    std: float


Place = int | str  # of a layer in its model


class Histograms:
    """A callback that keeps how each layer's outputs y and gradients dW are spread, in each epoch's last batch.

        recorder = plots.Histograms()
        model.fit(..., callbacks=[recorder])
        plots.histograms(recorder, "dW")

    `y` and `dW` are dicts: a layer's place, 2, or "3.1" of one within layer 3 -> a list with a Spread for each epoch;
    that of dW is of log10 |dW|, its mean and std are of dW. `epochs` are the epochs' numbers. A second `fit` with the
    same optimizer goes on in the same record, else it begins anew.
    """

    def __init__(self, bins: int = 60) -> None:
        self.bins = checks.integer("Histograms: bins", bins, 1)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.model: Any = None
        self.epochs: list[int] = []
        self.names: dict[Place, str] = {}
        self.y: dict[Place, list[Spread]] = {}
        self.dW: dict[Place, list[Spread]] = {}

    def start(self, run: Run) -> None:
        """Begin anew, unless the run goes on where the last one stopped."""
        if not by_place(run.model):
            raise TypeError(f"model must have layers, not be {checks.describe(run.model)}")
        if run.model is not self.model or self.epochs[-1:] != [run.epoch]:
            self.clear()
        self.model = run.model

    def __call__(self, run: Run) -> None:
        self.epochs.append(run.epoch)
        for place, layer in by_place(run.model).items():
            if layer.y is None:  # a layer that the model does not use
                continue
            to_numpy = layer.ops.to_numpy
            self.names[place] = type(layer).__name__
            self.y.setdefault(place, []).append(_spread(to_numpy(layer.y), self.bins))
            if "W" in layer.parameters:
                self.dW.setdefault(place, []).append(_spread(to_numpy(layer.arrays["dW"]), self.bins, True))


def _spread(a: Array, bins: int, logarithmic: bool = False) -> Spread:
    """The histogram of what is finite in a."""
    a = a.astype(float)
    a = a[abs(a) < LARGEST]  # NaN is not
    shown = np.log10(abs(a[a != 0])) if logarithmic else a
    counts, edges = np.histogram(shown, bins)
    return Spread(counts, edges, a.size, float(a.mean()) if a.size else 0.0, float(a.std()) if a.size else 0.0)


def histograms(
    recorder: Histograms, what: str = "dW", layers: Sequence[Place] | None = None, axes: Sequence[Axes] | None = None
) -> list[Axes]:
    """How the outputs ("y") or the gradients ("dW") of each layer are spread, epoch by epoch: an axes for each layer.

    The darker, the more of the layer's numbers lie there; lines are at the mean and one standard deviation from it, for
    gradients at the root of their mean square. Gradients are on a logarithmic scale: where they vanish, each layer
    stands lower than the one behind it. `layers` are the places of those to be drawn, 2 or "3.1" (None: all). The
    picture is cut off where, in each epoch of each layer, no more than 0.3 % of the numbers lie beyond.
    """
    if not isinstance(recorder, Histograms):
        raise TypeError(f"recorder must be a Histograms, not {checks.describe(recorder)}")
    if checks.text("what", what) not in ("y", "dW"):
        raise ValueError(f"what must be 'y' or 'dW', not {what!r}")
    if not recorder.epochs:
        raise ValueError("recorder must have seen an epoch: model.fit(..., callbacks=[recorder])")
    record: dict[Place, list[Spread]] = getattr(recorder, what)
    if layers is None:
        layers = list(record)
    if not isinstance(layers, Sequence) or not layers or not all(type(k) in (int, str) and k in record for k in layers):
        raise ValueError(f"layers must be some of {', '.join(map(str, record))}, not {checks.describe(layers)}")

    panels = some_axes(axes, len(layers), "the layers", (max(1.1, 6.9 / len(layers)), 2.7), sharey=True)
    drawn = [spread for k in layers for spread in record[k] if spread.counts.any()]
    low = min([_quantile(spread, 0.003) for spread in drawn], default=0.0)
    high = max([_quantile(spread, 0.997) for spread in drawn], default=1.0)
    edges = np.linspace(low, high, recorder.bins + 1)
    shares = {k: np.stack([_rebinned(spread, edges) for spread in record[k]], axis=1) for k in layers}
    norm = PowerNorm(0.5, 0, max(share.max() for share in shares.values()) or 1.0)
    sides = np.array(recorder.epochs[:1] + [epoch + 1 for epoch in recorder.epochs]) - 0.5
    for panel, k in zip(panels, layers):
        image = panel.pcolormesh(sides, edges, shares[k], cmap="Blues", norm=norm, rasterized=True)
        panel.set_facecolor(image.cmap(0.0))
        mean, std = (np.array([getattr(spread, name) for spread in record[k]]) for name in ("mean", "std"))
        rms, marker = np.hypot(mean, std), "o" if len(mean) == 1 else ""
        if what == "dW":
            lines = [np.log10(rms, where=rms > 0, out=np.full(len(rms), np.nan))]
        else:
            lines = [mean, mean - std, mean + std]
        for line, style in zip(lines, ("-", "--", "--")):
            panel.plot(recorder.epochs, line, style, color="black", linewidth=1.2, path_effects=[HALO], marker=marker)
        panel.set(xlabel="epoch", title=f"{k} {recorder.names[k]}", xlim=(sides[0], sides[-1]), ylim=(low, high))
        panel.title.set_fontsize(10)
        panel.xaxis.set_major_locator(MaxNLocator(3, integer=True, min_n_ticks=1))
        if what == "dW":
            panel.yaxis.set_major_locator(MaxNLocator(integer=True))
            panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"1e{value:g}"))
    panels[0].set_ylabel("|dW|; line: root mean square" if what == "dW" else "y; lines: mean, mean ± std")
    percent = PercentFormatter(1, symbol=" %")
    figure_of(panels[0]).colorbar(image, ax=panels, label="share of the numbers", format=percent)
    return panels


def _quantile(spread: Spread, share: float) -> float:
    """The value that this share of the numbers in the histogram lies below."""
    below = np.concatenate([[0], np.cumsum(spread.counts)]) / spread.counts.sum()
    return float(np.interp(share, below, spread.edges))


def _rebinned(spread: Spread, edges: Array) -> Array:
    """The share of the numbers between each two of other edges, as if those in a bin were spread evenly over it."""
    below = np.concatenate([[0], np.cumsum(spread.counts)]) / max(spread.n, 1)
    return np.diff(np.interp(edges, spread.edges, below))


# --- steps -----------------------------------------------------------------------------------------------------------


class Point:
    """Two parameters and their gradient: enough of a model for an optimizer."""

    ops = numpy_ops

    def __init__(self, start: Array) -> None:
        self.params, self.grads = start.astype(float), np.zeros(2)


def paths(
    surface: Callable[[Array], tuple[float, Array]],
    optimizers: Mapping[str, Callable[[Any], Any]],
    start: Array,
    steps: int = 50,
    axes: Axes | None = None,
) -> Axes:
    """The way that each optimizer takes in so many steps, from `start` (2,), over the loss of two parameters.

    surface(w) is the loss at w (2,) and its gradient (2,). `optimizers` is a dict name -> function of a model, such as
    {"SGD": lambda model: SGD(model, lr=0.1)}. The picture reaches as far as the paths do where the loss is no higher
    than at the start; a path that leaves it has diverged. The darker, the higher the loss.
    """
    if isinstance(surface, type) or not callable(surface):
        raise TypeError(f"surface must be a function w -> (loss, gradient), not {checks.describe(surface)}")
    makers = named("optimizers", optimizers, "function of a model")
    if numbers("start", start, 1).shape != (2,):
        raise ValueError(f"start must be two numbers, not of shape {start.shape}")
    steps = checks.integer("steps", steps, 1)
    if not abs(_at(surface, start.astype(float))[0]) < LARGEST:
        raise ValueError(f"start must be where the loss is a number, not {start}")
    tracks = {name: _walk(surface, name, make, start, steps) for name, make in makers.items()}

    everywhere = np.concatenate(list(tracks.values()))
    inside = everywhere[everywhere[:, 2] <= everywhere[0, 2], :2]
    low, high = inside.min(axis=0), inside.max(axis=0)
    margin = 0.15 * np.where(high > low, high - low, 1.0)
    axes = one_axes(axes, (6.6, 4.6))
    columns, rows = (np.linspace(a, b, 80) for a, b in zip(low - margin, high + margin))
    with np.errstate(all="ignore"):
        field = np.array([[_at(surface, np.array([a, b]))[0] for a in columns] for b in rows])
    field[~(abs(field) < LARGEST)] = np.nan
    lowest, highest = np.nanmin(field), np.nanmax(field)
    if highest > lowest:
        levels = lowest + (highest - lowest) * np.linspace(0, 1, 11) ** 3  # close at the bottom, where paths end
        greys = ListedColormap(np.linspace(1, 0.75, 10)[:, None].repeat(3, axis=1))
        norm = BoundaryNorm(levels, 10)
        image = axes.contourf(columns, rows, field, levels=levels, cmap=greys, norm=norm)
        axes.contour(columns, rows, field, levels=levels, colors=GREY, linewidths=0.5)
        figure_of(axes).colorbar(image, ax=axes, label="loss", format="%.2g")
    for (name, track), colour, marker, line in zip(tracks.items(), COLOURS, MARKERS, LINES):
        label = plain(f"{name}: loss {track[-1, 2]:.2g}")
        a, b = track[:, 0], track[:, 1]
        axes.plot(a, b, color=colour, linestyle=line, marker=marker, markersize=3.5, linewidth=1.4, label=label)
        axes.plot(a[-1:], b[-1:], marker, color=colour, markersize=10, markeredgecolor="black", zorder=4)
    axes.plot(*start, "o", color="black", markersize=9, zorder=5, label="start")
    axes.set(xlabel="$w_1$", ylabel="$w_2$", xlim=columns[[0, -1]], ylim=rows[[0, -1]])
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False, fontsize=9, columnspacing=1)
    return axes


def _walk(surface: Any, name: str, make: Any, start: Array, steps: int) -> Array:
    """The points (w_1, w_2, loss) from the start on, (steps + 1, 3) or, where the path diverges, fewer."""
    point = Point(start)
    if not callable(make) or not hasattr(optimizer := make(point), "step"):
        raise TypeError(f"optimizers[{name!r}] must be a function that makes an optimizer, not {checks.describe(make)}")
    value, point.grads[...] = _at(surface, point.params)
    track = [[*point.params, value]]
    with np.errstate(all="ignore"):  # a path that diverges
        for _ in range(steps):
            optimizer.step()
            if not (abs(point.params) < LARGEST).all():
                break
            value, point.grads[...] = _at(surface, point.params)
            track.append([*point.params, value])
    return np.array(track)


def _at(surface: Any, w: Array) -> tuple[float, Array]:
    """The loss and its gradient at w, checked."""
    result = surface(w.copy())
    value, gradient = result if isinstance(result, tuple) and len(result) == 2 else (None, np.zeros(0))
    if not isinstance(value, Real) or type(gradient) is not np.ndarray or gradient.shape != (2,):
        expected = "(loss, gradient), a number and an array (2,)"
        raise TypeError(f"surface must return {expected}, not {checks.describe(result)}")
    return float(value), gradient


def check_sweep(errors: Mapping[str, tuple[Array, Array]], axes: Axes | None = None) -> Axes:
    """The error of a gradient check against its step size h, both on logarithmic scales: name -> (h, error), each (n,).

    Central differences are wrong by about h^2 (the Taylor series breaks off) plus eps / h (rounding, eps = 2e-16 in
    float64). So beside a right gradient the error is a V with its point near h = 1e-5. A gradient that is wrong cannot
    come below its own relative error: a plateau. Beside a kink, such as ReLU's, the difference steps over it as soon as
    h is large enough: a cliff. Errors of exactly 0 have no place on the scale, nor have NaN and infinity.

    Source of the V: Press et al. 2007, Numerical Recipes, section 5.7.
    """
    curves = named("errors", errors, "pair (h, error)")
    for name, pair in curves.items():
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError(f"errors[{name!r}] must be a pair (h, error), not {checks.describe(pair)}")
        h, error = numbers(f"errors[{name!r}]: h", pair[0], 1), real_array(f"errors[{name!r}]: error", pair[1], 1)
        if h.shape != error.shape or not (h > 0).all() or (error < 0).any() or not _drawn(error).any():
            expected = "step sizes above 0 and as many errors, none below 0 and some above"
            raise ValueError(f"errors[{name!r}] must be {expected}, not {checks.describe(pair)}")
    axes = one_axes(axes, (5.6, 4.0))
    axes.set(xscale="log", yscale="log", xlabel="step size h", ylabel="relative error")
    for (name, (h, error)), colour, marker, line in zip(curves.items(), COLOURS, MARKERS, LINES):
        order = np.argsort(h)
        shown = np.where(_drawn(error), error, np.nan)[order]
        axes.plot(h[order], shown, color=colour, linestyle=line, marker=marker, markersize=4, label=plain(name))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(numticks=9))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"1e{round(np.log10(value))}"))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    bare(axes)
    return axes


def _drawn(error: Array) -> Array:
    """Which errors have a place on a logarithmic scale."""
    return (error > 0) & (error < LARGEST)
