"""Endings and beginnings that make words of words, learnt from a list of words.

An unknown word that is a known one with such an ending (`lounger`, `misstate`), or two known words
in one (`seatbelt`), is more likely rare than wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

_LEAST_STEM = 4
_LONGEST = 4
_STEMS = 20_000
_KNOWN = 40_000
_LEAST_SHARE = 0.002
_MOST = 24
_VOWELS = frozenset("aeiouy")


def learn_affixes(words: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the endings and the beginnings that many of the most frequent words take.

    Example:
        >>> stems = ["walk", "talk", "look", "cook"]
        >>> learn_affixes(stems + [word + "ed" for word in stems])
        (('ed',), ())
    """
    frequent = [word for word in words[:_STEMS] if len(word) >= _LEAST_STEM]
    known = frozenset(frequent)
    endings: Counter[str] = Counter()
    beginnings: Counter[str] = Counter()
    for word in frequent:
        for size in range(1, min(_LONGEST, len(word) - _LEAST_STEM) + 1):
            if word[:-size] in known:
                endings[word[-size:]] += 1
            if word[size:] in known:
                beginnings[word[:size]] += 1
    least = max(3, int(len(frequent) * _LEAST_SHARE))
    return tuple(_common(endings, least)), tuple(_common(beginnings, least))


def _common(counts: Counter[str], least: int) -> list[str]:
    return [affix for affix, count in counts.most_common(_MOST) if count >= least]


def is_derived(
    form: str, ids: Mapping[str, int], endings: Sequence[str], beginnings: Sequence[str]
) -> bool:
    """Return whether a form is made of known words in a usual way."""

    def known(word: str) -> bool:
        return len(word) >= _LEAST_STEM and ids.get(word, _KNOWN) < _KNOWN

    for ending in endings:
        if form.endswith(ending):
            stem = form[: -len(ending)]
            doubled = len(stem) > _LEAST_STEM and stem[-1:] == stem[-2:-1]
            dropped = ending[0] in _VOWELS and known(stem + "e")  # mak(e)ing
            if known(stem) or dropped or (doubled and known(stem[:-1])):
                return True
    swapped = (form[:at] + "z" + form[at + 1 :] for at in range(2, len(form) - 1))
    if any(form[at - 1 : at + 1] == "is" and known(one) for at, one in enumerate(swapped, 2)):
        return True  # maximisation, where maximization is known
    if any(form.startswith(one) and known(form[len(one) :]) for one in beginnings):
        return True
    cuts = range(_LEAST_STEM, len(form) - _LEAST_STEM + 1)
    return any(known(form[:cut]) and known(form[cut:]) for cut in cuts)
