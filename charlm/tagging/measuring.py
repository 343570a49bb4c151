"""How well tags were found: accuracy, unknown words apart, each tag, spans."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from charlm.metrics.labels import LabelFigures, confusion, label_figures
from charlm.metrics.spans import SpanFigures, is_bio, span_figures
from charlm.tagging.reading import Sentence
from charlm.tagging.tagger import Tagger


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TagFigures:
    """Figures on annotated sentences; shares are 0 where there is nothing to share out.

    Attributes:
        accuracy: share of the words whose tag is right, `unknown_accuracy` of those alone that
            were not seen in training, `known_accuracy` of the others.
        sentence_accuracy: share of the sentences in which all are.
        unknown_tags: words whose true tag the model has never seen: they count as wrong.
        spans: figures of all spans, then of each label; empty where the tags mark none.
    """

    accuracy: float
    known_accuracy: float
    unknown_accuracy: float
    sentence_accuracy: float
    words: int
    unknown_words: int
    sentences: int
    unknown_tags: int
    tags: tuple[LabelFigures, ...]
    spans: tuple[SpanFigures, ...]


def measure(tagger: Tagger, sentences: Sequence[Sentence]) -> TagFigures:
    """Return the figures of a tagger on annotated sentences.

    Raises:
        ValueError: if there is no sentence.
    """
    if not sentences:
        raise ValueError("there is no sentence to measure on")
    found = tagger.tag([sentence.words for sentence in sentences])
    seen = tagger.is_seen([word for sentence in sentences for word in sentence.words])
    return figures(sentences, found, seen, tagger.config.tags)


def figures(
    sentences: Sequence[Sentence],
    found: Sequence[Sequence[str]],
    seen: Sequence[bool] | np.ndarray[tuple[int], np.dtype[np.bool_]],
    known_tags: Sequence[str],
) -> TagFigures:
    """Return the figures of tags that were found.

    Args:
        sentences: with the true tags.
        found: the tags found, sentence by sentence.
        seen: for every word whether it was seen in training.
        known_tags: the tags that can be found.
    """
    gold = [sentence.tags for sentence in sentences]
    labels = sorted({tag for tags in gold for tag in tags}.union(*map(set, found)))
    index = {label: number for number, label in enumerate(labels)}
    true = np.array([index[tag] for tags in gold for tag in tags])
    guess = np.array([index[tag] for tags in found for tag in tags])
    right, known = true == guess, np.asarray(seen, bool)
    strange = [index[label] for label in labels if label not in set(known_tags)]
    pairs = zip(gold, found, strict=True)
    has_spans = is_bio(labels)
    return TagFigures(
        accuracy=float(right.mean()),
        known_accuracy=_share(right[known]),
        unknown_accuracy=_share(right[~known]),
        sentence_accuracy=sum(list(one) == list(two) for one, two in pairs) / len(sentences),
        words=len(true),
        unknown_words=int((~known).sum()),
        sentences=len(sentences),
        unknown_tags=int(np.isin(true, strange).sum()),
        tags=tuple(label_figures(confusion(true, guess, len(labels)), labels)),
        spans=tuple(span_figures(gold, found)) if has_spans else (),
    )


def _share(right: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    return float(right.mean()) if len(right) else 0.0
