"""A language model's embedding and layers, as what a classifier begins with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TaskError
from charlm.classifying.config import ClassifierConfig
from charlm.tasks.load import model_config, open_model
from charlm.tasks.vectors_open import open_space

_TOKENIZERS = ("word", "whitespace")


class Pretrained:
    """The parts of a language model that a classifier takes over; it learns on from them.

    The words' own vectors are the model's embedding; the layers that read forwards are the
    model's; those that read backwards, and what reads the parts of words, begin at random.

    Source:
        Dai and Le (2015), arXiv:1511.01432.
    """

    def __init__(self, name: str) -> None:
        """Open the model.

        Raises:
            CheckpointError: if there is none, or it is damaged.
            TaskError: if it is none of words, or its layers cannot be taken over.
        """
        opened = open_model(name, kinds=("lm",))
        if opened.tokenizer.name not in _TOKENIZERS:
            raise TaskError(
                f"{opened.name} reads {opened.tokenizer.name} tokens; a classifier starts from a "
                "language model of words (charlm train lm TEXT --tokenizer word --lowercase)"
            )
        self._config = model_config(opened.stored)
        if self._config.skip:
            raise TaskError(f"{opened.name} has skip connections, which a classifier has not")
        self._tensors = opened.stored.tensors()
        self._space = open_space(str(opened.folder)).space

    def form(self, config: ClassifierConfig) -> ClassifierConfig:
        """Return a classifier's form with the sizes of this model."""
        return dataclasses.replace(
            config,
            word_dim=self._config.embedding_dim,
            cell=self._config.cell,
            reset=self._config.reset,
            hidden_size=self._config.hidden_size,
            num_layers=self._config.num_layers,
        )

    def frequent(self) -> list[str]:
        """Return no words beyond those that are seen."""
        return []

    def layers(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the parameters of the layers that read forwards."""
        return {
            f"layers.{name.split('.')[1]}.forwards.{name.split('.')[2]}": np.array(
                array, dtype=np.float32
            )
            for name, array in self._tensors.items()
            if name.startswith("layers.")
        }

    def rows(
        self, words: Sequence[str], seed: int, *, zeros: bool
    ) -> tuple[npt.NDArray[np.float32], int]:
        """Return the vectors of words as `ForeignVectors.rows` does, as long as they are here."""
        matrix = np.asarray(self._space.matrix, dtype=np.float32)
        shape = (len(words) + 1, matrix.shape[1])
        rng = np.random.default_rng(seed)
        spread = 0.0 if zeros else float(matrix.std())
        vectors = rng.normal(0.0, spread, shape).astype(np.float32)
        found = [(row, self._space.index(word)) for row, word in enumerate(words, 1)]
        known = [(row, place) for row, place in found if place is not None]
        for row, place in known:
            vectors[row] = matrix[place]
        return vectors, len(known)
