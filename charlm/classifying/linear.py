"""The linear branch: multinomial logistic regression on n-grams weighed by how they tell labels.

Every weight is u * r, where r is the log of how much likelier an n-gram is under a label than under
the others, and u is what is learnt, held small: an n-gram that tells nothing can hardly weigh much.

Source:
    Wang and Manning (2012), "Baselines and Bigrams", NBSVM; here with a logistic loss and, for
    several labels, one softmax instead of one machine a label.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from charlm.classifying.ngrams import Flat, Forms, Keys, word_ngrams

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Counts(NamedTuple):
    """A sparse matrix: `values` at (`rows`, `columns`)."""

    rows: Ints
    columns: Ints
    values: Floats
    shape: tuple[int, int]

    def times(self, weights: Floats) -> Floats:
        """Return this matrix times one of (columns, labels)."""
        return np.stack(
            [
                np.bincount(
                    self.rows, weights=self.values * w[self.columns], minlength=self.shape[0]
                )
                for w in weights.T
            ],
            axis=1,
        )

    def transposed_times(self, errors: Floats) -> Floats:
        """Return the transpose of this matrix times one of (rows, labels)."""
        return np.stack(
            [
                np.bincount(
                    self.columns, weights=self.values * e[self.rows], minlength=self.shape[1]
                )
                for e in errors.T
            ],
            axis=1,
        )

    def take(self, chosen: npt.NDArray[np.bool_]) -> Counts:
        """Return the rows that are chosen, renumbered."""
        kept = chosen[self.rows]
        numbers = np.cumsum(chosen) - 1
        return Counts(
            numbers[self.rows[kept]],
            self.columns[kept],
            self.values[kept],
            (int(chosen.sum()), self.shape[1]),
        )


def occurrences(flat: Flat, forms: Forms, order: int) -> tuple[Keys, Ints]:
    """Return the keys of all n-grams of some texts, and the text each is in."""
    hashes, parts, starts = forms.arrays()
    found = list(word_ngrams(flat, hashes, order))
    sizes = (starts[1:] - starts[:-1])[flat.forms]
    if sizes.sum():
        ends = np.cumsum(sizes)
        inside = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
        found.append(
            (parts[np.repeat(starts[flat.forms], sizes) + inside], np.repeat(flat.texts, sizes))
        )
    keys, texts = zip(*found, strict=True)
    return np.concatenate(keys), np.concatenate(texts)


def count_ngrams(keys: Keys, texts: Ints, number: int, min_count: int) -> tuple[Keys, Counts]:
    """Return the keys seen often enough, sorted, and which text has which."""
    known, columns, seen = np.unique(keys, return_inverse=True, return_counts=True)
    kept = seen >= min_count
    renumbered = np.cumsum(kept) - 1
    inside = kept[columns]
    pairs = texts[inside] * int(kept.sum()) + renumbered[columns[inside]]
    pairs = np.unique(pairs)
    width = max(1, int(kept.sum()))
    return known[kept], Counts(
        pairs // width, pairs % width, np.ones(len(pairs)), (number, int(kept.sum()))
    )


def log_ratios(counts: Counts, labels: Ints, number: int, smoothing: float = 1.0) -> Floats:
    """Return how much each n-gram speaks for each label, (n-grams, labels), in nats."""
    gold = np.eye(number)[labels]
    inside = counts.transposed_times(gold)
    outside = inside.sum(axis=1, keepdims=True) - inside
    inside, outside = inside + smoothing, outside + smoothing
    ratios: Floats = np.log(inside / inside.sum(axis=0)) - np.log(outside / outside.sum(axis=0))
    return ratios


def log_softmax(logits: Floats) -> Floats:
    """Return log-probabilities, over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def fit_linear(
    counts: Counts,
    labels: Ints,
    number: int,
    *,
    penalty: float,
    power: float = 1.0,
    iterations: int = 60,
) -> tuple[Floats, Floats]:
    """Return the weights (n-grams, labels) and the bias of each label.

    Args:
        penalty: how much a squared factor u costs, in nats a text.
    """
    ratios = log_ratios(counts, labels, number)
    ratios = np.sign(ratios) * np.abs(ratios) ** power
    rows = counts.shape[0]
    gold = np.eye(number)[labels]

    def loss(flat: Floats) -> tuple[float, Floats]:
        factors, bias = flat[:-number].reshape(-1, number), flat[-number:]
        scores = log_softmax(counts.times(ratios * factors) + bias)
        errors = (np.exp(scores) - gold) / rows
        value = -float((scores * gold).sum()) / rows + 0.5 * penalty * float((factors**2).sum())
        slope = ratios * counts.transposed_times(errors) + penalty * factors
        return value, np.concatenate([slope.ravel(), errors.sum(axis=0)])

    start = np.zeros(counts.shape[1] * number + number)
    start[-number:] = np.log(np.maximum(gold.mean(axis=0), 1e-9))
    best = minimize(loss, start, iterations)
    return ratios * best[:-number].reshape(-1, number), best[-number:]


def minimize(
    loss: Callable[[Floats], tuple[float, Floats]], start: Floats, iterations: int
) -> Floats:
    """Return where a smooth convex function is least, by L-BFGS with ten pairs.

    Source:
        Nocedal and Wright (2006), "Numerical Optimization", algorithms 7.4 and 7.5.
    """
    place, (value, slope) = start, loss(start)
    pairs: deque[tuple[Floats, Floats, float]] = deque(maxlen=10)
    for _ in range(iterations):
        direction = _two_loops(slope, pairs)
        falls = float(direction @ slope)
        step = 1.0 if pairs else min(1.0, 1.0 / (np.abs(slope).sum() + 1e-12))
        while True:
            there, (then, slope_there) = (new := place + step * direction), loss(new)
            if then <= value + 1e-4 * step * falls or step < 1e-10:
                break
            step *= 0.5
        moved, turned = there - place, slope_there - slope
        curvature = float(moved @ turned)
        if curvature > 1e-12:
            pairs.append((moved, turned, 1.0 / curvature))
        better = value - then
        place, value, slope = there, then, slope_there
        if better < 1e-6 * max(abs(value), 1e-3):
            break
    return place


def _two_loops(slope: Floats, pairs: deque[tuple[Floats, Floats, float]]) -> Floats:
    direction = -slope
    shares = []
    for moved, turned, weight in reversed(pairs):
        share = weight * float(moved @ direction)
        direction = direction - share * turned
        shares.append(share)
    if pairs:
        moved, turned, weight = pairs[-1]
        direction = direction / (weight * float(turned @ turned))
    for (moved, turned, weight), share in zip(pairs, reversed(shares), strict=True):
        direction = direction + (share - weight * float(turned @ direction)) * moved
    return direction
