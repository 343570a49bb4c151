"""Too little memory told with figures: what was tried, and what to try instead."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from charlm.base.errors import TaskError
from charlm.tasks.train_build import Built

# PyTorch has no class of its own for a lack of memory on the CPU, and two on CUDA.
_WORDS = ("can't allocate memory", "out of memory", "cannot allocate memory")


@contextlib.contextmanager
def memory_errors(built: Built, kept: Callable[[], str]) -> Iterator[None]:
    """Turn a lack of memory in the body into a `TaskError` with the batch to try next."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if not is_lack_of_memory(error):
            raise
        plan = built.plan
        smaller = max(1, plan.batch_size // 2)
        raise TaskError(
            f"out of memory with {plan.batch_size} streams of {plan.bptt} tokens on "
            f"{built.device.type}; try --batch-size {smaller}, a shorter --bptt or a smaller "
            f"--hidden-size; {kept()}"
        ) from error


def is_lack_of_memory(error: BaseException) -> bool:
    """Return whether an error tells that there was too little memory."""
    lacking = isinstance(error, RuntimeError | OSError)
    return isinstance(error, MemoryError) or (
        lacking and any(word in str(error).lower() for word in _WORDS)
    )
