"""Texts as bags of hashed n-grams: of words, and of the characters within words.

An n-gram is known by a hash of 64 bits, so that none are mistaken for each other in practice, and
those that training has not seen are known to be unseen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]

_MOST_FORMS = 1 << 20  # word forms that are kept with their hashes
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)


def hash_text(text: str) -> int:
    """Return 64 bits that name a text, the same on every machine."""
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


class Flat(NamedTuple):
    """Some texts end to end: `forms` of their words, and which text each word is in."""

    forms: Ints
    texts: Ints
    number: int


class Forms:
    """Word forms met so far, each with a number and the hashes of what it consists of.

    Args:
        chars: shortest and longest n-grams of characters within words; (0, 0) for none.
    """

    def __init__(self, chars: tuple[int, int] = (0, 0)) -> None:
        self._chars = chars
        self.clear()

    def clear(self) -> None:
        """Forget all forms."""
        self._numbers: dict[str, int] = {}
        self._hashes: list[int] = []
        self._parts: list[list[int]] = []

    def __len__(self) -> int:
        return len(self._hashes)

    @property
    def is_full(self) -> bool:
        """Whether there are so many that it is better to begin anew."""
        return len(self._hashes) > _MOST_FORMS

    @property
    def names(self) -> list[str]:
        """The forms in the order of their numbers."""
        return list(self._numbers)

    def flatten(self, texts: Sequence[Sequence[str]]) -> Flat:
        """Return texts, each a list of words, as numbers of forms end to end."""
        numbers = self._numbers
        flat = []
        for words in texts:
            for word in words:
                number = numbers.get(word)
                flat.append(self._add(word) if number is None else number)
        lengths = [len(words) for words in texts]
        where = np.repeat(np.arange(len(texts)), lengths)
        return Flat(np.array(flat, dtype=np.int64), where, len(texts))

    def _add(self, word: str) -> int:
        number = self._numbers[word] = len(self._hashes)
        self._hashes.append(hash_text(word))
        low, high = self._chars
        framed = f"<{word}>"
        self._parts.append(
            [
                hash_text(f"\0{framed[start : start + size]}")
                for size in range(low, high + 1)
                for start in range(len(framed) - size + 1)
            ]
            if high
            else []
        )
        return number

    def arrays(self, first: int = 0) -> tuple[Keys, Keys, Ints]:
        """Return the hash of each form from the number `first` on, and of their parts.

        Returns:
            each form's own hash; the hashes of all character n-grams end to end; where those of
            each form begin, and where the last end.
        """
        own = self._parts[first:]
        starts = np.zeros(len(own) + 1, dtype=np.int64)
        np.cumsum([len(parts) for parts in own], out=starts[1:])
        parts = [part for parts in own for part in parts]
        return (
            np.array(self._hashes[first:], dtype=np.uint64),
            np.array(parts, dtype=np.uint64),
            starts,
        )


def word_ngrams(flat: Flat, hashes: Keys, order: int) -> Iterable[tuple[Keys, Ints]]:
    """Yield the word n-grams of texts from order 1 up: their keys, and the text of each."""
    words = hashes[flat.forms]
    grams, texts = words, flat.texts
    yield grams, texts
    for size in range(2, order + 1):
        inside = texts[:-1] == flat.texts[size - 1 :]
        grams = mixed(grams[:-1], words[size - 1 :])
        yield grams[inside], texts[:-1][inside]
        texts = texts[:-1]


def mixed(grams: Keys, words: Keys) -> Keys:
    """Return the keys of n-grams one word longer."""
    keys = (grams * _FACTOR) ^ (words + _MIX + (grams >> _HALF))
    keys = (keys ^ (keys >> _HALF)) * _MIX
    return keys ^ (keys >> _HALF)
