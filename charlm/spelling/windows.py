"""The stretches of a text that are read for its gaps: one for all gaps of a part of a line."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]

_PART = 48  # words of a line that share a window


class Windows(NamedTuple):
    """Parts of a text that are read together.

    Attributes:
        low, high: (windows,), where each begins and ends in the text.
    """

    low: Int64
    high: Int64


def find_windows(
    size: int, starts: Int64, ends: Int64, begin: Int64, reach: int
) -> tuple[Windows, Int64]:
    """Return the windows that gaps are read in, and which of them each gap has.

    They are the same whatever else is asked.

    Args:
        size: of the text.
        starts, ends: (gaps,), the line that each gap is in: behind it nothing is read.
        begin: (gaps,), where each gap begins.
        reach: words of a window on either side of the part it is read for.
    """
    part = starts + (begin - starts) // _PART * _PART
    keys, where = np.unique(part * (size + 1) + starts, return_inverse=True)
    first, stops = np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys), dtype=np.int64)
    first[where], stops[where] = part, ends
    low = np.maximum(first - reach, 0)
    high = np.minimum(first + _PART + reach, stops)
    return Windows(low, high), where.reshape(-1)


def steps_needed(count: int, row: Int64, steps: Int64) -> Int64:
    """Return (count,) how many steps each window is read for what is asked of it."""
    needed = np.zeros(count, dtype=np.int64)
    np.maximum.at(needed, row, steps)
    return needed
