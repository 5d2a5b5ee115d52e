"""A class that is called a norm, and is another one: its verdict, and what is a matter of convention."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..report import Finding, place_of
from .norms import Norm, channels_mixed, recognized, scale_and_shift
from .probed import Probed

FAMILIES = {  # the end of a class's name -> the axes that its statistics may run over, by the number of axes of x
    "batchnorm": {2: [{0}], 3: [{0, 1}, {0, 2}], 4: [{0, 1, 2}, {0, 2, 3}]},
    "instancenorm": {3: [{1}, {2}], 4: [{1, 2}, {2, 3}]},
    "layernorm": {2: [{1}], 3: [{2}, {1, 2}, {1}], 4: [{3}, {1, 2, 3}, {1}, {2, 3}]},
    "rmsnorm": {2: [{1}], 3: [{2}, {1, 2}, {1}], 4: [{3}, {1, 2, 3}, {1}, {2, 3}]},
    "groupnorm": {},  # within groups: see wrong_axes
}


def family_of(probed: Probed) -> str:
    """The norm that the name of the class says; empty for none."""
    return next((family for family in FAMILIES if family in probed.name), "")


def mean_over_the_batch(probed: Probed) -> bool:
    """Whether rows are mixed as a norm over the batch mixes them."""
    norm = recognized(probed)
    return norm is not None and 0 in norm.axes and family_of(probed) in ("", "batchnorm")


def of_a_norm(probed: Probed) -> Finding | None:
    """A class that is called a norm, and is another one.

    The name says what is intended: without one of these in it nothing is said. What textbooks and frameworks differ in,
    the divisor n - 1 and eps beside the root, is no slip; `conventions` tells of it.
    """
    family = family_of(probed)
    norm = recognized(probed) if family else None
    if norm is None:
        return _channels_mixed(probed)
    return _wrong_axes(probed, family, norm) or _wrong_divisor(probed, family, norm)


def _channels_mixed(probed: Probed) -> Finding | None:
    """reshape(-1, C) of images (N, C, H, W): a column then holds pixels of all channels. Nobody wants that mixture."""
    norm = channels_mixed(probed)
    if norm is None:
        return None
    C = probed.x.shape[1]
    why = (
        f"y is exactly {norm.formula} over the rows of x.reshape(-1, {C}). Axis 1 is of that length, not the last one: "
        "a row of the table takes numbers from one channel and its neighbours in order of memory, so channels are mixed"
    )
    return Finding("channels-mixed", probed.where, why, "mean and var over all axes but 1, or a transpose first")


def conventions(probed: Probed) -> Iterator[str]:
    """Where a norm is not as in its paper, and not wrong."""
    norm = recognized(probed)
    if norm is not None and norm.of == "var, n - 1":
        yield f"y = {norm.formula}: var_1 is the variance with the divisor n - 1; the papers' is n"
    if norm is not None and norm.root == "sqrt(v) + eps" and norm.eps:
        yield f"y = {norm.formula}: eps, {norm.eps:.4g}, is added to the root; the papers add it to the variance"


def _wrong_axes(probed: Probed, family: str, norm: Norm) -> Finding | None:
    """Statistics over other axes than those of the norm that the class is called."""
    shape = probed.x.shape
    long = {axis for axis in norm.axes if shape[axis] > 1}
    right = [{axis for axis in axes if shape[axis] > 1} for axes in FAMILIES[family].get(len(shape), [])]
    groups = norm.groups
    if family == "groupnorm":
        groups = next((g for g in _groups(probed) if shape[norm.channels] % g == 0), norm.groups)
        channels = {norm.channels} if groups < shape[norm.channels] else set()
        right = [{axis for axis in range(1, len(shape)) if axis != norm.channels and shape[axis] > 1} | channels]
        if (groups == 1) != (norm.groups == 1) and norm.channels in long:
            return None  # the number of groups is not what was thought: nothing can be said
    elif norm.groups > 1:
        return None
    if not right or long in right or (not probed.rows_first and (0 in long or len(shape) == 2)):
        return None
    if family == "batchnorm" and long == {0} and not _fewer_than(probed, shape[1:]):
        return None  # each pixel is a feature of its own
    wanted = min(right, key=lambda axes: len(axes ^ long))
    extra, missing = sorted(long - wanted), sorted(wanted - long)
    others = f"axes {sorted(wanted)}" if len(wanted) > 1 else f"axis {sorted(wanted)}"
    words = others.replace("[", "").replace("]", "") + (
        f", axis {norm.channels} in {groups} groups" if groups > 1 else ""
    )
    why = f"y is exactly {norm.formula}, over {norm.over}; a {family.replace('norm', ' norm')} takes {words}. "
    why += _shown(probed, extra[0], True) if extra else _shown(probed, missing[0], False)
    if not extra and family == "groupnorm" and norm.groups > 1:
        why += ". Mean 0 and deviation 1 in each group hold here, too"
    return Finding("norm-wrong-axes", probed.where, why, f"mean and var over {words}, with keepdims=True")


def _fewer_than(probed: Probed, shape: tuple[int, ...]) -> bool:
    """Whether the scale, or the shift, has fewer numbers than one example."""
    sizes = [probed.tested.value(name).size for name in scale_and_shift(probed) if name]
    return bool(sizes) and bool(max(sizes) < np.prod(shape))


def _shown(probed: Probed, axis: int, moves: bool) -> str:
    """The probe: one number of x changed, and what that does to the first of y."""
    x = np.array(probed.x)
    at = tuple(int(k == axis) for k in range(x.ndim))
    x[at] += 1 + np.abs(x).max()
    y = probed.tested.forward(x)[(0,) * x.ndim] - probed.y[(0,) * x.ndim]
    first = place_of((0,) * x.ndim)
    if moves:
        return f"So y{first} changes by {abs(y):.3g} when x{place_of(at)} is changed, which is no part of it"
    return f"So y{first} does not change when x{place_of(at)} is changed, which is a part of it"


def _groups(probed: Probed) -> Iterator[int]:
    """The number of groups that the layer says it has."""
    for name, value in probed.attributes.items():
        if isinstance(value, int) and (name == "G" or "group" in name.lower()):
            yield value


def _wrong_divisor(probed: Probed, family: str, norm: Norm) -> Finding | None:
    """The axes are right, and what is divided, or by what, is not."""
    top, code, why = "(x - mean)", "", ""
    right = "sqrt(mean(x**2) + eps)" if family == "rmsnorm" else "sqrt(var + eps)"
    if family == "rmsnorm":
        top = "x"
        if norm.centred or norm.of in ("var", "var, n - 1"):
            code, why = "not-mean-square", "an RMS norm subtracts no mean, and divides by the root of mean(x**2)"
        elif norm.of == "sum of squares":
            code, why = "sum-for-mean", "that is the length of the row; an RMS norm takes the mean of the squares"
    elif not norm.centred:
        code, why = "not-centred", "the mean is not subtracted from what is divided"
    if norm.root == "v + eps":
        code, why = "var-for-std", "the variance is divided by, not its root, so the deviation of y is 1 / sqrt(var)"
    elif norm.root == "sqrt(sqrt(v) + eps)":
        code, why = "root-twice", "the root is taken of the deviation, which is a root already"
    if not code:
        return None
    plain = ", where nothing is scaled or shifted" if any(scale_and_shift(probed)) else ""
    said = f"y is exactly {norm.formula}, over {norm.over}{plain}: {why}"
    return Finding(code, probed.where, said, f"{top} / {right}")
