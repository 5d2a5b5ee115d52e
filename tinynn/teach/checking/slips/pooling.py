"""Pooling: the maximum of each window gets its dy back, of a mean each pixel the same share.

Formulas are for channels last; Facts.own turns the axes. Windows are found by trying: images with one row of ones in
them show which windows hold this row. So size, stride and padding may be any, also those that overhang.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ....checks import Array
from ..measure import same
from .entry import Entry, Facts

if TYPE_CHECKING:
    from ..layer_gradients import LayerGradients

Spans = list[tuple[int, int]]  # where windows begin and end, along one axis


@dataclass
class PoolingFacts(Facts):
    """x, y, dy with channels last, the rows and columns of all windows, and the divisor of a mean."""

    down: Spans = None  # type: ignore[assignment]
    across: Spans = None  # type: ignore[assignment]
    first: bool = False  # channels first
    divisor: Array = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.x, self.y, self.dy = (image(a, self.first) for a in (self.layer.x, self.layer.y, self.layer.dy))
        self.size = tuple(max(end - start for start, end in spans) for spans in (self.down, self.across))
        self.words["size"] = f"{self.size[0]} x {self.size[1]}"

    def own(self, part: str, a: Array) -> Array:
        return a.transpose(0, 3, 1, 2) if self.first else a

    def windows(self) -> Iterator[tuple[int, int, Any]]:
        """(p, q, the slices of its window) for each pixel of y."""
        for p, (top, bottom) in enumerate(self.down):
            for q, (left, right) in enumerate(self.across):
                yield p, q, (slice(None), slice(top, bottom), slice(left, right))

    def back(self, share: Any, overwrite: bool = False) -> Array:
        """dx where a window's pixels get share(window of x, p, q) of its dy."""
        dx = np.zeros(self.x.shape)
        for p, q, where in self.windows():
            part = share(self.x[where], p, q) * self.dy[:, p, None, q, None]
            if overwrite:
                part = np.where(part != 0, part, dx[where]) if self.kind == "max" else part
                dx[where] = part
            else:
                dx[where] += part
        return dx

    def share(self, window: Array, p: int, q: int) -> Array:
        """The right share of each pixel: 1 for the first maximum, 1 / divisor in a mean."""
        return first_of(window, np.max) if self.kind == "max" else np.ones(window.shape) / self.divisor[p, q]

    def gradient(self, part: str) -> Array | None:
        return self.own(part, self.back(self.share)) if self.kind != "max padded with 0" else None

    # --- what slips give ---

    def to_all_ties(self) -> Array:
        """dy for each pixel that is equal to the largest."""
        return self.back(lambda window, *_: window == window.max(axis=(1, 2), keepdims=True))

    def most_ties(self) -> int:
        """How many pixels of a window are the largest, where these are most."""
        equal = (self.x[where] == self.x[where].max(axis=(1, 2), keepdims=True) for _, _, where in self.windows())
        return int(max(tied.sum(axis=(1, 2)).max() for tied in equal))

    def overwritten(self) -> Array:
        return self.back(self.share, overwrite=True)

    def exchanged(self) -> Array | None:
        """The place of the maximum with row and column exchanged, counted in windows that reach into the padding."""
        return self.moved(lambda p, q, i, j: (self.start(0, p) + j, self.start(1, q) + i))

    def start(self, axis: int, index: int) -> int:
        """Where a window begins, with the padding (so it may be below 0)."""
        spans, size = (self.down, self.across)[axis], self.size[axis]
        start, end = spans[index]
        return end - size if start == 0 else start

    def moved(self, place: Any) -> Array | None:
        """dy at place(p, q, i, j), for the maximum at (i, j) of a window; what falls out of the image is lost."""
        N, H, V, C = self.x.shape
        dx = np.zeros(self.x.shape)
        n, c = np.indices((N, C))
        for p, q, where in self.windows():
            best = self.x[where].reshape(N, -1, C).argmax(axis=1)
            (top, _), (left, right) = self.down[p], self.across[q]
            i, j = np.divmod(best, right - left)
            i, j = i + top - self.start(0, p), j + left - self.start(1, q)
            a, b = np.broadcast_arrays(*place(p, q, i, j), i)[:2]
            inside = (a >= 0) & (b >= 0) & (a < H) & (b < V)
            np.add.at(dx, (n[inside], a[inside], b[inside], c[inside]), self.dy[:, p, q][inside])
        return dx

    def pads(self) -> tuple[int, int]:
        return -self.start(0, 0), -self.start(1, 0)

    def step(self) -> Array | None:
        """Windows taken to be side by side: window p begins at p times the size."""
        (KH, KW), (above, left) = self.size, self.pads()
        return self.moved(lambda p, q, i, j: (p * KH + i - above, q * KW + j - left))

    def local(self) -> Array | None:
        """The place within the window taken for that in the image."""
        above, left = self.pads()
        return self.moved(lambda p, q, i, j: (i - above, j - left))

    def corner(self) -> Array | None:
        """All to the first pixel of each window."""
        return self.moved(lambda p, q, i, j: (self.start(0, p), self.start(1, q)))

    def counted(self, size: Any) -> Array:
        """A mean with another divisor."""
        return self.back(lambda window, p, q: np.ones(window.shape) / size(window))


