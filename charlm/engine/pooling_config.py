"""Ways to make one row of features of a text's words, and the arrays that they have."""

from __future__ import annotations

POOLINGS = ("max+mean", "max", "mean", "last", "attention")
ATTENTION = 64  # units that decide where to look


def pooled_size(pooling: str, size: int) -> int:
    """Return how many features a text has, of `size` a word.

    Example:
        >>> [pooled_size(pooling, 8) for pooling in POOLINGS]
        [16, 8, 8, 8, 8]
    """
    return 2 * size if pooling == "max+mean" else size


def pooling_shapes(pooling: str, size: int) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the arrays that a pooling has."""
    if pooling != "attention":
        return {}
    return {
        "attention.weight": (ATTENTION, size),
        "attention.bias": (ATTENTION,),
        "attention.choice": (ATTENTION,),
    }
