"""Models: layers put together, over one flat vector of parameters."""

from .sequential import Sequential, flatten

__all__ = ["Sequential", "flatten"]
