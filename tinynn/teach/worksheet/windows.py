"""The pictures of convolution and pooling: one window, and what is done with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...layers import AvgPool2D, Conv2D, GlobalAvgPool, MaxPool2D
from .formula import Number, fmt
from .images import corner, holding, largest, window
from .lines import Index
from .pictures import DIGITS, MOST, Grid, Map, Picture, around, grid, multiplied
from .record import Call


def framed(call: Call, p: int, q: int) -> tuple[int, int, int, int]:
    """Where the window of y's pixel (p, q) lies on x: top, left, height, width."""
    (KH, KW), (SH, SW), (above, left) = call.layer.kernel, call.layer.stride, corner(call)
    return p * SH - above, q * SW - left, KH, KW


def rest(sums: Any, shown: int, of: str) -> list[Number]:
    """What the other channels or examples add to the sum of the one that is shown."""
    others = len(sums) - 1
    return [Number(f"{others} other {of}{'s' * (others > 1)}", float(np.delete(sums, shown).sum()))] if others else []


# --- Conv2D ----------------------------------------------------------------------------------------------------------


def conv(call: Call, index: Index) -> Picture | None:
    """The window on x times the kernel, of the channel that says most."""
    (n, p, q, o), W, (KH, KW) = index, call.params["W"], call.layer.kernel
    x, known = np.zeros((KH, KW, call.x.shape[3])), np.zeros((KH, KW), bool)
    for i, j, h, v in window(call, p, q):
        x[i, j], known[i, j] = call.x[n, h, v], True
    if not known.any():
        return None
    sums = (x * W[..., o]).sum(axis=(0, 1))
    c = int(np.abs(sums).argmax())
    others = rest(sums, c, "channel")
    others += [Number(f"b[{o}]", float(call.params["b"][o]))] if "b" in call.params else []
    a, b = (f"x[{n},:,:,{c}], the window", x[..., c]), (f"W[:,:,{c},{o}]", W[:, :, c, o])
    found, said = multiplied(a, b, known, float(call.y[index]), others)
    before = Map(f"x[{n},:,:,{c}]", call.x[n, :, :, c], framed(call, p, q))
    after = Map(f"y[{n},:,:,{o}]", call.y[n, :, :, o], (p, q, 1, 1), "->")
    return Picture([before, *found, after], said)


def conv_dW(call: Call, index: Index) -> Picture | None:
    """What this weight was multiplied by, times dL/dy, of the example that says most."""
    (i, j, c, o), dy, (SH, SW), (above, left) = index, call.gradient, call.layer.stride, corner(call)
    PH, PV = dy.shape[1:3]
    h, v = np.arange(PH) * SH + i - above, np.arange(PV) * SW + j - left
    known = np.outer((h >= 0) & (h < call.x.shape[1]), (v >= 0) & (v < call.x.shape[2]))
    if not known.any():
        return None
    x = np.where(known, call.x[:, h.clip(0, call.x.shape[1] - 1)][:, :, v.clip(0, call.x.shape[2] - 1), c], 0)
    sums = (x * dy[..., o]).sum(axis=(1, 2))
    n = int(np.abs(sums).argmax())
    value = float(call.grads["W"][index])
    found, said = multiplied(
        (f"x[{n},:,:,{c}] under W[{i},{j},{c},{o}]", x[n]), (f"dL/dy[{n},:,:,{o}]", dy[n, :, :, o]),
        known, value, rest(sums, n, "example"),
    )  # fmt: skip
    return Picture(found, said)


def conv_dx(call: Call, index: Index) -> Picture | None:
    """What comes back from each window that holds the pixel, times the weight it had there."""
    (n, h, v, c), dy, W, (KH, KW) = index, call.gradient, call.params["W"], call.layer.kernel
    back, known = np.zeros((KH, KW, dy.shape[3])), np.zeros((KH, KW), bool)
    for i, j, p, q in holding(call, h, v):
        back[i, j], known[i, j] = dy[n, p, q], True
    if not known.any():
        return None
    sums = (back * W[:, :, c]).sum(axis=(0, 1))
    o = int(np.abs(sums).argmax())
    found, said = multiplied(
        (f"dL/dy[{n},:,:,{o}] of the windows", back[..., o]), (f"W[:,:,{c},{o}], as they had it", W[:, :, c, o]),
        known, float(call.dx[index]), rest(sums, o, "channel"),  # type: ignore[index]
    )  # fmt: skip
    return Picture([*found, Map(f"dL/dx[{n},:,:,{c}]", call.dx[n, :, :, c], (h, v, 1, 1), "->")], said)  # type: ignore[index]


# --- pooling ---------------------------------------------------------------------------------------------------------


