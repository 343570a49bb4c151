"""Tell the labels of texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from charlm.base.errors import CheckpointError, TaskError
from charlm.classifying.classifier import Classifier
from charlm.classifying.explaining import Influence, explain
from charlm.classifying.folder import KIND, restore_classifier
from charlm.store.checkpoint import load_model
from charlm.store.locate import find_model

_TOGETHER = 1 << 18  # characters of texts that are classified together
_MOST_TOGETHER = 2048


@dataclasses.dataclass(frozen=True, slots=True)
class OpenClassifier:
    """A classifier ready to be asked. `note` says which was chosen, where nobody named one."""

    name: str
    folder: Path
    classifier: Classifier
    note: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Classified:
    """A text with its likeliest labels, each with its probability, the likeliest first.

    `words` says how much each speaks for the first label, where that was asked for.
    """

    text: str
    labels: tuple[tuple[str, float], ...]
    words: tuple[Influence, ...] = ()

    @property
    def label(self) -> str:
        """The likeliest label."""
        return self.labels[0][0]

    @property
    def probability(self) -> float:
        """How probable that is."""
        return self.labels[0][1]


def open_classifier(name: str | None = None) -> OpenClassifier:
    """Return the classifier of that name or folder; None takes the newest.

    Raises:
        CheckpointError: if there is none of that name, or it is damaged.
        TaskError: if none was made yet.
    """
    try:
        found = find_model(name, (KIND,))
    except CheckpointError as error:
        if name is not None:
            raise
        raise TaskError(
            "no classifier yet; charlm train classifier FILE makes one of labelled texts"
        ) from error
    stored = load_model(found.folder, kinds=(KIND,))
    return OpenClassifier(
        found.folder.resolve().name, found.folder, restore_classifier(stored), found.how
    )


def classify(
    opened: OpenClassifier, texts: Sequence[str], *, top: int = 1, explained: bool = False
) -> Iterator[Classified]:
    """Yield the likeliest labels of texts, in their order.

    Args:
        top: how many labels of each; all, if there are no more.
        explained: tell also how much each word speaks for the likeliest.
    """
    classifier = opened.classifier
    names = classifier.config.labels
    for group in groups(texts):
        probabilities = classifier.probabilities(group)
        order = (-probabilities).argsort(axis=1, kind="stable")[:, :top].tolist()
        for text, best, row in zip(group, order, probabilities.tolist(), strict=True):
            words = explain(classifier, text, best[0]) if explained else ()
            yield Classified(
                text, tuple((names[place], row[place]) for place in best), tuple(words)
            )


def groups(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield texts in groups of a bounded size."""
    group: list[str] = []
    size = 0
    for text in texts:
        if group and (size + len(text) > _TOGETHER or len(group) >= _MOST_TOGETHER):
            yield group
            group, size = [], 0
        group.append(text)
        size += len(text)
    if group:
        yield group
