"""A linear-chain conditional random field: the best sequence of tags, by dynamic programming.

Source:
    Viterbi (1967); Lafferty et al. (2001), Conditional random fields.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.tagging.moves import Moves

FloatArray = npt.NDArray[np.floating[Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class CRF:
    """Weights of sequences, in nats.

    Shapes:
        after: (tags, tags), of a tag (column) after another (row); first, last: (tags,).
    """

    after: FloatArray
    first: FloatArray
    last: FloatArray

    def within(self, moves: Moves) -> CRF:
        """Return the same weights, with none at all where a sequence may not go."""
        return CRF(
            np.where(moves.after, self.after, -np.inf),
            np.where(moves.first, self.first, -np.inf),
            np.where(moves.last, self.last, -np.inf),
        )

    def best(self, scores: FloatArray) -> npt.NDArray[np.int64]:
        """Return the tags of the sequence that weighs most; of equal ones the earliest tags.

        Shapes:
            scores: (words, tags), each tag's own weight by word.
            returns: (words,).

        Example:
            >>> crf = CRF(np.array([[0.0, -9.0], [0.0, 0.0]]), np.zeros(2), np.zeros(2))
            >>> crf.best(np.array([[2.0, 0.0], [0.0, 1.0]])).tolist()
            [0, 0]
        """
        words = len(scores)
        if not words:
            return np.empty(0, np.int64)
        before = np.empty(scores.shape, np.int64)
        weight = scores[0] + self.first
        for word in range(1, words):
            paths = weight[:, None] + self.after
            before[word] = paths.argmax(axis=0)
            weight = paths.max(axis=0) + scores[word]
        tags = np.empty(words, np.int64)
        tags[-1] = int((weight + self.last).argmax())
        for word in range(words - 1, 0, -1):
            tags[word - 1] = before[word, tags[word]]
        return tags
