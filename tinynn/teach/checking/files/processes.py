"""A file is checked in a process of its own: one that hangs or crashes ends alone, with all that it has started.

The child writes a line of JSON for each verdict. Python's own faulthandler ends it when one takes too long, and writes
at which line of the file it was, even where that line never gives Python a turn; then a new child does the rest.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import linecache
import os
import queue
import random
import re
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from .loading import Slip
from .verdicts import Judged, Verdict, of_a_slip, verdicts_on

START, GRACE = 120.0, 10.0  # seconds that Python may take to start, and faulthandler to end the process
CODE = "import sys; sys.path[:] = {!r}; from tinynn.teach.checking.files.processes import child; child()"


def judged(path: str, asked: list[str], timeout: float, quiet: bool, **options: Any) -> Judged:
    """The verdicts on a file, each within `timeout` seconds; 0 for no limit, and in this process."""
    found, names = Judged(path), [""]
    if not timeout:
        for one in verdicts_on(path, asked, **options):
            if isinstance(one, Verdict):
                found.verdicts.append(one)
            else:
                found.aside = one[1]
        return found
    while len(found.verdicts) < len(names):
        lines = Child({"path": path, "asked": asked, "start": len(found.verdicts), **options}, timeout, quiet)
        loaded, trace = False, list[str]()
        for line in lines:
            message = json.loads(line) if line.startswith("{") else None
            if message is None:
                trace.append(line)
            elif "names" in message:
                names, found.aside, loaded = message["names"], message["aside"], True
            else:
                found.verdicts.append(Verdict(**message))
        if len(found.verdicts) < len(names):
            name = names[len(found.verdicts)] if loaded else ""
            found.verdicts.append(of_a_slip(name, stopped(path, name, timeout, trace, lines), options["width"]))
            names = names if loaded else [""]
            if not loaded:
                break
    return found


class Child:
    """A process that examines a file, and the lines it writes. Silent for too long, it is ended with its children."""

    def __init__(self, task: dict[str, Any], timeout: float, quiet: bool) -> None:
        self.timeout, self.late = timeout, False
        code = [sys.executable, "-B", *(f"-W{option}" for option in sys.warnoptions), "-c", CODE.format(sys.path)]
        own = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
        self.process = subprocess.Popen(
            [*code, json.dumps({**task, "timeout": timeout})],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL if quiet else None,
            env={**os.environ, "MPLBACKEND": "Agg"},  # no window waits to be closed
            **({"start_new_session": True} if os.name == "posix" else own),
        )  # fmt: skip

    def __iter__(self) -> Iterator[str]:
        read: queue.Queue[bytes] = queue.Queue()
        assert self.process.stdout is not None
        threading.Thread(target=pump, args=(self.process.stdout, read), daemon=True).start()
        wait = START + self.timeout
        try:
            while line := read.get(timeout=wait + GRACE):
                wait = self.timeout
                yield line.decode("utf-8", "replace").rstrip("\n")
        except queue.Empty:
            self.late = True
        finally:
            self.end()

    def end(self) -> None:
        """End the process, and what it has started and left running."""
        if os.name == "posix":
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0 if self.late else GRACE)  # for how it ended
            with contextlib.suppress(ProcessLookupError, PermissionError):  # where nothing of it is left
                os.killpg(self.process.pid, signal.SIGKILL)
        elif self.process.poll() is None:
            subprocess.run(["taskkill", "/F", "/T", "/PID", str(self.process.pid)], capture_output=True, check=False)
        self.process.wait()


def pump(source: Any, target: queue.Queue[bytes]) -> None:
    """Hand on lines; an empty one at the end."""
    with source:
        for line in source:
            target.put(line)
    target.put(b"")


def stopped(path: str, name: str, timeout: float, trace: list[str], lines: Child) -> Slip:
    """Why a child has ended before it had a verdict."""
    what, line = name or path, None
    shown = os.path.abspath(path).encode("ascii", "backslashreplace").decode()  # as faulthandler writes it
    for text in trace:
        found = re.search(r'File "(.*)", line (\d+)', text)
        if text.startswith(("Thread", "Current thread")):
            line = None  # the main thread is the last
        elif found and line is None and os.path.abspath(found[1]) == shown:
            line = int(found[2])
    where = f" in line {line}, `{linecache.getline(path, line).strip()}`" if line else ""
    if lines.late or any(text.startswith("Timeout") for text in trace):
        more = f"If this is no endless loop, --timeout {10 * timeout:g} gives it more time"
        return Slip(f"{what} was stopped after {timeout:g} s{where}. {more}", "timeout", line)
    status = lines.process.returncode
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    return Slip(f"{what} is not judged: it has ended the process{where}, with {how}", "process-ended", line)


def child() -> None:
    """Check the file that the command line names, as JSON; write the verdicts, a line of JSON each."""
    task = json.loads(sys.argv[1])
    limit = task.pop("timeout")
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the file prints goes to where errors go
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    del sys.argv[1:]
    random.seed(task["seed"])  # for weights that the file draws from the process's generators
    np.random.seed(task["seed"] % 2**32)
    faulthandler.enable(channel)
    faulthandler.dump_traceback_later(limit, exit=True, file=channel)
    status = 1
    try:
        for message in verdicts_on(**task):
            if isinstance(message, Verdict):
                channel.write(json.dumps(asdict(message)) + "\n")
            else:
                channel.write(json.dumps({"names": message[0], "aside": message[1]}) + "\n")
            channel.flush()
            faulthandler.dump_traceback_later(limit, exit=True, file=channel)
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)  # threads that the file has started may go on
