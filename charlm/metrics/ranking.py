"""How well one order agrees with another."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def ranks(values: npt.NDArray[Any]) -> Floats:
    """Return the rank of each value, from 1; equal ones share the mean of theirs.

    Example:
        >>> ranks(np.array([10.0, 20.0, 10.0, 5.0]))
        array([2.5, 4. , 2.5, 1. ])
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle: Floats = last - (counts - 1) / 2.0
    return middle[inverse]


def spearman(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """Return Spearman's rank correlation, ties with mean ranks; NaN where one side is constant.

    Example:
        >>> spearman(np.array([1, 2, 3, 4]), np.array([1, 4, 9, 16]))
        1.0

    Raises:
        ValueError: if the two differ in length.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} values against {len(second)}")
    a, b = ranks(first), ranks(second)
    a, b = a - a.mean() if len(a) else a, b - b.mean() if len(b) else b
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else float("nan")
