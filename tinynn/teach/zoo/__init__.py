"""Slips to find: layers, losses, optimizers and networks with one mistake each, as learners make them.

    python -m tinynn.teach.zoo                 # lists them
    python -m tinynn.teach.zoo affine-1        # shows one and what a check measures; what is wrong with it?

    for slip in zoo.slips:                     # the gradient doctor must name each one
        assert slip.report(seed=0).code == slip.code

affine.py, elementwise.py, curves.py, images.py, losses.py, optimizers.py and networks.py hold the slips; slip.py says
what one is, cases.py puts it among right layers.
"""

from . import affine, curves, elementwise, images, losses, networks, optimizers  # the order in which they are listed
from .causes import CAUSES
from .slip import KINDS, Slip, find, slips

slips.sort(key=lambda slip: KINDS.index(slip.kind))

__all__ = [
    "CAUSES", "KINDS", "Slip", "affine", "curves", "elementwise", "find", "images", "losses", "networks", "optimizers",
    "slips",
]  # fmt: skip
