"""Which n-grams a model keeps: rare long ones cost most of the room and tell least.

What is left out gives its mass to its context's back-off weight, so that probabilities still add
up to one. An n-gram stays if a longer one that stays begins or ends with it: so none is found
whose beginning or end is not.

Source:
    Stolcke's SRILM and Heafield's lmplz drop n-grams by count in the same manner; the discounts
    are those of all counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from charlm.ngram.counting import Bools, Int64, Level


def choose_kept(levels: Sequence[Level], min_counts: Sequence[int], size: int) -> list[Bools]:
    """Return which n-grams of each order stay; all unigrams do.

    Args:
        levels: as counted, unigrams first.
        min_counts: for bigrams, trigrams and so on; beyond its end 1, which keeps all.
        size: tokens and the mark.
    """
    wanted = [0, *min_counts, *[1] * len(levels)]
    kept = [level.counts >= least for level, least in zip(levels, wanted, strict=False)]
    for length in range(len(levels) - 1, 1, -1):
        level, here = levels[length], kept[length]
        kept[length - 1][level.keys[here] // size] = True
        kept[length - 1][level.suffixes[here]] = True
    return kept


def renumber(keys: Int64, contexts: Bools, size: int) -> Int64:
    """Return keys with the indices that their prefixes have among those that stay."""
    if contexts.all():
        return keys
    parents, tokens = np.divmod(keys, size)
    fresh: Int64 = np.cumsum(contexts) - 1
    return fresh[parents] * size + tokens
