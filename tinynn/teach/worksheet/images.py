"""The formulas of convolution and pooling: sums over windows. Images are (N, H, V, C), and what is around them is 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...layers import AvgPool2D, Conv2D, Flatten, GlobalAvgPool, MaxPool2D
from .affine import db, products
from .formula import FIRST, MOST_TERMS, Formula, Number, joined, total
from .lines import Index, at, place, wide
from .record import Call


def corner(call: Call) -> tuple[int, int]:
    """How many pixels of padding are above and on the left."""
    (above, _), (left, _) = call.layer.around(call.x.shape[1:])
    return above, left


def window(call: Call, p: int, q: int) -> list[tuple[int, int, int, int]]:
    """What pixel (p, q) of y looks at: places (i, j) of the window and pixels (h, v) of x, as (i, j, h, v)."""
    (KH, KW), (SH, SW), (above, left) = call.layer.kernel, call.layer.stride, corner(call)
    rows = [(i, p * SH + i - above) for i in range(KH)]
    columns = [(j, q * SW + j - left) for j in range(KW)]
    H, V = call.x.shape[1:3]
    return [(i, j, h, v) for i, h in rows if 0 <= h < H for j, v in columns if 0 <= v < V]


def holding(call: Call, h: int, v: int) -> list[tuple[int, int, int, int]]:
    """The windows that hold pixel (h, v) of x: as (i, j, p, q), the pixel's place in the one of y's pixel (p, q)."""
    (KH, KW), (SH, SW), (above, left) = call.layer.kernel, call.layer.stride, corner(call)
    PH, PV = call.y.shape[1:3]
    rows = [(i, (h + above - i) // SH) for i in range(KH) if (h + above - i) % SH == 0]
    columns = [(j, (v + left - j) // SW) for j in range(KW) if (v + left - j) % SW == 0]
    return [(i, j, p, q) for i, p in rows if 0 <= p < PH for j, q in columns if 0 <= q < PV]


def pixel(call: Call) -> str:
    """The pixel of x that place (i, j) of a window meets: "2p+i-1,2q+j-1"."""
    texts = []
    for y, k, stride, before in zip("pq", "ij", call.layer.stride, corner(call)):
        texts.append(f"{stride if stride > 1 else ''}{y}+{k}" + (f"-{before}" if before else ""))
    return ",".join(texts)


# --- Conv2D ----------------------------------------------------------------------------------------------------------


def conv_law(call: Call) -> str:
    """With stride and padding as they are."""
    bias = " + b[o]" if "b" in call.params else ""
    around = "" if call.layer.padding == (0, 0) else "; x is 0 around the image"
    return f"y[n,p,q,o] = the sum over i, j, c of x[n,{pixel(call)},c] W[i,j,c,o]{bias}{around}"


def conv(call: Call, index: Index) -> Formula:
    """A term for each place of the window and each channel; none for the padding."""
    (n, p, q, o), x, W = index, call.x, call.params["W"]
    terms = [(*at_place, c) for at_place in window(call, p, q) for c in range(x.shape[3])]
    b = at("b", call.params["b"], o) if "b" in call.params else None
    if not terms:
        return PADDING if b is None else Formula([b], b.value)
    xs, Ws = [(n, h, v, c) for _, _, h, v, c in terms], [(i, j, c, o) for i, j, _, _, c in terms]
    return pairs(x, xs, W, Ws, "x", "W", b)


def conv_dW_law(call: Call) -> str:
    """As forward, with x and y in each other's roles."""
    return f"dL/dW[i,j,c,o] = the sum over n, p, q of x[n,{pixel(call)},c] dL/dy[n,p,q,o]"


def conv_dW(call: Call, index: Index) -> Formula:
    """A part from each pixel of y whose window has this place within the image."""
    (i, j, c, o), x, dy = index, call.x, call.gradient
    (SH, SW), (above, left), (N, PH, PV, _) = call.layer.stride, corner(call), dy.shape
    ps = np.array([p for p in range(PH) if 0 <= p * SH + i - above < x.shape[1]], int)
    qs = np.array([q for q in range(PV) if 0 <= q * SW + j - left < x.shape[2]], int)
    n, p, q = (a.ravel() for a in np.meshgrid(np.arange(N), ps, qs, indexing="ij"))
    h, v = p * SH + i - above, q * SW + j - left
    if not len(n):
        return PADDING
    return products(
        x[n, h, v, c], dy[n, p, q, o],
        lambda k: at("x", x, n[k], h[k], v[k], c), lambda k: at("dL/dy", dy, n[k], p[k], q[k], o),
    )  # fmt: skip


def conv_dx(call: Call, index: Index) -> Formula:
    """A pixel of x stands in several windows: what comes back from each adds up."""
    (n, h, v, c), dy, W = index, call.gradient, call.params["W"]
    terms = [(*at_place, o) for at_place in holding(call, h, v) for o in range(dy.shape[3])]
    if not terms:
        return NO_WINDOW
    dys, Ws = [(n, p, q, o) for _, _, p, q, o in terms], [(i, j, c, o) for i, j, _, _, o in terms]
    return pairs(dy, dys, W, Ws, "dL/dy", "W")


def pairs(
    a: Any, of_a: Sequence[Index], b: Any, of_b: Sequence[Index], first: str, second: str, add: Any = None
) -> Formula:
    """The sum of products of these entries of a and b."""
    left, right = (np.array([array[index] for index in indices]) for array, indices in ((a, of_a), (b, of_b)))
    return products(left, right, lambda k: at(first, a, *of_a[k]), lambda k: at(second, b, *of_b[k]), add)


