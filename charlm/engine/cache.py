"""A neural cache: words that followed states like the present one come again.

    p(w) = (1 − share) · p_model(w) + share · p_cache(w)
    p_cache(w) ∝ Σ_i exp(sharpness · h_t · h_i) [w = x_{i+1}]    over the last `window` tokens

with h_t what the output layer reads before token t+1.

Source:
    Grave, Joulin and Usunier (2017), Improving neural language models with a continuous cache,
    arXiv:1612.04426.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.engine.config import LanguageModelConfig
from charlm.engine.gradients import forward, zero_state

IdArray = npt.NDArray[np.integer[Any]]
Float64 = npt.NDArray[np.float64]

SPAN = 256  # tokens whose states are compared with the window at once
SHARPNESSES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.7, 1.0)  # tried in tuning


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class CacheSettings:
    """How much the cache counts, how alike states must be, and how far back it reaches."""

    share: float = 0.1
    sharpness: float = 0.3
    window: int = 2000


def read_features(
    config: LanguageModelConfig, tensors: Mapping[str, Any], ids: IdArray
) -> tuple[npt.NDArray[np.float32], Float64]:
    """Return what the output layer reads before each token (time, features), and its log p."""
    inputs = np.concatenate([[config.bos_id], ids[:-1]])
    state = zero_state(config)
    features = np.empty((len(ids), config.output_size), dtype=np.float32)
    scores = np.empty(len(ids))
    for start in range(0, len(ids), SPAN):
        part = slice(start, start + SPAN)
        tape = forward(config, tensors, inputs[part], state)
        state, features[part] = tape.state, tape.features
        targets = ids[part]
        scores[part] = tape.log_probs[np.arange(len(targets)), targets]
    return features, scores


def cache_probs(
    features: npt.NDArray[np.float32], ids: IdArray, *, sharpness: float, window: int
) -> Float64:
    """Return p_cache of each token of a text, (time,); 0 for the first, which has no cache.

    Args:
        features: what the output layer reads before each token, (time, features).
        ids: the tokens, (time,).
    """
    probs = np.zeros(len(ids))
    for start in range(0, len(ids), SPAN):
        stop = min(start + SPAN, len(ids))
        first = max(0, start - window)
        places = np.arange(first, stop)
        # token `place` was predicted from features[place]; token t may look at places before t
        likeness = features[start:stop] @ features[first:stop].T * np.float32(sharpness)
        now = np.arange(start, stop)[:, None]
        seen = (places < now) & (places >= now - window)
        likeness = np.where(seen, likeness, -np.inf)
        top = likeness.max(axis=1, keepdims=True)
        weights = np.exp(likeness - np.where(np.isfinite(top), top, 0.0))
        same = ids[first:stop] == ids[start:stop, None]
        total = weights.sum(axis=1)
        found = (weights * same).sum(axis=1)
        probs[start:stop] = np.divide(found, total, out=np.zeros(stop - start), where=total > 0)
    return probs


def with_cache(scores: Float64, cached: Float64, share: float) -> Float64:
    """Return log p of tokens from the model's log p and the cache's p; the first has no cache."""
    mixed = (1.0 - share) * np.exp(scores) + share * cached
    mixed[:1] = np.exp(scores[:1])
    # A token that is all but impossible to both keeps what the model says, scaled.
    low = np.log1p(-share) + scores
    return np.asarray(np.where(mixed > 0.0, np.log(np.maximum(mixed, 1e-300)), low))


def tune_cache(
    features: npt.NDArray[np.float32],
    scores: Float64,
    ids: IdArray,
    *,
    window: int,
    sharpnesses: Sequence[float] = SHARPNESSES,
) -> CacheSettings:
    """Return the settings under which a text is likeliest.

    The best share for a sharpness is found by a search between 0 and 1, over which the likelihood
    has one maximum.
    """
    best, settings = -np.inf, CacheSettings(window=window)
    for sharpness in sharpnesses:
        cached = cache_probs(features, ids, sharpness=sharpness, window=window)
        low, high = 0.0, 0.9
        for _ in range(25):
            left, right = low + (high - low) / 3, high - (high - low) / 3
            sums = [float(with_cache(scores, cached, share).sum()) for share in (left, right)]
            low, high = (left, high) if sums[0] < sums[1] else (low, right)
        share = round((low + high) / 2, 4)
        total = float(with_cache(scores, cached, share).sum())
        if total > best:
            best = total
            settings = CacheSettings(share=share, sharpness=sharpness, window=window)
    return settings
