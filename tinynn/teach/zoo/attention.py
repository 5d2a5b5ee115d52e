"""Slips in attention: on the way back, and wrong forwards whose backward is theirs."""

# mypy: allow-untyped-defs, allow-incomplete-defs

from __future__ import annotations

import numpy as np

from ...layers.layer import Layer
from .slip import slip


def turned(a):
    """Each matrix transposed."""
    return np.swapaxes(a, -1, -2)


class SelfAttention(Layer):
    """P = softmax(Q K^T / sqrt(D)), y = P V: the right forward, and the right backward."""

    parameters = ("Wq", "Wk", "Wv")
    causal = False

    def __init__(self, n, seed=0):
        rng = np.random.default_rng(seed)
        self.Wq, self.Wk, self.Wv = rng.normal(0, n**-0.5, (3, n, n))
        self.scale = n**-0.5

    def forward(self, x):
        self.q, self.k, self.v = x @ self.Wq, x @ self.Wk, x @ self.Wv
        S = self.scale * self.q @ turned(self.k)
        if self.causal:
            S = np.where(np.tri(x.shape[1], dtype=bool), S, -np.inf)
        e = np.exp(S - S.max(axis=-1, keepdims=True))
        self.P = e / e.sum(axis=-1, keepdims=True)
        return self.P @ self.v

    def softmax_back(self, dP):
        return self.P * (dP - (dP * self.P).sum(axis=-1, keepdims=True))

    def of_weights(self, dq, dk, dv):
        self.dWq, self.dWk, self.dWv = ((turned(self.x) @ d).sum(axis=0) for d in (dq, dk, dv))

    def backward(self, dy):
        dS = self.scale * self.softmax_back(dy @ turned(self.v))
        dq, dk, dv = dS @ self.k, turned(dS) @ self.q, turned(self.P) @ dy
        self.of_weights(dq, dk, dv)
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T


# --- on the way back -------------------------------------------------------------------------------------------------


@slip(
    "scale-not-in-backward",
    "layer",
    2,
    "One factor in forward, none in backward. The values learn as they should.",
    takes="tokens",
)
class SelfAttention1(SelfAttention):
    def backward(self, dy):
        dS = self.softmax_back(dy @ turned(self.v))
        dq, dk, dv = dS @ self.k, turned(dS) @ self.q, turned(self.P) @ dy
        self.of_weights(dq, dk, dv)
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T


@slip("diagonal-only", "layer", 2, "The slope of a sigmoid, in a place that looks like one.", takes="tokens")
class SelfAttention2(SelfAttention):
    def softmax_back(self, dP):
        return self.P * (1 - self.P) * dP


@slip(
    "softmax-sum-missing",
    "layer",
    2,
    "Weights that sum to 1 cannot all grow. Their gradients do not know it.",
    takes="tokens",
)
class SelfAttention3(SelfAttention):
    causal = True

    def softmax_back(self, dP):
        return self.P * dP


@slip("softmax-sum-axis", "layer", 2, "A sum over an axis. There are two of the same length.", takes="tokens")
class SelfAttention4(SelfAttention):
    def softmax_back(self, dP):
        return self.P * (dP - (dP * self.P).sum(axis=-2, keepdims=True))


@slip(
    "softmax-skipped", "layer", 1, "Forward takes a softmax. On the way back, nobody has heard of it.", takes="tokens"
)
class SelfAttention5(SelfAttention):
    def softmax_back(self, dP):
        return dP


@slip(
    "dK-not-transposed",
    "layer",
    2,
    "Of three products one is not turned round, and the shapes do not mind.",
    takes="tokens",
)
class SelfAttention6(SelfAttention):
    def backward(self, dy):
        dS = self.scale * self.softmax_back(dy @ turned(self.v))
        dq, dk, dv = dS @ self.k, dS @ self.q, turned(self.P) @ dy
        self.of_weights(dq, dk, dv)
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T


