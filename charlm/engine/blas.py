"""How many threads the matrix products of NumPy may use, where NumPy's BLAS lets us say so.

NumPy's wheels carry OpenBLAS; its thread count is a global of the process. On another BLAS
(Accelerate, MKL) nothing happens here, and nothing needs to.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ONE_THREAD_BYTES = 32 * 2**20

_PREFIXES = ("scipy_openblas", "openblas")
_SUFFIXES = ("64_", "")


@functools.cache
def _controls() -> tuple[Callable[[], int], Callable[[int], Any]] | None:
    """Return the getter and the setter of OpenBLAS's thread count, or None elsewhere."""
    import ctypes

    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for path in sorted(folder.glob("*openblas*")):
            try:
                library = ctypes.CDLL(str(path))  # loaded already: this only finds it
            except OSError:
                continue
            for prefix in _PREFIXES:
                for suffix in _SUFFIXES:
                    get = getattr(library, f"{prefix}_get_num_threads{suffix}", None)
                    put = getattr(library, f"{prefix}_set_num_threads{suffix}", None)
                    if get is not None and put is not None:
                        return get, put
    return None


@contextlib.contextmanager
def blas_threads(count: int | None) -> Iterator[None]:
    """Set the number of BLAS threads for a while; None, or a BLAS we cannot ask, changes nothing.

    Who set `OPENBLAS_NUM_THREADS` or `OMP_NUM_THREADS` has decided, and is left alone.
    """
    decided = "OPENBLAS_NUM_THREADS" in os.environ or "OMP_NUM_THREADS" in os.environ
    controls = None if count is None or decided else _controls()
    if controls is None or count is None:
        yield
        return
    get, put = controls
    before = get()
    put(min(count, max(before, 1)))
    try:
        yield
    finally:
        put(before)


def decoding_threads(model: object) -> int | None:
    """Return how many BLAS threads one-row steps of a model should use; None for BLAS's choice.

    Weights that fit in a core's share of the cache are read faster by one thread than two can
    agree to share them; beyond that memory is the bound, and more threads get more of it.
    """
    size = getattr(model, "weight_bytes", None)
    return None if size is None or size > ONE_THREAD_BYTES else 1
