"""What surfaces are made of in tokens of the n-gram model, and how frequent they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from charlm.ngram.probing import ProbingModel
from charlm.spelling.lexicon import MOST_PARTS, UNKNOWN, Lexicon

Array = npt.NDArray[Any]

_FREQUENT, _SPREAD = -9.0, 6.0  # log p of a word that is not rare; how far to the rarest


def surface_tokens(lexicon: Lexicon) -> npt.NDArray[np.int32]:
    """Return the tokens of each surface, -1 behind the last. Shapes: (surfaces, MOST_PARTS)."""
    tokens = np.full((len(lexicon.surfaces), MOST_PARTS), -1, dtype=np.int32)
    tokens[: lexicon.vocab_size, 0] = np.arange(lexicon.vocab_size)
    for number in range(lexicon.vocab_size, len(lexicon.surfaces)):
        parts = lexicon.tokens(lexicon.surfaces[number]) or (UNKNOWN,)
        tokens[number, : len(parts)] = parts
    return tokens


def surface_log_probs(tokens: npt.NDArray[np.int32], model: ProbingModel) -> Array:
    """Return log p of surfaces by themselves, in nats. Shapes: (surfaces,)."""
    scores = model.log_unigrams[tokens[:, 0]].copy()
    for part in range(1, MOST_PARTS):
        more = np.flatnonzero(tokens[:, part] >= 0)
        scores[more] += model.score_pairs(tokens[more, part - 1], tokens[more, part])
    return scores


def rarity_of(log_prob: float) -> float:
    """Return how rare a word of this log p is: 0 for a frequent one, 1 if it nearly never comes."""
    return min(max((_FREQUENT - log_prob) / _SPREAD, 0.0), 1.0)


def form_of(word: str) -> str:
    """Return a word as it is looked up."""
    return word.strip().lower().replace("’", "'")
