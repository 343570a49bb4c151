"""Words as vectors: each word's own beside the mean of its hashed parts'; made once a word."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.config import check, setting
from charlm.engine.layers import Float32
from charlm.text.subwords import SubwordConfig, known_subword_ids, subword_ids

UNKNOWN = 0
"""The row of all words that the vocabulary lacks."""

MOST_KEPT = 1 << 15  # distinct words whose vectors are kept
IntArray = npt.NDArray[np.integer[Any]]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class WordInputConfig(SubwordConfig):
    """Sizes of a word's vector, and the parts that words are known by."""

    vocab_size: int = setting(1, "rows of words, the unknown one first", ge=1, le=10_000_000)
    word_dim: int = setting(128, "numbers of a word's own vector", ge=1, le=4096)
    subword_dim: int = setting(96, "numbers of the vector of a word's parts", ge=1, le=4096)

    def __post_init__(self) -> None:
        check(self)

    @property
    def size(self) -> int:
        """Numbers of a word's vector: its own, then that of its parts."""
        return self.word_dim + self.subword_dim

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the name and shape of every tensor, in order."""
        return {
            "words.weight": (self.vocab_size, self.word_dim),
            "subwords.weight": (self.buckets, self.subword_dim),
        }


class WordInput:
    """Vectors of words, those of the last distinct ones kept."""

    def __init__(
        self,
        config: WordInputConfig,
        ids: Mapping[str, int],
        tensors: Mapping[str, Float32],
        prefix: str = "",
        parts: Mapping[str, int] | None = None,
    ) -> None:
        """Take over the tables.

        Args:
            config: the sizes.
            ids: of the known words, from 1 to `config.vocab_size` - 1.
            tensors: by the names of `config.tensor_shapes()`, after `prefix`.
            prefix: what stands before those names, as `input.`.
            parts: the known parts of words by their ids; None takes buckets.
        """
        self.config = config
        self._parts = parts
        self._ids = ids
        self._words = tensors[f"{prefix}words.weight"]
        self._subwords = tensors[f"{prefix}subwords.weight"]
        self._rows: dict[str, int] = {}
        self._kept: Float32 = np.empty((1024, config.size), np.float32)

    def vectors(self, words: Iterable[str]) -> tuple[Float32, npt.NDArray[np.int64]]:
        """Return distinct vectors (R, size), and which of them each word has (words,).

        The vectors are a view that holds until the next call; R counts words of earlier calls,
        too.
        """
        words = list(words)
        rows = self._rows
        if len(rows) > MOST_KEPT:
            rows.clear()
        for word in words:
            if word not in rows:
                self._add(word)
        index = np.fromiter(map(rows.__getitem__, words), np.int64, len(words))
        return self._kept[: len(rows)], index

    def _add(self, word: str) -> None:
        row = len(self._rows)
        if row == len(self._kept):
            self._kept = np.concatenate([self._kept, np.empty_like(self._kept)])
        own = self.config.word_dim
        self._kept[row, :own] = self._words[self._ids.get(word, UNKNOWN)]
        known = self._parts
        ids = (
            subword_ids(word, self.config)
            if known is None
            else known_subword_ids(word, self.config, known)
        )
        parts = self._subwords[ids]
        self._kept[row, own:] = parts.mean(axis=0)
        self._rows[word] = row
