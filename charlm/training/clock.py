"""Time spent training, over interruptions, by a clock that nobody sets; and how fast it goes."""

from __future__ import annotations

import time
from collections import deque


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


class Rate:
    """How many of something a second, over the last `window` seconds: a pause is soon forgotten.

    Example:
        >>> rate = Rate(window=10.0)
        >>> rate.add(0.0, 0), rate.add(1.0, 50), rate.add(2.0, 100)
        (0.0, 50.0, 50.0)
        >>> rate.add(62.0, 150), rate.add(73.0, 700)  # a minute's pause, then as before
        (0.8333333333333334, 50.0)
    """

    def __init__(self, window: float = 20.0) -> None:
        self._window = window
        self._seen: deque[tuple[float, float]] = deque()

    def add(self, seconds: float, count: float) -> float:
        """Return the rate at a time by which there were `count` in all; times never fall."""
        self._seen.append((seconds, count))
        # one mark from before the window stays, so that there are always two to compare
        while len(self._seen) > 2 and self._seen[1][0] <= seconds - self._window:
            self._seen.popleft()
        start, before = self._seen[0]
        return (count - before) / (seconds - start) if seconds > start else 0.0
