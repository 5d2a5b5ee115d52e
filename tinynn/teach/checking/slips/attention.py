"""Attention: what goes wrong on its way back.

    S = c Q K^T,  P = softmax(S),  O = P V,  y = O Wo                            each head by itself, c = 1 / sqrt(dh)
    dO = dy Wo^T,  dV = P^T dO,  dP = dO V^T,  dS = P (dP - rowsum(dP P)),  dQ = c dS K,  dK = c dS^T Q
    dx = dQ Wq^T + dK Wk^T + dV Wv^T

One function goes all the way back with one slip on it, so that every tensor behind the slip is what the slip makes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ....checks import Array
from ..forwards.attention import SCALES, attention_of
from ..forwards.probed import Probed
from ..measure import same
from .entry import Entry, Facts

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients

OF_SOFTMAX = "from dS = P * (dP - rowsum(dP * P))"
OF_X = "dQ @ Wq.T + dK @ Wk.T + dV @ Wv.T"


def back(slip: str, code: str, used: str, says: str = "", *, right: str) -> Entry:
    """The entry of a slip of Steps.backward, which changes the gradients of all tensors behind it."""
    return Entry(code, "any", lambda facts: facts.gradient_with(slip), used, says, right=right)


SLIPS = (
    back("c missing", "scale-not-in-backward", "from dQ = dS @ K and dK = dS.T @ Q, without c",
         "the scale of the scores is not in their gradient", right="from dQ = c * dS @ K and dK = c * dS.T @ Q"),
    back("c twice", "scale-not-in-backward", "from dQ = c**2 * dS @ K, with c twice",
         right="from dQ = c * dS @ K and dK = c * dS.T @ Q"),
    back("diagonal", "diagonal-only", "from dS = P * (1 - P) * dP, the Jacobian's diagonal alone", right=OF_SOFTMAX),
    back("no sum", "softmax-sum-missing", "from dS = P * dP, without the sum over the row",
         "the softmax's gradient lacks the sum over the row", right=OF_SOFTMAX),
    back("column sum", "softmax-sum-axis", "from dS = P * (dP - colsum(dP * P)), over the queries",
         "the softmax's gradient has a sum over another axis", right=OF_SOFTMAX),
    back("mean", "softmax-sum-axis", "from dS = P * (dP - rowmean(dP * P)), a mean for the sum", right=OF_SOFTMAX),
    back("no P", "softmax-without-p", "from dS = dP - rowsum(dP * P), without P in front",
         "the softmax's gradient lacks the p in front", right=OF_SOFTMAX),
    back("no softmax", "softmax-skipped", "from dS = dP, as if there were no softmax",
         "backward does not go through the softmax", right=OF_SOFTMAX),
    back("dK", "dK-not-transposed", "from dK = c * dS @ Q",
         "dK is computed with dS in place of its transpose", right="from dK = c * dS.T @ Q"),
    back("dV", "dV-not-transposed", "from dV = P @ dO",
         "dV is computed with P in place of its transpose", right="from dV = P.T @ dO"),
    back("dQ", "dQ-transposed", "from dQ = c * dS.T @ K",
         "dQ is computed with dS transposed", right="from dQ = c * dS @ K"),
    back("exchanged", "dQ-dK-exchanged", "from dQ = c * dS.T @ Q and dK = c * dS @ K",
         "the gradients of queries and keys are exchanged", right="from dQ = c * dS @ K and dK = c * dS.T @ Q"),
    back("dQ from Q", "dQ-from-Q", "from dQ = c * dS @ Q",
         "dQ is computed from the queries in place of the keys", right="from dQ = c * dS @ K"),
    back("dK from K", "dQ-from-Q", "from dK = c * dS.T @ K", right="from dK = c * dS.T @ Q"),
    back("dV from S", "dV-from-scores", "from dV = S.T @ dO, the scores for their softmax",
         "dV is computed from the scores in place of their softmax", right="from dV = P.T @ dO"),
    back("dV is dO", "dV-is-dO", "from dV = dO", "dV is dO: the weights are missing", right="from dV = P.T @ dO"),
    back("merge", "heads-mixed-back", "from dO, reshaped to (B, H, T, dh) without a transpose",
         "heads are split or merged by a reshape without a transpose, in backward alone",
         right="from dO, split as Q, K and V are"),
    back("split", "heads-mixed-back", "from dQ, dK and dV, reshaped to (B, T, D) without a transpose",
         right="from dQ, dK and dV, merged as O is"),
    back("dO", "dx-not-transposed", "from dO = dy @ Wo", right="from dO = dy @ Wo.T"),
    back("W", "dx-not-transposed", "dQ @ Wq + dK @ Wk + dV @ Wv", right=OF_X),
    back("q lost", "branch-missing", "the sum without dQ @ Wq.T",
         "x goes three ways, and one of them does not come back", right=OF_X),
    back("k lost", "branch-missing", "the sum without dK @ Wk.T", right=OF_X),
    back("v lost", "branch-missing", "the sum without dV @ Wv.T", right=OF_X),
    back("q alone", "branch-missing", "dQ @ Wq.T alone", right=OF_X),
    back("k alone", "branch-missing", "dK @ Wk.T alone", right=OF_X),
    back("v alone", "branch-missing", "dV @ Wv.T alone", right=OF_X),
)  # fmt: skip


@dataclass
class AttentionFacts(Facts):
    """One tensor of attention, and the way back to it."""

    steps: Steps = None  # type: ignore[assignment]
    name: str = ""

    def gradient_with(self, slip: str) -> Array | None:
        """The gradient of the tensor with one slip on the way back."""
        found = self.steps.backward(slip)
        return None if found is None else np.asarray(found[self.name].reshape(self.layer.at(self.name).shape))


def recognise(layer: LayerGradients, name: str) -> AttentionFacts | None:
    """Attention of right heads, mask and softmax, whose weights' names say what they are."""
    try:
        steps = steps_of(layer)
    except Exception:  # a layer that takes only certain numbers
        return None
    return None if steps is None else AttentionFacts(layer, {name: "any"}, steps=steps, name=name)


