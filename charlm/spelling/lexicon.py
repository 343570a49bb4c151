"""The words that are known: spellings, how frequent, how often with a capital, and their tokens.

A surface is what may stand in a text: a word of the n-gram model's vocabulary (`don`, `time`), or
several with apostrophes between them (`don't`: the tokens `don` and `t`). The first surfaces are
the vocabulary itself, in its order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8]

UNKNOWN, END, NUMBER = range(3)
SPECIALS = ("<unk>", "\n", "0")
MOST_PARTS = 3
LONGEST = 24  # letters of a word that is looked for as a candidate


class Lexicon:
    """Surfaces by number and by spelling.

    Args:
        words: the vocabulary: the specials, then words by frequency.
        joined: surfaces with apostrophes, each of at most three words of the vocabulary.
        alphabet: all letters of words, at most 255; the apostrophe is one of them.
        capitals: (words,), of a word's occurrences inside sentences, how many of 255 have a
            capital.
    """

    def __init__(
        self,
        words: Sequence[str],
        joined: Sequence[str],
        alphabet: str,
        capitals: npt.NDArray[np.uint8],
    ) -> None:
        self.vocab_size = len(words)
        self.surfaces = [*words, *joined]
        self.ids = {surface: number for number, surface in enumerate(self.surfaces)}
        self.alphabet = alphabet
        self.capitals = capitals
        self._codes = {letter: code for code, letter in enumerate(alphabet, 1)}
        table = {ord(letter): chr(code) for letter, code in self._codes.items()}
        self._table = table
        self.letters = frozenset(alphabet)

    def tokens(self, surface: str) -> tuple[int, ...] | None:
        """Return the tokens of a spelling that is known, None of one that is not."""
        number = self.ids.get(surface)
        if number is not None and number < self.vocab_size:
            return (number,) if number >= len(SPECIALS) else None
        if "'" not in surface:
            return None
        parts = tuple(self.ids.get(part, self.vocab_size) for part in surface.split("'"))
        if len(parts) > MOST_PARTS or max(parts) >= self.vocab_size or min(parts) < len(SPECIALS):
            return None
        return parts if number is not None else None

    def encode(self, spellings: Sequence[str]) -> tuple[Codes, npt.NDArray[np.int64]]:
        """Return letters as numbers, 0 behind the end, and lengths; too long ones are cut.

        Shapes:
            returns: (LONGEST, spellings) and (spellings,).
        """
        lengths = np.fromiter(map(len, spellings), dtype=np.int64, count=len(spellings))
        np.minimum(lengths, LONGEST, out=lengths)
        joined = "".join([spelling[:LONGEST].ljust(LONGEST, "\0") for spelling in spellings])
        codes = np.frombuffer(joined.translate(self._table).encode("latin-1"), dtype=np.uint8)
        return np.ascontiguousarray(codes.reshape(-1, LONGEST).T), lengths
