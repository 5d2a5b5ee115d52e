"""Attention to keys and values that are given, y = softmax(c x K^T) V: its slips are those of attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ....checks import Array
from ..measure import same
from ..names import plain
from .attention import SLIPS as OF_ATTENTION
from .attention import AttentionFacts, Steps, turned

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients

NAMES = {"k": ("k", "key", "keys"), "v": ("v", "value", "values")}
SLIPS = tuple(slip for slip in OF_ATTENTION if "W" not in slip.used)


class GivenQueries(Steps):
    """The steps of attention with one head, of x, K and V themselves."""

    def __init__(self, x: Array, dy: Array, roles: dict[str, tuple[str, Array]], c: float) -> None:
        whole = (a[None] if a.ndim == 2 else a for a in (x, dy, roles["k"][1], roles["v"][1]))
        self.x, self.d, K, V = whole
        self.roles, self.transposed, self.H, self.T, self.c = roles, False, 1, x.shape[-2], c
        self.Q, self.K, self.V = (self.split(a) for a in (self.x, K, V))
        self.S = c * self.Q @ turned(self.K)
        e = np.exp(self.S - self.S.max(axis=-1, keepdims=True))
        self.P, self.seen = e / e.sum(axis=-1, keepdims=True), np.ones((self.T, self.T), bool)
        self.y = self.merge(self.P @ self.V)

    def _back(self, role: str, a: Array, slip: str) -> Any:
        return a if role == "q" else 0

    def _of_weights(self, parts: dict[str, Array]) -> dict[str, Array]:
        return {name: parts[role] for role, (name, _) in self.roles.items()}


def recognise(layer: LayerGradients, name: str) -> AttentionFacts | None:
    """Attention to two parameters of x's shape whose names say that they are keys and values."""
    values = {own: layer.tested.value(own) for own in layer.tested.names}
    roles = {role: (own, a) for role, names in NAMES.items() for own, a in values.items() if plain(own) in names}
    if layer.x.ndim not in (2, 3) or len(roles) != 2 or any(a.shape != layer.x.shape for _, a in roles.values()):
        return None
    held = getattr(getattr(layer.tested.original, "thing", None), "thing", None)
    numbers = [a for a in held.values() if isinstance(a, float)] if isinstance(held, dict) else []
    for c in (*numbers, layer.x.shape[-1] ** -0.5, 1.0):
        steps = GivenQueries(layer.x, layer.dy, roles, c)
        if same(steps.y, layer.y.reshape(steps.y.shape)):
            return AttentionFacts(layer, {name: "any"}, steps=steps, name=name)
    return None
