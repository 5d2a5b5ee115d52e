"""Convolution: one small affine map, slid over an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import checks, initializers
from ..checks import Array
from .layer import Layer, Shape

__all__ = ["Conv2D"]

Pair = tuple[int, int]


def pair(thing: str, value: Any, least: int = 1) -> Pair:
    """A size for height and width: one whole number for both, or two. Raises TypeError, ValueError."""
    if isinstance(value, tuple | list):
        if len(value) != 2:
            expected = "one whole number or a pair (height, width)"
            raise ValueError(f"{thing} must be {expected}, not {checks.describe(value)}")
        return checks.integer(f"{thing}[0]", value[0], least), checks.integer(f"{thing}[1]", value[1], least)
    size = checks.integer(thing, value, least)
    return size, size


class Windowed(Layer):
    """A layer that slides a window of `kernel` pixels over images (N, H, V, C), `stride` pixels at a time.

    padding: the number of pixels on each side, one number or (height, width); or "same": as many as give y the size
    ceil(size / stride), where an odd one is put below and on the right (TensorFlow's rule).
    """

    kernel: Pair
    stride: Pair
    padding: Any

    def _say_windows(self, kernel: Any, stride: Any, padding: Any, name: str) -> None:
        """Check and keep the sizes."""
        thing = type(self).__name__
        self.kernel = pair(f"{thing}: {name}", kernel)
        self.stride = pair(f"{thing}: stride", stride)
        same = isinstance(padding, str) and padding == "same"
        if isinstance(padding, str) and not same:
            line = ": padding=0 is that" if padding == "valid" else ""
            raise TypeError(f'{thing}: padding must be pixels, one number or two, or "same", not {padding!r}{line}')
        self.padding = padding if same else pair(f"{thing}: padding", padding, 0)

    def around(self, shape: tuple[int, ...]) -> tuple[Pair, Pair]:
        """How many pixels are put around an image (H, V, C): ((above, below), (left, right))."""
        if self.padding != "same":
            return (self.padding[0],) * 2, (self.padding[1],) * 2
        sides = []
        for size, kernel, stride in zip(shape, self.kernel, self.stride):
            missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            sides.append((missing // 2, missing - missing // 2))
        return sides[0], sides[1]

    def output_shape(self, shape: Shape | None) -> Shape | None:
        channels = "C" if self.n_in is None else str(self.n_in)
        if shape is None:
            return None if self.n_out is None else (None, None, self.n_out)
        if len(shape) != 3 or (self.n_in is not None and shape[2] not in (None, self.n_in)):
            raise ValueError(f"takes images (H, W, {channels})")
        sizes: list[int | None] = []
        for axis, size in enumerate(shape[:2]):
            if size is None:
                sizes.append(None)
                continue
            sides = self.around((size, size))[axis]
            free = size + sum(sides) - self.kernel[axis]
            if free < 0:
                least = [max(1, k - 2 * p) for k, p in zip(self.kernel, self.padding)]
                raise ValueError(f"takes images of {least[0]} x {least[1]} pixels or more")
            sizes.append(free // self.stride[axis] + 1)
        return (*sizes, shape[2] if self.n_out is None else self.n_out)

    def _words(self, kernel: str, stride: Any = (1, 1)) -> list[str]:
        """Kernel, stride and padding as the constructor takes them."""

        def short(sizes: Any) -> Any:
            return sizes[0] if isinstance(sizes, tuple) and sizes[0] == sizes[1] else sizes

        words = [f"{kernel}{short(self.kernel)!r}"]
        words += [f"stride={short(self.stride)!r}"] if self.stride != stride else []
        return words + ([f"padding={short(self.padding)!r}"] if self.padding != (0, 0) else [])


class Conv2D(Windowed):
    """y[n, p, q] = sum over the kernel's places (i, j) of x[n, p SH + i, q SW + j] W[i, j] + b.

    The same affine map is applied to the window at every pixel. x (N, H, V, n_in) -> y (N, PH, PV, n_out). W (KH, KW,
    n_in, n_out) and b (n_out,) start as `weight_init` and zeros; the fan-in is KH KW n_in. bias=False leaves b out: a
    BatchNorm that follows would subtract it again. `kernel`, `stride` and `padding` are one number or a pair (height,
    width).

    Raises TypeError or ValueError for sizes below 1, and later for images smaller than the kernel.
    """

    parameters: tuple[str, ...] = ("W", "b")
    keeps = ("x",)
    only_reads = True
    n_in: int
    n_out: int
    W: Array
    b: Array
    dW: Array
    db: Array

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair | str = 0,
        bias: bool = True,
        weight_init: str | initializers.Initializer = "kaiming_normal",
    ) -> None:
        self.n_in = checks.integer("Conv2D: n_in", n_in, 1)
        self.n_out = checks.integer("Conv2D: n_out", n_out, 1)
        self._say_windows(kernel, stride, padding, "kernel")
        initializers.demand_room("Conv2D: kernel, n_in and n_out", (*self.kernel, self.n_in, self.n_out))
        self.bias = checks.flag("Conv2D: bias", bias)
        if not self.bias:
            self.parameters = ("W",)
        self.weight_init = weight_init
        initializers.find("Conv2D: weight_init", weight_init)

    def forward(self, x: Array) -> Array:
        return self.ops.conv2d(x, self.W, self.b if self.bias else None, self.stride, self.around(x.shape[1:]))

    def backward(self, dy: Array) -> Array | None:
        db, around = self.db if self.bias else None, self.around(self.x.shape[1:])
        return self.ops.conv2d_backward(dy, self.x, self.W, self.dW, db, self.stride, around, self.needs_dx)

    def sizes(self) -> dict[str, tuple[int, ...]]:
        sizes: dict[str, tuple[int, ...]] = {"W": (*self.kernel, self.n_in, self.n_out), "b": (self.n_out,)}
        return {name: sizes[name] for name in self.parameters}

    def initial_values(self, rng: np.random.Generator) -> dict[str, Array]:
        shape = (*self.kernel, self.n_in, self.n_out)
        W = initializers.draw(f"{self.where}: weight_init", self.weight_init, shape, rng)
        return {"W": W, "b": np.zeros(self.n_out)} if self.bias else {"W": W}

    def __repr__(self) -> str:
        words = [str(self.n_in), str(self.n_out), *self._words("")]
        words += [] if self.bias else ["bias=False"]
        if self.weight_init != "kaiming_normal":
            words.append(f"weight_init={initializers.written(self.weight_init)}")
        return f"Conv2D({', '.join(words)})"
