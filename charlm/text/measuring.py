"""A text looked through once: how long it is, what its checksum is; small ones stay in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple

from charlm.base.errors import CorpusError
from charlm.text.corpus import Corpus, Watch
from charlm.text.pieces import Piece, clip, cut_pieces
from charlm.text.split import next_start, tail_cut

IN_MEMORY_CHARS = 16 << 20
_TELL_CHARS = 16 << 20


class Work(NamedTuple):
    """How far a long reading of the text is; `total` characters, 0 where that is not known yet."""

    stage: str
    done: int
    total: int


class MeasuredText:
    """A text whose length is known, read from memory or again from where it came.

    Attributes:
        chars: its length in code points.
        sha256: of its UTF-8.
        is_blank: whether it has nothing but white space.
    """

    def __init__(
        self, corpus: Corpus, chars: int, sha256: str, held: list[str] | None, *, is_blank: bool
    ) -> None:
        self.corpus, self.chars, self.sha256, self.is_blank = corpus, chars, sha256, is_blank
        self._held = held
        self.watch = Watch(corpus.files)

    @property
    def in_memory(self) -> bool:
        """Whether the text is small and was kept."""
        return self._held is not None

    def parts(self, start: int = 0, stop: int | None = None) -> Iterator[str]:
        """Yield the characters `start` to `stop`, in portions."""
        source: Iterable[str] = self.corpus.read_parts() if self._held is None else self._held
        return clip(source, start, self.chars if stop is None else stop)

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[Piece]:
        """Yield the characters `start` to `stop` in pieces.

        Raises:
            CorpusError: if the text is no longer as it was measured.
        """
        wanted = (self.chars if stop is None else stop) - start
        found = 0
        for piece in cut_pieces(self.parts(start, stop)):
            found += len(piece.text)
            yield piece
        changed = self.watch.changed()
        if changed or found != wanted:
            what = str(changed[0]) if changed else self.corpus.description
            raise CorpusError(f"{what} changed while it was read; start again when it is finished")

    def read(self, start: int = 0, stop: int | None = None) -> str:
        """Return the characters `start` to `stop`."""
        return "".join(self.parts(start, stop))

    def tail_start(self, fraction: float, *, exact: bool) -> int:
        """Return where the last `fraction` of the text begins, as `split_tail` cuts it."""
        cut = tail_cut(self.chars, fraction)
        if exact or not 0 < cut < self.chars:
            return cut
        return next_start(lambda start, stop: self.read(start, stop), cut)

    def contains(self, other: MeasuredText) -> bool:
        """Return whether a text is part of this one; of two large ones, whether they are one."""
        if other.chars > self.chars or other.is_blank:
            return False
        if other.chars == self.chars or not other.in_memory:
            return other.sha256 == self.sha256
        wanted, held = other.read(), ""
        for part in self.parts():
            held += part
            if len(held) < 4 * len(wanted) + _TELL_CHARS:  # few searches, each through much
                continue
            if wanted in held:
                return True
            held = held[-len(wanted) :]
        return wanted in held


def measure(corpus: Corpus, *, keep: int | None = None) -> Generator[Work, None, MeasuredText]:
    """Read a text through and return it measured; yields how far that is.

    Args:
        keep: most characters of a text that stays in memory; None is `IN_MEMORY_CHARS`.

    Raises:
        CorpusError: if it cannot be read.
    """
    keep = IN_MEMORY_CHARS if keep is None else keep
    watch = Watch(corpus.files)
    digest = hashlib.sha256()
    held: list[str] | None = []
    chars, told, is_blank = 0, 0, True
    for part in corpus.read_parts():
        digest.update(part.encode("utf-8", "surrogatepass"))
        chars += len(part)
        is_blank = is_blank and part.isspace()
        if held is not None:
            held.append(part)
            held = held if chars <= keep else None
        if chars - told >= _TELL_CHARS:
            told = chars
            yield Work("reading", chars, 0)
    text = MeasuredText(corpus, chars, digest.hexdigest(), held, is_blank=is_blank)
    text.watch = watch  # from before the first byte was read
    return text
