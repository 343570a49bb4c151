"""Exact log-probabilities from a model of any kind, each in its own fastest way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from charlm.engine import scoring
from charlm.engine.language_model import LanguageModel

if TYPE_CHECKING:
    from charlm.ngram.model import NgramModel

IdArray = npt.NDArray[np.integer[Any]]


def score_ids(model: LanguageModel | NgramModel, ids: IdArray) -> npt.NDArray[np.float64]:
    """Return log p(token | all before it) for each token of a text (time,), in nats."""
    if isinstance(model, LanguageModel):
        return scoring.score_ids(model, ids)
    return model.score_ids(ids)


def evaluate_ids(model: LanguageModel | NgramModel, ids: IdArray) -> tuple[float, int]:
    """Return the negative log-likelihood of a text in nats, and how many tokens it has."""
    if isinstance(model, LanguageModel):
        return scoring.evaluate_ids(model, ids)
    return -float(model.score_ids(ids).sum()), len(ids)
