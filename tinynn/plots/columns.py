"""A network as columns of units: what plots.network draws."""

from __future__ import annotations

from ..checks import Array
from ..layers import Residual
from ..layers.layer import Layer
from ..model import Sequential
from ..nesting import held
from .inputs import matrix


class UnitColumns:
    """Columns of units: how many in each, the weights between each two, the names of what works on each.

    `ways` are those around blocks: from which column to which, and what they are called.
    """

    def __init__(self, layers: list[Layer]) -> None:
        self.widths: list[int] = []
        self.links: list[Array | None] = []
        self.names: list[list[str]] = [[]]
        self.ways: list[tuple[int, int, str]] = []
        for layer in layers:
            self.add(layer)
        if not any(W is not None for W in self.links):
            raise ValueError("model must have a layer with a matrix of weights W (n_in, n_out), and this one has none")

    def add(self, layer: Layer) -> None:
        """A layer, or those in a block one after the other."""
        shortcut = layer.shortcut if isinstance(layer, Residual) else None
        inner = [one for _, one in held(layer) if one is not shortcut]
        if not inner:
            self.add_one(layer)
            return
        start = max(len(self.widths) - 1, 0)
        for one in inner:
            self.add(one)
        name = type(layer).__name__ if shortcut is None else f"+ {type(shortcut).__name__}(x)"
        name = "+ x" if isinstance(layer, Residual) and shortcut is None else name
        if len(self.widths) - 1 > start and not isinstance(layer, Sequential):
            self.ways.append((start, len(self.widths) - 1, name))
        elif not isinstance(layer, Sequential):
            self.names[-1].append(name)

    def add_one(self, layer: Layer) -> None:
        """A layer that holds no others."""
        widths, W = self.widths, matrix(layer)
        width = W.shape[1] if W is not None else _width(layer, widths[-1]) if widths else None
        if W is not None and (not widths or widths[-1] != W.shape[0]):
            if widths:  # a layer before, which does not say its width, has changed it
                self.links.append(None)
                self.names.append([])
            widths.append(W.shape[0])
        if W is None:
            self.names[-1].append(type(layer).__name__)
        if width is not None and widths and (W is not None or width != widths[-1]):
            widths.append(width)
            self.links.append(W)
            self.names.append([])


def _width(layer: Layer, width: int) -> int | None:
    """How many features come out, where the layer says so; of images, their channels."""
    try:
        shape = layer.output_shape((width,))
    except ValueError:  # it takes images
        return layer.n_out or width
    return shape[-1] if shape else None
