"""From labelled texts to the arrays of a classifier's linear branch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.classifying.config import ClassifierConfig
from charlm.classifying.linear import build_bags, fit_linear
from charlm.classifying.ngrams import Ints

Arrays = dict[str, npt.NDArray[Any]]
_OF_LINEAR = ("bias", "ngram_weights")
MOST_WEIGHTS = 16 << 20
"""Numbers of the linear branch that are learnt at most, where nobody says how many."""

_OF_LAYERS = ("output.weight", "output.bias")


def train_linear(
    config: ClassifierConfig,
    texts: Sequence[Sequence[str]],
    labels: Ints,
    *,
    min_count: int | None,
    penalty: float,
) -> tuple[ClassifierConfig, Arrays]:
    """Return the form and the arrays of a classifier with a linear branch; none without n-grams.

    Args:
        config: its form so far; what n-grams there are is found here.
        texts: cut into words.
        labels: the index of each text's label.
        min_count: leave out n-grams seen less often; None leaves out as many as there are too many.
        penalty: how small the weights are held: what a squared factor costs, in nats.
    """
    number = len(config.labels)
    least = min_count or 1
    known, bags = build_bags(texts, config.chars, config.longest_ngram, least)
    while min_count is None and len(known) * number > MOST_WEIGHTS:
        least += 1
        known, bags = build_bags(texts, config.chars, config.longest_ngram, least)
    if not len(known):
        return config, {}
    weights, bias = fit_linear(bags, labels, number, penalty=penalty / len(labels))
    return dataclasses.replace(config, ngrams=len(known)), {
        "bias": bias.astype(np.float32),
        "ngram_keys": known,
        "ngram_weights": weights.astype(np.float32),
    }


def joined(linear: Mapping[str, Any], layers: Mapping[str, Any], shares: Sequence[float]) -> Arrays:
    """Return the arrays of a classifier of branches, each weighed by its share.

    Args:
        linear: the arrays of the linear branch; empty for none.
        layers: those of the recurrent branch; empty for none.
        shares: the weight of each branch that there is, in this order.
    """
    left = list(shares)
    arrays: Arrays = {}
    for branch, scaled in ((linear, _OF_LINEAR), (layers, _OF_LAYERS)):
        if branch:
            share = np.float32(left.pop(0))
            arrays |= {
                name: array * share if name in scaled else array for name, array in branch.items()
            }
    return arrays
