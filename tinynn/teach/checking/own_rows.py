"""Rows of the doctor's own: some slips cannot be seen at the x that is given.

Where all numbers are 1, rows and columns can be exchanged unseen; one row hides what is averaged over rows; only equal
pixels tell who gets the gradient of a tie. So, where the layer takes them, it is looked at with other rows, too.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...checks import Array
from .layer_gradients import LayerGradients
from .measure import normal, same
from .report import Finding
from .slips import activations, pooling
from .under_test import LayerUnderTest

LARGE = (7, 8)  # an image in which a window of 3 x 3, 2 apart, has neighbours, and sides can be told apart
ROWS = 5  # a prime, and more than four: with two rows a batch normalization has hardly a gradient


def regular(x: Array) -> bool:
    """Whether x is too regular to show much: few rows, or few values."""
    values = np.unique(x[x != 0])
    return len(x) < 4 or len(values) < min(8, x.size / 2)


def of_one_sign(x: Array) -> bool:
    """Whether x has no numbers above 0 beside others below, as pixels have not."""
    return bool((x >= 0).all() or (x <= 0).all())


def like(x: Array, rng: np.random.Generator) -> Array:
    """Rows in the range of x, and irregular: values of x, each changed by up to a half of it, with x's signs."""
    shape = (ROWS, *x.shape[1:])
    values = x[x != 0] if np.any(x) else np.ones(1)
    drawn = rng.choice(values.ravel(), shape) * rng.uniform(0.5, 1.5, shape)
    return np.asarray(drawn)


def others(x: Array, rng: np.random.Generator) -> Iterator[Array]:
    """What the layer is looked at with beside x: rows like it where it is too regular, numbers of both signs where it
    has one, and larger images where it has some that are so small that windows hardly overlap. (Which axes are height
    and width is not known: both are tried.)"""
    if regular(x):
        yield like(x, rng)
    if of_one_sign(x):
        yield normal(rng, x)
    if x.ndim == 4:
        for sides in ((1, 2), (2, 3)):
            if min(x.shape[axis] for axis in sides) < LARGE[0]:
                shape = list(x.shape)
                shape[0], shape[sides[0]], shape[sides[1]] = ROWS, *LARGE
                yield rng.choice(x.ravel(), shape) * rng.uniform(0.5, 1.5, shape)


def beyond(tested: LayerUnderTest, gradients: LayerGradients, rng: np.random.Generator) -> Finding | None:
    """What x cannot show because it has no ties and no zeros: at rows that have."""
    return unequal_at_ties(tested, gradients, rng) or mask_from_zeros(tested, gradients, rng)


def mask_from_zeros(tested: LayerUnderTest, gradients: LayerGradients, rng: np.random.Generator) -> Finding | None:
    """A dropout whose backward takes y = 0 for dropped: where x is 0, as behind a ReLU, y is 0, too."""
    facts = activations.recognise(gradients, "x")
    if facts is None or facts.kind != "dropout":
        return None
    x = gradients.x * (rng.random(gradients.x.shape) < 0.5)
    y = tested.forward(x)
    dy = normal(rng, y)
    there = LayerGradients(tested, x, y, dy, {"x": tested.gradients(x, dy)[1]}, rng)
    if same(there.analytic["x"], dy * facts.words["c"] * (y != 0)) and there.is_wrong("x"):
        why = "the mask is read off the output: dy * (y != 0). Behind a ReLU x is 0 in many places, and kept there"
        return Finding("mask-from-y", tested.where, why, "keep the mask in forward: dx = dy * self.mask")
    return None


def unequal_at_ties(tested: LayerUnderTest, gradients: LayerGradients, rng: np.random.Generator) -> Finding | None:
    """A maximum of equal pixels whose dy goes back to each of them whole. (To one, or a share to each, is right.)"""
    facts = pooling.recognise(gradients, "x")
    if facts is None or facts.kind != "max":
        return None
    x = rng.integers(-1, 2, size=(ROWS, *gradients.x.shape[1:])).astype(float)
    try:
        y = tested.forward(x)
        dy = normal(rng, y)
        dx = tested.gradients(x, dy)[1]
    except Exception:  # a layer that takes only certain rows
        return None
    there = LayerGradients(tested, x, y, dy, {"x": dx}, rng)
    tied = pooling.recognise(there, "x")
    if tied is None or not same(dx, tied.own("dx", tied.to_all_ties())) or same(dx, tied.gradient("dx")):
        return None
    ties = tied.most_ties()
    why = (
        f"where several pixels of a window are the largest, each of them gets all of dy: of {ties} equal ones, {ties} "
        f"times what y gets. That is dy * (x == y). x has no such window; it shows at whole numbers, where pixels tie"
    )
    return Finding("ties-all", tested.where, why, "dy to one of them, such as the first: argmax")
