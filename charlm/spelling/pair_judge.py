"""A pair of language models as a judge: a text as they read it, marks and capitals included.

A speller knows words alone; a language model has learnt from all that stands in a text. So what
stands between words is read as it is in the line, and a word in the case that it has there.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from charlm.ngram.probing import ProbingModel
from charlm.spelling.judging import Float32, Int64, Reading, repeated_positions
from charlm.spelling.lexicon import UNKNOWN
from charlm.spelling.options import Options
from charlm.spelling.pair import REACH, Pair
from charlm.spelling.priors import Table
from charlm.spelling.sentences import OWN_KEY, START_KEY, Position

_NONE: tuple[int, ...] = ()


class PairJudge:
    """Judges by a pair of language models."""

    reach = REACH

    def __init__(self, pair: Pair, model: ProbingModel, options: Options, rounds: int) -> None:
        self._pair, self._words, self._options = pair, pair.words, options
        self._log_unigrams = model.log_unigrams
        self._tails: list[list[int]] = [[]] * rounds
        self.vectors = pair.vectors

    def take(self, table: Table, positions: Sequence[Position], lines: Sequence[str]) -> None:
        """Begin with the next part of the text."""
        self._table, self._positions = table, positions
        self._own = [_has_own(positions, at) for at in range(len(positions))]
        self._repeated = repeated_positions(positions).tolist()
        self._behind = self._all_behind(positions, lines)

    def _all_behind(
        self, positions: Sequence[Position], lines: Sequence[str]
    ) -> list[tuple[int, ...]]:
        """Return what stands behind each word, up to the next, or before the first of a line."""
        behind = [_NONE] * len(positions)
        places = [at for at, one in enumerate(positions) if one.key[0] != "\0" and one.line >= 0]
        for at, following in zip(places, [*places[1:], None], strict=True):
            one = positions[at]
            line = lines[one.line]
            start = one.end
            if self._own[at]:
                start = positions[at + 1].end
            other = None if following is None else positions[following]
            if other is not None and other.line == one.line:
                behind[at] = self._words.between(line[start : other.start])
            else:
                behind[at] = self._words.between(line[start:], last=True)
        for at, one in enumerate(positions):
            if one.key == START_KEY:
                behind[at] = self._before_line(positions, at, lines)
        return behind

    def _before_line(
        self, positions: Sequence[Position], at: int, lines: Sequence[str]
    ) -> tuple[int, ...]:
        for one in positions[at + 1 :]:
            if one.key == START_KEY:
                break
            if one.line >= 0 and one.key[0] != "\0":
                return self._words.between(lines[one.line][: one.start], first=True)
        return _NONE

    def read(self, chosen: Int64, number: int) -> Reading:
        """Return the part as it reads with these rows chosen."""
        words, texts = self._words, self._options.texts
        flat = list(self._tails[number])
        places: list[tuple[int, int, int]] = []
        options = self._table.option[chosen].tolist()
        for at, one in enumerate(self._positions):
            begin = len(flat)
            if one.key == START_KEY:
                if not self._repeated[at] and flat[-1:] != [words.end]:
                    flat.append(words.end)
            elif one.key[0] != "\0" and one.line >= 0:
                text = texts[options[at]]
                flat += words.words(f"{text}'s" if self._own[at] else text, one.case)
            end = len(flat)
            flat += self._behind[at]
            places.append((begin, end, len(flat)))
        self._tails[number] = flat[-REACH:]
        begins, ends, stops = np.array(places, dtype=np.int64).T
        return Reading(np.array(flat, dtype=np.int64), begins, ends, stops)

    def words(self, rows: Int64) -> Int64:
        """Return the tokens of rows that are one each.

        Words that the speller knows and the pair does not have its tokens, behind the pair's.
        """
        texts, table = self._options.texts, self._table
        found = np.full(len(rows), -1, dtype=np.int64)
        options, positions = table.option[rows].tolist(), table.position[rows].tolist()
        tokens = table.tokens[rows]
        size, shares = self._pair.config.vocab_size, self._pair.log_unknown is not None
        for place in np.flatnonzero(tokens[:, 0] != UNKNOWN).tolist():
            text, at = texts[options[place]], positions[place]
            if self._own[at]:
                text = f"{text}'s"
            word = self._words.word(text, self._positions[at].case)
            if word < 0 and shares and not self._own[at] and tokens[place, 1] < 0:
                word = size + int(tokens[place, 0])
            found[place] = word
        return found

    def scores(self, vectors: Float32, words: Int64) -> Float32:
        """Return the score of a word in each gap; words that the pair lacks share one."""
        lacking = words - self._pair.config.vocab_size
        known = lacking < 0
        said = self._pair.scores(vectors, np.where(known, words, self._words.unknown))
        shares = self._log_unigrams[np.where(known, UNKNOWN, lacking)]
        return np.asarray(said + np.where(known, np.float32(0.0), shares))


def _has_own(positions: Sequence[Position], at: int) -> bool:
    """Return whether a word's 's stands apart from it."""
    return at + 1 < len(positions) and positions[at + 1].key == OWN_KEY
