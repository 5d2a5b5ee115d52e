"""An optimizer under check, on six numbers in two tensors, in whichever style it is written."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...checks import Array
from . import optimizer_styles as styles
from .names import NUMBERS, OPTIMIZERS, is_decay, number_of, plain, role_of
from .optimizer_styles import UnknownStyle, arguments_of
from .small_network import SHAPES, SmallLayer, SmallModel, SmallNet, own_name, split, with_gradient

LR = 0.07  # where the caller gives none: not 0.1 = 1 - 0.9, with which two slips of momentum are one
DEFAULTS = {"mu": 0.9, "rho": 0.9, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
Shapes = tuple[tuple[int, ...], ...]


class OptimizerUnderTest:
    """One optimizer: a class, or a function that makes a step; `lr` times its learning rate."""

    def __init__(
        self, thing: Any, options: dict[str, Any], start: Array, form: str, lr: float = 1.0, shapes: Shapes = SHAPES
    ) -> None:
        self.thing, self.options, self.form, self.shapes = thing, options, form, shapes
        self.is_class = isinstance(thing, type)
        self.given: dict[str, Any] = {}  # every number that the signatures have
        self.t, self.returned, self.scale = 0, False, lr
        self.names = ["W1", "b1"][: len(shapes)]
        self.flat, self.flat_grads = start.copy(), np.zeros_like(start)
        self.model = SmallModel(self.flat) if form == "flat" else None
        if self.model:
            self.flat_grads = self.model.grads
        self.tensors, self.grads = split(self.flat, shapes), split(self.flat_grads, shapes)
        self.state: dict[str, Any] = {}
        self.containers = self._containers()
        self.optimizers = [self._made() for _ in self.names[: len(shapes) if form == "own array" else 1]]

    # --- making it ---------------------------------------------------------------------------------------------------

    def _containers(self) -> dict[str, Any]:
        """What stands for the roles of arguments, in this form."""
        if self.form == "flat":
            return {"model": self.model}
        if self.form in ("layer", "layer list", "net"):
            layer = SmallLayer(*self.tensors, *self.grads)
            given = [layer] if self.form == "layer list" else layer
            return {"layer": given, "model": SmallNet(layer), "small": layer, "unnamed": layer}
        if self.form == "objects":
            objects = [with_gradient(w, g) for w, g in zip(self.tensors, self.grads)]
            return {"params": objects, "unnamed": objects}
        if self.form == "pairs":
            return {"pairs": list(zip(self.tensors, self.grads))}
        if self.form in ("dict", "d-dict"):
            d = "d" if self.form == "d-dict" else ""
            grads = {d + name: g for name, g in zip(self.names, self.grads)}
            return {"params": dict(zip(self.names, self.tensors)), "grads": grads}
        if self.form == "layer dicts":
            return {"params": [dict(zip("Wb", self.tensors))], "grads": [dict(zip("Wb", self.grads))]}
        if self.form == "w and b":
            return {"params": tuple(self.tensors), "W": self.tensors[0], "b": self.tensors[1]}
        return {"params": list(self.tensors), "grads": list(self.grads)}

    def _made(self) -> Any:
        if not self.is_class:
            return None
        asked, arguments = arguments_of(self.thing), {}
        for name, p in asked.items():
            role = role_of(name, OPTIMIZERS)
            if role in self.containers and p.default is p.empty:
                arguments[name] = self.containers[role]
            else:
                arguments.update(self._number(name, p))
        if self.form == "flat" and not any(role_of(name, OPTIMIZERS) == "model" for name in asked):
            return self.thing(self.model, **arguments)
        return self.thing(**arguments)

    def _number(self, name: str, p: Any) -> dict[str, Any]:
        """A number of the rule: as the caller has it, as the code has it, or a usual one."""
        kind, default = number_of(name), p.default
        value = self.options.get(name, default)
        if is_decay(name) and name not in self.options:
            value = 0.0
        elif kind == "lr" and not (name == "alpha" and 0.5 <= _float(default) < 1):
            value = self.scale * self.options.get(name, LR)
        elif value is p.empty:
            if kind not in DEFAULTS:
                raise UnknownStyle(
                    f"{getattr(self.thing, '__name__', 'it')} takes {name!r}, whose meaning is not known"
                )
            value = DEFAULTS[kind]
        self.given[name] = value
        return {name: value}

    # --- a step ------------------------------------------------------------------------------------------------------

    def step(self, gradient: Array) -> Array:
        """The numbers after a step with that gradient."""
        self.t += 1
        self.flat_grads[...] = gradient
        if self.form in ("array", "own array"):
            for k, name in enumerate(self.names):
                one = {"params": self.tensors[k], "grads": self.grads[k], "name": name}
                found = self._call(self.optimizers[k % len(self.optimizers)], one, name)
                if found is not None:
                    self._take([found], [k])
        else:
            found = self._call(self.optimizers[0], self.containers, "")
            self._read(found)
        return np.concatenate([np.asarray(w).ravel() for w in self.tensors])

    def _call(self, optimizer: Any, containers: dict[str, Any], key: str) -> Any:
        function = getattr(optimizer, styles.method_of(self.thing)) if self.is_class else self.thing
        self._hook(optimizer, "pre_update_params")
        arguments: dict[str, Any] = {}
        asked, passed = arguments_of(function), []
        for name, p in asked.items():
            role = role_of(name, OPTIMIZERS)
            if self.form == "w and b" and own_name(name):
                arguments[name] = dict(zip(("W", "b", "dW", "db"), (*self.tensors, *self.grads)))[own_name(name) or ""]
                continue
            if role in ("state", "config", "hyper") and not self.is_class:
                if key + name not in self.state:
                    self.state[key + name] = self._first_state(role, containers)
                arguments[name] = self.state[key + name]
                passed.append(key + name)
            elif role in containers:
                arguments[name] = containers[role]
            elif role in ("t", "batch"):
                arguments[name] = self.t if role == "t" else 1
            elif p.default is p.empty and number_of(name) is None and "unnamed" in containers:
                arguments[name] = containers["unnamed"]
            else:
                arguments.update(self._number(name, p))
        result = function(**arguments)
        self._hook(optimizer, "post_update_params")
        if isinstance(result, tuple) and not self.is_class and self.form != "w and b":
            for name, value in zip(passed, result[1:]):
                self.state[name] = value
            return result[0]
        return result

    def _hook(self, optimizer: Any, name: str) -> None:
        if callable(getattr(optimizer, name, None)):
            getattr(optimizer, name)()

    def _first_state(self, role: str, containers: dict[str, Any]) -> Any:
        """What is passed in at first: zeros in the form of the parameters; a configuration."""
        lr = self.scale * LR
        if role == "config":
            return {"learning_rate": lr, **self.options}
        if role == "hyper":
            rule = {"momentum": 0.9, "gamma": 0.9, "rho": 0.9, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
            return {"lr": lr, "learning_rate": lr, "t": 1, **rule, **self.options}
        if self.form in ("dict", "d-dict"):
            zeros = {name: np.zeros_like(w) for name, w in zip(self.names, self.tensors)}
            return {**zeros, **{"d" + name: np.zeros_like(w) for name, w in zip(self.names, self.tensors)}}
        if self.form in ("array", "own array"):
            return np.zeros_like(containers["params"])
        return [np.zeros_like(w) for w in self.tensors]

    # --- what came of it ---------------------------------------------------------------------------------------------

    def _read(self, found: Any) -> None:
        """The tensors after a step: as they were returned, or as they stand where they were given."""
        params = self.containers.get("params")
        like = type(params) if params is not None else None
        if (
            params is not None
            and like
            and self.form != "objects"
            and isinstance(found, like)
            and len(found) == len(params)
        ):
            self.returned = True
            values = _values(found)
            steps = [np.shape(a) == w.shape and not np.any(a) for a, w in zip(values, self.tensors)]
            if self.t == 1 and all(steps) and not self.flat_grads.any():
                self.gives_steps = True
            self._take(values, range(len(values)))
            self._refill()
            return
        if self.form == "flat":
            assert self.model is not None
            self.tensors = split(self.model.params, self.shapes)
        elif "small" in self.containers:
            self.tensors = [self.containers["small"].W, self.containers["small"].b]
        elif params is not None and self.form != "objects":
            self._take(_values(params), range(len(self.names)))

    gives_steps = False  # whether what is returned is to be added

    def _take(self, values: list[Any], places: Any) -> None:
        for k, value in zip(places, values):
            if np.shape(value) != self.shapes[k]:
                if self.form in ("array", "own array") and not isinstance(value, np.ndarray):
                    continue
                where = f"a step makes {self.names[k]} of shape {np.shape(value)}; it must stay {self.shapes[k]}"
                raise ValueError(where)
            self.tensors[k] = self.tensors[k] + value if self.gives_steps else value

    def _refill(self) -> None:
        """The arrays that were returned are what the next step is given."""
        if self.form == "layer dicts":
            self.containers["params"] = [dict(zip("Wb", self.tensors))]
        elif isinstance(self.containers["params"], dict):
            self.containers["params"] = dict(zip(self.names, self.tensors))
        elif self.form == "w and b":
            self.containers["params"] = tuple(self.tensors)
        else:
            self.containers["params"] = list(self.tensors)

    def get(self, kind: str, default: Any = None) -> Any:
        """A number of the rule by any of its names: as it was given, as the object or a configuration has it."""
        places: list[Any] = [self.given]
        places += [s for name, s in self.state.items() if isinstance(s, dict) and "W1" not in s]
        places += [vars(self.optimizers[0])] if hasattr(self.optimizers[0], "__dict__") else []
        pair = next((place["betas"] for place in places if isinstance(place.get("betas"), tuple | list)), None)
        if kind in ("beta1", "beta2") and pair is not None and len(pair) == 2:
            return pair[kind == "beta2"]
        for name in NUMBERS[kind]:
            for place in places:
                value = next((v for n, v in place.items() if plain(n) == name), None)
                if isinstance(value, int | float | np.number) and _means(kind, name, float(value)):
                    return value
        return default


def _means(kind: str, name: str, value: float) -> bool:
    """Whether a name with two meanings, such as `decay`, has this one."""
    if kind == "rho" and name in ("decay", "alpha"):
        return 0.5 <= value < 1
    return not (kind == "lr" and name == "alpha" and 0.5 <= value < 1)


def _float(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _values(found: Any) -> list[Any]:
    """The tensors in a dict, a list, or a list with a dict for each layer."""
    some = list(found.values()) if isinstance(found, dict) else list(found)
    return list(some[0].values()) if len(some) == 1 and isinstance(some[0], dict) else some
