"""Slips to find: layers, losses, optimizers and networks with one mistake each, as learners make them.

    python -m tinynn.teach.zoo                 # lists them
    python -m tinynn.teach.zoo affine-1        # shows one and what a check measures; what is wrong with it?

    for slip in zoo.slips:                     # the gradient doctor must name each one
        assert slip.report(seed=0).code == slip.code

The slips: affine.py, elementwise.py, curves.py, images.py, normalization.py, attention.py, tables.py; forwards.py and
running.py, whose gradients are right, and whose layers are not; losses.py, distances.py, optimizers.py, adaptive.py,
networks.py. slip.py says what one is, cases.py puts it among right layers.
"""

from . import (
    affine,
    attention,
    curves,
    elementwise,
    forwards,
    images,
    losses,
    networks,
    normalization,
    optimizers,
    running,
    tables,
)  # the order in which they are listed

from . import adaptive, distances  # isort: skip
from .causes import CAUSES
from .slip import KINDS, Slip, find, slips

slips.sort(key=lambda slip: KINDS.index(slip.kind))

__all__ = [
    "CAUSES", "KINDS", "Slip", "adaptive", "affine", "attention", "curves", "distances", "elementwise", "find",
    "forwards", "images", "losses", "networks", "normalization", "optimizers", "running", "slips", "tables",
]  # fmt: skip
