"""README's programs run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import STRICT
from oracles import check_layer

import tinynn

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.S)


def test_the_program(tmp_path):
    """Fifteen lines, and the accuracy of an epoch of MNIST."""
    assert len([line for line in PROGRAMS[0].splitlines() if line]) <= 15
    command = [sys.executable, *STRICT, "-c", PROGRAMS[0]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment).stdout
    assert float(re.search(r"'accuracy': ([\d.]+)", output)[1]) > 0.93


def test_the_layers():
    """Their gradients are right."""
    names = {"Layer": tinynn.Layer, "np": np}
    for program in PROGRAMS[1:]:
        if "(Layer)" in program:
            exec(program, names)
    rng = np.random.default_rng(0)
    for layer in (names["Square"](), names["Scale"](3)):
        check_layer(layer, rng.normal(size=(4, 3)), rng)


def without_numbers(text):
    """Other processors round otherwise, in the last digits."""
    return " ".join(re.sub(r"-?\d[\d.,]*(e[-+]\d+)?", "#", text).split())


def test_what_is_shown(capsys):
    """Programs print what stands below them."""
    pytest.importorskip("sklearn", "1.6")
    shown = [text for text in PROGRAMS if re.search(re.escape(text) + "```\n\n```text\n", README)]
    assert len(shown) == 3
    for program in shown:
        exec(program, {})
        output = re.search(re.escape(program) + r"```\n\n```text\n(.*?)```", README, re.S)[1]
        assert without_numbers(capsys.readouterr().out) == without_numbers(output)


def test_the_files_that_it_names():
    for path in re.findall(r"\]\(([\w./]+)\)", README):
        assert (ROOT / path).exists(), path


def test_warnings_are_errors_where_they_are_ours():
    """The test command must not fail when the next version of a library deprecates something."""
    with pytest.raises(RuntimeWarning):
        np.log(np.zeros(1))
    for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning, UserWarning):
        with warnings.catch_warnings(record=True) as caught:
            warnings.warn("from now on it has another name", category, stacklevel=1)
        assert [w.category for w in caught] == [category]
