"""explain: one training step as a worksheet, with every formula and the numbers in it."""

from .sheet import Sheet, explain

__all__ = ["Sheet", "explain"]
