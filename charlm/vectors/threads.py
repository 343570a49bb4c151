"""Work on pieces by several threads, its results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

R = TypeVar("R")


class Paced:
    """Training in `total` pieces of which some are `done`; may be asked to stop between two.

    Attributes:
        pieces: how many of them make an epoch.
    """

    def __init__(self, pieces: int, total: int) -> None:
        self.pieces, self.total, self.done = pieces, total, 0
        self._stopping = False

    def stop(self) -> None:
        """Let `run` end with the pieces that are under way; another `run` goes on."""
        self._stopping = True

    def left(self) -> Iterator[int]:
        """Yield the pieces that are left, until the end or `stop`."""
        self._stopping = False
        for piece in range(self.done, self.total):
            if self._stopping:
                return
            yield piece


def in_order(work: Callable[[int], R], pieces: Iterable[int], threads: int) -> Iterator[R]:
    """Yield what `work` returns of each piece, in their order.

    It lets go of Python's lock while it runs. One thread is the caller's own. Where `pieces` ends
    early, those under way are still finished and yielded.
    """
    if threads == 1:
        yield from map(work, pieces)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="charlm-vectors") as pool:
        waiting: deque[Future[R]] = deque()
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
