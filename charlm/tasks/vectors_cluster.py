"""Words in clusters, each told by the words nearest to its centre."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TaskError
from charlm.tasks.vectors_open import OpenSpace, unknown_word
from charlm.vectors.clustering import cluster
from charlm.vectors.space import Neighbor


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class WordCluster:
    """A cluster: its number from 1, how many words it has, the nearest to its centre first."""

    cluster: int
    size: int
    words: tuple[Neighbor, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ClusterResult:
    """Clusters, the largest first, and the words that have no vector."""

    clusters: tuple[WordCluster, ...]
    cohesion: float
    unknown: tuple[str, ...]


def cluster_words(
    opened: OpenSpace,
    count: int,
    *,
    words: Sequence[str] = (),
    limit: int = 10_000,
    top_n: int = 10,
    seed: int = 0,
) -> ClusterResult:
    """Return clusters of words by the directions of their vectors.

    Args:
        count: clusters.
        words: which; none takes the first `limit` of the vocabulary, 0 for all.
        top_n: words to tell of each cluster; 0 for all.
        seed: of the first centres.

    Raises:
        TaskError: if fewer words are known than there are to be clusters.
    """
    rows, unknown = known_rows(opened, words, limit)
    if len(rows) < count:
        raise TaskError(
            f"{len(rows):,} words with a vector, too few for {count:,} clusters"
            + (f"; {unknown_word(opened.space, unknown[0])}" if unknown else "")
        )
    vectors = opened.space.vectors(rows)
    found = cluster(vectors, count, seed=seed)
    made = []
    for number in range(count):
        members = np.flatnonzero(found.labels == number)
        cosines = vectors[members] @ found.centers[number]
        order = np.argsort(-cosines, kind="stable")[: top_n or None]
        nearest = tuple(
            Neighbor(opened.space.words[int(rows[members[place]])], float(cosines[place]))
            for place in order
        )
        made.append((len(members), nearest))
    made.sort(key=lambda one: -one[0])
    clusters = tuple(
        WordCluster(cluster=place, size=size, words=nearest)
        for place, (size, nearest) in enumerate(made, 1)
    )
    return ClusterResult(clusters=clusters, cohesion=found.cohesion, unknown=tuple(unknown))


def known_rows(
    opened: OpenSpace, words: Sequence[str], limit: int
) -> tuple[npt.NDArray[np.intp], list[str]]:
    """Return the rows of words, each once, and the words that have none."""
    space = opened.space
    if not words:
        return np.arange(min(limit or len(space.words), len(space.words))), []
    found = {word: space.index(word) for word in dict.fromkeys(words)}
    rows = dict.fromkeys(row for row in found.values() if row is not None)
    unknown = [word for word, row in found.items() if row is None]
    return np.fromiter(rows, dtype=np.intp, count=len(rows)), unknown
