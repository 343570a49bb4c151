"""A classifier ready to be asked: texts in, a probability of each label out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.classifying.branch import LinearBranch
from charlm.classifying.config import ClassifierConfig
from charlm.classifying.recurrent import RecurrentBranch
from charlm.classifying.words import split_words

Array = npt.NDArray[np.float32]


class Classifier:
    """Probabilities of the labels of texts.

    Args:
        config: its shape.
        words: that the recurrent branch has vectors of.
        tensors: its arrays by name, as `config.tensor_shapes` says.
    """

    def __init__(
        self,
        config: ClassifierConfig,
        words: Sequence[str],
        tensors: Mapping[str, npt.NDArray[Any]],
    ) -> None:
        self.config = config
        self.linear = self.recurrent = None
        if config.ngrams:
            self.linear = LinearBranch(
                tensors["ngram_keys"],
                tensors["ngram_weights"],
                tensors["bias"],
                config.longest_ngram,
                config.chars,
            )
        if config.num_layers:
            self.recurrent = RecurrentBranch(config, words, tensors)

    def words(self, text: str) -> list[str]:
        """Return the words of a text as this classifier cuts it."""
        return split_words(text, lowercase=self.config.lowercase)

    def probabilities(self, texts: Sequence[str]) -> Array:
        """Return (texts, labels): how probable each label is; a text without words has a prior."""
        return softmax(self.logits([self.words(text) for text in texts]))

    def logits(self, texts: Sequence[Sequence[str]]) -> Array:
        """Return (texts, labels), unnormalised, for texts that are cut into words."""
        branches = [branch for branch in (self.linear, self.recurrent) if branch is not None]
        return sum_all([branch.logits(texts) for branch in branches])


def sum_all(parts: Sequence[Array]) -> Array:
    """Return the sum of arrays, of which there is at least one."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def log_odds(logits: Array, label: int) -> Array:
    """Return the log of a label's probability over that of all others together.

    Example:
        >>> log_odds(np.array([[3.0, 1.0]], dtype=np.float32), 0).tolist()
        [2.0]
    """
    others = np.delete(logits, label, axis=-1)
    most = others.max(axis=-1, keepdims=True)
    rest = np.log(np.exp(others - most).sum(axis=-1)) + most[..., 0]
    found: Array = logits[..., label] - rest
    return found


def softmax(logits: Array) -> Array:
    """Return probabilities, over the last axis."""
    powers: Array = np.exp(logits - logits.max(axis=-1, keepdims=True, initial=-np.inf))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers
