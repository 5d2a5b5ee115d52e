"""Metrics: how good predictions y are for targets t. They have no gradients: training lowers the losses.

    accuracy(y, t)                  how often right
    confusion_matrix(y, t)          what was taken for what
    class_report(y, t)              precision, recall and F1 of each class
    r2(y, t)                        the share of the targets' variance that y explains

For classes, y is scores (N, C) or predicted labels (N,), and t is labels (N,) or rows of probabilities (N, C), whose
label is the place of the largest. Labels are integers from 0. Where scores are equal, the first counts as the largest.
For regression y and t are floats of one shape, (N,) or (N, D). `fit` and `evaluate` take every metric that gives a
number: metrics={"r2": r2}.

y comes before t in all of tinynn, also in losses and pictures. In scikit-learn it is the other way round. Two swapped
vectors of labels look right; scores in the place of t are refused.

Arrays on the GPU are copied to the CPU, which has to wait for them; only `accuracy` is computed on the GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import checks, elsewhere
from .checks import Array

# --- classes ---------------------------------------------------------------------------------------------------------


def accuracy(y: Array, t: Array) -> float:
    """The share of rows whose largest score y (N, C) stands at the label t (N,), or at the largest of t (N, C).

    y may be predicted labels (N,), too, or (N, ..., C), with a label for each position. Values are not checked: a label
    without a column counts as wrong, and a NaN counts as the largest. On the GPU the result is an array without
    dimensions, which stays there until it is read.

    Raises TypeError or ValueError where y and t do not fit each other, or y has one column, which is always the largest
    and says nothing.
    """
    _check_kinds(y, t)
    if y.ndim > 2 and t.shape in (y.shape, y.shape[:-1]):  # each position is a row
        y, t = y.reshape(-1, y.shape[-1]), t.reshape(-1, *t.shape[y.ndim - 1 :])
    _check_classes(y, t)
    return (_labels(y) == _labels(t)).mean()


def top_k_accuracy(y: Array, t: Array, k: int = 5) -> float:
    """The share of rows whose label t is among the k largest scores of y (N, C). 1 <= k <= C.

    Where scores are equal, the lower class comes first, and NaN comes last. So for k = 1 it is the accuracy, if y has
    no NaN.

    Raises TypeError or ValueError for another k, for y that are no scores, and where y and t do not fit each other.
    """
    _check_classes(y, t)
    y, t = _on_cpu(y, t)
    _check_order(y, t)
    if y.ndim != 2:
        raise ValueError(f"y must be scores (N, C), not labels of shape {y.shape}")
    C = y.shape[1]
    if checks.integer("k", k, 1) > C:
        raise ValueError(f"k must be at most {C}, as many as y has classes, not {checks.describe(k)}")
    label = _labels(t)
    _check_labels("t", label, C)
    best = (-y.astype("float64")).argsort(axis=1, kind="stable")[:, :k]
    return float((best == label[:, None]).any(axis=1).mean())


def confusion_matrix(y: Array, t: Array, classes: int | None = None) -> Array:
    """How often each class (row) was predicted as each class (column): counts[t, y] += 1 for every row of y.

    (C, C) integers. C is `classes`; None: the number of columns of y or t, else the largest label + 1. The right ones
    are on the diagonal; its sum divided by N is the accuracy. With y and t swapped, rows and columns are, too.

    Raises TypeError or ValueError where y and t do not fit each other, t are scores, or a label is not in 0..C-1.
    """
    _check_classes(y, t)
    columns = [a.shape[1] for a in (y, t) if a.ndim == 2]
    y, t = both_labels(y, t)
    if classes is not None:
        C = checks.integer("classes", classes, 1)
        if C > 10_000:
            got = checks.describe(classes)
            raise ValueError(f"classes must be 10000 at most, not {got}: the counts would not fit into memory")
    elif columns:
        C = columns[0]
    else:
        C = int(max(y.max(), t.max(), 0)) + 1
        if C > 10_000:  # a gigabyte of counts; more likely, labels are not what these are
            raise ValueError(f"classes must be given for labels of 10000 or more, not None for {C - 1}")
    _check_labels("y", y, C)
    _check_labels("t", t, C)
    counts = np.zeros((C, C), int)
    np.add.at(counts, (t, y), 1)  # not counts[t, y] += 1, which counts a pair once
    return counts


class ClassReport:
    """Precision, recall and F1 of each class, from the confusion matrix. The repr is a table.

    precision = TP / (TP + FP)     the share of the rows predicted as the class that are of the class
    recall    = TP / (TP + FN)     the share of the rows of the class that were predicted as it
    f1        = 2 TP / (2 TP + FP + FN), the harmonic mean of the two
    support   = TP + FN            how many rows are of the class

    All four are arrays (C,). 0 / 0 is 0: the precision of a class that was never predicted, the recall of a class that
    never occurs, and F1 where both are the case. The table's last line has the means over the classes, in which each
    class counts the same, and the number of all rows.
    """

    def __init__(self, counts: Array, names: Sequence[Any]) -> None:
        right, predicted, self.support = counts.diagonal(), counts.sum(axis=0), counts.sum(axis=1)
        # Where a denominator is 0, so is the numerator.
        self.precision = right / np.maximum(predicted, 1)
        self.recall = right / np.maximum(self.support, 1)
        self.f1 = 2 * right / np.maximum(predicted + self.support, 1)
        self.names = [str(name) for name in names]

    def __repr__(self) -> str:
        figures = (self.precision, self.recall, self.f1)
        rows = [*zip(self.names, *figures, self.support)]
        rows.append(("mean", *(figure.mean() for figure in figures), self.support.sum()))
        first = min(max(len(name) for name, *_ in rows), 36)  # with the other four columns 80
        lines = [f"{'':{first}}" + "".join(f"{name:>11}" for name in ("precision", "recall", "f1", "support"))]
        for name, precision, recall, f1, support in rows:
            name = name if len(name) <= first else name[: first - 3] + "..."
            lines.append(f"{name:>{first}}{precision:11.4f}{recall:11.4f}{f1:11.4f}{support:11}")
        lines.insert(-1, "")
        return "\n".join(lines)


def class_report(y: Array, t: Array, names: Sequence[Any] | None = None) -> ClassReport:
    """Precision, recall, F1 and support of each class, and a table of them. `names` are the classes' (None: 0, 1, ...).

    Raises as confusion_matrix does, and for names that are not as many as the columns of y or t.
    """
    if names is not None and (not isinstance(names, list | tuple | range) or not names):
        raise TypeError(f"names must be a list with a name for each class, not {checks.describe(names)}")
    _check_classes(y, t)
    columns = [a.shape[1] for a in (y, t) if a.ndim == 2]
    if names is not None and columns and len(names) != columns[0]:
        raise ValueError(f"names must be {columns[0]}, one for each class, not {len(names)}")
    counts = confusion_matrix(y, t, None if names is None else len(names))
    return ClassReport(counts, range(len(counts)) if names is None else names)


# --- regression ------------------------------------------------------------------------------------------------------


def r2(y: Array, t: Array) -> float:
    """The coefficient of determination, R2 = 1 - sum (t - y)^2 / sum (t - mean t)^2; of (N, D) the mean over columns.

    1 is perfect, 0 as good as always saying the mean of t, less than 0 worse than that. Where all targets of a column
    are equal, its R2 is 1 if y is right in every row, else 0. The mean over batches, which `fit` shows, is below the R2
    of all rows; val_r2 is of all rows.

    Raises TypeError or ValueError where y and t are not floats of one shape.
    """
    y, t = _floats(y, t)
    missed = ((t - y) ** 2).sum(axis=0)
    spread = ((t - t.mean(axis=0)) ** 2).sum(axis=0)
    constant = (t == t[0]).all(axis=0) | (spread == 0)  # the mean of equal numbers may be rounded, and spread not 0
    return float(np.where(constant, missed == 0, 1 - missed / np.where(constant, 1, spread)).mean())


def mean_absolute_error(y: Array, t: Array) -> float:
    """The mean of |y - t| over all elements, in the units of t. One outlier counts for less than in the MSE.

    Raises TypeError or ValueError where y and t are not floats of one shape.
    """
    y, t = _floats(y, t)
    return float(abs(y - t).mean())


# --- what is demanded of y and t -------------------------------------------------------------------------------------


def _check_kinds(y: Any, t: Any) -> None:
    """Raise where the two are not both NumPy's arrays or both CuPy's. A subclass would lose what it adds, as a mask."""
    if type(y).__name__ != "ndarray":
        raise TypeError(f"y must be a numpy array, not {checks.describe(y)}{checks.as_labels('y', y)}")
    if type(t) is not type(y):
        kind = type(y).__module__.partition(".")[0]
        hint = checks.as_labels("t", t) if kind == "numpy" else ""
        raise TypeError(f"t must be a {kind} array like y, not {checks.describe(t)}{hint}")


def _check_arrays(y: Any, t: Any) -> None:
    """Raise where the two are not arrays of one kind, with rows."""
    _check_kinds(y, t)
    for thing, a in (("y", y), ("t", t)):
        if a.ndim not in (1, 2) or a.size == 0:
            raise ValueError(f"{thing} must have a row for each example, (N,) or (N, D), not shape {a.shape}")


def _check_classes(y: Any, t: Any) -> None:
    """Raise where y and t are not scores or labels that fit. Looks at shapes and types alone: the GPU need not wait."""
    _check_arrays(y, t)
    if y.shape[1:] == (1,):
        hint = "for one output y, (y[:, 0] > 0.5).astype(int) are labels"
        raise ValueError(f"y must have a score for each of two classes or more, not shape {y.shape}: {hint}")
    if len(t) != len(y) or t.shape[1:] == (1,) or (y.ndim == t.ndim == 2 and t.shape != y.shape):
        which = f"scores y {y.shape}" if y.ndim == 2 else f"labels y {y.shape}"
        raise ValueError(f"t must be labels or rows of probabilities for {which}, not of shape {t.shape}")
    for thing, a in (("y", y), ("t", t)):
        if a.ndim == 1 and a.dtype.kind not in "iu":
            fix = checks.numbered(thing, a)
            raise TypeError(f"{thing} (N,) must be labels, whole numbers, not of dtype {a.dtype}{fix}")
        if a.dtype.kind not in "fiub":
            raise TypeError(f"{thing} must hold real numbers, not {a.dtype}")


def both_labels(y: Array, t: Array) -> tuple[Array, Array]:
    """The labels of y and t (N,), as NumPy's. Raises where y and t do not fit each other, or t are scores."""
    _check_classes(y, t)
    y, t = _on_cpu(y, t)
    _check_order(y, t)
    return _labels(y), _labels(t)


