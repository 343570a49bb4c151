"""From labelled texts to the arrays of a classifier: the linear branch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from charlm.classifying.config import ClassifierConfig
from charlm.classifying.linear import count_ngrams, fit_linear, occurrences
from charlm.classifying.ngrams import Forms, Ints

Arrays = dict[str, npt.NDArray[np.generic]]


def train_linear(
    config: ClassifierConfig,
    texts: Sequence[Sequence[str]],
    labels: Ints,
    *,
    min_count: int,
    penalty: float,
) -> tuple[ClassifierConfig, Arrays]:
    """Return the form and the arrays of a classifier of n-grams alone.

    Args:
        config: its form so far; what n-grams there are is found here.
        texts: cut into words.
        labels: the index of each text's label.
        min_count: leave out n-grams seen less often.
        penalty: how small the weights are held.
    """
    forms = Forms(config.chars)
    flat = forms.flatten(texts)
    keys, where = occurrences(flat, forms, config.order)
    known, counts = count_ngrams(keys, where, flat.number, min_count)
    weights, bias = fit_linear(counts, labels, len(config.labels), penalty=penalty)
    return dataclasses.replace(config, ngrams=len(known)), {
        "bias": bias.astype(np.float32),
        "ngram_keys": known,
        "ngram_weights": weights.astype(np.float32),
    }
