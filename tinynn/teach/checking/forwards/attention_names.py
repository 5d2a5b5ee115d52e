"""Attention with a slip that nobody intends, or one that sees what comes later: its verdict."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..report import Finding
from .attention import SCALES, Attention, attention_of
from .probed import Probed

CAUSAL = "causal", "masked", "decoder", "autoregressive"  # in a class's name: a position sees none that comes later


def is_causal(probed: Probed) -> bool:
    """Whether the layer says that no position sees a later one: by its name, or an attribute."""
    flags = probed.attributes
    return any(word in probed.name for word in CAUSAL) or any(
        "causal" in name.lower() and value is True for name, value in flags.items()
    )


SAID = {
    "queries": "over the queries, not the keys: the weights of one query do not sum to 1",
    "heads": "over the heads, not the keys: the weights of one query do not sum to 1",
    "batch": "over the batch, not the keys: with a batch of one, each weight is 1",
    "after": "the mask comes after the softmax. Later positions are in its sum, and the weights do not sum to 1",
    "reversed": "and the mask is the wrong way round: a position sees itself and those that come later",
    "diagonal": "and the mask hides the position itself, so that the first sees nothing, and all of them alike",
    "ahead": "and the mask is one too far: a position sees the next one",
}


def of_attention(probed: Probed) -> Finding | None:
    """y is exactly an attention with a slip that nobody intends, or a causal one that sees what comes later.

    A softmax over anything but the keys gives weights that do not sum to 1 for a query. A reshape without transpose
    makes "heads" of pieces of neighbouring tokens. A mask that leaks has no purpose. A mask the other way round may
    have one, so that it is a slip only where the layer says that it is causal. A scale other than 1 / sqrt(dh) is a
    choice (T5 has none): a note.
    """
    found = attention_of(probed)
    later = _sees_later(probed)
    if found is None:
        if later and is_causal(probed):
            return Finding("sees-the-future", probed.where, f"the layer says that it is causal, and {later}", "a mask")
        return None
    leak = f". So {later}" if later else ""
    S = f"softmax({found.scale.replace('1 / ', 'Q K.T / ') if found.scale != '1' else 'Q K.T'})"
    if found.softmax != "keys":
        why = f"y is exactly attention whose softmax runs {SAID[found.softmax]}{leak if is_causal(probed) else ''}"
        return Finding("softmax-wrong-axis", probed.where, why, "axis=-1, with S of shape (..., queries, keys)")
    if found.split != "right" or found.merge != "right":
        return _heads_mixed(probed, found)
    if found.mask == "after":
        why = f"y is exactly ({S} * mask) V: {SAID['after']}{leak}"
        return Finding("mask-after-softmax", probed.where, why, "S = np.where(mask, S, -np.inf) before the softmax")
    if found.mask in ("= m", "+ m"):
        how = f"set to {found.m:g}" if found.mask == "= m" else f"lowered by {-found.m:g}"
        why = f"the scores of later positions are {how}, and exp of that is not 0: they keep some weight{leak}"
        return Finding("mask-too-weak", probed.where, why, "S = np.where(mask, S, -np.inf) before the softmax")
    if found.mask in ("ahead", "diagonal") or (found.mask == "reversed" and is_causal(probed)):
        why = f"y is exactly attention, {SAID[found.mask]}{leak}"
        return Finding("mask-shifted", probed.where, why, "mask = np.tril(np.ones((T, T), bool)), True where it sees")
    if is_causal(probed) and not found.causal:
        why = f"the layer says that it is causal, and y is exactly {S} V without a mask{leak}"
        return Finding("sees-the-future", probed.where, why, "S = np.where(np.tri(T, dtype=bool), S, -np.inf)")
    if found.scale in ("sqrt(dh)", "1 / sqrt(T)"):
        why = f"the scores Q K.T are multiplied by {found.scale}; that they have deviation 1 takes 1 / sqrt(dh)"
        return Finding("scale-of-scores", probed.where, why, "S = Q @ K.T / np.sqrt(dh), dh the width of a head")
    return None


def scale_of_scores(probed: Probed) -> Iterator[str]:
    """A note on a scale other than that of the paper."""
    found = attention_of(probed)
    if found is not None and found.scale != "1 / sqrt(dh)":
        D, T = probed.x.shape[-1], probed.x.shape[-2]
        dh = D // found.heads
        used, paper = SCALES[found.scale](T, D, dh), dh**-0.5
        if not np.isclose(used, paper):
            named = f", which is {found.scale}" if found.scale != "1" else ", as they are"
            yield (
                f"attention whose scores are multiplied by {used:.6g}{named}; the paper's scale is "
                f"1 / sqrt(dh) = {paper:.6g}, of a head's width dh = {dh}"
            )


def _heads_mixed(probed: Probed, found: Attention) -> Finding:
    B, T, D = (1, *probed.x.shape)[-3:]
    H, dh = found.heads, D // found.heads
    if found.split != "right":
        how = f"split by reshape({B}, {H}, {T}, {dh}) alone: a head then holds whole tokens, cut up, not a part of each"
        fix = f"x.reshape({B}, {T}, {H}, {dh}).transpose(0, 2, 1, 3), and the same way back"
    else:
        how = f"merged by reshape({B}, {T}, {D}) alone: the row of a token then holds parts of others"
        fix = f"heads.transpose(0, 2, 1, 3).reshape({B}, {T}, {D})"
    turned = probed.x[..., ::-1, :]
    apart = np.abs(probed.tested.forward(turned)[..., ::-1, :] - probed.y).max()
    said = "" if found.causal else f". With the tokens reversed, y of the same token is {apart:.3g} away"
    why = f"y is exactly attention of {H} heads that are {how}{said}"
    return Finding("heads-mixed", probed.where, why, fix)


def _sees_later(probed: Probed) -> str:
    """The probe: the last position of x is changed, and y of an earlier one with it. Empty where none changes."""
    x = np.array(probed.x)
    if x.ndim < 3 and not any(word in probed.name for word in ("attention", "head", *CAUSAL)):
        return ""
    x[..., -1, :] += 1 + np.abs(x).max()
    change = np.abs(probed.tested.forward(x) - probed.y)[..., :-1, :]
    if not change.size or not change.max() > 1e-9 * (np.abs(probed.y).max() or 1.0):
        return ""
    at = np.unravel_index(int(change.argmax()), change.shape)
    t, last = at[-2], x.shape[-2] - 1
    return f"position {t} of y changes by {change[at]:.3g} when position {last} of x is changed"
