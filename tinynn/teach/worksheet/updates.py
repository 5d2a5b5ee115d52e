"""The formulas of the optimizers' steps, written for the recorded numbers."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ...backends.numpy.optimizers import TINY_MEAN, TINY_SQUARE
from ...checks import Array
from ...optimizers import SGD, Adam, RMSProp
from .formula import Formula, Number, Tokens
from .lines import Index, Quantity, at, shape
from .record import Record


def or_0(formula: Formula, value: Any, limit: float) -> Formula:
    """The formula; where the optimizer has put 0 in place of a result that is next to nothing, that."""
    tiny = value == 0 and 0 < abs(formula.result or 0.0) < limit
    return Formula([f"0, for it is below {limit:g}"], 0.0) if tiny else formula


class Update:
    """One parameter's step: `place` and `name` such as "layer 2" and "W"; W before and after it, its gradient."""

    def __init__(self, optimizer: Any, record: Record, place: str, name: str, old: Array, grad: Array) -> None:
        self.optimizer, self.record, self.place, self.name = optimizer, record, place, name
        self.W, self.dW = old, grad
        self.slot = place, name
        self.new = record.params[self.slot]
        self.used = record.used[self.slot]  # what the optimizer has made of the gradient, if anything
        self.own = f"{type(optimizer).__name__}.step()"

    @property
    def decay(self) -> float:
        """The weight decay of this parameter."""
        spared = not self.optimizer.decay_biases and self.W.ndim < 2
        return 0.0 if spared else float(self.optimizer.weight_decay)

    @property
    def lr(self) -> Number:
        """The step size."""
        return Number("lr", float(self.optimizer.lr))

    def quantities(self) -> list[Quantity]:
        """What the step computes, in order."""
        kept = {state for state, arrays in self.record.old.items() if self.slot in arrays}
        if isinstance(self.optimizer, SGD) and kept >= set(SGD.state):
            found = self.sgd()
        elif isinstance(self.optimizer, Adam) and kept >= set(Adam.state):
            found = self.adam()
        elif isinstance(self.optimizer, RMSProp) and kept >= set(RMSProp.state):
            found = self.rmsprop()
        else:
            found = self.others()
        return [*self.clipped(), *found]

    def quantity(self, left: str, array: Array, law: str, entry: Any) -> Quantity:
        """One array of the parameter's shape, such as "m of W[0,1] of layer 2"."""
        key = f"{left} of {self.name}{{}} of {self.place}"
        return Quantity(key, f"{left} of {self.name}", array, law, f"all {shape(self.W)}", entry, self.own)

    def after(self, law: str, entry: Any) -> Quantity:
        """The parameter after the step."""
        key, left = f"new {self.name}{{}} of {self.place}", f"new {self.name}"
        return Quantity(key, left, self.new, law, f"all {shape(self.W)}", entry, self.own)

    def old(self, index: Index) -> Number:
        """An entry before the step."""
        return at(self.name, self.W, *index)

    def others(self) -> list[Quantity]:
        """An optimizer of one's own: its state as it is, and the change."""
        known = Formula([self.own])
        found = [
            self.quantity(state, arrays[self.slot], f"{state} <- as {self.own} has it", lambda index: known)
            for state, arrays in self.record.new.items()
            if self.slot in arrays
        ]
        return [*found, self.after(f"{self.name} <- as {self.own} has it", self.unknown)]

    def unknown(self, index: Index) -> Formula:
        """The change, which is known whatever the rule is."""
        change = Number("change", float(self.new[index]) - float(self.W[index]))
        return Formula([self.old(index), " + ", change])

    # --- the gradient's length ----------------------------------------------------------------------------------------

    @property
    def is_clipped(self) -> bool:
        """Whether the optimizer has shortened the gradients."""
        return getattr(self.optimizer, "clip_norm", None) is not None and self.length > self.optimizer.clip_norm

    @functools.cached_property
    def length(self) -> float:
        """That of all gradients together, before the step."""
        grads = [call.grads[name] for call in self.record.calls for name in call.grads]
        return math.sqrt(sum(float(np.sum(np.square(g, dtype=np.float64))) for g in grads))

    def clipped(self) -> list[Quantity]:
        """The shortened gradient, where it is."""
        if not self.is_clipped:
            return []
        limit, length = Number("clip_norm", float(self.optimizer.clip_norm)), Number("|all gradients|", self.length)

        def entry(index: Index) -> Formula:
            g = at(f"dL/d{self.name}", self.dW, *index)
            tokens: list[str | Number] = [g, " * ", limit, " / ", length]
            return Formula(tokens, g.value * limit.value / length.value, scale=abs(g.value))

        law = f"clipped dL/d{self.name} = dL/d{self.name} clip_norm / |all gradients|"
        shown = self.used
        if isinstance(self.optimizer, SGD | RMSProp) and not self.optimizer.decay_biases and self.decay:
            shown = self.used - self.used.dtype.type(self.decay) * self.W  # the decay is in it by then
        key, left = f"clipped dL/d{self.name}{{}} of {self.place}", f"clipped dL/d{self.name}"
        return [Quantity(key, left, shown, law, f"all {shape(self.W)}", entry, self.own)]

    # --- SGD ----------------------------------------------------------------------------------------------------------

    def sgd(self) -> list[Quantity]:
        """v <- momentum v - lr g; w <- w + v, or w + momentum v - lr g."""
        momentum = Number("momentum", float(self.optimizer.momentum))
        old, new = (state["velocity"][self.slot] for state in (self.record.old, self.record.new))
        w, g = self.name, f"dL/d{self.name}"
        decay = f" - lr weight_decay {w}" if self.decay else ""

        def velocity(index: Index) -> Formula:
            v = at("old velocity", old, *index)
            found = self.sum_of([([momentum, " * ", v], momentum.value * v.value)], index)
            return or_0(found, new[index], TINY_MEAN)

        def plain(index: Index) -> Formula:
            return self.sum_of([([self.old(index)], self.old(index).value)], index)

        def moved(index: Index) -> Formula:
            W, v = self.old(index), at("velocity", new, *index)
            return Formula([W, " + ", v], W.value + v.value, (W, v), scale=abs(W.value) + abs(v.value))

        def ahead(index: Index) -> Formula:
            W, v = self.old(index), at("velocity", new, *index)
            return self.sum_of([([W], W.value), ([momentum, " * ", v], momentum.value * v.value)], index)

        if not momentum.value:
            return [self.after(f"{w} <- {w} - lr {g}{decay}", plain)]
        first = self.quantity("velocity", new, f"velocity <- momentum velocity - lr {g}{decay}", velocity)
        if self.optimizer.nesterov:
            return [first, self.after(f"{w} <- {w} + momentum velocity - lr {g}{decay}", ahead)]
        return [first, self.after(f"{w} <- {w} + velocity", moved)]

    def sum_of(self, terms: list[tuple[Tokens, float]], index: Index) -> Formula:
        """The terms, and the step down the gradient: - lr g, and - lr weight_decay w."""
        g, W, lr = self.g(index), self.old(index), self.lr
        tokens: list[str | Number] = []
        parts = []
        for term, value in terms:
            tokens += [*([" + "] if tokens else []), *term]
            parts.append(value)
        tokens += [" - ", lr, " * ", g]
        parts.append(-lr.value * g.value)
        if self.decay:
            decay = Number("weight_decay", self.decay)
            tokens += [" - ", lr, " * ", decay, " * ", W]
            parts.append(-lr.value * decay.value * W.value)
        scale = sum(map(abs, parts))
        return Formula(tokens, sum(parts), tuple(Number("part", part) for part in parts), scale=scale)

    def g(self, index: Index) -> Number:
        """The gradient that the step goes against; a weight decay is not in it."""
        for quantity in self.clipped():
            return at(f"clipped dL/d{self.name}", quantity.array, *index)  # type: ignore[arg-type]
        return at(f"dL/d{self.name}", self.dW, *index)

    # --- Adam ---------------------------------------------------------------------------------------------------------

    def adam(self) -> list[Quantity]:
        """m, v: running means of g and g^2; m', v': made up for their start at 0; w <- w - lr m' / (sqrt(v') + eps)."""
        o, w = self.optimizer, self.name
        old, new = ({name: state[name][self.slot] for name in "mv"} for state in (self.record.old, self.record.new))
        t = o.t + 1
        eps = Number("eps", float(o.eps))
        betas = {"m": Number("beta1", float(o.beta1)), "v": Number("beta2", float(o.beta2))}
        with np.errstate(all="ignore"):
            wide = {name: new[name].astype(np.float64) / (1 - betas[name].value ** t) for name in "mv"}
        corrected = {name: wide[name].astype(self.W.dtype) for name in "mv"}

        def running(name: str, power: str) -> Any:
            def entry(index: Index) -> Formula:
                g, mean, beta = self.g(index), at(f"old {name}", old[name], *index), betas[name]
                share = (1 - beta.value) * (g.value * g.value if power else g.value)
                parts = Number("part", beta.value * mean.value), Number("part", share)
                tokens: list[str | Number] = [
                    beta,
                    " * ",
                    mean,
                    " + (1 - ",
                    beta,
                    ") * ",
                    g,
                    *([power] if power else []),
                ]
                found = Formula(tokens, parts[0].value + share, parts, scale=abs(parts[0].value) + abs(share))
                return or_0(found, new[name][index], TINY_SQUARE if power else TINY_MEAN)

            return entry

        def correct(name: str) -> Any:
            def entry(index: Index) -> Formula:
                mean, beta = at(name, new[name], *index), betas[name]
                tokens: list[str | Number] = [mean, " / (1 - ", beta, "^", Number("t", t), ")"]
                return Formula(tokens, float(wide[name][index]), scale=abs(float(wide[name][index])))

            return entry

        def step(index: Index) -> Formula:
            W, m, v = self.old(index), *(at(name + "'", corrected[name], *index) for name in "mv")
            change = -self.lr.value * m.value / (math.sqrt(v.value) + eps.value) if v.value or eps.value else math.nan
            parts = [W.value, change]
            tokens: list[str | Number] = [W, " - ", self.lr, " * ", m, " / (sqrt(", v, ") + ", eps, ")"]
            if self.decay:
                decay = Number("weight_decay", self.decay)
                tokens += [" - ", self.lr, " * ", decay, " * ", W]
                parts.append(-self.lr.value * decay.value * W.value)
            numbers = tuple(Number("part", part) for part in parts)
            return Formula(tokens, sum(parts), numbers, scale=sum(map(abs, parts)))

        g = f"dL/d{w}"
        decay = f" - lr weight_decay {w}" if self.decay else ""
        return [
            self.quantity("m", new["m"], f"m <- beta1 m + (1 - beta1) {g}", running("m", "")),
            self.quantity("v", new["v"], f"v <- beta2 v + (1 - beta2) ({g})^2", running("v", "^2")),
            self.quantity("m'", corrected["m"], f"m' = m / (1 - beta1^t), t = {t}", correct("m")),
            self.quantity("v'", corrected["v"], f"v' = v / (1 - beta2^t), t = {t}", correct("v")),
            self.after(f"{w} <- {w} - lr m' / (sqrt(v') + eps){decay}", step),
        ]

    # --- RMSProp ------------------------------------------------------------------------------------------------------

    def rmsprop(self) -> list[Quantity]:
        """v <- rho v + (1 - rho) g^2; w <- w - lr g / (sqrt(v) + eps), g with the weight decay in it."""
        o, w = self.optimizer, self.name
        old, new = (state["v"][self.slot] for state in (self.record.old, self.record.new))
        rho, eps, decay = Number("rho", float(o.rho)), Number("eps", float(o.eps)), Number("weight_decay", self.decay)

        def gradient(index: Index) -> tuple[list[str | Number], float, float]:
            g, W = self.g(index), self.old(index)
            if not self.decay:
                return [g], g.value, abs(g.value)
            size = abs(g.value) + abs(decay.value * W.value)
            return ["(", g, " + ", decay, " * ", W, ")"], g.value + decay.value * W.value, size

        def square(index: Index) -> Formula:
            tokens, g, size = gradient(index)
            v = at("old v", old, *index)
            parts = Number("part", rho.value * v.value), Number("part", (1 - rho.value) * g * g)
            product: list[str | Number] = [rho, " * ", v, " + (1 - ", rho, ") * ", *tokens, "^2"]
            found = Formula(product, parts[0].value + parts[1].value, parts, scale=parts[0].value + size * size)
            return or_0(found, new[index], TINY_SQUARE)

        def step(index: Index) -> Formula:
            tokens, g, size = gradient(index)
            W, v = self.old(index), at("v", new, *index)
            over = math.sqrt(v.value) + eps.value
            change = -self.lr.value * g / over if over else math.nan
            parts = Number("part", W.value), Number("part", change)
            product: list[str | Number] = [W, " - ", self.lr, " * ", *tokens, " / (sqrt(", v, ") + ", eps, ")"]
            scale = abs(W.value) + (self.lr.value * size / over if over else 0)
            return Formula(product, W.value + change, parts, scale=scale)

        g = f"(dL/d{w} + weight_decay {w})" if self.decay else f"dL/d{w}"
        return [
            self.quantity("v", new, f"v <- rho v + (1 - rho) ({g})^2".replace("((", "(").replace("))", ")"), square),
            self.after(f"{w} <- {w} - lr {g} / (sqrt(v) + eps)", step),
        ]
