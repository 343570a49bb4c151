"""The best reading of many sentences at once.

Every position has options (see `candidates`). First each is judged with one word on either side,
and those far behind are dropped: most words then have only themselves left. The others are
judged with all that the n-gram model sees, the positions around being read as is best so far, and
again while anything around them changes. Neighbours take turns, so that two that are both
misspelt find each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from charlm.ngram.probing import ProbingModel
from charlm.spelling.candidates import Candidates
from charlm.spelling.close_calls import CloseCalls
from charlm.spelling.judging import Judge
from charlm.spelling.lexicon import END, MOST_PARTS
from charlm.spelling.options import KEEP_UNKNOWN
from charlm.spelling.priors import Priors, Table, best_rows, rate_term
from charlm.spelling.sentences import Position
from charlm.spelling.weights import Weights
from charlm.spelling.words import CAPITALS

Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

_SLACK, _SLACK_UNKNOWN = 10.0, 18.0
_MOST = 16  # options of a position that the whole context judges
_SWEEPS = 4


class Readings(NamedTuple):
    """All options that were judged, in order of their positions, each position's own form first.

    Attributes:
        position: (rows,).
        option: (rows,), number in `Options`.
        prior: (rows,), what does not depend on the words around, in nats.
        context: (rows,), log p of the option and the words behind it, before weighting.
        score: (rows,), prior and weighted context; positions with one option have 0.
        chosen: (positions,), the row that is best.
        merged: positions that are best read as one word with the next: score gained, word.
    """

    position: Int64
    option: Int64
    prior: Float32
    context: Float32
    score: Float32
    chosen: Int64
    merged: dict[int, tuple[float, int]]


class Decoder:
    """Finds readings of positions."""

    def __init__(
        self,
        candidates: Candidates,
        model: ProbingModel,
        weights: Weights,
        judge: Judge | None = None,
    ) -> None:
        self._candidates, self._model, self.weights = candidates, model, weights
        self._reach = model.order - 1
        self._priors = Priors(candidates, model, weights)
        self._calls = None
        if judge is not None and weights.cloze:
            self._calls = CloseCalls(judge, weights)

    def decode(self, positions: Sequence[Position], lines: Sequence[str]) -> Readings:
        """Return the readings of consecutive positions, which are those of whole lines."""
        table = self._priors.table(positions)
        table = self._drop_hopeless(table, self._judge_briefly(table))
        context, score, chosen = self._judge(table)
        if self._calls is not None:
            context, score, chosen = self._calls.decide(
                table, positions, lines, context, score, chosen
            )
        merged = self._merge(table, positions, chosen, score)
        return Readings(table.position, table.option, table.prior, context, score, chosen, merged)

    def _judge_briefly(self, table: Table) -> Float32:
        """Return the score of each row with its nearest neighbours alone."""
        model, weights = self._model, self.weights
        start = np.searchsorted(table.position, np.arange(table.positions))
        size = np.bincount(table.position, minlength=table.positions)
        first_tokens = table.tokens[:, 0]
        alone = table.prior + weights.model * self._alone(table.tokens)
        guess = start.copy()
        doubtful = np.flatnonzero((table.kinds[start] == KEEP_UNKNOWN) & (size > 1))
        if len(doubtful):
            guess[doubtful] = best_rows(table.position, alone, table.positions)[doubtful]
        last = _last_tokens(table.tokens)
        before = np.concatenate([[model.bos_id], last[guess][:-1]])
        after = np.concatenate([first_tokens[guess][1:], [model.bos_id]])
        unsure = np.zeros(table.positions + 2, dtype=bool)
        unsure[1:-1] = table.kinds[start] == KEEP_UNKNOWN
        rows = np.flatnonzero(size[table.position] > 1)
        at = table.position[rows]
        tokens = table.tokens[rows]
        score = alone.copy()
        plain = model.log_unigrams[first_tokens[rows]]
        linked = model.score_pairs(before[at], first_tokens[rows])
        gain = np.where(unsure[at], 0.0, linked - plain)
        behind = after[at]
        asked = ~unsure[at + 2] & (behind != model.bos_id)
        behind = np.where(asked, behind, END)
        following = model.score_pairs(_last_tokens(tokens), behind) - model.log_unigrams[behind]
        score[rows] += weights.model * (gain + np.where(asked, following, 0.0))
        return score

    def _alone(self, tokens: Array) -> Float32:
        scores: Float32 = self._model.log_unigrams[tokens[:, 0]].copy()
        for part in range(1, MOST_PARTS):
            more = np.flatnonzero(tokens[:, part] >= 0)
            scores[more] += self._model.score_pairs(tokens[more, part - 1], tokens[more, part])
        return scores

    def _drop_hopeless(self, table: Table, score: Float32) -> Table:
        best = np.maximum.reduceat(
            score, np.searchsorted(table.position, np.arange(table.positions))
        )
        own = np.ones(len(score), dtype=bool)
        own[1:] = table.position[1:] != table.position[:-1]
        start = np.searchsorted(table.position, np.arange(table.positions))
        doubtful = table.kinds[start] == KEEP_UNKNOWN
        slack = np.where(doubtful, _SLACK_UNKNOWN, _SLACK)[table.position]
        kept = own | (score >= best[table.position] - slack)
        rows = np.flatnonzero(kept)
        order = np.lexsort((-score[rows], table.position[rows]))
        ranked = rows[order]
        rank = np.arange(len(ranked)) - np.searchsorted(
            table.position[ranked], table.position[ranked]
        )
        rows = np.sort(ranked[(rank < _MOST) | own[ranked]])
        return table.take(rows)._replace(guess=score[rows])

    def _judge(self, table: Table) -> tuple[Float32, Float32, Int64]:
        count = table.positions
        start = np.searchsorted(table.position, np.arange(count))
        size = np.bincount(table.position, minlength=count)
        lengths = (table.tokens >= 0).sum(axis=1)
        context = np.zeros(len(table.position), dtype=np.float32)
        score = np.zeros(len(table.position), dtype=np.float32)
        chosen = start.copy()
        active = np.flatnonzero(size > 1)
        if not len(active):
            return context, score, chosen
        # begin with what one neighbour says, for words that are not known
        doubtful = table.kinds[start] == KEEP_UNKNOWN
        chosen = np.where(doubtful, best_rows(table.position, table.guess, count), start)
        turn = np.zeros(count, dtype=np.int64)
        turn[active] = np.arange(len(active)) & 1
        due = np.zeros(count, dtype=bool)
        due[active] = True
        for _ in range(_SWEEPS):
            for parity in (0, 1):
                members = np.flatnonzero(due & (turn == parity))
                if not len(members):
                    continue
                due[members] = False
                rows = np.flatnonzero(np.isin(table.position, members, assume_unique=False))
                context[rows] = self._window(table, rows, chosen, lengths)
                score[rows] = table.prior[rows] + self.weights.model * context[rows]
                best = best_rows(table.position[rows], score[rows], count)[members]
                moved = members[rows[best] != chosen[members]]
                chosen[members] = rows[best]
                for shift in range(-self._reach, self._reach + 1):
                    near = moved + shift
                    near = near[(near >= 0) & (near < count)]
                    if shift:
                        due[near] |= size[near] > 1
            if not due.any():
                break
        return context, score, chosen

    def _window(self, table: Table, rows: Int64, chosen: Int64, lengths: Int64) -> Float32:
        """Return log p of each row's tokens and of those behind them that they bear on."""
        reach = self._reach
        own = table.tokens[chosen]
        stream = np.concatenate(
            [np.full(reach, self._model.bos_id), own[own >= 0], np.full(reach, self._model.bos_id)]
        ).astype(np.int32)
        ends = np.cumsum(lengths[chosen]) + reach
        at = table.position[rows]
        result = np.empty(len(rows), dtype=np.float32)
        steps = np.arange(reach)
        for length in range(1, MOST_PARTS + 1):
            members = np.flatnonzero(lengths[rows] == length)
            if not len(members):
                continue
            place = at[members]
            begin = ends[place] - lengths[chosen[place]]
            matrix = np.concatenate(
                [
                    stream[begin[:, None] - reach + steps],
                    table.tokens[rows[members], :length],
                    stream[ends[place][:, None] + steps],
                ],
                axis=1,
            )
            result[members] = self._model.score_rows(matrix)[:, reach:].sum(axis=1)
        return result

    def _merge(
        self, table: Table, positions: Sequence[Position], chosen: Int64, score: Float32
    ) -> dict[int, tuple[float, int]]:
        """Return where two words are better read as one."""
        pairs = self._mergeable(positions)
        if not pairs:
            return {}
        reach, weights = self._reach, self.weights
        own = table.tokens[chosen]
        lengths = (own >= 0).sum(axis=1)
        stream = np.concatenate(
            [np.full(reach, self._model.bos_id), own[own >= 0], np.full(reach, self._model.bos_id)]
        ).astype(np.int32)
        ends = np.cumsum(lengths) + reach
        steps = np.arange(reach)
        merged: dict[int, tuple[float, int]] = {}
        taken = -1
        for at, word, prior in pairs:
            if at <= taken:
                continue
            begin, end = ends[at] - lengths[at], ends[at + 1]
            before, behind = stream[begin - reach + steps], stream[end + steps]
            apart = np.concatenate([before, stream[begin:end], behind])[None]
            joined = np.concatenate([before, [word], behind])[None].astype(np.int32)
            kept = float(self._model.score_rows(apart)[0, reach:].sum())
            one = float(self._model.score_rows(joined)[0, reach:].sum())
            priors = float(table.prior[chosen[at]] + table.prior[chosen[at + 1]])
            gain = prior + weights.model * (one - kept) - priors
            if gain > 0:
                merged[at] = (gain, word)
                taken = at + 1
        return merged

    def _mergeable(self, positions: Sequence[Position]) -> list[tuple[int, int, float]]:
        lexicon, forms = self._candidates.lexicon, self._candidates.forms
        weights = self.weights
        found = []
        for at in range(len(positions) - 1):
            one, two = positions[at], positions[at + 1]
            if one.line < 0 or one.line != two.line or not two.spaced or one.end + 1 != two.start:
                continue
            if one.key[0] == "\0" or two.key[0] == "\0" or two.case or one.case == CAPITALS:
                continue
            word = lexicon.ids.get(one.key + two.key, lexicon.vocab_size)
            if word >= lexicon.vocab_size:
                continue
            known = forms[one.key].known and forms[two.key].known
            prior = weights.merge_known if known else weights.merge
            adjust = weights.rate * float(rate_term(np.float32(one.rate)))
            found.append((at, word, prior + adjust - weights.margin))
        return found


def _last_tokens(tokens: Array) -> Array:
    lengths = (tokens >= 0).sum(axis=1)
    last: Array = tokens[np.arange(len(tokens)), lengths - 1]
    return last
