"""Word vectors that a tagger begins with: which words they are for, and their numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from charlm.tasks.vectors_open import open_space
from charlm.vectors.space import Space

MOST_EXTRA = 100_000
SPREAD = 0.3  # as large as vectors that are drawn: see `WordInput.initialise`


@dataclasses.dataclass(frozen=True, slots=True)
class GivenVectors:
    """Vectors by word."""

    name: str
    space: Space

    def has(self, word: str) -> bool:
        """Return whether there is a vector for a word."""
        return self.space.index(word) is not None

    def extra(self, known: frozenset[str]) -> list[str]:
        """Return the first words that are not known yet, at most a hundred thousand."""
        found = []
        for word in self.space.words:
            if word not in known and not set(word) & {"\n", "\t"}:
                found.append(word)
                if len(found) == MOST_EXTRA:
                    break
        return found

    def table(self, known: Sequence[str]) -> tuple[npt.NDArray[np.float32], int]:
        """Return a row a known word, after one for the unknown, and how many have vectors.

        The vectors keep their directions and lengths against each other; the whole is scaled. A
        word without one gets their mean, as the unknown word does.
        """
        rows = [self.space.index(word) for word in known]
        have = [number for number, row in enumerate(rows) if row is not None]
        wanted = np.array([row for row in rows if row is not None], dtype=np.intp)
        vectors = np.asarray(self.space.matrix[wanted], dtype=np.float32)
        vectors = vectors * (SPREAD / max(1e-9, float(vectors.std()))) if len(have) else vectors
        mean = vectors.mean(axis=0) if len(have) else np.zeros(self.space.dim, np.float32)
        table = np.tile(mean.astype(np.float32), (len(known) + 1, 1))
        table[1 + np.array(have, dtype=np.intp)] = vectors
        return table, len(have)


def open_given(name: str | None) -> GivenVectors | None:
    """Return the vectors of a model or file by name; None for none.

    Raises:
        CheckpointError, TaskError, CorpusError: if there are none.
    """
    if name is None:
        return None
    opened = open_space(name)
    return GivenVectors(opened.name, opened.space)
