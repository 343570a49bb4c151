"""How much each word speaks for the label that a classifier gives: what is lost without it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from charlm.classifying.classifier import Array, Classifier, log_odds, sum_all
from charlm.classifying.recurrent import TOGETHER
from charlm.classifying.words import split_words

MOST_WORDS = 400  # of a text that are explained: each asks for the text once more


class Influence(NamedTuple):
    """A word's place in the text, and the log-odds of the label that are lost without it."""

    start: int
    end: int
    word: str
    influence: float


def explain(classifier: Classifier, text: str, label: int) -> list[Influence]:
    """Return the influence of the words of a text on the odds of a label, in nats.

    Each word is left out in turn (Li et al. 2016): a word has the whole of what it does, in its
    n-grams, in the layers, and by what it makes of its neighbours. Influences do not add up: of
    two words that say the same, neither is missed much. Beyond `MOST_WORDS` none is told.

    Source:
        Li, Monroe and Jurafsky (2016), arXiv:1612.08220.
    """
    spans = word_spans(text, lowercase=classifier.config.lowercase)
    words = [text for _, _, text in spans]
    told = spans[:MOST_WORDS]
    if not told:
        return []
    odds = log_odds(_without_each(classifier, words, len(told)), label)
    lost = log_odds(classifier.logits([words]), label) - odds
    return [
        Influence(*span, float(influence))
        for span, influence in zip(told, lost.tolist(), strict=True)
    ]


def _without_each(classifier: Classifier, words: Sequence[str], number: int) -> Array:
    """Return (number, labels): the logits of a text without each of its first words in turn.

    Only the n-grams around a word go with it, and layers read no more than the beginning of a
    text: so a long text is not asked for as often as it has words.
    """
    parts = []
    if classifier.linear is not None:
        reach = classifier.config.longest_ngram - 1
        near = [(words[max(0, p - reach) : p], words[p + 1 : p + 1 + reach]) for p in range(number)]
        with_it = [[*left, words[p], *right] for p, (left, right) in enumerate(near)]
        both = classifier.linear.logits(with_it + [[*left, *right] for left, right in near])
        parts.append(classifier.linear.logits([words]) + both[number:] - both[:number])
    if classifier.recurrent is not None:
        read = words[: classifier.config.longest + 1]
        size = max(1, TOGETHER // max(1, len(read)))
        texts = ([*read[:place], *read[place + 1 :]] for place in range(number))
        groups = iter(lambda: list(itertools.islice(texts, size)), [])
        parts.append(np.concatenate([classifier.recurrent.logits(group) for group in groups]))
    return sum_all(parts)


def word_spans(text: str, *, lowercase: bool = True) -> list[tuple[int, int, str]]:
    """Return the words of `split_words` with where each begins and ends in the text.

    Example:
        >>> word_spans("It isn't")
        [(0, 2, 'it'), (3, 5, 'is'), (5, 8, "n't")]
    """
    # Splitting drops blanks alone, and folding may make several characters of one.
    places = [
        place
        for place, char in enumerate(text)
        if not char.isspace()
        for _ in (char.lower() if lowercase else char)
    ]
    spans = []
    used = 0
    for word in split_words(text, lowercase=lowercase):
        spans.append((places[used], places[used + len(word) - 1] + 1, word))
        used += len(word)
    return spans
