"""How often chance alone would part values so unevenly: a one-sided permutation test."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
MOST_EXACT = 40  # values that are parted in every way: halves of 20, a million sums each
_TOLERANCE = 1e-9  # sums that differ by less, of the largest value, are equal but for rounding
_DRAWN_AT_ONCE = 1 << 20


class PermutationTest(NamedTuple):
    """The share of partitions that are as uneven, of how many, and whether those are all."""

    p_value: float
    partitions: int
    exact: bool


def permutation_test(
    first: Floats, second: Floats, *, draws: int = 100_000, seed: int = 0
) -> PermutationTest:
    """Return how probable it is that so large values come first, were they dealt at random.

    Every way to part all values into two groups of the sizes given is as likely; counted are
    those whose first group has a sum as large as `first` or larger. What was observed is one of
    them, so that the result is never 0. With more than `MOST_EXACT` values partitions are drawn,
    and the observed one is added to them.

    Args:
        first, second: values, one at least in each.
        draws: partitions to draw where there are too many to count.
        seed: of the draws.

    Example:
        >>> permutation_test(np.array([3.0, 2.0]), np.array([1.0, 0.0]))
        PermutationTest(p_value=0.16666666666666666, partitions=6, exact=True)

    Source:
        Phipson and Smyth (2010), "Permutation P-values Should Never Be Zero".
    """
    values = np.concatenate([first, second])
    least = first.sum() - _TOLERANCE * np.abs(values).max()
    if len(values) <= MOST_EXACT:
        partitions = math.comb(len(values), len(first))
        reached = _count_reaching(values, len(first), least)
        return PermutationTest(reached / partitions, partitions, exact=True)
    reached = _draw_reaching(values, len(first), least, draws, seed)
    return PermutationTest((reached + 1) / (draws + 1), draws, exact=False)


def _count_reaching(values: Floats, size: int, least: float) -> int:
    """Return how many subsets of that size have a sum of `least` or more.

    Each is a subset of the one half of the values and one of the other: of every two sizes that
    add up, the sums of the second are sorted, and those searched that reach with the first.
    """
    middle = len(values) // 2
    left, right = _sums_by_size(values[:middle]), _sums_by_size(values[middle:])
    found = 0
    for taken, sums in enumerate(left):
        if 0 <= size - taken < len(right):
            others = np.sort(right[size - taken])
            found += int((len(others) - np.searchsorted(others, least - sums)).sum())
    return found


def _sums_by_size(values: Floats) -> list[Floats]:
    """Return the sums of all subsets, by how many values they have."""
    by_size: list[Floats] = [np.zeros(1)]
    for value in values:
        more = [sums + value for sums in by_size]
        grown = [np.concatenate(pair) for pair in zip(by_size[1:], more[:-1], strict=True)]
        by_size = [by_size[0], *grown, more[-1]]
    return by_size


def _draw_reaching(values: Floats, size: int, least: float, draws: int, seed: int) -> int:
    rng = np.random.Generator(np.random.PCG64(seed))
    step = max(1, _DRAWN_AT_ONCE // len(values))
    found = 0
    for start in range(0, draws, step):
        shape = (min(step, draws - start), len(values))
        chosen = np.argpartition(rng.random(shape), size - 1, axis=1)[:, :size]
        found += int(np.count_nonzero(values[chosen].sum(axis=1) >= least))
    return found
