"""The transforms that stand between a model's logits and a draw, one class each.

A class holds the setting and is what a sampler applies in order; the function of the same meaning
does the work and can be used alone. All take logits of one row (vocab,) or of many (…, vocab).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]


class LogitTransform(Protocol):
    """Turns logits into logits; `recent` are the ids just before, oldest first, a list a row."""

    def __call__(self, logits: FloatArray, recent: Sequence[Sequence[int]]) -> FloatArray:
        """Return the transformed logits (batch, vocab), a new array or the old one unchanged."""


def softmax(logits: FloatArray) -> FloatArray:
    """Return probabilities along the last axis; where every logit is -inf, NaN.

    Example:
        >>> softmax(np.log(np.array([1.0, 3.0]))).round(6)
        array([0.25, 0.75])
    """
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def mask_ids(logits: FloatArray, ids: Sequence[int]) -> FloatArray:
    """Mask the tokens `ids`, so that they are never drawn.

    Shapes:
        logits: (..., vocab).
        returns: as `logits`, a new array, `-inf` where masked.

    Example:
        >>> mask_ids(np.zeros(3), [1])
        array([  0., -inf,   0.])
    """
    masked = logits.copy()
    masked[..., list(ids)] = -np.inf
    return masked


def penalise_repeats(logits: FloatArray, ids: Sequence[int], penalty: float) -> FloatArray:
    """Make the tokens `ids` less likely: positive logits divided by `penalty`, others multiplied.

    Shapes:
        logits: (..., vocab); the same ids hold for every row.
        returns: as `logits`, a new array.

    Args:
        penalty: above 1 discourages, below 1 encourages, 1 changes nothing; more than 0.

    Raises:
        ValueError: if `penalty` is not a finite number above 0.

    Example:
        >>> penalise_repeats(np.array([2.0, -2.0, 2.0]), [0, 1, 1], penalty=2.0)
        array([ 1., -4.,  2.])

    Source:
        Keskar et al. (2019), arXiv:1909.05858, section 4.1.
    """
    if not 0.0 < penalty < math.inf:
        raise ValueError(f"penalty must be a finite number above 0, got {penalty}")
    changed = logits.copy()
    unique = sorted(set(ids))
    chosen = logits[..., unique].astype(np.float64)
    limit = float(np.finfo(logits.dtype).max)  # a huge penalty must not make an infinity
    with np.errstate(over="ignore"):
        scaled = np.where(chosen > 0, chosen / penalty, chosen * penalty)
    changed[..., unique] = np.where(np.isinf(chosen), chosen, np.clip(scaled, -limit, limit))
    return changed


def scale_temperature(logits: FloatArray, temperature: float) -> FloatArray:
    """Divide logits by the temperature: below 1 sharpens the distribution, above 1 flattens it.

    The largest logit is brought to 0 first, so that no small temperature overflows.

    Shapes:
        logits: (..., vocab).
        returns: as `logits`, a new array of float64.

    Raises:
        ValueError: if `temperature` is not a finite number above 0.

    Example:
        >>> softmax(scale_temperature(np.log(np.array([1.0, 2.0])), 0.5)).round(6)
        array([0.2, 0.8])
    """
    if not 0.0 < temperature < math.inf:
        raise ValueError(f"temperature must be a finite number above 0, got {temperature}")
    exact = logits.astype(np.float64)
    top = exact.max(axis=-1, keepdims=True)
    # where a row is all -inf, or has a NaN, it stays so: the draw decides what that means
    shifted = exact - np.where(np.isfinite(top), top, 0.0)
    with np.errstate(over="ignore"):  # -1e300 / 1e-10 is -inf, and meant to be
        return np.asarray(shifted / temperature)


def keep_top_k(logits: FloatArray, k: int) -> FloatArray:
    """Mask all but the `k` likeliest tokens; of equals at the edge the lower ids stay.

    Shapes:
        logits: (..., vocab).
        returns: as `logits`, a new array, `-inf` where masked.

    Args:
        k: how many to keep; 0, or vocab and more, keeps every token.

    Raises:
        ValueError: if `k` is negative.

    Example:
        >>> keep_top_k(np.array([1.0, 3.0, 2.0]), k=2)
        array([-inf,   3.,   2.])

    Source:
        Fan et al. (2018), arXiv:1805.04833.
    """
    if k < 0:
        raise ValueError(f"k must be at least 0, got {k}")
    if k == 0 or k >= logits.shape[-1]:
        return logits.copy()
    order = np.argsort(-logits, axis=-1, kind="stable")[..., :k]
    kept = np.full_like(logits, -np.inf)
    np.put_along_axis(kept, order, np.take_along_axis(logits, order, axis=-1), axis=-1)
    return kept


def keep_top_p(logits: FloatArray, p: float) -> FloatArray:
    """Mask all but the nucleus: the fewest likeliest tokens whose mass reaches `p`.

    Shapes:
        logits: (..., vocab), any leading axes, any float dtype.
        returns: as `logits`, a new array, `-inf` where masked.

    Args:
        logits: unnormalised log-probabilities, in nats.
        p: mass to keep, 0 < p <= 1; 1 keeps every token, and the likeliest always stays.

    Raises:
        ValueError: if `p` is outside (0, 1].

    Example:
        >>> np.exp(keep_top_p(np.log([0.5, 0.3, 0.2]), p=0.7)).round(3)
        array([0.5, 0.3, 0. ])

    Source:
        Holtzman et al. (2020), arXiv:1904.09751, nucleus sampling.
    """
    if not 0.0 < p <= 1.0:
        raise ValueError(f"p must be in (0, 1], got {p}")
    if p == 1.0:  # rounding in the cumulative sum must not drop the tail
        return logits.copy()
    order = np.argsort(-logits, axis=-1, kind="stable")
    probs = softmax(np.take_along_axis(logits, order, axis=-1))
    mass_before = np.cumsum(probs, axis=-1) - probs
    dropped = mass_before >= p
    dropped[..., 0] = False  # rounding must not drop the likeliest
    masked = np.zeros(logits.shape, dtype=bool)
    np.put_along_axis(masked, order, dropped, axis=-1)
    return np.where(masked, -np.inf, logits)


def keep_min_p(logits: FloatArray, p: float) -> FloatArray:
    """Mask the tokens less likely than `p` times the likeliest.

    Shapes:
        logits: (..., vocab).
        returns: as `logits`, a new array, `-inf` where masked.

    Args:
        p: share of the top probability, 0 <= p <= 1; 0 keeps every token.

    Raises:
        ValueError: if `p` is outside [0, 1].

    Example:
        >>> np.exp(keep_min_p(np.log([0.6, 0.3, 0.1]), p=0.4)).round(3)
        array([0.6, 0.3, 0. ])

    Source:
        Nguyen et al. (2024), arXiv:2407.01082.
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"p must be in [0, 1], got {p}")
    if p == 0.0:
        return logits.copy()
    floor = logits.max(axis=-1, keepdims=True) + math.log(p)
    return np.where(logits < floor, -np.inf, logits)


