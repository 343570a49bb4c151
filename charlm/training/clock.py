"""Time spent training, over interruptions, by a clock that nobody sets."""

from __future__ import annotations

import time


class Clock:
    """Seconds since the beginning of a run, those before a resumption counted.

    A gap between two looks of more than `longest_gap` seconds is no training: the machine slept,
    or the process was stopped. It counts as `longest_gap`.
    """

    def __init__(self, already: float, *, longest_gap: float = 60.0) -> None:
        self._elapsed = already
        self._longest_gap = longest_gap
        self._last = time.monotonic()

    def elapsed(self) -> float:
        """Return the seconds so far."""
        now = time.monotonic()
        self._elapsed += min(max(0.0, now - self._last), self._longest_gap)
        self._last = now
        return self._elapsed
