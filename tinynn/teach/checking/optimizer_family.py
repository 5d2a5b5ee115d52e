"""Which rule an optimizer should follow, by its name and by what it holds."""

from __future__ import annotations

import re

from .optimizer_under_test import OptimizerUnderTest

CALLED = {  # the family that a name says, in the order in which they are looked for
    "nadam": "nadam", "adamax": "adamax", "adadelta": "adadelta", "adagrad": "adagrad", "rmsprop": "rmsprop",
    "rms_prop": "rmsprop", "adam": "adam", "nesterov": "nesterov", "nag": "nesterov", "momentum": "momentum",
}  # fmt: skip
OTHERS = re.compile(r"RAdam|AdamP|Ada[Bb]elief|AMSGrad|Yogi|Lion|LARS|Lookahead|Adan|(^|_)(radam|amsgrad|lion|lamb)")


def called(name: str) -> str | None:
    """The family that a name says."""
    return next((family for word, family in CALLED.items() if word in name.lower()), None)


def family_of(tested: OptimizerUnderTest) -> str | None:
    """Which rule it should follow, by its name and by what it holds; None where neither says."""
    name = tested.thing.__name__.lower()
    if OTHERS.search(tested.thing.__name__):
        return None
    says = called(name)
    mu = tested.get("mu")
    if says in (None, "momentum") and tested.get("nesterov") and mu:
        return "nesterov"
    if says:
        return says
    if tested.get("beta2") is not None:
        return "adam"
    named = [n.strip("_").lower() for place in (tested.given, vars(tested.optimizers[0] or object)) for n in place]
    return "momentum" if mu and ("momentum" in named or "mu" in named) else None


def stateless(tested: OptimizerUnderTest) -> bool:
    """Whether it keeps numbers alone: then it cannot be but a kind of descent."""
    if not tested.is_class:
        return not tested.state
    given = [id(value) for value in tested.containers.values()]
    return all(
        type(v) in (int, float, bool, str, type(None)) or id(v) in given for v in vars(tested.optimizers[0]).values()
    )
