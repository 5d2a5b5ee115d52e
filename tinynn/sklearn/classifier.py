"""The classifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from .. import checks
from ..checks import Array
from ..losses import Loss, SoftmaxCrossEntropy
from .estimator import NetworkEstimator


@dataclass(kw_only=True, eq=False, repr=False)
class NetworkClassifier(ClassifierMixin, NetworkEstimator):
    """A network that classifies rows, trained with softmax cross-entropy.

    Parameters
    ----------
    hidden : tuple of int, 1 or more, default (100,)
        The units of each hidden layer; () is a linear model. Weights start Xavier uniform, biases 0.
    activation : str or class, default "relu"
        What follows each hidden layer: "relu", "leaky_relu", "elu", "gelu", "silu", "softplus", "sigmoid", "tanh", or a
        class such as tinynn.GELU, or a function without arguments that returns a layer.
    dropout : float in [0, 1), default 0
        The share of hidden units that a training step drops.
    batch_norm : bool, default False
        Whether a BatchNorm comes before each activation. A batch of one row has no variance: where one would be left,
        the batches take the next larger number of rows that leaves none.
    build : function (shape, n_out) -> model, default None
        Makes any other tinynn model, in place of the four parameters above. It is called with the shape of one example
        and the number of classes. Its weights are drawn by `random_state`, unless it gives a seed of its own; dtype and
        backend are the estimator's.
    shape : tuple of int, default None
        With `build`, the shape that each row of X is given, such as (28, 28, 1) for images in 784 columns.
    optimizer : str or class, default "adam"
        "adam", "sgd", "rmsprop", or a class or function that is called with (model, lr=lr, weight_decay=weight_decay),
        such as functools.partial(tinynn.SGD, momentum=0.9).
    lr : float, 0 or more, default 1e-3
        The learning rate.
    weight_decay : float, 0 or more, default 0
        How strongly weights are pulled towards 0, as the optimizer defines it.
    epochs : int, 1 or more, default 100
        How often `fit` goes through the rows.
    batch_size : int, 1 or more, default 32
        The rows of one step.
    early_stopping : bool, default False
        Whether `fit` holds rows back, the share `validation_fraction` of each class. It then stops when the loss on
        them has not decreased for `patience` epochs, and restores the best epoch. These rows have no weights.
    patience : int, 1 or more, default 10
    validation_fraction : float in (0, 1), default 0.1
    callbacks : list of functions, default ()
        They are called after each epoch, such as tinynn.LearningRate(tinynn.callbacks.cosine(1e-3, 100)).
    class_weight : dict label -> number, "balanced" or None, default None
        The weight of the rows of each class (1 for a class that the dict leaves out); "balanced" gives each class the
        same sum, with the sample weights included. It is multiplied with `sample_weight`.
    random_state : int, RandomState or None, default None
        Fixes the first weights, the order of rows, dropout and the rows that are held back: the same int gives the same
        bits.
    backend : "numba", "numpy", "cupy" or None, default None
        What does the arithmetic; None is tinynn's default.
    verbose : bool, default False
        Whether each epoch is shown.

    Attributes
    ----------
    classes_ : array of the labels, sorted; columns of scores and probabilities are in this order
    model_ : Sequential, the network (`print(est.model_.summary())`, `tinynn.save`)
    optimizer_ : its optimizer
    history_ : tinynn.History, the record of `fit` and of each partial_fit after it; its `plot` draws the curves
    n_features_in_, feature_names_in_ : the number of columns of X, and their names where X has them

    The network is in the dtype of X where that is float32 or float64, else in float64: float32 trains faster. Scale X
    first, as with a StandardScaler. Ctrl-C raises KeyboardInterrupt, so that a search ends, too; the estimator keeps
    the epochs that were done.
    """

    class_weight: Mapping[Any, float] | str | None = None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train a new network on rows X (N, D) with labels y (N,), whole numbers or text.

        `sample_weight` (N,): how much each row counts, 0 or more. Raises TypeError, ValueError.
        """
        self._known = None
        return self._fit(X, y, sample_weight)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Any:
        """Train one more epoch on these rows with the same network and optimizer; the first call makes them.

        `classes`: all labels that any call will have; the first call needs it. Raises TypeError, ValueError.
        """
        first = not hasattr(self, "model_")
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit: later rows may have others")
        if not first and classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes must be those of the first call, {self.classes_}, not {np.unique(classes)}")
        if isinstance(self.class_weight, str):
            expected = "a dict or None for partial_fit, which does not see all rows"
            raise ValueError(f"{type(self).__name__}: class_weight must be {expected}, not {self.class_weight!r}")
        self._known = classes
        return self._partial_fit(X, y, sample_weight, first)

    def decision_function(self, X: Any) -> Array:
        """Scores (N, C) before softmax; for two classes (N,), above 0 where the second is the likelier one."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, (N, C), in the order of `classes_`."""
        probabilities: Array = softmax(self._scores(X), axis=1)
        return probabilities

    def predict(self, X: Any) -> Array:
        """The likeliest label of each row, (N,)."""
        best = self._scores(X).argmax(axis=1)
        labels: Array = self.classes_[best]
        return labels

    # --- for the training ---

    def _targets(self, y: Array, first: bool) -> Array:
        """Labels as numbers from 0."""
        check_classification_targets(y)
        if first:
            self.classes_ = np.unique(y if self._known is None else self._known)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y must hold labels of classes_, {self.classes_}, not {unknown.tolist()[0]!r}")
        return np.searchsorted(self.classes_, y)

    def _by_class(self, t: Array, weight: Array | None) -> Array | None:
        if self.class_weight is None:
            return weight
        name = f"{type(self).__name__}: class_weight"
        if isinstance(self.class_weight, Mapping):
            by_class = np.ones(len(self.classes_))
            for label, number in self.class_weight.items():
                if label not in self.classes_:
                    raise ValueError(f"{name} must name labels of y, {self.classes_}, not {checks.describe(label)}")
                by_class[self.classes_ == label] = checks.number(f"{name}[{label!r}]", number, 0)
        elif isinstance(self.class_weight, str) and self.class_weight == "balanced":
            counts = np.bincount(t, weight, len(self.classes_))
            by_class = counts.sum() / (len(counts) * np.where(counts > 0, counts, 1))
        else:
            got = checks.describe(self.class_weight)
            raise ValueError(f"{name} must be a dict label -> number, 'balanced' or None, not {got}")
        rows = by_class[t]
        return rows if weight is None else rows * weight

    def _outputs(self) -> int:
        return len(self.classes_)

    def _loss(self) -> Loss:
        return SoftmaxCrossEntropy()
