"""From a text to its distinct n-grams of every order, as sorted arrays.

An n-gram is a node of a trie: its key is `index of its prefix * (vocab_size + 1) + last token`, and
its index is the rank of its key among those of its order. The unigrams' indices are the tokens
themselves; the mark, `vocab_size`, comes last. It stands for the beginning of a text and is only
ever the first token of an n-gram.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

IdArray = npt.NDArray[np.integer[Any]]
Int64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Level(NamedTuple):
    """All n-grams of one order, in the order of their keys.

    Attributes:
        keys: (n-grams,), ascending; empty for the unigrams, which are their own indices.
        counts: (n-grams,), what Kneser-Ney counts: of the highest order, and of those that begin
            with the mark, how often they were seen; of others after how many different tokens.
        suffixes: (n-grams,), the index, one order lower, of the n-gram without its first token.
    """

    keys: Int64
    counts: Int64
    suffixes: Int64


class _Places(NamedTuple):
    """Which n-gram of the order at hand is where; -1 for none.

    Attributes:
        ending: (time,), the n-gram that ends at each token.
        marked: (starts,), the n-gram of the mark and the first tokens from each start.
    """

    ending: Int64
    marked: Int64


def count_ngrams(
    ids: IdArray, order: int, *, vocab_size: int, starts: Int64, apart: bool
) -> list[Level]:
    """Return the n-grams of a text, unigrams first.

    Args:
        ids: the text, (time,).
        order: most tokens an n-gram has.
        vocab_size: ids run from 0 to this, exclusive.
        starts: places where a text may be taken to begin, ascending, the first of them 0: n-grams
            of the mark and what follows are counted there.
        apart: whether the texts have nothing to do with each other, so that no n-gram reaches
            over a start. Otherwise it is one text, which goes on as if nobody had begun there.
    """
    size = vocab_size + 1
    inner = np.ones(len(ids), dtype=bool)  # tokens that those before them may precede
    inner[starts if apart else 0] = False
    places = _Places(ids.astype(np.int64), np.full(len(starts), vocab_size))
    empty = np.empty(0, dtype=np.int64)
    level = Level(empty, np.bincount(ids, minlength=size), empty)
    opening = np.arange(size) == vocab_size  # of each n-gram, whether it begins with the mark
    levels = []
    for length in range(2, order + 1):
        longer, places = _extend(ids, size, places, starts + length - 2, inner)
        longer_opening = opening[longer.keys // size]
        left = longer.suffixes if apart else longer.suffixes[~longer_opening]
        # the very first tokens of one long text follow nothing, and count as following one thing
        after = np.maximum(np.bincount(left, minlength=len(level.counts)), level.counts > 0)
        levels.append(level._replace(counts=np.where(opening, level.counts, after)))
        level, opening = longer, longer_opening
    levels.append(level)
    return levels


def _extend(
    ids: IdArray, size: int, places: _Places, last: Int64, inner: Bools
) -> tuple[Level, _Places]:
    """Return the n-grams one token longer, and where they are.

    `last` is where those that begin with the mark at each start now end.
    """
    ends = np.flatnonzero((places.ending[:-1] >= 0) & inner[1:]) + 1
    going = np.flatnonzero((places.marked >= 0) & (last < len(ids)))
    if len(going) and last[0]:  # beyond the first token, which is the start itself
        going = going[inner[last[going]]]
    before = np.concatenate([places.ending[ends - 1], places.marked[going]])
    at = np.concatenate([ends, last[going]])
    keys = before * size + ids[at]
    order = np.argsort(keys)
    keys = keys[order]
    first = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    heads = np.flatnonzero(first)
    index = np.empty(len(keys), dtype=np.int64)
    index[order] = np.cumsum(first) - 1
    counts = np.diff(heads, append=len(keys))
    ending, marked = np.full(len(ids), -1), np.full(len(places.marked), -1)
    ending[ends], marked[going] = index[: len(ends)], index[len(ends) :]
    level = Level(keys[heads], counts, places.ending[at[order[heads]]])
    return level, _Places(ending, marked)
