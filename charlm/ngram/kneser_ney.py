"""Interpolated modified Kneser-Ney smoothing, estimated from counts in one pass an order.

With c the counts of `counting.Level`, D(c) the discount of a count and h' the context h without
its first token:

    p(w | h) = (c(h w) - D(c(h w))) / c(h .)  +  g(h) p(w | h'),    g(h) = sum D(c(h .)) / c(h .)

and the unigrams are interpolated in the same way with 1 / vocab_size, so that a token that was
never seen has a share too.

Source:
    Chen and Goodman (1999), An empirical study of smoothing techniques for language modeling,
    equations 26 and 27; the treatment of sentence starts, of unknown words and of discounts that
    cannot be estimated follows Heafield et al. (2013), lmplz.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.ngram.config import NgramConfig
from charlm.ngram.counting import Bools, IdArray, Level, count_ngrams
from charlm.ngram.model import NgramModel
from charlm.ngram.pruning import choose_kept, renumber

Float64 = npt.NDArray[np.float64]
FALLBACK = (0.5, 1.0, 1.5)


def build_ngram(
    ids: IdArray,
    *,
    vocab_size: int,
    order: int = 5,
    line_ends: Bools | None = None,
    line_end_id: int | None = None,
    min_counts: Sequence[int] = (),
) -> NgramModel:
    """Return the model of a text.

    Args:
        ids: the text, (time,), at least one token.
        vocab_size: ids run from 0 to this, exclusive.
        order: most tokens an n-gram has.
        line_ends: which tokens end a line, (vocab,). The text goes on over them, but what follows
            is also what a text may begin with. None: only its own beginning is.
        line_end_id: the one token that ends a line, where every line is a text of its own.
        min_counts: for bigrams, trigrams and so on, the count below which they are left out of
            the finished model, see `pruning`; those not named are all kept.

    Raises:
        ValueError: if there is no token, or one outside the vocabulary.
    """
    if not len(ids) or ids.min() < 0 or ids.max() >= vocab_size:
        raise ValueError(f"ids must be at least one token from 0 to {vocab_size - 1}")
    apart = line_end_id is not None
    ends = ids[:-1] == line_end_id if apart or line_ends is None else line_ends[ids[:-1]]
    starts = np.concatenate([[0], np.flatnonzero(ends) + 1])
    levels = count_ngrams(ids, order, vocab_size=vocab_size, starts=starts, apart=apart)
    kept = choose_kept(levels, min_counts, vocab_size + 1)
    arrays = _estimate(levels, kept, vocab_size)
    config = NgramConfig(
        order=order,
        vocab_size=vocab_size,
        ngrams=(vocab_size, *(len(arrays[f"keys.{n}"]) for n in range(2, order + 1))),
        line_end_id=line_end_id,
    )
    return NgramModel(config, arrays)


def estimate_discounts(counts: npt.NDArray[np.int64]) -> Float64:
    """Return the discount of counts 0, 1, 2, and 3 or more.

    Where a text is too short or too regular to tell, they are 0.5, 1 and 1.5.

    Example:
        >>> estimate_discounts(np.repeat([1, 2, 3, 4], [8, 4, 2, 1])).tolist()
        [0.0, 0.5, 1.25, 2.0]
    """
    seen = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(float)
    if seen[:3].all():
        share = seen[0] / (seen[0] + 2.0 * seen[1])
        steps = np.arange(1.0, 4.0)
        found = steps - (steps + 1.0) * share * seen[1:] / seen[:3]
        if (found > 0.0).all() and (found <= steps).all():
            return np.concatenate([[0.0], found])
    return np.array([0.0, *FALLBACK])


def _estimate(
    levels: Sequence[Level], kept: Sequence[Bools], vocab_size: int
) -> dict[str, npt.NDArray[Any]]:
    counts = levels[0].counts[:vocab_size]  # the mark itself is never predicted
    taken = estimate_discounts(counts)[np.minimum(counts, 3)]
    total = counts.sum()
    probs: Float64 = (counts - taken + taken.sum() / vocab_size) / total
    arrays: dict[str, npt.NDArray[Any]] = {"log_prob.1": _log(probs)}
    for length, level in enumerate(levels[1:], start=2):
        contexts, here = kept[length - 2], kept[length - 1]
        probs, rest = _interpolate(level, probs, here, len(contexts), vocab_size + 1)
        arrays[f"backoff.{length - 1}"] = _log(rest[contexts])
        arrays[f"keys.{length}"] = renumber(level.keys[here], contexts, vocab_size + 1)
        arrays[f"log_prob.{length}"] = _log(probs[here])
    return arrays


def _interpolate(
    level: Level, lower: Float64, kept: Bools, contexts: int, size: int
) -> tuple[Float64, Float64]:
    """Return p of each n-gram, and the mass each context leaves; 1 where nothing followed it.

    What was seen of n-grams that are not kept is left too. Their own p here is of no use.
    """
    parents = level.keys // size
    taken = estimate_discounts(level.counts)[np.minimum(level.counts, 3)]
    totals = np.bincount(parents, weights=level.counts, minlength=contexts)
    freed = np.where(kept, taken, level.counts)
    left = np.bincount(parents, weights=freed, minlength=contexts)
    rest = np.ones(contexts)
    np.divide(left, totals, out=rest, where=totals > 0)
    probs = (level.counts - taken) / totals[parents] + rest[parents] * lower[level.suffixes]
    return probs, rest


def _log(probs: Float64) -> npt.NDArray[np.float32]:
    return np.log(probs).astype(np.float32)
