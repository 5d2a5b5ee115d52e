"""What a slip is to the doctor of layers: one entry in the table of a chapter, which computes what the slip gives.

    Entry("dW-transposed", "dW", lambda a: a.dW.T, "the transpose of it", "dW is the transpose of what it should be")

A chapter (affine.py, activations.py, ...) is a module with a table SLIPS and a function `recognise`, which looks at a
layer and says whether the chapter is about it: then it returns the Facts from which the entries compute. Slips that
give an array of another shape than the gradient's stand in a second table, SHAPES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ....checks import Array
from ..measure import same

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients


@dataclass(frozen=True)
class Entry:
    """A mistake that people make in one gradient."""

    code: str  # its name
    part: str  # the gradient that it spoils, in the words of the chapter: "dW", "db", "dx"
    gives: Callable[..., Array | None]  # of the facts (and of one k of `each`): the wrong gradient; None: not here
    used: str  # the formula of the wrong gradient, for people; {k} and the facts' words are filled in
    says: str = ""  # one sentence; an entry of the same code may stand above and have said it
    of: str = ""  # the kind of layer that can have it, where that is not every one of the chapter
    right: str = ""  # the right formula, where it is not that of the facts
    each: Callable[[Any], Iterable[Any]] | None = None  # all k for which the slip gives another gradient, such as rows


@dataclass
class Facts:
    """What a chapter has found out about a layer: the base of those of all chapters."""

    layer: LayerGradients
    parts: dict[str, str] = field(
        default_factory=dict
    )  # the layer's names -> the chapter's: {"theta": "dW", "x": "dx"}
    right: Mapping[str, str] = field(default_factory=dict)  # the right formulas: {"dW": "x.T @ dy"}
    words: dict[str, Any] = field(default_factory=dict)  # what stands for {W} in the formulas
    kind: str = ""  # which of the chapter's layers it is

    def own(self, part: str, a: Array) -> Array:
        """A gradient in the layer's own layout, where the chapter computes in another one."""
        return a

    def gradient(self, part: str) -> Array | None:
        """The right gradient by its formula, in the layer's own layout; None where there is none."""
        return None


@dataclass(frozen=True)
class Match:
    """A slip that gives exactly what the code gave."""

    slip: Entry
    used: str
    right: str


def match(table: Iterable[Entry], facts: Facts, name: str, a: Array, differs: Callable[[Array], bool]) -> Match | None:
    """The first entry of a table that gives `a` for the gradient of `name`, and that `differs` from the right."""
    part = facts.parts.get(name, "")
    for slip in table:
        if slip.part != part or slip.of not in ("", facts.kind):
            continue
        for k in (None,) if slip.each is None else slip.each(facts):
            candidate = slip.gives(facts) if slip.each is None else slip.gives(facts, k)
            if candidate is None:
                continue
            candidate = facts.own(part, candidate)
            if same(a, candidate) and differs(candidate):
                words = {**facts.words, "k": k}
                return Match(slip, slip.used.format(**words), (slip.right or facts.right[part]).format(**words))
    return None
