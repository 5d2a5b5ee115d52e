"""Models: layers put together, over flat vectors."""

from .model import Model
from .sequential import Sequential
from .vectors import flatten

__all__ = ["Model", "Sequential", "flatten"]
