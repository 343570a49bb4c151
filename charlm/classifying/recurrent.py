"""The recurrent branch as it answers: words read in both directions, pooled, weighed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from charlm.classifying.config import INPUT, RNN, ClassifierConfig
from charlm.engine.birnn import BiRNN
from charlm.engine.layers import Float32
from charlm.engine.pooling import pool
from charlm.engine.word_input import WordInput

TOGETHER = 16_384  # words that are read together


class RecurrentBranch:
    """Logits of texts by their words in order.

    Args:
        config: the classifier's form.
        words: that have vectors of their own.
        tensors: by the names of `config.recurrent_shapes()`.
    """

    def __init__(
        self, config: ClassifierConfig, words: Sequence[str], tensors: Mapping[str, Float32]
    ) -> None:
        self._pooling, self._tensors = config.pooling, tensors
        self._longest = config.longest
        ids = {word: row for row, word in enumerate(words, 1)}
        self._input = WordInput(config.input, ids, tensors, INPUT)
        self._rnn = BiRNN(config.rnn, tensors, RNN)
        self._bias = tensors["output.bias"]
        self._weight = np.ascontiguousarray(tensors["output.weight"].T)

    def logits(self, texts: Sequence[Sequence[str]]) -> Float32:
        """Return (texts, labels); a text without words has the bias."""
        found = np.zeros((len(texts), self._weight.shape[1]), np.float32)
        texts = [words[: self._longest] for words in texts]
        first, size = 0, 0
        for place, words in enumerate(texts):
            if size and size + len(words) > TOGETHER:
                found[first:place] = self._logits(texts[first:place])
                first, size = place, 0
            size += len(words)
        found[first:] = self._logits(texts[first:])
        return found

    def _logits(self, texts: Sequence[Sequence[str]]) -> Float32:
        lengths = [len(words) for words in texts]
        if not sum(lengths):
            return np.tile(self._bias, (len(texts), 1))
        vectors, index = self._input.vectors(word for words in texts for word in words)
        outputs = self._rnn.run(vectors, lengths, index)
        features = pool(outputs, lengths, self._pooling, self._tensors)
        logits: Float32 = features @ self._weight + self._bias
        return logits
