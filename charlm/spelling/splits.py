"""Where one word may be two that lost the blank between them: `alot`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from charlm.ngram.probing import ProbingModel
from charlm.spelling.lexicon import Lexicon

_VOWELS = frozenset("aeiouyàéèóаеиоуя")


def find_splits(
    forms: Sequence[str], asked: Sequence[bool], lexicon: Lexicon, model: ProbingModel
) -> dict[int, list[tuple[str, str]]]:
    """Return by number of a form the pairs of words that it may be; both were seen side by side.

    Args:
        forms: spellings. asked: which of them are looked at.
        lexicon: has the words, and `model` their pairs.
    """
    ids, vocab_size = lexicon.ids, lexicon.vocab_size
    cuts: list[tuple[int, str, str]] = []
    for number, form in enumerate(forms):
        for cut in range(1, len(form) - 1 if asked[number] else 0):
            first, second = form[:cut], form[cut:]
            if ids.get(first, vocab_size) >= vocab_size:
                continue
            if ids.get(second, vocab_size) >= vocab_size:
                continue
            if cut > 1 or first in _VOWELS:
                cuts.append((number, first, second))
    if not cuts:
        return {}
    firsts = np.array([ids[first] for _, first, _ in cuts])
    seconds = np.array([ids[second] for _, _, second in cuts])
    good = model.has_pairs(firsts, seconds)
    splits: dict[int, list[tuple[str, str]]] = {}
    for (number, first, second), is_good in zip(cuts, good, strict=True):
        if is_good:
            splits.setdefault(number, []).append((first, second))
    return splits
