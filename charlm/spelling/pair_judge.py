"""A pair of language models as a judge: a text as they read it, marks and capitals included.

A speller knows words alone; a language model has learnt from all that stands in a text. So what
stands between words is read as it is in the line, and a word in the case that it has there.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

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
        places = [at for at, one in enumerate(positions) if _is_word(one)]
        for number, group in groupby(places, key=lambda at: positions[at].line):
            words, line = list(group), lines[number]
            begins = [positions[at].start for at in words]
            ends = [positions[at + 1 if self._own[at] else at].end for at in words]
            behind[self._mark_before(words[0])] = self._words.between(line[: begins[0]], first=True)
            for at, end, begin in zip(words, ends, begins[1:], strict=False):
                behind[at] = self._words.between(line[end:begin])
            behind[words[-1]] = self._words.between(line[ends[-1] :], last=True)
        return behind

    def _mark_before(self, at: int) -> int:
        """Return where the line of a position has the mark of its beginning."""
        while self._positions[at].key != START_KEY:
            at -= 1
        return at

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
            elif _is_word(one):
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

        A word that the speller knows and the pair does not has the speller's token, counted on
        from the pair's last.
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


def _is_word(position: Position) -> bool:
    return position.line >= 0 and position.key[0] != "\0"


def _has_own(positions: Sequence[Position], at: int) -> bool:
    """Return whether a word's 's stands apart from it."""
    return at + 1 < len(positions) and positions[at + 1].key == OWN_KEY
