"""The words nearest to a word, a phrase or a sum of words."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from charlm.base.errors import TaskError
from charlm.tasks.vectors_open import OpenSpace, require_rows
from charlm.vectors.space import Array, Space


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """A word that answers a query, and how near it is."""

    query: str
    word: str
    similarity: float


def find_neighbors(
    opened: OpenSpace,
    words: Sequence[str],
    *,
    negative: Sequence[str] = (),
    top_n: int = 10,
) -> list[Answer]:
    """Return the words nearest to the sum of `words` less those of `negative`, by cosine.

    All vectors are made of length 1 before they are added. Several words in one text are a
    phrase: one vector if it is known as `new_york` or `new york`, else that of their mean. The
    words asked for are left out of the answer.

    Raises:
        TaskError: for an unknown word, naming known spellings near to it.
    """
    space = opened.space
    without: set[int] = set()
    total = np.zeros(space.dim, dtype=np.float32)
    for text in words:
        total += _vector(space, text, without)
    for text in negative:
        total -= _vector(space, text, without)
    query = " ".join([" + ".join(words), *(f"- {text}" for text in negative)])
    if not total.any():
        raise TaskError(f"the vector of {query[:100]!r} is zero, and has no neighbours")
    found = space.nearest(total, top_n, without=without)
    return [Answer(query, one.word, one.similarity) for one in found]


def _vector(space: Space, text: str, without: set[int]) -> Array:
    """Return the vector of a word or phrase, of length 1; its rows join `without`."""
    known = space.index(text)
    parts = text.split()
    if known is None and len(parts) > 1:
        known = space.index("_".join(parts))
    rows = [known] if known is not None else require_rows(space, parts or [text])
    without.update(rows)
    mean: Array = space.vectors(rows).mean(axis=0)
    length = float(np.linalg.norm(mean))
    return mean / np.float32(length) if length else mean
