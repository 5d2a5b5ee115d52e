"""tinynn: a neural network framework to read from end to end.

    model = Sequential(Affine(784, 256), ReLU(), Affine(256, 10), seed=0)
    loss, optimizer = SoftmaxCrossEntropy(), Adam(model, lr=1e-3)

    y = model.forward(x)                 # one training step
    value = loss.forward(y, t)
    model.backward(loss.backward())
    optimizer.step()

Where to read: layers/ and losses.py for the mathematics, backends/numpy/ for every op with its derivation,
training/loop.py for the loop.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from . import backends, datasets, elsewhere, initializers, layers, metrics
from .initializers import (
    constant,
    kaiming_normal,
    kaiming_uniform,
    normal,
    uniform,
    xavier_normal,
    xavier_uniform,
    zeros,
)
from .layers import *  # noqa: F403 (a new one is there without being listed)
from .losses import MAE, MSE, BinaryCrossEntropy, GaussianNLL, Huber, Loss, SoftmaxCrossEntropy
from .metrics import accuracy
from .model import Model, Sequential, flatten
from .optimizers import SGD, Adam, Optimizer, RMSProp
from .training import EarlyStopping, History, LearningRate, callbacks, evaluate, fit, minibatches

__version__ = "0.1.0"  # of the installed package as well: setup.cfg reads this line

sys.modules[f"{__name__}.callbacks"] = callbacks  # from tinynn.callbacks import cosine, as its public name says

if TYPE_CHECKING:
    from . import plots, teach
    from .bridges import Parallel, from_onnx, to_onnx
    from .diagnosis import Watch, diagnose
    from .saving import Checkpoint, CheckpointError, load, load_into, load_weights, save, save_weights
    from .teach import check, check_layer, check_loss, check_optimizer, explain

__all__ = [
    "MAE", "MSE", "SGD", "Adam", "BinaryCrossEntropy", "Checkpoint", "CheckpointError", "EarlyStopping", "GaussianNLL",
    "History", "Huber", "LearningRate", "Loss", "Model", "Optimizer", "Parallel", "RMSProp", "Sequential",
    "SoftmaxCrossEntropy", "Watch", "accuracy", "backends", "callbacks", "check", "check_layer", "check_loss",
    "check_optimizer", "constant", "datasets", "diagnose", "evaluate", "explain", "fit", "flatten", "from_onnx",
    "initializers", "kaiming_normal", "kaiming_uniform", "load", "load_into", "load_weights", "metrics", "minibatches",
    "normal", "plots", "save", "save_weights", "teach", "to_onnx", "uniform", "xavier_normal", "xavier_uniform",
    "zeros",
]  # fmt: skip
__all__ += layers.__all__


LATER = {  # room -> the public names in it that are loaded when they are first asked for
    "bridges": ("Parallel", "from_onnx", "to_onnx"),
    "diagnosis": ("Watch", "diagnose"),
    "saving": ("Checkpoint", "CheckpointError", "load", "load_into", "load_weights", "save", "save_weights"),
    "teach": ("check", "check_layer", "check_loss", "check_optimizer", "explain"),
    "plots": (),
    "sklearn": (),  # not in __all__: `from tinynn import *` must work without scikit-learn
}


_not_here = elsewhere.asked(__name__, depth=2)


def __getattr__(name: str) -> Any:
    """What checks, explains, draws and saves is loaded when it is first asked for: training needs none of it."""
    if name in LATER:
        return importlib.import_module(f".{name}", __name__)
    for room, names in LATER.items():
        if name in names:
            return getattr(importlib.import_module(f".{room}", __name__), name)
    return _not_here(name)


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
