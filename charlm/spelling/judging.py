"""What recurrent networks are asked through: which text they read, and what they make of a word.

A judge belongs to one text and remembers the end of what it has read, of each round its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from charlm.ngram.probing import ProbingModel
from charlm.spelling.cloze import REACH, Cloze, plain_text
from charlm.spelling.lexicon import UNKNOWN
from charlm.spelling.priors import Table
from charlm.spelling.sentences import START_KEY, Position

Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]


class Reading(NamedTuple):
    """A text as networks read it.

    Attributes:
        text: ids, first what is remembered of the text before.
        begin, end: (positions,), which of it each position has.
        stop: (positions,), where what stands behind a position ends, before the next begins.
    """

    text: Int64
    begin: Int64
    end: Int64
    stop: Int64


class Judge(Protocol):
    """Decides close calls for a text that comes in parts; `take` begins each part."""

    reach: int

    def take(self, table: Table, positions: Sequence[Position], lines: Sequence[str]) -> None:
        """Begin with the next part of the text."""

    def read(self, chosen: Int64, number: int) -> Reading:
        """Return the part as it reads with these rows chosen, for the round of that number."""

    def vectors(self, text: Int64, starts: Int64, ends: Int64, begin: Int64, end: Int64) -> Float32:
        """Return the vector of each gap, see `Cloze.vectors`."""

    def words(self, rows: Int64) -> Int64:
        """Return what rows put into their gaps: ids, -1 where it cannot be judged."""

    def scores(self, vectors: Float32, words: Int64) -> Float32:
        """Return the score of a word in each gap: log p and what all words of a gap share."""


class ClozeJudge:
    """Judges by networks over the speller's own words."""

    reach = REACH

    def __init__(self, cloze: Cloze, model: ProbingModel, rounds: int) -> None:
        self._cloze, self._model = cloze, model
        self._tails: list[Int64] = [np.zeros(0, dtype=np.int64)] * rounds
        unigrams = model.log_unigrams
        rest = np.append(unigrams[cloze.vocab_size : model.vocab_size], unigrams[UNKNOWN])
        self._rest = float(np.logaddexp.reduce(rest))
        self.vectors = cloze.vectors

    def take(self, table: Table, positions: Sequence[Position], lines: Sequence[str]) -> None:
        """Begin with the next part of the text."""
        self._table, self._repeated = table, repeated_positions(positions)

    def read(self, chosen: Int64, number: int) -> Reading:
        """Return the part as it reads with these rows chosen."""
        own, tail = self._table.tokens[chosen], self._tails[number]
        lengths = (own >= 0).sum(axis=1)
        flat = np.concatenate([tail, own[own >= 0]])
        again = np.concatenate(
            [np.zeros(len(tail), dtype=bool), np.repeat(self._repeated, lengths)]
        )
        text, places = plain_text(flat, self._model.bos_id, again)
        last = np.cumsum(lengths) + len(tail)
        self._tails[number] = text[-REACH:]
        return Reading(text, places[last - lengths], places[last], places[last])

    def words(self, rows: Int64) -> Int64:
        """Return the tokens of rows that are one each."""
        tokens = self._table.tokens[rows].astype(np.int64)
        return np.where(tokens[:, 1] < 0, tokens[:, 0], -1)

    def scores(self, vectors: Float32, words: Int64) -> Float32:
        """Return the scores of words; those beyond the networks' share that of unknown ones."""
        said = self._cloze.scores(vectors, words)
        beyond = (words >= self._cloze.vocab_size) | (words == UNKNOWN)
        shares = self._model.log_unigrams[words] - np.float32(self._rest)
        return np.asarray(said + np.where(beyond, shares, np.float32(0.0)))


def repeated_positions(positions: Sequence[Position]) -> npt.NDArray[np.bool_]:
    """Return which positions repeat words of the line before, with the mark before them."""
    marks = np.array([one.key == START_KEY for one in positions])
    repeated = np.array([one.line < 0 for one in positions]) & ~marks
    repeated[:-1] |= marks[:-1] & repeated[1:]
    return np.asarray(repeated)
