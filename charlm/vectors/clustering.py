"""Groups of words: k-means on vectors of length 1."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Clusters:
    """Which cluster each row is in, the centres (of length 1), and the mean cosine to them."""

    labels: npt.NDArray[np.intp]
    centers: Array
    cohesion: float


def cluster(
    rows: Array, count: int, *, seed: int = 0, restarts: int = 5, most_rounds: int = 100
) -> Clusters:
    """Return `count` clusters of rows of length 1 whose cosines to their centres are largest.

    Args:
        rows: (rows, dim), each of length 1.
        count: clusters, at most as many as there are rows.
        seed: of the first centres.
        restarts: times this is begun anew; the best result is returned.
        most_rounds: of moving centres, each time.

    Raises:
        ValueError: if there are fewer rows than clusters.

    Source:
        Dhillon and Modha (2001), spherical k-means; first centres as k-means++ draws them, Arthur
        and Vassilvitskii (2007).
    """
    if not 1 <= count <= len(rows):
        raise ValueError(f"{count} clusters of {len(rows)} rows")
    rng = np.random.Generator(np.random.PCG64(seed))
    found = [_once(rows, count, rng, most_rounds) for _ in range(max(1, restarts))]
    return max(found, key=lambda one: one.cohesion)


def _once(rows: Array, count: int, rng: np.random.Generator, most_rounds: int) -> Clusters:
    centers = _first_centers(rows, count, rng)
    labels = np.full(len(rows), -1, dtype=np.intp)
    for _ in range(most_rounds):
        cosines = rows @ centers.T
        fresh = cosines.argmax(axis=1)
        if np.array_equal(fresh, labels):
            break
        labels = fresh
        centers = _moved(rows, labels, centers, cosines)
    cohesion = float((rows * centers[labels]).sum(axis=1).mean())
    return Clusters(labels=labels, centers=centers, cohesion=cohesion)


def _first_centers(rows: Array, count: int, rng: np.random.Generator) -> Array:
    chosen = [int(rng.integers(len(rows)))]
    far = np.maximum(1.0 - rows @ rows[chosen[0]], 0.0).astype(np.float64)
    for _ in range(count - 1):
        mass = far.sum()
        chances = far / mass if mass > 0 else None
        chosen.append(int(rng.choice(len(rows), p=chances)))
        far = np.minimum(far, np.maximum(1.0 - rows @ rows[chosen[-1]], 0.0))
    return rows[chosen].copy()


def _moved(rows: Array, labels: npt.NDArray[np.intp], centers: Array, cosines: Array) -> Array:
    """Return the mean direction of each cluster; an empty one takes the row worst placed."""
    sums = np.zeros_like(centers)
    np.add.at(sums, labels, rows)
    empty = np.flatnonzero(np.bincount(labels, minlength=len(centers)) == 0)
    if len(empty):
        own = cosines[np.arange(len(rows)), labels]
        sums[empty] = rows[np.argsort(own, kind="stable")[: len(empty)]]
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    moved: Array = np.where(norms > 0, sums / np.where(norms > 0, norms, 1), centers)
    return moved.astype(np.float32)
