"""When a sample ends, one class a condition."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol


class Decoder(Protocol):
    """Turns ids that arrive one by one into text; a tokenizer's stream decoder."""

    def push(self, token_id: int) -> str:
        """Return the text that is now certain, possibly empty."""

    def flush(self) -> str:
        """Return what was held back."""


@dataclasses.dataclass(frozen=True)
class MaxTokens:
    """Ends a sample when it has this many tokens."""

    count: int
    reason = "length"

    def is_met(self, generated: int) -> bool:
        """Return whether a sample of `generated` tokens is at its end."""
        return generated >= self.count


@dataclasses.dataclass(frozen=True)
class StopIds:
    """Ends a sample at any of these ids, such as the end of a line; the id itself is kept."""

    ids: frozenset[int]
    reason = "end"

    def is_met(self, token_id: int) -> bool:
        """Return whether this token ends its sample."""
        return token_id in self.ids


class StopStrings:
    """Ends a text right before the first of some strings, however the text is cut into pieces.

    Text that may be the beginning of a stop string is held back until that is certain.

    Example:
        >>> stop = StopStrings(["aab"])
        >>> [stop.push(piece) for piece in ("xa", "a", "a", "bc")], stop.found
        (['x', '', 'a', ''], True)
    """

    reason = "stop"

    def __init__(self, strings: Sequence[str]) -> None:
        if not all(strings):
            raise ValueError(f"stop strings must not be empty, got {list(strings)!r}")
        self.strings = tuple(strings)
        self.found = False
        self._held = ""

    def push(self, piece: str) -> str:
        """Return the text that may be shown now; nothing more once a stop string was found."""
        if self.found:
            return ""
        text = self._held + piece
        starts = [place for place in map(text.find, self.strings) if place >= 0]
        if starts:
            self.found = True
            self._held = ""
            return text[: min(starts)]
        held = max((_overlap(text, string) for string in self.strings), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def flush(self) -> str:
        """Return what was held back: at the end of the text it is no stop string after all."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, string: str) -> int:
    """Return the length of the longest end of `text` that begins `string`, short of all of it."""
    for length in range(min(len(text), len(string) - 1), 0, -1):
        if text.endswith(string[:length]):
            return length
    return 0


class TextStream:
    """A sample's ids on their way to text: decoded, and cut before a stop string."""

    def __init__(self, decoder: Decoder | None, strings: Sequence[str]) -> None:
        self._decoder = decoder
        self._stop = StopStrings(strings)

    @property
    def stopped(self) -> bool:
        """Whether a stop string was found."""
        return self._stop.found

    def push(self, token_id: int) -> str:
        """Return the text that may be shown after this id."""
        if self._decoder is None:
            return ""
        piece = self._decoder.push(token_id)
        return self._stop.push(piece) if self._stop.strings else piece

    def finish(self) -> str:
        """Return the text held back, at the end of the sample."""
        if self._decoder is None or self.stopped:
            return ""
        return self._stop.push(self._decoder.flush()) + self._stop.flush()
