"""Words as points on a plane."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from charlm.base.errors import TaskError
from charlm.tasks.vectors_cluster import known_rows
from charlm.tasks.vectors_open import OpenSpace
from charlm.vectors.clustering import cluster
from charlm.vectors.projection import MOST_TSNE, principal_components, tsne


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class PlacedWord:
    """A word, where it stands, which cluster it is in, and the words nearest to it."""

    word: str
    x: float
    y: float
    cluster: int
    near: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """Words on a plane, and those that have no vector."""

    title: str
    words: tuple[PlacedWord, ...]
    unknown: tuple[str, ...]


def place_words(
    opened: OpenSpace,
    *,
    words: Sequence[str] = (),
    limit: int = 200,
    method: str = "pca",
    clusters: int = 1,
    seed: int = 0,
) -> Picture:
    """Return words as points on a plane.

    Args:
        words: which; none takes the first `limit` of the vocabulary.
        method: `pca` or `tsne`.
        clusters: how many groups to tell apart.
        seed: of t-SNE and of the clusters.

    Raises:
        TaskError: if there are too few words, or too many for t-SNE.
    """
    rows, unknown = known_rows(opened, words, limit)
    if len(rows) < max(2, clusters):
        raise TaskError(
            f"{len(rows):,} words with a vector; expected at least {max(2, clusters):,}"
        )
    if method == "tsne" and len(rows) > MOST_TSNE:
        raise TaskError(
            f"{len(rows):,} words are too many for t-SNE, which takes {MOST_TSNE:,}; try --limit "
            f"{MOST_TSNE} or --method pca"
        )
    vectors = opened.space.vectors(rows)
    points = tsne(vectors, seed=seed) if method == "tsne" else principal_components(vectors)
    labels = cluster(vectors, clusters, seed=seed).labels if clusters > 1 else np.zeros(len(rows))
    names = [opened.space.words[int(row)] for row in rows]
    cosines = vectors @ vectors.T if len(rows) <= MOST_TSNE else None
    placed = tuple(
        PlacedWord(
            word=name,
            x=float(points[place, 0]),
            y=float(points[place, 1]),
            cluster=int(labels[place]) + 1,
            near=_nearest(names, cosines[place], place) if cosines is not None else (),
        )
        for place, name in enumerate(names)
    )
    title = f"{len(rows):,} words of {opened.name} by {'t-SNE' if method == 'tsne' else 'PCA'}"
    return Picture(title=title, words=placed, unknown=tuple(unknown))


def _nearest(
    names: Sequence[str], cosines: npt.NDArray[np.float32], own: int, most: int = 5
) -> tuple[str, ...]:
    order = np.argsort(-cosines, kind="stable")
    return tuple(names[int(place)] for place in order if place != own)[:most]
