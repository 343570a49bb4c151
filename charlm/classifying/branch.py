"""The linear branch as it answers: n-grams looked up, their weights summed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from charlm.classifying.ngrams import Flat, Forms, Ints, Keys, word_ngrams

Floats = npt.NDArray[np.float32]


class LinearBranch:
    """Logits of texts by their n-grams.

    What a word form gives by itself and by its characters is worked out once and kept.

    Args:
        keys: of the known n-grams, sorted.
        weights: (n-grams, labels).
        bias: of each label.
        order: words in the longest n-gram.
        chars: shortest and longest n-grams of characters within words.
    """

    def __init__(
        self, keys: Keys, weights: Floats, bias: Floats, order: int, chars: tuple[int, int]
    ) -> None:
        self._keys, self._weights, self._bias, self._order = keys, weights, bias, order
        self._forms = Forms(chars)
        self._of_forms: Floats = np.zeros((0, weights.shape[1]), dtype=np.float32)
        self._hashes: Keys = np.zeros(0, dtype=np.uint64)

    def logits(self, texts: Sequence[Sequence[str]]) -> Floats:
        """Return (texts, labels): the bias and the weights of the n-grams of each text."""
        flat = self._flatten(texts)
        found = sum_rows(self._of_forms[flat.forms], flat.texts, flat.number)
        for size, (keys, where) in enumerate(word_ngrams(flat, self._hashes, self._order), 1):
            if size > 1 and len(keys):
                places, is_known = self._find(keys)
                rows = self._weights[places[is_known]]
                found += sum_rows(rows, where[is_known], flat.number)
        return found + self._bias

    def of_words(self, words: Sequence[str]) -> Floats:
        """Return (words, labels): what each gives by itself and by its characters."""
        return self._of_forms[self._flatten([words]).forms]

    def _flatten(self, texts: Sequence[Sequence[str]]) -> Flat:
        if self._forms.is_full:
            self._forms.clear()
            self._of_forms, self._hashes = self._of_forms[:0], self._hashes[:0]
        flat = self._forms.flatten(texts)
        known = len(self._hashes)
        if known < len(self._forms):
            self._learn(known)
        return flat

    def _learn(self, first: int) -> None:
        """Work out what the forms from `first` on give."""
        hashes, parts, starts = self._forms.arrays(first)
        places, is_known = self._find(hashes)
        own = np.where(is_known[:, None], self._weights[places], np.float32(0.0))
        if len(parts):
            places, is_known = self._find(parts)
            rows = np.repeat(np.arange(len(hashes)), np.diff(starts))
            own += sum_rows(self._weights[places[is_known]], rows[is_known], len(hashes))
        self._of_forms = np.concatenate([self._of_forms, own])
        self._hashes = np.concatenate([self._hashes, hashes])

    def _find(self, keys: Keys) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """Return where keys are, and whether they are there at all."""
        places = np.searchsorted(self._keys, keys)
        places[places == len(self._keys)] = 0
        return places, self._keys[places] == keys


def sum_rows(rows: Floats, where: Ints, number: int) -> Floats:
    """Return the sums of rows that go to the same place, (number, columns); `where` ascends."""
    total = np.zeros((number, rows.shape[1]), dtype=np.float32)
    if len(rows):
        begins = np.flatnonzero(np.diff(where, prepend=-1))
        total[where[begins]] = np.add.reduceat(rows, begins, axis=0)
    return total
