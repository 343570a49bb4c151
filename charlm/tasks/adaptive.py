"""Figures of a model that adapts to what it reads: dynamic evaluation and neural cache."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TaskError
from charlm.engine.blas import blas_threads
from charlm.engine.cache import (
    CacheSettings,
    cache_probs,
    read_features,
    tune_cache,
    with_cache,
)
from charlm.engine.config import LanguageModelConfig
from charlm.engine.dynamic import DynamicSettings, GradientSizes, dynamic_scores
from charlm.engine.language_model import to_float32
from charlm.tasks.load import OpenModel, model_config

logger = logging.getLogger(__name__)

IdArray = npt.NDArray[np.integer[Any]]
Float64 = npt.NDArray[np.float64]
Scorer = Callable[[IdArray, DynamicSettings], Float64]

# Where no text is given to learn gradient sizes from, the model writes one.
OWN_TOKENS = 4000
TUNING_TOKENS = 20_000
RATES = (3e-4, 1e-3, 3e-3)
DECAYS = (0.0, 1e-3, 1e-2)
# Weights a step reads; smaller ones are read before a second BLAS thread has woken.
SHARED_BYTES = 4 * 2**20


@dataclasses.dataclass(frozen=True, slots=True)
class Network:
    """The weights of a recurrent model as they were trained."""

    config: LanguageModelConfig
    tensors: dict[str, npt.NDArray[np.float32]]

    @property
    def threads(self) -> int | None:
        """How many BLAS threads suit its steps."""
        largest = max(tensor.nbytes for name, tensor in self.tensors.items() if "_hh" in name)
        return 1 if largest < SHARED_BYTES else None


def open_network(opened: OpenModel, option: str) -> Network:
    """Return the weights of a model.

    Raises:
        TaskError: if it is not one recurrent model.
    """
    if opened.stored.kind != "lm" or hasattr(opened.model, "models"):
        raise TaskError(f"{option} needs one recurrent model; {opened.name!r} is none")
    config = model_config(opened.stored)
    return Network(config, to_float32(config, opened.stored.tensors(config.tensor_shapes())))


def cached(
    opened: OpenModel, ids: IdArray, settings: CacheSettings, tuning: IdArray | None
) -> tuple[Float64, CacheSettings]:
    """Return log p of each token with a neural cache, and the settings that were used.

    Args:
        settings: used as they are, unless there is a text to tune on.
        tuning: ids of another text, to find share and sharpness on.

    Raises:
        TaskError: if the model is not a recurrent one of words or subwords.
    """
    network = open_network(opened, "--cache")
    if opened.tokenizer.name in ("char", "byte"):
        raise TaskError(
            f"--cache needs a model of words or subwords; the tokens of {opened.name!r} are "
            f"{opened.tokenizer.name}s"
        )
    with blas_threads(network.threads):
        if tuning is not None:
            features, scores = read_features(network.config, network.tensors, tuning)
            settings = tune_cache(features, scores, tuning, window=settings.window)
        features, scores = read_features(network.config, network.tensors, ids)
    found = cache_probs(features, ids, sharpness=settings.sharpness, window=settings.window)
    return with_cache(scores, found, settings.share), settings


def adapted(
    opened: OpenModel, ids: IdArray, settings: DynamicSettings, tuning: IdArray | None
) -> tuple[Float64, DynamicSettings]:
    """Return log p of each token under dynamic evaluation, and the settings that were used.

    How large gradients usually are is learnt from the tuning text, else from a text that the
    model itself writes.

    Args:
        settings: used as they are, unless there is a text to tune on.
        tuning: ids of another text, to find rate and decay on.

    Raises:
        TaskError: if the model is not a recurrent one.
    """
    network = open_network(opened, "--dynamic")
    sample = _own_text(opened) if tuning is None else tuning[:TUNING_TOKENS]
    with blas_threads(network.threads):
        score = _scorer(opened, network, sample, settings.segment)
        if tuning is not None:
            settings = _tune(score, tuning[:TUNING_TOKENS], settings)
        return score(ids, settings), settings


def _scorer(opened: OpenModel, network: Network, sample: IdArray, segment: int) -> Scorer:
    """Return dynamic evaluation, on the device of the model, by gradient sizes from a sample."""
    device = getattr(opened.model, "device", None)
    if device is None:
        sizes = GradientSizes(network.config, network.tensors, sample, segment=segment)
        return lambda ids, settings: dynamic_scores(
            network.config, network.tensors, ids, sizes, settings
        )
    from charlm.models import dynamic

    reader = dynamic.SegmentReader(network.config, network.tensors, device)
    there = dynamic.gradient_sizes(reader, sample, segment=segment)
    return lambda ids, settings: dynamic.dynamic_scores(reader, ids, there, settings)


def _tune(score: Scorer, ids: IdArray, settings: DynamicSettings) -> DynamicSettings:
    """Return the rate and then the decay, of a few, under which a text is likeliest."""

    def total(candidate: DynamicSettings) -> float:
        value = float(score(ids, candidate).sum())
        logger.info("%s: %.4f nats a token", candidate, -value / len(ids))
        return value

    rates = [dataclasses.replace(settings, rate=rate) for rate in RATES]
    settings = max(rates, key=total)
    decays = dict.fromkeys((settings.decay, *DECAYS))
    return max((dataclasses.replace(settings, decay=decay) for decay in decays), key=total)


def _own_text(opened: OpenModel) -> IdArray:
    from charlm.generation.generate import generate
    from charlm.generation.sampling import SamplingConfig

    config = SamplingConfig(max_new_tokens=OWN_TOKENS, temperature=1.0, seed=0)
    model: Any = opened.model
    of_device = getattr(model, "generate", None)  # a GPU draws on its own
    tokens = of_device([], config) if of_device else generate(model, [], config)
    return np.array([token.id for token in tokens])
