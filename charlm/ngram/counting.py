"""From a text to its distinct n-grams of every order, as sorted arrays.

An n-gram is a node of a trie: its key is `index of its prefix * (vocab_size + 1) + last token`, and
its index is the rank of its key among those of its order. The unigrams' indices are the tokens
themselves, and the mark before a text, `vocab_size`, comes last.
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
        counts: (n-grams,), what Kneser-Ney counts: for the highest order, and after the mark, how
            often the n-gram was seen; else after how many different tokens it was.
        suffixes: (n-grams,), the index, one order lower, of the n-gram without its first token.
    """

    keys: Int64
    counts: Int64
    suffixes: Int64


def mark_text(ids: IdArray, mark: int, line_end_id: int | None = None) -> Int64:
    """Return a text with the mark before it, and before every line that `line_end_id` parts.

    Example:
        >>> mark_text(np.array([5, 1, 6, 1]), mark=9, line_end_id=1).tolist()
        [9, 5, 1, 9, 6, 1]
    """
    starts = np.zeros(1, dtype=np.int64)
    if line_end_id is not None:
        ends = np.flatnonzero(ids == line_end_id) + 1
        starts = np.concatenate([starts, ends[ends < len(ids)]])
    return np.insert(np.asarray(ids, dtype=np.int64), starts, mark)


def count_ngrams(stream: IdArray, order: int, mark: int) -> list[Level]:
    """Return the n-grams of a text, unigrams first; none reaches over a mark.

    Args:
        stream: the text as `mark_text` gives it.
        order: most tokens an n-gram has.
        mark: the id before a text, one above the highest token.
    """
    empty = np.empty(0, dtype=np.int64)
    nodes: Int64 = stream.astype(np.int64)  # of the n-gram that ends at each place, -1 for none
    is_token = nodes != mark
    opening = np.arange(mark + 1) == mark  # of each n-gram, whether it begins with the mark
    level = Level(empty, np.bincount(nodes, minlength=mark + 1), empty)
    levels = []
    for _ in range(1, order):
        longer, nodes = _extend(nodes, stream, is_token, mark + 1)
        left = np.bincount(longer.suffixes, minlength=len(level.counts))
        levels.append(level._replace(counts=np.where(opening, level.counts, left)))
        opening, level = opening[longer.keys // (mark + 1)], longer
    levels.append(level)
    return levels


def _extend(nodes: Int64, stream: IdArray, is_token: Bools, size: int) -> tuple[Level, Int64]:
    """Return the n-grams one token longer, and which of them ends at each place."""
    places = np.flatnonzero((nodes[:-1] >= 0) & is_token[1:]) + 1
    keys = nodes[places - 1] * size + stream[places]
    order = np.argsort(keys)
    keys = keys[order]
    places = places[order]
    first = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    counts = np.diff(starts, append=len(keys))
    found = np.full(len(nodes), -1, dtype=np.int64)
    found[places] = np.cumsum(first) - 1
    return Level(keys[starts], counts, nodes[places[starts]]), found
