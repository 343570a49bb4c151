"""Vectors on a plane: principal components, and t-SNE."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from charlm.vectors.space import unit

Points = npt.NDArray[np.float64]
MOST_TSNE = 3_000
_EARLY_ROUNDS, _EARLY_FACTOR = 250, 12.0


def principal_components(rows: npt.NDArray[np.float32], count: int = 2) -> Points:
    """Return rows on the axes along which they vary most, (rows, count).

    Each axis points where its largest number is positive, so that equal input gives equal output.
    """
    centered = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(centered.T @ centered)
    chosen = axes[:, ::-1][:, :count]
    signs = np.sign(chosen[np.abs(chosen).argmax(axis=0), np.arange(chosen.shape[1])])
    found: Points = centered @ (chosen * np.where(signs == 0, 1, signs))
    missing = count - found.shape[1]
    return np.pad(found, ((0, 0), (0, missing))) if missing > 0 else found


def tsne(
    rows: npt.NDArray[np.float32],
    *,
    perplexity: float = 30.0,
    rounds: int = 750,
    seed: int = 0,
) -> Points:
    """Return rows on a plane where near ones stay near, by t-SNE in its exact form.

    Args:
        rows: (rows, dim), at most `MOST_TSNE`; cosines are what is kept.
        perplexity: about how many neighbours a row has; less where there are few rows.
        rounds: of gradient descent.
        seed: of what is added to the principal components, where the points begin.

    Raises:
        ValueError: for too many rows.

    Source:
        van der Maaten and Hinton (2008), JMLR 9.
    """
    count = len(rows)
    if count > MOST_TSNE:
        raise ValueError(f"{count} rows, more than {MOST_TSNE}")
    if count < 3:
        return principal_components(rows)
    near = _affinities(unit(rows), min(perplexity, (count - 1) / 3.0))
    rng = np.random.Generator(np.random.PCG64(seed))
    start = principal_components(unit(rows))
    points = start / (start.std() or 1.0) * 1e-2 + rng.normal(size=start.shape) * 1e-4
    speed, gains = np.zeros_like(points), np.ones_like(points)
    rate = max(count / _EARLY_FACTOR / 4.0, 10.0)
    for number in range(rounds):
        early = number < _EARLY_ROUNDS
        gradient = _gradient(points, near * (_EARLY_FACTOR if early else 1.0))
        gains = np.where(np.sign(gradient) != np.sign(speed), gains + 0.2, gains * 0.8)
        gains = np.maximum(gains, 0.01)
        speed = (0.5 if early else 0.8) * speed - rate * gains * gradient
        points = points + speed
        points -= points.mean(axis=0)
    return points


def _affinities(rows: npt.NDArray[np.float32], perplexity: float) -> Points:
    """Return how near each row counts to each other, all together 1, zero to itself."""
    distances = np.maximum(2.0 - 2.0 * (rows @ rows.T).astype(np.float64), 0.0)
    np.fill_diagonal(distances, np.inf)
    low, high = np.full(len(rows), 1e-12), np.full(len(rows), np.inf)
    precision = np.ones(len(rows))
    wanted = np.log(perplexity)
    smallest = distances.min(axis=1, keepdims=True)
    for _ in range(60):
        shares = np.exp(-(distances - smallest) * precision[:, None])
        shares /= shares.sum(axis=1, keepdims=True)
        entropy = -(shares * np.log(np.maximum(shares, 1e-300))).sum(axis=1)
        wide = entropy > wanted  # too many neighbours: narrower
        low, high = np.where(wide, precision, low), np.where(wide, high, precision)
        doubled = np.isinf(high)
        precision = np.where(doubled, precision * 2.0, (low + np.where(doubled, 0, high)) / 2.0)
    both: Points = (shares + shares.T) / (2.0 * len(rows))
    return np.maximum(both, 1e-12)


def _gradient(points: Points, near: Points) -> Points:
    squares = (points * points).sum(axis=1)
    kernel = 1.0 / (1.0 + np.maximum(squares[:, None] + squares - 2.0 * points @ points.T, 0.0))
    np.fill_diagonal(kernel, 0.0)
    force = (near - kernel / kernel.sum()) * kernel
    found: Points = 4.0 * (force.sum(axis=1)[:, None] * points - force @ points)
    return found
