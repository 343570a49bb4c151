"""Word vectors that a language model's embedding begins with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from charlm.base.errors import CheckpointError, TaskError
from charlm.store.resume import require_array
from charlm.tasks.vectors_open import open_space
from charlm.text.tokenizers import Tokenizer
from charlm.training.config import TrainConfig
from charlm.vectors.space import Space

Table = npt.NDArray[np.float32]
TOKENIZERS = ("word", "whitespace")
KEPT = "given"  # the name of a table among the arrays of a training state
_WORTH = 0.1  # of the words that have vectors: so many more by folding case are worth a hint


class LmVectors:
    """Vectors for the words of a vocabulary.

    Args:
        name: of the model or file that they are from.
        space: the words and their vectors.
    """

    def __init__(self, name: str, space: Space) -> None:
        self.name, self._space = name, space

    def table(self, tokenizer: Tokenizer) -> tuple[Table, str]:
        """Return the vectors by token, (V, D), and what to tell of them.

        They keep their directions and their lengths against each other; the root mean square of
        their numbers becomes 1. A token without a vector, or with one of zeros, has zeros.

        Raises:
            TaskError: if no token has one.
        """
        words = [tokenizer.token(token) for token in range(tokenizer.vocab_size)]
        found = [(token, self._space.index(word)) for token, word in enumerate(words)]
        tokens = [token for token, row in found if row is not None]
        rows = np.array([row for _, row in found if row is not None], dtype=np.intp)
        table = np.zeros((len(words), self._space.dim), np.float32)
        table[tokens] = self._space.matrix[rows]
        has: npt.NDArray[np.bool_] = np.any(table, axis=1)
        if not has.any():
            raise TaskError(
                f"{self.name} has a vector for none of the {len(words):,} words of the "
                "vocabulary; expected vectors of words as the text writes them: give other "
                "--vectors, or none"
            )
        table /= np.abs(table).max()  # since squares of very large or small numbers leave float32
        squares = np.einsum("nd,nd->n", table, table)
        table /= np.float32(np.sqrt(squares[has].mean(dtype=np.float64) / table.shape[1]))
        total = f"{len(words):,} words of the vocabulary"
        told = f"{self.name} has vectors for {has.sum():,} of the {total}"
        folds = tokenizer.name == "word"  # the others cannot
        return table, told + (self._hint(words, has) if folds else "")

    def _hint(self, words: list[str], has: npt.NDArray[np.bool_]) -> str:
        """Return what tells how many more words had a vector in lower case, if many had."""
        lower = {word.lower() for word, known in zip(words, has, strict=True) if not known}
        more = sum(self._space.index(word) is not None for word in lower.difference(words))
        return f"; with --lowercase {more:,} more had one" if more > _WORTH * has.sum() else ""


def open_vectors(config: TrainConfig) -> LmVectors | None:
    """Return the vectors that the settings name; None where they name none.

    Raises:
        CheckpointError, CorpusError, TaskError: if there are none, or they do not fit.
    """
    if config.vectors is None:
        return None
    if config.tokenizer not in TOKENIZERS:
        raise TaskError(
            f"--vectors are for the words of a model, and the tokenizer is {config.tokenizer}; "
            "give --tokenizer word or whitespace, or leave out --vectors"
        )
    opened = open_space(config.vectors)
    dim = opened.space.dim
    if config.embedding_dim not in (None, dim):
        raise TaskError(
            f"--embedding-dim {config.embedding_dim} does not fit the vectors of {opened.name}, "
            f"which have {dim} numbers; leave it out, or give other --vectors"
        )
    return LmVectors(opened.name, opened.space)


def shaped(config: TrainConfig, table: Table | None) -> TrainConfig:
    """Return the settings with what given vectors settle of the model's form."""
    if table is None:
        return config
    tied = False if config.freeze_vectors else config.tie_weights
    return dataclasses.replace(config, embedding_dim=table.shape[1], tie_weights=tied)


def table_of(arrays: Mapping[str, npt.NDArray[np.generic]], vocab_size: int, dim: int) -> Table:
    """Return the table that a training state keeps for the other half of a pair.

    Raises:
        CheckpointError: if there is none for such an embedding.
    """
    try:
        return require_array(arrays, KEPT, (vocab_size, dim)).astype(np.float32)
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            "the training state lacks the vectors that the backward model begins with; "
            "start anew with --overwrite"
        ) from error
