"""How often words stand near each other: sorted pairs with weights, merged as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TaskError
from charlm.vectors.training import WordStream

MOST_PAIRS = 200_000_000  # 2.4 GB of keys and weights
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class Pairs(NamedTuple):
    """Pairs `a * size + b`, ascending, and the weight of each."""

    keys: Ints
    weights: Floats


class PairCounter:
    """Adds up pairs that come in any order, in lists that are merged when they are alike in size.

    Args:
        weights: of pairs of distance 1, 2, …
    """

    def __init__(self, weights: npt.NDArray[Any], most: int = MOST_PAIRS) -> None:
        self._weights = np.asarray(weights, dtype=np.float32)
        self._most = most
        self._runs: list[Pairs] = []

    @property
    def distances(self) -> int:
        """How many distances are told apart."""
        return len(self._weights)

    def add(self, keys: Ints) -> None:
        """Add keys `pair * len(weights) + distance - 1`, which are sorted in place.

        Raises:
            TaskError: if there are too many different pairs.
        """
        from charlm.vectors.pair_kernels import sum_sorted

        keys.sort()
        pairs, sums = np.empty(len(keys), np.int64), np.empty(len(keys), np.float32)
        found = sum_sorted(keys, len(keys), self._weights, pairs, sums)
        self._runs.append(Pairs(pairs[:found].copy(), sums[:found].copy()))
        while len(self._runs) > 1 and len(self._runs[-2].keys) < 2 * len(self._runs[-1].keys):
            self._merge()
        if sum(len(run.keys) for run in self._runs) > self._most:
            self._merge_all()
            if len(self._runs[0].keys) > self._most:
                raise TaskError(
                    f"more than {self._most:,} different pairs of words, which do not fit into "
                    "memory; raise --min-count, or lower --window or --vocab-size"
                )

    def _merge(self) -> None:
        from charlm.vectors.pair_kernels import merge

        b, a = self._runs.pop(), self._runs.pop()
        room = len(a.keys) + len(b.keys)
        keys, weights = np.empty(room, np.int64), np.empty(room, np.float32)
        found = merge(*a, *b, keys, weights)
        self._runs.append(Pairs(keys[:found].copy(), weights[:found].copy()))

    def _merge_all(self) -> None:
        while len(self._runs) > 1:
            self._merge()

    def finish(self) -> Pairs:
        """Return all pairs."""
        self._merge_all()
        if not self._runs:
            return Pairs(np.empty(0, np.int64), np.empty(0, np.float32))
        return self._runs.pop()


def count_near(stream: WordStream, counter: PairCounter) -> Iterator[int]:
    """Count pairs of words near each other, each pair once, the smaller id first.

    The counter's weights say how far apart they may be. Yields how many tokens are read.
    """
    from charlm.vectors.pair_kernels import pair_keys

    window = counter.distances
    step = max(1, min(stream.piece, (1 << 22) // window))

    def keys(words: npt.NDArray[np.int32], out: Ints) -> int:
        return int(pair_keys(words, len(stream.counts), window, out))

    yield from _count(stream, counter, step, keys)


def count_followers(stream: WordStream, counter: PairCounter) -> Iterator[int]:
    """Count how often each word follows each other one; yields how many tokens are read."""
    from charlm.vectors.pair_kernels import follower_keys

    def keys(words: npt.NDArray[np.int32], out: Ints) -> int:
        return int(follower_keys(words, len(stream.counts), out))

    yield from _count(stream, counter, 1 << 20, keys)


def _count(
    stream: WordStream,
    counter: PairCounter,
    step: int,
    write: Callable[[npt.NDArray[np.int32], Ints], int],
) -> Iterator[int]:
    room = np.empty(step * counter.distances, np.int64)
    for start in range(0, stream.tokens, step):
        stop = min(start + step, stream.tokens)
        words = stream.read(start, stop)
        counter.add(room[: write(words, room)])
        yield stop
