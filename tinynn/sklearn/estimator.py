"""What classifier and regressor share: their parameters, and training by tinynn's own `fit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .. import checks
from ..checks import Array
from ..losses import Loss
from ..model import Sequential
from ..optimizers import Optimizer
from ..training import EarlyStopping
from .network import batch_of, like_model, network, optimizer_of

Rows = tuple[Array, Array, Array | None]  # X, targets, weights
FLOATS = (np.float64, np.float32)  # what X is kept in; all else becomes the first


@dataclass(kw_only=True, eq=False, repr=False)
class NetworkEstimator(BaseEstimator):
    """The parameters, as scikit-learn asks for it: __init__ only assigns them, and `fit` checks them."""

    hidden: Sequence[int] = (100,)
    activation: str | Callable[[], Any] = "relu"
    dropout: float = 0.0
    batch_norm: bool = False
    build: Callable[[tuple[int, ...], int], Any] | None = None
    shape: tuple[int, ...] | None = None
    optimizer: str | Callable[..., Any] = "adam"
    lr: float = 1e-3
    weight_decay: float = 0.0
    epochs: int = 100
    batch_size: int = 32
    early_stopping: bool = False
    patience: int = 10
    validation_fraction: float = 0.1
    callbacks: Sequence[Callable[[Any], None]] = ()
    random_state: Any = None
    backend: str | None = None
    verbose: bool = False

    # --- what is the classifier's or the regressor's own ---

    def _targets(self, y: Any, first: bool) -> Array:
        """t for tinynn's loss, of checked y."""
        raise NotImplementedError

    def _outputs(self) -> int:
        """How many numbers the network gives for a row."""
        raise NotImplementedError

    def _loss(self) -> Loss:
        raise NotImplementedError

    # --- training ---

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> Any:
        """A new network, trained for all epochs."""
        name = type(self).__name__
        self.__dict__.pop("model_", None)  # where this fit fails, none is left that does not go with its classes
        epochs = checks.integer(f"{name}: epochs", self.epochs, 1)
        callbacks = list(self._callbacks())
        rows, held_out = self._data(X, y, sample_weight, first=True), None
        model, optimizer = self._start(rows[0])
        if checks.flag(f"{name}: early_stopping", self.early_stopping):
            callbacks.append(EarlyStopping(checks.integer(f"{name}: patience", self.patience, 1)))
            rows, held_out = self._hold_out(*rows)
        return self._train(model, optimizer, rows, held_out, epochs, callbacks)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, first: bool) -> Any:
        """One epoch more, of these rows."""
        if self.early_stopping:
            expected = "False for partial_fit, which does one epoch and holds no rows back"
            raise ValueError(f"{type(self).__name__}: early_stopping must be {expected}, not {self.early_stopping!r}")
        callbacks = self._callbacks()
        rows = self._data(X, y, sample_weight, first)
        model, optimizer = self._start(rows[0]) if first else (self.model_, self.optimizer_)
        optimizer.lr, optimizer.weight_decay = self.lr, self.weight_decay  # set_params between two calls
        before = None if first else self.history_
        self._train(model, optimizer, rows, None, 1, callbacks)
        if before is not None and before.keys() == self.history_.keys():
            self.history_.first, self.history_.rows = before.first, before.rows + self.history_.rows
        return self

    def _callbacks(self) -> Sequence[Callable[[Any], None]]:
        if not isinstance(self.callbacks, list | tuple):
            got = checks.describe(self.callbacks)
            raise TypeError(f"{type(self).__name__}: callbacks must be a list of functions of the run, not {got}")
        return self.callbacks

    def _data(self, X: Any, y: Any, sample_weight: Any, first: bool) -> Rows:
        """Rows, targets and weights. A row of weight 0 is left out: it then counts as if it were not there."""
        X, y = self._checked(X, y, first)
        t, weight = self._targets(y, first), None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            if not weight.any():
                raise ValueError("sample_weight must hold a number of more than 0, not all zero weights")
        weight = self._by_class(t, weight)
        if weight is None or weight.all():
            return X, t, weight
        if not weight.any():
            raise ValueError("sample_weight and class_weight must leave a row to train with, not give all of them 0")
        return X[weight > 0], t[weight > 0], weight[weight > 0]

    def _checked(self, X: Any, y: Any, first: bool) -> tuple[Array, Array]:
        """X (N, D) and y as arrays."""
        X, y = validate_data(self, X, y, dtype=FLOATS, reset=first)
        return X, y

    def _by_class(self, t: Array, weight: Array | None) -> Array | None:
        """The weights of the rows, with those of their classes."""
        return weight

    def _start(self, X: Array) -> tuple[Sequential, Optimizer]:
        """A new network and its optimizer. Raises TypeError, ValueError where a parameter is wrong."""
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        model = network(self, X.shape[1], self._outputs(), str(X.dtype), self._seed)
        return model, optimizer_of(self, model)

    def _hold_out(self, X: Array, t: Array, weight: Array | None) -> tuple[Rows, tuple[Array, Array]]:
        """The rows to train with, and a share for validation, drawn by the seed: of each class alike."""
        name = type(self).__name__
        share = checks.above_0(f"{name}: validation_fraction", self.validation_fraction)
        rows, classes = np.arange(len(X)), t if self._loss().classifies else None
        try:
            train, held = train_test_split(rows, test_size=share, random_state=self._seed, stratify=classes)
        except ValueError as error:
            text = f"a share of the {len(X)} rows that can be held back, not {share:g}: {error}"
            raise ValueError(f"{name}: validation_fraction must be {text}") from None
        return (X[train], t[train], None if weight is None else weight[train]), (X[held], t[held])

    def _train(
        self, model: Sequential, optimizer: Optimizer, rows: Rows, held_out: Any, epochs: int, callbacks: Any
    ) -> Any:
        """By tinynn's fit. Ctrl-C ends the whole program, such as a search; the estimator keeps what was trained.

        Raises ValueError where the weights are no numbers any more: a search counts that fit as failed.
        """
        name, loss, (X, t, weight) = type(self).__name__, self._loss(), rows
        size = checks.integer(f"{name}: batch_size", self.batch_size, 1)

        def ready(X: Array, t: Array) -> tuple[Array, Array]:
            return like_model(X, model), t if loss.classifies else t.astype(model.dtype, copy=False)

        history = model.fit(
            *ready(X, t),
            loss=loss,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=batch_of(model, size, len(X)),
            validation_data=held_out and ready(*held_out),
            sample_weight=weight,
            metrics={} if self._outputs() == 1 else None,
            callbacks=callbacks,
            seed=self._seed,
            progress=checks.flag(f"{name}: verbose", self.verbose),
        )
        if not np.isfinite(model.ops.to_numpy(model.params)).all():
            hint = f"a smaller lr than {self.lr:g}, or columns of X scaled to mean 0 and variance 1, may help"
            raise ValueError(f"{name}: training must keep the weights finite, but they are NaN or infinite: {hint}")
        self.model_, self.optimizer_, self.history_ = model, optimizer, history
        if history.stopped == "Ctrl-C":
            raise KeyboardInterrupt
        return self

    # --- use ---

    def _scores(self, X: Any) -> Array:
        """y (N, n_out), what the network gives."""
        check_is_fitted(self, "model_")
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        return self.model_.predict(like_model(X, self.model_))
