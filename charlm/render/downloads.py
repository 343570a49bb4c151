"""A download as it goes, on stderr: one live line on a terminal, plain lines in a pipe."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Any, Protocol, Self

from charlm.base.durations import format_duration
from charlm.render.console import is_terminal, one_line, talk
from charlm.render.progress import bar
from charlm.render.tables import cut, size

PLAIN_SECONDS = 5.0
LIVE_SECONDS = 0.1


class DownloadProgress(Protocol):
    """Something that shows how much of a file is here while it is open."""

    def show(self, title: str, have: int, whole: int) -> None:
        """Show the bytes of a file that are here, of so many."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_download_progress(*, quiet: bool = False) -> DownloadProgress:
    """Return the view that fits stderr: silent, live or plain."""
    if quiet:
        return SilentDownload()
    if is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb":
        return LiveDownload()
    return PlainDownload()


class SilentDownload:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, title: str, have: int, whole: int) -> None:
        """Show nothing."""


class PlainDownload(SilentDownload):
    """A line every few seconds, and one for a whole file."""

    def __init__(self) -> None:
        self._shown = time.monotonic()

    def show(self, title: str, have: int, whole: int) -> None:
        """Show a line, or not, if one was shown just now."""
        now = time.monotonic()
        if have < whole and now - self._shown < PLAIN_SECONDS:
            return
        self._shown = now
        talk(download_words(title, have, whole))


class LiveDownload(SilentDownload):
    """One line that is redrawn, as wide as the terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True, highlight=False, markup=False)
        # No thread of Rich's own: an update comes with every block.
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._drawn = -LIVE_SECONDS
        self._rate = Rate()

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def show(self, title: str, have: int, whole: int) -> None:
        """Redraw the line, a few times a second."""
        from rich.text import Text

        now = time.monotonic()
        self._rate.note(title, have, now)
        if have < whole and now - self._drawn < LIVE_SECONDS:
            return
        self._drawn = now
        room = max(self._console.width - 1, 1)
        line = live_words(title, have, whole, self._rate.per_second(now), room)
        self._live.update(Text(line, no_wrap=True, overflow="crop"), refresh=True)


class Rate:
    """Bytes a second of one file since it began to come."""

    def __init__(self) -> None:
        self._title, self._start, self._first, self._have = "", 0.0, 0, 0

    def note(self, title: str, have: int, now: float) -> None:
        """Take in how much of a file is here."""
        if title != self._title or have < self._first:
            self._title, self._start, self._first = title, now, have
        self._have = have

    def per_second(self, now: float) -> float:
        """Return the rate, 0 before there is one."""
        seconds = now - self._start
        return (self._have - self._first) / seconds if seconds > 0 else 0.0


def download_words(title: str, have: int, whole: int) -> str:
    """Return a plain line.

    Example:
        >>> download_words("text8.zip", 7_836_004, 31_344_016)
        'text8.zip: 7.8 MB of 31.3 MB (25%)'
    """
    share = f"{min(have / whole, 1.0):.0%}" if whole else "?"
    return f"{one_line(title)}: {size(have)} of {size(whole)} ({share})"


def live_words(title: str, have: int, whole: int, per_second: float, columns: int) -> str:
    """Return the live line, the most useful parts first, as many as `columns` hold."""
    parts = [download_words(title, have, whole)]
    if per_second > 0:
        left = format_duration(max(whole - have, 0) / per_second)
        for part in (f"{left} left", f"{size(per_second)}/s"):
            if len("  ".join([*parts, part])) <= columns:
                parts.append(part)
    line = "  ".join(parts)
    room = columns - len(line) - 1
    if room >= 8:
        line = f"{bar(have / whole if whole else 0.0, min(room, 24))} {line}"
    return cut(line, columns)
