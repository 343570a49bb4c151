"""Which words sound like a spelling, or nearly so: a sound left out, put in or replaced.

The keys of all words' sounds (see `sound`) are kept as sorted hashes. A hash is a polynomial of the
letters, so that those of all keys one change away follow from its parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.spelling.sound import sound_of

Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]

_BASE, _MASK = 1_000_003, 0xFFFFFFFF
_SOUNDS = np.array([ord(letter) for letter in "abdfghjklmnprstx0"], dtype=np.uint64)
_MOST_ALIKE, _MOST_NEARLY = 60, 20  # words of one key, the most frequent first
_LEAST_KEY = 4  # shorter ones are near too many


class Sounds:
    """Words by how they sound.

    Args:
        hashes: of the words' keys, in ascending order.
        words: their numbers; of one hash in ascending order.
    """

    def __init__(self, hashes: npt.NDArray[np.uint32], words: npt.NDArray[np.uint32]) -> None:
        self._hashes, self._words = hashes, words

    def alike(self, spellings: Sequence[str]) -> tuple[Int64, Int64]:
        """Return pairs (number of the spelling, word) that have the same key."""
        wanted = np.array([sound_hash(sound_of(one)) for one in spellings], dtype=np.uint32)
        asked = np.flatnonzero(wanted)
        return self._find(asked, wanted[asked], _MOST_ALIKE)

    def nearly_alike(self, spellings: Sequence[str]) -> tuple[Int64, Int64]:
        """Return pairs (number of the spelling, word) whose keys are one change apart."""
        keys = [sound_of(one) for one in spellings]
        hashes = [_near_hashes(key) for key in keys if len(key) >= _LEAST_KEY]
        asked = np.array([at for at, key in enumerate(keys) if len(key) >= _LEAST_KEY], np.int64)
        owner = np.repeat(asked, [len(some) for some in hashes])
        wanted = np.concatenate([*hashes, np.zeros(0, np.uint32)])
        return self._find(owner, wanted, _MOST_NEARLY)

    def _find(self, owner: Int64, wanted: npt.NDArray[np.uint32], most: int) -> tuple[Int64, Int64]:
        low = np.searchsorted(self._hashes, wanted)
        sizes = np.searchsorted(self._hashes, wanted, side="right") - low
        sizes = np.minimum(sizes, most)
        places = np.arange(sizes.sum()) + np.repeat(low - np.cumsum(sizes) + sizes, sizes)
        return np.repeat(owner, sizes), self._words[places].astype(np.int64)


def build_sounds(surfaces: Sequence[str], first: int) -> dict[str, Array]:
    """Return the arrays for words that are numbered from `first` on."""
    hashes = np.array([sound_hash(sound_of(surface)) for surface in surfaces], dtype=np.uint32)
    order = np.argsort(hashes, kind="stable")
    return {"sound_hashes": hashes[order], "sound_words": (order + first).astype(np.uint32)}


def sound_hash(key: str) -> int:
    """Return a number for a sound, 0 for none."""
    value = 0
    for letter in key:
        value = (value * _BASE + ord(letter)) & _MASK
    return value


def _near_hashes(key: str) -> npt.NDArray[np.uint32]:
    """Return the hashes of all keys that one sound left out, put in or replaced makes of a key."""
    size = len(key)
    powers = [pow(_BASE, exponent, _MASK + 1) for exponent in range(size + 1)]
    heads = [sound_hash(key[:cut]) for cut in range(size + 1)]
    tails = [sound_hash(key[cut:]) for cut in range(size + 1)]
    found = []
    for cut in range(size + 1):
        longer = (heads[cut] * _BASE + _SOUNDS) & _MASK
        found.append(longer * powers[size - cut] + tails[cut])
        if cut < size:
            found.append(longer * powers[size - cut - 1] + tails[cut + 1])
            left = (heads[cut] * powers[size - cut - 1] + tails[cut + 1]) & _MASK
            found.append(np.array([left], dtype=np.uint64))
    hashes = np.concatenate(found) & np.uint64(_MASK)
    return np.unique(hashes).astype(np.uint32)
