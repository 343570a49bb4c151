"""A language model's embedding and layers, as what a classifier begins with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from charlm.classifying.config import ClassifierConfig
from charlm.tasks.pretrained import PretrainedModel
from charlm.tasks.train_classifier_config import ClassifierTrainConfig


class Pretrained(PretrainedModel):
    """The parts of a language model that a classifier takes over; parts of words are its own."""

    def __init__(self, name: str, wanted: ClassifierTrainConfig | None = None) -> None:
        """Open the model, for what the user said."""
        super().__init__(name, "a classifier")
        self._sizes = self.sizes(wanted or ClassifierTrainConfig())

    def form(self, config: ClassifierConfig) -> ClassifierConfig:
        """Return a classifier's form with the sizes of this model."""
        return dataclasses.replace(config, **self._sizes)

    def frequent(self) -> list[str]:
        """Return no words beyond those that are seen."""
        return []

    def rows(
        self, words: Sequence[str], seed: int, *, zeros: bool
    ) -> tuple[npt.NDArray[np.float32], int]:
        """Return the vectors of words as `ForeignVectors.rows` does, as long as they are here."""
        matrix = np.asarray(self.space.matrix, dtype=np.float32)
        shape = (len(words) + 1, matrix.shape[1])
        rng = np.random.default_rng(seed)
        spread = 0.0 if zeros else float(matrix.std())
        vectors = rng.normal(0.0, spread, shape).astype(np.float32)
        found = [(row, self.space.index(word)) for row, word in enumerate(words, 1)]
        known = [(row, place) for row, place in found if place is not None]
        for row, place in known:
            vectors[row] = matrix[place]
        return vectors, len(known)
