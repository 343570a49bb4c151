"""A text that can be read again and again, whole or in pieces of whole lines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from charlm.text.pieces import cut_pieces

Reader = Callable[[], Iterable[str]]


class Corpus:
    """A text that can be read again and again, whole or in pieces.

    Attributes:
        name: a short name, for a model that is given none.
        description: what it is and where it comes from, in a line.
        warnings: what a user should know of its reading; complete once it was read.
        read_parts: yields the text anew in parts of any size.
        files: what it is read from, where that may change under a reader.
    """

    def __init__(
        self,
        name: str,
        description: str,
        read: Reader,
        warnings: list[str],
        files: Sequence[Path] = (),
    ) -> None:
        self.name = name
        self.description = description
        self.warnings = warnings
        self.read_parts = read
        self.files = tuple(files)

    def pieces(self) -> Iterator[str]:
        """Yield the text in pieces of about a mebibyte that end at line ends.

        Only a line longer than 4 MiB is cut inside, before a blank if one is near.
        """
        return repiece(self.read_parts())

    def read(self) -> str:
        """Return the whole text."""
        return "".join(self.read_parts())

    def sha256(self) -> str:
        """Return the SHA-256 of the normalised text's UTF-8, in hexadecimal digits."""
        import hashlib

        digest = hashlib.sha256()
        for text in self.read_parts():
            digest.update(text.encode())
        return digest.hexdigest()


def repiece(texts: Iterable[str]) -> Iterator[str]:
    """Yield the same text in pieces that end at line ends (see `pieces`)."""
    for piece in cut_pieces(texts):
        yield piece.text


def join(readers: Iterable[Reader]) -> Iterator[str]:
    """Yield several texts one after the other, a line end put where one lacks its last."""
    last = "\n"
    for read in readers:
        between = last != "\n"
        for text in read():
            if not text:
                continue
            if between:
                yield "\n"
                between = False
            yield text
            last = text[-1]


class Watch:
    """Notices when files are no longer what they were.

    Size, time of change and file number are compared; what is read is not.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._seen = {path: _signature(path) for path in files}

    def changed(self) -> list[Path]:
        """Return the files that have changed or vanished since this watch began."""
        return [path for path, seen in self._seen.items() if _signature(path) != seen]

    def news(self) -> list[Path]:
        """Return what `changed` does, each file once for all."""
        changed = self.changed()
        for path in changed:
            del self._seen[path]
        return changed


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - one call, and cheap
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino
