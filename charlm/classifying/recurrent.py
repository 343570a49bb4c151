"""The recurrent branch as it answers: words read in both directions, pooled, weighed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from charlm.classifying.config import INPUT, RNN, ClassifierConfig
from charlm.engine.birnn import BiRNN
from charlm.engine.layers import Float32
from charlm.engine.pooling import pool
from charlm.engine.word_input import WordInput

TOGETHER = 65_536  # words that are read together
_MOST_KEPT = 1 << 15  # distinct words whose products are kept


class RecurrentBranch:
    """Logits of texts by their words in order.

    What the first layer makes of a word is worked out once and kept.

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
        self._weight = np.ascontiguousarray(tensors["output.weight"].T)
        self._bias = tensors["output.bias"]
        self._rows: dict[str, int] = {}
        self._products: list[Float32] = []

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
        index = self._index([word for words in texts for word in words])
        outputs = self._rnn.run_products(self._products, lengths, index)
        features = pool(outputs, lengths, self._pooling, self._tensors)
        logits: Float32 = features @ self._weight + self._bias
        return logits

    def _index(self, words: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the row of each word's products, made where there are none yet."""
        rows = self._rows
        if len(rows) > _MOST_KEPT:
            rows.clear()
            self._products = []
        new = list(dict.fromkeys(word for word in words if word not in rows))
        if new:
            vectors, places = self._input.vectors(new)
            made = self._rnn.products(vectors[places])
            before = self._products or [part[:0] for part in made]
            self._products = [
                np.concatenate([old, part]) for old, part in zip(before, made, strict=True)
            ]
            rows.update(zip(new, range(len(rows), len(rows) + len(new)), strict=True))
        return np.fromiter(map(rows.__getitem__, words), np.int64, len(words))
