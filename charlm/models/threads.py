"""Work on the rows of a batch by several threads that need not wait for each other."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

_pool: ThreadPoolExecutor | None = None


def _forget_pool() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)  # threads do not live on in a child


def over_rows(work: Callable[..., None], rows: int, together: int, *args: Any) -> None:
    """Call `work(first, last, *args)` for parts of `range(rows)`, as many as PyTorch has threads.

    Args:
        work: lets go of Python's lock while it runs.
        together: the number of rows that are best kept together.
    """
    global _pool
    groups = -(-rows // together)
    parts = max(min(torch.get_num_threads(), groups), 1)
    borders = [min(groups * part // parts * together, rows) for part in range(parts + 1)]
    if parts == 1:
        work(0, rows, *args)
        return
    if _pool is None:
        # a part that waits for a thread would double the time: as many as there may be parts
        _pool = ThreadPoolExecutor(max(parts, os.cpu_count() or 1), "charlm-rows")
    others = [
        _pool.submit(work, first, last, *args) for first, last in itertools.pairwise(borders[1:])
    ]
    work(borders[0], borders[1], *args)
    for other in others:
        other.result()
