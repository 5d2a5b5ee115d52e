"""The cause of a wrong gradient of a layer: by the tables of slips, as a constant factor, or "unknown".

A name is given only for an exact match, |A - candidate| < 1e-9 |A|. In formulas: x the layer's input, y its output,
dy = dL/dy; n rows.
"""

from __future__ import annotations

import numpy as np

from ... import checks
from . import patterns, slips
from .layer_gradients import LayerGradients
from .measure import close, ratio, same
from .report import Finding
from .under_test import gradient_name


def name_it(layer: LayerGradients, name: str) -> Finding:
    """The cause of a wrong gradient, by an exact match, or "unknown" with what can be seen."""
    a, n = layer.analytic[name], layer.numeric(name)
    label = gradient_name(name)
    known = np.isfinite(n)
    if not np.any(a) and np.any(n[known]):
        why = f"{label} is 0 everywhere: backward never writes it. {layer.worked(name)}"
        return Finding("never-written", layer.tested.where, why, f"self.{label} = ...  in backward")
    if np.abs(n[known]).max(initial=0) <= layer.floor and np.any(a):
        why = f"forward does not use {name}: whatever it is, y stays. Yet backward gives {label} = {a.ravel()[0]:.4g}"
        return Finding("unused-parameter", layer.tested.where, why, f"use {name} in forward")
    found = slips.named(layer, name)
    if found:
        earlier = found.used.startswith("from ")  # the slip is in a step before the gradient's own line
        used, fix = (found.used, found.right[5:]) if earlier else (f"as {found.used}", f"{label} = {found.right}")
        why = f"{label} is computed {used}, and should be {found.right}. {layer.worked(name)}"
        return Finding(found.slip.code, layer.tested.where, why, fix)
    by_factor = by_ratio(layer, name)
    if by_factor:
        return by_factor
    found = slips.named(layer, name, slips.LAST)
    if found:
        rule = " As x is used twice, the gradients of both uses add up." if found.slip.code.startswith("fork") else ""
        why = f"{label} is {found.used}.{rule} {layer.worked(name)}"
        return Finding(found.slip.code, layer.tested.where, why, f"{label} = {found.right}")
    if name != "x":
        parameter = layer.tested.value(name)
        rest = (a - n)[known]
        rate = float(np.vdot(parameter[known], rest) / (np.vdot(parameter[known], parameter[known]) or 1))
        if rate < 0 and same(rest, rate * parameter[known]):
            why = f"the loss grows with the square of {name}, and {-rate:.6g} {name} is missing in {label}"
            return Finding("decay-in-loss", layer.tested.where, why, f"{label} += {-rate:.6g} * {name}")
        if rate and same(rest, rate * parameter[known]):
            why = f"{label} has {rate:.6g} {name} added to it, a weight decay that the loss does not have"
            fix = "leave it to the optimizer's weight_decay, or add its square to the loss"
            return Finding("decay-in-gradient", layer.tested.where, why, fix)
    seen = patterns.described(layer, name)
    why = f"{label} is wrong, and none of the known slips gives these numbers. {seen} {layer.worked(name)}"
    return Finding("unknown", layer.tested.where, why)


def by_ratio(layer: LayerGradients, name: str) -> Finding | None:
    """A constant factor, and where it comes from: the same layer with other rows tells whether n is in it."""
    c = ratio(layer.analytic[name], layer.numeric(name))
    if c is None:
        return None
    label = gradient_name(name)
    worked = layer.worked(name)
    c2, n2 = layer.ratio_of_other_rows(name), max(layer.n - 1, 1) if layer.n > 2 else layer.n + 1
    power = None if c2 is None or c * c2 <= 0 else np.log(c2 / c) / np.log(n2 / layer.n)
    if close(c, -1):
        return Finding("sign", layer.tested.where, f"{label} has the wrong sign. {worked}", f"{label} = -{label}")
    if (power is None or close(power, -1)) and close(c * layer.n, 1):  # None where it takes these rows alone
        why = f"{label} is divided by the number of rows, n = {layer.n}, but the loss has averaged already. {worked}"
        return Finding("divided-by-n", layer.tested.where, why, f"remove / n from {label}")
    named: list[tuple[str, float, str]] = [("factor-2", 2, "2"), ("factor-half", 0.5, "1/2")]
    for code, factor, text in named:
        if close(c, factor) and (power is None or close(power + 1, 1)):
            return Finding(code, layer.tested.where, f"{label} is {text} of what it should be. {worked}", "")
    origin = ""
    if power is not None and close(power, 1) and close(c, layer.n):
        origin = f" That is n, the number of rows: {label} is multiplied by it."
    else:
        origin = patterns.reading(layer, c).replace(", which is", " That is")
        origin += "." if origin else ""
    odd = f" {patterns.side(layer)}" if name == "x" and patterns.side(layer) else ""
    why = f"{label} is {c:.6g} times what it should be, everywhere.{origin}{odd} {worked}"
    return Finding("factor", layer.tested.where, why, f"look for that factor in the line of {label}")


def wrong_shape(layer: LayerGradients, error: checks.ShapeError) -> Finding:
    """A gradient of the wrong shape, and which slip makes that."""
    name, value = error.name, np.asarray(error.value)
    found = slips.named_by_shape(layer, name[1:], value)
    if found:
        why = f"{name} is {found.used}, of shape {value.shape}: it should be {found.right}"
        return Finding(found.slip.code, layer.tested.where, why, f"{name} = {found.right}")
    fix = "dx must have x's shape: for x W + b it is dy @ W.T" if name == "dx" else ""
    return Finding("raises", layer.tested.where, f"{error}", fix)
