"""How many edits part two spellings, for many pairs at once.

Edits are a letter left out, put in or replaced, and two neighbours exchanged (Damerau 1964), no
letter being edited twice (optimal string alignment).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]
_FAR = 99
_PAIRS = 8192  # looked at together, so that their arrays fit the cache


def edit_distances(
    left: Array, left_lengths: Int64, right: Array, right_lengths: Int64, *, most: int
) -> npt.NDArray[np.uint8]:
    """Return the distances of pairs; those above `most` come as some number above it.

    Shapes:
        left, right: (letters, pairs), 0 behind the end.
        left_lengths, right_lengths: (pairs,).
    """
    result = np.full(left.shape[1], _FAR, dtype=np.uint8)
    near = np.flatnonzero(np.abs(left_lengths - right_lengths) <= most)
    near = near[np.argsort(left_lengths[near], kind="stable")]  # short pairs take few steps
    for start in range(0, len(near), _PAIRS):
        part = near[start : start + _PAIRS]
        rows = int(left_lengths[part].max(initial=0))
        columns = int(right_lengths[part].max(initial=0))
        result[part] = _distances(
            left[:rows, part], left_lengths[part], right[:columns, part], right_lengths[part], most
        )
    return result


def _distances(
    left: Array, left_lengths: Int64, right: Array, right_lengths: Int64, most: int
) -> npt.NDArray[np.uint8]:
    rows, columns = len(left), len(right)
    pairs = left.shape[1]
    far = np.full(pairs, _FAR, dtype=np.uint8)
    result = far.copy()
    one = np.uint8(1)
    before: list[npt.NDArray[np.uint8]] = [far] * (columns + 1)
    above = [np.full(pairs, j, dtype=np.uint8) if j <= most else far for j in range(columns + 1)]
    for i in range(1, rows + 1):
        low, high = max(1, i - most), min(columns, i + most)
        here = [far] * (columns + 1)
        if i <= most:
            here[0] = np.full(pairs, i, dtype=np.uint8)
        for j in range(low, high + 1):
            cost = above[j - 1] + (left[i - 1] != right[j - 1])
            np.minimum(cost, above[j] + one, out=cost)
            np.minimum(cost, here[j - 1] + one, out=cost)
            if i > 1 and j > 1:
                swapped = (left[i - 1] == right[j - 2]) & (left[i - 2] == right[j - 1])
                np.minimum(cost, np.where(swapped, before[j - 2] + one, far), out=cost)
            here[j] = cost
        ends = np.flatnonzero(left_lengths == i)
        if len(ends):
            result[ends] = np.stack(here)[right_lengths[ends], ends]
        before, above = above, here
    return result
