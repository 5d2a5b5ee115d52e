"""CuPy, or how to get it."""

try:
    import cupy as xp
except ImportError as error:
    raise ImportError(
        "the cupy backend needs the package CuPy: pip install 'cupy-cuda13x[ctk]' (for CUDA 12: cupy-cuda12x[ctk])"
    ) from error
if not xp.cuda.is_available():  # CuPy itself imports without a GPU
    raise ImportError("the cupy backend needs an NVIDIA GPU with its driver, and CuPy finds none here")
