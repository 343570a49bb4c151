"""A classifier's figures on labelled texts."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from charlm.classifying.classifier import Classifier
from charlm.metrics.labels import LabelFigures, confusion, label_figures
from charlm.tasks.classify import OpenClassifier, groups
from charlm.tasks.labelled import LabelledTexts, read_labelled
from charlm.tasks.train_classifier_config import LabelledConfig


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """Figures over labelled texts.

    Attributes:
        accuracy: share of texts whose likeliest label is theirs.
        macro_f1: mean F1 of the labels that occur.
        nats_per_text: mean of -log p(its label), over texts whose label the model knows;
            NaN where there are none.
        texts: how many.
        unseen: labels that the model does not have, with the number of texts; all are wrong.
    """

    accuracy: float
    macro_f1: float
    nats_per_text: float
    texts: int
    labels: tuple[LabelFigures, ...]
    confusion: npt.NDArray[np.int64]
    unseen: tuple[tuple[str, int], ...] = ()

    def record(self) -> dict[str, float]:
        """Return the figures that one number says, for `training.json` and JSON lines."""
        return {
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "nats_per_text": self.nats_per_text,
            "texts": self.texts,
        }


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierEvaluation:
    """The figures of a model on files."""

    model: str
    file: str
    judgement: Judgement
    warnings: tuple[str, ...]


def evaluate_classifier(
    opened: OpenClassifier, files: Sequence[str], config: LabelledConfig
) -> ClassifierEvaluation:
    """Return the figures of a classifier on labelled files.

    Raises:
        CorpusError: if they cannot be read or are malformed.
    """
    data = read_labelled(files, config, keep_empty=True)
    judged = judge(opened.classifier, data)
    warnings = list(data.warnings)
    if judged.unseen:
        shown = ", ".join(f"{label[:40]!r} ({n:,})" for label, n in judged.unseen[:5])
        more = " …" if len(judged.unseen) > 5 else ""
        warnings.append(f"labels that the model has not, counted as wrong: {shown}{more}")
    return ClassifierEvaluation(
        model=opened.name, file=" ".join(files), judgement=judged, warnings=tuple(warnings)
    )


def judge(classifier: Classifier, data: LabelledTexts) -> Judgement:
    """Return the figures of a classifier on labelled texts."""
    rows = [classifier.probabilities(group) for group in groups(data.texts)]
    return judge_probabilities(np.concatenate(rows), data.labels, classifier.config.labels)


def judge_probabilities(
    probabilities: npt.NDArray[np.floating], gold: Sequence[str], labels: Sequence[str]
) -> Judgement:
    """Return the figures of probabilities (texts, labels) against the texts' labels."""
    unseen = Counter(label for label in gold if label not in set(labels))
    names = [*labels, *sorted(unseen)]
    places = {label: place for place, label in enumerate(names)}
    true = np.array([places[label] for label in gold])
    found = probabilities.argmax(axis=1)
    counts = confusion(true, found, len(names))
    figures = label_figures(counts, names)
    known = true < len(labels)
    right = probabilities[known, true[known]]
    return Judgement(
        accuracy=float((true == found).mean()),
        macro_f1=float(np.mean([one.f1 for one in figures if one.gold])),
        nats_per_text=float(-np.log(np.maximum(right, 1e-30)).mean()) if known.any() else math.nan,
        texts=len(gold),
        labels=tuple(figures),
        confusion=counts,
        unseen=tuple(sorted(unseen.items())),
    )
