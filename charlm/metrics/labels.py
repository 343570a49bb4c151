"""Gold and predicted labels to accuracy, precision, recall, F1 and confusion."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, slots=True)
class LabelFigures:
    """How one label was found: shares are 0 where there is nothing to share out."""

    label: str
    precision: float
    recall: float
    f1: float
    gold: int
    predicted: int


def confusion(gold: npt.ArrayLike, predicted: npt.ArrayLike, number: int) -> Ints:
    """Return how often each label (row) was taken for each (column).

    Args:
        gold: indices of labels.
        predicted: as many.
        number: of labels.

    Example:
        >>> confusion([0, 0, 1], [0, 1, 1], 2)
        array([[1, 1],
               [0, 1]])
    """
    gold, predicted = np.asarray(gold, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    counts = np.bincount(gold * number + predicted, minlength=number * number)
    return counts.reshape(number, number).astype(np.int64)


def label_figures(counts: Ints, labels: Sequence[str]) -> list[LabelFigures]:
    """Return the figures of each label from a confusion matrix.

    Example:
        >>> label_figures(confusion([0, 0, 1], [0, 0, 1], 2), ["a", "b"])[0]
        LabelFigures(label='a', precision=1.0, recall=1.0, f1=1.0, gold=2, predicted=2)
    """
    return [
        _figures(label, int(counts[i, i]), int(counts[i].sum()), int(counts[:, i].sum()))
        for i, label in enumerate(labels)
    ]


def _figures(label: str, right: int, gold: int, predicted: int) -> LabelFigures:
    return LabelFigures(
        label,
        right / predicted if predicted else 0.0,
        right / gold if gold else 0.0,
        2 * right / (gold + predicted) if gold + predicted else 0.0,
        gold,
        predicted,
    )
