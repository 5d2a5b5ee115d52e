"""Data to learn from: MNIST, which comes with the package, and any set stored like it; NIST's Norris data for a line.

    (x_train, y_train), (x_test, y_test) = load_mnist()    # 60 000 and 10 000 handwritten digits
    x, y = load_norris()                                   # 36 points beside a straight line
    array = read_idx("some-images-idx3-ubyte.gz")          # one array in the IDX format, MNIST's own

Nothing is downloaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import elsewhere
from .idx import read_idx
from .mnist import load_mnist
from .norris import load_norris

__all__ = ["load_mnist", "load_norris", "read_idx"]

if not TYPE_CHECKING:  # else any name would be one
    __getattr__ = elsewhere.asked(__name__)