def steps_of(layer: LayerGradients) -> Steps | None:
    """The attention that the layer is, with its own numbers; None for another layer."""
    probed = Probed(layer.tested, layer.x, np.random.default_rng(5))
    found = attention_of(probed)
    if found is None or (found.softmax, found.split, found.merge, found.mask) != ("keys", "right", "right", "-inf"):
        return None
    roles = roles_of({name: layer.tested.value(name) for name in layer.tested.names})
    for transposed in (False, True) if roles is not None else ():
        try:
            steps = Steps(layer.x, layer.dy, roles or {}, transposed, found)
        except ValueError:  # shapes that do not fit, the other way round
            continue
        for around in (False, True):
            fits = not around or steps.x.shape == steps.y.shape
            if fits and same(steps.y + around * (steps.x if around else 0), layer.y.reshape(steps.y.shape)):
                steps.around = around
                return steps
    return None


def roles_of(values: dict[str, Array]) -> dict[str, tuple[str, Array]] | None:
    """ "q", "k", "v", "o" and, of biases, "bq" ... -> (name, value), by their names; None where one has no role."""
    roles = {}
    for name, value in values.items():
        letters = re.sub("weights?|bias|kernel|proj(ection)?|linear|[^a-z]", "", name.lower())
        letters = letters.removeprefix("w").removeprefix("b").removesuffix("w")
        words = {
            "q": "q",
            "query": "q",
            "k": "k",
            "key": "k",
            "v": "v",
            "value": "v",
            "o": "o",
            "out": "o",
            "output": "o",
        }
        role = words.get(letters)
        if role is None:
            return None
        roles[role if value.ndim > 1 else "b" + role] = name, value
    return roles if not roles or {"q", "k", "v"} <= set(roles) else None


