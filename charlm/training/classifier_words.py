"""The words of the texts that a classifier is trained on, and texts as tensors."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from charlm.classifying.config import ClassifierConfig
from charlm.models.word_input import flat_parts
from charlm.text.subwords import subword_ids


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Texts as tensors; see `models.word_input`. `counts` is how often each word was seen."""

    types: Tensor
    parts: tuple[Tensor, Tensor]
    index: Tensor
    lengths: Tensor
    counts: Tensor


class Vocabulary:
    """The words of the texts to train on: rows, counts and parts."""

    def __init__(
        self,
        texts: Sequence[Sequence[str]],
        config: ClassifierConfig,
        min_count: int,
        further: Sequence[str] = (),
    ) -> None:
        """Count the words of texts.

        Args:
            texts: cut into words.
            config: which parts of words count.
            min_count: words seen less often have no row of their own.
            further: words that have one although they are not seen.
        """
        self._config = config.input
        self._counts = Counter(word for words in texts for word in words)
        common = self._counts.most_common()
        seen = [word for word, count in common if count >= min_count]
        self.words = list(dict.fromkeys([*seen, *further]))
        self._rows = {word: row for row, word in enumerate(self.words, 1)}
        self._parts: dict[str, list[int]] = {}

    def batch(self, texts: Sequence[Sequence[str]]) -> Batch:
        """Return texts as what the network takes."""
        places: dict[str, int] = {}
        rows = [[places.setdefault(word, len(places)) for word in words] for words in texts]
        lengths = [len(row) for row in rows]
        index = np.zeros((max(lengths), len(rows)), dtype=np.int64)
        for column, row in enumerate(rows):
            index[: len(row), column] = row
        return Batch(
            torch.tensor([self._rows.get(word, 0) for word in places]),
            flat_parts([self._parts_of(word) for word in places]),
            torch.from_numpy(index),
            torch.tensor(lengths),
            torch.tensor([float(self._counts[word]) for word in places]),
        )

    def _parts_of(self, word: str) -> list[int]:
        parts = self._parts.get(word)
        if parts is None:
            parts = self._parts[word] = subword_ids(word, self._config)
        return parts
