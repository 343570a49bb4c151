"""Which words are left out, and which serve as negatives: chances from counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
_ALL = 2**32 - 1


def keep_chances(counts: Counts, subsample: float) -> npt.NDArray[np.float64]:
    """Return how likely each word is to be kept: `min(1, sqrt(t/f) + t/f)`, f its frequency.

    Args:
        counts: how often each word occurs.
        subsample: t, the frequency above which words are left out now and then; 0 keeps all.

    Example:
        >>> keep_chances(np.array([900, 99, 1]), 0.01).round(3)
        array([0.117, 0.419, 1.   ])

    Source:
        word2vec.c, which keeps more than `sqrt(t/f)` of Mikolov et al. (2013), arXiv:1310.4546.
    """
    if not subsample:
        return np.ones(len(counts))
    ratio = subsample * counts.sum() / np.maximum(counts, 1)
    kept: npt.NDArray[np.float64] = np.minimum(1.0, np.sqrt(ratio) + ratio)
    return kept


def as_thresholds(chances: npt.NDArray[np.float64]) -> npt.NDArray[np.uint32]:
    """Return chances in 2**-32, to be compared with 32 random bits."""
    return np.minimum(chances * 2.0**32, _ALL).astype(np.uint32)


def negative_chances(counts: Counts, exponent: float) -> npt.NDArray[np.float64]:
    """Return how likely each word is to be drawn as a negative: `count ** exponent`, normalised.

    Example:
        >>> negative_chances(np.array([16, 1, 0]), 0.75).round(3)
        array([0.889, 0.111, 0.   ])
    """
    weights = np.where(counts > 0, np.maximum(counts, 1).astype(np.float64) ** exponent, 0.0)
    shares: npt.NDArray[np.float64] = weights / weights.sum()
    return shares


def alias_table(
    chances: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int32]]:
    """Return the tables of the alias method: a cut in 2**-32 a word, and who is behind it.

    A word i drawn evenly stands for itself where 32 random bits are below `cuts[i]`, else for
    `others[i]`.

    Source:
        Walker (1977), Vose (1991).
    """
    size = len(chances)
    share = (chances * size).tolist()
    others = list(range(size))
    small = [i for i in range(size) if share[i] < 1.0]
    large = [i for i in range(size) if share[i] >= 1.0]
    cuts = [1.0] * size
    while small and large:
        low, high = small.pop(), large[-1]
        cuts[low], others[low] = share[low], high
        share[high] -= 1.0 - share[low]
        if share[high] < 1.0:
            small.append(large.pop())
    return as_thresholds(np.array(cuts)), np.array(others, dtype=np.int32)


def padded(rows: int, columns: int, dtype: Any = np.float32) -> npt.NDArray[Any]:
    """Return a zero matrix whose rows begin, and end, where lines of the cache do.

    Its first `columns` columns are for use; the rest stay zero.
    """
    size = np.dtype(dtype).itemsize
    row_bytes = -(-columns * size // 64) * 64
    room = np.zeros(rows * row_bytes + 64, dtype=np.uint8)
    start = -room.ctypes.data % 64
    matrix: npt.NDArray[Any] = room[start : start + rows * row_bytes].view(dtype)
    return matrix.reshape(rows, row_bytes // size)
