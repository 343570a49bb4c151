"""A tagger ready to be asked, in NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.engine.birnn import BiRNN
from charlm.engine.layers import Float32
from charlm.engine.word_input import WordInput
from charlm.tagging.config import INPUT, RNN, TaggerConfig
from charlm.tagging.crf import CRF
from charlm.tagging.moves import legal_moves

TOGETHER = 16_384  # words that are read together


class Tagger:
    """Tags for sentences of words."""

    def __init__(
        self,
        config: TaggerConfig,
        words: Sequence[str],
        parts: Sequence[str],
        tensors: Mapping[str, Float32],
    ) -> None:
        """Prepare the network.

        Args:
            config: its form.
            words: all that were seen in training, then those with vectors of their own.
            parts: of words that are known, in the order of their ids from 1.
            tensors: by the names of `config.tensor_shapes()`.
        """
        self.config = config
        self.words, self.parts = tuple(words), tuple(parts)
        self.tensors = tensors
        ids = word_rows(config, self.words)
        numbers = {part: number for number, part in enumerate(parts, 1)}
        self._members = [
            _Member(config, ids, numbers, tensors, f"{member}.") for member in range(config.members)
        ]
        self._crf = _mean_crf(config, tensors) if config.crf else None

    def tag(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """Return the tags of each sentence's words, in order; an empty sentence has none."""
        return [tags for some in _together(sentences) for tags in self._tag(some)]

    def _tag(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        names = self.config.tags
        lengths = [len(words) for words in sentences]
        scores = self.scores(sentences, lengths)
        bounds = itertools.pairwise(itertools.accumulate(lengths, initial=0))
        if self._crf is None:
            chosen = [names[tag] for tag in scores.argmax(axis=1).tolist()]
            return [chosen[first:end] for first, end in bounds]
        best = self._crf.best
        return [[names[tag] for tag in best(scores[first:end]).tolist()] for first, end in bounds]

    def scores(self, sentences: Sequence[Sequence[str]], lengths: Sequence[int]) -> Float32:
        """Return each tag's weight for every word, (words, tags), before any CRF."""
        words = [word for words in sentences for word in words]
        total = self._members[0].scores(words, lengths)
        for member in self._members[1:]:
            total += member.scores(words, lengths)
        return total if len(self._members) == 1 else total / np.float32(len(self._members))

    def is_seen(self, words: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return for each word whether it was seen in training."""
        return np.fromiter((word in self._seen for word in words), bool, len(words))

    @cached_property
    def _seen(self) -> frozenset[str]:
        return frozenset(self.words[: self.config.words])


class _Folding(dict[str, int]):
    """Rows of words, those in lower case for words that are not known as written."""

    def get(self, word: str, default: Any = None) -> Any:
        found = super().get(word)
        return super().get(word.lower(), default) if found is None else found


def word_rows(config: TaggerConfig, words: Sequence[str]) -> Mapping[str, int]:
    """Return the rows of the words with vectors, which follow those seen."""
    return _Folding((word, row) for row, word in enumerate(words[config.words :], 1))


class _Member:
    """One network of a tagger."""

    def __init__(
        self,
        config: TaggerConfig,
        ids: Mapping[str, int],
        parts: Mapping[str, int],
        tensors: Mapping[str, Float32],
        prefix: str,
    ) -> None:
        self._input = WordInput(config.input, ids, tensors, prefix + INPUT, parts)
        self._rnn = BiRNN(config.rnn, tensors, prefix + RNN)
        self._weight = np.ascontiguousarray(tensors[f"{prefix}output.weight"].T)
        self._bias = tensors[f"{prefix}output.bias"]

    def scores(self, words: Sequence[str], lengths: Sequence[int]) -> Float32:
        rows, index = self._input.vectors(words)
        return self._rnn.run(rows, lengths, index) @ self._weight + self._bias


def _mean_crf(config: TaggerConfig, tensors: Mapping[str, Float32]) -> CRF:
    means = [
        np.mean([tensors[f"{member}.crf.{part}"] for member in range(config.members)], axis=0)
        for part in ("after", "first", "last")
    ]
    crf = CRF(*means)
    return crf.within(legal_moves(config.tags)) if config.whole_spans else crf


def _together(sentences: Sequence[Sequence[str]]) -> Iterator[Sequence[Sequence[str]]]:
    """Yield sentences in groups of some ten thousand words, in order."""
    first = words = 0
    for index, sentence in enumerate(sentences):
        if words and words + len(sentence) > TOGETHER:
            yield sentences[first:index]
            first, words = index, 0
        words += len(sentence)
    if first < len(sentences):
        yield sentences[first:]