def _check_order(y: Array, t: Array) -> None:
    """Raise ValueError where t are scores: y and t are swapped. Beside labels y, softmax's probabilities are, too."""
    if t.ndim == 1:
        return
    one_hot = ((t == 0) | (t == 1)).all() and (t.sum(axis=1) == 1).all()
    if not one_hot and (y.ndim == 1 or (t < 0).any() or not (abs(t.sum(axis=1) - 1) < 1e-3).all()):
        raise ValueError(f"t must be labels or rows of probabilities, not scores {t.shape}: y comes first, then t")


def _check_labels(thing: str, labels: Array, C: int) -> None:
    """Raise ValueError where a label is not in 0..C-1, naming the first one."""
    bad = np.flatnonzero((labels < 0) | (labels >= C))
    if bad.size:
        hint = checks.counted_from_1(thing, labels, C)
        raise ValueError(f"{thing} must have labels in 0..{C - 1}, not {labels[bad[0]]} (in row {bad[0]}){hint}")


def _labels(a: Array) -> Array:
    """The label of each row."""
    return a if a.ndim == 1 else a.argmax(axis=1)


def _on_cpu(y: Any, t: Any) -> tuple[Array, Array]:
    """The two as NumPy's arrays."""
    return (y, t) if type(y) is np.ndarray else (y.get(), t.get())


def _floats(y: Any, t: Any) -> tuple[Array, Array]:
    """The two in double precision, which sums add up in; raise where they are not floats of one shape."""
    _check_arrays(y, t)
    for thing, a in (("y", y), ("t", t)):
        if a.dtype.name not in ("float32", "float64"):
            raise TypeError(f"{thing} must be of dtype float32 or float64, not {a.dtype}")
    if t.shape != y.shape:
        raise ValueError(f"t must have y's shape {y.shape}, not {t.shape}")
    y, t = _on_cpu(y, t)
    return y.astype("float64"), t.astype("float64")


if not TYPE_CHECKING:  # else any name would be one
    __getattr__ = elsewhere.asked(__name__)
