"""Where a question is answered: PyTorch is asked only where a GPU seems to be and is worth it."""

from __future__ import annotations

from charlm.tasks.train_vectors_device import has_gpu

# Weights times tokens from which a GPU has answered before a CPU has: until PyTorch and CUDA are
# ready, some seconds go by.
WORTH_DRAWING = 2e11
WORTH_SCORING = 1e12
# A GPU holds the whole text that it scores: 100 million tokens, 2.4 GB. The CPU reads in pieces.
MOST_SCORED = 100_000_000


def choose_device(wanted: str, weights: int, work: float) -> str:
    """Return `cpu` or `cuda`: what was asked for, or for `auto` what is done sooner.

    Args:
        wanted: `auto`, `cpu` or `cuda`.
        weights: of the model.
        work: tokens, as a share of those that are worth a GPU for a model of one weight.

    Example:
        >>> choose_device("auto", 1_000_000, 200 / WORTH_DRAWING)
        'cpu'
    """
    if wanted != "auto":
        return wanted
    return "cuda" if weights * work >= 1.0 and has_gpu() else "cpu"
