"""Register tiles: the innermost loops of products, said in the compiler's own language.

A product is as fast as the processor if a tile of the result stays in its registers while the numbers pass by: each
number that is loaded then takes part in many multiplications. A tile here is ROWS rows by 16 or 32 columns, as many as
the registers hold: 32 registers of 16 numbers with AVX-512, else 16 of 8. numba cannot be told so in Python. So each
tile stands here twice: in Python, for the reader and for NUMBA_DISABLE_JIT=1, and as a function that writes LLVM.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba import int64, types
from numba.core import cgutils
from numba.extending import intrinsic

STRIP = 16  # numbers side by side: a register of AVX-512, two of AVX2


def _wide() -> bool:
    """Whether the processor that is compiled for has AVX-512 (NUMBA_CPU_NAME and _FEATURES may name another)."""
    name, features = numba.config.CPU_NAME, numba.config.CPU_FEATURES  # type: ignore[attr-defined]
    if features is not None:
        return "+avx512f" in features
    return name is None and llvmlite.binding.get_host_cpu_features().get("avx512f", False)


WIDE = _wide()
ROWS = 14 if WIDE else 6  # of a tile of `rows_times_W`; it divides 28 and 14, the sizes of small images
STRIPS = 2 if WIDE else 1  # how wide a tile is where there are columns enough
PLACES = 24 if WIDE else 6  # rows of a tile of `xT_times_rows`, a strip wide


def python_rows_times_W(strips: int) -> Any:
    def tile(x, start, t, KH, down, K, W, w, wide, b, y, place, corner, n_out):
        columns = np.arange(STRIP * strips)
        for r in range(ROWS):
            total = b[w : w + columns.size].copy()
            for i in range(KH):
                for k in range(K):
                    total += x[start[t + r] + i * down + k] * W[w + (i * K + k) * wide + columns]
            y[corner + place[t + r] + columns[:n_out]] = total[:n_out]

    return tile


def python_xT_times_rows(places: int, strips: int) -> Any:
    def tile(x, start, s, first, P, dy, d, n_out, dW, w, wide):
        for r in range(places):
            for t in range(P):
                row = dy[d + t * n_out :][: STRIP * strips]  # the last ones end with dy
                dW[w + r * wide :][: row.size] += x[start[s + t] + first + r] * row

    return tile


NUMBER, INDEX = ir.FloatType(), ir.IntType(64)
VECTOR = ir.VectorType(NUMBER, STRIP)


def _pointers(context: Any, builder: Any, signature: Any, arguments: Any, *which: int) -> list[Any]:
    """Where the numbers of some of the arguments, which are arrays, begin."""
    return [context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in which]


def _repeated(builder: Any, number: Any) -> Any:
    """A number as a strip, STRIP times."""
    empty, index = ir.Constant(ir.VectorType(number.type, STRIP), ir.Undefined), ir.IntType(32)
    first = builder.insert_element(empty, number, index(0))
    return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(index, STRIP), [0] * STRIP))


def _load(builder: Any, pointer: Any, strips: int) -> list[Any]:
    """The numbers at a place, as strips."""
    places = [builder.gep(pointer, [INDEX(STRIP * s)]) for s in range(strips)]
    return [builder.load(builder.bitcast(place, VECTOR.as_pointer()), align=4) for place in places]


def _store(builder: Any, row: list[Any], pointer: Any) -> None:
    for s, total in enumerate(row):
        place = builder.gep(pointer, [INDEX(STRIP * s)])
        builder.store(builder.load(total), builder.bitcast(place, VECTOR.as_pointer()), align=4)


def _store_first(builder: Any, n_out: Any, row: list[Any], pointer: Any) -> None:
    """Write only the first n_out numbers of a row."""
    flags = ir.VectorType(ir.IntType(1), STRIP)
    kind = ir.FunctionType(ir.VoidType(), [VECTOR, VECTOR.as_pointer(), ir.IntType(32), flags])
    store = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.v{STRIP}f32.p0v{STRIP}f32")
    lanes, limit = ir.VectorType(INDEX, STRIP), _repeated(builder, n_out)
    for s, total in enumerate(row):
        numbers = ir.Constant(lanes, list(range(STRIP * s, STRIP * (s + 1))))
        place = builder.bitcast(builder.gep(pointer, [INDEX(STRIP * s)]), VECTOR.as_pointer())
        wanted = builder.icmp_signed("<", numbers, limit)
        builder.call(store, [builder.load(total), place, ir.IntType(32)(4), wanted])


def _add_times(builder: Any, row: list[Any], number: Any, strips: list[Any]) -> None:
    """row += number strips."""
    numbers = _repeated(builder, number)
    for total, strip in zip(row, strips):
        product = builder.fmul(numbers, strip, flags=["contract"])
        builder.store(builder.fadd(builder.load(total), product, flags=["contract"]), total)


def python_copy_strip(x, i, y, j):
    """Copy the STRIP numbers at one place of a flat array to a place in another."""
    y[j : j + STRIP] = x[i : i + STRIP]


@intrinsic
def copy_strip(typing, x, i, y, j):
    def generate(context, builder, signature, arguments):
        x, y = _pointers(context, builder, signature, arguments, 0, 2)
        _, i, _, j = arguments
        (strip,) = _load(builder, builder.gep(x, [i]), 1)
        builder.store(strip, builder.bitcast(builder.gep(y, [j]), VECTOR.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(x, int64, y, int64), generate


if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
    copy_strip = python_copy_strip  # type: ignore[assignment]


def rows_times_W(strips: int) -> Any:
    """A function that computes a tile of y = b + x W: ROWS rows by `strips` strips of columns.

    y[corner + place[t + r] + j] = b[w + j] + sum_ik x[start[t + r] + i down + k] W[(i K + k) wide + w + j]: a row of
    the tile is a pixel of y, whose window is KH rows of x, `down` apart, of K numbers side by side. Of the columns
    the first n_out are written; W and b have all of them. All arrays are flat.
    """
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return python_rows_times_W(strips)

    @intrinsic
    def tile(typing, x, start, t, KH, down, K, W, w, wide, b, y, place, corner, n_out):
        def generate(context, builder, signature, arguments):
            (x, start, W, b, y, place) = _pointers(context, builder, signature, arguments, 0, 1, 6, 9, 10, 11)
            _, _, t, KH, down, K, _, w, wide, _, _, _, corner, n_out = arguments

            def listed(base, places, r):
                """The address that is places[t + r] behind `base`."""
                return builder.gep(base, [builder.load(builder.gep(places, [builder.add(t, INDEX(r))]))])

            windows = [listed(x, start, r) for r in range(ROWS)]
            bias = _load(builder, builder.gep(b, [w]), strips)
            totals = [[cgutils.alloca_once_value(builder, strip) for strip in bias] for _ in windows]
            weights = cgutils.alloca_once_value(builder, builder.gep(W, [w]))
            with cgutils.for_range(builder, KH) as row:
                offset = builder.mul(row.index, down)
                rows = [builder.gep(window, [offset]) for window in windows]

                def add_products(k, count):
                    """Those of `count` numbers of each window from the k-th on."""
                    line = builder.load(weights)
                    for i in range(count):
                        columns = _load(builder, line, strips)
                        for total, pixel in zip(totals, rows):
                            number = builder.load(builder.gep(builder.gep(pixel, [k]), [INDEX(i)]))
                            _add_times(builder, total, number, columns)
                        line = builder.gep(line, [wide])
                    builder.store(line, weights)

                # so many addresses are not in registers, but loaded, too: once for some numbers, not for each
                together = 4 // strips
                with cgutils.for_range(builder, builder.udiv(K, INDEX(together))) as some:
                    add_products(builder.mul(some.index, INDEX(together)), together)
                with cgutils.for_range(builder, builder.urem(K, INDEX(together))) as rest:
                    add_products(builder.add(builder.sub(K, builder.urem(K, INDEX(together))), rest.index), 1)
            y = builder.gep(y, [corner])
            with builder.if_else(builder.icmp_signed(">=", n_out, INDEX(STRIP * strips))) as (whole, part):
                with whole:
                    for r, total in enumerate(totals):
                        _store(builder, total, listed(y, place, r))
                with part:
                    for r, total in enumerate(totals):
                        _store_first(builder, n_out, total, listed(y, place, r))
            return context.get_dummy_value()

        return types.void(x, start, *[int64] * 4, W, int64, int64, b, y, place, int64, int64), generate

    return tile


def xT_times_rows(places: int, strips: int) -> Any:
    """A function that adds x^T dy to a tile of dW: `places` rows by `strips` strips of columns.

    dW[w + r wide + j] += sum_t x[start[s + t] + first + r] dy[d + t n_out + j], t from 0 to P - 1: a row of the tile is
    a place in the window, which meets as many numbers of x as dy has pixels. All arrays are flat.
    """
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return python_xT_times_rows(places, strips)

    @intrinsic
    def tile(typing, x, start, s, first, P, dy, d, n_out, dW, w, wide):
        def generate(context, builder, signature, arguments):
            (x, start, dy, dW) = _pointers(context, builder, signature, arguments, 0, 1, 5, 8)
            _, _, s, first, P, _, d, n_out, _, w, wide = arguments
            x, start = builder.gep(x, [first]), builder.gep(start, [s])
            rows = [builder.gep(dW, [builder.add(w, builder.mul(wide, INDEX(r)))]) for r in range(places)]
            totals = [[cgutils.alloca_once_value(builder, s) for s in _load(builder, row, strips)] for row in rows]
            line = cgutils.alloca_once_value(builder, builder.gep(dy, [d]))
            with cgutils.for_range(builder, P) as pixel:
                window = builder.gep(x, [builder.load(builder.gep(start, [pixel.index]))])
                columns = _load(builder, builder.load(line), strips)
                for r, total in enumerate(totals):
                    _add_times(builder, total, builder.load(builder.gep(window, [INDEX(r)])), columns)
                builder.store(builder.gep(builder.load(line), [n_out]), line)
            for row, total in zip(rows, totals):
                _store(builder, total, row)
            return context.get_dummy_value()

        return types.void(x, start, int64, int64, int64, dy, int64, int64, dW, int64, int64), generate

    return tile
