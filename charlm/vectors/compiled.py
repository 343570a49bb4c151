"""How the loops over words are compiled for the CPU: by numba, kept on disk where that can be."""

from __future__ import annotations

from numba import njit


def kernel(function):
    """Compile a function without Python's lock; kept on disk where there is a place for it."""
    settings = {
        "nogil": True,
        "fastmath": {"contract", "arcp", "nsz", "reassoc"},
        "error_model": "numpy",
    }
    try:
        return njit(cache=True, **settings)(function)
    except RuntimeError:  # no folder to keep it in
        return njit(**settings)(function)
