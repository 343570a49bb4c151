"""Edits at random: of which kind one is, and how frequent each kind is in a text.

A text's own shares are learnt as it is read: one program drops letters, another finger hits the
wrong keys.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

DELETE, INSERT, REPLACE, EXCHANGE = range(4)
SHARES = (0.2, 0.2, 0.4, 0.2)  # of the kinds, before a text tells
NO_EDIT = 0
# Kinds of an option: none, one edit of each kind, and what two edits are from the difference in
# length: two replaced, one replaced and one left out or put in, two left out, two put in.
_KINDS = np.array(
    [
        (0, 0, 0, 0),
        (1, 0, 0, 0),
        (0, 1, 0, 0),
        (0, 0, 1, 0),
        (0, 0, 0, 1),
        (0, 0, 2, 0),
        (1, 0, 1, 0),
        (0, 1, 1, 0),
        (2, 0, 0, 0),
        (0, 2, 0, 0),
    ],
    dtype=np.float32,
)
EDIT_KINDS = len(_KINDS)
_TWO = np.array([9, 7, 5, 6, 8], dtype=np.uint8)  # by how much longer the word is, from -2
_PRIOR = 60.0  # edits that a text has to outweigh


def edit_kinds(single: Array, exchanged: Array, longer: Int64) -> npt.NDArray[np.uint8]:
    """Return the kinds of pairs of a word and its spelling.

    Args:
        single: whether one edit parts them. exchanged: whether that exchanges two letters.
        longer: by how many letters the word is longer.
    """
    one = np.select([longer > 0, longer < 0, exchanged], [1, 2, 4], 3).astype(np.uint8)
    two = _TWO[np.clip(longer, -2, 2) + 2]
    return np.asarray(np.where(single, one, two), dtype=np.uint8)


class EditShares:
    """The shares of the kinds so far."""

    def __init__(self) -> None:
        self._counts = np.array(SHARES) * _PRIOR

    def add(self, kind: int, chance: float) -> None:
        """Count an option's edit, `chance` being how probable it is that it came at random."""
        if 1 <= kind <= len(SHARES):
            self._counts[kind - 1] += chance

    def gains(self) -> Float32:
        """Return for each kind of an option how much likelier it became, in nats."""
        shares = self._counts / self._counts.sum()
        return np.asarray(_KINDS @ np.log(shares / SHARES), dtype=np.float32)
