"""What words are associated with: WEAT, and projections onto the direction between two words."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charlm.vectors.permutation import permutation_test

Floats = npt.NDArray[np.float64]


class Weat(NamedTuple):
    """A word embedding association test.

    Attributes:
        first, second: the association of each target word, positive towards attributes a.
        statistic: the sum of the first less that of the second.
        effect_size: the difference of their means in standard deviations of all, -2 to 2 where
            there are as many of both; NaN where all are equal.
        p_value: how probable so large a statistic is were the targets dealt at random.
        partitions: that this was reckoned from; `exact` if they are all there are.
    """

    first: Floats
    second: Floats
    statistic: float
    effect_size: float
    p_value: float
    partitions: int
    exact: bool


def directions(rows: npt.NDArray[np.generic]) -> Floats:
    """Return rows of length 1 in float64; a row of zeros stays one."""
    wide = np.asarray(rows, dtype=np.float64)
    # by the largest number first, whose square may leave float64
    largest = np.abs(wide).max(axis=-1, keepdims=True, initial=0.0)
    scaled = wide / np.where(largest > 0, largest, 1.0)
    norms = np.linalg.norm(scaled, axis=-1, keepdims=True)
    found: Floats = scaled / np.where(norms > 0, norms, 1.0)
    return found


def associations(targets: Floats, first: Floats, second: Floats) -> Floats:
    """Return the mean cosine of each target with the first attributes less that with the second.

    Shapes:
        targets, first, second: (words, dim), rows of length 1.
        returns: (targets,).
    """
    # the mean of cosines is the cosine with the mean
    found: Floats = targets @ (first.mean(axis=0) - second.mean(axis=0))
    return found


def weat(
    targets_a: Floats,
    targets_b: Floats,
    attributes_a: Floats,
    attributes_b: Floats,
    *,
    draws: int = 100_000,
    seed: int = 0,
) -> Weat:
    """Return whether one set of targets is nearer to one set of attributes than the other set.

    Args:
        targets_a, targets_b, attributes_a, attributes_b: (words, dim), rows of length 1, one at
            least in each.
        draws, seed: as `permutation_test`.

    Source:
        Caliskan, Bryson and Narayanan (2017), arXiv:1608.07187. The standard deviation is that of
        a sample (n - 1).
    """
    first = associations(targets_a, attributes_a, attributes_b)
    second = associations(targets_b, attributes_a, attributes_b)
    tested = permutation_test(first, second, draws=draws, seed=seed)
    spread = float(np.concatenate([first, second]).std(ddof=1))
    apart = float(first.mean() - second.mean())
    return Weat(
        first=first,
        second=second,
        statistic=float(first.sum() - second.sum()),
        effect_size=apart / spread if spread > 1e-12 else float("nan"),  # less is rounding
        p_value=tested.p_value,
        partitions=tested.partitions,
        exact=tested.exact,
    )


def projections(rows: Floats, first: Floats, second: Floats) -> Floats:
    """Return how far each row lies along the direction from `second` to `first`.

    Shapes:
        rows: (words, dim), of length 1.
        first, second: (dim,), of length 1.
        returns: (words,), from -1 to 1.

    Raises:
        ValueError: if the two are the same.

    Source:
        Bolukbasi et al. (2016), arXiv:1607.06520.
    """
    between = first - second
    length = float(np.linalg.norm(between))
    if length < 1e-6:  # float32 vectors that differ by rounding
        raise ValueError("two vectors that are the same have no direction between them")
    found: Floats = rows @ (between / length)
    return found