def image(a: Array, first: bool) -> Array:
    """With channels last; (N, C), of a mean over all positions, as one pixel."""
    a = a if a.ndim == 4 else a[:, :, None, None] if first else a[:, None, None]
    return a.transpose(0, 2, 3, 1) if first else a


def first_of(window: Array, extreme: Any) -> Array:
    """1 at the first maximum (or minimum) of each window, else 0."""
    rows = (window == extreme(window, axis=(1, 2), keepdims=True)).reshape(len(window), -1, window.shape[3])
    found: Array = (rows & (rows.cumsum(axis=1) == 1)).reshape(window.shape)
    return found


def recognise(layer: LayerGradients, name: str) -> PoolingFacts | None:
    """Images in, smaller ones with as many channels out, each channel by itself: maxima or means of windows."""
    x, y = layer.x, layer.y
    if name != "x" or x.ndim != 4 or y.ndim not in (2, 4) or layer.tested.names:
        return None
    if "pooling" not in layer.known:
        layer.known["pooling"] = pooling(layer, False) or pooling(layer, True)
    found: PoolingFacts | None = layer.known["pooling"]
    return found


def pooling(layer: LayerGradients, first: bool) -> PoolingFacts | None:
    """The facts with channels first, or last; None where y is not that."""
    x, y = image(layer.x, first), image(layer.y, first)
    N, H, V, C = x.shape
    if (layer.y.ndim == 2 and y.shape[3] != C) or y.shape[3] != C or y.shape[1] > H + 2 or y.shape[2] > V + 2:
        return None

    def forward(images: Array) -> Array:
        own = images.transpose(0, 3, 1, 2) if first else images
        return image(layer.tested.forward(own), first)

    try:
        lit = np.zeros((H, H, V, C)), np.zeros((V, H, V, C))
        for a in range(H):
            lit[0][a, a] = 1
        for a in range(V):
            lit[1][a, :, a] = 1
        down, across = (
            spans(forward(lit[0])[:, :, y.shape[2] // 2, 0]),
            spans(forward(lit[1])[:, y.shape[1] // 2, :, 0]),
        )
        level = forward(np.ones((1, H, V, C)))[0, :, :, 0]
    except Exception:
        return None
    if not down or not across:
        return None
    facts = PoolingFacts(layer, {"x": "dx"}, {}, down=down, across=across, first=first)
    cells = [(p, q, x[where]) for p, q, where in facts.windows()]
    largest, total, count = (np.zeros((*y.shape[1:3], *shape)) for shape in ((N, C), (N, C), ()))
    for p, q, window in cells:
        largest[p, q], total[p, q] = window.max(axis=(1, 2)), window.sum(axis=(1, 2))
        count[p, q] = window.shape[1] * window.shape[2]
    y = y.transpose(1, 2, 0, 3)
    facts.divisor = count / np.where(level == 0, np.nan, level)
    full = count == np.prod(facts.size)
    if np.array_equal(y, largest):
        facts.kind, facts.right = "max", {"dx": "dy at the first largest pixel of each window, 0 elsewhere"}
    elif np.array_equal(y, np.where(full[:, :, None, None], largest, np.maximum(largest, 0))):
        facts.kind, right = (
            "max padded with 0",
            "dy at the largest pixel, and none where the largest is the 0 around it",
        )
        facts.right = {"dx": right}
    elif same(y, total / facts.divisor[:, :, None, None]):
        facts.kind, facts.right = "mean", {"dx": "dy / {divisor} for each pixel of the window"}
        some = np.unique(facts.divisor.round(9))
        divisor = f"{some[0]:g}" if len(some) == 1 else "(the number of pixels that forward divides by)"
        facts.words["divisor"] = divisor
    return facts if facts.kind else None


def spans(share: Array) -> Spans:
    """Where windows begin and end, from the share (places, windows) that each place has in each; [] if unknown."""
    found = []
    for window in share.T:
        places = np.flatnonzero(window)
        if not len(places) or places[-1] - places[0] + 1 != len(places):
            return []
        found.append((int(places[0]), int(places[-1]) + 1))
    return found


SLIPS = (
    # the largest of each window
    Entry("ties-all", "dx", lambda p: p.to_all_ties(),
          "dy at all pixels that are equal to the largest", "where several pixels are the largest, all get all of dy",
          of="max"),
    Entry("window-overwritten", "dx", lambda p: p.overwritten(),
          "what the last window of each pixel leaves (= where += belongs)"),
    Entry("window-spread", "dx", lambda p: p.back(lambda w, *_: np.ones(w.shape)), "dy for every pixel of the window",
          "all pixels of a window get dy, not the largest alone", of="max"),
    Entry("window-corner", "dx", lambda p: p.corner(), "dy at the first pixel of each window, whichever is the largest",
          "of each window the first pixel alone gets dy"),
    Entry("window-axes-swapped", "dx", lambda p: p.exchanged(), "dy at the largest pixel's place with row and column "
          "exchanged", "row and column of the largest pixel are exchanged", of="max"),
    Entry("mask-times-y", "dx", lambda p: p.back(lambda w, *_: w * first_of(w, np.max)), "dy * y at the largest pixel",
          of="max"),
    Entry("window-minimum", "dx", lambda p: p.back(lambda w, *_: first_of(w, np.min)), "dy at the smallest pixel",
          "the smallest pixel of a window gets what belongs to the largest", of="max"),
    Entry("window-step", "dx", lambda p: p.step(), "dy in windows that lie side by side, {size} pixels apart",
          "windows are taken to lie side by side, and they overlap", of="max"),
    Entry("window-place-global", "dx", lambda p: p.local(), "dy at the place within the window, taken for one of x",
          "the place of the largest within its window is taken for that in the image", of="max"),
    Entry("max-padding-differs", "dx", lambda p: p.back(lambda w, *_: first_of(w, np.max)),
          "dy at the largest pixel of the image, though forward has taken the 0 around it for the largest",
          "forward pads with 0, which can be the largest, and backward does not", of="max padded with 0"),
    # the mean of each window
    Entry("window-not-divided", "dx", lambda p: p.back(lambda w, *_: np.ones(w.shape)), "dy, not divided",
          "forward is a mean over the window, backward a sum", of="mean"),
    Entry("divisor-differs", "dx", lambda p: p.counted(lambda w: np.prod(p.size)),
          "dy / ({size}), the padding counted, which forward does not", "forward and backward divide by other numbers",
          of="mean"),
    Entry("divisor-differs", "dx", lambda p: p.counted(lambda w: w.shape[1] * w.shape[2]),
          "dy / (pixels of the image in the window), where forward counts the padding, too", of="mean"),
    Entry("divisor-differs", "dx", lambda p, k: p.counted(lambda w: p.size[k]), "dy / (one side of the window alone)",
          of="mean", each=lambda p: (0, 1)),
)  # fmt: skip
