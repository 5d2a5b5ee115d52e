"""In which form an optimizer takes its tensors: found out by making steps in each form that its names allow."""

from __future__ import annotations

import copy
import types
from typing import Any

import numpy as np

from ...checks import Array
from . import optimizer_styles as styles
from .optimizer_styles import UnknownStyle
from .optimizer_under_test import OptimizerUnderTest, Shapes
from .small_network import SHAPES


def style_of(thing: Any, options: dict[str, Any], start: Array, shapes: Shapes = SHAPES) -> str:
    """The form that it takes: the first in which a step can be made and moves something.

    Raises UnknownStyle where there is none, and the code's own error where it is the same in every form.
    """
    errors: list[Exception] = []
    still, rng = None, np.random.default_rng(1)
    forms = styles.forms_of(thing)
    for form in forms:
        try:
            tested = OptimizerUnderTest(thing, copy.deepcopy(options), start, form, shapes=shapes)
            moved = [tested.step(np.asarray(rng.normal(size=start.shape))) for _ in range(2)][-1]
            if form.endswith("array") and forms[0] == "dict":  # code for a list takes the rows of an array, too
                whole = OptimizerUnderTest(thing, copy.deepcopy(options), start[:2], form, shapes=((), ()))
                whole.step(np.ones(2))
        except Exception as error:
            if _is_its_own(error, thing):
                raise
            errors.append(error)
            continue
        if not np.array_equal(moved, start) or tested.returned:
            return form
        still = still or form
    if still:
        return still
    if isinstance(errors[0], KeyError) and not isinstance(thing, type):  # made for parameters of other names
        raise UnknownStyle(f"it reads {errors[0]} in what it is given")
    if len({_line_of(error) for error in errors}) == 1 and not isinstance(errors[0], UnknownStyle):
        raise errors[0]
    known = next((error for error in errors if isinstance(error, UnknownStyle)), None)
    raise UnknownStyle(str(known) if known else f"{type(errors[0]).__name__}: {errors[0]}")


def _is_its_own(error: Exception, thing: Any) -> bool:
    """Whether code raises whatever it is given: a name that is not defined, an attribute that NumPy has not."""
    if isinstance(error, NameError):
        return True
    if not isinstance(error, AttributeError):
        return False
    functions = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, np.ufunc)
    return isinstance(error.obj, functions) or (isinstance(thing, type) and isinstance(error.obj, thing))


def _line_of(error: Exception) -> tuple[str, int]:
    """Where an error was raised."""
    frame, place = error.__traceback__, ("", 0)
    while frame is not None:
        place = frame.tb_frame.f_code.co_filename, frame.tb_lineno
        frame = frame.tb_next
    return place


def gives_steps(thing: Any, options: dict[str, Any], start: Array, form: str) -> bool:
    """Whether what a step returns is to be added to the parameters: for gradients of 0 it is 0."""
    tested = OptimizerUnderTest(thing, copy.deepcopy(options), start, form)
    try:
        tested.step(np.zeros_like(start))
    except Exception:
        return False
    return tested.gives_steps
