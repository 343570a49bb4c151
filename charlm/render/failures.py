"""An error as a line for its user."""

from __future__ import annotations

from charlm.base.errors import CharlmError
from charlm.render.console import one_line


def describe(error: BaseException) -> str:
    """Return what a user is told of an error, in one harmless line."""
    if is_out_of_memory(error):
        return "out of memory; try a smaller model, batch or text"
    if isinstance(error, OSError) and not isinstance(error, CharlmError):
        reason = error.strerror or str(error) or type(error).__name__
        return one_line(f"{error.filename}: {reason}" if error.filename else reason)
    return one_line(str(error))


def is_out_of_memory(error: BaseException) -> bool:
    """Tell a lack of memory: torch has no class of its own for it on the CPU, and a subclass of
    RuntimeError, which we do not import here, on CUDA."""
    words = ("can't allocate memory", "out of memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    )
