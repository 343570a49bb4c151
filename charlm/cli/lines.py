"""Standard input as text or as lines, decoded by one rule."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from charlm.render.console import talk, warn


def read_stdin() -> str:
    """Return all of standard input; bytes that are not UTF-8 become U+FFFD, with one warning."""
    data = sys.stdin.buffer.read()
    return _decode(data, "standard input")


def stdin_lines() -> Iterator[str]:
    """Yield the lines of standard input as they come, without their line ends."""
    if sys.stdin.isatty():
        talk("charlm: reading lines from the keyboard; Ctrl-D ends")
    warned = False
    for number, line in enumerate(sys.stdin.buffer, start=1):
        text = line.rstrip(b"\r\n")
        try:
            yield text.decode("utf-8")
        except UnicodeDecodeError:
            if not warned:
                warn(f"line {number} of standard input is not UTF-8; such bytes are read as \ufffd")
            warned = True
            yield text.decode("utf-8", errors="replace")


def _decode(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        warn(f"{where} is not UTF-8 at byte {error.start}; such bytes are read as \ufffd")
        return data.decode("utf-8", errors="replace")