@slip("dV-not-transposed", "layer", 2, "What a token gives is not what it gets.", takes="tokens")
class SelfAttention7(SelfAttention):
    def backward(self, dy):
        dS = self.scale * self.softmax_back(dy @ turned(self.v))
        dq, dk, dv = dS @ self.k, turned(dS) @ self.q, self.P @ dy
        self.of_weights(dq, dk, dv)
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T


@slip("dQ-dK-exchanged", "layer", 2, "Queries and keys look alike. So do their gradients.", takes="tokens")
class SelfAttention8(SelfAttention):
    def of_weights(self, dq, dk, dv):
        super().of_weights(dk, dq, dv)


@slip("branch-missing", "layer", 1, "x goes three ways, and comes back on two.", takes="tokens")
class SelfAttention9(SelfAttention):
    causal = True

    def backward(self, dy):
        dS = self.scale * self.softmax_back(dy @ turned(self.v))
        dq, dk, dv = dS @ self.k, turned(dS) @ self.q, turned(self.P) @ dy
        self.of_weights(dq, dk, dv)
        return dq @ self.Wq.T + dv @ self.Wv.T


@slip("dx-not-transposed", "layer", 2, "Square matrices forgive everything but this.", takes="tokens")
class SelfAttention10(SelfAttention):
    def backward(self, dy):
        dS = self.scale * self.softmax_back(dy @ turned(self.v))
        dq, dk, dv = dS @ self.k, turned(dS) @ self.q, turned(self.P) @ dy
        self.of_weights(dq, dk, dv)
        return dq @ self.Wq + dk @ self.Wk + dv @ self.Wv


@slip("dQ-transposed", "layer", 2, "Who asks, and who is asked?", takes="tokens")
class SelfAttention11(SelfAttention):
    def backward(self, dy):
        dS = self.scale * self.softmax_back(dy @ turned(self.v))
        dq, dk, dv = turned(dS) @ self.k, turned(dS) @ self.q, turned(self.P) @ dy
        self.of_weights(dq, dk, dv)
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T


@slip("dQ-from-Q", "layer", 1, "Queries learn from queries.", takes="tokens")
class SelfAttention12(SelfAttention):
    def backward(self, dy):
        dS = self.scale * self.softmax_back(dy @ turned(self.v))
        dq, dk, dv = dS @ self.q, turned(dS) @ self.q, turned(self.P) @ dy
        self.of_weights(dq, dk, dv)
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T


@slip("dV-is-dO", "layer", 1, "Each token gets what it should have shared.", takes="tokens")
class SelfAttention13(SelfAttention):
    def backward(self, dy):
        dS = self.scale * self.softmax_back(dy @ turned(self.v))
        dq, dk, dv = dS @ self.k, turned(dS) @ self.q, dy
        self.of_weights(dq, dk, dv)
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T


@slip("dV-from-scores", "layer", 2, "Two matrices of the same shape, of which one is remembered.", takes="tokens")
class SelfAttention14(SelfAttention):
    def backward(self, dy):
        dS = self.scale * self.softmax_back(dy @ turned(self.v))
        dq, dk, dv = dS @ self.k, turned(dS) @ self.q, turned(self.scale * self.q @ turned(self.k)) @ dy
        self.of_weights(dq, dk, dv)
        return dq @ self.Wq.T + dk @ self.Wk.T + dv @ self.Wv.T


# --- wrong forwards --------------------------------------------------------------------------------------------------


