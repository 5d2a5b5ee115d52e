"""Models: layers put together, over flat vectors."""

from .flat_vectors import flatten
from .model import Model
from .sequential import Sequential

__all__ = ["Model", "Sequential", "flatten"]
