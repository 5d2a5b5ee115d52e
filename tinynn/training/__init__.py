"""Training: the loop of four lines, its history, what is called after an epoch, and what it demands of data."""

from .batches import minibatches
from .callbacks import EarlyStopping, LearningRate
from .history import History
from .loop import evaluate, fit

__all__ = ["EarlyStopping", "History", "LearningRate", "evaluate", "fit", "minibatches"]
