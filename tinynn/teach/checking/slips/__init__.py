"""The classic slips in a layer's backward, chapter by chapter: what each would give in place of the right gradient.

    entry.py         what an entry of a chapter's table is
    affine.py        x W + b
    convolution.py   images, window by window; geometry.py finds how the windows lie
    pooling.py       the largest or the mean of each window; flatten.py: numbers in another order
    normalization.py batch, layer, group, instance and RMS norms
    attention.py     attention; queries.py: of keys and values that are given; softmax.py; embedding.py: rows of a table
    vectors.py       biases and scales of any layer: sums over rows
    activations.py   element by element; known_functions.py: which function it is, with its numbers
    forks.py         values that go two ways
    shapes.py        gradients of another shape than the parameter's

A new slip is one entry in one of the tables. A new kind of layer is a module with SLIPS and `recognise`, in the list
below; there `recognise` compares the layer's own y with what its parameters give by the textbook, so that it knows a
layer by what it computes, whatever its class, its names and the order of its axes are (Facts.own turns the axes).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ....checks import Array
from ..measure import same
from . import (
    activations,
    affine,
    attention,
    convolution,
    embedding,
    flatten,
    forks,
    normalization,
    pooling,
    queries,
    shapes,
    softmax,
    vectors,
)
from .entry import Match, match

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients

CHAPTERS: tuple[Any, ...] = (
    affine,
    convolution,
    pooling,
    flatten,
    normalization,
    attention,
    queries,
    softmax,
    embedding,
    vectors,
    activations,
)  # in the order in which they are asked
FORMULAS: tuple[Any, ...] = (affine, convolution, pooling)  # these know the right gradients, too
LAST: tuple[Any, ...] = (forks,)  # these compute from what was measured: after the constant factors


def named(layer: LayerGradients, name: str, chapters: tuple[Any, ...] = CHAPTERS) -> Match | None:
    """The slip that gives exactly what the layer's backward gave for `name`, or None."""
    a, n = layer.analytic[name], layer.numeric(name)
    known = np.isfinite(n)
    for chapter in chapters:
        facts = chapter.recognise(layer, name)
        if facts is not None:
            found = match(chapter.SLIPS, facts, name, a, lambda candidate: not same(candidate[known], n[known]))
            if found:
                return found
    return None


def named_by_shape(layer: LayerGradients, name: str, value: Array) -> Match | None:
    """The slip that gives exactly this value of another shape for the gradient of `name`, or None."""
    for chapter in CHAPTERS:
        facts = chapter.recognise(layer, name) if hasattr(chapter, "SHAPES") else None
        found = match(chapter.SHAPES, facts, name, value, lambda candidate: True) if facts else None
        if found:
            return found
    n = None if name == "x" else layer.whole(name)
    facts = None if n is None else shapes.recognise(layer, name, value, n)
    return match(shapes.SHAPES, facts, name, value, lambda candidate: True) if facts else None


def gradient(layer: LayerGradients, name: str) -> Array | None:
    """The right gradient of `name` by the formula of a chapter, where one is about this layer."""
    for chapter in FORMULAS:
        facts = chapter.recognise(layer, name)
        if facts is not None and name in facts.parts:
            right: Array | None = facts.gradient(facts.parts[name])
            return right
    return None


def sentences() -> dict[str, str]:
    """What each code means, in a few words."""
    tables = [(*chapter.SLIPS, *getattr(chapter, "SHAPES", ())) for chapter in (*CHAPTERS, *LAST)] + [shapes.SHAPES]
    return {slip.code: slip.says for table in tables for slip in table if slip.says}
