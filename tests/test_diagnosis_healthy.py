"""diagnose leaves healthy networks in peace: images, sequences, blocks, normalization, dropout, few rows, every loss."""

from __future__ import annotations

import os

import pytest
from deep_cases import HEALTHY, told
from test_diagnose import fits

SEEDS = range(int(os.environ.get("TINYNN_DIAGNOSIS_SEEDS", "1")))


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_one_is_left_in_peace(name):
    for seed in SEEDS:
        report = told(HEALTHY[name](seed))
        assert report and fits(repr(report)), report


def test_a_plateau_that_is_left_late_is_no_small_model():
    """From these weights, Adam leaves the loss of the mean after 1,000 steps, where 800 had been looked at."""
    report = told(HEALTHY["an autoencoder"](22))
    assert report, report
