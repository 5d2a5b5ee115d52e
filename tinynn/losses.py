"""The losses: how bad predictions y are for targets t, as one number, and the gradient of that number.

    value = loss.forward(y, t)      computes, and remembers the gradient
    dy = loss.backward()            gives it: dL/dy, of y's shape
    value = loss(y, t)              computes, and leaves no trace

Each takes a `weight` (N,) as well, a number of 0 or more for each row: then the mean over rows is the weighted mean,
and a row of weight 2 counts like two equal rows.

On the CPU the value is a Python float. On the GPU it is an array without dimensions, which stays there until it is
read. Nothing ever broadcasts: predictions (N, 1) against targets (N,) are an error. y may be (N, ..., C), a sequence or
an image of predictions: then the loss is the mean over all positions.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np

from . import backends, checks, elsewhere
from .backends import numpy as numpy_ops
from .checks import Array


class LossValue(elsewhere.Hinting, float):
    """The loss, a number. It knows what to write in place of PyTorch's `loss.backward()`."""

    __slots__ = ()


class Loss(backends.ByName):
    """What the losses share. A loss of your own defines `compute(y, t) -> (value, dy)`.

    `backend` None: that of the model that `fit` trains with it; without `fit`, the default backend.
    """

    classifies = False  # whether accuracy has a meaning

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__init__ = elsewhere.with_hints(cls.__init__)  # type: ignore[method-assign]

    def __init__(self, backend: str | None = None) -> None:
        self.backend = backend
        if backend is not None:
            self.use(backends.load(backend))
        self.dy: Any = None

    def compute(self, y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
        """The loss and its gradient dL/dy. (A loss of your own that has no weights takes y and t alone.)"""
        raise NotImplementedError(f"{self!r}: a loss must define compute(self, y, t)")

    def check(self, y: Array, t: Array) -> None:
        """Raise TypeError or ValueError where t cannot be the targets of y. Looks at shapes and types alone."""
        if type(t) is not type(y) or t.shape != y.shape or t.dtype != y.dtype:
            if type(t) is type(y) and t.shape == y.shape[:1] and y.shape[1:] == (1,):
                line = "t.reshape(-1, 1)" + (f".astype('{y.dtype}')" if t.dtype != y.dtype else "")
                raise ValueError(f"{self!r}: t must have y's shape {y.shape}, not {t.shape}: {line} has")
            if type(t) is type(y) and t.shape == y.shape[:1] and len(y.shape) == 2:
                numbers = "the last layer must have 1 output for such t"
                line = "labels are for SoftmaxCrossEntropy()" if t.dtype.kind in "iu" else numbers
                raise ValueError(f"{self!r}: t must have y's shape {y.shape}, not {t.shape}: {line}")
            checks.float_array(f"{self!r}: t", t, self.ops.xp)
            if t.shape != y.shape:
                raise ValueError(f"{self!r}: t must have y's shape {y.shape}, not {t.shape}")
            self._check_dtype(y, t)

    def check_values(self, t: Array, width: int) -> None:
        """Raise ValueError where a value in t, a NumPy array, cannot be right for predictions of that width."""
        bad = np.argwhere(np.isnan(t))
        if len(bad):
            raise ValueError(f"{self!r}: t must hold numbers, not NaN (in row {bad[0][0]})")

    def forward(self, y: Array, t: Array, weight: Array | None = None) -> float:
        """The loss; remembers its gradient."""
        value, self.dy = self._checked(y, t, weight)
        return value

    def backward(self) -> Array:
        """dL/dy of the last forward."""
        if self.dy is None:
            raise RuntimeError(f"{self!r}: backward needs a forward before it, and there was none")
        return self.dy

    @elsewhere.called_as("loss(y, t), with y = model(x)")
    def __call__(self, y: Array, t: Array, weight: Array | None = None) -> float:
        """The loss, without a trace."""
        return self._checked(y, t, weight)[0]

    def probabilities(self, y: Array) -> Array:
        """What predictions y, a NumPy array, say as probabilities. Raises TypeError where the loss has none."""
        raise TypeError(f"{self!r}: a loss must be of classes to have probabilities, such as SoftmaxCrossEntropy()")

    def classes(self, y: Array) -> Array:
        """What predictions y, a NumPy array, say as labels. Raises TypeError where the loss has none."""
        raise TypeError(f"{self!r}: a loss must be of classes to have labels, such as SoftmaxCrossEntropy()")

    def follow(self, ops: ModuleType) -> None:
        """Work with a model's backend, unless this loss was made for a certain one."""
        if self.backend is None:
            self.use(ops)

    def _checked(self, y: Array, t: Array, weight: Array | None) -> tuple[float, Array]:
        if self.ops is None:
            self.use(backends.load())
        if type(y) is not self.ops.xp.ndarray or y.ndim < 2 or y.dtype not in checks.REALS:
            self._refuse_swapped(y, t)
            backends.float_array(f"{self!r}: y", y, self.ops)  # says what is wrong (a message costs time to make)
        self.check(y, t)
        if y.size == 0:
            missing = "row" if len(y) == 0 else "column"
            raise ValueError(f"{self!r}: y must have at least one {missing}, not shape {y.shape}")
        if weight is not None:
            self._check_weight(y, weight)
        shape = y.shape
        if y.ndim > 2:  # a loss for each position: positions are rows
            if weight is not None:
                weight = self.ops.xp.repeat(weight, math.prod(shape[1:-1]))
            y, t = y.reshape(-1, shape[-1]), t.reshape(-1, *t.shape[len(shape) - 1 :])
        value, dy = self.compute(y, t) if weight is None else self.compute(y, t, weight)
        if isinstance(value, float) and not math.isfinite(value):
            self.check_values(t, shape[-1])  # are the targets to blame? (too slow to ask every time)
        return LossValue(value) if type(value) is float else value, dy if len(shape) == 2 else dy.reshape(shape)

    def _refuse_swapped(self, y: Any, t: Any) -> None:
        """Raise TypeError where y are labels and t scores, as where others have the targets first."""
        both = isinstance(y, self.ops.xp.ndarray) and isinstance(t, self.ops.xp.ndarray)
        if both and y.dtype.kind in "iub" and t.dtype.kind == "f" and t.ndim > 1:
            raise TypeError(f"{self!r}: y must be predictions, not {checks.describe(y)}: y comes first, loss(y, t)")

    def _check_weight(self, y: Array, weight: Array) -> None:
        if type(weight) is not type(y) or weight.shape != y.shape[:1] or weight.dtype != y.dtype:
            expected = f"a {y.dtype} array with a number for each of the {len(y)} rows of y"
            raise ValueError(f"{self!r}: weight must be {expected}, not {checks.describe(weight)}")
        if self.ops.xp is np:  # on the GPU this would wait
            least, largest = weight.min(), weight.max()
            if not (least >= 0 and 0 < largest < math.inf):
                wrong = largest if least >= 0 else least
                raise ValueError(f"{self!r}: weight must hold numbers of 0 or more, not all 0, not {wrong}")

    def _check_dtype(self, y: Array, t: Array) -> None:
        if t.dtype != y.dtype:
            raise TypeError(f"{self!r}: t must be {y.dtype} like y, not {t.dtype}: t.astype('{y.dtype}')")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def __getstate__(self) -> dict[str, Any]:
        """What is copied and pickled: the loss without the last gradient."""
        return {**super().__getstate__(), "dy": None}


class MSE(Loss):
    """Mean squared error, for regression: L = sum of (y - t)^2 / (N D), the mean over all elements.

    y, t (N, D); dy = 2 (y - t) / (N D).
    """

    def compute(self, y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
        return self.ops.mse(y, t, weight)


class SoftmaxCrossEntropy(Loss):
    """Cross-entropy of softmax(y), for classification: L = -(1/N) sum_n log p[n, t_n], the mean over rows.

    y (N, C) are scores (logits), p = softmax(y) the probabilities. t is either (N,) integer labels in 0..C-1, or (N, C)
    rows of probabilities that sum to 1 (one-hot or soft), and then L = -(1/N) sum_n sum_c t log p. dy = (p - t) / N.
    Scores that say nothing (all equal) give L = log C.

    label_smoothing e in [0, 1): targets are mixed with equal probabilities, t <- (1 - e) t + e / C, so that no score is
    driven to infinity (Szegedy et al. 2016, section 7).
    """

    classifies = True

    def __init__(self, backend: str | None = None, label_smoothing: float = 0.0) -> None:
        super().__init__(backend)
        self.label_smoothing = checks.number("SoftmaxCrossEntropy: label_smoothing", label_smoothing, 0, 1)

    def compute(self, y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
        if self.label_smoothing:
            t = self.smoothed(y, t)
        return self.ops.softmax_cross_entropy(y, t, weight)

    def probabilities(self, y: Array) -> Array:
        """p = softmax(y), (N, ..., C): each row has the sum 1."""
        return numpy_ops.softmax(y.reshape(-1, y.shape[-1])).reshape(y.shape)

    def classes(self, y: Array) -> Array:
        """The label of the largest score, (N, ...)."""
        return y.argmax(axis=-1)

    def smoothed(self, y: Array, t: Array) -> Array:
        """Rows of probabilities, mixed with equal ones."""
        C, xp = y.shape[1], self.ops.xp
        if t.ndim == 1:
            if xp is np:
                checks.labels(t, C)
            t = (t[:, None] == xp.arange(C)).astype(y.dtype)
        mixed: Array = t * (1 - self.label_smoothing) + self.label_smoothing / C
        return mixed

    def check(self, y: Array, t: Array) -> None:
        rows, C = y.shape[:-1], y.shape[-1]
        if type(t) is type(y) and t.ndim == y.ndim - 1:
            if t.dtype.kind not in "iu":
                which = "labels t (N,)" if y.ndim == 2 else f"labels t of y {y.shape}"
                raise TypeError(
                    f"{self!r}: {which} must be whole numbers, not of dtype {t.dtype}{checks.numbered('t', t)}"
                )
            if t.shape != rows:
                expected = f"a label for each of the {' x '.join(map(str, rows))} rows of y"
                raise ValueError(f"{self!r}: t must have {expected}, not shape {t.shape}")
            return
        expected = f"labels {rows} or rows of probabilities {y.shape} for such y"
        if type(t) is type(y) and t.shape == (*rows, 1) != y.shape:
            raise ValueError(f"{self!r}: t must be {expected}, not {checks.describe(t)}: t[..., 0] are labels")
        if type(t) is not self.ops.xp.ndarray:
            hint = checks.as_labels("t", t) if self.ops.xp is np else ""
            raise TypeError(f"{self!r}: t must be {expected}, not {checks.describe(t)}{hint}")
        if t.shape != y.shape:
            raise ValueError(f"{self!r}: t must be {expected}, not {checks.describe(t)}")
        self._check_dtype(y, t)
        if self.ops.xp is np:  # on the GPU this would wait for the result; there `fit` looks once, before
            self.check_values(t, C)

    def check_values(self, t: Array, width: int) -> None:
        if t.ndim == 1 or t.dtype.kind in "iu":
            checks.labels(t.ravel(), width)
        else:
            t = t.real.reshape(-1, width)
            sums = t.sum(axis=1)
            wrong = np.flatnonzero(~(np.abs(sums - 1) < 1e-3) | ~(t.min(axis=1, initial=0) >= 0))  # NaN is wrong, too
            if wrong.size:
                row = wrong[0]
                got = f"a sum of {sums[row]:.6g} and a minimum of {t[row].min():.6g} (in row {row})"
                raise ValueError(f"{self!r}: rows of t must be probabilities, 0 or more, with the sum 1, not {got}")

    def __repr__(self) -> str:
        return f"SoftmaxCrossEntropy({f'label_smoothing={self.label_smoothing!r}' if self.label_smoothing else ''})"


class BinaryCrossEntropy(Loss):
    """Cross-entropy of sigmoid(y), for yes or no: L = mean over all elements of -t log p - (1 - t) log(1 - p).

    y (N, D) are scores (logits), p = sigmoid(y) the probabilities of yes; t (N, D) is 1 for yes, 0 for no, or a
    probability. dy = (p - t) / (N D). Scores of 0 give L = log 2. A yes-or-no network may have several outputs, each a
    question of its own.
    """

    def compute(self, y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
        return self.ops.binary_cross_entropy(y, t, weight)

    def probabilities(self, y: Array) -> Array:
        """p = sigmoid(y), (N, ..., D): that of yes, for each question."""
        return numpy_ops.sigmoid(y)

    def classes(self, y: Array) -> Array:
        """1 for yes, where y > 0 and so p > 1/2, else 0: (N, ..., D)."""
        return (y > 0).astype(int)

    def check_values(self, t: Array, width: int) -> None:
        super().check_values(t, width)
        bad = np.argwhere((t < 0) | (t > 1))
        if len(bad):
            got = f"{t[tuple(bad[0])]} (in row {bad[0][0]})"
            raise ValueError(f"{self!r}: t must hold probabilities, 0 to 1, not {got}")

    def check(self, y: Array, t: Array) -> None:
        super().check(y, t)
        if self.ops.xp is np and not (t.real.min(initial=0) >= 0 and t.real.max(initial=1) <= 1):
            self.check_values(t.real, y.shape[-1])


class MAE(Loss):
    """Mean absolute error: L = mean over all elements of |y - t|. Its best constant answer is the median.

    y, t (N, D); dy = sign(y - t) / (N D): an outlier pulls no harder than any other row.
    """

    def compute(self, y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
        return self.ops.mae(y, t, weight)


class Huber(Loss):
    """Squared for small errors, absolute for large ones: e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2).

    y, t (N, D), e = y - t, delta > 0; dy = clip(e, -delta, delta) / (N D). Source: Huber 1964.
    """

    def __init__(self, delta: float = 1.0, backend: str | None = None) -> None:
        super().__init__(backend)
        self.delta = checks.above_0("Huber: delta", delta)

    def compute(self, y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
        return self.ops.huber(y, t, self.delta, weight)

    def __repr__(self) -> str:
        return f"Huber({'' if self.delta == 1 else f'delta={self.delta!r}'})"


class GaussianNLL(Loss):
    """Negative log-likelihood of a Gaussian, for targets with noise: L = mean over N D targets of -log N(t; m, v).

    -log N(t; m, v) = (log(2 pi v) + (t - m)^2 / v) / 2, with mean m and variance v.

    GaussianNLL(variance=0.25): v is fixed, y (N, D) is m. Then L is MSE / (2 v) plus a constant: least squares *is*
    maximum likelihood under noise of one size. v from 1e-30 to 1e30: beyond these, float32 cannot hold (t - m)^2 / v.
    GaussianNLL(): the network says how sure it is. y (N, 2 D) holds m in its first D columns and log v in the others
    (the logarithm, so that v > 0 whatever y is), and t is (N, D).
    """

    def __init__(self, variance: float | None = None, backend: str | None = None) -> None:
        super().__init__(backend)
        self.variance = None if variance is None else checks.number("GaussianNLL: variance", variance, 1e-30, 1e30)

    def compute(self, y: Array, t: Array, weight: Array | None = None) -> tuple[float, Array]:
        if self.variance is None:
            return self.ops.gaussian_nll(y, t, weight)
        value, dy = self.ops.mse(y, t, weight)
        return value / (2 * self.variance) + math.log(2 * math.pi * self.variance) / 2, dy / (2 * self.variance)

    def check(self, y: Array, t: Array) -> None:
        if self.variance is not None:
            super().check(y, t)
            return
        checks.float_array(f"{self!r}: t", t, self.ops.xp)
        if y.shape != (*t.shape[:-1], 2 * t.shape[-1]):
            expected = f"means and log variances of t {t.shape}, so of shape {(*t.shape[:-1], 2 * t.shape[-1])}"
            raise ValueError(f"{self!r}: y must hold {expected}, not {y.shape}")
        self._check_dtype(y, t)

    def __repr__(self) -> str:
        return "GaussianNLL()" if self.variance is None else f"GaussianNLL(variance={self.variance!r})"
