"""The archive of a checkpoint. The reader trusts nothing that a file says.

It is a zip without compression: `header`, JSON as bytes, of the form HEADER, and the flat vectors. There are no
pickles, and what the header says, what the vectors' own headers say and the size of the file must agree before anything
is allocated.
"""

from __future__ import annotations

import json
import zipfile
from typing import Any

import numpy as np

from .. import checks
from ..checks import Array
from .arguments import OPTIMIZERS
from .files import CheckpointError, listed, short

VERSION = 1
HEADER: Any = {  # the form of the header: (None, form) is None or that form, [form] a list of such, int 0 or more
    "format": str,
    "version": int,
    "written by": {"tinynn": str, "numpy": str, "python": str},
    "dtype": str,
    "seed": (None, int),
    "model": str,
    "shape": (None, [int]),
    "layers": [{"class": str, "arguments": dict}],
    "buffers": int,
    "optimizer": (None, {"class": str, "arguments": dict, "epochs": int, "seed": (None, int), "t": (None, int)}),
    "history": (None, {"first": int, "stopped": (None, str), "rows": [dict]}),
}
LARGEST_HEADER = 2**22  # bytes: some 25,000 epochs. JSON takes up to thirty times its text in memory
MOST_LAYERS = 1000  # Sequential compares each layer with each other


def read_header(archive: zipfile.ZipFile, size: int) -> dict[str, Any]:
    """The header, checked by itself and against the archive's members. `size` is the file's."""
    infos = archive.infolist()
    names = [info.filename for info in infos]
    plain = all(info.compress_type == zipfile.ZIP_STORED and info.compress_size == info.file_size for info in infos)
    if not plain or sum(info.file_size for info in infos) > size or len(set(names)) < len(names):
        raise CheckpointError(f"members must be uncompressed, within the file and each there once, not {listed(names)}")
    if "header.npy" not in names:
        raise CheckpointError(f"members must be 'header.npy', 'params.npy', ..., not {listed(names)}")
    header = parse(_vector(archive, "header", "uint8").tobytes())
    expected = ["header.npy", *(f"{name}.npy" for name in _names(header))]
    if sorted(names) != sorted(expected):
        raise CheckpointError(f"members must be {listed(expected)}, not {listed(names)}")
    return header


def read_vectors(archive: zipfile.ZipFile, header: dict[str, Any], count: int, buffers: int) -> dict[str, Array]:
    """All vectors, of `count` numbers each, but for `buffers`, which has so many."""
    if header["buffers"] != buffers:
        raise CheckpointError(f"buffers must be {buffers} numbers, not {header['buffers']}")
    sizes = {name: buffers if name == "buffers" else count for name in _names(header)}
    return {name: _vector(archive, name, header["dtype"], size) for name, size in sizes.items()}


def _vector(archive: zipfile.ZipFile, name: str, dtype: str, count: int | None = None) -> Array:
    """One vector of `count` numbers (None: as many as there are). Nothing is read before type and length are right."""
    info, kind = archive.getinfo(f"{name}.npy"), in_file(dtype)
    with archive.open(info) as member:
        if np.lib.format.read_magic(member) != (1, 0):
            raise CheckpointError(f"{name} must be in version 1.0 of the format .npy, not in another")
        shape, fortran, found = np.lib.format.read_array_header_1_0(member, max_header_size=256)
        room = info.file_size - member.tell()
        count = room // kind.itemsize if count is None else count
        if (shape, fortran, found, room) != ((count,), False, kind, count * kind.itemsize):
            got = f"{found} of shape {shape} in {room} bytes"
            raise CheckpointError(f"{name} must be {kind} of shape ({count},), not {got}")
        if name == "header" and count > LARGEST_HEADER:
            raise CheckpointError(f"header must have {LARGEST_HEADER} bytes at most, not {count}")
        return np.frombuffer(member.read(), kind).astype(dtype)  # at its end, read compares the checksum


def in_file(dtype: Any) -> np.dtype[Any]:
    """The dtype as it stands in files: least byte first."""
    return np.dtype(dtype).newbyteorder("<")


def parse(text: bytes) -> dict[str, Any]:
    """The header of its bytes, with everything in it of the right type."""
    header = json.loads(text.decode("utf-8"))
    if type(header) is not dict or header.get("format") != "tinynn checkpoint":
        raise CheckpointError("header must say that this is a tinynn checkpoint, not something else")
    if header.get("version") != VERSION:
        hint = "a newer tinynn may know that"
        raise CheckpointError(f"format version must be {VERSION}, not {checks.describe(header.get('version'))}: {hint}")
    for name, value in (("model", "Sequential"), ("shape", None), ("buffers", 0)):  # a file from before there were such
        header.setdefault(name, value)
    _demand_form("header", header, HEADER)
    if header["dtype"] not in ("float32", "float64"):
        raise CheckpointError(f"dtype must be float32 or float64, not {checks.describe(header['dtype'])}")
    if header["optimizer"] and header["optimizer"]["class"] not in OPTIMIZERS:
        got = checks.describe(header["optimizer"]["class"])
        raise CheckpointError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, not {got}")
    if not 0 < len(header["layers"]) <= MOST_LAYERS:
        raise CheckpointError(f"layers must be 1 to {MOST_LAYERS}, not {len(header['layers'])}")
    for row in header["history"]["rows"] if header["history"] else ():
        if not all(type(value) in (int, float) for value in row.values()):
            raise CheckpointError(f"history must be rows of numbers, not {short(row)}")
    return header


def _demand_form(thing: str, value: Any, form: Any) -> None:
    """Raise unless the value is of the form, which is written as in HEADER."""
    if isinstance(form, tuple):
        if value is not None:
            _demand_form(thing, value, form[1])
        return
    expected: type = form if isinstance(form, type) else type(form)
    found: type = type(value)
    if (
        found is not expected
        or (found is int and value < 0)
        or (isinstance(form, dict) and value.keys() != form.keys())
    ):
        kind = ", ".join(form) if isinstance(form, dict) else expected.__name__ + ", 0 or more" * (form is int)
        raise CheckpointError(f"{thing} must be {kind}, not {short(checks.describe(value))}")
    if isinstance(form, dict):
        for name, inner in form.items():
            _demand_form(f"{thing}: {name}", value[name], inner)
    elif isinstance(form, list):
        for item in value:
            _demand_form(f"one of {thing}", item, form[0])


def _names(header: dict[str, Any]) -> list[str]:
    """The names of the file's vectors."""
    state = OPTIMIZERS[header["optimizer"]["class"]].state if header["optimizer"] else ()
    kept = ["buffers"] if header["buffers"] else []
    return ["params", *kept, *(f"optimizer.{name}" for name in state)]
