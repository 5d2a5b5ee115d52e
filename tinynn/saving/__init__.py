"""Saving: checkpoints to go on from, and weights for other programs."""

from .checkpoint import Checkpoint, load, load_into, save
from .files import CheckpointError
from .weights import load_weights, save_weights

__all__ = ["Checkpoint", "CheckpointError", "load", "load_into", "load_weights", "save", "save_weights"]
