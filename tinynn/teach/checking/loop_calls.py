"""What a training loop does, as it runs: the calls of layers, networks, losses and optimizers, and what they change."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from ...checks import Array
from ...layers.layer import Layer
from ...losses import Loss
from ...nesting import with_inner
from ...optimizers import Optimizer
from .adapted import likely
from .loss_styles import GRADIENTS, VALUES, is_loss_like, sides
from .names import ZEROING, plain, role_of
from .optimizer_styles import METHODS

STEPS = 4  # that are looked at
CALLS = 5_000  # after which a loop without steps is left alone
PACKAGE = str(Path(__file__).parents[2])


@dataclass
class LoopCall:
    """One call: F forward, L loss, G its gradient, B backward, S step, Z zero_grad; on which object, with what."""

    kind: str
    thing: Any
    given: list[Any]
    key: str = ""  # of what a forward was given
    moved: bool = True  # whether a step has changed a number
    y: Any = None  # what a forward gave
    targets: list[Array] = field(default_factory=list)  # what the lines around a backward call y, t or targets


class Seen(BaseException):
    """A loop that has made enough steps ends here: no `except Exception` of its own catches it."""


class Observer:
    """Writes down the calls of a loop until it has seen STEPS steps: with Observer() as seen: train().

    Where lines of the loop change the numbers of its layers between two calls, that is a step, too. With `ends`, what
    was to be seen ends the loop, by Seen.
    """

    def __init__(self, ends: bool = False) -> None:
        self.ends, self.after = ends, ""
        self.calls: list[LoopCall] = []
        self.inside: tuple[FrameType, LoopCall | None] | None = None  # the outermost call that is running
        self.before: str = ""
        self.seen = 0

    def __enter__(self) -> Observer:
        self.old = sys.getprofile()
        sys.setprofile(self._event)
        return self

    def __exit__(self, *error: Any) -> None:
        sys.setprofile(self.old)

    def _event(self, frame: FrameType, event: str, returned: Any) -> None:
        if event == "call" and self.inside is None:
            kind = kind_of(frame)
            if kind is None:
                return
            call = None
            if kind:
                names = frame.f_code.co_varnames[: frame.f_code.co_argcount]
                given = [frame.f_locals.get(name) for name in names]
                call = LoopCall(kind, given[0], given[1:])
                call.key = _key(given[1:2]) if kind == "F" else ""
                if kind == "B":
                    dy = call.given[:1] if len(names) == 2 else []
                    call.given = [np.array(a) for a in dy]  # it may be changed later
                    call.targets = targets_in(frame.f_back)
                self.before = self._numbers()
                if self.after not in ("", self.before):
                    self.calls.append(LoopCall("S", None, []))  # W -= lr * dW
            self.inside = frame, call
        elif event == "return" and self.inside is not None and frame is self.inside[0]:
            _, call = self.inside
            self.inside = None
            self.seen += 1
            if call is not None:
                call.y = np.array(returned) if call.kind == "F" and isinstance(returned, np.ndarray) else None
                self.calls.append(call)
                self.after = self._numbers()
                call.moved = call.kind != "S" or self.after != self.before
            if sum(call.kind == "S" for call in self.calls) >= STEPS * 8 or self.seen > CALLS or self._enough():
                sys.setprofile(self.old)
                if self.ends:
                    raise Seen

    def _enough(self) -> bool:
        return "".join(token for token, *_ in passes(self.calls)).count("S") > STEPS

    def _numbers(self) -> str:
        """The parameters of the layers and networks that have gone forward, as one text."""
        things = {id(call.thing): call.thing for call in self.calls if call.kind in "FB"}
        return _key([a for thing in things.values() for a in parameters_of(thing)])


def parameters_of(thing: Any) -> list[Any]:
    """The numbers that a layer or network learns, as far as their names tell."""
    own = [one for one in (thing, *with_inner(thing)) if isinstance(one, Layer)]
    if own:
        return [layer.arrays[name] for layer in own for name in layer.parameters]
    return [leaf.value for leaf in likely(thing)]


def _key(values: list[Any]) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    for value in values:
        if isinstance(value, np.ndarray | float | int):
            digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def targets_in(frame: FrameType | None) -> list[Array]:
    """The arrays that the lines of a loop call by the name of targets."""
    named = frame.f_locals.items() if frame is not None else ()
    return [np.array(a) for name, a in named if isinstance(a, np.ndarray) and role_of(name) == "t"]


def kind_of(frame: FrameType) -> str | None:
    """What a call is in a loop: one of SAID; "" for one of tinynn's that is none of these; None for any other."""
    code = frame.f_code
    own = code.co_filename.startswith(PACKAGE)
    name = code.co_name
    if own and name == "checked":  # what layers share around their forward and backward
        name = "forward" if code.co_varnames[1] == "x" else "backward"
    thing = frame.f_locals.get("self") if code.co_argcount else None
    if thing is None or isinstance(thing, type):
        return "" if own else None
    if isinstance(thing, Loss) or (not isinstance(thing, Layer) and is_loss_like(thing) and _takes_pairs(thing)):
        return "L" if name in VALUES[1:-1] else "G" if name in GRADIENTS else "" if own else None
    if plain(name) in ZEROING:
        return "Z"
    if isinstance(thing, Layer) or all(callable(getattr(thing, n, None)) for n in ("forward", "backward")):
        kinds = {"forward": "F", "backward": "B"} | dict.fromkeys(METHODS, "S")  # a network may make its own steps
        return kinds.get(name, "" if own else None)
    if isinstance(thing, Optimizer) or (name in METHODS and not own):
        return "S" if name in METHODS else ""
    return "" if own else None


def _takes_pairs(thing: Any) -> bool:
    """Whether the value is one of predictions and targets."""
    function = next(getattr(thing, name) for name in VALUES if callable(getattr(thing, name, None)))
    return len(sides(function)) == 2


def passes(calls: list[LoopCall]) -> list[tuple[str, str, Any]]:
    """(kind, key, object): the calls, with those of a list of layers, or of steps for each layer, as one."""
    found: list[tuple[str, str, Any]] = []
    seen: set[int] = set()
    for call in calls:
        together = bool(found) and found[-1][0] == call.kind and call.kind in "FBSZ"
        if together and (call.kind in "SZ" or id(call.thing) not in seen):
            seen.add(id(call.thing))
            continue
        seen = {id(call.thing)}
        found.append((call.kind, call.key, call.thing))
    return found
