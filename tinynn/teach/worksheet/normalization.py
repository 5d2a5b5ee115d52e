"""The formulas of BatchNorm. Of images, each of the M pixels of the batch is a row."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ...checks import Array
from ...layers import BatchNorm
from .affine import db
from .formula import Formula, Number, Tokens, total
from .lines import Index, Quantity, at, place, shape, wide
from .record import Call


class Batch:
    """Mean, variance and z of a call's batch, as its layer computes them on the way."""

    def __init__(self, call: Call) -> None:
        self.call, self.x, self.eps = call, call.x, Number("eps", float(call.layer.eps))
        rows, dtype = wide(call.x.reshape(-1, call.x.shape[-1])), call.x.dtype
        self.M = Number("M", len(rows))
        with np.errstate(all="ignore"):  # infinity and NaN are shown as they are
            self.mean, self.var = rows.mean(axis=0).astype(dtype), rows.var(axis=0).astype(dtype)
            self.z = ((wide(call.x) - self.mean) / np.sqrt(self.var + self.eps.value)).astype(dtype)

    def sigma(self, c: int) -> float:
        """sqrt(var + eps)"""
        return math.sqrt(float(self.var[c]) + self.eps.value)

    def size(self, index: Index) -> float:
        """What z is the difference of, in units of sigma: for round-off."""
        c = index[-1]
        return (abs(float(self.x[index])) + abs(float(self.mean[c]))) / self.sigma(c)

    def mean_of(self, index: Index) -> Formula:
        """(x + ... + x) / M"""
        rows = self.x[..., index[0]]
        terms = wide(rows.ravel())
        return total(
            terms, lambda k: [at("x", self.x, *place(k, rows), *index)], "(", [") / ", self.M], 1 / self.M.value
        )

    def var_of(self, index: Index) -> Formula:
        """((x - mean)^2 + ... + (x - mean)^2) / M"""
        rows, mean = self.x[..., index[0]], at("mean", self.mean, *index)
        terms = (wide(rows.ravel()) - mean.value) ** 2
        after: Tokens = [") / ", self.M]
        found = total(
            terms,
            lambda k: ["(", at("x", self.x, *place(k, rows), *index), " - ", mean, ")^2"],
            "(",
            after,
            1 / self.M.value,
        )
        return found

    def z_of(self, index: Index) -> Formula:
        """(x - mean) / sqrt(var + eps)"""
        c = index[-1]
        x, mean, var = at("x", self.x, *index), at("mean", self.mean, c), at("var", self.var, c)
        result = (x.value - mean.value) / self.sigma(c)
        return Formula(["(", x, " - ", mean, ") / sqrt(", var, " + ", self.eps, ")"], result, scale=self.size(index))

    def running(self, name: str, index: Index) -> Formula:
        """momentum old + (1 - momentum) new; the variance with M - 1 in place of M."""
        momentum, before = Number("momentum", float(self.call.layer.momentum)), self.call.buffers[name][0]
        old, new = at(f"old running {name}", before, *index), at(name, getattr(self, name), *index)
        tokens: list[str | Number] = [momentum, " * ", old, " + (1 - ", momentum, ") * "]
        share = 1 - momentum.value
        if name == "var":
            tokens += [self.M, " / (", self.M, " - 1) * "]
            share *= self.M.value / (self.M.value - 1)
        parts = Number("part", momentum.value * old.value), Number("part", share * new.value)
        scale = sum(abs(p.value) for p in parts)
        if name == "mean":  # a mean near 0 is as exact as what it is the mean of
            scale += share * float(np.abs(wide(self.x[..., index[0]])).mean())
        return Formula([*tokens, new], parts[0].value + parts[1].value, parts, scale=scale)


def batch_of(call: Call) -> Batch:
    """The call's Batch, made once."""
    if "batch" not in call.notes:
        call.notes["batch"] = Batch(call)
    batch: Batch = call.notes["batch"]
    return batch


