"""Counting the words of a text of any length in bounded memory, exactly."""

from __future__ import annotations

import heapq
import itertools
import json
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO

from charlm.text.pieces import Piece, blocks

MOST_HELD = 1 << 20  # distinct tokens in memory; more go to a temporary file
MOST_CHUNKS = 1 << 18
_SHORT = 2  # characters of a symbol with its mark
Count = tuple[str, int]


class WordCounter:
    """Counts tokens: chunks as `find` gives them, cut into tokens once each.

    Args:
        find: the chunks of a piece.
        tokens_of: the tokens of a chunk; None where a chunk is one.
        implied: whether a blank between two words is no token.
    """

    def __init__(
        self,
        find: Callable[[str], list[str]],
        tokens_of: Callable[[str], list[str]] | None = None,
        *,
        implied: bool = False,
    ) -> None:
        self._find, self._tokens_of, self._implied = find, tokens_of, implied
        self._chunks: Counter[str] = Counter()
        self._tokens: Counter[str] = Counter()

    def add(self, text: str) -> None:
        """Count the tokens of a piece."""
        for block in blocks(Piece(text)):
            implied = self._implied and block.continued
            self._chunks.update(self._find(block.text[1:] if implied else block.text))
        if len(self._chunks) > MOST_CHUNKS:
            self._cut()

    def __len__(self) -> int:
        return len(self._chunks) + len(self._tokens)

    def take(self) -> dict[str, int]:
        """Return how often each token occurred, and forget it."""
        self._cut()
        counts, self._tokens = dict(self._tokens), Counter()
        return counts

    def _cut(self) -> None:
        if self._tokens_of is None:
            self._tokens.update(self._chunks)
        else:
            for chunk, times in self._chunks.items():
                for token in self._tokens_of(chunk):
                    self._tokens[token] += times
        self._chunks = Counter()


class TokenTotals:
    """The counts of many counters together; more than `most_held` are kept on disk, sorted."""

    def __init__(self, most_held: int | None = None) -> None:
        self._most_held = MOST_HELD if most_held is None else most_held
        self._held: Counter[str] = Counter()
        self._runs: list[IO[str]] = []

    def add(self, counts: Mapping[str, int]) -> None:
        """Add counts to those there are."""
        self._held.update(counts)
        if len(self._held) > self._most_held:
            self._spill()

    def largest(self, most: int | None) -> dict[str, int]:
        """Return all counts; where they filled the memory, those that can matter.

        These are the `most` largest, ties in order of code points, and those of the shortest
        tokens, which stand in for others.
        """
        if not self._runs:
            return dict(self._held)
        if most is None:
            return dict(self._sums())
        short: dict[str, int] = {}
        chosen = heapq.nsmallest(most, _passing_short(self._sums(), short), key=_rank)
        return dict(chosen) | short

    def _sums(self) -> Iterator[Count]:
        runs = [_read_run(run) for run in self._runs]
        merged = heapq.merge(*runs, sorted(self._held.items()))
        for token, group in itertools.groupby(merged, key=lambda count: count[0]):
            yield token, sum(count for _, count in group)

    def _spill(self) -> None:
        import tempfile

        run = tempfile.TemporaryFile("w+", encoding="utf-8", errors="surrogatepass")  # noqa: SIM115
        weakref.finalize(self, run.close)
        run.writelines(f"{json.dumps(count)}\n" for count in sorted(self._held.items()))
        self._runs.append(run)
        self._held = Counter()


def _read_run(run: IO[str]) -> Iterator[Count]:
    run.seek(0)
    for line in run:
        token, count = json.loads(line)
        yield token, count


def _passing_short(counts: Iterable[Count], short: dict[str, int]) -> Iterator[Count]:
    """Yield the counts, noting those of the shortest tokens."""
    for token, count in counts:
        if len(token) <= _SHORT:
            short[token] = count
        yield token, count


def _rank(count: Count) -> tuple[int, str]:
    return -count[1], count[0]
