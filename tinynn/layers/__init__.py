"""The layers: forward beside backward, each a few lines of mathematics.

    y = layer.forward(x)        computes, and remembers what backward needs
    dx = layer.backward(dy)     uses it: writes the gradients of the layer's parameters, returns that of its input
    y = layer(x)                computes, and leaves no trace

The base class keeps x and y as self.x and self.y (layer.py). The ops of a backend do the arithmetic: backends/numpy has
each op with its derivation.
"""

from typing import TYPE_CHECKING

from .. import elsewhere
from . import activations, affine, convolution, dropout, layer, normalization, pooling, residual
from .activations import *  # noqa: F403 (each chapter's layers: a new one is there without being listed)
from .affine import *  # noqa: F403
from .convolution import *  # noqa: F403
from .dropout import *  # noqa: F403
from .layer import *  # noqa: F403
from .normalization import *  # noqa: F403
from .pooling import *  # noqa: F403
from .residual import *  # noqa: F403

__all__: list[str] = []
__all__ += activations.__all__ + affine.__all__ + convolution.__all__ + dropout.__all__ + layer.__all__
__all__ += normalization.__all__ + pooling.__all__ + residual.__all__

if not TYPE_CHECKING:  # else any name would be one
    __getattr__ = elsewhere.asked(__name__)
