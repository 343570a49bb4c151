"""Rows of files of word vectors as they are read: what is wrong with them, and what is repaired."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CheckpointError
from charlm.vectors.space import Space
from charlm.vectors.words import Words

MAX_WORD_BYTES = 4_096


@dataclasses.dataclass(frozen=True, slots=True)
class ReadVectors:
    """What a file held, in which form, and what a user should know of its reading."""

    space: Space
    form: str
    warnings: tuple[str, ...]


class Rows:
    """Words and numbers as they are read: duplicates, odd words and odd numbers are seen here.

    Args:
        where: the file, for messages.
        rows: how many are expected; there may be more.
    """

    def __init__(self, where: str, rows: int, dim: int) -> None:
        self.where = where
        self.matrix = np.empty((rows, dim), dtype=np.float32)
        self._known: dict[bytes, int] = {}
        self._twice: list[str] = []
        self._odd: list[int] = []

    @property
    def count(self) -> int:
        """How many different words there are."""
        return len(self._known)

    def add(self, number: int, word: bytes, values: npt.NDArray[np.float32]) -> None:
        """Take the row of that number, counted from 1."""
        name = self._name(number, word)
        if not np.isfinite(values).all():
            raise self.wrong(number, f"{shown(name)} has a number that is not finite")
        if name in self._known:
            self._twice.append(shown(name))
            return
        place = len(self._known)
        if place == len(self.matrix):
            self._grow()
        self.matrix[place] = values
        self._known[name] = place

    def _grow(self) -> None:
        more = np.empty((2 * len(self.matrix) + 64, self.matrix.shape[1]), dtype=np.float32)
        more[: len(self.matrix)] = self.matrix
        self.matrix = more

    def _name(self, number: int, word: bytes) -> bytes:
        if not word:
            raise self.wrong(number, "there is no word")
        if len(word) > MAX_WORD_BYTES:
            raise self.wrong(number, f"a word of more than {MAX_WORD_BYTES:,} bytes")
        try:
            word.decode("utf-8")
            name = word
        except UnicodeDecodeError:
            self._odd.append(number)
            name = word.decode("utf-8", "replace").encode()
        return name.replace(b"\n", b"\\n").replace(b"\r", b"\\r")

    def wrong(self, number: int, what: str) -> CheckpointError:
        """Return the error that a row has something wrong."""
        return CheckpointError(f"{self.where}: row {number:,}: {what}")

    def finish(self, form: str) -> ReadVectors:
        """Return all rows, and what was repaired.

        Raises:
            CheckpointError: if there are none.
        """
        if not self.count:
            raise CheckpointError(f"{self.where}: no vectors in it")
        told = []
        if self._odd:
            told.append(
                f"{self.where}: row {self._odd[0]:,}: the word is not UTF-8; such bytes are read "
                f"as \ufffd ({len(self._odd):,} in all)"
            )
        if self._twice:
            told.append(
                f"{self.where}: {self._twice[0]} occurs twice; the first is kept "
                f"({len(self._twice):,} such rows)"
            )
        words = Words(b"".join(name + b"\n" for name in self._known), where=self.where)
        space = Space(words, self.matrix[: self.count])
        return ReadVectors(space, form, tuple(told))


def shown(field: bytes) -> str:
    """Return a field as messages show it: quoted, and not all of a long one."""
    return repr(field[:60].decode("utf-8", "replace"))
