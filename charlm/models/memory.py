"""Too little memory: how to tell, and how much would have been enough."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable

import torch

# PyTorch has no class of its own for a lack of memory on the CPU, and two on CUDA.
_WORDS = ("can't allocate memory", "out of memory", "cannot allocate memory", "alloc_failed")


def is_lack_of_memory(error: BaseException) -> bool:
    """Return whether an error tells that there was too little memory."""
    lacking = isinstance(error, RuntimeError | OSError)
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        lacking and any(word in str(error).lower() for word in _WORDS)
    )


def let_go(device: torch.device) -> None:
    """Give memory that nothing refers to any more back to the device."""
    gc.collect()
    if device.type == "cuda":
        with contextlib.suppress(RuntimeError):
            torch.cuda.empty_cache()


def largest_that_fits(tried: int, fits: Callable[[int], bool]) -> int | None:
    """Return the largest of tried/2, tried/4, … that fits, in eights where it can be; else None.

    Example:
        >>> largest_that_fits(100, lambda rows: rows <= 30)
        24
    """
    size = tried // 2
    while size >= 1:
        whole = size // 8 * 8 or size
        if fits(whole):
            return whole
        size //= 2
    return None
