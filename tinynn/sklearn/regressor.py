"""The regressor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from .. import checks
from ..checks import Array
from ..losses import MAE, MSE, Huber, Loss
from .estimator import FLOATS, NetworkEstimator

LOSSES = {"mse": MSE, "mae": MAE, "huber": Huber}


@dataclass(kw_only=True, eq=False, repr=False)
class NetworkRegressor(RegressorMixin, NetworkEstimator):
    """A network that predicts one number for each row, or several.

    Parameters, attributes and Ctrl-C are those of NetworkClassifier, without `class_weight` and `classes_`; `build` is
    called with the number of targets as n_out; `early_stopping` holds back a share of all rows; and there is

    loss : "mse", "mae" or "huber", default "mse"
        The mean squared error, the mean absolute error, or Huber's loss, which is squared up to an error of 1 and
        absolute beyond it: outliers have less influence.

    Scale the targets as well as X where they are far from the range 0 to 1. TransformedTargetRegressor(
    NetworkRegressor(), transformer=StandardScaler()) does so, and scales predictions back.
    """

    loss: str = "mse"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train a new network on rows X (N, D) with targets y (N,) or (N, n_out).

        `sample_weight` (N,): how much each row counts, 0 or more. Raises TypeError, ValueError.
        """
        return self._fit(X, y, sample_weight)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train one more epoch on these rows with the same network and optimizer; the first call makes them."""
        return self._partial_fit(X, y, sample_weight, not hasattr(self, "model_"))

    def predict(self, X: Any) -> Array:
        """The prediction for each row, (N,) or (N, n_out) as y was in `fit`."""
        y = self._scores(X)
        return y[:, 0] if self._one_column else y

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    # --- for the training ---

    def _checked(self, X: Any, y: Any, first: bool) -> tuple[Array, Array]:
        X, y = validate_data(self, X, y, dtype=FLOATS, reset=first, multi_output=True, y_numeric=True)
        return X, y

    def _targets(self, y: Array, first: bool) -> Array:
        """Targets (N, n_out)."""
        if first:
            self.n_outputs_, self._one_column = y.reshape(len(y), -1).shape[1], y.ndim == 1
        t = y.reshape(len(y), -1)
        if t.shape[1] != self.n_outputs_:
            raise ValueError(f"y must have {self.n_outputs_} columns as in the first call, not {t.shape[1]}")
        return t

    def _outputs(self) -> int:
        return self.n_outputs_

    def _loss(self) -> Loss:
        if not isinstance(self.loss, str) or self.loss not in LOSSES:
            names = ", ".join(map(repr, LOSSES))
            raise ValueError(f"{type(self).__name__}: loss must be one of {names}, not {checks.describe(self.loss)}")
        return LOSSES[self.loss]()
