"""Where two readings of a word are nearly as good: what the recurrent networks say of them.

They read the text as the n-grams left it, then as they left it themselves, so that what they say of
a line depends on that line and those before. What they cannot judge, two words in the place of one,
stays where n-grams put it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.spelling.judging import Judge
from charlm.spelling.priors import Table, best_rows
from charlm.spelling.sentences import Position
from charlm.spelling.weights import Weights

Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]

_CLOSE = 8.0  # nats that the networks may turn
ROUNDS = 2  # the second reads what the first decided


class CloseCalls:
    """Decides close calls by what a judge says, and how much that weighs."""

    def __init__(self, judge: Judge, weights: Weights) -> None:
        self._judge, self._weights = judge, weights

    def decide(
        self,
        table: Table,
        positions: Sequence[Position],
        lines: Sequence[str],
        context: Float32,
        score: Float32,
        chosen: Int64,
    ) -> tuple[Float32, Float32, Int64]:
        """Return context, score and chosen rows anew, the networks being heard."""
        line = np.array([position.line for position in positions], dtype=np.int64)
        rows = self._close(table, line, score, chosen)
        self._judge.take(table, positions, lines)
        before: dict[int, bytes] = {}
        own_context, own_score = context, score
        for number in range(ROUNDS):
            text, begin, end, stop = self._judge.read(chosen, number)
            starts, ends = _lines(line, begin, stop)
            read = (text, starts, ends)
            rows = _anew(rows, table.position, line, read, before, self._judge.reach)
            if not len(rows):
                continue
            asked, gap = np.unique(table.position[rows], return_inverse=True)
            vectors = self._judge.vectors(
                text, starts[asked], ends[asked], begin[asked], end[asked]
            )
            moved = self._moved(table, rows, vectors[gap], own_context, own_score)
            context, score, chosen = context.copy(), score.copy(), chosen.copy()
            context[rows] = own_context[rows] + moved
            score[rows] = own_score[rows] + self._weights.model * moved
            best = best_rows(table.position[rows], score[rows], table.positions)
            chosen[asked] = rows[best[asked]]
        return context, score, chosen

    def _moved(
        self, table: Table, rows: Int64, vectors: Float32, context: Float32, score: Float32
    ) -> Float32:
        """Return how far the networks move the contexts of rows, beside the best of a position."""
        words, position = self._judge.words(rows), table.position[rows]
        single = words >= 0
        heard = rows[single]
        if not len(heard):
            return np.zeros(len(rows), dtype=np.float32)
        said = np.zeros(len(rows), dtype=np.float32)
        said[single] = self._judge.scores(vectors[single], words[single])
        best = best_rows(position[single], score[heard], table.positions)[position]
        shift = (said - said[single][best]) - (context[rows] - context[heard[best]])
        return np.asarray(np.where(single, self._weights.cloze * shift, np.float32(0.0)))

    def _close(self, table: Table, line: Int64, score: Float32, chosen: Int64) -> Int64:
        """Return the rows of all positions where another is nearly as good as the best."""
        near = score >= score[chosen][table.position] - np.float32(_CLOSE)
        near &= line[table.position] >= 0
        count = np.bincount(table.position[near], minlength=table.positions)
        return np.flatnonzero(near & (count[table.position] > 1))


def _lines(line: Int64, begin: Int64, end: Int64) -> tuple[Int64, Int64]:
    """Return where the line of each position begins and ends."""
    inside = np.flatnonzero(line >= 0)
    first = np.full(int(line.max(initial=0)) + 1, np.iinfo(np.int64).max)
    last = np.zeros(len(first), dtype=np.int64)
    np.minimum.at(first, line[inside], begin[inside])
    np.maximum.at(last, line[inside], end[inside])
    return first[np.maximum(line, 0)], last[np.maximum(line, 0)]


def _anew(
    rows: Int64,
    position: Int64,
    line: Int64,
    read: tuple[Int64, Int64, Int64],
    before: dict[int, bytes],
    reach: int,
) -> Int64:
    """Return the rows of lines that are read otherwise than `before`, which is kept up to date."""
    text, starts, ends = read
    lines, first = np.unique(line[position[rows]], return_index=True)
    changed = np.zeros(int(lines.max(initial=0)) + 1, dtype=bool)
    for number, at in zip(lines.tolist(), position[rows[first]].tolist(), strict=True):
        words = text[max(0, int(starts[at]) - reach) : int(ends[at])].tobytes()
        changed[number] = before.get(number) != words
        before[number] = words
    return rows[changed[line[position[rows]]]]
