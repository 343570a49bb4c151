"""The word vectors that a session asks: kept open, for the next question and for completion."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charlm.tasks.vectors_open import OpenSpace
    from charlm.vectors.words import Words

Key = tuple[str, int]


class Spaces:
    """Opens word vectors, and keeps those opened last as long as their files stay the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # completion asks in a thread of its own
        self._key: Key | None = None
        self._opened: OpenSpace | None = None

    def open(self, name: str | None) -> OpenSpace:
        """Return vectors; errors as `open_space`."""
        from charlm.tasks.vectors_open import open_space

        with self._lock:
            key = _key(name)
            if self._opened is None or key is None or key != self._key:
                self._opened = open_space(name)
                self._key = key
            return self._opened


def _key(name: str | None) -> Key | None:
    """Return what changes with the vectors that are meant; None where that cannot be told."""
    from charlm.base.errors import CharlmError
    from charlm.store.locate import find_model
    from charlm.store.manifest import MANIFEST
    from charlm.vectors.folder import KIND

    try:
        if name is not None and Path(name).is_file():
            return name, Path(name).stat().st_mtime_ns
        manifest = find_model(name, (KIND,)).folder / MANIFEST
        return str(manifest), manifest.stat().st_mtime_ns
    except (CharlmError, OSError):
        return None


def words_that_begin(words: Words, begin: str) -> Iterator[str]:
    r"""Yield the words that begin so, in their order: the most frequent first.

    Example:
        >>> from charlm.vectors.words import Words
        >>> list(words_that_begin(Words.of(["the", "king", "they"]), "the"))
        ['the', 'they']
    """
    data, half = words.data, begin.encode("utf-8", "surrogatepass")
    if "\n" in begin:
        return
    place = 0 if data.startswith(half) else _after(data.find(b"\n" + half))
    while 0 <= place < len(data):
        end = data.index(b"\n", place)
        yield data[place:end].decode("utf-8", "replace")
        place = _after(data.find(b"\n" + half, end))


def _after(place: int) -> int:
    return place + 1 if place >= 0 else -1
