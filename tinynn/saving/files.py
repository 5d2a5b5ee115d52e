"""Files: written as a whole or not at all, and read with errors that say which file is wrong and why.

    replace("run.npz", lambda file: file.write(data))
    with reading("run.npz") as file:
        data = file.read()

The name is taken exactly as it is given; nothing is appended to it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from .. import checks

WHOLE = "the file must be whole and of its format"
ABANDONED = 600  # seconds without a write, after which a temporary file belongs to nobody


class CheckpointError(ValueError):
    """What is wrong with a file, or with what should go into one."""


def replace(path: Any, write: Callable[[IO[bytes]], Any]) -> None:
    """Let `write` fill a file. At `path` there is always the whole old file or the whole new one, whatever happens: the
    new one is written under another name in the same folder, and renamed when it is on the disk.

    Raises OSError where that is not possible.
    """
    target = place(path)
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.tmp")
    try:
        _remove_abandoned(folder, name)
        with open(temporary, "xb") as file:  # its mode is by the umask, as any new file's
            if os.path.exists(target):
                os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise _unsaved(path, error.errno, error.strerror or error) from error
        raise
    with contextlib.suppress(OSError):  # Windows cannot open folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def place(path: Any) -> str:
    """Where a file of that name goes: a link stays one. Raises OSError where there can be none."""
    target = os.path.realpath(_name(path))
    folder = os.path.dirname(target)
    if not os.path.exists(folder):
        raise _unsaved(path, errno.ENOENT, f"there is no folder {folder}, make it first")
    if os.path.exists(target) and not os.path.isfile(target):
        raise _unsaved(path, errno.EISDIR, "what is there is not a file")
    if os.path.exists(target) and not os.access(target, os.W_OK):  # a folder's permission would do to replace it
        raise _unsaved(path, errno.EACCES, "what is there is read-only")
    return target


def _unsaved(path: Any, number: int | None, reason: Any) -> OSError:
    return OSError(number, f"cannot be saved: {reason}; what was there is unchanged", _name(path))


@contextlib.contextmanager
def reading(path: Any) -> Iterator[IO[bytes]]:
    """The file at `path`, open. Whatever goes wrong inside the `with` becomes a CheckpointError that names it.

    Raises FileNotFoundError, IsADirectoryError, PermissionError or another OSError where it cannot be opened.
    """
    name = _name(path)
    with _open(name) as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise CheckpointError(f"{name}: {WHOLE}, but it is empty")
        try:
            yield file
        except CheckpointError as error:
            raise CheckpointError(f"{name}: {error}") from error.__cause__
        except Exception as error:  # of a damaged file, zipfile and NumPy raise nearly anything
            reason = short(f"{type(error).__name__}: {error}")
            raise CheckpointError(f"{name}: {WHOLE}, but reading it raises {reason}") from error


def short(a: Any) -> str:
    """The beginning of a text, for a message."""
    text = str(a)
    return text if len(text) <= 200 else text[:197] + "..."


def listed(names: Iterable[str]) -> str:
    """The names, for a message."""
    return short(", ".join(map(repr, names)) or "none")


def _name(path: Any) -> str:
    """The name of a file. Raises TypeError, ValueError."""
    return checks.path("path", path)


def _open(name: str) -> IO[bytes]:
    """The file, open. Raises an OSError that says what to do."""
    try:
        if os.path.exists(name) and not os.path.isfile(name):  # of a pipe, opening would wait for a writer
            raise OSError(errno.EISDIR, "")
        return open(name, "rb")
    except OSError as error:
        folder = os.path.dirname(os.path.abspath(name))
        if error.errno == errno.ENOENT and os.path.isdir(folder):
            reason = f"there is no such file in {folder}; give the name that it was saved under"
        elif error.errno == errno.ENOENT:
            reason = f"there is no folder {folder}; give the name that the file was saved under"
        elif error.errno == errno.EISDIR:
            reason = f"that is {'a folder' if os.path.isdir(name) else 'no ordinary file'}; give the name of a file"
        elif error.errno == errno.EACCES:
            reason = "you may not read it; its owner can change that (chmod)"
        else:
            reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot be loaded: {reason}", name) from None


def _remove_abandoned(folder: str, name: str) -> None:
    """Delete what killed processes have left; a young file may be one that somebody is just writing."""
    pattern = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{8}}\.tmp")
    for other in filter(pattern.fullmatch, os.listdir(folder)):
        with contextlib.suppress(OSError):
            if time.time() - os.stat(os.path.join(folder, other)).st_mtime > ABANDONED:
                os.unlink(os.path.join(folder, other))
