"""Checks of the data: x, targets and classes."""

from __future__ import annotations

import math

import numpy as np

from ..checks import Array
from ..layers.convolution import Windowed
from .evidence import Evidence
from .figures import labels_of, rms
from .report import Result

LARGE_INPUT = 10.0  # root mean square of a column: 2 | 535. About 1 is best (LeCun et al. 1998, section 4.3)
SMALL_INPUT = 0.05  # the greatest |x|: 1 | 0.004, pixels divided by 255 twice
COLUMN_RATIO = 1e3  # widest to narrowest column: 255 | 2e6. The loss's curvatures differ by its square
CONSTANT_SHARE = 0.9  # of the columns: 0.2 | 1. MNIST has 67 of 784, all 0
PIXEL_RANGE = 8.0  # from the darkest pixel to the lightest: 4.4 (ImageNet, standardized) | 10.5 (MNIST, twice)
SMOOTH = 0.7  # squared difference of neighbours over that of any two columns: 0.5 (MNIST) | 1 (channels in no order)
SCALES = 5.0  # root mean square of validation x over that of x, or the reverse: 2 (10 rows of each) | 255
IMBALANCE = 100.0  # rows of the most frequent class for one of the rarest; "extreme" in Google's ML course is < 1 %
ROWS_PER_CLASS = 10  # from so many on, a class without a row is no accident: (1 - 1/C)^(10 C) < 5e-5
SMALL_TARGET, LARGE_TARGET = 1e-3, 10.0  # root mean square: 1 | 535. Outputs start at about 1


def numbers(evidence: Evidence) -> Result:
    """NaN or infinity in x: a single one, and after one step every weight is NaN."""
    bad = np.flatnonzero(~evidence.columns.finite)
    if not bad.size:
        return Result("x has no NaN and no infinity", 0)
    text = f"{bad.size:,} of {evidence.columns.finite.size:,} rows of x hold NaN or infinity, first row {bad[0]}"
    return Result(
        text, bad.size, "x-not-finite", "leave these rows out or fill the gaps; the checks below leave them out"
    )


def layout(evidence: Evidence) -> Result | None:
    """Whether images have their channels last, (N, H, W, C).

    If they are first, the model does not take such images, or it was made to take them. Then neighbours on the last
    axis, which the model uses as channels, are as similar as neighbouring pixels.
    """
    evidence.demand_rows()
    x = evidence.x
    if x.ndim != 4:
        return None
    shape, fix = f"x of shape (N, {', '.join(map(str, x.shape[1:]))})", "x = np.moveaxis(x, 1, -1)"
    if evidence.channels_first:
        return Result(
            f"{shape} has its channels first; the model takes (N, H, W, C)", x.shape[1], "channels-first", fix
        )
    alike = max(roughness(x, 2), roughness(x, 3))
    text = f"{shape}, as (N, H, W, C)"
    first = x.shape[1] in (1, 3, 4) and 4 < x.shape[2] == x.shape[3] and alike < SMOOTH
    if first and evidence.has(Windowed):
        text = (
            f"{shape}: {x.shape[3]} channels that are as alike as neighbouring pixels, and {x.shape[1]} rows of pixels"
        )
        return Result(text, alike, "channels-first", fix)
    return Result(text, alike)


def roughness(x: Array, axis: int) -> float:
    """The squared difference of neighbours along an axis, divided by that of any two along it: 1 means no order."""
    a = np.moveaxis(x[:100].astype(np.float64), axis, -1)
    apart = 2 * a.var(axis=-1, ddof=1).mean() if a.shape[-1] > 1 else 0.0
    return float(np.square(np.diff(a)).mean() / apart) if apart else 1.0


def input_scale(evidence: Evidence) -> Result:
    """The size of x. As dW = x^T dy, the right step for a weight depends on the square of its input."""
    evidence.demand_rows()
    c = evidence.columns
    low, high, size = float(c.low.min()), float(c.high.max()), float(c.rms.max())
    widths = (c.high - c.low)[c.high > c.low]
    ratio = float(widths.max() / widths.min()) if widths.size else 1.0
    text = f"x in {low:.3g} .. {high:.3g}, root mean square of a column up to {size:.3g}"
    fix = "x = (x - mean) / std, with the mean and std of each column of the training rows"
    pixels = range_of_pixels(evidence.x)
    if pixels and not (SMALL_INPUT < pixels < PIXEL_RANGE) and not c.whole:
        text += f"; from the darkest pixel to the lightest it is {pixels:.2g}; 1 to 5 is healthy"
        return Result(
            text,
            pixels,
            "pixels-normalized-twice",
            "divide by 255 once, standardize once; does something else do it, too?",
        )
    if c.whole and low >= 0 and 100 <= high <= 255:
        return Result(f"{text}: pixels as bytes", high, "pixels-0-255", "x = x / 255")
    if ratio > COLUMN_RATIO:
        text += f"; the widest column is {ratio:.1g} times as wide as the narrowest"
        return Result(text, ratio, "columns-differ", fix)
    if size > LARGE_INPUT:
        return Result(f"{text}; about 1 is healthy", size, "large-input", fix)
    if max(-low, high) < SMALL_INPUT:
        return Result(f"{text}; about 1 is healthy", size, "small-input", f"has x been divided twice? {fix}")
    return Result(text, size)


def range_of_pixels(x: Array) -> float:
    """How far it is from the darkest of 256 shades to the lightest, in the first channel; 0 where x holds no shades."""
    x = x[:100, ..., 0] if x.ndim == 4 else x[:100]
    shades = np.unique(x.astype(np.float64))
    if not 64 < len(shades) <= 256:
        return 0.0
    width = float(shades[-1] - shades[0])
    steps = (shades - shades[0]) / width
    for count in range(255, 200, -1):  # steps between the two: all are multiples of one
        if np.abs(steps * count - np.rint(steps * count)).max() < 0.01:
            return width * 255 / count
    return 0.0


