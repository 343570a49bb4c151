"""Word vectors made elsewhere, as what the words of a classifier begin with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from charlm.classifying.config import ClassifierConfig
from charlm.tasks.vectors_open import open_space

MOST_FURTHER = 50_000
"""Words that no text to learn from has and that are taken over, the most frequent first."""

_SPREAD = 0.3  # as vectors that begin at random


class ForeignVectors:
    """The vectors of a model or a file, made as large as those that begin at random."""

    def __init__(self, name: str) -> None:
        """Open the vectors.

        Args:
            name: of a model or its folder, or a file.

        Raises:
            CheckpointError, TaskError: as `tasks.vectors_open` says.
        """
        self._space = open_space(name).space
        self._scale = np.float32(_SPREAD * self.dim**0.5)  # of vectors of length 1

    @property
    def dim(self) -> int:
        """Numbers of a vector."""
        return self._space.dim

    def form(self, config: ClassifierConfig) -> ClassifierConfig:
        """Return a classifier's form for vectors of this size."""
        return dataclasses.replace(config, word_dim=self.dim)

    def layers(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the parameters of layers that begin as given: none."""
        return {}

    def frequent(self) -> list[str]:
        """Return the words that come first, which as a rule are the most frequent."""
        number = min(len(self._space.words), MOST_FURTHER)
        words = (self._space.words[row] for row in range(number))
        return [word for word in words if not any(char.isspace() for char in word)]

    def rows(
        self, words: Sequence[str], seed: int, *, zeros: bool
    ) -> tuple[npt.NDArray[np.float32], int]:
        """Return the vectors of words, the unknown word's first, and how many words have one.

        Args:
            words: in the order of their rows.
            seed: of the vectors of words that have none.
            zeros: these have zeros instead.
        """
        shape = (len(words) + 1, self.dim)
        rng = np.random.default_rng(seed)
        made = np.zeros(shape) if zeros else rng.normal(0.0, _SPREAD, shape)
        found = [(row, self._space.index(word)) for row, word in enumerate(words, 1)]
        here = [row for row, place in found if place is not None]
        there = [place for _, place in found if place is not None]
        vectors = made.astype(np.float32)
        if there:
            vectors[here] = self._space.vectors(there) * self._scale
        return vectors, len(here)
