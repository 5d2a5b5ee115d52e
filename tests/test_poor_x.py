"""Mistakes that the given x hides, or that look alike there, get their names from normal numbers of the same shape."""

from __future__ import annotations

import numpy as np
import pytest

from tinynn import Layer, check_layer

PIXELS = np.random.default_rng(0).random((7, 5)) * (np.random.default_rng(1).random((7, 5)) < 0.5)  # 0, or up to 1
POSITIVE = 0.1 + np.random.default_rng(0).random((7, 5))


class OfX(Layer):
    """y = f(x), and g(x) for its slope."""

    def __init__(self, f, g):
        self.f, self.g = f, g

    def forward(self, x):
        self.x = x
        return self.f(x)

    def backward(self, dy):
        return dy * self.g(self.x)


def leaky(s):
    return lambda x: np.where(x.real > 0, x, s * x)


def swish_factor(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("x", [PIXELS, POSITIVE], ids=["pixels", "positive"])
@pytest.mark.parametrize(
    ("f", "g", "code"),
    [
        (leaky(0.1), lambda x: np.where(x > 0, 1, -0.1), "derivative-sign"),
        (lambda x: x * swish_factor(x), swish_factor, "fork-overwritten"),
        (lambda x: x * (x.real > 0), lambda x: np.ones_like(x), "missing-derivative"),
        (leaky(0.1), lambda x: np.where(x > 0, 1, 0.1), "ok"),
        (np.sqrt, lambda x: 0.5 / np.sqrt(x), "ok"),  # it takes no numbers below 0
    ],
)
def test_a_mistake_that_x_hides_has_its_name(x, f, g, code):
    if f is np.sqrt and not x.all():
        return
    report = check_layer(OfX(f, g), x)
    assert report.code == code, report
    assert bool(report) == (code == "ok") and not any("two signs" in note for note in report.notes)


def test_what_is_right_at_this_x_alone_is_told():
    """An unknown mistake where x is below 0 is none at this x: a note says so, and no alarm."""
    report = check_layer(OfX(leaky(0.1), lambda x: np.where(x > 0, 1, 0.3 + x)), POSITIVE)
    assert report and any("right at this x, which has no two signs" in note for note in report.notes), report