@dataclasses.dataclass(frozen=True)
class MaskIds:
    """Never draw these ids."""

    ids: tuple[int, ...]

    def __call__(self, logits: FloatArray, recent: Sequence[Sequence[int]]) -> FloatArray:
        return mask_ids(logits, self.ids)


@dataclasses.dataclass(frozen=True)
class RepetitionPenalty:
    """Discourage each row's recent ids."""

    penalty: float

    def __call__(self, logits: FloatArray, recent: Sequence[Sequence[int]]) -> FloatArray:
        rows = zip(logits, recent, strict=True)
        return np.stack([penalise_repeats(row, ids, self.penalty) for row, ids in rows])


@dataclasses.dataclass(frozen=True)
class Temperature:
    """Divide by a temperature."""

    temperature: float

    def __call__(self, logits: FloatArray, recent: Sequence[Sequence[int]]) -> FloatArray:
        return scale_temperature(logits, self.temperature)


@dataclasses.dataclass(frozen=True)
class TopK:
    """Keep the k likeliest."""

    k: int

    def __call__(self, logits: FloatArray, recent: Sequence[Sequence[int]]) -> FloatArray:
        return keep_top_k(logits, self.k)


@dataclasses.dataclass(frozen=True)
class TopP:
    """Keep the nucleus of mass p."""

    p: float

    def __call__(self, logits: FloatArray, recent: Sequence[Sequence[int]]) -> FloatArray:
        return keep_top_p(logits, self.p)


@dataclasses.dataclass(frozen=True)
class MinP:
    """Keep what is at least p times as likely as the likeliest."""

    p: float

    def __call__(self, logits: FloatArray, recent: Sequence[Sequence[int]]) -> FloatArray:
        return keep_min_p(logits, self.p)
