"""Wrong forwards whose backward is theirs: no gradient shows them. Each is found by a probe, one or two forwards more.

    rows that mix         row 0 of y must not change when another row of x does: rows are examples
    a row's place         the rows of x in another order give the rows of y in that order
    use                   layer(x) is the same twice, layer(x[:1]) is layer(x)[:1], and what training gives on average
    another formula       y is exactly what a slip gives, to 1e-9: normalization.py, running.py, attention.py

"wrong" is said only where it cannot be intended; each function says why. What may be a matter of intention, such as a
norm over the batch, is a note in the report.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from ....checks import Array
from ..chance import same_start
from ..ids import padding_row
from ..measure import normal, same
from ..report import Finding, place_of
from ..under_test import LayerUnderTest, gradient_name, quiet
from .attention_names import of_attention, scale_of_scores
from .norm_names import conventions, mean_over_the_batch, of_a_norm
from .probed import Probed, of_tinynn
from .running import running_statistics

MANY = 4000  # rows that tell the share of kept entries to 1 %: six standard deviations are 5 %


def wrong_forward(tested: LayerUnderTest, x: Array, rng: np.random.Generator) -> Finding | None:
    """What is wrong with a forward whose gradients are right, or None."""
    if of_tinynn(tested):
        return None
    probed = Probed(tested, x, rng)
    for probe in PROBES:
        try:
            found = probe(probed)
        except Exception:  # a probe whose x the layer does not take shows nothing
            continue
        if found:
            return found
    return None


def remarks(tested: LayerUnderTest, x: Array, rng: np.random.Generator) -> list[str]:
    """What the probes show that may well be intended."""
    said: list[str] = []
    if of_tinynn(tested):
        return said
    try:
        probed = Probed(tested, x, rng)
        for one in itertools.chain(_left_out(probed), _remarks(probed)):
            said.append(f"{tested.where}: {one}")
    except Exception:  # the layer does not take the x of a probe, such as ids: no more is said
        pass
    return said


def _left_out(probed: Probed) -> Iterator[str]:
    """A row of padding, whose gradient is 0 by intention."""
    gradients, _ = probed.tested.gradients(probed.x, normal(probed.rng, probed.y))
    for name, a in gradients.items():
        row = padding_row(probed.tested.original, a)
        if row is not None:
            yield f"row {row} of {gradient_name(name)} is 0, as that of a padding id may be, and was not looked at"


def _remarks(probed: Probed) -> Iterator[str]:
    changed = probed.mixed(probed.y, probed.tested.forward(probed.other))
    batch_norm = mean_over_the_batch(probed)
    if changed and not batch_norm:
        yield f"rows are mixed: {changed}. In a norm over the batch that is right; else rows are examples, each alone"
    more_inputs = getattr(getattr(probed.tested.original, "thing", None), "inputs", ())  # whose rows are not turned
    if not changed and not probed.draws and probed.n > 1 and not more_inputs:
        turned = probed.tested.forward(probed.x[::-1])[::-1]
        if not same(turned, probed.y):
            apart = np.abs(turned - probed.y).max()
            yield f"a row's y depends on its place: with the rows of x reversed, it is {apart:.3g} away"
    yield from conventions(probed)
    yield from scale_of_scores(probed)
    used = probed.use(probed.x, 2)
    if used is None:
        return
    if not np.array_equal(used[0], used[1]):
        apart = np.abs(used[1] - used[0]).max()
        yield f"layer(x) is random in use, too: of the same x, y differs by {apart:.3g} from one time to the next"
        return
    alone = probed.use(probed.x[:1])
    if alone is not None and not same(alone[0], used[0][:1]) and np.abs(alone[0] - used[0][:1]).max() > 1e-12:
        apart = np.abs(alone[0] - used[0][:1]).max()
        yield f"in use, a row's y depends on the others: layer(x[:1]) is {apart:.3g} away from layer(x)[:1]"


# --- what cannot be intended -----------------------------------------------------------------------------------------


def bias_per_sample(probed: Probed) -> Finding | None:
    """y = x W + b with another b for each row. W tells that axis 1 is the features, so axis 0 is the examples.

    Examples have no fixed place in a batch, and the next batch has others: numbers that are learned for the first row
    of each cannot be intended. (A table of positions, (T, D), is added to x of three axes, or has no W.)
    """
    tested, x, y = probed.tested, probed.x, probed.y
    if x.ndim != 2 or y.ndim != 2 or probed.n < 2:
        return None
    others = normal(probed.rng, x)
    for W in tested.names:
        for M in (tested.value(W), tested.value(W).T):
            if M.shape != (x.shape[1], y.shape[1]):
                continue
            shift = y - x @ M
            if not same(shift, tested.forward(others) - others @ M) or same(shift, np.broadcast_to(shift[0], y.shape)):
                continue
            for b in tested.names:
                if b != W and tested.value(b).size in (probed.n, y.size):
                    apart = np.abs(tested.forward(x[::-1])[::-1] - y).max()
                    why = (
                        f"{b} has shape {tested.value(b).shape}: each row of the batch has a bias of its own. With the "
                        f"rows of x reversed, y of the same row is {apart:.3g} away. Rows are examples: no place is "
                        "theirs, and another batch may have fewer"
                    )
                    fix = f"{b} = np.zeros({y.shape[1]}), one number for each unit; d{b} = dy.sum(axis=0)"
                    return Finding("bias-per-sample", probed.where, why, fix)
    return None


def softmax_over_rows(probed: Probed) -> Finding | None:
    """y is exactly the softmax of x over axis 0, or over everything.

    Of a batch of one, the first is 1 whatever x is, so it says nothing about a single example. Only where axis 0 is
    surely the examples: in columns, (C, N), a softmax over axis 0 is right.
    """
    x, y = probed.x, probed.y
    if not probed.rows_first or x.shape != y.shape or probed.n < 2:
        return None
    axes = {"softmax-over-batch": (0,), "softmax-over-all": tuple(range(x.ndim))}
    for code, axis in axes.items():
        e = np.exp(x - x.max(axis=axis, keepdims=True))
        if same(y, e / e.sum(axis=axis, keepdims=True)) and not same(y.sum(axis=-1), np.ones(y.shape[:-1])):
            changed = probed.mixed(y, probed.tested.forward(probed.other))
            over = "the rows" if code == "softmax-over-batch" else "all rows and classes together"
            why = f"the softmax runs over {over}: {changed}. Row 0 of y sums to {y[0].sum():.4g} and should sum to "
            why += "1" if x.ndim == 2 else "1 at each place"
            return Finding(code, probed.where, why, "axis=-1 and keepdims=True, in the max and in the sum")
    return None


def dropout_at_use(probed: Probed) -> Finding | None:
    """layer(x) sets entries to 0 by chance: predictions are random.

    Only noise that is 0 or one factor counts (a sample from a distribution may be wanted), and no class whose name says
    Monte Carlo, which is the one use of dropout in predictions.
    """
    x = np.asarray(1 + probed.rng.random(probed.x.shape))
    used = probed.use(x, 2)
    if used is None or "mc" in probed.name or "montecarlo" in probed.name or np.array_equal(used[0], used[1]):
        return None
    if any(_factor(y / x) is None for y in used):
        return None
    at = place_of(np.argwhere(used[0] != used[1])[0])
    why = (
        f"layer(x) is use, and it drops, too: of the same x, y{at} is {_entry(used[0], at)} the first time and "
        f"{_entry(used[1], at)} the second"
    )
    return Finding("dropout-at-use", probed.where, why, "return x unchanged where self.training is False")


def _entry(a: Array, at: str) -> str:
    return f"{a[tuple(int(i) for i in at.strip('[]').split(','))]:.4g}"


def dropout_scale(probed: Probed) -> Finding | None:
    """Dropout whose mean in training is not what use gives, as without the factor 1 / (1 - p).

    The next layer then meets, in use, numbers of another size than those it was trained on. Dropout that scales in use
    in place of training (y = keep x) passes: only the two together are judged.
    """
    if not probed.draws:
        return None
    x = np.asarray(1 + probed.rng.random((MANY, *probed.x.shape[1:])))
    used = probed.use(x)
    if used is None:
        return None
    layer = probed.tested.fresh()
    with quiet(), same_start(layer):
        ratio = np.array(layer.forward(x.copy())) / x
    c, k = _factor(ratio), _factor(used[0] / x)
    if c is None or k is None or not (used[0] != 0).all():
        return None
    share = float((ratio != 0).mean())
    if abs(c * share - k) <= 6 * c * np.sqrt(share * (1 - share) / MANY):
        return None
    keep, text = _rate(probed, share)
    code = "dropout-unscaled" if abs(c - k) < 1e-9 else "dropout-scale"
    why = (
        f"in training {share:.1%} of the entries are kept{text} and multiplied by {c:.6g}: the mean of y is "
        f"{c * share:.3g} x. In use y is {k:.6g} x. The gradient is that of this forward, so no gradient shows it"
    )
    right_in_training = abs(c * keep - 1) < 1e-9
    fix = "in use, return x unchanged" if right_in_training else f"in training, divide what is kept by {keep:.4g}"
    return Finding(code, probed.where, why, fix)


def _rate(probed: Probed, share: float) -> tuple[float, str]:
    """The share that is kept, to all digits where an attribute says it, and how it is called."""
    for name, p in probed.attributes.items():
        if isinstance(p, float) and 0 < p < 1:
            for keep, said in ((1 - p, f" (1 - {name} = {1 - p:.4g})"), (p, f" ({name} = {p:.4g})")):
                if abs(keep - share) < 6 * np.sqrt(share * (1 - share) / MANY):
                    return keep, said
    return share, ""


def _factor(ratio: Array) -> float | None:
    """c where all entries are 0 or c, and not all 0; else None."""
    c = float(np.abs(ratio).max())
    return c if c > 0 and np.isin(np.round(ratio / c, 9), (0.0, 1.0)).all() else None


PROBES = (
    bias_per_sample, softmax_over_rows, dropout_at_use, dropout_scale, of_a_norm, running_statistics, of_attention,
)  # fmt: skip
