"""The windows of an image: what convolution and pooling slide over it.

Images are (N, H, V, C): N of them, H pixels high, V wide, C channels (features) to a pixel, which lie side by side in
memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...checks import Array

Pair = tuple[int, int]


def count(images: tuple[int, ...], kernel: Pair, stride: Pair, padding: tuple[Pair, Pair] = ((0, 0), (0, 0))) -> Pair:
    """How many windows images of shape (N, H, V, C) have, down and across; 0 or less where the kernel is larger."""
    down, across = ((n + sum(p) - k) // s + 1 for n, p, k, s in zip(images[1:3], padding, kernel, stride))
    return down, across


def taps(x: Array, kernel: Pair, stride: Pair) -> Iterator[tuple[int, int, Array]]:
    """For each place (i, j) of the kernel the pixels of x that it meets, one for each pixel of y, as a view of x.

    Pixel (p, q) of y looks at the window of x whose corner is (p SH, q SW). Its place (i, j) is x[p SH + i, q SW + j].

    x (N, H, V, C), kernel (KH, KW), stride (SH, SW) -> KH KW views (N, PH, PV, C).
    """
    (KH, KW), (SH, SW) = kernel, stride
    PH, PV = count(x.shape, kernel, stride)
    for i in range(KH):
        for j in range(KW):
            yield i, j, x[:, i : i + SH * (PH - 1) + 1 : SH, j : j + SW * (PV - 1) + 1 : SW]


def pad(x: Array, padding: tuple[Pair, Pair], value: float = 0.0) -> Array:
    """x with `value` around it: padding ((above, below), (left, right)) pixels."""
    if padding == ((0, 0), (0, 0)):
        return x
    N, H, V, C = x.shape
    (above, below), (left, right) = padding
    wide = np.full((N, above + H + below, left + V + right, C), value, x.dtype)
    wide[:, above : above + H, left : left + V] = x
    return wide


def unpad(x: Array, padding: tuple[Pair, Pair]) -> Array:
    """The inner part of a padded x: a view."""
    (above, below), (left, right) = padding
    return x[:, above : x.shape[1] - below, left : x.shape[2] - right]
