"""diagnose on images, sequences and blocks: faults planted deep inside are named, with their layer's path."""

from __future__ import annotations

import contextlib
import os

import numpy as np
import pytest
from deep_cases import BROKEN, told
from test_diagnose import fits

from tinynn.diagnosis import CHECKS
from tinynn.diagnosis.evidence import Evidence
from tinynn.diagnosis.report import LeftOut
from tinynn.training import demands

SEEDS = range(int(os.environ.get("TINYNN_DIAGNOSIS_SEEDS", "2")))


def first_finding(model, loss, x, t, options):
    """The first line that is wrong; the checks behind it are not made."""
    trained, validation = demands.validation(
        x, t, options.get("validation_split", 0), options.get("validation_data"), False
    )
    prepare, size = demands.transform(options.get("transform")), options.get("batch_size")
    with np.errstate(all="ignore"):
        evidence = Evidence(model, loss, options["optimizer"], x[:trained], t[:trained], prepare, size, validation)
        for check in CHECKS.values():
            with contextlib.suppress(LeftOut):
                line = check(evidence)
                if line is not None and line.code:
                    return line
    return None


@pytest.mark.parametrize(("code", "path", "make"), BROKEN, ids=[f"{code} {n}" for n, (code, *_) in enumerate(BROKEN)])
def test_a_fault_is_named_with_its_place(code, path, make):
    for seed in SEEDS:
        line = first_finding(*make(seed))
        assert line and (line.code, path and str(line.place)) == (code, path), (seed, line)
        assert line.fix and (path is None or f"layer {path}, " in line.text)


@pytest.mark.parametrize("code", ["dead-relus", "channels-first", "branch-without-effect"])
def test_the_whole_report(code):
    report = told(next(make for name, _, make in BROKEN if name == code)(0))
    assert report.findings[0].code == code and fits(repr(report))
