"""Words that are written for each other: `their` for `there`, `its` for `it's`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from charlm.spelling.lexicon import Lexicon

Int64 = npt.NDArray[np.int64]


class Confusions:
    """Pairs of surfaces, as sorted keys.

    Args:
        sets: words of which each is written for any other.
        lexicon: what they are surfaces of; words that it lacks are left out.
    """

    def __init__(self, sets: Sequence[Sequence[str]], lexicon: Lexicon) -> None:
        ids = lexicon.ids
        pairs = {
            ids[one] << 32 | ids[other]
            for words in sets
            for one in words
            for other in words
            if one != other and one in ids and other in ids
        }
        self._keys: Int64 = np.array(sorted(pairs), dtype=np.int64)

    def find(self, rows: Int64, own: Int64) -> tuple[Int64, Int64]:
        """Return pairs (row, surface) of what the surface `own` of a row may be written for."""
        low = np.searchsorted(self._keys, own[rows] << 32)
        sizes = np.searchsorted(self._keys, (own[rows] + 1) << 32) - low
        places = np.arange(sizes.sum()) + np.repeat(low - np.cumsum(sizes) + sizes, sizes)
        return np.repeat(rows, sizes), self._keys[places] & 0xFFFFFFFF

    def are(self, own: Int64, surfaces: Int64) -> npt.NDArray[np.bool_]:
        """Return which pairs of surfaces are written for each other; -1 is none."""
        if not len(self._keys):
            return np.zeros(len(surfaces), dtype=bool)
        keys = np.maximum(own, 0) << 32 | surfaces
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        found: npt.NDArray[np.bool_] = self._keys[places] == keys
        return found
