"""What speaks for each option of a word before the words around it are heard.

That is how the word would be misspelt so, how readily such a change is made, and what the text
told so far: how frequent errors are in it, whether they come at random, and which words it has.
All of it depends on a position's own line and those before.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from charlm.ngram.probing import ProbingModel
from charlm.spelling.candidates import Candidates
from charlm.spelling.channel import mix
from charlm.spelling.edits import EDIT_KINDS, EditShares
from charlm.spelling.lexicon import END, NUMBER, UNKNOWN
from charlm.spelling.options import CONFUSED, FIXED, KEEP, KEEP_UNKNOWN, OTHER_WORD, SPLIT, Form
from charlm.spelling.sentences import (
    END_KEY,
    FIXED_KEYS,
    NUMBER_KEY,
    OTHER_KEY,
    OWN_KEY,
    START_KEY,
    Position,
)
from charlm.spelling.weights import Weights
from charlm.spelling.words import CAPITAL, CAPITALS, LOWER

Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

_RATE = 0.02
_CACHE_SHARE, _CACHE_WORDS, _CACHE_MOST = 0.3, 500.0, 1000.0
_PRIOR_RANDOM, _PRIOR_DOUBTFUL = 3.0, 12.0


class Table(NamedTuple):
    """Options by position, each position's own form first; `guess` is a first judgement."""

    position: Int64
    option: Int64
    prior: Float32
    tokens: Array
    kinds: Array
    positions: int
    guess: Float32 = np.zeros(0, dtype=np.float32)

    def take(self, rows: Int64) -> Table:
        """Return the table of some of its rows."""
        return self._replace(
            position=self.position[rows],
            option=self.option[rows],
            prior=self.prior[rows],
            tokens=self.tokens[rows],
            kinds=self.kinds[rows],
        )


