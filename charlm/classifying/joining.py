"""Several branches as one: each weighed by how it does on texts that none has learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.classifying.linear import log_softmax, minimize

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
FEWEST = 50
"""Texts that weights are fitted on; with fewer every branch has the weight that suits most."""

_USUAL = {1: 1.0, 2: 0.6}
_LEAST, _MOST = 0.05, 5.0


def fit_shares(branches: Sequence[npt.NDArray[Any]], labels: Ints) -> tuple[list[float], float]:
    """Return the weights of branches under which labels are likeliest, and the nats a text then.

    Args:
        branches: logits (texts, labels) of each.
        labels: the index of each text's label.

    Example:
        >>> sure = np.array([[9.0, 0.0], [0.0, 9.0], [9.0, 0.0], [0.0, 9.0]] * 25)
        >>> shares, nats = fit_shares([sure], np.array([0, 1, 0, 0] * 25))
        >>> round(shares[0] * 9, 2), round(nats, 3)
        (1.1, 0.562)
    """
    stacked = np.stack([np.asarray(branch, dtype=np.float64) for branch in branches])
    rows = np.arange(len(labels))
    start = np.full(len(branches), _USUAL.get(len(branches), 1.0))

    def loss(shares: Floats) -> tuple[float, Floats]:
        scores = log_softmax(np.tensordot(shares, stacked, 1))
        errors = np.exp(scores)
        errors[rows, labels] -= 1.0
        return -float(scores[rows, labels].mean()), (stacked * errors).sum(axis=(1, 2)) / len(rows)

    found = start
    if len(labels) >= FEWEST:
        found = np.clip(minimize(loss, start, 50), _LEAST, _MOST)
    return found.tolist(), loss(found)[0] if len(labels) else float("nan")
