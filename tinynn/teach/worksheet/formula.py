"""A formula as it is written on paper: in symbols, and with the numbers in it.

Both come from one list of tokens: texts such as " + ", and Numbers, which know their symbol and their value. A product
sign is " * " between numbers and a space between symbols.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from ...checks import Array

MOST_TERMS = 10  # of a sum that are written out; of a longer one, the first FIRST and the largest
FIRST = 3
GUARD = 4  # up to so many digits more than the total has, in the terms of a sum
LEAST = 3  # significant digits of a term that is next to nothing


@dataclass(frozen=True)
class Number:
    """A number in a formula. `more`: it stands for so many further terms of a sum, put together.

    `text` is how it is written, where the usual digits are not enough.
    """

    symbol: str
    value: float
    more: int = 0
    text: str = ""

    @property
    def kind(self) -> str:
        """ "gradient", "value" (an entry of another array) or "constant"."""
        return "gradient" if "dL/" in self.symbol else "value" if "[" in self.symbol else "constant"


Tokens = Sequence[str | Number]


@dataclass(frozen=True)
class Formula:
    """The right side of an equation for one number.

    `parts` are the terms of a sum, worked out: each path's part of a gradient, say. `middle` is a step between, such as
    a slope that is worked out. `result` is what the formula gives, None where nobody knows, and `scale` the size of the
    largest thing that went into it, for round-off.
    """

    tokens: Tokens
    result: float | None = None
    parts: tuple[Number, ...] = ()
    middle: Tokens = ()
    scale: float = 0.0
    note: str = ""

    @property
    def symbols(self) -> str:
        """`x[0,0] dL/dy[0,1] + x[1,0] dL/dy[1,1]`"""
        return symbols(self.tokens)

    def agrees(self, value: float, tol: float) -> bool:
        """Whether the formula gives `value` but for round-off; True where it gives nothing."""
        if self.result is None or self.result == value or (math.isnan(self.result) and math.isnan(value)):
            return True
        return abs(self.result - value) <= tol * max(self.scale, abs(value))


def fmt(value: float, digits: int) -> str:
    """A number in so many significant digits; never -0."""
    return f"{value + 0.0:.{digits}g}"


def symbols(tokens: Tokens) -> str:
    """The tokens in symbols."""
    return "".join(token.symbol if isinstance(token, Number) else token.replace(" * ", " ") for token in tokens)


def numbers(tokens: Tokens, digits: int) -> str:
    """The tokens with their numbers; what is below 0 and squared stands in brackets."""
    texts = [written(token, digits) if isinstance(token, Number) else token for token in tokens]
    for k, after in enumerate(texts[1:]):
        if after.startswith("^") and texts[k].startswith("-"):
            texts[k] = f"({texts[k]})"
    return "".join(texts)


def written(number: Number, digits: int) -> str:
    """The number; with what it stands for where that is a rest."""
    text = number.text or fmt(number.value, digits)
    return f"({number.more} more: {text})" if number.more else text


def joined(terms: Iterable[Tokens], between: str = " + ") -> list[str | Number]:
    """Terms with a sign between them."""
    tokens: list[str | Number] = []
    for term in terms:
        tokens += [between, *term] if tokens else term
    return tokens


def total(
    terms: Array,
    token: Callable[[int], Tokens],
    before: str = "",
    after: Tokens = (),
    factor: float = 1.0,
    add: Number | None = None,
) -> Formula:
    """The formula of a sum: before, "term_0 + term_1 + ...", after, and " + add".

    `terms` (K,) are the terms' values, `token(k)` writes the k-th one out, and `factor` is what `before` and `after`
    multiply them by. Of a long sum the first terms and the largest are written, and the others put together.
    """
    shown = list(range(len(terms)))
    if len(terms) > MOST_TERMS:
        size = np.where(np.isnan(terms), np.inf, np.abs(terms))
        size[:FIRST] = -1
        shown = [*range(FIRST), int(size.argmax())]
    written_out = [token(k) for k in shown]
    parts = [Number(symbols(tokens), factor * float(terms[k])) for k, tokens in zip(shown, written_out)]
    if len(shown) < len(terms):
        hidden = np.delete(terms, shown)
        rest = float(hidden.sum())
        name = f"... ({len(hidden)} more)"
        written_out.append([Number(name, rest, len(hidden))])
        parts.append(Number(name, factor * rest, len(hidden)))
    tokens = [before, *joined(written_out), *after]
    scale = abs(factor) * float(np.abs(terms).sum())
    if add is not None:
        tokens += [" + ", add]
        parts.append(add)
        scale += abs(add.value)
    values = [part.value for part in parts]
    result = math.fsum(values) if np.isfinite(values).all() else sum(values)
    return Formula([token for token in tokens if token != ""], result, tuple(parts), scale=scale)


def adding_up(terms: Sequence[Number], total: float, digits: int) -> tuple[list[Number], str]:
    """The terms in as many digits as it takes for those that are shown to add up to the total in `digits`.

    Where they do not, since the total was rounded on the way, as in float32: what they add up to; else "".
    """
    values = [term.value for term in terms]
    if not np.isfinite([*values, total]).all():
        return [*terms], ""
    largest = max(map(abs, values), default=0.0)
    decimals = digits - 1 - exponent(total or largest)
    for more in range(GUARD + 1):
        texts = [to_decimals(value, decimals + more) for value in values]
        if adds_up(texts, round_to(Decimal(total), decimals), decimals):
            return [replace(term, text=text) for term, text in zip(terms, texts)], ""
    decimals = min(decimals, digits + GUARD - exponent(largest))
    texts = [to_decimals(value, decimals) for value in values]
    found = round_to(sum(map(Decimal, texts), Decimal(0)), decimals)
    return [replace(term, text=text) for term, text in zip(terms, texts)], fmt(float(found), 15)


def adds_up(texts: Sequence[str], total: Decimal, decimals: int) -> bool:
    """Whether the numbers in print add up to the total, to so many decimals."""
    return abs(sum(map(Decimal, texts), Decimal(0)) - total) < Decimal(5).scaleb(-decimals - 1)


def exponent(value: float) -> int:
    """That of its first digit: 2 of 123.4."""
    return math.floor(math.log10(abs(value))) if value else 0


def round_to(value: Decimal, decimals: int) -> Decimal:
    """The value with so many decimals."""
    return value.quantize(Decimal(1).scaleb(-decimals))


def to_decimals(value: float, decimals: int) -> str:
    """The value with so many decimals, or as many as it takes to say something of it."""
    return fmt(value, min(max(decimals + 1 + exponent(value), LEAST), 17))