def constant_columns(evidence: Evidence) -> Result:
    """Columns that are equal in all rows say nothing. A few do no harm: 0 moves no weight, 1 is a bias."""
    evidence.demand_rows()
    same = evidence.columns.low >= evidence.columns.high
    text = f"{same.sum()} of {same.size} columns of x are constant"
    if same.mean() > CONSTANT_SHARE:
        return Result(text, same.mean(), "constant-columns", "look at some rows of x: are they what you mean?")
    return Result(text, same.mean())


def targets(evidence: Evidence) -> Result:
    """Whether the loss can take the targets, and how large they are."""
    t, C, shape = evidence.all_t, evidence.width, evidence.y.shape
    labels = evidence.loss.classifies and t.dtype.kind in "iu"
    if evidence.problem:
        if labels and len(shape) == 2 and t.shape == (len(t), 1):
            return Result(f"labels t of shape {t.shape}, not ({len(t)},)", 1, "labels-column", "t = t.ravel()")
        if labels and t.ndim == 1 and len(shape) > 2:
            text = f"a label for each row, but y has scores for each of its {math.prod(shape[1:-1])} positions"
            fix = "a Flatten() or GlobalAvgPool() before the last Affine makes one row of all positions"
            return Result(text, len(shape), "scores-for-each-position", fix)
        if labels and t.ndim == len(shape) - 1:
            low, high = int(t.min()), int(t.max())
            text = f"labels {low} .. {high}; {C} scores a row stand for labels 0 .. {C - 1}"
            if (low, high) == (1, C):
                return Result(text, low, "labels-from-1", "t = t - 1")
            fix = f"number the classes 0, 1, 2, ...; the last layer must give a score for each, and gives {C}"
            return Result(text, high, "labels-out-of-range", fix)
        if t.dtype.kind == "f" and not np.isfinite(t).all():
            bad = int((~np.isfinite(t)).sum())
            return Result(
                f"{bad:,} of t are NaN or infinite", bad, "targets-not-finite", "leave those rows out, x and t"
            )
        return Result(
            evidence.problem,
            math.nan,
            "targets-do-not-fit",
            "give t the shape, the dtype and the range that the loss asks for",
        )
    if labels:
        return Result(f"labels {t.min()} .. {t.max()} for {C} scores a row", float(t.max()))
    size = rms(t)
    text = f"t in {t.min():.3g} .. {t.max():.3g}, root mean square {size:.3g}"
    if evidence.loss.classifies:
        return Result(text, size)
    if not np.ptp(t, axis=0).any():
        return Result(f"{text}: equal in all rows", size, "constant-targets", "look at t: there is nothing to learn")
    if not SMALL_TARGET < size < LARGE_TARGET:
        fix = "train with t = (t - mean) / std; predictions are then y * std + mean"
        return Result(f"{text}; outputs start at about 1", size, "target-scale", fix)
    return Result(text, size)


def classes(evidence: Evidence) -> Result | None:
    """How many rows each class has."""
    if not evidence.loss.classifies:
        return None
    evidence.demand_targets()
    labels, C = labels_of(evidence.all_t), evidence.width
    counts = np.bincount(labels.astype(np.int64))  # classes after the last label, scores to spare, do not count
    most, least = int(counts.argmax()), int(np.where(counts > 0, counts, len(labels)).argmin())
    ratio = float(counts[most] / counts[least])
    shares = 100 * counts / len(labels)
    text = f"{shares[least]:.2g} % of the rows are of class {least}, the rarest, {shares[most]:.2g} % of class {most}"
    if ratio == 1:
        text = f"each of {np.count_nonzero(counts)} classes has {shares[most]:.2g} % of the rows"
    if counts[most] == len(labels):
        return Result(f"all rows are of class {most}", 1, "one-class", "look at t: there is nothing to tell apart")
    if not counts.all() and len(labels) >= ROWS_PER_CLASS * C:
        missing = int(counts.argmin())
        fix = "are the labels counted from 0, and are these all the rows?"
        return Result(f"{text}; none of class {missing}", missing, "missing-class", fix)
    if ratio > IMBALANCE:
        fix = "fit(..., class_weight={label: weight}); accuracy says little here"
        return Result(text, ratio, "unbalanced-classes", fix)
    return Result(text, ratio)


def validation(evidence: Evidence) -> Result | None:
    """Whether the rows that validate are like those that train: the same classes, the same scale."""
    if evidence.validation is None:
        return None
    evidence.demand_targets()
    x, t = evidence.validation
    own, other = rms(evidence.x), rms(x)
    text = f"{len(t):,} rows; root mean square of x {other:.3g}, of those that train {own:.3g}"
    if not max(own, other) <= SCALES * min(own, other):
        fix = "scale both alike, with mean and std of the rows that train"
        return Result(text, other / own if own else math.inf, "validation-scale", fix)
    if evidence.loss.classifies:
        trained, validated = set(labels_of(evidence.all_t).tolist()), set(labels_of(t).tolist())
        fix = "shuffle the rows before they are divided"
        if validated - trained:
            missing = min(validated - trained)
            return Result(f"{text}; no row of class {missing} trains", missing, "class-not-trained", fix)
        if trained - validated and len(t) >= ROWS_PER_CLASS * len(trained):
            missing = min(trained - validated)
            return Result(f"{text}; none of class {missing}", missing, "class-not-validated", fix)
        text += f"; all of {len(trained)} classes" if trained == validated else ""
    return Result(text, other / own if own else math.nan)
