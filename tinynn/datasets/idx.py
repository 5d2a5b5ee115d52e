"""The IDX format, in which MNIST and its relatives are stored: one array in a file.

    byte 0, 1        zero
    byte 2           the type code, a key of DTYPES
    byte 3           the number of dimensions
    4 bytes each     the dimensions, as big-endian unsigned integers
    the rest         the values, big-endian, the last dimension running fastest

So 0x00000803 begins a file of uint8 values in 3 dimensions, such as images: number, height, width.
"""

from __future__ import annotations

import gzip
import lzma
import math
import os
import struct
import zlib
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np

from .. import checks
from ..checks import Array

DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}  # 0x0A is not in use
MAGIC = "0x0000TTDD, with a type TT of 08, 09, 0B, 0C, 0D or 0E and a number of dimensions DD of 01 or more"
XZ = b"\xfd7zXZ\0"  # the first bytes of such a file; those of gzip are 1F 8B
CHUNK = 16 * 2**20  # bytes


def read_idx(path: str | os.PathLike[str]) -> Array:
    """The array in an IDX file: raw, or compressed by gzip or xz, as its first bytes say (whatever its name ends in).

    Returns a new, writable array in native byte order: uint8, int8, int16, int32, float32 or float64, in the shape that
    the header gives. Reads no more than the header announces and one byte, however much a file may unpack to.

    Raises FileNotFoundError, and ValueError for a file that is damaged, too short or too long, or not IDX.
    Source: LeCun, Cortes & Burges, "The MNIST database of handwritten digits", section "File formats".
    """
    path = Path(checks.path("read_idx: path", path))
    try:
        with open_file(path) as file:
            dtype, shape = read_header(file, path.name)
            data = read_data(file, path.name, dtype, shape)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {path}.") from None
    except (gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise ValueError(f"{path.name}: must be an intact compressed file, not a damaged one: {error}") from error
    values = np.frombuffer(data, dtype).astype(dtype.newbyteorder("="), copy=False)
    try:
        return values.reshape(shape)
    except ValueError as error:  # 65 dimensions, or (0, 2**32 - 1, 2**32 - 1)
        raise ValueError(f"{path.name}: shape must be one that NumPy can hold, not {shape}: {error}") from error


def open_file(path: Path) -> BufferedIOBase:
    """The file at `path`, open for reading its uncompressed bytes."""
    with open(path, "rb") as file:
        magic = file.read(6)
    raw = magic.startswith(b"\0\0")  # as IDX does; whatever the name says, what unpacks files may have kept it
    if magic.startswith(b"\x1f\x8b") or (path.suffix == ".gz" and not raw and not magic.startswith(XZ)):
        return gzip.open(path)
    if magic.startswith(XZ) or (path.suffix == ".xz" and not raw):
        return lzma.open(path, format=lzma.FORMAT_XZ)  # by default it takes the old .lzma too, which has no checksum
    return open(path, "rb")


def read_header(file: BufferedIOBase, name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The dtype (big-endian) and the shape that a file announces. Raises ValueError."""
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in DTYPES or magic[3] == 0:
        got = "0x" + magic.hex() if magic else "an empty file"
        raise ValueError(f"{name}: magic number must be {MAGIC}, not {got}")
    ndim = magic[3]
    dimensions = file.read(4 * ndim)
    if len(dimensions) < 4 * ndim:
        raise ValueError(f"{name}: header must be {4 + 4 * ndim} bytes long, not {4 + len(dimensions)}")
    return np.dtype(DTYPES[magic[2]]), struct.unpack(f">{ndim}I", dimensions)


def read_data(file: BufferedIOBase, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytearray:
    """The bytes after the header, exactly as many as it announces. Raises ValueError.

    A bytearray, since an array on top of one can be written to.
    """
    size = math.prod(shape) * dtype.itemsize  # of Python integers, which do not overflow
    data = bytearray()
    # Asking for one byte too many finds trailing bytes, and makes gzip and xz compare their checksums at the end.
    # Asking in chunks allocates only what is there: the size may be a lie.
    while chunk := file.read(min(CHUNK, size + 1 - len(data))):
        data += chunk
    if len(data) != size:
        got = "more" if len(data) > size else f"{len(data)}"
        raise ValueError(f"{name}: data must be {size} bytes long, for shape {shape} of {dtype.name}, not {got}")
    return data