def pixels_of(call: Call, n: int, p: int, q: int, c: int) -> tuple[Any, Any]:
    """A window's numbers, and which of its places are on the image."""
    KH, KW = call.layer.kernel
    x, known = np.zeros((KH, KW)), np.zeros((KH, KW), bool)
    for i, j, h, v in window(call, p, q):
        x[i, j], known[i, j] = call.x[n, h, v, c], True
    return x, known


def cut(title: str, a: Any, known: Any, mark: tuple[int, int], sign: str = "") -> Grid:
    """A grid of these, or of what is around the mark."""
    rows, columns = (around(size, at) for size, at in zip(a.shape, mark))
    return grid(title, a[rows, columns], sign, [(mark[0] - rows.start, mark[1] - columns.start)], known[rows, columns])


def winner(call: Call, index: Index) -> tuple[int, int]:
    """Where the largest stands in its window."""
    _, h, v, _ = largest(call, index)
    top, left, *_ = framed(call, index[1], index[2])
    return h - top, v - left


def max_pool(call: Call, index: Index) -> Picture:
    """The window, with the largest marked."""
    n, p, q, c = index
    found = cut(f"x[{n},:,:,{c}], the window", *pixels_of(call, *index), winner(call, index))
    before = Map(f"x[{n},:,:,{c}]", call.x[n, :, :, c], framed(call, p, q))
    after = Map(f"y[{n},:,:,{c}]", call.y[n, :, :, c], (p, q, 1, 1), "->")
    return Picture([before, found, after], f"the largest of them is y: {fmt(float(call.y[index]), DIGITS)}")


def max_pool_dx(call: Call, index: Index) -> Picture | None:
    """A window that holds the pixel: dL/dy goes to its largest, and to that alone."""
    n, h, v, c = index
    windows: list[Index] = [(n, p, q, c) for _, _, p, q in holding(call, h, v)]
    if not windows:
        return None
    won = [one for one in windows if largest(call, one) == index]
    one = max(won or windows, key=lambda where: abs(call.gradient[where]))
    x, known = pixels_of(call, *one)
    mark, dy = winner(call, one), call.gradient[one]
    back = np.zeros(x.shape)
    back[mark] = dy
    grids = [cut("x, the window", x, known, mark), cut("its part of dL/dx", back, known, mark, "->")]
    more = "" if won else "; this pixel is not the largest, and gets 0"
    if len(windows) > 1:
        more = f"; {len(windows)} windows hold this pixel, and it is the largest of {len(won)}"
    return Picture(grids, f"dL/dy = {fmt(float(dy), DIGITS)} goes to the largest, and to no other{more}")


def avg_pool(call: Call, index: Index) -> Picture:
    """The window, and the mean of it."""
    n, p, q, c = index
    x, known = pixels_of(call, *index)
    said = f"the mean of {int(known.sum())} numbers: {fmt(float(call.y[index]), DIGITS)}"
    before = Map(f"x[{n},:,:,{c}]", call.x[n, :, :, c], framed(call, p, q))
    rows, columns = (around(size, 0) for size in x.shape)
    return Picture([before, grid("the window", x[rows, columns], known=known[rows, columns])], said)


def avg_pool_dx(call: Call, index: Index) -> Picture | None:
    """Each of a window's pixels gets the same share."""
    n, h, v, c = index
    windows = holding(call, h, v)
    if not windows:
        return None
    i, j, p, q = windows[0]
    x, known = pixels_of(call, n, p, q, c)
    share = np.full(x.shape, call.gradient[n, p, q, c] / known.sum())
    said = f"dL/dy / M, M = {int(known.sum())}, to each" + (f"; {len(windows)} windows hold it" * (len(windows) > 1))
    return Picture([cut("the window's part of dL/dx", share, known, (i, j))], said)


def global_mean(call: Call, index: Index) -> Picture | None:
    """The channel as an image, and its mean."""
    if call.x.ndim != 4:
        return None
    n, c = index
    H, V = call.x.shape[1:3]
    part = call.x[n, :MOST, :MOST, c]
    whole = Map(f"x[{n},:,:,{c}]", call.x[n, :, :, c], (0, 0, H, V))
    return Picture([whole, grid("its numbers", part)], f"the mean of {H * V}: {fmt(float(call.y[index]), DIGITS)}")


PICTURES: dict[type, dict[str, Any]] = {
    Conv2D: {"y": conv, "dL/dW": conv_dW, "dL/dx": conv_dx},
    MaxPool2D: {"y": max_pool, "dL/dx": max_pool_dx},
    AvgPool2D: {"y": avg_pool, "dL/dx": avg_pool_dx},
    GlobalAvgPool: {"y": global_mean},
}
