"""Exact log-probabilities from a model of any kind, each in its own fastest way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from charlm.engine import scoring
from charlm.engine.language_model import LanguageModel
from charlm.engine.mixture import Mixture, mix

if TYPE_CHECKING:
    from charlm.models.scoring import TorchModel
    from charlm.ngram.model import NgramModel

    AnyModel: TypeAlias = LanguageModel | NgramModel | Mixture | TorchModel

IdArray = npt.NDArray[np.integer[Any]]
Scores: TypeAlias = npt.NDArray[np.float64]


def score_ids(model: AnyModel, ids: IdArray) -> Scores:
    """Return log p(token | all before it) for each token of a text (time,), in nats."""
    if isinstance(model, Mixture):
        return _mixed(model, [score_ids(part, ids) for part in _parts(model)])
    if isinstance(model, LanguageModel):
        return scoring.text_scores(model, ids)
    return model.score_ids(ids)


def score_batch(model: AnyModel, texts: Sequence[IdArray]) -> list[Scores]:
    """Return `score_ids` of every text, in order; many at once are much faster."""
    if isinstance(model, Mixture):
        tables = [score_batch(part, texts) for part in _parts(model)]
        return [_mixed(model, list(row)) for row in zip(*tables, strict=True)]
    if isinstance(model, LanguageModel):
        return scoring.score_batch(model, texts)
    return model.score_batch(texts)


def takes_blocks(model: AnyModel) -> bool:
    """Return whether `block_scorer` knows a way: not for models on a GPU."""
    parts = _parts(model) if isinstance(model, Mixture) else [model]
    return not any(hasattr(part, "device") for part in parts)


def block_scorer(model: AnyModel) -> Callable[[IdArray], Scores]:
    """Return a function that scores a text block after block, remembering what came before.

    The memory it takes is that of a block. The model is one that `takes_blocks`.
    """
    if isinstance(model, Mixture):
        own = [block_scorer(part) for part in _parts(model)]
        return lambda ids: _mixed(model, [score(ids) for score in own])
    if isinstance(model, LanguageModel):
        return scoring.TextReader(model).score
    return _ngram_scorer(model)  # type: ignore[arg-type]


def _ngram_scorer(model: NgramModel) -> Callable[[IdArray], Scores]:
    """An n-gram model forgets all but the last tokens: they are read again before each block."""
    before = np.empty(0, dtype=np.int64)

    def score(ids: IdArray) -> Scores:
        nonlocal before
        joined = np.concatenate([before, ids])
        scores = model.score_ids(joined)[len(before) :]
        before = joined[max(0, len(joined) - model.config.order) :]
        return scores

    return score


def evaluate_ids(model: AnyModel, ids: IdArray) -> tuple[float, int]:
    """Return the negative log-likelihood of a text in nats, and how many tokens it has."""
    return -float(score_ids(model, ids).sum()), len(ids)


def _parts(model: Mixture) -> Sequence[Any]:
    return model.models


def _mixed(model: Mixture, scores: list[Scores]) -> Scores:
    return np.asarray(mix(scores, model.weights))
