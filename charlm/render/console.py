"""Two ways out: results to stdout, everything else to stderr.

Nothing that comes from a model, a text, a file name or a user reaches a terminal without
`sanitize`. A pipe or a file gets the exact characters.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO

from charlm.base.errors import CharlmError

# C0 but tab and newline, DEL, C1, line and paragraph separators, bidirectional controls,
# lone surrogates, the byte order mark and tag characters.
_RANGES = (
    (0x00, 0x08),
    (0x0B, 0x1F),
    (0x7F, 0x9F),
    (0x061C, 0x061C),
    (0x200E, 0x200F),
    (0x2028, 0x202E),
    (0x2066, 0x2069),
    (0xD800, 0xDFFF),
    (0xFEFF, 0xFEFF),
    (0xE0000, 0xE007F),
)
_TABLE: dict[int, str] = {}


class OutputError(CharlmError):
    """Standard output took no more: a full disk, a closed device."""


def _escape(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def sanitize(text: str) -> str:
    r"""Return `text` with every character that could steer a terminal as a visible escape.

    Example:
        >>> sanitize("a\x1b[31mb\tc")
        'a\\x1b[31mb\tc'
        >>> sanitize("\u202eevil\x9b")
        '\\u202eevil\\x9b'
    """
    if text.isascii() and text.isprintable():
        return text
    if not _TABLE:
        _TABLE.update(
            {code: _escape(code) for low, high in _RANGES for code in range(low, high + 1)}
        )
    return text.translate(_TABLE)


def one_line(text: str) -> str:
    r"""Return `text` sanitised for a message or a table cell: one line, no tabs.

    Example:
        >>> one_line("a\nb\tc")
        'a\\nb\\tc'
    """
    return sanitize(text).replace("\n", "\\n").replace("\t", "\\t")


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal; a closed one is not."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def wants_color(stream: TextIO | None) -> bool:
    """Return whether to colour a stream: NO_COLOR, FORCE_COLOR, TERM=dumb, then a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return os.environ.get("TERM") != "dumb" and is_terminal(stream)


def bold(text: str, stream: TextIO | None) -> str:
    """Return `text` in bold where the stream is to be coloured."""
    return f"\x1b[1m{text}\x1b[0m" if wants_color(stream) else text


def width(stream: TextIO | None) -> int | None:
    """Return the columns of a terminal, at least 1; None where lines have no limit."""
    if not is_terminal(stream):
        return None
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80  # type: ignore[union-attr]
    except (OSError, ValueError):
        return 80


def out(text: str = "", *, end: str = "\n", trusted: bool = False) -> None:
    """Write a result to stdout.

    Args:
        text: what to write; sanitised on a terminal unless `trusted`.
        end: what follows it.
        trusted: `text` was sanitised piece by piece and carries colours of our own.

    Raises:
        OutputError: if stdout cannot take it (a closed pipe stays `BrokenPipeError`).
    """
    if not trusted and is_terminal(sys.stdout):
        text = sanitize(text)
    _write(sys.stdout, text + end)


def out_bytes(data: bytes) -> None:
    """Write bytes of a result to stdout as they are; on a terminal as sanitised text.

    Raises:
        OutputError: as `out`.
    """
    if is_terminal(sys.stdout):
        out(data.decode("utf-8", "replace"), end="")
        return
    flush_out()
    try:
        sys.stdout.buffer.write(data)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(_output_message(error)) from error


def flush_out() -> None:
    """Send everything written so far to where stdout leads; errors as `out`."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(_output_message(error)) from error


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(_output_message(error)) from error


def _output_message(error: OSError) -> str:
    return f"cannot write to standard output: {error.strerror or error}"


def talk(text: str) -> None:
    """Write one line for the user to stderr, sanitised; a lost stderr is no reason to stop."""
    try:
        sys.stderr.write(sanitize(text) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return


def warn(text: str) -> None:
    """Write one warning line to stderr."""
    talk(f"charlm: warning: {text}")


class LiveText:
    """Text that streams to stdout as it is made.

    A terminal sees each piece at once. A pipe is flushed when `PAUSE` seconds have passed since
    the last flush, so that neither the reader waits nor the writer slows down.
    """

    PAUSE = 0.015

    def __init__(self) -> None:
        self._terminal = is_terminal(sys.stdout)
        self._flushed = 0.0
        self._last = "\n"

    def write(self, text: str) -> None:
        """Show a piece of text; errors as `out`."""
        if not text:
            return
        self._last = text[-1]
        _write(sys.stdout, sanitize(text) if self._terminal else text)
        now = time.monotonic()
        if self._terminal or now - self._flushed >= self.PAUSE:
            flush_out()
            self._flushed = now

    def end_line(self) -> None:
        """End the line if the text did not, and flush."""
        if self._last != "\n":
            self.write("\n")
        flush_out()
