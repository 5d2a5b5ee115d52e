"""The textbook: every op of tinynn once, in plain NumPy, with its derivation. Tests hold the other backends to it.

Conventions. x has one example per row: (N, D), batch first. `d<name>` is the gradient of the loss L with respect to
`<name>` and has its shape. A forward op returns fresh arrays. A backward op gets dy = dL/dy and returns dx = dL/dx by
the chain rule, dL/dx = dL/dy * dy/dx. It writes the gradients of parameters into the caller's arrays ("Writes"), and
changes nothing else. Arrays whose shapes do not fit one another are refused (shapes.py): nothing broadcasts.

Every op takes float32, float64 and complex128. The last is for the complex-step derivative, f'(x) = Im f(x + ih) / h,
which has no cancellation and so is exact to the last digit (Squire & Trapp 1998, SIAM Review 40). Therefore decisions
(a ReLU's sign, the maximum inside a softmax) look at the real part alone.
"""

from __future__ import annotations

import numpy as xp  # noqa: F401 (the array module of this backend: NumPy here, CuPy on the GPU)

from ...checks import Array
from .activations import *  # noqa: F403 (each chapter's ops: a new one is there without being listed)
from .affine import *  # noqa: F403
from .convolution import *  # noqa: F403
from .dropout import *  # noqa: F403
from .losses import *  # noqa: F403
from .normalization import *  # noqa: F403
from .optimizers import *  # noqa: F403
from .pooling import *  # noqa: F403


def asarray(a: Array) -> Array:
    """`a`, a NumPy array, as an array of this backend."""
    return a


def to_numpy(a: Array) -> Array:
    """`a`, an array of this backend, as a NumPy array."""
    return a
