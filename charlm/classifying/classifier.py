"""A classifier ready to be asked: texts in, a probability of each label out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from charlm.classifying.branch import LinearBranch
from charlm.classifying.config import ClassifierConfig
from charlm.classifying.words import split_words

Array = npt.NDArray[np.float32]


class Classifier:
    """Probabilities of the labels of texts.

    Args:
        config: its shape.
        tensors: its arrays by name, as `config.tensor_shapes` says.
    """

    def __init__(self, config: ClassifierConfig, tensors: dict[str, npt.NDArray[np.generic]]):
        self.config = config
        self._bias = np.asarray(tensors["bias"], dtype=np.float32)
        self._linear = None
        if config.ngrams:
            self._linear = LinearBranch(
                np.asarray(tensors["ngram_keys"], dtype=np.uint64),
                np.asarray(tensors["ngram_weights"], dtype=np.float32),
                config.order,
                config.chars,
            )

    def words(self, text: str) -> list[str]:
        """Return the words of a text as this classifier cuts it."""
        return split_words(text, lowercase=self.config.lowercase)

    def probabilities(self, texts: Sequence[str]) -> Array:
        """Return (texts, labels): how probable each label is; a text without words has a prior."""
        return softmax(self.logits([self.words(text) for text in texts]))

    def logits(self, texts: Sequence[Sequence[str]]) -> Array:
        """Return (texts, labels), unnormalised, for texts that are cut into words."""
        logits = np.tile(self._bias, (len(texts), 1))
        if self._linear is not None:
            logits += self._linear.logits(texts)
        return logits


def softmax(logits: Array) -> Array:
    """Return probabilities, over the last axis."""
    powers: Array = np.exp(logits - logits.max(axis=-1, keepdims=True, initial=-np.inf))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers
