"""What belongs to the whole process, and so to all of its threads: it is changed and put back in the main thread alone.

If two threads changed it and put it back, it could stay changed, or the same random numbers could be drawn twice.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator

import numpy as np


def in_main_thread() -> bool:
    """Whether what is the whole process's may be changed and put back."""
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def same_chance() -> Iterator[None]:
    """NumPy's global generator starts anew, for the same dropout each time, and is afterwards as it was."""
    with chance_left_alone():
        if in_main_thread():
            np.random.seed(0)
        yield


@contextlib.contextmanager
def chance_left_alone() -> Iterator[None]:
    """The global generators, NumPy's and Python's, are afterwards as they were, whatever a forward draws of them."""
    if not in_main_thread():
        yield
        return
    states = np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        np.random.set_state(states[0])
        random.setstate(states[1])
