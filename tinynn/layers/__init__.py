"""The layers: forward beside backward, each a few lines of mathematics.

    y = layer.forward(x)        computes, and remembers what backward needs
    dx = layer.backward(dy)     uses it: writes the gradients of the layer's parameters, returns that of its input
    y = layer(x)                computes, and leaves no trace

What all layers share keeps x and y as self.x and self.y (layer.py). The arithmetic is done by the ops of a backend:
backends/numpy has each with its derivation.
"""

from .activations import Activation, ReLU, Sigmoid, Tanh
from .affine import Affine
from .layer import Layer

__all__ = ["Activation", "Affine", "Layer", "ReLU", "Sigmoid", "Tanh"]
