"""Word vectors that a tagger begins with: which words they are for, and their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.tasks.pretrained import PretrainedModel
from charlm.tasks.train_tagger_config import TaggerTrainConfig
from charlm.tasks.vectors_open import open_space
from charlm.vectors.space import Space

MOST_EXTRA = 100_000
SPREAD = 0.3  # as large as vectors that are drawn: see `WordInput.initialise`


class GivenVectors:
    """Vectors by word.

    Args:
        name: of the model or file.
        space: the words and their vectors.
    """

    def __init__(self, name: str, space: Space) -> None:
        self.name, self.space = name, space

    @property
    def sizes(self) -> dict[str, Any]:
        """What of a tagger's form follows from them, by the names of its settings."""
        return {"word_dim": self.space.dim}

    def layers(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return what layers begin with, by the names of their parameters: nothing."""
        return {}

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


class PretrainedVectors(GivenVectors):
    """The vectors of a language model's words, as large as its layers know them, and those."""

    def __init__(self, model: PretrainedModel, config: TaggerTrainConfig) -> None:
        super().__init__(model.name, model.space)
        self._model, self._sizes = model, model.sizes(config)

    @property
    def sizes(self) -> dict[str, Any]:
        """As those of the language model."""
        return self._sizes

    def layers(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the parameters of the language model's layers."""
        return self._model.layers()

    def table(self, known: Sequence[str]) -> tuple[npt.NDArray[np.float32], int]:
        """Return a row a known word, after one for the unknown, and how many have vectors.

        A word that is known only as a name is written gets that vector; one without any gets the
        unknown word's.
        """
        rows = [self._row(word) for word in known]
        matrix = np.asarray(self.space.matrix, np.float32)
        unknown = matrix.mean(axis=0) if self._model.unknown is None else self._model.unknown
        table = np.tile(unknown, (len(known) + 1, 1))
        for number, row in enumerate(rows, 1):
            if row is not None:
                table[number] = matrix[row]
        return table, sum(row is not None for row in rows)

    def _row(self, word: str) -> int | None:
        found = self.space.index(word)
        return self.space.index(word.title()) if found is None else found


def open_given(config: TaggerTrainConfig) -> GivenVectors | None:
    """Return the vectors that a tagger begins with; None for none.

    Raises:
        CheckpointError, TaskError, CorpusError: if there are none, or they do not fit.
    """
    if config.from_model is not None:
        return PretrainedVectors(PretrainedModel(config.from_model, "a tagger"), config)
    if config.vectors is None:
        return None
    opened = open_space(config.vectors)
    return GivenVectors(opened.name, opened.space)
