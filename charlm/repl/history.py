"""The lines of past sessions, in a file that only their user can read."""

from __future__ import annotations

import os
from pathlib import Path

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from charlm.render.console import warn

MOST_BYTES = 1 << 20  # read at the start of a session; what is older is dropped


class PrivateHistory(FileHistory):
    """prompt-toolkit's file of lines; one that takes no more is told of once."""

    def __init__(self, path: Path) -> None:
        self._works = True
        super().__init__(str(path))

    def store_string(self, string: str) -> None:
        """Keep a line; lone surrogates, which no file can hold, are replaced."""
        if not self._works:
            return
        try:
            super().store_string(string.encode("utf-8", "replace").decode("utf-8"))
        except OSError as error:
            self._works = False
            warn(f"lines are no longer kept: {error}")


def open_history(path: Path) -> History:
    """Return the history in a file of mode 0600; without one, that of this session alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # O_NOFOLLOW: a link put there must not make us write elsewhere.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            _shorten(descriptor)
        finally:
            os.close(descriptor)
    except (OSError, RuntimeError) as error:
        warn(f"lines are not kept: {error}")
        return InMemoryHistory()
    return PrivateHistory(path)


def _shorten(descriptor: int) -> None:
    """Drop the older half of a file that has grown too long, at the border of an entry."""
    length = os.fstat(descriptor).st_size
    if length <= MOST_BYTES:
        return
    kept = os.pread(descriptor, MOST_BYTES // 2, length - MOST_BYTES // 2)
    start = kept.find(b"\n# ")
    os.ftruncate(descriptor, 0)
    os.write(descriptor, kept[start:] if start >= 0 else b"")
