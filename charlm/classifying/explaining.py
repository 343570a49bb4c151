"""How much each word speaks for the label that a classifier gives: what is lost without it."""

from __future__ import annotations

from typing import NamedTuple

from charlm.classifying.classifier import Classifier, log_odds
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
    without = [words[:place] + words[place + 1 :] for place in range(len(told))]
    odds = log_odds(classifier.logits([words, *without]), label)
    lost = odds[0] - odds[1:]
    return [
        Influence(*span, float(influence))
        for span, influence in zip(told, lost.tolist(), strict=True)
    ]


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
