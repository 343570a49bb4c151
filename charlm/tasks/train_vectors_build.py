"""From a text as word ids to a trainer, by method; GloVe and PMI count pairs of words first."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import numpy.typing as npt

from charlm.tasks.train_events import Work
from charlm.tasks.train_vectors_config import VectorsTrainConfig
from charlm.tasks.train_vectors_data import WordData
from charlm.vectors.factorised import PmiTrainer
from charlm.vectors.glove import GloveTrainer
from charlm.vectors.pairs import PairCounter, Pairs, count_near
from charlm.vectors.training import Settings, Trainer

AnyTrainer = Trainer | GloveTrainer | PmiTrainer


def build_trainer(
    data: WordData, config: VectorsTrainConfig, device: str
) -> Generator[Work, None, AnyTrainer]:
    """Return what trains by the method of the settings, yielding how far pairs are counted.

    Args:
        device: `cpu`, or for SGNS and CBOW `cuda`.

    Raises:
        TaskError: if there are more pairs of words than memory has room for, or no such device.
    """
    counts = data.stream.counts
    if config.method == "glove":
        pairs = yield from _pairs(data, 1.0 / np.arange(1, config.reach + 1))
        return GloveTrainer(
            pairs,
            counts,
            dim=config.dim,
            epochs=config.passes,
            learning_rate=config.rate,
            seed=config.seed,
        )
    if config.method == "pmi-svd":
        # what a window that shrinks at random counts on average
        pairs = yield from _pairs(data, np.arange(config.reach, 0, -1) / config.reach)
        return PmiTrainer(
            pairs, counts, dim=config.dim, exponent=config.ns_exponent, seed=config.seed
        )
    settings = Settings(
        method=config.method,
        dim=config.dim,
        window=config.reach,
        num_negatives=config.num_negatives,
        subsample=config.subsample,
        ns_exponent=config.ns_exponent,
        epochs=config.passes,
        learning_rate=config.rate,
        seed=config.seed,
    )
    if device == "cuda":
        from charlm.vectors.cuda import build_cuda_trainer

        return build_cuda_trainer(data.stream, settings)
    return Trainer(data.stream, settings)


def _pairs(data: WordData, weights: npt.NDArray[np.float64]) -> Generator[Work, None, Pairs]:
    counter = PairCounter(weights)
    for tokens in count_near(data.stream, counter):
        yield Work("counting pairs", data.chars * tokens // data.stream.tokens, data.chars)
    return counter.finish()