class Steps:
    """Forward and backward of attention, step by step."""

    around = False  # y = x + attention(x)

    def __init__(self, x: Array, dy: Array, roles: dict[str, Any], transposed: bool, kind: Any) -> None:
        self.x: Array = x[None] if x.ndim == 2 else x
        self.d: Array = dy[None] if x.ndim == 2 else dy
        self.roles, self.transposed, self.kind = roles, transposed, kind
        q, k, v = (self.projected(self.x, role) for role in "qkv")
        self.H, self.T = kind.heads, x.shape[-2]
        self.Q, self.K, self.V = map(self.split, (q, k, v))
        dh = self.Q.shape[-1]
        self.c = SCALES[kind.scale](self.T, self.H * dh, dh)
        self.S = self.c * self.Q @ turned(self.K)
        seen = np.tri(self.T, dtype=bool) if kind.causal else np.ones((self.T, self.T), bool)
        e = np.exp(np.where(seen, self.S, -np.inf) - np.where(seen, self.S, -np.inf).max(axis=-1, keepdims=True))
        self.P, self.seen = e / e.sum(axis=-1, keepdims=True), seen
        self.o = self.merge(self.P @ self.V)
        self.y = self.projected(self.o, "o")

    def W(self, role: str) -> Array | None:
        """A weight as (in, out)."""
        if role not in self.roles:
            return None
        W = self.roles[role][1]
        return W.T if self.transposed else W

    def projected(self, a: Array, role: str) -> Array:
        W = self.W(role)
        y = a if W is None else a @ W
        return y + self.roles["b" + role][1] if "b" + role in self.roles else y

    def split(self, a: Array) -> Array:
        return a.reshape(*a.shape[:2], self.H, -1).transpose(0, 2, 1, 3)

    def merge(self, a: Array) -> Array:
        return a.transpose(0, 2, 1, 3).reshape(len(a), self.T, -1)

    def softmax_back(self, dP: Array, slip: str) -> Array:
        """dS of dP."""
        P = self.P
        row = (dP * P).sum(axis=-1, keepdims=True)
        return {
            "diagonal": lambda: P * (1 - P) * dP,
            "no sum": lambda: P * dP,
            "column sum": lambda: P * (dP - (dP * P).sum(axis=-2, keepdims=True)),
            "mean": lambda: P * (dP - row / self.T),
            "no P": lambda: np.where(self.seen, dP - row, 0),
            "no softmax": lambda: np.where(self.seen, dP, 0),
        }.get(slip, lambda: P * (dP - row))()

    def backward(self, slip: str = "") -> dict[str, Array] | None:
        """All gradients by name, with one slip; None where the slip is none here."""
        Wo = self.W("o")
        if (slip == "dO" and (Wo is None or Wo.shape[0] != Wo.shape[1])) or (slip == "W" and not self._square()):
            return None
        d: Array = self.d if Wo is None else self.d @ (Wo if slip == "dO" else Wo.T)
        dO = d.reshape(len(d), self.H, self.T, -1) if slip == "merge" else self.split(d)
        dV = {"dV": self.P @ dO, "dV from S": turned(self.S) @ dO, "dV is dO": dO}.get(slip, turned(self.P) @ dO)
        dS = self.softmax_back(dO @ turned(self.V), slip)
        c = {"c missing": 1.0, "c twice": self.c**2}.get(slip, self.c)
        dQ = c * {"dQ": turned(dS) @ self.K, "dQ from Q": dS @ self.Q}.get(slip, dS @ self.K)
        dK = c * {"dK": dS @ self.Q, "dK from K": turned(dS) @ self.K}.get(slip, turned(dS) @ self.Q)
        dQ, dK = (dK, dQ) if slip == "exchanged" else (dQ, dK)
        parts = [a.reshape(len(a), self.T, -1) if slip == "split" else self.merge(a) for a in (dQ, dK, dV)]
        found: dict[str, Any] = self._of_weights(dict(zip("qkv", parts)))
        lost = slip[0] if slip.endswith("lost") else ""
        alone = slip[0] if slip.endswith("alone") else "qkv"
        found["x"] = sum(self._back(role, a, slip) for role, a in zip("qkv", parts) if role != lost and role in alone)
        found["x"] = found["x"] + self.d if self.around else found["x"]
        return found

    def _square(self) -> bool:
        return all(W is not None and W.shape[0] == W.shape[1] for W in map(self.W, "qkv"))

    def _back(self, role: str, a: Array, slip: str) -> Any:
        W = self.W(role)
        return a if W is None else a @ (W if slip == "W" else W.T)

    def _of_weights(self, parts: dict[str, Array]) -> dict[str, Array]:
        found = {}
        for role, (name, _) in self.roles.items():
            a = self.d if role[-1] == "o" else parts[role[-1]]
            given = self.o if role == "o" else self.x
            if role[0] == "b":
                found[name] = a.sum(axis=(0, 1))
            else:
                dW = given.reshape(-1, given.shape[-1]).T @ a.reshape(-1, a.shape[-1])
                found[name] = dW.T if self.transposed else dW
        return found


def turned(a: Array) -> Array:
    """Each matrix transposed."""
    return np.swapaxes(a, -1, -2)
