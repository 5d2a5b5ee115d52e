"""What the tests share: the backends, every layer and loss that tinynn has, and a seed that is printed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is loaded: the same bits on every machine

import hypothesis
import numpy as np
import pytest

import tinynn

hypothesis.settings.register_profile("tinynn", deadline=None, print_blob=True)
hypothesis.settings.register_profile("many", deadline=None, print_blob=True, max_examples=4000)  # 100 is usual
hypothesis.settings.load_profile("tinynn")

LIMIT = 1800  # seconds for another process: one that hangs is ended; one on a busy machine is waited for
# Errors in another process, as in this one (setup.cfg): what arithmetic and tinynn warn of, and files left open. What
# the next version of a library deprecates is none.
STRICT = ["-W", "error::RuntimeWarning", "-W", "error::ResourceWarning"]


@pytest.fixture
def rng():
    """A generator with a new seed in every run, printed where a test fails; TINYNN_TEST_SEED=... repeats one."""
    seed = int(os.environ.get("TINYNN_TEST_SEED", np.random.default_rng().integers(2**32)))
    print(f"TINYNN_TEST_SEED={seed}")
    return np.random.default_rng(seed)


@pytest.fixture(autouse=True)
def closed_pictures():
    """After a test, pyplot has no figure of it any more."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def real_gpu() -> bool:
    """Whether CuPy is installed and finds a GPU."""
    try:
        import cupy
    except ImportError:
        return False
    return bool(cupy.cuda.is_available())


def load_backend(name: str):
    """The backend's module; "stand-in" is the CuPy backend on the strict stand-in for CuPy (fake_cupy.py)."""
    if name != "stand-in":
        return importlib.import_module(f"tinynn.backends.{name}")
    import fake_cupy

    real = _forget_cupy()
    sys.modules["cupy"] = fake_cupy.module
    try:
        return importlib.import_module("tinynn.backends.cupy")
    finally:
        _forget_cupy()
        sys.modules.update(real)


def _forget_cupy():
    """Take CuPy and the backend on it out of the loaded modules; gives them."""
    return {key: sys.modules.pop(key) for key in list(sys.modules) if re.match(r"(tinynn\.backends\.)?cupy\b", key)}


NO_NUMBA = importlib.util.find_spec("numba") is None  # as on a new Python
CPU = ["numpy"] if NO_NUMBA else ["numpy", "numba"]
GPU = pytest.param(
    "cupy", marks=[pytest.mark.gpu, pytest.mark.skipif(not real_gpu(), reason="no CuPy with a GPU here")]
)
ALL = [*CPU, "stand-in", GPU]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Without numba, a test that asks for its backend is skipped."""
    try:
        return (yield)
    except ImportError as error:
        if NO_NUMBA and "the numba backend needs the package numba" in str(error):
            pytest.skip("no numba here")
        raise


@pytest.fixture(params=CPU, scope="session")
def cpu(request):
    """The name of each CPU backend in turn."""
    return request.param


@contextlib.contextmanager
def posing_as_cupy():
    """Meanwhile backend="cupy" is the CuPy backend on the stand-in; gives its module."""
    with pytest.MonkeyPatch.context() as patch:
        module = load_backend("stand-in")
        patch.setitem(sys.modules, "tinynn.backends.cupy", module)
        patch.setattr(tinynn.backends, "cupy", module, raising=False)
        yield module


@pytest.fixture(params=ALL, scope="module")
def any_backend(request):
    """The name of each backend in turn; for the stand-in that is "cupy"."""
    if request.param != "stand-in":
        yield request.param
        return
    with posing_as_cupy():
        yield "cupy"
