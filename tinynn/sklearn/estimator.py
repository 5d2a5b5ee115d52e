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
from ..training import EarlyStopping
from .network import batch_of, like_model, network, optimizer_of

FLOATS = (np.float64, np.float32)  # what X is kept in; all else becomes the first


@dataclass(kw_only=True, eq=False, repr=False)
class NetworkEstimator(BaseEstimator):
    """The parameters, as scikit-learn wants them: __init__ assigns, and what is wrong is said by `fit`."""

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
        X, t, weight = self._data(X, y, sample_weight, first=True)
        self._start(X)
        held_out = None
        if checks.flag(f"{name}: early_stopping", self.early_stopping):
            callbacks.append(EarlyStopping(checks.integer(f"{name}: patience", self.patience, 1)))
            X, t, weight, held_out = self._hold_out(X, t, weight)
        return self._train(X, t, weight, epochs, held_out, callbacks)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, first: bool) -> Any:
        """One epoch more, of these rows."""
        if self.early_stopping:
            expected = "False for partial_fit, which does one epoch and holds no rows back"
            raise ValueError(f"{type(self).__name__}: early_stopping must be {expected}, not {self.early_stopping!r}")
        callbacks = self._callbacks()
        X, t, weight = self._data(X, y, sample_weight, first)
        if first:
            self._start(X)
        self.optimizer_.lr, self.optimizer_.weight_decay = self.lr, self.weight_decay  # set_params between two calls
        before = None if first else self.history_
        self._train(X, t, weight, 1, None, callbacks)
        if before is not None and before.keys() == self.history_.keys():
            self.history_.first, self.history_.rows = before.first, before.rows + self.history_.rows
        return self

    def _callbacks(self) -> Sequence[Callable[[Any], None]]:
        if not isinstance(self.callbacks, list | tuple):
            got = checks.describe(self.callbacks)
            raise TypeError(f"{type(self).__name__}: callbacks must be a list of functions of the run, not {got}")
        return self.callbacks

    def _data(self, X: Any, y: Any, sample_weight: Any, first: bool) -> tuple[Array, Array, Array | None]:
        """Rows, targets and weights. A row of weight 0 is left out: it then counts as if it were not there."""
        X, y = self._checked(X, y, first)
        t, weight = self._targets(y, first), None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            if not weight.any():
                raise ValueError("sample_weight must hold a number of more than 0, not all zero weights")
        weight = self._by_class(y, weight)
        if weight is None or weight.all():
            return X, t, weight
        if not weight.any():
            raise ValueError("sample_weight and class_weight must leave a row to train with, not give all of them 0")
        return X[weight > 0], t[weight > 0], weight[weight > 0]

    def _checked(self, X: Any, y: Any, first: bool) -> tuple[Array, Array]:
        """X (N, D) and y as arrays."""
        X, y = validate_data(self, X, y, dtype=FLOATS, reset=first)
        return X, y

    def _by_class(self, y: Array, weight: Array | None) -> Array | None:
        """The weights of the rows, with those of their classes."""
        return weight

    def _start(self, X: Array) -> None:
        """A new network and its optimizer. Raises TypeError, ValueError where a parameter is wrong."""
        self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.model_ = network(self, X.shape[1], self._outputs(), str(X.dtype), self._seed)
        self.optimizer_ = optimizer_of(self, self.model_)

    def _hold_out(self, X: Array, t: Array, weight: Array | None) -> tuple[Array, Array, Array | None, Any]:
        """A share of the rows, drawn by the seed, for validation: of each class alike."""
        name = type(self).__name__
        share = checks.above_0(f"{name}: validation_fraction", self.validation_fraction)
        rows, classes = np.arange(len(X)), t if self._loss().classifies else None
        try:
            train, held = train_test_split(rows, test_size=share, random_state=self._seed, stratify=classes)
        except ValueError as error:
            text = f"a share of the {len(X)} rows that can be held back, not {share:g}: {error}"
            raise ValueError(f"{name}: validation_fraction must be {text}") from None
        return X[train], t[train], None if weight is None else weight[train], self._ready(X[held], t[held])

    def _ready(self, X: Array, t: Array) -> tuple[Array, Array]:
        """Rows and targets as the network takes them."""
        return like_model(X, self.model_), t if self._loss().classifies else t.astype(self.model_.dtype, copy=False)

    def _train(self, X: Array, t: Array, weight: Array | None, epochs: int, held_out: Any, callbacks: Any) -> Any:
        """By tinynn's fit. Ctrl-C ends the whole program, such as a search; the estimator keeps what was trained.

        Raises ValueError where the weights are no numbers any more: a search counts that fit as failed.
        """
        name = type(self).__name__
        size = checks.integer(f"{name}: batch_size", self.batch_size, 1)
        self.history_ = self.model_.fit(
            *self._ready(X, t),
            loss=self._loss(),
            optimizer=self.optimizer_,
            epochs=epochs,
            batch_size=batch_of(self.model_, size, len(X)),
            validation_data=held_out,
            sample_weight=weight,
            metrics={} if self._outputs() == 1 else None,
            callbacks=callbacks,
            seed=self._seed,
            progress=checks.flag(f"{name}: verbose", self.verbose),
        )
        if self.history_.stopped == "Ctrl-C":
            raise KeyboardInterrupt
        if not np.isfinite(self.model_.ops.to_numpy(self.model_.params)).all():
            del self.model_
            hint = f"a smaller lr than {self.lr:g}, or columns of X scaled to mean 0 and variance 1, may help"
            raise ValueError(f"{name}: training must keep the weights finite, but they are NaN or infinite: {hint}")
        return self

    # --- use ---

    def _scores(self, X: Any) -> Array:
        """y (N, n_out), what the network gives."""
        check_is_fitted(self, "model_")
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        return self.model_.predict(like_model(X, self.model_))
