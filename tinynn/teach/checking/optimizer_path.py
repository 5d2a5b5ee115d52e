"""An optimizer's path: whether it is that of a right rule, else which slip's it is."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ...checks import Array
from . import optimizer_decay as decay
from . import optimizer_rules as rules
from .finite import not_finite
from .measure import same
from .optimizer_decay import clipped
from .optimizer_family import called, family_of, stateless
from .optimizer_form import gives_steps
from .optimizer_rules import Given
from .optimizer_slips import wrong_paths
from .optimizer_table import plot, rows_of_path, worked_path
from .optimizer_under_test import LR, OptimizerUnderTest
from .report import Finding, Report
from .small_network import ALIKE, SHAPES

STEPS = 6
UPHILL = "the first step goes along the gradient, uphill"


def _factor(a: Array, b: Array) -> float:
    """How long a is, as a multiple of b."""
    return float(np.vdot(b, a) / (np.vdot(b, b) or 1))


class Examination:
    """One optimizer with its options: its path, and what that is."""

    def __init__(self, thing: Any, options: dict[str, Any], form: str, report: Report) -> None:
        self.thing, self.options, self.form, self.report = thing, options, form, report
        self.where = thing.__name__
        rng = np.random.default_rng(0)
        self.start = rng.normal(size=6)
        self.gradients = rng.normal(size=(STEPS, 6)) * 10.0 ** -np.arange(6)  # small ones show where eps stands
        self.adds = gives_steps(thing, options, self.start, form)

    def make(self, options: dict[str, Any], lr: float = 1.0, shapes: Any = SHAPES) -> OptimizerUnderTest:
        """A new one, at the start."""
        made = OptimizerUnderTest(self.thing, options, self.start, self.form, lr, shapes)
        made.gives_steps = self.adds
        return made

    def finds(self, code: str, why: str, fix: str = "") -> None:
        self.report.finding = Finding(code, self.where, why, fix)

    def look(self) -> None:
        """Its manners, its path, and beside the rule its weight decay."""
        tested = self.make(self.options)
        path = self._path(tested)
        if path is None:
            return
        self.tested, self.path = tested, path
        self.family = family_of(tested)
        self.used = np.array([clipped(gradient, tested) for gradient in self.gradients])
        found = self._right(self.path, [self.family] if self.family else self._likely())
        if found is None and self.family == "momentum":
            found = self._right(self.path, ["nesterov"])  # Nesterov's is a momentum, too
        if found is None:
            first = self._givens(self.start, self.used)[-1][1]
            expected = next(p for _, p, _ in rules.right_paths(self.family or "descent", first))
        else:
            expected = found[1]
        self._table(expected, found is not None)
        if self._manners(path):
            return
        if found:
            self.report.notes += [f"the path is that of {found[0]}", *([found[2]] if found[2] else [])]
            if self.form == "own array":
                self.report.notes.append("one optimizer was made for each tensor")
            self.report.finding, note = decay.weight_decay(
                self.make, self.options, self.family, self.gradients, self.where
            )
            self.report.notes += [note] if note else []
            return
        self._wrong(expected)

    def _path(self, tested: OptimizerUnderTest) -> Array | None:
        """The numbers after each step; None where a step does what no step should."""
        path = []
        moves = tested.get("lr", LR) != 0
        for k, gradient in enumerate(self.gradients):
            before = [id(w) for w in tested.tensors]
            buffer = tested.model.params if tested.model else None
            path.append(tested.step(gradient))
            shortened = clipped(gradient, tested)
            held = tested.model.grads if tested.model else tested.flat_grads
            if not np.array_equal(held, gradient) and not same(held, shortened):
                why = "a step changes the gradients, which are not its own: a second look at them is wrong"
                self.finds("changes-grads", why, "compute with g = grads.copy(), or without in-place ops")
                return None
            inside = tested.form in ("dict", "d-dict", "list", "layer dicts") and not tested.returned
            replaced = inside and [id(w) for w in tested.tensors] != before
            if replaced or (tested.model and tested.model.params is not buffer):
                why = (
                    "a step makes a new array of parameters; the layers still hold the old one and never see the change"
                )
                self.finds("params-replaced", why, "params -= ...  in place of  params = params - ...")
                return None
            if k == 1 and moves and np.array_equal(path[-1], self.start):
                why = (
                    "two steps change none of the numbers that it was given, and return none: "
                    "w = w - lr * g only gives a new array the name w"
                )
                self.finds("nothing-moves", why, "w -= lr * g, which changes the array itself, or return the new w")
                return None
        return np.array(path)

    def _manners(self, path: Array) -> bool:
        """Whether a second one does not start like the first, or the learning rate does nothing."""
        other = self.make(self.options)
        if not np.allclose(other.step(self.gradients[0]), path[0], rtol=1e-9, atol=0, equal_nan=True):
            if not other.is_class:
                self.finds("not-judged", "it keeps a state outside of its arguments, so it cannot be started anew")
                return True
            why = "a second optimizer does not start like the first: they share what should be each one's own"
            self.finds("state-shared", why, "make the state in __init__, not in the class")
            return True
        slow = self.make(self.options, lr=1 / 8)
        slow_path = np.array([slow.step(gradient) for gradient in self.gradients])
        if slow.get("lr") not in (None, self.tested.get("lr")) and same(slow_path, path):
            why = "with an eighth of the learning rate the path is the same: lr is not used"
            self.finds("lr-ignored", why, "the step is lr times ...")
            return True
        return False

    def _likely(self) -> list[str]:
        """All rules, those first whose numbers it has."""
        first = ["rmsprop"] if self.tested.get("rho") is not None else []
        return list(dict.fromkeys([*first, *rules.FAMILIES]))

    def _givens(self, start: Array, gradients: Array, tensor: Array | None = None) -> list[tuple[str, Given]]:
        """(note, the numbers) for every law by which the learning rate may fall; the last is a constant one."""
        get = self.tested.get
        numbers = {kind: get(kind) for kind in ("mu", "rho", "beta1", "beta2", "eps")}
        tensor = np.repeat([0, 1], [4, 2]) if tensor is None else tensor
        lr = float(get("lr", LR))
        return [
            (said, Given(start, gradients, rates, **numbers, tensor=tensor))
            for said, rates in decay.rates(self.tested, lr, len(gradients))
        ]

    def _right(self, path: Array, families: list[str]) -> tuple[str, Array, str] | None:
        """(name, path, note) of the right rule that gives this path."""
        for said, given in self._givens(self.start, self.used):
            for family in families:
                for name, wanted, _ in rules.right_paths(family, given):
                    if self._fits(path, wanted):
                        return name, self._as_long(path, wanted), said
        return None

    def _as_long(self, path: Array, wanted: Array) -> Array:
        """A right path, with the factor that it is right but for: a learning rate that is not known."""
        if self.tested.get("lr") is not None or not np.isfinite(path).all():
            return wanted
        return self.start + (wanted - self.start) * _factor(path - self.start, wanted - self.start)

    def _fits(self, path: Array, wanted: Array, where: Any = slice(None)) -> bool:
        """The same to 1e-9 of what has moved; where no learning rate is known, but for a constant factor."""
        a, b = (path - self.start)[:, where], (wanted - self.start)[:, where]
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            lost = ~np.isfinite(a)
            return bool(self.family and lost.any() and np.array_equal(lost, ~np.isfinite(b)))
        if self.tested.get("lr") is None:
            b = b * max(_factor(a, b), 0.0)  # below 0 it climbs
        rounding = 1e-15 * len(a) * float(np.linalg.norm(self.start))
        return bool(np.linalg.norm(a - b) <= 1e-9 * np.linalg.norm(a) + rounding)

    def _wrong(self, expected: Array) -> None:
        """The name of a wrong path."""
        path, start = self.path, self.start
        if np.vdot(path[0] - start, self.used[0]) > 0:
            self.finds("ascent", UPHILL, "params -= lr * ...")
            return
        example = worked_path(path, expected)
        families = [self.family] if self.family else [f for f in self._likely() if f in ("rmsprop", "adagrad")]
        for _, given in self._givens(start, self.used):
            for family in [*families, *([] if self.family else ["descent"])]:
                for code, wrong, why, fix in wrong_paths(family, given):
                    if self._fits(path, wrong) and (self.family or code != "state-not-kept"):
                        self.finds(code, f"{why}. {example}", fix)
                        return
        if self.one_for_all() or self._in_one_tensor([*families, *([] if self.family else ["descent"])]):
            return
        other = self._right(path, list(rules.FAMILIES)) if self.family else None
        if other:
            name = rules.NAMES[self.family or "descent"]
            self.finds("another-rule", f"by its name and numbers it is {name}; its steps are those of {other[0]}")
            return
        if not np.isfinite(path).all():
            k = int(np.flatnonzero(~np.isfinite(path).all(axis=1))[0])

            def again() -> None:
                one = self.make(self.options)
                for gradient in self.gradients[: k + 1]:
                    one.step(gradient)

            self.report.finding = not_finite(self.where, {f"after step {k + 1} parameter": path[k]}, again, {})
            return
        named = self.family or ("descent" if stateless(self.tested) else None)
        if named is None or (self.family and not called(self.where) and not self._pattern(named)):
            self.report.rows = []
            why = "its rule is none that is known here: only its manners were looked at, and nothing found"
            but = f". It has the numbers of {rules.NAMES[named]}, and its steps are not that rule's" if named else ""
            self.finds("not-judged", why + but)
            return
        name = rules.NAMES[named]
        why = f"this is not the path of {name}, nor that of a known slip. {self._pattern(named)}{example}"
        self.finds("unknown", why)

    def _in_one_tensor(self, families: list[str]) -> bool:
        """A slip in one of the two tensors alone, as where W and b have lines of their own."""
        parts = np.arange(6) < 4, np.arange(6) >= 4
        for k, (here, there) in enumerate((parts, parts[::-1])):
            for _, given in self._givens(self.start, self.used):
                for family in families:
                    right = [path for _, path, _ in rules.right_paths(family, given)]
                    if not any(self._fits(self.path, path, there) for path in right):
                        continue
                    uphill = [("ascent", 2 * self.start - path, UPHILL, "-= in place of +=") for path in right]
                    for code, wrong, why, fix in [*uphill, *wrong_paths(family, given)]:
                        if self._fits(self.path, wrong, here):
                            self.finds(code, f"in {self.tested.names[k]} alone: {why}", fix)
                            return True
        return False

    def one_for_all(self) -> bool:
        """A state that all tensors share, seen with two of one shape."""
        if self.form == "own array" or self.tested.model:
            return False
        tested = self.make(self.options, shapes=ALIKE)
        try:
            path = np.array([tested.step(gradient) for gradient in self.gradients])
        except Exception:
            return False
        tensor = np.repeat([0, 1], 3)
        for _, given in self._givens(self.start, self.gradients, tensor):
            for family in [self.family] if self.family else ["momentum", "rmsprop", "adagrad", "adam"]:
                for code, wrong, why, fix in wrong_paths(family, given):
                    if code == "one-state-for-all" and self._fits(path, wrong):
                        self.finds(code, why, fix)
                        return True
        return False

    def _pattern(self, family: str) -> str:
        """What can be said of an unknown path: one tensor alone is right, or each step is a multiple of the right."""
        for k, where in enumerate((slice(0, 4), slice(4, 6))):
            for _, given in self._givens(self.start, self.used):
                for _, wanted, _ in rules.right_paths(family, given):
                    if same(wanted[:, where], self.path[:, where], 1e-9):
                        return f"{self.tested.names[k]} goes the right way, {self.tested.names[1 - k]} does not. "
        moved = np.diff(self.path, axis=0, prepend=self.start[None])
        for _, given in self._givens(self.start, self.used):
            for _, wanted, _ in rules.right_paths(family, given):
                right = np.diff(wanted, axis=0, prepend=self.start[None])
                c = (right * moved).sum(axis=1) / (right**2).sum(axis=1)
                if np.isfinite(c).all() and same(moved, c[:, None] * right, 1e-9):
                    times = ", ".join(f"{one:.6g}" for one in c)
                    return f"Each step has the right direction, and is {times} times as long as it should be. "
        return ""

    def _table(self, expected: Array, right: bool) -> None:
        self.report.rows = rows_of_path(self.where, self.path, expected)
        if self.report.plotter is None or not right:
            both = np.vstack([self.start, self.path]), np.vstack([self.start, expected])
            self.report.plotter = functools.partial(plot, self.where, *both)