NO_WINDOW = Formula(["0, for no window holds this pixel"], 0.0)
PADDING = Formula(["0, for there is nothing but padding"], 0.0)


# --- pooling ---------------------------------------------------------------------------------------------------------


def largest(call: Call, index: Index) -> Index:
    """Where the largest value of a window stands: of equal ones, the first; NaN counts as the largest."""
    n, p, q, c = index
    pixels = window(call, p, q)
    _, _, h, v = pixels[int(np.argmax([call.x[n, h, v, c] for _, _, h, v in pixels]))]
    return (n, h, v, c)


def max_pool(call: Call, index: Index) -> Formula:
    """max(x, x, x, x)"""
    n, p, q, c = index
    pixels: list[Index] = [(n, h, v, c) for _, _, h, v in window(call, p, q)]
    top = largest(call, index)
    shown, rest = pixels, ""
    if len(pixels) > MOST_TERMS:
        shown = [*pixels[:FIRST], *([] if top in pixels[:FIRST] else [top])]
        rest = f", ... ({len(pixels) - len(shown)} more)"
    terms = joined([[at("x", call.x, *one)] for one in shown], ", ")
    value = float(call.x[top])
    if len(pixels) == 1:
        return Formula(terms, value)
    return Formula(["max(", *terms, f"{rest})"], value, scale=abs(value))


def max_pool_dx(call: Call, index: Index) -> Formula:
    """dL/dy of the windows whose largest value stands here."""
    (n, h, v, c), dy = index, call.gradient
    windows = [(n, p, q, c) for _, _, p, q in holding(call, h, v)]
    if not windows:
        return NO_WINDOW
    here = [float(largest(call, one) == index) for one in windows]
    x = at("x", call.x, *index).symbol
    terms = np.array([wide(dy)[one] if on else 0.0 for one, on in zip(windows, here)])
    y = [at("y", call.y, *one).symbol for one in windows]
    return total(terms, lambda k: [at("dL/dy", dy, *windows[k]), " * ", Number(f"[{x} = {y[k]}]", here[k])])


def avg_pool(call: Call, index: Index) -> Formula:
    """(x + x + x + x) / M"""
    n, p, q, c = index
    pixels = [(n, h, v, c) for _, _, h, v in window(call, p, q)]
    return mean(call, pixels)


def mean(call: Call, pixels: Sequence[Index]) -> Formula:
    """The mean of these entries of x."""
    values = np.array([wide(call.x[one]) for one in pixels])
    M = Number("M", len(pixels))
    return total(values, lambda k: [at("x", call.x, *pixels[k])], "(", [") / ", M], 1 / M.value)


def avg_pool_dx(call: Call, index: Index) -> Formula:
    """The same share for each of a window's pixels."""
    (n, h, v, c), dy = index, call.gradient
    windows = [(n, p, q, c) for _, _, p, q in holding(call, h, v)]
    if not windows:
        return NO_WINDOW
    sizes = [len(window(call, p, q)) for _, p, q, _ in windows]
    terms = np.array([wide(dy[one]) / size for one, size in zip(windows, sizes)])
    return total(terms, lambda k: [at("dL/dy", dy, *windows[k]), " / ", Number("M", sizes[k])])


def global_mean(call: Call, index: Index) -> Formula:
    """(x + ... + x) / M, over all positions."""
    n, c = index
    return mean(call, [(n, *where, c) for where in np.ndindex(call.x.shape[1:-1])])


def global_mean_dx(call: Call, index: Index) -> Formula:
    """dL/dy / M"""
    dy, M = at("dL/dy", call.gradient, index[0], index[-1]), Number("M", int(np.prod(call.x.shape[1:-1])))
    return Formula([dy, " / ", M], dy.value / M.value, scale=abs(dy.value))


def flat(call: Call, index: Index) -> Formula:
    """The number that stands there in the example's order."""
    n, k = index
    x = at("x", call.x, n, *place(k, call.x[n]))
    return Formula([x], x.value)


def flat_dx(call: Call, index: Index) -> Formula:
    """Back in its place."""
    n, *where = index
    dy = at("dL/dy", call.gradient, n, int(np.ravel_multi_index(where, call.x.shape[1:])))
    return Formula([dy], dy.value)


FORWARD: dict[type, Any] = {
    Conv2D: (conv_law, conv),
    MaxPool2D: ("y = the largest x of each window", max_pool),
    AvgPool2D: ("y = the mean of each window's M pixels, those of the padding not counted", avg_pool),
    GlobalAvgPool: ("y[n,c] = the mean of x over the M positions", global_mean),
    Flatten: ("y[n] = all numbers of x[n] in a row", flat),
}
BACKWARD: dict[type, Any] = {
    Conv2D: {
        "W": (conv_dW_law, conv_dW),
        "b": ("dL/db[o] = the sum over n, p, q of dL/dy[n,p,q,o]", db),
        "x": (
            "dL/dx[n,h,v,c] = the sum of dL/dy[n,p,q,o] W[i,j,c,o] over o and the windows that hold the pixel",
            conv_dx,
        ),
    },
    MaxPool2D: {
        "x": ("dL/dx = dL/dy where x is the largest of its window (of equal ones the first), else 0", max_pool_dx)
    },
    AvgPool2D: {"x": ("dL/dx = the sum of dL/dy / M over the windows that hold the pixel", avg_pool_dx)},
    GlobalAvgPool: {"x": ("dL/dx = dL/dy / M at every position", global_mean_dx)},
    Flatten: {"x": ("dL/dx = dL/dy, in the shape of x", flat_dx)},
}
