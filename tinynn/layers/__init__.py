"""The layers: forward beside backward, each a few lines of mathematics.

    y = layer.forward(x)        computes, and remembers what backward needs
    dx = layer.backward(dy)     uses it: writes the gradients of the layer's parameters, returns that of its input
    y = layer(x)                computes, and leaves no trace

What all layers share keeps x and y as self.x and self.y (layer.py). The arithmetic is done by the ops of a backend:
backends/numpy has each with its derivation.
"""

from .activations import ELU, GELU, Activation, GELUTanh, LeakyReLU, ReLU, Sigmoid, SiLU, Softplus, Tanh
from .affine import Affine
from .convolution import Conv2D
from .dropout import Dropout
from .layer import Layer
from .normalization import BatchNorm
from .pooling import AvgPool2D, Flatten, GlobalAvgPool, MaxPool2D
from .residual import Residual

__all__ = [
    "ELU", "GELU", "Activation", "Affine", "AvgPool2D", "BatchNorm", "Conv2D", "Dropout", "Flatten", "GELUTanh",
    "GlobalAvgPool", "Layer", "LeakyReLU", "MaxPool2D", "ReLU", "Residual", "SiLU", "Sigmoid", "Softplus", "Tanh",
]  # fmt: skip
