"""A tagger ready to be asked, in NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from charlm.engine.birnn import BiRNN
from charlm.engine.layers import Float32
from charlm.engine.word_input import WordInput
from charlm.tagging.config import INPUT, RNN, TaggerConfig
from charlm.tagging.crf import CRF

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
            words: all that were seen in training; the first have vectors of their own.
            parts: of words that are known, in the order of their ids from 1.
            tensors: by the names of `config.tensor_shapes()`.
        """
        self.config = config
        self.words = tuple(words)
        self.tensors = tensors
        known = self.words[: config.vocab_size - 1]
        ids = {word: row for row, word in enumerate(known, 1)}
        numbers = {part: number for number, part in enumerate(parts, 1)}
        self._input = WordInput(config.input, ids, tensors, INPUT, numbers)
        self._rnn = BiRNN(config.rnn, tensors, RNN)
        self._weight = np.ascontiguousarray(tensors["output.weight"].T)
        self._bias = tensors["output.bias"]
        self._crf = None
        if config.crf:
            self._crf = CRF(*(tensors[f"crf.{part}"] for part in ("after", "first", "last")))

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
        rows, index = self._input.vectors(word for words in sentences for word in words)
        return self._rnn.run(rows, lengths, index) @ self._weight + self._bias

    def is_seen(self, words: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return for each word whether it was seen in training."""
        return np.fromiter((word in self._seen for word in words), bool, len(words))

    @cached_property
    def _seen(self) -> frozenset[str]:
        return frozenset(self.words)


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