class Plain(Layer):
    """Q = K = V = x, in two heads: the way of a subclass, forward and back."""

    heads = 2
    axis = -1

    def split(self, x):
        N, T, D = x.shape
        return x.reshape(N, T, self.heads, D // self.heads).transpose(0, 2, 1, 3)

    def merge(self, a):
        return a.transpose(0, 2, 1, 3).reshape(self.x.shape)

    def weights(self, S):
        e = np.exp(S - S.max(axis=self.axis, keepdims=True))
        return e / e.sum(axis=self.axis, keepdims=True)

    def masked(self, dS):
        return dS

    def forward(self, x):
        self.q = self.split(x)
        self.scale = self.q.shape[-1] ** -0.5
        self.P = self.weights(self.scale * self.q @ turned(self.q))
        return self.merge(self.P @ self.q)

    def backward(self, dy):
        d = self.unmerge(dy) if hasattr(self, "unmerge") else self.split(dy)
        dP = d @ turned(self.q)
        dS = self.scale * self.masked(self.P * (dP - (dP * self.P).sum(axis=self.axis, keepdims=True)))
        dq = turned(self.P) @ d + dS @ self.q + turned(dS) @ self.q
        return self.unsplit(dq) if hasattr(self, "unsplit") else self.merge(dq)


@slip(
    "softmax-wrong-axis",
    "layer",
    2,
    "A picture generator was trained with it. Nobody saw it in the pictures.",
    takes="tokens",
)
class Attention1(Plain):
    axis = -2


@slip("softmax-wrong-axis", "layer", 3, "Alone, each token is heard in full.", takes="tokens")
class Attention2(Plain):
    axis = 0


@slip(
    "heads-mixed",
    "layer",
    3,
    "The shapes are right, from beginning to end. It was trained, and published.",
    takes="tokens",
)
class Attention3(Plain):
    def split(self, x):
        N, T, D = x.shape
        return x.reshape(N, self.heads, T, D // self.heads)

    def merge(self, a):
        return a.reshape(self.x.shape)


@slip("heads-mixed", "layer", 3, "A tutorial, and its test still passed.", takes="tokens")
class Attention4(Plain):
    def merge(self, a):
        return a.reshape(self.x.shape)

    def unmerge(self, dy):
        return dy.reshape(self.q.shape)

    def unsplit(self, dq):
        return super().merge(dq)


@slip(
    "heads-mixed-back", "layer", 3, "Forward turns the axes and turns them back. Backward does it once.", takes="tokens"
)
class Attention6(Plain):
    def unmerge(self, dy):
        return dy.reshape(self.q.shape)


class Masked(Plain):
    """The same, where later positions have the score -1e9."""

    hidden = -1e9
    ahead = 0

    def weights(self, S):
        self.seen = np.tri(S.shape[-1], k=self.ahead, dtype=bool)
        return super().weights(np.where(self.seen, S, self.hidden))

    def masked(self, dS):
        return np.where(self.seen, dS, 0)


@slip("mask-too-weak", "layer", 2, "What is hidden is 0. What is 0 is not hidden.", takes="tokens")
class CausalAttention1(Masked):
    hidden = 0.0


@slip("mask-too-weak", "layer", 3, "Only one part in ten thousand of tomorrow is known today.", takes="tokens")
class CausalAttention2(Masked):
    hidden = -10.0


@slip(
    "mask-shifted",
    "layer",
    2,
    "Each word is guessed from those before it, and from one that is not.",
    takes="tokens",
)
class CausalAttention3(Masked):
    ahead = 1


@slip("mask-shifted", "layer", 3, "Nobody may look at himself; so the first looks everywhere.", takes="tokens")
class CausalAttention4(Masked):
    ahead = -1


@slip(
    "mask-after-softmax",
    "layer",
    2,
    "The future gets its share first, and is told to leave afterwards.",
    takes="tokens",
)
class CausalAttention5(Plain):
    def forward(self, x):
        q = self.q = self.split(x)
        self.scale, self.seen = q.shape[-1] ** -0.5, np.tri(x.shape[1])
        self.P = self.weights(self.scale * q @ turned(q))
        return self.merge((self.P * self.seen) @ q)

    def backward(self, dy):
        d, q, P = self.split(dy), self.q, self.P
        dP = d @ turned(q) * self.seen
        dS = self.scale * P * (dP - (dP * P).sum(axis=-1, keepdims=True))
        return self.merge(turned(P * self.seen) @ d + dS @ q + turned(dS) @ q)


@slip("sees-the-future", "layer", 1, "Its loss on the next word is a record. Its texts are not.", takes="tokens")
class CausalAttention6(Plain):
    pass


@slip("scale-of-scores", "layer", 2, "Scores of deviation 1 were wanted, and were multiplied away.", takes="tokens")
class Attention5(Plain):
    def weights(self, S):
        return super().weights(S / self.scale**2)

    def masked(self, dS):
        return dS / self.scale**2
