"""Standard input as text or as lines, decoded by one rule."""

from __future__ import annotations

import sys
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any

from charlm.render.console import talk, warn

# Bytes that a filter asks for at first, and at most: some ten lines, some ten thousand.
FIRST_BYTES = 1 << 10
MOST_BYTES = 1 << 20


def read_stdin() -> str:
    """Return all of standard input; bytes that are not UTF-8 become U+FFFD, with one warning.

    A byte order mark before it is none of the text.
    """
    data = sys.stdin.buffer.read()
    return _decode(data.removeprefix(BOM_UTF8), "standard input")


def stdin_lines() -> Iterator[str]:
    """Yield the lines of standard input as they come, without their line ends."""
    for lines in stdin_batches():
        yield from lines


def stdin_batches() -> Iterator[list[str]]:
    """Yield the lines of standard input, as many at a time as there are to be had at once.

    So a filter may answer many lines together, and yet lets no one wait who sends a line and
    wants its answer. The first batches are small, for readers who only want the beginning.
    """
    if sys.stdin.isatty():
        talk("charlm: reading lines from the keyboard; Ctrl-D ends")
    decode = _LineDecoder()
    source: Any = sys.stdin.buffer
    size, held = FIRST_BYTES, [b""]
    while data := source.read1(size):
        end = data.rfind(b"\n") + 1
        if end:
            yield decode(b"".join([*held, data[:end]]).split(b"\n")[:-1])
            held = []
        held.append(data[end:])
        size = min(2 * size, MOST_BYTES)
    if rest := b"".join(held):
        yield decode([rest])


class _LineDecoder:
    """Lines of bytes to text, with a warning at the first that is not UTF-8.

    A byte order mark before the first line is none of its text.
    """

    def __init__(self) -> None:
        self._number = 0
        self._warned = False

    def __call__(self, lines: list[bytes]) -> list[str]:
        return [self._decode(line.rstrip(b"\r")) for line in lines]

    def _decode(self, line: bytes) -> str:
        self._number += 1
        if self._number == 1:
            line = line.removeprefix(BOM_UTF8)
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError:
            if not self._warned:
                warn(
                    f"line {self._number} of standard input is not UTF-8; "
                    "such bytes are read as \ufffd"
                )
            self._warned = True
            return line.decode("utf-8", errors="replace")


def _decode(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        warn(f"{where} is not UTF-8 at byte {error.start}; such bytes are read as \ufffd")
        return data.decode("utf-8", errors="replace")