def beside(call: Call) -> tuple[list[Quantity], list[Quantity]]:
    """Mean, variance and z before y; the running ones after it."""
    batch, own = batch_of(call), f"{type(call.layer).__name__}.forward(x)"

    def quantity(left: str, array: Array, law: str, entry: Any) -> Quantity:
        return Quantity(
            f"{left}{{}} of {call.place}", left, array, law, f"{shape(array)} from x {shape(call.x)}", entry, own
        )

    running = [
        quantity(f"running {name}", call.buffers[name][1], law, functools.partial(batch.running, name))
        for name, law in RUNNING.items()
        if name in call.buffers
    ]
    return [
        quantity("mean", batch.mean, "mean[c] = the mean of x over all M rows", batch.mean_of),
        quantity("var", batch.var, "var[c] = the mean of (x - mean)^2", batch.var_of),
        quantity("z", batch.z, "z = (x - mean) / sqrt(var + eps)", batch.z_of),
    ], running


RUNNING = {
    "mean": "running mean <- momentum running mean + (1 - momentum) mean",
    "var": "running var <- momentum running var + (1 - momentum) M / (M - 1) var",
}


def y(call: Call, index: Index) -> Formula:
    """g z + b"""
    c, batch = index[-1], batch_of(call)
    g, z, b = at("g", call.params["g"], c), at("z", batch.z, *index), at("b", call.params["b"], c)
    parts = Number("part", g.value * z.value), b
    return Formula(
        [g, " * ", z, " + ", b], parts[0].value + b.value, parts, scale=abs(g.value) * batch.size(index) + abs(b.value)
    )


def dg(call: Call, index: Index) -> Formula:
    """The sum of dL/dy z."""
    dy, batch = call.gradient, batch_of(call)
    rows = dy[..., index[0]]
    terms = wide(rows.ravel()) * wide(batch.z[..., index[0]].ravel())

    def token(k: int) -> list[str | Number]:
        where = (*place(k, rows), *index)
        return [at("dL/dy", dy, *where), " * ", at("z", batch.z, *where)]

    return total(terms, token)


def dx(call: Call, index: Index) -> Formula:
    """Three paths, as x moves mean and variance, too: dL/dy without its mean and without its part along z."""
    c, batch = index[-1], batch_of(call)
    g, var, z = at("g", call.params["g"], c), at("var", batch.var, c), at("z", batch.z, *index)
    dy, dg, db = at("dL/dy", call.gradient, *index), at("dL/dg", call.grads["g"], c), at("dL/db", call.grads["b"], c)
    M, per_sigma = batch.M, g.value / batch.sigma(c)
    paths = {"x itself": dy.value, "the mean": -db.value / M.value, "the variance": -z.value * dg.value / M.value}
    inside: list[str | Number] = [dy, " - ", db, " / ", M, " - ", z, " * ", dg, " / ", M]
    tokens = [g, " / sqrt(", var, " + ", batch.eps, ") * (", *inside, ")"]
    scale = abs(per_sigma) * (sum(map(abs, paths.values())) + batch.size(index) * abs(dg.value) / M.value)
    parts = tuple(Number(f"through {path}", per_sigma * value) for path, value in paths.items())
    return Formula(tokens, sum(part.value for part in parts), parts, scale=scale)


FORWARD: dict[type, Any] = {BatchNorm: ("y = g z + b", y)}
BACKWARD: dict[type, Any] = {
    BatchNorm: {
        "g": ("dL/dg[c] = the sum of dL/dy z over all rows", dg),
        "b": ("dL/db[c] = the sum of dL/dy over all rows", db),
        "x": (
            "dL/dx = g / sqrt(var + eps) (dL/dy - dL/db / M - z dL/dg / M): through x itself, the mean, the variance",
            dx,
        ),
    }
}
BESIDE: dict[type, Any] = {BatchNorm: beside}
