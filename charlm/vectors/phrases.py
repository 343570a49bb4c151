"""Words that stand together more often than chance has it, joined into one: new_york."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charlm.vectors.pairs import Pairs
from charlm.vectors.training import WordStream
from charlm.vectors.words import Words

THRESHOLD = 100.0
JOINT = "_"


class Joined(NamedTuple):
    """A text with phrases: its words, and itself as ids of these."""

    words: Words
    stream: WordStream


def choose_phrases(
    pairs: Pairs, counts: npt.NDArray[np.int64], *, min_count: int, threshold: float = THRESHOLD
) -> npt.NDArray[np.int64]:
    """Return the keys of the pairs that are phrases.

    A pair's score is `(count - min_count) / (count of a * count of b) * words of the text`.

    Source:
        Mikolov et al. (2013), arXiv:1310.4546, section 4; the defaults are word2phrase's.
    """
    size = len(counts)
    first, second = pairs.keys // size, pairs.keys % size
    scores = (pairs.weights - min_count) * (float(counts.sum()) / counts[first]) / counts[second]
    chosen: npt.NDArray[np.int64] = pairs.keys[scores > threshold]
    return chosen


def join_phrases(
    words: Words, stream: WordStream, keys: npt.NDArray[np.int64], *, min_count: int
) -> Joined:
    """Return the text with these pairs joined, and its words in order of frequency.

    Words that are left with fewer than `min_count` occurrences by themselves are left out, and so
    are phrases that became rarer because their words were joined to others first.
    """
    from charlm.vectors.pair_kernels import join_pairs

    size = len(stream.counts)
    first, second = keys // size, (keys % size).astype(np.int32)
    starts = np.searchsorted(first, np.arange(size + 1))
    joined = np.arange(size, size + len(keys), dtype=np.int32)

    def read(start: int, stop: int) -> npt.NDArray[np.int32]:
        before = stream.read(start, stop)
        out = np.empty(len(before), np.int32)
        found: npt.NDArray[np.int32] = out[: join_pairs(before, starts, second, joined, out)]
        return found

    counts = np.zeros(size + len(keys), np.int64)
    step = 1 << 20
    for start in range(0, stream.tokens, step):
        found = read(start, min(start + step, stream.tokens))
        counts += np.bincount(found[found >= 0], minlength=len(counts))
    order = np.flatnonzero(counts >= min_count)
    order = order[np.argsort(-counts[order], kind="stable")]
    numbers = np.full(len(counts) + 1, -2, np.int32)
    numbers[order] = np.arange(len(order), dtype=np.int32)
    numbers[-1] = -1  # the end of a text stays one

    def renumbered(start: int, stop: int) -> npt.NDArray[np.int32]:
        found = numbers[read(start, stop)]
        kept: npt.NDArray[np.int32] = found[found != -2]
        return kept

    names = list(words)
    names += [f"{names[a]}{JOINT}{names[b]}" for a, b in zip(first, second, strict=True)]
    unique = _unique([names[place] for place in order])
    return Joined(Words.of(unique), WordStream(counts[order], stream.tokens, renumbered))


def _unique(names: list[str]) -> list[str]:
    """Return the names, a second one of the same spelling (a_b + c, a + b_c) marked."""
    seen: set[str] = set()
    result = []
    for name in names:
        while name in seen:
            name += JOINT
        seen.add(name)
        result.append(name)
    return result
