"""Training: the loop of four lines, its history, the callbacks after each epoch, and the checks of its arguments."""

from .batches import minibatches
from .callbacks import EarlyStopping, LearningRate
from .history import History
from .loop import evaluate, fit

__all__ = ["EarlyStopping", "History", "LearningRate", "evaluate", "fit", "minibatches"]
