"""Steps done wrongly, in the ways that learners do them: what each would give, by the real layers.

A slip changes a Running, private copies of model, loss and optimizer, before the step is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ...checks import Array
from ...layers import Activation, Affine
from ...losses import MSE
from ...model.any_model import by_place, copies, in_order_of_use
from .record import Case, Running, Slip


def slips(case: Case) -> Iterator[tuple[str, Slip]]:
    """Each slip that this step could have: what it is, in words, and the slip."""
    model, loss, optimizer = case.parts
    places = by_place(model)
    paths, layers = list(places), list(places.values())
    if optimizer is not None:
        yield (
            "a layer's parameters are updated too early, before its dL/dx = dL/dy W^T is computed with them",
            too_early,
        )
    activations = [k for k, layer in enumerate(layers) if isinstance(layer, Activation)]
    for k in activations:
        where = f"layer {paths[k]}, {layers[k]!r}"
        yield f"the derivative of {where}, is forgotten: dL/dx = dL/dy there", no_slope([k])
    if len(activations) > 1:
        yield "the derivatives of all activations are forgotten", no_slope(activations)
    for c, words in scales(loss, case):
        yield words, scaled(c)
    for k, layer in enumerate(layers):
        if isinstance(layer, Affine):
            yield f"the bias of layer {paths[k]} is forgotten in forward", no_bias(k)
            if layer.n_in == layer.n_out:
                yield f"layer {paths[k]} has W in place of W^T in dL/dx = dL/dy W^T", transposed(k)
    if optimizer is not None:
        yield "the update goes up the gradient, + in place of -", uphill


def scales(loss: Any, case: Case) -> Iterator[tuple[float, str]]:
    """Factors that losses get wrongly."""
    t = case.t
    N = t.size if t.ndim == 1 or t.dtype.kind in "iu" else t.size // t.shape[-1]  # of sequences: positions
    if N > 1:
        yield N, f"the loss is not averaged: it is summed over the {N} rows"
        yield 1 / N, f"the loss is averaged twice, by the {N} rows once more"
    if isinstance(loss, MSE):
        ND = case.t.size
        yield ND, f"the loss is not averaged: it is the sum over the {ND} elements"
        yield ND / 2, "the loss is half the sum of squares, and not their mean"
        yield 0.5, "the loss is half the mean of squares, or the 2 of its derivative is forgotten"
    yield -1.0, "the sign of dL/dy is the other one: t - y in place of y - t"


def too_early(running: Running) -> None:
    """Every layer's parameters are new when it computes dx."""
    for layer in running.layers:
        if layer.parameters and layer.needs_dx:
            layer.__dict__["backward"] = early(running, layer, layer.backward)


def early(running: Running, layer: Any, backward: Callable[[Array], Any]) -> Callable[[Array], Any]:
    """A backward that updates its layer before it uses the parameters."""

    def wrong(dy: Array) -> Any:
        backward(dy)
        kept = {name: a.copy() for name, a in layer.arrays.items()}
        model, _, optimizer = copies(running.model, running.loss, running.optimizer)
        optimizer.step()
        twin = in_order_of_use(model)[running.layers.index(layer)]
        for name in layer.parameters:
            layer.arrays[name][...] = twin.arrays[name]
        dx = backward(dy)
        for name, a in kept.items():
            layer.arrays[name][...] = a
        return dx

    return wrong


def no_slope(numbers: list[int]) -> Slip:
    """dx = dy in these layers."""

    def slip(running: Running) -> None:
        for k in numbers:
            running.layers[k].__dict__["backward"] = lambda dy: dy.copy()

    return slip


def scaled(c: float) -> Slip:
    """L and dL/dy times c; with c = -1 dL/dy alone."""

    def slip(running: Running) -> None:
        loss, forward, backward = running.loss, running.loss.forward, running.loss.backward
        loss.__dict__["forward"] = lambda y, t: forward(y, t) * abs(c)
        loss.__dict__["backward"] = lambda: backward() * c

    return slip


def no_bias(k: int) -> Slip:
    """y = x W"""

    def slip(running: Running) -> None:
        layer, forward = running.layers[k], running.layers[k].forward

        def wrong(x: Array) -> Array:
            return forward(x) - layer.arrays["b"]

        layer.__dict__["forward"] = wrong

    return slip


def transposed(k: int) -> Slip:
    """dx = dy W"""

    def slip(running: Running) -> None:
        layer, backward = running.layers[k], running.layers[k].backward

        def wrong(dy: Array) -> Any:
            dx = backward(dy)
            return None if dx is None else dy @ layer.arrays["W"]

        layer.__dict__["backward"] = wrong

    return slip


def uphill(running: Running) -> None:
    """The optimizer gets the gradients with the other sign."""
    step, model = running.optimizer.step, running.model

    def wrong() -> None:
        model.grads[...] = -model.grads
        step()
        model.grads[...] = -model.grads

    running.optimizer.__dict__["step"] = wrong
