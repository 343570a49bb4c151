"""A text that can be read again and again, whole or in pieces of whole lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

PIECE_CHARS = 1 << 20
MAX_PIECE_CHARS = 4 << 20
Reader = Callable[[], Iterable[str]]


class Corpus:
    """A text that can be read again and again, whole or in pieces.

    Attributes:
        name: a short name, for a model that is given none.
        description: what it is and where it comes from, in a line.
        warnings: what a user should know of its reading; complete once it was read.
        read_parts: yields the text anew in parts of any size.
    """

    def __init__(self, name: str, description: str, read: Reader, warnings: list[str]) -> None:
        self.name = name
        self.description = description
        self.warnings = warnings
        self.read_parts = read

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
    """Yield the same text in pieces of at least `PIECE_CHARS` that end at line ends.

    The last piece may be shorter and end anywhere; a longer line than `MAX_PIECE_CHARS` is cut.
    """
    held: list[str] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size < PIECE_CHARS:
            continue
        whole = "".join(held)
        end = whole.rfind("\n") + 1
        while not end and len(whole) > MAX_PIECE_CHARS:
            cut = _blank_before(whole, MAX_PIECE_CHARS)
            yield whole[:cut]
            whole = whole[cut:]
        if end:
            yield whole[:end]
            whole = whole[end:]
        held, size = [whole], len(whole)
    if rest := "".join(held):
        yield rest


def _blank_before(text: str, end: int) -> int:
    cut = text.rfind(" ", end - 4_096, end)
    return cut if cut > 0 else end


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