class Priors:
    """Makes the table of options; remembers what a text told."""

    def __init__(self, candidates: Candidates, model: ProbingModel, weights: Weights) -> None:
        self._candidates, self._model, self.weights = candidates, model, weights
        self._random, self._doubtful = _PRIOR_RANDOM, _PRIOR_DOUBTFUL
        self._edits = EditShares()
        self._counts = np.zeros(model.vocab_size + 1, dtype=np.float32)
        self._probs = np.exp(model.log_unigrams)
        self._words = 0

    def table(self, positions: Sequence[Position]) -> Table:
        """Return the options of the next positions of the text."""
        found = self._forms(positions)
        first = np.array([form.first for form in found], dtype=np.int64)
        count = np.array([form.size for form in found], dtype=np.int64)
        known = np.array([form.known for form in found], dtype=bool)
        case = np.array([position.case for position in positions], dtype=np.int64)
        initial = np.array([position.initial for position in positions], dtype=bool)
        seen = np.array([position.seen for position in positions], dtype=np.float32)
        rate = np.array([position.rate for position in positions], dtype=np.float32)
        frozen = (case == CAPITALS) & known
        count = np.where(frozen, 1, count)
        row_position = np.repeat(np.arange(len(positions)), count)
        offsets = np.arange(len(row_position)) - np.repeat(np.cumsum(count) - count, count)
        option = first[row_position] + offsets
        options, weights = self._candidates.options, self.weights
        kinds, costs = options.kinds[option], options.costs[option]
        share, gains = self._random_share(positions, found)
        random = options.random[option] - gains[row_position, options.edits[option]]
        mixed = mix(costs, random, share[row_position])
        tokens = options.tokens[option]
        typed_known = known[row_position]
        rarity = np.array([form.rarity for form in found], dtype=np.float32)
        derived = np.array([form.derived for form in found], dtype=np.float32)
        prior = np.zeros(len(option), dtype=np.float32)
        adjust = weights.rate * rate_term(rate)[row_position]
        other = kinds == OTHER_WORD
        rare = weights.rare * (rarity * (1.0 - 0.7 * derived))[row_position]
        change = np.where(
            typed_known,
            weights.realword + rare + adjust,
            weights.nonword + weights.nonword_rate * adjust,
        )
        prior[other] = (change - weights.channel * mixed)[other]
        split = kinds == SPLIT
        prior[split] = (np.where(typed_known, weights.split_known + rare, weights.split) + adjust)[
            split
        ]
        confused = kinds == CONFUSED
        prior[confused] = weights.confused
        prior[other | split | confused] -= weights.margin
        left = kinds == KEEP_UNKNOWN
        if left.any():
            at = row_position[left]
            bonus = np.select(
                [case[at] == CAPITALS, (case[at] == CAPITAL) & ~initial[at], case[at] == CAPITAL],
                [weights.capitals, weights.name, weights.first_name],
                0.0,
            )
            prior[left] = (
                weights.unknown
                - weights.plausible * costs[left]
                + weights.derived * derived[at]
                + weights.seen * np.minimum(np.log2(seen[at]), 4.0)
                + bonus
            )
        if weights.cache:
            prior += weights.cache * self._cache_terms(tokens[:, 0], positions, row_position, found)
        prior += self._case_terms(tokens, kinds, (case == CAPITAL) & ~initial, row_position)
        small = np.array([one.cased and one.case == LOWER for one in positions], dtype=bool)
        prior += self._small_terms(tokens, kinds, small, row_position)
        return Table(row_position, option, prior, tokens, kinds, len(positions))

    def _forms(self, positions: Sequence[Position]) -> list[Form]:
        candidates = self._candidates
        candidates.look_up([p.key for p in positions if p.key not in FIXED_KEYS])
        options, forms = candidates.options, candidates.forms
        if START_KEY not in forms:
            own = candidates.lexicon.ids.get("s", UNKNOWN)
            for key, tokens in (
                (START_KEY, (self._model.bos_id, -1, -1)),
                (END_KEY, (END, self._model.bos_id, -1)),
                (NUMBER_KEY, (NUMBER, -1, -1)),
                (OTHER_KEY, (UNKNOWN, -1, -1)),
                (OWN_KEY, (own, -1, -1)),
            ):
                place = options.add(
                    np.array([tokens]),
                    np.zeros(1),
                    np.zeros(1),
                    np.zeros(1, dtype=np.uint8),
                    np.array([FIXED], dtype=np.uint8),
                    [""],
                )
                forms[key] = Form(place, 1, True)
        return [forms[position.key] for position in positions]

    def _cache_terms(
        self,
        tokens: Array,
        positions: Sequence[Position],
        row_position: Int64,
        forms: Sequence[Form],
    ) -> Float32:
        """Return how much likelier each option is for what the lines before have, in nats.

        A text's own words are mixed with the unigrams of all texts, the more the longer it is.
        """
        lines = np.array([position.line for position in positions], dtype=np.int64)
        lines = np.maximum.accumulate(lines)  # what stands in no line goes with that before it
        known = np.array([form.known for form in forms]) & (lines >= 0)
        options = self._candidates.options
        own = options.tokens[[form.first for form in forms], 0]
        terms = np.zeros(len(tokens), dtype=np.float32)
        cuts = np.flatnonzero(np.diff(lines)) + 1
        rows = np.searchsorted(row_position, [0, *cuts, len(lines)])
        bounds = [0, *cuts.tolist(), len(lines)]
        for part, (low, high) in enumerate(itertools.pairwise(bounds)):
            here = slice(rows[part], rows[part + 1])
            share = _CACHE_SHARE * self._words / (self._words + _CACHE_WORDS)
            if share:
                seen = self._counts[tokens[here]] / (self._words * self._probs[tokens[here]])
                terms[here] = np.log(1.0 - share + share * np.minimum(seen, _CACHE_MOST))
            words = own[low:high][known[low:high]]
            np.add.at(self._counts, words, 1.0)
            self._words += len(words)
        return terms

    def _random_share(
        self, positions: Sequence[Position], forms: Sequence[Form]
    ) -> tuple[Float32, Float32]:
        """Return which share of the misspellings so far came at random, and by which edits.

        The words of a position's own line count, those of later lines do not.

        Shapes:
            returns: (positions,), and (positions, kinds of edits), see `EditShares.gains`.
        """
        shares = np.empty(len(positions), dtype=np.float32)
        gains = np.empty((len(positions), EDIT_KINDS), dtype=np.float32)
        begun, line = 0, 0
        for at, (position, form) in enumerate(zip(positions, forms, strict=True)):
            if position.line > line:
                shares[begun:at] = self._random / self._doubtful
                gains[begun:at] = self._edits.gains()
                begun, line = at, position.line
            if form.random >= 0.0 and position.case == LOWER and position.line >= 0:
                self._random += form.random
                self._edits.add(form.edit, form.random)
                self._doubtful += 1.0
        shares[begun:] = self._random / self._doubtful
        gains[begun:] = self._edits.gains()
        return np.clip(shares, 0.02, 0.98), gains

    def _case_terms(
        self, tokens: Array, kinds: Array, capital: Array, row_position: Int64
    ) -> Float32:
        """Return how well options fit a capital inside a sentence."""
        terms = np.zeros(len(tokens), dtype=np.float32)
        rows = np.flatnonzero(
            capital[row_position] & ((kinds == KEEP) | (kinds == OTHER_WORD) | (kinds == CONFUSED))
        )
        if len(rows):
            share = self._candidates.lexicon.capitals[tokens[rows, 0]] / np.float32(255.0)
            terms[rows] = self.weights.case * np.log(share * 0.95 + 0.03)
        return terms

    def _small_terms(
        self, tokens: Array, kinds: Array, small: Array, row_position: Int64
    ) -> Float32:
        """Return how badly names fit a word without a capital, in a line that has capitals."""
        terms = np.zeros(len(tokens), dtype=np.float32)
        rows = np.flatnonzero(small[row_position] & (kinds == OTHER_WORD))
        if len(rows):
            share = self._candidates.lexicon.capitals[tokens[rows, 0]] / np.float32(255.0)
            terms[rows] = self.weights.case * np.log(1.0 - share * 0.95)
        return terms


def rate_term(rate: Any) -> Any:
    """Return how much likelier an error is where this share of the words is unknown, in nats."""
    return np.log(np.maximum(rate, 0.002) / _RATE)


def best_rows(position: Int64, score: Float32, count: int) -> Int64:
    """Return the first row of the highest score of each position that has rows; else 0.

    The positions come in ascending order.
    """
    best = np.zeros(count, dtype=np.int64)
    if not len(position):
        return best
    begins = np.flatnonzero(np.append(True, position[1:] != position[:-1]))
    highest = np.maximum.reduceat(score, begins)
    sizes = np.diff(np.append(begins, len(position)))
    hits = np.flatnonzero(score == np.repeat(highest, sizes))[::-1]
    best[position[hits]] = hits  # of equal ones the first is written last
    return best
